// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;

/**
 * Files, pipes and the caller's own process, one system call each (section 2 of the manual). Everything throws
 * {@link SysException} on error; interrupted calls are made again; descriptors are close-on-exec. Calls may block as
 * the file they are made on does.
 */
public final class Io {
    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0100;
    public static final int O_EXCL = 0200;
    public static final int O_NOCTTY = 0400;
    public static final int O_TRUNC = 01000;
    public static final int O_APPEND = 02000;
    public static final int O_NONBLOCK = 04000;
    private static final int SPLICE_F_NONBLOCK = 2;
    public static final int O_DIRECTORY = Libc.AARCH64 ? 040000 : 0200000;
    public static final int O_NOFOLLOW = Libc.AARCH64 ? 0100000 : 0400000;
    public static final int O_CLOEXEC = 02000000;
    public static final int O_PATH = 010000000;

    /** The file type bits of {@link Stat#mode} and their values (inode(7)). */
    public static final int S_IFMT = 0170000;
    public static final int S_IFSOCK = 0140000;
    public static final int S_IFLNK = 0120000;
    public static final int S_IFREG = 0100000;
    public static final int S_IFBLK = 0060000;
    public static final int S_IFDIR = 0040000;
    public static final int S_IFCHR = 0020000;
    public static final int S_IFIFO = 0010000;

    /** For {@link #await}: readable, urgent, writable; error and hang-up are always reported (poll(2)). */
    public static final int POLLIN = 1;
    public static final int POLLPRI = 2;
    public static final int POLLOUT = 4;
    public static final int POLLERR = 8;
    public static final int POLLHUP = 16;

    /** What read, write and send return when a non-blocking descriptor has nothing to give or no room (EAGAIN). */
    public static final int AGAIN = -1;

    private static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;
    private static final int PATH_MAX = 4096;

    private Io() {
    }

    /**
     * What is known of a file.
     *
     * @param dev the device it is on, as st_dev
     * @param ino its inode number
     * @param mode type and permission bits
     * @param size bytes
     * @param rdev the device it is, as st_rdev; 0 for other files
     */
    public record Stat(long dev, long ino, int mode, int uid, int gid, long size, long rdev) {
        static final int SIZE = 256;

        /** Reads struct statx (linux/stat.h, the same on every architecture). */
        static Stat of(final Pointer statx) {
            return new Stat(
                    device(statx.getInt(136), statx.getInt(140)),
                    statx.getLong(32),
                    statx.getShort(28) & 0xffff,
                    statx.getInt(20),
                    statx.getInt(24),
                    statx.getLong(40),
                    device(statx.getInt(128), statx.getInt(132)));
        }
    }

    /** open(2) with O_CLOEXEC added; {@code mode} counts only with O_CREAT. Blocks on a FIFO without O_NONBLOCK. */
    public static Fd open(final String path, final int flags, final int mode) {
        int fd;
        do {
            fd = Libc.open(path, flags | O_CLOEXEC, mode);
        } while (Libc.interrupted(fd));
        return Fd.own(Libc.check(fd, "open", path), path);
    }

    /** read(2): the number of bytes, 0 at the end, {@link #AGAIN}. */
    public static int read(final Fd fd, final byte[] buffer, final int offset, final int length) {
        try (Scratch scratch = Scratch.of(length)) {
            final int raw = fd.raw();
            long n;
            do {
                n = Libc.read(raw, scratch.at, length);
            } while (Libc.interrupted(n));
            if (n < 0) {
                return again("read", fd);
            }
            scratch.at.read(0, buffer, offset, (int) n);
            return (int) n;
        }
    }

    /** write(2): the number of bytes, possibly fewer than asked, or {@link #AGAIN}. */
    public static int write(final Fd fd, final byte[] buffer, final int offset, final int length) {
        try (Scratch scratch = Scratch.of(length)) {
            scratch.at.write(0, buffer, offset, length);
            final int raw = fd.raw();
            long n;
            do {
                n = Libc.write(raw, scratch.at, length);
            } while (Libc.interrupted(n));
            return n < 0 ? again("write", fd) : (int) n;
        }
    }

    /** Writes all of it; waits for room, also when the descriptor is non-blocking. */
    public static void writeAll(final Fd fd, final byte[] bytes) {
        int done = 0;
        while (done < bytes.length) {
            final int n = write(fd, bytes, done, bytes.length - done);
            if (n == AGAIN) {
                await(fd, POLLOUT, -1);
            } else {
                done += n;
            }
        }
    }

