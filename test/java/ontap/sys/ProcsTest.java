// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ProcsTest {
    @Test
    void readsNamesMadeToDeceive() {
        final Procs.Proc proc = Procs.parse("77 (a) S 1 (b) R 3 4 5 0 -1 4194560 113 0 0 0 0 0 0 0 20 0 1 0 987654 5");
        assertEquals(new Procs.Proc(77, 3, 4, 5, 987654, 'R', "a) S 1 (b"), proc);
        try (Child child = Child.start("/bin/sh", "-c", "printf ') Z 1 (' > /proc/$$/comm; echo ready; read x")) {
            child.line();
            final Procs.Proc deceiver = Procs.stat(child.pid);
            assertEquals(Io.getpid(), deceiver.ppid());
            assertEquals(") Z 1 (", deceiver.comm());
        }
        assertThrows(IllegalArgumentException.class, () -> Procs.parse("77 (cut short) R 3 4"));
    }

    @Test
    void seesAProcessFromStartToReaping() {
        final int pid;
        try (Child child = Child.start("/bin/cat")) {
            pid = child.pid;
            assertTrue(Arrays.binarySearch(Procs.all(), pid) >= 0, "A running child should be listed.");
            final long start = Procs.stat(pid).startTicks();
            assertTrue(start >= Procs.stat(Io.getpid()).startTicks(), "A child should be younger than its parent.");
            PidFd.signal(child.pidfd, 9);
            Io.await(child.pidfd, Io.POLLIN, Child.DEADLINE_MILLIS);
            assertEquals('Z', Procs.stat(pid).state(), "Ended and not reaped, it should be a zombie.");
            assertEquals(start, Procs.stat(pid).startTicks(), "The start time should stay.");
        }
        assertNull(Procs.stat(pid), "Reaped, it should be gone.");
    }

    @Test
    void tellsHowAZombieEnded() {
        Privilege.toUnshare();
        for (final int signal : new int[] {10, 9}) {
            final int pid;
            final long start;
            try (Child child = Child.start("/bin/sh", "-c", "trap 'exit 7' USR1; echo ready; read x")) {
                child.line();
                pid = child.pid;
                start = Procs.stat(pid).startTicks();
                assertNull(Procs.exitOfZombie(pid, start), "What runs has no exit status.");
                PidFd.signal(child.pidfd, signal);
                Io.await(child.pidfd, Io.POLLIN, Child.DEADLINE_MILLIS);
                assertEquals(signal == 10 ? new PidFd.ExitStatus(false, 7) : new PidFd.ExitStatus(true, signal),
                        Procs.exitOfZombie(pid, start));
                assertNull(Procs.exitOfZombie(pid, start + 1), "Another process of that pid is not meant.");
            }
            assertNull(Procs.exitOfZombie(pid, start), "Reaped, it should be gone.");
        }
    }

    @Test
    void findsWhoIsInANamespace() {
        Privilege.toUnshare();
        NsThread.call("parent", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            try (Fd ns = Namespaces.ofThread("net"); Child one = Child.start("/bin/cat");
                    Child two = Child.start("/bin/cat")) {
                final int[] expected = {one.pid, two.pid};
                Arrays.sort(expected);
                assertArrayEquals(expected, Procs.inNamespace("net", Namespaces.id(ns)),
                        "Both children should be found, and nobody else.");
            }
            return null;
        });
    }

    @Test
    void tellsTheBoot() {
        assertEquals(36, UUID.fromString(Procs.bootId()).toString().length(), "It should be a UUID.");
        assertEquals(Procs.bootId(), Procs.bootId(), "It should stay for the boot.");
    }
}
