// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import ontap.sys.Endpoint;
import ontap.sys.EventLoop;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Header;
import org.xbill.DNS.Message;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.SOARecord;
import org.xbill.DNS.Section;
import org.xbill.DNS.TSIG;
import org.xbill.DNS.Type;

/** NOTIFY: when it is sent, and what counts as an answer, with a secondary of the test's own on loopback. */
@Timeout(60)
class NotifierTest {
    private static final long S = 1000;
    private static final int ROOM = 4096;

    private final Published published = new Published();
    private final BlockingQueue<Notifier.Note> notes = new LinkedBlockingQueue<>();
    private final List<Throwable> errors = new ArrayList<>();
    private EventLoop loop;
    private Thread thread;
    private Notifier notifier;
    private DatagramSocket secondary;

    @BeforeEach
    void listen() throws IOException {
        secondary = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"));
        secondary.setSoTimeout(20_000);
    }

    @AfterEach
    void end() throws InterruptedException {
        if (thread != null) {
            loop.stop();
            thread.join();
            notifier.close();
            loop.close();
        }
        secondary.close();
        assertTrue(errors.isEmpty(), () -> "nothing fails: " + errors);
    }

    private void start(final TsigKey key) {
        loop = new EventLoop(errors::add);
        final AtomicInteger ids = new AtomicInteger(0xfffe);
        notifier = new Notifier(loop, List.of(new Notifier.Target(Endpoint.of("127.0.0.1", secondary.getLocalPort()),
                Published.PRIVATE, key)), ids::getAndIncrement, () -> TsigTest.NOW, notes::add);
        thread = new Thread(loop::run, "notifier");
        thread.start();
    }

    private void change(final int view) {
        final List<Catalog.Change> changes = published.change(view, List.of(), List.of());
        loop.post(() -> notifier.changed(changes));
    }

    /** What the secondary hears next. */
    private DatagramPacket heard() throws IOException {
        final DatagramPacket packet = new DatagramPacket(new byte[ROOM], ROOM);
        secondary.receive(packet);
        packet.setData(Arrays.copyOf(packet.getData(), packet.getLength()));
        return packet;
    }

    private boolean silent(final int millis) throws IOException {
        secondary.setSoTimeout(millis);
        try {
            heard();
            return false;
        } catch (final SocketTimeoutException e) {
            return true;
        } finally {
            secondary.setSoTimeout(20_000);
        }
    }

    private static long serial(final Message notify) {
        return ((SOARecord) notify.getSection(Section.ANSWER).get(0)).getSerial();
    }

    private static Message answer(final Message notify, final int rcode) {
        final Message answer = new Message(notify.getHeader().getID());
        final Header header = answer.getHeader();
        header.setFlag(Flags.QR);
        header.setOpcode(Opcode.NOTIFY);
        header.setRcode(rcode);
        answer.addRecord(notify.getQuestion(), Section.QUESTION);
        return answer;
    }

    private void send(final byte[] answer, final DatagramPacket to) throws IOException {
        secondary.send(new DatagramPacket(answer, answer.length, to.getSocketAddress()));
    }

    private Notifier.Note note() throws InterruptedException {
        final Notifier.Note note = notes.poll(20, TimeUnit.SECONDS);
        assertTrue(note != null, "nothing came of it");
        return note;
    }

    // The course

    @Test
    void tellsAgainWithGrowingWaits() {
        NotifyCourse course = NotifyCourse.QUIET.changed(5, 77, 10 * S);
        final List<Long> sent = new ArrayList<>();
        long now = 10 * S;
        while (true) {
            final NotifyCourse.Step step = course.due(now);
            course = step.next();
            if (step.deed() == NotifyCourse.Deed.GIVE_UP) {
                break;
            }
            assertEquals(NotifyCourse.Deed.SEND, step.deed());
            sent.add(now / S);
            assertEquals(NotifyCourse.Deed.NOTHING, course.due(course.dueMs() - 1).deed());
            now = course.dueMs();
        }
        assertEquals(List.of(10L, 11L, 13L, 17L, 25L, 41L, 73L, 133L, 193L), sent);
        assertEquals(253 * S, now);
        assertEquals(NotifyCourse.NEVER, course.dueMs());
        assertEquals(-1, course.id());
    }

    @Test
    void anAnswerEndsIt() {
        final NotifyCourse told = NotifyCourse.QUIET.changed(5, 77, 0).due(0).next();
        assertSame(told, told.answered(78), "another id");
        assertEquals(NotifyCourse.NEVER, told.answered(77).dueMs());
        final NotifyCourse waits = told.answered(77).changed(6, 80, 10);
        assertSame(waits, waits.answered(80), "an answer to what was not sent");
    }

    @Test
    void ofABurstTheFirstAndTheLastAreTold() {
        NotifyCourse course = NotifyCourse.QUIET;
        final List<String> sent = new ArrayList<>();
        for (long now = 0; now < 5 * S; now += 10) {
            if (now < 2500) {
                course = course.changed(now, (int) now, now);
            }
            final NotifyCourse.Step step = course.due(now);
            course = step.next();
            if (step.deed() == NotifyCourse.Deed.SEND) {
                sent.add(course.serial() + " at " + now);
                course = course.answered((int) course.serial());
            }
        }
        assertEquals(List.of("0 at 0", "500 at 500", "1000 at 1000", "1500 at 1500", "2000 at 2000", "2490 at 2500"), sent);
    }

