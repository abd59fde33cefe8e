// SPDX-License-Identifier: Apache-2.0
package ontap.dns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import ontap.sys.Clock;
import ontap.sys.Endpoint;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.Sockets;
import ontap.sys.SysException;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;

/**
 * Tells secondaries that a zone has changed (RFC 1996), from a UDP socket of its own for IPv4 and for IPv6, in the
 * network namespace of the thread that opens it; {@link NotifyCourse} decides when. Belongs to the thread of its event
 * loop; does not block. Idle it makes no system call.
 */
public final class Notifier implements AutoCloseable {
    private static final int DATAGRAM_MAX = 4096;
    private static final int ID_BITS = 0xffff;

    private final EventLoop loop;
    private final List<Target> targets;
    private final IntSupplier ids;
    private final LongSupplier epochSeconds;
    private final Consumer<Note> notes;
    private final List<Fd> sockets = new ArrayList<>();
    private final Fd ipv4;
    private final Fd ipv6;
    private final byte[] buffer = new byte[DATAGRAM_MAX];
    private final Map<Place, Telling> tellings = new HashMap<>();
    private final Map<Integer, Telling> byId = new HashMap<>();

    /**
     * A secondary.
     *
     * @param to where it listens
     * @param view whose zones it is told of
     * @param key to sign with, or null
     */
    public record Target(Endpoint to, int view, TsigKey key) {
    }

    /** How telling ended, or what goes wrong with it. */
    public enum Outcome {
        /** It has answered, and will look. */
        HEARD,
        /** It has answered that it will not: see the code. */
        REFUSED,
        /** Its answer is not signed as it should be; it is asked again. */
        DISTRUSTED,
        /** It has not answered, however often it was told. */
        SILENT,
        /** The message could not be sent; it is tried again. */
        UNSENT
    }

    /**
     * What may be worth a line in a log.
     *
     * @param zone its apex
     * @param code an RCODE or TSIG error for REFUSED and DISTRUSTED, an errno for UNSENT, else 0
     */
    public record Note(Target target, String zone, long serial, Outcome outcome, int code) {
    }

    private record Place(Target target, String apex) {
    }

    /** One zone and one secondary. */
    private static final class Telling {
        private final Place place;
        private final List<byte[]> macs = new ArrayList<>();
        private RrSet soa;
        private NotifyCourse course = NotifyCourse.QUIET;
        private EventLoop.Timer timer;

        Telling(final Place place) {
            this.place = place;
        }
    }

    /**
     * Served by {@code loop} from now on.
     *
     * @param ids random numbers, of which 16 bits are used
     * @param epochSeconds the time since 1970, for signatures
     * @param notes told what comes of it, on the loop's thread
     */
    public Notifier(final EventLoop loop, final List<Target> targets, final IntSupplier ids,
            final LongSupplier epochSeconds, final Consumer<Note> notes) {
        this.loop = loop;
        this.targets = List.copyOf(targets);
        this.ids = ids;
        this.epochSeconds = epochSeconds;
        this.notes = notes;
        try {
            ipv4 = wanted(true) ? opened(Sockets.AF_INET) : null;
            ipv6 = wanted(false) ? opened(Sockets.AF_INET6) : null;
        } catch (final RuntimeException e) {
            close();
            throw e;
        }
    }

    /** These changes have been published: each zone whose SOA is among them is told of. */
    public void changed(final List<Catalog.Change> changes) {
        for (final Catalog.Change change : changes) {
            for (final Target target : targets) {
                if (target.view == change.view()) {
                    for (final RrSet set : change.put()) {
                        if (set.type() == Type.SOA) {
                            tell(target, set);
                        }
                    }
                    forget(target, change.gone());
                }
            }
        }
    }

    /** Tells nobody any more; a second time does nothing. */
    @Override
    public void close() {
        for (final Telling telling : tellings.values()) {
            loop.cancel(telling.timer);
        }
        tellings.clear();
        byId.clear();
        for (final Fd socket : sockets) {
            loop.remove(socket);
            socket.close();
        }
        sockets.clear();
    }

    private boolean wanted(final boolean ip4) {
        for (final Target target : targets) {
            if (target.to.isIp4() == ip4) {
                return true;
            }
        }
        return false;
    }

    private Fd opened(final int family) {
        final Fd socket = Sockets.socket(family, Sockets.SOCK_DGRAM | Sockets.SOCK_NONBLOCK, 0);
        sockets.add(socket);
        loop.add(socket, EventLoop.EPOLLIN, new EventLoop.Handler() {
            @Override
            public void ready(final int events) {
                receive(socket);
            }
        });
        return socket;
    }

