// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.List;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Header;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;
import org.xbill.DNS.WireParseException;

/** The messages of RFC 1996: a NOTIFY, unsigned, and what is an answer to one. */
final class NotifyMessage {
    private static final int OPCODE_SHIFT = 11;

    /**
     * A secondary's answer.
     *
     * @param rcode NOERROR when it will look at the zone
     * @param tsigError what it has against the signature, 0 for nothing
     * @param genuine signed with the key that the NOTIFY was signed with, or neither is signed
     */
    record Answer(int id, Name apex, int rcode, int tsigError, boolean genuine) {
    }

    private NotifyMessage() {
    }

    /** A NOTIFY with the zone's SOA as its hint (section 3.7). */
    static byte[] of(final int id, final RrSet soa) {
        final Message message = new Message();
        final Header header = message.getHeader();
        header.setID(id);
        header.setOpcode(Opcode.NOTIFY);
        header.setFlag(Flags.AA);
        final Record record = soa.records().get(0);
        message.addRecord(Record.newRecord(record.getName(), Type.SOA, DClass.IN), Section.QUESTION);
        message.addRecord(record, Section.ANSWER);
        return message.toWire();
    }

    /**
     * What a datagram says, or null when it is no answer to a NOTIFY.
     *
     * @param key that our messages were signed with, or null
     * @param macs of those that this may answer
     */
    static Answer parse(final byte[] datagram, final TsigKey key, final List<byte[]> macs, final long nowSeconds) {
        final MessageScan scan = MessageScan.ofReply(datagram);
        if (scan == null || (scan.flags() & MessageScan.OPCODE) >> OPCODE_SHIFT != Opcode.NOTIFY
                || scan.type() != Type.SOA || scan.tsigMisplaced()) {
            return null;
        }
        final int rcode = scan.flags() & MessageScan.RCODE;
        if (scan.tsigAt() < 0) {
            return new Answer(scan.id(), scan.name(), rcode, 0, key == null);
        }
        try {
            final Tsig tsig = Tsig.parse(datagram, scan.tsigAt());
            return new Answer(scan.id(), scan.name(), rcode, tsig.error(),
                    key != null && tsig.name().equals(key.name()) && tsig.algorithm().equals(key.algorithm())
                            && tsig.mac().length >= key.macLeast() && Math.abs(nowSeconds - tsig.time()) <= tsig.fudge()
                            && signs(tsig, key, datagram, scan.tsigAt(), macs));
        } catch (final WireParseException e) {
            return null;
        }
    }

    private static boolean signs(final Tsig tsig, final TsigKey key, final byte[] datagram, final int at,
            final List<byte[]> macs) {
        for (final byte[] mac : macs) {
            if (tsig.signs(key, datagram, at, mac, false)) {
                return true;
            }
        }
        return false;
    }
}
