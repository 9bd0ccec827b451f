#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Nothing twice, nothing missed, nothing held, when a server's listings or answers are not right
for a while: the scripted server tells a lie in one run and not in the next.
"""
import os
import sys
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402


def rows(names):
    return " ".join('"%s %s"' % (i, name) for i, name in names)


# ---- listings ------------------------------------------------------------------------------------

def good_bad_good(w, script, count=6, bad_status=(0,)):
    """A good run, one with this script, a good one: each message once."""
    names = w.fill(count)
    w.fine()
    run = w.run(script=script)
    w.need(run.status in bad_status, "the run in between", run)
    w.need_each(1, names, when="after the bad run")
    w.put("m900")
    w.fine()
    w.need_each(1, names + ["m900"], when="after the good one")
    w.fine()
    w.need_each(1, names + ["m900"], when="after one more")
    w.need_clean()


def uidl_refused(w):
    good_bad_good(w, 'on UIDL "": err "UIDL index is being rebuilt"')


def uidl_list_empty(w):
    good_bad_good(w, 'on UIDL "": lines')


def uidls_empty(w):
    good_bad_good(w, "\n".join('set uidl %d ""' % i for i in range(1, 7)))


def uidl_refused_no_top(w):
    good_bad_good(w, 'set top no\non UIDL "": err "UIDL index is being rebuilt"')


def uidl_refused_twice(w):
    names = w.fill(5)
    lie = 'on UIDL "": err "not now"'
    w.fine()
    w.run(script=lie)
    w.put("m006")
    w.run(script=lie)
    w.need_each(1, names + ["m006"], when="after two runs without UIDL")
    w.fine()
    w.need_each(1, names + ["m006"], when="after the good run")


def uidl_refused_then_deleted(w):
    """What was kept, and then known by its header only, is still not deleted by accident."""
    names = w.fill(4)
    w.fine()
    w.run(script='on UIDL "": err "not now"')
    run = w.fine(keep="no")
    w.need(w.left() == names and not run.sent("DELE"), "what was kept stays", w.left(), run)
    w.need_each(1, names)


def uidl_leaves_one_out(w):
    shown = [(i, "m%03d" % i) for i in range(1, 11) if i != 7]
    good_bad_good(w, 'on UIDL "": lines ' + rows(shown), count=10, bad_status=(0, 65, 75, 76))


def uidl_leaves_one_out_first(w):
    names = w.fill(10)
    shown = [(i, name) for i, name in enumerate(names, 1) if i != 7]
    w.run(script='on UIDL "": lines ' + rows(shown))
    w.fine()
    w.need_each(1, names)


def uidl_junk_list_refused(w):
    names = w.fill(3)
    run = w.run(script='on LIST "": err "no"\non UIDL "": lines "1 m001" "x m002" "3 m003"')
    w.need(run.status != 0, "exit 0 though a line of the listing made no sense", run)
    w.need(run.err != "", "not a word")
    w.run()
    w.need_each(1, names)


def list_junk_uidl_refused(w):
    names = w.fill(3)
    size = world.popd.Mailbox(w.box).list()[0].size()
    lines = rows([("1", size), ("x", size), ("3", size)])
    run = w.run(script='on UIDL "": err "no"\non LIST "": lines ' + lines)
    w.need(run.status != 0, "exit 0 though a line of the listing made no sense", run)
    w.need(run.err != "", "not a word")
    w.run()
    w.need_each(1, names)


def one_junk_line_of_two_lists(w):
    """The other list has the message: nothing is missed, so nothing need be said."""
    names = w.fill(6)
    lines = [(i, name) for i, name in enumerate(names, 1)]
    lines[2] = ("three", "m003")
    for _ in range(2):
        w.need(w.run(script='on UIDL "": lines ' + rows(lines)).status == 0, "exit status")
        w.need_each(1, names)
    w.fine()
    w.need_each(1, names)


def empty_then_renamed(w):
    """A mailbox that is empty for a day and comes back with other UIDLs: a migration."""
    names = w.fill(6)
    for name in names:      # Message-ID and Date: certain
        path = os.path.join(w.box, name)
        with open(path, "rb") as f:
            data = b"Date: Mon, 2 Nov 2026 10:00:00 +0000\n" + f.read()
        with open(path, "wb") as f:
            f.write(data)
        w.names[data] = name
    w.fine()
    w.pass_days(1)
    hidden = w.path("hidden")
    os.rename(w.box, hidden)
    os.mkdir(w.box)
    w.run()
    w.pass_days(1)
    for i, name in enumerate(names):
        os.rename(os.path.join(hidden, name), os.path.join(w.box, "z%03d" % i))
    run = w.run()
    w.need(run.status == 0, "exit status", run)
    w.need_each(1, names, when="under new UIDLs")
    w.put("m900")
    w.run()
    w.need_each(1, names + ["m900"])


# ---- framing -------------------------------------------------------------------------------------

FAULT = 'on @1 RETR 515: answer; send "junk nobody asked for\\r\\n"'


def all_with_a_fault(w):
    names = w.fill(520, size=20)
    w.fine()
    run = w.run("-a", script=FAULT)
    w.need(run.connections > 1, "the fault did not cost a connection: nothing is tried here", run)
    found = w.stored()
    w.need(set(found) == set(names) and set(found.values()) == {2},
           "each message once more, and no more than that", Counter(found.values()), run)
    w.need_clean()


def fetchlimit_with_a_fault(w):
    names = w.fill(1040, size=20)
    run = w.run("-B", "520", script=FAULT)
    w.need(run.connections > 1, "the fault did not cost a connection: nothing is tried here", run)
    found = w.stored()
    w.need(len(found) <= 520, "-B 520 fetched %d" % len(found), run)
    w.need(len(found) >= 510 and set(found.values()) == {1}, "about 520, each once", len(found))
    for _ in range(3):
        w.run("-B", "520")
    w.need_each(1, names)


def unstuffed_dots(w):
    """The bad ones cost themselves: not the others, nor ten runs."""
    good, bad = [], []
    for i in range(1, 31):
        name = "m%03d" % i
        (bad if i % 3 == 0 else good).append(name)
        w.put(name, "hello\n" + (".\nmore words\n" if i % 3 == 0 else "world\n"))
    said = ""
    for _ in range(2):
        run = w.run(script="on RETR: unstuffed", keep="no")
        w.need(run.status in (65, 75, 76), "exit status", run)
        said += run.err
    w.need_each(1, good, when="after two runs")
    w.need(set(bad) <= set(w.left()), "a bad one was deleted", w.left())
    silent = [name for name in bad if name not in said]
    w.need(not silent, "bad ones that were not named", silent)
    w.need_clean()
    run = w.run(keep="no")
    w.need(run.status == 0, "an honest server, later", run)
    w.need_each(1, good + bad, when="from an honest server, later")
    w.need(w.left() == [], "left on the server in the end", w.left())


def proof_says_nothing(w):
    """UIDL n is answered, but not with a UIDL; sizes are off, so that it is asked."""
    names = w.fill(6)
    lie = 'set size m001 +7\nset size m003 +7\non UIDL [0-9]*: ok "fine"'
    runs = [w.run(script=lie, keep="no") for _ in range(2)]
    w.need(runs[1].status == 0, "exit status of the second run", *runs)
    w.need_each(1, names)
    w.need(w.left() == [], "left on the server", w.left())
    w.need(not w.is_holding(), "held", w.status())


def proof_comes_late(w):
    """The whole list for UIDL n, and its lines some time after its status line."""
    names = w.fill(6)
    lines = "".join("%d %s\\r\\n" % (i, name) for i, name in enumerate(names, 1))
    lie = 'set size m001 +7\n' \
        'on UIDL [0-9]*: text "+OK list\\r\\n"; sleep 200; send "%s.\\r\\n"' % lines
    runs = [w.run(script=lie, keep="no") for _ in range(2)]
    w.need(runs[1].status == 0, "exit status of the second run", *runs)
    w.need_each(1, names)
    w.need(w.left() == [], "left on the server", w.left())
    w.need(not w.is_holding(), "held", w.status())


# ---- commands ------------------------------------------------------------------------------------

def commands_run(path):
    try:
        with open(path) as f:
            return Counter(f.read().split())
    except FileNotFoundError:
        return Counter()


def slow_command(w):
    """A batch of commands that takes longer than the session may: they are waited for."""
    names, ran = w.fill(16), w.path("ran")
    slow = 'cat >/dev/null; sleep 4.6; echo "$FETCHPOP_UIDL" >>%s' % ran
    run = w.run(mda=slow, mda_timeout="5s", session_timeout="1s", limit=240)
    w.need(run.status in (0, 75), "exit status", run)
    w.need("hung" not in run.err and "died" not in run.err, "a worker that works was ended", run)
    for _ in range(16):
        if w.run(mda='cat >/dev/null; echo "$FETCHPOP_UIDL" >>%s' % ran).status == 0:
            break
    found = commands_run(ran)
    w.need(found == Counter(names), "each message once to the command", found)


def refused_by_all(w):
    """-a offers all mail again; what the command refuses then is owed until it takes it, and is
    not deleted before for the sake of the first time."""
    names, ran = w.fill(3), w.path("ran")

    def command(status):
        return 'cat >/dev/null; echo "$FETCHPOP_UIDL" >>%s; exit %d' % (ran, status)
    w.fine(mda=command(0))
    w.need(w.run("-a", mda=command(1)).status == 75, "-a, and the command refuses")
    w.need(w.run("-F", mda=command(1)).status == 75 and len(w.left()) == 3,
           "it refuses again, and -F deletes none", w.left())
    w.need(commands_run(ran) == Counter(names * 3), "once, and once more by each of these",
           commands_run(ran))
    w.fine(mda=command(0))
    w.need(commands_run(ran) == Counter(names * 4), "and by a plain run, which delivers them",
           commands_run(ran))
    w.fine(mda=command(0))
    w.need(commands_run(ran) == Counter(names * 4), "and then no more", commands_run(ran))


def one_at_a_time_gets_on(w):
    """-B 1 and a message that is put off each time: the others get their turn."""
    w.fill(4)
    ran = w.path("ran")
    command = 'cat >/dev/null; test "$FETCHPOP_UIDL" != m001 || exit 75; ' \
        'echo "$FETCHPOP_UIDL" >>%s' % ran
    statuses = [w.run("-B", "1", mda=command).status for _ in range(6)]
    w.need(commands_run(ran) == Counter(["m002", "m003", "m004"]), "the other three, each once",
           commands_run(ran), statuses)
    w.need(set(statuses) <= {0, 75} and 75 in statuses, "exit statuses", statuses)
    w.run(mda='cat >/dev/null; echo "$FETCHPOP_UIDL" >>%s' % ran)
    w.need(commands_run(ran)["m001"] == 1, "m001 in the end", commands_run(ran))


CASES = [
    ("commands longer than the session: no worker is ended, nothing is twice", slow_command),
    ("UIDL refused between two good runs: nothing twice", uidl_refused),
    ("UIDL lists nothing between two good runs: nothing twice", uidl_list_empty),
    ("empty UIDLs between two good runs: nothing twice", uidls_empty),
    ("UIDL refused for once and no TOP: nothing twice", uidl_refused_no_top),
    ("UIDL refused in two runs, with new mail: nothing twice", uidl_refused_twice),
    ("UIDL refused for once does not make keep = no delete what was kept",
     uidl_refused_then_deleted),
    ("UIDL leaves out one number for once: nothing twice", uidl_leaves_one_out),
    ("UIDL leaves out one number in the first run: nothing twice", uidl_leaves_one_out_first),
    ("LIST refused and a junk line in UIDL: not 0", uidl_junk_list_refused),
    ("UIDL refused and a junk line in LIST: not 0", list_junk_uidl_refused),
    ("a junk line in UIDL alone costs nothing", one_junk_line_of_two_lists),
    ("an empty mailbox for a day, then other UIDLs: recognised", empty_then_renamed),
    ("-a and a framing fault behind a full batch: each once more only", all_with_a_fault),
    ("-B and a framing fault: not more than asked for", fetchlimit_with_a_fault),
    ("30 messages, 10 not stuffed: 20 delivered, 10 named, in two runs", unstuffed_dots),
    ("UIDL n answered with anything: all delivered, nothing held", proof_says_nothing),
    ("the list for UIDL n a moment late: all delivered, nothing held", proof_comes_late),
    ("-a and a refusal: the next run tries again, and nothing is deleted before", refused_by_all),
    ("-B 1 and a message put off each time: the others get their turn", one_at_a_time_gets_on),
]

if __name__ == "__main__":
    world.main(CASES)
