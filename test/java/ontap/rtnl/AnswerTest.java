// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static ontap.rtnl.RequestTest.ip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ontap.netlink.AttributeWriter;
import ontap.netlink.HostOrder;
import ontap.netlink.Message;
import ontap.netlink.NetlinkException;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.NetlinkSocket;
import ontap.netlink.ScriptedTransport;
import ontap.rtnl.kind.Macvlan;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the kernel answered to ip(8), read by us. */
@Timeout(120)
class AnswerTest {
    @Test
    void readsALink() {
        final Link link = LinkMessages.parse(messages(Captured.ANSWER_MACVLAN).get(0)).link();
        assertEquals(4, link.index(), "index");
        assertEquals("m0", link.name(), "name");
        assertEquals("macvlan", link.kind(), "kind");
        assertEquals(Macvlan.BRIDGE, link.kindMode(), "mode bridge");
        assertEquals(1400, link.mtu(), "mtu");
        assertEquals(3, link.parentIndex(), "on v0");
        assertNull(link.parentNsid(), "in the same namespace");
        assertNull(link.alias(), "without alias: absent, not empty");
        assertNull(link.master(), "in no bridge");
        assertNull(link.nsid(), "in our own namespace");
        assertEquals(17, link.hwaddrText().length(), "a hardware address");
        assertFalse(link.up(), "down");
        assertEquals(link, LinkMessages.parse(messages(Captured.ANSWER_MACVLAN).get(0)).link(), "two readings are equal");
    }

    @Test
    void readsAddresses() throws Exception {
        final List<Address> all = new ArrayList<>();
        for (final Message m : messages(Captured.ANSWER_ADDRESSES)) {
            all.add(AddressMessages.parse(m));
        }
        assertEquals(ip("192.0.2.1"), all.get(0).ip(), "IPv4");
        assertEquals(24, all.get(0).prefixLength(), "prefix");
        assertNull(all.get(0).validSeconds(), "for ever");
        assertEquals(ip("2001:db8::1"), all.get(1).ip(), "IPv6");
        assertEquals(100L, all.get(1).validSeconds(), "valid");
        assertEquals(50L, all.get(1).preferredSeconds(), "preferred");
        assertEquals(RtnlConstants.IFA_F_NODAD, all.get(1).flags(), "flags");
        assertTrue(all.get(1).usable(), "usable");
        assertEquals(RtnlConstants.IFA_F_PERMANENT | RtnlConstants.IFA_F_TENTATIVE, all.get(2).flags(), "link-local");
        assertEquals(253, all.get(2).scope(), "of link scope");
        assertEquals(3, all.get(2).proto(), "made by the kernel");
        assertFalse(all.get(2).usable(), "not yet");
    }

    @Test
    void readsRoutes() throws Exception {
        final List<Route> four = new ArrayList<>();
        messages(Captured.ANSWER_ROUTES4).forEach(m -> four.addAll(RouteMessages.parse(m)));
        assertEquals(
                new Route(2, ip("198.51.100.0"), 24, ip("192.0.2.2"), 3, 254, 3, 0, 1, 7, null, false), find(four, "198.51.100.0"), "via");
        assertEquals(ip("2001:db8::2"), find(four, "203.0.113.0").gateway(), "an IPv6 gateway of an IPv4 route");
        assertEquals(2, four.stream().filter(r -> r.prefixLength() == 15).count(), "one for each next hop");
        assertTrue(four.stream().anyMatch(r -> ip4("192.0.2.4").equals(r.gateway())), "the second next hop");
        final List<Route> six = new ArrayList<>();
        messages(Captured.ANSWER_ROUTES6).forEach(m -> six.addAll(RouteMessages.parse(m)));
        assertEquals(256, find(six, "2001:db8::").metric(), "the kernel's metric");
    }

