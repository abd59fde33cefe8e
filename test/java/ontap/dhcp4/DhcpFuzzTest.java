// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A million messages that were damaged: none makes the reader throw, or says what must not be said. It takes 4 s on a
 * quiet machine.
 */
@Timeout(100)
class DhcpFuzzTest {
    private static final int ROUNDS = 1_000_000;
    private static final int LONGEST = 1500;

    /** Numbers that lengths, codes and pointers are likely to be confused by. */
    private static final int[] ODD = {0, 1, 2, 3, 4, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff, 33, 51, 52, 53, 119, 121};

    @Test
    void readsOrRefuses() {
        final long seed = 2132;
        final Random random = new Random(seed);
        final List<byte[]> messages = new ArrayList<>(List.of(DhcpMessageTest.UDHCPC, DhcpMessageTest.DNSMASQ));
        Stream.of(DhcpMessageTest.fields(), DhcpMessageTest.others()).flatMap(s -> s)
                .forEach(row -> messages.add((byte[]) row.get()[1]));
        int read = 0;
        for (int round = 0; round < ROUNDS; round++) {
            final byte[] message = damaged(messages.get(random.nextInt(messages.size())), random);
            try {
                read += says(DhcpMessage.read(message)) ? 1 : 0;
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + Bootp.hex(message), e);
            }
        }
        assertTrue(read > ROUNDS / 10, "some damage does no harm: " + read);
    }

    /** Each option that means something, with a value made up of its own: the reader is past the message's lengths. */
    @Test
    void understandsOrLeavesOut() {
        final long seed = 3397;
        final Random random = new Random(seed);
        final int[] codes = {1, 3, 12, 15, 26, 28, 33, 51, 54, 56, 58, 61, 119, 121};
        for (int round = 0; round < ROUNDS / 4; round++) {
            DhcpOptions options = DhcpOptions.NONE.with(DhcpOptions.TYPE, new byte[] {DhcpMessage.ACK});
            for (int i = 0; i < 3; i++) {
                final byte[] value = new byte[random.nextInt(random.nextInt(8) == 0 ? 600 : 24)];
                for (int at = 0; at < value.length; at++) {
                    value[at] = (byte) (random.nextBoolean() ? ODD[random.nextInt(ODD.length)] : 'a' + random.nextInt(26));
                }
                options = options.with(codes[random.nextInt(codes.length)], value);
            }
            try {
                says(options);
            } catch (final RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ", round " + round + ": " + options, e);
            }
        }
    }

    private static byte[] damaged(final byte[] whole, final Random random) {
        final byte[] m = Arrays.copyOf(whole, random.nextInt(4) == 0 ? random.nextInt(LONGEST) : whole.length);
        for (int times = random.nextInt(5); times > 0 && m.length > 0; times--) {
            // the options say more than the rest
            final int at = random.nextInt(4) == 0 || m.length <= DhcpMessage.OPTIONS_AT ? random.nextInt(m.length)
                    : DhcpMessage.OPTIONS_AT + random.nextInt(m.length - DhcpMessage.OPTIONS_AT);
            switch (random.nextInt(4)) {
                case 0 -> m[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> m[at] = (byte) random.nextInt(256);
                case 2 -> m[at] = (byte) ODD[random.nextInt(ODD.length)];
                default -> System.arraycopy(m, at, m, Math.min(at + random.nextInt(8), m.length - 1),
                        Math.min(random.nextInt(16), m.length - Math.min(at + 8, m.length)));
            }
        }
        return m;
    }

    private static boolean says(final DhcpMessage m) {
        if (m == null) {
            return false;
        }
        assertTrue(m.hwaddr().matches("[0-9a-f:]{17}") && m.type() > 0, "what every message has");
        assertEquals(m, DhcpMessage.read(m.write()), "what was read can be written, and is the same");
        says(m.options());
        return true;
    }

    private static void says(final DhcpOptions o) {
        o.addresses(DhcpOptions.ROUTERS).forEach(ip -> assertEquals(4, ip.getAddress().length));
        o.address(DhcpOptions.SERVER_ID);
        assertTrue(o.seconds(DhcpOptions.LEASE) == null || o.seconds(DhcpOptions.LEASE) >= 0, "no negative time");
        assertTrue(o.prefix() >= 0 && o.prefix() <= 32, "a prefix");
        assertTrue(o.mtu() == 0 || o.mtu() >= 576, "an MTU");
        harmless(o.name(DhcpOptions.HOSTNAME), true);
        harmless(o.name(DhcpOptions.DOMAIN), true);
        harmless(o.message(), false);
        o.search().forEach(name -> harmless(name, true));
        for (final DhcpRoute route : o.classlessRoutes()) {
            assertTrue(route.prefix() >= 0 && route.prefix() <= 32, "a route");
        }
        o.staticRoutes().forEach(route -> assertTrue(route.prefix() >= 8 && route.via() != null, "a route of a class"));
    }

    private static void harmless(final String text, final boolean name) {
        for (int i = 0; text != null && i < text.length(); i++) {
            final char c = text.charAt(i);
            assertTrue(name ? c > ' ' && c < 0x7f : c >= ' ' && (c < 0x7f || c > 0x9f), "a control character");
        }
        assertTrue(text == null || !text.isEmpty() && text.length() <= 2 * 255, "a length");
    }
}
