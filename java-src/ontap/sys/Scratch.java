// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/**
 * A block of native memory borrowed for one call, from a small pool that all threads share. Not JNA's Memory: a live
 * one keeps JNA's cleaner thread waking every 30 s, and one per thread would outlive the short launch threads.
 */
final class Scratch implements AutoCloseable {
    /** Room for 64 KiB of payload and what goes with it. */
    private static final int BLOCK = (1 << 16) + 4096;
    private static final Scratch[] FREE = new Scratch[4];
    private static int free;

    /** The first byte; the content is whatever the last user left. */
    final Pointer at;
    private final int size;

    private Scratch(final int size) {
        final long address = Native.malloc(size);
        if (address == 0) {
            throw new OutOfMemoryError("malloc(" + size + ")");
        }
        this.at = new Pointer(address);
        this.size = size;
    }

    /** At least {@code size} bytes, aligned for any C type; to be used in a try-with-resources. */
    static Scratch of(final int size) {
        if (size > BLOCK) {
            return new Scratch(size);
        }
        synchronized (FREE) {
            if (free > 0) {
                return FREE[--free];
            }
        }
        return new Scratch(BLOCK);
    }

    /** Gives the block back; once only. */
    @Override
    public void close() {
        if (size == BLOCK) {
            synchronized (FREE) {
                if (free < FREE.length) {
                    FREE[free++] = this;
                    return;
                }
            }
        }
        Native.free(Pointer.nativeValue(at));
    }
}
