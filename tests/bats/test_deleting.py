#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is deleted on the server, when, and what never is: keep, -k, -F, dates, dry runs."""
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

REFUSED = 'on QUIT: err "not removed"'


def pending(w, count=4, more=""):
    """All fetched, none deleted yet: QUIT was refused."""
    names = w.fill(count)
    run = w.run(keep="no", script=REFUSED + more)
    w.need(run.status == 75 and w.left() == names, "QUIT refused: 75, nothing gone", run, w.left())
    w.need_each(1, names)
    return names


# ---- what a run deletes --------------------------------------------------------------------------

def keep_option(w):
    names = pending(w)
    run = w.run("-k", keep="no")
    w.need(run.status == 0 and not run.sent("DELE") and w.left() == names, "-k deletes nothing",
           run, w.left())
    w.put("m900")
    w.run("-k", keep="no")
    w.need(w.left() == names + ["m900"], "-k deletes nothing, new or old", w.left())
    w.need_each(1, names + ["m900"])
    run = w.run(keep="no")
    w.need(not run.sent("RETR"), "what is pending is deleted without fetching it again", run)
    w.need_each(1, names + ["m900"])
    w.need(not set(w.left()) & set(names), "deleted once -k is off", w.left())


def keep_option_and_flush(w):
    """-k has the last word, or the two together are refused; nothing is deleted."""
    names = w.fill(3)
    w.fine()
    run = w.run("-k", "-F")
    w.need(run.status == 64 or w.left() == names, "-k -F", run, w.left())


def back_with_keep(w):
    names = w.fill(3)
    aside = w.path("aside")
    shutil.copytree(w.box, aside)
    w.fine(keep="no")
    w.need(w.left() == [], "deleted first", w.left())
    for _ in range(2):
        for name in names:
            shutil.copy(os.path.join(aside, name), os.path.join(w.box, name))
        run = w.fine(keep="yes")
        w.need(w.left() == names and not run.sent("DELE"), "back, and keep = yes: it stays", run,
               w.left())
        w.need_each(1, names, when="it was delivered before")


def back_without_keep(w):
    names = w.fill(3)
    aside = w.path("aside")
    shutil.copytree(w.box, aside)
    w.fine(keep="no")
    for name in names:
        shutil.copy(os.path.join(aside, name), os.path.join(w.box, name))
    w.fine(keep="no")
    w.need(w.left() == [], "back, and keep = no: deleted again", w.left())
    w.need_each(1, names)


def pending_without_top(w):
    """What waits for its deletion, cannot show its header and is over max_size: one entry stays one
    entry, and it is not refused as if it were new mail."""
    names = pending(w, 3, "\nset top no")
    known = w.entries()
    w.need(len(known) == 3, "three entries", known)
    for _ in range(4):
        w.run("-l", "100", keep="no", script="set top no")
        w.need(len(w.entries()) == 3, "entries of the journal for three messages", w.entries())
    w.need_each(1, names)
    run = w.run(keep="no", script="set top no")
    w.need(run.status == 0 and w.left() == [], "without the limit they are deleted", run, w.left())
    w.need_each(1, names)


def quit_refused_with_nothing_to_delete(w):
    names = w.fill(2)
    w.fine(script='on QUIT: err "bye"')
    w.fine(script='on QUIT: err "bye"')
    w.need_each(1, names)


# ---- saying it first -----------------------------------------------------------------------------

def told(run):
    """How many deletions --dry-run announces."""
    found = re.search(r"delete (\d+)", run.out)
    return int(found.group(1)) if found else None


def dry_run(w):
    names = pending(w)
    w.put("m900")
    journal = w.journal()
    run = w.run("--dry-run", keep="no")
    w.need(run.status == 0 and told(run) == 5, "four pending, one new: five deletions", run)
    for name in names:
        w.need(re.search(r"^w: .*\(UIDL %s\).*would be deleted" % name, run.out, re.M),
               "it is said of each, in a pipe too", run)
    w.need(re.search(r"^w: .*\(UIDL m900\).*would be fetched$", run.out, re.M), "and what is new",
           run)
    w.need(run.err == "" and len(run.out.splitlines()) == 6, "five lines and a summary", run)
    run = w.run("--dry-run", "-s", keep="no")
    w.need(run.out == run.err == "", "-s: nothing", run)
    run = w.run("--dry-run", "-k", keep="no")
    w.need(run.status == 0 and told(run) == 0, "with -k none", run)
    w.need(not run.sent("DELE") and w.left() == names + ["m900"] and w.journal() == journal,
           "a dry run changes nothing", run, w.left())


