// SPDX-License-Identifier: Apache-2.0
package ontap.ndp;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import ontap.rtnl.Address;
import ontap.rtnl.Link;
import ontap.rtnl.Neighbour;
import ontap.rtnl.Rtnl;
import ontap.rtnl.RtnlConstants;
import ontap.rtnl.RtnlEvent;
import ontap.rtnl.RtnlMonitor;
import ontap.sys.Clock;
import ontap.sys.Errno;
import ontap.sys.EventLoop;
import ontap.sys.Fd;
import ontap.sys.Namespaces;
import ontap.sys.NsThread;
import ontap.sys.SignalQueue;
import ontap.sys.Signals;
import ontap.sys.SysException;

/**
 * Advertises on one link, as the one router there is (RFC 4861, section 6.2): some advertisements as soon as the link
 * runs and has a link-local address that may be used, then one now and then, and an answer to each host that asks. The
 * answer goes to the asker alone and without the random delay of section 6.2.6, which keeps several routers apart.
 *
 * <p>Belongs to the thread of its event loop; does not block. Between advertisements it waits: for the kernel's news
 * of link and addresses, for askers, for one timer.
 */
public final class RouterAdvertiser implements AutoCloseable {
    /** Section 10: between two advertisements to all, when somebody asks for them. */
    private static final long MIN_DELAY_MS = 3000;
    private static final int LINK_LOCAL_BITS = 10;

    /**
     * How often to advertise unasked.
     *
     * @param burst so many in the beginning, {@code minMs} apart
     * @param minMs least time between two
     * @param maxMs greatest time between two
     */
    public record Pace(int burst, long minMs, long maxMs) {
        /** The values of RFC 4861, sections 6.2.1 and 10, but for a shorter wait in the beginning. */
        public static final Pace USUAL = new Pace(3, MIN_DELAY_MS, 600_000);
        /** For links whose hosts come and go quickly (RFC 6275, section 7.5). */
        public static final Pace QUICK = new Pace(3, 250, 500);
    }

    private final EventLoop loop;
    private final String link;
    private final RouterAdvertisement said;
    private final Pace pace;
    private final Rtnl rtnl;
    private final RtnlMonitor monitor;
    private final Icmp6Socket socket;
    private final int index;
    private Inet6Address source;
    private byte[] message;
    private int burst;
    private long lastMs;
    private long nextMs = Long.MAX_VALUE;
    private EventLoop.Timer timer;
    private boolean closed;

    private RouterAdvertiser(final EventLoop loop, final String link, final RouterAdvertisement said,
            final Pace pace) {
        this.loop = loop;
        this.link = link;
        this.said = said;
        this.pace = pace;
        final List<AutoCloseable> made = new ArrayList<>();
        try {
            monitor = kept(made, RtnlMonitor.open(false));
            rtnl = kept(made, Rtnl.open());
            final Link there = rtnl.link(link);
            if (there == null) {
                throw new SysException("router advertiser", "link " + link, Errno.ENODEV);
            }
            index = there.index();
            socket = kept(made, new Icmp6Socket(link, index, RouterAdvertisement.SOLICITATION));
        } catch (final RuntimeException e) {
            closeAll(made);
            throw e;
        }
    }

    /**
     * Advertises on a link of the calling thread's network namespace, served by {@code loop} from now on. The link's
     * hardware address is added as an option. SysException: ENODEV, EPERM without CAP_NET_RAW.
     */
    public static RouterAdvertiser open(final EventLoop loop, final String link, final RouterAdvertisement said,
            final Pace pace) {
        return new RouterAdvertiser(loop, link, said, pace).start();
    }

    /** The same in another network namespace, entered by a thread of its own for the moment of opening. */
    public static RouterAdvertiser open(final EventLoop loop, final Fd namespace, final String link,
            final RouterAdvertisement said, final Pace pace) {
        return NsThread.call("ontap-ndp-open", new Callable<RouterAdvertiser>() {
            @Override
            public RouterAdvertiser call() {
                Namespaces.setns(namespace, Namespaces.CLONE_NEWNET);
                return new RouterAdvertiser(loop, link, said, pace);
            }
        }).start();
    }

