#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Disks that are full, over quota or read-only: said before a connection where that can be known,
never the message's fault, never held, and the next run on a healthy disk needs no help.

The file systems are small ones in memory, in a mount namespace of this program alone: for root.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

MB = 1000 * 1000
LOCAL = (73, 74, 75)
DISK = re.compile(r"No space left|File too large|[Qq]uota|[Rr]ead-only|no room|too little room")


def said_of_disk(w, run, what):
    w.need(run.status in LOCAL, what + ": exit status", run)
    w.need(DISK.search(run.err), what + ": does not name the disk", run)
    w.need("max_size" not in run.err and "held" not in run.err, what + ": blames the message", run)


def nothing_held(w):
    status = w.status()
    w.need(not world.counts_held(status), "held", status)


def healthy_again(w, names, keep="no"):
    """One run, with no help, is enough."""
    run = w.run(keep=keep)
    w.need(run.status == 0, "the run on a healthy disk", run)
    w.need_each(1, names, when="after the run on a healthy disk")
    if keep == "no":
        w.need(w.left() == [], "left on the server", w.left())
    w.need_clean()


# ---- a disk that gives up in the middle of a large message ---------------------------------------

def large_among_small(w, size):
    names = w.fill(3)
    w.put("m004", size=size)
    w.put("m005")
    return names + ["m004", "m005"]


def over_file_limit(w, before, dest=None):
    """More of the body is to come when it breaks than a connection is drained for (16 MB)."""
    names = large_among_small(w, 19 * MB)
    for i in range(3):
        run = w.run(before=before, keep="no", max_tries="2", **(dest or {}))
        said_of_disk(w, run, "run %d" % (i + 1))
        w.need("m004" in w.left(), "deleted, though it was never had", w.left())
        nothing_held(w)
    run = w.run(keep="no", **(dest or {}))
    w.need(run.status == 0 and w.left() == [], "the run on a healthy disk", run, w.left())
    w.need_each(1, names, w.mbox if dest else w.maildir)
    if not dest:
        w.need_clean()


def file_limit(w):
    over_file_limit(w, world.file_limit(MB))


def file_limit_mbox(w):
    over_file_limit(w, world.file_limit(MB), {"mbox": w.mbox})


