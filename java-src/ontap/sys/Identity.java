// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.util.Arrays;

/**
 * Who a program shall be: what {@link #take} makes of the calling thread, and the next execve of the process.
 *
 * @param uid real, effective, saved and file system user
 * @param gid the same for the group
 * @param groups supplementary groups; null leaves them as they are
 * @param caps the capabilities to hold after execve, in all five sets and for root too; bit n is capability n
 * @param noNewPrivs whether set-uid bits and file capabilities shall be void from then on (prctl(2))
 */
public record Identity(int uid, int gid, int[] groups, long caps, boolean noNewPrivs) {
    /** To setresuid and setresgid this number means "leave as it is". */
    private static final int NOBODY_AT_ALL = -1;

    /** IllegalArgumentException for a uid, gid or group of -1, which is no user's number. */
    public Identity {
        if (uid == NOBODY_AT_ALL || gid == NOBODY_AT_ALL) {
            throw new IllegalArgumentException("should be a user and a group, uid " + uid + ", gid " + gid);
        }
        groups = groups == null ? null : groups.clone();
    }

    /**
     * Loads and links all that {@link #take} needs, its failures too: under another uid the JVM may not be able to read
     * its own files. Changes nothing.
     */
    public static void prepare() {
        try (NativeArena arena = new NativeArena()) {
            final int[] scratch = new int[1];
            arena.allocate(Integer.BYTES).write(0, scratch, 0, 1);
            LibcProc.getresuid(scratch, scratch, scratch);
            new Identity(0, 0, currentGroups(), 0, false).sameGroups();
            Caps.ofThread();
            throw new SysException("prepare", Caps.describe(1), Errno.EPERM);
        } catch (SysException e) {
            // Thrown for its class and its text alone.
            e.getMessage();
        }
    }

    /**
     * Makes the calling thread this identity, by raw system calls: the JVM's other threads keep theirs. There is no way
     * back: the thread shall call {@link Exec#run} at once or die, as any process of that uid may now signal it, and
     * with it the whole JVM.
     *
     * <p>The order is that of kernel need: capabilities survive the change of uid by PR_SET_KEEPCAPS, are cut down by
     * capset, and become ambient last. What is so already is left alone, hence root in a user namespace of one uid may
     * take itself. After a SysException (EPERM when {@code caps} is not all held or a right to change is missing,
     * EINVAL for an id the user namespace does not map) the thread is half changed and has to die.
     *
     * <p>Call {@link #prepare} before; no class is loaded here after the change of uid.
     */
    public void take() {
        try (NativeArena arena = new NativeArena()) {
            final long bounding = Caps.bounding();
            if ((caps & ~bounding) != 0) {
                throw new SysException("capset", Caps.describe(caps & ~bounding), Errno.EPERM);
            }
            control("PR_SET_KEEPCAPS", LibcProc.PR_SET_KEEPCAPS, 1, 0);
            dropBounding(bounding & ~caps);
            takeIds(arena);
            if (Caps.set(arena, caps, caps, caps) < 0) {
                throw SysException.last("capset", Caps.describe(caps));
            }
            control("PR_CAP_AMBIENT_CLEAR_ALL", LibcProc.PR_CAP_AMBIENT, LibcProc.PR_CAP_AMBIENT_CLEAR_ALL, 0);
            for (int number = 0; number < Long.SIZE; number++) {
                if (has(caps, number)) {
                    control("PR_CAP_AMBIENT_RAISE", LibcProc.PR_CAP_AMBIENT, LibcProc.PR_CAP_AMBIENT_RAISE, number);
                }
            }
            if (noNewPrivs) {
                control("PR_SET_NO_NEW_PRIVS", LibcProc.PR_SET_NO_NEW_PRIVS, 1, 0);
            }
        }
    }

    private static void dropBounding(final long unwanted) {
        for (int number = 0; number < Long.SIZE; number++) {
            if (has(unwanted, number)) {
                control("PR_CAPBSET_DROP", LibcProc.PR_CAPBSET_DROP, number, 0);
            }
        }
    }

    private void takeIds(final NativeArena arena) {
        if (groups != null && !sameGroups()) {
            final Pointer list = arena.allocate(Math.max(1, groups.length) * Integer.BYTES);
            list.write(0, groups, 0, groups.length);
            final long address = Pointer.nativeValue(list);
            if (LibcProc.syscall(LibcProc.SYS_SETGROUPS, groups.length, address, 0, 0) < 0) {
                throw SysException.last("setgroups", Arrays.toString(groups));
            }
        }
        final int[] real = new int[1];
        final int[] effective = new int[1];
        final int[] saved = new int[1];
        if (!hasIds(LibcProc.getresgid(real, effective, saved), real, effective, saved, gid)) {
            id("setresgid", LibcProc.SYS_SETRESGID, gid);
        }
        if (!hasIds(LibcProc.getresuid(real, effective, saved), real, effective, saved, uid)) {
            id("setresuid", LibcProc.SYS_SETRESUID, uid);
        }
    }

    private static boolean hasIds(final int result, final int[] real, final int[] effective, final int[] saved,
            final int wanted) {
        return result == 0 && real[0] == wanted && effective[0] == wanted && saved[0] == wanted;
    }

    private boolean sameGroups() {
        final int[] now = currentGroups();
        final int[] wanted = groups.clone();
        Arrays.sort(now);
        Arrays.sort(wanted);
        return Arrays.equals(now, wanted);
    }

    private static int[] currentGroups() {
        final int room = Libc.check(LibcProc.getgroups(0, new int[1]), "getgroups", "") + 1;
        final int[] list = new int[room];
        final int count = Libc.check(LibcProc.getgroups(room, list), "getgroups", "");
        return Arrays.copyOf(list, count);
    }

    private static void id(final String call, final long number, final int id) {
        if (LibcProc.syscall(number, id, id, id, 0) < 0) {
            throw SysException.last(call, Integer.toUnsignedString(id));
        }
    }

    private static void control(final String what, final int option, final long a, final long b) {
        if (LibcProc.prctl(option, a, b, 0, 0) < 0) {
            throw SysException.last("prctl", what);
        }
    }

    private static boolean has(final long set, final int number) {
        return (set >>> number & 1) != 0;
    }
}
