# SPDX-License-Identifier: ISC
"""Sizes that are kept: lines of files and functions, parameters, variables that outlive a call."""

import json
import re
import shutil
import subprocess

import libtree

FILE_LINES = 700
HACKING_LINES = 150
FUNCTION_LINES = 70
MEDIAN_LINES = 12
P90_LINES = 30
PARAMETERS = 6

# Functions whose parameters a library lays down.
GIVEN = {"oauth_step"}

# Variables that are not const and outlive a call, file by file: what a signal handler writes, what
# libsasl2 wants without const, umask and limits that commands get, the memory that secrets are put into,
# and a table of constants that is made at first use.
MUTABLE = {"src/base/digest.c": 1, "src/base/broker.c": 1, "src/base/secret.c": 1, "src/base/spawn.c": 3,
           "src/base/stop.c": 4, "src/pop3/sasl.c": 1}

LOCAL_STATIC = re.compile(r"^[ \t]+static[ \t]([^;={(]*)[;={]", re.M)


def universal_ctags():
    if not shutil.which("ctags"):
        return False
    version = subprocess.run(["ctags", "--version"], capture_output=True, text=True, check=False)
    return "Universal Ctags" in version.stdout


def tags(sources):
    """(functions, variables at file scope) of the sources, as universal-ctags sees them."""
    listing = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+neS", "--kinds-C=fv", "--sort=no", "-f", "-",
         *sources],
        cwd=libtree.TOP, check=True, capture_output=True, text=True).stdout
    found = [json.loads(line) for line in listing.splitlines()]
    return ([tag for tag in found if tag["kind"] == "function" and "end" in tag],
            [tag for tag in found if tag["kind"] == "variable"])


def lines_of(function):
    return function["end"] - function["line"] + 1


def parameters_of(function):
    inside = function["signature"][1:-1].strip()
    if inside in ("", "void"):
        return 0
    return re.sub(r"\([^()]*\)", "", inside).count(",") + 1


def is_mutable(declaration):
    """Is what is declared (up to its name) more than a constant? `const char *x` is a variable."""
    return "const" not in declaration.split("*")[-1]


def declaration_of(tag):
    """The text in front of a variable's name; of a `struct {` of its own, the line that opens it."""
    lines = libtree.read(tag["path"]).split("\n")[:tag["line"]]
    before = lines[-1][:re.search(rf"\b{tag['name']}\b", lines[-1]).start()]
    if not before.startswith("}"):
        return before
    return next(line for line in reversed(lines) if re.match(r"\w.*\{$", line))


def mutable_variables(sources, variables):
    """"path:line: declaration" of each, by path."""
    found = {}
    for tag in variables:
        if is_mutable(declaration_of(tag)):
            found.setdefault(tag["path"], []).append(f"{tag['path']}:{tag['line']}: {tag['name']}")
    for path in sources:
        text = libtree.blank(libtree.read(path))
        for match in LOCAL_STATIC.finditer(text):
            if is_mutable(match.group(1)):
                found.setdefault(path, []).append(
                    f"{path}:{libtree.line_of(text, match.start())}: {match.group(0).strip()}")
    return found


def check_files(tap, sources):
    lengths = {path: libtree.read(path).count("\n") for path in sources}
    tap.rule(f"files have at most {FILE_LINES} lines",
             [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > FILE_LINES],
             len(sources))


def check_hacking(tap):
    lines = libtree.read("HACKING").count("\n")
    tap.rule(f"HACKING has at most {HACKING_LINES} lines",
             [f"{lines} lines"] if lines > HACKING_LINES else [])


def check_functions(tap, functions):
    lengths = sorted(map(lines_of, functions)) or [0]
    median, p90 = lengths[len(lengths) // 2], lengths[len(lengths) * 9 // 10]
    print(f"# {len(functions)} functions: median {median} lines, p90 {p90}, longest {lengths[-1]}")
    tap.rule(f"functions have at most {FUNCTION_LINES} lines",
             [f"{f['path']}:{f['line']}: {f['name']}: {lines_of(f)} lines" for f in functions
              if lines_of(f) > FUNCTION_LINES], len(functions))
    tap.rule(f"half of the functions have at most {MEDIAN_LINES} lines",
             [f"the median is {median}"] if median > MEDIAN_LINES else [], len(functions))
    tap.rule(f"nine tenths of the functions have at most {P90_LINES} lines",
             [f"the ninth tenth begins at {p90}"] if p90 > P90_LINES else [], len(functions))
    tap.rule(f"functions have at most {PARAMETERS} parameters",
             [f"{f['path']}:{f['line']}: {f['name']}: {parameters_of(f)} parameters"
              for f in functions if parameters_of(f) > PARAMETERS and f["name"] not in GIVEN],
             len(functions))


def check_variables(tap, sources, variables):
    mutable = mutable_variables(sources, variables)
    for places in mutable.values():
        for place in places:
            print(f"# outlives a call: {place}")
    tap.rule("no more mutable variables outlive a call than are known",
             [place for path, places in mutable.items() if len(places) > MUTABLE.get(path, 0)
              for place in places], len(variables))


def main():
    tap = libtree.Tap()
    sources = libtree.files("src", ".c", ".h")
    check_files(tap, sources)
    check_hacking(tap)
    if universal_ctags():
        functions, variables = tags(sources)
        check_functions(tap, functions)
        check_variables(tap, sources, variables)
    else:
        tap.skip("functions and variables", "universal-ctags is not installed")
    tap.done()


main()
