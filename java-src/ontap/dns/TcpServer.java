// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import ontap.sys.Clock;
import ontap.sys.Endpoint;
import ontap.sys.Errno;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.InetSockets;
import ontap.sys.Io;
import ontap.sys.NsThread;
import ontap.sys.SysException;

/**
 * DNS over TCP (RFC 7766): one thread for all listeners and connections, none of which can hold up another. A new
 * client is never turned away: when there are too many connections, the one whose last message or progress is longest
 * ago makes room, one of the same client's when that client has too many. Idle, it makes no system call.
 */
public final class TcpServer implements AutoCloseable {
    private static final int ACCEPTED_AT_ONCE = 16;
    private static final long PAUSE = TimeUnit.SECONDS.toNanos(1);

    private final List<Fd> listeners;
    private final Answerer answerer;
    private final Limits limits;
    private final Failures failures;
    private final EventLoop loop;
    private final QuickClock clock = new QuickClock();
    private final Set<TcpConnection> connections = new LinkedHashSet<>();
    private final Map<Client, Integer> clients = new HashMap<>();
    private boolean paused;
    private final Thread thread;

    private final AtomicLong open = new AtomicLong();
    private final AtomicLong accepted = new AtomicLong();
    private final AtomicLong queries = new AtomicLong();
    private final AtomicLong errors = new AtomicLong();
    private final AtomicLong evicted = new AtomicLong();

    /**
     * What connections may do; times in milliseconds.
     *
     * @param connections so many in all
     * @param perClient so many of one IPv4 address, or of one IPv6 /64
     * @param idleMillis a connection that asks nothing is closed
     * @param messageMillis a message that has begun must be there as a whole
     * @param stallMillis a client that takes nothing of its answers is given up
     */
    public record Limits(int connections, int perClient, long idleMillis, long messageMillis, long stallMillis) {
        /** 128 connections, 16 of one client, 10 s for everything. */
        public static final Limits USUAL = new Limits(128, 16, 10_000, 10_000, 10_000);

        /** Refuses what could serve nobody: IllegalArgumentException. */
        public Limits {
            if (connections < 1 || perClient < 1 || idleMillis < 1 || messageMillis < 1 || stallMillis < 1) {
                throw new IllegalArgumentException("limits of at least 1 each");
            }
        }
    }

    /**
     * What has happened since the start.
     *
     * @param open connections there are now
     * @param accepted connections there have been
     * @param queries messages that came
     * @param errors messages that failed to be answered
     * @param evicted connections closed to make room for others
     */
    public record Counters(long open, long accepted, long queries, long errors, long evicted) {
    }

    /** Whose connections count together: a whole IPv6 /64, except where neighbours share it (fe80::/10). */
    private record Client(long high, long low) {
        static Client of(final Endpoint peer) {
            return new Client(peer.high(), peer.high() == 0 || peer.isLinkLocal() ? peer.low() : 0);
        }
    }

    private TcpServer(final List<Fd> listeners, final Answerer answerer, final Limits limits,
            final Consumer<Throwable> told) {
        this.listeners = List.copyOf(listeners);
        this.answerer = answerer;
        this.limits = limits;
        this.failures = new Failures(told);
        this.loop = new EventLoop(failures);
        try {
            for (final Fd listener : this.listeners) {
                Io.nonBlocking(listener);
                loop.add(listener, EventLoop.EPOLLIN, events -> accept(listener));
            }
        } catch (final RuntimeException e) {
            loop.close();
            throw e;
        }
        this.thread = NsThread.start("dns-tcp", this::run);
    }

    /**
     * Serves from now on, in a daemon thread.
     *
     * @param listeners listening TCP sockets, made non-blocking, the server's to close once this has returned
     * @param told the first failure of the answerer, the second, the fourth, and so on; on the server's thread
     * @throws SysException when one of them cannot be waited for; all stay the caller's then
     */
    public static TcpServer start(final List<Fd> listeners, final Answerer answerer, final Limits limits,
            final Consumer<Throwable> told) {
        return new TcpServer(listeners, answerer, limits, told);
    }

