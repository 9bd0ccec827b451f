#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rules: what is fetched, what stays, and where it goes; each message once wherever that is, and
nothing asked for twice."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402

SPAM = 'rule { subject = "[spam]*" action = leave }\n'
NO_TOP = "set top no"


def put(w, name, subject=None, to="alice@example.org", size=60, date=None, sender="a@example.org"):
    """A message with the fields that rules look at."""
    head = "From: %s\nTo: %s\nMessage-ID: <%s@example.org>\nSubject: %s\n" % (
        sender, to, name, name if subject is None else subject)
    if date:
        head += "Date: %s\n" % date
    data = "%s\nhello from %s\n%s\n" % (head, name, "x" * size)
    with open(os.path.join(w.box, name), "wb") as f:
        f.write(data.encode())
    w.names[data.encode()] = name
    return name


def mixed(w):
    """Two to be fetched, two spam."""
    return [put(w, "m1"), put(w, "m3", "hello [spam]")], [put(w, "m2", "[spam] buy"),
                                                          put(w, "m4", "[SPAM] now")]


# ---- what stays ----------------------------------------------------------------------------------

def leaves(keep, script=None):
    def case(w):
        mail, spam = mixed(w)
        run = w.fine(rules=SPAM, keep=keep, script=script)
        w.need_each(1, mail, when="after the first run")
        w.need(set(spam) <= set(w.left()), "what a rule leaves stays", w.left())
        if script is None:
            w.need(len(run.sent("RETR")) == 2, "nothing of it is downloaded", run.sent("RETR"))
        again = w.fine(rules=SPAM, keep=keep, script=script)
        w.need(not again.sent("RETR") and not again.sent("TOP"), "it is not looked at again",
               again.sent("RETR") + again.sent("TOP"))
        w.need_each(1, mail, when="after the second run")
        w.need("2 left by rules" in w.status(), "--status says how many", w.status())
        w.need("nothing failed, nothing held" in w.status(), "and that none has failed", w.status())
        listed = w.run("--list", rules=SPAM, script=script).out
        w.need(listed.count(" left ") == 2, "--list says which", listed)
        if script is None:
            w.need(listed.count(" (rc:") == 2, "and by which rule", listed)
        w.need_clean()
    return case


def rules_change(w):
    """By other rules it is judged anew: what they have fetched comes, once."""
    mail, spam = mixed(w)
    w.fine(rules=SPAM)
    run = w.fine(rules='rule { subject = "[spam] b*" action = leave }\n')
    w.need_each(1, [*mail, "m4"], when="by other rules")
    w.need(len(run.sent("TOP")) == 2, "only what was left is looked at", run.sent("TOP"))
    w.fine(rules=SPAM)
    w.need_each(1, [*mail, "m4"], when="by the first rules again")
    w.fine()
    w.need_each(1, mail + spam, when="without rules")
    run = w.fine()
    w.need(not run.sent("RETR") and not run.sent("TOP"), "then all is known", run.commands)


def rules_change_and_kill(w):
    """Killed anywhere while rules that changed are followed: each message comes once."""
    def begin():
        fresh = world.World()
        mail, spam = mixed(fresh)
        fresh.fine(rules=SPAM)
        return fresh, mail + spam
    point, killed = 0, True
    while killed:
        fresh, all_of_it = begin()
        point += 3
        killed = fresh.killed_at(point)
        fresh.fine()
        fresh.need_each(1, all_of_it, when="killed at %d" % point)
        fresh.need_clean()
        w.faults += fresh.faults
        fresh.close()
    w.need(point > 20, "there were points to kill at", point)


def limits(w):
    """What rules spare does not count for max_messages."""
    for i in range(5):
        put(w, "a%d" % i, "[spam] %d" % i)
    mail = [put(w, "b%d" % i) for i in range(4)]
    w.fine(rules=SPAM, max_messages="3")
    w.need_each(1, mail[:3], when="with max_messages = 3")
    w.fine(rules=SPAM, max_messages="3")
    w.need_each(1, mail, when="in the next run")


def limits_in_few_rounds(w):
    """However low max_messages is, what is spared is looked at in few rounds, not one by one."""
    for i in range(60):
        put(w, "a%02d" % i, "[spam] %d" % i)
    mail = [put(w, "b%d" % i) for i in range(2)]
    run = w.fine(rules=SPAM, max_messages="1")
    w.need_each(1, mail[:1], when="with max_messages = 1")
    tops = run.sent("TOP")
    w.need(len(tops) == 62 and run.pipelined >= 50, "pipelined, each once", run.pipelined, len(tops))
    for i in range(60):
        put(w, "c%02d" % i, "[spam] %d" % i)
    big = put(w, "d1", size=2000)
    run = w.fine(rules=SPAM, max_bytes="1K")
    w.need_each(1, mail, when="with max_bytes")
    w.need(run.pipelined >= 50, "by max_bytes, too", run.pipelined)
    w.fine(rules=SPAM, max_bytes="1K")
    w.need_each(1, [*mail, big], when="what is longer than max_bytes is the next run's first")


def ages(w):
    """A rule by age is looked at again when age makes a difference, and not before."""
    new = put(w, "new", date="Sat, 28 Nov 2026 10:00:00 +0000")
    old = put(w, "old", date="Mon, 2 Nov 2026 10:00:00 +0000")
    young = 'rule { newer = 10d action = leave }\n'
    env = {"LD_PRELOAD": clock_library(w), "FP_NOW": str(at(28))}
    w.fine(rules=young, env=env, sandbox="off")
    w.need_each(1, [old], when="while the other is young")
    env["FP_NOW"] = str(at(29))
    run = w.fine(rules=young, env=env, sandbox="off")
    w.need(not run.sent("TOP"), "not looked at a day later", run.sent("TOP"))
    env["FP_NOW"] = str(at(28) + 11 * world.DAY)
    w.fine(rules=young, env=env, sandbox="off")
    w.need_each(1, [old, new], when="once it is old enough")


