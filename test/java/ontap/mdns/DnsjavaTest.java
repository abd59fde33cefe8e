// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;
import org.xbill.DNS.Message;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/**
 * Random messages with records of every type whose names may be compressed: dnsjava, which others wrote, reads in our
 * bytes what we meant, and we read in its bytes what it meant. The seed is printed, and taken from
 * {@code -Dontap.mdns.seed=N}.
 */
class DnsjavaTest {
    private static final int MESSAGES = 3_000;
    /** Of unicast DNS, which dnsjava is for. */
    private static final int LONGEST_NAME = 255;
    private static final int[] TYPES = {1, 2, 5, 6, 12, 15, 16, 17, 18, 21, 26, 28, 33, 36, 39, 47, 47, 33, 12, 16, 65_280};
    private static final List<String> LABELS = List.of("local", "_tcp", "_udp", "_http", "web", "Web", "arpa", "a", "B\u00fcro Nr.3",
            "\u0000\u00ff.\\", "x".repeat(63), "y".repeat(40));

    private final long seed = Long.getLong("ontap.mdns.seed", ThreadLocalRandom.current().nextLong(1 << 30));
    private final Random random = new Random(seed);

    @Test
    void bothReadTheSame() throws IOException {
        System.out.println("ontap.mdns.DnsjavaTest: -Dontap.mdns.seed=" + seed);
        long compressed = 0;
        long plain = 0;
        for (int i = 0; i < MESSAGES; i++) {
            // dnsjava takes names for the same that differ in case when it compresses: what it writes has no capitals
            final boolean low = i % 2 == 0;
            final MdnsMessage message = message(low);
            final List<byte[]> packets = MessageWriter.packets(message, MdnsMessage.LONGEST, i % 3 == 0);
            final String told = "seed " + seed + ", message " + i;
            assertEquals(1, packets.size(), told);
            final byte[] ours = packets.get(0);
            final Message theirs = new Message(ours);
            assertEquals(written(message), written(theirs), told);
            assertEquals(message, Messages.read(ours), told);
            compressed += ours.length;
            if (low) {
                final byte[] bytes = theirs.toWire();
                plain += bytes.length - ours.length;
                assertEquals(message, Messages.read(bytes), () -> told + ": " + HexFormat.of().formatHex(bytes));
            }
        }
        assertTrue(plain > compressed / 100, "we share more: " + plain + " bytes of " + compressed);
    }

    private MdnsMessage message(final boolean low) {
        final List<MdnsQuestion> questions = new ArrayList<>();
        for (int i = random.nextInt(4); i >= 0; i--) {
            questions.add(new MdnsQuestion(name(low), TYPES[random.nextInt(TYPES.length)], random.nextInt(9) == 0 ? 255 : 1,
                    random.nextBoolean()));
        }
        return new MdnsMessage(random.nextInt(0x10000), random.nextInt(4) << 9 | random.nextInt(2) << 15, questions,
                records(low), records(low), records(low));
    }

    private List<MdnsRecord> records(final boolean low) {
        final List<MdnsRecord> records = new ArrayList<>();
        for (int i = random.nextInt(8); i > 0; i--) {
            final int type = TYPES[random.nextInt(TYPES.length)];
            records.add(new MdnsRecord(name(low), type, 1, random.nextBoolean(), random.nextInt(5_000), data(type, low)));
        }
        return records;
    }

    private String data(final int type, final boolean low) {
        switch (type) {
            case 1:
                return octets(4);
            case 28:
                return octets(16);
            case 16:
                return "\3a=b" + "\0" + (char) 200 + octets(200);
            case 6:
                // numbers of 32 bits, of which dnsjava takes times below 2^31
                return name(low) + name(low) + "\0\1\2\3".repeat(5);
            case 17:
                return name(low) + name(low);
            case 26:
                return octets(2) + name(low) + name(low);
            case 15:
            case 18:
            case 21:
            case 36:
                return octets(2) + name(low);
            case 33:
                return octets(6) + name(low);
            case 47:
                return name(low) + "\0\4\100\0\0\10";
            case 65_280:
                return name(low) + "\300\14" + octets(random.nextInt(30));
            default:
                return name(low);
        }
    }

    private String octets(final int n) {
        final byte[] octets = new byte[n];
        random.nextBytes(octets);
        return new String(octets, StandardCharsets.ISO_8859_1);
    }

    private String name(final boolean low) {
        String name = "\0";
        for (int i = random.nextInt(random.nextInt(6) == 0 ? 40 : 5); i >= 0; i--) {
            final String text = LABELS.get(random.nextInt(LABELS.size()));
            final String label = low ? text.toLowerCase(Locale.ROOT) : text;
            if (name.length() + 1 + label.length() <= LONGEST_NAME) {
                name = (char) label.length() + label + name;
            }
        }
        return name;
    }

    /** Without compression, a line of digits for each question and record. */
    private static String written(final MdnsMessage message) {
        final StringBuilder lines = new StringBuilder(String.format("%04x %04x%n", message.id(), message.flags()));
        for (final MdnsQuestion q : message.questions()) {
            final byte[] name = q.name().getBytes(StandardCharsets.ISO_8859_1);
            line(lines, ByteBuffer.allocate(name.length + 4).put(name).putShort((short) q.type())
                    .putShort((short) (q.dclass() | (q.unicast() ? 0x8000 : 0))).array());
        }
        for (final List<MdnsRecord> section : List.of(message.answers(), message.authorities(), message.additionals())) {
            lines.append("--\n");
            for (final MdnsRecord r : section) {
                final ByteArrayOutputStream out = new ByteArrayOutputStream();
                out.writeBytes(r.name().getBytes(StandardCharsets.ISO_8859_1));
                out.writeBytes(ByteBuffer.allocate(10).putShort((short) r.type())
                        .putShort((short) (r.dclass() | (r.flush() ? 0x8000 : 0))).putInt(r.ttl()).putShort((short) r.data().length())
                        .array());
                out.writeBytes(r.data().getBytes(StandardCharsets.ISO_8859_1));
                line(lines, out.toByteArray());
            }
        }
        return lines.toString();
    }

    private static String written(final Message message) {
        final byte[] header = message.getHeader().toWire();
        final HexFormat hex = HexFormat.of();
        final StringBuilder lines = new StringBuilder(hex.formatHex(header, 0, 2) + " " + hex.formatHex(header, 2, 4)
                + System.lineSeparator());
        for (final Record question : message.getSection(Section.QUESTION)) {
            line(lines, question.toWire(Section.QUESTION));
        }
        for (int section = Section.ANSWER; section <= Section.ADDITIONAL; section++) {
            lines.append("--\n");
            for (final Record record : message.getSection(section)) {
                line(lines, record.toWire(section));
            }
        }
        return lines.toString();
    }

    private static void line(final StringBuilder lines, final byte[] bytes) {
        lines.append(HexFormat.of().formatHex(bytes)).append('\n');
    }
}
