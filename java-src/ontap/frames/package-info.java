// SPDX-License-Identifier: Apache-2.0

/**
 * What Ethernet frames say about addresses: ARP (RFC 826, RFC 5227), neighbour discovery (RFC 4861) and DHCPv4 (RFC
 * 2131). {@link ontap.frames.GuestFrame} is all that others need: it reads a frame, whether a guest's or one from the
 * LAN, writes those of ARP and DHCP, and gives the filters for the packet sockets that take such frames only.
 *
 * <p>A guest can send what it likes: nothing here throws, whatever the bytes, and what is not exactly as its RFC says
 * is of no interest. What the frames mean is not decided here.
 *
 * <p>May use {@code ontap.dhcp4} and {@code ontap.sys}.
 */
package ontap.frames;
