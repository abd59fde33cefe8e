// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Gives a message back with QR set. The octet after the header may ask for something else: T to throw, N for no reply,
 * M for as many answers of 1,000 octets as the next four octets say, H the same, but the last one throws.
 */
final class EchoAnswerer implements Answerer {
    static final int WORD = 12;
    static final int LONG = 1000;
    /** How many answers of M and H have been taken. */
    volatile int taken;

    @Override
    public boolean answerDatagram(final ByteBuffer query, final long high, final long low, final long now,
            final ByteBuffer out) {
        switch (word(query)) {
            case 'T':
                throw new IllegalStateException("told to throw");
            case 'N':
                return false;
            default:
                final int at = out.position();
                out.put(query);
                out.put(at + 2, (byte) (out.get(at + 2) | 0x80));
                return true;
        }
    }

    @Override
    public Iterator<byte[]> answerStream(final byte[] query, final long high, final long low, final long now) {
        final ByteBuffer in = ByteBuffer.wrap(query);
        final int word = word(in);
        if (word == 'M' || word == 'H') {
            final int count = in.getInt(WORD + 1);
            return IntStream.range(0, count).mapToObj(i -> {
                taken = i + 1;
                if (word == 'H' && i == count - 1) {
                    throw new IllegalStateException("told to throw");
                }
                return ByteBuffer.allocate(LONG).putInt(i).array();
            }).iterator();
        }
        final ByteBuffer out = ByteBuffer.allocate(query.length);
        return answerDatagram(in, high, low, now, out)
                ? List.of(out.array()).iterator() : Collections.emptyIterator();
    }

    private static int word(final ByteBuffer query) {
        return query.limit() <= WORD ? 0 : query.get(WORD);
    }

    /** A query of this length with an id, a word, and a number after it. */
    static byte[] query(final int id, final int length, final char word, final int number) {
        final ByteBuffer query = ByteBuffer.allocate(length);
        for (int i = WORD; i < length; i++) {
            query.put(i, (byte) ('a' + i % 26));
        }
        query.putShort(0, (short) id);
        if (length > WORD) {
            query.put(WORD, (byte) word);
        }
        if (length > WORD + Integer.BYTES) {
            query.putInt(WORD + 1, number);
        }
        return query.array();
    }

    static byte[] query(final int id, final int length) {
        return query(id, length, '-', 0);
    }

    /** What it answers. */
    static byte[] answer(final int id, final int length) {
        final byte[] answer = query(id, length);
        answer[2] |= (byte) 0x80;
        return answer;
    }
}
