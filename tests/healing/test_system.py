#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Root, users, commands, daemons: the machine around it, and that exit 0 is earned."""
import errno
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import heal  # noqa: E402

ALICE = 12345
TREE = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")


def root():
    if os.geteuid() != 0:
        raise heal.Skip("only root can try this")


def as_alice():
    root()
    if heal.in_silence(["setpriv", "--version"], os.environ, 5)[0] != 0:
        raise heal.Skip("no setpriv")
    return ("setpriv", "--reuid=%d" % ALICE, "--regid=%d" % ALICE, "--clear-groups")


# ---- root delivers for a user -----------------------------------------------------------------------

def home_of_alice(w):
    root()
    os.chmod(w.top, 0o755)
    home = w.path("alice")
    os.mkdir(home, 0o755)
    os.chown(home, ALICE, ALICE)
    return home


def maildir_in(folder, owner):
    for sub in ("", "new", "cur", "tmp"):
        os.mkdir(os.path.join(folder, sub))
        os.chown(os.path.join(folder, sub), owner, owner)


def is_hers(w, top):
    """Everything below is alice's, and she can read it."""
    for folder, _, files in os.walk(top):
        for path in [folder] + [os.path.join(folder, name) for name in files]:
            owner = os.lstat(path)
            w.need((owner.st_uid, owner.st_gid) == (ALICE, ALICE), "hers: %s" % path,
                   (owner.st_uid, owner.st_gid))


def into_her_maildir(exists, keep):
    def case(w):
        home = home_of_alice(w)
        place = os.path.join(home, "Mail")
        if exists:
            maildir_in(place, ALICE)
        names = w.fill(3)
        run = w.run(maildir=place, keep=keep)
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, names, place)
        is_hers(w, place)
        w.fine(maildir=place, keep=keep)
    return case


def into_new_folders(w):
    """Folders that are made on the way are hers, too."""
    home = home_of_alice(w)
    os.mkdir(os.path.join(home, "Mail"))
    os.chown(os.path.join(home, "Mail"), ALICE, ALICE)
    w.fill(1)
    run = w.run(maildir=os.path.join(home, "Mail", "inbox"))
    w.need(run.status == 0, "exit status", run)
    is_hers(w, os.path.join(home, "Mail"))


def into_her_mbox(exists):
    def case(w):
        home = home_of_alice(w)
        place = os.path.join(home, "inbox")
        if exists:
            with open(place, "w"):
                pass
            os.chown(place, ALICE, ALICE)
        names = w.fill(3)
        run = w.run(mbox=place, keep="no")
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, names, place)
        is_hers(w, home)
    return case


def links_of_hers(sub, kind):
    """A symbolic link in her home leads nowhere with root's rights."""
    def case(w):
        home = home_of_alice(w)
        place = os.path.join(home, "Mail")
        secret = w.path("root-only")
        if kind == "maildir":
            maildir_in(secret, 0)
            maildir_in(place, ALICE)
            target = os.path.join(place, sub) if sub else place
            subprocess.run(["rm", "-rf", target], check=True)
            os.symlink(os.path.join(secret, sub) if sub else secret, target)
        else:
            with open(secret, "w"):
                pass
            target = place
            os.symlink(secret, target)
        os.chmod(secret, 0o700)
        os.lchown(target, ALICE, ALICE)
        before = tree(secret)
        w.fill(2)
        run = w.run(**{kind: place}, keep="no")
        w.need(tree(secret) == before, "nothing is written where only root may", tree(secret), run)
        w.need(run.status != 0 and len(w.left()) == 2, "refused; it is on the server still", run)
    return case


def tree(path):
    if os.path.isfile(path):
        with open(path, "rb") as f:
            return f.read()
    return sorted(os.path.join(t, n) for t, d, f in os.walk(path) for n in d + f)


def link_in_new(w):
    """Links among her messages or in tmp/ are not followed by the sweep, either."""
    home = home_of_alice(w)
    place = os.path.join(home, "Mail")
    maildir_in(place, ALICE)
    precious = w.path("precious")
    with open(precious, "w") as f:
        f.write("keep me")
    os.utime(precious, (0, 0))
    os.symlink(precious, os.path.join(place, "tmp", "1.P1.x"))
    w.fill(1)
    w.run(maildir=place)
    with open(precious) as f:
        w.need(f.read() == "keep me", "it is as it was")


