// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PidFdTest {
    private static final int TERM = 15;

    @Test
    void tellsHowAChildEnded() {
        try (Child child = Child.start("/bin/sh", "-c", "exit 42")) {
            assertEquals(new PidFd.ExitStatus(false, 42), child.end());
            final SysException e = assertThrows(SysException.class, () -> PidFd.reap(child.pidfd));
            assertEquals("ECHILD", e.errnoName(), "A child can be reaped once.");
        }
    }

    @Test
    void signalsAndWaits() {
        try (Child child = Child.start("/bin/cat")) {
            assertNull(PidFd.reap(child.pidfd), "It should still run.");
            assertNull(PidFd.info(child.pidfd), "What runs has no exit status.");
            PidFd.signal(child.pidfd, 0);
            PidFd.signal(child.pidfd, TERM);
            assertEquals(new PidFd.ExitStatus(true, TERM), child.end());
            final SysException e = assertThrows(SysException.class, () -> PidFd.signal(child.pidfd, 0));
            assertEquals("pidfd_send_signal(pidfd of " + child.pid + "): No such process (ESRCH)", e.getMessage());
        }
    }

    @Test
    void tellsHowANonChildEnded() {
        assumeTrue(newerThan(6, 14), "Exit information by pidfd came with Linux 6.15.");
        assertEquals(new PidFd.ExitStatus(false, 7), infoOfGrandchild("read x < $1; exit 7", 0));
        assertEquals(new PidFd.ExitStatus(true, TERM), infoOfGrandchild("read x < $1; exit 7", TERM));
    }

    @Test
    void opensOnlyWhatLives() {
        assertEquals(Errno.ESRCH, assertThrows(SysException.class, () -> PidFd.open(1 << 30)).errno());
        assertEquals(Errno.EINVAL, assertThrows(SysException.class, () -> PidFd.open(0)).errno());
        try (Fd init = PidFd.open(1)) {
            assertEquals(Errno.ECHILD, assertThrows(SysException.class, () -> PidFd.reap(init)).errno(),
                    "Init is not our child.");
        }
    }

    /** A shell has the script in the background, reaps it, and stays until told to go. */
    private static PidFd.ExitStatus infoOfGrandchild(final String script, final int signal) {
        final String fifo = System.getProperty("java.io.tmpdir") + "/pidfd-test-" + Io.getpid();
        Io.mkfifo(fifo, 0600);
        try (Child parent = Child.start("/bin/sh", "-c", "sh -c '" + script + "' sh \"$1\" & echo $!; wait; read x",
                "sh", fifo)) {
            try (Fd grandchild = PidFd.open(Integer.parseInt(parent.line()))) {
                assertNull(PidFd.info(grandchild), "What runs has no exit status.");
                if (signal != 0) {
                    PidFd.signal(grandchild, signal);
                } else {
                    Io.open(fifo, Io.O_WRONLY, 0).close();
                }
                int events = 0;
                while ((events & Io.POLLHUP) == 0) {
                    events = Io.await(grandchild, 0, Child.DEADLINE_MILLIS);
                    assertTrue(events != 0, "The shell should reap it.");
                }
                return PidFd.info(grandchild);
            }
        } finally {
            Io.unlink(fifo);
        }
    }

    private static boolean newerThan(final int major, final int minor) {
        final String[] release = System.getProperty("os.version").split("[.-]");
        final int here = Integer.parseInt(release[0]) * 1000 + Integer.parseInt(release[1]);
        return here > major * 1000 + minor;
    }
}
