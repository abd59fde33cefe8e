// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Whole frames from and to one link, past the IP stack (packet(7)). Needs CAP_NET_RAW. The socket keeps the network
 * namespace it was opened in alive. Everything throws {@link SysException} on error.
 */
public final class PacketSocket {
    private static final int ETH_P_ALL = 3;
    private static final int PACKET_AUXDATA = 8;
    private static final int AUXDATA_ROOM = 64;
    private static final int PACKET_OUTGOING = 4;
    private static final int TP_STATUS_CSUMNOTREADY = 8;
    private static final int SOCK_FILTER_SIZE = 8;
    // struct sock_fprog of a 64-bit kernel
    private static final int FPROG_FILTER = 8;
    private static final int FPROG_SIZE = 16;
    // struct sockaddr_ll
    private static final int SLL_PROTOCOL = 2;
    private static final int SLL_IFINDEX = 4;
    private static final int SLL_PKTTYPE = 10;
    private static final int SLL_SIZE = 20;

    /**
     * One frame.
     *
     * @param length its bytes in the buffer
     * @param cut it was longer than the buffer, or than what the filter let through
     * @param outgoing the link's own side sent it; false: it came in
     * @param checksumPending its UDP or TCP checksum is still to be filled in (TP_STATUS_CSUMNOTREADY)
     */
    public record Frame(int length, boolean cut, boolean outgoing, boolean checksumPending) {
    }

    private PacketSocket() {
    }

    /**
     * A non-blocking socket that gets every frame that goes in or out on a link of the calling thread's network
     * namespace, and passes the filter. Nothing from before, and nothing the filter would refuse, ever waits in it.
     *
     * @param filter a classic BPF program: struct sock_filter after struct sock_filter in the machine's byte order,
     *     8 bytes each (linux/filter.h); empty for all frames
     * @throws SysException ENODEV when there is no such link, EINVAL when the kernel refuses the program
     */
    public static Fd open(final int ifindex, final byte[] filter) {
        // Protocol 0: nothing comes before bind.
        final Fd fd = Sockets.socket(Sockets.AF_PACKET, Sockets.SOCK_RAW | Sockets.SOCK_NONBLOCK, 0);
        try {
            if (filter.length > 0) {
                attach(fd, filter);
            }
            Sockets.setOption(fd, Sockets.SOL_PACKET, PACKET_AUXDATA, 1);
            final ByteBuffer address = ByteBuffer.allocate(SLL_SIZE).order(ByteOrder.nativeOrder());
            address.putShort(0, (short) Sockets.AF_PACKET);
            address.order(ByteOrder.BIG_ENDIAN).putShort(SLL_PROTOCOL, (short) ETH_P_ALL);
            address.order(ByteOrder.nativeOrder()).putInt(SLL_IFINDEX, ifindex);
            Sockets.bind(fd, address.array());
            return Fd.own(fd.disown(), "packet socket of link " + ifindex);
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Another filter for the socket, at once; frames that wait already stay. ENOMEM when the old and the new program
     * together are more than net.core.optmem_max: then the old one stays.
     *
     * @param filter as for {@link #open}, not empty
     */
    public static void refilter(final Fd fd, final byte[] filter) {
        attach(fd, filter);
    }

    /**
     * The next frame, from its Ethernet header on; null when none waits. ENETDOWN, once, when the link has gone down
     * or away: after the first, frames come again once it is up; after the second, never.
     */
    public static Frame receive(final Fd fd, final byte[] buffer) {
        // MSG_CMSG_CLOEXEC, which Sockets adds, is EINVAL here.
        final Sockets.Received received = Sockets.receive(fd, buffer, 0, AUXDATA_ROOM);
        if (received == null) {
            return null;
        }
        final boolean outgoing = received.from()[SLL_PKTTYPE] == PACKET_OUTGOING;
        return new Frame(received.length(), received.truncated(), outgoing,
                (status(received.control()) & TP_STATUS_CSUMNOTREADY) != 0);
    }

    /**
     * Sends a frame, Ethernet header and all; false when there is no room for it now. ENETDOWN when the link is down,
     * EMSGSIZE when the frame is longer than the link takes.
     */
    public static boolean send(final Fd fd, final byte[] frame) {
        try {
            return Sockets.send(fd, frame, 0, frame.length, 0, null) != Io.AGAIN;
        } catch (final SysException e) {
            if (e.errno() == Errno.ENOBUFS) {
                return false;
            }
            throw e;
        }
    }

    private static void attach(final Fd fd, final byte[] filter) {
        if (filter.length % SOCK_FILTER_SIZE != 0) {
            throw new IllegalArgumentException("a filter's length is a multiple of 8: " + filter.length);
        }
        try (NativeArena arena = new NativeArena()) {
            final Pointer program = arena.allocate(filter.length);
            program.write(0, filter, 0, filter.length);
            final ByteBuffer fprog = ByteBuffer.allocate(FPROG_SIZE).order(ByteOrder.nativeOrder());
            fprog.putShort(0, (short) (filter.length / SOCK_FILTER_SIZE));
            fprog.putLong(FPROG_FILTER, Pointer.nativeValue(program));
            Sockets.setOption(fd, Sockets.SOL_SOCKET, Sockets.SO_ATTACH_FILTER, fprog.array());
        }
    }

    /** tp_status, the first word of struct tpacket_auxdata. */
    private static int status(final List<Sockets.Control> control) {
        for (final Sockets.Control piece : control) {
            if (piece.level() == Sockets.SOL_PACKET && piece.type() == PACKET_AUXDATA) {
                return ByteBuffer.wrap(piece.data()).order(ByteOrder.nativeOrder()).getInt(0);
            }
        }
        return 0;
    }
}
