#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Whose fault is it: the session's, this machine's, or a message's; and what becomes of the others."""
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402

MB = 1 << 20


# ---- refusals of the session -----------------------------------------------------------------------

def session_refuses(text, keep, pipelining="yes"):
    """RETR after RETR is refused in the same words: the session ends early, 75; nothing counts."""
    def case(w):
        names = w.fill(120)
        w.always = "set pipelining " + pipelining
        lie = 'on RETR: err "%s"' % text
        for turn in range(7):
            run = w.run("--force", script=lie, keep=keep, max_tries=3)
            w.need(run.status == 75, "75", run)
            # At first all are on their way before the first answer can come.
            w.need(turn == 0 or len(run.sent("RETR")) <= 60, "the session ends early",
                   len(run.sent("RETR")))
            w.need(len(run.err.splitlines()) <= 3, "it is not told for each message", run)
        w.need_nothing_held()
        w.later(hours=2)
        w.need(w.run(keep=keep, max_tries=3).status == 0, "healed")
        w.need_each(1, names)
    return case


def refuses_behind_some(keep):
    """Twelve come, the rest is refused in the same words; each run brings more, nothing is held."""
    def case(w):
        names = w.fill(60)
        w.always = "set retr-max 12\nset login-delay 60"
        runs = []
        for _ in range(7):
            runs.append(w.run(keep=keep, max_tries=2))
            w.later(minutes=5)
        w.need_each(1, names, when="after seven runs")
        w.need(65 not in [r.status for r in runs], "no message's fault", [r.status for r in runs])
        w.need_nothing_held()
    return case


def numbered_words(w):
    """The same words but for a number in them are the same words."""
    names = w.fill(60)
    lie = [("RETR", lambda conn, event, arg: b"-ERR cannot open message %s, I/O error\r\n" %
            arg.encode())]
    for turn in range(4):
        run = w.run("--force", script=lie, max_tries=2)
        w.need(run.status == 75 and (turn == 0 or len(run.sent("RETR")) <= 40),
               "the session ends early", run)
    w.need_nothing_held()
    w.run("--force", max_tries=2)
    w.need_each(1, names)


def one_is_refused(text):
    """One message refused among many is a matter of its own."""
    def case(w):
        names = w.fill(30)
        lie = 'on RETR =m017: err "%s"' % text
        runs = [w.run("--force", script=lie, max_tries=2, keep="no") for _ in range(2)]
        w.need(all(r.status == 65 and "m017" in r.err for r in runs), "65, and it is named", *runs)
        w.need_each(1, [n for n in names if n != "m017"], when="the others")
        w.need(w.is_holding() and "m017" in w.status(), "then it is held", w.status())
        w.need(w.left() == ["m017"], "it stays on the server", w.left())
    return case


def one_is_put_off(text):
    def case(w):
        w.fill(10)
        lie = 'on RETR =m007: err "%s"' % text
        for _ in range(6):
            run = w.run("--force", script=lie, max_tries=2)
            w.need(run.status == 75, "75", run)
        w.need_nothing_held()
        w.need(len(w.stored()) == 9, "the others", w.stored())
    return case


def one_is_put_off_for_ever(text):
    """In words that say that it will pass, for ever: told once a day, and held in the end."""
    def case(w):
        names, told, bad = w.fill(6), [], 0
        for hour in range(0, 24 * 4, 2):
            run = w.run(script='on RETR =m003: err "%s"' % text, keep="no", max_tries=3)
            told += [hour] * len(run.err.splitlines())
            bad += run.status == 75
            w.later(hours=2)
        w.need(told[:2] == [0, 24] and 4 <= len(told) <= 8, "once a day", told)
        w.need(w.is_holding() and bad < 36, "held after three days", w.status(), bad)
        w.need(w.left() == ["m003"], "it stays on the server", w.left())
        for _ in range(8):
            w.later(days=1)
            w.run(keep="no", max_tries=3)
        w.need_each(1, names, when="once it can be had")
    return case


def refused_alike_for_good(w):
    """Four that the server refuses in the same words, and nothing else: held after a day or so, and
    then they stop nothing."""
    names, codes = w.fill(4), []
    for _ in range(60):
        codes.append(w.run(script='on RETR =m*: err "infected"', keep="no", max_tries=3).status)
        w.later(hours=1)
    w.need(set(codes[:20]) == {75} and codes[-20:].count(0) >= 16, "75 for a day, then 0", codes)
    w.need(w.status().count("held: ") == 4 and w.left() == names, "held", w.status(), w.left())
    for _ in range(8):
        w.later(days=1)
        w.run(keep="no", max_tries=3)
    w.need_each(1, names, when="once they can be had")
    w.need_nothing_held()


# ---- a destination that refuses all ----------------------------------------------------------------

def agent_is_broken(status, wanted, keep):
    def case(w):
        names, agent = w.fill(5), heal.Agent(w)
        agent.does('echo "lda: cannot read my configuration" >&2; exit %d' % status)
        told, days = 0, 2
        for i in range(24 * days):
            run = w.run(mda=agent, keep=keep, max_tries=2)
            w.need(run.status in wanted, "status", run)
            told += bool(run.err)
            w.later(hours=1)
        w.need(1 <= told <= days + 1, "told once a day", told)
        w.need_nothing_held()
        w.need(w.left() == names, "nothing is deleted", w.left())
        agent.does("")
        w.need(w.run(mda=agent, keep=keep, max_tries=2).status == 0, "the run after the repair")
        agent.need_each(1, names, when="with the first run after the repair")
        retr = sum(v == "RETR" for conn in w.record() for v, _ in conn.commands)
        w.need(retr == 5, "nothing was fetched twice", retr)
    return case


