// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.util.ArrayList;
import java.util.List;
import ontap.netlink.AttributeReader;
import ontap.netlink.AttributeWriter;
import ontap.netlink.Message;
import ontap.netlink.NetlinkException;
import ontap.netlink.NetlinkFormatException;
import ontap.netlink.Reply;
import ontap.netlink.Request;
import ontap.sys.Errno;

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

    /** The kernel picks the id; it finds the namespace without asking for a right to trace the process. */
    static Request assignToPid(final int pid) {
        final AttributeWriter w = header().s32(RtnlConstants.NETNSA_PID, pid).s32(RtnlConstants.NETNSA_NSID, NONE);
        return Request.of(RtnlConstants.RTM_NEWNSID, 0, w, "pid " + pid);
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

    /** The id in the answers to one question, null when they say there is none. */
    static Integer oneOf(final List<Message> answers) {
        for (final Message m : answers) {
            if (m.type() == RtnlConstants.RTM_NEWNSID) {
                return parse(m);
            }
        }
        return null;
    }

    /** The id in each reply, in order; null where there is none, and where the question was refused. */
    static List<Integer> given(final List<Reply> replies) {
        final List<Integer> out = new ArrayList<>(replies.size());
        for (final Reply reply : replies) {
            out.add(reply.error() != null ? null : oneOf(reply.messages()));
        }
        return out;
    }

    /** The id from the replies to an assignment and a question; EEXIST is success. */
    static int ensured(final List<Reply> replies, final String what) {
        final NetlinkException refusal = replies.get(0).error();
        if (refusal != null && refusal.errno() != Errno.EEXIST) {
            throw refusal;
        }
        final Integer nsid = oneOf(replies.get(1).orThrow());
        if (nsid == null) {
            throw new NetlinkException("RTM_GETNSID", what, Errno.ENOENT, "no id after RTM_NEWNSID");
        }
        return nsid;
    }

    private static AttributeWriter header() {
        return new AttributeWriter(new byte[HEADER]);
    }
}
