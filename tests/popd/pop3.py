# SPDX-License-Identifier: ISC
"""The ordinary answers: POP3 as a decent server speaks it."""
import base64
import hashlib
import hmac

from .base import b
from .mailbox import END, Mailbox


def as_sent(text):
    """The UTF-8 of a text as read_line() gives it."""
    return text.encode().decode("latin-1")


def as_meant(text):
    """What such a text stands for, or itself."""
    try:
        return text.encode("latin-1").decode()
    except ValueError:
        return text


class Pop3:
    def ok(self, text=""):
        text = "" if self.set("terse") else text
        return b("+OK %s\r\n" % text if text else "+OK\r\n")

    def err(self, text):
        return b("-ERR %s\r\n" % text)

    def greeting(self):
        if self.set("apop"):
            stamp = self._stamp if self.set("apop") is True else self.set("apop")
            return b("+OK %s %s\r\n" % (self.set("greeting"), stamp))
        return self.ok(self.set("greeting"))

    def answer(self, verb, arg):
        before = {"CAPA": self.do_capa, "STLS": self.do_stls, "USER": self.do_user,
                  "PASS": self.do_pass, "APOP": self.do_apop, "AUTH": self.do_auth,
                  "QUIT": self.do_quit, "UTF8": self.do_utf8}
        after = {"STAT": self.do_stat, "LIST": self.do_list, "UIDL": self.do_uidl,
                 "RETR": self.do_retr, "TOP": self.do_top, "DELE": self.do_dele,
                 "NOOP": lambda a: self.ok(), "RSET": self.do_rset}
        if verb in before:
            return before[verb](arg)
        if verb in after:
            if self._messages is None:
                return self.err("log in first")
            try:
                return after[verb](arg)
            except FileNotFoundError:  # an earlier session of the mailbox deleted it only now
                return self.err("the message is gone")
        return self.err("unknown command")

    def capabilities(self):
        caps = ["USER"] if self.set("plain-login") else []
        caps += [c for c, on in (("PIPELINING", self.set("pipelining")), ("UIDL", self.set("uidl")),
                                 ("TOP", self.set("top"))) if on]
        if self.set("tls") == "stls" and not self.tls:
            caps.append("STLS")
        if self.set("auth"):
            caps.append("SASL " + self.set("auth"))
        if self.set("utf8"):
            caps.append("UTF8 USER" if self.set("utf8") == "user" else "UTF8")
        caps += [c.strip() for c in self.set("caps").split(",") if c.strip()]
        hidden = self.set("hide-caps").upper().split()
        return [c for c in caps if c.split()[0].upper() not in hidden]

    def do_capa(self, arg):
        if not self.set("capa"):
            return self.err("unknown command")
        return self.ok() + b"".join(b(c) + b"\r\n" for c in self.capabilities()) + END

    def do_stls(self, arg):
        if self.set("tls") != "stls" or self.tls:
            return self.err("no STLS here")

        def handshake():
            self.start_tls()
            self.event("tls", "", None)
        return self.ok("begin TLS"), handshake

    def do_utf8(self, arg):
        if not self.set("utf8") or self._messages is not None:
            return self.err("unknown command")
        self.utf8 = True
        return self.ok("UTF8 from here on")

    def do_user(self, arg):
        if self.set("utf8") and not arg.isascii() and not self.utf8:
            return self.err("[UTF8] that name wants UTF8 first")
        self._user = arg
        return self.ok()

    def do_pass(self, arg):
        return self.login(self._user, lambda secret: arg in (secret, as_sent(secret)))

    def do_apop(self, arg):
        user, _, digest = arg.rpartition(" ")
        stamp = self._stamp if self.set("apop") is True else self.set("apop")
        if not stamp:
            return self.err("unknown command")
        return self.login(user, lambda secret: digest ==
                          hashlib.md5(b(stamp) + secret.encode()).hexdigest())

    def login(self, user, proves):
        users = self.server.users
        secret, folder = users.get(user) or users.get(as_meant(user or "")) or (None, None)
        if self.set("accept-any") and folder is None:
            secret, folder = self.server.users[self.set("user")]
        if secret is None or not (self.set("accept-any") or proves(secret)):
            return self.err("[AUTH] wrong user or password")
        if self.too_soon(Mailbox(folder)):
            return self.err(self.set("login-delay-text"))
        with self.server.changed:
            if self.set("lock") and folder in self.server.busy:
                return self.err("[IN-USE] mailbox is locked by another session")
            self.server.busy.add(folder)
        self._box = Mailbox(folder)
        self._messages = self._box.list()[:self.server.number("slice")]
        return self.ok("%d messages" % len(self._messages))

    def too_soon(self, box):
        delay = self.server.number("login-delay")
        if delay is None:
            return False
        now, last = self.server.clock(), box.last_login()
        if last is not None and 0 <= now - last < delay:
            return True
        box.last_login(now)
        return False

    def do_auth(self, arg):
        mech, _, initial = arg.partition(" ")
        mech = mech.upper()
        if mech not in self.set("auth").upper().split():
            return self.err("no such mechanism")
        try:
            if mech == "PLAIN":
                data = self.decode(initial) if initial else self.ask(b"")
                _, user, secret = data.split(b"\0")
                return self.login(user.decode(), lambda s: s.encode() == secret)
            if mech == "LOGIN":
                user = self.decode(initial) if initial else self.ask(b"Username:")
                secret = self.ask(b"Password:")
                return self.login(user.decode(), lambda s: s.encode() == secret)
            if mech == "CRAM-MD5":
                user, _, digest = self.ask(b(self._stamp)).decode().rpartition(" ")
                return self.login(user, lambda s: hmac.new(
                    s.encode(), b(self._stamp), "md5").hexdigest() == digest)
            if mech == "SCRAM-SHA-256":
                return self.scram(self.decode(initial) if initial else self.ask(b""))
        except ValueError:
            return self.err("bad response")
        return self.err("not built in")

    def scram(self, first):
        """RFC 5802 without channel binding."""
        bare = first.decode().partition(",,")[2]
        user, nonce = (field[2:] for field in bare.split(",")[:2])
        secret, _ = self.server.users.get(user) or ("", None)
        salt, nonce = b"popd's salt", nonce + "%d" % self.number
        challenge = "r=%s,s=%s,i=%s" % (nonce, base64.b64encode(salt).decode(), self.set("rounds"))
        bare_final, _, proof = self.ask(challenge.encode()).decode().rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, int(self.set("rounds")))
        key = hmac.digest(salted, b"Client Key", "sha256")
        said = ",".join((bare, challenge, bare_final)).encode()
        mask = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
        right = base64.b64encode(bytes(a ^ c for a, c in zip(key, mask))).decode() == proof
        if right:
            server_key = hmac.digest(salted, b"Server Key", "sha256")
            self.ask(b"v=" + base64.b64encode(hmac.digest(server_key, said, "sha256")))
        return self.login(user, lambda _: right)

    def decode(self, text):
        return b"" if text == "=" else base64.b64decode(text, validate=True)

    def ask(self, challenge):
        line = []

        def prompt():
            self.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
        self.event("challenge", "", prompt)
        line = self.read_line()
        self.note("AUTH-DATA", line)
        if line == "*":
            raise ValueError
        return self.decode(line)

    def size_of(self, number, m):
        rule = self.server.sizes.get(str(number), self.server.sizes.get(m.name))
        if self.set("sizes-change"):
            return str(m.size() + self.server.count())
        if rule is None:
            return str(m.size())
        if rule[:1] in "+-" and rule[1:].isdigit():
            return str(m.size() + int(rule))
        return rule[1:] if rule[:1] == "=" else rule

    def uidl_of(self, number, m):
        return self.server.uidls.get(str(number), self.server.uidls.get(m.name, m.uidl))

    def do_stat(self, arg):
        if self.set("stat"):
            return self.ok(self.set("stat"))
        left = [m for m in self._messages if not m.deleted]
        return b("+OK %d %d\r\n" % (len(left), sum(m.size() for m in left)))

    def listing(self, arg, value):
        rows = [(i, m) for i, m in enumerate(self._messages, 1) if not m.deleted]
        if arg:
            m = self.find(arg)
            return b"+OK %s %s\r\n" % (b(arg), b(value(int(arg), m))) if m else self.err("no such")
        if not rows and self.set("empty-undotted"):
            return b"+OK 0 messages\r\n"
        if "first" in self._body:
            rows = rows[:self._body["first"]]
        return self.ok() + b"".join(b"%d %s\r\n" % (i, b(value(i, m))) for i, m in rows) + END

    def do_list(self, arg):
        return self.listing(arg, self.size_of)

    def do_uidl(self, arg):
        if not self.set("uidl"):
            return self.err("unknown command")
        return self.listing(arg, self.uidl_of)

    def find(self, arg):
        if not arg.isdigit() or not 1 <= int(arg) <= len(self._messages):
            return None
        m = self._messages[int(arg) - 1]
        return None if m.deleted else m

    def do_retr(self, arg):
        m = self.find(arg)
        if not m:
            return self.err("no such message")
        refusal = self.refusal(m)
        if refusal:
            return self.err(refusal)
        self.read.append(m)
        data = m.wire(not self._body.get("unstuffed"), not self._body.get("noeom"), self.shown(m))
        if "cut" in self._body:
            data = data[:self._body["cut"]]
        return self.ok() + data

    def refusal(self, m):
        """Why this session does not hand it out, if so."""
        most = self.server.number("retr-max")
        if most is not None and len(self.read) >= most:
            return self.set("retr-max-text").replace("%d", str(most))
        if self.set("utf8") and not self.utf8 and not m.top(0).isascii():
            return "[UTF8] that message wants UTF8"
        return None

    def shown(self, m, verb="RETR"):
        """The message as this server likes to show it this time."""
        data = m.data()
        if self.set("header-changes"):
            data = b"X-Served: %d\r\n" % self.server.count() + data
        if self.set("retr-adds") and verb == "RETR":
            data = b(self.set("retr-adds")) + b"\r\n" + data
        if "short" in self._body:
            data = data[:self._body["short"]]
            data += b"\r\n" if data and not data.endswith(b"\r\n") else b""
        return data

    def do_top(self, arg):
        words = arg.split()
        m = self.find(words[0]) if self.set("top") and len(words) == 2 else None
        if not m:
            return self.err("no such message")
        if self.set("top-whole"):
            return self.ok() + m.wire(data=self.shown(m, "TOP"))
        return self.ok() + m.top(int(words[1]), self.shown(m, "TOP"))

    def do_dele(self, arg):
        m = self.find(arg)
        if not m:
            return self.err("no such message")
        m.deleted = True
        return self.ok()

    def do_rset(self, arg):
        for m in self._messages:
            m.deleted = False
        return self.ok()

    def do_quit(self, arg):
        if self._messages is not None:
            self._box.remove([m for m in self._messages if m.deleted])
            if self.set("read-once"):
                self._box.hide(self.read)
        self.quit = True
        self.unlock()
        return self.ok("bye"), self.hang_up
