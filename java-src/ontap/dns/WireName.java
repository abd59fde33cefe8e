// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Locale;
import org.xbill.DNS.Name;
import org.xbill.DNS.TextParseException;

/**
 * Names as a message has them, not compressed (RFC 1035, section 3.1), as the numbers that tables are looked up by:
 * eight octets each, big-endian, the last one filled up with zeros, letters small. Length octets are at most 63, which
 * is before the letters, so that all octets are folded alike.
 */
final class WireName {
    /** Octets of the longest name (RFC 1035, section 2.3.4). */
    static final int LONGEST = 255;
    /** Octets of the longest label. */
    static final int LABEL_LONGEST = 63;

    private static final long EACH = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x80 * EACH;
    private static final long LOW_BITS = 0x7f * EACH;
    private static final long FROM_A = (0x80 - 'A') * EACH;
    private static final long BEHIND_Z = (0x7f - 'Z') * EACH;
    /** From the high bit to the one that tells small letters from capitals. */
    private static final int TO_CASE_BIT = 2;
    /** An odd number without a pattern: 2^64 divided by the golden ratio. */
    private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;

    private WireName() {
    }

    /** The octets of an absolute name, small letters; "" and "." are the root. */
    static byte[] of(final String text) {
        try {
            return text.isEmpty() ? Name.root.toWire() : Name.fromString(text, Name.root).toWireCanonical();
        } catch (final TextParseException e) {
            throw new IllegalArgumentException("no domain name: " + text, e);
        }
    }

    /** Text as a catalog's keys have it: small letters, no dot at the end. */
    static String text(final String name) {
        final String small = name.toLowerCase(Locale.ROOT);
        return small.endsWith(".") && !small.endsWith("\\.") ? small.substring(0, small.length() - 1) : small;
    }

    /** The numbers of the octets from {@code from} on, which are a name. */
    static long[] words(final byte[] octets, final int from) {
        final int length = octets.length - from;
        final long[] words = new long[length + Long.BYTES - 1 >>> 3];
        for (int i = 0; i < length; i++) {
            words[i >>> 3] |= (octets[from + i] & 0xffL) << Long.SIZE - Byte.SIZE - ((i & 7) << 3);
        }
        for (int i = 0; i < words.length; i++) {
            words[i] = fold(words[i]);
        }
        return words;
    }

    /** The octets again. */
    static byte[] octets(final long[] words, final int length) {
        final ByteBuffer all = ByteBuffer.allocate(words.length * Long.BYTES);
        all.asLongBuffer().put(words);
        final byte[] octets = new byte[length];
        all.get(octets);
        return octets;
    }

    /** The hash of a name by its numbers. */
    static long hash(final long[] words, final int length) {
        long hash = length;
        for (final long word : words) {
            hash = mix(hash, word);
        }
        return hash;
    }

    /** The same of a name in a message, which has a header before it: never less than eight octets. */
    static long hash(final ByteBuffer message, final int at, final int length) {
        long hash = length;
        final int whole = at + (length & -Long.BYTES);
        for (int i = at; i < whole; i += Long.BYTES) {
            hash = mix(hash, fold(message.getLong(i)));
        }
        return (length & 7) == 0 ? hash : mix(hash, fold(rest(message, at + length, length & 7)));
    }

    /** Is the name in the message the one with these numbers? */
    static boolean same(final long[] words, final ByteBuffer message, final int at, final int length) {
        final int whole = length >>> 3;
        for (int i = 0; i < whole; i++) {
            if (fold(message.getLong(at + (i << 3))) != words[i]) {
                return false;
            }
        }
        return (length & 7) == 0 || fold(rest(message, at + length, length & 7)) == words[whole];
    }

    /** The last {@code count} octets before {@code end}, read together with those before them. */
    private static long rest(final ByteBuffer message, final int end, final int count) {
        return message.getLong(end - Long.BYTES) << Long.SIZE - (count << 3);
    }

    private static long mix(final long hash, final long word) {
        final long mixed = (hash ^ word) * SPREAD;
        return mixed ^ mixed >>> 32;
    }

    /** Sets the case bit of each octet that is a capital letter. */
    private static long fold(final long word) {
        final long low = word & LOW_BITS;
        final long capital = (low + FROM_A ^ low + BEHIND_Z) & ~word & HIGH_BITS;
        return word | capital >>> TO_CASE_BIT;
    }
}
