#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Many accounts at once: each has a worker, and a worker that crashes, hangs or is refused is
nobody else's trouble."""
import collections
import fcntl
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from crowd import Crowd  # noqa: E402

LONG = bool(os.environ.get("FP_LONG"))
MANY = 500 if LONG else 150

# The worker is the parent of a command that it runs, so this ends, or stops, the one of this account
# and no other.
CRASH, KILL, STOP = ("kill -%s $PPID" % name for name in ("SEGV", "KILL", "STOP"))


def said(err):
    """{account: [what was said of it]}; lines about no account are under None."""
    found = collections.defaultdict(list)
    for line in err.splitlines():
        match = re.fullmatch(r"fetchpop: ([a-z]+\d*): (.*)", line)
        found[match.group(1) if match else None].append(match.group(2) if match else line)
    return found


def need_said(w, err, wanted):
    """Of these accounts one line each that matches, and no line beside them."""
    found = said(err)
    for title, pattern in wanted.items():
        lines = found.pop(title, [])
        w.need(len(lines) == 1 and re.search(pattern, lines[0]), "one line of %s" % title, lines)
    w.need(not found, "lines that nobody asked for", dict(found))


def sanitized():
    with open(world.FETCHPOP, "rb") as f:
        return b"__asan_init" in f.read()


# A sanitizer takes the signal, writes its report, and ends the process in its own way.
CRASHED = r"worker (died \(signal 11\)|ended without a result)" if sanitized() else \
    r"worker died \(signal 11\)"
KILLED, HUNG = r"worker died \(signal 9\)", r"worker hung and was ended after \d+ s"
REFUSED = r"login refused"
SHORT = {"timeout": "1s", "session_timeout": "1s"}     # gives a worker about a minute


# ---- the bad among the good ----------------------------------------------------------------------

def alone(command, pattern, **keys):
    """One account, and its worker does not come back."""
    def case(w):
        w.fill(2)
        crowd = Crowd(w)
        crowd.add("only", password_command=command, **keys)
        with crowd.server() as server:
            status, out, err = crowd.run(server)
            w.need(status == 70 and out == "", "exit status 70, no output", status, out)
            need_said(w, err, {"only": pattern})
            w.need(server.commands() == [], "something was sent", server.commands())
            crowd.add("only")
            status, out, err = crowd.run(server)
            w.need((status, out, err) == (0, "", ""), "the next run", status, out, err)
        crowd.need_mail(["only"], 2)
    return case


def delivering(w):
    """The worker dies with the second of four messages in the hands of a command."""
    w.fill(4)
    box = w.path("inbox")
    store = 'cat >>%s; [ "$FETCHPOP_UIDL" != m002 ] || [ -e %s ] || { touch %s; kill -SEGV $PPID; }'
    crowd = Crowd(w)
    crowd.add("good")
    crowd.add("bad", mda=store % (box, w.path("once"), w.path("once")))
    with crowd.server() as server:
        status, _, err = crowd.run(server)
        w.need(status == 70, "exit status", status)
        need_said(w, err, {"bad": CRASHED})
        crowd.need_mail(["good"], 4)
        status, out, err = crowd.run(server)
        w.need((status, out, err) == (0, "", ""), "the next run", status, out, err)
    with open(box) as f:
        found = collections.Counter(re.findall(r"^Subject: (m\d+)$", f.read(), re.M))
    w.need(sorted(found) == ["m001", "m002", "m003", "m004"] and sum(found.values()) <= 5,
           "none lost, one twice at most", found)


