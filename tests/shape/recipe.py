# SPDX-License-Identifier: ISC
"""HACKING's recipes for a key, an option, a kind of delivery and a login mechanism, followed in a copy
of the tree: three, two, three and one files of C are all that they take (two for an option beside the
one that reads it), and without documentation they are not done."""

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

KEY = (
    ("src/app/keys.c", '    {"user", &text, AT(user)},\n', '    {"colour", &text, AT(colour)},\n'),
    ("src/session/account.h", "    char *user;\n", "    char *colour;\n"),
    ("src/session/account.c", "void account_hide(const struct account *account, struct log *log)\n{\n",
     '    log_line(log, FP_LOG_ERROR, "the colour is %s", account->colour);\n'))

OPTION = (
    ("src/app/options.c", 'take_flag, AT(syslog)},\n',
     '    {"tint", 0, "WORD", "the tint", take_text, AT(tint)},\n'),
    ("src/app/options.h", "struct options {\n", "    const char *tint;\n"),
    # Its reader:
    ("src/app/options.c", "void options_apply(const struct options *options, "
     "struct account *account)\n{\n",
     '    if (options->tint != NULL)\n        printf("the tint is %s\\n", options->tint);\n'))

KIND = (
    ("src/delivery/printer.c", None, '''#include "delivery/handover.h"

static int probe(const struct deliver_settings *settings, struct err *err)
{
    return err_set(err, ERR_CONFIG, "no paper in %s; add some", settings->where);
}

const struct kind printer_kind = {.name = "printer",
                                  .probe = probe,
                                  .open = handover_open,
                                  .close = handover_close,
                                  HANDOVER_VERBS};
'''),
    ("src/delivery/settings.h", "ROW(MBOX, mbox)", " ROW(PRINTER, printer)"),
    ("src/app/keys.c", "static const struct key_type lmtp = {take_lmtp, &one_text};\n", '''
static int take_printer(const struct take *take, const char *value)
{
    aim(take, DELIVER_PRINTER);
    return take_text(take, value);
}

static const struct key_type printer = {take_printer, &one_text};
'''),
    ("src/app/keys.c", '    {"user", &text, AT(user)},\n',
     '    {"printer", &printer, AT(where), .group = KEY_TARGET},\n'))

MECHANISM = (
    ("src/pop3/method.c", '    {"user", NULL, METHOD_PASSWORD, NAMED_ONLY, false},\n',
     '    {"x-seal", NULL, METHOD_CERTIFICATE, NAMED_ONLY, false},\n'),)

CHANGES = (*KEY, *OPTION, *KIND, *MECHANISM)

# Each text that is asked for, and the rule of tests/shape/documented that asks.
TEXTS = (
    ("doc/fetchpop.1", ".It Fl -tint\n", "every option"),
    ("contrib/completions/bash/fetchpop", "# --tint\n", "every option"),
    ("contrib/completions/zsh/_fetchpop", "# --tint\n", "every option"),
    ("contrib/completions/fish/fetchpop.fish", "# -l tint\n", "every option"),
    ("doc/fetchpoprc.5", ".It Ic colour\n.It Ic printer\n", "every key"),
    ("fetchpoprc.sample", "# colour = blue\n# printer = tray\n", "every key"))

RC = '''account a {
    server = "127.0.0.1" port = 1 user = u
    %s
}
'''


def insert(tree, change):
    """Puts the text behind the anchor (None: at the end, of a new file if there is none)."""
    name, anchor, more = change
    path = os.path.join(tree, name)
    text = ""
    if anchor is not None or os.path.exists(path):
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


def users_of(tree, changed):
    """The sources that are changed, or see what is, by whatever way."""
    seen = {name.removeprefix("src/") for name in changed}
    sources = [os.path.relpath(os.path.join(where, name), os.path.join(tree, "src"))
               for where, _, names in os.walk(os.path.join(tree, "src")) for name in names]
    included = {}
    for name in sources:
        with open(os.path.join(tree, "src", name), encoding="utf-8") as file:
            included[name] = set(INCLUDE.findall(file.read()))
    while more := {name for name in sources if included[name] & seen} - seen:
        seen |= more
    return {name for name in seen if name.endswith(".c")}


