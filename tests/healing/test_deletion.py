#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""When is it gone? A message is deleted on the server only for its own last delivery, and never for one
wrong look at the clock.
"""
import email.utils
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402


# ---- a delivery under way forbids it -----------------------------------------------------------------

def again_fails(first_keep, args, keep, end):
    """-a begins a delivery that does not work: the older one does not license a deletion."""
    def case(w):
        names, agent = w.fill(3), heal.Agent(w)
        w.run(keep=first_keep, mda=agent, script='on QUIT: err "no"' if first_keep == "no" else "")
        agent.need_each(1, names, when="first")
        agent.does(end)
        for _ in range(2):
            run = w.run("--force", *args, keep=keep, mda=agent)
            w.need(run.sent("DELE") == [], "no DELE while it is under way", run)
            w.need(w.left() == names, "all are on the server still", w.left())
        agent.does("")
        w.run("--force", keep=keep, mda=agent)
        w.run("--force", *[a for a in args if a != "-a"], keep=keep, mda=agent)
        agent.need_each(2, names, when="once more, and no more than that")
    return case


def asked_again(always, args, keep="yes", mid="", back=False):
    """What has to be fetched to be known as delivered is delivered again where that is asked for, and
    never deleted instead."""
    def case(w):
        w.always = always
        raw = {}
        for name in ("m001", "m002", "m003"):
            raw[name] = ("From: a@example.org\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nSubject: %s\n%s\n"
                         "body of %s\n" % (name, mid % name if mid else "", name)).encode()
            w.put_raw(name, raw[name])
        w.run(keep="no" if back else "yes")
        w.need_each(1, raw, when="first")
        if back:
            w.need(w.left() == [], "deleted", w.left())
            for name, data in raw.items():
                w.put_raw(name, data)
        w.later(days=1)
        run = w.run(*args, keep=keep)
        found = w.stored()
        wanted = ["m002"] if "--fetch" in args else list(raw)
        w.need(run.status == 0 and all(found[n] == 1 + (n in wanted) for n in raw), "delivered again",
               run, found)
        w.later(days=1)
        w.run(keep=keep)
        w.need(sum(w.stored().values()) == 3 + len(wanted), "once, and no more than that", w.stored())
    return case


def again_killed(w):
    """-a with keep = no, killed anywhere: what is deleted was delivered once more, or not begun."""
    point, step = 1, 1 if os.environ.get("FP_LONG") else 4
    while True:
        shutil.rmtree(w.state, True)
        shutil.rmtree(w.maildir, True)
        names = w.fill(3)
        w.run()
        ended = ended_before(w, point)
        for _ in range(2):
            w.run("--force", keep="no")
        found = w.stored()
        if not w.need(all(1 <= found[n] <= 2 for n in names), "killed at %d" % point, dict(found)):
            return
        if ended:
            return
        point += step


def ended_before(w, point):
    """-a -K under syscut; true if it came to its end before the point."""
    run = w.run("-a", "-K", before=(heal.syscut(), "--kill", str(point)), env=heal.traced(), keep="no")
    return run.status == 98


def nokeep_for_old(w):
    """-K deletes what this run fetched, not what was kept before."""
    names = w.fill(3)
    w.fine()
    w.put("m004")
    w.fine("-K")
    w.need(w.left() == names, "kept ones stay, the new one goes", w.left())


def keep_in_one_run(w):
    """-k fetched mail of keep = no is deleted by a later run, without being fetched again."""
    names = w.fill(3)
    run = w.fine("-k", keep="no")
    w.need(w.left() == names and not run.sent("DELE"), "-k deletes nothing", run)
    run = w.fine(keep="no")
    w.need(w.left() == [] and not run.sent("RETR"), "a later run does", w.left(), run)
    w.need_each(1, names)


def keep_in_one_run_and_liar(w):
    """The same on a server whose headers change."""
    w.always = "set header-changes yes"
    w.fill(3)
    w.fine("-k", keep="no")
    for _ in range(2):
        run = w.fine(keep="no")
        w.need(not run.sent("RETR"), "not fetched again", run)
    w.need(w.left() == [], "a later run deletes", w.left())


def keep_changed(w):
    names = w.fill(3)
    w.fine(keep="yes")
    w.put("m004")
    w.fine(keep="no")
    w.need(w.left() == names, "yes to no: those kept before stay", w.left())
    w.fine("-F", keep="no")
    w.need(w.left() == [], "-F deletes them", w.left())
    w.need_each(1, names + ["m004"])


def keep_changed_to_days(w):
    names = w.fill(3)
    w.at(2026, 11, 1)
    w.fine(keep="yes")
    for day in (2, 3, 4, 5):
        w.at(2026, 12, day)
        w.fine(keep="30d")
    w.need_each(1, names)
    w.need(w.left() == [], "yes to 30d: they are deleted when due", w.left())


# ---- keep = 30d and clocks ----------------------------------------------------------------------------

def two_days(w):
    names = w.fill(2)
    w.at(2026, 11, 1)
    w.fine(keep="30d")
    w.at(2026, 11, 30)
    w.fine(keep="30d")
    w.need(w.left() == names, "not before it is due", w.left())
    w.at(2026, 12, 2, 9)
    w.fine(keep="30d")
    w.at(2026, 12, 2, 15)
    w.fine(keep="30d")
    w.need(w.left() == names, "not on the first day that finds it due, however often", w.left())
    w.at(2026, 12, 3, 9)
    w.fine(keep="30d")
    w.need(w.left() == [], "on the second", w.left())
    w.need_each(1, names)


def jumped(seconds_of, check):
    """One run with a clock that is wrong."""
    def case(w):
        names = w.fill(3)
        w.at(2026, 11, 1)
        w.fine(keep="30d")
        seconds_of(w)
        run = w.run(keep="30d")
        w.need(w.left() == names, "one wrong look deletes nothing", w.left(), run)
        w.need("clock" in run.err, "a clock that jumped is said", run)
        w.at(2026, 11, 2)
        w.run(keep="30d")
        w.need(w.left() == names, "nor when it is right again", w.left())
        check(w, names)
        w.need_each(1, names)
    return case


def right_again(w, names):
    w.at(2026, 11, 20)
    w.run(keep="30d")
    w.need(w.left() == names, "19 days on it is still there", w.left())
    for day in (3, 4, 5):
        w.at(2026, 12, day)
        w.run(keep="30d")
    w.need(w.left() == [], "and deleted when it is due in truth", w.left())


def seen_in_future(w):
    """Mail first seen while the clock was ten years ahead ages once it is right."""
    w.at(2036, 11, 1)
    names = w.fill(2)
    w.run(keep="30d")
    w.at(2026, 11, 2)
    w.run(keep="30d")
    w.at(2026, 11, 25)
    w.run(keep="30d")
    w.need(w.left() == names, "23 days on it is still there", w.left())
    for day in (4, 5, 6):
        w.at(2026, 12, day)
        w.run(keep="30d")
    w.need(w.left() == [], "and deleted when it is due", w.left())
    w.need_each(1, names)


def seen_unset(year):
    """Mail first seen while the clock was not set."""
    def case(w):
        names = w.fill(2)
        w.at(year, 1, 1, 0)
        w.run(keep="30d")
        w.at(2027, 3, 1)
        w.run(keep="30d")
        w.at(2027, 3, 20)
        w.run(keep="30d")
        w.need(w.left() == names, "19 days after it was set it is still there", w.left())
        for day in (2, 3, 4):
            w.at(2027, 4, day)
            w.run(keep="30d")
        w.need(w.left() == [], "it ages from the day the clock was set", w.left())
        w.need_each(1, names)
    return case


def seen_early_this_year(w):
    """A board whose clock begins at a date that looks like one: not deleted a minute later."""
    names = w.fill(2)
    w.at(2026, 1, 5, 0)
    w.run(keep="30d")
    w.at(2026, 11, 1)
    for _ in range(3):
        w.run(keep="30d")
        w.later(minutes=5)
    w.need(w.left() == names, "not on the day that the clock jumped", w.left())


def forgetting_goes_on(w):
    """One run ten years ahead does not stop what is counted in days."""
    w.put("m001")
    w.at(2026, 3, 1)
    w.fine()
    w.at(2036, 3, 2)
    w.run()
    os.unlink(os.path.join(w.box, "m001"))
    for day in range(1, 36):
        w.at(2026, 3, 2)
        w.later(days=day)
        w.run()
    w.put("m001")
    run = w.run()
    w.need(run.sessions("RETR") == [["1"]], "what was not listed for 35 days is forgotten", run)


def due_and_liar(w):
    """Due on two days, on a server whose QUIT fails on the second: the third deletes."""
    names = w.fill(2)
    w.at(2026, 11, 1)
    w.fine(keep="30d")
    for day, script in ((2, ""), (3, 'on QUIT: err "no"'), (4, "")):
        w.at(2026, 12, day)
        w.run("--force", keep="30d", script=script)
    w.need(w.left() == [], "deleted", w.left())
    w.need_each(1, names)


# ---- rules that ask for an age -----------------------------------------------------------------------

OLD_DELETE = "    rule { older = 7d action = delete }\n"
OLD_LEAVE = "    rule { older = 7d action = leave }\n"
NEW_ONLY = "    rule { newer = 7d }\n    rule { action = leave }\n"
NEW_DELETE = "    rule { newer = 7d }\n    rule { action = delete }\n"


def put_of_today(w, *names):
    for name in names:
        date = email.utils.formatdate(w.now())
        w.put_raw(name, ("Date: %s\nMessage-ID: <%s@example.org>\n\n%s\n" % (date, name, name)).encode())
    return list(names)


def wrong_once(rules, wrong, script=""):
    """New mail, and one poll by a clock that is wrong: what age decides then is decided anew."""
    def case(w):
        w.always = script
        account = {"rules": rules, "allow_delete": "yes"}
        w.at(2026, 11, 9)
        w.run(**account)
        w.at(2026, 11, 10)
        names = put_of_today(w, "m001", "m002")
        w.at(*wrong)
        run = w.run(**account)
        w.need(run.sent("DELE") == [], "no DELE by a clock that is wrong", run)
        w.at(2026, 11, 10, 13)
        w.run(**account)
        names += put_of_today(w, "m003")
        for day in (10, 11, 12, 13):
            w.at(2026, 11, day, 15)
            w.run(**account)
        w.need_each(1, names, when="once the clock is right")
    return case


def old_mail_deleted(script=""):
    def case(w):
        w.always = script
        w.at(2026, 11, 1)
        put_of_today(w, "m001", "m002")
        w.at(2026, 11, 10)
        put_of_today(w, "m003")
        account = {"rules": OLD_DELETE, "allow_delete": "yes"}
        if script == "":
            shown = w.run("--dry-run", **account)
            w.need(shown.out.count("on another day") == 2, "--dry-run says when", shown)
        for minutes in (0, 5):
            w.later(minutes=minutes)
            run = w.fine(**account)
            w.need(len(w.left()) == 3, "not on the first day that finds it so", run)
        w.later(days=1)
        w.fine(**account)
        w.need(w.left() == ["m003"], "but on the second one", w.left())
        w.need_each(1, ["m003"])
    return case


def set_ahead(w):
    w.at(2036, 11, 1)


def set_back(w):
    w.at(2016, 11, 1)


def deleted_in_vain(w):
    """The server confirms each QUIT, and deletes nothing: that is told, but not each time."""
    names, told = w.fill(5), []
    for hour in range(0, 17 * 24, 12):
        run = w.run(script='on QUIT: ok "bye"; close', keep="no")
        w.need(run.status == 0, "no mail is missing", run)
        told += [hour] if "shows them again" in run.err else []
        w.need(bool(run.err) == (hour in told), "nothing else is said", run)
        w.later(hours=12)
    w.need(told in ([24, 192, 360], [36, 204, 372]), "after a day, then once a week", told)
    w.need_each(1, names)
    w.fine(keep="no")
    w.need(w.left() == [], "deleted once it does", w.left())
    w.put("new")
    w.fine(keep="no")


def cut_short(again):
    """Where LIST has been right to the octet, what comes with a third of it missing is asked for once
    more before it counts as the whole, and is deleted."""
    def case(w):
        names, cut = w.fill(10), "on RETR: short 1400"
        w.fine(keep="no")
        w.put("cut", size=2000)
        run = w.run(keep="no", script=cut)
        w.need(run.status == 75 and "shorter" in run.err, "that is told", run)
        w.need(w.left() == ["cut"] and not w.stored()["cut"], "and it stays", w.left())
        w.later(hours=1)
        w.fine(keep="no", script=cut if again else None)
        w.need(w.left() == [], "seen twice, or whole", w.left())
        if not again:
            w.need_each(1, [*names, "cut"])
    return case


def estimated_sizes(w):
    """A server whose LIST is an estimate: nothing is late for that."""
    names = w.fill(30)
    w.fine(keep="no", script="".join("set size m%03d +%d\n" % (i, i) for i in range(1, 31) if i % 3))
    w.need_each(1, names)
    w.need(w.left() == [], "all are deleted", w.left())


BARE = "set uidl no\nset top no"
MID = "Message-ID: <%s@example.org>\n"


def short_sessions(w):
    """A server that ends each session behind 150 commands: what is deleted is deleted in shares."""
    def count(conn, _event, _argument):
        conn.commands_seen = getattr(conn, "commands_seen", 0) + 1
        if conn.commands_seen > 150:
            conn.hang_up()
    w.always = "set pipelining yes"
    names = w.fill(200)
    for runs in range(1, 16):
        run = w.run("--force", keep="no", script=[("ANY", count)])
        w.later(hours=1)
        if not w.left():
            break
    w.need_each(1, names)
    w.need(w.left() == [], "all deleted", len(w.left()), runs, run)

def good_after_bad(w):
    """Deletions that three polls could not confirm are all carried out by the first one that can."""
    names = w.fill(180)
    for _ in range(3):
        w.run("--force", keep="no", script="on QUIT: close")
        w.later(hours=1)
    w.need(len(w.left()) == 180, "nothing is deleted by a session without QUIT", len(w.left()))
    run = w.run("--force", keep="no")
    w.need_each(1, names)
    w.need(run.status == 0 and w.left() == [], "all deleted", run, len(w.left()))


CASES = [
    ("sessions of 150 commands, keep = no: all is deleted", short_sessions),
    ("polls without QUIT, and a good one: all is deleted by that", good_after_bad),
    ("-a and keep = no, the command puts all off: nothing is deleted",
     again_fails("yes", ["-a"], "no", "exit 75")),
    ("-a -K, the command puts all off: nothing is deleted",
     again_fails("yes", ["-a", "-K"], "yes", "exit 75")),
    ("-a -F, the command puts all off: nothing is deleted",
     again_fails("yes", ["-a", "-F"], "yes", "exit 75")),
    ("-a and keep = no, the command is killed: nothing is deleted",
     again_fails("yes", ["-a"], "no", "kill -9 $$")),
    ("-a where a deletion was pending, the command puts all off: nothing is deleted",
     again_fails("no", ["-a"], "no", "exit 75")),
    ("-a without UIDL and TOP: delivered again", asked_again(BARE, ["-a"], mid=MID)),
    ("-a -F without UIDL and TOP: delivered again, not deleted", asked_again(BARE, ["-a", "-F"], mid=MID)),
    ("-a -F without UIDL and Message-ID: likewise", asked_again("set uidl no", ["-a", "-F"])),
    ("-a -F where sizes change, without TOP: likewise",
     asked_again("set sizes-change yes\nset top no", ["-a", "-F"], mid=MID)),
    ("-a, keep = no, of what was deleted and is back: delivered, then deleted",
     asked_again("", ["-a"], keep="no", mid=MID, back=True)),
    ("--fetch of what was deleted and is back, without Message-ID: delivered",
     asked_again("", ["--fetch", "m002", "w"], back=True)),
    ("the same, keep = no, without TOP: delivered, then deleted",
     asked_again("set top no", ["--fetch", "m002", "w"], keep="no", mid=MID, back=True)),
    ("-a -K killed anywhere: each is there once or twice, none lost", again_killed),
    ("-K deletes what this run fetched", nokeep_for_old),
    ("deletions that are confirmed, and in vain: told after a day, once a week", deleted_in_vain),
    ("a message that comes cut, where sizes are right: it comes whole", cut_short(False)),
    ("the same, and it is cut the next time, too", cut_short(True)),
    ("sizes that are estimates: no message is late", estimated_sizes),
    ("-k on keep = no: deleted by a later run, not fetched again", keep_in_one_run),
    ("the same on a server whose headers change", keep_in_one_run_and_liar),
    ("keep changed from yes to no: those kept before stay", keep_changed),
    ("keep changed from yes to 30d: deleted when due", keep_changed_to_days),
    ("keep = 30d deletes on the second day that finds it due", two_days),
    ("keep = 30d, a refused QUIT on that day: deleted on the next", due_and_liar),
    ("one run with a clock ten years ahead deletes nothing, and is said", jumped(set_ahead, right_again)),
    ("one run with a clock ten years behind deletes nothing, and is said",
     jumped(set_back, right_again)),
    ("mail first seen by a clock that was ahead is deleted when due", seen_in_future),
    ("mail first seen in 1970 ages from the day the clock was set", seen_unset(1970)),
    ("mail first seen in 2021 ages from the day the clock was set", seen_unset(2021)),
    ("mail first seen by a clock ten months behind is not deleted at once", seen_early_this_year),
    ("rules delete what is old on the second day that finds it so", old_mail_deleted()),
    ("the same without TOP", old_mail_deleted("set top no")),
    ("older = 7d delete, a clock 20 days ahead: nothing is lost", wrong_once(OLD_DELETE, (2026, 11, 30))),
    ("the same without TOP: nothing is lost", wrong_once(OLD_DELETE, (2026, 11, 30), "set top no")),
    ("older = 7d leave, a clock 20 days ahead: it comes", wrong_once(OLD_LEAVE, (2026, 11, 30))),
    ("newer = 7d alone, a clock 20 days ahead: it comes", wrong_once(NEW_ONLY, (2026, 11, 30))),
    ("newer = 7d alone, a clock in 1970: it comes", wrong_once(NEW_ONLY, (1970,))),
    ("newer = 7d, the rest deleted, a clock in 1970: nothing is lost", wrong_once(NEW_DELETE, (1970,))),
    ("one run ten years ahead: what is gone is still forgotten in 30 days", forgetting_goes_on),
]

if __name__ == "__main__":
    heal.main(CASES)
