// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;

/**
 * Namespaces of the calling thread, and descriptors that stand for namespaces (namespaces(7), ioctl_nsfs(2)).
 *
 * <p>{@link #unshare} and {@link #setns} change the calling thread alone and for good: only a thread that is about to
 * die calls them (see {@link NsThread}). Nothing here blocks. Every method throws SysException on an error number.
 */
public final class Namespaces {
    public static final int CLONE_FS = 0x00000200;
    public static final int CLONE_FILES = 0x00000400;
    public static final int CLONE_NEWNS = 0x00020000;
    public static final int CLONE_NEWCGROUP = 0x02000000;
    public static final int CLONE_NEWUTS = 0x04000000;
    public static final int CLONE_NEWIPC = 0x08000000;
    public static final int CLONE_NEWUSER = 0x10000000;
    public static final int CLONE_NEWPID = 0x20000000;
    public static final int CLONE_NEWNET = 0x40000000;

    private static final int[] FLAGS = {CLONE_FS, CLONE_FILES, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS,
        CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET};
    private static final String[] FLAG_NAMES = {"fs", "files", "mnt", "cgroup", "uts", "ipc", "user", "pid", "net"};
    private static final String NAMED = "/run/netns/";
    /** HOST_NAME_MAX of Linux, and the NUL. */
    private static final int HOSTNAME_SIZE = 65;
    /** struct statfs is 120 bytes; its first word is the file system's magic number. */
    private static final int STATFS_WORDS = 16;

    /** What tells two namespaces apart while both live; numbers are used again after a namespace's end. */
    public record NsId(long dev, long ino) {
    }

    private Namespaces() {
    }

    /**
     * Gives the calling thread namespaces of its own (unshare(2)). CLONE_NEWNS and working directory need CLONE_FS
     * first or with it; CLONE_NEWUSER is refused (EINVAL) in any process with two threads, hence in a JVM.
     */
    public static void unshare(final int flags) {
        if (LibcProc.unshare(flags) < 0) {
            throw SysException.last("unshare", describe(flags));
        }
    }

    /**
     * Moves the calling thread into a namespace (setns(2)).
     *
     * @param type the CLONE_NEW… the descriptor has to be, 0 for any; several with a pidfd
     */
    public static void setns(final Fd ns, final int type) {
        if (LibcProc.setns(ns.raw(), type) < 0) {
            throw SysException.last("setns", ns.what());
        }
    }

    /** Sets the hostname of the calling thread's UTS namespace, at most 64 bytes of UTF-8 (else EINVAL). */
    public static void setHostname(final String name) {
        final byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (LibcProc.sethostname(bytes, bytes.length) < 0) {
            throw SysException.last("sethostname", name);
        }
    }

    /** The hostname in the calling thread's UTS namespace. */
    public static String hostname() {
        final byte[] bytes = new byte[HOSTNAME_SIZE];
        if (LibcProc.gethostname(bytes, bytes.length) < 0) {
            throw SysException.last("gethostname", "");
        }
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }

    /** The calling thread's namespace. Kind as in /proc/PID/ns: net, uts, mnt, user, pid, ipc, cgroup. */
    public static Fd ofThread(final String kind) {
        return Io.open("/proc/thread-self/ns/" + kind, Io.O_RDONLY, 0);
    }

    /**
     * The namespace of a process's main thread. Needs the right to trace it (ptrace(2)); ENOENT once it is gone. A pid
     * may have a new owner by now: hold a pidfd and ask it afterwards whether the process still lives.
     */
    public static Fd ofProcess(final int pid, final String kind) {
        return Io.open("/proc/" + pid + "/ns/" + kind, Io.O_RDONLY, 0);
    }

