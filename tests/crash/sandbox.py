# SPDX-License-Identifier: ISC
"""One account (or two), its server, its state and its mail in a folder that can be put back.

A Scenario says what is tried; a Sandbox holds one instance of it and knows how to run fetchpop in
it, how to play the reader or procmail between two runs, and how to say what is wrong at the end.
Everything fetchpop may touch is below Sandbox.w; its own messages and reports are beside that.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter

import minipop

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bats", "lib"))

import lmtpd  # noqa: E402

RUN_TIMEOUT = 90  # more than fetchpop itself waits for anything


def fetchpop():
    return os.path.abspath(os.environ.get("FETCHPOP", "./fetchpop"))


def syscut():
    return os.path.abspath(os.environ.get("SYSCUT", "./syscut"))


def base_folder():
    """Where sandboxes live: memory if there is some, since a kill does not ask for a disk."""
    if os.environ.get("CRASH_DIR"):
        return os.environ["CRASH_DIR"]
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


@dataclasses.dataclass(frozen=True)
class Scenario:
    dest: str = "maildir"    # maildir, mbox, mda, lmtp; pipe: -m - into a pipe
    keep: str = "no"         # no, yes; 30d: all were delivered 40 days ago, and are due
    fork: str = "yes"        # no: --no-fork
    tls: str = "none"        # none, implicit
    reader: str = "none"     # none; cur: marks a new message seen; folder: files it elsewhere
    append: str = "none"     # mbox: wait: procmail, patient; steal: takes a dead lock away
    shared: str = "no"       # yes: two accounts, one destination; states: each with a state folder of
    #                          its own: one is disturbed, then the other runs, undisturbed
    drop: str = "no"         # yes: the server deletes also when the connection is lost
    read: str = "often"      # once: the server hides at QUIT what was RETRed
    how: str = "plain"       # all: -a, all were delivered before; nokeep: -K; few: -B 2;
    #                          away: mda: it puts off whatever it is given, until the next run
    rules: str = "no"        # sort: one in three goes to another Maildir, one to an mbox;
    #                          pass: all go through pipe_through
    fsync: str = "full"
    files: str = "many"      # few: descriptors for batches of two, two more on their way
    n: int = 12

    CHOICES = {
        "dest": ("maildir", "mbox", "mda", "lmtp", "pipe"), "keep": ("no", "yes", "30d"),
        "fork": ("yes", "no"),
        "tls": ("none", "implicit"), "reader": ("none", "cur", "folder"),
        "append": ("none", "wait", "steal"), "shared": ("no", "yes", "states"),
        "drop": ("no", "yes"),
        "fsync": ("full", "none"), "files": ("many", "few"), "rules": ("no", "sort", "pass"),
        "read": ("often", "once"), "how": ("plain", "all", "nokeep", "few", "away"),
    }

    @property
    def handed(self):
        """To a program that answers for it: a crash may cost a double."""
        return self.dest in ("mda", "lmtp", "pipe")

    @classmethod
    def parse(cls, text):
        """`dest=mbox,keep=yes,n=3`; what is not named keeps its default."""
        values = {}
        for pair in filter(None, text.split(",")):
            key, _, value = pair.partition("=")
            if key == "n":
                values[key] = int(value)
            elif value in cls.CHOICES.get(key, ()):
                values[key] = value
            else:
                raise SystemExit("scenario: %r is not understood" % pair)
        return cls(**values)

    def __str__(self):
        plain = Scenario()
        words = ["dest=" + self.dest, "keep=" + self.keep]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in ("dest", "keep") and value != getattr(plain, field.name) \
                    or field.name == "n":
                words.append("%s=%s" % (field.name, value))
        return ",".join(words)



def letters(i):
    """UIDLs hold no digits, so that texts can be compared with all numbers struck out."""
    return "".join(chr(97 + i // 26 ** k % 26) for k in (2, 1, 0))


def sample(i, lines=700):
    """Message i: every kind of content that is easily stored wrongly, small enough for a sweep; the
    longest has so many lines."""
    uidl = "uidl-" + letters(i)
    head = ("Return-Path: <sender-%s@example.org>\r\nFrom: Sender <sender@example.org>\r\n"
            "To: alice@example.com\r\nSubject: message %s\r\nMessage-ID: <%s@example.org>\r\n\r\n"
            % (letters(i), uidl, uidl)).encode()
    bodies = (
        b"plain\r\n",
        b".\r\n..\r\n.dot\r\n\r\n.\r\n",
        b"eight bit \xc3\xa9\xff, NUL \0, bare CR \r inside\r\n",
        b"From the start\r\n\r\nFrom nobody Thu Jan  1 00:00:00 1970\r\n>From quoted\r\n>>From\r\n",
        b"",
        b"0123456789abcdef 0123456789abcdef 0123456789abcdef %s\r\n" % uidl.encode() * lines,
    )
    if i == 7:
        return minipop.Message(uidl, b"")
    return minipop.Message(uidl, head + bodies[i % len(bodies)])


class Result:
    """One run of fetchpop: exit status (negative: signal), standard error, syscut's report."""

    def __init__(self, status, stderr, stdout, report, command):
        self.status, self.stderr, self.stdout = status, stderr, stdout
        self.report, self.command = report, command

    def lines(self):
        return [line for line in self.stderr.splitlines() if line.strip()]


