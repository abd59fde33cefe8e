// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Nobody sets this machine's clock for it: that happens in a kernel of its own (test/harness/uml-ipv4.sh). */
@Timeout(30)
@ExtendWith(FdLeaks.class)
final class ClockChangeTest {
    private static final long SECOND = 1_000_000_000L;

    @Test
    void quietWhileNothingHappens() {
        try (ClockChange change = ClockChange.open()) {
            assertEquals(0, Io.await(change.fd(), Io.POLLIN, 20), "no time is due");
            assertEquals(ClockChange.Kind.NONE, change.drain());
        }
    }

    @Test
    void tellsSleepByTheClocks() {
        assertFalse(ClockChange.suspended(0, 0), "never slept");
        assertFalse(ClockChange.suspended(7 * SECOND, 7 * SECOND), "slept before");
        assertFalse(ClockChange.suspended(7 * SECOND, 8 * SECOND), "a second is what two looks may differ by");
        assertTrue(ClockChange.suspended(7 * SECOND, 8 * SECOND + 1), "slept");
        assertTrue(ClockChange.suspended(0, 3600 * SECOND), "for long");
        assertFalse(ClockChange.suspended(9 * SECOND, 7 * SECOND), "time does not go back");
    }
}
