#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Does the DNS server at SERVER, port 53 (UDP), have an IPv4 and an IPv6 address of each of n1 … nCOUNT in DOMAIN?

usage: complete.py COUNT SERVER DOMAIN

Exit status 0, or 1 with the names it does not have on standard error. A query is sent once.
"""
import socket
import struct
import sys

count, server, domain = int(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((server, 53))
s.settimeout(2)
lacking = []
for n in range(1, count + 1):
    for kind in (1, 28):
        name = b"".join(bytes([len(w)]) + w.encode() for w in ["n%d" % n, *domain.split(".")]) + b"\0"
        try:
            s.send(struct.pack(">HHHHHH", n, 0, 1, 0, 0, 0) + name + struct.pack(">HH", kind, 1))
            answer = s.recv(4096)
            while answer[:2] != struct.pack(">H", n):
                answer = s.recv(4096)
            _, flags, _, answers = struct.unpack_from(">HHHH", answer)
            if flags & 15 or not answers:
                lacking.append("n%d %d" % (n, kind))
        except OSError as e:
            lacking.append("n%d %d: %s" % (n, kind, e))
if lacking:
    print("complete.py: %d answers are missing: %s" % (len(lacking), ", ".join(lacking[:10])), file=sys.stderr)
    sys.exit(1)
