# SPDX-License-Identifier: ISC
"""What the suites in this folder share: a case is one lie, told by the scripted server in a private
world; this module runs it and says what is wrong afterwards.

For every case, whatever the server does:
  - no crash, no sanitizer report, an end within the case's time, memory within its bounds;
  - each stored message is one that the server has, whole and unaltered, and is stored once; what
    has gone from the server is stored; tmp/ is empty;
  - the exit status is one of those wanted, and 0 only if nothing is missing; else there is a word;
  - no secret and no raw control byte in any output;
then an honest session brings all mail, with status 0, and a second one brings nothing more.

A suite builds a list of Case and calls main(). It speaks TAP; see --help.
"""
import argparse
import base64
import concurrent.futures
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import popd  # noqa: E402

SECRET = "s3cr3t-Passw0rd"
TIMEOUT = "1s"        # of cases that may end with 75; a loaded machine alone is that slow, too
PATIENCE = "10s"      # of those that may not
HONEST = "30s"        # and of the honest sessions
SECONDS = 60          # for a case that names no other: it would run for ever, else
ADDRESS_SPACE = 96    # MB, with ulimit -v; the program and its libraries alone take 45
RSS_ANON = 12         # MB at most, sampled; an idle worker has 1 to 2
LONG = bool(os.environ.get("FP_LONG"))
ONCE_SET = "set read-once yes"


def mail(name, body=None, message_id=True):
    """A small message."""
    head = "Subject: %s\n" % name
    if message_id:
        head += "Date: Mon, 2 Nov 2026 10:00:00 +0000\nMessage-ID: <%s@example.org>\n" % name
    return (head + "\n" + ("body of %s\n" % name if body is None else body)).encode("latin-1")


def box_of(n):
    return {"m%03d" % i: mail("m%03d" % i) for i in range(1, n + 1)}


def wire_of(data):
    """An answer to RETR as an honest server gives it."""
    return b"+OK\r\n" + popd.stuff(data.replace(b"\n", b"\r\n")) + b".\r\n"


@dataclasses.dataclass
class Case:
    name: str
    script: object = ""             # of the lying server; see tests/popd/README
    want: str = "0"                 # the exit statuses that are right
    box: dict = None                # name: bytes; three small messages by default
    keep: str = "no"
    account: dict = dataclasses.field(default_factory=dict)   # keys of the configuration file
    args: tuple = ()
    said: str = ""                  # a regular expression that standard error matches
    unsaid: str = ""                # one that it does not
    honest: object = ""             # script of the honest server: settings that stay true
    also: tuple = ()                # messages that may be stored beside those of the mailbox
    twice: bool = False             # messages may be stored again: the journal was lost
    lost: tuple = ()                # names that a reader has taken away: they may be missing
    rounds: int = 1                 # honest sessions that it may take
    runs: int = 1                   # lying sessions before
    honest_want: str = "0"
    seconds: float = SECONDS
    files: int = 1024               # descriptors; 67: batches of one, two messages on their way
    space: int = ADDRESS_SPACE
    anon: float = RSS_ANON
    tls: str = ""                   # "implicit" or "stls": with a certificate of our own
    quiet: bool = False             # the lying run says nothing at all
    tmp_left: bool = False          # what is in tmp/ is for the next run to publish
    hides: bool = False             # not all comes: the server shows less, or max_size says so
    honest_account: dict = dataclasses.field(default_factory=dict)  # keys of the honest sessions
    before: object = None           # function of (world), before the lying run
    between: object = None          # and before the honest session
    check: object = None            # function of (world) that gives a list of faults, after the lie
    finally_: object = None         # the same, at the end
    env: dict = dataclasses.field(default_factory=dict)
    long: bool = False              # only with FP_LONG


class Skip(Exception):
    """Raised by a case's `before`: what it needs is not here. The text says what."""


class Run:
    """One run of the program: its end, its words, its time, its memory."""

    def __init__(self):
        self.status, self.out, self.err, self.seconds, self.anon = None, b"", b"", 0.0, 0.0


def rss_anon(pid):
    try:
        with open("/proc/%d/status" % pid) as f:
            m = re.search(r"RssAnon:\s+(\d+) kB", f.read())
        return int(m.group(1)) / 1024 if m else 0
    except OSError:
        return 0


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def watch(pid, run, done):
    """Sample the memory of the program and its workers."""
    while not done.wait(0.01):
        run.anon = max([run.anon, rss_anon(pid)] + [rss_anon(p) for p in children(pid)])


