// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.io.ByteArrayOutputStream;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;

/**
 * A message of DHCP over Ethernet (RFC 2131, figure 1). What a client has no use for is not kept: hops, siaddr, the
 * names of a server and of a boot file.
 *
 * @param reply from a server (BOOTREPLY) rather than to one
 * @param xid the transaction
 * @param secs seconds since the client began, at most 65535
 * @param broadcast the flag that asks for replies to all
 * @param client ciaddr, 0.0.0.0 when the client does not use an address yet
 * @param your yiaddr, the address given
 * @param relay giaddr, 0.0.0.0 when no relay agent was on the way
 * @param hwaddr chaddr, text such as {@code 02:00:00:00:00:01}
 * @param options among them always {@link DhcpOptions#TYPE}
 */
public record DhcpMessage(boolean reply, int xid, int secs, boolean broadcast, InetAddress client, InetAddress your,
        InetAddress relay, String hwaddr, DhcpOptions options) {
    public static final int DISCOVER = 1;
    public static final int OFFER = 2;
    public static final int REQUEST = 3;
    public static final int DECLINE = 4;
    public static final int ACK = 5;
    public static final int NAK = 6;
    public static final int RELEASE = 7;
    public static final int INFORM = 8;
    /** Lease time that never ends. */
    public static final long INFINITY = 0xffffffffL;
    /** The fixed part and the magic cookie: no message is shorter. */
    public static final int OPTIONS_AT = 240;

    static final int SNAME_AT = 44;
    static final int FILE_AT = 108;
    static final int COOKIE_AT = 236;

    private static final int BOOTREQUEST = 1;
    private static final int BOOTREPLY = 2;
    private static final int ETHERNET = 1;
    private static final int HWADDR = 6;
    private static final int BROADCAST = 0x8000;
    private static final int SECS_MAX = 0xffff;
    private static final int YOUR_AT = 16;
    private static final int CLIENT_AT = 12;
    private static final int RELAY_AT = 24;
    private static final int HWADDR_AT = 28;
    private static final int COOKIE = 0x63825363;
    /** BOOTP's messages were at least this long (RFC 1542, section 2.1), and some relays still drop shorter ones. */
    private static final int LEAST = 300;
    private static final HexFormat COLONS = HexFormat.ofDelimiter(":");

    /** Refuses what could not be written: a caller's mistake. */
    public DhcpMessage {
        Objects.requireNonNull(options);
        if (!(client instanceof Inet4Address && your instanceof Inet4Address && relay instanceof Inet4Address)) {
            throw new IllegalArgumentException("addresses of IPv4: " + client + ", " + your + ", " + relay);
        }
        if (secs < 0 || secs > SECS_MAX || COLONS.parseHex(hwaddr).length != HWADDR) {
            throw new IllegalArgumentException("no seconds or no hardware address: " + secs + ", " + hwaddr);
        }
        if (!typed(options.type(), reply)) {
            throw new IllegalArgumentException("no type of a " + (reply ? "reply: " : "request: ") + options.type());
        }
    }

    /** Option 53, one of the constants. */
    public int type() {
        return options.type();
    }

    /** Does a server send this type, rather than a client? */
    public static boolean fromServer(final int type) {
        return type == OFFER || type == ACK || type == NAK;
    }

    /** Reads the data of a datagram; null when it is no such message, or is not as it should be. */
    public static DhcpMessage read(final byte[] datagram) {
        if (datagram == null || datagram.length < OPTIONS_AT) {
            return null;
        }
        final ByteBuffer in = ByteBuffer.wrap(datagram);
        final int op = in.get();
        if (op != BOOTREQUEST && op != BOOTREPLY || in.get() != ETHERNET || in.get() != HWADDR
                || in.getInt(COOKIE_AT) != COOKIE || nobody(datagram)) {
            return null;
        }
        final SortedMap<Integer, byte[]> found = OptionFields.read(datagram);
        final DhcpOptions options = found == null ? null : DhcpOptions.of(found);
        if (options == null || !typed(options.type(), op == BOOTREPLY)) {
            return null;
        }
        return new DhcpMessage(op == BOOTREPLY, in.getInt(4), in.getShort(8) & SECS_MAX,
                (in.getShort(10) & BROADCAST) != 0, DhcpOptions.ip4(datagram, CLIENT_AT),
                DhcpOptions.ip4(datagram, YOUR_AT), DhcpOptions.ip4(datagram, RELAY_AT),
                COLONS.formatHex(datagram, HWADDR_AT, HWADDR_AT + HWADDR), options);
    }

    /**
     * The data of a datagram: the type first, then the other options by their numbers; with zeros up to BOOTP's 300
     * bytes.
     */
    public byte[] write() {
        final ByteBuffer fixed = ByteBuffer.allocate(OPTIONS_AT);
        fixed.put((byte) (reply ? BOOTREPLY : BOOTREQUEST)).put((byte) ETHERNET).put((byte) HWADDR).put((byte) 0);
        fixed.putInt(xid).putShort((short) secs).putShort((short) (broadcast ? BROADCAST : 0));
        fixed.put(client.getAddress()).put(your.getAddress()).putInt(0).put(relay.getAddress());
        fixed.put(COLONS.parseHex(hwaddr)).putInt(COOKIE_AT, COOKIE);
        final ByteArrayOutputStream out = new ByteArrayOutputStream(LEAST);
        out.writeBytes(fixed.array());
        OptionFields.write(out, DhcpOptions.TYPE, options.bytes(DhcpOptions.TYPE));
        for (final Map.Entry<Integer, byte[]> option : options.values().entrySet()) {
            if (option.getKey() != DhcpOptions.TYPE) {
                OptionFields.write(out, option.getKey(), option.getValue());
            }
        }
        out.write(OptionFields.END);
        if (out.size() < LEAST) {
            out.writeBytes(new byte[LEAST - out.size()]);
        }
        return out.toByteArray();
    }

    private static boolean typed(final int type, final boolean reply) {
        return type >= DISCOVER && type <= INFORM && fromServer(type) == reply;
    }

    /** Is chaddr a group's, or all zero? */
    private static boolean nobody(final byte[] datagram) {
        int all = 0;
        for (int i = 0; i < HWADDR; i++) {
            all |= datagram[HWADDR_AT + i];
        }
        return all == 0 || (datagram[HWADDR_AT] & 1) != 0;
    }
}
