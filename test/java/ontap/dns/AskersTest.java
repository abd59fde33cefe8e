// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Whose view it is. */
class AskersTest {
    private static final int ROUNDS = 300;

    private static Askers.Rule rule(final String prefix, final int view) {
        final String[] parts = prefix.split("/");
        return new Askers.Rule(octets(parts[0]), Integer.parseInt(parts[1]), view);
    }

    private static byte[] octets(final String ip) {
        try {
            return InetAddress.getByName(ip).getAddress();
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static int view(final Askers askers, final String ip) {
        final byte[] octets = octets(ip);
        final ByteBuffer b = octets.length == 16 ? ByteBuffer.wrap(octets)
                : ByteBuffer.allocate(16).putInt(8, 0xffff).put(12, octets);
        return askers.view(b.getLong(0), b.getLong(8));
    }

    @Test
    void theLongestPrefixWins() {
        final Askers askers = Askers.of(List.of(rule("10.0.0.0/8", 0), rule("fd00::/8", 0), rule("::1/128", 0),
                rule("10.8.0.0/16", 1), rule("10.8.1.255/32", 2), rule("2001:db8:0:1::/64", 1), rule("255.255.255.255/32", 1),
                rule("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 0), rule("10.9.0.0/16", 2), rule("10.9.0.0/16", 1)));
        assertEquals(0, view(askers, "10.0.0.0"));
        assertEquals(0, view(askers, "10.255.255.255"));
        assertEquals(2, view(askers, "9.255.255.255"));
        assertEquals(2, view(askers, "11.0.0.0"));
        assertEquals(1, view(askers, "10.8.1.254"));
        assertEquals(2, view(askers, "10.8.1.255"));
        assertEquals(1, view(askers, "10.8.2.0"));
        assertEquals(1, view(askers, "10.9.0.1"), "of two for one prefix the later");
        assertEquals(0, view(askers, "10.7.255.255"));
        assertEquals(0, view(askers, "fdff:ffff::1"));
        assertEquals(2, view(askers, "fe00::"));
        assertEquals(0, view(askers, "::1"));
        assertEquals(2, view(askers, "::2"));
        assertEquals(1, view(askers, "2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assertEquals(2, view(askers, "2001:db8:0:2::"));
        assertEquals(1, view(askers, "255.255.255.255"));
        assertEquals(0, view(askers, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assertEquals(2, view(askers, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
    }

    @Test
    void prefixesOfIpv6AreNotAboutIpv4() {
        assertEquals(2, view(Askers.of(List.of(rule("::/0", 0))), "192.0.2.1"));
        assertEquals(0, view(Askers.of(List.of(rule("::/0", 0))), "2001:db8::1"));
        assertEquals(1, view(Askers.of(List.of(rule("0.0.0.0/0", 1))), "192.0.2.1"));
        assertEquals(2, view(Askers.of(List.of(rule("0.0.0.0/0", 1))), "::2"));
        assertEquals(2, view(Askers.of(List.of()), "::"));
    }

    /** Against a walk through all rules. */
    @Test
    void randomTables() {
        final Random random = new Random(128);
        for (int round = 0; round < ROUNDS; round++) {
            final List<Askers.Rule> rules = new ArrayList<>();
            for (int i = random.nextInt(20); i > 0; i--) {
                final byte[] prefix = octets(random);
                rules.add(new Askers.Rule(prefix, random.nextInt(129), random.nextInt(3)));
            }
            final Askers askers = Askers.of(rules);
            for (int i = 0; i < 300; i++) {
                final byte[] asker = octets(random);
                int best = -1;
                int view = 2;
                for (final Askers.Rule rule : rules) {
                    if (rule.length() >= best && new BigInteger(1, asker).xor(new BigInteger(1, rule.prefix()))
                            .shiftRight(128 - rule.length()).signum() == 0) {
                        best = rule.length();
                        view = rule.view();
                    }
                }
                final ByteBuffer b = ByteBuffer.wrap(asker);
                assertEquals(view, askers.view(b.getLong(0), b.getLong(8)), "round " + round + Arrays.toString(asker));
            }
        }
    }

    /** Few bits differ, so that they meet; the first one keeps them out of IPv4. */
    private static byte[] octets(final Random random) {
        final byte[] octets = new byte[16];
        Arrays.fill(octets, (byte) (random.nextBoolean() ? 0 : 0xff));
        for (int i = random.nextInt(6); i > 0; i--) {
            octets[random.nextInt(16)] ^= (byte) (1 << random.nextInt(8));
        }
        octets[0] |= (byte) 0x80;
        return octets;
    }

    @Test
    void whatIsNoRuleIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> rule("10.0.0.0/33", 0));
        assertThrows(IllegalArgumentException.class, () -> rule("::/129", 0));
        assertThrows(IllegalArgumentException.class, () -> rule("::/0", 3));
        assertThrows(IllegalArgumentException.class, () -> new Askers.Rule(new byte[5], 0, 0));
    }
}
