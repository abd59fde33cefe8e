// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.PacketSocket;
import ontap.sys.Sockets;
import ontap.sys.SysException;

/**
 * A socket that only listens to multicast groups, for an event loop: it never blocks and never
 * asks. It hears the network namespace of the thread that opened it, and with {@code
 * allNamespaces} also every namespace that has an id there (kernel.md "netlink across namespaces").
 */
public final class Monitor implements AutoCloseable {
    /** Receive buffer asked for with SO_RCVBUFFORCE: a burst must not become an overflow. */
    private static final int RECEIVE_BUFFER = 16 * 1024 * 1024;
    /** Datagrams read at once, so that one noisy group does not hold the event loop. */
    private static final int AT_ONCE = 256;

    private final Fd fd;
    private final Dialect dialect;
    private final byte[] buffer = new byte[KernelTransport.BUFFER];

    private Monitor(final Fd fd, final Dialect dialect) {
        this.fd = fd;
        this.dialect = dialect;
    }

    /**
     * What has come since the last call.
     *
     * @param messages in order of arrival
     * @param overflow messages were lost: what they would have said has to be read by dumps
     * @param more there may be more to read at once
     */
    public record Batch(List<Message> messages, boolean overflow, boolean more) {}

    /**
     * How a monitor listens.
     *
     * @param receiveBuffer in bytes; 0 means the usual one
     * @param filter a classic BPF program over each message (linux/filter.h, 8 bytes an instruction), which the kernel
     *     asks before it queues one: what it drops neither wakes nor fills the buffer. Empty for all; not to be changed
     */
    public record Options(
            int protocol, boolean allNamespaces, int receiveBuffer, Dialect dialect, byte[] filter) {
        /** The usual buffer, and everything. */
        public Options(final int protocol, final boolean allNamespaces, final Dialect dialect) {
            this(protocol, allNamespaces, 0, dialect, new byte[0]);
        }

        // A record compares arrays by identity.

        @Override
        public boolean equals(final Object other) {
            return other instanceof Options o
                    && protocol == o.protocol
                    && allNamespaces == o.allNamespaces
                    && receiveBuffer == o.receiveBuffer
                    && dialect == o.dialect
                    && Arrays.equals(filter, o.filter);
        }

        @Override
        public int hashCode() {
            return protocol + receiveBuffer + Arrays.hashCode(filter);
        }
    }

    /** Listens to groups of NETLINK_ROUTE in the calling thread's namespace only; SysException. */
    public static Monitor open(final int... groups) {
        return open(new Options(NetlinkConstants.NETLINK_ROUTE, false, Dialect.NUMBERS), groups);
    }

    /**
     * Listens to the groups. SysException; EPERM without CAP_NET_BROADCAST when all namespaces are
     * wanted.
     */
    public static Monitor open(final Options options, final int... groups) {
        final Fd fd = KernelTransport.socket(options.protocol(), Sockets.SOCK_NONBLOCK);
        try {
            receiveBuffer(fd, options.receiveBuffer());
            if (options.allNamespaces()) {
                KernelTransport.option(fd, NetlinkConstants.NETLINK_LISTEN_ALL_NSID, 1);
            }
            if (options.filter().length > 0) {
                // SO_ATTACH_FILTER, the same for sockets of all families; before anything can come.
                PacketSocket.refilter(fd, options.filter());
            }
            for (final int group : groups) {
                KernelTransport.option(fd, NetlinkConstants.NETLINK_ADD_MEMBERSHIP, group);
            }
            return new Monitor(fd, options.dialect());
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Takes over a socket that {@link #open} made, in this program or in the one that executed this one: it listens to
     * the same groups and namespaces, with the rights of whoever opened it. Closed with the monitor.
     */
    public static Monitor adopt(final Fd fd, final Dialect dialect) {
        Io.nonBlocking(fd);
        return new Monitor(fd, dialect);
    }

    /** Readable when there is something to receive; stays owned by the monitor. */
    public Fd fd() {
        return fd;
    }

    /**
     * Reads what is there, without waiting. Anything that cannot be trusted to be complete (ENOBUFS,
     * a cut or malformed datagram) shows as overflow. Other errors are SysException.
     */
    public Batch receive() {
        final List<Message> out = new ArrayList<>();
        boolean overflow = false;
        for (int i = 0; i < AT_ONCE; i++) {
            final Transport.Datagram d;
            try {
                d = KernelTransport.receive(fd, buffer);
            } catch (final SysException e) {
                if (e.errno() != Errno.ENOBUFS) {
                    throw e;
                }
                overflow = true;
                continue;
            }
            if (d == null) {
                return new Batch(out, overflow, false);
            }
            if (d.sender() != 0) {
                continue;
            }
            overflow |= d.truncated();
            try {
                add(out, Message.parse(d.bytes(), d.length(), d.nsid()));
            } catch (final NetlinkFormatException e) {
                overflow = true;
            }
        }
        return new Batch(out, overflow, true);
    }

    /** Stops listening; a second time does nothing. */
    @Override
    public void close() {
        fd.close();
    }

    private void add(final List<Message> out, final List<Message> messages) {
        for (final Message m : messages) {
            if (Trace.ON) {
                Trace.print('<', m, dialect);
            }
            out.add(m);
        }
    }

    private static void receiveBuffer(final Fd fd, final int wanted) {
        final int bytes = wanted == 0 ? RECEIVE_BUFFER : wanted;
        try {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVBUFFORCE, bytes);
        } catch (final SysException e) {
            if (e.errno() != Errno.EPERM) {
                throw e;
            }
            // Without CAP_NET_ADMIN in the first user namespace: as much as net.core.rmem_max lets.
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVBUF, bytes);
        }
    }
}
