#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Which message is this? UIDL first; a fingerprint may tell two messages apart, and makes one of two
only where there can be no doubt. In doubt it is fetched again, and that is said.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402

MB = 1 << 20
DATE = "Date: Mon, 2 Nov 2026 10:00:00 +0000\n"


def mail(subject, body, message_id=None, extra="", date=DATE):
    return ("From: cron@example.org\nSubject: %s\n%s%s%s\n%s\n" % (
        subject, date, "Message-ID: <%s@example.org>\n" % message_id if message_id else "", extra,
        body)).encode()


def subjects(w):
    """How often each body is stored; headers may differ from answer to answer."""
    found = {}
    for data in w.contents():
        body = data.split(b"\n\n", 1)[1].split(b"\n")[0].decode()
        found[body] = found.get(body, 0) + 1
    return found


def need_bodies(w, wanted, when):
    found = subjects(w)
    w.need(found == wanted, "stored %s" % when, found)


def fill_bodies(w, count=6, message_id=True):
    for i in range(1, count + 1):
        w.put_raw("m%03d" % i, mail("m%03d" % i, "body %d" % i, "m%d" % i if message_id else None))
    return {"body %d" % i: 1 for i in range(1, count + 1)}


# ---- servers that do not answer twice alike ----------------------------------------------------------

LIARS = {
    "TOP lacks a line that RETR has": 'set retr-adds "X-Spam: no"',
    "TOP lacks Message-ID and Date": 'set retr-adds "X-Original-ID: <1@example.org>"',
    "each answer has another header": "set header-changes yes",
    "each list has other sizes": "set sizes-change yes",
    "headers and sizes change": "set header-changes yes\nset sizes-change yes",
    "there is no TOP": "set top no\nset header-changes yes",
}


def kept_thirty_days(liar, message_id):
    """Each once, and deleted when it is due, by UIDL."""
    def case(w):
        w.always = LIARS[liar]
        wanted = fill_bodies(w, message_id=message_id)
        for day in (0, 1, 15, 29):
            w.at(2026, 11, 1 + day)
            w.fine(keep="30d")
        need_bodies(w, wanted, "before it is due")
        w.need(len(w.left()) == 6, "still on the server", w.left())
        for day in (2, 3, 4, 5):
            w.at(2026, 12, day)
            w.fine(keep="30d")
        need_bodies(w, wanted, "when it was due")
        w.need(w.left() == [], "deleted", w.left())
    return case


def failed_then_without_uidl(always):
    """It failed under its UIDL, came in a poll that was told none, and is known when UIDLs are back."""
    def case(w):
        w.always = always
        wanted = fill_bodies(w)
        w.run(script="on RETR =m003: err corrupt", keep="yes")
        w.later(hours=1)
        w.run("--force", script='on UIDL "": err "not now"', keep="yes")
        for _ in range(4):
            w.later(hours=13)
            run = w.run("--force", keep="yes")
        need_bodies(w, wanted, "each once")
        w.need(run.status == 0 and not run.sent("RETR"), "in the end, nothing is fetched again", run)
    return case


def without_any_identity(w):
    """No UIDL, and another header in each answer: once a poll, and not again and again in one."""
    w.always = "set header-changes yes"
    fill_bodies(w)
    run = w.run(script='on UIDL "": err "not now"', keep="yes")
    w.need(len(run.sent("RETR")) == 6, "each is fetched once in a poll", len(run.sent("RETR")), run.status)
    w.need(len(run.conns) <= 2, "connections", len(run.conns))


def known_once_fetched(always, count=2):
    """Its UIDL does not tell, and no Message-ID: until it is fetched it looks as if it were missing."""
    def case(w):
        w.always = always
        wanted = fill_bodies(w, count, message_id=False)
        for _ in range(34):
            w.fine("--force")
            w.later(days=1)
        need_bodies(w, wanted, "after 34 days")
    return case


