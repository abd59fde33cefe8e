// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static ontap.dns.Packets.OPT;
import static ontap.dns.Packets.cut;
import static ontap.dns.Packets.hex;
import static ontap.dns.Packets.message;
import static ontap.dns.Packets.name;
import static ontap.dns.Packets.query;
import static ontap.dns.Packets.question;
import static ontap.dns.Packets.with;
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

/** Messages that are not as they should be, or only look so: what each of them gets. */
class MalformedTest {
    private static final String NOTHING = null;
    private static final String GOOD = "aa rd NOERROR | web.vanya 60 AAAA fd00:0:0:0:0:0:0:1 |  | ";
    private static final String GOOD_EDNS = GOOD + " | OPT 1232";
    private static final String FORMERR = "rd FORMERR |  |  | ";
    private static final String REFUSED = "rd REFUSED |  |  | ";
    private static final int AAAA = 28;
    private static final int HEADER = 12;
    private static final byte[] QUESTION = question("web.vanya", AAAA, 1);
    private static final byte[] WEB = query("web.vanya", AAAA);
    private static final String LABEL = "a".repeat(63);
    /** An A record of the question's name. */
    private static final String RECORD = "c00c 0001 0001 0000003c 0004 0a000001";

    static Stream<Arguments> packets() {
        return Stream.of(headers(), questions(), records(), options(), opcodes()).flatMap(rows -> rows);
    }

    private static Stream<Arguments> headers() {
        return Stream.of(
                arguments("nothing", new byte[0], NOTHING),
                arguments("one octet", new byte[1], NOTHING),
                arguments("a header but for one octet", Arrays.copyOf(WEB, 11), NOTHING),
                arguments("eleven octets of ones", hex("ff".repeat(11)), NOTHING),
                arguments("an answer", with(WEB, 2, 0x80), NOTHING),
                arguments("an answer with all flags", with(with(WEB, 2, 0xff), 3, 0xff), NOTHING),
                arguments("half of an answer", cut(with(WEB, 2, 0x81), 5), NOTHING),
                arguments("a header of ones", hex("ff".repeat(12)), NOTHING),
                arguments("a header of zeros", new byte[HEADER], "FORMERR |  |  | "),
                arguments("a header that speaks of a question", message(Packets.RD, 1, 0, 0, 0), FORMERR),
                arguments("no question, and none said", message(Packets.RD, 0, 0, 0, 0), FORMERR),
                arguments("no question said, but one there", message(Packets.RD, 0, 0, 0, 0, QUESTION), FORMERR),
                arguments("no question, but an OPT", message(Packets.RD, 0, 0, 0, 1, hex(OPT)), FORMERR),
                arguments("two questions", message(Packets.RD, 2, 0, 0, 0, QUESTION, QUESTION), FORMERR),
                arguments("two questions said, one there", message(Packets.RD, 2, 0, 0, 0, QUESTION), FORMERR),
                arguments("65535 questions said", message(Packets.RD, 0xffff, 0, 0, 0, QUESTION), FORMERR),
                arguments("TC, AA, RA, AD, CD, Z and a code in a query mean nothing",
                        message(0x07ff, 1, 0, 0, 0, QUESTION), GOOD),
                arguments("a bit of Z", message(0x0140, 1, 0, 0, 0, QUESTION), GOOD),
                arguments("without RD", message(0, 1, 0, 0, 0, QUESTION), GOOD.replace("rd ", "")));
    }

