# SPDX-License-Identifier: ISC
"""The workloads: what is measured, and the aim of each."""

import os
import select
import shutil
import statistics
import subprocess

import clients
import lab
from clients import Fetchmail, Fetchpop, Floor, Getmail, Load, Mpop, WrongResult

KB, MB = 1024, 1024 * 1024
ROUND_TRIP = 2 * lab.DELAY_MS / 1000
CHUNK = 100_000  # messages in one run when a large mailbox is made a seen one


class Bench:
    """Everything a workload needs: lab, report, number of rounds, sizes."""

    def __init__(self, the_lab, report, chosen):
        self.lab, self.report = the_lab, report
        self.rounds, self.quick, self.others = chosen.rounds, chosen.quick, chosen.others
        self.plain = chosen.offers == "plain"
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


def fetch_all(bench, title, load, later=False, others=False):
    """Everything is new in each run, for all three clients; or `later`, to who has been there
    before. With keep = no the mailbox is filled again before each run."""
    def before(client):
        client.fresh()
        if later and client.name == "fetchpop":
            empty_mailbox(bench, load)
            client.poll()
        if not load.keep:
            fill(bench, load)

    def after(client, sample):
        client.check(sample)

    crowd = [bench.client(kind, load) for kind in (Floor, Mpop, Fetchpop)]
    samples = alternate(crowd, bench.rounds, before, after)
    slow = [bench.client(kind, load) for kind in (Getmail, Fetchmail) if others and bench.others]
    for client in slow:
        before(client)
        samples[client.name] = [client.poll()]
        after(client, samples[client.name][0])
    for client in crowd + slow:
        client.clean()
    return samples, show(bench, title, samples)


def fill(bench, load):
    """New mail, which the server has seen: its indexes are made before anything is measured."""
    bench.lab.fill(load.mailbox(), load.users)
    floor = bench.client(Floor, Load(f"{load.name}-fill", load.users, bench.lab.ports["dovecot"],
                                     load.expected, fetch=False, box=load.mailbox()))
    floor.check(floor.poll())


def empty_mailbox(bench, load):
    bench.lab.fill(load.mailbox(), load.users, False)


def ratio(samples, key="seconds", name="fetchpop", of="floor"):
    return median(samples[name], key) / median(samples[of], key)


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


# --- the same, and what was fetched is deleted --------------------------------------------------

def deleted(bench, name, count, size, users=1, where="dovecot"):
    made = bench.lab.mailbox(f"{name}no", count, size, users=users)
    return Load(f"{name}no", users, bench.lab.ports[where], made, keep=False)


def small_no(bench):
    count = bench.scaled(10_000)
    samples, _ = fetch_all(bench, f"{count:,} x 4 KB, TLS, keep = no",
                           deleted(bench, "small", count, 4 * KB))
    bench.report.at_most("fetchpop : floor", ratio(samples), 1.6)
    bench.report.at_least("mpop : fetchpop", ratio(samples, name="mpop", of="fetchpop"), 5)
    floor, own = (median(samples[name], "cpu") / count * 1e6 for name in ("floor", "fetchpop"))
    bench.report.note(f"CPU a message: floor {floor:.0f} us, fetchpop {own:.0f} us")
    bench.report.at_most("CPU a message, fetchpop : floor", own / floor, 42 / 13)


def medium_no(bench):
    count = bench.scaled(1000)
    samples, _ = fetch_all(bench, f"{count:,} x 100 KB, TLS, keep = no",
                           deleted(bench, "medium", count, 100 * KB))
    bench.report.at_most("fetchpop : floor", ratio(samples), 1.15)


def large_no(bench):
    size = bench.scaled(64) * MB
    samples, _ = fetch_all(bench, f"4 x {size // MB} MB, TLS, keep = no",
                           deleted(bench, "large", 4, size))
    bench.report.at_most("fetchpop : floor", ratio(samples), 1.05)
    bench.report.at_most("CPU, fetchpop : floor", ratio(samples, "cpu"), 1.2)


def far_no(bench):
    count = bench.scaled(1000, 200)
    bench.lab.far(True)
    try:
        load = deleted(bench, "far", count, 4 * KB, where="far")
        title = f"{count:,} x 4 KB, 50 ms, keep = no"
        first, _ = fetch_all(bench, title + ", a first poll", load, others=True)
        bench.report.at_most("fetchpop : floor", ratio(first), 1.3 if bench.plain else 1.45)
        later, _ = fetch_all(bench, title + ", later", load, later=True)
        if bench.plain:
            bench.report.at_most("fetchpop : floor", ratio(later), 1.22)
    finally:
        bench.lab.far(False)


