#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""fetchpop -d: polls again and again, HUP, USR1 and TERM, what a service manager hears, the log file
and syslog. Nothing here hangs on time but the deadlines of what has to happen."""
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from world import popd  # noqa: E402

DEADLINE = 60
NEVER = "1d"        # an interval that no test lives to see the end of


def wait(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Account:
    """A mailbox of its own on the server, and a Maildir."""

    def __init__(self, w, title, **keys):
        self.w, self.title = w, title
        self.box, self.maildir = w.path("box-" + title), w.path("mail-" + title)
        os.makedirs(self.box, exist_ok=True)
        self.keys = dict(server="127.0.0.1", tls="none", auth="user", user=title, password="secret",
                         timeout="20s", maildir=self.maildir)
        self.keys.update(keys)

    def put(self, *names):
        for name in names:
            before, self.w.box = self.w.box, self.box
            self.w.put(name)
            self.w.box = before

    def text(self, port, **more):
        keys = dict({"port": port}, **self.keys)
        keys.update(more)
        return 'account "%s" {\n%s}\n' % (self.title, "".join(
            "    %s = '%s'\n" % item for item in keys.items() if item[1] is not None))

    def has(self, *names):
        found = self.w.stored(self.maildir)
        return all(found[n] for n in names)


def serve(accounts, **more):
    return popd.Server(accounts[0].w.box, users={
        a.title: ("secret", a.box) for a in accounts}, **more)


def read(path):
    try:
        with open(path, encoding="latin-1") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def polls(server, title):
    return server.commands().count("USER " + title)


def write_rc(w, text):
    """In one step, as an editor does."""
    path = w.path("rc")
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)
    return path


class Daemon:
    def __init__(self, w, *args, env=None, before=(), stdin=None, cwd=None):
        self.w = w
        self.err = w.path("stderr")
        with open(self.err, "ab") as err, open(w.path("stdout"), "ab") as out:
            self.child = subprocess.Popen(
                [*before, world.FETCHPOP, "--state-dir", w.state, *args], stdout=out, stderr=err,
                stdin=stdin or subprocess.DEVNULL, env=w.environment(env), cwd=cwd)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def send(self, number):
        self.child.send_signal(number)

    def said(self):
        return read(self.err)

    def heard(self, words):
        return wait(lambda: words in self.said())

    def end(self):
        """TERM; it has to end with 0."""
        self.send(signal.SIGTERM)
        return self.ended()

    def ended(self):
        try:
            status = self.child.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            status = None
        self.w.need(status == 0, "told to end, it exits 0", status, self.said())
        return status


def children(pid):
    return read("/proc/%d/task/%d/children" % (pid, pid)).split()


# ---- again and again -------------------------------------------------------------------------------


def again(w):
    a = Account(w, "a")
    a.put("m1")
    with serve([a]) as server, Daemon(w, "-d", "1", "-f", write_rc(w, a.text(server.port))) as d:
        w.need(wait(lambda: a.has("m1")), "the first poll is at once", d.said())
        a.put("m2")
        w.need(wait(lambda: a.has("m2")), "a later poll brings what came later", d.said())
        w.need(wait(lambda: polls(server, "a") >= 4), "and on it goes")
        d.end()
        w.need(d.said() == "" and read(w.path("stdout")) == "", "nobody looks on: nothing is said",
               d.said())
    w.need_each(1, ["m1", "m2"], a.maildir)


def hung(w):
    """A server that never answers delays nobody else, and is not called twice at once."""
    a, b = Account(w, "a"), Account(w, "b", timeout="1h", session_timeout="1h")
    with serve([a]) as server, popd.Server(w.box, script="on greeting: hang") as mute:
        rc = write_rc(w, b.text(mute.port) + a.text(server.port))
        with Daemon(w, "-d", "1", "-f", rc) as d:
            w.need(wait(lambda: polls(server, "a") >= 4), "the other is polled on and on", d.said())
            w.need(len(mute.conns) == 1, "one poll at a time", len(mute.conns))
            d.end()


def terminated_idle(w):
    a = Account(w, "a")
    with serve([a]) as server:
        rc = write_rc(w, a.text(server.port))
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            w.need(server.wait_for("QUIT", DEADLINE), "polled once", d.said())
            w.need(wait(lambda: not children(d.child.pid)), "nothing runs")
            d.end()
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            w.need(wait(lambda: polls(server, "a") == 2 and not children(d.child.pid)), "again")
            d.send(signal.SIGINT)
            d.ended()


def terminated_busy(w):
    """In the middle of a message: what is whole is delivered, the rest comes in the next run."""
    a = Account(w, "a")
    names = ["m%d" % i for i in range(1, 6)]
    a.put(*names)
    sign = w.path("sign")
    script = 'on x1 RETR 4: touch "%s"; answer; hang' % sign
    half = 'on x1 RETR 4: touch "%s"; text "+OK\\r\\nSubject: half"; hang' % sign
    for script in (script, half):
        with serve([a], script=script) as server:
            rc = write_rc(w, a.text(server.port))
            with Daemon(w, "-d", NEVER, "-f", rc) as d:
                w.need(wait(lambda: os.path.exists(sign)), "in the middle of it", d.said())
                d.end()
        w.need_clean(a.maildir)
        with serve([a]) as server:
            run = subprocess.run([world.FETCHPOP, "-f", write_rc(w, a.text(server.port)),
                                  "--state-dir", w.state], env=w.environment(), check=False)
            w.need(run.returncode == 0, "the next run", run)
        w.need_each(1, names, a.maildir)
        os.unlink(sign)
        a.put("n1", "n2", "n3", "n4", "n5")
        for name in names:
            os.unlink(os.path.join(a.box, name))
        names = ["n1", "n2", "n3", "n4", "n5"]
        for folder in ("new", "cur"):
            for name in os.listdir(os.path.join(a.maildir, folder)):
                os.unlink(os.path.join(a.maildir, folder, name))


# ---- HUP and USR1 ----------------------------------------------------------------------------------


def usr1(w):
    a, b = Account(w, "a"), Account(w, "b")
    with serve([a, b]) as server:
        rc = write_rc(w, a.text(server.port) + b.text(server.port))
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            w.need(wait(lambda: polls(server, "a") == polls(server, "b") == 1 and
                        not children(d.child.pid)), "both polled once", d.said())
            a.put("m1")
            b.put("m2")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: a.has("m1") and b.has("m2")), "both polled now", d.said())
            d.end()


def usr1_busy(w):
    """Mail that came behind the listing of a poll under way is fetched by another one."""
    a = Account(w, "a")
    a.put("m1")
    sign = w.path("sign")
    script = 'on x1 RETR 1: touch "%s"; sleep 1500' % sign
    with serve([a], script=script) as server:
        with Daemon(w, "-d", NEVER, "-f", write_rc(w, a.text(server.port))) as d:
            w.need(wait(lambda: os.path.exists(sign)), "a poll is under way", d.said())
            a.put("m2")
            for _ in range(50):
                d.send(signal.SIGUSR1)
            w.need(wait(lambda: a.has("m1", "m2")), "another one brings the new message", d.said())
            d.end()
        w.need(polls(server, "a") == 2, "and many words are one", server.commands())
    w.need_each(1, ["m1", "m2"], a.maildir)


def paces(w):
    """An interval of its own, longer or shorter than the others'."""
    for every, own in (("1", NEVER), (NEVER, "1s")):
        a, b = Account(w, "a"), Account(w, "b", interval=own)
        quick, slow = ("a", "b") if every == "1" else ("b", "a")
        with serve([a, b]) as server:
            with Daemon(w, "-d", every, "-f", write_rc(
                    w, a.text(server.port) + b.text(server.port))) as d:
                w.need(wait(lambda: polls(server, quick) >= 4), "the quick one", d.said())
                d.end()
            w.need(polls(server, slow) == 1, "the slow one", server.commands())


