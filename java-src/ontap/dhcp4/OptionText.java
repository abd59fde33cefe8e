// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.nio.charset.StandardCharsets;

/** Text from the network, fit for a file and a terminal. */
final class OptionText {
    static final int NAME_MAX = 253;

    private static final int LABEL_MAX = 63;
    private static final int SENTENCE_MAX = 255;
    private static final char STRANGE = '?';

    private OptionText() {
    }

    /** A name of DNS in letters, digits, hyphens and underscores, as it came; null for anything else. */
    static String name(final byte[] value) {
        final String text = new String(value, 0, used(value), StandardCharsets.ISO_8859_1);
        final String bare = text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
        if (bare.length() > NAME_MAX) {
            return null;
        }
        for (final String label : bare.split("\\.", -1)) {
            if (!label(label)) {
                return null;
            }
        }
        return bare;
    }

    /** Is it a part of a name, which must not look like an option of a command? */
    static boolean label(final String label) {
        return !label.isEmpty() && label.length() <= LABEL_MAX && label.charAt(0) != '-'
                && label.chars().allMatch(OptionText::ofName);
    }

    /** UTF-8 in one line; what does not show, or changes how the rest shows, is a question mark. Null when empty. */
    static String sentence(final byte[] value) {
        final String text = new String(value, 0, used(value), StandardCharsets.UTF_8);
        final StringBuilder out = new StringBuilder();
        text.codePoints().limit(SENTENCE_MAX).forEach(c -> out.appendCodePoint(shows(c) ? c : STRANGE));
        final String sentence = out.toString().strip();
        return sentence.isEmpty() ? null : sentence;
    }

    /** Bytes before the zeros that some servers end a text with. */
    private static int used(final byte[] value) {
        int used = value.length;
        while (used > 0 && value[used - 1] == 0) {
            used--;
        }
        return used;
    }

    private static boolean ofName(final int c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_';
    }

    private static boolean shows(final int c) {
        return c == ' ' || switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE,
                    Character.UNASSIGNED, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
