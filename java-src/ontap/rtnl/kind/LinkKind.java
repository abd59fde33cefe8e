// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/** A kind of link that rtnetlink can create. */
public interface LinkKind {
    /** IFLA_INFO_KIND, as {@code ip link add … type} takes it. */
    String name();

    /** Writes the attributes inside IFLA_INFO_DATA; writes nothing when the kind has none. */
    void write(AttributeWriter data);
}
