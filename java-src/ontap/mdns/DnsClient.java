// SPDX-License-Identifier: Apache-2.0
package ontap.mdns;

import ontap.sys.Endpoint;
import ontap.sys.Fd;
import ontap.sys.Io;
import ontap.sys.Sockets;
import ontap.sys.SysException;

/**
 * A UDP socket to one DNS server, whose port the kernel draws by chance; what others send to it the kernel drops.
 * Non-blocking. For one thread.
 */
public final class DnsClient implements AutoCloseable {
    private static final int LONGEST = 4096;

    private final Fd fd;
    private final byte[] buffer = new byte[LONGEST];

    private DnsClient(final Fd fd) {
        this.fd = fd;
    }

    /** To the server at {@code to}, in the calling thread's namespace. SysException: ENETUNREACH and others. */
    public static DnsClient open(final Endpoint to) {
        final Fd fd = Sockets.socket(to.isIp4() ? Sockets.AF_INET : Sockets.AF_INET6,
                Sockets.SOCK_DGRAM | Sockets.SOCK_NONBLOCK, 0);
        try {
            Sockets.connect(fd, to.sockaddr());
            return new DnsClient(fd);
        } catch (final RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Readable when {@link #receive} has something; stays this client's. */
    public Fd fd() {
        return fd;
    }

    /** Sends a datagram; false when the kernel would not, or the server's host said of an earlier one that nobody is there. */
    public boolean send(final byte[] message) {
        try {
            return Sockets.send(fd, message, 0, message.length, 0, null) != Io.AGAIN;
        } catch (final SysException e) {
            return false;
        }
    }

    /** The next message that can be read; null when there is none, or only word that nobody is there. Never blocks. */
    public MdnsMessage receive() {
        while (true) {
            final Sockets.Received r;
            try {
                r = Sockets.receive(fd, buffer, 0);
            } catch (final SysException e) {
                return null;
            }
            if (r == null) {
                return null;
            }
            final MdnsMessage message = r.truncated() ? null : MessageReader.read(buffer, r.length());
            if (message != null) {
                return message;
            }
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
