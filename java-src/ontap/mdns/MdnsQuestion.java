// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

/**
 * A question (RFC 6762 section 18.12, 18.13).
 *
 * @param name    uncompressed, a character for each byte
 * @param type    0 to 65535, 255 is any
 * @param dclass  without its top bit, 255 is any
 * @param unicast the top bit of the class: a unicast response is welcome (QU)
 */
public record MdnsQuestion(String name, int type, int dclass, boolean unicast) {
}
