#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Two runs, two machines, one Maildir: what is in tmp/, what a crash leaves, and places that are gone."""
import json
import os
import re
import stat
import subprocess
import sys
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402

FUSE = "65735546"
KNOWN = {"ext4": "ef53", "xfs": "58465342", "btrfs": "9123683e", "f2fs": "f2f52010",
         "tmpfs": "1021994", "zfs": "2fc12fc1", "bcachefs": "ca451a4e"}


def tmp_of(w, place=None):
    folder = os.path.join(place or w.maildir, "tmp")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def left_open(w, count=3, **keys):
    """A run that was killed when its messages were written and none was published yet."""
    keys.setdefault("keep", "no")
    w.fill(count)
    points = w.list_points(**keys)
    renames = [i for i, line in enumerate(points, 1) if re.search(r"rename", line) and "/new" in line] \
        or [i for i, line in enumerate(points, 1) if re.search(r"rename", line)][-count:]
    for name in (w.state, w.maildir):
        heal.world.shutil.rmtree(name, True)
    names = w.fill(count)
    w.killed_at(renames[0], **keys)
    w.need(len(w.left()) == count and len(tmp_of(w)) >= count, "it was killed in mid-batch",
           w.left(), tmp_of(w))
    return names


# ---- what a crash leaves ----------------------------------------------------------------------------

def no_marker(w):
    """Between the messages and new/ there is nothing in tmp/ but the messages."""
    left_open(w)
    w.need(len(tmp_of(w)) == 3, "three messages, three files", tmp_of(w))


def recovered_is_told(w):
    """The run that was killed told nobody of them."""
    names, told = left_open(w), w.path("told")
    w.put("m009")
    run = w.run("--force", "--json=messages", keep="no", after_new="cat >>%s" % told)
    records = [json.loads(line) for line in run.out.splitlines()]
    new = os.listdir(os.path.join(w.maildir, "new"))
    found = [(r["uidl"], r["octets"] > 0, r["name"] in new, r["destination"]) for r in records if "uidl" in r]
    w.need(sorted(found) == [(n, True, True, w.maildir) for n in names + ["m009"]], "each has a record", found)
    w.need([r["new"] for r in records if "uidl" not in r] == [4], "and counts", run.out)
    with open(told) as f:
        w.need(len(f.readlines()) == 4, "and after_new gets it")


def vanished(w):
    """Neither in new/, cur/ nor tmp/: fetched again, whatever else is in tmp/, and that is said."""
    names = left_open(w)
    for name in tmp_of(w):
        path = os.path.join(w.maildir, "tmp", name)
        if os.path.getsize(path) > 0:
            os.unlink(path)
    run = w.run("--force", keep="no")
    w.need_each(1, names, when="fetched again")
    w.need("fetched again" in run.err, "that is said", run)
    w.need(w.left() == [], "deleted then", w.left())
    w.need_clean()


def one_vanished(w):
    """A file system without a journal has lost one of the renames."""
    names = w.fill(3)
    keys = {"keep": "no"}
    points = w.list_points(**keys)
    renames = [i for i, line in enumerate(points, 1) if "rename" in line and "/new/" in line]
    for name in (w.state, w.maildir):
        heal.world.shutil.rmtree(name, True)
    w.fill(3)
    w.killed_at(renames[-1] + 1, **keys)        # all are published, none is noted as done
    new = os.path.join(w.maildir, "new")
    there = sorted(os.listdir(new)) if os.path.isdir(new) else []
    if not w.need(len(there) >= 2, "killed behind the renames", there, points[-40:]):
        return
    os.unlink(os.path.join(new, there[0]))
    run = w.run("--force", keep="no")
    w.need_each(1, names, when="the lost one is fetched again")
    w.need("fetched again" in run.err, "that is said", run)


def rename_answer_lost(w):
    names = w.fill(3)
    run = w.run(keep="no", env={"SHIM_LOST": "1"})
    w.need(run.status == 0, "ENOENT, and the file is in new/: a success", run)
    w.need_each(1, names)
    w.need(w.left() == [], "deleted", w.left())
    w.fine(keep="no")


# ---- the sweep of tmp/ --------------------------------------------------------------------------------

