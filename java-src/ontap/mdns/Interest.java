// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.util.Arrays;
import java.util.Collection;

/**
 * A look at a datagram before anything is made of it: may it matter to whoever has these names? On a busy link nearly
 * everything is about others, and a flood has to cost little. Responses, probes and further known answers always may;
 * a query does when one of its questions is for one of the names. Names are compared by a hash of 64 bits: one in very
 * many is let through for nothing. Immutable.
 */
public final class Interest {
    private static final long SEED = 0xcbf29ce484222325L;
    private static final long PRIME = 0x100000001b3L;
    private static final int FLAGS_AT = 2;
    private static final int QUESTIONS_AT = 4;
    private static final int AUTHORITIES_AT = 8;
    /** Bytes of a question after its name. */
    private static final int QUESTION_REST = 4;

    private final long[] hashes;

    private Interest(final long[] hashes) {
        this.hashes = hashes;
    }

    /** In names as {@link MdnsQuestion#name} has them. */
    public static Interest in(final Collection<String> names) {
        return new Interest(names.stream().mapToLong(Interest::hash).sorted().toArray());
    }

    private static long hash(final String name) {
        long h = SEED;
        for (int i = 0; i < name.length(); i++) {
            h = (h ^ Names.folded(name.charAt(i))) * PRIME;
        }
        return h;
    }

    /**
     * May the datagram in the first {@code length} bytes matter? What is certainly no message does not. Allocates nothing.
     */
    public boolean matters(final byte[] bytes, final int length) {
        if (length < MdnsMessage.HEADER || length > bytes.length) {
            return false;
        }
        final int questions = u16(bytes, QUESTIONS_AT);
        if ((bytes[FLAGS_AT] & 0x80) != 0 || u16(bytes, AUTHORITIES_AT) > 0 || questions == 0) {
            return true;
        }
        int left = Names.mostWrittenOut(length);
        int at = MdnsMessage.HEADER;
        for (int i = 0; i < questions; i++) {
            long h = SEED;
            int from = at;
            int after = -1;
            int start = at;
            int total = 0;
            int pointers = 0;
            // as MessageReader reads a name, but that nothing is kept
            while (true) {
                if (from >= length) {
                    return false;
                }
                final int n = bytes[from] & 0xff;
                if (n >= Names.POINTER) {
                    if (from + 1 >= length) {
                        return false;
                    }
                    final int to = (n & ~Names.POINTER) << 8 | bytes[from + 1] & 0xff;
                    if (after < 0) {
                        after = from + 2;
                    }
                    if (to >= start || to < MdnsMessage.HEADER || ++pointers > Names.MOST_POINTERS) {
                        return false;
                    }
                    start = to;
                    from = to;
                } else {
                    total += 1 + n;
                    if (n > Names.LABEL_LONGEST || from + 1 + n > length || total > Names.LONGEST) {
                        return false;
                    }
                    for (int k = from; k <= from + n; k++) {
                        h = (h ^ Names.folded(bytes[k] & 0xff)) * PRIME;
                    }
                    from += 1 + n;
                    if (n == 0) {
                        break;
                    }
                }
            }
            left -= total;
            if (left < 0) {
                return false;
            }
            if (Arrays.binarySearch(hashes, h) >= 0) {
                return true;
            }
            at = (after < 0 ? from : after) + QUESTION_REST;
        }
        return false;
    }

    private static int u16(final byte[] bytes, final int at) {
        return (bytes[at] & 0xff) << 8 | bytes[at + 1] & 0xff;
    }
}
