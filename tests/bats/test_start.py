#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a poll does not do before it has to: a server that is not there costs no OpenSSL, no SASL
and no flush, a poll with nothing new flushes nothing."""
import os
import re
import shutil
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import world  # noqa: E402
from crowd import Crowd  # noqa: E402

SYNCS = re.compile(r"\b(fsync|fdatasync|syncfs|sync_file_range)\(")
OPENSSL = re.compile(r"openssl\.cnf")
SASL = re.compile(r"sasl2/|/sasl2\"")


def tracing(log):
    """What is put in front of a command."""
    if shutil.which("strace") is None:
        raise world.Skip("no strace here")
    return ("strace", "-f", "-o", log, "-e",
            "trace=open,openat,fsync,fdatasync,syncfs,sync_file_range")


def traced(w, *args, **more):
    """(the run, its system calls about files and flushes)."""
    log = w.path("strace")
    run = w.run(*args, before=tracing(log), env=world.traced(), **more)
    if not os.path.exists(log) or "strace: " in run.err:
        raise world.Skip("strace cannot trace here: %s" % run.err[:200])
    with open(log, encoding="latin-1") as f:
        # The sandbox holds the places that it allows, but reads nothing there.
        return run, [line for line in f if "ENOSYS" not in line and "O_PATH" not in line]


def of(calls, kind):
    return [call.strip() for call in calls if kind.search(call)]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refused(w):
    """Once to make journal and Maildir, then once more with everything there."""
    w.fill(1)
    w.fine()
    pem = w.path("ca.pem")
    with open(pem, "w") as f:
        f.write("never read\n")
    run, calls = traced(w, "--force", port=closed_port(), tls="implicit", tls_ca_file=pem, auth="auto")
    w.need(run.status == 75 and "refuses connections" in run.err, "refused", run)
    w.need(len(calls) > 5, "the trace has nothing to show", calls)
    for what, kind in (("OpenSSL's configuration is read", OPENSSL), ("SASL plugins are", SASL),
                       ("the CA file is", re.compile(re.escape(pem))), ("flushed", SYNCS)):
        w.need(not of(calls, kind), "for a server that is not there: " + what, of(calls, kind)[:3])


def nothing_new(w):
    w.fill(3)
    first, calls = traced(w)
    w.need(first.status == 0 and of(calls, SYNCS), "the first run flushes", first)
    again, calls = traced(w)
    w.need(again.status == 0 and not again.sent("RETR"), "nothing is fetched again", again)
    w.need(not of(calls, SYNCS), "a poll with nothing new flushes", of(calls, SYNCS)[:3])
    w.need(not of(calls, SASL), "USER and PASS load SASL plugins", of(calls, SASL)[:3])


def plain(w):
    """A server that offers all there is: the password goes by PLAIN; Kerberos is for those who have
    no password, and the databases of libsasl2 are for servers."""
    w.fill(1)
    run, calls = traced(w, auth="plain", script='set auth "GSSAPI PLAIN LOGIN"')
    w.need(run.status == 0 and run.sent("AUTH"), "logged in with PLAIN", run)
    w.need(of(calls, SASL), "the trace has nothing to show", calls[-5:])
    heavy = of(calls, re.compile(r"gssapi|libgs2|krb5|sasldb|libdb-"))
    w.need(not heavy, "loaded for PLAIN", heavy[:3])


def several(w):
    """None of the servers speaks TLS, but each worker begins to."""
    log = w.path("strace")
    crowd = Crowd(w)
    for title in ("a", "b", "c"):
        crowd.add(title, tls="implicit")
    before = ("env", *("%s=%s" % item for item in world.traced().items()), *tracing(log))
    with crowd.server() as server:
        crowd.start(server.port, before=before).communicate(timeout=120)
    with open(log, encoding="latin-1") as f:
        calls = [line for line in f if "ENOSYS" not in line and "O_PATH" not in line]
    workers = {line.split()[0] for line in of(calls, re.compile(r"/state"))}
    w.need(len(workers) >= 3, "three workers", workers)
    read = of(calls, OPENSSL)
    w.need(len(read) == 1, "OpenSSL's configuration is read once for all workers", read)


def status(w):
    """There may be a hundred thousand accounts."""
    w.fill(1)
    w.fine()
    run, calls = traced(w, "--status")
    w.need(run.status == 0 and "1 message kept" in run.out, "status", run)
    for ending in ("journal", "note"):
        read = of(calls, re.compile(r"\.%s\"" % ending))
        w.need(len(read) == 1, "the %s is opened once" % ending, read)


CASES = [
    ("a server that is not there: no OpenSSL, no SASL, no CA file, no flush", refused),
    ("a poll with nothing new flushes nothing; USER and PASS load no plugin", nothing_new),
    ("several accounts: OpenSSL starts once for all of them", several),
    ("--status opens an account's journal and its note once", status),
    ("PLAIN: neither Kerberos nor databases are loaded", plain),
]

if __name__ == "__main__":
    world.main(CASES, jobs=2)