    private void tell(final Target target, final RrSet soa) {
        final Place place = new Place(target, soa.name());
        Telling telling = tellings.get(place);
        if (telling == null) {
            telling = new Telling(place);
            tellings.put(place, telling);
        }
        release(telling);
        int id = ids.getAsInt() & ID_BITS;
        while (byId.containsKey(id)) {
            id = id + 1 & ID_BITS;
        }
        byId.put(id, telling);
        telling.soa = soa;
        telling.course = telling.course.changed(soa.serial(), id, nowMs());
        go(telling);
    }

    private void forget(final Target target, final List<Catalog.Key> gone) {
        for (final Catalog.Key key : gone) {
            final Telling telling = key.type() == Type.SOA ? tellings.remove(new Place(target, key.name())) : null;
            if (telling != null) {
                release(telling);
                loop.cancel(telling.timer);
            }
        }
    }

    /** What was sent for it is not expected to be answered any more. */
    private void release(final Telling telling) {
        byId.remove(telling.course.id());
        telling.macs.clear();
    }

    /** Does what is due, and comes back when more is. */
    private void go(final Telling telling) {
        loop.cancel(telling.timer);
        final NotifyCourse.Step step = telling.course.due(nowMs());
        switch (step.deed()) {
            case SEND -> send(telling);
            case GIVE_UP -> {
                release(telling);
                note(telling, Outcome.SILENT, 0);
            }
            default -> { }
        }
        telling.course = step.next();
        if (telling.course.dueMs() != NotifyCourse.NEVER) {
            telling.timer = loop.at(TimeUnit.MILLISECONDS.toNanos(telling.course.dueMs()), new Runnable() {
                @Override
                public void run() {
                    go(telling);
                }
            });
        }
    }

    private void send(final Telling telling) {
        byte[] message = NotifyMessage.of(telling.course.id(), telling.soa);
        final TsigKey key = telling.place.target.key;
        if (key != null) {
            final TsigSigner signer = new TsigSigner(key, null);
            message = signer.sign(message, epochSeconds.getAsLong());
            telling.macs.add(signer.mac());
        }
        final Endpoint to = telling.place.target.to;
        try {
            // Without room it is as if it were lost on the way.
            Sockets.send(to.isIp4() ? ipv4 : ipv6, message, 0, message.length, 0, to.sockaddr());
        } catch (final SysException e) {
            note(telling, Outcome.UNSENT, e.errno());
        }
    }

    private void receive(final Fd socket) {
        for (Sockets.Received r = next(socket); r != null; r = next(socket)) {
            final Endpoint from = Endpoint.of(r.from());
            if (!r.truncated() && r.length() > 1) {
                heard(Arrays.copyOf(buffer, r.length()), from);
            }
        }
    }

    /** Null when there is nothing; what ICMP said of a datagram that was sent is no answer, and is passed over. */
    private Sockets.Received next(final Fd socket) {
        try {
            return Sockets.receive(socket, buffer, 0);
        } catch (final SysException e) {
            return null;
        }
    }

    private void heard(final byte[] datagram, final Endpoint from) {
        final int id = (datagram[0] & 0xff) << Byte.SIZE | datagram[1] & 0xff;
        final Telling telling = byId.get(id);
        if (telling == null || !telling.place.target.to.equals(from)) {
            return;
        }
        final NotifyMessage.Answer answer = NotifyMessage.parse(datagram, telling.place.target.key, telling.macs,
                epochSeconds.getAsLong());
        if (answer == null || !answer.apex().equals(telling.soa.records().get(0).getName())) {
            return;
        }
        if (!answer.genuine()) {
            note(telling, Outcome.DISTRUSTED, answer.tsigError() != 0 ? answer.tsigError() : answer.rcode());
            return;
        }
        final NotifyCourse next = telling.course.answered(id);
        if (next != telling.course) {
            release(telling);
            loop.cancel(telling.timer);
            telling.course = next;
            note(telling, answer.rcode() == Rcode.NOERROR ? Outcome.HEARD : Outcome.REFUSED, answer.rcode());
        }
    }

    private void note(final Telling telling, final Outcome outcome, final int code) {
        notes.accept(new Note(telling.place.target, telling.place.apex, telling.course.serial(), outcome, code));
    }

    private static long nowMs() {
        return TimeUnit.NANOSECONDS.toMillis(Clock.boottimeNanos());
    }
}
