// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.IOException;
import java.util.Arrays;
import java.util.ArrayList;
import java.util.List;
import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Sockets;
import ontap.sys.SysException;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.TextParseException;
import org.xbill.DNS.Type;

/** One question to one server over UDP, as dig(1) asks it: no cache, no resolver of the machine's, no thread. */
public final class Ask {
    private static final int DATAGRAM_MAX = 4096;
    private static final int TRIES = 3;

    private Ask() {
    }

    /**
     * What the server said.
     *
     * @param rcode as text: {@code NOERROR}, {@code NXDOMAIN}
     * @param data the data of the answer's records of the type that was asked for, as master files write them
     */
    public record Answer(String rcode, List<String> data) {
    }

    /**
     * Asks in the calling thread's network namespace, three times at most; blocks. Null when nobody answers.
     *
     * @param server where it listens
     * @param source address to ask from, port 0
     * @param name absolute, with or without the dot at its end
     * @param type such as {@code AAAA}
     * @param timeoutMillis of one try
     * @throws SysException when the network does not let it ask
     * @throws IllegalArgumentException for what is no name or no type
     */
    public static Answer ask(final Endpoint server, final Endpoint source, final String name, final String type,
            final int timeoutMillis) {
        final int number = Type.value(type);
        if (number < 0) {
            throw new IllegalArgumentException("no type: " + type);
        }
        final Message query;
        try {
            query = Message.newQuery(Record.newRecord(Name.fromString(name, Name.root), number, DClass.IN));
        } catch (final TextParseException e) {
            throw new IllegalArgumentException("no name: " + name, e);
        }
        try (Fd fd = Sockets.socket(server.isIp4() ? Sockets.AF_INET : Sockets.AF_INET6, Sockets.SOCK_DGRAM, 0)) {
            Sockets.bind(fd, source.sockaddr());
            Sockets.connect(fd, server.sockaddr());
            final byte[] bytes = query.toWire();
            for (int i = 0; i < TRIES; i++) {
                Io.writeAll(fd, bytes);
                final Answer answer = receive(fd, query, number, timeoutMillis);
                if (answer != null) {
                    return answer;
                }
            }
            return null;
        }
    }

    private static Answer receive(final Fd fd, final Message query, final int type, final int timeoutMillis) {
        final byte[] buffer = new byte[DATAGRAM_MAX];
        while (Io.await(fd, Io.POLLIN, timeoutMillis) != 0) {
            final int n = Io.read(fd, buffer, 0, buffer.length);
            if (n <= 0) {
                return null;
            }
            try {
                final Message said = new Message(Arrays.copyOf(buffer, n));
                if (said.getHeader().getID() == query.getHeader().getID()) {
                    return answer(said, type);
                }
            } catch (final IOException e) {
                // Not an answer to anything; the next one may be.
                continue;
            }
        }
        return null;
    }

    private static Answer answer(final Message said, final int type) {
        final List<String> data = new ArrayList<>();
        for (final Record each : said.getSection(Section.ANSWER)) {
            if (each.getType() == type) {
                data.add(each.rdataToString());
            }
        }
        return new Answer(Rcode.string(said.getRcode()), List.copyOf(data));
    }
}
