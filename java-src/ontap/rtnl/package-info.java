// SPDX-License-Identifier: Apache-2.0

/**
 * Links, addresses, routes, neighbours and network namespace ids of rtnetlink(7): {@link
 * ontap.rtnl.Rtnl} asks and changes, {@link ontap.rtnl.RtnlBatch} changes much in one round trip,
 * {@link ontap.rtnl.RtnlMonitor} listens. Records carry what was read; null means the kernel did
 * not say, and is never the same as zero.
 *
 * <p>This room keeps no state about the system and decides nothing. What a kind of link needs is
 * in {@link ontap.rtnl.kind}, one file per kind.
 *
 * <p>May use {@code ontap.netlink} and {@code ontap.sys}.
 */
package ontap.rtnl;
