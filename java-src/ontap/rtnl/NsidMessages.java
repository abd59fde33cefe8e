// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import ontap.netlink.AttributeReader;
import ontap.netlink.AttributeWriter;
import ontap.netlink.Message;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.Request;

/** RTM_*NSID: struct rtgenmsg and NETNSA_* attributes (net_namespace.h), both directions. */
final class NsidMessages {
    /** struct rtgenmsg, one byte and its padding. */
    static final int HEADER = 4;
    /** The kernel picks an id; in an answer: there is none. */
    static final int NONE = -1;

    private NsidMessages() {}

    static byte[] dump() {
        return new byte[HEADER];
    }

    static Request assign(final int nsFd, final int nsid) {
        final AttributeWriter w = header().s32(RtnlConstants.NETNSA_FD, nsFd).s32(RtnlConstants.NETNSA_NSID, nsid);
        return Request.of(RtnlConstants.RTM_NEWNSID, 0, w, "");
    }

    static Request getByFd(final int nsFd) {
        return Request.of(RtnlConstants.RTM_GETNSID, 0, header().s32(RtnlConstants.NETNSA_FD, nsFd), "");
    }

    static Request getByPid(final int pid) {
        return Request.of(RtnlConstants.RTM_GETNSID, 0, header().s32(RtnlConstants.NETNSA_PID, pid), "pid " + pid);
    }

    /** The id a message is about; null when it says there is none. */
    static Integer parse(final Message m) {
        if (m.payload().length < 1) {
            throw new NetlinkFormatException("rtgenmsg: no bytes where 1 is due");
        }
        // A payload of one byte has lost its padding and has no attributes.
        final int start = Math.min(HEADER, m.payload().length);
        final AttributeReader r = m.attributes(start);
        Integer nsid = null;
        while (r.next()) {
            if (r.type() == RtnlConstants.NETNSA_NSID) {
                nsid = r.s32();
            }
        }
        r.check();
        return nsid == null || nsid < 0 ? null : nsid;
    }

    private static AttributeWriter header() {
        return new AttributeWriter(new byte[HEADER]);
    }
}
