#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Capabilities remembered from the last run: no CAPA before the login, and never a second try with a
secret that was refused for itself."""
import os
import re
import socket
import subprocess
import sys
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

PLAIN = 'set auth "PLAIN LOGIN"\nset plain-login no\n'
LOGIN = 'set auth "LOGIN"\nset plain-login no\n'


def make_key(w, name):
    cert, key = w.path(name + ".pem"), w.path(name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


class Place:
    """One server address with TLS: the same port and, unless told otherwise, the same key."""

    def __init__(self, w):
        self.w = w
        self.keys = {"one": make_key(w, "one")}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        w.fill(1)
        self.poll()

    def poll(self, *args, script=PLAIN, key="one", status=0, password="secret", **account):
        """One poll; the commands of each connection."""
        w = self.w
        if key not in self.keys:
            self.keys[key] = make_key(w, key)
        cert, private = self.keys[key]
        account = {"tls": "implicit", "tls_ca_file": cert, "auth": "auto", "password": password,
                   **account}
        with world.popd.Server(w.box, script=script, port=self.port, cert=cert, key=private,
                               **({"tls": "none"} if account["tls"] == "none" else
                                  {"tls": account["tls"]})) as server:
            done = subprocess.run([world.FETCHPOP, "-f", w.write_rc(self.port, **account),
                                   "--state-dir", w.state, *args], stdin=subprocess.DEVNULL,
                                  capture_output=True, env=w.environment(), timeout=60)
            server.settle(5)
            talks = [[" ".join(c).strip() for c in conn.commands] for conn in server.conns]
            w.need(not server.faults, "popd itself failed", server.faults)
        self.err = done.stderr.decode("latin-1")
        w.need(done.returncode == status, "status %d" % status, done.returncode, self.err)
        return [[line for line in talk if verb(line) in ("CAPA", "AUTH", "USER", "PASS", "UIDL")]
                for talk in talks]

    def remembers(self, talks):
        """The poll logged in without asking; the CAPA behind the login is another one."""
        return self.w.need(len(talks) == 1 and verb(talks[0][0]) != "CAPA",
                           "no CAPA before the login", talks)

    def asks(self, talks):
        return self.w.need(len(talks) == 1 and verb(talks[0][0]) == "CAPA",
                           "CAPA before the login", talks)

    def note(self):
        names = [n for n in os.listdir(self.w.state) if n.endswith(".note")]
        return os.path.join(self.w.state, names[0]) if names else None

    def change_note(self, change):
        """The note's capa line through `change`, with the right checksum."""
        with open(self.note(), "rb") as f:
            lines = f.read().split(b"\n")[:-2]
        lines = [change(line) if line.startswith(b"capa ") else line for line in lines]
        text = b"".join(line + b"\n" for line in lines)
        with open(self.note(), "wb") as f:
            f.write(text + b"sum %08x\n" % zlib.crc32(text))


def verb(line):
    return line.split(" ")[0]


def logins(talks):
    return sum(verb(line) in ("AUTH", "PASS") for talk in talks for line in talk)


def second_poll(w):
    at = Place(w)
    at.remembers(at.poll())
    with open(at.note(), "rb") as f:
        before = (os.stat(at.note()).st_ino, f.read())
    at.remembers(at.poll())
    with open(at.note(), "rb") as f:
        w.need(before == (os.stat(at.note()).st_ino, f.read()), "the note is not written again")
    w.need_each(1, ["m001"])


def looking(w):
    """--check and --dry-run use it and write nothing."""
    at = Place(w)
    for option in ("--check", "--dry-run"):
        at.remembers(at.poll(option, status=1 if option == "--check" else 0))
    os.unlink(at.note())
    for option in ("--check", "--dry-run"):
        at.asks(at.poll(option, status=1 if option == "--check" else 0))
        w.need(at.note() is None, "%s writes a note" % option)


def implicit_only(w):
    at = Place(w)
    os.unlink(at.note())
    for _ in range(2):
        talks = at.poll(tls="none", auth="user", script="")
        at.asks(talks)
        talks = at.poll(tls="stls", script="set auth PLAIN")
        w.need([verb(line) for line in talks[0]][:3] == ["CAPA", "CAPA", "AUTH"],
               "with STLS both are asked", talks)
    at.asks(at.poll())


def other_key(w):
    at = Place(w)
    at.asks(at.poll(key="two"))
    at.remembers(at.poll(key="two"))
    at.asks(at.poll())


def too_old(w):
    at = Place(w)

    def back(seconds):
        at.change_note(lambda line: re.sub(rb"^capa (\d+)", lambda m: b"capa %d" % (
            int(m.group(1)) - seconds), line))
    back(23 * 3600)
    at.remembers(at.poll())
    back(3601)
    at.asks(at.poll())
    at.remembers(at.poll())


