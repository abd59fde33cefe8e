// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static ontap.rtnl.RequestTest.ip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import ontap.netlink.NetlinkException;
import ontap.rtnl.kind.Veth;
import ontap.sys.Clock;
import ontap.sys.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Addresses, routes and neighbours on a veth pair between two namespaces of the test's own. */
@Timeout(60)
class AddressesKernelTest {
    private TestNamespace host;
    private TestNamespace guest;
    private Rtnl rtnl;
    private Rtnl other;
    private int index;
    private int otherIndex;

    @BeforeEach
    void makePair() {
        host = TestNamespace.make();
        guest = TestNamespace.make();
        rtnl = host.open();
        other = guest.open();
        index = rtnl.createLink(LinkSpec.of("v0", Veth.to("v0", guest.fd())).withUp());
        otherIndex = other.link("v0").index();
        other.setUp(otherIndex);
    }

    @AfterEach
    void closeAll() {
        if (rtnl != null) {
            rtnl.close();
            other.close();
            guest.close();
            host.close();
        }
    }

    @Test
    void addsAndDeletesAddresses() throws Exception {
        rtnl.addAddress(index, ip("192.0.2.1"), 24, RtnlConstants.IFA_F_NOPREFIXROUTE);
        rtnl.addAddress(index, ip("2001:db8::1"), 64, RtnlConstants.IFA_F_NODAD);
        final long before = Clock.monotonicNanos() / 1_000_000;
        rtnl.addAddress(Address.of(index, ip("2001:db8::2"), 64, RtnlConstants.IFA_F_NODAD).withLifetimes(50L, 1000L));
        final long after = Clock.monotonicNanos() / 1_000_000;
        host.says(List.of("addr", "show", "dev", "v0"), "\"local\":\"192.0.2.1\",\"prefixlen\":24", "\"noprefixroute\":true",
                "\"local\":\"2001:db8::1\",\"prefixlen\":64", "\"nodad\":true", "\"local\":\"2001:db8::2\"");
        final Address four = find(rtnl, "192.0.2.1");
        assertEquals(24, four.prefixLength(), "prefix");
        assertEquals(index, four.index(), "link");
        assertTrue((four.flags() & RtnlConstants.IFA_F_NOPREFIXROUTE) != 0, "a flag beyond eight bits is read");
        assertNull(four.validSeconds(), "for ever");
        assertTrue(find(rtnl, "2001:db8::1").usable(), "usable at once without detection");
        final Address timed = find(rtnl, "2001:db8::2");
        final long updated = timed.updatedMillis();
        // the kernel counts in ticks, which began a moment after its clock
        assertTrue(updated > before - 1000 && updated <= after, before + " <= " + updated + " <= " + after);
        assertTrue(timed.validSeconds() > 900 && timed.validSeconds() <= 1000, "valid: " + timed.validSeconds());
        assertTrue(timed.preferredSeconds() > 0 && timed.preferredSeconds() <= 50, "preferred");
        rtnl.replaceAddress(timed.withLifetimes(0L, 2000L));
        assertTrue(find(rtnl, "2001:db8::2").deprecated(), "no longer preferred");
        host.says(List.of("addr", "show", "dev", "v0"), "\"deprecated\":true");
        final NetlinkException twice = assertThrows(
                NetlinkException.class, () -> rtnl.addAddress(index, ip("192.0.2.1"), 24, 0), "it is there already");
        assertEquals(Errno.EEXIST, twice.errno(), "EEXIST");
        assertTrue(twice.getMessage().startsWith("RTM_NEWADDR 192.0.2.1/24 index " + index), "which: " + twice.getMessage());
        rtnl.deleteAddress(index, ip("192.0.2.1"), 24);
        rtnl.deleteAddress(index, ip("2001:db8::1"), 64);
        final String json = host.ip("addr", "show", "dev", "v0");
        assertFalse(json.contains("192.0.2.1") || json.contains("2001:db8::1\""), "both are gone: " + json);
        assertEquals(Errno.EADDRNOTAVAIL, assertThrows(
                NetlinkException.class, () -> rtnl.deleteAddress(index, ip("192.0.2.1"), 24), "not there").errno(), "number");
    }

