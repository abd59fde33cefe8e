// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Loopback;
import ontap.sys.SysException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** In namespaces of their own. */
@Timeout(60)
final class UdpServerTest {
    private static final int PORT = 53;
    private static final List<Endpoint> EVERYWHERE = List.of(Endpoint.of("::", PORT), Endpoint.of("0.0.0.0", PORT));
    private final ConcurrentLinkedQueue<Throwable> told = new ConcurrentLinkedQueue<>();

    @Test
    void answersFromEveryAddress() {
        Loopback.run(() -> {
            try (UdpServer server = start(EVERYWHERE)) {
                int id = 0;
                for (final String ip : new String[] {"127.0.0.1", "127.1.2.3", "::1", "fd00::2", "fd00::3"}) {
                    try (DatagramSocket client = client(ip)) {
                        check(client, ++id);
                    }
                }
                await(server, 5);
                assertEquals(new UdpServer.Counters(5, 5, 0, 0, server.counters().batches()), server.counters(),
                        "five came and went");
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }

    @Test
    void aFailingAnswererIsSurvived() {
        Loopback.run(() -> {
            try (UdpServer server = start(EVERYWHERE); DatagramSocket client = client("fd00::1")) {
                for (int i = 0; i < 5; i++) {
                    final byte[] query = EchoAnswerer.query(i, 40, 'T', 0);
                    // STATUS, RD and CD of a query; of these, OPCODE and RD are repeated.
                    query[2] = 0x11;
                    query[3] = 0x10;
                    send(client, query);
                    assertArrayEquals(new byte[] {0, (byte) i, (byte) 0x91, 2, 0, 0, 0, 0, 0, 0, 0, 0}, receive(client),
                            "SERVFAIL");
                }
                // An answer is never answered, and without a header there is no id to answer with.
                final byte[] answer = EchoAnswerer.query(9, 40, 'T', 0);
                answer[2] = (byte) 0x80;
                send(client, answer);
                send(client, EchoAnswerer.query(9, 40, 'N', 0));
                check(client, 1234);
                await(server, 8);
                final UdpServer.Counters c = server.counters();
                assertEquals(List.of(8L, 6L, 2L, 6L), List.of(c.queries(), c.answered(), c.dropped(), c.errors()),
                        "all is counted");
            }
            assertEquals(3, told.size(), "the first, the second and the fourth are told");
        });
    }

    @Test
    void oneBusySocketDoesNotStarveAnother() {
        Loopback.run(() -> {
            final AtomicBoolean over = new AtomicBoolean();
            try (UdpServer server = start(EVERYWHERE); DatagramSocket client = client("fd00::1");
                    DatagramSocket flood = client("127.0.0.1")) {
                final Thread flooder = new Thread(() -> {
                    final byte[] query = EchoAnswerer.query(1, 40, 'N', 0);
                    try {
                        while (!over.get()) {
                            send(flood, query);
                        }
                    } catch (final IOException e) {
                        told.add(e);
                    }
                });
                flooder.start();
                try {
                    for (int i = 0; i < 200; i++) {
                        check(client, i);
                    }
                } finally {
                    over.set(true);
                    flooder.join();
                }
                assertTrue(server.counters().queries() > 400, "there was a flood");
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }

    @Test
    void whatIsTooLongIsDropped() {
        Loopback.run(() -> {
            try (UdpServer server = start(EVERYWHERE); DatagramSocket client = client("::1")) {
                send(client, EchoAnswerer.query(7, 4097));
                check(client, 8);
                await(server, 2);
                assertEquals(1, server.counters().dropped(), "the long one");
                send(client, EchoAnswerer.query(7, 4096));
                assertArrayEquals(EchoAnswerer.answer(7, 4096), receive(client), "the longest");
            }
        });
    }

    @Test
    void closingFreesThreadAndPort() {
        Loopback.run(() -> {
            for (int i = 0; i < 3; i++) {
                try (UdpServer server = start(EVERYWHERE); DatagramSocket client = client("::1")) {
                    check(client, i);
                    await(server, 1);
                }
            }
            start(EVERYWHERE).close();
            ServerThreads.awaitNone("dns-udp");
            try (DnsSockets sockets = DnsSockets.open(EVERYWHERE)) {
                assertEquals(4, sockets.all().size(), "the addresses are free again");
            }
        });
    }

    @Test
    void whatIsNoSocketIsRefusedAndLeft() {
        Loopback.run(() -> {
            final Fd[] pipe = Io.pipe(true);
            try (Fd one = pipe[0]; Fd two = pipe[1]) {
                assertThrows(SysException.class, () -> UdpServer.start(List.of(one), new EchoAnswerer(), told::add));
                assertTrue(one.isOpen() && two.isOpen(), "both stay the caller's");
                assertThrows(DnsSockets.Strange.class, () -> DnsSockets.handed(List.of(one)), "a pipe");
            }
        });
    }

    @Test
    void socketsThatWereHandedOverServe() {
        Loopback.run(() -> {
            try (DnsSockets opened = DnsSockets.open(EVERYWHERE)) {
                final DnsSockets handed = DnsSockets.handed(opened.all());
                assertEquals(opened, handed, "each is known for what it is");
                assertEquals(opened.all(), handed.all(), "in their order");
            }
            try (DnsSockets sockets = DnsSockets.open(List.of(Endpoint.of("127.0.0.1", 0)))) {
                assertEquals(DnsSockets.handed(sockets.all()), sockets, "a port of the kernel's choice");
                assertEquals(sockets.udp().get(0).what().substring(4), sockets.tcp().get(0).what().substring(4),
                        "is the same for both");
            }
        });
    }

    /** 40 clients at once, with and without rest: batches of one, of some, and full ones. */
    @Test
    void manyClientsAtOnceAreAllAnswered() {
        Loopback.run(() -> {
            for (final UdpServer.Limits limits : new UdpServer.Limits[] {UdpServer.Limits.USUAL,
                new UdpServer.Limits(1, 999_999), new UdpServer.Limits(1, 0)}) {
                final List<DatagramSocket> clients = new ArrayList<>();
                final DnsSockets sockets = DnsSockets.open(EVERYWHERE);
                sockets.tcp().forEach(Fd::close);
                try (UdpServer server = UdpServer.start(sockets.udp(), new EchoAnswerer(), limits, told::add)) {
                    for (int i = 0; i < 40; i++) {
                        clients.add(client(i % 2 == 0 ? "127.0.0." + (1 + i) : "fd00::" + (1 + i % 3)));
                    }
                    for (int round = 0; round < 20; round++) {
                        for (int i = 0; i < clients.size(); i++) {
                            send(clients.get(i), EchoAnswerer.query(i, 40));
                        }
                        for (int i = 0; i < clients.size(); i++) {
                            assertArrayEquals(EchoAnswerer.answer(i, 40), receive(clients.get(i)), "its own answer");
                        }
                    }
                    await(server, 800);
                    assertEquals(800, server.counters().answered(), "all of them");
                } finally {
                    clients.forEach(DatagramSocket::close);
                }
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
        assertThrows(IllegalArgumentException.class, () -> new UdpServer.Limits(0, 0), "less than one");
        assertThrows(IllegalArgumentException.class, () -> new UdpServer.Limits(1, 1_000_000), "too long");
    }

    private UdpServer start(final List<Endpoint> endpoints) {
        final DnsSockets sockets = DnsSockets.open(endpoints);
        sockets.tcp().forEach(Fd::close);
        return UdpServer.start(sockets.udp(), new EchoAnswerer(), told::add);
    }

    /** The counters follow the answers. */
    private static void await(final UdpServer server, final long queries) {
        while (server.counters().queries() < queries) {
            Thread.onSpinWait();
        }
    }

    /** A client that takes answers from nobody but the address it asks. */
    private static DatagramSocket client(final String ip) throws IOException {
        final DatagramSocket client = new DatagramSocket(new InetSocketAddress(ip, 0));
        client.setSoTimeout(10_000);
        client.connect(InetAddress.getByName(ip), PORT);
        return client;
    }

    private static void check(final DatagramSocket client, final int id) throws IOException {
        send(client, EchoAnswerer.query(id, 40));
        assertArrayEquals(EchoAnswerer.answer(id, 40), receive(client), "the answer to " + id);
    }

    private static void send(final DatagramSocket client, final byte[] message) throws IOException {
        client.send(new DatagramPacket(message, message.length));
    }

    private static byte[] receive(final DatagramSocket client) throws IOException {
        final DatagramPacket packet = new DatagramPacket(new byte[5000], 5000);
        try {
            client.receive(packet);
        } catch (final SocketTimeoutException e) {
            throw new AssertionError("an answer should come to " + client.getLocalSocketAddress(), e);
        }
        return Arrays.copyOf(packet.getData(), packet.getLength());
    }
}
