#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""brood.py FILE CMD...: run a command to its end, then tell which processes it has left behind.

Whatever loses its parent below us becomes our child (Linux), so nobody gets away. FILE gets one line
for each process that is still there when five seconds have passed; it is empty otherwise. What was
left is killed; the exit status is the command's.
"""
import ctypes
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE = 5


def children():
    me = os.getpid()
    with open("/proc/%d/task/%d/children" % (me, me)) as f:
        return [int(pid) for pid in f.read().split()]


def describe(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().strip()
    except OSError:
        return "%d, gone by now" % pid


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def main(path, *command):
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("brood: this system cannot tell")
    pid = os.posix_spawnp(command[0], command, os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: os.kill(pid, n))
    _, status = os.waitpid(pid, 0)
    end = time.monotonic() + GRACE
    reap()
    while children() and time.monotonic() < end:
        time.sleep(0.02)
        reap()
    with open(path, "w") as report:
        for left in children():
            report.write(describe(left) + "\n")
            os.kill(left, signal.SIGKILL)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
