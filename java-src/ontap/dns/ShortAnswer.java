// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import org.xbill.DNS.Type;

/** An answer that is nothing but its code: the header, the question as it came, and an OPT for one (RFC 6891, 6.1.1). */
final class ShortAnswer {
    /** An OPT without options: the root, type, our size, code and version and flags, no data. */
    private static final int OPT = 11;
    private static final int QDCOUNT = 4;

    private ShortAnswer() {
    }

    /**
     * To the message that was scanned.
     *
     * @param flags among AA and TC
     */
    static byte[] of(final byte[] query, final MessageScan scan, final int flags, final int rcode) {
        final ByteBuffer out = ByteBuffer.allocate(scan.questionEnd() + (scan.edns() ? OPT : 0));
        out.put(query, 0, scan.questionEnd());
        final int kept = scan.flags() & (MessageScan.OPCODE | MessageScan.RD);
        out.putShort(Short.BYTES, (short) (MessageScan.QR | kept | flags | rcode));
        out.putInt(QDCOUNT, 1 << Short.SIZE).putInt(QDCOUNT + Integer.BYTES, scan.edns() ? 1 : 0);
        if (scan.edns()) {
            out.put((byte) 0).putShort((short) Type.OPT).putShort((short) Responder.DATAGRAM_MOST).putInt(0);
        }
        return out.array();
    }
}
