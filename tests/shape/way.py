# SPDX-License-Identifier: ISC
"""The way of a `take` to the disk goes through each file of src/state at most twice. Measured: these
files are compiled so that they tell of each call, and calls from one file into another count."""

import collections
import glob
import os
import subprocess
import tempfile

import libtree

BUILD = os.environ.get("top_builddir", "")
OFTEN = 2

PROGRAM = r'''
#include <stdio.h>

#include "state/journal.h"

#define UNTOLD __attribute__((no_instrument_function))
void __cyg_profile_func_enter(void *function, void *caller) UNTOLD;
void __cyg_profile_func_exit(void *function, void *caller) UNTOLD;

static int telling;

void __cyg_profile_func_enter(void *function, void *caller)
{
    if (telling)
        printf("%p %p\n", function, caller);
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)function, (void)caller;
}

static int take(struct journal *journal, const char *uidl, struct err *err)
{
    struct journal_subject subject = {.uidl = str_from(uidl), .size = 5};
    uint32_t id = journal_add(journal, &subject, 1790000000);
    telling = str_is(subject.uidl, "second");
    journal_take(journal, id, true, str_from("maildir 1 name /home/alice/Maildir"));
    int result = journal_sync(journal, err);
    telling = 0;
    return result;
}

/* The first batch of a new journal also says where messages go, and names the file. */
int main(int argc, char **argv)
{
    struct log log = {.level = FP_LOG_ERROR};
    struct journal_settings settings = {.state_dir = argv[argc - 1], .server = "server",
                                        .user = "user", .mode = JOURNAL_WRITE, .durable = true,
                                        .log = &log};
    struct journal *journal;
    struct err err;
    if (journal_open(&journal, &settings, &err) < 0 || take(journal, "first", &err) < 0 ||
        take(journal, "second", &err) < 0)
        return 1;
    journal_close(journal);
    return 0;
}
'''


def run(words, **more):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=120, **more)


def build(folder):
    """The program; None and what the compiler said if it cannot be built here."""
    source = os.path.join(folder, "way.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O0", "-no-pie", "-fno-pie", f"-I{BUILD}",
             f"-I{libtree.TOP}/src"]
    told = sorted(glob.glob(f"{libtree.TOP}/src/state/*.c"))
    program = os.path.join(folder, "way")
    said = run([*compiler, *flags, "-finstrument-functions", "-c", *told, source], cwd=folder)
    if said.returncode == 0:
        objects = [os.path.basename(name)[:-2] + ".o" for name in [*told, source]]
        said = run([*compiler, "-no-pie", *objects, os.path.join(BUILD, "libfetchpop.a"),
                    "-lcrypto", "-o", program], cwd=folder)
    return (program, "") if said.returncode == 0 else (None, said.stderr)


def files_of(program, addresses):
    """Where each address is; the address behind a call belongs to the call."""
    said = run(["addr2line", "-e", program, *[hex(int(a, 16) - 1) for a in addresses]])
    return [line.rsplit(":", 1)[0] for line in said.stdout.splitlines()]


def entries(program, folder):
    """How often each file of src/state is entered from another file."""
    told = run([program, folder]).stdout.split()
    functions = files_of(program, [hex(int(a, 16) + 1) for a in told[0::2]])
    callers = files_of(program, told[1::2])
    return collections.Counter(os.path.basename(to) for to, by in zip(functions, callers)
                               if to != by and "/src/state/" in to)


def main():
    tap = libtree.Tap()
    with tempfile.TemporaryDirectory() as folder:
        program, said = build(folder)
        if program is None or run(["addr2line", "--version"]).returncode != 0:
            print("# " + "\n# ".join(said.splitlines()))
            tap.skip("a take is followed", "no compiler that tells of calls, or no addr2line")
        else:
            found = entries(program, folder)
            print("# " + ", ".join(f"{name} {n}" for name, n in found.most_common()))
            tap.rule(f"a take goes through each file of src/state at most {OFTEN} times",
                     [f"{name}: {n} times" for name, n in found.items() if n > OFTEN],
                     found["journal.c"])
    tap.done()


main()
