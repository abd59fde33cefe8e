// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/**
 * A message to the kernel before it has a sequence number.
 *
 * @param type the family's message type
 * @param flags NLM_F_* besides REQUEST and ACK, which the socket adds
 * @param payload family header and attributes
 * @param subject a word or two for error messages ({@code eth0}); may be empty
 */
public record Request(int type, int flags, byte[] payload, String subject) {
    /** A request with attributes as written so far. */
    public static Request of(final int type, final int flags, final AttributeWriter payload, final String subject) {
        return new Request(type, flags, payload.toBytes(), subject);
    }
}
