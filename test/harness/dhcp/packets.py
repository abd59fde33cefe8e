# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames with DHCPv4 messages and ARP, to bytes and from bytes, for the scripted server.

Written from RFC 826, 2131 and 2132 and from nothing of ontap's, so that the two can disagree. Reading is
lenient: what a test asserts on is what was on the wire.
"""
import socket
import struct

BROADCAST = b"\xff" * 6
COOKIE = bytes.fromhex("63825363")
TYPES = dict(discover=1, offer=2, request=3, decline=4, ack=5, nak=6, release=7, inform=8)
NAMES = {n: name for name, n in TYPES.items()}


def ip(text):
    return socket.inet_aton(text)


def ip_text(data):
    return socket.inet_ntoa(data)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    return data.hex(":")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# ---- writing

def options(pairs, end=True):
    """(number, bytes) pairs as option bytes; longer ones are split (RFC 3396)."""
    out = b""
    for number, value in pairs:
        parts = [value[i:i + 255] for i in range(0, len(value), 255)] or [b""]
        for part in parts:
            out += bytes([number, len(part)]) + part
    return out + (b"\xff" if end else b"")


def message(op, xid, chaddr, ciaddr="0.0.0.0", yiaddr="0.0.0.0", siaddr="0.0.0.0", giaddr="0.0.0.0",
            flags=0, sname=b"", file=b"", opts=b"", pad=True):
    """A BOOTP message; `opts` are the bytes after the cookie."""
    head = struct.pack("!BBBBIHH", op, 1, 6, 0, xid, 0, flags)
    head += ip(ciaddr) + ip(yiaddr) + ip(siaddr) + ip(giaddr) + chaddr.ljust(16, b"\0")
    body = head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + COOKIE + opts
    return body.ljust(300, b"\0") if pad else body


def udp_frame(eth_src, eth_dst, ip_src, ip_dst, data, ports=(67, 68), good=True):
    """The frame of one datagram; `good` False spoils the UDP checksum."""
    head = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    pseudo = ip(ip_src) + ip(ip_dst) + struct.pack("!BBH", 0, 17, 8 + len(data))
    total = checksum(pseudo + head + data) or 0xFFFF
    if not good:
        total = (total ^ 0x5555) or 1
    udp = head[:6] + struct.pack("!H", total) + data
    top = struct.pack("!BBHHHBBH", 0x45, 0x10, 20 + len(udp), 0, 0, 64, 17, 0) + ip(ip_src) + ip(ip_dst)
    top = top[:10] + struct.pack("!H", checksum(top)) + top[12:]
    return eth_dst + eth_src + b"\x08\x00" + top + udp


def arp_frame(eth_src, eth_dst, op, sender_mac, sender_ip, target_mac, target_ip):
    return (eth_dst + eth_src + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, op)
            + sender_mac + ip(sender_ip) + target_mac + ip(target_ip)).ljust(60, b"\0")


# ---- reading

def read_options(data):
    """Number -> bytes, those that stand twice joined; stops where it cannot go on."""
    found, at = {}, 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 1 >= len(data):
            break
        number, length = data[at], data[at + 1]
        found[number] = found.get(number, b"") + data[at + 2:at + 2 + length]
        at += 2 + length
    return found


def read_message(data):
    """The facts of a BOOTP message, or None."""
    if len(data) < 240 or data[236:240] != COOKIE:
        return None
    opts = read_options(data[240:])
    seen = dict(op=data[0], xid=struct.unpack("!I", data[4:8])[0], secs=struct.unpack("!H", data[8:10])[0],
                broadcast=bool(data[10] & 0x80), ciaddr=ip_text(data[12:16]), yiaddr=ip_text(data[16:20]),
                giaddr=ip_text(data[24:28]), hwaddr=mac_text(data[28:34]), length=len(data),
                type=NAMES.get(opts.get(53, b"\0")[0]), options={str(n): v.hex() for n, v in sorted(opts.items())})
    for number, name in ((50, "requested"), (54, "server")):
        if len(opts.get(number, b"")) == 4:
            seen[name] = ip_text(opts[number])
    if 61 in opts:
        seen["client"] = opts[61].hex()
    if 12 in opts:
        seen["hostname"] = opts[12].decode("latin-1")
    if 51 in opts and len(opts[51]) == 4:
        seen["lease"] = struct.unpack("!I", opts[51])[0]
    return seen


def read_frame(frame):
    """What a frame says, as a flat dict with "kind" dhcp or arp, or None for other traffic."""
    if len(frame) < 42:
        return None
    eth = dict(eth_dst=mac_text(frame[0:6]), eth_src=mac_text(frame[6:12]))
    if frame[12:14] == b"\x08\x06":
        op = struct.unpack("!H", frame[20:22])[0]
        return dict(kind="arp", op={1: "request", 2: "reply"}.get(op, op), **eth,
                    sender_mac=mac_text(frame[22:28]), sender_ip=ip_text(frame[28:32]),
                    target_mac=mac_text(frame[32:38]), target_ip=ip_text(frame[38:42]))
    if frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    top = 14 + (frame[14] & 15) * 4
    if len(frame) < top + 8:
        return None
    ports = struct.unpack("!HH", frame[top:top + 4])
    if ports not in ((68, 67), (67, 68), (67, 67)):
        return None
    length = struct.unpack("!H", frame[top + 4:top + 6])[0]
    said = read_message(frame[top + 8:top + length])
    if said is None:
        return None
    return dict(kind="dhcp", **eth, ip_src=ip_text(frame[26:30]), ip_dst=ip_text(frame[30:34]), **said)
