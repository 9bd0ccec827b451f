# SPDX-License-Identifier: ISC
"""The files of the tree, each .c with its .h, stand in an order: no circle of includes."""

import re

import libtree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def module(path):
    return path.rsplit(".", 1)[0]


def graph(sources):
    """{module: the modules that its .c or .h includes}"""
    arrows = {}
    for path in sources:
        text = libtree.blank(libtree.read(path), strings=False)
        wanted = {module("src/" + name) for name in INCLUDE.findall(text)
                  if libtree.exists("src/" + name)}
        arrows.setdefault(module(path), set()).update(wanted - {module(path)})
    return arrows


def reached(arrows, start):
    """All modules that an arrow, or a row of them, leads to from there."""
    seen, left = set(), [start]
    while left:
        for name in arrows.get(left.pop(), ()):
            if name not in seen:
                seen.add(name)
                left.append(name)
    return seen


def circles(arrows):
    """Sets of modules that each reach all others of the set."""
    below = {name: reached(arrows, name) for name in arrows}
    found = {frozenset(other for other in below[name] if name in below.get(other, ())) | {name}
             for name in arrows if name in below[name]}
    return sorted(found, key=sorted)


def told(arrows, circle):
    return "; ".join(f"{name} includes {', '.join(sorted(arrows[name] & circle))}"
                     for name in sorted(circle))


def main():
    tap = libtree.Tap()
    arrows = graph(libtree.files("src", ".c", ".h"))
    tap.rule("includes go round in no circle", [told(arrows, c) for c in circles(arrows)],
             sum(map(len, arrows.values())))
    tap.done()


main()
