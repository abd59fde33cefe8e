// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;

/**
 * Tells, as a descriptor, that the wall clock was set or that the machine has slept: what waits for the one is late
 * after the other. It is a timer on CLOCK_REALTIME that is never due and is cancelled by both (timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET), so it wakes nobody otherwise. Nothing here blocks.
 */
public final class ClockChange implements AutoCloseable {
    private static final int CLOCK_REALTIME = 0;
    private static final int TFD_CLOEXEC = 02000000;
    private static final int TFD_NONBLOCK = 04000;
    private static final int TFD_TIMER_ABSTIME = 1;
    private static final int TFD_TIMER_CANCEL_ON_SET = 2;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;
    /** As far as the kernel counts: the year 2262. */
    private static final long FAR = Long.MAX_VALUE / NANOS_PER_SECOND;

    private final Fd fd;
    private long slept;

    /** What there was. */
    public enum Kind {
        /** Nothing since last asked. */
        NONE,
        /** The clock was set. */
        SET,
        /** The machine has slept, whatever else there was. */
        RESUMED
    }

    private ClockChange(final Fd fd) {
        this.fd = fd;
    }

    /** Watches from now on; SysException. */
    public static ClockChange open() {
        final int raw = Libc.timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        final ClockChange made = new ClockChange(Fd.own(Libc.check(raw, "timerfd_create", ""), "timerfd of changes"));
        try {
            made.arm();
            made.slept = sleptNanos();
            return made;
        } catch (final RuntimeException e) {
            made.close();
            throw e;
        }
    }

    /** Readable once there was a change. */
    public Fd fd() {
        return fd;
    }

    /** What there was since last asked; leaves it not readable. */
    public Kind drain() {
        try {
            EventFd.drain(fd);
            return Kind.NONE;
        } catch (final SysException e) {
            if (e.errno() != Errno.ECANCELED) {
                throw e;
            }
        }
        arm();
        final long before = slept;
        slept = sleptNanos();
        return suspended(before, slept) ? Kind.RESUMED : Kind.SET;
    }

    /**
     * Has the machine slept between two moments? Told by how far CLOCK_BOOTTIME, which counts sleep, was ahead of
     * CLOCK_MONOTONIC at each; less than a second is none.
     */
    public static boolean suspended(final long aheadBeforeNanos, final long aheadAfterNanos) {
        return aheadAfterNanos - aheadBeforeNanos > NANOS_PER_SECOND;
    }

    @Override
    public void close() {
        fd.close();
    }

    private static long sleptNanos() {
        // In this order what passes between the two calls makes it less, never more.
        final long boottime = Clock.boottimeNanos();
        return boottime - Clock.monotonicNanos();
    }

    private void arm() {
        final long[] itimerspec = {0, 0, FAR, 0};
        final int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
        final int result = Libc.timerfd_settime(fd.raw(), flags, itimerspec, null);
        // The clock was set since the last look: it is armed all the same.
        if (result < 0 && Native.getLastError() != Errno.ECANCELED) {
            throw SysException.last("timerfd_settime", fd.what());
        }
    }
}
