// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Mounts;
import ontap.sys.SysException;

/**
 * The character device of an ipvtap or macvtap, wherever the link is. /dev shows it at best for links of the machine's
 * own network namespace, and one node for two links of the same number: so the device is looked up in a sysfs of the
 * link's namespace, and opened by a node of its own. Both file systems are mounted nowhere, and end here.
 */
public final class TapNode {
    private static final int SHORT_FILE = 32;

    private TapNode() {
    }

    /**
     * The link's device number. To be asked in a thread that is in the link's network namespace.
     *
     * @throws SysException ENODEV when there is no such link, or it has no such device
     */
    public static long device(final String link) {
        try (Fd sysfs = Mounts.detached("sysfs")) {
            final String folder = path(sysfs, "class/net/" + link);
            // tapN, where N was the link's index in the namespace it was made in.
            final String[] names = new File(folder).list((parent, name) -> name.matches("tap[0-9]+"));
            if (names == null || names.length != 1) {
                throw new SysException("open", link + ", no ipvtap or macvtap", Errno.ENODEV);
            }
            return number(folder + "/" + names[0] + "/dev");
        }
    }

    /**
     * Opens queues of the link. In any thread: the queues keep the network namespace of that thread alive, not the
     * link's.
     *
     * @param device from {@link #device}
     * @param flags as for {@link TapDevice#configure}
     * @throws SysException ENODEV when the link has gone, or its number has passed on to another; EBUSY when it
     *     has 256 queues already
     */
    public static List<Fd> open(final String link, final long device, final int queues, final int flags) {
        final List<Fd> opened = new ArrayList<>(queues);
        try (Fd tmpfs = Mounts.detached("tmpfs")) {
            final String node = path(tmpfs, "tap");
            Io.mknod(node, Io.S_IFCHR | 0600, device);
            for (int i = 0; i < queues; i++) {
                final Fd queue = Fd.own(TapDevice.open(node).disown(), "tap queue " + i + " of " + link);
                opened.add(queue);
                TapDevice.configure(queue, flags);
                if (!TapDevice.name(queue).equals(link) || Io.fstat(queue).rdev() != device) {
                    throw new SysException("open", link + ", the device is another link's", Errno.ENODEV);
                }
            }
            return opened;
        } catch (final RuntimeException e) {
            opened.forEach(Fd::close);
            throw e;
        }
    }

    /** Both in one, for a thread that is in the link's network namespace, which the queues then keep alive. */
    public static List<Fd> openQueues(final String link, final int queues, final int flags) {
        return open(link, device(link), queues, flags);
    }

    private static String path(final Fd mount, final String below) {
        return "/proc/thread-self/fd/" + mount.raw() + "/" + below;
    }

    /** What a file such as {@code 246:1} says. */
    private static long number(final String file) {
        final byte[] bytes = new byte[SHORT_FILE];
        try (Fd fd = Io.open(file, Io.O_RDONLY, 0)) {
            final int length = Io.read(fd, bytes, 0, bytes.length);
            final String[] parts = new String(bytes, 0, length, StandardCharsets.US_ASCII).strip().split(":");
            return Io.device(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
        }
    }
}