def own_things_of_root(w):
    root()
    names = w.fill(2)
    w.fine(keep="no")
    w.need_each(1, names)
    owner = {os.stat(os.path.join(w.maildir, "new", n)).st_uid for n in os.listdir(w.maildir + "/new")}
    w.need(owner == {0}, "root's own Maildir stays root's", owner)


# ---- commands ---------------------------------------------------------------------------------------

BAD_ADDRESSES = ["-be", "-froot@example.org", "--help", "-X/tmp/log@example.com", "<-oQ/tmp@example.org>",
                 "\"-be\"@example.org", " -be", "a\tb@example.org", "a\x01b@example.org",
                 "a\x7fb@example.org", "\xff-x@example.org"]


def address_is_safe(field, name):
    """Never begins with "-", holds no control characters; what does is left empty."""
    def case(w):
        for i, bad in enumerate(BAD_ADDRESSES):
            w.put_raw("m%03d" % i, ("%s: %s\nSubject: x\n\nbody\n" % (field, bad)).encode("latin-1"))
        w.put_raw("m900", ("%s: bob@example.org\nSubject: x\n\nbody\n" % field).encode())
        out = w.path("out")
        run = w.run(mda='cat >/dev/null; printf "<%%s>\\n" "$%s" >>%s' % (name, out))
        w.need(run.status == 0, "exit status", run)
        with open(out, "rb") as f:
            seen = f.read().split(b"\n")[:-1]
        w.need(len(seen) == len(BAD_ADDRESSES) + 1, "all were handed on", seen)
        w.need(not [s for s in seen if s.startswith(b"<-")], "none begins with a dash", seen)
        w.need(not [s for s in seen if re.search(rb"[\x00-\x1f\x7f]", s)], "no control character", seen)
        w.need(seen[-1] == b"<bob@example.org>", "an address is an address", seen[-1])
    return case


def quoted_newline(w):
    """A folded field, or an encoded line end, never becomes a second line."""
    w.put_raw("m001", b"To: a@example.org\n -be\nFrom: =?utf-8?q?x=0A-be?= <b@example.org>\n\nx\n")
    out = w.path("out")
    w.run(mda='cat >/dev/null; printf "%%s|%%s|" "$FETCHPOP_RECIPIENT" "$FETCHPOP_SENDER" >%s' % out)
    with open(out) as f:
        said = f.read()
    w.need("\n" not in said and not said.startswith("-"), "one line", said)


def umask_of_user(w):
    w.fill(1)
    out = w.path("umask")
    for mask in ("007", "022"):
        w.put("m" + mask)
        w.run(before=("sh", "-c", 'umask %s; exec "$@"' % mask, "sh"),
              mda="cat >/dev/null; umask >%s" % out)
        with open(out) as f:
            w.need(int(f.read(), 8) == int(mask, 8), "umask " + mask)


def umask_not_ours(w):
    """Ours stays what it is: files in the state folder and the Maildir are private."""
    w.fill(1)
    w.run(before=("sh", "-c", 'umask 000; exec "$@"', "sh"))
    for top in (w.state, w.maildir):
        for folder, _, files in os.walk(top):
            for name in files:
                mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
                w.need(mode & 0o077 == 0, "private: " + name, oct(mode))


def pipeline_is_shown(w):
    with open(os.path.join(TREE, "doc", "fetchpop.1")) as f:
        section = f.read().partition(".Sh DELIVERY TO A COMMAND")[2].partition("\n.Sh ")[0]
    w.need("pipefail" in section and re.search(r"(?i)pipeline", section), "the manual shows pipefail")
    w.need("FETCHPOP_SIZE" in section, "and FETCHPOP_SIZE")
    w.need("--" in section.replace(r"\-", "-"), "and -- before addresses")


