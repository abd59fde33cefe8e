// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.util.concurrent.Callable;

/**
 * Threads that are born to change their namespaces or identity and to die with them: always fresh platform threads,
 * never from a pool, as there may be no way back.
 */
public final class NsThread {
    private static final long DEFAULT_STACK = 0;

    private NsThread() {
    }

    /**
     * Runs the body in a thread of its own and waits for its end, uninterruptibly (an interrupt is kept for later).
     * Gives what the body gives, and throws what it throws as it is, checked or not. The kernel lets go of the thread's
     * namespaces a moment after this returns, unless the body left something behind that holds them.
     *
     * @param threadName shown by jstack and, its first 15 bytes, by ps -L
     */
    public static <T> T call(final String threadName, final Callable<T> body) {
        final Outcome<T> outcome = new Outcome<>();
        final Thread thread = start(threadName, () -> {
            try {
                outcome.value = body.call();
            } catch (Throwable e) {
                outcome.failure = e;
            }
        });
        join(thread);
        if (outcome.failure != null) {
            throw NsThread.<RuntimeException>asIs(outcome.failure);
        }
        return outcome.value;
    }

    /** Starts such a thread and does not wait. It is a daemon thread: the JVM may end before it. */
    public static Thread start(final String threadName, final Runnable body) {
        final Thread thread = new Thread(null, body, threadName, DEFAULT_STACK, false);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void join(final Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Throws anything without declaring it: a caller's own checked exception should come back unwrapped. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> E asIs(final Throwable failure) throws E {
        throw (E) failure;
    }

    /** Written by the thread before its end, read after join. */
    private static final class Outcome<T> {
        private T value;
        private Throwable failure;
    }
}
