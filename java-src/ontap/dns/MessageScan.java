// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import org.xbill.DNS.DNSInput;
import org.xbill.DNS.Name;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;
import org.xbill.DNS.WireParseException;

/**
 * Where the parts of a message with one question are (RFC 1035, section 4.1), for what cannot be left to the plain way:
 * transfers and signed messages.
 *
 * @param id the message's
 * @param flags the second 16 bits of the header
 * @param name of the one question, as written
 * @param type of the question
 * @param dclass of the question
 * @param questionEnd the octet after the question
 * @param payload the UDP size the asker's OPT says, or -1 without OPT
 * @param version the EDNS version the OPT says, 0 without
 * @param soaAt where the first record of the authority section begins, if it is a SOA; else -1
 * @param tsigAt where the TSIG record begins, or -1
 * @param tsigMisplaced there is a TSIG that is not the last record of the additional section, or more than one
 */
record MessageScan(int id, int flags, Name name, int type, int dclass, int questionEnd, int payload, int version,
        int soaAt, int tsigAt, boolean tsigMisplaced) {
    static final int HEADER = 12;
    static final int QR = 0x8000;
    static final int OPCODE = 0x7800;
    static final int AA = 0x0400;
    static final int TC = 0x0200;
    static final int RD = 0x0100;
    static final int RCODE = 0xf;
    /** Where the header has the number of additional records. */
    static final int ARCOUNT = 10;
    private static final int VERSION_SHIFT = 16;
    private static final int OCTET = 0xff;

    /** Null for a message that is no query with one question, or that cannot be walked to its end. */
    static MessageScan of(final byte[] message) {
        return of(message, false);
    }

    /** The same of a reply. */
    static MessageScan ofReply(final byte[] message) {
        return of(message, true);
    }

    private static MessageScan of(final byte[] message, final boolean reply) {
        if (message.length < HEADER) {
            return null;
        }
        try {
            return walk(new DNSInput(message), reply);
        } catch (final WireParseException e) {
            return null;
        }
    }

    /** The most octets of an answer by UDP. */
    int datagramLimit() {
        return Math.max(Responder.DATAGRAM_LEAST, Math.min(payload, Responder.DATAGRAM_MOST));
    }

    /** Has the asker EDNS? */
    boolean edns() {
        return payload >= 0;
    }

    private static MessageScan walk(final DNSInput in, final boolean reply) throws WireParseException {
        final int id = in.readU16();
        final int flags = in.readU16();
        final int[] counts = {in.readU16(), in.readU16(), in.readU16(), in.readU16()};
        if ((flags & QR) != 0 != reply || counts[Section.QUESTION] != 1) {
            return null;
        }
        final Name name = new Name(in);
        final int type = in.readU16();
        final int dclass = in.readU16();
        final int questionEnd = in.current();
        int payload = -1;
        int version = 0;
        int soaAt = -1;
        int tsigAt = -1;
        boolean misplaced = false;
        for (int section = Section.ANSWER; section <= Section.ADDITIONAL; section++) {
            for (int i = 0; i < counts[section]; i++) {
                final int at = in.current();
                new Name(in);
                final int recordType = in.readU16();
                final int recordClass = in.readU16();
                final long ttl = in.readU32();
                in.readByteArray(in.readU16());
                misplaced |= tsigAt >= 0;
                if (recordType == Type.TSIG) {
                    misplaced |= section != Section.ADDITIONAL;
                    tsigAt = at;
                } else if (recordType == Type.OPT && section == Section.ADDITIONAL) {
                    payload = recordClass;
                    version = (int) (ttl >> VERSION_SHIFT) & OCTET;
                } else if (recordType == Type.SOA && section == Section.AUTHORITY && i == 0) {
                    soaAt = at;
                }
            }
        }
        return new MessageScan(id, flags, name, type, dclass, questionEnd, payload, version, soaAt, tsigAt, misplaced);
    }
}
