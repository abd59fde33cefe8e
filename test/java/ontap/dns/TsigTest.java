// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.TSIG;
import org.xbill.DNS.TSIGRecord;
import org.xbill.DNS.Type;

/** Signatures, made by one side and verified by the other: ours and dnsjava's. */
@Timeout(60)
class TsigTest {
    static final long NOW = 1_800_000_000L;
    private static final byte[] SECRET = "a secret of thirty-two octets...".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    private static final int TIME_LENGTH = 6;

    static TsigKey ours(final String name, final String algorithm) {
        return TsigKey.of(name, algorithm, Base64.getEncoder().encodeToString(SECRET));
    }

    /** dnsjava's of the same secret, at that time. */
    static TSIG theirs(final String name, final String algorithm, final long seconds) {
        return new TSIG(Published.name(algorithm), Published.name(name), new SecretKeySpec(SECRET, "any"),
                Clock.fixed(Instant.ofEpochSecond(seconds), ZoneOffset.UTC));
    }

    static Message query(final String name, final int type) {
        return Message.newQuery(Record.newRecord(Published.name(name), type, DClass.IN));
    }

    private static byte[] signed(final TSIG key, final Message message) {
        key.apply(message, null);
        return message.toWire();
    }

    private static TsigGate.Verdict check(final byte[] message, final TsigKey... keys) {
        final MessageScan scan = MessageScan.of(message);
        assertNotNull(scan);
        return new TsigGate(List.of(keys)).check(message, scan, NOW);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha256-128",
        "hmac-sha384-192", "hmac-sha512-256"})
    void bothSidesAgree(final String algorithm) throws IOException {
        final TsigKey key = ours("Key.Example", algorithm);
        final Message query = query("www.vanya", Type.A);
        final byte[] asked = signed(theirs("kEy.example", algorithm, NOW - 299), query);
        final TsigGate.Verdict verdict = check(asked, ours("other", algorithm), key);
        assertNull(verdict.refusal());
        assertSame(key, verdict.key());
        assertArrayEquals(query.getTSIG().getSignature(), verdict.mac());

        final TsigSigner signer = new TsigSigner(key, verdict.mac());
        final TSIG.StreamVerifier verifier = new TSIG.StreamVerifier(theirs("key.example", algorithm, NOW), query.getTSIG());
        for (int i = 0; i < 5; i++) {
            final byte[] answer = signer.sign(answer(query, i), NOW);
            assertTrue(answer.length <= answer(query, i).length + Tsig.length(key));
            assertEquals(Rcode.NOERROR, verifier.verify(new Message(answer), answer, i == 4), "message " + i);
        }
        final byte[] alone = new TsigSigner(key, verdict.mac()).sign(answer(query, 0), NOW);
        assertEquals(Rcode.NOERROR,
                theirs("key.example", algorithm, NOW).verify(new Message(alone), alone, query.getTSIG()));
        alone[alone.length - Tsig.length(key) - 1] ^= 1;
        assertEquals(Rcode.BADSIG,
                theirs("key.example", algorithm, NOW).verify(new Message(alone), alone, query.getTSIG()));
    }

    private static byte[] answer(final Message query, final int n) throws IOException {
        final Message answer = new Message(query.getHeader().getID());
        answer.addRecord(query.getQuestion(), Section.QUESTION);
        answer.addRecord(Record.fromString(Published.name("www.vanya"), Type.A, DClass.IN, 60, "10.0.0." + n,
                Published.name(".")), Section.ANSWER);
        return answer.toWire();
    }

    @Test
    void noOctetMayBeAnother() {
        final TsigKey key = ours("key", "hmac-sha256");
        final byte[] good = signed(theirs("key", "hmac-sha256", NOW), query("www.vanya", Type.A));
        assertNull(check(good, key).refusal());
        // The id may: the original one counts (RFC 8945, section 5.2).
        good[0] ^= 1;
        assertNull(check(good, key).refusal(), "a forwarder's id");
        for (int at = 2; at < good.length; at++) {
            final byte[] bad = good.clone();
            bad[at] ^= 1;
            final MessageScan scan = MessageScan.of(bad);
            if (scan != null && scan.tsigAt() >= 0) {
                assertNotNull(new TsigGate(List.of(key)).check(bad, scan, NOW).refusal(), "octet " + at);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        // name, algorithm, seconds from now, RCODE, TSIG error, signed
        "unknown, hmac-sha256, 0, 9, 17, false",
        "key, hmac-sha512, 0, 9, 17, false",
        "key, hmac-sha256, -301, 9, 18, true",
        "key, hmac-sha256, 301, 9, 18, true"})
    void refuses(final String name, final String algorithm, final long off, final int rcode, final int error,
            final boolean signed) throws IOException {
        final Message query = query("WWW.vanya", Type.A);
        final byte[] asked = signed(theirs(name, algorithm, NOW + off), query);
        final TsigGate.Verdict verdict = check(asked, ours("key", "hmac-sha256"));
        assertNull(verdict.key());
        final Message answer = new Message(verdict.refusal());
        final TSIGRecord tsig = answer.getTSIG();
        assertEquals(rcode, answer.getHeader().getRcode());
        assertEquals(query.getHeader().getID(), answer.getHeader().getID());
        assertEquals(query.getQuestion(), answer.getQuestion());
        assertEquals(error, tsig.getError());
        assertEquals(query.getTSIG().getName(), tsig.getName());
        assertEquals(query.getTSIG().getAlgorithm(), tsig.getAlgorithm());
        assertEquals(signed, tsig.getSignature().length > 0);
        if (error == Tsig.BADTIME) {
            assertEquals(Instant.ofEpochSecond(NOW + off), tsig.getTimeSigned(), "the asker's time");
            assertArrayEquals(Tsig.time(NOW), tsig.getOther(), "the server's time");
            assertEquals(TIME_LENGTH, tsig.getOther().length);
            assertEquals(Rcode.NOERROR,
                    theirs(name, algorithm, NOW + off).verify(answer, verdict.refusal(), query.getTSIG()),
                    "the asker can verify it");
        } else {
            assertNull(tsig.getOther());
        }
    }

    @Test
    void refusesAnotherSecret() throws IOException {
        final byte[] asked = signed(theirs("key", "hmac-sha256", NOW), query("www.vanya", Type.A));
        final TsigGate.Verdict verdict =
                check(asked, TsigKey.of("key", "hmac-sha256", Base64.getEncoder().encodeToString(new byte[32])));
        final Message answer = new Message(verdict.refusal());
        assertEquals(Rcode.NOTAUTH, answer.getHeader().getRcode());
        assertEquals(Tsig.BADSIG, answer.getTSIG().getError());
        assertEquals(0, answer.getTSIG().getSignature().length);
    }

    @ParameterizedTest
    @CsvSource({
        // algorithm, octets of the MAC kept, is it taken (RFC 8945, section 5.2.2.1)
        "hmac-sha256, 32, true", "hmac-sha256, 16, true", "hmac-sha256, 15, false", "hmac-sha256, 0, false",
        "hmac-sha1, 10, true", "hmac-sha1, 9, false", "hmac-sha512, 32, true", "hmac-sha512, 31, false",
        "hmac-sha256-128, 16, true", "hmac-sha256-128, 15, false"})
    void takesTruncatedMacs(final String algorithm, final int kept, final boolean taken) throws IOException {
        final Message query = query("www.vanya", Type.A);
        theirs("key", algorithm, NOW).apply(query, null);
        final TSIGRecord whole = query.getTSIG();
        query.removeRecord(whole, Section.ADDITIONAL);
        query.addRecord(new TSIGRecord(whole.getName(), DClass.ANY, 0, whole.getAlgorithm(), whole.getTimeSigned(),
                whole.getFudge(), Arrays.copyOf(whole.getSignature(), kept), whole.getOriginalID(), 0, null),
                Section.ADDITIONAL);
        final TsigGate.Verdict verdict = check(query.toWire(), ours("key", algorithm));
        assertEquals(taken, verdict.refusal() == null);
        if (!taken) {
            final Message answer = new Message(verdict.refusal());
            assertEquals(Rcode.FORMERR, answer.getHeader().getRcode());
            assertNull(answer.getTSIG());
        }
    }

    /** Last, alone, of class ANY, with TTL 0, and nothing after it (section 5.2). */
    @Test
    void refusesAMisplacedRecord() throws IOException {
        final TsigKey key = ours("key", "hmac-sha256");
        final Message twice = query("www.vanya", Type.A);
        theirs("key", "hmac-sha256", NOW).apply(twice, null);
        twice.addRecord(twice.getTSIG(), Section.ADDITIONAL);
        final Message elsewhere = query("www.vanya", Type.A);
        elsewhere.addRecord(twice.getTSIG(), Section.AUTHORITY);
        final byte[] good = signed(theirs("key", "hmac-sha256", NOW), query("www.vanya", Type.A));
        final byte[] dclass = good.clone();
        dclass[MessageScan.of(good).tsigAt() + 8] = 1;
        final byte[] longer = Arrays.copyOf(good, good.length + 1);
        for (final byte[] bad : List.of(twice.toWire(), elsewhere.toWire(), dclass, longer)) {
            final Message answer = new Message(check(bad, key).refusal());
            assertEquals(Rcode.FORMERR, answer.getHeader().getRcode());
            assertNull(answer.getTSIG());
        }
    }

    @Test
    void saysWhatIsWrongWithAKey() {
        for (final String[] bad : new String[][] {
            {"key", "hmac-md5", "AAAA"}, {"key", "hmac-sha256", "no base64!"}, {"key", "hmac-sha256", ""},
            {"a..b", "hmac-sha256", "AAAA"}}) {
            final IllegalArgumentException e =
                    assertThrows(IllegalArgumentException.class, () -> TsigKey.of(bad[0], bad[1], bad[2]));
            assertTrue(bad[2].length() < 5 || !e.getMessage().contains(bad[2]), "the secret is not told");
        }
    }
}
