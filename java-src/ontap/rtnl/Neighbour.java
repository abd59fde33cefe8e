// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import java.util.Arrays;
import java.util.Objects;

/**
 * One entry of the ARP or neighbour discovery table.
 *
 * @param family AF_INET or AF_INET6
 * @param ip the neighbour's address
 * @param lladdr its hardware address, null while unknown; not to be changed
 * @param index the link's
 * @param state NUD_*
 */
public record Neighbour(int family, InetAddress ip, byte[] lladdr, int index, int state) {
    /** {@code 02:00:00:00:00:01}, null while unknown. */
    public String lladdrText() {
        return lladdr == null ? null : Link.hardware(lladdr);
    }

    @Override
    public String toString() {
        return "Neighbour[" + ip.getHostAddress() + " " + lladdrText() + " index " + index + " "
                + RtnlNames.neighbourState(state) + "]";
    }

    @Override
    public boolean equals(final Object other) {
        return other instanceof Neighbour o
                && family == o.family
                && index == o.index
                && state == o.state
                && Objects.equals(ip, o.ip)
                && Arrays.equals(lladdr, o.lladdr);
    }

    @Override
    public int hashCode() {
        return Objects.hash(ip, index, state);
    }
}
