// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Sockets;
import ontap.sys.SysException;

/**
 * The socket of multicast DNS on one link in one family (RFC 6762 sections 3, 11 and 15): port 5353, shared with whoever
 * shares it, a member of the group, bound to the link, so that what it hears came by that link and what it says leaves
 * by it. Non-blocking. It belongs to the network namespace of the thread that opened it, and to a link with an index: a
 * link that comes again needs another one. For one thread.
 */
public final class MdnsSocket implements AutoCloseable {
    /** Of multicast DNS. */
    public static final int PORT = 5353;
    /** Of all that is sent: who gets it with less knows that it was routed (RFC 6762 section 11). */
    public static final int HOPS = 255;

    private static final String GROUP_4 = "224.0.0.251";
    private static final String GROUP_6 = "ff02::fb";

    // in.h, in6.h, socket.h
    private static final int IP_TTL = 2;
    private static final int IP_PKTINFO = 8;
    private static final int IP_RECVTTL = 12;
    private static final int IP_MULTICAST_IF = 32;
    private static final int IP_MULTICAST_TTL = 33;
    private static final int IP_MULTICAST_LOOP = 34;
    private static final int IP_ADD_MEMBERSHIP = 35;
    private static final int IP_DROP_MEMBERSHIP = 36;
    private static final int IP_MULTICAST_ALL = 49;
    private static final int IPV6_UNICAST_HOPS = 16;
    private static final int IPV6_MULTICAST_IF = 17;
    private static final int IPV6_MULTICAST_HOPS = 18;
    private static final int IPV6_MULTICAST_LOOP = 19;
    private static final int IPV6_JOIN_GROUP = 20;
    private static final int IPV6_LEAVE_GROUP = 21;
    private static final int IPV6_V6ONLY = 26;
    private static final int IPV6_MULTICAST_ALL = 29;
    private static final int IPV6_RECVPKTINFO = 49;
    private static final int IPV6_PKTINFO = 50;
    private static final int IPV6_RECVHOPLIMIT = 51;
    private static final int IPV6_HOPLIMIT = 52;
    private static final int SO_BINDTOIFINDEX = 62;

    /** Some thousand datagrams: what comes while the reader is kept from its processor. */
    private static final int BUFFER = 1 << 20;
    private static final int LONGEST = 9000;
    // sockaddr_in, sockaddr_in6
    private static final int SOCKADDR_PORT = 2;
    private static final int SOCKADDR_4 = 4;
    private static final int SOCKADDR_6 = 8;
    private static final int IP_4 = 4;
    private static final int IP_6 = 16;
    /** Where in struct in_pktinfo the destination is; in in6_pktinfo it is at the beginning. */
    private static final int PKTINFO_TO = 8;

    private final Fd fd;
    private final boolean ip4;
    private final int index;
    private final byte[] group;
    private final byte[] buffer = new byte[LONGEST];

    /**
     * A datagram.
     *
     * @param bytes     shared: valid until the next one is received
     * @param length    bytes of it
     * @param from      4 or 16 octets
     * @param port      of the sender
     * @param multicast did it come to the group?
     * @param hops      TTL or hop limit that it came with, -1 when the kernel did not tell
     */
    public record Datagram(byte[] bytes, int length, byte[] from, int port, boolean multicast, int hops) {
    }

    private MdnsSocket(final Fd fd, final boolean ip4, final int index) {
        this.fd = fd;
        this.ip4 = ip4;
        this.index = index;
        final Endpoint to = Endpoint.of(ip4 ? GROUP_4 : GROUP_6, PORT);
        this.group = (ip4 ? to : to.on(index)).sockaddr();
    }

