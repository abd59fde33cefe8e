// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a message as datagrams of limited size (RFC 6762 section 17). What fits into one goes as it stands. Else
 * <ul>
 * <li>a response becomes several, each whole in itself, where the RRsets that are unique stay together if they fit into
 *     one at all; additional records that would need one more are left out;
 * <li>a query becomes several with the TC bit on all but the last, the questions first (section 7.2);
 * <li>probes become several, and each name goes with what is proposed for it (section 8.2);
 * <li>an answer to a resolver of DNS stays one, with the TC bit and without what does not fit (section 6.7).
 * </ul>
 * A record that is longer than the limit goes alone, in fragments; one too long for {@link MdnsMessage#LONGEST} is left
 * out, as nothing may carry it. Authorities of a response, and known answers and additional records of probes, are left
 * out of what does not fit into one: there are no such messages of ours.
 */
public final class MessageWriter {
    private static final int FLAGS_AT = 2;
    private static final int QUESTIONS_AT = 4;
    private static final int ANSWERS_AT = 6;
    private static final int AUTHORITIES_AT = 8;
    private static final int ADDITIONALS_AT = 10;

    private final MdnsMessage message;
    private final int max;
    private final boolean legacy;
    private final List<byte[]> done = new ArrayList<>(1);
    private final PacketBytes packet = new PacketBytes();
    private int questions;
    private int answers;
    private int authorities;
    private int additionals;

    /** What belongs together: the name, type and class of an RRset. */
    private record Key(String name, int type, int dclass) {
    }

    private MessageWriter(final MdnsMessage message, final int max, final boolean legacy) {
        this.message = message;
        this.max = Math.min(max, MdnsMessage.LONGEST);
        this.legacy = legacy;
        begin();
    }

    /**
     * The datagrams that say {@code message}, none when it says nothing.
     *
     * @param max    bytes of each, but of one with a single record that is longer
     * @param legacy it is an answer to a resolver of DNS; names in data are compressed where any resolver looks for that
     */
    public static List<byte[]> packets(final MdnsMessage message, final int max, final boolean legacy) {
        final MessageWriter writer = new MessageWriter(message, max, legacy);
        if (!writer.whole()) {
            writer.begin();
            if (!message.response() && !message.authorities().isEmpty()) {
                writer.probes();
            } else {
                writer.parts();
            }
        }
        return writer.done;
    }

    /** As it stands, if it fits. */
    private boolean whole() {
        for (final MdnsQuestion question : message.questions()) {
            packet.question(question);
            questions++;
        }
        answers = all(message.answers());
        authorities = all(message.authorities());
        additionals = all(message.additionals());
        if (packet.length() > max) {
            return false;
        }
        end(message.truncated());
        return true;
    }

    private int all(final List<MdnsRecord> records) {
        for (int i = 0; i < records.size() && packet.length() <= max; i++) {
            packet.record(records.get(i), legacy);
        }
        return records.size();
    }

    private void parts() {
        final boolean query = !message.response();
        for (final MdnsQuestion question : message.questions()) {
            if (!put(question, questions > 0)) {
                if (legacy) {
                    end(true);
                    return;
                }
                // more questions are questions of their own, but known answers are still to come
                end(query && !message.answers().isEmpty());
                put(question, false);
            }
            questions++;
        }
        for (final List<MdnsRecord> set : sets(message.answers())) {
            if (!answer(set, query)) {
                end(true);
                return;
            }
        }
        for (final List<MdnsRecord> set : sets(message.additionals())) {
            if (put(set, true)) {
                additionals += set.size();
            }
        }
        end(message.truncated());
    }

    /** One set, if need be in a datagram of its own; false when there is none but this, and it is full. */
    private boolean answer(final List<MdnsRecord> set, final boolean query) {
        if (put(set, questions + answers > 0 || set.size() > 1)) {
            answers += set.size();
            return true;
        }
        if (legacy) {
            return false;
        }
        if (questions + answers > 0) {
            end(query);
            return answer(set, query);
        }
        for (final MdnsRecord record : set) {
            final List<MdnsRecord> one = List.of(record);
            if (answers > 0 && put(one, true)) {
                answers++;
            } else {
                end(query);
                answers = put(one, false) ? 1 : 0;
            }
        }
        return true;
    }

    /**
     * Names in the order of their first question, each with all its questions and records. When the records of one name
     * alone are too many, those that fit are said: a message in fragments has to have one record only.
     */
    private void probes() {
        final Map<String, List<MdnsRecord>> proposed = new HashMap<>();
        for (final MdnsRecord record : message.authorities()) {
            proposed.computeIfAbsent(Names.fold(record.name()), key -> new ArrayList<>()).add(record);
        }
        final List<MdnsQuestion> asked = new ArrayList<>();
        final List<MdnsRecord> said = new ArrayList<>();
        for (final MdnsQuestion question : message.questions()) {
            final List<MdnsRecord> of = proposed.remove(Names.fold(question.name()));
            if (!asked.isEmpty() && !fits(asked, question, said, of == null ? List.of() : of)) {
                probe(asked, said);
                asked.clear();
                said.clear();
            }
            asked.add(question);
            if (of != null) {
                said.addAll(of);
            }
        }
        probe(asked, said);
    }

    private boolean fits(final List<MdnsQuestion> asked, final MdnsQuestion question, final List<MdnsRecord> said,
                         final List<MdnsRecord> of) {
        begin();
        asked.forEach(packet::question);
        packet.question(question);
        return put(said, true) && put(of, true);
    }

    private void probe(final List<MdnsQuestion> asked, final List<MdnsRecord> said) {
        begin();
        for (final MdnsQuestion question : asked) {
            packet.question(question);
            questions++;
        }
        for (final MdnsRecord record : said) {
            authorities += put(List.of(record), said.size() > 1) ? 1 : 0;
        }
        end(false);
    }

    /** Unique records of one name, type and class together, in the order in which the first of each comes. */
    private static List<List<MdnsRecord>> sets(final List<MdnsRecord> records) {
        final List<List<MdnsRecord>> sets = new ArrayList<>();
        final Map<Key, List<MdnsRecord>> unique = new HashMap<>();
        for (final MdnsRecord record : records) {
            final Key key = record.flush() ? new Key(Names.fold(record.name()), record.type(), record.dclass()) : null;
            List<MdnsRecord> set = key == null ? null : unique.get(key);
            if (set == null) {
                set = new ArrayList<>(2);
                sets.add(set);
                if (key != null) {
                    unique.put(key, set);
                }
            }
            set.add(record);
        }
        return sets;
    }

    /** Takes it back and says false when it is too much for a datagram; {@code limited}: to as much as there should be. */
    private boolean put(final List<MdnsRecord> set, final boolean limited) {
        final int length = packet.length();
        final int known = packet.known();
        for (int i = 0; i < set.size() && packet.length() <= MdnsMessage.LONGEST; i++) {
            packet.record(set.get(i), legacy);
        }
        return kept(length, known, limited);
    }

    private boolean put(final MdnsQuestion question, final boolean limited) {
        final int length = packet.length();
        final int known = packet.known();
        packet.question(question);
        return kept(length, known, limited);
    }

    private boolean kept(final int length, final int known, final boolean limited) {
        if (packet.length() <= (limited ? max : MdnsMessage.LONGEST)) {
            return true;
        }
        packet.back(length, known);
        return false;
    }

    private void begin() {
        packet.back(0, 0);
        for (int at = 0; at < MdnsMessage.HEADER; at += 2) {
            packet.put16(0);
        }
        questions = 0;
        answers = 0;
        authorities = 0;
        additionals = 0;
    }

    private void end(final boolean more) {
        if (questions + answers + authorities + additionals > 0) {
            packet.set16(0, message.id());
            packet.set16(FLAGS_AT, message.flags() & ~MdnsMessage.TRUNCATED | (more ? MdnsMessage.TRUNCATED : 0));
            packet.set16(QUESTIONS_AT, questions);
            packet.set16(ANSWERS_AT, answers);
            packet.set16(AUTHORITIES_AT, authorities);
            packet.set16(ADDITIONALS_AT, additionals);
            done.add(packet.toBytes());
        }
        begin();
    }
}
