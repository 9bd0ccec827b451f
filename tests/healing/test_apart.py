#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What stands in the way of one destination, or of one message, holds nothing else up."""
import contextlib
import fcntl
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402
import test_places  # noqa: E402


def put(w, name, subject):
    text = "From: a@example.org\nMessage-ID: <%s@example.org>\nSubject: %s\n\n%s\n" % (
        name, subject, name)
    w.put_raw(name, text.encode())
    return name


@contextlib.contextmanager
def locked(path):
    with open(path, "a+b") as box:
        fcntl.lockf(box, fcntl.LOCK_EX)
        yield box


def to_mbox(w):
    """The keys of an account with a rule for an mbox."""
    return {"keep": "no", "timeout": "2s",
            "rules": 'rule { subject = "list*" mbox = "%s" }\n' % w.mbox}


def mbox_of_a_rule_is_locked(w):
    """Run after run: mail for elsewhere comes, none of the mbox is lost, or comes twice."""
    keys, own, listed = to_mbox(w), [], []
    open(w.mbox, "w").close()
    with locked(w.mbox):
        for day in range(3):
            listed += [put(w, "a%d" % day, "list")]
            own += [put(w, "b%d" % day, "hello")]
            run = w.run(**keys)
            w.need(run.status == 75, "75", run)
            w.need_each(1, own, when="while the mbox is locked, run %d" % day)
            w.later(days=1)
    w.need(w.mbox in run.err, "the mbox is named", run)
    w.need_each(0, [], w.mbox)
    w.fine(**keys)
    w.need_each(1, own)
    w.need_each(1, listed, w.mbox, when="when it is not")
    w.need(w.left() == [], "all is deleted", w.left())


def locked_and_killed(seconds):
    """What a killed run began to append there is looked at before more of it is forgotten, though the
    lock is let go of between recovery and the next append."""
    def case(w):
        keys = to_mbox(w)
        open(w.mbox, "w").close()
        points = [i for i, line in enumerate(count_points(w, keys), 1) if w.mbox in line]
        for at in (points[0], points[len(points) // 2], points[-1]):
            open(w.mbox, "w").close()
            heal.world.shutil.rmtree(w.state, True)
            heal.world.shutil.rmtree(w.maildir, True)
            listed, own = [put(w, "a1", "list"), put(w, "a2", "list")], [put(w, "b1", "hello")]
            w.killed_at(at, **keys)
            own.append(put(w, "b2", "hello"))
            listed.append(put(w, "a3", "list"))
            with locked(w.mbox) as box:
                unlock = threading.Timer(seconds, fcntl.lockf, (box, fcntl.LOCK_UN))
                unlock.start()
                w.run("--force", **keys)
                unlock.join()
            w.need_each(1, own, when="killed at %d" % at)
            w.run("--force", **keys)
            w.need_each(1, own, when="in the end, killed at %d" % at)
            w.need_each(1, listed, w.mbox, when="in the end, killed at %d" % at)
    return case


def count_points(w, keys):
    put(w, "a1", "list")
    put(w, "a2", "list")
    return w.list_points(**keys)


def to_itself(path):
    os.symlink(os.path.basename(path), path)


def unreadable_file(keep, make=to_itself):
    """One file of an open take cannot be opened: it is named, and nothing else waits for it."""
    def case(w):
        names = test_places.left_open(w, keep=keep)
        path = os.path.join(w.maildir, "tmp", test_places.tmp_of(w)[1])
        with open(path, "rb") as f:
            bad = w.names[f.read()]
        os.unlink(path)
        make(path)
        for day in range(2):
            w.put("n%d" % day)
            names.append("n%d" % day)
            run = w.run("--force", keep=keep)
            w.need(run.status == 74 and path in run.err, "it is named", run)
            w.need_each(1, [n for n in names if n != bad], when="on day %d" % day)
            w.later(days=1)
        if keep == "no":
            w.need(w.left() == [bad], "the others are deleted", w.left())
        w.run("--fetch", bad, keep=keep)
        w.run("--catch-up", keep=keep)
        w.need(not w.stored()[bad], "it is here, or was delivered, for all that is known")
        os.unlink(path)
        w.run("--force", keep=keep)
        w.need_each(1, names, when="when it can be opened")
    return case


def all_unreadable_without_uidl(w):
    """Without UIDL and TOP, too, a message whose take is open is not fetched as new."""
    w.always = "set uidl no\nset top no"
    names = test_places.left_open(w, keep="yes")
    aside = w.path("aside")
    os.mkdir(aside)
    for name in test_places.tmp_of(w):
        path = os.path.join(w.maildir, "tmp", name)
        os.rename(path, os.path.join(aside, name))
        os.symlink(name, path)
    w.put("n1")
    w.run("--force")
    w.need_each(1, ["n1"], when="meanwhile")
    for name in os.listdir(aside):
        os.rename(os.path.join(aside, name), os.path.join(w.maildir, "tmp", name))
    w.fine("--force")
    w.need_each(1, [*names, "n1"], when="from their files")


def seen_again_below_a_limit(w):
    """Without UIDL and TOP, an empty message is believed when it comes once more, behind others: also
    where max_messages leaves some of those to the next run. Then the session can end with QUIT."""
    w.always = "set uidl no\nset top no"
    old = w.fill(3)
    w.fine(keep="yes")      # some that are looked for, and not there
    for name in old:
        os.unlink(os.path.join(w.box, name))
    w.put_raw("a", b"")
    names = [put(w, "b%d" % i, "hello") for i in range(6)]
    run = w.fine(keep="no", max_messages=2)
    w.need(run.sent("RETR").count("RETR 1") == 2, "asked for twice", run.sent("RETR"))
    w.need(run.connections == 1 and "QUIT" in run.commands, "and the session ends", run.commands)
    for _ in range(3):
        w.fine(keep="no", max_messages=2)
    w.need(w.left() == [], "nothing stays", w.left())
    w.need_all([*old, *names])


CASES = [
    ("the mbox of one rule is locked for days: other mail comes", mbox_of_a_rule_is_locked),
    ("the same after a kill in the middle of an append", locked_and_killed(6)),
    ("the same, and it is locked until recovery is over", locked_and_killed(3)),
    ("one file of an open take cannot be opened, keep = no", unreadable_file("no")),
    ("the same, keep = yes", unreadable_file("yes")),
    ("the same, and a FIFO is in its place", unreadable_file("no", os.mkfifo)),
    ("the same of all, without UIDL and TOP", all_unreadable_without_uidl),
    ("max_messages, and a message that has to be seen again", seen_again_below_a_limit),
]

if __name__ == "__main__":
    heal.main(CASES)
