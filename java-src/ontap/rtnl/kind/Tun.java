// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl.kind;

import java.nio.charset.StandardCharsets;
import ontap.netlink.AttributeWriter;
import ontap.netlink.HostOrder;
import ontap.sys.Fd;
import ontap.sys.Io;

/**
 * A link whose frames (tap) or packets (tun) go to a descriptor (Documentation/networking/tuntap.rst).
 * rtnetlink only tells of it; it is made by opening /dev/net/tun and ends with the last descriptor.
 *
 * @param mode {@link #IFF_TUN} or {@link #IFF_TAP}
 */
public record Tun(int mode) implements LinkKind {
    public static final int IFF_TUN = 0x0001;
    public static final int IFF_TAP = 0x0002;
    public static final int IFF_MULTI_QUEUE = 0x0100;
    public static final int IFF_NO_PI = 0x1000;
    public static final int IFF_VNET_HDR = 0x4000;
    /** For {@link #openTap}: EBUSY when there is a link of that name, also when one more queue could be had. */
    public static final int IFF_TUN_EXCL = 0x8000;

    private static final int TUN_TYPE = 1;
    private static final long TUNSETIFF = 0x400454caL;
    private static final int IFNAMSIZ = 16;
    /** struct ifreq: name, then a union whose first 16 bits are the flags. */
    private static final int IFREQ = 40;

    /**
     * Makes a tap in the calling thread's network namespace, or opens one more queue of it.
     *
     * @param name up to 15 bytes; with {@code %d} the kernel counts; empty for {@code tap%d}
     * @param flags IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE besides IFF_TAP
     * @return a blocking descriptor, one frame for each read and write
     * @throws ontap.sys.SysException EPERM without CAP_NET_ADMIN, EBUSY when the name is in use
     * @throws IllegalArgumentException when the name is too long
     */
    public static Fd openTap(final String name, final int flags) {
        return open(name, IFF_TAP | flags);
    }

    /** As {@link #openTap} for IP packets. */
    public static Fd openTun(final String name, final int flags) {
        return open(name, IFF_TUN | flags);
    }

    private static Fd open(final String name, final int flags) {
        final byte[] text = name.getBytes(StandardCharsets.UTF_8);
        if (text.length >= IFNAMSIZ) {
            throw new IllegalArgumentException("the name of a link has at most 15 bytes: " + name);
        }
        final byte[] request = new byte[IFREQ];
        System.arraycopy(text, 0, request, 0, text.length);
        HostOrder.put16(request, IFNAMSIZ, flags);
        final Fd fd = Io.open("/dev/net/tun", Io.O_RDWR, 0);
        try {
            Io.ioctl(fd, TUNSETIFF, request);
            return fd;
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return "tun";
    }

    /** IFLA_TUN_TYPE, for completeness: the kernel refuses to create a tun by rtnetlink. */
    @Override
    public void write(final AttributeWriter data) {
        data.u8(TUN_TYPE, mode);
    }
}
