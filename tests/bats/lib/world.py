# SPDX-License-Identifier: ISC
"""A private world for end-to-end tests in Python: a mailbox, its scripted server, a home, the
configuration, what was delivered. One case is one function of a World; it calls need() for each thing that
has to hold. main() runs the cases of a program and speaks TAP.

    import world
    def some_case(w):
        w.fill(3)
        run = w.run(script='on RETR 2: err "no"')
        w.need(run.status == 65, "status", run)
    world.main([("what holds", some_case)])

The program under test is $FETCHPOP.
"""
import argparse
import concurrent.futures
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
import popd  # noqa: E402

FETCHPOP = os.environ.get("FETCHPOP", "")
DAY = 86400


class Skip(Exception):
    """This case cannot be tried here, and why."""


class Run:
    """What one run of the program did."""

    def __init__(self, status, out, err, server, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds
        self.connections = len(server.conns) if server else 0
        self.commands = server.commands() if server else []
        self.faults = server.faults if server else []
        self.pipelined = sum(c.pipelined for c in server.conns) if server else 0

    def sent(self, verb):
        return [c for c in self.commands if c.split(" ")[0] == verb]

    def __str__(self):
        return "exit status %s, %d connections, standard output %r, standard error %r" % (
            self.status, self.connections, self.out[-600:], self.err[-1500:])


def counts_held(said):
    """What --status said counts messages that are held."""
    return bool(re.search(r"\b[1-9]\d* held\b", said))


class World:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="fpworld.")
        self.box, self.home, self.state = self.path("box"), self.path("home"), self.path("state")
        self.maildir, self.mbox = self.path("mail"), self.path("inbox")
        os.mkdir(self.box)
        os.mkdir(self.home)
        self.names = {}             # content as it should be on disk -> name
        self.faults = []
        self.account = {}           # keys of the configuration file that differ from run()'s

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.top, name)

    def need(self, good, what, *seen):
        """What has to hold; a break is shown with what was seen, and the case goes on."""
        if not good:
            self.faults.append(what + "".join("; " + str(s) for s in seen))
        return good

    # ---- the mailbox --------------------------------------------------------------------------

    def put(self, name, body=None, size=60):
        text = "hello from %s\n%s\n" % (name, "x" * size) if body is None else body
        data = "From: a@example.org\nMessage-ID: <%s@example.org>\nSubject: %s\n\n%s" % (
            name, name, text)
        with open(os.path.join(self.box, name), "wb") as f:
            f.write(data.encode())
        self.names[data.encode()] = name

    def fill(self, count, size=60):
        for i in range(1, count + 1):
            self.put("m%03d" % i, size=size)
        return ["m%03d" % i for i in range(1, count + 1)]

    def left(self):
        return sorted(os.listdir(self.box))

    # ---- running --------------------------------------------------------------------------------

    def write_rc(self, port, **more):
        keys = {"server": "127.0.0.1", "port": port, "tls": "none", "auth": "user", "user": "alice",
                "password": "secret", "keep": "yes", "timeout": "20s", "maildir": self.maildir}
        keys.update(self.account)
        keys.update(more)
        rules = keys.pop("rules", "")   # as they are in the file
        if any(keys.get(k) for k in ("mbox", "mda")) and "maildir" not in more:
            del keys["maildir"]
        path = self.path("rc")
        with open(path, "w") as f:
            f.write('account "w" {\n%s%s}\n' % ("".join(
                "    %s = '%s'\n" % item for item in keys.items() if item[1] is not None), rules))
        os.chmod(path, 0o600)
        return path

    def environment(self, more=None):
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "LC_ALL": "C", "TZ": "UTC"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(more or {})
        return env

    def run(self, *args, script=None, before=(), limit=150, env=None, **account):
        """One run of the program against a fresh server over the same mailbox. `before` is put in
        front of the command; what is named besides are keys of the configuration file."""
        with popd.Server(self.box, script=script) as server:
            rc = self.write_rc(account.pop("port", server.port), **account)
            command = [*before, FETCHPOP, "-f", rc, "--state-dir", self.state, *args]
            start = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=self.environment(env))
            try:
                out, err = child.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                self.need(False, "the program did not end in %d s" % limit)
            server.settle(5)
            run = Run(child.returncode, out.decode("latin-1"), err.decode("latin-1"), server,
                      time.monotonic() - start)
        self.need(not server.faults, "popd itself failed", server.faults)
        return run

    def fine(self, *args, **more):
        """A run that has to say nothing and exit 0."""
        run = self.run(*args, **more)
        self.need(run.status == 0 and run.err == "", "a run that should just be fine", run)
        return run

    def status(self):
        """What --status says."""
        return self.run("--status").out

    def is_holding(self):
        """--status counts messages that are held."""
        return counts_held(self.status())

    # ---- what was delivered ---------------------------------------------------------------------

    def contents(self, where=None):
        where = where or self.maildir
        if os.path.isfile(where):
            with open(where, "rb") as f:
                yield from read_mbox(f.read())
            return
        for folder in ("new", "cur"):
            folder = os.path.join(where, folder)
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                with open(os.path.join(folder, name), "rb") as f:
                    yield f.read()

    def stored(self, *places):
        """How often each message is in these Maildirs and mboxes; what is unknown has its text."""
        return Counter(self.names.get(c, "unknown: %r" % c[:200])
                       for place in places or (self.maildir,) for c in self.contents(place))

    def need_each(self, times, names, *places, when=""):
        """Each of these is stored so often, whole, and nothing else is."""
        found = self.stored(*places)
        wrong = {n: found[n] for n in names if found[n] != times}
        wrong.update({n: c for n, c in found.items() if n not in names})
        return self.need(not wrong, "each of %d messages stored %d times%s" % (
            len(names), times, when and ", " + when), "not so: %s" % dict(list(wrong.items())[:6]))

    def need_clean(self, *places):
        for place in places or (self.maildir,):
            tmp = os.path.join(place, "tmp")
            names = os.listdir(tmp) if os.path.isdir(tmp) else []
            self.need(not names, "left in %s" % tmp, names)

    # ---- the journal ----------------------------------------------------------------------------

    def journal_path(self):
        paths = [n for n in os.listdir(self.state) if n.endswith(".journal")]
        assert len(paths) == 1, paths
        return os.path.join(self.state, paths[0])

    def journal(self):
        with open(self.journal_path(), "rb") as f:
            return f.read().decode("latin-1").splitlines()

    def entries(self):
        """The numbers of the messages that the journal knows."""
        return {line.split(" ")[2] for line in self.journal()
                if line.split(" ")[1] in ("take", "done", "gone", "fail", "doubt", "held", "left")}

    def redate(self, change, days=None):
        """Puts change(first-seen) in place of each date of a message, and days(day) in place of the
        day of each listing, and on which something was found due, each line with its right
        checksum."""
        out, dates = [], 0
        for line in self.journal():
            words = line.split(" ")[1:]
            if words[0] in ("take", "done", "gone", "fail", "doubt", "held", "left"):
                words[4] = str(change(int(words[4])))
                dates += 1
            elif words[0] in ("day", "due") and days:
                words[2] = str(days(int(words[2])))
            text = " ".join(words).encode("latin-1")
            out.append(b"%08x %s\n" % (zlib.crc32(text), text))
        assert dates > 0, "no message in the journal"
        with open(self.journal_path(), "wb") as f:
            f.writelines(out)

    def pass_days(self, days):
        """As if so many days had gone by."""
        self.redate(lambda seen: seen - int(days * DAY), lambda day: day - int(days))

    # ---- kills ----------------------------------------------------------------------------------

    def killed_at(self, point, **account):
        """Runs it and kills the whole tree before its point-th call that changes something. False
        if it came to its end before."""
        run = self.run(before=(syscut(), "--kill", str(point)), env=traced(), **account)
        if run.status not in (98, 99):
            raise RuntimeError("syscut: %s" % run)
        return run.status == 99

    def list_points(self, **account):
        """The calls of an undisturbed run, in their order, as syscut tells them."""
        listing = self.path("points")
        run = self.run(before=(syscut(), "--count", "--list", listing), env=traced(),
                       **account)
        with open(listing) as f:
            lines = f.read().splitlines()
        os.unlink(listing)
        self.need(run.status == 0 and lines, "an undisturbed run", run)
        return lines


