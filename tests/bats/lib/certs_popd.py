#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""popd with more of TLS. Same options as popd; the environment says the rest:

CERTS_NOTES     a file that gets one line a handshake: "sni NAME", "version V", "client SUBJECT"
CERTS_CLIENT    authorities (PEM) of the client certificates that are asked for
CERTS_VERSION   the only version that is spoken: 1.0, 1.1, 1.2 or 1.3
CERTS_KEYS      a file that gets the secrets of each connection, as NSS writes them
CERTS_WEAK      set: weak keys and signatures, too
"""
import os
import runpy
import ssl
import sys
import warnings

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
POPD = os.path.join(HERE, "..", "..", "popd", "popd")
sys.path.insert(0, os.path.join(HERE, "..", ".."))
import popd  # noqa: E402
from popd.base import Gone  # noqa: E402
from popd.conn import Conn  # noqa: E402

warnings.simplefilter("ignore")
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def note(text):
    if os.environ.get("CERTS_NOTES"):
        with open(os.environ["CERTS_NOTES"], "a") as f:
            f.write(text + "\n")


def context(server):
    if server._context is None:
        ctx = server._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        version = os.environ.get("CERTS_VERSION")
        if version or os.environ.get("CERTS_WEAK"):
            ctx.set_ciphers("ALL:@SECLEVEL=0")
        if version:
            ctx.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            ctx.maximum_version = VERSIONS[version]
            ctx.minimum_version = VERSIONS[version]
        if os.environ.get("CERTS_KEYS"):
            ctx.keylog_filename = os.environ["CERTS_KEYS"]
        if os.environ.get("CERTS_CLIENT"):
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(os.environ["CERTS_CLIENT"])
        ctx.load_cert_chain(server.settings["cert"], server.settings["key"])
        ctx.sni_callback = lambda sock, name, _: note("sni %s" % name)
    return server._context


def start_tls(conn, ordinary=Conn.start_tls):
    ordinary(conn)
    note("version %s" % conn.sock.version())
    try:
        peer = conn.sock.getpeercert()
    except OSError:     # the client has gone again
        raise Gone
    if peer:
        note("client %s" % peer["subject"][-1][0][1])


popd.Server.context = context
Conn.start_tls = start_tls
sys.argv[0] = POPD
runpy.run_path(POPD, run_name="__main__")
