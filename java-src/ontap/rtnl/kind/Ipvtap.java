// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/**
 * An ipvlan whose frames go to a character device instead of the IP stack
 * (drivers/net/ipvlan/ipvtap.c). Unicast reaches the device only for addresses configured on the
 * link; it stays when the device is closed.
 *
 * @param mode IFLA_IPVLAN_MODE: {@link Ipvlan#L2} and others
 * @param flags IFLA_IPVLAN_FLAGS: 0, {@link Ipvlan#PRIVATE} or {@link Ipvlan#VEPA}
 */
public record Ipvtap(int mode, int flags) implements LinkKind {
    @Override
    public String name() {
        return "ipvtap";
    }

    @Override
    public void write(final AttributeWriter data) {
        data.u16(Ipvlan.MODE, mode);
        if (flags != 0) {
            data.u16(Ipvlan.FLAGS, flags); // since Linux 4.15
        }
    }
}