    private static Stream<Arguments> questions() {
        return Stream.of(
                arguments("a label that ends behind the message", message(Packets.RD, 1, 0, 0, 0, hex("3f 61")), FORMERR),
                arguments("a name without its end", message(Packets.RD, 1, 0, 0, 0, hex("03 776562")), FORMERR),
                arguments("a name and no type", cut(WEB, 4), FORMERR),
                arguments("half a type", cut(WEB, 3), FORMERR),
                arguments("a type and no class", cut(WEB, 2), FORMERR),
                arguments("half a class", cut(WEB, 1), FORMERR),
                arguments("a label of 63", query(LABEL + ".vanya", AAAA),
                        "aa rd NXDOMAIN |  | vanya 10 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 | "),
                arguments("a label of 64, which is of a type that there is not", query("a" + LABEL, AAAA), FORMERR),
                arguments("a label of type 10", with(WEB, HEADER, 0x83), FORMERR),
                arguments("a label of type 01", with(WEB, HEADER, 0x41), FORMERR),
                arguments("a name of 255 octets", query(LABEL + "." + LABEL + "." + LABEL + "." + "a".repeat(61), AAAA), REFUSED),
                arguments("a name of 256", query(LABEL + "." + LABEL + "." + LABEL + "." + "a".repeat(62), AAAA), FORMERR),
                arguments("a name of 127 labels", query("a.".repeat(126) + "a", AAAA), REFUSED),
                arguments("a name of 128 labels", query("a.".repeat(127) + "a", AAAA), FORMERR),
                arguments("a name of 1000 labels", query("a.".repeat(999) + "a", AAAA), FORMERR),
                arguments("a name that is a pointer to itself", pointing("c00c"), FORMERR),
                arguments("a name that is a pointer into the header", pointing("c000"), FORMERR),
                arguments("a name that is a pointer ahead", pointing("c010"), FORMERR),
                arguments("a name that is a pointer behind the end", pointing("ffff"), FORMERR),
                arguments("half a pointer", message(Packets.RD, 1, 0, 0, 0, hex("c0")), FORMERR),
                arguments("labels and a pointer back to them", pointing("03 776562 c00c"), FORMERR),
                arguments("zeros within a label", message(Packets.RD, 1, 0, 0, 0, hex("03 000000 05 76616e7961 00 001c 0001")),
                        "aa rd NXDOMAIN |  | vanya 10 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 | "),
                arguments("a dot within a label", message(Packets.RD, 1, 0, 0, 0, hex("09 7765622e76616e7961 00 001c 0001")), REFUSED),
                arguments("letters beyond ASCII", message(Packets.RD, 1, 0, 0, 0, hex("03 ffdfc1 05 76616e7961 00 001c 0001")),
                        "aa rd NXDOMAIN |  | vanya 10 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 | "),
                arguments("what is beside the letters is no letter: @[`{", query("@[`{.vanya", AAAA),
                        "aa rd NXDOMAIN |  | vanya 10 SOA ns.vanya. hostmaster.vanya. 7 600 120 86400 10 | "),
                arguments("the root", query("", AAAA), REFUSED));
    }

    private static byte[] pointing(final String name) {
        return message(Packets.RD, 1, 0, 0, 0, hex(name + " 001c 0001"));
    }

    private static Stream<Arguments> records() {
        return Stream.of(
                arguments("one octet too many", message(Packets.RD, 1, 0, 0, 0, QUESTION, new byte[1]), FORMERR),
                arguments("a question too many", message(Packets.RD, 1, 0, 0, 0, QUESTION, QUESTION), FORMERR),
                arguments("an OPT that is not counted", message(Packets.RD, 1, 0, 0, 0, QUESTION, hex(OPT)), FORMERR),
                arguments("an octet behind the OPT", query("web.vanya", AAAA, OPT + "00"), FORMERR),
                arguments("an additional record said and not there", message(Packets.RD, 1, 0, 0, 1, QUESTION), FORMERR),
                arguments("65535 of each said", message(Packets.RD, 1, 0xffff, 0xffff, 0xffff, QUESTION), FORMERR),
                arguments("an answer in the query", message(Packets.RD, 1, 1, 0, 0, QUESTION, hex(RECORD)), GOOD),
                arguments("an authority in the query", message(Packets.RD, 1, 0, 1, 0, QUESTION, hex(RECORD)), GOOD),
                arguments("one of each", message(Packets.RD, 1, 1, 1, 2, QUESTION, hex(RECORD), hex(RECORD), hex(RECORD), hex(OPT)),
                        GOOD_EDNS),
                arguments("an answer cut in its head", cut(message(Packets.RD, 1, 1, 0, 0, QUESTION, hex(RECORD)), 5), FORMERR),
                arguments("an answer cut in its data", cut(message(Packets.RD, 1, 1, 0, 0, QUESTION, hex(RECORD)), 1), FORMERR),
                arguments("an answer whose name is cut", message(Packets.RD, 1, 1, 0, 0, QUESTION, hex("c0")), FORMERR),
                arguments("data that is said to be longer than the message",
                        message(Packets.RD, 1, 1, 0, 0, QUESTION, hex("c00c 0001 0001 0000003c ffff 0a000001")), FORMERR),
                arguments("an A of three octets is not ours to judge",
                        message(Packets.RD, 1, 1, 0, 0, QUESTION, hex("c00c 0001 0001 0000003c 0003 0a0000")), GOOD),
                arguments("nor is a record whose name points nowhere",
                        message(Packets.RD, 1, 1, 0, 0, QUESTION, hex("ffff 0001 0001 0000003c 0000")), GOOD),
                arguments("a record with a name of a type that there is not",
                        message(Packets.RD, 1, 1, 0, 0, QUESTION, hex("40 0001 0001 0000003c 0000")), FORMERR),
                arguments("a TSIG is passed over here", query("web.vanya", AAAA, OPT,
                        "03 6b6579 00 00fa 00ff 00000000 0000"), GOOD_EDNS));
    }

