// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import ontap.netlink.AttributeReader;

/** Addresses as rtnetlink carries them: 4 or 16 bytes beside a family number. */
final class IpBytes {
    private IpBytes() {}

    /** True for the two families this room reads. */
    static boolean knows(final int family) {
        return family == RtnlConstants.AF_INET || family == RtnlConstants.AF_INET6;
    }

    static int family(final InetAddress ip) {
        return ip instanceof Inet4Address ? RtnlConstants.AF_INET : RtnlConstants.AF_INET6;
    }

    /** The current attribute as an address of {@code family}; null and a sticky error when the length is wrong. */
    static InetAddress read(final AttributeReader r, final int family) {
        final int due = family == RtnlConstants.AF_INET ? 4 : 16;
        if (r.length() != due) {
            r.reject(r.length() + " bytes where an address of " + due + " is due");
            return null;
        }
        return of(r.bytes());
    }

    /** An address of 4 or 16 bytes. 16 stay 16: InetAddress.getByAddress would turn ::ffff:a.b.c.d into IPv4. */
    static InetAddress of(final byte[] bytes) {
        try {
            return bytes.length == 16 ? Inet6Address.getByAddress(null, bytes, -1) : InetAddress.getByAddress(bytes);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException("an address of " + bytes.length + " bytes", e);
        }
    }
}
