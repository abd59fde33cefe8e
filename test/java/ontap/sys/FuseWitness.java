// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Assumptions;

/**
 * A FUSE file system that lets its root be opened, and remembers what it is asked after that (linux/fuse.h). It answers
 * with an error: a server that kept silent in the same process as who waits for it could not even be killed.
 */
final class FuseWitness implements AutoCloseable {
    private static final int INIT = 26;
    private static final int OPENDIR = 27;
    private static final int REQUEST = 1 << 17;
    private static final int HEADER = 16;
    private static final int INIT_OUT = 64;
    private static final int OPEN_OUT = 16;

    private final Fd device;
    private final String at;
    private final Thread server;
    private final List<Integer> asked = new CopyOnWriteArrayList<>();

    /** Mounts it in the calling thread's mount namespace. */
    FuseWitness(final String at) {
        this.at = at;
        try {
            device = Io.open("/dev/fuse", Io.O_RDWR | Io.O_NONBLOCK, 0);
        } catch (SysException e) {
            Assumptions.abort("not applicable: no /dev/fuse");
            throw e;
        }
        final String options = "fd=" + device.raw() + ",rootmode=40000,user_id=0,group_id=0";
        Libc.check(Libc.mount("witness", at, "fuse", 0, options), "mount", at);
        server = NsThread.start("fuse-witness", this::serve);
    }

    /** The operations asked for besides opening its root, by their numbers. */
    List<Integer> asked() {
        return List.copyOf(asked);
    }

    /** To be called when all its files are closed. */
    @Override
    public void close() {
        Mounts.unmount(at);
        try {
            server.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        device.close();
    }

    private void serve() {
        final byte[] bytes = new byte[REQUEST];
        try {
            // POLLERR, and ENODEV from read: it is mounted no more.
            while ((Io.await(device, Io.POLLIN, -1) & Io.POLLERR) == 0) {
                if (Io.read(device, bytes, 0, bytes.length) > 0) {
                    serve(ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()));
                }
            }
        } catch (SysException e) {
            asked.add(-e.errno());
        }
    }

    private void serve(final ByteBuffer request) {
        final int operation = request.getInt(4);
        final long unique = request.getLong(8);
        if (operation == INIT) {
            answer(unique, 0, init());
        } else if (operation == OPENDIR) {
            answer(unique, 0, new byte[OPEN_OUT]);
        } else {
            asked.add(operation);
            answer(unique, -Errno.EIO, new byte[0]);
        }
    }

    /** struct fuse_init_out: version 7.31, and how much one write may carry. */
    private static byte[] init() {
        final ByteBuffer out = ByteBuffer.allocate(INIT_OUT).order(ByteOrder.nativeOrder());
        return out.putInt(7).putInt(31).putInt(20, REQUEST / 2).array();
    }

    private void answer(final long unique, final int error, final byte[] body) {
        final ByteBuffer out = ByteBuffer.allocate(HEADER + body.length).order(ByteOrder.nativeOrder());
        out.putInt(HEADER + body.length).putInt(error).putLong(unique).put(body);
        Io.write(device, out.array(), 0, out.capacity());
    }
}
