// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.net.Inet6Address;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Sockets;

/**
 * A raw ICMPv6 socket on one link that hears one type of message and sends with hop limit 255 (RFC 4861, section 4),
 * non-blocking; the kernel makes and verifies checksums (RFC 3542, section 3.1). Needs CAP_NET_RAW.
 */
final class Icmp6Socket implements AutoCloseable {
    /** All nodes of the link. */
    static final Inet6Address ALL_NODES = ip("ff020000000000000000000000000001");
    /** All routers of the link. */
    static final Inet6Address ALL_ROUTERS = ip("ff020000000000000000000000000002");

    private static final int ICMPV6 = 58;
    private static final int ICMPV6_FILTER = 1;
    private static final int FILTER_BITS = 256;
    private static final int IPV6_UNICAST_HOPS = 16;
    private static final int IPV6_MULTICAST_IF = 17;
    private static final int IPV6_MULTICAST_HOPS = 18;
    private static final int IPV6_MULTICAST_LOOP = 19;
    private static final int IPV6_JOIN_GROUP = 20;
    private static final int IPV6_PKTINFO = 50;
    private static final int IPV6_RECVHOPLIMIT = 51;
    private static final int IPV6_HOPLIMIT = 52;
    private static final int HOP_LIMIT = 255;
    private static final int BUFFER = 2048;
    /** struct sockaddr_in6: family, port, flow label, address at 8, scope at 24. */
    private static final int SOCKADDR = 28;
    private static final int SOCKADDR_IP = 8;
    private static final int IP = 16;

    private final Fd fd;
    private final int index;
    private final byte[] buffer = new byte[BUFFER];

    /** What came: the first {@code length} of {@code bytes}, which the next message overwrites. */
    record Received(byte[] bytes, int length, Inet6Address from) {
    }

    /** For the link with that name and index, in the calling thread's namespace; SysException. */
    Icmp6Socket(final String link, final int index, final int type) {
        this.index = index;
        fd = Sockets.socket(Sockets.AF_INET6, Sockets.SOCK_RAW | Sockets.SOCK_NONBLOCK, ICMPV6);
        try {
            Sockets.setOption(fd, ICMPV6, ICMPV6_FILTER, only(type));
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_BINDTODEVICE,
                    link.getBytes(StandardCharsets.UTF_8));
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_UNICAST_HOPS, HOP_LIMIT);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_HOPS, HOP_LIMIT);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_LOOP, 0);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_MULTICAST_IF, index);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
            Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_JOIN_GROUP, onLink(ALL_ROUTERS));
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Readable when {@link #receive} has something; stays this socket's. */
    Fd fd() {
        return fd;
    }

    /** Sends with this source address from now on. */
    void setSource(final Inet6Address source) {
        Sockets.setOption(fd, Sockets.SOL_IPV6, IPV6_PKTINFO, onLink(source));
    }

    /** False when there is no room now. SysException: EADDRNOTAVAIL, ENETDOWN, ENETUNREACH and others. */
    boolean send(final byte[] message, final Inet6Address to) {
        final ByteBuffer address = ByteBuffer.allocate(SOCKADDR).order(ByteOrder.nativeOrder());
        address.putShort((short) Sockets.AF_INET6).position(SOCKADDR_IP);
        address.put(to.getAddress()).putInt(index);
        return Sockets.send(fd, message, 0, message.length, 0, address.array()) != Io.AGAIN;
    }

    /** The next message that was not routed (hop limit 255, section 6.1); null when there is none. */
    Received receive() {
        while (true) {
            final Sockets.Received r = Sockets.receive(fd, buffer, 0);
            if (r == null) {
                return null;
            }
            if (!r.truncated() && r.from().length >= SOCKADDR && hopLimit(r) == HOP_LIMIT) {
                final byte[] from = Arrays.copyOfRange(r.from(), SOCKADDR_IP, SOCKADDR_IP + IP);
                return new Received(buffer, r.length(), ip(from));
            }
        }
    }

    @Override
    public void close() {
        fd.close();
    }

    private static int hopLimit(final Sockets.Received r) {
        for (final Sockets.Control c : r.control()) {
            if (c.level() == Sockets.SOL_IPV6 && c.type() == IPV6_HOPLIMIT && c.data().length >= Integer.BYTES) {
                return ByteBuffer.wrap(c.data()).order(ByteOrder.nativeOrder()).getInt();
            }
        }
        return -1;
    }

    /** struct icmp6_filter: a set bit keeps its type out. */
    private static byte[] only(final int type) {
        final ByteBuffer words = ByteBuffer.allocate(FILTER_BITS / Byte.SIZE).order(ByteOrder.nativeOrder());
        for (int word = 0; word < FILTER_BITS / Integer.SIZE; word++) {
            words.putInt(word == type / Integer.SIZE ? ~(1 << type % Integer.SIZE) : -1);
        }
        return words.array();
    }

    /** struct ipv6_mreq and struct in6_pktinfo: an address and the index of a link. */
    private byte[] onLink(final Inet6Address ip) {
        return ByteBuffer.allocate(IP + Integer.BYTES).order(ByteOrder.nativeOrder())
                .put(ip.getAddress()).putInt(index).array();
    }

    private static Inet6Address ip(final String hex) {
        return ip(HexFormat.of().parseHex(hex));
    }

    private static Inet6Address ip(final byte[] bytes) {
        try {
            return Inet6Address.getByAddress(null, bytes, -1);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
