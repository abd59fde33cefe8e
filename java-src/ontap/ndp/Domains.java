// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Domain names one after the other, as labels with their lengths (RFC 1035, section 3.1), none compressed. */
final class Domains {
    private static final int LABEL_MAX = 63;
    private static final int DOMAIN_MAX = 253;
    private static final Pattern DOMAIN = Pattern.compile(
            "(?!.{" + (DOMAIN_MAX + 1) + "})[A-Za-z0-9_-]{1," + LABEL_MAX + "}(?:\\.[A-Za-z0-9_-]{1," + LABEL_MAX + "})*");

    private Domains() {
    }

    /** Can it be the name of a host or of a domain of hosts? So it is safe in a file and on a terminal. */
    static boolean isDomain(final String text) {
        return DOMAIN.matcher(text).matches();
    }

    /** Bytes that these take. */
    static int size(final List<String> domains) {
        int size = 0;
        for (final String domain : domains) {
            size += domain.length() + 2; // a length for each dot, one at the beginning, and the root's
        }
        return size;
    }

    static void write(final List<String> domains, final ByteBuffer out) {
        for (final String domain : domains) {
            for (final String label : domain.split("\\.")) {
                out.put((byte) label.length()).put(label.getBytes(StandardCharsets.US_ASCII));
            }
            out.put((byte) 0);
        }
    }

    /**
     * Reads until the end or the zeros that fill it up. Leaves out what is no domain; a name that is cut off, and a
     * label that is too long or compressed, are mistakes.
     */
    static List<String> read(final NdpReader in) {
        final List<String> domains = new ArrayList<>();
        final StringBuilder domain = new StringBuilder();
        while (in.left() > 0) {
            final int length = in.u8();
            if (length > LABEL_MAX) {
                in.reject("a label of " + length + " bytes");
            } else if (length > 0) {
                domain.append(domain.length() == 0 ? "" : ".");
                // Byte for byte, so that what is no letter stays none.
                domain.append(new String(in.bytes(length), StandardCharsets.ISO_8859_1));
                if (in.left() == 0) {
                    in.reject("a name without its end");
                }
            } else if (domain.length() == 0) {
                in.skip(in.left());
            } else {
                if (isDomain(domain.toString())) {
                    domains.add(domain.toString());
                }
                domain.setLength(0);
            }
        }
        return domains;
    }
}
