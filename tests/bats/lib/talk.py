#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A person at a terminal, who answers questions.

    talk.py STATUS [WHAT ANSWER]... -- COMMAND...

Runs the command on a terminal of its own. Each WHAT (a regular expression) is waited for in what
comes behind the one before, then ANSWER and Enter are typed; ^C is Ctrl-C, and !COMMAND is run by
the shell before Enter is. All that was shown goes to standard output, the exit status into the file
STATUS. Ends with 1 if something does not come within 60 seconds.
"""
import os
import pty
import re
import select
import subprocess
import sys
import time


class Terminal:
    def __init__(self, command):
        self.shown, self.at, self.over = "", 0, False
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)

    def read(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self.fd, 65536) if ready else b""
        except OSError:
            data = b""
        self.over = not data
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for(self, what, deadline):
        while not self.over:
            found = re.search(what, self.shown[self.at:])
            if found:
                self.at += found.end()
                return True
            self.read(deadline)
        return re.search(what, self.shown[self.at:]) is not None

    def type(self, answer):
        if answer.startswith("!"):
            subprocess.run(answer[1:], shell=True, check=True)
            answer = ""
        os.write(self.fd, b"\x03" if answer == "^C" else answer.encode() + b"\n")


def main():
    status_file, rest = sys.argv[1], sys.argv[2:]
    split = rest.index("--")
    terminal = Terminal(rest[split + 1:])
    missed = None
    for what, answer in zip(rest[0:split:2], rest[1:split:2]):
        if not terminal.wait_for(what, time.monotonic() + 60):
            missed = what
            break
        terminal.type(answer)
    deadline = time.monotonic() + 60
    while not terminal.over:
        terminal.read(deadline)
    sys.stdout.write(terminal.shown)
    _, status = os.waitpid(terminal.pid, 0)
    with open(status_file, "w", encoding="ascii") as f:
        f.write("%d\n" % os.waitstatus_to_exitcode(status))
    if missed:
        sys.exit("talk: never shown: " + missed)


main()
