// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static ontap.mdns.Packets.NAMES;
import static ontap.mdns.Packets.PROBE;
import static ontap.mdns.Packets.QUERY;
import static ontap.mdns.Packets.SERVICE;
import static ontap.mdns.Packets.hex;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What messages are as bytes, and how those that are too long for one datagram are divided. */
class MessageWriterTest {
    private static final int MAX = 1452;
    private static final int ANY = 255;
    private static final int A = 1;
    private static final int TXT = 16;

    @ParameterizedTest
    @ValueSource(strings = {QUERY, PROBE, SERVICE, NAMES, Packets.AVAHI_PROBE, Packets.AVAHI_HOST, Packets.AVAHI_SERVICE})
    void writesWhatIsRead(final String bytes) {
        final byte[] message = hex(bytes);
        assertEquals(List.of(Packets.hex(message)), packets(MessageReader.read(message, message.length)));
    }

    @Test
    void keepsCase() {
        final MdnsMessage message = response(List.of(address("wiki", 1), address("WIKI", 1), address("wiki", 2)), List.of());
        assertEquals("0000 8400 0000 0003 0000 0000 0477696b69056c6f63616c00 0001 8001 00000078 0004 0a000001"
                .replace(" ", "") + "0457494b49c011" + "00018001000000780004" + "0a000001"
                + "c00c00018001000000780004" + "0a000002", packets(message).get(0));
    }

    /** RFC 6762 section 18.14: a legacy resolver does not look for pointers in an SRV. */
    @Test
    void sparesLegacyResolvers() {
        final MdnsMessage read = MessageReader.read(hex(SERVICE), hex(SERVICE).length);
        final String legacy = Packets.hex(MessageWriter.packets(read, MAX, true).get(0));
        assertTrue(legacy.contains("0000000000500477696b69056c6f63616c00"), legacy);
        assertFalse(packets(read).get(0).contains("0000000000500477696b69056c6f63616c00"));
        assertEquals(Packets.words(read), Packets.words(read(MessageWriter.packets(read, MAX, true).get(0))));
    }

