// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A filter on a monitor's socket (linux/filter.h, classic BPF): of all routes, only IPv6 default routes that routers
 * advertised are let through, so that no other route wakes the listener or fills its buffer. All other messages pass.
 *
 * <p>A message is struct nlmsghdr and struct rtmsg. Classic BPF loads in network order, netlink is in the machine's.
 */
final class RouterFilter {
    private static final int LOAD_HALF = 0x28;
    private static final int LOAD_BYTE = 0x30;
    private static final int JUMP_EQUAL = 0x15;
    private static final int RETURN = 0x06;
    private static final int INSTRUCTION = 8;

    /** nlmsg_type; then rtm_dst_len and rtm_protocol behind the 16 bytes of nlmsghdr. */
    private static final int TYPE_AT = 4;
    private static final int DST_LENGTH_AT = 16 + 1;
    private static final int PROTOCOL_AT = 16 + 5;

    private RouterFilter() {}

    /** An array of struct sock_filter in the machine's byte order. */
    static byte[] program() {
        final int[][] program = {
            {LOAD_HALF, 0, 0, TYPE_AT},
            {JUMP_EQUAL, 1, 0, asLoaded(RtnlConstants.RTM_NEWROUTE)},
            {JUMP_EQUAL, 0, 4, asLoaded(RtnlConstants.RTM_DELROUTE)}, // no route: to the end, where all passes
            {LOAD_BYTE, 0, 0, DST_LENGTH_AT},
            {JUMP_EQUAL, 0, 3, 0},
            {LOAD_BYTE, 0, 0, PROTOCOL_AT},
            {JUMP_EQUAL, 0, 1, RtnlConstants.RTPROT_RA},
            {RETURN, 0, 0, -1},
            {RETURN, 0, 0, 0},
        };
        final ByteBuffer out = ByteBuffer.allocate(program.length * INSTRUCTION).order(ByteOrder.nativeOrder());
        for (final int[] in : program) {
            out.putShort((short) in[0]).put((byte) in[1]).put((byte) in[2]).putInt(in[3]);
        }
        return out.array();
    }

    private static int asLoaded(final int type) {
        final boolean swapped = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
        return (swapped ? Short.reverseBytes((short) type) : (short) type) & 0xffff;
    }
}
