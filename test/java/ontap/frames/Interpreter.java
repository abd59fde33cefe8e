// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Runs a classic BPF program as the kernel does (net/core/filter.c): as many instructions as a filter of ours may use,
 * anything else is an error of the test.
 */
final class Interpreter {
    private static final int LD = 0x00;
    private static final int LDX = 0x01;
    private static final int JMP = 0x05;
    private static final int RET = 0x06;
    private static final int VLAN_TAG = 0xfffff000 + 44;
    private static final int VLAN_TAG_PRESENT = 0xfffff000 + 48;

    private final ByteBuffer program;

    Interpreter(final byte[] program) {
        if (program.length == 0 || program.length % 8 != 0) {
            throw new AssertionError("a program is made of instructions of 8 bytes: " + program.length);
        }
        this.program = ByteBuffer.wrap(program).order(ByteOrder.nativeOrder());
    }

    /** How many bytes of a frame without a tag are let through. */
    int run(final byte[] frame) {
        return run(frame, -1);
    }

    /** The same of a frame whose tag the kernel has taken: priority and number of the VLAN, -1 when there was none. */
    int run(final byte[] frame, final int tag) {
        int a = 0;
        int x = 0;
        int pc = 0;
        while (true) {
            final int code = program.getShort(8 * pc) & 0xffff;
            final int k = program.getInt(8 * pc + 4);
            pc++;
            switch (code & 7) {
                case LD -> {
                    final int size = switch (code & 0x18) {
                        case 0x00 -> 4;
                        case 0x08 -> 2;
                        case 0x10 -> 1;
                        default -> throw unknown(code);
                    };
                    final int at = switch (code & 0xe0) {
                        case 0x20 -> k;
                        case 0x40 -> x + k;
                        default -> throw unknown(code);
                    };
                    if (at == VLAN_TAG || at == VLAN_TAG_PRESENT) {
                        a = at == VLAN_TAG_PRESENT ? tag < 0 ? 0 : 1 : Math.max(0, tag);
                        continue;
                    }
                    if (at < 0 || at > frame.length - size) {
                        return 0;
                    }
                    a = 0;
                    for (int i = 0; i < size; i++) {
                        a = a << 8 | frame[at + i] & 0xff;
                    }
                }
                case LDX -> {
                    if (code != 0xb1) {
                        throw unknown(code);
                    }
                    if (k < 0 || k >= frame.length) {
                        return 0;
                    }
                    x = (frame[k] & 0xf) * 4;
                }
                case JMP -> {
                    if (code == JMP) {
                        pc += k;
                        continue;
                    }
                    final boolean yes = switch (code) {
                        case 0x15 -> a == k;
                        case 0x25 -> Integer.compareUnsigned(a, k) > 0;
                        case 0x35 -> Integer.compareUnsigned(a, k) >= 0;
                        case 0x45 -> (a & k) != 0;
                        default -> throw unknown(code);
                    };
                    pc += program.get(8 * (pc - 1) + (yes ? 2 : 3)) & 0xff;
                }
                case RET -> {
                    if (code != 0x06) {
                        throw unknown(code);
                    }
                    return Math.min(k, frame.length);
                }
                default -> throw unknown(code);
            }
        }
    }

    private static AssertionError unknown(final int code) {
        return new AssertionError("an instruction that is not known here: 0x" + Integer.toHexString(code));
    }
}
