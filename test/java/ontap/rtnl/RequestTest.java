// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import ontap.netlink.Message;
import ontap.netlink.Request;
import ontap.rtnl.kind.Bridge;
import ontap.rtnl.kind.Dummy;
import ontap.rtnl.kind.Ipvlan;
import ontap.rtnl.kind.Ipvtap;
import ontap.rtnl.kind.Macvlan;
import ontap.rtnl.kind.Macvtap;
import ontap.rtnl.kind.Veth;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Our requests beside those of ip(8): the same header, the same attributes. Their order and the
 * NLA_F_NESTED bit, which ip leaves out, do not matter to the kernel.
 */
class RequestTest {
    /** Attributes that hold attributes, by path; after @ the bytes of a header before them. */
    private static final Set<String> LISTS = Set.of("16/18", "16/18/2", "16/26", "16/26/10");

    static Stream<Arguments> pairs() throws UnknownHostException {
        final byte[] mac = {2, 0, 0, 0, 0, 1};
        final byte[] mac2 = {2, 0, 0, 0, 0, 2};
        final InetAddress ip4 = ip("192.0.2.1");
        final Address six = Address.of(3, ip("2001:db8::1"), 64, RtnlConstants.IFA_F_NODAD).withLifetimes(50L, 100L);
        final Neighbour neighbour =
                new Neighbour(2, ip("192.0.2.2"), mac2, 3, RtnlConstants.NUD_PERMANENT);
        return Stream.of(
                row(Captured.VETH, LinkMessages.create(LinkSpec.of("v0", Veth.to("v1")).withHwaddr(mac))),
                row(Captured.MACVLAN, LinkMessages.create(
                        LinkSpec.of("m0", new Macvlan(Macvlan.BRIDGE)).withParent(3).withMtu(1400))),
                row(Captured.MACVTAP, LinkMessages.create(
                        LinkSpec.of("t0", new Macvtap(Macvlan.PRIVATE)).withParent(3))),
                row(Captured.IPVLAN, LinkMessages.create(
                        LinkSpec.of("i0", new Ipvlan(Ipvlan.L2, Ipvlan.PRIVATE)).withParent(3))),
                row(Captured.BRIDGE, LinkMessages.create(LinkSpec.of("b0", new Bridge()))),
                row(Captured.ALIAS, LinkMessages.alias(3, "x y")),
                row(Captured.UP, LinkMessages.up(3, true)),
                row(Captured.ADDR_GEN_MODE, LinkMessages.addrGenMode(4, RtnlConstants.IN6_ADDR_GEN_MODE_NONE)),
                row(Captured.MASTER, LinkMessages.master(2, 6)),
                row(Captured.LINK_GONE, LinkMessages.delete(5)),
                row(Captured.ADDRESS4, AddressMessages.add(Address.of(3, ip4, 24, 0), false)),
                row(Captured.ADDRESS4_GONE, AddressMessages.delete(Address.of(2, ip4, 24, 0))),
                row(Captured.ADDRESS6, AddressMessages.add(six, false)),
                row(Captured.ROUTE, RouteMessages.add(
                        Route.unicast(ip("198.51.100.0"), 24, ip("192.0.2.2"), 3).withMetric(7)
                                .withProtocol(RtnlConstants.RTPROT_BOOT), false)),
                row(Captured.ROUTE_TABLE, RouteMessages.add(
                        new Route(2, null, 0, null, 3, 1000, RtnlConstants.RTPROT_DHCP,
                                RtnlConstants.RT_SCOPE_LINK, RtnlConstants.RTN_UNICAST, null, null, false), false)),
                row(Captured.ROUTE_VIA, RouteMessages.add(
                        Route.unicast(ip("203.0.113.0"), 24, ip("2001:db8::2"), 3)
                                .withProtocol(RtnlConstants.RTPROT_BOOT), false)),
                row(Captured.NEIGHBOUR, NeighbourMessages.put(neighbour)),
                row(Captured.NEIGHBOUR_GONE, permanent(NeighbourMessages.delete(3, ip("192.0.2.2")))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("pairs")
    void saysWhatIpSays(final String name, final String captured, final Request ours) {
        final byte[] bytes = Captured.bytes(captured);
        final Message theirs = Message.parse(bytes, bytes.length, null).get(0);
        assertEquals(
                text(theirs.type(), theirs.payload()), text(ours.type(), ours.payload()), "as " + name + " was sent by ip");
        // Echo asks for the new link's index; ip changes links by RTM_NEWLINK, we by RTM_SETLINK.
        assertEquals(theirs.flags() & ~5, ours.flags() & ~8, "the flags of " + name);
        assertEquals(theirs.type() & ~3, ours.type() & ~3, "the type of " + name);
    }

    /** Every byte of our own form of a link, by hand from if_link.h, little-endian machines. */
    @Test
    void writesALinkByteForByte() {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            Assumptions.abort("not applicable: the bytes are those of a little-endian machine");
        }
        final LinkSpec spec = LinkSpec.of("a", new Ipvtap(Ipvlan.L2, 0)).withIndex(9).withParent(3, 7).withUp();
        assertArrayEquals(
                Captured.bytes("00000000" + "09000000" + "01000000" + "01000000" // ifinfomsg, IFF_UP in flags and change
                        + "06000300" + "61000000" // IFLA_IFNAME a
                        + "08000500" + "03000000" // IFLA_LINK 3
                        + "08002500" + "07000000" // IFLA_LINK_NETNSID 7
                        + "1c001280" // IFLA_LINKINFO
                        + "0b000100" + "6970767461700000" // IFLA_INFO_KIND ipvtap
                        + "0c000280" + "06000100" + "00000000"), // IFLA_INFO_DATA, IFLA_IPVLAN_MODE l2
                LinkMessages.create(spec).payload(),
                "a complete link request");
    }

    @Test
    void leavesOutEmptyData() {
        final String text = text(16, LinkMessages.create(LinkSpec.of("d0", new Dummy())).payload());
        assertFalse(text.contains("16/18/2"), "a dummy has no IFLA_INFO_DATA: " + text);
    }

    @Test
    void doesNotSetUpBeforeTheRest() {
        final LinkSpec spec = LinkSpec.of("a", new Bridge()).withIndex(4).withUp().withAlias("x").withAddrGenMode(1);
        assertEquals(0, LinkMessages.create(spec).payload()[8], "the creation leaves it down");
        final var further = RtnlBatch.further(spec, 4);
        assertEquals(3, further.size(), "address mode, alias, up");
        assertEquals(text(16, LinkMessages.up(4, true).payload()), text(16, further.get(2).payload()), "up comes last");
    }

    /** ip names a state in a removal too, where it means nothing. */
    private static Request permanent(final Request r) {
        final byte[] payload = r.payload().clone();
        payload[8] = (byte) RtnlConstants.NUD_PERMANENT;
        return new Request(r.type(), r.flags(), payload, r.subject());
    }

    private static Arguments row(final String captured, final Request ours) {
        return Arguments.of(ours.subject() + " " + RtnlNames.type(ours.type()), captured, ours);
    }

    static InetAddress ip(final String text) throws UnknownHostException {
        return InetAddress.getByName(text);
    }

    /** A payload as text, read by other code than ours: the header, then the attributes sorted. */
    private static String text(final int type, final byte[] payload) {
        final int object = type & ~3;
        final int header = object == 16 ? 16 : object == 20 ? 8 : 12;
        final byte[] head = Arrays.copyOf(payload, header);
        return hex(head) + attributes(Integer.toString(object), payload, header, payload.length);
    }

    private static String attributes(final String path, final byte[] b, final int from, final int to) {
        final TreeSet<String> out = new TreeSet<>();
        final ByteBuffer in = ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN);
        int at = from;
        while (at < to) {
            final int length = in.getShort(at) & 0xffff;
            final String here = path + "/" + (in.getShort(at + 2) & 0x3fff);
            final boolean peer = here.equals("16/18/2/1") && length > 20;
            if (LISTS.contains(here) || peer) {
                out.add(here + attributes(here, b, at + 4 + (peer ? 16 : 0), at + length));
            } else if (here.equals("16/18/1")) {
                // The kind, with or without its NUL.
                out.add(here + "=" + new String(b, at + 4, length - 4, StandardCharsets.US_ASCII).replace("\0", ""));
            } else {
                out.add(here + "=" + hex(Arrays.copyOfRange(b, at + 4, at + length)));
            }
            at += length + 3 & ~3;
        }
        return out.toString();
    }

    private static String hex(final byte[] b) {
        final StringBuilder out = new StringBuilder();
        for (final byte x : b) {
            out.append(Character.forDigit(x >> 4 & 15, 16)).append(Character.forDigit(x & 15, 16));
        }
        return out.toString();
    }
}