    @Test
    void readsNeighbours() throws Exception {
        final Neighbour n = NeighbourMessages.parse(messages(Captured.ANSWER_NEIGHBOURS).get(0));
        assertEquals(ip("192.0.2.2"), n.ip(), "address");
        assertEquals("02:00:00:00:00:02", n.lladdrText(), "hardware address");
        assertEquals(RtnlConstants.NUD_PERMANENT, n.state(), "state");
        assertEquals(3, n.index(), "link");
    }

    @Test
    void keepsMappedAddressesSixteenBytesLong() {
        final byte[] mapped = new byte[16];
        mapped[10] = -1;
        mapped[11] = -1;
        mapped[15] = 1;
        final Message m = new Message(20, 0, 0, 0,
                new AttributeWriter(new byte[] {10, 96, 0, 0, 0, 0, 0, 0}).bytes(1, mapped).toBytes(), null);
        assertTrue(AddressMessages.parse(m).ip() instanceof Inet6Address, "::ffff:0.0.0.1 is not IPv4 here");
    }

    @Test
    void readsWhenAnAddressWasTold() throws Exception {
        final byte[] times = new byte[16];
        HostOrder.put32(times, 12, -6); // the last of ifa_prefered, ifa_valid, cstamp, tstamp: unsigned
        final AttributeWriter w = new AttributeWriter(new byte[] {2, 32, 0, 0, 3, 0, 0, 0})
                .bytes(RtnlConstants.IFA_LOCAL, new byte[] {10, 0, 0, 1}).bytes(RtnlConstants.IFA_CACHEINFO, times);
        final Address a = AddressMessages.parse(new Message(20, 0, 0, 0, w.toBytes(), null));
        assertEquals(42949672900L, a.updatedMillis(), "hundredths of a second");
        assertNull(AddressMessages.parse(new Message(20, 0, 0, 0,
                new AttributeWriter(new byte[8]).bytes(RtnlConstants.IFA_LOCAL, new byte[] {10, 0, 0, 1}).toBytes(), null)),
                "a family of 0 is none");
    }

    @Test
    void passesOverWhatIsNotAboutTheLink() {
        final byte[] header = new byte[16];
        header[0] = 7;
        assertNull(LinkMessages.parse(new Message(17, 0, 0, 0, header, null)), "AF_BRIDGE: a port left its bridge");
        assertNull(RtnlMonitor.event(new Message(17, 0, 0, 0, header, null)), "and no event");
        assertNull(AddressMessages.parse(new Message(20, 0, 0, 0, new byte[8], null)), "no family");
    }

    @Test
    void dropsIdsOfOtherTables() {
        final byte[] payload = new AttributeWriter(new byte[4]).s32(RtnlConstants.NETNSA_NSID, 3).toBytes();
        final Message own = new Message(RtnlConstants.RTM_NEWNSID, 0, 0, 0, payload, null);
        assertEquals(new RtnlEvent.NsidNew(3), RtnlMonitor.event(own), "an id of our own table");
        final Message gone = new Message(RtnlConstants.RTM_DELNSID, 0, 0, 0, payload, null);
        assertEquals(new RtnlEvent.NsidGone(3), RtnlMonitor.event(gone), "its end");
        assertNull(RtnlMonitor.event(new Message(RtnlConstants.RTM_NEWNSID, 0, 0, 0, payload, 0)), "of another's");
        assertNull(RtnlMonitor.event(new Message(RtnlConstants.RTM_DELNSID, 0, 0, 0, payload, 0)), "its end");
    }

    @Test
    void readsTheWordsOfACapturedRefusal() {
        final Message m = messages(Captured.REFUSAL_EXTACK).get(0);
        assertEquals(2, m.type(), "an error");
        final ScriptedTransport t = new ScriptedTransport(sent -> List.of(
                ScriptedTransport.kernel(
                        new Message(2, m.flags(), sent.get(0).seq(), 0, m.payload(), null))));
        try (Rtnl rtnl = new Rtnl(new NetlinkSocket(t, RtnlNames.DIALECT))) {
            final RuntimeException e = assertThrows(
                    NetlinkException.class, () -> rtnl.deleteAddress(2, ip4("192.0.2.1"), 24), "refused");
            assertEquals(
                    "RTM_DELADDR 192.0.2.1/24 index 2: Cannot assign requested address (EADDRNOTAVAIL): "
                            + "ipv4: Address not found",
                    e.getMessage(),
                    "the whole sentence; the error repeats the request before the words");
        }
    }

