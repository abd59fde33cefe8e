// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/** Frames put together by hand as the RFCs draw them; nothing of what is tested is used. */
final class HandBuilt {
    static final String GUEST = "020000000001";
    static final String OTHER = "020000000002";
    static final String ALL = "ffffffffffff";
    static final String NO_IP = "00000000";
    /** fd00::5, fd00::1, fe80::5 and the unspecified address. */
    static final String IP6 = "fd000000000000000000000000000005";
    static final String ROUTER6 = "fd000000000000000000000000000001";
    static final String LINK6 = "fe800000000000000000000000000005";
    static final String ANY6 = "00000000000000000000000000000000";
    /** All nodes, and the solicited-node group of both fd00::5 and fe80::5. */
    static final String NODES6 = "ff020000000000000000000000000001";
    static final String GROUP6 = "ff0200000000000000000001ff000005";
    static final String NODES_MAC = "333300000001";
    static final String GROUP_MAC = "3333ff000005";

    private static final int MINIMUM = 60;

    private HandBuilt() {
    }

    static byte[] hex(final String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    static String hex(final byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    /** Destination, source, what follows; as short frames are, with zeros up to 60 bytes. */
    static byte[] ethernet(final String to, final String from, final String rest) {
        final byte[] frame = hex(to + from + rest);
        return frame.length < MINIMUM ? Arrays.copyOf(frame, MINIMUM) : frame;
    }

    /** RFC 826: request (1) or reply (2). */
    static byte[] arp(final int operation, final String hwaddr, final String ip, final String target) {
        return ethernet(ALL, hwaddr, "0806" + arpPacket(operation, hwaddr, ip, target));
    }

    static String arpPacket(final int operation, final String hwaddr, final String ip, final String target) {
        return "0001 0800 06 04" + String.format("%04x", operation) + hwaddr + ip + "000000000000" + target;
    }

    /** The same frame with tags of 802.1Q ({@code 8100 0007}) behind its addresses. */
    static byte[] tagged(final byte[] frame, final String tags) {
        final String text = hex(frame);
        return hex(text.substring(0, 24) + tags + text.substring(24));
    }

    /** RFC 8200 header and an ICMPv6 message whose checksum is made here. */
    static byte[] icmp6(final String mac, final String from, final String to, final String message) {
        return ethernet(mac, GUEST, "86dd" + ip6(from, to, 58, 255, checked(from, to, message)));
    }

    static String ip6(final String from, final String to, final int next, final int hops, final String payload) {
        final int length = hex(payload).length;
        return "60000000" + String.format("%04x%02x%02x", length, next, hops) + from + to + payload;
    }

    /** An ICMPv6 message with the checksum of RFC 4443, section 2.3, in its third and fourth byte. */
    static String checked(final String from, final String to, final String message) {
        final byte[] m = hex(message);
        final String pseudo = from + to + String.format("%08x", m.length) + "0000003a";
        final int sum = checksum(hex(pseudo + message));
        m[2] = (byte) (sum >> 8);
        m[3] = (byte) sum;
        return hex(m);
    }

    /** RFC 4861, section 4.3, checksum 0. */
    static String solicitation(final String target, final String options) {
        return "87 00 0000 00000000" + target + options;
    }

    /** RFC 4861, section 4.4, checksum 0. */
    static String advertisement(final String flags, final String target, final String options) {
        return "88 00 0000" + flags + "000000" + target + options;
    }

    /** RFC 791, with options of the IP header (a multiple of 4 bytes), and UDP with its checksum. */
    static byte[] udp(final String from, final String to, final int fromPort, final int toPort, final String ipOptions,
            final String data) {
        return ethernet(ALL, GUEST, "0800" + ip4(from, to, 0, ipOptions, datagram(from, to, fromPort, toPort, data)));
    }

    static String datagram(final String from, final String to, final int fromPort, final int toPort,
            final String data) {
        final int length = 8 + hex(data).length;
        final String ports = String.format("%04x%04x%04x", fromPort, toPort, length);
        final int sum = checksum(hex(from + to + String.format("0011%04x", length) + ports + "0000" + data));
        return ports + String.format("%04x", sum == 0 ? 0xffff : sum) + data;
    }

    static String ip4(final String from, final String to, final int fragment, final String options,
            final String payload) {
        final int header = 20 + hex(options).length;
        final String start = String.format("%02x00%04x1234%04x4011", 0x40 | header / 4, header + hex(payload).length,
                fragment);
        final int sum = checksum(hex(start + "0000" + from + to + options));
        return start + String.format("%04x", sum) + from + to + options + payload;
    }

    /** RFC 2131, figure 1: 1 request or 2 reply, with the magic cookie and options; no sname, no file. */
    static String bootp(final int op, final String ciaddr, final String yiaddr, final String options) {
        return bootp(op, ciaddr, yiaddr, "00".repeat(64), "00".repeat(128), options);
    }

    static String bootp(final int op, final String ciaddr, final String yiaddr, final String sname, final String file,
            final String options) {
        return String.format("%02x010600", op) + "a1b2c3d4" + "0000" + "8000" + ciaddr + yiaddr + NO_IP + NO_IP
                + GUEST + "00".repeat(10) + sname + file + "63825363" + options;
    }

    /** From a client without an address to all. */
    static byte[] fromClient(final String data) {
        return udp(NO_IP, "ffffffff", 68, 67, "", data);
    }

    /** From a server to all. */
    static byte[] fromServer(final String data) {
        return udp("0a090001", "ffffffff", 67, 68, "", data);
    }

    /** RFC 1071. */
    static int checksum(final byte[] bytes) {
        final ByteBuffer words = ByteBuffer.wrap(Arrays.copyOf(bytes, bytes.length + bytes.length % 2));
        int sum = 0;
        while (words.hasRemaining()) {
            sum += words.getShort() & 0xffff;
            sum = (sum & 0xffff) + (sum >> 16);
        }
        return ~sum & 0xffff;
    }
}
