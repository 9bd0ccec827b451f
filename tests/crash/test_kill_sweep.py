#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Kills fetchpop's whole process tree before every state-changing system call, and runs it again.

Without options: the set that `make check` runs. --long: everything, with the double sweep (a second
kill at every point of the recovery) over the full mailbox. See README.
"""

import argparse
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from actors import Actors
from sandbox import Sandbox, Scenario, Tap, fetchpop, require_tools, syscut

SINGLE = [
    "dest=maildir,keep=no", "dest=maildir,keep=yes", "dest=maildir,keep=no,fork=no",
    "dest=maildir,keep=no,files=few,n=6", "dest=mbox,keep=no,files=few,n=6",
    "dest=maildir,keep=yes,fork=no", "dest=maildir,keep=no,reader=cur",
    "dest=maildir,keep=yes,reader=folder", "dest=maildir,keep=no,tls=implicit",
    "dest=mbox,keep=no", "dest=mbox,keep=yes", "dest=mbox,keep=no,append=wait",
    "dest=mbox,keep=no,shared=yes", "dest=mda,keep=no", "dest=mda,keep=yes",
    "dest=lmtp,keep=no", "dest=pipe,keep=no,n=6",
    "dest=maildir,keep=no,rules=sort,n=6", "dest=mbox,keep=no,rules=pass,n=3",
]
# At every fourth point; --long has all of them.
SAMPLED = [
    "dest=maildir,keep=no,read=once,n=3", "dest=mbox,keep=yes,read=once,n=3",
    "dest=mda,keep=no,read=once,how=away,n=3", "dest=maildir,keep=no,how=all,n=2",
    "dest=mbox,keep=yes,how=nokeep,n=2", "dest=mbox,keep=no,read=once,how=few,n=4",
    "dest=maildir,keep=30d,n=2", "dest=lmtp,keep=no,rules=sort,n=6",
    "dest=maildir,keep=no,shared=states,n=4", "dest=maildir,keep=no,shared=states,read=once,n=2",
    "dest=mda,keep=no,read=once,rules=sort,n=6", "dest=maildir,keep=no,read=once,rules=pass,n=2",
    "dest=mda,keep=no,rules=pass,n=2", "dest=lmtp,keep=no,rules=pass,n=3",
]
STOP = ["dest=maildir,keep=no,n=3", "dest=maildir,keep=no,n=3,fork=no", "dest=mbox,keep=no,n=3",
        "dest=mda,keep=no,n=2", "dest=lmtp,keep=no,n=2", "dest=pipe,keep=no,n=6"]
DOUBLE = [
    "dest=maildir,keep=no,n=3", "dest=maildir,keep=yes,n=2,reader=folder", "dest=mbox,keep=no,n=3",
    "dest=mda,keep=no,n=2", "dest=lmtp,keep=no,n=2", "dest=pipe,keep=no,n=2",
]
DOUBLE_LONG = ["dest=mda,keep=no,read=once,how=away,n=2", "dest=maildir,keep=no,read=once,n=2",
               "dest=mbox,keep=no,read=once,n=2", "dest=maildir,keep=no,how=all,n=2"]


def long_set():
    """Every combination that means something."""
    for keep, fork, tls in itertools.product(("no", "yes"), ("yes", "no"), ("none", "implicit")):
        tail = ",keep=%s,fork=%s,tls=%s" % (keep, fork, tls)
        yield from ("dest=maildir%s,reader=%s" % (tail, r) for r in ("none", "cur", "folder"))
        yield from ("dest=mbox%s,append=%s" % (tail, a) for a in ("none", "wait"))
        yield "dest=mda" + tail
        yield "dest=lmtp" + tail
        yield "dest=pipe,n=6" + tail
    for dest, keep in itertools.product(("maildir", "mbox", "mda", "lmtp", "pipe"), ("no", "yes")):
        yield "dest=%s,keep=%s,shared=yes" % (dest, keep)
        if dest == "maildir":
            yield "dest=%s,keep=%s,shared=states" % (dest, keep)
            yield "dest=%s,keep=%s,shared=states,read=once" % (dest, keep)
        yield "dest=%s,keep=%s,drop=yes" % (dest, keep)
        for how, fork in itertools.product(("plain", "all", "nokeep", "few"), ("yes", "no")):
            yield "dest=%s,keep=%s,read=once,how=%s,fork=%s" % (dest, keep, how, fork)
        for how in ("all", "nokeep", "few"):
            yield "dest=%s,keep=%s,how=%s" % (dest, keep, how)
    for keep, read in itertools.product(("no", "yes"), ("often", "once")):
        yield "dest=mda,keep=%s,read=%s,how=away" % (keep, read)
    for dest, read in itertools.product(("maildir", "mbox", "mda"), ("often", "once")):
        yield "dest=%s,keep=30d,read=%s" % (dest, read)
    for dest, rules, read in itertools.product(("maildir", "mda", "lmtp"), ("sort", "pass"),
                                               ("often", "once")):
        yield "dest=%s,keep=no,rules=%s,read=%s" % (dest, rules, read)
    for read, keep in itertools.product(("often", "once"), ("no", "yes")):
        yield "dest=mbox,keep=%s,rules=pass,read=%s" % (keep, read)


class Sweeper:
    """One process of the sweep: a sandbox, and what to do at point n."""

    def __init__(self, scenario):
        self.box = Sandbox(scenario)
        self.saved = {}
        self.settled = {}

    def close(self):
        self.box.close()

    def learn(self):
        return self.box.learn()

    def count(self):
        self.box.fresh()
        listing = os.path.join(self.box.root, "list")
        result = self.box.cut("--list", listing)
        with open(listing) as f:
            return result.report["points"], [line.rstrip("\n") for line in f]

    def kill(self, n):
        """None if the run ended before point n, else where the kill struck."""
        self.box.fresh()
        report = self.box.cut("--kill", str(n)).report
        return report["at"] if report["killed"] else None

    def single(self, n):
        at = self.kill(n)
        if at is None:
            return None, [], 0
        self.box.between()
        return at, self.box.settle(1), self.box.moved + self.box.torn

    def stop(self, n):
        """TERM at point n: what is complete is kept, the exit status says that there is more."""
        self.box.fresh()
        result = self.box.cut("--signal", "%d:%d" % (n, signal.SIGTERM))
        if not result.report["hit"]:
            return None, [], 0
        problems = self.box.mail_problems()
        delivered, _ = self.box.found()
        missing = [m.uidl for m in self.box.messages if not delivered[m.uidl]]
        if result.status not in (0, 75, 128 + signal.SIGTERM):
            problems.append("TERM: exit %d: %s" % (result.status, result.stderr.strip()))
        if result.status == 0 and missing:
            problems.append("TERM: exit 0, but not delivered: " + " ".join(missing))
        return result.report["at"], problems + self.box.settle(0), 0

    def first(self, n):
        """A first kill at n, kept for the second ones; its fingerprint."""
        at = self.kill(n)
        if at is None:
            return None, None
        self.box.between()
        self.saved[n] = self.box.snapshot(str(n))
        return at, self.box.fingerprint()

    def second(self, n, merge, only=None):
        """Kills the rerun behind a first kill at n before each of its points in turn.

        Returns how many points there were, how many of them left what had been seen before (if
        these are to be merged), and what went wrong."""
        trouble, merged = [], 0
        for m in itertools.count(1) if only is None else [only]:
            self.box.restore(self.saved[n])
            report = self.box.cut("--kill", str(m)).report
            if not report["killed"]:
                return m - 1, merged, trouble
            self.box.between()
            mark = self.box.fingerprint() if merge else None
            if mark in self.settled:
                merged += 1
                continue
            problems = self.box.settle(2)
            if merge:
                self.settled[mark] = m
            for problem in problems:
                trouble.append((m, report["at"], problem))
        return 1, merged, trouble

    def strace(self):
        """Calls of the same kinds as strace sees them, by name."""
        names = subprocess.run([syscut(), "--names"], check=True, stdout=subprocess.PIPE,
                               text=True).stdout.split()
        out = os.path.join(self.box.root, "strace")
        self.box.fresh()
        self.box.execute(["strace", "-f", "-y", "-qq", "-o", out, "-e",
                          "trace=" + ",".join("?" + n for n in names), *self.box.command()])
        with open(out, errors="replace") as f:
            lines = [line for line in f if is_point(line)]
        return len(lines), (sum("write(" in line and "<pipe:" in line for line in lines)
                            + 2 * sum(" sendmsg(" in line for line in lines))


def is_point(line):
    """A line of strace that begins a call which changes state; opens that only read do not."""
    m = re.match(r"\d+ +(\w+)\(", line)
    if not m:
        return False
    if m.group(1) not in ("open", "openat", "openat2"):
        return True
    return re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)\b", line.rpartition('"')[2]) is not None


def reproduce(scenario, n, m=None):
    return "FETCHPOP=%s SYSCUT=%s %s --scenario %s --point %d%s" % (
        fetchpop(), syscut(), os.path.relpath(sys.argv[0]), scenario, n,
        "" if m is None else " --second %d" % m)


def until_ended(name, ended, step=1):
    """Tasks for point 1, 2, ... until runs have ended before their point three times."""
    n = 1
    while len(ended) < 3:
        yield (name, n)
        n += step


def count_row(tap, actors, scenario):
    """The number of points, against strace. A worker tells of its progress now and then, and asks the
    process outside of its sandbox whether a command has ended (sendmsg, and an answer), so that a
    slower run may have more of these: after three tries they alone may differ."""
    if not shutil.which("strace"):
        tap.skip("%s: points against strace" % scenario, "strace is not installed")
        return
    if os.geteuid() != 0:
        tap.skip("%s: points against strace" % scenario,
                 "only root sees which writes go to the pipe of progress")
        return
    for _ in range(3):
        points, listing = actors.ask(0, "count")
        seen, seen_told = actors.ask(0, "strace")
        if points == seen:
            break
    told = (sum(" write pipe:" in line for line in listing)
            + 2 * sum(" sendmsg " in line for line in listing))
    how = "" if points == seen else ", %d and %d of them of progress" % (told, seen_told)
    tap.ok(points - told == seen - seen_told,
           "%s: %d points, strace counts %d%s" % (scenario, points, seen, how), listing)


def is_even(scenario):
    """Two accounts are polled side by side, and may or may not wait for each other."""
    return (scenario.reader, scenario.tls, scenario.shared, scenario.read, scenario.how,
            scenario.rules, scenario.keep == "30d") == ("none", "none", "no", "often", "plain", "no",
                                                        False)


def single_sweep(tap, scenario, jobs, what="single", verb="killed", step=1):
    started, ended, trouble, hits, moved = time.time(), [], [], 0, 0
    with Actors(lambda: Sweeper(scenario), jobs) as actors:
        for i in range(jobs):
            trouble += ["undisturbed: " + p for p in actors.ask(i, "learn")]
        if what == "single" and is_even(scenario):
            count_row(tap, actors, scenario)
        for _, (_, n), (at, problems, m) in actors.spread(until_ended(what, ended, step)):
            if at is None:
                ended.append(n)
                continue
            hits, moved = hits + 1, moved + m
            for problem in problems:
                trouble.append("point %d (%s): %s" % (n, at, problem))
            if problems:
                trouble.append("  " + reproduce(scenario, n) + " --story " + what)
    if what == "single" and scenario.dest == "pipe" and scenario.n > 5 and not moved:
        trouble.append("no kill ever struck in the midst of a message")
    if what == "single" and scenario.reader != "none" and not moved:
        trouble.append("the reader never found anything to move")
    counted = "torn" if scenario.dest == "pipe" else "moved"
    tap.ok(not trouble and hits, "%s: %s at each of %d points, %s%.0f s" %
           (scenario, verb, hits, "%d %s, " % (moved, counted) if moved else "",
            time.time() - started), trouble)


def sampled_sweep(tap, scenario, jobs):
    single_sweep(tap, scenario, jobs, step=4)


def stop_sweep(tap, scenario, jobs):
    single_sweep(tap, scenario, jobs, "stop", "asked to end")


def double_sweep(tap, scenario, jobs, merge=True):
    started, ended, trouble, prints = time.time(), [], [], {}
    with Actors(lambda: Sweeper(scenario), jobs) as actors:
        for i in range(jobs):
            trouble += ["undisturbed: " + p for p in actors.ask(i, "learn")]
        mine = [[] for _ in range(jobs)]
        firsts = 0
        for i, (_, n), (at, mark) in actors.spread(until_ended("first", ended)):
            if at is None:
                ended.append(n)
                continue
            firsts += 1
            if mark not in prints:
                prints[mark] = n
                mine[i].append(("second", n, merge))
        seconds = merged = 0
        for _, (_, n, _), (points, same, problems) in actors.each(mine):
            seconds, merged = seconds + points, merged + same
            for m, at, problem in problems:
                trouble += ["points %d and %d (%s): %s" % (n, m, at, problem),
                            "  " + reproduce(scenario, n, m)]
    tap.ok(not trouble and seconds,
           "%s: %d first kills (%d merged as equal on disk), %d second kills (%d merged), %.0f s" %
           (scenario, firsts, firsts - len(prints), seconds, merged, time.time() - started),
           trouble)


def long_double_sweep(tap, scenario, jobs):
    double_sweep(tap, scenario, jobs, merge=False)


def one_point(scenario, story, n, m):
    """One point by hand; what is there afterwards stays in a folder."""
    s = Sweeper(scenario)
    s.learn()
    if m is None:
        at, problems, _ = s.stop(n) if story == "stop" else s.single(n)
    else:
        at, _ = s.first(n)
        problems = s.second(n, False, m)[2]
    print("%s\nstopped before: %s\n%s\nwhat is left is in %s" %
          (scenario, at, "\n".join(map(str, problems)) or "nothing wrong", s.box.root))
    return 1 if problems else 0


def guarded(tap, what, function, scenario, jobs):
    """A scenario that cannot be run at all is one red row, and the others still run."""
    try:
        function(tap, scenario, jobs)
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        tap.ok(False, "%s %s" % (what, scenario), [str(e)])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--jobs", type=int, default=int(os.environ.get("CRASH_JOBS", "2")))
    p.add_argument("--long", action="store_true", default=bool(os.environ.get("FP_LONG")))
    p.add_argument("--story", choices=STORIES, action="append", help="only this kind of sweep")
    p.add_argument("--dest", help="only scenarios of these kinds, such as maildir,mbox")
    p.add_argument("--scenario", action="append", help="these instead, such as dest=mbox,keep=no")
    p.add_argument("--point", type=int, help="kill at this point only, keep the folder")
    p.add_argument("--second", type=int, help="and the rerun at this one")
    a = p.parse_args()

    def chosen(texts):
        wanted = (a.dest or os.environ.get("CRASH_DEST") or "maildir,mbox,mda,lmtp,pipe").split(",")
        scenarios = [Scenario.parse(t) for t in a.scenario or texts]
        return [s for s in scenarios if s.dest in wanted]

    if a.point:
        return one_point(chosen([])[0], (a.story or ["single"])[0], a.point, a.second)
    tap = Tap()
    if not require_tools(tap):
        return 0
    for story in a.story or STORIES:
        function, short, thorough, full = STORIES[story]
        for scenario in chosen(full if a.long else short):
            guarded(tap, story, thorough if a.long else function, scenario, a.jobs)
    return tap.done()


STORIES = {
    "single": (single_sweep, SINGLE, single_sweep, list(long_set())),
    "sampled": (sampled_sweep, SAMPLED, single_sweep, []),
    "stop": (stop_sweep, STOP, stop_sweep, SINGLE),
    "double": (double_sweep, DOUBLE, long_double_sweep,
               DOUBLE + DOUBLE_LONG + [s for s in SINGLE if "tls" not in s]),
}

if __name__ == "__main__":
    sys.exit(main())
