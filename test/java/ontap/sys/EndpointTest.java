// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class EndpointTest {
    /** Address as given, port, sockaddr of a little-endian machine, as printed. */
    private static final String[][] TABLE = {
        {"0.0.0.0", "53", "02000035000000000000000000000000", "0.0.0.0:53"},
        {"192.0.2.200", "65535", "0200ffffc00002c80000000000000000", "192.0.2.200:65535"},
        {"::ffff:192.0.2.1", "1", "02000001c00002010000000000000000", "192.0.2.1:1"},
        {"::", "53", "0a00003500000000" + "0".repeat(32) + "00000000", "[::]:53"},
        {"::1", "0", "0a00000000000000" + "0".repeat(31) + "100000000", "[::1]:0"},
        {"2001:db8::1:0:0:1", "5", "0a00000500000000" + "20010db8000000000001000000000001" + "00000000",
            "[2001:db8::1:0:0:1]:5"},
        {"2001:DB8:0:1:1:1:1:1", "5", "0a00000500000000" + "20010db8000000010001000100010001" + "00000000",
            "[2001:db8:0:1:1:1:1:1]:5"},
        {"1::", "5", "0a00000500000000" + "00010000000000000000000000000000" + "00000000", "[1::]:5"},
        {"fe80::a", "53", "0a00003500000000" + "fe80000000000000000000000000000a" + "00000000", "[fe80::a]:53"},
    };

    @Test
    void textsAndSocketAddresses() {
        for (final String[] row : TABLE) {
            final Endpoint made = Endpoint.of(row[0], Integer.parseInt(row[1]));
            final byte[] bytes = HexFormat.of().parseHex(row[2]);
            assertArrayEquals(bytes, made.sockaddr(), () -> row[0] + " as sockaddr");
            assertEquals(made, Endpoint.of(bytes), () -> row[0] + " from its sockaddr");
            assertEquals(row[3], made.toString(), () -> row[0] + " as text");
        }
    }

    @Test
    void linksAreKept() {
        final Endpoint made = Endpoint.of("fe80::1", 53).on(7);
        assertEquals("[fe80::1%7]:53", made.toString(), "the link should be seen");
        assertEquals(7, made.sockaddr()[24], "sin6_scope_id");
        assertEquals(made, Endpoint.of(made.sockaddr()), "and back");
    }

    @Test
    void whatKindOfAddress() {
        assertTrue(Endpoint.of("0.0.0.0", 0).isAny() && Endpoint.of("::", 0).isAny(), "both stand for all");
        assertFalse(Endpoint.of("127.0.0.1", 0).isAny() || Endpoint.of("::1", 0).isAny(), "these are one");
        assertTrue(Endpoint.of("febf::1", 0).isLinkLocal(), "fe80::/10 ends here");
        assertFalse(Endpoint.of("fec0::1", 0).isLinkLocal(), "and does not go on");
        assertFalse(Endpoint.of("169.254.0.1", 0).isLinkLocal(), "IPv4 needs no link");
        assertTrue(Endpoint.of("10.0.0.1", 0).isIp4(), "four numbers");
        assertFalse(Endpoint.of("::10.0.0.1", 0).isIp4(), "not mapped");
    }

    @Test
    void nothingElseIsAnAddress() {
        for (final String wrong : new String[] {"", "localhost", "1", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":",
            "::g", "1:2:3:4:5:6:7:8:9", "fe80::1%lo", "[::1]", "1.2.3.4 ", "::1 ", "a:b"}) {
            assertThrows(IllegalArgumentException.class, () -> Endpoint.of(wrong, 53), () -> "'" + wrong + "'");
        }
        for (final int port : new int[] {-1, 65536}) {
            assertThrows(IllegalArgumentException.class, () -> Endpoint.of("::1", port), "a port of " + port);
        }
        for (final int length : new int[] {0, 1, 15, 16, 27}) {
            final byte[] short6 = new byte[length];
            if (length > 0) {
                short6[0] = Sockets.AF_INET6;
            }
            assertThrows(IllegalArgumentException.class, () -> Endpoint.of(short6), "cut at " + length);
        }
    }

    /** The JDK reads what is printed, and prints the same address. */
    @Test
    void anyAddressIsReadBack() throws UnknownHostException {
        final long seed = new Random().nextLong();
        final Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            final long mask = random.nextLong() | random.nextLong();
            final long high = random.nextInt(3) == 0 ? 0 : random.nextLong() & words(mask);
            final long low = random.nextInt(3) == 0 ? 0 : random.nextLong() & words(~mask);
            final Endpoint made = new Endpoint(high, low, 53, 0);
            final String text = made.toString().replaceFirst("^\\[?(.*?)]?:53$", "$1");
            final byte[] bytes = InetAddress.getByName(text).getAddress();
            final ByteBuffer want = ByteBuffer.allocate(16).putLong(high).putLong(low);
            assertArrayEquals(made.isIp4() ? ByteBuffer.allocate(4).putInt((int) low).array() : want.array(), bytes,
                    () -> made + ", seed " + seed);
            assertEquals(made, Endpoint.of(text, 53), () -> "seed " + seed);
        }
    }

    /** Whole words of 16 bits are zero where the first bit of the word is. */
    private static long words(final long bits) {
        long mask = 0;
        for (int i = 0; i < 4; i++) {
            mask |= (bits >>> 16 * i & 1) == 0 ? 0 : 0xffffL << 16 * i;
        }
        return mask;
    }
}
