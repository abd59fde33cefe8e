// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ALL;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.NO_IP;
import static ontap.frames.HandBuilt.OTHER;
import static ontap.frames.HandBuilt.arp;
import static ontap.frames.HandBuilt.arpPacket;
import static ontap.frames.HandBuilt.ethernet;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.tagged;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** RFC 826 and RFC 5227, and the frame around them. */
class ArpTest {
    private static final String MAC = "02:00:00:00:00:01";
    private static final String IP = "0a090005";
    private static final String GATEWAY = "0a090001";
    private static final byte[] REQUEST = arp(1, GUEST, IP, GATEWAY);

    /** Name, frame, is it a reply, sender, target, is it a probe, is it an announcement. */
    static Stream<Arguments> frames() {
        return Stream.of(
                Arguments.of("a request", REQUEST, false, "10.9.0.5", "10.9.0.1", false, false),
                Arguments.of("a reply", arp(2, GUEST, IP, GATEWAY), true, "10.9.0.5", "10.9.0.1", false, false),
                Arguments.of("a probe", arp(1, GUEST, NO_IP, IP), false, "0.0.0.0", "10.9.0.5", true, false),
                Arguments.of("an announcement", arp(1, GUEST, IP, IP), false, "10.9.0.5", "10.9.0.5", false, true),
                Arguments.of("one by a reply", arp(2, GUEST, IP, IP), true, "10.9.0.5", "10.9.0.5", false, true),
                Arguments.of("to one station", ethernet(OTHER, GUEST, "0806" + arpPacket(1, GUEST, IP, GATEWAY)),
                        false, "10.9.0.5", "10.9.0.1", false, false),
                Arguments.of("without padding", hex(ALL + GUEST + "0806" + arpPacket(1, GUEST, IP, GATEWAY)),
                        false, "10.9.0.5", "10.9.0.1", false, false),
                Arguments.of("for another in a reply", arp(2, GUEST, IP, NO_IP), true, "10.9.0.5", "0.0.0.0",
                        false, false),
                Arguments.of("in a VLAN", tagged(REQUEST, "81000007"), false, "10.9.0.5", "10.9.0.1", false, false),
                Arguments.of("in two", tagged(REQUEST, "88a8000781000009"), false, "10.9.0.5", "10.9.0.1",
                        false, false));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("frames")
    void reads(final String name, final byte[] frame, final boolean reply, final String sender, final String target,
            final boolean probe, final boolean announcement) throws UnknownHostException {
        final GuestFrame.Arp expected =
                new GuestFrame.Arp(reply, MAC, InetAddress.getByName(sender), InetAddress.getByName(target));
        final GuestFrame found = GuestFrame.parse(frame, frame.length);
        assertEquals(expected, found, name);
        assertEquals(probe, ((GuestFrame.Arp) found).probe(), "is it a probe?");
        assertEquals(announcement, ((GuestFrame.Arp) found).announcement(), "is it an announcement?");
    }

    /** Name, frame. */
    static Stream<Arguments> others() {
        final String packet = arpPacket(1, GUEST, IP, GATEWAY).replace(" ", "");
        return Stream.of(
                other("three tags", tagged(REQUEST, "810000078100000881000009")),
                other("hardware of another kind", broadcast("0006" + packet.substring(4))),
                other("another protocol", broadcast("000186dd" + packet.substring(8))),
                other("hardware addresses of 8 bytes", broadcast("00010800" + "0804" + packet.substring(12))),
                other("addresses of 16 bytes", broadcast("00010800" + "0610" + packet.substring(12))),
                other("operation 0", arp(0, GUEST, IP, GATEWAY)),
                other("a reverse request", arp(3, GUEST, IP, GATEWAY)),
                other("operation 257", arp(257, GUEST, IP, GATEWAY)),
                other("a sender that is a group", ethernet(ALL, GUEST, "0806" + arpPacket(1, "030000000001", IP, IP))),
                other("a sender that is nobody", ethernet(ALL, GUEST, "0806" + arpPacket(1, "000000000000", IP, IP))),
                other("a frame from a group", ethernet(ALL, "010000000001", "0806" + packet)),
                other("a frame from nobody", ethernet(ALL, "000000000000", "0806" + packet)),
                other("to a group that not all are in", ethernet("01005e000001", GUEST, "0806" + packet)),
                other("a probe for nothing", arp(1, GUEST, NO_IP, NO_IP)),
                other("a reply from nothing", arp(2, GUEST, NO_IP, IP)),
                other("an unknown type", ethernet(ALL, GUEST, "88cc" + packet)),
                other("802.3 with a length", ethernet(ALL, GUEST, "001c" + packet)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void refuses(final String name, final byte[] frame) {
        assertNull(GuestFrame.parse(frame, frame.length), name);
        assertNull(GuestFrame.parse(frame, frame.length, true), name + ", without checksums");
    }

    @Test
    void refusesCuts() {
        for (final byte[] frame : new byte[][] {REQUEST, tagged(REQUEST, "88a8000781000009")}) {
            final int whole = frame.length - 60 + 14 + 28;
            for (int n = 0; n < frame.length; n++) {
                final byte[] part = Arrays.copyOf(frame, n);
                assertEquals(n >= whole, GuestFrame.parse(part, n) != null, "a cut after " + n + " bytes");
                assertEquals(n >= whole, GuestFrame.parse(frame, n) != null, "no more than " + n + " bytes are read");
            }
        }
    }

    @Test
    void lengthsThatCannotBe() {
        assertNull(GuestFrame.parse(REQUEST, -1), "a negative length");
        assertNull(GuestFrame.parse(REQUEST, REQUEST.length + 1), "more than there is");
        assertNull(GuestFrame.parse(REQUEST, Integer.MAX_VALUE), "much more");
        assertNull(GuestFrame.parse(REQUEST, Integer.MIN_VALUE), "much less");
        assertNull(GuestFrame.parse(null, 0), "nothing");
        assertNotNull(GuestFrame.parse(REQUEST, REQUEST.length), "all of it");
    }

    private static byte[] broadcast(final String packet) {
        return ethernet(ALL, GUEST, "0806" + packet);
    }

    private static Arguments other(final String name, final byte[] frame) {
        return Arguments.of(name, frame);
    }
}
