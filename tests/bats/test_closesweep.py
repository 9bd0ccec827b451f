#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The close sweep: the connection is cut at every byte (with FP_LONG; else at every seventh), in both
directions, of a session with three messages; then a clean run. No message may be lost, none delivered
twice, none torn, and a run that says 0 has missed nothing.

    test_closesweep.py [--jobs N] [--fetchpop PROGRAM] [--only WORD]

Speaks TAP. The program is $FETCHPOP. In direction "sent" the server's n-th byte is its last; in
direction "received" the client's n-th byte arrives and what it completes is not carried out.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import popd  # noqa: E402

# What has no Message-ID is fetched again to be compared before it is deleted.
MAIL = {"a": b"Message-ID: <a>\n\n.x\n", "b": b"Message-ID: <b>\n\n",
        "c": b"Message-ID: <c>\n\n..\nno end"}

RC = """account "a" {
    server = "127.0.0.1"
    port = "%d"
    tls = "none"
    auth = "user"
    user = "u"
    password = "pass"
    keep = "%s"
    timeout = "10s"
    maildir = "%s"
}
"""

# keep, pipelining, how it breaks; few: closed, with descriptors for batches of one and two messages on
# their way, at every third byte of those
MODES = [("yes", True, "close"), ("no", True, "close"), ("no", False, "close"),
         ("no", True, "reset"), ("no", True, "few")]
LONG = [("yes", False, "close"), ("yes", True, "reset"), ("no", False, "reset")]
STEP = 1 if os.environ.get("FP_LONG") else 7