def mixed(count, times):
    """A crowd with each kind of trouble in it, `times` of each, spread out."""
    def case(w):
        w.fill(2)
        crowd = Crowd(w, "jobs = 16\nmax_per_server = 16\n")
        bad = {}
        kinds = [("crash", CRASHED, {"password_command": CRASH}),
                 ("killed", KILLED, {"password_command": KILL}),
                 ("hung", HUNG, dict(SHORT, password_command=STOP)),
                 ("refused", REFUSED, {"password": "wrong"}),
                 ("silent", None, SHORT)]
        for i in range(count - times * len(kinds)):
            crowd.add("good%d" % i)
            if i % (count // times) == 1:
                for kind, pattern, keys in kinds:
                    bad[crowd.add("%s%d" % (kind, i), **keys)] = pattern
        w.need(len(crowd.accounts) == count, "%d accounts" % count, len(crowd.accounts))
        good = [title for title in crowd.accounts if title not in bad]
        with crowd.server(script="on USER silent*: hang") as server:
            status, out, err = crowd.run(server)
            w.need(status == 70 and out == "", "exit status 70, no output", status, out)
            # What a silent server is said of, if anything is, is not this test's.
            lines = [line for line in err.splitlines() if not line.startswith("fetchpop: silent")]
            need_said(w, "\n".join(lines), {t: p for t, p in bad.items() if p is not None})
            crowd.need_mail(good, 2)
            for title in bad:
                crowd.need_mail([title], 0)
                if title.startswith("silent"):
                    del crowd.accounts[title]   # they would have to wait now
                else:
                    crowd.add(title)
            status, out, err = crowd.run(server)
            w.need((status, out, err) == (0, "", ""), "the next run", status, out, err)
        crowd.need_mail(crowd.accounts, 2)
    return case


# ---- lines ---------------------------------------------------------------------------------------

def lines_stay_whole(w):
    """Sixteen workers with long lines, -v, and both outputs one pipe that is always full."""
    talk, messages, last = "abcdefghij" * 16, 10, 15
    w.fill(messages)
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 16\n")
    for i in range(16):
        crowd.add("a%d" % i, mda="cat >%s; i=0; while [ $i -lt %d ]; do i=$((i+1)); "
                  "echo $FETCHPOP_ACCOUNT $FETCHPOP_UIDL $i %s >&2; done" % (
                      w.path("out%d" % i), last, talk))
    with crowd.server(greeting="%s" % ("the server says " * 11)) as server:
        read, write = os.pipe()
        os.set_blocking(write, False)
        child = crowd.start(server.port, "-v", out=write, err=write)
        os.close(write)
        data = bytearray()
        while True:
            piece = os.read(read, 700)
            if not piece:
                break
            data += piece
        os.close(read)
        w.need(child.wait() == 0, "exit status", child.returncode)
    text = data.decode("ascii")
    w.need(text.endswith("\n"), "the last line has no end", text[-100:])
    # A warning, a line of the conversation, a note, or the summary; each begins with its account.
    found = collections.Counter()
    greeted = collections.Counter()
    for line in text.splitlines():
        match = re.fullmatch(r"fetchpop: (a\d+): command: (a\d+) (m\d+) (\d+) %s" % talk, line)
        if match:
            w.need(match.group(1) == match.group(2), "under another's name", line)
            found[match.groups()[1:]] += 1
            continue
        match = re.fullmatch(r"(a\d+): (.*)", line)
        w.need(match and talk[:20] not in line and not re.search(r"a\d+: ", match.group(2)),
               "a line that is none", line)
        if match and "the server says the server says" in line:
            greeted[match.group(1)] += 1
    w.need(len(found) == 16 * messages * last and set(found.values()) == {1},
           "each line once", len(found), found.most_common(2))
    # All of each mailbox was new: there is one look for more.
    w.need(len(greeted) == 16 and set(greeted.values()) == {2}, "each greeting", greeted)


# ---- how many at once ----------------------------------------------------------------------------

class Counter:
    """How many sessions are open for each kind of user, from greeting to the answer to QUIT. The
    first `most` sessions wait for each other: less at once than allowed would be seen, too."""

    def __init__(self, most):
        self.most, self.changed = most, threading.Condition()
        self.open, self.peak, self.together, self.named = 0, 0, False, {}
        self.of_kind, self.peak_of_kind = collections.Counter(), collections.Counter()

    def rules(self):
        return [("USER", self.begin), ("QUIT", self.end)]

    def begin(self, conn, event, arg):
        kind = re.sub(r"\d+$", "", arg)
        with self.changed:
            self.named[conn] = kind
            self.open += 1
            self.of_kind[kind] += 1
            self.peak = max(self.peak, self.open)
            self.peak_of_kind[kind] = max(self.peak_of_kind[kind], self.of_kind[kind])
            self.together |= self.open == self.most
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.together, 20)

    def end(self, conn, event, arg):
        with self.changed:
            self.open -= 1
            self.of_kind[self.named[conn]] -= 1


def crowd_counted(w, crowd, most, args=()):
    counter = Counter(most)
    with crowd.server(script=counter.rules()) as server:
        status, out, err = crowd.run(server, *args)
    w.need((status, out, err) == (0, "", ""), "a fine run", status, out, err)
    w.need(counter.together, "never %d at once" % most, counter.peak)
    w.need(counter.peak <= most, "more than %d at once" % most, counter.peak)
    return counter


