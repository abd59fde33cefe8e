// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@Timeout(60)
@ExtendWith(FdLeaks.class)
final class EventLoopTest {
    private static final long MILLISECOND = 1_000_000L;

    private final List<Throwable> errors = new ArrayList<>();
    private EventLoop loop;

    @BeforeEach
    void makeLoop() {
        loop = new EventLoop(errors::add);
    }

    @AfterEach
    void closeLoop() {
        loop.close();
    }

    @Test
    void handsOutEventsUntilStopped() {
        final List<Integer> seen = new ArrayList<>();
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]) {
            Io.writeAll(pipe[1], new byte[3]);
            loop.add(in, EventLoop.EPOLLIN, events -> {
                seen.add(events);
                if (Io.read(in, new byte[1], 0, 1) == 0) {
                    loop.remove(in);
                    loop.stop();
                } else if (seen.size() == 3) {
                    pipe[1].close();
                }
            });
            loop.run();
        }
        assertEquals(List.of(EventLoop.EPOLLIN, EventLoop.EPOLLIN, EventLoop.EPOLLIN, EventLoop.EPOLLHUP), seen,
                "three bytes and the hang-up should be told");
        assertTrue(errors.isEmpty(), () -> "nothing should fail: " + errors);
    }

    @Test
    void modifyChangesWhatIsWatched() {
        final List<Integer> seen = new ArrayList<>();
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]) {
            Io.writeAll(two, new byte[1]);
            loop.add(one, EventLoop.EPOLLOUT, events -> {
                seen.add(events);
                if (seen.size() == 1) {
                    loop.modify(one, EventLoop.EPOLLIN);
                } else {
                    loop.stop();
                }
            });
            loop.run();
            loop.remove(one);
            loop.remove(one);
            final SysException e = assertThrows(SysException.class, () -> loop.modify(one, EventLoop.EPOLLIN));
            assertEquals("ENOENT", e.errnoName(), "it is not watched any more");
        }
        assertEquals(List.of(EventLoop.EPOLLOUT, EventLoop.EPOLLIN), seen, "first room, then data");
    }

    @Test
    void sameDescriptorIsWatchedOnce() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            loop.add(in, EventLoop.EPOLLIN, events -> loop.stop());
            assertThrows(SysException.class, () -> loop.add(in, EventLoop.EPOLLIN, events -> { }), "it is watched");
            Io.writeAll(out, new byte[1]);
            loop.run();
            loop.remove(in);
        }
    }

    @Test
    void eventOfTheSameBatchIsDroppedWhenItsDescriptorWasRemoved() {
        final int[] calls = new int[1];
        final Fd[] pair = UnixSockets.pair();
        final Fd[] replacement = new Fd[1];
        try (Fd one = pair[0]) {
            // Both are writable at once: whichever comes first closes the other, whose number is used again.
            loop.add(one, EventLoop.EPOLLOUT, events -> replace(one, pair[1], replacement, calls));
            loop.add(pair[1], EventLoop.EPOLLOUT, events -> replace(pair[1], one, replacement, calls));
            loop.run();
            assertEquals(1, calls[0], "the second event's descriptor was gone");
        } finally {
            loop.remove(replacement[0]);
            replacement[0].close();
            pair[1].close();
        }
    }

    private void replace(final Fd self, final Fd other, final Fd[] replacement, final int[] calls) {
        calls[0]++;
        if (calls[0] == 1) {
            loop.remove(self);
            loop.remove(other);
            other.close();
            replacement[0] = Io.open("/proc/self/mountinfo", Io.O_RDONLY, 0);
            // Watched for nothing: an event meant for its number's last owner must not reach it.
            loop.add(replacement[0], 0, events -> errors.add(new AssertionError("a stranger's event")));
            loop.post(loop::stop);
        }
    }

    @Test
    void handlerMayRemoveItself() {
        final int[] calls = new int[1];
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]) {
            assertTrue(two.isOpen(), "the other end stays open");
            loop.add(one, EventLoop.EPOLLOUT, events -> {
                calls[0]++;
                loop.remove(one);
                loop.at(Clock.boottimeNanos() + 20 * MILLISECOND, loop::stop);
            });
            loop.run();
        }
        assertEquals(1, calls[0], "a removed handler should not be called again");
    }

    @Test
    void timersRunInOrderNeverEarly() {
        final long start = Clock.boottimeNanos();
        final List<String> order = new ArrayList<>();
        timer(order, "third", start + 30 * MILLISECOND);
        timer(order, "first", start - 5 * MILLISECOND);
        timer(order, "fourth", start + 30 * MILLISECOND);
        timer(order, "second", start + 10 * MILLISECOND);
        loop.at(start + 31 * MILLISECOND, loop::stop);
        loop.run();
        assertEquals(List.of("first", "second", "third", "fourth"), order, "by deadline, then as they were made");
        assertTrue(errors.isEmpty(), () -> "no timer should run early: " + errors);
    }

    private void timer(final List<String> order, final String name, final long deadline) {
        loop.at(deadline, () -> {
            order.add(name);
            if (Clock.boottimeNanos() < deadline) {
                errors.add(new AssertionError(name + " ran early"));
            }
        });
    }

    @Test
    void cancelledTimersDoNotRun() {
        final List<String> order = new ArrayList<>();
        final long start = Clock.boottimeNanos();
        final EventLoop.Timer first = loop.at(start + 5 * MILLISECOND, () -> order.add("cancelled before"));
        final EventLoop.Timer later = loop.at(start + 20 * MILLISECOND, () -> order.add("cancelled by a timer"));
        final EventLoop.Timer same = loop.at(start + 10 * MILLISECOND + 1, () -> order.add("cancelled when due"));
        loop.at(start + 10 * MILLISECOND, () -> {
            order.add("ran");
            loop.cancel(later);
            loop.cancel(same);
        });
        loop.cancel(first);
        loop.cancel(first);
        loop.cancel(null);
        loop.at(start + 30 * MILLISECOND, loop::stop);
        loop.run();
        assertEquals(List.of("ran"), order, "only the timer that nobody cancelled should run");
    }

    @Test
    void timerMayMakeTheNext() {
        final int[] runs = new int[1];
        final Runnable[] again = new Runnable[1];
        again[0] = () -> {
            if (++runs[0] == 100) {
                loop.stop();
            } else {
                loop.at(0, again[0]);
            }
        };
        loop.at(Clock.boottimeNanos() + MILLISECOND, again[0]);
        loop.run();
        assertEquals(100, runs[0], "each past deadline should fire at once");
    }

    @Test
    void dueTimersDoNotStarveDescriptors() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            Io.writeAll(out, new byte[1]);
            final Runnable[] again = new Runnable[1];
            again[0] = () -> loop.at(0, again[0]);
            again[0].run();
            loop.add(in, EventLoop.EPOLLIN, events -> loop.stop());
            loop.run();
            loop.remove(in);
        }
    }

    @Test
    void tasksOfFourThreadsAllRunInEachThreadsOrder() throws InterruptedException {
        final int threads = 4;
        final int each = 5_000;
        final int[] next = new int[threads];
        final int[] total = new int[1];
        final Thread runner = new Thread(loop::run, "test-loop");
        runner.start();
        final Thread[] posters = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            final int mine = t;
            posters[t] = new Thread(() -> {
                for (int i = 0; i < each; i++) {
                    final int number = i;
                    loop.post(() -> {
                        if (next[mine]++ != number || Thread.currentThread() != runner) {
                            errors.add(new AssertionError("task " + number + " of " + mine));
                        }
                        if (++total[0] == threads * each) {
                            loop.stop();
                        }
                    });
                }
            });
            posters[t].start();
        }
        for (final Thread poster : posters) {
            poster.join();
        }
        runner.join();
        assertEquals(threads * each, total[0], "every task should run once");
        assertTrue(errors.isEmpty(), () -> "in its thread's order, on the loop's thread: " + errors);
    }

    @Test
    void taskThatPostsItselfStarvesNobody() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            Io.writeAll(out, new byte[1]);
            final Runnable[] again = new Runnable[1];
            again[0] = () -> loop.post(again[0]);
            again[0].run();
            loop.add(in, EventLoop.EPOLLIN, events -> loop.stop());
            loop.run();
            loop.remove(in);
        }
    }

    @Test
    void errorsGoToTheirHandlerAndTheLoopGoesOn() {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            Io.writeAll(out, new byte[1]);
            loop.add(in, EventLoop.EPOLLIN, events -> {
                loop.remove(in);
                throw new IllegalStateException("handler");
            });
            loop.post(() -> {
                throw new IllegalStateException("task");
            });
            loop.at(0, () -> {
                throw new AssertionError("timer");
            });
            loop.at(Clock.boottimeNanos() + 20 * MILLISECOND, loop::stop);
            loop.run();
        }
        final List<String> messages = new ArrayList<>();
        for (final Throwable error : errors) {
            messages.add(error.getMessage());
        }
        messages.sort(null);
        assertEquals(List.of("handler", "task", "timer"), messages, "each should be reported once");
    }

    @Test
    void stopsFromAnotherThreadAndRunsAgain() throws InterruptedException {
        for (int round = 0; round < 20; round++) {
            final CountDownLatch running = new CountDownLatch(1);
            final Thread runner = new Thread(loop::run, "test-loop");
            loop.post(running::countDown);
            runner.start();
            running.await();
            loop.stop();
            runner.join();
        }
        loop.stop();
        loop.run();
    }

    @Test
    void onlyTheOwnThreadMayTouchARunningLoop() throws InterruptedException {
        final CountDownLatch running = new CountDownLatch(1);
        loop.post(running::countDown);
        final Thread runner = new Thread(loop::run, "test-loop");
        runner.start();
        running.await();
        assertThrows(IllegalStateException.class, () -> loop.at(0, () -> { }), "a timer from elsewhere");
        assertThrows(IllegalStateException.class, () -> loop.cancel(null), "cancel from elsewhere");
        assertThrows(IllegalStateException.class, loop::run, "a second thread");
        assertThrows(IllegalStateException.class, loop::close, "closing while it runs");
        loop.stop();
        runner.join();
    }

    @Test
    void closedLoopRefusesWork() {
        loop.close();
        assertThrows(IllegalStateException.class, () -> loop.post(() -> { }), "a task");
        assertThrows(IllegalStateException.class, () -> loop.at(0, () -> { }), "a timer");
        assertThrows(IllegalStateException.class, loop::run, "running");
        loop.stop();
        loop.close();
    }

    @Test
    void moreDescriptorsThanOneBatch() {
        final List<Fd> ends = new ArrayList<>();
        final int[] ready = new int[1];
        for (int i = 0; i < 150; i++) {
            final Fd[] pair = UnixSockets.pair();
            ends.addAll(List.of(pair));
            loop.add(pair[0], EventLoop.EPOLLOUT, events -> {
                loop.remove(pair[0]);
                if (++ready[0] == 150) {
                    loop.stop();
                }
            });
        }
        loop.run();
        ends.forEach(Fd::close);
        assertEquals(150, ready[0], "each should have its turn");
    }

    @Test
    void idleLoopStandsInOneCall() throws Exception {
        final Fd[] pipe = Io.pipe(true);
        try (Fd in = pipe[0]; Fd out = pipe[1]) {
            assertTrue(out.isOpen(), "nobody writes");
            loop.add(in, EventLoop.EPOLLIN, events -> errors.add(new AssertionError("nothing happened")));
            loop.at(Clock.boottimeNanos() + 3_600_000 * MILLISECOND, loop::stop);
            final int[] tid = new int[1];
            final CountDownLatch running = new CountDownLatch(1);
            loop.post(() -> {
                tid[0] = Io.gettid();
                running.countDown();
            });
            final Thread runner = new Thread(loop::run, "test-loop");
            runner.start();
            running.await();
            final LoopThread thread = new LoopThread(tid[0]);
            thread.awaitIdle();
            final long before = thread.switches();
            // The time watched, not a wait for something to happen.
            Thread.sleep(1_000);
            assertEquals(before, thread.switches(), "an idle loop should not wake");
            assertTrue(thread.inEndlessEpollWait(), "it should stand in one epoll_wait without limit");
            loop.stop();
            runner.join();
            loop.remove(in);
        }
        assertTrue(errors.isEmpty(), () -> "nothing should happen: " + errors);
    }
}
