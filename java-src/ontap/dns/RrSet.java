// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.xbill.DNS.Address;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/**
 * The records of a name that have the same type (RFC 2181, section 5), of class IN. Immutable. They are in the order of
 * their data's octets (as in RFC 4034, section 6.3), each once.
 *
 * <p>Type {@link #NOTHING} says that the name is there and has no records.
 */
public final class RrSet {
    /** The type of a set without records, for a name that has none. */
    public static final int NOTHING = 0;
    /** {@code untilMillis} of what does not end. */
    public static final long FOR_EVER = Long.MAX_VALUE;
    /** RFC 2181, section 8. */
    private static final long TTL_MAX = Integer.MAX_VALUE;
    private static final int MILLIS = 1000;
    /** Type, class, TTL and length: what stands between a record's owner and its data. */
    private static final int HEAD = 10;
    /** In a message of 1232 octets there is not more. */
    private static final int WIRE_LONGEST = 1200;
    private static final int SERIAL_FROM_END = 20;
    private static final int MINIMUM_FROM_END = 4;

    private final String name;
    private final int type;
    private final long ttl;
    private final long untilMillis;
    private final byte[][] rdata;
    /** The records as the fast path writes them, behind a pointer to the question each; filled up with zeros. */
    private final long[] wire;
    private final int wireLength;

    private RrSet(final String name, final int type, final long ttl, final long untilMillis, final byte[][] rdata) {
        this.name = name;
        this.type = type;
        this.ttl = ttl;
        this.untilMillis = untilMillis;
        this.rdata = rdata;
        int length = 0;
        for (final byte[] datum : rdata) {
            length += Short.BYTES + HEAD + datum.length;
        }
        wireLength = length;
        wire = length > WIRE_LONGEST ? null : written(length);
    }

    /**
     * A set out of text.
     *
     * @param name absolute, with or without a dot at the end; capitals become small letters
     * @param type the number of the type (RFC 1035, section 3.2.2), or {@link #NOTHING}
     * @param ttl seconds
     * @param untilMillis CLOCK_BOOTTIME at which it is over, or {@link #FOR_EVER}: the TTL never says more than what is
     *     left, and with less than a second left the records are left out
     * @param data the data of one record each, as a master file has them (RFC 1035, section 5), names absolute with or
     *     without a dot at the end; empty for {@link #NOTHING} only
     * @throws IllegalArgumentException for what cannot be a set of this type
     */
    public static RrSet of(final String name, final int type, final long ttl, final long untilMillis,
            final List<String> data) {
        if (ttl < 0 || ttl > TTL_MAX) {
            throw new IllegalArgumentException("no TTL: " + ttl + " of " + name);
        }
        final boolean one = type == Type.SOA || type == Type.CNAME;
        if (data.isEmpty() != (type == NOTHING) || one && data.size() > 1) {
            throw new IllegalArgumentException(data.size() + " records of type " + type + " at " + name);
        }
        final String text = WireName.text(name);
        parsed(text);
        final TreeSet<byte[]> sorted = new TreeSet<>(Arrays::compareUnsigned);
        for (final String datum : data) {
            sorted.add(rdata(text, type, datum));
        }
        return new RrSet(text, type, ttl, untilMillis, sorted.toArray(byte[][]::new));
    }

    /** The owner, small letters, no dot at the end. */
    public String name() {
        return name;
    }

    /** The number of the type, or {@link #NOTHING}. */
    public int type() {
        return type;
    }

    /** Seconds, whatever time is left. */
    public long ttl() {
        return ttl;
    }

    /** CLOCK_BOOTTIME at which it is over, or {@link #FOR_EVER}. */
    public long untilMillis() {
        return untilMillis;
    }

    /** The records, with {@link #ttl}; none for {@link #NOTHING}. */
    public List<Record> records() {
        return records(ownerName(), ttl);
    }

    /** The data of each record, as text. */
    public List<String> data() {
        return records().stream().map(Record::rdataToString).toList();
    }

    /** The serial number of a SOA, 0 to 2^32-1; of nothing else. */
    public long serial() {
        return soaNumber(SERIAL_FROM_END);
    }

    /** The TTL of negative answers (RFC 2308, section 5) with this SOA, if all its time is left. */
    long minimum() {
        return Math.min(ttl, soaNumber(MINIMUM_FROM_END));
    }

    /** How many records. */
    int count() {
        return rdata.length;
    }

    /** The records under another owner and TTL: a wildcard's, an answer's with little time left. */
    List<Record> records(final Name owner, final long seconds) {
        final List<Record> records = new ArrayList<>(rdata.length);
        for (final byte[] datum : rdata) {
            records.add(type == Type.PTR && hasCapital(datum) ? new NamedRecord(owner, type, seconds, datum)
                    : Record.newRecord(owner, type, DClass.IN, seconds, datum));
        }
        return records;
    }

    /**
     * The TTL at a time of CLOCK_BOOTTIME, never more than is left. It is 0 once the time is over: that the first
     * address of several is gone says the kernel, a second late at most, and the others are there all the while.
     */
    long ttlAt(final long nowMillis) {
        if (untilMillis == FOR_EVER) {
            return ttl;
        }
        final long left = Math.floorDiv(untilMillis - nowMillis, MILLIS);
        return Math.max(0, Math.min(ttl, left));
    }

    /** Eight octets of {@link #wireLength} each, big-endian; null: more than fit in a datagram. */
    long[] wire() {
        return wire;
    }

    /** Octets of all records when each begins with a pointer of two. */
    int wireLength() {
        return wireLength;
    }

    /** The same with another TTL. */
    RrSet withTtl(final long seconds) {
        return new RrSet(name, type, seconds, untilMillis, rdata);
    }

    /** Those records of this set that {@code other}, nullable, of the same name and type, lacks; null for none. */
    RrSet without(final RrSet other) {
        if (other == null || other.ttl != ttl) {
            return rdata.length == 0 ? null : this;
        }
        final byte[][] rest = Arrays.stream(rdata)
                .filter(datum -> Arrays.stream(other.rdata).noneMatch(d -> Arrays.equals(d, datum)))
                .toArray(byte[][]::new);
        return rest.length == 0 ? null : new RrSet(name, type, ttl, untilMillis, rest);
    }

    @Override
    public boolean equals(final Object other) {
        return this == other || other instanceof RrSet o && type == o.type && ttl == o.ttl
                && untilMillis == o.untilMillis && name.equals(o.name) && Arrays.deepEquals(rdata, o.rdata);
    }

    @Override
    public int hashCode() {
        return (name.hashCode() * 31 + type) * 31 + Arrays.deepHashCode(rdata);
    }

    @Override
    public String toString() {
        return name + " " + ttl + " " + (type == NOTHING ? "-" : Type.string(type)) + " " + data()
                + (untilMillis == FOR_EVER ? "" : " until " + untilMillis);
    }

    /** The owner as dnsjava has it. */
    Name ownerName() {
        return parsed(name);
    }

    /** The owner's octets, small letters. */
    byte[] owner() {
        return WireName.of(name);
    }

    private long soaNumber(final int fromEnd) {
        if (type != Type.SOA) {
            throw new IllegalStateException("no SOA: " + this);
        }
        return ByteBuffer.wrap(rdata[0]).getInt(rdata[0].length - fromEnd) & 0xffff_ffffL;
    }

    private long[] written(final int length) {
        final ByteBuffer out = ByteBuffer.allocate(length + Long.BYTES - 1 & -Long.BYTES);
        for (final byte[] datum : rdata) {
            out.putShort((short) FastPath.QUESTION).putShort((short) type).putShort((short) DClass.IN)
                    .putInt((int) ttl).putShort((short) datum.length).put(datum);
        }
        final long[] words = new long[out.capacity() / Long.BYTES];
        out.rewind().asLongBuffer().get(words);
        return words;
    }

    private static Name parsed(final String text) {
        try {
            return text.isEmpty() ? Name.root : Name.fromString(text, Name.root);
        } catch (final IOException e) {
            throw new IllegalArgumentException("no domain name: " + text, e);
        }
    }

    /** The common types by themselves: they are read ten times quicker than a master file's line. */
    private static byte[] rdata(final String owner, final int type, final String text) {
        try {
            final byte[] octets = switch (type) {
                case Type.A -> Address.toByteArray(text, Address.IPv4);
                case Type.AAAA -> Address.toByteArray(text, Address.IPv6);
                case Type.PTR, Type.NS, Type.CNAME -> parsed(text).toWire();
                default -> line(parsed(owner), type, text);
            };
            if (octets != null) {
                return octets;
            }
        } catch (final IOException e) {
            throw new IllegalArgumentException(complaint(owner, type, text), e);
        }
        throw new IllegalArgumentException(complaint(owner, type, text));
    }

    /** Lengths of labels are at most 63, which is before the letters. */
    private static boolean hasCapital(final byte[] name) {
        for (final byte octet : name) {
            if ('A' <= octet && octet <= 'Z') {
                return true;
            }
        }
        return false;
    }

    private static String complaint(final String owner, final int type, final String text) {
        return "no " + Type.string(type) + ": " + text + " (" + owner + ")";
    }

    private static byte[] line(final Name owner, final int type, final String text) throws IOException {
        final byte[] record = Record.fromString(owner, type, DClass.IN, 0, text, Name.root).toWire(Section.ANSWER);
        return Arrays.copyOfRange(record, owner.length() + HEAD, record.length);
    }
}
