// SPDX-License-Identifier: Apache-2.0

/**
 * The netlink wire form and its sockets: messages, attributes, one transaction at a time, and the
 * monitor that only listens (netlink(7), include/uapi/linux/netlink.h).
 *
 * <p>Three strata that do not mix: bytes ({@link ontap.netlink.Message}, {@link
 * ontap.netlink.AttributeReader}, {@link ontap.netlink.AttributeWriter}), transactions ({@link
 * ontap.netlink.NetlinkSocket} over a {@link ontap.netlink.Transport}), and families, which live in
 * rooms of their own ({@code ontap.rtnl}). This room knows no family: a {@link
 * ontap.netlink.Dialect} lends it the family's names for errors and for the debug print.
 *
 * <p>May use {@code ontap.sys} only. May be used by the family rooms.
 */
package ontap.netlink;
