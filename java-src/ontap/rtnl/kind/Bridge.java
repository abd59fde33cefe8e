// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import ontap.netlink.AttributeWriter;

/** An Ethernet switch (net/bridge) with the kernel's default settings. */
public record Bridge() implements LinkKind {
    @Override
    public String name() {
        return "bridge";
    }

    @Override
    public void write(final AttributeWriter data) {
        // Nothing to say.
    }
}
