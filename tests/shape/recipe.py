# SPDX-License-Identifier: ISC
"""HACKING's recipe for a new key, followed in a copy of the tree: a row in keys.c, a field in
account.h and one reader are all that it takes, and without documentation it is not done."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import libtree

BUILD = os.environ.get("top_builddir", "")
HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = re.compile(r'#include "([^"]+)"')

ROW = ("src/app/keys.c", '    {"user", &text, AT(user)},\n', '    {"colour", &text, AT(colour)},\n')
FIELD = ("src/session/account.h", "    char *user;\n", "    char *colour;\n")
READER = ("src/app/options.c", "void options_apply(const struct options *options, "
          "struct account *account)\n{\n", '    printf("the colour is %s\\n", account->colour);\n')
MAN = ("doc/fetchpoprc.5", ".It Ic user No = Ar name\n", ".It Ic colour No = Ar name\n")
SAMPLE = ("fetchpoprc.sample", None, "# colour = blue\n")

RC = '''account a {
    server = "127.0.0.1" port = 1 user = u mda = cat
    password = p
    %s
}
'''


def insert(tree, change):
    """Puts the text behind the anchor (None: at the end)."""
    name, anchor, more = change
    path = os.path.join(tree, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    at = len(text) if anchor is None else text.index(anchor) + len(anchor)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:at] + more + text[at:])


def copy_tree(to):
    for name in ("src", "doc", "contrib"):
        shutil.copytree(os.path.join(libtree.TOP, name), os.path.join(to, name))
    shutil.copy(os.path.join(libtree.TOP, "fetchpoprc.sample"), to)
    subprocess.run(["chmod", "-R", "u+w", to], check=True)


def commands(tree):
    """How this build compiles and links, with the copy's headers, and its libraries; None: the
    make here cannot be asked."""
    rule = ("show: ; @echo '$(COMPILE)'; echo '$(LINK)'; echo '$(OPENSSL_LIBS) $(CONFUSE_LIBS) "
            "$(SASL_LIBS) $(IDN2_LIBS) $(STRINGPREP_LIBS) $(SECCOMP_LIBS) $(RESOLV_LIBS)'")
    # The flags of a make that runs this test are not for this one.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(["make", "-s", "--no-print-directory", "--eval", rule, "show"], cwd=BUILD,
                         env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         check=False, timeout=60)
    lines = run.stdout.splitlines()
    if run.returncode != 0 or len(lines) != 3:
        return None
    headers = f"-I{tree}/src"
    return [[headers if re.fullmatch(r"-I.*/src", word) else word for word in line.split()]
            for line in lines]


def users_of_account(tree):
    """The sources that see struct account, by whatever way."""
    seen = {"session/account.h"}
    sources = [os.path.relpath(os.path.join(where, name), os.path.join(tree, "src"))
               for where, _, names in os.walk(os.path.join(tree, "src")) for name in names]
    included = {}
    for name in sources:
        with open(os.path.join(tree, "src", name), encoding="utf-8") as file:
            included[name] = set(INCLUDE.findall(file.read()))
    while more := {name for name in sources if included[name] & seen} - seen:
        seen |= more
    return sorted(name for name in seen if name.endswith(".c"))


def build(tree, how):
    """The program with the copy's sources, where they differ from what is built already."""
    compiler, linker, libraries = how
    quick = ["-O0", "-U_FORTIFY_SOURCE"]
    names = users_of_account(tree) + ["main.c"] * ("main.c" not in users_of_account(tree))
    waiting, objects = [], []
    for name in names:
        objects.append(os.path.join(tree, name.replace("/", "_")[:-2] + ".o"))
        waiting.append(subprocess.Popen(
            compiler + quick + ["-c", os.path.join(tree, "src", name), "-o", objects[-1]],
            cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        while len(waiting) > 1 or (waiting and name == names[-1]):
            child = waiting.pop(0)
            said, _ = child.communicate()
            if child.returncode != 0:
                return said
    program = os.path.join(tree, "fetchpop")
    run = subprocess.run(linker[:-1] + [program] + objects + ["libfetchpop.a"] + libraries,
                         cwd=BUILD, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr if run.returncode != 0 else None


def fetch(tree, keys):
    return subprocess.run([os.path.join(tree, "fetchpop"), "-c", "-f", "-"], input=RC % keys,
                          env={**os.environ, "HOME": tree}, capture_output=True, text=True,
                          check=False)


def documented(tree):
    run = subprocess.run([sys.executable, "-B", os.path.join(HERE, "documented.py")],
                         env={**os.environ, "top_srcdir": tree}, capture_output=True, text=True,
                         check=False)
    return run.returncode, re.findall(r"not ok \d+ - (.*)", run.stdout), run.stdout


def follow(tap, tree, how):
    for change in (ROW, FIELD, READER):
        insert(tree, change)
    said = build(tree, how)
    tap.rule("a row, a field and a reader compile", said.splitlines() if said else [])
    if said:
        return
    run = fetch(tree, "colour = blue")
    tap.rule("the new key's text arrives where it is read",
             [] if "the colour is blue\n" in run.stdout else [run.stdout, run.stderr])
    run = fetch(tree, "colour = blue\ncolour = red")
    tap.rule("given twice it is refused, as every key is",
             [] if run.returncode == 78 and "standard input:5: colour" in run.stderr
             else [run.stderr])
    run = fetch(tree, "color = blue")
    tap.rule("misspelt it is refused, and named", [] if run.returncode == 78
             and "did you mean colour?" in run.stderr else [run.stderr])


def check_documentation(tap, tree):
    for change, missing in ((None, [MAN[0], SAMPLE[0]]), (MAN, [SAMPLE[0]]), (SAMPLE, [])):
        if change is not None:
            insert(tree, change)
        status, red, text = documented(tree)
        want = [f"every key is in {name}" for name in missing]
        name = f"tests/shape/documented asks for {' and '.join(missing) or 'nothing more'}"
        tap.rule(name, [] if red == want and status == (1 if want else 0) else text.splitlines())


def main():
    tap = libtree.Tap()
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        how = commands(tree) if os.path.exists(os.path.join(BUILD, "libfetchpop.a")) else None
        if how is None:
            tap.skip("a key is added", "no build folder, or a make that is not GNU make")
        else:
            follow(tap, tree, how)
            check_documentation(tap, tree)
    tap.done()


main()
