// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

/**
 * Whose this process is in /proc (prctl(2), PR_SET_DUMPABLE; proc(5)). Most files of /proc/PID belong to the process's
 * user, and so a root who may trace everybody (CAP_SYS_PTRACE), but has no right over the files of others
 * (CAP_DAC_READ_SEARCH), cannot see its descriptors.
 */
public final class Dumpable {
    private static final int PR_SET_DUMPABLE = 4;

    private Dumpable() {
    }

    /**
     * The files of /proc/PID belong to root from now on, nobody else without CAP_SYS_PTRACE may look into this process,
     * and it leaves no core dump; what it reads of itself it can read as before. Until the next execve(2). SysException
     * when the kernel does not know it.
     */
    public static void forbid() {
        if (LibcProc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
            throw SysException.last("prctl", "PR_SET_DUMPABLE");
        }
    }
}
