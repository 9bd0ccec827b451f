#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The other side: mail readers that meddle, file systems, clocks, two runs at once, a state folder
that is newer, torn, junk or somebody else's."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib

from hostile import LONG, Case, Skip, box_of, mail, main, popd

BROKEN = "0 65 73 74 75 76"


def during(event, act):
    """A rule: before the answer to that command, act on the world."""
    def make(world):
        world.case.script = [(event, lambda conn, e, a: act(world))]
    return make


def each(folder, world, act):
    for path in world.files(folder):
        act(path)


# ---- readers -------------------------------------------------------------------------------------

def empty_tmp(world):
    each("tmp", world, os.unlink)


def read_all(world):
    for path in world.files("new"):
        os.rename(path, os.path.join(world.maildir, "cur", os.path.basename(path) + ":2,S"))


def flag_all(world):
    read_all(world)
    for path in world.files("cur"):
        os.rename(path, path.partition(":")[0] + ":2,FRS")


def delete_all(world):
    """A person deletes what was delivered: it must not come back."""
    for sub in ("new", "cur"):
        each(sub, world, os.unlink)
    world.case.lost = tuple(world.wanted)


def file_away(world):
    folder = os.path.join(world.maildir, ".Archive", "cur")
    os.makedirs(folder, exist_ok=True)
    for sub in ("new", "cur"):
        for path in world.files(sub):
            os.rename(path, os.path.join(folder, os.path.basename(path)))
    world.case.lost = tuple(world.wanted)


def take_away(sub):
    def act(world):
        shutil.rmtree(os.path.join(world.maildir, sub), ignore_errors=True)
        if sub in ("", "new", "cur"):
            world.case.lost = tuple(world.wanted)
    return act


def readers():
    acts = {"marks all as read": read_all, "flags all": flag_all, "empties tmp/": empty_tmp}
    cases = []
    for name, act in acts.items():
        for event in ("RETR 2", "RETR 3", "DELE 1", "QUIT"):
            for keep in ("no", "yes"):
                if keep == "no" or not event.startswith("DELE"):
                    cases.append(Case("a reader %s at %s, keep = %s" % (name, event, keep), None,
                                      BROKEN, keep=keep, before=during(event, act)))
        cases.append(Case("a reader %s between runs" % name, keep="yes", between=act))
        cases.append(Case("a reader %s between runs, QUIT refused" % name, "on QUIT: err no", "75",
                          between=act))
    for name, act in {"deletes all": delete_all, "files all away": file_away}.items():
        cases.append(Case("a reader %s between runs" % name, keep="yes", between=act))
        cases.append(Case("a reader %s between runs, QUIT refused" % name, "on QUIT: err no", "75",
                          between=act))
    for sub in ("tmp", "new", "cur", ""):
        name = "Maildir/" + sub if sub else "the whole Maildir"
        cases.append(Case("%s is removed between runs" % name, keep="yes", between=take_away(sub),
                          honest_want="0" if sub else "73"))
    for sub in ("tmp", "new"):
        for event in ("RETR 1", "RETR 3"):
            cases.append(Case("Maildir/%s is removed at %s" % (sub, event), None, "73 74 75 65 0",
                              tmp_left=True, before=during(event, lambda w, sub=sub: shutil.rmtree(
                                  os.path.join(w.maildir, sub), ignore_errors=True))))
    cases += [
        Case("a copy of a message under a name like ours", keep="yes", between=copy_one),
        Case("somebody else's file in tmp/ stays", before=somebody_spools,
             check=tmp_stays, finally_=tmp_stays),
    ]
    return cases


def copy_one(world):
    path = world.files("new")[0]
    with open(path, "rb") as f:
        world.case.also += (f.read(),)
    shutil.copy(path, os.path.join(world.maildir, "cur", "1.M1P1Q1F%s.x:2," % ("0" * 16)))


def somebody_spools(world):
    os.makedirs(os.path.join(world.maildir, "tmp"))
    name = os.path.join(world.maildir, "tmp", "1.procmail.host")
    open(name, "w").close()
    world.foreign = {name}


def tmp_stays(world):
    gone = world.foreign - set(world.files("tmp"))
    return ["somebody else's file in tmp/ is gone"] if gone else []


# ---- places --------------------------------------------------------------------------------------

def other_disk(world):
    """The Maildir on another file system than the state."""
    places = [os.environ.get("TMPDIR", "/tmp"), "/var/tmp", "/dev/shm", os.getcwd()]
    here = os.stat(world.top).st_dev
    places = [p for p in places if os.access(p, os.W_OK) and os.stat(p).st_dev != here]
    if not places:
        raise Skip("there is one file system only")
    folder = tempfile.mkdtemp(prefix="fphostile.", dir=places[0])
    world.maildir = os.path.join(folder, "mail")
    world.elsewhere = folder


def links(world):
    os.mkdir(os.path.join(world.top, "real"))
    os.symlink(os.path.join(world.top, "real"), world.maildir)


def a_file(path):
    def act(world):
        with open(os.path.join(world.top, path), "w") as f:
            f.write("in the way")
    return act


