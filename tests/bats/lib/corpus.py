#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Odd messages by theme, and ordinary ones up to a number, as files of a Maildir's new/.

    corpus.py FOLDER COUNT [--small]    --small leaves out what is over 100 kB

The same call always writes the same bytes. A message whose first line is a lone dot is left out:
Dovecot 2.3 sends it unstuffed, which is the end of the message by RFC 1939.
"""
import os
import random
import sys

HEAD = b"From: a@example.org\nTo: b@example.org\nSubject: %s\nMessage-ID: <%d@example.org>\n\n"


def odd(small):
    yield b"one dot", b"a\n.\nb\n"
    yield b"dots", b"a\n..\n...\n....\n.\n"
    yield b"dot words", b".a\n..a\n. a\na.\n .\n"
    yield b"dot last, no line end", b"a\n."
    yield b"dot first in body", b".\n"
    yield b"only dots", b".\n" * 400
    yield b"NUL", b"a\0b\n\0\n\0\0\0\n"
    yield b"8-bit", bytes(range(128, 256)) + b"\n" + "Grüße, 世界\n".encode()
    yield b"every octet", bytes(range(256)) * 3
    yield b"bare CR", b"a\rb\r\rc\n"
    yield b"CR CR LF", b"a\r\r\nb\r\r\r\nc\n"
    yield b"CRLF", b"a\r\nb\r\n.\r\n\r\n"
    yield b"CR dot CR", b"a\r.\rb\n\r.\r\n"
    yield b"CR last", b"a\r"
    yield b"LF dot CRLF", b"a\n.\r\nb\n"
    yield b"forged answers", b"a\n.\n+OK 10 octets\nX: y\n\nforged\n.\n-ERR no\n+OK\n"
    yield b"From", b"From here on\n>From there\n>>From x\nfrom y\nFrom \n\nFrom a@b Mon Jan  1 00:00:00 2024\n"
    yield b"no body", b""
    yield b"no final line end", b"the end"
    yield b"many line ends", b"\n" * 500
    yield b"blanks", b"  \t \n\t\n \n"
    for n in (70, 76, 510, 512, 998, 1000, 4094, 4095, 4096, 4097, 8191, 8192, 8193,
              16383, 16384, 16385, 32767, 65534, 65535, 65536, 65537):
        yield b"line of %d" % n, b"x" * n + b"\n.y\n" + b"z" * (n - 1) + b"\n.\n"
    if not small:
        yield b"1 MB line", b"w" * (1 << 20) + b"\n"
        yield b"1 MB of dots", b"." * (1 << 20) + b"\n"
        yield b"many lines", b"." + b"\n" * 300000 + b".\n" * 100000
        yield b"20 MB", random.Random(20).randbytes(10 << 20).replace(b"\0", b"0") + \
            (b"0123456789abcdef" * 4 + b"\n") * (10 * (1 << 20) // 65)


def bare():
    """Whole messages that do not begin with a decent header."""
    yield b""
    yield b"\n"
    yield b"\n\n\n"
    yield b"no header at all"
    yield b"no header at all\n"
    yield b"\nbody after an empty header\n"
    yield b"Subject: header only\n"
    yield b"Subject: header only, no line end"
    yield b"From mbox@example.org Mon Jan  1 00:00:00 2024\nSubject: From_ line first\n\nx\n"
    yield b">From mbox@example.org Mon Jan  1 00:00:00 2024\nSubject: x\n\nx\n"
    yield b".dot first\n\nx\n"
    yield b"\0\n"
    yield b"X-Long: " + b"h" * 70000 + b"\n\nlong header line\n"
    yield b"Subject: =?utf-8?q?x?=\nSubject: twice\n folded\n\tmore\n\nx\n"
    yield b"\x1b]0;title\x07\n\nescape\n"


def ordinary(number):
    r = random.Random(number)
    lines = r.randrange(1, 200)
    return b"".join(r.choice((b"", b".", b"..", b"From ", b"")) +
                    bytes(r.choices(b"abcdefghijklmnopqrstuvwxyz .,", k=r.randrange(0, 90))) +
                    b"\n" for _ in range(lines))


def messages(count, small):
    n = 0
    for n, (subject, body) in enumerate(odd(small), 1):
        yield HEAD % (subject, n) + body
    for body in bare():
        n += 1
        yield body
    # equal messages are different mail: each copy must arrive
    for _ in range(3):
        n += 1
        yield HEAD % (b"three times the same", 0) + b"twin\n"
    while n < count:
        n += 1
        yield HEAD % (b"ordinary", n) + ordinary(n)


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    small = "--small" in sys.argv
    os.makedirs(folder, exist_ok=True)
    for i, data in enumerate(messages(count, small), 1):
        with open(os.path.join(folder, "%d.M%06dP1.corpus" % (1700000000 + i, i)), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
