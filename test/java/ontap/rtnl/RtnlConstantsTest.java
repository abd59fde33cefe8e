// SPDX-License-Identifier: Apache-2.0
package ontap.rtnl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.lang.reflect.Field;
import ontap.netlink.NetlinkConstants;
import org.junit.jupiter.api.Test;

/** Numbers printed by a C program that includes the kernel's headers (6.1): name, value. */
class RtnlConstantsTest {
    private static final String HEADERS =
            "IFLA_ADDRESS=1 IFLA_BROADCAST=2 IFLA_IFNAME=3 IFLA_MTU=4 IFLA_LINK=5 IFLA_QDISC=6 "
                    + "IFLA_STATS=7 IFLA_MASTER=10 IFLA_PROTINFO=12 IFLA_TXQLEN=13 IFLA_MAP=14 "
                    + "IFLA_OPERSTATE=16 IFLA_LINKMODE=17 IFLA_LINKINFO=18 IFLA_NET_NS_PID=19 IFLA_IFALIAS=20 "
                    + "IFLA_STATS64=23 IFLA_AF_SPEC=26 IFLA_GROUP=27 IFLA_NET_NS_FD=28 IFLA_EXT_MASK=29 "
                    + "IFLA_PROMISCUITY=30 IFLA_NUM_TX_QUEUES=31 IFLA_NUM_RX_QUEUES=32 IFLA_CARRIER=33 "
                    + "IFLA_CARRIER_CHANGES=35 IFLA_LINK_NETNSID=37 IFLA_PROTO_DOWN=39 IFLA_GSO_MAX_SEGS=40 "
                    + "IFLA_GSO_MAX_SIZE=41 IFLA_XDP=43 IFLA_EVENT=44 IFLA_NEW_NETNSID=45 "
                    + "IFLA_TARGET_NETNSID=46 IFLA_CARRIER_UP_COUNT=47 IFLA_CARRIER_DOWN_COUNT=48 "
                    + "IFLA_NEW_IFINDEX=49 IFLA_MIN_MTU=50 IFLA_MAX_MTU=51 IFLA_PROP_LIST=52 IFLA_ALT_IFNAME=53 "
                    + "IFLA_PERM_ADDRESS=54 IFLA_PARENT_DEV_NAME=56 IFLA_INFO_KIND=1 IFLA_INFO_DATA=2 "
                    + "VETH_INFO_PEER=1 IFLA_MACVLAN_MODE=1 IFLA_MACVLAN_FLAGS=2 IFLA_IPVLAN_MODE=1 "
                    + "IFLA_IPVLAN_FLAGS=2 IFLA_INET6_ADDR_GEN_MODE=8 IFA_ADDRESS=1 IFA_LOCAL=2 IFA_LABEL=3 "
                    + "IFA_BROADCAST=4 IFA_ANYCAST=5 IFA_CACHEINFO=6 IFA_MULTICAST=7 IFA_FLAGS=8 "
                    + "IFA_RT_PRIORITY=9 IFA_TARGET_NETNSID=10 IFA_PROTO=11 RTA_DST=1 RTA_SRC=2 RTA_IIF=3 "
                    + "RTA_OIF=4 RTA_GATEWAY=5 RTA_PRIORITY=6 RTA_PREFSRC=7 RTA_METRICS=8 RTA_MULTIPATH=9 "
                    + "RTA_FLOW=11 RTA_CACHEINFO=12 RTA_TABLE=15 RTA_MARK=16 RTA_VIA=18 RTA_PREF=20 "
                    + "RTA_EXPIRES=23 RTA_NH_ID=30 NDA_DST=1 NDA_LLADDR=2 NDA_CACHEINFO=3 NDA_PROBES=4 "
                    + "NDA_VLAN=5 NDA_IFINDEX=8 NDA_MASTER=9 NDA_PROTOCOL=12 NDA_FLAGS_EXT=15 NETNSA_NSID=1 "
                    + "NETNSA_PID=2 NETNSA_FD=3 NETNSA_TARGET_NSID=4 NETNSA_CURRENT_NSID=5 RTM_NEWLINK=16 "
                    + "RTM_DELLINK=17 RTM_GETLINK=18 RTM_SETLINK=19 RTM_NEWADDR=20 RTM_DELADDR=21 "
                    + "RTM_GETADDR=22 RTM_NEWROUTE=24 RTM_DELROUTE=25 RTM_GETROUTE=26 RTM_NEWNEIGH=28 "
                    + "RTM_DELNEIGH=29 RTM_GETNEIGH=30 RTM_NEWNDUSEROPT=68 RTM_NEWNSID=88 RTM_DELNSID=89 RTM_GETNSID=90 "
                    + "RTNLGRP_LINK=1 RTNLGRP_NEIGH=3 RTNLGRP_IPV4_IFADDR=5 RTNLGRP_IPV4_ROUTE=7 "
                    + "RTNLGRP_IPV6_IFADDR=9 RTNLGRP_IPV6_ROUTE=11 RTNLGRP_ND_USEROPT=20 RTNLGRP_NSID=28 RT_TABLE_MAIN=254 "
                    + "RT_TABLE_LOCAL=255 RTPROT_UNSPEC=0 RTPROT_REDIRECT=1 RTPROT_KERNEL=2 RTPROT_BOOT=3 "
                    + "RTPROT_STATIC=4 RTPROT_RA=9 RTPROT_DHCP=16 RT_SCOPE_UNIVERSE=0 RT_SCOPE_SITE=200 "
                    + "RT_SCOPE_LINK=253 RT_SCOPE_HOST=254 RT_SCOPE_NOWHERE=255 RTN_UNSPEC=0 RTN_UNICAST=1 "
                    + "RTN_LOCAL=2 RTN_BROADCAST=3 RTN_ANYCAST=4 RTN_MULTICAST=5 RTN_BLACKHOLE=6 "
                    + "RTN_UNREACHABLE=7 RTN_PROHIBIT=8 RTN_THROW=9 RTM_F_CLONED=512 RTNH_F_ONLINK=4 NUD_INCOMPLETE=1 "
                    + "NUD_REACHABLE=2 NUD_STALE=4 NUD_DELAY=8 NUD_PROBE=16 NUD_FAILED=32 NUD_NOARP=64 "
                    + "NUD_PERMANENT=128 IFA_F_TEMPORARY=1 IFA_F_NODAD=2 IFA_F_OPTIMISTIC=4 IFA_F_DADFAILED=8 "
                    + "IFA_F_HOMEADDRESS=16 IFA_F_DEPRECATED=32 IFA_F_TENTATIVE=64 IFA_F_PERMANENT=128 "
                    + "IFA_F_MANAGETEMPADDR=256 IFA_F_NOPREFIXROUTE=512 IFA_F_MCAUTOJOIN=1024 "
                    + "IFA_F_STABLE_PRIVACY=2048 IFF_UP=1 IFF_BROADCAST=2 IFF_LOOPBACK=8 IFF_POINTOPOINT=16 "
                    + "IFF_RUNNING=64 IFF_NOARP=128 IFF_PROMISC=256 IFF_ALLMULTI=512 IFF_MASTER=1024 "
                    + "IFF_SLAVE=2048 IFF_MULTICAST=4096 IFF_LOWER_UP=65536 IFF_DORMANT=131072 "
                    + "IN6_ADDR_GEN_MODE_EUI64=0 IN6_ADDR_GEN_MODE_NONE=1 IN6_ADDR_GEN_MODE_STABLE_PRIVACY=2 "
                    + "IN6_ADDR_GEN_MODE_RANDOM=3 MACVLAN_MODE_PRIVATE=1 MACVLAN_MODE_VEPA=2 "
                    + "MACVLAN_MODE_BRIDGE=4 MACVLAN_MODE_PASSTHRU=8 MACVLAN_MODE_SOURCE=16 IPVLAN_MODE_L2=0 "
                    + "IPVLAN_MODE_L3=1 IPVLAN_MODE_L3S=2 IPVLAN_F_PRIVATE=1 IPVLAN_F_VEPA=2 RTEXT_FILTER_VF=1 "
                    + "RTEXT_FILTER_SKIP_STATS=8 IF_OPER_UNKNOWN=0 IF_OPER_NOTPRESENT=1 IF_OPER_DOWN=2 "
                    + "IF_OPER_LOWERLAYERDOWN=3 IF_OPER_TESTING=4 IF_OPER_DORMANT=5 IF_OPER_UP=6 AF_INET=2 "
                    + "AF_INET6=10 AF_BRIDGE=7";

