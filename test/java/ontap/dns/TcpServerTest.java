// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Loopback;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Messages and their answers, in namespaces of their own. */
@Timeout(60)
final class TcpServerTest {
    private static final int PORT = 53;
    private static final int MAX = 65535;
    private final ConcurrentLinkedQueue<Throwable> told = new ConcurrentLinkedQueue<>();
    private final EchoAnswerer answerer = new EchoAnswerer();

    @Test
    void answersOnEveryAddress() {
        Loopback.run(() -> {
            try (TcpServer server = start()) {
                for (final String ip : new String[] {"127.0.0.1", "127.1.2.3", "::1", "fd00::2"}) {
                    try (TcpClient client = new TcpClient(ip, ip, PORT)) {
                        client.check(1);
                        client.check(2);
                    }
                }
                assertEquals(8, server.counters().queries(), "two each");
                assertEquals(4, server.counters().accepted(), "four clients");
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }

    @Test
    void manyAtOnceAreAnsweredInOrder() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient client = client()) {
                final byte[][] queries = new byte[1000][];
                for (int i = 0; i < queries.length; i++) {
                    queries[i] = EchoAnswerer.query(i, 12 + i);
                }
                final Thread writer = new Thread(() -> send(client, TcpClient.framed(queries)));
                writer.start();
                for (int i = 0; i < queries.length; i++) {
                    assertArrayEquals(EchoAnswerer.answer(i, 12 + i), client.receive(), "the answer to " + i);
                }
                writer.join();
                assertEquals(queries.length, server.counters().queries(), "all came");
            }
        });
    }

    /** Every cut of two messages; the server has seen what is before it, as it has answered somebody else since. */
    @Test
    void aMessageMayBeCutAnywhere() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient client = client(); TcpClient other = client()) {
                final byte[] both = TcpClient.framed(EchoAnswerer.query(1, 40), EchoAnswerer.query(2, 30));
                for (int cut = 1; cut < both.length; cut++) {
                    client.send(Arrays.copyOf(both, cut));
                    other.check(cut);
                    client.send(Arrays.copyOfRange(both, cut, both.length));
                    assertArrayEquals(EchoAnswerer.answer(1, 40), client.receive(), "the first, cut at " + cut);
                    assertArrayEquals(EchoAnswerer.answer(2, 30), client.receive(), "the second, cut at " + cut);
                }
                for (final byte octet : both) {
                    client.send(new byte[] {octet});
                    other.check(octet);
                }
                assertArrayEquals(EchoAnswerer.answer(1, 40), client.receive(), "octet by octet");
                assertArrayEquals(EchoAnswerer.answer(2, 30), client.receive(), "octet by octet");
                assertEquals(2, server.counters().open(), "both are still there");
            }
        });
    }

    @Test
    void theLongestMessagesGoBothWays() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient client = client()) {
                for (int i = 0; i < 3; i++) {
                    final int id = i;
                    final Thread writer = new Thread(() -> send(client,
                            TcpClient.framed(EchoAnswerer.query(id, MAX), EchoAnswerer.query(id + 1, MAX))));
                    writer.start();
                    assertArrayEquals(EchoAnswerer.answer(id, MAX), client.receive(), "65,535 octets");
                    assertArrayEquals(EchoAnswerer.answer(id + 1, MAX), client.receive(), "and once more");
                    writer.join();
                    client.check(7);
                }
                assertEquals(9, server.counters().queries(), "three times three");
            }
        });
    }

    @Test
    void answersAreMadeAsTheyAreTaken() {
        Loopback.run(() -> {
            final int count = 100_000;
            try (TcpServer server = start(); TcpClient client = new TcpClient("::1", "::1", PORT, 4096);
                    TcpClient other = client()) {
                client.send(TcpClient.framed(EchoAnswerer.query(1, 40, 'M', count), EchoAnswerer.query(2, 40)));
                int before = -1;
                for (int i = 0; before != answerer.taken || i < 100; i++) {
                    before = answerer.taken;
                    other.check(i);
                }
                final int made = before;
                assertTrue(made > 0 && made < count / 10, () -> made + " answers of 1,000 octets for nobody");
                for (int i = 0; i < count; i++) {
                    assertEquals(i, ByteBuffer.wrap(client.receive()).getInt(), "in order");
                }
                assertArrayEquals(EchoAnswerer.answer(2, 40), client.receive(), "the next has its turn then");
                assertEquals(0, server.counters().errors(), "nothing failed");
            }
        });
    }

    @Test
    void whoeverHasEndedIsStillAnswered() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient client = client()) {
                client.send(TcpClient.framed(EchoAnswerer.query(1, 40), EchoAnswerer.query(2, 40, 'M', 5000),
                        EchoAnswerer.query(3, 40)));
                client.socket.shutdownOutput();
                assertArrayEquals(EchoAnswerer.answer(1, 40), client.receive(), "the first");
                for (int i = 0; i < 5000; i++) {
                    assertEquals(i, ByteBuffer.wrap(client.receive()).getInt(), "the second");
                }
                assertArrayEquals(EchoAnswerer.answer(3, 40), client.receive(), "the third");
                client.expectEndNow();
                awaitOpen(server, 0);
            }
        });
    }

    @Test
    void garbageEndsTheConversation() {
        Loopback.run(() -> {
            try (TcpServer server = start()) {
                final byte[][] garbage = {
                    {0, 0}, {0, 11}, {0, 1, 7}, TcpClient.framed(new byte[11]),
                    TcpClient.framed(EchoAnswerer.query(2, 40, 'N', 0)),
                    "GET / HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(),
                };
                for (final byte[] piece : garbage) {
                    try (TcpClient client = client()) {
                        client.ask(EchoAnswerer.query(1, 40));
                        client.send(piece);
                        // Enough to make a whole message of whatever length the piece says.
                        client.send(TcpClient.framed(EchoAnswerer.query(3, 40, 'N', 0)));
                        client.send(new byte[30_000]);
                        assertArrayEquals(EchoAnswerer.answer(1, 40), client.receive(), "what came before");
                        client.socket.shutdownOutput();
                        client.expectEnd();
                    }
                }
                awaitOpen(server, 0);
                assertEquals(0, server.counters().errors(), "garbage is no error of ours");
            }
        });
    }

    @Test
    void failuresAreAnsweredOrEnd() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient client = client()) {
                client.ask(EchoAnswerer.query(7, 40, 'T', 0));
                assertArrayEquals(new byte[] {0, 7, (byte) 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0}, client.receive(),
                        "SERVFAIL");
                client.check(8);
                client.send(TcpClient.framed(EchoAnswerer.query(9, 40, 'H', 3), EchoAnswerer.query(10, 40)));
                assertEquals(0, ByteBuffer.wrap(client.receive()).getInt(), "the first of three");
                assertEquals(1, ByteBuffer.wrap(client.receive()).getInt(), "the second of three");
                client.expectEndNow();
                assertEquals(2, server.counters().errors(), "both are counted");
            }
            assertEquals(2, told.size(), "and told");
        });
    }

    @Test
    void resetsAreTheClientsOwnAffair() {
        Loopback.run(() -> {
            try (TcpServer server = start(); TcpClient other = client()) {
                for (int i = 0; i < 50; i++) {
                    try (TcpClient client = client()) {
                        client.ask(EchoAnswerer.query(i, 40, i % 2 == 0 ? 'M' : '-', 1_000_000));
                        if (i % 3 == 0) {
                            client.receive();
                        }
                        client.socket.setSoLinger(true, 0);
                    }
                    other.check(i);
                }
                awaitOpen(server, 1);
                assertEquals(0, server.counters().errors(), "nothing failed here");
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }

    @Test
    void closingEndsEverything() {
        Loopback.run(() -> {
            for (int i = 0; i < 3; i++) {
                final TcpServer server = start();
                try (TcpClient client = client(); TcpClient silent = client()) {
                    client.check(1);
                    client.ask(EchoAnswerer.query(2, 40, 'M', 1_000_000));
                    server.close();
                    client.expectLoss(1_000_000);
                    silent.expectLoss(1);
                }
                ServerThreads.awaitNone("dns-tcp");
            }
        });
    }

    private static void send(final TcpClient client, final byte[] octets) {
        try {
            client.send(octets);
        } catch (final IOException e) {
            throw new AssertionError(e);
        }
    }

    private static TcpClient client() throws IOException {
        return new TcpClient("::1", "::1", PORT);
    }

    private TcpServer start() {
        final DnsSockets sockets =
                DnsSockets.open(List.of(Endpoint.of("::", PORT), Endpoint.of("0.0.0.0", PORT)));
        sockets.udp().forEach(Fd::close);
        return TcpServer.start(sockets.tcp(), answerer, TcpServer.Limits.USUAL, told::add);
    }

    private static void awaitOpen(final TcpServer server, final long open) {
        while (server.counters().open() != open) {
            Thread.onSpinWait();
        }
    }
}
