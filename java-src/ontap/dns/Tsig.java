// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import org.xbill.DNS.DClass;
import org.xbill.DNS.DNSInput;
import org.xbill.DNS.Name;
import org.xbill.DNS.Type;
import org.xbill.DNS.WireParseException;

/**
 * A TSIG record (RFC 8945, section 4.2), what it is the MAC of, and where it stands: last in a message.
 *
 * <p>Not dnsjava's, which digests the message's id for the original one, calls a MAC that is too short for anybody
 * BADSIG, compares octet by octet until one differs, and wants the message as an object.
 *
 * @param name of the key, as written
 * @param algorithm of the key, as written
 * @param time seconds since 1970
 * @param fudge seconds that the clocks may be apart
 * @param mac empty: unsigned
 * @param originalId the id the message had when it was signed
 * @param error 0 or one of the errors below
 * @param other with BADTIME, the server's time
 */
record Tsig(Name name, Name algorithm, long time, int fudge, byte[] mac, int originalId, int error, byte[] other) {
    static final int BADSIG = 16;
    static final int BADKEY = 17;
    static final int BADTIME = 18;
    /** What section 10 recommends. */
    static final int FUDGE = 300;

    private static final int TIME_SIZE = 6;
    private static final int TIME_HIGH = 32;
    private static final int TIMERS_SIZE = TIME_SIZE + Short.BYTES;
    /** Type, class, TTL and length of a record. */
    private static final int RECORD_HEAD = 10;

    /** The record at that place of a message. */
    static Tsig parse(final byte[] message, final int at) throws WireParseException {
        final DNSInput in = new DNSInput(message);
        in.jump(at);
        final Name name = new Name(in);
        in.readU16();
        final int dclass = in.readU16();
        final long ttl = in.readU32();
        final int end = in.readU16() + in.current();
        final Name algorithm = new Name(in);
        final long time = (long) in.readU16() << TIME_HIGH | in.readU32();
        final int fudge = in.readU16();
        final byte[] mac = in.readByteArray(in.readU16());
        final int originalId = in.readU16();
        final int error = in.readU16();
        final byte[] other = in.readByteArray(in.readU16());
        if (in.current() != end || end != message.length || dclass != DClass.ANY || ttl != 0) {
            throw new WireParseException("no TSIG record as it should be");
        }
        return new Tsig(name, algorithm, time, fudge, mac, originalId, error, other);
    }

    /** Is the MAC, as long as it is, the key's for these octets? In the same time for all that are as long. */
    boolean signs(final TsigKey key, final byte[] message, final int at, final byte[] prior, final boolean timersOnly) {
        final byte[] right = key.mac(prefix(prior), unsigned(message, at, originalId), timersOnly ? timers() : variables());
        return mac.length <= right.length && MessageDigest.isEqual(mac, Arrays.copyOf(right, mac.length));
    }

    /** The record with its MAC over a message that has none yet (section 5.3.1: the prior MAC, which may be null). */
    Tsig signed(final TsigKey key, final byte[] message, final byte[] prior, final boolean timersOnly) {
        return new Tsig(name, algorithm, time, fudge,
                key.mac(prefix(prior), message, timersOnly ? timers() : variables()), originalId, error, other);
    }

    /** The message with the record at its end. */
    byte[] appendedTo(final byte[] message) {
        final byte[] owner = name.toWire();
        final byte[] how = algorithm.toWire();
        final int data = how.length + TIMERS_SIZE + Short.BYTES + mac.length + 3 * Short.BYTES + other.length;
        final ByteBuffer out = ByteBuffer.allocate(message.length + owner.length + RECORD_HEAD + data);
        out.put(message).put(owner).putShort((short) Type.TSIG).putShort((short) DClass.ANY).putInt(0);
        out.putShort((short) data).put(how).put(timers()).putShort((short) mac.length).put(mac);
        out.putShort((short) originalId).putShort((short) error).putShort((short) other.length).put(other);
        out.putShort(MessageScan.ARCOUNT, (short) (out.getShort(MessageScan.ARCOUNT) + 1));
        return out.array();
    }

    /** Octets of such a record with a whole MAC and nothing in {@code other}. */
    static int length(final TsigKey key) {
        return key.name().length() + RECORD_HEAD + key.algorithm().length() + TIMERS_SIZE + Short.BYTES
                + key.macLength() + 3 * Short.BYTES;
    }

    /** The message as it was before its record, which begins at that place, was added. */
    static byte[] unsigned(final byte[] message, final int at, final int id) {
        final ByteBuffer out = ByteBuffer.wrap(Arrays.copyOf(message, at));
        out.putShort(0, (short) id);
        out.putShort(MessageScan.ARCOUNT, (short) (out.getShort(MessageScan.ARCOUNT) - 1));
        return out.array();
    }

    /** A time as it is written, in six octets. */
    static byte[] time(final long seconds) {
        return ByteBuffer.allocate(TIME_SIZE).putShort((short) (seconds >> TIME_HIGH)).putInt((int) seconds).array();
    }

    /** All that section 4.3.3 has digested, in canonical form. */
    private byte[] variables() {
        final byte[] owner = name.toWireCanonical();
        final byte[] how = algorithm.toWireCanonical();
        return ByteBuffer.allocate(owner.length + Short.BYTES + Integer.BYTES + how.length + TIMERS_SIZE
                        + 2 * Short.BYTES + other.length)
                .put(owner).putShort((short) DClass.ANY).putInt(0).put(how).put(timers())
                .putShort((short) error).putShort((short) other.length).put(other).array();
    }

    /** What is digested from the second message on. */
    private byte[] timers() {
        return ByteBuffer.allocate(TIMERS_SIZE).put(time(time)).putShort((short) fudge).array();
    }

    private static byte[] prefix(final byte[] prior) {
        return prior == null ? new byte[0]
                : ByteBuffer.allocate(Short.BYTES + prior.length).putShort((short) prior.length).put(prior).array();
    }
}
