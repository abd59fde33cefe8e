// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.util.Arrays;
import java.util.Objects;

/**
 * One network interface as the kernel told it. Null: the kernel did not say.
 *
 * @param index positive, unique in its namespace at one time
 * @param name IFLA_IFNAME
 * @param kind IFLA_INFO_KIND ({@code veth}), null for lo and hardware
 * @param alias IFLA_IFALIAS
 * @param hwaddr IFLA_ADDRESS, 6 bytes on Ethernet; not to be changed
 * @param mtu bytes
 * @param flags IFF_*
 * @param parentIndex IFLA_LINK: the parent of a macvlan, the other end of a veth
 * @param parentNsid the namespace {@code parentIndex} counts in, null when it is the link's own. It
 *     is an id of the link's namespace when a monitor told it, of the reader's when {@link
 *     Rtnl#linksOf} did: for that answer the kernel gives even the reader's own namespace an id
 * @param operstate IF_OPER_* (RFC 2863)
 * @param master index of the bridge or bond
 * @param kindMode IFLA_IPVLAN_MODE or IFLA_MACVLAN_MODE of such links
 * @param nsid the link's namespace as an id of the reader's; null when it is the reader's own
 */
public record Link(
        int index,
        String name,
        String kind,
        String alias,
        byte[] hwaddr,
        int mtu,
        int flags,
        Integer parentIndex,
        Integer parentNsid,
        int operstate,
        Integer master,
        Integer kindMode,
        Integer nsid) {

    /** Set up by its administrator. */
    public boolean up() {
        return (flags & RtnlConstants.IFF_UP) != 0;
    }

    /** Up, with carrier. */
    public boolean running() {
        return (flags & RtnlConstants.IFF_RUNNING) != 0;
    }

    /** {@code 02:00:00:00:00:01}, null without a hardware address. */
    public String hwaddrText() {
        return hwaddr == null ? null : hardware(hwaddr);
    }

    static String hardware(final byte[] bytes) {
        final StringBuilder out = new StringBuilder(bytes.length * 3);
        for (final byte b : bytes) {
            out.append(out.length() == 0 ? "" : ":");
            out.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return out.toString();
    }

    @Override
    public String toString() {
        return "Link[" + (nsid == null ? "" : "nsid " + nsid + " ") + index + " " + name + " " + kind
                + " alias=" + alias + " hwaddr=" + hwaddrText() + " mtu=" + mtu + " " + RtnlNames.linkFlags(flags)
                + " operstate=" + RtnlNames.operstate(operstate) + " parent=" + parentIndex + "@" + parentNsid
                + " master=" + master + " mode=" + kindMode + "]";
    }

    // A record compares arrays by identity; two readings of one link have to be equal.

    @Override
    public boolean equals(final Object other) {
        return other instanceof Link o
                && index == o.index
                && mtu == o.mtu
                && flags == o.flags
                && operstate == o.operstate
                && Arrays.equals(hwaddr, o.hwaddr)
                && Objects.equals(name, o.name)
                && Objects.equals(kind, o.kind)
                && Objects.equals(alias, o.alias)
                && Objects.equals(parentIndex, o.parentIndex)
                && Objects.equals(parentNsid, o.parentNsid)
                && Objects.equals(master, o.master)
                && Objects.equals(kindMode, o.kindMode)
                && Objects.equals(nsid, o.nsid);
    }

    @Override
    public int hashCode() {
        return Objects.hash(index, name, nsid, flags);
    }
}
