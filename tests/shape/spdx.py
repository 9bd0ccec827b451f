# SPDX-License-Identifier: ISC
"""Every file that can have a comment names its licence, in the first line, or in the second where the
first one is for a program. `spdx.py --fix` writes the lines that are missing. Texts, data and what
is generated go by COPYING alone, and contrib/packaging/debian by the file that Debian wants there."""

import os
import sys

import libtree

WORDS = "SPDX-License-Identifier: ISC"
BY_NAME = {
    "#": ("Makefile.am", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".py", ".sh",
          ".bash", ".bats", ".dict", ".yml", ".yaml", ".fish", "_fetchpop", ".service", ".timer",
          ".service.in", ".conf", ".cron", ".logrotate", ".spec", ".rpmlintrc", "Containerfile",
          "bash/fetchpop", "PACKAGES", ".git-blame-ignore-revs", "fetchpoprc.sample"),
    "dnl": ("configure.ac",),
    '"': (".vim",),
    '.\\"': (".1", ".5"),
    "/* */": (".c", ".h"),
    "<!-- -->": (".md",),
}
BUILT = ("config.h", "config.status", "config.log", "Makefile.in", "aclocal.m4")
OTHERS = ("tests/fuzz/corpus/", "tests/unit/journal-1.txt", "contrib/packaging/debian/")


def candidates():
    top = [name for name in os.listdir(libtree.TOP)
           if os.path.isfile(os.path.join(libtree.TOP, name)) and name not in BUILT]
    below = [path for folder in ("src", "tests", "contrib", "doc", ".ci")
             for path in libtree.files(folder, "")]
    return [path for path in sorted(top) + below if not path.startswith(OTHERS)]


def is_script(path):
    with open(os.path.join(libtree.TOP, path), "rb") as file:
        return file.read(3) == b"#!/"


def line_for(path):
    """The line that is wanted, or None where there can be none."""
    for sign, names in BY_NAME.items():
        if path.endswith(names):
            begin, _, end = sign.partition(" ")
            return f"{begin} {WORDS} {end}".rstrip()
    if os.path.dirname(path) and is_script(path):
        return "# " + WORDS
    return None


def place(lines):
    """The index that the line has: behind what an interpreter, or zsh, looks for in the first."""
    return 1 if lines and lines[0].startswith(("#!", "#compdef")) else 0


def main():
    wanted = {path: line for path in candidates() if (line := line_for(path)) is not None}
    missing = []
    for path, line in wanted.items():
        lines = libtree.read(path).split("\n")
        where = place(lines)
        if lines[where:where + 1] == [line]:
            continue
        missing.append(path)
        if "--fix" in sys.argv[1:]:
            lines.insert(where, line)
            with open(os.path.join(libtree.TOP, path), "w", encoding="utf-8") as file:
                file.write("\n".join(lines))
    tap = libtree.Tap()
    tap.rule("every file that can have a comment names its licence", missing, len(wanted))
    tap.done()


main()
