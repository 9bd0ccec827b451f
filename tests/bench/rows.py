"""The workloads: what is measured, and the aim of each."""

import os
import shutil
import statistics
import subprocess

import clients
import lab
from clients import Fetchpop, Floor, Load, Mpop, WrongResult

KB, MB = 1024, 1024 * 1024
ROUND_TRIP = 2 * lab.DELAY_MS / 1000
CHUNK = 100_000  # messages in one run when a large mailbox is made a seen one


class Bench:
    """Everything a workload needs: lab, report, number of rounds, sizes."""

    def __init__(self, the_lab, report, rounds, quick):
        self.lab, self.report, self.rounds, self.quick = the_lab, report, rounds, quick
        self.known = {}  # seen mailboxes on the lister, by number of messages

    def scaled(self, number, least=1):
        return max(number // 10, least) if self.quick else number

    def client(self, kind, load):
        return kind(self.lab.tools[kind.name], self.lab, load)


def alternate(crowd, rounds, before, after):
    """Samples of each client: {name: [...]}, the order turned by one each round. One run of the
    first goes before, to warm the server's caches."""
    samples = {client.name: [] for client in crowd}
    before(crowd[0])
    crowd[0].poll()
    for turn in range(rounds):
        at = turn % len(crowd)
        for client in crowd[at:] + crowd[:at]:
            before(client)
            os.sync()
            sample = client.poll()
            after(client, sample)
            samples[client.name].append(sample)
    return samples


def median(samples, key="seconds"):
    return statistics.median(getattr(sample, key) for sample in samples)


def show(bench, title, samples, rate=True):
    """The rows of one workload; returns the medians of seconds."""
    floor = median(samples["floor"])
    bench.report.title(title)
    for name, runs in samples.items():
        note = ""
        if name == "floor" and rate:
            note = f"{statistics.median(Floor.rate(run) for run in runs):.0f} MB/s on the wire"
        bench.report.row(name, median(runs), median(runs, "cpu"), median(runs) / floor,
                         [run.seconds for run in runs], note)
    return {name: median(runs) for name, runs in samples.items()}


def fetch_all(bench, title, load):
    """Everything is new in each run, for all three clients."""
    crowd = [bench.client(kind, load) for kind in (Floor, Mpop, Fetchpop)]
    samples = alternate(crowd, bench.rounds, lambda client: client.fresh(),
                        lambda client, sample: client.check(sample))
    for client in crowd:
        client.clean()
    return samples, show(bench, title, samples)


# --- rows 1 to 3: the wire, the disk, the processor ---------------------------------------------

def small(bench):
    count = bench.scaled(10_000)
    made = bench.lab.mailbox("small", count, 4 * KB)
    load = Load("small", 1, bench.lab.ports["dovecot"], made)
    _, took = fetch_all(bench, f"{count:,} x 4 KB, TLS", load)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.6)
    bench.report.at_least("mpop : fetchpop", took["mpop"] / took["fetchpop"], 4)


def medium(bench):
    count = bench.scaled(1000)
    made = bench.lab.mailbox("medium", count, 100 * KB)
    load = Load("medium", 1, bench.lab.ports["dovecot"], made)
    _, took = fetch_all(bench, f"{count:,} x 100 KB, TLS", load)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.15)


def large(bench):
    size = bench.scaled(64) * MB
    made = bench.lab.mailbox("large", 4, size)
    load = Load("large", 1, bench.lab.ports["dovecot"], made)
    samples, took = fetch_all(bench, f"4 x {size // MB} MB, TLS", load)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.05)
    bench.report.at_most("CPU, fetchpop : mpop",
                         median(samples["fetchpop"], "cpu") / median(samples["mpop"], "cpu"), 0.75)


# --- rows 4 to 6: the long line -----------------------------------------------------------------

def far(bench):
    count = bench.scaled(1000, 200)
    made = bench.lab.mailbox("far", count, 4 * KB)
    bench.lab.far(True)
    try:
        load = Load("far", 1, bench.lab.ports["far"], made)
        _, took = fetch_all(bench, f"{count:,} x 4 KB, 50 ms", load)
    finally:
        bench.lab.far(False)
    for name, seconds in took.items():
        bench.report.note(f"{name}: {seconds / ROUND_TRIP:.1f} round trips long")
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.2)


