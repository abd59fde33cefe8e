// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.PacketSocket;

/** Ethernet frames of tests, of a type that nobody else sends. */
final class Frames {
    /** For local experiments (IEEE 802). */
    static final int TYPE = 0x88b5;
    private static final int LIMIT_MILLIS = 20_000;
    private static final int HEADER = 14;

    private Frames() {
    }

    /** To everybody. */
    static byte[] of(final int type, final String text) {
        final byte[] data = text.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(HEADER + data.length)
                .put(new byte[] {-1, -1, -1, -1, -1, -1, 2, 0, 0, 0, 0, 0x77})
                .putShort((short) type).put(data).array();
    }

    /** The text of a frame that begins at this place. */
    static String text(final byte[] bytes, final int from, final int length) {
        return new String(Arrays.copyOfRange(bytes, from + HEADER, from + length), StandardCharsets.UTF_8);
    }

    /** A filter for frames of this type: load the type, compare, take all or nothing. */
    static byte[] filter(final int type) {
        final ByteBuffer program = ByteBuffer.allocate(32).order(ByteOrder.nativeOrder());
        program.putShort((short) 0x28).putShort((short) 0).putInt(12);
        program.putShort((short) 0x15).put((byte) 0).put((byte) 1).putInt(type);
        program.putShort((short) 0x06).putShort((short) 0).putInt(0xffff);
        program.putShort((short) 0x06).putShort((short) 0).putInt(0);
        return program.array();
    }

    /** Waits for the next frame of a packet socket, asserts its text, and gives what is known of it. */
    static PacketSocket.Frame expect(final Fd socket, final String text) {
        final byte[] bytes = new byte[2048];
        assertEquals(Io.POLLIN, Io.await(socket, Io.POLLIN, LIMIT_MILLIS), "a frame should come: " + text);
        final PacketSocket.Frame frame = PacketSocket.receive(socket, bytes);
        assertNotNull(frame, "a frame should be there");
        assertEquals(text, text(bytes, 0, frame.length()));
        return frame;
    }

    /** Waits until the queue of a tap has a frame, and gives its text; {@code before}: bytes of virtio header. */
    static String read(final Fd queue, final int before) {
        final byte[] bytes = new byte[2048];
        while (true) {
            assertEquals(Io.POLLIN, Io.await(queue, Io.POLLIN, LIMIT_MILLIS) & Io.POLLIN, "a frame should come");
            final int length = Io.read(queue, bytes, 0, bytes.length);
            // The other end's own stack speaks, too.
            if (ByteBuffer.wrap(bytes).getShort(before + 12) == (short) TYPE) {
                return text(bytes, before, length - before);
            }
        }
    }
}
