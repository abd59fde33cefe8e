// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import ontap.sys.Endpoint;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.InetSockets;
import ontap.sys.Io;
import ontap.sys.Sockets;
import ontap.sys.SysException;

/**
 * One connection of {@link TcpServer}: messages in, each with two octets of length before it, cut anywhere (RFC 1035,
 * section 4.2.2); answers out, in order. Answers are made only as the client takes them, and nothing is read while they
 * wait. It has one timer, for whatever is waited for: a message's begin, its end, or the client's taking.
 */
final class TcpConnection {
    private static final int PREFIX = 2;
    private static final int MESSAGE_MAX = 0xffff;
    private static final int FEW = 2048;
    /** Answers are made while fewer octets than this wait. */
    private static final int ENOUGH = 1 << 16;
    /** Sent at most before others have their turn. */
    private static final int TURN = 1 << 18;
    /** How long an ended connection may take to say that it has ended too, before what it still sends resets it. */
    private static final long LINGER = TimeUnit.SECONDS.toNanos(1);
    private static final int OUT_MAX = ENOUGH + PREFIX + MESSAGE_MAX;
    private static final byte[] NONE = {};

    private final TcpServer server;
    private final Fd fd;
    private final Endpoint peer;

    private byte[] in = NONE;
    private int inStart;
    private int inEnd;
    private byte[] out = NONE;
    private int outStart;
    private int outEnd;
    /** What is left to say to the message at hand; null: nothing. */
    private Iterator<byte[]> answers;

    /** Nothing more will come: the client has ended its side. */
    private boolean ended;
    /** Nothing more will be answered. */
    private boolean refused;
    /** Our side is ended; what comes is thrown away. */
    private boolean lingering;

    private int interest = EventLoop.EPOLLIN;
    private long activeAt;
    /** When the message that is half there began; 0: none. */
    private long begunAt;
    private EventLoop.Timer timer;
    private long timerAt;

    /** Waits for its first message. SysException when it cannot be waited for: then the descriptor stays open. */
    TcpConnection(final TcpServer server, final InetSockets.Accepted accepted) {
        this.server = server;
        this.fd = accepted.fd();
        this.peer = accepted.peer();
        this.activeAt = server.now();
        server.loop().add(fd, interest, this::ready);
        await();
    }

    Endpoint peer() {
        return peer;
    }

    /** When it came, its last whole message came, or something was last taken: nanoseconds since boot. */
    long activeAt() {
        return activeAt;
    }

    /** At once. */
    void close() {
        if (fd.isOpen()) {
            server.loop().cancel(timer);
            server.loop().remove(fd);
            fd.close();
            server.gone(this);
        }
    }

    private void ready(final int events) {
        if (!fd.isOpen()) {
            return;
        }
        try {
            if (lingering) {
                discard();
            } else {
                if ((events & EventLoop.EPOLLIN) != 0 && isHearing()) {
                    receive();
                }
                work();
            }
            if (fd.isOpen() && (events & (EventLoop.EPOLLERR | EventLoop.EPOLLHUP)) != 0) {
                close();
            }
        } catch (final SysException e) {
            // Reset, timed out, unreachable: the client's own affair.
            close();
        }
    }

    private boolean isHearing() {
        return !ended && !refused && answers == null && pending() < ENOUGH;
    }

    private int pending() {
        return outEnd - outStart;
    }

    private void receive() {
        if (in.length - inEnd < FEW / 2) {
            makeRoom();
        }
        final int n = Io.read(fd, in, inEnd, in.length - inEnd);
        if (n == 0) {
            ended = true;
        } else if (n != Io.AGAIN) {
            inEnd += n;
        }
    }

    /** Moves what has come to the front, and grows to what the message at hand takes. */
    private void makeRoom() {
        final int length = inEnd - inStart;
        final int needed = length < PREFIX ? 0 : PREFIX + messageLength();
        final boolean fits = Math.max(needed, length + FEW) <= in.length;
        final byte[] larger = fits ? in : new byte[Math.max(needed, length) + FEW];
        System.arraycopy(in, inStart, larger, 0, length);
        in = larger;
        inStart = 0;
        inEnd = length;
    }

    private int messageLength() {
        return (in[inStart] & 0xff) << 8 | in[inStart + 1] & 0xff;
    }

