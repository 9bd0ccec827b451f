#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Round trips and flushes, counted: how often a poll waits for the server, what is on its way while
the disk is waited for, and how often it is.

Nothing here is decided by a clock. The server keeps its answers back until the client has nothing
more to say and sleeps; then it gives them all at once: one round trip. TCP's and TLS's handshakes
are one each, and so is the greeting. The disk is made slow by a library that tells of each flush in
the same file in which the server tells what it was asked and what it has answered.
"""
import os
import select
import socket
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from popd import server as popd_server  # noqa: E402
from popd.base import Gone  # noqa: E402
from popd.conn import Conn  # noqa: E402

PLAIN = 'set auth "PLAIN"\nset plain-login no\n'
HANDSHAKES = 2      # TCP, TLS 1.3
LOOKS, PAUSE = 3, 0.01
MARK = 500          # messages between two questions that prove what came before

# What the mail itself takes, beside TCP, TLS, greeting, CAPA at a first poll, AUTH, and CAPA, UIDL
# and LIST in one write. Up to 1,000 messages are on their way at once, the next are asked for
# whenever a quarter of them has come; the questions that prove them and DELE ride along. Behind the
# last answer DELE and QUIT leave together; without a DELE nobody waits for QUIT.
MAIL = {("yes", 1): 1, ("yes", 1000): 1, ("yes", 10000): 10,
        ("no", 1): 2, ("no", 1000): 2, ("no", 10000): 11}
LOGIN = 3           # greeting, AUTH, the lists


def sleeps(pid):
    """The process and all its children wait for something; False if one of them is not there."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            if f.read().rpartition(")")[2].split()[0] != "S":
                return False
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return all(sleeps(int(child)) for child in f.read().split())
    except OSError:
        return False


class Turns(Conn):
    """Answers are held back until the client has stopped sending."""

    def __init__(self, server, sock, number):
        super().__init__(server, sock, number)
        self.held = bytearray()
        self.turns = []     # commands that each round trip answered
        self.answered = 0

    def send(self, data):
        self.held += data if isinstance(data, bytes) else data.encode("latin-1")

    def _fill(self):
        self.give()
        super()._fill()

    def hang_up(self, hard=False):
        self.give()
        super().hang_up(hard)

    def give(self):
        if not self.held or self.client_speaks():
            return
        self.turns.append(self.commands[self.answered:])
        self.answered = len(self.commands)
        data, self.held = bytes(self.held), bytearray()
        super().send(data)

    def client_speaks(self):
        looks = 0
        while looks < LOOKS:
            if self.is_readable():
                return True
            if self.server.stopping.is_set():
                raise Gone
            looks = looks + 1 if sleeps(self.server.client.pid) else 0
            time.sleep(PAUSE)
        return self.is_readable()

    def is_readable(self):
        return (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0) or \
            bool(select.select([self.sock], [], [], 0)[0])


class Watchful(Conn):
    """Behind each proof it stops until the client flushes something, and notes how many messages it
    had been asked for by then."""

    def __init__(self, server, sock, number):
        super().__init__(server, sock, number)
        self.under_way = []

    def event(self, name, arg, ordinary):
        super().event(name, arg, ordinary)
        if name != "UIDL" or not arg:
            return
        before, until = self.server.flushes(), time.monotonic() + 10
        while self.server.flushes() == before and time.monotonic() < until:
            time.sleep(PAUSE)
        self.read_all()
        self.under_way.append(bytes(self._buf).count(b"RETR "))

    def read_all(self):
        self.sock.settimeout(0)
        try:
            while data := self.sock.recv(65536):
                self._buf += data
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        finally:
            self.sock.settimeout(None)


