// SPDX-License-Identifier: Apache-2.0
package ontap.netlink;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ontap.sys.Errno;
import ontap.sys.SysException;

/**
 * Requests and their answers, one exchange at a time; several threads may share a socket and wait
 * for each other. All methods block until the kernel has answered, at most a minute for one
 * datagram (then NetlinkException with ETIMEDOUT).
 *
 * <p>The socket belongs for ever to the network namespace of the thread that opened it. Extended
 * acks and strict checking of get requests are on.
 */
public final class NetlinkSocket implements AutoCloseable {
    private static final int DUMP_TRIES = 5;
    // A send stays within these so that the answers fit the default receive buffer.
    private static final int BATCH_BYTES = 32 * 1024;
    private static final int BATCH_MESSAGES = 32;

    private final Transport transport;
    private final Dialect dialect;
    private int seq;

    /** A socket over any transport; {@code dialect} names the family's types in errors. */
    public NetlinkSocket(final Transport transport, final Dialect dialect) {
        this.transport = transport;
        this.dialect = dialect;
    }

    /** Opens a socket of that NETLINK_* protocol in the calling thread's network namespace; SysException. */
    public static NetlinkSocket open(final int protocol, final Dialect dialect) {
        return new NetlinkSocket(KernelTransport.open(protocol), dialect);
    }

    /** As {@link #open(int, Dialect)}, for a family without names. */
    public static NetlinkSocket open(final int protocol) {
        return open(protocol, Dialect.NUMBERS);
    }

    /** One request; its answers, none for most. Throws NetlinkException when it is refused. */
    public List<Message> request(final Request request) {
        return exchange(List.of(request)).get(0).orThrow();
    }

    /** As {@link #request(Request)}; {@code flags} are added to REQUEST and ACK. */
    public List<Message> request(final int type, final int flags, final byte[] payload) {
        return request(new Request(type, flags, payload, ""));
    }

    /**
     * All requests in as few sends as possible (one up to 32). The kernel does each in order,
     * whether or not one before it failed; the first refusal is thrown when all have been answered.
     */
    public List<Reply> batch(final List<Request> requests) {
        final List<Reply> replies = exchange(requests);
        for (final Reply reply : replies) {
            reply.orThrow();
        }
        return replies;
    }

    /** As {@link #batch}, with refusals left in the replies, which are in the order of the requests. */
    public synchronized List<Reply> exchange(final List<Request> requests) {
        final List<Reply> out = new ArrayList<>(requests.size());
        int at = 0;
        while (at < requests.size()) {
            final int first = seq + 1;
            byte[] bytes = new byte[0];
            int n = 0;
            while (at + n < requests.size() && n < BATCH_MESSAGES) {
                final byte[] one = encode(requests.get(at + n), NetlinkConstants.NLM_F_ACK, first + n);
                if (n > 0 && bytes.length + one.length > BATCH_BYTES) {
                    break;
                }
                bytes = n == 0 ? one : concat(bytes, one);
                n++;
            }
            seq = first + n - 1;
            send(bytes, requests.get(at));
            collect(requests.subList(at, at + n), first, out);
            at += n;
        }
        return out;
    }

    /**
     * Everything of one type. A dump that changed while it was read (NLM_F_DUMP_INTR) is read again,
     * five times at most, then NetlinkException with EINTR.
     *
     * @param payload family header and attributes that choose what is dumped
     */
    public synchronized List<Message> dump(final int type, final byte[] payload) {
        final Request request = new Request(type, NetlinkConstants.NLM_F_DUMP, payload, "");
        for (int i = 0; i < DUMP_TRIES; i++) {
            final int mine = ++seq;
            send(encode(request, 0, mine), request);
            final List<Message> messages = readDump(request, mine);
            if (messages != null) {
                return messages;
            }
        }
        throw failure(request, Errno.EINTR, "the dump changed while it was read, " + DUMP_TRIES + " times");
    }

