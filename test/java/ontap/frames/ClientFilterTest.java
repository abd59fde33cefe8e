// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ALL;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.NO_IP;
import static ontap.frames.HandBuilt.OTHER;
import static ontap.frames.HandBuilt.arp;
import static ontap.frames.HandBuilt.bootp;
import static ontap.frames.HandBuilt.datagram;
import static ontap.frames.HandBuilt.ethernet;
import static ontap.frames.HandBuilt.fromClient;
import static ontap.frames.HandBuilt.fromServer;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.ip4;
import static ontap.frames.HandBuilt.tagged;
import static ontap.frames.HandBuilt.udp;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the filter of a client of DHCP lets through, by an interpreter; {@link FrameKernelTest} has the kernel run it. */
class ClientFilterTest {
    static final String MINE = "0a090005";
    static final String HIGH = "c0a80105";
    private static final String THEIRS = "0a090006";
    private static final Interpreter NO_ARP = new Interpreter(GuestFrame.clientFilter(List.of()));
    private static final Interpreter ALL_ARP = new Interpreter(GuestFrame.clientFilter());
    private static final Interpreter SOME = new Interpreter(watched());
    private static final String OFFER = bootp(2, NO_IP, MINE, "350102ff");

    /** The program for both addresses of this test. */
    static byte[] watched() {
        return GuestFrame.clientFilter(List.of(address(MINE), address(HIGH)));
    }

    /** Name, frame. */
    static Stream<Arguments> replies() {
        return Stream.of(
                Arguments.of("an offer", fromServer(OFFER)),
                Arguments.of("to one", udp("0a090001", MINE, 67, 68, "", OFFER)),
                Arguments.of("to one, in a frame for one", ethernet(OTHER, GUEST, "0800"
                        + ip4("0a090001", MINE, 0, "", datagram("0a090001", MINE, 67, 68, OFFER)))),
                Arguments.of("that must not be cut", ethernet(ALL, GUEST, "0800"
                        + ip4("0a090001", MINE, 0x4000, "", datagram("0a090001", MINE, 67, 68, OFFER)))),
                Arguments.of("with options of IP", udp("0a090001", MINE, 67, 68, "94040000", OFFER)),
                Arguments.of("with many", udp("0a090001", MINE, 67, 68, "01".repeat(40), OFFER)));
    }

    /** Name, frame: ARP that is heard when both addresses are watched. */
    static Stream<Arguments> heard() {
        return Stream.of(
                Arguments.of("a request of mine", arp(1, GUEST, MINE, THEIRS)),
                Arguments.of("a reply of mine", arp(2, GUEST, MINE, NO_IP)),
                Arguments.of("an announcement", arp(1, GUEST, HIGH, HIGH)),
                Arguments.of("a probe for mine", arp(1, GUEST, NO_IP, MINE)),
                Arguments.of("a probe for the other", arp(1, GUEST, NO_IP, HIGH)));
    }

    /** Name, frame: ARP that is not heard then. */
    static Stream<Arguments> unheard() {
        return Stream.of(
                Arguments.of("a request of theirs", arp(1, GUEST, THEIRS, "0a090001")),
                Arguments.of("one for mine", arp(1, GUEST, THEIRS, MINE)),
                Arguments.of("a reply to mine", arp(2, GUEST, THEIRS, MINE)),
                Arguments.of("a probe for theirs", arp(1, GUEST, NO_IP, THEIRS)),
                Arguments.of("a probe for nothing", arp(1, GUEST, NO_IP, NO_IP)));
    }

