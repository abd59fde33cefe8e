// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import ontap.netlink.NetlinkException;
import ontap.netlink.NetlinkSocket;
import ontap.netlink.Reply;
import ontap.netlink.Request;
import ontap.sys.Fd;

/**
 * Changes that go to the kernel together, up to 32 in one system call. The kernel does each in
 * order whether or not one before it failed, so a batch suits a namespace of one's own, where
 * nothing else can be hit. Indices of links made in the same batch are chosen by the caller
 * ({@link LinkSpec#withIndex}).
 */
public final class RtnlBatch {
    private final NetlinkSocket socket;
    private final List<Request> requests = new ArrayList<>();

    RtnlBatch(final NetlinkSocket socket) {
        this.socket = socket;
    }

    /** Makes a link and then sets what the kernel does not take at creation; see {@link Rtnl#createLink}. */
    public RtnlBatch createLink(final LinkSpec spec) {
        if (spec.needsMore() && (spec.index() == 0 || spec.namespace() != null)) {
            throw new IllegalArgumentException(
                    "link " + spec.name() + ": alias or address mode in a batch need an index and our own namespace");
        }
        requests.add(LinkMessages.create(spec));
        requests.addAll(further(spec, spec.index()));
        return this;
    }

    /** IFLA_IFALIAS; an empty one removes it. */
    public RtnlBatch setAlias(final int index, final String alias) {
        return add(LinkMessages.alias(index, alias));
    }

    /** Bytes. */
    public RtnlBatch setMtu(final int index, final int mtu) {
        return add(LinkMessages.mtu(index, mtu));
    }

    /** IN6_ADDR_GEN_MODE_*; to be set while the link is down. */
    public RtnlBatch setAddrGenMode(final int index, final int mode) {
        return add(LinkMessages.addrGenMode(index, mode));
    }

    /** Sets a link up. */
    public RtnlBatch setUp(final int index) {
        return add(LinkMessages.up(index, true));
    }

    /** An address for ever, with IFA_F_* flags. */
    public RtnlBatch addAddress(final int index, final InetAddress ip, final int prefixLength, final int flags) {
        return add(AddressMessages.add(Address.of(index, ip, prefixLength, flags), false));
    }

    /** Adds an address or changes its flags and lifetimes. */
    public RtnlBatch replaceAddress(final Address address) {
        return add(AddressMessages.add(address, true));
    }

    /** Adds a route. */
    public RtnlBatch addRoute(final Route route) {
        return add(RouteMessages.add(route, false));
    }

    /** Makes a neighbour entry or changes it. */
    public RtnlBatch putNeighbour(final Neighbour neighbour) {
        return add(NeighbourMessages.put(neighbour));
    }

    /** Gives a namespace that id; a namespace which has one already is an error (EEXIST). */
    public RtnlBatch assignNsid(final Fd namespace, final int nsid) {
        return add(NsidMessages.assign(namespace.raw(), nsid));
    }

    /** Number of messages so far. */
    public int size() {
        return requests.size();
    }

    /** Sends all and waits for all; the first refusal is thrown (NetlinkException). The batch is empty then. */
    public void send() {
        final NetlinkException first = firstRefusal();
        if (first != null) {
            throw first;
        }
    }

    /** As {@link #send}, but the first refusal is returned; null when there was none. */
    NetlinkException firstRefusal() {
        final List<Request> all = List.copyOf(requests);
        requests.clear();
        for (final Reply reply : socket.exchange(all)) {
            if (reply.error() != null) {
                return reply.error();
            }
        }
        return null;
    }

    RtnlBatch addAll(final List<Request> more) {
        requests.addAll(more);
        return this;
    }

    /**
     * What a new link still needs. Seen on 6.18: RTM_NEWLINK that creates ignores IFLA_IFALIAS and
     * IFLA_AF_SPEC, and a change of flags is done before IFLA_AF_SPEC of the same message.
     */
    static List<Request> further(final LinkSpec spec, final int index) {
        final List<Request> out = new ArrayList<>(3);
        if (spec.addrGenMode() != null) {
            out.add(LinkMessages.addrGenMode(index, spec.addrGenMode()));
        }
        if (spec.alias() != null) {
            out.add(LinkMessages.alias(index, spec.alias()));
        }
        if (spec.up() && spec.needsMore()) {
            out.add(LinkMessages.up(index, true));
        }
        return out;
    }

    private RtnlBatch add(final Request request) {
        requests.add(request);
        return this;
    }
}
