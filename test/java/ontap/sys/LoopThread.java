// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A thread of this process as the kernel shows it under /proc. */
final class LoopThread {
    /** epoll_wait on x86_64; elsewhere glibc calls epoll_pwait. */
    private static final String EPOLL_WAIT = System.getProperty("os.arch").equals("amd64") ? "232" : "22";
    private static final int TIMEOUT_ARGUMENT = 4;

    private final Path task;

    LoopThread(final int tid) {
        this.task = Path.of("/proc/self/task/" + tid);
    }

    /** Until the thread stands in epoll_wait; the test's time limit bounds it. */
    void awaitIdle() throws IOException {
        while (!inEndlessEpollWait()) {
            Thread.onSpinWait();
        }
    }

    /** Its present system call is epoll_wait with the time limit -1. */
    boolean inEndlessEpollWait() throws IOException {
        final String[] words = Files.readString(task.resolve("syscall")).trim().split(" ");
        return words[0].equals(EPOLL_WAIT)
                && (int) Long.parseUnsignedLong(words[TIMEOUT_ARGUMENT].substring(2), 16) == -1;
    }

    /** How often it has given up or lost the processor: any wake-up counts here. */
    long switches() throws IOException {
        long sum = 0;
        for (final String line : Files.readAllLines(task.resolve("status"))) {
            if (line.contains("ctxt_switches:")) {
                sum += Long.parseLong(line.substring(line.indexOf(':') + 1).trim());
            }
        }
        return sum;
    }
}
