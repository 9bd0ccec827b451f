#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A soak: polls with random kills, random lies of the server, random trouble of the destination, random
options and leaps of time. What is asked for in the end, after some polls in which all is well and time
goes on, and without a hand:

    every message is delivered exactly once, none is lost, none is torn;
    nothing is left in tmp/, in spool/ or in held/, and --status has nothing to tell;
    and on the way: 0 is never the exit status of an undisturbed run that missed mail.

Exceptions, each counted: a command may get a message twice for each kill; each run with -a may deliver
once more what was there before; what has no Message-ID, and all mail of a server whose headers change from
answer to answer, may be fetched once more for each run in which the server had no UIDL to tell it by.

    soak.py [--polls 300] [--seed N] [--jobs 4]      FP_LONG: 10,000
    soak.py --seed N --life 7 --story                one life again, and all that happened in it

It is a row of lives: a world of its own, about 25 polls, then the healing. Each speaks one line of TAP.
A seed makes the same plan each time; a kill at a random moment strikes where it does.
"""
import argparse
import concurrent.futures
import contextlib
import fcntl
import os
import random
import sys
import time
import traceback
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "healing"))
import heal  # noqa: E402

LIFE = 25               # polls
HEALING = 45            # more of them, at most, half a day apart
QUIET = "nothing failed, nothing held"
YEAR = 365.25 * heal.DAY


# ---- what may go wrong ------------------------------------------------------------------------------

def each_of(verb):
    return lambda text: lambda plan: 'on %s: err "%s"' % (verb, text)


def one_message(step):
    """A lie about one message, which is some random one of the mailbox."""
    return lambda plan: "on RETR =%s: %s" % (plan.some_name(), step)


def cut_anywhere(plan):
    return "on connect: close-at %d" % plan.chance.randrange(1, 6000)


def reset_anywhere(plan):
    return "on connect: reset-at %d" % plan.chance.randrange(1, 6000)


def lists_short(plan):
    n = plan.chance.randrange(0, 4)
    return 'on UIDL "": first %d\non LIST "": first %d' % (n, n)


def comes_short(plan):
    """A message is only once sent short: the same twice would be believed."""
    fresh = [n for n in plan.names() if n not in plan.shortened]
    if not fresh or plan.read_once or plan.was_away:
        return ""
    name = plan.chance.choice(fresh)
    plan.shortened.add(name)
    how = plan.chance.choice(['text "+OK\\r\\n.\\r\\n"', "short %d" % plan.chance.randrange(20)])
    return "on x1 RETR =%s: %s" % (name, how)


def store_away(plan):
    """Once in a life, for the same reason: of one or two messages, it would be believed."""
    if plan.was_away or plan.shortened:
        return ""
    plan.was_away = True
    return 'on RETR: text "+OK\\r\\n.\\r\\n"\non TOP: text "+OK\\r\\n.\\r\\n"'


# (weight, name, function of the plan that gives a script)
LIES = [
    (60, "honest", lambda plan: ""),
    (6, "cut", cut_anywhere), (3, "reset", reset_anywhere),
    (3, "RETR refused", each_of("RETR")("message store unavailable, try again later")),
    (3, "RETR refused for good", each_of("RETR")("cannot open message")),
    (3, "one refused", one_message('err "corrupt"')),
    (2, "one breaks the line", one_message("close-at 30")),
    (1, "one hangs", one_message("hang")),
    (1, "one is not terminated", one_message("noeom; answer; stall 1500; close")),
    (2, "one has junk behind it", one_message('answer; send "+OK junk\\r\\n"')),
    (2, "one is no mail", one_message('text "junk\\r\\n.\\r\\n"')),
    (3, "one is short", comes_short),
    (6, "the store is away", store_away),
    (2, "list ends early", lists_short),
    (2, "UIDL refused", each_of('UIDL ""')("not now")),
    (2, "LIST refused", each_of('LIST ""')("not now")),
    (2, "nothing listed", lambda plan: 'on UIDL "": err "[SYS/TEMP] no"\non LIST "": err "[SYS/TEMP] no"'),
    (3, "QUIT refused", each_of("QUIT")("some messages were not removed")),
    (2, "QUIT unanswered", lambda plan: "on QUIT: do; close"),
    (2, "QUIT lost", lambda plan: "on QUIT: close"),
    (2, "DELE refused", each_of("DELE")("no")),
    (2, "wrong password", each_of("PASS")("[AUTH] wrong password")),
    (2, "too soon", each_of("PASS")("[LOGIN-DELAY] not so soon")),
    (2, "in use", each_of("PASS")("[IN-USE] locked")),
    (2, "POP is off", each_of("PASS")(heal.words.POP_IS_OFF[0][1])),
    (2, "POP is off, later", each_of("STAT")(heal.words.POP_IS_OFF[1][1])),
    (2, "greeting", lambda plan: 'on greeting: text "-ERR busy\\r\\n"; close'),
    (1, "CAPA hangs up", lambda plan: "on CAPA: close"),
    (1, "drip", lambda plan: "on RETR: split 7 0"),
    (2, "TOP refused", each_of("TOP")("no")),
    (1, "TOP is cut", lambda plan: "on TOP: close-at 20"),
]

# habits of a server that last for a life
HABITS = [
    (6, "honest", ""), (5, "read-once", "set read-once yes"), (2, "slices", "set slice 5"),
    (2, "retr-max", "set retr-max 4"),
    (1, "slices, read once", "set slice 5\nset read-once yes"),
    (2, "one login in a while", "set login-delay 60"),
    (1, "headers change", "set header-changes yes"), (1, "sizes change", "set sizes-change yes"),
    (1, "TOP is not RETR", 'set retr-adds "X-Spam: no"'), (1, "TOP is whole", "set top-whole yes"),
    (1, "no TOP", "set top no"), (1, "no PIPELINING", "set pipelining no"),
    (1, "loses pipelined", "set loses-pipelined yes"), (1, "empty lists undotted", "set empty-undotted yes"),
    (1, "deletes on drop", "set delete-on-drop yes"),
]

# what the command says, as a line of shell
AGENTS = [
    (14, "works", ""), (2, "puts off", "exit 75"), (1, "is broken", "exit 78"), (1, "says 1", "exit 1"),
    (1, "is killed", "kill -9 $$"), (1, "cannot run", "exit 126"),
    (2, "refuses one", 'case $FETCHPOP_UIDL in *3) exit 1 ;; esac'),
    (2, "puts one off", 'case $FETCHPOP_UIDL in *2) exit 75 ;; esac'),
]

OPTIONS = [(30, []), (2, ["-a"]), (3, ["-K"]), (3, ["-k"]), (3, ["-F"]), (4, ["-B", "2"]),
           (2, ["-B", "1", "-K"]), (1, ["-a", "-K"]), (1, ["-l", "200"]), (2, ["--no-fork"])]


class Plan:
    """The dice of one life."""

    def __init__(self, seed, number):
        self.chance = random.Random("%s/%s" % (seed, number))
        self.destination = self.chance.choice(["maildir", "maildir", "mbox", "mda"])
        _, self.habit, self.always = self.pick(HABITS)
        self.read_once = "read-once" in self.always
        self.keep = self.chance.choice(["no", "no", "yes", "30d"])
        self.changes_keep = self.chance.random() < 0.2
        if "slice" in self.always:      # what is kept would hide the rest for ever
            self.keep, self.changes_keep = "no", False
        self.two = self.destination == "maildir" and self.chance.random() < 0.25
        self.max_tries = self.chance.choice(["1", "2", "5"])
        self.shortened, self.was_away = set(), False
        self.names = list

    def pick(self, table):
        return self.chance.choices(table, [row[0] for row in table])[0]

    def some_name(self):
        return self.chance.choice(self.names() or ["none"])


# ---- one life ---------------------------------------------------------------------------------------

class Life:
    def __init__(self, seed, number, polls):
        self.plan = Plan(seed, number)
        self.chance = self.plan.chance
        self.w = heal.World()
        self.polls, self.made, self.kills, self.again = polls, 0, 0, Counter()
        self.nameless = set()           # messages without Message-ID
        self.story, self.faults = [], []
        self.agent = heal.Agent(self.w)
        self.places = [(self.w.box, self.w.state, None)]
        if self.plan.two:
            other = self.w.path("box2")
            os.mkdir(other)
            self.places.append((other, self.w.path("state2"), heal.popd.Server(
                other, clock=self.w.now).start()))
        self.w.always = self.plan.always
        self.w.at(2026, 11, 1)

    def close(self):
        for _, _, server in self.places:
            if server:
                server.stop()
        self.w.close()

    # ---- the mailbox ----------------------------------------------------------------------------

    def new_mail(self, box):
        for _ in range(self.chance.choice([0, 0, 1, 1, 2, 3, 6])):
            self.made += 1
            name = "m%05d" % self.made
            identity = self.chance.random()
            head = "From: a@example.org\nSubject: %s\n" % ("backup done" if identity < 0.2 else name)
            if identity >= 0.3:
                head += "Message-ID: <%s@example.org>\n" % name
            else:
                self.nameless.add(name)
            body = "This is %s.\n" % name + "".join(self.chance.choice(
                ["x" * 60 + "\n", ".\n", "..\n", "From here on\n", "\n", ">From there\n"])
                for _ in range(self.chance.choice([0, 3, 30])))
            self.w.box, before = box, self.w.box
            self.w.put_raw(name, (head + "\n" + body).encode())
            self.w.box = before

    def shown(self, box):
        return [m.name for m in heal.popd.Mailbox(box).list()]

    # ---- polls ------------------------------------------------------------------------------------

    def keys(self, keep):
        to = {"maildir": {"maildir": self.w.maildir}, "mbox": {"mbox": self.w.mbox},
              "mda": {"mda": self.agent}}[self.plan.destination]
        return {"keep": keep, "timeout": "1s", "max_tries": self.plan.max_tries, **to}

    def poll(self, number):
        chance, plan = self.chance, self.plan
        box, state, server = chance.choice(self.places)
        self.w.later(seconds=chance.choice([1, 30, 300, 3600, 40000, 100000, 200000]))
        self.new_mail(box)
        plan.names = lambda: self.shown(box)
        _, lie, make = plan.pick(LIES)
        script = make(plan)
        _, agent, line = plan.pick(AGENTS) if plan.destination == "mda" else (0, "works", "")
        self.agent.does(line)
        _, options = plan.pick(OPTIONS)
        args = options + (["--force"] if chance.random() < 0.5 and "-d" not in options else [])
        keep = chance.choice(["no", "yes", "30d"]) if plan.changes_keep else plan.keep
        kill = chance.choices(["none", "moment", "call"], [60, 20, 20])[0]
        point = chance.randrange(1, 160)
        moment = chance.random() * 0.06
        lost_clock = chance.random() < 0.03
        locked = plan.destination == "mbox" and chance.random() < 0.06
        there = set(self.w.names.values())
        if "-a" in args:
            self.again.update(there)
        if lie == "UIDL refused":
            self.again.update(there if plan.habit == "headers change" else there & self.nameless)
        before = self.w.wall
        if lost_clock:
            self.w.later(seconds=chance.choice([-10 * YEAR, 10 * YEAR]))
        with self.lock_of_a_reader(locked):
            run = self.run(script, args, keep, kill, point, moment, (box, state, server))
        if lost_clock:
            self.w.wall = before
            self.w._set_clock()
        self.tell("poll %d%s: %s, keep = %s%s%s%s%s -> %s %s" % (
            number, " of the second" if server else "", lie, keep, " " + " ".join(args) if args else "",
            ", command " + agent if agent != "works" else "",
            {"none": "", "moment": ", killed after %.3f s" % moment,
             "call": ", killed before call %d" % point}[kill],
            ", clock is wrong" if lost_clock else ", mbox is locked" if locked else "",
            run.status, run.err.strip()[:300]))
        calm = script == "" and agent == "works" and kill == "none" and not locked and not lost_clock
        if calm and run.status == 0 and not ({"-B", "-l"} & set(args)) and not plan.always:
            self.need_all_seen(box, state, server)

    def lock_of_a_reader(self, wanted):
        if not wanted:
            return contextlib.nullcontext()
        box = open(self.w.mbox, "ab")
        fcntl.lockf(box, fcntl.LOCK_EX)
        return box

    def run(self, script, args, keep, kill, point, moment, place):
        """One run, which may be killed."""
        _, state, server = place
        w, keys = self.w, self.keys(keep)
        if server:
            server.play([w.always, script])
        extra = {"port": server.port} if server else {}
        if kill == "call" and os.access(os.environ.get("SYSCUT", ""), os.X_OK):
            run = w.run(*args, script=script, state=state, env=heal.traced(),
                        before=(heal.syscut(), "--kill", str(point)), **keys, **extra)
            self.kills += run.status == 99
        elif kill != "none":
            child = w.start(*args, script=script, state=state, **keys, **extra)
            time.sleep(moment)
            heal.kill_tree(child.pid)
            out, err = child.communicate()
            self.kills += child.returncode == -9
            w.server.settle(5)
            run = heal.Run(child.returncode, out.decode("latin-1"), err.decode("latin-1"), [], 0)
        else:
            run = w.run(*args, script=script, state=state, **keys, **extra)
            if run.status is None or run.status < 0 or run.status == 70:
                self.faults.append("a run ended with %s" % run)
        if server:
            server.settle(5)
        return run

    # ---- what has to hold -----------------------------------------------------------------------

    def tell(self, text):
        self.story.append(text)

    def delivered(self):
        """What is there, each as bytes."""
        if self.plan.destination == "mda":
            return self.agent.contents()
        return self.w.contents(self.w.maildir if self.plan.destination == "maildir" else self.w.mbox)

    def stored(self):
        """How often each message is there; some servers put a line on top of each, on its way."""
        adds = self.plan.habit in ("headers change", "TOP is not RETR")
        found = Counter()
        for data in self.delivered():
            plain = data.partition(b"\n")[2] if adds and data.startswith(b"X-S") else data
            found[self.w.names.get(plain, "unknown: %r" % data[:80])] += 1
        return found

    def need_all_seen(self, box, state, server):
        """0, and all was well: whatever is listed is here, or --status names it."""
        found = self.stored()
        missing = [n for n in self.shown(box) if not found[n]]
        if not missing:
            return
        said = self.status(state, server)
        silent = [n for n in missing if n not in said]
        if silent:
            self.faults.append("0 in a run that missed %s" % silent[:5])

    def status(self, state, server):
        return self.w.run("--status", state=state, **self.keys("yes"),
                          **({"port": server.port} if server else {})).out

    def complete(self):
        found = self.stored()
        return all(found[n] for n in self.w.names.values()) and not self.leftovers() and all(
            QUIET in self.status(state, server) for _, state, server in self.places)

    def leftovers(self):
        left = []
        for _, state, _ in self.places:
            for sub in ("spool", "held"):
                for top, _, names in os.walk(os.path.join(state, sub)):
                    left += [os.path.join(top, n) for n in names]
        tmp = os.path.join(self.w.maildir, "tmp")
        return left + (os.listdir(tmp) if os.path.isdir(tmp) else [])

    def heal_up(self):
        """All is well again, and half days go by; nobody does anything."""
        self.agent.does("")
        for i in range(HEALING):
            for _, state, server in self.places:
                if server:
                    server.play(self.w.always)
                run = self.w.run(state=state, **self.keys(self.plan.keep),
                                 **({"port": server.port} if server else {}))
            self.w.later(hours=12, minutes=self.chance.randrange(60))
            if i >= 3 and self.complete() and run.status == 0:
                return
        self.tell("healing, the last poll: %s %s" % (run.status, run.err[:300]))

    def judge(self):
        found, names = self.stored(), set(self.w.names.values())
        lost = sorted(n for n in names if not found[n])
        surplus = {n: found[n] - 1 - self.again[n] for n in names if found[n] > 1 + self.again[n]}
        unknown = [n for n in found if n not in names]
        may = self.kills if self.plan.destination == "mda" else 0
        if lost:
            self.faults.append("%d of %d not delivered: %s" % (len(lost), len(names), self.fate(lost)))
        if sum(surplus.values()) > may:
            self.faults.append("delivered too often (%d allowed): %s" % (may, surplus))
        if unknown:
            self.faults.append("torn or unknown: %s" % unknown[:3])
        if self.leftovers():
            self.faults.append("left behind: %s" % self.leftovers()[:4])
        for _, state, server in self.places:
            said = self.status(state, server)
            if QUIET not in said:
                self.faults.append("--status: %s" % said.strip()[:200])
        if self.plan.keep == "no" and not self.plan.changes_keep and not lost:
            left = [n for box, _, _ in self.places for n in self.shown(box)]
            if left:
                self.faults.append("left on the server: %s" % left[:5])

    def fate(self, lost):
        """Where those are now: the more useful half of the news."""
        boxes = [set(self.shown(box)) for box, _, _ in self.places]
        hidden = set(self.w.hidden())
        return ", ".join("%s (%s)" % (n, "on the server" if any(n in b for b in boxes) else
                                      "read once" if n in hidden else "GONE") for n in lost[:6])

    def live(self):
        self.tell("%s, habit %s, keep %s%s%s, max_tries %s" % (
            self.plan.destination, self.plan.habit, self.plan.keep,
            ", which changes" if self.plan.changes_keep else "",
            ", two state folders" if self.plan.two else "", self.plan.max_tries))
        for i in range(1, self.polls + 1):
            self.poll(i)
        self.heal_up()
        self.judge()


def try_life(seed, number, polls):
    life = Life(seed, number, polls)
    try:
        life.live()
    except heal.Skip:
        raise
    except Exception:
        life.faults.append(traceback.format_exc())
    finally:
        life.faults += life.w.faults
        life.close()
    return life


def report(number, life, seed, story):
    print("%s %d - life %d: %s, %d messages, %d kills" % (
        "not ok" if life.faults else "ok", number, number, life.story[0], life.made, life.kills))
    for fault in life.faults:
        for line in fault.splitlines():
            print("# " + line)
    if life.faults or story:
        for line in life.story if story else life.story[-3:]:
            print("#   " + line.replace("\n", " | "))
        print("# again: soak.py --seed %s --life %d --story" % (seed, number))
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--polls", type=int, default=10000 if os.environ.get("FP_LONG") else 300)
    p.add_argument("--seed", default=os.environ.get("SOAK_SEED") or str(random.randrange(1 << 32)))
    p.add_argument("--jobs", type=int, default=4)
    p.add_argument("--life", type=int, help="only this one")
    p.add_argument("--story", action="store_true", help="tell each poll")
    a = p.parse_args()
    if not os.access(heal.world.FETCHPOP, os.X_OK):
        sys.exit("FETCHPOP does not name the program under test: %r" % heal.world.FETCHPOP)
    lives = [a.life] if a.life else list(range(1, max(1, a.polls // LIFE) + 1))
    print("# seed %s, %d lives of %d polls" % (a.seed, len(lives), LIFE))
    print("1..%d" % len(lives), flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for number, life in zip(lives, pool.map(lambda n: try_life(a.seed, n, LIFE), lives)):
            report(number if not a.life else 1, life, a.seed, a.story)
            bad += bool(life.faults)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
