# SPDX-License-Identifier: ISC
"""A world (tests/bats/lib/world.py) in which time passes between runs, on one server whose habits last.

    w.always = "set read-once yes"      what the server is like in every run
    w.run(script="on RETR 2: close")    and in this one besides
    w.later(hours=1)                    the next runs see a clock that is so much further on
    w.offline()                         with it nobody listens: `with w.offline(): w.run()`
    w.run(tty=True)                     somebody sits at a terminal; typed="y\\n": and answers a question,
                                        typed=["a\\n", "b\\n"]: one after the other

The clock, and other ways to make the machine a worse one, are those of shim.c, a preload that is
built when the tests begin; where there is no compiler they are skipped.
"""
import atexit
import contextlib
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "bats", "lib"), os.path.join(HERE, "..")]
import popd  # noqa: E402
import world  # noqa: E402
from popd import words  # noqa: E402,F401
from world import Skip, main, syscut, traced  # noqa: E402,F401

HOUR, DAY = 3600, 86400
library = None      # the preload, once it was built
building = threading.Lock()


def shim():
    global library
    with building:
        if library is None:
            folder = tempfile.mkdtemp(prefix="fpshim.")
            atexit.register(shutil.rmtree, folder, True)
            path = os.path.join(folder, "shim.so")
            compiler = os.environ.get("CC", "cc").split()
            made = subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", path,
                                   os.path.join(HERE, "shim.c"), "-ldl"], stderr=subprocess.PIPE)
            library = path if made.returncode == 0 else ""
        if not library:
            raise Skip("no compiler for the clock of our own")
        return library


class Run(world.Run):
    """One run, and the part of the server's record that belongs to it."""

    def __init__(self, status, out, err, conns, seconds):
        super().__init__(status, out, err, None, seconds)
        self.conns = conns
        self.connections = len(conns)
        self.commands = [("%s %s" % c).strip() for conn in conns for c in conn.commands]

    @property
    def said(self):
        return self.err + self.out

    def json(self):
        return json.loads(self.out.splitlines()[0])

    def sessions(self, verb):
        """For each connection, what was asked with this verb."""
        return [[arg for v, arg in conn.commands if v == verb] for conn in self.conns]


class World(world.World):
    def __init__(self):
        super().__init__()
        self.always = ""
        self.args = []                  # options of every run
        self.env = {}                   # environment of every run
        self.server_options = {}
        self._server, self._up = None, True
        self._shift = self.path("shim")
        self.wall = self.slept = 0
        self._set_clock()

    def close(self):
        if self._server and self._up:
            self._server.stop()
        subprocess.run(["chmod", "-R", "u+rwX", self.top], stderr=subprocess.DEVNULL)
        super().close()

    # ---- time -----------------------------------------------------------------------------------

    def _set_clock(self):
        with open(self._shift, "r+b" if os.path.exists(self._shift) else "wb") as f:
            f.write(struct.pack("qq", int(self.wall), int(self.slept)))

    def later(self, days=0, hours=0, minutes=0, seconds=0):
        self.wall += days * DAY + hours * HOUR + minutes * 60 + seconds
        self._set_clock()

    def at(self, year, month=1, day=1, hour=12):
        """Puts the clock to noon, or another hour, of that day, UTC."""
        self.wall = 0
        self.later(seconds=self.epoch(year, month, day, hour) - time.time())

    @staticmethod
    def epoch(year, month, day, hour=12):
        import calendar
        return calendar.timegm((year, month, day, hour, 0, 0))

    def now(self):
        return time.time() + self.wall

    def sleep_machine(self, hours):
        """The machine has been asleep: the wall clock and CLOCK_BOOTTIME went on, nothing else did."""
        self.slept += hours * HOUR
        self.later(hours=hours)

    # ---- the server -----------------------------------------------------------------------------

    @property
    def server(self):
        if self._server is None:
            self._server = popd.Server(self.box, script=self.always, clock=self.now,
                                       **self.server_options)
            self._server.start()
            self.port = self._server.port
        return self._server

    def record(self):
        return list(self._server.conns) if self._server else []

    @contextlib.contextmanager
    def offline(self):
        """Nobody listens at the server's port."""
        port = self.server.port
        self._server.stop()
        self._up = False
        try:
            yield
        finally:
            before = self._server
            self._server = popd.Server(self.box, script=self.always, clock=self.now, port=port,
                                       **self.server_options)
            self._server.conns = before.conns
            self._server.start()
            self._up = True

    def hidden(self):
        return popd.Mailbox(self.box).hidden()

    def left(self):
        """What is on the server, shown or not."""
        return sorted(m.name for m in popd.Mailbox(self.box).list()) + self.hidden()

    def put_raw(self, name, data):
        """A message byte for byte, with \\n as its line end."""
        with open(os.path.join(self.box, name), "wb") as f:
            f.write(data)
        self.names[data if data.endswith(b"\n") or not data else data + b"\n"] = name

    # ---- runs -----------------------------------------------------------------------------------

    def write_rc(self, port, top="", **more):
        path = super().write_rc(port, **more)
        if top:
            with open(path) as f:
                text = f.read()
            with open(path, "w") as f:
                f.write(top + "\n" + text)
        return path

    def environment(self, more=None):
        env = super().environment()
        env.update(LD_PRELOAD=shim(), SHIM=self._shift, LSAN_OPTIONS="detect_leaks=0")
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        env.update(self.env)
        env.update(more or {})
        return env

    def command(self, *args, before=(), state=None, **account):
        port = account.pop("port", None) or (self._server.port if not self._up else self.server.port)
        rc = self.write_rc(port, **account)
        return [*before, world.FETCHPOP, "-f", rc, "--state-dir", state or self.state, *self.args, *args]

    def start(self, *args, script=None, before=(), env=None, state=None, words=subprocess.PIPE,
              **account):
        """Begin a run and leave it running."""
        if self._up:
            self.server.play([self.always, *([script] if isinstance(script, str) else script or [])])
        command = self.command(*args, before=before, state=state, **account)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                                env=self.environment(env))

    def run(self, *args, script=None, before=(), limit=60, env=None, tty=False, typed="", state=None,
            **account):
        if self._up:
            self.server.play([self.always, *([script] if isinstance(script, str) else script or [])])
        seen = len(self.record())
        command = self.command(*args, before=before, state=state, **account)
        begin = time.monotonic()
        status, out, err = on_terminal(command, self.environment(env), limit, typed) if tty \
            else in_silence(command, self.environment(env), limit)
        if status is None:
            self.need(False, "the program did not end in %d s" % limit)
        if self._up:
            self.server.settle(5)
            self.need(not self.server.faults, "popd itself failed", self.server.faults)
        return Run(status, out.decode("utf-8", "surrogateescape"),
                   err.decode("utf-8", "surrogateescape"), self.record()[seen:],
                   time.monotonic() - begin)

    def fine(self, *args, **more):
        run = self.run(*args, **more)
        self.need(run.status == 0 and run.err == "", "a run that should just be fine", run)
        return run

    def status(self, **account):
        return self.run("--status", **account).out

    def polls(self, count, minutes, *args, **more):
        """So many runs, so many minutes apart."""
        runs = []
        for _ in range(count):
            runs.append(self.run(*args, **more))
            self.later(minutes=minutes)
        return runs

    # ---- what there is afterwards ---------------------------------------------------------------

    def held_files(self):
        """Paths of the messages that are kept in held/ of the state folder."""
        return sorted(os.path.join(top, name)
                      for top, _, names in os.walk(os.path.join(self.state, "held")) for name in names)

    def need_all(self, names, *places, when=""):
        """None of these is lost; one may be there twice."""
        found = self.stored(*places)
        missing = [n for n in names if not found[n]]
        return self.need(not missing, "none of %d messages is lost%s" % (
            len(names), when and ", " + when), "missing: %s" % missing[:8])

    def need_nothing_held(self, **account):
        said = self.status(**account)
        return self.need(not world.counts_held(said), "nothing is held", said)


