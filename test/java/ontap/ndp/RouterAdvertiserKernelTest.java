// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import ontap.rtnl.Address;
import ontap.rtnl.LinkSpec;
import ontap.rtnl.Rtnl;
import ontap.rtnl.RtnlConstants;
import ontap.rtnl.RtnlMonitor;
import ontap.rtnl.kind.Veth;
import ontap.sys.Clock;
import ontap.sys.Errno;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.Namespaces;
import ontap.sys.NsThread;
import ontap.sys.SysException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The kernel's own host side (net/ipv6/ndisc.c) believes what is advertised; ip(8) is the witness. */
@Timeout(60)
class RouterAdvertiserKernelTest {
    private static final int LIMIT_SECONDS = 30;
    private static final RouterAdvertisement SAID = RouterAdvertisement.of(List.of(
            RouterAdvertiser.parsePrefix("fd00:77::/64"), new NdpOption.Mtu(1400)));
    /** Unasked it speaks once: what comes later was asked for. */
    private static final RouterAdvertiser.Pace ONCE = new RouterAdvertiser.Pace(1, 3_600_000, 3_600_000);

    private final List<Throwable> errors = new ArrayList<>();
    private Fd router;
    private Fd host;
    private EventLoop loop;
    private RtnlMonitor monitor;
    private Rtnl atHost;
    private int hostIndex;

    @BeforeEach
    void make() throws Exception {
        router = namespace();
        host = namespace();
        loop = new EventLoop(errors::add);
        try (Rtnl atRouter = Rtnl.open(router)) {
            final int index = atRouter.createLink(LinkSpec.of("lan0", Veth.to("eth0", host)));
            atRouter.setAddrGenMode(index, RtnlConstants.IN6_ADDR_GEN_MODE_NONE);
        }
        monitor = in(host, () -> RtnlMonitor.open(false));
        atHost = Rtnl.open(host);
        hostIndex = atHost.link("eth0").index();
    }

    @AfterEach
    void end() {
        atHost.close();
        monitor.close();
        loop.close();
        host.close();
        router.close();
        assertEquals(List.of(), errors, "nothing throws in the loop");
    }

    @Test
    void hostMakesItselfAnAddressOfWhatIsAdvertised() throws Exception {
        final RouterAdvertiser advertiser = RouterAdvertiser.open(loop, router, "lan0", SAID, ONCE);
        try {
            // Only now can anything be sent: the kernel's news of the link start it.
            upAtRouter();
            atHost.setUp(hostIndex);
            await(this::hasAddress, "the host should have an address of fd00:77::/64");
        } finally {
            advertiser.close();
        }
        final String address = ip(host, "-6", "addr", "show", "dev", "eth0");
        assertTrue(address.contains("\"local\":\"fd00:77::"), "ip sees the address: " + address);
        assertTrue(address.contains("\"dynamic\":true"), "its lifetime is limited: " + address);
        assertTrue(ip(host, "link", "show", "dev", "eth0").contains("\"mtu\":1500"), "the link's own MTU stays");
    }

    @Test
    void hostLearnsRouteRouterAndMtuAndThatTheRouterGoes() throws Exception {
        upAtRouter();
        atHost.setUp(hostIndex);
        final RouterAdvertiser advertiser = RouterAdvertiser.open(loop, router, "lan0", SAID, ONCE);
        await(this::hasAddress, "the host should have an address of fd00:77::/64");
        final String routes = ip(host, "-6", "route", "show");
        assertTrue(routes.contains("\"dst\":\"default\",\"gateway\":\"fe80::1\""), "a default route: " + routes);
        assertTrue(routes.contains("\"hoplimit\":64") || routes.contains("\"pref\":\"medium\""), routes);
        assertEquals("1400", in(host, () -> run(List.of("cat", "/proc/sys/net/ipv6/conf/eth0/mtu"))).trim(),
                "the MTU of IPv6 on the link");
        final String neighbours = ip(host, "-6", "neigh", "show", "dev", "eth0");
        assertTrue(neighbours.contains("\"lladdr\":\"" + hwaddrAtRouter() + "\""),
                "the router's hardware address came with it: " + neighbours);
        advertiser.close();
        // No event of ours tells of routes: a few looks, each after some packet has been dealt with.
        final long end = Clock.monotonicNanos() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        String after = routes;
        while (after.contains("default") && Clock.monotonicNanos() < end) {
            after = ip(host, "-6", "route", "show");
        }
        assertTrue(!after.contains("default"), "the farewell takes the default route away: " + after);
    }

