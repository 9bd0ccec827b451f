# SPDX-License-Identifier: ISC
"""What the bench measures against: a private Dovecot, the lister, a slow line, all in one folder
and all ended by process id."""

import base64
import ctypes
import hashlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PASSWORD = "secret"
NEAR, FAR = "10.77.0.1", "10.77.0.2"
DELAY_MS = 25  # each way
QUIET_MS = 150  # after which a round trip is over
FEW = 50  # files whose inodes are not missed
OFFERS = {"plain": "plain", "scram": "plain scram-sha-1 scram-sha-256"}
DOVECOTS = ("/usr/sbin/dovecot", "/usr/local/sbin/dovecot", "/usr/libexec/dovecot/dovecot")

CONF = """
base_dir = {top}/run
state_dir = {top}/state
log_path = {top}/dovecot.log
protocols = pop3
listen = {listen}
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
ssl = required
ssl_cert = <{top}/server.pem
ssl_key = <{top}/server.key
auth_mechanisms = {mechanisms}
auth_failure_delay = 0 secs
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={top}/mail/%u
}}
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 1000
pop3_no_flag_updates = yes
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


class Failed(Exception):
    """The bench cannot go on: one line for a person."""


def die_with_parent():
    """In a new child: it must not outlive us."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spread(folder):
    """Each folder made in it gets a block group of its own, where ext4 has that: new files need not
    look for inodes among those that were removed in the last five minutes."""
    subprocess.run(["chattr", "+T", folder], stderr=subprocess.DEVNULL, check=False)


def digest(octets):
    return hashlib.sha256(octets).digest()


