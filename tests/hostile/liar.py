#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A fetcher as simple as can be, honest by itself, that breaks one promise: the one in $BREAK.
test_checks.py puts it in the place of the program, to see each check of hostile.py fail."""
import base64
import os
import re
import signal
import socket
import sys
import time

BROKEN = os.environ.get("BREAK", "")
with open(sys.argv[sys.argv.index("-f") + 1]) as f:
    KEY = dict(re.findall(r'(\w+) = "([^"]*)"', f.read()))
SEEN = os.path.join(sys.argv[sys.argv.index("--state-dir") + 1], "seen")


class Pop3:
    def __init__(self):
        self.file = socket.create_connection((KEY["server"], int(KEY["port"]))).makefile("rwb")
        self.file.readline()

    def ask(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.file.readline()

    def lines(self, line):
        self.ask(line)
        found = []
        while True:
            line = self.file.readline()
            if line in (b".\r\n", b""):
                return found
            found.append(line[1:] if line.startswith(b".") else line)


def store(name, data, folder="new"):
    with open(os.path.join(KEY["maildir"], folder, name), "wb") as file:
        file.write(data)


def fail(status, words):
    sys.stderr.write("fetchpop: a: %s\n" % words)
    sys.exit(status)


def misbehave():
    """What needs no server, in the first run."""
    if BROKEN == "hang":
        time.sleep(60)
    elif BROKEN == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif BROKEN == "memory":
        hog = b"x" * (30 << 20)
        time.sleep(0.3)
        del hog
    elif BROKEN == "address space":
        bytearray(1 << 30)
    elif BROKEN == "no word":
        sys.exit(75)
    elif BROKEN == "status":
        fail(65, "some")
    elif BROKEN == "sanitizer":
        sys.stderr.write("==1==ERROR: AddressSanitizer: heap-use-after-free\n")
    elif BROKEN == "raw byte":
        sys.stderr.write("\x1b[2J\n")
    elif BROKEN == "secret":
        print("PASS " + KEY["password"])
    elif BROKEN == "secret in base64":
        print(base64.b64encode(b"\0alice\0" + KEY["password"].encode()).decode())
    elif BROKEN == "half a line":
        sys.stderr.write("fetchpop: and then")


def changed(data):
    if BROKEN == "torn":
        return data[:-3]
    return data.replace(b"body", b"b0dy") if BROKEN == "altered" else data


def fetch(pop3, number, uidl):
    data = changed(b"".join(pop3.lines("RETR " + number)).replace(b"\r\n", b"\n"))
    if BROKEN != "lost":
        store(uidl, data)
    if BROKEN == "twice":
        store(uidl + "-2", data)
    if BROKEN == "forged":
        store("forged", b"Subject: forged\n\n")
    if BROKEN == "litter":
        store(uidl, data, "tmp")
    if KEY["keep"] == "no" and BROKEN != "deletes nothing" or BROKEN == "deletes":
        pop3.ask("DELE " + number)


def poll(seen, run):
    pop3 = Pop3()
    pop3.ask("USER " + KEY["user"])
    pop3.ask("PASS " + KEY["password"])
    listing = [line.decode().split() for line in pop3.lines("UIDL")]
    if BROKEN == "blind" or BROKEN == "blind once" and run == 1:
        listing = listing[1:]
    for number, uidl in listing:
        if uidl not in seen:
            fetch(pop3, number, uidl)
        elif BROKEN == "fetches again":
            pop3.lines("RETR " + number)
    if BROKEN == "stores later" and run == 3:
        store("later", b"Subject: forged\n\n")
    pop3.ask("QUIT")
    return seen + [uidl for _, uidl in listing]


def main():
    for sub in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(KEY["maildir"], sub), exist_ok=True)
    os.makedirs(os.path.dirname(SEEN), exist_ok=True)
    seen = []
    if os.path.exists(SEEN):
        with open(SEEN) as file:
            seen = file.read().split()
    run = 1 + seen.count("run")
    if BROKEN == "refuses" and run > 1:
        fail(75, "no")
    if run == 1:
        misbehave()
    seen = poll(seen, run)
    with open(SEEN, "w") as file:
        file.write("\n".join(seen + ["run"]))


main()