# QUIT is answered before the next worker starts only where mail is deleted; and each session needs
# mail of its own then.
def own_box(w, crowd, title):
    box = w.path("box-" + title)
    os.mkdir(box)
    with open(os.path.join(box, "m1"), "w") as f:
        f.write("Subject: m1\n\nhello\n")
    crowd.accounts[title]["keep"] = "no"
    return crowd.accounts[title]["user"], ("secret", box)


def own_boxes(w, crowd):
    boxes = dict(own_box(w, crowd, title) for title in crowd.accounts)
    crowd.users = lambda: boxes


def per_server(w):
    """In whatever case, it is one server."""
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 3\n")
    for i in range(12):
        crowd.add("a%d" % i, server=["localhost", "LOCALHOST", "LocalHost"][i % 3])
    own_boxes(w, crowd)
    crowd_counted(w, crowd, 3)


def two_servers(w):
    """A server that is full does not hold up another one."""
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 2\n")
    for i in range(8):
        crowd.add("name%d" % i, server="localhost")
    for i in range(4):
        crowd.add("number%d" % i, server="127.0.0.1")
    own_boxes(w, crowd)
    counter = crowd_counted(w, crowd, 4)
    w.need(set(counter.peak_of_kind.values()) == {2}, "two of each", counter.peak_of_kind)


def jobs_in_file(w):
    crowd = Crowd(w, "jobs = 5\nmax_per_server = 100\n")
    for i in range(20):
        crowd.add("a%d" % i)
    own_boxes(w, crowd)
    crowd_counted(w, crowd, 5)


def jobs_as_option(w):
    crowd = Crowd(w, "jobs = 5\nmax_per_server = 100\n")
    for i in range(20):
        crowd.add("a%d" % i)
    own_boxes(w, crowd)
    crowd_counted(w, crowd, 7, ["--jobs", "7"])


# ---- memory --------------------------------------------------------------------------------------

def kilobytes(pid):
    """(RssAnon now, most of all pages since the start)"""
    with open("/proc/%d/status" % pid) as f:
        text = f.read()
    return tuple(int(re.search(r"^%s:\s+(\d+) kB" % name, text, re.M).group(1))
                 for name in ("RssAnon", "VmHWM"))


def parent_of(w, count):
    """The parent with sixteen workers under way, and with all but the last account done."""
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 16\n")
    for i in range(count):
        crowd.add("a%d" % i)
    held, last, go = min(16, count), "a%d" % (count - 1), threading.Event()
    waiting = threading.Semaphore(0)

    def wait(conn, event, arg):
        waiting.release()
        go.wait(60)

    script = "on USER %s: hang\n" % last
    with crowd.server(script=[("USER", wait), script]) as server:
        child = crowd.start(server.port, out=subprocess.DEVNULL)
        for _ in range(held):
            w.need(waiting.acquire(timeout=60), "not %d at once" % held)
        early = kilobytes(child.pid)
        go.set()
        end = time.monotonic() + 120
        while sum(c == "QUIT" for c in server.commands()) < count - 1 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)     # the last result is on its way
        late = kilobytes(child.pid)
        for _ in range(2):
            child.terminate()
        child.communicate(timeout=60)
    return max(early[0], late[0]), late[1]


def parent_is_small(w):
    if not sys.platform.startswith("linux"):
        raise world.Skip("no /proc/PID/status here")
    if sanitized():
        raise world.Skip("a sanitizer's memory is not ours")
    w.fill(1)
    found = {count: parent_of(w, count) for count in (1, 16, MANY)}
    for few in (1, 16):
        growth = (found[MANY][0] - found[few][0]) / (MANY - few)
        w.need(growth < 1.6, "private memory grows by %.2f kB an account" % growth, found)
    # How many pages of the program and its libraries are mapped is another number each time, by
    # 200 kB: the larger of the two small runs has most of them.
    growth = (found[MANY][1] - max(found[1][1], found[16][1])) / (MANY - 16)
    w.need(growth < 1.6, "most memory since the start grows by %.2f kB an account" % growth, found)


def worker_among(w, count):
    """The private memory of the first of so many accounts' workers, while it is under way."""
    crowd = Crowd(w, "jobs = 1\n")
    for i in range(count):
        crowd.add("a%d" % i)
    go, waiting = threading.Event(), threading.Semaphore(0)

    def wait(conn, event, arg):
        waiting.release()
        go.wait(120)

    with crowd.server(script=[("USER", wait)]) as server:
        child = crowd.start(server.port, out=subprocess.DEVNULL)
        w.need(waiting.acquire(timeout=120), "no worker among %d" % count)
        with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as f:
            workers = [int(pid) for pid in f.read().split()]
        w.need(len(workers) == 1, "one worker", workers)
        size = kilobytes(workers[0])[0]
        for _ in range(2):
            child.terminate()
        go.set()
        child.communicate(timeout=120)
    return size


