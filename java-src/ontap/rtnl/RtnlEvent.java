// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

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

    /** Events were lost: read everything anew by dumps. */
    record Overflow() implements RtnlEvent {}
}
