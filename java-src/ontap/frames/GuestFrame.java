// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.net.InetAddress;
import java.util.Collection;
import ontap.dhcp4.DhcpMessage;

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

    /** The hardware address of all. */
    String ALL = "ff:ff:ff:ff:ff:ff";

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

        /** The frame, to this hardware address. */
        public byte[] frame(final String to) {
            return Ethernet.frame(to, hwaddr, Ethernet.ARP, Ethernet.packet(this, to));
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
     * @param from the hardware address that the frame comes from: a server's, a relay agent's, a client's
     * @param sender the address that the packet comes from
     */
    record Dhcp(String from, InetAddress sender, DhcpMessage message) implements GuestFrame {
        @Override
        public String hwaddr() {
            return message.hwaddr();
        }

        /** The frame, with all checksums, to this hardware address and this address. */
        public byte[] frame(final String toHwaddr, final InetAddress to) {
            return Ethernet.frame(toHwaddr, from, Ethernet.IPV4, Dhcp4.packet(sender, to, message));
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

    /**
     * The same for a client of DHCP on a parent: replies of DHCP, and ARP that tells of the watched addresses, by who
     * has one or by who probes for one; only what is in no VLAN. Of more than a thousand addresses each counts as
     * watched.
     */
    static byte[] clientFilter(final Collection<? extends InetAddress> watched) {
        return ClientFilter.program(watched);
    }

    /** The same with all ARP. */
    static byte[] clientFilter() {
        return ClientFilter.ofAllArp();
    }
}
