#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Logging in at servers that lie: false stamps, every response code, challenges that never end or
make no sense, success too early, secrets and terminal escapes sent back."""
import base64
import hashlib
import hmac
import os
import pty
import re
import subprocess
import sys

from hostile import FORMS, SECRET, Case, main, popd

EVIL = "\x1b[2J\x1b]0;evil\x07\x9b31m\r\x08\x7f\xff\x00"


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def sent_nothing(*verbs):
    """The client said none of these."""
    def check(world):
        said = [c for c in world.server.commands() if c.split(" ")[0] in verbs]
        return ["sent: %s" % re.sub("[^ ]{20,}", "...", said[0])] if said else []
    return check


def never_in_clear(world):
    got = b"".join(bytes(c.received) for c in world.server.conns)
    return ["the secret went out"] if any(f in got for f in FORMS) else []


def stamps():
    account = {"auth": "apop"}
    bad = {"empty": "<>", "no @": "<123.456>", "no left side": "<@host>", "no right side": "<a@>",
           "blanks": "<a b@c>", "8-bit": "<a\\xe4@b>", "control bytes": "<a\\x01@b>",
           "NUL": "<a\\0@b>",
           "two @": "<a@b@c>", "not closed": "<a@b", "dots in a row": "<a..b@c>",
           "quotes": "<\\\"a\\\"@b>",
           "brackets inside": "<<a@b",
           "a 512-bit block for a collision": "<" + "\\x80" * 64 + "@x>",
           "DEL": "<a\\x7f@b>"}
    cases = [Case("APOP stamp: %s" % name, 'set apop "%s"' % text, "77", account=account,
                  check=lambda w: sent_nothing("APOP", "USER", "PASS",
                                               "AUTH")(w) + never_in_clear(w),
                  honest="set apop yes") for name, text in bad.items()]
    cases += [
        Case("APOP stamp of 7000 octets", 'set apop "<%s@b>"' % ("a" * 7000), account=account,
             honest="set apop yes"),
        Case("APOP stamp of 9000 octets", 'set apop "<%s@b>"' % ("a" * 9000), "76", account=account,
             honest="set apop yes"),
        Case("APOP shown but refused", ["set apop yes", 'on APOP: err "unknown"'], "77",
             account=account, check=lambda w: sent_nothing("USER", "PASS", "AUTH")(w),
             honest="set apop yes"),
        Case("APOP shown, drops the line", ["set apop yes", "on APOP: close"], "75",
             account=account,
             honest="set apop yes"),
        Case("APOP: the digest is sent back", [
            "set apop yes", ("APOP", lambda c, e, a: b"-ERR no " + a.encode() + b"\r\n")], "77",
            account=account, honest="set apop yes"),
        Case("no stamp, APOP asked for", "", "77", account=account, honest="set apop yes",
             check=sent_nothing("APOP", "USER", "PASS")),
    ]
    return cases


def codes():
    want = {"[IN-USE] x": 75, "[LOGIN-DELAY] x": 75, "[SYS/TEMP] x": 75, "[SYS/PERM] x": 69,
            "[AUTH] x": 77, "[UTF8] x": 77, "[X-OTHER] x": 77, "[AUTH/SUB] x": 77, "[SYS] x": 77,
            "[sys/temp] x": 75, "[ IN-USE ] x": 75, "[IN-USE x": 75, "[] x": 77, "[": 77, "": 77,
            "mailbox is locked": 75, "wrong password": 77, "[AUTH] the mailbox is locked": 77,
            "[IN-USE] wrong password": 75, "temporary failure": 75, "x" * 7000: 77,
            "[" + "A" * 6000 + "]": 77}
    cases = []
    for event in ("PASS", "USER"):
        for text, status in want.items():
            cases.append(Case("-ERR %s to %s" % (text[:40], event), [(event, ("err", text))],
                              str(status)))
    for text, status in want.items():
        if text[:4] in ("[IN-", "[SYS"):
            cases.append(Case("-ERR %s as greeting" % text, [("greeting", ("err", text))],
                              "75" if status == 77 else str(status)))
    for status, text in (("77", "[AUTH] x"), ("75", "[SYS/TEMP] x")):
        cases.append(Case("-ERR %s to AUTH PLAIN" % text,
                          ["set auth PLAIN", ("AUTH", ("err", text))], status,
                          account={"auth": "plain"}, honest="set auth PLAIN"))
    return cases


def with_auth(mechs):
    return {"account": {"auth": mechs.lower()}, "honest": "set auth \"LOGIN PLAIN CRAM-MD5\"\n",
            "honest_account": {"auth": "plain"}}


def scram(first, final=b"v=AAAA", name="SCRAM-SHA-256"):
    """An exchange in which the server says `first`, a function of the client's nonce."""
    def auth(conn, event, arg):
        initial = arg.partition(" ")[2]
        if not initial:
            conn.send(b"+ \r\n")
            initial = conn.read_line()
        nonce = base64.b64decode(initial).split(b"r=")[-1]
        conn.send(b"+ " + base64.b64encode(first(nonce)) + b"\r\n")
        conn.note("AUTH-DATA", conn.read_line())
        if final is not None:
            conn.send(b"+ " + base64.b64encode(final) + b"\r\n")
            conn.note("AUTH-DATA", conn.read_line())
        return b"+OK\r\n"
    return ["set auth %s" % name, ("AUTH", auth)]


