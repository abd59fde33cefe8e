// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Limits that a JVM may not outlive (address space below what it has mapped, too few descriptors), all laid out in C
 * memory beforehand, so that setting them is system calls and nothing else.
 */
final class LastLimits {
    private static final int SIZE = 2 * Long.BYTES;
    private static final List<Integer> DEADLY = List.of(Limits.NAMES.get("data"), Limits.NAMES.get("as"));

    private final List<Integer> resources;
    private final long[] addresses;

    /** Resource number to limit. */
    LastLimits(final NativeArena arena, final Map<Integer, Limits.Limit> limits) {
        resources = new ArrayList<>(limits.keySet());
        resources.sort((a, b) -> Integer.compare(DEADLY.indexOf(a), DEADLY.indexOf(b)));
        addresses = new long[resources.size()];
        for (int i = 0; i < addresses.length; i++) {
            final Limits.Limit limit = limits.get(resources.get(i));
            final Pointer block = arena.allocate(SIZE);
            block.setLong(0, limit.soft());
            block.setLong(Long.BYTES, limit.hard());
            addresses[i] = Pointer.nativeValue(block);
        }
    }

    /** Sets them, those of memory last; SysException as {@link Limits#set}. */
    void set() {
        for (int i = 0; i < addresses.length; i++) {
            if (LibcProc.syscall(LibcProc.SYS_PRLIMIT64, 0, resources.get(i), addresses[i], 0) < 0) {
                throw SysException.last("prlimit", Limits.name(resources.get(i)));
            }
        }
    }
}
