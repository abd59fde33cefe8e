// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** The answer of a server that failed at answering: a header alone, with SERVFAIL (RFC 1035, section 4.1.1). */
final class ServerFailure {
    /** A message's header. */
    static final int HEADER = 12;
    private static final int QR = 0x8000;
    /** OPCODE and RD, which an answer repeats. */
    private static final int KEPT = 0x7900;
    private static final int SERVFAIL = 2;

    private ServerFailure() {
    }

    /** Writes it to {@code out} from its position on; false when the message is too short or an answer itself. */
    static boolean write(final ByteBuffer query, final int at, final int end, final ByteBuffer out) {
        if (end - at < HEADER || (query.getShort(at + 2) & QR) != 0) {
            return false;
        }
        out.putShort(query.getShort(at));
        out.putShort((short) (QR | query.getShort(at + 2) & KEPT | SERVFAIL));
        out.putLong(0);
        return true;
    }

    /** The same as the only answer of a stream; none when there is nothing to say. */
    static Iterator<byte[]> stream(final byte[] query) {
        final ByteBuffer out = ByteBuffer.allocate(HEADER);
        return write(ByteBuffer.wrap(query), 0, query.length, out)
                ? List.of(out.array()).iterator() : Collections.emptyIterator();
    }
}