def pipeline_fails(w):
    """With what the manual shows nothing is lost."""
    if heal.in_silence(["bash", "--version"], os.environ, 5)[0] != 0:
        raise heal.Skip("no bash")
    names = w.fill(1)
    out = w.path("out")
    run = w.run(keep="no", mda='bash -o pipefail -c "(exit 69) | cat >>%s"' % out)
    w.need(run.status != 0 and w.left() == names, "not delivered, not deleted", run, w.left())


def size_is_told(w):
    w.put("m001", size=1000)
    out = w.path("out")
    w.run(mda='test "$(cat | wc -c)" -eq "$FETCHPOP_SIZE" && echo right >%s' % out)
    w.need(os.path.exists(out), "FETCHPOP_SIZE is what is read")


# ---- no process, no link ------------------------------------------------------------------------------

def no_process(w):
    w.fill(1)
    run = w.run("--force", env={"SHIM_FAIL": "fork=%d" % errno.EAGAIN}, limit=20)
    w.need(run.status == 71 and run.seconds < 5, "71 at once", run.seconds, run)
    w.fine()


def no_descriptor(w):
    w.fill(1)
    run = w.run("--force", before=("sh", "-c", 'ulimit -n 4; exec "$@"', "sh"), limit=20,
                env={"LD_PRELOAD": "", "SHIM": ""})
    w.need(run.status == 71 and run.seconds < 5, "71 at once", run.seconds, run)


def no_process_for_user(w):
    before = as_alice()
    os.chmod(w.top, 0o777)
    os.chmod(w.home, 0o777)
    w.fill(1)
    rc = w.write_rc(w.server.port)
    os.chown(rc, ALICE, ALICE)
    command = [*before, "prlimit", "--nproc=1", heal.world.FETCHPOP, "-f", rc, "--state-dir",
               w.path("hers")]
    begin = time.monotonic()
    status, _, err = heal.in_silence(command, w.environment({"LD_PRELOAD": "", "SHIM": ""}), 20)
    w.need(status == 71 and time.monotonic() - begin < 5, "71 at once", status, err)


def no_link(number):
    def case(w):
        names = w.fill(2)
        run = w.run(mbox=w.mbox, keep="no", timeout="5s", env={"SHIM_FAIL": "link=%d" % number})
        w.need(run.status == 0, "exit status", run)
        w.need_each(1, names, w.mbox)
        left = [n for n in os.listdir(w.top) if "lock" in n]
        w.need(not left, "no lock is left", left)
    return case


def no_modes(w):
    """A file system without modes (FAT): what is noted between runs is noted all the same."""
    w.fill(1)
    w.env = {"SHIM_FAIL": "fchmod=%d" % errno.EPERM}
    w.fine()
    runs = [w.run(script="on greeting: close") for _ in range(3)]
    w.need([bool(r.err) for r in runs] == [False, False, True], "two failures in silence, the third told",
           [r.err for r in runs])


def another_address(useless):
    """A name with two addresses: the first takes connections and is of no use, the second is well."""
    def case(w):
        root()
        hosts = os.path.join(w.top, "hosts")
        with open(hosts, "w") as f:
            f.write("::1 two.test\n127.0.0.1 two.test\n")
        own = ("unshare", "-m", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\"", hosts)
        said = heal.in_silence([*own, "getent", "ahosts", "two.test"], os.environ, 5)[1]
        if not said.startswith(b"::1 "):
            raise heal.Skip("no name with two addresses can be made here")
        w.fill(3)
        with socket.create_server(("::1", w.server.port), family=socket.AF_INET6) as first:
            threading.Thread(target=serve_uselessly, args=(first, useless), daemon=True).start()
            runs = [w.run("--force", before=own, server="two.test", timeout="2s") for _ in range(2)]
            first.shutdown(socket.SHUT_RDWR)
        w.need(len(w.stored()) == 3, "mail comes by the other one in the next run", runs)
    return case


def serve_uselessly(server, useless):
    taken = []
    try:
        while True:
            taken.append(server.accept()[0])
            if useless is not None:
                taken[-1].sendall(useless)
                taken[-1].close()
    except OSError:
        pass


def no_folder_sync(number):
    """A file system that flushes no folders says so in its own way."""
    def case(w):
        names = w.fill(3)
        w.env = {"SHIM_FAIL": "syncfolder=%d" % number}
        run = w.run(keep="no")
        w.need(run.status == 0 and w.left() == [], "delivered, and deleted", run)
        w.need_each(1, names)
    return case


