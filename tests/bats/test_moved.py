#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The destination changes between a kill and the next run: in the configuration, or on the disk.

Killed before each of its calls that change something (every third without FP_LONG), then run with
another destination: each message is in one of the two places, once. A path that has become another
kind of thing stops nobody.
"""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

COUNT = 2
STEP = 1 if os.environ.get("FP_LONG") else 3     # from one point to the next


def calls(w, first):
    """What an undisturbed run does, in a world of its own."""
    other = world.World()
    try:
        other.fill(COUNT)
        lines = other.list_points(keep="no", **first(other))
        w.faults += other.faults
        return lines
    finally:
        other.close()


def move(w, first, second):
    """Kills the first run at each call in turn, and lets the second one finish."""
    points = len(calls(w, first))
    w.need(points > 20, "too few points to mean anything", points)
    for point in range(1, points + 1, STEP):
        at = world.World()
        try:
            names = at.fill(COUNT)
            killed = at.killed_at(point, keep="no", **first(at))
            at.need(killed, "it ended before the last point")
            run = at.run(keep="no", **second(at))
            at.need(run.status == 0, "the run with the other destination", run)
            at.need(at.left() == [], "left on the server", at.left())
            places = [p for p in (at.path("A"), at.path("B")) if os.path.exists(p)]
            at.need_each(1, names, *places)
            at.need_clean(*places)
            spool = os.path.join(at.state, "spool")
            left = os.listdir(spool) if os.path.isdir(spool) else []
            at.need(not left, "left in the state folder", left)
            if point % (4 * STEP) == 1:
                again = at.run(keep="no", **second(at))
                at.need(again.status == 0 and not again.sent("RETR"), "one more run", again)
                at.need_each(1, names, *places, when="after one more run")
            w.faults += ["killed at point %d of %d: %s" % (point, points, f) for f in at.faults]
        finally:
            at.close()
        if len(w.faults) > 20:
            break


def maildir(name):
    return lambda w: {"maildir": w.path(name)}


def mbox(name):
    return lambda w: {"mbox": w.path(name)}


# ---- a path that is another kind of thing now ----------------------------------------------------

def verbs(w):
    """The records of the journal, as far as there is one."""
    if not os.path.isdir(w.state) or not [n for n in os.listdir(w.state) if n.endswith(".journal")]:
        return []
    return [line.split(" ")[1] for line in w.journal()]


def changed_kind(w, first, change, second, told=True):
    """Killed at each call, the path changed by hand, run with another destination: the run goes on
    and has all mail that is not where the first one put it. `told`: if a delivery was under way,
    the run may say so, and in one case at least does."""
    opened = said = 0
    for point in range(1, len(calls(w, first)) + 1, STEP):
        at = world.World()
        try:
            names = at.fill(COUNT)
            at.killed_at(point, keep="no", **first(at))
            records = verbs(at)
            is_open = records.count("take") > records.count("done")
            if not is_open and opened == 0:
                continue        # nothing was begun yet
            opened += is_open
            change(at)
            run = at.run(keep="no", **second(at))
            at.need(run.status == 0, "the run after it", run)
            at.need(is_open or not run.err, "words about nothing", run)
            said += bool(run.err)
            at.need(at.left() == [], "left on the server", at.left())
            places = [p for p in map(at.path, ("A", "B", "aside")) if os.path.exists(p)]
            found = at.stored(*places)
            at.need(not set(names) - set(found), "lost", found, places)
            at.fine(keep="no", **second(at))
            at.need(at.stored(*places) == found, "the run after that changes something")
            w.faults += ["killed at point %d: %s" % (point, f) for f in at.faults]
        finally:
            at.close()
        if len(w.faults) > 12:
            return
    w.need(opened > 0, "no kill left a delivery open: nothing was tried")
    w.need(not told or said > 0, "a delivery that cannot be looked up is never told")


def put_aside(w, make):
    if os.path.exists(w.path("A")):
        os.rename(w.path("A"), w.path("aside"))
    make(w.path("A"))


def make_file(path):
    with open(path, "w"):
        pass


def make_maildir(path):
    for name in ("", "/cur", "/new", "/tmp"):
        os.mkdir(path + name)


def mbox_becomes_maildir(w):
    changed_kind(w, mbox("A"), lambda at: put_aside(at, make_maildir), maildir("A"))


def mbox_becomes_folder(w):
    changed_kind(w, mbox("A"), lambda at: put_aside(at, os.mkdir), maildir("B"))


def maildir_becomes_file(w):
    changed_kind(w, maildir("A"), lambda at: put_aside(at, make_file), maildir("B"))


def maildir_becomes_mbox(w):
    changed_kind(w, maildir("A"), lambda at: put_aside(at, make_file), mbox("A"))


def above(at, make):
    """The folder that held it is a file now, or away."""
    if os.path.exists(at.path("up/A")):
        os.rename(at.path("up/A"), at.path("aside"))
    shutil.rmtree(at.path("up"), ignore_errors=True)
    make(at.path("up"))


def folder_above_is_file(w):
    def first(at):
        os.makedirs(at.path("up"), exist_ok=True)
        return {"mbox": at.path("up/A")}
    changed_kind(w, first, lambda at: above(at, make_file), maildir("B"))


def folder_above_is_gone(w):
    def first(at):
        os.makedirs(at.path("up"), exist_ok=True)
        return {"mbox": at.path("up/A")}
    changed_kind(w, first, lambda at: above(at, lambda path: None), maildir("B"), told=False)


CASES = [
    ("Maildir A, killed at every call, then Maildir B: once each",
     lambda w: move(w, maildir("A"), maildir("B"))),
    ("Maildir, then mbox: once each", lambda w: move(w, maildir("A"), mbox("B"))),
    ("mbox A, killed at every call, then mbox B: once each",
     lambda w: move(w, mbox("A"), mbox("B"))),
    ("mbox, then Maildir: once each", lambda w: move(w, mbox("A"), maildir("B"))),
    ("the mbox's path is a Maildir now: it goes on, and says so", mbox_becomes_maildir),
    ("the mbox's path is a folder now: it goes on, and says so", mbox_becomes_folder),
    ("the Maildir's path is a file now: it goes on, and says so", maildir_becomes_file),
    ("the Maildir's path is an mbox now: it goes on, and says so", maildir_becomes_mbox),
    ("a folder above the mbox is a file now: it goes on, and says so", folder_above_is_file),
    ("the folder above the mbox is gone: it goes on", folder_above_is_gone),
]

if __name__ == "__main__":
    world.main(CASES, jobs=2)
