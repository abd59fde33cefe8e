// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.TXTRecord;
import org.xbill.DNS.Type;

/**
 * Answers queries out of the present {@link Snapshot}: an authoritative server without recursion. Plain ones take the
 * {@link FastPath}, all others are answered with dnsjava; what both say is the same. For several threads at once.
 *
 * <p>Not its matter: transfers (refused here), and signatures (a TSIG record is passed over). Updates, notifications
 * and all else that is not a query get NOTIMP.
 */
public final class Responder implements Answerer {
    /** The most octets of an answer by UDP, and what we say we take: no fragments (RFC 9715). */
    public static final int DATAGRAM_MOST = 1232;
    /** What every asker takes by UDP, whatever it says (RFC 1035, section 4.2.1; RFC 6891, section 6.2.3). */
    public static final int DATAGRAM_LEAST = 512;
    /** The most octets of a message by TCP. */
    public static final int MESSAGE_MOST = 65_535;

    /** A question of this type is a mistake (RFC 9824, section 3.5). */
    private static final int NXNAME = 128;
    private static final List<Name> VERSION =
            List.of(Name.fromConstantString("version.bind."), Name.fromConstantString("version.server."));

    private final Supplier<Snapshot> snapshots;
    private final Options options;

    /**
     * A responder.
     *
     * @param snapshots gives what is published now; asked once for each message
     */
    public Responder(final Supplier<Snapshot> snapshots, final Options options) {
        this.snapshots = snapshots;
        this.options = options;
    }

    /**
     * What a user may choose.
     *
     * @param chaos what is said to version.bind and version.server in class CHAOS (RFC 4892), at most 255 octets;
     *     nullable: refuse
     */
    public record Options(String chaos) {
    }

    @Override
    public boolean answerDatagram(final ByteBuffer query, final long addressHigh, final long addressLow,
            final long nowMillis, final ByteBuffer out) {
        final Snapshot now = snapshots.get();
        return datagram(query, now.catalog().contents(now.askers().view(addressHigh, addressLow)), nowMillis, out);
    }

    /** The same as {@link #answerDatagram}, for an asker who sees this view, whatever its address. */
    public boolean answerDatagram(final ByteBuffer query, final int view, final long nowMillis, final ByteBuffer out) {
        return datagram(query, snapshots.get().catalog().contents(view), nowMillis, out);
    }

    @Override
    public Iterator<byte[]> answerStream(final byte[] query, final long addressHigh, final long addressLow,
            final long nowMillis) {
        final Snapshot now = snapshots.get();
        return stream(query, now.catalog().contents(now.askers().view(addressHigh, addressLow)), nowMillis);
    }

    /** The same as {@link #answerStream}, for an asker who sees this view, whatever its address. */
    public Iterator<byte[]> answerStream(final byte[] query, final int view, final long nowMillis) {
        return stream(query, snapshots.get().catalog().contents(view), nowMillis);
    }

    private boolean datagram(final ByteBuffer query, final Contents contents, final long nowMillis,
            final ByteBuffer out) {
        final int length = FastPath.answer(query, contents, nowMillis, DATAGRAM_LEAST, out);
        if (length != FastPath.NOT_PLAIN) {
            out.position(out.position() + length);
            return true;
        }
        final byte[] octets = new byte[query.remaining()];
        query.get(query.position(), octets);
        final byte[] answer = answer(octets, contents, nowMillis, DATAGRAM_LEAST, out.remaining());
        if (answer == null || answer.length > out.remaining()) {
            return false;
        }
        out.put(answer);
        return true;
    }

    private Iterator<byte[]> stream(final byte[] query, final Contents contents, final long nowMillis) {
        final ByteBuffer out = ByteBuffer.allocate(DATAGRAM_MOST + FastPath.SLACK);
        final int length = FastPath.answer(ByteBuffer.wrap(query), contents, nowMillis, MESSAGE_MOST, out);
        final byte[] answer = length != FastPath.NOT_PLAIN ? Arrays.copyOf(out.array(), length)
                : answer(query, contents, nowMillis, MESSAGE_MOST, MESSAGE_MOST);
        return answer == null ? Collections.emptyIterator() : List.of(answer).iterator();
    }

    /**
     * The answer that dnsjava makes, or null for none.
     *
     * @param least octets that the asker takes without saying so
     * @param room octets at most
     */
    byte[] answer(final byte[] message, final Contents contents, final long nowMillis, final int least,
            final int room) {
        final Query query = Query.read(message);
        if (query == null) {
            return null;
        }
        final Reply reply = new Reply(query.rcode());
        if (query.rcode() == Rcode.NOERROR) {
            answer(query, contents, nowMillis, reply);
        }
        final int limit = Math.max(least, Math.min(query.payload(), DATAGRAM_MOST));
        return reply.octets(query, Math.min(limit, room), DATAGRAM_MOST);
    }

    private void answer(final Query query, final Contents contents, final long nowMillis, final Reply reply) {
        switch (query.type()) {
            case Type.OPT, Type.TKEY, Type.TSIG, NXNAME, 0 -> reply.rcode(Rcode.FORMERR);
            case Type.AXFR, Type.IXFR -> reply.rcode(Rcode.REFUSED);
            case Type.MAILA, Type.MAILB -> reply.rcode(Rcode.NOTIMP);
            default -> {
                if (query.dclass() == DClass.CH) {
                    chaos(query, reply);
                } else if (query.dclass() == DClass.IN || query.dclass() == DClass.ANY) {
                    new Lookup(contents, nowMillis, reply, query.dclass() == DClass.IN)
                            .answer(query.name(), query.type());
                } else {
                    reply.rcode(Rcode.REFUSED);
                }
            }
        }
    }

    private void chaos(final Query query, final Reply reply) {
        final boolean text = query.type() == Type.TXT || query.type() == Type.ANY;
        if (options.chaos() == null || !text || !VERSION.contains(query.name())) {
            reply.rcode(Rcode.REFUSED);
            return;
        }
        reply.authoritative();
        final Record said = new TXTRecord(query.name(), DClass.CH, 0, options.chaos());
        reply.answer(List.of(said));
    }
}
