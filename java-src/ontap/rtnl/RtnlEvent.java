// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Objects;

/**
 * What the kernel told a {@link RtnlMonitor}. Each is an upsert or a removal that may be applied
 * twice; the nsid inside says in whose namespace, null for the monitor's own.
 */
public sealed interface RtnlEvent {
    /** A link is there or has changed. */
    record LinkNew(Link link) implements RtnlEvent {}

    /**
     * A link is gone from its namespace. When it was moved and the kernel tells where to,
     * {@code newNsid} is the new namespace as an id of the link's old one and {@code newIndex} its
     * index there; both null otherwise.
     */
    record LinkGone(Link link, Integer newNsid, Integer newIndex) implements RtnlEvent {}

    /** An address is there or has changed; look at its flags before using it. */
    record AddressNew(Address address) implements RtnlEvent {}

    /** An address is gone; it may never have been announced. */
    record AddressGone(Address address) implements RtnlEvent {}

    /** A namespace has got an id in the monitor's namespace and can be heard from now on. */
    record NsidNew(int nsid) implements RtnlEvent {}

    /**
     * A namespace has ended. Nothing else is told about the links and addresses in it, and the id
     * will be used again.
     */
    record NsidGone(int nsid) implements RtnlEvent {}

    /**
     * A router advertised an option that the kernel leaves to programs: resolvers, search lists (RFC 8106)
     * and others. Told of every namespace that has an id here, as links and addresses are (seen on 6.1 and
     * 6.18), each time the router speaks.
     *
     * @param nsid the namespace of the link that heard it; null when it is the monitor's own
     * @param index the link's
     * @param option the option from its type on, as it came; not to be changed
     */
    record NdUserOption(Integer nsid, int index, byte[] option) implements RtnlEvent {
        // A record compares arrays by identity.

        @Override
        public boolean equals(final Object other) {
            return other instanceof NdUserOption o
                    && index == o.index
                    && Objects.equals(nsid, o.nsid)
                    && Arrays.equals(option, o.option);
        }

        @Override
        public int hashCode() {
            return Objects.hash(nsid, index, Arrays.hashCode(option));
        }

        @Override
        public String toString() {
            return "NdUserOption[nsid=" + nsid + ", index=" + index + ", option="
                    + HexFormat.of().formatHex(option) + "]";
        }
    }

    /**
     * A router that advertised itself as one for everything is there: an IPv6 default route of RTPROT_RA came.
     *
     * @param nsid the namespace of the link; null when it is the monitor's own
     * @param index the link's
     */
    record RouterNew(Integer nsid, int index, InetAddress router) implements RtnlEvent {}

    /** Such a router has said that it goes, or was not heard for as long as it said. */
    record RouterGone(Integer nsid, int index, InetAddress router) implements RtnlEvent {}

    /** Events were lost: read everything anew by dumps. */
    record Overflow() implements RtnlEvent {}
}
