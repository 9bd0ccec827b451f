#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""UIDLs that are empty, odd, doubled, changed, swapped, used again, gone and back, or not there:
each message arrives exactly once, and nothing that was not delivered is deleted."""
import os
import sys

from hostile import Case, box_of, mail, main

TWIN = b"Subject: twin\n\nthe same\n"
TWIN_ID = b"Subject: twin\nMessage-ID: <twin@example.org>\n\nthe same\n"


def both(name, script="", **more):
    """With keep = yes and keep = no. What UIDLs are is true of the honest server too."""
    more.setdefault("honest", script)
    return [Case("%s, keep = %s" % (name, keep), script, keep=keep, **more) for keep in ("no",
                                                                                         "yes")]


def uidls(*texts):
    return ["set uidl %d \"%s\"" % (n, t) for n, t in enumerate(texts, 1)]


def by_name(**texts):
    return ["set uidl %s \"%s\"" % (name, t) for name, t in texts.items()]


def odd():
    texts = {
        "empty": "", "of 70 octets": "u" * 70, "of 71 octets": "v" * 71, "of 255 octets": "w" * 255,
        "of 256 octets": "x" * 256, "of 4000 octets": "y" * 4000, "with blanks": "a b  c",
        "with a blank at its end": "a ", "with tabs": "a\\tb",
             "control bytes": "\\x01\\x1b[31m\\x07",
        "a slash": "a/b", "a path": "../../../../tmp/x", "dots": "..", "one dot": ".",
        "8-bit": "\\xe4\\xff\\x80", "DEL": "\\x7f", "NUL inside": "a\\0b", "NUL first": "\\0a",
        "only NULs": "\\0\\0", "a percent sign": "%2F%00%-", "a minus": "-",
             "quotes": "\\\"'`$(id)",
        "a number": "2", "-ERR": "-ERR", "+OK": "+OK 1 x", "a CR": "a\\rb", "a star": "*",
    }
    cases = []
    for name, text in texts.items():
        cases += both("UIDL %s" % name, by_name(m002=text))
    cases += both("UIDL ends in blanks and so equals another", by_name(m001="same", m002="same  "))
    cases += both("UIDL a dot, stuffed",
                  "on UIDL \"\": text \"+OK\\r\\n1 m001\\r\\n2 .\\r\\n3 m003\\r\\n.\\r\\n\"",
                  honest=by_name(m002="."))
    cases += both("UIDLs that differ in a NUL only", by_name(m001="a\\0x", m002="a\\0y", m003="a"))
    cases += both("UIDLs that differ in case", by_name(m001="abc", m002="ABC", m003="Abc"))
    return cases


def twins():
    twin = {"a": TWIN, "b": TWIN, "c": mail("c")}
    cases = []
    cases += both("one UIDL twice, different messages", by_name(m001="s", m002="s"))
    cases += both("one UIDL for all, different messages", by_name(m001="s", m002="s", m003="s"))
    cases += both("one UIDL twice, equal messages", by_name(a="s", b="s"), box=twin)
    cases += both("one UIDL for all, equal messages", by_name(a="s", b="s", c="s"),
                  box={"a": TWIN_ID, "b": TWIN_ID, "c": TWIN_ID})
    cases += both("all UIDLs empty", by_name(m001="", m002="", m003=""))
    cases += both("all UIDLs empty, equal messages", by_name(a="", b=""),
                  box={"a": TWIN, "b": TWIN})
    cases += both("equal messages, each its UIDL", box={"a": TWIN, "b": TWIN, "c": TWIN})
    cases += both("one UIDL for 300 messages", "\n".join(by_name(**{n: "s" for n in box_of(300)})),
                  box=box_of(300))
    cases.append(Case("one UIDL twice, and one more twin comes", by_name(a="s", b="s", d="s"),
                      honest=by_name(a="s", b="s", d="s"), box=twin, keep="yes",
                      between=lambda w: w.add("d", TWIN)))
    cases += both("one UIDL twice, same header, other body and size",
                  by_name(a="s", b="s"), box={"a": mail("x", "1\n"), "b": mail("x", "22\n")})
    cases += both("one UIDL twice, no Message-ID, other size", by_name(a="s", b="s"),
                  box={"a": mail("x", "1\n", False), "b": mail("x", "22\n", False)})
    return cases


def slowed_down(world):
    """Who has let us in and then drops the line is met again in the same run, and gets one command
    at a time."""
    piped = [c.pipelined for c in world.server.conns]
    return [] if piped[0] and piped[1:] and not any(piped[1:]) else ["pipelined: %s" % piped]


def missing():
    cases = []
    cases += both("UIDL not supported", "set uidl no")
    cases += both("UIDL not announced but working", 'set hide-caps "UIDL"')
    cases += both("UIDL announced but failing", ['on UIDL: err "no"'])
    cases += both("UIDL announced, drops the line once", "on @1 UIDL: close", honest="",
                  check=slowed_down)
    cases += both("UIDL works in one run and not in the next", "", honest="set uidl no")
    cases += both("UIDL fails in one run and works in the next", "set uidl no", honest="")
    cases += both("no UIDL, equal messages", "set uidl no", box={"a": TWIN, "b": TWIN, "c": TWIN})
    cases += both("no UIDL, one goes and one comes", "set uidl no",
                  between=lambda w: w.add("n", mail("n")))
    for name, step in {"empty": 'text "+OK\\r\\n"', "refused": 'err "no"',
                       "the number alone": 'ok 1',
                       "words": 'ok "one message follows"',
                       "the list": "lines \"1 m001\" \"2 m002\" \"3 m003\""}.items():
        cases += both("UIDL n answered: %s" % name, ["on UIDL [0-9]*: " + step], want="0 65 76",
                      honest_want="0 65 76", honest="")
    cases += [
        Case("no UIDL, no TOP, keep = no", ["set uidl no", "set top no"],
             honest=["set uidl no", "set top no"]),
        Case("no UIDL, no TOP, keep = yes", ["set uidl no", "set top no"], keep="yes",
             honest=["set uidl no", "set top no"]),
        Case("no UIDL, TOP announced but failing", ["set uidl no", 'on TOP: err "no"'], keep="yes",
             honest=["set uidl no", 'on TOP: err "no"']),
        Case("no UIDL, TOP gives one line", ["set uidl no",
                                             'on TOP: text "+OK\\r\\nx\\r\\n.\\r\\n"'],
             keep="yes", honest="set uidl no", want="0"),
        Case("no UIDL, TOP gives the body too",
             ["set uidl no", ("TOP", lambda c, e, a: c.answer("TOP", a.replace(" 0", " 10")))],
             keep="yes", honest="set uidl no"),
    ]
    return cases


def rename(world):
    """Every message under another name, that is, another UIDL."""
    for name in sorted(os.listdir(world.box)):
        os.rename(os.path.join(world.box, name), os.path.join(world.box, "new-" + name))
        world.wanted["new-" + name] = world.wanted.pop(name)


def rename_and_add(world):
    rename(world)
    world.add("zzz", mail("zzz"))


def rename_most(world):
    """Eight of ten have another UIDL, and two messages are new."""
    for name in sorted(os.listdir(world.box))[:8]:
        os.rename(os.path.join(world.box, name), os.path.join(world.box, "new-" + name))
        world.wanted["new-" + name] = world.wanted.pop(name)
    world.add("m0005", mail("m0005"))
    world.add("zzz", mail("zzz"))


def fetched(number):
    """How many RETR the two honest sessions sent: one for each new message."""
    def check(world):
        n = sum(c.startswith("RETR") for s in world.servers[-2:] for c in s.commands())
        return ["%d fetched, %d are new" % (n, number)] if n != number else []
    return check


def swap_names(world):
    names = sorted(os.listdir(world.box))
    for a, b in zip(names, names[1:] + names[:1]):
        os.rename(os.path.join(world.box, a), os.path.join(world.box, "." + b))
    for name in names:
        os.rename(os.path.join(world.box, "." + name), os.path.join(world.box, name))
    world.wanted = {b: world.wanted[a] for a, b in zip(names, names[1:] + names[:1])}


def replace(name, data):
    def act(world):
        """Another message under an old UIDL: the old one was there too, and is stored."""
        old = world.wanted[name]
        world.case.also += (old,)
        world.put(name, data)
        world.wanted[name] = data
    return act


def away(names):
    def act(world):
        os.mkdir(os.path.join(world.top, "away"))
        for name in names:
            os.rename(os.path.join(world.box, name), os.path.join(world.top, "away", name))
    return act


def there_and_back(world):
    """Gone in one whole run, and back in the next."""
    away(["m001", "m002"])(world)
    world.session("")
    for name in ("m001", "m002"):
        os.rename(os.path.join(world.top, "away", name), os.path.join(world.box, name))


def changing():
    other = b"Subject: another\nMessage-ID: <o@example.org>\n\nlonger than the first one was, much\n"
    same_size = mail("m999")
    ten = box_of(10)

    def fresh(conn, event, arg):
        """New UIDLs in every session."""
        def of(n):
            return b"%d r%d-%d\r\n" % (n, id(conn) * 16 + conn.number, n)
        if arg:
            return b"+OK " + of(int(arg))
        return b"+OK\r\n" + b"".join(of(n) for n in range(1, len(conn._messages) + 1)) + b".\r\n"

    cases = [
        Case("all UIDLs changed since the last run", keep="yes", box=ten, between=rename,
             finally_=fetched(0)),
        Case("all UIDLs changed, and a new message", keep="yes", box=ten, between=rename_and_add,
             finally_=fetched(1)),
        Case("most UIDLs changed, and new messages", keep="yes", box=ten, between=rename_most,
             finally_=fetched(2)),
        Case("most UIDLs changed, and new messages, one at a time", keep="yes", box=ten,
             between=rename_most, finally_=fetched(2), account={"pipelining": "off"}),
        Case("all UIDLs changed, keep = 30d", keep="30d", box=ten, between=rename,
             finally_=fetched(0)),
        Case("all UIDLs changed, no Message-IDs", keep="yes", between=rename, twice=True,
             box={"a": mail("a", message_id=False), "b": mail("b", message_id=False)}),
        Case("all UIDLs changed, equal messages", keep="yes", box={"a": TWIN, "b": TWIN, "c": TWIN},
             between=rename, twice=True),
        Case("all UIDLs changed, one message", keep="yes", box=box_of(1), between=rename),
        Case("UIDLs change in every run, 127 messages", [("UIDL", fresh)], keep="yes",
             box=box_of(127), runs=6, honest=[("UIDL", fresh)]),
        Case("UIDLs change in every run, 10 messages", [("UIDL", fresh)], keep="yes",
             box=box_of(10),
             runs=9, honest=[("UIDL", fresh)]),
        Case("UIDLs change, keep = no, QUIT refused", [("UIDL", fresh), ("QUIT", ("err", "no"))],
             "0 75", box=box_of(5), runs=3),
        Case("UIDLs move on by one message", keep="yes", box=ten, between=swap_names),
        Case("UIDLs move on by one message, messages of other sizes", keep="yes",
             box={"m%d" % n: mail("m%d" % n, "x" * n * 10) for n in range(9)}, between=swap_names),
        Case("another order", "", keep="yes", box=ten,
             honest=["set uidl %d m%03d" % (n, 11 - n) for n in range(1, 11)],
             between=lambda w: [os.rename(os.path.join(w.box, "m%03d" % a),
                                          os.path.join(w.box, ".%03d" % (11 - a)))
                                for a in range(1, 11)] and
             [os.rename(os.path.join(w.box, ".%03d" % a), os.path.join(w.box, "m%03d" % a))
              for a in range(1, 11)] and
             w.wanted.update({"m%03d" % a: w.wanted["m%03d" % (11 - a)] for a in range(1, 6)} |
                             {"m%03d" % (11 - a): w.wanted["m%03d" % a] for a in range(1, 6)})),
        Case("a new message in front of all", keep="yes",
             between=lambda w: w.add("a00", mail("a00"))),
        Case("a new message in the middle", keep="yes",
             between=lambda w: w.add("m0015", mail("m0015"))),
        Case("UIDL used again for a longer message", keep="yes", between=replace("m002", other)),
        Case("UIDL used again for a message of that size", keep="no", script="on QUIT: err no",
             want="0 75", between=replace("m002", same_size)),
        Case("UIDL used again, same header, other size", keep="no", script="on QUIT: err no",
             want="0 75", box={n: mail(n, message_id=False) for n in box_of(3)},
             between=replace("m002", mail("m002", "another body, longer\n", False))),
        Case("gone in one run and back in the next", keep="yes", between=there_and_back),
        Case("gone in one run and back in the next, keep = 30d", keep="30d",
             between=there_and_back),
        Case("deleted, and back as if nothing had been",
             ["on QUIT: ok bye; close"], "0", runs=2),
        Case("DELE and QUIT confirmed, nothing deleted, five times", ["on QUIT: ok"], "0", runs=5),
        Case("an empty mailbox for once", keep="yes", between=lambda w: (
            away(["m001", "m002", "m003"])(w), w.session(""),
            [os.rename(os.path.join(w.top, "away", n), os.path.join(w.box, n))
             for n in ("m001", "m002", "m003")])),
        Case("the listing is empty though there is mail", ["on UIDL: lines", 'on LIST "": lines'],
             "76", hides=True),
        Case("UIDLs of the whole mailbox swapped between two answers",
             ["on @1 UIDL \"\": lines \"1 m003\" \"2 m001\" \"3 m002\""], keep="yes"),
    ]
    return cases


if __name__ == "__main__":
    sys.exit(main(odd() + twins() + missing() + changing(), jobs=3))
