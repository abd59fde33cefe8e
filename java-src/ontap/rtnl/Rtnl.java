// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import ontap.netlink.Message;
import ontap.netlink.NetlinkConstants;
import ontap.netlink.NetlinkException;
import ontap.netlink.NetlinkSocket;
import ontap.netlink.Reply;
import ontap.netlink.Request;
import ontap.sys.Errno;
import ontap.sys.Fd;
import ontap.sys.Namespaces;
import ontap.sys.NsThread;

/**
 * Questions and changes of rtnetlink in one network namespace: that of the thread that opened it,
 * whichever thread uses it later. Every method blocks until the kernel has answered; a refusal is
 * {@link NetlinkException} with the kernel's words, an answer that cannot be read
 * NetlinkFormatException. Several threads may share one.
 */
public final class Rtnl implements AutoCloseable {
    private final NetlinkSocket socket;

    /** Over any socket; a test gives one with a scripted transport. */
    Rtnl(final NetlinkSocket socket) {
        this.socket = socket;
    }

    /** For the calling thread's network namespace; SysException. */
    public static Rtnl open() {
        return new Rtnl(NetlinkSocket.open(NetlinkConstants.NETLINK_ROUTE, RtnlNames.DIALECT));
    }

    /** For another network namespace, entered by a thread of its own for the moment of opening; SysException. */
    public static Rtnl open(final Fd namespace) {
        return NsThread.call("ontap-rtnl-open", new Callable<Rtnl>() {
            @Override
            public Rtnl call() {
                Namespaces.setns(namespace, Namespaces.CLONE_NEWNET);
                return open();
            }
        });
    }

    /** Closes the socket; a second time does nothing. */
    @Override
    public void close() {
        socket.close();
    }

    /** Changes to be sent together. */
    public RtnlBatch batch() {
        return new RtnlBatch(socket);
    }

    // Links

    /** The link of that name, null when there is none. */
    public Link link(final String name) {
        return oneLink(LinkMessages.get(name));
    }

    /** The link of that index, null when there is none. */
    public Link link(final int index) {
        return oneLink(LinkMessages.get(index));
    }

    /** The link of that index in the namespace with that id here, null when there is none; errors as {@link #linksOf}. */
    public Link linkOf(final int nsid, final int index) {
        final Link link = oneLink(LinkMessages.getOf(nsid, index));
        if (link != null) {
            echoed("RTM_GETLINK", nsid, link.nsid());
        }
        return link;
    }

    /** All links of this namespace. */
    public List<Link> links() {
        return links(null);
    }

    /**
     * All links of the namespace with that id here; their nsid is set. EINVAL for an unknown id,
     * EACCES without CAP_NET_ADMIN in that namespace's user namespace.
     */
    public List<Link> linksOf(final int nsid) {
        return links(nsid);
    }

    /**
     * Makes a link, straight in the target namespace when the spec names one. Alias and address mode
     * are not taken by the kernel at creation: they are set right after, in a second round trip, in
     * a foreign namespace through a socket opened there; when that fails the link is deleted again.
     *
     * @return the index; 0 when made elsewhere, the spec chose none and nothing had to be set after
     */
    public int createLink(final LinkSpec spec) {
        final List<Message> echo = socket.request(LinkMessages.create(spec));
        if (spec.namespace() == null) {
            final int index = spec.index() != 0 ? spec.index() : NewLink.index(this, spec.name(), echo);
            NewLink.finish(this, spec, index);
            return index;
        }
        if (!spec.needsMore()) {
            return spec.index();
        }
        try (Rtnl there = open(spec.namespace())) {
            final int index = spec.index() != 0 ? spec.index() : NewLink.index(there, spec.name(), List.of());
            NewLink.finish(there, spec, index);
            return index;
        }
    }

    /** Sets a link up. */
    public void setUp(final int index) {
        socket.request(LinkMessages.up(index, true));
    }

    /** Sets a link down. */
    public void setDown(final int index) {
        socket.request(LinkMessages.up(index, false));
    }

    /** Sets the IFF_* bits of {@code mask} to those of {@code flags}: IFF_ALLMULTI, IFF_PROMISC. */
    public void setFlags(final int index, final int flags, final int mask) {
        socket.request(LinkMessages.flags(index, flags, mask));
    }

    /** IFLA_IFALIAS, up to 255 bytes; an empty one removes it. On a link that is down no monitor hears of it. */
    public void setAlias(final int index, final String alias) {
        socket.request(LinkMessages.alias(index, alias));
    }

    /** Renames a link; kernels before 6.2 want it down. */
    public void rename(final int index, final String name) {
        socket.request(LinkMessages.name(index, name));
    }

    /** Bytes. */
    public void setMtu(final int index, final int mtu) {
        socket.request(LinkMessages.mtu(index, mtu));
    }

