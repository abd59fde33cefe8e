// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static ontap.rtnl.RequestTest.ip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import ontap.rtnl.kind.Veth;
import ontap.sys.Io;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Default routes of RTPROT_RA, made by hand: what a monitor hears of them, and what it does not hear of others. */
@Timeout(60)
class RoutersKernelTest {
    private TestNamespace host;
    private Rtnl rtnl;
    private RtnlMonitor monitor;
    private int index;
    private InetAddress first;
    private InetAddress second;

    @BeforeEach
    void makeALink() throws Exception {
        host = TestNamespace.make();
        rtnl = host.open();
        index = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")));
        host.raise(rtnl, index, rtnl.link("v1").index());
        first = ip("fe80::a");
        second = ip("fe80::b");
        rtnl.addAddress(index, ip("2001:db8::1"), 64, RtnlConstants.IFA_F_NODAD);
        monitor = host.in(() -> RtnlMonitor.open(true, 0, RtnlMonitor.Routers.ROUTES));
    }

    @AfterEach
    void closeAll() {
        monitor.close();
        rtnl.close();
        host.close();
    }

    private Route advertised(final InetAddress gateway) {
        return Route.unicast(null, 0, gateway, index).withProtocol(RtnlConstants.RTPROT_RA).withMetric(1024);
    }

    /** What came of routers; addresses and links have events of their own meanwhile. */
    private List<RtnlEvent> routers() {
        final List<RtnlEvent> out = new ArrayList<>(monitor.receive());
        out.removeIf(e -> !(e instanceof RtnlEvent.RouterNew || e instanceof RtnlEvent.RouterGone));
        return out;
    }

    @Test
    void hearsRoutersComeAndGo() {
        rtnl.addRoute(advertised(first));
        assertEquals(List.of(new RtnlEvent.RouterNew(null, index, first)), routers(), "one came");
        rtnl.appendRoute(advertised(second));
        assertTrue(routers().contains(new RtnlEvent.RouterNew(null, index, second)), "another came");
        final List<InetAddress> there = new ArrayList<>();
        rtnl.advertisedDefaults().forEach(r -> there.add(r.gateway()));
        assertEquals(List.of(first, second), there, "both are read");
        host.says(List.of("-6", "route", "show", "default", "proto", "ra"), "fe80::a", "fe80::b");
        rtnl.deleteRoute(advertised(first));
        assertEquals(List.of(new RtnlEvent.RouterGone(null, index, first)), routers(), "one went");
        rtnl.setDown(index);
        assertTrue(routers().contains(new RtnlEvent.RouterGone(null, index, second)), "the other with its link");
        assertEquals(List.of(), rtnl.advertisedDefaults(), "none is left");
    }

    @Test
    void hearsThemInOtherNamespaces() {
        try (TestNamespace guest = TestNamespace.make(); Rtnl inside = guest.open()) {
            final int nsid = rtnl.ensureNsid(guest.fd());
            final int there = inside.createLink(LinkSpec.of("w0", Veth.to("w1")));
            guest.raise(inside, there, inside.link("w1").index());
            routers();
            inside.addRoute(Route.unicast(null, 0, first, there).withProtocol(RtnlConstants.RTPROT_RA));
            assertEquals(List.of(new RtnlEvent.RouterNew(nsid, there, first)), routers(), "with the id of the guest");
            assertEquals(List.of(), rtnl.advertisedDefaults(), "it is not ours");
        }
    }

    @Test
    void isNotWokenByOtherRoutes() throws Exception {
        // the link-local addresses pass their detection first: each is news, and a route as well
        final Set<Integer> waiting = new HashSet<>(Set.of(index, rtnl.link("v1").index()));
        TestNamespace.await(monitor, new ArrayList<>(), e -> {
            if (e instanceof RtnlEvent.AddressNew a && a.address().usable() && a.address().ip().isLinkLocalAddress()) {
                waiting.remove(a.address().index());
            }
            return waiting.isEmpty();
        });
        assertEquals(List.of(), monitor.receive(), "it is quiet");
        rtnl.addRoute(Route.unicast(null, 0, first, index)); // static
        rtnl.addRoute(Route.unicast(ip("2001:db8:1::"), 48, first, index).withProtocol(RtnlConstants.RTPROT_RA));
        rtnl.addRoute(Route.unicast(ip("2001:db8:2::"), 48, null, index));
        rtnl.deleteRoute(Route.unicast(ip("2001:db8:2::"), 48, null, index));
        rtnl.deleteRoute(Route.unicast(null, 0, first, index));
        assertEquals(0, Io.await(monitor.fd(), Io.POLLIN, 0), "nothing is there to be read");
        rtnl.addRoute(advertised(first));
        assertEquals(Io.POLLIN, Io.await(monitor.fd(), Io.POLLIN, 0), "now there is");
    }
}