def places():
    def undo(path):
        return lambda w: os.unlink(os.path.join(w.top, path))
    return [
        Case("Maildir on another file system, keep = no", before=other_disk,
             finally_=lambda w: shutil.rmtree(w.elsewhere)),
        Case("Maildir on another file system, QUIT refused", "on QUIT: err no", "75",
             before=other_disk, finally_=lambda w: shutil.rmtree(w.elsewhere)),
        Case("Maildir behind a link", before=links),
        Case("Maildir is a file", want="73", before=a_file("mail"), between=undo("mail")),
        Case("state folder is a file", want="73", before=a_file("state"), between=undo("state")),
        Case("new/ is a file", want="73 74", before=lambda w: (os.mkdir(w.maildir),
                                                               a_file("mail/new")(w)),
             between=undo("mail/new")),
        Case("tmp/ is a dangling link", want="73 74", before=lambda w: (
            os.mkdir(w.maildir), os.symlink("/nonexistent/x", os.path.join(w.maildir, "tmp"))),
            between=undo("mail/tmp")),
    ]


# ---- the journal ---------------------------------------------------------------------------------

def journal_of(world):
    names = [n for n in os.listdir(world.state) if n.endswith(".journal")]
    return os.path.join(world.state, names[0])


def edit(change):
    def act(world):
        path = journal_of(world)
        with open(path, "rb") as f:
            data = f.read()
        with open(path, "wb") as f:
            f.write(change(data))
    return act


def line(text):
    return b"%08x %s\n" % (zlib.crc32(text), text)


def newer(data):
    return line(b"fetchpop-journal 99 127.0.0.1 alice") + data


def unchanged(world):
    """Refused, and left alone."""
    with open(journal_of(world), "rb") as f:
        return [] if b"fetchpop-journal 99" in f.read() else ["the newer journal was changed"]


def start_over(world):
    """What a person would do after a refusal."""
    bad = unchanged(world)
    os.unlink(journal_of(world))
    world.case.twice = True
    return bad


def first_run(world):
    world.session("")


def chowned(world):
    first_run(world)
    os.chown(journal_of(world), 65534, 65534)


def replaced(kind):
    def act(world):
        first_run(world)
        path = journal_of(world)
        os.unlink(path)
        {"a folder": os.mkdir, "a FIFO": os.mkfifo,
         "a link to nowhere": lambda p: os.symlink("/nonexistent/x", p),
         "a link to /dev/zero": lambda p: os.symlink("/dev/zero", p)}[kind](path)
        world.case.twice = True
    return act


def remove_journal(world):
    path = journal_of(world)
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    else:
        os.unlink(path)