    @Test
    void aResponseIsDivided() {
        final List<MdnsRecord> records = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            records.add(address("wiki" + i, 1));
            records.add(address("wiki" + i, 2));
        }
        final List<byte[]> packets = MessageWriter.packets(response(records, List.of()), MAX, false);
        assertTrue(packets.size() > 3);
        final List<MdnsRecord> all = new ArrayList<>();
        for (final byte[] packet : packets) {
            final MdnsMessage part = read(packet);
            assertTrue(packet.length <= MAX);
            assertFalse(part.truncated(), "a response says all it has (RFC 6762 section 18.5)");
            assertEquals(0, part.answers().size() % 2, "an RRset is not torn");
            all.addAll(part.answers());
        }
        assertEquals(records, all);
        assertEquals(packets.size(), packets.stream().map(p -> read(p).answers().get(0)).distinct().count());
    }

    /** What fits stays in order; else what belongs together is said together, wherever it stood. */
    @Test
    void scatteredSetsAreNotTorn() {
        final List<MdnsRecord> scattered = new ArrayList<>();
        for (int last = 1; last < 4; last++) {
            for (int i = 0; i < 40; i++) {
                scattered.add(address(last == 2 ? "WIKI" + i : "wiki" + i, last));
                scattered.add(shared("wiki" + i, last));
            }
        }
        assertEquals(List.of(scattered), answers(response(scattered, List.of()), MdnsMessage.LONGEST));
        final List<List<MdnsRecord>> parts = answers(response(scattered, List.of()), 512);
        final Map<String, Set<Integer>> where = new HashMap<>();
        for (int part = 0; part < parts.size(); part++) {
            for (final MdnsRecord record : parts.get(part)) {
                if (record.flush()) {
                    where.computeIfAbsent(Names.fold(record.name()), name -> new HashSet<>()).add(part);
                }
            }
        }
        assertTrue(parts.size() > 3 && where.size() == 40 && where.values().stream().allMatch(in -> in.size() == 1), where::toString);
        assertEquals(Set.copyOf(scattered), parts.stream().flatMap(List::stream).collect(Collectors.toSet()));
        assertEquals(scattered.size(), parts.stream().mapToInt(List::size).sum());
    }

    /** RFC 6762 section 10.2: caches forget only what is older than a second, for the sake of such sets. */
    @Test
    void onlyASetThatFitsNowhereIsTorn() {
        final List<MdnsRecord> set = IntStream.range(0, 100).mapToObj(i -> address("wiki", i)).toList();
        final List<MdnsRecord> all = new ArrayList<>(set);
        all.add(0, address("a", 1));
        all.add(address("b", 1));
        final List<List<MdnsRecord>> parts = answers(response(all, List.of()), 512);
        assertEquals(List.of(address("a", 1)), parts.get(0));
        assertEquals(set, parts.subList(1, parts.size()).stream().flatMap(List::stream).filter(r -> r.name().equals(name("wiki"))).toList());
        assertEquals((100 + 29) / 30 + 1, parts.size(), "each is full: 30 records in 12 + 26 + 29 * 16 bytes");
        assertEquals(address("b", 1), parts.get(parts.size() - 1).get(10));
    }

    /** To the byte. */
    @Test
    void limits() {
        final MdnsMessage two = response(List.of(address("wiki", 1), address("wiki", 2)), List.of());
        final int length = 12 + 12 + 14 + 2 + 14;
        assertEquals(1, MessageWriter.packets(two, length, false).size());
        assertEquals(2, MessageWriter.packets(two, length - 1, false).size());
        final MdnsMessage more = response(List.of(address("wiki", 1)), List.of(address("wiki", 2)));
        assertEquals(1, read(MessageWriter.packets(more, length, false).get(0)).additionals().size());
        assertEquals(List.of(), read(MessageWriter.packets(more, length - 1, false).get(0)).additionals());
        assertEquals(List.of(), MessageWriter.packets(response(List.of(), List.of()), MAX, false), "nothing to say");
        final List<MdnsRecord> much = IntStream.range(0, 1000).mapToObj(i -> shared("wiki", i % 256)).toList();
        assertEquals(2, answers(response(much, List.of()), MdnsMessage.LONGEST).size());
        assertTrue(MessageWriter.packets(response(much, List.of()), 65_535, false).stream().allMatch(p -> p.length <= MdnsMessage.LONGEST));
    }

    @Test
    void additionalsAreLeftOutRatherThanSentByThemselves() {
        final List<MdnsRecord> many = IntStream.range(0, 100).mapToObj(i -> address("more" + i, 1)).collect(Collectors.toList());
        final List<byte[]> packets = MessageWriter.packets(response(List.of(address("wiki", 1)), many), MAX, false);
        assertEquals(1, packets.size());
        final MdnsMessage one = read(packets.get(0));
        assertEquals(1, one.answers().size());
        assertTrue(one.additionals().size() > 30 && one.additionals().size() < 100);
    }

    @Test
    void whatIsTooLongGoesAlone() {
        final MdnsRecord big = text("big", 20);
        final MdnsMessage message = response(List.of(address("a", 1), big, address("b", 1)), List.of(address("c", 1)));
        final List<MdnsMessage> parts = MessageWriter.packets(message, MAX, false).stream().map(MessageWriterTest::read)
                .collect(Collectors.toList());
        assertEquals(List.of(List.of(address("a", 1)), List.of(big), List.of(address("b", 1))),
                parts.stream().map(MdnsMessage::answers).collect(Collectors.toList()));
        assertEquals(List.of(address("c", 1)), parts.get(2).additionals());
    }

    /** RFC 6762 section 17: not more than 9000 bytes, whatever that costs. */
    @Test
    void whatNothingMayCarryIsLeftOut() {
        final MdnsRecord longest = text("big", 34);
        assertEquals(1, MessageWriter.packets(response(List.of(longest), List.of()), MAX, false).size());
        assertTrue(MessageWriter.packets(response(List.of(longest), List.of()), MAX, false).get(0).length <= MdnsMessage.LONGEST);
        assertEquals(List.of(), MessageWriter.packets(response(List.of(text("big", 60)), List.of()), MAX, false));
        assertEquals(List.of(List.of(address("a", 1)), List.of(address("b", 1))),
                MessageWriter.packets(response(List.of(address("a", 1), text("big", 60), address("b", 1)), List.of()), MAX, false)
                        .stream().map(p -> read(p).answers()).collect(Collectors.toList()));
    }

    /** RFC 6762 section 7.2: TC on all but the last. */
    @Test
    void knownAnswersFollow() {
        final List<MdnsRecord> known = IntStream.range(0, 150).mapToObj(i -> shared("wiki" + i, 1)).collect(Collectors.toList());
        final List<MdnsQuestion> asked = List.of(new MdnsQuestion(name("wiki"), A, 1, false));
        final List<MdnsMessage> parts = MessageWriter.packets(new MdnsMessage(0, 0, asked, known, List.of(), List.of()), MAX, false)
                .stream().map(MessageWriterTest::read).collect(Collectors.toList());
        assertTrue(parts.size() > 2);
        for (int i = 0; i < parts.size(); i++) {
            assertEquals(i < parts.size() - 1, parts.get(i).truncated(), "TC of part " + i);
            assertEquals(i == 0 ? asked : List.of(), parts.get(i).questions());
        }
        assertEquals(known, parts.stream().flatMap(p -> p.answers().stream()).collect(Collectors.toList()));
    }

    /** RFC 6762 section 8.2: what is proposed for a name goes with its question. */
    @Test
    void probesStayWhole() {
        final List<MdnsQuestion> asked = new ArrayList<>();
        final List<MdnsRecord> proposed = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            asked.add(new MdnsQuestion(name("wiki" + i), ANY, 1, true));
            proposed.add(shared("wiki" + i, 1));
            proposed.add(shared("wiki" + i, 2));
        }
        final List<MdnsMessage> parts = MessageWriter.packets(new MdnsMessage(0, 0, asked, List.of(), proposed, List.of()), MAX, false)
                .stream().map(MessageWriterTest::read).collect(Collectors.toList());
        assertTrue(parts.size() > 2);
        for (final MdnsMessage part : parts) {
            assertFalse(part.truncated());
            assertEquals(part.questions().stream().map(MdnsQuestion::name).collect(Collectors.toSet()),
                    part.authorities().stream().map(MdnsRecord::name).collect(Collectors.toSet()));
        }
        assertEquals(asked, parts.stream().flatMap(p -> p.questions().stream()).collect(Collectors.toList()));
        assertEquals(proposed, parts.stream().flatMap(p -> p.authorities().stream()).collect(Collectors.toList()));
    }

    /** RFC 6762 section 16: only the letters of ASCII are the same in capitals. */
    @Test
    void probesGoByName() {
        final List<MdnsQuestion> asked = new ArrayList<>();
        final List<MdnsRecord> proposed = new ArrayList<>();
        for (final String label : List.of("WIKI", "\303\240", "\303\200")) {
            asked.add(new MdnsQuestion(name(label), ANY, 1, true));
            proposed.add(shared(label.toLowerCase(Locale.ROOT).length() == 4 ? "wiki" : label, label.charAt(1)));
        }
        proposed.add(shared("nobody", 1));
        final List<MdnsMessage> parts = Messages.parts(Messages.query(asked, List.of(), proposed), 50);
        assertEquals(asked, parts.stream().map(p -> p.questions().get(0)).toList());
        assertEquals(proposed.subList(0, 3), parts.stream().map(p -> p.authorities().get(0)).toList());
        assertTrue(parts.stream().allMatch(p -> p.questions().size() == 1 && p.authorities().size() == 1));
    }

    /** RFC 6762 section 17: a message in fragments has one record. */
    @Test
    void aProbeOfTooMuchSaysWhatFits() {
        final List<MdnsRecord> proposed = IntStream.range(0, 200).mapToObj(i -> shared("wiki", i)).toList();
        final List<MdnsQuestion> asked = List.of(new MdnsQuestion(name("a"), ANY, 1, true), new MdnsQuestion(name("wiki"), ANY, 1, true),
                new MdnsQuestion(name("b"), ANY, 1, true));
        final List<MdnsMessage> parts = Messages.parts(Messages.query(asked, List.of(), proposed), MAX);
        assertEquals(asked, parts.stream().flatMap(p -> p.questions().stream()).toList());
        assertEquals(proposed.subList(0, (MAX - 28) / 16), parts.get(1).authorities());
        final List<MdnsMessage> big = Messages.parts(Messages.query(asked, List.of(), List.of(text("wiki", 20))), MAX);
        assertEquals(List.of(text("wiki", 20)), big.get(1).authorities());
        assertEquals(List.of(asked.get(1)), big.get(1).questions());
    }

    @Test
    void knownAnswersThatAreTooLongGoAlone() {
        final List<MdnsQuestion> asked = List.of(new MdnsQuestion(name("wiki"), ANY, 1, false));
        final List<MdnsMessage> parts = Messages.parts(Messages.query(asked, List.of(shared("a", 1), text("big", 20), shared("b", 1)), List.of()), MAX);
        assertEquals(List.of(1, 1, 1), parts.stream().map(p -> p.answers().size()).toList());
        assertEquals(List.of(true, true, false), parts.stream().map(MdnsMessage::truncated).toList());
    }

    @Test
    void manyQuestionsAreSeveralQueries() {
        final List<MdnsQuestion> asked = IntStream.range(0, 300).mapToObj(i -> new MdnsQuestion(name("wiki" + i), A, 1, false)).toList();
        final List<MdnsMessage> parts = Messages.parts(Messages.query(asked, List.of(), List.of()), MAX);
        assertEquals(asked, parts.stream().flatMap(p -> p.questions().stream()).toList());
        assertTrue(parts.size() > 2 && parts.stream().noneMatch(MdnsMessage::truncated));
        final List<MdnsMessage> known = Messages.parts(Messages.query(asked, List.of(shared("wiki1", 1)), List.of()), MAX);
        assertEquals(known.size() - 1, known.stream().filter(MdnsMessage::truncated).count(), "an answer is still to come");
    }

    /** RFC 3597 section 4: names in data of types younger than RFC 1035 are written out. */
    @Test
    void legacyResolversKnowFewTypes() {
        final MdnsMessage read = MessageReader.read(hex(NAMES), hex(NAMES).length);
        final byte[] reply = MessageWriter.packets(read, MAX, true).get(0);
        assertEquals(Packets.words(read), Packets.words(read(reply)));
        final String bytes = Packets.hex(reply);
        for (final String label : List.of("61", "62", "63", "64", "65")) {
            assertTrue(bytes.contains("01" + label + "c011"), label);
        }
        for (final String label : List.of("66", "67", "68", "69", "6a", "6b", "6c", "6d", "6e", "6f")) {
            assertTrue(bytes.contains("01" + label + "056c6f63616c00"), label);
        }
    }

    @Test
    void headersAreKept() {
        final MdnsMessage query = new MdnsMessage(0x1234, 0x7bff, List.of(new MdnsQuestion(name("wiki"), A, 255, true)), List.of(),
                List.of(), List.of());
        assertEquals(query, read(MessageWriter.packets(query, MAX, false).get(0)));
    }

    /** RFC 1035 section 4.2.1: a resolver of DNS gets one datagram, with TC when something is missing. */
    @Test
    void aLegacyReplyIsOne() {
        final List<MdnsRecord> many = IntStream.range(0, 100).mapToObj(i -> shared("wiki", i)).collect(Collectors.toList());
        final List<byte[]> packets = MessageWriter.packets(response(many, List.of()), 512, true);
        assertEquals(1, packets.size());
        assertTrue(packets.get(0).length <= 512);
        assertTrue(read(packets.get(0)).truncated());
        assertEquals(many.subList(0, read(packets.get(0)).answers().size()), read(packets.get(0)).answers());
        assertEquals(1 + (512 - 12 - 26) / 16, read(packets.get(0)).answers().size());
        final List<MdnsQuestion> asked = IntStream.range(0, 50).mapToObj(i -> new MdnsQuestion(name("wiki" + i), A, 1, false)).toList();
        final List<byte[]> full = MessageWriter.packets(new MdnsMessage(7, MdnsMessage.RESPONSE, asked, many, List.of(), List.of()), 512, true);
        assertEquals(1, full.size());
        assertTrue(full.get(0).length <= 512 && read(full.get(0)).truncated() && read(full.get(0)).id() == 7);
        final MdnsMessage big = new MdnsMessage(7, MdnsMessage.RESPONSE, asked.subList(0, 1), List.of(text("wiki0", 4)), List.of(), List.of());
        assertEquals(List.of(new MdnsMessage(7, 0x8200, asked.subList(0, 1), List.of(), List.of(), List.of())),
                MessageWriter.packets(big, 512, true).stream().map(MessageWriterTest::read).toList());
    }

    private static List<List<MdnsRecord>> answers(final MdnsMessage message, final int max) {
        final List<byte[]> packets = MessageWriter.packets(message, max, false);
        assertTrue(packets.stream().allMatch(packet -> packet.length <= max && !read(packet).truncated()));
        return packets.stream().map(packet -> read(packet).answers()).toList();
    }

    private static MdnsMessage read(final byte[] packet) {
        return MessageReader.read(packet, packet.length);
    }

    private static List<String> packets(final MdnsMessage message) {
        return MessageWriter.packets(message, MAX, false).stream().map(Packets::hex).collect(Collectors.toList());
    }

    private static MdnsMessage response(final List<MdnsRecord> answers, final List<MdnsRecord> additionals) {
        return new MdnsMessage(0, MdnsMessage.RESPONSE | MdnsMessage.AUTHORITATIVE, List.of(), answers, List.of(), additionals);
    }

    private static String name(final String label) {
        return (char) label.length() + label + "\005local\000";
    }

    private static MdnsRecord address(final String label, final int last) {
        return new MdnsRecord(name(label), A, 1, true, 120, "\012\000\000" + (char) last);
    }

    private static MdnsRecord shared(final String label, final int last) {
        return new MdnsRecord(name(label), A, 1, false, 120, "\012\000\000" + (char) last);
    }

    /** A text of so many strings of 256 bytes each. */
    private static MdnsRecord text(final String label, final int strings) {
        final String one = new String(new byte[] {(byte) 0xff}, StandardCharsets.ISO_8859_1) + "x".repeat(255);
        return new MdnsRecord(name(label), TXT, 1, true, 4500, one.repeat(strings));
    }
}
