#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""popd itself: that it is a decent server when left alone, and that each lie is told as asked."""
import base64
import os
import shutil
import socket
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import popd  # noqa: E402

MAIL = {"m1": b"A: 1\n\n.x\n", "m2": b"A: 2\r\n\r\nbare \r CR\n..\n", "m3": b"no end"}
LOGIN = b"USER alice\r\nPASS secret\r\n"
count = 0


def ok(good, name):
    global count
    count += 1
    print("%s %d - %s" % ("ok" if good else "not ok", count, name), flush=True)
    return good


def talk(say, script=None, seconds=0.4, box=None, **options):
    """Sends all at once, returns (everything the server said, the server, did it end)."""
    folder = box or fresh()
    with popd.Server(folder, script=script, terse=True, **options) as server:
        got, ended = bytearray(), False
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.settimeout(seconds)
            try:
                s.sendall(say)
                while len(got) < 1 << 20:
                    data = s.recv(65536)
                    if not data:
                        ended = True
                        break
                    got += data
            except TimeoutError:
                pass
            except OSError as e:
                ended = type(e).__name__
        server.settle(2)
    if server.faults:
        print("# faults: %s" % server.faults)
        return b"", server, False
    left = sorted(os.listdir(folder))
    server.left = left
    if not box:
        shutil.rmtree(folder)
    return bytes(got), server, ended


def fresh():
    folder = tempfile.mkdtemp(prefix="fppopd.")
    for name, text in MAIL.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(text)
    return folder