def process_one(w):
    """As process 1 it reaps what its commands leave behind."""
    root()
    if heal.in_silence(["unshare", "-pf", "--mount-proc", "true"], os.environ, 5)[0] != 0:
        raise heal.Skip("no process namespace")
    w.fill(3)
    child = w.start("-d", "1", before=("unshare", "-pf", "--mount-proc", "--kill-child"),
                    mda="cat >/dev/null; (sleep 0.1 &)")
    heal.wait_for(lambda: len(w.record()) >= 3, 20)
    time.sleep(0.5)
    first = [int(x) for x in open("/proc/%d/task/%d/children" % (child.pid, child.pid)).read().split()]
    zombies = []
    for pid in first:
        for below in open("/proc/%d/task/%d/children" % (pid, pid)).read().split():
            with open("/proc/%s/stat" % below) as f:
                if f.read().rpartition(")")[2].split()[0] == "Z":
                    zombies.append(below)
        os.kill(pid, signal.SIGTERM)
    child.communicate(timeout=20)
    w.need(len(w.record()) >= 3, "it polls", len(w.record()))
    w.need(not zombies, "no zombie is left", zombies)


def daemon_slept(w):
    """An interval that ended in the machine's sleep ends with it."""
    w.fill(1)
    child = w.start("-d", "1h")
    w.need(heal.wait_for(lambda: w.server.wait_for("QUIT", 0.1), 20), "the first poll")
    w.put("m002")
    w.sleep_machine(8)
    polled = heal.wait_for(lambda: len(w.record()) >= 2, 70)
    w.need(polled, "it polls within a minute of waking")
    w.server.settle(5)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=20)


def daemon_awake(w):
    """Without sleep it does not poll before its time."""
    w.fill(1)
    child = w.start("-d", "1h")
    heal.wait_for(lambda: w.server.wait_for("QUIT", 0.1), 20)
    time.sleep(4)
    w.need(len(w.record()) == 1, "one poll", len(w.record()))
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=20)


# ---- credentials, syslog, warnings -----------------------------------------------------------------------

def only_for(path, perm, uid):
    """An ACL: the owner and that user, nobody else."""
    rows = [(1, perm, 2**32 - 1), (2, perm, uid), (4, 0, 2**32 - 1), (16, perm, 2**32 - 1),
            (32, 0, 2**32 - 1)]
    try:
        os.setxattr(path, "system.posix_acl_access",
                    struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *r) for r in rows))
    except OSError as e:
        raise heal.Skip("no ACLs here: %s" % e)


def credential(how):
    def case(w):
        before = as_alice()
        os.chmod(w.top, 0o777)
        folder = w.path("cred")
        os.mkdir(folder)
        path = os.path.join(folder, "w")
        with open(path, "w") as f:
            f.write("secret")
        os.chmod(path, 0o400)
        if how == "acl":
            only_for(path, 4, ALICE)
            only_for(folder, 5, ALICE)
        elif how == "group":
            os.chmod(path, 0o440)
            os.chown(path, 0, ALICE)
        elif how == "root's group":
            os.chmod(path, 0o440)
            only_for(path, 4, ALICE)
        w.put("m001")
        rc = w.write_rc(w.server.port, password=None, maildir=w.path("hers/Mail"))
        os.chmod(rc, 0o644)
        os.mkdir(w.path("hers"))
        os.chown(w.path("hers"), ALICE, ALICE)
        status, out, err = heal.in_silence(
            [*before, heal.world.FETCHPOP, "-f", rc, "--state-dir", w.path("hers/state")],
            w.environment({"CREDENTIALS_DIRECTORY": folder, "LD_PRELOAD": "", "SHIM": ""}), 20)
        w.need(status == 0, "exit status", status, err)
        w.need(err == b"" and out == b"", "no warning", err)
        w.need_each(1, ["m001"], w.path("hers/Mail"))
    return case


