// SPDX-License-Identifier: Apache-2.0
package ontap.sys;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One open file descriptor and the duty to close it. Exactly one Fd owns a number; closing twice is harmless.
 *
 * <p>There is no cleaner behind it (its thread would wake an idle program): an Fd that is dropped stays open. With
 * {@code -Dontap.fd.trace=true} each remembers where it was made, and those still open when the JVM ends are reported
 * on stderr.
 */
public final class Fd implements AutoCloseable {
    private static final boolean TRACE = Boolean.getBoolean("ontap.fd.trace");
    private static final Set<Fd> OPEN = ConcurrentHashMap.newKeySet();
    private static final int CLOSED = -1;
    /** Copies stay clear of the numbers that mean stdin, stdout and stderr. */
    private static final int FIRST_COPY = 3;

    static {
        if (TRACE) {
            Runtime.getRuntime().addShutdownHook(new Thread("ontap-fd-leaks") {
                @Override
                public void run() {
                    for (final String line : open()) {
                        System.err.println("ontap: warning: descriptor left open: " + line);
                    }
                }
            });
        }
    }

    private final AtomicInteger number;
    private final String what;
    private final Throwable made;

    private Fd(final int raw, final String what) {
        this.number = new AtomicInteger(raw);
        this.what = what;
        this.made = TRACE ? new Throwable() : null;
        OPEN.add(this);
    }

    /**
     * Takes over a descriptor.
     *
     * @param raw an open descriptor, 0 or more; anything below is an IllegalArgumentException
     * @param what a few words for messages: a path, "netlink socket"
     */
    public static Fd own(final int raw, final String what) {
        if (raw < 0) {
            throw new IllegalArgumentException("not a descriptor: " + raw + " (" + what + ")");
        }
        return new Fd(raw, what);
    }

    /** The number, to be used at once and not kept; IllegalStateException when closed or disowned. */
    public int raw() {
        final int raw = number.get();
        if (raw == CLOSED) {
            throw new IllegalStateException("descriptor is closed: " + what);
        }
        return raw;
    }

    /** Gives up ownership: the caller has to close the returned number. IllegalStateException when already closed. */
    public int disown() {
        final int raw = number.getAndSet(CLOSED);
        if (raw == CLOSED) {
            throw new IllegalStateException("descriptor is closed: " + what);
        }
        OPEN.remove(this);
        return raw;
    }

    /** A second, independently owned descriptor of the same open file, close-on-exec, numbered 3 or more. */
    public Fd dup() {
        final int copy = Libc.fcntl(raw(), Libc.F_DUPFD_CLOEXEC, FIRST_COPY);
        if (copy < 0) {
            throw SysException.last("fcntl", what);
        }
        return new Fd(copy, what);
    }

    /** False once closed or disowned. */
    public boolean isOpen() {
        return number.get() != CLOSED;
    }

    /** The words given to {@link #own}. */
    public String what() {
        return what;
    }

    /** Closes once, from whichever thread comes first; never throws, as Linux frees the number even on error. */
    @Override
    public void close() {
        final int raw = number.getAndSet(CLOSED);
        if (raw != CLOSED) {
            OPEN.remove(this);
            Libc.close(raw);
        }
    }

    /** One line for every descriptor owned now: number and words, and where it was made when tracing is on. */
    public static List<String> open() {
        final List<String> lines = new ArrayList<>();
        for (final Fd fd : OPEN) {
            final int raw = fd.number.get();
            if (raw != CLOSED) {
                lines.add(raw + " " + fd.what + fd.site());
            }
        }
        return lines;
    }

    /** Number and words, {@code fd 7 (/run/netns/a)}; {@code closed} in place of the number once closed. */
    @Override
    public String toString() {
        final int raw = number.get();
        return "fd " + (raw == CLOSED ? "closed" : Integer.toString(raw)) + " (" + what + ")";
    }

    /** The first callers outside this class, nearest first. */
    private String site() {
        if (made == null) {
            return "";
        }
        final StringBuilder text = new StringBuilder();
        int shown = 0;
        for (final StackTraceElement frame : made.getStackTrace()) {
            if (!frame.getClassName().equals(Fd.class.getName()) && shown < 6) {
                text.append(shown == 0 ? " at " : " < ").append(frame);
                shown++;
            }
        }
        return text.toString();
    }
}
