// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import ontap.sys.Endpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Section;
import org.xbill.DNS.TSIG;
import org.xbill.DNS.Type;

/** Who answers what: plain queries, signed ones, damaged ones. */
@Timeout(60)
class DnsServiceTest {
    private static final int ROUNDS = 40_000;
    private static final int ROOM = 65_535;
    private static final TsigKey KEY = TsigTest.ours("lan-key", "hmac-sha256");
    private static final TsigKey NO_RULE = TsigTest.ours("no-rule", "hmac-sha256");

    private final Published published = new Published();
    private final DnsService service = new DnsService(published::snapshot, new Responder.Options(null),
            List.of(KEY, NO_RULE), new TransferPolicy.Builder().add(null, "lan-key", Published.PRIVATE)
            .add("0.0.0.0/0", null, Published.FOREIGN).build(), () -> TsigTest.NOW);

    private byte[] datagram(final byte[] query, final Endpoint asker) {
        // Not at the buffers' beginnings, as the server has them.
        final ByteBuffer in = ByteBuffer.allocateDirect(query.length + 7).position(5).put(query).flip().position(5);
        final ByteBuffer out = ByteBuffer.allocateDirect(ROOM).position(3);
        if (!service.answerDatagram(in, asker.high(), asker.low(), 0, out)) {
            return null;
        }
        final byte[] answer = new byte[out.flip().position(3).remaining()];
        out.get(answer);
        return answer;
    }

    @ParameterizedTest
    @CsvSource({
        "true, 0000 0000 0001 0000 0000 0000 01 61 00 0001 0001",
        "true, 0000 0000 0001 0000 0000 0001 01 61 00 0001 0001 00 0029 04d0 00000000 0000",
        // a message that ends too soon, or begins with nonsense, is the responder's
        "true, 0000 0000 0001 0000 0000 00",
        "true, 0000 0000 0001 0000 0000 0000 01 61 00 0001 00",
        "true, 0000 0000 0001 0000 0000 0000 05 61 00",
        // transfers, a TSIG, an OPT that is not the first, a pointer, other counts
        "false, 0000 0000 0001 0000 0000 0000 01 61 00 00fb 0001",
        "false, 0000 0000 0001 0000 0000 0000 01 61 00 00fc 0001",
        "false, 0000 0000 0001 0000 0000 0001 01 61 00 0001 0001 01 62 00 00fa 00ff 00000000 0000",
        "false, 0000 0000 0001 0000 0000 0001 01 61 00 0001 0001",
        "false, 0000 0000 0001 0000 0000 0000 c0 0c 0001 0001",
        "false, 0000 0000 0001 0000 0001 0000 01 61 00 0001 0001",
        "false, 0000 0000 0002 0000 0000 0000 01 61 00 0001 0001 01 61 00 0001 0001",
        "false, 0000 0000 0001 0000 0000 0002 01 61 00 0001 0001 00 0029 04d0 00000000 0000 00 00fa 00ff 00000000 0000"})
    void looksCheaply(final boolean plain, final String hex) {
        final byte[] query = HexFormat.of().parseHex(hex.replace(" ", ""));
        assertEquals(plain, DnsService.isPlain(ByteBuffer.wrap(query)));
    }

