// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A cursor over attributes with a sticky error: read all that interests, then {@link #check} once.
 *
 * <pre>{@code
 * while (r.next()) {
 *     switch (r.type()) {
 *         case IFLA_MTU: mtu = r.s32(); break;
 *         default: break;
 *     }
 * }
 * r.check();
 * }</pre>
 *
 * <p>After the first mistake {@link #next} is false and getters give zero, an empty string or no
 * bytes. A mistake in a nested list counts for the lists around it. Only {@link #check} throws.
 */
public final class AttributeReader {
    private static final int HEADER = 4;
    private static final int TYPE_MASK = 0x3fff;
    private static final byte[] NONE = {};

    private final byte[] bytes;
    private final int end;
    private final AttributeReader parent;
    private final int parentType;
    private int following;
    private int valueAt;
    private int valueLength;
    private int rawType = -1;
    private String error;

    /** Attributes in {@code bytes} from {@code start} (a multiple of four) to its end. */
    public AttributeReader(final byte[] bytes, final int start) {
        this(bytes, start, bytes.length, null, -1);
        if (start > bytes.length) {
            fail("a payload of " + bytes.length + " bytes where a header of " + start + " is due");
        }
    }

    private AttributeReader(
            final byte[] bytes, final int start, final int end, final AttributeReader parent, final int type) {
        this.bytes = bytes;
        this.following = start;
        this.end = end;
        this.parent = parent;
        this.parentType = type;
    }

    /** Moves to the next attribute; false at the end or after a mistake. */
    public boolean next() {
        if (error != null || following >= end) {
            rawType = -1;
            valueLength = 0;
            return false;
        }
        final int left = end - following;
        if (left < HEADER) {
            return stop(left + " bytes left where an attribute header of 4 is due");
        }
        final int length = HostOrder.u16(bytes, following);
        rawType = HostOrder.u16(bytes, following + 2);
        if (length < HEADER || length > left) {
            return stop("attribute " + path(type()) + ": length " + length + " with " + left + " bytes left");
        }
        valueAt = following + HEADER;
        valueLength = length - HEADER;
        // The padding of the last attribute may be missing.
        following = Math.min(end, following + HostOrder.align(length));
        return true;
    }

    /** The type of the current attribute without its flag bits; -1 before the first and after the last. */
    public int type() {
        return rawType < 0 ? -1 : rawType & TYPE_MASK;
    }

    /** True when the sender marked the value as a list of attributes; many senders do not mark. */
    public boolean markedNested() {
        return rawType >= 0 && (rawType & AttributeWriter.NESTED) != 0;
    }

    /** Bytes of the current value. */
    public int length() {
        return valueLength;
    }

    /** The value as an unsigned byte. */
    public int u8() {
        return due(1) ? HostOrder.u8(bytes, valueAt) : 0;
    }

    /** The value as an unsigned 16-bit number. */
    public int u16() {
        return due(2) ? HostOrder.u16(bytes, valueAt) : 0;
    }

    /** The value as an unsigned 32-bit number. */
    public long u32() {
        return s32() & 0xffffffffL;
    }

    /** The value as a signed 32-bit number (also for unsigned ones that stay small: indices, MTU). */
    public int s32() {
        return due(4) ? HostOrder.s32(bytes, valueAt) : 0;
    }

    /** The value as a 64-bit number. */
    public long u64() {
        return due(8) ? HostOrder.s64(bytes, valueAt) : 0;
    }

    /** The value as UTF-8 up to the first NUL; bytes that are not UTF-8 read as U+FFFD. */
    public String string() {
        int n = 0;
        while (n < valueLength && bytes[valueAt + n] != 0) {
            n++;
        }
        return new String(bytes, valueAt, n, StandardCharsets.UTF_8);
    }

    /** The value, a copy. */
    public byte[] bytes() {
        return valueLength == 0 ? NONE : Arrays.copyOfRange(bytes, valueAt, valueAt + valueLength);
    }

    /** A cursor over the attributes inside the current one; its mistakes are ours too. */
    public AttributeReader nested() {
        return new AttributeReader(bytes, valueAt, valueAt + valueLength, this, type());
    }

    /** As {@link #nested()}, for a value that starts with a header of {@code header} bytes. */
    public AttributeReader nested(final int header) {
        final int start = valueAt + Math.min(header, valueLength);
        final AttributeReader inner = new AttributeReader(bytes, start, valueAt + valueLength, this, type());
        if (valueLength < header) {
            inner.fail("attribute " + path(type()) + ": " + valueLength + " bytes where " + header + " are due");
        }
        return inner;
    }

    /** The first mistake so far, null when there is none. */
    public String error() {
        return error;
    }

    /** Throws {@link NetlinkFormatException} when anything read so far was malformed. */
    public void check() {
        if (error != null) {
            throw new NetlinkFormatException(error);
        }
    }

    /** Reports a value its reader cannot accept, as {@code attribute T: <text>}. */
    public void reject(final String text) {
        fail("attribute " + path(type()) + ": " + text);
    }

    private boolean due(final int size) {
        if (error == null && rawType >= 0 && valueLength == size) {
            return true;
        }
        fail("attribute " + path(type()) + ": " + valueLength + " bytes where " + size + " are due");
        return false;
    }

    private boolean stop(final String text) {
        fail(text);
        rawType = -1;
        valueLength = 0;
        return false;
    }

    private void fail(final String text) {
        for (AttributeReader r = this; r != null; r = r.parent) {
            if (r.error == null) {
                r.error = text;
            }
        }
    }

    /** {@code 18.2} for attribute 2 inside attribute 18. */
    private String path(final int type) {
        return parent == null ? Integer.toString(type) : parent.path(parentType) + "." + type;
    }
}