    /**
     * The network namespace that {@code ip netns} calls by this name. EINVAL when the file is there and is something
     * else, ENOENT when it is not; IllegalArgumentException when the name is not one file name.
     */
    public static Fd named(final String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("should be the name of a network namespace: \"" + name + "\"");
        }
        final String path = NAMED.concat(name);
        // O_NONBLOCK: a FIFO under that name must not hold the caller up.
        final Fd fd = Io.open(path, Io.O_RDONLY | Io.O_NONBLOCK, 0);
        try {
            if (!isNamespace(fd) || type(fd) != CLONE_NEWNET) {
                throw new SysException("open", path + ", not a network namespace", Errno.EINVAL);
            }
            return fd;
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Is it a descriptor of a network namespace? For one that a stranger sent: never waits for whoever serves the file
     * it may lead to, and throws nothing. One opened at a bind mount counts only when the caller may enter the
     * namespace (CAP_SYS_ADMIN), one opened with O_PATH never.
     */
    public static boolean isNetwork(final Fd fd) {
        try {
            final String link = Io.link(fd);
            // Only the kernel gives names without a slash; a path may lead to a bind mount, or to anything.
            final boolean known = link.startsWith("net:[") || link.startsWith("/") && isEntered(fd);
            return known && isNamespace(fd) && type(fd) == CLONE_NEWNET;
        } catch (SysException e) {
            return false;
        }
    }

    /**
     * Can a thread enter it as a network namespace? setns(2) compares what kind of open file it is before it does
     * anything, and asks no file system: /proc/self/mountinfo would tell only of mounts in the caller's own mount
     * namespace, and fstat(2), fstatfs(2) and ioctl(2) may wait for a FUSE server for ever.
     */
    private static boolean isEntered(final Fd fd) {
        return NsThread.call("ontap-look", () -> {
            try {
                setns(fd, CLONE_NEWNET);
                return true;
            } catch (SysException e) {
                return false;
            }
        });
    }

    /**
     * The namespace's own number, which is never used again while the kernel runs (NS_GET_ID, Linux 6.18); 0 where the
     * kernel has none.
     */
    public static long idNumber(final Fd ns) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer id = arena.allocate(Long.BYTES);
            if (Libc.ioctl(ns.raw(), LibcProc.NS_GET_ID, Pointer.nativeValue(id)) < 0) {
                final SysException e = SysException.last("NS_GET_ID", ns.what());
                if (e.errno() == Errno.ENOTTY) {
                    return 0;
                }
                throw e;
            }
            return id.getLong(0);
        }
    }

    /** Device and inode of the namespace, as {@code ls -i /proc/PID/ns} shows it. */
    public static NsId id(final Fd ns) {
        final Io.Stat stat = Io.fstat(ns);
        return new NsId(stat.dev(), stat.ino());
    }

    /** The namespace's CLONE_NEW…; ENOTTY when the descriptor is none. */
    public static int type(final Fd ns) {
        return Libc.check(Libc.ioctl(ns.raw(), LibcProc.NS_GET_NSTYPE, 0L), "NS_GET_NSTYPE", ns.what());
    }

    /**
     * The user who made the user namespace that owns this namespace (or this user namespace itself), as seen from the
     * caller's user namespace: 65534 when that has no number for them. EPERM when the owner is outside the caller's.
     */
    public static int ownerUid(final Fd ns) {
        if (type(ns) == CLONE_NEWUSER) {
            return makerUid(ns);
        }
        final int raw = Libc.check(Libc.ioctl(ns.raw(), LibcProc.NS_GET_USERNS, 0L), "NS_GET_USERNS", ns.what());
        try (Fd owner = Fd.own(raw, "user namespace of " + ns.what())) {
            return makerUid(owner);
        }
    }

    private static int makerUid(final Fd userNs) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer uid = arena.allocate(Integer.BYTES);
            final int result = Libc.ioctl(userNs.raw(), LibcProc.NS_GET_OWNER_UID, Pointer.nativeValue(uid));
            Libc.check(result, "NS_GET_OWNER_UID", userNs.what());
            return uid.getInt(0);
        }
    }

    private static boolean isNamespace(final Fd fd) {
        final long[] statfs = new long[STATFS_WORDS];
        Libc.check(LibcProc.fstatfs(fd.raw(), statfs), "fstatfs", fd.what());
        return statfs[0] == LibcProc.NSFS_MAGIC;
    }

    /** {@code net|uts|0x4}: the flags by the names of /proc/PID/ns. */
    static String describe(final int flags) {
        final StringBuilder text = new StringBuilder();
        int rest = flags;
        for (int i = 0; i < FLAGS.length; i++) {
            if ((flags & FLAGS[i]) != 0) {
                text.append(text.length() == 0 ? "" : "|").append(FLAG_NAMES[i]);
                rest &= ~FLAGS[i];
            }
        }
        if (rest != 0) {
            text.append(text.length() == 0 ? "" : "|").append("0x").append(Integer.toHexString(rest));
        }
        return text.toString();
    }
}
