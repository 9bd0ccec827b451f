#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""--shard: a part of all accounts, from many files or a command, and how much a hundred thousand of
them cost."""
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from crowd import Crowd  # noqa: E402

MANY = 100000 if os.environ.get("FP_LONG") else 20000
WORD = 2 ** 64 - 1


def mix(x):
    x = ((x ^ x >> 30) * 0xbf58476d1ce4e5b9) & WORD
    x = ((x ^ x >> 27) * 0x94d049bb133111eb) & WORD
    return x ^ x >> 31


def owner(server, user, count):
    """The shard of a mailbox, as app/shard.h describes it."""
    digest = hashlib.sha256(server.lower().encode() + b"\0" + user.encode()).digest()
    mailbox = int.from_bytes(digest[:8], "big")
    scores = [mix(mailbox ^ mix(0x9e3779b97f4a7c15 * (i + 1) & WORD)) for i in range(count)]
    return scores.index(max(scores))


def section(i):
    return ('account "a%06d" { server = "Pop%d.example.com" user = "user%06d" '
            'password_file = "/run/secrets/a%06d" maildir = "/srv/mail/a%06d" }\n' % (
                i, i % 50, i, i, i))


def write(path, text):
    with open(path, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
        f.writelines(text)
    return path


# A process of its own between us and the program: the peak of a child begins with its parent's.
WEIGH = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
with open(sys.argv[1], "w") as f:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=f)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(w, path, *args, env=None):
    """(status, what it said, seconds of CPU, peak kB)"""
    weight = tempfile.mktemp(dir=w.top)
    done = subprocess.run([sys.executable, "-c", WEIGH, weight, world.FETCHPOP, "-f", path,
                           "--state-dir", w.state, *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=w.environment(env), text=True)
    with open(weight) as f:
        seconds, peak = f.read().split()
    return done.returncode, done.stdout, float(seconds), int(peak)


def titles(out):
    return list(dict.fromkeys(line.split(":")[0] for line in out.splitlines()))


# ---- which are whose -----------------------------------------------------------------------------

def split_as_described(w):
    path = write(w.path("rc"), "".join(map(section, range(600))))
    for count in (1, 3, 4):
        seen = []
        for index in range(count):
            status, out, _, _ = run(w, path, "--status", "--shard", "%d/%d" % (index, count))
            own = titles(out)
            wanted = ["a%06d" % i for i in range(600)
                      if owner("Pop%d.example.com" % (i % 50), "user%06d" % i, count) == index]
            w.need(status == 0 and own == wanted, "shard %d of %d" % (index, count),
                   own[:5], wanted[:5])
            seen += own
        w.need(len(set(seen)) == len(seen) == 600, "each in one of %d" % count, len(seen))


def refused(w):
    path = write(w.path("rc"), section(1))
    for args, words in ((("--shard", "4/4"), "shard 4 of 4 does not exist"), (("--shard", "x"), "takes I/N"),
                        (("--shard", "0/2", "a000001"), "--shard is for all accounts"),
                        (("--shard", "auto/2"), "SLURM_ARRAY_TASK_ID")):
        status, out, _, _ = run(w, path, *args)
        w.need(status == 64 and words in out, args, status, out)


# ---- polling -------------------------------------------------------------------------------------

def polled(w):
    """Three shards, then four, as Slurm and Kubernetes would number them: each message once."""
    w.fill(2)
    crowd = Crowd(w)
    everybody = [crowd.add("u%02d" % i) for i in range(24)]
    with crowd.server() as server:
        crowd.top = 'metrics = "%s"' % w.path("fetchpop.prom")
        path = crowd.write(server.port)
        for index in range(3):
            status, out, _, _ = run(w, path, "--shard", "auto",
                                    env={"SLURM_ARRAY_TASK_ID": str(index + 1),
                                         "SLURM_ARRAY_TASK_MIN": "1",
                                         "SLURM_ARRAY_TASK_COUNT": "3"})
            w.need(status == 0, "a shard's run", status, out)
            own = [t for t in everybody if os.path.isdir(crowd.maildir(t))]
            wanted = [t for t in everybody if owner("127.0.0.1", t, 3) <= index]
            w.need(own == wanted, "the accounts so far", own, wanted)
        for index in range(3):
            with open(w.path("fetchpop-%d.prom" % index)) as f:
                own = re.findall(r'fetchpop_last_poll_messages\{account="(.*)"\} 2', f.read())
            wanted = [t for t in everybody if owner("127.0.0.1", t, 3) == index]
            w.need(sorted(own) == wanted, "metrics of shard %d" % index, own, wanted)
        crowd.need_mail(everybody, 2)
        w.put("m003")
        for index in range(4):
            status, out, _, _ = run(w, path, "--shard", "auto/4",
                                    env={"JOB_COMPLETION_INDEX": str(index)})
            w.need(status == 0, "a shard's run", status, out)
        crowd.need_mail(everybody, 3)


def none_of_mine(w):
    path = write(w.path("rc"), section(1))
    other = 1 - owner("pop1.example.com", "user000001", 2)
    status, out, _, _ = run(w, path, "--shard", "%d/2" % other)
    w.need(status == 0 and out == "", "a shard without an account", status, out)
    status, out, _, _ = run(w, path, "-v", "--shard", "%d/2" % other)
    w.need("no account of this shard is enabled" in out, "and with -v", out)


# ---- from elsewhere ------------------------------------------------------------------------------

def from_command(w):
    w.fill(1)
    crowd = Crowd(w)
    everybody = [crowd.add("u%02d" % i) for i in range(3)]
    with crowd.server() as server:
        printed = crowd.write(server.port)
        os.rename(printed, w.path("printed"))
        path = write(w.path("rc"), "accounts_command = 'echo a replica >&2; cat %s'\n"
                     % w.path("printed"))
        status, out, _, _ = run(w, path)
        w.need(status == 0 and out == "fetchpop: accounts_command: command: a replica\n",
               "its words are told", status, out)
        crowd.need_mail(everybody, 1)
        write(path, "accounts_command = 'exit 3'\n")
        status, out, _, _ = run(w, path)
        w.need(status == 75 and "accounts_command failed with status 3" in out, "it fails",
               status, out)


# ---- a hundred thousand --------------------------------------------------------------------------

def cheap(w, path, what, megabytes, *args):
    """The clock decides nothing here: other work may be beside it. The aim is 2 s of CPU."""
    status, out, seconds, peak = run(w, path, "--status", *args)
    w.need(status == 0, what, status, out[:300])
    w.need(seconds < 10, "%s: seconds of CPU" % what, seconds)
    if "ASAN_OPTIONS" not in os.environ:
        w.need(peak < megabytes * 1024, "%s: kB at most" % what, peak)
    print("# %s: %.1f s of CPU, %d kB" % (what, seconds, peak))
    return titles(out)


def cheap_file(w):
    path = write(w.path("rc"), map(section, range(MANY)))
    own = cheap(w, path, "one file, shard 3 of 8", 50, "--shard", "3/8")
    w.need(abs(len(own) - MANY / 8) < MANY / 160, "an eighth of them", len(own))
    cheap(w, path, "one file, all", 100)


def cheap_command(w):
    write(w.path("printed"), map(section, range(MANY)))
    path = write(w.path("rc"), "accounts_command = 'cat %s'\n" % w.path("printed"))
    cheap(w, path, "a command, shard 3 of 8", 50, "--shard", "3/8")


def cheap_folder(w):
    os.mkdir(w.path("accounts.d"))
    for i in range(MANY // 5):
        write(w.path("accounts.d/%06d" % i), section(i))
    path = write(w.path("rc"), 'include("accounts.d/*")\n')
    cheap(w, path, "a folder, shard 3 of 8", 50, "--shard", "3/8")


CASES = [
    ("each account is one shard's, and which one is as described", split_as_described),
    ("what makes no sense is refused", refused),
    ("three shards, then four: each message once", polled),
    ("a shard without an account", none_of_mine),
    ("accounts from a command", from_command),
    ("%d accounts in one file" % MANY, cheap_file),
    ("%d accounts from a command" % MANY, cheap_command),
    ("%d files in a folder" % (MANY // 5), cheap_folder),
]

if __name__ == "__main__":
    world.main(CASES)
