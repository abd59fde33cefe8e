// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static ontap.rtnl.RequestTest.ip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import ontap.netlink.NetlinkException;
import ontap.rtnl.kind.Macvlan;
import ontap.rtnl.kind.Veth;
import ontap.sys.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Namespace ids, dumps of other namespaces and what a monitor hears of them. */
@Timeout(60)
class NamespacesKernelTest {
    private TestNamespace host;
    private TestNamespace guest;
    private Rtnl rtnl;
    private int parent;

    @BeforeEach
    void makeNamespaces() {
        host = TestNamespace.make();
        guest = TestNamespace.make();
        rtnl = host.open();
        parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")).withUp());
    }

    @AfterEach
    void closeAll() {
        if (rtnl != null) {
            rtnl.close();
            guest.close();
            host.close();
        }
    }

    @Test
    void givesANamespaceOneId() {
        assertNull(rtnl.nsid(guest.fd()), "none yet");
        assertEquals(List.of(), rtnl.nsids(), "the table is empty");
        final int nsid = rtnl.ensureNsid(guest.fd());
        assertEquals(nsid, rtnl.ensureNsid(guest.fd()), "a second time it is the same: EEXIST is success");
        assertEquals(nsid, rtnl.nsid(guest.fd()), "asked by descriptor");
        assertEquals(List.of(nsid), rtnl.nsids(), "in the table");
        assertEquals("[{\"nsid\":" + nsid + "}]", host.ip("netns", "list-id").replaceAll("\\s", ""), "ip knows it");
        final NetlinkException e = assertThrows(
                NetlinkException.class, () -> rtnl.batch().assignNsid(guest.fd(), 5).send(), "it has an id");
        assertEquals(Errno.EEXIST, e.errno(), "EEXIST");
        assertEquals("Peer netns already has a nsid assigned", e.extack(), "in the kernel's words");
        assertEquals(Errno.ESRCH, assertThrows(
                NetlinkException.class, () -> rtnl.nsidOfPid(Integer.MAX_VALUE), "no such process").errno(), "ESRCH");
    }

    @Test
    void findsTheIdsOfProcesses() throws Exception {
        final int own = (int) ProcessHandle.current().pid();
        final int[] many = new int[100];
        Arrays.fill(many, own);
        many[50] = Integer.MAX_VALUE;
        assertEquals(Collections.nCopies(100, null), rtnl.nsidsOfPids(many), "none has an id");
        final int nsid = rtnl.ensureNsid(own); // the test's own namespace, as the host sees it
        assertEquals(nsid, rtnl.ensureNsid(own), "a second time it is the same");
        final List<Integer> found = rtnl.nsidsOfPids(many);
        assertEquals(nsid, found.get(99), "each has its id");
        assertNull(found.get(50), "no such process");
        assertEquals(99, found.stream().filter(id -> id != null && id == nsid).count(), "in their order");
        assertEquals(List.of(), rtnl.nsidsOfPids(new int[0]), "nobody");
        assertEquals(Errno.ESRCH, assertThrows(
                NetlinkException.class, () -> rtnl.ensureNsid(Integer.MAX_VALUE), "no such process").errno(), "ESRCH");
    }

    @Test
    void adoptsAMonitor() throws Exception {
        final int nsid = rtnl.ensureNsid(guest.fd());
        try (RtnlMonitor first = host.monitor(true, 0); Rtnl inside = guest.open()) {
            inside.setUp(1);
            inside.addAddress(1, ip("192.0.2.9"), 32, 0);
            // as another program that inherits the descriptor, in whatever namespace
            try (RtnlMonitor second = RtnlMonitor.adopt(first.fd().dup())) {
                final List<RtnlEvent> queued = second.receive();
                assertTrue(queued.stream().anyMatch(e -> e instanceof RtnlEvent.AddressNew a && a.address().nsid() == nsid
                        && a.address().ip().getHostAddress().equals("192.0.2.9")), "what queued is there: " + queued);
                assertEquals(List.of(), second.receive(), "it does not block");
                inside.deleteAddress(1, ip("192.0.2.9"), 32);
                assertTrue(second.receive().stream().anyMatch(RtnlEvent.AddressGone.class::isInstance), "it hears on");
            }
        }
    }

