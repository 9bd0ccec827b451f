#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""--json: a line of JSON for each account, and nothing else on standard output."""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from crowd import Crowd  # noqa: E402

MEMBERS = ["account", "mode", "status", "kind", "error", "listed", "new", "octets", "seen",
           "deleted", "failed", "held", "too_large", "skipped", "next_try"]

RECORD = ["account", "uidl", "octets", "message_id", "from", "subject", "date", "kind",
          "destination", "name", "time"]


def parse_records(w, out):
    """([record of a message], {account: result}); a message's record comes before its account's."""
    records, results, done = [], [], set()
    for line in out.splitlines(keepends=True):
        row = json.loads(line)
        if "uidl" not in row:
            results.append(line)
            done.add(row["account"])
            continue
        w.need(list(row) == RECORD, "the members", line)
        w.need(line[:-1].isascii() and line[:-1].isprintable(), "not plain ASCII", line)
        w.need(row["account"] not in done, "behind its account's result", out)
        records.append(row)
    return records, parse(w, "".join(results))


def parse(w, out):
    """{account: object}; each line is one, with all its members, and ASCII."""
    found = {}
    for line in out.splitlines():
        result = json.loads(line)
        w.need(list(result)[:len(MEMBERS)] == MEMBERS, "the members", line)
        w.need(line.isascii() and line.isprintable(), "not plain ASCII", line)
        w.need(result["account"] not in found, "an account twice", out)
        found[result["account"]] = result
    w.need(out == "" or out.endswith("\n"), "the last line has no end", out)
    return found


def need_members(w, result, **wanted):
    seen = {key: result.get(key) for key in wanted}
    w.need(seen == wanted, "what it says of %s" % result.get("account"), seen, wanted)


def polled(w):
    w.fill(4)
    octets = sum(map(len, w.names))
    crowd = Crowd(w)
    crowd.add("kept")
    crowd.add("bad", password="wrong")
    crowd.add("dead", password_command="kill -KILL $PPID")
    for turn in range(2):
        with crowd.server() as server:
            status, out, err = crowd.run(server, "--json")
        found = parse(w, out)
        w.need(status == 70 and set(found) == {"kept", "bad", "dead"}, "three of them", status, out)
        need_members(w, found["kept"], mode="poll", status=0, kind="none", error=None, listed=4,
                     new=0 if turn else 4, octets=0 if turn else octets, seen=4 if turn else 0,
                     deleted=0, failed=0, held=0)
        need_members(w, found["bad"], status=77, kind="password-refused", listed=0, new=0)
        need_members(w, found["dead"], status=70, kind="worker", new=0)
        w.need("worker died" in found["dead"]["error"], "its words", found["dead"])
        w.need("fetchpop: dead: " + found["dead"]["error"] in err.splitlines(),
               "the same words on standard error", err)
        if turn == 0:
            w.need("login refused" in found["bad"]["error"], "its words", found["bad"])
    crowd.accounts.clear()
    crowd.add("gone", keep="no")
    with crowd.server() as server:
        found = parse(w, crowd.run(server, "--json")[1])
    need_members(w, found["gone"], new=4, deleted=4, octets=octets)


def refused_message(w):
    w.fill(3)
    run = w.run("--json", script='on RETR 2: err "no"', max_tries="1")
    result = parse(w, run.out)["w"]
    w.need(run.status == 65, "exit status", run)
    need_members(w, result, status=65, kind="message", new=2, failed=1, held=1)


def looked_at(w):
    w.fill(3)
    w.fine()
    w.put("m900", size=500)
    run = w.run("-c", "--json")
    w.need(run.status == 0, "new mail", run)
    need_members(w, parse(w, run.out)["w"], mode="check", status=0, listed=4, new=1, seen=3)
    run = w.run("--dry-run", "--json", keep="no")
    w.need(run.status == 0 and run.err == "", "a dry run", run)
    result = parse(w, run.out)["w"]
    need_members(w, result, mode="dry-run", listed=4, new=1, deleted=1, seen=3)
    w.need(result["octets"] > 500, "its size", result)
    w.fine()
    run = w.run("-c", "--json")
    w.need(run.status == 1, "no new mail", run)
    need_members(w, parse(w, run.out)["w"], status=0, new=0, seen=4)


