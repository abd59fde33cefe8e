// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

/**
 * How one secondary is told of one zone's serials (RFC 1996, section 3.6): at once, then again and again until it
 * answers, at first quicker than the RFC's 60 s, for the first message may be lost while the secondary starts. A newer
 * serial takes the place of one that is being told; of many in a row the first is told at once and the last of each
 * half second. Pure: times come in as arguments, in milliseconds of one clock.
 *
 * @param serial the newest that is to be told
 * @param id of its messages, -1 when none is expected to be answered
 * @param tries how often it was sent
 * @param sentMs when anything was sent last
 * @param dueMs when something is to be done, NEVER for nothing
 */
record NotifyCourse(long serial, int id, int tries, long sentMs, long dueMs) {
    static final long NEVER = Long.MAX_VALUE;
    /** Nothing was ever to be told. */
    static final NotifyCourse QUIET = new NotifyCourse(-1, -1, 0, Long.MIN_VALUE, NEVER);
    /** How often a serial is sent; the last time is 183 s after the first. */
    static final int TRIES = 9;

    private static final long FIRST_WAIT_MS = 1000;
    private static final long LONGEST_WAIT_MS = 60_000;
    /** Between two messages to one secondary about one zone: it serves each change within a second, transfer and all. */
    private static final long APART_MS = 500;

    /** What is to be done. */
    enum Deed { NOTHING, SEND, GIVE_UP }

    /** The course from now on, and what it does now. */
    record Step(NotifyCourse next, Deed deed) {
    }

    /** There is another serial; its messages will have that id. */
    NotifyCourse changed(final long newSerial, final int newId, final long nowMs) {
        final long earliest = sentMs == Long.MIN_VALUE ? nowMs : Math.max(nowMs, sentMs + APART_MS);
        return new NotifyCourse(newSerial, newId, 0, sentMs, earliest);
    }

    /** The time may have come. */
    Step due(final long nowMs) {
        if (nowMs < dueMs) {
            return new Step(this, Deed.NOTHING);
        }
        if (tries == TRIES) {
            return new Step(over(), Deed.GIVE_UP);
        }
        final long wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS << tries);
        return new Step(new NotifyCourse(serial, id, tries + 1, nowMs, nowMs + wait), Deed.SEND);
    }

    /** A message with that id was answered, properly. */
    NotifyCourse answered(final int answerId) {
        return answerId == id && tries > 0 ? over() : this;
    }

    private NotifyCourse over() {
        return new NotifyCourse(serial, -1, 0, sentMs, NEVER);
    }
}
