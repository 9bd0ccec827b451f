#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Zeros mean something only if the tests can find what they look for: three builds with one step of
the order left out or moved must each turn a test red, and for the right reason.

The builds are made here from the library and the sources that name the switch, or are given in
$FETCHPOP_DELE_EARLY, $FETCHPOP_PUBLISH_EARLY, $FETCHPOP_NO_DIRSYNC.
"""

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from sandbox import HERE, Tap, fetchpop, require_tools

SCENARIO = ["--scenario", "dest=maildir,keep=no,n=3"]
# name, what it does, the test that must fail, what its output must say
CONTROLS = [
    ("DELE_EARLY", "sends DELE before done", ["test_order.py", *SCENARIO],
     r"done was not flushed before its DELE"),
    ("PUBLISH_EARLY", "publishes before take",
     ["test_kill_sweep.py", "--story", "single", *SCENARIO], r"was delivered \d+ times"),
    ("PUBLISH_EARLY", "publishes before take", ["test_order.py", *SCENARIO],
     r"take was not flushed before the rename|was not published by one rename"),
    ("NO_DIRSYNC", "no folder fsync", ["test_order.py", *SCENARIO],
     r"new/ was not flushed between rename and done"),
    ("NO_DIRSYNC", "no folder fsync", ["test_power.py", "--story", "deletes", *SCENARIO],
     r"was deleted on the server and is not on the disk|later: \S+ is lost"),
]


def variables(makefile):
    """make's own variables, with what they refer to filled in."""
    with open(makefile) as f:
        text = f.read().replace("\\\n", " ")
    found = dict(re.findall(r"(?m)^(\w+) *= *(.*?) *$", text))

    def expand(value, depth=8):
        if depth == 0:
            return value
        return re.sub(r"\$[({](\w+)[)}]", lambda m: expand(found.get(m.group(1), ""), depth - 1),
                      value)

    return lambda *names: [w for n in names for w in shlex.split(expand("$(%s)" % n))]


def build(name, folder):
    """fetchpop with -DFP_CONTROL_<name>: only sources that know the switch are compiled anew."""
    given = os.environ.get("FETCHPOP_" + name)
    if given:
        return given
    top = os.environ.get("top_srcdir") or os.path.join(HERE, "..", "..")
    built = os.environ.get("top_builddir") or os.path.dirname(fetchpop())
    get = variables(os.path.join(built, "Makefile"))
    switch = "FP_CONTROL_" + name
    sources = []
    for path in glob.glob(os.path.join(top, "src", "**", "*.c"), recursive=True):
        with open(path) as f:
            if switch in f.read():
                sources.append(path)
    if not sources:
        raise RuntimeError("no source knows " + switch)
    out = os.path.join(folder, name)
    line = get("CC") + ["-D" + switch, "-include", "config.h", "-I" + built,
                        "-I" + os.path.join(top, "src")]
    line += get("CPPFLAGS", "HARDEN_CPPFLAGS", "OPENSSL_CFLAGS", "CONFUSE_CFLAGS", "SASL_CFLAGS",
                "HARDEN_CFLAGS", "CFLAGS", "HARDEN_LDFLAGS", "LDFLAGS")
    line += ["-o", out, os.path.join(top, "src", "main.c"), *sources,
             os.path.join(built, "libfetchpop.a")]
    line += get("OPENSSL_LIBS", "CONFUSE_LIBS", "SASL_LIBS", "IDN2_LIBS", "STRINGPREP_LIBS",
                "SECCOMP_LIBS", "RESOLV_LIBS", "ICONV_LIBS", "LIBS")
    p = subprocess.run(line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    if p.returncode != 0:
        raise RuntimeError(shlex.join(line) + "\n" + p.stdout)
    return out


def run(test, binary):
    p = subprocess.run([sys.executable, "-B", os.path.join(HERE, test[0]), *test[1:]],
                       env=dict(os.environ, FETCHPOP=binary), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def row(tap, folder, control):
    name, what, test, reason = control
    title = "%s turns %s red" % (what, test[0])
    try:
        binary = build(name, folder)
    except (OSError, RuntimeError) as e:
        return tap.ok(False, title, [str(e)])
    status, said = run(test, binary)
    if re.search(r"(?m)^1\.\.0 # SKIP", said) or "not ok" not in said and "# SKIP" in said:
        return tap.skip(title, said.strip().splitlines()[-1].partition("SKIP ")[2])
    found = re.findall(reason, said)
    return tap.ok(status != 0 and found, "%s: %d faults" % (title, len(found)), said.splitlines())


def main():
    tap = Tap()
    if not require_tools(tap):
        return 0
    folder = tempfile.mkdtemp(prefix="controls.")
    try:
        for test in dict.fromkeys(tuple(c[2]) for c in CONTROLS):
            status, said = run(test, fetchpop())
            tap.ok(status == 0, "as it is: %s is green" % test[0], said.splitlines())
        for control in CONTROLS:
            row(tap, folder, control)
    finally:
        shutil.rmtree(folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
