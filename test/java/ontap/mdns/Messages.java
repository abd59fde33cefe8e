// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Names, records and messages as tests make them. */
final class Messages {
    static final int A = 1;
    static final int PTR = 12;
    static final int TXT = 16;
    static final int AAAA = 28;
    static final int SRV = 33;
    static final int NSEC = 47;
    static final int ANY = 255;
    /** Bytes of a message that fits into an Ethernet frame. */
    static final int MAX = 1452;

    private Messages() {
    }

    static String chars(final String hex) {
        return new String(Packets.hex(hex), StandardCharsets.ISO_8859_1);
    }

    /** Labels between dots, as UTF-8. */
    static String name(final String text) {
        final StringBuilder name = new StringBuilder();
        for (final String label : text.isEmpty() ? new String[0] : text.split("\\.")) {
            final String bytes = new String(label.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
            name.append((char) bytes.length()).append(bytes);
        }
        return name.append('\0').toString();
    }

    /** A record of class IN. */
    static MdnsRecord record(final String name, final int type, final boolean flush, final int ttl, final String data) {
        return new MdnsRecord(name(name), type, 1, flush, ttl, data);
    }

    static MdnsRecord pointer(final String name, final String target) {
        return record(name, PTR, false, 4500, name(target));
    }

    /** A, AAAA and NSEC of a host. */
    static List<MdnsRecord> host(final String label) {
        final String name = label + ".local";
        return List.of(record(name, A, true, 120, chars("0a000005")),
                record(name, AAAA, true, 120, chars("fd000000000000000000000000000005")),
                record(name, NSEC, true, 120, name(name) + chars("0004 40000008")));
    }

    /** SRV, TXT and the host's address of a service instance. */
    static List<MdnsRecord> service(final String label, final String type) {
        final String instance = label + "." + type + ".local";
        return List.of(record(instance, SRV, true, 120, chars("000000000050") + name(label + ".local")),
                record(instance, TXT, true, 4500, chars("06") + "path=/"),
                record(label + ".local", A, true, 120, chars("0a000005")));
    }

    static MdnsMessage response(final List<MdnsRecord> answers, final List<MdnsRecord> additionals) {
        return new MdnsMessage(0, MdnsMessage.RESPONSE | MdnsMessage.AUTHORITATIVE, List.of(), answers, List.of(), additionals);
    }

    static MdnsQuestion question(final String name, final int type) {
        return new MdnsQuestion(name(name), type, 1, false);
    }

    static MdnsMessage query(final List<MdnsQuestion> questions, final List<MdnsRecord> known, final List<MdnsRecord> proposed) {
        return new MdnsMessage(0, 0, questions, known, proposed, List.of());
    }

    static MdnsMessage read(final byte[] packet) {
        return MessageReader.read(packet, packet.length);
    }

    static List<MdnsMessage> parts(final MdnsMessage message, final int max) {
        return MessageWriter.packets(message, max, false).stream().map(Messages::read).toList();
    }
}
