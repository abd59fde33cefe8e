// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

/** Neighbour discovery in IPv6 (RFC 4861), held to the rules of its sections 7.1.1 and 7.1.2. */
final class Neighbours {
    static final int ICMPV6 = 58;
    static final int SOLICITATION = 135;
    static final int ADVERTISEMENT = 136;
    static final int HOP_LIMIT = 255;
    static final int IP_HEADER = 40;

    private static final int LENGTH_AT = 4;
    private static final int SOURCE_AT = 8;
    private static final int DESTINATION_AT = 24;
    private static final int SIZE = 24;
    private static final int TARGET_AT = 8;
    private static final int OPTION_UNIT = 8;
    private static final int SOURCE_LINK_LAYER = 1;
    private static final int TARGET_LINK_LAYER = 2;
    private static final int MULTICAST = 0xff;
    private static final int SOLICITED = 0x40;
    private static final int OVERRIDE = 0x20;
    private static final Slice ANY = new Slice(new byte[Slice.IP6], 0, Slice.IP6);
    private static final Slice ALL_NODES = new Slice(
            new byte[] {(byte) MULTICAST, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Slice.IP6);
    /** RFC 4291, section 2.7.1: followed by the last three bytes of the address. */
    private static final Slice SOLICITED_NODE = new Slice(
            new byte[] {(byte) MULTICAST, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, (byte) 0xff}, 0, 13);

    private Neighbours() {
    }

    /** An extension header before ICMPv6 is nothing that neighbour discovery has need of: not looked behind. */
    static GuestFrame parse(final Slice frame, final Slice ip, final boolean partial) {
        if (ip.size() < IP_HEADER + SIZE || ip.u8(0) >> 4 != 6 || ip.u8(6) != ICMPV6 || ip.u8(7) != HOP_LIMIT) {
            return null;
        }
        final int length = ip.u16(LENGTH_AT);
        if (length < SIZE || length > ip.size() - IP_HEADER) {
            return null;
        }
        final Slice message = ip.part(IP_HEADER, length);
        if (message.u8(1) != 0 || ip.u8(SOURCE_AT) == MULTICAST || message.u8(TARGET_AT) == MULTICAST
                || !reaches(frame, ip) || !partial && !sound(ip, message)) {
            return null;
        }
        return switch (message.u8(0)) {
            case SOLICITATION -> solicitation(frame, ip, message);
            case ADVERTISEMENT -> advertisement(frame, ip, message);
            default -> null;
        };
    }

    private static GuestFrame solicitation(final Slice frame, final Slice ip, final Slice message) {
        final boolean probe = ip.same(SOURCE_AT, ANY, 0, Slice.IP6);
        final boolean group = ip.same(DESTINATION_AT, SOLICITED_NODE, 0, SOLICITED_NODE.size())
                && ip.same(DESTINATION_AT + SOLICITED_NODE.size(), message, TARGET_AT + SOLICITED_NODE.size(),
                        Slice.IP6 - SOLICITED_NODE.size());
        final boolean target = ip.same(DESTINATION_AT, message, TARGET_AT, Slice.IP6);
        final int option = option(message, SOURCE_LINK_LAYER);
        if (option < 0 || !group && (probe || !target) || probe && option > 0) {
            return null;
        }
        final String hwaddr = hwaddr(frame, message, option);
        return hwaddr == null ? null
                : new GuestFrame.Solicitation(hwaddr, ip.ip6(SOURCE_AT), message.ip6(TARGET_AT));
    }

    private static GuestFrame advertisement(final Slice frame, final Slice ip, final Slice message) {
        final boolean all = ip.same(DESTINATION_AT, ALL_NODES, 0, Slice.IP6);
        final boolean solicited = (message.u8(4) & SOLICITED) != 0;
        final int option = option(message, TARGET_LINK_LAYER);
        if (option < 0 || ip.same(SOURCE_AT, ANY, 0, Slice.IP6) || all && solicited
                || !all && ip.u8(DESTINATION_AT) == MULTICAST) {
            return null;
        }
        final String hwaddr = hwaddr(frame, message, option);
        return hwaddr == null ? null : new GuestFrame.Advertisement(hwaddr, ip.ip6(SOURCE_AT),
                message.ip6(TARGET_AT), solicited, (message.u8(4) & OVERRIDE) != 0);
    }

    /** Where the option of this type is, 0 when there is none, -1 when the options are not as they should be. */
    private static int option(final Slice message, final int type) {
        int found = 0;
        int at = SIZE;
        while (at < message.size()) {
            if (message.size() - at < 2) {
                return -1;
            }
            final int size = message.u8(at + 1) * OPTION_UNIT;
            if (size == 0 || size > message.size() - at || message.u8(at) == type && size != OPTION_UNIT) {
                return -1;
            }
            if (message.u8(at) == type && found == 0) {
                found = at;
            }
            at += size;
        }
        return found;
    }

    private static String hwaddr(final Slice frame, final Slice message, final int option) {
        return option == 0 ? frame.hwaddr(Slice.HWADDR) : message.hwaddr(option + 2);
    }

    /** Is the frame for one station, or for the group of its IP destination (RFC 2464, section 7)? */
    private static boolean reaches(final Slice frame, final Slice ip) {
        return !frame.group(0) || ip.u8(DESTINATION_AT) == MULTICAST && frame.u16(0) == 0x3333
                && frame.same(2, ip, DESTINATION_AT + 12, 4);
    }

    /** Checksum with the pseudo-header of RFC 8200, section 8.1. */
    private static boolean sound(final Slice ip, final Slice message) {
        return Slice.sound(ip.part(SOURCE_AT, 2 * Slice.IP6).sum() + message.size() + ICMPV6 + message.sum());
    }
}
