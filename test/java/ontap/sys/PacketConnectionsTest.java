// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Unix sockets that keep the borders of what is sent (SOCK_SEQPACKET). */
@Timeout(60)
@ExtendWith(FdLeaks.class)
final class PacketConnectionsTest {
    private static final byte[] BYTE = {42};
    private static final int KEEP = -1;
    private static final int NOBODY = 65534;

    @TempDir
    private Path folder;

    @Test
    void packetsArriveAsTheyWereSent() {
        final String path = folder + "/port";
        try (Fd listener = UnixSockets.listenPackets(path, 0640, KEEP, KEEP)) {
            assertEquals(Io.S_IFSOCK | 0640, Io.stat(path).mode(), "exactly these permissions");
            assertNull(UnixSockets.accept(listener), "nobody has connected yet");
            try (Fd client = UnixSockets.connectPackets(path); Fd server = UnixSockets.accept(listener);
                    Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
                UnixSockets.send(client, "one".getBytes(StandardCharsets.UTF_8), List.of());
                UnixSockets.send(client, "two".getBytes(StandardCharsets.UTF_8), List.of(zero));
                assertEquals("one", text(UnixSockets.receive(server, 100, 1)), "the first alone");
                final UnixSockets.Message two = UnixSockets.receive(server, 100, 1);
                assertEquals("two", text(two), "then the second");
                try (Fd got = two.fds().get(0)) {
                    assertEquals("/dev/zero", Io.link(got), "with the descriptor");
                }
                assertNull(UnixSockets.receive(server, 100, 1), "and no more");
                UnixSockets.send(server, new byte[0], List.of());
                assertEquals(0, UnixSockets.receive(client, 100, 0).data().length, "a packet may be empty");
            }
        }
    }

    @Test
    void whatIsTooMuchIsGoneAndTheNextComes() {
        final Fd[] pair = UnixSockets.pairOfPackets();
        try (Fd one = pair[0]; Fd two = pair[1]; Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final int lowestFree = lowestFree();
            UnixSockets.send(one, new byte[101], List.of(zero));
            UnixSockets.send(one, BYTE, Collections.nCopies(2, zero));
            UnixSockets.send(one, BYTE, List.of());
            assertEquals("EMSGSIZE", assertThrows(SysException.class,
                    () -> UnixSockets.receive(two, 100, 1)).errnoName(), "101 bytes are more than 100");
            assertEquals("EPROTO", assertThrows(SysException.class,
                    () -> UnixSockets.receive(two, 100, 1)).errnoName(), "2 descriptors are more than 1");
            assertArrayEquals(BYTE, UnixSockets.receive(two, 100, 1).data(), "the next packet is whole");
            assertEquals(lowestFree, lowestFree(), "no descriptor of theirs stays open");
        }
    }

    @Test
    void sendsAPacketWholeOrNotAtAll() {
        final Fd[] pair = UnixSockets.pairOfPackets();
        try (Fd one = pair[0]; Fd two = pair[1]) {
            assertEquals("EMSGSIZE", assertThrows(SysException.class,
                    () -> UnixSockets.send(one, new byte[16 << 20], List.of())).errnoName(), "more than ever fits");
            Io.nonBlocking(one);
            Io.nonBlocking(two);
            int sent = 0;
            while (true) {
                try {
                    UnixSockets.send(one, new byte[4096], List.of());
                    sent++;
                } catch (SysException e) {
                    assertEquals("EAGAIN", e.errnoName(), "there is no room any more");
                    break;
                }
            }
            for (int i = 0; i < sent; i++) {
                assertEquals(4096, UnixSockets.receive(two, 8192, 0).data().length, "each came whole");
            }
            assertNull(UnixSockets.receive(two, 8192, 0), "and of the refused one nothing");
        }
    }

    @Test
    void endsWithEmptyDataOrOnceWithAReset() {
        final Fd[] read = UnixSockets.pairOfPackets();
        try (Fd one = read[0]) {
            UnixSockets.send(read[1], BYTE, List.of());
            read[1].close();
            assertArrayEquals(BYTE, UnixSockets.receive(one, 10, 0).data(), "what was sent before comes");
            assertEquals(0, UnixSockets.receive(one, 10, 0).data().length, "then the end");
            assertEquals("EPIPE", assertThrows(SysException.class,
                    () -> UnixSockets.send(one, BYTE, List.of())).errnoName(), "nobody is there to receive");
        }
        final Fd[] unread = UnixSockets.pairOfPackets();
        try (Fd one = unread[0]) {
            UnixSockets.send(unread[1], BYTE, List.of());
            UnixSockets.send(one, BYTE, List.of());
            unread[1].close();
            assertEquals("ECONNRESET", assertThrows(SysException.class,
                    () -> UnixSockets.receive(one, 10, 0)).errnoName(), "the other end had not read all");
            assertArrayEquals(BYTE, UnixSockets.receive(one, 10, 0).data(), "what it sent still comes");
            assertEquals(0, UnixSockets.receive(one, 10, 0).data().length, "then the end");
        }
    }

