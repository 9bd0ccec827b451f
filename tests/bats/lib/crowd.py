# SPDX-License-Identifier: ISC
"""Many accounts of one world (world.py) in one configuration file."""
import os
import subprocess
import sys

import popd
import world

BROOD = os.path.join(os.path.dirname(os.path.realpath(__file__)), "brood.py")
LIMIT = 240


class Crowd:
    """Accounts of one world, in the order of the configuration, each with a Maildir of its own."""

    def __init__(self, w, top=""):
        self.w, self.top, self.accounts = w, top, {}

    def add(self, title, **keys):
        base = {"server": "127.0.0.1", "tls": "none", "auth": "user", "user": title,
                "password": "secret", "timeout": "20s", "maildir": self.maildir(title)}
        base.update(keys)
        if "mda" in keys:
            del base["maildir"]
        if "password_command" in keys:
            del base["password"]
        self.accounts[title] = base
        return title

    def maildir(self, title):
        return self.w.path("mail/" + title)

    def users(self):
        return {keys["user"]: ("secret", self.w.box) for keys in self.accounts.values()}

    def server(self, script=None, **settings):
        return popd.Server(self.w.box, script=script, users=self.users(), **settings)

    def write(self, port):
        path = self.w.path("rc")
        os.makedirs(self.w.path("mail"), exist_ok=True)
        with open(path, "w") as f:
            f.write(self.top + "\n")
            for title, keys in self.accounts.items():
                f.write('account "%s" {\n    port = "%s"\n%s}\n' % (title, port, "".join(
                    "    %s = '%s'\n" % item for item in keys.items())))
        os.chmod(path, 0o600)
        return path

    def command(self, port, *args):
        return [world.FETCHPOP, "-f", self.write(port), "--state-dir", self.w.state, *args]

    def start(self, port, *args, out=subprocess.PIPE, err=subprocess.PIPE, before=()):
        return subprocess.Popen([*before, *self.command(port, *args)], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=err, env=self.w.environment())

    def run(self, server, *args):
        """(exit status, standard output, standard error); nothing may be left running."""
        left = self.w.path("left")
        child = self.start(server.port, *args, before=[sys.executable, BROOD, left])
        try:
            out, err = child.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            child.terminate()
            out, err = child.communicate()
            self.w.need(False, "it did not end in %d s" % LIMIT)
        with open(left) as f:
            remains = f.read()
        self.w.need(not remains, "processes were left", remains)
        self.w.need(not server.faults, "popd itself failed", server.faults)
        return child.returncode, out.decode("latin-1"), err.decode("latin-1")

    def need_mail(self, titles, count, times=1):
        """Each of these has count messages, each so often, and nothing in tmp/."""
        names = ["m%03d" % i for i in range(1, count + 1)]
        for title in titles:
            self.w.need_each(times, names, self.maildir(title), when="for " + title)
            self.w.need_clean(self.maildir(title))