def kept_thirty_days_without_uidl(always, message_id):
    """Known once it was fetched: by then it may be due."""
    def case(w):
        w.always = always
        wanted = fill_bodies(w, message_id=message_id)
        for month, day in ((11, 1), (11, 29)):
            w.at(2026, month, day)
            w.fine("--force", keep="30d")
        w.need(len(w.left()) == 6, "still on the server", w.left())
        for day in (2, 3, 4):
            w.at(2026, 12, day)
            w.fine("--force", keep="30d")
            w.need(day > 2 or len(w.left()) == 6, "one look at the clock deletes nothing", w.left())
        need_bodies(w, wanted, "each once")
        w.need(w.left() == [], "deleted", w.left())
    return case


def left_without_uidl(w):
    """What a rule leaves is known by its header: the journal does not grow by it in each poll."""
    w.always = "set uidl no"
    fill_bodies(w, 3, message_id=False)
    for _ in range(6):
        w.fine("--force", rules="    rule { subject = 'm*' action = leave }\n")
        w.later(hours=1)
    w.need(len(w.entries()) == 3, "entries of three messages", len(w.entries()))
    w.fine("--force")
    need_bodies(w, {"body %d" % i: 1 for i in (1, 2, 3)}, "without the rule")


def kept_for_ever(liar, message_id):
    def case(w):
        w.always = LIARS[liar]
        wanted = fill_bodies(w, message_id=message_id)
        for _ in range(5):
            w.fine()
            w.later(days=1)
        w.put_raw("m900", mail("new", "body 900", "m900"))
        w.fine()
        need_bodies(w, {**wanted, "body 900": 1}, "after six polls")
    return case


def flushed(liar, message_id):
    def case(w):
        w.always = LIARS[liar]
        wanted = fill_bodies(w, message_id=message_id)
        w.fine()
        for _ in range(3):
            w.fine("-F")
        need_bodies(w, wanted, "after -F")
        w.need(w.left() == [], "deleted", w.left())
    return case


def quit_refused(liar, message_id):
    def case(w):
        w.always = LIARS[liar]
        wanted = fill_bodies(w, message_id=message_id)
        w.run(keep="no", script='on QUIT: err "no"')
        need_bodies(w, wanted, "after a refused QUIT")
        for _ in range(3):
            w.run("--force", keep="no")
        need_bodies(w, wanted, "later")
        w.need(w.left() == [], "deleted", w.left())
    return case


def sizes_are(text):
    """Size 0 or unknown equals any."""
    def case(w):
        wanted = fill_bodies(w, message_id=False)
        lie = "\n".join("set size %d %s" % (i, text) for i in range(1, 7))
        w.fine()
        for _ in range(2):
            w.run("--force", script=lie)
            w.run("--force")
        need_bodies(w, wanted, "sizes in one poll and none in the next")
        w.run("-F", "--force", script=lie)
        w.run("-F", "--force")
        w.need(w.left() == [], "-F deletes them", w.left())
        need_bodies(w, wanted, "in the end")
    return case


# ---- look-alikes -----------------------------------------------------------------------------------

def twins_all_come(message_id):
    """The same header, other bodies, other UIDLs: all are fetched."""
    def case(w):
        for i in range(1, 6):
            w.put_raw("m%03d" % i, mail("backup done", "run %d" % i, message_id))
            w.fine()
        need_bodies(w, {"run %d" % i: 1 for i in range(1, 6)}, "twins")
    return case


def renumbered(w, shift=100):
    """The server gives new UIDLs to all: a rebuilt index."""
    for name in sorted(n for n in os.listdir(w.box) if not n.startswith(".")):
        os.rename(os.path.join(w.box, name), os.path.join(w.box, "z%03d" % (int(name[1:]) + shift)))


def rebuilt(message_id, extra_changes=False):
    """All UIDLs change, and a look-alike has come meanwhile: it is not lost."""
    def case(w):
        for i in range(1, 7):
            w.put_raw("m%03d" % i, mail("backup done", "run %d" % i,
                                        "same" if message_id == "same" else message_id and "m%d" % i))
        w.fine()
        renumbered(w)
        w.put_raw("z200", mail("backup done", "run 7", "same" if message_id == "same" else None))
        w.later(days=1)
        run = w.run()
        found = subjects(w)
        w.need(all(found.get("run %d" % i) for i in range(1, 8)), "none is lost", found, run)
        again = sum(found.values()) - 7
        w.need(again <= 6, "at most once more", found)
        w.need(not again or run.said.strip(), "a duplicate is announced, off a terminal, too", run)
        w.fine()
        w.need(subjects(w) == found, "and then no more", subjects(w))
    return case


