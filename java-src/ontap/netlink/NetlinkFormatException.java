// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

/**
 * Bytes that are not what netlink or the family's header file promises. The message names the
 * attribute (or the header) and the length found, as in {@code attribute 4: 2 bytes where 4 are due}.
 */
public final class NetlinkFormatException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** An exception with a sentence for its reader. */
    public NetlinkFormatException(final String message) {
        super(message);
    }
}