def pauses(w):
    """After failures in a row there is a pause. USR1 does not mind it."""
    a = Account(w, "a")
    a.put("m1")
    with serve([a], script='on x3 USER: err "[SYS/TEMP] busy"') as server:
        rc = write_rc(w, a.text(server.port))
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            for count in (1, 2, 3):
                w.need(wait(lambda: polls(server, "a") == count and not children(d.child.pid)),
                       "failure %d" % count, d.said())
                d.send(signal.SIGUSR1)
            w.need(wait(lambda: a.has("m1")), "now, and not after the pause", d.said())
            w.need(d.heard("a: reachable again after 3 failed runs") and
                   d.said().count("\n") == 2 and "temporary failure" in d.said(),
                   "what was said", d.said())
            d.end()


def refused_secret(w):
    """Not tried again, not even with USR1; but who asks for a poll so is told why there is none."""
    a = Account(w, "a", password="wrong")
    b = Account(w, "b")
    with serve([a, b]) as server:
        rc = write_rc(w, a.text(server.port) + b.text(server.port))
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            for count in (1, 2, 3):
                w.need(wait(lambda: polls(server, "b") == count and not children(d.child.pid)),
                       "poll %d" % count, d.said())
                w.need(wait(lambda: d.said().count("\n") == count), "one word a poll", d.said())
                if count < 3:
                    d.send(signal.SIGUSR1)
            d.end()
            w.need(server.commands().count("PASS wrong") == 1, "one try", server.commands())
            words = d.said().splitlines()
            w.need(len(words) == 3 and all(
                re.fullmatch(r"fetchpop: a: login refused by .*; next try again at [0-9: -]+; --force now\)", x)
                for x in words), "what was refused, and when it is tried again", words)
        log = w.path("log")
        with Daemon(w, "-d", NEVER, "-f", rc, "-L", log) as d:
            w.need(wait(lambda: read(log).count("error: a: ") == 1), "a log holds each", read(log))
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: read(log).count("error: a: ") == 2), "and again", read(log))
            write_rc(w, a.text(server.port, password="secret") + b.text(server.port))
            d.send(signal.SIGHUP)
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: polls(server, "a") == 2), "another secret is tried", read(log))
            d.end()


