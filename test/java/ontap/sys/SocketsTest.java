// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** On loopback and netlink only. */
@Timeout(60)
@ExtendWith(FdLeaks.class)
final class SocketsTest {
    private static final int UDP = Sockets.SOCK_DGRAM | Sockets.SOCK_NONBLOCK;
    private static final int IP_PKTINFO = 8;

    @Test
    void datagramsCarryTheirSender() {
        try (Fd one = udp(); Fd two = udp()) {
            final byte[] sent = {1, 2, 3, 4, 5};
            assertEquals(3, Sockets.send(one, sent, 1, 3, 0, Sockets.name(two)), "the datagram should be sent");
            Io.await(two, Io.POLLIN, -1);
            final byte[] buffer = new byte[10];
            final Sockets.Received received = Sockets.receive(two, buffer, 0);
            assertEquals(3, received.length(), "three bytes were sent");
            assertArrayEquals(new byte[] {2, 3, 4}, Arrays.copyOf(buffer, 3), "the offset should count");
            assertArrayEquals(Sockets.name(one), received.from(), "the sender should be known");
            assertFalse(received.truncated(), "it fits");
            assertTrue(received.control().isEmpty(), "nothing was asked for");
            assertNull(Sockets.receive(two, buffer, 0), "no second datagram waits");
        }
    }

    @Test
    void tellsWhatDidNotFit() {
        try (Fd one = udp(); Fd two = udp()) {
            Sockets.connect(one, Sockets.name(two));
            Sockets.send(one, new byte[100], 0, 100, 0, null);
            Io.await(two, Io.POLLIN, -1);
            final int flags = Sockets.MSG_PEEK | Sockets.MSG_TRUNC;
            assertEquals(100, Sockets.receive(two, new byte[0], flags).length(), "MSG_TRUNC should ask for the size");
            final Sockets.Received received = Sockets.receive(two, new byte[30], 0);
            assertTrue(received.truncated(), "100 bytes do not fit into 30");
            assertEquals(30, received.length(), "30 bytes came");
        }
    }

    @Test
    void emptyDatagramIsNotNothing() {
        try (Fd one = udp(); Fd two = udp()) {
            assertEquals(0, Sockets.send(one, new byte[0], 0, 0, 0, Sockets.name(two)), "it should be sent");
            Io.await(two, Io.POLLIN, -1);
            assertEquals(0, Sockets.receive(two, new byte[10], 0).length(), "an empty datagram should come");
        }
    }

    @Test
    void largestDatagramComesThrough() {
        try (Fd one = udp(); Fd two = udp()) {
            final byte[] sent = new byte[65507];
            new Random(3).nextBytes(sent);
            assertEquals(sent.length, Sockets.send(one, sent, 0, sent.length, 0, Sockets.name(two)), "all of it goes");
            Io.await(two, Io.POLLIN, -1);
            final byte[] buffer = new byte[70_000];
            assertEquals(sent.length, Sockets.receive(two, buffer, 0).length(), "all of it comes");
            assertArrayEquals(sent, Arrays.copyOf(buffer, sent.length), "the bytes should be the same");
        }
    }

    @Test
    void ancillaryDataIsRead() {
        try (Fd one = udp(); Fd two = udp()) {
            Sockets.setOption(two, Sockets.SOL_IP, IP_PKTINFO, 1);
            Sockets.send(one, new byte[1], 0, 1, 0, Sockets.name(two));
            Io.await(two, Io.POLLIN, -1);
            final Sockets.Received received = Sockets.receive(two, new byte[10], 0);
            assertEquals(1, received.control().size(), "packet information was asked for");
            final Sockets.Control control = received.control().get(0);
            assertEquals(Sockets.SOL_IP, control.level(), "it is the IP level's");
            assertEquals(IP_PKTINFO, control.type(), "it is packet information");
            assertEquals(12, control.data().length, "struct in_pktinfo has 12 bytes");
            assertEquals(127, control.data()[8], "the packet came to 127.0.0.1");
        }
    }

    @Test
    void fullSocketSaysAgain() {
        final Fd[] pair = UnixSockets.pair();
        try (Fd one = pair[0]; Fd two = pair[1]) {
            final byte[] data = new byte[10_000];
            int sent = 0;
            int n = 0;
            while (n != Io.AGAIN) {
                sent += n;
                n = Sockets.send(one, data, 0, data.length, Sockets.MSG_DONTWAIT, null);
            }
            assertTrue(sent > 0, "some room should have been there");
            assertTrue(Sockets.receive(two, data, 0).length() > 0, "what was sent should come");
        }
    }

    @Test
    void errorsNameTheCall() {
        try (Fd one = udp()) {
            final byte[] to = Sockets.name(one);
            final SysException unsent =
                    assertThrows(SysException.class, () -> Sockets.send(one, new byte[70_000], 0, 70_000, 0, to));
            assertEquals("EMSGSIZE", unsent.errnoName(), "UDP has no datagrams so long");
            final SysException taken = assertThrows(SysException.class, () -> Sockets.bind(one, to));
            assertEquals("bind", taken.call(), "a socket is bound once");
            assertEquals("EINVAL", taken.errnoName(), "a socket is bound once");
        }
        final SysException none = assertThrows(SysException.class, () -> Sockets.socket(99, Sockets.SOCK_DGRAM, 0));
        assertEquals("EAFNOSUPPORT", none.errnoName(), "there is no family 99");
    }

    @Test
    void optionsAreSetAndRead() throws IOException {
        try (Fd fd = udp()) {
            assertEquals(Sockets.AF_INET, Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_DOMAIN),
                    "the domain");
            assertEquals(Sockets.SOCK_DGRAM, Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_TYPE), "the type");
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_BROADCAST, 1);
            assertEquals(1, Sockets.getOptionInt(fd, Sockets.SOL_SOCKET, Sockets.SO_BROADCAST), "it should be set");
            final byte[] timeval = new byte[16];
            timeval[0] = 5;
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVTIMEO, timeval);
            final byte[] back = Sockets.getOption(fd, Sockets.SOL_SOCKET, Sockets.SO_RCVTIMEO, 64);
            assertArrayEquals(timeval, back, "the structure should come back at its own length");
            final SysException e = assertThrows(SysException.class, () -> Sockets.setOption(fd, 1, 9999, 1));
            assertEquals("ENOPROTOOPT", e.errnoName(), "there is no option 9999");
            final String info = Files.readString(Path.of("/proc/self/fdinfo/" + fd.raw()));
            assertTrue(info.contains("flags:\t02004002"), () -> "it should be close-on-exec, non-blocking: " + info);
        }
    }

    @Test
    void netlinkSocketGetsItsName() {
        try (Fd fd = Sockets.socket(Sockets.AF_NETLINK, Sockets.SOCK_RAW, 0)) {
            final byte[] address = new byte[12];
            address[0] = (byte) Sockets.AF_NETLINK;
            Sockets.bind(fd, address);
            final byte[] name = Sockets.name(fd);
            assertEquals(12, name.length, "struct sockaddr_nl has 12 bytes");
            final int port = ByteBuffer.wrap(name).order(ByteOrder.nativeOrder()).getInt(4);
            assertTrue(port != 0, "the kernel should have chosen a port");
        }
    }

    /** Bound to 127.0.0.1 and a port of the kernel's choice. */
    private static Fd udp() {
        final Fd fd = Sockets.socket(Sockets.AF_INET, UDP, 0);
        Sockets.bind(fd, new byte[] {Sockets.AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});
        return fd;
    }
}
