#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Reads, for each message by itself, in which order its file, its folder, its journal records and
its own DELE reach the disk and the server.

The promise: before DELE of a message its data, its directory entry and its journal records are
durable. So behind each step the flush that belongs to it must have come back with success before
the next step begins. The same reading with fsync = none must find faults: that is the control.
"""

import argparse
import json
import os
import re
import sys
import urllib.parse

sys.dont_write_bytecode = True
from sandbox import Sandbox, Scenario, Tap, require_tools

SYNCS = ("fsync", "fdatasync")
PUTS = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg")
CHECK = ["dest=maildir,keep=no,n=3", "dest=maildir,keep=no,n=8", "dest=maildir,keep=no,n=9",
         "dest=maildir,keep=no,n=40", "dest=maildir,keep=no,n=12,fork=no",
         "dest=maildir,keep=no,files=few,n=6", "dest=mbox,keep=no,n=3", "dest=mbox,keep=no,n=40",
         "dest=mda,keep=no,n=3"]
LONG = ["dest=maildir,keep=no,n=1500", "dest=mbox,keep=no,n=1500"]


class Call:
    """One line of the trace."""

    def __init__(self, fields):
        self.start, self.end, self.pid = fields["start"], fields["end"], fields["pid"]
        self.call, self.path = fields["call"], fields["path"].replace(" (deleted)", "")
        self.to, self.ret = fields.get("to", ""), fields["ret"]
        self.data = fields.get("data", "")

    def puts(self):
        return self.call in PUTS and self.ret > 0


class Story:
    """A traced run of one scenario, and what it says about each message."""

    def __init__(self, box, calls):
        self.box = box
        self.calls = sorted(calls, key=lambda c: c.start)
        self.syncs = [c for c in calls if c.ret == 0 and c.call in SYNCS]
        self.syncfs = [c for c in calls if c.ret == 0 and c.call == "syncfs"]
        self.problems = []
        self.read_journal()
        self.read_deletes()

    # --- finding things

    def read_journal(self):
        """When the `take` and the `done` of each UIDL were written, and into which file."""
        self.records = {}
        for c in self.calls:
            if not (c.puts() and c.path.startswith(self.box.state + "/")):
                continue
            for line in c.data.split("\n"):
                words = urllib.parse.unquote(line, "latin-1").split(" ")
                for verb in {"take", "done"} & set(words[:3]):
                    for uidl in set(words) & set(self.box.by_content.values()):
                        self.records.setdefault((verb, uidl), c)

    def read_deletes(self):
        """The call in which the first octet of each message's own DELE was sent."""
        numbers = [m.uidl for m in self.box.messages]
        self.deletes, streams = {}, {}
        for c in self.calls:
            if not (c.puts() and c.path.startswith("socket:")):
                continue
            text, places = streams.setdefault((c.pid, c.path), ([], []))
            places.append((sum(map(len, text)), c))
            text.append(c.data)
        for text, places in streams.values():
            for m in re.finditer(r"(?:\A|(?<=\n))DELE (\d+)\r?\n", "".join(text)):
                call = [c for at, c in places if at <= m.start()][-1]
                self.deletes.setdefault(numbers[int(m.group(1)) - 1], call)

    def synced(self, paths, after, before):
        """Was one of these files or folders flushed wholly between two points of time?"""
        return any(after < c.start and c.end < before for c in self.syncs if c.path in paths) or \
            any(after < c.start and c.end < before for c in self.syncfs
                if same_file_system(c.path, paths))

    def last_put(self, paths):
        return max((c.end for c in self.calls if c.puts() and c.path in paths), default=None)

    # --- judging

    def need(self, good, uidl, text):
        if not good:
            self.problems.append("%s: %s" % (uidl, text))
        return good

    def judge(self):
        judge = {"maildir": self.judge_maildir, "mbox": self.judge_mbox, "mda": self.judge_mda}
        for message in self.box.messages:
            uidl = message.uidl
            take, done = self.records.get(("take", uidl)), self.records.get(("done", uidl))
            dele = self.deletes.get(uidl)
            if self.need(take, uidl, "no take was written") \
                    and self.need(done, uidl, "no done was written") \
                    and self.need(dele, uidl, "no DELE was sent"):
                self.need(self.synced({done.path}, done.end, dele.start), uidl,
                          "done was not flushed before its DELE")
                judge[self.box.scenario.dest](message, take, done)
        self.judge_made()
        return self.problems

    def judge_maildir(self, message, take, done):
        uidl = message.uidl
        for where, content in self.box.contents():
            if content == message.stored():
                break
        else:
            return self.need(False, uidl, "was not delivered")
        moves = [c for c in self.calls if c.to == where and c.ret == 0]
        if not self.need(len(moves) == 1, uidl, "was not published by one rename"):
            return None
        move, spool = moves[0], moves[0].path
        written = self.last_put({spool}) or self.made(spool)
        self.need(self.synced({spool}, written, take.start), uidl,
                  "its data was not flushed before take")
        self.need(self.synced({os.path.dirname(spool)}, self.made(spool), take.start), uidl,
                  "tmp/ was not flushed before take")
        self.need(self.synced({take.path}, take.end, move.start), uidl,
                  "take was not flushed before the rename")
        self.need(self.synced({os.path.dirname(where)}, move.end, done.start), uidl,
                  "new/ was not flushed between rename and done")
        return None

    def made(self, path):
        return max((c.end for c in self.calls if c.call in ("openat", "open", "creat", "linkat")
                    and path in (c.path, c.to) and c.ret >= 0), default=0)

    def judge_mbox(self, message, take, done):
        uidl = message.uidl
        puts = [c for c in self.calls if c.puts() and c.path == self.box.mbox]
        text = "".join(c.data for c in puts).encode("latin-1")
        mark = b"Message-ID: <%s@" % uidl.encode()
        if mark not in message.octets:  # the empty one has nothing to be known by
            first, last = puts[0], puts[-1]
        elif self.need(mark in text, uidl, "was not appended"):
            first, last = self.around(puts, text, text.index(mark))
        else:
            return
        self.need(self.synced({take.path}, take.end, first.start), uidl,
                  "take was not flushed before the append")
        self.need(self.synced({self.box.mbox}, last.end, done.start), uidl,
                  "the mbox was not flushed between append and done")

    def around(self, puts, text, at):
        """The calls that wrote the first and the last octet of the message which holds `at`."""
        begin = text.rfind(b"\n\nFrom ", 0, at) + 2 if b"\n\nFrom " in text[:at] else 0
        end = text.find(b"\n\nFrom ", at) + 2
        place, hits = 0, []
        for c in puts:
            if place < (end if end > 1 else len(text)) and place + c.ret > begin:
                hits.append(c)
            place += c.ret
        return hits[0], hits[-1]

    def judge_mda(self, message, take, done):
        uidl = message.uidl
        where = next((w for w, content in self.box.contents() if content == message.stored()), None)
        moves = [c for c in self.calls if where and c.to == where and c.ret == 0]
        if self.need(moves, uidl, "the command did not deliver it"):
            self.need(self.synced({take.path}, take.end, moves[0].start), uidl,
                      "take was not flushed before the command")
            self.need(moves[-1].end < done.start, uidl, "done was written before the command ended")

    def judge_made(self):
        """Each new folder's parent, and that of a new journal and mbox, before the first DELE; of a
        journal that is written anew when all is done, before the end."""
        first = min((c.start for c in self.deletes.values()), default=0)
        last = max(c.end for c in self.calls)
        kept = {c.path for c in self.records.values()} | {self.box.mbox}
        for c in self.calls:
            path = c.to or c.path
            if c.ret < 0 or not path.startswith(self.box.w + "/"):
                continue
            if c.call in ("mkdir", "mkdirat") or path in kept and (
                    c.to or path not in self.box.before and c.call in ("openat", "open")):
                until = last if c.to and c.start > first else first
                self.need(self.synced({os.path.dirname(path)}, c.end, until),
                          os.path.basename(path), "is new, and its folder was not flushed before "
                          "the %s" % ("end" if until == last else "first DELE"))
                self.box.before.add(path)
        self.problems = list(dict.fromkeys(self.problems))