def good_scram(conn, event, arg):
    """All right, but for the signature: it is that of another password."""
    name, _, initial = arg.partition(" ")
    bare = base64.b64decode(initial)[3:]
    nonce, salt = bare.split(b"r=")[1] + b"srv", b"0123456789abcdef"
    first = b"r=%s,s=%s,i=4096" % (nonce, base64.b64encode(salt))
    conn.send(b"+ " + base64.b64encode(first) + b"\r\n")
    last = base64.b64decode(conn.read_line())
    conn.note("AUTH-DATA", "...")
    salted = hashlib.pbkdf2_hmac("sha256", b"another", salt, 4096)
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    message = bare + b"," + first + b"," + last.split(b",p=")[0]
    proof = hmac.new(server_key, message, "sha256").digest()
    conn.send(b"+ " + base64.b64encode(b"v=" + base64.b64encode(proof)) + b"\r\n")
    conn.note("AUTH-DATA", conn.read_line())
    return b"+OK\r\n"


def scrams():
    s = b",s=" + base64.b64encode(b"salt") + b",i="
    firsts = {
        "another nonce": lambda n: b"r=other" + s + b"4096",
        "only our nonce": lambda n: b"r=" + n + s + b"4096",
        "0 iterations": lambda n: b"r=" + n + b"x" + s + b"0",
        "-1 iterations": lambda n: b"r=" + n + b"x" + s + b"-1",
        "no iterations": lambda n: b"r=" + n + b"x,s=c2FsdA==",
        "2^31 - 1 iterations": lambda n: b"r=" + n + b"x" + s + b"2147483647",
        "2^32 iterations": lambda n: b"r=" + n + b"x" + s + b"4294967296",
        "50 million iterations": lambda n: b"r=" + n + b"x" + s + b"50000000",
        "no salt": lambda n: b"r=" + n + b"x,i=4096",
        "a salt of 4000 digits": lambda n: b"r=" + n + b"x,s=" + b"c2FsdA" * 666 + b"==,i=4096",
        "a salt that is no base64": lambda n: b"r=" + n + b"x,s=!!!!,i=4096",
        "an extension that must be known": lambda n: b"m=x,r=" + n + b"x" + s + b"4096",
        "an error": lambda n: b"e=invalid-proof",
        "NULs": lambda n: b"\0" * 300,
        "nothing": lambda n: b"",
    }
    more = dict(with_auth("SCRAM-SHA-256"), check=never_in_clear, seconds=15)
    cases = [Case("SCRAM: %s" % name, scram(first), "77", **more) for name, first in firsts.items()]
    for name, final in (("a false signature", b"v=" + base64.b64encode(b"x" * 32)),
                        ("no signature", b""),
                        ("an error at the end", b"e=other-error"), ("no last word", None)):
        cases.append(Case("SCRAM: %s" % name, scram(firsts["only our nonce"], final), "77", **more))
    cases.append(Case("SCRAM: signature of another password",
                      ["set auth SCRAM-SHA-256", ("AUTH", good_scram)], "77", **more))
    cases.append(Case("SCRAM: +OK at once", ["set auth SCRAM-SHA-256", "on AUTH: ok"], "77",
                      **more))
    return cases


