// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A classic BPF program (linux/filter.h) in the making. A load past the end of the frame drops it; jumps go forward
 * only, to the nearest label of a name.
 */
final class BpfProgram {
    static final int LOAD_WORD = 0x20;
    static final int LOAD_HALF = 0x28;
    static final int LOAD_BYTE = 0x30;
    /** Relative to the index register. */
    static final int LOAD_HALF_INDEXED = 0x48;
    static final int LOAD_BYTE_INDEXED = 0x50;
    /** Index register = four times the lower four bits of a byte: the length of an IPv4 header. */
    static final int INDEX_IP_HEADER = 0xb1;
    static final int JUMP_EQUAL = 0x15;
    static final int JUMP_ANY_BIT = 0x45;
    /** Loaded from here, the number of the VLAN that the kernel took from the frame (SKF_AD_VLAN_TAG). */
    static final int VLAN_TAG = -0x1000 + 44;
    /** And whether it took one (SKF_AD_VLAN_TAG_PRESENT). */
    static final int VLAN_TAG_PRESENT = -0x1000 + 48;

    private static final int JUMP = 0x05;
    private static final int RETURN = 0x06;
    private static final int INSTRUCTION = 8;
    private static final int FARTHEST = 255;

    /** Where a jump goes. */
    enum To { NEXT, ACCEPT, DROP, TAGGED, UNTAGGED, ARP, IPV4, IPV6, LIST, MORE }

    private record Instruction(int code, To yes, To no, int k) {
    }

    private record Label(To name, int at) {
    }

    private final List<Instruction> program = new ArrayList<>();
    private final List<Label> labels = new ArrayList<>();

    void load(final int code, final int at) {
        program.add(new Instruction(code, To.NEXT, To.NEXT, at));
    }

    void jump(final int code, final int value, final To yes, final To no) {
        program.add(new Instruction(code, yes, no, value));
    }

    /** Always, and as far as it is. */
    void jump(final To to) {
        program.add(new Instruction(JUMP, to, To.NEXT, 0));
    }

    /** The next instruction is where jumps to this name go. */
    void label(final To name) {
        labels.add(new Label(name, program.size()));
    }

    /** Ends here, and this many bytes of the frame are let through. */
    void answer(final To name, final int bytes) {
        label(name);
        program.add(new Instruction(RETURN, To.NEXT, To.NEXT, bytes));
    }

    /** An array of struct sock_filter in the machine's byte order. */
    byte[] assemble() {
        final ByteBuffer out = ByteBuffer.allocate(program.size() * INSTRUCTION).order(ByteOrder.nativeOrder());
        for (int i = 0; i < program.size(); i++) {
            final Instruction in = program.get(i);
            final boolean far = in.code == JUMP;
            out.putShort((short) in.code);
            out.put(far ? 0 : near(i + 1, in.yes)).put(near(i + 1, in.no));
            out.putInt(far ? distance(i + 1, in.yes) : in.k);
        }
        return out.array();
    }

    private byte near(final int next, final To to) {
        final int distance = distance(next, to);
        if (distance > FARTHEST) {
            throw new IllegalStateException("label " + to + " is too far from instruction " + next);
        }
        return (byte) distance;
    }

    /** Instructions to skip, counted from {@code next}. */
    private int distance(final int next, final To to) {
        if (to == To.NEXT) {
            return 0;
        }
        for (final Label label : labels) {
            if (label.name == to && label.at >= next) {
                return label.at - next;
            }
        }
        throw new IllegalStateException("no label " + to + " after instruction " + next);
    }
}
