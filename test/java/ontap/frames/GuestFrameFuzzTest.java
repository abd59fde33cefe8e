// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A guest can send anything: no bytes make the parser throw. */
class GuestFrameFuzzTest {
    private static final int ROUNDS = 200_000;
    private static final int LONGEST = 2048;

    @Test
    void damagedFramesAreRefusedOrMeanSomething() {
        final long seed = 2131;
        final Random random = new Random(seed);
        final byte[][] frames = Stream.of(ArpTest.frames(), NeighboursTest.frames(), DhcpTest.frames())
                .flatMap(s -> s).map(row -> (byte[]) row.get()[1]).toArray(byte[][]::new);
        int read = 0;
        for (int round = 0; round < ROUNDS; round++) {
            final byte[] whole = frames[random.nextInt(frames.length)];
            final byte[] frame = Arrays.copyOf(whole, random.nextInt(8) == 0 ? random.nextInt(LONGEST) : whole.length);
            for (int flips = random.nextInt(6); flips > 0 && frame.length > 0; flips--) {
                damage(frame, random);
            }
            read += parses(frame, frame.length, seed, round) ? 1 : 0;
        }
        assertTrue(read > ROUNDS / 10, "some damage does no harm: " + read);
    }

    @Test
    void noiseIsRefused() {
        final long seed = 4862;
        final Random random = new Random(seed);
        final byte[] types = {8, 0, 8, 6, (byte) 0x86, (byte) 0xdd, (byte) 0x81, 0};
        for (int round = 0; round < ROUNDS; round++) {
            final byte[] frame = new byte[random.nextInt(400)];
            random.nextBytes(frame);
            if (frame.length > 14) {
                final int type = 2 * random.nextInt(types.length / 2);
                frame[12] = types[type];
                frame[13] = types[type + 1];
            }
            parses(frame, random.nextInt(frame.length + 2) - 1, seed, round);
        }
    }

    private static void damage(final byte[] frame, final Random random) {
        // headers and options say more than padding
        final int at = random.nextInt(random.nextBoolean() ? Math.min(frame.length, 100) : frame.length);
        switch (random.nextInt(3)) {
            case 0 -> frame[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> frame[at] = (byte) random.nextInt(256);
            default -> frame[at] = (byte) (random.nextBoolean() ? 0 : 0xff);
        }
    }

    private static boolean parses(final byte[] frame, final int length, final long seed, final int round) {
        try {
            GuestFrame.parse(frame, length);
            final GuestFrame found = GuestFrame.parse(frame, length, true);
            return found != null && found.hwaddr() != null && found.toString() != null;
        } catch (final RuntimeException e) {
            throw new AssertionError("seed " + seed + ", round " + round + ": " + HandBuilt.hex(frame), e);
        }
    }
}
