// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ontap.netlink.AttributeReader;
import ontap.netlink.AttributeWriter;
import ontap.netlink.HostOrder;
import ontap.netlink.Message;
import ontap.netlink.NetlinkConstants;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.Request;

/** RTM_*ROUTE: struct rtmsg and RTA_* attributes, both directions. */
final class RouteMessages {
    /** struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type u8, flags u32. */
    static final int HEADER = 12;

    private static final int FLAGS_AT = 8;
    /** struct rtnexthop: len u16, flags u8, hops u8, ifindex s32. */
    private static final int NEXTHOP = 8;

    private RouteMessages() {}

    static byte[] dump(final int family) {
        final byte[] b = new byte[HEADER];
        b[0] = (byte) family;
        return b;
    }

    /** Of one family and protocol; the kernel leaves the others out. */
    static byte[] dumpOf(final int family, final int protocol) {
        final byte[] b = dump(family);
        b[5] = (byte) protocol;
        return b;
    }

    /** Is it the default route over a router that advertised itself? */
    static boolean isAdvertisedDefault(final Route r) {
        return r.family() == RtnlConstants.AF_INET6
                && r.prefixLength() == 0
                && r.protocol() == RtnlConstants.RTPROT_RA
                && r.gateway() != null
                && r.oif() != null;
    }

    /** Of one link and protocol; the kernel leaves the others out. */
    static byte[] dump(final int index, final int family, final int protocol) {
        return new AttributeWriter(dumpOf(family, protocol)).s32(RtnlConstants.RTA_OIF, index).toBytes();
    }

    static Request add(final Route r, final boolean replace) {
        final int flags = NetlinkConstants.NLM_F_CREATE
                | (replace ? NetlinkConstants.NLM_F_REPLACE : NetlinkConstants.NLM_F_EXCL);
        return Request.of(RtnlConstants.RTM_NEWROUTE, flags, write(r), subject(r));
    }

    static Request append(final Route r) {
        final int flags = NetlinkConstants.NLM_F_CREATE | NetlinkConstants.NLM_F_APPEND;
        return Request.of(RtnlConstants.RTM_NEWROUTE, flags, write(r), subject(r));
    }

    static Request delete(final Route r) {
        return Request.of(RtnlConstants.RTM_DELROUTE, 0, write(r), subject(r));
    }

    /** One Route for each next hop; none for a family this room does not read and for cached exceptions. */
    static List<Route> parse(final Message m) {
        final byte[] p = m.payload();
        if (p.length < HEADER) {
            throw new NetlinkFormatException("rtmsg: " + p.length + " bytes where 12 are due");
        }
        final int family = HostOrder.u8(p, 0);
        if (!IpBytes.knows(family) || (HostOrder.s32(p, FLAGS_AT) & RtnlConstants.RTM_F_CLONED) != 0) {
            return List.of();
        }
        final AttributeReader r = m.attributes(HEADER);
        InetAddress destination = null;
        int table = HostOrder.u8(p, 4);
        Integer metric = null;
        InetAddress source = null;
        final Hop only = new Hop();
        only.flags = HostOrder.s32(p, FLAGS_AT);
        final List<Hop> hops = new ArrayList<>(0);
        while (r.next()) {
            switch (r.type()) {
                case RtnlConstants.RTA_DST:
                    destination = IpBytes.read(r, family);
                    break;
                case RtnlConstants.RTA_TABLE:
                    table = r.s32();
                    break;
                case RtnlConstants.RTA_PRIORITY:
                    metric = r.s32();
                    break;
                case RtnlConstants.RTA_PREFSRC:
                    source = IpBytes.read(r, family);
                    break;
                case RtnlConstants.RTA_OIF:
                    only.oif = r.s32();
                    break;
                case RtnlConstants.RTA_MULTIPATH:
                    multipath(r, family, hops);
                    break;
                default:
                    only.take(r, family);
                    break;
            }
        }
        r.check();
        if (hops.isEmpty()) {
            hops.add(only);
        }
        final List<Route> out = new ArrayList<>(hops.size());
        for (final Hop hop : hops) {
            out.add(new Route(
                    family,
                    destination,
                    HostOrder.u8(p, 1),
                    hop.gateway,
                    hop.oif,
                    table,
                    HostOrder.u8(p, 5),
                    HostOrder.u8(p, 6),
                    HostOrder.u8(p, 7),
                    metric,
                    source,
                    (hop.flags & RtnlConstants.RTNH_F_ONLINK) != 0));
        }
        return out;
    }

