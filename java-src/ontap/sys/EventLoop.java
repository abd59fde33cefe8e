// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * One thread that waits for descriptors, deadlines and posted tasks, and runs what belongs to them, one after the
 * other. Idle it stands in a single epoll_wait without time limit and makes no system call.
 *
 * <p>The thread in {@link #run} owns the loop: while it runs, only {@link #post} and {@link #stop} may be called from
 * elsewhere (others throw IllegalStateException). What a handler, timer or task throws goes to the error handler given
 * at construction, and the loop goes on. Handlers must not block.
 */
public final class EventLoop implements AutoCloseable {
    public static final int EPOLLIN = 0x1;
    public static final int EPOLLPRI = 0x2;
    public static final int EPOLLOUT = 0x4;
    public static final int EPOLLERR = 0x8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLLRDHUP = 0x2000;
    public static final int EPOLLONESHOT = 1 << 30;
    public static final int EPOLLET = 1 << 31;

    private static final long WAKE_KEY = 0;
    private static final long TIMER_KEY = 1;
    private static final long FIRST_KEY = 2;
    private static final long DISARMED = Long.MAX_VALUE;
    /** The timer has fired and is still readable until it is set again. */
    private static final long FIRED = Long.MIN_VALUE;

    private final Consumer<Throwable> errors;
    private final Epoll epoll = new Epoll();
    private final EventFd wake = EventFd.create();
    private final TimerFd timer = TimerFd.create(Clock.BOOTTIME);

    // A key is never used twice, so an event of the same batch for a descriptor that an earlier handler removed, and
    // whose number is perhaps in use again, finds nobody.
    private final Map<Long, Registration> byKey = new HashMap<>();
    private final Map<Fd, Registration> byFd = new IdentityHashMap<>();
    private long nextKey = FIRST_KEY;

    private final TreeSet<Timer> timers = new TreeSet<>();
    private long nextTimer;
    private long armed = DISARMED;

    /** Guarded by itself, as are the closing of {@code wake} and {@code closed}. */
    private final List<Runnable> posted = new ArrayList<>();
    private boolean closed;
    private volatile boolean stopping;
    private volatile Thread owner;

    /** Called when a descriptor is ready. */
    @FunctionalInterface
    public interface Handler {
        /** Told the EPOLL bits that are there: those asked for, and EPOLLERR and EPOLLHUP unasked. */
        void ready(int events);
    }

    /** A deadline that can be cancelled. */
    public static final class Timer implements Comparable<Timer> {
        private final long deadline;
        private final long number;
        private final Runnable task;

        private Timer(final long deadline, final long number, final Runnable task) {
            this.deadline = deadline;
            this.number = number;
            this.task = task;
        }

        /** By deadline, then in the order they were made. */
        @Override
        public int compareTo(final Timer other) {
            final int order = Long.compare(deadline, other.deadline);
            return order != 0 ? order : Long.compare(number, other.number);
        }

        @Override
        public boolean equals(final Object other) {
            return this == other;
        }

        @Override
        public int hashCode() {
            return Long.hashCode(number);
        }
    }

    private record Registration(long key, Handler handler) {
    }

    /**
     * A loop that does not run yet.
     *
     * @param errors told what handlers, timers and tasks throw, on the loop's thread; what it throws itself ends run()
     */
    public EventLoop(final Consumer<Throwable> errors) {
        this.errors = errors;
        epoll.add(wake.fd(), EPOLLIN, WAKE_KEY);
        epoll.add(timer.fd(), EPOLLIN, TIMER_KEY);
    }

    /** Watches a descriptor, which stays the caller's; EEXIST when it is watched already. */
    public void add(final Fd fd, final int events, final Handler handler) {
        checkOwner();
        final long key = nextKey++;
        epoll.add(fd, events, key);
        final Registration registration = new Registration(key, handler);
        byKey.put(key, registration);
        byFd.put(fd, registration);
    }

    /** Changes what a watched descriptor is watched for; 0 leaves error and hang-up. */
    public void modify(final Fd fd, final int events) {
        checkOwner();
        final Registration registration = byFd.get(fd);
        if (registration == null) {
            throw new SysException("epoll_ctl", fd.what(), Errno.ENOENT);
        }
        epoll.modify(fd, events, registration.key);
    }

    /**
     * Watches a descriptor no longer; one that is not watched is fine. To be called before the descriptor is closed:
     * the kernel goes on reporting an open file that has other descriptors.
     */
    public void remove(final Fd fd) {
        checkOwner();
        final Registration registration = byFd.remove(fd);
        if (registration != null) {
            byKey.remove(registration.key);
            if (fd.isOpen()) {
                epoll.remove(fd);
            }
        }
    }

    /** Runs the task once {@link Clock#boottimeNanos} has reached the deadline; at once when it is past. */
    public Timer at(final long boottimeNanos, final Runnable task) {
        checkOwner();
        final Timer made = new Timer(boottimeNanos, nextTimer++, task);
        timers.add(made);
        return made;
    }

    /** Forgets a timer; one that has run or is null is fine. */
    public void cancel(final Timer unwanted) {
        checkOwner();
        if (unwanted != null) {
            timers.remove(unwanted);
        }
    }

    /** Has the loop run the task, after those posted before it; from any thread. IllegalStateException once closed. */
    public void post(final Runnable task) {
        synchronized (posted) {
            checkOpen();
            posted.add(task);
            if (posted.size() == 1) {
                wake.signal();
            }
        }
    }

    /** Makes {@link #run} return after the batch at hand, or at once when it is called later; from any thread. */
    public void stop() {
        synchronized (posted) {
            if (!closed) {
                stopping = true;
                wake.signal();
            }
        }
    }

    /** Serves until {@link #stop}; may be called again afterwards. */
    public void run() {
        synchronized (posted) {
            checkOpen();
            if (owner != null) {
                throw new IllegalStateException("the event loop runs already");
            }
            owner = Thread.currentThread();
        }
        try {
            while (!stopping) {
                arm();
                final int n = epoll.await();
                for (int i = 0; i < n; i++) {
                    dispatch(epoll.key(i), epoll.ready(i));
                }
            }
        } finally {
            stopping = false;
            owner = null;
        }
    }

    /** Closes the loop's own descriptors, not those it watched. IllegalStateException while it runs. */
    @Override
    public void close() {
        synchronized (posted) {
            if (owner != null) {
                throw new IllegalStateException("the event loop runs");
            }
            closed = true;
            wake.close();
        }
        timer.close();
        epoll.close();
        byKey.clear();
        byFd.clear();
        timers.clear();
    }

    private void dispatch(final long key, final int events) {
        if (key == WAKE_KEY) {
            runPosted();
        } else if (key == TIMER_KEY) {
            armed = FIRED;
            runTimers();
        } else {
            final Registration registration = byKey.get(key);
            if (registration != null) {
                try {
                    registration.handler.ready(events);
                } catch (final Throwable t) {
                    errors.accept(t);
                }
            }
        }
    }

    /** Sets the one timerfd to the first deadline, if it is not set to that. */
    private void arm() {
        final long next = timers.isEmpty() ? DISARMED : timers.first().deadline;
        if (next != armed) {
            if (next == DISARMED) {
                timer.disarm();
            } else {
                timer.arm(next);
            }
            armed = next;
        }
    }

    /** Runs what is due, except timers made meanwhile: their turn comes after the descriptors'. */
    private void runTimers() {
        final long now = Clock.boottimeNanos();
        final long limit = nextTimer;
        while (!timers.isEmpty() && timers.first().deadline <= now && timers.first().number < limit) {
            runTask(timers.pollFirst().task);
        }
    }

    /** Runs what has been posted so far, not what these tasks post. */
    private void runPosted() {
        final List<Runnable> tasks;
        synchronized (posted) {
            wake.drain();
            tasks = new ArrayList<>(posted);
            posted.clear();
        }
        for (final Runnable task : tasks) {
            runTask(task);
        }
    }

    private void runTask(final Runnable task) {
        try {
            task.run();
        } catch (final Throwable t) {
            errors.accept(t);
        }
    }

    private void checkOwner() {
        final Thread running = owner;
        if (running != null && running != Thread.currentThread()) {
            throw new IllegalStateException("only the event loop's own thread may do this");
        }
        if (running == null) {
            synchronized (posted) {
                checkOpen();
            }
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the event loop is closed");
        }
    }
}
