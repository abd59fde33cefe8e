// SPDX-License-Identifier: Apache-2.0

/**
 * The messages of DHCP for IPv4 (RFC 2131, RFC 2132), read and written: {@link ontap.dhcp4.DhcpMessage} and its
 * {@link ontap.dhcp4.DhcpOptions}. What carries them, UDP, IPv4 and Ethernet, is not here, and neither is what a client
 * does with them.
 *
 * <p>A message comes from the network, and nobody vouches for it. Reading never throws: a message that is not built as
 * it should be is null, an option whose value makes no sense is as if it were not there. Texts come out without control
 * characters.
 *
 * <p>Knows no other room.
 */
package ontap.dhcp4;
