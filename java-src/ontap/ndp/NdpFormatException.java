// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

/** Bytes that are no message of neighbour discovery. */
public final class NdpFormatException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NdpFormatException(final String text) {
        super(text);
    }
}
