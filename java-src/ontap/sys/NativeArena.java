// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * C memory freed all at once. In place of JNA's Memory, which hands each block to a cleaner thread that wakes. For one
 * thread.
 */
final class NativeArena implements AutoCloseable {
    private final List<Pointer> blocks = new ArrayList<>();

    /** Zeroed bytes, aligned for anything. */
    Pointer allocate(final int size) {
        final Pointer block = raw(size);
        block.setMemory(0, size, (byte) 0);
        return block;
    }

    /** The text as UTF-8 with its NUL; IllegalArgumentException when the text holds a NUL itself. */
    Pointer string(final String text) {
        final byte[] bytes = bytes(text);
        final Pointer block = raw(bytes.length + 1);
        block.write(0, bytes, 0, bytes.length);
        block.setByte(bytes.length, (byte) 0);
        return block;
    }

    /** A NULL-terminated {@code char *[]} and its strings, in one block and one copy. */
    Pointer strings(final List<String> texts) {
        final List<byte[]> all = new ArrayList<>(texts.size());
        int offset = Native.POINTER_SIZE * (texts.size() + 1);
        int size = offset;
        for (final String text : texts) {
            final byte[] bytes = bytes(text);
            all.add(bytes);
            size += bytes.length + 1;
        }
        final Pointer block = raw(size);
        final long address = Pointer.nativeValue(block);
        final byte[] image = new byte[size];
        final ByteBuffer buffer = ByteBuffer.wrap(image).order(ByteOrder.nativeOrder());
        for (final byte[] bytes : all) {
            buffer.putLong(address + offset);
            System.arraycopy(bytes, 0, image, offset, bytes.length);
            offset += bytes.length + 1;
        }
        block.write(0, image, 0, size);
        return block;
    }

    /** Frees every block. */
    @Override
    public void close() {
        for (final Pointer block : blocks) {
            Native.free(Pointer.nativeValue(block));
        }
        blocks.clear();
    }

    private Pointer raw(final int size) {
        final long address = Native.malloc(size);
        if (address == 0) {
            throw new OutOfMemoryError("malloc");
        }
        final Pointer block = new Pointer(address);
        blocks.add(block);
        return block;
    }

    private static byte[] bytes(final String text) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("should not hold a NUL character: " + text.replace('\0', '?'));
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
