# SPDX-License-Identifier: ISC
"""One connection: its record, its state, its thread, and the order of things."""
import os
import select
import socket
import ssl
import struct
import threading
import time

from . import script as language
from .base import Gone, b, upper
from .pop3 import Pop3
from .steps import Steps

SENT_KEPT = 4 << 20     # a flood is counted whole, but only its beginning is kept
LINE_MAX = 1 << 20


class Conn(Steps, Pop3, threading.Thread):
    def __init__(self, server, sock, number):
        super().__init__(daemon=True)
        self.server, self.sock, self.number = server, sock, number
        self.received, self.sent = bytearray(), bytearray()
        self.nsent = 0
        self.commands = []          # (verb, argument) in the order of arrival
        self.pipelined = 0          # commands that came before the answer to the one before
        self.plain_received = b""   # what came before TLS began
        self.tls = False
        self.quit = False           # QUIT was carried out
        self.utf8 = False           # UTF8 was
        self.read = []              # messages that RETR has given
        self.ended = threading.Event()
        self._buf, self._line_start = bytearray(), 0
        self._cut_at = self._cut_after = None
        self._cut_hard = False
        self._drip = self._split = None
        self._body, self._watch = {}, False
        self._user, self._box, self._messages = None, None, None
        self._stamp = "<%d.%d@localhost>" % (os.getpid(), number)

    # ---- bytes ------------------------------------------------------------------------------

    def set(self, name):
        return self.server.settings[name]

    def send(self, data):
        data = b(data)
        if self._watch:
            self._watch = False
            if self.more_waits():
                self.pipelined += 1
                self.server.log(self.number, "events", b("pipelined behind %s\n" % self.commands[-1][0]))
        if self.set("lf") or self._body.get("lf"):
            data = data.replace(b"\r\n", b"\n")
        over = False
        if self._cut_at is not None and self.nsent + len(data) >= self._cut_at:
            data, over = data[:self._cut_at - self.nsent], True
        if self._drip is not None:
            for i in range(len(data)):
                self._write(data[i:i + 1])
                self.server.pause(self._drip)
        elif self._split:
            size, ms = self._split
            for i in range(0, len(data), size):
                self._write(data[i:i + size])
                self.server.pause(ms)
        else:
            self._write(data)
        if over:
            self.hang_up(self._cut_hard)

    def _write(self, data):
        if self.server.stopping.is_set():
            raise Gone
        try:
            self.sock.sendall(data)
        except (OSError, ValueError):
            raise Gone
        self.nsent += len(data)
        room = SENT_KEPT - len(self.sent)
        if room > 0:
            self.sent += data[:room]
            self.server.log(self.number, "out", data[:room])

    def _fill(self):
        want = 65536
        if self._cut_after is not None:
            want = min(want, self._cut_after - len(self.received))
            if want <= 0:
                self.hang_up()
        try:
            data = self.sock.recv(want)
        except (OSError, ValueError):
            raise Gone
        if not data:
            raise Gone
        self.received += data
        self._buf += data
        self.server.log(self.number, "in", data)

    def read_line(self):
        while True:
            end = self._buf.find(b"\n")
            if end >= 0:
                break
            if len(self._buf) > LINE_MAX:
                self.hang_up()
            self._fill()
        self._line_start += end + 1
        if self._cut_after is not None and self._line_start >= self._cut_after:
            self.hang_up()
        line = bytes(self._buf[:end + 1])
        del self._buf[:end + 1]
        if self.set("loses-pipelined"):
            self._buf.clear()
        return line.rstrip(b"\r\n").decode("latin-1")

    def more_waits(self):
        if self._buf:
            return True
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                return self._read_waiting()
            return bool(select.select([self.sock], [], [], 0)[0]) and \
                bool(self.sock.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def _read_waiting(self):
        """TLS cannot be peeked at, and what is there may be no more than its close_notify."""
        patience = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self._buf += self.sock.recv(4096)
        finally:
            self.sock.settimeout(patience)
        return bool(self._buf)

    def hang_up(self, hard=False):
        try:
            if hard:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            pass
        raise Gone

    def start_tls(self):
        self.plain_received = bytes(self.received)
        self._buf.clear()
        try:
            self.sock = self.server.context().wrap_socket(self.sock, server_side=True)
        except (OSError, ValueError) as e:
            self.server.log(self.number, "events", b("handshake failed: %s\n" % e))
            raise Gone
        if self.sock.version() is None:     # the client has gone: ssl then makes no handshake
            self.server.log(self.number, "events", b"handshake failed: nobody is there\n")
            raise Gone
        self.tls = True
        self.server.log(self.number, "events", b("tls at %d\n" % len(self.received)))

    def stall(self, ms=None):
        """Read nothing; without a time until the client has gone."""
        until = None if ms is None else time.monotonic() + ms / 1000
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        while until is None or time.monotonic() < until:
            left = 100 if until is None else max(0, min(100, (until - time.monotonic()) * 1000))
            if self.server.stopping.is_set() or poll.poll(left):
                raise Gone

    def hang(self):
        """Take everything, answer nothing."""
        while not self.server.stopping.is_set():
            self._fill()
        raise Gone

    # ---- the story --------------------------------------------------------------------------

    def run(self):
        try:
            self.server.log(self.number, "events", b"begin\n")
            self.event("connect", "", None)
            if self.set("tls") == "implicit":
                self.start_tls()
                self.event("tls", "", None)
            self.event("greeting", "", self.greeting)
            while True:
                line = self.read_line()
                verb, _, arg = line.partition(" ")
                verb = upper(verb)
                self.note(verb, arg)
                self.event(verb, arg, lambda: self.answer(verb, arg))
        except Gone:
            pass
        except Exception as e:      # a fault of popd itself must be seen
            self.server.faults.append("%d: %r" % (self.number, e))
            self.server.log(self.number, "events", b("fault: %r\n" % e))
        finally:
            self.finish()

    def finish(self):
        if self._box and not self.quit and self.set("delete-on-drop"):
            self._box.remove([m for m in self._messages if m.deleted])
        self.unlock()
        try:
            self.sock.close()
        except OSError:
            pass
        self.server.log(self.number, "events", b("end %d %d\n" % (len(self.received), self.nsent)))
        self.ended.set()
        with self.server.changed:
            self.server.changed.notify_all()

    def unlock(self):
        if self._box:
            with self.server.changed:
                self.server.busy.discard(self._box.folder)

    def note(self, verb, arg):
        self._watch = True
        with self.server.changed:
            self.commands.append((verb, arg))
            self.server.changed.notify_all()
        self.server.log(self.number, "commands", b("%s %s" % (verb, arg)).rstrip() + b"\n")

    def event(self, name, arg, ordinary):
        """Run the rules for this event, then the ordinary answer unless a step stood in for it."""
        self._body = {}
        answered = False
        rules = self.server.rules_for(self.number, name, arg, self.by_name(name, arg))
        for rule in rules:
            for step in rule.steps:
                answered |= self.step(step, name, arg, ordinary)
        if not answered and ordinary:
            self.say(ordinary())

    def by_name(self, verb, arg):
        """The argument with =NAME for the message's number, since numbers change with sessions."""
        number, blank, rest = arg.partition(" ")
        if verb not in ("RETR", "TOP", "DELE", "LIST", "UIDL") or not self._messages:
            return None
        m = self.find(number)
        return "=" + m.name + blank + rest if m else None

    def say(self, result):
        data, after = result if isinstance(result, tuple) else (result, None)
        if data is not None:
            self.send(data)
        if after:
            after()

    def step(self, step, name, arg, ordinary):
        verb, args = step[0], step[1:]
        if callable(verb):
            data = verb(self, name, arg)
            if data is not None:
                self.send(data)
            return data is not None
        method = getattr(self, "step_" + verb.replace("-", "_"), None)
        if verb in ("answer", "do"):
            if ordinary:
                result = ordinary()
                if verb == "answer":
                    self.say(result)
        elif method:
            method(*args)
        return verb in language.ANSWERS
