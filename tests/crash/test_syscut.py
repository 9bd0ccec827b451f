#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""syscut itself: its count against strace's, and that each of its modes does what it says."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from sandbox import Tap, require_tools, syscut
from test_kill_sweep import is_point

# A little of everything, in two processes and a thread, always the same number of calls.
VICTIM = r"""
import os, socket, sys, threading
os.chdir(sys.argv[1])
def work():
    fd = os.open("b", os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(fd, b"thread"); os.fdatasync(fd); os.close(fd)
fd = os.open("a", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
print(os.write(fd, b"0123456789"), os.writev(fd, [b"abcdefghij"]), flush=True)
os.fsync(fd); os.pwrite(fd, b"X", 3); os.ftruncate(fd, 15); os.close(fd)
os.close(os.open("a", os.O_RDONLY)); open("/dev/null", "w").close()
os.mkdir("d"); os.rename("a", "d/a"); os.link("d/a", "l"); os.symlink("l", "s"); os.unlink("l")
d = os.open("d", os.O_RDONLY); os.fsync(d); os.close(d)
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, b"child"); os.mkdir("child"); os.rmdir("child"); os._exit(0)
os.waitpid(pid, 0)
t = threading.Thread(target=work); t.start(); t.join()
one, two = socket.socketpair()
one.sendall(b"USER x\r\n"); one.shutdown(socket.SHUT_WR)
os.chmod("d/a", 0o644); os.utime("d/a", (1, 1)); os.truncate("d/a", 5)
sys.exit(7)
"""
# Two processes that never stop changing things.
RESTLESS = r"""
import os, sys
os.chdir(sys.argv[1]); os.fork()
for i in range(100000):
    os.close(os.open("%d-%d" % (os.getpid(), i), os.O_CREAT | os.O_WRONLY))
"""


