// SPDX-License-Identifier: Apache-2.0

/**
 * An authoritative DNS server: what is published ({@link ontap.dns.Catalog}), who sees which part of it
 * ({@link ontap.dns.Askers}), what is said to a message ({@link ontap.dns.Answerer}), and the loops that carry messages
 * by UDP and TCP.
 *
 * <p>What is published is immutable and swapped as a whole ({@link ontap.dns.Snapshot}), so that an answer is always
 * out of one state. A message comes from the network, and nobody vouches for it: it gets an answer that the RFCs have
 * for it, or none, and never makes anything throw.
 *
 * <p>Records and messages are those of dnsjava, which no other room knows, except for {@link ontap.dns.FastPath}, which
 * writes the same answers octet by octet. Knows the room {@code sys}.
 */
package ontap.dns;
