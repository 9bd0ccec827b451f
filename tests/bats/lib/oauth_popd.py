#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""popd with more of SASL, and with TLS as certs_popd.py has it. Same options as popd; `set auth`
says what is offered. The environment says the rest:

OAUTH_TOKEN     file with the token that is right for XOAUTH2 and OAUTHBEARER
OAUTH_JSON      what a refusal's challenge says (else what Google says); "-": refused at once;
                "@FILE": what is in that file by then
OAUTH_NOTES     a file that gets one line a login: "MECHANISM USER LENGTH-OF-TOKEN host port"
SCRAM_LIE       signature, nonce, early (+OK without a signature), binding (as if TLS were another
                connection's), stripped (it has -PLUS, whatever `set auth` says), or iterations=N
CERTS_KEYS      must name a file for -PLUS on TLS 1.3: it is where the exporter's secret comes from
"""
import base64
import hashlib
import hmac
import os
import runpy
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", ".."))
from popd.pop3 import Pop3  # noqa: E402

JSON = '{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}'
HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


def oauth(conn, mech, initial):
    data = conn.decode(initial) if initial else conn.ask(b"")
    fields = data.decode("latin-1").split("\1")
    bearer = [f[len("auth=Bearer "):] for f in fields if f.startswith("auth=Bearer ")]
    user = fields[0][5:] if mech == "XOAUTH2" else fields[0][4:-1]
    user = user.replace("=2C", ",").replace("=3D", "=")
    rest = " ".join(f for f in fields[1:] if f.startswith(("host=", "port=")))
    with open(os.environ["OAUTH_NOTES"], "a") as f:
        f.write(("%s %s %d %s" % (mech, user, len("".join(bearer)), rest)).strip() + "\n")
    with open(os.environ["OAUTH_TOKEN"]) as f:
        right = f.read().strip()
    shape = fields[0] == "user=" + user if mech == "XOAUTH2" else \
        fields[0].startswith("n,a=") and fields[0].endswith(",")
    if shape and data.endswith(b"\1\1") and bearer == [right]:
        return conn.login(user, lambda secret: True)
    text = os.environ.get("OAUTH_JSON", JSON)
    if text != "-":
        with open(text[1:] if text[:1] == "@" else os.devnull, "rb") as f:
            conn.ask(f.read() or text.encode())
    return conn.err("[AUTH] token refused")


def mac(name, key, data):
    return hmac.new(key, data, name).digest()


def expand_label(name, secret, label, context, length):
    """RFC 8446, section 7.1; one block of output is enough here."""
    info = length.to_bytes(2, "big")
    for part in (b"tls13 " + label, context):
        info += bytes([len(part)]) + part
    return hmac.new(secret, info + b"\1", name).digest()[:length]


def exporter(conn):
    """RFC 9266: the exported keying material of this very connection, by our own reckoning."""
    name = "sha384" if conn.sock.cipher()[0].endswith("SHA384") else "sha256"
    with open(os.environ["CERTS_KEYS"]) as f:
        secret = bytes.fromhex([w for w in map(str.split, f) if w[0] == "EXPORTER_SECRET"][-1][2])
    empty = hashlib.new(name).digest()
    key = expand_label(name, secret, b"EXPORTER-Channel-Binding", empty, len(empty))
    return expand_label(name, key, b"exporter", empty, 32)


def bound(conn, mech, header, final):
    """RFC 5802, section 6: is the client's word about channel binding the right one?"""
    lie, data = os.environ.get("SCRAM_LIE", ""), b""
    conn.server.log(conn.number, "events", ("scram: header %s\n" % header).encode())
    if mech.endswith("-PLUS"):
        tls13 = conn.sock.version() == "TLSv1.3"
        if header != ("p=tls-exporter,," if tls13 else "p=tls-unique,,"):
            return False
        data = exporter(conn) if tls13 else conn.sock.get_channel_binding("tls-unique")
        data = bytes(len(data)) if lie == "binding" else data
    elif header == "y,," and (lie == "stripped" or "-PLUS" in conn.set("auth").upper()):
        return False
    elif header not in ("y,,", "n,,"):
        return False
    return final.split(",")[0] == "c=" + base64.b64encode(header.encode() + data).decode()


def scram(conn, mech, initial):
    name, lie = HASHES[mech.replace("-PLUS", "")], os.environ.get("SCRAM_LIE", "")
    first = (conn.decode(initial) if initial else conn.ask(b"")).decode()
    bare = first.split(",", 2)[2]
    header = first[:-len(bare)]
    user, nonce = (f[2:] for f in bare.split(",")[:2])
    count = int(lie[11:]) if lie.startswith("iterations=") else 4096
    other = "x" if nonce[0] != "x" else "y"
    nonce = (other + nonce[1:] if lie == "nonce" else nonce) + "server"
    reply = "r=%s,s=%s,i=%d" % (nonce, base64.b64encode(b"salt").decode(), count)
    final = conn.ask(reply.encode()).decode()
    conn.server.log(conn.number, "events", b"scram: the client went on\n")
    secret = conn.server.users.get(user, ("", None))[0].encode()
    salted = hashlib.pbkdf2_hmac(name, secret, b"salt", count)
    without, _, proof = final.rpartition(",p=")
    text = ",".join((bare, reply, without)).encode()
    key = mac(name, salted, b"Client Key")
    mask = mac(name, hashlib.new(name, key).digest(), text)
    if bytes(a ^ b for a, b in zip(key, mask)) != base64.b64decode(proof):
        return conn.err("[AUTH] wrong password")
    if not bound(conn, mech, header, final):
        return conn.err("[AUTH] channel binding")
    if lie != "early":
        signature = mac(name, mac(name, salted, b"Server Key"), text)
        if lie == "signature":
            signature = bytes(len(signature))
        if conn.ask(b"v=" + base64.b64encode(signature)) != b"":
            return conn.err("an answer to nothing")
    return conn.login(user, lambda secret: True)


def external(conn, mech, initial):
    conn.decode(initial) if initial else conn.ask(b"")
    return conn.login(conn.set("user"), lambda secret: True)


def do_auth(conn, arg, ordinary=Pop3.do_auth):
    mech, _, initial = arg.partition(" ")
    mech = mech.upper()
    more = {"XOAUTH2": oauth, "OAUTHBEARER": oauth, "EXTERNAL": external}
    more.update(dict.fromkeys(HASHES, scram))
    more.update(dict.fromkeys((name + "-PLUS" for name in HASHES), scram))
    if mech not in more or mech not in conn.set("auth").upper().split():
        return ordinary(conn, arg)
    try:
        return more[mech](conn, mech, initial)
    except (ValueError, IndexError):
        return conn.err("bad response")


Pop3.do_auth = do_auth
runpy.run_path(os.path.join(HERE, "certs_popd.py"), run_name="__main__")
