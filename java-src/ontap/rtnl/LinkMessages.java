// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.nio.charset.StandardCharsets;
import ontap.netlink.AttributeReader;
import ontap.netlink.AttributeWriter;
import ontap.netlink.HostOrder;
import ontap.netlink.Message;
import ontap.netlink.NetlinkConstants;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.Request;

/** RTM_*LINK: struct ifinfomsg and IFLA_* attributes, both directions. */
final class LinkMessages {
    /** struct ifinfomsg: family u8, pad, type u16, index s32, flags u32, change u32. */
    static final int HEADER = 16;

    private static final int FAMILY_AT = 0;
    private static final int INDEX_AT = 4;
    private static final int FLAGS_AT = 8;
    private static final int CHANGE_AT = 12;

    private LinkMessages() {}

    // Requests

    static Request get(final int index) {
        return Request.of(RtnlConstants.RTM_GETLINK, 0, filter(header(index, 0, 0)), "index " + index);
    }

    static Request getOf(final int nsid, final int index) {
        final AttributeWriter w = filter(header(index, 0, 0)).s32(RtnlConstants.IFLA_TARGET_NETNSID, nsid);
        return Request.of(RtnlConstants.RTM_GETLINK, 0, w, "index " + index + " of nsid " + nsid);
    }

    static Request get(final String name) {
        final AttributeWriter w = filter(header(0, 0, 0)).string(RtnlConstants.IFLA_IFNAME, name);
        return Request.of(RtnlConstants.RTM_GETLINK, 0, w, name);
    }

    /** The payload of a dump; {@code nsid} null for the socket's own namespace. */
    static byte[] dump(final Integer nsid) {
        final AttributeWriter w = filter(header(0, 0, 0));
        if (nsid != null) {
            w.s32(RtnlConstants.IFLA_TARGET_NETNSID, nsid);
        }
        return w.toBytes();
    }

    static Request create(final LinkSpec spec) {
        final boolean up = spec.up() && !spec.needsMore();
        final AttributeWriter w = header(spec.index(), up ? RtnlConstants.IFF_UP : 0, up ? RtnlConstants.IFF_UP : 0);
        w.string(RtnlConstants.IFLA_IFNAME, spec.name());
        number(w, RtnlConstants.IFLA_MTU, spec.mtu());
        if (spec.hwaddr() != null) {
            w.bytes(RtnlConstants.IFLA_ADDRESS, spec.hwaddr());
        }
        number(w, RtnlConstants.IFLA_LINK, spec.parent());
        number(w, RtnlConstants.IFLA_LINK_NETNSID, spec.parentNsid());
        number(w, RtnlConstants.IFLA_MASTER, spec.master());
        if (spec.namespace() != null) {
            w.s32(RtnlConstants.IFLA_NET_NS_FD, spec.namespace().raw());
        }
        if (spec.kind() != null) {
            final int info = w.begin(RtnlConstants.IFLA_LINKINFO);
            w.string(RtnlConstants.IFLA_INFO_KIND, spec.kind().name());
            final int data = w.begin(RtnlConstants.IFLA_INFO_DATA);
            final int empty = w.length();
            spec.kind().write(w);
            if (w.length() == empty) {
                w.drop(data);
            } else {
                w.end(data);
            }
            w.end(info);
        }
        final int flags = NetlinkConstants.NLM_F_CREATE | NetlinkConstants.NLM_F_EXCL | NetlinkConstants.NLM_F_ECHO;
        return Request.of(RtnlConstants.RTM_NEWLINK, flags, w, spec.name());
    }

    static Request alias(final int index, final String alias) {
        // Without a NUL: the kernel would keep it, and an empty alias would not be removed.
        final byte[] text = alias.getBytes(StandardCharsets.UTF_8);
        return set(index, header(index, 0, 0).bytes(RtnlConstants.IFLA_IFALIAS, text));
    }

    static Request name(final int index, final String name) {
        return set(index, header(index, 0, 0).string(RtnlConstants.IFLA_IFNAME, name));
    }

    static Request mtu(final int index, final int mtu) {
        return set(index, header(index, 0, 0).s32(RtnlConstants.IFLA_MTU, mtu));
    }

    static Request hwaddr(final int index, final byte[] hwaddr) {
        return set(index, header(index, 0, 0).bytes(RtnlConstants.IFLA_ADDRESS, hwaddr));
    }

    static Request master(final int index, final int master) {
        return set(index, header(index, 0, 0).s32(RtnlConstants.IFLA_MASTER, master));
    }

    static Request namespace(final int index, final int nsFd) {
        return set(index, header(index, 0, 0).s32(RtnlConstants.IFLA_NET_NS_FD, nsFd));
    }

    /** Sets the bits of {@code mask} to those of {@code flags}, IFF_*. */
    static Request flags(final int index, final int flags, final int mask) {
        return set(index, header(index, flags, mask));
    }

    static Request up(final int index, final boolean up) {
        return flags(index, up ? RtnlConstants.IFF_UP : 0, RtnlConstants.IFF_UP);
    }