    /** The hardware address. */
    public void setHwaddr(final int index, final byte[] hwaddr) {
        socket.request(LinkMessages.hwaddr(index, hwaddr));
    }

    /** Puts a link into a bridge; master 0 takes it out. */
    public void setMaster(final int index, final int master) {
        socket.request(LinkMessages.master(index, master));
    }

    /** IN6_ADDR_GEN_MODE_*; takes effect when the link is next set up. */
    public void setAddrGenMode(final int index, final int mode) {
        socket.request(LinkMessages.addrGenMode(index, mode));
    }

    /** Moves a link to another namespace, where its index may be another and it is down. */
    public void moveToNamespace(final int index, final Fd namespace) {
        socket.request(LinkMessages.namespace(index, namespace.raw()));
    }

    /** Deletes a link; ENODEV when there is none, EOPNOTSUPP for hardware. */
    public void deleteLink(final int index) {
        socket.request(LinkMessages.delete(index));
    }

    /**
     * Deletes a link of another namespace, known by its nsid; ENODEV when there is none, EINVAL when no
     * namespace has the id any more (or it is about to end).
     */
    public void deleteLinkOf(final int nsid, final int index) {
        socket.request(LinkMessages.deleteOf(nsid, index));
    }

    // Addresses

    /** Adds an address for ever, with IFA_F_* flags; EEXIST when the link has it. */
    public void addAddress(final int index, final InetAddress ip, final int prefixLength, final int flags) {
        addAddress(Address.of(index, ip, prefixLength, flags));
    }

    /** Adds an address with its flags, scope and lifetimes; EEXIST when the link has it. */
    public void addAddress(final Address address) {
        socket.request(AddressMessages.add(address, false));
    }

    /** Adds an address or changes flags and lifetimes of the one that is there. */
    public void replaceAddress(final Address address) {
        socket.request(AddressMessages.add(address, true));
    }

    /** Takes an address away; EADDRNOTAVAIL when the link has it not. */
    public void deleteAddress(final int index, final InetAddress ip, final int prefixLength) {
        socket.request(AddressMessages.delete(Address.of(index, ip, prefixLength, 0)));
    }

    /** All IPv4 and IPv6 addresses of this namespace. */
    public List<Address> addresses() {
        return addresses(AddressMessages.dump(null), null);
    }

    /** All addresses of the namespace with that id here; errors as {@link #linksOf}. */
    public List<Address> addressesOf(final int nsid) {
        return addresses(AddressMessages.dump(nsid), nsid);
    }

    /** The addresses of one link, of family AF_INET or AF_INET6; ENODEV when there is no such link. */
    public List<Address> addressesOfLink(final int index, final int family) {
        return addresses(AddressMessages.dump(index, family), null);
    }

    // Routes and neighbours

    /** Adds a unicast route to the main table; destination or gateway may be null, see {@link Route#unicast}. */
    public void addRoute(
            final InetAddress destination, final int prefixLength, final InetAddress gateway, final Integer oif) {
        addRoute(Route.unicast(destination, prefixLength, gateway, oif));
    }

    /** Adds a route; EEXIST when there is one of that destination, table and metric. */
    public void addRoute(final Route route) {
        socket.request(RouteMessages.add(route, false));
    }

    /** Adds a route behind others of that destination, table and metric; EEXIST when this very one is there. */
    public void appendRoute(final Route route) {
        socket.request(RouteMessages.append(route));
    }

    /** Adds a route or takes the place of the one of that destination, table and metric. */
    public void replaceRoute(final Route route) {
        socket.request(RouteMessages.add(route, true));
    }

    /** Takes a route away; ESRCH when there is none. */
    public void deleteRoute(final Route route) {
        socket.request(RouteMessages.delete(route));
    }

    /** The routes of all tables; family AF_INET, AF_INET6 or 0 for both. */
    public List<Route> routes(final int family) {
        return routes(RouteMessages.dump(family));
    }

    /** The routes over one link that RTPROT_* {@code protocol} made; ENODEV when there is no such link. */
    public List<Route> routesOfLink(final int index, final int family, final int protocol) {
        return routes(RouteMessages.dump(index, family, protocol));
    }

    /**
     * The default routes over IPv6 routers that advertised themselves (RTPROT_RA). Of this namespace alone: rtnetlink
     * has no way to ask for another's routes, as it has for links and addresses.
     */
    public List<Route> advertisedDefaults() {
        final List<Route> out = routes(RouteMessages.dumpOf(RtnlConstants.AF_INET6, RtnlConstants.RTPROT_RA));
        out.removeIf(r -> !RouteMessages.isAdvertisedDefault(r)); // a kernel without filters gives all
        return out;
    }

