// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HexFormat;

/** Messages put together by hand as RFC 2131 draws them; nothing of what is tested is used. */
final class Bootp {
    static final String MAC = "020000000005";
    static final String COOKIE = "63825363";

    private Bootp() {
    }

    /** A reply that gives 10.9.0.50 in transaction 0xa1b2c3d4, with these options. */
    static byte[] reply(final String options) {
        return reply("", "", options);
    }

    /** The same with what is in the places of the server's name and the file. */
    static byte[] reply(final String sname, final String file, final String options) {
        return hex("02010600" + "a1b2c3d4" + "00078000" + "00000000" + "0a090032" + "0a090001" + "0a090002" + MAC
                + zeros(10) + filled(sname, 64) + filled(file, 128) + COOKIE + options);
    }

    /** What was read of the options alone. */
    static DhcpOptions options(final String options) {
        final DhcpMessage message = DhcpMessage.read(reply("350105" + options + "ff"));
        return message == null ? null : message.options();
    }

    /** Text as the bytes of an option: code, length, ASCII. */
    static String text(final int code, final String text) {
        return String.format("%02x%02x", code, text.length()) + ascii(text);
    }

    static String ascii(final String text) {
        final StringBuilder hex = new StringBuilder();
        text.chars().forEach(c -> hex.append(String.format("%02x", c)));
        return hex.toString();
    }

    static String filled(final String hex, final int bytes) {
        return hex + zeros(bytes - hex.length() / 2);
    }

    static String zeros(final int bytes) {
        return "00".repeat(bytes);
    }

    static byte[] hex(final String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    static String hex(final byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    static InetAddress ip(final String text) {
        try {
            return InetAddress.getByName(text);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
