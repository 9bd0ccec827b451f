#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Counts, listings and sizes that cannot be, and answers without end."""
import sys

from hostile import Case, box_of, capa_left_out, mail, main, popd

BROKEN = "65 75 76"
# The longest listing that is read (4 million messages) costs so much, and no more.
LISTING_SPACE, LISTING_ANON = 480, 240


def listed(command, *lines):
    """The lie of the first connection: one that looks for more mail finds what is there."""
    return popd.Rule(command + " ", [("lines",) + lines], conn=1)


def stats():
    """STAT counts only where neither UIDL nor LIST works."""
    base = ["set uidl no", 'on LIST "": err "no"']
    texts = {"not a number": "abc def", "negative": "-3 100", "fractional": "3.5 100",
             "over 64 bits": "3 99999999999999999999999", "2^31 messages": "2147483648 100",
             "2^32 + 3 messages": "4294967299 100", "2^64 + 3 messages": "18446744073709551619 1",
             "hexadecimal": "0x3 100", "with a plus": "+3 100", "empty": "", "one word": "3",
             "NULs": "3\\0 100", "eight-bit digits": "\\xb3 100"}
    cases = [Case("STAT: %s" % name, base + ['on @1 STAT: text "+OK %s\\r\\n"' % text], "0 76",
                  honest=base) for name, text in texts.items()]
    for name, text, want in (("fewer than there are", "2 100", "0 65"),
                             ("more than there are", "9 100", "0 65 75"),
                             ("0 though there are", "0 0", "0"),
                             ("in one blank", "3 189", "0"), ("many blanks", "  3   189  ", "0")):
        cases.append(Case("STAT: " + name, base + ['on @1 STAT: text "+OK %s\\r\\n"' % text], want,
                          honest=base))
    for case in cases:
        case.hides = True  # STAT is all there is
    return cases


def lines_of(kind):
    """LIST and UIDL with the same kinds of nonsense."""
    good = ["1 m001", "2 m002", "3 m003"] if kind == "UIDL" else ["1 63", "2 63", "3 63"]
    value = "x" if kind == "UIDL" else "63"
    more = {
        "number 2^31": good + ["2147483648 " + value],
        "number over 32 bits": good + ["4294967297 " + value],
        "number over 64 bits": good + ["18446744073709551617 " + value],
        "number 0": ["0 " + value] + good,
        "negative number": ["-1 " + value] + good,
        "fractional number": ["1.5 " + value] + good,
        "no number": ["abc " + value] + good,
        "number with a plus": ["+1 " + value] + good,
        "out of order": good[::-1],
        "beyond what there is": good + ["4 " + value, "1000 " + value],
        "a number twice": good + [good[1]],
        "a number twice, differing": good + ["2 " + value + "9"],
        "a number ten times": [good[0]] * 10 + good[1:],
        "an empty line": good[:1] + [""] + good[1:],
        "a blank line": good[:1] + ["   "] + good[1:],
        "control bytes": good + ["\x01\x02\x1b[2J 3"],
        "NULs": good + ["\0\0\0"],
        "a status line inside": good[:2] + ["+OK"] + good[2:],
        "lines that are only a number": good + ["3"],
    }
    want = {name: "0 65" for name in more if "beyond" in name or "32 bits" in name or
            "2^31" in name}
    want["a number twice, differing"] = "0 75"     # much shorter than LIST's second word
    cases = [Case("%s: %s" % (kind, name), [listed(kind, *lines)], want.get(name, "0"))
             for name, lines in more.items()]
    for name, lines in {"a number missing": good[:1] + good[2:], "empty": [],
                        "only the last": good[2:],
                        "only the first": good[:1]}.items():
        cases.append(Case("%s: %s" % (kind, name), [listed(kind, *lines)], "0"))
    return cases


def both(name, uidl, sizes, want, **more):
    return Case("listing: " + name, [listed("UIDL", *uidl), listed("LIST", *sizes)], want,
                **more)


