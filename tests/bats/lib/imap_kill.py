#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs contrib/imap-append and kills it at a moment of its dialogue.

usage: imap_kill.py SCRIPT POINT ARGUMENT ...
POINT is "before:N" or "after:N", the Nth write to the server, or "answer:N", the Nth line read.
Exit status 99 if it ended before that.
"""

import importlib.machinery
import importlib.util
import imaplib
import os
import signal
import sys

SCRIPT, POINT = sys.argv[1:3]
WHEN, NUMBER = POINT.split(":")
counts = {"send": 0, "line": 0}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killing(cls):
    send, readline = cls.send, cls.readline

    def new_send(self, data):
        counts["send"] += 1
        here = counts["send"] == int(NUMBER)
        if here and WHEN == "before":
            die()
        send(self, data)
        if here and WHEN == "after":
            die()

    def new_readline(self):
        line = readline(self)
        counts["line"] += 1
        if WHEN == "answer" and counts["line"] == int(NUMBER):
            die()
        return line

    cls.send, cls.readline = new_send, new_readline


killing(imaplib.IMAP4)
loader = importlib.machinery.SourceFileLoader("imap_append", SCRIPT)
spec = importlib.util.spec_from_loader("imap_append", loader)
module = importlib.util.module_from_spec(spec)
sys.argv = [SCRIPT] + sys.argv[3:]
sys.dont_write_bytecode = True
loader.exec_module(module)
status = module.main()
sys.exit(99 if status == 0 else status)
