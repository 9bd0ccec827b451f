#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What was fetched whole is ours: it is delivered in the end though the server shows it only once,
and nothing is fetched twice for it; one poll takes everything that is there.
"""
import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402

ONCE = "set read-once yes"


# ---- destinations that do not work, and work again -------------------------------------------------

def bring_back(w, names, first, need_each, **healed):
    """After a run that could not deliver: the next one does, without any network."""
    w.need(first.status != 0, "exit 0 though nothing was delivered", first)
    w.need(first.sent("DELE") == [], "DELE before anything was delivered", first)
    if not first.sent("RETR"):          # found before anything was asked for: nothing to own
        w.run("--force", **healed)
        need_each(1, names, when="by the next run")
        return
    with w.offline():
        run = w.run("--force", **healed)
    w.need(run.connections == 0, "there is no network")
    need_each(1, names, when="without a network")
    last = w.run("--force", **healed)
    w.need(last.status == 0 and not last.sent("RETR"), "then nothing is left to fetch", last)
    need_each(1, names, when="in the end")


def command_fails(end, keep, **keys):
    def case(w):
        names, agent = w.fill(3), heal.Agent(w)
        w.always = ONCE
        agent.does(end)
        first = w.run(mda=agent, keep=keep, **keys)
        w.need(agent.stored() == {} and len(first.sent("RETR")) == 3, "nothing was delivered", first)
        agent.does("")
        bring_back(w, names, first, agent.need_each, mda=agent, keep=keep)
    return case


def command_missing(w):
    names, agent = w.fill(3), heal.Agent(w)
    w.always = ONCE
    os.rename(agent.script, agent.script + ".away")
    first = w.run(mda=agent, keep="no")
    os.rename(agent.script + ".away", agent.script)
    bring_back(w, names, first, agent.need_each, mda=agent, keep="no")


def command_not_executable(w):
    names, agent = w.fill(3), heal.Agent(w)
    w.always = ONCE
    os.chmod(agent.script, 0o644)
    first = w.run(mda=agent, keep="no")
    os.chmod(agent.script, 0o755)
    bring_back(w, names, first, agent.need_each, mda=agent, keep="no")


def mbox_locked(keep):
    def case(w):
        names = w.fill(3)
        w.always = ONCE
        with open(w.mbox, "a+b") as box:
            fcntl.lockf(box, fcntl.LOCK_EX)
            first = w.run(mbox=w.mbox, keep=keep, timeout="2s")
        bring_back(w, names, first, lambda n, what, when: w.need_each(n, what, w.mbox, when=when),
                   mbox=w.mbox, keep=keep)
    return case


def mbox_dotlocked(w):
    names = w.fill(3)
    w.always = ONCE
    lock = w.mbox + ".lock"
    with open(lock, "w") as f:
        f.write("somebody")
    first = w.run(mbox=w.mbox, keep="no", timeout="2s")
    os.unlink(lock)
    bring_back(w, names, first, lambda n, what, when: w.need_each(n, what, w.mbox, when=when),
               mbox=w.mbox, keep="no")


def read_only(kind):
    def case(w):
        disk = w.path("disk")
        heal.world.mount(disk, "size=4m,mode=0755")
        place = os.path.join(disk, "place")
        try:
            w.put("m000")
            w.fine(**{kind: place}, keep="no")
            names = w.fill(3)
            w.always = ONCE
            heal.world.remount(disk, "ro")
            first = w.run(**{kind: place}, keep="no")
            heal.world.remount(disk, "rw")
            bring_back(w, names + ["m000"], first,
                       lambda n, what, when: w.need_each(n, what, place, when=when),
                       **{kind: place}, keep="no")
        finally:
            heal.world.unmount(disk)
    return case


def full_disk(kind):
    """Nothing is lost on a server that shows mail once, wherever the space ran out."""
    def case(w):
        disk = w.path("disk")
        heal.world.mount(disk, "size=3m,mode=0755")
        place = os.path.join(disk, "place")
        try:
            w.put("m000")
            w.fine(**{kind: place}, keep="no")
            names = w.fill(8, size=500000)
            w.always = ONCE
            first = w.run(**{kind: place}, keep="no")
            w.need(first.status not in (0, 65), "exit status on a full disk", first)
            heal.world.remount(disk, "size=16m")
            for _ in range(2):
                w.later(hours=2)
                w.run(**{kind: place}, keep="no")
            w.need_each(1, names + ["m000"], place, when="when there is room again")
        finally:
            heal.world.unmount(disk)
    return case


def through_fills_the_disk(w):
    """What a filter could not print for want of room is missing; its status may be 0 all the same."""
    names, disk = w.fill(1, size=600000), w.path("disk")
    heal.world.mount(disk, "size=8m,mode=0755")
    other = os.path.join(disk, "other")
    keys = {"keep": "no", "state": os.path.join(disk, "state")}
    try:
        full = "head -c 200000; cat /dev/zero >%s 2>/dev/null; cat; exit 0" % other
        run = w.run(pipe_through=full, **keys)
        w.need(set(w.stored()) <= set(names), "nothing is delivered in part", run, w.stored())
        os.unlink(other)
        w.run("--force", pipe_through="cat", **keys)
        w.need_each(1, names, when="when there is room")
    finally:
        heal.world.unmount(disk)


def maildir_new_is_gone(w):
    names = w.fill(3)
    w.fine(keep="no")
    w.put("m004")
    w.put("m005")
    w.always = ONCE
    os.rename(os.path.join(w.maildir, "new"), w.path("aside"))
    with open(os.path.join(w.maildir, "new"), "w"):
        pass                            # neither a folder nor anything that could become one
    first = w.run(keep="no")
    os.unlink(os.path.join(w.maildir, "new"))
    os.rename(w.path("aside"), os.path.join(w.maildir, "new"))
    bring_back(w, names + ["m004", "m005"], first, w.need_each, keep="no")


def killed_before_delivery(w):
    """The spool copy is durable and known like a delivery that was begun."""
    names, agent = w.fill(3), heal.Agent(w)
    w.always = ONCE
    mark = w.path("begun")
    agent.does("touch %s; sleep 30" % mark)
    child = w.start(mda=agent, keep="no")
    w.need(heal.wait_for(lambda: os.path.exists(mark)), "the command began")
    heal.kill_tree(child.pid)
    child.communicate()
    w.need(agent.stored() == {}, "nothing was delivered", agent.stored())
    agent.does("")
    for _ in range(2):
        w.run("--force", mda=agent, keep="no")
    agent.need_each(1, names, when="after the kill")


def spool_not_mounted(killed):
    """spool/ is a disk of its own, which is not there in one run."""
    def case(w):
        names, agent, mark = w.fill(3), heal.Agent(w), w.path("begun")
        w.always = ONCE
        if killed:
            agent.does("touch %s; sleep 30" % mark)
            child = w.start(mda=agent, keep="no")
            w.need(heal.wait_for(lambda: os.path.exists(mark)), "the command began")
            heal.kill_tree(child.pid)
            child.communicate()
        else:
            agent.does("exit 75")
            w.run(mda=agent, keep="no")
        agent.does("")
        spool = os.path.join(w.state, "spool")
        heal.world.mount(spool, "size=1m")
        try:
            without = [w.run("--force", mda=agent, keep="no") for _ in range(2)]
        finally:
            heal.world.unmount(spool)
        w.need(without[0].status == 75 and "is its disk mounted?" in without[0].err, "told", without[0])
        w.need(without[1].status == 0 and without[1].err == "", "once", without[1])
        w.later(days=1, hours=1)
        w.run("--force", mda=agent, keep="no")
        agent.need_each(1, names, when="when it is mounted again")
    return case


def through_full_disk(w):
    """pipe_through does not look at its writes, and the state folder's disk is full under them."""
    heal.world.mount(w.state, "size=4m,mode=0700")
    try:
        names, fill = w.fill(1, size=600000), os.path.join(w.state, "fill")
        w.run(pipe_through="dd if=/dev/zero of=%s bs=1k 2>/dev/null; truncate -s -256k %s; "
              "cat 2>/dev/null; exit 0" % (fill, fill), keep="no")
        os.unlink(fill)
        w.run("--force", pipe_through="cat", keep="no")
        w.need_each(1, names, when="whole")
    finally:
        heal.world.unmount(w.state)