def decent():
    got, server, ended = talk(LOGIN + b"UIDL\r\nLIST\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nTOP 1 0\r\n"
                              b"DELE 2\r\nQUIT\r\n")
    ok(got == b"+OK\r\n" * 3 + b"+OK\r\n1 m1\r\n2 m2\r\n3 m3\r\n.\r\n"
       b"+OK\r\n1 12\r\n2 23\r\n3 8\r\n.\r\n+OK\r\nA: 1\r\n\r\n..x\r\n.\r\n"
       b"+OK\r\nA: 2\r\n\r\nbare \r CR\r\n...\r\n.\r\n+OK\r\nno end\r\n.\r\n"
       b"+OK\r\nA: 1\r\n\r\n.\r\n+OK\r\n+OK\r\n", "every byte of an ordinary session")
    ok(ended and server.left == ["m1", "m3"], "DELE is honoured at QUIT")
    ok(server.conns[0].pipelined >= 5, "pipelined commands are counted")
    ok(bytes(server.conns[0].received).startswith(LOGIN), "what was received is recorded")
    _, server, _ = talk(LOGIN + b"DELE 2\r\n")
    ok(server.left == ["m1", "m2", "m3"], "DELE without QUIT changes nothing")
    _, server, _ = talk(LOGIN + b"DELE 2\r\n", 'set delete-on-drop yes')
    ok(server.left == ["m1", "m3"], "unless the liar is asked for")
    got, _, _ = talk(b"RETR 1\r\nUSER alice\r\nPASS wrong\r\n")
    ok(got.count(b"-ERR") == 2, "nothing without login, no login with a wrong password")
    got, _, _ = talk(b"CAPA\r\n", "set hide-caps UIDL", auth="PLAIN")
    ok(b"PIPELINING\r\nTOP\r\nSASL PLAIN\r\n.\r\n" in got and b"UIDL" not in got, "CAPA")
    got, _, _ = talk(b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nNOOP\r\n", auth="PLAIN")
    ok(got == b"+OK\r\n" * 3, "AUTH PLAIN")
    got, server, _ = talk(bytes(range(11, 256)) + b"\r\n\xff\r\n")
    ok(got.count(b"-ERR") == 2, "junk from the client is no trouble")
    delivered = [m.delivered() for m in popd.Mailbox(fresh()).list()]
    ok(delivered == [b"A: 1\n\n.x\n", b"A: 2\n\nbare \r CR\n..\n", b"no end\n"], "delivered()")


def lies():
    say = LOGIN + b"RETR 1\r\nNOOP\r\n"
    body = b"+OK\r\nA: 1\r\n\r\n..x\r\n.\r\n"
    cases = [
        ("err", 'on RETR 1: err "no"', b"-ERR no\r\n+OK\r\n", False),
        ("text", 'on RETR 1: text "\\x00\\"\\r\\n"', b"\0\"\r\n+OK\r\n", False),
        ("send before", 'on RETR: send "\\r\\n"', b"\r\n" + body + b"+OK\r\n", False),
        ("send behind", 'on RETR: answer; send "x"', body + b"x+OK\r\n", False),
        ("unstuffed", 'on RETR: unstuffed', body.replace(b"..x", b".x") + b"+OK\r\n", False),
        ("noeom", 'on RETR: noeom', body[:-3] + b"+OK\r\n", False),
        ("cut", 'on RETR: cut 3', b"+OK\r\nA: +OK\r\n", False),
        ("lf", 'on RETR: lf', body.replace(b"\r", b"") + b"+OK\r\n", False),
        ("close", 'on RETR: close', b"", True),
        ("close-at", 'on RETR: close-at 9', body[:9], True),
        ("close-after", 'on connect: close-after 34', body, True),
        ("hang", 'on RETR: hang', b"", False),
        ("stall", 'on RETR: stall', b"", False),
        ("lines", 'on RETR: lines "a" "b c"', b"+OK\r\na\r\nb c\r\n.\r\n+OK\r\n", False),
        ("none", 'on RETR: none', b"+OK\r\n", False),
        ("argument does not match", 'on RETR 2: close', body + b"+OK\r\n", False),
        ("by name", 'on RETR =m1: err "x"', b"-ERR x\r\n+OK\r\n", False),
        ("by another name", 'on RETR =m2: err "x"', body + b"+OK\r\n", False),
        ("no argument wanted", 'on RETR "": close', body + b"+OK\r\n", False),
        ("no argument", 'on NOOP "": err "x"', body + b"-ERR x\r\n", False),
        ("other connection", 'on @2 RETR: close', body + b"+OK\r\n", False),
        ("twice", 'on x1 RETR: err "once"', b"-ERR once\r\n+OK\r\n", False),
        ("repeat", 'on RETR: text ""; repeat 3 "%d,"', b"1,2,3,+OK\r\n", False),
        ("split", 'on RETR: split 2', body + b"+OK\r\n", False),
        ("drip", 'on RETR: drip 1', body + b"+OK\r\n", False),
        ("expect", 'on RETR: expect "NOOP"; answer', body, False),
        ("expect fails", 'on RETR: expect "QUIT"', b"", True),
    ]
    for name, script, want, closes in cases:
        got, _, ended = talk(say, script)
        if not ok(got == b"+OK\r\n" * 3 + want and bool(ended) == closes, name):
            print("# got %r, ended %r" % (got, ended))
    _, _, ended = talk(say, 'on RETR: reset')
    ok(ended == "ConnectionResetError", "reset")
    got, server, _ = talk(say, 'on RETR: endless "%d x\\r\\n"')
    ok(len(got) >= 1 << 20 and b"\r\n1000 x\r\n" in got, "endless")
    got, _, _ = talk(LOGIN + b"UIDL\r\nLIST\r\n", 'set uidl m1 ""\nset uidl 2 "a b"\n'
                     'set size 1 +1\nset size m2 -1\nset size 3 "1.5"')
    ok(b"1 \r\n2 a b\r\n3 m3\r\n" in got and b"1 13\r\n2 22\r\n3 1.5\r\n" in got, "uidl, size")
    got, _, _ = talk(say, [("RETR 1", lambda conn, event, arg: b"+" + event.encode() + b"\r\n")])
    ok(got.endswith(b"+RETR\r\n+OK\r\n"), "a function as a step")
    start = time.monotonic()
    talk(say, 'on RETR: sleep 150; answer')
    ok(time.monotonic() - start >= 0.15, "sleep")


def habits():
    """What a server keeps up from session to session."""
    box = fresh()
    session = LOGIN + b"STAT\r\nRETR 1\r\n%s\r\n"
    body = b"+OK\r\nA: 1\r\n\r\n..x\r\n.\r\n"
    got, _, _ = talk(session % b"NOOP", "set read-once yes", box=box)
    ok(popd.Mailbox(box).hidden() == [] and b"3 43" in got, "read-once: nothing is hidden before QUIT")
    talk(session % b"QUIT", "set read-once yes", box=box)
    got, _, _ = talk(session % b"QUIT", box=box)
    ok(popd.Mailbox(box).hidden() == ["m1"] and b"2 31" in got, "read-once: after it, it is")
    got, _, _ = talk(LOGIN + b"UIDL\r\nQUIT\r\n", "set slice 2")
    ok(b"\r\n1 m1\r\n2 m2\r\n.\r\n" in got, "slice")
    got, _, _ = talk(LOGIN + b"RETR 1\r\nRETR 2\r\nRETR 3\r\n", "set retr-max 1")
    ok(got.endswith(b".\r\n" + b"-ERR Download exceed. msg=1\r\n" * 2), "retr-max")
    clock, box = [1000], fresh()
    said = []
    for now in (1000, 1100, 1299, 1300):
        clock[0] = now
        said.append(talk(LOGIN, "set login-delay 300", box=box, clock=lambda: clock[0])[0])
    ok([b"LOGIN-DELAY" in s for s in said] == [False, True, True, False], "login-delay")
    got, _, _ = talk(LOGIN + b"TOP 1 0\r\n", "set top-whole yes")
    ok(got.endswith(body), "top-whole")
    got, _, _ = talk(LOGIN + b"RETR 1\r\nTOP 1 0\r\n", 'set retr-adds "B: 2"')
    ok(got.endswith(b"+OK\r\nB: 2\r\n" + body[5:] + b"+OK\r\nA: 1\r\n\r\n.\r\n"), "retr-adds")
    got, _, _ = talk(LOGIN + b"RETR 1\r\nTOP 1 0\r\n", "set header-changes yes")
    ok(b"X-Served: 1\r\nA: 1" in got and b"X-Served: 2\r\nA: 1" in got, "header-changes")
    got, _, _ = talk(LOGIN + b"LIST 1\r\nLIST 1\r\n", "set sizes-change yes")
    ok(got.endswith(b"+OK 1 13\r\n+OK 1 14\r\n"), "sizes-change")
    got, _, _ = talk(LOGIN + b"NOOP\r\n", "set loses-pipelined yes")
    ok(got == b"+OK\r\n" * 2, "loses-pipelined")
    box = tempfile.mkdtemp()
    got, _, _ = talk(LOGIN + b"LIST\r\nUIDL\r\n", "set empty-undotted yes", box=box)
    ok(got.endswith(b"+OK 0 messages\r\n" * 2), "empty-undotted")
    got, _, _ = talk(LOGIN + b"RETR 1\r\nLIST\r\n", "on RETR: short 3\non LIST: first 2")
    ok(got.endswith(b"+OK\r\nA: \r\n.\r\n+OK\r\n1 12\r\n2 23\r\n.\r\n"), "short, first")


def more_logins():
    """RFC 6856, and SCRAM; that a right SCRAM proof is taken is shown by the program's own tests."""
    user = "g\u00fc".encode()
    box = fresh()
    with open(os.path.join(box, "m0"), "wb") as f:
        f.write(b"A: \xc3\xbc\n\nx\n")
    login = b"USER " + user + b"\r\nPASS " + user + b"\r\nRETR 1\r\n"
    options = {"utf8": "user", "user": user.decode(), "password": user.decode()}
    got, _, _ = talk(login, **options, box=box)
    ok(got.count(b"-ERR") == 3 and b"-ERR [UTF8]" in got, "UTF8 is wanted first")
    got, _, _ = talk(b"UTF8\r\n" + login, **options, box=box)
    ok(got.endswith(b"+OK\r\nA: \xc3\xbc\r\n\r\nx\r\n.\r\n"), "and taken")
    got, _, _ = talk(LOGIN + b"RETR 1\r\nRETR 2\r\n", utf8="yes", box=box)
    ok(got.count(b"-ERR") == 1 and b"-ERR [UTF8]" in got, "RETR of a UTF-8 header is refused")
    got, _, _ = talk(b"AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiYw==\r\nYz1iaXdzLHI9YWJjMSxwPXg=\r\n",
                     auth="SCRAM-SHA-256", rounds="1000")
    challenge = base64.b64decode(got.splitlines()[1][2:])
    ok(challenge.endswith(b",i=1000") and got.endswith(b"-ERR [AUTH] wrong user or password\r\n"),
       "SCRAM: rounds as asked for, and a wrong proof refused")
    folder = fresh()
    with popd.Server(folder, script='on NOOP: err "a"', terse=True) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            stream = s.makefile("rwb")
            stream.readline()
            answers = []
            for script in (None, 'on NOOP: err "b"', ""):
                if script is not None:
                    server.play(script)
                stream.write(b"USER alice\r\n" if script == "" else b"USER x\r\nNOOP\r\n")
                stream.flush()
                answers += [stream.readline() for _ in range(1 if script == "" else 2)]
    ok(answers == [b"+OK\r\n", b"-ERR a\r\n", b"+OK\r\n", b"-ERR b\r\n", b"+OK\r\n"],
       "another script from here on")


def language():
    for bad in ("on", "on RETR", "on RETR: dance", "on RETR: err \"x", "set nonsense 1",
                "frobnicate", "on RETR: close-at", "on RETR: text \"\\q\""):
        try:
            popd.Server(fresh(), script=bad)
            ok(False, "refused: %s" % bad)
        except popd.ScriptError:
            ok(True, "refused: %s" % bad)


def main():
    where = tempfile.mkdtemp(prefix="fppopd.")
    tempfile.tempdir = where
    try:
        decent()
        lies()
        habits()
        more_logins()
        language()
    finally:
        shutil.rmtree(where, ignore_errors=True)
    print("1..%d" % count)


if __name__ == "__main__":
    main()
