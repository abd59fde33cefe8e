// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import ontap.sys.Clock;
import ontap.sys.Errno;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.Namespaces;
import ontap.sys.NsThread;
import ontap.sys.SysException;
import org.junit.jupiter.api.Assumptions;

/** A network namespace of a test's own, held by a descriptor, with ip(8) as the witness of what is in it. */
final class TestNamespace implements AutoCloseable {
    private static final long LIMIT_SECONDS = 20;

    private final Fd fd;

    private TestNamespace(final Fd fd) {
        this.fd = fd;
    }

    static TestNamespace make() {
        try {
            return new TestNamespace(NsThread.call("test-namespace", () -> {
                Namespaces.unshare(Namespaces.CLONE_NEWNET);
                return Namespaces.ofThread("net");
            }));
        } catch (final SysException e) {
            if (e.errno() == Errno.EPERM) {
                Assumptions.abort("not applicable: making a network namespace needs CAP_SYS_ADMIN");
            }
            throw e;
        }
    }

    Fd fd() {
        return fd;
    }

    Rtnl open() {
        return Rtnl.open(fd);
    }

    RtnlMonitor monitor(final boolean all, final int buffer) {
        return in(() -> RtnlMonitor.open(all, buffer));
    }

    <T> T in(final Callable<T> body) {
        return NsThread.call("test-inside", () -> {
            Namespaces.setns(fd, Namespaces.CLONE_NEWNET);
            return body.call();
        });
    }

    /** What {@code ip -j} with these words prints in the namespace. */
    String ip(final String... words) {
        final List<String> command = new ArrayList<>(List.of("ip", "-j"));
        command.addAll(List.of(words));
        return in(() -> run(command));
    }

    /** Asserts that every piece stands in what {@code ip} prints. */
    void says(final List<String> words, final String... pieces) {
        final String json = ip(words.toArray(new String[0]));
        for (final String piece : pieces) {
            assertTrue(json.contains(piece), "ip " + String.join(" ", words) + " should say " + piece + ": " + json);
        }
    }

    /** Sets links up and waits until all have a carrier: before that, they lose what is sent without a word. */
    void raise(final Rtnl rtnl, final int... indexes) {
        final List<Integer> waiting = new ArrayList<>();
        try (RtnlMonitor monitor = monitor(false, 0)) {
            for (final int index : indexes) {
                rtnl.setUp(index);
            }
            for (final int index : indexes) {
                if (!rtnl.link(index).running()) {
                    waiting.add(index);
                }
            }
            if (!waiting.isEmpty()) {
                await(monitor, new ArrayList<>(), e -> e instanceof RtnlEvent.LinkNew l && l.link().running()
                        && waiting.remove((Integer) l.link().index()) && waiting.isEmpty());
            }
        }
    }

    /** Receives until the wanted event has come, which is returned; at most some seconds. */
    static RtnlEvent await(final RtnlMonitor monitor, final List<RtnlEvent> seen, final Predicate<RtnlEvent> wanted) {
        final List<RtnlEvent> found = new ArrayList<>();
        final List<Throwable> errors = new ArrayList<>();
        try (EventLoop loop = new EventLoop(errors::add)) {
            loop.add(monitor.fd(), EventLoop.EPOLLIN, events -> {
                for (final RtnlEvent e : monitor.receive()) {
                    seen.add(e);
                    if (found.isEmpty() && wanted.test(e)) {
                        found.add(e);
                        loop.stop();
                    }
                }
            });
            loop.at(Clock.boottimeNanos() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS), loop::stop);
            loop.run();
        }
        assertEquals(List.of(), errors, "receiving does not throw");
        assertTrue(!found.isEmpty(), "the event should come within " + LIMIT_SECONDS + " s; what came: " + seen);
        return found.get(0);
    }

    @Override
    public void close() {
        fd.close();
    }

    private static String run(final List<String> command) throws IOException, InterruptedException {
        final Process p = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        p.getOutputStream().close();
        final String out;
        try {
            out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(p.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS), command + " should end");
        } finally {
            p.destroyForcibly();
        }
        assertEquals(0, p.exitValue(), command + " should succeed: " + out);
        return out;
    }
}
