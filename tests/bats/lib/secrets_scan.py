#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Where secrets may not be. Prints one line for each that is found; needs root, or one's own process.

    secrets_scan.py memory PID TEXT...    in memory that the process can write (heap, stack, data)
    secrets_scan.py outside PID TEXT...   in its command line and environment
    secrets_scan.py prompt TEXT STATUS COMMAND...
                          run it on a terminal and type TEXT when it asks for a password; its output
                          and "echo on" or "echo off" are printed
    secrets_scan.py abort SECONDS COMMAND...
                          with core dumps allowed, run it, send ABRT to it and all its children after
                          so long; prints "core" for each process that dumped one
"""
import base64
import os
import pty
import resource
import select
import signal
import sys
import termios
import time


def forms(text):
    raw = text.encode()
    yield "as it is", raw
    yield "in base64", base64.b64encode(raw)
    yield "in base64 of PLAIN", base64.b64encode(b"\0alice\0" + raw)


def show(where, data, texts):
    for text in texts:
        for form, what in forms(text):
            if what in data:
                print("%s: %s, %s" % (where, text, form))


def memory(pid, *texts):
    total = 0
    with open("/proc/%s/maps" % pid) as maps, open("/proc/%s/mem" % pid, "rb", 0) as mem:
        for line in maps:
            words = line.split()
            start, end = (int(x, 16) for x in words[0].split("-"))
            if words[1][:2] != "rw" or words[-1] == "[vvar]" or end - start > 1 << 30:
                continue
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except OSError:
                continue
            total += len(data)
            show(words[5] if len(words) > 5 else "memory", data, texts)
    if total < 100000:
        print("only %d octets could be read" % total)


def outside(pid, *texts):
    for name in ("cmdline", "environ"):
        with open("/proc/%s/%s" % (pid, name), "rb") as f:
            show(name, f.read(), texts)


def prompt(text, status, *command):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown, typed = b"", False
    while True:
        if select.select([fd], [], [], 30)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if not typed and b"assword" in shown:
            time.sleep(0.1)
            typed = True
            on = termios.tcgetattr(fd)[3] & termios.ECHO
            print("echo on" if on else "echo off")
            os.write(fd, text.encode() + b"\n")
    with open(status, "w") as f:
        f.write("%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    sys.stdout.flush()
    sys.stdout.buffer.write(shown)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            direct = [int(x) for x in f.read().split()]
    except OSError:
        return []
    return [pid] + [x for child in direct for x in children(child)]


def abort(seconds, *command):
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    # as the nearest ancestor that adopts, we hear of the end of grandchildren, too
    import ctypes
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    pid = os.spawnvp(os.P_NOWAIT, command[0], command)
    time.sleep(float(seconds))
    family = children(pid)
    for one in family:
        os.kill(one, signal.SIGABRT)
    print("%d processes" % len(family))
    for _ in family:
        try:
            one, status = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        if os.WCOREDUMP(status):
            print("core of %d" % one)


if __name__ == "__main__":
    {"memory": memory, "outside": outside, "prompt": prompt, "abort": abort}[
        sys.argv[1]](*sys.argv[2:])
