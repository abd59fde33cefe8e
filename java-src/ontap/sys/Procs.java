// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** What /proc tells of processes (proc_pid_stat(5)). Processes come and go meanwhile: those that went are left out. */
public final class Procs {
    private static final int SHORT_FILE = 4096;
    // The fields of stat after the comm's parenthesis, counted from 0.
    private static final int STATE = 0;
    private static final int PPID = 1;
    private static final int PGRP = 2;
    private static final int SESSION = 3;
    private static final int START = 19;

    /**
     * One process.
     *
     * @param startTicks start time after boot in clock ticks; with the pid and the boot id, it tells one process from
     *     all others
     * @param state R, S, D, Z, …
     * @param comm the name, at most 15 bytes; any characters, since the process chooses it
     */
    public record Proc(int pid, int ppid, int pgrp, int session, long startTicks, char state, String comm) {
    }

    private Procs() {
    }

    /** The process, a zombie included; null when there is none. */
    public static Proc stat(final int pid) {
        try {
            return parse(read("/proc/" + pid + "/stat"));
        } catch (SysException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ESRCH) {
                return null;
            }
            throw e;
        }
    }

    /**
     * How the process that started at {@code startTicks} ended, as long as it is a zombie: the kernel shows that (field
     * exit_code, Linux 3.5) before the parent reaps it, to those who may trace it. Null when it runs, has been reaped,
     * or this process is not root (of its user namespace), to whom alone all is shown.
     */
    public static PidFd.ExitStatus exitOfZombie(final int pid, final long startTicks) {
        if (Io.geteuid() != 0) {
            return null;
        }
        try {
            final String line = read("/proc/" + pid + "/stat").strip();
            final Proc proc = parse(line);
            return proc.state() == 'Z' && proc.startTicks() == startTicks
                    ? PidFd.ofWait(Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1)))
                    : null;
        } catch (SysException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ESRCH) {
                return null;
            }
            throw e;
        }
    }

    /** Reads a line of /proc/PID/stat; IllegalArgumentException when it is none. */
    static Proc parse(final String line) {
        final int open = line.indexOf('(');
        final int close = line.lastIndexOf(')');
        if (open < 1 || close < open) {
            throw new IllegalArgumentException("should be a line of /proc/PID/stat: " + line);
        }
        final String[] fields = new String[START + 1];
        int from = close + 2;
        for (int i = 0; i < fields.length; i++) {
            final int space = line.indexOf(' ', from);
            if (space < 0) {
                throw new IllegalArgumentException("should be a line of /proc/PID/stat: " + line);
            }
            fields[i] = line.substring(from, space);
            from = space + 1;
        }
        return new Proc(Integer.parseInt(line.substring(0, open - 1)), Integer.parseInt(fields[PPID]),
                Integer.parseInt(fields[PGRP]), Integer.parseInt(fields[SESSION]), Long.parseLong(fields[START]),
                fields[STATE].charAt(0), line.substring(open + 1, close));
    }

    /** The pids of all processes this /proc shows, ascending. */
    public static int[] all() {
        final String[] names = new File("/proc").list();
        if (names == null) {
            return new int[0];
        }
        final int[] pids = new int[names.length];
        int count = 0;
        for (final String name : names) {
            if (isNumber(name)) {
                pids[count++] = Integer.parseInt(name);
            }
        }
        final int[] found = Arrays.copyOf(pids, count);
        Arrays.sort(found);
        return found;
    }

    /**
     * The processes whose main thread is in the namespace; those whose namespaces the caller may not see (ptrace(2)),
     * and zombies, which have none, are left out.
     *
     * @param kind as in /proc/PID/ns: net, uts, mnt…
     */
    public static int[] inNamespace(final String kind, final Namespaces.NsId id) {
        final int[] pids = all();
        int count = 0;
        for (final int pid : pids) {
            if (isIn(pid, kind, id)) {
                pids[count++] = pid;
            }
        }
        return Arrays.copyOf(pids, count);
    }

    private static boolean isIn(final int pid, final String kind, final Namespaces.NsId id) {
        try {
            final Io.Stat stat = Io.stat("/proc/" + pid + "/ns/" + kind);
            return stat != null && stat.ino() == id.ino() && stat.dev() == id.dev();
        } catch (SysException e) {
            return false;
        }
    }

    /** The kernel's name for this boot, a UUID. */
    public static String bootId() {
        return read("/proc/sys/kernel/random/boot_id").trim();
    }

    /** A short file, by one read(2): java.nio.file.Files reads one byte first, and of some sysctls gets no second. */
    private static String read(final String path) {
        final byte[] bytes = new byte[SHORT_FILE];
        try (Fd fd = Io.open(path, Io.O_RDONLY, 0)) {
            return new String(bytes, 0, Io.read(fd, bytes, 0, bytes.length), StandardCharsets.UTF_8);
        }
    }

    private static boolean isNumber(final String name) {
        for (int i = 0; i < name.length(); i++) {
            if (name.charAt(i) < '0' || name.charAt(i) > '9') {
                return false;
            }
        }
        return !name.isEmpty();
    }
}