def long_no(bench):
    count = bench.scaled(10_000)
    bench.lab.far(True)
    try:
        samples, _ = fetch_all(bench, f"{count:,} x 4 KB, 50 ms, keep = no",
                               deleted(bench, "long", count, 4 * KB, where="far"))
    finally:
        bench.lab.far(False)
    bench.report.at_most("fetchpop : floor", ratio(samples), 1.5)


def many_no(bench):
    count = bench.scaled(200, 50)
    bench.lab.far(True)
    try:
        samples, _ = fetch_all(bench, f"16 accounts x {count} x 4 KB, 50 ms, keep = no",
                               deleted(bench, "many", count, 4 * KB, users=16, where="far"))
    finally:
        bench.lab.far(False)
    bench.report.at_most("fetchpop : floor", ratio(samples), 1.3)


# --- round trips and flushes: counted, whatever else the machine does ----------------------------

def count_trips(counter, client):
    """Round trips of one run, TCP's included."""
    client.check(client.poll())
    if not select.select([counter.stdout], [], [], 10)[0]:
        raise WrongResult(f"{client.name}, {client.load.name}: its connection did not end")
    return int(counter.stdout.readline())


def trips(bench):
    counter = bench.lab.start_counter()
    bench.report.title("round trips, the least of three")
    for count, keep in ((0, True), (1, True), (1, False), (bench.scaled(1000), True),
                        (bench.scaled(1000), False), (bench.scaled(10_000), False)):
        made = bench.lab.mailbox(f"trips{count}", count, 4 * KB)
        load = Load(f"trips{count}-{'yes' if keep else 'no'}", 1, bench.lab.ports["counter"], made,
                    keep=keep, box=f"trips{count}")
        found = {}
        for kind, later in ((Floor, False), (Mpop, False), (Fetchpop, False), (Fetchpop, True)):
            client = bench.client(kind, load)
            found[kind.name + (", later" if later else "")] = min(
                one_count(bench, counter, client, later) for _ in range(3))
            client.clean()
        what = f"{count:,} messages, keep = {'yes' if keep else 'no'}"
        bench.report.note(f"{what}: " + ", ".join(f"{k} {v}" for k, v in found.items()))
        for name, number in found.items():
            bench.report.figure(f"{what}, {name}", number)
        if bench.plain and (count, keep) in ((0, True), (1, False)):
            least = 5 if count == 0 else 7
            bench.report.at_most(f"round trips, {what}", found["fetchpop"], least + 1)
            bench.report.at_most(f"round trips, {what}, later", found["fetchpop, later"], least)
    bench.lab.stop(counter)


def one_count(bench, counter, client, later):
    client.fresh()
    if later:
        empty_mailbox(bench, client.load)
        expected, client.load.expected = client.load.expected, []
        count_trips(counter, client)
        client.load.expected = expected
    fill(bench, client.load)
    return count_trips(counter, client)


def flushes(bench):
    if not shutil.which("strace"):
        bench.report.title("flushes: strace is not installed")
        return
    bench.report.title("flushes of a poll, keep = no, later")
    found = {}
    for count in (1, 500, 2000):
        made = bench.lab.mailbox(f"flushes{count}", count, 4 * KB)
        load = Load(f"flushes{count}", 1, bench.lab.ports["dovecot"], made, keep=False)
        client = bench.client(Fetchpop, load)
        empty_mailbox(bench, load)
        client.poll()
        fill(bench, load)
        seen_calls = count_calls(client)
        found[count] = sum(seen_calls.get(call, 0) for call in ("fsync", "fdatasync", "syncfs"))
        client.clean()
    bench.report.note(", ".join(f"{number} for {count:,}" for count, number in found.items()))
    bench.report.at_most("flushes, one new message", found[1], 5)
    bench.report.at_most("flushes for 500 messages more", (found[2000] - found[500]) / 3, 4)


# --- rows 4 to 6: the long line -----------------------------------------------------------------

def far(bench):
    count = bench.scaled(1000, 200)
    made = bench.lab.mailbox("far", count, 4 * KB)
    bench.lab.far(True)
    try:
        load = Load("far", 1, bench.lab.ports["far"], made)
        _, took = fetch_all(bench, f"{count:,} x 4 KB, 50 ms", load, others=True)
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
    if bench.plain:
        bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.05)
        bench.report.at_most("round trips long", took["fetchpop"] / ROUND_TRIP, 5.4)


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
    bench.report.at_most(f"resident at most, {10 * count:,}, MB",
                         peak(make_seen(bench, 10 * count)[0])[2] / KB, 60)