    /** Tells all hosts that this router goes (section 6.2.5), and ends; a second time does nothing. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        loop.cancel(timer);
        loop.remove(monitor.fd());
        loop.remove(socket.fd());
        try {
            if (source != null) {
                send(withHwaddr(said.farewell()), Icmp6Socket.ALL_NODES);
            }
        } finally {
            closeAll(List.of(socket, monitor, rtnl));
        }
    }

    private RouterAdvertiser start() {
        loop.add(monitor.fd(), EventLoop.EPOLLIN, new EventLoop.Handler() {
            @Override
            public void ready(final int events) {
                kernelSaid(monitor.receive());
            }
        });
        loop.add(socket.fd(), EventLoop.EPOLLIN, new EventLoop.Handler() {
            @Override
            public void ready(final int events) {
                for (Icmp6Socket.Received r = socket.receive(); r != null; r = socket.receive()) {
                    asked(r);
                }
            }
        });
        look();
        return this;
    }

    // The link

    private void kernelSaid(final List<RtnlEvent> events) {
        for (final RtnlEvent event : events) {
            if (concerns(event)) {
                look();
                return;
            }
        }
    }

    private boolean concerns(final RtnlEvent event) {
        if (event instanceof RtnlEvent.LinkNew e) {
            return e.link().index() == index;
        }
        if (event instanceof RtnlEvent.LinkGone e) {
            return e.link().index() == index;
        }
        if (event instanceof RtnlEvent.AddressNew e) {
            return e.address().index() == index;
        }
        if (event instanceof RtnlEvent.AddressGone e) {
            return e.address().index() == index;
        }
        return event instanceof RtnlEvent.Overflow;
    }

    /** Looks at what the link is now, and begins anew when there is a source address and it is another. */
    private void look() {
        final Inet6Address found = usableSource();
        if (Objects.equals(found, source)) {
            return;
        }
        source = found;
        loop.cancel(timer);
        nextMs = Long.MAX_VALUE;
        if (source != null) {
            socket.setSource(source);
            message = withHwaddr(said);
            burst = pace.burst;
            advertise();
        }
    }

    /** Advertisements come from a link-local address (section 6.1.2), and there is none before the link runs. */
    private Inet6Address usableSource() {
        final Link now = rtnl.link(index);
        if (now == null || !now.running()) {
            return null;
        }
        for (final Address a : rtnl.addresses()) {
            if (a.index() == index && a.usable() && a.ip() instanceof Inet6Address ip && isLinkLocal(ip)) {
                return ip;
            }
        }
        return null;
    }

    /** fe80::/10 (RFC 4291, section 2.4). */
    private static boolean isLinkLocal(final Inet6Address ip) {
        final byte[] b = ip.getAddress();
        return ((b[0] & 0xff) << 8 | b[1] & 0xff) >> Short.SIZE - LINK_LOCAL_BITS == 0xfe80 >> Short.SIZE - LINK_LOCAL_BITS;
    }

    private byte[] withHwaddr(final RouterAdvertisement advertisement) {
        final Link now = rtnl.link(index);
        final byte[] hwaddr = now == null ? null : now.hwaddr();
        return hwaddr == null || hwaddr.length == 0 ? advertisement.encode()
                : advertisement.with(NdpOption.Raw.sourceLinkLayer(hwaddr)).encode();
    }

    // The talk

    private void advertise() {
        timer = null;
        lastMs = nowMs();
        send(message, Icmp6Socket.ALL_NODES);
        if (burst > 1) {
            burst--;
            wakeAt(lastMs + pace.minMs);
        } else {
            wakeAt(lastMs + ThreadLocalRandom.current().nextLong(pace.minMs, pace.maxMs + 1));
        }
    }

    private void asked(final Icmp6Socket.Received r) {
        final List<NdpOption> options;
        try {
            options = RouterAdvertisement.parseSolicitation(r.bytes(), r.length());
        } catch (final NdpFormatException e) {
            return;
        }
        if (source == null) {
            return;
        }
        if (isLinkLocal(r.from())) {
            learn(r.from(), options);
            send(message, r.from());
        } else if (r.from().isAnyLocalAddress() && !namesItself(options)) {
            // It has no address to be answered at yet: all hear it, but not more often than is good for them.
            final long due = Math.max(nowMs(), lastMs + Math.min(MIN_DELAY_MS, pace.minMs));
            if (due < nextMs) {
                wakeAt(due);
            }
        }
    }

    /**
     * Section 6.2.6: an asker may have another link-layer address than the kernel remembers, as a service does that
     * keeps its name and gets a new link. An answer to the old one would be lost, and found out only after 8 s.
     */
    private void learn(final Inet6Address from, final List<NdpOption> options) {
        for (final NdpOption option : options) {
            if (option instanceof NdpOption.Raw raw && raw.type() == NdpOption.Raw.SOURCE_LINK_LAYER) {
                try {
                    rtnl.addNeighbour(new Neighbour(RtnlConstants.AF_INET6, from, raw.value(), index,
                            RtnlConstants.NUD_STALE));
                } catch (final SysException e) {
                    // What was tried for the asker's sake; without it the answer goes where the kernel thinks.
                    return;
                }
            }
        }
    }

