// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.util.List;
import ontap.netlink.Message;
import ontap.netlink.NetlinkException;
import ontap.sys.Errno;

/** What is done to a link right after the kernel has made it. */
final class NewLink {
    private NewLink() {}

    /** Sets what the kernel does not take at creation; when that fails, the link is deleted again. */
    static void finish(final Rtnl rtnl, final LinkSpec spec, final int index) {
        if (!spec.needsMore()) {
            return;
        }
        final NetlinkException refusal = rtnl.batch().addAll(RtnlBatch.further(spec, index)).firstRefusal();
        if (refusal != null) {
            try {
                rtnl.deleteLink(index);
            } catch (final NetlinkException e) {
                refusal.addSuppressed(e);
            }
            throw refusal;
        }
    }

    /** From the echo of the request (Linux 6.2), or by asking. */
    static int index(final Rtnl rtnl, final String name, final List<Message> echo) {
        for (final Message m : echo) {
            final LinkMessages.Told told = m.type() == RtnlConstants.RTM_NEWLINK ? LinkMessages.parse(m) : null;
            if (told != null && told.link().name().equals(name)) {
                return told.link().index();
            }
        }
        final Link link = rtnl.link(name);
        if (link == null) {
            throw new NetlinkException("RTM_GETLINK", name, Errno.ENODEV, "it was made a moment ago");
        }
        return link.index();
    }
}
