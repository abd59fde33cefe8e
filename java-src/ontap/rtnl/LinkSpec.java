// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import ontap.rtnl.kind.LinkKind;
import ontap.sys.Fd;

/**
 * A link to be made. Null: the kernel's default.
 *
 * @param name up to 15 bytes
 * @param kind what is made
 * @param index its index, 0 lets the kernel choose; a taken one is refused (EBUSY), and a new
 *     namespace may hold more than lo (sit0, tunl0), so a chosen one should be high
 * @param parent index of the link below, or the device of a tap
 * @param parentNsid the namespace {@code parent} counts in, as an id of the socket's namespace; null
 *     when that is the socket's own
 * @param namespace where the link is made, null for the socket's namespace; stays the caller's
 * @param alias IFLA_IFALIAS, up to 255 bytes
 * @param mtu bytes
 * @param hwaddr 6 bytes
 * @param master index of the bridge it joins
 * @param up whether it is set up at the end
 * @param addrGenMode IN6_ADDR_GEN_MODE_*, in effect before it is set up
 */
public record LinkSpec(
        String name,
        LinkKind kind,
        int index,
        Integer parent,
        Integer parentNsid,
        Fd namespace,
        String alias,
        Integer mtu,
        byte[] hwaddr,
        Integer master,
        boolean up,
        Integer addrGenMode) {

    /** A link with nothing but a name and a kind. */
    public static LinkSpec of(final String name, final LinkKind kind) {
        return new LinkSpec(name, kind, 0, null, null, null, null, null, null, null, false, null);
    }

    /** With an index chosen by the caller. */
    public LinkSpec withIndex(final int index) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** On a parent in the namespace of the socket. */
    public LinkSpec withParent(final int parent) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** On a parent in another namespace, by its id in the namespace of the socket. */
    public LinkSpec withParent(final int parent, final int parentNsid) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** Made straight in that network namespace. */
    public LinkSpec withNamespace(final Fd namespace) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** With an alias. */
    public LinkSpec withAlias(final String alias) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** With an MTU in bytes. */
    public LinkSpec withMtu(final int mtu) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** With a hardware address. */
    public LinkSpec withHwaddr(final byte[] hwaddr) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** In a bridge. */
    public LinkSpec withMaster(final int master) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** Set up at the end. */
    public LinkSpec withUp() {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, true, addrGenMode);
    }

    /** With a way of making IPv6 addresses, IN6_ADDR_GEN_MODE_*. */
    public LinkSpec withAddrGenMode(final int addrGenMode) {
        return new LinkSpec(
                name, kind, index, parent, parentNsid, namespace, alias, mtu, hwaddr, master, up, addrGenMode);
    }

    /** True for settings the kernel ignores while it creates a link: they need further requests. */
    boolean needsMore() {
        return alias != null || addrGenMode != null;
    }
}