def hup(w):
    a, b, c = (Account(w, title) for title in "abc")
    with serve([a, b, c]) as server:
        port = server.port
        rc = write_rc(w, a.text(port) + b.text(port))
        with Daemon(w, "-d", NEVER, "-f", rc) as d:
            w.need(wait(lambda: polls(server, "a") == polls(server, "b") == 1 and
                        not children(d.child.pid)), "the first file", d.said())
            elsewhere = w.path("elsewhere")
            write_rc(w, a.text(port, maildir=elsewhere) + c.text(port))
            c.put("m1")
            d.send(signal.SIGHUP)
            w.need(wait(lambda: c.has("m1")), "a new account is polled at once", d.said())
            a.put("m2")
            b.put("m3")
            c.put("m4")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: c.has("m4") and w.stored(elsewhere)["m2"]),
                   "a change holds from the next poll on", d.said())
            w.need(wait(lambda: not children(d.child.pid)), "all done")
            w.need(polls(server, "b") == 1, "what is gone is not polled", server.commands())

            write_rc(w, a.text(port).replace("{", "{\n nonsense = 1"))
            d.send(signal.SIGHUP)
            w.need(d.heard("the old configuration file is kept: "), "a bad file is refused", d.said())
            w.need(":2: no such key: \"nonsense\"" in d.said(), "and what is wrong with it", d.said())
            os.unlink(rc)
            d.send(signal.SIGHUP)
            w.need(wait(lambda: d.said().count("the old configuration file is kept: ") == 2), "none", d.said())
            c.put("m5")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: c.has("m5")), "the old one goes on", d.said())
            d.end()


def hup_busy(w):
    """A worker ends with what it began with, also if its account is not there any more."""
    a, b = Account(w, "a"), Account(w, "b")
    a.put("m1", "m2")
    sign, go = w.path("sign"), threading.Event()
    script = [("RETR 1", ("touch", sign), ("call", lambda conn: go.wait(DEADLINE)))]
    with serve([a, b], script=script) as server:
        with Daemon(w, "-d", NEVER, "-f", write_rc(w, a.text(server.port))) as d:
            w.need(wait(lambda: os.path.exists(sign)), "a poll is under way", d.said())
            write_rc(w, b.text(server.port))
            d.send(signal.SIGHUP)
            w.need(wait(lambda: polls(server, "b") == 1), "the new one does not wait", d.said())
            go.set()
            w.need(wait(lambda: a.has("m1", "m2")), "the old one ends well", d.said())
            w.need(wait(lambda: not children(d.child.pid)), "all done")
            # All of its mailbox was new, so that poll looks for more once.
            w.need(polls(server, "a") == 2, "the old one's own poll", server.commands())
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: polls(server, "b") == 2), "on with what is in the file")
            d.end()
        w.need(polls(server, "a") == 2, "and with no more than that", server.commands())


