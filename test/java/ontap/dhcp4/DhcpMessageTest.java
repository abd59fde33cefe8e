// SPDX-License-Identifier: Apache-2.0
package ontap.dhcp4;

import static ontap.dhcp4.Bootp.hex;
import static ontap.dhcp4.Bootp.ip;
import static ontap.dhcp4.Bootp.reply;
import static ontap.dhcp4.Bootp.zeros;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** RFC 2131, RFC 2132 section 9.3, RFC 3396, and what udhcpc and dnsmasq really say. */
class DhcpMessageTest {
    /** busybox 1.35, {@code udhcpc -x hostname:guest -O 121 -O 119 -O mtu}: its DISCOVER. */
    static final byte[] UDHCPC = hex("0101060050a92225" + zeros(20) + Bootp.MAC + zeros(10 + 64 + 128) + Bootp.COOKIE
            + "350101 39020240 370a0103060c0f1a1c2a7779 0c056775657374 3c0c756468637020312e33352e30"
            + "3d0701020000000005 ff" + zeros(8));
    /** dnsmasq 2.90: the OFFER to it. */
    static final byte[] DNSMASQ = hex("0201060050a92225" + zeros(8) + "0a090032 0a090001" + zeros(4) + Bootp.MAC
            + zeros(10 + 64 + 128) + Bootp.COOKIE + "350102 36040a090001 330400000e10 3a0400000708 3b0400000c4e"
            + "0104ffffff00 1c040a0900ff 03040a090001 0f0b6c616e2e6578616d706c65 790d11c0a8000a090002000a090001"
            + "7714036c616e076578616d706c650004686f6d65c000 1a020578 ff");

    @Test
    void readsWhatUdhcpcSays() {
        final DhcpMessage m = DhcpMessage.read(UDHCPC);
        assertEquals(DhcpMessage.DISCOVER, m.type());
        assertEquals(0x50a92225, m.xid());
        assertEquals("02:00:00:00:00:05", m.hwaddr());
        assertEquals(Set.of(12, 53, 55, 57, 60, 61), m.options().codes());
        assertEquals("guest", m.options().name(DhcpOptions.HOSTNAME));
        assertEquals("01020000000005", m.options().hex(DhcpOptions.CLIENT_ID));
        assertArrayEquals(hex("0103060c0f1a1c2a7779"), m.options().bytes(DhcpOptions.WANTED));
        assertTrue(!m.reply() && !m.broadcast() && m.client().isAnyLocalAddress() && m.your().isAnyLocalAddress());
    }

    @Test
    void readsWhatDnsmasqSays() {
        final DhcpMessage m = DhcpMessage.read(DNSMASQ);
        final DhcpOptions o = m.options();
        assertEquals(DhcpMessage.OFFER, m.type());
        assertTrue(m.reply(), "from a server");
        assertEquals(ip("10.9.0.50"), m.your());
        assertEquals(ip("10.9.0.1"), o.address(DhcpOptions.SERVER_ID));
        assertEquals(List.of(3600L, 1800L, 3150L), List.of(o.seconds(DhcpOptions.LEASE), o.seconds(DhcpOptions.T1),
                o.seconds(DhcpOptions.T2)));
        assertEquals(24, o.prefix());
        assertEquals(ip("10.9.0.255"), o.address(DhcpOptions.BROADCAST));
        assertEquals(List.of(ip("10.9.0.1")), o.addresses(DhcpOptions.ROUTERS));
        assertEquals("lan.example", o.name(DhcpOptions.DOMAIN));
        assertEquals(List.of(new DhcpRoute(ip("192.168.0.0"), 17, ip("10.9.0.2")),
                new DhcpRoute(ip("0.0.0.0"), 0, ip("10.9.0.1"))), o.classlessRoutes());
        assertEquals(List.of("lan.example", "home.lan.example"), o.search());
        assertEquals(1400, o.mtu());
    }

    @Test
    void readsEveryField() {
        final DhcpMessage m = DhcpMessage.read(reply("350105ff"));
        assertEquals(new DhcpMessage(true, 0xa1b2c3d4, 7, true, ip("0.0.0.0"), ip("10.9.0.50"), ip("10.9.0.2"),
                "02:00:00:00:00:05", DhcpOptions.of(Map.of(53, new byte[] {5}))), m);
        assertNotEquals(DhcpMessage.read(reply("350102ff")), m, "equal by content");
        assertEquals(m.hashCode(), DhcpMessage.read(reply("350105ff")).hashCode(), "and so is the hash code");
    }

