# SPDX-License-Identifier: ISC
"""Every message of the program in one table, and what each must have: messages.py --table prints it.

An error says who, what, and behind a semicolon what to do, if it can end a poll or a run. What to do is
elsewhere for the kinds in WITHOUT, and where the text goes on: a prefix that another text follows. Who it
is about stands in the text itself, or comes in front of it: `refuse` has the file, the line and the key, and
so have the texts of PREFIXED. err_errno brings the system's word and its remedy.
"""

import re
import sys

import libtree

CALL = re.compile(r"\b(err_set|err_errno|err_prefix|log_line|dialog_say|report_line|option_err"
                  r"|rc_err|refuse|give_up|die|tell|add|snprintf|buf_addf|xasprintf)\(")
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')

# Files whose tables of texts are said as they stand.
TABLES = ("src/app/cron.c", "src/app/providers.c", "src/state/reason.c")

# Kinds that need no advice: the one in whose place it is told gives it, or it is no failure.
WITHOUT = {
    "ERR_STOPPED": "the user ended it",
    "ERR_CLOSED": "the next run is the advice, and GOOD MANNERS tells it",
    "ERR_BUSY": "another run is at it",
    "ERR_MESSAGE": "status and tries are told behind it",
}

# A wrong value is answered with the right ones, which is what to do.
SHAPE = re.compile(r"\b(?:must|needs?|takes?|goes? with|belongs|only one of|has 1 to|has no|have 1 to"
                   r"|such as|not supported|translates|is written as)\b")

# Texts that another one stands in front of, with who it is about.
PREFIXED = {
    "src/app/endpoint.c": "the key",
    "src/app/keys.c": "the key",
    "src/app/netrc.c": "file and line",
    "src/app/rcparse.c": "file and line",
    "src/app/rcrules.c": "file and line",
    "src/app/rcscan.c": "file and line",
    "src/base/pattern.c": "the key",
    "src/net/proxy.c": "the proxy",
    "src/net/socks.c": "the proxy",
    "src/session/rules.c": "the key",
}

# Who it is about, where it is not a value, an option or a key.
WHO = re.compile(r"%|--|~|\b(?:server|account|password|token|user|command|URL|addres|UIDL|message|mailbox"
                 r"|worker|poll|run|file|list|journal|output|standard output|terminal|home folder|TOP|APOP"
                 r"|POP3|deleted|interrupted|problems|filter_command|pipe_through)", re.I)


def arguments(text, start):
    """The text of a call's arguments, from behind its parenthesis."""
    depth, at = 1, start
    while depth and at < len(text):
        string = LITERAL.match(text, at)
        if string:
            at = string.end()
            continue
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return text[start:at - 1]


def messages():
    """(place, function, kind, text, is it the format) of each text of a call."""
    for path in libtree.files("src", ".c"):
        text = libtree.blank(libtree.read(path), strings=False)
        for call in CALL.finditer(text):
            inside = re.sub(r'\b(?:PRI\w+|SIZE\w*)\b', '"0"', arguments(text, call.end()))
            said = re.findall(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*', inside)
            kind = re.search(r"\bERR_\w+", inside)
            for number, one in enumerate(said):
                words = "".join(LITERAL.findall(one)).replace('\\"', '"')
                if len(words) > 8 and " " in words:
                    place = f"{path}:{libtree.line_of(text, call.start())}"
                    yield place, call.group(1), kind.group() if kind else "", words, number == 0


def tabled():
    """The same of the texts in TABLES that are in no call."""
    for path in TABLES:
        text = libtree.blank(libtree.read(path), strings=False)
        for one in LITERAL.finditer(text):
            words = one.group(1).replace('\\"', '"')
            if len(words) > 8 and " " in words:
                yield f"{path}:{libtree.line_of(text, one.start())}", "table", "", words, False


def width(text):
    """Columns of the longest line, as it is in the source."""
    return max(len(line) for line in text.replace("\\\"", '"').split("\\n"))


def advised(row):
    """Is it said what to do: behind a semicolon, or by naming what is to be written?"""
    _, _, kind, text, _ = row
    return re.search("; |^see ", text) or (kind in ("ERR_CONFIG", "ERR_USAGE") and SHAPE.search(text))


def is_error(row):
    """Does it end a poll or a run? What refuse() says is about the configuration file."""
    return row[1] in ("err_set", "refuse") and row[2] not in WITHOUT and row[4] and \
        not row[3].endswith(("%s", '"%s"'))


def says_who(row, keys):
    place, _, _, text, _ = row
    head = text.split("; ")[0]
    return place.split(":")[0] in PREFIXED or WHO.search(head) or keys.search(head)


def main():
    table = [row if row[1] != "refuse" else row[:2] + ("ERR_CONFIG",) + row[3:] for row in [*messages(), *tabled()]]
    names = re.findall(r'^    \{"([a-z_]+)", &', libtree.read("src/app/keys.c"), re.M)
    keys = re.compile(r"\b(?:%s)\b" % "|".join(names))
    if "--table" in sys.argv:
        for row in table:
            print("\t".join(row[:4]))
        return
    tap = libtree.Tap()
    tap.rule("no line of a message is over 100 columns",
             [f"{row[0]}: {width(row[3])}: {row[3]}" for row in table if width(row[3]) > 100], len(table))
    tap.rule("no message says 'is no ...' or 'there is no ...'",
             [f"{row[0]}: {row[3]}" for row in table
              if re.search(r"\bis no\b|\bthere is no\b", row[3], re.I)], len(table))
    errors = [row for row in table if is_error(row)]
    tap.rule("each error that ends a poll or a run says what to do",
             [f"{row[0]}: {row[2]}: {row[3]}" for row in errors if not advised(row)], len(errors))
    tap.rule("each of them says who it is about",
             [f"{row[0]}: {row[3]}" for row in errors if not says_who(row, keys)], len(errors))
    tap.done()


main()