def hup_input(w):
    a = Account(w, "a")
    with serve([a]) as server:
        with open(write_rc(w, a.text(server.port)), "rb") as f, \
                Daemon(w, "-d", NEVER, "-f", "-", stdin=f) as d:
            w.need(wait(lambda: polls(server, "a") == 1), "read from standard input", d.said())
            d.send(signal.SIGHUP)
            w.need(d.heard("the configuration file came from standard input"), "HUP says so", d.said())
            a.put("m1")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: a.has("m1")), "and it goes on", d.said())
            d.end()


def on_terminal(w, rc, log, before=()):
    """The daemon, and the other end of a terminal of its own."""
    master, slave = os.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    child = subprocess.Popen(
        [*before, world.FETCHPOP, "-d", NEVER, "-f", rc, "--state-dir", w.state, "-L", log],
        stdin=slave, stdout=slave, stderr=slave, env=w.environment(), preexec_fn=own_terminal,
        pass_fds=(slave,))
    os.close(slave)
    return child, master


def left(w):
    """The window is closed: nobody would see the daemon any more, nor end it."""
    a = Account(w, "a")
    with serve([a]) as server:
        log = w.path("log")
        child, master = on_terminal(w, write_rc(w, a.text(server.port)), log)
        try:
            w.need(wait(lambda: polls(server, "a") == 1 and not children(child.pid)), "polled", read(log))
            child.send_signal(signal.SIGHUP)
            w.need(wait(lambda: "read again" in read(log)), "with a terminal, HUP reads again", read(log))
            os.close(master)
            w.need(child.wait(DEADLINE) == 0, "without it, HUP ends it", read(log))
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()


def outlived(w):
    """Started by nohup, HUP of the closed window is none to it; nor is one of later to a daemon in the
    background of a shell that has ended, as logrotate sends it."""
    a = Account(w, "a")
    with serve([a]) as server:
        rc, log = write_rc(w, a.text(server.port)), w.path("log")
        child, master = on_terminal(w, rc, log, before=("nohup",))
        try:
            w.need(wait(lambda: polls(server, "a") == 1 and not children(child.pid)), "polled", read(log))
            os.close(master)
            w.need(wait(lambda: "read again" in read(log)), "nohup: HUP reads again", read(log))
            w.need(child.poll() is None, "it goes on", read(log))
        finally:
            child.kill()
            child.wait()
        pid = w.path("pid")
        shell, master = on_terminal(w, rc, log, before=(
            "sh", "-c", 'set -m; "$@" & echo $! >"$0.new"; mv "$0.new" "$0"; read line', pid))
        w.need(wait(lambda: os.path.exists(pid) and polls(server, "a") == 2), "polled", read(log))
        daemon = int(read(pid))
        try:
            os.write(master, b"\n")
            shell.wait(DEADLINE)
            os.close(master)
            os.kill(daemon, signal.SIGUSR1)
            w.need(wait(lambda: polls(server, "a") == 3), "it goes on", read(log))
            time.sleep(6)  # longer than a HUP takes to come of a closed window
            before = read(log).count("read again")
            os.kill(daemon, signal.SIGHUP)
            w.need(wait(lambda: read(log).count("read again") > before), "HUP reads again", read(log))
        finally:
            if os.path.exists("/proc/%d" % daemon):
                os.kill(daemon, signal.SIGTERM)
            wait(lambda: not os.path.exists("/proc/%d" % daemon))


def typed(w):
    """What was typed on the terminal lasts over a HUP; a new account cannot ask."""
    a, b = Account(w, "a", password=None), Account(w, "b", password=None)
    a.put("m1")
    with serve([a, b]) as server:
        rc = write_rc(w, a.text(server.port))
        log = w.path("log")
        child, master = on_terminal(w, rc, log)
        try:
            seen = b""
            while b"Password for a" not in seen:
                seen += os.read(master, 100)
            time.sleep(0.1)     # what is typed before the echo is off is thrown away
            os.write(master, b"secret\n")
            w.need(wait(lambda: a.has("m1")), "the password was typed", read(log))
            write_rc(w, a.text(server.port) + b.text(server.port))
            child.send_signal(signal.SIGHUP)
            w.need(wait(lambda: "b: no password" in read(log)), "b has none", read(log))
            a.put("m2")
            child.send_signal(signal.SIGUSR1)
            w.need(wait(lambda: a.has("m2")), "a has the old one", read(log))
            child.send_signal(signal.SIGTERM)
            w.need(child.wait(DEADLINE) == 0, "ends well")
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            os.close(master)
        w.need(polls(server, "b") == 0, "b was not polled")


