#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How long after the kernel's notification of a changed address a DNS server answers accordingly.

usage: changes.py COUNT CHANGES GAP-MS SERVER DOMAIN [SEED]

There are network namespaces /run/netns/n1 … nCOUNT, each with a link eth0 whose name in DOMAIN is n1 … nCOUNT.
CHANGES times, GAP-MS apart, one address of one of them, chosen by chance, comes or goes: an IPv4 address
(10.200.0.0/13) or an IPv6 one (fd00:c8::/64, without duplicate address detection). Three processes:
  the changer   has a netlink socket in each namespace, and notes when it sends each change;
  the listener  hears of the addresses of all namespaces (NETLINK_LISTEN_ALL_NSID), and notes when it was told;
  the asker     sends a query about what is just being changed to SERVER, port 53 (UDP), waits for its answer,
                and after 0.2 ms the next one, until the answer has the address, or has it no more.
All by CLOCK_MONOTONIC. The listener is told before others that want a core (SCHED_FIFO), where that is allowed:
what it is late by would be counted for the server.

Last line, times in ms: `changes N: p50 MS p90 MS p99 MS max MS, from before the change p50 MS p99 MS, seed S`.
Exit status 1 when an answer did not come within 2 s.
"""
import ctypes
import gc
import os
import pickle
import random
import socket
import struct
import sys
import time

RTM_NEWADDR, RTM_DELADDR = 20, 21
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR = 2
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
SOL_NETLINK, NETLINK_LISTEN_ALL_NSID = 270, 8
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
TYPE = {socket.AF_INET: 1, socket.AF_INET6: 28}

now = time.monotonic


def libc_setns(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def sockets_inside(count):
    """[(netlink socket inside, index of eth0)] of the namespaces n1 … nCOUNT."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    inside = []
    for i in range(1, count + 1):
        fd = os.open("/run/netns/n%d" % i, os.O_RDONLY)
        libc_setns(fd)
        os.close(fd)
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        inside.append((s, socket.if_nametoindex("eth0")))
    libc_setns(home)
    os.close(home)
    return inside


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def change_message(add, family, index, address, seq):
    flags = NLM_F_REQUEST | NLM_F_ACK | (NLM_F_CREATE | NLM_F_EXCL if add else 0)
    body = struct.pack("=BBBBI", family, 32 if family == socket.AF_INET else 128, 0, 0, index)
    body += attribute(IFA_LOCAL, address) + attribute(IFA_ADDRESS, address)
    if add and family == socket.AF_INET6:
        body += attribute(IFA_FLAGS, struct.pack("=I", IFA_F_NODAD | IFA_F_NOPREFIXROUTE))
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWADDR if add else RTM_DELADDR, flags, seq, 0) + body


def change(s, index, comes, family, address):
    """Makes it by the socket inside; when it was sent."""
    message = change_message(comes, family, index, address, 1)
    at = now()
    s.send(message)
    answer = s.recv(4096)
    kind, = struct.unpack_from("=H", answer, 4)
    error, = struct.unpack_from("=i", answer, 16)
    if kind != NLMSG_ERROR or error:
        sys.exit("changes.py: the kernel refused a change: %s" % os.strerror(-error))
    return at


def plan(count, changes, rng):
    """[(namespace, comes?, family, address)]: an address goes by the same way as it came."""
    there, steps = set(), []
    for _ in range(changes):
        i, family = rng.randrange(count), rng.choice(list(TYPE))
        n = (i + 1).to_bytes(2, "big")
        address = b"\x0a\xc8" + n if family == socket.AF_INET else b"\xfd\x00\x00\xc8" + bytes(10) + n
        comes = (i, family) not in there
        (there.add if comes else there.discard)((i, family))
        steps.append((i, comes, family, address))
    return steps


