// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.Type;

/** Catalogs that change are what catalogs made at once are, and tell what changed. */
@Timeout(100)
class CatalogTest {
    private static final int ROUNDS = 1_000;
    private static final long FOR_EVER = RrSet.FOR_EVER;

    /** Each node as text: what it has, what it knows of those around it. */
    private static Map<String, String> nodes(final Catalog catalog, final int view) {
        final Contents contents = catalog.contents(view);
        final Map<String, String> nodes = new TreeMap<>();
        contents.names.forEach(node -> nodes.put(Arrays.toString(WireName.octets(node.words, node.length)),
                Arrays.toString(node.sets) + " below " + node.below + " flags " + node.flags + " zone "
                        + (node.zone == Node.NO_ZONE ? "none" : contents.zones[node.zone].soa.name())));
        assertEquals(nodes.size(), contents.names.size(), "the table knows how many names it has");
        return nodes;
    }

    @Test
    void changedIsAsMadeAtOnce() {
        final long seed = 4592;
        final RandomZones zones = new RandomZones(seed);
        for (int round = 0; round < ROUNDS; round++) {
            zones.make(zones.change());
            final int view = round % Catalog.VIEWS;
            final List<RrSet> all = new ArrayList<>(zones.plain.get(view).values());
            final Catalog atOnce = Catalog.empty().with(List.of(new Catalog.Change(view, all, List.of())));
            assertEquals(nodes(atOnce, view), nodes(zones.catalog(), view), "seed " + seed + ", round " + round);
        }
        // all goes again, and nothing is left
        Catalog catalog = zones.catalog();
        for (int view = 0; view < Catalog.VIEWS; view++) {
            for (final Catalog.Key key : zones.plain.get(view).keySet()) {
                catalog = catalog.with(List.of(new Catalog.Change(view, List.of(), List.of(key))));
            }
            assertEquals(0, catalog.names(view), "nothing is left");
            assertEquals(List.of(), catalog.zones(view));
        }
    }

    private static TreeSet<String> records(final List<RrSet> sets) {
        final TreeSet<String> records = new TreeSet<>();
        for (final RrSet set : sets) {
            for (final Record record : set.records()) {
                assertTrue(records.add(record.toString()), "each record once: " + record);
            }
        }
        return records;
    }

    /** A secondary that has any earlier state and makes the changes has the present one (RFC 1995, section 4). */
    @Test
    void deltasLeadFromEachSerialToTheNext() {
        final RandomZones zones = new RandomZones(1995);
        final Map<String, Map<Long, TreeSet<String>>> states = new HashMap<>();
        int followed = 0;
        for (int round = 0; round < ROUNDS; round++) {
            final Catalog.Change change = zones.change();
            zones.make(change);
            final int view = change.view();
            for (final Zone zone : zones.catalog().zones(view)) {
                final Map<Long, TreeSet<String>> of = states.computeIfAbsent(view + zone.apex(), k -> new TreeMap<>());
                final TreeSet<String> now = records(zone.rrsets());
                of.keySet().removeIf(serial -> zone.deltasSince(serial) == null || zones.random.nextInt(20) == 0);
                of.put(zone.serial(), now);
                for (final Map.Entry<Long, TreeSet<String>> past : of.entrySet()) {
                    final List<Delta> deltas = zone.deltasSince(past.getKey());
                    final TreeSet<String> state = new TreeSet<>(past.getValue());
                    deltas.forEach(delta -> follow(state, delta));
                    assertEquals(now, state, "round " + round + ", since " + past.getKey());
                    followed += deltas.isEmpty() ? 0 : 1;
                }
            }
        }
        assertTrue(followed > ROUNDS, "it was tried: " + followed);
    }

    private static void follow(final TreeSet<String> state, final Delta delta) {
        assertTrue(state.remove(delta.oldSoa().records().get(0).toString()), "the old SOA was there");
        final TreeSet<String> removed = records(delta.removed());
        assertTrue(state.containsAll(removed), "what goes was there");
        state.removeAll(removed);
        final TreeSet<String> added = records(delta.added());
        assertTrue(added.stream().noneMatch(state::contains), "what comes was not there");
        state.addAll(added);
        state.add(delta.newSoa().records().get(0).toString());
    }

