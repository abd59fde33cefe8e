// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

/**
 * Signs the messages of one answer, one after the other (RFC 8945, sections 5.3 and 5.3.1): each is bound to the one
 * before, the first to the query. For one thread.
 */
final class TsigSigner {
    private static final int ID_SHIFT = 8;
    private static final int OCTET = 0xff;

    private final TsigKey key;
    private byte[] prior;
    private boolean first = true;

    /** With the MAC of the query; null: signs a query. */
    TsigSigner(final TsigKey key, final byte[] prior) {
        this.key = key;
        this.prior = prior;
    }

    /** The message with its signature. */
    byte[] sign(final byte[] message, final long nowSeconds) {
        final int id = (message[0] & OCTET) << ID_SHIFT | message[1] & OCTET;
        final Tsig tsig = new Tsig(key.name(), key.algorithm(), nowSeconds, Tsig.FUDGE, new byte[0], id, 0, new byte[0])
                .signed(key, message, prior, !first);
        prior = tsig.mac();
        first = false;
        return tsig.appendedTo(message);
    }

    /** The MAC of what was signed last. */
    byte[] mac() {
        return prior;
    }
}