# ---- the service manager -----------------------------------------------------------------------------


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(DEADLINE)

    def next(self, want):
        """The next datagram that begins so; those that come at any time are passed over."""
        while True:
            text = self.socket.recv(4096).decode()
            if text.startswith(want):
                return text
            if not text.startswith(("STATUS=", "WATCHDOG=1")):
                return "not wanted: " + text


def notified(w):
    a = Account(w, "a", password=None, password_command="env >%s; echo secret" % w.path("env"))
    for address, name in ((w.path("notify"), w.path("notify")),
                          ("\0fetchpop-%d-%d" % (os.getpid(), id(w)),) * 2):
        manager = Manager(address)
        env = {"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "200000"}
        with serve([a]) as server:
            rc = write_rc(w, a.text(server.port))
            with Daemon(w, "-d", NEVER, "-f", rc, env=env) as d:
                w.need(manager.next("READY=1") == "READY=1", "ready", d.said())
                for _ in range(3):
                    w.need(manager.next("WATCHDOG=1") == "WATCHDOG=1", "alive, and again")
                w.need(server.wait_for("QUIT", DEADLINE), "polled")
                sent = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                d.send(signal.SIGHUP)
                text = manager.next("RELOADING=1")
                now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                match = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", text)
                w.need(match and sent <= int(match[1]) <= now, "reloading", text)
                w.need(manager.next("READY=1") == "READY=1", "ready once more")
                write_rc(w, "nonsense")
                d.send(signal.SIGHUP)
                w.need(manager.next("RELOADING=1").startswith("RELOADING=1"), "reloading")
                w.need(manager.next("READY=1") == "READY=1", "ready with the old file")
                d.send(signal.SIGTERM)
                w.need(manager.next("STOPPING=1") == "STOPPING=1", "stopping")
                d.ended()
        told = read(w.path("env"))
        w.need("HOME=" in told and "NOTIFY_SOCKET" not in told and "WATCHDOG" not in told,
               "a command does not speak for us", told)
        manager.socket.close()


def watchdog_of_another(w):
    """WATCHDOG_PID of another process: no sign of life is wanted from us."""
    a = Account(w, "a")
    manager = Manager(w.path("notify"))
    env = {"NOTIFY_SOCKET": w.path("notify"), "WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}
    with serve([a]) as server, Daemon(w, "-d", "1", "-f", write_rc(w, a.text(server.port)),
                                      env=env) as d:
        w.need(wait(lambda: polls(server, "a") >= 2), "polled", d.said())
        d.end()
    manager.socket.setblocking(False)
    texts = []
    try:
        while True:
            texts.append(manager.socket.recv(4096).decode())
    except BlockingIOError:
        pass
    w.need("READY=1" in texts and "STOPPING=1" in texts and "WATCHDOG=1" not in texts, "no pulse",
           texts)
    w.need(any(t == "STATUS=1 account, 0 being polled" for t in texts), "a status", texts)


def late_manager(w):
    """Nobody listens at NOTIFY_SOCKET: mail comes all the same."""
    a = Account(w, "a")
    a.put("m1")
    with serve([a]) as server:
        for name in (w.path("nobody"), "@nobody-%d" % id(w), "relative", "@", "/" * 200, ""):
            count = polls(server, "a")
            with Daemon(w, "-d", NEVER, "-f", write_rc(w, a.text(server.port)),
                        env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "x"}) as d:
                w.need(wait(lambda: polls(server, "a") > count), "polled", name, d.said())
                d.end()
    w.need_each(1, ["m1"], a.maildir)


# ---- logs --------------------------------------------------------------------------------------------

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \[\d+\] (error|warning|note|trace): .+")


def rotated(w):
    a = Account(w, "a")
    a.put("m1")
    log, old = w.path("log"), w.path("log.1")
    with serve([a]) as server:
        rc = write_rc(w, a.text(server.port))
        with Daemon(w, "-d", NEVER, "-f", rc, "-L", log, env={"TZ": "XXX-05:30"}) as d:
            w.need(wait(lambda: "] note: a: 1 new (" in read(log)), "a summary", read(log))
            w.need("] note: polls 1 account every 24h" in read(log).splitlines()[0], "it begins",
                   read(log))
            w.need(os.stat(log).st_mode & 0o777 == 0o600, "private")
            os.rename(log, old)
            d.send(signal.SIGHUP)
            w.need(wait(lambda: "read again; 1 account\n" in read(log)), "a new file", read(log))
            before = read(old)
            a.put("m2")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: "note: a: 1 new (" in read(log)), "goes on there", read(log))
            w.need(read(old) == before, "and not in the old one", read(old))
            count = polls(server, "a")
            d.send(signal.SIGUSR1)
            w.need(wait(lambda: polls(server, "a") > count and not children(d.child.pid)), "polled")
            os.mkdir(w.path("away"))
            os.rename(log, w.path("away/log"))
            os.mkdir(log)
            d.send(signal.SIGHUP)
            w.need(wait(lambda: "the old log file is kept" in read(w.path("away/log"))),
                   "a log file that cannot be opened any more", d.said())
            d.end()
        text = read(old) + read(w.path("away/log"))
        w.need(all(LINE.fullmatch(line) for line in text.splitlines()), "each line", text)
        w.need("+05:30 [%d] " % d.child.pid in text, "the local time, and which process", text)
        w.need(text.count(" new (") == 2 and "no new mail" not in text, "only what is new", text)
        w.need(d.said() == "" and read(w.path("stdout")) == "", "nothing elsewhere", d.said())


