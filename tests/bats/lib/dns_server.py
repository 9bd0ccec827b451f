#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A DNS server on 127.0.0.1 port 53, for a network namespace of the test's own.

    dns_server.py ZONE READY

ZONE has one record a line, read anew for each question:
    NAME A 192.0.2.1 | NAME AAAA 2001:db8::1 | NAME SRV PRIORITY WEIGHT PORT TARGET
    NAME RAW TYPE HEX                 an answer record with these bytes for data
Python escapes such as \\x22 are known in names. A line "mode WORD" changes how it answers:
silent, servfail, junk (random bytes), short (the answer is cut), tc (only TCP has the answer),
loop (a name that points to itself). A line "slow MS" delays it. Other names do not exist.
"""
import random
import signal
import socket
import struct
import sys
import threading
import time

TYPES = {"A": 1, "AAAA": 28, "SRV": 33}


def name_bytes(name):
    if name == ".":
        return b"\0"
    labels = [x.encode("latin-1").decode("unicode_escape").encode("latin-1")
              for x in name.rstrip(".").split(".")]
    return b"".join(bytes((len(x),)) + x for x in labels) + b"\0"


def load(path):
    records, mode, slow = [], "", 0
    with open(path, encoding="latin-1") as f:
        for words in (line.split() for line in f):
            if words[:1] == ["mode"]:
                mode = words[1]
            elif words[:1] == ["slow"]:
                slow = int(words[1]) / 1000
            elif words:
                records.append(words)
    return records, mode, slow


def data_of(kind, rest):
    if kind == "SRV":
        return struct.pack(">3H", *map(int, rest[:3])) + name_bytes(rest[3])
    if kind == "RAW":
        return bytes.fromhex("".join(rest[1:]))
    return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, rest[0])


def answer(question, path, tcp):
    records, mode, slow = load(path)
    time.sleep(slow)
    ident, at, labels = question[:2], 12, []
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]])
        at += 1 + question[at]
    kind = struct.unpack(">H", question[at + 1:at + 3])[0]
    asked = b"".join(bytes((len(x),)) + x.lower() for x in labels) + b"\0"
    section = question[12:at + 5]
    mine = [r for r in records if name_bytes(r[0]).lower() == asked]
    found = [data_of(r[1], r[2:]) for r in mine
             if (TYPES.get(r[1]) or int(r[2])) == kind]
    code = 2 if mode == "servfail" else 0 if mine else 3
    if mode == "silent":
        return None
    if mode == "junk":
        return ident + random.randbytes(60)
    cut = mode == "tc" and not tcp
    if cut or code:
        found = []
    if mode == "loop":
        found = [struct.pack(">3H", 1, 1, 995) + b"\xc0" + bytes((len(section) + 12 + 18,))]
    head = ident + struct.pack(">5H", 0x8580 | (0x200 if cut else 0) | code, 1, len(found), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(d)) + d for d in found)
    packet = head + section + body
    return packet[:-5] if mode == "short" else packet


def udp(sock, path):
    while True:
        question, peer = sock.recvfrom(4096)
        try:
            packet = answer(question, path, False)
        except (IndexError, ValueError, struct.error) as e:
            print("dns: %r" % e, file=sys.stderr, flush=True)
            continue
        if packet:
            sock.sendto(packet, peer)


def tcp_one(sock, path):
    with sock:
        size = struct.unpack(">H", sock.recv(2))[0]
        packet = answer(sock.recv(size), path, True)
        if packet:
            sock.sendall(struct.pack(">H", len(packet)) + packet)


path, ready = sys.argv[1:]
signal.alarm(600)   # no test takes so long
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 53))
streams = socket.create_server(("127.0.0.1", 53))
threading.Thread(target=udp, args=(datagrams, path), daemon=True).start()
with open(ready, "w"):
    pass
while True:
    sock, _ = streams.accept()
    threading.Thread(target=tcp_one, args=(sock, path), daemon=True).start()
