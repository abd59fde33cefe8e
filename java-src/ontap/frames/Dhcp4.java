// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import ontap.dhcp4.DhcpMessage;

/** DHCP in UDP in IPv4: the two headers around a {@link DhcpMessage}. */
final class Dhcp4 {
    static final int UDP = 17;
    static final int SERVER_PORT = 67;
    static final int CLIENT_PORT = 68;
    static final int PROTOCOL_AT = 9;
    static final int FRAGMENT_AT = 6;
    /** Flags and offset of IPv4 that only a fragment has. */
    static final int FRAGMENT = 0x3fff;
    static final int UDP_HEADER = 8;

    private static final int IP_HEADER = 20;
    private static final int IP_CHECKSUM_AT = 10;
    private static final int IP_SOURCE_AT = 12;
    private static final int UDP_CHECKSUM_AT = 6;
    private static final int VERSION_AND_HEADER = 0x45;
    /** With this flag nobody needs to know the packet by a number (RFC 6864). */
    private static final int DO_NOT_FRAGMENT = 0x4000;
    private static final int HOPS = 64;
    private static final int LONGEST = 0xffff;

    private Dhcp4() {
    }

    static GuestFrame parse(final Slice frame, final Slice ip, final boolean partial) {
        if (ip.size() < IP_HEADER || ip.u8(0) >> 4 != 4 || ip.u8(PROTOCOL_AT) != UDP
                || (ip.u16(FRAGMENT_AT) & FRAGMENT) != 0 || !Ethernet.forOneOrAll(frame)) {
            return null;
        }
        final int header = (ip.u8(0) & 0xf) * 4;
        final int total = ip.u16(2);
        if (header < IP_HEADER || total > ip.size() || total < header + UDP_HEADER + DhcpMessage.OPTIONS_AT
                || !Slice.sound(ip.part(0, header).sum())) {
            return null;
        }
        final Slice udp = ip.part(header, total - header);
        if (udp.u16(4) != udp.size() || !partial && !sound(ip, udp)) {
            return null;
        }
        final DhcpMessage message = DhcpMessage.read(udp.copy(UDP_HEADER, udp.size() - UDP_HEADER));
        return message == null || message.type() == DhcpMessage.INFORM || !ports(message, udp.u16(0), udp.u16(2)) ? null
                : new GuestFrame.Dhcp(frame.hwaddr(Slice.HWADDR), ip.ip4(IP_SOURCE_AT), message);
    }

    /** The packet of a message, both checksums made. */
    static byte[] packet(final InetAddress from, final InetAddress to, final DhcpMessage message) {
        final byte[] data = message.write();
        final int total = IP_HEADER + UDP_HEADER + data.length;
        if (total > LONGEST) {
            throw new IllegalArgumentException("a message of " + data.length + " bytes");
        }
        final ByteBuffer out = ByteBuffer.allocate(total);
        out.put((byte) VERSION_AND_HEADER).put((byte) 0).putShort((short) total);
        out.putShort((short) 0).putShort((short) DO_NOT_FRAGMENT);
        out.put((byte) HOPS).put((byte) UDP).putShort((short) 0).put(from.getAddress()).put(to.getAddress());
        out.putShort((short) (message.reply() ? SERVER_PORT : CLIENT_PORT));
        out.putShort((short) (message.reply() ? CLIENT_PORT : SERVER_PORT));
        out.putShort((short) (UDP_HEADER + data.length)).putShort((short) 0).put(data);
        final Slice ip = new Slice(out.array(), 0, total);
        out.putShort(IP_CHECKSUM_AT, (short) Slice.checksum(ip.part(0, IP_HEADER).sum()));
        final int checksum = Slice.checksum(sum(ip, ip.from(IP_HEADER)));
        // Zero would say that there is none (RFC 768).
        out.putShort(IP_HEADER + UDP_CHECKSUM_AT, (short) (checksum == 0 ? ~checksum : checksum));
        return out.array();
    }

    private static boolean ports(final DhcpMessage message, final int from, final int to) {
        return message.reply() ? from == SERVER_PORT && to == CLIENT_PORT : to == SERVER_PORT;
    }

    /** Zero means that the sender made no checksum. */
    private static boolean sound(final Slice ip, final Slice udp) {
        return udp.u16(UDP_CHECKSUM_AT) == 0 || Slice.sound(sum(ip, udp));
    }

    /** With the pseudo-header of RFC 768. */
    private static long sum(final Slice ip, final Slice udp) {
        return ip.part(IP_SOURCE_AT, 2 * Slice.IP4).sum() + UDP + udp.size() + udp.sum();
    }
}
