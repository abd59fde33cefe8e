// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import static ontap.dhcp4.Bootp.ascii;
import static ontap.dhcp4.Bootp.ip;
import static ontap.dhcp4.Bootp.options;
import static ontap.dhcp4.Bootp.text;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the bytes of an option mean: RFC 2132, RFC 3442, RFC 3397. */
class DhcpOptionsTest {
    @ParameterizedTest
    @CsvSource({"ffffffff, 32", "fffffffe, 31", "ffffff00, 24", "ff000000, 8", "80000000, 1", "00000000, 0",
        "ff00ff00, 0", "00ffffff, 0", "ffffff01, 0", "7fffffff, 0"})
    void masks(final String mask, final int prefix) {
        assertEquals(prefix, options("0104" + mask).prefix(), mask);
    }

    @ParameterizedTest
    @CsvSource({"0240, 576", "05dc, 1500", "ffff, 65535", "023f, 0", "0000, 0", "dc, 0", "0005dc, 0"})
    void mtus(final String bytes, final int mtu) {
        assertEquals(mtu, options(String.format("1a%02x", bytes.length() / 2) + bytes).mtu(), bytes);
    }

    @Test
    void lists() {
        assertEquals(List.of(ip("10.0.0.1")), options("03040a000001").addresses(DhcpOptions.ROUTERS));
        assertEquals(List.of(ip("10.0.0.1"), ip("255.0.0.2")), options("06080a000001ff000002").addresses(6));
        assertEquals(List.of(), options("06070a000001ff0000").addresses(6), "no multiple of four");
        assertEquals(List.of(), options("0600").addresses(6), "empty");
        assertEquals(List.of(), options("").addresses(6), "not there");
        assertEquals(ip("10.0.0.1"), options("36040a000001").address(DhcpOptions.SERVER_ID));
        assertNull(options("36080a0000010a000002").address(DhcpOptions.SERVER_ID), "two where there is one");
        assertNull(options("").address(DhcpOptions.SERVER_ID), "not there");
    }

    @Test
    void times() {
        assertEquals(0L, options("330400000000").seconds(DhcpOptions.LEASE));
        assertEquals(0x80000000L, options("330480000000").seconds(DhcpOptions.LEASE), "no negative ones");
        assertEquals(DhcpMessage.INFINITY, options("3304ffffffff").seconds(DhcpOptions.LEASE));
        assertNull(options("3a03000001").seconds(DhcpOptions.T1), "three bytes");
        assertNull(options("").seconds(DhcpOptions.T2), "not there");
    }

    @Test
    void names() {
        final Map<String, String> names = Map.of("lan.example", "lan.example", "Lan.Example.", "Lan.Example",
                "a", "a", "_x.y-z.0", "_x.y-z.0", "zero\0\0", "zero");
        names.forEach((said, name) -> assertEquals(name, options(text(15, said)).name(15), said));
        for (final String bad : List.of("", ".", "..", "a..b", ".a", "a b", "-a", "a.-b", "a\nb", "a\0b", "a\u001bb", "\0",
                "a\u00e4", "a/b", "a;b", "a#b", "a\tb", "x".repeat(64), ("x".repeat(63) + ".").repeat(3) + "x".repeat(62))) {
            assertNull(options(text(15, bad)).name(15), bad);
        }
        final String longest = ("x".repeat(63) + ".").repeat(3) + "x".repeat(61);
        assertEquals(longest, options(text(15, longest)).name(15));
        assertNull(options("").name(15), "not there");
    }

    @Test
    void sentences() {
        assertEquals("no address left", options(text(56, "no address left\0")).message());
        assertEquals("a?[31mred?b?c", options(text(56, "a\u001b[31mred\nb\rc")).message(), "nothing acts on a terminal");
        assertEquals("\u00e4 ?", options("3805" + "c3a420" + "c29b").message(), "nor do the controls of C1");
        assertEquals("a?b", options("3805" + "61" + "e280ae" + "62").message(), "nor a change of direction");
        assertEquals("a?b", options("3805" + "61" + "e280a8" + "62").message(), "nor a separator of lines");
        assertEquals("a\ufffdb", options("3803" + "61" + "ff" + "62").message(), "what is no UTF-8");
        assertEquals("a b", options(text(56, "  a b  ")).message());
        assertNull(options(text(56, "\0\0")).message(), "nothing");
        assertNull(options("3800").message(), "nothing");
        assertNull(options("").message(), "not there");
    }

    @Test
    void classlessRoutes() {
        assertEquals("0.0.0.0/0 10.0.0.1", classless("00 0a000001"));
        assertEquals("10.0.0.0/8 10.0.0.1", classless("08 0a 0a000001"));
        // the examples of RFC 3442
        assertEquals("10.17.0.0/16 10.0.0.1", classless("10 0a11 0a000001"));
        assertEquals("10.27.129.0/24 10.0.0.1", classless("18 0a1b81 0a000001"));
        assertEquals("10.229.0.128/25 10.0.0.1", classless("19 0ae50080 0a000001"));
        assertEquals("10.198.122.47/32 10.0.0.1", classless("20 0ac67a2f 0a000001"));
        assertEquals("10.0.0.0/24 null", classless("18 0a0000 00000000"), "on the link");
        assertEquals("10.0.0.0/9 10.0.0.1", classless("09 0a7f 0a000001"), "host bits are cut off");
        assertEquals("10.0.0.2/32 null, 0.0.0.0/0 10.0.0.2", classless("20 0a000002 00000000 00 0a000002"));
        for (final String bad : List.of("21 0a00000100 0a000001", "ff 0a000001", "08 0a 0a0000", "00", "00 0a0000", "20",
                "00 0a000001 08", "00 0a000001 18 0a0000 0a0000")) {
            assertEquals("", classless(bad), bad);
        }
        assertEquals(List.of(), options("").classlessRoutes(), "not there");
    }

