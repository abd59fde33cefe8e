// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ALL;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.NO_IP;
import static ontap.frames.HandBuilt.OTHER;
import static ontap.frames.HandBuilt.arpPacket;
import static ontap.frames.HandBuilt.bootp;
import static ontap.frames.HandBuilt.datagram;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.ip4;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.InetAddress;
import java.util.Map;
import java.util.Random;
import ontap.dhcp4.DhcpMessage;
import ontap.dhcp4.DhcpOptions;
import org.junit.jupiter.api.Test;

/** The frames that are written, against those put together by hand, and by the reader. */
class FrameWritingTest {
    private static final String MAC = "02:00:00:00:00:01";
    private static final String OTHER_MAC = "02:00:00:00:00:02";
    private static final String IP = "0a090005";
    private static final String SERVER = "0a090001";

    @Test
    void arpToAll() {
        assertEquals(hex(hex(ALL + GUEST + "0806" + arpPacket(1, GUEST, NO_IP, IP))),
                hex(new GuestFrame.Arp(false, MAC, ip(NO_IP), ip(IP)).frame(GuestFrame.ALL)), "a probe");
        assertEquals(hex(hex(ALL + GUEST + "0806" + arpPacket(1, GUEST, IP, IP))),
                hex(new GuestFrame.Arp(false, MAC, ip(IP), ip(IP)).frame(GuestFrame.ALL)), "an announcement");
    }

    @Test
    void arpToOne() {
        assertEquals(hex(hex(OTHER + GUEST + "0806" + arpPacket(1, GUEST, IP, SERVER))),
                hex(new GuestFrame.Arp(false, MAC, ip(IP), ip(SERVER)).frame(OTHER_MAC)), "a request");
        assertEquals(hex(hex(OTHER + GUEST + "0806" + arpPacket(2, GUEST, IP, SERVER)
                        .replace("000000000000", OTHER))),
                hex(new GuestFrame.Arp(true, MAC, ip(IP), ip(SERVER)).frame(OTHER_MAC)), "a reply names both");
    }

    @Test
    void dhcpToAll() {
        final String data = bootp(1, NO_IP, NO_IP, "350101" + "3d02ff01" + "ff") + "00".repeat(300 - 240 - 8);
        assertEquals(expected(ALL, NO_IP, "ffffffff", 68, 67, data),
                hex(new GuestFrame.Dhcp(MAC, ip(NO_IP), message(false, 1, true, NO_IP, NO_IP,
                        Map.of(61, hex("ff01")))).frame(GuestFrame.ALL, ip("ffffffff"))));
    }

    @Test
    void dhcpToOne() {
        final String data = bootp(1, IP, NO_IP, "350103ff").replace("00008000", "00000000")
                + "00".repeat(300 - 240 - 4);
        assertEquals(expected(OTHER, IP, SERVER, 68, 67, data),
                hex(new GuestFrame.Dhcp(MAC, ip(IP), message(false, 3, false, IP, NO_IP, Map.of()))
                        .frame(OTHER_MAC, ip(SERVER))), "from the address that is to be renewed");
    }

    @Test
    void repliesOfDhcp() {
        final String data = bootp(2, NO_IP, IP, "350105ff") + "00".repeat(300 - 240 - 4);
        assertEquals(expected(OTHER, SERVER, IP, 67, 68, data),
                hex(new GuestFrame.Dhcp(MAC, ip(SERVER), message(true, 5, true, NO_IP, IP, Map.of()))
                        .frame(OTHER_MAC, ip(IP))));
    }

    /** Among so many there are checksums of each kind, also one that is zero and has to be said otherwise. */
    @Test
    void readsWhatItWrites() {
        final long seed = 791;
        final Random random = new Random(seed);
        for (int round = 0; round < 200_000; round++) {
            final byte[] value = new byte[random.nextInt(round % 100 == 0 ? 1000 : 8)];
            random.nextBytes(value);
            final byte[] ip = new byte[4];
            random.nextBytes(ip);
            final GuestFrame.Dhcp frame = new GuestFrame.Dhcp(MAC, Slice.address(ip),
                    message(false, 3, random.nextBoolean(), IP, NO_IP, Map.of(12, value)));
            final byte[] bytes = frame.frame(OTHER_MAC, ip(SERVER));
            assertEquals(frame, GuestFrame.parse(bytes, bytes.length), "seed " + seed + ", round " + round);
            assertEquals(false, bytes[40] == 0 && bytes[41] == 0, "a checksum of zero is none");
        }
        for (int bits = 0; bits < 4; bits++) {
            final GuestFrame.Arp arp = new GuestFrame.Arp((bits & 1) != 0, MAC, ip(IP), ip((bits & 2) != 0 ? IP : SERVER));
            final byte[] bytes = arp.frame(OTHER_MAC);
            assertEquals(arp, GuestFrame.parse(bytes, bytes.length));
        }
    }

    @Test
    void refusesWhatIsNoPacket() {
        final GuestFrame.Dhcp big = new GuestFrame.Dhcp(MAC, ip(IP),
                message(false, 3, false, IP, NO_IP, Map.of(56, new byte[70_000])));
        assertThrows(IllegalArgumentException.class, () -> big.frame(OTHER_MAC, ip(SERVER)));
    }

    /** The frame with an IP header whose packet needs no number and must not be cut. */
    private static String expected(final String to, final String from, final String toIp, final int fromPort,
            final int toPort, final String data) {
        final String packet = ip4(from, toIp, 0x4000, "", datagram(from, toIp, fromPort, toPort, data));
        final String start = packet.substring(0, 8) + "0000" + packet.substring(12, 20);
        final int sum = HandBuilt.checksum(hex(start + "0000" + from + toIp));
        return hex(hex(to + GUEST + "0800" + start + String.format("%04x", sum) + packet.substring(24)));
    }

    private static DhcpMessage message(final boolean reply, final int type, final boolean broadcast,
            final String client, final String your, final Map<Integer, byte[]> more) {
        return new DhcpMessage(reply, 0xa1b2c3d4, 0, broadcast, ip(client), ip(your), ip(NO_IP), MAC,
                DhcpOptions.of(more).with(DhcpOptions.TYPE, new byte[] {(byte) type}));
    }

    private static InetAddress ip(final String text) {
        return Slice.address(hex(text));
    }
}
