// SPDX-License-Identifier: Apache-2.0

/**
 * A small sender of IPv6 router advertisements (RFC 4861, RDNSS of RFC 8106) for LANs that have no
 * router: the demonstration's and the tests'. {@link ontap.ndp.RouterAdvertisement} is the codec,
 * {@link ontap.ndp.RouterAdvertiser} the router, on an event loop, and a program of its own.
 *
 * <p>It routes nothing, and is nothing a service of this program needs: on a real LAN the real
 * router advertises.
 *
 * <p>May use {@code ontap.rtnl} and {@code ontap.sys}.
 */
package ontap.ndp;
