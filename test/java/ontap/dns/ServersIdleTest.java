// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import ontap.sys.Endpoint;
import ontap.sys.Loopback;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Servers that nobody asks do nothing at all. */
@Timeout(60)
final class ServersIdleTest {
    private static final int PORT = 53;

    @Test
    void idleServersMakeNoSystemCall() {
        Loopback.run(() -> {
            final ConcurrentLinkedQueue<Throwable> told = new ConcurrentLinkedQueue<>();
            final DnsSockets sockets =
                    DnsSockets.open(List.of(Endpoint.of("::", PORT), Endpoint.of("0.0.0.0", PORT)));
            try (UdpServer udp = UdpServer.start(sockets.udp(), new EchoAnswerer(), told::add);
                    TcpServer tcp = TcpServer.start(sockets.tcp(), new EchoAnswerer(), TcpServer.Limits.USUAL,
                            told::add);
                    DatagramSocket client = new DatagramSocket();
                    TcpClient kept = new TcpClient("::1", "::1", PORT)) {
                client.connect(InetAddress.getByName("::1"), PORT);
                client.send(new DatagramPacket(EchoAnswerer.query(1, 40), 40));
                client.receive(new DatagramPacket(new byte[40], 40));
                try (TcpClient gone = new TcpClient("127.0.0.1", "127.0.0.1", PORT)) {
                    gone.check(1);
                }
                kept.check(1);
                while (tcp.counters().open() != 1) {
                    Thread.onSpinWait();
                }
                final Path dnsUdp = ServerThreads.named("dns-udp").get(0);
                final Path dnsTcp = ServerThreads.named("dns-tcp").get(0);
                ServerThreads.awaitIdle(dnsUdp);
                ServerThreads.awaitIdle(dnsTcp);
                final long before = ServerThreads.switches(dnsUdp) + ServerThreads.switches(dnsTcp);
                // The time watched, not a wait for something to happen.
                Thread.sleep(2_000);
                assertEquals(before, ServerThreads.switches(dnsUdp) + ServerThreads.switches(dnsTcp),
                        "nobody should wake");
                assertTrue(ServerThreads.isIdle(dnsUdp) && ServerThreads.isIdle(dnsTcp),
                        "both should stand in one epoll_wait without limit");
                assertEquals(1, udp.counters().answered(), "it had been asked");
            }
            assertTrue(told.isEmpty(), () -> "nothing failed: " + told);
        });
    }
}
