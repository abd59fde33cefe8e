// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import ontap.frames.BpfProgram.To;

/**
 * The filter for the parent of links that get their addresses by DHCP: replies of DHCP that are no fragments, and ARP
 * whose sender has a watched address, or has none yet and wants one of them. A LAN is full of other ARP, which shall
 * not wake anybody.
 *
 * <p>The kernel takes the tag of a VLAN from a frame that came in, so that it looks like any other: those of other
 * networks are dropped by what it remembers of the tag.
 */
final class ClientFilter {
    /** As many addresses as the kernel lets one socket have a program for (net.core.optmem_max, 20 KiB up to 6.7). */
    static final int WATCHED_MAX = 1000;

    /** A conditional jump gets past 255 instructions at most. */
    private static final int AT_ONCE = 250;
    private static final int SENDER_AT = Ethernet.HEADER + 14;
    private static final int TARGET_AT = Ethernet.HEADER + 24;
    private static final int REPLY = 2;

    private final BpfProgram program = new BpfProgram();

    private ClientFilter() {
    }

    static byte[] program(final Collection<? extends InetAddress> watched) {
        final Set<Integer> numbers = new TreeSet<>();
        watched.forEach(ip -> numbers.add(ByteBuffer.wrap(ip.getAddress()).getInt()));
        if (numbers.size() > WATCHED_MAX) {
            return ofAllArp();
        }
        final ClientFilter filter = new ClientFilter();
        filter.dhcp(numbers.isEmpty() ? To.DROP : To.ARP);
        filter.arp(numbers);
        return filter.program.assemble();
    }

    static byte[] ofAllArp() {
        final ClientFilter filter = new ClientFilter();
        filter.dhcp(To.ACCEPT);
        return filter.program.assemble();
    }

    private void dhcp(final To arp) {
        program.load(BpfProgram.LOAD_WORD, BpfProgram.VLAN_TAG_PRESENT);
        program.jump(BpfProgram.JUMP_EQUAL, 0, To.UNTAGGED, To.NEXT);
        // Network 0 is none: such a tag tells a priority alone.
        program.load(BpfProgram.LOAD_WORD, BpfProgram.VLAN_TAG);
        program.jump(BpfProgram.JUMP_ANY_BIT, 0xfff, To.DROP, To.UNTAGGED);
        program.label(To.UNTAGGED);
        program.load(BpfProgram.LOAD_HALF, Ethernet.TYPE);
        program.jump(BpfProgram.JUMP_EQUAL, Ethernet.ARP, arp, To.NEXT);
        program.jump(BpfProgram.JUMP_EQUAL, Ethernet.IPV4, To.NEXT, To.DROP);
        FrameFilter.udp(program, Ethernet.HEADER);
        program.jump(BpfProgram.JUMP_EQUAL, Dhcp4.CLIENT_PORT, To.NEXT, To.DROP);
        program.load(BpfProgram.LOAD_BYTE_INDEXED, Ethernet.HEADER + Dhcp4.UDP_HEADER);
        program.jump(BpfProgram.JUMP_EQUAL, REPLY, To.ACCEPT, To.DROP);
        program.answer(To.DROP, 0);
        program.answer(To.ACCEPT, FrameFilter.TAKE);
    }

    private void arp(final Set<Integer> watched) {
        program.label(To.ARP);
        program.load(BpfProgram.LOAD_WORD, SENDER_AT);
        program.jump(BpfProgram.JUMP_EQUAL, 0, To.NEXT, To.LIST);
        program.load(BpfProgram.LOAD_WORD, TARGET_AT);
        program.label(To.LIST);
        int compared = 0;
        for (final int ip : watched) {
            if (compared > 0 && compared % AT_ONCE == 0) {
                program.jump(To.MORE);
                program.answer(To.ACCEPT, FrameFilter.TAKE);
                program.label(To.MORE);
            }
            program.jump(BpfProgram.JUMP_EQUAL, ip, To.ACCEPT, To.NEXT);
            compared++;
        }
        program.answer(To.DROP, 0);
        program.answer(To.ACCEPT, FrameFilter.TAKE);
    }
}
