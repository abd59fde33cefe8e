// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Datagrams by the batch: up to {@link #SIZE} come by one recvmmsg(2), and their answers go by one sendmmsg(2), each
 * from the address its query came to (ip(7), ipv6(7): IP_PKTINFO, IPV6_PKTINFO). All memory is laid out once, and
 * nothing else is native: an answer costs its share of two system calls. For one thread.
 */
public final class UdpBatch {
    /** So many datagrams at once. */
    public static final int SIZE = 64;
    /** Longer datagrams are cut, and cannot be answered. */
    public static final int QUERY_MAX = 4096;
    /** Room for an answer. */
    public static final int ANSWER_MAX = 4096;

    // struct mmsghdr: struct msghdr and the length received or sent (64-bit layout)
    private static final int NAME = 0;
    private static final int NAME_LENGTH = 8;
    private static final int IOV = 16;
    private static final int IOV_COUNT = 24;
    private static final int CONTROL = 32;
    private static final int CONTROL_LENGTH = 40;
    private static final int FLAGS = 48;
    private static final int LENGTH = 56;
    private static final int HEADER_SIZE = 64;
    // struct iovec
    private static final int IOV_LENGTH = 8;
    private static final int IOV_SIZE = 16;
    // struct cmsghdr
    private static final int LEVEL = 8;
    private static final int TYPE = 12;
    private static final int DATA = 16;
    private static final int IP_PKTINFO = 8;
    private static final int IPV6_PKTINFO = 50;
    /** struct in_pktinfo: index of the link, source to answer from, destination. */
    private static final int PKTINFO_4 = 12;
    /** struct in6_pktinfo: address, index of the link. */
    private static final int PKTINFO_6 = 20;
    private static final int PKTINFO_6_LINK = 16;
    private static final int MULTICAST = 0xff;

    private static final int ADDRESS_ROOM = 32;
    private static final int CONTROL_ROOM = 128;
    /** No multiple of 4,096, else the beginnings of all messages would compete for the same few lines of the cache. */
    private static final int STAGGER = 192;

    private static final int RECEIVED = 0;
    private static final int SENT = RECEIVED + SIZE * HEADER_SIZE;
    private static final int IOVS_IN = SENT + SIZE * HEADER_SIZE;
    private static final int IOVS_OUT = IOVS_IN + SIZE * IOV_SIZE;
    private static final int ADDRESSES = IOVS_OUT + SIZE * IOV_SIZE;
    private static final int CONTROLS = ADDRESSES + SIZE * ADDRESS_ROOM;
    private static final int QUERIES = CONTROLS + SIZE * CONTROL_ROOM;
    private static final int ANSWERS = QUERIES + SIZE * (QUERY_MAX + STAGGER);
    private static final int END = ANSWERS + SIZE * (ANSWER_MAX + STAGGER);

    // sockaddr_in, sockaddr_in6
    private static final int PORT = 2;
    private static final int IP_4 = 4;
    private static final int IP_6 = 8;

    // Collected with this object, as ordinary memory is.
    private final ByteBuffer block = ByteBuffer.allocateDirect(END).order(ByteOrder.nativeOrder());
    private final ByteBuffer network = block.duplicate().order(ByteOrder.BIG_ENDIAN);
    private final long base = Pointer.nativeValue(Native.getDirectBufferPointer(block));
    private final ByteBuffer[] queries = new ByteBuffer[SIZE];
    private final ByteBuffer[] answers = new ByteBuffer[SIZE];
    private int received = SIZE;
    private int waiting;
    private int sent;

    /** An empty batch: about 560 KiB. */
    public UdpBatch() {
        for (int i = 0; i < SIZE; i++) {
            queries[i] = slice(QUERIES + i * (QUERY_MAX + STAGGER), QUERY_MAX);
            answers[i] = slice(ANSWERS + i * (ANSWER_MAX + STAGGER), ANSWER_MAX);
            header(RECEIVED + i * HEADER_SIZE, IOVS_IN + i * IOV_SIZE, QUERIES + i * (QUERY_MAX + STAGGER));
            header(SENT + i * HEADER_SIZE, IOVS_OUT + i * IOV_SIZE, ANSWERS + i * (ANSWER_MAX + STAGGER));
            block.putLong(IOVS_IN + i * IOV_SIZE + IOV_LENGTH, QUERY_MAX);
            block.putLong(RECEIVED + i * HEADER_SIZE + NAME, base + ADDRESSES + i * ADDRESS_ROOM);
            block.putLong(RECEIVED + i * HEADER_SIZE + CONTROL, base + CONTROLS + i * CONTROL_ROOM);
        }
    }

    /** Has a bound UDP socket say where its datagrams come to, where that is not known already. Once, before use. */
    public static void prepare(final Fd fd) {
        InetSockets.tell(fd, Endpoint.of(Sockets.name(fd)));
    }

    /**
     * What waits, at most {@link #SIZE} datagrams; never blocks. 0 when there is nothing, or the kernel had an error of
     * the network to tell. SysException when the descriptor is no socket that could ever receive.
     */
    public int receive(final Fd fd) {
        for (int i = 0, at = RECEIVED; i < received; i++, at += HEADER_SIZE) {
            block.putInt(at + NAME_LENGTH, ADDRESS_ROOM);
            block.putLong(at + CONTROL_LENGTH, CONTROL_ROOM);
        }
        waiting = 0;
        received = 0;
        final int raw = fd.raw();
        int n;
        do {
            n = Libc.recvmmsg(raw, base + RECEIVED, SIZE, Sockets.MSG_DONTWAIT, 0);
        } while (Libc.interrupted(n));
        if (n < 0) {
            refuse(Native.getLastError(), fd);
            return 0;
        }
        received = n;
        return n;
    }

