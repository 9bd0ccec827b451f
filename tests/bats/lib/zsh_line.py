#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What zsh makes of a line when Tab is typed behind it.

    zsh_line.py FOLDER LINE

Runs zsh on a terminal, with its completion system and that of FOLDER, types LINE and Tab, and prints what
was offered, one a line, sorted, and behind it "= " and the line as it stands then. PATH and HOME are those
of the caller.
"""
import os
import pty
import select
import sys
import tempfile
import time

START = r"""
PS1= PS2= RPS1=
setopt no_beep no_auto_menu
fpath=(%(folder)s $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
    local -a offered
    if (( ! ${argv[(I)-[AOD]]} )); then
        builtin compadd -O offered "$@"
        print -rl -- $offered >>%(out)s/offered
    fi
    builtin compadd "$@"
}
dump() { print -r -- "$BUFFER" >%(out)s/line && mv %(out)s/line %(out)s/done }
zle -N dump
bindkey '^X' dump
: >%(out)s/ready
"""


def wait_for(fd, path, seconds=60):
    """Until the file is there; what the shell shows is of no interest."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            sys.exit("zsh_line: nothing in %d s" % seconds)
        if select.select([fd], [], [], 0.05)[0]:
            os.read(fd, 65536)


def main():
    folder, line = os.path.realpath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as out:
        with open(out + "/start", "w", encoding="utf-8") as f:
            f.write(START % {"folder": folder, "out": out})
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp("zsh", ["zsh", "-f", "-i"])
        os.write(fd, ("source %s/start\n" % out).encode())
        wait_for(fd, out + "/ready")
        os.write(fd, line.encode() + b"\t\x18")
        wait_for(fd, out + "/done")
        os.close(fd)
        os.waitpid(pid, 0)
        offered = []
        if os.path.exists(out + "/offered"):
            with open(out + "/offered", encoding="utf-8") as f:
                offered = sorted({text for text in f.read().split("\n") if text})
        with open(out + "/done", encoding="utf-8") as f:
            print("\n".join(offered + ["= " + f.read().rstrip("\n")]))


main()