    /** Answers and sends as much as goes now, and says what is waited for next. */
    private void work() {
        int turn = TURN;
        while (true) {
            fill();
            if (pending() == 0) {
                break;
            }
            final int n = Sockets.send(fd, out, outStart, Math.min(pending(), turn), 0, null);
            if (n == Io.AGAIN) {
                break;
            }
            outStart += n;
            activeAt = server.now();
            turn -= n;
            if (turn <= 0) {
                break;
            }
        }
        if (pending() > 0 || answers != null) {
            begunAt = 0;
        } else if (ended) {
            close();
            return;
        } else if (refused) {
            linger();
            return;
        } else {
            rest();
        }
        watch();
        await();
    }

    /** Makes answers until enough of them wait or every whole message has its own. */
    private void fill() {
        while (pending() < ENOUGH) {
            if (answers == null) {
                final byte[] message = refused ? null : message();
                if (message == null) {
                    return;
                }
                answers = server.answers(message, peer);
                refused = !answers.hasNext();
            }
            if (!append()) {
                answers = null;
            }
        }
    }

    /** The next whole message; null when there is none. One too short to have a header ends the conversation. */
    private byte[] message() {
        if (inEnd - inStart < PREFIX) {
            return null;
        }
        final int length = messageLength();
        if (length < ServerFailure.HEADER) {
            refused = true;
            return null;
        }
        if (inEnd - inStart < PREFIX + length) {
            return null;
        }
        final byte[] message = new byte[length];
        System.arraycopy(in, inStart + PREFIX, message, 0, length);
        inStart += PREFIX + length;
        activeAt = server.now();
        begunAt = 0;
        return message;
    }

    /** Adds the next answer to what is to be sent; false when there was none. */
    private boolean append() {
        final byte[] answer;
        try {
            if (!answers.hasNext()) {
                return false;
            }
            answer = answers.next();
            if (answer.length > MESSAGE_MAX) {
                throw new IllegalStateException("an answer of " + answer.length + " octets");
            }
        } catch (final Throwable t) {
            // Half an answer of several messages: only an end tells the client that the rest is missing.
            server.failed(t);
            refused = true;
            return false;
        }
        final int length = pending();
        if (out.length - outEnd < PREFIX + answer.length) {
            final int needed = length + PREFIX + answer.length;
            final byte[] larger = needed <= out.length ? out : new byte[Math.max(FEW, Math.max(needed,
                    Math.min(needed * 2, OUT_MAX)))];
            System.arraycopy(out, outStart, larger, 0, length);
            out = larger;
            outStart = 0;
            outEnd = length;
        }
        out[outEnd] = (byte) (answer.length >> 8);
        out[outEnd + 1] = (byte) answer.length;
        System.arraycopy(answer, 0, out, outEnd + PREFIX, answer.length);
        outEnd += PREFIX + answer.length;
        return true;
    }

    /** Everything is answered: gives large buffers back, and marks when a message that is half there began. */
    private void rest() {
        outStart = 0;
        outEnd = 0;
        if (out.length > FEW) {
            out = NONE;
        }
        if (inStart == inEnd) {
            inStart = 0;
            inEnd = 0;
            begunAt = 0;
            if (in.length > FEW) {
                in = NONE;
            }
        } else if (begunAt == 0) {
            begunAt = server.now();
        }
    }

    /** Ends our side, and hears the other out: closing now would reset the connection, and lose the last answers. */
    private void linger() {
        lingering = true;
        in = new byte[FEW];
        out = NONE;
        InetSockets.endOutput(fd);
        watch();
        activeAt = server.now();
        await();
    }

    private void discard() {
        if (Io.read(fd, in, 0, in.length) == 0) {
            close();
        }
    }

    private void watch() {
        final int wanted = (lingering || isHearing() ? EventLoop.EPOLLIN : 0)
                | (pending() > 0 || answers != null ? EventLoop.EPOLLOUT : 0);
        if (wanted != interest) {
            server.loop().modify(fd, wanted);
            interest = wanted;
        }
    }

    private long deadline() {
        final TcpServer.Limits limits = server.limits();
        if (lingering) {
            return activeAt + LINGER;
        }
        if (pending() > 0 || answers != null) {
            return activeAt + TimeUnit.MILLISECONDS.toNanos(limits.stallMillis());
        }
        return begunAt != 0 ? begunAt + TimeUnit.MILLISECONDS.toNanos(limits.messageMillis())
                : activeAt + TimeUnit.MILLISECONDS.toNanos(limits.idleMillis());
    }

    /** Sets the timer unless it comes early enough: it looks again when it runs. */
    private void await() {
        final long deadline = deadline();
        if (timer == null || deadline < timerAt) {
            server.loop().cancel(timer);
            timerAt = deadline;
            timer = server.loop().at(deadline, this::expire);
        }
    }

    private void expire() {
        timer = null;
        if (deadline() <= server.now()) {
            close();
        } else {
            await();
        }
    }
}
