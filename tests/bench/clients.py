# SPDX-License-Identifier: ISC
"""The clients: what each needs in its folder, how it is started, whether everything arrived; and
how a run is measured."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

import lab

RUN_LIMIT = 900  # seconds after which a run is killed


@dataclass
class Load:
    """What is to be fetched, or listed: users NAME0.. of one server."""
    name: str
    users: int
    where: tuple
    expected: list = field(default_factory=list)  # digests for each user, sorted
    fetch: bool = True
    tops: bool = False  # headers alone
    at_once: int = 16
    user_name: str = ""  # instead of NAME0
    keep: bool = True
    box: str = ""  # name of the mailbox, where it is not that of the load

    def user(self, index):
        return self.user_name or f"{self.mailbox()}{index}"

    def mailbox(self):
        return self.box or self.name


@dataclass
class Sample:
    seconds: float
    cpu: float
    status: int
    output: str


class WrongResult(lab.Failed):
    """A client failed, or mail did not arrive."""


def run(commands, folder):
    """Starts the commands together, waits for all of them."""
    output = f"{folder}/output"
    environment = {"HOME": folder, "PATH": os.environ["PATH"], "LC_ALL": "C"}
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
               (os.POSIX_SPAWN_DUP2, 1, 2)]
    if os.path.exists(output):
        os.unlink(output)
    begin = time.monotonic()
    running = {os.posix_spawnp(argv[0], argv, environment, file_actions=actions)
               for argv in commands}
    watch = threading.Timer(RUN_LIMIT, lambda: [os.kill(pid, signal.SIGKILL) for pid in running])
    watch.daemon = True
    watch.start()
    cpu, worst = 0.0, 0
    try:
        while running:
            pid, status, usage = os.wait4(next(iter(running)), 0)
            running.discard(pid)
            cpu += usage.ru_utime + usage.ru_stime
            worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
        took = time.monotonic() - begin
    finally:
        watch.cancel()
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    with open(output, encoding="utf-8", errors="replace") as text:
        return Sample(took, cpu, worst, text.read())


def memory(pid):
    """RssAnon and VmHWM (the most that was ever resident, mapped files included) in kB of a process
    and of its children: {pid: (kB, kB)}."""
    found = {}
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            text = status.read()
        private, most = (re.search(rf"^{name}:\s+(\d+)", text, re.M)
                         for name in ("RssAnon", "VmHWM"))
        if private and most:
            found[pid] = int(private[1]), int(most[1])
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            for child in children.read().split():
                found.update(memory(int(child)))
    except OSError:
        pass
    return found


def watch_memory(argv, folder):
    """Runs it once more, looking all the time: (private kB at most of the first process, private kB
    at most of any of its children or of itself, resident kB at most of any, exit status). Not for
    timing."""
    with open(f"{folder}/output", "wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env={"HOME": folder, "PATH": os.environ["PATH"],
                                        "LC_ALL": "C"})
    first = most = resident = 0
    while process.poll() is None:
        found = memory(process.pid)
        # before its exec it is still Python
        if read_link(f"/proc/{process.pid}/exe") != os.path.realpath(shutil.which(argv[0])):
            continue
        first = max(first, found.get(process.pid, (0, 0))[0])
        most = max([most, *(private for private, _ in found.values())])
        resident = max([resident, *(every for _, every in found.values())])
        time.sleep(0.0002)
    return first, most, resident, process.returncode


def watch_parent(argv, folder):
    """(private kB at most of the process that is started, exit status), looking seldom: beside a
    thousand children, watch_memory would be a load of its own."""
    with open(f"{folder}/output", "wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env={"HOME": folder, "PATH": os.environ["PATH"],
                                        "LC_ALL": "C"})
    most = 0
    while process.poll() is None:
        if read_link(f"/proc/{process.pid}/exe") == os.path.realpath(shutil.which(argv[0])):
            with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as status:
                found = re.search(r"^RssAnon:\s+(\d+)", status.read(), re.M)
            most = max(most, int(found[1]) if found else 0)
        time.sleep(0.02)
    return most, process.returncode


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def delivered(maildir):
    """Digests of what is in a Maildir, sorted."""
    found = []
    for folder in ("new", "cur"):
        path = f"{maildir}/{folder}"
        for entry in os.listdir(path) if os.path.isdir(path) else []:
            with open(f"{path}/{entry}", "rb") as message:
                found.append(lab.digest(message.read()))
    return sorted(found)


class Client:
    """One way of fetching. `folder` is its own; fresh() makes it as if it had never run."""
    name = ""
    stores = True

    def __init__(self, program, the_lab, load):
        self.program, self.lab, self.load = program, the_lab, load
        self.folder = f"{the_lab.top}/runs/{load.name}-{self.name}"
        os.makedirs(self.folder, exist_ok=True)
        lab.spread(self.folder)
        self.configure()
        self.fresh()

    def configure(self):
        pass

    def maildir(self, index):
        return f"{self.folder}/mail/{index}"

    def fresh(self):
        for name in ("mail", "state"):
            self.lab.set_aside(f"{self.folder}/{name}")
        for index in range(self.load.users):
            for part in ("cur", "new", "tmp"):
                os.makedirs(f"{self.maildir(index)}/{part}")
        os.makedirs(f"{self.folder}/state")

    def commands(self):
        raise NotImplementedError

    def poll(self):
        """One measured run."""
        sample = run(self.commands(), self.folder)
        if sample.status != 0:
            raise WrongResult(f"{self.name}, {self.load.name}: exit status {sample.status}: "
                              f"{sample.output.strip()[-500:]}")
        return sample

    def check(self, sample):
        """Everything arrived, byte for byte."""
        del sample
        for index in range(self.load.users):
            found = delivered(self.maildir(index))
            if found != self.load.expected:
                missing = len(set(self.load.expected) - set(found))
                raise WrongResult(
                    f"{self.name}, {self.load.name}: of {len(self.load.expected)} messages "
                    f"{missing} are missing or changed; {len(found)} files are there")
        self.check_server()

    def check_server(self):
        """keep = no: nothing is left there."""
        left = 0 if self.load.keep else self.lab.left(self.load.mailbox(), self.load.users)
        if left > 0:
            raise WrongResult(f"{self.name}, {self.load.name}: {left} left on the server")

    def clean(self):
        self.lab.set_aside(self.folder)


class Floor(Client):
    name = "floor"
    stores = False

    def commands(self):
        host, port = self.load.where
        user = ["-u", self.load.user(0)]
        if self.load.users > 1:
            user = ["-u", self.load.mailbox(), "-n", str(self.load.users), "-j",
                    str(self.load.at_once)]
        return [[self.program, "-h", host, "-p", str(port), "-c", self.lab.ca, "-w", lab.PASSWORD,
                 *user, self.what()]]

    def what(self):
        if not self.load.fetch:
            return "top" if self.load.tops else "list"
        return "fetch" if self.load.keep else "delete"

    def check(self, sample):
        counts = [int(line.split()[0]) for line in sample.output.splitlines()]
        if counts != [len(self.load.expected)] * self.load.users:
            raise WrongResult(f"floor, {self.load.name}: {counts} messages, not "
                              f"{len(self.load.expected)} in each of {self.load.users}")
        self.check_server()

    @staticmethod
    def rate(sample):
        """MB a second over the wire, of all sessions together."""
        octets = sum(int(line.split()[1]) for line in sample.output.splitlines())
        return octets / sample.seconds / 1e6


class Mpop(Client):
    name = "mpop"

    def configure(self):
        host, port = self.load.where
        with open(f"{self.folder}/mpoprc", "w", encoding="ascii") as rc:
            rc.write("defaults\ntls on\ntls_starttls off\n"
                     f"keep {'on' if self.load.keep else 'off'}\npipelining auto\n"
                     f"received_header off\ntls_trust_file {self.lab.ca}\n")
            for index in range(self.load.users):
                rc.write(f"account a{index}\nhost {host}\nport {port}\n"
                         f"user {self.load.user(index)}\npassword {lab.PASSWORD}\n"
                         f"delivery maildir {self.maildir(index)}\n"
                         f"uidls_file {self.folder}/state/{index}\n")
        os.chmod(f"{self.folder}/mpoprc", 0o600)

    def commands(self):
        return [[self.program, "-q", "-C", f"{self.folder}/mpoprc", f"a{index}"]
                for index in range(self.load.users)]


class Fetchpop(Client):
    name = "fetchpop"
    more = ""  # keys for every account

    def configure(self):
        host, port = self.load.where
        with open(f"{self.folder}/rc", "w", encoding="ascii") as rc:
            rc.write(f'jobs = {self.load.at_once}\nmax_per_server = {self.load.at_once}\n'
                     f'state_dir = "{self.folder}/state"\n'
                     f'defaults {{\n    server = "{host}"\n    port = "{port}"\n'
                     f'    tls_ca_file = "{self.lab.ca}"\n    fsync = full\n'
                     f'    keep = {"yes" if self.load.keep else "no"}\n'
                     f'    password = "{lab.PASSWORD}"\n{self.more}}}\n')
            for index in range(self.load.users):
                rc.write(f'account "a{index}" {{\n    user = "{self.load.user(index)}"\n'
                         f'    maildir = "{self.maildir(index)}"\n}}\n')
        os.chmod(f"{self.folder}/rc", 0o600)

    def commands(self):
        return [[self.program, "-f", f"{self.folder}/rc"]]


class Other(Client):
    """One account a run. It may change a message's header, so they are only counted."""

    def check(self, sample):
        del sample
        found = len(os.listdir(f"{self.maildir(0)}/new"))
        if found != len(self.load.expected):
            raise WrongResult(f"{self.name}, {self.load.name}: {found} messages, not "
                              f"{len(self.load.expected)}")
        self.check_server()


