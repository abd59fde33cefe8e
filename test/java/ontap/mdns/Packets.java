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
    /** All types whose names may be compressed, and three where what looks like a name is left alone. */
    static final String NAMES = "0000 8400 0000 0010 0000 0000" + WIKI
            + "0002 0001 00000078 0002 c00c "
            + "c00c 0005 0001 00000078 0004 0161c011 "
            + "c00c 0006 0001 00000078 001c 0162c011 0163c011 0000000100000002000000030000000400000005 "
            + "c00c 000c 0001 00000078 0004 0164c011 "
            + "c00c 000f 0001 00000078 0006 000a 0165c011 "
            + "c00c 0011 0001 00000078 0008 0166c011 0167c011 "
            + "c00c 0012 0001 00000078 0006 0001 0168c011 "
            + "c00c 0015 0001 00000078 0006 000a 0169c011 "
            + "c00c 001a 0001 00000078 000a 000a 016ac011 016bc011 "
            + "c00c 0021 0001 00000078 000a 000000000050 016cc011 "
            + "c00c 0024 0001 00000078 0006 000a 016dc011 "
            + "c00c 0027 0001 00000078 0004 016ec011 "
            + "c00c 002f 0001 00000078 0007 016fc011 0001 40 "
            + "c00c 0010 0001 00000078 0004 03c00c00 "
            + "c00c 002e 0001 00000078 0020 0001 0d 02 00000078 00000000 00000000 0000 " + WIKI + " ffff "
            + "c00c ff00 0001 00000078 0006 0477696bc011 ";

    /** What avahi 0.8 says: a probe, an announcement of its address, and one of a service. */
    static final String AVAHI_PROBE = "000000000003000000040000"
            + "013101310130013001300130013001300130013001300130013001300130013001300130013001300130013001300130"
            + "013001300130013001370137016401660369703604617270610000ff000103776562056c6f63616c0000ff0001023131"
            + "013002373702313007696e2d61646472c05000ff0001c05a000100010000007800040a4d000bc069000c000100000078"
            + "0002c05ac05a001c0001000000780010fd770000000000000000000000000011c00c000c0001000000780002c05a";
    static final String AVAHI_HOST = "00008400000000020000000003776562056c6f63616c00001c8001000000780010fd7700000000000000000000000000"
            + "11c00c000180010000007800040a4d000b";
    static final String AVAHI_SERVICE = "0000840000000006000000000a41766168692c20776562055f68747470045f746370056c6f63616c0000108001000011"
            + "94000706706174683d2fc017000c0001000011940002c00cc00c0021800100000078000c00000000005003776562c022"
            + "c05a001c8001000000780010fd770000000000000000000000000011c05a000180010000007800040a4d000b095f7365"
            + "727669636573075f646e732d7364045f756470c022000c0001000011940002c017";
    /** A probe of systemd-resolved 252: it sets the cache-flush bit, which should not be. */
    static final String RESOLVED_PROBE = "0000000000020000000400000477656239055f68747470045f746370056c6f63616c0000ff00010477656239c01c00ff"
            + "0001c00c0010800100000078000807706174683d2f72c00c002180010000007800120000000000510477656239056c6f"
            + "63616c00c027001c8001000000780010fe80000000000000b02d16fffefcd05bc027001c8001000000780010fd770000"
            + "000000000000000000000012";

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
