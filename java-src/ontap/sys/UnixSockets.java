// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Unix sockets at a path: who is at the other end, and descriptors handed over (unix(7)). Everything throws
 * {@link SysException} on error.
 */
public final class UnixSockets {
    private static final int BACKLOG = 1024;
    private static final int PATH_MAX = 107;
    /** chown(2): the id stays as it is. */
    private static final int KEEP = -1;
    private static final int FEW_GROUPS = 64;
    private static final int NGROUPS_MAX = 65536;
    private static final int SCM_RIGHTS = 1;
    private static final int SCM_CREDENTIALS = 2;
    private static final int SCM_PIDFD = 4;
    private static final int UCRED_SIZE = 12;
    private static final int PIDFD_SIZE = 4;

    private UnixSockets() {
    }

    /** The process at the other end as it was when it connected, or as it was when it sent. */
    public record PeerCred(int pid, int uid, int gid) {
    }

    /**
     * What one receive brought. The descriptors are the receiver's to close.
     *
     * @param data empty at the end of a connection
     * @param cred who sent it; null unless the socket has SO_PASSCRED
     * @param bytesLost whether the datagram or packet was longer than there was room for
     * @param fdsLost whether more descriptors came than there was room for
     */
    public record Message(byte[] data, List<Fd> fds, PeerCred cred, boolean bytesLost, boolean fdsLost) {
    }

    /**
     * A non-blocking listening stream socket. A socket left at the path by a program that is gone is replaced;
     * EADDRINUSE when somebody listens there or the path is no socket.
     *
     * @param mode permission bits, exactly; at no moment does the socket have more
     */
    public static Fd listen(final String path, final int mode) {
        return listening(bound(Sockets.SOCK_STREAM, path, mode, KEEP, KEEP));
    }

    /**
     * A non-blocking listening socket for packets (SOCK_SEQPACKET); path and mode as for {@link #listen}. Owner and
     * mode are right before anybody can connect.
     *
     * @param uid its owner, -1 for the caller
     * @param gid its group, -1 for the caller's
     */
    public static Fd listenPackets(final String path, final int mode, final int uid, final int gid) {
        return listening(bound(Sockets.SOCK_SEQPACKET, path, mode, uid, gid));
    }