def challenges():
    cases = []
    for mech in ("CRAM-MD5", "LOGIN", "PLAIN", "DIGEST-MD5"):
        setting, more = "set auth %s" % mech, with_auth(mech)
        clear = mech in ("LOGIN", "PLAIN")
        line = "+ " + b64("<1.2@x>") + "\r\n"

        def forever(conn, event, arg, line=line):
            while True:
                conn.send(line)
                conn.note("AUTH-DATA", conn.read_line())

        cases += [
            Case("%s: challenges for ever, each answered" % mech, [setting, ("AUTH", forever)],
                 "77",
                 **more),
            Case("%s: challenges for ever, not waiting" % mech,
                 [setting, ("AUTH", ("endless", line))],
                 "75 76 77", **more),
            Case("%s: a challenge without end" % mech, [setting, ("AUTH", ("send", "+ "),
                                                              ("endless", "QUFB"))], "75 76",
                 **more),
            Case("%s: a challenge of 8000 octets" % mech,
                 [setting, ("AUTH", ("text", "+ " + "QUFB" * 2000 + "\r\n"), ("expect", "*"),
                            ("err", "no"))], "75 77", **more),
            Case("%s: no base64" % mech, [setting, ("AUTH", ("text", "+ !!!!\r\n"), ("expect", "*"),
                                                ("err", "no"))], "77", **more),
            Case("%s: base64 of NULs and escapes" % mech,
                 [setting, ("AUTH", ("text", "+ " + b64(EVIL.encode("latin-1")) + "\r\n"),
                            ("expect", "*"), ("err", b64(EVIL.encode("latin-1"))))], "77", **more),
            Case("%s: +OK at once" % mech, [setting, "on AUTH: ok"], "75 77" if clear else "77",
                 **more),
            Case("%s: silence" % mech, [setting, "on AUTH: hang"], "75", **more),
            Case("%s: the line drops" % mech, [setting, "on AUTH: close"], "75", **more),
            Case("%s: refused, and then junk" % mech,
                 [setting, ("AUTH", ("text", "-ERR no\r\n+OK\r\n"))], "75 76 77", **more),
        ]
    long = "maxbuf=" + "A" * 60 + "," + "B" * 76 + "\x00\x08\x00\x00" + "C" * 12
    for n in (100, 130, 140, 145, 150, 160, 200, 1000, 5000):
        text = 'realm="x",nonce="y",qop="%s",charset=utf-8,algorithm=md5-sess' % ("z" * n)
        cases.append(Case("DIGEST-MD5: a qop of %d octets" % n,
                          ["set auth DIGEST-MD5", ("AUTH", ("text", "+ " + b64(text) + "\r\n"),
                                                   ("expect", "*"), ("err", "no"))], "77",
                          **with_auth("DIGEST-MD5")))
    cases.append(Case("DIGEST-MD5: a text that libsasl2 does not end",
                      ["set auth DIGEST-MD5", ("AUTH", ("text", "+ " + b64(long) + "\r\n"),
                                               ("expect", "*"), ("err", "no"))], "77",
                      **with_auth("DIGEST-MD5")))
    return cases


def tokens():
    """OAuth: what the JSON of a refusal may hold."""
    more = {"account": {"auth": "xoauth2", "token_command": "echo %s" % SECRET, "password": None},
            "honest_account": {"auth": "user", "token_command": None, "password": SECRET}}
    texts = {"plain": '{"status":"400"}', "empty": "", "no JSON": "what", "torn": '{"status":"4',
             "deep": "{" * 3000, "the token": '{"status":"%s"}' % SECRET,
             "escapes": '{"status":"\x1b[2J","scope":"\\u001b\\"x"}', "NULs": "\0" * 100,
             "long": '{"status":"' + "x" * 4000 + '"}'}
    cases = []
    for name, text in texts.items():
        cases.append(Case("XOAUTH2 refused: %s" % name,
                          ["set auth XOAUTH2", ("AUTH", ("text", "+ \r\n"), ("expect", "*"),
                                                ("text", "+ " + b64(text) + "\r\n"),
                                                ("expect", "*"),
                                                ("err", "no"))], "77", **more))
    return cases


def early():
    return [
        Case("+OK to USER means nothing, -ERR to PASS", 'on PASS: err "no"', "77"),
        Case("logged in before PASS", "on USER: ok logged in", "77"),
        Case("a continuation for PASS", 'on PASS: text "+ more\\r\\n"', "75 76 77"),
        Case("a continuation for USER", 'on USER: text "+ more\\r\\n"', "75 76 77",
             check=sent_nothing("PASS")),
        Case("dropped after PASS", "on PASS: close", "75", said="hang up on a wrong password"),
        Case("reset after PASS", "on PASS: reset", "75"),
        Case("dropped after USER", "on USER: close", "75", check=sent_nothing("PASS")),
        Case("-ERR to PASS, then the end", 'on PASS: send "-ERR [AUTH] no\\r\\n"; close', "77"),
        Case("+OK to PASS, then nothing works",
             ['on PASS: ok', 'on UIDL: err "no"', 'on LIST: err "no"',
                                                 'on STAT: err "no"'], "65 69 75 76"),
        Case("+OK to PASS, then the end", "on PASS: do; ok; close", "75"),
        Case("another mailbox after login", "on PASS: ok welcome bob", "65 69 75 76 0", hides=True),
        Case("login delay of a century", 'set caps "LOGIN-DELAY 3155760000"'),
        Case("EXPIRE 0", 'set caps "EXPIRE 0"'),
        Case("STLS stripped", "", "69 76 77", account={"tls": "stls", "tls_ca_file": None},
             honest_account={"tls": "none"}, check=sent_nothing("USER", "PASS", "AUTH")),
        Case("no mechanism that we know", "set auth KERBEROS_V9\nset plain-login no", "77",
             account={"auth": "auto"}, honest_account={"auth": "user"},
             check=sent_nothing("USER", "PASS", "AUTH")),
        Case("auto without TLS sends no password", 'set auth "PLAIN LOGIN"', "77",
             account={"auth": "auto"}, honest_account={"auth": "user"}, check=never_in_clear),
        Case("auto without TLS, weak APOP stamp", 'set apop "<a>"', "77", account={"auth": "auto"},
             honest_account={"auth": "user"}, check=never_in_clear),
    ]


