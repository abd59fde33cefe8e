// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static ontap.mdns.Packets.NAMES;
import static ontap.mdns.Packets.PROBE;
import static ontap.mdns.Packets.QUERY;
import static ontap.mdns.Packets.SERVICE;
import static ontap.mdns.Packets.WIKI;
import static ontap.mdns.Packets.hex;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Bytes written by hand, and what they say. */
class MessageReaderTest {
    private static final String RESPONSE = "0000 8400 0000 0001 0000 0000";
    private static final String SIX = "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa.";
    private static final String RECORD = WIKI + "0001 0001 00000078 0004 0a000005";

    static Stream<Arguments> messages() {
        return Stream.of(
                arguments(QUERY, "0 0000 | wiki.local. 255 1 |  |  | "),
                arguments(PROBE, "0 0000 | wiki.local. 255 1 QU |  | wiki.local. 1 1 120 0a000005 | "),
                arguments(SERVICE, "0 8400 |  | _http._tcp.local. 12 1 4500 0457696b69055f68747470045f746370056c6f63616c00 |  | "
                        + "Wiki._http._tcp.local. 33 1 flush 120 0000000000500477696b69056c6f63616c00, "
                        + "Wiki._http._tcp.local. 16 1 flush 4500 06706174683d2f, "
                        + "wiki.local. 1 1 flush 120 0a000005, "
                        + "wiki.local. 47 1 flush 120 0477696b69056c6f63616c00000140"),
                arguments("1234 0200 0000 0000 0000 0000", "4660 0200 |  |  |  | "),
                arguments("0000 0000 0001 0000 0000 0000 00 0001 0001", "0 0000 |  1 1 |  |  | "),
                arguments("0000 0000 0001 0000 0000 0000 02c3bc 00 0001 0001", "0 0000 | \\195\\188. 1 1 |  |  | "),
                // a type that nobody knows is kept as it is; what looks like a pointer in it is none
                arguments(RESPONSE + WIKI + "ff01 0001 00000078 0002 c00c", "0 8400 |  | wiki.local. 65281 1 120 c00c |  | "),
                // RFC 2181 section 8: a TTL with its top bit set is 0
                arguments(RESPONSE + WIKI + "0001 0001 80000078 0004 0a000005", "0 8400 |  | wiki.local. 1 1 0 0a000005 |  | "),
                // RFC 6891: the class of OPT is a size
                arguments("0000 0000 0000 0000 0000 0001 00 0029 ffff 00000000 0000", "0 0000 |  |  |  |  41 65535 0 "),
                arguments(RESPONSE + WIKI + "0006 0001 00000078 0018 c00c c00c 0000000100000002000000030000000400000005",
                        "0 8400 |  | wiki.local. 6 1 120 " + WIKI + WIKI + "0000000100000002000000030000000400000005 |  | "),
                arguments(NAMES, "0 8400 |  | "
                        + "wiki.local. 2 1 120 0477696b69056c6f63616c00"
                        + ", wiki.local. 5 1 120 0161056c6f63616c00"
                        + ", wiki.local. 6 1 120 0162056c6f63616c000163056c6f63616c000000000100000002000000030000000400000005"
                        + ", wiki.local. 12 1 120 0164056c6f63616c00"
                        + ", wiki.local. 15 1 120 000a0165056c6f63616c00"
                        + ", wiki.local. 17 1 120 0166056c6f63616c000167056c6f63616c00"
                        + ", wiki.local. 18 1 120 00010168056c6f63616c00"
                        + ", wiki.local. 21 1 120 000a0169056c6f63616c00"
                        + ", wiki.local. 26 1 120 000a016a056c6f63616c00016b056c6f63616c00"
                        + ", wiki.local. 33 1 120 000000000050016c056c6f63616c00"
                        + ", wiki.local. 36 1 120 000a016d056c6f63616c00"
                        + ", wiki.local. 39 1 120 016e056c6f63616c00"
                        + ", wiki.local. 47 1 120 016f056c6f63616c00000140"
                        + ", wiki.local. 16 1 120 03c00c00"
                        + ", wiki.local. 46 1 120 00010d0200000078000000000000000000000477696b69056c6f63616c00ffff"
                        + ", wiki.local. 65280 1 120 0477696bc011" + " |  | "),
                arguments(Packets.AVAHI_HOST, "0 8400 |  | web.local. 28 1 flush 120 fd770000000000000000000000000011, "
                        + "web.local. 1 1 flush 120 0a4d000b |  | "),
                arguments(Packets.AVAHI_PROBE, "0 0000 | " + SIX + " 255 1, web.local. 255 1, 11.0.77.10.in-addr.arpa. 255 1 |  | "
                        + "web.local. 1 1 120 0a4d000b, 11.0.77.10.in-addr.arpa. 12 1 120 03776562056c6f63616c00, "
                        + "web.local. 28 1 120 fd770000000000000000000000000011, " + SIX + " 12 1 120 03776562056c6f63616c00 | "),
                arguments(Packets.AVAHI_SERVICE, "0 8400 |  | Avahi\\044\\032web._http._tcp.local. 16 1 flush 4500 06706174683d2f, "
                        + "_http._tcp.local. 12 1 4500 0a41766168692c20776562055f68747470045f746370056c6f63616c00, "
                        + "Avahi\\044\\032web._http._tcp.local. 33 1 flush 120 00000000005003776562056c6f63616c00, "
                        + "web.local. 28 1 flush 120 fd770000000000000000000000000011, web.local. 1 1 flush 120 0a4d000b, "
                        + "_services._dns-sd._udp.local. 12 1 4500 055f68747470045f746370056c6f63616c00 |  | "),
                arguments(Packets.RESOLVED_PROBE, "0 0000 | web9._http._tcp.local. 255 1, web9.local. 255 1 |  | "
                        + "web9._http._tcp.local. 16 1 flush 120 07706174683d2f72, "
                        + "web9._http._tcp.local. 33 1 flush 120 0000000000510477656239056c6f63616c00, "
                        + "web9.local. 28 1 flush 120 fe80000000000000b02d16fffefcd05b, "
                        + "web9.local. 28 1 flush 120 fd770000000000000000000000000012 | "),
                arguments(RESPONSE + WIKI + "000f 0001 00000078 0004 000a c00c", "0 8400 |  | wiki.local. 15 1 120 000a" + WIKI + " |  | "),
                arguments(RESPONSE + RECORD + "c00c", "0 8400 |  | wiki.local. 1 1 120 0a000005 |  | "));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void says(final String bytes, final String words) {
        final byte[] message = hex(bytes);
        assertEquals(words, Packets.words(MessageReader.read(message, message.length)));
        assertEquals(words, Packets.words(MessageReader.read(Arrays.copyOf(message, message.length + 7), message.length)),
                "what stands behind the datagram is not read");
    }

    static Stream<Arguments> none() {
        final String question = "0000 0000 0001 0000 0000 0000";
        return Stream.of(
                arguments("a pointer to itself", question + "c00c 0001 0001"),
                arguments("a pointer forward", question + "c010 0001 0001 00"),
                arguments("two pointers to one another", question + "c00e c00c 0001 0001"),
                arguments("a pointer into the header", question + "c000 0001 0001"),
                arguments("a label and a pointer back to it", question + "0161 c00c 0001 0001"),
                arguments("a label of an unknown kind", question + "41 61 00 0001 0001"),
                arguments("another", question + "80 61 00 0001 0001"),
                arguments("a name of 257 bytes", question + ("3f" + "61".repeat(63)).repeat(4) + "00 0001 0001"),
                arguments("half a pointer at the end", question + "c0"),
                arguments("more questions than there are", "0000 0000 ffff 0000 0000 0000" + WIKI + "0001 0001"),
                arguments("more records than there are", "0000 8400 0000 ffff 0000 0000" + RECORD),
                arguments("data beyond the end", RESPONSE + WIKI + "0001 0001 00000078 0005 0a000005"),
                arguments("a PTR without a name", RESPONSE + WIKI + "000c 0001 00000078 0000"),
                arguments("a PTR whose name goes on", RESPONSE + WIKI + "000c 0001 00000078 0003 0477696b6900"),
                arguments("an SRV that is cut", RESPONSE + WIKI + "0021 0001 00000078 0005 0000000000"),
                arguments("a PTR with more than a name", RESPONSE + WIKI + "000c 0001 00000078 0003 c00c 00"),
                arguments("an SOA that is cut", RESPONSE + WIKI + "0006 0001 00000078 0017 c00c c00c " + "00".repeat(19)),
                arguments("an SOA of which a name is missing", RESPONSE + WIKI + "0006 0001 00000078 0016 c00c " + "00".repeat(20)),
                arguments("an MX without a name", RESPONSE + WIKI + "000f 0001 00000078 0002 000a"),
                arguments("an MX of one byte", RESPONSE + WIKI + "000f 0001 00000078 0001 00"),
                arguments("a target that ends in the next record", "0000 8400 0000 0002 0000 0000" + WIKI
                        + "0021 0001 00000078 0007 000000000050 01" + RECORD),
                arguments("a pointer of which half is in the next record", RESPONSE + WIKI + "000c 0001 00000078 0001 c00c"),
                arguments("an SRV without a target", RESPONSE + WIKI + "0021 0001 00000078 0006 000000000050"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("none")
    void isNone(final String what, final String bytes) {
        assertNull(MessageReader.read(hex(bytes), hex(bytes).length), what);
    }

    @ParameterizedTest
    @ValueSource(strings = {QUERY, PROBE, SERVICE, NAMES, Packets.AVAHI_PROBE, Packets.AVAHI_SERVICE, Packets.RESOLVED_PROBE})
    void isNoneWhenCut(final String whole) {
        final byte[] message = hex(whole);
        for (int length = 0; length < message.length; length++) {
            final byte[] cut = Arrays.copyOf(message, length);
            final int shown = length;
            assertNull(MessageReader.read(cut, length), () -> "cut after " + shown);
            assertNull(MessageReader.read(message, length), () -> "read up to " + shown);
        }
    }

    /** 255 bytes with its root, by way of 126 pointers: each leads further back. */
    @Test
    void longWays() {
        final StringBuilder bytes = new StringBuilder("0000 0000 007f 0000 0000 0000 0161 00 0001 0001");
        int last = 12;
        int at = 12 + 7;
        for (int i = 1; i < 127; i++) {
            bytes.append("0161").append(String.format("%04x", 0xc000 | last)).append("00010001");
            last = at;
            at += 8;
        }
        final byte[] message = hex(bytes.toString());
        final MdnsMessage read = MessageReader.read(message, message.length);
        assertNotNull(read);
        assertEquals(2 * 127 + 1, read.questions().get(126).name().length());
        assertNull(MessageReader.read(hex(bytes.toString().replace("0000 0000 007f", "0000 0000 0080") + "0161"
                + String.format("%04x", 0xc000 | last) + "00010001"), message.length + 8), "one label more is too much");
    }

    /** RFC 6762 appendix C: 255 bytes and the root, be it by a pointer. */
    @Test
    void longestNames() {
        final String question = "0000 0000 0001 0000 0000 0000";
        final String almost = ("3f" + "61".repeat(63)).repeat(3) + "3d" + "61".repeat(61);
        assertEquals(255, read(question + almost + "00 0001 0001").questions().get(0).name().length());
        assertEquals(256, read(question + almost.replace("3d", "3e61") + "00 0001 0001").questions().get(0)
                .name().length());
        assertNull(read(question + almost.replace("3d", "3f6161") + "00 0001 0001"));
        final String two = "0000 0000 0002 0000 0000 0000" + almost + "00 0001 0001";
        assertNull(read(two + "0161 c00c 0001 0001"));
        assertEquals(255 - 64 + 2, read(two + "0161 c04c 0001 0001").questions().get(1).name().length());
    }

    /** RFC 6762 section 17. */
    @Test
    void longestMessages() {
        final byte[] long9000 = Arrays.copyOf(hex(QUERY), 9001);
        assertNotNull(MessageReader.read(long9000, 9000));
        assertNull(MessageReader.read(long9000, 9001));
        assertNull(MessageReader.read(hex(QUERY), hex(QUERY).length + 1), "longer than what it is in");
    }

    /** What few bytes can be made to mean is bounded; what neighbours really say is far from that. */
    @Test
    void pointersCannotMultiply() {
        final String name = ("3f" + "61".repeat(63)).repeat(3) + "3d" + "61".repeat(61) + "00";
        assertNotNull(read("0000 0000 003f 0000 0000 0000" + name + "00010001" + "c00c00010001".repeat(62)));
        assertNull(read("0000 0000 0041 0000 0000 0000" + name + "00010001" + "c00c00010001".repeat(64)), "more than 16 KiB");
        assertNull(read("0000 0000 0578 0000 0000 0000" + name + "00010001" + "c00c00010001".repeat(1399)));
        // each question points to the one before it
        final StringBuilder chain = new StringBuilder("0000 0000 0100 0000 0000 0000 00 0001 0001");
        for (int i = 1; i < 0x100; i++) {
            chain.append(String.format("%04x00010001", 0xc000 | (i == 1 ? 12 : 17 + 6 * (i - 2))));
        }
        assertNull(read(chain.toString()), "255 pointers");
        assertNotNull(read(chain.toString().replace("0000 0000 0100", "0000 0000 0081")), "128");
    }

    private static MdnsMessage read(final String bytes) {
        return MessageReader.read(hex(bytes), hex(bytes).length);
    }
}
