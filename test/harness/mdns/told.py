#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of addresses and namespaces, and what multicast DNS says on a link, with the time of each.

usage: told.py LINK SECONDS

Started in the network namespace of `ontap zone`, with ids for those of the workloads; LINK is one that mDNS leaves
by, such as the parent of the link on which the zone speaks. It ends after SECONDS. Each line: milliseconds of
CLOCK_REALTIME, then one of
  kernel newaddr|deladdr NSID INDEX ADDRESS usable|tentative      NSID is own for this namespace
  kernel newlink|dellink NSID INDEX
  kernel delnsid NSID
  mdns ipv4|ipv6 says|goodbye NAME TYPE DATA      a record of the answers of a response that left by LINK
  mdns ipv4|ipv6 probes NAME                      a question of a query with authorities
The time of a packet is the kernel's (SO_TIMESTAMPNS). That of the kernel's word is when this process had it; it is
told before others that want a core (SCHED_FIFO), where that is allowed: what it is late by would be in our favour.
"""
import ctypes
import gc
import ipaddress
import os
import select
import socket
import struct
import sys
import time

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR, RTM_DELNSID = 16, 17, 20, 21, 89
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_F_TENTATIVE = 1, 2, 8, 0x40
NETNSA_NSID = 1
SOL_NETLINK, NETLINK_LISTEN_ALL_NSID = 270, 8
SO_TIMESTAMPNS, SO_RCVBUFFORCE, SO_ATTACH_FILTER = 35, 33, 26
ETH_P_ALL, PACKET_OUTGOING = 3, 4
GROUPS = 1 | 0x10 | 0x100 | 1 << 27  # links, addresses of both families, namespace ids
TYPES = {1: "A", 12: "PTR", 16: "TXT", 28: "AAAA", 33: "SRV", 47: "NSEC"}

# packet(7), bpf(4): what comes in is left to others, there may be a flood of it
LEAVES = [(0x20, 0, 0, 0xFFFFF000 + 4), (0x15, 0, 1, PACKET_OUTGOING), (6, 0, 0, 0x40000), (6, 0, 0, 0)]

lines = []


def say(at, *words):
    lines.append("%.3f %s" % (at, " ".join(map(str, words))))


def attributes(data):
    i = 0
    while i + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, i)
        if length < 4:
            return
        yield kind & 0x3FFF, data[i + 4:i + length]
        i += length + 3 & ~3


def of_kernel(at, data, ancillary):
    nsid = "own"
    for level, kind, value in ancillary:
        if level == SOL_NETLINK and kind == NETLINK_LISTEN_ALL_NSID:
            nsid, = struct.unpack("=i", value[:4])
    i = 0
    while i + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, i)
        body = data[i + 16:i + length]
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            family, _, flags, _, index = struct.unpack_from("=BBBBI", body)
            of = dict(attributes(body[8:]))
            if IFA_FLAGS in of:
                flags, = struct.unpack("=I", of[IFA_FLAGS])
            ip = ipaddress.ip_address(of.get(IFA_LOCAL, of.get(IFA_ADDRESS)))
            say(at, "kernel", "newaddr" if kind == RTM_NEWADDR else "deladdr", nsid, index, ip,
                "tentative" if family == socket.AF_INET6 and flags & IFA_F_TENTATIVE else "usable")
        elif kind in (RTM_NEWLINK, RTM_DELLINK):
            say(at, "kernel", "newlink" if kind == RTM_NEWLINK else "dellink", nsid, struct.unpack_from("=i", body, 4)[0])
        elif kind == RTM_DELNSID and nsid == "own":
            say(at, "kernel", "delnsid", struct.unpack("=i", dict(attributes(body[4:]))[NETNSA_NSID])[0])
        i += length + 3 & ~3


def name_at(message, i):
    """(name, where it ends)"""
    labels, end = [], None
    while message[i]:
        if message[i] >= 0xC0:
            end = end or i + 2
            i = (message[i] & 0x3F) << 8 | message[i + 1]
        else:
            labels.append(message[i + 1:i + 1 + message[i]].decode("utf-8", "replace"))
            i += 1 + message[i]
    return ".".join(labels), end or i + 1


def data_at(message, i, kind, length):
    if kind in (1, 28):
        return ipaddress.ip_address(message[i:i + length])
    if kind == 12:
        return name_at(message, i)[0]
    if kind == 33:
        return name_at(message, i + 6)[0]
    return message[i:i + length].hex()


def of_packet(at, frame):
    if frame[12:14] == b"\x08\x00":
        family, protocol, payload = "ipv4", frame[23], frame[14 + 4 * (frame[14] & 15):]
    elif frame[12:14] == b"\x86\xdd":
        family, protocol, payload = "ipv6", frame[20], frame[54:]
    else:
        return
    if protocol != 17 or payload[:2] != b"\x14\xe9" or payload[2:4] != b"\x14\xe9":
        return
    message = payload[8:]
    _, flags, queries, answers, authorities, _ = struct.unpack_from(">6H", message)
    i = 12
    for _ in range(queries):
        name, i = name_at(message, i)
        i += 4
        if authorities:
            say(at, "mdns", family, "probes", name)
    if not flags & 0x8000:
        return
    for _ in range(answers):
        name, i = name_at(message, i)
        kind, _, ttl, length = struct.unpack_from(">HHIH", message, i)
        say(at, "mdns", family, "says" if ttl else "goodbye", name, TYPES.get(kind, kind),
            data_at(message, i + 10, kind, length))
        i += 10 + length


def only_what_leaves(s):
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in LEAVES))
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(LEAVES), ctypes.addressof(code)))


def main():
    link, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    netlink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    netlink.bind((0, GROUPS))
    netlink.setsockopt(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    only_what_leaves(packets)
    packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    packets.bind((link, ETH_P_ALL))
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass
    gc.disable()
    print("listens", flush=True)
    while time.monotonic() < until:
        ready, _, _ = select.select([netlink, packets], [], [], max(0, until - time.monotonic()))
        if netlink in ready:
            data, ancillary, _, _ = netlink.recvmsg(65536, 256)
            of_kernel(time.time() * 1000, data, ancillary)
        if packets in ready:
            frame, ancillary, _, _ = packets.recvmsg(65536, 256)
            for level, option, value in ancillary:
                if level == socket.SOL_SOCKET and option == SO_TIMESTAMPNS:
                    seconds, nanos = struct.unpack("=qq", value)
                    of_packet(seconds * 1000 + nanos / 1e6, frame)
        if lines:
            print("\n".join(lines), flush=True)
            lines.clear()


main()
