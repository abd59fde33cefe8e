// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import ontap.sys.Endpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.SOARecord;
import org.xbill.DNS.Section;
import org.xbill.DNS.TSIG;
import org.xbill.DNS.Type;
import org.xbill.DNS.ZoneTransferException;
import org.xbill.DNS.ZoneTransferIn;

/** AXFR and IXFR, with dnsjava's client and by what is in the messages. */
@Timeout(60)
class TransferTest {
    private static final long ROUNDS = 300;
    private static final int HOSTS = 40;
    private static final int MESSAGE_MAX = 65_535;
    private static final TsigKey KEY = TsigTest.ours("lan-key", "hmac-sha256");
    private static final TsigKey STRANGER = TsigTest.ours("stranger", "hmac-sha256");
    private static final TransferPolicy POLICY = new TransferPolicy.Builder()
            .add("10.0.0.0/8", null, Published.PRIVATE)
            .add(null, "lan-key", Published.PRIVATE)
            .add("192.0.2.0/24", null, Published.FOREIGN).build();

    private final Published published = new Published();
    private final DnsService service = new DnsService(published::snapshot, new Responder.Options(null),
            List.of(KEY, STRANGER), POLICY, () -> TsigTest.NOW);

    private ZoneTransferIn axfr(final Published.Pump pump, final TSIG key) {
        return limited(ZoneTransferIn.newAXFR(Published.name(Published.APEX), "127.0.0.1", pump.port(), key));
    }

    private ZoneTransferIn ixfr(final Published.Pump pump, final long serial, final TSIG key) {
        return limited(
                ZoneTransferIn.newIXFR(Published.name(Published.APEX), serial, false, "127.0.0.1", pump.port(), key));
    }

    /** It waits, else, a quarter of an hour for the end of an answer that is none. */
    private static ZoneTransferIn limited(final ZoneTransferIn client) {
        client.setTimeout(Duration.ofSeconds(10));
        return client;
    }

    @Test
    void namesThatPeopleReadKeepTheirCapitals() throws IOException {
        published.change(Published.PRIVATE, List.of(Published.a("old.vanya", "10.0.0.8")), List.of());
        final String owner = "anna\\039s\\032wiki._http._tcp.vanya";
        published.change(Published.PRIVATE,
                List.of(RrSet.of(owner, Type.SRV, 60, Long.MAX_VALUE, List.of("0 0 80 www.vanya")),
                        RrSet.of("_http._tcp.vanya", Type.PTR, 60, Long.MAX_VALUE,
                                List.of("Anna\\039s\\032wiki._http._tcp.vanya", "a._http._tcp.vanya"))), List.of());
        final Message query = ixfrQuery(published.serial() - 1);
        final List<String> names = new ArrayList<>();
        for (final Message message : messages(query, Published.LAN_ASKER)) {
            for (final Record record : message.getSection(Section.ANSWER)) {
                if (record.getType() == Type.PTR) {
                    names.add(record.rdataToString());
                }
            }
        }
        assertEquals(List.of("a._http._tcp.vanya.", "Anna's\\032wiki._http._tcp.vanya."), names);
    }

    private List<Message> messages(final Message query, final Endpoint asker) throws IOException {
        return messages(query.toWire(), asker);
    }

    private List<Message> messages(final byte[] query, final Endpoint asker) throws IOException {
        final List<Message> messages = new ArrayList<>();
        final Iterator<byte[]> answers = service.answerStream(query, asker.high(), asker.low(), 0);
        while (answers.hasNext()) {
            messages.add(new Message(answers.next()));
        }
        return messages;
    }

    private Message datagram(final byte[] query, final Endpoint asker) throws IOException {
        final ByteBuffer out = ByteBuffer.allocateDirect(MESSAGE_MAX);
        assertTrue(service.answerDatagram(ByteBuffer.wrap(query), asker.high(), asker.low(), 0, out));
        final byte[] answer = new byte[out.flip().remaining()];
        out.get(answer);
        return new Message(answer);
    }

    private static Message ixfrQuery(final long serial) throws IOException {
        final Message query = TsigTest.query(Published.APEX, Type.IXFR);
        query.addRecord(Published.soa(serial).records().get(0), Section.AUTHORITY);
        return query;
    }

    private static TreeSet<String> texts(final Iterable<Record> records) {
        final TreeSet<String> texts = new TreeSet<>();
        for (final Record record : records) {
            assertTrue(texts.add(record.toString()) || record.getType() == Type.SOA, "twice: " + record);
        }
        return texts;
    }