    @Test
    void hostThatAsksIsAnswered() throws Exception {
        upAtRouter();
        try (Rtnl atRouter = Rtnl.open(router)) {
            // There is a carrier, so that the one advertisement to all is sent, while the host is deaf to it.
            in(host, () -> run(List.of("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra")));
            atHost.setUp(hostIndex);
            await(() -> atRouter.link("lan0").running(), "the cable is in");
        }
        final RouterAdvertiser advertiser = RouterAdvertiser.open(loop, router, "lan0", SAID, ONCE);
        try {
            await(this::hasLinkLocal, "the host should have its link-local address");
            in(host, () -> run(List.of("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")));
            // Set up anew it asks, after the detection of duplicate addresses.
            atHost.setDown(hostIndex);
            atHost.setUp(hostIndex);
            await(this::hasAddress, "the host should have an address of fd00:77::/64");
        } finally {
            advertiser.close();
        }
    }

    private void upAtRouter() throws Exception {
        try (Rtnl atRouter = Rtnl.open(router)) {
            final int index = atRouter.link("lan0").index();
            atRouter.addAddress(index, InetAddress.getByName("fe80::1"), 64, RtnlConstants.IFA_F_NODAD);
            atRouter.setUp(index);
        }
    }

    private String hwaddrAtRouter() {
        try (Rtnl atRouter = Rtnl.open(router)) {
            return atRouter.link("lan0").hwaddrText();
        }
    }

    private boolean hasAddress() {
        return hasAddress(0xfd);
    }

    private boolean hasLinkLocal() {
        return hasAddress(0xfe);
    }

    private boolean hasAddress(final int firstByte) {
        for (final Address a : atHost.addresses()) {
            if (a.index() == hostIndex && a.usable() && a.ip() instanceof Inet6Address
                    && (a.ip().getAddress()[0] & 0xff) == firstByte) {
                return true;
            }
        }
        return false;
    }

    /** Serves the loop until it holds, looking again at each event of the host's links and addresses. */
    private void await(final BooleanSupplier holds, final String what) {
        if (holds.getAsBoolean()) {
            return;
        }
        loop.add(monitor.fd(), EventLoop.EPOLLIN, events -> {
            monitor.receive();
            if (holds.getAsBoolean()) {
                loop.stop();
            }
        });
        final EventLoop.Timer limit =
                loop.at(Clock.boottimeNanos() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS), loop::stop);
        loop.run();
        loop.cancel(limit);
        loop.remove(monitor.fd());
        assertTrue(holds.getAsBoolean(), what + " within " + LIMIT_SECONDS + " s: " + atHost.addresses());
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

    private static <T> T in(final Fd namespace, final Callable<T> body) {
        return NsThread.call("test-inside", () -> {
            Namespaces.setns(namespace, Namespaces.CLONE_NEWNET);
            return body.call();
        });
    }

    private static String ip(final Fd namespace, final String... words) {
        final List<String> command = new ArrayList<>(List.of("ip", "-j"));
        command.addAll(List.of(words));
        return in(namespace, () -> run(command));
    }

    private static String run(final List<String> command) throws Exception {
        final Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
        p.getOutputStream().close();
        final String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(p.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS), command + " should end");
        assertEquals(0, p.exitValue(), command + " should succeed: " + out);
        return out;
    }
}