def disagree():
    three, sizes = ["1 m001", "2 m002", "3 m003"], ["1 63", "2 63", "3 63"]
    return [
        both("UIDL longer than LIST", three, sizes[:1], "0"),
        both("LIST longer than UIDL", three[:1], sizes, "0"),
        both("disjoint numbers", three[:1], sizes[1:], "0"),
        both("messages that are not there", three + ["4 m004"], sizes + ["4 63"], "65"),
        both("number 4194304", three + ["4194304 x"], sizes + ["4194304 63"], "65"),
        both("number 4194305", three + ["4194305 x"], sizes + ["4194305 63"], "0 76"),
        both("all lines junk", ["x", "y"], ["z"], "76", ),
        both("all numbers too large", ["4294967297 a"], ["4294967297 63"], "76"),
        Case("listing: LIST refused", 'on LIST "": err "no"'),
        Case("listing: UIDL refused", "on UIDL: err \"no\"", "0 65"),
        Case("listing: UIDL and LIST refused", ['on UIDL: err "no"', 'on LIST "": err "no"'],
             "0 65"),
        Case("listing: all refused", ['on UIDL: err "no"', 'on LIST "": err "no"',
                                      'on STAT: err "no"'],
             "65 69 75 76"),
        Case("listing: STAT says more", "set stat \"7 9999\"", "76"),
        Case("listing: STAT says less", 'on @1 STAT: text "+OK 2 9999\\r\\n"'),
    ]


def sizes():
    """Size is a hint: for all that is odd, the real bytes count."""
    texts = {"2 GB for 1 kB": "=2147483648", "4 GB for 1 kB": "=4294967296",
             "2^63 - 1": "=9223372036854775807", "0": "=0", "one less": "-1", "one more": "+1",
             "without CR": "-4", "fractional": "=63.5", "not a number": "=abc", "negative": "=-63",
             "over 64 bits": "=99999999999999999999999", "missing": "="}
    cases = []
    for name, text in texts.items():
        for way, keys in (("", {}), (", one at a time", {"pipelining": "off"})):
            # what comes much shorter than that is not believed at first sight
            want = "75" if "GB" in name else "0"
            cases.append(Case("size of all: %s%s" % (name, way),
                              ["set size %d \"%s\"" % (n, text) for n in (1, 2, 3)], want,
                              account=keys))
    big = "Subject: big\\r\\n\\r\\n"
    cases += [
        Case("1 kB told, endless, with max_size",
             ["set size m002 =1000", 'on RETR =m002: send "+OK\\r\\n%s"; endless "%s\\r\\n"'
              % (big, "x" * 998)], BROKEN, account={"max_size": "1M"}, said="m002"),
        Case("1 kB told, 40 MB sent, with max_size",
             ["set size m002 =1000", 'on RETR =m002: send "+OK\\r\\n%s"; repeat 40000 "%s\\r\\n"; '
              'send ".\\r\\n"' % (big, "x" * 998)], BROKEN, account={"max_size": "1M"}),
        Case("2 MB sent, max_size 1M, told rightly",
             box=dict(box_of(2), big=mail("big", "x" * 2000000)),
             account={"max_size": "1M"}, want="0", said="over the limit of", hides=True,
             honest_account={"max_size": None}),
        Case("2 GB told, max_size 1M", ["set size m002 =2147483648"], "0",
             account={"max_size": "1M"}, said="2.1 GB, over the limit of 1.0 MB", hides=True),
        Case("just at max_size", box=dict(box_of(1), fits=mail("fits", "x" * 400)),
             account={"max_size": "1K"}),
    ]
    return cases


def flood(lines):
    """As the step `endless`, but fast: many lines made once, and sent for ever."""
    def step(conn, event, arg):
        block = b"+OK\r\n" + lines
        while True:
            conn.send(block)
            block = lines
    return step


