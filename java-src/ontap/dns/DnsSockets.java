// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.List;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.InetSockets;

/**
 * The sockets of a DNS server: one for UDP and one for TCP on each address, opened here or handed over.
 *
 * @param udp bound UDP sockets
 * @param tcp listening TCP sockets
 */
public record DnsSockets(List<Fd> udp, List<Fd> tcp) implements AutoCloseable {
    /** The lists do not change. */
    public DnsSockets {
        udp = List.copyOf(udp);
        tcp = List.copyOf(tcp);
    }

    /** What was handed over that is no socket of a server: the message names it. */
    public static final class Strange extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Strange(final String message) {
            super(message);
        }
    }

    /**
     * Opens both sockets on every address, in the calling thread's network namespace; all or none.
     *
     * @param endpoints as {@link InetSockets#endpoint} gives them; for port 0, what the kernel chose for UDP is TCP's
     * @throws ontap.sys.SysException EADDRINUSE, EACCES; the message names address and port
     */
    public static DnsSockets open(final List<Endpoint> endpoints) {
        final List<Fd> udp = new ArrayList<>();
        final List<Fd> tcp = new ArrayList<>();
        try {
            for (final Endpoint at : endpoints) {
                final Fd datagrams = InetSockets.udp(at);
                udp.add(datagrams);
                tcp.add(InetSockets.tcp(at.port() != 0 ? at : InetSockets.handed(datagrams).at()));
            }
        } catch (final RuntimeException e) {
            udp.forEach(Fd::close);
            tcp.forEach(Fd::close);
            throw e;
        }
        return new DnsSockets(udp, tcp);
    }

    /** Sorts sockets that were handed over (LISTEN_FDS); {@link Strange} when one is something else. All stay open. */
    public static DnsSockets handed(final List<Fd> fds) {
        final List<Fd> udp = new ArrayList<>();
        final List<Fd> tcp = new ArrayList<>();
        for (final Fd fd : fds) {
            final InetSockets.Handed handed = InetSockets.handed(fd);
            if (handed == null) {
                throw new Strange("neither a bound UDP socket nor a listening TCP socket: " + fd);
            }
            (handed.kind() == InetSockets.Kind.DATAGRAM ? udp : tcp).add(fd);
        }
        return new DnsSockets(udp, tcp);
    }

    /** All of them, UDP first: the order they are handed over in. */
    public List<Fd> all() {
        final List<Fd> all = new ArrayList<>(udp);
        all.addAll(tcp);
        return all;
    }

    /** Closes all. Not for those that a server was started with: it closes them itself. */
    @Override
    public void close() {
        all().forEach(Fd::close);
    }
}
