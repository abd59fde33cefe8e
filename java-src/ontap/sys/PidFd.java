// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/**
 * Processes by descriptor, which unlike a pid never comes to mean another process (pidfd_open(2)). The descriptor polls
 * POLLIN once the process has ended, and POLLHUP too once its parent has taken notice. Nothing here blocks.
 */
public final class PidFd {
    /** siginfo_t: si_code at 8, and for SIGCHLD si_pid at 16 and si_status at 24. */
    private static final int SIGINFO_SIZE = 128;
    private static final int SI_CODE = 8;
    private static final int SI_PID = 16;
    private static final int SI_STATUS = 24;
    private static final int CLD_EXITED = 1;
    /** struct pidfd_info, first version: mask at 0, exit_code, as wait(2) gives it, at 60. */
    private static final int INFO_SIZE = 64;
    private static final int INFO_EXIT_CODE = 60;
    private static final long PIDFD_INFO_EXIT = 1 << 3;
    private static final int SIGNAL_BITS = 0x7f;
    private static final int EXIT_BITS = 0xff;

    /** How a process ended: by the signal {@code code}, or by exit({@code code}). */
    public record ExitStatus(boolean signaled, int code) {
    }

    private PidFd() {
    }

    /** The process of that pid at this moment; ESRCH when there is none, EINVAL for a thread's id or below 1. */
    public static Fd open(final int pid) {
        final long raw = LibcProc.syscall(LibcProc.SYS_PIDFD_OPEN, pid, 0, 0, 0);
        if (raw < 0) {
            throw SysException.last("pidfd_open", Integer.toString(pid));
        }
        return Fd.own((int) raw, "pidfd of " + pid);
    }

    /** Sends the signal, 0 only asks; ESRCH when the process is gone, EPERM. */
    public static void signal(final Fd pidfd, final int signal) {
        if (LibcProc.syscall(LibcProc.SYS_PIDFD_SEND_SIGNAL, pidfd.raw(), signal, 0, 0) < 0) {
            throw SysException.last("pidfd_send_signal", pidfd.what());
        }
    }

    /**
     * Takes notice of the end of a child of this process; null while it runs. ECHILD when it is no child, or was reaped
     * before.
     */
    public static ExitStatus reap(final Fd child) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer info = arena.allocate(SIGINFO_SIZE);
            final int options = LibcProc.WEXITED | LibcProc.WNOHANG;
            int result;
            do {
                result = LibcProc.waitid(LibcProc.P_PIDFD, child.raw(), info, options);
            } while (Libc.interrupted(result));
            Libc.check(result, "waitid", child.what());
            if (info.getInt(SI_PID) == 0) {
                return null;
            }
            return new ExitStatus(info.getInt(SI_CODE) != CLD_EXITED, info.getInt(SI_STATUS));
        }
    }

    /**
     * How a process ended that need not be a child, once its parent has reaped it (POLLHUP). Null when the kernel does
     * not tell: not reaped yet, or Linux before 6.15.
     */
    public static ExitStatus info(final Fd pidfd) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer info = arena.allocate(INFO_SIZE);
            info.setLong(0, PIDFD_INFO_EXIT);
            if (Libc.ioctl(pidfd.raw(), LibcProc.PIDFD_GET_INFO, Pointer.nativeValue(info)) < 0) {
                final int error = Native.getLastError();
                // Before 6.13 there is no such request; until 6.14 a reaped process has no information.
                if (error == Errno.ENOTTY || error == Errno.EINVAL || error == Errno.ESRCH) {
                    return null;
                }
                throw new SysException("PIDFD_GET_INFO", pidfd.what(), error);
            }
            return (info.getLong(0) & PIDFD_INFO_EXIT) == 0 ? null : ofWait(info.getInt(INFO_EXIT_CODE));
        }
    }

    /** What wait(2) gives, taken apart. */
    static ExitStatus ofWait(final int status) {
        final int signal = status & SIGNAL_BITS;
        return signal != 0 ? new ExitStatus(true, signal) : new ExitStatus(false, status >> 8 & EXIT_BITS);
    }
}
