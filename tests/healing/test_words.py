#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Words of servers: POP that is switched off, challenges that are none, other scripts than ours, and
habits of the protocol's edges.
"""
import base64
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402
from heal import words  # noqa: E402

UTF8 = words.TOO_OFTEN.encode()
GBK = words.TOO_OFTEN.encode("gbk")


def script_of(data):
    """Bytes as they stand in quotes of a script."""
    return "".join("\\x%02x" % c for c in data)


# ---- POP is switched off -----------------------------------------------------------------------------

def pop_is_off(text, where):
    """77 with the advice to switch POP on, and it is tried again by itself."""
    lie = {"at PASS": 'on PASS: err "%s"', "at AUTH": 'on AUTH: err "%s"',
           "behind the login": '\n'.join('on %s: err "%%s"' % v for v in ("STAT", "LIST", "UIDL"))}[where]
    lie = lie.replace("%s", text)

    def case(w):
        w.fill(1)
        auth = {"auth": "plain"} if where == "at AUTH" else {}
        w.always = "set auth PLAIN"
        run = w.run("--force", script=lie, **auth)
        w.need(run.status == 77, "77", run)
        w.need(re.search(r"(?i)switch POP on", run.err), "the advice", run)
        w.need("check user and password" not in run.err, "no other advice", run)
        for _ in range(6):
            w.later(minutes=5)
            w.run(script=lie, **auth)
        for _ in range(13):
            w.later(minutes=5)
            if w.run(**auth).status == 0:
                break
        w.need_each(1, ["m001"], when="switched on: within an hour, by itself")
    return case


def user_refused(text):
    def case(w):
        w.fill(1)
        run = w.run("--force", script='on USER: err "%s"' % text)
        w.need(run.status not in (0, 64), "exit status", run)
        w.need(re.search(r"\btls\b", run.err), "it says tls", run)
        w.need("check user and password" not in run.err, "no password went out", run)
        w.need(not run.sent("PASS"), "none did", run.commands)
        w.later(minutes=1)
        w.need(w.run().connections == 1, "and it is tried at once when that is mended")
    return case


def servers_own_fault(text):
    """Nothing is said against the password, which is tried again soon."""
    def case(w):
        w.fill(1)
        run = w.run("--force", script='on PASS: err "%s"' % text)
        w.need(run.status == 75 and "check user and password" not in run.err, "the server's own", run)
        w.later(minutes=20)
        w.need(w.run().status == 0, "a little later")
    return case


# ---- challenges ----------------------------------------------------------------------------------------

def challenge(mechanism, text):
    """What is no base64 counts as an empty challenge."""
    def case(w):
        w.fill(1)
        w.always = "set auth " + mechanism
        # a server that ignores the initial response asks for it once more
        run = w.run(auth=mechanism.lower(), script='on challenge: text "+ %s\\r\\n"' % text)
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, ["m001"])
    return case


def two_step_plain(text):
    def case(w):
        w.fill(1)
        proof = base64.b64encode(b"\0alice\0secret").decode()

        def answer(conn, event, arg):
            conn.send(b"+ " + text + b"\r\n")
            line = conn.read_line()
            conn.note("AUTH-DATA", line)
            if line != proof:
                return b"-ERR [AUTH] no\r\n"
            conn._box = heal.popd.Mailbox(w.box)
            conn._messages = conn._box.list()
            return b"+OK\r\n"
        w.always = "set auth PLAIN"
        run = w.run(auth="plain", script=[("AUTH PLAIN*", answer)])
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, ["m001"])
    return case


# ---- other scripts ---------------------------------------------------------------------------------------

def utf8_is_shown(w):
    w.fill(1)
    lie = 'on PASS: err "[AUTH] %s"' % script_of(UTF8)
    for run in (w.run("--force", script=lie), w.run("--force", "-v", script=lie)):
        w.need(words.TOO_OFTEN in run.err, "it can be read", run)


def utf8_in_json(text):
    def case(w):
        w.fill(1)
        run = w.run("--force", "--json", script='on PASS: err "[AUTH] %s"' % script_of(text.encode()))
        w.need(text in run.json()["error"], "--json has it", run)
    return case


def controls_are_not(w):
    """C0, C1 and bidi controls are not shown as they are, in whatever encoding."""
    w.fill(1)
    bad = "\x1b[2J \x07 \x9b31m \u202e \u2066 \u200f \u061c \x7f end"
    run = w.run("--force", "-v", script='on PASS: err "[AUTH] %s"' % script_of(bad.encode()))
    shown = [c for c in bad if c in run.err and c not in " \n" and not (" " < c < "\x7f")]
    w.need(not shown, "not raw", [hex(ord(c)) for c in shown], run)
    w.need("end" in run.err, "the rest is", run)


def controls_in_json(w):
    w.fill(1)
    bad = "\x1b[2J \u202e end"
    run = w.run("--force", "--json", script='on PASS: err "[AUTH] %s"' % script_of(bad.encode()))
    w.need(bad in run.json()["error"], "--json has them, escaped as JSON does", run)
    w.need("\x1b" not in run.out and "\u202e" not in run.out, "but not raw", run)


def gbk_is_escaped(w):
    w.fill(1)
    run = w.run("--force", script='on PASS: err "[AUTH] %s end"' % script_of(GBK))
    w.need("\\xb5\\xc7\\xc2\\xbc" in run.err.lower(), "recognisably escaped", run)
    w.need(GBK not in run.err.encode("utf-8", "surrogateescape"), "not raw", run)


def broken_utf8(w):
    """Overlong and cut sequences, surrogates: escaped, never raw."""
    w.fill(1)
    bad = b"\xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe7\x99 end \xe7"
    run = w.run("--force", script='on PASS: err "[AUTH] %s"' % script_of(bad))
    raw = run.err.encode("utf-8", "surrogateescape")
    w.need(all(c < 128 for c in raw), "no raw byte", run)
    w.need("\\xc0\\xaf" in run.err.lower(), "escaped", run)


# ---- RFC 6856 ----------------------------------------------------------------------------------------------

def utf8_for(what):
    def case(w):
        name = "gr\u00fc\u00dfe"
        secret = name if what == "password" else "secret"
        user = name if what == "user" else "alice"
        w.fill(1)
        w.server_options = {"utf8": "user", "user": user, "password": secret}
        run = w.run(user=user, password=secret)
        w.need(run.status == 0 and run.sent("UTF8"), "UTF8 is used", run)
        w.need_each(1, ["m001"])
    return case


def utf8_not_needed(w):
    w.fill(1)
    w.always = "set utf8 user"
    run = w.fine()
    w.need(not run.sent("UTF8") and not run.sent("LANG"), "not used without need, LANG never",
           run.commands)


def utf8_not_offered(w):
    w.fill(1)
    name = "gr\u00fc\u00dfe"
    w.server_options = {"user": name}
    run = w.fine(user=name)
    w.need(not run.sent("UTF8"), "not used where it is not offered", run.commands)


def utf8_refusal(keep):
    """[UTF8] at RETR: UTF8 is used, and the message is there in the same run."""
    def case(w):
        names = w.fill(2)
        data = "From: a@example.org\nMessage-ID: <u@example.org>\nSubject: gr\u00fc\u00dfe\n\nx\n".encode()
        w.put_raw("m900", data)
        w.always = "set utf8 yes"
        run = w.run(keep=keep)
        w.need(run.status == 0 and run.sent("UTF8"), "UTF8 is used", run)
        w.need_each(1, names + ["m900"])
        w.need(not run.sent("LANG"), "LANG not", run.commands)
        w.fine(keep=keep)
        w.need(keep == "yes" or w.left() == [], "deleted", w.left())
    return case


def utf8_hangs_up(w):
    """A server that hangs up at UTF8, once it was asked for: all that does not need it still comes."""
    names = w.fill(2)
    data = "From: a@example.org\nMessage-ID: <u@example.org>\nSubject: gr\u00fc\u00dfe\n\nx\n".encode()
    w.put_raw("m900", data)
    w.always = "set utf8 yes"
    for _ in range(2):
        run = w.run("--force", script="on UTF8: close")
        w.need(run.sent("UTF8") and run.status != 0, "one is missing", run)
        w.need_each(1, names, when="but it alone")
        names.append("new%d" % len(names))
        w.put(names[-1])
    w.run("--force", script="on UTF8: close")
    w.need_each(1, names)
    w.run("--force")
    w.need_each(1, names + ["m900"], when="once it works")


def utf8_and_no_time(w):
    """The time is up before the connection on which UTF8 is asked for: what is missing is no success."""
    w.always = "set utf8 yes"
    w.put("m001")
    w.fine(keep="yes")
    data = "From: a@example.org\nMessage-ID: <u@example.org>\nSubject: gr\u00fc\u00dfe\n\nx\n".encode()
    w.put_raw("m900", data)
    run = w.run(script="on RETR =m900: sleep 2500", keep="yes", session_timeout="2s")
    w.need(run.status == 75 and "session_timeout" in run.err and run.connections == 1, "75, and why", run)
    w.need_each(1, ["m001"], when="this one came")
    w.run("--force", keep="yes")
    w.need_each(1, ["m001", "m900"], when="the rest with the next run")


def message_in_utf8_without(w):
    """A server without UTF8 that sends such a header all the same: stored as it is."""
    w.put_raw("m001", "Subject: gr\u00fc\u00dfe\n\nx\n".encode())
    w.fine()
    w.need_each(1, ["m001"])


# ---- the edges of the protocol -------------------------------------------------------------------------

def long_secret(octets, auth):
    """A command is 255 octets at most, if it can be: the response goes on a line of its own."""
    def case(w):
        w.fill(1)
        secret = "s" * octets
        w.server_options = {"password": secret, "auth": "PLAIN"}
        run = w.run(password=secret, auth=auth)
        w.need(run.status == 0, "exit status", run)
        long = [c for c in run.commands if len(c) + 2 > 255 and not c.startswith("AUTH-DATA")]
        w.need(not long, "no command over 255 octets", [len(c) for c in long])
    return case


def needs_a_long_command(w):
    """Over 255 octets only where the server has nothing shorter for it."""
    w.fill(1)
    secret = "s" * 400
    w.server_options = {"password": secret}
    run = w.run(password=secret, auth="user")
    w.need(run.status == 0, "exit status", run)
    long = [c for c in run.commands if len(c) + 2 > 255]
    w.need([c.split(" ")[0] for c in long] == ["PASS"], "PASS alone is longer", [len(c) for c in long])


def chooses_the_shorter(w):
    """CAPA has a mechanism whose response stands on a line of its own: that one."""
    w.fill(1)
    secret = "s" * 400
    w.server_options = {"password": secret, "auth": "PLAIN"}
    run = w.run(password=secret, auth="plain")
    w.need(run.status == 0, "exit status", run)
    long = [c for c in run.commands if len(c) + 2 > 255 and not c.startswith("AUTH-DATA")]
    w.need(not long and run.sent("AUTH"), "no command over 255 octets", run.commands)


def expires(caps, keep, wanted):
    def case(w):
        w.fill(1)
        w.always = 'set caps "EXPIRE %s"' % caps
        runs = [w.run(keep=keep) for _ in range(4)]
        told = [bool(re.search(r"(?i)expire|days|removes|deletes", r.err)) for r in runs]
        w.need(sum(told) == wanted and {r.status for r in runs} == {0}, "said %d times" % wanted, told,
               runs[0])
        if wanted:
            w.need(told[0], "at first sight", told)
    return case


def capa_bad(how):
    """The next connection leaves CAPA out; remembered for a day."""
    def case(w):
        names = w.fill(2)
        lie = "on CAPA: " + how
        run = w.run(script=lie, timeout="2s")
        second = w.run(script=lie, timeout="2s")
        w.need_each(1, names, when="after two runs")
        w.need(run.status in (0, 75) and second.status == 0, "exit status", run, second)
        w.need("EXPIRE" not in run.err + second.err, "what was not asked was not said", run, second)
        w.need(not w.run(script=lie, timeout="2s").sent("CAPA"), "remembered")
        w.later(days=1, hours=1)
        w.need(w.run("--force", timeout="2s").sent("CAPA"), "for a day")
        w.need(w.run("--force", timeout="2s").status == 0, "and well again")
    return case


def capa_bad_first(how):
    def case(w):
        names = w.fill(2)
        run = w.run(script="on CAPA: " + how, timeout="2s")
        w.need(run.status == 0, "in the same run", run)
        w.need_each(1, names)
    return case


def pipelining_lost(keep):
    """Recognised, one at a time, remembered."""
    def case(w):
        names = w.fill(12)
        w.always = "set loses-pipelined yes"
        keys = {"keep": keep, "timeout": "2s"}
        first = w.run(**keys)
        second = w.run("--force", **keys)
        w.need_each(1, names, when="after two runs")
        w.need(first.status in (0, 75) and second.status == 0, "exit status", first, second)
        w.put("m900")
        third = w.run("--force", **keys)
        w.need(third.status == 0 and third.connections == 1 and third.seconds < 1.8, "remembered", third)
        w.need(sum(c.pipelined for c in third.conns) == 0, "one at a time")
        w.need_each(1, names + ["m900"])
    return case


def pipelining_works(w):
    names = w.fill(12)
    run = w.fine()
    w.need(sum(c.pipelined for c in run.conns) > 0, "it is used where it works")
    w.need_each(1, names)


def empty_undotted(w):
    """"+OK 0 messages" without a dot: taken for what it is, and mail comes when there is some."""
    w.always = "set empty-undotted yes"
    for _ in range(4):
        run = w.run(timeout="3s")
        w.need(run.status == 0 and run.err == "", "an empty mailbox", run)
    w.put("m001")
    w.fine()
    w.need_each(1, ["m001"])


def empty_in_words(text):
    """Nor is it waited for where STAT has said 0."""
    def case(w):
        line = 'on %%s "": text "+OK%s\\r\\n"' % text
        runs = [w.run(script="\n".join(line % verb for verb in ("UIDL", "LIST")), timeout="40s")
                for _ in range(2)]
        w.need(all(r.status == 0 and r.err == "" and r.seconds < 30 for r in runs), "an empty mailbox", runs)
        w.put("m001")
        w.fine()
        w.need_each(1, ["m001"])
    return case


def empty_by_stat_alone(w):
    """STAT counts what is new, and the list of the rest takes its time: it is waited for."""
    w.put("m001")
    w.fine(script='set stat "0 0"\non UIDL "": text "+OK\\r\\n"; sleep 1500; text "1 m001\\r\\n.\\r\\n"')
    w.need_each(1, ["m001"])


def filler(script, each=5):
    """A line that says nothing between two answers costs no message and no word."""
    def case(w):
        w.always = script
        names = w.fill(5)
        runs = [w.run("--force", keep="no") for _ in range(2)]
        w.need(len(w.stored()) == each, "%d come" % each, runs)
        w.need_all([n for n in names if each == 5 or n != "m003"])
        w.need(each < 5 or (w.left() == [] and not any(r.status or r.err for r in runs)),
               "deleted, and nothing is said", w.left(), runs)
    return case


def fillers():
    for pipelining in "no", "yes":
        for verb in "greeting", "CAPA", "PASS", "STAT", "UIDL", "LIST", "TOP", "RETR", "DELE":
            yield ("an empty line behind %s, pipelining %s" % (verb, pipelining),
                   filler("set pipelining %s\non %s: answer; send \"\\r\\n\"" % (pipelining, verb)))
    for verb, which, each in ("UIDL", '""', 5), ("LIST", '""', 5), ("CAPA", '""', 5), ("RETR", "=m003", 4):
        yield ("a dot behind -ERR of %s" % verb,
               filler('on %s %s: send "-ERR no\\r\\n.\\r\\n"; text ""' % (verb, which), each))


def rounds(count, wanted):
    def case(w):
        w.fill(1)
        w.always = "set auth SCRAM-SHA-256\nset rounds %d" % count
        run = w.run("--force", auth="scram-sha-256")
        w.need((run.status == 0) == wanted, "taken" if wanted else "refused", run)
        if not wanted:
            proofs = [c for c in run.sent("AUTH-DATA") if c != "AUTH-DATA *"]
            w.need(not proofs, "before a proof goes out", run.commands)
            w.need("round" in run.err or "iteration" in run.err, "and it says why", run)
    return case


def stringprep():
    if b"stringprep" not in subprocess.run(["nm", "-D", heal.world.FETCHPOP],
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout:
        raise heal.Skip("built without GNU libidn")


def saslprep(mechanism):
    """What is typed differently and means the same is the same to SASL (RFC 4013)."""
    def case(w):
        stringprep()
        w.fill(1)
        typed, meant = "a\u00a0b\u00adc\u2168", "a bcIX"
        w.server_options = {"password": meant, "auth": mechanism}
        w.need(w.run("--force", password=typed, auth=mechanism.lower()).status == 0, "prepared")
        w.need_each(1, ["m001"])
    return case


def ascii_untouched(mechanism):
    def case(w):
        w.fill(1)
        secret = " a  B\\\"$ "
        w.server_options = {"password": secret, "auth": mechanism}
        run = w.run("--force", password=secret, auth=mechanism.lower())
        w.need(run.status == 0, "as it is", run)
    return case


def off_cases():
    return [("POP is off, %s, %s: 77, the advice, tried again" % (name, where), pop_is_off(text, where))
            for name, text in words.POP_IS_OFF for where in ("at PASS", "at AUTH", "behind the login")]


TLS_WORDS = [
    "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
    "Command not permitted until TLS is negotiated; use STLS first",
    "Must issue a STLS command first",
    "Plain text passwords are disallowed without encryption",
    "SSL connection required",
]

CASES = [
    *off_cases(),
    *[("USER refused for want of TLS, %r: it says tls" % text, user_refused(text)) for text in TLS_WORDS],
    *[("PASS refused, \"%s\": 75, no word of the password" % text, servers_own_fault(text))
      for text in ("Server Unavailable. 21", "login failed: cannot open mailbox, I/O error",
                   "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests",
                   "Too many login attempts for this account")],
    ("AUTH LOGIN, \"+ go ahead\": an empty challenge", challenge("LOGIN", "go ahead")),
    ("AUTH LOGIN, \"+ Username:\": likewise", challenge("LOGIN", "Username:")),
    ("AUTH LOGIN, \"+\" and UTF-8: likewise", challenge("LOGIN", script_of(UTF8))),
    ("AUTH PLAIN in two steps, \"+ go ahead\": likewise", two_step_plain(b"go ahead")),
    ("AUTH PLAIN in two steps, \"+ \": likewise", two_step_plain(b"")),
    ("UTF-8 from the server is shown, with -v, too", utf8_is_shown),
    ("--json has it in full", utf8_in_json(words.TOO_OFTEN)),
    ("--json has more than 200 octets of it", utf8_in_json(words.TOO_OFTEN * 16)),
    ("controls and bidi controls are not shown raw", controls_are_not),
    ("--json has them, escaped", controls_in_json),
    ("GBK is recognisably escaped", gbk_is_escaped),
    ("broken UTF-8 is escaped", broken_utf8),
    ("UTF8 is used for a user beyond ASCII", utf8_for("user")),
    ("UTF8 is used for a password beyond ASCII", utf8_for("password")),
    ("UTF8 is not used without need, LANG never", utf8_not_needed),
    ("UTF8 is not used where it is not offered", utf8_not_offered),
    ("[UTF8] at RETR: UTF8 is used, keep = no", utf8_refusal("no")),
    ("[UTF8] at RETR: UTF8 is used, keep = yes", utf8_refusal("yes")),
    ("[UTF8] at RETR, and UTF8 hangs up: the others come", utf8_hangs_up),
    ("[UTF8] at RETR, and the time is up: 75, the rest comes next", utf8_and_no_time),
    ("a UTF-8 header without UTF8 is stored as it is", message_in_utf8_without),
    ("a password of 200 octets, PLAIN: no command over 255", long_secret(200, "plain")),
    ("a password of 240 octets, USER: no command over 255", long_secret(240, "user")),
    ("a password of 400 octets, USER alone: PASS has to be that long", needs_a_long_command),
    ("a password of 400 octets, PLAIN in CAPA: no command over 255", chooses_the_shorter),
    ("EXPIRE 0, keep = yes: said once", expires("0", "yes", 1)),
    ("EXPIRE 7, keep = 30d: said once", expires("7", "30d", 1)),
    ("EXPIRE 60, keep = 30d: not said", expires("60", "30d", 0)),
    ("EXPIRE 0, keep = no: not said", expires("0", "no", 0)),
    ("EXPIRE NEVER: not said", expires("NEVER", "yes", 0)),
    *[("CAPA %s: left out by the next connection, for a day" % name, capa_bad(how))
      for name, how in (("hangs", "hang"), ("hangs up", "close"), ("has no end", 'text "+OK\\r\\nUSER\\r\\n"'))],
    *[("CAPA %s: mail comes in the same run" % name, capa_bad_first(how))
      for name, how in (("hangs", "hang"), ("hangs up", "close"))],
    ("pipelined commands are lost, keep = no: recognised and remembered", pipelining_lost("no")),
    ("pipelined commands are lost, keep = yes: recognised and remembered", pipelining_lost("yes")),
    ("pipelining is used where it works", pipelining_works),
    ("\"+OK 0 messages\" without a dot is an empty mailbox", empty_undotted),
    *[("\"+OK%s\" without a dot, and STAT's 0, likewise" % text, empty_in_words(text))
      for text in (" no messages", "")],
    ("STAT's 0 before a list that takes its time is no empty mailbox", empty_by_stat_alone),
    *fillers(),
    ("SCRAM with 1000 rounds is refused without TLS", rounds(1000, False)),
    ("SCRAM with 4095 rounds, too", rounds(4095, False)),
    ("SCRAM with 4096 rounds is taken", rounds(4096, True)),
    *[("SASLprep of a password beyond ASCII, %s" % m, saslprep(m)) for m in ("SCRAM-SHA-256", "PLAIN")],
    *[("ASCII is not touched, %s" % m, ascii_untouched(m)) for m in ("SCRAM-SHA-256", "PLAIN")],
]

if __name__ == "__main__":
    heal.main(CASES)
