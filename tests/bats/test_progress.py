#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a person sees: the status line and the summaries on terminals of all widths, played into a
small model of a screen; and that nothing of it is seen elsewhere."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from crowd import Crowd  # noqa: E402

STATUS = re.compile(r"\d+/\d+ acc")
WHOLE = re.compile(r"(\d+)/(\d+) accounts(?:, (\d+)/(\d+) messages)?(?:, (\d[\d.]* [kMGT]?B)"
                   r"(?: of \d[\d.]* [kMGT]?B)?)?(?:, (\d[\d.]* [kMGT]?B)/s)?(?:, \d+:[0-5]\d left)?")


class Screen:
    """A terminal without a bottom that knows CR, LF and "erase to the end of the line". Lines that
    are too long go on in the next row; a narrower window does not change what is written already."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column = columns, [""], 0, 0
        self.faults, self.rest, self.draws = [], b"", []
        self.least = columns

    def feed(self, data):
        data = self.rest + data
        at = 0
        while at < len(data):
            byte = data[at:at + 1]
            if byte == b"\x1b":
                if len(data) - at < 3:
                    break
                if data[at:at + 3] != b"\x1b[K":
                    self.faults.append("control sequence %r" % data[at:at + 8])
                self.rows[self.row] = self.rows[self.row][:self.column]
                self.drawn()
                at += 3
                continue
            at += 1
            if byte == b"\r":
                self.column = 0
            elif byte == b"\n":
                self.down()
            elif byte < b" " or byte == b"\x7f":
                self.faults.append("control byte %r" % byte)
            else:
                self.put(byte.decode("latin-1"))
        self.rest = data[at:]
        self.look()

    def down(self):
        self.look()
        self.row += 1
        while len(self.rows) <= self.row:
            self.rows.append("")

    def put(self, char):
        if self.column == self.columns:
            if STATUS.match(self.rows[self.row]):
                self.faults.append("a status line wraps at %d columns: %r" % (
                    self.columns, self.rows[self.row]))
            self.down()
            self.column = 0
        text = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = text[:self.column] + char + text[self.column + 1:]
        self.column += 1

    def drawn(self):
        text = self.rows[self.row]
        if text:
            self.draws.append(text)
            if not WHOLE.fullmatch(text) and self.least > 16:
                self.faults.append("a status line with half a part: %r" % text)

    def look(self):
        """A status line is only where the cursor is, and alone in its row."""
        for i, text in enumerate(self.rows):
            if STATUS.search(text) and (i != self.row or not STATUS.match(text)):
                self.faults.append("a status line is left in row %d: %r" % (i, self.rows))

    def text(self):
        """What is left to read, long lines and all; rows that are full go on."""
        out = ""
        for text in self.rows:
            out += text + ("" if len(text) == self.columns else "\n")
        return out.rstrip("\n").split("\n") if out.strip() else []


class Terminal:
    """The program on a terminal of so many columns."""

    def __init__(self, w, command, columns, term="xterm", out=True, err=True):
        self.w, self.screen, self.changed = w, Screen(columns), threading.Condition()
        self.raw = bytearray()
        self.master, slave = pty.openpty()
        self.size(columns)
        self.pipes = []
        ends = []
        for is_terminal in (out, err):
            ends.append(slave if is_terminal else subprocess.PIPE)
        self.child = subprocess.Popen(command, stdin=slave, stdout=ends[0], stderr=ends[1],
                                      env=w.environment({"TERM": term}), start_new_session=True)
        os.close(slave)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def size(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self):
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            with self.changed:
                self.raw += data
                self.screen.feed(data)
                self.changed.notify_all()
            if not data:
                return

    def wait(self, what, seconds=30):
        with self.changed:
            good = self.changed.wait_for(lambda: what(self.screen), seconds)
            self.w.need(good, "not seen in time", self.screen.rows, self.screen.draws[-3:])

    def resize(self, columns):
        """A line may be on its way as the window changes; the one behind it knows."""
        with self.changed:
            before, old = len(self.screen.draws), self.screen.columns
            self.screen.columns, self.screen.least = max(old, columns), min(old, columns)
            self.size(columns)
        self.wait(lambda s: len(s.draws) > before)
        with self.changed:
            self.screen.columns = self.screen.least = columns
            before = len(self.screen.draws)
        self.wait(lambda s: len(s.draws) > before + 1)

    def end(self):
        """(exit status, what was left on the screen, what went into pipes)"""
        out, err = self.child.communicate(timeout=60)
        self.reader.join(10)
        os.close(self.master)
        self.screen.look()
        for fault in self.screen.faults[:5]:
            self.w.need(False, fault)
        return (self.child.returncode, self.screen.text(),
                (out or b"").decode() + (err or b"").decode())


def size_text(octets):
    """As the program spells it, for what is less than a megabyte."""
    if octets < 1000:
        return "%d B" % octets
    tenths = (octets * 10 + 500) // 1000
    return "%d.%d kB" % divmod(tenths, 10) if tenths < 100 else "%d kB" % ((tenths + 5) // 10)


class Scene:
    """Three accounts: "new" gets its messages and deletes them, "seen" has nothing new, "bad" has
    the wrong password. The server stops in the middle of the last message until go() is called."""

    def __init__(self, w, columns=80, hold=True, args=(), more="", prepare=True, **how):
        self.w, self.gate = w, threading.Event()
        self.names = w.fill(5, size=3000)
        self.crowd = Crowd(w)
        self.crowd.add("seen")
        if prepare:
            with self.crowd.server() as server:
                self.crowd.run(server)
        self.crowd.add("new", keep="no")
        self.crowd.add("bad", password="wrong")
        self.octets = sum(len(c) for c in w.names)
        if not hold:
            self.gate.set()
        self.server = self.crowd.server(script=[("RETR 5", self.hold), more]).start()
        self.held = threading.Event()
        self.terminal = Terminal(w, self.crowd.command(self.server.port, *args), columns, **how)

    def hold(self, conn, event, arg):
        self.held.set()
        self.gate.wait(60)

    def stop_and_see(self):
        self.w.need(self.held.wait(30), "the last message was never asked for")
        # The two others are done, and this one has told what it will fetch.
        self.terminal.wait(lambda s: s.draws and s.draws[-1].startswith("2/3"))

    def end(self):
        self.gate.set()
        result = self.terminal.end()
        self.server.stop()
        self.w.need(not self.server.faults, "popd itself failed", self.server.faults)
        return result

    def lines(self):
        """What stays on the screen; the last one only with the errors, the first three without."""
        size = re.escape(size_text(self.octets))
        return [r"3 accounts, 1 in trouble: 5 new \(%s\), 5 seen, 5 deleted" % size,
                r"new: 5 new \(%s\), 5 deleted" % size, r"seen: no new mail \(5 seen\)",
                r"fetchpop: bad: login refused.*"]

    def need_lines(self, text, patterns):
        notes = [t for t in text if "journal" not in t]
        good = len(notes) == len(patterns) and all(
            sum(bool(re.fullmatch(p, t)) for t in notes) == 1 for p in patterns)
        self.w.need(good, "what stays on the screen", text, patterns)


# ---- on a terminal -------------------------------------------------------------------------------

def at_width(columns, first):
    def case(w):
        scene = Scene(w, columns)
        scene.stop_and_see()
        draws = len(scene.terminal.screen.draws)
        scene.terminal.wait(lambda s: len(s.draws) > draws + 1)     # redrawn while nothing happens
        line = scene.terminal.screen.draws[-1]
        w.need(re.fullmatch(first, line), "the status line while it waits", line, first)
        status, text, _ = scene.end()
        w.need(status == 77, "exit status", status)
        scene.need_lines(text, scene.lines())
        numbers = [WHOLE.match(d) for d in scene.terminal.screen.draws]
        done = [int(m.group(1)) for m in numbers if m]
        w.need(done == sorted(done), "accounts that are done grow less", done)
        fetched = messages_of(scene.terminal.screen)
        w.need(fetched == sorted(fetched) and all(f <= 5 for f in fetched), "messages", fetched)
    return case


def messages_of(screen):
    """The count of messages in each status line that has one."""
    numbers = [WHOLE.match(line) for line in screen.draws]
    return [int(m.group(3)) for m in numbers if m and m.group(3)]


def counts_what_comes(w):
    """Nothing is delivered yet, and the line knows what has come."""
    scene = Scene(w, 80, more="on RETR 3: sleep 400\non RETR 4: sleep 400")
    scene.stop_and_see()
    new = w.path("mail/new/new")
    w.need(not os.path.isdir(new) or not os.listdir(new), "nothing is delivered so far")
    scene.terminal.wait(lambda s: re.match(r"2/3 accounts, [2-4]/5 messages, (?:[6-9]|1\d)[\d.]* kB of",
                                           s.draws[-1]))
    w.need(not os.path.isdir(new) or not os.listdir(new), "nothing is delivered still")
    scene.end()


def counted_once(w):
    """A batch is delivered to a command, and 19 of 24 have come: what is delivered is not counted as
    coming, too."""
    names, gate = w.fill(24), threading.Event()
    crowd, log = Crowd(w), w.path("delivered")

    def hold(conn, event, arg):
        gate.wait(60)

    crowd.add("one", mda="sleep 0.1; cat >/dev/null; echo >>%s" % log)
    with crowd.server(script=[("RETR 20", hold)]) as server:
        terminal = Terminal(w, crowd.command(server.port), 80)
        deadline = time.monotonic() + 60
        while (not os.path.exists(log) or os.path.getsize(log) < 12) and time.monotonic() < deadline:
            time.sleep(0.1)
        fetched = messages_of(terminal.screen)
        gate.set()
        status, _, _ = terminal.end()
    w.need(status == 0 and fetched and max(fetched) >= 12, "it was seen", status, fetched)
    w.need(max(fetched) <= 19, "more than have come", fetched)
    w.need(os.path.getsize(log) == len(names), "all are delivered")


def resized(w):
    scene = Scene(w, 80)
    scene.stop_and_see()
    for columns in (20, 40, 10, 4, 80):
        scene.terminal.resize(columns)
        line = scene.terminal.screen.draws[-1]
        w.need(len(line) < columns, "%d columns" % columns, line)
    _, text, _ = scene.end()
    scene.need_lines(text, scene.lines())


def interrupted(w):
    scene = Scene(w, 80)
    scene.stop_and_see()
    scene.terminal.child.send_signal(signal.SIGINT)
    status, text, _ = scene.terminal.end()
    scene.gate.set()
    scene.server.stop()
    w.need(status == 77, "exit status", status)     # of the account that was refused
    w.need(not any(STATUS.search(line) for line in text), "the status line is left", text)
    w.need(any(re.fullmatch(r"fetchpop: new: .*interrupted.*", line) for line in text), "it says so",
           text)


def killed_by_second(w):
    """A worker that does not listen, and a person who does not wait."""
    scene = Scene(w, 80, prepare=False)
    scene.crowd.accounts.clear()
    scene.gate.set()
    scene.terminal.end()
    scene.crowd.add("deaf", password_command="kill -STOP $PPID")
    terminal = Terminal(w, scene.crowd.command(scene.server.port), 40)
    terminal.wait(lambda s: len(s.draws) > 1)
    terminal.child.send_signal(signal.SIGINT)
    time.sleep(0.3)         # two at once would be one
    terminal.child.send_signal(signal.SIGINT)
    status, text, _ = terminal.end()
    scene.server.stop()
    text = [line for line in text if "new journal" not in line]
    w.need(status == 75 and len(text) == 2 and text[0].startswith("finishing what is complete;") and
           text[1].startswith("fetchpop: deaf: interrupted"),
           "what is waited for, and how it ended; no status line", status, text)


def all_failed(w):
    w.fill(2)
    crowd = Crowd(w)
    for i in range(3):
        crowd.add("a%d" % i, password="wrong")
    with crowd.server() as server:
        terminal = Terminal(w, crowd.command(server.port), 80)
        status, text, _ = terminal.end()
    text = [t for t in text if "journal" not in t]
    w.need(status == 77 and len(text) == 4 and
           all(re.match(r"fetchpop: a\d: login refused", t) for t in text[:3]), "errors", status, text)
    w.need(text[3] == "3 accounts, 3 in trouble: no new mail", "the sum", text)
    w.need(all(re.fullmatch(r"\d/3 accounts", d) for d in terminal.screen.draws), "no messages",
           terminal.screen.draws)


def none_enabled(w):
    crowd = Crowd(w)
    crowd.add("off", enabled="no")
    status, text, _ = Terminal(w, crowd.command(1), 80).end()
    w.need(status == 0 and text == ["no account is enabled"], "no account", status, text)


def odd_sizes(rule):
    """The server's sizes are none, or too small: time left is still a time, or is not there."""
    def case(w):
        more = "".join("set size %d %s\n" % (i, rule) for i in range(1, 6))
        scene = Scene(w, 100, more=more, prepare=False)
        scene.held.wait(30)
        scene.terminal.wait(lambda s: s.draws and "messages" in s.draws[-1])
        status, text, _ = scene.end()
        w.need(status == 77, "exit status", status)
        w.need(len(w.left()) == 0, "all fetched", w.left())
        w.need(all(WHOLE.fullmatch(d) for d in scene.terminal.screen.draws), "a status line",
               scene.terminal.screen.draws)
    return case


