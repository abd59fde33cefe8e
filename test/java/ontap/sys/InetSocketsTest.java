// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** In namespaces of their own. */
@Timeout(60)
final class InetSocketsTest {
    private static final int PORT = 53;
    private static final int IP_MTU_DISCOVER = 10;
    private static final int IPV6_MTU_DISCOVER = 23;
    private static final int OMIT = 5;

    @Test
    void bothFamiliesStandSideBySide() {
        Loopback.run(() -> {
            final Endpoint four = Endpoint.of("0.0.0.0", PORT);
            final Endpoint six = Endpoint.of("::", PORT);
            try (Fd u6 = InetSockets.udp(six); Fd u4 = InetSockets.udp(four);
                    Fd t6 = InetSockets.tcp(six); Fd t4 = InetSockets.tcp(four)) {
                for (final Fd fd : new Fd[] {u6, u4}) {
                    assertEquals(InetSockets.Kind.DATAGRAM, InetSockets.handed(fd).kind(), fd.what());
                }
                for (final Fd fd : new Fd[] {t6, t4}) {
                    assertEquals(InetSockets.Kind.LISTENER, InetSockets.handed(fd).kind(), fd.what());
                }
                assertEquals(six, InetSockets.handed(u6).at(), "the address is told");
                assertEquals(four, InetSockets.handed(t4).at(), "the address is told");
                assertEquals(OMIT, Sockets.getOptionInt(u4, Sockets.SOL_IP, IP_MTU_DISCOVER), "no path MTU");
                assertEquals(OMIT, Sockets.getOptionInt(u6, Sockets.SOL_IPV6, IPV6_MTU_DISCOVER), "no path MTU");
                assertTrue(Sockets.getOptionInt(u4, Sockets.SOL_SOCKET, Sockets.SO_RCVBUF) >= 1 << 20, "room");
            }
        });
    }

    @Test
    void aTakenPortIsNamed() {
        Loopback.run(() -> {
            final Endpoint at = Endpoint.of("::1", PORT);
            try (Fd udp = InetSockets.udp(at); Fd tcp = InetSockets.tcp(at)) {
                final SysException u = assertThrows(SysException.class, () -> InetSockets.udp(at));
                assertEquals("bind(udp [::1]:53): Address already in use (EADDRINUSE)", u.getMessage(), "for UDP");
                final SysException t = assertThrows(SysException.class, () -> InetSockets.tcp(at));
                assertEquals("EADDRINUSE", t.errnoName(), "for TCP");
                assertEquals("tcp [::1]:53", t.detail(), "for TCP");
                assertNotEquals(udp.raw(), tcp.raw(), "both are open");
            }
        });
    }

    @Test
    void anAddressMayComeLater() {
        Loopback.run(() -> {
            final Endpoint four = Endpoint.of("192.0.2.7", PORT);
            final Endpoint six = Endpoint.of("2001:db8::7", PORT);
            try (Fd u4 = InetSockets.udp(four); Fd t4 = InetSockets.tcp(four);
                    Fd u6 = InetSockets.udp(six); Fd t6 = InetSockets.tcp(six)) {
                Loopback.ip("addr add 192.0.2.7/32 dev lo");
                Loopback.address("2001:db8::7/128", "lo");
                for (final Fd udp : new Fd[] {u4, u6}) {
                    final String ip = udp == u4 ? "192.0.2.7" : "2001:db8::7";
                    try (DatagramSocket client = new DatagramSocket()) {
                        client.connect(InetAddress.getByName(ip), PORT);
                        client.send(new DatagramPacket(new byte[3], 3));
                        Io.await(udp, Io.POLLIN, 10_000);
                        assertEquals(3, Sockets.receive(udp, new byte[9], 0).length(), ip + " should be asked");
                    }
                }
                for (final Fd tcp : new Fd[] {t4, t6}) {
                    final String ip = tcp == t4 ? "192.0.2.7" : "2001:db8::7";
                    try (Socket client = new Socket(ip, PORT)) {
                        Io.await(tcp, Io.POLLIN, 10_000);
                        final InetSockets.Accepted accepted = InetSockets.accept(tcp);
                        try (Fd fd = accepted.fd()) {
                            assertEquals(client.getLocalPort(), accepted.peer().port(), "who connected");
                            assertEquals(Endpoint.of(ip, 0).low(), accepted.peer().low(), "from its own address");
                            assertNull(InetSockets.accept(tcp), "no second one waits");
                            InetSockets.endOutput(fd);
                            assertEquals(-1, client.getInputStream().read(), "the end is heard");
                        }
                    }
                }
            }
        });
    }

