// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import ontap.netlink.NetlinkException;
import ontap.rtnl.kind.Bridge;
import ontap.rtnl.kind.Dummy;
import ontap.rtnl.kind.Ipvlan;
import ontap.rtnl.kind.Ipvtap;
import ontap.rtnl.kind.LinkKind;
import ontap.rtnl.kind.Macvlan;
import ontap.rtnl.kind.Macvtap;
import ontap.rtnl.kind.Tun;
import ontap.rtnl.kind.Veth;
import ontap.sys.Errno;
import ontap.sys.Fd;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Links made and changed in namespaces of the test's own; ip(8) is the witness. */
@Timeout(60)
class LinksKernelTest {
    private static final byte[] MAC = {2, 0, 0, 0, 0, 0x11};

    private int openBefore;
    private TestNamespace host;
    private TestNamespace guest;
    private Rtnl rtnl;

    @BeforeEach
    void makeNamespaces() {
        openBefore = Fd.open().size();
        host = TestNamespace.make();
        guest = TestNamespace.make();
        rtnl = host.open();
    }

    @AfterEach
    void closeAll() {
        if (rtnl != null) {
            rtnl.close();
            guest.close();
            host.close();
        }
        assertEquals(openBefore, Fd.open().size(), "every descriptor is closed again: " + Fd.open());
    }