class Point:
    """One private world: a mailbox, a home, a server."""

    def __init__(self, program, keep, pipelining, how):
        self.program, self.keep, self.pipelining = program, keep, pipelining
        self.few = how == "few"
        self.top = tempfile.mkdtemp(prefix="fpclose.")
        self.box = os.path.join(self.top, "box")
        self.maildir = os.path.join(self.top, "mail")
        os.mkdir(self.box)
        for name, text in MAIL.items():
            with open(os.path.join(self.box, name), "wb") as f:
                f.write(text)
        self.want = sorted(m.delivered() for m in popd.Mailbox(self.box).list())

    def run(self, script):
        server = popd.Server(self.box, script=script, user="u", password="pass", terse=True,
                             pipelining=self.pipelining)
        with server:
            rc = os.path.join(self.top, "rc")
            with open(os.open(rc, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write(RC % (server.port, self.keep, self.maildir))
            env = {"HOME": self.top, "PATH": os.environ["PATH"], "LC_ALL": "C"}
            env.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
            line = [self.program, "--force", "-f", rc]
            if self.few:
                line = ["/bin/sh", "-c", 'ulimit -n 67; exec "$0" "$@"'] + line
            done = subprocess.run(line, env=env, capture_output=True, stdin=subprocess.DEVNULL,
                                  timeout=60)
            server.settle(5)
        if server.faults:
            raise AssertionError("popd itself failed: %s" % server.faults)
        return done, server

    def delivered(self):
        found = []
        for sub in ("new", "cur"):
            folder = os.path.join(self.maildir, sub)
            if os.path.isdir(folder):
                for name in os.listdir(folder):
                    with open(os.path.join(folder, name), "rb") as f:
                        found.append(f.read())
        return sorted(found)

    def in_tmp(self):
        folder = os.path.join(self.maildir, "tmp")
        return os.listdir(folder) if os.path.isdir(folder) else []

    def on_server(self):
        return [m.delivered() for m in popd.Mailbox(self.box).list()]

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)


def broke_over_top(cut, clean):
    """A later connection of the cut run ended where TOP is asked: the next run goes without it, and
    fetches what is there to compare it before DELE."""
    ends = [c.commands[-1][0] for c in cut.conns[1:] if c.commands]
    return ("TOP" in ends or "LIST" in ends) and not any(
        c.startswith("TOP") for c in clean.commands())


def faults(point, script):
    """A list of what went wrong at this point; empty is good."""
    bad = []
    done, cut = point.run(script)
    there, left = point.delivered(), point.on_server()
    if done.returncode < 0 or done.returncode not in (0, 65, 75, 76):
        bad.append("exit status %d" % done.returncode)
    if any(there.count(m) > 1 or m not in point.want for m in there):
        bad.append("twice or torn after the cut: %r" % there)
    if any(m not in there and m not in left for m in point.want):
        bad.append("lost by the cut")
    if done.returncode == 0 and there != point.want:
        bad.append("exit 0, but mail was missed")
    if done.returncode and b"fetchpop: a: " not in done.stderr:
        bad.append("exit %d without a word" % done.returncode)
    again, server = point.run(None)
    if again.returncode != 0:
        bad.append("clean run: exit status %d: %r" % (again.returncode, again.stderr))
    if point.delivered() != point.want:
        bad.append("after the clean run: %r" % point.delivered())
    if point.in_tmp():
        bad.append("left in tmp/: %s" % point.in_tmp())
    if point.on_server() and point.keep == "no":
        bad.append("left on the server")
    if len(point.on_server()) != 3 and point.keep == "yes":
        bad.append("deleted on the server though keep = yes")
    fetched = sum(c.startswith("RETR") for c in server.commands())
    if fetched > (3 if broke_over_top(cut, server) else 3 - len(there)):
        bad.append("fetched %d again, %d were there" % (fetched, len(there)))
    return bad


def try_point(job):
    program, keep, pipelining, how, direction, n = job
    point = Point(program, keep, pipelining, how)
    cut = "reset" if how == "reset" else "close"
    step = {"sent": "%s-at" % cut, "received": "close-after"}[direction]
    try:
        return n, faults(point, 'on connect: %s %d' % (step, n))
    except Exception as e:
        return n, ["%s: %s" % (type(e).__name__, e)]
    finally:
        point.close()


def measure(program, keep, pipelining, how):
    """Bytes of a whole session, (sent, received), and that it works at all."""
    point = Point(program, keep, pipelining, how)
    try:
        done, server = point.run(None)
        if done.returncode != 0 or point.delivered() != point.want:
            return None, "exit %d: %s %r" % (done.returncode, done.stderr.decode("latin-1"),
                                             point.delivered())
        return (server.conns[0].nsent, len(server.conns[0].received)), None
    finally:
        point.close()


def cuts(total, row, few):
    """Where to cut: each row begins at another byte, and all end with the last one."""
    step = STEP * (3 if few else 1)
    return sorted({*range(row % step, total + 1, step), total})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--fetchpop", default=os.environ.get("FETCHPOP"))
    p.add_argument("--only", default="")
    a = p.parse_args()
    if not a.fetchpop or not os.access(a.fetchpop, os.X_OK):
        sys.exit("FETCHPOP does not name the program under test")
    modes = MODES + (LONG if os.environ.get("FP_LONG") else [])
    rows = [(m, d) for m in modes for d in ("sent", "received")
            if not (m[2] == "reset" and d == "received")]
    print("1..%d" % len(rows))
    failed = False
    for number, ((keep, pipelining, how), direction) in enumerate(rows, 1):
        name = "keep = %s, %s, %s, bytes %s" % (
            keep, "pipelined" if pipelining else "one at a time", how, direction)
        if a.only not in name:
            print("ok %d - %s # SKIP not asked for" % (number, name))
            continue
        start = time.monotonic()
        size, wrong = measure(a.fetchpop, keep, pipelining, how)
        bad = []
        if size is None:
            bad.append((0, ["the uncut session fails: %s" % wrong]))
        else:
            total = size[0 if direction == "sent" else 1]
            jobs = [(a.fetchpop, keep, pipelining, how, direction, n)
                    for n in cuts(total, number, how == "few")]
            with concurrent.futures.ProcessPoolExecutor(a.jobs) as pool:
                bad = [(n, f) for n, f in pool.map(try_point, jobs, chunksize=8) if f]
            name += ": %d points" % len(jobs)
        print("%s %d - %s, %.0f s" % ("not ok" if bad else "ok", number, name,
                                      time.monotonic() - start), flush=True)
        failed |= bool(bad)
        for n, what in bad[:10]:
            print("# cut at %d: %s" % (n, "; ".join(what)))
        if len(bad) > 10:
            print("# and %d more" % (len(bad) - 10))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
