// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;
import ontap.sys.Fd;

/**
 * A pair of links, each the other's wire (drivers/net/veth.c, veth(4)).
 *
 * @param peerName name of the other end
 * @param peerNsFd open descriptor of the network namespace for the other end, null for the one that
 *     the request is sent from
 */
public record Veth(String peerName, Integer peerNsFd) implements LinkKind {
    private static final int VETH_INFO_PEER = 1;
    private static final int IFLA_IFNAME = 3;
    private static final int IFLA_NET_NS_FD = 28;
    private static final int IFINFOMSG = 16;

    /** Both ends in one namespace. */
    public static Veth to(final String peerName) {
        return new Veth(peerName, null);
    }

    /** The other end in {@code namespace}, which has to stay open until the link is made. */
    public static Veth to(final String peerName, final Fd namespace) {
        return new Veth(peerName, namespace.raw());
    }

    @Override
    public String name() {
        return "veth";
    }

    @Override
    public void write(final AttributeWriter data) {
        final int peer = data.begin(VETH_INFO_PEER);
        data.raw(new byte[IFINFOMSG]).string(IFLA_IFNAME, peerName);
        if (peerNsFd != null) {
            data.u32(IFLA_NET_NS_FD, peerNsFd);
        }
        data.end(peer);
    }
}