    private static Stream<Arguments> options() {
        return Stream.of(
                arguments("an OPT", query("web.vanya", AAAA, OPT), GOOD_EDNS),
                arguments("an OPT behind another record", query("web.vanya", AAAA, RECORD, OPT), GOOD_EDNS),
                arguments("an OPT before another record", query("web.vanya", AAAA, OPT, RECORD), GOOD_EDNS),
                arguments("two of them", query("web.vanya", AAAA, OPT, OPT), FORMERR),
                arguments("two with a record between", query("web.vanya", AAAA, OPT, RECORD, OPT), FORMERR),
                arguments("one as an answer", message(Packets.RD, 1, 1, 0, 0, QUESTION, hex(OPT)), FORMERR),
                arguments("one as an authority", message(Packets.RD, 1, 0, 1, 0, QUESTION, hex(OPT)), FORMERR),
                arguments("one, where two are said", message(Packets.RD, 1, 0, 0, 2, QUESTION, hex(OPT)), FORMERR),
                arguments("one, where three are said", message(Packets.RD, 1, 0, 0, 3, QUESTION, hex(OPT)), FORMERR),
                arguments("one of a name", query("web.vanya", AAAA, "c00c 0029 04d0 00 00 0000 0000"), FORMERR),
                arguments("cut in its head", cut(query("web.vanya", AAAA, OPT), 1), FORMERR),
                arguments("version 1", query("web.vanya", AAAA, "00 0029 04d0 00 01 0000 0000"),
                        "rd BADVERS |  |  |  | OPT 1232"),
                arguments("version 255, DO", query("web.vanya", AAAA, "00 0029 04d0 00 ff 8000 0000"),
                        "rd BADVERS |  |  |  | OPT 1232 do"),
                arguments("version 1 where nothing is ours", query("example", AAAA, "00 0029 04d0 00 01 0000 0000"),
                        "rd BADVERS |  |  |  | OPT 1232"),
                arguments("a code in the OPT of a query", query("web.vanya", AAAA, "00 0029 04d0 ff 00 0000 0000"), GOOD_EDNS),
                arguments("DO", query("web.vanya", AAAA, Packets.OPT_DO), GOOD_EDNS + " do"),
                arguments("DO with CO and all others", query("web.vanya", AAAA, "00 0029 04d0 00 00 ffff 0000"), GOOD_EDNS + " do"),
                arguments("CO (RFC 9824)", query("web.vanya", AAAA, "00 0029 04d0 00 00 4000 0000"), GOOD_EDNS),
                arguments("a cookie", optioned("0010 0000 000a 0008 0102030405060708"), FORMERR), // lengths that do not match
                arguments("a cookie as it should be", optioned("000c 000a 0008 0102030405060708"), GOOD_EDNS),
                arguments("a cookie of one octet is an option unknown to us", optioned("0005 000a 0001 01"), GOOD_EDNS),
                arguments("options unknown to us", optioned("000d fde9 0000 ffff 0005 0102030405"), GOOD_EDNS),
                arguments("a client subnet that is none", optioned("0006 0008 0002 ffff"), GOOD_EDNS),
                arguments("an option longer than the OPT", optioned("0004 fde9 0001"), FORMERR),
                arguments("an option longer than any message", optioned("0004 fde9 ffff"), FORMERR),
                arguments("half an option's head", optioned("0003 fde900"), FORMERR),
                arguments("an OPT longer than the message", optioned("0004 fde9"), FORMERR),
                arguments("an OPT shorter than what is there", optioned("0000 fde9 0000"), FORMERR));
    }

    private static byte[] optioned(final String lengthAndOptions) {
        return query("web.vanya", AAAA, "00 0029 04d0 00 00 0000 " + lengthAndOptions);
    }