def at(day):
    return 1795860000 + (day - 28) * world.DAY  # 2026-11-28 10:00 UTC


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (id == CLOCK_REALTIME && getenv("FP_NOW") != NULL)
        at->tv_sec = atoll(getenv("FP_NOW"));
    return result;
}
time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
"""


def clock_library(w):
    source, library = w.path("clock.c"), w.path("clock.so")
    if not os.path.exists(library):
        with open(source, "w") as f:
            f.write(CLOCK)
        if os.system("%s -shared -fPIC -o %s %s -ldl" % (os.environ.get("CC", "cc").split()[-1],
                                                       library, source)) != 0:
            raise world.Skip("no compiler here")
    return library


# ---- where it goes -------------------------------------------------------------------------------

def sorts(script=None):
    def case(w):
        lists, shop = w.path("lists"), w.path("shop")
        rules = ('rule { from = "*@lists.example.org" maildir = "%s" }\n' % lists +
                 'rule { header = "Delivered-To: *+shop@*" mbox = "%s" }\n' % shop)
        a = [put(w, "l%d" % i, sender="Robot <news@lists.example.org>") for i in range(3)]
        b = [put(w, "m%d" % i) for i in range(3)]
        data = "Delivered-To: alice+shop@example.org\nSubject: an order\n\nhello\n"
        with open(os.path.join(w.box, "s1"), "w") as f:
            f.write(data)
        w.names[data.encode()] = "s1"
        run = w.fine(rules=rules, keep="no", script=script)
        w.need(not run.sent("TOP"), "no header is asked for that nothing depends on",
               run.sent("TOP"))
        w.need_each(1, a, lists, when="what is from a list")
        w.need_each(1, ["s1"], shop, when="what is for the shop")
        w.need_each(1, b, when="the rest")
        w.need(w.left() == [], "all is deleted", w.left())
        w.need_clean(w.maildir, lists)
    return case


def one_command_for_all(w):
    """-m is for this run's mail, all of it; what the rules leave stays all the same."""
    lists, out = w.path("lists"), w.path("out")
    rules = SPAM + 'rule { from = "*@lists.example.org" maildir = "%s" }\n' % lists
    put(w, "l1", sender="Robot <news@lists.example.org>")
    put(w, "m1")
    put(w, "m2", "[spam] buy")
    w.fine("-m", "grep '^Subject' >>%s" % out, rules=rules)
    with open(out) as f:
        w.need(sorted(f.read().split()) == ["Subject:", "Subject:", "l1", "m1"], "both came there")
    w.need(not os.path.exists(lists), "and none to the place of the rule")


def top_for_large(w):
    """Where a size rules out what would spare a message, its header decides nothing before."""
    lists = w.path("lists")
    rules = ('rule { larger = 2K subject = "big*" action = leave }\n' +
             'rule { from = "*@lists.example.org" maildir = "%s" }\n' % lists)
    a = [put(w, "l%d" % i, sender="Robot <news@lists.example.org>") for i in range(3)]
    put(w, "big", subject="big one", size=4000)
    run = w.fine(rules=rules, keep="no")
    w.need(len(run.sent("TOP")) == 1, "one header is asked for", run.sent("TOP"))
    w.need_each(1, a, lists, when="what is from a list")
    w.need(w.left() == ["big"], "the large one is left", w.left())


def sorts_and_kill(w):
    """Killed anywhere with mail for three destinations on its way: each message once, in its own."""
    point, killed = 0, True
    while killed:
        fresh = world.World()
        lists, shop = fresh.path("lists"), fresh.path("shop")
        rules = ('rule { subject = "l*" maildir = "%s" }\nrule { subject = "s*" mbox = "%s" }\n' %
                 (lists, shop))
        names = {folder: [put(fresh, "%s%d" % (letter, i)) for i in range(2)]
                 for letter, folder in (("l", lists), ("s", shop), ("m", fresh.maildir))}
        point += 3
        killed = fresh.killed_at(point, rules=rules, keep="no")
        run = fresh.run(rules=rules, keep="no")
        fresh.need(run.status == 0, "the run after it is fine, killed at %d" % point, run)
        for folder, own in names.items():
            fresh.need_each(1, own, folder, when="killed at %d" % point)
        fresh.need(fresh.left() == [], "all is deleted, killed at %d" % point, fresh.left())
        fresh.need_clean(fresh.maildir, lists)
        w.faults += fresh.faults
        fresh.close()
    w.need(point > 30, "there were points to kill at", point)


def one_fails(w):
    """Where one destination takes nothing, the others have their mail, and what was for it is kept
    until it does."""
    rules = 'rule { subject = "l*" mda = "exit 75" }\n'
    kept = [put(w, "l%d" % i) for i in range(6)]
    mail = [put(w, "m%d" % i) for i in range(6)]
    run = w.run(rules=rules, keep="no")
    w.need(run.status == 75, "it says that there is more", run)
    w.need_each(1, mail, when="the others")
    later = w.run(rules=rules, keep="no")
    w.need(later.status == 75 and not later.sent("RETR"), "nothing is fetched twice", later)
    box = w.path("box2")
    w.fine(rules='rule { subject = "l*" maildir = "%s" }\n' % box, keep="no")
    w.need_each(1, kept, box, when="once it is repaired")
    w.need_each(1, mail, when="the others, still")


def gone_destination(w):
    """A rule's Maildir that was there, and is gone, is not made anew."""
    box = w.path("box2")
    rules = 'rule { subject = "l*" maildir = "%s" }\n' % box
    put(w, "l1")
    w.fine(rules=rules)
    os.rename(box, box + ".away")
    put(w, "l2")
    run = w.run(rules=rules)
    w.need(run.status == 73 and "is gone" in run.err and not os.path.exists(box),
           "it says that it is gone", run)
    os.rename(box + ".away", box)
    w.fine(rules=rules)
    w.need_each(1, ["l1", "l2"], box, when="once it is back")


# ---- servers that are no good at TOP ---------------------------------------------------------------

BAD_TOPS = {
    "it hangs up": "on TOP: close",
    "it refuses each": 'on TOP: err "no"',
    "it has no end": 'on TOP 2: endless "X-Line: %d\\r\\n"',
    "the whole message comes with it": "set top-whole yes",
}


