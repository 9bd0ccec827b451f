#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Cuts the power: mail and state lie on loop-mounted file systems, whose images are copied at a
moment of our choice, without any sync of ours, and mounted later in place of the original.

Needs root and loop devices. Mail and state are on two file systems, so that no flush of the one can
make up for one that the other lacks. What a device keeps in its own cache is not tested so.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from sandbox import Sandbox, Scenario, Tap, require_tools

# How each is made and mounted: as late with writing on its own as it can be told to be.
KINDS = {
    "ext4": (64, ["mkfs.ext4", "-q", "-F"], "commit=300"),
    "xfs": (320, ["mkfs.xfs", "-q", "-f"], "nouuid"),
    "btrfs": (128, ["mkfs.btrfs", "-q", "-f"], "commit=300"),
}
PARTS = ("st", "mail")
ENOUGH = 3  # faults of a row, after which it ends: some cost a minute each


class PowerBox(Sandbox):
    """A sandbox whose folders mail/ and st/ are file systems of one kind."""

    def __init__(self, scenario, kind):
        super().__init__(scenario)
        self.kind = kind
        self.state = self.path("st/state")
        self.mounted = set()
        size, make, self.options = KINDS[kind]
        for part in PARTS:
            os.makedirs(self.path(part))
            with open(self.image(part), "wb") as f:
                f.truncate(size << 20)
            subprocess.run(make + [self.image(part)], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        self.mount()

    def image(self, part):
        return os.path.join(self.root, part + ".img")

    def mount(self):
        for part in PARTS:
            subprocess.run(["mount", "-o", "loop," + self.options, "-t", self.kind,
                            self.image(part), self.path(part)], check=True, stderr=subprocess.PIPE)
            self.mounted.add(part)

    def unmount(self):
        for part in sorted(self.mounted):
            subprocess.run(["umount", self.path(part)], check=True, stderr=subprocess.PIPE)
        self.mounted.clear()

    def close(self):
        for part in self.mounted:  # lazily: a run that hung may still have something open
            subprocess.run(["umount", "-l", self.path(part)], check=False)
        super().close()

    def fresh(self):
        """What was there before the run is on the disk; that much may be taken for granted."""
        super().fresh()
        for part in PARTS:
            subprocess.run(["sync", "-f", self.path(part)], check=True)

    def copy(self, name):
        """The images as they are now, under this name."""
        for part in PARTS:
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image(part),
                            self.image(part) + "." + name], check=True)

    def come_back(self, name):
        """The power is back: the copies take the originals' place."""
        self.unmount()
        for part in PARTS:
            os.replace(self.image(part) + "." + name, self.image(part))
        self.mount()

    def missing(self, uidls):
        delivered, _ = self.found()
        kept = self.kept()
        return ["%s was deleted on the server and is not on the disk" % u for u in uidls
                if not delivered[u] and u not in kept] + self.at_once(1)

    def at_once(self, kills):
        """What may not be wrong even before the next run; an mbox may have a torn end till then."""
        return self.mail_problems(kills, torn=self.scenario.dest != "mbox")


def watch(box, every_dele=True):
    """Copies the images at each DELE and at each QUIT, also that of a connection which looks for
    more and finds nothing; a list of (name, UIDLs to be found) fills up."""
    copies = []

    def take(name, uidls):
        box.copy(name)
        copies.append((name, list(uidls)))

    sent = []

    def on_dele(uidl):
        sent.append(uidl)
        if every_dele:
            take("dele%d" % len(sent), sent)

    quits, gone = itertools.count(1), []

    def on_quit(uidls):
        gone.extend(uidls)
        take("quit%d" % next(quits), gone)

    box.servers[0].on_dele = on_dele
    box.servers[0].on_quit = on_quit
    return copies


def unwatch(box):
    box.servers[0].on_dele = box.servers[0].on_quit = None


def check_copies(box, copies):
    """Each copy holds every message whose DELE had come; the next run gets the rest, once."""
    problems = []
    everything = box.messages
    for name, uidls in copies:
        box.come_back(name)
        gone = set(uidls) if name.startswith("quit") else set()
        box.servers[0].messages = [m for m in everything if m.uidl not in gone]
        found = box.missing(uidls)
        problems += ["at %s: %s" % (name, p) for p in found]
        if not found:
            problems += ["at %s, later: %s" % (name, p) for p in box.settle(1)]
    return problems


