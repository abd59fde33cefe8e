// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.util.Arrays;
import java.util.List;

/**
 * Sockets of any family; addresses are the bytes of the family's own sockaddr, options the bytes of the option.
 * Everything throws {@link SysException} on error and makes interrupted calls again. Calls block as the socket does:
 * add {@link #SOCK_NONBLOCK} to the type for one that never does.
 */
public final class Sockets {
    public static final int AF_UNIX = 1;
    public static final int AF_INET = 2;
    public static final int AF_INET6 = 10;
    public static final int AF_NETLINK = 16;
    public static final int AF_PACKET = 17;

    public static final int SOCK_STREAM = 1;
    public static final int SOCK_DGRAM = 2;
    public static final int SOCK_RAW = 3;
    public static final int SOCK_SEQPACKET = 5;
    public static final int SOCK_NONBLOCK = 04000;
    public static final int SOCK_CLOEXEC = 02000000;

    public static final int SOL_SOCKET = 1;
    public static final int SOL_IP = 0;
    public static final int SOL_IPV6 = 41;
    public static final int SOL_PACKET = 263;
    public static final int SOL_NETLINK = 270;

    public static final int SO_REUSEADDR = 2;
    public static final int SO_TYPE = 3;
    public static final int SO_ERROR = 4;
    public static final int SO_BROADCAST = 6;
    public static final int SO_SNDBUF = 7;
    public static final int SO_RCVBUF = 8;
    public static final int SO_REUSEPORT = 15;
    public static final int SO_PASSCRED = 16;
    public static final int SO_PEERCRED = 17;
    public static final int SO_RCVTIMEO = 20;
    public static final int SO_SNDTIMEO = 21;
    public static final int SO_BINDTODEVICE = 25;
    public static final int SO_ATTACH_FILTER = 26;
    public static final int SO_ACCEPTCONN = 30;
    public static final int SO_SNDBUFFORCE = 32;
    public static final int SO_RCVBUFFORCE = 33;
    public static final int SO_DOMAIN = 39;
    public static final int SO_PEERGROUPS = 59;
    public static final int SO_NETNS_COOKIE = 71;
    public static final int SO_PEERPIDFD = 77;

    public static final int MSG_PEEK = 2;
    public static final int MSG_CTRUNC = 8;
    public static final int MSG_TRUNC = 0x20;
    public static final int MSG_DONTWAIT = 0x40;
    public static final int MSG_NOSIGNAL = 0x4000;
    public static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private static final int ADDRESS_MAX = 128;
    private static final int CONTROL_MAX = 2048;

    private Sockets() {
    }

    /**
     * One message.
     *
     * @param length what recvmsg(2) returned: bytes in the buffer, 0 at a stream's end; more than the buffer holds only
     *     when the caller passed MSG_TRUNC
     * @param truncated part of the datagram did not fit and is lost (MSG_TRUNC came back)
     * @param flags the MSG_ bits that came back
     * @param from the sender's sockaddr, empty where there is none
     * @param control the ancillary data, in order
     */
    public record Received(int length, boolean truncated, int flags, byte[] from, List<Control> control) {
    }

    /** One piece of ancillary data (cmsg(3)): its level, type and bytes. */
    public record Control(int level, int type, byte[] data) {
    }

    /** socket(2) with SOCK_CLOEXEC added. */
    public static Fd socket(final int domain, final int type, final int protocol) {
        final int fd = Libc.socket(domain, type | SOCK_CLOEXEC, protocol);
        final String what = "socket " + domain + "/" + (type & 0xf) + "/" + protocol;
        return Fd.own(Libc.check(fd, "socket", what), what);
    }

    /** bind(2) to a sockaddr. */
    public static void bind(final Fd fd, final byte[] address) {
        Libc.check(Libc.bind(fd.raw(), address, address.length), "bind", fd.what());
    }

    /** connect(2) to a sockaddr; EINPROGRESS of a non-blocking socket is thrown like any error. */
    public static void connect(final Fd fd, final byte[] address) {
        int result;
        do {
            result = Libc.connect(fd.raw(), address, address.length);
        } while (Libc.interrupted(result));
        Libc.check(result, "connect", fd.what());
    }

