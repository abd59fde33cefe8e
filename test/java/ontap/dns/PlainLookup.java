// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Type;

/**
 * What RFC 1034, section 4.3.2, and RFC 4592 say, in the plainest way: all sets in a map, walked through for each
 * question. A witness for {@link Lookup}, with which it shares nothing. Without additional records.
 */
final class PlainLookup {
    private final Map<Catalog.Key, RrSet> sets;
    private final Set<String> existing;
    private final long now;

    int rcode = Rcode.NOERROR;
    boolean authoritative;
    final List<String> answer = new ArrayList<>();
    final TreeSet<String> authority = new TreeSet<>();

    PlainLookup(final Map<Catalog.Key, RrSet> sets, final Set<String> existing, final long now) {
        this.sets = sets;
        this.existing = existing;
        this.now = now;
    }

    void ask(final String asked, final int type) {
        String name = asked;
        final List<String> seen = new ArrayList<>();
        for (int i = 0; i <= Lookup.ALIASES_MOST && !seen.contains(name); i++) {
            seen.add(name);
            final String zone = zone(name, type);
            if (zone == null) {
                rcode = i == 0 ? Rcode.REFUSED : rcode;
                return;
            }
            final String cut = cut(zone, name, type);
            if (cut != null) {
                say(authority, cut, sets.get(new Catalog.Key(cut, Type.NS)));
                return;
            }
            authoritative |= i == 0;
            final String source = source(name);
            if (source == null) {
                rcode = Rcode.NXDOMAIN;
                negative(zone);
                return;
            }
            final RrSet found = type == Type.ANY ? IntStream.range(1, 256).mapToObj(t -> live(source, t))
                    .filter(set -> set != null).findFirst().orElse(null) : live(source, type);
            final RrSet alias = live(source, Type.CNAME);
            if (found != null || alias == null) {
                if (found == null) {
                    negative(zone);
                } else {
                    say(answer, name, found);
                }
                return;
            }
            say(answer, name, alias);
            name = ((CNAMERecord) alias.records().get(0)).getTarget().toString(true);
        }
    }

    /** The longest zone the name is in; of a DS, that above it, if it is ours. */
    private String zone(final String name, final int type) {
        String found = null;
        String further = null;
        for (String n = name; n != null; n = above(n)) {
            if (sets.containsKey(new Catalog.Key(n, Type.SOA))) {
                if (found == null) {
                    found = n;
                } else if (further == null) {
                    further = n;
                }
            }
        }
        return type == Type.DS && name.equals(found) && further != null ? further : found;
    }

    /** Between zone and name, the uppermost beginning of a zone that is not ours. */
    private String cut(final String zone, final String name, final int type) {
        String found = null;
        for (String n = name; !n.equals(zone); n = above(n)) {
            final boolean apex = sets.containsKey(new Catalog.Key(n, Type.SOA));
            if (sets.containsKey(new Catalog.Key(n, Type.NS)) && !apex && !(n.equals(name) && type == Type.DS)) {
                found = n;
            }
        }
        return found;
    }

    /** The name itself if it is there or something below it is; else the wildcard below the nearest that is. */
    private String source(final String name) {
        for (String n = name; n != null; n = above(n)) {
            if (exists(n)) {
                final String wildcard = "*." + n;
                return n.equals(name) ? n : exists(wildcard) ? wildcard : null;
            }
        }
        return null;
    }

    /** The names that are there: those with sets, and all above them. */
    static Set<String> existing(final Map<Catalog.Key, RrSet> sets) {
        final Set<String> existing = new HashSet<>();
        for (final Catalog.Key key : sets.keySet()) {
            for (String n = key.name(); n != null; n = above(n)) {
                existing.add(n);
            }
        }
        return existing;
    }

    private boolean exists(final String name) {
        return existing.contains(name);
    }

    private RrSet live(final String name, final int type) {
        return sets.get(new Catalog.Key(name, type));
    }

    private void negative(final String zone) {
        final RrSet soa = sets.get(new Catalog.Key(zone, Type.SOA));
        say(authority, zone, RrSet.of(zone, Type.SOA, Math.min(soa.ttl(), 10), RrSet.FOR_EVER, soa.data()));
    }

    private void say(final Collection<String> section, final String owner, final RrSet set) {
        for (final Record record : set.records()) {
            final long ttl = set.untilMillis() == RrSet.FOR_EVER || record.getType() == Type.NS && section == authority
                    ? set.ttl() : Math.max(0, Math.min(set.ttl(), Math.floorDiv(set.untilMillis() - now, 1000L)));
            section.add(owner + " " + ttl + " " + Type.string(set.type()) + " " + record.rdataToString());
        }
    }

    private static String above(final String name) {
        return name.indexOf('.') < 0 ? null : name.substring(name.indexOf('.') + 1);
    }
}
