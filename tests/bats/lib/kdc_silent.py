#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A KDC that listens and never answers, UDP and TCP; its port goes into the file named."""
import os
import socket
import sys
import time

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    tcp = socket.create_server(("127.0.0.1", 0))
    try:
        udp.bind(tcp.getsockname())
        break
    except OSError:
        tcp.close()
with open(sys.argv[1] + ".new", "w") as f:
    f.write("%d\n" % tcp.getsockname()[1])
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(120)
