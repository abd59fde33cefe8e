// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A program spawned by the calling thread: empty stdin, stdout to the test, stderr as the test's. */
final class Child implements AutoCloseable {
    static final int DEADLINE_MILLIS = 20_000;
    private static final List<String> ENV = List.of("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C");

    final int pid;
    final Fd pidfd;
    private final Fd stdin;
    private final Fd stdout;

    private Child(final Map<Integer, Fd> fds, final List<String> env, final List<String> argv) {
        final Fd[] in = Io.pipe(false);
        final Fd[] out = Io.pipe(false);
        try (Fd childIn = in[0]; Fd childOut = out[1]; Fd childErr = standardError()) {
            final Map<Integer, Fd> all = new TreeMap<>(fds);
            all.put(0, childIn);
            all.put(1, childOut);
            all.put(2, childErr);
            pid = Spawn.run(new Spawn.Request(argv.get(0), argv, env, all));
        } catch (final RuntimeException e) {
            in[1].close();
            out[0].close();
            throw e;
        }
        pidfd = PidFd.open(pid);
        stdin = in[1];
        stdout = out[0];
    }

    /** A copy of this process's own, which is not the test's to close. */
    private static Fd standardError() {
        final Fd own = Fd.own(2, "stderr");
        try {
            return own.dup();
        } finally {
            own.disown();
        }
    }

    /** Runs until {@link #finish} or {@link #close} closes its stdin or kills it. */
    static Child start(final String... argv) {
        return new Child(Map.of(), ENV, List.of(argv));
    }

    static Child start(final Map<Integer, Fd> fds, final List<String> env, final String... argv) {
        return new Child(fds, env, List.of(argv));
    }

    /** What the program prints; it has to exit with 0. */
    static String output(final String... argv) {
        try (Child child = start(argv)) {
            return child.finish();
        }
    }

    static String output(final Map<Integer, Fd> fds, final List<String> env, final String... argv) {
        try (Child child = start(fds, env, argv)) {
            return child.finish();
        }
    }

    /** One line of its output, without the line's end. */
    String line() {
        final StringBuilder line = new StringBuilder();
        for (int c = readByte(); c >= 0 && c != '\n'; c = readByte()) {
            line.append((char) c);
        }
        return line.toString();
    }

    private String finish() {
        stdin.close();
        final ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int c = readByte(); c >= 0; c = readByte()) {
            text.write(c);
        }
        assertEquals(new PidFd.ExitStatus(false, 0), end(), "The program should exit with 0.");
        return text.toString(StandardCharsets.UTF_8);
    }

    private int readByte() {
        final byte[] one = new byte[1];
        if (Io.await(stdout, Io.POLLIN, DEADLINE_MILLIS) == 0) {
            throw new AssertionError("The program should print something or end.");
        }
        return Io.read(stdout, one, 0, 1) == 0 ? -1 : one[0] & 0xff;
    }

    /** Waits for the end, and reaps. */
    PidFd.ExitStatus end() {
        if (Io.await(pidfd, Io.POLLIN, DEADLINE_MILLIS) == 0) {
            throw new AssertionError("The program should end in time.");
        }
        return PidFd.reap(pidfd);
    }

    @Override
    public void close() {
        stdin.close();
        stdout.close();
        try {
            PidFd.signal(pidfd, 9);
            end();
        } catch (SysException e) {
            assertEquals(Errno.ESRCH, e.errno(), "Only a reaped child may refuse a signal.");
        }
        pidfd.close();
    }

    /** What {@code ls -l /proc/self/fd} printed, as {@code number target} each, without the one ls reads by. */
    static List<String> descriptors(final String listing) {
        final List<String> found = new ArrayList<>();
        for (final String line : listing.split("\n")) {
            final int arrow = line.indexOf(" -> ");
            if (arrow > 0 && !line.endsWith("/fd")) {
                found.add(line.substring(line.lastIndexOf(' ', arrow - 1) + 1, arrow) + line.substring(arrow + 3));
            }
        }
        return found;
    }

    /** The value of a line {@code Name:\tvalue} in the text of a /proc/PID/status. */
    static String field(final String status, final String name) {
        for (final String line : status.split("\n")) {
            if (line.startsWith(name + ":")) {
                return line.substring(name.length() + 1).trim().replace('\t', ' ');
            }
        }
        throw new AssertionError("There should be a line " + name + " in: " + status);
    }
}