    @Test
    void aRestartFindsItsPortFree() {
        Loopback.run(() -> {
            final Endpoint at = Endpoint.of("127.0.0.1", PORT);
            for (int i = 0; i < 2; i++) {
                try (Fd tcp = InetSockets.tcp(at); Socket client = new Socket("127.0.0.1", PORT)) {
                    Io.await(tcp, Io.POLLIN, 10_000);
                    // The server's side ends first, and so is the one that stays in TIME_WAIT.
                    InetSockets.accept(tcp).fd().close();
                    assertEquals(-1, client.getInputStream().read(), "the end is heard");
                }
            }
        });
    }

    @Test
    void linkLocalAddressesHaveALink() {
        Loopback.run(() -> {
            final String d0 = Loopback.pair();
            Loopback.address("fe80::53/64", "d0");
            final Endpoint at = InetSockets.endpoint("fe80::53%d0", PORT);
            assertEquals(at, InetSockets.endpoint("fe80::53%" + at.link(), PORT), "by name and by number");
            try (Fd udp = InetSockets.udp(at)) {
                assertEquals(at, InetSockets.handed(udp).at(), "it is bound there");
                try (DatagramSocket client = new DatagramSocket(new InetSocketAddress("fe80::53" + d0, 0))) {
                    client.connect(InetAddress.getByName("fe80::53" + d0), PORT);
                    client.send(new DatagramPacket(new byte[3], 3));
                    Io.await(udp, Io.POLLIN, 10_000);
                    assertEquals(3, Sockets.receive(udp, new byte[9], 0).length(), "it should be asked there");
                }
            }
            final SysException none =
                    assertThrows(SysException.class, () -> InetSockets.endpoint("fe80::53%d2", PORT));
            assertEquals("ioctl(link d2): No such device (ENODEV)", none.getMessage(), "no such link");
            for (final String wrong : new String[] {"fe80::53", "fd00::1%d0", "10.0.0.1%d0"}) {
                assertThrows(IllegalArgumentException.class, () -> InetSockets.endpoint(wrong, PORT), wrong);
            }
            for (final String wrong : new String[] {"fe80::1%", "fe80::1%123456789012345678"}) {
                assertThrows(SysException.class, () -> InetSockets.endpoint(wrong, PORT), wrong);
            }
        });
    }

    @Test
    void strangeDescriptorsAreNone() {
        Loopback.run(() -> {
            final Fd[] pipe = Io.pipe(true);
            final Fd[] pair = UnixSockets.pair();
            final int udp = Sockets.SOCK_DGRAM;
            try (Fd a = pipe[0]; Fd b = pipe[1]; Fd c = pair[0]; Fd d = pair[1];
                    Fd unbound = Sockets.socket(Sockets.AF_INET6, udp, 0);
                    Fd stream = Sockets.socket(Sockets.AF_INET, Sockets.SOCK_STREAM, 0);
                    Fd netlink = Sockets.socket(Sockets.AF_NETLINK, Sockets.SOCK_RAW, 0)) {
                Sockets.bind(stream, Endpoint.of("127.0.0.1", PORT).sockaddr());
                for (final Fd fd : new Fd[] {a, b, c, d, unbound, stream, netlink}) {
                    assertNull(InetSockets.handed(fd), fd.what());
                }
            }
        });
    }

    @Test
    void thePortTheKernelChoseIsKnown() {
        Loopback.run(() -> {
            try (Fd udp = InetSockets.udp(Endpoint.of("::1", 0)); Fd tcp = InetSockets.tcp(Endpoint.of("::1", 0))) {
                assertEquals("udp " + InetSockets.handed(udp).at(), udp.what(), "in its words");
                assertEquals("tcp " + InetSockets.handed(tcp).at(), tcp.what(), "in its words");
                assertFalse(tcp.what().endsWith(":0"), "it is bound");
            }
        });
    }
}
