// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which view an asker sees, by its address: that of the longest prefix it is in, else {@link #FOREIGN}. Immutable.
 *
 * <p>A prefix of IPv6 is not about askers of IPv4, not even ::/0, although their addresses are looked up as
 * ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).
 */
public final class Askers {
    /** The view of everybody else. */
    public static final int FOREIGN = 2;

    /** The bits of ::ffff:0:0/96, which stand before an IPv4 address. */
    private static final int MAPPED_BITS = 96;
    private static final long MAPPED = 0xffff_0000_0000L;
    private static final int IPV4 = 4;
    private static final int IPV6 = 16;

    /** Where each range of addresses begins, ascending as unsigned; the sign bit is flipped so that `<` compares. */
    private final long[] highs;
    private final long[] lows;
    private final byte[] views;

    private Askers(final List<Step> steps) {
        highs = new long[steps.size()];
        lows = new long[steps.size()];
        views = new byte[steps.size()];
        for (int i = 0; i < highs.length; i++) {
            highs[i] = steps.get(i).high ^ Long.MIN_VALUE;
            lows[i] = steps.get(i).low ^ Long.MIN_VALUE;
            views[i] = (byte) steps.get(i).view;
        }
    }

    /**
     * A prefix and the view of the askers in it.
     *
     * @param prefix an address, 4 or 16 octets; bits behind the length do not count
     * @param length in bits, at most 32 or 128
     * @param view 0 to 2
     */
    public record Rule(byte[] prefix, int length, int view) {
        /** Refuses what is no prefix. */
        public Rule {
            if (prefix.length != IPV4 && prefix.length != IPV6 || length < 0 || length > prefix.length * Byte.SIZE
                    || view < 0 || view > FOREIGN) {
                throw new IllegalArgumentException(
                        "no prefix of a view: " + prefix.length + " octets, " + length + " bits, view " + view);
            }
            prefix = prefix.clone();
        }
    }

    /** The table of these rules; of two for one prefix the later counts. */
    public static Askers of(final List<Rule> rules) {
        final Map<List<Long>, Prefix> prefixes = new HashMap<>();
        final Prefix all = new Prefix(0, 0, 0, FOREIGN);
        final Prefix ipv4 = new Prefix(0, MAPPED, MAPPED_BITS, FOREIGN);
        prefixes.put(all.key(), all);
        prefixes.put(ipv4.key(), ipv4);
        for (final Rule rule : rules) {
            final Prefix prefix = Prefix.of(rule);
            prefixes.put(prefix.key(), prefix);
        }
        final List<Prefix> sorted = new ArrayList<>(prefixes.values());
        sorted.sort(Comparator.comparing((Prefix p) -> p.high ^ Long.MIN_VALUE)
                .thenComparing(p -> p.low ^ Long.MIN_VALUE).thenComparing(p -> p.bits));
        return new Askers(flat(sorted));
    }

    /** The view of the asker with this address, two times eight octets, big-endian. */
    public int view(final long high, final long low) {
        final long h = high ^ Long.MIN_VALUE;
        final long l = low ^ Long.MIN_VALUE;
        int from = 0;
        int to = highs.length;
        // the last range that does not begin after the address; the first begins at ::
        while (to - from > 1) {
            final int middle = from + to >>> 1;
            final long begin = highs[middle];
            if (begin < h || begin == h && lows[middle] <= l) {
                from = middle;
            } else {
                to = middle;
            }
        }
        return views[from];
    }

    /** Nested prefixes, outer ones first, as ranges side by side. */
    private static List<Step> flat(final List<Prefix> sorted) {
        final List<Step> steps = new ArrayList<>();
        final Deque<Prefix> open = new ArrayDeque<>();
        for (final Prefix prefix : sorted) {
            close(open, prefix, steps);
            open.push(prefix);
            step(steps, prefix.high, prefix.low, prefix.view);
        }
        close(open, null, steps);
        return steps;
    }

    /** Ends the prefixes that the next one, null for none, is not in. */
    private static void close(final Deque<Prefix> open, final Prefix next, final List<Step> steps) {
        while (!open.isEmpty() && (next == null || !open.peek().contains(next))) {
            final Prefix ended = open.pop();
            final long low = ended.low | ~Prefix.mask(ended.bits - Long.SIZE);
            final long high = ended.high | ~Prefix.mask(ended.bits);
            if (!open.isEmpty() && (low != -1 || high != -1)) {
                step(steps, low == -1 ? high + 1 : high, low + 1, open.peek().view);
            }
        }
    }

    /** Two ranges that begin at the same address: the later, narrower one counts. Two with one view are one. */
    private static void step(final List<Step> steps, final long high, final long low, final int view) {
        final int last = steps.size() - 1;
        if (last >= 0 && steps.get(last).high == high && steps.get(last).low == low) {
            steps.remove(last);
        }
        if (steps.isEmpty() || steps.get(steps.size() - 1).view != view) {
            steps.add(new Step(high, low, view));
        }
    }

    private record Step(long high, long low, int view) {
    }

    private record Prefix(long high, long low, int bits, int view) {
        static Prefix of(final Rule rule) {
            final boolean ipv4 = rule.prefix.length == IPV4;
            final int bits = ipv4 ? MAPPED_BITS + rule.length : rule.length;
            final long high = ipv4 ? 0 : number(rule.prefix, 0, Long.BYTES);
            final long low = ipv4 ? MAPPED | number(rule.prefix, 0, IPV4) : number(rule.prefix, Long.BYTES, IPV6);
            return new Prefix(high & mask(bits), low & mask(bits - Long.SIZE), bits, rule.view);
        }

        private static long number(final byte[] octets, final int from, final int to) {
            long number = 0;
            for (int i = from; i < to; i++) {
                number = number << Byte.SIZE | octets[i] & 0xff;
            }
            return number;
        }

        /** The first {@code bits} of 64, which may be fewer than none, or more than all. */
        static long mask(final int bits) {
            return bits <= 0 ? 0 : bits >= Long.SIZE ? -1 : -1L << Long.SIZE - bits;
        }

        boolean contains(final Prefix other) {
            return bits <= other.bits && ((high ^ other.high) & mask(bits)) == 0
                    && ((low ^ other.low) & mask(bits - Long.SIZE)) == 0;
        }

        List<Long> key() {
            return List.of(high, low, (long) bits);
        }
    }
}
