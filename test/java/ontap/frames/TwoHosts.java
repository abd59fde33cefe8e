// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import ontap.rtnl.LinkSpec;
import ontap.rtnl.Rtnl;
import ontap.rtnl.kind.Veth;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Namespaces;
import ontap.sys.NsThread;
import ontap.sys.PacketSocket;
import ontap.sys.SysException;
import org.junit.jupiter.api.Assumptions;

/** Two network namespaces of a test's own: link {@code lan0} of the one is wired to {@code eth0} of the other. */
final class TwoHosts implements AutoCloseable {
    private static final int LIMIT_SECONDS = 30;

    final Fd lan;
    final Fd guest;

    /** Both links are up; they have no address. */
    TwoHosts() {
        lan = namespace();
        guest = namespace();
        try (Rtnl atLan = Rtnl.open(lan); Rtnl atGuest = Rtnl.open(guest)) {
            atLan.createLink(LinkSpec.of("lan0", Veth.to("eth0", guest)));
            quiet(lan, "lan0");
            quiet(guest, "eth0");
            atLan.setUp(atLan.link("lan0").index());
            atGuest.setUp(atGuest.link("eth0").index());
        }
    }

    /** A packet socket on a link of one of the two. */
    static Fd socket(final Fd host, final String link, final byte[] filter) {
        final int index;
        try (Rtnl rtnl = Rtnl.open(host)) {
            index = rtnl.link(link).index();
        }
        return in(host, () -> PacketSocket.open(index, filter));
    }

    /** Runs a program on one of the two; what it said. */
    static String run(final Fd host, final String... command) {
        return in(host, () -> {
            final Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
            try {
                p.getOutputStream().close();
                final String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertTrue(p.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS), List.of(command) + " should end");
                assertTrue(p.exitValue() == 0, List.of(command) + " should succeed: " + out);
                return out;
            } finally {
                p.destroyForcibly();
            }
        });
    }

    static <T> T in(final Fd host, final Callable<T> body) {
        return NsThread.call("test-inside", () -> {
            Namespaces.setns(host, Namespaces.CLONE_NEWNET);
            return body.call();
        });
    }

    @Override
    public void close() {
        guest.close();
        lan.close();
    }

    /** No link-local address, whose detection would be heard. */
    private static void quiet(final Fd host, final String link) {
        in(host, () -> {
            try (Fd fd = Io.open("/proc/sys/net/ipv6/conf/" + link + "/addr_gen_mode", Io.O_WRONLY, 0)) {
                Io.writeAll(fd, new byte[] {'1'});
            }
            return null;
        });
    }

    private static Fd namespace() {
        try {
            return NsThread.call("test-namespace", () -> {
                Namespaces.unshare(Namespaces.CLONE_NEWNET);
                return Namespaces.ofThread("net");
            });
        } catch (final SysException e) {
            if (e.errno() == Errno.EPERM) {
                Assumptions.abort("not applicable: making a network namespace needs CAP_SYS_ADMIN");
            }
            throw e;
        }
    }
}
