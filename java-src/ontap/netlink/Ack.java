// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/**
 * NLMSG_ERROR, and the error number at the end of a dump: errno and extended ack text (netlink(7),
 * Documentation/userspace-api/netlink/intro.rst).
 *
 * @param errno positive error number, 0 for success
 * @param text the kernel's words, null when it gave none; on success a warning
 */
record Ack(int errno, String text) {
    private static final int ERROR = 4;

    /** Reads a message of type NLMSG_ERROR or NLMSG_DONE; NetlinkFormatException when it is too short. */
    static Ack parse(final Message m, final Dialect dialect, final int requestType) {
        final byte[] p = m.payload();
        final boolean done = m.type() == NetlinkConstants.NLMSG_DONE;
        if (done && p.length == 0) {
            return new Ack(0, null);
        }
        final int fixed = done ? ERROR : ERROR + Message.HEADER;
        if (p.length < fixed) {
            throw new NetlinkFormatException(
                    Names.type(m.type()) + ": " + p.length + " bytes where " + fixed + " are due");
        }
        final int code = HostOrder.s32(p, 0);
        if (code > 0 && !done) {
            throw new NetlinkFormatException("NLMSG_ERROR: error number " + code + " is positive");
        }
        final int errno = code < 0 ? -code : 0;
        final boolean more = m.has(NetlinkConstants.NLM_F_ACK_TLVS);
        return new Ack(errno, more ? words(m, fixed, done, dialect, requestType) : null);
    }

    /** The extended ack. Errors inside it are passed over: the error number matters more. */
    private static String words(
            final Message m, final int fixed, final boolean done, final Dialect dialect, final int requestType) {
        final byte[] p = m.payload();
        int at = fixed;
        if (!done && !m.has(NetlinkConstants.NLM_F_CAPPED)) {
            final int echoed = HostOrder.s32(p, ERROR);
            if (echoed < Message.HEADER || echoed > p.length - ERROR) {
                return null;
            }
            at = ERROR + HostOrder.align(echoed);
        }
        if (at > p.length) {
            return null;
        }
        final AttributeReader r = new AttributeReader(p, at);
        String text = null;
        String missing = null;
        while (r.next()) {
            switch (r.type()) {
                case NetlinkConstants.NLMSGERR_ATTR_MSG:
                    text = r.string();
                    break;
                case NetlinkConstants.NLMSGERR_ATTR_MISS_TYPE:
                    missing = "missing attribute " + dialect.attribute(requestType, r.s32());
                    break;
                default:
                    break;
            }
        }
        return text == null ? missing : missing == null ? text : text + ", " + missing;
    }
}