    @Test
    void belongsToWhomItWasGiven() {
        Privilege.toBecomeOthers();
        Io.chmod(folder.toString(), 0711);
        final String path = folder + "/port";
        try (Fd listener = UnixSockets.listenPackets(path, 0660, NOBODY, 12345)) {
            final Io.Stat stat = Io.stat(path);
            assertEquals(List.of(NOBODY, 12345, Io.S_IFSOCK | 0660), List.of(stat.uid(), stat.gid(), stat.mode()));
            assertEquals("accepted", connectAs(1000, new int[] {7, 12345}, path), "a member of the group may connect");
            try (Fd server = UnixSockets.accept(listener)) {
                assertEquals(1000, UnixSockets.peerCred(server).uid(), "the user's number");
                assertArrayEquals(new int[] {7, 12345}, sorted(UnixSockets.peerGroups(server)), "and groups");
            }
            assertEquals("connect EACCES", connectAs(1000, new int[] {7}, path), "others may not");
            assertNull(UnixSockets.accept(listener), "nor were they there");
        }
        assertEquals("connect ECONNREFUSED", connectAs(0, new int[0], path), "nobody listens any more");
        assertEquals("connect ENOENT", connectAs(0, new int[0], folder + "/none"), "there is no socket");
    }

    @Test
    void tellsAllGroupsOfAMemberOfMany() {
        Privilege.toBecomeOthers();
        final String path = folder + "/port";
        final int[] many = IntStream.range(5000, 6000).toArray();
        try (Fd listener = UnixSockets.listenPackets(path, 0600, KEEP, KEEP)) {
            for (final int[] groups : List.of(many, new int[0])) {
                assertEquals("accepted", connectAs(0, groups, path));
                try (Fd server = UnixSockets.accept(listener)) {
                    assertArrayEquals(groups, sorted(UnixSockets.peerGroups(server)), "all groups");
                }
            }
        }
    }

    @Test
    void recognisesAListenerByNothingButItself() {
        final String path = folder + "/port";
        final Fd[] pair = UnixSockets.pairOfPackets();
        try (Fd listener = UnixSockets.listenPackets(path, 0600, KEEP, KEEP);
                Fd stream = UnixSockets.listen(folder + "/stream", 0600);
                Fd client = UnixSockets.connectPackets(path); Fd server = UnixSockets.accept(listener);
                Fd one = pair[0]; Fd two = pair[1]; Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            assertTrue(UnixSockets.isPacketListener(listener), "it listens");
            for (final Fd other : List.of(stream, client, server, one, zero)) {
                assertFalse(UnixSockets.isPacketListener(other), other + " is none");
            }
            assertEquals(path, UnixSockets.boundPath(listener), "its path");
            assertEquals(path, UnixSockets.boundPath(server), "which its connections have, too");
            assertNull(UnixSockets.boundPath(client), "who connects has none");
            assertNull(UnixSockets.boundPath(two), "nor has a pair");
            assertEquals("EPROTOTYPE", assertThrows(SysException.class,
                    () -> UnixSockets.connectPackets(folder + "/stream")).errnoName(), "a stream takes no packets");
        }
        final Fd closed = Fd.own(1 << 20, "not open");
        assertFalse(UnixSockets.isPacketListener(closed), "nor is a number that is not open");
        closed.disown();
    }

    @Test
    void abstractNamesAreNoPaths() {
        final byte[] name = ("\1\0\0ontap-test-" + Io.getpid()).getBytes(StandardCharsets.UTF_8);
        try (Fd fd = Sockets.socket(Sockets.AF_UNIX, Sockets.SOCK_SEQPACKET, 0);
                Fd inet = Sockets.socket(Sockets.AF_INET, Sockets.SOCK_DGRAM, 0)) {
            Sockets.bind(fd, name);
            assertNull(UnixSockets.boundPath(fd), "an abstract name");
            assertNull(UnixSockets.boundPath(inet), "an internet address");
        }
    }

    @Test
    void whatWasInheritedBecomesLikeTheRest() {
        try (Fd listener = UnixSockets.listenPackets(folder + "/port", 0600, KEEP, KEEP)) {
            final int dupfd = 0;
            try (Fd inherited = Fd.own(Libc.fcntl(listener.raw(), dupfd, 3), "inherited");
                    Fd connection = UnixSockets.connectPackets(folder + "/port")) {
                assertFalse(FdInfo.of(inherited).closeOnExec(), "as it comes from whoever started us");
                Io.closeOnExec(inherited);
                assertTrue(FdInfo.of(inherited).closeOnExec(), "it is ours alone");
                assertEquals(0, FdInfo.of(connection).flags() & Io.O_NONBLOCK, "made to block");
                Io.nonBlocking(connection);
                assertEquals(Io.O_RDWR | Io.O_NONBLOCK | Io.O_CLOEXEC, FdInfo.of(connection).flags(), "no more");
            }
        }
    }

    /** What comes of connecting as this user, whose group is 1000 or root's. */
    private static String connectAs(final int uid, final int[] groups, final String path) {
        Identity.prepare();
        return NsThread.call("other", () -> {
            if (groups.length > 0 || uid != 0) {
                new Identity(uid, uid, groups, 0, false).take();
            }
            try {
                UnixSockets.connectPackets(path).close();
                return "accepted";
            } catch (SysException e) {
                return e.call() + " " + e.errnoName();
            }
        });
    }

    private static String text(final UnixSockets.Message message) {
        return new String(message.data(), StandardCharsets.UTF_8);
    }

    private static int[] sorted(final int[] numbers) {
        final int[] sorted = numbers.clone();
        Arrays.sort(sorted);
        return sorted;
    }

    /** The lowest number that is free: higher when a descriptor stays open that nobody owns. */
    private static int lowestFree() {
        try (Fd next = Io.open("/dev/null", Io.O_RDONLY, 0)) {
            return next.raw();
        }
    }
}