# ---- elsewhere -----------------------------------------------------------------------------------

def plain(w):
    """A terminal that can nothing: lines, and nothing but lines."""
    for term in ("dumb", ""):
        scene = Scene(w, 80, hold=False, term=term, prepare=term == "dumb")
        status, text, _ = scene.end()
        raw = bytes(scene.terminal.raw).replace(b"\r\n", b"\n")
        w.need(not re.search(rb"[^ -~\n]", raw), "control bytes", raw)
        w.need(not STATUS.search(raw.decode()), "a status line", raw)
        if term == "dumb":
            w.need(status == 77, "exit status", status)
            scene.need_lines(text, scene.lines())


def in_pipes(w):
    scene = Scene(w, 80, hold=False, out=False, err=False)
    status, text, piped = scene.end()
    w.need(status == 77 and text == [], "nothing on the terminal", status, text)
    w.need(re.fullmatch(r"fetchpop: bad: login refused.*\n", piped), "one error, no more", piped)


def output_in_pipe(w):
    """Standard error is a terminal; nobody asked for progress there."""
    scene = Scene(w, 80, hold=False, out=False)
    _, text, piped = scene.end()
    w.need(piped == "", "standard output", piped)
    scene.need_lines(text, scene.lines()[3:])
    w.need(scene.terminal.screen.draws == [], "a status line", scene.terminal.screen.draws)


