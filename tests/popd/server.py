# SPDX-License-Identifier: ISC
"""The server: settings, rules, users, the listening socket, and what tests ask it."""
import os
import errno
import socket
import ssl
import threading
import time

from . import script as language
from .conn import Conn

DEFAULTS = {
    "user": "alice", "password": "secret", "tls": "none", "cert": None, "key": None,
    "greeting": "popd ready", "pipelining": True, "uidl": True, "top": True, "capa": True,
    "apop": None, "auth": "", "plain-login": True, "caps": "", "hide-caps": "",
    "lf": False, "terse": False, "lock": False, "accept-any": False, "delete-on-drop": False,
    "stat": None, "host": "127.0.0.1",
    "read-once": False, "slice": None, "retr-max": None, "retr-max-text": "Download exceed. msg=%d",
    "login-delay": None, "login-delay-text": "[LOGIN-DELAY] not so soon",
    "top-whole": False, "retr-adds": "", "header-changes": False, "sizes-change": False,
    "loses-pipelined": False, "empty-undotted": False, "utf8": "", "rounds": "4096",
}


def truth(value):
    return value if isinstance(value, bool) else str(value).lower() in ("yes", "on", "true", "1")


class Server:
    """A server on a free port of loopback. Options are the names in DEFAULTS, `_` for `-`; `clock`
    gives the time that login-delay goes by."""

    def __init__(self, mailbox, script=None, log=None, port=0, users=None, clock=time.time,
                 **options):
        self.conns, self.faults, self.unexpected = [], [], []
        self.busy = set()
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self._log, self._port, self._context = log, port, None
        self._mailbox, self._users, self._options = mailbox, users or {}, options
        self.clock = clock
        self.served = 0             # answers to RETR, TOP and LIST, for those that change
        self.play(script)

    def play(self, script=None, **options):
        """From here on this script and these settings; mailbox, port and record stay."""
        settings, rules = language.load(script)
        with self.changed:
            self.settings, self.rules = dict(DEFAULTS), rules
            self.uidls, self.sizes = {}, {}
            for name, value in {**self._options, **options}.items():
                self.set(name.replace("_", "-"), [value])
            for name, values in settings:
                self.set(name, values)
            self.users = {self.settings["user"]: (self.settings["password"], str(self._mailbox))}
            for name, (secret, folder) in self._users.items():
                self.users[name] = (secret, str(folder))

    def count(self):
        with self.changed:
            self.served += 1
            return self.served

    def set(self, name, values):
        if name == "uidl" and len(values) == 2:
            self.uidls[str(values[0])] = values[1]
        elif name == "size" and len(values) == 2:
            self.sizes[str(values[0])] = str(values[1])
        elif name not in DEFAULTS or len(values) != 1:
            raise language.ScriptError("unknown setting: %s %s" % (name, values))
        elif isinstance(DEFAULTS[name], bool):
            self.settings[name] = truth(values[0])
        elif name == "apop" and str(values[0]).lower() in ("yes", "true"):
            self.settings[name] = True
        else:
            self.settings[name] = values[0]

    def number(self, name):
        """A setting that is a number; None if it is not set."""
        return None if self.settings[name] is None else int(self.settings[name])

    def context(self):
        if self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(self.settings["cert"], self.settings["key"])
        return self._context

    def rules_for(self, number, event, arg, by_name=None):
        with self.changed:
            found = [r for r in self.rules if r.matches(number, event, arg, by_name)]
            for r in found:
                r.use()
        return found

    def pause(self, ms):
        self.stopping.wait(ms / 1000)

    def log(self, number, kind, data):
        if not self._log:
            return
        with open(os.path.join(self._log, "%d.%s" % (number, kind)), "ab") as f:
            f.write(data)

    def _bind(self):
        """A port that was ours a moment ago may be somebody's outgoing one just now."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_server((self.settings["host"], self._port), backlog=64)
            except OSError as e:
                if e.errno != errno.EADDRINUSE or not self._port or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def start(self):
        if self._log:
            os.makedirs(self._log, exist_ok=True)
        self._listen = self._bind()
        self.port = self._listen.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self._listen.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                conn = Conn(self, sock, len(self.conns) + 1)
                self.conns.append(conn)
            conn.start()

    def stop(self):
        self.stopping.set()
        for sock in [self._listen] + [c.sock for c in self.conns]:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass
        self._listen.close()
        for c in self.conns:
            if c.ident is not None:  # begun
                c.join(5)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    # ---- for tests --------------------------------------------------------------------------

    def commands(self, number=None):
        """All commands so far as text, of one connection or of all."""
        conns = self.conns if number is None else [self.conns[number - 1]]
        return [("%s %s" % c).strip() for conn in conns for c in conn.commands]

    def wait_for(self, glob, seconds=10):
        """Wait until a command matches; False when the time is over."""
        with self.changed:
            return self.changed.wait_for(
                lambda: any(language.matches(c, glob) for c in self.commands()), seconds)

    def settle(self, seconds=5):
        """Wait until no connection is open."""
        until = time.monotonic() + seconds
        return all(c.ended.wait(max(0, until - time.monotonic())) for c in self.conns)