def rebuilt_keep_no(w):
    """Deliveries whose DELE was lost, new UIDLs, and a look-alike: it is not deleted unread."""
    for i in range(1, 7):
        w.put_raw("m%03d" % i, mail("backup done", "run %d" % i))
    w.run(keep="no", script='on QUIT: err "no"')
    renumbered(w)
    w.put_raw("z200", mail("backup done", "run 7"))
    w.later(days=1)
    for _ in range(3):
        w.run("--force", keep="no")
    found = subjects(w)
    w.need(all(found.get("run %d" % i) for i in range(1, 8)), "none is lost", found)


def moved_server(touched):
    """All UIDLs change, each message has its Message-ID and Date: nothing is fetched again, even where
    the new server writes fields of its own."""
    def case(w):
        wanted = fill_bodies(w, 8)
        w.fine()
        for name in sorted(os.listdir(w.box)):
            path = os.path.join(w.box, name)
            with open(path, "rb") as f:
                data = f.read()
            with open(path, "wb") as f:
                f.write(touched + data)
        renumbered(w)
        w.later(days=1)
        run = w.run()
        w.need(run.status == 0, "exit status", run)
        need_bodies(w, wanted, "on the new server")
        w.put_raw("z900", mail("new", "body 900", "m900"))
        w.run()
        need_bodies(w, {**wanted, "body 900": 1}, "and what is new")
    return case


def another_field(field, other):
    """New UIDLs, the same Message-ID, but a field differs: another message."""
    def case(w):
        old = {"extra": "X-Mailer: one\n", "date": DATE}
        for i in range(1, 7):
            w.put_raw("m%03d" % i, mail("subject %d" % i, "body %d" % i, "m%d" % i, **old))
        w.fine()
        for i in range(1, 7):
            os.unlink(os.path.join(w.box, "m%03d" % i))
            w.put_raw("z%03d" % i, mail("subject %d" % i, "other %d" % i, "m%d" % i,
                                        **{**old, field: other}))
        w.later(days=1)
        w.run()
        found = subjects(w)
        w.need(all(found.get("other %d" % i) for i in range(1, 7)), "each is fetched", found)
    return case


def uidl_of_another(keep):
    """A known UIDL is given to another message: it is fetched, and not deleted unread."""
    def case(w):
        w.put_raw("m001", mail("first", "body 1", "m1"))
        w.put_raw("m002", mail("second", "body 2", "m2"))
        w.run(keep=keep, script='on QUIT: err "no"' if keep == "no" else "")
        w.put_raw("m001", mail("another", "body 3 is much longer than the first one was", "m3"))
        for _ in range(2):
            w.later(days=1)
            w.run("--force", keep=keep)
        found = subjects(w)
        w.need(found == {"body 1": 1, "body 2": 1,
                         "body 3 is much longer than the first one was": 1}, "all three", found)
        w.need(w.left() == ([] if keep == "no" else ["m001", "m002"]), "on the server", w.left())
    return case


def single_look_alike(keep):
    """One with its header comes, of another length, after the only one we know has gone."""
    def case(w):
        w.put_raw("m001", mail("invoice", "body 1", "m1"))
        w.run(keep=keep, script="on QUIT: do; close" if keep == "no" else "")
        if keep == "yes":
            os.unlink(os.path.join(w.box, "m001"))
        w.put_raw("m002", mail("invoice", "body 2, which is of another length", "m1"))
        for _ in range(2):
            w.later(hours=2)
            w.run("--force", keep=keep)
        need_bodies(w, {"body 1": 1, "body 2, which is of another length": 1}, "in the end")
    return case


