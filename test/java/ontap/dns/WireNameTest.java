// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Names as numbers: letters are alike small and large, all else is what it is. */
class WireNameTest {
    private static final int HEADER = 12;
    private static final int OCTETS = 256;

    private static int small(final int octet) {
        return octet >= 'A' && octet <= 'Z' ? octet + 'a' - 'A' : octet;
    }

    /** Each pair of octets, in labels of each length up to three numbers. */
    @Test
    void foldsLettersAndNothingElse() {
        for (int length = 1; length <= 22; length++) {
            final byte[] name = new byte[length + 2];
            name[0] = (byte) length;
            final int at = 1 + (length * 7 + 3) % length;
            final ByteBuffer message = ByteBuffer.allocateDirect(HEADER + name.length);
            for (int one = 0; one < OCTETS; one++) {
                name[at] = (byte) one;
                final long[] words = WireName.words(name, 0);
                for (int other = 0; other < OCTETS; other++) {
                    message.put(HEADER, name).put(HEADER + at, (byte) other);
                    final boolean same = small(one) == small(other);
                    assertEquals(same, WireName.same(words, message, HEADER, name.length), one + " and " + other);
                    assertEquals(same, WireName.hash(words, name.length)
                            == WireName.hash(message, HEADER, name.length), "hashes of " + one + " and " + other);
                }
                name[at] = (byte) small(one);
                assertArrayEquals(name, WireName.octets(words, name.length));
            }
        }
    }

    @Test
    void textsAreNames() {
        assertArrayEquals(new byte[1], WireName.of(""));
        assertArrayEquals(new byte[1], WireName.of("."));
        assertArrayEquals(Packets.name("web.vanya"), WireName.of("WEB.Vanya."));
        assertEquals("web.vanya", WireName.text("Web.Vanya."));
        assertEquals("", WireName.text("."));
    }
}