def through_without_end(w):
    """What pipe_through prints of one message has no end: no other waits for it."""
    agent, through = heal.Agent(w), "test $FETCHPOP_SIZE -lt 9000 || exec yes; cat"
    heal.world.mount(w.state, "size=4m,mode=0700")
    try:
        names = w.fill(3)
        w.put(names[0], size=9000)
        first = w.run(mda=agent, pipe_through=through, keep="no")
        w.need("No space left" in first.err and "kept here" in first.err, "told", first)
        agent.need_each(1, names[1:], when="in the same run")
        w.put("m009")
        w.run("--force", mda=agent, pipe_through=through, keep="no")
        agent.need_each(1, [*names[1:], "m009"], when="though one is kept")
        w.run("--force", mda=agent, pipe_through="cat", keep="no")
        agent.need_each(1, [*names, "m009"], when="once that is mended")
        w.need(w.left() == [], "deleted then", w.left())
    finally:
        heal.world.unmount(w.state)


def kept_file_is_gone(w):
    """What is not there a day later either is fetched again."""
    names, agent = w.fill(2), heal.Agent(w)
    agent.does("exit 75")
    w.run(mda=agent, keep="no")
    agent.does("")
    for path in spooled(w):
        os.unlink(path)
    first = w.run("--force", mda=agent, keep="no")
    w.need(first.status == 75 and agent.stored() == {}, "looked for again", first, agent.stored())
    w.later(hours=20)
    same = w.run("--force", mda=agent, keep="no")
    w.need(same.err == "" and agent.stored() == {}, "not on the same day", same)
    w.later(hours=5)
    w.run("--force", mda=agent, keep="no")
    agent.need_each(1, names, when="a day later")
    w.need(w.left() == [], "deleted then", w.left())


def growing_spool(w):
    """A command that fails in ten runs: each run takes what is new, and nothing twice."""
    agent = heal.Agent(w)
    agent.does("exit 75")
    w.always = ONCE
    names = []
    for i in range(10):
        names.append("m%03d" % i)
        w.put(names[-1])
        w.run("--force", mda=agent, keep="no")
    retrs = [c for conn in w.record() for c in conn.commands if c[0] == "RETR"]
    w.need(len(retrs) == 10, "each was fetched once", len(retrs))
    agent.does("")
    w.need(w.run("--force", mda=agent, keep="no").status == 0, "the command works again")
    agent.need_each(1, names)


def others_go_on(w):
    """One message that the command puts off does not stop the others, and is fetched once."""
    names, agent = w.fill(4), heal.Agent(w)
    agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 75')
    for _ in range(4):
        run = w.run(mda=agent, keep="no")
        w.need(run.status == 75, "put off", run)
    agent.need_each(1, ["m001", "m003", "m004"], when="the others")
    w.need(w.left() == ["m002"], "DELE for what is delivered only", w.left())
    retr = sum(v == "RETR" for conn in w.record() for v, _ in conn.commands)
    w.need(retr == 4, "nothing is fetched twice for it", retr)
    agent.does("")
    w.fine(mda=agent, keep="no")
    agent.need_each(1, names, when="in the end")
    w.need(w.left() == [], "and then it is deleted on the server", w.left())


def bad_ones_first(end, rows):
    """So many rows of bad ones come first, and nothing new comes: the good ones do not wait for ever."""
    def case(w):
        bad = 3 * rows
        names, agent = w.fill(bad + 5), heal.Agent(w)
        good = names[bad:]
        agent.does('case "$FETCHPOP_UIDL" in %s) %s;; esac' % ("|".join(names[:bad]), end))
        for _ in range(48):
            run = w.run(mda=agent, keep="no")
            w.need(run.status != 0, "the bad ones are told", run)
            if set(good) <= set(agent.stored()):
                break
            w.later(hours=1)
        agent.need_each(1, good, when="within two days")
        agent.does("")
        w.run("--force", "--retry", "all", mda=agent, keep="no")
        agent.need_each(1, names, when="once the bad ones are taken")
    return case


