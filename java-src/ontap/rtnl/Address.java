// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;

/**
 * One IP address of a link. Null: the kernel did not say.
 *
 * @param family AF_INET or AF_INET6
 * @param ip the local address
 * @param prefixLength bits
 * @param index the link's
 * @param flags IFA_F_*, all 32 bits (IFA_FLAGS)
 * @param scope RT_SCOPE_*
 * @param broadcast the address of all hosts of its subnet (IFA_BROADCAST), IPv4 only
 * @param proto IFA_PROTO: 1 loopback, 2 router advertisement, 3 link-local, since Linux 5.18
 * @param preferredSeconds how long it is preferred, null for ever
 * @param validSeconds how long it is valid, null for ever
 * @param updatedMillis when lifetimes or flags were last set: by whoever made it, by a router's advertisement. Of the
 *     clock that stands still while the machine sleeps (CLOCK_MONOTONIC), in steps of 10 ms, a little behind it, and
 *     modulo 2^32 of such steps (497 days): what the kernel says (IFA_CACHEINFO, tstamp). Null when it is one to be added
 * @param nsid the link's namespace as an id of the reader's; null when it is the reader's own
 */
public record Address(
        int family,
        InetAddress ip,
        int prefixLength,
        int index,
        int flags,
        int scope,
        InetAddress broadcast,
        Integer proto,
        Long preferredSeconds,
        Long validSeconds,
        Long updatedMillis,
        Integer nsid) {

    /** An address to be added, for ever, of global scope. */
    public static Address of(final int index, final InetAddress ip, final int prefixLength, final int flags) {
        return new Address(IpBytes.family(ip), ip, prefixLength, index, flags, 0, null, null, null, null, null, null);
    }

    /** The same address with lifetimes in seconds, null for ever. */
    public Address withLifetimes(final Long preferred, final Long valid) {
        return new Address(
                family, ip, prefixLength, index, flags, scope, broadcast, proto, preferred, valid, updatedMillis, nsid);
    }

    /** The same address with that of all hosts of its subnet, null for none. */
    public Address withBroadcast(final InetAddress value) {
        return new Address(
                family, ip, prefixLength, index, flags, scope, value, proto, preferredSeconds, validSeconds,
                updatedMillis, nsid);
    }

    /** Duplicate address detection still runs; with dadFailed it has ended badly. */
    public boolean tentative() {
        return has(RtnlConstants.IFA_F_TENTATIVE);
    }

    /** Another host has it; the address stays on the link and must not be used. */
    public boolean dadFailed() {
        return has(RtnlConstants.IFA_F_DADFAILED);
    }

    /** Valid, no longer preferred. */
    public boolean deprecated() {
        return has(RtnlConstants.IFA_F_DEPRECATED);
    }

    /** For ever, as whoever made it said: no router's advertisement gave it. */
    public boolean permanent() {
        return has(RtnlConstants.IFA_F_PERMANENT);
    }

    /** A privacy address (RFC 8981) of IPv6; a secondary address of IPv4, which shares the bit. */
    public boolean temporary() {
        return has(RtnlConstants.IFA_F_TEMPORARY);
    }

    /** Others can reach it: neither tentative (unless optimistic, RFC 4429) nor refused by detection. */
    public boolean usable() {
        return !dadFailed() && (!tentative() || has(RtnlConstants.IFA_F_OPTIMISTIC));
    }

    private boolean has(final int flag) {
        return (flags & flag) != 0;
    }
}
