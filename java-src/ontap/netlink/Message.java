// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One netlink message (struct nlmsghdr and what follows it).
 *
 * @param type NLMSG_* or the family's own type
 * @param flags NLM_F_*
 * @param seq sequence number; a reply has that of its request
 * @param pid port id of the requester; 0 in a request and in most notifications
 * @param payload family header and attributes, without padding at the end
 * @param nsid the sender's namespace as this socket's namespace numbers it, null for its own
 */
public record Message(int type, int flags, int seq, int pid, byte[] payload, Integer nsid) {
    /** Bytes of struct nlmsghdr. */
    public static final int HEADER = 16;

    /**
     * The messages in the first {@code length} bytes of one datagram.
     *
     * @throws NetlinkFormatException when a length does not fit or bytes are left over
     */
    public static List<Message> parse(final byte[] bytes, final int length, final Integer nsid) {
        final List<Message> out = new ArrayList<>(4);
        int at = 0;
        while (at < length) {
            final int left = length - at;
            if (left < HEADER) {
                throw new NetlinkFormatException("message header: " + left + " bytes where 16 are due");
            }
            final int size = HostOrder.s32(bytes, at);
            if (size < HEADER || size > left) {
                throw new NetlinkFormatException("message length " + size + " with " + left + " bytes left");
            }
            out.add(new Message(
                    HostOrder.u16(bytes, at + 4),
                    HostOrder.u16(bytes, at + 6),
                    HostOrder.s32(bytes, at + 8),
                    HostOrder.s32(bytes, at + 12),
                    Arrays.copyOfRange(bytes, at + HEADER, at + size),
                    nsid));
            // left >= size, so the sum cannot pass Integer.MAX_VALUE before the clamp.
            at = size > left - 3 ? length : at + HostOrder.align(size);
        }
        return out;
    }

    /** The message as bytes, padded to four so that another one can follow. */
    public byte[] encode() {
        final int size = HEADER + payload.length;
        final byte[] out = new byte[HostOrder.align(size)];
        HostOrder.put32(out, 0, size);
        HostOrder.put16(out, 4, type);
        HostOrder.put16(out, 6, flags);
        HostOrder.put32(out, 8, seq);
        HostOrder.put32(out, 12, pid);
        System.arraycopy(payload, 0, out, HEADER, payload.length);
        return out;
    }

    /** A cursor over the attributes after a family header of {@code header} bytes. */
    public AttributeReader attributes(final int header) {
        return new AttributeReader(payload, HostOrder.align(header));
    }

    /** True when every bit of {@code flag} is set. */
    public boolean has(final int flag) {
        return (flags & flag) == flag;
    }
}
