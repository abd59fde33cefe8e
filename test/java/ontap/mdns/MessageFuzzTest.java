// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Messages that were damaged: they are read or they are none, nothing is thrown, little is stored, what was read is said
 * again in datagrams that say the same, and no question for a name of ours is overlooked. The seed is printed, and taken
 * from {@code -Dontap.mdns.seed=N}.
 */
@Timeout(600)
class MessageFuzzTest {
    private static final int SOME = 100_000;
    private static final int MANY = 1_000_000;
    private static final int MAX = 1452;
    private static final int GARBAGE = 64 * 1024;
    /** Octets that lengths, counts, types and pointers are likely to be confused by. */
    private static final int[] ODD = {0, 1, 2, 3, 4, 6, 12, 15, 17, 28, 33, 41, 47, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    private static final String OURS = "\004wiki\005local\000";
    private static final Interest INTEREST = Interest.in(List.of(OURS, "\003web\005local\000"));

    private final com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    private int read;
    private int ours;
    private long most;

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
        final long seed = Long.getLong("ontap.mdns.seed", ThreadLocalRandom.current().nextLong(1 << 30));
        System.out.println("ontap.mdns.MessageFuzzTest: -Dontap.mdns.seed=" + seed);
        final Random random = new Random(seed);
        final List<byte[]> whole = whole();
        whole.forEach(bytes -> hold(bytes, MAX, false)); // classes are loaded
        most = 0;
        for (int round = 0; round < rounds; round++) {
            final byte[] message = damaged(whole.get(random.nextInt(whole.size())), whole.get(random.nextInt(whole.size())), random);
            try {
                hold(message, random.nextInt(3) == 0 ? 100 + random.nextInt(400) : MAX, random.nextInt(5) == 0);
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + Packets.hex(message), e);
            }
        }
        assertTrue(read > rounds / 5 && read < rounds * 4 / 5 && ours > rounds / 100, "some damage does no harm, some does: " + read + ", " + ours);
        assertTrue(most < GARBAGE, () -> most + " bytes of garbage from one message");
    }

    private static List<byte[]> whole() {
        final List<byte[]> whole = new ArrayList<>();
        for (final String hex : List.of(Packets.QUERY, Packets.PROBE, Packets.SERVICE, Packets.NAMES, Packets.AVAHI_PROBE,
                Packets.AVAHI_HOST, Packets.AVAHI_SERVICE, Packets.RESOLVED_PROBE)) {
            whole.add(Packets.hex(hex));
        }
        final List<MdnsRecord> known = new ArrayList<>();
        final List<MdnsQuestion> asked = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            known.addAll(Messages.host("wiki" + i));
            known.addAll(Messages.service("w" + i, "_http._tcp"));
            asked.add(Messages.question("w" + i + "._http._tcp.local", Messages.SRV));
        }
        asked.add(Messages.question("wiki.local", Messages.A));
        whole.addAll(MessageWriter.packets(Messages.query(asked, known, List.of()), MAX, false));
        whole.addAll(MessageWriter.packets(Messages.response(known, known.subList(0, 9)), MAX, false));
        return whole;
    }

    private void hold(final byte[] bytes, final int max, final boolean reply) {
        final boolean matters = INTEREST.matters(bytes, bytes.length);
        final long before = threads.getCurrentThreadAllocatedBytes();
        final MdnsMessage message = MessageReader.read(bytes, bytes.length);
        most = Math.max(most, threads.getCurrentThreadAllocatedBytes() - before);
        if (message == null) {
            return;
        }
        read++;
        final boolean asked = message.questions().stream().anyMatch(q -> {
            final String name = Names.fold(q.name());
            return name.equals(OURS) || name.equals("\003web\005local\000");
        });
        ours += asked && !message.response() ? 1 : 0;
        assertEquals(asked || message.response() || !message.authorities().isEmpty() || message.questions().isEmpty(), matters,
                "does it matter?");
        final boolean legacy = reply && message.response();
        final List<byte[]> one = MessageWriter.packets(message, MdnsMessage.LONGEST, legacy);
        if (!says(message)) {
            assertEquals(List.of(), one);
        } else if (one.size() == 1 && (!legacy || !Messages.read(one.get(0)).truncated())) {
            assertEquals(message, Messages.read(one.get(0)), "said again");
        }
        parts(message, MessageWriter.packets(message, max, legacy), max, legacy);
    }

    private static boolean says(final MdnsMessage message) {
        return !message.questions().isEmpty() || !message.answers().isEmpty() || !message.authorities().isEmpty()
                || !message.additionals().isEmpty();
    }

    private static void parts(final MdnsMessage message, final List<byte[]> packets, final int max, final boolean legacy) {
        final List<MdnsQuestion> asked = new ArrayList<>();
        final List<MdnsRecord> answers = new ArrayList<>();
        for (final byte[] packet : packets) {
            final MdnsMessage part = Messages.read(packet);
            assertTrue(packet.length <= max || packet.length <= MdnsMessage.LONGEST && part.answers().size() + part.authorities().size() == 1
                    && part.additionals().isEmpty() || part.questions().size() == 1, () -> "no longer than may be: " + packet.length);
            assertEquals(message.id(), part.id());
            assertEquals(message.flags() | MdnsMessage.TRUNCATED, part.flags() | MdnsMessage.TRUNCATED);
            asked.addAll(part.questions());
            answers.addAll(part.answers());
            assertTrue(message.authorities().containsAll(part.authorities()));
            assertTrue(message.additionals().containsAll(part.additionals()));
        }
        if (legacy) {
            assertTrue(packets.size() <= 1, "one reply");
            assertTrue(message.questions().containsAll(asked) && message.answers().containsAll(answers));
            return;
        }
        assertEquals(message.questions(), asked);
        if (message.response() || message.authorities().isEmpty()) {
            assertEquals(message.answers().size(), answers.size());
            assertTrue(message.answers().containsAll(answers) && answers.containsAll(message.answers()), "nothing is lost");
        }
    }

    private static byte[] damaged(final byte[] whole, final byte[] other, final Random random) {
        final byte[] m = random.nextInt(8) == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length + 40)) : whole.clone();
        for (int times = random.nextInt(4); times > 0 && m.length > 0; times--) {
            // flags and counts are in few octets, but matter
            final int at = random.nextInt(random.nextInt(3) == 0 ? Math.min(m.length, MdnsMessage.HEADER) : m.length);
            switch (random.nextInt(6)) {
                case 0 -> m[at] = (byte) random.nextInt();
                case 1 -> m[at] = (byte) ODD[random.nextInt(ODD.length)];
                case 2 -> m[at] ^= (byte) (1 << random.nextInt(8));
                case 3 -> {
                    m[at] = (byte) 0xc0;
                    m[Math.min(at + 1, m.length - 1)] = (byte) random.nextInt(Math.min(256, at + 2));
                }
                case 4 -> {
                    final int from = random.nextInt(m.length);
                    System.arraycopy(m, from, m, at, Math.min(random.nextInt(40), m.length - Math.max(from, at)));
                }
                default -> {
                    final int from = random.nextInt(other.length);
                    System.arraycopy(other, from, m, at, Math.min(random.nextInt(40), Math.min(other.length - from, m.length - at)));
                }
            }
        }
        return m;
    }
}
