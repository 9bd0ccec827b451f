#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The sandbox of a worker: a build with a back door (lib/backdoor.c), in which the worker does what
its server says, and which gets nowhere with it."""
import atexit
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
import world  # noqa: E402
from test_controls import variables  # noqa: E402

DENIED = "Permission denied"


def build():
    """The program with the back door, from this build's own library."""
    folder = tempfile.mkdtemp(prefix="door.")
    atexit.register(shutil.rmtree, folder)
    top = os.environ.get("top_srcdir") or os.path.join(HERE, "..", "..")
    built = os.environ.get("top_builddir") or os.path.dirname(world.FETCHPOP)
    get = variables(os.path.join(built, "Makefile"))
    path = os.path.join(folder, "fetchpop")
    line = get("CC") + ["-include", "config.h", "-I" + built, "-I" + os.path.join(top, "src")]
    line += get("CPPFLAGS", "HARDEN_CPPFLAGS", "HARDEN_CFLAGS", "CFLAGS", "HARDEN_LDFLAGS", "LDFLAGS")
    line += ["-Wl,--wrap=reply_parse", "-o", path, os.path.join(top, "src", "main.c"),
             os.path.join(HERE, "lib", "backdoor.c"), os.path.join(built, "libfetchpop.a")]
    line += get("OPENSSL_LIBS", "CONFUSE_LIBS", "SASL_LIBS", "IDN2_LIBS", "STRINGPREP_LIBS",
                "SECCOMP_LIBS", "RESOLV_LIBS", "ICONV_LIBS", "LIBS")
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(shlex.join(line) + "\n" + done.stderr)
    return path


def doctor(w):
    """What is in force here, as --doctor tells it."""
    told = w.run("--doctor").out
    found = re.search(r"sandbox: ok: (.*)", told)
    if not w.need(found, "--doctor tells of the sandbox", told):
        return ""
    return found.group(1)


def knock(w, what, argument, **account):
    """What came of one attempt of the worker's, while the server's greeting asks for it."""
    log = os.path.join(w.state, "door")
    if os.path.exists(log):
        os.unlink(log)
    run = w.run(script='set greeting "DOOR %s %s"' % (what, argument), env={"DOOR_LOG": log}, **account)
    if not w.need(os.path.exists(log), "the worker heard of the back door", run):
        return None
    with open(log) as f:
        return f.read().split("\n")[0]


def check(w, what, argument, **account):
    """Without the sandbox the attempt succeeds, else this shows nothing; in it, it is refused."""
    seen = knock(w, what, argument, sandbox="off", **account)
    w.need(seen == what + ": open", "without the sandbox the door is open", seen)
    seen = knock(w, what, argument, **account)
    w.need(seen == "%s: %s" % (what, DENIED), "in the sandbox it is refused", seen)


def need(w, part):
    if part not in doctor(w):
        raise world.Skip("no %s here: %s" % (part, doctor(w)))


def other_files(w):
    need(w, "Landlock")
    os.mkdir(os.path.join(w.home, ".ssh"))
    key = os.path.join(w.home, ".ssh", "id_ed25519")
    with open(key, "w") as f:
        f.write("private\n")
    check(w, "read", key)
    check(w, "write", os.path.join(w.home, ".profile"))
    check(w, "write", key)


def files_beside(w):
    """What lies beside the destination and the state folder is not theirs."""
    need(w, "Landlock")
    check(w, "write", w.path("beside"))


def places_of_rules(w):
    """A Maildir is one's own, an mbox has its lock beside it."""
    need(w, "Landlock")
    for name in ("lists", "boxes"):
        os.mkdir(w.path(name))
    rules = ("rule { from = a maildir = '%s' }\nrule { from = b mbox = '%s/shop' }\n"
             % (w.path("lists"), w.path("boxes")))
    for name in ("lists", "boxes"):
        check(w, "write", os.path.join(w.path(name), "door"))
        seen = knock(w, "write", os.path.join(w.path(name), "door"), rules=rules)
        w.need(seen == "write: open", "with the rule it may be written to", seen)


def linked_parts(w):
    """Parts of a Maildir and of the state folder lie elsewhere, where links lead."""
    need(w, "Landlock")
    for link, name in ((os.path.join(w.maildir, "new"), "new"), (os.path.join(w.maildir, "tmp"), "tmp"),
                       (os.path.join(w.state, "spool"), "spool")):
        os.makedirs(os.path.dirname(link), 0o700, exist_ok=True)
        os.makedirs(w.path("far/" + name), 0o700)
        os.symlink(w.path("far/" + name), link)
    for name, account in (("m001", {}), ("m002", {"mbox": w.mbox})):
        w.put(name)
        run = w.run("--force", **account)
        w.need(run.status == 0, "delivered through the links", run)
    w.need(os.listdir(w.path("far/new")) != [], "into new/ where that is")