    @Test
    void tellsTentativeAndDuplicateAddresses() throws Exception {
        other.addAddress(otherIndex, ip("2001:db8::5"), 64, RtnlConstants.IFA_F_NODAD);
        final List<RtnlEvent> seen = new ArrayList<>();
        try (RtnlMonitor monitor = host.monitor(false, 0)) {
            rtnl.addAddress(index, ip("2001:db8::5"), 64, 0);
            rtnl.addAddress(index, ip("2001:db8::6"), 64, 0);
            final Address early = find(rtnl, "2001:db8::6");
            assertTrue(early.tentative() && !early.usable(), "tentative while detection runs: " + early);
            final InetAddress taken = ip("2001:db8::5");
            TestNamespace.await(monitor, seen, e -> e instanceof RtnlEvent.AddressNew a
                    && a.address().ip().equals(taken) && a.address().dadFailed());
            final InetAddress free = ip("2001:db8::6");
            if (seen.stream().noneMatch(e -> usable(e, free))) {
                TestNamespace.await(monitor, seen, e -> usable(e, free));
            }
        }
        final Address refused = find(rtnl, "2001:db8::5");
        assertTrue(refused.dadFailed() && !refused.usable(), "the address stays on the link: " + refused);
        assertTrue(find(rtnl, "2001:db8::6").usable(), "the other is free");
        host.says(List.of("addr", "show", "dev", "v0"), "\"dadfailed\":true");
    }

    @Test
    void addsAndDeletesRoutes() throws Exception {
        rtnl.addAddress(index, ip("192.0.2.1"), 24, 0);
        rtnl.addAddress(index, ip("2001:db8::1"), 64, RtnlConstants.IFA_F_NODAD);
        rtnl.addRoute(null, 0, ip("192.0.2.254"), null);
        rtnl.addRoute(ip("198.51.100.0"), 24, null, index);
        rtnl.addRoute(null, 0, ip("2001:db8::ff"), index);
        final Route table = Route.unicast(ip("203.0.113.0"), 24, ip("2001:db8::fe"), index)
                .withTable(1000).withMetric(9).withProtocol(RtnlConstants.RTPROT_DHCP);
        rtnl.addRoute(table);
        host.says(List.of("route", "show"), "{\"dst\":\"default\",\"gateway\":\"192.0.2.254\",\"dev\":\"v0\"",
                "{\"dst\":\"198.51.100.0/24\",\"dev\":\"v0\"", "\"protocol\":\"static\"");
        host.says(List.of("-6", "route", "show"), "{\"dst\":\"default\",\"gateway\":\"2001:db8::ff\"");
        host.says(List.of("route", "show", "table", "1000"), "203.0.113.0/24", "2001:db8::fe", "\"metric\":9", "dhcp");
        final List<Route> four = rtnl.routes(RtnlConstants.AF_INET);
        assertTrue(four.contains(table), "the same record is read back: " + four);
        assertTrue(four.stream().allMatch(r -> r.family() == RtnlConstants.AF_INET), "only the family asked for");
        assertTrue(four.stream().anyMatch(r -> r.destination() == null && r.prefixLength() == 0 && r.oif() == index), "default");
        assertTrue(rtnl.routes(0).size() > four.size(), "both families");
        rtnl.replaceRoute(table.withProtocol(RtnlConstants.RTPROT_STATIC));
        host.says(List.of("route", "show", "table", "1000"), "static");
        rtnl.deleteRoute(table.withProtocol(RtnlConstants.RTPROT_STATIC));
        rtnl.deleteRoute(Route.unicast(null, 0, ip("192.0.2.254"), null));
        assertFalse(host.ip("route", "show").contains("default"), "deleted");
        assertEquals(Errno.ESRCH, assertThrows(
                NetlinkException.class, () -> rtnl.deleteRoute(Route.unicast(null, 0, ip("192.0.2.254"), null)),
                "not there").errno(), "number");
        assertThrows(IllegalArgumentException.class, () -> Route.unicast(null, 0, null, index), "no family");
    }

