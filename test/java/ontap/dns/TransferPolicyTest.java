// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ontap.sys.Endpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which rule counts. */
class TransferPolicyTest {
    private static final int NONE = TransferPolicy.NONE;
    private static final TransferPolicy POLICY = new TransferPolicy.Builder()
            .add("10.0.0.0/8", null, 2).add("10.1.0.0/16", null, 1).add("10.1.2.3/32", null, 0)
            .add("::/0", null, 1).add("fd00::/8", null, 0).add("2001:db8:0:1:8000::/65", null, 2)
            .add(null, "any", 2).add("10.0.0.0/8", "Any", 0).add("10.1.2.3/32", "other", 1).build();

    @ParameterizedTest
    @CsvSource({
        // asker, key, view of a transfer, view of a query; -1: none
        "10.9.9.9, , 2, -1",
        "10.1.9.9, , 1, -1",
        "10.1.2.3, , 0, -1",
        "10.1.2.2, , 1, -1",
        "11.0.0.1, , -1, -1",
        "fd00::1, , 0, -1",
        "fe00::1, , 1, -1",
        "2001:db8:0:1:8000::1, , 2, -1",
        "2001:db8:0:1:7fff::1, , 1, -1",
        // a key before a longer prefix, and both before a key alone
        "10.1.2.3, any, 0, 0",
        "11.0.0.1, any, 2, 2",
        "fd00::1, any, 2, 2",
        "10.1.2.3, other, 1, 1",
        // a key that no rule names there: the address alone
        "10.1.2.2, other, 1, -1",
        "11.0.0.1, other, -1, -1"})
    void theMostSpecificRuleCounts(final String asker, final String key, final int transfer, final int query) {
        final Endpoint from = Endpoint.of(asker, 0);
        final TsigKey signer = key == null ? null : TsigTest.ours(key, "hmac-sha256");
        assertEquals(transfer, POLICY.transferView(from.high(), from.low(), signer));
        assertEquals(query, POLICY.queryView(from.high(), from.low(), signer));
    }

    @Test
    void withoutRulesNobodyGetsAnything() {
        final TransferPolicy none = new TransferPolicy.Builder().build();
        assertEquals(NONE, none.transferView(0, 1, TsigTest.ours("any", "hmac-sha256")));
        assertEquals(NONE, none.queryView(0, 1, TsigTest.ours("any", "hmac-sha256")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "host/8", "10.0.0.0/x"})
    void refusesWhatIsNoPrefix(final String prefix) {
        assertThrows(IllegalArgumentException.class, () -> new TransferPolicy.Builder().add(prefix, null, 0));
    }
}