def numbered(form, count=20000):
    return b"".join(form.replace(b"%d", b"%d" % n) for n in range(1, count + 1))


def endless():
    space, anon = LISTING_SPACE, LISTING_ANON
    line = "x" * 1000
    cases = []
    for event in ("greeting", "USER", "PASS", "CAPA", 'UIDL ""', 'LIST ""', "RETR", "DELE", "QUIT"):
        rule = event.replace(' ""', " ")
        want = "0 75 76" if event in ("DELE", "QUIT") else "75 76"
        want = {"RETR": "65 75 76", "CAPA": "0"}.get(event, want)
        cases.append(Case("a line without end as answer to %s" % event,
                          [(rule, ("send", "+OK "), ("endless", line))], want,
                          check=capa_left_out if event == "CAPA" else None))
        cases.append(Case("status lines without end as answer to %s" % event,
                          [(rule, flood(b"+OK 1\r\n" * 10000))], "0 65 75 76",
                          account={"max_size": "100K"}, space=space, anon=anon, seconds=60))
    cases += [
        Case("CAPA without end", [("CAPA", ("send", "+OK\r\n"), ("endless", "X-CAP%d\r\n"))], "0",
             check=capa_left_out),
        Case("CAPA line without end", [("CAPA", ("send", "+OK\r\nSASL "), ("endless", "PLAIN "))],
             "0", check=capa_left_out),
        Case("CAPA of 400 lines and 8000 mechanisms",
             [("CAPA", ("lines",) + tuple("SASL " + " ".join("M%d" % i for i in range(n, n + 20))
                                          for n in range(400)))]),
        Case("UIDL without end", [("UIDL ", flood(numbered(b"%d u%d\r\n")))], "76", space=space,
             anon=anon, seconds=60),
        Case("LIST without end", [("LIST ", flood(numbered(b"%d 100\r\n")))], "76", space=space,
             anon=anon, seconds=60),
        Case("UIDL without end, one number", [("UIDL ", flood(b"1 same\r\n" * 9000))], "76",
             space=space, anon=anon, seconds=60),
        Case("UIDL without end, long ones",
             [("UIDL ", flood(numbered(b"%d " + b"u" * 240 + b"\r\n", 2000)))], "75 76",
             space=space,
             anon=anon, seconds=90),
        Case("UIDL without end, junk", [("UIDL ", flood(b"junk\r\n" * 10000))], "76", seconds=60),
        Case("UIDL without end, no line end", [("UIDL ", ("send", "+OK\r\n1 "), ("endless", line))],
             "76"),
        Case("a LIST line of 100 MB", [("LIST ", ("send", "+OK\r\n1 "), ("repeat", 100000, line))],
             "76"),
        Case("TOP without end", ["set uidl no", ("TOP", ("send", "+OK\r\n"), ("endless",
                                                                              "X: %s\r\n" % line))],
             "0", honest="set uidl no"),
        Case("TOP line without end", ["set uidl no", ("TOP", ("send", "+OK\r\n"), ("endless",
                                                                                   line))],
             "0", honest="set uidl no"),
        Case("a message without end, max_size",
             [("RETR =m002", ("send", "+OK\r\n"), ("endless", line + "\r\n"))], BROKEN,
             account={"max_size": "1M"}),
        Case("empty lines without end before the greeting", [("greeting", ("endless", "\r\n"))],
             "76"),
        Case("50000 messages claimed, 3 there, refused",
             [("UIDL ", ("send", "+OK\r\n"), ("repeat", 50000, "%d m00%d\r\n"), ("text", ".\r\n")),
              ("LIST ", ("send", "+OK\r\n"), ("repeat", 50000, "%d 10\r\n"), ("text", ".\r\n"))],
             "75", anon=40, seconds=60),
    ]
    return cases


if __name__ == "__main__":
    sys.exit(main(stats() + lines_of("LIST") + lines_of("UIDL") + disagree() + sizes() + endless()))
