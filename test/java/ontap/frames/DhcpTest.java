// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ALL;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.NO_IP;
import static ontap.frames.HandBuilt.bootp;
import static ontap.frames.HandBuilt.datagram;
import static ontap.frames.HandBuilt.ethernet;
import static ontap.frames.HandBuilt.fromClient;
import static ontap.frames.HandBuilt.fromServer;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.ip4;
import static ontap.frames.HandBuilt.tagged;
import static ontap.frames.HandBuilt.udp;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.InetAddress;
import java.util.Arrays;
import java.util.stream.Stream;
import ontap.dhcp4.DhcpMessage;
import ontap.dhcp4.DhcpOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** RFC 2131, RFC 2132 and RFC 3396 in RFC 768 and RFC 791. */
class DhcpTest {
    private static final String MAC = "02:00:00:00:00:01";
    private static final String IP = "0a090005";
    private static final String SERVER = "3604" + "0a090001";
    private static final String ASKED = "3204" + IP;
    private static final String HOUR = "3304" + "00000e10";
    private static final String MASK = "0104" + "ffffff00";
    private static final String ID = "3d07" + "01" + GUEST;
    private static final String ID_TEXT = "01" + GUEST;
    private static final byte[] DISCOVER = fromClient(bootp(1, NO_IP, NO_IP, "350101" + ID + "ff"));
    private static final byte[] ACK = fromServer(bootp(2, NO_IP, IP, "350105" + SERVER + HOUR + MASK + "ff"));
    private static final String NO_SNAME = "00".repeat(64);

    /** What of a message tells about addresses. */
    private record Meaning(int type, int xid, String hwaddr, InetAddress client, InetAddress your,
            InetAddress requested, int prefix, Long seconds, String clientId) {
    }

