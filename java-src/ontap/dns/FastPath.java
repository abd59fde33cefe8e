// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;

/**
 * Answers to plain queries, octet by octet and (but for wildcards) without making objects: one question of class IN,
 * with nothing behind it or an OPT; not about somebody else's zone below ours, and not longer than may be. It says what
 * {@link Lookup} says, or nothing.
 *
 * <p>Octets are read and written eight at a time, up to seven more than there are: see {@link #SLACK}.
 */
final class FastPath {
    /** This is for Lookup. */
    static final int NOT_PLAIN = 0;
    /** Octets that have to be free behind an answer, and may be written. */
    static final int SLACK = 8;
    /** The pointer to the question's name (RFC 1035, section 4.1.4). */
    static final int QUESTION = 0xc00c;

    private static final int POINTER = 0xc000;
    private static final int U16 = 0xffff;
    /** Of the first eight octets, those that tell a query with one question and no answer. */
    private static final long PLAIN_MASK = 0x0000_f800_ffff_ffffL;
    private static final long PLAIN = 0x0000_0000_0001_0000L;
    private static final int ID_SHIFT = 48;
    private static final int FLAGS_SHIFT = 32;
    private static final int TYPE_AND_CLASS = 4;
    private static final int AA = 0x0400;
    /** An OPT without data: root, type, size, code, version, flags, length. */
    private static final int OPT_LENGTH = 11;
    private static final int OPT_TYPE_AT = 1;
    private static final int OPT_SIZE_AT = 3;
    private static final int OPT_VERSION_AT = 6;
    private static final int OPT_FLAGS_AT = 7;
    private static final int OPT_DATA_AT = 9;
    private static final long OPT = (long) Type.OPT << 40 | (long) Responder.DATAGRAM_MOST << 24;
    /** The bit DO, of the first octet of an OPT's flags. */
    private static final int DNSSEC_OK = 0x80;
    private static final int OPTION_HEAD = 4;
    /** Where a record has its TTL, and the length of its data, when it begins with a pointer. */
    private static final int TTL_AT = 6;
    private static final int DATA_LENGTH_AT = 10;
    private static final int DATA_AT = 12;
    /** From here to 255 there are no types of records. */
    private static final int META = 249;
    private static final int NXNAME = 128;
    private static final int NO_HOST = -1;
    /** Further than any name in a message. */
    private static final int MANY = 1 << Short.SIZE;
    private static final int ADDITIONALS_MOST = 0xff;
    /** More aliases than this are for Lookup, which sees when they go round. */
    private static final int ALIASES_MOST = 4;

    private FastPath() {
    }

    /**
     * Writes the answer from {@code out}'s position on, which stays where it is.
     *
     * @param least octets that the asker takes without saying so
     * @return its length, or {@link #NOT_PLAIN}
     */
    static int answer(final ByteBuffer query, final Contents contents, final long nowMillis, final int least,
            final ByteBuffer out) {
        final int start = query.position();
        final int end = query.limit();
        if (end - start < Query.HEADER + 1 + TYPE_AND_CLASS || (query.getLong(start) & PLAIN_MASK) != PLAIN) {
            return NOT_PLAIN;
        }
        final int others = query.getInt(start + Long.BYTES);
        if ((others & ~1) != 0) {
            return NOT_PLAIN;
        }
        final int name = start + Query.HEADER;
        int at = name;
        for (int label = query.get(at); label != 0; label = query.get(at)) {
            at += 1 + label;
            if ((label & ~WireName.LABEL_LONGEST) != 0 || at >= end) {
                return NOT_PLAIN;
            }
        }
        final int nameLength = at + 1 - name;
        final int asked = at + 1 + TYPE_AND_CLASS;
        if (nameLength > WireName.LONGEST || asked > end) {
            return NOT_PLAIN;
        }
        final int typeAndClass = query.getInt(at + 1);
        final int type = typeAndClass >>> Short.SIZE;
        if ((typeAndClass & U16) != DClass.IN || special(type)) {
            return NOT_PLAIN;
        }
        int limit = least;
        if (others == 0) {
            if (asked != end) {
                return NOT_PLAIN;
            }
        } else {
            if (!plainOpt(query, asked, end)) {
                return NOT_PLAIN;
            }
            final int payload = query.getShort(asked + OPT_SIZE_AT) & U16;
            limit = Math.max(least, Math.min(payload, Responder.DATAGRAM_MOST));
        }
        return answer(query, contents, nowMillis, asked - start, type, others, limit, out);
    }

