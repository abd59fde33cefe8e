// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.List;

/**
 * struct msghdr with one iovec, room for address, ancillary data and payload, all in one borrowed block
 * (recvmsg(2), cmsg(3); 64-bit layout, the same on x86_64 and aarch64).
 */
final class MessageHeader implements AutoCloseable {
    static final int CMSG_HEADER = 16;
    private static final byte[] NOTHING = {};

    // struct msghdr
    private static final int NAME = 0;
    private static final int NAME_LENGTH = 8;
    private static final int IOV = 16;
    private static final int IOV_COUNT = 24;
    private static final int CONTROL = 32;
    private static final int CONTROL_LENGTH = 40;
    private static final int FLAGS = 48;
    private static final int SIZE = 56;
    private static final int IOVEC_SIZE = 16;

    private final Scratch scratch;
    private final Pointer at;
    private final int addressAt;
    private final int controlAt;
    private final int dataAt;

    private MessageHeader(final int dataLength, final int addressLength, final int controlLength) {
        addressAt = SIZE + IOVEC_SIZE;
        controlAt = addressAt + align(addressLength);
        dataAt = controlAt + align(controlLength);
        scratch = Scratch.of(dataAt + dataLength);
        at = scratch.at;
        final long base = Pointer.nativeValue(at);
        at.setLong(NAME, addressLength == 0 ? 0 : base + addressAt);
        at.setLong(NAME_LENGTH, addressLength);
        at.setLong(IOV, base + SIZE);
        at.setLong(IOV_COUNT, 1);
        at.setLong(CONTROL, controlLength == 0 ? 0 : base + controlAt);
        at.setLong(CONTROL_LENGTH, controlLength);
        at.setLong(FLAGS, 0);
        at.setLong(SIZE, base + dataAt);
        at.setLong(SIZE + Long.BYTES, dataLength);
    }

    /** An empty header with this much room, in bytes. */
    static MessageHeader forReceiving(final int data, final int address, final int control) {
        return new MessageHeader(data, address, control);
    }

    /** A header that carries data and one piece of ancillary data of ints, none when there are no ints. */
    static MessageHeader forSending(final byte[] data, final int level, final int type, final int[] values) {
        final int length = CMSG_HEADER + values.length * Integer.BYTES;
        final MessageHeader header = new MessageHeader(data.length, 0, values.length == 0 ? 0 : align(length));
        header.at.write(header.dataAt, data, 0, data.length);
        if (values.length > 0) {
            header.at.setLong(header.controlAt, length);
            header.at.setInt(header.controlAt + 8, level);
            header.at.setInt(header.controlAt + 12, type);
            header.at.write(header.controlAt + CMSG_HEADER, values, 0, values.length);
        }
        return header;
    }

    /** CMSG_SPACE: what ancillary data of so many bytes takes. */
    static int space(final int length) {
        return CMSG_HEADER + align(length);
    }

    /** The msghdr. */
    Pointer at() {
        return at;
    }

    /** The MSG_ bits recvmsg left. */
    int flags() {
        return at.getInt(FLAGS);
    }

    /** Copies the first bytes of the payload. */
    void data(final byte[] target, final int length) {
        at.read(dataAt, target, 0, length);
    }

    /** The sockaddr recvmsg left; empty when there is none. */
    byte[] address() {
        final int length = at.getInt(NAME_LENGTH);
        return length == 0 ? NOTHING : at.getByteArray(addressAt, Math.min(length, controlAt - addressAt));
    }

    /** The ancillary data recvmsg left. */
    List<Sockets.Control> control() {
        final int end = controlAt + (int) at.getLong(CONTROL_LENGTH);
        if (end <= controlAt) {
            return List.of();
        }
        final List<Sockets.Control> all = new ArrayList<>(2);
        int next = controlAt;
        while (next + CMSG_HEADER <= end) {
            final long length = at.getLong(next);
            if (length < CMSG_HEADER || next + length > end) {
                break;
            }
            final byte[] data = at.getByteArray(next + CMSG_HEADER, (int) length - CMSG_HEADER);
            all.add(new Sockets.Control(at.getInt(next + 8), at.getInt(next + 12), data));
            next += align((int) length);
        }
        return all;
    }

    @Override
    public void close() {
        scratch.close();
    }

    private static int align(final int length) {
        return length + 7 & ~7;
    }
}
