// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/** An answer as dnsjava reads it, as texts that can be compared. */
final class Said {
    final Message message;
    final byte[] octets;

    Said(final byte[] octets) {
        this.octets = octets;
        try {
            message = new Message(octets);
        } catch (final IOException | RuntimeException e) {
            throw new AssertionError("dnsjava does not read it", e);
        }
    }

    boolean has(final int flag) {
        return message.getHeader().getFlag(flag);
    }

    int rcode() {
        return message.getRcode();
    }

    /** The records but for the OPT: `name ttl type data`, letters of names small. */
    List<String> section(final int section) {
        return message.getSection(section).stream().filter(r -> r.getType() != Type.OPT).map(Said::text).toList();
    }

    /** Section by section, in no order, and what the header and the OPT say; the id apart. */
    String all() {
        final OPTRecord opt = message.getOPT();
        return Stream.of(Flags.QR, Flags.AA, Flags.TC, Flags.RD, Flags.RA, Flags.AD, Flags.CD)
                .filter(flag -> has(flag)).map(flag -> Flags.string(flag)).collect(Collectors.joining(" "))
                + " " + rcode() + " " + message.getHeader().getOpcode()
                + "\n? " + message.getQuestion()
                + "\nanswer " + new TreeSet<>(section(Section.ANSWER))
                + "\nauthority " + new TreeSet<>(section(Section.AUTHORITY))
                + "\nadditional " + new TreeSet<>(section(Section.ADDITIONAL))
                + "\n" + (opt == null ? "no OPT" : "OPT " + opt.getPayloadSize() + " " + opt.getVersion() + " "
                        + opt.getFlags() + " " + opt.getOptions());
    }

    /** `flags CODE | answer | authority | additional | OPT`, in the order of the message. */
    String line() {
        final OPTRecord opt = message.getOPT();
        return Stream.of(Flags.AA, Flags.TC, Flags.RD, Flags.RA, Flags.AD, Flags.CD).filter(flag -> has(flag))
                .map(flag -> Flags.string(flag) + " ").collect(Collectors.joining()) + Rcode.string(rcode())
                + IntStream.rangeClosed(Section.ANSWER, Section.ADDITIONAL)
                        .mapToObj(section -> " | " + String.join(", ", section(section))).collect(Collectors.joining())
                + (opt == null ? "" : " | OPT " + opt.getPayloadSize() + (opt.getFlags() == 0 ? "" : " do")
                        + (opt.getVersion() == 0 && opt.getOptions().isEmpty() ? "" : " strange"));
    }

    private static String text(final Record r) {
        final String data = r.rdataToString();
        return r.getName().toString(true).toLowerCase(Locale.ROOT) + " " + r.getTTL() + " " + Type.string(r.getType())
                + " " + (r.getType() == Type.TXT ? data : data.toLowerCase(Locale.ROOT));
    }
}
