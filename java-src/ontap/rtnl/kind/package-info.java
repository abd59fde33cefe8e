// SPDX-License-Identifier: Apache-2.0

/**
 * What each kind of link is called and which data its creation takes (IFLA_INFO_KIND,
 * IFLA_INFO_DATA of include/uapi/linux/if_link.h), one file per kind. May use {@code ontap.netlink}
 * and {@code ontap.sys}.
 */
package ontap.rtnl.kind;
