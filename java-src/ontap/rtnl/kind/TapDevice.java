// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import java.nio.charset.StandardCharsets;
import ontap.netlink.HostOrder;
import ontap.sys.Fd;
import ontap.sys.Io;

/**
 * A queue of frames: an open file of the character device that each ipvtap and macvtap has, or of /dev/net/tun
 * (linux/if_tun.h, drivers/net/tap.c, drivers/net/tun.c). {@link TapNode} finds the device.
 *
 * <p>Every queue keeps the network namespace alive that the thread that opened it was in. Closing its last descriptor
 * takes 10 ms and more, in which the kernel waits for its readers.
 */
public final class TapDevice {
    private static final long TUNSETIFF = 0x400454caL;
    private static final long TUNSETPERSIST = 0x400454cbL;
    private static final long TUNGETIFF = 0x800454d2L;
    private static final long TUNSETVNETHDRSZ = 0x400454d8L;
    /** struct ifreq: name, then a union whose first 16 bits are the flags. */
    private static final int IFREQ = 40;
    private static final int FLAGS = 16;

    private TapDevice() {
    }

    /**
     * Opens one more queue of an ipvtap or macvtap. Blocking, as {@link Tun#openTap} is: that belongs to the open
     * file, whoever reads from it sets what it needs (QEMU does), and the device looks at it at each read alone.
     */
    public static Fd open(final String path) {
        return Io.open(path, Io.O_RDWR, 0);
    }

    /**
     * Sets how frames look on a queue of an ipvtap or macvtap: Ethernet, without packet information. The link that a
     * queue of /dev/net/tun belongs to is chosen by {@link Tun#openTap} instead.
     *
     * @param flags {@link Tun#IFF_VNET_HDR}: a virtio header before each frame, as the device has it at first;
     *     {@link Tun#IFF_MULTI_QUEUE}: one of several
     */
    public static void configure(final Fd queue, final int flags) {
        final byte[] request = new byte[IFREQ];
        HostOrder.put16(request, FLAGS, Tun.IFF_TAP | Tun.IFF_NO_PI | flags);
        Io.ioctl(queue, TUNSETIFF, request);
    }

    /** The name of the queue's link, in whatever namespace that is; EBADFD or ENOLINK when it has none. */
    public static String name(final Fd queue) {
        final byte[] request = ask(queue);
        int length = 0;
        while (length < FLAGS && request[length] != 0) {
            length++;
        }
        return new String(request, 0, length, StandardCharsets.UTF_8);
    }

    /** The IFF_ flags of {@link Tun} that the queue has. */
    public static int flags(final Fd queue) {
        return HostOrder.u16(ask(queue), FLAGS);
    }

    /** Whether the link stays when its last queue is closed; for queues of /dev/net/tun alone. */
    public static void setPersistent(final Fd queue, final boolean persistent) {
        Io.ioctl(queue, TUNSETPERSIST, persistent ? 1L : 0L);
    }

    /** How long the virtio header is, with {@link Tun#IFF_VNET_HDR}: 10 at first, 12 with mergeable buffers. */
    public static void setVnetHeaderSize(final Fd queue, final int size) {
        final byte[] argument = new byte[Integer.BYTES];
        HostOrder.put32(argument, 0, size);
        Io.ioctl(queue, TUNSETVNETHDRSZ, argument);
    }

    private static byte[] ask(final Fd queue) {
        final byte[] request = new byte[IFREQ];
        Io.ioctl(queue, TUNGETIFF, request);
        return request;
    }
}
