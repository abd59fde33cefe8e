// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.nio.ByteOrder;

/**
 * Integers in the byte order of this machine, which is the order netlink uses. The caller has
 * checked the bounds; an index outside the array throws as any array access does.
 */
public final class HostOrder {
    private static final boolean LITTLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

    private HostOrder() {}

    /** The unsigned byte at {@code at}. */
    public static int u8(final byte[] b, final int at) {
        return b[at] & 0xff;
    }

    /** The unsigned 16-bit number at {@code at}. */
    public static int u16(final byte[] b, final int at) {
        return LITTLE ? u8(b, at) | u8(b, at + 1) << 8 : u8(b, at) << 8 | u8(b, at + 1);
    }

    /** The signed 32-bit number at {@code at}; mask it for an unsigned one. */
    public static int s32(final byte[] b, final int at) {
        return LITTLE ? u16(b, at) | u16(b, at + 2) << 16 : u16(b, at) << 16 | u16(b, at + 2);
    }

    /** The 64-bit number at {@code at}. */
    public static long s64(final byte[] b, final int at) {
        final long first = s32(b, at) & 0xffffffffL;
        final long second = s32(b, at + 4) & 0xffffffffL;
        return LITTLE ? first | second << 32 : first << 32 | second;
    }

    /** Writes the low 16 bits of {@code value}. */
    public static void put16(final byte[] b, final int at, final int value) {
        b[at] = (byte) (LITTLE ? value : value >>> 8);
        b[at + 1] = (byte) (LITTLE ? value >>> 8 : value);
    }

    /** Writes 32 bits. */
    public static void put32(final byte[] b, final int at, final int value) {
        put16(b, at, LITTLE ? value : value >>> 16);
        put16(b, at + 2, LITTLE ? value >>> 16 : value);
    }

    /** Writes 64 bits. */
    public static void put64(final byte[] b, final int at, final long value) {
        put32(b, at, (int) (LITTLE ? value : value >>> 32));
        put32(b, at + 4, (int) (LITTLE ? value >>> 32 : value));
    }

    /** {@code length} rounded up to the netlink alignment of four bytes (NLMSG_ALIGN, NLA_ALIGN). */
    public static int align(final int length) {
        return length + 3 & ~3;
    }
}
