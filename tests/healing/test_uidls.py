#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""UIDLs that are not for ever: one that is used again for another message, as numbers are, and one
that changes while its message stays. What comes under a UIDL that was another's is fetched, never
deleted unread; what has another UIDL than before comes once.
"""
import os
import random
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402
from test_identity import mail, need_bodies, subjects  # noqa: E402

NUMBERS = "\n".join("set uidl %d %d" % (i, i) for i in range(1, 10))
LATER_DATE = "Date: Tue, 3 Nov 2026 10:00:00 +0000\n"
LONG = "another message, " + "long " * 40


def fill(w, count, message_id=True):
    """Of as many lengths: b, bb, bbb."""
    for i in range(1, count + 1):
        w.put_raw("m%03d" % i, mail("m%d" % i, "b" * i, "m%d" % i if message_id else None))
    return {"b" * i: 1 for i in range(1, count + 1)}


def other_sizes(count, octets):
    return "".join("\nset size m%03d +%d" % (i, octets) for i in range(1, count + 1))


def remove(w, name):
    os.unlink(os.path.join(w.box, name))


def rename(w, pairs):
    for old, new in pairs:
        os.rename(os.path.join(w.box, old), os.path.join(w.box, new))


def poll(w, times, *args, **more):
    for _ in range(times):
        w.later(hours=13)
        run = w.run("--force", *args, **more)
    return run


# ---- used again ------------------------------------------------------------------------------------

def header_of_its_own(keep):
    """A scanner writes a line of its own into each answer, and sizes were others in one session."""
    def case(w):
        w.always = NUMBERS + "\nset header-changes yes"
        wanted = fill(w, 3)
        w.run(keep=keep, script='on QUIT: err "no"')
        poll(w, 1, keep=keep, script='on QUIT: err "no"' + other_sizes(3, 9))
        if keep == "no":
            poll(w, 1, keep=keep, script="on QUIT: do; close")
        else:
            remove(w, "m001")
        w.put_raw("m000", mail("other", LONG, "other", date=LATER_DATE))
        w.later(days=30)
        run = poll(w, 4, keep=keep)
        found = subjects(w)
        w.need(found == {**wanted, LONG: 1}, "each once", found, w.left(), run)
    return case


def size_was_not_told(keep):
    """LIST was refused when it came: the size that the next poll tells is checked, and known then."""
    def case(w):
        w.always = NUMBERS
        wanted = fill(w, 3)
        w.fine(keep=keep, script='on LIST "": err "not now"')
        poll(w, 2, keep=keep)
        run = poll(w, 1, keep=keep)
        w.need(not run.sent("TOP") and not run.sent("RETR"), "nothing is left to be asked", run.commands)
        remove(w, "m003")
        w.put_raw("m004", mail("other", LONG, "other"))
        run = poll(w, 3, keep=keep)
        need_bodies(w, {**wanted, LONG: 1}, "each once")
    return case


def sizes_changed_once(before, since):
    """To another store, say: that is no habit, and a UIDL with another size again is seen."""
    def case(w):
        wanted = fill(w, 4)
        w.always = NUMBERS + before
        w.fine()
        w.always = NUMBERS + since
        poll(w, 2)
        remove(w, "m004")
        w.put_raw("m005", mail("other", LONG, "other"))
        poll(w, 3)
        need_bodies(w, {**wanted, LONG: 1}, "each once")
    return case


def next_of_that_size(keep):
    """A is deleted, so that B has its number; D gets the one of B, and is as long as B."""
    def case(w):
        w.always = NUMBERS
        for name, body in (("m001", "a"), ("m002", "the body of b")):
            w.put_raw(name, mail(name, body, name))
        w.fine(keep=keep)
        remove(w, "m001")
        w.put_raw("m003", mail("m003", "the body of d", "m003"))
        poll(w, 4, keep=keep)
        need_bodies(w, {"a": 1, "the body of b": 1, "the body of d": 1}, "each once")
    return case


def numbers_move(always):
    """The first is deleted, and all move up: none comes again. Then another, and a new one comes, which
    is as long as the one that had its number."""
    def case(w):
        w.always = NUMBERS + always
        wanted = fill(w, 5)
        w.fine()
        remove(w, "m001")
        poll(w, 2)
        need_bodies(w, wanted, "each once")
        remove(w, "m003")
        w.put_raw("m006", mail("m6", "new66", "m6"))
        poll(w, 2)
        need_bodies(w, {**wanted, "new66": 1}, "and the new one")
    return case


def long_life(seed):
    """Mail comes, and somebody deletes what is here: many entries have had each number."""
    def case(w):
        chance, come, wanted = random.Random(seed), 0, {}
        w.always = "\n".join("set uidl %d %d" % (i, i) for i in range(1, 60))
        for _ in range(25):
            for _ in range(chance.randrange(3)):
                body = "body %d" % come
                w.put_raw("m%05d" % come, mail("m%d" % come, body + "\n" + "x" * (come % 3), "m%d" % come))
                wanted[body] = 1
                come += 1
            w.fine("--force")
            w.later(hours=chance.choice((1, 13, 30)))
            found = subjects(w)
            for name in w.left():
                if chance.random() < 0.3 and "body %d" % int(name[1:]) in found:
                    remove(w, name)
        poll(w, 2)
        need_bodies(w, wanted, "each once")
    return case


def two_moved(w):
    """No TOP. Nothing that is fetched is in the place of the new one: the next poll looks at it."""
    w.always = NUMBERS + "\nset top no"
    wanted = fill(w, 5)
    w.fine()
    remove(w, "m003")
    remove(w, "m005")
    w.put_raw("m006", mail("m6", "four", "m6"))
    w.put_raw("m007", mail("m7", "new77", "m7"))
    poll(w, 3)
    need_bodies(w, {**wanted, "four": 1, "new77": 1}, "and the new ones")


def copy_where_sizes_change(first):
    """The UIDL is made of the Message-ID: the list's copy has that of the direct one, which is deleted."""
    def case(w):
        w.always = "set sizes-change yes\nset uidl d001 one\nset uidl l001 one"
        wanted = fill(w, 3)
        for _ in range(3):
            w.fine("--force", keep="yes")
            w.later(hours=1)
        w.put_raw("d001", mail("hello", "to you", "x"))
        w.run("--force", keep="no", script=first)
        w.put_raw("l001", mail("[list] hello", "to the list", "x", extra="List-Id: <l>\n"))
        run = poll(w, 3, keep="no")
        found = subjects(w)
        w.need(found == {**wanted, "to you": 1, "to the list": 1}, "each once", found, w.left(), run)
    return case


