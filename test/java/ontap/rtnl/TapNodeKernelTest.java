// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import ontap.rtnl.kind.Macvlan;
import ontap.rtnl.kind.Macvtap;
import ontap.rtnl.kind.TapDevice;
import ontap.rtnl.kind.TapNode;
import ontap.rtnl.kind.Tun;
import ontap.rtnl.kind.Veth;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Mounts;
import ontap.sys.PacketSocket;
import ontap.sys.SysException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Queues of taps in namespaces of the test's own: a macvtap beside a pair of links. */
@Timeout(60)
class TapNodeKernelTest {
    private static final int INDEX = 1000;

    private int openBefore;
    private TestNamespace host;
    private TestNamespace guest;
    private Rtnl rtnl;
    private int opposite;

    @BeforeEach
    void makeNamespaces() {
        openBefore = Fd.open().size();
        host = TestNamespace.make();
        guest = TestNamespace.make();
        rtnl = host.open();
        final int parent = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1")));
        opposite = rtnl.link("v1").index();
        host.raise(rtnl, parent, opposite);
        makeTap(parent, guest);
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

    private void makeTap(final int parent, final TestNamespace where) {
        rtnl.createLink(LinkSpec.of("mt0", new Macvtap(Macvlan.BRIDGE)).withIndex(INDEX).withParent(parent)
                .withNamespace(where.fd()).withUp());
    }

    @Test
    void opensTheQueuesOfALinkInAnotherNamespace() {
        final List<Mounts.Mount> mounts = Mounts.all();
        final long device = guest.in(() -> TapNode.device("mt0"));
        final List<Fd> queues = TapNode.open("mt0", device, 4, Tun.IFF_MULTI_QUEUE);
        try (Fd socket = host.in(() -> PacketSocket.open(opposite, Frames.filter(Frames.TYPE)))) {
            assertEquals(4, queues.size(), "as many as asked for");
            for (final Fd queue : queues) {
                assertEquals("mt0", TapDevice.name(queue), "its link");
                assertEquals(Tun.IFF_TAP | Tun.IFF_NO_PI | Tun.IFF_MULTI_QUEUE, TapDevice.flags(queue),
                        "as configured");
                assertEquals(device, Io.fstat(queue).rdev(), "its device");
                Io.writeAll(queue, Frames.of(Frames.TYPE, "from " + queue.what()));
                assertFalse(Frames.expect(socket, "from " + queue.what()).outgoing(), "what goes in comes out");
            }
            assertEquals(mounts, Mounts.all(), "nothing is mounted for it");
        } finally {
            queues.forEach(Fd::close);
        }
    }

    @Test
    void framesHaveAVirtioHeaderWhenAskedFor() {
        final List<Fd> queues = guest.in(() -> TapNode.openQueues("mt0", 1, Tun.IFF_VNET_HDR));
        try (Fd queue = queues.get(0); Fd socket = host.in(() -> PacketSocket.open(opposite, new byte[0]))) {
            assertEquals(Tun.IFF_TAP | Tun.IFF_NO_PI | Tun.IFF_VNET_HDR, TapDevice.flags(queue), "as configured");
            PacketSocket.send(socket, Frames.of(Frames.TYPE, "ten"));
            assertEquals("ten", Frames.read(queue, 10), "the kernel's first choice is 10 bytes");
            TapDevice.setVnetHeaderSize(queue, 12);
            PacketSocket.send(socket, Frames.of(Frames.TYPE, "twelve"));
            assertEquals("twelve", Frames.read(queue, 12), "12 bytes when asked for");
            TapDevice.configure(queue, 0);
            PacketSocket.send(socket, Frames.of(Frames.TYPE, "none"));
            assertEquals("none", Frames.read(queue, 0), "or none");
        }
    }

    @Test
    void tellsLinksOfOneNameAndNumberApart() {
        try (TestNamespace other = TestNamespace.make()) {
            makeTap(rtnl.link("v0").index(), other);
            final long one = guest.in(() -> TapNode.device("mt0"));
            final long two = other.in(() -> TapNode.device("mt0"));
            assertNotEquals(one, two, "each has a device of its own");
            try (Fd queue = other.in(() -> TapNode.openQueues("mt0", 1, 0).get(0))) {
                assertEquals(two, Io.fstat(queue).rdev(), "of the thread's own namespace");
            }
        }
    }

    @Test
    void refusesWhatIsNoTapAndWhatHasGone() {
        for (final String link : List.of("v0", "none", ".")) {
            final SysException e = assertThrows(SysException.class, () -> host.in(() -> TapNode.device(link)));
            assertEquals("open(" + link + ", no ipvtap or macvtap): No such device (ENODEV)", e.getMessage());
        }
        final long device = guest.in(() -> TapNode.device("mt0"));
        assertEquals(Errno.ENODEV, assertThrows(SysException.class,
                () -> TapNode.open("mt1", device, 1, 0)).errno(), "it is another link's");
        try (Rtnl inside = guest.open(); Fd queue = TapNode.open("mt0", device, 1, 0).get(0)) {
            inside.deleteLink(INDEX);
            assertEquals("ENOLINK", assertThrows(SysException.class, () -> TapDevice.name(queue)).errnoName());
            assertEquals(Errno.ENODEV, assertThrows(SysException.class,
                    () -> TapNode.open("mt0", device, 1, 0)).errno(), "the device went with the link");
        }
    }

    @Test
    void aQueueOpenedInsideKeepsTheNamespace() {
        try (RtnlMonitor monitor = host.monitor(false, 0)) {
            final int nsid = rtnl.ensureNsid(guest.fd());
            try (Fd queue = guest.in(() -> TapNode.openQueues("mt0", 1, 0).get(0))) {
                guest.close();
                assertEquals("mt0", TapDevice.name(queue), "its link");
                assertTrue(rtnl.linksOf(nsid).stream().anyMatch(l -> l.index() == INDEX), "is still there");
            }
            awaitEnd(monitor, nsid);
        }
    }

    @Test
    void aQueueOpenedOutsideDoesNot() {
        try (RtnlMonitor monitor = host.monitor(false, 0)) {
            final int nsid = rtnl.ensureNsid(guest.fd());
            final long device = guest.in(() -> TapNode.device("mt0"));
            try (Fd queue = TapNode.open("mt0", device, 1, 0).get(0)) {
                guest.close();
                awaitEnd(monitor, nsid);
                // The kernel tells the end first and then ends the links; the next namespace waits until it is done.
                awaitEnd(monitor, shortNamespace());
                assertEquals("ENOLINK", assertThrows(SysException.class, () -> TapDevice.name(queue)).errnoName(),
                        "the link went, the queue is dead");
            }
        }
    }

    /** The id of a namespace that has just lost its last descriptor. */
    private int shortNamespace() {
        try (TestNamespace next = TestNamespace.make()) {
            return rtnl.ensureNsid(next.fd());
        }
    }

    private static void awaitEnd(final RtnlMonitor monitor, final int nsid) {
        TestNamespace.await(monitor, new ArrayList<>(), e -> e instanceof RtnlEvent.NsidGone g && g.nsid() == nsid);
    }

    /** Who wants a link of their own gets no queue of another's. */
    private void assertTaken(final String name, final int flags) {
        assertEquals(Errno.EBUSY, assertThrows(SysException.class,
                () -> guest.in(() -> Tun.openTap(name, flags | Tun.IFF_TUN_EXCL)).close()).errno());
    }

    @Test
    void aTapOnATunDeviceStaysAsLongAsItIsTold() {
        final int flags = Tun.IFF_NO_PI | Tun.IFF_VNET_HDR | Tun.IFF_MULTI_QUEUE;
        try (Rtnl inside = guest.open()) {
            final Fd first = guest.in(() -> Tun.openTap("tap9", flags));
            try (Fd second = guest.in(() -> Tun.openTap("tap9", flags))) {
                assertEquals("tap9", TapDevice.name(second), "one more queue of the same link");
                assertEquals(flags | Tun.IFF_TAP, TapDevice.flags(second) & (flags | Tun.IFF_TAP), "as asked for");
                TapDevice.setPersistent(second, true);
            }
            assertTaken("tap9", flags);
            first.close();
            assertNotNull(inside.link("tap9"), "it stays without a queue");
            assertTaken("tap9", flags);
            try (Fd again = guest.in(() -> Tun.openTap("tap9", flags))) {
                TapDevice.setPersistent(again, false);
            }
            assertNull(inside.link("tap9"), "then it goes with the last");
        }
        assertTrue(assertThrows(SysException.class, () -> {
            try (Fd tun = TapDevice.open("/dev/net/tun")) {
                TapDevice.name(tun);
            }
        }).getMessage().endsWith("(EBADFD)"), "a queue without a link has no name");
    }
}
