#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A SOCKS5 proxy (RFC 1928, 1929) for one test, and two smaller ways to a server.

    socks_server.py proxy  FOLDER [OPTION...]    writes FOLDER/port and FOLDER/log
    socks_server.py relay  FOLDER ADDRESS PORT TARGET
                                       listens on ADDRESS and PORT, passes on to 127.0.0.1 TARGET
    socks_server.py pipe   PORT        standard input and output are the connection

Options of the proxy:
    to=PORT           every name and address is 127.0.0.1 with this port, if it is given
    login=USER:PASS   only with this login
    reply=N           the answer to CONNECT is this code
    hang=STAGE        no answer any more at: hello, login, connect, relay
    close=STAGE       the end instead of an answer
    wait=MS           so long before each answer
    drip=yes          answers come byte by byte
    glue=yes          the server's first bytes come in one packet with the answer to CONNECT
    send=STAGE:HEX    these bytes instead of the answer
    bound=name        the answer to CONNECT tells the bound address as a name
A line of the log: "hello METHODS", "login USER PASS", "connect TYPE HOST PORT", "from ADDRESS".
"""
import os
import select
import signal
import socket
import sys
import threading
import time


def write_port(folder, port):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "port.new"), "w") as f:
        f.write("%d\n" % port)
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))


def log(folder, text):
    with open(os.path.join(folder, "log"), "a") as f:
        f.write(text + "\n")


def shovel(one_in, one_out, two):
    """Between two file descriptors of one side and a socket, until either ends."""
    while True:
        for fd in select.select([one_in, two], [], [])[0]:
            data = os.read(one_in, 65536) if fd == one_in else two.recv(65536)
            if not data:
                return
            if fd == one_in:
                two.sendall(data)
            else:
                os.write(one_out, data)


class Proxy:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = dict(o.split("=", 1) for o in options)

    def take(self, sock, n):
        data = b""
        while len(data) < n:
            more = sock.recv(n - len(data))
            if not more:
                raise OSError("gone")
            data += more
        return data

    def say(self, sock, stage, data):
        if self.options.get("hang") == stage:
            time.sleep(120)
        if self.options.get("close") == stage:
            raise OSError("told to close")
        time.sleep(int(self.options.get("wait", 0)) / 1000)
        where, _, text = self.options.get("send", "").partition(":")
        data = bytes.fromhex(text) if where == stage else data
        for piece in [data[i:i + 1] for i in range(len(data))] if "drip" in self.options else [data]:
            sock.sendall(piece)
            time.sleep(0.01 if "drip" in self.options else 0)

    def serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.talk(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def talk(self, sock):
        version, count = self.take(sock, 2)
        methods = self.take(sock, count)
        log(self.folder, "hello %s" % methods.hex())
        login = self.options.get("login")
        method = 2 if login else 0
        if version != 5 or method not in methods:
            sock.sendall(b"\5\xff")
            return
        self.say(sock, "hello", bytes((5, method)))
        if login:
            self.take(sock, 1)
            user = self.take(sock, self.take(sock, 1)[0]).decode()
            secret = self.take(sock, self.take(sock, 1)[0]).decode()
            log(self.folder, "login %s %s" % (user, secret))
            self.say(sock, "login", b"\1\0" if login == user + ":" + secret else b"\1\1")
            if login != user + ":" + secret:
                return
        _, command, _, kind = self.take(sock, 4)
        if kind == 3:
            host = self.take(sock, self.take(sock, 1)[0]).decode("latin-1")
        else:
            host = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6,
                                    self.take(sock, 4 if kind == 1 else 16))
        port = int.from_bytes(self.take(sock, 2), "big")
        log(self.folder, "connect %d %s %d" % (kind, host, port))
        code = int(self.options.get("reply", 0))
        target = None
        if code == 0:
            target = socket.create_connection(("127.0.0.1", int(self.options.get("to", port))))
        bound = b"\3\x05proxy\0\0" if "bound" in self.options else b"\1\0\0\0\0\0\0"
        answer = bytes((5, code, 0)) + bound
        if target and "glue" in self.options:
            answer += target.recv(1000)
        self.say(sock, "connect", answer)
        if target:
            self.say(sock, "relay", b"")
            shovel(sock.fileno(), sock.fileno(), target)
            target.close()


def proxy(folder, *options):
    listen = socket.create_server(("127.0.0.1", 0), backlog=16)
    one = Proxy(folder, options)
    write_port(folder, listen.getsockname()[1])
    while True:
        sock, _ = listen.accept()
        threading.Thread(target=one.serve, args=(sock,), daemon=True).start()


def relay(folder, address, port, target):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listen = socket.create_server((address, int(port)), family=family, backlog=16)
    write_port(folder, listen.getsockname()[1])
    while True:
        sock, peer = listen.accept()
        log(folder, "from %s" % peer[0])
        threading.Thread(target=pass_on, args=(sock, int(target)), daemon=True).start()


def pass_on(sock, target):
    try:
        with sock, socket.create_connection(("127.0.0.1", target)) as other:
            shovel(sock.fileno(), sock.fileno(), other)
    except OSError:
        pass


def pipe(port):
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        shovel(0, 1, sock)


if __name__ == "__main__":
    signal.alarm(600)   # no test takes so long
    {"proxy": proxy, "relay": relay, "pipe": pipe}[sys.argv[1]](*sys.argv[2:])
