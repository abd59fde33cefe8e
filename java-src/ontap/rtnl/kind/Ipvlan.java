// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/**
 * A link that shares its parent's MAC address and is told apart by IP address
 * (Documentation/networking/ipvlan.rst). Mode and flags belong to the parent: the last link made on
 * a parent changes them for all of it.
 *
 * @param mode IFLA_IPVLAN_MODE: {@link Ipvlan#L2} and others
 * @param flags IFLA_IPVLAN_FLAGS: 0, {@link Ipvlan#PRIVATE} or {@link Ipvlan#VEPA}
 */
public record Ipvlan(int mode, int flags) implements LinkKind {
    /** Ethernet frames reach the link: DHCP, router advertisements and mDNS work. */
    public static final int L2 = 0;
    /** Only IP, routed by the parent; no multicast. The kernel's own default. */
    public static final int L3 = 1;
    /** As L3, through the parent's netfilter hooks. */
    public static final int L3S = 2;

    /** Links of one parent do not hear each other. */
    public static final int PRIVATE = 1;
    /** Links of one parent hear each other through the switch outside. */
    public static final int VEPA = 2;

    /** IFLA_IPVLAN_MODE. */
    static final int MODE = 1;
    /** IFLA_IPVLAN_FLAGS. */
    static final int FLAGS = 2;

    @Override
    public String name() {
        return "ipvlan";
    }

    @Override
    public void write(final AttributeWriter data) {
        data.u16(Ipvlan.MODE, mode);
        if (flags != 0) {
            data.u16(Ipvlan.FLAGS, flags); // since Linux 4.15
        }
    }
}
