// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Type;

/**
 * The whole of what the server says: plain queries go straight to the {@link Responder}; a signed one is verified
 * first, and its answer signed; AXFR and IXFR are answered here. For the threads of UDP and TCP at once.
 *
 * <p>A query signed with a key that a rule of the {@link TransferPolicy} names is answered by that rule's view, and so is
 * one for the SOA of a zone from an asker who may transfer it; any other by the asker's address.
 */
public final class DnsService implements Answerer {
    /** For an answer by UDP before it is signed, and what is written behind it on the way. */
    private static final int ROOM = 4096;
    private static final int COUNTS_AT = 4;
    /** One question and nothing else. */
    private static final long QUESTION_ALONE = 0x0001_0000_0000_0000L;
    /** One question and an additional record. */
    private static final long QUESTION_AND_ONE = QUESTION_ALONE + 1;
    /** Two bits that make an octet of a name something else than a length. */
    private static final int NO_LENGTH = 0xc0;
    private static final int OCTET = 0xff;
    private static final int U16 = 0xffff;
    private static final int TYPE_AND_CLASS = 4;

    private final Supplier<Snapshot> snapshots;
    private final Responder responder;
    private final TransferPolicy policy;
    private final TsigGate gate;
    private final LongSupplier epochSeconds;

    /**
     * A service.
     *
     * @param snapshots what is published at the moment
     * @param options of the responder
     * @param keys those that queries may be signed with
     * @param policy who may transfer what
     * @param epochSeconds the time since 1970, which signatures are held to
     */
    public DnsService(final Supplier<Snapshot> snapshots, final Responder.Options options,
            final Collection<TsigKey> keys, final TransferPolicy policy, final LongSupplier epochSeconds) {
        this.snapshots = snapshots;
        this.policy = policy;
        this.epochSeconds = epochSeconds;
        gate = new TsigGate(keys);
        responder = new Responder(snapshots, options);
    }

    @Override
    public boolean answerDatagram(final ByteBuffer query, final long addressHigh, final long addressLow,
            final long nowMillis, final ByteBuffer out) {
        if (isPlain(query)) {
            return responder.answerDatagram(query, addressHigh, addressLow, nowMillis, out);
        }
        final byte[] octets = new byte[query.remaining()];
        query.get(query.position(), octets);
        final MessageScan scan = MessageScan.of(octets);
        if (scan == null || scan.tsigAt() < 0 && !transfer(scan)) {
            final int view = serialView(scan, addressHigh, addressLow);
            return view == TransferPolicy.NONE
                    ? responder.answerDatagram(query, addressHigh, addressLow, nowMillis, out)
                    : responder.answerDatagram(query, view, nowMillis, out);
        }
        final byte[] answer = special(octets, scan, addressHigh, addressLow, nowMillis);
        if (answer == null) {
            return false;
        }
        out.put(answer);
        return true;
    }

    @Override
    public Iterator<byte[]> answerStream(final byte[] query, final long addressHigh, final long addressLow,
            final long nowMillis) {
        final MessageScan scan = isPlain(ByteBuffer.wrap(query)) ? null : MessageScan.of(query);
        if (scan == null || scan.tsigAt() < 0 && !transfer(scan)) {
            final int view = serialView(scan, addressHigh, addressLow);
            return view == TransferPolicy.NONE ? responder.answerStream(query, addressHigh, addressLow, nowMillis)
                    : responder.answerStream(query, view, nowMillis);
        }
        if (scan.tsigAt() < 0) {
            return Transfers.stream(query, scan, snapshots.get().catalog(),
                    policy.transferView(addressHigh, addressLow, null));
        }
        final TsigGate.Verdict verdict = gate.check(query, scan, epochSeconds.getAsLong());
        if (verdict.refusal() != null) {
            return List.of(verdict.refusal()).iterator();
        }
        final byte[] bare = Tsig.unsigned(query, scan.tsigAt(), scan.id());
        final Snapshot now = snapshots.get();
        final Iterator<byte[]> answers = transfer(scan)
                ? Transfers.stream(bare, scan, now.catalog(),
                        policy.transferView(addressHigh, addressLow, verdict.key()))
                : responder.answerStream(bare, view(verdict, now, addressHigh, addressLow), nowMillis);
        return new Signed(answers, query, scan, verdict);
    }