def one_refused_by_agent(w):
    names, agent = w.fill(8), heal.Agent(w)
    agent.does('[ "$FETCHPOP_UIDL" != m004 ] || exit 1')
    run = w.run(mda=agent, max_tries=1)
    w.need(run.status == 65 and "m004" in run.err, "one refused is a message's own", run)
    agent.need_each(1, [n for n in names if n != "m004"])


def agent_breaks_in_the_midst(w):
    """It takes some, then none any more: what it took is done, the rest waits for the repair."""
    names, agent = w.fill(40), heal.Agent(w)
    agent.does('[ $(ls %s | wc -l) -lt 10 ] || exit 73' % agent.folder)
    for _ in range(4):
        run = w.run("--force", mda=agent, keep="no", max_tries=2)
        w.need(run.status != 0, "not 0", run)
    agent.need_each(1, names[:10], when="before it broke")
    agent.does("")
    w.run("--force", mda=agent, keep="no", max_tries=2)
    agent.need_each(1, names, when="after the repair")


# ---- one message that costs the connection ----------------------------------------------------------

BAD = {
    "breaks the line": "on RETR =m003: close-at 40",
    "never ends": 'on RETR =m003: send "+OK\\r\\nSubject: x\\r\\n\\r\\n"; endless "all work and no play\\r\\n"',
    "drips": "on RETR =m003: drip 400",
    "is never answered": "on RETR =m003: hang",
    "is no mail at all": 'on RETR =m003: text "junk\\r\\nand more junk\\r\\n.\\r\\n"',
    "is not terminated": "on RETR =m003: noeom; answer; stall",
    "has an unstuffed dot": "on RETR =dots: unstuffed",
}


def one_is_bad(kind, keep, habits=""):
    """It is asked for alone and last, behind all others; named, counted, held; new mail comes."""
    def case(w):
        w.always = habits
        names = w.fill(6)
        bad = "m003"
        if kind == "has an unstuffed dot":
            bad = "dots"
            w.put(bad, "one\n.\ntwo\n")
        good = [n for n in names if n != bad]
        keys = {"keep": keep, "max_tries": 2, "timeout": "1s", "session_timeout": "20s"}
        runs = [w.run(script=BAD[kind], **keys)]
        w.need_each(1, good, when="after one run")
        w.need(keep == "yes" or w.left() == [bad], "the others are deleted", w.left())
        w.later(minutes=5)
        w.put("new1")
        runs.append(w.run(script=BAD[kind], **keys))
        last = runs[-1].sessions("RETR")
        number = [a for s in last for a in s]
        w.need_each(1, good + ["new1"], when="new mail in the second run")
        w.need(runs[-1].connections >= 2 and last and len(last[-1]) == 1 and not
               set(last[-1]) & set(a for s in last[:-1] for a in s), "it was asked for alone and last",
               last, number)
        for _ in range(4):
            w.later(minutes=5)
            runs.append(w.run(script=BAD[kind], **keys))
        w.need(any(r.status == 65 and bad in r.err for r in runs), "65, and it is named",
               [(r.status, r.err[:200]) for r in runs])
        w.need(w.is_holding() and bad in w.status(), "it is held", w.status())
        w.put("new2")
        w.later(minutes=5)
        run = w.run(script=BAD[kind], **keys)
        w.need(run.connections >= 1 and run.status == 0, "no pause for the account", run)
        w.need_each(1, good + ["new1", "new2"], when="later mail")
        w.need(keep == "yes" or w.left() == [bad], "it stays on the server", w.left())
        for _ in range(36):
            if w.stored()[bad]:
                break
            w.later(hours=6)
            w.run(**keys)
        w.need_each(1, good + ["new1", "new2", bad], when="on an honest server, by itself")
        w.need_clean()
    return case


def bad_and_login_delay(kind, keep):
    """A server that allows no second login soon still brings the others, and the bad one is named."""
    def case(w):
        w.always = "set login-delay 300"
        names = w.fill(6)
        good = [n for n in names if n != "m003"]
        keys = {"keep": keep, "max_tries": 2, "timeout": "1s", "session_timeout": "20s"}
        runs = []
        for i in range(2):
            runs.append(w.run(script=BAD[kind], **keys))
            w.later(minutes=6)
        w.need_each(1, good, when="after two runs")
        for i in range(12):
            runs.append(w.run(script=BAD[kind], **keys))
            w.later(minutes=6)
        w.need(any("m003" in r.err for r in runs), "the bad one is named", [r.err[:100] for r in runs])
        w.need(w.is_holding(), "and held in the end", w.status(), [r.status for r in runs])
    return case


def two_are_bad(w):
    names = w.fill(8)
    lie = "on RETR =m002: close-at 40\non RETR =m006: close-at 40"
    keys = {"keep": "no", "max_tries": 2, "timeout": "2s"}
    for _ in range(5):
        w.run("--force", script=lie, **keys)
    w.need_each(1, [n for n in names if n not in ("m002", "m006")])
    w.need(w.left() == ["m002", "m006"], "the others are deleted", w.left())
    w.need(w.status().count("held:") == 2, "both are held", w.status())