    @Test
    void readsAnotherNamespace() throws Exception {
        final int nsid = rtnl.ensureNsid(guest.fd());
        final int index = rtnl.createLink(LinkSpec.of("eth0", new Macvlan(Macvlan.BRIDGE)).withParent(parent)
                .withNamespace(guest.fd()).withAlias("svc").withUp());
        try (Rtnl inside = guest.open()) {
            inside.addAddress(index, ip("192.0.2.7"), 24, 0);
            inside.addAddress(index, ip("2001:db8::7"), 64, RtnlConstants.IFA_F_NODAD);
        }
        final Link eth0 = rtnl.linksOf(nsid).stream().filter(l -> l.name().equals("eth0")).findFirst().orElseThrow();
        assertEquals(nsid, eth0.nsid(), "the target is echoed");
        assertEquals("svc", eth0.alias(), "its alias");
        assertEquals(eth0, rtnl.linkOf(nsid, index), "asked for by its number alone");
        assertNull(rtnl.linkOf(nsid, 4711), "no such number");
        final List<Address> addresses = rtnl.addressesOf(nsid);
        assertTrue(addresses.stream().allMatch(a -> Integer.valueOf(nsid).equals(a.nsid())), "the target is echoed");
        assertTrue(addresses.stream().anyMatch(a -> a.ip().getHostAddress().equals("192.0.2.7")), "IPv4");
        assertTrue(addresses.stream().anyMatch(a -> a.ip().getHostAddress().equals("2001:db8:0:0:0:0:0:7")), "IPv6");
        assertTrue(rtnl.addresses().stream().noneMatch(a -> a.ip().getHostAddress().equals("192.0.2.7")), "not ours");
        guest.says(List.of("addr", "show", "dev", "eth0"), "192.0.2.7", "2001:db8::7");
        assertEquals(Errno.EINVAL, assertThrows(
                NetlinkException.class, () -> rtnl.addressesOf(99), "an unknown id").errno(), "EINVAL");
        assertEquals(Errno.EINVAL, assertThrows(
                NetlinkException.class, () -> rtnl.linksOf(99), "an unknown id").errno(), "EINVAL");
        assertEquals(Errno.EINVAL, assertThrows(
                NetlinkException.class, () -> rtnl.linkOf(99, index), "an unknown id").errno(), "EINVAL");
    }

    @Test
    void hearsAnotherNamespaceOnceItHasAnId() throws Exception {
        final List<RtnlEvent> seen = new ArrayList<>();
        try (RtnlMonitor monitor = host.monitor(true, 0); Rtnl inside = guest.open()) {
            inside.createLink(LinkSpec.of("a0", Veth.to("a1")));
            assertEquals(List.of(), monitor.receive(), "without an id nothing is heard");
            final int nsid = rtnl.ensureNsid(guest.fd());
            assertEquals(List.of(new RtnlEvent.NsidNew(nsid)), monitor.receive(), "the id is heard, before we return");
            final int index = inside.link("a0").index();
            inside.setUp(index); // the alias of a link that is down changes in silence
            inside.setAlias(index, "svc");
            inside.addAddress(index, ip("192.0.2.7"), 24, 0);
            inside.deleteAddress(index, ip("192.0.2.7"), 24);
            inside.deleteLink(index);
            seen.addAll(monitor.receive());
            assertTrue(seen.stream().anyMatch(e -> e instanceof RtnlEvent.LinkNew l
                    && "svc".equals(l.link().alias()) && l.link().nsid() == nsid), "link: " + seen);
            assertTrue(seen.stream().anyMatch(e -> e instanceof RtnlEvent.AddressNew a
                    && a.address().nsid() == nsid && a.address().prefixLength() == 24), "address: " + seen);
            assertTrue(seen.stream().anyMatch(e -> e instanceof RtnlEvent.AddressGone a
                    && a.address().nsid() == nsid), "address gone: " + seen);
            assertTrue(seen.stream().anyMatch(e -> e instanceof RtnlEvent.LinkGone l
                    && l.link().name().equals("a0") && l.newNsid() == null), "link gone: " + seen);
        }
    }

