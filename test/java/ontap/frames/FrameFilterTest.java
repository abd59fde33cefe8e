// SPDX-License-Identifier: Apache-2.0
package ontap.frames;

import static ontap.frames.HandBuilt.ALL;
import static ontap.frames.HandBuilt.GUEST;
import static ontap.frames.HandBuilt.NO_IP;
import static ontap.frames.HandBuilt.arp;
import static ontap.frames.HandBuilt.bootp;
import static ontap.frames.HandBuilt.datagram;
import static ontap.frames.HandBuilt.ethernet;
import static ontap.frames.HandBuilt.hex;
import static ontap.frames.HandBuilt.ip4;
import static ontap.frames.HandBuilt.ip6;
import static ontap.frames.HandBuilt.tagged;
import static ontap.frames.HandBuilt.udp;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the filter lets through, by an interpreter; FrameFilterKernelTest has the kernel run it. */
class FrameFilterTest {
    private static final Interpreter FILTER = new Interpreter(GuestFrame.filter());
    private static final String TAG = "81000007";
    private static final String SERVICE_TAG = "88a80007";

    /** Name, frame: all that the tables of the parser's tests read, with one tag at most. */
    static Stream<Arguments> wanted() {
        return Stream.of(ArpTest.frames(), NeighboursTest.frames(), DhcpTest.frames()).flatMap(s -> s)
                .filter(row -> !row.get()[0].toString().matches("in two.*"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wanted")
    void letsThrough(final String name, final byte[] frame) {
        assertEquals(frame.length, FILTER.run(frame), name);
        if (!name.startsWith("in ")) {
            assertNotNull(GuestFrame.parse(tagged(frame, TAG), frame.length + 4), "read with a tag too");
            assertEquals(frame.length + 4, FILTER.run(tagged(frame, TAG)), name + ", with a tag");
            assertEquals(frame.length + 4, FILTER.run(tagged(frame, SERVICE_TAG)), name + ", with a provider's tag");
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wanted")
    void ofDhcpAlone(final String name, final byte[] frame) {
        final Interpreter filter = new Interpreter(GuestFrame.dhcpFilter());
        final boolean dhcp = GuestFrame.parse(frame, frame.length) instanceof GuestFrame.Dhcp;
        if (!name.startsWith("in ")) {
            assertEquals(dhcp ? frame.length : 0, filter.run(frame), name);
            assertEquals(dhcp ? frame.length + 4 : 0, filter.run(tagged(frame, TAG)), name + ", with a tag");
        }
    }

    /** Name, frame. */
    static Stream<Arguments> unwanted() {
        final String data = bootp(2, NO_IP, "0a090005", "350105ff");
        final String datagram = datagram("0a090001", "ffffffff", 67, 68, data);
        final String all = "ff020000000000000000000000000001";
        return Stream.of(
                Arguments.of("an echo", ethernet(ALL, GUEST, "0800" + ip4("0a090001", "0a090005", 0, "", "08")
                        .replaceFirst("4011", "4001"))),
                Arguments.of("UDP to port 66", udp("0a090001", "0a090005", 67, 66, "", data)),
                Arguments.of("UDP to port 69", udp("0a090001", "0a090005", 68, 69, "", data)),
                Arguments.of("UDP from port 67 to DNS", udp("0a090001", "0a090005", 67, 53, "", data)),
                Arguments.of("TCP to port 67", ethernet(ALL, GUEST,
                        "0800" + ip4("0a090001", "ffffffff", 0, "", datagram).replaceFirst("4011", "4006"))),
                Arguments.of("a first fragment", ethernet(ALL, GUEST,
                        "0800" + ip4("0a090001", "ffffffff", 0x2000, "", datagram))),
                Arguments.of("a later fragment", ethernet(ALL, GUEST,
                        "0800" + ip4("0a090001", "ffffffff", 0x1fff, "", datagram))),
                Arguments.of("ports where they would be without options", ethernet(ALL, GUEST,
                        "0800" + ip4("0a090001", "ffffffff", 0, "00430043", datagram("", "", 53, 53, data)))),
                Arguments.of("a router's advertisement", icmp6("86", 58, 255)),
                Arguments.of("a router's solicitation", icmp6("85", 58, 255)),
                Arguments.of("a redirect", icmp6("89", 58, 255)),
                Arguments.of("a solicitation that was routed", icmp6("87", 58, 254)),
                Arguments.of("UDP in IPv6", icmp6("87", 17, 255)),
                Arguments.of("a hop-by-hop header", icmp6("87", 0, 255)),
                Arguments.of("LLDP", ethernet(ALL, GUEST, "88cc" + "87".repeat(60))),
                Arguments.of("two tags", tagged(arp(1, GUEST, "0a090005", "0a090001"), SERVICE_TAG + TAG)),
                Arguments.of("IPv6 in a frame of IPv4", ethernet(ALL, GUEST, "0800" + ip6(all, all, 58, 255, "87"))),
                Arguments.of("nothing", new byte[0]),
                Arguments.of("a header that ends", hex(ALL + GUEST + "08")),
                Arguments.of("a tag that ends", hex(ALL + GUEST + TAG)),
                Arguments.of("IPv6 that ends", hex(ALL + GUEST + "86dd" + ip6(all, all, 58, 255, ""))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("unwanted")
    void keepsOut(final String name, final byte[] frame) {
        assertEquals(0, FILTER.run(frame), name);
        if (frame.length >= 14 && !name.contains("tag")) {
            assertEquals(0, FILTER.run(tagged(frame, TAG)), name + ", with a tag");
        }
    }

    @Test
    void cutsWhatIsTooLong() {
        final byte[] frame = Arrays.copyOf(arp(1, GUEST, "0a090005", "0a090001"), 9000);
        assertEquals(2048, FILTER.run(frame), "no more than what an MTU of 1500 needs");
    }

    /** Whatever the parser reads gets to it. */
    @Test
    void nothingThatIsReadIsKeptOut() {
        final long seed = 826;
        final Random random = new Random(seed);
        final byte[][] frames = wanted().map(row -> (byte[]) row.get()[1]).toArray(byte[][]::new);
        int read = 0;
        for (int round = 0; round < 100_000; round++) {
            final byte[] frame = frames[random.nextInt(frames.length)].clone();
            for (int flips = random.nextInt(4); flips > 0; flips--) {
                frame[random.nextInt(Math.min(frame.length, 80))] ^= (byte) (1 << random.nextInt(8));
            }
            if (GuestFrame.parse(frame, frame.length, true) != null) {
                read++;
                assertTrue(FILTER.run(frame) > 0, "seed " + seed + ", round " + round + ": " + HandBuilt.hex(frame));
            }
        }
        assertTrue(read > 10_000, "much damage does no harm: " + read);
    }

    private static byte[] icmp6(final String type, final int next, final int hops) {
        final String all = "ff020000000000000000000000000001";
        return ethernet("333300000001", GUEST, "86dd" + ip6(all, all, next, hops, type + "00".repeat(23)));
    }
}
