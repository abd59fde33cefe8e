// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** In this JVM only signals that would not end it if the test were wrong; the others in a child. */
@Timeout(60)
@ExtendWith(FdLeaks.class)
final class SignalsTest {
    @Test
    void signalRaisesTheDescriptor() {
        try (SignalQueue queue = Signals.on("WINCH", "URG")) {
            assertNull(queue.poll(), "no signal has come yet");
            assertEquals(0, Io.await(queue.fd(), Io.POLLIN, 0), "the descriptor should be quiet");
            for (int i = 0; i < 200; i++) {
                final String name = i % 3 == 0 ? "URG" : "WINCH";
                Io.kill(Io.getpid(), Signals.number(name));
                assertEquals(Io.POLLIN, Io.await(queue.fd(), Io.POLLIN, -1), "the descriptor should be raised");
                assertEquals(name, queue.poll(), "the signal's name should be as asked for");
                assertNull(queue.poll(), "it came once");
            }
            assertEquals(0, Io.await(queue.fd(), Io.POLLIN, 0), "the emptied queue should be quiet");
        }
    }

    @Test
    void signalsThatComeTogetherAreAllThere() {
        try (SignalQueue queue = Signals.on("WINCH", "URG", "CONT")) {
            for (final String name : new String[] {"WINCH", "URG", "CONT"}) {
                Io.kill(Io.getpid(), Signals.number(name));
            }
            final TreeSet<String> names = new TreeSet<>();
            while (names.size() < 3) {
                Io.await(queue.fd(), Io.POLLIN, -1);
                for (String name = queue.poll(); name != null; name = queue.poll()) {
                    names.add(name);
                }
            }
            assertEquals("[CONT, URG, WINCH]", names.toString(), "none should be lost");
        }
    }

    @Test
    void refusesWhatTheJvmKeeps() {
        assertThrows(IllegalArgumentException.class, () -> Signals.on("WINCH", "SEGV"), "SEGV is HotSpot's");
        assertThrows(IllegalArgumentException.class, () -> Signals.on("NONSENSE"), "there is no such signal");
    }

    @Test
    void childServesTerminationInItsLoop() throws Exception {
        final Process child = ChildJvm.start(Child.class);
        try (BufferedReader output = child.inputReader(StandardCharsets.UTF_8)) {
            assertEquals("ready", output.readLine(), "the child should start");
            for (final String name : new String[] {"HUP", "INT", "HUP", "TERM"}) {
                Io.kill((int) child.pid(), Signals.number(name));
                assertEquals(name, output.readLine(), "the signal should be served");
            }
            assertNull(output.readLine(), "the child should say no more");
            assertEquals(7, child.waitFor(), "the child should end by its own decision");
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void closingGivesTheSignalBack() throws Exception {
        final Process child = ChildJvm.start(Child.class, "-Dtest.close=true");
        try (BufferedReader output = child.inputReader(StandardCharsets.UTF_8)) {
            assertEquals("ready", output.readLine(), "the child should start");
            Io.kill((int) child.pid(), Signals.number("HUP"));
            assertEquals("HUP", output.readLine(), "the first signal should be served");
            assertEquals("closed", output.readLine(), "the queue should be closed");
            Io.kill((int) child.pid(), Signals.number("TERM"));
            assertEquals(128 + 15, child.waitFor(), "the JVM should have TERM back");
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void knowsNamesAndNumbers() {
        assertEquals(15, Signals.number("TERM"), "the bare name");
        assertEquals(15, Signals.number("SIGTERM"), "the full name");
        assertEquals(15, Signals.number("sigterm"), "case should not matter");
        assertEquals(15, Signals.number("15"), "the number");
        assertEquals(34, Signals.number("RTMIN"), "the first real-time signal");
        assertEquals(37, Signals.number("SIGRTMIN+3"), "a real-time signal");
        for (final String wrong : new String[] {"", "SIG", "NONSENSE", "0", "65", "-1", "SIG15", "RTMIN+99", "RTMIN-1",
            "RTMINx", "99999999999"}) {
            assertEquals(-1, Signals.number(wrong), () -> "there is no signal '" + wrong + "'");
        }
        for (int i = 1; i <= 64; i++) {
            if (i != 32 && i != 33) {
                assertEquals(i, Signals.number(Signals.name(i)), "a name should lead back to its number");
            }
        }
        assertEquals("UNKNOWN(99)", Signals.name(99), "an unknown number should print");
        assertEquals("UNKNOWN(0)", Signals.name(0), "zero is no signal");
    }

    @Test
    void namesAreThoseOfTheShell() throws Exception {
        final Process shell = new ProcessBuilder("bash", "-c", "for i in $(seq 1 31); do kill -l $i; done").start();
        try (BufferedReader output = shell.inputReader(StandardCharsets.UTF_8)) {
            for (int i = 1; i <= 31; i++) {
                assertEquals(output.readLine(), Signals.name(i), "bash should have the same name");
            }
        }
        assertTrue(shell.waitFor() == 0, "bash should end well");
    }

    /** Prints the signals it gets; ends with 7 on TERM. With test.close it closes its queue after the first. */
    static final class Child {
        private Child() {
        }

        public static void main(final String[] arguments) {
            try (EventLoop loop = new EventLoop(Throwable::printStackTrace);
                    SignalQueue queue = Signals.on("TERM", "INT", "HUP")) {
                loop.add(queue.fd(), EventLoop.EPOLLIN, events -> {
                    for (String name = queue.poll(); name != null; name = queue.poll()) {
                        System.out.println(name);
                        if (name.equals("TERM") || Boolean.getBoolean("test.close")) {
                            loop.remove(queue.fd());
                            loop.stop();
                        }
                    }
                });
                System.out.println("ready");
                loop.run();
            }
            if (Boolean.getBoolean("test.close")) {
                System.out.println("closed");
                try (EventLoop forEver = new EventLoop(Throwable::printStackTrace)) {
                    forEver.run();
                }
            }
            System.exit(7);
        }
    }
}
