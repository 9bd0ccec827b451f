# SPDX-License-Identifier: ISC
"""popd: a scripted POP3 server for lies only. README in this folder says how to use it.

    import popd
    with popd.Server("mailbox", script='on RETR 2: err "no"') as server:
        ... connect to 127.0.0.1, server.port ...
    print(server.conns[0].commands)
"""
from .mailbox import Mailbox, Message, stuff, unstuff
from .script import Rule, ScriptError
from .server import Server

__all__ = ["Mailbox", "Message", "Rule", "ScriptError", "Server", "stuff", "unstuff"]