def deleted_without_uidl(what):
    """No UIDL, keep = no. What was deleted is no reason to delete one that looks like it."""
    first, second = {
        "alert": (mail("full", "look", date=""), mail("full", "look", date="")),
        "copy": (mail("hello", "to both", "m1", extra="Delivered-To: alice@example.org\n"),
                 mail("hello", "to both", "m1", extra="Delivered-To: bob@example.org\n"))}[what]

    def case(w):
        w.always = "set uidl no"
        for data, name in ((first, "m001"), (None, ""), (second, "m002")):
            if data is not None:
                w.put_raw(name, data)
            w.fine("--force", keep="no")
            w.later(days=1)
        w.need(sum(subjects(w).values()) == 2, "both are delivered", subjects(w))
        w.need(w.left() == [], "and deleted", w.left())
    return case


def list_copy(keep):
    """The direct copy has gone; the list's, with its Message-ID and Date, gets its UIDL."""
    def case(w):
        w.always = "set uidl 1 one"
        w.put_raw("m001", mail("hello", "to you", "x1"))
        w.run(keep=keep, script="on QUIT: do; close" if keep == "no" else "")
        if keep == "yes":
            os.unlink(os.path.join(w.box, "m001"))
        w.put_raw("m002", mail("[list] hello", "to the list, with a footer", "x1",
                               extra="List-Id: <l.example.org>\n"))
        for _ in range(3):
            w.later(hours=2)
            w.run("--force", keep=keep)
        need_bodies(w, {"to you": 1, "to the list, with a footer": 1}, "each once")
        w.need(w.left() == ([] if keep == "no" else ["m002"]), "on the server", w.left())
    return case


LARGE = "    rule { larger = 10K action = %s }\n"
NUMBERS = "set uidl 1 one\n"
FIRST = {
    "kept here": (200, "", {}),
    "left by a rule": (20000, "", {"rules": LARGE % "leave"}),
    "given as a stub": (20000, "", {"rules": LARGE % "stub"}),
    "held for its length": (6000, "set size m001 500", {"max_size": "2K", "max_tries": 2}),
}


