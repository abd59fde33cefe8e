// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import ontap.netlink.Dialect;
import ontap.netlink.Names;

/** The constants of rtnetlink as text, for errors, the debug print and inspection. */
public final class RtnlNames {
    /** What the sockets of this room speak. */
    static final Dialect DIALECT = new Spoken();

    private static final int NEW = 0;
    private static final int DEL = 1;
    private static final int GET = 2;

    private RtnlNames() {}

    /** {@code RTM_NEWLINK}, {@code UNKNOWN(n)} for what this room does not use. */
    public static String type(final int type) {
        final String object = object(type);
        if (object == null) {
            return Names.unknown(type);
        }
        final String[] verbs = {"RTM_NEW", "RTM_DEL", "RTM_GET", "RTM_SET"};
        return verbs[type & 3].concat(object);
    }

    /** The name of an attribute at the top level of a message of that type. */
    public static String attribute(final int type, final int attribute) {
        final String[] names;
        switch (type & ~3) {
            case RtnlConstants.RTM_NEWLINK:
                names = LinkAttributes.NAMES;
                break;
            case RtnlConstants.RTM_NEWADDR:
                names = AddressAttributes.NAMES;
                break;
            case RtnlConstants.RTM_NEWROUTE:
                names = RouteAttributes.NAMES;
                break;
            case RtnlConstants.RTM_NEWNEIGH:
                names = NeighbourAttributes.NAMES;
                break;
            case RtnlConstants.RTM_NEWNSID:
                names = NsidAttributes.NAMES;
                break;
            default:
                return Names.unknown(attribute);
        }
        final boolean known = attribute >= 0 && attribute < names.length && names[attribute] != null;
        return known ? names[attribute] : Names.unknown(attribute);
    }

    /** {@code up|running|0x40000}; {@code 0} when no bit is set. */
    public static String linkFlags(final int flags) {
        return bits(flags, LinkFlags.NAMES);
    }

    /** {@code tentative|permanent}; {@code 0} when no bit is set. */
    public static String addressFlags(final int flags) {
        return bits(flags, AddressFlags.NAMES);
    }

    /** {@code reachable}; several bits are joined by a bar. */
    public static String neighbourState(final int state) {
        return bits(state, NeighbourStates.NAMES);
    }

