// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.xbill.DNS.Name;
import org.xbill.DNS.Type;

/**
 * A zone as a view has it, for transfers: one state, whatever changes later. Time does not count here: the TTLs are
 * whole, and records that are over are there until a change takes them out.
 */
public final class Zone {
    private final Contents contents;
    private final Journal journal;
    private final int number;

    Zone(final Contents contents, final int number) {
        this.contents = contents;
        this.number = number;
        journal = contents.zones[number];
    }

    /** The name at which it begins, small letters, no dot at the end. */
    public String apex() {
        return journal.soa.name();
    }

    /** Of the SOA, 0 to 2^32-1. */
    public long serial() {
        return journal.soa.serial();
    }

    /** Its SOA. */
    public RrSet soa() {
        return journal.soa;
    }

    /**
     * All sets with records, in canonical order of their names (RFC 4034, section 6.1) and by type, except that the
     * SOA is the first one. Glue is among them. Takes the time of a walk through all names of the view.
     */
    public List<RrSet> rrsets() {
        final List<Named> named = new ArrayList<>();
        contents.names.forEach(node -> {
            if (node.zone == number && node.sets.length > 0) {
                named.add(new Named(node.sets[0].ownerName(), node));
            }
        });
        named.sort(Comparator.comparing(Named::name));
        final List<RrSet> sets = new ArrayList<>();
        sets.add(journal.soa);
        for (final Named each : named) {
            for (final RrSet set : each.node.sets) {
                if (set.type() != Type.SOA && set.type() != RrSet.NOTHING) {
                    sets.add(set);
                }
            }
        }
        return sets;
    }

    /**
     * The changes that lead from a serial to this one, the oldest first; empty for this one itself; null when that is
     * not known.
     */
    public List<Delta> deltasSince(final long serial) {
        if (serial == serial()) {
            return List.of();
        }
        for (int i = 0; i < journal.deltas.size(); i++) {
            if (journal.deltas.get(i).oldSoa().serial() == serial) {
                return List.copyOf(journal.deltas.subList(i, journal.deltas.size()));
            }
        }
        return null;
    }

    private record Named(Name name, Node node) {
    }
}
