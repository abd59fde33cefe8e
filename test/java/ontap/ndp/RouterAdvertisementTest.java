// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Inet6Address;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 4861, sections 4.1, 4.2 and 4.6; RFC 8106, sections 5.1 and 5.2. */
class RouterAdvertisementTest {
    private static final String HEADER = "86000000 40 00 0708 00000000 00000000";
    private static final String PREFIX = "03 04 40 c0 00015180 0000a8c0 00000000 fd000077000000000000000000000000";
    private static final String HWADDR = "01 01 020000000001";
    private static final String MTU = "05 01 0000 000005dc";
    private static final String RDNSS =
            "19 05 0000 00000e10 fd000077000000000000000000000001 fd000077000000000000000000000002";

    private static final String DNSSL = "1f 04 0000 00000e10 036c616e 076578616d706c65 036f7267 00 04686f6d65 00 00";

    /** Name, bytes, what they mean. */
    static Stream<Arguments> messages() {
        return Stream.of(
                row("nothing but the header", HEADER, RouterAdvertisement.of(List.of())),
                row("every field at its greatest", "86000000 ff ff ffff ffffffff ffffffff",
                        new RouterAdvertisement(255, 255, 65535, 0xffffffffL, 0xffffffffL, List.of())),
                row("managed and other", "86000000 00 c0 0000 00000001 00000002",
                        new RouterAdvertisement(0, RouterAdvertisement.MANAGED | RouterAdvertisement.OTHER, 0, 1, 2,
                                List.of())),
                row("a prefix", HEADER + PREFIX,
                        RouterAdvertisement.of(List.of(RouterAdvertisement.prefix(ip("fd00:77::"), 64)))),
                row("a prefix for ever", HEADER + "03 04 80 00 ffffffff ffffffff 00000000 " + "ff".repeat(16),
                        RouterAdvertisement.of(List.of(new NdpOption.Prefix(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                                128, 0, NdpOption.INFINITY, NdpOption.INFINITY)))),
                row("a prefix that looks like IPv4", HEADER + "03 04 60 c0 00000001 00000000 00000000"
                                + "00000000000000000000ffff0a000001",
                        RouterAdvertisement.of(List.of(new NdpOption.Prefix(mapped(), 96, 0xc0, 1, 0)))),
                row("the sender's hardware address", HEADER + HWADDR,
                        RouterAdvertisement.of(List.of(NdpOption.Raw.sourceLinkLayer(hex("020000000001"))))),
                row("a hardware address of 8 bytes", HEADER + "01 02 0102030405060708 000000000000",
                        RouterAdvertisement.of(List.of(NdpOption.Raw.sourceLinkLayer(hex("0102030405060708"))))),
                row("an MTU", HEADER + MTU, RouterAdvertisement.of(List.of(new NdpOption.Mtu(1500)))),
                row("two resolvers", HEADER + RDNSS, RouterAdvertisement.of(List.of(
                        new NdpOption.Rdnss(3600, List.of(ip("fd00:77::1"), ip("fd00:77::2")))))),
                row("two domains", HEADER + DNSSL, RouterAdvertisement.of(List.of(
                        new NdpOption.Dnssl(3600, List.of("lan.example.org", "home"))))),
                row("an option nobody knows", HEADER + "fe 01 010203040506",
                        RouterAdvertisement.of(List.of(new NdpOption.Raw(0xfe, hex("010203040506"))))),
                row("all of it", HEADER + PREFIX + MTU + RDNSS + HWADDR, RouterAdvertisement.of(List.of(
                                RouterAdvertisement.prefix(ip("fd00:77::"), 64),
                                new NdpOption.Mtu(1500),
                                new NdpOption.Rdnss(3600, List.of(ip("fd00:77::1"), ip("fd00:77::2")))))
                        .with(NdpOption.Raw.sourceLinkLayer(hex("020000000001")))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("messages")
    void writesAndReads(final String name, final byte[] bytes, final RouterAdvertisement message) {
        assertArrayEquals(bytes, message.encode(), "written as the RFC says");
        assertEquals(message, RouterAdvertisement.parse(bytes, bytes.length), "read as it was meant");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("messages")
    void readsNoFurtherThanToldAndRefusesCuts(final String name, final byte[] bytes, final RouterAdvertisement message) {
        final List<Integer> whole = new ArrayList<>(List.of(16));
        message.options().forEach(o -> whole.add(whole.get(whole.size() - 1) + o.size()));
        final byte[] more = Arrays.copyOf(bytes, bytes.length + 8);
        assertEquals(message, RouterAdvertisement.parse(more, bytes.length), "what is behind the end is not looked at");
        for (int n = 0; n < bytes.length; n++) {
            final int cut = n;
            final byte[] part = Arrays.copyOf(bytes, n);
            if (whole.contains(n)) {
                assertEquals(whole.indexOf(n), RouterAdvertisement.parse(part, n).options().size(),
                        "a cut between two options after " + n + " bytes leaves a whole message");
            } else {
                assertThrows(NdpFormatException.class, () -> RouterAdvertisement.parse(part, cut),
                        "a cut after " + n + " of " + bytes.length + " bytes is an error");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "85000000 40 00 0708 00000000 00000000",
        "86010000 40 00 0708 00000000 00000000",
        HEADER + "03 00 000000000000",
        HEADER + "fe 00 000000000000",
        HEADER + "03 03 40 c0 00015180 0000a8c0 00000000 fd00007700000000",
        HEADER + "03 05 40 c0 00015180 0000a8c0 00000000 fd000077000000000000000000000000 0000000000000000",
        HEADER + "03 04 81 c0 00015180 0000a8c0 00000000 fd000077000000000000000000000000",
        HEADER + "05 02 0000 000005dc 0000000000000000",
        HEADER + "19 01 0000 00000e10",
        HEADER + "19 04 0000 00000e10 fd000077000000000000000000000001 fd00007700000000",
        HEADER + "1f 01 0000 00000e10",
        HEADER + "1f 02 0000 00000e10 0000000000000000",
        HEADER + "1f 02 0000 00000e10 036c616e 036c616e",
        HEADER + "1f 02 0000 00000e10 036c616e 00 06 6c61",
        HEADER + "1f 02 0000 00000e10 036c616e c0 00 00 00",
        HEADER + "1f 02 0000 00000e10 050a6c616e0a 00 00",
        HEADER + "01 ff 020000000001"})
    void refusesWhatIsMalformed(final String text) {
        final byte[] bytes = hex(text);
        final NdpFormatException e =
                assertThrows(NdpFormatException.class, () -> RouterAdvertisement.parse(bytes, bytes.length));
        assertTrue(e.getMessage().matches("(router advertisement|option \\d+): .+"),
                "the message says where: " + e.getMessage());
    }

    @Test
    void reservedFieldsAndChecksumAreNotLookedAt() {
        final byte[] bytes = hex("86 00 abcd 40 00 0708 00000000 00000000 05 01 ffff 000005dc");
        assertEquals(List.of(new NdpOption.Mtu(1500)), RouterAdvertisement.parse(bytes, bytes.length).options());
    }

    @Test
    void readsSolicitations() {
        final byte[] bare = hex("85000000 00000000");
        assertEquals(List.of(), RouterAdvertisement.parseSolicitation(bare, 8), "a solicitation without options");
        final byte[] named = hex("85000000 00000000" + HWADDR);
        assertEquals(List.of(NdpOption.Raw.sourceLinkLayer(hex("020000000001"))),
                RouterAdvertisement.parseSolicitation(named, named.length), "one that names its sender");
        for (int n = 0; n < named.length; n++) {
            final int cut = n;
            if (n != 8) {
                assertThrows(NdpFormatException.class, () -> RouterAdvertisement.parseSolicitation(named, cut),
                        "a cut after " + n + " bytes is an error");
            }
        }
        assertThrows(NdpFormatException.class,
                () -> RouterAdvertisement.parseSolicitation(hex("86000000 00000000"), 8), "another type");
    }

    @Test
    void refusesNumbersThatDoNotFit() {
        final Class<IllegalArgumentException> refused = IllegalArgumentException.class;
        assertThrows(refused, () -> new RouterAdvertisement(256, 0, 0, 0, 0, List.of()), "a hop limit of 9 bits");
        assertThrows(refused, () -> new RouterAdvertisement(0, 0, 65536, 0, 0, List.of()), "a lifetime of 17 bits");
        assertThrows(refused, () -> new RouterAdvertisement(0, 0, -1, 0, 0, List.of()), "a negative lifetime");
        assertThrows(refused, () -> new RouterAdvertisement(0, 0, 0, 1L << 32, 0, List.of()), "a time of 33 bits");
        assertThrows(refused, () -> RouterAdvertisement.prefix(ip("fd00::"), 129), "a prefix of 129 bits");
        assertThrows(refused, () -> new NdpOption.Mtu(-1), "a negative MTU");
        assertThrows(refused, () -> new NdpOption.Rdnss(1, List.of()), "no resolver at all");
        assertThrows(refused, () -> new NdpOption.Dnssl(1, List.of()), "no domain at all");
        assertThrows(refused, () -> new NdpOption.Dnssl(1, List.of("a..b")), "a label of no bytes");
        assertThrows(refused, () -> new NdpOption.Dnssl(1, List.of("a\n")), "what would break a line");
        assertThrows(refused, () -> new NdpOption.Dnssl(1, List.of("a".repeat(64))), "a label of 64 bytes");
        assertThrows(refused, () -> new NdpOption.Raw(1, new byte[7]), "a value that is no multiple of 8 bytes");
    }

    @Test
    void leavesOutWhatIsNoDomain() {
        final byte[] bytes = hex(
                "1f 05 0000 00000e10 04680a6d65 00 036c616e 076578616d706c65 036f7267 00 " + "0168 02c3bc 00 000000");
        assertEquals(List.of(new NdpOption.Dnssl(3600, List.of("lan.example.org"))), NdpOption.parse(bytes));
    }

    @Test
    void damagedDomainsAreRefusedOrSafe() {
        final long seed = 8106;
        final Random random = new Random(seed);
        final byte[] whole = hex(DNSSL + MTU + DNSSL);
        int read = 0;
        for (int round = 0; round < 20_000; round++) {
            final byte[] bytes = Arrays.copyOf(whole, random.nextInt(whole.length + 1));
            for (int flips = random.nextInt(8); flips > 0 && bytes.length > 0; flips--) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            }
            final List<NdpOption> options;
            try {
                options = NdpOption.parse(bytes);
            } catch (final NdpFormatException e) {
                continue;
            }
            for (final NdpOption option : options) {
                if (option instanceof NdpOption.Dnssl dnssl) {
                    read++;
                    assertTrue(dnssl.domains().stream().allMatch(d -> d.matches("[A-Za-z0-9_.-]{1,253}")),
                            "seed " + seed + ", round " + round + ": " + dnssl);
                }
            }
        }
        assertTrue(read > 100, "some damage does no harm: " + read);
    }

    @Test
    void damagedMessagesAreRefusedOrMeanSomething() {
        final long seed = 4861;
        final Random random = new Random(seed);
        final byte[] whole = hex(HEADER + PREFIX + MTU + RDNSS + HWADDR);
        int read = 0;
        for (int round = 0; round < 20_000; round++) {
            final byte[] bytes = Arrays.copyOf(whole, random.nextInt(whole.length + 1));
            for (int flips = random.nextInt(8); flips > 0 && bytes.length > 0; flips--) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            }
            final RouterAdvertisement message;
            try {
                message = RouterAdvertisement.parse(bytes, bytes.length);
            } catch (final NdpFormatException e) {
                continue;
            }
            read++;
            final byte[] again = message.encode();
            assertEquals(bytes.length, again.length, "seed " + seed + ", round " + round + ": nothing is lost");
            assertEquals(message, RouterAdvertisement.parse(again, again.length), "seed " + seed + ", round " + round);
        }
        assertTrue(read > 100, "some damage does no harm: " + read);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "fd00::", "/64", "fd00::/x", "fd00::/129", "10.0.0.0/8", "example.org/64", "fd00:g::/64"})
    void refusesWordsThatAreNoPrefix(final String text) {
        assertThrows(IllegalArgumentException.class, () -> RouterAdvertiser.parsePrefix(text), text);
    }

    @Test
    void readsAPrefixAsPeopleWriteIt() {
        assertEquals(RouterAdvertisement.prefix(ip("fd00:77::"), 64), RouterAdvertiser.parsePrefix("fd00:77::/64"));
    }

    private static Arguments row(final String name, final String bytes, final RouterAdvertisement message) {
        return Arguments.of(name, hex(bytes), message);
    }

    private static byte[] hex(final String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    private static Inet6Address ip(final String text) {
        try {
            return (Inet6Address) Inet6Address.getByName(text);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static Inet6Address mapped() {
        try {
            return Inet6Address.getByAddress(null, hex("00000000000000000000ffff0a000001"), -1);
        } catch (final UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
