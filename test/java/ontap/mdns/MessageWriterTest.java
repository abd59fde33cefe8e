// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import static ontap.mdns.Packets.PROBE;
import static ontap.mdns.Packets.QUERY;
import static ontap.mdns.Packets.SERVICE;
import static ontap.mdns.Packets.hex;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.Message;
import org.xbill.DNS.Section;

/** What messages are as bytes, and how those that are too long for one datagram are divided. dnsjava reads them, too. */
class MessageWriterTest {
    private static final int MAX = 1452;
    private static final int ANY = 255;
    private static final int A = 1;
    private static final int TXT = 16;

    @ParameterizedTest
    @ValueSource(strings = {QUERY, PROBE, SERVICE})
    void writesWhatIsRead(final String bytes) {
        final byte[] message = hex(bytes);
        assertEquals(List.of(Packets.hex(message)), packets(MessageReader.read(message, message.length)));
    }

    @Test
    void keepsCase() {
        final MdnsMessage message = response(List.of(address("wiki", 1), address("WIKI", 1), address("wiki", 2)), List.of());
        assertEquals("0000 8400 0000 0003 0000 0000 0477696b69056c6f63616c00 0001 8001 00000078 0004 0a000001"
                .replace(" ", "") + "c00c00018001000000780004" + "0a000002"
                + "0457494b49c011" + "00018001000000780004" + "0a000001", packets(message).get(0));
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
    void dnsjavaReadsTheSame() throws IOException {
        final MdnsMessage read = MessageReader.read(hex(SERVICE), hex(SERVICE).length);
        final Message other = new Message(MessageWriter.packets(read, MAX, false).get(0));
        assertEquals("_http._tcp.local. Wiki._http._tcp.local.", other.getSection(Section.ANSWER).stream()
                .map(r -> r.getName() + " " + r.rdataToString()).collect(Collectors.joining()));
        assertEquals(List.of("0 0 80 wiki.local.", "path=/", "10.0.0.5", "wiki.local. A"),
                other.getSection(Section.ADDITIONAL).stream().map(r -> r.rdataToString()).collect(Collectors.toList()));
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

    @Test
    void unscatters() {
        final List<MdnsRecord> scattered = List.of(address("a", 1), address("b", 1), address("a", 2), shared("c", 1),
                address("b", 2), shared("c", 2));
        assertEquals(List.of(address("a", 1), address("a", 2), address("b", 1), address("b", 2), shared("c", 1), shared("c", 2)),
                read(MessageWriter.packets(response(scattered, List.of()), MAX, false).get(0)).answers());
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

    /** RFC 1035 section 4.2.1: a resolver of DNS gets one datagram, with TC when something is missing. */
    @Test
    void aLegacyReplyIsOne() {
        final List<MdnsRecord> many = IntStream.range(0, 100).mapToObj(i -> shared("wiki", i)).collect(Collectors.toList());
        final List<byte[]> packets = MessageWriter.packets(response(many, List.of()), 512, true);
        assertEquals(1, packets.size());
        assertTrue(packets.get(0).length <= 512);
        assertTrue(read(packets.get(0)).truncated());
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