def workers_are_small(w):
    """What a worker inherits is copied by the kernel for each poll."""
    if not os.path.exists("/proc/self/task/%d/children" % os.getpid()):
        raise world.Skip("no /proc/PID/task/PID/children here")
    if sanitized():
        raise world.Skip("a sanitizer's memory is not ours")
    w.fill(1)
    few, many = (worker_among(w, count) for count in (10, 10_000))
    w.need(many < few + 600, "a worker among 10,000 accounts has more memory, in kB", few, many)


# ---- what does not end -----------------------------------------------------------------------------

def ends_at_second_term(w, child, seconds=20):
    for _ in range(2):
        child.terminate()
        time.sleep(0.5)
    try:
        child.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        child.kill()
        child.wait()


def reader_that_stops(w):
    """less, Ctrl-S, a mailer that hangs: nobody takes what the parent says."""
    w.fill(300)
    crowd = Crowd(w)
    crowd.add("only")
    with crowd.server() as server:
        read, write = os.pipe()
        fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
        child = crowd.start(server.port, "-v", out=write, err=write)
        os.close(write)
        end = time.monotonic() + 30
        while not server.commands() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(2)
        w.need(child.poll() is None, "300 messages' lines fit into a pipe: the test shows nothing")
        w.need(ends_at_second_term(w, child), "a second TERM did not end it")
        os.close(read)


def disk_that_does_not_answer(w):
    """Not even KILL ends a worker that waits for it: that is told, and a second TERM ends us."""
    image, disk = w.path("image"), w.path("disk")
    os.mkdir(disk)
    made = subprocess.run("truncate -s 64M %s && mke2fs -q -F -t ext4 %s && mount -o loop %s %s" %
                          (image, image, image, disk), shell=True, stderr=subprocess.PIPE)
    if made.returncode != 0:
        raise world.Skip("cannot mount an image here: " + made.stderr.decode().strip())
    try:
        w.fill(1)
        crowd = Crowd(w)
        crowd.add("only", maildir=disk + "/mail", **SHORT)
        with crowd.server() as server:
            w.need(crowd.run(server)[0] == 0, "the first run")
            w.put("late")
            frozen = subprocess.run(["fsfreeze", "-f", disk], stderr=subprocess.PIPE)
            if frozen.returncode != 0:
                raise world.Skip("cannot freeze a file system: " + frozen.stderr.decode().strip())
            try:
                with open(w.path("said"), "wb") as said:
                    child = crowd.start(server.port, err=said)
                time.sleep(90)  # its limit, and that of being killed
                with open(w.path("said")) as f:
                    text = f.read()
                w.need("only: worker cannot be ended" in text, "nobody said so", text)
                w.need(ends_at_second_term(w, child), "a second TERM did not end it")
            finally:
                subprocess.run(["fsfreeze", "-u", disk], check=False)
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


MIXED = 500 if LONG else 60

CASES = [
    # These wait for the deadline of a hung worker; the others run meanwhile.
    ("%d accounts: crashed, killed, hung, refused and silent ones hurt nobody else" % MIXED,
     mixed(MIXED, 3)),
    ("a disk that does not answer", disk_that_does_not_answer),
    ("16 accounts: crashed, killed, hung, refused and silent ones hurt nobody else", mixed(16, 1)),
    ("one account: hung, ended at its deadline", alone(STOP, HUNG, **SHORT)),
    ("one account: crashed", alone(CRASH, CRASHED)),
    ("one account: killed", alone(KILL, KILLED)),
    ("a crash in the middle of a delivery", delivering),
    ("lines stay whole and under their account's name", lines_stay_whole),
    ("max_per_server, for one server under several spellings", per_server),
    ("max_per_server, for two servers", two_servers),
    ("whoever reads what it says stops reading", reader_that_stops),
    ("jobs of the configuration file", jobs_in_file),
    ("jobs of the command line", jobs_as_option),
    ("the parent's memory grows by less than 1.6 kB an account", parent_is_small),
    ("a worker has no more memory where there are 10,000 accounts", workers_are_small),
]

if __name__ == "__main__":
    world.begin_mounts()
    world.main(CASES, jobs=4)