def at_deletes(box):
    """The power fails at each DELE and at each QUIT of an undisturbed run."""
    box.fresh()
    copies = watch(box)
    result = box.run()
    unwatch(box)
    if result.status != 0:
        return 0, ["exit %d: %s" % (result.status, result.stderr.strip())]
    if len(copies) != len(box.messages) + box.servers[0].sessions:
        return 0, ["%d copies for %d messages" % (len(copies), len(box.messages))]
    return len(copies), check_copies(box, copies)


def at_points(box):
    """The power fails before each state-changing system call."""
    problems = []
    for n in itertools.count(1):
        box.fresh()
        report = box.cut("--kill", str(n)).report
        if not report["killed"] or len(problems) >= ENOUGH:
            return n - 1, problems
        box.copy("cut")
        box.come_back("cut")
        problems += ["point %d (%s): %s" % (n, report["at"], p)
                     for p in box.at_once(1) + box.settle(1)]


def in_rerun(box):
    """A kill at each point; a QUIT of the rerun has just come when the power fails."""
    problems, hits = [], 0
    for n in itertools.count(1):
        box.fresh()
        report = box.cut("--kill", str(n)).report
        if not report["killed"] or len(problems) >= ENOUGH:
            return hits, problems
        left = list(box.servers[0].messages)
        copies = watch(box, every_dele=False)
        result = box.run()
        unwatch(box)
        where = "kill at %d (%s)" % (n, report["at"])
        if result.status != 0:
            problems.append("%s: the rerun exits %d: %s" % (where, result.status, result.stderr))
        for name, uidls in copies:
            hits += 1
            box.come_back(name)
            box.servers[0].messages = [m for m in left if m.uidl not in set(uidls)]
            problems += ["%s, power at the rerun's %s: %s" % (where, name, p)
                         for p in box.missing(uidls) or box.settle(1)]


def reach_again(box, n, first):
    """Killed at the same point. A slow moment may bring a report of progress in between: once more."""
    for _ in range(5):
        box.fresh()
        if box.cut("--kill", str(n)).report["at"].split()[1:2] == first["at"].split()[1:2]:
            return True
    return False


def in_rerun_points(box):
    """A kill at each point, and the power fails before each call of the rerun.

    First kills that left the same are merged, and so are the states after the power cut."""
    problems, hits, firsts, settled = [], 0, set(), set()
    for n in itertools.count(1):
        box.fresh()
        first = box.cut("--kill", str(n)).report
        if not first["killed"] or len(problems) >= ENOUGH:
            return hits, problems
        mark = box.fingerprint()
        if mark in firsts:
            continue
        firsts.add(mark)
        for m in itertools.count(1):
            if m > 1 and not reach_again(box, n, first):
                problems.append("point %d is not the same each time" % n)
            second = box.cut("--kill", str(m)).report
            if not second["killed"] or len(problems) >= ENOUGH:
                break
            hits += 1
            box.copy("cut")
            box.come_back("cut")
            mark = box.fingerprint()
            if mark not in settled:
                settled.add(mark)
                problems += ["kill at %d (%s), power at %d (%s) of the rerun: %s" %
                             (n, first["at"], m, second["at"], p)
                             for p in box.at_once(2) + box.settle(2)]


STORIES = {"deletes": at_deletes, "points": at_points, "rerun": in_rerun,
           "rerun-points": in_rerun_points}
CHECK = [("deletes", "dest=maildir,keep=no,n=3"), ("deletes", "dest=maildir,keep=no,n=12"),
         ("deletes", "dest=mbox,keep=no,n=3"), ("deletes", "dest=maildir,keep=no,n=3,fsync=none"),
         ("deletes", "dest=mbox,keep=no,n=3,fsync=none"), ("points", "dest=maildir,keep=no,n=2"),
         ("points", "dest=mbox,keep=no,n=2"), ("points", "dest=mda,keep=no,n=1,read=once,how=away"),
         ("rerun", "dest=maildir,keep=no,n=2"),
         ("rerun-points", "dest=maildir,keep=no,n=1")]