    /**
     * poll(2) on one descriptor; blocks.
     *
     * @param timeoutMillis how long at most; negative for ever
     * @return the events that are there, 0 when the time is over
     */
    public static int await(final Fd fd, final int events, final int timeoutMillis) {
        final int[] pollfd = new int[2];
        final long end = timeoutMillis < 0 ? 0 : System.nanoTime() + timeoutMillis * 1_000_000L;
        int left = timeoutMillis;
        while (true) {
            pollfd[0] = fd.raw();
            // struct pollfd { int fd; short events, revents; }: both architectures are little endian.
            pollfd[1] = events & 0xffff;
            final int n = Libc.poll(pollfd, 1, left);
            if (!Libc.interrupted(n)) {
                Libc.check(n, "poll", fd.what());
                return pollfd[1] >>> 16;
            }
            if (timeoutMillis >= 0) {
                left = (int) Math.max(0, (end - System.nanoTime()) / 1_000_000L);
            }
        }
    }

    /** pipe2(2): the reading end first. */
    public static Fd[] pipe(final boolean nonblocking) {
        final int[] fds = new int[2];
        Libc.check(Libc.pipe2(fds, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)), "pipe2", "");
        return new Fd[] {Fd.own(fds[0], "pipe, reading end"), Fd.own(fds[1], "pipe, writing end")};
    }

    /**
     * Bytes that wait in a pipe, which keeps them (tee(2)): at most {@code most}, none when nothing waits or all who
     * write have closed it. Never blocks.
     */
    public static byte[] peek(final Fd pipe, final int most) {
        final Fd[] copy = pipe(true);
        try (Fd in = copy[0]; Fd out = copy[1]) {
            final long n = Libc.tee(pipe.raw(), out.raw(), most, SPLICE_F_NONBLOCK);
            if (n < 0 && again("tee", pipe) == AGAIN) {
                return new byte[0];
            }
            final byte[] bytes = new byte[(int) n];
            return n > 0 && read(in, bytes, 0, bytes.length) < n ? new byte[0] : bytes;
        }
    }

    /** mkfifo(3); EEXIST when the path is there. */
    public static void mkfifo(final String path, final int mode) {
        Libc.check(Libc.mkfifo(path, mode), "mkfifo", path);
    }

    /**
     * mknod(2): a device's file. Needs CAP_MKNOD; the umask is applied.
     *
     * @param mode file type, S_IFCHR or S_IFBLK, and permission bits
     * @param device as {@link #device} makes it
     */
    public static void mknod(final String path, final int mode, final long device) {
        Libc.check(Libc.mknod(path, mode, device), "mknod", path);
    }

    /** The number of a device, as {@link Stat#rdev} has it (makedev(3)). */
    public static long device(final int major, final int minor) {
        return (major & 0xfffff000L) << 32 | (major & 0xfffL) << 8 | (minor & 0xffffff00L) << 12 | (minor & 0xffL);
    }

    /** mkdir(2); EEXIST when the path is there. The umask is applied. */
    public static void mkdir(final String path, final int mode) {
        Libc.check(Libc.mkdir(path, mode), "mkdir", path);
    }

    /** rename(2): atomically, over what is there. */
    public static void rename(final String from, final String to) {
        Libc.check(Libc.rename(from, to), "rename", from + " -> " + to);
    }

    /**
     * Replaces the file at the path, whole or not at all: a neighbour called PATH.new is written and renamed over it.
     * Not on the disk yet when it returns, but already what every reader sees.
     */
    public static void replace(final String path, final byte[] bytes, final int mode) {
        final String fresh = path + ".new";
        try (Fd fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, mode)) {
            writeAll(fd, bytes);
        }
        rename(fresh, path);
    }

    /** unlink(2); a path that is not there is fine. */
    public static void unlink(final String path) {
        if (Libc.unlink(path) < 0 && Native.getLastError() != Errno.ENOENT) {
            throw SysException.last("unlink", path);
        }
    }

    /** rmdir(2); a path that is not there is fine. */
    public static void rmdir(final String path) {
        if (Libc.rmdir(path) < 0 && Native.getLastError() != Errno.ENOENT) {
            throw SysException.last("rmdir", path);
        }
    }

    /** What the path leads to, symbolic links followed; null when there is nothing (ENOENT). */
    public static Stat stat(final String path) {
        try (Scratch scratch = Scratch.of(Stat.SIZE)) {
            if (Libc.statx(Libc.AT_FDCWD, path, 0, Libc.STATX_BASIC_STATS, scratch.at) < 0) {
                if (Native.getLastError() == Errno.ENOENT) {
                    return null;
                }
                throw SysException.last("stat", path);
            }
            return Stat.of(scratch.at);
        }
    }

    /** What the descriptor leads to. May block on a hostile file system. */
    public static Stat fstat(final Fd fd) {
        try (Scratch scratch = Scratch.of(Stat.SIZE)) {
            final int result = Libc.statx(fd.raw(), "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, scratch.at);
            Libc.check(result, "fstat", fd.what());
            return Stat.of(scratch.at);
        }
    }

    /** ftruncate(2), also upwards; {@code length} in bytes. */
    public static void ftruncate(final Fd fd, final long length) {
        int result;
        do {
            result = Libc.ftruncate(fd.raw(), length);
        } while (Libc.interrupted(result));
        Libc.check(result, "ftruncate", fd.what());
    }

    /** fsync(2): blocks until the file is on the disk. */
    public static void fsync(final Fd fd) {
        int result;
        do {
            result = Libc.fsync(fd.raw());
        } while (Libc.interrupted(result));
        Libc.check(result, "fsync", fd.what());
    }

    /** chown(2), symbolic links followed; -1 leaves an id as it is. */
    public static void chown(final String path, final int uid, final int gid) {
        Libc.check(Libc.chown(path, uid, gid), "chown", path);
    }

    /** fchown(2); -1 leaves an id as it is. */
    public static void fchown(final Fd fd, final int uid, final int gid) {
        Libc.check(Libc.fchown(fd.raw(), uid, gid), "fchown", fd.what());
    }

    /** chmod(2), symbolic links followed. */
    public static void chmod(final String path, final int mode) {
        Libc.check(Libc.chmod(path, mode), "chmod", path);
    }

    /** flock(2), exclusive, without waiting: false when another open file holds the lock. Closing gives it back. */
    public static boolean tryLock(final Fd fd) {
        int result;
        do {
            result = Libc.flock(fd.raw(), LOCK_EX | LOCK_NB);
        } while (Libc.interrupted(result));
        if (Libc.wouldBlock(result)) {
            return false;
        }
        Libc.check(result, "flock", fd.what());
        return true;
    }

    /** Makes a descriptor that came from elsewhere close-on-exec, as all others are. */
    public static void closeOnExec(final Fd fd) {
        Libc.check(Libc.fcntl(fd.raw(), Libc.F_SETFD, Libc.FD_CLOEXEC), "fcntl", fd.what());
    }

    /** Makes the open file non-blocking, for all who share it. */
    public static void nonBlocking(final Fd fd) {
        final int flags = Libc.check(Libc.fcntl(fd.raw(), Libc.F_GETFL, 0), "fcntl", fd.what());
        Libc.check(Libc.fcntl(fd.raw(), Libc.F_SETFL, flags | O_NONBLOCK), "fcntl", fd.what());
    }

    /** What the kernel calls the open file, {@code /dev/net/tun} or {@code socket:[123]}; touches no file system. */
    public static String link(final Fd fd) {
        return readlink("/proc/self/fd/" + fd.raw());
    }

    /** What a symbolic link says, as it stands there; it is not followed. */
    public static String readlink(final String path) {
        final byte[] target = new byte[PATH_MAX];
        final long n = Libc.readlink(path, target, target.length);
        if (n < 0) {
            throw SysException.last("readlink", path);
        }
        return new String(target, 0, (int) n, StandardCharsets.UTF_8);
    }

    /**
     * ioctl(2) with a structure, which is copied to the kernel and back.
     *
     * @return what the call returned, 0 or more
     */
    public static int ioctl(final Fd fd, final long request, final byte[] argument) {
        return Libc.check(Libc.ioctl(fd.raw(), request, argument), "ioctl", fd.what());
    }

    /** ioctl(2) with a number; 0 where the request takes nothing. Returns what the call returned, 0 or more. */
    public static int ioctl(final Fd fd, final long request, final long argument) {
        return Libc.check(Libc.ioctl(fd.raw(), request, argument), "ioctl", fd.what());
    }

    /** chdir(2): the whole process, or the calling thread alone after unshare(CLONE_FS). Java's files ignore it. */
    public static void chdir(final String path) {
        Libc.check(Libc.chdir(path), "chdir", path);
    }

    /** umask(2): the old mask. The whole process, or the calling thread alone after unshare(CLONE_FS). */
    public static int umask(final int mask) {
        return Libc.umask(mask);
    }

    /** kill(2). Prefer a pidfd for processes that may be gone. */
    public static void kill(final int pid, final int signal) {
        Libc.check(Libc.kill(pid, signal), "kill", Integer.toString(pid));
    }

    /** The number of this process, in its own pid namespace. */
    public static int getpid() {
        return Libc.getpid();
    }

    /** The kernel's number of the calling thread. */
    public static int gettid() {
        return Libc.gettid();
    }

    /** The real uid of the calling thread, as its own user namespace has it. */
    public static int getuid() {
        return Libc.getuid();
    }

    /** The effective uid of the calling thread. */
    public static int geteuid() {
        return Libc.geteuid();
    }

    /** The real gid of the calling thread. */
    public static int getgid() {
        return Libc.getgid();
    }

    /** {@link #AGAIN} when that is what the last call said, else its exception. */
    static int again(final String call, final Fd fd) {
        if (Native.getLastError() == Errno.EAGAIN) {
            return AGAIN;
        }
        throw SysException.last(call, fd.what());
    }
}
