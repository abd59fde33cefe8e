// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/** The raw epoll(7) set of one {@link EventLoop}, each descriptor under a number of the loop's choice. */
final class Epoll implements AutoCloseable {
    private static final int EPOLL_CLOEXEC = 02000000;
    private static final int ADD = 1;
    private static final int DELETE = 2;
    private static final int MODIFY = 3;
    private static final int CAPACITY = 64;

    // struct epoll_event { uint32_t events; uint64_t data; } is packed on x86_64 and on no other architecture.
    private static final boolean PACKED = System.getProperty("os.arch").equals("amd64");
    private static final int DATA = PACKED ? 4 : 8;
    private static final int SIZE = DATA + Long.BYTES;

    private final Fd fd;
    private Pointer events;

    Epoll() {
        fd = Fd.own(Libc.check(Libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create1", ""), "epoll");
        events = new Pointer(Native.malloc((long) CAPACITY * SIZE));
    }

    void add(final Fd watched, final int interest, final long key) {
        control(ADD, watched, event(interest, key));
    }

    void modify(final Fd watched, final int interest, final long key) {
        control(MODIFY, watched, event(interest, key));
    }

    void remove(final Fd watched) {
        control(DELETE, watched, event(0, 0));
    }

    /** Waits without limit; the number of events, to be read before the next call. */
    int await() {
        int n;
        do {
            n = Libc.epoll_wait(fd.raw(), events, CAPACITY, -1);
        } while (Libc.interrupted(n));
        return Libc.check(n, "epoll_wait", "");
    }

    /** The key of the event at this place of the last batch. */
    long key(final int index) {
        return events.getLong((long) index * SIZE + DATA);
    }

    /** The EPOLL bits of the event at this place of the last batch. */
    int ready(final int index) {
        return events.getInt((long) index * SIZE);
    }

    @Override
    public void close() {
        if (fd.isOpen()) {
            fd.close();
            Native.free(Pointer.nativeValue(events));
            events = null;
        }
    }

    private void control(final int operation, final Fd watched, final byte[] event) {
        if (Libc.epoll_ctl(fd.raw(), operation, watched.raw(), event) < 0) {
            throw SysException.last("epoll_ctl", watched.what());
        }
    }

    private static byte[] event(final int interest, final long key) {
        final byte[] event = new byte[SIZE];
        for (int i = 0; i < Integer.BYTES; i++) {
            event[i] = (byte) (interest >>> 8 * i);
        }
        for (int i = 0; i < Long.BYTES; i++) {
            event[DATA + i] = (byte) (key >>> 8 * i);
        }
        return event;
    }
}
