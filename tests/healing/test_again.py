#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""No state heals only by hand: held messages, refused secrets, pauses and notes come to an end by
themselves, and whoever sits before it or names the account is not kept away.
"""
import os
import re
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402
import socks_server  # noqa: E402
from heal import HOUR  # noqa: E402

GONE = 'on RETR =m002: err "message is corrupt"'
WRONG = 'on PASS: err "[AUTH] wrong user or password"'


def tries(w, count, minutes, verb, argument=None, **more):
    """The times (hours since the first poll) of the polls in which that was asked, and the runs."""
    begin, hours, runs = w.now(), [], []
    for _ in range(count):
        run = w.run(**more)
        asked = run.sent(verb)
        if [a for a in asked if argument is None or a == argument]:
            hours.append(round((w.now() - begin) / HOUR, 2))
        runs.append(run)
        w.later(minutes=minutes)
    return hours, runs


def gaps(hours):
    return [round(b - a, 2) for a, b in zip(hours, hours[1:])]


# ---- held messages ---------------------------------------------------------------------------------

def hold_m002(w, **more):
    names = w.fill(3)
    for _ in range(2):
        w.run("--force", script=GONE, max_tries=2, **more)
    w.need("m002" in w.status(), "m002 is held", w.status())
    w.need_each(1, ["m001", "m003"])
    return names


def held_comes_by_itself(keep):
    def case(w):
        names = hold_m002(w, keep=keep)
        for _ in range(8 * 24):
            run = w.run(max_tries=2, keep=keep)
            if w.stored()["m002"]:
                break
            w.later(hours=1)
        w.need_each(1, names, when="within a week, by cron alone")
        w.later(hours=1)
        w.fine(max_tries=2, keep=keep)
        w.need_nothing_held()
    return case


def held_for_the_line(w):
    """What broke its connection in more polls than max_tries is asked for again all the same."""
    names = w.fill(1)
    breaks = 'on RETR =m001: answer; send "+OK junk\\r\\n"'
    for _ in range(4):
        w.run("--force", script=breaks, max_tries=1, keep="no")
        w.later(days=8)
    w.need("m001" in w.status() and w.left() == names, "m001 is held", w.status())
    for _ in range(8 * 2):
        if w.stored()["m001"]:
            break
        w.run(max_tries=1, keep="no")
        w.later(hours=12)
    w.need_each(1, names, when="within a week, by cron alone")
    w.need(w.left() == [], "and deleted", w.left())


def held_by_a_wrong_clock(w):
    """It was held while the clock was ten years ahead; the clock is right again."""
    names = w.fill(3)
    right = w.wall
    w.later(days=3650)
    w.run("--force", script=GONE, max_tries=1)
    w.need("m002" in w.status(), "m002 is held", w.status())
    w.wall = right
    for _ in range(8 * 2):
        w.later(hours=12)
        w.run(max_tries=1)
    w.need_each(1, names, when="within a week, by cron alone")


def held_at_growing_distances(w):
    hold_m002(w)
    hours, _ = tries(w, 24 * 28, 60, "RETR", "RETR 2", script=GONE, max_tries=2)
    between = gaps(hours)
    w.need(6 <= len(hours) <= 30, "tries in four weeks", hours)
    w.need(between and all(b >= a * 0.7 for a, b in zip(between, between[1:])), "growing", between)
    w.need(between and between[0] >= 0.9, "an hour at first", between)
    w.need(between and max(between) <= 7.5 * 24, "a week at most", between)


def held_in_held_is_tried(w):
    """What a command refused is offered to it again by itself, from held/, without the server."""
    names, agent = w.fill(3), heal.Agent(w)
    agent.does('[ "$FETCHPOP_UIDL" != m002 ] || exit 1')
    w.run(mda=agent, keep="no", max_tries=1)
    agent.does("")
    for _ in range(8 * 24):
        if agent.stored()["m002"]:
            break
        w.later(hours=1)
        w.run(mda=agent, keep="no", max_tries=1)
    agent.need_each(1, names, when="within a week, by cron alone")
    retr = sum(v == "RETR" for conn in w.record() for v, _ in conn.commands)
    w.need(retr == 3, "each fetched once", retr)


def held_told_once_a_week(w):
    hold_m002(w)
    days = []
    for hour in range(24 * 28):
        run = w.run(script=GONE, max_tries=2)
        if hour >= 48 and "held" in run.err:
            days.append(hour // 24)
        w.later(hours=1)
    w.need(3 <= len(days) <= 8, "about once a week", days)
    w.need(all(any(day // 7 == week for day in days) for week in (1, 2, 3)), "every week", days)
    w.need("m002" in w.status(), "--status names it always", w.status())


def held_and_gone(w):
    """What the server does not list any more is not missed."""
    hold_m002(w)
    os.unlink(os.path.join(w.box, "m002"))
    said = []
    for _ in range(40):
        w.later(days=1)
        run = w.run(max_tries=2)
        said.append(run.status)
    w.need(set(said[-3:]) == {0}, "nothing is left to complain about", said)
    w.need_nothing_held()


# ---- a refused secret ------------------------------------------------------------------------------

def refused_secret_rhythm(w):
    w.fill(1)
    hours, runs = tries(w, 2 * 24 * 5, 30, "PASS", script=WRONG)
    between = gaps(hours)
    w.need({r.status for r in runs} == {77}, "77 each time", {r.status for r in runs})
    w.need(len(between) >= 5 and 0.9 <= between[0] <= 1.6, "again after an hour", between)
    doubled = [b / a for a, b in zip(between, between[1:]) if b < 20]
    w.need(all(1.5 <= r <= 2.7 for r in doubled), "then at doubling distances", between)
    w.need(between and max(between) <= 25.5 and between[-1] >= 20, "up to a day", between)


def refused_then_right(w):
    w.fill(2)
    w.run(script=WRONG)
    w.later(minutes=30)
    run = w.run()
    w.need(run.status == 77 and run.connections == 0, "not within the hour", run)
    w.later(minutes=31)
    w.fine()
    w.need_each(1, ["m001", "m002"], when="an hour later, by itself")


def worked_before(w):
    w.fill(1)
    w.fine()
    w.later(minutes=10)
    hours, runs = tries(w, 6 * 4, 10, "PASS", script=WRONG)
    w.need(len(hours) >= 3 and all(0.9 <= g <= 1.4 for g in gaps(hours)[:2]), "an hour apart",
           hours)
    first = [r.status for r in runs if r.sent("PASS")][:4]
    w.need(first[:2] == [75, 75], "a trouble of the server at first", first)
    w.need(77 in first[2:], "wrong after three tries", first, [r.status for r in runs])


def worked_before_and_again(w):
    """Shared hosts that say "Login incorrect" for an hour to whoever asks often."""
    w.fill(1)
    w.fine()
    for _ in range(6):
        w.later(minutes=10)
        w.run(script='on PASS: err "Login incorrect."')
    w.put("m002")
    w.later(minutes=10)
    w.fine()
    w.need_each(1, ["m001", "m002"], when="an hour later, by itself")


def bound_to(what):
    """The note says which server, port, tls, user, mechanism and secret it was."""
    changes = {"secret": {"password": "another"}, "user": {"user": "bob"},
               "server": {"server": "localhost"}, "mechanism": {"auth": "plain"}}

    def case(w):
        w.fill(1)
        w.server_options = {"auth": "PLAIN", "users": {"bob": ("secret", w.box)}}
        w.run(script=WRONG)
        w.later(minutes=1)
        w.need(not w.run(script=WRONG).sent("PASS"), "it is kept away")
        run = w.run(script=WRONG + '\non AUTH: err "[AUTH] no"', **changes[what])
        w.need(run.connections == 1 and (run.sent("PASS") or run.sent("AUTH")), "tried at once", run)
    return case


def bound_to_port(w):
    w.fill(1)
    w.run(script=WRONG)
    w.later(minutes=1)
    with heal.popd.Server(w.box) as other:
        w.fine(port=other.port)
    w.need_each(1, ["m001"], when="from another port, at once")


def bound_to_tls(w):
    w.fill(1)
    w.run(script=WRONG)
    w.later(minutes=1)
    run = w.run(script=WRONG, tls="stls")
    w.need(run.connections == 1, "tried at once", run)


def changed_back(w):
    """One secret refused, another one too; the first is not tried again too soon for that."""
    w.fill(1)
    w.run(script=WRONG)
    w.later(minutes=5)
    w.run(script=WRONG, password="another")
    w.later(minutes=5)
    run = w.run(script=WRONG, password="another")
    w.need(run.connections == 0, "the second is kept away, too", run)


def first_message_is_no_proof(w):
    w.fill(1)
    w.always = "set auth SCRAM-SHA-256"
    lie = 'on AUTH: err "Invalid command in current state."'
    w.run(script=lie, auth="scram-sha-256")
    w.later(minutes=1)
    run = w.fine(auth="scram-sha-256")
    w.need_each(1, ["m001"], when="tried at once: no secret was refused")
    w.need(run.sent("AUTH"), "with the same mechanism", run)


def first_message_then_user(w):
    """As the error says: another mechanism, and it is tried at once."""
    w.fill(1)
    w.always = "set auth SCRAM-SHA-256"
    lie = 'on AUTH: err "Invalid command in current state."'
    run = w.run("--force", script=lie, auth="auto")
    w.need("SCRAM-SHA-256" in run.err.upper() and "auth" in run.err, "the mechanism is named", run)
    w.fine(auth="user", script=lie)
    w.need_each(1, ["m001"])


def refused_proof_counts(w):
    w.fill(1)
    w.always = "set auth SCRAM-SHA-256"
    run = w.run(auth="scram-sha-256", password="wrong")
    w.need(run.status == 77, "the proof is refused", run)
    w.later(minutes=5)
    run = w.run(auth="scram-sha-256", password="wrong")
    w.need(run.status == 77 and run.connections == 0, "and that is remembered", run)


# ---- who is kept away ------------------------------------------------------------------------------

def paused(w):
    w.fill(1)
    for _ in range(6):
        w.run(script="on greeting: close")
    run = w.run()
    w.need(run.status == 75 and run.connections == 0, "a pause after failures", run)


def terminal_not_kept_away(w):
    paused(w)
    run = w.run(tty=True)
    w.need(run.status == 0 and run.connections == 1, "polled at once on a terminal", run)
    w.need_each(1, ["m001"])


def named_not_kept_away(w):
    paused(w)
    run = w.run("w")
    w.need(run.status == 0 and run.connections == 1, "polled at once when it is named", run)


def interval_on_terminal(w):
    w.fill(1)
    w.fine(interval="1h")
    w.put("m002")
    run = w.run("w", interval="1h")
    w.need(run.connections == 1, "named: the interval does not count", run)


def told_when(how):
    """LOGIN-DELAY and a refused secret do keep a person away, and say until when."""
    def case(w):
        w.fill(1)
        w.run(script={"delay": 'on PASS: err "[LOGIN-DELAY] not so soon"', "secret": WRONG}[how])
        for run in (w.run(tty=True), w.run("w")):
            w.need(run.connections == 0, "kept away", run)
            w.need(re.search(r"again at (\d{4}-\d\d-\d\d )?\d\d:\d\d", run.err) and "--force" in run.err,
                   "with the time, and --force", run)
        w.need(w.run("--force", tty=True).connections == 1, "--force polls now")
    return case


def one_outage(unreachable):
    """No route: no pause, told once, and the first run with a network fetches."""
    def case(w):
        w.fill(1)
        if heal.in_silence(["unshare", "-n", "true"], os.environ, 5)[0] != 0:
            raise heal.Skip("no network namespace")
        keys = unreachable
        runs = []
        for _ in range(24):
            runs.append(w.run(before=("unshare", "-n"), **keys))
            w.later(minutes=5)
        told = [i for i, r in enumerate(runs) if r.err]
        w.need(len(told) == 1, "told once per outage", told, runs[0])
        w.need(0 not in {r.status for r in runs}, "exit status", runs[0])
        if not keys:
            w.fine()
            w.need_each(1, ["m001"], when="by the first run with a network")
            run = w.run(before=("unshare", "-n"))
            w.need(run.err != "", "the next outage is told, too", run)
        else:
            w.need("not polled before" not in w.run(before=("unshare", "-n"), **keys).err +
                   w.status(**keys), "no pause")
    return case


def never_worked(w):
    """An account that never worked, in a pipe: a change of tls, and what comes of it is told."""
    w.fill(1)
    with w.offline():
        runs = [w.run() for _ in range(2)] + [w.run(tls="stls") for _ in range(2)]
    w.need([bool(r.err) for r in runs] == [True, False, True, False], "told each time that tls changes",
           [r.err for r in runs])
    w.need({r.status for r in runs} == {75}, "75", [r.status for r in runs])


def mistyped_behind_a_proxy(w):
    """A password that was typed wrong is asked for again, and the proxy gets its own both times."""
    names = w.fill(1)
    listen = socket.create_server(("127.0.0.1", 0))
    proxy = socks_server.Proxy(w.top, ["login=me:through"])
    threading.Thread(target=lambda: [proxy.serve(listen.accept()[0]) for _ in range(2)],
                     daemon=True).start()
    run = w.run(tty=True, typed=["wrong\n", "secret\n"], password=None,
                proxy="socks5://me:through@127.0.0.1:%d" % listen.getsockname()[1])
    with open(w.path("log")) as f:
        logins = [line.strip() for line in f if line.startswith("login")]
    w.need(logins == ["login me through"] * 2, "the proxy's password", logins, run)
    w.need(run.status == 0 and run.err.count("Password for") == 2, "asked for twice", run)
    w.need_each(1, names)


def delivers_and_hangs(w):
    """Each try may make a copy: they become rare, and nothing is lost."""
    names = w.fill(1)
    got, said = w.path("got"), []
    for _ in range(12):
        run = w.run(mda="cat >>%s; sleep 30" % got, mda_timeout="1s", keep="no", limit=60)
        w.later(minutes=5)
        said.append(run.said)
    w.need("ever more rarely" in said[0], "that is told", said[0])
    with open(got) as f:
        copies = f.read().count("Subject: ")
    w.need(copies == 2, "two copies in the first hour", copies)
    w.later(hours=2)
    run = w.fine(keep="no")
    w.need_each(1, names, when="once it is mended")
    w.need(w.left() == [], "then it goes", w.left())


CASES = [
    ("held for the server's refusals, then handed out: it comes by itself, keep = no",
     held_comes_by_itself("no")),
    ("the same with keep = yes", held_comes_by_itself("yes")),
    ("held since it broke the line, more often than max_tries: it comes by itself",
     held_for_the_line),
    ("held by a clock that was years ahead: it comes by itself", held_by_a_wrong_clock),
    ("a command that delivers and hangs: the copies become rare", delivers_and_hangs),
    ("held messages are tried again at growing distances, an hour to a week",
     held_at_growing_distances),
    ("what is in held/ is offered to the command again by itself", held_in_held_is_tried),
    ("while something is held, cron hears of it once a week", held_told_once_a_week),
    ("held, and gone from the server: no more is said", held_and_gone),
    ("a refused secret: again after an hour, then at doubling distances up to a day",
     refused_secret_rhythm),
    ("refused, then right: it works after an hour, by itself", refused_then_right),
    ("a secret that has worked: tried three times, an hour apart, before it is wrong",
     worked_before),
    ("a secret that has worked and is refused for an hour: heals", worked_before_and_again),
    ("another secret is tried at once", bound_to("secret")),
    ("another user is tried at once", bound_to("user")),
    ("another server is tried at once", bound_to("server")),
    ("another mechanism is tried at once", bound_to("mechanism")),
    ("another port is tried at once", bound_to_port),
    ("another tls is tried at once", bound_to_tls),
    ("a second wrong secret is kept away like the first", changed_back),
    ("SCRAM refused at its first message: no secret was refused", first_message_is_no_proof),
    ("it names the mechanism, and another one is tried at once", first_message_then_user),
    ("a SCRAM proof that is refused counts", refused_proof_counts),
    ("a pause after failures does not bind a person at a terminal", terminal_not_kept_away),
    ("nor one who names the account", named_not_kept_away),
    ("nor does the interval", interval_on_terminal),
    ("an account that never worked: told at once, and again when tls has changed", never_worked),
    ("LOGIN-DELAY is told with the time and --force", told_when("delay")),
    ("a refused secret is told with the time and --force", told_when("secret")),
    ("a password typed wrong, and a proxy that has its own: asked for again, and mail comes",
     mistyped_behind_a_proxy),
    ("no network for two hours: told once, fetched by the first run after it", one_outage({})),
    ("no resolver for two hours: told once, no pause", one_outage({"server": "pop.example.org"})),
]

if __name__ == "__main__":
    heal.main(CASES)