def aged(w, name, hours, data=b"x\n"):
    path = os.path.join(w.maildir, "tmp", name)
    with open(path, "wb") as f:
        f.write(data)
    at = w.now() - hours * 3600
    os.utime(path, (at, at))


def foreign_files(w):
    w.fill(1)
    w.fine()
    for name, hours in (("1795845685.M018673P10634Q2.other", 1), ("1795845685.P1.old", 37),
                        ("1795845685.P2.other", 35)):
        aged(w, name, hours)
    w.put("m002")
    w.fine()
    w.need(tmp_of(w) == ["1795845685.M018673P10634Q2.other", "1795845685.P2.other"],
           "others' go when they are older than 36 hours, as maildir(5) has it", tmp_of(w))


def other_state_folder(w):
    """What another state folder's killed run has left is not ours to sweep."""
    names = left_open(w)
    left = tmp_of(w)
    second = w.path("state2")
    box, w.box = w.box, w.path("empty")
    os.mkdir(w.box)
    with heal.popd.Server(w.box) as other:
        w.run("--force", state=second, keep="no", port=other.port)
    w.box = box
    w.need(tmp_of(w) == left, "its files stay", left, tmp_of(w))
    w.run("--force", keep="no")
    w.need_each(1, names, when="delivered from them")
    w.need_clean()


def own_leftovers(w):
    """Our own are cleared at once."""
    names = left_open(w)
    w.run("--force", keep="no")
    w.need_each(1, names)
    w.need_clean()


