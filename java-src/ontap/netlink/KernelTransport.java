// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import ontap.sys.Fd;
import ontap.sys.Sockets;

/** A netlink socket of the kernel: the options and the layout of sockaddr_nl in one place. */
final class KernelTransport implements Transport {
    /** The kernel sizes dump datagrams by the reader's buffer, up to 32 KiB. */
    static final int BUFFER = 64 * 1024;

    private static final int SOCKADDR = 12;
    private static final int PORT_AT = 4;
    private static final int SECONDS = 60;

    private final Fd fd;
    private final byte[] buffer = new byte[BUFFER];

    private KernelTransport(final Fd fd) {
        this.fd = fd;
    }

    /** A blocking socket for requests in the calling thread's namespace. */
    static KernelTransport open(final int protocol) {
        final Fd fd = socket(protocol, 0);
        try {
            option(fd, NetlinkConstants.NETLINK_EXT_ACK, 1);
            option(fd, NetlinkConstants.NETLINK_CAP_ACK, 1);
            option(fd, NetlinkConstants.NETLINK_GET_STRICT_CHK, 1);
            final byte[] timeval = new byte[16];
            HostOrder.put64(timeval, 0, SECONDS);
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVTIMEO, timeval);
            return new KernelTransport(fd);
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** A bound netlink socket; the kernel chooses its port. */
    static Fd socket(final int protocol, final int typeFlags) {
        final Fd fd = Sockets.socket(Sockets.AF_NETLINK, Sockets.SOCK_RAW | typeFlags, protocol);
        try {
            final byte[] address = new byte[SOCKADDR];
            HostOrder.put16(address, 0, Sockets.AF_NETLINK);
            Sockets.bind(fd, address);
            return fd;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    static void option(final Fd fd, final int name, final int value) {
        Sockets.setOption(fd, NetlinkConstants.SOL_NETLINK, name, value);
    }

    /** One datagram from any netlink socket; null when there is none (or the time limit has passed). */
    static Datagram receive(final Fd fd, final byte[] buffer) {
        final Sockets.Received r = Sockets.receive(fd, buffer, 0);
        if (r == null) {
            return null;
        }
        Integer nsid = null;
        for (final Sockets.Control c : r.control()) {
            if (c.level() == NetlinkConstants.SOL_NETLINK
                    && c.type() == NetlinkConstants.NETLINK_LISTEN_ALL_NSID
                    && c.data().length >= 4) {
                nsid = HostOrder.s32(c.data(), 0);
            }
        }
        final byte[] from = r.from();
        // A sender without an address is not the kernel.
        final int sender = from == null || from.length < SOCKADDR ? -1 : HostOrder.s32(from, PORT_AT);
        return new Datagram(buffer, r.length(), sender, nsid, r.truncated());
    }

    @Override
    public void send(final byte[] bytes, final int length) {
        Sockets.send(fd, bytes, 0, length, 0, null);
    }

    @Override
    public Datagram receive() {
        return receive(fd, buffer);
    }

    @Override
    public void close() {
        fd.close();
    }
}