def bad_top(script):
    """The rules hold all the same, and nothing is lost."""
    def case(w):
        mail, spam = mixed(w)
        rules = SPAM + 'rule { subject = "nothing" action = stub }\n'
        w.run(rules=rules, keep="no", script=script)
        w.run(rules=rules, keep="no", script=script)
        w.need_each(1, mail, when="after two runs")
        w.need(w.left() == spam, "what is to be left is left", w.left())
    return case


def top_of_another(w):
    """TOP shows fewer lines than RETR."""
    mail, spam = mixed(w)
    w.run(rules=SPAM, keep="no", script='set retr-adds "X-Spam: no"')
    w.need(len(list(w.contents())) == len(mail), "the others came", w.stored())
    w.need(w.left() == spam, "what is left is left", w.left())


def deletes_only_what_it_saw(w):
    """A header that is another one at the second look: nothing is deleted."""
    rules = 'allow_delete = yes\nrule { header = "X-Turn: 1" action = delete }\n'
    put(w, "m1")
    run = w.run(rules=rules, script='on x1 TOP: lines "X-Turn: 1" ""')
    w.need("m1" in w.left(), "it is there", run, w.left())


def store_away(action):
    """TOP and RETR come empty, since the server's store is away: no rule judges by that, not even by
    what is missing, and all come when it is back."""
    def case(w):
        rules = 'allow_delete = yes\nrule { not_from = "*@example.org" action = %s }\n' % action
        mail = [put(w, "m%d" % i, size=900) for i in range(5)]
        other = put(w, "spam", sender="a@example.com")
        away = 'on TOP: text "+OK\\r\\n.\\r\\n"\non RETR: text "+OK\\r\\n.\\r\\n"'
        for _ in range(2):
            run = w.run("--force", rules=rules, script=away)
            w.need(run.status == 75 and not w.stored(), "nothing comes", run, w.stored())
        w.need(w.left() == mail + [other], "nothing is deleted", w.left())
        w.run("--force", rules=rules)
        w.need_each(1, mail, when="then")
        w.need((other in w.left()) == (action == "leave"), "and the rule holds", w.left())
    return case


def top_is_cut(action):
    """TOP breaks off within the header: what is missing there proves nothing."""
    def case(w):
        rules = 'allow_delete = yes\nrule { not_subject = "*" action = %s }\n' % action
        mail = [put(w, "m%d" % i) for i in range(3)]
        run = w.run(rules=rules, script="on TOP: short 30")
        w.need(run.status == 0 and w.left() == mail, "nothing is deleted", run, w.left())
        w.need_each(1, mail, when="by what the message itself says")
    return case


def message_is_cut(lists):
    """So does the message itself: it is fetched, since its rule may fit only for that."""
    def case(w):
        rules = 'allow_delete = yes\nrule { not_subject = "*" action = delete }\n'
        mail = [put(w, "m%d" % i, size=900) for i in range(2)]
        for _ in range(3):
            w.run("--force", rules=rules, script="on TOP: short 30\non RETR: short 30\n" + lists)
        w.need(w.left() == mail, "nothing is deleted", w.left())
        w.need(len(list(w.contents())) == 2, "what there is of them was delivered", w.stored())
    return case


def filter_fails_and_message_is_cut(w):
    """filter_command did not say: the next run asks again, whatever of the header is missing."""
    mail = [put(w, "m%d" % i, size=900) for i in range(2)]
    for _ in range(3):
        run = w.run("--force", filter_command="exit 75", keep="no",
                    script="on TOP: short 30\non RETR: short 30\non LIST: err \"no\"")
        w.need(run.status == 75, "it is said", run)
    w.need(w.left() == mail and not list(w.contents()), "nothing is delivered or deleted",
           w.left(), w.stored())


# ---- what goes, and what is shortened ------------------------------------------------------------

def deletes(script=None, keep="yes"):
    def case(w):
        rules = 'allow_delete = yes\nrule { subject = "[spam]*" action = delete }\n'
        mail, spam = mixed(w)
        run = w.fine(rules=rules, keep=keep, script=script)
        w.need_each(1, mail, when="the rest")
        w.need(w.left() == (mail if keep == "yes" else []), "what a rule deletes is gone", w.left())
        if script is None:
            w.need(len(run.sent("RETR")) == 2, "and never came", run.sent("RETR"))
    return case


def deletes_not(w):
    """-k deletes nothing."""
    rules = 'allow_delete = yes\nrule { subject = "[spam]*" action = delete }\n'
    mail, spam = mixed(w)
    w.fine("-k", rules=rules)
    w.need_each(1, mail, when="the rest")
    w.need(set(w.left()) == set(mail + spam), "nothing is deleted", w.left())


def stubs(keep):
    def case(w):
        rules = "rule { larger = 2K action = stub }\n"
        put(w, "m1")
        put(w, "big", size=9000)
        run = w.fine(rules=rules, keep=keep)
        w.need(len(run.sent("RETR")) == 1, "the large one does not come", run.sent("RETR"))
        stub = [c for c in w.contents() if b"X-Fetchpop-Stub" in c]
        w.need(len(stub) == 1 and b"octets, big\n" in stub[0] and b"Subject: big" in stub[0],
               "its beginning does, and says what it is", stub)
        w.need("big" in w.left(), "the whole stays", w.left())
        again = w.fine(rules=rules, keep=keep)
        w.need(not again.sent("RETR") and not again.sent("TOP"), "it comes once", again.commands)
        w.fine("--fetch", "big", rules=rules, keep=keep)
        whole = [n for n in w.stored() if n == "big"]
        w.need(whole == ["big"], "--fetch brings the whole", w.stored())
        w.need(("big" in w.left()) == (keep == "yes"), "and then it goes as all others do", w.left())
        w.fine(rules=rules, keep=keep)
        w.need(len(list(w.contents())) == 3, "nothing comes twice", w.stored())
    return case