def shrank(w):
    """PLAIN is gone: it is refused, CAPA tells, and the way that is left is taken."""
    at = Place(w)
    talks = at.poll(script=LOGIN)
    w.need([verb(line) for line in talks[0]][:4] == ["AUTH", "CAPA", "AUTH", "CAPA"] and
           talks[0][2].startswith("AUTH LOGIN"), "refused, asked, logged in", talks)
    at.remembers(at.poll(script=LOGIN))


def hangs_up(w):
    at = Place(w)
    talks = at.poll(script=LOGIN + "on @1 AUTH: close\n")
    w.need(len(talks) == 2 and verb(talks[1][0]) == "CAPA" and
           talks[1][1].startswith("AUTH LOGIN"), "asked on another connection", talks)


def hangs_up_as_before(w):
    """On a wrong password, say: it is looked up once, and there is no second login."""
    at = Place(w)
    talks = at.poll(script=PLAIN + "on AUTH: close\n", status=75)
    w.need(logins(talks) == 1 and len(talks) == 2, "one login", talks)
    at.asks(at.poll())


def wrong_password(w):
    at = Place(w)
    talks = at.poll(password="wrong", status=77)
    w.need(logins(talks) == 1 and [verb(line) for line in talks[0]] == ["AUTH", "CAPA"],
           "one login, and the list was looked at", talks)
    w.need("login refused" in at.err and at.err.count("\n") == 1, "told as ever", at.err)


def nothing_left(w):
    """The configuration names what the remembered list lacks, but the server has it now."""
    at = Place(w)
    w.need(not at.poll("-v", auth="cram-md5", status=77)[0][1:],
           "nothing in common: CAPA and no login", at.err)
    talks = at.poll(auth="cram-md5", script='set auth "CRAM-MD5"\n')
    w.need([verb(line) for line in talks[0]][:2] == ["CAPA", "AUTH"], "asked, logged in", talks)


def plus_is_new(w):
    """A server that came to offer -PLUS refuses who says that it did not: that is no wrong password."""
    at = Place(w)
    scram = 'set auth "SCRAM-SHA-256 LOGIN"\nset plain-login no\n'
    os.unlink(at.note())
    at.poll(script=scram + 'on AUTH SCRAM*: err "no"\n', status=77)
    at.poll(script='set auth "SCRAM-SHA-256 LOGIN"\n', auth="login")
    talks = at.poll(script='set auth "SCRAM-SHA-256 SCRAM-SHA-256-PLUS LOGIN"\n'
                    'on AUTH SCRAM*: err "[AUTH] no"\n', status=77)
    w.need(logins(talks) == 2, "one more login", talks)


def junk(w):
    at = Place(w)
    key = b""
    with open(at.note(), "rb") as f:
        key = re.search(rb"^capa \d+ (capa%20\d+%20\S+?%0A)", f.read(), re.M).group(1)
    for text in (b"SASL%20PLAIN", b"%0A%0A%0A", b"x" * 3500 + b"%0A", b"%00%01%FF%0D%0D%0A",
                 b"SASL" + b"%20" * 900 + b"%0A", b"USER%0A" * 600, b"", b"%ZZ%0A",
                 b"SASL%20NO-SUCH%20" + b"A" * 600 + b"%0A", b"STLS%0ACAPA%0ALOGIN-DELAY%20-1%0A"):
        at.change_note(lambda line: re.sub(rb"^(capa \d+) .*", lambda m: m.group(1) + b" " + key +
                                           text, line))
        talks = at.poll()
        w.need(logins(talks) == 1, "one login with %r" % text[:40], talks)
    with open(at.note(), "wb") as f:
        f.write(os.urandom(3000))
    at.asks(at.poll())
    at.remembers(at.poll())


def broken_listing(w):
    """It may have lost PIPELINING as well: after a session that broke CAPA is asked."""
    at = Place(w)
    at.poll(script=PLAIN + "on UIDL: close\n", status=75)
    at.asks(at.poll())


CASES = [
    ("the second poll begins with the login; nothing is written if nothing changed", second_poll),
    ("--check and --dry-run use what is remembered, and write nothing", looking),
    ("with STLS, and without TLS, CAPA is asked each time", implicit_only),
    ("another key of the server: asked", other_key),
    ("older than a day: asked", too_old),
    ("a mechanism that is gone: asked, and one more login", shrank),
    ("a server that hangs up on a mechanism that is gone: asked on a new connection", hangs_up),
    ("a server that hangs up on what it offers: no second login", hangs_up_as_before),
    ("a wrong password: one login", wrong_password),
    ("nothing in common with what is remembered: asked, then logged in", nothing_left),
    ("-PLUS that is new: one more login", plus_is_new),
    ("junk in the note", junk),
    ("after a session that broke: asked", broken_listing),
]

if __name__ == "__main__":
    world.main(CASES, jobs=2)
