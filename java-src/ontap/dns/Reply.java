// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.List;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Header;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/** An answer in the making: whole sets by section, in the order in which they are left out last. */
final class Reply {
    private static final int QUERY_RCODE_BITS = 4;

    private int rcode;
    private boolean authoritative;
    private final List<List<Record>> answer = new ArrayList<>();
    private final List<List<Record>> authority = new ArrayList<>();
    private final List<List<Record>> additional = new ArrayList<>();
    /** How many of the additional sets an answer that lacks them has to say so of (RFC 9471). */
    private int needed;

    Reply(final int rcode) {
        this.rcode = rcode;
    }

    void rcode(final int code) {
        rcode = code;
    }

    void authoritative() {
        authoritative = true;
    }

    void answer(final List<Record> set) {
        answer.add(set);
    }

    void authority(final List<Record> set) {
        authority.add(set);
    }

    void additional(final List<Record> set) {
        additional.add(set);
    }

    /** Glue without which nobody finds the servers: to be added before other additional sets. */
    void glue(final List<Record> set) {
        additional.add(needed++, set);
    }

    /** Is this set in the answer or the additional section? */
    boolean has(final Name owner, final int type) {
        return has(answer, owner, type) || has(additional, owner, type);
    }

    private static boolean has(final List<List<Record>> section, final Name owner, final int type) {
        return section.stream().map(set -> set.get(0)).anyMatch(r -> r.getType() == type && r.getName().equals(owner));
    }

    /**
     * The octets: as many whole sets as fit (RFC 2181, section 9). TC says that one of the answer, of the authority or
     * of the needed glue is missing; other additional sets may be missing without a word.
     *
     * @param limit octets at most; has room for the question and an OPT
     * @param size the size of datagrams that we say we take
     */
    byte[] octets(final Query query, final int limit, final int size) {
        int answers = answer.size();
        int authorities = authority.size();
        int additionals = additional.size();
        while (true) {
            final boolean cut = answers < answer.size() || authorities < authority.size() || additionals < needed;
            final Message message = new Message();
            message.setHeader(header(query, cut));
            if (query.name() != null) {
                message.addRecord(Record.newRecord(query.name(), query.type(), query.dclass()), Section.QUESTION);
            }
            put(message, answer.subList(0, answers), Section.ANSWER);
            put(message, authority.subList(0, authorities), Section.AUTHORITY);
            put(message, additional.subList(0, additionals), Section.ADDITIONAL);
            if (query.edns()) {
                message.addRecord(new OPTRecord(size, rcode >>> QUERY_RCODE_BITS, 0,
                        query.dnssecOk() ? Query.DNSSEC_OK : 0), Section.ADDITIONAL);
            }
            final byte[] octets = message.toWire();
            if (octets.length <= limit || answers + authorities + additionals == 0) {
                return octets;
            }
            if (additionals > 0) {
                additionals--;
            } else if (authorities > 0) {
                authorities--;
            } else {
                answers--;
            }
        }
    }

    private Header header(final Query query, final boolean cut) {
        final Header header = new Header(query.id());
        header.setFlag(Flags.QR);
        header.setOpcode(query.opcode());
        header.setRcode(rcode & (1 << QUERY_RCODE_BITS) - 1);
        if (authoritative) {
            header.setFlag(Flags.AA);
        }
        if (cut) {
            header.setFlag(Flags.TC);
        }
        if (query.recursionDesired()) {
            header.setFlag(Flags.RD);
        }
        return header;
    }

    private static void put(final Message message, final List<List<Record>> sets, final int section) {
        for (final List<Record> set : sets) {
            for (final Record record : set) {
                message.addRecord(record, section);
            }
        }
    }
}
