# SPDX-License-Identifier: ISC
"""Functions that are not used here, and bytes that do not belong in a source file."""

import re

import libtree

BANNED = ["sprintf", "vsprintf", "strcpy", "strcat", "gets", "atoi", "atol", "atoll", "sscanf",
          "strtok", "system", "popen", "alarm", "setjmp", "sigsetjmp", "longjmp", "siglongjmp"]

CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")

# Names that musl has no more, and that off_t of 64 bits makes needless.
LFS64 = re.compile(r"\b(off64_t|ino64_t|O_LARGEFILE|(?:open|openat|creat|lseek|pread|pwrite|truncate|"
                   r"ftruncate|stat|fstat|lstat|fstatat|readdir|mmap|fopen|fseeko|ftello|mkstemp)64)\b")

TEXT = ("configure.ac", "autogen.sh", "README", "HACKING", "VIOLATIONS", "ChangeLog",
        "fetchpoprc.sample", "doc/fetchpop.1", "doc/fetchpoprc.5")


def main():
    tap = libtree.Tap()
    sources = libtree.files("src", ".c", ".h")
    code = sources + libtree.files("tests", ".c", ".h", ".py", ".sh", ".bats", ".bash")
    calls, large, tabs, trailing, endings, wide, guards = [], [], [], [], [], [], []
    for path in sources:
        raw = libtree.read(path)
        text = libtree.blank(raw)
        calls += [f"{path}:{libtree.line_of(text, m.start())}: {m.group(1)}"
                  for m in CALL.finditer(text)]
        large += [f"{path}:{libtree.line_of(text, m.start())}: {m.group(1)}"
                  for m in LFS64.finditer(text)]
        if path.endswith(".h"):
            guard = "FP_" + re.sub(r"\W", "_", path[len("src/"):]).upper()
            if f"#ifndef {guard}\n#define {guard}\n" not in raw:
                guards.append(f"{path}: {guard}")
    for path in code + [name for name in TEXT if libtree.exists(name)]:
        raw = libtree.read(path)
        if not raw.endswith("\n") or raw.endswith("\n\n"):
            endings.append(path)
        for number, line in enumerate(raw.split("\n"), 1):
            if "\t" in line:
                tabs.append(f"{path}:{number}")
            if line != line.rstrip():
                trailing.append(f"{path}:{number}")
            if path in sources and len(line) > 100:
                wide.append(f"{path}:{number}: {len(line)} columns")
    tap.rule("banned functions are not called", calls, len(sources))
    tap.rule("no names of large files that only some systems have", large, len(sources))
    tap.rule("headers have their guard", guards, len(sources))
    tap.rule("no tabs", tabs, len(code))
    tap.rule("no blanks at the end of a line", trailing, len(code))
    tap.rule("files end in exactly one newline", endings, len(code))
    tap.rule("lines of the sources have at most 100 columns", wide, len(sources))
    tap.done()


main()
