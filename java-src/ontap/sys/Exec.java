// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Becomes another program in place (execve(2)): same pid, the calling thread's namespaces, identity, working directory
 * and umask, and no trace of the JVM. Any thread may call it. What the JVM leaves outside the process is the launcher's
 * to prevent: {@code -XX:-MaxFDLimit} (soft limit of nofile), {@code -XX:-UsePerfData} (a file in /tmp/hsperfdata_…).
 */
public final class Exec {
    /** The kernel's struct sigaction is 32 bytes, the handler first, and its sigset_t 8; that of glibc is 128. */
    private static final int SIGACTION_SIZE = 32;
    private static final int KERNEL_SIGSET_SIZE = 8;
    private static final int SIGSET_SIZE = 128;
    private static final long SIG_DFL = 0;
    private static final long SIG_IGN = 1;
    private static final int SIGNALS = 64;
    /** This one and the next are the C library's own, and never the caller's. */
    private static final int LIBC_SIGNALS = 32;
    private static final int STANDARD = 3;
    private static final int CLOSED = -1;
    private static final long LAST_FD = 0xffffffffL;

    private Exec() {
    }

    /**
     * Loads and links all that {@link #run} needs, its failures too: under another uid the JVM may not be able to read
     * its own files. Changes nothing.
     */
    public static void prepare() {
        prepare("prepare", List.of("prepare"), List.of("prepare"), Map.of());
    }

    /**
     * The same, with what {@link #run} will be given: the classes of these very collections are loaded too, and
     * IllegalArgumentException (NUL in a text, empty argv) or IllegalStateException (closed descriptor) come now.
     */
    public static void prepare(final String path, final List<String> argv, final List<String> env,
            final Map<Integer, Fd> fds) {
        Identity.prepare();
        check(path, argv);
        try (NativeArena arena = new NativeArena()) {
            arena.string(path);
            arena.strings(argv);
            arena.strings(env);
            ignore(0, arena.allocate(SIGACTION_SIZE));
            final Plan plan = new Plan(fds);
            try {
                plan.park();
            } finally {
                plan.unpark();
            }
        }
    }

    /**
     * Executes the program in place of this process. Returns only by exception: IllegalArgumentException for an empty
     * argv, SysException when execve fails (ENOENT, EACCES, ENOEXEC for a script without {@code #!}, EAGAIN for nproc)
     * or a step before it.
     *
     * <p>The program gets a session of its own where the process does not lead a process group already, ignored signals
     * at their default, an empty signal mask, and of descriptors only those promised, with 0, 1 and 2 as they are where
     * nothing is said of them.
     *
     * <p>After a failure descriptors, signals and mask are what they were, but the calling thread keeps a descriptor
     * table of its own, all close-on-exec: what other threads close stays open there. Let the thread die.
     *
     * @param path the file itself, no search
     * @param env {@code NAME=value} each; all there is
     * @param fds descriptor number in the program to what it shall be
     */
    public static void run(final String path, final List<String> argv, final List<String> env,
            final Map<Integer, Fd> fds) {
        run(path, argv, env, fds, true);
    }

    /**
     * The same in the session the process is in, so that the terminal's signals go on to reach it, and with the signals
     * ignored that are (nohup(1)): for a program that goes on as itself under other circumstances, and for one that was
     * started by way of this one.
     */
    public static void runInSession(final String path, final List<String> argv, final List<String> env,
            final Map<Integer, Fd> fds) {
        run(path, argv, env, fds, false);
    }

    private static void run(final String path, final List<String> argv, final List<String> env,
            final Map<Integer, Fd> fds, final boolean ownSession) {
        check(path, argv);
        try (NativeArena arena = new NativeArena()) {
            final Pointer nativePath = arena.string(path);
            final Pointer nativeArgv = arena.strings(argv);
            final Pointer nativeEnv = arena.strings(env);
            final Pointer action = arena.allocate(SIGACTION_SIZE);
            final Pointer mask = arena.allocate(SIGSET_SIZE);
            final Pointer oldMask = arena.allocate(SIGSET_SIZE);
            final Plan plan = new Plan(fds);
            // A table of its own, so that no other thread opens a file after close_range, and none sees its files
            // replaced. Where a sandbox forbids it, that much is left to luck.
            LibcProc.unshare(Namespaces.CLONE_FILES);
            long reset = 0;
            try {
                plan.park();
                plan.install();
                if (ownSession) {
                    // EPERM: leads a process group already.
                    LibcProc.setsid();
                }
                reset = stopIgnoring(action, ownSession ? 1 : LIBC_SIGNALS, ownSession ? SIGNALS : LIBC_SIGNALS + 1);
                LibcProc.pthread_sigmask(LibcProc.SIG_SETMASK, mask, oldMask);
                LibcProc.execve(nativePath, nativeArgv, nativeEnv);
                final SysException failure = SysException.last("execve", path);
                LibcProc.pthread_sigmask(LibcProc.SIG_SETMASK, oldMask, null);
                throw failure;
            } finally {
                ignore(reset, action);
                plan.restore();
            }
        }
    }

