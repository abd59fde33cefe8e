// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import ontap.sys.Errno;
import ontap.sys.SysException;

/**
 * A request the kernel refused: {@code RTM_NEWLINK eth0: File exists (EEXIST): <extended ack>}.
 * {@link #call} is the message type's name, {@link #detail} the subject of the request.
 */
public final class NetlinkException extends SysException {
    private static final long serialVersionUID = 1L;

    private final String extack;

    /**
     * A refusal with what the kernel said about it.
     *
     * @param type name of the request's message type
     * @param subject what it was about, may be empty
     * @param errno positive error number
     * @param extack the kernel's own words (NLMSGERR_ATTR_MSG), null when it gave none
     */
    public NetlinkException(final String type, final String subject, final int errno, final String extack) {
        super(text(type, subject, errno, extack), type, subject, errno);
        this.extack = extack;
    }

    /** The kernel's own words, null when it gave none. */
    public String extack() {
        return extack;
    }

    private static String text(final String type, final String subject, final int errno, final String extack) {
        final StringBuilder out = new StringBuilder(type);
        if (!subject.isEmpty()) {
            out.append(' ').append(subject);
        }
        out.append(": ").append(Errno.text(errno)).append(" (").append(Errno.name(errno)).append(')');
        if (extack != null) {
            out.append(": ").append(extack);
        }
        return out.toString();
    }
}