    /** As they stand; from any thread. */
    public Counters counters() {
        return new Counters(open.get(), accepted.get(), queries.get(), errors.get(), evicted.get());
    }

    /** Ends the thread and every connection, and closes the listeners. Not from an answerer. */
    @Override
    public void close() {
        loop.stop();
        Failures.join(thread);
        loop.close();
        listeners.forEach(Fd::close);
    }

    private void run() {
        try {
            loop.run();
        } finally {
            for (final TcpConnection connection : new ArrayList<>(connections)) {
                connection.close();
            }
        }
    }

    // ---- for the connections, on the server's thread

    EventLoop loop() {
        return loop;
    }

    Limits limits() {
        return limits;
    }

    /** Nanoseconds since boot. */
    long now() {
        return Clock.boottimeNanos();
    }

    /** The answers to a message; SERVFAIL when there is an error, nothing when there is nothing to say. */
    Iterator<byte[]> answers(final byte[] query, final Endpoint peer) {
        queries.incrementAndGet();
        try {
            return answerer.answerStream(query, peer.high(), peer.low(), clock.millis());
        } catch (final Throwable t) {
            failed(t);
            return ServerFailure.stream(query);
        }
    }

    /** An answer could not be made. */
    void failed(final Throwable t) {
        errors.incrementAndGet();
        failures.accept(t);
    }

    /** The connection is closed. */
    void gone(final TcpConnection connection) {
        connections.remove(connection);
        clients.computeIfPresent(Client.of(connection.peer()), (client, n) -> n == 1 ? null : n - 1);
        open.decrementAndGet();
        resume();
    }

    // ---- new connections

    private void accept(final Fd listener) {
        for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
            final InetSockets.Accepted next;
            try {
                next = InetSockets.accept(listener);
            } catch (final SysException e) {
                // accept4 wants a descriptor before it looks whether anybody waits: only the first surely has somebody.
                if (i == 0) {
                    refused(e, listener);
                }
                return;
            }
            if (next == null) {
                return;
            }
            admit(next);
        }
    }

    private void admit(final InetSockets.Accepted next) {
        final Client client = Client.of(next.peer());
        if (clients.getOrDefault(client, 0) >= limits.perClient) {
            evict(client);
        } else if (connections.size() >= limits.connections) {
            evict(null);
        }
        final TcpConnection connection;
        try {
            connection = new TcpConnection(this, next);
        } catch (final RuntimeException e) {
            next.fd().close();
            throw e;
        }
        connections.add(connection);
        clients.merge(client, 1, Integer::sum);
        open.incrementAndGet();
        accepted.incrementAndGet();
    }

    /** Closes the connection that has been without progress for longest, of one client or (null) of all. */
    private boolean evict(final Client client) {
        TcpConnection oldest = null;
        for (final TcpConnection connection : connections) {
            if ((client == null || client.equals(Client.of(connection.peer())))
                    && (oldest == null || connection.activeAt() < oldest.activeAt())) {
                oldest = connection;
            }
        }
        if (oldest == null) {
            return false;
        }
        evicted.incrementAndGet();
        oldest.close();
        return true;
    }

    /** No descriptor or memory for the connection, which goes on waiting: another makes room, else time has to. */
    private void refused(final SysException e, final Fd listener) {
        failures.accept(e);
        switch (e.errno()) {
            case Errno.EMFILE:
            case Errno.ENFILE:
            case Errno.ENOBUFS:
            case Errno.ENOMEM:
                if (!evict(null)) {
                    pause();
                }
                break;
            default:
                // It would be reported readable for ever.
                loop.remove(listener);
        }
    }

    private void pause() {
        if (!paused) {
            paused = true;
            watch(0);
            loop.at(now() + PAUSE, this::resume);
        }
    }

    private void resume() {
        if (paused) {
            paused = false;
            watch(EventLoop.EPOLLIN);
        }
    }

    private void watch(final int events) {
        for (final Fd listener : listeners) {
            try {
                loop.modify(listener, events);
            } catch (final SysException e) {
                // One that is watched no longer.
                failures.accept(e);
            }
        }
    }
}
