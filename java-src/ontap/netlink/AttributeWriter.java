// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * A growing payload: the family's fixed header first, attributes after it, each padded to four
 * bytes (netlink(7), struct nlattr). Not for several threads.
 *
 * <p>Every method throws {@link NetlinkFormatException} when an attribute would pass 65,535 bytes.
 */
public final class AttributeWriter {
    /** Bit of the attribute type: the value is a list of attributes (NLA_F_NESTED). */
    public static final int NESTED = 0x8000;

    private static final int HEADER = 4;
    private static final int MAX = 0xffff;

    private byte[] bytes;
    private int length;

    /** An empty payload. */
    public AttributeWriter() {
        bytes = new byte[128];
    }

    /** A payload that starts with {@code header}, padded to four bytes. */
    public AttributeWriter(final byte[] header) {
        bytes = new byte[header.length + 128];
        raw(header);
    }

    /** An unsigned byte. */
    public AttributeWriter u8(final int type, final int value) {
        final int at = attribute(type, 1);
        bytes[at] = (byte) value;
        return this;
    }

    /** An unsigned 16-bit number in host order. */
    public AttributeWriter u16(final int type, final int value) {
        HostOrder.put16(bytes, attribute(type, 2), value);
        return this;
    }

    /** An unsigned 32-bit number in host order; the low 32 bits of {@code value}. */
    public AttributeWriter u32(final int type, final long value) {
        HostOrder.put32(bytes, attribute(type, 4), (int) value);
        return this;
    }

    /** A signed 32-bit number in host order. */
    public AttributeWriter s32(final int type, final int value) {
        return u32(type, value);
    }

    /** A 64-bit number in host order. */
    public AttributeWriter u64(final int type, final long value) {
        HostOrder.put64(bytes, attribute(type, 8), value);
        return this;
    }

    /** A string as UTF-8, ended with a NUL as the kernel's NLA_NUL_STRING wants it. */
    public AttributeWriter string(final int type, final String value) {
        final byte[] text = value.getBytes(StandardCharsets.UTF_8);
        final int at = attribute(type, text.length + 1);
        System.arraycopy(text, 0, bytes, at, text.length);
        return this;
    }

    /** The bytes as they are. */
    public AttributeWriter bytes(final int type, final byte[] value) {
        final int at = attribute(type, value.length);
        System.arraycopy(value, 0, bytes, at, value.length);
        return this;
    }

    /** An attribute without a value. */
    public AttributeWriter flag(final int type) {
        attribute(type, 0);
        return this;
    }

    /** A list of attributes, written by {@code body} into this writer. */
    public AttributeWriter nested(final int type, final Consumer<AttributeWriter> body) {
        final int mark = begin(type);
        body.accept(this);
        return end(mark);
    }

    /** Opens a list of attributes; the mark goes to {@link #end}. The form without a lambda. */
    public int begin(final int type) {
        final int mark = length;
        attribute(type | NESTED, 0);
        return mark;
    }

    /** Closes the list opened at {@code mark}. */
    public AttributeWriter end(final int mark) {
        final int size = length - mark;
        if (size > MAX) {
            throw tooLong(HostOrder.u16(bytes, mark + 2) & ~NESTED, size - HEADER);
        }
        HostOrder.put16(bytes, mark, size);
        return this;
    }

    /** Takes back everything since {@code mark}. */
    public AttributeWriter drop(final int mark) {
        Arrays.fill(bytes, mark, length, (byte) 0);
        length = mark;
        return this;
    }

    /** Bytes outside any attribute, padded to four: a header inside a nested attribute (veth). */
    public AttributeWriter raw(final byte[] header) {
        final int at = grow(header.length);
        System.arraycopy(header, 0, bytes, at, header.length);
        return this;
    }

    /** Bytes written so far. */
    public int length() {
        return length;
    }

    /** The payload, a copy. */
    public byte[] toBytes() {
        return Arrays.copyOf(bytes, length);
    }

    private int attribute(final int type, final int size) {
        if (size > MAX - HEADER) {
            throw tooLong(type & ~NESTED, size);
        }
        final int at = grow(HEADER + size);
        HostOrder.put16(bytes, at, HEADER + size);
        HostOrder.put16(bytes, at + 2, type);
        return at + HEADER;
    }

    /** Room for {@code size} bytes and their padding, which stays zero; where it starts. */
    private int grow(final int size) {
        final int at = length;
        length = HostOrder.align(at + size);
        if (length > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(length, bytes.length * 2));
        }
        return at;
    }

    private static NetlinkFormatException tooLong(final int type, final int size) {
        return new NetlinkFormatException(
                "attribute " + type + ": " + size + " bytes do not fit an attribute of 65535");
    }
}