# ---- changed -----------------------------------------------------------------------------------------

def fill_ten(w, count=10):
    return fill(w, count), [("m%03d" % i, "z%03d" % i) for i in range(1, count + 1)]


def moved_by_parts(w):
    """A migration: each day some messages get other UIDLs, never most of them."""
    wanted, pairs = fill_ten(w)
    w.fine()
    for at in range(0, 9, 3):
        rename(w, pairs[at:at + 3])
        poll(w, 2)
    need_bodies(w, wanted, "each once")


def still_copying(days):
    """The first poll of the new server finds some of them, the next one the rest."""
    def case(w):
        wanted, pairs = fill_ten(w)
        w.fine()
        rename(w, pairs[:6] + [(old, "." + new) for old, new in pairs[6:]])
        w.later(days=days, hours=1)
        w.fine("--force")
        rename(w, [("." + new, new) for _, new in pairs[6:]])
        w.later(days=days, hours=1)
        w.fine("--force")
        need_bodies(w, wanted, "each once")
    return case


def state_in_uidl(w):
    """The name of a file: it changes once its message was read."""
    wanted, pairs = fill_ten(w)
    for old, new in pairs:
        if old != pairs[0][0]:
            rename(w, [(old, "." + old)])
    for i, (old, new) in enumerate(pairs):
        if i > 0:
            rename(w, [("." + old, old)])
        w.fine("--force")
        rename(w, [(old, new)])
        w.later(hours=1)
    w.fine("--force")
    need_bodies(w, wanted, "each once")


