# SPDX-License-Identifier: ISC
"""Every C file is as clang-format leaves it, with the tree's .clang-format."""

import re
import shutil
import subprocess

import libtree

VERSION = "14"  # others lay out some lines in another way


def clang_format():
    """(program, None), or (None, why not)."""
    for program in (f"clang-format-{VERSION}", "clang-format"):
        if not shutil.which(program):
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"version (\d+)", said.stdout)
        if found and found.group(1) == VERSION:
            return program, None
        return None, f"clang-format {VERSION} is wanted, not {found.group(1) if found else '?'}"
    return None, "clang-format is not installed"


def main():
    tap = libtree.Tap()
    name = "every C file is laid out by clang-format"
    program, why_not = clang_format()
    if why_not:
        tap.skip(name, why_not)
        tap.done()
    sources = libtree.files("src", ".c", ".h") + libtree.files("tests", ".c", ".h")
    run = subprocess.run([program, "--style=file", "--dry-run", "-Werror", *sources],
                         cwd=libtree.TOP, capture_output=True, text=True, check=False)
    places = re.findall(r"^(\S+:\d+:\d+): error: ", run.stderr, re.M)
    if run.returncode != 0 and not places:
        places = run.stderr.splitlines() or [f"{program}: exit status {run.returncode}"]
    tap.rule(name, places, len(sources))
    tap.done()


main()
