// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.util.List;

/**
 * Capabilities of the calling thread, and their names (capabilities(7), linux/capability.h). A set is a long: bit n is
 * capability n. They are
 * changed through {@link Identity} alone.
 */
public final class Caps {
    /** Lower case and without CAP_; the index is the number. Kernels may know more or fewer: see {@link #last}. */
    public static final List<String> NAMES = List.of(
            "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
            "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
            "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
            "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
            "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
            "checkpoint_restore");

    private static final int UNKNOWN = -1;
    /**
     * struct __user_cap_header_struct (version, pid), then two of struct __user_cap_data_struct (effective, permitted,
     * inheritable: 32 bits each), the lower 32 capabilities first.
     */
    private static final int DATA = 8;
    private static final int UPPER = 12;
    private static final int SIZE = DATA + 2 * UPPER;

    /** A thread's five sets: inheritable, permitted, effective, bounding, ambient. */
    public record Sets(long inh, long prm, long eff, long bnd, long amb) {
    }

    private Caps() {
    }

    /** The number of a name such as {@code net_admin}; -1 when there is none. */
    public static int number(final String name) {
        return NAMES.indexOf(name);
    }

    /** The name, or {@code cap_N} for a number NAMES does not reach. */
    public static String name(final int number) {
        return number >= 0 && number < NAMES.size() ? NAMES.get(number) : "cap_" + number;
    }

    /** The set's names, separated by commas. */
    public static String describe(final long set) {
        final StringBuilder text = new StringBuilder();
        for (int number = 0; number < Long.SIZE; number++) {
            if ((set >>> number & 1) != 0) {
                text.append(text.length() == 0 ? "" : ",").append(name(number));
            }
        }
        return text.toString();
    }

    /** The highest capability the running kernel knows. */
    public static int last() {
        int number = 0;
        while (number < Long.SIZE && inBounding(number) != UNKNOWN) {
            number++;
        }
        return number - 1;
    }

    /** The calling thread's bounding set: what "all" can mean at most. */
    public static long bounding() {
        long set = 0;
        for (int number = 0; number < Long.SIZE; number++) {
            final int answer = inBounding(number);
            if (answer == UNKNOWN) {
                break;
            }
            set |= (long) answer << number;
        }
        return set;
    }

    /** The calling thread's five sets; SysException when the kernel refuses. */
    public static Sets ofThread() {
        long ambient = 0;
        for (int number = 0; number < Long.SIZE; number++) {
            final int answer =
                    LibcProc.prctl(LibcProc.PR_CAP_AMBIENT, LibcProc.PR_CAP_AMBIENT_IS_SET, number, 0, 0);
            if (answer < 0) {
                break;
            }
            ambient |= (long) answer << number;
        }
        try (NativeArena arena = new NativeArena()) {
            final Pointer header = arena.allocate(SIZE);
            header.setInt(0, LibcProc.CAPABILITY_VERSION_3);
            final long address = Pointer.nativeValue(header);
            if (LibcProc.syscall(LibcProc.SYS_CAPGET, address, address + DATA, 0, 0) < 0) {
                throw SysException.last("capget", "");
            }
            return new Sets(half(header, 2), half(header, 1), half(header, 0), bounding(), ambient);
        }
    }

    /**
     * Sets three of the calling thread's sets; allocates through the arena alone, so that no class is loaded.
     * The result is capset's.
     */
    static long set(final NativeArena arena, final long inheritable, final long permitted, final long effective) {
        final Pointer header = arena.allocate(SIZE);
        header.setInt(0, LibcProc.CAPABILITY_VERSION_3);
        setHalf(header, 0, effective);
        setHalf(header, 1, permitted);
        setHalf(header, 2, inheritable);
        final long address = Pointer.nativeValue(header);
        return LibcProc.syscall(LibcProc.SYS_CAPSET, address, address + DATA, 0, 0);
    }

    private static long half(final Pointer header, final int set) {
        return Integer.toUnsignedLong(header.getInt(DATA + 4L * set))
                | (long) header.getInt(DATA + UPPER + 4L * set) << 32;
    }

    private static void setHalf(final Pointer header, final int set, final long value) {
        header.setInt(DATA + 4L * set, (int) value);
        header.setInt(DATA + UPPER + 4L * set, (int) (value >>> 32));
    }

    /** 1, 0, or -1 when the kernel knows no such capability. */
    private static int inBounding(final int number) {
        return LibcProc.prctl(LibcProc.PR_CAPBSET_READ, number, 0, 0, 0);
    }
}