    /** The current attribute as struct rtnexthop, each with attributes of its own. */
    private static void multipath(final AttributeReader r, final int family, final List<Hop> hops) {
        final byte[] b = r.bytes();
        int at = 0;
        while (at < b.length) {
            final int left = b.length - at;
            final int length = left < NEXTHOP ? 0 : HostOrder.u16(b, at);
            if (length < NEXTHOP || length > left) {
                r.reject("next hop of " + length + " bytes with " + left + " left");
                return;
            }
            final Hop hop = new Hop();
            hop.flags = HostOrder.u8(b, at + 2);
            hop.oif = HostOrder.s32(b, at + 4);
            final AttributeReader inner = new AttributeReader(Arrays.copyOfRange(b, at, at + length), NEXTHOP);
            while (inner.next()) {
                hop.take(inner, family);
            }
            if (inner.error() != null) {
                r.reject(inner.error());
            }
            hops.add(hop);
            at += HostOrder.align(length);
        }
    }

    private static AttributeWriter write(final Route r) {
        final byte[] b = new byte[HEADER];
        b[0] = (byte) r.family();
        b[1] = (byte) r.prefixLength();
        b[4] = (byte) (r.table() < 256 ? r.table() : 0);
        b[5] = (byte) r.protocol();
        b[6] = (byte) r.scope();
        b[7] = (byte) r.type();
        HostOrder.put32(b, FLAGS_AT, r.onLink() ? RtnlConstants.RTNH_F_ONLINK : 0);
        final AttributeWriter w = new AttributeWriter(b);
        if (r.destination() != null) {
            w.bytes(RtnlConstants.RTA_DST, r.destination().getAddress());
        }
        if (r.gateway() != null) {
            final byte[] gateway = r.gateway().getAddress();
            final int family = IpBytes.family(r.gateway());
            if (family == r.family()) {
                w.bytes(RtnlConstants.RTA_GATEWAY, gateway);
            } else {
                final byte[] via = new byte[2 + gateway.length];
                HostOrder.put16(via, 0, family);
                System.arraycopy(gateway, 0, via, 2, gateway.length);
                w.bytes(RtnlConstants.RTA_VIA, via);
            }
        }
        number(w, RtnlConstants.RTA_OIF, r.oif());
        if (r.table() >= 256) {
            w.s32(RtnlConstants.RTA_TABLE, r.table()); // the header holds eight bits
        }
        number(w, RtnlConstants.RTA_PRIORITY, r.metric());
        if (r.source() != null) {
            w.bytes(RtnlConstants.RTA_PREFSRC, r.source().getAddress());
        }
        return w;
    }

    private static void number(final AttributeWriter w, final int type, final Integer value) {
        if (value != null) {
            w.s32(type, value);
        }
    }

    private static String subject(final Route r) {
        return r.destination() == null ? "default" : r.destination().getHostAddress() + "/" + r.prefixLength();
    }

    /** Where one next hop leads. */
    private static final class Hop {
        InetAddress gateway;
        Integer oif;
        int flags;

        void take(final AttributeReader r, final int family) {
            if (r.type() == RtnlConstants.RTA_GATEWAY) {
                gateway = IpBytes.read(r, family);
            } else if (r.type() == RtnlConstants.RTA_VIA) {
                final byte[] via = r.bytes();
                if (via.length != 6 && via.length != 18) {
                    r.reject(via.length + " bytes where a family and an address are due");
                    return;
                }
                gateway = IpBytes.of(Arrays.copyOfRange(via, 2, via.length));
            }
        }
    }
}
