// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@Timeout(30)
@ExtendWith(FdLeaks.class)
final class TimerFdTest {
    private static final long MILLISECOND = 1_000_000L;

    @Test
    void firesAtItsDeadlineOnce() {
        try (TimerFd timer = TimerFd.create(Clock.MONOTONIC)) {
            assertEquals(0, timer.drain(), "a new timer should be quiet");
            final long deadline = Clock.monotonicNanos() + 5 * MILLISECOND;
            timer.arm(deadline);
            assertEquals(Io.POLLIN, Io.await(timer.fd(), Io.POLLIN, -1), "the deadline should be told");
            assertTrue(Clock.monotonicNanos() >= deadline, "not before it has come");
            assertEquals(1, timer.drain(), "it fired once");
            assertEquals(0, timer.drain(), "draining should leave it quiet");
        }
    }

    @Test
    void pastDeadlinesFireAtOnceAndDisarmingForgetsThem() {
        try (TimerFd timer = TimerFd.create(Clock.BOOTTIME)) {
            for (final long past : new long[] {Long.MIN_VALUE, -1, 0, 1}) {
                timer.arm(past);
                assertEquals(Io.POLLIN, Io.await(timer.fd(), Io.POLLIN, -1), "a past deadline should fire");
                timer.disarm();
                assertEquals(0, Io.await(timer.fd(), Io.POLLIN, 0), "a disarmed timer should be quiet");
            }
            timer.arm(Long.MAX_VALUE);
            assertEquals(0, Io.await(timer.fd(), Io.POLLIN, 0), "the end of time should not have come");
        }
    }

    @Test
    void eventFdCountsAndIsEmptiedAtOnce() {
        try (EventFd event = EventFd.create()) {
            assertEquals(0, event.drain(), "nobody has signalled");
            event.signal();
            event.signal();
            assertEquals(Io.POLLIN, Io.await(event.fd(), Io.POLLIN, 0), "a signal should be told");
            assertEquals(2, event.drain(), "both should be counted");
            assertEquals(0, Io.await(event.fd(), Io.POLLIN, 0), "draining should leave it quiet");
        }
    }

    @Test
    void clocksGoForward() {
        final long boot = Clock.boottimeNanos();
        final long monotonic = Clock.monotonicNanos();
        assertTrue(monotonic > 0 && Clock.monotonicNanos() >= monotonic, "time should not go back");
        assertTrue(Clock.boottimeNanos() >= boot, "time should not go back");
        assertTrue(Clock.boottimeNanos() >= monotonic, "sleep of the machine should be counted in");
    }
}