def uidl_of_one_that_waits(what):
    """The server uses its UIDL, a number, for another message, of another size."""
    def case(w):
        size, script, keys = FIRST[what]
        agent = heal.Agent(w)
        w.put_raw("m001", mail("first", "body 1\n" + "x" * 70 + ("\n" + "x" * 70) * (size // 71), "m1"))
        agent.does("exit 75" if what == "kept here" else "")
        for _ in range(3):
            w.run("--force", mda=agent, script=NUMBERS + script, **keys)
        os.unlink(os.path.join(w.box, "m001"))
        w.put_raw("m002", mail("second", "body 2", "m2"))
        for _ in range(3):      # the first of them has what is kept here still
            w.later(hours=2)
            w.run("--force", mda=agent, script=NUMBERS, **keys)
            agent.does("")
        found = [data.split(b"\n\n")[1].strip() for data in agent.contents()]
        w.need(found.count(b"body 2") == 1, "the other message is delivered", found, w.status(**keys))
    return case


def mailbox_of_another(what):
    """user = alice becomes user = bob; each mailbox numbers its messages, and the sizes agree."""
    def case(w):
        w.server_options = {"users": {"bob": ("secret", w.path("bob"))}}
        os.mkdir(w.path("bob"))
        agent = heal.Agent(w)
        agent.does("exit 75" if what == "kept" else "")
        keys = {"mda": agent, "script": NUMBERS}
        if what == "left":
            keys["rules"] = "    rule { subject = alpha action = leave }\n"
        w.put_raw("m001", mail("alpha", "body 1", "m1"))
        w.run(**keys)
        with open(os.path.join(w.path("bob"), "x001"), "wb") as f:
            f.write(mail("omega", "body 2", "m2"))
        for _ in range(3):
            w.later(days=1)
            w.run("--force", user="bob", **keys)
            agent.does("")
        found = [data.split(b"\n\n")[1].strip() for data in agent.contents()]
        w.need(found.count(b"body 2") == 1, "bob's is delivered", found)
        w.need(found.count(b"body 1") == (what == "kept"), "and alice's, if it was here", found)
    return case


# ---- one UIDL for several, while headers change ------------------------------------------------------

ONE = "\nset uidl m001 one\nset uidl m002 one"


def replace(w, old, new, body, message_id):
    os.unlink(os.path.join(w.box, old))
    w.put_raw(new, mail("m", body, message_id))


def uidl_of_two(liar, message_id):
    """The UIDL was one message's and is another's: both came, and neither comes again."""
    def case(w):
        w.always = LIARS[liar] + ONE
        w.put_raw("m001", mail("m", "body 1", message_id and "m1"))
        w.fine("--force")
        replace(w, "m001", "m002", "body 2 is longer", message_id and "m2")
        for _ in range(4):
            w.later(hours=2)
            run = w.fine("--force")
        need_bodies(w, {"body 1": 1, "body 2 is longer": 1}, "after five polls")
        w.need(not message_id or not run.sent("RETR"), "nothing is fetched to be known", run.sent("RETR"))
    return case


def uidl_of_twins(liar):
    """Two messages at once have it."""
    def case(w):
        w.always = LIARS[liar] + ONE
        wanted = fill_bodies(w, 2)
        for _ in range(4):
            w.fine("--force")
            w.later(hours=2)
        need_bodies(w, wanted, "after four polls")
    return case


def twins_of_no_name(w):
    """And no Message-ID, and headers that change: once a poll, and not again and again in one."""
    w.always = LIARS["each answer has another header"] + ONE
    fill_bodies(w, 2, message_id=False)
    run = w.run()
    w.need(len(run.sent("RETR")) <= 4, "each is fetched once in a poll", len(run.sent("RETR")))


def uidl_of_another_where_headers_change(liar, how, message_id=True):
    """That its headers change, or those of TOP are not RETR's, makes the server's UIDLs no better."""
    def case(w):
        w.always = LIARS[liar] + ONE
        wanted = {"first %d" % i: 1 for i in range(4)}
        for i in range(4):
            w.put_raw("a%d" % i, mail("a", "first %d" % i))
        for script in ('on QUIT: err "no"', ""):
            w.run("--force", script=script, keep="no")
        w.need(w.left() == [], "all are fetched and deleted", w.left())
        w.put_raw("m001", mail("m", "body 5", message_id and "m5"))
        w.fine("--force")
        replace(w, "m001", "m002", "body 6" + " is longer" * (how == "size"), message_id and "m6")
        for args in ((), ("-F",)) if how == "size" else (("-F",), ("-F",)):
            w.later(hours=2)
            run = w.run("--force", *args)
        found = subjects(w)
        w.need(sum(found.values()) == 6 and all(found.get(b) == 1 for b in wanted), "each came once",
               found, run)
        w.need(w.left() == [], "and was deleted", w.left())
    return case


# ---- what nobody can name ----------------------------------------------------------------------------

def unnamed_breaks(always, how, message_id=False):
    """The first message breaks the connection each time: the others come all the same."""
    def case(w):
        w.always = "set uidl no\n" + always
        wanted = fill_bodies(w, 5, message_id=message_id)
        del wanted["body 1"]
        for _ in range(3):
            run = w.run("--force", script="on RETR =m001: " + how, timeout="4s", max_tries=2)
            w.need(run.status == 65 and "message 1" in run.err or w.status().count("1 held"), "it is told", run)
            w.later(hours=1)
        found = subjects(w)
        w.need(set(found) == set(wanted), "in three polls", found)
        w.need("changes" in always or found == wanted, "each once", found)
        w.later(days=9)
        w.run("--force")
        w.need(subjects(w).get("body 1") == 1, "and this one, once it is well", subjects(w))
    return case


def compared_breaks(w):
    """One that is known has another size, and breaks the connection when it is looked at."""
    wanted = fill_bodies(w, 3, message_id=False)
    w.fine()
    w.put_raw("m001", mail("changed", "body 1 has changed"))
    w.put_raw("m900", mail("m900", "body 900", "m900"))
    run = w.run("--force", script="on RETR =m001: close")
    need_bodies(w, {**wanted, "body 900": 1}, "new mail comes")
    w.need(run.status == 65 and run.err.count("m001") == 1, "it is told, once", run)


# ---- TOP -------------------------------------------------------------------------------------------

def big_box(w, size):
    w.put_raw("big", mail("big", "big " + ("x" * 70 + "\n") * (size // 71), "big"))
    w.put_raw("m001", mail("m001", "body 1", "m1"))


def top_is_whole(how, habit="set top-whole yes"):
    """TOP sends 24 MB, or has no end: that message's print is unknown, and new mail comes."""
    def case(w):
        w.always = habit
        w.at(2026, 11, 1)
        big_box(w, 24 * MB)
        keys = {"keep": {"due": "30d", "flush": "yes", "refused QUIT": "no"}[how], "timeout": "5s"}
        args = ["-F"] if how == "flush" else []
        w.run(**keys, script='on QUIT: err "no"' if how == "refused QUIT" else "")
        for i in (2, 3, 4):
            w.put_raw("m%03d" % i, mail("m", "body %d" % i, "m%d" % i))
            w.at(2026, 12, i)
            run = w.run("--force", *args, **keys)
            w.need(run.status in (0, 65), "exit status", run)
            w.need(subjects(w).get("body %d" % i) == 1, "new mail comes", subjects(w), run)
        w.need(sum(subjects(w).values()) == 5, "nothing is twice", subjects(w))
    return case


def top_one_endless(w):
    w.always = 'on TOP: send "+OK\\r\\nSubject: x\\r\\n\\r\\n"; endless "more\\r\\n"'
    w.at(2026, 11, 1)
    wanted = fill_bodies(w)
    w.run(keep="30d", timeout="5s")
    w.put_raw("m900", mail("new", "body 900", "m900"))
    w.at(2026, 12, 2)
    seen = len(w.record())
    run = w.run("--force", keep="30d", timeout="5s")
    need_bodies(w, {**wanted, "body 900": 1}, "with a TOP that has no end")
    w.need(run.status in (0, 65), "exit status", run)
    sent = sum(c.nsent for c in w.record()[seen:])
    w.need(sent < 256 * MB, "within a bound", "%d MB" % (sent // MB))


def top_breaks_once(w):
    """One connection ends over TOP: for a day it is not asked for, and then it is again."""
    wanted = fill_bodies(w)
    w.fine()
    for day, script, asked in ((0, "on TOP: close", True), (0, "", False), (2, "", True)):
        w.later(days=day)
        w.put_raw("n%d%d" % (day, asked), mail("m", "body %d%d" % (day, asked), "n%d%d" % (day, asked)))
        wanted["body %d%d" % (day, asked)] = 1
        run = w.run("-F", "--force", script=script)
        w.need(run.status == 0 and bool(run.sent("TOP")) == asked, "TOP is asked for: %s" % asked, run)
        need_bodies(w, wanted, "after that")


def store_stands_in(action):
    """The server's store is away, and TOP and RETR show the same few words for each message: no rule
    judges by those, and all come when it is back."""
    def case(w):
        rules = "    allow_delete = yes\n    rule { not_from = '*@example.org' action = %s }\n" % action
        names = w.fill(5, size=900)
        words = '"From: server@example.com" "Subject: not to be read" ""'
        for limit in (2, None):
            run = w.run("--force", rules=rules, keep="no", max_messages=limit,
                        script="on TOP: lines %s\non RETR: lines %s sorry" % (words, words))
            w.need(run.status == 75 and not w.stored(), "nothing is believed", run, w.stored())
        w.need(w.left() == names, "nothing is deleted", w.left())
        w.run("--force", rules=rules, keep="no")
        w.need_each(1, names, when="then")
    return case


# ---- questions about one message ---------------------------------------------------------------------

def question_hangs_up(how, **keys):
    """It ends the connection; without LIST each message is in doubt until it is asked."""
    def case(w):
        names = w.fill(30)
        runs = [w.run("--force", script=how, keep="no", **keys) for _ in range(2)]
        w.need(runs[1].status == 0, "exit status of the second run", *runs)
        w.need(len(runs[0].sent("UIDL")) + len(runs[0].sent("LIST")) < 20, "it is not asked again", runs[0])
        w.need(not [c for c in runs[1].commands if c.startswith("UIDL ")], "nor by the next run", runs[1])
        w.need_each(1, names)
        w.need(w.left() == [], "left on the server", w.left())
    return case


def liars():
    cases = []
    for name in LIARS:
        for message_id, what in ((True, ""), (False, ", no Message-ID")):
            cases += [("%s%s, keep = 30d: each once, deleted when due" % (name, what),
                       kept_thirty_days(name, message_id)),
                      ("%s%s, keep = yes: each once" % (name, what), kept_for_ever(name, message_id)),
                      ("%s%s, -F: each once, deleted" % (name, what), flushed(name, message_id)),
                      ("%s%s, QUIT refused: each once, deleted" % (name, what),
                       quit_refused(name, message_id))]
    return cases


def limited_and_unknown(always, per_run, *args, keep="yes", **limits):
    """What has to be fetched to be known counts for no limit: each run brings as many new ones."""
    def case(w):
        w.always = always
        for i in range(12):
            mid = "" if "top" not in always else "Message-ID: <%d@example.org>\n" % i
            w.put_raw("m%03d" % i, ("From: a@example.org\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nSubject: %d\n%s"
                                    "\nbody %d\n" % (i + 100, mid, i + 100)).encode())
        for turn in range(1, 5):
            w.fine(*args, keep=keep, **limits)
            got = sum(w.stored().values())
            w.need(got == min(12, per_run * turn), "so many in each run", turn, got)
            w.later(hours=1)
        w.need_each(1, ["m%03d" % i for i in range(12)])
    return case


SHIFTY = ("each answer has another header", "TOP lacks a line that RETR has")

CASES = [
    ("no UIDL, no TOP, and max_messages: each run brings as many new ones",
     limited_and_unknown("set uidl no\nset top no", 3, max_messages=3)),
    ("no UIDL, no Message-ID, and max_messages: likewise",
     limited_and_unknown("set uidl no", 3, max_messages=3)),
    ("no UIDL, no Message-ID, and -B: likewise", limited_and_unknown("set uidl no", 3, "-B", "3")),
    ("no UIDL, no Message-ID, and max_bytes: likewise", limited_and_unknown("set uidl no", 3, max_bytes=300)),
    ("DELE does nothing, no Message-ID, and max_messages: likewise",
     limited_and_unknown("on DELE: ok", 3, keep="no", max_messages=3)),
    *liars(),
    ("no UIDL and other headers each time: once in a poll", without_any_identity),
    ("failed, fetched while UIDL is refused, and known when it is back", failed_then_without_uidl("")),
    ("the same on a server whose TOP is not RETR",
     failed_then_without_uidl(LIARS["TOP lacks a line that RETR has"])),
    ("no UIDL and no Message-ID: fetched to be known, and not forgotten", known_once_fetched("set uidl no")),
    ("one UIDL listed twice, no Message-ID: not forgotten",
     known_once_fetched("set uidl 1 one\nset uidl 2 one")),
    ("no UIDL and no Message-ID, keep = 30d: deleted when due",
     kept_thirty_days_without_uidl("set uidl no", False)),
    ("no UIDL and no TOP, keep = 30d: deleted when due",
     kept_thirty_days_without_uidl("set uidl no\nset top no", True)),
    ("no UIDL and no Message-ID, left by a rule: one entry each", left_without_uidl),
    ("size 0 equals any", sizes_are("=0")),
    ("an unknown size equals any", sizes_are("=?")),
    ("look-alikes without Message-ID under UIDLs of their own all come", twins_all_come(None)),
    ("look-alikes with one Message-ID all come", twins_all_come("same")),
    ("all UIDLs new, no Message-ID, one look-alike: it is not lost, duplicates are said",
     rebuilt(None)),
    ("all UIDLs new, one Message-ID for all, one look-alike: it is not lost", rebuilt("same")),
    ("all UIDLs new before a lost DELE, one look-alike: it is not deleted unread", rebuilt_keep_no),
    ("all UIDLs new, Message-ID and Date: nothing is fetched again", moved_server(b"")),
    ("the same with Received, Status and X-UIDL of the new server", moved_server(
        b"Received: from old by new; Mon, 2 Nov 2026 11:00:00 +0000\nStatus: RO\nX-UIDL: 7\n")),
    ("the same Message-ID, another Date: another message",
     another_field("date", "Date: Tue, 3 Nov 2026 10:00:00 +0000\n")),
    ("the same Message-ID and Date, another field: another message",
     another_field("extra", "X-Mailer: two\n")),
    ("the same Message-ID, no Date: another message", another_field("date", "")),
    ("a known UIDL for another message, keep = yes: fetched", uidl_of_another("yes")),
    ("a known UIDL for another message, keep = no: fetched, not deleted unread",
     uidl_of_another("no")),
    ("one look-alike of another length, keep = yes: both come", single_look_alike("yes")),
    ("the same, keep = no, QUIT's answer lost: not deleted unread", single_look_alike("no")),
    ("a list's copy under the UIDL of the direct one, keep = yes: it comes", list_copy("yes")),
    ("the same, keep = no, QUIT's answer lost: the list's is not deleted unread", list_copy("no")),
    ("no UIDL, keep = no: the next equal alert comes", deleted_without_uidl("alert")),
    ("no UIDL, keep = no: the copy for another recipient comes", deleted_without_uidl("copy")),
] + [
    ("one UIDL for two messages, %s, %s: each once" % (liar, "Message-ID" if mid else "no Message-ID"),
     uidl_of_two(liar, mid)) for liar in SHIFTY for mid in (True, False)
] + [
    ("one UIDL twice in a listing, %s: each once" % liar, uidl_of_twins(liar)) for liar in SHIFTY
] + [("one UIDL twice, no Message-ID, other headers each time: once in a poll", twins_of_no_name)] + [
    ("%s, a UIDL used again for another %s, %s: it is not deleted unread" % (
        liar, what, "Message-ID" if mid else "no Message-ID"),
     uidl_of_another_where_headers_change(liar, what, mid))
    for liar in SHIFTY for what in ("size", "message of that size") for mid in (True, False)
] + [
    ("no UIDL, no Message-ID, the first breaks the line: the others come", unnamed_breaks("", "close")),
    ("the same, and is never answered", unnamed_breaks("", "hang")),
    ("the same, and other headers each time", unnamed_breaks("set header-changes yes", "close", True)),
    ("no UIDL and no TOP, the first breaks the line: the others come",
     unnamed_breaks("set top no", "close", True)),
    ("known by its UIDL, and breaks the line when it is compared: new mail comes", compared_breaks),
] + [
    ("the UIDL of one that is %s, for another message: that is fetched" % what,
     uidl_of_one_that_waits(what)) for what in FIRST
] + [
    ("alice becomes bob, one is %s under the same UIDL: bob's is fetched" % what,
     mailbox_of_another(what)) for what in ("kept", "left")
] + [
    ("TOP sends 24 MB when a message is due: new mail comes", top_is_whole("due")),
    ("TOP sends 24 MB with -F: new mail comes", top_is_whole("flush")),
    ("TOP sends 24 MB after a refused QUIT: new mail comes", top_is_whole("refused QUIT")),
    ("TOP that has no end: new mail comes", top_one_endless),
    ("UIDL n hangs up, LIST is refused: all come, and are deleted",
     question_hangs_up('on UIDL [0-9]*: close\non LIST: err "no"')),
    ("UIDL n is never answered: likewise",
     question_hangs_up('on UIDL [0-9]*: hang\non LIST: err "no"', timeout="3s")),
    ("UIDL n and LIST n hang up, and sizes are off: likewise",
     question_hangs_up("set size m001 +7\non UIDL [0-9]*: close\non LIST [0-9]*: close")),
    *[("the store is away, and a few words stand for all: nothing is %s" % done, store_stands_in(action))
      for action, done in (("delete", "deleted"), ("leave", "left"), ("stub", "given as a stub"))],
    ("a connection that ends over TOP: it is left out for a day", top_breaks_once),
]

if __name__ == "__main__":
    heal.main(CASES)