def bad_and_trouble_here(w):
    """One breaks the line, and then nothing is taken here: it is not asked for on yet another
    connection, since it could go nowhere."""
    names = w.fill(6)
    agent = heal.Agent(w)
    agent.does("exit 75")
    run = w.run(script=BAD["breaks the line"], keep="no", mda=agent)
    w.need(run.status == 75 and run.connections == 2 and run.sent("RETR").count("RETR 3") == 1,
           "asked for once", run)
    w.need("must wait for the next run: 1" in run.err, "that it waits is said", run)
    agent.does("")
    w.run("--force", keep="no", mda=agent)
    agent.need_each(1, names, when="then all come")


def all_stall(w):
    """Nothing at all comes: that is the server's fault, and not each message's."""
    names = w.fill(12)
    keys = {"keep": "no", "max_tries": 1, "timeout": "1s"}
    for _ in range(2):
        run = w.run("--force", script="on RETR: hang", **keys)
        w.need(run.status in (65, 75), "exit status", run)
        w.later(minutes=6)
    w.need(w.status().count("held:") <= 4, "few messages are blamed", w.status())
    w.need("held: UIDL m012" not in w.status(), "and not the last one", w.status())
    w.run("--force", **keys)
    w.need(sum(w.stored()[n] for n in names) >= 8, "the others come at once", w.stored())
    for _ in range(3):
        w.later(days=7)
        w.run("--force", **keys)
    w.need_each(1, names, when="within weeks, by themselves")


def all_stall_beside_kept(w):
    """What an earlier run kept, and this one delivers, is no sign that the server is well."""
    names, agent = w.fill(12), heal.Agent(w)
    keys = {"keep": "no", "max_tries": 1, "timeout": "1s", "mda": agent}
    agent.does("exit 75")
    w.run("--force", max_messages=1, **keys)
    agent.does("")
    run = w.run("--force", script="on RETR: hang", **keys)
    agent.need_each(1, ["m001"], when="kept, and delivered by the next run")
    w.need(run.status in (65, 75) and w.status().count("held: ") <= 2, "few are blamed", run, w.status())
    w.later(days=7)
    w.run("--force", **keys)
    agent.need_each(1, names, when="once the server is well")


def bad_with_read_once(w):
    """The read-once server and a message that breaks the line: the others are not lost for it."""
    names = w.fill(6)
    w.always = "set read-once yes"
    for _ in range(3):
        w.run("--force", script=BAD["breaks the line"], keep="no", timeout="2s")
    w.run("--force", keep="no")
    w.need_all([n for n in names if n != "m003"])
    w.need_each(1, names)


# ---- what never ends -------------------------------------------------------------------------------

