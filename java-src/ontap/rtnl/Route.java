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
        Integer metric) {

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
        final boolean onLink = gateway == null && family == RtnlConstants.AF_INET;
        return new Route(
                family,
                destination,
                prefixLength,
                gateway,
                oif,
                RtnlConstants.RT_TABLE_MAIN,
                RtnlConstants.RTPROT_STATIC,
                onLink ? RtnlConstants.RT_SCOPE_LINK : RtnlConstants.RT_SCOPE_UNIVERSE,
                RtnlConstants.RTN_UNICAST,
                null);
    }

    /** The same route with another metric, null for the kernel's. */
    public Route withMetric(final Integer value) {
        return new Route(family, destination, prefixLength, gateway, oif, table, protocol, scope, type, value);
    }

    /** The same route in another table. */
    public Route withTable(final int value) {
        return new Route(family, destination, prefixLength, gateway, oif, value, protocol, scope, type, metric);
    }

    /** The same route with another RTPROT_*. */
    public Route withProtocol(final int value) {
        return new Route(family, destination, prefixLength, gateway, oif, table, value, scope, type, metric);
    }
}
