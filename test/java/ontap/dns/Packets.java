// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

/** Queries octet by octet, also such as no program makes. */
final class Packets {
    static final int ID = 0x1234;
    static final int RD = 0x0100;
    /** An OPT without options: we take 1232 octets. */
    static final String OPT = "00 0029 04d0 00 00 0000 0000";
    static final String OPT_DO = "00 0029 04d0 00 00 8000 0000";

    private Packets() {
    }

    /** A header and what comes behind it. */
    static byte[] message(final int flags, final int questions, final int answers, final int authorities,
            final int additionals, final byte[]... parts) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(ByteBuffer.allocate(12).putShort((short) ID).putShort((short) flags).putShort((short) questions)
                .putShort((short) answers).putShort((short) authorities).putShort((short) additionals).array());
        for (final byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    /** One question of class IN. */
    static byte[] query(final String name, final int type) {
        return message(RD, 1, 0, 0, 0, question(name, type, 1));
    }

    /** One question of class IN and additional records, in hexadecimal digits. */
    static byte[] query(final String name, final int type, final String... additional) {
        final byte[][] parts = new byte[1 + additional.length][];
        parts[0] = question(name, type, 1);
        for (int i = 0; i < additional.length; i++) {
            parts[1 + i] = hex(additional[i]);
        }
        return message(RD, 1, 0, 0, additional.length, parts);
    }

    static byte[] question(final String name, final int type, final int dclass) {
        final byte[] owner = name(name);
        return ByteBuffer.allocate(owner.length + 4).put(owner).putShort((short) type).putShort((short) dclass).array();
    }

    /** Labels between dots; capitals stay, and labels may be too long. */
    static byte[] name(final String name) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (final String label : name.isEmpty() ? new String[0] : name.split("\\.")) {
            out.write(label.length());
            out.writeBytes(label.getBytes(StandardCharsets.ISO_8859_1));
        }
        out.write(0);
        return out.toByteArray();
    }

    static byte[] hex(final String digits) {
        return HexFormat.of().parseHex(digits.replace(" ", ""));
    }

    /** Without its last octets. */
    static byte[] cut(final byte[] message, final int octets) {
        return Arrays.copyOf(message, message.length - octets);
    }

    /** With one octet changed. */
    static byte[] with(final byte[] message, final int at, final int octet) {
        final byte[] changed = message.clone();
        changed[at] = (byte) octet;
        return changed;
    }
}
