// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Changes of files and folders as a descriptor that becomes readable (inotify(7)). Never blocks. */
public final class Inotify implements AutoCloseable {
    public static final int IN_MODIFY = 0x2;
    public static final int IN_ATTRIB = 0x4;
    public static final int IN_CLOSE_WRITE = 0x8;
    public static final int IN_OPEN = 0x20;
    public static final int IN_MOVED_FROM = 0x40;
    public static final int IN_MOVED_TO = 0x80;
    public static final int IN_CREATE = 0x100;
    public static final int IN_DELETE = 0x200;
    public static final int IN_DELETE_SELF = 0x400;
    public static final int IN_MOVE_SELF = 0x800;
    /** Events were lost: look at everything again. Comes with wd -1. */
    public static final int IN_Q_OVERFLOW = 0x4000;
    /** The watch is gone: removed, or what it watched was deleted. */
    public static final int IN_IGNORED = 0x8000;
    public static final int IN_ONLYDIR = 0x1000000;
    public static final int IN_DONT_FOLLOW = 0x2000000;
    public static final int IN_ISDIR = 0x40000000;

    private static final int IN_NONBLOCK = 04000;
    private static final int IN_CLOEXEC = 02000000;
    /** struct inotify_event { int wd; uint32_t mask, cookie, len; char name[len]; }. */
    private static final int HEADER = 16;
    private static final int BUFFER = 16 * 1024;

    private final Fd fd;

    /** Watches nothing yet. */
    public Inotify() {
        final int raw = Libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        fd = Fd.own(Libc.check(raw, "inotify_init1", ""), "inotify");
    }

    /**
     * One change.
     *
     * @param wd the watch, as {@link #watch} returned it
     * @param mask IN_ bits
     * @param name the entry of a watched folder; empty for the watched thing itself
     */
    public record Event(int wd, int mask, String name) {
    }

    /** Readable when there are events. */
    public Fd fd() {
        return fd;
    }

    /** Watches a path for IN_ events; the same number again, with the new mask, when it is watched already. */
    public int watch(final String path, final int mask) {
        return Libc.check(Libc.inotify_add_watch(fd.raw(), path, mask), "inotify_add_watch", path);
    }

    /** Ends a watch (IN_IGNORED follows); one that is gone already is fine. */
    public void unwatch(final int wd) {
        if (Libc.inotify_rm_watch(fd.raw(), wd) < 0 && Native.getLastError() != Errno.EINVAL) {
            throw SysException.last("inotify_rm_watch", Integer.toString(wd));
        }
    }

    /** What has happened, in order; empty when nothing has. There may be more: the descriptor stays readable then. */
    public List<Event> read() {
        try (Scratch scratch = Scratch.of(BUFFER)) {
            final int raw = fd.raw();
            long n;
            do {
                n = Libc.read(raw, scratch.at, BUFFER);
            } while (Libc.interrupted(n));
            if (n < 0) {
                Io.again("read", fd);
                return List.of();
            }
            final List<Event> events = new ArrayList<>();
            int at = 0;
            while (at + HEADER <= n) {
                final int padded = scratch.at.getInt(at + 12);
                final byte[] name = scratch.at.getByteArray(at + HEADER, padded);
                int length = 0;
                while (length < padded && name[length] != 0) {
                    length++;
                }
                final String text = new String(name, 0, length, StandardCharsets.UTF_8);
                events.add(new Event(scratch.at.getInt(at), scratch.at.getInt(at + 4), text));
                at += HEADER + padded;
            }
            return events;
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