EVERYWHERE = CHECK[:-1]  # the last takes minutes: on the first file system, elsewhere with --long
LONG = [("rerun-points", "dest=maildir,keep=no,n=2"), ("rerun-points", "dest=mbox,keep=no,n=2"),
        ("points", "dest=maildir,keep=no,n=12"), ("points", "dest=mbox,keep=no,n=6"),
        ("points", "dest=maildir,keep=yes,n=12"), ("rerun", "dest=maildir,keep=no,n=12"),
        ("rerun", "dest=mbox,keep=no,n=6"), ("deletes", "dest=maildir,keep=no,n=40"),
        ("deletes", "dest=mbox,keep=no,n=12"), ("deletes", "dest=maildir,keep=no,n=12,read=once"),
        ("deletes", "dest=mbox,keep=no,n=3,read=once"),
        ("points", "dest=maildir,keep=no,n=3,read=once"),
        ("points", "dest=mbox,keep=no,n=3,read=once"),
        ("points", "dest=mda,keep=no,n=3,read=once,how=away"),
        ("rerun-points", "dest=mda,keep=no,n=1,read=once,how=away"),
        ("points", "dest=maildir,keep=30d,n=2"), ("points", "dest=maildir,keep=no,n=2,how=all"),
        ("points", "dest=maildir,keep=yes,n=2,how=nokeep"),
        ("points", "dest=mbox,keep=no,n=3,how=few"),
        ("points", "dest=maildir,keep=no,n=4,shared=states")]


def row(tap, kind, story, text):
    scenario = Scenario.parse(text)
    name = "%s, %s: %s" % (kind, story, scenario)
    started = time.time()
    try:
        box = PowerBox(scenario, kind)
        try:
            if scenario.fsync == "full":
                box.learn()
            hits, problems = STORIES[story](box)
        finally:
            box.close()
    except (OSError, RuntimeError, subprocess.SubprocessError) as e:
        detail = getattr(e, "stderr", None) or b""
        tap.ok(False, name, [repr(e), detail.decode(errors="replace")])
        return
    seconds = time.time() - started
    if scenario.fsync == "none":
        faults = [p for p in problems if "not on the disk" in p]
        tap.ok(faults, "%s: the control loses %d, %.0f s" % (name, len(faults), seconds), problems)
    else:
        tap.ok(not problems and hits, "%s: %d power cuts, %.0f s" % (name, hits, seconds), problems)


def own_namespace():
    """Mounts of ours are to be nobody else's, and to go when we do."""
    if os.environ.get("CRASH_UNSHARED"):
        return
    os.environ["CRASH_UNSHARED"] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B",
                          *sys.argv])


def obstacle(kind):
    """Why this kind of file system cannot be tried here; None if it can."""
    size, make, options = KINDS[kind]
    if not shutil.which(make[0]):
        return make[0] + " is not installed"
    try:
        PowerBox(Scenario(n=1), kind).close()
    except subprocess.CalledProcessError as e:
        return "cannot mount one: " + (e.stderr or b"").decode(errors="replace").strip()
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--long", action="store_true", default=bool(os.environ.get("FP_LONG")))
    p.add_argument("--fs", help="only these, such as ext4,xfs")
    p.add_argument("--story", choices=STORIES, help="only this one")
    p.add_argument("--scenario", action="append")
    a = p.parse_args()
    tap = Tap()
    if not require_tools(tap):
        return 0
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return tap.skip_all("mounting file systems needs root and unshare")
    own_namespace()
    kinds = (a.fs or "ext4,xfs,btrfs").split(",")
    for kind in kinds:
        rows = CHECK + LONG if a.long else CHECK if kind == kinds[0] else EVERYWHERE
        if a.scenario:
            rows = [(s, t) for t in a.scenario for s in ([a.story] if a.story else STORIES)]
        why = obstacle(kind)
        if why:
            tap.skip(kind, why)
            continue
        for story, text in rows:
            if a.story in (None, story):
                row(tap, kind, story, text)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
