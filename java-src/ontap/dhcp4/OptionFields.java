// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.io.ByteArrayOutputStream;
import java.util.SortedMap;
import java.util.TreeMap;

/** The options of a message as bytes: code, length, value (RFC 2132, section 2), in up to three fields. */
final class OptionFields {
    static final int END = 255;

    private static final int PAD = 0;
    /** In which other fields options are. */
    private static final int OVERLOAD = 52;
    private static final int LONGEST = 255;
    private static final int OVERLOAD_FILE = 1;
    private static final int OVERLOAD_SNAME = 2;

    private OptionFields() {
    }

    /**
     * Code to value of all options, pieces put together (RFC 3396); null when an option passes the end of its field, a
     * field has no end option, or one of those that everything else hangs on has a wrong length.
     */
    static SortedMap<Integer, byte[]> read(final byte[] m) {
        final SortedMap<Integer, ByteArrayOutputStream> pieces = new TreeMap<>();
        if (!read(m, DhcpMessage.OPTIONS_AT, m.length, pieces)) {
            return null;
        }
        final ByteArrayOutputStream overload = pieces.get(OVERLOAD);
        final int more = overload == null || overload.size() != 1 ? 0 : overload.toByteArray()[0];
        // The order is that of RFC 3396, section 5.
        if ((more & OVERLOAD_FILE) != 0 && !read(m, DhcpMessage.FILE_AT, DhcpMessage.COOKIE_AT, pieces)
                || (more & OVERLOAD_SNAME) != 0 && !read(m, DhcpMessage.SNAME_AT, DhcpMessage.FILE_AT, pieces)) {
            return null;
        }
        final SortedMap<Integer, byte[]> options = new TreeMap<>();
        for (final var piece : pieces.entrySet()) {
            if (!fits(piece.getKey(), piece.getValue().size())) {
                return null;
            }
            options.put(piece.getKey(), piece.getValue().toByteArray());
        }
        // It was about the bytes, and says nothing about the message.
        options.remove(OVERLOAD);
        return options;
    }

    /** Can an option of this code be part of what a message says? */
    static boolean says(final int code) {
        return code > PAD && code < END && code != OVERLOAD;
    }

    /** Writes an option, one that is too long in pieces. */
    static void write(final ByteArrayOutputStream out, final int code, final byte[] value) {
        int at = 0;
        do {
            final int length = Math.min(LONGEST, value.length - at);
            out.write(code);
            out.write(length);
            out.write(value, at, length);
            at += length;
        } while (at < value.length);
    }

    private static boolean read(final byte[] m, final int start, final int end,
            final SortedMap<Integer, ByteArrayOutputStream> pieces) {
        int at = start;
        while (at < end && (m[at] & 0xff) != END) {
            final int code = m[at] & 0xff;
            if (code == PAD) {
                at++;
                continue;
            }
            if (end - at < 2 || (m[at + 1] & 0xff) > end - at - 2) {
                return false;
            }
            final int length = m[at + 1] & 0xff;
            pieces.computeIfAbsent(code, c -> new ByteArrayOutputStream(length)).write(m, at + 2, length);
            at += 2 + length;
        }
        return at < end;
    }

    private static boolean fits(final int code, final int length) {
        return switch (code) {
            case DhcpOptions.MASK, DhcpOptions.REQUESTED, DhcpOptions.LEASE -> length == Integer.BYTES;
            case OVERLOAD, DhcpOptions.TYPE -> length == 1;
            case DhcpOptions.CLIENT_ID -> length >= 2;
            default -> true;
        };
    }
}
