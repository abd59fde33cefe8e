// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.util.Arrays;
import ontap.netlink.HostOrder;
import ontap.netlink.Message;
import ontap.netlink.NetlinkFormatException;

/** RTM_NEWNDUSEROPT: struct nduseroptmsg and one option of a router advertisement, one direction. */
final class NdUserOptionMessages {
    /** struct nduseroptmsg: family, pad u8, opts_len u16, ifindex s32, icmp type and code u8, pads u16 and u32. */
    static final int HEADER = 16;

    private static final int LENGTH_AT = 2;
    private static final int INDEX_AT = 4;
    private static final int ICMP_TYPE_AT = 8;
    private static final int ROUTER_ADVERTISEMENT = 134;

    private NdUserOptionMessages() {}

    /** Null for what is no part of a router advertisement. */
    static RtnlEvent.NdUserOption parse(final Message m) {
        final byte[] p = m.payload();
        if (p.length < HEADER) {
            throw new NetlinkFormatException("nduseroptmsg: " + p.length + " bytes where 16 are due");
        }
        final int length = HostOrder.u16(p, LENGTH_AT);
        if (length > p.length - HEADER) {
            throw new NetlinkFormatException(
                    "nduseroptmsg: " + (p.length - HEADER) + " bytes of options where " + length + " are due");
        }
        if (HostOrder.u8(p, 0) != RtnlConstants.AF_INET6 || HostOrder.u8(p, ICMP_TYPE_AT) != ROUTER_ADVERTISEMENT) {
            return null;
        }
        final byte[] option = Arrays.copyOfRange(p, HEADER, HEADER + length);
        return new RtnlEvent.NdUserOption(m.nsid(), HostOrder.s32(p, INDEX_AT), option);
    }
}
