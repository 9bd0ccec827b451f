# SPDX-License-Identifier: ISC
"""The steps of a script, as methods of a connection. tests/popd/README describes each."""
from .base import b, upper
from .mailbox import END
from .script import matches


class Steps:
    def step_send(self, *data):
        self.send(b"".join(b(d) for d in data))

    step_text = step_send

    def step_ok(self, *words):
        self.send(b" ".join([b"+OK"] + [b(w) for w in words]) + b"\r\n")

    def step_err(self, *words):
        self.send(b" ".join([b"-ERR"] + [b(w) for w in words]) + b"\r\n")

    def step_lines(self, *lines):
        self.send(b"+OK\r\n" + b"".join(b(x) + b"\r\n" for x in lines) + END)

    def step_file(self, path):
        with open(path, "rb") as f:
            self.send(f.read())

    def step_endless(self, piece):
        parts, n = b(piece).split(b"%d"), 0
        lines = max(1, min(512, 16384 // (len(b(piece)) or 1)))
        while True:
            self.send(b"".join(b(i).join(parts) for i in range(n + 1, n + lines + 1)))
            n += lines

    def step_repeat(self, times, piece):
        piece, times, n = b(piece), int(times), 0
        while n < times:
            upto = min(times, n + 4096)
            self.send(b"".join(piece.replace(b"%d", b(i + 1)) for i in range(n, upto)))
            n = upto

    def step_hang(self):
        self.hang()

    def step_stall(self, ms=None):
        self.stall(None if ms is None else float(ms))

    def step_sleep(self, ms):
        self.server.pause(float(ms))

    def step_close(self):
        self.hang_up()

    def step_reset(self):
        self.hang_up(True)

    def step_close_at(self, n):
        self._cut_at, self._cut_hard = self.nsent + int(n), False
        if int(n) == 0:
            self.hang_up()

    def step_reset_at(self, n):
        self._cut_at, self._cut_hard = self.nsent + int(n), True
        if int(n) == 0:
            self.hang_up(True)

    def step_close_after(self, n):
        self._cut_after = len(self.received) + int(n)
        if int(n) == 0:
            self.hang_up()

    def step_drip(self, ms):
        self._drip = None if ms == "off" else float(ms)

    def step_split(self, size, ms=1):
        self._split = None if size in ("off", "0") else (int(size), float(ms))

    def step_unstuffed(self):
        self._body["unstuffed"] = True

    def step_noeom(self):
        self._body["noeom"] = True

    def step_cut(self, n):
        self._body["cut"] = int(n)

    def step_short(self, n):
        self._body["short"] = int(n)

    def step_first(self, n):
        self._body["first"] = int(n)

    def step_lf(self):
        self._body["lf"] = True

    def step_tls(self):
        self.start_tls()

    def step_notify(self):
        """TLS close_notify, then the end."""
        try:
            self.sock.settimeout(2)
            self.sock.unwrap()
        except (OSError, ValueError):
            pass
        self.hang_up()

    def step_expect(self, glob):
        line = self.read_line()
        verb, _, arg = line.partition(" ")
        self.note(upper(verb), arg)
        if not matches(line, glob):
            self.server.unexpected.append((self.number, glob, line))
            self.server.log(self.number, "events", b("expected %r, got %r\n" % (glob, line)))
            self.hang_up()

    def step_call(self, function):
        function(self)

    def step_touch(self, path):
        with open(path, "w"):
            pass
