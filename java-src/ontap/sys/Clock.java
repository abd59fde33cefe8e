// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

/** The kernel's clocks in nanoseconds (clock_gettime(2)); neither is set by anybody. */
public final class Clock {
    /** Stands still while the machine sleeps. */
    public static final int MONOTONIC = 1;
    /** Since boot, sleep included. */
    public static final int BOOTTIME = 7;

    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private Clock() {
    }

    /** Nanoseconds since boot, sleep of the machine included. */
    public static long boottimeNanos() {
        return nanos(BOOTTIME);
    }

    /** Nanoseconds since boot, sleep of the machine left out. */
    public static long monotonicNanos() {
        return nanos(MONOTONIC);
    }

    private static long nanos(final int clock) {
        final long[] timespec = new long[2];
        Libc.check(Libc.clock_gettime(clock, timespec), "clock_gettime", "");
        return timespec[0] * NANOS_PER_SECOND + timespec[1];
    }
}
