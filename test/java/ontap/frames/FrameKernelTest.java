// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.arp;
import static ontap.frames.HandBuilt.tagged;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import ontap.dhcp4.DhcpMessage;
import ontap.dhcp4.DhcpOptions;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.PacketSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.Arguments;

/** The kernel runs the filter; kernel, udhcpc and udhcpd send what is read. */
@Timeout(120)
class FrameKernelTest {
    private static final int LIMIT_MS = 30_000;
    private static final byte[] LAST = arp(2, "02000000000f", "7f000001", "7f000001");

    private final byte[] buffer = new byte[4096];
    private TwoHosts hosts;

    /** A frame as a packet socket saw it, and what it was read as. */
    private record Seen(boolean outgoing, boolean partial, GuestFrame frame) {
    }

    @BeforeEach
    void make() {
        hosts = new TwoHosts();
    }

    @AfterEach
    void end() {
        hosts.close();
    }

    @Test
    void theKernelLetsThroughWhatTheInterpreterDoes() {
        final List<byte[]> frames = new ArrayList<>();
        for (final Arguments row : Stream.of(FrameFilterTest.wanted(), FrameFilterTest.unwanted())
                .flatMap(s -> s).toList()) {
            final byte[] frame = (byte[]) row.get()[1];
            if (frame.length >= 60 && frame.length <= 1514) {
                frames.add(frame);
                frames.add(tagged(frame, "81000007"));
            }
        }
        frames.add(LAST);
        final Interpreter filter = new Interpreter(GuestFrame.filter());
        // a socket does not see what it sends itself
        try (Fd sender = TwoHosts.socket(hosts.lan, "lan0", new byte[0]);
                Fd witness = TwoHosts.socket(hosts.lan, "lan0", GuestFrame.filter());
                Fd receiver = TwoHosts.socket(hosts.guest, "eth0", GuestFrame.filter())) {
            final List<String> in = new ArrayList<>();
            final List<String> out = new ArrayList<>();
            for (final byte[] frame : frames) {
                assertTrue(PacketSocket.send(sender, frame), "it is sent");
                if (filter.run(frame) > 0) {
                    out.add(HandBuilt.hex(frame));
                    assertEquals(HandBuilt.hex(frame), received(witness, true), "seen where it is sent");
                }
                // a frame that comes in has no first tag any more
                if (filter.run(untagged(frame)) > 0) {
                    in.add(HandBuilt.hex(untagged(frame)));
                    assertEquals(HandBuilt.hex(untagged(frame)), received(receiver, false), "seen where it arrives");
                }
            }
            assertNull(PacketSocket.receive(receiver, buffer), "nothing else came");
            assertTrue(out.size() > 80 && in.size() >= out.size(), "many did: " + out.size() + " and " + in.size());
        }
    }

    /** A frame of a VLAN comes in without its tag, as if it were of no VLAN: the filter knows. */
    @Test
    void theKernelLetsThroughWhatAClientNeeds() {
        final List<byte[]> wanted = new ArrayList<>();
        final Interpreter filter = new Interpreter(ClientFilterTest.watched());
        try (Fd sender = TwoHosts.socket(hosts.lan, "lan0", new byte[0]);
                Fd receiver = TwoHosts.socket(hosts.guest, "eth0", GuestFrame.clientFilter(List.of()))) {
            PacketSocket.refilter(receiver, ClientFilterTest.watched());
            for (final Arguments row : Stream.of(ClientFilterTest.unheard(), ClientFilterTest.others(),
                    ClientFilterTest.replies(), ClientFilterTest.heard()).flatMap(s -> s).toList()) {
                final byte[] frame = (byte[]) row.get()[1];
                if (frame.length >= 42 && untagged(frame) == frame) {
                    PacketSocket.send(sender, tagged(frame, "81000007"));
                    PacketSocket.send(sender, tagged(frame, "88a80007"));
                    PacketSocket.send(sender, frame);
                    PacketSocket.send(sender, tagged(frame, "8100e000"));
                    if (filter.run(frame) > 0) {
                        wanted.add(frame);
                        assertEquals(HandBuilt.hex(frame), received(receiver, false), "without a tag");
                        assertEquals(HandBuilt.hex(frame), received(receiver, false), "with a priority");
                    }
                }
            }
            assertNull(PacketSocket.receive(receiver, buffer), "nothing else came");
            assertEquals(11, wanted.size(), "all that is wanted");
            PacketSocket.refilter(receiver, GuestFrame.clientFilter(List.of()));
            wanted.forEach(frame -> PacketSocket.send(sender, frame));
            for (int i = 0; i < 6; i++) {
                assertEquals(HandBuilt.hex(wanted.get(i)), received(receiver, false), "a reply");
            }
            assertNull(PacketSocket.receive(receiver, buffer), "no ARP any more");
        }
    }