def too_early(w):
    """A program can tell an account that was left out, and when it comes next. That the first poll of
    an account fails is told at once, so there is one before."""
    w.fine()
    w.fill(1)
    run = w.run("--json", script='on PASS: err "[LOGIN-DELAY] later"')
    result = parse(w, run.out)["w"]
    now = time.time()
    w.need(run.status == 75 and run.err == "", "no news, and not printed", run)
    need_members(w, result, status=75, kind="login-delay", skipped=False, new=0)
    w.need("next try not before" in result["error"], "its words all the same", result)
    w.need(now < result["next_try"] <= now + 61, "when it comes next", result, now)
    run = w.run("--json")
    after = parse(w, run.out)["w"]
    w.need(run.status == 75 and run.err == "" and run.connections == 0, "left out", run)
    need_members(w, after, status=75, kind="unavailable", skipped=True, new=0,
                 next_try=result["next_try"])
    w.need(": again at " in after["error"] and after["error"].endswith("; --force now"),
           "its words", after)
    run = w.run("--json", "--force", interval="1h")
    need_members(w, parse(w, run.out)["w"], status=0, new=1, skipped=False, next_try=None)
    run = w.run("--json", interval="1h")
    result = parse(w, run.out)["w"]
    need_members(w, result, status=0, kind="none", error=None, skipped=True, listed=0)
    w.need(now + 3000 < result["next_try"] < now + 3700, "behind the interval", result, now)


def other_options(w):
    for option in ("--print-pin", "--retry=x"):
        run = w.run("--json", option, "w")
        w.need(run.status == 64 and run.out == "" and "--json" in run.err, option, run)
    w.fill(1)
    run = w.run("--json", "-v")
    w.need(run.status == 0 and len(parse(w, run.out)) == 1 and "RETR" in run.err,
           "-v goes to standard error", run)
    run = w.run("--json", "-s")
    w.need(run.status == 0 and len(parse(w, run.out)) == 1 and run.err == "", "-s", run)
    run = w.run("--json", tls="nonsense")
    w.need(run.status == 78 and run.out == "", "a configuration file that is wrong", run)


def put_raw(w, name, header):
    with open(os.path.join(w.box, name), "wb") as f:
        f.write(header + b"\n\nbody\n")


def messages(w):
    """What --json=messages has is what after_new has, and nobody's words leave their place."""
    put_raw(w, "m1", b"Date: Sat, 28 Nov 2026 10:41:20 +0100\nMessage-ID: <m1@x>\n"
            b'From: =?utf-8?q?a=0A{"account":_"b"}=22?= <x@example.org>\n'
            b'Subject: \x01\x1b[31m "q" \\ \xff\xc3\x28 \xe2\x82\xac')
    put_raw(w, "m2", b"Date: tomorrow\nSubject: " + b"\xff" * 3000)
    put_raw(w, "m3", b"From: news@lists.example.org\nX-Nothing: else")
    listed, lists = w.path("listed"), w.path("lists")
    for option in ((), ("--no-fork",)):
        now = int(time.time())
        run = w.run("--json=messages", "--all", *option, after_new="cat >%s" % listed,
                    rules='rule { from = "*@lists.example.org" mbox = "%s" }\n' % lists)
        records, results = parse_records(w, run.out)
        w.need(run.status == 0 and run.err == "", "it is fine", run)
        need_members(w, results["w"], new=3, status=0)
        with open(listed) as f:
            w.need([json.loads(line) for line in f] == records, "as after_new has it", records)
        one, two, three = sorted(records, key=lambda row: row["uidl"])
        need_members(w, one, account="w", uidl="m1", message_id="<m1@x>", date=1795858880,
                     kind="maildir", destination=w.maildir,
                     subject='\x01\x1b[31m "q" \\ ' + b"\xff\xc3( \xe2\x82\xac".decode("cp1252"))
        w.need(one["from"].startswith('a\n{"account": "b"}"'), "the sender", one)
        file = os.path.join(w.maildir, "new", one["name"])
        w.need(os.path.getsize(file) == one["octets"], "its file and size", one)
        w.need(now <= one["time"] <= time.time(), "when it was delivered", one)
        need_members(w, two, message_id=None, date=None, subject="\xff" * 1024)
        need_members(w, three, subject=None, kind="mbox", destination=lists)
    run = w.run("--json=messages")
    records, results = parse_records(w, run.out)
    w.need(records == [] and results["w"]["new"] == 0, "nothing new, no record", run)