    private static Stream<Arguments> opcodes() {
        return Stream.of(
                arguments("IQUERY", message(0x0900, 0, 1, 0, 0, hex(RECORD.replace("c00c", "00"))), "rd NOTIMP |  |  | "),
                arguments("STATUS", message(0x1000, 1, 0, 0, 0, QUESTION), "NOTIMP |  |  | "),
                arguments("an opcode that is none", message(0x1900, 1, 0, 0, 0, QUESTION), "rd NOTIMP |  |  | "),
                arguments("NOTIFY", message(0x2400, 1, 0, 0, 0, question("vanya", 6, 1)), "NOTIMP |  |  | "),
                arguments("UPDATE", message(0x2800, 1, 0, 1, 0, question("vanya", 6, 1), hex(RECORD)), "NOTIMP |  |  | "),
                arguments("UPDATE with an OPT", message(0x2800, 1, 0, 0, 1, question("vanya", 6, 1), hex(OPT)),
                        "NOTIMP |  |  |  | OPT 1232"),
                arguments("DSO, which has no question (RFC 8490)", message(0x3000, 0, 0, 0, 0, hex("0001 0008 00003a98 00003a98")),
                        "NOTIMP |  |  | "),
                arguments("opcode 15 and garbage", message(0x7900, 7, 7, 7, 7, hex("ffffffff")), "rd NOTIMP |  |  | "),
                arguments("an answer to an opcode that is none", message(0x9900, 1, 0, 0, 0, QUESTION), NOTHING));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("packets")
    void gets(final String what, final byte[] packet, final String expected) {
        final ByteBuffer out = ByteBuffer.allocate(4_096);
        final boolean answered = Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(packet), Vanya.VIEW, Vanya.NOW, out);
        assertEquals(expected != NOTHING, answered, "is there an answer?");
        assertEquals(answered, Vanya.RESPONDER.answerStream(packet, Vanya.VIEW, Vanya.NOW).hasNext(), "by TCP the same");
        if (answered) {
            final Said said = new Said(Arrays.copyOf(out.array(), out.position()));
            assertEquals(expected, said.line());
            assertEquals(packet[0] << 8 | packet[1] & 0xff, (short) said.message.getHeader().getID(), "the id");
            assertEquals(packet[2] >> 3 & 0xf, said.message.getHeader().getOpcode(), "the opcode");
            assertEquals(expected, ResponderTest.tcp(packet).line());
            assertEquals(expected, ResponderTest.slow(packet, Responder.DATAGRAM_LEAST).line(), "dnsjava's way");
        }
        if (expected != NOTHING && !expected.contains("FORMERR") && !expected.contains("NOTIMP")) {
            assertEquals(1, ResponderTest.udp(packet).message.getSection(0).size(), "the question is in the answer");
        }
    }

    /** Cut at each octet, it is answered as a mistake, or not at all. */
    @Test
    void cutAnywhere() {
        final byte[] whole = query("web.vanya", AAAA, RECORD, "00 0029 04d0 00 00 8000 000c 000a 0008 0102030405060708");
        assertEquals(GOOD_EDNS + " do", ResponderTest.udp(whole).line());
        for (int length = 0; length < whole.length; length++) {
            final byte[] packet = Arrays.copyOf(whole, length);
            final ByteBuffer out = ByteBuffer.allocate(4_096);
            final boolean answered = Vanya.RESPONDER.answerDatagram(ByteBuffer.wrap(packet), Vanya.VIEW, Vanya.NOW, out);
            assertEquals(length >= HEADER, answered, "with " + length + " octets");
            if (answered) {
                assertEquals(FORMERR, new Said(Arrays.copyOf(out.array(), out.position())).line());
            }
        }
    }

    @Test
    void theBufferMayLieAnywhere() {
        for (int before = 0; before < 20; before++) {
            final ByteBuffer in = ByteBuffer.allocate(before + WEB.length + 3).position(before).put(WEB)
                    .limit(before + WEB.length).position(before).asReadOnlyBuffer();
            final ByteBuffer out = ByteBuffer.allocate(before + 600).position(before);
            assertTrue(Vanya.RESPONDER.answerDatagram(in, Vanya.VIEW, Vanya.NOW, out));
            assertEquals(GOOD, new Said(Arrays.copyOfRange(out.array(), before, out.position())).line());
            assertFalse(Vanya.RESPONDER.answerDatagram(in.limit(before + 11), Vanya.VIEW, Vanya.NOW, out));
        }
    }

    @Test
    void thereAreManyOfThem() {
        assertTrue(packets().count() >= 60, "rows: " + packets().count());
        assertEquals(name("web.vanya").length + 4, QUESTION.length);
    }
}