def stub_is_a_beginning(script):
    """Header, and twenty lines of text, whatever the server gives; and its UIDL as --fetch wants it."""
    def case(w):
        name = "50%of"
        head = "Subject: long\nX-Folded: a\n b\n\n"
        lines = ["line %d%s\n" % (i, "x" * 3000) for i in range(40)]
        data = (head + "".join(lines)).encode()
        with open(os.path.join(w.box, name), "wb") as f:
            f.write(data)
        w.names[data] = name
        w.fine(rules="rule { larger = 2K action = stub }\n", script=script)
        stub = next(w.contents()).decode()
        top, rest = stub.split("\n", 1)
        w.need(top == "X-Fetchpop-Stub: %d octets, %s" % (len(data) + data.count(b"\n"), name),
               "size and UIDL", top)
        w.need(rest == head + "".join(lines[:20]), "the beginning, and no more", len(rest))
        w.fine("--fetch", top.split()[-1], rules="rule { larger = 2K action = stub }\n",
               script=script)
        w.need(w.stored()[name] == 1, "the whole by what the field says", list(w.stored()))
    return case


def stub_by_age_and_size(w):
    """The rule of the manual: what is large and has lain there for two days."""
    rules = "rule { larger = 2K older = 2d action = stub }\n"
    put(w, "old", size=9000, date="Mon, 2 Nov 2026 10:00:00 +0000")
    new = put(w, "new", size=9000, date="Sat, 28 Nov 2026 09:00:00 +0000")
    small = put(w, "small", date="Mon, 2 Nov 2026 10:00:00 +0000")
    env = {"LD_PRELOAD": clock_library(w), "FP_NOW": str(at(28))}
    run = w.fine(rules=rules, env=env, sandbox="off")
    stored = w.stored()
    w.need(stored[new] == 1 and stored[small] == 1 and stored["old"] == 0 and
           sum(stored.values()) == 3, "the old and large one is a stub", stored)
    w.need(len(run.sent("TOP")) == 3, "no TOP of the small one", run.sent("TOP"))


def stub_not_given(script):
    """The server does not give a beginning: the whole comes, at once, and as all others do."""
    def case(w):
        rules = "rule { larger = 2K action = stub }\n"
        names = [put(w, "m1"), put(w, "big", size=9000)]
        run = w.run(rules=rules, keep="no", script=script)
        w.need(run.status == 0 and run.err == "", "that is no failure", run)
        w.need_each(1, names)
        w.need(w.left() == [], "and goes as all others do", w.left())
        huge = put(w, "huge", size=50000)
        run = w.run(rules=rules, keep="no", script=script, max_size="20K")
        w.need("over the limit" in run.err and w.left() == [huge], "but for max_size", run)
        w.need_each(1, names, when="nothing else came")
        w.need_clean()
    return case


def stub_not_given_beside_a_limit(w):
    """max_messages counts what comes whole; what is to come is not put off for one that was a stub."""
    rules = "rule { larger = 2K action = stub }\n"
    script = 'on TOP "1 *": err "no"'
    names = [put(w, "a-big", size=9000)] + [put(w, "m%d" % i) for i in (1, 2, 3)]
    put(w, "b-big", size=9000)
    w.run(rules=rules, script=script, max_messages=3)
    w.need(all(w.stored()[n] == 1 for n in names[1:]), "three come", w.stored())
    w.need(w.stored()[names[0]] == 0 and len(list(w.contents())) == 4, "and a stub", w.stored())
    w.fine(rules=rules, script=script, max_messages=3)
    w.need(w.stored()[names[0]] == 1, "the whole one with the next run", w.stored())
    names += [put(w, "m4"), put(w, "m5"), put(w, "c-big", size=9000), put(w, "n-big", size=9000)]
    run = w.run(rules=rules, script='on TOP "3 *": err "no"', max_messages=3)
    stored = w.stored()
    w.need(all(stored[n] == 1 for n in names[:-1]), "a stub takes nobody's place", stored, run)


def stub_not_taken(w):
    """A destination that takes none is not asked for each."""
    rules = "rule { larger = 2K action = stub }\n"
    for i in range(8):
        put(w, "big%d" % i, size=9000)
    asked = w.path("asked")
    run = w.run(rules=rules, mda="echo x >>%s; exit 75" % asked)
    with open(asked) as f:
        w.need(run.status == 75 and len(f.readlines()) <= 3, "asked a few times", run)
    w.need(run.err.count("\n") <= 3, "and told as often", run)
    w.fine(rules=rules)
    w.need(sum(b"X-Fetchpop-Stub" in c for c in w.contents()) == 8, "later they come", w.stored())


def left_then_hidden_then_stub(w):
    """Left by a rule, hidden while the rules change, and back: it is judged by those of today."""
    big = put(w, "big", "[spam] buy", size=9000)
    put(w, "m1")
    w.fine(rules=SPAM)
    rules = "rule { larger = 2K action = stub }\n"
    os.rename(os.path.join(w.box, big), os.path.join(w.box, "." + big))
    w.fine(rules=rules)
    os.rename(os.path.join(w.box, "." + big), os.path.join(w.box, big))
    for _ in range(2):
        run = w.fine(rules=rules)
        w.need(not run.sent("RETR") and sum(b"X-Fetchpop-Stub" in c for c in w.contents()) == 1,
               "its beginning comes, and not the whole", run)


def stub_later(w):
    """The server says that it is busy: another run asks again."""
    rules = "rule { larger = 2K action = stub }\n"
    put(w, "big", size=9000)
    run = w.run(rules=rules, script='on TOP: err "busy, try again later"')
    w.need(run.status == 75 and not w.stored(), "put off", run)
    w.fine(rules=rules)
    w.need(sum(b"X-Fetchpop-Stub" in c for c in w.contents()) == 1, "then it comes", w.stored())


def whole_of_stub_and_kill(w):
    """Killed anywhere while the whole of a stub is fetched by name: no second stub, one whole."""
    rules = "rule { larger = 2K action = stub }\n"
    point, killed, owed = 0, True, 0
    while killed:
        fresh = world.World()
        put(fresh, "big", size=9000)
        fresh.fine(rules=rules)
        point += 2
        run = fresh.run("--fetch", "big", before=(world.syscut(), "--kill", str(point)),
                        env=world.traced(), rules=rules)
        killed = run.status == 99
        fresh.fine(rules=rules)
        stubs = sum(b"X-Fetchpop-Stub" in c for c in fresh.contents())
        whole = fresh.stored()["big"]
        owed += whole and killed
        fresh.need(stubs == 1 and whole <= 1, "one stub, killed at %d" % point, stubs, whole)
        if whole == 0:
            fresh.fine("--fetch", "big", rules=rules)
        fresh.need(fresh.stored()["big"] == 1, "one whole, killed at %d" % point, fresh.stored())
        w.faults += fresh.faults
        fresh.close()
    w.need(point > 10 and owed, "there were points to kill at", point, owed)


