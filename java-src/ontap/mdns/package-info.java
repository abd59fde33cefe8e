// SPDX-License-Identifier: Apache-2.0
/**
 * Multicast DNS (RFC 6762): messages as bytes, and the sockets they go by. What is said and when is decided elsewhere
 * ({@code ontap.model.mdns}).
 *
 * <p>A name, and a record's data, is a String with one character for each byte: the uncompressed form of RFC 1035, with
 * the lengths of the labels and the root's zero. Whatever bytes a stranger sends can be held so, equal bytes are equal
 * Strings, and their order is that of unsigned bytes.
 */
package ontap.mdns;
