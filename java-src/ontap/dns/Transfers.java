// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.xbill.DNS.DClass;
import org.xbill.DNS.DNSInput;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;
import org.xbill.DNS.WireParseException;

/**
 * Answers to AXFR (RFC 5936) and IXFR (RFC 1995) of a zone as a view has it, once somebody has been found to be allowed
 * them. The records are those of the zone's serial, whatever time it is: TTLs are whole, and a record whose time is
 * over stays until the change that takes it out, or else two secondaries with one serial would differ. A name that
 * has no records at all (RrSet type 0) cannot be transferred.
 */
final class Transfers {
    /** Type, class, TTL and length of a record. */
    private static final int RECORD_HEAD = 10;
    /** More do not fit in a datagram: a pointer for the name, the head, an address. */
    private static final int DATAGRAM_RECORDS = Responder.DATAGRAM_MOST / (2 + RECORD_HEAD + 4);

    private Transfers() {
    }

    /** Is it about these two types? */
    static boolean asksFor(final int type) {
        return type == Type.AXFR || type == Type.IXFR;
    }

    /** The messages of a transfer by TCP, lazily made; {@code view} may be TransferPolicy.NONE. */
    static Iterator<byte[]> stream(final byte[] query, final MessageScan scan, final Catalog catalog, final int view) {
        final int rcode = refusal(query, scan, catalog, view);
        return rcode != Rcode.NOERROR ? List.of(ShortAnswer.of(query, scan, 0, rcode)).iterator()
                : new TransferStream(scan, contents(query, scan, zone(scan, catalog, view)));
    }

    /**
     * The answer by UDP: NOTIMP for an AXFR, which is not defined there (RFC 5936, section 4.2, names no code); an IXFR
     * if its deltas are known and fit, else the SOA alone, with which the asker turns to TCP (RFC 1995, section 2).
     *
     * @param limit octets there is room for
     */
    static byte[] datagram(final byte[] query, final MessageScan scan, final Catalog catalog, final int view,
            final int limit) {
        final int rcode = refusal(query, scan, catalog, view);
        if (rcode != Rcode.NOERROR || scan.type() == Type.AXFR) {
            return ShortAnswer.of(query, scan, 0, rcode != Rcode.NOERROR ? rcode : Rcode.NOTIMP);
        }
        final Zone zone = zone(scan, catalog, view);
        final List<Delta> deltas = isNewer(zone.serial(), serialAsked(query, scan))
                ? zone.deltasSince(serialAsked(query, scan)) : null;
        if (deltas != null && mayFit(deltas)) {
            final byte[] whole = new TransferStream(scan, changes(zone, deltas).iterator()).next();
            if (whole.length <= limit) {
                return whole;
            }
        }
        return new TransferStream(scan, List.of(zone.soa()).iterator()).next();
    }

    /** Before much is made for nothing: an address may be forged here, and this is the thread of all datagrams. */
    private static boolean mayFit(final List<Delta> deltas) {
        int records = 0;
        for (final Delta delta : deltas) {
            records += delta.records();
            if (records > DATAGRAM_RECORDS) {
                return false;
            }
        }
        return true;
    }

    private static Zone zone(final MessageScan scan, final Catalog catalog, final int view) {
        return catalog.zone(view, scan.name());
    }

    private static int refusal(final byte[] query, final MessageScan scan, final Catalog catalog, final int view) {
        if (scan.type() == Type.IXFR && serialAsked(query, scan) < 0) {
            return Rcode.FORMERR;
        }
        if (view == TransferPolicy.NONE) {
            return Rcode.REFUSED;
        }
        // RFC 5936, section 2.2.1: not authoritative for that zone.
        return scan.dclass() != DClass.IN || zone(scan, catalog, view) == null ? Rcode.NOTAUTH : Rcode.NOERROR;
    }

    private static Iterator<RrSet> contents(final byte[] query, final MessageScan scan, final Zone zone) {
        if (scan.type() == Type.IXFR) {
            final long asked = serialAsked(query, scan);
            // The same or a newer one (RFC 1995, section 2).
            if (!isNewer(zone.serial(), asked)) {
                return List.of(zone.soa()).iterator();
            }
            final List<Delta> deltas = zone.deltasSince(asked);
            if (deltas != null) {
                return changes(zone, deltas).iterator();
            }
        }
        return new Whole(zone);
    }

    /** RFC 1995, section 4: each delta as its old SOA, what went, its new SOA, what came; all between the newest. */
    private static List<RrSet> changes(final Zone zone, final List<Delta> deltas) {
        final List<RrSet> said = new ArrayList<>();
        said.add(zone.soa());
        for (final Delta delta : deltas) {
            said.add(delta.oldSoa());
            said.addAll(delta.removed());
            said.add(delta.newSoa());
            said.addAll(delta.added());
        }
        said.add(zone.soa());
        return said;
    }

    /** Serial number arithmetic of RFC 1982: is {@code a} after {@code b}? */
    static boolean isNewer(final long a, final long b) {
        return (int) (a - b) > 0;
    }

    /** The serial in the SOA that an IXFR brings; -1 without one. */
    private static long serialAsked(final byte[] query, final MessageScan scan) {
        if (scan.soaAt() < 0) {
            return -1;
        }
        try {
            final DNSInput in = new DNSInput(query);
            in.jump(scan.soaAt());
            new Name(in);
            in.jump(in.current() + RECORD_HEAD);
            new Name(in);
            new Name(in);
            return in.readU32();
        } catch (final WireParseException | IllegalArgumentException e) {
            return -1;
        }
    }

    /** A whole zone, which begins with its SOA, with that once more at its end. */
    private static final class Whole implements Iterator<RrSet> {
        private final Iterator<RrSet> sets;
        private final RrSet soa;
        private boolean ended;

        Whole(final Zone zone) {
            sets = zone.rrsets().iterator();
            soa = zone.soa();
        }

        @Override
        public boolean hasNext() {
            return !ended;
        }

        @Override
        public RrSet next() {
            if (sets.hasNext()) {
                return sets.next();
            }
            if (ended) {
                throw new NoSuchElementException();
            }
            ended = true;
            return soa;
        }
    }
}
