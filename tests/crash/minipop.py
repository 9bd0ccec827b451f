#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A small POP3 server for the crash tests: plain TCP or implicit TLS, one mailbox.

DELE is honoured at QUIT only. The mailbox is a list in memory (so that putting it back is instant)
or a folder with one file a message. Used as a module by the drivers; by hand:

    minipop.py --folder DIR [--port N] [--tls CERT KEY] [--user U --password P] [--drop-commits]
"""

import argparse
import os
import re
import socket
import ssl
import sys
import threading


class Message:
    """One message as it is on the wire: CRLF at the end of every line."""

    def __init__(self, uidl, octets):
        assert octets == b"" or octets.endswith(b"\r\n")
        self.uidl, self.octets = uidl, octets

    def stuffed(self):
        return re.sub(rb"(?m)^\.", b"..", self.octets)

    def top(self, n):
        head, blank, body = self.octets.partition(b"\r\n\r\n")
        lines = body.split(b"\r\n")[:-1] if body.endswith(b"\r\n") else []
        keep = b"".join(line + b"\r\n" for line in lines[:n])
        return re.sub(rb"(?m)^\.", b"..", head + blank + keep) if blank else self.stuffed()

    def stored(self):
        """What a fetcher is to store."""
        return self.octets.replace(b"\r\n", b"\n")


class Folder:
    """A mailbox that is a folder of files named by their UIDL."""

    def __init__(self, path):
        self.path = path

    def load(self):
        names = sorted(os.listdir(self.path))
        messages = []
        for name in names:
            with open(os.path.join(self.path, name), "rb") as f:
                messages.append(Message(name, f.read()))
        return messages

    def remove(self, uidl):
        os.unlink(os.path.join(self.path, uidl))


class Server:
    """Serves `messages` on a free port until close().

    on_dele(uidl) and on_quit(uidls) are called before the answer is sent. `log` has one line for
    each command and each end of a session; `sessions` counts connections that got a greeting.
    """

    def __init__(self, messages=(), tls=None, user="alice", password="secret", port=0, folder=None):
        self.messages = list(messages)
        self.folder = Folder(folder) if folder else None
        self.user, self.password = user, password
        self.on_dele = self.on_quit = None
        self.drop_commits = False
        self.read_once = False  # what was RETRed is hidden for good at QUIT, deleted or not
        self.refuse_quit = False
        self.log = []
        self.sessions = 0
        self.busy = 0
        self.idle = threading.Condition()
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def wait_idle(self, timeout=20):
        """Waits until every session that was accepted has ended."""
        with self.idle:
            if not self.idle.wait_for(lambda: self.busy == 0, timeout):
                raise RuntimeError("a session of the test server does not end")

    def clear(self):
        self.log, self.sessions = [], 0

    def retrs(self):
        return sum(1 for line in self.log if line.startswith("RETR "))

    def commit(self, uidls):
        gone = set(uidls)
        if self.folder:
            for uidl in gone:
                self.folder.remove(uidl)
        self.messages = [m for m in self.messages if m.uidl not in gone]

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with self.idle:
                self.busy += 1
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn.settimeout(60)
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            Session(self, conn).run()
        except (OSError, ssl.SSLError):
            self.log.append("DROP")
        finally:
            try:
                conn.close()
            except OSError:
                pass
            with self.idle:
                self.busy -= 1
                self.idle.notify_all()


class Session:
    def __init__(self, server, conn):
        self.server, self.conn = server, conn
        self.name = None
        self.ready = False
        self.deleted = set()
        self.handed_out = set()
        self.out = []
        self.open = True

    def say(self, text):
        self.out.append(text.encode("ascii") + b"\r\n")

    def flush(self):
        data, self.out = b"".join(self.out), []
        if data:
            self.conn.sendall(data)

    def run(self):
        self.server.sessions += 1
        self.say("+OK minipop")
        self.flush()
        rest = b""
        try:
            while self.open:
                data = self.conn.recv(65536)
                if not data:
                    break
                rest += data
                while self.open and b"\n" in rest:
                    line, rest = rest.split(b"\n", 1)
                    self.command(line.rstrip(b"\r").decode("latin-1"))
                self.flush()
        finally:
            if self.open:
                self.server.log.append("DROP")
                if self.ready and self.server.drop_commits:
                    self.server.commit(m.uidl for m in self.box_deleted())

    def command(self, line):
        verb, _, args = line.partition(" ")
        verb = verb.upper()
        self.server.log.append("PASS ***" if verb == "PASS" else line)
        handler = getattr(self, "do_" + verb.lower(), None)
        if not handler:
            return self.say("-ERR what is " + verb[:20])
        if not self.ready and verb not in ("CAPA", "USER", "PASS", "QUIT"):
            return self.say("-ERR log in first")
        try:
            handler(args.strip())
        except (ValueError, IndexError, KeyError):
            self.say("-ERR no such message")

    def get(self, text):
        n = int(text)
        if not 1 <= n <= len(self.box) or n in self.deleted:
            raise KeyError(n)
        return self.box[n - 1]

    def box_deleted(self):
        return [self.box[n - 1] for n in sorted(self.deleted)]

    def box_gone(self):
        """What QUIT makes of it: hidden for good is gone, as far as a client can tell."""
        gone = self.deleted | self.handed_out if self.server.read_once else self.deleted
        return [self.box[n - 1] for n in sorted(gone)]

    def here(self):
        return [(n, m) for n, m in enumerate(self.box, 1) if n not in self.deleted]

    def do_capa(self, _):
        self.say("+OK")
        for word in ("USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES"):
            self.say(word)
        self.say(".")

    def do_user(self, args):
        self.name = args
        self.say("+OK")

    def do_pass(self, args):
        if (self.name, args) != (self.server.user, self.server.password):
            return self.say("-ERR [AUTH] no")
        if self.server.folder:
            self.server.messages = self.server.folder.load()
        self.box = list(self.server.messages)
        self.ready = True
        self.say("+OK")

    def do_stat(self, _):
        here = self.here()
        self.say("+OK %d %d" % (len(here), sum(len(m.octets) for _, m in here)))

    def do_list(self, args):
        if args:
            return self.say("+OK %s %d" % (args, len(self.get(args).octets)))
        self.say("+OK")
        for n, m in self.here():
            self.say("%d %d" % (n, len(m.octets)))
        self.say(".")

    def do_uidl(self, args):
        if args:
            return self.say("+OK %s %s" % (args, self.get(args).uidl))
        self.say("+OK")
        for n, m in self.here():
            self.say("%d %s" % (n, m.uidl))
        self.say(".")

    def do_retr(self, args):
        message = self.get(args)
        self.handed_out.add(int(args))
        self.say("+OK %d octets" % len(message.octets))
        self.out.append(message.stuffed() + b".\r\n")

    def do_top(self, args):
        number, lines = args.split()
        message = self.get(number)
        self.say("+OK")
        self.out.append(message.top(int(lines)) + b".\r\n")

    def do_dele(self, args):
        message = self.get(args)
        if self.server.on_dele:
            self.flush()
            self.server.on_dele(message.uidl)
        self.deleted.add(int(args))
        self.say("+OK")

    def do_rset(self, _):
        self.deleted.clear()
        self.say("+OK")

    def do_noop(self, _):
        self.say("+OK")

    def do_quit(self, _):
        uidls = [m.uidl for m in self.box_gone()] if self.ready else []
        if self.ready and self.server.on_quit:
            self.flush()
            self.server.on_quit(uidls)
        self.open = False
        if self.server.refuse_quit:
            self.say("-ERR not now")
        else:
            self.server.commit(uidls)
            self.say("+OK")
        try:
            self.flush()
        except OSError:
            pass  # it is gone; what it asked for is done all the same


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--folder", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--user", default="alice")
    p.add_argument("--password", default="secret")
    p.add_argument("--drop-commits", action="store_true",
                   help="also delete when the connection is lost, as some servers do")
    p.add_argument("--read-once", action="store_true",
                   help="at QUIT, hide what was RETRed, as Gmail does")
    a = p.parse_args()
    server = Server(tls=a.tls, user=a.user, password=a.password, port=a.port, folder=a.folder)
    server.drop_commits, server.read_once = a.drop_commits, a.read_once
    print(server.port, flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
