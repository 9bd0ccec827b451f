# SPDX-License-Identifier: ISC
"""What a person can write is written down: options, keys, kinds of error, exported functions."""

import re

import libtree

OPTIONS_C = "src/app/options.c"
KEYS_C = "src/app/keys.c"
ERR_C = "src/base/err.c"
MAN_1 = "doc/fetchpop.1"
MAN_5 = "doc/fetchpoprc.5"
SAMPLE = "fetchpoprc.sample"
COMPLETIONS = ("contrib/completions/bash/fetchpop", "contrib/completions/zsh/_fetchpop",
               "contrib/completions/fish/fetchpop.fish")

OPTION = re.compile(r'\{"([a-z][a-z-]+)", (?:\'.\'|0), (?:NULL|"[^"]+"), (NULL|"[^"]+")')
KIND = re.compile(r'\[ERR_\w+\] = \{"([a-z-]+)", (\d+)')
ROW = re.compile(r'\{((?:\s*"[^"]*")+),\s')
PROGRAMS = ("fetchmail", "mpop", "getmail", "fdm")
KEY = re.compile(r'\{"([a-z][a-z_]*)", &\w+, AT')


def table(path, start):
    """The rows of the table that begins so; a row that the pattern misses must not go unseen."""
    source = libtree.blank(libtree.read(path), strings=False)
    found = re.search(re.escape(start) + r" = \{\n(.*?)\n\};", source, re.S)
    return re.sub(r"\s+", " ", found.group(1)) if found else ""


def matched(pattern, rows):
    """What the pattern finds, and whether it found each row."""
    found = pattern.findall(rows)
    return found, len(found) == len(re.findall(r'\{"', rows))


def in_man(option, man):
    """mdoc writes --dry-run as Fl -dry-run."""
    return re.search(r"\bFl -" + re.escape(option) + r"(?![\w-])", man)


def in_completion(option, path, text):
    dashes = r"(?:-l |--)" if path.endswith(".fish") else "--"
    return re.search(dashes + re.escape(option) + r"(?![\w-])", text)


def check_options(tap):
    rows, whole = matched(OPTION, table(OPTIONS_C, "static const struct option_row rows[]"))
    options = [name for name, text in rows if text != "NULL"]
    man = libtree.read(MAN_1)
    tap.rule(f"each row of {OPTIONS_C} is read here", [] if whole else [OPTIONS_C], len(rows))
    tap.rule(f"every option is in {MAN_1}", [o for o in options if not in_man(o, man)],
             len(options))
    for path in COMPLETIONS:
        text = libtree.read(path)
        tap.rule(f"every option is in {path}",
                 [o for o in options if not in_completion(o, path, text)], len(options))


def check_keys(tap):
    keys, whole = matched(KEY, table(KEYS_C, "static const struct key keys[]"))
    man, sample = libtree.read(MAN_5), libtree.read(SAMPLE)
    tap.rule(f"each row of {KEYS_C} is read here", [] if whole else [KEYS_C], len(keys))
    tap.rule(f"every key is in {MAN_5}",
             [k for k in keys if not re.search(r"^\.It Ic " + k + r"\b", man, re.M)], len(keys))
    tap.rule(f"every key is in {SAMPLE}",
             [k for k in keys if not re.search(r"^[# ]*" + k + r"\s*=", sample, re.M)], len(keys))


def check_imports(tap):
    """Each word of another program that src/import knows has its line in MIGRATING."""
    man = libtree.read(MAN_5)
    page = man[man.index("\n.Sh MIGRATING"):] if "\n.Sh MIGRATING" in man else ""
    missing, count = [], 0
    for program in PROGRAMS:
        start = page.find(f"\n.Ss {program},")
        end = page.find("\n.Ss ", start + 1)
        items = " ".join(re.findall(r"^\.It (.*)$", page[start:end if end > 0 else None], re.M))
        words = set(re.split(r"[ ,]+", items)) if start >= 0 else set()
        rows = table(f"src/import/{program}.c", "static const struct translate_row rows[]")
        names = [name for strings in ROW.findall(rows)
                 for name in re.sub(r'"\s*"|"', "", strings).split()]
        count += len(names)
        missing += [f"{program}: {n}" for n in names if n not in words and n.split(".")[-1] not in words]
    tap.rule("every word of src/import is in MIGRATING", missing, count)


def check_kinds(tap):
    kinds = [k for k in KIND.findall(libtree.read(ERR_C)) if k[0] not in ("none", "usage")]
    man = libtree.read(MAN_1)
    tap.rule(f"every kind of error, with its exit status, is in {MAN_1}",
             [word for word, status in kinds if f".It {word}\n{status}: " not in man], len(kinds))


def uncommented(path):
    """(place or None, name) of each function a header declares; the place is given if no comment
    stands beside it or directly above the unbroken run of declarations it belongs to."""
    raw = libtree.read(path).split("\n")
    code = libtree.blank(libtree.read(path)).split("\n")
    declaration = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\s*\((?!\s*\*)")
    for number, line in enumerate(code):
        match = declaration.match(line)
        if not match or line.startswith(("static", "typedef", "__attribute__")):
            continue
        if "/*" in raw[number]:
            yield None, match.group(1)
            continue
        above = number - 1
        while above >= 0 and code[above].strip():
            above -= 1
        if above < 0 or not raw[above].strip():
            yield f"{path}:{number + 1}: {match.group(1)}", match.group(1)
        else:
            yield None, match.group(1)


def check_headers(tap):
    seen = [found for path in libtree.files("src", ".h") for found in uncommented(path)]
    tap.rule("every exported function has a comment before it",
             [place for place, _ in seen if place], len(seen))


def main():
    tap = libtree.Tap()
    check_options(tap)
    check_keys(tap)
    check_kinds(tap)
    check_imports(tap)
    check_headers(tap)
    tap.done()


main()