class Sorter(Fetchpop):
    """Ten rules, each of which needs the header of each message; the last has all of them left."""
    more = "".join(f"    rule {{ {rule} action = leave }}\n" for rule in (
        'subject = "[spam]*"', 'from = "*@lists.example.org"', 'to = "*+shop@*"',
        "subject = '/^(re|aw): .*lottery/'", 'header = "List-Id: *announce*"',
        'header = "X-Spam-Flag: yes"', "from = '/@(one|two|three)\\.example$/'",
        'not_header = "Message-ID: *"', 'subject = "*unsubscribe*"', 'header = "Message-ID: *"'))


def rules(bench):
    """Nothing is fetched: what rules cost beside asking for each header."""
    count = bench.scaled(100_000)
    made = bench.lab.mailbox("crowd", count, KB)
    load = Load("crowdrules", 1, bench.lab.ports["dovecot"], made, fetch=False, tops=True,
                box="crowd")
    crowd = [bench.client(kind, load) for kind in (Floor, Sorter)]

    def check(client, sample):
        if client.name == "floor":
            client.check(sample)
        elif sample.status != 0 or os.listdir(f"{client.maildir(0)}/new"):
            raise WrongResult(f"fetchpop did not leave all: {sample.output.strip()[-500:]}")

    samples = alternate(crowd, bench.rounds, lambda client: client.fresh(), check)
    took = show(bench, f"{count:,} x 1 KB, ten rules, all by TOP", samples)
    bench.report.at_most("fetchpop : floor", took["fetchpop"] / took["floor"], 1.3)


def seen_dovecot(bench, count):
    made = bench.lab.mailbox("crowd", count, KB)
    load = Load("crowd", 1, bench.lab.ports["dovecot"], made, fetch=False)
    crowd = [bench.client(kind, load) for kind in (Floor, Fetchpop)]
    for client in crowd:
        client.check(client.poll())
    empty(crowd[1])
    state = f"{crowd[1].folder}/state"
    shutil.copytree(state, f"{state}.first")

    def as_after_the_first(client):
        if client.name == "fetchpop":
            shutil.rmtree(state)
            shutil.copytree(f"{state}.first", state)

    for before, words in ((as_after_the_first, "right after the first poll"), (nothing, "later")):
        samples = alternate(crowd, max(bench.rounds, 3), before, stay_seen)
        show(bench, f"{count:,} seen messages (Dovecot), {words}", samples, rate=False)
        bench.report.at_most("fetchpop : floor", ratio(samples), 1.05)
        before(crowd[1])
        bench.report.at_most("resident at most, MB", peak(crowd[1])[2] / KB, 16)
    for client in crowd:
        client.clean()


def nothing(client):
    del client


# --- row 8: memory ------------------------------------------------------------------------------

def peak(client, fetched=None):
    """kB in one run; (private of the parent, private of any process at most, resident of any at
    most)."""
    parent, most, resident, status = clients.watch_memory(client.commands()[0], client.folder)
    if status != 0:
        raise WrongResult(f"{client.name}, memory: exit status {status}")
    if fetched is not None:
        client.check(fetched)
    return parent, most, resident


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
    for keep in (True, False):
        load = Load("calls" if keep else "callsno", 1, bench.lab.ports["dovecot"], made, keep=keep,
                    box="calls")
        count_all_calls(bench, load)


def count_all_calls(bench, load):
    count = len(load.expected)
    bench.report.title(f"system calls a message ({count:,} x 4 KB), "
                       f"keep = {'yes' if load.keep else 'no'}")
    for kind in (Floor, Mpop, Fetchpop):
        client = bench.client(kind, load)
        if not load.keep:
            fill(bench, load)
        found = count_calls(client)
        total = found.pop("total")
        most = sorted(found.items(), key=lambda item: -item[1])[:7]
        bench.report.figure(f"calls a message, {client.name}", total / count)
        bench.report.note(f"{client.name:9} {total / count:5.1f}  " + ", ".join(
            f"{name} {number / count:.2f}" for name, number in most))
        client.clean()
    if not load.keep:
        bench.report.at_most("calls a message, fetchpop", total / count, 5.0)


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


ROWS = {"small": small, "medium": medium, "large": large, "far": far, "many": many,
        "small-no": small_no, "medium-no": medium_no, "large-no": large_no, "far-no": far_no,
        "long-no": long_no, "many-no": many_no, "idle": idle, "trips": trips, "flushes": flushes,
        "seen": seen, "rules": rules, "memory": memory, "start": start, "calls": calls, "growth": growth}