def journals():
    yes = {"keep": "yes"}
    whole = {"nothing": b"", "junk": b"\0\xff junk \n" * 500, "NULs": b"\0" * 5000,
             "one line of 1 MB": b"x" * 1000000, "a line of junk": b"what\n", "LFs": b"\n" * 999}
    cases = [
        Case("a journal of a newer version", want="74",
             before=lambda w: (first_run(w), edit(newer)(w)),
             said="newer", between=start_over, **yes),
        Case("a journal of somebody else", want="73", before=chowned, said="another user",
             between=lambda w: os.chown(journal_of(w), os.geteuid(), os.getegid()), **yes),
    ]
    for name, data in whole.items():
        cases.append(Case("a journal of %s" % name, want="0", twice=True, before=lambda w, d=data: (
            first_run(w), edit(lambda old: d)(w)),
                          said="" if name == "nothing" else "journal|damaged",
            **yes))
    for kind in ("a folder", "a FIFO", "a link to nowhere", "a link to /dev/zero"):
        cases.append(Case("the journal is %s" % kind, want="73 74", before=replaced(kind),
                          between=remove_journal, **yes))
    changes = {
        "its last byte cut": lambda d: d[:-1], "half of it": lambda d: d[:len(d) // 2],
        "its first byte": lambda d: d[:1],
               "a byte changed in each line": lambda d: d.replace(b"done", b"dome"),
        "a NUL in its middle": lambda d: d[:len(d) // 2] + b"\0" + d[len(d) // 2 + 1:],
        "lines in reverse": lambda d: b"".join(d.splitlines(True)[::-1]),
        "every line twice": lambda d: b"".join(x + x for x in d.splitlines(True)),
        "CRLF line ends": lambda d: d.replace(b"\n", b"\r\n"),
        "junk at its end": lambda d: d + b"\xff\0 torn",
        "huge numbers": lambda d: d + line(b"done 4294967295 1 n- 5 x keep")
        + line(b"done 99999999999999999999 1 n- 5 x keep") + line(b"day 4294967295 4294967295"),
    }
    for name, change in changes.items():
        cases.append(Case("a journal with %s" % name, want="0", twice=True,
                          before=lambda w, c=change: (first_run(w), edit(c)(w)), **yes))
    cases.append(Case("a journal cut at every %s" % ("byte" if LONG else "eleventh byte"), want="0", twice=True,
                      **yes,
                      before=cut_everywhere, check=lambda w: w.said))
    cases += [
        Case("a lock file of somebody else", want="73", before=lambda w: (first_run(w), [
            os.chown(os.path.join(w.state, n), 65534, 65534) for n in os.listdir(w.state)
            if n.endswith(".lock")]),
             between=lambda w: [os.chown(os.path.join(w.state, n), os.geteuid(), os.getegid())
                                for n in os.listdir(w.state)], **yes),
        Case("the state folder is removed", "", twice=True,
             between=lambda w: shutil.rmtree(w.state), **yes),
        Case("the state folder is removed, QUIT refused", "on QUIT: err no", "75", twice=True,
             between=lambda w: shutil.rmtree(w.state)),
    ]
    if os.geteuid() != 0:
        cases = [c for c in cases if "somebody else" not in c.name]
    return cases


def cut_everywhere(world):
    """Whatever is lost of the journal, no mail is, and it mends."""
    first_run(world)
    with open(journal_of(world), "rb") as f:
        whole = f.read()
    world.said = []
    for at in range(0, len(whole), 1 if LONG else 11):
        with open(journal_of(world), "wb") as f:
            f.write(whole[:at])
        run = world.session("")
        missing = [n for n, d in world.wanted.items() if d not in world.delivered()]
        if run.status != 0 or missing:
            world.said.append("cut at %d: status %s, missing %s" % (at, run.status, missing))


# ---- clocks and company --------------------------------------------------------------------------

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) { const char *t = getenv("CLOCK_AHEAD"); return t ? atol(t) : 0; }
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, ts);
    if (id == CLOCK_REALTIME && rc == 0)
        ts->tv_sec += ahead();
    return rc;
}
time_t time(time_t *t)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (t)
        *t = ts.tv_sec;
    return ts.tv_sec;
}
int gettimeofday(struct timeval *tv, void *tz)
{
    struct timespec ts;
    (void)tz;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
"""


def clock(first, then):
    """The wall clock is off by so many seconds in the first run, and by others later."""
    def before(world):
        source = os.path.join(world.top, "clock.c")
        with open(source, "w") as f:
            f.write(CLOCK)
        library = os.path.join(world.top, "clock.so")
        subprocess.run((os.environ.get("CC") or "cc").split() + ["-shared", "-fPIC", "-o", library,
                                                                source, "-ldl"], check=True)
        world.case.env = {"LD_PRELOAD": library, "CLOCK_AHEAD": str(first)}

    def between(world):
        if world.case.env:
            world.case.env = dict(world.case.env, CLOCK_AHEAD=str(then))
    def check(world):
        """The names of what was stored tell the time that the program saw."""
        off = [int(os.path.basename(f).split(".")[0]) - time.time() - first
               for f in world.files("new")]
        return [] if off and all(abs(s) < 1000 for s in off) else ["no jump: %s" % off]
    return {"before": before, "between": between, "check": check}


def two_runs(same):
    """Two at once: each message once, and one of them gives way if it is the same account."""
    def act(world):
        server = popd.Server(world.box, script="on ANY: sleep 10", **world.settings())
        with server:
            world.port = server.port
            world.write_rc(timeout="10s")
            runs = [world.start() for _ in range(4)]
            ends = [(r.communicate(timeout=40), r.returncode) for r in runs]
        codes = sorted(code for _, code in ends)
        world.said = []
        if same and (codes[0] != 0 or any(c not in (0, 75) for c in codes)):
            world.said.append("statuses %s" % codes)
    return Case("four runs at once", before=act, check=lambda w: w.said, account={"timeout": "10s"})


def killed(world):
    """KILL at some moment, ten times over."""
    for delay in (5, 10, 15, 20, 30, 40, 60, 80, 100, 150):
        server = popd.Server(world.box, script="on ANY: sleep 5", **world.settings())
        with server:
            world.port = server.port
            world.write_rc()
            child = world.start()
            time.sleep(delay / 1000)
            pids = []
            try:
                with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as f:
                    pids = [int(p) for p in f.read().split()]
            except OSError:
                pass
            for pid in pids + [child.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            child.communicate()


def company():
    year = 365 * 86400
    cases = []
    for first, then in ((0, 20 * year), (0, -20 * year), (20 * year, 0), (-20 * year, 0),
                        (60 * year, -15 * year), (0, 100 * year)):
        for keep in ("yes", "30d", "no"):
            cases.append(Case("clock %+d years, then %+d, keep = %s"
                              % (first // year, then // year, keep), keep=keep,
                              **clock(first, then)))
    cases += [
        two_runs(True),
        Case("killed ten times", before=killed, box=box_of(12)),
        Case("killed ten times, keep = yes", before=killed, box=box_of(12), keep="yes"),
        Case("mail that comes in while the run is on", None, want="0", hides=True,
             before=lambda w: (
            w.case.__setattr__("script", [("RETR 2", lambda c, e, a: w.add("zz", mail("zz"))
                                           or None)]))),
        Case("mail that goes while the run is on", [
            ("RETR =m002", ("err", "[SYS/PERM] message was expunged"))], "65"),
    ]
    return cases


if __name__ == "__main__":
    sys.exit(main(readers() + places() + journals() + company()))