def kept_and_no_time(how, **keys):
    """The time is over, or somebody ends the run, with kept mail not tried: not a success."""
    def case(w):
        names, agent = w.fill(40), heal.Agent(w)
        agent.does('case "$FETCHPOP_UIDL" in *[13579]) exit 75;; esac')
        w.run("--force", mda=agent, **keys)
        kept = [n for n in names if not agent.stored()[n]]
        agent.does("sleep 0.3")
        w.later(minutes=5)
        status = how(w, agent, keys)
        left = [n for n in kept if not agent.stored()[n]]
        w.need(0 < len(left) < len(kept), "some were delivered, not all", left)
        w.need(status == 75, "they are told", status)
        agent.does("")
        w.run("--force", mda=agent, **keys)
        agent.need_each(1, names, when="by the next run")
    return case


def time_is_over(w, agent, keys):
    return w.run(mda=agent, session_timeout="2s", **keys).status


def is_ended(w, agent, keys):
    before = sum(agent.stored().values())
    child = w.start(mda=agent, **keys)
    heal.wait_for(lambda: sum(agent.stored().values()) > before, 30)
    child.terminate()
    child.communicate(timeout=60)
    return child.returncode


# ---- without the journal -----------------------------------------------------------------------------

def removed(path):
    os.unlink(path)


def emptied(path):
    os.truncate(path, 0)


def of_zeros(path):
    size = os.path.getsize(path)
    with open(path, "wb") as f:
        f.write(bytes(size))


