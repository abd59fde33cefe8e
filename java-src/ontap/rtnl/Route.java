// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;

/**
 * One route; a route over several next hops reads as one Route for each. Null: absent.
 *
 * @param family AF_INET or AF_INET6
 * @param destination null for the default route
 * @param prefixLength bits of the destination
 * @param gateway null when the destination is on the link; may be IPv6 for an IPv4 route (RTA_VIA)
 * @param oif index of the link it leaves by
 * @param table RT_TABLE_*
 * @param protocol RTPROT_*: who made it
 * @param scope RT_SCOPE_*
 * @param type RTN_*
 * @param metric RTA_PRIORITY, less is better
 * @param source the address that packets are sent from when their sender has none (RTA_PREFSRC)
 * @param onLink the gateway is on the link although no other route says so (RTNH_F_ONLINK)
 */
public record Route(
        int family,
        InetAddress destination,
        int prefixLength,
        InetAddress gateway,
        Integer oif,
        int table,
        int protocol,
        int scope,
        int type,
        Integer metric,
        InetAddress source,
        boolean onLink) {

    /**
     * A unicast route of the main table to be added. {@code destination} and {@code gateway} may be
     * null, not both: IllegalArgumentException, as the family would be unknown.
     */
    public static Route unicast(
            final InetAddress destination, final int prefixLength, final InetAddress gateway, final Integer oif) {
        if (destination == null && gateway == null) {
            throw new IllegalArgumentException("a route without destination and gateway has no family");
        }
        final int family = IpBytes.family(destination == null ? gateway : destination);
        final boolean direct = gateway == null && family == RtnlConstants.AF_INET;
        return new Route(
                family,
                destination,
                prefixLength,
                gateway,
                oif,
                RtnlConstants.RT_TABLE_MAIN,
                RtnlConstants.RTPROT_STATIC,
                direct ? RtnlConstants.RT_SCOPE_LINK : RtnlConstants.RT_SCOPE_UNIVERSE,
                RtnlConstants.RTN_UNICAST,
                null,
                null,
                false);
    }

    /** The same route with another metric, null for the kernel's. */
    public Route withMetric(final Integer value) {
        return with(table, protocol, value, source, onLink);
    }

    /** The same route in another table. */
    public Route withTable(final int value) {
        return with(value, protocol, metric, source, onLink);
    }

    /** The same route with another RTPROT_*. */
    public Route withProtocol(final int value) {
        return with(table, value, metric, source, onLink);
    }

    /** The same route with another address to send from, null for the kernel's choice. */
    public Route withSource(final InetAddress value) {
        return with(table, protocol, metric, value, onLink);
    }

    /** The same route, its gateway taken to be on the link or not. */
    public Route withOnLink(final boolean value) {
        return with(table, protocol, metric, source, value);
    }

    private Route with(
            final int newTable,
            final int newProtocol,
            final Integer newMetric,
            final InetAddress newSource,
            final boolean newOnLink) {
        return new Route(
                family, destination, prefixLength, gateway, oif, newTable, newProtocol, scope, type, newMetric,
                newSource, newOnLink);
    }
}
