// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import static ontap.netlink.ScriptedTransport.ack;
import static ontap.netlink.ScriptedTransport.from;
import static ontap.netlink.ScriptedTransport.kernel;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import ontap.sys.Errno;
import ontap.sys.SysException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class NetlinkSocketTest {
    private static final int TYPE = 18;

    @Test
    void asksAgainWhenTheDumpChanged() {
        final int[] calls = {0};
        final ScriptedTransport t = new ScriptedTransport(sent -> {
            final int seq = sent.get(0).seq();
            final boolean last = ++calls[0] == 3;
            final int flag = last ? 0 : NetlinkConstants.NLM_F_DUMP_INTR;
            // Once on an entry, once on the end.
            return List.of(
                    kernel(entry(seq, calls[0] == 1 ? flag : 0)), kernel(done(seq, calls[0] == 2 ? flag : 0, 0)));
        });
        final List<Message> got = socket(t).dump(TYPE, new byte[16]);
        assertEquals(3, t.sent().size(), "two dumps were disturbed, the third counts");
        assertEquals(1, got.size(), "only the entries of the last dump");
        assertEquals(t.sent().get(2).get(0).seq(), got.get(0).seq(), "under its own sequence number");
        assertEquals(0x301, t.sent().get(0).get(0).flags(), "a dump is request, root and match");
    }

    @Test
    void givesUpAfterFiveDisturbedDumps() {
        final ScriptedTransport t = new ScriptedTransport(sent -> List.of(kernel(
                done(sent.get(0).seq(), NetlinkConstants.NLM_F_DUMP_INTR, 0))));
        final NetlinkException e =
                assertThrows(NetlinkException.class, () -> socket(t).dump(TYPE, new byte[16]), "never a torn answer");
        assertEquals(5, t.sent().size(), "five tries");
        assertEquals(Errno.EINTR, e.errno(), "the errno libnl gives");
    }

    @Test
    void throwsTheErrorAtTheEndOfADump() {
        final ScriptedTransport t = new ScriptedTransport(sent ->
                List.of(kernel(entry(sent.get(0).seq(), 0), done(sent.get(0).seq(), 0, Errno.EINVAL))));
        final NetlinkException e =
                assertThrows(NetlinkException.class, () -> socket(t).dump(TYPE, new byte[16]), "NLMSG_DONE with an error");
        assertEquals(Errno.EINVAL, e.errno(), "its number");
    }

    @Test
    void tellsTheKernelsWords() {
        final ScriptedTransport t = new ScriptedTransport(sent -> List.of(kernel(
                ack(sent.get(0), Errno.EADDRINUSE, "ipvlan: taken"))));
        final NetlinkException e = assertThrows(
                NetlinkException.class, () -> socket(t).request(new Request(TYPE, 0, new byte[4], "eth0")), "refused");
        assertEquals(
                "UNKNOWN(18) eth0: Address already in use (EADDRINUSE): ipvlan: taken", e.getMessage(), "the whole message");
        assertEquals("ipvlan: taken", e.extack(), "the words alone");
        final NetlinkException plain = assertThrows(
                NetlinkException.class,
                () -> socket(new ScriptedTransport(sent -> List.of(kernel(ack(sent.get(0), Errno.EPERM, null)))))
                        .request(TYPE, 0, new byte[4]),
                "refused without words");
        assertEquals("UNKNOWN(18): Operation not permitted (EPERM)", plain.getMessage(), "no words, no colon");
        assertNull(plain.extack(), "no words");
    }

    @Test
    void passesOverStaleAndForeignMessages() {
        final ScriptedTransport t = new ScriptedTransport(sent -> {
            final Message m = sent.get(0);
            return List.of(
                    from(4711, entry(m.seq(), 0), ack(m, Errno.EPERM, "forged")),
                    kernel(entry(m.seq() - 1, 0), entry(m.seq(), 0)),
                    kernel(ack(m, 0, null)));
        });
        assertEquals(1, socket(t).request(TYPE, 0, new byte[4]).size(), "one answer of the kernel to this request");
    }

    @Test
    void sendsABatchAtOnceAndThrowsTheFirstRefusal() {
        final ScriptedTransport t = new ScriptedTransport(sent -> {
            final List<Object> out = new ArrayList<>();
            for (int i = 0; i < sent.size(); i++) {
                final boolean bad = i == 1 || i == 3;
                out.add(kernel(entry(sent.get(i).seq(), 0)));
                out.add(kernel(ack(sent.get(i), bad ? Errno.EEXIST : 0, bad ? "number " + i : null)));
            }
            return out;
        });
        final List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            requests.add(new Request(TYPE, 0, new byte[5], "r" + i));
        }
        final NetlinkException e =
                assertThrows(NetlinkException.class, () -> socket(t).batch(requests), "the second was refused");
        assertEquals("r1", e.detail(), "the first refusal");
        assertEquals("number 1", e.extack(), "with its own words");
        assertEquals(1, t.sent().size(), "one send for all");
        assertEquals(5, t.sent().get(0).size(), "all were sent");
        final List<Reply> replies = socket(t).exchange(requests);
        assertNull(replies.get(4).error(), "those after a refusal are done");
        assertEquals(1, replies.get(2).messages().size(), "each has its own answers");
    }

    @Test
    void splitsALongBatch() {
        final ScriptedTransport t = new ScriptedTransport(sent -> {
            final List<Object> out = new ArrayList<>();
            for (final Message m : sent) {
                out.add(kernel(ack(m, 0, null)));
            }
            return out;
        });
        final NetlinkSocket socket = socket(t);
        socket.batch(java.util.Collections.nCopies(70, new Request(TYPE, 0, new byte[4], "")));
        assertEquals(3, t.sent().size(), "32, 32 and 6");
        socket.batch(java.util.Collections.nCopies(4, new Request(TYPE, 0, new byte[20_000], "")));
        assertEquals(7, t.sent().size(), "big ones alone");
        assertEquals(0, socket.batch(List.of()).size(), "an empty batch sends nothing");
    }

    @Test
    void namesWhatWentWrongOnTheWay() {
        assertEquals(Errno.ENOBUFS, failure(sent -> List.of(new SysException("recvmsg", "", Errno.ENOBUFS))), "lost");
        assertEquals(Errno.ETIMEDOUT, failure(sent -> Arrays.asList((Object) null)), "no answer in time");
        final ScriptedTransport t = new ScriptedTransport(
                sent -> List.of(new Transport.Datagram(new byte[64], 64, 0, null, true)));
        assertThrows(NetlinkFormatException.class, () -> socket(t).request(TYPE, 0, new byte[4]), "a cut datagram");
    }

    @Test
    void readsAcksAtEveryLength() {
        final Message request = new Message(TYPE, 5, 1, 0, new byte[20], null);
        final Message whole = ack(request, Errno.EINVAL, "words");
        for (int n = 0; n < whole.payload().length; n++) {
            final byte[] cut = Arrays.copyOf(whole.payload(), n);
            final Message m = new Message(whole.type(), whole.flags(), 1, 1, cut, null);
            if (n < 20) {
                assertThrows(NetlinkFormatException.class, () -> Ack.parse(m, Dialect.NUMBERS, TYPE), "cut at " + n);
            } else {
                assertEquals(Errno.EINVAL, Ack.parse(m, Dialect.NUMBERS, TYPE).errno(), "the number survives a cut at " + n);
            }
        }
        assertEquals("words", Ack.parse(whole, Dialect.NUMBERS, TYPE).text(), "whole");
    }

    private static int failure(final Function<List<Message>, List<Object>> kernel) {
        final NetlinkSocket socket = socket(new ScriptedTransport(kernel));
        return assertThrows(NetlinkException.class, () -> socket.request(TYPE, 0, new byte[4]), "fails").errno();
    }

    private static NetlinkSocket socket(final ScriptedTransport t) {
        return new NetlinkSocket(t, Dialect.NUMBERS);
    }

    private static Message entry(final int seq, final int flags) {
        return new Message(16, flags | NetlinkConstants.NLM_F_MULTI, seq, 1, new byte[16], null);
    }

    private static Message done(final int seq, final int flags, final int errno) {
        final int all = flags | NetlinkConstants.NLM_F_MULTI;
        return new Message(NetlinkConstants.NLMSG_DONE, all, seq, 1, AttributeTest.host(-errno, 4), null);
    }

    @Test
    void addsRequestAndAckToTheFlags() {
        final ScriptedTransport t = new ScriptedTransport(sent -> List.of(kernel(ack(sent.get(0), 0, null))));
        socket(t).request(TYPE, NetlinkConstants.NLM_F_CREATE, new byte[4]);
        assertEquals(0x405, t.sent().get(0).get(0).flags(), "request, ack and create");
        assertTrue(t.sent().get(0).get(0).seq() != 0, "a sequence number, as 0 marks notifications");
    }
}
