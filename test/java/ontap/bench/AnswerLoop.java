// SPDX-License-Identifier: Apache-2.0
package ontap.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import ontap.dns.Askers;
import ontap.dns.Catalog;
import ontap.dns.Responder;
import ontap.dns.RrSet;
import ontap.dns.Snapshot;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/**
 * How long the responder takes for one datagram, and the catalog for one change, with 1,000 names. A program:
 * {@code java -cp … ontap.bench.AnswerLoop [SECONDS]}; each line is a kind of query and nanoseconds.
 */
public final class AnswerLoop {
    private static final int NAMES = 1_000;
    private static final int QUERIES = 4_096;
    private static final int CHANGES = 2_000;

    private volatile Snapshot snapshot;

    private AnswerLoop() {
    }

    /** Measures and prints. */
    public static void main(final String... words) throws IOException {
        final double seconds = words.length > 0 ? Double.parseDouble(words[0]) : 1;
        final AnswerLoop loop = new AnswerLoop();
        loop.fill();
        loop.changes();
        final Responder responder = new Responder(() -> loop.snapshot, new Responder.Options(null));
        for (int round = 0; round < 3; round++) {
            loop.ask(responder, "A there", "n%d.vanya", Type.A, false, seconds);
            loop.ask(responder, "AAAA there, EDNS", "n%d.wan.vanya", Type.AAAA, true, seconds);
            loop.ask(responder, "A that ends", "n%d.lan.vanya", Type.A, true, seconds);
            loop.ask(responder, "NODATA", "n%d.wan.vanya", Type.TXT, true, seconds);
            loop.ask(responder, "NXDOMAIN", "x%d.vanya", Type.A, true, seconds);
            loop.ask(responder, "NXDOMAIN, deep", "a.b.c.x%d.wan.vanya", Type.A, true, seconds);
            loop.ask(responder, "REFUSED", "n%d.example.org", Type.A, true, seconds);
            loop.ask(responder, "wildcard", "n%d.wild.vanya", Type.A, true, seconds);
            loop.ask(responder, "CNAME", "c%d.vanya", Type.A, true, seconds);
            loop.ask(responder, "SRV", "_http._tcp.n%d.vanya", Type.SRV, true, seconds);
        }
    }

    private void fill() {
        final List<RrSet> sets = new ArrayList<>(List.of(soa(1), set("vanya", Type.NS, "ns.vanya"),
                set("ns.vanya", Type.A, "192.0.2.1"), set("*.wild.vanya", Type.A, "192.0.2.2")));
        for (int i = 0; i < NAMES; i++) {
            final String name = "n" + i;
            sets.add(set(name + ".vanya", Type.A, "10.1." + i / 250 + "." + (1 + i % 250)));
            sets.add(set(name + ".vanya", Type.AAAA, "2001:db8::" + Integer.toHexString(i)));
            sets.add(set(name + ".wan.vanya", Type.AAAA, "2001:db8::" + Integer.toHexString(i)));
            sets.add(RrSet.of(name + ".lan.vanya", Type.A, 60, 100_000_000, List.of("10.1." + i / 250 + "." + (1 + i % 250))));
            sets.add(set("c" + i + ".vanya", Type.CNAME, name + ".vanya"));
            sets.add(set("_http._tcp." + name + ".vanya", Type.SRV, "0 0 80 " + name + ".vanya"));
        }
        snapshot = new Snapshot(Catalog.empty().with(List.of(new Catalog.Change(2, sets, List.of()))), Askers.of(List.of()));
    }

    private void changes() {
        final Random random = new Random(1);
        for (int round = 0; round < 3; round++) {
            final long begin = System.nanoTime();
            for (int i = 0; i < CHANGES; i++) {
                final String name = "n" + random.nextInt(NAMES) + ".wan.vanya";
                snapshot = new Snapshot(snapshot.catalog().with(List.of(new Catalog.Change(2,
                        List.of(soa(2 + round * CHANGES + i), set(name, Type.AAAA, "2001:db8:1::" + Integer.toHexString(i))),
                        List.of()))), snapshot.askers());
            }
            System.out.printf("%-20s %8.0f%n", "a change", (System.nanoTime() - begin) / (double) CHANGES);
        }
    }

    private void ask(final Responder responder, final String what, final String pattern, final int type,
            final boolean edns, final double seconds) throws IOException {
        final List<ByteBuffer> queries = new ArrayList<>();
        for (int i = 0; i < QUERIES; i++) {
            final Message query = Message.newQuery(Record.newRecord(
                    Name.fromString(String.format(pattern, (int) (i * 7919L % NAMES)), Name.root), type, DClass.IN));
            if (edns) {
                query.addRecord(new OPTRecord(1232, 0, 0), Section.ADDITIONAL);
            }
            final byte[] octets = query.toWire();
            queries.add(ByteBuffer.allocateDirect(octets.length).put(octets).flip());
        }
        final ByteBuffer out = ByteBuffer.allocateDirect(4096);
        final long begin = System.nanoTime();
        final long end = begin + (long) (seconds * 1e9);
        long asked = 0;
        long octets = 0;
        while (System.nanoTime() < end) {
            for (int i = 0; i < QUERIES; i++) {
                out.position(0);
                if (responder.answerDatagram(queries.get(i), 0x2001_0db8_0000_0000L, i, 1_000, out)) {
                    octets += out.position();
                }
            }
            asked += QUERIES;
        }
        System.out.printf("%-20s %8.1f  (%d octets)%n", what, (System.nanoTime() - begin) / (double) asked, octets / asked);
    }

    private static RrSet soa(final int serial) {
        return set("vanya", Type.SOA, "ns.vanya hostmaster.vanya " + serial + " 600 120 86400 10");
    }

    private static RrSet set(final String name, final int type, final String... data) {
        return RrSet.of(name, type, 60, RrSet.FOR_EVER, List.of(data));
    }
}