    @Test
    void tellsWhereALinkWent() {
        try (RtnlMonitor monitor = host.monitor(true, 0)) {
            final int index = rtnl.createLink(
                    LinkSpec.of("m0", new Macvlan(Macvlan.BRIDGE)).withParent(parent).withAlias("svc"));
            rtnl.moveToNamespace(index, guest.fd());
            final List<RtnlEvent> seen = monitor.receive();
            final Integer nsid = rtnl.nsid(guest.fd());
            assertTrue(seen.contains(new RtnlEvent.NsidNew(nsid)), "the kernel gave the target an id: " + seen);
            final RtnlEvent.LinkGone gone = seen.stream().filter(RtnlEvent.LinkGone.class::isInstance)
                    .map(RtnlEvent.LinkGone.class::cast).findFirst().orElseThrow();
            assertEquals(nsid, gone.newNsid(), "where it went");
            assertTrue(gone.newIndex() > 0, "as which index");
            assertTrue(seen.stream().anyMatch(e -> e instanceof RtnlEvent.LinkNew l
                    && nsid.equals(l.link().nsid()) && "svc".equals(l.link().alias())
                    && gone.newIndex() == l.link().index()), "and that it came: " + seen);
        }
    }

    @Test
    void dropsIdsOfAnotherTable() {
        final int nsid = rtnl.ensureNsid(guest.fd());
        try (RtnlMonitor monitor = host.monitor(true, 0); Rtnl inside = guest.open();
                TestNamespace third = TestNamespace.make()) {
            inside.ensureNsid(third.fd());
            assertNotEquals(-1, nsid, "the guest can be heard");
            assertEquals(List.of(), monitor.receive(), "the guest's own table does not concern us");
        }
    }

    @Test
    void hearsTheEndOfANamespace() {
        final List<RtnlEvent> seen = new ArrayList<>();
        final int nsid = rtnl.ensureNsid(guest.fd());
        rtnl.createLink(LinkSpec.of("eth0", new Macvlan(Macvlan.BRIDGE)).withParent(parent).withNamespace(guest.fd()));
        try (RtnlMonitor monitor = host.monitor(true, 0)) {
            guest.close();
            TestNamespace.await(monitor, seen, e -> e.equals(new RtnlEvent.NsidGone(nsid)));
            assertTrue(seen.stream().noneMatch(RtnlEvent.LinkGone.class::isInstance), "links are not told: " + seen);
        }
        assertFalse(rtnl.nsids().contains(nsid), "the id is free");
        assertFalse(host.ip("netns", "list-id").contains("\"nsid\":" + nsid), "ip agrees");
    }

    @Test
    void reportsWhatItCouldNotHold() throws Exception {
        // In a quiet namespace: a link that finds its carrier would fill the small buffer again.
        try (RtnlMonitor monitor = guest.monitor(false, 2048); Rtnl inside = guest.open()) {
            for (int i = 1; i <= 60; i++) {
                inside.addAddress(1, ip("10.0.0." + i), 32, 0);
            }
            List<RtnlEvent> seen = monitor.receive();
            assertEquals(new RtnlEvent.Overflow(), seen.get(seen.size() - 1), "ENOBUFS shows as overflow: " + seen);
            assertTrue(seen.size() < 60, "events were lost");
            inside.deleteAddress(1, ip("10.0.0.60"), 32);
            seen = monitor.receive();
            assertEquals(1, seen.size(), "it goes on after that: " + seen);
            assertEquals(ip("10.0.0.60"), ((RtnlEvent.AddressGone) seen.get(0)).address().ip(), "with the next event");
            assertEquals(List.of(), monitor.receive(), "and never blocks");
        }
    }

    @Test
    void readsAThousandAddressesWhileTheyChange() throws Exception {
        try (Rtnl second = host.open()) {
            RtnlBatch batch = rtnl.batch();
            for (int i = 0; i < 1000; i++) {
                batch.addAddress(parent, ip("10.0." + i / 250 + "." + (1 + i % 250)), 32, 0);
            }
            batch.send();
            final Thread writer = new Thread(() -> {
                for (int i = 0; i < 300; i++) {
                    try {
                        second.addAddress(parent, ip("10.9.0.1"), 32, 0);
                        second.deleteAddress(parent, ip("10.9.0.1"), 32);
                    } catch (final java.net.UnknownHostException e) {
                        throw new IllegalStateException(e);
                    }
                }
            });
            writer.start();
            int whole = 0;
            int torn = 0;
            while (writer.isAlive() || whole == 0) {
                try {
                    final long n = rtnl.addresses().stream()
                            .filter(a -> a.ip().getHostAddress().startsWith("10.0.")).distinct().count();
                    assertEquals(1000, n, "every address that did not change is there");
                    whole++;
                } catch (final NetlinkException e) {
                    assertEquals(Errno.EINTR, e.errno(), "given up after five disturbed dumps: " + e);
                    torn++;
                }
            }
            writer.join(20_000);
            assertTrue(whole > 0, "whole dumps: " + whole + ", given up: " + torn);
        }
    }
}