    @Test
    void theKeyOfAQuerySaysWhichView() throws IOException {
        final TSIG key = TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW);
        final TSIG noRule = TsigTest.theirs("no-rule", "hmac-sha256", TsigTest.NOW);
        for (final TSIG signer : Arrays.asList(key, noRule, null)) {
            final Message query = TsigTest.query("www.vanya", Type.A);
            if (signer != null) {
                signer.apply(query, null);
            }
            final byte[] asked = query.toWire();
            final List<byte[]> answers = new ArrayList<>();
            answers.add(datagram(asked, Published.FOREIGN_ASKER));
            service.answerStream(asked, Published.FOREIGN_ASKER.high(), Published.FOREIGN_ASKER.low(), 0)
                    .forEachRemaining(answers::add);
            assertEquals(2, answers.size());
            for (final byte[] answer : answers) {
                final Message message = new Message(answer);
                assertEquals(signer == key ? "10.0.0.7" : "198.51.100.7",
                        message.getSection(Section.ANSWER).get(0).rdataToString());
                if (signer == null) {
                    assertNull(message.getTSIG());
                } else {
                    assertEquals(Rcode.NOERROR, signer.verify(message, answer, query.getTSIG()));
                }
            }
        }
    }

    @Test
    void errorsAreSignedToo() throws IOException {
        final TSIG key = TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW);
        final Message query = TsigTest.query("elsewhere", Type.A);
        key.apply(query, null);
        final byte[] answer = datagram(query.toWire(), Published.FOREIGN_ASKER);
        final Message message = new Message(answer);
        assertEquals(Rcode.REFUSED, message.getHeader().getRcode());
        assertEquals(Rcode.NOERROR, key.verify(message, answer, query.getTSIG()));
    }

    /** RFC 8945, section 5.3: the signature counts among the octets an asker takes. */
    @Test
    void anAnswerThatLeavesNoRoomForItsSignatureIsCut() throws IOException {
        final String[] addresses = new String[28];
        for (int i = 0; i < addresses.length; i++) {
            addresses[i] = "10.0.1." + i;
        }
        published.change(Published.PRIVATE, List.of(Published.a("many.vanya", addresses)), List.of());
        final TSIG key = TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW);
        for (final int payload : new int[] {0, 400, 512, 600, 4096}) {
            final Message query = TsigTest.query("many.vanya", Type.A);
            if (payload > 0) {
                query.addRecord(new OPTRecord(payload, 0, 0), Section.ADDITIONAL);
            }
            key.apply(query, null);
            final byte[] answer = datagram(query.toWire(), Published.LAN_ASKER);
            final Message message = new Message(answer);
            assertTrue(answer.length <= Math.max(512, payload));
            assertEquals(Rcode.NOERROR, key.verify(message, answer, query.getTSIG()));
            assertEquals(payload < 600, message.getHeader().getFlag(Flags.TC), "payload " + payload);
            assertEquals(payload < 600 ? 0 : addresses.length, message.getSection(Section.ANSWER).size());
            assertEquals(payload > 0, message.getOPT() != null);
        }
    }

    /** Octets changed in queries of all kinds: whatever comes, it is an answer to it, or none, and fits. */
    @Test
    void damagedQueries() throws IOException {
        final long seed = 8945;
        final Random random = new Random(seed);
        final List<byte[]> good = new ArrayList<>();
        final Message ixfr = TsigTest.query(Published.APEX, Type.IXFR);
        ixfr.addRecord(Published.soa(100).records().get(0), Section.AUTHORITY);
        for (final Message query : List.of(ixfr, TsigTest.query(Published.APEX, Type.AXFR), TsigTest.query("www.vanya", Type.A))) {
            good.add(query.toWire());
            query.addRecord(new OPTRecord(1400, 0, 0), Section.ADDITIONAL);
            good.add(query.toWire());
            TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW).apply(query, null);
            good.add(query.toWire());
        }
        int answered = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bad = good.get(random.nextInt(good.size())).clone();
            for (int i = random.nextInt(3); i >= 0; i--) {
                bad[random.nextInt(bad.length)] = (byte) (random.nextInt(3) == 0 ? 0xc0 + random.nextInt(64) : random.nextInt());
            }
            if (random.nextInt(8) == 0) {
                bad = Arrays.copyOf(bad, random.nextInt(bad.length + 20));
            }
            try {
                answered += answers(bad, round % 16 == 0) ? 1 : 0;
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + HexFormat.of().formatHex(bad), e);
            }
        }
        assertTrue(answered > ROUNDS / 4, "answered: " + answered);
    }

    private boolean answers(final byte[] query, final boolean stream) throws IOException {
        final byte[] answer = datagram(query, Published.FOREIGN_ASKER);
        if (answer != null) {
            assertNotNull(new Message(answer));
            assertTrue(answer.length <= Responder.DATAGRAM_MOST, "octets: " + answer.length);
            assertEquals(query[0], answer[0]);
            assertEquals(query[1], answer[1]);
            assertTrue((answer[2] & 0x80) != 0);
            assertFalse((query[2] & 0x80) != 0, "an answer to an answer");
        }
        if (stream) {
            final Iterator<byte[]> answers =
                    service.answerStream(query, Published.FOREIGN_ASKER.high(), Published.FOREIGN_ASKER.low(), 0);
            while (answers.hasNext()) {
                assertNotNull(new Message(answers.next()));
            }
        }
        return answer != null;
    }
}