    private static int answer(final ByteBuffer query, final Contents contents, final long nowMillis,
            final int asked, final int type, final int opt, final int limit, final ByteBuffer out) {
        final int to = out.position();
        // octets that question and records may take
        final int room = Math.min(limit, out.remaining() - SLACK) - opt * OPT_LENGTH;
        if (asked > room) {
            return NOT_PLAIN;
        }
        copyQuestion(query, asked, out);
        ByteBuffer names = query;
        int name = query.position() + Query.HEADER;
        int nameLength = asked - Query.HEADER - TYPE_AND_CLASS;
        int nameAt = Query.HEADER;
        int flags = AA;
        int length = asked;
        int answers = 0;
        int authorities = 0;
        int additionals = 0;
        for (int aliases = 0;; aliases++) {
            final Node node = contents.names.find(names, name, nameLength);
            final Node place = node != null ? node : encloser(names, contents, name, nameLength);
            if (place == null || place.zone == Node.NO_ZONE) {
                flags = aliases == 0 ? Rcode.REFUSED : flags;
                break;
            }
            final Node source = node != null ? node : contents.wildcard(place);
            if (place.has(Node.CUT | Node.BELOW_CUT)) {
                return NOT_PLAIN;
            }
            RrSet set = source == null ? null : source.set(type);
            final boolean alias = set == null && source != null && source.set(Type.CNAME) != null;
            if (alias) {
                set = source.set(Type.CNAME);
            }
            final boolean negative = set == null;
            int owner = nameAt;
            if (negative) {
                final Journal zone = contents.zones[place.zone];
                set = zone.negative;
                owner += nameLength - zone.apexLength;
                flags |= source == null ? Rcode.NXDOMAIN : Rcode.NOERROR;
            }
            if (set == null || set.wire() == null || length + set.wireLength() > room) {
                return NOT_PLAIN;
            }
            append(out, to + length, set, owner, nowMillis);
            final int data = length + DATA_AT;
            length += set.wireLength();
            if (negative) {
                authorities = set.count();
                break;
            }
            answers += set.count();
            if (!alias) {
                final int host = hostAt(type);
                if (host != NO_HOST) {
                    additionals = set.count() == 1 && host < set.wireLength()
                            ? addresses(out, contents, data + host, length - data - host, length, room, nowMillis) : -1;
                    if (additionals < 0) {
                        return NOT_PLAIN;
                    }
                    length += additionals >>> Byte.SIZE;
                    additionals &= ADDITIONALS_MOST;
                }
                break;
            }
            if (aliases == ALIASES_MOST) {
                return NOT_PLAIN;
            }
            // the alias's data is the name to go on with, and there it stands
            names = out;
            name = to + data;
            nameLength = length - data;
            nameAt = data;
        }
        finish(query, flags, (long) answers << FLAGS_SHIFT | (long) authorities << Short.SIZE | additionals + opt, out);
        if (opt != 0) {
            out.putLong(to + length, OPT | query.get(query.position() + asked + OPT_FLAGS_AT) & DNSSEC_OK);
            out.putInt(to + length + Long.BYTES, 0);
        }
        return length + opt * OPT_LENGTH;
    }

    /** Types that are not those of records, and that of what the zone above has to say. */
    private static boolean special(final int type) {
        return type >= META && type <= Type.ANY || type == Type.DS || type == Type.OPT || type == NXNAME || type == 0;
    }

    /** Where data of this type has the name of a host whose addresses are told, too; MANY: this is for Lookup. */
    private static int hostAt(final int type) {
        return switch (type) {
            case Type.A, Type.AAAA, Type.PTR, Type.SOA, Type.TXT, Type.CNAME -> NO_HOST;
            case Type.NS -> 0;
            case Type.MX -> Short.BYTES;
            case Type.SRV -> 3 * Short.BYTES;
            default -> MANY;
        };
    }