    @Test
    void axfrIsTheZoneOfItsView() throws IOException, ZoneTransferException {
        try (Published.Pump pump = new Published.Pump(service, Published.LAN_ASKER)) {
            final ZoneTransferIn client = axfr(pump, null);
            client.run();
            final List<Record> zone = client.getAXFR();
            assertEquals(Type.SOA, zone.get(0).getType());
            assertEquals(Type.SOA, zone.get(zone.size() - 1).getType());
            assertEquals(5, zone.size());
            assertTrue(texts(zone).toString().contains("10.0.0.7"));
            final Message first = new Message(pump.sent.get(0));
            assertTrue(first.getHeader().getFlag(Flags.AA));
            assertFalse(first.getHeader().getFlag(Flags.RA));
            assertEquals(Type.AXFR, first.getQuestion().getType());
        }
        try (Published.Pump pump = new Published.Pump(service, Published.FOREIGN_ASKER)) {
            final ZoneTransferIn client = axfr(pump, null);
            client.run();
            assertFalse(texts(client.getAXFR()).toString().contains("10.0.0."), "a private address for foreigners");
        }
    }

    @Test
    void theKeySaysWhichView() throws IOException, ZoneTransferException {
        try (Published.Pump pump = new Published.Pump(service, Published.FOREIGN_ASKER)) {
            final ZoneTransferIn client = axfr(pump, TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW));
            client.run();
            assertTrue(texts(client.getAXFR()).toString().contains("10.0.0.7"));
        }
        // A key that no rule names: the address counts, and the answer is signed.
        final Message query = TsigTest.query(Published.APEX, Type.AXFR);
        final TSIG stranger = TsigTest.theirs("stranger", "hmac-sha256", TsigTest.NOW);
        stranger.apply(query, null);
        final Message answer = messages(query, Published.FOREIGN_ASKER).get(0);
        assertNotNull(answer.getTSIG());
        assertFalse(answer.toString().contains("10.0.0."));
    }

    /** Many messages, each below its limit, all in one chain of signatures, and every record once. */
    @Test
    void aBigZoneComesInManySignedMessages() throws IOException, ZoneTransferException {
        final List<RrSet> many = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            many.add(Published.a("host-with-quite-a-long-name-" + i + ".wan.vanya", "10.1." + i / 250 + "." + i % 250));
        }
        published.change(Published.PRIVATE, many, List.of());
        try (Published.Pump pump = new Published.Pump(service, Published.LAN_ASKER)) {
            final ZoneTransferIn client = axfr(pump, TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW));
            client.run();
            assertEquals(3005, client.getAXFR().size());
            assertEquals(3004, texts(client.getAXFR()).size());
            assertTrue(pump.sent.size() > 3, "messages: " + pump.sent.size());
            for (int i = 0; i < pump.sent.size(); i++) {
                final byte[] message = pump.sent.get(i);
                assertTrue(message.length <= 32_768, "octets of a message: " + message.length);
                final Message parsed = new Message(message);
                assertNotNull(parsed.getTSIG());
                assertEquals(i == 0 ? 1 : 0, parsed.getSection(Section.QUESTION).size());
            }
        }
    }

    /** What a transfer shows is what there was when it began. */
    @Test
    void aChangeDoesNotReachATransferThatHasBegun() throws IOException {
        final List<RrSet> many = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            many.add(Published.a("host-" + i + ".vanya", "10.1.2.3"));
        }
        published.change(Published.PRIVATE, many, List.of());
        final long before = published.serial();
        final Iterator<byte[]> answers = service.answerStream(TsigTest.query(Published.APEX, Type.AXFR).toWire(),
                Published.LAN_ASKER.high(), Published.LAN_ASKER.low(), 0);
        Message last = new Message(answers.next());
        published.change(Published.PRIVATE, List.of(Published.a("zzz.vanya", "10.9.9.9")),
                List.of(new Catalog.Key("host-2999.vanya", Type.A)));
        int records = last.getSection(Section.ANSWER).size();
        while (answers.hasNext()) {
            last = new Message(answers.next());
            records += last.getSection(Section.ANSWER).size();
            assertFalse(last.toString().contains("10.9.9.9"));
        }
        final List<Record> answer = last.getSection(Section.ANSWER);
        assertEquals(before, ((SOARecord) answer.get(answer.size() - 1)).getSerial());
        assertEquals(3005, records);
    }

    @Test
    void ixfrIsASequenceOfDeltas() throws IOException {
        final long from = published.serial();
        published.change(Published.FOREIGN, List.of(Published.a("x.vanya", "198.51.100.9")), List.of());
        published.change(Published.PRIVATE, List.of(Published.a("www.vanya", "10.0.0.8")), List.of());
        published.change(Published.PRIVATE, List.of(), List.of(new Catalog.Key("www.vanya", Type.A)));
        // The private zone has not had serial `from`, which was the foreign one's.
        final List<Message> answer = messages(ixfrQuery(from - 1), Published.LAN_ASKER);
        assertEquals(1, answer.size());
        final List<String> said = new ArrayList<>();
        for (final Record r : answer.get(0).getSection(Section.ANSWER)) {
            said.add(r instanceof SOARecord soa ? "" + (soa.getSerial() - from) : r.rdataToString());
        }
        assertEquals(List.of("3", "-1", "10.0.0.7", "2", "10.0.0.8", "2", "10.0.0.8", "3", "3"), said);
    }

    @Test
    void ixfrOfWhatIsUpToDateIsItsSoa() throws IOException {
        final long now = published.serial() - 1;
        for (final long serial : new long[] {now, now + 1, now + 1000, now + (1L << 31) - 1}) {
            final List<Message> answer = messages(ixfrQuery(serial & 0xffffffffL), Published.LAN_ASKER);
            assertEquals(1, answer.size());
            assertEquals(1, answer.get(0).getSection(Section.ANSWER).size(), "serial " + serial);
        }
        assertTrue(Transfers.isNewer(0, 0xffffffffL));
        assertFalse(Transfers.isNewer(0xffffffffL, 0));
        assertFalse(Transfers.isNewer(5, 5 + (1L << 31)), "undefined, and so not newer");
    }

    @Test
    void ixfrOfAForgottenSerialIsTheWholeZone() throws IOException {
        final Message answer = messages(ixfrQuery(7), Published.LAN_ASKER).get(0);
        assertEquals(5, answer.getSection(Section.ANSWER).size());
        assertEquals(Type.IXFR, answer.getQuestion().getType());
        assertNotEquals(Type.SOA, answer.getSection(Section.ANSWER).get(1).getType(), "a SOA second: deltas");
    }

    /** Random changes over the wrap of the serial; now and then the client asks and applies what it gets. */
    @Test
    void whoFollowsByIxfrHasTheZone() throws IOException, ZoneTransferException {
        final long seed = 1995;
        final Random random = new Random(seed);
        published.setSerial((1L << 32) - ROUNDS / 2);
        TreeSet<String> mine = null;
        long serial = -1;
        int incremental = 0;
        try (Published.Pump pump = new Published.Pump(service, Published.LAN_ASKER)) {
            for (int round = 0; round < ROUNDS; round++) {
                randomChange(random);
                if (mine != null && random.nextInt(3) != 0) {
                    continue;
                }
                final ZoneTransferIn whole = axfr(pump, null);
                whole.run();
                final TreeSet<String> right = texts(whole.getAXFR());
                if (mine == null) {
                    mine = right;
                } else {
                    final ZoneTransferIn client = ixfr(pump, serial, TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW));
                    client.run();
                    if (client.isIXFR()) {
                        incremental++;
                        apply(client.getIXFR(), mine);
                    } else if (client.isAXFR()) {
                        mine = texts(client.getAXFR());
                    }
                    assertEquals(right, mine, "seed " + seed + ", round " + round);
                }
                serial = ((SOARecord) whole.getAXFR().get(0)).getSerial();
            }
        }
        assertTrue(incremental > ROUNDS / 6, "incremental: " + incremental);
    }

    private void randomChange(final Random random) {
        final List<RrSet> put = new ArrayList<>();
        final List<Catalog.Key> gone = new ArrayList<>();
        for (int i = random.nextInt(4); i >= 0; i--) {
            final String name = "h" + random.nextInt(HOSTS) + (random.nextBoolean() ? ".lan" : "") + ".vanya";
            final boolean twice = put.stream().anyMatch(set -> set.name().equals(name))
                    || gone.stream().anyMatch(key -> key.name().equals(name));
            if (!twice && random.nextInt(3) == 0) {
                gone.add(new Catalog.Key(name, Type.A));
            } else if (!twice && random.nextInt(8) == 0) {
                put.add(RrSet.of(name, 0, 60, Long.MAX_VALUE, List.of()));
            } else if (!twice) {
                put.add(random.nextBoolean() ? Published.a(name, "10.0.1." + random.nextInt(200))
                        : Published.a(name, "10.0.1." + random.nextInt(200), "10.0.2." + random.nextInt(200)));
            }
        }
        published.change(random.nextInt(4) == 0 ? Published.FOREIGN : Published.PRIVATE, put, gone);
    }

    private static void apply(final List<ZoneTransferIn.Delta> deltas, final TreeSet<String> zone) {
        for (final ZoneTransferIn.Delta delta : deltas) {
            delta.deletes.forEach(r -> assertTrue(zone.remove(r.toString()), "not there: " + r));
            delta.adds.forEach(r -> assertTrue(zone.add(r.toString()), "there already: " + r));
        }
    }

    @ParameterizedTest
    @CsvSource({
        // asker, zone, type, class, RCODE
        "10.0.0.2, vanya, AXFR, IN, NOERROR",
        "10.0.0.2, VANYA, AXFR, IN, NOERROR",
        "203.0.113.9, vanya, AXFR, IN, REFUSED",
        "203.0.113.9, other, AXFR, IN, REFUSED",
        "10.0.0.2, other, AXFR, IN, NOTAUTH",
        "10.0.0.2, www.vanya, AXFR, IN, NOTAUTH",
        "10.0.0.2, vanya, AXFR, CH, NOTAUTH",
        "10.0.0.2, vanya, IXFR, IN, FORMERR"})
    void refuses(final String asker, final String zone, final String type, final String dclass, final String rcode)
            throws IOException {
        final Message query = Message.newQuery(
                Record.newRecord(Published.name(zone), Type.value(type), DClass.value(dclass)));
        final Endpoint from = Endpoint.of(asker, 0);
        final List<Message> answer = messages(query, from);
        assertEquals(rcode, Rcode.string(answer.get(0).getHeader().getRcode()));
        assertEquals(query.getQuestion().toString(), answer.get(0).getQuestion().toString());
        if (!rcode.equals("NOERROR")) {
            assertEquals(1, answer.size());
            assertTrue(answer.get(0).getSection(Section.ANSWER).isEmpty());
        }
    }

    @Test
    void refusesAClientWithAWrongKey() throws IOException {
        try (Published.Pump pump = new Published.Pump(service, Published.LAN_ASKER)) {
            final ZoneTransferIn client = axfr(pump, TsigTest.theirs("no-key", "hmac-sha256", TsigTest.NOW));
            assertThrows(ZoneTransferException.class, client::run);
            assertEquals(Rcode.NOTAUTH, new Message(pump.sent.get(0)).getHeader().getRcode());
        }
    }

    @Test
    void ednsIsAnsweredInTheFirstMessage() throws IOException {
        final Message query = TsigTest.query(Published.APEX, Type.AXFR);
        query.addRecord(new OPTRecord(4096, 0, 0), Section.ADDITIONAL);
        assertEquals(Responder.DATAGRAM_MOST, messages(query, Published.LAN_ASKER).get(0).getOPT().getPayloadSize());
        assertNull(messages(TsigTest.query(Published.APEX, Type.AXFR), Published.LAN_ASKER).get(0).getOPT());
        final Message newer = TsigTest.query(Published.APEX, Type.AXFR);
        newer.addRecord(new OPTRecord(4096, 0, 1), Section.ADDITIONAL);
        assertEquals(Rcode.BADVERS, messages(newer, Published.LAN_ASKER).get(0).getRcode());
    }

    @Test
    void byUdp() throws IOException {
        final Message axfr = datagram(TsigTest.query(Published.APEX, Type.AXFR).toWire(), Published.LAN_ASKER);
        assertEquals(Rcode.NOTIMP, axfr.getHeader().getRcode());
        final Message refused = datagram(TsigTest.query(Published.APEX, Type.AXFR).toWire(),
                Endpoint.of("8.8.8.8", 0));
        assertEquals(Rcode.REFUSED, refused.getHeader().getRcode());
        final long from = published.serial() - 1;
        published.change(Published.PRIVATE, List.of(Published.a("x.vanya", "10.0.0.9")), List.of());
        assertEquals(5, datagram(ixfrQuery(from).toWire(), Published.LAN_ASKER).getSection(Section.ANSWER).size());
        assertEquals(1, datagram(ixfrQuery(7).toWire(), Published.LAN_ASKER).getSection(Section.ANSWER).size());
        // What does not fit: for one who takes no more than 512 octets, and for everybody.
        for (final int sets : new int[] {40, 100}) {
            final List<RrSet> many = new ArrayList<>();
            for (int i = 0; i < sets; i++) {
                many.add(Published.a("y" + i + ".vanya", "10.0." + sets + ".9"));
            }
            published.change(Published.PRIVATE, many, List.of());
            final Message alone = datagram(ixfrQuery(from).toWire(), Published.LAN_ASKER);
            assertEquals(1, alone.getSection(Section.ANSWER).size());
            assertEquals(published.serial(), ((SOARecord) alone.getSection(Section.ANSWER).get(0)).getSerial());
            final Message query = ixfrQuery(from);
            query.addRecord(new OPTRecord(4096, 0, 0), Section.ADDITIONAL);
            assertEquals(sets == 40 ? 47 : 1,
                    datagram(query.toWire(), Published.LAN_ASKER).getSection(Section.ANSWER).size());
        }
    }
}
