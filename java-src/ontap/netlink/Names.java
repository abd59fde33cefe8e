// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/** The constants of this room as text; numbers without a name stay readable. */
public final class Names {
    /** What a message does: bits 0x100 to 0x800 of its flags mean something else for each. */
    public enum Verb {
        GET,
        MAKE,
        DELETE,
        ANSWER
    }

    private Names() {}

    /** {@code NLMSG_DONE}, or {@code UNKNOWN(5)}. */
    public static String type(final int type) {
        switch (type) {
            case NetlinkConstants.NLMSG_NOOP:
                return "NLMSG_NOOP";
            case NetlinkConstants.NLMSG_ERROR:
                return "NLMSG_ERROR";
            case NetlinkConstants.NLMSG_DONE:
                return "NLMSG_DONE";
            case NetlinkConstants.NLMSG_OVERRUN:
                return "NLMSG_OVERRUN";
            default:
                return unknown(type);
        }
    }

    /** {@code request|dump|0x800}; {@code 0} when no bit is set. */
    public static String flags(final int flags, final Verb verb) {
        final StringBuilder out = new StringBuilder();
        int left = take(out, flags, NetlinkConstants.NLM_F_REQUEST, "request");
        left = take(out, left, NetlinkConstants.NLM_F_MULTI, "multi");
        left = take(out, left, NetlinkConstants.NLM_F_ACK, "ack");
        left = take(out, left, NetlinkConstants.NLM_F_ECHO, "echo");
        left = take(out, left, NetlinkConstants.NLM_F_DUMP_INTR, "dump-intr");
        left = take(out, left, NetlinkConstants.NLM_F_DUMP_FILTERED, "dump-filtered");
        switch (verb) {
            case GET:
                left = take(out, left, NetlinkConstants.NLM_F_DUMP, "dump");
                left = take(out, left, NetlinkConstants.NLM_F_ROOT, "root");
                left = take(out, left, NetlinkConstants.NLM_F_MATCH, "match");
                left = take(out, left, NetlinkConstants.NLM_F_ATOMIC, "atomic");
                break;
            case MAKE:
                left = take(out, left, NetlinkConstants.NLM_F_REPLACE, "replace");
                left = take(out, left, NetlinkConstants.NLM_F_EXCL, "excl");
                left = take(out, left, NetlinkConstants.NLM_F_CREATE, "create");
                left = take(out, left, NetlinkConstants.NLM_F_APPEND, "append");
                break;
            case DELETE:
                left = take(out, left, NetlinkConstants.NLM_F_NONREC, "nonrec");
                left = take(out, left, NetlinkConstants.NLM_F_BULK, "bulk");
                break;
            default:
                left = take(out, left, NetlinkConstants.NLM_F_CAPPED, "capped");
                left = take(out, left, NetlinkConstants.NLM_F_ACK_TLVS, "ack-tlvs");
                break;
        }
        if (left != 0 || out.length() == 0) {
            bar(out).append(left == 0 ? "0" : "0x" + Integer.toHexString(left));
        }
        return out.toString();
    }

    /** {@code UNKNOWN(n)}. */
    public static String unknown(final int number) {
        return "UNKNOWN(" + number + ")";
    }

    /** Appends {@code name} when {@code bit} is all set; the bits that are left. */
    public static int take(final StringBuilder out, final int bits, final int bit, final String name) {
        if ((bits & bit) != bit) {
            return bits;
        }
        bar(out).append(name);
        return bits & ~bit;
    }

    private static StringBuilder bar(final StringBuilder out) {
        return out.length() == 0 ? out : out.append('|');
    }
}