    @Test
    void makesALinkWithAllItsSettings() {
        final int index = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1"))
                .withAlias("ontap: é").withMtu(1400).withHwaddr(MAC)
                .withAddrGenMode(RtnlConstants.IN6_ADDR_GEN_MODE_NONE).withUp());
        host.says(List.of("-d", "link", "show", "dev", "v0"), "\"ifindex\":" + index, "\"ifalias\":\"ontap: é\"",
                "\"mtu\":1400", "\"address\":\"02:00:00:00:00:11\"", "\"UP\"", "\"info_kind\":\"veth\"",
                "\"inet6_addr_gen_mode\":\"none\"");
        final Link link = rtnl.link("v0");
        assertEquals(link, rtnl.link(index), "by name and by index");
        assertEquals("ontap: é", link.alias(), "alias");
        assertEquals("veth", link.kind(), "kind");
        assertArrayEquals(MAC, link.hwaddr(), "hardware address");
        assertTrue(link.up(), "up");
        assertEquals(rtnl.link("v1").index(), link.parentIndex(), "its other end");
        assertNull(rtnl.link("v1").alias(), "the other end has no alias");
        assertTrue(rtnl.links().stream().map(Link::name).toList().containsAll(List.of("lo", "v0", "v1")), "all links");
        try (RtnlMonitor monitor = host.monitor(false, 0)) {
            rtnl.setUp(rtnl.link("v1").index());
            TestNamespace.await(monitor, new ArrayList<>(), e -> e instanceof RtnlEvent.LinkNew l
                    && l.link().name().equals("v0") && l.link().running());
        }
        host.says(List.of("link", "show", "dev", "v0"), "\"LOWER_UP\"");
        assertEquals("", host.ip("-6", "addr", "show", "dev", "v0", "scope", "link").replaceAll("[\\[\\]{},\\s]", ""),
                "address mode none was in effect before it was up");
    }

    @Test
    void makesALinkStraightInAnotherNamespace() {
        final int parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withUp());
        final int index = rtnl.createLink(LinkSpec.of("eth0", new Macvlan(Macvlan.BRIDGE)).withParent(parent)
                .withNamespace(guest.fd()).withAlias("svc").withHwaddr(MAC).withUp());
        guest.says(List.of("-d", "link", "show", "dev", "eth0"), "\"ifindex\":" + index, "\"ifalias\":\"svc\"",
                "\"info_kind\":\"macvlan\"", "\"mode\":\"bridge\"", "\"UP\"", "\"address\":\"02:00:00:00:00:11\"");
        assertNull(rtnl.link("eth0"), "it never was in our namespace");
        assertEquals(0, rtnl.createLink(
                LinkSpec.of("eth1", new Macvlan(Macvlan.BRIDGE)).withParent(parent).withNamespace(guest.fd())),
                "the kernel does not tell the index over there");
        assertEquals(77, rtnl.createLink(LinkSpec.of("eth2", new Macvlan(Macvlan.BRIDGE)).withParent(parent)
                .withNamespace(guest.fd()).withIndex(77)), "an index chosen by us");
        guest.says(List.of("link", "show", "dev", "eth2"), "\"ifindex\":77");
        try (Rtnl inside = guest.open()) {
            final Link eth0 = inside.link("eth0");
            assertEquals(parent, eth0.parentIndex(), "its parent");
            assertNotNull(eth0.parentNsid(), "is in another namespace");
            assertEquals(Macvlan.BRIDGE, eth0.kindMode(), "mode");
        }
    }

    @Test
    void configuresAFreshNamespaceInOneRoundTrip() throws Exception {
        final int parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withUp());
        rtnl.setUp(rtnl.link("v1").index());
        // Not 2: modules such as sit put links of theirs into every new namespace.
        try (Rtnl inside = guest.open()) {
            inside.batch()
                    .assignNsid(host.fd(), 0)
                    .setUp(1)
                    .createLink(LinkSpec.of("eth0", new Macvlan(Macvlan.BRIDGE)).withIndex(1000).withParent(parent, 0)
                            .withAlias("svc").withAddrGenMode(RtnlConstants.IN6_ADDR_GEN_MODE_NONE).withUp())
                    .addAddress(1000, RequestTest.ip("192.0.2.7"), 24, 0)
                    .addAddress(1000, RequestTest.ip("2001:db8::7"), 64, RtnlConstants.IFA_F_NODAD)
                    .addRoute(Route.unicast(null, 0, RequestTest.ip("192.0.2.1"), 1000))
                    .send();
        }
        guest.says(List.of("-d", "addr", "show", "dev", "eth0"), "\"ifalias\":\"svc\"", "\"UP\"",
                "\"local\":\"192.0.2.7\"", "\"local\":\"2001:db8::7\"");
        guest.says(List.of("-d", "link", "show", "dev", "eth0"), "\"inet6_addr_gen_mode\":\"none\"");
        guest.says(List.of("addr", "show", "dev", "lo"), "\"local\":\"127.0.0.1\"");
        guest.says(List.of("route"), "\"dst\":\"default\",\"gateway\":\"192.0.2.1\"");
    }

    @Test
    void putsThePeerInAnotherNamespace() {
        rtnl.createLink(LinkSpec.of("v0", Veth.to("eth0", guest.fd())));
        guest.says(List.of("-d", "link", "show", "dev", "eth0"), "\"info_kind\":\"veth\"", "\"link_netnsid\":");
        host.says(List.of("-d", "link", "show", "dev", "v0"), "\"link_netnsid\":");
        assertNotNull(rtnl.link("v0").parentNsid(), "the other end counts elsewhere");
    }

    @Test
    void changesALink() {
        final int index = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withAlias("first"));
        rtnl.setAlias(index, "second");
        rtnl.setMtu(index, 1300);
        rtnl.setHwaddr(index, MAC);
        rtnl.rename(index, "w0");
        rtnl.setUp(index);
        rtnl.setFlags(index, RtnlConstants.IFF_ALLMULTI, RtnlConstants.IFF_ALLMULTI);
        rtnl.setAddrGenMode(index, RtnlConstants.IN6_ADDR_GEN_MODE_EUI64);
        host.says(List.of("-d", "link", "show", "dev", "w0"), "\"ifalias\":\"second\"", "\"mtu\":1300", "\"UP\"",
                "\"ALLMULTI\"", "\"address\":\"02:00:00:00:00:11\"", "\"inet6_addr_gen_mode\":\"eui64\"");
        rtnl.setDown(index);
        rtnl.setAlias(index, "");
        final String json = host.ip("link", "show", "dev", "w0");
        assertFalse(json.contains("ifalias"), "an empty alias removes it: " + json);
        assertFalse(json.contains("\"UP\""), "down: " + json);
        assertNull(rtnl.link(index).alias(), "absent, not empty");
        rtnl.moveToNamespace(index, guest.fd());
        guest.says(List.of("link", "show", "dev", "w0"), "\"ifname\":\"w0\"");
        assertNull(rtnl.link("w0"), "gone from here");
        final int other = rtnl.link("v1").index();
        rtnl.deleteLink(other);
        assertNull(rtnl.link(other), "deleted");
        assertEquals(Errno.ENODEV, refusal(() -> rtnl.deleteLink(other)).errno(), "there is nothing to delete");
    }

    @Test
    void joinsABridge() {
        final int bridge = rtnl.createLink(LinkSpec.of("b0", new Bridge()).withUp());
        final int first = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withMaster(bridge).withUp());
        final int second = rtnl.link("v1").index();
        rtnl.setMaster(second, bridge);
        host.says(List.of("link", "show", "dev", "v0"), "\"master\":\"b0\"");
        host.says(List.of("link", "show", "dev", "v1"), "\"master\":\"b0\"");
        assertEquals(bridge, rtnl.link(first).master(), "read by us");
        rtnl.setMaster(second, 0);
        assertFalse(host.ip("link", "show", "dev", "v1").contains("master"), "out of the bridge again");
    }

    @Test
    void leavesAnExistingLinkAlone() {
        final int index = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withAlias("mine"));
        final LinkSpec again = LinkSpec.of("v0", Veth.to("v2")).withAlias("theirs").withUp();
        assertEquals(Errno.EEXIST, refusal(() -> rtnl.createLink(again)).errno(), "the name is taken");
        assertEquals("mine", rtnl.link(index).alias(), "the alias of the first stays");
        assertFalse(rtnl.link(index).up(), "and it stays down");
    }

    @Test
    void leavesNoHalfMadeLink() {
        final String tooLong = "x".repeat(300);
        assertThrows(NetlinkException.class,
                () -> rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withAlias(tooLong)), "an alias of 300 bytes");
        assertNull(rtnl.link("v0"), "the link is deleted again");
        final int parent = rtnl.createLink(LinkSpec.of("p0", Veth.to("p1")));
        assertThrows(NetlinkException.class,
                () -> rtnl.createLink(LinkSpec.of("eth0", new Macvlan(Macvlan.BRIDGE)).withParent(parent)
                        .withNamespace(guest.fd()).withAlias(tooLong)), "the same elsewhere");
        assertFalse(guest.ip("link").contains("eth0"), "deleted there too");
    }

    @Test
    void tellsTheKernelsWords() {
        final NetlinkException e = refusal(() -> rtnl.createLink(LinkSpec.of("z0", new Unheard())));
        assertEquals("Unknown device type", e.extack(), "the extended ack");
        assertEquals("RTM_NEWLINK z0: Operation not supported (EOPNOTSUPP): Unknown device type", e.getMessage(), "text");
        assertEquals("EOPNOTSUPP", e.errnoName(), "its number by name");
    }

    @Test
    void givesNullForALinkThatIsNotThere() {
        assertNull(rtnl.link("nosuch"), "by name");
        assertNull(rtnl.link(4711), "by index");
    }

    @Test
    void makesMacvtap() {
        final int parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withUp());
        rtnl.createLink(LinkSpec.of("tap7", new Macvtap(Macvlan.BRIDGE)).withParent(parent).withNamespace(guest.fd()));
        guest.says(List.of("-d", "link", "show", "dev", "tap7"), "\"info_kind\":\"macvtap\"", "\"mode\":\"bridge\"");
    }

    @Test
    void opensATapThatEndsWithItsDescriptor() {
        if (!Files.isReadable(Path.of("/dev/net/tun"))) {
            Assumptions.abort("not applicable: there is no /dev/net/tun");
        }
        try (Fd tap = host.in(() -> Tun.openTap("tap5", Tun.IFF_NO_PI))) {
            assertTrue(tap.isOpen(), "a descriptor");
            host.says(List.of("-d", "link", "show", "dev", "tap5"), "\"info_kind\":\"tun\"", "\"type\":\"tap\"");
            assertEquals("tun", rtnl.link("tap5").kind(), "read by us");
            final NetlinkException e =
                    refusal(() -> rtnl.createLink(LinkSpec.of("tap6", new Tun(Tun.IFF_TAP))));
            assertEquals(Errno.EOPNOTSUPP, e.errno(), "not by rtnetlink");
        }
        assertNull(rtnl.link("tap5"), "gone with its descriptor");
        assertThrows(IllegalArgumentException.class, () -> Tun.openTap("a-name-too-long!", 0), "16 bytes");
    }

    @Test
    void makesDummy() {
        makes(new Dummy(), "dummy");
    }

    @Test
    void makesIpvlan() {
        makes(new Ipvlan(Ipvlan.L2, 0), "ipvlan");
    }

    @Test
    void makesIpvtap() {
        makes(new Ipvtap(Ipvlan.L2, 0), "ipvtap");
    }

    private void makes(final LinkKind kind, final String name) {
        final int parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withUp());
        final LinkSpec spec = LinkSpec.of("x0", kind).withAlias("a").withUp();
        try {
            rtnl.createLink(name.equals("dummy") ? spec : spec.withParent(parent));
        } catch (final NetlinkException e) {
            if ("Unknown device type".equals(e.extack())) {
                Assumptions.abort("not applicable: this kernel has no " + name + " links");
            }
            throw e;
        }
        host.says(List.of("-d", "link", "show", "dev", "x0"), "\"info_kind\":\"" + name + "\"", "\"ifalias\":\"a\"");
        assertEquals(name.equals("dummy") ? null : Integer.valueOf(Ipvlan.L2), rtnl.link("x0").kindMode(), "mode l2");
    }

    private static NetlinkException refusal(final org.junit.jupiter.api.function.Executable body) {
        return assertThrows(NetlinkException.class, body, "the kernel refuses");
    }

    /** A kind no kernel has. */
    private record Unheard() implements LinkKind {
        @Override
        public String name() {
            return "unheard";
        }

        @Override
        public void write(final ontap.netlink.AttributeWriter data) {
            data.u32(1, 1);
        }
    }
}
