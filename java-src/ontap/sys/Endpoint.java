// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.regex.Pattern;

/**
 * An IP address and a port, as struct sockaddr_in and sockaddr_in6 have them (ip(7), ipv6(7)).
 *
 * @param high the first eight octets of the address, big-endian; 0 for IPv4
 * @param low the last eight; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2)
 * @param port 0 to 65535
 * @param link the index of the link a link-local address belongs to, else 0
 */
public record Endpoint(long high, long low, int port, int link) {
    /** struct sockaddr_in: family, port, address at 4. */
    static final int SIZE_4 = 16;
    /** struct sockaddr_in6: family, port, flow label, address at 8, scope at 24. */
    static final int SIZE_6 = 28;
    private static final int PORT = 2;
    private static final int IP_4 = 4;
    private static final int IP_6 = 8;
    private static final int SCOPE = 24;
    private static final long MAPPED = 0xffffL << Integer.SIZE;
    private static final int LINK_LOCAL = 0xfe80;
    private static final int LINK_LOCAL_MASK = 0xffc0;
    private static final int PORT_MAX = 0xffff;
    private static final Pattern DOTTED = Pattern.compile("(OCTET\\.){3}OCTET".replace("OCTET",
            "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"));

    /** Of a numeric address without a zone; IllegalArgumentException for anything else. Nothing is looked up. */
    public static Endpoint of(final String ip, final int port) {
        if (ip.indexOf('%') >= 0 || ip.indexOf(':') < 0 && !DOTTED.matcher(ip).matches() || ip.startsWith("[")) {
            throw new IllegalArgumentException("not an IP address: " + ip);
        }
        if (port < 0 || port > PORT_MAX) {
            throw new IllegalArgumentException("not a port: " + port);
        }
        final ByteBuffer bytes;
        try {
            // With a colon, or four numbers, it never asks a resolver.
            bytes = ByteBuffer.wrap(InetAddress.getByName(ip).getAddress());
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException("not an IP address: " + ip, e);
        }
        return bytes.remaining() == Integer.BYTES
                ? new Endpoint(0, mapped(bytes.getInt()), port, 0)
                : new Endpoint(bytes.getLong(), bytes.getLong(), port, 0);
    }

    /** Of a sockaddr of AF_INET or AF_INET6; IllegalArgumentException for another. */
    public static Endpoint of(final byte[] sockaddr) {
        final ByteBuffer at = ByteBuffer.wrap(sockaddr);
        final int family = sockaddr.length < SIZE_4 ? -1 : at.order(ByteOrder.nativeOrder()).getShort(0);
        at.order(ByteOrder.BIG_ENDIAN);
        if (family == Sockets.AF_INET) {
            return new Endpoint(0, mapped(at.getInt(IP_4)), at.getShort(PORT) & PORT_MAX, 0);
        }
        if (family == Sockets.AF_INET6 && sockaddr.length >= SIZE_6) {
            return new Endpoint(at.getLong(IP_6), at.getLong(IP_6 + Long.BYTES), at.getShort(PORT) & PORT_MAX,
                    at.order(ByteOrder.nativeOrder()).getInt(SCOPE));
        }
        throw new IllegalArgumentException("not an IP address of a socket: family " + family);
    }

    /** Is it IPv4? */
    public boolean isIp4() {
        return high == 0 && low >>> Integer.SIZE == MAPPED >>> Integer.SIZE;
    }

    /** fe80::/10: means something together with a link only. */
    public boolean isLinkLocal() {
        return isLinkLocal(high);
    }

    /** 0.0.0.0 or ::, which stand for every address. */
    public boolean isAny() {
        return high == 0 && (low == 0 || low == MAPPED);
    }

    /** The same address on that link. */
    public Endpoint on(final int index) {
        return new Endpoint(high, low, port, index);
    }

    /** struct sockaddr_in or sockaddr_in6. */
    public byte[] sockaddr() {
        final ByteBuffer at = ByteBuffer.allocate(isIp4() ? SIZE_4 : SIZE_6).order(ByteOrder.nativeOrder());
        at.putShort(0, (short) (isIp4() ? Sockets.AF_INET : Sockets.AF_INET6));
        if (!isIp4()) {
            at.putInt(SCOPE, link);
        }
        at.order(ByteOrder.BIG_ENDIAN).putShort(PORT, (short) port);
        if (isIp4()) {
            at.putInt(IP_4, (int) low);
        } else {
            at.putLong(IP_6, high).putLong(IP_6 + Long.BYTES, low);
        }
        return at.array();
    }

    /** {@code 0.0.0.0:53}, {@code [fe80::1%2]:53}. */
    @Override
    public String toString() {
        if (isIp4()) {
            return (low >>> 24 & 0xff) + "." + (low >>> 16 & 0xff) + "." + (low >>> 8 & 0xff) + "." + (low & 0xff)
                    + ":" + port;
        }
        return "[" + words() + (link == 0 ? "" : "%" + link) + "]:" + port;
    }

    /** RFC 5952: the longest run of two or more zero words is {@code ::}, the first of two equal ones. */
    private String words() {
        final int[] words = new int[8];
        for (int i = 0; i < words.length; i++) {
            words[i] = (int) ((i < 4 ? high : low) >>> 48 - 16 * (i % 4)) & 0xffff;
        }
        int best = -1;
        int length = 1;
        for (int i = 0; i < words.length; i++) {
            int run = 0;
            while (i + run < words.length && words[i + run] == 0) {
                run++;
            }
            if (run > length) {
                best = i;
                length = run;
            }
        }
        final StringBuilder text = new StringBuilder();
        for (int i = 0; i < words.length; i++) {
            if (i == best) {
                text.append("::");
                i += length - 1;
            } else {
                text.append(text.length() == 0 || text.charAt(text.length() - 1) == ':' ? "" : ":");
                text.append(Integer.toHexString(words[i]));
            }
        }
        return text.toString();
    }

    /** IPv4 as the last eight octets of ::ffff:a.b.c.d. */
    static long mapped(final int ip4) {
        return MAPPED | ip4 & 0xffffffffL;
    }

    /** fe80::/10, by the first eight octets. */
    static boolean isLinkLocal(final long high) {
        return (high >>> 48 & LINK_LOCAL_MASK) == LINK_LOCAL;
    }
}