    private static void check(final String path, final List<String> argv) {
        if (argv.isEmpty()) {
            throw new IllegalArgumentException("should have at least argv[0]: ".concat(path));
        }
    }

    /**
     * Handlers go by themselves in execve, ignored signals would stay ignored. Handlers are left alone until then:
     * HotSpot lives by those of SIGSEGV and its like.
     *
     * @return the signals that were ignored, of those between first and last, signal n as bit n - 1
     */
    private static long stopIgnoring(final Pointer action, final int first, final int last) {
        final long address = Pointer.nativeValue(action);
        long ignored = 0;
        for (int signal = first; signal <= last; signal++) {
            if (sigaction(signal, 0, address) == 0 && action.getLong(0) == SIG_IGN) {
                action.setLong(0, SIG_DFL);
                sigaction(signal, address, 0);
                ignored |= 1L << signal - 1;
            }
        }
        return ignored;
    }

    private static void ignore(final long signals, final Pointer action) {
        final long address = Pointer.nativeValue(action);
        for (int signal = 1; signal <= SIGNALS; signal++) {
            if ((signals >>> signal - 1 & 1) != 0) {
                action.setMemory(0, SIGACTION_SIZE, (byte) 0);
                action.setLong(0, SIG_IGN);
                sigaction(signal, address, 0);
            }
        }
    }

    /** Not glibc's, which denies access to 32 and 33: a child of posix_spawn without SETSIGDEF has these ignored. */
    private static long sigaction(final int signal, final long action, final long old) {
        return LibcProc.syscall(LibcProc.SYS_RT_SIGACTION, signal, action, old, KERNEL_SIGSET_SIZE);
    }

    /** The promised descriptors on their way to their numbers, and what was at those numbers before. */
    private static final class Plan {
        private final int[] targets;
        private final int[] sources;
        private final int[] parked;
        private final int[] before;
        private final int top;

        Plan(final Map<Integer, Fd> fds) {
            targets = new int[fds.size()];
            int count = 0;
            for (final Integer target : fds.keySet()) {
                targets[count++] = target;
            }
            Arrays.sort(targets);
            top = count == 0 ? STANDARD : Math.max(STANDARD, targets[count - 1] + 1);
            sources = new int[count];
            for (int i = 0; i < count; i++) {
                sources[i] = fds.get(targets[i]).raw();
            }
            parked = new int[count];
            before = new int[count];
            Arrays.fill(parked, CLOSED);
            Arrays.fill(before, CLOSED);
        }

        /** Copies sources, and what is at the targets now, above all targets. */
        void park() {
            for (int i = 0; i < targets.length; i++) {
                parked[i] = Libc.check(Libc.fcntl(sources[i], Libc.F_DUPFD_CLOEXEC, top), "fcntl", "F_DUPFD_CLOEXEC");
                before[i] = Libc.fcntl(targets[i], Libc.F_DUPFD_CLOEXEC, top);
            }
        }

        /** Puts the copies at their numbers, which thereby outlive execve, and marks all others to be closed by it. */
        void install() {
            int first = 0;
            for (int i = 0; i < targets.length; i++) {
                Libc.check(LibcProc.dup2(parked[i], targets[i]), "dup2", "");
                closeOnExec(first, targets[i] - 1L);
                first = targets[i] + 1;
            }
            closeOnExec(first, LAST_FD);
        }

        /** Undoes install and park as far as they came. */
        void restore() {
            for (int i = 0; i < targets.length; i++) {
                if (before[i] != CLOSED) {
                    LibcProc.dup2(before[i], targets[i]);
                } else if (parked[i] != CLOSED) {
                    Libc.close(targets[i]);
                }
            }
            unpark();
        }

        /** Closes the copies. */
        void unpark() {
            for (int i = 0; i < targets.length; i++) {
                close(parked[i]);
                close(before[i]);
            }
        }

        private static void close(final int fd) {
            if (fd != CLOSED) {
                Libc.close(fd);
            }
        }

        private static void closeOnExec(final int first, final long last) {
            final int from = Math.max(first, STANDARD);
            if (from <= last && LibcProc.syscall(LibcProc.SYS_CLOSE_RANGE, from, last, LibcProc.CLOSE_RANGE_CLOEXEC, 0)
                    < 0) {
                throw SysException.last("close_range", "");
            }
        }
    }
}