def open_to_all_warns(w):
    """One that all can read is warned of still."""
    w.put("m001")
    path = w.path("secret")
    with open(path, "w") as f:
        f.write("secret\n")
    os.chmod(path, 0o644)
    run = w.run(password=None, password_file=path)
    w.need(run.status == 0 and "read" in run.err, "a warning", run)


def file_of_root_group(w):
    root()
    w.put("m001")
    path = w.path("secret")
    with open(path, "w") as f:
        f.write("secret\n")
    os.chmod(path, 0o440)
    w.fine(password=None, password_file=path)


def no_syslog(w):
    root()
    hide = 'mount -t tmpfs none /dev 2>/dev/null; [ ! -e /dev/log ] || exit 99; exec "$@"'
    before = () if not os.path.exists("/dev/log") else ("unshare", "-m", "sh", "-c", hide, "sh")
    run = w.run("--syslog", before=before, script='on PASS: err "[AUTH] no"')
    if run.status == 99:
        raise heal.Skip("there is a syslog here")
    w.need(run.status == 77 and "no" in run.err, "the error is on standard error", run)


def retry_warns(w):
    """What --retry stumbles over is said: a line of the journal that makes no sense."""
    names = w.fill(2)
    w.run("--force", script='on RETR =m002: err "corrupt"', max_tries=1)
    with open(w.journal_path(), "rb") as f:
        lines = f.read().split(b"\n")
    lines[2] = lines[2][:-1] + b"?"
    with open(w.journal_path(), "wb") as f:
        f.write(b"\n".join(lines))
    run = w.run("--retry", "all", max_tries=1)
    again = w.run(max_tries=1)
    w.need(run.err.strip() != "", "the warning", run, again)
    w.need_all(names)


# ---- noise ----------------------------------------------------------------------------------------------

def once_a_day(password_command, text):
    """Told at once, then once a day; and the command is asked each time."""
    def case(w):
        w.fill(1)
        mark = w.path("unlocked")
        command = "[ -e %s ] && echo secret || { %s; }" % (mark, password_command)
        keys = {"password": None, "password_command": command}
        runs = []
        for _ in range(48):
            runs.append(w.run(**keys))
            w.later(hours=1)
        told = [i for i, r in enumerate(runs) if r.err]
        w.need(told[:1] == [0] and text in runs[0].err, "told at once", runs[0])
        w.need(len(told) in (2, 3) and all(22 <= b - a <= 26 for a, b in zip(told, told[1:])),
               "then once a day", told)
        w.need({r.status for r in runs} == {77}, "77", {r.status for r in runs})
        with open(mark, "w"):
            pass
        w.need(w.run(**keys).status == 0, "unlocked: mail comes at once")
        w.need_each(1, ["m001"])
    return case


def filter_is_broken(count):
    """It says of no message what becomes of it: told at once, then once a day; nothing is lost."""
    def case(w):
        names, told = w.fill(count), []
        keys = {"keep": "no", "filter_command": w.path("filter")}
        for hour in range(30):
            run = w.run(**keys)
            w.need(run.status == 75 and not w.stored(), "75, and none is fetched", hour, run)
            told += [hour] if run.err else []
            w.later(hours=1)
        w.need(told in ([0, 23], [0, 24]), "told at once, and a day later", told, run)
        filter_says(w, "exit 0")
        w.need(w.run(**keys).status == 0, "mended")
        w.need_each(1, names)
        w.need(w.left() == [], "and deleted", w.left())
    return case


def filter_broken_like_an_answer(w):
    """An interpreter ends with 1 when its script fails: what that left is asked about again."""
    names, asked = w.fill(2), w.path("asked")
    keys = {"keep": "no", "filter_command": w.path("filter")}
    filter_says(w, "echo >>%s; cat >/dev/null; exit 1" % asked)
    w.fine(**keys)
    w.fine(**keys)
    with open(asked) as f:
        w.need(len(f.read()) == 2, "not asked again at once")
    for _ in range(60):
        w.later(days=1)
        w.fine(**keys)
    with open(asked) as f:
        w.need(10 <= len(f.read()) <= 20, "in two months some times", len(f.read()))
    w.need(not w.stored() and w.left() == names, "they are left", w.left())
    filter_says(w, "exit 0")
    w.later(days=30)
    w.fine(**keys)
    w.need_each(1, names)