def during(w):
    """A run with another state folder while one is in the midst of its batch."""
    names = w.fill(6)
    seen = {}
    second = w.path("state2")
    with heal.popd.Server(w.path("empty")) as other:
        rc2 = w.path("rc2")

        def meanwhile(conn):
            with open(w.path("rc")) as f:
                text = re.sub(r"port = '\d+'", "port = '%d'" % other.port, f.read())
            with open(os.open(rc2, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(text)
            heal.wait_for(lambda: len(tmp_of(w)) >= 4, 2)
            seen["before"] = tmp_of(w)
            heal.in_silence([heal.world.FETCHPOP, "-f", rc2, "--state-dir", second],
                            w.environment(), 20)
            seen["after"] = tmp_of(w)
        os.makedirs(os.path.join(w.maildir, "tmp"))
        os.makedirs(os.path.join(w.maildir, "new"))
        os.makedirs(os.path.join(w.maildir, "cur"))
        run = w.run(keep="no", script=[heal.popd.Rule("RETR 5", [("call", meanwhile)], None, 1)])
    w.need(set(seen.get("before", "?")) <= set(seen.get("after", "")), "tmp/ is left alone", seen)
    w.need(run.status == 0, "exit status", run)
    w.need_each(1, names)


def two_on_one(kills):
    """Two state folders deliver to one Maildir in turn, from two mailboxes, and are killed in turn."""
    def case(w):
        states, boxes = [w.path("state1"), w.path("state2")], [w.path("box1"), w.path("box2")]
        servers = []
        for box in boxes:
            os.mkdir(box)
            servers.append(heal.popd.Server(box).start())
        names = []
        for i in range(kills):
            for which in (0, 1):
                for j in range(3):
                    w.box = boxes[which]
                    names.append("k%d.%d.%d" % (i, which, j))
                    w.put(names[-1])
                w.run("--force", before=(heal.syscut(), "--kill", str(15 + (i * 7 + which * 3) % 60)),
                      env=heal.traced(), state=states[which], port=servers[which].port, keep="no")
        for _ in range(2):
            for which in (0, 1):
                w.run("--force", state=states[which], port=servers[which].port, keep="no")
        for s in servers:
            s.stop()
        w.need_each(1, names)
        w.need_clean()
        w.need(os.listdir(boxes[0]) == os.listdir(boxes[1]) == [], "deleted on the servers")
    return case


# ---- durability ---------------------------------------------------------------------------------------

def synced(kind, fstype, each):
    """With many messages in one batch: which calls make them durable."""
    def case(w):
        w.fill(20)
        log = w.path("syncs")
        keys = {"maildir": {}, "mda": {"mda": "cat >/dev/null"}, "mbox": {"mbox": w.mbox}}[kind]
        # The preload writes where the sandbox lets nobody write.
        w.run(keep="no", sandbox="off", env={"SHIM_SYNCS": log, "SHIM_FSTYPE": fstype}, **keys)
        with open(log) as f:
            lines = f.read().splitlines()
        files = [x for x in lines if x.startswith("fsync ") and re.search(r"/(tmp|spool)/[^/]+$", x)]
        if each:
            w.need(len(set(files)) >= 20, "each file gets its fsync", len(set(files)), lines[:5])
        else:
            w.need(any(x.startswith("syncfs ") for x in lines) and len(files) < 20,
                   "syncfs is believed", lines[:5])
    return case


# ---- places that are gone -------------------------------------------------------------------------------

def moved_on(kind, how):
    """Killed in mid-delivery, then the place cannot be written any more and another is configured:
    the open ones are fetched again, and that is said."""
    def case(w):
        disk = w.path("disk")
        heal.world.mount(disk, "size=8m,mode=0755")
        place = os.path.join(disk, "place")
        other = w.path("other")
        try:
            w.fill(3)
            points = w.list_points(keep="no", **{kind: place})
            word = "rename" if kind == "maildir" else "pwrite.*" + re.escape(place)
            hits = [i for i, line in enumerate(points, 1) if re.search(word, line)]
            heal.world.shutil.rmtree(w.state)
            heal.world.subprocess.run(["rm", "-rf", place], check=True)
            names = w.fill(3)
            w.killed_at(hits[-2] if kind == "maildir" else hits[0], keep="no", **{kind: place})
            if how == "read-only":
                heal.world.remount(disk, "ro")
            elif how == "moved" and os.path.exists(place):
                os.rename(place, place + ".moved")
            elif how == "split":        # new/ is another file system by now: EXDEV
                heal.world.mount(os.path.join(place, "new"), "size=1m,mode=0755")
            elif how == "unmounted":
                heal.world.unmount(disk)
            run = w.run("--force", keep="no", **{kind: other})
            w.need(not run.sent("RETR") or "fetched again" in run.err, "it is said", run)
            for _ in range(2):
                run = w.run("--force", keep="no", **{kind: other})
            w.need(run.status == 0, "it does not stop the account", run)
            found = w.stored(other)
            moved = w.stored(place) + w.stored(place + ".moved") if how != "unmounted" else {}
            w.need(all(found[n] or (moved and moved[n]) for n in names), "all are there", found, moved)
            w.need(all(found[n] <= 1 for n in names), "none twice in the new place", found)
            w.need(w.left() == [], "deleted on the server", w.left())
        finally:
            for mounted in (os.path.join(place, "new"), disk):
                if os.path.ismount(mounted):
                    heal.world.unmount(mounted)
    return case


def split_from_the_start(w):
    """new/ on another file system, and nothing else configured: kept here, and there once it is mended."""
    names = w.fill(3)
    for sub in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(w.maildir, sub))
    new = os.path.join(w.maildir, "new")
    w.always = "set read-once yes"
    heal.world.mount(new, "size=1m,mode=0755")
    try:
        for _ in range(2):
            run = w.run("--force", keep="no")
            w.need(run.status in (73, 74, 75) and run.err, "it says what is wrong", run)
    finally:
        heal.world.unmount(new)
    w.run("--force", keep="no")
    w.need_each(1, names, when="once it is mended")
    w.need(w.run("--force", keep="no").status == 0, "and all is well")


def first_mbox_killed(w):
    """Killed about the moment when the mbox is made: nobody has removed anything, so nothing is said."""
    keys = {"keep": "no", "mbox": w.mbox}
    w.fill(2)
    points = w.list_points(**keys)
    made = next(i for i, line in enumerate(points, 1) if w.mbox in line)
    for point in range(max(1, made - 12), made + 13):
        heal.world.shutil.rmtree(w.state, True)
        if os.path.exists(w.mbox):
            os.unlink(w.mbox)
        names = w.fill(2)
        w.killed_at(point, **keys)
        run = w.run("--force", **keys)
        w.need(run.status == 0 and run.err == "", "killed at %d (%s)" % (point, points[point - 1]), run)
        w.need_each(1, names, w.mbox)


def not_mounted(kind):
    def case(w):
        disk = w.path("disk")
        heal.world.mount(disk, "size=8m,mode=0755")
        place = os.path.join(disk, "place")
        w.put("m001")
        try:
            w.fine(keep="no", **{kind: place})
            heal.world.unmount(disk)
            w.put("m002")
            for _ in range(2):
                run = w.run("--force", keep="no", **{kind: place})
                w.need(run.status == 73, "73", run)
                w.need(re.search(r"was there on \d{4}-\d\d-\d\d", run.err), "and since when", run)
                w.need(not os.path.exists(place), "it is not made anew")
                w.need(w.left() == ["m002"], "nothing is deleted", w.left())
            if kind == "maildir":
                for sub in ("new", "cur", "tmp"):
                    os.makedirs(os.path.join(place, sub), exist_ok=True)
            else:
                with open(place, "a"):
                    pass
            w.need(w.run("--force", keep="no", **{kind: place}).status == 0, "made by hand: it is taken")
            w.need_each(1, ["m002"], place)
        finally:
            if os.path.ismount(disk):
                heal.world.unmount(disk)
    return case


def never_mounted(w):
    """At a first run fstab(5) alone knows that a disk belongs there."""
    disk, table = w.path("disk"), w.path("fstab")
    with open(table, "w") as f:
        f.write("# <device> <point>\nUUID=0 %s ext4 noauto,nofail 0 2\n" % disk)
    heal.world.mount(disk, "size=8m,mode=0755")
    try:
        if subprocess.run(["mount", "--bind", table, "/etc/fstab"], stderr=subprocess.DEVNULL).returncode:
            raise heal.Skip("no /etc/fstab to mount over")
        for what in ("maildir", "mbox", "state"):
            heal.world.unmount(disk)
            never_mounted_once(w, disk, {what: os.path.join(disk, what)})
    finally:
        heal.world.unmount("/etc/fstab")
        heal.world.unmount(disk)


def never_mounted_once(w, disk, there):
    w.put("new")
    for _ in range(2):
        run = w.run("--force", keep="no", **there)
        w.need(run.status == 73 and "nothing is mounted on " + disk in run.err, "73", there, run)
        w.need(run.connections == 0 and os.listdir(disk) == [], "nothing is made", there, run)
    heal.world.mount(disk, "size=8m,mode=0755")
    run = w.run("--force", keep="no", **there)
    w.need(run.status == 0 and w.left() == [], "once it is there, all is well", there, run)


def first_time(kind):
    """One that never was there is made, and so is another one that the configuration names now."""
    def case(w):
        w.put("m001")
        w.fine(keep="no", **{kind: w.path("one")})
        w.put("m002")
        w.need(w.run(keep="no", **{kind: w.path("two")}).status == 0, "another place is made")
        w.need_each(1, ["m001", "m002"], w.path("one"), w.path("two"))
    return case


# ---- another name for the same mailbox --------------------------------------------------------------

def renamed(change):
    """The account of that title has another server or user now: its journal is found."""
    def case(w):
        names = w.fill(3)
        w.server_options = {"users": {"Alice": ("secret", w.box)}}
        w.fine()
        run = w.run(**change)
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, names, when="nothing is fetched again")
        w.put("m004")
        w.run(**change)
        w.need_each(1, names + ["m004"])
    return case