class Getmail(Other):
    """getmail6 of Debian."""
    name = "getmail"

    def configure(self):
        host, port = self.load.where
        with open(f"{self.folder}/getmailrc", "w", encoding="ascii") as rc:
            rc.write(f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = {host}\nport = {port}\n"
                     f"username = {self.load.user(0)}\npassword = {lab.PASSWORD}\n"
                     f"ca_certs = {self.lab.ca}\n"
                     f"[destination]\ntype = Maildir\npath = {self.maildir(0)}/\n"
                     f"[options]\ndelete = {not self.load.keep}\nread_all = false\nverbose = 0\n"
                     "delivered_to = false\nreceived = false\n")
        os.chmod(f"{self.folder}/getmailrc", 0o600)

    def commands(self):
        return [[self.program, "--getmaildir", f"{self.folder}/state", "--rcfile",
                 f"{self.folder}/getmailrc"]]


class Fetchmail(Other):
    """fetchmail of Debian. It knows no Maildir, so a command stands in for one."""
    name = "fetchmail"

    def configure(self):
        host, port = self.load.where
        deliver = f"{self.folder}/deliver"
        with open(deliver, "w", encoding="ascii") as script:
            script.write(f"#!/bin/sh\nexec cat >{self.maildir(0)}/new/$$.$PPID.\n")
        os.chmod(deliver, 0o700)
        with open(f"{self.folder}/fetchmailrc", "w", encoding="ascii") as rc:
            rc.write(f'set idfile "{self.folder}/state/ids"\nset no bouncemail\n'
                     f"poll {host} service {port} protocol pop3 uidl\n"
                     f'user "{self.load.user(0)}" password "{lab.PASSWORD}" ssl nosslcertck '
                     f'{"keep" if self.load.keep else "nokeep"} '
                     f'norewrite nofetchall mda "{deliver}"\n')
        os.chmod(f"{self.folder}/fetchmailrc", 0o600)

    def commands(self):
        return [[self.program, "--silent", "--invisible", "--pidfile", f"{self.folder}/state/pid",
                 "-f", f"{self.folder}/fetchmailrc"]]
