// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@Timeout(60)
@ExtendWith(FdLeaks.class)
final class FdTest {
    @Test
    void refusesUseAfterClose() {
        final Fd fd = Io.open("/dev/null", Io.O_RDONLY, 0);
        assertTrue(fd.isOpen(), "a new descriptor should be open");
        fd.close();
        assertFalse(fd.isOpen(), "a closed descriptor should say so");
        assertThrows(IllegalStateException.class, fd::raw, "the number should not be had any more");
        assertThrows(IllegalStateException.class, fd::disown, "there is nothing left to give up");
        assertThrows(IllegalStateException.class, fd::dup, "there is nothing left to copy");
        assertThrows(IllegalStateException.class, () -> Io.read(fd, new byte[1], 0, 1), "a call should refuse it");
    }

    @Test
    void closesTheNumberOnlyOnce() {
        final Fd first = Io.open("/dev/null", Io.O_RDONLY, 0);
        first.close();
        // The kernel gives the lowest free number: the one just freed, unless the JVM was faster.
        try (Fd second = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            first.close();
            assertEquals("/dev/zero", Io.link(second), "closing again should not touch the number's new owner");
        }
    }

    @Test
    void closesOnceWhenManyThreadsClose() throws InterruptedException {
        for (int round = 0; round < 50; round++) {
            final Fd[] pipe = Io.pipe(true);
            final CountDownLatch start = new CountDownLatch(1);
            final Thread[] threads = new Thread[4];
            for (int i = 0; i < threads.length; i++) {
                threads[i] = new Thread(() -> {
                    try {
                        start.await();
                    } catch (final InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    pipe[1].close();
                });
                threads[i].start();
            }
            start.countDown();
            for (final Thread thread : threads) {
                thread.join();
            }
            assertEquals(0, Io.read(pipe[0], new byte[1], 0, 1), "the only writer should be gone");
            pipe[0].close();
        }
    }

    @Test
    void copiesAreIndependentAndCloseOnExec() throws Exception {
        final Fd fd = Io.open("/dev/null", Io.O_RDONLY, 0);
        try (Fd copy = fd.dup()) {
            assertNotEquals(fd.raw(), copy.raw(), "a copy should have a number of its own");
            fd.close();
            assertEquals("/dev/null", Io.link(copy), "a copy should outlive the first");
            final String info = Files.readString(Path.of("/proc/self/fdinfo/" + copy.raw()));
            assertTrue(info.contains("flags:\t02") || info.contains("flags:\t012"),
                    () -> "a copy should be close-on-exec: " + info);
        }
    }

    @Test
    void disownLeavesTheNumberOpen() {
        final Fd fd = Io.open("/dev/null", Io.O_RDONLY, 0);
        final int number = fd.disown();
        fd.close();
        try (Fd again = Fd.own(number, "again")) {
            assertEquals("/dev/null", Io.link(again), "the number should still be open");
        }
    }

    @Test
    void refusesWhatIsNoDescriptor() {
        assertThrows(IllegalArgumentException.class, () -> Fd.own(-1, "nothing"), "-1 is no descriptor");
    }

    @Test
    void listsWhatIsOpen() {
        final String line;
        try (Fd fd = Io.open("/dev/null", Io.O_RDONLY, 0)) {
            line = fd.raw() + " /dev/null";
            assertTrue(hasLine(line), "an open descriptor should be listed");
        }
        assertFalse(hasLine(line), "a closed descriptor should not be listed");
    }

    @Test
    void tracingReportsWhereALeakWasMade() throws Exception {
        final Process child = ChildJvm.start(Leaky.class, "-Dontap.fd.trace=true");
        final String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, child.waitFor(), () -> "the child should end well: " + output);
        final String[] lines = output.split("\n");
        assertEquals(1, lines.length, () -> "one leak should give one line: " + output);
        assertTrue(lines[0].contains("/dev/zero"), () -> "the line should name what was left open: " + output);
        assertTrue(lines[0].contains("FdTest$Leaky.main"), () -> "the line should name the place: " + output);
    }

    @Test
    void withoutTracingALeakIsNotReported() throws Exception {
        final Process child = ChildJvm.start(Leaky.class);
        final String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, child.waitFor(), () -> "the child should end well: " + output);
        assertEquals("", output, "nothing should be printed");
    }

    private static boolean hasLine(final String start) {
        return Fd.open().stream().anyMatch(line -> line.startsWith(start));
    }

    /** Opens two, closes one. */
    static final class Leaky {
        private Leaky() {
        }

        public static void main(final String[] arguments) {
            Io.open("/dev/null", Io.O_RDONLY, 0).close();
            Io.open("/dev/zero", Io.O_RDONLY, 0);
        }
    }
}