def errors_in_pipe(w):
    scene = Scene(w, 80, err=False)
    scene.stop_and_see()
    _, text, piped = scene.end()
    scene.need_lines(text, scene.lines()[:3])
    w.need("\r" not in piped and "\x1b" not in piped and "bad: login refused" in piped,
           "standard error", piped)


def quiet(option):
    def case(w):
        scene = Scene(w, 80, hold=False, args=[option])
        _, text, _ = scene.end()
        w.need(scene.terminal.screen.draws == [], "a status line", scene.terminal.screen.draws)
        if option == "-s":
            scene.need_lines(text, scene.lines()[3:])
    return case


CASES = [
    ("80 columns", at_width(80, r"2/3 accounts, \d/5 messages, \d[\d.]* k?B of 15 kB, \d[\d.]* k?B/s"
                            r"(, \d+:\d\d left)?")),
    ("40 columns", at_width(40, r"2/3 accounts, \d/5 messages"
                            r"(, \d[\d.]* k?B( of 15 kB)?)?(, \d[\d.]* k?B/s)?")),
    ("20 columns", at_width(20, r"2/3 accounts")),
    ("what has come counts before it is delivered", counts_what_comes),
    ("a message counts once, while a batch is delivered", counted_once),
    ("other widths in between, down to four columns", resized),
    ("INT takes the status line away", interrupted),
    ("so does a second INT, with a worker that hangs", killed_by_second),
    ("all accounts fail", all_failed),
    ("no account is enabled", none_enabled),
    ("sizes that are nothing", odd_sizes("=0")),
    ("sizes that are too small", odd_sizes("=7")),
    ("a dumb terminal, or none that is named", plain),
    ("pipes", in_pipes),
    ("standard output is a pipe, standard error a terminal", output_in_pipe),
    ("standard output is a terminal, standard error a pipe", errors_in_pipe),
    ("--silent", quiet("-s")),
    ("--verbose", quiet("-v")),
]

if __name__ == "__main__":
    world.main(CASES)