    /**
     * Appends the addresses of a host that the answer speaks of.
     *
     * @param nameAt where the host's name stands in the answer
     * @param length of the answer up to now
     * @return how many octets, shifted by 8, and how many records; -1: they do not fit
     */
    private static int addresses(final ByteBuffer out, final Contents contents, final int nameAt, final int nameLength,
            final int length, final int room, final long nowMillis) {
        final int to = out.position();
        final Node host = contents.names.find(out, to + nameAt, nameLength);
        if (host == null || host.zone == Node.NO_ZONE) {
            return 0;
        }
        int end = length;
        int records = 0;
        for (final RrSet set : host.sets) {
            if (set.type() == Type.A || set.type() == Type.AAAA) {
                records += set.count();
                if (set.wire() == null || end + set.wireLength() > room || records > ADDITIONALS_MOST) {
                    return -1;
                }
                append(out, to + end, set, nameAt, nowMillis);
                end += set.wireLength();
            }
        }
        return end - length << Byte.SIZE | records;
    }

    /** Is the rest of the message an OPT of version 0? Its options are nothing to us, but have to be some. */
    private static boolean plainOpt(final ByteBuffer query, final int at, final int end) {
        if (end - at < OPT_LENGTH || query.get(at) != 0 || query.getShort(at + OPT_TYPE_AT) != Type.OPT
                || query.get(at + OPT_VERSION_AT) != 0) {
            return false;
        }
        int option = at + OPT_LENGTH;
        if ((query.getShort(at + OPT_DATA_AT) & U16) != end - option) {
            return false;
        }
        while (end - option >= OPTION_HEAD) {
            option += OPTION_HEAD + (query.getShort(option + 2) & U16);
        }
        return option == end;
    }

    /** The nearest name above that is there. */
    private static Node encloser(final ByteBuffer query, final Contents contents, final int name, final int length) {
        int at = name;
        Node node = null;
        for (int label = query.get(at); node == null && label != 0; label = query.get(at)) {
            at += 1 + label;
            node = contents.names.find(query, at, name + length - at);
        }
        return node;
    }

    private static void copyQuestion(final ByteBuffer query, final int asked, final ByteBuffer out) {
        final int start = query.position();
        final int to = out.position();
        for (int i = Query.HEADER; i + Long.BYTES <= asked; i += Long.BYTES) {
            out.putLong(to + i, query.getLong(start + i));
        }
        out.putLong(to + asked - Long.BYTES, query.getLong(start + asked - Long.BYTES));
    }

    /** Writes the header: after the question, whose copy may reach into it. */
    private static void finish(final ByteBuffer query, final int flags, final long counts, final ByteBuffer out) {
        final int to = out.position();
        final long head = query.getLong(query.position());
        final int said = Query.QR | flags | (int) (head >>> FLAGS_SHIFT) & Query.RD;
        out.putLong(to, head >>> ID_SHIFT << ID_SHIFT | (long) said << FLAGS_SHIFT | 1 << Short.SIZE
                | counts >>> FLAGS_SHIFT);
        out.putInt(to + Long.BYTES, (int) counts);
    }

    /** Writes the records of a set from {@code at} on, owned by the name at {@code owner} in the message. */
    private static void append(final ByteBuffer out, final int at, final RrSet set, final int owner,
            final long nowMillis) {
        int word = at;
        for (final long octets : set.wire()) {
            out.putLong(word, octets);
            word += Long.BYTES;
        }
        if (owner != Query.HEADER || set.untilMillis() != RrSet.FOR_EVER) {
            adapt(out, at, set.count(), (short) (POINTER | owner), (int) set.ttlAt(nowMillis));
        }
    }

    /** Gives records another owner and TTL. */
    private static void adapt(final ByteBuffer out, final int from, final int records, final short owner,
            final int seconds) {
        int at = from;
        for (int left = records; left > 0; left--) {
            out.putShort(at, owner);
            out.putInt(at + TTL_AT, seconds);
            at += DATA_AT + (out.getShort(at + DATA_LENGTH_AT) & U16);
        }
    }
}
