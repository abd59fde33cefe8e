// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.util.List;

/**
 * A message (RFC 6762 section 18).
 *
 * @param id    0 but for a legacy query and its answer
 * @param flags the second 16 bits: QR, OPCODE, AA, TC, RD, RA, Z, AD, CD, RCODE
 */
public record MdnsMessage(int id, int flags, List<MdnsQuestion> questions, List<MdnsRecord> answers,
                          List<MdnsRecord> authorities, List<MdnsRecord> additionals) {
    /** QR: it is a response. */
    public static final int RESPONSE = 0x8000;
    /** AA. */
    public static final int AUTHORITATIVE = 0x0400;
    /** TC. */
    public static final int TRUNCATED = 0x0200;
    /** Bytes of a header. */
    public static final int HEADER = 12;
    /** Bytes of the longest that is sent: 9000 with the headers of IPv6 and UDP (RFC 6762 section 17). */
    public static final int LONGEST = 9000 - 48;
    /** Bytes of the longest that is read. */
    public static final int LONGEST_READ = 9000;

    /** Is it a response, by its QR bit? */
    public boolean response() {
        return (flags & RESPONSE) != 0;
    }

    /** OPCODE, 0 to 15. */
    public int opcode() {
        return flags >> 11 & 0xf;
    }

    /** RCODE, 0 to 15. */
    public int rcode() {
        return flags & 0xf;
    }

    /** Do more known answers follow (a query), or is something missing (a legacy reply)? */
    public boolean truncated() {
        return (flags & TRUNCATED) != 0;
    }

    /** Its AA bit. */
    public boolean authoritative() {
        return (flags & AUTHORITATIVE) != 0;
    }
}
