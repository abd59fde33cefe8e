// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Mounts in the calling thread's mount namespace, and mounts in none (mount(2), fsmount(2)). Changing any needs
 * CAP_SYS_ADMIN. Everything throws {@link SysException} on error.
 */
public final class Mounts {
    private static final long MS_NOSUID = 2;
    private static final long MS_BIND = 0x1000;
    private static final long MS_REC = 0x4000;
    private static final long MS_PRIVATE = 1 << 18;
    private static final long MS_SLAVE = 1 << 19;
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final int FSOPEN_CLOEXEC = 1;
    private static final int FSCONFIG_CMD_CREATE = 6;
    private static final int FSMOUNT_CLOEXEC = 1;
    private static final int OPEN_TREE_CLONE = 1;
    private static final int MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final int CHUNK = 1 << 16;

    // The fields of a line of mountinfo (proc_pid_mountinfo(5)); the type is the first after a lone hyphen.
    private static final int ID = 0;
    private static final int POINT = 4;
    private static final int OPTIONAL = 6;

    /**
     * One mount.
     *
     * @param id as {@link FdInfo#mountId} has it
     * @param point the path it is mounted at, as seen from the caller's root
     * @param type of the file system: {@code nsfs} for a namespace
     */
    public record Mount(long id, String point, String type) {
    }

    private Mounts() {
    }

    /** Shows the file or folder {@code from} at {@code to} as well, which has to be one of the same sort. */
    public static void bind(final String from, final String to) {
        mount(from, to, null, MS_BIND, null);
    }

    /** A new file system in memory, which device files work on. Options such as {@code mode=700,size=64k}. */
    public static void tmpfs(final String at, final String options) {
        mount("tmpfs", at, "tmpfs", MS_NOSUID, options);
    }

    /** /sys as it is in the calling thread's network namespace. */
    public static void sysfs(final String at) {
        mount("sysfs", at, "sysfs", MS_NOSUID, null);
    }

    /** Lets no mount from here on spread from this mount, or to it; {@code recursive}: from those below it, too. */
    public static void makePrivate(final String at, final boolean recursive) {
        mount(null, at, null, MS_PRIVATE | (recursive ? MS_REC : 0), null);
    }

    /** Lets no mount from here on spread from this mount, but those of its peers still come; likewise. */
    public static void makeSlave(final String at, final boolean recursive) {
        mount(null, at, null, MS_SLAVE | (recursive ? MS_REC : 0), null);
    }

    /**
     * Shows the file {@code from} in place of the file {@code to}, of which a symbolic link may be the last part: then
     * in place of the link itself, and it does not matter where that leads, nor whether anything is there. Needs Linux
     * 5.2.
     */
    public static void cover(final String from, final String to) {
        try (NativeArena arena = new NativeArena()) {
            final long opened = LibcProc.syscall(LibcProc.SYS_OPEN_TREE, Libc.AT_FDCWD,
                    Pointer.nativeValue(arena.string(from)), OPEN_TREE_CLONE | Io.O_CLOEXEC, 0);
            try (Fd tree = Fd.own(Libc.check((int) opened, "open_tree", from), from)) {
                final long moved = LibcProc.syscall(LibcProc.SYS_MOVE_MOUNT, tree.raw(),
                        Pointer.nativeValue(arena.string("")), Libc.AT_FDCWD, Pointer.nativeValue(arena.string(to)),
                        MOVE_MOUNT_F_EMPTY_PATH);
                Libc.check((int) moved, "move_mount", from + " -> " + to);
            }
        }
    }

    /** Takes away the last mount at the path, also while files on it are open (MNT_DETACH); EINVAL when none is. */
    public static void unmount(final String at) {
        Libc.check(Libc.umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW), "umount2", at);
    }

    /**
     * A file system that is mounted nowhere: its files are below {@code /proc/self/fd/N/}, and it ends with the last
     * descriptor. A sysfs shows the calling thread's network namespace. Needs Linux 5.2.
     *
     * @param type a file system without options: {@code tmpfs}, {@code sysfs}
     */
    public static Fd detached(final String type) {
        try (NativeArena arena = new NativeArena()) {
            final long name = Pointer.nativeValue(arena.string(type));
            final long opened = LibcProc.syscall(LibcProc.SYS_FSOPEN, name, FSOPEN_CLOEXEC, 0, 0);
            try (Fd context = Fd.own(Libc.check((int) opened, "fsopen", type), type)) {
                final long made = LibcProc.syscall(LibcProc.SYS_FSCONFIG, context.raw(), FSCONFIG_CMD_CREATE, 0, 0, 0);
                Libc.check((int) made, "fsconfig", type);
                final long mount = LibcProc.syscall(LibcProc.SYS_FSMOUNT, context.raw(), FSMOUNT_CLOEXEC, 0, 0);
                return Fd.own(Libc.check((int) mount, "fsmount", type), type);
            }
        }
    }

    /** The type of what was mounted last at exactly this path, without symbolic links; null when it is no mount. */
    public static String typeAt(final String path) {
        String type = null;
        for (final Mount mount : all()) {
            type = mount.point().equals(path) ? mount.type() : type;
        }
        return type;
    }

    /** The type of the mount of this number; null when it is not in the calling thread's mount namespace. */
    public static String typeOf(final long id) {
        for (final Mount mount : all()) {
            if (mount.id() == id) {
                return mount.type();
            }
        }
        return null;
    }

    /** All mounts that the calling thread can reach, in the kernel's order. */
    public static List<Mount> all() {
        final List<Mount> all = new ArrayList<>();
        for (final String line : read("/proc/thread-self/mountinfo").split("\n")) {
            all.add(parse(line));
        }
        return all;
    }

    /** Reads a line of mountinfo; IllegalArgumentException when it is none. */
    static Mount parse(final String line) {
        final List<String> fields = List.of(line.split(" "));
        final int hyphen = fields.size() <= OPTIONAL ? -1
                : OPTIONAL + fields.subList(OPTIONAL, fields.size()).indexOf("-");
        if (hyphen < OPTIONAL || hyphen + 1 >= fields.size()) {
            throw new IllegalArgumentException("should be a line of mountinfo: " + line);
        }
        return new Mount(Long.parseLong(fields.get(ID)), plain(fields.get(POINT)), fields.get(hyphen + 1));
    }

    /** The kernel writes space, tab, line feed, backslash and hash as three octal digits. */
    private static String plain(final String escaped) {
        final StringBuilder text = new StringBuilder();
        int from = 0;
        for (int at = escaped.indexOf('\\'); at >= 0; at = escaped.indexOf('\\', from)) {
            text.append(escaped, from, at).append((char) Integer.parseInt(escaped, at + 1, at + 4, 8));
            from = at + 4;
        }
        return text.append(escaped, from, escaped.length()).toString();
    }

    private static String read(final String path) {
        final ByteArrayOutputStream text = new ByteArrayOutputStream();
        final byte[] chunk = new byte[CHUNK];
        try (Fd fd = Io.open(path, Io.O_RDONLY, 0)) {
            for (int n = Io.read(fd, chunk, 0, CHUNK); n > 0; n = Io.read(fd, chunk, 0, CHUNK)) {
                text.write(chunk, 0, n);
            }
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    private static void mount(final String source, final String at, final String type, final long flags,
            final String options) {
        final String detail = source == null ? at : source + " -> " + at;
        Libc.check(Libc.mount(source, at, type, flags, options), "mount", detail);
    }
}