def once(w, *args, before=(), env=None):
    """One run, not a daemon: (status, standard output, standard error)"""
    run = subprocess.run([*before, world.FETCHPOP, "--state-dir", w.state, *args],
                         env=w.environment(env), capture_output=True, text=True, check=False,
                         stdin=subprocess.DEVNULL, timeout=DEADLINE)
    return run.returncode, run.stdout, run.stderr


def logged_once(w):
    a, b = Account(w, "a"), Account(w, "b", password="wrong")
    a.put("m1")
    log = w.path("log")
    with serve([a, b]) as server:
        rc = write_rc(w, a.text(server.port) + b.text(server.port))
        run = once(w, "-f", rc, "-L", log)
        w.need(run == (77, "", ""), "all in the log", run)
        w.need("] error: b: login refused" in read(log) and "] note: a: 1 new (" in read(log),
               "error and summary", read(log))
        os.unlink(log)
        run = once(w, "-f", rc, "-L", log, "a")
        w.need(run == (0, "", "") and read(log) == "", "no word where nothing is new", run,
               read(log))
        run = once(w, "-f", rc, "-s", "-L", log, "b")
        w.need(run == (77, "", "") and read(log).count("\n") == 1 and "] error: b: " in read(log),
               "-s: errors alone", run, read(log))
        run = once(w, "-f", rc, "-v", "-L", log, "a")
        w.need(run == (0, "", "") and re.search(r"\] trace: a: .*USER a", read(log)),
               "-v: the conversation", run, read(log))
        w.need("secret" not in read(log), "and no secret", read(log))
        run = once(w, "-f", rc, "-L", log, "--status", "a")
        w.need(run[0] == 0 and "nothing failed" in run[1], "answers are for standard output", run)
        write_rc(w, "nonsense")
        run = once(w, "-f", rc, "-L", log)
        w.need(run[0] == 78 and run[2].startswith("fetchpop: ") and "] error: " in read(log),
               "what ends it before it began is on standard error, too", run, read(log))


def refused_log(w):
    """Before anything is polled, and nothing is written to what is not ours."""
    a = Account(w, "a")
    a.put("m1")
    for name in ("one", "other"):
        with open(w.path(name), "w") as f:
            f.write("x\n")
    os.symlink(w.path("one"), w.path("link"))
    os.link(w.path("other"), w.path("hard"))
    os.mkfifo(w.path("fifo"))
    os.mkdir(w.path("folder"))
    names = ["link", "hard", "fifo", "folder", "no/such/folder"]
    if os.geteuid() == 0:
        with open(w.path("foreign"), "w"):
            pass
        os.chown(w.path("foreign"), 65534, 65534)
        names.append("foreign")
    with serve([a]) as server:
        rc = write_rc(w, a.text(server.port))
        for name in names:
            run = once(w, "-f", rc, "-L", w.path(name))
            w.need(run[0] == 73 and run[1] == "" and
                   re.fullmatch(r"fetchpop: \S+/%s: [^\n]+; [^\n]+\n" % name, run[2]), name, run)
        w.need(not server.conns, "nothing was polled")
    w.need(read(w.path("one")) == read(w.path("other")) == "x\n", "nothing was written")


