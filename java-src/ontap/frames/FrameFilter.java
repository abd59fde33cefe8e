// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import ontap.frames.BpfProgram.To;

/**
 * The filter for a guest's link: ARP, ICMPv6 135 and 136 with hop limit 255 and nothing before ICMPv6, UDP to port 67
 * or 68 that is no fragment; with one tag of 802.1Q or none. A packet socket finds the tag of a frame that came in
 * beside it (PACKET_AUXDATA) and that of a frame the guest sends inside.
 */
final class FrameFilter {
    /**
     * Longer frames are cut, and then of no interest: what tells about addresses fits into an MTU of 1500 and a
     * little.
     */
    static final int TAKE = 2048;

    private final BpfProgram program = new BpfProgram();
    private final boolean dhcpOnly;

    private FrameFilter(final boolean dhcpOnly) {
        this.dhcpOnly = dhcpOnly;
    }

    /** All of the above, or DHCP alone. */
    static byte[] program(final boolean dhcpOnly) {
        final FrameFilter filter = new FrameFilter(dhcpOnly);
        filter.all();
        return filter.program.assemble();
    }

    private void all() {
        program.load(BpfProgram.LOAD_HALF, Ethernet.TYPE);
        program.jump(BpfProgram.JUMP_EQUAL, Ethernet.VLAN, To.TAGGED, To.NEXT);
        program.jump(BpfProgram.JUMP_EQUAL, Ethernet.SERVICE_VLAN, To.TAGGED, To.NEXT);
        packet(Ethernet.HEADER);
        program.label(To.TAGGED);
        program.load(BpfProgram.LOAD_HALF, Ethernet.TYPE + Ethernet.TAG);
        packet(Ethernet.HEADER + Ethernet.TAG);
        program.answer(To.DROP, 0);
        program.answer(To.ACCEPT, TAKE);
    }

    /** The type of the frame is loaded, its packet is at {@code at}. */
    private void packet(final int at) {
        if (!dhcpOnly) {
            program.jump(BpfProgram.JUMP_EQUAL, Ethernet.ARP, To.ACCEPT, To.NEXT);
            program.jump(BpfProgram.JUMP_EQUAL, Ethernet.IPV6, To.IPV6, To.NEXT);
        }
        program.jump(BpfProgram.JUMP_EQUAL, Ethernet.IPV4, To.IPV4, To.DROP);
        program.label(To.IPV4);
        udp(program, at);
        program.jump(BpfProgram.JUMP_EQUAL, Dhcp4.SERVER_PORT, To.ACCEPT, To.NEXT);
        program.jump(BpfProgram.JUMP_EQUAL, Dhcp4.CLIENT_PORT, To.ACCEPT, To.DROP);
        if (dhcpOnly) {
            return;
        }
        program.label(To.IPV6);
        program.load(BpfProgram.LOAD_HALF, at + 6);
        program.jump(BpfProgram.JUMP_EQUAL, Neighbours.ICMPV6 << 8 | Neighbours.HOP_LIMIT, To.NEXT, To.DROP);
        program.load(BpfProgram.LOAD_BYTE, at + Neighbours.IP_HEADER);
        program.jump(BpfProgram.JUMP_EQUAL, Neighbours.SOLICITATION, To.ACCEPT, To.NEXT);
        program.jump(BpfProgram.JUMP_EQUAL, Neighbours.ADVERTISEMENT, To.ACCEPT, To.DROP);
    }

    /**
     * Drops the IPv4 packet at {@code at} when it is no UDP or a fragment; else the port it goes to is loaded, and the
     * index is the length of its header.
     */
    static void udp(final BpfProgram program, final int at) {
        program.load(BpfProgram.LOAD_BYTE, at + Dhcp4.PROTOCOL_AT);
        program.jump(BpfProgram.JUMP_EQUAL, Dhcp4.UDP, To.NEXT, To.DROP);
        program.load(BpfProgram.LOAD_HALF, at + Dhcp4.FRAGMENT_AT);
        program.jump(BpfProgram.JUMP_ANY_BIT, Dhcp4.FRAGMENT, To.DROP, To.NEXT);
        program.load(BpfProgram.INDEX_IP_HEADER, at);
        program.load(BpfProgram.LOAD_HALF_INDEXED, at + 2);
    }
}
