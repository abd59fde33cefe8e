// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The debug print: with {@code -Dontap.netlink.debug=true} or {@code ONTAP_NETLINK_DEBUG=1} each
 * message goes to stderr, prefix {@code nl: }, {@code >} sent and {@code <} received.
 */
final class Trace {
    static final boolean ON =
            Boolean.getBoolean("ontap.netlink.debug") || "1".equals(System.getenv("ONTAP_NETLINK_DEBUG"));

    private static final int SHOWN = 32;

    private Trace() {}

    static void print(final char way, final Message m, final Dialect dialect) {
        System.err.println(text(way, m, dialect));
    }

    static String text(final char way, final Message m, final Dialect dialect) {
        final boolean control = m.type() < NetlinkConstants.NLMSG_MIN_TYPE;
        final boolean request = m.has(NetlinkConstants.NLM_F_REQUEST);
        final Names.Verb verb = control || !request ? Names.Verb.ANSWER : dialect.verb(m.type());
        final StringBuilder out = new StringBuilder("nl: ").append(way).append(' ');
        out.append(control ? Names.type(m.type()) : dialect.type(m.type()));
        out.append(' ').append(Names.flags(m.flags(), verb)).append(" seq ").append(m.seq());
        out.append(" bytes ").append(Message.HEADER + m.payload().length);
        if (m.nsid() != null) {
            out.append(" nsid ").append(m.nsid());
        }
        if (control) {
            return out.append(": ").append(hex(m.payload())).toString();
        }
        final int header = Math.min(HostOrder.align(dialect.header(m.type())), m.payload().length);
        out.append(": ").append(hex(Arrays.copyOf(m.payload(), header)));
        final AttributeReader r = new AttributeReader(m.payload(), header);
        while (r.next()) {
            out.append("\nnl:     ").append(dialect.attribute(m.type(), r.type())).append(' ').append(hex(r.bytes()));
        }
        if (r.error() != null) {
            out.append("\nnl:     malformed: ").append(r.error());
        }
        return out.toString();
    }

    /** Hexadecimal digits of the first bytes, and the text behind them when it is printable. */
    private static String hex(final byte[] b) {
        final StringBuilder out = new StringBuilder();
        boolean printable = b.length > 1;
        for (int i = 0; i < b.length; i++) {
            if (i < SHOWN) {
                out.append(Character.forDigit(b[i] >> 4 & 15, 16)).append(Character.forDigit(b[i] & 15, 16));
            }
            final boolean nulAtEnd = b[i] == 0 && i == b.length - 1;
            printable &= nulAtEnd || b[i] >= ' ' && b[i] < 127;
        }
        if (b.length > SHOWN) {
            out.append("… (").append(b.length).append(" bytes)");
        }
        if (printable) {
            final int n = b[b.length - 1] == 0 ? b.length - 1 : b.length;
            out.append(" \"").append(new String(b, 0, n, StandardCharsets.US_ASCII)).append('"');
        }
        return out.toString();
    }
}