def dry_run_keeps(w):
    names = w.fill(4)
    w.fine()
    run = w.run("--dry-run")
    w.need(told(run) == 0, "keep = yes: none", run)
    run = w.run("--dry-run", "-F")
    w.need(told(run) == 4, "-F: four", run)
    w.pass_days(20)
    run = w.run("--dry-run", keep="30d")
    w.need(told(run) == 0, "20 days of 30: none", run)
    w.pass_days(20)
    run = w.run("--dry-run", keep="30d")
    w.need(told(run) == 0 and run.out.count("on another day") == 4, "40 days of 30: not yet", run)
    w.fine(keep="30d")
    w.pass_days(1)
    run = w.run("--dry-run", keep="30d")
    w.need(told(run) == 4, "and a day behind a poll that found it so: four", run)
    w.need(w.left() == names, "a dry run changes nothing", w.left())


# ---- dates ---------------------------------------------------------------------------------------

def thirty_days(w):
    names = w.fill(2)
    w.fine(keep="30d")
    w.pass_days(29)
    w.put("late")
    w.fine(keep="30d")
    w.need(w.left() == ["late"] + names, "after 29 days all are there", w.left())
    w.pass_days(1.01)
    w.fine(keep="30d")
    w.need(w.left() == ["late"] + names, "after 30 days once more, for one look is none", w.left())
    w.pass_days(1)
    w.fine(keep="30d")
    w.need(w.left() == ["late"], "a day later the old ones are gone, and they alone", w.left())
    w.need_each(1, names + ["late"])
    w.pass_days(30)
    w.fine(keep="30d")
    w.pass_days(1)
    w.fine(keep="30d")
    w.need(w.left() == [], "and then the later one", w.left())
    w.need_each(1, names + ["late"])


def first_seen_in_1970(w):
    """A machine without a clock battery met the mail before it knew the time."""
    names = w.fill(3)
    w.fine(keep="30d")
    w.redate(lambda seen: 43200, lambda day: 0)
    w.fine(keep="30d")
    w.need(w.left() == names, "a date nobody can believe is no reason to delete", w.left())
    w.need_each(1, names)


CLOCK = r"""
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at)
{
    long result = syscall(SYS_clock_gettime, id, at);
    if (result == 0 && id == CLOCK_REALTIME)
        at->tv_sec = atol(getenv("TEST_CLOCK"));
    return (int)result;
}
time_t time(time_t *at)
{
    time_t now = atol(getenv("TEST_CLOCK"));
    if (at != NULL)
        *at = now;
    return now;
}
"""


