// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Type;

/**
 * What a view says to a question of class IN: RFC 1034, section 4.3.2 with what RFC 2308 (negative answers), RFC 4592
 * (wildcards), RFC 8020 (nothing below what is not there) and RFC 8482 (little to ANY) make of it.
 */
final class Lookup {
    /** Aliases followed in one answer. */
    static final int ALIASES_MOST = 16;

    private final Contents contents;
    private final long nowMillis;
    private final Reply reply;
    private final boolean known;

    /**
     * At a time of CLOCK_BOOTTIME, into a reply.
     *
     * @param known is the class IN and not ANY, of which other classes might have more (RFC 1034, section 4.3.2)
     */
    Lookup(final Contents contents, final long nowMillis, final Reply reply, final boolean known) {
        this.contents = contents;
        this.nowMillis = nowMillis;
        this.reply = reply;
        this.known = known;
    }

    void answer(final Name asked, final int type) {
        final Set<Name> seen = new HashSet<>();
        Name name = asked;
        boolean first = true;
        while (name != null && seen.add(name) && seen.size() <= ALIASES_MOST + 1) {
            name = step(name, type, first);
            first = false;
        }
    }

    /** What there is to say of one name; gives the name to go on with, or null. */
    private Name step(final Name name, final int type, final boolean first) {
        final byte[] octets = name.toWireCanonical();
        final Node node = contents.encloser(octets);
        if (node == null || node.zone == Node.NO_ZONE) {
            if (first) {
                reply.rcode(Rcode.REFUSED);
            }
            return null;
        }
        final boolean exact = node.length == octets.length;
        final boolean delegation = exact && type == Type.DS && node.has(Node.APEX | Node.CUT);
        final Node place = delegation ? delegating(node) : node;
        if (place.has(Node.BELOW_CUT) || place.has(Node.CUT) && !(delegation && place == node)) {
            refer(place);
            return null;
        }
        if (first && known) {
            reply.authoritative();
        }
        final Node source = exact ? node : contents.wildcard(node);
        if (source == null) {
            reply.rcode(Rcode.NXDOMAIN);
            return negative(place.zone);
        }
        final RrSet set = type == Type.ANY ? any(source) : source.set(type);
        if (set != null) {
            return put(name, set);
        }
        final RrSet alias = source.set(Type.CNAME);
        if (alias == null) {
            return negative(place.zone);
        }
        put(name, alias);
        return ((CNAMERecord) alias.records().get(0)).getTarget();
    }

    /**
     * A DS is the matter of the zone above, if that is ours (RFC 4035, section 3.1.4.1): the name above the beginning
     * of a zone of ours; the node itself where somebody else's begins.
     */
    private Node delegating(final Node node) {
        final Node above = node.has(Node.APEX) ? contents.above(node) : null;
        return above == null || above.zone == Node.NO_ZONE ? node : above;
    }

    /** RFC 8482, section 4.1: one set of them, that of the lowest type. */
    private RrSet any(final Node node) {
        for (final RrSet set : node.sets) {
            if (set.type() != RrSet.NOTHING) {
                return set;
            }
        }
        return null;
    }

    private Name put(final Name owner, final RrSet set) {
        reply.answer(set.records(owner, set.ttlAt(nowMillis)));
        for (final Record record : set.records()) {
            addresses(record, null);
        }
        return null;
    }

    private Name negative(final int zone) {
        final RrSet soa = contents.zones[zone].negative;
        if (soa != null) {
            reply.authority(soa.records(soa.ownerName(), soa.ttlAt(nowMillis)));
        }
        return null;
    }

    /** To the servers of the zone that is somebody else's, which begins at the node or above it. */
    private void refer(final Node node) {
        Node cut = node;
        while (!cut.has(Node.CUT)) {
            cut = contents.above(cut);
        }
        final RrSet servers = cut.set(Type.NS);
        final List<Record> records = servers.records();
        reply.authority(records);
        for (final Record record : records) {
            addresses(record, servers.ownerName());
        }
    }

    /**
     * The addresses of the host that a record speaks of, if they are ours to tell.
     *
     * @param cut the beginning of the zone that the record refers to, or null
     */
    private void addresses(final Record record, final Name cut) {
        final Name host = record.getAdditionalName();
        if (host == null) {
            return;
        }
        final Node node = contents.names.find(host.toWireCanonical(), 0);
        if (node == null || node.zone == Node.NO_ZONE) {
            return;
        }
        for (final int type : new int[] {Type.A, Type.AAAA}) {
            final RrSet set = node.set(type);
            if (set != null && !reply.has(host, type)) {
                final List<Record> records = set.records(host, set.ttlAt(nowMillis));
                if (cut != null && host.subdomain(cut)) {
                    reply.glue(records);
                } else {
                    reply.additional(records);
                }
            }
        }
    }
}
