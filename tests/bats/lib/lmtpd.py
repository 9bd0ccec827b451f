#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An LMTP server that does as it is told: for answers that a real one gives too seldom.

usage: lmtpd.py FOLDER WHERE [VERB=ANSWER ...]
WHERE is a path for a socket, or "tcp", whose port goes to FOLDER/port. Each message goes to a file
of FOLDER/in, with LF line ends, and what stood in MAIL and RCPT in FOLDER/envelopes. VERB is greet, lhlo, mail, rcpt,
data, dot or rset; ANSWER a line instead of the ordinary one, "drop" (the connection ends, after the
message is stored), "close" (it ends after this answer), or "silence" (there is none). "VERB=N:ANSWER" counts for the Nth such
command alone.
"""

import os
import socket
import sys


class Lmtpd:
    def __init__(self, folder, rules=(), into=None):
        self.folder = folder
        self.into = into or f"{folder}/in"
        self.rules = [rule.split("=", 1) for rule in rules]
        self.seen = {}
        self.stored = 0
        self.accepted = False  # the last command

    def word(self, verb):
        self.seen[verb] = self.seen.get(verb, 0) + 1
        for name, answer in self.rules:
            number, colon, rest = answer.partition(":")
            if name == verb and not (colon and number.isdigit()):
                return answer
            if name == verb and int(number) == self.seen[verb]:
                return rest
        return None

    def note(self, line):
        with open(f"{self.folder}/envelopes", "ab") as file:
            file.write(line)

    def store(self, stream):
        name = f"{self.into}/m{self.stored:05d}"
        self.stored += 1
        lines = []
        for line in stream:
            if line == b".\r\n":
                break
            lines.append((line[1:] if line.startswith(b".") else line).replace(b"\r\n", b"\n"))
        else:
            return False
        os.makedirs(self.into, exist_ok=True)
        with open(name, "wb") as file:
            file.writelines(lines)
        return True

    def say(self, out, verb, usual):
        answer = self.word(verb)
        self.accepted = answer is None or answer == "close"
        if answer in ("drop", "silence"):
            return answer == "silence"
        last = answer == "close"
        text = usual if answer is None or last else answer
        out.write(text.encode() + b"\r\n")
        out.flush()
        return not last

    def serve(self, sock):
        stream, out = sock.makefile("rb"), sock.makefile("wb")
        if not self.say(out, "greet", "220 here"):
            return
        for line in stream:
            verb = line[:4].strip().lower().decode("latin-1")
            if verb in ("mail", "rcpt"):
                self.note(line)
            usual = {"lhlo": "250-here\r\n250 8BITMIME", "data": "354 go on", "quit": "221 bye"}
            if not self.say(out, verb, usual.get(verb, "250 fine")) or verb == "quit":
                return
            if verb == "data" and self.accepted:
                if not self.store(stream) or not self.say(out, "dot", "250 stored"):
                    return


def listen(folder, where):
    if where != "tcp":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(where)
    else:
        sock = socket.create_server(("127.0.0.1", 0))
        with open(f"{folder}/port.new", "w") as file:
            file.write(str(sock.getsockname()[1]))
        os.rename(f"{folder}/port.new", f"{folder}/port")
    sock.listen(5)
    return sock


def run(lmtpd, listener):
    while True:
        sock, _ = listener.accept()
        try:
            lmtpd.serve(sock)
        except OSError:
            pass
        sock.close()


def main():
    folder, where, *rules = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    run(Lmtpd(folder, rules), listen(folder, where))


if __name__ == "__main__":
    main()
