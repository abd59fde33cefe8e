// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SpawnTest {
    @Test
    void passesArgumentsAndEnvironmentAsTheyAre() {
        assertEquals("x  y|ü|", Child.output("/usr/bin/printf", "%s|", "x  y", "ü"));
        assertEquals("A=ä b\nB=\n", Child.output(Map.of(), List.of("A=ä b", "B="), "/usr/bin/env"),
                "The environment should be the given one and no more.");
    }

    @Test
    void opensOnlyPromisedDescriptors() {
        try (Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final List<String> fds = descriptors(Map.of(9, zero, 4, zero));
            assertEquals(List.of("4 /dev/zero", "9 /dev/zero"), fds.subList(3, fds.size()),
                    "What was promised should be open, and no more.");
        }
    }

    @Test
    void sourcesMayBeEachOthersTargets() {
        try (Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0); Fd full = Io.open("/dev/full", Io.O_RDONLY, 0);
                Fd same = Io.open("/dev/urandom", Io.O_RDONLY, 0)) {
            final List<String> fds = descriptors(Map.of(zero.raw(), full, full.raw(), zero, same.raw(), same));
            assertTrue(fds.contains(zero.raw() + " /dev/full"), "They should be swapped: " + fds);
            assertTrue(fds.contains(full.raw() + " /dev/zero"), "They should be swapped: " + fds);
            assertTrue(fds.contains(same.raw() + " /dev/urandom"), "The same number should stay open: " + fds);
        }
    }

    private static List<String> descriptors(final Map<Integer, Fd> promised) {
        return Child.descriptors(Child.output(promised, List.of(), "/bin/ls", "-l", "/proc/self/fd"));
    }

    @Test
    void clearsSignalsAndStartsASession() {
        final String status = Child.output("/bin/cat", "/proc/self/status");
        for (final String set : List.of("SigBlk", "SigIgn", "SigCgt")) {
            assertEquals("0000000000000000", Child.field(status, set), set + " should be empty.");
        }
        final Procs.Proc proc = Procs.parse(Child.output("/bin/cat", "/proc/self/stat"));
        assertEquals(proc.pid(), proc.session(), "It should lead a session of its own.");
        assertEquals(Io.getpid(), proc.ppid(), "It should be our child.");
    }

    @Test
    void inheritsTheCallingThread() {
        Privilege.toUnshare();
        final long caps = 1L << Caps.number("net_raw");
        NsThread.call("launch", () -> {
            Namespaces.unshare(Namespaces.CLONE_FS | Namespaces.CLONE_NEWNET | Namespaces.CLONE_NEWUTS);
            Namespaces.setHostname("launched");
            Io.chdir("/usr");
            Io.umask(027);
            new Identity(0, 0, null, caps, true).take();
            assertEquals("launched\n/usr\n0027\n", Child.output("/bin/sh", "-c", "hostname; pwd; umask"));
            final String status = Child.output("/bin/cat", "/proc/self/status");
            for (final String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
                assertEquals(String.format("%016x", caps), Child.field(status, set), set + " should be inherited.");
            }
            assertEquals("1", Child.field(status, "NoNewPrivs"));
            return null;
        });
    }

    @Test
    void failsAsExecveDoes() {
        assertEquals("posix_spawn(/no/such/program): No such file or directory (ENOENT)",
                assertThrows(SysException.class, () -> Child.output("/no/such/program")).getMessage());
        assertEquals(Errno.EACCES, assertThrows(SysException.class, () -> Child.output("/etc")).errno());
    }

    @Test
    void refusesWhatIsNotAskedForInFull() {
        assertThrows(IllegalArgumentException.class,
                () -> new Spawn.Request("/bin/true", List.of("true"), List.of(), Map.of()),
                "A program without stdin, stdout and stderr writes where it should not.");
        assertThrows(IllegalArgumentException.class, () -> Child.output("/bin/echo", "a\0b"),
                "A NUL would cut the argument short.");
    }

    @Test
    void aHundredLaunchesAreCheap() {
        try (Fd nothing = Io.open("/dev/null", Io.O_RDWR, 0)) {
            final Spawn.Request request = new Spawn.Request("/bin/true", List.of("true"), List.of(),
                    Map.of(0, nothing, 1, nothing, 2, nothing));
            launch(request, 50);
            final var threads = ManagementFactory.getThreadMXBean();
            final long start = threads.getCurrentThreadCpuTime();
            launch(request, 100);
            final long millis = (threads.getCurrentThreadCpuTime() - start) / 1_000_000;
            assertTrue(millis < 200, "100 launches should cost less than 200 ms of CPU: " + millis);
        }
    }

    private static void launch(final Spawn.Request request, final int times) {
        for (int i = 0; i < times; i++) {
            try (Fd pidfd = PidFd.open(Spawn.run(request))) {
                Io.await(pidfd, Io.POLLIN, Child.DEADLINE_MILLIS);
                assertEquals(new PidFd.ExitStatus(false, 0), PidFd.reap(pidfd));
            }
        }
    }

    @Test
    void executablesAreFoundAsTheShellFindsThem() {
        assertEquals("/bin/sh", Executables.find("sh", "/no/such/dir:/etc:/bin:/usr/bin"));
        assertEquals("/bin/sh", Executables.find("sh", null), "An unset PATH should mean the default.");
        assertEquals("/usr/bin/env", Executables.find("/usr/bin/env", ""), "A slash should stop the search.");
        assertNull(Executables.find("passwd", "/etc"), "A file without execute permission is no program.");
        assertNull(Executables.find("apt", "/etc"), "A directory is no program.");
        assertNull(Executables.find("", "/bin"), "The empty name is no program.");
        assertNull(Executables.find("sh\0", "/bin"), "No file has a NUL in its name.");
    }
}
