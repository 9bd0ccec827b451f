#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Small helpers of the bats tests.

    tool.py maildir FOLDER        digests of what is in new/ and cur/, sorted: "SHA256 SIZE"
    tool.py box FOLDER            the same for a mailbox of popd, as a correct client stores it
    tool.py mbox FILE             the same for an mbox, mboxrd quoting undone; its shape is checked
    tool.py tree FOLDER           every name with kind, mode, size, time of change and digest
    tool.py pty STATUS CMD...     run on a terminal of its own; exit status into the file STATUS
    tool.py freeport              a port nobody listens on
    tool.py fcntl FILE SECONDS    hold a write lock on the file, print "locked" when it is held
"""
import fcntl
import hashlib
import os
import pty
import re
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))

FROM = re.compile(rb"From \S+ (Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
                  rb"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                  rb"[ 0123]\d \d\d:\d\d:\d\d \d{4}\n")


def show(messages):
    for row in sorted("%s %d" % (hashlib.sha256(m).hexdigest(), len(m)) for m in messages):
        print(row)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def maildir(folder):
    show(read(os.path.join(folder, sub, name))
         for sub in ("new", "cur") if os.path.isdir(os.path.join(folder, sub))
         for name in os.listdir(os.path.join(folder, sub)))


def box(folder):
    import popd
    show(m.delivered() for m in popd.Mailbox(folder).list())


def mbox(path):
    data = read(path)
    starts = [m.start() for m in re.finditer(rb"(?:\A|(?<=\n))From ", data)]
    if data and (not starts or starts[0] != 0):
        sys.exit("mbox: does not begin with a From_ line")
    messages = []
    for start, end in zip(starts, starts[1:] + [len(data)]):
        head, _, body = data[start:end].partition(b"\n")
        if not FROM.fullmatch(head + b"\n"):
            sys.exit("mbox: bad From_ line: %r" % head)
        if not body.endswith(b"\n"):
            sys.exit("mbox: no blank line behind the message at %d" % start)
        body = body[:-1]
        if body and not body.endswith(b"\n"):
            sys.exit("mbox: no blank line behind the message at %d" % start)
        messages.append(re.sub(rb"(?m)^>(>*From )", rb"\1", body))
    show(messages)


def tree(folder):
    for top, dirs, files in os.walk(folder):
        dirs.sort()
        for name in ["."] + sorted(files):
            path = os.path.join(top, name)
            st = os.lstat(path)
            digest = hashlib.sha256(read(path)).hexdigest()[:16] if os.path.isfile(path) else "-"
            print(os.path.relpath(path, folder), oct(st.st_mode), st.st_size, st.st_mtime_ns,
                  st.st_ino, digest)


def on_terminal(status_file, *command):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        sys.stdout.buffer.write(data)
    _, status = os.waitpid(pid, 0)
    with open(status_file, "w") as f:
        f.write("%d\n" % os.waitstatus_to_exitcode(status))


def freeport():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        print(s.getsockname()[1])


def hold(path, seconds):
    with open(path, "ab") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        print("locked", flush=True)
        time.sleep(float(seconds))


if __name__ == "__main__":
    {"maildir": maildir, "box": box, "mbox": mbox, "tree": tree, "pty": on_terminal,
     "freeport": freeport, "fcntl": hold}[sys.argv[1]](*sys.argv[2:])