def many(bench):
    count = bench.scaled(200, 50)
    made = bench.lab.mailbox("many", count, 4 * KB, users=16)
    bench.lab.far(True)
    try:
        load = Load("many", 16, bench.lab.ports["far"], made)
        _, took = fetch_all(bench, f"16 accounts x {count} x 4 KB, 50 ms, all at once", load)
    finally:
        bench.lab.far(False)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.3)


def nothing_new(bench, name, where, rounds):
    """Polls of a mailbox whose messages have all been fetched before."""
    made = bench.lab.mailbox("idle", 100, 4 * KB)
    load = Load(name, 1, where, made, fetch=False, user_name="idle0")
    crowd = [bench.client(kind, load) for kind in (Floor, Mpop, Fetchpop)]
    for client in crowd:
        client.check(client.poll())

    def same(client, sample):
        client.check(sample)  # neither one more nor one less than before

    samples = alternate(crowd, rounds, lambda client: None, same)
    return crowd, samples


def idle(bench):
    rounds = max(bench.rounds, 3)
    _, near = nothing_new(bench, "idlenear", bench.lab.ports["dovecot"], rounds)
    bench.lab.far(True)
    try:
        _, samples = nothing_new(bench, "idle", bench.lab.ports["far"], rounds)
    finally:
        bench.lab.far(False)
    took = show(bench, "poll with nothing new (100 seen), 50 ms", samples, rate=False)
    for name, seconds in took.items():
        trips = (seconds - median(near[name])) / ROUND_TRIP
        bench.report.note(f"{name}: {seconds / ROUND_TRIP:.1f} round trips long, {trips:.1f} of "
                          f"them waiting; {median(near[name]) * 1e3:.1f} ms without the delay")
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.1)


# --- row 7: mailboxes that are large and seen ---------------------------------------------------

def make_seen(bench, count):
    """A fetchpop that has fetched all of the lister's `count` messages, and a floor beside it."""
    if count in bench.known:
        return bench.known[count]
    load = Load(f"seen{count}", 1, bench.lab.ports["lister"], [None] * count, fetch=False,
                user_name=f"n{count}")
    seen = bench.client(Fetchpop, load)
    took = cpu = got = 0
    while got < count:
        sample = clients.run([seen.commands()[0] + ["-B", str(CHUNK)]], seen.folder)
        new = len(os.listdir(f"{seen.maildir(0)}/new"))
        if sample.status != 0 or new != min(CHUNK, count - got):
            raise WrongResult(f"fetchpop, {count:,} to be seen: {new} came, exit status "
                              f"{sample.status}: {sample.output.strip()[-500:]}")
        took, cpu, got = took + sample.seconds, cpu + sample.cpu, got + new
        empty(seen)
    bench.known[count] = (seen, bench.client(Floor, load), took, cpu)
    return bench.known[count]


def empty(client):
    """The reader takes the mail away."""
    client.lab.set_aside(f"{client.maildir(0)}/new")
    os.makedirs(f"{client.maildir(0)}/new", exist_ok=True)


def stay_seen(client, sample):
    if client.name == "floor":
        client.check(sample)
    elif os.listdir(f"{client.maildir(0)}/new"):
        raise WrongResult("fetchpop fetched what it had seen before")


def poll_seen(bench, count):
    seen, floor, _, _ = make_seen(bench, count)
    return alternate([floor, seen], max(bench.rounds, 3), lambda client: None, stay_seen)


def seen(bench):
    """The aim beside the floor is Dovecot's row. The lister has its listings ready and sends them
    as fast as the wire goes: there the client's own work is all that is seen, and how it grows."""
    count = bench.scaled(100_000)
    seen_dovecot(bench, count)
    took = show(bench, f"{count:,} seen messages (lister)", poll_seen(bench, count), rate=False)
    space = os.statvfs(bench.lab.top)
    if space.f_bavail * space.f_frsize < 60_000 * count or space.f_favail < 12 * count:
        bench.report.title(f"{10 * count:,} seen messages: left out, {bench.lab.top} has too "
                           "little room for them")
        return
    more = show(bench, f"{10 * count:,} seen messages (lister)", poll_seen(bench, 10 * count),
                rate=False)
    bench.report.at_most(f"fetchpop, {10 * count:,} : {count:,}",
                         more["fetchpop"] / took["fetchpop"], 10)