    @Test
    void aChangeTakesWellUnderATenthOfAMillisecond() {
        final List<RrSet> sets = new ArrayList<>(List.of(soa("vanya", 1), soa("8.b.d.0.1.0.0.2.ip6.arpa", 1)));
        for (int i = 0; i < 1_000; i++) {
            sets.add(a("n" + i + ".vanya", "10.1." + i / 250 + "." + i % 250));
            sets.add(a("n" + i + ".lan.vanya", "10.1." + i / 250 + "." + i % 250));
            sets.add(ptr(i));
        }
        Catalog catalog = Catalog.empty().with(List.of(new Catalog.Change(2, sets, List.of())));
        final long[] nanos = new long[2_000];
        for (int i = 0; i < nanos.length; i++) {
            final List<RrSet> put = List.of(a("n" + i % 1_000 + ".vanya", "10.2.0." + i % 250), soa("vanya", i + 2));
            final long begin = System.nanoTime();
            catalog = catalog.with(List.of(new Catalog.Change(2, put, List.of())));
            nanos[i] = System.nanoTime() - begin;
        }
        Arrays.sort(nanos);
        assertTrue(nanos[nanos.length / 2] < 100_000, "nanoseconds: " + nanos[nanos.length / 2]);
        assertEquals(2 + nanos.length - 1, catalog.zone(2, "vanya").serial());
    }

    private static RrSet ptr(final int i) {
        final String digits = String.format("%08x", i * 2_654_435_761L & 0xffff_ffffL);
        return RrSet.of(String.join(".", digits.split("")) + ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                Type.PTR, 60, FOR_EVER, List.of("n" + i + ".vanya"));
    }

    @Test
    void anEarlierOneStays() {
        final Catalog one = Catalog.empty().with(List.of(put(soa("vanya", 1), a("web.vanya", "10.0.0.1"))));
        final Zone zone = one.zone(0, "Vanya.");
        final Catalog two = one.with(List.of(put(soa("vanya", 2), a("web.vanya", "10.0.0.2"))));
        assertEquals(List.of("10.0.0.1"), one.set(0, "WEB.vanya", Type.A).data());
        assertEquals(1, zone.serial());
        assertEquals(List.of("10.0.0.1"), zone.rrsets().get(1).data());
        assertEquals(List.of("10.0.0.2"), two.set(0, "web.vanya", Type.A).data());
        assertNull(two.zone(1, "vanya"), "the other views have nothing");
        assertNull(two.zone(0, "web.vanya"), "no zone begins there");
    }

    @Test
    void aZoneIsToldInOrder() throws Exception {
        final Catalog catalog = Catalog.empty().with(List.of(put(soa("vanya", 7), a("b.vanya", "10.0.0.1"),
                a("vanya", "10.0.0.3"), a("z.a.vanya", "10.0.0.1"), RrSet.of("c.vanya", RrSet.NOTHING, 60, FOR_EVER, List.of()),
                RrSet.of("vanya", Type.NS, 60, FOR_EVER, List.of("ns.vanya")), a("other.sub.vanya", "10.0.0.9"),
                soa("sub.vanya", 1))));
        assertEquals(List.of("vanya SOA", "vanya A", "vanya NS", "z.a.vanya A", "b.vanya A"),
                catalog.zone(0, Name.fromString("VANYA.")).rrsets().stream()
                        .map(set -> set.name() + " " + Type.string(set.type())).toList());
        assertEquals(2, catalog.zones(0).size());
    }

    @Test
    void deltasTellRecordsAndAreBounded() {
        Catalog catalog = Catalog.empty().with(List.of(put(soa("vanya", 1), a("web.vanya", "10.0.0.1", "10.0.0.2"))));
        assertEquals(List.of(), catalog.zone(0, "vanya").deltasSince(1), "nothing since now");
        assertNull(catalog.zone(0, "vanya").deltasSince(0), "not known");
        catalog = catalog.with(List.of(put(soa("vanya", 2), a("web.vanya", "10.0.0.2", "10.0.0.3"))));
        final Delta delta = catalog.zone(0, "vanya").deltasSince(1).get(0);
        assertEquals(List.of("10.0.0.1"), delta.removed().get(0).data());
        assertEquals(List.of("10.0.0.3"), delta.added().get(0).data());
        // only the end of its time changed: there is nothing to tell, but the serial
        catalog = catalog.with(List.of(put(soa("vanya", 3),
                RrSet.of("web.vanya", Type.A, 60, 5_000, List.of("10.0.0.2", "10.0.0.3")))));
        assertEquals(List.of(), catalog.zone(0, "vanya").deltasSince(2).get(0).removed());
        for (int i = 4; i < 4 + Journal.DELTAS_MOST; i++) {
            catalog = catalog.with(List.of(put(soa("vanya", i), a("web.vanya", "10.0.1." + i % 250))));
        }
        assertEquals(Journal.DELTAS_MOST, catalog.zone(0, "vanya").deltasSince(3).size());
        assertNull(catalog.zone(0, "vanya").deltasSince(2), "too long ago");
        final String[] many = new String[6_000];
        for (int i = 0; i < many.length; i++) {
            many[i] = "10.1." + i / 250 + "." + i % 250;
        }
        for (int i = 0; i < 4; i++) {
            catalog = catalog.with(List.of(put(soa("vanya", 1_000 + i), a("many" + i + ".vanya", many))));
        }
        assertNull(catalog.zone(0, "vanya").deltasSince(1_000 - 1), "too many records");
        assertEquals(2, catalog.zone(0, "vanya").deltasSince(1_001).size());
    }