class Sandbox:
    """`root` may be given (it is emptied) or is made below base_folder()."""

    def __init__(self, scenario, root=None, binary=None):
        self.scenario = scenario
        self.binary = binary or fetchpop()
        self.made = root is None
        self.root = root or tempfile.mkdtemp(prefix="crash.", dir=base_folder())
        self.w = os.path.join(self.root, "w")
        self.home, self.state = self.path("home"), self.path("state")
        self.mail = self.path("mail")
        self.maildir, self.mbox = self.path("mail/Maildir"), self.path("mail/inbox")
        self.other, self.out = self.path("mail/Other"), self.path("mail/out")
        self.away = os.path.join(self.root, "away")
        lines = 2500 if scenario.dest == "pipe" else 700  # a pipe takes it in pieces of 64 KiB
        self.messages = [sample(i, lines) for i in range(scenario.n)]
        self.by_content = {self.as_found(m.stored()): m.uidl for m in self.messages}
        assert len(self.by_content) == scenario.n
        if scenario.rules == "sort": # each kind of destination has its own idea of the last line
            self.by_content.update((m.stored(), m.uidl) for m in self.messages)
            self.by_content.update((m.stored() + b"\n", m.uidl) for m in self.messages
                                   if not m.stored().endswith(b"\n"))
        self.cert = self.make_cert() if scenario.tls == "implicit" else None
        self.servers = [minipop.Server(tls=self.cert, user=user)
                        for user in ("alice", "bob")[:self.accounts()]]
        self.lmtp = os.path.join(self.root, "lmtp")
        if scenario.dest == "lmtp":
            self.serve_lmtp()
        for server in self.servers:
            server.drop_commits = scenario.drop == "yes"
            server.read_once = scenario.read == "once"
        self.foreign = []        # messages that others put into the mbox
        self.moved = self.torn = 0
        self.reference = None    # what a run that nothing disturbed leaves behind
        self.quiet = set()       # and what it says

    def path(self, name):
        return os.path.join(self.w, name)

    def accounts(self):
        return 1 if self.scenario.shared == "no" else 2

    def close(self):
        for server in self.servers:
            server.close()
        if self.made:
            shutil.rmtree(self.root, ignore_errors=True)

    def make_cert(self):
        cert, key = os.path.join(self.root, "cert.pem"), os.path.join(self.root, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "30", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1,DNS:localhost"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return cert, key

    # --- preparing, saving, putting back

    def fresh(self):
        """An empty destination, no state, a full mailbox."""
        self.empty(self.w)
        for folder in (self.home, self.mail, self.path("tmp")):
            os.makedirs(folder, exist_ok=True)
        self.foreign, self.moved, self.torn = [], 0, 0
        if self.scenario.dest == "mda":
            self.write_mda()
        if self.scenario.dest in ("lmtp", "pipe"):
            os.makedirs(self.out)
        if self.scenario.dest == "mbox":
            self.append_foreign()
        self.write_rc()
        half = (len(self.messages) + 1) // 2
        parts = [self.messages] if self.accounts() == 1 else \
            [self.messages[:half], self.messages[half:]]
        for server, part in zip(self.servers, parts):
            server.messages = list(part)
            server.clear()
        self.live_before()

    def live_before(self):
        """The earlier runs of a scenario that needs them; their server shows mail again and again."""
        if self.scenario.how != "all" and self.scenario.keep != "30d":
            return
        aged = self.scenario.keep == "30d"
        for server in self.servers:
            server.read_once = False
        for days in (-40, -1) if aged else (0,):
            self.set_clock(days)
            result = self.execute(self.command(*([] if aged else ["-k"])))
            if result.status != 0:
                raise RuntimeError("an earlier run exits %d: %s" % (result.status, result.stderr))
        self.set_clock(0)
        for server in self.servers:
            server.read_once = self.scenario.read == "once"
            server.clear()

    def set_clock(self, days):
        with open(os.path.join(self.root, "clock"), "wb") as f:
            f.write(struct.pack("qq", days * 86400, 0))

    def clock(self):
        """The preload that sets it: tests/healing/shim.c."""
        library = os.path.join(self.root, "clock.so")
        if not os.path.exists(library):
            subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-O1", "-o",
                            library, os.path.join(HERE, "..", "healing", "shim.c"), "-ldl"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return {"LD_PRELOAD": library, "SHIM": os.path.join(self.root, "clock")}

    def empty(self, folder):
        """Keeps the folder itself: it may be a mount point, or hold some."""
        os.makedirs(folder, exist_ok=True)
        for entry in os.scandir(folder):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
            elif os.path.ismount(entry.path):
                self.empty(entry.path)
            elif entry.name != "lost+found":
                shutil.rmtree(entry.path)

    def write_rc(self):
        if self.scenario.shared == "states":
            self.write_accounts("rc", "t", self.servers[:1])
            self.write_accounts("rc2", "u", self.servers[1:])
        else:
            self.write_accounts("rc", "tu", self.servers)

    def write_accounts(self, rc, titles, servers):
        where = {"maildir": 'maildir = "%s"' % self.maildir, "mbox": 'mbox = "%s"' % self.mbox,
                 "mda": 'mda = "%s"' % self.path("mda.sh"),
                 "pipe": 'mda = ":"',
                 "lmtp": 'lmtp = "unix:%s"\n    lmtp_recipient = "a@b"' % self.lmtp}[self.scenario.dest]
        text = ['state_dir = "%s"' % self.state]
        for name, server in zip(titles, servers):
            text += ['account "%s" {' % name, '    server = "127.0.0.1"',
                     "    port = %d" % server.port, '    tls = "%s"' % self.scenario.tls,
                     '    auth = "user"', '    user = "%s"' % server.user,
                     '    password = "secret"', "    " + where,
                     '    keep = "%s"' % self.scenario.keep]
            if self.scenario.fsync != "full":
                text.append('    fsync = "%s"' % self.scenario.fsync)
            text += self.rules()
            if self.cert:
                text.append('    tls_ca_file = "%s"' % self.cert[0])
            text.append("}")
        with open(self.path(rc), "w") as f:
            f.write("\n".join(text) + "\n")
        os.chmod(self.path(rc), 0o600)

    def rules(self):
        if self.scenario.rules == "pass":
            return ['    pipe_through = "cat"']
        if self.scenario.rules == "sort":
            return ['    rule { subject = "/[behk]$/" maildir = "%s" }' % self.other,
                    '    rule { subject = "/[cfil]$/" mbox = "%s" }' % self.mbox]
        return []

    def write_mda(self):
        os.makedirs(self.out)
        self.put_away(self.scenario.how == "away")
        with open(self.path("mda.sh"), "w") as f:
            f.write('#!/bin/sh\n[ ! -e "%s" ] || exit 75\nt=$(mktemp "%s/.XXXXXXXX") && cat >"$t" && mv "$t" "%s/m$(basename '
                    '"$t")"\n' % (self.away, self.out, self.out))
        os.chmod(self.path("mda.sh"), 0o755)

    def put_away(self, away):
        """What the command delivers to is there, or not."""
        if away:
            open(self.away, "w").close()
        elif os.path.exists(self.away):
            os.unlink(self.away)

    def serve_lmtp(self):
        server = lmtpd.Lmtpd(self.root, into=self.out)
        listener = lmtpd.listen(self.root, self.lmtp)
        threading.Thread(target=lmtpd.run, args=(server, listener), daemon=True).start()

    def snapshot(self, name):
        folder = os.path.join(self.root, "snap", name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.w, folder, symlinks=True)
        return (folder, [list(s.messages) for s in self.servers], list(self.foreign), self.moved)

    def restore(self, saved):
        folder, boxes, foreign, self.moved = saved
        shutil.rmtree(self.w, ignore_errors=True)
        shutil.copytree(folder, self.w, symlinks=True)
        self.foreign = list(foreign)
        for server, box in zip(self.servers, boxes):
            server.messages = list(box)
            server.clear()

    # --- running

    def command(self, *extra):
        line = [self.binary, "-f", self.path("rc"), "--state-dir", self.state]
        if self.scenario.fork == "no":
            line.append("--no-fork")
        if self.scenario.files == "few":
            line = ["/bin/sh", "-c", 'ulimit -n 68; exec "$0" "$@"'] + line
        if self.scenario.how == "nokeep":
            line.append("-K")
        if self.scenario.dest == "pipe":
            line += ["-m", "-"]
        return line + list(extra)

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if k.startswith(("LD_", "FAKE_"))}
        if self.scenario.keep == "30d":
            keep.update(self.clock())
        asan = "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")  # it would want ptrace too
        return dict(keep, PATH=os.environ.get("PATH", "/usr/bin:/bin"), HOME=self.home, LANG="C",
                    TMPDIR=self.path("tmp"), TZ="UTC", ASAN_OPTIONS=asan)

    def execute(self, line, report=None):
        p = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, cwd=self.home, env=self.environment(),
                           timeout=RUN_TIMEOUT)
        for server in self.servers:
            server.wait_idle()
        facts = None
        if report:
            with open(report) as f:
                facts = json.load(f)
        if self.scenario.dest == "pipe" and p.stdout:
            self.keep_stream(p.stdout, facts is not None and facts.get("killed", False))
        return Result(p.returncode, p.stderr.decode("utf-8", "replace"),
                      p.stdout.decode("utf-8", "replace"), facts, line)

    def keep_stream(self, stream, killed):
        """What the reader of the pipe has, a file for each run."""
        name = "%03d%s" % (len(os.listdir(self.out)), "-killed" if killed else "")
        with open(os.path.join(self.out, name), "wb") as f:
            f.write(stream)

    def run(self):
        return self.execute(self.command())

    def run_other(self):
        """Who has the other state folder, and its own mailbox, comes by; what is wrong with that."""
        if self.scenario.shared != "states":
            return []
        line = [self.binary, "-f", self.path("rc2"), "--state-dir", self.path("state2")]
        result = self.execute(line)
        return [] if result.status == 0 else ["the other state folder's run exits %d: %s" % (
            result.status, result.stderr.strip())]

    def cut(self, *options):
        """A run under syscut; the result's report says what happened."""
        report = os.path.join(self.root, "report")
        line = self.command(*self.disturbed())
        return self.execute([syscut(), "--report", report, *options, "--", *line], report)

    def disturbed(self):
        """Options of the run that is disturbed, and not of those that follow."""
        return {"all": ["-a"], "few": ["-B", "2"]}.get(self.scenario.how, [])

    def wanted(self):
        """What a disturbed run that ends with 0 has brought: -B 2 the first two, one of two state
        folders the messages of its own mailbox."""
        mine = len(self.messages)
        if self.scenario.shared == "states":
            mine = (mine + 1) // 2
        return self.messages[:min(mine, 2) if self.scenario.how == "few" else mine]

    def learn(self):
        """Runs once undisturbed, to know what may be lying about afterwards and what is said."""
        self.fresh()
        self.put_away(False)
        result = self.run()
        if result.status != 0:
            raise RuntimeError("an undisturbed run exits %d: %s" % (result.status, result.stderr))
        problems = self.run_other() + self.problems(check_files=False)
        self.reference = self.files()
        self.quiet = {strike(line) for line in result.lines()}
        result = self.run()
        self.quiet |= {strike(line) for line in result.lines()}
        self.reference |= self.files()
        return problems

    # --- what happens between a kill and the next run

    def between(self):
        if self.scenario.reader != "none":
            self.reader_moves()
        if self.scenario.append == "steal":
            self.append_foreign()
        if self.scenario.append == "wait" and not os.path.exists(self.mbox + ".lock"):
            self.append_foreign()

    def reader_moves(self):
        """The first message of new/ is marked seen, or filed in a folder of its own."""
        new = os.path.join(self.maildir, "new")
        names = sorted(os.listdir(new)) if os.path.isdir(new) else []
        if not names:
            return
        to = self.maildir if self.scenario.reader == "cur" else self.other
        os.makedirs(os.path.join(to, "cur"), exist_ok=True)
        os.rename(os.path.join(new, names[0]), os.path.join(to, "cur", names[0] + ":2,S"))
        self.moved += 1

    def append_foreign(self):
        """What procmail does: dotlock, fcntl lock, append, unlock."""
        text = b"Subject: foreign %d\n\nnot of fetchpop\n" % len(self.foreign)
        lock = self.mbox + ".lock"
        if os.path.exists(lock):
            os.unlink(lock)  # whoever made it is dead: it was killed
        fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
        os.close(fd)
        with open(self.mbox, "ab") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            f.write(b"From bob@example.net Thu Jan  1 00:00:00 1970\n" + text + b"\n")
        os.unlink(lock)
        self.foreign.append(text)

    # --- what is there

    def as_found(self, content):
        """An mbox cannot say whether its last line had an end, and LMTP ends it."""
        if self.scenario.dest in ("mbox", "lmtp", "pipe") and content and not content.endswith(b"\n"):
            return content + b"\n"
        return content

    def found(self):
        """(Counter of UIDLs, list of oddities) of what is delivered by now."""
        delivered, odd = Counter(), []
        foreign = Counter(self.foreign)
        for where, content in self.contents():
            uidl = self.by_content.get(content)
            if uidl:
                delivered[uidl] += 1
            elif foreign[content]:
                foreign[content] -= 1
            else:
                odd.append("%s holds %d octets that nobody sent: %r" % (where, len(content),
                                                                       content[:60]))
        odd += ["a foreign message is gone: %r" % c[:30] for c in foreign.elements()]
        return delivered, odd

    def contents(self):
        sorted_ = self.scenario.rules == "sort"
        if (self.scenario.dest == "mbox" or sorted_) and os.path.exists(self.mbox):
            with open(self.mbox, "rb") as f:
                yield from read_mbox(f.read())
        if self.scenario.dest == "mbox" and not sorted_:
            return
        if self.scenario.dest == "pipe":
            yield from self.streamed()
            return
        folders = [self.out] if self.scenario.handed else []
        if not self.scenario.handed or sorted_:
            folders += [os.path.join(d, s) for d in (self.maildir, self.other)
                        for s in ("new", "cur")]
        for folder in folders:
            for entry in os.scandir(folder) if os.path.isdir(folder) else ():
                if entry.is_file() and not entry.name.startswith("."):
                    with open(entry.path, "rb") as f:
                        yield entry.path, f.read()

    def streamed(self):
        """A run that is killed may leave the last message of its stream torn, and no other."""
        for name in sorted(os.listdir(self.out)):
            with open(os.path.join(self.out, name), "rb") as f:
                parts = list(read_mbox(f.read()))
            if name.endswith("-killed") and parts[-1][1] not in self.by_content:
                self.torn = 1
                parts.pop()
            yield from ((name + ", " + where, content) for where, content in parts)

    def kept(self):
        """UIDLs of messages that are whole in a file of ours: as they came, or as an mbox has them."""
        found = set()
        for path in (os.path.join(self.state, "spool"), os.path.join(self.state, "held"),
                     os.path.join(self.maildir, "tmp"), os.path.join(self.other, "tmp")):
            for entry in os.scandir(path) if os.path.isdir(path) else ():
                with open(entry.path, "rb") as f:
                    data = f.read()
                plain = re.sub(rb"(?m)^>(>*From )", rb"\1", data)
                found.update(m.uidl for m in self.messages if data == m.stored() or
                             (m.octets and m.stored() in plain))
        return found

    def on_server(self):
        return [m.uidl for server in self.servers for m in server.messages]

    def files(self):
        """Every file below w but the mail itself."""
        mail = {os.path.join(d, s) for d in (self.maildir, self.other) for s in ("new", "cur")}
        mail.add(self.out)
        found = set()
        for folder, _, names in os.walk(self.w):
            if folder not in mail:
                found.update(os.path.relpath(os.path.join(folder, name), self.w) for name in names)
        return found

    # --- what is wrong

    def mail_problems(self, kills=0, torn=True):
        """Lost, twice, torn (if asked). A command may get one message of each account twice
        for each kill; what a reader files elsewhere between a kill and the next run may come
        again."""
        delivered, problems = self.found()
        if not torn:
            problems = []
        left = set(self.on_server()) | self.kept()
        surplus, again = 0, self.scenario.how == "all"
        for message in self.messages:
            times = delivered[message.uidl]
            if times == 0 and message.uidl not in left:
                problems.append("%s is lost" % message.uidl)
            elif again and times <= 2 + (kills if self.scenario.handed else 0):
                continue
            elif times > 1:
                surplus += times - 1
                if not self.scenario.handed and self.scenario.reader != "folder":
                    problems.append("%s was delivered %d times" % (message.uidl, times))
        if self.scenario.reader == "folder" and surplus > self.moved:
            problems.append("%d surplus deliveries, and a reader filed %d messages" %
                            (surplus, self.moved))
        if self.scenario.handed and surplus > kills * self.accounts():
            problems.append("%d surplus deliveries after %d kills" % (surplus, kills))
        return problems

    def problems(self, kills=0, check_files=True):
        """Everything that must hold once a run has exited 0 behind whatever went before."""
        problems = self.mail_problems(kills)
        delivered, _ = self.found()
        problems += ["%s was not delivered" % m.uidl for m in self.messages
                     if not delivered[m.uidl]]
        left = len(self.on_server())
        if left not in self.may_stay():
            problems.append("%d messages are on the server, keep = %s" % (left, self.scenario.keep))
        for tmp in (os.path.join(folder, "tmp") for folder in (self.maildir, self.other)):
            if not os.path.isdir(tmp) or not os.listdir(tmp):
                continue
            problems.append("left in tmp/: %s" % " ".join(sorted(os.listdir(tmp))))
        if check_files and self.reference is not None:
            extra = {f for f in self.files() - self.reference
                     if not os.path.dirname(f).endswith("/tmp")}
            if extra:
                problems.append("left behind: %s" % " ".join(sorted(extra)))
        return problems

    def may_stay(self):
        """How many messages may be on the server in the end."""
        if self.scenario.keep in ("no", "30d") or self.scenario.how == "nokeep":
            return (0,)
        return range(self.scenario.n + 1) if self.scenario.read == "once" else (self.scenario.n,)

    def settle(self, kills):
        """One clean run, which must be enough, and one more, which must find nothing to do."""
        self.put_away(False)
        trouble = self.run_other()
        if trouble:
            return trouble
        result = self.run()
        if self.scenario.append == "wait" and len(self.foreign) < 1 + kills:
            self.append_foreign()
        if result.status != 0:
            return ["the clean rerun exits %d: %s" % (result.status, result.stderr.strip())]
        problems = self.problems(kills)
        for server in self.servers:
            server.clear()
        again = self.run()
        if again.status != 0:
            problems.append("the run after that exits %d: %s"
                            % (again.status, again.stderr.strip()))
        if any(server.retrs() for server in self.servers):
            problems.append("the run after that fetches again")
        return problems or self.problems(kills)

    # --- states that are the same but for names and times

    def fingerprint(self):
        """A digest of w and the mailbox; unique names, numbers, sums, our paths are struck out."""
        names, entries = {}, []
        for folder, folders, files in os.walk(self.w):
            folders.sort()
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    content = f.read()
                if os.path.dirname(path).startswith((self.maildir, self.other, self.out)):
                    uidl = self.by_content.get(content)
                    names[name.partition(":")[0]] = uidl or "part-%d" % len(content)
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                entries.append((os.path.relpath(folder, self.w), name, mode, content))
            entries.append((os.path.relpath(folder, self.w), "/", 0, b""))
        lines = []
        for folder, name, mode, content in entries:
            head, colon, flags = name.partition(":")
            shown = names.get(head, strike(head)) + colon + flags
            text = content if content in self.by_content else self.plain(content, names)
            lines.append("%s %s %o %s" % (folder, shown, mode, hashlib.sha256(text).hexdigest()))
        lines.append("%d foreign" % len(self.foreign))
        boxes = [",".join(m.uidl for m in s.messages) for s in self.servers]
        return hashlib.sha256("\n".join(sorted(lines) + boxes).encode()).hexdigest()

    def plain(self, content, names):
        text = content.decode("latin-1").replace(self.root, "ROOT")
        for server in self.servers:
            text = text.replace(":%d" % server.port, ":PORT")
        for name, shown in names.items():
            text = text.replace(name, "<%s>" % shown)
        return strike(text).encode("latin-1")


