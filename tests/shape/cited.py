# SPDX-License-Identifier: ISC
"""What the papers name does exist: of VIOLATIONS and doc/security.md each test (the file, and words of a
test's name), of the others each file and function of the tree."""

import glob
import os
import re
import subprocess
import sys

import libtree

HOSTILE = ("framing", "numbers", "uidls", "login", "time", "delivery", "checks")
PAPERS = ("HACKING", "doc/newcomer.md", "doc/decisions.md", "doc/security.md")
FILE = re.compile(r"(?<![\w./~-])((?:[\w-]+/)*[\w.-]+\.(?:c|h|py|sh|bats)|(?:src|tests|contrib|doc)/[\w./-]*\w)")
FUNCTION = re.compile(r"(?<![\w./$-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w./])")
TOP = libtree.TOP
seen = {}


def find(pattern):
    """The one file that matches, named from the top of the tree, or None."""
    found = glob.glob(os.path.join(TOP, pattern))
    return os.path.relpath(found[0], TOP) if len(found) == 1 else None


def hostile_names(suite):
    run = subprocess.run([sys.executable, "-B",
                          os.path.join(TOP, "tests/hostile/test_%s.py" % suite), "--list"],
                         capture_output=True, text=True, check=False)
    return run.stdout


def names_in(path):
    """All that may be the name of a test there."""
    if path not in seen:
        text = libtree.read(path)
        seen[path] = ("\n".join(re.findall(r'^@test "(.*)" \{', text, re.M))
                      if path.endswith(".bats") else text)
    return seen[path]


def fault(what, words):
    """What is wrong with a reference to `words` (or "") in `what`, or None."""
    if what in HOSTILE:
        if what not in seen:
            seen[what] = hostile_names(what)
        return None if words in seen[what] and seen[what] else f"{what}: no case has {words!r}"
    path = find("tests/" + what)
    if not path:
        return f"{what}: there is no such test"
    return None if words in names_in(path) else f"{what}: no test has {words!r}"


def violations():
    """(file, words) of each row of the table."""
    table = libtree.read("VIOLATIONS").split("\n")
    line = next(n for n, row in enumerate(table) if row.startswith("----"))
    quirk, column = table[line].index(" -") + 1, table[line].rindex(" -") + 1
    for row in table[line + 1:]:
        if not row[:quirk].strip() or not row[quirk:column].split("  ")[0].strip():
            continue  # the second line of a row
        words = row[column:].split()
        if words[:1] == ["unit"]:
            yield f"unit/{words[1]}.c", " ".join(words[2:])
        elif words[:1] == ["healing"]:
            yield f"healing/test_{words[1]}.py", " ".join(words[2:])
        elif words and words[0] in HOSTILE:
            yield words[0], " ".join(words[1:])
        else:
            yield f"bats/{words[0] if words else 'nothing'}-*.bats", " ".join(words[1:])


def security():
    """(file, words) of each test in backquotes; quoted words behind its colon are of its names."""
    text = re.sub(r"\s+", " ", libtree.read("doc/security.md"))
    for match in re.finditer(r'`([^`]+)`((?:[:,] "[^"]+")*)', text):
        name = match.group(1)
        if name.startswith("fuzz_"):
            name = f"fuzz/{name}.c" if "*" not in name else "fuzz/fuzz_dot.c"
        elif name.startswith("tests/"):
            continue
        elif name not in HOSTILE and not re.match(r"(unit|bats|crash|popd|shape)/", name):
            continue
        for words in re.findall(r'"([^"]+)"', match.group(2)) or [""]:
            yield name, words


def is_file(name):
    """From the top of the tree, src or tests, with or without its ending; or the name alone."""
    return any(glob.glob(os.path.join(TOP, pattern)) for pattern in
               (name, name + ".*", "src/" + name, "tests/" + name,
                *(["src/*/" + name] if "/" not in name else [])))


def functions():
    """Every word of the sources and of the tests' names."""
    sources = libtree.files("src", ".c", ".h")
    names = [os.path.basename(path).split(".")[0] for path in libtree.files("tests", "")]
    return {"module_verb"}.union(names, *(re.findall(r"\w+", libtree.read(path)) for path in sources))


def check_papers(tap):
    known = functions()
    for paper in PAPERS:
        text = re.sub(r"<[^>\s]+>", "", libtree.read(paper))  # headers of the system
        files = set(FILE.findall(text))
        tap.rule(f"every file that {paper} names is there",
                 sorted(name for name in files if not is_file(name)), len(files))
        words = set(FUNCTION.findall(text))
        tap.rule(f"every function that {paper} names is there", sorted(words - known), len(words))


def main():
    tap = libtree.Tap()
    check_papers(tap)
    for page, references in (("VIOLATIONS", violations()), ("doc/security.md", security())):
        found = [(what, words, fault(what, words)) for what, words in references]
        tap.rule(f"every test that {page} names is there", [f for _, _, f in found if f],
                 len(found))
    tap.done()


main()