def renamed_behind_a_link(old):
    """The configuration file is a link whose target is another file after each change."""
    def case(w):
        names = w.fill(3)
        link = w.path("link")

        def run(target, **keys):
            rc = w.write_rc(w.server.port, **keys)
            os.rename(rc, w.path(target))
            if os.path.islink(link):
                os.unlink(link)
            os.symlink(w.path(target), link)
            w.server.play([w.always])
            done = subprocess.run([heal.world.FETCHPOP, "-f", link, "--state-dir", w.state],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=w.environment(), timeout=60)
            w.server.settle(5)
            return done

        w.need(run("rc-1").returncode == 0, "the first run")
        if old:                         # an earlier version's head names the target
            head_names(w, w.path("rc-1"))
        done = run("rc-1" if old else "rc-2", server="localhost")
        w.need(b"its journal goes on" in done.stderr, "the journal is found", done.stderr)
        w.need_each(1, names, when="by the other name")
    return case


def head_names(w, path):
    """What the first line of the journal says of the configuration file."""
    with open(w.journal_path(), "rb") as f:
        head, rest = f.read().split(b"\n", 1)
    text = head.split(b" ", 1)[1].rsplit(b":", 1)[0] + b":" + path.encode()
    with open(w.journal_path(), "wb") as f:
        f.write(b"%08x %s\n%s" % (zlib.crc32(text), text, rest))