    /** Name, frame, what it means. */
    static Stream<Arguments> frames() {
        return Stream.of(
                row("discover", DISCOVER, client(DhcpMessage.DISCOVER, NO_IP, null, ID_TEXT)),
                row("request", fromClient(bootp(1, NO_IP, NO_IP, "350103" + ASKED + SERVER + "ff")),
                        client(DhcpMessage.REQUEST, NO_IP, IP, null)),
                row("request of a renewal", udp(IP, "0a090001", 68, 67, "", bootp(1, IP, NO_IP, "350103ff")),
                        client(DhcpMessage.REQUEST, IP, null, null)),
                row("decline", fromClient(bootp(1, NO_IP, NO_IP, "350104" + ASKED + SERVER + "ff")),
                        client(DhcpMessage.DECLINE, NO_IP, IP, null)),
                row("release", udp(IP, "0a090001", 68, 67, "", bootp(1, IP, NO_IP, "350107" + SERVER + "ff")),
                        client(DhcpMessage.RELEASE, IP, null, null)),
                row("from a client of another port", udp(NO_IP, "ffffffff", 40000, 67, "",
                        bootp(1, NO_IP, NO_IP, "350101ff")), client(DhcpMessage.DISCOVER, NO_IP, null, null)),
                row("offer", fromServer(bootp(2, NO_IP, IP, "350102" + SERVER + HOUR + MASK + "ff")),
                        server(DhcpMessage.OFFER, IP, 24, 3600L, null)),
                row("ack", ACK, server(DhcpMessage.ACK, IP, 24, 3600L, null)),
                row("ack that repeats the client", fromServer(bootp(2, NO_IP, IP, "350105" + ID + "ff")),
                        server(DhcpMessage.ACK, IP, 0, null, ID_TEXT)),
                row("ack for ever", fromServer(bootp(2, NO_IP, IP, "3501053304ffffffffff")),
                        server(DhcpMessage.ACK, IP, 0, DhcpMessage.INFINITY, null)),
                row("ack to one", udp("0a090001", IP, 67, 68, "", bootp(2, NO_IP, IP, "350105" + HOUR + "ff")),
                        server(DhcpMessage.ACK, IP, 0, 3600L, null)),
                row("nak", fromServer(bootp(2, NO_IP, NO_IP, "350106" + SERVER + "ff")),
                        server(DhcpMessage.NAK, NO_IP, 0, null, null)),
                row("a mask of /32", fromServer(bootp(2, NO_IP, IP, "3501050104ffffffffff")),
                        server(DhcpMessage.ACK, IP, 32, null, null)),
                row("a mask of /0", fromServer(bootp(2, NO_IP, IP, "350105010400000000ff")),
                        server(DhcpMessage.ACK, IP, 0, null, null)),
                row("a mask with a hole", fromServer(bootp(2, NO_IP, IP, "3501050104ff00ff00ff")),
                        server(DhcpMessage.ACK, IP, 0, null, null)),
                row("padding between the options and bytes after the end",
                        fromServer(bootp(2, NO_IP, IP, "0000350105000000" + HOUR + "00ff3304000000010000")),
                        server(DhcpMessage.ACK, IP, 0, 3600L, null)),
                row("an option of no bytes", fromServer(bootp(2, NO_IP, IP, "5000350105ff")),
                        server(DhcpMessage.ACK, IP, 0, null, null)),
                row("options of the IP header",
                        udp("0a090001", "ffffffff", 67, 68, "94040000", bootp(2, NO_IP, IP, "350105ff")),
                        server(DhcpMessage.ACK, IP, 0, null, null)),
                row("options in the file's place", fromServer(bootp(2, NO_IP, IP, NO_SNAME,
                        filled(HOUR + MASK, 128), "350105340101ff")), server(DhcpMessage.ACK, IP, 24, 3600L, null)),
                row("options in the server's name's place", fromServer(bootp(2, NO_IP, IP,
                        filled(HOUR + MASK, 64), "ee".repeat(128), "340102350105ff")),
                        server(DhcpMessage.ACK, IP, 24, 3600L, null)),
                row("options in both, the type too", fromServer(bootp(2, NO_IP, IP,
                        filled(MASK, 64), filled("350105" + HOUR, 128), "340103ff")),
                        server(DhcpMessage.ACK, IP, 24, 3600L, null)),
                row("an option in pieces, the file's before the name's", fromServer(bootp(2, NO_IP, IP,
                        filled("3d024444", 64), filled("3d023333", 128), "3d0211113d022222340103350105ff")),
                        server(DhcpMessage.ACK, IP, 0, null, "1111222233334444")),
                row("no options elsewhere where none are said", fromServer(bootp(2, NO_IP, IP,
                        filled(HOUR, 64), filled(MASK, 128), "350105ff")), server(DhcpMessage.ACK, IP, 0, null, null)),
                row("in a VLAN", tagged(ACK, "81000007"), server(DhcpMessage.ACK, IP, 24, 3600L, null)),
                row("without a checksum", unchecked(ACK), server(DhcpMessage.ACK, IP, 24, 3600L, null)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("frames")
    void reads(final String name, final byte[] frame, final Meaning meaning) {
        assertEquals(meaning, meaning(GuestFrame.parse(frame, frame.length)), name);
        assertEquals(meaning, meaning(GuestFrame.parse(frame, frame.length, true)), name + ", without checksum");
        final byte[] more = Arrays.copyOf(frame, frame.length + 20);
        assertEquals(meaning, meaning(GuestFrame.parse(more, more.length)), name + ", with bytes behind the packet");
    }

    /** Name, frame. */
    static Stream<Arguments> others() {
        final String ack = bootp(2, NO_IP, IP, "350105ff");
        final String datagram = datagram("0a090001", "ffffffff", 67, 68, ack);
        final String packet = ip4("0a090001", "ffffffff", 0, "", datagram);
        return Stream.of(
                other("a first fragment", ip(ip4("0a090001", "ffffffff", 0x2000, "", datagram))),
                other("a last fragment", ip(ip4("0a090001", "ffffffff", 0x0040, "", datagram))),
                other("TCP", ip(rechecked(packet.replaceFirst("4011", "4006")))),
                other("IPv6 in its first byte", ip(rechecked("6" + packet.substring(1)))),
                other("an IP header of 16 bytes", ip(rechecked(
                        String.format("4400%04x", 16 + datagram.length() / 2) + packet.substring(8, 32) + datagram))),
                other("an IP header longer than the packet", ip(rechecked("4f00" + "001c" + packet.substring(8)))),
                other("a wrong checksum of the IP header", ip(packet.substring(0, 8) + "4321" + packet.substring(12))),
                other("an IP length longer than the frame", ip(lengthened(packet, 1))),
                other("an IP length shorter than UDP's", ip(lengthened(packet, -1))),
                other("a UDP length of nothing", ip(ip4("0a090001", "ffffffff", 0, "",
                        datagram.substring(0, 8) + "0000" + datagram.substring(12)))),
                other("a UDP length shorter than the packet", ip(ip4("0a090001", "ffffffff", 0, "",
                        datagram.substring(0, 8) + "00f8" + "0000" + datagram.substring(16)))),
                other("to a group that not all are in", ethernet("01005e000001", GUEST, "0800" + packet)),
                other("a reply from another port", udp("0a090001", "ffffffff", 68, 68, "", ack)),
                other("a reply to another port", udp("0a090001", "ffffffff", 67, 69, "", ack)),
                other("a request to a client", udp(NO_IP, "ffffffff", 67, 68, "", bootp(1, NO_IP, NO_IP, "350101ff"))),
                other("a reply to a server", udp("0a090001", "ffffffff", 67, 67, "", ack)),
                other("operation 0", fromClient("00" + bootp(1, NO_IP, NO_IP, "350101ff").substring(2))),
                other("operation 3", fromClient("03" + bootp(1, NO_IP, NO_IP, "350101ff").substring(2))),
                other("hardware of another kind", fromServer("020606" + ack.substring(6))),
                other("a hardware address of 16 bytes", fromServer("020110" + ack.substring(6))),
                other("a client that is a group", fromServer(ack.replaceFirst(GUEST, "030000000001"))),
                other("no magic cookie", fromServer(ack.replaceFirst("63825363", "63825364"))),
                other("no type", fromServer(bootp(2, NO_IP, IP, HOUR + "ff"))),
                other("no options", fromServer(bootp(2, NO_IP, IP, ""))),
                other("no end", fromServer(bootp(2, NO_IP, IP, "350105" + HOUR))),
                other("an option past the end", fromServer(bootp(2, NO_IP, IP, "350105" + "0c20ffff"))),
                other("an option without its length", fromServer(bootp(2, NO_IP, IP, "350105" + "0c"))),
                other("a type of two bytes", fromServer(bootp(2, NO_IP, IP, "35020505ff"))),
                other("a type of no bytes", fromServer(bootp(2, NO_IP, IP, "3500ff"))),
                other("two types", fromServer(bootp(2, NO_IP, IP, "350105350105ff"))),
                other("an overload of no bytes", fromServer(bootp(2, NO_IP, IP, "3501053400ff"))),
                other("a lease of three bytes", fromServer(bootp(2, NO_IP, IP, "3501053303000e10ff"))),
                other("a mask of five bytes", fromServer(bootp(2, NO_IP, IP, "3501050105ffffff0000ff"))),
                other("a requested address of six bytes", fromClient(bootp(1, NO_IP, NO_IP, "3501033206" + GUEST + "ff"))),
                other("a client identifier of one byte", fromServer(bootp(2, NO_IP, IP, "3501053d0101ff"))),
                other("a file's place with no end", fromServer(bootp(2, NO_IP, IP, NO_SNAME,
                        HOUR + "00".repeat(122), "350105340101ff"))),
                other("a name's place with an option past its end", fromServer(bootp(2, NO_IP, IP,
                        "0c".repeat(64), "00".repeat(128), "350105340102ff"))),
                other("inform", fromClient(bootp(1, IP, NO_IP, "350108ff"))),
                other("type 0", fromClient(bootp(1, IP, NO_IP, "350100ff"))),
                other("type 255", fromClient(bootp(1, IP, NO_IP, "3501ffff"))),
                other("an ack from a client", fromClient(bootp(1, NO_IP, IP, "350105ff"))),
                other("a request from a server", fromServer(bootp(2, NO_IP, IP, "350103ff"))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void refuses(final String name, final byte[] frame) {
        assertNull(GuestFrame.parse(frame, frame.length), name);
        assertNull(GuestFrame.parse(frame, frame.length, true), name + ", without checksum");
    }

    @Test
    void looksAtTheChecksumUnlessItIsNotMadeYet() {
        for (int at = 14; at < ACK.length; at++) {
            final byte[] bad = ACK.clone();
            bad[at] ^= 0x01;
            assertNull(GuestFrame.parse(bad, bad.length), "a flipped bit in byte " + at);
        }
        final byte[] partial = ACK.clone();
        partial[14 + 20 + 6] ^= 0x55;
        assertNull(GuestFrame.parse(partial, partial.length), "a wrong checksum");
        assertNotNull(GuestFrame.parse(partial, partial.length, true), "a checksum that is not made yet");
    }

    @Test
    void refusesCuts() {
        for (final byte[] frame : new byte[][] {DISCOVER, ACK}) {
            for (int n = 0; n < frame.length; n++) {
                assertNull(GuestFrame.parse(Arrays.copyOf(frame, n), n), "a cut after " + n + " bytes");
                assertNull(GuestFrame.parse(frame, n, true), "a cut after " + n + " bytes, without checksum");
            }
        }
    }

    /** A message that is cut inside its packet, whose lengths say so. */
    @Test
    void refusesShortMessages() {
        final String whole = bootp(2, NO_IP, IP, "350105" + HOUR + MASK + "ff");
        for (int n = 0; n < whole.length() / 2; n++) {
            final byte[] frame = fromServer(whole.substring(0, 2 * n));
            assertNull(GuestFrame.parse(frame, frame.length), "a message of " + n + " bytes");
        }
    }

    private static String filled(final String options, final int size) {
        return options + "ff" + "00".repeat(size - 1 - options.length() / 2);
    }

    private static byte[] unchecked(final byte[] frame) {
        final byte[] copy = frame.clone();
        copy[14 + 20 + 6] = 0;
        copy[14 + 20 + 7] = 0;
        return copy;
    }

    /** The packet with another total length than it has. */
    private static String lengthened(final String packet, final int by) {
        final int length = Integer.parseInt(packet.substring(4, 8), 16) + by;
        return rechecked(packet.substring(0, 4) + String.format("%04x", length) + packet.substring(8));
    }

    /** The packet with the checksum that its IP header should have, as long as it says that it is. */
    private static String rechecked(final String packet) {
        final String bare = packet.substring(0, 20) + "0000" + packet.substring(24);
        final int length = 4 * Integer.parseInt(packet.substring(1, 2), 16);
        final int sum = HandBuilt.checksum(Arrays.copyOf(hex(bare), length));
        return bare.substring(0, 20) + String.format("%04x", sum) + bare.substring(24);
    }

    private static byte[] ip(final String packet) {
        return ethernet(ALL, GUEST, "0800" + packet);
    }

    private static Meaning client(final int type, final String ciaddr, final String requested, final String id) {
        return new Meaning(type, 0xa1b2c3d4, MAC, address(ciaddr), address(NO_IP),
                requested == null ? null : address(requested), 0, null, id);
    }

    private static Meaning server(final int type, final String yiaddr, final int prefix, final Long seconds,
            final String id) {
        return new Meaning(type, 0xa1b2c3d4, MAC, address(NO_IP), address(yiaddr), null, prefix, seconds, id);
    }

    private static Meaning meaning(final GuestFrame frame) {
        final DhcpMessage m = ((GuestFrame.Dhcp) frame).message();
        final DhcpOptions options = m.options();
        assertEquals(m.hwaddr(), frame.hwaddr(), "the client's");
        return new Meaning(m.type(), m.xid(), m.hwaddr(), m.client(), m.your(), options.address(DhcpOptions.REQUESTED),
                options.prefix(), options.seconds(DhcpOptions.LEASE), options.hex(DhcpOptions.CLIENT_ID));
    }

    private static InetAddress address(final String text) {
        return Slice.address(hex(text));
    }

    private static Arguments row(final String name, final byte[] frame, final Meaning meaning) {
        return Arguments.of(name, frame, meaning);
    }

    private static Arguments other(final String name, final byte[] frame) {
        return Arguments.of(name, frame);
    }
}
