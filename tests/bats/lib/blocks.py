#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The blocks of README, each in a file of its own.

    blocks.py README FOLDER

A block is a paragraph indented by four columns, or a here-document from its first line to END. The
file NN.sh is for a shell, NN.rc has lines of an account, NN.list names files of the tree. Prints, for
each, the name of the file and the heading it is under.
"""
import os
import re
import sys


def blocks(text):
    """(heading, block) for each."""
    heading, block, lines = "", [], text.splitlines() + [""]
    for number, line in enumerate(lines):
        inside = block and block[0].endswith("<<'END'") and block[-1] != "END"
        if inside or line.startswith("    ") or line.endswith("<<'END'"):
            block.append(line)
            continue
        if block:
            yield heading, block
            block = []
        if line and not any(lines[max(0, number - 2):number]):
            heading = line


def kind(block):
    if all(re.match(r"\S+ {2,}\S|  ", line) for line in block):
        return "list"
    return "rc" if re.match(r"\w+ += ", block[0]) else "sh"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    for number, (heading, lines) in enumerate(blocks(text), 1):
        block = [line.removeprefix("    ") for line in lines] if lines[0][0] == " " else lines
        name = "%02d.%s" % (number, kind(block))
        with open(os.path.join(sys.argv[2], name), "w", encoding="utf-8") as file:
            file.write("\n".join(block) + "\n")
        print(name + "\t" + heading)


main()
