// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.xbill.DNS.Type;

/** A catalog that changes at random, and beside it the same sets in a plain map for each view. */
final class RandomZones {
    /** Few labels, so that names meet. */
    static final List<String> LABELS = List.of("a", "b", "web", "wan", "lan", "*", "_tcp", "mail");
    static final List<String> APEXES = List.of("vanya", "local", "sub.vanya", "a.sub.vanya", "2.0.192.in-addr.arpa");
    /** CLOCK_BOOTTIME of the tests; ends lie around it. */
    static final long NOW = 1_000_000;
    private static final List<Integer> TYPES = List.of(Type.A, Type.A, Type.A, Type.AAAA, Type.AAAA, Type.CNAME,
            Type.CNAME, Type.MX, Type.SRV, Type.TXT, Type.PTR, Type.NS, RrSet.NOTHING);
    private static final int LONG_TEXT = 200;

    final Random random;
    final List<Map<Catalog.Key, RrSet>> plain = List.of(new HashMap<>(), new HashMap<>(), new HashMap<>());
    private Catalog catalog = Catalog.empty();
    private int serial = 1;

    RandomZones(final long seed) {
        random = new Random(seed);
    }

    Catalog catalog() {
        return catalog;
    }

    /** Changes a view in a few places; tells whether it kept to the rules: a zone that changed has a new serial. */
    Catalog.Change change() {
        final int view = random.nextInt(Catalog.VIEWS);
        final Map<Catalog.Key, RrSet> now = plain.get(view);
        final Map<Catalog.Key, RrSet> put = new HashMap<>();
        final List<Catalog.Key> gone = new ArrayList<>();
        for (int times = random.nextInt(6); times > 0; times--) {
            final RrSet set = set(random.nextInt(9) == 0 ? APEXES.get(random.nextInt(APEXES.size())) : name());
            final Catalog.Key key = new Catalog.Key(set.name(), set.type());
            if (random.nextInt(3) == 0 && !now.isEmpty()) {
                final List<Catalog.Key> there = new ArrayList<>(now.keySet());
                final Catalog.Key one = there.get(random.nextInt(there.size()));
                if (one.type() != Type.SOA || random.nextInt(4) == 0) {
                    gone.add(one);
                }
            } else {
                put.put(key, set);
            }
        }
        for (final String apex : APEXES) {
            final boolean there = now.containsKey(new Catalog.Key(apex, Type.SOA));
            if (there ? random.nextInt(8) != 0 : random.nextInt(12) == 0) {
                put.put(new Catalog.Key(apex, Type.SOA), soa(apex));
            }
        }
        return new Catalog.Change(view, List.copyOf(put.values()), gone);
    }

    /** Makes a change, in the catalog and in the map. */
    void make(final Catalog.Change change) {
        catalog = catalog.with(List.of(change));
        final Map<Catalog.Key, RrSet> now = plain.get(change.view());
        change.gone().forEach(now::remove);
        change.put().forEach(set -> now.put(new Catalog.Key(set.name(), set.type()), set));
    }

    /** A name in or near one of the zones. */
    String name() {
        final StringBuilder name = new StringBuilder();
        for (int labels = random.nextInt(4); labels > 0; labels--) {
            name.append(LABELS.get(random.nextInt(LABELS.size()))).append('.');
        }
        final String end = random.nextInt(10) == 0 ? "example" : APEXES.get(random.nextInt(APEXES.size()));
        return name + end;
    }

    private RrSet soa(final String apex) {
        return RrSet.of(apex, Type.SOA, random.nextBoolean() ? 60 : 5, RrSet.FOR_EVER,
                List.of("ns." + apex + " hostmaster." + apex + " " + ++serial + " 600 120 86400 10"));
    }

    private RrSet set(final String name) {
        final int type = TYPES.get(random.nextInt(TYPES.size()));
        final List<String> data = new ArrayList<>();
        final int most = type == Type.CNAME ? 1 : type == RrSet.NOTHING ? 0 : 1 + random.nextInt(random.nextInt(8) == 0 ? 40 : 3);
        for (int i = 0; i < most; i++) {
            data.add(datum(type));
        }
        final long until = random.nextInt(4) == 0 ? NOW + random.nextInt(80_000) - 20_000 : RrSet.FOR_EVER;
        return RrSet.of(name, type, random.nextInt(20) == 0 ? 0 : 60, until, data);
    }

    private String datum(final int type) {
        return switch (type) {
            case Type.A -> "192.0.2." + random.nextInt(256);
            case Type.AAAA -> "2001:db8::" + Integer.toHexString(random.nextInt(1 << 16));
            case Type.MX -> random.nextInt(100) + " " + name();
            case Type.SRV -> "0 0 " + random.nextInt(1 << 16) + " " + name();
            case Type.TXT -> "\"" + "x".repeat(random.nextInt(LONG_TEXT)) + random.nextInt() + "\" \"b\"";
            default -> name();
        };
    }
}
