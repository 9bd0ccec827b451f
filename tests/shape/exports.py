# SPDX-License-Identifier: ISC
"""What a header offers, somebody takes: each function another file (or a unit test, or a macro of the
header), each constant, macro and field anybody at all; and each key of the configuration file is read."""

import re

import libtree

FUNCTION = re.compile(r"^[a-z][\w \t*]*?\b(\w+)\(", re.M)
NAMES = (re.compile(r"^[ \t]*#[ \t]*define (\w+)", re.M),
         re.compile(r"^[ \t]+([A-Z][A-Z_0-9]+)\b(?=[ \t]*[,=\n}])", re.M),
         re.compile(r"^[ \t]+[\w \t]+[ *](\w+)(?:\[[^\]]*\])*;", re.M))


KEYS_C = "src/app/keys.c"
KEY = re.compile(r'\{"(\w+)", &\w+, AT(?:_TOP|_RULE)?\((?:\w+\.)*(\w+)\)')


def words(text):
    return re.findall(r"\w+", text)


def check_keys(tap, sources):
    """A key's field is read somewhere, or its text is looked for by its name."""
    rows = KEY.findall(sources[KEYS_C])
    others = "\n".join(text for path, text in sources.items()
                       if path.endswith(".c") and path.startswith("src/") and path != KEYS_C)
    tap.rule("every key of the configuration file is read",
             [name for name, field in rows if f'keys_find("{name}"' not in others
              and not re.search(r"(?:->|\.)" + field + r"\b", others)], len(rows))


def main():
    tap = libtree.Tap()
    sources = {path: libtree.blank(libtree.read(path), strings=False)
               for path in libtree.files("src", ".c", ".h") + libtree.files("tests", ".c", ".h")}
    used = {path: set(words(text)) for path, text in sources.items()}
    count = {}
    for path, text in sources.items():
        for word in words(text) if path.startswith("src/") else ():
            count[word] = count.get(word, 0) + 1
    lonely, unused, functions, names = [], [], 0, 0
    for path, text in sources.items():
        if not path.startswith("src/") or not path.endswith(".h"):
            continue
        for name in FUNCTION.findall(text):
            functions += 1
            own = (path, path[:-1] + "c")
            if words(text).count(name) < 2 and not any(
                    name in used[other] for other in used if other not in own):
                lonely.append(f"{path}: {name} is called by its own file alone")
        for name in {name for pattern in NAMES for name in pattern.findall(text)}:
            names += 1
            if count[name] < 2:
                unused.append(f"{path}: {name}")
    tap.rule("every exported function is used by another file", lonely, functions)
    tap.rule("every constant, macro and field of a header is used", unused, names)
    check_keys(tap, sources)
    tap.done()


main()
