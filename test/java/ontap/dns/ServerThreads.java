// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The threads of this process of one name, as the kernel shows them. */
final class ServerThreads {
    /** epoll_wait on x86_64; elsewhere glibc calls epoll_pwait. */
    private static final String EPOLL_WAIT = System.getProperty("os.arch").equals("amd64") ? "232" : "22";

    private ServerThreads() {
    }

    static List<Path> named(final String name) throws IOException {
        final List<Path> found = new ArrayList<>();
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            for (final Path task : (Iterable<Path>) tasks::iterator) {
                try {
                    if (Files.readString(task.resolve("comm")).trim().equals(name)) {
                        found.add(task);
                    }
                } catch (final NoSuchFileException e) {
                    // It has ended.
                }
            }
        }
        return found;
    }

    /** Until there is none: the kernel's thread ends a little after Java's. The test's time limit bounds it. */
    static void awaitNone(final String name) throws IOException {
        while (!named(name).isEmpty()) {
            Thread.onSpinWait();
        }
    }

    /** Until it stands in epoll_wait without limit; the test's time limit bounds it. */
    static void awaitIdle(final Path task) throws IOException {
        while (!isIdle(task)) {
            Thread.onSpinWait();
        }
    }

    static boolean isIdle(final Path task) throws IOException {
        final String[] words = Files.readString(task.resolve("syscall")).trim().split(" ");
        return words[0].equals(EPOLL_WAIT) && (int) Long.parseUnsignedLong(words[4].substring(2), 16) == -1;
    }

    /** How often it has given up or lost the processor: any wake-up counts here. */
    static long switches(final Path task) throws IOException {
        long sum = 0;
        for (final String line : Files.readAllLines(task.resolve("status"))) {
            if (line.contains("ctxt_switches:")) {
                sum += Long.parseLong(line.substring(line.indexOf(':') + 1).trim());
            }
        }
        return sum;
    }

    /** Hundredths of a second of processor time. */
    static long ticks(final Path task) throws IOException {
        final String stat = Files.readString(task.resolve("stat"));
        final String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(words[11]) + Long.parseLong(words[12]);
    }
}
