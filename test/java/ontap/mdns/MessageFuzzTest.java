// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Messages that were damaged: they are read or they are none, nothing is thrown, and what was read is said again in
 * datagrams that say the same. The seed is printed, and taken from {@code -Dontap.mdns.seed=N}.
 */
@Timeout(600)
class MessageFuzzTest {
    private static final int SOME = 100_000;
    private static final int MANY = 1_000_000;
    private static final int MAX = 1452;
    private static final int[] ODD = {0, 1, 2, 3, 4, 12, 28, 33, 41, 47, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    private static final Interest INTEREST = Interest.in(List.of("\004wiki\005local\000"));

    @Test
    void some() {
        damage(SOME);
    }

    @Tag("long")
    @Test
    void many() {
        damage(MANY);
    }

    private static void damage(final int rounds) {
        final long seed = Long.getLong("ontap.mdns.seed", ThreadLocalRandom.current().nextLong(1 << 30));
        System.out.println("ontap.mdns.MessageFuzzTest: -Dontap.mdns.seed=" + seed);
        final Random random = new Random(seed);
        final List<byte[]> whole = List.of(Packets.hex(Packets.QUERY), Packets.hex(Packets.PROBE), Packets.hex(Packets.SERVICE));
        int read = 0;
        for (int round = 0; round < rounds; round++) {
            final byte[] message = damaged(whole.get(random.nextInt(whole.size())), random);
            try {
                read += hold(message) ? 1 : 0;
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + Packets.hex(message), e);
            }
        }
        final int shown = read;
        assertTrue(read > rounds / 10 && read < rounds, () -> "some damage does no harm, some does: " + shown);
    }

    private static boolean hold(final byte[] bytes) {
        INTEREST.matters(bytes, bytes.length);
        final MdnsMessage message = MessageReader.read(bytes, bytes.length);
        if (message == null) {
            return false;
        }
        final List<byte[]> packets = MessageWriter.packets(message, MAX, false);
        for (final byte[] packet : packets) {
            assertTrue(packet.length <= MAX, "no longer than may be");
            final MdnsMessage again = MessageReader.read(packet, packet.length);
            assertEquals(message.id(), again.id());
            assertTrue(message.questions().containsAll(again.questions()));
            assertTrue(message.answers().containsAll(again.answers()));
            assertTrue(message.authorities().containsAll(again.authorities()));
            assertTrue(message.additionals().containsAll(again.additionals()));
        }
        assertEquals(message.questions().size(), packets.stream().mapToInt(p -> MessageReader.read(p, p.length).questions().size()).sum());
        return true;
    }

    private static byte[] damaged(final byte[] whole, final Random random) {
        final byte[] bytes = random.nextInt(8) == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length + 40)) : whole.clone();
        for (int n = random.nextInt(4); n >= 0 && bytes.length > 0; n--) {
            final int at = random.nextInt(bytes.length);
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] = (byte) ODD[random.nextInt(ODD.length)];
                case 2 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                default -> System.arraycopy(bytes, random.nextInt(bytes.length - at), bytes, at,
                        Math.min(4, bytes.length - Math.max(at, bytes.length - 4)) > 0 ? 1 : 0);
            }
        }
        return bytes;
    }
}
