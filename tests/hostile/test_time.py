#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Servers that stall, drip, never finish a handshake, never answer QUIT, never read; every run ends
within its limits, and what was complete is kept."""
import os
import signal
import subprocess
import sys
import time

from hostile import Case, box_of, capa_left_out, main, popd

EVENTS = ("greeting", "CAPA", "USER", "PASS", "UIDL", "LIST", "RETR", "DELE", "QUIT")
# Six connections at most wait for their timeout, and then some, on a machine with other work.
SECONDS = 90


def late(event):
    """What is right, and where to look for it."""
    if event == "CAPA":
        return {"want": "0", "check": capa_left_out}
    return {"want": "0 65 75 76" if event in ("DELE", "QUIT") else
            "65 75 76" if event == "RETR" else "75 76"}


def top_left_out(world):
    """TOP is advice: who hangs over it is met again in the same run, and not asked."""
    asked = [sum(verb == "TOP" for verb, _ in c.commands) for c in world.server.conns]
    return [] if asked[0] == 1 and asked[1:] and not any(asked[1:]) else ["TOP asked: %s" % asked]


def once(world):
    """When session_timeout has passed there is no other connection."""
    return [] if len(world.server.conns) == 1 else ["%d connections" % len(world.server.conns)]


def stalls():
    cases = []
    for event in EVENTS:
        for how in ("hang", "stall"):
            cases.append(Case("%s at %s" % (how, event), "on %s: %s" % (event, how),
                              seconds=SECONDS, **late(event)))
        cases.append(Case("stall in the middle of the answer to %s" % event,
                          '%s: send "+O"; stall' % ("on " + event), seconds=SECONDS,
                          **late(event)))
        cases.append(Case("one byte each 200 ms at %s" % event,
                          '%s: drip 200; send "+OK "; endless "x"' % ("on " + event),
                          seconds=SECONDS, **late(event)))
    for event in ("CAPA", "UIDL", "LIST", "RETR"):
        cases.append(Case("one byte each 50 ms inside the lines of %s" % event,
                          'on %s: send "+OK\\r\\n"; drip 50; endless "1 x\\r\\n"' % event,
                          seconds=SECONDS, **late(event)))
    cases += [
        Case("stall at TOP", ["set uidl no", "on TOP: hang"], "0", honest="set uidl no",
             seconds=SECONDS, check=top_left_out),
        Case("stall at STAT", ["set uidl no", 'on LIST "": err no', "on STAT: hang"], "75",
             honest=["set uidl no", 'on LIST "": err no'], seconds=SECONDS),
        Case("stall at connect", "on connect: stall", "75", seconds=SECONDS),
        Case("drip of every answer, 20 ms", "on connect: drip 20", "65 75 76", seconds=SECONDS),
        Case("drip of every answer, 20 ms, session_timeout 1s", "on connect: drip 20", "65 75",
             account={"session_timeout": "1s"}, honest_account={"session_timeout": "60s"},
             seconds=SECONDS, check=once),
        Case("drip of every answer, 2 ms: slow, but it works", "on connect: drip 2",
             box=box_of(2), seconds=SECONDS),
        Case("a pause of 0.7 s before each answer: slow, but it works", "on ANY: sleep 700",
             account={"pipelining": "off"}, box=box_of(1), seconds=SECONDS),
        Case("stall at the second message, one at a time", "on RETR =m002: hang", "65 75 76",
             account={"pipelining": "off"}, seconds=SECONDS),
        Case("stall at every message", "on RETR: hang", "65 75 76", seconds=SECONDS),
        Case("stall at every message, five runs", "on RETR: hang", "65 75 76", runs=3, seconds=SECONDS),
        Case("the first half at once, then one byte each 200 ms",
             'on RETR =m002: send "+OK\\r\\n"; repeat 3000 "%s\\r\\n"; drip 200; endless "x"'
             % ("y" * 98),
             "65 75 76", seconds=SECONDS),
        Case("-ERR [SYS/TEMP] and a stall", 'on LIST: send "-ERR [SYS/TEMP]\\r\\n"; stall',
             "65", account={"timeout": "3s"}, honest_account={"timeout": "30s"},
             said="m001.*\n.*m002.*\n.*must wait for the next run: 1\n"
             ".*message after message breaks the connection", seconds=SECONDS),
    ]
    return cases


def handshakes():
    """TLS that never comes to its end. The honest server speaks TLS again."""
    record = "\\x16\\x03\\x03\\x40\\x00"
    lies = {
        "nothing": "on connect: hang",
        "reads nothing": "on connect: stall",
        "a record that never ends": 'on connect: send "%s"; hang' % record,
        "a byte each 200 ms": 'on connect: send "%s"; drip 200; endless "\\x02"' % record,
        "plain POP3": 'on connect: send "+OK ready\\r\\n"; hang',
        "random bytes": 'on connect: endless "%s"' % "".join("\\x%02x" % (i * 7 % 256)
                                                              for i in range(64)),
        "an alert": 'on connect: send "\\x15\\x03\\x03\\x00\\x02\\x02\\x28"; close',
        "the end": "on connect: close",
        "a reset": "on connect: reset",
    }
    cases = [Case("TLS: %s" % name, script, "75 76 77", tls="implicit", seconds=SECONDS)
             for name, script in lies.items()]
    after = {
        "nothing": "on STLS: ok; hang",
        "a record that never ends": 'on STLS: text "+OK\\r\\n"; sleep 50; send "%s"; hang' % record,
        "plain POP3": 'on STLS: ok; sleep 50; send "+OK ready\\r\\n"; hang',
        "a byte behind +OK": 'on STLS: text "+OK\\r\\nx"; tls',
        "a whole session behind +OK": 'on STLS: text "+OK\\r\\n+OK\\r\\n+OK\\r\\n+OK\\r\\n"; tls',
        "the end": "on STLS: ok; close",
        "-ERR": 'on STLS: err "no"',
        "+ instead of +OK": 'on STLS: text "+ go\\r\\n"; hang',
    }
    cases += [Case("STLS: %s" % name, script, "69 75 76 77", tls="stls", seconds=SECONDS)
              for name, script in after.items()]
    cases += [
        Case("TLS: no close_notify in the middle of a message",
             'on RETR =m002: send "+OK\\r\\nA: b\\r\\n\\r\\nx\\r\\n"; close', "65 75 76 77",
             tls="implicit", seconds=SECONDS),
        Case("TLS: close_notify in the middle of a message",
             'on RETR =m002: send "+OK\\r\\nA: b\\r\\n\\r\\nx\\r\\n"; notify', "65 75 76 77",
             tls="implicit", seconds=SECONDS),
        Case("TLS: stall in the middle of a message",
             'on RETR =m002: send "+OK\\r\\nA: b\\r\\n"; stall', "65 75 76", tls="implicit",
             seconds=SECONDS),
        Case("TLS: QUIT never answered", "on QUIT: hang", "0 75", tls="implicit", seconds=SECONDS),
    ]
    return cases


def deaf():
    """A server that reads nothing while we write, and perhaps talks all the time."""
    many = box_of(800)

    def flood(conn, event, arg):
        """Answers of 40 kB to all that was asked, before it reads on."""
        data = b"+OK\r\n" + (b"x" * 998 + b"\r\n") * 400 + b".\r\n"
        conn.send(data)
        return b""

    return [
        Case("reads nothing after login", "on PASS: do; ok; stall", "75", box=many,
             seconds=SECONDS),
        # The question behind it is blamed, and the same run goes on without that.
        Case("reads nothing after the first RETR", "on RETR 1: answer; stall", "0", box=many,
             seconds=SECONDS),
        Case("reads nothing after the first DELE", "on DELE 1: answer; stall", "0 75", box=many,
             seconds=SECONDS),
        Case("reads nothing, sends for ever", 'on RETR 1: endless "+OK\\r\\nx\\r\\n.\\r\\n"',
             "65 75 76", box=many, seconds=SECONDS),
        Case("long answers while we write", [("RETR", flood)], "0 65 75 76",
             box={"m%03d" % n: ("x" * 998 + "\n").encode() * 400 for n in range(20)},
             seconds=SECONDS),
        Case("takes 0.2 s for each of 30 messages", "on RETR: sleep 200", box=box_of(30),
             seconds=SECONDS),
    ]


def quits():
    return [
        Case("QUIT never answered", "on QUIT: hang", "0 75", seconds=SECONDS),
        Case("QUIT never answered, five runs", "on QUIT: hang", "0 75", runs=3, seconds=SECONDS),
        Case("QUIT carried out, never answered", "on QUIT: do; hang", "0 75", seconds=SECONDS),
        Case("QUIT carried out, the line drops", "on QUIT: do; close", "0 75"),
        Case("QUIT carried out, the line is reset", "on QUIT: do; reset", "0 75"),
        Case("QUIT refused", 'on QUIT: err "some were not removed"', "0 75"),
        Case("QUIT carried out and refused", 'on QUIT: do; err "some were not removed"', "0 75"),
        Case("QUIT answered with junk", 'on QUIT: text "bye\\r\\n"', "0 75 76"),
        Case("QUIT answered twice", "on QUIT: answer; answer", "0"),
        Case("QUIT answered by a line without end", 'on QUIT: send "+OK "; endless "bye "',
             "0 75 76"),
        Case("QUIT answered by half a line", 'on QUIT: send "+O"; close', "0 75"),
        Case("deletes though QUIT never came", ["set delete-on-drop yes", "on @1 DELE 3: close"],
             "0 65 75", honest=""),
    ]


def interrupt(signals):
    """Signals while the server stalls: the run ends in seconds, and mail is safe."""
    def check(world):
        return world.said

    def act(world):
        server = popd.Server(world.box, script="on RETR =m002: send \"+OK\\r\\nA: b\\r\\n\"; hang",
                             **world.settings())
        with server:
            world.port = server.port
            world.write_rc(timeout="60s")
            child = world.start()
            server.wait_for("RETR *", 60)
            time.sleep(0.2)
            begin = time.monotonic()
            for number in signals:
                child.send_signal(number)
                time.sleep(0.2)
            try:
                child.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                child.kill()
            took = time.monotonic() - begin
        world.said = [] if took < 30 else ["%.1f s from the signal to the end" % took]
        if child.returncode not in (75, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
            world.said.append("status %s" % child.returncode)

    return Case("signals %s while a server stalls" % " ".join(signal.Signals(s).name
                                                              for s in signals),
                before=act, check=check)


def slow_twice(world):
    """The second connection begins late, and has no time of its own."""
    starts = len(world.server.conns)
    return [] if starts == 2 else ["%d connections" % starts]


def floods():
    """Time without a wait: a peer that never lets us wait must not outlive the deadlines either."""
    return [
        Case("a trickle above the least rate, session_timeout 2s",
             'on RETR =m002: send "+OK\\r\\n"; drip 2; endless "x"', "65 75 76",
             account={"session_timeout": "2s"}, seconds=150, long=True),
        Case("a trickle on the second connection, session_timeout 40s",
             ['on @1 RETR =m002: send "+OK\\r\\n"; drip 2; repeat 18000 "x"; close',
              'on RETR: send "+OK\\r\\n"; drip 2; endless "x"'], "65 75 76",
             account={"session_timeout": "40s", "timeout": "20s"}, seconds=165, check=slow_twice,
             long=True),
        Case("session_timeout 1s, 40 messages of 0.1 s", "on RETR: sleep 100", "75", box=box_of(40),
             account={"session_timeout": "1s", "pipelining": "off"}, seconds=SECONDS,
             honest_account={"session_timeout": "60s"}),
    ]


if __name__ == "__main__":
    sys.exit(main(stalls() + handshakes() + deaf() + quits() + floods()
                  + [interrupt(s) for s in ((signal.SIGTERM,), (signal.SIGINT,),
                                            (signal.SIGTERM, signal.SIGTERM),
                                            (signal.SIGINT, signal.SIGINT, signal.SIGINT))],
                  jobs=6))
