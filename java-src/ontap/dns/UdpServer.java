// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.NsThread;
import ontap.sys.UdpBatch;

/**
 * DNS over UDP: one thread for all sockets, which takes what waits on a socket in one system call and sends the answers
 * in another, each from the address that was asked. A socket with more has its next turn after the others. Idle, it
 * makes no system call; busy, it rests a moment after each batch, so that the next is larger and each answer
 * cheaper, as network cards do with their interrupts.
 */
public final class UdpServer implements AutoCloseable {
    private static final VarHandle QUERIES = counter("queries");
    private static final VarHandle ANSWERED = counter("answered");
    private static final VarHandle DROPPED = counter("dropped");
    private static final VarHandle ERRORS = counter("errors");
    private static final VarHandle BATCHES = counter("batches");

    private final List<Fd> sockets;
    private final Answerer answerer;
    private final Limits limits;
    private final Failures failures;
    private final EventLoop loop;
    private final UdpBatch batch = new UdpBatch();
    private final QuickClock clock = new QuickClock();
    private final Thread thread;

    // Written by the server's thread alone.
    private long queries;
    private long answered;
    private long dropped;
    private long errors;
    private long batches;

    /**
     * What has happened since the start.
     *
     * @param queries datagrams that came
     * @param answered answers that went
     * @param dropped datagrams without an answer: cut, not to be answered, or the kernel had no room for the answer
     * @param errors answers that failed; most were answered with SERVFAIL
     * @param batches how often datagrams were taken
     */
    public record Counters(long queries, long answered, long dropped, long errors, long batches) {
    }

    /**
     * When to rest.
     *
     * @param busy datagrams at once that mean that more are on their way; a full batch is no reason to wait for more
     * @param restNanos how long, in nanoseconds; 0: never. The kernel adds up to 50 microseconds of its own
     *     (PR_SET_TIMERSLACK)
     */
    public record Limits(int busy, long restNanos) {
        /** After four or more: a client that asks one thing after another never waits. */
        public static final Limits USUAL = new Limits(4, 20_000);

        /** Refuses less than one datagram and rests of a millisecond: IllegalArgumentException. */
        public Limits {
            if (busy < 1 || restNanos < 0 || restNanos >= 1_000_000) {
                throw new IllegalArgumentException("at least 1 datagram, and a rest below a millisecond");
            }
        }
    }

    private UdpServer(final List<Fd> sockets, final Answerer answerer, final Limits limits,
            final Consumer<Throwable> told) {
        this.sockets = List.copyOf(sockets);
        this.answerer = answerer;
        this.limits = limits;
        this.failures = new Failures(told);
        this.loop = new EventLoop(failures);
        try {
            for (final Fd socket : this.sockets) {
                UdpBatch.prepare(socket);
                loop.add(socket, EventLoop.EPOLLIN, events -> serve(socket));
            }
        } catch (final RuntimeException e) {
            loop.close();
            throw e;
        }
        this.thread = NsThread.start("dns-udp", loop::run);
    }

    /**
     * Serves from now on, in a daemon thread.
     *
     * @param sockets bound UDP sockets, the server's to close once this has returned
     * @param told the first failure of the answerer or of a socket, the second, the fourth, and so on; on the server's
     *     thread
     * @throws ontap.sys.SysException when one of them is no socket; all stay the caller's then
     */
    public static UdpServer start(final List<Fd> sockets, final Answerer answerer, final Limits limits,
            final Consumer<Throwable> told) {
        return new UdpServer(sockets, answerer, limits, told);
    }

    /** The same with the usual limits. */
    public static UdpServer start(final List<Fd> sockets, final Answerer answerer, final Consumer<Throwable> told) {
        return start(sockets, answerer, Limits.USUAL, told);
    }

    /** As they stand; from any thread. */
    public Counters counters() {
        return new Counters((long) QUERIES.getAcquire(this), (long) ANSWERED.getOpaque(this),
                (long) DROPPED.getOpaque(this), (long) ERRORS.getOpaque(this), (long) BATCHES.getOpaque(this));
    }

    /** Ends the thread and closes the sockets; waits for the batch at hand. Not from an answerer. */
    @Override
    public void close() {
        loop.stop();
        Failures.join(thread);
        loop.close();
        sockets.forEach(Fd::close);
    }

    private void serve(final Fd socket) {
        final int n;
        try {
            n = batch.receive(socket);
        } catch (final RuntimeException e) {
            // It would be reported readable for ever.
            loop.remove(socket);
            throw e;
        }
        if (n == 0) {
            return;
        }
        final long now = clock.millis();
        int replies = 0;
        for (int i = 0; i < n; i++) {
            if (batch.isAnswerable(i) && answer(i, now)) {
                batch.reply(i);
                replies++;
            }
        }
        final int sent = replies == 0 ? 0 : batch.send(socket);
        ANSWERED.setOpaque(this, answered + sent);
        DROPPED.setOpaque(this, dropped + (n - sent));
        BATCHES.setOpaque(this, batches + 1);
        // Last: who sees these queries sees what became of them.
        QUERIES.setRelease(this, queries + n);
        if (n >= limits.busy && n < UdpBatch.SIZE && limits.restNanos > 0) {
            LockSupport.parkNanos(limits.restNanos);
        }
    }

    private boolean answer(final int i, final long now) {
        final ByteBuffer query = batch.query(i);
        final ByteBuffer out = batch.answer(i);
        try {
            return answerer.answerDatagram(query, batch.high(i), batch.low(i), now, out);
        } catch (final Throwable t) {
            ERRORS.setOpaque(this, errors + 1);
            failures.accept(t);
            final ByteBuffer again = batch.query(i);
            return ServerFailure.write(again, 0, again.limit(), batch.answer(i));
        }
    }

    private static VarHandle counter(final String name) {
        try {
            return MethodHandles.lookup().findVarHandle(UdpServer.class, name, long.class);
        } catch (final ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }
}
