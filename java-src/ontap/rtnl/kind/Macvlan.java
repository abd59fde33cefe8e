// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/**
 * A link with a MAC address of its own on an Ethernet parent (drivers/net/macvlan.c).
 *
 * @param mode IFLA_MACVLAN_MODE: {@link Macvlan#BRIDGE} and others
 */
public record Macvlan(int mode) implements LinkKind {
    /** Links of one parent do not hear each other. */
    public static final int PRIVATE = 1;
    /** Links of one parent hear each other through the switch outside. */
    public static final int VEPA = 2;
    /** Links of one parent hear each other directly; the parent itself does not hear them. */
    public static final int BRIDGE = 4;
    /** One link takes the parent over. */
    public static final int PASSTHRU = 8;
    /** Frames are sorted by a list of source addresses. */
    public static final int SOURCE = 16;

    /** IFLA_MACVLAN_MODE. */
    static final int MODE = 1;

    @Override
    public String name() {
        return "macvlan";
    }

    @Override
    public void write(final AttributeWriter data) {
        data.u32(Macvlan.MODE, mode);
    }
}