    private static final String NETLINK_HEADER =
            "NLM_F_REQUEST=1 NLM_F_MULTI=2 NLM_F_ACK=4 NLM_F_ECHO=8 NLM_F_DUMP_INTR=16 "
                    + "NLM_F_DUMP_FILTERED=32 NLM_F_ROOT=256 NLM_F_MATCH=512 NLM_F_ATOMIC=1024 NLM_F_DUMP=768 "
                    + "NLM_F_REPLACE=256 NLM_F_EXCL=512 NLM_F_CREATE=1024 NLM_F_APPEND=2048 NLM_F_NONREC=256 "
                    + "NLM_F_CAPPED=256 NLM_F_ACK_TLVS=512 NLMSG_NOOP=1 NLMSG_ERROR=2 NLMSG_DONE=3 "
                    + "NLMSG_OVERRUN=4 NLMSGERR_ATTR_MSG=1 NLMSGERR_ATTR_OFFS=2 NLMSGERR_ATTR_COOKIE=3 "
                    + "NLMSGERR_ATTR_POLICY=4 SOL_NETLINK=270 NETLINK_ROUTE=0 NETLINK_ADD_MEMBERSHIP=1 "
                    + "NETLINK_DROP_MEMBERSHIP=2 NETLINK_PKTINFO=3 NETLINK_BROADCAST_ERROR=4 "
                    + "NETLINK_NO_ENOBUFS=5 NETLINK_LISTEN_ALL_NSID=8 NETLINK_LIST_MEMBERSHIPS=9 "
                    + "NETLINK_CAP_ACK=10 NETLINK_EXT_ACK=11 NETLINK_GET_STRICT_CHK=12";

