// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.nio.ByteBuffer;
import java.util.Iterator;

/**
 * What a DNS server says to one message. Called by the servers' threads, which are one for UDP and one for TCP, at the
 * same time; must not block, and keeps no reference to the buffers.
 *
 * <p>The asker's address comes as 16 octets in two longs, big-endian, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). Time
 * is CLOCK_BOOTTIME in milliseconds. What is thrown is counted and answered with SERVFAIL.
 */
public interface Answerer {
    /**
     * Answers one datagram.
     *
     * @param query the message, from the position to the limit; may be a direct buffer
     * @param out where the answer is written, from the position on; its position moves to the answer's end
     * @return false: no reply, whatever was written
     */
    boolean answerDatagram(ByteBuffer query, long addressHigh, long addressLow, long nowMillis, ByteBuffer out);

    /**
     * Answers one message of a stream: its answers, one message each (at most 65,535 octets, without the two octets of
     * length), made as they are taken. An empty iterator says no reply, which ends the connection (garbage).
     */
    Iterator<byte[]> answerStream(byte[] query, long addressHigh, long addressLow, long nowMillis);
}
