// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.List;

/**
 * A zone's SOA and how it came there: the changes between its serials, the oldest first, none left out. Immutable.
 */
final class Journal {
    /** More changes are not kept: who is that far behind transfers the zone. */
    static final int DELTAS_MOST = 512;
    /** The same for the records of all of them together. */
    static final int RECORDS_MOST = 20_000;

    final RrSet soa;
    /** The SOA as negative answers have it. */
    final RrSet negative;
    /** Octets of the zone's name. */
    final int apexLength;
    final List<Delta> deltas;
    private final int records;

    private Journal(final RrSet soa, final List<Delta> deltas, final int records) {
        this.soa = soa;
        negative = soa.withTtl(soa.minimum());
        apexLength = soa.owner().length;
        this.deltas = deltas;
        this.records = records;
    }

    /** Of a zone that begins, or whose past is not known. */
    static Journal begin(final RrSet soa) {
        return new Journal(soa, List.of(), 0);
    }

    /**
     * After a change of the zone, to this SOA. A change that did not raise the serial cannot be told, so the past
     * begins anew.
     */
    Journal after(final RrSet newSoa, final List<RrSet> removed, final List<RrSet> added) {
        if ((int) (newSoa.serial() - soa.serial()) <= 0) {
            return begin(newSoa);
        }
        final Delta delta = new Delta(soa, removed, newSoa, added);
        final List<Delta> kept = new ArrayList<>(deltas.size() + 1);
        kept.addAll(deltas);
        kept.add(delta);
        int total = records + delta.records();
        int from = 0;
        while (kept.size() - from > DELTAS_MOST || total > RECORDS_MOST) {
            total -= kept.get(from++).records();
        }
        return new Journal(newSoa, from == 0 ? kept : new ArrayList<>(kept.subList(from, kept.size())), total);
    }
}
