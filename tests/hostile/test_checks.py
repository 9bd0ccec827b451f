#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each check of hostile.py is seen to fail: a fetcher that breaks one promise (liar.py) stands in
for the program, and the fault must be found; without a broken promise, none."""
import os
import re
import sys

import hostile
from hostile import Case, box_of

HERE = os.path.dirname(os.path.realpath(__file__))

# what is broken: the fault that must be told; keep = no but where it says
BROKEN = {
    "hang": "status still running after 2 s",
    "crash": "status -11, wanted 0",
    "status": "status 65, wanted 0",
    "no word": "status 75 without a word",
    "memory": "MB of memory",
    "address space": "status 1, wanted 0",
    "sanitizer": "sanitizer: ",
    "raw byte": "a raw byte is shown",
    "secret": "the secret is shown",
    "secret in base64": "the secret is shown",
    "half a line": "a last line without its end",
    "blind once": "status 0, but missing",
    "blind": "honest: .*status 0, but missing",
    "torn": "stored, but no such message",
    "altered": "stored, but no such message",
    "forged": "stored, but no such message",
    "twice": "stored 2 times instead of 1",
    "lost": "^lost: ",
    "litter": "left in tmp/",
    "deletes nothing": "honest: left on the server",
    "refuses": "honest: status 75, wanted 0",
    "stores later": "again: the Maildir has changed",
    "keep: deletes": "^DELE, though keep = yes",
    "keep:  deletes": "honest: gone from the server, though keep = yes",
    "keep: fetches again": "again: fetched again",
}


def rows():
    """(case, what must be found or None)."""
    found = [(Case("an honest fetcher, keep = %s" % keep, keep=keep), None)
             for keep in ("no", "yes")]
    for name, fault in BROKEN.items():
        keep, _, what = name.rpartition(":")
        found.append((Case(name, keep="yes" if keep else "no", env={"BREAK": what.strip()}), fault))
    found += [
        (Case("said", said="a word"), "not said: a word"),
        (Case("unsaid", unsaid="heap", env={"BREAK": "sanitizer"}), "said: heap"),
        (Case("quiet", quiet=True, env={"BREAK": "sanitizer"}), "not quiet"),
        (Case("check", check=lambda w: ["what a check tells"]), "what a check tells"),
        (Case("the check at the end", finally_=lambda w: ["what it tells"]), "what it tells"),
        (Case("script", [("RETR 1", lambda c, e, a: 1 / 0)]), "popd: "),
    ]
    for case, _ in found:
        case.seconds, case.anon, case.space, case.box = 2, 24, 200, box_of(3)
    return found


def main():
    table = rows()
    if "--list" in sys.argv:
        print("\n".join(case.name for case, _ in table))
        return 0
    options = hostile.parse(sys.argv[1:], 1)
    options.fetchpop, options.sanitized = os.path.join(HERE, "liar.py"), False
    options.cases = [case for case, _ in table]
    print("1..%d" % len(table))
    failed = 0
    for index, (case, wanted) in enumerate(table):
        bad = hostile.try_case((index, options))[1]
        good = not bad if wanted is None else any(re.search(wanted, fault) for fault in bad)
        failed += not good
        print("%s %d - %s: %s" % ("ok" if good else "not ok", index + 1, case.name,
                                  "no fault" if wanted is None else "is found"), flush=True)
        for fault in () if good else bad or ["nothing was found"]:
            print("# " + fault.replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