    @Test
    void aChangeWithoutANewerSerialForgetsThePast() {
        final Catalog catalog = Catalog.empty().with(List.of(put(soa("vanya", 0xffff_ffff), a("web.vanya", "10.0.0.1"))))
                .with(List.of(put(soa("vanya", 1), a("web.vanya", "10.0.0.2"))));
        assertEquals(1, catalog.zone(0, "vanya").deltasSince(0xffff_ffffL).size(), "serials go round (RFC 1982)");
        assertNull(catalog.with(List.of(put(a("web.vanya", "10.0.0.3")))).zone(0, "vanya").deltasSince(0xffff_ffffL));
        assertNull(catalog.with(List.of(put(soa("vanya", 0)))).zone(0, "vanya").deltasSince(0xffff_ffffL));
        assertNotNull(catalog.with(List.of(put(a("web.vanya", "10.0.0.2")))).zone(0, "vanya").deltasSince(0xffff_ffffL),
                "the same again is no change");
    }

    /** What a zone lost to one below it, or won, is not told as a change. */
    @Test
    void aZoneThatBeginsOrEndsBelowForgetsThePast() {
        final Catalog one = Catalog.empty().with(List.of(put(soa("vanya", 1), a("sub.vanya", "10.0.0.1"))));
        final Catalog two = one.with(List.of(put(soa("vanya", 2), soa("sub.vanya", 1))));
        assertNull(two.zone(0, "vanya").deltasSince(1));
        assertEquals(1, two.zone(0, "vanya").rrsets().size());
        assertEquals(2, two.zone(0, "sub.vanya").rrsets().size());
        final Catalog three = two.with(List.of(new Catalog.Change(0, List.of(soa("vanya", 3)),
                List.of(new Catalog.Key("sub.vanya", Type.SOA)))));
        assertNull(three.zone(0, "vanya").deltasSince(2));
        assertEquals(2, three.zone(0, "vanya").rrsets().size());
    }

    @Test
    void whatIsNoSetIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> a("web.vanya", "10.0.0"));
        assertThrows(IllegalArgumentException.class, () -> a("web.vanya"));
        assertThrows(IllegalArgumentException.class, () -> a("web..vanya", "10.0.0.1"));
        assertThrows(IllegalArgumentException.class, () -> RrSet.of("a", Type.A, -1, FOR_EVER, List.of("10.0.0.1")));
        assertThrows(IllegalArgumentException.class, () -> RrSet.of("a", RrSet.NOTHING, 1, FOR_EVER, List.of("x")));
        assertThrows(IllegalArgumentException.class, () -> RrSet.of("a", Type.CNAME, 1, FOR_EVER, List.of("x", "y")));
        assertThrows(IllegalArgumentException.class, () -> new Catalog.Change(3, List.of(), List.of()));
        assertEquals(a("web.vanya", "10.0.0.2", "10.0.0.1"), a("WEB.vanya.", "10.0.0.1", "10.0.0.2", "10.0.0.2"));
    }

    private static Catalog.Change put(final RrSet... sets) {
        return new Catalog.Change(0, List.of(sets), List.of());
    }

    private static RrSet soa(final String apex, final int serial) {
        return RrSet.of(apex, Type.SOA, 60, FOR_EVER,
                List.of("ns." + apex + " hostmaster." + apex + " " + (serial & 0xffff_ffffL) + " 600 120 86400 10"));
    }

    private static RrSet a(final String name, final String... addresses) {
        return RrSet.of(name, Type.A, 60, FOR_EVER, List.of(addresses));
    }
}
