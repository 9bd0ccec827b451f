# SPDX-License-Identifier: ISC
"""The script language of popd: settings and rules, parsed into plain objects.

    set NAME VALUE...
    on [@CONNECTION] [xTIMES] EVENT [ARGUMENT-GLOB]: STEP; STEP; ...

README describes every setting, event and step.
"""
from fnmatch import fnmatchcase as matches

ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\", '"': '"', "'": "'"}

# verb -> (fewest arguments, most arguments); None is "any number"
VERBS = {
    "send": (1, None), "text": (1, None), "ok": (0, None), "err": (0, None), "lines": (0, None),
    "answer": (0, 0), "do": (0, 0), "none": (0, 0),
    "endless": (1, 1), "repeat": (2, 2), "file": (1, 1),
    "hang": (0, 0), "stall": (0, 1), "sleep": (1, 1),
    "close": (0, 0), "reset": (0, 0), "close-at": (1, 1), "reset-at": (1, 1),
    "close-after": (1, 1), "drip": (1, 1), "split": (1, 2),
    "unstuffed": (0, 0), "noeom": (0, 0), "cut": (1, 1), "lf": (0, 0),
    "short": (1, 1), "first": (1, 1),
    "tls": (0, 0), "notify": (0, 0), "expect": (1, 1), "call": (1, 1), "touch": (1, 1),
}

# steps that stand in for the ordinary answer; without one the ordinary answer comes last
ANSWERS = {"text", "ok", "err", "lines", "answer", "none", "endless", "hang", "close", "reset",
           "file"}


class ScriptError(ValueError):
    pass


def tokens(line):
    """Split one line into words; `:` and `;` outside quotes are words of their own."""
    out, i, n = [], 0, len(line)
    while i < n:
        c = line[i]
        if c.isspace():
            i += 1
        elif c == "#":
            break
        elif c in ";:":
            out.append((c, False))
            i += 1
        elif c == '"':
            word, i = quoted(line, i + 1)
            out.append((word, True))
        else:
            j = i
            while j < n and not line[j].isspace() and line[j] not in ';:"':
                j += 1
            out.append((line[i:j], False))
            i = j
    return out


def quoted(line, i):
    out = []
    while i < len(line):
        c = line[i]
        if c == '"':
            return "".join(out), i + 1
        if c == "\\":
            i += 1
            c = line[i:i + 1]
            if c == "x":
                out.append(chr(int(line[i + 1:i + 3], 16)))
                i += 3
                continue
            if c not in ESCAPES:
                raise ScriptError("unknown escape \\%s in: %s" % (c, line))
            c = ESCAPES[c]
        out.append(c)
        i += 1
    raise ScriptError("missing quote in: %s" % line)


class Rule:
    """One `on` line: where it applies and what is done."""

    def __init__(self, event, steps, conn=None, times=None):
        name, blank, glob = event.partition(" ")
        self.event = name.upper()
        self.glob = glob if blank else None
        self.conn = conn
        self.times = times
        self.steps = [(s,) if isinstance(s, str) or callable(s) else tuple(s) for s in steps]
        for step in self.steps:
            check(step)

    def matches(self, conn, event, arg, by_name=None):
        if self.times == 0 or self.conn not in (None, conn):
            return False
        if self.event not in (event.upper(), "ANY"):
            return False
        if self.event == "ANY" and event in ("connect", "tls"):
            return False
        return self.glob is None or matches(arg, self.glob) or \
            (by_name is not None and matches(by_name, self.glob))

    def use(self):
        if self.times:
            self.times -= 1


def check(step):
    verb = step[0]
    if callable(verb):
        return
    if verb not in VERBS:
        raise ScriptError("unknown step: %s" % verb)
    low, high = VERBS[verb]
    if len(step) - 1 < low or (high is not None and len(step) - 1 > high):
        raise ScriptError("wrong number of arguments: %s" % (step,))


def parse_rule(line, words):
    conn = times = None
    event = []
    while words and words[0] != (":", False):
        word, was_quoted = words.pop(0)
        if not was_quoted and word[:1] == "@" and word[1:].isdigit():
            conn = int(word[1:])
        elif not was_quoted and word[:1] == "x" and word[1:].isdigit():
            times = int(word[1:])
        else:
            event.append(word)
    if not words or not event:
        raise ScriptError("no event or no colon in: %s" % line)
    steps, step = [], []
    for word in words[1:] + [(";", False)]:
        if word == (";", False):
            if step:
                steps.append(tuple(step))
            step = []
        else:
            step.append(word[0])
    return Rule(" ".join(event), steps, conn, times)


def parse(text):
    """Returns (settings, rules); settings is a list of (name, [values])."""
    settings, rules = [], []
    for line in text.splitlines():
        words = tokens(line)
        if not words:
            continue
        head = words.pop(0)[0]
        if head == "set":
            if len(words) < 1:
                raise ScriptError("set what? %s" % line)
            values = [w for w, _ in words]
            settings.append((values[0], values[1:]))
        elif head == "on":
            rules.append(parse_rule(line, words))
        else:
            raise ScriptError("neither set nor on: %s" % line)
    return settings, rules


def load(script):
    """A script is text, a list of Rule, (event, step, step, ...) tuples and text, or None."""
    if script is None:
        return [], []
    if isinstance(script, str):
        return parse(script)
    settings, rules = [], []
    for item in script:
        if isinstance(item, Rule):
            rules.append(item)
        elif isinstance(item, str):
            s, r = parse(item)
            settings += s
            rules += r
        else:
            rules.append(Rule(item[0], item[1:]))
    return settings, rules
