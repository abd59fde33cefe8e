// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.WireParseException;

/** Whether a signed query is what its signer sent (RFC 8945, section 5.2). Immutable; for any thread. */
final class TsigGate {
    private final Map<Name, TsigKey> keys;

    /**
     * What came of it.
     *
     * @param key that signed, when it did
     * @param mac the query's, which goes into the answer's
     * @param refusal what the asker gets instead of an answer; null when all is well
     */
    record Verdict(TsigKey key, byte[] mac, byte[] refusal) {
    }

    TsigGate(final Collection<TsigKey> known) {
        final Map<Name, TsigKey> byName = new HashMap<>();
        for (final TsigKey key : known) {
            byName.put(key.name(), key);
        }
        keys = Map.copyOf(byName);
    }

    /**
     * Looks at a message that has a TSIG: in this order the record, the key, the MAC, the time.
     *
     * @param nowSeconds since 1970
     */
    Verdict check(final byte[] message, final MessageScan scan, final long nowSeconds) {
        final Tsig tsig;
        try {
            tsig = scan.tsigMisplaced() ? null : Tsig.parse(message, scan.tsigAt());
        } catch (final WireParseException e) {
            return malformed(message, scan);
        }
        if (tsig == null) {
            return malformed(message, scan);
        }
        // Names compare without regard to case.
        final TsigKey key = keys.get(tsig.name());
        if (key == null || !key.algorithm().equals(tsig.algorithm())) {
            return unsigned(message, scan, tsig, Tsig.BADKEY, nowSeconds);
        }
        if (tsig.mac().length > key.macLength() || tsig.mac().length < key.macLeast()) {
            return malformed(message, scan);
        }
        if (!tsig.signs(key, message, scan.tsigAt(), null, false)) {
            return unsigned(message, scan, tsig, Tsig.BADSIG, nowSeconds);
        }
        if (Math.abs(nowSeconds - tsig.time()) > tsig.fudge()) {
            return badTime(message, scan, tsig, key, nowSeconds);
        }
        return new Verdict(key, tsig.mac(), null);
    }

    private static Verdict malformed(final byte[] message, final MessageScan scan) {
        return new Verdict(null, null, ShortAnswer.of(message, scan, 0, Rcode.FORMERR));
    }

    /** Nobody can verify an answer signed with a key that is not shared (section 5.3.2). */
    private static Verdict unsigned(final byte[] message, final MessageScan scan, final Tsig asked, final int error,
            final long nowSeconds) {
        final Tsig said = new Tsig(asked.name(), asked.algorithm(), nowSeconds, Tsig.FUDGE, new byte[0], scan.id(),
                error, new byte[0]);
        return new Verdict(null, null, said.appendedTo(ShortAnswer.of(message, scan, 0, Rcode.NOTAUTH)));
    }

    /** The asker's time as it said it, so that it accepts the answer, and ours in what is signed (section 5.2.3). */
    private static Verdict badTime(final byte[] message, final MessageScan scan, final Tsig asked, final TsigKey key,
            final long nowSeconds) {
        final byte[] answer = ShortAnswer.of(message, scan, 0, Rcode.NOTAUTH);
        final Tsig said = new Tsig(asked.name(), asked.algorithm(), asked.time(), Tsig.FUDGE, new byte[0], scan.id(),
                Tsig.BADTIME, Tsig.time(nowSeconds)).signed(key, answer, asked.mac(), false);
        return new Verdict(null, null, said.appendedTo(answer));
    }
}
