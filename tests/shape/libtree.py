# SPDX-License-Identifier: ISC
"""What the shape tests share: reading the tree, blanking comments, printing TAP."""

import os
import re
import sys

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", "..")


def read(path):
    """The text of a file, named from the top of the tree."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def exists(path):
    return os.path.exists(os.path.join(TOP, path))


def files(folder, *endings):
    """All files below a folder with one of the endings, named from the top of the tree."""
    found = []
    for where, _, names in os.walk(os.path.join(TOP, folder)):
        for name in names:
            if name.endswith(endings):
                found.append(os.path.relpath(os.path.join(where, name), TOP))
    return sorted(found)


def blank(text, strings=True):
    """C text with comments (and, if asked, the inside of strings) replaced by blanks; the lines
    stay where they were."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def empty(match):
        part = match.group(0)
        if part[0] in "\"'":
            return part[0] + " " * (len(part) - 2) + part[0] if strings else part
        return re.sub(r"[^\n]", " ", part)

    return re.sub(pattern, empty, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Tap:
    """One point a rule: its name, and the places that break it."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def rule(self, name, breaks, looked_at=1):
        """Passes if nothing breaks the rule. `looked_at` is how many things were examined: a rule
        that saw nothing has shown nothing, and fails."""
        self.count += 1
        good = not breaks and looked_at > 0
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {name}")
        for place in breaks:
            print(f"#   {place}")
        if looked_at == 0:
            print("#   there was nothing to look at")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)
