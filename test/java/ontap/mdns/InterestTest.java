// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static ontap.mdns.Packets.PROBE;
import static ontap.mdns.Packets.QUERY;
import static ontap.mdns.Packets.SERVICE;
import static ontap.mdns.Packets.WIKI;
import static ontap.mdns.Packets.hex;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.params.provider.Arguments.arguments;

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
}
