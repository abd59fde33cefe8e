// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.Arrays;

/**
 * Users and groups as the system knows them, by NSS (getpwnam_r(3), getgrnam_r(3)): the answer may come over the
 * network, so any of these may block, and none belongs into a thread that changed its namespaces.
 */
public final class Users {
    /** struct passwd of 64-bit glibc: name, password, uid, gid, gecos, directory, shell. */
    private static final int PASSWD_SIZE = 48;
    private static final int PW_UID = 16;
    private static final int PW_GID = 20;
    private static final int PW_DIR = 32;
    private static final int PW_SHELL = 40;
    /** struct group: name, password, gid, members. */
    private static final int GROUP_SIZE = 32;
    private static final int GR_GID = 16;
    private static final int FIRST_BUFFER = 4096;
    private static final int LARGEST_BUFFER = 4 << 20;
    private static final int FIRST_GROUPS = 32;

    /** One entry of the user database. */
    public record User(String name, int uid, int gid, String home, String shell) {
    }

    private interface Query {
        int run(Pointer entry, Pointer buffer, long size, Pointer result);
    }

    private interface Reader<T> {
        T read(Pointer entry);
    }

    private Users() {
    }

    /** The user of that name, or null. A number is taken as a name here, like any other text. */
    public static User byName(final String name) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer key = arena.string(name);
            return find("getpwnam_r", name, PASSWD_SIZE,
                    (entry, buffer, size, result) -> LibcProc.getpwnam_r(key, entry, buffer, size, result),
                    Users::user);
        }
    }

    /** The (first) user of that number, or null. */
    public static User byUid(final int uid) {
        return find("getpwuid_r", Integer.toUnsignedString(uid), PASSWD_SIZE,
                (entry, buffer, size, result) -> LibcProc.getpwuid_r(uid, entry, buffer, size, result), Users::user);
    }

    /** All groups of the user, the primary one among them (getgrouplist(3)). */
    public static int[] groups(final User user) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer name = arena.string(user.name());
            int room = FIRST_GROUPS;
            while (true) {
                final int[] list = new int[room];
                final int[] count = {room};
                if (LibcProc.getgrouplist(name, user.gid(), list, count) >= 0) {
                    return Arrays.copyOf(list, count[0]);
                }
                room = Math.max(count[0], room * 2);
            }
        }
    }

    /** The number of a group, or null when there is none of that name. */
    public static Integer gid(final String group) {
        try (NativeArena arena = new NativeArena()) {
            final Pointer key = arena.string(group);
            return find("getgrnam_r", group, GROUP_SIZE,
                    (entry, buffer, size, result) -> LibcProc.getgrnam_r(key, entry, buffer, size, result),
                    entry -> entry.getInt(GR_GID));
        }
    }

    /** The name of a group, or null when the number has none. */
    public static String groupName(final int gid) {
        return find("getgrgid_r", Integer.toUnsignedString(gid), GROUP_SIZE,
                (entry, buffer, size, result) -> LibcProc.getgrgid_r(gid, entry, buffer, size, result),
                entry -> text(entry, 0));
    }

    private static User user(final Pointer entry) {
        return new User(text(entry, 0), entry.getInt(PW_UID), entry.getInt(PW_GID), text(entry, PW_DIR),
                text(entry, PW_SHELL));
    }

    private static String text(final Pointer entry, final int offset) {
        final Pointer text = entry.getPointer(offset);
        return text == null ? "" : text.getString(0, "UTF-8");
    }

    /** Asks with a growing buffer; null when there is no such entry. */
    private static <T> T find(final String call, final String detail, final int entrySize, final Query query,
            final Reader<T> reader) {
        int size = FIRST_BUFFER;
        while (true) {
            try (NativeArena arena = new NativeArena()) {
                final Pointer entry = arena.allocate(entrySize);
                final Pointer result = arena.allocate(Native.POINTER_SIZE);
                final int error = query.run(entry, arena.allocate(size), size, result);
                if (error == 0) {
                    return result.getPointer(0) == null ? null : reader.read(entry);
                }
                // getpwnam(3): some modules answer "not found" by these.
                if (error == Errno.ENOENT || error == Errno.ESRCH) {
                    return null;
                }
                if (error != Errno.EINTR && (error != Errno.ERANGE || size >= LARGEST_BUFFER)) {
                    throw new SysException(call, detail, error);
                }
                size = error == Errno.ERANGE ? size * 4 : size;
            }
        }
    }
}
