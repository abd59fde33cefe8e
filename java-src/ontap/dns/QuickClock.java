// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.concurrent.TimeUnit;
import ontap.sys.Clock;

/**
 * CLOCK_BOOTTIME without a native call: System.nanoTime, which runs beside it, and their difference, which only a sleep
 * of the machine changes and which is read again when it is older than a twentieth of a second. For one thread.
 */
final class QuickClock {
    private static final long FRESH = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long NANOS_PER_MILLI = 1_000_000;

    private boolean started;
    private long read;
    private long difference;

    /** Milliseconds since boot, sleep of the machine included. */
    long millis() {
        final long now = System.nanoTime();
        if (!started || now - read >= FRESH) {
            difference = Clock.boottimeNanos() - now;
            read = now;
            started = true;
        }
        return (now + difference) / NANOS_PER_MILLI;
    }
}