def seen_dovecot(bench, count):
    made = bench.lab.mailbox("crowd", count, KB)
    load = Load("crowd", 1, bench.lab.ports["dovecot"], made, fetch=False)
    crowd = [bench.client(kind, load) for kind in (Floor, Fetchpop)]
    for client in crowd:
        client.check(client.poll())
    empty(crowd[1])
    samples = alternate(crowd, max(bench.rounds, 3), lambda client: None, stay_seen)
    for client in crowd:
        client.clean()
    took = show(bench, f"{count:,} seen messages (Dovecot)", samples, rate=False)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.05)


# --- row 8: memory ------------------------------------------------------------------------------

def peak(client, fetched=None):
    """kB of private memory in one run; (parent, most of any process)."""
    parent, most, status = clients.watch_memory(client.commands()[0], client.folder)
    if status != 0:
        raise WrongResult(f"{client.name}, memory: exit status {status}")
    if fetched is not None:
        client.check(fetched)
    return parent, most


def memory(bench):
    bench.lab.far(True)
    try:
        crowd, _ = nothing_new(bench, "idlememory", bench.lab.ports["far"], 1)
        base = {client.name: peak(client)[1] for client in crowd}
    finally:
        bench.lab.far(False)
    bench.report.title("private memory (RssAnon), kB at most in any process")
    bench.report.note(", ".join(f"{name} {kb:,}" for name, kb in base.items()) + ": an empty poll")
    for name, count, size in (("small", bench.scaled(10_000), 4 * KB),
                              ("medium", bench.scaled(1000), 100 * KB),
                              ("large", 4, bench.scaled(64) * MB)):
        made = bench.lab.mailbox(name, count, size)
        load = Load(name, 1, bench.lab.ports["dovecot"], made)
        found = {}
        for kind in (Mpop, Fetchpop):
            client = bench.client(kind, load)
            found[kind.name] = peak(client, made)[1]
            client.clean()
        bench.report.note(f"mpop {found['mpop']:,}, fetchpop {found['fetchpop']:,}: "
                          f"{count:,} x {size // KB:,} KB")
        bench.report.at_most(f"above an empty poll, MB: {count:,} x {size // KB:,} KB",
                             (found["fetchpop"] - base["fetchpop"]) / KB, 2)
    count = bench.scaled(100_000)
    grown = peak(make_seen(bench, count)[0])[1]
    bench.report.note(f"fetchpop {grown:,}: {count:,} seen messages")
    bench.report.at_most(f"above an empty poll, MB: {count:,} seen",
                         (grown - base["fetchpop"]) / KB, 6)


# --- row 9: the start of the program ------------------------------------------------------------

def start(bench):
    load = Load("start", 1, ("127.0.0.1", lab.free_port()), [])
    times = bench.scaled(40, 10)
    pair = [bench.client(kind, load) for kind in (Mpop, Fetchpop)]
    version = [[[bench.lab.tools["mpop"], "--version"]], [[bench.lab.tools["fetchpop"], "-V"]]]
    refused = [client.commands() for client in pair]
    for title, commands in (("start of the program: its version", version),
                            ("start of the program: connection refused", refused)):
        samples = {"mpop": [], "fetchpop": []}
        for turn in range(times):
            for at in (0, 1) if turn % 2 else (1, 0):
                sample = clients.run(commands[at], pair[at].folder)
                if (sample.status == 0) != (commands is version):
                    raise WrongResult(f"{pair[at].name}: exit status {sample.status}: "
                                      f"{sample.output.strip()[-300:]}")
                samples[pair[at].name].append(sample)
        bench.report.title(title)
        for name, runs in samples.items():
            bench.report.row(name, median(runs), median(runs, "cpu"), None,
                             [run.seconds for run in runs])
        bench.report.at_most("fetchpop : mpop",
                             median(samples["fetchpop"]) / median(samples["mpop"]), 1)