    @Test
    void agreeWithTheHeaders() throws ReflectiveOperationException {
        check(RtnlConstants.class, HEADERS);
        check(NetlinkConstants.class, NETLINK_HEADER);
    }

    @Test
    void attributesHaveTheirNames() {
        for (final String row : HEADERS.split(" ")) {
            final String name = row.substring(0, row.indexOf('='));
            final int value = Integer.parseInt(row.substring(name.length() + 1));
            final int type;
            if (name.startsWith("IFLA_") && !name.matches("IFLA_(INFO|MACVLAN|IPVLAN|INET6)_.*")) {
                type = 16;
            } else if (name.startsWith("IFA_") && !name.startsWith("IFA_F_")) {
                type = 20;
            } else if (name.startsWith("RTA_")) {
                type = 24;
            } else if (name.startsWith("NDA_")) {
                type = 28;
            } else if (name.startsWith("NETNSA_")) {
                type = 88;
            } else if (name.matches("RTM_(NEW|DEL|GET|SET).*")) {
                assertEquals(name, RtnlNames.type(value), "the message type's name");
                continue;
            } else {
                continue;
            }
            assertEquals(name, RtnlNames.attribute(type, value), "the attribute's name");
            assertEquals(name, RtnlNames.attribute(type + 1, value), "the same in a removal");
        }
    }

    @Test
    void unknownNumbersStayReadable() {
        assertEquals("UNKNOWN(23)", RtnlNames.type(23), "there is no RTM_SETADDR");
        assertEquals("UNKNOWN(99)", RtnlNames.type(99), "another family");
        assertEquals("UNKNOWN(900)", RtnlNames.attribute(16, 900), "a new attribute");
        assertEquals("UNKNOWN(-1)", RtnlNames.attribute(16, -1), "no attribute");
        assertEquals("up|running|lower-up|0x40000", RtnlNames.linkFlags(0x50041), "link flags");
        assertEquals("tentative|permanent", RtnlNames.addressFlags(0xc0), "address flags");
        assertEquals("permanent", RtnlNames.neighbourState(0x80), "neighbour state");
        assertEquals("0", RtnlNames.linkFlags(0), "no flags");
        assertEquals("lowerlayerdown", RtnlNames.operstate(3), "operational state");
        assertEquals("UNKNOWN(9)", RtnlNames.operstate(9), "unknown state");
    }

    private static void check(final Class<?> holder, final String table) throws ReflectiveOperationException {
        int seen = 0;
        for (final String row : table.split(" ")) {
            final String name = row.substring(0, row.indexOf('='));
            final Field field = holder.getField(name);
            assertEquals(Integer.parseInt(row.substring(name.length() + 1)), field.getInt(null), name);
            seen++;
        }
        assertFalse(seen < 30, "the table is there");
    }
}