class Bench:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="syscut.")
        self.folder = os.path.join(self.root, "w")

    def file(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.file(name)) as f:
            return f.read()

    def victim(self, code=VICTIM):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        return [sys.executable, "-BESs", "-c", code, self.folder]

    def run(self, *options, code=VICTIM):
        p = subprocess.run([syscut(), "--report", self.file("report"), *options, "--",
                            *self.victim(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=60)
        return p, json.loads(self.text("report"))


def strace_count(bench):
    names = subprocess.run([syscut(), "--names"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()
    subprocess.run(["strace", "-f", "-qq", "-o", bench.file("strace"), "-e",
                    "trace=" + ",".join("?" + n for n in names), *bench.victim()],
                   stdout=subprocess.DEVNULL, check=False)
    return sum(map(is_point, bench.text("strace").splitlines()))


def counting(tap, bench):
    p, report = bench.run("--count", "--list", bench.file("list"))
    points = report["points"]
    listing = bench.text("list").splitlines()
    tap.ok(p.stdout.splitlines()[-1] == str(points) == str(len(listing)),
           "--count, --list and --report agree: %d" % points, [p.stdout, *listing])
    tap.ok(p.returncode == 7 == report["exit"], "the command's own exit status comes through")
    tap.ok(any(" rename %s/a -> %s/d/a" % (bench.folder, bench.folder) in x or
               " renameat %s/a -> %s/d/a" % (bench.folder, bench.folder) in x or
               " renameat2 %s/a -> %s/d/a" % (bench.folder, bench.folder) in x for x in listing),
           "the list shows both names of a rename", listing)
    if shutil.which("strace"):
        seen = strace_count(bench)
        tap.ok(seen == points, "%d points, strace counts %d" % (points, seen), listing)
    else:
        tap.skip("points against strace", "strace is not installed")
    _, report = bench.run("--files-only", "--list", bench.file("files"))
    files = bench.text("files")
    strange = [x for x in listing if "socket:" in x or "pipe:" in x or "/dev/null" in x]
    tap.ok(report["points"] == points - len(strange) and "socket:" not in files,
           "--files-only leaves out sockets, pipes, devices and standard output", [files])
    return listing


def killing(tap, bench, listing):
    wrong = []
    for n in range(1, len(listing) + 1):
        p, report = bench.run("--kill", str(n))
        here = listing[n - 1].split(" ", 2)[2]
        if p.returncode != 99 or not report["killed"] or report["points"] != n \
                or report["at"].split(" ", 1)[1] != here and "socket:" not in here \
                and "pipe:" not in here:
            wrong.append("%d: exit %d, %s, expected %s" % (n, p.returncode, report, here))
    tap.ok(not wrong, "--kill stops before each of %d points" % len(listing), wrong)
    at = next(n for n, x in enumerate(listing, 1) if " rename" in x)
    bench.run("--kill", str(at))
    before = sorted(os.listdir(bench.folder)), os.listdir(os.path.join(bench.folder, "d"))
    bench.run("--kill", str(at + 1))
    after = sorted(os.listdir(bench.folder)), os.listdir(os.path.join(bench.folder, "d"))
    tap.ok((before, after) == ((["a", "d"], []), (["d"], ["a"])),
           "the call at the point is not executed, the one before it is", [before, after])
    p, report = bench.run("--kill", "100000")
    tap.ok(p.returncode == 98 and not report["killed"], "a tree that ends before is told apart")
    p, _ = bench.run("--kill", "500", code=RESTLESS)
    left = len(os.listdir(bench.folder))
    time.sleep(0.2)
    # the other process may have been at a call that was counted and not yet executed
    tap.ok(p.returncode == 99 and left == len(os.listdir(bench.folder)) and left in (498, 499),
           "no process of the tree runs on", ["%d files" % left])


def changing(tap, bench, listing):
    point = {word: next(n for n, x in enumerate(listing, 1) if " %s " % word in x)
             for word in ("write", "writev", "fsync", "pwrite64")}
    p, _ = bench.run("--fail", "%d:ENOSPC" % point["write"])
    made = os.path.join(bench.folder, "a")
    tap.ok("No space left" in p.stderr and os.path.getsize(made) == 0, "--fail: ENOSPC for a write",
           [p.stderr])
    p, _ = bench.run("--fail", "%d:EIO" % point["fsync"])
    tap.ok("Input/output error" in p.stderr, "--fail: EIO for an fsync", [p.stderr])
    p, _ = bench.run("--short", str(point["write"]))
    tap.ok(p.stdout.startswith("5 10\n"), "--short: half of a write", [p.stdout])
    p, _ = bench.run("--short", str(point["writev"]))
    tap.ok(p.stdout.startswith("10 5\n") and p.returncode == 7, "--short: half of a writev",
           [p.stdout])
    code = ("import os,sys\nos.chdir(sys.argv[1])\nfor i in range(4):\n try:\n"
            "  os.close(os.open('f%d' % i, os.O_CREAT|os.O_WRONLY))\n except OSError: pass\n"
            "try: os.unlink('f0')\nexcept OSError: print('stays')\n")
    bench.run("--files-only", "--fail-from", "3:ENOSPC", code=code)
    full = sorted(os.listdir(bench.folder))
    p, _ = bench.run("--files-only", "--fail-from", "3:EROFS", code=code)
    tap.ok(full == ["f1"] and p.stdout == "stays\n" and len(os.listdir(bench.folder)) == 2,
           "--fail-from: a full disk makes nothing new and lets go, a read-only one does neither",
           [full, p.stdout])
    p, report = bench.run("--signal", "%d:15" % point["fsync"])
    tap.ok(report["signal"] == 15 and report["hit"], "--signal", [report])


def tracing(tap, bench):
    bench.run("--trace", bench.file("trace"), "--octets", "4")
    calls = [json.loads(line) for line in bench.text("trace").splitlines()]
    write = next(c for c in calls if c["call"] == "write" and c["path"].endswith("/a"))
    sent = next(c for c in calls if c["path"].startswith("socket:") and "data" in c)
    tap.ok(write["data"] == "0123" and write["ret"] == 10 and sent["data"] == "USER",
           "--trace shows results and the first octets", [write, sent])
    tap.ok(all(c["start"] < c["end"] for c in calls) and
           len({t for c in calls for t in (c["start"], c["end"])}) == 2 * len(calls),
           "--trace orders beginnings and ends")


def main():
    tap = Tap()
    if not require_tools(tap):
        return 0
    bench = Bench()
    try:
        listing = counting(tap, bench)
        killing(tap, bench, listing)
        changing(tap, bench, listing)
        tracing(tap, bench)
    finally:
        shutil.rmtree(bench.root)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