def same_file_system(one, others):
    devices = []
    for path in [one, *others]:
        while not os.path.exists(path) and path not in ("", "/"):
            path = os.path.dirname(path)
        devices.append(os.stat(path or "/").st_dev)
    return devices[0] in devices[1:]


def tell(scenario, fresh_mbox=False):
    """Problems of one traced run."""
    box = Sandbox(scenario)
    try:
        box.fresh()
        if fresh_mbox:
            os.unlink(box.mbox)
            box.foreign = []
        box.before = {os.path.join(box.w, f) for f in box.files()}
        trace = os.path.join(box.root, "trace")
        result = box.cut("--trace", trace, "--octets", "100000000")
        with open(trace) as f:
            story = Story(box, [Call(json.loads(line)) for line in f])
        problems = story.judge() + box.problems()
        if result.status != 0:
            problems.append("exit %d: %s" % (result.status, result.stderr.strip()))
        return problems
    finally:
        box.close()


def row(tap, scenario, **how):
    try:
        problems = tell(scenario, **how)
    except (OSError, RuntimeError, ValueError) as e:
        problems = [repr(e)]
    name = "%s%s" % (scenario, ", no mbox yet" if how else "")
    if scenario.fsync == "none":
        faults = [p for p in problems if "flushed" in p]
        tap.ok(faults, "%s: the control finds %d faults" % (name, len(faults)), problems)
    else:
        tap.ok(not problems, name + ": file, folder, journal, then its own DELE", problems)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--long", action="store_true", default=bool(os.environ.get("FP_LONG")))
    p.add_argument("--scenario", action="append")
    a = p.parse_args()
    tap = Tap()
    if not require_tools(tap, looks=True):
        return 0
    for text in a.scenario or CHECK + (LONG if a.long else []):
        row(tap, Scenario.parse(text))
    if not a.scenario:
        row(tap, Scenario.parse("dest=mbox,keep=no,n=3"), fresh_mbox=True)
        for dest in ("maildir", "mbox"):
            for n in (3, 40):
                row(tap, Scenario.parse("dest=%s,keep=no,n=%d,fsync=none" % (dest, n)))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