    /** Closes the socket; a second time does nothing. */
    @Override
    public void close() {
        transport.close();
    }

    private void collect(final List<Request> requests, final int first, final List<Reply> out) {
        final List<List<Message>> answers = new ArrayList<>(requests.size());
        final Reply[] replies = new Reply[requests.size()];
        for (int i = 0; i < replies.length; i++) {
            answers.add(new ArrayList<>(0));
        }
        int open = replies.length;
        while (open > 0) {
            for (final Message m : receive(requests.get(0))) {
                final int i = m.seq() - first;
                if (i < 0 || i >= replies.length || replies[i] != null) {
                    continue; // the rest of an exchange that was given up
                }
                if (m.type() == NetlinkConstants.NLMSG_ERROR) {
                    replies[i] = new Reply(answers.get(i), refusal(requests.get(i), m));
                    open--;
                } else if (m.type() >= NetlinkConstants.NLMSG_MIN_TYPE) {
                    answers.get(i).add(m);
                }
            }
        }
        out.addAll(Arrays.asList(replies));
    }

    /** The messages, or null when the dump has to be repeated. */
    private List<Message> readDump(final Request request, final int mine) {
        final List<Message> out = new ArrayList<>();
        boolean changed = false;
        while (true) {
            for (final Message m : receive(request)) {
                if (m.seq() != mine) {
                    continue;
                }
                changed |= m.has(NetlinkConstants.NLM_F_DUMP_INTR);
                if (m.type() == NetlinkConstants.NLMSG_ERROR || m.type() == NetlinkConstants.NLMSG_DONE) {
                    final NetlinkException refusal = refusal(request, m);
                    if (refusal != null && !(changed && refusal.errno() == Errno.EINTR)) {
                        throw refusal;
                    }
                    return changed ? null : out;
                }
                if (m.type() >= NetlinkConstants.NLMSG_MIN_TYPE) {
                    out.add(m);
                }
            }
        }
    }

    private NetlinkException refusal(final Request request, final Message m) {
        final Ack ack = Ack.parse(m, dialect, request.type());
        return ack.errno() == 0 ? null : failure(request, ack.errno(), ack.text());
    }

    private NetlinkException failure(final Request request, final int errno, final String text) {
        return new NetlinkException(dialect.type(request.type()), request.subject(), errno, text);
    }

    private void send(final byte[] bytes, final Request request) {
        if (Trace.ON) {
            for (final Message m : Message.parse(bytes, bytes.length, null)) {
                Trace.print('>', m, dialect);
            }
        }
        try {
            transport.send(bytes, bytes.length);
        } catch (final SysException e) {
            throw e instanceof NetlinkException ? e : failure(request, e.errno(), "sending");
        }
    }

    /** The messages of the next datagram that comes from the kernel. */
    private List<Message> receive(final Request request) {
        while (true) {
            final Transport.Datagram d;
            try {
                d = transport.receive();
            } catch (final SysException e) {
                throw failure(request, e.errno(), e.errno() == Errno.ENOBUFS ? "answers were lost" : "receiving");
            }
            if (d == null) {
                throw failure(request, Errno.ETIMEDOUT, "the kernel did not answer");
            }
            if (d.sender() != 0) {
                continue; // any process may send to our port
            }
            if (d.truncated()) {
                throw new NetlinkFormatException("a datagram longer than the receive buffer");
            }
            final List<Message> messages = Message.parse(d.bytes(), d.length(), d.nsid());
            if (Trace.ON) {
                for (final Message m : messages) {
                    Trace.print('<', m, dialect);
                }
            }
            return messages;
        }
    }

    private static byte[] encode(final Request r, final int flags, final int seq) {
        return new Message(r.type(), r.flags() | flags | NetlinkConstants.NLM_F_REQUEST, seq, 0, r.payload(), null)
                .encode();
    }

    private static byte[] concat(final byte[] a, final byte[] b) {
        final byte[] out = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, out, a.length, b.length);
        return out;
    }
}
