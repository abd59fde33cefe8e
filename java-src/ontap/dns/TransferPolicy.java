// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import ontap.sys.Endpoint;
import org.xbill.DNS.Name;
import org.xbill.DNS.TextParseException;

/**
 * Who may transfer zones, and as which view they get them: rules of an address prefix, a key, or both. Of those that
 * apply the most specific counts: one with a key before one without, then the longer prefix; without one, nothing is
 * given. Immutable; for any thread.
 *
 * <p>A transfer shows all of the view of its rule: NAME.DOMAIN is there what an asker of that view is told, and so a
 * secondary tells it to everybody.
 */
public final class TransferPolicy {
    /** No view: it is refused. */
    public static final int NONE = -1;

    private static final int BITS = 128;
    /** The bits of ::ffff:0:0/96, which stand before an IPv4 address. */
    private static final int MAPPED = 96;

    private final List<Rule> rules;

    /**
     * One rule.
     *
     * @param from where its prefix begins, null: from everywhere. One of IPv6 is not about askers of IPv4, not even ::/0
     * @param bits of the prefix that count, of the 128 of {@code from}
     * @param key name of the key the query must be signed with, in lower case; null: with or without one
     * @param view what is shown
     */
    private record Rule(Endpoint from, int bits, Name key, int view) {
        boolean applies(final Endpoint asker, final TsigKey signer) {
            return (key == null || signer != null && key.equals(signer.name()))
                    && (from == null || from.isIp4() == asker.isIp4()
                            && same(from.high(), asker.high(), Math.min(bits, Long.SIZE))
                            && same(from.low(), asker.low(), Math.max(0, bits - Long.SIZE)));
        }

        private static boolean same(final long a, final long b, final int bits) {
            return bits == 0 || (a ^ b) >>> Long.SIZE - bits == 0;
        }
    }

    /** Rules of a configuration, one after the other. */
    public static final class Builder {
        private final List<Rule> rules = new ArrayList<>();

        /**
         * One rule more; of two that are as specific, the first counts.
         *
         * @param prefix such as {@code 10.8.0.0/16}; null: from everywhere
         * @param key name of the key that the query must be signed with, or null
         * @param view 0 to 2, what is shown
         * @throws IllegalArgumentException for what is no prefix, no name of a key, no view
         */
        public Builder add(final String prefix, final String key, final int view) {
            if (view < 0 || view >= Catalog.VIEWS) {
                throw new IllegalArgumentException("no view: " + view);
            }
            final Endpoint from = prefix == null ? null : Endpoint.of(prefix.substring(0, slash(prefix)), 0);
            final int bits = prefix == null ? 0 : bits(from, prefix.substring(slash(prefix) + 1));
            try {
                rules.add(new Rule(from, bits, key == null ? null : Name.fromString(key, Name.root).canonicalize(), view));
            } catch (final TextParseException e) {
                throw new IllegalArgumentException("the name of key " + key + " is not a domain name", e);
            }
            return this;
        }

        private static int slash(final String prefix) {
            final int slash = prefix.indexOf('/');
            if (slash < 0) {
                throw new IllegalArgumentException("no prefix: " + prefix);
            }
            return slash;
        }

        private static int bits(final Endpoint from, final String length) {
            final int before = from.isIp4() ? MAPPED : 0;
            final int bits = Integer.parseInt(length);
            if (bits < 0 || bits > BITS - before) {
                throw new IllegalArgumentException("length of a prefix: " + length);
            }
            return before + bits;
        }

        /** The policy of these rules. */
        public TransferPolicy build() {
            final List<Rule> ordered = new ArrayList<>(rules);
            Collections.sort(ordered, new MostSpecificFirst());
            return new TransferPolicy(List.copyOf(ordered));
        }
    }

    private static final class MostSpecificFirst implements Comparator<Rule> {
        @Override
        public int compare(final Rule a, final Rule b) {
            final int byKey = Boolean.compare(b.key != null, a.key != null);
            return byKey != 0 ? byKey : Integer.compare(b.bits, a.bits);
        }
    }

    private TransferPolicy(final List<Rule> rules) {
        this.rules = rules;
    }

    /** The view of which that asker may transfer zones, or NONE; {@code signer} is null for an unsigned query. */
    int transferView(final long high, final long low, final TsigKey signer) {
        final Endpoint asker = new Endpoint(high, low, 0, 0);
        for (final Rule rule : rules) {
            if (rule.applies(asker, signer)) {
                return rule.view;
            }
        }
        return NONE;
    }

    /** The view by which the queries of that signer are answered, or NONE: its rule has to name the key. */
    int queryView(final long high, final long low, final TsigKey signer) {
        final Endpoint asker = new Endpoint(high, low, 0, 0);
        for (final Rule rule : rules) {
            if (rule.key != null && rule.applies(asker, signer)) {
                return rule.view;
            }
        }
        return NONE;
    }
}