def full_log(w):
    """A disk that is full of log costs lines, and no mail; and errors are not lost."""
    a, b = Account(w, "a"), Account(w, "b", password="wrong")
    names = ["m%d" % i for i in range(1, 9)]
    a.put(*names)
    folder = w.path("disk")
    world.mount(folder, "size=16k")
    log, stuff = os.path.join(folder, "log"), os.path.join(folder, "stuff")
    try:
        with serve([a, b]) as server:
            with open(log, "w") as f:
                f.write("x" * 4000 + "\n")
            with open(stuff, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            rc = write_rc(w, a.text(server.port))
            run = once(w, "-f", rc, "-v", "-L", log)
            w.need(run == (0, "", ""), "ran well", run)
            w.need_each(1, names, a.maildir)
            w.need(not read(log).endswith("\n"), "the last line was cut short", read(log)[-200:])
            run = once(w, "-f", write_rc(w, b.text(server.port)), "-L", log)
            w.need(run[0] == 77 and "error: b: login refused" in run[2] and run[2].count("\n") == 1 and
                   "cannot log to %s: No space left" % log in run[2],
                   "an error that the log does not take goes to standard error", run)
            rc = write_rc(w, a.text(server.port))
            before = polls(server, "a")
            with Daemon(w, "-d", NEVER, "-f", rc, "-v", "-L", log) as d:
                w.need(wait(lambda: polls(server, "a") == before + 1 and
                            not children(d.child.pid)), "full", server.commands())
                os.unlink(stuff)
                a.put("n1")
                d.send(signal.SIGUSR1)
                w.need(wait(lambda: a.has("n1")), "mail", d.said())
                d.end()
            fresh = [line for line in read(log).splitlines() if " 1 new (" in line]
            w.need(len(fresh) == 1 and LINE.fullmatch(fresh[0]),
                   "and whole lines when there is room again", read(log)[-300:])
            w.need(re.search(r"\] warning: [1-9][0-9]* line\(s\) before this one could not", read(log)),
                   "and one that says how many are missing", read(log)[-300:])
            run = once(w, "-f", rc, "-v", "-L", log,
                       before=("sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"))
            w.need(run[0] in (0, 75), "a limit on the size of files is no signal", run)
    finally:
        world.unmount(folder)


SYSLOG = """set -e
mount -t tmpfs none "$1"
for f in null urandom random tty; do
    [ -e /dev/$f ] || continue
    : >"$1/$f"
    mount --bind /dev/$f "$1/$f"
done
mkdir "$1/there"
mount --bind "$2" "$1/there"
ln -s there/log "$1/log"
mount --move "$1" /dev
shift 2
exec "$@"
"""


def syslogged(w):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False,
                                           stderr=subprocess.DEVNULL).returncode != 0:
        raise world.Skip("no mount namespace for a /dev/log of our own")
    a, b = Account(w, "a"), Account(w, "b", password="wrong")
    a.put("m1")
    os.mkdir(w.path("dev"))
    os.mkdir(w.path("there"))
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(w.path("there/log"))
    log.settimeout(DEADLINE)
    with serve([a, b]) as server:
        rc = write_rc(w, a.text(server.port) + b.text(server.port))
        before = ["unshare", "-m", "--propagation", "private", "sh", "-c", SYSLOG, "sh",
                  w.path("dev"), w.path("there")]
        run = once(w, "-f", rc, "--syslog", "-L", w.path("log"), before=before)
    w.need(run == (77, "", ""), "all in the log", run)
    log.setblocking(False)
    lines = []
    try:
        while True:
            lines.append(log.recv(4096).decode("latin-1"))
    except BlockingIOError:
        pass
    text = "\n".join(lines)
    mail = 2 << 3
    w.need(any(re.fullmatch(r"<%d>.* fetchpop\[\d+\]: b: login refused.*" % (mail | 3), x)
               for x in lines), "an error", text)
    w.need(any(re.fullmatch(r"<%d>.* fetchpop\[\d+\]: a: 1 new \(.*" % (mail | 5), x)
               for x in lines), "a summary", text)
    w.need("a: 1 new (" in read(w.path("log")), "both at once", read(w.path("log")))


# ---- nothing grows -----------------------------------------------------------------------------------


def anonymous_kb(pid):
    return int(re.search(r"^RssAnon:\s*(\d+) kB", read("/proc/%d/status" % pid), re.M)[1])