    /** The sockaddr the socket is bound to (getsockname(2)). */
    public static byte[] name(final Fd fd) {
        final byte[] address = new byte[ADDRESS_MAX];
        final int[] length = {address.length};
        Libc.check(Libc.getsockname(fd.raw(), address, length), "getsockname", fd.what());
        return Arrays.copyOf(address, Math.min(length[0], address.length));
    }

    /** setsockopt(2) with an int. */
    public static void setOption(final Fd fd, final int level, final int name, final int value) {
        final byte[] bytes = {(byte) value, (byte) (value >> 8), (byte) (value >> 16), (byte) (value >> 24)};
        setOption(fd, level, name, bytes);
    }

    /** setsockopt(2) with the bytes of a structure or string. */
    public static void setOption(final Fd fd, final int level, final int name, final byte[] value) {
        final int result = Libc.setsockopt(fd.raw(), level, name, value, value.length);
        if (result < 0) {
            throw SysException.last("setsockopt", option(fd, level, name));
        }
    }

    /** getsockopt(2) of an int. */
    public static int getOptionInt(final Fd fd, final int level, final int name) {
        final byte[] value = getOption(fd, level, name, Integer.BYTES);
        int result = 0;
        for (int i = value.length - 1; i >= 0; i--) {
            result = result << 8 | value[i] & 0xff;
        }
        return result;
    }

    /** getsockopt(2): at most {@code max} bytes, as many as the kernel gave. */
    public static byte[] getOption(final Fd fd, final int level, final int name, final int max) {
        final byte[] value = new byte[max];
        final int[] length = {max};
        final int result = Libc.getsockopt(fd.raw(), level, name, value, length);
        if (result < 0) {
            throw SysException.last("getsockopt", option(fd, level, name));
        }
        return length[0] == max ? value : Arrays.copyOf(value, Math.min(length[0], max));
    }

    /**
     * sendto(2); never raises SIGPIPE.
     *
     * @param address the receiver's sockaddr, null for a connected socket
     * @return the bytes sent, or {@link Io#AGAIN}
     */
    public static int send(final Fd fd, final byte[] buffer, final int offset, final int length, final int flags,
            final byte[] address) {
        try (Scratch scratch = Scratch.of(length)) {
            scratch.at.write(0, buffer, offset, length);
            final int raw = fd.raw();
            final int addressLength = address == null ? 0 : address.length;
            long n;
            do {
                n = Libc.sendto(raw, scratch.at, length, flags | MSG_NOSIGNAL, address, addressLength);
            } while (Libc.interrupted(n));
            return n < 0 ? Io.again("send", fd) : (int) n;
        }
    }

    /**
     * recvmsg(2) with address and ancillary data. Null when a non-blocking socket has nothing. Descriptors that come
     * as ancillary data are close-on-exec and the caller's to close: for these use {@link UnixSockets#receive}.
     */
    public static Received receive(final Fd fd, final byte[] buffer, final int flags) {
        return receive(fd, buffer, flags | MSG_CMSG_CLOEXEC, CONTROL_MAX);
    }

    /** The same with these flags alone and room for {@code controlMax} bytes of ancillary data. */
    static Received receive(final Fd fd, final byte[] buffer, final int flags, final int controlMax) {
        try (MessageHeader header = MessageHeader.forReceiving(buffer.length, ADDRESS_MAX, controlMax)) {
            final int raw = fd.raw();
            long n;
            do {
                n = Libc.recvmsg(raw, header.at(), flags);
            } while (Libc.interrupted(n));
            if (n < 0) {
                Io.again("recvmsg", fd);
                return null;
            }
            header.data(buffer, (int) Math.min(n, buffer.length));
            final int came = header.flags();
            return new Received((int) n, (came & MSG_TRUNC) != 0, came, header.address(), header.control());
        }
    }

    private static String option(final Fd fd, final int level, final int name) {
        return fd.what() + ", level " + level + ", option " + name;
    }
}