def wait_for(condition, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def kill_tree(pid):
    """SIGKILL to a process and all that came of it, from the top down."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            below = [int(p) for p in f.read().split()]
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in below:
        kill_tree(child)


def in_silence(command, env, limit):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=env, start_new_session=True)
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        return None, out, err
    return child.returncode, out, err


def on_terminal(command, env, limit, typed=""):
    """Everything is one terminal; what was shown is given as standard error. A question, which ends in
    "? ", "] " or ": ", is answered with what is typed."""
    answers = [typed] if isinstance(typed, str) else list(typed)
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, dict(env, TERM="dumb"))
    shown, until = [], time.monotonic() + limit
    timer = threading.Timer(limit, os.kill, (pid, signal.SIGKILL))
    timer.start()
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        shown.append(data)
        if answers and data.endswith((b"? ", b"] ", b": ")):
            os.write(fd, answers.pop(0).encode())
    timer.cancel()
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    late = time.monotonic() > until
    return None if late else os.waitstatus_to_exitcode(status), b"", b"".join(shown)


def mda(w, end="", record="got"):
    """A command that files the message in an mbox of its own making, and then ends with `end`."""
    return 'cat >>%s; echo >>%s; %s' % (w.path(record), w.path(record), end or "exit 0")


class Agent:
    """A delivery command whose behaviour changes: w.mda = Agent(w); agent.does("exit 75").

    What it delivers is one file a message in its folder; it says no before that, if it does."""

    def __init__(self, w, name="agent"):
        self.w = w
        self.folder, self.script = w.path(name + ".d"), w.path(name)
        os.mkdir(self.folder)
        self.does("")

    def does(self, first):
        """A line of shell to be run first: it may exit. $FETCHPOP_UIDL and the others are there."""
        with open(self.script + ".new", "w") as f:
            # As maildir(5) does: what is killed in the midst of a message has delivered nothing.
            f.write("#!/bin/sh\n%s\ncd %s && name=$$.%s && cat >.$name && exec mv .$name $name\n"
                    % (first, self.folder, "$(date +%s%N)"))
        os.chmod(self.script + ".new", 0o755)
        os.rename(self.script + ".new", self.script)

    def __str__(self):
        return self.script

    def contents(self):
        for name in sorted(n for n in os.listdir(self.folder) if not n.startswith(".")):
            with open(os.path.join(self.folder, name), "rb") as f:
                yield f.read()

    def stored(self):
        found = Counter()
        for data in self.contents():
            found[self.w.names.get(data, "unknown: %r" % data[:80])] += 1
        return found

    def need_each(self, times, names, when=""):
        found = self.stored()
        wrong = {n: found[n] for n in names if found[n] != times}
        wrong.update({n: c for n, c in found.items() if n not in names})
        return self.w.need(not wrong, "each of %d given to the command %d times%s" % (
            len(names), times, when and ", " + when), "not so: %s" % dict(list(wrong.items())[:6]))


world.World = World  # which its try_case makes