    @Test
    void readsWhatTheKernelSaysOfItsAddresses() throws Exception {
        TwoHosts.run(hosts.lan, "ip", "addr", "add", "10.9.0.1/24", "dev", "lan0");
        TwoHosts.run(hosts.lan, "ip", "addr", "add", "fd00::1/64", "dev", "lan0", "nodad");
        try (Fd fd = TwoHosts.socket(hosts.guest, "eth0", GuestFrame.filter())) {
            TwoHosts.run(hosts.guest, "ip", "addr", "add", "10.9.0.5/24", "dev", "eth0");
            TwoHosts.run(hosts.guest, "ip", "addr", "add", "fd00::5/64", "dev", "eth0");
            await(fd, "duplicate address detection", s -> s.outgoing
                    && s.frame instanceof GuestFrame.Solicitation n && n.probe() && is("fd00::5", n.target()));
            TwoHosts.run(hosts.guest, "busybox", "ping", "-c", "1", "-W", "20", "10.9.0.1");
            await(fd, "the guest's request", s -> s.outgoing && s.frame instanceof GuestFrame.Arp a && !a.reply()
                    && !a.probe() && is("10.9.0.5", a.sender()) && is("10.9.0.1", a.target()));
            await(fd, "the LAN's reply", s -> !s.outgoing && s.frame instanceof GuestFrame.Arp a && a.reply()
                    && is("10.9.0.1", a.sender()));
            TwoHosts.run(hosts.lan, "busybox", "ping", "-c", "1", "-W", "20", "fd00::5");
            await(fd, "the LAN's solicitation", s -> !s.outgoing && s.frame instanceof GuestFrame.Solicitation n
                    && is("fd00::1", n.sender()) && is("fd00::5", n.target()));
            await(fd, "the guest's answer", s -> s.outgoing && s.frame instanceof GuestFrame.Advertisement n
                    && n.solicited() && is("fd00::5", n.target()));
            TwoHosts.run(hosts.guest, "busybox", "arping", "-A", "-c", "1", "-I", "eth0", "10.9.0.5");
            await(fd, "an announcement", s -> s.outgoing && s.frame instanceof GuestFrame.Arp a && a.announcement()
                    && is("10.9.0.5", a.sender()));
            assertEquals(0, silent("busybox", "arping", "-D", "-c", "1", "-w", "1", "-I", "eth0", "10.9.0.9"),
                    "nobody has it");
            await(fd, "a probe", s -> s.outgoing && s.frame instanceof GuestFrame.Arp a && a.probe()
                    && is("10.9.0.9", a.target()));
        }
    }

