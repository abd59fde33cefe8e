// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Starts child processes by posix_spawn(3). The child inherits from the calling thread: namespaces, identity and
 * capabilities, and after unshare(CLONE_FS) its working directory and umask; from the process, the resource limits.
 * Nothing of the JVM reaches it: a session of its own, every signal at its default, an empty mask, no descriptors but
 * the promised.
 */
public final class Spawn {
    /** posix_spawnattr_t is 336 bytes, posix_spawn_file_actions_t 80 and sigset_t 128 in 64-bit glibc. */
    private static final int OPAQUE_SIZE = 1024;
    private static final int SIGSET_SIZE = 128;
    private static final int STANDARD = 3;
    /** Read only once made, and shared by all calls. */
    private static final Pointer ATTRIBUTES = attributes();

    /**
     * What to start.
     *
     * @param path the file itself: no search, and no shell for a script without {@code #!} (ENOEXEC)
     * @param argv at least the name
     * @param env {@code NAME=value} each; all there is
     * @param fds descriptor number in the child to what it shall be: 0, 1 and 2 at least
     */
    public record Request(String path, List<String> argv, List<String> env, Map<Integer, Fd> fds) {
        /** IllegalArgumentException when argv is empty or one of 0, 1, 2 is missing. */
        public Request {
            argv = List.copyOf(argv);
            env = List.copyOf(env);
            fds = Map.copyOf(fds);
            if (argv.isEmpty()) {
                throw new IllegalArgumentException("should have at least argv[0]: " + path);
            }
            for (int fd = 0; fd < STANDARD; fd++) {
                if (!fds.containsKey(fd)) {
                    throw new IllegalArgumentException("should say what descriptor " + fd + " is: " + path);
                }
            }
        }
    }

    private Spawn() {
    }

    /**
     * Starts it and returns its pid once the program is executed. The caller keeps the request's descriptors, and has
     * to reap the child ({@link PidFd#reap}). SysException: ENOENT, EACCES, ENOEXEC, EAGAIN (nproc), ENOMEM, EMFILE.
     */
    public static int run(final Request request) {
        final TreeMap<Integer, Fd> fds = new TreeMap<>(request.fds());
        final List<Fd> parked = new ArrayList<>();
        try (NativeArena arena = new NativeArena()) {
            final Pointer path = arena.string(request.path());
            final Pointer argv = arena.strings(request.argv());
            final Pointer env = arena.strings(request.env());
            final Pointer pid = arena.allocate(Integer.BYTES);
            final Pointer actions = arena.allocate(OPAQUE_SIZE);
            check(LibcProc.posix_spawn_file_actions_init(actions), "posix_spawn_file_actions_init");
            try {
                promise(actions, fds, parked);
                check(LibcProc.posix_spawn(pid, path, actions, ATTRIBUTES, argv, env), "posix_spawn", request.path());
            } finally {
                LibcProc.posix_spawn_file_actions_destroy(actions);
            }
            return pid.getInt(0);
        } finally {
            parked.forEach(Fd::close);
        }
    }

    /**
     * Numbers up to the highest promised become what was promised or are closed, all above are closed. Sources within
     * that range are parked above it first, else one copy could overwrite the source of the next.
     */
    private static void promise(final Pointer actions, final TreeMap<Integer, Fd> fds, final List<Fd> parked) {
        final int top = fds.lastKey();
        for (int target = 0; target <= top; target++) {
            final Fd source = fds.get(target);
            if (source == null) {
                check(LibcProc.posix_spawn_file_actions_addclose(actions, target), "posix_spawn_file_actions_addclose");
                continue;
            }
            int raw = source.raw();
            if (raw <= top) {
                raw = Libc.check(Libc.fcntl(raw, Libc.F_DUPFD_CLOEXEC, top + 1), "fcntl", source.what());
                parked.add(Fd.own(raw, source.what()));
            }
            check(LibcProc.posix_spawn_file_actions_adddup2(actions, raw, target), "posix_spawn_file_actions_adddup2");
        }
        check(LibcProc.posix_spawn_file_actions_addclosefrom_np(actions, top + 1),
                "posix_spawn_file_actions_addclosefrom_np");
    }

    private static Pointer attributes() {
        final Pointer attributes = new Pointer(Native.malloc(OPAQUE_SIZE));
        try (NativeArena arena = new NativeArena()) {
            final Pointer signals = arena.allocate(SIGSET_SIZE);
            check(LibcProc.posix_spawnattr_init(attributes), "posix_spawnattr_init");
            check(LibcProc.posix_spawnattr_setsigmask(attributes, signals), "posix_spawnattr_setsigmask");
            signals.setMemory(0, SIGSET_SIZE, (byte) 0xff);
            check(LibcProc.posix_spawnattr_setsigdefault(attributes, signals), "posix_spawnattr_setsigdefault");
            final int flags = LibcProc.POSIX_SPAWN_SETSIGDEF | LibcProc.POSIX_SPAWN_SETSIGMASK
                    | LibcProc.POSIX_SPAWN_SETSID;
            check(LibcProc.posix_spawnattr_setflags(attributes, (short) flags), "posix_spawnattr_setflags");
        }
        return attributes;
    }

    private static void check(final int error, final String call) {
        check(error, call, "");
    }

    private static void check(final int error, final String call, final String detail) {
        if (error != 0) {
            throw new SysException(call, detail, error);
        }
    }
}
