// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static ontap.mdns.Packets.PROBE;
import static ontap.mdns.Packets.QUERY;
import static ontap.mdns.Packets.SERVICE;
import static ontap.mdns.Packets.WIKI;
import static ontap.mdns.Packets.hex;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is worth a closer look for somebody who has wiki.local and _http._tcp.local. */
class InterestTest {
    private static final Interest OURS = Interest.in(List.of("\004wiki\005local\000", "\005_http\004_tcp\005local\000"));
    private static final String OTHER = "056f74686572056c6f63616c00";

    static Stream<Arguments> datagrams() {
        return Stream.of(
                arguments("our name", QUERY, true),
                arguments("in capitals", QUERY.replace("77696b69", "57494b49"), true),
                arguments("another's", QUERY.replace(WIKI, OTHER), false),
                arguments("ours as the second", "0000 0000 0002 0000 0000 0000" + OTHER + "0001 0001" + "0477696b69c012 0001 0001", true),
                arguments("no question of ours, by pointers", "0000 0000 0002 0000 0000 0000" + OTHER + "0001 0001 c00c 0001 0001", false),
                arguments("a probe", PROBE.replace(WIKI, OTHER), true),
                arguments("a response", SERVICE, true),
                arguments("more known answers", "0000 0000 0000 0001 0000 0000" + OTHER + "0001 0001 00000078 0004 0a000005", true),
                arguments("less than a header", "0000 0000 0001 0000 0000", false),
                arguments("a pointer to itself", "0000 0000 0001 0000 0000 0000 c00c 0001 0001", false),
                arguments("a pointer into the header", "0000 0000 0002 0000 0000 0000 c000 0001 0001" + WIKI + "0001 0001", false),
                arguments("a name without an end", "0000 0000 0001 0000 0000 0000 0477696b69", false),
                arguments("a strange label", "0000 0000 0001 0000 0000 0000 80 61 00 0001 0001", false));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("datagrams")
    void matters(final String what, final String bytes, final boolean expected) {
        final byte[] datagram = hex(bytes);
        assertEquals(expected, OURS.matters(datagram, datagram.length), what);
    }

    @Test
    void neverFails() {
        final byte[] query = hex(QUERY);
        for (int length = 0; length < query.length - 4; length++) {
            assertFalse(OURS.matters(query, length), "cut after " + length);
        }
        assertFalse(OURS.matters(query, query.length + 1));
        assertFalse(Interest.in(List.of()).matters(query, query.length));
    }

    /** Nothing is stored, however many there are. */
    @Test
    void leavesNothingBehind() {
        final var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        final byte[] query = hex(QUERY.replace(WIKI, OTHER));
        final int rounds = 20_000;
        int mattering = 0;
        final long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < rounds; i++) {
            mattering += OURS.matters(query, query.length) ? 1 : 0;
        }
        final long garbage = threads.getCurrentThreadAllocatedBytes() - before;
        assertEquals(0, mattering);
        assertTrue(garbage < rounds, () -> garbage + " bytes");
    }

    /** What the reader does not take for a message need not be looked at to its end. */
    @Test
    void givesUpWhereTheReaderDoes() {
        final String longest = ("3f" + "61".repeat(63)).repeat(3) + "3d" + "61".repeat(61) + "00";
        final String many = "0000 0000 %04x 0000 0000 0000" + longest + "00010001" + "c00c00010001".repeat(70) + WIKI + "00010001";
        final byte[] much = hex(String.format(many, 72));
        assertNull(MessageReader.read(much, much.length));
        assertFalse(OURS.matters(much, much.length));
        final byte[] less = hex(String.format(many.replace("c00c00010001".repeat(70), "c00c00010001".repeat(60)), 62));
        assertNotNull(MessageReader.read(less, less.length));
        assertTrue(OURS.matters(less, less.length));
    }

    @Test
    void followsAsManyPointersAsTheReader() {
        for (int last = 127; last < 131; last++) {
            final StringBuilder chain = new StringBuilder(String.format("0000 0000 %04x 0000 0000 0000 00 0001 0001", last + 2));
            for (int i = 1; i <= last; i++) {
                chain.append(String.format("%04x00010001", 0xc000 | (i == 1 ? 12 : 17 + 6 * (i - 2))));
            }
            final byte[] message = hex(chain + WIKI + "00010001");
            assertEquals(last <= 128, MessageReader.read(message, message.length) != null, "pointers: " + last);
            assertEquals(last <= 128, OURS.matters(message, message.length), "pointers: " + last);
        }
    }
}
