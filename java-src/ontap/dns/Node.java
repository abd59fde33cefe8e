// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import org.xbill.DNS.Type;

/**
 * A name of a view: one with sets, or one that is there because a name below it has some (an empty non-terminal, RFC
 * 4592, section 2.2.2). Immutable; a link of a chain in the {@link NameTable}.
 */
final class Node {
    /** {@link #zone} of a name that is in none of our zones. */
    static final int NO_ZONE = -1;
    /** The name has a SOA: a zone begins here. */
    static final int APEX = 1;
    /** The name has NS records and no SOA: somebody else's zone begins here (RFC 1034, section 4.2.1). */
    static final int CUT = 2;
    /** The name is below such a cut: glue at best. */
    static final int BELOW_CUT = 4;
    /** There is a name below that begins with the label {@code *} (RFC 4592). */
    static final int WILDCARD_BELOW = 8;
    /** What {@link #flagsBelow} makes out of the sets and the name above. */
    static final int OF_PLACE = APEX | CUT | BELOW_CUT;
    static final RrSet[] NO_SETS = {};

    final long hash;
    final long[] words;
    /** Octets of the name. */
    final int length;
    /** By type, ascending. */
    final RrSet[] sets;
    /** How many names below this one have sets. */
    final int below;
    /** Which of the view's zones it is in, or {@link #NO_ZONE}. */
    final int zone;
    final int flags;
    final Node next;

    Node(final long hash, final long[] words, final int length, final RrSet[] sets, final int below, final int zone,
            final int flags, final Node next) {
        this.hash = hash;
        this.words = words;
        this.length = length;
        this.sets = sets;
        this.below = below;
        this.zone = zone;
        this.flags = flags;
        this.next = next;
    }

    /** A name that was not there, in no zone yet. */
    static Node fresh(final long[] words, final int length) {
        return new Node(WireName.hash(words, length), words, length, NO_SETS, 0, NO_ZONE, 0, null);
    }

    /** The set of this type, or null. */
    RrSet set(final int type) {
        for (final RrSet set : sets) {
            if (set.type() == type) {
                return set;
            }
        }
        return null;
    }

    boolean has(final int flag) {
        return (flags & flag) != 0;
    }

    /** Is it nothing any more? */
    boolean isEmpty() {
        return sets.length == 0 && below == 0;
    }

    /** The same with this set in the place of the one of its type; without that one for a null. */
    Node with(final int type, final RrSet set) {
        final RrSet[] changed = new RrSet[sets.length + (set == null ? 0 : 1) - (set(type) == null ? 0 : 1)];
        int at = 0;
        boolean placed = set == null;
        for (final RrSet other : sets) {
            if (!placed && other.type() >= type) {
                changed[at++] = set;
                placed = true;
            }
            if (other.type() != type) {
                changed[at++] = other;
            }
        }
        if (!placed) {
            changed[at] = set;
        }
        return new Node(hash, words, length, changed, below, zone, flags, next);
    }

    Node withBelow(final int names) {
        return new Node(hash, words, length, sets, names, zone, flags, next);
    }

    Node withFlags(final int changed) {
        return new Node(hash, words, length, sets, below, zone, changed, next);
    }

    Node withZone(final int changed) {
        return new Node(hash, words, length, sets, below, changed, flags, next);
    }

    Node withNext(final Node changed) {
        return changed == next ? this : new Node(hash, words, length, sets, below, zone, flags, changed);
    }

    /** The flags of its place below the name above it, nullable for the root. */
    int flagsBelow(final Node parent) {
        final int kept = flags & ~OF_PLACE;
        if (set(Type.SOA) != null) {
            return kept | APEX;
        }
        if (parent == null || parent.zone == NO_ZONE) {
            return kept;
        }
        if (parent.has(CUT | BELOW_CUT)) {
            return kept | BELOW_CUT;
        }
        return set(Type.NS) == null ? kept : kept | CUT;
    }

    /** The zone of its place, when it is no apex. */
    static int zoneBelow(final Node parent) {
        return parent == null ? NO_ZONE : parent.zone;
    }
}