def cut_off(how):
    """The poll that recognises them ends behind most of them: the next one knows the rest."""
    def case(w):
        if how == "no TOP":
            w.always = "set top no\nset pipelining no"
        wanted, pairs = fill_ten(w)
        w.fine()
        rename(w, pairs)
        w.later(days=1)
        if how == "TOP breaks":
            w.run("--force", script='on x1 TOP "8 0": close')
        elif how == "no TOP":
            w.run("--force", script="on RETR: sleep 300", session_timeout="2s")
        else:
            run = w.start("--force", script="set pipelining no\non TOP: sleep 300")
            w.server.wait_for("TOP 8*", 30)
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=60)
        w.run("--force")
        need_bodies(w, wanted, "each once")
    return case


def deleted_and_new(w):
    """One was deleted elsewhere, and new ones come: they come, and nothing is said."""
    wanted = fill(w, 5)
    w.fine()
    remove(w, "m002")
    w.put_raw("m006", mail("m3", "bbb", None))
    w.put_raw("m007", mail("m007", "seven", "m007"))
    w.later(hours=1)
    run = w.fine("--force")
    need_bodies(w, {**wanted, "bbb": 2, "seven": 1}, "with the new ones")
    w.need(not run.err, "said", run)


# ---- back from a backup ------------------------------------------------------------------------------

def restored(w):
    """Deleted by its age, and back from a backup: it is deleted again."""
    w.at(2026, 11, 1)
    wanted = fill(w, 1)
    w.fine(keep="10d")
    w.later(days=11)
    poll(w, 6, keep="10d")
    w.need(w.left() == [], "deleted when due", w.left())
    w.put_raw("m001", mail("m1", "b", "m1"))
    poll(w, 6, keep="10d")
    w.need(w.left() == [], "and again", w.left())
    need_bodies(w, wanted, "once")


CASES = [
    *[("headers change, keep = %s: a UIDL used again is fetched" % keep, header_of_its_own(keep))
      for keep in ("no", "yes", "20d")],
    *[("LIST was refused, keep = %s: a UIDL used again is fetched" % keep, size_was_not_told(keep))
      for keep in ("yes", "20d")],
    ("sizes changed once: a UIDL used again is fetched", sizes_changed_once("", other_sizes(4, 40))),
    ("sizes were estimates at first: likewise", sizes_changed_once(other_sizes(4, 40), "")),
    *[("numbers, one has the length of the one before, keep = %s: it is fetched" % keep,
       next_of_that_size(keep)) for keep in ("yes", "30d")],
    ("numbers move up: each once", numbers_move("")),
    ("numbers move up, no TOP: each once", numbers_move("\nset top no")),
    *[("numbers, and a long life (%d): each once" % seed, long_life(seed)) for seed in (0, 2, 18)],
    ("numbers, no TOP, some are others of that size: they come", two_moved),
    ("sizes change, a list's copy under the UIDL of a deleted message: it is fetched",
     copy_where_sizes_change("")),
    ("the same, and QUIT's answer was lost", copy_where_sizes_change("on QUIT: do; close")),
    ("other UIDLs by parts: each once", moved_by_parts),
    ("other UIDLs, still being copied: each once", still_copying(0)),
    ("the same, over days", still_copying(1)),
    ("a UIDL that changes once its message was read: each once", state_in_uidl),
    *[("other UIDLs, and the poll is cut off (%s): each once" % how, cut_off(how))
      for how in ("TOP breaks", "SIGTERM", "no TOP")],
    ("one deleted elsewhere, and look-alikes: they come", deleted_and_new),
    ("deleted by age, and back: deleted again", restored),
]

if __name__ == "__main__":
    heal.main(CASES)
