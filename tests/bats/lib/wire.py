#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A strict little POP3 client: what really comes over the wire, without anybody's leniency.

    wire.py [options] digests     one line a message, "SHA256 SIZE", CRLF made LF, sorted
    wire.py [options] count       number of messages
    wire.py [options] uidls       the listing
    wire.py [options] empty       deletes all
"""
import argparse
import hashlib
import socket
import ssl
import sys


class Wire:
    def __init__(self, host, port, tls, ca, user, password):
        self.sock = socket.create_connection((host, port), timeout=30)
        self.buf = bytearray()
        self.context = ssl.create_default_context(cafile=ca) if tls != "none" else None
        if tls == "implicit":
            self.sock = self.context.wrap_socket(self.sock, server_hostname=host)
        self.status()
        if tls == "stls":
            self.command("STLS")
            assert not self.buf, "bytes behind the answer to STLS"
            self.sock = self.context.wrap_socket(self.sock, server_hostname=host)
        self.command("USER " + user)
        self.command("PASS " + password)

    def fill(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise SystemExit("wire: connection closed by the server")
        self.buf += data

    def status(self):
        while b"\r\n" not in self.buf:
            self.fill()
        line, _, rest = bytes(self.buf).partition(b"\r\n")
        self.buf = bytearray(rest)
        if not line.startswith(b"+OK"):
            raise SystemExit("wire: server said %r" % line)
        return line

    def command(self, text):
        self.sock.sendall(text.encode() + b"\r\n")
        return self.status()

    def multi(self, text):
        """The body, stuffing undone, terminator gone; only CRLF.CRLF ends it."""
        self.command(text)
        at = 0
        while True:
            if self.buf.startswith(b".\r\n"):
                end, body = 3, b""
                break
            at = self.buf.find(b"\r\n.\r\n", max(0, at - 4))
            if at >= 0:
                end, body = at + 5, bytes(self.buf[:at + 2])
                break
            at = len(self.buf)
            self.fill()
        del self.buf[:end]
        if body.startswith(b"."):
            body = body[1:]
        return body.replace(b"\r\n.", b"\r\n")

    def count(self):
        return int(self.command("STAT").split()[1])

    def close(self):
        self.command("QUIT")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--host", default="localhost")
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--tls", choices=("implicit", "stls", "none"), default="implicit")
    p.add_argument("--ca")
    p.add_argument("--user", required=True)
    p.add_argument("--password", required=True)
    p.add_argument("what", choices=("digests", "count", "uidls", "empty"))
    a = p.parse_args()
    wire = Wire(a.host, a.port, a.tls, a.ca, a.user, a.password)
    n = wire.count()
    if a.what == "count":
        print(n)
    elif a.what == "uidls":
        sys.stdout.write(wire.multi("UIDL").decode("latin-1").replace("\r\n", "\n"))
    elif a.what == "empty":
        for i in range(1, n + 1):
            wire.command("DELE %d" % i)
    else:
        rows = []
        for i in range(1, n + 1):
            body = wire.multi("RETR %d" % i).replace(b"\r\n", b"\n")
            rows.append("%s %d" % (hashlib.sha256(body).hexdigest(), len(body)))
        print("\n".join(sorted(rows)))
    wire.close()


if __name__ == "__main__":
    main()
