// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import ontap.sys.Endpoint;
import ontap.sys.Errno;
import ontap.sys.SysException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One question to a server of the test's own on loopback, which answers octet by octet. */
@Timeout(60)
class AskTest {
    private static final int PATIENT = 10_000;
    private static final int IMPATIENT = 50;
    private static final int ROOM = 4096;
    private static final int HEADER = 12;
    private static final Endpoint ANY = Endpoint.of("127.0.0.1", 0);
    /** web.vanya, AAAA, IN. */
    private static final String QUESTION = "03 77 65 62 05 76 61 6e 79 61 00 00 1c 00 01";
    private static final String FD00_1 = "c0 0c 00 1c 00 01 00 00 00 3c 00 10 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01";
    private static final String FD00_2 = "c0 0c 00 1c 00 01 00 00 00 3c 00 10 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02";
    private static final String TXT_X = "c0 0c 00 10 00 01 00 00 00 3c 00 02 01 78";

    private final BlockingQueue<DatagramPacket> asked = new LinkedBlockingQueue<>();
    private DatagramSocket socket;
    private Endpoint server;
    private Thread thread;

    @BeforeEach
    void listen() throws IOException {
        socket = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"));
        server = Endpoint.of("127.0.0.1", socket.getLocalPort());
    }

    @AfterEach
    void end() throws InterruptedException {
        socket.close();
        if (thread != null) {
            thread.join();
        }
    }

    /** Says {@code replies} to each query, one after another; they get its ID where theirs is {@code ID}. */
    private void says(final byte[]... replies) {
        answering(query -> replies, socket);
    }

    private interface Server {
        byte[][] answer(byte[] query);
    }

    private void answering(final Server what, final DatagramSocket from) {
        thread = new Thread(() -> {
            try {
                while (true) {
                    final DatagramPacket packet = new DatagramPacket(new byte[ROOM], ROOM);
                    socket.receive(packet);
                    final byte[] query = Arrays.copyOf(packet.getData(), packet.getLength());
                    asked.add(packet);
                    for (final byte[] reply : what.answer(query)) {
                        final byte[] own = reply.clone();
                        if (own.length >= 2 && own[0] == 'I' && own[1] == 'D') {
                            own[0] = query[0];
                            own[1] = query[1];
                        }
                        from.send(new DatagramPacket(own, own.length, packet.getSocketAddress()));
                    }
                }
            } catch (final IOException e) {
                // closed: the test is over
                assertTrue(socket.isClosed(), e::toString);
            }
        }, "dns");
        thread.start();
    }

    /** A reply with the query's ID. {@code flags}: the two octets behind it. */
    private static byte[] reply(final String flags, final int answers, final String... parts) {
        return octets("49 44 " + flags + " 00 01 00 0" + answers + " 00 00 00 00 " + String.join(" ", parts));
    }

    private static byte[] octets(final String hex) {
        return java.util.HexFormat.of().parseHex(hex.replace(" ", ""));
    }

    private Ask.Answer ask(final int timeoutMillis) {
        return Ask.ask(server, ANY, "web.vanya", "AAAA", timeoutMillis);
    }

    @Test
    void addresses() {
        says(reply("84 00", 2, QUESTION, FD00_2, FD00_1));
        final Ask.Answer answer = ask(PATIENT);
        assertEquals("NOERROR", answer.rcode());
        assertEquals(List.of("fd00:0:0:0:0:0:0:2", "fd00:0:0:0:0:0:0:1"), answer.data(), "in the server's order");
        assertFalse(answer.truncated());
    }

    @Test
    void theQuestion() throws InterruptedException {
        says(reply("84 00", 0, QUESTION));
        assertEquals("NOERROR", Ask.ask(server, Endpoint.of("127.0.0.3", 0), "web.vanya.", "AAAA", PATIENT).rcode());
        final DatagramPacket packet = asked.poll(1, TimeUnit.SECONDS);
        assertEquals("127.0.0.3", ((InetSocketAddress) packet.getSocketAddress()).getAddress().getHostAddress());
        final byte[] query = Arrays.copyOf(packet.getData(), packet.getLength());
        final byte[] expected = octets("00 00 01 00 00 01 00 00 00 00 00 01 " + QUESTION + " 00 00 29 04 d0 00 00 00 00 00 00");
        expected[0] = query[0];
        expected[1] = query[1];
        assertEquals(java.util.HexFormat.of().formatHex(expected), java.util.HexFormat.of().formatHex(query),
                "one question, and EDNS with room for 1232 octets");
    }

