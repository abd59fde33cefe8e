// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/**
 * A macvlan whose frames go to a character device instead of the IP stack (drivers/net/macvtap.c).
 * It stays when the device is closed.
 *
 * @param mode IFLA_MACVLAN_MODE: {@link Macvlan#BRIDGE} and others
 */
public record Macvtap(int mode) implements LinkKind {
    @Override
    public String name() {
        return "macvtap";
    }

    @Override
    public void write(final AttributeWriter data) {
        data.u32(Macvlan.MODE, mode);
    }
}
