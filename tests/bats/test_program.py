#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program as built: what hardens it is really in it, and it reads fetchpoprc.sample itself."""
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                                   "..", "..")
BUILD = os.environ.get("top_builddir") or os.path.dirname(os.path.abspath(world.FETCHPOP))
KEY = re.compile(r"^    # ([a-z_]+) = (.*)$")

# Of each row only one may stand: the others make room for the key that is tried.
RIVALS = [{"password", "password_command", "password_file", "token_command"},
          {"maildir", "mbox", "mda", "lmtp"}, {"proxy", "connect_command"}]
# And these want company.
COMPANY = {"lmtp": ['lmtp_recipient = "alice"'],
           "tls_pin": ["tls_trust = pin"], "tls_cert_file": ['tls_key_file = "~/k"'],
           "tls_key_file": ['tls_cert_file = "~/c"'],
           "tls_key_password_command": ['tls_cert_file = "~/c"', 'tls_key_file = "~/k"']}


# ---- hardening -----------------------------------------------------------------------------------

def readelf(*options):
    if not sys.platform.startswith("linux") or shutil.which("readelf") is None:
        raise world.Skip("no readelf here")
    with open(world.FETCHPOP, "rb") as f:
        if f.read(4) != b"\x7fELF":
            raise world.Skip("%s is no ELF program" % world.FETCHPOP)
    return subprocess.run(["readelf", "-W", *options, world.FETCHPOP], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def may_be_plain():
    """Sanitizers and builds without the optimiser do without fortified functions, and only they."""
    with open(os.path.join(BUILD, "Makefile")) as f:
        flags = " ".join(line for line in f if re.match(r"(HARDEN_)?C(PP)?FLAGS =", line))
    return "-fsanitize" in flags or not re.search(r" -O[123sg]", flags)


def is_pie(w):
    text = readelf("-h", "-d")
    w.need(re.search(r"Type:\s+DYN\b", text), "not position-independent", text[:600])
    w.need(re.search(r"\(FLAGS_1\).*\bPIE\b", text), "not marked as PIE", text)


def has_relro(w):
    text = readelf("-l", "-d")
    w.need("GNU_RELRO" in text, "no RELRO segment", text)
    w.need(re.search(r"BIND_NOW|\(FLAGS_1\).*\bNOW\b", text), "RELRO is partial", text)


def has_safe_stack(w):
    stack = [line for line in readelf("-l").splitlines() if "GNU_STACK" in line]
    w.need(len(stack) == 1 and re.search(r"\bRW\b", stack[0]) and "RWE" not in stack[0],
           "the stack can be executed", stack)
    w.need(not re.search(r"LOAD.*\bRWE\b", readelf("-l")), "a segment to write and execute",
           readelf("-l"))


def has_protector(w):
    w.need("__stack_chk_fail" in readelf("--dyn-syms", "-s"), "no stack protector")


def is_fortified(w):
    calls = re.findall(r"__(?:mem|str|v?s?n?printf|v?fprintf|read|recv|poll)\w*_chk\b",
                       readelf("--dyn-syms"))
    w.need(calls or may_be_plain(), "no call of a fortified function")


# ---- the sample ----------------------------------------------------------------------------------

def sample():
    with open(os.path.join(TOP, "fetchpoprc.sample")) as f:
        return f.read().splitlines()


def parse(w, lines, name="sample"):
    """Reads the configuration file to its end, and asks for an account that it does not have."""
    path = w.path(name)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    os.chmod(path, 0o600)
    done = subprocess.run([world.FETCHPOP, "-f", path, "--state-dir", w.state, "--dry-run",
                           "nosuchaccount"], env=w.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout + done.stderr


def is_read(result, *titles):
    return result[0] == 64 and "nosuchaccount" in result[1] and \
        all(title in result[1] for title in titles)


def reads_sample(w):
    result = parse(w, sample())
    w.need(is_read(result, "home", "work"), "the sample as it is", result)
    broken = [line.replace('user = "', 'usr = "') for line in sample()]
    w.need(parse(w, broken)[0] == 78, "a sample with a wrong key is taken: this test tests nothing")


def with_key(number, key):
    """The sample with the key of this line in force, without its rivals and with its company."""
    lines = sample()
    end = lines.index("}", number)
    rivals = {r for row in RIVALS if key in row for r in row} - {key}
    lines[number] = "    " + lines[number][6:]
    lines[end:end] = COMPANY.get(key, [])
    return [line for i, line in enumerate(lines)
            if i > end or not any(re.match(r"    %s\b" % r, line) for r in rivals)]


def reads_each_key(w):
    """Every key that is commented out is right as it stands there, default or example."""
    tried = 0
    for number, line in enumerate(sample()):
        match = KEY.match(line)
        if not match:
            continue
        result = parse(w, with_key(number, match.group(1)))
        w.need(is_read(result, "home", "work"), "line %d, %s" % (number + 1, line.strip()), result)
        tried += 1
    w.need(tried >= 20, "only %d keys were found in the sample" % tried)


def reads_include(w):
    with open(w.path("more-accounts"), "w") as f:
        f.write('account "more" {\n server = "pop.example.net"\n user = "al"\n'
                ' maildir = "~/Mail/more"\n}\n')
    os.mkdir(w.path("accounts.d"))
    lines = [re.sub(r"^# (include|state_dir)", r"\1", line) for line in sample()]
    w.need(lines != sample(), "the sample has neither include nor state_dir")
    result = parse(w, lines)
    w.need(is_read(result, "home", "work", "more"), "with include and state_dir", result)


def reads_manual(w):
    """The examples of fetchpoprc(5) and README."""
    for path in ("doc/fetchpoprc.5", "doc/fetchpop.1", "README"):
        with open(os.path.join(TOP, path)) as f:
            text = f.read()
        found = re.findall(r"^ *((?:defaults|account \"\w+\") \{\n(?:[^}]*\n)?? *\})", text, re.M)
        w.need(found, "no example in " + path)
        shared = [e for e in found if e.startswith("defaults")]
        for example in found:
            if example in shared:
                continue
            alone = any(kind in example for kind in ("mbox", "maildir", "mda", "lmtp"))
            lines = ([] if alone else shared) + [example.replace("\\(dq", '"').replace("\\e", "\\")]
            title = re.search(r'account "(\w+)"', example).group(1)
            result = parse(w, lines)
            w.need(is_read(result, title), "an example of %s" % path, result, example)


# ---- the manual ----------------------------------------------------------------------------------

def says_what_is_written(w):
    """The texts under DIAGNOSTICS are the program's own."""
    with open(os.path.join(TOP, "doc/fetchpop.1")) as f:
        text = f.read().replace("\\\n", "").replace("\\(dq", '"')
    part = re.search(r"^\.Bl -diag\n(.*?)^\.El", text, re.M | re.S).group(1)
    texts = [line[4:].strip('"') for line in part.splitlines() if line.startswith(".It ")]
    w.need(len(texts) > 5, "no texts under DIAGNOSTICS", texts)
    with open(world.FETCHPOP, "rb") as f:
        program = f.read()
    for said in texts:
        pieces = [p.strip("; ():") for p in re.split(r"<[a-z@]+>|\.\.\.|; it ", said)]
        pieces = [p for p in pieces if len(p) > 5]
        w.need(pieces and all(p.encode() in program for p in pieces), "not in the program", said)


CASES = [
    ("position-independent", is_pie),
    ("full RELRO", has_relro),
    ("a stack that is not executable, and no segment to write and execute", has_safe_stack),
    ("stack protector", has_protector),
    ("fortified functions, unless it is built with sanitizers", is_fortified),
    ("the program reads fetchpoprc.sample", reads_sample),
    ("and every key in it that is commented out", reads_each_key),
    ("and its include and state_dir", reads_include),
    ("the texts under DIAGNOSTICS are the program's own", says_what_is_written),
    ("the program reads the examples of the manual and README", reads_manual),
]

if __name__ == "__main__":
    world.main(CASES)