    @Test
    void refusesAnAnswerAboutAnotherNamespace() {
        final Message link = messages(Captured.ANSWER_MACVLAN).get(0);
        final Message address = messages(Captured.ANSWER_ADDRESSES).get(0);
        final ScriptedTransport t = new ScriptedTransport(sent -> {
            final int seq = sent.get(0).seq();
            final Message m = sent.get(0).type() == RtnlConstants.RTM_GETLINK ? link : address;
            return List.of(ScriptedTransport.kernel(
                    new Message(m.type(), 2, seq, 0, m.payload(), null), new Message(3, 2, seq, 0, new byte[4], null)));
        });
        try (Rtnl rtnl = new Rtnl(new NetlinkSocket(t, RtnlNames.DIALECT))) {
            assertEquals(1, rtnl.links().size(), "our own");
            assertThrows(NetlinkException.class, () -> rtnl.linksOf(3), "no IFLA_TARGET_NETNSID came back");
            assertThrows(NetlinkException.class, () -> rtnl.addressesOf(3), "no IFA_TARGET_NETNSID either");
        }
    }

    @Test
    void readsOrRefusesEveryCutAndAnyNoise() {
        final long seed = System.nanoTime();
        System.out.println("AnswerTest.readsOrRefusesEveryCutAndAnyNoise seed " + seed);
        final Random random = new Random(seed);
        final List<Message> all = new ArrayList<>();
        for (final String hex : List.of(Captured.ANSWER_MACVLAN, Captured.ANSWER_ADDRESSES, Captured.ANSWER_ROUTES4,
                Captured.ANSWER_ROUTES6, Captured.ANSWER_NEIGHBOURS)) {
            all.addAll(messages(hex));
        }
        final byte[] id = new AttributeWriter(new byte[4]).s32(RtnlConstants.NETNSA_NSID, 3).toBytes();
        all.add(new Message(RtnlConstants.RTM_NEWNSID, 0, 0, 0, id, null));
        for (final Message m : all) {
            for (int n = 0; n < m.payload().length; n++) {
                read(m, Arrays.copyOf(m.payload(), n), seed);
            }
            for (int i = 0; i < 3000; i++) {
                final byte[] noisy = m.payload().clone();
                for (int flips = random.nextInt(6); flips >= 0; flips--) {
                    noisy[random.nextInt(noisy.length)] ^= (byte) (1 << random.nextInt(8));
                }
                read(m, noisy, seed);
            }
        }
    }

    /** Any exception but NetlinkFormatException fails the test. */
    private static void read(final Message m, final byte[] payload, final long seed) {
        final Message changed = new Message(m.type(), m.flags(), m.seq(), m.pid(), payload, null);
        try {
            RtnlMonitor.event(changed);
            switch (m.type()) {
                case RtnlConstants.RTM_NEWROUTE:
                    RtnlMonitor.routers(changed, new ArrayList<>());
                    break;
                case RtnlConstants.RTM_NEWNEIGH:
                    NeighbourMessages.parse(changed);
                    break;
                default:
                    break;
            }
        } catch (final NetlinkFormatException e) {
            assertTrue(e.getMessage().length() > 10, "a mistake has words, seed " + seed);
        }
    }

    private static List<Message> messages(final String hex) {
        final byte[] bytes = Captured.bytes(hex);
        return Message.parse(bytes, bytes.length, null);
    }

    private static Route find(final List<Route> routes, final String destination) {
        return routes.stream().filter(r -> ip4(destination).equals(r.destination())).findFirst().orElseThrow();
    }

    private static InetAddress ip4(final String text) {
        try {
            return ip(text);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