def filter_broken_like_a_delete(w):
    """... and with 2 where there is no script: who has not read a header deletes nothing that day."""
    names = w.fill(2)
    keys = {"keep": "no", "allow_delete": "yes", "filter_command": "python3 %s" % w.path("filter")}
    w.at(2026, 12, 1, 8)
    for _ in range(3):
        w.run(**keys)
        w.later(hours=4)
    w.need(w.left() == names, "nothing is deleted", w.left())
    filter_says(w, "", "import sys")
    w.later(days=2)
    w.run(**keys)
    w.need_each(1, names)


def filter_deletes_unread(w):
    """One that complains and does not read, and means it, is believed on the second day; one that is
    silent, as one that decides by the size, at once."""
    names = w.fill(1)
    keys = {"allow_delete": "yes", "filter_command": "echo too large >&2; exit 2"}
    w.run(**keys)
    w.need(w.left() == names, "not on the first day", w.left())
    w.later(days=1)
    w.run(**keys)
    w.need(w.left() == [] and not w.stored(), "but on another one", w.left())
    w.put("m900")
    w.fine(allow_delete="yes", filter_command="exit 2")
    w.need(w.left() == [] and not w.stored(), "and at once without a complaint", w.left())


def filter_says(w, does, text=None):
    with open(w.path("filter"), "w") as f:
        f.write(text or "#!/bin/sh\n%s\n" % does)
    os.chmod(w.path("filter"), 0o755)


def overlap(w):
    """While the other run makes progress a second one is silent, 75; after an hour it is told."""
    names = w.fill(12)
    keys = {"pipelining": "off", "timeout": "30s", "session_timeout": "10m"}
    child = w.start(script="on RETR: sleep 400", **keys)
    w.need(w.server.wait_for("RETR 2", 20), "the first run is under way")
    run = in_the_midst(w, **keys)
    w.need(run.status == 75 and run.said == "", "75, silent", run)
    w.later(minutes=61)
    run = in_the_midst(w, **keys)
    w.need(run.status == 75 and run.err != "", "told after an hour", run)
    child.communicate(timeout=60)
    w.need(child.returncode == 0, "the first one", child.returncode)
    w.need_each(1, names)


def in_the_midst(w, **keys):
    """A run that leaves the server's script as it is."""
    status, out, err = heal.in_silence(w.command(**keys), w.environment(), 30)
    return heal.Run(status, out.decode(), err.decode(), [], 0)


# ---- exit 0 is earned ---------------------------------------------------------------------------------

def configuration(text, standard_input=None):
    def case(w):
        path = w.path("rc")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(text)
        command = [heal.world.FETCHPOP, "--state-dir", w.state, "-f", "-" if standard_input else path]
        if standard_input == "closed":
            command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        for args in ((), ("-c",)):
            status, out, err = heal.in_silence([*command, *args], w.environment(), 20)
            w.need(status in (64, 66, 78), "never 0", status, out, err)
            w.need(err != b"", "and not silent", status)
    return case


def disabled(w):
    """All accounts disabled is meant so."""
    w.fill(1)
    w.need(w.run(enabled="no").status == 0, "exit status")


def short_list(script, count):
    """A list that ends before STAT's count is never 0."""
    def case(w):
        names = w.fill(6)
        run = w.run("--force", script=script)
        w.need(run.status != 0 and run.err != "", "not 0, not silent", run)
        w.need(w.run("--force").status == 0, "an honest server, later")
        w.need_each(1, names)
    return case


def empty_list_of_some(w):
    names = w.fill(6)
    run = w.run("--force", script='on UIDL "": lines\non LIST "": lines')
    w.need(run.status != 0, "not 0", run)
    w.run("--force")
    w.need_each(1, names)


