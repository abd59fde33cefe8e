// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;

/** A DNS client over TCP that does as it is told; it waits ten seconds for anything. */
final class TcpClient implements AutoCloseable {
    final Socket socket = new Socket();
    private final DataInputStream in;

    TcpClient(final String from, final String to, final int port) throws IOException {
        this(from, to, port, 0);
    }

    /** With this much room for what comes; 0 for the usual. */
    TcpClient(final String from, final String to, final int port, final int room) throws IOException {
        if (room > 0) {
            socket.setReceiveBufferSize(room);
        }
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(10_000);
        socket.bind(new InetSocketAddress(InetAddress.getByName(from), 0));
        socket.connect(new InetSocketAddress(InetAddress.getByName(to), port), 10_000);
        in = new DataInputStream(socket.getInputStream());
    }

    static byte[] framed(final byte[]... messages) {
        int length = 0;
        for (final byte[] message : messages) {
            length += 2 + message.length;
        }
        final ByteBuffer all = ByteBuffer.allocate(length);
        for (final byte[] message : messages) {
            all.putShort((short) message.length).put(message);
        }
        return all.array();
    }

    void send(final byte[] octets) throws IOException {
        socket.getOutputStream().write(octets);
    }

    void ask(final byte[] message) throws IOException {
        send(framed(message));
    }

    byte[] receive() throws IOException {
        final byte[] message = new byte[in.readUnsignedShort()];
        in.readFully(message);
        return message;
    }

    /** Asks and is answered. */
    void check(final int id) throws IOException {
        ask(EchoAnswerer.query(id, 40));
        assertArrayEquals(EchoAnswerer.answer(id, 40), receive(), "the answer to " + id);
    }

    /** The server ends the connection, without a reset; what comes before that is thrown away. */
    void expectEnd() throws IOException {
        while (in.read() >= 0) {
            continue;
        }
    }

    /** The server ends the connection, and sends nothing before. */
    void expectEndNow() throws IOException {
        assertEquals(-1, in.read(), "the connection should end");
    }

    /** The server ends the connection, in whatever way, before so many messages have come. */
    void expectLoss(final int messages) throws IOException {
        try {
            for (int i = 0; i < messages; i++) {
                receive();
            }
        } catch (final EOFException | SocketException e) {
            return;
        }
        throw new AssertionError("the connection should be lost");
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