    /**
     * A socket on the link {@code index} of the calling thread's namespace. SysException: EADDRINUSE when somebody keeps
     * the port to itself, ENODEV when there is no such link, EAFNOSUPPORT when the kernel has not the family.
     */
    public static MdnsSocket open(final boolean ip4, final int index) {
        final Fd fd = Sockets.socket(ip4 ? Sockets.AF_INET : Sockets.AF_INET6,
                Sockets.SOCK_DGRAM | Sockets.SOCK_NONBLOCK | Sockets.SOCK_CLOEXEC, 0);
        try {
            final MdnsSocket socket = new MdnsSocket(fd, ip4, index);
            socket.prepare();
            return socket;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** One that was opened by another life of this program, and handed over. */
    public static MdnsSocket adopt(final Fd fd, final int index) {
        return new MdnsSocket(fd, Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN) == Sockets.AF_INET, index);
    }

    private void prepare() {
        Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_REUSEADDR, 1);
        Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_REUSEPORT, 1);
        Sockets.setOption(fd, Sockets.SOL_SOCKET, SO_BINDTOIFINDEX, index);
        try {
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVBUFFORCE, BUFFER);
        } catch (final SysException e) {
            // only root may have more than the kernel's limit
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVBUF, BUFFER);
        }
        if (ip4) {
            Sockets.setOption(fd, Sockets.SOL_IP, IP_TTL, HOPS);
            Sockets.setOption(fd, Sockets.SOL_IP, IP_MULTICAST_TTL, HOPS);
            // other programs of this host hear us, too
            Sockets.setOption(fd, Sockets.SOL_IP, IP_MULTICAST_LOOP, 1);
            Sockets.setOption(fd, Sockets.SOL_IP, IP_MULTICAST_ALL, 0);
            Sockets.setOption(fd, Sockets.SOL_IP, IP_PKTINFO, 1);
            Sockets.setOption(fd, Sockets.SOL_IP, IP_RECVTTL, 1);
            Sockets.setOption(fd, Sockets.SOL_IP, IP_MULTICAST_IF, membership());
            Sockets.bind(fd, Endpoint.of("0.0.0.0", PORT).sockaddr());
            Sockets.setOption(fd, Sockets.SOL_IP, IP_ADD_MEMBERSHIP, membership());
        } else {
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_V6ONLY, 1);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_UNICAST_HOPS, HOPS);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_HOPS, HOPS);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_LOOP, 1);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_ALL, 0);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_RECVPKTINFO, 1);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_IF, index);
            Sockets.bind(fd, Endpoint.of("::", PORT).sockaddr());
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_JOIN_GROUP, membership());
        }
    }

    /**
     * A member of the group again. A link that had no IPv6 for a while (an MTU below 1280, disable_ipv6) has forgotten its
     * members, and tells nobody. False when it cannot be one now.
     */
    public boolean joinAgain() {
        final int level = ip4 ? Sockets.SOL_IP : Sockets.SOL_IPV6;
        try {
            Sockets.setOption(fd, level, ip4 ? IP_DROP_MEMBERSHIP : IPV6_LEAVE_GROUP, membership());
        } catch (final SysException e) {
            // it was none, by what the kernel knows of the socket
        }
        try {
            Sockets.setOption(fd, level, ip4 ? IP_ADD_MEMBERSHIP : IPV6_JOIN_GROUP, membership());
            return true;
        } catch (final SysException e) {
            return false;
        }
    }

    /** struct ip_mreqn: group, any address, index; struct ipv6_mreq: group, index. */
    private byte[] membership() {
        final ByteBuffer request = ByteBuffer.allocate(ip4 ? 3 * Integer.BYTES : IP_6 + Integer.BYTES).order(ByteOrder.nativeOrder());
        if (ip4) {
            return request.put(group, SOCKADDR_4, IP_4).putInt(0).putInt(index).array();
        }
        return request.put(group, SOCKADDR_6, IP_6).putInt(index).array();
    }

    /** Readable when {@link #receive} has something; stays this socket's. */
    public Fd fd() {
        return fd;
    }

    /** The link it is for. */
    public int index() {
        return index;
    }

    /** Is it of IPv4? */
    public boolean isIp4() {
        return ip4;
    }

    /** The next whole datagram; null when there is none, or an error of the network. Never blocks. */
    public Datagram receive() {
        while (true) {
            final Sockets.Received r;
            try {
                r = Sockets.receive(fd, buffer, 0);
            } catch (final SysException e) {
                return null;
            }
            if (r == null) {
                return null;
            }
            if (!r.truncated() && r.from().length >= SOCKADDR_4 + IP_4) {
                return datagram(r);
            }
        }
    }

    private Datagram datagram(final Sockets.Received r) {
        boolean multicast = false;
        int hops = -1;
        for (final Sockets.Control c : r.control()) {
            final byte[] data = c.data();
            if (c.level() == Sockets.SOL_IP && c.type() == IP_PKTINFO && data.length >= PKTINFO_TO + IP_4) {
                multicast = Arrays.equals(data, PKTINFO_TO, PKTINFO_TO + IP_4, group, SOCKADDR_4, SOCKADDR_4 + IP_4);
            } else if (c.level() == Sockets.SOL_IPV6 && c.type() == IPV6_PKTINFO && data.length >= IP_6) {
                multicast = Arrays.equals(data, 0, IP_6, group, SOCKADDR_6, SOCKADDR_6 + IP_6);
            } else if (data.length >= Integer.BYTES && (c.level() == Sockets.SOL_IP && c.type() == IP_TTL
                    || c.level() == Sockets.SOL_IPV6 && c.type() == IPV6_HOPLIMIT)) {
                hops = ByteBuffer.wrap(data).order(ByteOrder.nativeOrder()).getInt();
            }
        }
        final byte[] from = r.from();
        final int port = (from[SOCKADDR_PORT] & 0xff) << 8 | from[SOCKADDR_PORT + 1] & 0xff;
        return new Datagram(buffer, r.length(), ip4 ? Arrays.copyOfRange(from, SOCKADDR_4, SOCKADDR_4 + IP_4)
                : Arrays.copyOfRange(from, SOCKADDR_6, SOCKADDR_6 + IP_6), port, multicast, hops);
    }

    /** Sends to the group; false when the kernel would not (no address, no room, link down). Never blocks. */
    public boolean sendToGroup(final byte[] message) {
        return send(message, group);
    }

    /** Sends to one address of this family, numeric and without a scope; false as {@link #sendToGroup}. Never blocks. */
    public boolean sendTo(final byte[] message, final String ip, final int port) {
        final Endpoint to = Endpoint.of(ip, port);
        return send(message, (to.isLinkLocal() ? to.on(index) : to).sockaddr());
    }

    private boolean send(final byte[] message, final byte[] to) {
        try {
            return Sockets.send(fd, message, 0, message.length, 0, to) != Io.AGAIN;
        } catch (final SysException e) {
            // a network may lose any datagram, and who asked will ask again
            return false;
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
