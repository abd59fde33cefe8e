// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/** Messages written by hand, and messages in words. */
final class Packets {
    static final String WIKI = "0477696b69056c6f63616c00";
    /** A query for the addresses of wiki.local. */
    static final String QUERY = "0000 0000 0001 0000 0000 0000" + WIKI + "00ff 0001";
    /** The same as a probe for 10.0.0.5. */
    static final String PROBE = "0000 0000 0001 0000 0001 0000" + WIKI + "00ff 8001"
            + "c00c 0001 0001 00000078 0004 0a000005";
    /** PTR, SRV, TXT, A and NSEC of a web server, compressed wherever that may be. */
    static final String SERVICE = "0000 8400 0000 0001 0000 0004"
            + "055f68747470045f746370056c6f63616c00 000c 0001 00001194 0007 0457696b69c00c"
            + "c028 0021 8001 00000078 000d 0000 0000 0050 0477696b69c017"
            + "c028 0010 8001 00001194 0007 06706174683d2f"
            + "c041 0001 8001 00000078 0004 0a000005"
            + "c041 002f 8001 00000078 0005 c041 0001 40";

    private Packets() {
    }

    static byte[] hex(final String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    static String hex(final byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    /** "wiki.local", of a name; a byte that is no letter, digit, hyphen or underscore as \DDD. */
    static String name(final String wire) {
        final StringBuilder text = new StringBuilder();
        for (int at = 0; wire.charAt(at) != 0;) {
            final int end = at + 1 + wire.charAt(at);
            for (at++; at < end; at++) {
                final char c = wire.charAt(at);
                text.append(c < 0x80 && (Character.isLetterOrDigit(c) || c == '-' || c == '_') ? String.valueOf(c)
                        : String.format("\\%03d", (int) c));
            }
            text.append('.');
        }
        return text.toString();
    }

    static String words(final MdnsMessage m) {
        if (m == null) {
            return null;
        }
        return String.format("%d %04x", m.id(), m.flags())
                + " | " + m.questions().stream().map(q -> name(q.name()) + " " + q.type() + " " + q.dclass()
                        + (q.unicast() ? " QU" : "")).collect(Collectors.joining(", "))
                + " | " + words(m.answers()) + " | " + words(m.authorities()) + " | " + words(m.additionals());
    }

    private static String words(final List<MdnsRecord> records) {
        return records.stream().map(r -> name(r.name()) + " " + r.type() + " " + r.dclass() + (r.flush() ? " flush " : " ")
                + r.ttl() + " " + hex(r.data().getBytes(StandardCharsets.ISO_8859_1))).collect(Collectors.joining(", "));
    }
}
