// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import ontap.netlink.AttributeReader;
import ontap.netlink.AttributeWriter;
import ontap.netlink.HostOrder;
import ontap.netlink.Message;
import ontap.netlink.NetlinkConstants;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.Request;

/** RTM_*NEIGH: struct ndmsg and NDA_* attributes, both directions. */
final class NeighbourMessages {
    /** struct ndmsg: family u8, pad u8, pad u16, ifindex s32, state u16, flags u8, type u8. */
    static final int HEADER = 12;

    private static final int INDEX_AT = 4;
    private static final int STATE_AT = 8;

    private NeighbourMessages() {}

    static byte[] dump() {
        return new byte[HEADER];
    }

    /** Makes the entry or changes it. */
    static Request put(final Neighbour n) {
        final AttributeWriter w = write(n);
        if (n.lladdr() != null) {
            w.bytes(RtnlConstants.NDA_LLADDR, n.lladdr());
        }
        final int flags = NetlinkConstants.NLM_F_CREATE | NetlinkConstants.NLM_F_REPLACE;
        return Request.of(RtnlConstants.RTM_NEWNEIGH, flags, w, n.ip().getHostAddress());
    }

    static Request delete(final int index, final InetAddress ip) {
        final Neighbour n = new Neighbour(IpBytes.family(ip), ip, null, index, 0);
        return Request.of(RtnlConstants.RTM_DELNEIGH, 0, write(n), ip.getHostAddress());
    }

    /** Null for a family this room does not read (a bridge's table) and an entry without an address. */
    static Neighbour parse(final Message m) {
        final byte[] p = m.payload();
        if (p.length < HEADER) {
            throw new NetlinkFormatException("ndmsg: " + p.length + " bytes where 12 are due");
        }
        final int family = HostOrder.u8(p, 0);
        if (!IpBytes.knows(family)) {
            return null;
        }
        final AttributeReader r = m.attributes(HEADER);
        InetAddress ip = null;
        byte[] lladdr = null;
        while (r.next()) {
            if (r.type() == RtnlConstants.NDA_DST) {
                ip = IpBytes.read(r, family);
            } else if (r.type() == RtnlConstants.NDA_LLADDR) {
                lladdr = r.bytes();
            }
        }
        r.check();
        return ip == null
                ? null
                : new Neighbour(family, ip, lladdr, HostOrder.s32(p, INDEX_AT), HostOrder.u16(p, STATE_AT));
    }

    private static AttributeWriter write(final Neighbour n) {
        final byte[] b = new byte[HEADER];
        b[0] = (byte) n.family();
        HostOrder.put32(b, INDEX_AT, n.index());
        HostOrder.put16(b, STATE_AT, n.state());
        return new AttributeWriter(b).bytes(RtnlConstants.NDA_DST, n.ip().getAddress());
    }
}
