#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Lets every call on a file or folder fail once with ENOSPC, EIO, EDQUOT, EROFS, and from there on.

Also short writes and EINTR. Behind each fault: nothing lost, twice or torn, the server keeps what
was not delivered, the exit status is one of those that say so, one clear line is on standard
error; and the next run, on a healthy disk, needs no help.
"""

import argparse
import os
import re
import sys
import time

sys.dont_write_bytecode = True
from actors import Actors
from test_kill_sweep import until_ended
from sandbox import Sandbox, Scenario, Tap, fetchpop, require_tools, strike, syscut

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
CHECK = ["dest=maildir,keep=no,n=3", "dest=mbox,keep=no,n=3", "dest=mda,keep=no,n=2",
         "dest=lmtp,keep=no,n=2"]
# A server that shows mail once: one kind of fault each, at every third point; --long has all.
SAMPLED = [("dest=maildir,keep=no,read=once,n=2", "--fail", "EIO"),
           ("dest=mbox,keep=no,read=once,n=2", "--fail-from", "ENOSPC"),
           ("dest=mda,keep=no,read=once,n=2", "--fail-from", "EDQUOT"),
           ("dest=maildir,keep=no,how=all,n=2", "--fail", "EIO"),
           ("dest=mbox,keep=yes,how=nokeep,n=2", "--fail-from", "ENOSPC"),
           ("dest=maildir,keep=no,read=once,how=few,n=3", "--fail", "EDQUOT"),
           ("dest=maildir,keep=30d,n=2", "--fail-from", "EROFS"),
           ("dest=maildir,keep=no,shared=states,n=4", "--fail", "EIO"),
           ("dest=maildir,keep=no,rules=sort,n=3", "--fail", "ENOSPC"),
           ("dest=maildir,keep=no,rules=sort,n=3", "--fail-from", "EIO"),
           ("dest=mbox,keep=no,rules=pass,n=2", "--fail", "EIO"),
           ("dest=mda,keep=no,rules=pass,n=2", "--fail-from", "ENOSPC"),
           ("dest=lmtp,keep=no,rules=pass,n=2", "--fail", "ENOSPC")]
ONCE = ["dest=maildir,keep=no,read=once,n=2", "dest=mbox,keep=no,read=once,n=2",
        "dest=mda,keep=no,read=once,n=2"]
LONG = ["dest=maildir,keep=no,n=12", "dest=maildir,keep=yes,n=12",
        "dest=maildir,keep=no,fork=no,n=3",
        "dest=mbox,keep=no,n=12", "dest=mbox,keep=yes,n=12", "dest=mda,keep=no,n=6",
        "dest=mda,keep=yes,n=6", "dest=lmtp,keep=no,n=6", "dest=mbox,keep=no,shared=yes,n=6",
        "dest=maildir,keep=yes,read=once,n=6", "dest=maildir,keep=no,how=all,n=3",
        "dest=mbox,keep=yes,how=nokeep,n=3", "dest=maildir,keep=no,how=few,read=once,n=6",
        "dest=maildir,keep=30d,n=3", "dest=mda,keep=no,read=once,how=away,n=3",
        "dest=maildir,keep=no,shared=states,n=4",
        "dest=maildir,keep=no,rules=sort,n=6", "dest=lmtp,keep=no,rules=sort,n=6",
        "dest=maildir,keep=no,rules=pass,n=3", "dest=mbox,keep=no,rules=pass,n=3",
        "dest=mda,keep=no,rules=pass,n=3", *ONCE]
# 65: a command that fails because its own disk does has refused the message
TROUBLE = {"maildir": (73, 74, 75), "mbox": (73, 74, 75), "mda": (65, 73, 74, 75),
           "lmtp": (73, 74, 75)}
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile",
          "splice")


class Faults:
    def __init__(self, scenario):
        self.box = Sandbox(scenario)

    def close(self):
        self.box.close()

    def learn(self):
        return self.box.learn()

    def fault(self, n, option, error):
        """(where, problems), or (None, []) if there is no point n; where is "" for a point that a
        lasting fault or a short write does not concern."""
        self.box.fresh()
        value = str(n) if error is None else "%d:%s" % (n, error)
        result = self.box.cut("--files-only", option, value)
        at = result.report["at"]
        if result.report["points"] < n:
            return None, []
        if not result.report["hit"]:
            return "", []
        harmless = option == "--short" or error == "EINTR"
        problems = self.after_fault(result, harmless and at.split()[1] in WRITES,
                                    stuck=option == "--fail-from" and error == "EROFS")
        problems += ["later: " + p for p in self.box.settle(1 if self.by_command(at) else 0)]
        return at, problems

    def by_command(self, at):
        """A command that was served a fault may have delivered and then refused."""
        return self.box.scenario.handed

    def after_fault(self, result, harmless, stuck):
        """stuck: not even a torn tail of an mbox can be cut off before the disk is well again."""
        mbox = self.box.scenario.dest == "mbox" or self.box.scenario.rules == "sort"
        problems = self.box.mail_problems(kills=1, torn=not (stuck and mbox))
        delivered, _ = self.box.found()
        missing = [m.uidl for m in self.box.wanted() if not delivered[m.uidl]]
        allowed = (0,) if harmless else (0,) + TROUBLE[self.box.scenario.dest]
        if result.status not in allowed:
            problems.append("exit %d, not one of %s" % (result.status, allowed))
        if result.status == 0 and missing:
            problems.append("exit 0, but not delivered: " + " ".join(missing))
        said = [line for line in result.lines() if strike(line) not in self.box.quiet]
        if result.status != 0 and not harmless:
            problems += self.wording(said)
        return problems

    def wording(self, said):
        """One line of ours for an account; what a command itself says is shown beside it."""
        own = [line for line in said if line.startswith("fetchpop:")]
        if self.box.scenario.dest == "mda" and own:
            return []
        if said != own or not 1 <= len(own) <= self.box.accounts():
            return ["%d lines on standard error instead of one: %r" % (len(said), said)]
        if not re.match(r"fetchpop: \S.{15,}", said[0]):
            return ["not a clear line: %r" % said[0]]
        return []


def sweep(tap, scenario, jobs, option, error, step=1):
    started, ended, trouble, hits = time.time(), [], [], 0
    with Actors(lambda: Faults(scenario), jobs) as actors:
        for i in range(jobs):
            trouble += ["undisturbed: " + p for p in actors.ask(i, "learn")]
        tasks = (task + (option, error) for task in until_ended("fault", ended, step))
        for _, (_, n, _, _), (at, problems) in actors.spread(tasks):
            if at is None:
                ended.append(n)
                continue
            hits += at != ""
            for problem in problems:
                trouble.append("point %d (%s): %s" % (n, at, problem))
            if problems:
                trouble.append("  FETCHPOP=%s SYSCUT=%s %s --scenario %s --fault %s%s --point %d" %
                               (
                    fetchpop(), syscut(), os.path.relpath(sys.argv[0]), scenario, option[2:],
                    ":" + error if error else "", n))
    tap.ok(not trouble and hits, "%s: %s %s at each of %d points, %.0f s" %
           (scenario, option[2:], error or "", hits, time.time() - started), trouble)


def faults(scenario):
    for option in ("--fail", "--fail-from"):
        yield from ((option, e) for e in ERRORS)
    yield "--short", None
    yield "--fail", "EINTR"


def one_point(scenario, option, error, n):
    f = Faults(scenario)
    f.learn()
    at, problems = f.fault(n, option, error)
    print("%s\n%s\nwhat is left is in %s" %
          (at, "\n".join(problems) or "nothing wrong", f.box.root))
    return 1 if problems else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--jobs", type=int, default=int(os.environ.get("CRASH_JOBS", "2")))
    p.add_argument("--long", action="store_true", default=bool(os.environ.get("FP_LONG")))
    p.add_argument("--dest", help="only scenarios of these kinds, such as maildir,mbox")
    p.add_argument("--scenario", action="append")
    p.add_argument("--fault", help="only this one: fail:ENOSPC, fail-from:EIO, short ...")
    p.add_argument("--point", type=int, help="at this point only, keep the folder")
    a = p.parse_args()
    wanted = (a.dest or os.environ.get("CRASH_DEST") or "maildir,mbox,mda,lmtp").split(",")
    scenarios = [Scenario.parse(t) for t in a.scenario or (LONG if a.long else CHECK)]
    option, _, error = (a.fault or "").partition(":")
    if a.point:
        return one_point(scenarios[0], "--" + option, error or None, a.point)
    tap = Tap()
    if not require_tools(tap, looks=True):
        return 0
    rows = [(scenario, what, which, 1) for scenario in scenarios
            for what, which in faults(scenario)]
    if not a.long and not a.scenario:
        rows += [(Scenario.parse(s), what, which, 3) for s, what, which in SAMPLED]
    for scenario, what, which, step in rows:
        if scenario.dest in wanted and (not a.fault or a.fault == what[2:] + (
                ":" + which if which else "")):
            try:
                sweep(tap, scenario, a.jobs, what, which, step)
            except (RuntimeError, OSError) as e:
                tap.ok(False, "%s %s %s" % (scenario, what, which), [str(e)])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
