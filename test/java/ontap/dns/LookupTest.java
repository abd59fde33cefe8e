// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xbill.DNS.DClass;
import org.xbill.DNS.ExtendedFlags;
import org.xbill.DNS.Flags;
import org.xbill.DNS.GenericEDNSOption;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/**
 * Random zones and random questions. What {@link FastPath} writes is what dnsjava's way says, section by section; and
 * what that says is what {@link PlainLookup} finds. {@code -Dontap.dns.queries=N} asks more.
 */
@Timeout(300)
class LookupTest {
    private static final int QUERIES = Integer.getInteger("ontap.dns.queries", 100_000);
    private static final int PER_ZONE = 200;
    private static final int[] TYPES = {Type.A, Type.A, Type.A, Type.AAAA, Type.AAAA, Type.TXT, Type.PTR, Type.SOA,
        Type.NS, Type.MX, Type.SRV, Type.CNAME, Type.DS, Type.ANY, 65, 0xfff0};

    private static final ByteBuffer IN = ByteBuffer.allocateDirect(4096);

    private int fast;
    private List<Set<String>> existing;

    @Test
    void bothWaysSayTheSameAndItIsTrue() throws IOException {
        final long seed = Long.getLong("ontap.dns.seed", ThreadLocalRandom.current().nextLong(1 << 30));
        System.out.println("ontap.dns.LookupTest: -Dontap.dns.seed=" + seed);
        final RandomZones zones = new RandomZones(seed);
        final ByteBuffer out = ByteBuffer.allocateDirect(4096);
        for (int asked = 0; asked < QUERIES; asked++) {
            if (asked % PER_ZONE == 0) {
                for (int i = 0; i < 8; i++) {
                    zones.make(zones.change());
                }
                existing = zones.plain.stream().map(PlainLookup::existing).toList();
            }
            final int view = zones.random.nextInt(Catalog.VIEWS);
            final byte[] query = query(zones);
            try {
                compare(zones, view, query, out);
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", query " + asked + ": " + new Message(query) + "\n"
                        + zones.plain.get(view).values(), e);
            }
        }
        assertTrue(fast > QUERIES / 4, "the fast path is taken: " + fast);
    }

    private void compare(final RandomZones zones, final int view, final byte[] query, final ByteBuffer out)
            throws IOException {
        final Snapshot snapshot = new Snapshot(zones.catalog(), Askers.of(List.of()));
        final Responder responder = new Responder(() -> snapshot, new Responder.Options(null));
        final Contents contents = zones.catalog().contents(view);
        final Message asked = new Message(query);
        final int limit = asked.getOPT() == null ? 512 : Math.max(512, Math.min(1232, asked.getOPT().getPayloadSize()));
        final Said slow = new Said(responder.answer(query, contents, RandomZones.NOW, 65_535, 65_535));
        questionIsThere(query, slow.octets);
        if (slow.octets.length > limit || asked.getHeader().getID() % 8 == 0) {
            final Said cut = new Said(responder.answer(query, contents, RandomZones.NOW, 512, 65_535));
            assertTrue(cut.octets.length <= limit, "no longer than asked for: " + cut.octets.length);
            questionIsThere(query, cut.octets);
            isPartOf(cut, slow);
        }

        // the way a datagram comes: somewhere in a big buffer
        final int shift = zones.random.nextInt(40);
        final ByteBuffer in = IN.clear().position(shift).put(query).flip().position(shift);
        out.clear().position(zones.random.nextInt(100));
        final int from = out.position();
        final int length = FastPath.answer(in, contents, RandomZones.NOW, 512, out);
        assertEquals(from, out.position(), "it moves nothing");
        if (length != FastPath.NOT_PLAIN) {
            fast++;
            assertTrue(length <= limit, "no longer than asked for: " + length);
            final byte[] octets = new byte[length];
            out.get(from, octets);
            // names may be compressed in other ways
            if (!Arrays.equals(octets, slow.octets)) {
                final Said said = new Said(octets);
                assertEquals(slow.all(), said.all());
                assertEquals(asked.getHeader().getID(), said.message.getHeader().getID());
                questionIsThere(query, octets);
            }
        }
        final PlainLookup plain = new PlainLookup(zones.plain.get(view), existing.get(view), RandomZones.NOW);
        plain.ask(asked.getQuestion().getName().canonicalize().toString(true), asked.getQuestion().getType());
        assertEquals(plain.rcode, slow.rcode(), "code");
        assertEquals(plain.authoritative, slow.has(Flags.AA), "AA");
        assertEquals(new TreeSet<>(plain.answer), new TreeSet<>(slow.section(Section.ANSWER)), "answer");
        assertEquals(plain.authority, new TreeSet<>(slow.section(Section.AUTHORITY)), "authority");
    }

    /** What fits is there set by set; what does not is said, but for additional records. */
    private static void isPartOf(final Said cut, final Said whole) {
        boolean less = false;
        for (final int section : new int[] {Section.ANSWER, Section.AUTHORITY, Section.ADDITIONAL}) {
            final List<String> part = cut.section(section);
            final List<String> all = whole.section(section);
            assertEquals(all.subList(0, part.size()), part, "from the beginning on");
            assertTrue(part.size() == all.size() || part.isEmpty()
                    || !set(all.get(part.size())).equals(set(part.get(part.size() - 1))), "whole sets");
            less |= section != Section.ADDITIONAL && part.size() < all.size();
        }
        assertTrue(!less || cut.has(Flags.TC), "TC says that something is missing");
        assertTrue(less || !cut.has(Flags.TC) || !whole.section(Section.AUTHORITY).isEmpty(), "and else does not");
        assertEquals(whole.rcode(), cut.rcode());
    }

    private static String set(final String record) {
        final String[] words = record.split(" ");
        return words[0] + " " + words[2];
    }

    /** Octet by octet, capitals as they came. */
    private static void questionIsThere(final byte[] query, final byte[] answer) {
        int end = 12;
        while (query[end] != 0) {
            end += 1 + query[end];
        }
        for (int i = 12; i < end + 5; i++) {
            assertEquals(query[i], answer[i], "octet " + i + " of the question");
        }
    }

    private static byte[] query(final RandomZones zones) throws IOException {
        final Random random = zones.random;
        final StringBuilder name = new StringBuilder();
        for (final char c : zones.name().toCharArray()) {
            name.append(random.nextInt(4) == 0 ? Character.toUpperCase(c) : c);
        }
        final Message query = new Message(random.nextInt(1 << 16));
        query.addRecord(Record.newRecord(Name.fromString(name.toString(), Name.root),
                TYPES[random.nextInt(TYPES.length)], DClass.IN), Section.QUESTION);
        if (random.nextBoolean()) {
            query.getHeader().setFlag(Flags.RD);
        }
        if (random.nextInt(8) == 0) {
            List.of(Flags.AA, Flags.TC, Flags.RA, Flags.AD, Flags.CD).forEach(flag -> {
                if (random.nextBoolean()) {
                    query.getHeader().setFlag(flag);
                }
            });
        }
        if (random.nextBoolean()) {
            query.addRecord(new OPTRecord(new int[] {0, 512, 700, 1232, 4096}[random.nextInt(5)], 0, 0,
                    random.nextBoolean() ? ExtendedFlags.DO : random.nextInt(1 << 15),
                    random.nextBoolean() ? List.of() : List.of(new GenericEDNSOption(10, new byte[8]),
                            new GenericEDNSOption(0xfde9, new byte[random.nextInt(20)]))), Section.ADDITIONAL);
        }
        return query.toWire();
    }
}