def build(tree, how):
    """The program with the copy's sources, where they differ from what is built already."""
    compiler, linker, libraries = how
    quick = ["-O0", "-U_FORTIFY_SOURCE"]
    names = sorted({"main.c", *users_of(tree, {name for name, _, _ in CHANGES})})
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


def fetch(tree, keys, *words):
    return subprocess.run([os.path.join(tree, "fetchpop"), *words, "-f", "-"], input=RC % keys,
                          env={**os.environ, "HOME": tree}, capture_output=True, text=True,
                          check=False, timeout=60)


def documented(tree):
    run = subprocess.run([sys.executable, "-B", os.path.join(HERE, "documented.py")],
                         env={**os.environ, "top_srcdir": tree}, capture_output=True, text=True,
                         check=False)
    return run.returncode, re.findall(r"not ok \d+ - (.*)", run.stdout), run.stdout


def check_key(tap, tree):
    keys = "mda = cat password = p\n"
    run = fetch(tree, keys + "colour = blue", "-c")
    tap.rule("the new key's text arrives where it is read",
             [] if "the colour is blue\n" in run.stderr else [run.stdout, run.stderr])
    run = fetch(tree, keys + "colour = blue\ncolour = red", "-c")
    tap.rule("given twice it is refused, as every key is",
             [] if run.returncode == 78 and "standard input:5: colour" in run.stderr
             else [run.stderr])
    run = fetch(tree, keys + "color = blue", "-c")
    tap.rule("misspelt it is refused, and named", [] if run.returncode == 78
             and "did you mean colour?" in run.stderr else [run.stderr])


def check_option(tap, tree):
    run = fetch(tree, "mda = cat password = p", "-c", "--tint=red")
    tap.rule("the new option's value arrives where it is read",
             [] if "the tint is red\n" in run.stdout else [run.stdout, run.stderr])
    run = fetch(tree, "mda = cat password = p", "--help")
    tap.rule("--help shows it", [] if "--tint WORD" in run.stdout else [run.stdout])


def check_kind(tap, tree):
    run = fetch(tree, "printer = tray password = p")
    tap.rule("mail is delivered by the new kind", [] if run.returncode == 78
             and "no paper in tray; add some" in run.stderr else [run.stdout, run.stderr])
    run = fetch(tree, "printer = tray mda = cat password = p")
    tap.rule("beside another destination it is refused", [] if run.returncode == 78
             and "mda and printer" in run.stderr else [run.stderr])


def check_mechanism(tap, tree):
    run = fetch(tree, "mda = cat auth = x-seal", "-c")
    tap.rule("the new mechanism may be named, and needs no password", [] if run.returncode == 75
             and "127.0.0.1" in run.stderr else [str(run.returncode), run.stderr])
    run = fetch(tree, "mda = cat auth = x-wax", "-c")
    tap.rule("one that is in no row may not", [] if run.returncode == 78 and "x-wax" in run.stderr
             else [run.stderr])


def follow(tap, tree, how):
    for change in CHANGES:
        insert(tree, change)
    said = build(tree, how)
    tap.rule("they compile", said.splitlines() if said else [])
    if said:
        return
    for check in (check_key, check_option, check_kind, check_mechanism):
        check(tap, tree)


def check_documentation(tap, tree):
    rules = [f"{rule} is in {name}" for name, _, rule in TEXTS]
    for done, change in enumerate([None, *TEXTS]):
        if change is not None:
            insert(tree, (change[0], None, change[1]))
        status, red, text = documented(tree)
        want = rules[done:]
        name = "tests/shape/documented asks " + (f"that {want[0]}" if want else "for nothing more")
        tap.rule(name, [] if red == want and status == (1 if want else 0) else text.splitlines())


def main():
    tap = libtree.Tap()
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        how = commands(tree) if os.path.exists(os.path.join(BUILD, "libfetchpop.a")) else None
        if how is None:
            tap.skip("the recipes are followed", "no build folder, or a make that is not GNU make")
        else:
            follow(tap, tree, how)
            check_documentation(tap, tree)
    tap.done()


main()
