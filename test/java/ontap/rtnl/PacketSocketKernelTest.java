// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import ontap.netlink.NetlinkException;
import ontap.rtnl.kind.Veth;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.PacketSocket;
import ontap.sys.Sockets;
import ontap.sys.SysException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Packet sockets on both ends of a pair of links, in a namespace of the test's own. */
@Timeout(60)
class PacketSocketKernelTest {
    private static final byte[] ALL = {};

    private int openBefore;
    private TestNamespace ns;
    private Rtnl rtnl;
    private int here;
    private int there;

    @BeforeEach
    void makeLinks() throws NetlinkException {
        openBefore = Fd.open().size();
        ns = TestNamespace.make();
        rtnl = ns.open();
        here = rtnl.createLink(LinkSpec.of("v0", Veth.to("v1"))
                .withAddrGenMode(RtnlConstants.IN6_ADDR_GEN_MODE_NONE));
        there = rtnl.link("v1").index();
        rtnl.setAddrGenMode(there, RtnlConstants.IN6_ADDR_GEN_MODE_NONE);
        ns.raise(rtnl, here, there);
    }

    @AfterEach
    void closeAll() {
        if (rtnl != null) {
            rtnl.close();
            ns.close();
        }
        assertEquals(openBefore, Fd.open().size(), "every descriptor is closed again: " + Fd.open());
    }

    private Fd open(final int link, final byte[] filter) {
        return ns.in(() -> PacketSocket.open(link, filter));
    }

    @Test
    void tellsWhatComesFromWhatGoes() {
        try (Fd speaker = open(here, ALL); Fd beside = open(here, ALL); Fd opposite = open(there, ALL)) {
            assertTrue(PacketSocket.send(speaker, Frames.of(Frames.TYPE, "hello")), "there is room");
            assertFalse(Frames.expect(opposite, "hello").outgoing(), "it came in over there");
            assertTrue(Frames.expect(beside, "hello").outgoing(), "it went out here");
            assertNull(PacketSocket.receive(speaker, new byte[100]), "who sent it is not told");
            PacketSocket.send(speaker, Frames.of(Frames.TYPE, "x".repeat(100)));
            Io.await(opposite, Io.POLLIN, -1);
            assertEquals(new PacketSocket.Frame(60, true, false, false), PacketSocket.receive(opposite, new byte[60]),
                    "the rest of a long frame is lost");
            assertEquals("EMSGSIZE", assertThrows(SysException.class,
                    () -> PacketSocket.send(speaker, new byte[2000])).errnoName(), "more than the link takes");
        }
    }

    @Test
    void nothingThatTheFilterRefusesEverWaits() {
        try (Fd speaker = open(here, ALL); Fd before = open(there, ALL)) {
            PacketSocket.send(speaker, Frames.of(Frames.TYPE, "early"));
            Frames.expect(before, "early");
            try (Fd filtered = open(there, Frames.filter(Frames.TYPE))) {
                PacketSocket.send(speaker, Frames.of(Frames.TYPE + 1, "other"));
                PacketSocket.send(speaker, Frames.of(Frames.TYPE, "wanted"));
                Frames.expect(filtered, "wanted");
                assertNull(PacketSocket.receive(filtered, new byte[100]), "one frame was wanted");
            }
        }
    }

    @Test
    void takesAnotherFilterAtOnce() {
        try (Fd speaker = open(here, ALL); Fd opposite = open(there, Frames.filter(Frames.TYPE))) {
            PacketSocket.refilter(opposite, Frames.filter(Frames.TYPE + 1));
            PacketSocket.send(speaker, Frames.of(Frames.TYPE, "of old"));
            PacketSocket.send(speaker, Frames.of(Frames.TYPE + 1, "of now"));
            Frames.expect(opposite, "of now");
            assertThrows(SysException.class, () -> PacketSocket.refilter(opposite, new byte[8]), "no program");
            PacketSocket.send(speaker, Frames.of(Frames.TYPE, "of old"));
            PacketSocket.send(speaker, Frames.of(Frames.TYPE + 1, "as before"));
            Frames.expect(opposite, "as before");
        }
    }

    @Test
    void saysOnceThatTheLinkIsDown() {
        try (Fd speaker = open(here, ALL); Fd opposite = open(there, ALL)) {
            rtnl.setDown(there);
            final SysException e = assertThrows(SysException.class,
                    () -> PacketSocket.receive(opposite, new byte[100]));
            assertEquals("recvmsg(packet socket of link " + there + "): Network is down (ENETDOWN)", e.getMessage());
            assertNull(PacketSocket.receive(opposite, new byte[100]), "once");
            assertEquals("ENETDOWN", assertThrows(SysException.class,
                    () -> PacketSocket.send(opposite, Frames.of(Frames.TYPE, "no"))).errnoName());
            ns.raise(rtnl, here, there);
            PacketSocket.send(speaker, Frames.of(Frames.TYPE, "again"));
            Frames.expect(opposite, "again");
            rtnl.deleteLink(here);
            assertThrows(SysException.class, () -> PacketSocket.receive(opposite, new byte[100]), "the link has gone");
            assertNull(PacketSocket.receive(opposite, new byte[100]), "which is also said once");
        }
    }

    @Test
    void tellsAChecksumThatIsStillToBeMade() throws Exception {
        rtnl.addAddress(here, RequestTest.ip("192.0.2.1"), 24, 0);
        rtnl.addNeighbour(new Neighbour(Sockets.AF_INET, RequestTest.ip("192.0.2.2"),
                rtnl.link(there).hwaddr(), here, RtnlConstants.NUD_PERMANENT));
        try (Fd opposite = open(there, Frames.filter(0x0800));
                Fd udp = ns.in(() -> Sockets.socket(Sockets.AF_INET, Sockets.SOCK_DGRAM, 0))) {
            final ByteBuffer address = ByteBuffer.allocate(16).order(ByteOrder.nativeOrder());
            address.putShort((short) Sockets.AF_INET).order(ByteOrder.BIG_ENDIAN).putShort((short) 9);
            address.put(RequestTest.ip("192.0.2.2").getAddress());
            Sockets.send(udp, new byte[8], 0, 8, 0, address.array());
            Io.await(opposite, Io.POLLIN, -1);
            final PacketSocket.Frame frame = PacketSocket.receive(opposite, new byte[100]);
            assertEquals(new PacketSocket.Frame(14 + 20 + 8 + 8, false, false, true), frame);
        }
    }

    @Test
    void refusesWhatIsNoLinkOrNoFilter() {
        assertEquals(Errno.ENODEV, assertThrows(SysException.class, () -> open(7777, ALL)).errno(), "no such link");
        assertEquals(Errno.EINVAL, assertThrows(SysException.class, () -> open(here, new byte[8])).errno(),
                "a program has to end with an answer");
        assertThrows(IllegalArgumentException.class, () -> open(here, new byte[7]), "half an instruction");
    }
}