def steady(w):
    """1000 polls of 5 accounts, called for without pause."""
    accounts = [Account(w, title) for title in "abcde"]
    with serve(accounts) as server:
        rc = write_rc(w, "".join(a.text(server.port) for a in accounts))
        with Daemon(w, "-d", "1", "-f", rc) as d:
            pid = d.child.pid
            w.need(wait(lambda: len(server.conns) >= 5), "it listens to signals now")

            def reach(count):
                while sum(1 for _ in server.conns) < count and d.child.poll() is None:
                    d.send(signal.SIGUSR1)
                    time.sleep(0.005)

            def look():
                while any(os.path.exists("/proc/%s" % c) for c in children(pid)):
                    time.sleep(0.01)
                fds = len(os.listdir("/proc/%d/fd" % pid)) if os.geteuid() == 0 else 0
                return fds, anonymous_kb(pid)
            reach(100)
            before = look()
            reach(1100)
            after = look()
            w.need(len(server.conns) >= 1100, "1100 polls", len(server.conns))
            w.need(after[0] <= before[0] + 2, "descriptors", before, after)
            if "ASAN_OPTIONS" not in os.environ:
                w.need(after[1] <= before[1] + 64, "memory, kB", before, after)
            d.send(signal.SIGTERM)
            d.ended()
            w.need(d.said() == "", "nothing to say", d.said()[-2000:])


def steady_hup(w):
    """300 configurations, with more accounts, with fewer, and wrong in turn, during polls."""
    few = [Account(w, "a")]
    many = few + [Account(w, title, interval=NEVER) for title in "bcd"]
    manager = Manager(w.path("notify"))
    with serve(many) as server:
        texts = ["".join(a.text(server.port) for a in some) for some in (few, many)] + ["nonsense"]
        with Daemon(w, "-d", "1", "-f", write_rc(w, texts[0]), "-L", w.path("log"),
                    env={"NOTIFY_SOCKET": w.path("notify")}) as d:
            pid = d.child.pid
            manager.next("READY=1")

            def reload(count):
                for i in [*range(count), 0]:
                    write_rc(w, texts[i % 3])
                    d.send(signal.SIGHUP)
                    w.need(manager.next("RELOADING=1").startswith("RELOADING=1"), "heard", i)
                    w.need(manager.next("READY=1") == "READY=1", "read, or refused", i)
                w.need(wait(lambda: not children(pid)), "all done")
                return (len(os.listdir("/proc/%d/fd" % pid)) if os.geteuid() == 0 else 0,
                        anonymous_kb(pid))
            before = reload(300)  # by then malloc has all that it wants
            after = reload(300)
            w.need(after[0] <= before[0] + 2, "descriptors", before, after)
            if "ASAN_OPTIONS" not in os.environ:
                w.need(after[1] <= before[1] + 64, "memory, kB", before, after)
            w.need(len(server.conns) > 100, "polls came and went", len(server.conns))
            d.end()
    text = read(w.path("log"))
    w.need(text.count("the old configuration file is kept") == 200 and "worker" not in text, "the log",
           text[-500:])
    manager.socket.close()


CASES = [
    ("polls again and again, and ends with 0", again),
    ("a hung account delays nobody else", hung),
    ("TERM and INT while nothing runs", terminated_idle),
    ("TERM in the middle of a message: nothing is lost, nothing comes twice", terminated_busy),
    ("USR1 polls now", usr1),
    ("USR1 during a poll: once more after it", usr1_busy),
    ("each account at its own pace", paces),
    ("pauses after failures, and USR1", pauses),
    ("a refused secret", refused_secret),
    ("HUP: added, removed and changed accounts; bad files are refused", hup),
    ("HUP during a poll of an account that goes", hup_busy),
    ("HUP with the configuration file from standard input", hup_input),
    ("HUP keeps what was typed", typed),
    ("HUP of a window that is closed ends it", left),
    ("HUP of a window to a daemon that outlives it", outlived),
    ("what a service manager hears", notified),
    ("the watchdog of another process", watchdog_of_another),
    ("a service manager that is not there", late_manager),
    ("a log file is moved away, and HUP begins another", rotated),
    ("a log file in a single run", logged_once),
    ("log files that are refused", refused_log),
    ("a log file on a full disk", full_log),
    ("syslog", syslogged),
    ("1000 polls: no descriptor, no memory, no process is left", steady),
    ("300 times HUP: nothing is left either", steady_hup),
]

if __name__ == "__main__":
    world.begin_mounts()
    world.main(CASES)
