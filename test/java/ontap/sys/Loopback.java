// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * A network namespace of a test's own, in which nothing is but loopback: the body, and every thread and process that it
 * starts, is inside. A body that leaves descriptors open fails.
 */
public final class Loopback {
    /** A test's body. */
    @FunctionalInterface
    public interface Body {
        /** What it throws fails the test. */
        void run() throws Exception;
    }

    private Loopback() {
    }

    /** Runs the body with 127.0.0.0/8, ::1, fd00::1, fd00::2 and fd00::3 on loopback. */
    public static void run(final Body body) {
        Privilege.toUnshare();
        NsThread.call("test-loopback", () -> {
            Namespaces.unshare(Namespaces.CLONE_NEWNET);
            ip("link set lo up");
            for (int i = 1; i <= 3; i++) {
                address("fd00::" + i + "/128", "lo");
            }
            final TreeSet<String> before = new TreeSet<>(Fd.open());
            body.run();
            assertEquals(before, new TreeSet<>(Fd.open()), "the test should close every descriptor it opened");
            return null;
        });
    }

    /** Inside, makes a link d0 that is up, and its other end d1; the zone of d0's addresses, with its percent sign. */
    public static String pair() throws Exception {
        ip("link add d0 type veth peer name d1");
        // What is sent to a group on d0 comes back from d1, else.
        Files.writeString(Path.of("/proc/sys/net/ipv6/conf/d1/disable_ipv6"), "1");
        ip("link set d1 up");
        ip("link set d0 up");
        return "%" + InetSockets.endpoint("fe80::1%d0", 0).link();
    }

    /** Inside, adds an IPv6 address, and waits until it can be used: its route comes a little later. */
    public static void address(final String prefix, final String link) throws Exception {
        ip("addr add " + prefix + " dev " + link + " nodad");
        final Endpoint at = Endpoint.of(prefix.substring(0, prefix.indexOf('/')), 0);
        // Destination, its length, …, and the flags: RTF_LOCAL.
        final Pattern route = Pattern.compile(String.format("%016x%016x 80( +\\S+){6} +8\\S+ .*", at.high(), at.low()));
        while (Files.readAllLines(Path.of("/proc/thread-self/net/ipv6_route")).stream()
                .noneMatch(line -> route.matcher(line).matches())) {
            Thread.onSpinWait();
        }
    }

    /** ip(8) with these words, inside. */
    public static void ip(final String words) throws Exception {
        final String command = "ip " + words;
        final Process process = new ProcessBuilder(command.split(" ")).inheritIO().start();
        try {
            assertEquals(true, process.waitFor(20, TimeUnit.SECONDS), command + " should end");
            assertEquals(0, process.exitValue(), command + " should succeed");
        } finally {
            process.destroyForcibly();
        }
    }
}
