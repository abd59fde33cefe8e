// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;

/**
 * Libc's other half: processes, namespaces, credentials, limits and the user database. C names, C argument order, -1 on
 * error unless said.
 *
 * <p>Identity is changed by {@link #syscall} and never by glibc's setresuid, setresgid and setgroups: those change
 * every thread of the process.
 */
final class LibcProc {
    // System call numbers differ between the two architectures for the old calls; the new ones are common.
    private static final boolean ARM = arm();
    static final long SYS_CAPGET = ARM ? 90 : 125;
    static final long SYS_CAPSET = ARM ? 91 : 126;
    static final long SYS_SETRESUID = ARM ? 147 : 117;
    static final long SYS_SETRESGID = ARM ? 149 : 119;
    static final long SYS_SETGROUPS = ARM ? 159 : 116;
    static final long SYS_RT_SIGACTION = ARM ? 134 : 13;
    static final long SYS_PIDFD_SEND_SIGNAL = 424;
    static final long SYS_OPEN_TREE = 428;
    static final long SYS_MOVE_MOUNT = 429;
    static final long SYS_FSOPEN = 430;
    static final long SYS_FSCONFIG = 431;
    static final long SYS_FSMOUNT = 432;
    static final long SYS_PIDFD_OPEN = 434;
    static final long SYS_CLOSE_RANGE = 436;

    // linux/prctl.h
    static final int PR_SET_KEEPCAPS = 8;
    static final int PR_CAPBSET_READ = 23;
    static final int PR_CAPBSET_DROP = 24;
    static final int PR_SET_NO_NEW_PRIVS = 38;
    static final int PR_CAP_AMBIENT = 47;
    static final int PR_CAP_AMBIENT_IS_SET = 1;
    static final int PR_CAP_AMBIENT_RAISE = 2;
    static final int PR_CAP_AMBIENT_CLEAR_ALL = 4;

    // linux/close_range.h, linux/capability.h, linux/magic.h, linux/nsfs.h, linux/pidfd.h
    static final long CLOSE_RANGE_CLOEXEC = 4;
    static final int CAPABILITY_VERSION_3 = 0x20080522;
    static final long NSFS_MAGIC = 0x6e736673L;
    static final long NS_GET_USERNS = 0xb701;
    static final long NS_GET_NSTYPE = 0xb703;
    static final long NS_GET_OWNER_UID = 0xb704;
    static final long NS_GET_ID = 0x8008b70dL;
    static final long PIDFD_GET_INFO = 0xc040ff0bL;

    // spawn.h, signal.h, sys/wait.h
    static final short POSIX_SPAWN_SETSIGDEF = 0x04;
    static final short POSIX_SPAWN_SETSIGMASK = 0x08;
    static final short POSIX_SPAWN_SETSID = 0x80;
    static final int SIG_SETMASK = 2;
    static final int P_PIDFD = 3;
    static final int WNOHANG = 1;
    static final int WEXITED = 4;

    static {
        Binding.register(LibcProc.class);
    }

    private LibcProc() {
    }

    private static boolean arm() {
        final String arch = System.getProperty("os.arch");
        if (!arch.equals("amd64") && !arch.equals("aarch64")) {
            throw new UnsupportedOperationException("no system call numbers for " + arch);
        }
        return arch.equals("aarch64");
    }

    // unistd.h, sys/prctl.h: variadic, passed like fixed arguments on both architectures
    static native long syscall(long number, long a, long b, long c, long d);

    static native long syscall(long number, long a, long b, long c, long d, long e);

    static native int prctl(int option, long a, long b, long c, long d);

    // sched.h, unistd.h, sys/vfs.h
    static native int unshare(int flags);

    static native int setns(int fd, int type);

    static native int sethostname(byte[] name, long length);

    static native int gethostname(byte[] name, long size);

    static native int fstatfs(int fd, long[] statfs);

    // unistd.h, sys/resource.h; getresuid and the like read the calling thread
    static native int getresuid(int[] real, int[] effective, int[] saved);

    static native int getresgid(int[] real, int[] effective, int[] saved);

    static native int getgroups(int size, int[] groups);

    static native int prlimit64(int pid, int resource, long[] fresh, long[] old);

    // pwd.h, grp.h: an error number as the result
    static native int getpwnam_r(Pointer name, Pointer passwd, Pointer buffer, long size, Pointer result);

    static native int getpwuid_r(int uid, Pointer passwd, Pointer buffer, long size, Pointer result);

    static native int getgrnam_r(Pointer name, Pointer group, Pointer buffer, long size, Pointer result);

    static native int getgrgid_r(int gid, Pointer group, Pointer buffer, long size, Pointer result);

    static native int getgrouplist(Pointer user, int group, int[] groups, int[] count);

    // spawn.h: an error number as the result
    static native int posix_spawnattr_init(Pointer attributes);

    static native int posix_spawnattr_setflags(Pointer attributes, short flags);

    static native int posix_spawnattr_setsigdefault(Pointer attributes, Pointer set);

    static native int posix_spawnattr_setsigmask(Pointer attributes, Pointer set);

    static native int posix_spawn_file_actions_init(Pointer actions);

    static native int posix_spawn_file_actions_destroy(Pointer actions);

    static native int posix_spawn_file_actions_adddup2(Pointer actions, int from, int to);

    static native int posix_spawn_file_actions_addclose(Pointer actions, int fd);

    static native int posix_spawn_file_actions_addclosefrom_np(Pointer actions, int lowest);

    static native int posix_spawn(Pointer pid, Pointer path, Pointer actions, Pointer attributes, Pointer argv,
            Pointer envp);

    // unistd.h, signal.h, sys/wait.h; pthread_sigmask gives an error number
    static native int execve(Pointer path, Pointer argv, Pointer envp);

    static native int dup2(int from, int to);

    static native int setsid();

    static native int pthread_sigmask(int how, Pointer set, Pointer old);

    static native int waitid(int idType, int id, Pointer siginfo, int options);
}
