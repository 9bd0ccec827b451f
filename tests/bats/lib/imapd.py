#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An IMAP server for one connection after the other that answers as it is told.

usage: imapd.py PORTFILE [VERB=ANSWER ...]
VERB is login, examine or append; ANSWER stands behind the tag, and "drop" is the end of the connection.
"""

import os
import re
import socket
import sys


def serve(stream, out, answers):
    def say(text):
        out.write(text.encode() + b"\r\n")
        out.flush()

    say("* OK ready")
    for line in stream:
        tag, verb = line.decode("latin-1").split()[:2]
        usual = {"CAPABILITY": "* CAPABILITY IMAP4rev1", "EXAMINE": "* 0 EXISTS", "UID": "* SEARCH",
                 "LOGOUT": "* BYE"}
        literal = re.search(rb"\{(\d+)\}\r\n$", line)
        if literal:
            say("+ go on")
            stream.read(int(literal.group(1)))
            stream.readline()
        if verb in usual:
            say(usual[verb])
        answer = answers.get(verb.lower(), "OK done")
        if answer == "drop":
            return
        say(f"{tag} {answer}")


def main():
    answers = dict(rule.split("=", 1) for rule in sys.argv[2:])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(listener.getsockname()[1]))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        while True:
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as stream, sock.makefile("wb") as out:
                try:
                    serve(stream, out, answers)
                except OSError:
                    pass


if __name__ == "__main__":
    main()
