// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ExecTest {
    @Test
    void keepsThePidAndLeadsASession() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(List.of(), "--", "/bin/cat", "/proc/self/stat"));
        final Procs.Proc proc = Procs.parse(result.output());
        assertEquals(result.pid(), proc.pid(), "The program should be the process the JVM was.");
        assertEquals(proc.pid(), proc.session(), "It should lead a session of its own.");
        assertEquals("cat", proc.comm(), "Its name should be the program's, not the thread's.");
    }

    @Test
    void staysInTheProcessGroupItLeads() {
        final BecomeJvm.Result result =
                BecomeJvm.run(BecomeJvm.command(List.of("setsid"), "--", "/bin/cat", "/proc/self/stat"));
        assertEquals(0, result.status(), "A leader of a process group should be executed too: " + result.errors());
    }

    @Test
    void leavesOnlyPromisedDescriptors() {
        final List<String> fds = Child.descriptors(BecomeJvm.output("fd=3:/dev/zero", "fd=7:/dev/null", "--", "/bin/ls",
                "-l", "/proc/self/fd"));
        fds.removeIf(fd -> Integer.parseInt(fd.substring(0, fd.indexOf(' '))) <= 2);
        assertEquals(List.of("3 /dev/zero", "7 /dev/null"), fds, "What was promised should be open, and no more.");
    }

    @Test
    void restoresSignals() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(
                List.of("sh", "-c", "trap '' HUP USR1 CHLD TERM RTMIN+3; exec \"$@\"", "sh"), "--", "/bin/cat",
                "/proc/self/status"));
        assertEquals(0, result.status(), result.errors());
        for (final String set : List.of("SigBlk", "SigIgn", "SigCgt")) {
            assertEquals("0000000000000000", Child.field(result.output(), set), set + " should be empty.");
        }
    }

    @Test
    void keepsLimitsWhenTheJvmIsToldNotToRaiseThem() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(
                List.of("sh", "-c", "ulimit -Sn 777; exec \"$@\"", "sh"), "--", "/bin/sh", "-c", "ulimit -Sn"));
        assertEquals("777\n", result.output(), "The soft limit should be that of before the JVM.");
    }

    @Test
    void passesEnvironmentAndArgumentsAsTheyAre() {
        assertEquals("A=ä b\nB=\n", BecomeJvm.output("env=A=ä b", "env=B=", "--", "/usr/bin/env"),
                "The environment should be the given one and no more.");
        assertEquals("x  y|ü|", BecomeJvm.output("--", "/usr/bin/printf", "%s|", "x  y", "ü"),
                "Arguments should arrive as given.");
    }

    @Test
    void bringsTheThreadsNamespacesAndDirectory() {
        Privilege.toUnshare();
        final String text = BecomeJvm.output("unshare=net,uts", "hostname=become", "cwd=/usr", "--", "/bin/sh", "-c",
                "hostname; pwd; tail -n +3 /proc/net/dev | cut -d: -f1; readlink /proc/self/ns/net");
        final String[] lines = text.split("\n");
        assertEquals("become", lines[0], "The hostname should be that of the thread.");
        assertEquals("/usr", lines[1], "The working directory should be that of the thread.");
        assertEquals("lo", lines[2].trim(), "There should be lo in the thread's namespace.");
        assertTrue(lines[3].startsWith("net:["), "lo should be the only link: " + text);
    }

    @Test
    void leavesAWorkingJvmWhenItFails() {
        final BecomeJvm.Result result = BecomeJvm.run(BecomeJvm.command(List.of(), "fd=1:/dev/null", "fd=2:/dev/null",
                "fd=3:/dev/null", "fd=4:/dev/null", "fd=5:/dev/null", "fd=6:/dev/null", "--", "/no/such/program"));
        assertEquals(3, result.status(), "The failure should come as an exception: " + result.errors());
        assertEquals("execve(/no/such/program): No such file or directory (ENOENT)\n", result.errors());
        assertEquals("0\n", result.output(), "Output and classes should still be in reach.");
    }

    @Test
    void refusesAnEmptyArgv() {
        assertThrows(IllegalArgumentException.class, () -> Exec.run("/bin/true", List.of(), List.of(), Map.of()),
                "Programs rely on argv[0].");
    }
}
