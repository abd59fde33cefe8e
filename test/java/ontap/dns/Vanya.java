// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.xbill.DNS.Type;

/** A zone that has something of everything, and how it answers. */
final class Vanya {
    /** CLOCK_BOOTTIME of the tests. */
    static final long NOW = 50_000;
    /** Any name of ours is of this view, others see nothing. */
    static final int VIEW = 0;

    static final Catalog CATALOG = Catalog.empty().with(List.of(new Catalog.Change(VIEW, sets(), List.of())));
    static final Snapshot SNAPSHOT =
            new Snapshot(CATALOG, Askers.of(List.of(new Askers.Rule(new byte[4], 0, VIEW))));
    static final Responder RESPONDER = new Responder(() -> SNAPSHOT, new Responder.Options("ontap \"1\""));

    private Vanya() {
    }

    private static List<RrSet> sets() {
        final List<RrSet> sets = new ArrayList<>(List.of(
                set("vanya", Type.SOA, "ns.vanya hostmaster.vanya 7 600 120 86400 10"),
                set("vanya", Type.NS, "ns.vanya", "ns.example"),
                set("vanya", Type.MX, "10 mail.vanya"),
                set("ns.vanya", Type.A, "192.0.2.53"),
                set("ns.vanya", Type.AAAA, "2001:db8::53"),
                set("mail.vanya", Type.A, "192.0.2.25"),
                set("web.vanya", Type.A, "10.0.0.1", "10.0.0.2"),
                set("web.vanya", Type.AAAA, "fd00::1"),
                set("web.vanya", Type.TXT, "\"a b\" \"\" \"c\""),
                set("_http._tcp.web.vanya", Type.SRV, "0 0 80 web.vanya"),
                set("x.lan.vanya", Type.A, "10.0.0.3"),
                set("alias.vanya", Type.CNAME, "web.vanya"),
                set("chain.vanya", Type.CNAME, "alias.vanya"),
                set("out.vanya", Type.CNAME, "www.example"),
                set("dangling.vanya", Type.CNAME, "none.vanya"),
                set("self.vanya", Type.CNAME, "self.vanya"),
                set("loop.vanya", Type.CNAME, "pool.vanya"),
                set("pool.vanya", Type.CNAME, "loop.vanya"),
                set("tolocal.vanya", Type.CNAME, "host.local"),
                set("*.wild.vanya", Type.A, "10.0.0.4"),
                set("*.wild.vanya", Type.MX, "5 mail.vanya"),
                set("there.wild.vanya", Type.TXT, "there"),
                set("*.star.vanya", Type.CNAME, "web.vanya"),
                set("sub.vanya", Type.NS, "ns.sub.vanya", "ns.vanya"),
                set("ns.sub.vanya", Type.A, "192.0.2.54"),
                set("empty.vanya", RrSet.NOTHING),
                RrSet.of("short.vanya", Type.A, 60, NOW + 2_999, List.of("10.0.0.5")),
                RrSet.of("over.vanya", Type.A, 60, NOW + 999, List.of("10.0.0.6")),
                RrSet.of("past.vanya", Type.A, 60, NOW - 10_000, List.of("10.0.0.6")),
                RrSet.of("past.vanya", Type.AAAA, 60, RrSet.FOR_EVER, List.of("fd00::6")),
                RrSet.of("local", Type.SOA, 5, RrSet.FOR_EVER, List.of("ns.vanya hostmaster.vanya 7 600 120 86400 10")),
                set("host.local", Type.A, "169.254.0.1"),
                set("2.0.192.in-addr.arpa", Type.SOA, "ns.vanya hostmaster.vanya 7 600 120 86400 10"),
                set("53.2.0.192.in-addr.arpa", Type.PTR, "ns.vanya")));
        for (int i = 0; i < 20; i++) {
            sets.add(set("c" + i + ".vanya", Type.CNAME, "c" + (i + 1) + ".vanya"));
        }
        final List<String> many = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            many.add("10.9.0." + i);
        }
        sets.add(set("big.vanya", Type.A, many.toArray(String[]::new)));
        sets.add(set("tobig.vanya", Type.CNAME, "big.vanya"));
        sets.add(set("huge.vanya", Type.TXT, IntStream.range(0, 6).mapToObj(i -> "\"" + i + "x".repeat(250) + "\"")
                .toArray(String[]::new)));
        sets.add(set("long.vanya", Type.TXT, ("\"" + "x".repeat(250) + "\" ").repeat(5)));
        // fits into 1232 octets alone, but not behind an alias
        sets.add(set("near.vanya", Type.TXT, ("\"" + "x".repeat(232) + "\" ").repeat(5)));
        sets.add(set("tonear.vanya", Type.CNAME, "near.vanya"));
        sets.add(set("deep.vanya", Type.NS, "ns.deep.vanya"));
        sets.add(set("ns.deep.vanya", Type.A, many.toArray(String[]::new)));
        sets.add(set("mx.vanya", Type.MX, "10 big.vanya"));
        return sets;
    }

    private static RrSet set(final String name, final int type, final String... data) {
        return RrSet.of(name, type, 60, RrSet.FOR_EVER, List.of(data));
    }
}
