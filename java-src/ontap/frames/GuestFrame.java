// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.net.InetAddress;

/**
 * What an Ethernet frame says about who has which address. IP addresses are Inet4Address in ARP and DHCP, Inet6Address
 * in neighbour discovery; hardware addresses are texts such as {@code 02:00:00:00:00:01}.
 */
public sealed interface GuestFrame {
    /**
     * The hardware address that the frame tells for its IP address: ARP's sender's, the link-layer option of neighbour
     * discovery (the frame's own source where there is none), DHCP's chaddr.
     */
    String hwaddr();

    /**
     * An ARP request or reply.
     *
     * @param reply operation 2 rather than 1
     * @param hwaddr of the sender
     * @param sender 0.0.0.0 in a probe
     * @param target whom a request asks for
     */
    record Arp(boolean reply, String hwaddr, InetAddress sender, InetAddress target) implements GuestFrame {
        /** The sender wants to know whether anybody has the target, before it takes it (RFC 5227, section 2.1.1). */
        public boolean probe() {
            return sender.isAnyLocalAddress();
        }

        /** The sender says that the address is its own (RFC 5227, section 2.3), by a request or, as some do, a reply. */
        public boolean announcement() {
            return sender.equals(target);
        }
    }

    /**
     * A neighbour solicitation.
     *
     * @param sender {@code ::} in duplicate address detection (RFC 4862, section 5.4.2)
     * @param target the address asked for
     */
    record Solicitation(String hwaddr, InetAddress sender, InetAddress target) implements GuestFrame {
        /** Does the sender want the target for itself? */
        public boolean probe() {
            return sender.isAnyLocalAddress();
        }
    }

    /**
     * A neighbour advertisement.
     *
     * @param target the address that is the sender's
     * @param solicited the S flag: an answer to one who asked
     * @param override the O flag
     */
    record Advertisement(String hwaddr, InetAddress sender, InetAddress target, boolean solicited, boolean override)
            implements GuestFrame {
    }

    /**
     * A DHCP message from a client (DISCOVER REQUEST DECLINE RELEASE) or to one (OFFER ACK NAK).
     *
     * @param type option 53, one of the constants
     * @param xid the transaction
     * @param client ciaddr, 0.0.0.0 when the client has no address yet
     * @param your yiaddr, the address given
     * @param requested option 50, or null
     * @param prefix length of option 1, 0 when it is not said or no mask
     * @param seconds option 51, 0xffffffff for ever, or null
     * @param clientId option 61 in hexadecimal, or null
     */
    record Dhcp(int type, int xid, String hwaddr, InetAddress client, InetAddress your, InetAddress requested,
            int prefix, Long seconds, String clientId) implements GuestFrame {
        public static final int DISCOVER = 1;
        public static final int OFFER = 2;
        public static final int REQUEST = 3;
        public static final int DECLINE = 4;
        public static final int ACK = 5;
        public static final int NAK = 6;
        public static final int RELEASE = 7;
        /** Lease time that never ends. */
        public static final long INFINITY = 0xffffffffL;

        /** Does a server send this type, rather than a client? */
        public boolean fromServer() {
            return fromServer(type);
        }

        static boolean fromServer(final int type) {
            return type == OFFER || type == ACK || type == NAK;
        }
    }

    /** {@link #parse(byte[], int, boolean)} of a frame whose checksums are all there. */
    static GuestFrame parse(final byte[] frame, final int length) {
        return parse(frame, length, false);
    }

    /**
     * Reads the first {@code length} bytes of {@code frame}, from the destination's hardware address on, with at most
     * two tags of 802.1Q. Null when the frame says nothing about addresses or is not as it should be; never throws.
     *
     * @param partial the checksum of the transport is not made yet (TP_STATUS_CSUMNOTREADY), so it is not looked at
     */
    static GuestFrame parse(final byte[] frame, final int length, final boolean partial) {
        if (frame == null || length < 0 || length > frame.length) {
            return null;
        }
        return Ethernet.parse(new Slice(frame, 0, length), partial);
    }

    /**
     * A classic BPF program, an array of struct sock_filter in the machine's byte order, for a packet socket with
     * Ethernet headers: lets through what {@link #parse} may be interested in.
     */
    static byte[] filter() {
        return FrameFilter.program(false);
    }

    /** The same for DHCP alone: on a parent nothing else tells of a guest, and a LAN is full of ARP. */
    static byte[] dhcpFilter() {
        return FrameFilter.program(true);
    }
}
