#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A DHCP server, and other hosts of its LAN, that behave as they are told: what real servers do not do.

usage: scripted.py LINK BEHAVIOUR [KEY=VALUE…]

It speaks raw frames on LINK, of the network namespace it is started in, and prints one line of JSON for
each DHCP or ARP packet that is seen there ("way" in, or out when it leaves by LINK) or sent by itself (out).
A line on standard input is another behaviour, which keeps what was leased, or one of
  forget            nothing is leased any more
  claim IP [TIMES]  the other host announces IP (a gratuitous ARP)
  mark TEXT         prints {"kind": "mark", "text": TEXT}
Each is answered by {"kind": "done", "line": …} when it holds.

Behaviours:
  watch         only looks
  silent        answers nothing
  normal        RFC 2131; each client its own address
  unicast       OFFER and ACK go to the client's MAC and the new address, whatever the broadcast flag says
  no-echo       without option 61 (servers older than RFC 6842)
  overload      options in file and sname (option 52), the fixed ones last
  same          every client gets the first address: client identifiers are ignored
  storm         n (100) OFFERs of different addresses to each DISCOVER; only the first is meant
  two-servers   a second server offers and takes requests too: second=IP, pool2=IP
  nak           every REQUEST (n=1: the first one) is refused
  no-renew      no answer to a unicast renewal; no-extension: nor to a broadcast one
  relayed       through a relay (giaddr) whose MAC is all that the client sees; server-id is of another network
  other-echo wrong-xid wrong-hwaddr past-end no-cookie bad-checksum bootrequest
                before each right answer comes a wrong one of that kind, which gives the address wrong=IP