    @Test
    void readsALeaseOfRealPrograms(@TempDir final Path dir) throws Exception {
        final Path script = write(dir.resolve("script"),
                "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add \"$ip/24\" dev \"$interface\"\n"
                        + "exec busybox arping -A -c 1 -w 1 -I \"$interface\" \"$ip\"\n", "rwx------");
        final Path config = write(dir.resolve("udhcpd.conf"), "start 10.9.0.50\nend 10.9.0.50\ninterface lan0\n"
                + "lease_file " + dir.resolve("leases") + "\npidfile " + dir.resolve("pid") + "\n"
                + "option subnet 255.255.255.0\noption lease 3600\n", "rw-------");
        write(dir.resolve("leases"), "", "rw-------");
        TwoHosts.run(hosts.lan, "ip", "addr", "add", "10.9.0.1/24", "dev", "lan0");
        try (Fd fd = TwoHosts.socket(hosts.guest, "eth0", GuestFrame.filter());
                Running server = new Running(hosts.lan, "busybox", "udhcpd", "-f", config.toString());
                Running client = new Running(hosts.guest, "busybox", "udhcpc", "-i", "eth0", "-R", "-f", "-T", "2",
                        "-s", script.toString())) {
            final DhcpMessage discover = message(await(fd, "discover", s -> s.outgoing && type(s, DhcpMessage.DISCOVER)));
            final DhcpMessage offer = message(await(fd, "offer", s -> !s.outgoing && type(s, DhcpMessage.OFFER)));
            final DhcpMessage request = message(await(fd, "request", s -> s.outgoing && type(s, DhcpMessage.REQUEST)));
            final DhcpMessage ack = message(await(fd, "ack", s -> !s.outgoing && type(s, DhcpMessage.ACK)));
            await(fd, "the guest's announcement", s -> s.outgoing && s.frame instanceof GuestFrame.Arp a
                    && a.announcement());
            client.process.destroy();
            final Seen release = await(fd, "release", s -> s.outgoing && type(s, DhcpMessage.RELEASE));
            assertEquals(1, Stream.of(discover, offer, request, ack).map(DhcpMessage::xid).distinct().count(), "one xid");
            assertEquals(1, Stream.of(discover, offer, request, ack).map(DhcpMessage::hwaddr).distinct().count(), "one MAC");
            assertEquals("01" + discover.hwaddr().replace(":", ""), discover.options().hex(DhcpOptions.CLIENT_ID), "udhcpc's identifier");
            for (final DhcpMessage given : List.of(offer, ack)) {
                assertTrue(is("10.9.0.50", given.your()), "the only address there is: " + given);
                assertEquals(24, given.options().prefix(), "its prefix");
                assertEquals(3600L, given.options().seconds(DhcpOptions.LEASE), "an hour");
            }
            assertTrue(is("10.9.0.50", request.options().address(DhcpOptions.REQUESTED)), "the client asks for what was offered: " + request);
            assertTrue(is("10.9.0.50", message(release).client()), "and gives it back: " + release);
            assertTrue(server.process.isAlive(), "the server serves");
            assertTrue(release.partial, "its checksum was left to the link, which has not made it yet");
        }
    }

    /** A program on one of the hosts, ended at the end. */
    private record Running(Process process) implements AutoCloseable {
        Running(final Fd host, final String... command) {
            this(TwoHosts.in(host, () -> new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD).start()));
        }

        @Override
        public void close() {
            process.destroyForcibly().onExit().orTimeout(LIMIT_MS, TimeUnit.MILLISECONDS).join();
        }
    }

    private static boolean type(final Seen seen, final int type) {
        return seen.frame instanceof GuestFrame.Dhcp d && d.message().type() == type;
    }

    private static DhcpMessage message(final Seen seen) {
        return ((GuestFrame.Dhcp) seen.frame).message();
    }

    private static boolean is(final String text, final InetAddress ip) {
        try {
            return InetAddress.getByName(text).equals(ip);
        } catch (final IOException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** Exit status of a program on the guest whose answer may be no. */
    private int silent(final String... command) {
        return TwoHosts.in(hosts.guest, () -> {
            final Process p = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD).start();
            assertTrue(p.waitFor(30, TimeUnit.SECONDS), List.of(command) + " should end");
            return p.exitValue();
        });
    }

    private static Path write(final Path file, final String text, final String mode) throws IOException {
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode)));
        return Files.writeString(file, text);
    }

    /** The next frame that is as wanted; those before it are left out. */
    private Seen await(final Fd fd, final String what, final Predicate<Seen> wanted) {
        final List<Seen> others = new ArrayList<>();
        while (true) {
            final PacketSocket.Frame f = next(fd, what + " after " + others);
            final GuestFrame frame = GuestFrame.parse(buffer, f.length(), f.checksumPending());
            final Seen seen = new Seen(f.outgoing(), f.checksumPending(), frame);
            if (wanted.test(seen)) {
                return seen;
            }
            others.add(seen);
        }
    }

    private String received(final Fd fd, final boolean outgoing) {
        final PacketSocket.Frame f = next(fd, "a frame that passes");
        assertEquals(outgoing, f.outgoing(), "its direction is known");
        return HandBuilt.hex(Arrays.copyOf(buffer, f.length()));
    }

    private PacketSocket.Frame next(final Fd fd, final String what) {
        PacketSocket.Frame f = PacketSocket.receive(fd, buffer);
        while (f == null) {
            assertTrue(Io.await(fd, Io.POLLIN, LIMIT_MS) != 0, "there should be " + what);
            f = PacketSocket.receive(fd, buffer);
        }
        return f;
    }

    /** The frame without its first tag of 802.1Q. */
    private static byte[] untagged(final byte[] frame) {
        final int type = (frame[12] & 0xff) << 8 | frame[13] & 0xff;
        if (type != 0x8100 && type != 0x88a8) {
            return frame;
        }
        final String text = HandBuilt.hex(frame);
        return HandBuilt.hex(text.substring(0, 24) + text.substring(32));
    }
}
