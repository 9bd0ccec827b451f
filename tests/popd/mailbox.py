# SPDX-License-Identifier: ISC
"""The mailbox of popd: a folder of files, one file one message, sorted by name.

NAME.wire holds exactly what follows the status line of RETR, terminator included; any other name
is a message with LF or CRLF line ends, sent with CRLF, dot-stuffed, a final line end added.
Names that begin with a dot are not messages.
"""
import os
import re

LINE_DOT = re.compile(rb"(^|\r\n)\.")
END = b".\r\n"
READ = ".read."


def stuff(data):
    if not data.startswith(b".") and b"\r\n." not in data:
        return data             # large messages: this is much faster
    return LINE_DOT.sub(rb"\1..", data)


def unstuff(data):
    return LINE_DOT.sub(rb"\1", data)


class Message:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.is_wire = self.name.endswith(".wire")
        self.uidl = self.name[:-5] if self.is_wire else self.name
        self.deleted = False
        self._data = None

    def data(self):
        """The message as RFC 1939 sees it: CRLF, not stuffed, no terminator."""
        if self._data is None:
            with open(self.path, "rb") as f:
                raw = f.read()
            if self.is_wire:
                if raw.endswith(b"\r\n" + END):
                    raw = raw[:-3]
                self._data = unstuff(b"" if raw == END else raw)
            else:
                raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                if raw and not raw.endswith(b"\r\n"):
                    raw += b"\r\n"
                self._data = raw
        return self._data

    def size(self):
        return len(self.data())

    def wire(self, stuffed=True, end=True, data=None):
        if self.is_wire:
            with open(self.path, "rb") as f:
                return f.read()
        data = self.data() if data is None else data
        return (stuff(data) if stuffed else data) + (END if end else b"")

    def top(self, lines, data=None):
        data = self.data() if data is None else data
        if data.startswith(b"\r\n"):
            cut = 0
        else:
            cut = data.find(b"\r\n\r\n")
            if cut < 0:
                return stuff(data) + END
            cut += 2
        head, body = data[:cut + 2], data[cut + 2:]
        return stuff(head + b"".join(body.splitlines(True)[:lines])) + END

    def delivered(self):
        """What a correct client has on disk afterwards."""
        return self.data().replace(b"\r\n", b"\n")


class Mailbox:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def list(self):
        names = sorted(n for n in os.listdir(self.folder) if not n.startswith("."))
        return [Message(os.path.join(self.folder, n)) for n in names]

    def hidden(self):
        """The names of the messages that were read once and are not shown any more."""
        return sorted(n[len(READ):] for n in os.listdir(self.folder) if n.startswith(READ))

    def hide(self, messages):
        for m in messages:
            try:
                os.rename(m.path, os.path.join(self.folder, READ + m.name))
            except FileNotFoundError:
                pass

    def last_login(self, now=None):
        """When somebody logged in last, in seconds; with a time, that is noted."""
        path = os.path.join(self.folder, ".login")
        if now is not None:
            with open(path, "w") as f:
                f.write("%r" % now)
            return now
        try:
            with open(path) as f:
                return float(f.read())
        except FileNotFoundError:
            return None

    def remove(self, messages):
        for m in messages:
            try:
                os.unlink(m.path)
            except FileNotFoundError:
                pass
