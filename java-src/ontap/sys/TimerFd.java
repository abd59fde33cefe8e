// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

/** One deadline as a descriptor: readable from the deadline on (timerfd_create(2)). Never blocks. */
public final class TimerFd implements AutoCloseable {
    private static final int TFD_CLOEXEC = 02000000;
    private static final int TFD_NONBLOCK = 04000;
    private static final int TFD_TIMER_ABSTIME = 1;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private final Fd fd;

    private TimerFd(final Fd fd) {
        this.fd = fd;
    }

    /** A disarmed timer on {@link Clock#BOOTTIME} or {@link Clock#MONOTONIC}. */
    public static TimerFd create(final int clock) {
        final int raw = Libc.timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);
        return new TimerFd(Fd.own(Libc.check(raw, "timerfd_create", ""), "timerfd"));
    }

    /** Readable once the deadline has passed. */
    public Fd fd() {
        return fd;
    }

    /** Replaces the deadline; one in the past fires at once. What has fired before is forgotten. */
    public void arm(final long absoluteNanos) {
        // Zero would disarm; a negative time is refused.
        final long nanos = Math.max(1, absoluteNanos);
        set(nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    }

    /** Takes the deadline away; no longer readable. */
    public void disarm() {
        set(0, 0);
    }

    /** How often it fired since last asked or armed: 0 or 1; leaves it not readable. */
    public long drain() {
        return EventFd.drain(fd);
    }

    @Override
    public void close() {
        fd.close();
    }

    private void set(final long seconds, final long nanos) {
        final long[] itimerspec = {0, 0, seconds, nanos};
        Libc.check(Libc.timerfd_settime(fd.raw(), TFD_TIMER_ABSTIME, itimerspec, null), "timerfd_settime", "");
    }
}
