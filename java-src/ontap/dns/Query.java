// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.util.Arrays;
import org.xbill.DNS.Name;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;

/**
 * A message that wants an answer, as far as it matters for one: its question, and its OPT (RFC 6891). Of the other
 * records only the lengths are looked at; they are not ours to judge.
 */
final class Query {
    static final int HEADER = 12;
    static final int QR = 0x8000;
    static final int RD = 0x0100;
    static final int DNSSEC_OK = 0x8000;
    /** No OPT. */
    static final int NONE = -1;

    private static final int OPCODE_SHIFT = 11;
    private static final int OPCODE_MASK = 0xf;
    /** Where the header has the number of questions. */
    private static final int COUNTS = 4;
    private static final int SECTIONS = 4;
    private static final int ADDITIONAL = 3;
    private static final int POINTER = 0xc0;
    private static final int TYPE_AND_CLASS = 4;
    /** Type, class, TTL and length of a record. */
    private static final int RECORD_HEAD = 10;
    private static final int OPTION_HEAD = 4;

    private final byte[] message;
    private int at = HEADER;

    private Name name;
    private int type;
    private int dclass;
    private int payload = NONE;
    private boolean dnssecOk;
    private int rcode = Rcode.NOERROR;

    private Query(final byte[] message) {
        this.message = message;
    }

    /** Null for what gets no answer: less than a header, or an answer. */
    static Query read(final byte[] message) {
        if (message.length < HEADER) {
            return null;
        }
        final Query query = new Query(message);
        if ((query.flags() & QR) != 0) {
            return null;
        }
        if (!query.walk()) {
            query.rcode = Rcode.FORMERR;
            query.payload = NONE;
        }
        // who asks in a way we do not know may have filled the message in a way we do not know
        if (query.opcode() != Opcode.QUERY) {
            query.rcode = Rcode.NOTIMP;
        }
        return query;
    }

    int id() {
        return u16(0);
    }

    int opcode() {
        return flags() >>> OPCODE_SHIFT & OPCODE_MASK;
    }

    boolean recursionDesired() {
        return (flags() & RD) != 0;
    }

    /** What is wrong with the message: FORMERR, NOTIMP, BADVERS; else NOERROR. */
    int rcode() {
        return rcode;
    }

    /** The name asked for, its letters as they came; null when there is no question, or more than one. */
    Name name() {
        return name;
    }

    int type() {
        return type;
    }

    int dclass() {
        return dclass;
    }

    /** Did the message have an OPT, and no more than one? */
    boolean edns() {
        return payload != NONE;
    }

    /** The size of answers the asker said it can take by UDP, or {@link #NONE}. */
    int payload() {
        return payload;
    }

    /** The bit that says that the asker understands DNSSEC (RFC 3225). */
    boolean dnssecOk() {
        return dnssecOk;
    }

    private int flags() {
        return u16(2);
    }

    /** False: cannot be what a query is. */
    private boolean walk() {
        if (u16(COUNTS) != 1 || !question()) {
            return false;
        }
        for (int section = 1; section < SECTIONS; section++) {
            for (int left = u16(COUNTS + 2 * section); left > 0; left--) {
                if (!record(section)) {
                    return false;
                }
            }
        }
        return at == message.length;
    }

    private boolean question() {
        final int from = at;
        if (!skipName(false) || message.length - at < TYPE_AND_CLASS) {
            return false;
        }
        try {
            name = new Name(Arrays.copyOfRange(message, from, at));
        } catch (final IOException e) {
            return false;
        }
        type = u16(at);
        dclass = u16(at + 2);
        at += TYPE_AND_CLASS;
        return true;
    }

    private boolean record(final int section) {
        final int from = at;
        if (!skipName(true) || message.length - at < RECORD_HEAD) {
            return false;
        }
        final int head = at;
        final int length = u16(head + RECORD_HEAD - 2);
        at += RECORD_HEAD + length;
        return at <= message.length && (u16(head) != Type.OPT || option(section, from, head));
    }

    /** RFC 6891, section 6.1: one of them, in the additional section, owned by the root. */
    private boolean option(final int section, final int owner, final int head) {
        if (section != ADDITIONAL || edns() || head - owner != 1 || !options(head + RECORD_HEAD)) {
            return false;
        }
        payload = u16(head + 2);
        final int version = message[head + 5];
        dnssecOk = (u16(head + 6) & DNSSEC_OK) != 0;
        if (version != 0) {
            rcode = Rcode.BADVERS;
        }
        return true;
    }

    /** Each has a code, a length, and what is that long; we heed none. */
    private boolean options(final int from) {
        int option = from;
        while (at - option >= OPTION_HEAD) {
            option += OPTION_HEAD + u16(option + 2);
        }
        return option == at;
    }

    /** Over a name, to what is behind it: labels, then the root or, if one may be, a pointer, which is not followed. */
    private boolean skipName(final boolean pointer) {
        final int from = at;
        while (at < message.length && at - from < WireName.LONGEST) {
            final int length = message[at] & 0xff;
            if (length >= POINTER) {
                at += 2;
                return pointer && at <= message.length;
            }
            at += 1 + length;
            if (length == 0) {
                return true;
            }
            if (length > WireName.LABEL_LONGEST) {
                return false;
            }
        }
        return false;
    }

    private int u16(final int offset) {
        return (message[offset] & 0xff) << Byte.SIZE | message[offset + 1] & 0xff;
    }
}
