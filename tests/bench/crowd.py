# SPDX-License-Identifier: ISC
"""The workloads of many accounts, and what the sandbox costs each."""

import os

import clients
import lab
from clients import Fetchpop, Floor, Load, WrongResult
from rows import KB, alternate, median, nothing, show

CROWD_MS = 10  # each way
CROWD_AT_ONCE = 256
CROWD_TRIPS = 5  # of a poll with nothing new: see trips


def all_idle(client, sample):
    if client.name == "floor":
        client.check(sample)
        return
    count = sum(len(os.listdir(f"{client.maildir(i)}/new")) for i in range(client.load.users))
    if count != client.load.users:
        raise WrongResult(f"fetchpop, {client.load.name}: {count} messages of "
                          f"{client.load.users} accounts")


def crowd(bench):
    """Idle accounts, each with one message that is known. What the round trips allow is less than
    any two processors can do, so the floor's own time is there, too."""
    if "crowd" not in bench.lab.ports:
        bench.lab.start_lister([1], "crowd", far=True)
    bench.lab.stretch(CROWD_MS)
    bench.lab.far(True, "crowd")
    cost = {}
    try:
        for count in [30, 100] if bench.quick else [100, 1000, 10_000]:
            cost[count] = poll_crowd(bench, count)
    finally:
        bench.lab.far(False, "crowd")
        bench.lab.stretch(lab.DELAY_MS)
    least, most = min(cost), max(cost)
    bench.report.at_most(f"CPU an account, {most:,} : {least:,}", cost[most] / cost[least], 1.3)


def poll_crowd(bench, count):
    load = Load(f"crowd{count}", count, bench.lab.ports["far"], [None], fetch=False, box="n1x",
                at_once=CROWD_AT_ONCE)
    pair = [bench.client(kind, load) for kind in (Floor, Fetchpop)]
    all_idle(pair[1], pair[1].poll())
    samples = alternate(pair, 1 if count > 1000 else bench.rounds, nothing, all_idle)
    took = show(bench, f"{count:,} idle accounts, {2 * CROWD_MS} ms, {CROWD_AT_ONCE} at once "
                "(lister)", samples, rate=False)
    parent, status = clients.watch_parent(pair[1].commands()[0], pair[1].folder)
    if status != 0:
        raise WrongResult(f"fetchpop, {load.name}: exit status {status}")
    for client in pair:
        client.clean()
    allowed = CROWD_TRIPS * 2 * CROWD_MS / 1000 * max(count / CROWD_AT_ONCE, 1)
    cpu = median(samples["fetchpop"], "cpu") / count
    bench.report.note(f"the round trips allow {allowed:.2f} s; CPU an account: fetchpop "
                      f"{cpu * 1e3:.2f} ms, floor {median(samples['floor'], 'cpu') / count * 1e3:.2f}")
    bench.report.at_most("fetchpop : what the round trips allow", took["fetchpop"] / allowed, 1.3)
    bench.report.at_most("the parent, MB", parent / KB, 50)
    return cpu


def reading(bench):
    """Accounts in one file: read, and told of, all of them or one shard's; 4096 shards have so few
    that reading is all there is."""
    bench.report.title("accounts in one file: seconds of CPU, kB resident at most")
    cost = {}
    for count in [100, 1000, 10_000] if bench.quick else [100, 1000, 10_000, 100_000]:
        client = bench.client(Fetchpop, Load(f"reading{count}", 0, ("pop.example.com", 995)))
        with open(f"{client.folder}/rc", "a", encoding="ascii") as rc:
            for i in range(count):
                rc.write(f'account "a{i:06}" {{ server = "pop{i % 50}.example.com" user = "user{i:06}" '
                         f'maildir = "/srv/mail/a{i:06}" }}\n')
        for what, words in (("read", ["--shard", "0/4096"]), ("shard 3 of 8", ["--shard", "3/8"]),
                            ("all", [])):
            argv = client.commands()[0] + ["--status", *words]
            cost[count, what] = min(clients.run([argv], client.folder).cpu
                                    for _ in range(bench.rounds))
            kb = clients.watch_memory(argv, client.folder)[2]
            bench.report.note(f"{count:9,} {what:14} {cost[count, what]:7.3f} s {kb:,} kB")
        client.clean()
    if not bench.quick:
        bench.report.at_most("100,000 read, seconds of CPU", cost[100_000, "read"], 2)
        bench.report.at_most("100,000, all, MB", kb / KB, 100)
        for what in ("read", "all"):
            bench.report.at_most(f"{what}, an account of 100,000 : of 10,000",
                                 cost[100_000, what] / cost[10_000, what] / 10, 1.3)


# --- the sandbox of a worker --------------------------------------------------------------------

class Unconfined(Fetchpop):
    more = "    sandbox = off\n"


def sandbox(bench):
    """The same poll, and the same messages, with and without it, in turn."""
    times = bench.scaled(100, 20)
    ms = 1e3 * compare(bench, "idle", 100, times, False)
    bench.report.at_most("the sandbox, ms of CPU a poll", ms, 2)
    count = bench.scaled(2000)
    us = 1e6 * compare(bench, "calls", count, bench.rounds, True) / count
    bench.report.note(f"fetching {count:,} messages: {us:+.1f} us of CPU a message")


def compare(bench, box, count, rounds, fetch):
    """Seconds of CPU that a run with the sandbox takes longer."""
    made = bench.lab.mailbox(box, count, 4 * KB)
    took = {}
    pair = [bench.client(kind, Load(f"sandbox{box}{i}", 1, bench.lab.ports["dovecot"], made,
                                    box=box)) for i, kind in enumerate((Fetchpop, Unconfined))]
    for client in pair:
        client.check(client.poll())
        took[client] = []
    for turn in range(rounds):
        for client in pair[::1 if turn % 2 else -1]:
            if fetch:
                client.fresh()
            took[client].append(client.poll())
            client.check(None)
    bench.report.title(f"{rounds} runs, {'fetching' if fetch else 'nothing new of'} {count:,}")
    for name, client in zip(("sandbox = auto", "sandbox = off"), pair):
        bench.report.row(name, median(took[client]), median(took[client], "cpu"), None,
                         [run.seconds for run in took[client]])
        client.clean()
    return median(took[pair[0]], "cpu") - median(took[pair[1]], "cpu")


ROWS = {"crowd": crowd, "reading": reading, "sandbox": sandbox}