def echoes():
    """The secret, its base64 and escapes in every text that may be shown."""
    cases = []
    for what, text in (("the secret", "no %s no" % SECRET),
                       ("the secret twice, glued", SECRET * 40),
                       ("its base64", b64("\0alice\0" + SECRET)),
                       ("PASS with it", "PASS " + SECRET), ("escapes", EVIL),
                       ("escapes and the secret", "\x1b]0;%s\x07" % SECRET),
                       ("the secret at the place of the cut", "x" * 195 + SECRET),
                       ("format letters", "%s%n%d%99999d%x")):
        rules = [("greeting", ("ok", text)), ("USER", "do", ("ok", text))]
        for event in ("greeting", "CAPA", "USER", "PASS", "UIDL ", "LIST ", "RETR =m002", "DELE",
                      "QUIT"):
            cases.append(Case("%s in -ERR to %s" % (what, event), [(event, ("err", text))],
                              "0 65 69 75 76 77"))
        cases.append(Case("%s in -ERR to TOP" % what, ["set uidl no", ("TOP", ("err", text))],
                          "0 65 69 75 76 77", honest="set uidl no"))
        cases.append(Case("%s in -ERR to AUTH" % what, ["set auth PLAIN", ("AUTH", ("err", text))],
                          "69 75 77", account={"auth": "plain"}, honest="set auth PLAIN"))
        cases.append(Case("%s in -ERR to STLS" % what, [("STLS", ("err", text))], "69 75 76 77",
                          tls="stls"))
        cases.append(Case("%s everywhere, -v" % what, rules + [
            ("PASS", "do", ("ok", text)), ("RETR =m002", ("err", text)),
            ("QUIT", "do", ("ok", text)), 'set caps "X-%s"' % re.sub("[^ -~]|[\"\\\\%,]", "",
                                                                     text)],
            "65", args=("-v",)))
        if "\0" not in text and "\r" not in text:
            cases.append(Case("%s as UIDL" % what, [
                'set uidl m002 "%s"' % text.replace("\x1b", "\\x1b").replace("\x07", "\\x07"),
                ("RETR =m002", ("err", "no"))], "65", args=("-v",)))
    return cases


def on_terminal():
    """The same on a terminal: the status line and what is said are clean."""
    def check(world):
        master, slave = pty.openpty()
        child = subprocess.Popen(world.command(()), env=dict(world.environment(), TERM="xterm"),
                                 stdin=slave, stdout=slave, stderr=slave, cwd=world.top)
        os.close(slave)
        said = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            said += data
        child.wait(20)
        os.close(master)
        clean = re.sub(rb"\r|\n|\x1b\[[0-9]*K|\x1b\[[0-9;]*m", b"", said)
        bad = ["the secret: %r" % said[:300]] if SECRET.encode() in said else []
        raw = re.search(rb"[^ -~]", clean)
        return bad + (["a raw byte: %r" % clean[:300]] if raw else [])

    def act(world):
        server = popd.Server(world.box, script=[
            ("greeting", ("ok", EVIL + SECRET)), 'set uidl m002 "\\x1b[2J%s"' % SECRET,
            ("RETR =m002", ("err", EVIL + SECRET))], **world.settings())
        with server:
            world.port = server.port
            world.write_rc()
            world.said = check(world)

    return [Case("escapes and the secret, on a terminal", before=act, honest_want="0",
                 check=lambda w: w.said)]


if __name__ == "__main__":
    sys.exit(main(stamps() + codes() + scrams() + challenges() + tokens() + early() + echoes()
                  + on_terminal()))
