# SPDX-License-Identifier: ISC
"""A shape test that cannot fail shows nothing: break each rule once, in a copy of the tree, and
see its test go red, with another output than for the unbroken copy. That one is not judged here;
the tests themselves do that."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import libtree

HERE = os.path.dirname(os.path.abspath(__file__))

LONG_FUNCTION = "static int deep(int x)\n{\n" + "    x += 1;\n" * 80 + "    return x;\n}\n"
FUNCTION_OF_20 = "static int wide(int x)\n{\n" + "    x += 1;\n" * 17 + "}\n"

# test, name of the rule, file, what is appended to it (or (pattern, replacement) for an edit)
BREAKS = [
    ("layers", "every source belongs to a layer", "src/util/x.c", "int x;\n"),
    ("layers", "own headers are named in quotes", "src/base/x.c", '#include "err.h"\n'),
    ("layers", "includes point down", "src/base/x.c", '#include "net/conn.h"\n'),
    ("layers", "includes point down", "src/delivery/x.c", '#include "net/conn.h"\n'),
    ("layers", "includes point down", "src/pop3/x.c", '#  include "session/account.h"\n'),
    ("layers", "each library is included", "src/app/x.c", "#include <sasl/sasl.h>\n"),
    ("layers", "each library is included", "src/base/x.c", "#include <openssl/evp.h>\n"),
    ("layers", "each library is included", "src/main.c", "#include <confuse.h>\n"),
    ("banned", "banned functions", "src/base/x.c", "void f(void) { system (0); }\n"),
    ("banned", "banned functions", "src/base/x.c", "int f = atoi(g);\n"),
    ("banned", "headers have their guard", "src/base/x.h", "#pragma once\n"),
    ("banned", "no tabs", "src/base/x.c", "\tint x;\n"),
    ("banned", "no blanks", "src/base/x.c", "int x; \n"),
    ("banned", "files end", "src/base/x.c", "int x;"),
    ("banned", "lines of the sources", "src/base/x.c", "int x;" + " " * 100 + "\n"),
    ("sizes", "files have", "src/base/x.c", "int x;\n" * 701),
    ("sizes", "HACKING has at most", "HACKING", "one more\n" * 151),
    ("sizes", "functions have at most 70", "src/base/x.c", LONG_FUNCTION),
    ("sizes", "half of", "src/base/x.c", FUNCTION_OF_20 * 3000),
    ("sizes", "nine tenths", "src/base/x.c", LONG_FUNCTION * 400),
    ("sizes", "functions have at most 6 parameters", "src/base/x.c",
     "int seven(int a, void (*b)(int, int), int c, int d, int e, int f, int g)\n{\n}\n"),
    ("sizes", "no more mutable", "src/base/x.c", "static int x;\n"),
    ("sizes", "no more mutable", "src/base/x.c", "const char *x = y;\n"),
    ("sizes", "no more mutable", "src/base/x.c", "static struct {\n    int x;\n} y[] = {0};\n"),
    ("sizes", "no more mutable", "src/base/x.c", "int f(void)\n{\n    static int x = 1;\n}\n"),
    ("exports", "every exported function", "src/base/err.h", "int err_lonely(int kind);\n"),
    ("exports", "every constant", "src/base/err.h", "enum { ERR_SPARE = 1 };\n#define ERR_SPARE_2 2\n"),
    ("exports", "every constant", "src/base/err.h", "struct spare {\n    int nobody_reads[3];\n};\n"),
    ("exports", "every key", "src/app/keys.c", (r"AT\(drop_status\)", "AT(spare)")),
    ("spdx", "every file that can", "src/base/x.c", "int x;\n"),
    ("circles", "includes go round", "src/base/err.h", '#include "app/options.h"\n'),
    ("format", "every C file", "src/base/x.c", "int x = 1 ;\n"),
    ("format", "every C file", "src/base/x.h", "int *x;  // y\n"),
    ("words", "no word that was given up", "src/base/x.h", "/* of the run\n * file */\n"),
    ("words", "no word that was given up", "doc/fetchpop.1", (r"configuration file", "run" + " file")),
    ("documented", "every option is in doc", "doc/fetchpop.1", (r"Fl -dry-run", "Fl x")),
    ("documented", "each row of src/app/options.c", "src/app/options.c",
     (r'\{"flush", ', '{"flush", 1 + ')),
    ("documented", "each row of src/app/keys.c", "src/app/keys.c", (r'"keep", &keep', '"keep", 0')),
    ("documented", "every kind of error", "doc/fetchpop.1", (r"It out-of-step", "It x")),
    ("documented", "every option is in contrib/completions/bash",
     "contrib/completions/bash/fetchpop", (r"--dry-run", "")),
    ("documented", "every option is in contrib/completions/zsh",
     "contrib/completions/zsh/_fetchpop", (r"--dry-run", "")),
    ("documented", "every option is in contrib/completions/fish",
     "contrib/completions/fish/fetchpop.fish", (r"-l dry-run", "")),
    ("documented", "every key is in doc", "doc/fetchpoprc.5", (r"It Ic keep\b", "It Ic x")),
    ("documented", "every key is in fetchpoprc.sample", "fetchpoprc.sample",
     (r"(?m)^[# ]*session_timeout\s*=", "x")),
    ("documented", "every word of src/import", "doc/fetchpoprc.5", (r"It sslcertpath", "It x")),
    ("documented", "every exported function", "src/base/x.h", "\nint bare(void);\n"),
    ("cited", "every file that HACKING", "HACKING", (r"src/app/keys\.c", "src/app/locks.c")),
    ("words", "no word that was given up", "README", (r"recovers by itself", "needs nobody's " + "help")),
    ("words", "how a password is stored", "README", (r"secret-tool store", "secret-tool put")),
    ("messages", "no line of a message", "src/base/x.c", 'int x = log_line("%s; %s");\n' % ("x " * 30, "y " * 30)),
    ("messages", "no message says", "src/base/x.c", 'int x = log_line("it is ' + 'no use");\n'),
    ("messages", "each error that ends", "src/app/x.c", 'int x = refuse(a, "%s is of the wrong kind");\n'),
    ("messages", "each of them says who", "src/app/x.c", 'int x = err_set(err, ERR_AGAIN, "too late; wait");\n'),
    ("cited", "every file that doc/decisions", "doc/decisions.md", (r"lmtp\.c", "lmpt.c")),
    ("cited", "every function that doc/newcomer", "doc/newcomer.md", (r"plan_decide", "plan_decides")),
    ("cited", "every test that VIOLATIONS", "VIOLATIONS", (r"60 up to four", "60 up to nine")),
    ("cited", "every test that VIOLATIONS", "VIOLATIONS", (r"unit test_auth", "unit test_nothing")),
    ("cited", "every test that doc/security.md", "doc/security.md",
     (r"unit/test_file\.c", "unit/test_nothing.c")),
    ("cited", "every test that doc/security.md", "doc/security.md", (r'"UIDL used again"', '"x y"')),
]


def copy_tree(to):
    for name in ("src", "doc", "contrib"):
        shutil.copytree(os.path.join(libtree.TOP, name), os.path.join(to, name))
    for name in os.listdir(libtree.TOP):
        path = os.path.join(libtree.TOP, name)
        if os.path.isfile(path) and not os.path.islink(path):
            shutil.copy(path, to)
    subprocess.run(["chmod", "-R", "u+w", to], check=True)
    os.symlink(os.path.abspath(os.path.join(libtree.TOP, "tests")), os.path.join(to, "tests"))


def run_test(test, tree):
    return subprocess.run([sys.executable, "-B", os.path.join(HERE, test + ".py")],
                          env={**os.environ, "top_srcdir": tree},
                          capture_output=True, text=True, check=False)


def break_file(path, change):
    """Makes the change; returns what to write back (None: remove the file)."""
    before = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    after = (before or "") + change if isinstance(change, str) else re.sub(*change, before or "")
    with open(path, "w", encoding="utf-8") as file:
        file.write(after)
    return before


def restore(path, before):
    if before is None:
        os.remove(path)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(before)


def main():
    tap = libtree.Tap()
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        unbroken = {test: run_test(test, tree).stdout for test in {row[0] for row in BREAKS}}
        for test, rule, name, change in BREAKS:
            path = os.path.join(tree, name)
            before = break_file(path, change)
            run = run_test(test, tree)
            restore(path, before)
            red = re.search(rf"(?m)^not ok \d+ - {re.escape(rule)}", run.stdout)
            label = f"{test}: {rule}: red when {name} breaks it"
            if re.search(rf"(?m)^ok \d+ - {re.escape(rule)}.*# SKIP", run.stdout):
                tap.skip(label, "the rule itself was skipped")
            else:
                good = red and run.returncode == 1 and run.stdout != unbroken[test]
                tap.rule(label, [] if good else (run.stdout + run.stderr).splitlines())
    tap.done()


main()
