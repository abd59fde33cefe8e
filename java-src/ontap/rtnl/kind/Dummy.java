// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/** A link that leads nowhere (drivers/net/dummy.c). */
public record Dummy() implements LinkKind {
    @Override
    public String name() {
        return "dummy";
    }

    @Override
    public void write(final AttributeWriter data) {
        // Nothing to say.
    }
}