# --- beside the table ---------------------------------------------------------------------------

def calls(bench):
    if not shutil.which("strace"):
        bench.report.title("system calls a message: strace is not installed")
        return
    count = bench.scaled(2000)
    made = bench.lab.mailbox("calls", count, 4 * KB)
    load = Load("calls", 1, bench.lab.ports["dovecot"], made)
    bench.report.title(f"system calls a message ({count:,} x 4 KB)")
    for kind in (Floor, Mpop, Fetchpop):
        client = bench.client(kind, load)
        found = count_calls(client)
        total = found.pop("total")
        most = sorted(found.items(), key=lambda item: -item[1])[:7]
        bench.report.figure(f"calls a message, {client.name}", total / count)
        bench.report.note(f"{client.name:9} {total / count:5.1f}  " + ", ".join(
            f"{name} {number / count:.2f}" for name, number in most))
        client.clean()


def count_calls(client):
    """{call: how often}, with "total"."""
    path = f"{client.folder}/strace"
    subprocess.run(["strace", "-f", "-c", "-o", path, *client.commands()[0]], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=clients.RUN_LIMIT,
                   env={"HOME": client.folder, "PATH": os.environ["PATH"]})
    found = {}
    with open(path, encoding="ascii", errors="replace") as table:
        for line in table:
            words = line.split()
            if len(words) >= 5 and words[3].isdigit():
                found[words[-1]] = int(words[3])
    return found


def growth(bench):
    series = {"floor": [], "fetchpop": [], "fetch": [], "memory": []}
    bench.report.title("growth with messages (lister): seconds of a poll with all seen, of "
                       "fetching them; kB")
    for count in [1000, 10_000] if bench.quick else [1000, 10_000, 100_000]:
        samples = poll_seen(bench, count)
        client, _, took, _ = make_seen(bench, count)
        kb = peak(client)[1]
        for key, value in (("floor", median(samples["floor"])), ("fetch", took), ("memory", kb),
                           ("fetchpop", median(samples["fetchpop"]))):
            series[key].append((count, value))
        bench.report.note(f"{count:9,}  floor {median(samples['floor']):7.3f}  fetchpop "
                          f"{median(samples['fetchpop']):7.3f}  fetching {took:7.2f}  {kb:,} kB")
    bench.report.series("messages", series)
    accounts(bench)


def accounts(bench):
    series = {"floor": [], "fetchpop": [], "parent": []}
    sizes = [1, 16, 100] if bench.quick else [1, 16, 100, 500]
    made = bench.lab.mailbox("account", 5, 4 * KB, users=sizes[-1])
    bench.report.title("growth with accounts (5 x 4 KB each, 16 at once): seconds; kB of the "
                       "parent")
    for count in sizes:
        load = Load("account", count, bench.lab.ports["dovecot"], made)
        crowd = [bench.client(kind, load) for kind in (Floor, Fetchpop)]
        samples = alternate(crowd, min(bench.rounds, 3), lambda client: client.fresh(),
                            lambda client, sample: client.check(sample))
        crowd[1].fresh()
        kb = peak(crowd[1])[0]
        for client in crowd:
            client.clean()
        for name in ("floor", "fetchpop"):
            series[name].append((count, median(samples[name])))
        series["parent"].append((count, kb))
        bench.report.note(f"{count:9,}  floor {median(samples['floor']):7.3f}  fetchpop "
                          f"{median(samples['fetchpop']):7.3f}  {kb:,} kB")
    bench.report.series("accounts", series)
    least, most = series["parent"][0], series["parent"][-1]
    bench.report.at_most("kB of the parent for each account more",
                         (most[1] - least[1]) / (most[0] - least[0]), 2)


ROWS = {"small": small, "medium": medium, "large": large, "far": far, "many": many, "idle": idle,
        "seen": seen, "memory": memory, "start": start, "calls": calls, "growth": growth}