def stubs_and_rules(w):
    """When the rules have it fetched, the whole comes."""
    put(w, "big", size=9000)
    w.fine(rules="rule { larger = 2K action = stub }\n")
    w.fine(rules="rule { larger = 20K action = stub }\n")
    w.need(w.stored()["big"] == 1, "the whole comes", w.stored())
    w.fine(rules="rule { larger = 2K action = stub }\n")
    w.need(len(list(w.contents())) == 2, "and nothing more", w.stored())


def stubs_without_top(script):
    """Where TOP is of no use the whole comes, and the rest of the mail with it."""
    def case(w):
        names = [put(w, "m1"), put(w, "big", size=9000)]
        for _ in range(2):
            w.run(rules="rule { larger = 2K action = stub }\n", keep="no", script=script)
        w.need_each(1, names)
        w.need(w.left() == [], "and goes as all others do", w.left())
    return case


def deletes_large(script):
    """A size is in the listing: it takes no TOP to delete by it."""
    def case(w):
        put(w, "m1")
        put(w, "big", size=9000)
        rules = "allow_delete = yes\nrule { larger = 2K action = delete }\n"
        for _ in range(2):
            w.run(rules=rules, script=script)
        w.need_each(1, ["m1"])
        w.need(w.left() == ["m1"], "the large one is deleted", w.left())
    return case


def filter_fails_read_once(habits):
    """No TOP, mail is shown once, and the command does not say: nothing is lost for that."""
    def case(w):
        mail = [put(w, "m%d" % i) for i in range(2)]
        put(w, "bad", "bad")
        once = "set top no\nset read-once yes\n" + habits
        w.run(filter_command=script(w, "filter", 'grep -q "^Subject: bad" && exit 127; exit 0\n'),
              script=once)
        w.run(filter_command=script(w, "filter", "exit 0\n"), script=once)
        w.need_each(1, [*mail, "bad"])
    return case


def stub_of_nothing(w):
    """TOP has an empty answer: that is no beginning of a message, and it is fetched whole."""
    names = [put(w, "big1", size=9000), put(w, "big2", size=9000)]
    w.fine(rules="rule { larger = 2K action = stub }\n", script="on TOP: lines", keep="no")
    w.need_each(1, names)


def stubs_and_kill(kind):
    """Killed anywhere: one stub, never none, and the whole is never deleted for it."""
    def case(w):
        rules = "rule { larger = 2K action = stub }\n"
        point, killed = 0, True
        while killed:
            fresh = world.World()
            where = {"mbox": fresh.mbox}.get(kind, fresh.maildir)
            keys = {"rules": rules, "keep": "no", kind: where}
            if kind == "mbox":      # else a kill before it is made is worth a warning
                open(where, "w").close()
            put(fresh, "m1")
            put(fresh, "big", size=9000)
            point += 3
            killed = fresh.killed_at(point, **keys)
            fresh.fine(**keys)
            stub = [c for c in fresh.contents(where) if b"X-Fetchpop-Stub" in c]
            fresh.need(len(stub) == 1 and fresh.stored(where)["m1"] == 1,
                       "one stub, killed at %d" % point, fresh.stored(where))
            fresh.need(fresh.left() == ["big"], "the whole is there, killed at %d" % point,
                       fresh.left())
            w.faults += fresh.faults
            fresh.close()
        w.need(point > 20, "there were points to kill at", point)
    return case


def dry_run(w):
    """--dry-run says which rule fits."""
    mixed(w)
    put(w, "big", size=9000)
    rules = SPAM + "rule { larger = 2K action = stub }\n"
    run = w.run("--dry-run", rules=rules)
    with open(w.path("rc")) as f:
        spam = [i for i, line in enumerate(f, 1) if "[spam]*" in line][0]
    said = {name: [line for line in run.out.splitlines() if "UIDL %s" % name in line or
                   '"%s"' % name in line] for name in ("m1", "m2", "m4", "big")}
    w.need(run.status == 0 and run.out.count("/rc:") == 3, "each that a rule fits is told", run)
    for name, line in (("m2", spam), ("m4", spam), ("big", spam + 1)):
        w.need(len(said[name]) == 1 and said[name][0].endswith("/rc:%d)" % line),
               "%s with its rule" % name, said[name], line)
    w.need(not os.path.exists(w.maildir) and not run.sent("RETR"), "and nothing is done", run)


# ---- a command decides, and what is changed on the way --------------------------------------------

def filters(script=None):
    def case(w):
        command = w.path("filter")
        with open(command, "w") as f:
            f.write("#!/bin/sh\necho \"$FETCHPOP_UIDL $FETCHPOP_SIZE\" >>%s\n"
                    "cat >%s\ngrep -q -e hello -e xxx %s && exit 0\n"
                    "subject=$(sed -n 's/^Subject: //p' %s)\n"
                    "case $subject in leave*) exit 1 ;; delete*) exit 2 ;; esac\n" % (
                        w.path("asked"), *(w.path("header"),) * 3))
        os.chmod(command, 0o755)
        keys = dict(filter_command=command, rules="allow_delete = yes\n", script=script)
        mail = [put(w, "m%d" % i) for i in range(3)]
        put(w, "l1", "leave me")
        put(w, "d1", "delete me")
        w.fine(**keys)
        w.need_each(1, mail, when="what it says 0 of")
        w.need(w.left() == ["l1", *mail], "what it says 2 of is deleted", w.left())
        with open(w.path("asked")) as f:
            asked = f.read().split()
        with open(os.path.join(w.box, "m1"), "rb") as f:
            size = len(f.read().replace(b"\n", b"\r\n"))
        w.need(asked[asked.index("m1") + 1] == str(size), "it is told UIDL and size", size, asked)
        os.unlink(w.path("asked"))
        w.fine(**keys)
        w.need(not os.path.exists(w.path("asked")), "and is not asked again of what it left")
        w.need_each(1, mail, when="in the next run")
    return case