CASES = [
    ("run by root: her Maildir's messages are hers", into_her_maildir(True, "no")),
    ("run by root: a Maildir that is made for her is hers", into_her_maildir(False, "yes")),
    ("run by root: folders below hers are hers", into_new_folders),
    ("run by root: her mbox", into_her_mbox(True)),
    ("run by root: an mbox that is made for her is hers", into_her_mbox(False)),
    *[("run by root: her link at %s leads nowhere" % (sub or "the Maildir"), links_of_hers(sub, "maildir"))
      for sub in ("new", "cur", "tmp", "")],
    ("run by root: her link at the mbox leads nowhere", links_of_hers("", "mbox")),
    ("run by root: her link in tmp/ is not followed", link_in_new),
    ("run by root: root's own Maildir stays root's", own_things_of_root),
    *[("%s from %s is safe" % (name, field), address_is_safe(field, name))
      for name, fields in (("FETCHPOP_RECIPIENT", ("To", "Delivered-To", "X-Original-To", "Envelope-To")),
                           ("FETCHPOP_SENDER", ("From", "Return-Path"))) for field in fields],
    ("addresses are one line", quoted_newline),
    ("commands run with the user's umask", umask_of_user),
    ("what is ours stays private whatever the umask", umask_not_ours),
    ("the manual shows pipefail, FETCHPOP_SIZE and --", pipeline_is_shown),
    ("a pipeline that fails, as the manual shows it: nothing is lost", pipeline_fails),
    ("FETCHPOP_SIZE is what the command reads", size_is_told),
    ("fork fails: 71 at once", no_process),
    ("no process left for the user: 71 at once", no_process_for_user),
    ("no descriptor left: 71 at once", no_descriptor),
    *[("link(2) refused with %s: the mbox is locked all the same" % name, no_link(getattr(errno, name)))
      for name in ("EACCES", "ENOSYS", "EOPNOTSUPP", "EPERM")],
    ("a file system without modes keeps its notes", no_modes),
    *[("fsync(2) of a folder refused with %s: mail is delivered" % name,
       no_folder_sync(getattr(errno, name))) for name in ("EINVAL", "ENOSYS", "EOPNOTSUPP")],
    ("process 1 reaps its orphans", process_one),
    ("a daemon polls soon after the machine's sleep", daemon_slept),
    ("a daemon that was awake waits for its time", daemon_awake),
    ("a credential that its ACL opens: no warning", credential("acl")),
    ("a credential that a group of root's file may read: no warning", credential("group")),
    ("a password file of root that root's group may read: no warning", file_of_root_group),
    ("a password file that all can read: a warning", open_to_all_warns),
    ("no syslog here: standard error", no_syslog),
    ("--retry prints the warnings that it causes", retry_warns),
    ("a locked keyring is told at once, then once a day",
     once_a_day('echo "gpg: No secret key" >&2; exit 2', "No secret key")),
    ("a command that prints nothing: likewise", once_a_day("true", "password_command")),
    ("a filter_command that is not there is told at once, then once a day", filter_is_broken(6)),
    ("the same, and a single message waits", filter_is_broken(1)),
    ("one that ends with 1 for being broken: it is asked again", filter_broken_like_an_answer),
    ("one that ends with 2 for not being there: nothing is deleted", filter_broken_like_a_delete),
    ("one that complains, and deletes without reading: on the second day", filter_deletes_unread),
    ("overlapping cron runs: 75, silent, told after an hour", overlap),
    ("an empty configuration file is never 0", configuration("")),
    ("a configuration file of comments, too", configuration("# nothing\n# here\n")),
    ("a configuration file of defaults alone, too", configuration("defaults {\n keep = no\n}\n")),
    ("an empty standard input, too", configuration("", "empty")),
    ("a closed standard input, too", configuration("", "closed")),
    ("all accounts disabled is meant so", disabled),
    ("UIDL and LIST end before STAT's count: not 0",
     short_list('on UIDL "": first 3\non LIST "": first 3', 3)),
    ("UIDL and LIST lack the last one: not 0", short_list('on UIDL "": first 5\non LIST "": first 5', 5)),
    ("UIDL and LIST are empty, STAT is not: not 0", empty_list_of_some),
    *[("the first of two addresses %s: the next run takes the other" % name, another_address(useless))
      for name, useless in (("closes", b""), ("is silent", None), ("says [SYS/TEMP]", b"-ERR [SYS/TEMP] no\r\n"))],
]

if __name__ == "__main__":
    heal.main(CASES)
