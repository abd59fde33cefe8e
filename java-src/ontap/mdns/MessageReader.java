// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads a message (RFC 1035 section 4, RFC 6762 section 18). Whoever is on the link sends what they like: what is not
 * whole and well-formed is no message. Work and memory are bounded by the length of what came: a pointer leads strictly
 * backwards, a name has at most {@link Names#LONGEST} bytes, and all of them {@link Names#mostWrittenOut}.
 */
public final class MessageReader {
    /** The least bytes of a question and of a record: how many there are is not believed beyond. */
    private static final int QUESTION_MIN = 5;
    private static final int RECORD_MIN = 11;

    private final byte[] bytes;
    private final int end;
    private int at;
    private byte[] out = new byte[Names.LONGEST];
    private int filled;
    private int left;

    private MessageReader(final byte[] bytes, final int length) {
        this.bytes = bytes;
        this.end = length;
        this.left = Names.mostWrittenOut(length);
    }

    /**
     * The message in the first {@code length} bytes, or null: there is none. What comes after its last record is ignored;
     * more than {@link MdnsMessage#LONGEST_READ} bytes are none.
     */
    public static MdnsMessage read(final byte[] bytes, final int length) {
        if (length > Math.min(bytes.length, MdnsMessage.LONGEST_READ)) {
            return null;
        }
        try {
            return new MessageReader(bytes, length).message();
        } catch (Malformed e) {
            return null;
        }
    }

    private MdnsMessage message() throws Malformed {
        final int id = u16();
        final int flags = u16();
        final int[] counts = {u16(), u16(), u16(), u16()};
        final List<MdnsQuestion> questions = counts[0] == 0 ? List.of()
                : new ArrayList<>(Math.min(counts[0], end / QUESTION_MIN));
        for (int i = 0; i < counts[0]; i++) {
            final String asked = name();
            final int type = u16();
            final int dclass = u16();
            questions.add(new MdnsQuestion(asked, type, dclass & 0x7fff, (dclass & 0x8000) != 0));
        }
        return new MdnsMessage(id, flags, questions, records(counts[1]), records(counts[2]), records(counts[3]));
    }

    private List<MdnsRecord> records(final int count) throws Malformed {
        final List<MdnsRecord> records = count == 0 ? List.of() : new ArrayList<>(Math.min(count, end / RECORD_MIN));
        for (int i = 0; i < count; i++) {
            final String owner = name();
            final int type = u16();
            final int dclass = u16();
            final int high = u16();
            final int low = u16();
            final int ttl = (high & 0x8000) != 0 ? 0 : high << 16 | low; // RFC 2181 section 8
            final String data = data(DataLayout.of(type), u16());
            final boolean whole = type == MdnsRecord.OPT;
            records.add(new MdnsRecord(owner, type, whole ? dclass : dclass & 0x7fff, !whole && (dclass & 0x8000) != 0,
                    ttl, data));
        }
        return records;
    }

    private String data(final DataLayout layout, final int length) throws Malformed {
        final int last = at + length;
        if (last > end || at + layout.before() > last) {
            throw new Malformed();
        }
        plain(layout.names() == 0 ? last : at + layout.before());
        for (int i = 0; i < layout.names(); i++) {
            appendName(last);
        }
        if (layout.after() != DataLayout.ANY && last - at != layout.after()) {
            throw new Malformed();
        }
        plain(last);
        return written();
    }

    /** The name at hand. */
    private String name() throws Malformed {
        appendName(end);
        return written();
    }

    /** Appends the bytes up to {@code last}. */
    private void plain(final int last) {
        final int length = last - at;
        room(length);
        System.arraycopy(bytes, at, out, filled, length);
        filled += length;
        at = last;
    }

    /** Appends the name at hand; what it is made of ends by {@code last}. */
    private void appendName(final int last) throws Malformed {
        room(Names.LONGEST);
        int from = at;
        int start = at;
        int pointers = 0;
        final int most = filled + Names.LONGEST;
        while (true) {
            if (from >= last) {
                throw new Malformed();
            }
            final int n = bytes[from] & 0xff;
            if (n >= Names.POINTER) {
                if (from + 1 >= last || pointers++ == Names.MOST_POINTERS) {
                    throw new Malformed();
                }
                final int to = (n & ~Names.POINTER) << 8 | bytes[from + 1] & 0xff;
                if (pointers == 1) {
                    at = from + 2;
                }
                if (to >= start || to < MdnsMessage.HEADER) {
                    throw new Malformed();
                }
                start = to;
                from = to;
            } else if (n > Names.LABEL_LONGEST || filled + 1 + n > most || from + 1 + n > last) {
                throw new Malformed();
            } else {
                System.arraycopy(bytes, from, out, filled, 1 + n);
                filled += 1 + n;
                from += 1 + n;
                if (n == 0) {
                    if (pointers == 0) {
                        at = from;
                    }
                    return;
                }
            }
        }
    }

    private void room(final int more) {
        if (filled + more > out.length) {
            out = Arrays.copyOf(out, Math.max(2 * out.length, filled + more));
        }
    }

    /** What was appended. */
    private String written() throws Malformed {
        left -= filled;
        if (left < 0) {
            throw new Malformed();
        }
        final String text = new String(out, 0, filled, StandardCharsets.ISO_8859_1);
        filled = 0;
        return text;
    }

    private int u16() throws Malformed {
        if (at + 2 > end) {
            throw new Malformed();
        }
        final int n = (bytes[at] & 0xff) << 8 | bytes[at + 1] & 0xff;
        at += 2;
        return n;
    }

    /** Not shown to anybody; without a trace it costs nothing. */
    private static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed() {
            super(null, null, false, false);
        }
    }
}
