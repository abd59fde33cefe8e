// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The bytes of one message while it is written: names compressed against what stands before them, and a way back to an
 * earlier length when something turns out not to fit. Compression keeps the case of names: only equal bytes are shared.
 * Names and data are believed to be well-formed ({@link MdnsRecord}).
 */
final class PacketBytes {
    private static final int FARTHEST = 0x3fff;
    private static final int MOST_LABELS = 127;

    private byte[] bytes = new byte[512];
    private int length;
    /** The suffixes of names that stand here in full or by pointer: where, a hash of each, and a table to find them. */
    private int[] places = new int[16];
    private int[] hashes = new int[16];
    private int known;
    /** 0, or 1 + an index of {@link #places}; a power of two of them, at most half full. */
    private int[] slots = new int[64];
    private final int[] starts = new int[MOST_LABELS];
    private final int[] startHashes = new int[MOST_LABELS];

    int length() {
        return length;
    }

    /** How many suffixes are known: with {@link #length} what {@link #back} takes. */
    int known() {
        return known;
    }

    void back(final int toLength, final int toKnown) {
        length = toLength;
        if (toKnown == 0) {
            known = 0;
            Arrays.fill(slots, 0);
        }
        while (known > toKnown) {
            known--;
            int slot = slot(hashes[known]);
            while (slots[slot] != known + 1) {
                slot = slot + 1 & slots.length - 1;
            }
            // the last that came in: none was put behind it because of it
            slots[slot] = 0;
        }
    }

    byte[] toBytes() {
        return Arrays.copyOf(bytes, length);
    }

    void put16(final int n) {
        room(2);
        bytes[length++] = (byte) (n >> 8);
        bytes[length++] = (byte) n;
    }

    void set16(final int at, final int n) {
        bytes[at] = (byte) (n >> 8);
        bytes[at + 1] = (byte) n;
    }

    void question(final MdnsQuestion question) {
        name(question.name(), 0);
        put16(question.type());
        put16(question.dclass() | (question.unicast() ? 0x8000 : 0));
    }

    /** {@code legacy}: for a resolver of DNS, which does not look for pointers in the data of all these types. */
    void record(final MdnsRecord record, final boolean legacy) {
        name(record.name(), 0);
        put16(record.type());
        put16(record.dclass() | (record.flush() ? 0x8000 : 0));
        put16(record.ttl() >>> 16);
        put16(record.ttl());
        final int at = length;
        put16(0);
        data(record.data(), DataLayout.of(record.type()), legacy);
        set16(at, length - at - 2);
    }

    private void data(final String data, final DataLayout layout, final boolean legacy) {
        int at = 0;
        if (!legacy || layout.familiar()) {
            at = layout.before();
            plain(data, 0, at);
            for (int i = 0; i < layout.names(); i++) {
                at = name(data, at);
            }
        }
        plain(data, at, data.length());
    }

    private void plain(final String data, final int from, final int to) {
        if (from == 0 && to == data.length()) {
            final byte[] all = data.getBytes(StandardCharsets.ISO_8859_1);
            room(all.length);
            System.arraycopy(all, 0, bytes, length, all.length);
            length += all.length;
            return;
        }
        room(to - from);
        for (int i = from; i < to; i++) {
            bytes[length++] = (byte) data.charAt(i);
        }
    }

    /** The name that begins at {@code first}; where it ends. */
    private int name(final String text, final int first) {
        int labels = 0;
        int end = first;
        while (text.charAt(end) != 0) {
            starts[labels++] = end;
            end += 1 + text.charAt(end);
        }
        int hash = 0;
        int to = end;
        for (int label = labels - 1; label >= 0; label--) {
            for (int i = to - 1; i >= starts[label]; i--) {
                hash = 31 * hash + text.charAt(i);
            }
            to = starts[label];
            startHashes[label] = hash;
        }
        for (int label = 0; label < labels; label++) {
            final int before = find(startHashes[label], text, starts[label]);
            if (before >= 0) {
                put16(Names.POINTER << 8 | before);
                return end + 1;
            }
            if (length <= FARTHEST) {
                remember(length, startHashes[label]);
            }
            plain(text, starts[label], label + 1 < labels ? starts[label + 1] : end);
        }
        room(1);
        bytes[length++] = 0;
        return end + 1;
    }

    /** Where the name from {@code from} on stands already, or -1. */
    private int find(final int hash, final String text, final int from) {
        for (int slot = slot(hash); slots[slot] != 0; slot = slot + 1 & slots.length - 1) {
            final int i = slots[slot] - 1;
            if (hashes[i] == hash && says(places[i], text, from)) {
                return places[i];
            }
        }
        return -1;
    }

    private boolean says(final int place, final String text, final int from) {
        int at = place;
        int i = from;
        while (true) {
            final int n = bytes[at] & 0xff;
            if (n >= Names.POINTER) {
                at = (n & ~Names.POINTER) << 8 | bytes[at + 1] & 0xff;
                continue;
            }
            for (int k = 0; k <= n; k++) {
                if ((bytes[at + k] & 0xff) != text.charAt(i + k)) {
                    return false;
                }
            }
            if (n == 0) {
                return true;
            }
            at += 1 + n;
            i += 1 + n;
        }
    }

    private void remember(final int place, final int hash) {
        if (known == places.length) {
            places = Arrays.copyOf(places, 2 * known);
            hashes = Arrays.copyOf(hashes, 2 * known);
        }
        places[known] = place;
        hashes[known] = hash;
        known++;
        if (2 * known > slots.length) {
            slots = new int[4 * slots.length];
            for (int i = 0; i < known; i++) {
                enter(i);
            }
        } else {
            enter(known - 1);
        }
    }

    private void enter(final int i) {
        int slot = slot(hashes[i]);
        while (slots[slot] != 0) {
            slot = slot + 1 & slots.length - 1;
        }
        slots[slot] = i + 1;
    }

    private int slot(final int hash) {
        return (hash ^ hash >>> 16) * 0x9e3779b1 >>> 16 & slots.length - 1;
    }

    private void room(final int more) {
        if (length + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(3 * bytes.length, length + more));
        }
    }
}