def is_sanitized(program):
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


class World:
    """A mailbox, a home, a Maildir, a state folder."""

    def __init__(self, case, options):
        self.case, self.options = case, options
        self.top = tempfile.mkdtemp(prefix="fphostile.", dir=options.base)
        self.box = os.path.join(self.top, "box")
        self.maildir = os.path.join(self.top, "mail")
        self.state = os.path.join(self.top, "state")
        self.server = None
        self.servers = []       # of all sessions, in order
        self.run_ = None
        self.said = []          # faults that a case's own functions have found
        self.foreign = set()    # files in tmp/ that are not ours
        self.once = options.once
        os.mkdir(self.box)
        for name, data in (box_of(3) if case.box is None else case.box).items():
            self.put(name, data)
        self.wanted = {m.name: m.delivered() for m in popd.Mailbox(self.box).list()}
        self.port = 0

    def put(self, name, data):
        with open(os.path.join(self.box, name), "wb") as f:
            f.write(data)

    def add(self, name, data):
        """A message that comes in later."""
        self.put(name, data)
        for m in popd.Mailbox(self.box).list():
            self.wanted.setdefault(m.name, m.delivered())

    # ---- the server and the program ---------------------------------------------------------

    def settings(self):
        extra = {"password": SECRET}
        if self.case.tls:
            extra.update(tls=self.case.tls, cert=self.options.cert, key=self.options.key)
        return extra

    def write_rc(self, **changes):
        keys = {"server": "127.0.0.1", "port": str(self.port), "tls": self.case.tls or "none",
                "auth": "user", "user": "alice", "password": SECRET, "keep": self.case.keep,
                "timeout": TIMEOUT if "75" in self.case.want.split() else PATIENCE,
                "maildir": self.maildir}
        if self.case.tls:
            keys["tls_ca_file"] = self.options.cert
        keys.update(self.case.account)
        keys.update(changes)
        if "mbox" in keys or "mda" in keys:
            del keys["maildir"]
        lines = ["    %s = \"%s\"\n" % (k, v) for k, v in keys.items() if v is not None]
        path = os.path.join(self.top, "rc")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write("account \"a\" {\n%s}\n" % "".join(lines))
        return path

    def command(self, args):
        # --force: every run polls, and says what is wrong; what cron hears is bats/85-manners
        limit = "unlimited" if self.options.sanitized else str(self.case.space * 1024)
        files = str(self.case.files)
        return ["/bin/sh", "-c", 'ulimit -v "$0"; ulimit -n "$1"; shift; exec "$@"', limit, files,
                self.options.fetchpop, "-f", os.path.join(self.top, "rc"), "--state-dir", self.state,
                "--force"] + list(args)

    def environment(self):
        env = {"HOME": self.top, "PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        env.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
        env.update(self.case.env)
        return env

    def start(self, args=()):
        return subprocess.Popen(self.command(args), env=self.environment(), cwd=self.top,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def fetch(self, args=(), seconds=SECONDS):
        run, done, begin = Run(), threading.Event(), time.monotonic()
        child = self.start(args)
        watcher = threading.Thread(target=watch, args=(child.pid, run, done))
        watcher.start()
        try:
            run.out, run.err = child.communicate(timeout=seconds)
            run.status = child.returncode
        except subprocess.TimeoutExpired:
            for pid in children(child.pid) + [child.pid]:
                os.kill(pid, signal.SIGKILL)
            run.out, run.err = child.communicate()
            run.status = "still running after %d s" % seconds
        finally:
            done.set()
            watcher.join()
        run.seconds = time.monotonic() - begin
        return run

    def session(self, script, args=(), seconds=SECONDS):
        """A run against a server with this script, over the same mailbox and port."""
        scripts = [ONCE_SET, *([script] if isinstance(script, str) else script)] if self.once \
            else script
        self.server = popd.Server(self.box, script=scripts, port=self.port, **self.settings())
        self.servers.append(self.server)
        with self.server:
            self.port = self.server.port
            self.write_rc()
            self.run_ = self.fetch(args, seconds)
        return self.run_

    # ---- what there is afterwards -----------------------------------------------------------

    def files(self, *subs):
        found = []
        for sub in subs:
            folder = os.path.join(self.maildir, sub)
            if os.path.isdir(folder):
                found += [os.path.join(folder, name) for name in os.listdir(folder)]
        return sorted(found)

    def delivered(self):
        result = []
        for path in self.files("new", "cur"):
            with open(path, "rb") as f:
                result.append(f.read())
        return Counter(result)

    def kept(self):
        """Messages that are not delivered yet, and are in files of ours."""
        found = Counter()
        for folder in (os.path.join(self.state, "spool"), os.path.join(self.state, "held"),
                       os.path.join(self.maildir, "tmp")):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                with open(os.path.join(folder, name), "rb") as f:
                    found[f.read()] += 1
        return found

    def on_server(self):
        return {m.name for m in popd.Mailbox(self.box).list()}

    def close(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.top], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top, ignore_errors=True)


# ---- what is wrong -------------------------------------------------------------------------------

def secret_forms(secret):
    forms = [secret.encode()]
    for ahead in (b"", b"x", b"xy"):
        text = base64.b64encode(ahead + secret.encode()).rstrip(b"=")
        forms.append(text[2 if ahead else 0:-2])
    return forms


FORMS = secret_forms(SECRET)
RAW = re.compile(rb"[^\n -~]")


def wrong_words(run):
    bad, words = [], run.out + run.err
    if any(form in words for form in FORMS):
        bad.append("the secret is shown: %r" % words[:400])
    if RAW.search(words):
        bad.append("a raw byte is shown: %r" % RAW.search(words).group())
    if b"Sanitizer" in words or b"runtime error" in words:
        bad.append("sanitizer: %s" % words.decode("latin-1")[:3000])
    if run.err and not run.err.endswith(b"\n"):
        bad.append("a last line without its end")
    return bad


def brief(data):
    return "%r%s" % (data[:60], "..." if len(data) > 60 else "")


def wrong_mail(world, status, lying=False):
    """Torn, altered, forged, twice, lost."""
    case, bad, there = world.case, [], world.delivered()
    wanted = Counter(world.wanted.values())
    allowed = wanted + Counter(case.also)
    for data, n in there.items():
        if data not in allowed:
            bad.append("stored, but no such message: %s" % brief(data))
        elif n > allowed[data] and not case.twice:
            bad.append("stored %d times instead of %d: %s" % (n, allowed[data], brief(data)))
    left = world.on_server()
    gone = Counter(data for name, data in world.wanted.items()
                   if name not in left and name not in case.lost)
    lost = gone - there - (world.kept() if lying and world.once else Counter())
    if lost:
        bad.append("lost: %s" % [brief(d) for d in lost])
    needed = Counter(d for name, d in world.wanted.items() if name not in case.lost)
    if status == 0 and needed - there and not (lying and case.hides):
        bad.append("status 0, but missing: %s" % [brief(d) for d in needed - there])
    if set(world.files("tmp")) - world.foreign and not (lying and case.tmp_left):
        bad.append("left in tmp/: %s" % world.files("tmp"))
    if case.keep == "yes" and any(c.startswith("DELE") for c in world.server.commands()):
        bad.append("DELE, though keep = yes")
    return bad


def wrong_run(world, run, want, limits=True):
    case, bad = world.case, wrong_words(run)
    if str(run.status) not in want.split():
        bad.append("status %s, wanted %s: %s" % (run.status, want, run.err.decode("latin-1")[:600]))
    if run.status != 0 and b"fetchpop: " not in run.err:
        bad.append("status %s without a word" % run.status)
    if limits and not world.options.sanitized and run.anon > case.anon:
        bad.append("%.1f MB of memory (RssAnon), at most %.1f wanted" % (run.anon, case.anon))
    return bad


def notes(err):
    """Standard error without what is always said of a new journal."""
    return [x for x in err.decode("latin-1").splitlines() if x and "journal" not in x]


def capa_left_out(world):
    """For a case's `check`: who could not answer CAPA was met again in the same run, and not asked."""
    asked = [sum(verb == "CAPA" for verb, _ in c.commands) for c in world.server.conns]
    return [] if asked[0] and asked[1:] and not any(asked[1:]) else ["CAPA asked: %s" % asked]


def lie(world):
    case, bad = world.case, []
    for _ in range(case.runs):
        run = world.session(case.script, case.args, case.seconds)
        bad += wrong_run(world, run, case.want)
        bad += wrong_mail(world, run.status, True)
        bad += ["popd: %s" % f for f in world.server.faults]
        err = run.err.decode("latin-1")
        if case.said and not re.search(case.said, err):
            bad.append("not said: %s; but: %s" % (case.said, err[:600]))
        if case.unsaid and re.search(case.unsaid, err):
            bad.append("said: %s: %s" % (case.unsaid, err[:600]))
        if case.quiet and (notes(run.err) or run.out):
            bad.append("not quiet: %s" % err[:600])
        if case.check:
            bad += case.check(world) or []
    return bad


def honest(world):
    case, bad = world.case, []
    case.account = {"timeout": HONEST, **case.account, **case.honest_account}
    for last in range(case.rounds, 0, -1):
        run = world.session(case.honest)
        bad += ["honest: " + b for b in wrong_run(world, run, case.honest_want, False)]
        bad += ["honest: " + b for b in wrong_mail(world, 0 if last == 1 else run.status)]
    if case.keep == "no" and world.on_server():
        bad.append("honest: left on the server: %s" % sorted(world.on_server()))
    if case.keep == "yes" and not world.once and world.on_server() != set(world.wanted):
        bad.append("honest: gone from the server, though keep = yes")
    before = world.delivered()
    run = world.session(case.honest)
    bad += ["again: " + b for b in wrong_run(world, run, case.honest_want, False)]
    if world.delivered() != before:
        bad.append("again: the Maildir has changed")
    if any(c.startswith("RETR") for c in world.server.commands()) and not case.honest:
        bad.append("again: fetched again")
    if case.finally_:
        bad += case.finally_(world) or []
    return bad


def try_case(job):
    index, options = job
    case = options.cases[index]
    start = time.monotonic()
    try:
        world = World(case, options)
        try:
            if case.before:
                case.before(world)
            bad = lie(world)
            anon = world.run_.anon
            if case.between:
                case.between(world)
            bad += honest(world)
        finally:
            world.close()
    except Skip as why:
        return index, str(why), 0, 0
    except Exception as e:
        bad, anon = ["%s: %s" % (type(e).__name__, e)], 0
    return index, bad, time.monotonic() - start, anon


# ---- the whole -----------------------------------------------------------------------------------

def make_certificate(folder):
    """One that is its own CA, for 127.0.0.1."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def parse(argv, jobs):
    p = argparse.ArgumentParser(description="Speaks TAP. The program is $FETCHPOP.")
    p.add_argument("--jobs", type=int, default=jobs)
    p.add_argument("--fetchpop", default=os.environ.get("FETCHPOP"))
    p.add_argument("--only", default="", help="cases whose name holds this")
    p.add_argument("--once", action="store_true",
                   help="on a server that shows each message once, as Gmail does")
    p.add_argument("--time", action="store_true", help="say how long each took, and its memory")
    p.add_argument("--list", action="store_true", help="say the cases' names and no more")
    options = p.parse_args(argv)
    if options.list:
        return options
    if not options.fetchpop or not os.access(options.fetchpop, os.X_OK):
        sys.exit("FETCHPOP does not name the program under test")
    options.fetchpop = os.path.abspath(options.fetchpop)
    options.sanitized = is_sanitized(options.fetchpop)
    options.base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return options


def main(cases, argv=None, jobs=2):
    """`jobs` cases at once: as many as wait for timeouts rather than compute."""
    options = parse(argv, jobs)
    if options.list:
        print("\n".join(c.name for c in cases))
        return 0
    doubles = [n for n, times in Counter(c.name for c in cases).items() if times > 1]
    assert not doubles, doubles
    options.cases = [c for c in cases if options.only in c.name and (LONG or not c.long)]
    if options.sanitized and not (LONG or options.only):
        # Three times as slow: a third of them, another one in each file; all with FP_LONG.
        options.cases = options.cases[len(cases) % 3::3]
    folder = tempfile.mkdtemp(prefix="fphostile.")
    failed = False
    print("1..%d" % len(options.cases))
    try:
        options.cert, options.key = make_certificate(folder)
        # Threads: cases hold functions, and nearly all time is spent in the program and in waits.
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for index, bad, seconds, anon in pool.map(
                    try_case, [(i, options) for i in range(len(options.cases))]):
                if isinstance(bad, str):
                    print("ok %d - %s # SKIP %s" % (index + 1, options.cases[index].name, bad))
                    continue
                more = " (%.1f s, %.1f MB)" % (seconds, anon) if options.time else ""
                print("%s %d - %s%s" % ("not ok" if bad else "ok", index + 1,
                                        options.cases[index].name.replace("#", "number"), more),
                      flush=True)
                failed |= bool(bad)
                for line in bad:
                    print("# " + line.replace("\n", "\n#    "), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0
