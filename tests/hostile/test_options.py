#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The lies of the other suites, told to runs that have -a, -K, -B or keep = 30d, and to one of two
state folders that deliver to one Maildir. Some of them with each; all with FP_LONG.

What such a run says and how it ends is looked at elsewhere: here no message may be lost, torn, or
there more often than asked for, and an honest session brings the rest.
"""
import dataclasses
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import hostile  # noqa: E402
import test_delivery  # noqa: E402
import test_framing  # noqa: E402
import test_numbers  # noqa: E402
import test_uidls  # noqa: E402

ANY = "0 65 73 74 75 76"
NEVER_DUE = "9999d"     # what -K does not delete stays
STEP = 20               # of the lies, without FP_LONG


def deliver_first(world):
    """All was delivered by an earlier run: then -a brings each once more."""
    world.session(world.case.honest)


def other_folder(world):
    """A run with another state folder, and another mailbox, for the same Maildir."""
    own, box = world.state, world.box
    world.state, world.box = world.state + "2", world.box + "2"
    os.mkdir(world.box)
    world.put("other", hostile.mail("other"))
    world.session("")
    world.state, world.box = own, box
    world.case.also = (*world.case.also, hostile.mail("other"))


WAYS = {
    "-a": {"args": ("-a",), "keep": NEVER_DUE, "twice": True, "before": deliver_first},
    "-K": {"args": ("-K",), "keep": NEVER_DUE},
    "-B 2": {"args": ("-B", "2"), "hides": True},
    "keep = 30d": {"keep": "30d"},
    "two state folders": {"between": other_folder},
}

# They look at a mailbox that is as it was, or count what comes.
OTHERS = ("all UIDLs changed", "most UIDLs changed", "UIDLs move on", "another order",
          "gone in one run and back", "one UIDL twice, and one more twin comes")


def lies():
    made = [test_delivery.readers(), test_delivery.places(), test_framing.splits(),
            test_framing.contents(), test_framing.line_ends(), test_framing.sender_forges(),
            test_framing.unasked(), test_numbers.stats(), test_numbers.disagree(),
            test_numbers.sizes(), test_uidls.odd(), test_uidls.twins(), test_uidls.missing(),
            test_uidls.changing()]
    return [c for part in made for c in part
            if not c.name.startswith(OTHERS) and not c.args and c.runs == 1]


def free(case, way):
    """What the way needs is not the lie's own."""
    return all(getattr(case, field) is None for field in ("before", "between") if field in WAYS[way])


def cases():
    made = []
    for i, (way, fields) in enumerate(WAYS.items()):
        fit = [c for c in lies() if free(c, way)]
        for case in fit if hostile.LONG else fit[i * 3 % STEP::STEP]:
            made.append(dataclasses.replace(
                case, name="%s, %s" % (case.name, way), want=ANY, said="", unsaid="", quiet=False,
                check=None, finally_=None, account=dict(case.account),
                honest_account=dict(case.honest_account), rounds=max(case.rounds, 2), **fields))
    return made


if __name__ == "__main__":
    sys.exit(hostile.main(cases()))