    private List<Route> routes(final byte[] dump) {
        final List<Route> out = new ArrayList<>();
        for (final Message m : socket.dump(RtnlConstants.RTM_GETROUTE, dump)) {
            out.addAll(RouteMessages.parse(m));
        }
        return out;
    }

    /** All ARP and neighbour discovery entries. */
    public List<Neighbour> neighbours() {
        final List<Neighbour> out = new ArrayList<>();
        for (final Message m : socket.dump(RtnlConstants.RTM_GETNEIGH, NeighbourMessages.dump())) {
            final Neighbour n = NeighbourMessages.parse(m);
            if (n != null) {
                out.add(n);
            }
        }
        return out;
    }

    /** Makes an entry or changes it; NUD_PERMANENT keeps it. */
    public void addNeighbour(final Neighbour neighbour) {
        socket.request(NeighbourMessages.put(neighbour));
    }

    /** Takes an entry away; ENOENT when there is none. */
    public void deleteNeighbour(final int index, final InetAddress ip) {
        socket.request(NeighbourMessages.delete(index, ip));
    }

    // Namespace ids

    /**
     * The id by which this namespace calls another; the kernel picks one when there is none yet. Only
     * then do monitors of all namespaces hear it. Ids are used again after RTM_DELNSID.
     */
    public int ensureNsid(final Fd namespace) {
        final int fd = namespace.raw();
        return NsidMessages.ensured(
                socket.exchange(List.of(NsidMessages.assign(fd, NsidMessages.NONE), NsidMessages.getByFd(fd))),
                namespace.what());
    }

    /** The id by which this namespace calls another, null when it has none. */
    public Integer nsid(final Fd namespace) {
        return NsidMessages.oneOf(socket.request(NsidMessages.getByFd(namespace.raw())));
    }

    /** As {@link #nsid(Fd)} for the namespace of a process; ESRCH when there is no such process. */
    public Integer nsidOfPid(final int pid) {
        return NsidMessages.oneOf(socket.request(NsidMessages.getByPid(pid)));
    }

    /** All ids that are in use here. */
    public List<Integer> nsids() {
        final List<Integer> out = new ArrayList<>();
        for (final Message m : socket.dump(RtnlConstants.RTM_GETNSID, NsidMessages.dump())) {
            final Integer nsid = NsidMessages.parse(m);
            if (nsid != null) {
                out.add(nsid);
            }
        }
        return out;
    }

    /** As {@link #ensureNsid(Fd)} for the namespace of a process; ESRCH when there is no such process. */
    public int ensureNsid(final int pid) {
        return NsidMessages.ensured(
                socket.exchange(List.of(NsidMessages.assignToPid(pid), NsidMessages.getByPid(pid))), "pid " + pid);
    }

    /**
     * As {@link #nsidOfPid} for many, in few system calls: in their order, null where there is no id, or no such
     * process.
     */
    public List<Integer> nsidsOfPids(final int[] pids) {
        final List<Request> requests = new ArrayList<>(pids.length);
        for (final int pid : pids) {
            requests.add(NsidMessages.getByPid(pid));
        }
        return NsidMessages.given(socket.exchange(requests));
    }

    private Link oneLink(final Request request) {
        final Reply reply = socket.exchange(List.of(request)).get(0);
        if (reply.error() != null && reply.error().errno() == Errno.ENODEV) {
            return null;
        }
        for (final Message m : reply.orThrow()) {
            final LinkMessages.Told told = m.type() == RtnlConstants.RTM_NEWLINK ? LinkMessages.parse(m) : null;
            if (told != null) {
                return told.link();
            }
        }
        return null;
    }

    private List<Link> links(final Integer nsid) {
        final List<Link> out = new ArrayList<>();
        for (final Message m : socket.dump(RtnlConstants.RTM_GETLINK, LinkMessages.dump(nsid))) {
            final LinkMessages.Told told = LinkMessages.parse(m);
            if (told != null) {
                echoed("RTM_GETLINK", nsid, told.link().nsid());
                out.add(told.link());
            }
        }
        return out;
    }

    private List<Address> addresses(final byte[] dump, final Integer nsid) {
        final List<Address> out = new ArrayList<>();
        for (final Message m : socket.dump(RtnlConstants.RTM_GETADDR, dump)) {
            final Address address = AddressMessages.parse(m);
            if (address != null) {
                echoed("RTM_GETADDR", nsid, address.nsid());
                out.add(address);
            }
        }
        return out;
    }

    /** A kernel that ignores the target answers for its own namespace, which must not pass for the other. */
    private static void echoed(final String type, final Integer asked, final Integer told) {
        if (asked != null && !asked.equals(told)) {
            throw new NetlinkException(
                    type, "nsid " + asked, Errno.EOPNOTSUPP, "the answer is about another namespace: " + told);
        }
    }
}
