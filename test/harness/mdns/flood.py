#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A host that asks far too much: multicast DNS queries, one question each, from port 5353 to 224.0.0.251.

usage: flood.py ADDRESS RATE SECONDS NAME TYPE [NAME TYPE]…

ADDRESS is the host's own, RATE is queries per second, SECONDS at most 5; the questions (TYPE is a number, QU is not
asked) take turns. It says `floods` first, and last `sent N in MS ms`.
"""
import socket
import struct
import sys
import time


def query(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def main():
    address, rate, seconds = sys.argv[1], int(sys.argv[2]), min(5.0, float(sys.argv[3]))
    queries = [query(name, int(kind)) for name, kind in zip(sys.argv[4::2], sys.argv[5::2])]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    s.bind((address, 5353))
    print("floods", flush=True)
    begin, sent, to = time.monotonic(), 0, ("224.0.0.251", 5353)
    while True:
        passed = time.monotonic() - begin
        due = int(min(passed, seconds) * rate)
        while sent < due:
            s.sendto(queries[sent % len(queries)], to)
            sent += 1
        if passed >= seconds:
            break
        time.sleep(0.001)
    print("sent %d in %d ms" % (sent, 1000 * (time.monotonic() - begin)), flush=True)


main()
