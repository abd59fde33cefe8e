// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Names as DNS writes them, one after the other (RFC 3397): labels with their lengths, and pointers to earlier ones. */
final class SearchList {
    /** More than anybody's resolver looks through. */
    private static final int NAMES_MAX = 32;
    private static final int LABEL_MAX = 63;
    private static final int POINTER = 0xc0;
    private static final int POINTER_SIZE = 2;

    private final byte[] value;
    private final Set<String> names = new LinkedHashSet<>();

    private SearchList(final byte[] value) {
        this.value = value;
    }

    /** Each name once; none at all when one of them does not end or points to where it may not. */
    static List<String> read(final byte[] value) {
        final SearchList list = new SearchList(value);
        int at = 0;
        while (at < value.length && list.names.size() < NAMES_MAX) {
            at = list.name(at);
            if (at < 0) {
                return List.of();
            }
        }
        return new ArrayList<>(list.names);
    }

    /** Takes the name that begins here; where the next one does, or -1. */
    private int name(final int start) {
        final List<String> labels = new ArrayList<>();
        int next = 0;
        int length = 0;
        // A pointer goes to before everything that was read of this name, so that there is an end.
        int before = start;
        int at = start;
        while (at < value.length && value[at] != 0) {
            final int size = value[at] & 0xff;
            if (size >= POINTER) {
                final int to = at + 1 < value.length ? (size & ~POINTER) << Byte.SIZE | value[at + 1] & 0xff : before;
                if (to >= before) {
                    return -1;
                }
                next = next == 0 ? at + POINTER_SIZE : next;
                before = to;
                at = to;
            } else {
                length += 1 + size;
                if (size > LABEL_MAX || size > value.length - at - 1 || length > OptionText.NAME_MAX + 1) {
                    return -1;
                }
                labels.add(new String(value, at + 1, size, StandardCharsets.ISO_8859_1));
                at += 1 + size;
            }
        }
        if (at >= value.length) {
            return -1;
        }
        if (!labels.isEmpty() && labels.stream().allMatch(OptionText::label)) {
            names.add(String.join(".", labels));
        }
        return next == 0 ? at + 1 : next;
    }
}
