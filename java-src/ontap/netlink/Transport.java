// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/**
 * What carries datagrams between a {@link NetlinkSocket} and the kernel; a test may stand in for
 * the kernel here.
 */
public interface Transport extends AutoCloseable {
    /** Sends the first {@code length} bytes to the kernel; throws ontap.sys.SysException. */
    void send(byte[] bytes, int length);

    /**
     * Waits for one datagram. Null when the transport's own time limit has passed. Throws
     * ontap.sys.SysException, with ENOBUFS when answers were lost.
     */
    Datagram receive();

    @Override
    void close();

    /**
     * One datagram; the bytes are valid until the next {@link #receive}.
     *
     * @param bytes buffer, longer than the datagram
     * @param length bytes of the datagram in it
     * @param sender netlink port of the sender, 0 is the kernel
     * @param nsid the sender's namespace, null for the socket's own
     * @param truncated true when the datagram did not fit
     */
    record Datagram(byte[] bytes, int length, int sender, Integer nsid, boolean truncated) {}
}
