# SPDX-License-Identifier: ISC
"""Words that were given up, and must not come back: what is said instead."""

import re

import libtree

OLD = {r"run[ _-]+files?": "configuration file"}

FOLDERS = {"src": (".c", ".h"), "doc": (".1", ".5", ".md"), "contrib": ("",),
           "tests": (".c", ".h", ".py", ".sh", ".bats", ".bash")}
TOP = ("README", "HACKING", "VIOLATIONS", "fetchpoprc.sample", "Makefile.am", "configure.ac")


def text_of(path):
    """The text with each line break, and the sign of a comment behind it, as blanks."""
    return re.sub(r"\n[ \t]*(?:\*(?!/)|#|//)?", lambda m: " " * len(m.group()), libtree.read(path))


def main():
    tap = libtree.Tap()
    paths = [path for folder, endings in FOLDERS.items() for path in libtree.files(folder, *endings)]
    paths += [name for name in TOP if libtree.exists(name)]
    found = [f"{path}:{libtree.line_of(libtree.read(path), match.start())}: {match.group()}; {instead}"
             for path in paths for old, instead in OLD.items()
             for match in re.finditer(r"\b" + old + r"\b", text_of(path), re.I)]
    tap.rule("no word that was given up is used", found, len(paths))
    tap.done()


main()
