// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import static ontap.netlink.AttributeTest.concat;
import static ontap.netlink.AttributeTest.hex;
import static ontap.netlink.AttributeTest.host;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** struct nlmsghdr: length u32, type u16, flags u16, sequence u32, port u32. */
@Timeout(60)
class MessageTest {
    private static final byte[] TWO = concat(
            host(21, 4), host(20, 2), host(2, 2), host(7, 4), host(99, 4), hex("0102030405000000"),
            host(20, 4), host(3, 2), host(0x12, 2), host(-1, 4), host(0, 4), hex("00000000"));

    @Test
    void readsTheMessagesOfADatagram() {
        final List<Message> m = Message.parse(TWO, TWO.length, 5);
        assertEquals(2, m.size(), "two messages");
        assertEquals(20, m.get(0).type(), "type");
        assertEquals(2, m.get(0).flags(), "flags");
        assertEquals(7, m.get(0).seq(), "sequence number");
        assertEquals(99, m.get(0).pid(), "port");
        assertArrayEquals(hex("0102030405"), m.get(0).payload(), "payload without padding");
        assertEquals(5, m.get(0).nsid(), "the namespace of the datagram");
        assertEquals(-1, m.get(1).seq(), "all bits of the sequence number");
        assertTrue(m.get(1).has(NetlinkConstants.NLM_F_DUMP_INTR), "flag of the second");
    }

    @Test
    void writesWhatItReads() {
        final List<Message> m = Message.parse(TWO, TWO.length, null);
        assertArrayEquals(TWO, concat(m.get(0).encode(), m.get(1).encode()), "the same bytes");
    }

    @Test
    void refusesEveryCut() {
        for (int n = 1; n < TWO.length; n++) {
            if (n >= 21 && n <= 24) {
                assertEquals(1, Message.parse(TWO, n, null).size(), "the first message stands with " + n + " bytes");
                continue;
            }
            final int cut = n;
            assertThrows(NetlinkFormatException.class, () -> Message.parse(TWO, cut, null), "cut after " + n);
        }
    }

    @Test
    void refusesImpossibleLengths() {
        for (final int length : new int[] {0, 1, 15, 45, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            final byte[] b = TWO.clone();
            System.arraycopy(host(length, 4), 0, b, 0, 4);
            assertThrows(NetlinkFormatException.class, () -> Message.parse(b, b.length, null), "length " + length);
        }
        final byte[] whole = TWO.clone();
        System.arraycopy(host(whole.length, 4), 0, whole, 0, 4);
        assertEquals(1, Message.parse(whole, whole.length, null).size(), "a message of the whole datagram");
    }

    @Test
    void survivesNoise() {
        final long seed = System.nanoTime();
        System.out.println("MessageTest.survivesNoise seed " + seed);
        final Random random = new Random(seed);
        for (int i = 0; i < 100_000; i++) {
            byte[] b = TWO.clone();
            for (int flips = random.nextInt(4); flips >= 0; flips--) {
                b[random.nextInt(b.length)] ^= (byte) (1 << random.nextInt(8));
            }
            b = random.nextInt(3) == 0 ? Arrays.copyOf(b, random.nextInt(b.length + 8)) : b;
            try {
                for (final Message m : Message.parse(b, b.length, null)) {
                    walk(new AttributeReader(m.payload(), 0), random, 0);
                }
            } catch (final NetlinkFormatException e) {
                assertTrue(e.getMessage().length() > 10, "a mistake has words, seed " + seed);
            }
        }
    }

    private static void walk(final AttributeReader r, final Random random, final int depth) {
        while (r.next()) {
            switch (random.nextInt(8)) {
                case 0:
                    r.u8();
                    break;
                case 1:
                    r.u32();
                    break;
                case 2:
                    r.u64();
                    break;
                case 3:
                    r.string();
                    break;
                case 4:
                    walk(r.nested(16), random, depth + 1);
                    break;
                case 5:
                    walk(r.nested(), random, depth + 1);
                    break;
                default:
                    r.bytes();
                    break;
            }
        }
        if (depth == 0) {
            r.check();
        }
    }
}