def syscut():
    tool = os.environ.get("SYSCUT", "")
    if not os.access(tool, os.X_OK):
        raise Skip("no syscut here (%s): it needs Linux on x86_64 or aarch64" % tool)
    return tool


def traced():
    """LeakSanitizer cannot work in a process that is traced."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def read_mbox(data):
    """The messages of an mboxrd file."""
    starts = [m.start() for m in re.finditer(rb"(?:\A|(?<=\n\n))From ", data)]
    if data and (not starts or starts[0] != 0):
        yield data[:starts[0] if starts else None]
    for begin, end in zip(starts, starts[1:] + [len(data)]):
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", data[begin:end].partition(b"\n")[2][:-1])


def file_limit(octets):
    """What goes in front of a command that may write no larger files; to it, that is an error."""
    return ("sh", "-c", "trap '' XFSZ; ulimit -f %d; exec \"$@\"" % (octets // 512), "sh")


# ---- file systems of our own ---------------------------------------------------------------------

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
own_mounts = None       # None: not tried; else what is in the way, "" if nothing


def begin_mounts():
    """A mount namespace of our own, so that nobody sees our mounts and none outlives us. Before any
    thread is started."""
    global own_mounts
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        own_mounts = "only root can mount"
    elif not hasattr(libc, "unshare") or libc.unshare(CLONE_NEWNS) != 0 or \
            libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        own_mounts = "no mount namespace: %s" % os.strerror(ctypes.get_errno())
    else:
        own_mounts = ""


def mount(folder, options):
    """A file system in memory at this folder, which is made if it is missing."""
    if own_mounts != "":
        raise Skip(own_mounts or "no mounts in this program")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Skip("cannot mount: " + done.stderr.strip())


def remount(folder, options):
    subprocess.run(["mount", "-o", "remount," + options, folder], check=True)


def unmount(folder):
    subprocess.run(["umount", folder], check=False)


# ---- TAP -----------------------------------------------------------------------------------------

def try_case(function):
    """(faults, reason for a skip, seconds)"""
    start, w = time.monotonic(), World()
    skip = None
    try:
        function(w)
    except Skip as reason:
        skip = str(reason)
    except Exception:
        w.faults.append(traceback.format_exc())
    finally:
        w.close()
    return w.faults, skip, time.monotonic() - start


def main(cases, jobs=3):
    """Runs the cases, some at the same time, since most of them wait for something."""
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="", help="only cases whose name holds this")
    p.add_argument("--jobs", type=int, default=jobs)
    p.add_argument("--times", action="store_true")
    a = p.parse_args()
    if not os.access(FETCHPOP, os.X_OK):
        sys.exit("FETCHPOP does not name the program under test: %r" % FETCHPOP)
    cases = [c for c in cases if a.only in c[0]]
    failed = False
    print("1..%d" % len(cases), flush=True)
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for number, ((name, _), (faults, skip, seconds)) in enumerate(
                zip(cases, pool.map(lambda c: try_case(c[1]), cases)), 1):
            bad = bool(faults)
            failed |= bad
            print("%s %d - %s%s%s" % ("not ok" if bad else "ok", number, name,
                                      " (%.1f s)" % seconds if a.times else "",
                                      " # SKIP " + skip if skip and not bad else ""))
            for fault in faults:
                for line in fault.splitlines():
                    print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
