// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * UDP and TCP sockets of a server: bound to one address of one family, also to one that the machine does not have yet
 * (ip(7), ipv6(7), udp(7), tcp(7)). All are non-blocking and close-on-exec. Everything throws {@link SysException} on
 * error; a failed bind names address and port.
 */
public final class InetSockets {
    private static final int IP_PKTINFO = 8;
    private static final int IP_MTU_DISCOVER = 10;
    private static final int IP_FREEBIND = 15;
    private static final int IPV6_MTU_DISCOVER = 23;
    private static final int IPV6_V6ONLY = 26;
    private static final int IPV6_RECVPKTINFO = 49;
    private static final int IPV6_FREEBIND = 78;
    /** The same for IPv4 and IPv6: fragments by the link's own MTU, whatever strangers say of the path's. */
    private static final int PMTUDISC_OMIT = 5;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;
    private static final int SIOCGIFINDEX = 0x8933;
    private static final int IFNAMSIZ = 16;
    private static final int IFREQ_SIZE = 40;
    private static final int BACKLOG = 256;
    /** Some thousand short datagrams: what comes while the reader is kept from its processor. */
    private static final int UDP_BUFFER = 1 << 20;

    /** What a socket is. */
    public enum Kind {
        /** A bound datagram socket. */
        DATAGRAM,
        /** A listening stream socket. */
        LISTENER
    }

    /**
     * A socket that was handed over, as it is.
     *
     * @param at the address it is bound to
     */
    public record Handed(Kind kind, Endpoint at) {
    }

    /** A connection; the descriptor is the receiver's to close. */
    public record Accepted(Fd fd, Endpoint peer) {
    }

    private InetSockets() {
    }

    /**
     * The endpoint of a numeric address, which for fe80::/10 needs its link: {@code fe80::1%eth0} or {@code fe80::1%2}.
     * IllegalArgumentException when it is no such address, SysException (ENODEV) when there is no such link in the
     * calling thread's namespace.
     */
    public static Endpoint endpoint(final String ip, final int port) {
        final int percent = ip.indexOf('%');
        final Endpoint plain = Endpoint.of(percent < 0 ? ip : ip.substring(0, percent), port);
        if (plain.isLinkLocal() != percent >= 0) {
            throw new IllegalArgumentException(percent < 0 ? "needs its link, as " + ip + "%eth0"
                    : "only link-local addresses have a link: " + ip);
        }
        return percent < 0 ? plain : plain.on(index(ip.substring(percent + 1)));
    }

    /** A bound UDP socket; {@link #tell} it to say where its datagrams came to. EADDRINUSE, EACCES, ENODEV. */
    public static Fd udp(final Endpoint at) {
        final Fd fd = socket(at, Sockets.SOCK_DGRAM, "udp ");
        try {
            buffer(fd, Sockets.SO_RCVBUFFORCE, Sockets.SO_RCVBUF);
            buffer(fd, Sockets.SO_SNDBUFFORCE, Sockets.SO_SNDBUF);
            return bound(fd, at);
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** A listening TCP socket; connections of a server that is gone do not hinder it. EADDRINUSE, EACCES, ENODEV. */
    public static Fd tcp(final Endpoint at) {
        Fd fd = socket(at, Sockets.SOCK_STREAM, "tcp ");
        try {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_REUSEADDR, 1);
            // Its connections inherit it.
            Sockets.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
            fd = bound(fd, at);
            Libc.check(Libc.listen(fd.raw(), BACKLOG), "listen", fd.what());
            return fd;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** The kind and address of a descriptor that was handed over (LISTEN_FDS); null when it is none of the two. */
    public static Handed handed(final Fd fd) {
        try {
            final int domain = Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN);
            final int type = Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_TYPE);
            final boolean listening = Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_ACCEPTCONN) == 1;
            if (domain != Sockets.AF_INET && domain != Sockets.AF_INET6
                    || type != Sockets.SOCK_DGRAM && !(type == Sockets.SOCK_STREAM && listening)) {
                return null;
            }
            final Endpoint at = Endpoint.of(Sockets.name(fd));
            return at.port() == 0 ? null : new Handed(listening ? Kind.LISTENER : Kind.DATAGRAM, at);
        } catch (final SysException e) {
            return null;
        }
    }

