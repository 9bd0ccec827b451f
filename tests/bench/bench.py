#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""How fast is it? Measures fetchpop beside Debian's mpop and beside the wire floor, a client that
throws everything away, and prints medians, ratios, and the aims. See doc/performance.md."""

import argparse
import os
import platform
import shutil
import signal
import sys
import time

import crowd
import lab
import report
import rows

ROWS = {**rows.ROWS, **crowd.ROWS}


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="workloads: " + " ".join(ROWS) + " (default: all)")
    parser.add_argument("workload", nargs="*", metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--quick", action="store_true",
                        help="a tenth of the messages: to see that it works; aims mean little")
    parser.add_argument("--fetchpop", default="./fetchpop", metavar="FILE")
    parser.add_argument("--tools", default="./tests/bench", metavar="DIR",
                        help="where floor, lister and delay were built")
    parser.add_argument("--dir", default="/var/tmp", metavar="DIR",
                        help="where to work: a disk whose fsync is to be measured")
    parser.add_argument("--line", choices=["auto", "relay"], default="auto",
                        help="relay: make the delay in user space even if the kernel could")
    parser.add_argument("--offers", choices=sorted(lab.OFFERS), default="plain",
                        help="what the server offers: PLAIN alone, or SCRAM as well")
    parser.add_argument("--others", action="store_true",
                        help="getmail and fetchmail too, once, in the rows with a slow line")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--svg", metavar="FILE", help="write a plot")
    chosen = parser.parse_args()
    for name in chosen.workload:
        if name not in ROWS:
            parser.error(f"there is no workload {name} ({' '.join(ROWS)})")
    if chosen.rounds < 1:
        parser.error("--rounds: at least 1")
    return chosen


def own_network(chosen):
    """As root: once more in a network namespace, where nobody else's traffic is and the line may
    be made slow."""
    if (chosen.line == "auto" and os.geteuid() == 0 and "FP_BENCH_NETWORK" not in os.environ
            and shutil.which("unshare")):
        if os.spawnlp(os.P_WAIT, "unshare", "unshare", "-n", "true") == 0:
            os.environ["FP_BENCH_NETWORK"] = "own"
            os.execvp("unshare", ["unshare", "-n", "--", sys.executable, "-B", *sys.argv])


def find_tools(chosen):
    tools = {"fetchpop": os.path.abspath(chosen.fetchpop), "mpop": shutil.which("mpop")}
    for name in ("floor", "lister", "delay"):
        tools[name] = os.path.abspath(f"{chosen.tools}/{name}")
    if not tools["mpop"]:
        raise lab.Failed("mpop is not installed (Debian: apt install mpop)")
    if not shutil.which("openssl"):
        raise lab.Failed("openssl is not installed (Debian: apt install openssl)")
    for path in tools.values():
        if not os.access(path, os.X_OK):
            raise lab.Failed(f"{path} is not there; run this by `make bench`")
    for name in ("getmail", "fetchmail") if chosen.others else ():
        tools[name] = shutil.which(name)
        if not tools[name]:
            raise lab.Failed(f"{name} is not installed (Debian: getmail6, fetchmail)")
    return tools


def file_system(folder):
    """Its type, by the longest mount point above it."""
    best, kind = "", "unknown"
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            _, point, this, *_ = line.split()
            if os.path.join(folder, "").startswith(os.path.join(point, "")) and \
                    len(point) >= len(best):
                best, kind = point, this
    return kind


def congestion_control():
    try:
        with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as name:
            return name.read().strip()
    except OSError:
        return "unknown"


def measure_disk(folder):
    """(MB/s of a large file with its fsync, median ms of the fsync of a new small one)."""
    def write(octets):
        begin = time.monotonic()
        with open(f"{folder}/disk", "wb") as out:
            out.write(octets)
            out.flush()
            os.fsync(out.fileno())
        os.unlink(f"{folder}/disk")
        return time.monotonic() - begin

    large = bytes(64 << 20)
    os.sync()
    rate = len(large) / sorted(write(large) for _ in range(3))[1] / 1e6
    return rate, sorted(write(b"x" * 4096) for _ in range(21))[10] * 1e3


def measure(chosen, found):
    the_lab = lab.Lab(chosen.dir, find_tools(chosen), chosen.offers)
    try:
        the_lab.open_line()
        the_lab.start_dovecot()
        connect, echo, rate = the_lab.measure_line()
        about = (f"{platform.machine()}, {os.cpu_count()} processors, {file_system(the_lab.top)}; "
                 f"server offers {chosen.offers}; "
                 f"{'1 round' if chosen.rounds == 1 else f'medians of {chosen.rounds} rounds'}; "
                 f"delay by {the_lab.line}: echo {echo:.1f} ms")
        print(about + f", connect {connect:.1f} ms, {rate:.0f} MB/s")
        print("disk: {:.0f} MB/s, {:.2f} ms for one fsync; load {:.1f}; TCP {}".format(
            *measure_disk(the_lab.top), os.getloadavg()[0], congestion_control()))
        if abs(echo - 2 * lab.DELAY_MS) > 5:
            raise lab.Failed(f"the slow line has {echo:.1f} ms instead of {2 * lab.DELAY_MS}")
        the_lab.start_lister([1000, 10_000, 100_000] + ([] if chosen.quick else [1_000_000]))
        bench = rows.Bench(the_lab, found, chosen)
        for name in chosen.workload or ROWS:
            ROWS[name](bench)
        return about
    finally:
        the_lab.close()


def main():
    chosen = options()
    own_network(chosen)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = report.Report()
    try:
        about = measure(chosen, found)
    except lab.Failed as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    found.conclude()
    if chosen.quick:
        print("(--quick: too few messages for the aims to mean much)")
    if chosen.json:
        found.write_json(chosen.json, about)
    if chosen.svg:
        found.write_svg(chosen.svg, about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
