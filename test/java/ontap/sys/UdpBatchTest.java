// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** In namespaces of their own; the witness is a connected socket, which takes answers from nobody but whom it asked. */
@Timeout(60)
final class UdpBatchTest {
    private static final int PORT = 53;
    private static final int IP_RECVERR = 11;

    @Test
    void answersLeaveFromTheAddressAsked() {
        Loopback.run(() -> {
            try (Fd four = udp("0.0.0.0"); Fd six = udp("::")) {
                final UdpBatch batch = new UdpBatch();
                for (final String ip : new String[] {"127.0.0.1", "127.0.0.2", "127.9.9.9"}) {
                    assertEquals("x" + ip, asked(batch, four, client("127.0.0.1"), ip), ip);
                }
                for (final String ip : new String[] {"::1", "fd00::1", "fd00::2", "fd00::3"}) {
                    assertEquals("x" + ip, asked(batch, six, client("fd00::1"), ip), ip);
                }
                final String d0 = Loopback.pair();
                Loopback.address("fe80::53/64", "d0");
                Loopback.address("fe80::54/64", "d0");
                final String ip = "fe80::54" + d0;
                assertEquals("x" + ip, asked(batch, six, client("fe80::53" + d0), ip), "link-local");
            }
        });
    }

    @Test
    void aSocketOfOneAddressNeedsNoTelling() {
        Loopback.run(() -> {
            final UdpBatch batch = new UdpBatch();
            for (final String ip : new String[] {"127.0.0.5", "fd00::2"}) {
                try (Fd udp = udp(ip)) {
                    assertEquals("x" + ip, asked(batch, udp, client(ip), ip), ip);
                }
            }
        });
    }

    @Test
    void anAnswerToAGroupComesFromOneOfItsMembers() {
        Loopback.run(() -> {
            final String d0 = Loopback.pair();
            Loopback.address("fe80::53/64", "d0");
            try (Fd udp = udp("::"); DatagramSocket client = client("fe80::53" + d0)) {
                final UdpBatch batch = new UdpBatch();
                client.send(new DatagramPacket(new byte[] {'x'}, 1, InetAddress.getByName("ff02::1" + d0), PORT));
                serve(batch, udp);
                final DatagramPacket answer = new DatagramPacket(new byte[10], 10);
                client.receive(answer);
                assertEquals(InetAddress.getByName("fe80::53" + d0), answer.getAddress(), "from an address of its own");
            }
        });
    }

    @Test
    void manyComeAtOnceAndEachHasItsAnswer() {
        Loopback.run(() -> {
            final List<DatagramSocket> clients = new ArrayList<>();
            try (Fd udp = udp("0.0.0.0")) {
                for (int i = 0; i < 200; i++) {
                    final DatagramSocket client = client("127.0.0." + (1 + i));
                    clients.add(client);
                    client.connect(InetAddress.getByName("127.0.1." + (1 + i)), PORT);
                    send(client, "q" + i);
                }
                final UdpBatch batch = new UdpBatch();
                for (final int expected : new int[] {64, 64, 64, 8, 0}) {
                    final int n = batch.receive(udp);
                    assertEquals(expected, n, "as many as there is room for");
                    // Every second is answered, from the last to the first.
                    int replies = 0;
                    for (int i = n - 1; i >= 0; i -= 2, replies++) {
                        batch.answer(i).put((byte) 'a').put(batch.query(i));
                        batch.reply(i);
                    }
                    assertEquals(replies, batch.send(udp), "all should go");
                }
                for (int i = 1; i < 200; i += 2) {
                    assertEquals("aq" + i, received(clients.get(i)), "its own answer");
                }
                clients.get(0).setSoTimeout(1);
                assertThrows(SocketTimeoutException.class, () -> received(clients.get(0)), "no answer was given");
            } finally {
                clients.forEach(DatagramSocket::close);
            }
        });
    }

    @Test
    void theSenderIsKnown() {
        Loopback.run(() -> {
            final UdpBatch batch = new UdpBatch();
            for (final String ip : new String[] {"127.3.2.1", "fd00::3"}) {
                try (Fd udp = udp(ip); DatagramSocket client = client(ip)) {
                    client.connect(InetAddress.getByName(ip), PORT);
                    send(client, "e");
                    awaited(udp);
                    assertEquals(1, batch.receive(udp), "it comes");
                    assertEquals(1, batch.query(0).remaining(), "all of it");
                    final Endpoint from = Endpoint.of(ip, 0);
                    assertEquals(from.high(), batch.high(0), ip);
                    assertEquals(from.low(), batch.low(0), ip);
                }
            }
        });
    }