def elsewhere(w):
    found = re.search(r"Landlock (\d+)", doctor(w))
    if not found or int(found.group(1)) < 4:
        raise world.Skip("Landlock here knows nothing of ports: " + doctor(w))
    with socket.create_server(("127.0.0.1", 0)) as other:
        check(w, "connect", other.getsockname()[1])


def agents(w):
    """An agent that holds keys listens on a socket in the file system."""
    need(w, "seccomp")
    if "except for sockets" in doctor(w):
        raise world.Skip("socketcall(2) hides what socket it is")
    path = w.path("agent")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(path)
        agent.listen()
        check(w, "socket", path)


def programs(w):
    if not re.search("seccomp|Landlock [0-9]", doctor(w)):
        raise world.Skip("neither Landlock nor seccomp here")
    marker = w.path("shell-ran")
    check(w, "shell", "touch " + os.path.join(w.state, "ran"))
    seen = knock(w, "shell", "touch " + marker)
    w.need(not os.path.exists(marker), "the shell did not run", seen)


def privileges(w):
    """What it would execute, if it could, would get no rights from set-user-ID."""
    need(w, "no_new_privs")
    check(w, "privileges", "new")


def programs_with_mda(w):
    """Its own command an account may start, for as long as it lives, and no other."""
    need(w, "seccomp")
    w.fill(2)
    mda = "grep -c NoNewPrivs:.0 /proc/self/status >>%s; cat >/dev/null" % w.path("free")
    seen = knock(w, "shell", "true", mda=mda)
    w.need(seen == "shell: " + DENIED, "a shell of the server's is refused", seen)
    with open(w.path("free")) as f:
        w.need(f.read().split() == ["1", "1"], "the mda ran for each message, and could be setuid")


def all_commands(w):
    """However many commands it has, the worker knows them all when it enters the sandbox."""
    need(w, "no_new_privs")
    w.fill(2)
    pipe = os.path.join(HERE, "lib", "socks_server.py")
    w.fine(connect_command=pipe + " pipe $FETCHPOP_PORT", filter_command="cat >/dev/null",
           pipe_through="cat", after_new="cat >>" + w.path("after"),
           mda="cat >>" + w.path("one"),
           rules="rule { from = nobody mda = 'cat >>%s' }\n" % w.path("two"))
    with open(w.path("one")) as one, open(w.path("after")) as after:
        w.need(one.read().count("Subject:") == 2, "both messages went through all of them")
        w.need(after.read().count("\n") == 2, "and after_new heard of both")


def traces(w):
    need(w, "seccomp")
    check(w, "trace", "me")


def signals(w):
    found = re.search(r"Landlock (\d+)", doctor(w))
    if not found or int(found.group(1)) < 6:
        raise world.Skip("Landlock here knows nothing of signals: " + doctor(w))
    seen = knock(w, "signal", "parent", sandbox="off")
    w.need(seen == "signal: open", "without the sandbox the door is open", seen)
    seen = knock(w, "signal", "parent")
    w.need(seen == "signal: Operation not permitted", "in the sandbox it is refused", seen)


def off(w):
    w.account["sandbox"] = "off"
    w.need(doctor(w) == "off", "--doctor says so", doctor(w))


CASES = [
    ("--doctor says that sandbox = off", off),
    ("keys in ~/.ssh are neither read nor written, nor is the rest of the home folder", other_files),
    ("nothing is made beside the destination", files_beside),
    ("the destinations of rules may be written to", places_of_rules),
    ("parts of a Maildir and of the state folder may be links to elsewhere", linked_parts),
    ("no other TCP port is connected to", elsewhere),
    ("no agent's socket is connected to", agents),
    ("a word of the server's starts no shell", programs),
    ("nor where the account has an mda, which is started outside the sandbox", programs_with_mda),
    ("an account with every command there is starts them all", all_commands),
    ("no program gives it new privileges", privileges),
    ("no process is traced", traces),
    ("no other process is signalled", signals),
]

if __name__ == "__main__":
    if os.access(world.FETCHPOP, os.X_OK):
        world.FETCHPOP = build()
    world.main(CASES)