    /** Is it a listening Unix socket for packets? For a descriptor that was inherited, of whatever kind. */
    public static boolean isPacketListener(final Fd fd) {
        try {
            return Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN) == Sockets.AF_UNIX
                    && Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_TYPE) == Sockets.SOCK_SEQPACKET
                    && Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_ACCEPTCONN) == 1;
        } catch (SysException e) {
            return false;
        }
    }

    /** The path a Unix socket is bound to, as it was given to bind(2); null when it has none. */
    public static String boundPath(final Fd fd) {
        final ByteBuffer address = ByteBuffer.wrap(Sockets.name(fd)).order(ByteOrder.nativeOrder());
        // Unnamed sockets have the family alone; names that begin with NUL are abstract and no paths.
        if (address.getShort() != Sockets.AF_UNIX || !address.hasRemaining() || address.get(2) == 0) {
            return null;
        }
        int length = 0;
        while (length < address.remaining() && address.get(2 + length) != 0) {
            length++;
        }
        return new String(address.array(), 2, length, StandardCharsets.UTF_8);
    }

    /** A bound non-blocking datagram socket with SO_PASSCRED; path and mode as for {@link #listen}. */
    public static Fd datagram(final String path, final int mode) {
        return bound(Sockets.SOCK_DGRAM, path, mode, KEEP, KEEP);
    }

    /** The next connection, non-blocking; null when none waits. */
    public static Fd accept(final Fd listener) {
        while (true) {
            final int flags = Sockets.SOCK_NONBLOCK | Sockets.SOCK_CLOEXEC;
            final int fd = Libc.accept4(listener.raw(), null, null, flags);
            if (fd >= 0) {
                return Fd.own(fd, "connection to " + listener.what());
            }
            switch (Native.getLastError()) {
                case Errno.EAGAIN:
                    return null;
                case Errno.EINTR:
                case Errno.ECONNABORTED:
                    break;
                default:
                    throw SysException.last("accept4", listener.what());
            }
        }
    }

    /** A blocking stream connection to the path; waits while the listener's queue is full. */
    public static Fd connect(final String path) {
        return connected(Sockets.SOCK_STREAM, path);
    }

    /**
     * A blocking connection for packets (SOCK_SEQPACKET); waits while the listener's queue is full. ENOENT without a
     * socket at the path, ECONNREFUSED when nobody listens, EACCES without the right to write to it, EPROTOTYPE when
     * it is a socket of another type.
     */
    public static Fd connectPackets(final String path) {
        return connected(Sockets.SOCK_SEQPACKET, path);
    }

    /** A blocking datagram socket whose datagrams go to the path; errors as for {@link #connectPackets}. */
    public static Fd connectDatagram(final String path) {
        return connected(Sockets.SOCK_DGRAM, path);
    }

    private static Fd connected(final int type, final String path) {
        final byte[] address = address(path);
        final Fd fd = Sockets.socket(Sockets.AF_UNIX, type, 0);
        try {
            Sockets.connect(fd, address);
            return Fd.own(fd.disown(), path);
        } catch (final SysException e) {
            fd.close();
            throw new SysException("connect", path, e.errno());
        }
    }

    /** Two stream sockets connected to each other, blocking. */
    public static Fd[] pair() {
        return pair(Sockets.SOCK_STREAM);
    }

    /** Two sockets for packets (SOCK_SEQPACKET) connected to each other, blocking. */
    public static Fd[] pairOfPackets() {
        return pair(Sockets.SOCK_SEQPACKET);
    }

    private static Fd[] pair(final int type) {
        final int[] fds = new int[2];
        final int made = Libc.socketpair(Sockets.AF_UNIX, type | Sockets.SOCK_CLOEXEC, 0, fds);
        Libc.check(made, "socketpair", "");
        return new Fd[] {Fd.own(fds[0], "socket pair"), Fd.own(fds[1], "socket pair")};
    }

    /** Who connected (or listened), fixed at that moment: SO_PEERCRED. */
    public static PeerCred peerCred(final Fd fd) {
        return cred(Sockets.getOption(fd, Sockets.SOL_SOCKET, Sockets.SO_PEERCRED, UCRED_SIZE));
    }

    /**
     * The supplementary groups of who connected (or listened), fixed at that moment: SO_PEERGROUPS. The group of
     * {@link #peerCred} need not be among them.
     */
    public static int[] peerGroups(final Fd fd) {
        byte[] groups;
        try {
            groups = Sockets.getOption(fd, Sockets.SOL_SOCKET, Sockets.SO_PEERGROUPS, FEW_GROUPS * Integer.BYTES);
        } catch (final SysException e) {
            if (e.errno() != Errno.ERANGE) {
                throw e;
            }
            groups = Sockets.getOption(fd, Sockets.SOL_SOCKET, Sockets.SO_PEERGROUPS, NGROUPS_MAX * Integer.BYTES);
        }
        final int[] numbers = new int[groups.length / Integer.BYTES];
        ByteBuffer.wrap(groups).order(ByteOrder.nativeOrder()).asIntBuffer().get(numbers);
        return numbers;
    }

    /** A pidfd of who connected, safe from reuse of its number; null before Linux 6.5, which has no SO_PEERPIDFD. */
    public static Fd peerPidFd(final Fd fd) {
        try {
            final int pidfd = Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_PEERPIDFD);
            return Fd.own(pidfd, "pidfd of the peer of " + fd.what());
        } catch (final SysException e) {
            if (e.errno() == Errno.ENOPROTOOPT) {
                return null;
            }
            throw e;
        }
    }

    /**
     * Sends all of the data, the descriptors with its first byte; they stay the caller's. A non-blocking socket
     * without room throws EAGAIN: if part of a stream's data has gone by then, the connection is of no more use. A
     * packet goes whole or not at all; EMSGSIZE when it could never go. IllegalArgumentException when there are
     * descriptors but no data.
     */
    public static void send(final Fd fd, final byte[] data, final List<Fd> fds) {
        if (data.length == 0 && !fds.isEmpty()) {
            throw new IllegalArgumentException("descriptors need at least one byte to travel with");
        }
        final int[] raws = new int[fds.size()];
        for (int i = 0; i < raws.length; i++) {
            raws[i] = fds.get(i).raw();
        }
        int done;
        try (MessageHeader header = MessageHeader.forSending(data, Sockets.SOL_SOCKET, SCM_RIGHTS, raws)) {
            final int raw = fd.raw();
            long n;
            do {
                n = Libc.sendmsg(raw, header.at(), Sockets.MSG_NOSIGNAL);
            } while (Libc.interrupted(n));
            if (n < 0) {
                throw SysException.last("sendmsg", fd.what());
            }
            done = (int) n;
        }
        while (done < data.length) {
            final int n = Sockets.send(fd, data, done, data.length - done, 0, null);
            if (n == Io.AGAIN) {
                throw new SysException("sendmsg", fd.what(), Errno.EAGAIN);
            }
            done += n;
        }
    }

    /**
     * Receives data and at most {@code maxFds} descriptors; null when a non-blocking socket has nothing. More
     * descriptors than that, or than the process may have, throw EPROTO, a datagram or packet longer than {@code max}
     * bytes EMSGSIZE; nothing that came with it stays open, and the message is gone. A packet without data looks like
     * the end of the connection. ECONNRESET, once, when the other end was closed before it had read all.
     */
    public static Message receive(final Fd fd, final int max, final int maxFds) {
        final Message message = receiveAny(fd, max, maxFds);
        if (message == null || !message.fdsLost() && !message.bytesLost()) {
            return message;
        }
        closeAll(message.fds());
        if (message.fdsLost()) {
            throw new SysException("recvmsg", fd.what() + ", more descriptors than " + maxFds, Errno.EPROTO);
        }
        throw new SysException("recvmsg", fd.what() + ", more bytes than " + max, Errno.EMSGSIZE);
    }

    /**
     * The same for what a stranger may have sent: what is too long or has too many descriptors comes as far as there was
     * room for it, as closing a descriptor of theirs may block for ever (close(2) waits for a FUSE server).
     */
    public static Message receiveAny(final Fd fd, final int max, final int maxFds) {
        final int room = MessageHeader.space(UCRED_SIZE) + MessageHeader.space(PIDFD_SIZE)
                + MessageHeader.space(maxFds * Integer.BYTES);
        final byte[] buffer = new byte[max];
        final Sockets.Received received = Sockets.receive(fd, buffer, Sockets.MSG_CMSG_CLOEXEC, room);
        if (received == null) {
            return null;
        }
        final List<Fd> fds = new ArrayList<>(maxFds);
        PeerCred cred = null;
        for (final Sockets.Control control : received.control()) {
            if (control.level() != Sockets.SOL_SOCKET) {
                continue;
            }
            if (control.type() == SCM_CREDENTIALS) {
                cred = cred(control.data());
            } else if (control.type() == SCM_RIGHTS) {
                own(control.data(), "received from " + fd.what(), fds);
            } else if (control.type() == SCM_PIDFD) {
                final List<Fd> unwanted = new ArrayList<>(1);
                own(control.data(), "pidfd", unwanted);
                closeAll(unwanted);
            }
        }
        final boolean fdsLost = (received.flags() & Sockets.MSG_CTRUNC) != 0 || fds.size() > maxFds;
        final byte[] data = received.length() == max ? buffer : Arrays.copyOf(buffer, received.length());
        return new Message(data, fds, cred, received.truncated(), fdsLost);
    }

    /** struct sockaddr_un of the path; ENAMETOOLONG past 107 bytes. */
    static byte[] address(final String path) {
        final byte[] name = path.getBytes(StandardCharsets.UTF_8);
        if (name.length > PATH_MAX) {
            throw new SysException("bind", path, Errno.ENAMETOOLONG);
        }
        final byte[] address = new byte[2 + name.length + 1];
        address[0] = (byte) Sockets.AF_UNIX;
        System.arraycopy(name, 0, address, 2, name.length);
        return address;
    }

    private static Fd listening(final Fd fd) {
        if (Libc.listen(fd.raw(), BACKLOG) < 0) {
            final SysException failure = SysException.last("listen", fd.what());
            fd.close();
            throw failure;
        }
        return fd;
    }

    private static Fd bound(final int type, final String path, final int mode, final int uid, final int gid) {
        final byte[] address = address(path);
        final Fd fd = Fd.own(Sockets.socket(Sockets.AF_UNIX, type | Sockets.SOCK_NONBLOCK, 0).disown(), path);
        try {
            if (type == Sockets.SOCK_DGRAM) {
                Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_PASSCRED, 1);
            }
            // bind(2) makes the file with the socket's own mode: nobody's until it is right.
            Libc.check(Libc.fchmod(fd.raw(), 0), "fchmod", path);
            if (isStale(type, path, address)) {
                Io.unlink(path);
            }
            Sockets.bind(fd, address);
            // The mode first: that of another's file takes CAP_FOWNER. Nobody connects before listen(2).
            Io.chmod(path, mode);
            if (uid != KEEP || gid != KEEP) {
                Io.chown(path, uid, gid);
            }
            return fd;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Nobody holds the socket at the path any more: connecting to it is refused. */
    private static boolean isStale(final int type, final String path, final byte[] address) {
        final Io.Stat stat = Io.stat(path);
        if (stat == null || (stat.mode() & Io.S_IFMT) != Io.S_IFSOCK) {
            return false;
        }
        try (Fd probe = Sockets.socket(Sockets.AF_UNIX, type | Sockets.SOCK_NONBLOCK, 0)) {
            Sockets.connect(probe, address);
            return false;
        } catch (final SysException e) {
            return e.errno() == Errno.ECONNREFUSED;
        }
    }

    private static PeerCred cred(final byte[] ucred) {
        final ByteBuffer ints = ByteBuffer.wrap(ucred).order(ByteOrder.nativeOrder());
        return new PeerCred(ints.getInt(0), ints.getInt(4), ints.getInt(8));
    }

    private static void own(final byte[] data, final String what, final List<Fd> into) {
        final ByteBuffer ints = ByteBuffer.wrap(data).order(ByteOrder.nativeOrder());
        while (ints.remaining() >= Integer.BYTES) {
            into.add(Fd.own(ints.getInt(), what));
        }
    }

    private static void closeAll(final List<Fd> fds) {
        for (final Fd fd : fds) {
            fd.close();
        }
    }
}