class Lab:
    """The folder, and every process that was started for it."""

    def __init__(self, parent, tools, offers="plain"):
        self.tools, self.offers = tools, offers
        self.top = tempfile.mkdtemp(prefix="fpbench.", dir=parent)
        os.chmod(self.top, 0o711)
        self.processes = []
        self.ports = {}
        self.line, self.delay, self.tun = "none", DELAY_MS, None
        self.ca = f"{self.top}/ca.pem"
        self.root = os.geteuid() == 0
        self.owner = pwd.getpwnam("nobody") if self.root else pwd.getpwuid(os.geteuid())
        self.mailboxes = {}
        self.aside = self.filled = 0
        for name in ("mail", "post", "work", "aside"):
            os.mkdir(f"{self.top}/{name}")
            os.chmod(f"{self.top}/{name}", 0o755)

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.top, ignore_errors=True)

    def start(self, argv, waits=True):
        """A helper that says "ready"."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                                   stdout=subprocess.PIPE if waits else subprocess.DEVNULL,
                                   stderr=open(f"{self.top}/helpers.log", "ab"))
        self.processes.append(process)
        if waits and process.stdout.readline() != b"ready\n":
            with open(f"{self.top}/helpers.log", encoding="utf-8", errors="replace") as log:
                raise Failed(f"{argv[0]} did not start: {log.read().strip()[-300:]}")
        return process

    def stop(self, process):
        process.terminate()
        process.wait()
        self.processes.remove(process)

    # --- certificates -------------------------------------------------------------------------

    def make_certificates(self):
        top = self.top

        def openssl(*words):
            done = subprocess.run(["openssl", *words], cwd=top, capture_output=True, text=True,
                                  check=False)
            if done.returncode != 0:
                raise Failed(f"openssl {words[0]}: {done.stderr.strip()[-300:]}")

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=bench authority",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out",
                "server.csr")
        with open(f"{top}/server.ext", "w", encoding="ascii") as ext:
            ext.write("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                      f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{FAR}\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "server.ext", "-out", "server.pem")

    # --- Dovecot ------------------------------------------------------------------------------

    def start_dovecot(self):
        binary = next((path for path in DOVECOTS if os.path.exists(path)), None)
        if not binary or not os.path.exists("/usr/lib/dovecot/pop3-login"):
            raise Failed("Dovecot's POP3 part is not installed (Debian: apt install dovecot-pop3d)")
        self.make_certificates()
        me = pwd.getpwuid(os.geteuid()).pw_name
        port = free_port()
        conf = CONF.format(
            top=self.top, port=port, password=PASSWORD, mechanisms=OFFERS[self.offers],
            listen="127.0.0.1, " + NEAR if self.line == "tun" else "127.0.0.1",
            internal="dovecot" if self.root else me, login="dovenull" if self.root else me,
            group="dovecot" if self.root else os.popen("id -gn").read().strip(),
            uid=self.owner.pw_uid, gid=self.owner.pw_gid)
        with open(f"{self.top}/dovecot.conf", "w", encoding="ascii") as out:
            out.write(conf)
        self.start([binary, "-F", "-c", f"{self.top}/dovecot.conf"], waits=False)
        self.wait_for(port)
        self.ports["dovecot"] = ("127.0.0.1", port)

    def wait_for(self, port):
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(f"{self.top}/dovecot.log", encoding="utf-8", errors="replace") as log:
            raise Failed(f"Dovecot does not answer: {log.read().strip()[-500:]}")

    def start_lister(self, counts, name="lister", far=False):
        """`far`: where the slow line leads to."""
        address = NEAR if far and self.line == "tun" else "127.0.0.1"
        port = free_port()
        self.start([self.tools["lister"], address, str(port), f"{self.top}/server.pem",
                    f"{self.top}/server.key", *map(str, counts)])
        self.ports[name] = (address, port)

    def start_counter(self):
        """A line that counts round trips: it leads to Dovecot."""
        port = free_port()
        counter = self.start([self.tools["delay"], "turns", str(QUIET_MS), str(port),
                              str(self.ports["dovecot"][1])])
        self.ports["counter"] = ("127.0.0.1", port)
        return counter

    # --- the slow line ------------------------------------------------------------------------

    def open_line(self):
        """Chooses how the delay is made, before Dovecot starts: netem (on the loopback, so in a
        network of our own only), else TUN, else the relay."""
        if os.environ.get("FP_BENCH_NETWORK") == "own":
            subprocess.run([self.tools["delay"], "up"], check=True)
            if self.netem("add"):
                self.netem("del")
                self.line = "netem"
                return
            try:
                self.start_tun()
                self.line = "tun"
                return
            except Failed:
                pass
        self.line = "relay"

    def start_tun(self):
        self.tun = self.start([self.tools["delay"], "tun", str(self.delay), NEAR, FAR])

    def stretch(self, delay):
        """From now on the slow line has so many ms each way."""
        self.delay = delay
        if self.line == "tun":
            self.stop(self.tun)
            self.start_tun()

    def netem(self, verb):
        if not shutil.which("tc"):
            return False
        how = ["netem", "delay", f"{self.delay}ms", "limit", "1000000"] if verb == "add" else []
        mtu = "1500" if verb == "add" else "65536"
        return all(subprocess.run(command, check=False, capture_output=True).returncode == 0
                   for command in (["tc", "qdisc", verb, "dev", "lo", "root", *how],
                                   ["ip", "link", "set", "lo", "mtu", mtu]))

    def far(self, on, to="dovecot"):
        """Makes ports["far"] lead there over the slow line; `on` False ends it."""
        host, port = self.ports[to]
        if self.line == "netem":
            self.netem("add" if on else "del")
            self.ports["far"] = (host, port)
        elif self.line == "tun":
            self.ports["far"] = (FAR, port)
        elif on:
            relay = f"relay {self.delay} {to}"
            if relay not in self.ports:
                self.ports[relay] = (host, free_port())
                self.start([self.tools["delay"], "relay", str(self.delay),
                            str(self.ports[relay][1]), str(port)])
            self.ports["far"] = self.ports[relay]

    def measure_line(self):
        """An echo over the slow line: (ms to connect, median ms of an echo, MB/s)."""
        echo = Echo(NEAR if self.line == "tun" else "127.0.0.1")
        relay = None
        where = (FAR if self.line == "tun" else "127.0.0.1", echo.port)
        if self.line == "relay":
            where = ("127.0.0.1", free_port())
            relay = self.start([self.tools["delay"], "relay", str(DELAY_MS), str(where[1]),
                                str(echo.port)])
        elif self.line == "netem":
            self.netem("add")
        try:
            return echo.measure(where)
        finally:
            if relay:
                self.stop(relay)
            elif self.line == "netem":
                self.netem("del")

    # --- mailboxes ----------------------------------------------------------------------------

    def mailbox(self, name, count, size, users=1):
        """Mailboxes of `count` messages of `size` octets as users NAME0, NAME1, ...: all the same,
        linked. Returns the digests of what has to arrive in each, sorted."""
        if name in self.mailboxes:
            return self.mailboxes[name]
        post = f"{self.top}/post/{name}"
        os.mkdir(post)
        made = sorted(make_message(post, name, number, size) for number in range(count))
        self.give(post)
        for index in range(users):
            home = f"{self.top}/mail/{name}{index}"
            for folder in ("new", "tmp", "cur"):
                os.makedirs(f"{home}/Maildir/{folder}")
            for entry in os.listdir(post):
                os.link(f"{post}/{entry}", f"{home}/Maildir/cur/{entry}:2,")
            self.give(home)
        self.mailboxes[name] = made
        return made

    def fill(self, name, users, all_of_it=True):
        """Links the post of a mailbox once more into Maildirs that clients have emptied, or empties
        them. Each time it is other mail to the server: it has other names there."""
        self.filled += 1
        for index in range(users):
            home = f"{self.top}/mail/{name}{index}/Maildir/cur"
            for entry in os.listdir(home):
                os.unlink(f"{home}/{entry}")
            for entry in os.listdir(f"{self.top}/post/{name}") if all_of_it else ():
                os.link(f"{self.top}/post/{name}/{entry}",
                        f"{home}/{entry.replace('P1.', f'P1F{self.filled}.')}:2,")

    def left(self, name, users):
        """How many messages are on the server."""
        return sum(len(os.listdir(f"{self.top}/mail/{name}{index}/Maildir/{folder}"))
                   for index in range(users) for folder in ("new", "cur"))

    def give(self, top):
        if self.root:
            for folder, _, files in os.walk(top):
                for path in (folder, *(f"{folder}/{file}" for file in files)):
                    os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def set_aside(self, path):
        """Out of the way of the next run. What has many files is only removed at the end: ext4 does
        not use an inode again in the five minutes after its removal, and new files would be slow
        to make while it looks for others."""
        if not os.path.lexists(path):
            return
        if sum(len(files) for _, _, files in os.walk(path)) <= FEW:
            shutil.rmtree(path)
            return
        self.aside += 1
        os.rename(path, f"{self.top}/aside/{self.aside}")


def make_message(folder, name, number, size):
    """A file of text lines with LF, among them a few that begin with a dot. Its digest."""
    dice = random.Random(f"{name} {number}")
    head = (f"From: sender{number % 97}@example.org\nTo: bench@example.com\n"
            f"Subject: message {number} of {name}\nDate: Mon, 20 Nov 2023 10:00:00 +0000\n"
            f"Message-ID: <{number}.{name}@example.org>\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=us-ascii\n\n"
            ".a line that begins with a dot\n..two of them\n").encode()
    room = max(size - len(head), 77)
    raw = base64.b64encode(dice.randbytes(min(room, 1 << 20))) + b"\n"
    rows = b"\n".join(raw[at:at + 76] for at in range(0, len(raw), 76))
    octets = head + (rows * (room // len(rows) + 1))[:room - 1] + b"\n"
    lines = octets.count(b"\n")
    path = f"{folder}/{1700000000 + number}.M{number}P1.bench,S={len(octets)},W=" \
           f"{len(octets) + lines}"
    with open(path, "wb") as out:
        out.write(octets)
    return digest(octets)


class Echo:
    """A server that sends back the first octet of each line, and swallows what begins with S until
    the end."""

    def __init__(self, address):
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    def answer(self, peer):
        with peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while octets := peer.recv(1 << 20):
                if octets[:1] == b"e":
                    peer.sendall(b"e")
                elif octets[-1:] == b"!":
                    peer.sendall(b"!")

    @staticmethod
    def measure(where):
        begin = time.monotonic()
        with socket.create_connection(where) as peer:
            connected = time.monotonic()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times = []
            for _ in range(7):
                sent = time.monotonic()
                peer.sendall(b"e")
                peer.recv(1)
                times.append(time.monotonic() - sent)
            sent = time.monotonic()
            peer.sendall(b"s" * (1 << 26) + b"!")
            peer.recv(1)
            rate = (1 << 26) / (time.monotonic() - sent) / 1e6
        return (connected - begin) * 1e3, sorted(times)[3] * 1e3, rate
