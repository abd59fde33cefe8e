// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.function.Consumer;

/**
 * Tells of failures, the first, the second, the fourth and so on: one that strangers can bring about at will must not
 * fill a log. Never throws. For one thread.
 */
final class Failures implements Consumer<Throwable> {
    private final Consumer<Throwable> told;
    private long count;

    Failures(final Consumer<Throwable> told) {
        this.told = told;
    }

    @Override
    public void accept(final Throwable failure) {
        count++;
        if (Long.bitCount(count) == 1) {
            try {
                told.accept(failure);
            } catch (final Throwable ignored) {
                // A server goes on without its log.
            }
        }
    }

    /** Waits for a thread's end, whatever interrupts. */
    static void join(final Thread thread) {
        if (thread == Thread.currentThread()) {
            throw new IllegalStateException("a server is closed by another thread than its own");
        }
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (final InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
