// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.net.InetAddress;

/**
 * A route that a server gives.
 *
 * @param to the network's address, its host bits zero
 * @param prefix 0 to 32
 * @param via the router; null when the network is on the link itself
 */
public record DhcpRoute(InetAddress to, int prefix, InetAddress via) {
}