FLUSH = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static int flush(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *ms = getenv("FLUSH_MS");
    struct timespec pause = {.tv_nsec = (ms == NULL ? 0 : atol(ms)) * 1000000};
    char line[64];
    int story = open(getenv("FLUSH_STORY"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int len = snprintf(line, sizeof line, "%s\n", name);
    if (story < 0 || write(story, line, (size_t)len) != len)
        abort();
    close(story);
    nanosleep(&pause, NULL);
    return real(fd);
}
int fsync(int fd) { return flush("fsync", fd); }
int fdatasync(int fd) { return flush("fdatasync", fd); }
int syncfs(int fd) { return flush("syncfs", fd); }
"""


def slow_disk(w, ms):
    source, made = w.path("flush.c"), w.path("flush.so")
    if not os.path.exists(made):
        with open(source, "w") as f:
            f.write(FLUSH)
        try:
            done = subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-o",
                                   made, source, "-ldl"], stderr=subprocess.PIPE)
        except OSError as e:
            raise world.Skip("no C compiler: %s" % e)
        if done.returncode != 0:
            raise world.Skip("cannot make a library: %s" % done.stderr[-200:].decode("latin-1"))
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": made, "FLUSH_STORY": w.path("story"), "FLUSH_MS": str(ms),
            "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}


class Place:
    """One server address with TLS and one key, as remembered capabilities want it."""

    def __init__(self, w, kind):
        self.w, self.kind = w, kind
        self.cert, self.key = w.path("cert.pem"), w.path("key.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                            "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            self.key, "-out", self.cert], check=True, capture_output=True)
        except OSError as e:
            raise world.Skip("no openssl: %s" % e)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.next = 1

    def put(self, count):
        names = ["m%05d" % i for i in range(self.next, self.next + count)]
        self.next += count
        for name in names:
            self.w.put(name, body="hello\n")
        return names

    def poll(self, script="", env=None, limit=400, **account):
        """One poll that has to be fine; returns its connection. If all that was listed was new, it may
        look whether there is more, and finds nothing."""
        w = self.w
        server = popd_server.Server(w.box, script=PLAIN + script, port=self.port, tls="implicit",
                                    cert=self.cert, key=self.key)
        server.kind, server.flushes = self.kind, lambda: len(flushes(w))
        open(w.path("story"), "wb").close()
        with server:
            account = {"tls": "implicit", "tls_ca_file": self.cert, "auth": "plain",
                       "timeout": "300s",
                       # the library of flushes writes where a worker may not
                       **({"sandbox": "off"} if env else {}), **account}
            server.client = subprocess.Popen(
                [world.FETCHPOP, "-f", w.write_rc(self.port, **account), "--state-dir", w.state],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=w.environment(env))
            try:
                said = server.client.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                server.client.kill()
                said = server.client.communicate()[0] + b"(killed: it did not end)"
            server.settle(5)
        looks = [c for c in server.conns[1:] if any(verb == "RETR" for verb, _ in c.commands)]
        w.need(not server.faults, "popd itself failed", server.faults)
        w.need(server.client.returncode == 0 and 1 <= len(server.conns) <= 2 and not looks,
               "a poll that should just be fine", server.client.returncode, said)
        if not server.conns:
            raise RuntimeError("no connection")
        return server.conns[0]


def make_conn(server, sock, number):
    """In the place of popd's own."""
    return server.kind(server, sock, number)


# ---- round trips ---------------------------------------------------------------------------------

def shown(turn):
    """"RETR x 500, UIDL x 1, ..." """
    runs = []
    for verb, _ in turn:
        if runs and runs[-1][0] == verb:
            runs[-1][1] += 1
        else:
            runs.append([verb, 1])
    text = ", ".join("%s x %d" % tuple(run) for run in runs[:8])
    return text + (" ... %d commands" % len(turn) if len(runs) > 8 else "")


def need_trips(w, conn, want, what, keep="no"):
    """Where nothing is deleted nobody waits for the answer to QUIT: whether the program still sleeps
    when it comes is chance."""
    if keep == "yes" and conn.turns and [verb for verb, _ in conn.turns[-1]] == ["QUIT"]:
        conn.turns.pop()
    trips = HANDSHAKES + len(conn.turns)
    w.need(trips == want, "%s: %d round trips, not %d" % (what, want, trips),
           *["\n%3d  %s" % (i, shown(t))
             for i, t in enumerate(conn.turns[:20], HANDSHAKES + 1)])


def nothing_new(w):
    place = Place(w, Turns)
    need_trips(w, place.poll(), HANDSHAKES + LOGIN + 1, "a first poll, nothing there")
    need_trips(w, place.poll(), HANDSHAKES + LOGIN, "a later one")
    place.put(100)
    place.poll()
    need_trips(w, place.poll(), HANDSHAKES + LOGIN, "100 seen")
    need_trips(w, place.poll(keep="no"), HANDSHAKES + LOGIN, "and nothing to delete")


def fetching(keep, count, first):
    def case(w):
        place = Place(w, Turns)
        if not first:
            place.poll(keep=keep)
        names = place.put(count)
        conn = place.poll(keep=keep, fsync="none")
        need_trips(w, conn, HANDSHAKES + LOGIN + first + MAIL[keep, count],
                   "%d messages, keep = %s" % (count, keep), keep)
        w.need_each(1, names)
        w.need(w.left() == ([] if keep == "no" else names), "left on the server", len(w.left()))
    return case


def one_by_one(w):
    """Greeting, AUTH, CAPA, STAT, UIDL, LIST; RETR, the proof, DELE and QUIT."""
    place = Place(w, Turns)
    place.poll("set pipelining no")
    names = place.put(3)
    conn = place.poll("set pipelining no", keep="no", fsync="none")
    need_trips(w, conn, HANDSHAKES + 1 + 1 + 4 + len(names) + 1 + len(names) + 1, "no PIPELINING")
    w.need(all(len(turn) <= 1 for turn in conn.turns), "one command, one answer")
    w.need_each(1, names)
    w.need(w.left() == [], "left on the server", w.left())


# ---- the disk ------------------------------------------------------------------------------------

def flushes(w):
    with open(w.path("story")) as f:
        return f.read().split()


def overlap(keep):
    def case(w):
        place = Place(w, Watchful)
        names = place.put(3 * MARK)
        found = place.poll(keep=keep, env=slow_disk(w, 50)).under_way
        w.need(len(found) == 3, "three commits for %d messages" % len(names), found)
        w.need(found[-1:] == [0] and all(n > 0 for n in found[:-1]),
               "each commit but the last has messages under way, so that the slow disk and the "
               "slow line are waited for at the same time", "under way: %s" % found)
        w.need_each(1, names)
    return case


def flushes_of_one(keep):
    def case(w):
        place = Place(w, Conn)
        place.put(1)
        place.poll(keep=keep)
        names = place.put(1)
        w.pass_days(1)
        place.poll(keep=keep, env=slow_disk(w, 0))
        w.need(len(flushes(w)) <= 5, "at most 5 flushes for one new message", flushes(w))
        w.need_each(1, ["m00001"] + names)
    return case


def flushes_of_batches(w):
    place = Place(w, Conn)
    place.put(1)
    place.poll(keep="no")
    found = []
    for batches in (1, 3):
        place.put(batches * MARK)
        place.poll(keep="no", env=slow_disk(w, 0))
        found.append(len(flushes(w)))
    w.need(found[1] - found[0] <= 2 * 4, "at most 4 flushes for each batch more", found,
           flushes(w))


def flushes_of_shortening(w):
    """The old journal's inode must not be used again before the folder names the new one."""
    place = Place(w, Conn)
    for count in (20, 12):
        place.put(count)
        place.poll(keep="yes")
    before = os.stat(w.journal_path()).st_ino
    place.poll(keep="yes", env=slow_disk(w, 0))
    w.need(os.stat(w.journal_path()).st_ino != before, "it is shortened")
    w.need("fsync" in flushes(w)[1:], "then its folder is flushed, though nothing is new", flushes(w))


def no_flush(w):
    place = Place(w, Conn)
    place.put(1)
    for _ in range(2):
        place.put(2 * MARK)
        place.poll(keep="no", fsync="none", env=slow_disk(w, 0))
        w.need(flushes(w) == [], "fsync = none: no flush", flushes(w))
        w.need(w.left() == [], "left on the server", len(w.left()))


CASES = [("nothing new: %d round trips, one more at a first poll" % (HANDSHAKES + LOGIN),
          nothing_new)]
CASES += [("%s message%s, keep = %s, %s: %d round trips" % (
    "{:,}".format(count), "" if count == 1 else "s", keep, "a first poll" if first else "later",
    HANDSHAKES + LOGIN + first + MAIL[keep, count]), fetching(keep, count, first))
    for keep, count in MAIL for first in ((True, False) if count < 10000 else (False,))]
CASES += [
    ("no PIPELINING: one command, one round trip", one_by_one),
    ("keep = yes: a slow disk and a slow line are waited for at once", overlap("yes")),
    ("keep = no: a slow disk and a slow line are waited for at once", overlap("no")),
    ("keep = yes: one new message, at most 5 flushes", flushes_of_one("yes")),
    ("keep = no: one new message, at most 5 flushes", flushes_of_one("no")),
    ("a batch more: at most 4 flushes more", flushes_of_batches),
    ("nothing new, but the journal is shortened: its folder is flushed", flushes_of_shortening),
    ("fsync = none: no flush", no_flush),
]

if __name__ == "__main__":
    popd_server.Conn = make_conn
    world.main(CASES, jobs=2)
