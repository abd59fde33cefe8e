// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

/** What a name may be, and when two are the same. */
final class Names {
    /** Bytes of a name with its lengths and the root's zero (RFC 6762 appendix C; unicast DNS takes one less). */
    static final int LONGEST = 256;
    static final int LABEL_LONGEST = 63;
    /** The two bits that tell a pointer from the length of a label (RFC 1035 section 4.1.4). */
    static final int POINTER = 0xc0;
    /** No name has more labels than 127; whoever compresses puts one before each pointer, but for the first. */
    static final int MOST_POINTERS = 128;
    private static final int CASE = 'a' - 'A';

    private Names() {
    }

    /**
     * How many bytes the names and the data in {@code length} bytes may have when they are written out. A few bytes can
     * point to a long name again and again, but what fits into a frame is less than half of this in any honest message. So
     * what is stored and looked at is bounded by what was sent.
     */
    static int mostWrittenOut(final int length) {
        return Math.max(16_384, 8 * length);
    }

    /** A byte of a name as it is compared: ASCII letters without case, all else as it stands (RFC 6762 section 16). */
    static int folded(final int b) {
        // lengths of labels are no letters
        return b >= 'A' && b <= 'Z' ? b + CASE : b;
    }

    /** Are both the same name? */
    static boolean same(final String a, final String b) {
        if (a.length() != b.length()) {
            return false;
        }
        for (int i = 0; i < a.length(); i++) {
            if (folded(a.charAt(i)) != folded(b.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    /** The name that all names which are the same as {@code name} have in common. */
    static String fold(final String name) {
        for (int i = 0; i < name.length(); i++) {
            if (folded(name.charAt(i)) != name.charAt(i)) {
                final char[] all = name.toCharArray();
                for (int k = i; k < all.length; k++) {
                    all[k] = (char) folded(all[k]);
                }
                return new String(all);
            }
        }
        return name;
    }
}