    @Test
    void writesEveryField() {
        final DhcpMessage m = new DhcpMessage(false, 0x01020304, 0x1234, true, ip("10.9.0.50"), ip("0.0.0.0"),
                ip("10.9.0.2"), "02:00:00:00:00:05", DhcpOptions.NONE.with(61, hex("ff01")).with(53, hex("03"))
                        .with(12, hex("777777")));
        final byte[] expected = hex("01010600" + "01020304" + "12348000" + "0a090032" + zeros(8) + "0a090002"
                + Bootp.MAC + zeros(10 + 64 + 128) + Bootp.COOKIE + "350103" + "0c03777777" + "3d02ff01" + "ff");
        assertEquals(hex(Arrays.copyOf(expected, 300)), hex(m.write()), "BOOTP's 300 bytes at least");
        assertEquals(m, DhcpMessage.read(m.write()), "and it is read");
    }

    /** Name, message, options that are read, as text. */
    static Stream<Arguments> fields() {
        final String end = "ff";
        return Stream.of(
                Arguments.of("unknown options are kept", reply("350105e003aabbccfe00ff"), "[53=05, 224=aabbcc, 254=]"),
                Arguments.of("pads", reply("0000350105000000ff"), "[53=05]"),
                Arguments.of("bytes behind the end", reply("350105ff3304"), "[53=05]"),
                Arguments.of("pieces", reply("0c02aabb3501050c01cc0c00ff"), "[12=aabbcc, 53=05]"),
                Arguments.of("in the file's place", reply("", "0c0161" + end, "350105340101ff"),
                        "[12=61, 53=05]"),
                Arguments.of("in the name's place", reply("0c0161" + end, "", "350105340102ff"),
                        "[12=61, 53=05]"),
                Arguments.of("pieces in all three", reply("0c0163" + end, "0c0162" + end, "350105340103" + "0c0161ff"),
                        "[12=616263, 53=05]"),
                Arguments.of("a last option up to the field's end but one",
                        reply("0c3d" + "61".repeat(61) + end, "", "350105340102ff"),
                        "[12=" + "61".repeat(61) + ", 53=05]"),
                Arguments.of("nothing elsewhere unless said", reply("0c0161" + end, "0c0162" + end, "350105ff"),
                        "[53=05]"),
                Arguments.of("an overload inside the file's place says nothing",
                        reply("0c0163" + end, "0c0161" + end, "350105340101ff"), "[12=61, 53=05]"),
                Arguments.of("an overload that is no number of ours", reply("0c", "0c", "350105340104ff"),
                        "[53=05]"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fields")
    void readsFields(final String name, final byte[] message, final String options) {
        assertEquals(options, DhcpMessage.read(message).options().toString(), name);
    }

    /** Name, message. */
    static Stream<Arguments> others() {
        final String ack = hex(reply("350105ff"));
        return Stream.of(
                Arguments.of("operation 0", hex("00" + ack.substring(2))),
                Arguments.of("operation 3", hex("03" + ack.substring(2))),
                Arguments.of("a request of a server's type", hex("01" + ack.substring(2))),
                Arguments.of("hardware of another kind", hex("0206" + ack.substring(4))),
                Arguments.of("a hardware address of 5 bytes", hex("020105" + ack.substring(6))),
                Arguments.of("a hardware address of 16 bytes", hex("020110" + ack.substring(6))),
                Arguments.of("a group's hardware address", hex(ack.replace(Bootp.MAC, "010000000005"))),
                Arguments.of("nobody's hardware address", hex(ack.replace(Bootp.MAC, "000000000000"))),
                Arguments.of("another cookie", hex(ack.replace(Bootp.COOKIE, "63825362"))),
                Arguments.of("no end", reply("350105")),
                Arguments.of("no end but pads", reply("35010500000000")),
                Arguments.of("an option past the end", reply("350105" + "0c02aa")),
                Arguments.of("an option whose end is the field's", reply("350105" + "0c02aaff")),
                Arguments.of("no length", reply("350105" + "0c")),
                Arguments.of("past the file's place", reply("", zeros(125) + "0c02aa", "350105340101ff")),
                Arguments.of("no end in the file's place", reply("", "", "350105340101ff")),
                Arguments.of("no end in the name's place", reply("", "ff", "350105340103ff")),
                Arguments.of("past the name's place", reply(zeros(62) + "0c05", "ff", "350105340102ff")),
                Arguments.of("no type", reply("0c0161ff")),
                Arguments.of("a type of two bytes", reply("35020505ff")),
                Arguments.of("a type that does not exist", reply("350109ff")),
                Arguments.of("a mask of three bytes", reply("3501050103ffffffff")),
                Arguments.of("a lease of five bytes", reply("35010533050000000e10ff")),
                Arguments.of("an overload of two bytes", reply("35010534020101ff")),
                Arguments.of("a client identifier of one byte", reply("3501053d01ffff")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void refuses(final String name, final byte[] message) {
        assertNull(DhcpMessage.read(message), name);
    }

    /** Cut anywhere before its end option a message is none; behind it nothing matters. */
    @Test
    void refusesCuts() {
        assertNull(DhcpMessage.read(null), "nothing");
        final byte[] overloaded = reply("0c0163ff", "0c0162ff", "340103350105330400000e10ff");
        for (final byte[] whole : List.of(UDHCPC, DNSMASQ, overloaded)) {
            int end = whole.length;
            while (whole[end - 1] == 0) {
                end--;
            }
            for (int n = 0; n <= whole.length; n++) {
                final DhcpMessage read = DhcpMessage.read(Arrays.copyOf(whole, n));
                assertEquals(n < end ? null : DhcpMessage.read(whole), read, "a cut after " + n + " bytes");
            }
        }
    }

    @Test
    void splitsWhatIsTooLong() {
        for (final int size : new int[] {0, 1, 254, 255, 256, 510, 511, 1000}) {
            final byte[] value = new byte[size];
            Arrays.fill(value, (byte) 'x');
            final DhcpMessage m = DhcpMessage.read(reply("350105ff"));
            final DhcpMessage big = new DhcpMessage(true, 1, 0, false, m.client(), m.your(), m.relay(), m.hwaddr(),
                    m.options().with(224, value));
            final byte[] written = big.write();
            final int pieces = Math.max(1, (size + 254) / 255);
            assertEquals(Math.max(300, 240 + 3 + 2 * pieces + size + 1), written.length, size + " bytes");
            assertArrayEquals(value, DhcpMessage.read(written).options().bytes(224), size + " bytes");
        }
    }

    @Test
    void refusesWhatCannotBeWritten() {
        final DhcpOptions ack = DhcpOptions.of(Map.of(53, new byte[] {5}));
        final String mac = "02:00:00:00:00:05";
        assertNotNull(made(true, 65535, "10.0.0.1", mac, ack));
        assertThrows(IllegalArgumentException.class, () -> made(false, 0, "10.0.0.1", mac, ack), "no type of a client");
        assertThrows(IllegalArgumentException.class, () -> made(true, 0, "10.0.0.1", mac, DhcpOptions.NONE), "no type");
        assertThrows(IllegalArgumentException.class, () -> made(true, 65536, "10.0.0.1", mac, ack), "seconds");
        assertThrows(IllegalArgumentException.class, () -> made(true, -1, "10.0.0.1", mac, ack), "seconds");
        assertThrows(IllegalArgumentException.class, () -> made(true, 0, "::1", mac, ack), "IPv6");
        assertThrows(IllegalArgumentException.class, () -> made(true, 0, "10.0.0.1", "02:00", ack), "hardware");
        for (final int code : new int[] {0, 52, 255, -1, 256}) {
            assertThrows(IllegalArgumentException.class, () -> ack.with(code, new byte[1]), "option " + code);
            assertThrows(IllegalArgumentException.class, () -> DhcpOptions.of(Map.of(code, new byte[1])));
        }
    }

    @Test
    void nobodyChangesAMessage() {
        final byte[] value = {5};
        final DhcpOptions options = DhcpOptions.of(Map.of(53, value)).with(61, value);
        value[0] = 6;
        options.bytes(53)[0] = 6;
        options.codes().clear();
        assertEquals("[53=05, 61=05]", options.toString());
        final byte[] datagram = reply("3501053d020102ff");
        final DhcpMessage read = DhcpMessage.read(datagram);
        Arrays.fill(datagram, (byte) 0);
        assertEquals(DhcpMessage.read(reply("3501053d020102ff")), read);
    }

    private static DhcpMessage made(final boolean reply, final int secs, final String client, final String hwaddr,
            final DhcpOptions options) {
        return new DhcpMessage(reply, 1, secs, false, ip(client), ip("0.0.0.0"), ip("0.0.0.0"), hwaddr, options);
    }
}