def strike(text):
    """Numbers of four digits and more, and anything that looks like a checksum, made equal."""
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "TIME", text)
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b", "H", text)
    return re.sub(r"\d{4,}", "#", text)


FROM_LINE = re.compile(rb"From \S+ [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$")


def read_mbox(data):
    """mboxrd, strictly: (place, content) of each message; anything before the first is odd."""
    starts = [m.start() for m in re.finditer(rb"(?:\A|(?<=\n\n))From ", data)]
    if data and (not starts or starts[0] != 0):
        yield "mbox, before the first From_ line", data[:starts[0] if starts else None]
    for begin, end in zip(starts, starts[1:] + [len(data)]):
        line, _, content = data[begin:end].partition(b"\n")
        where = "mbox at %d" % begin
        if not FROM_LINE.match(line):
            yield where + ", a wrong From_ line", line
        if not content.endswith(b"\n"):
            yield where + ", no blank line behind", content
            continue
        yield where, re.sub(rb"(?m)^>(>*From )", rb"\1", content[:-1])


def require_tools(tap, looks=False):
    """False, with a visible skip, where there is no syscut: it is for Linux alone. `looks`: the test
    needs the paths and descriptors of system calls. A program that gives no core, as fetchpop, shows
    these to no tracer of a plain user."""
    if not os.access(syscut(), os.X_OK):
        tap.skip_all("no syscut here (%s): it needs Linux on x86_64 or aarch64" % syscut())
        return False
    if not shutil.which("openssl"):
        tap.skip_all("openssl is not installed")
        return False
    if looks and os.geteuid() != 0:
        tap.skip_all("only root sees what fetchpop's system calls are about: it is not dumpable")
        return False
    return True


def end(*_):
    """TERM: unwind, once; timeout(1) sends it twice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


class Tap:
    """Test Anything Protocol on standard output."""

    def __init__(self):
        self.count = self.failed = 0
        # so that sandboxes and mounts go also when a test is stopped
        signal.signal(signal.SIGTERM, end)

    def ok(self, good, name, details=()):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name.replace("#", "")))
        for line in () if good else list(details)[:12]:
            self.note(line)
        return good

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, reason), flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line)
        print(end="", flush=True)

    def done(self):
        print("1..%d" % self.count, flush=True)
        return 1 if self.failed else 0

    def skip_all(self, reason):
        print("1..0 # SKIP " + reason, flush=True)
        return 0