    /**
     * Has a UDP socket tell where each datagram came to (IP_PKTINFO, IPV6_PKTINFO), which only one bound to every
     * address needs to know; one bound to a single address answers from there anyway, and is spared the work.
     */
    static void tell(final Fd fd, final Endpoint at) {
        if (Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN) == Sockets.AF_INET) {
            Sockets.setOption(fd, Sockets.SOL_IP, IP_PKTINFO, at.isAny() ? 1 : 0);
        } else {
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_RECVPKTINFO, at.isAny() ? 1 : 0);
        }
    }

    /**
     * The next connection, non-blocking; null when none waits. EMFILE, ENFILE, ENOBUFS and ENOMEM leave it waiting,
     * and the listener readable.
     */
    public static Accepted accept(final Fd listener) {
        while (true) {
            final byte[] address = new byte[Endpoint.SIZE_6];
            final int[] length = {address.length};
            final int fd = Libc.accept4(listener.raw(), address, length, Sockets.SOCK_NONBLOCK | Sockets.SOCK_CLOEXEC);
            if (fd >= 0) {
                final Endpoint peer = Endpoint.of(Arrays.copyOf(address, Math.min(length[0], address.length)));
                return new Accepted(Fd.own(fd, "connection to " + listener.what()), peer);
            }
            switch (Native.getLastError()) {
                case Errno.EAGAIN:
                    return null;
                // accept(2): errors of the connection that was about to be taken are to be taken as no connection.
                case Errno.EINTR:
                case Errno.ECONNABORTED:
                case Errno.ENETDOWN:
                case Errno.EPROTO:
                case Errno.ENOPROTOOPT:
                case Errno.EHOSTDOWN:
                case Errno.ENONET:
                case Errno.EHOSTUNREACH:
                case Errno.EOPNOTSUPP:
                case Errno.ENETUNREACH:
                case Errno.EPERM:
                    break;
                default:
                    throw SysException.last("accept4", listener.what());
            }
        }
    }

    /** Says that nothing more will be sent (SHUT_WR); a connection that is gone is fine. */
    public static void endOutput(final Fd fd) {
        Libc.shutdown(fd.raw(), 1);
    }

    private static Fd socket(final Endpoint at, final int type, final String name) {
        final int family = at.isIp4() ? Sockets.AF_INET : Sockets.AF_INET6;
        final Fd fd = Fd.own(Sockets.socket(family, type | Sockets.SOCK_NONBLOCK, 0).disown(), name + at);
        try {
            if (at.isIp4()) {
                Sockets.setOption(fd, Sockets.SOL_IP, IP_FREEBIND, 1);
                Sockets.setOption(fd, Sockets.SOL_IP, IP_MTU_DISCOVER, PMTUDISC_OMIT);
            } else {
                Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_V6ONLY, 1);
                Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_FREEBIND, 1);
                Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_OMIT);
            }
            return fd;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    private static Fd bound(final Fd fd, final Endpoint at) {
        Sockets.bind(fd, at.sockaddr());
        // A port of the kernel's choice is part of its name, too.
        if (at.port() != 0) {
            return fd;
        }
        final String name = fd.what();
        final int port = Endpoint.of(Sockets.name(fd)).port();
        return Fd.own(fd.disown(), name.substring(0, name.lastIndexOf(':') + 1) + port);
    }

    /** As many as this for root, else as many as net.core.rmem_max and wmem_max let through. */
    private static void buffer(final Fd fd, final int forced, final int plain) {
        try {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, forced, UDP_BUFFER);
        } catch (final SysException e) {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, plain, UDP_BUFFER);
        }
    }

    /** if_nametoindex(3). */
    private static int index(final String link) {
        if (link.matches("[0-9]{1,9}")) {
            return Integer.parseInt(link);
        }
        final byte[] name = link.getBytes(StandardCharsets.UTF_8);
        if (name.length == 0 || name.length >= IFNAMSIZ) {
            throw new SysException("ioctl", "link " + link, Errno.ENODEV);
        }
        final byte[] request = Arrays.copyOf(name, IFREQ_SIZE);
        try (Fd any = Sockets.socket(Sockets.AF_INET6, Sockets.SOCK_DGRAM, 0)) {
            Libc.check(Libc.ioctl(any.raw(), SIOCGIFINDEX, request), "ioctl", "link " + link);
        }
        return ByteBuffer.wrap(request).order(ByteOrder.nativeOrder()).getInt(IFNAMSIZ);
    }
}