def shim(w):
    """A clock that shows what TEST_CLOCK says."""
    source, made = w.path("clock.c"), w.path("clock.so")
    with open(source, "w") as f:
        f.write(CLOCK)
    try:
        done = subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-o", made,
                               source], stderr=subprocess.PIPE)
    except OSError as e:
        raise world.Skip("no C compiler: %s" % e)
    if done.returncode != 0:
        raise world.Skip("cannot make a library: %s" % done.stderr[-200:].decode("latin-1"))
    options = os.environ.get("ASAN_OPTIONS", "")
    return lambda now: {"LD_PRELOAD": made, "TEST_CLOCK": str(now),
                        "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}


def clock_of_1970(w):
    at = shim(w)
    names = w.fill(3)
    run = w.run(keep="30d", env=at(43200))
    w.need(run.status == 0, "a run in 1970", run)
    w.need_each(1, names)
    run = w.run(keep="30d", env=at(1780000000))
    w.need(run.status == 0 and w.left() == names, "now the time is known: not 50 years old",
           run, w.left())
    run = w.run(keep="30d", env=at(1780000000 + 29 * world.DAY))
    w.need(w.left() == names, "nor are they after 29 days", w.left())


def clock_goes_back(w):
    """It makes mail younger than it is, never older."""
    at = shim(w)
    names = w.fill(3)
    w.run(keep="30d", env=at(1780000000))
    run = w.run(keep="30d", env=at(1780000000 - 400 * world.DAY))
    w.need(run.status == 0 and w.left() == names, "younger than nothing: kept", run, w.left())
    run = w.run(keep="30d", env=at(1780000000 + 31 * world.DAY))
    w.need(run.status == 0 and w.left() == names, "31 days after all: seen once", run, w.left())
    run = w.run(keep="30d", env=at(1780000000 + 32 * world.DAY))
    w.need(run.status == 0 and w.left() == [], "and once more: deleted", run, w.left())
    w.need_each(1, names)


# ---- the newest ------------------------------------------------------------------------------------

def keep_newest(w):
    """The last two stay; of the others, what was fetched goes, also once it is not the last."""
    names = w.fill(5)
    w.fine(keep="no", keep_newest="2")
    w.need(w.left() == names[3:], "the last two stay", w.left())
    w.put("m900")
    w.fine(keep="no", keep_newest="2")
    w.need(w.left() == ["m005", "m900"], "and again", w.left())
    run = w.fine("--dry-run", keep="no", keep_newest="2")
    w.need("delete 0" in run.out, "a dry run knows that", run)
    w.need_each(1, names + ["m900"])
    w.fine("--flush", keep="no", keep_newest="2")
    w.need(w.left() == [], "--flush deletes all", w.left())


def keep_newest_and_age(w):
    """With keep = 30d both have to allow it: what is old and not one of the last two goes."""
    names = w.fill(4)
    keys = {"keep": "30d", "keep_newest": "2"}
    w.fine(**keys)
    for days in (31, 1, 1):
        w.need(w.left() == names, "nothing goes at once", w.left())
        w.pass_days(days)
        w.fine(**keys)
        if days == 1:
            names = names[-2:]
    w.need(w.left() == names, "the last two stay, however old", w.left())
    w.put("m900")
    w.fine(**keys)
    w.pass_days(1)
    w.fine(**keys)
    w.need(w.left() == ["m004", "m900"], "and go once they are not the last", w.left())
    w.need(sum(w.stored().values()) == 5, "each came once", w.stored())


def newest(w):
    """Of what the first poll finds, the last three are fetched; later, all that is new."""
    names = w.fill(8)
    w.fine(keep="no", newest="3")
    w.need_each(1, names[5:], when="at first")
    w.need(w.left() == names[:5], "the others stay, though keep = no", w.left())
    w.put("m900")
    w.put("m901")
    w.fine(keep="no", newest="1")
    w.need_each(1, names[5:] + ["m900", "m901"], when="later")
    w.fine(keep="no")
    w.need(w.left() == names[:5], "and stay", w.left())


def newest_of_nothing(w):
    """The first poll found an empty mailbox: all that comes later is new."""
    w.fine(newest="1")
    names = w.fill(3)
    w.fine(newest="1")
    w.need_each(1, names)


def newest_and_kill(w):
    """Killed anywhere in the first poll: what is not wanted never comes, what is comes once."""
    point, killed = 0, True
    while killed:
        fresh = world.World()
        names = fresh.fill(5)
        point += 2
        killed = fresh.killed_at(point, newest="2")
        fresh.fine(newest="2")
        fresh.need_each(1, names[3:], when="killed at %d" % point)
        w.faults += fresh.faults
        fresh.close()
    w.need(point > 20, "there were points to kill at", point)


def since(w):
    """By the day of its Date, or by how long ago that was."""
    for name, day in (("a", "1 Nov 2026"), ("b", "20 Nov 2026"), ("c", "27 Nov 2026")):
        text = "Message-ID: <%s>\nDate: %s 10:00:00 +0000\n\nhello\n" % (name, day)
        with open(os.path.join(w.box, name), "w") as f:
            f.write(text)
        w.names[text.encode()] = name
    w.fine(since="2026-11-20")
    w.need_each(1, ["b", "c"])
    run = w.run(since="yesterday")
    w.need(run.status == 78 and "takes a day" in run.err, "another word is refused", run)


CASES = [
    ("keep_newest: the last ones stay", keep_newest),
    ("keep_newest and keep = 30d: both have to allow a deletion", keep_newest_and_age),
    ("newest: of the first poll, the last ones come", newest),
    ("newest, and at first there is nothing", newest_of_nothing),
    ("newest, killed anywhere in the first poll", newest_and_kill),
    ("since: of the first poll, what is not older comes", since),
    ("-k deletes nothing at all, not what is pending either", keep_option),
    ("-k and -F together delete nothing", keep_option_and_flush),
    ("deleted, and back with keep = yes: it stays, and is not delivered again", back_with_keep),
    ("deleted, and back with keep = no: deleted again", back_without_keep),
    ("no TOP, a pending deletion, max_size: no new entry with each run", pending_without_top),
    ("QUIT refused with nothing to delete: silent, 0", quit_refused_with_nothing_to_delete),
    ("--dry-run tells what would be deleted", dry_run),
    ("--dry-run with keep = yes, -F, keep = 30d", dry_run_keeps),
    ("keep = 30d: deleted a day behind the poll that finds it old enough", thirty_days),
    ("keep = 30d and mail first seen in 1970: not deleted", first_seen_in_1970),
    ("keep = 30d and a clock at 1970, then right: not deleted", clock_of_1970),
    ("keep = 30d and a clock that goes back", clock_goes_back),
]

if __name__ == "__main__":
    world.main(CASES)