    // The messages

    @Test
    void tellsAtOnceAndAgainUntilItIsHeard() throws IOException, InterruptedException {
        start(null);
        change(Published.PRIVATE);
        final Message first = new Message(heard().getData());
        assertEquals(0xfffe, first.getHeader().getID());
        assertEquals(Opcode.NOTIFY, first.getHeader().getOpcode());
        assertTrue(first.getHeader().getFlag(Flags.AA));
        assertFalse(first.getHeader().getFlag(Flags.QR));
        assertEquals(Published.name(Published.APEX), first.getQuestion().getName());
        assertEquals(Type.SOA, first.getQuestion().getType());
        assertEquals(published.serial(), serial(first));
        final DatagramPacket again = heard();
        assertEquals(0xfffe, new Message(again.getData()).getHeader().getID());
        // Not an answer: another id, a query, another opcode, another zone, another source.
        final Message wrongId = answer(first, Rcode.NOERROR);
        wrongId.getHeader().setID(9);
        final Message query = answer(first, Rcode.NOERROR);
        query.getHeader().unsetFlag(Flags.QR);
        final Message opcode = answer(first, Rcode.NOERROR);
        opcode.getHeader().setOpcode(Opcode.QUERY);
        final Message zone = answer(first, Rcode.NOERROR);
        zone.removeRecord(first.getQuestion(), Section.QUESTION);
        zone.addRecord(TsigTest.query("other", Type.SOA).getQuestion(), Section.QUESTION);
        for (final Message bad : List.of(wrongId, query, opcode, zone)) {
            send(bad.toWire(), again);
        }
        try (DatagramSocket stranger = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"))) {
            final byte[] good = answer(first, Rcode.NOERROR).toWire();
            stranger.send(new DatagramPacket(good, good.length, again.getSocketAddress()));
        }
        send(new byte[] {(byte) 0xff, (byte) 0xfe}, again);
        send(new byte[0], again);
        heard();
        assertTrue(notes.isEmpty());
        send(answer(first, Rcode.NOERROR).toWire(), again);
        assertEquals(Notifier.Outcome.HEARD, note().outcome());
    }

    @Test
    void tellsOfItsViewOnlyAndTheLastOfABurst() throws IOException, InterruptedException {
        start(null);
        change(Published.FOREIGN);
        change(Published.PRIVATE);
        final DatagramPacket packet = heard();
        assertEquals(published.serial(), serial(new Message(packet.getData())));
        send(answer(new Message(packet.getData()), Rcode.REFUSED).toWire(), packet);
        final Notifier.Note note = note();
        assertEquals(Notifier.Outcome.REFUSED, note.outcome());
        assertEquals(Rcode.REFUSED, note.code());
        assertEquals("vanya", note.zone());
        for (int i = 0; i < 5; i++) {
            change(Published.PRIVATE);
        }
        final Message last = new Message(heard().getData());
        assertEquals(published.serial(), serial(last));
        assertEquals(5, last.getHeader().getID() - 0xfffe & 0xffff, "an id for each serial");
    }

    @Test
    void signsAndWantsASignature() throws IOException, InterruptedException {
        start(TsigTest.ours("lan-key", "hmac-sha256"));
        final TSIG key = TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW);
        change(Published.PRIVATE);
        final DatagramPacket packet = heard();
        final Message notify = new Message(packet.getData());
        assertEquals(Rcode.NOERROR, key.verify(notify, packet.getData(), null));
        send(answer(notify, Rcode.NOERROR).toWire(), packet);
        assertEquals(Notifier.Outcome.DISTRUSTED, note().outcome());
        final Message forged = answer(notify, Rcode.NOERROR);
        key.apply(forged, null);
        send(forged.toWire(), packet);
        assertEquals(Notifier.Outcome.DISTRUSTED, note().outcome(), "signed, but not for this");
        final Message late = answer(notify, Rcode.NOERROR);
        TsigTest.theirs("lan-key", "hmac-sha256", TsigTest.NOW - 301).apply(late, notify.getTSIG());
        send(late.toWire(), packet);
        assertEquals(Notifier.Outcome.DISTRUSTED, note().outcome(), "at another time");
        final Message good = answer(notify, Rcode.NOERROR);
        key.apply(good, notify.getTSIG());
        send(good.toWire(), packet);
        assertEquals(Notifier.Outcome.HEARD, note().outcome());
    }

    @Test
    void aZoneThatEndsIsToldNoMore() throws IOException {
        start(null);
        change(Published.PRIVATE);
        heard();
        loop.post(() -> notifier.changed(List.of(new Catalog.Change(Published.PRIVATE, List.of(),
                List.of(new Catalog.Key(Published.APEX, Type.SOA))))));
        assertTrue(silent(1300));
        assertTrue(notes.isEmpty());
    }
}
