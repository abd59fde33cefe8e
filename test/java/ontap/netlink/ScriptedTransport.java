// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import ontap.sys.SysException;

/**
 * A kernel that is a function: from the messages of one send to what is received after it. A
 * {@link SysException} in the list is thrown by receive, null means the time limit has passed.
 */
public final class ScriptedTransport implements Transport {
    private final Function<List<Message>, List<Object>> kernel;
    private final Deque<Object> queue = new ArrayDeque<>();
    private final List<List<Message>> sent = new ArrayList<>();
    private static final Object NOTHING = new Object();

    public ScriptedTransport(final Function<List<Message>, List<Object>> kernel) {
        this.kernel = kernel;
    }

    /** What was sent, one list a send. */
    public List<List<Message>> sent() {
        return sent;
    }

    /** A datagram from the kernel with these messages. */
    public static Datagram kernel(final Message... messages) {
        return from(0, messages);
    }

    /** A datagram from any port. */
    public static Datagram from(final int port, final Message... messages) {
        final byte[][] parts = new byte[messages.length][];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = messages[i].encode();
        }
        final byte[] bytes = AttributeTest.concat(parts);
        return new Datagram(bytes, bytes.length, port, null, false);
    }

    /** An acknowledgement of {@code request}; errno 0 for success, the text may be null. */
    public static Message ack(final Message request, final int errno, final String text) {
        final AttributeWriter w = new AttributeWriter(AttributeTest.concat(
                AttributeTest.host(-errno, 4), AttributeTest.host(16 + request.payload().length, 4),
                AttributeTest.host(request.type(), 2), AttributeTest.host(request.flags(), 2),
                AttributeTest.host(request.seq(), 4), AttributeTest.host(0, 4)));
        int flags = NetlinkConstants.NLM_F_CAPPED;
        if (text != null) {
            w.string(NetlinkConstants.NLMSGERR_ATTR_MSG, text);
            flags |= NetlinkConstants.NLM_F_ACK_TLVS;
        }
        return new Message(NetlinkConstants.NLMSG_ERROR, flags, request.seq(), 1, w.toBytes(), null);
    }

    @Override
    public void send(final byte[] bytes, final int length) {
        final List<Message> messages = Message.parse(bytes, length, null);
        sent.add(messages);
        for (final Object o : kernel.apply(messages)) {
            queue.add(o == null ? NOTHING : o);
        }
    }

    @Override
    public Datagram receive() {
        final Object next = queue.remove();
        if (next instanceof SysException e) {
            throw e;
        }
        return next == NOTHING ? null : (Datagram) next;
    }

    @Override
    public void close() {
        queue.clear();
    }
}