def file_limit_with_its_signal(w):
    """As above; nobody has ignored SIGXFSZ for it."""
    over_file_limit(w, ("sh", "-c", 'ulimit -f %d; exec "$@"' % (MB // 512), "sh"))


def file_limit_and_slow_server(w):
    """What is still on its way comes slowly: the words are about the disk all the same, and no
    other message is suspected."""
    names = w.fill(8)
    w.put("m003", size=6 * MB)
    run = w.run(before=world.file_limit(2 * MB), keep="no", script="on RETR 5: sleep 7000")
    said_of_disk(w, run, "the run")
    w.need("m005" not in w.status(), "a message that only came slowly is suspected", w.status())
    healthy_again(w, names)


def small_disk(w):
    """LIST tells a lie about the size, so that nobody can know before."""
    folder = w.path("fs")
    world.mount(folder, "size=3m")
    try:
        w.maildir = os.path.join(folder, "mail")
        names = large_among_small(w, 23 * MB)
        for i in range(3):
            run = w.run(keep="no", max_tries="2", script="set size m004 =1000")
            said_of_disk(w, run, "run %d" % (i + 1))
            nothing_held(w)
            w.need_clean()
        world.remount(folder, "size=64m")
        healthy_again(w, names)
    finally:
        world.unmount(folder)


# ---- what can be known before --------------------------------------------------------------------

def lacks_room(w, **account):
    """What there is clearly no room for is not even asked for; the rest is delivered."""
    folder = w.path("fs")
    world.mount(folder, "size=3m")
    try:
        places = {"maildir": os.path.join(folder, "mail"), "mbox": os.path.join(folder, "inbox")}
        dest = {k: places[k] for k in account}
        place = list(dest.values())[0]
        names = w.fill(2)
        w.put("m003", size=6 * MB)
        w.put("m004")
        for _ in range(2):
            run = w.run(keep="no", max_tries="2", **dest)
            said_of_disk(w, run, "the run")
            w.need(run.status in (74, 75), "exit status", run)
            big = w.left().index("m003") + 1
            w.need(not [c for c in run.commands if c == "RETR 3"], "it was asked for", run)
            w.need("m003" in run.err, "the message is not named", run)
        w.need(big and "m003" in w.left(), "deleted, though it was never had")
        w.need(not w.stored(place)["m003"], "stored in spite of it")
        nothing_held(w)
        world.remount(folder, "size=64m")
        run = w.run(keep="no", **dest)
        w.need(run.status == 0 and w.left() == [], "the run with room", run, w.left())
        w.need_each(1, names + ["m003", "m004"], place)
    finally:
        world.unmount(folder)


def lacks_room_maildir(w):
    lacks_room(w, maildir=True)


def lacks_room_mbox(w):
    lacks_room(w, mbox=True)


def full_state_folder(w):
    """Not a line of the journal can be written."""
    names = w.fill(3)
    world.mount(w.state, "size=64k")
    try:
        with open(os.path.join(w.state, "ballast"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        run = w.run(keep="no")
        said_of_disk(w, run, "the run")
        w.need(w.left() == names, "deleted without a journal", w.left())
        w.need(not w.stored(), "delivered without a journal", w.stored())
        w.need_clean()
        os.unlink(os.path.join(w.state, "ballast"))
        healthy_again(w, names)
    finally:
        world.unmount(w.state)


def full_inodes(w):
    """Room for bytes, none for names."""
    names = w.fill(30)
    folder = w.path("fs")
    world.mount(folder, "size=8m,nr_inodes=16")
    try:
        w.maildir = os.path.join(folder, "mail")
        run = w.run(keep="no")
        said_of_disk(w, run, "the run")
        found = w.stored()
        w.need(set(found.values()) <= {1} and set(names) - set(found) <= set(w.left()),
               "lost or twice", found, w.left())
        world.remount(folder, "nr_inodes=1000")
        healthy_again(w, names)
    finally:
        world.unmount(folder)


def read_only(w, what):
    """73, with the path, before any connection."""
    w.fill(2)
    folder = w.path("ro")
    world.mount(folder, "ro")
    try:
        path = os.path.join(folder, what)
        if what == "state":
            w.state = path
        account = {} if what == "state" else {what: path}
        run = w.run(**account)
        w.need(run.status == 73, "exit status", run)
        w.need(run.connections == 0, "a connection was made", run)
        w.need(folder in run.err and "ead-only" in run.err, "names neither path nor reason", run)
        w.need(run.err.count("\n") == 1, "one line", run)
    finally:
        world.unmount(folder)


def became_read_only(w):
    """It was fine the last time."""
    names = w.fill(2)
    folder = w.path("fs")
    world.mount(folder, "size=8m")
    try:
        w.maildir = os.path.join(folder, "mail")
        w.fine(keep="no")
        w.put("m900")
        world.remount(folder, "ro")
        run = w.run(keep="no")
        w.need(run.status == 73 and run.connections == 0, "73 and no connection", run)
        w.need(folder in run.err and "ead-only" in run.err, "names neither path nor reason", run)
        world.remount(folder, "rw")
        healthy_again(w, names + ["m900"])
    finally:
        world.unmount(folder)


CASES = [
    ("a size limit in the middle of 19 MB: 73 to 75, the disk named, never held", file_limit),
    ("the same into an mbox", file_limit_mbox),
    ("the same, and SIGXFSZ not ignored by who started it", file_limit_with_its_signal),
    ("a size limit and a slow server: the words are about the disk", file_limit_and_slow_server),
    ("a full disk in the middle of 23 MB: the same", small_disk),
    ("no room for a message: not asked for, named, later delivered", lacks_room_maildir),
    ("no room on the disk of an mbox: the same", lacks_room_mbox),
    ("a full state folder: nothing delivered, nothing lost", full_state_folder),
    ("a disk without names left: nothing lost, nothing twice", full_inodes),
    ("a read-only state folder: 73 before any connection", lambda w: read_only(w, "state")),
    ("a read-only place for a Maildir: 73 before any connection",
     lambda w: read_only(w, "maildir")),
    ("a read-only place for an mbox: 73 before any connection", lambda w: read_only(w, "mbox")),
    ("a Maildir that became read-only: 73, and it goes on later", became_read_only),
]

if __name__ == "__main__":
    world.begin_mounts()
    world.main(CASES, jobs=2)
