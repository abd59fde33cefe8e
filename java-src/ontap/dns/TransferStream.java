// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Header;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/**
 * The messages of a transfer, each made when it is taken, out of what the zone was when the transfer began (RFC 5936,
 * section 2.2). The question is in the first message, and so is the OPT for an asker with EDNS; all names are
 * compressed within their message. For one thread.
 */
final class TransferStream implements Iterator<byte[]> {
    /** Octets of records in a message, uncompressed: compressed, that is a third to a half of it. */
    private static final int ROOM = 32_768;

    private final MessageScan scan;
    private final Iterator<RrSet> sets;
    private Iterator<Record> records = List.<Record>of().iterator();
    private boolean begun;

    /**
     * The answer to a query.
     *
     * @param sets all that is to be said, in order
     */
    TransferStream(final MessageScan scan, final Iterator<RrSet> sets) {
        this.scan = scan;
        this.sets = sets;
    }

    @Override
    public boolean hasNext() {
        while (!records.hasNext() && sets.hasNext()) {
            records = sets.next().records().iterator();
        }
        return records.hasNext();
    }

    @Override
    public byte[] next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        final Message message = new Message();
        final Header header = message.getHeader();
        header.setID(scan.id());
        header.setFlag(Flags.QR);
        header.setFlag(Flags.AA);
        if ((scan.flags() & MessageScan.RD) != 0) {
            header.setFlag(Flags.RD);
        }
        if (!begun) {
            begun = true;
            message.addRecord(Record.newRecord(scan.name(), scan.type(), scan.dclass()), Section.QUESTION);
            if (scan.edns()) {
                message.addRecord(new OPTRecord(Responder.DATAGRAM_MOST, 0, 0), Section.ADDITIONAL);
            }
        }
        int size = 0;
        do {
            final Record record = records.next();
            size += record.toWire(Section.ANSWER).length;
            message.addRecord(record, Section.ANSWER);
        } while (size < ROOM && hasNext());
        return message.toWire();
    }
}
