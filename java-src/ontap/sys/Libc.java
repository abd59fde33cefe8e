// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/**
 * The C library as it is: C names, C argument order, -1 on error with the number in {@link Native#getLastError()}.
 * Files, identity of the caller, clocks, sockets, epoll and its descriptors; processes and namespaces are LibcProc's.
 * Variadic functions (open, fcntl, ioctl) are mapped with the arguments used here, which both the x86_64 and the
 * aarch64 calling conventions of Linux pass like fixed ones.
 */
final class Libc {
    static final boolean AARCH64 = System.getProperty("os.arch").equals("aarch64");
    static final int F_SETFD = 2;
    static final int F_GETFL = 3;
    static final int F_SETFL = 4;
    static final int F_DUPFD_CLOEXEC = 1030;
    static final int FD_CLOEXEC = 1;
    static final int AT_FDCWD = -100;
    static final int AT_EMPTY_PATH = 0x1000;
    static final int STATX_BASIC_STATS = 0x7ff;

    static {
        Binding.register(Libc.class);
    }

    private Libc() {
    }

    // The one place where EINTR is dealt with: do { n = call(); } while (Libc.interrupted(n));

    /** True when the result is -1 and the error number is EINTR: the call is to be made again. */
    static boolean interrupted(final long result) {
        return result < 0 && Native.getLastError() == Errno.EINTR;
    }

    /** True when the result is -1 because a non-blocking descriptor has nothing to give or no room. */
    static boolean wouldBlock(final long result) {
        return result < 0 && Native.getLastError() == Errno.EAGAIN;
    }

    /** Passes a result of 0 or more through; throws for -1. */
    static int check(final int result, final String call, final String detail) {
        if (result < 0) {
            throw SysException.last(call, detail);
        }
        return result;
    }

    // fcntl.h, unistd.h, sys/stat.h, sys/file.h, sys/ioctl.h
    static native int open(String path, int flags, int mode);

    static native int close(int fd);

    static native int fcntl(int fd, int command, int argument);

    static native long read(int fd, Pointer buffer, long count);

    static native long write(int fd, Pointer buffer, long count);

    static native int pipe2(int[] fds, int flags);

    static native long tee(int from, int to, long most, int flags);

    static native int mkfifo(String path, int mode);

    static native int mknod(String path, int mode, long device);

    static native int mkdir(String path, int mode);

    static native int rename(String from, String to);

    static native int unlink(String path);

    static native int rmdir(String path);

    static native int statx(int dirfd, String path, int flags, int mask, Pointer statx);

    static native int ftruncate(int fd, long length);

    static native int fsync(int fd);

    static native int chown(String path, int uid, int gid);

    static native int fchown(int fd, int uid, int gid);

    static native int chmod(String path, int mode);

    static native int flock(int fd, int operation);

    static native long readlink(String path, byte[] buffer, long size);

    static native int chdir(String path);

    static native int umask(int mask);

    static native int ioctl(int fd, long request, byte[] argument);

    static native int ioctl(int fd, long request, long argument);

    static native int fchmod(int fd, int mode);

    // sys/mount.h; source, type and data may be NULL
    static native int mount(String source, String target, String type, long flags, String data);

    static native int umount2(String target, int flags);

    // poll.h
    static native int poll(int[] pollfds, long count, int timeoutMillis);

    // signal.h, unistd.h
    static native int kill(int pid, int signal);

    static native int getpid();

    static native int gettid();

    static native int getuid();

    static native int geteuid();

    static native int getgid();

    // time.h
    static native int clock_gettime(int clock, long[] timespec);

    // sys/socket.h
    static native int socket(int domain, int type, int protocol);

    static native int socketpair(int domain, int type, int protocol, int[] fds);

    static native int bind(int fd, byte[] address, int length);

    static native int connect(int fd, byte[] address, int length);

    static native int listen(int fd, int backlog);

    static native int accept4(int fd, byte[] address, int[] length, int flags);

    static native int getsockname(int fd, byte[] address, int[] length);

    static native int getsockopt(int fd, int level, int name, byte[] value, int[] length);

    static native int setsockopt(int fd, int level, int name, byte[] value, int length);

    static native int shutdown(int fd, int how);

    static native long sendto(int fd, Pointer buffer, long length, int flags, byte[] address, int addressLength);

    static native long sendmsg(int fd, Pointer message, int flags);

    static native long recvmsg(int fd, Pointer message, int flags);

    // Arrays of struct mmsghdr by their address: these two are called for every few queries of a busy DNS server.
    static native int recvmmsg(int fd, long messages, int count, int flags, long timeout);

    static native int sendmmsg(int fd, long messages, int count, int flags);

    // sys/epoll.h, sys/eventfd.h, sys/timerfd.h, sys/inotify.h
    static native int epoll_create1(int flags);

    static native int epoll_ctl(int epoll, int operation, int fd, byte[] event);

    static native int epoll_wait(int epoll, Pointer events, int capacity, int timeoutMillis);

    static native int eventfd(int initial, int flags);

    static native int eventfd_read(int fd, long[] value);

    static native int eventfd_write(int fd, long value);

    static native int timerfd_create(int clock, int flags);

    static native int timerfd_settime(int fd, int flags, long[] value, long[] old);

    static native int inotify_init1(int flags);

    static native int inotify_add_watch(int fd, String path, int mask);

    static native int inotify_rm_watch(int fd, int wd);
}