    /** The datagram from its first octet to its limit, valid until the next receive. */
    public ByteBuffer query(final int i) {
        return queries[i].position(0).limit(block.getInt(RECEIVED + i * HEADER_SIZE + LENGTH));
    }

    /** Is it whole, and from a port that can be answered? */
    public boolean isAnswerable(final int i) {
        final int header = RECEIVED + i * HEADER_SIZE;
        return (block.getInt(header + FLAGS) & Sockets.MSG_TRUNC) == 0
                && block.getInt(header + NAME_LENGTH) >= Endpoint.SIZE_4
                && block.getShort(ADDRESSES + i * ADDRESS_ROOM + PORT) != 0;
    }

    /** The first eight octets of the sender's address; 0 for IPv4. */
    public long high(final int i) {
        final int at = ADDRESSES + i * ADDRESS_ROOM;
        return block.getShort(at) == Sockets.AF_INET6 ? network.getLong(at + IP_6) : 0;
    }

    /** The last eight octets; IPv4 as ::ffff:a.b.c.d. */
    public long low(final int i) {
        final int at = ADDRESSES + i * ADDRESS_ROOM;
        return block.getShort(at) == Sockets.AF_INET6
                ? network.getLong(at + IP_6 + Long.BYTES) : Endpoint.mapped(network.getInt(at + IP_4));
    }

    /** Room for the answer to this datagram, empty; what is written up to its position {@link #reply} sends. */
    public ByteBuffer answer(final int i) {
        return answers[i].clear();
    }

    /** Has the answer to this datagram sent by the next {@link #send}; at most once each, in any order. */
    public void reply(final int i) {
        final int from = RECEIVED + i * HEADER_SIZE;
        final int to = SENT + waiting * HEADER_SIZE;
        block.putLong(to + NAME, base + ADDRESSES + i * ADDRESS_ROOM);
        block.putInt(to + NAME_LENGTH, block.getInt(from + NAME_LENGTH));
        block.putLong(to + IOV, base + IOVS_OUT + i * IOV_SIZE);
        block.putLong(IOVS_OUT + i * IOV_SIZE + IOV_LENGTH, answers[i].position());
        source(to, CONTROLS + i * CONTROL_ROOM, (int) block.getLong(from + CONTROL_LENGTH));
        waiting++;
    }

    /**
     * Sends the answers; never blocks. An answer that the kernel refuses (no room: EAGAIN, ENOBUFS; no way back:
     * ENETUNREACH, EPERM and others) is dropped, as the network may drop any.
     *
     * @return how many have gone
     */
    public int send(final Fd fd) {
        final int raw = fd.raw();
        int next = 0;
        sent = 0;
        while (next < waiting) {
            final int n = Libc.sendmmsg(raw, base + SENT + next * HEADER_SIZE, waiting - next, Sockets.MSG_DONTWAIT);
            if (n > 0) {
                next += n;
                sent += n;
            } else if (Libc.wouldBlock(n)) {
                break;
            } else if (!Libc.interrupted(n)) {
                next++;
            }
        }
        waiting = 0;
        return sent;
    }

    /** Gives the packet information of a query to its answer. */
    private void source(final int to, final int controls, final int length) {
        int at = controls;
        final int end = controls + length;
        while (at + DATA + PKTINFO_4 <= end) {
            final int level = block.getInt(at + LEVEL);
            final int type = block.getInt(at + TYPE);
            final int size = (int) block.getLong(at);
            if (level == Sockets.SOL_IPV6 && type == IPV6_PKTINFO && size == DATA + PKTINFO_6) {
                if ((block.get(at + DATA) & 0xff) == MULTICAST) {
                    break;
                }
                // The routes choose the link, as the way back need not be the way here.
                if (!Endpoint.isLinkLocal(network.getLong(at + DATA))) {
                    block.putInt(at + DATA + PKTINFO_6_LINK, 0);
                }
                control(to, at, MessageHeader.space(PKTINFO_6));
                return;
            }
            if (level == Sockets.SOL_IP && type == IP_PKTINFO && size == DATA + PKTINFO_4) {
                block.putInt(at + DATA, 0);
                control(to, at, MessageHeader.space(PKTINFO_4));
                return;
            }
            at += Math.max(DATA, size + Long.BYTES - 1 & -Long.BYTES);
        }
        control(to, controls, 0);
    }

    private void control(final int to, final int at, final int length) {
        block.putLong(to + CONTROL, base + at);
        block.putLong(to + CONTROL_LENGTH, length);
    }

    /** Throws for what will not go away by itself. */
    private static void refuse(final int errno, final Fd fd) {
        switch (errno) {
            case Errno.EBADF:
            case Errno.ENOTSOCK:
            case Errno.EINVAL:
            case Errno.EFAULT:
            case Errno.ENOSYS:
            case Errno.EOPNOTSUPP:
                throw new SysException("recvmmsg", fd.what(), errno);
            default:
        }
    }

    private void header(final int at, final int iov, final int data) {
        block.putLong(at + IOV, base + iov);
        block.putLong(at + IOV_COUNT, 1);
        block.putLong(iov, base + data);
    }

    private ByteBuffer slice(final int at, final int length) {
        return block.duplicate().position(at).limit(at + length).slice();
    }
}
