// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.nio.ByteBuffer;

/** The header of a frame and ARP. */
final class Ethernet {
    static final int HEADER = 14;
    static final int TYPE = 12;
    static final int TAG = 4;
    static final int VLAN = 0x8100;
    static final int SERVICE_VLAN = 0x88a8;
    static final int ARP = 0x0806;
    static final int IPV4 = 0x0800;
    static final int IPV6 = 0x86dd;

    private static final int TAGS_MAX = 2;
    private static final int ARP_SIZE = 28;
    /** Ethernet and IPv4: htype, ptype, hlen, plen. */
    private static final int ARP_HTYPE = 1;
    private static final int ARP_LENGTHS = 0x0604;
    private static final int ARP_REQUEST = 1;
    private static final int ARP_REPLY = 2;

    private Ethernet() {
    }

    static GuestFrame parse(final Slice frame, final boolean partial) {
        int at = TYPE;
        for (int tags = 0; tags < TAGS_MAX && frame.size() >= at + 2 && tag(frame.u16(at)); tags++) {
            at += TAG;
        }
        if (frame.size() < at + 2 || frame.hwaddr(Slice.HWADDR) == null) {
            return null;
        }
        final Slice payload = frame.from(at + 2);
        return switch (frame.u16(at)) {
            case ARP -> arp(frame, payload);
            case IPV4 -> Dhcp4.parse(frame, payload, partial);
            case IPV6 -> Neighbours.parse(frame, payload, partial);
            default -> null;
        };
    }

    /** Is the frame for one station, or for all? Only that every receiver takes. */
    static boolean forOneOrAll(final Slice frame) {
        return !frame.group(0) || frame.u16(0) == 0xffff && frame.u32(2) == -1;
    }

    private static boolean tag(final int type) {
        return type == VLAN || type == SERVICE_VLAN;
    }

    private static GuestFrame arp(final Slice frame, final Slice arp) {
        if (arp.size() < ARP_SIZE || !forOneOrAll(frame)
                || arp.u16(0) != ARP_HTYPE || arp.u16(2) != IPV4 || arp.u16(4) != ARP_LENGTHS) {
            return null;
        }
        final int operation = arp.u16(6);
        final String hwaddr = arp.hwaddr(8);
        final boolean probe = arp.u32(14) == 0;
        final boolean nothing = probe && (operation == ARP_REPLY || arp.u32(24) == 0);
        if (operation < ARP_REQUEST || operation > ARP_REPLY || hwaddr == null || nothing) {
            return null;
        }
        return new GuestFrame.Arp(operation == ARP_REPLY, hwaddr, arp.ip4(14), arp.ip4(24));
    }

    /** A frame with this payload. */
    static byte[] frame(final String to, final String from, final int type, final byte[] payload) {
        final ByteBuffer out = ByteBuffer.allocate(HEADER + payload.length);
        out.put(Slice.hwaddr(to)).put(Slice.hwaddr(from)).putShort((short) type).put(payload);
        return out.array();
    }

    /** The packet of ARP; whom a request looks for is not known, so its hardware address is zero. */
    static byte[] packet(final GuestFrame.Arp arp, final String to) {
        final ByteBuffer out = ByteBuffer.allocate(ARP_SIZE);
        out.putShort((short) ARP_HTYPE).putShort((short) IPV4).putShort((short) ARP_LENGTHS);
        out.putShort((short) (arp.reply() ? ARP_REPLY : ARP_REQUEST));
        out.put(Slice.hwaddr(arp.hwaddr())).put(arp.sender().getAddress());
        out.put(arp.reply() ? Slice.hwaddr(to) : new byte[Slice.HWADDR]).put(arp.target().getAddress());
        return out.array();
    }
}