def renamed_and_asked(w):
    """On a terminal the answer decides, and it is asked for once."""
    for answer, times in (("y\n", 1), ("n\n", 2)):
        heal.world.shutil.rmtree(w.state, True)
        heal.world.shutil.rmtree(w.maildir, True)
        names = w.fill(3)
        w.fine()
        run = w.run(tty=True, typed=answer, server="localhost")
        w.need(run.status == 0 and "same mailbox? [y/n]" in run.err, "it is asked", run)
        run = w.run(tty=True, server="localhost")
        w.need(run.status == 0 and "[y/n]" not in run.err, "once", run)
        w.need_each(times, names, when="answered with %s" % answer.strip())


def renamed_by_hand(w):
    names = w.fill(3)
    w.fine()
    old, new = "alice@127.0.0.1", "alice@localhost"
    run = w.run("--rename", old, new, server="localhost")
    w.need(run.status == 0 and run.connections == 0, "--rename OLD NEW", run)
    w.need(w.run(server="localhost").status == 0, "exit status")
    w.need_each(1, names, when="nothing is fetched again")
    w.need(w.run("--rename", old, new, server="localhost").status not in (0, 64, 70),
           "there is nothing to rename any more")


def kept_renamed_killed(kind):
    """Kept here, renamed, and killed in its delivery before the server has confirmed that it is the
    same mailbox: each once, nothing left behind."""
    def case(w):
        agent = heal.Agent(w)
        agent.does("exit 75")
        names = w.fill(3)
        w.run(keep="no", mda=agent)
        w.need(len(os.listdir(os.path.join(w.state, "spool"))) == 3, "kept here")
        keys = {"keep": "no", "server": "localhost"}
        if kind == "mbox":
            keys["mbox"] = w.mbox
        copy = heal.world.shutil.copytree(w.state, w.path("copy"))
        boxes = heal.world.shutil.copytree(w.box, w.path("boxes"))
        count = len(w.list_points(**keys))
        for point in range(1, count + 1, max(1, count // 60)):
            for name in (w.state, w.maildir, w.box):
                heal.world.shutil.rmtree(name, True)
            if os.path.exists(w.mbox):
                os.unlink(w.mbox)
            heal.world.shutil.copytree(copy, w.state)
            heal.world.shutil.copytree(boxes, w.box)
            w.killed_at(point, **keys)
            for _ in range(2):
                run = w.run("--force", **keys)
            w.need(run.status == 0, "exit status", run)
            if not w.need_each(1, names, w.mbox if kind == "mbox" else w.maildir,
                               when="killed at %d of %d" % (point, count)):
                return
            spool = os.listdir(os.path.join(w.state, "spool"))
            w.need(spool == [] and tmp_of(w) == [], "nothing is left behind", point, spool, tmp_of(w))
    return case


def renamed_killed(kind):
    """Killed in mid-delivery, then renamed: each once, nothing left behind."""
    def case(w):
        keys = {"keep": "no", **({"mbox": w.mbox} if kind == "mbox" else {})}
        w.fill(3)
        count = len(w.list_points(**keys))
        for point in range(count // 3, count, max(1, count // 12)):
            for name in (w.state, w.maildir):
                heal.world.shutil.rmtree(name, True)
            if os.path.exists(w.mbox):
                os.unlink(w.mbox)
            names = w.fill(3)
            w.killed_at(point, **keys)
            for _ in range(2):
                run = w.run("--force", **{**keys, "server": "localhost"})
            w.need(run.status == 0, "exit status", run)
            if not w.need_each(1, names, w.mbox if kind == "mbox" else w.maildir,
                               when="killed at %d" % point):
                return
            w.need(tmp_of(w) == [], "tmp/ is empty", tmp_of(w))
            spool = os.path.join(w.state, "spool")
            w.need(not os.path.isdir(spool) or os.listdir(spool) == [], "spool/ is empty")
    return case


OLD = """account "old" {
    server = 127.0.0.1
    port = %d
    tls = none
    auth = user
    user = alice
    password = secret
    mda = "%s"
}
"""


def former_owner(w):
    """An account has moved to a server that does not answer yet, and another one has its old mailbox:
    what that one has kept is not swept."""
    agent = heal.Agent(w)
    w.put("m001")
    w.fine()
    moved = {"server": "localhost", "port": 1, "timeout": "1s"}
    both = {**moved, "top": OLD % (w.server.port, agent)}
    w.run("--force", **moved)
    w.always = "set read-once yes"
    w.put("m002")
    agent.does("exit 75")
    w.run("--force", **both)
    w.need("m002" in w.hidden(), "the server does not show it again", w.hidden())
    w.run("--force", **both)
    agent.does("")
    w.run("--force", **both)
    w.need(agent.stored()["m002"] == 1, "it is delivered all the same", dict(agent.stored()))


def new_owner(how):
    """An account has moved to a server that does not answer yet; what it has kept stays its own, also
    from an account that gets the mailbox it had."""
    def case(w):
        agent, other = heal.Agent(w), heal.Agent(w, "other")
        w.always = "set read-once yes"
        names = w.fill(2)
        agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 1; exit 75')
        w.run("--force", mda=agent, max_tries=1)
        w.need(w.hidden() == names and agent.stored() == {}, "both are kept here", w.hidden())
        moved = {"server": "localhost", "port": 1, "timeout": "1s", "mda": agent, "max_tries": 1}
        how(w, moved)
        both = {**moved, "top": OLD % (w.server.port, other)}
        w.put("m003")
        for _ in range(2):
            w.run("--force", **both)
        other.need_each(1, ["m003"], when="to who has the mailbox now")
        w.need(agent.stored() == {}, "the others wait", agent.stored())
        agent.does("")
        w.run("--retry", "all", "w", **both)
        w.run("--force", **both)
        agent.need_each(1, names, when="to who had it")
        other.need_each(1, ["m003"], when="and no more to the other")
    return case


def found_by_itself(w, moved):
    w.run("--force", **moved)


def by_hand(w, moved):
    w.run("--rename", "alice@127.0.0.1", "w", **moved)


def another_title(w):
    """An account has another title and another server: nobody finds what was kept for it, but it is
    told, and there is a way to get it."""
    agent, write_rc = heal.Agent(w), w.write_rc
    names = w.fill(2)
    w.always = "set read-once yes"
    agent.does("exit 75")
    w.run("--force", mda=agent)

    def write_new(*args, **more):
        path = write_rc(*args, **more)
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace('account "w"', 'account "new"'))
        return path

    w.write_rc = write_new
    moved, told = {"server": "localhost", "mda": agent}, "2 message(s) of alice@127.0.0.1 wait in"
    run = w.run("--force", **moved)
    w.need(told in run.err, "the first poll tells", run)
    run = w.fine("--force", **moved)
    w.need(told in w.run("--status", **moved).err, "and --status", run)
    w.need(told in w.run("--force", "-v", **moved).err, "and -v")
    agent.does("")
    back = {**moved, "top": OLD % (w.server.port, agent)}
    run = w.run("--retry", "all", "old", **back)
    w.need("wait in" not in run.err, "an account has it again", run)
    agent.need_each(1, names, when="with its account back in the file")
    w.need(w.run("--status", **moved).err == "", "then nothing waits")


def second_account(w):
    """A second account with the same title in another file and another mailbox is not a renamed one:
    its mail is fetched."""
    w.fill(3)
    w.fine()
    other = w.path("box2")
    os.mkdir(other)
    box, w.box = w.box, other
    w.put("other1")
    with heal.popd.Server(other, user="bob") as server:
        w.run(server="localhost", user="bob", port=server.port)
    w.box = box
    w.need(w.stored()["other1"] == 1, "its mail is there", w.stored())


# ---- two state folders by mistake ----------------------------------------------------------------------

def second_state_is_said(w):
    """A new journal for a Maildir that has mail of this very mailbox: said, in cron's mail, too."""
    w.fill(3)
    w.fine()
    run = w.run(state=w.path("state2"))
    w.need(run.err != "" or sum(w.stored().values()) == 3, "not all again without a word", run)


def modes(w):
    """What is ours alone stays so."""
    w.fill(1)
    w.fine()
    for top, folders, files in os.walk(w.state):
        for name in files:
            mode = stat.S_IMODE(os.stat(os.path.join(top, name)).st_mode)
            w.need(mode & 0o077 == 0, "private: %s" % name, oct(mode))


CASES = [
    ("no marker: tmp/ holds the messages and nothing else", no_marker),
    ("killed before the renames: what recovery publishes is told as any other", recovered_is_told),
    ("gone from tmp/ after a crash: fetched again, and said", vanished),
    ("gone from new/ after a crash: fetched again, and said", one_vanished),
    ("a rename whose answer was lost is a success", rename_answer_lost),
    ("others' files in tmp/ go when older than 36 hours, not before", foreign_files),
    ("what another state folder's killed run left is not swept", other_state_folder),
    ("our own leftovers are cleared at once", own_leftovers),
    ("another state folder's run leaves tmp/ alone in mid-batch", during),
    ("two state folders on one Maildir, killed in turn: each once", two_on_one(12)),
    ("on FUSE each file of a Maildir gets its fsync", synced("maildir", FUSE, True)),
    ("on FUSE each file for a command gets its fsync", synced("mda", FUSE, True)),
    ("on FUSE each file for an mbox gets its fsync", synced("mbox", FUSE, True)),
    *[("on %s syncfs is believed" % name, synced("maildir", magic, False))
      for name, magic in KNOWN.items()],
    *[("on %s each file gets its fsync" % name, synced("maildir", magic, True))
      for name, magic in (("ecryptfs", "f15f"), ("cifs", "ff534d42"), ("nfs", "6969"),
                          ("overlayfs", "794c7630"))],
    *[("killed, and the %s is %s: another place gets all" % (kind, how), moved_on(kind, how))
      for kind in ("maildir", "mbox") for how in ("read-only", "moved", "unmounted")],
    ("killed, and new/ is on another file system: another place gets all", moved_on("maildir", "split")),
    ("new/ is on another file system: kept, and delivered once it is mended", split_from_the_start),
    ("killed when the first mbox is made: nothing is said of it", first_mbox_killed),
    ("a Maildir that is gone: 73, not made anew", not_mounted("maildir")),
    ("an mbox that is gone: 73, not made anew", not_mounted("mbox")),
    ("a first run while the disk of fstab(5) is not mounted: 73, nothing is made", never_mounted),
    ("a Maildir that never was is made", first_time("maildir")),
    ("an mbox that never was is made", first_time("mbox")),
    ("the server has another name now: nothing again", renamed({"server": "localhost"})),
    ("the user's case changes: nothing again", renamed({"user": "Alice"})),
    ("the same, the configuration file is a link to another file now", renamed_behind_a_link(False)),
    ("the same, and an earlier version noted where the link led", renamed_behind_a_link(True)),
    ("on a terminal it is asked whether it is the same mailbox, once", renamed_and_asked),
    ("--rename OLD NEW", renamed_by_hand),
    ("kept, renamed, and killed in its delivery, Maildir: each once", kept_renamed_killed("maildir")),
    ("kept, renamed, and killed in its delivery, mbox: each once", kept_renamed_killed("mbox")),
    ("another account has the mailbox that one has left: its kept mail stays", former_owner),
    ("the same, and the one that has left has kept mail, too: to each its own", new_owner(found_by_itself)),
    ("another title and another server: what was kept is told, and can be had", another_title),
    ("the same after --rename, without a poll in between", new_owner(by_hand)),
    ("killed, then renamed, Maildir: each once, tmp/ empty", renamed_killed("maildir")),
    ("killed, then renamed, mbox: each once, spool/ empty", renamed_killed("mbox")),
    ("another mailbox under the same title is another mailbox", second_account),
    ("a second state folder does not bring all again without a word", second_state_is_said),
    ("everything in the state folder is private", modes),
]

if __name__ == "__main__":
    heal.world.begin_mounts()
    heal.main(CASES)