    @Test
    void setsWhatALeaseGives() throws Exception {
        final Address leased = Address.of(index, ip("192.0.2.7"), 24, 0).withBroadcast(ip("192.0.2.255"));
        rtnl.addAddress(leased.withLifetimes(60L, 600L));
        host.says(List.of("addr", "show", "dev", "v0"), "\"local\":\"192.0.2.7\",\"prefixlen\":24,\"broadcast\":\"192.0.2.255\"");
        rtnl.replaceAddress(leased);
        assertNull(find(rtnl, "192.0.2.7").validSeconds(), "without a lifetime it is for ever, whatever it was before");
        final Route near = Route.unicast(null, 0, ip("192.0.2.1"), index).withProtocol(RtnlConstants.RTPROT_DHCP)
                .withMetric(1024).withSource(ip("192.0.2.7"));
        final Route far = Route.unicast(ip("203.0.113.0"), 24, ip("198.51.100.1"), index).withOnLink(true);
        rtnl.appendRoute(near);
        rtnl.appendRoute(far);
        host.says(List.of("route", "show"), "\"gateway\":\"192.0.2.1\",\"dev\":\"v0\",\"protocol\":\"dhcp\",\"prefsrc\":\"192.0.2.7\",\"metric\":1024",
                "\"gateway\":\"198.51.100.1\",\"dev\":\"v0\",\"protocol\":\"static\",\"flags\":[\"onlink\"]");
        assertTrue(rtnl.routes(RtnlConstants.AF_INET).containsAll(List.of(near, far)), "the same records are read back");
        assertEquals(Errno.EEXIST, assertThrows(NetlinkException.class, () -> rtnl.appendRoute(near)).errno(), "twice");
        final Route second = Route.unicast(null, 0, ip("192.0.2.2"), index).withProtocol(RtnlConstants.RTPROT_DHCP)
                .withMetric(1024).withSource(ip("192.0.2.7"));
        rtnl.appendRoute(second);
        assertEquals(List.of(near, second), rtnl.routesOfLink(index, RtnlConstants.AF_INET, RtnlConstants.RTPROT_DHCP),
                "behind the first; of this link and protocol");
        assertEquals(List.of(), rtnl.routesOfLink(1, RtnlConstants.AF_INET, RtnlConstants.RTPROT_DHCP), "of lo");
    }

    @Test
    void readsTheAddressesOfOneLink() throws Exception {
        rtnl.addAddress(index, ip("192.0.2.1"), 24, 0);
        rtnl.addAddress(index, ip("2001:db8::1"), 64, RtnlConstants.IFA_F_NODAD);
        rtnl.addAddress(1, ip("192.0.2.9"), 32, 0);
        assertEquals(List.of(find(rtnl, "192.0.2.1")), rtnl.addressesOfLink(index, RtnlConstants.AF_INET));
        assertTrue(rtnl.addressesOfLink(index, RtnlConstants.AF_INET6).contains(find(rtnl, "2001:db8::1")), "IPv6");
        assertTrue(rtnl.addressesOfLink(index, RtnlConstants.AF_INET6).stream()
                .allMatch(a -> a.index() == index && a.family() == RtnlConstants.AF_INET6), "and nothing else");
        assertEquals(Errno.ENODEV, assertThrows(
                NetlinkException.class, () -> rtnl.addressesOfLink(4711, RtnlConstants.AF_INET)).errno(), "no such link");
    }

    @Test
    void addsAndDeletesNeighbours() throws Exception {
        final byte[] mac = {2, 0, 0, 0, 0, 9};
        for (final String text : List.of("192.0.2.9", "2001:db8::9")) {
            final InetAddress ip = ip(text);
            final Neighbour n =
                    new Neighbour(IpBytes.family(ip), ip, mac, index, RtnlConstants.NUD_PERMANENT);
            rtnl.addNeighbour(n);
            host.says(List.of("neigh", "show"), "\"dst\":\"" + text + "\"", "\"lladdr\":\"02:00:00:00:00:09\"", "PERMANENT");
            assertTrue(rtnl.neighbours().contains(n), "the same record is read back: " + rtnl.neighbours());
            rtnl.deleteNeighbour(index, ip);
            assertFalse(host.ip("neigh", "show", "nud", "permanent").contains(text), "deleted");
        }
    }

    private static boolean usable(final RtnlEvent e, final InetAddress ip) {
        return e instanceof RtnlEvent.AddressNew a && a.address().ip().equals(ip) && a.address().usable();
    }

    private static Address find(final Rtnl rtnl, final String text) throws Exception {
        final InetAddress ip = ip(text);
        return rtnl.addresses().stream().filter(a -> a.ip().equals(ip)).findFirst().orElseThrow();
    }
}