def damaged(path):
    """One bit in each line of the message that is kept."""
    with open(path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    words = [line.split() for line in lines]
    entry = next(w[2] for w in words if w[1] in (b"kept", b"refused"))
    with open(path, "wb") as f:
        for line, w in zip(lines, words):
            ours = w[2:3] == [entry]
            f.write(bytes([line[0] ^ 1]) + line[1:] if ours else line)


def journal_lost(how, status):
    """What is kept is the only copy, and outlives the journal that names it."""
    def case(w):
        names, agent = w.fill(4), heal.Agent(w)
        w.always = ONCE
        agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit %d' % status)
        w.run(mda=agent, max_tries=1)
        how(w.journal_path())
        agent.does("")
        run = w.run("--force", mda=agent, max_tries=1)
        w.need("1 message(s) in" in run.err and "delivered" in run.err, "it is told", run)
        agent.need_each(1, names, when="by the next run")
        run = w.run("--force", mda=agent, max_tries=1)
        w.need(run.status == 0 and run.err == "", "then all is well", run)
        agent.need_each(1, names, when="in the end")
        w.need(not files_of(w), "and nothing is kept", files_of(w))
    return case


def asked_without_journal(how):
    """--status and --retry know what is here, whatever became of the journal."""
    def case(w):
        names, agent = w.fill(3), heal.Agent(w)
        w.always = ONCE
        agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 1')
        w.run(mda=agent, max_tries=1)
        how(w.journal_path())
        said = w.status(mda=agent)
        w.need(w.held_files()[0] in said and "1 here in" in said, "--status names it", said)
        agent.does("")
        run = w.run("--retry", "all", mda=agent)
        w.need(run.status == 0 and "1 delivered from here" in run.out, "--retry delivers it", run)
        agent.need_each(1, names)
        run = w.run("--retry", "all", mda=agent)
        w.need(run.status == 65 and "no such message" in run.err, "then there is none", run)
        w.need("here in" not in w.status(mda=agent), "nor by --status")
    return case


def list_without_journal(how):
    """What is taken over from a list goes into the journal that there is, and loses nothing."""
    def case(w):
        names, agent = w.fill(3), heal.Agent(w)
        w.always = ONCE
        agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 75')
        w.run(mda=agent)
        how(w.journal_path())
        with open(w.path("list"), "w") as f:
            f.write("m001\nm003\nm009\n")
        run = w.run("--import-seen", "uidl", w.path("list"), mda=agent)
        w.need(run.status == 0 and "taken over as fetched" in run.out, "says what it did", run)
        agent.does("")
        run = w.run("--force", mda=agent)
        w.need("1 message(s) in" in run.err, "what is here is told", run)
        agent.need_each(1, names, when="and delivered")
    return case


def older_copy(status):
    """The journal of an hour ago comes back, as from a backup: it does not name what was kept since."""
    def case(w):
        agent = heal.Agent(w)
        w.always = ONCE
        w.put("m001")
        w.fine(mda=agent)
        older = heal.world.shutil.copy2(w.journal_path(), w.path("older"))
        agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit %d' % status)
        w.put("m002")
        w.run(mda=agent, max_tries=1)
        w.need("m002" in w.hidden() and len(files_of(w)) == 1, "it is kept here alone", w.hidden())
        heal.world.shutil.copy2(older, w.journal_path())
        agent.does("")
        run = w.run("--force", mda=agent, max_tries=1)
        w.need("1 message(s) in" in run.err and "delivered" in run.err, "it is told", run)
        agent.need_each(1, ["m001", "m002"], when="by the next run")
        w.fine("--force", mda=agent, max_tries=1)
        agent.need_each(1, ["m001", "m002"], when="in the end")
        w.need(not files_of(w), "and nothing is kept", files_of(w))
    return case


def kept_killed(kind):
    """Kept, then delivered in a run that is killed anywhere: what it delivered is no older copy's."""
    def case(w):
        keys, copy = {"max_tries": 1}, w.path("copy")
        agent = heal.Agent(w)
        agent.does("exit 75")
        names = w.fill(2)
        w.run(mda=agent, **keys)
        agent.does("")
        keys[kind] = {"mda": agent, "maildir": w.maildir, "mbox": w.mbox}[kind]
        heal.world.shutil.copytree(w.state, copy)
        count = len(w.list_points(**keys))
        for point in range(1, count + 1, 1 if os.environ.get("FP_LONG") else max(1, count // 40)):
            for name in (w.state, w.maildir, agent.folder):
                heal.world.shutil.rmtree(name, True)
            if os.path.exists(w.mbox):
                os.unlink(w.mbox)
            os.mkdir(agent.folder)
            heal.world.shutil.copytree(copy, w.state)
            w.killed_at(point, **keys)
            for _ in range(2):
                run = w.run("--force", **keys)
            w.need(run.status == 0 and run.err == "", "then all is well", point, run)
            found = agent.stored() if kind == "mda" else w.stored(w.maildir, w.mbox)
            most = 2 if kind == "mda" else 1
            if not w.need(all(1 <= found[n] <= most for n in names) and sum(found.values()) <= 3,
                          "killed at %d of %d" % (point, count), dict(found)):
                return
            w.need(not files_of(w), "and nothing is kept", point, files_of(w))
    return case


def unmarked_by_killed(w):
    """A run took the mark off and was killed before its flush: the one that delivers flushes that."""
    agent, log = heal.Agent(w), w.path("strace")
    if shutil.which("strace") is None:
        raise heal.Skip("no strace here")
    agent.does("exit 75")
    w.fill(1)
    w.run(mda=agent)
    path, = spooled(w)
    os.chmod(path, 0o600)
    run = w.run("--force", before=("strace", "-f", "-y", "-o", log, "-e", "trace=fsync,rename,renameat,linkat"),
                env=heal.traced())
    if not os.path.exists(log) or "strace: " in run.err:
        raise heal.Skip("strace cannot trace here: %s" % run.err[:200])
    w.need_each(1, ["m001"])
    with open(log, encoding="latin-1") as f:
        w.need(any("fsync(" in line and os.path.basename(path) in line for line in f), "it is flushed", path)


def half_received(how):
    """Half a message, and then no journal: it is never handed on as a whole one."""
    def case(w):
        names, agent = w.fill(1), heal.Agent(w)
        child = w.start(mda=agent, script="on @1 RETR: cut 100; sleep 8000")
        heal.wait_for(lambda: any(os.path.getsize(p) > 0 for p in spooled(w)), 30)
        heal.kill_tree(child.pid)
        child.communicate()
        w.need(spooled(w), "a part of it is in spool/")
        how(w.journal_path())
        w.run("--force", mda=agent)
        agent.need_each(1, names, when="whole, and nothing else")
        w.need(not files_of(w), "nothing is left behind", files_of(w))
    return case


def newest_of_lost_journal(**later):
    """What is kept has an entry in the new journal, and the server is away: the mailbox was not listed for
    all that, and its old mail does not come."""
    def case(w):
        names, agent = w.fill(5), heal.Agent(w)
        keys = {"mda": agent, "newest": "2", "max_tries": 1}
        agent.does('[ "$FETCHPOP_UIDL" != m005 ] || exit 75')
        w.run(**keys)
        os.unlink(w.journal_path())
        with w.offline():
            w.run("--force", **keys)
        agent.does("")
        keys.update(later)
        with w.offline():
            w.run("--force", **keys)
        w.run("--force", **keys)
        found = agent.stored()
        w.need(set(found) == set(names[3:]), "the newest alone", found)
    return case


def files_of(w):
    return [name for top, _, names in os.walk(w.state) for name in names
            if os.path.basename(top) in ("spool", "held")]


def lock_removed(keep):
    """Of a run that hangs, as one does with other programs: nothing comes twice."""
    def case(w):
        names = w.fill(6)
        child = w.start(keep=keep, script="on @1 RETR 5: sleep 8000")
        heal.wait_for(lambda: w.record() and ("RETR", "5") in w.record()[-1].commands, 30)
        for name in os.listdir(w.state):
            if name.endswith(".lock"):
                os.unlink(os.path.join(w.state, name))
        second = w.run("--force", keep=keep)
        w.need(child.poll() is None and second.status == 0, "the first one hangs still", second)
        _, err = child.communicate(timeout=60)
        w.need(child.returncode == 75 and b".lock was removed" in err, "and ends", child.returncode, err)
        w.put("m007")
        w.fine("--force", keep=keep)
        w.need_each(1, names + ["m007"], when="in the end")
    return case


# ---- while the server is left alone -------------------------------------------------------------------

def kept_in_a_pause(w):
    """The server cannot be reached, and there is a pause between the tries: not for what is here."""
    names, agent = w.fill(3), heal.Agent(w)
    w.always = ONCE
    agent.does("exit 75")
    w.run(mda=agent, keep="no")
    with w.offline():
        for _ in range(8):
            w.later(minutes=5)
            w.run(mda=agent, keep="no")
        w.need("not polled before" in w.status(), "there is a pause", w.status())
        agent.does("")
        run = w.run(mda=agent, keep="no")
        w.need(run.status == 75 and run.said == "", "75, silent, as in any pause", run)
        agent.need_each(1, names, when="in the pause")
        w.need("not polled before" in w.status(), "which goes on", w.status())
    w.need(w.run("--force", mda=agent, keep="no").status == 0, "the server is there again")
    agent.need_each(1, names, when="in the end")


def kept_in_an_interval(w):
    names, agent = w.fill(3), heal.Agent(w)
    w.always = ONCE
    agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 75')
    w.run(mda=agent, keep="no", interval="1h")
    agent.does("")
    w.later(minutes=5)
    run = w.run(mda=agent, keep="no", interval="1h")
    w.need(run.status == 0 and run.connections == 0, "the interval is not over", run)
    agent.need_each(1, names, when="before the interval is over")


def kept_and_login_delay(w):
    """The server wants a pause; a person is told so, and gets what is here."""
    names, agent = w.fill(3), heal.Agent(w)
    agent.does("exit 75")
    w.run(mda=agent)
    w.run(mda=agent, script='on PASS: err "[LOGIN-DELAY] not so soon"')
    agent.does("")
    run = w.run(mda=agent, tty=True)
    w.need(run.connections == 0 and "--force" in run.err, "a pause that binds a person too", run)
    w.need("3 new" in run.err, "the summary", run)
    agent.need_each(1, names, when="in the pause")


def kept_and_refused(w):
    """A destination that refuses all in a pause is told once a day, as otherwise."""
    w.fill(2)
    agent = heal.Agent(w)
    agent.does("exit 75")
    w.run(mda=agent)
    agent.does("exit 78")
    with w.offline():
        told = 0
        for _ in range(40):
            run = w.run(mda=agent)
            told += run.said != ""
            w.later(minutes=1)
        w.need(run.status == 78, "the command's own status", run)
    w.need(1 <= told <= 2, "told once, and once the server", told)


# ---- held/ -----------------------------------------------------------------------------------------

REFUSES = '[ "$FETCHPOP_UIDL" != m002 ] || exit 1'


def refused(w, keep, always=""):
    names, agent = w.fill(4), heal.Agent(w)
    w.always = always
    agent.does(REFUSES)
    run = w.run(mda=agent, keep=keep, max_tries=1)
    w.need(run.status == 65 and "m002" in run.err, "the refusal", run)
    agent.need_each(1, ["m001", "m003", "m004"], when="the others")
    return names, agent


def unreadable(w):
    """A kept file that cannot be read: that message waits, is held in the end, and nothing else is kept back."""
    if os.geteuid() != 0:
        raise heal.Skip("only root can take a file's rights away and give them back")
    nobody = {"before": ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")}
    if subprocess.run([*nobody["before"], "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise heal.Skip("no setpriv")
    write_rc = w.write_rc

    def write_theirs(*args, **more):
        path = write_rc(*args, **more)
        os.chown(path, 65534, 65534)
        return path

    w.write_rc = write_theirs
    agent = heal.Agent(w)
    agent.does("exit 75")
    w.fill(1)
    give(w.top, 65534)
    w.run("--force", mda=agent, **nobody)
    files = spooled(w)
    if not w.need(len(files) == 1, "it is kept", files):
        return
    give(files[0], 0)
    agent.does("")
    give(agent.script, 65534)
    w.put("m002")
    for _ in range(2):
        run = w.run("--force", mda=agent, max_tries=2, **nobody)
        w.need(run.status == 65 and "m001" in run.err, "it is told", run)
        agent.need_each(1, ["m002"], when="new mail comes")
    run = w.run("--force", mda=agent, max_tries=2, **nobody)
    w.need(run.status == 0 and "m001" not in run.err, "held, it is not told in each run", run)
    for path in spooled(w) + w.held_files():
        give(path, 65534)
    w.run("--retry", "all", mda=agent, max_tries=2, **nobody)
    w.run("--force", mda=agent, max_tries=2, **nobody)
    agent.need_each(1, ["m001", "m002"], when="once it can be read")


def spooled(w):
    folder = os.path.join(w.state, "spool")
    return [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []


def give(top, user):
    """This file, or all of this folder, is that user's."""
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            os.chown(os.path.join(folder, name), user, user, follow_symlinks=False)
    os.chown(top, user, user)


def held_is_a_file(w):
    refused(w, "yes")
    files = w.held_files()
    if not w.need(len(files) == 1, "one file in held/", files):
        return
    with open(files[0], "rb") as f:
        data = f.read()
    w.need(w.names.get(data) == "m002", "it is the message, byte for byte", data[:200])
    mode = stat.S_IMODE(os.stat(files[0]).st_mode)
    w.need(mode == 0o400, "mode 0400", oct(mode))
    w.need(files[0] in w.status(), "--status names it with its path", w.status())


def held_counts_once(w):
    """Held is fetched once, also on a server that goes on showing it."""
    _, agent = refused(w, "yes")
    for _ in range(5):
        w.run(mda=agent, max_tries=1)
    retr = sum(v == "RETR" for conn in w.record() for v, _ in conn.commands)
    w.need(retr == 4, "nothing is fetched twice for it", retr)


def held_retried(which, keep, always=""):
    def case(w):
        names, agent = refused(w, keep, always)
        agent.does("")
        with w.offline():
            said = w.run("--retry", which, mda=agent, keep=keep, max_tries=1)
            w.need(said.status == 0, "--retry", said)
            if agent.stored()["m002"] == 0:
                w.run("--force", mda=agent, keep=keep, max_tries=1)
        agent.need_each(1, names, when="from held/, without a network")
        w.need(w.held_files() == [], "nothing is kept in held/ any more", w.held_files())
        run = w.run("--force", mda=agent, keep=keep, max_tries=1)
        w.need(run.status == 0 and not run.sent("RETR"), "nothing is fetched again", run)
        agent.need_each(1, names, when="in the end")
        if keep == "no":
            w.need(w.left() == w.hidden(), "deleted on the server", w.left())
    return case


def held_stays_on_server(w):
    refused(w, "no")
    w.need(w.left() == ["m002"], "what is held is not deleted on the server", w.left())


def held_and_refused_again(w):
    names, agent = refused(w, "no", ONCE)
    w.run("--retry", "all", mda=agent, keep="no", max_tries=1)
    w.run("--force", mda=agent, keep="no", max_tries=1)
    w.need(len(w.held_files()) == 1, "refused once more, it is kept still", w.held_files())
    agent.does("")
    w.run("--retry", "all", mda=agent, keep="no", max_tries=1)
    w.run("--force", mda=agent, keep="no", max_tries=1)
    agent.need_each(1, names)


# ---- spool_max -------------------------------------------------------------------------------------

def spool_is_bounded(w):
    names, agent = w.fill(10, size=30000), heal.Agent(w)
    w.always = ONCE
    agent.does("exit 75")
    runs = [w.run("--force", mda=agent, keep="no", spool_max="100K") for _ in range(4)]
    retr = sum(len(r.sent("RETR")) for r in runs)
    w.need(1 <= retr <= 4, "no more is begun than 100K of 30K each", retr, runs[0])
    w.need(runs[-1].status == 75, "75", runs[-1])
    lines = [x for x in runs[-1].err.splitlines() if "spool_max" in x]
    w.need(len(lines) == 1, "one clear line, which names spool_max", runs[-1])
    agent.does("")
    for _ in range(3):
        last = w.run("--force", mda=agent, keep="no", spool_max="100K")
    w.need(last.status == 0, "healed", last)
    agent.need_each(1, names)


def longer_than_what_is_left(w):
    """One message waits here for good. What is longer than spool_max less that comes all the same, and
    all behind it, be it long in truth or by LIST alone."""
    agent = heal.Agent(w)
    keys = {"mda": agent, "max_tries": 2, "spool_max": "100K", "keep": "no"}
    names = w.fill(2)
    agent.does('case "$FETCHPOP_UIDL" in m001) exit 1;; esac')
    for _ in range(4):
        w.run("--force", **keys)
        w.later(hours=3)
    w.need("kept: UIDL m001" in w.status(**keys), "one waits here", w.status(**keys))
    w.put("m003", size=150000)
    w.put("m004")
    w.put("m005")
    w.run("--force", script="set size m004 =4294967295", **keys)
    for _ in range(2):
        w.later(days=1)
        run = w.run("--force", script="set size m004 =4294967295", **keys)
    agent.need_each(1, ["m002", "m003", "m004", "m005"])
    w.need("spool_max" not in run.err, "what is kept has not reached it", run)
    agent.does("")
    w.later(days=8)
    w.run("--force", **keys)
    agent.need_each(1, names + ["m003", "m004", "m005"], when="after the repair")


def size_that_no_disk_has(w):
    """LIST says 4294967295, which is -1 in 32 bits: it comes, on a small disk, too."""
    disk = w.path("disk")
    heal.world.mount(disk, "size=20m,mode=0755")
    place = os.path.join(disk, "place")
    try:
        names = w.fill(3)
        for _ in range(3):
            run = w.run("--force", script="set size m002 =4294967295", maildir=place, keep="no")
        w.need(run.status == 0, "no trouble", run)
        w.need_each(1, names, place)
    finally:
        heal.world.unmount(disk)


def spool_max_is_a_size(w):
    w.fill(1)
    w.need(w.run(spool_max="1G").status == 0, "spool_max = 1G")
    w.need(w.run(spool_max="much").status == 78, "spool_max = much")


def last_of_the_disk(w):
    """The last 5 % of the file system of the state folder are left alone."""
    disk = w.path("disk")
    heal.world.mount(disk, "size=2m,mode=0755")
    state = os.path.join(disk, "state")
    try:
        names, agent = w.fill(30, size=100000), heal.Agent(w)
        agent.does("exit 75")
        w.always = ONCE
        for _ in range(3):
            run = w.run("--force", state=state, mda=agent, keep="no")
        st = os.statvfs(disk)
        w.need(st.f_bavail >= st.f_blocks * 0.04, "5 % are free", st)
        w.need(run.status == 75, "75", run)
        agent.does("")
        for _ in range(3):
            last = w.run("--force", state=state, mda=agent, keep="no")
        w.need(last.status == 0, "healed", last)
        agent.need_each(1, names)
    finally:
        heal.world.unmount(disk)


# ---- kills -----------------------------------------------------------------------------------------

def kill_sweep(kind, keep):
    """Killed before any call, with a server that shows mail once: nothing is lost."""
    def case(w):
        names = w.fill(3)
        w.always = ONCE
        agent = heal.Agent(w)
        keys = {"keep": keep, kind: {"maildir": w.maildir, "mbox": w.mbox, "mda": agent}[kind]}
        points = len(w.list_points(**keys))
        step = 1 if os.environ.get("FP_LONG") else max(1, points // 25)
        for point in range(1, points + 1, step):
            forget(w, agent)
            w.fill(3)
            w.killed_at(point, **keys)
            for _ in range(2):
                run = w.run("--force", **keys)
            found = agent.stored() if kind == "mda" else w.stored(keys[kind])
            if not w.need(all(found[n] for n in names), "killed at %d of %d: lost" % (point, points),
                          dict(found), run):
                return
            most = 2 if kind == "mda" else 1
            if not w.need(all(found[n] <= most for n in found), "killed at %d: twice" % point, found):
                return
    return case


def forget(w, agent):
    for folder in (w.state, w.maildir, w.box, agent.folder):
        subprocess.run(["rm", "-rf", folder], check=True)
    for folder in (w.box, agent.folder):
        os.mkdir(folder)
    if os.path.exists(w.mbox):
        os.unlink(w.mbox)


# ---- all that is there -----------------------------------------------------------------------------

def slices(keep, always):
    def case(w):
        names = w.fill(20)
        w.always = always
        run = w.run("-v", keep=keep)
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, names, when="after one run")
        w.need(run.connections > 1, "several connections", run.connections)
        return run
    return case


def slices_said(w):
    quiet = w.fill(2) and w.run("-v", keep="no")
    w.fill(20)
    w.always = "set slice 6"
    loud = w.run("-v", keep="no")

    def remarks(run):
        """What is said with -v besides the conversation."""
        lines = run.err.splitlines()
        return [x for x in lines if not re.search(r"(^|[ :])[<>] |[<>] ?(\+OK|-ERR|[A-Z]{4})", x)]
    more = [x for x in remarks(loud) if re.search(r"(?i)again|once more|more mail|next (session|slice)", x)]
    w.need(len(more) >= 2, "-v says that it connects again", remarks(loud)[:6], remarks(quiet)[:6])


def slices_bring_nothing_new(w):
    """A slice that is always the same ends it: no connecting for ever."""
    w.fill(20)
    w.always = "set slice 6"
    run = w.run(keep="yes")
    w.need(run.status == 0 and run.connections <= 2, "it ends", run)
    w.need(sum(w.stored().values()) == 6, "what is shown is there")


def kept_is_no_slice(w):
    """What is delivered before a connection is made says nothing of what the server shows."""
    names, agent = w.fill(1), heal.Agent(w)
    agent.does("exit 75")
    w.run(mda=agent, keep="no")
    agent.does("")
    os.unlink(os.path.join(w.box, names[0]))
    for name in ("x1", "x2"):
        w.put(name, size=9000)
    run = w.run("--force", mda=agent, keep="no", max_size="4k")
    agent.need_each(1, names)
    w.need(run.connections == 1, "one connection", run)


def a_thousand_are_no_slice(w):
    """So many are all there is; of one fewer nobody knows, and it looks once more."""
    for count, sessions in ((999, 2), (1000, 1)):
        w.fill(count)
        run = w.run(keep="no")
        w.need(run.status == 0 and run.connections == sessions,
               "%d new messages: %d session(s)" % (count, sessions), run.connections, run)


def slices_and_max_messages(w):
    w.fill(20)
    w.always = "set slice 3"
    run = w.run(keep="no", max_messages="7")
    w.need(sum(w.stored().values()) == 7, "max_messages bounds it", sum(w.stored().values()), run)
    run = w.run("-B", "5", keep="no")
    w.need(sum(w.stored().values()) == 12, "-B bounds it", sum(w.stored().values()), run)


def shown_whole(w):
    """--show -a hands a message out: it is not given up for that by a server that shows mail once."""
    w.always = ONCE
    names = w.fill(3)
    run = w.fine("--show", "m002", "-a")
    w.need(w.names.get(run.out.encode()) == "m002", "it is shown", run)
    w.fine(keep="yes")
    w.need_each(1, names, when="by the next poll")


def slices_and_session_timeout(w):
    w.fill(40)
    w.always = "set slice 2"
    run = w.run(keep="no", session_timeout="2s", script="on greeting: sleep 300")
    w.need(run.seconds < 10 and 4 <= sum(w.stored().values()) < 30, "session_timeout bounds it",
           run.seconds, sum(w.stored().values()))
    w.need(run.status == 75, "the rest comes next time", run)


def slices_and_login_delay(w):
    """A server with a pause between logins: the rest comes with the next runs."""
    names = w.fill(9)
    w.always = "set slice 3\nset login-delay 300"
    statuses = []
    for _ in range(5):
        statuses.append(w.run(keep="no").status)
        w.later(minutes=6)
    w.need_each(1, names, when="after five runs")
    w.need(set(statuses) <= {0, 75}, "exit statuses", statuses)
    w.need(w.run(keep="no").status == 0, "in the end")


def output_fails(make):
    """Standard output takes nothing of a message, and the server shows it once."""
    def run(w):
        w.put("m001", size=200000)
        w.always = ONCE
        w.server.play([w.always])
        first = subprocess.run(w.command("-m", "-"), stdin=subprocess.DEVNULL, stdout=make(),
                               stderr=subprocess.PIPE, env=w.environment())
        w.server.settle(5)
        w.need(first.returncode in (74, 75), "that is said", first)
        w.need(w.hidden() == ["m001"], "the server does not show it again", w.hidden())
        w.fine("--force")
        w.need_each(1, ["m001"], when="what standard output did not take")
    return run


def reads_slowly(w):
    """Standard output is a pipe that does not block, and fills up."""
    w.put("m001", size=300000)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    w.server.play([w.always])
    child = subprocess.Popen(w.command("-m", "-"), stdin=subprocess.DEVNULL, stdout=theirs,
                             stderr=subprocess.PIPE, env=w.environment())
    os.close(theirs)
    w.server.wait_for("QUIT", 1)
    with open(ours, "rb") as f:
        out = f.read()
    err = child.communicate()[1]
    w.need(child.returncode == 0 and len(out) > 300000, "all of it comes", err, len(out))


def nobody_reads():
    ours, theirs = os.pipe()
    os.close(ours)
    return theirs


def device_is_full():
    return os.open("/dev/full", os.O_WRONLY)


def spool_unseen(w):
    """An mbox was locked; in the next run the spool file cannot be opened, and then it can."""
    w.put("m000")
    w.fine(mbox=w.mbox)
    names = w.fill(1)
    w.always = ONCE
    with open(w.mbox, "a+b") as box:
        fcntl.lockf(box, fcntl.LOCK_EX)
        w.run(mbox=w.mbox, timeout="1s")
    spool = os.path.join(w.state, "spool")
    name = os.path.join(spool, os.listdir(spool)[0])
    os.rename(name, w.path("aside"))
    os.symlink(name, name)
    run = w.run("--force", mbox=w.mbox)
    w.need(run.status in (74, 75), "that is an error", run)
    os.rename(w.path("aside"), name)
    w.fine("--force", mbox=w.mbox)
    w.need_each(1, ["m000"] + names, w.mbox, when="once its file can be opened")


CASES = [
    ("a command that exits 75: delivered by the next run, without a network",
     command_fails("exit 75", "no")),
    ("the same with keep = yes", command_fails("exit 75", "yes")),
    ("a command that exits 126: likewise", command_fails("exit 126", "no")),
    ("a command that exits 127: likewise", command_fails("exit 127", "no")),
    ("a command that is killed by a signal: likewise", command_fails("kill -9 $$", "no")),
    ("a command that takes too long: likewise", command_fails("sleep 20", "no", mda_timeout="1s")),
    ("a command that is not there: likewise", command_missing),
    ("a command that may not be executed: likewise", command_not_executable),
    ("an mbox that a reader has locked: likewise", mbox_locked("no")),
    ("the same with keep = yes", mbox_locked("yes")),
    ("an mbox with somebody's .lock: likewise", mbox_dotlocked),
    ("an mbox on a disk that is read-only for a while: likewise", read_only("mbox")),
    ("a Maildir on a disk that is read-only for a while: likewise", read_only("maildir")),
    ("a Maildir on a full disk: nothing is lost", full_disk("maildir")),
    ("an mbox on a full disk: nothing is lost", full_disk("mbox")),
    ("standard output that nobody reads, read once: delivered by the next run",
     output_fails(nobody_reads)),
    ("standard output on a full device: likewise", output_fails(device_is_full)),
    ("standard output that does not block, read slowly: all of it comes", reads_slowly),
    ("a spool file that cannot be opened in one run: its message is not given up", spool_unseen),
    ("pipe_through fills the disk, and ends with 0: nothing is lost", through_fills_the_disk),
    ("a Maildir whose new/ is gone for a while: delivered by the next run", maildir_new_is_gone),
    ("killed while the command runs: delivered by the next run", killed_before_delivery),
    ("kept, and spool/ is not mounted in one run: delivered, told once", spool_not_mounted(False)),
    ("killed while the command runs, and the same", spool_not_mounted(True)),
    ("pipe_through ends with 0 on a full disk: nothing is delivered in part", through_full_disk),
    ("pipe_through prints without end: that message is kept, and no other waits", through_without_end),
    ("a kept file that is gone: fetched again a day later", kept_file_is_gone),
    ("a command that fails in ten runs: each run takes the new, nothing twice", growing_spool),
    ("a message that is put off does not stop the others and is fetched once", others_go_on),
    ("three that are put off, kept in front of others: those are delivered", bad_ones_first("exit 75", 1)),
    ("three that are refused, likewise", bad_ones_first("exit 1", 1)),
    ("nine that are refused, likewise", bad_ones_first("exit 65", 3)),
    ("session_timeout while kept mail is delivered: 75, and the rest comes",
     kept_and_no_time(time_is_over)),
    ("the same before an interval is over", kept_and_no_time(time_is_over, interval="1h")),
    ("TERM while kept mail is delivered: likewise", kept_and_no_time(is_ended, interval="1h")),
    ("in a pause after failures, what is kept is delivered all the same", kept_in_a_pause),
    ("and before an interval is over", kept_in_an_interval),
    ("and while the server wants a pause: to a person, too", kept_and_login_delay),
    ("what a command refuses in a pause is told once a day", kept_and_refused),
    ("a message that the command refuses is a file in held/, which --status names", held_is_a_file),
    ("nothing is fetched twice for what is held", held_counts_once),
    ("what is held stays on the server with keep = no", held_stays_on_server),
    ("--retry UIDL delivers from held/", held_retried("m002", "yes")),
    ("--retry all with keep = no: delivered from held/, then deleted", held_retried("all", "no")),
    ("--retry all where the server shows mail once", held_retried("all", "no", ONCE)),
    ("one kept file that cannot be read keeps nothing else back", unreadable),
    ("refused once more after --retry: it is still kept", held_and_refused_again),
    ("spool_max bounds it: 75, one clear line, all there after the repair", spool_is_bounded),
    ("one is held, and a message is longer than what spool_max leaves: it comes",
     longer_than_what_is_left),
    ("LIST says more than the disk has: it comes", size_that_no_disk_has),
    ("spool_max is a size in the configuration file", spool_max_is_a_size),
    *[("the journal is %s, mail is %s: it is delivered" % (how.__name__.replace("_", " "), where),
       journal_lost(how, status))
      for how in (removed, emptied, of_zeros, damaged)
      for where, status in (("kept", 75), ("held", 1))],
    *[("the journal is %s: --status and --retry" % how.__name__.replace("_", " "),
       asked_without_journal(how)) for how in (removed, emptied, of_zeros, damaged)],
    *[("the journal is %s: --import-seen" % how.__name__.replace("_", " "),
       list_without_journal(how)) for how in (removed, damaged)],
    ("an older journal comes back, mail was kept since: it is delivered", older_copy(75)),
    ("an older journal comes back, mail was held since: it is delivered", older_copy(1)),
    *[("killed at any call while kept mail is delivered to %s: each once" % where, kept_killed(kind))
      for kind, where in (("maildir", "a Maildir"), ("mbox", "an mbox"), ("mda", "a command"))],
    ("a run is killed while it takes a mark off: the next one flushes that", unmarked_by_killed),
    ("killed with half a message in spool/, then the journal is removed", half_received(removed)),
    ("killed with half a message in spool/, then the journal is full of zeros", half_received(of_zeros)),
    ("the journal is lost, mail is kept, the server is away: newest holds all the same",
     newest_of_lost_journal()),
    ("the same, and the mailbox gets another name", newest_of_lost_journal(server="localhost")),
    ("the lock file of a run that hangs is removed: nothing comes twice, keep = no", lock_removed("no")),
    ("the same, keep = yes", lock_removed("yes")),
    ("the last 5 % of the file system are left alone", last_of_the_disk),
    ("killed at any call, read once, into a Maildir: nothing lost", kill_sweep("maildir", "no")),
    ("killed at any call, read once, into an mbox: nothing lost", kill_sweep("mbox", "no")),
    ("killed at any call, read once, to a command: nothing lost", kill_sweep("mda", "no")),
    ("killed at any call, read once, keep = yes: nothing lost", kill_sweep("maildir", "yes")),
    ("a server that shows six at a time: one run brings all", slices("no", "set slice 6")),
    ("the same, and it shows mail once, keep = yes",
     slices("yes", "set slice 6\nset read-once yes")),
    ("a server that hands out six a session: one run brings all", slices("no", "set retr-max 6")),
    ("the same with keep = yes", slices("yes", "set retr-max 6")),
    ("--show -a on a server that shows mail once: the next poll brings it", shown_whole),
    ("-v says that it connects again", slices_said),
    ("a slice that stays the same: it ends", slices_bring_nothing_new),
    ("kept mail is delivered, and the server shows nothing that is fetched: no second look",
     kept_is_no_slice),
    ("1,000 at once are all there is", a_thousand_are_no_slice),
    ("max_messages and -B bound it", slices_and_max_messages),
    ("session_timeout bounds it", slices_and_session_timeout),
    ("a pause between logins bounds it, and nothing is missed", slices_and_login_delay),
]

if __name__ == "__main__":
    heal.world.begin_mounts()
    heal.main(CASES)
