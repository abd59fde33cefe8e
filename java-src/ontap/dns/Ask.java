// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Sockets;
import ontap.sys.SysException;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.TextParseException;
import org.xbill.DNS.Type;

/**
 * One question to one server over UDP, as dig(1) asks it, with EDNS (RFC 6891): no cache, no resolver of the machine's,
 * no thread. It does not ask again over TCP.
 */
public final class Ask {
    /** What we take, and what goes through without fragments. */
    private static final int DATAGRAM_MAX = 1232;
    private static final int TRIES = 3;

    private Ask() {
    }

    /**
     * What the server said.
     *
     * @param rcode as text: {@code NOERROR}, {@code NXDOMAIN}
     * @param data the data of the answer's records of the type that was asked for, in its order, as master files write
     *     them; the zeros of an IPv6 address are not left out
     * @param truncated there is more that did not fit
     */
    public record Answer(String rcode, List<String> data, boolean truncated) {
    }

    /**
     * Asks in the calling thread's network namespace, three times at most; blocks. Null when nobody answers.
     *
     * @param server where it listens
     * @param source address of the same family to ask from, port 0 for any
     * @param name absolute, with or without the dot at its end
     * @param type such as {@code AAAA}
     * @param timeoutMillis of one try
     * @throws SysException when the network does not let it ask, or says that nobody listens there (ECONNREFUSED)
     * @throws IllegalArgumentException for what is no name or no type, and for two families
     */
    public static Answer ask(final Endpoint server, final Endpoint source, final String name, final String type,
            final int timeoutMillis) {
        if (server.isIp4() != source.isIp4()) {
            throw new IllegalArgumentException("cannot ask " + server + " from " + source);
        }
        final Message query = query(name, type);
        final int family = server.isIp4() ? Sockets.AF_INET : Sockets.AF_INET6;
        // Non-blocking: a datagram that poll(2) told of may turn out to be damaged, and be gone.
        try (Fd fd = Sockets.socket(family, Sockets.SOCK_DGRAM | Sockets.SOCK_NONBLOCK, 0)) {
            Sockets.bind(fd, source.sockaddr());
            // From now on the kernel lets nobody else's datagrams in.
            Sockets.connect(fd, server.sockaddr());
            final byte[] bytes = query.toWire();
            for (int i = 0; i < TRIES; i++) {
                Io.writeAll(fd, bytes);
                final Message said = receive(fd, query, timeoutMillis);
                if (said != null) {
                    return answer(said, query.getQuestion().getType());
                }
            }
            return null;
        }
    }

    private static Message query(final String name, final String type) {
        final int number = Type.value(type);
        if (number < 0) {
            throw new IllegalArgumentException("no type: " + type);
        }
        try {
            final Message query = Message.newQuery(Record.newRecord(Name.fromString(name, Name.root), number, DClass.IN));
            query.addRecord(new OPTRecord(DATAGRAM_MAX, 0, 0), Section.ADDITIONAL);
            return query;
        } catch (final TextParseException e) {
            throw new IllegalArgumentException("no name: " + name, e);
        }
    }

    /** The answer to the query, null when none has come in time. What is none is passed over. */
    private static Message receive(final Fd fd, final Message query, final int timeoutMillis) {
        final byte[] buffer = new byte[DATAGRAM_MAX];
        final long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        while (true) {
            final long left = Math.max(0, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime()));
            if (Io.await(fd, Io.POLLIN, (int) left) == 0) {
                return null;
            }
            final int n = Io.read(fd, buffer, 0, buffer.length);
            final Message said = n <= 0 ? null : read(Arrays.copyOf(buffer, n));
            if (said != null && answers(said, query)) {
                return said;
            }
        }
    }

    private static Message read(final byte[] datagram) {
        try {
            return new Message(datagram);
        } catch (final IOException e) {
            return null;
        }
    }

    /** RFC 5452, 9.1. A server that could not read the question may leave it out. */
    private static boolean answers(final Message said, final Message query) {
        final Record question = said.getQuestion();
        return said.getHeader().getFlag(Flags.QR)
                && said.getHeader().getID() == query.getHeader().getID()
                && (question == null ? said.getRcode() != Rcode.NOERROR : question.equals(query.getQuestion()));
    }

    private static Answer answer(final Message said, final int type) {
        final List<String> data = new ArrayList<>();
        for (final Record each : said.getSection(Section.ANSWER)) {
            if (each.getType() == type) {
                data.add(each.rdataToString());
            }
        }
        return new Answer(Rcode.string(said.getRcode()), List.copyOf(data), said.getHeader().getFlag(Flags.TC));
    }
}