def endless_message(w):
    names = w.fill(3)
    run = w.run(script=BAD["never ends"], keep="no", timeout="5s")
    w.need(run.status in (65, 75), "exit status", run)
    most = max(c.nsent for c in run.conns)
    w.need(most < 24 * MB, "stopped at what LIST says plus a margin", "%d MB" % (most // MB))
    w.need_each(1, [n for n in names if n != "m003"])
    w.need_clean()


def longer_than_max_size(keep):
    """LIST says that it is short, and it is longer than max_size: it is held, and asked for again when
    the limit has changed, and not before."""
    def case(w):
        names = w.fill(3)
        w.put("m900", size=6000)
        keys = {"keep": keep, "max_size": "2K", "max_tries": 2}
        lie = "set size m900 500"
        for _ in range(2):
            run = w.run("--force", script=lie, **keys)
            w.need(run.status == 65 and "max_size" in run.err and "m900" in run.err, "named", run)
            w.need(max(c.nsent for c in run.conns) < 64 * 1024, "no more of it than that", run)
        w.need_each(1, names, when="the others")
        w.need("m900" in w.status() and w.is_holding(), "it is held", w.status())
        for _ in range(20):
            w.later(days=1)
            run = w.run(script=lie, **keys)
            w.need(run.status == 0 and not run.sent("RETR"), "not asked for below that limit", run)
        w.fine("--force", script=lie, **{**keys, "max_size": "20K"})
        w.need_each(1, names + ["m900"], when="with another limit")
        w.need(keep == "yes" or w.left() == [], "and deleted", w.left())
    return case


def longer_than_listed(w):
    """Somewhat longer than LIST says is no reason to stop: servers count so."""
    names = w.fill(2) + ["m900"]
    w.put("m900", size=600000)
    w.fine(script="set size m900 200000", keep="no")
    w.need_each(1, names)


def longer_than_its_stub(w):
    """LIST knows the 2 KB that an archive left of it, RETR brings the whole back: it comes."""
    names = w.fill(2) + ["m900"]
    w.put("m900", size=6 * MB)
    for _ in range(2):
        w.run("--force", script="set size m900 =2000", keep="no")
    w.need_each(1, names)
    w.need(w.left() == [], "deleted", w.left())


def peak_of(w, child):
    """The largest RssAnon of the program and its workers, in MB, sampled till it ends."""
    peak = 0
    while child.poll() is None:
        for pid in [child.pid, *below(child.pid)]:
            try:
                with open("/proc/%d/status" % pid) as f:
                    m = re.search(r"RssAnon:\s+(\d+)", f.read())
                peak = max(peak, int(m.group(1)) if m else 0)
            except OSError:
                pass
        time.sleep(0.01)
    return peak / 1024


def below(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def watched(w, *args, limit=120, **more):
    """A run, its status, its words, its memory in MB."""
    child = w.start(*args, **more)
    words = {}
    readers = [threading.Thread(target=lambda f=f, n=n: words.__setitem__(n, f.read()))
               for n, f in (("out", child.stdout), ("err", child.stderr))]
    for r in readers:
        r.start()
    timer = threading.Timer(limit, child.send_signal, (signal.SIGKILL,))
    timer.start()
    peak = peak_of(w, child)
    timer.cancel()
    for r in readers:
        r.join()
    w.need(child.returncode != -signal.SIGKILL, "it ended in %d s" % limit)
    w.server.settle(5)
    return child.returncode, words["err"].decode("latin-1"), peak


def endless_list(verb):
    def case(w):
        w.fill(2)
        seen = len(w.record())
        status, err, peak = watched(
            w, script='on %s "": send "+OK\\r\\n"; endless "%%d aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%%d\\r\\n"'
            % verb, session_timeout="30s")
        w.need(status not in (0, 70, 71), "exit status", status, err)
        w.need(peak < 40, "32 MB of memory", "%.1f MB" % peak)
        w.need(max(c.nsent for c in w.record()[seen:]) < 256 * MB, "it is left in time")
        w.need(w.run("--force").status == 0, "an honest server, later")
    return case


# ---- what comes empty or short ----------------------------------------------------------------------

def short_once(how, keep):
    """Not believed at first sight: it stays, and is asked for once more in a later poll."""
    def case(w):
        names = w.fill(3, size=4000)
        run = w.run(script="on RETR =m002: " + how, keep=keep)
        w.need_each(1, ["m001", "m003"], when="the others")
        w.need(run.status != 0, "this run has missed mail", run)
        w.need("m002" in w.left(), "it stays on the server", w.left())
        w.later(minutes=10)
        w.need(w.run(keep=keep).status == 0, "the next poll")
        w.need_each(1, names, when="asked for once more")
        w.need(keep == "yes" or w.left() == [], "and deleted", w.left())
    return case


def short_among_odd_sizes(w):
    """That sizes differ by a few octets each time is no reason to believe half a message."""
    odd = "set sizes-change yes\n"
    names = w.fill(4, size=4000)
    for _ in range(2):
        w.run(script=odd, keep="yes")
        w.later(minutes=10)
    for name in ("m005", "m006", "m007"):
        w.put(name, size=4000)
        names.append(name)
    run = w.run(script=odd + "on RETR =m006: short 120", keep="yes")
    w.need(run.status != 0, "this run has missed mail", run)
    w.need_each(1, [n for n in names if n != "m006"], when="half a message is not believed")
    w.later(minutes=10)
    w.need(w.run(script=odd, keep="yes").status == 0, "the next poll")
    w.need_each(1, names, when="asked for once more")


def short_always(how, stored, keep):
    """The same twice is believed: delivered and, where due, deleted."""
    def case(w):
        names = w.fill(3, size=4000)
        w.names[stored] = "short"
        for _ in range(2):
            w.run(script="on RETR =m002: " + how, keep=keep)
            w.later(minutes=10)
        w.need_each(1, ["m001", "m003", "short"], when="after two polls")
        w.need(w.left() == ([] if keep == "no" else names), "on the server", w.left())
        run = w.run(script="on RETR =m002: " + how, keep=keep)
        w.need(run.status == 0 and not run.sent("RETR"), "and that was it", run)
    return case


def all_come_empty(keep):
    """Three in a row that come empty: the server's store is away. Nothing is believed, however often."""
    def case(w):
        names = w.fill(12, size=4000)
        for _ in range(4):
            run = w.run("--force", script='on RETR: text "+OK\\r\\n.\\r\\n"', keep=keep, max_tries=2)
            w.need(run.status == 75, "75", run)
            w.need(len(run.err.splitlines()) <= 3, "it is not told for each message", run)
            w.need(not w.stored() and w.left() == names, "none is taken for what it is", w.left())
            w.later(minutes=10)
        w.need_nothing_held()
        run = w.run("--force", keep=keep, max_tries=2)
        w.need(run.status == 0, "an honest server", run)
        w.need_each(1, names, when="from it")
    return case


def half_away(count, keep, new_mail):
    """A part of the store is away, and each second message comes empty. That they alone are left for
    the next poll, or that mail comes in beside them, proves nothing."""
    def case(w):
        names = w.fill(count, size=4000)
        lost = names[1::2]
        lie = "\n".join("on RETR =%s: %s\non TOP =%s: %s" % (n, EMPTY, n, EMPTY) for n in lost)
        run = w.run(script=lie, keep=keep)
        w.need(run.status == 75, "missed mail", run)
        for turn in range(5):
            w.later(hours=4)
            if new_mail:
                names.append("new%d" % turn)
                w.put(names[-1], size=4000)
            run = w.run("--force", script=lie, keep=keep, max_tries=2)
            w.need(run.status == 75 and len(run.err.splitlines()) == 1, "75, in one line", turn, run)
            w.need_each(1, [n for n in names if n not in lost], when="what is there")
        w.need(set(lost) <= set(w.left()), "nothing else is deleted", w.left())
        for _ in range(3):
            w.later(days=1)
            w.run(keep=keep, max_tries=2)
        w.need_each(1, names, when="once all of it is back")
        w.need(keep == "yes" or w.left() == [], "deleted then", w.left())
        w.need_nothing_held()
    return case


def some_are_empty(w):
    """Many that are empty in truth come all the same, on the next day, if others do."""
    names = w.fill(10, size=4000)
    empty = names[2:8]
    lies = "\n".join('on RETR =%s: text "+OK\\r\\n.\\r\\n"' % n for n in empty)
    w.names[b""] = "empty"
    for i in range(6):
        w.put("new%d" % i)
        run = w.run("--force", script=lies, keep="no")
        w.later(hours=9)
    found = w.stored()
    w.need(run.status == 0 and found["empty"] == 6, "the same twice is believed", found, run)
    w.need(all(found[n] == 1 for n in names if n not in empty), "the others are there", found)
    w.need(w.left() == [], "deleted", w.left())


def empties(names):
    return "\n".join("on RETR =%s: %s" % (name, EMPTY) for name in names)


def empty_for_good(keep):
    """Three that are empty in truth, in a mailbox to which nothing else comes: they stop nothing for
    long, and are taken for what they are once other mail has come on two days."""
    def case(w):
        names = w.fill(5, size=4000)
        bad, good = names[2:], names[:2]
        lie = empties(bad)
        run = w.run(script=lie, keep=keep)
        w.need(run.status == 75 and len(run.err.splitlines()) == 1, "75, in one line", run)
        w.need_each(1, good)
        w.need(keep == "yes" or w.left() == bad, "the others are deleted all the same", w.left())
        for _ in range(5):
            w.later(hours=6)
            run = w.run(script=lie, keep=keep)
        w.need("held" in run.err and w.status().count("held: ") == 3, "held after a day", run, w.status())
        w.later(minutes=30)
        run = w.run(script=lie, keep=keep)
        w.need(run.status == 0 and run.sent("QUIT"), "they stop nothing any more", run)
        asked = 0
        for _ in range(14 * 8):
            w.later(hours=3)
            asked += len(w.run(script=lie, keep=keep).sent("RETR"))
        w.need(8 <= asked <= 30, "asked for at growing distances", asked)
        w.need_each(1, good, when="nothing is believed")
        w.names[b""] = "empty"
        for turn in range(3):
            w.put("new%d" % turn)
            run = w.run(script=lie, keep=keep)
            w.need(turn == 1 or len(run.sent("RETR")) == 4, "looked at beside other mail", run)
            w.need(w.stored()["empty"] == (3 if turn == 2 else 0), "believed on the second day", turn)
            w.later(hours=14)
        found = w.stored()
        w.need(all(found[n] == 1 for n in good + ["new0", "new1", "new2"]), "the others", found)
        w.need(keep == "yes" or w.left() == [], "deleted then", w.left())
        w.fine(script=lie, keep=keep)
    return case


def store_away(days, count, keep, how="", lines=1, **keys):
    """The store is away, and all mail looks empty in RETR and TOP: not one message is lost, and all
    come soon after it is back."""
    def case(w):
        away = how or "on RETR: %s\non TOP: %s" % (EMPTY, EMPTY)
        names = w.fill(count, size=4000)
        for hour in range(0, 24 * days, 3):
            run = w.run(script=away, keep=keep, max_tries=2, **keys)
            w.need(len(run.err.splitlines()) <= lines and not w.stored(), "nothing is believed",
                   hour, run)
            w.later(hours=3)
        w.need(w.left() == names, "nothing is deleted", w.left())
        for _ in range(4):
            w.run(keep=keep, max_tries=2, **keys)
            w.later(days=1)
        w.need_each(1, names, when="by themselves")
        w.need(keep == "yes" or w.left() == [], "deleted then", w.left())
        w.need_nothing_held()
    return case


def store_away_unlisted(w):
    """The same, and LIST calls each empty, too, or is refused."""
    for lie in ("\n".join("set size m%03d =0" % i for i in range(1, 7)), 'on LIST: err "no"'):
        for name in (w.state, w.maildir):
            heal.world.shutil.rmtree(name, True)
        w.at(2027)
        store_away(1, 6, "no", "%s\non RETR: %s\non TOP: %s" % (lie, EMPTY, EMPTY))(w)


def sizes_of_no_message(w):
    """LIST says that some are longer than any message, or any disk: they come, for LIST is wrong."""
    names = w.fill(5, size=4000)
    run = w.run(script="set size m002 =99999999999999\nset size m004 =999999999999999999", keep="no")
    w.need(run.status == 0, "no fault of theirs", run)
    w.need_each(1, names)
    w.need(w.left() == [], "deleted", w.left())


def store_away_and_new_mail(w):
    """As long as mail comes in, what is held for a store that was away comes with the next one."""
    away = "on RETR: %s\non TOP: %s" % (EMPTY, EMPTY)
    names = w.fill(9, size=4000)
    for day in range(9):
        w.run(script=away, keep="no", **{"max_messages": 3})
        names.append("new%d" % day)
        w.put(names[-1], size=4000)
        w.later(hours=13)
    w.need(w.is_holding() and not w.stored(), "some are held", w.status())
    w.run(keep="no")
    w.need_each(1, names, when="with the first run")


def words_and_new_mail(w):
    """What comes in while the store sends the same few words for each message is one of them."""
    names = w.fill(3, size=4000)
    for turn in range(16):
        w.run(script="on RETR: %s" % UNREADABLE, keep="no")
        w.need(not w.stored(), "nothing is believed", turn, w.stored())
        if turn % 5 == 4:
            names.append("new%d" % turn)
            w.put(names[-1], size=4000)
        w.later(hours=4)
    w.need(w.left() == sorted(names), "nothing is deleted", w.left())
    for _ in range(4):
        w.run(keep="no")
        w.later(days=1)
    w.need_each(1, names, when="once it is back")
    w.need_nothing_held()


def bodies_away(hours, keep, tail):
    """The bodies are away: each comes as its header and a few words. It is not believed for a day, and
    told once for each; all come once they are back."""
    def case(w):
        names = w.fill(8, size=4000)

        def retr(conn, event, arg):
            head = conn.find(arg).data().partition(b"\r\n\r\n")[0]
            return b"+OK\r\n" + head + b"\r\n\r\n" + tail(int(w.now())) + b".\r\n"
        for hour in range(hours):
            run = w.run("--force", script=[("RETR", retr)], keep=keep, max_tries=2)
            w.need(run.status == 75 and not w.stored() and w.left() == names, "nothing is believed", hour,
                   run, w.left())
            w.need(len(run.err.splitlines()) <= (8 if hour == 0 else 1), "told once", hour, run)
            w.later(hours=1)
        w.need_nothing_held()
        w.need(w.run("--force", keep=keep, max_tries=2).status == 0, "they are back")
        w.need_each(1, names)
        w.need(keep == "yes" or w.left() == [], "deleted then", w.left())
    return case


def list_says_too_much(lengths, keep):
    """LIST says more than twice too much of each, and some are of the same length: each comes one
    poll later, or after a day if nothing else comes."""
    def case(w):
        names = ["m%03d" % (i + 1) for i in range(len(lengths))]
        for name, length in zip(names, lengths):
            w.put(name, size=length)
        for _ in range(3):
            w.run(script="\n".join("set size %s =20000" % name for name in names), keep=keep)
            w.later(hours=13)
        w.need_each(1, names, when="after three polls, and a day")
        w.need(keep == "yes" or w.left() == [], "deleted", w.left())
        w.need_nothing_held()
    return case


def owed_no_quit(w):
    """A server that never shows again what it handed out before QUIT."""
    names = w.fill(2, size=4000)
    lie = 'set size m001 =0\non x1 RETR 1: %s\non RETR 2: sleep 2500' % EMPTY
    run = w.run(script="set read-once yes\n" + lie, keep="no", session_timeout="1s")
    w.need(len(run.sent("RETR")) == 2 and not run.sent("QUIT"), "what it showed is not given up",
           run, run.sent("RETR"), run.sent("QUIT"))
    w.later(hours=5)
    w.run("--force", script="set read-once yes", keep="no")
    w.need_each(1, names)


def empty_then_refused(w):
    """A refusal is the answer to what was asked for again, too: nothing keeps QUIT back."""
    w.put_raw("a000", b"")
    names, asked = w.fill(3), []

    def retr(conn, event, arg):
        asked.append(arg)
        return b"-ERR no such message\r\n" if len(asked) > 1 else None
    run = w.run(script=[("RETR 1", retr)], keep="no")
    w.need(len(asked) == 2 and run.sent("RETR")[-1] == "RETR 1", "asked for again after the rest", run,
           run.sent("RETR"))
    w.need(run.status == 65 and "a000" in run.err, "its refusal is told", run)
    w.need(run.sessions("QUIT")[0], "that session ends with QUIT", run)
    w.need_each(1, names)
    w.need(w.left() == ["a000"], "the others are deleted", w.left())


def store_goes_away_before_quit(w):
    """What was delivered, and not deleted yet, is not taken for another message since it looks empty."""
    names = w.fill(4, size=4000)
    w.run(script="on QUIT: reset", keep="no")
    w.need_each(1, names)
    for _ in range(4):
        w.later(hours=5)
        w.run("--force", script="on RETR: %s\non TOP: %s" % (EMPTY, EMPTY), keep="no")
    w.later(hours=5)
    w.need(w.run("--force", keep="no").status == 0, "an honest server")
    w.need_each(1, names, when="none twice")
    w.need(w.left() == [], "and deleted", w.left())


def empty_beside_a_limit(w):
    """Two a run, and all look empty: not taken for two that are empty in truth."""
    store_away(1, 8, "no", max_messages=2)(w)


def honest_empty(w):
    """A message that LIST calls empty, too, is believed at once."""
    w.put_raw("m001", b"")
    w.names[b""] = "m001"
    w.fine(keep="no")
    w.need_each(1, ["m001"])
    w.need(w.left() == [], "deleted", w.left())


# ---- many refusals ----------------------------------------------------------------------------------

def none_is_deleted(w):
    """A mailbox that is read-only for two days: one line, once a day, and new mail all the same."""
    names = w.fill(20)
    told = []
    for hour in range(0, 48, 2):
        if hour % 12 == 0:
            names.append("new%02d" % hour)
            w.put(names[-1])
        run = w.run(script='on DELE: err "mailbox is read-only"', keep="no")
        w.need(run.status == 75, "75", run)
        told += [hour] * len(run.err.splitlines())
        if hour == 0:
            w.need(re.search(r"will not delete 21 messages: \"mailbox is read-only\"", run.err), "all of "
                   "them are named by their number", run)
        w.later(hours=2)
    w.need(told in ([0, 24], [0, 22], [0, 24, 46]), "one line a day", told)
    w.need_each(1, names)
    retr = sum(v == "RETR" for conn in w.record() for v, _ in conn.commands)
    w.need(retr == len(names), "each is fetched once", retr)
    w.fine(keep="no")
    w.need(w.left() == [], "deleted once it can be", w.left())


def letters(number):
    """A word for each number, without digits: these refusals are not in the same words."""
    out = ""
    while number:
        number, digit = divmod(number, 26)
        out += chr(97 + digit)
    return out.encode()


def many_server(w, count):
    """So many messages that are refused, each in other words, and a good one behind them."""
    good = b"Subject: good\r\nMessage-ID: <good@example.org>\r\n\r\nhello\r\n"
    w.names[good.replace(b"\r\n", b"\n")] = "good"

    def lines(value):
        return b"+OK\r\n" + b"".join(b"%d %s\r\n" % (i, value(i)) for i in range(1, count + 2)) + b".\r\n"
    uidls, sizes = lines(lambda i: b"u%06d" % i), lines(lambda i: b"%d" % len(good))

    def retr(conn, event, arg):
        if int(arg) == count + 1:
            return b"+OK\r\n" + good + b".\r\n"
        return b"-ERR " + letters(int(arg) * 7919) + b" " + b"\xfe" * 200 + b"\r\n"
    return [("UIDL ", lambda *_: uidls), ("LIST ", lambda *_: sizes), ("RETR", retr),
            ("STAT", lambda *_: b"+OK %d %d\r\n" % (count + 1, (count + 1) * len(good))),
            ("TOP", lambda *_: b"-ERR\r\n"),
            ("UIDL [0-9]*", lambda c, e, arg: b"+OK %s u%06d\r\n" % (arg.encode(), int(arg)))]


def many_refusals(w):
    count = 100000 if os.environ.get("FP_LONG") else 20000
    status, err, peak = watched(w, script=many_server(w, count), session_timeout="10m", limit=600)
    w.need(status in (65, 75), "exit status", status, err[-300:])
    w.need(peak < 24, "they cost no memory", "%.1f MB" % peak)
    w.need_each(1, ["good"], when="the one behind them")
    w.need(w.status().count("u0") >= count * 0.9, "all are noted", w.status().count("u0"))


def many_refusals_killed(w):
    """Killed in the midst of them: what was found so far is noted."""
    child = w.start(script=many_server(w, 20000), session_timeout="10m", words=subprocess.DEVNULL)
    heal.wait_for(lambda: w.record() and len(w.record()[0].commands) > 15000, 60)
    heal.kill_tree(child.pid)
    child.communicate()
    w.server.settle(5)
    noted = w.status().count("u0")
    w.need(noted >= 5000, "thousands are noted", noted)


def session_cases():
    cases = []
    for name, text in heal.words.NOT_NOW:
        cases.append(("RETR after RETR refused, %s: 75, early, nothing counts" % name,
                      session_refuses(text, "no")))
    cases.append(("the same with keep = yes", session_refuses("service degraded", "yes")))
    cases.append(("the same without PIPELINING", session_refuses("service degraded", "no", "no")))
    cases.append(("the same words but for a number are the same words", numbered_words))
    cases.append(("a dozen a session: all there in the end, nothing held", refuses_behind_some("no")))
    cases.append(("the same with keep = yes", refuses_behind_some("yes")))
    for name, text in (("", "message is corrupt"), (" without a word", ""), (" by a number", "5017")):
        cases.append(("one refused%s among many is its own matter" % name, one_is_refused(text)))
    for text in ("[SYS/TEMP] not now", "[LOGIN-DELAY] later", "try again later"):
        cases.append(("one refused with %s: put off, never held" % text, one_is_put_off(text)))
    return cases


def agent_cases():
    anything = tuple(range(64, 79)) + (1,)
    cases = [("a command that exits %d for all: nothing held, told once a day, heals" % s,
              agent_is_broken(s, (s,) if 73 <= s <= 78 else anything, "no")) for s in (78, 77, 73, 1, 64)]
    cases.append(("the same with keep = yes", agent_is_broken(78, (78,), "yes")))
    cases.append(("one refused by a command among many is its own matter", one_refused_by_agent))
    cases.append(("a command that breaks in the midst: the rest comes after the repair",
                  agent_breaks_in_the_midst))
    return cases


def bad_cases():
    cases = [("one breaks the line, and then nothing is taken here", bad_and_trouble_here)]
    cases += [("one message %s, keep = %s: alone, last, named, held, heals" % (kind, keep),
               one_is_bad(kind, keep)) for kind in BAD for keep in ("no", "yes")]
    cases += [("the same, one %s, without PIPELINING" % k, one_is_bad(k, "yes", "set pipelining no"))
              for k in ("breaks the line", "is never answered")]
    cases += [("one %s, and no second login soon, keep = %s" % (kind, keep),
               bad_and_login_delay(kind, keep))
              for kind in ("breaks the line", "is never answered", "is not terminated")
              for keep in ("no", "yes")]
    cases += [("two that break the line: the others are there and deleted", two_are_bad),
              ("one that breaks the line and a server that shows mail once", bad_with_read_once)]
    return cases


UNREADABLE = ('text "+OK\\r\\nSubject: unreadable\\r\\n\\r\\n'
              'This message cannot be read just now.\\r\\n.\\r\\n"')
EMPTY = 'text "+OK\\r\\n.\\r\\n"'
HEAD = b"From: a@example.org\nMessage-ID: <m002@example.org>\nSubject: m002\n"

def doubted_ones_turn(refusal, keep):
    """Once broken, asked for on a connection behind the others: where there is only one in ten minutes."""
    def case(w):
        w.always = "set login-delay 600\nset login-delay-text \"%s\"" % refusal
        names = w.fill(5)
        runs = [w.run("--force", keep=keep, script="on x1 RETR =m003: close")]
        for k in range(6):
            names.append("n%03d" % k)
            w.put(names[-1])
            w.later(hours=1)
            runs.append(w.run("--force", keep=keep))
        w.need(w.stored()["m003"] == 1, "it came", [(r.status, r.err) for r in runs])
        w.later(hours=1)
        runs.append(w.run("--force", keep=keep))
        w.need_each(1, names)
        w.need(runs[-1].status == 0, "and in peace", [(r.status, r.err) for r in runs])
    return case


CASES = [
    *[("a server that lets nobody in twice, %s, keep = %s: the doubted one has its turn" % (text, keep),
       doubted_ones_turn(text, keep))
      for text in ("[IN-USE] locked", "[LOGIN-DELAY] wait") for keep in ("no", "yes")],
    *session_cases(), *agent_cases(), *bad_cases(),
    ("every message stalls: the server is blamed, and its mail comes when it is well", all_stall),
    ("every message stalls, and one that was kept is delivered: the server is blamed all the same",
     all_stall_beside_kept),
    ("a message without end stops near what LIST says", endless_message),
    ("three times as long as LIST says is taken", longer_than_listed),
    ("longer than max_size, and LIST says it is short, keep = no: held until the limit changes",
     longer_than_max_size("no")),
    ("the same with keep = yes", longer_than_max_size("yes")),
    ("one refused for ever, in [SYS/TEMP]: told once a day, held in the end",
     one_is_put_off_for_ever("[SYS/TEMP] cannot read that one")),
    ("one refused for ever, temporarily", one_is_put_off_for_ever("temporarily not available")),
    ("four are refused in the same words, and nothing else comes: held after a day",
     refused_alike_for_good),
    ("UIDL without end: bounded memory", endless_list("UIDL")),
    ("LIST without end: bounded memory", endless_list("LIST")),
    ("LIST knows the stub of a message, and the whole comes", longer_than_its_stub),
    ("empty once, keep = no: it stays, and comes with the next poll", short_once(EMPTY, "no")),
    ("empty once, keep = yes", short_once(EMPTY, "yes")),
    ("cut short once, keep = no", short_once("short 120", "no")),
    ("cut short once, keep = yes", short_once("short 120", "yes")),
    ("cut short once, on a server whose sizes change", short_among_odd_sizes),
    ("empty twice: delivered and deleted", short_always(EMPTY, b"", "no")),
    ("empty twice, keep = yes: delivered", short_always(EMPTY, b"", "yes")),
    ("cut short twice: delivered and deleted", short_always("short %d" % (len(HEAD) + 3), HEAD, "no")),
    ("all come empty, poll after poll, keep = no: 75, nothing is believed or deleted",
     all_come_empty("no")),
    ("all come empty, poll after poll, keep = yes", all_come_empty("yes")),
    ("three that are empty in truth, and nothing else, keep = no", empty_for_good("no")),
    ("three that are empty in truth, and nothing else, keep = yes", empty_for_good("yes")),
    ("three look empty for four days, keep = no: all come, none is lost", store_away(4, 3, "no")),
    ("three look empty for four days, keep = yes", store_away(4, 3, "yes")),
    ("thirty look empty for three days: all come, none is lost", store_away(3, 30, "no")),
    ("each is the same few words for two days: none is taken for a message",
     store_away(2, 7, "no", "on RETR: %s" % UNREADABLE)),
    ("four are the same few words for three days: the one that no row has is no message either",
     store_away(3, 4, "no", "on RETR: %s" % UNREADABLE)),
    ("each is the same few words, two a run: nothing is believed",
     store_away(1, 8, "no", "on RETR: %s" % UNREADABLE, lines=2, max_messages=2)),
    ("each is the same few words, and mail comes in: nor is that believed", words_and_new_mail),
    ("each comes without its body for twenty hours, keep = no: nothing is believed",
     bodies_away(20, "no", lambda _: b"[the text is not here]\r\n")),
    ("the same with keep = yes", bodies_away(20, "yes", lambda _: b"")),
    ("the same, and each time it is another length",
     bodies_away(20, "no", lambda now: b"x" * (now // 3600 % 50) + b"\r\n")),
    ("LIST says too much, the first three are as long, keep = no",
     list_says_too_much([100] * 3 + list(range(200, 900, 100)), "no")),
    ("LIST says too much, the first three are as long, keep = yes",
     list_says_too_much([100] * 3 + list(range(200, 900, 100)), "yes")),
    ("LIST says too much, five in the middle are as long",
     list_says_too_much([100, 200, 300] + [400] * 5 + [500, 600], "no")),
    ("LIST says too much, all are as long", list_says_too_much([300] * 12, "no")),
    ("shown empty once, and the session ends before it is asked for again: no QUIT", owed_no_quit),
    ("shown empty once, and refused when it is asked for again: QUIT, and the others are deleted",
     empty_then_refused),
    ("they look empty for a day, in LIST, too", store_away_unlisted),
    ("LIST says more than any disk has: it is not believed", sizes_of_no_message),
    ("they look empty for days while mail comes in: all come at once", store_away_and_new_mail),
    ("they look empty, two a run: nothing is believed", empty_beside_a_limit),
    ("delivered and not deleted, then all look empty: none comes twice", store_goes_away_before_quit),
    ("each second comes empty, and then they alone are left, keep = no", half_away(20, "no", False)),
    ("the same with keep = yes", half_away(20, "yes", False)),
    ("each second comes empty, and mail comes in beside them", half_away(8, "no", True)),
    ("six that are empty in truth come in time, since others do", some_are_empty),
    ("a message that is empty by LIST, too, is believed at once", honest_empty),
    ("DELE is refused for all: one line a day, new mail comes, all are deleted in the end",
     none_is_deleted),
    ("20,000 refusals in as many words: no memory, and the good one behind them", many_refusals),
    ("killed in the midst of many refusals: no progress is lost", many_refusals_killed),
]

if __name__ == "__main__":
    heal.main(CASES)