    /** The RFC 2863 state: {@code up}, {@code UNKNOWN(9)}. */
    public static String operstate(final int state) {
        final String[] names = {"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};
        return state >= 0 && state < names.length ? names[state] : Names.unknown(state);
    }

    private static String bits(final int bits, final String[] names) {
        final StringBuilder out = new StringBuilder();
        int left = bits;
        for (int i = 0; i < names.length; i++) {
            if (names[i] != null) {
                left = Names.take(out, left, 1 << i, names[i]);
            }
        }
        if (left != 0 || out.length() == 0) {
            out.append(out.length() == 0 ? "" : "|").append(left == 0 ? "0" : "0x" + Integer.toHexString(left));
        }
        return out.toString();
    }

    private static String object(final int type) {
        switch (type & ~3) {
            case RtnlConstants.RTM_NEWLINK:
                return "LINK";
            case RtnlConstants.RTM_NEWADDR:
                return (type & 3) <= GET ? "ADDR" : null;
            case RtnlConstants.RTM_NEWROUTE:
                return (type & 3) <= GET ? "ROUTE" : null;
            case RtnlConstants.RTM_NEWNEIGH:
                return (type & 3) <= GET ? "NEIGH" : null;
            case RtnlConstants.RTM_NEWNDUSEROPT:
                return (type & 3) == NEW ? "NDUSEROPT" : null;
            case RtnlConstants.RTM_NEWNSID:
                return (type & 3) <= GET ? "NSID" : null;
            default:
                return null;
        }
    }

    private static final class Spoken implements Dialect {
        @Override
        public String type(final int type) {
            return RtnlNames.type(type);
        }

        @Override
        public Names.Verb verb(final int type) {
            switch (type & 3) {
                case GET:
                    return Names.Verb.GET;
                case DEL:
                    return Names.Verb.DELETE;
                case NEW:
                default:
                    return Names.Verb.MAKE;
            }
        }

        @Override
        public int header(final int type) {
            switch (type & ~3) {
                case RtnlConstants.RTM_NEWLINK:
                    return LinkMessages.HEADER;
                case RtnlConstants.RTM_NEWADDR:
                    return AddressMessages.HEADER;
                case RtnlConstants.RTM_NEWROUTE:
                    return RouteMessages.HEADER;
                case RtnlConstants.RTM_NEWNEIGH:
                    return NeighbourMessages.HEADER;
                case RtnlConstants.RTM_NEWNDUSEROPT:
                    return 1 << 16; // options follow the struct, not attributes
                case RtnlConstants.RTM_NEWNSID:
                    return NsidMessages.HEADER;
                default:
                    return 0;
            }
        }

        @Override
        public String attribute(final int type, final int attribute) {
            return RtnlNames.attribute(type, attribute);
        }
    }

    // Each table is loaded when it is first asked; the index is the number (or the bit).

    private static final class LinkFlags {
        static final String[] NAMES = {
            "up", "broadcast", null, "loopback", "pointopoint", null, "running", "noarp", "promisc", "allmulti",
            "master", "slave", "multicast", null, null, null, "lower-up", "dormant"
        };
    }

    private static final class AddressFlags {
        static final String[] NAMES = {
            "temporary", "nodad", "optimistic", "dadfailed", "homeaddress", "deprecated", "tentative", "permanent",
            "managetempaddr", "noprefixroute", "mcautojoin", "stable-privacy"
        };
    }

    private static final class NeighbourStates {
        static final String[] NAMES = {
            "incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent"
        };
    }

    private static final class LinkAttributes {
        static final String[] NAMES = {
            null, "IFLA_ADDRESS", "IFLA_BROADCAST", "IFLA_IFNAME", "IFLA_MTU", "IFLA_LINK", "IFLA_QDISC",
            "IFLA_STATS", null, null, "IFLA_MASTER", null, "IFLA_PROTINFO", "IFLA_TXQLEN", "IFLA_MAP", null,
            "IFLA_OPERSTATE", "IFLA_LINKMODE", "IFLA_LINKINFO", "IFLA_NET_NS_PID", "IFLA_IFALIAS", null,
            null, "IFLA_STATS64", null, null, "IFLA_AF_SPEC", "IFLA_GROUP", "IFLA_NET_NS_FD",
            "IFLA_EXT_MASK", "IFLA_PROMISCUITY", "IFLA_NUM_TX_QUEUES", "IFLA_NUM_RX_QUEUES", "IFLA_CARRIER",
            null, "IFLA_CARRIER_CHANGES", null, "IFLA_LINK_NETNSID", null, "IFLA_PROTO_DOWN",
            "IFLA_GSO_MAX_SEGS", "IFLA_GSO_MAX_SIZE", null, "IFLA_XDP", "IFLA_EVENT", "IFLA_NEW_NETNSID",
            "IFLA_TARGET_NETNSID", "IFLA_CARRIER_UP_COUNT", "IFLA_CARRIER_DOWN_COUNT", "IFLA_NEW_IFINDEX",
            "IFLA_MIN_MTU", "IFLA_MAX_MTU", "IFLA_PROP_LIST", "IFLA_ALT_IFNAME", "IFLA_PERM_ADDRESS", null,
            "IFLA_PARENT_DEV_NAME"
        };
    }

    private static final class AddressAttributes {
        static final String[] NAMES = {
            null, "IFA_ADDRESS", "IFA_LOCAL", "IFA_LABEL", "IFA_BROADCAST", "IFA_ANYCAST", "IFA_CACHEINFO",
            "IFA_MULTICAST", "IFA_FLAGS", "IFA_RT_PRIORITY", "IFA_TARGET_NETNSID", "IFA_PROTO"
        };
    }

    private static final class RouteAttributes {
        static final String[] NAMES = {
            null, "RTA_DST", "RTA_SRC", "RTA_IIF", "RTA_OIF", "RTA_GATEWAY", "RTA_PRIORITY", "RTA_PREFSRC",
            "RTA_METRICS", "RTA_MULTIPATH", null, "RTA_FLOW", "RTA_CACHEINFO", null, null, "RTA_TABLE",
            "RTA_MARK", null, "RTA_VIA", null, "RTA_PREF", null, null, "RTA_EXPIRES", null, null, null, null,
            null, null, "RTA_NH_ID"
        };
    }

    private static final class NeighbourAttributes {
        static final String[] NAMES = {
            null, "NDA_DST", "NDA_LLADDR", "NDA_CACHEINFO", "NDA_PROBES", "NDA_VLAN", null, null,
            "NDA_IFINDEX", "NDA_MASTER", null, null, "NDA_PROTOCOL", null, null, "NDA_FLAGS_EXT"
        };
    }

    private static final class NsidAttributes {
        static final String[] NAMES = {
            null, "NETNSA_NSID", "NETNSA_PID", "NETNSA_FD", "NETNSA_TARGET_NSID", "NETNSA_CURRENT_NSID"
        };
    }
}