    @Test
    void routesOfClasses() {
        assertEquals("10.0.0.0/8 10.0.0.1, 172.16.0.0/16 10.0.0.1, 192.168.5.0/24 10.0.0.1",
                classful("0a0000000a000001 ac1000000a000001 c0a805000a000001"));
        assertEquals("10.1.0.0/32 10.0.0.1, 127.0.0.0/8 10.0.0.1, 128.0.0.0/16 10.0.0.1",
                classful("0a0100000a000001 7f0000000a000001 800000000a000001"), "one with host bits is a host");
        assertEquals("", classful("000000000a000001 e00000000a000001 f00000010a000001 0a00000000000000"),
                "no default, no group, nothing reserved, none without a router");
        assertEquals("", classful("0a0000000a0000"), "seven bytes");
        assertEquals("", classful("0a0000000a000001 0a000000"), "one and a half");
        assertEquals(List.of(), options("").staticRoutes(), "not there");
    }

    @Test
    void searchLists() {
        assertEquals(List.of("eng.apple.com", "marketing.apple.com"), search(
                "03656e67056170706c6503636f6d00 096d61726b6574696e67c004"), "RFC 3397");
        assertEquals(List.of("a", "b"), search("0161 00 0162 00"));
        assertEquals(List.of("a", "b.a"), search("0161 00 0162 c000"));
        assertEquals(List.of("a"), search("0161 00 c000"), "each once");
        assertEquals(List.of("c.b.a", "b.a", "a"), search("0163 0162 0161 00 c002 c004"), "into the midst of a name");
        assertEquals(List.of("b.a", "a"), search("0162 0161 00 0561203b0a62 00 c002"), "a strange one is left out");
        assertEquals(List.of("a"), search("0161 00 03612e62 00 00"), "a dot in a label, and the root");
        assertEquals(List.of(), search(""), "nothing");
        assertEquals(List.of(), options("").search(), "not there");
        for (final String bad : List.of("c000", "c001", "0161c000", "0161c002", "0161 c004 00", "0161", "0161 00 0562", "05",
                "0161 00 c0", "c0", "0161 00 c003", "0161 00 c005 0162 00", "40" + "61".repeat(64) + "00", "8061 00",
                "0161 00 0162 c003", "0161 00 0162 c006 00", "02c001 00 c001")) {
            assertEquals(List.of(), search(bad), bad);
        }
        final String label = "3f" + "78".repeat(63);
        assertEquals(253, search(label.repeat(3) + "3d" + "78".repeat(61) + "00").get(0).length(), "the longest name");
        assertEquals(List.of(), search(label.repeat(3) + "3e" + "78".repeat(62) + "00"), "longer by one");
        final String longer = label.repeat(3) + "3d" + "78".repeat(61) + "00" + "0178c000";
        assertEquals(List.of(), search(longer), "longer by a pointer");
    }

    /** A list that points and points takes no more time and room than one that does not. */
    @Test
    void searchListsThatPoint() {
        final StringBuilder chain = new StringBuilder("016100");
        for (int at = 3, to = 0; at < 3000; to = at, at += 2) {
            chain.append(String.format("%04x", 0xc000 | to));
        }
        assertEquals(List.of("a"), search(chain.toString()), "one after the other");
        final StringBuilder many = new StringBuilder();
        for (int i = 0; i < 900; i++) {
            many.append("02").append(ascii(String.format("%02x", i % 256))).append("00");
        }
        assertEquals(32, search(many.toString()).size(), "no more than anybody looks through");
    }

    private static List<String> search(final String bytes) {
        return whole(DhcpOptions.SEARCH, bytes).search();
    }

    private static String classless(final String bytes) {
        return said(whole(DhcpOptions.CLASSLESS_ROUTES, bytes).classlessRoutes());
    }

    private static String classful(final String bytes) {
        return said(whole(DhcpOptions.STATIC_ROUTES, bytes).staticRoutes());
    }

    private static DhcpOptions whole(final int code, final String bytes) {
        final byte[] value = Bootp.hex(bytes);
        final DhcpOptions options = DhcpOptions.of(Map.of(53, new byte[] {5}, code, value));
        final DhcpMessage m = new DhcpMessage(true, 1, 0, false, ip("0.0.0.0"), ip("0.0.0.0"), ip("0.0.0.0"),
                "02:00:00:00:00:05", options);
        final DhcpOptions read = DhcpMessage.read(m.write()).options();
        assertEquals(options, read, "as it was written");
        assertEquals(true, Arrays.equals(value, read.bytes(code)), "in pieces where it is long");
        return read;
    }

    private static String said(final List<DhcpRoute> routes) {
        return routes.stream().map(r -> r.to().getHostAddress() + "/" + r.prefix() + " "
                + (r.via() == null ? "null" : r.via().getHostAddress())).collect(Collectors.joining(", "));
    }
}
