// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.io.ByteArrayOutputStream;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import ontap.frames.GuestFrame.Dhcp;

/** DHCP in UDP in IPv4 (RFC 2131, RFC 2132): of a message's options only those that tell about addresses. */
final class Dhcp4 {
    static final int UDP = 17;
    static final int SERVER_PORT = 67;
    static final int CLIENT_PORT = 68;
    /** Flags and offset of IPv4 that only a fragment has. */
    static final int FRAGMENT = 0x3fff;

    private static final int IP_HEADER = 20;
    private static final int IP_SOURCE_AT = 12;
    private static final int UDP_HEADER = 8;
    private static final int REPLY = 2;
    private static final int HTYPE_HLEN = 0x0106;
    private static final int CIADDR_AT = 12;
    private static final int YIADDR_AT = 16;
    private static final int CHADDR_AT = 28;
    private static final int SNAME_AT = 44;
    private static final int SNAME = 64;
    private static final int FILE_AT = 108;
    private static final int FILE = 128;
    private static final int COOKIE_AT = 236;
    private static final int COOKIE = 0x63825363;
    private static final int OPTIONS_AT = 240;

    private static final int PAD = 0;
    private static final int MASK = 1;
    private static final int REQUESTED = 50;
    private static final int SECONDS = 51;
    private static final int OVERLOAD = 52;
    private static final int TYPE = 53;
    private static final int CLIENT_ID = 61;
    private static final int END = 255;
    private static final int OVERLOAD_FILE = 1;
    private static final int OVERLOAD_SNAME = 2;

    private Dhcp4() {
    }

    static GuestFrame parse(final Slice frame, final Slice ip, final boolean partial) {
        if (ip.size() < IP_HEADER || ip.u8(0) >> 4 != 4 || ip.u8(9) != UDP || (ip.u16(6) & FRAGMENT) != 0
                || !Ethernet.forOneOrAll(frame)) {
            return null;
        }
        final int header = (ip.u8(0) & 0xf) * 4;
        final int total = ip.u16(2);
        if (header < IP_HEADER || total > ip.size() || total < header + UDP_HEADER + OPTIONS_AT
                || !Slice.sound(ip.part(0, header).sum())) {
            return null;
        }
        final Slice udp = ip.part(header, total - header);
        if (udp.u16(4) != udp.size() || !partial && !sound(ip, udp)) {
            return null;
        }
        return message(udp.u16(0), udp.u16(2), udp.from(UDP_HEADER));
    }

    /** Checksum with the pseudo-header of RFC 768; zero means that the sender made none. */
    private static boolean sound(final Slice ip, final Slice udp) {
        return udp.u16(6) == 0
                || Slice.sound(ip.part(IP_SOURCE_AT, 2 * Slice.IP4).sum() + UDP + udp.size() + udp.sum());
    }

    private static GuestFrame message(final int from, final int to, final Slice m) {
        final boolean reply = m.u8(0) == REPLY;
        final boolean ports = reply ? from == SERVER_PORT && to == CLIENT_PORT : to == SERVER_PORT;
        final String hwaddr = m.hwaddr(CHADDR_AT);
        if (m.u8(0) < 1 || m.u8(0) > REPLY || !ports || m.u16(1) != HTYPE_HLEN || m.u32(COOKIE_AT) != COOKIE
                || hwaddr == null) {
            return null;
        }
        final Map<Integer, byte[]> options = options(m);
        if (options == null || options.get(TYPE) == null) {
            return null;
        }
        final int type = options.get(TYPE)[0] & 0xff;
        if (type < Dhcp.DISCOVER || type > Dhcp.RELEASE || Dhcp.fromServer(type) != reply) {
            return null;
        }
        final byte[] requested = options.get(REQUESTED);
        final byte[] seconds = options.get(SECONDS);
        final byte[] id = options.get(CLIENT_ID);
        return new Dhcp(type, m.u32(4), hwaddr, m.ip4(CIADDR_AT), m.ip4(YIADDR_AT),
                requested == null ? null : Slice.address(requested),
                prefix(options.get(MASK)),
                seconds == null ? null : Integer.toUnsignedLong(number(seconds)),
                id == null ? null : HexFormat.of().formatHex(id));
    }

    /** Code to value of the known options, pieces put together (RFC 3396); null when anything is wrong. */
    private static Map<Integer, byte[]> options(final Slice m) {
        final Map<Integer, ByteArrayOutputStream> pieces = new HashMap<>();
        if (!read(m.from(OPTIONS_AT), pieces)) {
            return null;
        }
        final ByteArrayOutputStream overload = pieces.get(OVERLOAD);
        final int more = overload == null || overload.size() != 1 ? 0 : overload.toByteArray()[0] & 0xff;
        // The order is that of RFC 3396, section 5.
        if ((more & OVERLOAD_FILE) != 0 && !read(m.part(FILE_AT, FILE), pieces)
                || (more & OVERLOAD_SNAME) != 0 && !read(m.part(SNAME_AT, SNAME), pieces)) {
            return null;
        }
        final Map<Integer, byte[]> options = new HashMap<>();
        for (final Map.Entry<Integer, ByteArrayOutputStream> piece : pieces.entrySet()) {
            final byte[] value = piece.getValue().toByteArray();
            if (!fits(piece.getKey(), value.length)) {
                return null;
            }
            options.put(piece.getKey(), value);
        }
        return options;
    }

    /** False when an option passes the end of the field, or the field has no end option. */
    private static boolean read(final Slice field, final Map<Integer, ByteArrayOutputStream> pieces) {
        int at = 0;
        while (at < field.size() && field.u8(at) != END) {
            final int code = field.u8(at);
            if (code == PAD) {
                at++;
                continue;
            }
            if (field.size() - at < 2 || field.u8(at + 1) > field.size() - at - 2) {
                return false;
            }
            final int length = field.u8(at + 1);
            if (known(code)) {
                pieces.computeIfAbsent(code, c -> new ByteArrayOutputStream())
                        .writeBytes(field.copy(at + 2, length));
            }
            at += 2 + length;
        }
        return at < field.size();
    }

    private static boolean known(final int code) {
        return code == MASK || code >= REQUESTED && code <= TYPE || code == CLIENT_ID;
    }

    private static boolean fits(final int code, final int length) {
        return switch (code) {
            case MASK, REQUESTED, SECONDS -> length == Integer.BYTES;
            case OVERLOAD, TYPE -> length == 1;
            default -> length >= 2;
        };
    }

    /** Length of the prefix a mask tells, 0 for none. */
    private static int prefix(final byte[] mask) {
        final int bits = mask == null ? 0 : number(mask);
        final int length = Integer.numberOfLeadingZeros(~bits);
        return bits == (length == 0 ? 0 : -1 << Integer.SIZE - length) ? length : 0;
    }

    private static int number(final byte[] bytes) {
        return new Slice(bytes, 0, bytes.length).u32(0);
    }
}
