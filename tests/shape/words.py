# SPDX-License-Identifier: ISC
"""Words that were given up, and must not come back: what is said instead. And a password is stored
before it is read, wherever somebody learns how."""

import re

import libtree

OLD = {
    r"run[ _-]+files?": "configuration file",
    r"needs nobody's help": "recovers by itself",
    r"errors win": "an error overrides both",
    r"for the fingers of": "for compatibility with",
    r"give a server up": "give up on a server",
    r"begin the log file anew": "reopen the log file",
    r"keeps nobody away": "causes no pause",
    r"what is told when": "when errors are reported",
    r"messages that cannot be had": "messages that cannot be fetched",
    r"is measured by": "is checked",
    r"has not run out": "has not expired",
    r"belongs? into": "belong in",
    r"whatever the last runs have met": "ignoring pauses after failures",
    r"append what is said": "append messages",
    r"server silent that long": "silent server after this time",
    r"check of its issuer": "issued by an unknown authority",
    r"the way there and the TLS handshake": "connecting (with the TLS handshake)",
    r"right behind a word": "follows a word directly",
    r"the server's keeper": "the server's administrator",
    r"were passed over": "skipped",
    r"has no meaning yet": "is not supported",
}

FOLDERS = {"src": (".c", ".h"), "doc": (".1", ".5", ".md"), "contrib": ("",),
           "tests": (".c", ".h", ".py", ".sh", ".bats", ".bash")}
TOP = ("README", "HACKING", "VIOLATIONS", "fetchpoprc.sample", "Makefile.am", "configure.ac")


def text_of(path):
    """The text with each line break, and the sign of a comment behind it, as blanks."""
    return re.sub(r"\n[ \t]*(?:\*(?!/)|#|//)?", lambda m: " " * len(m.group()), libtree.read(path))


LESSONS = ("README", "doc/fetchpop.1", "doc/fetchpoprc.5", "doc/oauth.md",
           "fetchpoprc.sample", "src/app/discover.c", "src/import/translate.c")


def stores_first(text):
    """Of the keyring, as the first example has it."""
    lookup = re.search(r"secret-tool lookup mail", text)
    store = re.search(r"secret-tool store --label=\w+ mail", text)
    return lookup and store and store.start() < lookup.start()


def main():
    tap = libtree.Tap()
    paths = [path for folder, endings in FOLDERS.items() for path in libtree.files(folder, *endings)]
    paths += [name for name in TOP if libtree.exists(name)]
    paths.remove("tests/shape/words.py")
    found = [f"{path}:{libtree.line_of(libtree.read(path), match.start())}: {match.group()}; {instead}"
             for path in paths for old, instead in OLD.items()
             for match in re.finditer(r"\b" + old + r"\b", text_of(path), re.I)]
    tap.rule("no word that was given up is used", found, len(paths))
    early = [path for path in LESSONS if not stores_first(libtree.read(path))]
    tap.rule("how a password is stored comes before how it is read", early, len(LESSONS))
    tap.done()


main()
