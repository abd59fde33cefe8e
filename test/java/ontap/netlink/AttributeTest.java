// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** struct nlattr: length u16, type u16, value, padding to four bytes. */
class AttributeTest {
    /** Name, how it is written, the bytes (numbers in big-endian hex words are put in host order by w), how it is read. */
    static Stream<Arguments> values() {
        return Stream.of(
                row("u8", w -> w.u8(1, 0xfe), bytes(5, 1, "fe000000"), r -> r.u8(), 0xfe),
                row("u16", w -> w.u16(2, 0xfffe), concat(bytes(6, 2, ""), host(0xfffe, 2), hex("0000")), r -> r.u16(), 0xfffe),
                row("u32", w -> w.u32(3, 0xfffffffeL), concat(bytes(8, 3, ""), host(0xfffffffeL, 4)), r -> r.u32(), 0xfffffffeL),
                row("s32", w -> w.s32(3, -1), concat(bytes(8, 3, ""), host(-1, 4)), r -> r.s32(), -1),
                row("u64", w -> w.u64(4, 0x0102030405060708L), concat(bytes(12, 4, ""), host(0x0102030405060708L, 8)),
                        r -> r.u64(), 0x0102030405060708L),
                row("string", w -> w.string(5, "eth0"), bytes(9, 5, "6574683000000000"), r -> r.string(), "eth0"),
                row("string of four with its NUL", w -> w.string(5, "abc"), bytes(8, 5, "61626300"), r -> r.string(), "abc"),
                row("string beyond ASCII", w -> w.string(5, "é"), bytes(7, 5, "c3a90000"), r -> r.string(), "é"),
                row("empty string", w -> w.string(5, ""), bytes(5, 5, "00000000"), r -> r.string(), ""),
                row("flag", w -> w.flag(6), bytes(4, 6, ""), r -> r.length(), 0),
                row("bytes", w -> w.bytes(7, hex("020000000001")), bytes(10, 7, "0200000000010000"),
                        r -> r.bytes().length, 6),
                row("nested", w -> w.nested(8, n -> n.u8(9, 1)), concat(bytes(12, 0x8008, ""), bytes(5, 9, "01000000")),
                        r -> inner(r.nested()), 1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("values")
    void writesAndReads(
            final String name,
            final Consumer<AttributeWriter> write,
            final byte[] bytes,
            final Function<AttributeReader, Object> read,
            final Object value) {
        final AttributeWriter w = new AttributeWriter();
        write.accept(w);
        assertArrayEquals(bytes, w.toBytes(), "written as the header file says");
        final AttributeReader r = new AttributeReader(bytes, 0);
        assertTrue(r.next(), "there is one attribute");
        assertEquals(value, read.apply(r), "read back");
        assertFalse(r.next(), "there is only one");
        r.check();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("values")
    void refusesEveryCut(
            final String name,
            final Consumer<AttributeWriter> write,
            final byte[] bytes,
            final Function<AttributeReader, Object> read,
            final Object value) {
        final int size = HostOrder.u16(bytes, 0);
        for (int n = 1; n < size; n++) {
            final AttributeReader r = new AttributeReader(Arrays.copyOf(bytes, n), 0);
            assertFalse(r.next(), "no attribute in " + n + " of " + size + " bytes");
            assertThrows(NetlinkFormatException.class, r::check, "a cut after " + n + " bytes is an error");
        }
        for (int n = size; n < bytes.length; n++) {
            final AttributeReader r = new AttributeReader(Arrays.copyOf(bytes, n), 0);
            assertTrue(r.next(), "padding of the last attribute may be missing");
            assertEquals(value, read.apply(r), "value without padding");
            r.check();
        }
    }

    @Test
    void namesAttributeAndLengthOfAWrongValue() {
        final AttributeReader r = new AttributeReader(new AttributeWriter().u16(4, 7).u32(5, 9).toBytes(), 0);
        assertTrue(r.next(), "first");
        assertEquals(0, r.s32(), "a wrong length gives zero");
        assertFalse(r.next(), "the error is sticky");
        assertEquals("attribute 4: 2 bytes where 4 are due", r.error(), "which attribute, which length");
        assertEquals(r.error(), assertThrows(NetlinkFormatException.class, r::check, "check throws").getMessage(), "text");
    }

    @Test
    void carriesANestedErrorOutward() {
        final AttributeWriter w = new AttributeWriter();
        w.nested(18, n -> n.nested(2, m -> m.u8(1, 3)));
        final AttributeReader outer = new AttributeReader(w.toBytes(), 0);
        assertTrue(outer.next(), "outer");
        final AttributeReader middle = outer.nested();
        assertTrue(middle.next(), "middle");
        final AttributeReader inner = middle.nested();
        assertTrue(inner.next(), "inner");
        inner.u16();
        assertEquals("attribute 18.2.1: 1 bytes where 2 are due", outer.error(), "the path of the attribute");
        assertFalse(middle.next(), "the middle stops too");
    }

    @Test
    void masksTheFlagBitsOfTheType() {
        final AttributeReader r = new AttributeReader(bytes(4, 0xc012, ""), 0);
        assertTrue(r.next(), "an attribute without value");
        assertEquals(0x12, r.type(), "the type without NLA_F_NESTED and NLA_F_NET_BYTEORDER");
        assertTrue(r.markedNested(), "its mark");
    }

    @Test
    void refusesAHeaderThatIsNotThere() {
        final AttributeReader r = new AttributeReader(new byte[8], 16);
        assertFalse(r.next(), "nothing to read");
        assertThrows(NetlinkFormatException.class, r::check, "a payload shorter than its header");
    }

    @Test
    void growsAndTakesBack() {
        final AttributeWriter w = new AttributeWriter(hex("010203"));
        final List<Integer> lengths = new ArrayList<>();
        for (int i = 1; i < 200; i++) {
            w.string(i, "x".repeat(i));
            lengths.add(i);
        }
        final int mark = w.length();
        w.bytes(200, hex("ffffffffffffffff")).drop(mark).u8(201, 1);
        final AttributeReader r = new AttributeReader(w.toBytes(), 4);
        for (final int n : lengths) {
            assertTrue(r.next(), "attribute " + n);
            assertEquals(n, r.string().length(), "its text");
        }
        assertTrue(r.next(), "the attribute after the one taken back");
        assertEquals(201, r.type(), "its type");
        assertEquals(1, r.u8(), "its value");
        assertFalse(r.next(), "the end");
        assertNull(r.error(), "no error");
    }

    @Test
    void refusesAnAttributeThatIsTooLong() {
        final AttributeWriter w = new AttributeWriter();
        assertThrows(NetlinkFormatException.class, () -> w.bytes(1, new byte[65532]), "a value of 65,532 bytes");
        w.bytes(1, new byte[65531]);
        final AttributeWriter n = new AttributeWriter();
        assertThrows(
                NetlinkFormatException.class,
                () -> n.nested(3, b -> b.bytes(1, new byte[40000]).bytes(2, new byte[40000])),
                "a list of more than 65,535 bytes");
    }

    private static int inner(final AttributeReader r) {
        assertTrue(r.next(), "an inner attribute");
        assertEquals(9, r.type(), "its type");
        return r.u8();
    }

    private static Arguments row(
            final String name,
            final Consumer<AttributeWriter> write,
            final byte[] bytes,
            final Function<AttributeReader, Object> read,
            final Object value) {
        return Arguments.of(name, write, bytes, read, value);
    }

    static byte[] bytes(final int length, final int type, final String value) {
        return concat(host(length, 2), host(type, 2), hex(value));
    }

    static byte[] host(final long value, final int size) {
        final ByteBuffer b = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        switch (size) {
            case 2:
                b.putShort((short) value);
                break;
            case 4:
                b.putInt((int) value);
                break;
            default:
                b.putLong(value);
                break;
        }
        return Arrays.copyOf(b.array(), size);
    }

    static byte[] hex(final String text) {
        final byte[] out = new byte[text.length() / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        }
        return out;
    }

    static byte[] concat(final byte[]... parts) {
        int n = 0;
        for (final byte[] part : parts) {
            n += part.length;
        }
        final ByteBuffer out = ByteBuffer.allocate(n);
        for (final byte[] part : parts) {
            out.put(part);
        }
        return out.array();
    }
}
