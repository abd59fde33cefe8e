// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xbill.DNS.Section;

/**
 * Queries that were damaged, by UDP: nothing is thrown, what is answered is answered within the size, and is the answer
 * to that query, and can be read. The seed is printed, and taken from {@code -Dontap.dns.seed=N}.
 */
@Timeout(600)
class ResponderFuzzTest {
    private static final int SOME = 100_000;
    private static final int MANY = 1_000_000;
    private static final int HEADER = 12;
    private static final int QR = 0x80;
    /** Octets that lengths, counts and types are likely to be confused by. */
    private static final int[] ODD = {0, 1, 2, 3, 4, 12, 28, 41, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfa, 0xfb, 0xfc, 0xff};

    private final ByteBuffer in = ByteBuffer.allocateDirect(4_096);
    private final ByteBuffer out = ByteBuffer.allocateDirect(4_096);
    private int answered;
    private int fast;

    @Test
    void some() {
        damage(SOME);
    }

    @Tag("long")
    @Test
    void many() {
        damage(MANY);
    }

    private void damage(final int rounds) {
        final long seed = Long.getLong("ontap.dns.seed", ThreadLocalRandom.current().nextLong(1 << 30));
        System.out.println("ontap.dns.ResponderFuzzTest: -Dontap.dns.seed=" + seed);
        final Random random = new Random(seed);
        final List<byte[]> messages = new ArrayList<>();
        MalformedTest.packets().forEach(row -> messages.add((byte[]) row.get()[1]));
        ResponderTest.questions().forEach(row -> Stream.of(new String[0], new String[] {Packets.OPT},
                new String[] {Packets.OPT_DO}, new String[] {"00 0029 0000 00 00 8000 000c 000a 0008 0102030405060708"})
                .forEach(opt -> messages.add(Packets.query((String) row.get()[0], (Integer) row.get()[1], opt))));
        for (int round = 0; round < rounds; round++) {
            final byte[] message = damaged(messages.get(random.nextInt(messages.size())), random);
            try {
                hold(message, random.nextInt(50));
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + HexFormat.of().formatHex(message), e);
            }
        }
        assertTrue(answered > rounds / 2 && fast > rounds / 20, "some damage does no harm: " + answered + ", " + fast);
    }

    private void hold(final byte[] message, final int shift) {
        in.clear().position(shift).put(message).flip().position(shift);
        out.clear().position(shift);
        final boolean is = Vanya.RESPONDER.answerDatagram(in, Vanya.VIEW, Vanya.NOW, out);
        assertEquals(shift, in.position(), "the query is where it was");
        assertEquals(message.length >= HEADER && (message[2] & QR) == 0, is, "is there an answer?");
        if (!is) {
            return;
        }
        answered++;
        final byte[] octets = new byte[out.position() - shift];
        out.get(shift, octets);
        final Said said = new Said(octets);
        assertTrue(octets.length <= (said.message.getOPT() == null ? 512 : 1_232), "no longer than may be");
        assertTrue((octets[2] & QR) != 0 && octets[0] == message[0] && octets[1] == message[1], "an answer to that");
        assertEquals(message[2] & 0x79, octets[2] & 0x79, "opcode and RD");
        assertEquals(0, octets[3] & 0xf0, "RA, Z, AD, CD");
        if (!said.message.getSection(Section.QUESTION).isEmpty()) {
            int end = HEADER;
            while (message[end] != 0) {
                end += 1 + message[end];
            }
            assertTrue(Arrays.equals(message, HEADER, end + 5, octets, HEADER, end + 5), "the question");
        }
        out.clear();
        final int length = FastPath.answer(in, Vanya.CATALOG.contents(Vanya.VIEW), Vanya.NOW, 512, out);
        if (length != FastPath.NOT_PLAIN) {
            fast++;
            final byte[] slow = Vanya.RESPONDER.answer(message, Vanya.CATALOG.contents(Vanya.VIEW), Vanya.NOW, 65_535, 65_535);
            assertFalse(!Arrays.equals(slow, octets) && !new Said(slow).all().equals(said.all()), "both ways the same");
        }
    }

    private static byte[] damaged(final byte[] whole, final Random random) {
        final byte[] m = Arrays.copyOf(whole, random.nextInt(6) == 0 ? random.nextInt(whole.length + 20) : whole.length);
        for (int times = random.nextInt(4); times > 0 && m.length > 0; times--) {
            // flags and id are in few octets, but matter
            final int at = random.nextInt(random.nextInt(3) == 0 ? Math.min(m.length, HEADER) : m.length);
            switch (random.nextInt(4)) {
                case 0 -> m[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> m[at] = (byte) random.nextInt(256);
                case 2 -> m[at] = (byte) ODD[random.nextInt(ODD.length)];
                default -> System.arraycopy(m, at, m, Math.min(at + random.nextInt(8), m.length - 1),
                        Math.min(random.nextInt(16), m.length - Math.min(at + 8, m.length)));
            }
        }
        return m;
    }
}