    @Test
    void whatIsCutIsToldAndForgotten() {
        Loopback.run(() -> {
            try (Fd udp = udp("127.0.0.1"); DatagramSocket client = client("127.0.0.1")) {
                client.connect(InetAddress.getByName("127.0.0.1"), PORT);
                final byte[] sent = new byte[UdpBatch.QUERY_MAX + 1];
                Arrays.fill(sent, (byte) 7);
                client.send(new DatagramPacket(sent, sent.length));
                client.send(new DatagramPacket(sent, sent.length - 1));
                final UdpBatch batch = new UdpBatch();
                awaited(udp);
                assertEquals(2, batch.receive(udp), "both come");
                assertFalse(batch.isAnswerable(0), "the first is cut");
                assertTrue(batch.isAnswerable(1), "the second is whole");
                final byte[] whole = new byte[batch.query(1).remaining()];
                batch.query(1).get(whole);
                assertArrayEquals(Arrays.copyOf(sent, UdpBatch.QUERY_MAX), whole, "to its last octet");
                assertEquals(UdpBatch.ANSWER_MAX, batch.answer(1).remaining(), "room for an answer");
                batch.answer(1).put(whole);
                batch.reply(1);
                assertEquals(1, batch.send(udp), "a long answer goes");
                assertEquals(UdpBatch.QUERY_MAX, received(client).length(), "and comes");
            }
        });
    }

    @Test
    void anAnswerThatCannotGoDoesNotStopTheNext() {
        Loopback.run(() -> {
            Loopback.ip("addr add 192.0.2.1/32 dev lo");
            try (Fd udp = udp("0.0.0.0"); DatagramSocket one = client("127.0.0.1");
                    DatagramSocket lost = client("192.0.2.1"); DatagramSocket two = client("127.0.0.2")) {
                for (final DatagramSocket client : new DatagramSocket[] {one, lost, two, lost}) {
                    client.connect(InetAddress.getByName("127.0.0.1"), PORT);
                    send(client, "hello");
                }
                Loopback.ip("addr del 192.0.2.1/32 dev lo");
                final UdpBatch batch = new UdpBatch();
                awaited(udp);
                assertEquals(4, batch.receive(udp), "all came while there was a way");
                for (int i = 0; i < 4; i++) {
                    batch.answer(i).put(batch.query(i));
                    batch.reply(i);
                }
                assertEquals(2, batch.send(udp), "to two there is no way back");
                assertEquals("hello", received(one), "before it");
                assertEquals("hello", received(two), "after it");
                assertEquals(0, batch.send(udp), "nothing is sent twice");
            }
        });
    }

    @Test
    void errorsOfTheNetworkAreNothing() {
        Loopback.run(() -> {
            try (Fd udp = udp("127.0.0.1"); DatagramSocket client = client("127.0.0.1")) {
                Sockets.setOption(udp, Sockets.SOL_IP, IP_RECVERR, 1);
                // Nobody is there: the kernel says so with the next call.
                Sockets.send(udp, new byte[1], 0, 1, 0, Endpoint.of("127.0.0.1", 9).sockaddr());
                client.connect(InetAddress.getByName("127.0.0.1"), PORT);
                send(client, "hello");
                Io.await(udp, Io.POLLIN, 10_000);
                final UdpBatch batch = new UdpBatch();
                assertEquals(0, batch.receive(udp), "the error takes its place");
                serve(batch, udp);
                assertEquals("hello", received(client), "the socket goes on");
            }
        });
    }

    @Test
    void whatIsNoSocketIsRefused() {
        Loopback.run(() -> {
            final Fd[] pipe = Io.pipe(true);
            try (Fd one = pipe[0]; Fd two = pipe[1]) {
                final UdpBatch batch = new UdpBatch();
                assertEquals("ENOTSOCK", assertThrows(SysException.class, () -> batch.receive(one)).errnoName(),
                        "a pipe never receives");
                assertThrows(SysException.class, () -> UdpBatch.prepare(two), "nor is it told anything");
            }
        });
    }

    private static Fd udp(final String ip) {
        final Fd udp = InetSockets.udp(Endpoint.of(ip, PORT));
        UdpBatch.prepare(udp);
        return udp;
    }

    private static DatagramSocket client(final String ip) throws IOException {
        final DatagramSocket client = new DatagramSocket(new InetSocketAddress(ip, 0));
        client.setSoTimeout(10_000);
        return client;
    }

    /** What a client that takes answers from this address alone gets back for "x" and the address. */
    private static String asked(final UdpBatch batch, final Fd udp, final DatagramSocket from, final String ip)
            throws IOException {
        try (DatagramSocket client = from) {
            client.connect(InetAddress.getByName(ip), PORT);
            send(client, "x" + ip);
            serve(batch, udp);
            return received(client);
        }
    }

    private static void awaited(final Fd udp) {
        assertEquals(Io.POLLIN, Io.await(udp, Io.POLLIN, 10_000) & Io.POLLIN, "something should come");
    }

    /** Waits for datagrams and gives each back. */
    private static void serve(final UdpBatch batch, final Fd udp) {
        awaited(udp);
        final int n = batch.receive(udp);
        for (int i = 0; i < n; i++) {
            batch.answer(i).put(batch.query(i));
            batch.reply(i);
        }
        assertEquals(n, batch.send(udp), "every answer should go");
    }

    private static void send(final DatagramSocket client, final String text) throws IOException {
        client.send(new DatagramPacket(text.getBytes(), text.length()));
    }

    private static String received(final DatagramSocket client) throws IOException {
        final DatagramPacket packet = new DatagramPacket(new byte[5000], 5000);
        client.receive(packet);
        return new String(packet.getData(), 0, packet.getLength());
    }
}
