#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The lies of the other suites, told by a server that shows each message once: what was RETRed in a
session that ended with QUIT is hidden for good, as Gmail does. Every sixth of them, all with FP_LONG.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import hostile  # noqa: E402
import test_delivery  # noqa: E402
import test_framing  # noqa: E402
import test_numbers  # noqa: E402
import test_uidls  # noqa: E402

# They look at, or move, messages of a mailbox that has none any more, or need an older one beside a
# new one.
OTHERS = ("all UIDLs changed", "most UIDLs changed", "UIDLs move on", "another order",
          "gone in one run and back", "one UIDL twice, and one more twin comes")


def cases():
    made = [test_delivery.readers(), test_delivery.places(), test_delivery.journals(),
            test_framing.splits(), test_framing.contents(), test_framing.line_ends(),
            test_framing.sender_forges(), test_framing.unasked(), test_numbers.stats(),
            test_numbers.disagree(), test_numbers.sizes(), test_uidls.odd(), test_uidls.twins(),
            test_uidls.missing(), test_uidls.changing()]
    all_of_them = [c for part in made for c in part if not c.name.startswith(OTHERS)]
    return all_of_them if hostile.LONG else all_of_them[::6]


if __name__ == "__main__":
    sys.exit(hostile.main(cases(), ["--once", *sys.argv[1:]]))
