// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The classic BPF program (linux/filter.h) for frames with Ethernet headers: ARP, ICMPv6 135 and 136 with hop limit 255
 * and nothing before ICMPv6, UDP to port 67 or 68 that is no fragment; with one tag of 802.1Q or none. A packet socket
 * finds the tag of a frame that came in beside it (PACKET_AUXDATA) and that of a frame the guest sends inside. A load
 * past the end of the frame drops it.
 */
final class FrameFilter {
    /**
     * Longer frames are cut, and then of no interest: what tells about addresses fits into an MTU of 1500 and a
     * little.
     */
    static final int TAKE = 2048;

    private static final int LOAD_HALF = 0x28;
    private static final int LOAD_BYTE = 0x30;
    /** Relative to the index register. */
    private static final int LOAD_HALF_INDEXED = 0x48;
    /** Index register = four times the lower four bits of a byte: the length of an IPv4 header. */
    private static final int INDEX_IP_HEADER = 0xb1;
    private static final int JUMP_EQUAL = 0x15;
    private static final int JUMP_ANY_BIT = 0x45;
    private static final int RETURN = 0x06;
    private static final int INSTRUCTION = 8;

    /** Where a jump goes that does not go to the next instruction. */
    private enum To { NEXT, ACCEPT, DROP, TAGGED, IPV4, IPV6 }

    private record Instruction(int code, To yes, To no, int k) {
    }

    private final List<Instruction> program = new ArrayList<>();
    /** Where each label of {@link To} is; those of the protocols exist once per part. */
    private final List<int[]> labels = new ArrayList<>();

    private final boolean dhcpOnly;

    private FrameFilter(final boolean dhcpOnly) {
        this.dhcpOnly = dhcpOnly;
    }

    /** All of the above, or DHCP alone. */
    static byte[] program(final boolean dhcpOnly) {
        final FrameFilter filter = new FrameFilter(dhcpOnly);
        filter.load(LOAD_HALF, Ethernet.TYPE);
        filter.jump(JUMP_EQUAL, Ethernet.VLAN, To.TAGGED, To.NEXT);
        filter.jump(JUMP_EQUAL, Ethernet.SERVICE_VLAN, To.TAGGED, To.NEXT);
        filter.packet(Ethernet.HEADER);
        filter.label(To.TAGGED);
        filter.load(LOAD_HALF, Ethernet.TYPE + Ethernet.TAG);
        filter.packet(Ethernet.HEADER + Ethernet.TAG);
        filter.label(To.DROP);
        filter.program.add(new Instruction(RETURN, To.NEXT, To.NEXT, 0));
        filter.label(To.ACCEPT);
        filter.program.add(new Instruction(RETURN, To.NEXT, To.NEXT, TAKE));
        return filter.assemble();
    }

    /** The type of the frame is loaded, its packet is at {@code at}. */
    private void packet(final int at) {
        if (!dhcpOnly) {
            jump(JUMP_EQUAL, Ethernet.ARP, To.ACCEPT, To.NEXT);
            jump(JUMP_EQUAL, Ethernet.IPV6, To.IPV6, To.NEXT);
        }
        jump(JUMP_EQUAL, Ethernet.IPV4, To.IPV4, To.DROP);
        label(To.IPV4);
        load(LOAD_BYTE, at + 9);
        jump(JUMP_EQUAL, Dhcp4.UDP, To.NEXT, To.DROP);
        load(LOAD_HALF, at + 6);
        jump(JUMP_ANY_BIT, Dhcp4.FRAGMENT, To.DROP, To.NEXT);
        load(INDEX_IP_HEADER, at);
        load(LOAD_HALF_INDEXED, at + 2);
        jump(JUMP_EQUAL, Dhcp4.SERVER_PORT, To.ACCEPT, To.NEXT);
        jump(JUMP_EQUAL, Dhcp4.CLIENT_PORT, To.ACCEPT, To.DROP);
        if (dhcpOnly) {
            return;
        }
        label(To.IPV6);
        load(LOAD_HALF, at + 6);
        jump(JUMP_EQUAL, Neighbours.ICMPV6 << 8 | Neighbours.HOP_LIMIT, To.NEXT, To.DROP);
        load(LOAD_BYTE, at + Neighbours.IP_HEADER);
        jump(JUMP_EQUAL, Neighbours.SOLICITATION, To.ACCEPT, To.NEXT);
        jump(JUMP_EQUAL, Neighbours.ADVERTISEMENT, To.ACCEPT, To.DROP);
    }

    private void load(final int code, final int at) {
        program.add(new Instruction(code, To.NEXT, To.NEXT, at));
    }

    private void jump(final int code, final int value, final To yes, final To no) {
        program.add(new Instruction(code, yes, no, value));
    }

    private void label(final To name) {
        labels.add(new int[] {name.ordinal(), program.size()});
    }

    private byte[] assemble() {
        final ByteBuffer out = ByteBuffer.allocate(program.size() * INSTRUCTION).order(ByteOrder.nativeOrder());
        for (int i = 0; i < program.size(); i++) {
            final Instruction in = program.get(i);
            out.putShort((short) in.code).put(distance(i + 1, in.yes)).put(distance(i + 1, in.no)).putInt(in.k);
        }
        return out.array();
    }

    /** Instructions to skip, counted from {@code next}: jumps go forward only, to the nearest such label. */
    private byte distance(final int next, final To to) {
        if (to == To.NEXT) {
            return 0;
        }
        for (final int[] label : labels) {
            if (label[0] == to.ordinal() && label[1] >= next) {
                return (byte) (label[1] - next);
            }
        }
        throw new IllegalStateException("no label " + to + " after instruction " + next);
    }
}
