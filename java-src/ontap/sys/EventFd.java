// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

/** A counter that wakes whoever waits for its descriptor to be readable (eventfd(2)). Never blocks. */
public final class EventFd implements AutoCloseable {
    private static final int EFD_CLOEXEC = 02000000;
    private static final int EFD_NONBLOCK = 04000;

    private final Fd fd;

    private EventFd(final Fd fd) {
        this.fd = fd;
    }

    /** A new one, at zero: not readable. */
    public static EventFd create() {
        final int raw = Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return new EventFd(Fd.own(Libc.check(raw, "eventfd", ""), "eventfd"));
    }

    /** Readable while the count is not zero. */
    public Fd fd() {
        return fd;
    }

    /** Adds one; from any thread. A full counter is left as it is: it wakes as well. */
    public void signal() {
        int result;
        do {
            result = Libc.eventfd_write(fd.raw(), 1);
        } while (Libc.interrupted(result));
        if (!Libc.wouldBlock(result)) {
            Libc.check(result, "eventfd_write", fd.what());
        }
    }

    /** Takes the count, 0 when nobody signalled, and leaves zero. */
    public long drain() {
        return drain(fd);
    }

    /** Reads the 64-bit counter of an eventfd or a timerfd; 0 when there is none to read. */
    static long drain(final Fd fd) {
        final long[] count = new long[1];
        int result;
        do {
            result = Libc.eventfd_read(fd.raw(), count);
        } while (Libc.interrupted(result));
        if (Libc.wouldBlock(result)) {
            return 0;
        }
        Libc.check(result, "read", fd.what());
        return count[0];
    }

    @Override
    public void close() {
        fd.close();
    }
}