    @Test
    void noData() {
        says(reply("84 00", 0, QUESTION));
        assertEquals(new Ask.Answer("NOERROR", List.of(), false), ask(PATIENT));
    }

    @Test
    void noSuchName() {
        says(reply("84 03", 0, QUESTION));
        assertEquals(new Ask.Answer("NXDOMAIN", List.of(), false), ask(PATIENT));
    }

    @Test
    void otherTypesAreLeftOut() {
        says(reply("84 00", 2, QUESTION, TXT_X, FD00_1));
        assertEquals(List.of("fd00:0:0:0:0:0:0:1"), ask(PATIENT).data());
    }

    @Test
    void truncated() {
        says(reply("86 00", 1, QUESTION, FD00_1));
        assertTrue(ask(PATIENT).truncated());
    }

    @Test
    void aServerThatReadNoQuestion() {
        says(octets("49 44 80 01 00 00 00 00 00 00 00 00"));
        assertEquals(new Ask.Answer("FORMERR", List.of(), false), ask(PATIENT));
    }

    @Test
    void whatIsNoAnswerIsPassedOver() {
        final byte[] good = reply("84 00", 1, QUESTION, FD00_1);
        final UnaryOperator<byte[]> otherId = message -> {
            final byte[] other = message.clone();
            other[0] = 0;
            other[1] = 0;
            return other;
        };
        answering(query -> {
            final byte[] wrong = otherId.apply(good);
            wrong[0] = (byte) (query[0] ^ 1);
            wrong[1] = query[1];
            return new byte[][] {
                {}, {1}, octets("ff ff ff ff"), Arrays.copyOf(good, HEADER + 3), Arrays.copyOf(good, good.length - 1), wrong,
                // a query, no reply; another question; none, and yet all is well
                reply("04 00", 1, QUESTION, FD00_2),
                reply("84 03", 0, "03 77 65 63 05 76 61 6e 79 61 00 00 1c 00 01"),
                reply("84 03", 0, "03 77 65 62 05 76 61 6e 79 61 00 00 01 00 01"),
                octets("49 44 84 00 00 00 00 00 00 00 00 00"),
                good};
        }, socket);
        assertEquals(new Ask.Answer("NOERROR", List.of("fd00:0:0:0:0:0:0:1"), false), ask(PATIENT));
        assertEquals(1, asked.size(), "it did not have to ask again");
    }

    @Test
    void anotherServerIsNotHeard() throws IOException {
        try (DatagramSocket stranger = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"))) {
            answering(query -> new byte[][] {reply("84 00", 1, QUESTION, FD00_1)}, stranger);
            assertNull(ask(IMPATIENT));
        }
    }

    @Test
    void itAsksThreeTimes() throws InterruptedException {
        answering(query -> asked.size() < 3 ? new byte[0][] : new byte[][] {reply("84 00", 1, QUESTION, FD00_1)}, socket);
        assertEquals("NOERROR", ask(1000).rcode());
        assertEquals(3, asked.size());
    }

    @Test
    void silence() throws IOException {
        assertNull(ask(IMPATIENT), "nobody answers");
        socket.setSoTimeout(IMPATIENT);
        for (int i = 0; i < 3; i++) {
            socket.receive(new DatagramPacket(new byte[ROOM], ROOM));
        }
        assertThrows(SocketTimeoutException.class, () -> socket.receive(new DatagramPacket(new byte[ROOM], ROOM)));
    }

    @Test
    void aFloodOfNoAnswersDoesNotHoldIt() {
        says(new byte[2000][1]);
        final long begun = System.nanoTime();
        assertNull(ask(IMPATIENT));
        assertTrue(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begun) < 10, "three times 50 ms");
    }

    @Test
    void nobodyListens() {
        socket.close();
        assertEquals(Errno.ECONNREFUSED, assertThrows(SysException.class, () -> ask(PATIENT)).errno());
    }

    @Test
    void whatCannotBeAsked() {
        assertThrows(IllegalArgumentException.class, () -> Ask.ask(server, ANY, "web..vanya", "AAAA", IMPATIENT));
        assertThrows(IllegalArgumentException.class, () -> Ask.ask(server, ANY, "a".repeat(64), "AAAA", IMPATIENT));
        assertThrows(IllegalArgumentException.class, () -> Ask.ask(server, ANY, "web.vanya", "NONESUCH", IMPATIENT));
        assertThrows(IllegalArgumentException.class,
                () -> Ask.ask(server, Endpoint.of("::1", 0), "web.vanya", "AAAA", IMPATIENT));
    }
}