    /** Name, frame. */
    static Stream<Arguments> others() {
        return Stream.of(
                Arguments.of("a request", fromClient(bootp(1, NO_IP, NO_IP, "350101ff"))),
                Arguments.of("a request to a client's port", udp(NO_IP, "ffffffff", 68, 68, "",
                        bootp(1, NO_IP, NO_IP, "350101ff"))),
                Arguments.of("a reply to a server's port", udp("0a090001", "ffffffff", 67, 67, "", OFFER)),
                Arguments.of("a fragment", ethernet(ALL, GUEST, "0800"
                        + ip4("0a090001", MINE, 0x2000, "", datagram("0a090001", MINE, 67, 68, OFFER)))),
                Arguments.of("a later one", ethernet(ALL, GUEST, "0800"
                        + ip4("0a090001", MINE, 0x0010, "", datagram("0a090001", MINE, 67, 68, OFFER)))),
                Arguments.of("TCP", ethernet(ALL, GUEST, "0800" + ip4("0a090001", MINE, 0, "",
                        datagram("0a090001", MINE, 67, 68, OFFER)).replaceFirst("4011", "4006"))),
                Arguments.of("a tag inside", tagged(fromServer(OFFER), "81000007")),
                Arguments.of("ARP with a tag inside", tagged(arp(1, GUEST, MINE, MINE), "81000007")),
                Arguments.of("IPv6", ethernet(ALL, GUEST, "86dd" + OFFER)),
                Arguments.of("nothing", new byte[0]),
                Arguments.of("no more than a header", hex(ALL + GUEST + "0800")),
                Arguments.of("ARP that ends", hex(ALL + GUEST + "0806" + "0001080006040001" + GUEST + "0a09")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("replies")
    void letsReplies(final String name, final byte[] frame) {
        for (final Interpreter filter : List.of(NO_ARP, SOME, ALL_ARP)) {
            assertEquals(frame.length, filter.run(frame), name);
            assertEquals(frame.length, filter.run(frame, 0xe000), name + ", with a priority");
            assertEquals(0, filter.run(frame, 7), name + ", of a VLAN");
            assertEquals(0, filter.run(frame, 0xefff), name + ", of the last VLAN");
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void keepsOut(final String name, final byte[] frame) {
        for (final Interpreter filter : List.of(NO_ARP, SOME)) {
            assertEquals(0, filter.run(frame), name);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("heard")
    void hears(final String name, final byte[] frame) {
        assertEquals(frame.length, SOME.run(frame), name);
        assertEquals(0, SOME.run(frame, 7), name + ", of a VLAN");
        assertEquals(frame.length, ALL_ARP.run(frame), name);
        assertEquals(0, NO_ARP.run(frame), name);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("unheard")
    void doesNotHear(final String name, final byte[] frame) {
        assertEquals(0, SOME.run(frame), name);
        assertEquals(frame.length, ALL_ARP.run(frame), name);
        assertEquals(0, NO_ARP.run(frame), name);
    }

    /** Each address counts, whichever its place in the program is, and no other does. */
    @Test
    void hearsEachOfMany() {
        for (final int count : new int[] {1, 2, 249, 250, 251, 499, 500, 501, 999, 1000}) {
            final List<InetAddress> all = new ArrayList<>(addresses(count));
            all.addAll(all);
            final byte[] program = GuestFrame.clientFilter(all);
            assertTrue(program.length / 8 <= count + 40, count + " addresses are " + program.length / 8 + " instructions");
            final Interpreter filter = new Interpreter(program);
            for (final InetAddress ip : all) {
                assertTrue(filter.run(arp(1, GUEST, hex(ip.getAddress()), THEIRS)) > 0, ip + " of " + count);
                assertTrue(filter.run(arp(1, GUEST, NO_IP, hex(ip.getAddress()))) > 0, "a probe for " + ip);
            }
            for (final String other : List.of(THEIRS, "00000001", "ffffffff", "c0a80000")) {
                assertEquals(0, filter.run(arp(1, GUEST, other, other)), other + " beside " + count);
            }
            assertTrue(filter.run(fromServer(OFFER)) > 0, "replies too");
        }
    }

    @Test
    void hearsAllWhenThereAreTooMany() {
        assertArrayEquals(GuestFrame.clientFilter(), GuestFrame.clientFilter(addresses(1001)));
    }

    /** Whatever is read as a reply or as ARP about these addresses gets to the reader. */
    @Test
    void nothingThatIsReadIsKeptOut() {
        final long seed = 5227;
        final Random random = new Random(seed);
        final byte[][] frames = Stream.of(replies(), heard(), unheard(), others()).flatMap(s -> s)
                .map(row -> (byte[]) row.get()[1]).filter(frame -> frame.length > 0).toArray(byte[][]::new);
        int passed = 0;
        for (int round = 0; round < 100_000; round++) {
            final byte[] frame = frames[random.nextInt(frames.length)].clone();
            for (int flips = random.nextInt(4); flips > 0; flips--) {
                frame[random.nextInt(Math.min(frame.length, 80))] ^= (byte) (1 << random.nextInt(8));
            }
            final GuestFrame read = GuestFrame.parse(frame, frame.length, true);
            final boolean tag = frame.length > 13 && (frame[12] & 0xff) << 8 != 0x0800;
            final boolean wanted = !tag && (read instanceof GuestFrame.Dhcp d && d.message().reply()
                    || read instanceof GuestFrame.Arp a && watches(a.probe() ? a.target() : a.sender()));
            if (wanted) {
                passed++;
                assertTrue(SOME.run(frame) > 0, "seed " + seed + ", round " + round + ": " + hex(frame));
            }
        }
        assertTrue(passed > 10_000, "much damage does no harm: " + passed);
    }

    private static boolean watches(final InetAddress ip) {
        return ip.equals(address(MINE)) || ip.equals(address(HIGH));
    }

    /** Some below and some above 128.0.0.0, whose numbers are negative. */
    private static List<InetAddress> addresses(final int count) {
        final List<InetAddress> addresses = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            addresses.add(address(String.format(i % 3 == 0 ? "0a01%04x" : "c0a8%04x", i + 1)));
        }
        return addresses;
    }

    private static InetAddress address(final String text) {
        return Slice.address(Arrays.copyOf(hex(text), 4));
    }
}