Keys: server=10.77.0.1 pool=10.77.0.100 size=50 prefix=24 router=IP|none dns=IP lease=3600|infinite t1= t2= mtu=
routes=10.0.0.0/8,10.77.0.9;… (option 121) domain= arp=IP,… (addresses of the other host, which answers for them)
option=NUMBER:HEX (given as it is, also instead of one of its own)
"""
import json
import os
import selectors
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import packets as p  # noqa: E402

OTHER_HOST = p.mac("02:00:5e:00:53:aa")
SECOND = p.mac("02:00:5e:00:53:02")
RELAY = p.mac("02:00:5e:00:53:fe")
WRONG = ("other-echo", "wrong-xid", "wrong-hwaddr", "past-end", "no-cookie", "bad-checksum", "bootrequest")
KNOWN = WRONG + ("watch", "silent", "normal", "unicast", "no-echo", "overload", "same", "storm", "two-servers",
                 "nak", "no-renew", "no-extension", "relayed")


def say(**facts):
    print(json.dumps(dict(t=time.monotonic_ns() // 1000000, **facts)), flush=True)


def after(address, n):
    return p.ip_text(struct.pack("!I", struct.unpack("!I", p.ip(address))[0] + n))


class Server:
    def __init__(self, link, own):
        self.link, self.own, self.leases, self.declined = link, own, {}, set()

    def behave(self, words):
        name, *pairs = words
        if name not in KNOWN:
            raise ValueError(f"unknown behaviour {name}")
        self.name = name
        self.keys = dict(server="10.77.0.1", pool="10.77.0.100", size="50", prefix="24", lease="3600",
                         second="10.77.0.2", pool2="10.77.0.200", wrong="10.77.0.250", n="100")
        self.keys.update(pair.split("=", 1) for pair in pairs)
        self.naks = int(self.keys["n"]) if name == "nak" else 0

    # ---- addresses

    def address(self, m):
        """The address of this client, from now on."""
        if self.name == "same":
            return self.keys["pool"]
        key = m.get("client", m["hwaddr"])
        held = self.leases.get(key)
        if held is None or held in self.declined or not self.ours(held):
            taken = set(self.leases.values()) | self.declined
            wanted = m.get("requested")
            free = [wanted] if wanted and self.ours(wanted) else []
            free += [after(self.keys["pool"], n) for n in range(int(self.keys["size"]))]
            self.leases[key] = next(a for a in free if a not in taken)
        return self.leases[key]

    def ours(self, address):
        first, last = p.ip(self.keys["pool"]), p.ip(after(self.keys["pool"], int(self.keys["size"])))
        return first <= p.ip(address) < last

    # ---- answers

    def options(self, m, kind, server):
        k, out = self.keys, [(53, bytes([p.TYPES[kind]])), (54, p.ip(server))]
        if kind != "nak":
            lease = 0xFFFFFFFF if k["lease"] == "infinite" else int(k["lease"])
            out.append((51, struct.pack("!I", lease)))
            out += [(n, struct.pack("!I", int(k[key]))) for n, key in ((58, "t1"), (59, "t2")) if key in k]
            mask = (0xFFFFFFFF << (32 - int(k["prefix"]))) & 0xFFFFFFFF
            out.append((1, struct.pack("!I", mask)))
            if k.get("router", server) != "none":
                out.append((3, p.ip(k.get("router", server))))
            if "dns" in k:
                out.append((6, p.ip(k["dns"])))
            if "domain" in k:
                out.append((15, k["domain"].encode()))
            if "mtu" in k:
                out.append((26, struct.pack("!H", int(k["mtu"]))))
            if "routes" in k:
                routes = b""
                for route in k["routes"].split(";"):
                    to, via = route.split(",")
                    net, length = to.split("/")
                    routes += bytes([int(length)]) + p.ip(net)[:(int(length) + 7) // 8] + p.ip(via)
                out.append((121, routes))
        if "client" in m and self.name != "no-echo":
            out.append((61, bytes.fromhex(m["client"])))
        if "option" in k:
            number, value = k["option"].split(":")
            out = [o for o in out if o[0] != int(number)] + [(int(number), bytes.fromhex(value))]
        return out

    def answer(self, m, kind, yiaddr, server=None, eth=None, wrong=None):
        server = server or self.keys["server"]
        eth, giaddr = eth or self.own, "0.0.0.0"
        xid, chaddr, opts = m["xid"], p.mac(m["hwaddr"]), self.options(m, kind, server)
        more, end, op, good = {}, True, 2, True
        if self.name == "relayed":
            eth, giaddr = RELAY, self.keys["server"]
            opts = [(n, p.ip("192.0.2.67")) if n == 54 else (n, v) for n, v in opts]
        if wrong == "other-echo":
            opts = [o for o in opts if o[0] != 61] + [(61, bytes.fromhex("ff" + "5e" * 21))]
        elif wrong == "wrong-xid":
            xid ^= 1
        elif wrong == "wrong-hwaddr":
            chaddr = OTHER_HOST
        elif wrong == "bad-checksum":
            good = False
        elif wrong == "bootrequest":
            op = 1
        elif wrong == "past-end":
            end = False
        if self.name == "overload":
            head, rest = opts[:2], opts[2:]
            more = dict(file=p.options(rest[:len(rest) // 2]), sname=p.options(rest[len(rest) // 2:]))
            opts = head + [(52, b"\x03")]
        data = p.options(opts, end=end)
        if wrong == "past-end":
            data += bytes([6, 200]) + p.ip("9.9.9.9")
        data = p.message(op, xid, chaddr, ciaddr=m["ciaddr"] if kind == "ack" else "0.0.0.0",
                         yiaddr="0.0.0.0" if kind == "nak" else yiaddr, siaddr=server, giaddr=giaddr,
                         flags=0x8000 if m["broadcast"] else 0, opts=data, pad=wrong != "past-end", **more)
        if wrong == "no-cookie":
            data = data[:236] + b"\x63\x82\x53\x62" + data[240:]
        renewing = kind == "ack" and m["ciaddr"] != "0.0.0.0"
        if renewing or (self.name == "unicast" and kind != "nak"):
            to = (p.mac(m["eth_src"]), m["ciaddr"] if renewing else yiaddr)
        else:
            to = (p.BROADCAST, "255.255.255.255")
        source = self.keys["server"] if self.name == "relayed" else server
        self.send(p.udp_frame(eth, to[0], source, to[1], data, good=good), **({"wrong": wrong} if wrong else {}))

    def answers(self, m, kind, yiaddr, **more):
        if self.name in WRONG:
            self.answer(m, kind, self.keys["wrong"], wrong=self.name, **more)
        self.answer(m, kind, yiaddr, **more)

    def hear(self, m):
        if self.name in ("watch", "silent") or m["op"] != 1:
            return
        if m["type"] == "discover":
            self.answers(m, "offer", self.address(m))
            if self.name == "storm":
                for n in range(1, int(self.keys["n"])):
                    self.answer(m, "offer", after(self.keys["pool2"], n % 50))
            if self.name == "two-servers":
                self.answer(m, "offer", self.keys["pool2"], server=self.keys["second"], eth=SECOND)
        elif m["type"] == "request":
            self.hear_request(m)
        elif m["type"] == "decline":
            self.declined.add(m.get("requested"))
        elif m["type"] == "release":
            self.leases.pop(m.get("client", m["hwaddr"]), None)

    def hear_request(self, m):
        extending = m["ciaddr"] != "0.0.0.0"
        wanted = m["ciaddr"] if extending else m.get("requested")
        own = "192.0.2.67" if self.name == "relayed" else self.keys["server"]
        if self.name == "two-servers" and m.get("server") == self.keys["second"]:
            self.answer(m, "ack", self.keys["pool2"], server=self.keys["second"], eth=SECOND)
        elif m.get("server", own) != own:
            pass
        elif self.naks:
            self.naks -= 1
            self.answer(m, "nak", "0.0.0.0")
        elif extending and (self.name == "no-extension" or self.name == "no-renew" and m["ip_dst"] != "255.255.255.255"):
            pass
        elif wanted != self.address(m):
            self.answer(m, "nak", "0.0.0.0")
        else:
            self.answers(m, "ack", wanted)

    # ---- the other host

    def others(self):
        return [a for a in self.keys.get("arp", "").split(",") if a]

    def hear_arp(self, a):
        if a["op"] == "request" and a["target_ip"] in self.others() and a["sender_ip"] != a["target_ip"]:
            sender = p.mac(a["sender_mac"])
            self.send(p.arp_frame(OTHER_HOST, sender, 2, OTHER_HOST, a["target_ip"], sender, a["sender_ip"]))

    def claim(self, address):
        self.send(p.arp_frame(OTHER_HOST, p.BROADCAST, 1, OTHER_HOST, address, b"\0" * 6, address))

    # ---- the wire

    def send(self, frame, **more):
        say(way="out", **more, **(p.read_frame(frame) or {}))
        self.link.send(frame)

    def receive(self):
        """Takes the next frame in; is there one?"""
        try:
            frame, (_, _, way, _, _) = self.link.recvfrom(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        seen = p.read_frame(frame)
        if seen:
            say(way="out" if way == socket.PACKET_OUTGOING else "in", **seen)
            if way != socket.PACKET_OUTGOING:
                self.hear(seen) if seen["kind"] == "dhcp" else self.hear_arp(seen)
        return True

    def told(self, line):
        words = line.split()
        if words[0] == "forget":
            self.leases.clear()
        elif words[0] == "claim":
            for _ in range(int((words + ["1"])[2])):
                self.claim(words[1])
        elif words[0] == "mark":
            say(kind="mark", text=words[1])
        else:
            self.behave(words)
        say(kind="done", line=line)


def main(link, *behaviour):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    wire.bind((link, 3))
    server = Server(wire, wire.getsockname()[4])
    server.behave(behaviour)
    if server.name != "watch":
        # So that the kernel does not answer renewals by "port unreachable"; what comes here is left lying.
        swallow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        swallow.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        swallow.bind(("", 67))
    chosen = selectors.DefaultSelector()
    chosen.register(wire, selectors.EVENT_READ)
    told = b""
    try:
        chosen.register(0, selectors.EVENT_READ)
    except PermissionError:  # a regular file or /dev/null: nothing will be told
        pass
    say(kind="ready", link=link, mac=p.mac_text(server.own))
    while True:
        for key, _ in chosen.select():
            if key.fileobj is wire:
                server.receive()
                continue
            data = os.read(0, 4096)
            if not data:
                chosen.unregister(0)
            told += data
            while server.receive():  # what came before it was told
                pass
            while b"\n" in told:
                line, told = told.split(b"\n", 1)
                server.told(line.decode())


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