def filter_without_permission(w):
    """Without allow_delete, 2 leaves the message; once it is given, it is asked again."""
    put(w, "d1")
    w.fine(filter_command="exit 2", keep="no")
    w.need(w.left() == ["d1"] and not w.stored(), "it is left", w.left())
    w.fine(filter_command="exit 2", keep="no", allow_delete="yes")
    w.need(w.left() == [] and not w.stored(), "and goes, with permission", w.left())


def fetched_by_name(w):
    """--fetch asks no filter_command, and brings a message to where its rule sends it."""
    lists = w.path("lists")
    keys = {"rules": 'rule { subject = "l*" maildir = "%s" }\nrule { action = leave }\n' % lists,
            "filter_command": "touch %s; exit 9" % w.path("asked")}
    names = [put(w, "l1"), put(w, "m1")]
    w.fine("--fetch", "l1", **keys)
    w.need_each(1, names[:1], lists)
    w.fine("--fetch", "m1", **keys)
    w.need_each(1, names[1:])
    w.need(not os.path.exists(w.path("asked")), "the command is not asked")


def tells_each(w):
    """What a server or a sender has made to look like an option is not handed to any command as one."""
    put(w, "m1", sender="-rf@example.org")
    tell = 'printf "%%s|%%s|%%s\\n" "$FETCHPOP_UIDL" "$FETCHPOP_SENDER" "$FETCHPOP_RECIPIENT" >>%s; '
    keys = {key: script(w, key, tell % w.path("told-" + key) + rest) for key, rest in (
        ("filter_command", "exit 0"), ("pipe_through", "cat"), ("mda", "cat >/dev/null"))}
    w.fine(script='set uidl m1 "-rf"', **keys)
    for key in keys:
        with open(w.path("told-" + key)) as f:
            told = f.read()
        w.need(told == "%2Drf||alice@example.org\n", "an option is none for " + key, told)


def filter_fails(w):
    """A message of which it does not say is put off; three in a row, and nothing is fetched."""
    mail = [put(w, "m%d" % i) for i in range(5)]
    put(w, "bad", "bad")
    run = w.run(filter_command='grep -q "^Subject: bad" && exit 9; exit 0')
    w.need(run.status == 75 and "status 9" in run.err, "that is told", run)
    w.need_each(1, mail, when="the others come")
    w.fine(filter_command="true")
    w.need_each(1, [*mail, "bad"], when="and that one once it says so")
    for i in range(6):
        put(w, "n%d" % i)
    run = w.run(filter_command="exit 9")
    w.need(run.status == 75 and "in a row" in run.err, "a broken one is told once more", run)
    w.need_each(1, [*mail, "bad"], when="with a broken one")
    w.fine()
    w.need_each(1, [*mail, "bad", *["n%d" % i for i in range(6)]], when="nothing is lost")


def headings(w):
    """trace_header puts two fields on top, drop_status leaves two out, and no more."""
    kept = (b"Subject: hello\n", b"Received: by x; Mon, 2 Nov 2026 10:00:00 +0000\n"
            b"Message-ID: <1@example.org>\nDate: Mon, 2 Nov 2026 09:00:00 +0000\n")
    head = b"Status: RO\n" + kept[0] + b"X-Status: D\n folded\n" + kept[1]
    body = b"\nStatus: of the body\n"
    with open(os.path.join(w.box, "m1"), "wb") as f:
        f.write(head + body)
    keys = {"trace_header": "yes", "drop_status": "yes", "arrival_date": "yes", "keep": "no"}
    w.fine("-k", **keys)
    text = next(w.contents())
    top, rest = text.split(b"X-Fetchpop-Account: w\n")
    w.need(top.startswith(b"Received: from 127.0.0.1 by ") and top.count(b"\n") == 2, "on top", text)
    w.need(rest == b"".join(kept) + body, "the rest", text)
    new = os.path.join(w.maildir, "new")
    found = os.stat(os.path.join(new, os.listdir(new)[0])).st_mtime
    w.need(found == 1793613600, "the time of the file is that of its arrival", found)
    again = w.fine(**keys)
    w.need(w.left() == [] and not again.sent("RETR"), "and it is known again", again.commands)
    put(w, "m2", date="Mon, 2 Nov 2099 10:00:00 +0000")
    w.fine(**keys)
    times = [os.stat(os.path.join(new, n)).st_mtime for n in os.listdir(new)]
    w.need(max(times) < time.time() + 60, "and none that is to come", times)


# ---- slow answers ----------------------------------------------------------------------------------

def slow(how, **keys):
    """Asking about all that is new would take longer than session_timeout: what was judged is fetched,
    and the rest is judged as it comes."""
    def case(w):
        names = [put(w, "m%03d" % i) for i in range(60)]
        put(w, "n001", "[spam] no")
        more = {k: v(w) if callable(v) else v for k, v in keys.items()}
        more["script"] = "set pipelining no\n" + how
        run = w.run("--force", keep="no", session_timeout="6s", limit=200, **more)
        w.need(sum(w.stored().values()) > 5, "some mail came", run.seconds, run)
        for _ in range(6):
            if run.status == 0:
                break
            run = w.run("--force", keep="no", session_timeout="6s", limit=200, **more)
        w.need(run.status == 0, "in the end all is done", run)
        w.need_each(1, names, when="in the end, and no spam")
        w.need(w.left() == ["n001"], "which is left", w.left())
    return case


def slow_second_look(w):
    """What a rule deletes is looked at twice: that leaves time for the mail."""
    rules = 'allow_delete = yes\nrule { subject = "[spam]*" action = delete }\n'
    names, seen = [put(w, "a%d" % i) for i in range(3)], set()

    def top(conn, event, arg):
        time.sleep(0.4 if arg in seen else 0.1)
        seen.add(arg)
    for i in range(40):
        put(w, "m%03d" % i, "[spam] buy")
    run = w.run("--force", rules=rules, session_timeout="6s", limit=200,
                script=["set pipelining no", ("TOP *", top)])
    w.need_each(1, names, when="in the first run")
    w.need(run.sent("QUIT") and len(w.left()) < 43, "some are deleted", len(w.left()), run.seconds, run)


# ---- pipe_through ----------------------------------------------------------------------------------

