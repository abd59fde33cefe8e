// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@ExtendWith(FdLeaks.class)
final class UnixSocketsTest {
    private static final byte[] BYTE = {42};

    @TempDir
    private Path folder;

    @Test
    void connectsToAPath() {
        final String path = folder + "/sock";
        try (Fd listener = UnixSockets.listen(path, 0640)) {
            assertNull(UnixSockets.accept(listener), "nobody has connected yet");
            assertEquals(Io.S_IFSOCK | 0640, Io.stat(path).mode(), "the socket should have exactly these permissions");
            try (Fd client = UnixSockets.connect(path); Fd server = UnixSockets.accept(listener)) {
                assertNull(UnixSockets.receive(server, 10, 0), "nothing was sent yet");
                UnixSockets.send(client, BYTE, List.of());
                final UnixSockets.Message message = UnixSockets.receive(server, 10, 0);
                assertArrayEquals(BYTE, message.data(), "the byte should come");
                assertTrue(message.fds().isEmpty(), "no descriptor was sent");
                assertNull(message.cred(), "credentials were not asked for");
            }
        }
    }

    @Test
    void endOfStreamIsEmptyData() {
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]) {
            UnixSockets.send(pair[1], BYTE, List.of());
            pair[1].close();
            assertEquals(1, UnixSockets.receive(one, 10, 0).data().length, "what was sent before should come");
            assertEquals(0, UnixSockets.receive(one, 10, 0).data().length, "then the end");
            final SysException e = assertThrows(SysException.class, () -> UnixSockets.send(one, BYTE, List.of()));
            assertEquals("EPIPE", e.errnoName(), "nobody is there to receive");
        }
    }

    @Test
    void descriptorsArriveWorkingAndCloseOnExec() throws IOException {
        final Fd[] pair = UnixSockets.pair();
        final Fd[] pipe = Io.pipe(true);
        try (Fd one = pair[0]; Fd two = pair[1]; Fd in = pipe[0]; Fd out = pipe[1]) {
            UnixSockets.send(one, "two".getBytes(StandardCharsets.UTF_8), List.of(in, out));
            final UnixSockets.Message message = UnixSockets.receive(two, 100, 2);
            assertEquals("two", new String(message.data(), StandardCharsets.UTF_8), "the data should come with them");
            assertEquals(2, message.fds().size(), "both should come");
            try (Fd gotIn = message.fds().get(0); Fd gotOut = message.fds().get(1)) {
                assertEquals(Io.link(in), Io.link(gotIn), "it should be the same pipe");
                assertEquals(1, Io.write(gotOut, BYTE, 0, 1), "what came should be usable");
                assertEquals(1, Io.read(in, new byte[1], 0, 1), "and lead to the sender's pipe");
                final String info = Files.readString(Path.of("/proc/self/fdinfo/" + gotIn.raw()));
                assertTrue(info.contains("flags:\t02004000"), () -> "it should be close-on-exec: " + info);
            }
        }
    }

    @Test
    void manyDescriptorsAtOnce() {
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]; Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final int most = 253;
            UnixSockets.send(one, BYTE, Collections.nCopies(most, zero));
            final UnixSockets.Message message = UnixSockets.receive(two, 1, most);
            assertEquals(most, message.fds().size(), "the kernel's most in one message should come");
            assertEquals("/dev/zero", Io.link(message.fds().get(most - 1)), "the last should be what was sent");
            message.fds().forEach(Fd::close);
        }
    }

    @Test
    void descriptorsThatWereCutOffAreAllClosed() {
        final int before = count();
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]; Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final int open = count();
            // Room for three: the kernel installs as many as fit into the buffer and reports MSG_CTRUNC.
            UnixSockets.send(one, BYTE, Collections.nCopies(50, zero));
            final SysException many = assertThrows(SysException.class, () -> UnixSockets.receive(two, 10, 3));
            assertEquals("EPROTO", many.errnoName(), "50 are more than 3");
            assertEquals(open, count(), "none of those that came should stay open");
            // One too many, which still fits into the room left for credentials.
            UnixSockets.send(one, BYTE, Collections.nCopies(2, zero));
            assertThrows(SysException.class, () -> UnixSockets.receive(two, 10, 1), "2 are more than 1");
            UnixSockets.send(one, BYTE, List.of(zero));
            assertThrows(SysException.class, () -> UnixSockets.receive(two, 10, 0), "1 is more than 0");
            assertEquals(open, count(), "nothing should stay open");
            UnixSockets.send(one, BYTE, List.of(zero));
            final UnixSockets.Message message = UnixSockets.receive(two, 10, 1);
            assertEquals(1, message.fds().size(), "the connection should go on working");
            message.fds().get(0).close();
        }
        assertEquals(before, count(), "nothing should stay open");
    }

    @Test
    void descriptorsNeedData() {
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]) {
            assertThrows(IllegalArgumentException.class, () -> UnixSockets.send(one, new byte[0], List.of(two)),
                    "a stream loses descriptors without data");
        }
    }

    @Test
    void longMessageIsSentWhole() throws InterruptedException {
        final byte[] data = new byte[3_000_000];
        new Random(5).nextBytes(data);
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]; Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final Thread sender = new Thread(() -> UnixSockets.send(one, data, List.of(zero)));
            sender.start();
            final byte[] back = new byte[data.length];
            final List<Fd> fds = new ArrayList<>();
            int done = 0;
            while (done < back.length) {
                final UnixSockets.Message message = UnixSockets.receive(two, 65536, 1);
                fds.addAll(message.fds());
                System.arraycopy(message.data(), 0, back, done, message.data().length);
                done += message.data().length;
            }
            sender.join();
            assertArrayEquals(data, back, "the bytes should be the same");
            assertEquals(1, fds.size(), "the descriptor should come once");
            fds.get(0).close();
        }
    }

    @Test
    void fullSocketThrowsAgain() {
        final String path = folder + "/sock";
        try (Fd listener = UnixSockets.listen(path, 0600); Fd client = UnixSockets.connect(path);
                Fd server = UnixSockets.accept(listener)) {
            assertTrue(client.isOpen(), "the client does not read");
            final SysException e = assertThrows(SysException.class, () -> {
                while (true) {
                    UnixSockets.send(server, new byte[100_000], List.of());
                }
            });
            assertEquals(Errno.EAGAIN, e.errno(), "a non-blocking socket should not wait");
        }
    }

    @Test
    void knowsThePeerInTheSameProcess() {
        final String path = folder + "/sock";
        try (Fd listener = UnixSockets.listen(path, 0600); Fd client = UnixSockets.connect(path);
                Fd server = UnixSockets.accept(listener)) {
            final UnixSockets.PeerCred me = new UnixSockets.PeerCred(Io.getpid(), Io.getuid(), Io.getgid());
            assertEquals(me, UnixSockets.peerCred(server), "the peer is this process");
            assertEquals(me, UnixSockets.peerCred(client), "and so is the listener");
        }
    }

    @Test
    void knowsThePeerInAnotherProcess() throws Exception {
        final String path = folder + "/sock";
        try (Fd listener = UnixSockets.listen(path, 0600)) {
            final Process child = ChildJvm.start(Client.class, "-Dtest.path=" + path);
            try {
                Io.await(listener, Io.POLLIN, -1);
                try (Fd server = UnixSockets.accept(listener); Fd pidfd = UnixSockets.peerPidFd(server)) {
                    assertEquals(child.pid(), UnixSockets.peerCred(server).pid(), "the peer is the child");
                    if (pidfd != null) {
                        assertEquals("anon_inode:[pidfd]", Io.link(pidfd), "it should be a pidfd");
                        final String info = Files.readString(Path.of("/proc/self/fdinfo/" + pidfd.raw()));
                        assertTrue(info.contains("Pid:\t" + child.pid() + "\n"), () -> "of the child: " + info);
                        assertEquals(0, Io.await(pidfd, Io.POLLIN, 0), "the child still runs");
                        UnixSockets.send(server, BYTE, List.of());
                        assertEquals(Io.POLLIN, Io.await(pidfd, Io.POLLIN, -1) & Io.POLLIN, "its end should be told");
                    }
                }
                assertEquals(0, child.waitFor(), "the child should end well");
            } finally {
                child.destroyForcibly();
            }
        }
    }

    @Test
    void datagramsCarryCredentials() {
        final String path = folder + "/notify";
        try (Fd bound = UnixSockets.datagram(path, 0622); Fd sender = client(path);
                Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            assertEquals(0622, Io.stat(path).mode() & 0777, "the permissions should be exactly these");
            assertNull(UnixSockets.receive(bound, 100, 0), "nothing was sent yet");
            UnixSockets.send(sender, "READY=1".getBytes(StandardCharsets.UTF_8), List.of());
            final UnixSockets.Message message = UnixSockets.receive(bound, 100, 0);
            assertEquals("READY=1", new String(message.data(), StandardCharsets.UTF_8), "the text should come");
            assertEquals(new UnixSockets.PeerCred(Io.getpid(), Io.getuid(), Io.getgid()), message.cred(),
                    "the sender is this process");
            UnixSockets.send(sender, BYTE, List.of(zero));
            final UnixSockets.Message both = UnixSockets.receive(bound, 100, 1);
            assertEquals(1, both.fds().size(), "a descriptor should come beside credentials");
            assertEquals(Io.getpid(), both.cred().pid(), "and credentials beside the descriptor");
            both.fds().get(0).close();
        }
    }

    @Test
    void datagramTooLongIsRefusedAndItsDescriptorsClosed() {
        final String path = folder + "/notify";
        try (Fd bound = UnixSockets.datagram(path, 0600); Fd sender = client(path);
                Fd zero = Io.open("/dev/zero", Io.O_RDONLY, 0)) {
            final int open = count();
            UnixSockets.send(sender, new byte[101], List.of(zero));
            final SysException e = assertThrows(SysException.class, () -> UnixSockets.receive(bound, 100, 1));
            assertEquals("EMSGSIZE", e.errnoName(), "101 bytes do not fit into 100");
            assertEquals(open, count(), "what came with it should be closed");
            UnixSockets.send(sender, new byte[100], List.of());
            assertEquals(100, UnixSockets.receive(bound, 100, 0).data().length, "100 bytes fit");
        }
    }

    @Test
    void replacesOnlyStaleSockets() throws IOException {
        final String path = folder + "/sock";
        UnixSockets.listen(path, 0600).close();
        assertTrue(new File(path).exists(), "closing leaves the socket at its path");
        try (Fd listener = UnixSockets.listen(path, 0600)) {
            assertEquals("EADDRINUSE", refused(path), "a listener that lives should not be robbed");
            UnixSockets.connect(path).close();
            UnixSockets.accept(listener).close();
        }
        Files.delete(Path.of(path));
        Files.writeString(Path.of(path), "precious");
        assertEquals("EADDRINUSE", refused(path), "a file that is no socket should not be replaced");
        assertEquals("precious", Files.readString(Path.of(path)), "nor changed");
        final String notify = folder + "/notify";
        UnixSockets.datagram(notify, 0600).close();
        try (Fd bound = UnixSockets.datagram(notify, 0600)) {
            assertTrue(bound.isOpen(), "a stale datagram socket should be replaced");
            assertThrows(SysException.class, () -> UnixSockets.datagram(notify, 0600), "one in use should not");
        }
    }

    @Test
    void refusesPathsThatDoNotFit() {
        final char[] name = new char[200];
        Arrays.fill(name, 'x');
        assertEquals("ENAMETOOLONG", refused(folder + "/" + new String(name)), "107 bytes are the most");
        final SysException e = assertThrows(SysException.class, () -> UnixSockets.connect(folder + "/absent"));
        assertEquals("connect(" + folder + "/absent): No such file or directory (ENOENT)", e.getMessage(),
                "the path should be in the message");
    }

    private static String refused(final String path) {
        return assertThrows(SysException.class, () -> UnixSockets.listen(path, 0600).close()).errnoName();
    }

    /** A datagram socket connected to the path. */
    private static Fd client(final String path) {
        final Fd fd = Sockets.socket(Sockets.AF_UNIX, Sockets.SOCK_DGRAM, 0);
        Sockets.connect(fd, UnixSockets.address(path));
        return fd;
    }

    /** Open descriptors of this process that lead to what the tests send around. */
    private static int count() {
        int count = 0;
        final String[] names = new File("/proc/self/fd").list();
        for (final String name : names) {
            try {
                if (Files.readSymbolicLink(Path.of("/proc/self/fd", name)).toString().equals("/dev/zero")) {
                    count++;
                }
            } catch (final IOException e) {
                // The descriptor the listing itself used.
                continue;
            }
        }
        return count;
    }

    /** Connects, waits for a byte, ends. */
    static final class Client {
        private Client() {
        }

        public static void main(final String[] arguments) {
            try (Fd fd = UnixSockets.connect(System.getProperty("test.path"))) {
                UnixSockets.receive(fd, 1, 0);
            }
        }
    }
}