    static Request addrGenMode(final int index, final int mode) {
        final AttributeWriter w = header(index, 0, 0);
        final int spec = w.begin(RtnlConstants.IFLA_AF_SPEC);
        final int inet6 = w.begin(RtnlConstants.AF_INET6);
        w.u8(RtnlConstants.IFLA_INET6_ADDR_GEN_MODE, mode).end(inet6).end(spec);
        return set(index, w);
    }

    static Request delete(final int index) {
        return Request.of(RtnlConstants.RTM_DELLINK, 0, header(index, 0, 0), "index " + index);
    }

    static Request deleteOf(final int nsid, final int index) {
        final AttributeWriter w = header(index, 0, 0).s32(RtnlConstants.IFLA_TARGET_NETNSID, nsid);
        return Request.of(RtnlConstants.RTM_DELLINK, 0, w, "index " + index + " of nsid " + nsid);
    }

    // Answers and notifications

    /** What a RTM_NEWLINK or RTM_DELLINK says, and where the link has gone when it was moved. */
    record Told(Link link, Integer newNsid, Integer newIndex) {}

    /** Null for what is not about the link itself: the bridge sends RTM_DELLINK of AF_BRIDGE for a port. */
    static Told parse(final Message m) {
        final byte[] p = m.payload();
        if (p.length < HEADER) {
            throw new NetlinkFormatException("ifinfomsg: " + p.length + " bytes where 16 are due");
        }
        if (p[FAMILY_AT] != 0) {
            return null;
        }
        final AttributeReader r = m.attributes(HEADER);
        String name = "";
        String alias = null;
        String kind = null;
        byte[] hwaddr = null;
        int mtu = 0;
        int operstate = 0;
        Integer parent = null;
        Integer parentNsid = null;
        Integer master = null;
        Integer mode = null;
        Integer nsid = m.nsid();
        Integer newNsid = null;
        Integer newIndex = null;
        while (r.next()) {
            switch (r.type()) {
                case RtnlConstants.IFLA_IFNAME:
                    name = r.string();
                    break;
                case RtnlConstants.IFLA_IFALIAS:
                    alias = r.string();
                    break;
                case RtnlConstants.IFLA_ADDRESS:
                    hwaddr = r.bytes();
                    break;
                case RtnlConstants.IFLA_MTU:
                    mtu = r.s32();
                    break;
                case RtnlConstants.IFLA_OPERSTATE:
                    operstate = r.u8();
                    break;
                case RtnlConstants.IFLA_LINK:
                    parent = r.s32();
                    break;
                case RtnlConstants.IFLA_LINK_NETNSID:
                    parentNsid = r.s32();
                    break;
                case RtnlConstants.IFLA_MASTER:
                    master = r.s32();
                    break;
                case RtnlConstants.IFLA_TARGET_NETNSID:
                    nsid = r.s32();
                    break;
                case RtnlConstants.IFLA_NEW_NETNSID:
                    newNsid = r.s32();
                    break;
                case RtnlConstants.IFLA_NEW_IFINDEX:
                    newIndex = r.s32();
                    break;
                case RtnlConstants.IFLA_LINKINFO:
                    final AttributeReader info = r.nested();
                    while (info.next()) {
                        if (info.type() == RtnlConstants.IFLA_INFO_KIND) {
                            kind = info.string();
                        } else if (info.type() == RtnlConstants.IFLA_INFO_DATA) {
                            mode = mode(kind, info.nested());
                        }
                    }
                    break;
                default:
                    break;
            }
        }
        r.check();
        final Link link = new Link(
                HostOrder.s32(p, INDEX_AT),
                name,
                kind,
                alias,
                hwaddr,
                mtu,
                HostOrder.s32(p, FLAGS_AT),
                parent,
                parentNsid,
                operstate,
                master,
                mode,
                nsid);
        return new Told(link, newNsid, newIndex);
    }

    /** The kernel writes the kind before its data. */
    private static Integer mode(final String kind, final AttributeReader data) {
        final boolean ipvlan = "ipvlan".equals(kind) || "ipvtap".equals(kind);
        if (!ipvlan && !"macvlan".equals(kind) && !"macvtap".equals(kind)) {
            return null;
        }
        Integer mode = null;
        while (data.next()) {
            if (ipvlan && data.type() == RtnlConstants.IFLA_IPVLAN_MODE) {
                mode = data.u16();
            } else if (!ipvlan && data.type() == RtnlConstants.IFLA_MACVLAN_MODE) {
                mode = data.s32();
            }
        }
        return mode;
    }

    private static AttributeWriter header(final int index, final int flags, final int change) {
        final byte[] b = new byte[HEADER];
        HostOrder.put32(b, INDEX_AT, index);
        HostOrder.put32(b, FLAGS_AT, flags);
        HostOrder.put32(b, CHANGE_AT, change);
        return new AttributeWriter(b);
    }

    /** Statistics would be most of the answer. */
    private static AttributeWriter filter(final AttributeWriter w) {
        return w.u32(RtnlConstants.IFLA_EXT_MASK, RtnlConstants.RTEXT_FILTER_SKIP_STATS);
    }

    private static void number(final AttributeWriter w, final int type, final Integer value) {
        if (value != null) {
            w.s32(type, value);
        }
    }

    private static Request set(final int index, final AttributeWriter w) {
        return Request.of(RtnlConstants.RTM_SETLINK, 0, w, "index " + index);
    }
}