def script(w, name, text):
    path = w.path(name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def changed(w, names, mark=b"X-Was: here\n"):
    """What a filter that puts a field on top makes of these."""
    for text, name in list(w.names.items()):
        if name in names:
            del w.names[text]
            w.names[mark + text] = name


THROUGH = "echo X-Was: here\ncat\n"


# A message that comes once more takes the place of the first: a command may have run when we die.
TAKE = """mkdir -p %(to)s/new %(to)s/cur %(to)s/tmp
cat >%(to)s/tmp/$$
name=$(sed -n "s/^Message-ID: <\\(.*\\)>/\\1/p;/^$/q" %(to)s/tmp/$$)
mv %(to)s/tmp/$$ %(to)s/new/$name
"""


def through(kind, keep):
    def case(w):
        names = [put(w, "m%d" % i) for i in range(4)]
        big = put(w, "big", size=300000)
        where = {"maildir": w.maildir, "mbox": w.mbox}.get(kind, w.maildir)
        keys = {kind: where} if kind != "mda" else {
            "mda": script(w, "take", TAKE % {"to": w.maildir})}
        run = w.fine(pipe_through=script(w, "filter", THROUGH), keep=keep, **keys)
        changed(w, [*names, big])
        w.need_each(1, [*names, big], where, when="as the filter has it")
        w.need((w.left() == []) == (keep == "no"), "keep = %s" % keep, w.left())
        again = w.fine(pipe_through=script(w, "filter", THROUGH), keep=keep, **keys)
        w.need(not again.sent("RETR") and run.status == 0, "and each comes once", again.commands)
    return case


def through_drops(w):
    """99 drops a message: it is done, and goes as others do."""
    filter_ = script(w, "filter", "cat >%s\ngrep -q spam %s && exit 99\ncat %s\n" % (
        (w.path("copy"),) * 3))
    mail = [put(w, "m1"), put(w, "m3")]
    put(w, "m2", "spam")
    run = w.run("-v", pipe_through=filter_, keep="no")
    w.need(run.status == 0 and "drops it" in run.err, "that is logged", run)
    w.need_each(1, mail, when="the others")
    w.need(w.left() == [], "all are deleted", w.left())
    w.fine(pipe_through=filter_, keep="no")


def through_fails(w):
    """A message that it does not take is kept as it came, and passes through it later."""
    filter_ = script(w, "filter", "cat >%s\ngrep -q later %s && exit 3\necho X-Was: here\ncat %s\n" % (
        (w.path("copy"),) * 3))
    mail = [put(w, "m1"), put(w, "m3")]
    put(w, "m2", "later")
    run = w.run(pipe_through=filter_, keep="no")
    w.need(run.status == 75 and "status 3" in run.err, "that is told", run)
    changed(w, mail)
    w.need_each(1, mail, when="the others")
    w.need(w.left() == ["m2"], "it stays on the server until it is delivered", w.left())
    script(w, "filter", THROUGH)
    run = w.fine(pipe_through=filter_, keep="no")
    changed(w, ["m2"])
    w.need(not run.sent("RETR") and w.left() == [], "it is not fetched twice", run.commands, w.left())
    w.need_each(1, [*mail, "m2"], when="in the next run")


def through_prints_errors(w):
    """What a pipeline says instead of a message, with status 0, does not take its place."""
    names = [put(w, "m1"), put(w, "m2")]
    bare = b"X-Bare: yes\n\nno name\n"
    with open(os.path.join(w.box, "bare"), "wb") as f:
        f.write(bare)
    filter_ = script(w, "filter", "{ echo error: cannot connect; exit 1; } | cat\n")
    run = w.run(pipe_through=filter_, keep="no")
    w.need(run.status == 75 and "what pipe_through printed" in run.err, "that is told", run)
    w.need(w.left() == ["m1", "m2"], "they stay; what has no such field may become anything", w.left())
    script(w, "filter", THROUGH)
    w.names[b"error: cannot connect\n"] = "bare"
    w.fine(pipe_through=filter_, keep="no")
    changed(w, names)
    w.need_each(1, [*names, "bare"], when="when it is well")
    w.need(w.left() == [], "then they go", w.left())


def through_hangs(w):
    """Three in a row are enough to know; all is kept, and passes through it when it is well."""
    names = [put(w, "m%02d" % i) for i in range(16)]
    filter_ = script(w, "filter", "echo >>%s\nexec sleep 1000\n" % w.path("asked"))
    for new, most in (16, 3), (0, 7):       # then three that are kept, and one behind them
        run = w.run("--force", pipe_through=filter_, mda_timeout="1s", keep="no")
        asked = os.path.getsize(w.path("asked"))
        w.need(asked == most, "how often it was asked", asked)
        w.need(run.status == 75 and len(run.sent("RETR")) == new, "all is fetched, and once", run)
        w.need("did not end in time" in run.err, "that is told", run)
    script(w, "filter", THROUGH)
    run = w.fine("--force", pipe_through=filter_, keep="no")
    changed(w, names)
    w.need_each(1, names, when="when it is well")


def through_then_destination_fails(w):
    """What it made of a message is not kept: the next run has it pass through once more, once."""
    names = [put(w, "m1"), put(w, "m2")]
    filter_ = script(w, "filter", THROUGH)
    run = w.run(pipe_through=filter_, mda="exit 75", keep="no")
    w.need(run.status == 75, "the command takes nothing", run)
    w.fine(pipe_through=filter_, keep="no")
    changed(w, names)
    w.need_each(1, names, when="once, not twice through the filter")
    w.need(w.left() == [], "then it goes", w.left())


def through_and_kill(kind):
    def case(w):
        point, killed = 0, True
        while killed:
            fresh = world.World()
            names = [put(fresh, "m%d" % i) for i in range(3)]
            where = {"mbox": fresh.mbox}.get(kind, fresh.maildir)
            keys = {"pipe_through": script(fresh, "filter", THROUGH), "keep": "no", kind: where}
            if kind == "mda": # which may have run, and runs again: the same file
                keys["mda"] = script(fresh, "take", TAKE % {"to": where})
            point += 2
            killed = fresh.killed_at(point, **keys)
            run = fresh.run(**keys)
            fresh.need(run.status == 0, "the run after it is fine, killed at %d" % point, run)
            changed(fresh, names)
            fresh.need_each(1, names, where, when="killed at %d" % point)
            fresh.need(fresh.left() == [], "all are deleted, killed at %d" % point, fresh.left())
            spool = os.path.join(fresh.state, "spool")
            fresh.need(not os.listdir(spool), "nothing stays behind, killed at %d" % point,
                       os.listdir(spool))
            w.faults += fresh.faults
            fresh.close()
        w.need(point > 30, "there were points to kill at", point)
    return case


CASES = [
    ("what a rule leaves stays, and is not looked at again", leaves("yes")),
    ("the same with keep = no", leaves("no")),
    ("a server without TOP: decided once it is downloaded", leaves("yes", NO_TOP)),
    ("the same with keep = no, without TOP", leaves("no", NO_TOP)),
    ("when the rules change, it is judged anew", rules_change),
    ("killed anywhere after the rules have changed", rules_change_and_kill),
    ("what is spared counts for no limit", limits),
    ("what is spared is looked at in few rounds, pipelined", limits_in_few_rounds),
    ("a rule by age is looked at again in time", ages),
    ("mail is sorted into a Maildir, an mbox and the account's own", sorts()),
    ("the same without PIPELINING", sorts("set capa no")),
    ("killed anywhere with three destinations: each message once", sorts_and_kill),
    ("one destination fails: the others have their mail", one_fails),
    ("a rule's Maildir that is gone is not made anew", gone_destination),
    *[("TOP: " + what, bad_top(script)) for what, script in BAD_TOPS.items()],
    ("TOP shows less than RETR", top_of_another),
    ("-m replaces the destinations of rules, not what they leave", one_command_for_all),
    ("no header is asked for where a size decides", top_for_large),
    ("what a rule deletes is gone, unfetched", deletes()),
    ("the same with keep = no", deletes(keep="no")),
    ("without TOP it is deleted once it was seen", deletes(NO_TOP)),
    ("-k deletes nothing", deletes_not),
    ("a header that changes: nothing is deleted for it", deletes_only_what_it_saw),
    ("the server's store is away: nothing is deleted", store_away("delete")),
    ("the server's store is away: nothing is left", store_away("leave")),
    ("TOP breaks off within the header: nothing is deleted", top_is_cut("delete")),
    ("TOP breaks off within the header: nothing is left", top_is_cut("leave")),
    ("the message breaks off within the header: nothing is deleted", message_is_cut("")),
    ("the same without LIST", message_is_cut('on LIST: err "no"')),
    ("the same, and filter_command fails: it is asked again", filter_fails_and_message_is_cut),
    ("a stub comes once, and the whole by --fetch", stubs("yes")),
    ("the same with keep = no", stubs("no")),
    ("a stub is twenty lines, and says how to fetch the whole", stub_is_a_beginning(None)),
    ("the same of a server that gives all lines", stub_is_a_beginning("set top-whole yes")),
    ("a stub by size and age", stub_by_age_and_size),
    ("TOP of a stub is refused: the whole", stub_not_given('on TOP: err "no such thing"')),
    ("TOP of a stub is refused, and there is a limit: all come that may",
     stub_not_given_beside_a_limit),
    ("left, hidden while the rules change, and back: a stub", left_then_hidden_then_stub),
    ("TOP of a stub is busy: later", stub_later),
    ("a destination that takes no stubs", stub_not_taken),
    ("killed anywhere while the whole of a stub is fetched", whole_of_stub_and_kill),
    ("the whole comes when the rules have it fetched", stubs_and_rules),
    ("killed anywhere: one stub", stubs_and_kill("maildir")),
    ("the same with an mbox", stubs_and_kill("mbox")),
    ("a stub by size, and no TOP: the whole", stubs_without_top(NO_TOP)),
    ("a stub by size, and TOP hangs up: the whole", stubs_without_top("on TOP: close")),
    ("a stub by size, and TOP has no end: the whole",
     stubs_without_top('on TOP: endless "X-Line: %d\\r\\n"')),
    ("deleted by size, without TOP", deletes_large(NO_TOP)),
    ("deleted by size, and TOP hangs up", deletes_large("on TOP: close")),
    ("a filter_command that fails, no TOP, mail is shown once", filter_fails_read_once("")),
    ("the same, and there are no UIDLs", filter_fails_read_once("set uidl no")),
    ("a stub of an empty answer to TOP", stub_of_nothing),
    ("--dry-run says which rule fits", dry_run),
    ("filter_command: 0 fetches, 1 leaves, 2 deletes", filters()),
    ("the same on a server without TOP", filters(NO_TOP)),
    ("without allow_delete, 2 leaves", filter_without_permission),
    ("--fetch asks no command, and follows the rules' destinations", fetched_by_name),
    ("commands are not handed what looks like an option", tells_each),
    ("a filter_command that fails costs nothing", filter_fails),
    ("trace_header, drop_status, arrival_date", headings),
    ("TOP takes longer than session_timeout: mail comes all the same",
     slow("on TOP: sleep 200", rules=SPAM)),
    ("filter_command takes longer: likewise",
     slow("", filter_command=lambda w: script(w, "slow", "sleep 0.2; ! grep -q '^Subject: .spam'\n"))),
    ("TOP takes long, and a rule deletes: mail comes, and some are deleted", slow_second_look),
    ("pipe_through into a Maildir", through("maildir", "no")),
    ("pipe_through into an mbox", through("mbox", "yes")),
    ("pipe_through into a command", through("mda", "no")),
    ("pipe_through drops a message with 99", through_drops),
    ("what pipe_through does not take is kept as it came", through_fails),
    ("an error text that pipe_through prints with 0 is no message", through_prints_errors),
    ("pipe_through hangs: it is asked three times, and all is kept", through_hangs),
    ("it passes through once, also when its destination fails first", through_then_destination_fails),
    ("killed anywhere, with pipe_through, into a Maildir", through_and_kill("maildir")),
    ("killed anywhere, with pipe_through, into an mbox", through_and_kill("mbox")),
    ("killed anywhere, with pipe_through, into a command", through_and_kill("mda")),
]

if __name__ == "__main__":
    world.main(CASES)
