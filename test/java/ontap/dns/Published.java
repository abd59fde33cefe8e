// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import ontap.sys.Endpoint;
import org.xbill.DNS.Name;
import org.xbill.DNS.TextParseException;
import org.xbill.DNS.Type;

/** Contents to serve in tests, and a TCP server of the plainest kind on loopback. */
final class Published {
    static final int PRIVATE = 0;
    static final int FOREIGN = 2;
    static final String APEX = "vanya";
    static final Endpoint LAN_ASKER = Endpoint.of("10.0.0.2", 0);
    static final Endpoint FOREIGN_ASKER = Endpoint.of("192.0.2.1", 0);

    private volatile Snapshot snapshot;
    private long serial = 100;

    /** With the domain in the views private and foreign, where www is 10.0.0.7 and 198.51.100.7. */
    Published() {
        final Askers askers = Askers.of(List.of(new Askers.Rule(new byte[] {10, 0, 0, 0}, 8, PRIVATE)));
        snapshot = new Snapshot(Catalog.empty(), askers);
        for (final int view : new int[] {PRIVATE, FOREIGN}) {
            change(view, List.of(RrSet.of(APEX, Type.NS, 60, Long.MAX_VALUE, List.of("ns.vanya")),
                    a("ns.vanya", view == PRIVATE ? "10.0.0.1" : "198.51.100.1"),
                    a("www.vanya", view == PRIVATE ? "10.0.0.7" : "198.51.100.7")), List.of());
        }
    }

    Snapshot snapshot() {
        return snapshot;
    }

    long serial() {
        return serial;
    }

    /** Goes on from another serial. */
    void setSerial(final long next) {
        serial = next - 1;
    }

    /** Puts and removes sets of one view of the domain, under a new serial; what was published. */
    List<Catalog.Change> change(final int view, final List<RrSet> put, final List<Catalog.Key> gone) {
        serial = serial + 1 & 0xffffffffL;
        final List<RrSet> all = new ArrayList<>(put);
        all.add(soa(serial));
        final List<Catalog.Change> changes = List.of(new Catalog.Change(view, all, gone));
        snapshot = new Snapshot(snapshot.catalog().with(changes), snapshot.askers());
        return changes;
    }

    static RrSet soa(final long serial) {
        return RrSet.of(APEX, Type.SOA, 60, Long.MAX_VALUE,
                List.of("ns.vanya hostmaster.vanya " + serial + " 600 120 86400 10"));
    }

    static RrSet a(final String name, final String... addresses) {
        return RrSet.of(name, Type.A, 60, Long.MAX_VALUE, Arrays.asList(addresses));
    }

    static Name name(final String text) {
        try {
            return Name.fromString(text, Name.root);
        } catch (final TextParseException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** One connection after the other, each with an asker's address that is made up; ends with its socket. */
    static final class Pump implements AutoCloseable {
        private final ServerSocket server;
        private final Thread thread;
        final List<byte[]> sent = Collections.synchronizedList(new ArrayList<>());

        Pump(final Answerer answerer, final Endpoint asker) {
            try {
                server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
            } catch (final IOException e) {
                throw new UncheckedIOException(e);
            }
            thread = new Thread(() -> serve(answerer, asker), "pump");
            thread.start();
        }

        int port() {
            return server.getLocalPort();
        }

        private void serve(final Answerer answerer, final Endpoint asker) {
            while (true) {
                try (Socket socket = server.accept()) {
                    final DataInputStream in = new DataInputStream(socket.getInputStream());
                    final DataOutputStream out = new DataOutputStream(socket.getOutputStream());
                    for (int length = in.readUnsignedShort(); ; length = in.readUnsignedShort()) {
                        final Iterator<byte[]> answers =
                                answerer.answerStream(in.readNBytes(length), asker.high(), asker.low(), 0);
                        while (answers.hasNext()) {
                            final byte[] answer = answers.next();
                            sent.add(answer);
                            out.writeShort(answer.length);
                            out.write(answer);
                        }
                        out.flush();
                    }
                } catch (final IOException e) {
                    if (server.isClosed()) {
                        return;
                    }
                }
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
            try {
                thread.join();
            } catch (final InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
