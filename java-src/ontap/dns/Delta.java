// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.List;

/**
 * What one change of a zone took away and brought, as IXFR tells it (RFC 1995, section 4). A set here has only those
 * records of its name and type that went or came; of one whose TTL changed, all went and came. The SOA is in neither
 * list.
 *
 * @param oldSoa the SOA before
 * @param removed what went
 * @param newSoa the SOA after
 * @param added what came
 */
public record Delta(RrSet oldSoa, List<RrSet> removed, RrSet newSoa, List<RrSet> added) {
    /** Keeps copies. */
    public Delta {
        removed = List.copyOf(removed);
        added = List.copyOf(added);
    }

    /** How many records it has, with both SOAs. */
    int records() {
        int records = 2;
        for (final RrSet set : removed) {
            records += set.count();
        }
        for (final RrSet set : added) {
            records += set.count();
        }
        return records;
    }
}
