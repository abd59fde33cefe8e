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

/** RTM_*ADDR: struct ifaddrmsg and IFA_* attributes, both directions. */
final class AddressMessages {
    /** struct ifaddrmsg: family, prefixlen, flags, scope u8, index u32. */
    static final int HEADER = 8;

    private static final int INDEX_AT = 4;
    /** struct ifa_cacheinfo: preferred, valid, created, updated u32. */
    private static final int CACHEINFO = 16;
    private static final int UPDATED_AT = 12;
    /** The kernel tells times in hundredths of a second. */
    private static final int MILLIS = 10;
    private static final long FOREVER = 0xffffffffL;

    private AddressMessages() {}

    /** The payload of a dump; {@code nsid} null for the socket's own namespace. */
    static byte[] dump(final Integer nsid) {
        final AttributeWriter w = new AttributeWriter(new byte[HEADER]);
        if (nsid != null) {
            w.s32(RtnlConstants.IFA_TARGET_NETNSID, nsid);
        }
        return w.toBytes();
    }

    /** The payload of a dump of one link's addresses; the kernel leaves the others out. */
    static byte[] dump(final int index, final int family) {
        final byte[] b = new byte[HEADER];
        b[0] = (byte) family;
        HostOrder.put32(b, INDEX_AT, index);
        return b;
    }

    static Request add(final Address a, final boolean replace) {
        final AttributeWriter w = header(a);
        if ((a.flags() & ~0xff) != 0) {
            w.u32(RtnlConstants.IFA_FLAGS, a.flags()); // the header holds eight bits
        }
        if (a.broadcast() != null) {
            w.bytes(RtnlConstants.IFA_BROADCAST, a.broadcast().getAddress());
        }
        if (a.proto() != null) {
            w.u8(RtnlConstants.IFA_PROTO, a.proto());
        }
        if (a.preferredSeconds() != null || a.validSeconds() != null) {
            final byte[] times = new byte[CACHEINFO];
            HostOrder.put32(times, 0, seconds(a.preferredSeconds()));
            HostOrder.put32(times, 4, seconds(a.validSeconds()));
            w.bytes(RtnlConstants.IFA_CACHEINFO, times);
        }
        final int flags = NetlinkConstants.NLM_F_CREATE
                | (replace ? NetlinkConstants.NLM_F_REPLACE : NetlinkConstants.NLM_F_EXCL);
        return Request.of(RtnlConstants.RTM_NEWADDR, flags, w, subject(a));
    }

    static Request delete(final Address a) {
        return Request.of(RtnlConstants.RTM_DELADDR, 0, header(a), subject(a));
    }

    /** Null for a family this room does not read. */
    static Address parse(final Message m) {
        final byte[] p = m.payload();
        if (p.length < HEADER) {
            throw new NetlinkFormatException("ifaddrmsg: " + p.length + " bytes where 8 are due");
        }
        final int family = HostOrder.u8(p, 0);
        if (!IpBytes.knows(family)) {
            return null;
        }
        final AttributeReader r = m.attributes(HEADER);
        InetAddress address = null;
        InetAddress local = null;
        InetAddress broadcast = null;
        int flags = HostOrder.u8(p, 2);
        Integer proto = null;
        Long preferred = null;
        Long valid = null;
        Long updated = null;
        Integer nsid = m.nsid();
        while (r.next()) {
            switch (r.type()) {
                case RtnlConstants.IFA_ADDRESS:
                    address = IpBytes.read(r, family);
                    break;
                case RtnlConstants.IFA_LOCAL:
                    local = IpBytes.read(r, family);
                    break;
                case RtnlConstants.IFA_BROADCAST:
                    broadcast = IpBytes.read(r, family);
                    break;
                case RtnlConstants.IFA_FLAGS:
                    flags = r.s32();
                    break;
                case RtnlConstants.IFA_PROTO:
                    proto = r.u8();
                    break;
                case RtnlConstants.IFA_TARGET_NETNSID:
                    nsid = r.s32();
                    break;
                case RtnlConstants.IFA_CACHEINFO:
                    if (r.length() < CACHEINFO) {
                        r.reject(r.length() + " bytes where 16 are due");
                    } else {
                        final byte[] times = r.bytes();
                        preferred = lifetime(times, 0);
                        valid = lifetime(times, 4);
                        updated = (HostOrder.s32(times, UPDATED_AT) & FOREVER) * MILLIS;
                    }
                    break;
                default:
                    break;
            }
        }
        r.check();
        // On a point-to-point link IFA_ADDRESS is the other end.
        final InetAddress ip = local != null ? local : address;
        if (ip == null) {
            throw new NetlinkFormatException("ifaddrmsg: neither IFA_LOCAL nor IFA_ADDRESS");
        }
        final int index = HostOrder.s32(p, INDEX_AT);
        final int scope = HostOrder.u8(p, 3);
        return new Address(
                family, ip, HostOrder.u8(p, 1), index, flags, scope, broadcast, proto, preferred, valid,
                updated, nsid);
    }

    private static AttributeWriter header(final Address a) {
        final byte[] b = new byte[HEADER];
        b[0] = (byte) a.family();
        b[1] = (byte) a.prefixLength();
        b[2] = (byte) a.flags();
        b[3] = (byte) a.scope();
        HostOrder.put32(b, INDEX_AT, a.index());
        final byte[] ip = a.ip().getAddress();
        return new AttributeWriter(b).bytes(RtnlConstants.IFA_LOCAL, ip).bytes(RtnlConstants.IFA_ADDRESS, ip);
    }

    private static String subject(final Address a) {
        return a.ip().getHostAddress() + "/" + a.prefixLength() + " index " + a.index();
    }

    private static int seconds(final Long value) {
        return (int) (value == null ? FOREVER : Math.max(0, Math.min(value, FOREVER - 1)));
    }

    private static Long lifetime(final byte[] b, final int at) {
        final long seconds = HostOrder.s32(b, at) & FOREVER;
        return seconds == FOREVER ? null : Long.valueOf(seconds);
    }
}
