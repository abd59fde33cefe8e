// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/** What the server says, point by point; both ways where a query is plain, by UDP and by TCP. */
class ResponderTest {
    private static final String SOA = "vanya 10 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10";
    private static final String WEB = "web.vanya 60 A 10.0.0.1, web.vanya 60 A 10.0.0.2";
    private static final String NS_ADDRESSES = "ns.vanya 60 A 192.0.2.53, ns.vanya 60 AAAA 2001:db8:0:0:0:0:0:53";
    private static final boolean FAST = true;
    private static final boolean SLOW = false;

    static Stream<Arguments> questions() {
        return Stream.of(
                // there, or not
                arguments("web.vanya", Type.A, FAST, "aa rd NOERROR | " + WEB + " |  | "),
                arguments("WeB.vAnYa", Type.AAAA, FAST, "aa rd NOERROR | web.vanya 60 AAAA fd00:0:0:0:0:0:0:1 |  | "),
                arguments("web.vanya", Type.TXT, FAST, "aa rd NOERROR | web.vanya 60 TXT \"a b\" \"\" c |  | "),
                arguments("web.vanya", Type.MX, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("lan.vanya", Type.A, FAST, "aa rd NOERROR |  | " + SOA + " | "), // an empty non-terminal
                arguments("empty.vanya", Type.A, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("none.vanya", Type.A, FAST, "aa rd NXDOMAIN |  | " + SOA + " | "),
                arguments("a.b.c.none.lan.vanya", Type.A, FAST, "aa rd NXDOMAIN |  | " + SOA + " | "),
                arguments("below.web.vanya", Type.A, FAST, "aa rd NXDOMAIN |  | " + SOA + " | "),
                arguments("xvanya", Type.A, FAST, "rd REFUSED |  |  | "),
                arguments("example", Type.A, FAST, "rd REFUSED |  |  | "),
                arguments("", Type.NS, FAST, "rd REFUSED |  |  | "),
                arguments("in-addr.arpa", Type.PTR, FAST, "rd REFUSED |  |  | "),
                arguments("53.2.0.192.in-addr.arpa", Type.PTR, FAST,
                        "aa rd NOERROR | 53.2.0.192.in-addr.arpa 60 PTR ns.vanya. |  | "),
                // a negative TTL is the smaller of the SOA's and its last number
                arguments("none.local", Type.A, FAST,
                        "aa rd NXDOMAIN |  | local 5 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 | "),
                // the apex
                arguments("vanya", Type.SOA, FAST,
                        "aa rd NOERROR | vanya 60 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 |  | "),
                arguments("vanya", Type.NS, SLOW,
                        "aa rd NOERROR | vanya 60 NS ns.vanya., vanya 60 NS ns.example. |  | " + NS_ADDRESSES),
                arguments("vanya", Type.A, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("vanya", Type.DS, SLOW, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("vanya", Type.DNSKEY, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                // the hosts that are spoken of
                arguments("vanya", Type.MX, FAST,
                        "aa rd NOERROR | vanya 60 MX 10 mail.vanya. |  | mail.vanya 60 A 192.0.2.25"),
                arguments("_http._tcp.web.vanya", Type.SRV, FAST, "aa rd NOERROR | _http._tcp.web.vanya 60 SRV 0 0 80"
                        + " web.vanya. |  | " + WEB + ", web.vanya 60 AAAA fd00:0:0:0:0:0:0:1"),
                // aliases
                arguments("alias.vanya", Type.CNAME, FAST, "aa rd NOERROR | alias.vanya 60 CNAME web.vanya. |  | "),
                arguments("chain.vanya", Type.A, FAST, "aa rd NOERROR | chain.vanya 60 CNAME alias.vanya., "
                        + "alias.vanya 60 CNAME web.vanya., " + WEB + " |  | "),
                arguments("alias.vanya", Type.MX, FAST,
                        "aa rd NOERROR | alias.vanya 60 CNAME web.vanya. | " + SOA + " | "),
                arguments("dangling.vanya", Type.A, FAST,
                        "aa rd NXDOMAIN | dangling.vanya 60 CNAME none.vanya. | " + SOA + " | "),
                arguments("out.vanya", Type.A, FAST, "aa rd NOERROR | out.vanya 60 CNAME www.example. |  | "),
                arguments("tolocal.vanya", Type.A, FAST,
                        "aa rd NOERROR | tolocal.vanya 60 CNAME host.local., host.local 60 A 169.254.0.1 |  | "),
                arguments("self.vanya", Type.A, SLOW, "aa rd NOERROR | self.vanya 60 CNAME self.vanya. |  | "),
                arguments("loop.vanya", Type.A, SLOW,
                        "aa rd NOERROR | loop.vanya 60 CNAME pool.vanya., pool.vanya 60 CNAME loop.vanya. |  | "),
                // wildcards
                arguments("a.b.wild.vanya", Type.A, FAST, "aa rd NOERROR | a.b.wild.vanya 60 A 10.0.0.4 |  | "),
                arguments("a.wild.vanya", Type.AAAA, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("a.wild.vanya", Type.MX, FAST,
                        "aa rd NOERROR | a.wild.vanya 60 MX 5 mail.vanya. |  | mail.vanya 60 A 192.0.2.25"),
                arguments("there.wild.vanya", Type.A, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("a.there.wild.vanya", Type.A, FAST, "aa rd NXDOMAIN |  | " + SOA + " | "),
                arguments("wild.vanya", Type.A, FAST, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("*.wild.vanya", Type.A, FAST, "aa rd NOERROR | *.wild.vanya 60 A 10.0.0.4 |  | "),
                arguments("b.star.vanya", Type.A, FAST,
                        "aa rd NOERROR | b.star.vanya 60 CNAME web.vanya., " + WEB + " |  | "),
                // somebody else's zone
                arguments("sub.vanya", Type.A, SLOW, "rd NOERROR |  | sub.vanya 60 NS ns.sub.vanya., "
                        + "sub.vanya 60 NS ns.vanya. | ns.sub.vanya 60 A 192.0.2.54, " + NS_ADDRESSES),
                arguments("a.sub.vanya", Type.NS, SLOW, "rd NOERROR |  | sub.vanya 60 NS ns.sub.vanya., "
                        + "sub.vanya 60 NS ns.vanya. | ns.sub.vanya 60 A 192.0.2.54, " + NS_ADDRESSES),
                arguments("ns.sub.vanya", Type.A, SLOW, "rd NOERROR |  | sub.vanya 60 NS ns.sub.vanya., "
                        + "sub.vanya 60 NS ns.vanya. | ns.sub.vanya 60 A 192.0.2.54, " + NS_ADDRESSES),
                arguments("sub.vanya", Type.DS, SLOW, "aa rd NOERROR |  | " + SOA + " | "),
                // little to ANY (RFC 8482)
                arguments("web.vanya", Type.ANY, SLOW, "aa rd NOERROR | " + WEB + " |  | "),
                arguments("alias.vanya", Type.ANY, SLOW, "aa rd NOERROR | alias.vanya 60 CNAME web.vanya. |  | "),
                arguments("lan.vanya", Type.ANY, SLOW, "aa rd NOERROR |  | " + SOA + " | "),
                arguments("none.vanya", Type.ANY, SLOW, "aa rd NXDOMAIN |  | " + SOA + " | "),
                // time that is left
                arguments("short.vanya", Type.A, FAST, "aa rd NOERROR | short.vanya 2 A 10.0.0.5 |  | "),
                arguments("over.vanya", Type.A, FAST, "aa rd NOERROR | over.vanya 0 A 10.0.0.6 |  | "),
                arguments("past.vanya", Type.ANY, SLOW, "aa rd NOERROR | past.vanya 0 A 10.0.0.6 |  | "),
                // types that are none
                arguments("web.vanya", Type.AXFR, SLOW, "rd REFUSED |  |  | "),
                arguments("web.vanya", Type.IXFR, SLOW, "rd REFUSED |  |  | "),
                arguments("web.vanya", Type.MAILB, SLOW, "rd NOTIMP |  |  | "),
                arguments("web.vanya", Type.OPT, SLOW, "rd FORMERR |  |  | "),
                arguments("web.vanya", Type.TSIG, SLOW, "rd FORMERR |  |  | "),
                arguments("web.vanya", 128, SLOW, "rd FORMERR |  |  | "),
                arguments("web.vanya", 0, SLOW, "rd FORMERR |  |  | "),
                // by UDP what fits only, but whole sets
                arguments("tobig.vanya", Type.A, SLOW, "aa tc rd NOERROR | tobig.vanya 60 CNAME big.vanya. |  | "),
                arguments("big.vanya", Type.A, SLOW, "aa tc rd NOERROR |  |  | "),
                arguments("mx.vanya", Type.MX, SLOW, "aa rd NOERROR | mx.vanya 60 MX 10 big.vanya. |  | "),
                arguments("a".repeat(63) + ".vanya", Type.A, FAST, "aa rd NXDOMAIN |  | " + SOA + " | "));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("questions")
    void answers(final String name, final int type, final boolean fast, final String expected) {
        for (final String opt : new String[] {null, Packets.OPT, Packets.OPT_DO}) {
            final byte[] query = opt == null ? Packets.query(name, type) : Packets.query(name, type, opt);
            final String said = expected + (opt == null ? "" : " | OPT 1232" + (opt.equals(Packets.OPT) ? "" : " do"));
            if (opt == null || !expected.contains("tc") && !name.equals("mx.vanya")) {
                final Said slow = slow(query, Responder.DATAGRAM_LEAST);
                assertEquals(said, slow.line());
                assertEquals(Packets.ID, slow.message.getHeader().getID());
                assertEquals(said, udp(query).line());
                assertEquals(fast, fast(query) != null, "is it plain?");
            }
            assertTrue(!fast || Arrays.equals(fast(query).octets, udp(query).octets), "it is that way it goes");
        }
        if (!expected.contains("tc") && !name.equals("mx.vanya")) {
            assertEquals(expected, tcp(Packets.query(name, type)).line());
        }
        final byte[] asked = Packets.question(name, type, 1);
        assertArrayEquals(asked, Arrays.copyOfRange(udp(Packets.query(name, type)).octets, 12, 12 + asked.length),
                "the question as it came");
    }

    @Test
    void aliasesAreBounded() {
        final Said said = udp(Packets.query("c0.vanya", Type.A, Packets.OPT));
        assertEquals(Lookup.ALIASES_MOST + 1, said.section(Section.ANSWER).size());
        assertEquals(0, said.rcode());
    }

    @Test
    void whatDoesNotFitByUdpDoesByTcp() {
        assertEquals(60, tcp(Packets.query("big.vanya", Type.A)).section(Section.ANSWER).size());
        assertEquals(60, tcp(Packets.query("mx.vanya", Type.MX, Packets.OPT)).section(Section.ADDITIONAL).size());
        assertEquals(60, udp(Packets.query("big.vanya", Type.A, Packets.OPT)).section(Section.ANSWER).size(), "1232 are enough");
        assertEquals(6, tcp(Packets.query("huge.vanya", Type.TXT)).section(Section.ANSWER).size());
        final Said cut = udp(Packets.query("huge.vanya", Type.TXT, "00 0029 1000 00 00 0000 0000"));
        assertEquals("aa tc rd NOERROR |  |  |  | OPT 1232", cut.line(), "4096 are more than we send");
        assertTrue(udp(Packets.query("long.vanya", Type.TXT, "00 0029 ffff 00 00 0000 0000")).has(Flags.TC), "1232 with all");
    }

    @Test
    void moreThan1232OctetsAreNotSent() {
        final String much = "00 0029 ffff 00 00 0000 0000";
        final byte[] query = Packets.query("tonear.vanya", Type.TXT, much);
        assertTrue(fast(Packets.query("near.vanya", Type.TXT, much)).octets.length > 1_180, "that fits");
        assertEquals("aa tc rd NOERROR | tonear.vanya 60 CNAME near.vanya. |  |  | OPT 1232", udp(query).line());
        assertFalse(tcp(query).has(Flags.TC));
    }

    /** RFC 9471: without the glue nobody finds the way, so its lack has to be said. */
    @Test
    void missingGlueIsSaid() {
        final byte[] query = Packets.query("a.deep.vanya", Type.A);
        assertEquals("tc rd NOERROR |  | deep.vanya 60 NS ns.deep.vanya. | ", udp(query).line());
        assertEquals(60, tcp(query).section(Section.ADDITIONAL).size());
    }

    @Test
    void theSizeIsAtLeast512() {
        assertEquals("aa rd NOERROR | _http._tcp.web.vanya 60 SRV 0 0 80 web.vanya. |  | " + WEB
                + ", web.vanya 60 AAAA fd00:0:0:0:0:0:0:1 | OPT 1232",
                udp(Packets.query("_http._tcp.web.vanya", Type.SRV, "00 0029 0000 00 00 0000 0000")).line());
    }

    @Test
    void theRoomForAnAnswerIsKept() {
        final ByteBuffer out = ByteBuffer.allocate(40);
        assertTrue(Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(Packets.query("web.vanya", Type.A)), Vanya.VIEW, Vanya.NOW, out));
        assertEquals("aa tc rd NOERROR |  |  | ", new Said(Arrays.copyOf(out.array(), out.position())).line());
        assertFalse(Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(Packets.query("web.vanya", Type.A)), Vanya.VIEW, Vanya.NOW,
                ByteBuffer.allocate(20)), "no room for the question: no reply");
    }

    @Test
    void theAddressTellsTheView() {
        final byte[] query = Packets.query("web.vanya", Type.A);
        final ByteBuffer out = ByteBuffer.allocate(512);
        Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(query), 0, 0xffff_0a00_0001L, Vanya.NOW, out);
        assertEquals(2, new Said(Arrays.copyOf(out.array(), out.position())).section(Section.ANSWER).size());
        assertEquals("rd REFUSED |  |  | ", new Said(
                Vanya.RESPONDER.answerStream(query, 0x2001_0db8_0000_0000L, 1, Vanya.NOW).next()).line());
    }

    @Test
    void classes() {
        final String chaos = "aa rd NOERROR | version.bind 0 TXT \"ontap \\\"1\\\"\" |  | ";
        assertEquals(chaos, udp(classed("version.bind", Type.TXT, 3)).line());
        assertEquals(chaos.replace("bind", "server"), udp(classed("Version.Server", Type.ANY, 3)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("version.bind", Type.A, 3)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("hostname.bind", Type.TXT, 3)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("web.vanya", Type.A, 3)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("web.vanya", Type.A, 4)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("web.vanya", Type.A, 0)).line());
        assertEquals("rd REFUSED |  |  | ", udp(classed("web.vanya", Type.A, 0x8001)).line());
        assertEquals("rd NOERROR | " + WEB + " |  | ", udp(classed("web.vanya", Type.A, 255)).line(), "ANY, but without AA");
        final Responder silent = new Responder(() -> Vanya.SNAPSHOT, new Responder.Options(null));
        assertEquals("rd REFUSED |  |  | ",
                new Said(silent.answerStream(classed("version.bind", Type.TXT, 3), Vanya.VIEW, 0).next()).line());
    }

    private static byte[] classed(final String name, final int type, final int dclass) {
        return Packets.message(Packets.RD, 1, 0, 0, 0, Packets.question(name, type, dclass));
    }

    /** The answer that dnsjava makes. */
    static Said slow(final byte[] query, final int least) {
        return new Said(Vanya.RESPONDER.answer(query, Vanya.CATALOG.contents(Vanya.VIEW), Vanya.NOW, least, 65_535));
    }

    /** The answer of the fast path; null: it has none. */
    static Said fast(final byte[] query) {
        final ByteBuffer out = ByteBuffer.allocateDirect(2_000);
        final int length = FastPath.answer(ByteBuffer.allocateDirect(query.length).put(query).flip(),
                Vanya.CATALOG.contents(Vanya.VIEW), Vanya.NOW, Responder.DATAGRAM_LEAST, out);
        final byte[] octets = new byte[length];
        out.get(0, octets);
        return length == FastPath.NOT_PLAIN ? null : new Said(octets);
    }

    static Said udp(final byte[] query) {
        final ByteBuffer out = ByteBuffer.allocate(4_096);
        assertTrue(Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(query), Vanya.VIEW, Vanya.NOW, out), "there is an answer");
        return new Said(Arrays.copyOf(out.array(), out.position()));
    }

    static Said tcp(final byte[] query) {
        return new Said(Vanya.RESPONDER.answerStream(query, Vanya.VIEW, Vanya.NOW).next());
    }
}
