// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

/**
 * A resource record (RFC 1035 section 3.2.1, RFC 6762 section 10.2).
 *
 * @param name   uncompressed, a character for each byte
 * @param type   0 to 65535
 * @param dclass without its top bit; of OPT (41) as it stands, where it is a size
 * @param flush  the top bit of the class: caches forget what they knew of this name, type and class
 * @param ttl    seconds, 0 to 2^31 - 1
 * @param data   with the names in it uncompressed, a character for each byte
 */
public record MdnsRecord(String name, int type, int dclass, boolean flush, int ttl, String data) {
    /** Of EDNS (RFC 6891), whose class is a size. */
    static final int OPT = 41;
}
