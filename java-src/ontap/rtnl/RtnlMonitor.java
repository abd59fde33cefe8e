// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.util.ArrayList;
import java.util.List;
import ontap.netlink.Message;
import ontap.netlink.Monitor;
import ontap.netlink.NetlinkConstants;
import ontap.netlink.NetlinkFormatException;
import ontap.sys.Fd;

/**
 * Links, addresses and namespace ids as they change, and what routers tell, for an event loop.
 * Subscribe first, then dump, then apply what was heard meanwhile.
 */
public final class RtnlMonitor implements AutoCloseable {
    /** What to hear of routers: what they advertise for programs, or their coming and going as default routes. */
    public enum Routers {
        /** {@link RtnlEvent.NdUserOption}, as often as a router speaks. */
        OPTIONS,
        /** {@link RtnlEvent.RouterNew} and {@link RtnlEvent.RouterGone}; other routes wake nobody. */
        ROUTES
    }

    private final Monitor monitor;

    private RtnlMonitor(final Monitor monitor) {
        this.monitor = monitor;
    }

    /**
     * Listens in the calling thread's network namespace. With {@code allNamespaces} also to every
     * namespace that has an id there (see {@link Rtnl#ensureNsid}) and in whose user namespace the
     * caller has CAP_NET_BROADCAST. SysException, EPERM without that capability here.
     */
    public static RtnlMonitor open(final boolean allNamespaces) {
        return open(allNamespaces, 0);
    }

    /** As {@link #open(boolean)} with a receive buffer in bytes, 0 for 16 MiB: a test makes it overflow. */
    public static RtnlMonitor open(final boolean allNamespaces, final int receiveBuffer) {
        return open(allNamespaces, receiveBuffer, Routers.OPTIONS);
    }

    /** As {@link #open(boolean, int)}, with a choice of what to hear of routers. */
    public static RtnlMonitor open(final boolean allNamespaces, final int receiveBuffer, final Routers routers) {
        final boolean routes = routers == Routers.ROUTES;
        final Monitor.Options options = new Monitor.Options(
                NetlinkConstants.NETLINK_ROUTE,
                allNamespaces,
                receiveBuffer,
                RtnlNames.DIALECT,
                routes ? RouterFilter.program() : new byte[0]);
        return new RtnlMonitor(Monitor.open(
                options,
                RtnlConstants.RTNLGRP_LINK,
                RtnlConstants.RTNLGRP_IPV4_IFADDR,
                RtnlConstants.RTNLGRP_IPV6_IFADDR,
                routes ? RtnlConstants.RTNLGRP_IPV6_ROUTE : RtnlConstants.RTNLGRP_ND_USEROPT,
                RtnlConstants.RTNLGRP_NSID));
    }

    /**
     * Takes over the socket of a monitor that was opened before this program was executed, with what it hears, and
     * with the rights it was opened with: what has queued meanwhile comes first. The descriptor becomes the monitor's.
     */
    public static RtnlMonitor adopt(final Fd fd) {
        return new RtnlMonitor(Monitor.adopt(fd, RtnlNames.DIALECT));
    }

    /** Readable when {@link #receive} has something to give; stays the monitor's. */
    public Fd fd() {
        return monitor.fd();
    }

    /**
     * What has come, without waiting; empty when there is nothing. A long queue is given in parts:
     * the descriptor stays readable. SysException when the socket fails otherwise than by overflow.
     */
    public List<RtnlEvent> receive() {
        final Monitor.Batch batch = monitor.receive();
        final List<RtnlEvent> out = new ArrayList<>(batch.messages().size() + 1);
        boolean overflow = batch.overflow();
        for (final Message m : batch.messages()) {
            try {
                if (m.type() == RtnlConstants.RTM_NEWROUTE || m.type() == RtnlConstants.RTM_DELROUTE) {
                    routers(m, out);
                    continue;
                }
                final RtnlEvent event = event(m);
                if (event != null) {
                    out.add(event);
                }
            } catch (final NetlinkFormatException e) {
                overflow = true; // something happened that we could not read
            }
        }
        if (overflow) {
            out.add(new RtnlEvent.Overflow());
        }
        return out;
    }

    /** Stops listening; a second time does nothing. */
    @Override
    public void close() {
        monitor.close();
    }

    /** One event for each next hop of an advertised default route, none for other routes. */
    static void routers(final Message m, final List<RtnlEvent> out) {
        for (final Route r : RouteMessages.parse(m)) {
            if (RouteMessages.isAdvertisedDefault(r)) {
                out.add(m.type() == RtnlConstants.RTM_NEWROUTE
                        ? new RtnlEvent.RouterNew(m.nsid(), r.oif(), r.gateway())
                        : new RtnlEvent.RouterGone(m.nsid(), r.oif(), r.gateway()));
            }
        }
    }

    /** Null for what does not matter here. */
    static RtnlEvent event(final Message m) {
        switch (m.type()) {
            case RtnlConstants.RTM_NEWLINK:
            case RtnlConstants.RTM_DELLINK:
                final LinkMessages.Told told = LinkMessages.parse(m);
                if (told == null) {
                    return null;
                }
                return m.type() == RtnlConstants.RTM_NEWLINK
                        ? new RtnlEvent.LinkNew(told.link())
                        : new RtnlEvent.LinkGone(told.link(), told.newNsid(), told.newIndex());
            case RtnlConstants.RTM_NEWADDR:
            case RtnlConstants.RTM_DELADDR:
                final Address address = AddressMessages.parse(m);
                if (address == null) {
                    return null;
                }
                return m.type() == RtnlConstants.RTM_NEWADDR
                        ? new RtnlEvent.AddressNew(address)
                        : new RtnlEvent.AddressGone(address);
            case RtnlConstants.RTM_NEWNDUSEROPT:
                return NdUserOptionMessages.parse(m);
            case RtnlConstants.RTM_NEWNSID:
            case RtnlConstants.RTM_DELNSID:
                // From another namespace: an entry of that one's table, not of ours.
                final Integer nsid = m.nsid() != null ? null : NsidMessages.parse(m);
                if (nsid == null) {
                    return null;
                }
                return m.type() == RtnlConstants.RTM_NEWNSID
                        ? new RtnlEvent.NsidNew(nsid)
                        : new RtnlEvent.NsidGone(nsid);
            default:
                return null;
        }
    }
}
