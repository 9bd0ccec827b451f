#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What comes in is flushed by a process of its own before its batch is complete, and nothing rests
on that: the flush that counts comes behind it, and hears of a disk that does not keep what it is
given."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import test_start  # noqa: E402
import world  # noqa: E402

LONG = 9 * 1024 * 1024
MESSAGE = re.compile(r'"\d+\.M\w+F\w+\.[^"]*", O_RDWR\|O_CREAT.* = (\d+)')
FLUSH = re.compile(r"^(\d+) +(fsync|fdatasync|syncfs)\((\d+)")


def flushes(w, **account):
    """([(process, call, descriptor)], the worker, descriptors of messages)."""
    run, calls = test_start.traced(w, **account)
    w.need(run.status == 0, "all is fetched", run)
    found = [FLUSH.match(call).groups() for call in calls if FLUSH.match(call)]
    workers = {pid for pid, call, _ in found if call == "fdatasync"}  # the journal's
    w.need(len(workers) == 1, "one worker", found)
    files = {MESSAGE.search(call).group(1) for call in calls if MESSAGE.search(call)}
    return found, (workers or {""}).pop(), files


def each_octet(w, names):
    w.need(sorted(w.stored()) == sorted(names), "each is there once", len(w.stored()))


def long_ones(w):
    names = [w.put("m%d" % i, "line\n" * (LONG // 5)) or "m%d" % i for i in (1, 2)]
    found, worker, files = flushes(w)
    ahead = [row for row in found if row[0] != worker]
    if not w.need(ahead, "long messages are flushed by others than the worker", found):
        return
    w.need({row[1] for row in ahead} == {"fsync"} and {row[2] for row in ahead} == {"0"},
           "one file each, on a descriptor of its own", ahead)
    last = {row[2] for row in found[found.index(ahead[-1]):] if row[:2] == (worker, "fsync")}
    w.need(len(files) == 2 and files <= last, "the worker flushes both behind that", files, found)
    each_octet(w, names)


def many(w):
    names = w.fill(100, size=100000)
    found, worker, _ = flushes(w)
    ahead = [row for row in found if row[0] != worker]
    if not any(row[1] == "syncfs" for row in found):
        raise world.Skip("the file system here is flushed file by file")
    w.need([row[1] for row in ahead] == ["syncfs"], "10 MB in all: one flush by another", ahead)
    w.need((worker, "syncfs") in [row[:2] for row in found[found.index(ahead[0]):]] if ahead
           else False, "and the worker's own behind it", found[-8:])
    each_octet(w, names)


def no_flush_at_all(w):
    names = [w.put("m%d" % i, "line\n" * (LONG // 5)) or "m%d" % i for i in (1, 2)]
    run, calls = test_start.traced(w, fsync="none")
    w.need(run.status == 0 and not test_start.of(calls, test_start.SYNCS),
           "with fsync = none nobody flushes", test_start.of(calls, test_start.SYNCS)[:3])
    each_octet(w, names)


def disk_that_forgets(w):
    """A disk that has less room than it says: writes go well, writing back does not."""
    disk, maildir = w.path("disk"), w.path("Mail")
    world.mount(disk, "size=24m")
    os.makedirs(maildir)
    made = subprocess.run(
        "truncate -s 400M %s/image && mke2fs -q -F -t ext4 -O ^has_journal %s/image && "
        "mount -o loop %s/image %s" % (disk, disk, disk, maildir), shell=True, text=True,
        stderr=subprocess.PIPE)
    if made.returncode != 0:
        world.unmount(disk)
        raise world.Skip("cannot mount an image here: " + made.stderr.strip())
    try:
        for i in range(6):
            w.put("m%d" % i, "line\n" * (LONG // 5))
        run = w.run(maildir=maildir + "/box", keep="no")
        w.need(run.status not in (0, 1), "that is trouble", run)
        left = set(w.left())
        stored = set(w.stored(maildir + "/box"))
        w.need(len(left) >= 4, "no more than what the disk has is deleted", left)
        w.need(left | stored == {"m%d" % i for i in range(6)}, "nothing is lost", left, stored)
    finally:
        world.unmount(maildir)
        world.unmount(disk)


CASES = [
    ("long messages: flushed while more comes in, and by the worker behind that", long_ones),
    ("many messages: so are all of them at once", many),
    ("fsync = none: nothing is flushed ahead either", no_flush_at_all),
    ("a disk that cannot write back: what it does not have stays on the server", disk_that_forgets),
]

if __name__ == "__main__":
    world.begin_mounts()
    world.main(CASES, jobs=1)
