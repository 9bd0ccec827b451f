#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Where a message ends: terminators cut up and forged, line ends of every kind, bytes that nobody
asked for, ends that never come."""
import sys

from hostile import Case, box_of, mail, main, wire_of

FORGED = b"+OK 40 octets\r\nSubject: forged\r\n\r\nforged\r\n.\r\n"
EDGES = (1024, 4096, 8192, 16384, 32768, 65536, 131072)
BROKEN = "65 75 76"


def cut_at(offset, ms=3):
    """The answer in two pieces."""
    def step(conn, event, arg):
        data = wire_of(conn._messages[int(arg) - 1].data().replace(b"\r\n", b"\n"))
        at = offset(int(arg), len(data))
        conn.send(data[:at])
        conn.server.pause(ms)
        conn.send(data[at:])
        return b""
    return step


def tails():
    """Many messages that end in all the ways a message can look like its own end."""
    bodies = ["", "\n", ".\n", "..\n", "x", "x\n.\n", "\n.\n", ".x\n", ".\n.\n.\n", "x\n..\n.\n"]
    return {"t%02d" % i: mail("t%02d" % i, b) for i, b in enumerate(bodies)}


def dots():
    """Each ends early where a server forgets to stuff. (A dot before other words falls away.)"""
    bodies = ["x\n.\n", "\n.\n", ".\n", "x\n", "x\n.\ny\n.\nz\n"]
    return {"d%02d" % i: mail("d%02d" % i, b) for i, b in enumerate(bodies)}


def edge_box(edge, line):
    """Messages whose bytes on the wire are as long as a buffer, give or take; one line, or many."""
    box = {}
    for n, delta in enumerate(range(-7, 8)):
        head = b"Subject: edge %02d\n\n" % n
        room = edge + delta - len(head) - 2
        body = b"x" * room if line else (b"y" * 62 + b"\n") * (room // 64)
        rest = b"" if line else b"z" * (room - len(body) - room // 64)
        box["e%02d" % n] = head + body + rest + b"\n.\n..\nend\n"
    return box


def splits():
    cases = []
    for back in range(9):
        cases.append(Case("terminator cut %d bytes before its end" % back,
                          [("RETR", cut_at(lambda n, size, back=back: size - back))], box=tails()))
    cases.append(Case("each answer cut at another offset",
                      [("RETR", cut_at(lambda n, size: n % size, 1))], box=box_of(110)))
    for size in (1, 2, 3, 5, 7):
        cases.append(Case("everything in pieces of %d" % size, "on connect: split %d 0" % size,
                          box=tails()))
    cases.append(Case("everything in pieces of 1, without PIPELINING", "on connect: split 1 0",
                      account={"pipelining": "off"}, box=tails()))
    for edge in EDGES:
        cases.append(Case("ends around %d bytes, lines" % edge, box=edge_box(edge, False)))
        cases.append(Case("ends around %d bytes, one line" % edge, box=edge_box(edge, True)))
    for edge in (8192, 65536):
        cases.append(Case("ends around %d bytes over TLS" % edge, box=edge_box(edge, False),
                          tls="implicit"))
    return cases


def contents():
    """Honest servers, odd messages: byte for byte what was sent."""
    heads = b"Subject: x\r\n\r\n"
    wires = {
        "LF . LF and a forged message": b"x\n.\n" + FORGED.replace(b"\r\n.\r\n", b"\r\n..\r\n"),
        "LF . CRLF and a forged message": b"x\n.\r\n" + FORGED.replace(b"\r\n.\r\n", b"\r\n..\r\n"),
        "CR . CR and a forged answer": b"x\r.\r+OK\r\n-ERR no\r\n",
        "CR CR LF . CR LF": b"x\r\r\n..\r\nrest\r\n",
        "CR LF . CR without LF": b"x\r\n..\ry\r\n",
        "LF CR . CR LF": b"x\n\r.\r\ny\r\n",
        "dots of every number": b"".join(b"." * n + b"\r\n" for n in range(2, 9)),
        "lines of . and ..": b"..\r\n...\r\n..x\r\n...x\r\n",
        "NUL and every other byte": b"".join(bytes([c]) for c in range(256) if c not in (10, 13))
                                    + b"\r\n",
        "bare CRs at the end": b"x\r\r\r\r\n",
        "bare LFs at the end": b"x\n\n\n\r\n",
        "a line of 200 kB": b"x" * 200000 + b"\r\n",
        "a NUL line": b"\0" * 70000 + b"\r\n",
        "+OK and -ERR lines": b"+OK\r\n-ERR [AUTH] x\r\n+ \r\n+OK 1 m001\r\n",
    }
    box = {"%02d.wire" % n: heads + body + b".\r\n" for n, body in enumerate(wires.values())}
    cases = [Case("message with " + name, box={"a": mail("a"), "b.wire": heads + body + b".\r\n",
                                               "c": mail("c")}) for name, body in wires.items()]
    for name, settings in (("pipelined", {}), ("one at a time", {"pipelining": "off"})):
        cases.append(Case("all of these, " + name, box=box, account=settings))
    cases += [
        Case("message of no bytes", box={"a": mail("a"), "b.wire": b".\r\n", "c": mail("c")}),
        Case("only messages of no bytes", box={"a.wire": b".\r\n", "b.wire": b".\r\n"}),
        Case("header alone, no empty line", box={"a": b"Subject: x\n", "b": b"no header\n"}),
        Case("body alone", box={"a": b"\nonly a body\n", "b": b"\n\n\n"}),
        Case("From_ line and quoted ones", box={"a": b"From x\nA: b\n\nFrom y\n>From z\n"}),
        Case("a header of 3 MB", box={"a": b"X: " + b"y" * 3000000 + b"\n\nz\n", "b": mail("b")}),
        Case("100000 header lines", box={"a": b"X: y\n" * 100000 + b"\nz\n", "b": mail("b")}),
        Case("a line of 20 MB", box={"a": mail("a", "x" * 20000000), "b": mail("b")},
             account={"timeout": "10s"}),
        Case("a line of 100 MB", box={"a": mail("a", "x" * 100000000), "b": mail("b")},
             account={"timeout": "30s"}, seconds=60, long=True),
    ]
    return cases


def line_ends():
    return [
        Case("whole session in LF", "set lf yes", box=tails(), honest="set lf yes"),
        Case("one answer in LF", "on RETR 2: lf", box=tails()),
        Case("greeting in LF alone", 'on greeting: text "+OK\\n"'),
        Case("status line in LF, body in CRLF",
             [("RETR 2", ("text", "+OK\n" + wire_of(mail("m002"))[5:].decode()))]),
        Case("status line in CRLF, body in LF",
             [("RETR =m002", ("text", b"+OK\r\n" + mail("m002") + b".\n"), "hang")], BROKEN),
        Case("end in LF . LF behind CRLF",
             [("RETR =m002", ("text", "+OK\r\nA: b\r\n\r\nx\n.\n"), "hang")], BROKEN),
        Case("end in CR . CR", [("RETR =m002", ("text", "+OK\r\nA: b\r\n\r\nx\r.\r"), "hang")], BROKEN),
        Case("end in CRLF . LF", [("RETR =m002", ("text", "+OK\r\nA: b\r\n\r\nx\r\n.\n"), "hang")],
             BROKEN),
        Case("end in CRLF . CR", [("RETR =m002", ("text", "+OK\r\nA: b\r\n\r\nx\r\n.\r"), "hang")],
             BROKEN),
        Case("listing ends in LF . LF",
             'on UIDL "": text "+OK\\r\\n1 m001\\r\\n2 m002\\r\\n3 m003\\n.\\n"; hang', "75 76"),
        Case("missing final CRLF before the dot", "on RETR 2: noeom; answer; send \".\\r\\n\"",
             BROKEN + " 0"),
        Case("no terminator, then the end", "on RETR =m002: noeom; answer; close", BROKEN),
        Case("no terminator, then silence", "on RETR =m002: noeom; answer; hang", BROKEN),
        Case("no terminator, the next answer follows", "on RETR 2: noeom", BROKEN + " 0"),
        Case("no terminator on the last message", "on RETR =m003: noeom", BROKEN),
        Case("no terminator on any message", "on RETR: noeom", BROKEN),
        Case("lone dots that are not stuffed", "on RETR: unstuffed", BROKEN, box=dots()),
        Case("lone dots that are not stuffed, one at a time", "on RETR: unstuffed", BROKEN,
             box=dots(), account={"pipelining": "off"}),
    ]


def sender_forges():
    """A server that forgets to stuff lets the sender of a mail speak in its name."""
    cases = []
    answers = {
        "a forged message": b"+OK\r\nSubject: forged\r\n\r\nforged\r\n.\r\n",
        "a refusal": b"-ERR no such message\r\n",
        "a proof for another UIDL": b"+OK 2 m003\r\n",
        "its own proof": b"+OK 2 m002\r\n",
        "its own proof in bare form": b"+OK m002\r\n",
        "confirmed deletions": b"+OK\r\n" * 8,
        "an end of session": b"+OK bye\r\n",
    }
    for name, text in answers.items():
        body = (b"Subject: m002\r\nMessage-ID: <m002@example.org>\r\n\r\nx\r\n.\r\n" + text
                + b"rest\r\n").replace(b"\r\n", b"\n")
        box = dict(box_of(5), m002=body)
        for way, keys in (("pipelined", {}), ("one at a time", {"pipelining": "off"})):
            cases.append(Case("unstuffed mail with %s, %s" % (name, way),
                              "on RETR =m002: unstuffed",
                              BROKEN + " 0", box=box, account=keys))
    return cases


def unasked():
    cases = []
    words = {"+OK": b"+OK\r\n", "-ERR": b"-ERR nobody asked\r\n", "a message": FORGED,
             "an empty line": b"\r\n", "a NUL": b"\0", "half a line": b"+O", "LFs": b"\n" * 20,
             "a dot": b".\r\n", "a terminator": b"\r\n.\r\n", "64 kB": b"x" * 65536}
    for name, data in words.items():
        cases.append(Case("%s behind a message" % name, [("RETR 2", "answer", ("send", data))],
                          "0 " + BROKEN))
        cases.append(Case("%s before a message" % name, [("RETR 2", ("send", data))],
                          "0 " + BROKEN))
    for event in ("greeting", "CAPA", "USER", "PASS", 'UIDL ""', 'LIST ""', "DELE", "QUIT"):
        rule = event.replace(' ""', " ")
        cases.append(Case("a message nobody asked for behind %s" % event,
                          [(rule, "answer", ("send", FORGED))], "0 " + BROKEN))
        cases.append(Case("-ERR nobody asked for before %s" % event,
                          [(rule, ("send", b"-ERR what?\r\n"))], "0 65 69 75 76 77"))
    cases += [
        Case("four empty lines before every status line",
             'on ANY: send "\\r\\n\\r\\n\\r\\n\\r\\n"'),
        Case("five empty lines before a status line",
             'on RETR =m002: send "\\r\\n\\r\\n\\r\\n\\r\\n\\r\\n"',
             BROKEN),
        Case("empty lines for ever", 'on RETR =m002: endless "\\r\\n"', BROKEN),
        Case("an answer that waits for the next command",
             [("RETR 1", "none"), ("RETR 2", ("send", wire_of(mail("m001"))), "answer")],
             BROKEN + " 0"),
        Case("answers of two messages swapped",
             [("RETR 1", ("text", wire_of(mail("m002")))),
              ("RETR 2", ("text", wire_of(mail("m001"))))], "0 " + BROKEN),
        Case("two answers for each RETR", "on RETR: answer; answer", BROKEN + " 0"),
        Case("two answers for each RETR, and then a pause",
             ["on RETR 1: answer; answer", "on RETR 2: answer; sleep 100; answer",
              "on RETR 3: answer; sleep 100; answer"], BROKEN + " 0"),
        Case("-ERR before a message, and then a pause",
             ["on RETR 2: send \"-ERR nobody asked\\r\\n\"", "on RETR 3: sleep 100"],
             BROKEN + " 0"),
        Case("two answers for each DELE", "on DELE: answer; answer", BROKEN + " 0"),
        Case("a body for DELE", 'on DELE: text "+OK\\r\\nx\\r\\n.\\r\\n"', BROKEN + " 0"),
        Case("a continuation for RETR", 'on RETR =m002: text "+ \\r\\n"', BROKEN),
        Case("an answer in lower case", 'on RETR =m002: text "+ok\\r\\nx\\r\\n.\\r\\n"', BROKEN),
        Case("a status line of 100 MB", 'on RETR =m002: send "+OK "; repeat 100000 "%s"'
             % ("x" * 1000),
             BROKEN),
        Case("a NUL in a status line", 'on RETR =m002: text "+OK\\0x\\r\\nA: b\\r\\n\\r\\n"; hang',
             BROKEN),
        Case("HTTP instead of POP3",
             'on greeting: text "HTTP/1.1 400 Bad Request\\r\\n\\r\\n"; close',
             "76"),
        Case("IMAP instead of POP3", 'on greeting: text "* OK IMAP4rev1\\r\\n"', "76"),
        Case("random bytes instead of POP3", [("greeting", ("text", bytes(range(1, 256)) * 300))],
             "76"),
    ]
    return cases


def in_the_stream():
    """Batches of one and of two messages: marks, commits and DELEs between the RETRs."""
    cases = []
    lies = {
        "two answers for a DELE": [("DELE 1", "answer", "answer")],
        "two answers for each DELE": "on DELE: answer; answer",
        "a DELE that is not answered": [("DELE 1", "none")],
        "no DELE is answered": "on DELE: none",
        "a refused DELE": [("DELE 2", ("text", b"-ERR no\r\n"))],
        "a body for a DELE": [("DELE 1", ("text", b"+OK\r\nx\r\n.\r\n"))],
        "a mark about another message": [("UIDL 3", ("text", b"+OK 2 m002\r\n"))],
        "a refused mark": [("UIDL 3", ("text", b"-ERR no\r\n"))],
        "a refused message": [("RETR 3", ("text", b"-ERR no\r\n"))],
        "a refused message, and then a mark about another": [
            ("RETR 2", ("text", b"-ERR no\r\n")), ("UIDL 5", ("text", b"+OK 4 m004\r\n"))],
        "sizes that are not so, in each batch": 'on LIST "": text '
            '"+OK\\r\\n1 9\\r\\n2 9\\r\\n3 9\\r\\n4 9\\r\\n5 9\\r\\n6 9\\r\\n.\\r\\n"',
        "QUIT refused": [("QUIT", ("text", b"-ERR no\r\n"))],
        "QUIT not answered": [("QUIT", "close")],
        "one answer more before QUIT's": [("QUIT", ("send", b"+OK\r\n"), "answer")],
    }
    for name, script in lies.items():
        for files in (67, 68, 1024):
            cases.append(Case("%s, %d descriptors" % (name, files), script,
                              "0 " + BROKEN, box=box_of(6), files=files, rounds=2))
    return cases


if __name__ == "__main__":
    sys.exit(main(splits() + contents() + line_ends() + sender_forges() + unasked() +
                  in_the_stream()))
