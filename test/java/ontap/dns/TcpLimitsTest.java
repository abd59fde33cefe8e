// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Loopback;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What clients may not do to others, in namespaces of their own. */
@Timeout(60)
final class TcpLimitsTest {
    private static final int PORT = 53;
    private static final long LONG = 100_000;
    private static final long SHORT = 300;
    private final ConcurrentLinkedQueue<Throwable> told = new ConcurrentLinkedQueue<>();

    /** 200 clients, each of an address of its own, that stall in every way there is. */
    @Test
    void stallingClientsDoNotStopAGoodOne() {
        Loopback.run(() -> {
            final List<TcpClient> stalling = new ArrayList<>();
            try (TcpServer server = start(TcpServer.Limits.USUAL); TcpClient good = client("127.0.9.9")) {
                for (int i = 0; i < 200; i++) {
                    final TcpClient client = client("127.0.1." + (1 + i));
                    stalling.add(client);
                    switch (i % 4) {
                        case 0:
                            break;
                        case 1:
                            client.send(new byte[] {0});
                            break;
                        case 2:
                            client.send(new byte[] {0, 40, 1, 2, 3});
                            break;
                        default:
                            client.ask(EchoAnswerer.query(i, 40, 'M', 1_000_000));
                    }
                    final long start = System.nanoTime();
                    good.check(i);
                    final long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
                    assertTrue(took < 2_000, () -> "an answer in " + took + " ms");
                }
                while (server.counters().accepted() < 201) {
                    Thread.onSpinWait();
                }
                assertEquals(128, server.counters().open(), "everybody comes in, but there are no more than that");
                assertEquals(73, server.counters().evicted(), "for somebody who waits longer");
                try (TcpClient late = client("127.0.9.8")) {
                    late.check(1);
                }
            } finally {
                close(stalling);
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }

    @Test
    void oneClientHasItsShare() {
        Loopback.run(() -> {
            Loopback.address("fd00::1:1/128", "lo");
            Loopback.address("fd00:0:0:1::1/128", "lo");
            try (TcpServer server = start(new TcpServer.Limits(128, 3, LONG, LONG, LONG))) {
                final List<TcpClient> clients = new ArrayList<>();
                try (TcpClient other = new TcpClient("fd00:0:0:1::1", "fd00::1", PORT)) {
                    other.check(1);
                    for (final String ip : new String[] {"fd00::1", "fd00::1:1", "fd00::2", "fd00::1:1", "fd00::3"}) {
                        clients.add(new TcpClient(ip, "fd00::1", PORT));
                        clients.get(clients.size() - 1).check(2);
                    }
                    clients.get(0).expectLoss(1);
                    clients.get(1).expectLoss(1);
                    for (int i = 2; i < 5; i++) {
                        clients.get(i).check(i);
                    }
                    other.check(3);
                    assertEquals(4, server.counters().open(), "three of one /64, and one of another");
                    assertEquals(2, server.counters().evicted(), "two had to go");
                } finally {
                    close(clients);
                }
            }
        });
    }

    @Test
    void whoAsksNothingIsEndedInTime() {
        Loopback.run(() -> {
            try (TcpServer server = start(new TcpServer.Limits(128, 16, SHORT, LONG, LONG));
                    TcpClient client = client("127.0.0.1"); TcpClient half = client("127.0.0.1")) {
                half.send(new byte[] {0, 40, 1});
                final long start = System.nanoTime();
                client.check(1);
                client.expectEndNow();
                within(start, SHORT);
                half.send(new byte[39]);
                assertEquals(40, half.receive().length, "a message's own time is another");
                half.expectEndNow();
                assertEquals(0, server.counters().evicted(), "nobody had to make room");
            }
        });
    }

    @Test
    void aMessageHasToComeAsAWhole() {
        Loopback.run(() -> {
            try (TcpServer server = start(new TcpServer.Limits(128, 16, LONG, SHORT, LONG));
                    TcpClient slow = client("127.0.0.1"); TcpClient good = client("127.0.0.1")) {
                good.check(1);
                final long start = System.nanoTime();
                final byte[] message = TcpClient.framed(EchoAnswerer.query(1, 4000));
                int sent = 0;
                try {
                    for (; sent < message.length; sent++) {
                        slow.send(new byte[] {message[sent]});
                        // The client's pace.
                        Thread.sleep(20);
                    }
                } catch (final IOException e) {
                    within(start, SHORT);
                }
                assertTrue(sent < message.length, "its end should come before the message's");
                good.check(2);
                assertEquals(1, server.counters().open(), "only the good one is left");
            }
        });
    }

    @Test
    void whoTakesNothingIsGivenUp() {
        Loopback.run(() -> {
            try (TcpServer server = start(new TcpServer.Limits(128, 16, LONG, LONG, SHORT));
                    TcpClient client = new TcpClient("127.0.0.1", "127.0.0.1", PORT, 4096)) {
                final long start = System.nanoTime();
                client.ask(EchoAnswerer.query(1, 40, 'M', 1_000_000));
                while (server.counters().accepted() == 0 || server.counters().open() != 0) {
                    Thread.onSpinWait();
                }
                within(start, SHORT);
                client.expectLoss(1_000_000);
            }
        });
    }

    /** A JVM that has no descriptor left neither spins nor stays deaf. */
    @Test
    void withoutDescriptorsItWaits() {
        Loopback.run(() -> {
            final List<String> command = List.of("sh", "-c", "ulimit -n 100 && exec \"$@\"", "sh",
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:-UsePerfData",
                    "-XX:-MaxFDLimit", "-XX:TieredStopAtLevel=1", "-Xmx64m",
                    // else it opens files of its control group, now and then
                    "-XX:-UseContainerSupport",
                    "-XX:+IgnoreUnrecognizedVMOptions", "--enable-native-access=ALL-UNNAMED",
                    "-cp", System.getProperty("java.class.path"), Starved.class.getName());
            final Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            try (BufferedReader out = new BufferedReader(
                    new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                assertEquals("starved", out.readLine(), "it has no descriptor left");
                try (TcpClient waiting = client("127.0.0.1")) {
                    waiting.ask(EchoAnswerer.query(1, 40));
                    process.getOutputStream().write('\n');
                    process.getOutputStream().flush();
                    final int ticks = Integer.parseInt(out.readLine());
                    assertTrue(ticks < 20, () -> "in a second it used " + ticks + " hundredths");
                    assertEquals(40, waiting.receive().length, "once there are descriptors it is answered");
                }
                // Three descriptors are free: each further client takes the place of the one that waited longest.
                final List<TcpClient> clients = new ArrayList<>();
                for (int i = 0; i < 10; i++) {
                    clients.add(client("127.0.0." + (1 + i)));
                    clients.get(i).check(i);
                }
                close(clients);
            } finally {
                process.getOutputStream().close();
                assertTrue(process.waitFor(20, TimeUnit.SECONDS), "it should end");
                process.destroyForcibly();
            }
        });
    }

    @Test
    void limitsAreAtLeastOne() {
        assertThrows(IllegalArgumentException.class, () -> new TcpServer.Limits(0, 1, 1, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> new TcpServer.Limits(1, 0, 1, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> new TcpServer.Limits(1, 1, 1, 1, 0));
    }

    private static void within(final long start, final long limit) {
        final long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        assertTrue(took >= limit - 5 && took < limit + 5_000, () -> "after " + took + " of " + limit + " ms");
    }

    private static TcpClient client(final String from) throws IOException {
        return new TcpClient(from, "127.0.0.1", PORT);
    }

    private static void close(final List<TcpClient> clients) throws IOException {
        for (final TcpClient client : clients) {
            client.close();
        }
    }

    private TcpServer start(final TcpServer.Limits limits) {
        final DnsSockets sockets = DnsSockets.open(List.of(Endpoint.of("::", PORT), Endpoint.of("0.0.0.0", PORT)));
        sockets.udp().forEach(Fd::close);
        return TcpServer.start(sockets.tcp(), new EchoAnswerer(), limits, told::add);
    }
}