def listen(steps, out):
    """Writes when each step was told; a word about an IPv6 address may come after that about the next step."""
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    s.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    s.setsockopt(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass
    out.write(b"!")
    out.flush()
    waiting = {}
    for k, (_, comes, _, address) in enumerate(steps):
        waiting.setdefault((RTM_NEWADDR if comes else RTM_DELADDR, address), []).append(k)
    told = {}
    s.settimeout(10)
    while len(told) < len(steps):
        data = s.recv(65536)
        at = now()
        kind, = struct.unpack_from("=H", data, 4)
        # the address is the value of an attribute, of 4 or 16 octets
        for address in {data[i:i + n] for n in (4, 16) for i in range(28, len(data) - n + 1, 4)}:
            steps_of = waiting.get((kind, address))
            # a step is told after the one before it, which was the other kind
            if steps_of:
                told[steps_of.pop(0)] = at
    pickle.dump([told[k] for k in range(len(steps))], out)
    out.close()


def name_of(words):
    return b"".join(bytes([len(w)]) + w.encode() for w in words) + b"\0"


def ask(steps, server, domain, orders, done, out):
    """Writes when the answer to each step was right, or None. Does a step when told to by an octet, and says so by another."""
    s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((server, 53))
    s.settimeout(1)
    right = []
    out.write(b"!")
    out.flush()
    for k, (i, comes, family, address) in enumerate(steps):
        if not orders.read(1):
            break
        query = struct.pack(">HHHHHH", k & 0xFFFF, 0x0000, 1, 0, 0, 0) + name_of(["n%d" % (i + 1), *domain.split(".")])
        query += struct.pack(">HH", TYPE[family], 1)
        data = struct.pack(">H", len(address)) + address
        limit, at = now() + 2, None
        while now() < limit:
            s.send(query)
            try:
                answer = s.recv(65536)
                while answer[:2] != query[:2]:
                    answer = s.recv(65536)
            except socket.timeout:
                continue
            if (data in answer) == comes:
                at = now()
                break
            time.sleep(0.0002)
        right.append(at)
        os.write(done, b"!")
    pickle.dump(right, out)
    out.close()


def child(f, *words):
    """Starts f(…, out) in a process of its own; the end from which what it writes can be read, once it is ready."""
    there, here = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(there)
        try:
            f(*words, os.fdopen(here, "wb"))
            os._exit(0)
        except BaseException as e:  # pylint: disable=broad-except
            print("changes.py: %s: %r" % (f.__name__, e), file=sys.stderr)
            os._exit(1)
    os.close(here)
    out = os.fdopen(there, "rb")
    if out.read(1) != b"!":
        sys.exit(1)
    return out


def percentile(times, p):
    return "%.2f" % (1000 * sorted(times)[min(len(times) - 1, int(len(times) * p / 100))])


def main():
    count, changes, gap = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
    server, domain = sys.argv[4], sys.argv[5]
    seed = int(sys.argv[6]) if len(sys.argv) > 6 else random.randrange(1 << 32)
    steps = plan(count, changes, random.Random(seed))
    inside = sockets_inside(count)
    gc.disable()
    told = child(listen, steps)
    orders_there, orders = os.pipe()
    done, done_there = os.pipe()
    right = child(lambda out: (os.close(orders), ask(steps, server, domain, os.fdopen(orders_there, "rb", 0), done_there, out)))
    os.close(orders_there)
    os.close(done_there)
    sent, next_at = [], now() + 0.1
    for i, comes, family, address in steps:
        time.sleep(max(0, next_at - now()))
        os.write(orders, b"!")
        sent.append(change(*inside[i], comes, family, address))
        if not os.read(done, 1):
            sys.exit(1)
        next_at = max(next_at + gap, now())
    told, right = pickle.load(told), pickle.load(right)
    for (i, family, address), comes in {(i, family, address): comes for i, comes, family, address in steps}.items():
        if comes:
            change(*inside[i], False, family, address)
    if None in right:
        sys.exit("changes.py: %d of %d answers did not follow within 2 s, the first to change %d (seed %d)"
                 % (right.count(None), changes, right.index(None), seed))
    after = [r - t for r, t in zip(right, told)]
    whole = [r - t for r, t in zip(right, sent)]
    print("changes %d: p50 %s p90 %s p99 %s max %s, from before the change p50 %s p99 %s, seed %d"
          % (changes, percentile(after, 50), percentile(after, 90), percentile(after, 99), percentile(after, 100),
             percentile(whole, 50), percentile(whole, 99), seed))


main()