    /** Section 6.1.1: who has no address must not give a link-layer address. */
    private static boolean namesItself(final List<NdpOption> options) {
        for (final NdpOption option : options) {
            if (option.type() == NdpOption.Raw.SOURCE_LINK_LAYER) {
                return true;
            }
        }
        return false;
    }

    private void wakeAt(final long ms) {
        loop.cancel(timer);
        nextMs = ms;
        timer = loop.at(TimeUnit.MILLISECONDS.toNanos(ms), new Runnable() {
            @Override
            public void run() {
                advertise();
            }
        });
    }

    /** A link that has just gone, or is full, is no mistake: there is a next time. */
    private void send(final byte[] bytes, final Inet6Address to) {
        try {
            socket.send(bytes, to);
        } catch (final SysException e) {
            switch (e.errno()) {
                case Errno.EADDRNOTAVAIL, Errno.ENETDOWN, Errno.ENETUNREACH, Errno.ENODEV, Errno.ENOBUFS,
                        Errno.EHOSTUNREACH, Errno.EINVAL, Errno.ENXIO -> { }
                default -> throw e;
            }
        }
    }

    private static long nowMs() {
        return TimeUnit.NANOSECONDS.toMillis(Clock.boottimeNanos());
    }

    private static <T extends AutoCloseable> T kept(final List<AutoCloseable> made, final T one) {
        made.add(one);
        return one;
    }

    private static void closeAll(final List<? extends AutoCloseable> all) {
        for (final AutoCloseable one : all) {
            try {
                one.close();
            } catch (final RuntimeException e) {
                throw e;
            } catch (final Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    // The program

    /** A prefix as a person writes it: {@code fd00::/64}. IllegalArgumentException for anything else. */
    static NdpOption.Prefix parsePrefix(final String text) {
        final int slash = text.indexOf('/');
        try {
            final InetAddress ip = slash > 0 && text.indexOf(':') >= 0
                    ? InetAddress.getByName(text.substring(0, slash)) : null;
            if (ip instanceof Inet6Address prefix) {
                return RouterAdvertisement.prefix(prefix, Integer.parseInt(text.substring(slash + 1)));
            }
        } catch (final UnknownHostException | NumberFormatException e) {
            throw new IllegalArgumentException("should be a prefix such as fd00::/64: " + text, e);
        }
        throw new IllegalArgumentException("should be a prefix such as fd00::/64: " + text);
    }

    /**
     * {@code LINK PREFIX/64…}: advertises the prefixes in the caller's namespace until SIGTERM or SIGINT; says so on
     * standard output once it hears askers. IllegalArgumentException for wrong words.
     */
    public static void main(final String[] words) {
        if (words.length < 2) {
            throw new IllegalArgumentException("usage: ontap.ndp.RouterAdvertiser LINK PREFIX/64 [PREFIX/64...]");
        }
        try {
            advertise(words[0], List.of(words).subList(1, words.length));
        } catch (final IllegalArgumentException e) {
            System.err.println("router advertiser: " + e.getMessage());
            System.exit(100);
        } catch (final SysException e) {
            System.err.println("router advertiser: " + e.getMessage());
            System.exit(111);
        }
    }

    private static void advertise(final String link, final List<String> texts) {
        final List<NdpOption> prefixes = new ArrayList<>();
        for (final String text : texts) {
            prefixes.add(parsePrefix(text));
        }
        try (SignalQueue signals = Signals.on("TERM", "INT");
                EventLoop loop = new EventLoop(new ToStandardError())) {
            final RouterAdvertiser router = open(loop, link, RouterAdvertisement.of(prefixes), Pace.USUAL);
            loop.add(signals.fd(), EventLoop.EPOLLIN, new EventLoop.Handler() {
                @Override
                public void ready(final int events) {
                    if (signals.poll() != null) {
                        loop.stop();
                    }
                }
            });
            System.out.println("advertising " + String.join(" ", texts) + " on " + router.link);
            loop.run();
            router.close();
        }
    }

    private static final class ToStandardError implements Consumer<Throwable> {
        @Override
        public void accept(final Throwable t) {
            System.err.println("router advertiser: " + t);
        }
    }
}