def messages_at_once(w):
    """Records of many pieces stay whole beside each other."""
    for i in range(3):
        put_raw(w, "m%d" % i, b"Subject: " + b"\xff" * 2000)
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 16\n")
    for i in range(40):
        crowd.add("a%d" % i)
    with crowd.server() as server:
        status, out, _ = crowd.run(server, "--json=messages", "-v")
    records, results = parse_records(w, out)
    seen = sorted((row["account"], row["uidl"]) for row in records)
    wanted = sorted(("a%d" % i, "m%d" % j) for i in range(40) for j in range(3))
    w.need(status == 0 and len(results) == 40 and seen == wanted, "each once", status, len(seen))


def messages_and_others(w):
    w.fill(1)
    for options in (("--json=message",), ("--json=",), ("--json=messages", "-c"),
                    ("--json=messages", "--dry-run"), ("--json=messages", "--status")):
        run = w.run(*options)
        w.need(run.status == 64 and run.out == "" and "--json" in run.err, options, run)
    records, _ = parse_records(w, w.run("--json").out)
    w.need(records == [], "--json alone has no records", records)
    run = w.run("--json", "--json=messages", "--fetch=m001")
    records, results = parse_records(w, run.out)
    w.need(len(records) == 1 and results["w"]["new"] == 1, "one that is asked for", run)


def any_bytes(w):
    """What a server says, and what a title may hold."""
    words = '\\xff\\xc3\\x28 \\"quoted\\" \\\\ \\t\\x1b[31m \\xe2\\x82\\xac'
    crowd = Crowd(w)
    titles = [b"caf\xc3\xa9", b"\xff\xfe", b'back\\"slash', b"\xf0\x9f\x93\xac"]
    for i in range(len(titles)):
        crowd.add("t%d" % i)
    with crowd.server(script='on PASS: text "-ERR %s\\r\\n"' % words) as server:
        path = crowd.write(server.port)
        with open(path, "rb") as f:
            text = f.read()
        for i, title in enumerate(titles):
            text = text.replace(b'account "t%d"' % i, b"account '" + title + b"'")
        with open(path, "wb") as f:
            f.write(text)
        run = subprocess.run([world.FETCHPOP, "-f", path, "--state-dir", w.state, "--json"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=w.environment())
    found = parse(w, run.stdout.decode("ascii"))
    wanted = {t.decode("utf-8", "replace") for t in titles}
    w.need(set(found) == wanted, "titles", set(found), wanted, run.stderr)
    for result in found.values():
        w.need(result["status"] == 77 and '"quoted"' in result["error"], "the server's words", result)


def many_at_once(w):
    """Lines stay whole beside each other and beside -v."""
    w.fill(3)
    crowd = Crowd(w, "jobs = 16\nmax_per_server = 16\n")
    for i in range(60):
        crowd.add("a%d" % i)
    with crowd.server() as server:
        status, out, _ = crowd.run(server, "--json", "-v")
    found = parse(w, out)
    w.need(status == 0 and len(found) == 60 and all(r["new"] == 3 for r in found.values()),
           "sixty lines", status, len(found))


def interrupted(w):
    """Those that were not polled have their line, too."""
    w.fill(1)
    crowd = Crowd(w, "jobs = 1\n")
    for i in range(3):
        crowd.add("a%d" % i)
    with crowd.server(script="on USER a0: hang") as server:
        child = crowd.start(server.port, "--json")
        server.wait_for("USER a0", 20)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    found = parse(w, out.decode())
    w.need(child.returncode == 75 and set(found) == {"a0", "a1", "a2"}, "three", out)
    for result in found.values():
        need_members(w, result, status=75, kind="interrupted", new=0)


CASES = [
    ("polling: new, seen, deleted, refused, dead", polled),
    ("a message that is refused and held", refused_message),
    ("--check and --dry-run", looked_at),
    ("accounts that are left out", too_early),
    ("other options beside it", other_options),
    ("whatever the server says and titles hold", any_bytes),
    ("a record for each message", messages),
    ("records of many accounts at once", messages_at_once),
    ("records, and other options", messages_and_others),
    ("many accounts at once", many_at_once),
    ("accounts that were not polled any more", interrupted),
]

if __name__ == "__main__":
    world.main(CASES)
