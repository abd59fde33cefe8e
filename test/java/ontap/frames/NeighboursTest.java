// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ANY6;
import static ontap.frames.HandBuilt.GROUP6;
import static ontap.frames.HandBuilt.GROUP_MAC;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.IP6;
import static ontap.frames.HandBuilt.LINK6;
import static ontap.frames.HandBuilt.NODES6;
import static ontap.frames.HandBuilt.NODES_MAC;
import static ontap.frames.HandBuilt.OTHER;
import static ontap.frames.HandBuilt.ROUTER6;
import static ontap.frames.HandBuilt.advertisement;
import static ontap.frames.HandBuilt.checked;
import static ontap.frames.HandBuilt.ethernet;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.icmp6;
import static ontap.frames.HandBuilt.ip6;
import static ontap.frames.HandBuilt.solicitation;
import static ontap.frames.HandBuilt.tagged;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.InetAddress;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** RFC 4861, sections 4.3, 4.4, 7.1.1 and 7.1.2; RFC 4862, section 5.4. */
class NeighboursTest {
    private static final String MAC = "02:00:00:00:00:01";
    private static final String SOURCE_OPTION = "0101020000000001";
    private static final String TARGET_OPTION = "0201020000000001";
    private static final String NONCE = "0e01010203040506";
    private static final byte[] ASKS = icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, SOURCE_OPTION));
    private static final byte[] PROBES = icmp6(GROUP_MAC, ANY6, GROUP6, solicitation(IP6, ""));
    private static final byte[] TELLS = icmp6(NODES_MAC, IP6, NODES6, advertisement("20", IP6, TARGET_OPTION));

    /** Name, frame, what it means. */
    static Stream<Arguments> frames() {
        return Stream.of(
                row("a solicitation", ASKS, new GuestFrame.Solicitation(MAC, ip(ROUTER6), ip(IP6))),
                row("one without the sender's hardware address",
                        icmp6(GROUP_MAC, LINK6, GROUP6, solicitation(IP6, "")),
                        new GuestFrame.Solicitation(MAC, ip(LINK6), ip(IP6))),
                row("with another's hardware address",
                        icmp6(GROUP_MAC, LINK6, GROUP6, solicitation(IP6, "0101020000000002")),
                        new GuestFrame.Solicitation("02:00:00:00:00:02", ip(LINK6), ip(IP6))),
                row("to the target alone", icmp6(OTHER, ROUTER6, IP6, solicitation(IP6, SOURCE_OPTION)),
                        new GuestFrame.Solicitation(MAC, ip(ROUTER6), ip(IP6))),
                row("multicast that an access point made unicast",
                        icmp6(OTHER, ROUTER6, GROUP6, solicitation(IP6, SOURCE_OPTION)),
                        new GuestFrame.Solicitation(MAC, ip(ROUTER6), ip(IP6))),
                row("duplicate address detection", PROBES, new GuestFrame.Solicitation(MAC, ip(ANY6), ip(IP6))),
                row("the same with a nonce (RFC 7527)", icmp6(GROUP_MAC, ANY6, GROUP6, solicitation(IP6, NONCE)),
                        new GuestFrame.Solicitation(MAC, ip(ANY6), ip(IP6))),
                row("an unsolicited advertisement", TELLS,
                        new GuestFrame.Advertisement(MAC, ip(IP6), ip(IP6), false, true)),
                row("an answer", icmp6(OTHER, IP6, ROUTER6, advertisement("60", IP6, TARGET_OPTION)),
                        new GuestFrame.Advertisement(MAC, ip(IP6), ip(IP6), true, true)),
                row("a router's, without override", icmp6(OTHER, LINK6, ROUTER6, advertisement("c0", IP6, "")),
                        new GuestFrame.Advertisement(MAC, ip(LINK6), ip(IP6), true, false)),
                row("an unknown option before", icmp6(NODES_MAC, IP6, NODES6,
                                advertisement("20", IP6, "fe02" + "00".repeat(14) + "0201020000000002")),
                        new GuestFrame.Advertisement("02:00:00:00:00:02", ip(IP6), ip(IP6), false, true)),
                row("in two VLANs", tagged(TELLS, "88a8000781000009"),
                        new GuestFrame.Advertisement(MAC, ip(IP6), ip(IP6), false, true)),
                row("bytes behind the packet", Arrays.copyOf(TELLS, TELLS.length + 6),
                        new GuestFrame.Advertisement(MAC, ip(IP6), ip(IP6), false, true)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("frames")
    void reads(final String name, final byte[] frame, final GuestFrame meaning) {
        assertEquals(meaning, GuestFrame.parse(frame, frame.length), name);
        assertEquals(meaning, GuestFrame.parse(frame, frame.length, true), name + ", without checksum");
    }

    /** Name, frame. */
    static Stream<Arguments> others() {
        final String good = checked(ROUTER6, GROUP6, solicitation(IP6, SOURCE_OPTION));
        return Stream.of(
                other("a hop limit of 254", packet(ip6(ROUTER6, GROUP6, 58, 254, good))),
                other("a hop limit of 0", packet(ip6(ROUTER6, GROUP6, 58, 0, good))),
                other("code 1", icmp6(GROUP_MAC, ROUTER6, GROUP6, "8701" + solicitation(IP6, "").substring(5))),
                other("a router's solicitation", icmp6(GROUP_MAC, ROUTER6, GROUP6, "8500 0000" + "00".repeat(20))),
                other("a redirect", icmp6(GROUP_MAC, ROUTER6, GROUP6, "8900 0000" + "00".repeat(36))),
                other("an echo", icmp6(GROUP_MAC, ROUTER6, GROUP6, "8000 0000" + "00".repeat(20))),
                other("UDP", packet(ip6(ROUTER6, GROUP6, 17, 255, good))),
                other("behind a hop-by-hop header",
                        packet(ip6(ROUTER6, GROUP6, 0, 255, "3a00050200000100" + good))),
                other("a fragment", packet(ip6(ROUTER6, GROUP6, 44, 255, "3a00000000000001" + good))),
                other("IPv4 in its first byte", packet("4" + ip6(ROUTER6, GROUP6, 58, 255, good).substring(1))),
                other("a payload longer than the frame", packet(longer(ip6(ROUTER6, GROUP6, 58, 255, good), 1))),
                other("a payload too short", packet(longer(ip6(ROUTER6, GROUP6, 58, 255, good), -9))),
                other("a multicast target", icmp6(NODES_MAC, ROUTER6, NODES6, solicitation(NODES6, ""))),
                other("a multicast sender", icmp6(GROUP_MAC, NODES6, GROUP6, solicitation(IP6, ""))),
                other("an option of length 0", icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "0100020000000001"))),
                other("an option past the end", icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "0102020000000001"))),
                other("an unknown option past the end",
                        icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "0e02020000000001"))),
                other("an advertisement with an option of length 0",
                        icmp6(NODES_MAC, IP6, NODES6, advertisement("20", IP6, "0200020000000001"))),
                other("a hardware address of 14 bytes",
                        icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "0102" + "02".repeat(14)))),
                other("a hardware address of a group",
                        icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "0101030000000001"))),
                other("half an option", icmp6(GROUP_MAC, ROUTER6, GROUP6, solicitation(IP6, "01"))),
                other("a probe with a hardware address",
                        icmp6(GROUP_MAC, ANY6, GROUP6, solicitation(IP6, SOURCE_OPTION))),
                other("a probe to one", icmp6(OTHER, ANY6, IP6, solicitation(IP6, ""))),
                other("a question to all nodes", icmp6(NODES_MAC, ROUTER6, NODES6, solicitation(IP6, ""))),
                other("a question to another group", icmp6("3333ff000006", ROUTER6, GROUP6.replace("ff000005", "ff000006"),
                        solicitation(IP6, ""))),
                other("a question to another host", icmp6(OTHER, ROUTER6, LINK6, solicitation(IP6, ""))),
                other("an answer to all", icmp6(NODES_MAC, IP6, NODES6, advertisement("60", IP6, TARGET_OPTION))),
                other("an advertisement to a group", icmp6(GROUP_MAC, IP6, GROUP6, advertisement("20", IP6, ""))),
                other("one from nobody", icmp6(NODES_MAC, ANY6, NODES6, advertisement("20", IP6, ""))),
                other("a frame to another group", icmp6("333300000002", IP6, NODES6, advertisement("20", IP6, ""))),
                other("a frame to a group of IPv4", icmp6("01005e000001", IP6, NODES6, advertisement("20", IP6, ""))),
                other("a frame to a group that is not of IPv6",
                        icmp6("0133ff000005", ROUTER6, GROUP6, solicitation(IP6, ""))),
                other("unicast in a frame to the group it would be",
                        icmp6("333300000005", ROUTER6, IP6, solicitation(IP6, ""))),
                other("unicast in a frame to all", icmp6("ffffffffffff", ROUTER6, IP6, solicitation(IP6, ""))),
                other("unicast in a frame to a group", icmp6(GROUP_MAC, ROUTER6, IP6, solicitation(IP6, ""))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void refuses(final String name, final byte[] frame) {
        assertNull(GuestFrame.parse(frame, frame.length), name);
        assertNull(GuestFrame.parse(frame, frame.length, true), name + ", without checksum");
    }

    @Test
    void looksAtTheChecksumUnlessItIsNotMadeYet() {
        for (final byte[] good : new byte[][] {ASKS, PROBES, TELLS}) {
            for (int at = 14 + 40; at < good.length; at++) {
                final byte[] bad = good.clone();
                bad[at] ^= 0x10;
                assertNull(GuestFrame.parse(bad, bad.length), "a flipped bit in byte " + at);
            }
            final byte[] partial = good.clone();
            partial[14 + 40 + 2] = 0x12;
            assertNull(GuestFrame.parse(partial, partial.length), "a wrong checksum");
            assertNotNull(GuestFrame.parse(partial, partial.length, true), "a checksum that is not made yet");
        }
    }

    @Test
    void refusesCuts() {
        for (final byte[] frame : new byte[][] {ASKS, PROBES, TELLS}) {
            for (int n = 0; n < frame.length; n++) {
                assertNull(GuestFrame.parse(Arrays.copyOf(frame, n), n), "a cut after " + n + " bytes");
                assertNull(GuestFrame.parse(frame, n, true), "a cut after " + n + " bytes, without checksum");
            }
        }
    }

    /** The packet with another length of payload than it has. */
    private static String longer(final String packet, final int by) {
        final int length = Integer.parseInt(packet.substring(8, 12), 16);
        return packet.substring(0, 8) + String.format("%04x", length + by) + packet.substring(12);
    }

    private static byte[] packet(final String ip) {
        return ethernet(GROUP_MAC, GUEST, "86dd" + ip);
    }

    private static InetAddress ip(final String text) {
        return Slice.address(hex(text));
    }

    private static Arguments row(final String name, final byte[] frame, final GuestFrame meaning) {
        return Arguments.of(name, frame, meaning);
    }

    private static Arguments other(final String name, final byte[] frame) {
        return Arguments.of(name, frame);
    }
}
