// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The two options that are lists of routes. A list that does not come out even is no list at all. */
final class RouteList {
    private static final int PAIR = 2 * Integer.BYTES;
    private static final int CLASS_A = 8;
    private static final int CLASS_B = 16;
    private static final int CLASS_C = 24;

    private RouteList() {
    }

    /** Length of the prefix, its significant bytes, router (RFC 3442); the router 0.0.0.0 is the link itself. */
    static List<DhcpRoute> classless(final byte[] value) {
        final List<DhcpRoute> routes = new ArrayList<>();
        int at = 0;
        while (at < value.length) {
            final int prefix = value[at] & 0xff;
            final int significant = (prefix + Byte.SIZE - 1) / Byte.SIZE;
            if (prefix > Integer.SIZE || value.length - at < 1 + significant + Integer.BYTES) {
                return List.of();
            }
            int to = 0;
            for (int i = 0; i < significant; i++) {
                to |= (value[at + 1 + i] & 0xff) << Integer.SIZE - Byte.SIZE * (i + 1);
            }
            // The kernel refuses a route with host bits; some servers leave them in.
            to &= DhcpOptions.mask(prefix);
            final InetAddress via = DhcpOptions.ip4(value, at + 1 + significant);
            routes.add(new DhcpRoute(DhcpOptions.ip4(to), prefix, via.isAnyLocalAddress() ? null : via));
            at += 1 + significant + Integer.BYTES;
        }
        return routes;
    }

    /**
     * Destination and router (RFC 2132, section 5.8), which forbids the destination 0.0.0.0; one that has host bits is
     * a host.
     */
    static List<DhcpRoute> classful(final byte[] value) {
        final List<DhcpRoute> routes = new ArrayList<>();
        if (value.length % PAIR != 0) {
            return List.of();
        }
        for (int at = 0; at < value.length; at += PAIR) {
            final int to = ByteBuffer.wrap(value).getInt(at);
            final int prefix = classOf(to);
            final InetAddress via = DhcpOptions.ip4(value, at + Integer.BYTES);
            if (prefix > 0 && to != 0 && !via.isAnyLocalAddress()) {
                final boolean host = (to & ~DhcpOptions.mask(prefix)) != 0;
                routes.add(new DhcpRoute(DhcpOptions.ip4(to), host ? Integer.SIZE : prefix, via));
            }
        }
        return routes;
    }

    /** Length of the prefix of an address's class; 0 for groups and what is reserved. */
    private static int classOf(final int ip) {
        return switch (ip >>> Integer.SIZE - 4) {
            case 0, 1, 2, 3, 4, 5, 6, 7 -> CLASS_A;
            case 8, 9, 10, 11 -> CLASS_B;
            case 12, 13 -> CLASS_C;
            default -> 0;
        };
    }
}