    /** The answer by UDP to what is signed, or a transfer, or both; null for none. */
    private byte[] special(final byte[] query, final MessageScan scan, final long high, final long low,
            final long nowMillis) {
        final int limit = scan.datagramLimit();
        if (scan.tsigAt() < 0) {
            return Transfers.datagram(query, scan, snapshots.get().catalog(), policy.transferView(high, low, null), limit);
        }
        final TsigGate.Verdict verdict = gate.check(query, scan, epochSeconds.getAsLong());
        if (verdict.refusal() != null) {
            return verdict.refusal();
        }
        final byte[] bare = Tsig.unsigned(query, scan.tsigAt(), scan.id());
        final byte[] answer;
        final Snapshot now = snapshots.get();
        if (transfer(scan)) {
            answer = Transfers.datagram(bare, scan, now.catalog(),
                    policy.transferView(high, low, verdict.key()), limit - Tsig.length(verdict.key()));
        } else {
            final ByteBuffer room = ByteBuffer.allocate(ROOM);
            if (!responder.answerDatagram(ByteBuffer.wrap(bare), view(verdict, now, high, low), nowMillis, room)) {
                return null;
            }
            answer = new byte[room.position()];
            room.get(0, answer);
        }
        return signed(new TsigSigner(verdict.key(), verdict.mac()), verdict.key(), answer, query, scan, limit);
    }

    /** RFC 8945, section 5.3: without room for the signature too, the answer is one that says only that it is cut. */
    private byte[] signed(final TsigSigner signer, final TsigKey key, final byte[] answer, final byte[] query,
            final MessageScan scan, final int limit) {
        final byte[] fitting = answer.length + Tsig.length(key) <= limit ? answer
                : ShortAnswer.of(query, scan, MessageScan.TC | answerFlags(answer) & MessageScan.AA, 0);
        return signer.sign(fitting, epochSeconds.getAsLong());
    }

    private int view(final TsigGate.Verdict verdict, final Snapshot now, final long high, final long low) {
        final int view = policy.queryView(high, low, verdict.key());
        return view == TransferPolicy.NONE ? now.askers().view(high, low) : view;
    }

    /**
     * The view of which an unsigned question for the SOA of a zone is answered to those who may transfer it without a
     * key: they ask whether there is news (RFC 1034, section 4.3.5), and what they see themselves has another serial.
     */
    private int serialView(final MessageScan scan, final long high, final long low) {
        if (scan == null || scan.type() != Type.SOA) {
            return TransferPolicy.NONE;
        }
        final int view = policy.transferView(high, low, null);
        return view == TransferPolicy.NONE || snapshots.get().catalog().zone(view, scan.name()) == null
                ? TransferPolicy.NONE : view;
    }

    /** A transfer, and nothing about it that the responder has to complain of: another version of EDNS. */
    private static boolean transfer(final MessageScan scan) {
        return Transfers.asksFor(scan.type()) && (scan.flags() & MessageScan.OPCODE) == Opcode.QUERY
                && scan.version() == 0;
    }

    private static int answerFlags(final byte[] answer) {
        return (answer[2] & OCTET) << Byte.SIZE | answer[3] & OCTET;
    }

    /**
     * Is it plainly no transfer nor about the serial of a zone, and not signed? That is: one question of another
     * type, and behind it at most one record, an OPT. Of anything strange: true when the responder is the one to
     * complain, else false.
     */
    static boolean isPlain(final ByteBuffer query) {
        final int start = query.position();
        final int limit = query.limit();
        if (limit - start < MessageScan.HEADER) {
            return true;
        }
        final long counts = query.getLong(start + COUNTS_AT);
        if (counts != QUESTION_ALONE && counts != QUESTION_AND_ONE) {
            return false;
        }
        int at = start + MessageScan.HEADER;
        int length = 1;
        while (length != 0) {
            if (at >= limit) {
                return true;
            }
            length = query.get(at) & OCTET;
            if ((length & NO_LENGTH) != 0) {
                return false;
            }
            at += 1 + length;
        }
        final int after = at + TYPE_AND_CLASS;
        if (after > limit) {
            return true;
        }
        final int type = query.getShort(at) & U16;
        if (Transfers.asksFor(type) || type == Type.SOA) {
            return false;
        }
        return counts == QUESTION_ALONE || after + 2 < limit && query.get(after) == 0
                && (query.getShort(after + 1) & U16) == Type.OPT;
    }

    /** The messages of an answer by TCP, with their signatures. */
    private final class Signed implements Iterator<byte[]> {
        private final Iterator<byte[]> answers;
        private final byte[] query;
        private final MessageScan scan;
        private final TsigKey key;
        private final TsigSigner signer;

        Signed(final Iterator<byte[]> answers, final byte[] query, final MessageScan scan,
                final TsigGate.Verdict verdict) {
            this.answers = answers;
            this.query = query;
            this.scan = scan;
            key = verdict.key();
            signer = new TsigSigner(key, verdict.mac());
        }

        @Override
        public boolean hasNext() {
            return answers.hasNext();
        }

        @Override
        public byte[] next() {
            return signed(signer, key, answers.next(), query, scan, Responder.MESSAGE_MOST);
        }
    }
}
