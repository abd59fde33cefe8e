// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.HexFormat;

/** A part of a frame, in network byte order. Who reads has looked at {@link #size} before. */
final class Slice {
    static final int HWADDR = 6;
    static final int IP4 = 4;
    static final int IP6 = 16;

    private static final HexFormat COLONS = HexFormat.ofDelimiter(":");
    private static final int GROUP_BIT = 1;

    private final byte[] bytes;
    private final int start;
    private final int size;

    Slice(final byte[] bytes, final int start, final int size) {
        this.bytes = bytes;
        this.start = start;
        this.size = size;
    }

    int size() {
        return size;
    }

    int u8(final int at) {
        return bytes[start + at] & 0xff;
    }

    int u16(final int at) {
        return u8(at) << 8 | u8(at + 1);
    }

    int u32(final int at) {
        return u16(at) << 16 | u16(at + 2);
    }

    /** The {@code count} bytes from {@code at} on. */
    Slice part(final int at, final int count) {
        return new Slice(bytes, start + at, count);
    }

    /** All from {@code at} on. */
    Slice from(final int at) {
        return part(at, size - at);
    }

    byte[] copy(final int at, final int count) {
        return Arrays.copyOfRange(bytes, start + at, start + at + count);
    }

    /** The hardware address at {@code at}; null when it is nobody's: a group's, or all zero. */
    String hwaddr(final int at) {
        final byte[] address = copy(at, HWADDR);
        return group(at) || Arrays.equals(address, new byte[HWADDR]) ? null : COLONS.formatHex(address);
    }

    /** Is the hardware address at {@code at} that of a group, such as broadcast? */
    boolean group(final int at) {
        return (u8(at) & GROUP_BIT) != 0;
    }

    InetAddress ip4(final int at) {
        return address(copy(at, IP4));
    }

    InetAddress ip6(final int at) {
        return address(copy(at, IP6));
    }

    boolean same(final int at, final Slice other, final int otherAt, final int count) {
        return Arrays.equals(bytes, start + at, start + at + count,
                other.bytes, other.start + otherAt, other.start + otherAt + count);
    }

    /** The sum of the 16-bit words (RFC 1071), not folded; a last odd byte counts as the upper one. */
    long sum() {
        long sum = 0;
        for (int i = 0; i + 1 < size; i += 2) {
            sum += u16(i);
        }
        return size % 2 == 0 ? sum : sum + (u8(size - 1) << 8);
    }

    /** Is a sum over data and its checksum what it should be? */
    static boolean sound(final long sum) {
        return checksum(sum) == 0;
    }

    /** The checksum that goes with a sum over data in which its place is zero. */
    static int checksum(final long sum) {
        long folded = sum;
        while (folded >>> 16 != 0) {
            folded = (folded & 0xffff) + (folded >>> 16);
        }
        return (int) ~folded & 0xffff;
    }

    /** The bytes of a hardware address's text. */
    static byte[] hwaddr(final String text) {
        return COLONS.parseHex(text);
    }

    /** Sixteen bytes stay an IPv6 address, also where InetAddress would see an IPv4 one in them. */
    static InetAddress address(final byte[] ip) {
        try {
            return ip.length == IP6 ? Inet6Address.getByAddress(null, ip, -1) : InetAddress.getByAddress(ip);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException("an address of " + ip.length + " bytes", e);
        }
    }
}
