#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""kdc_age.py IN OUT: a copy of a credential cache (file format 4) whose tickets ran out an hour ago.

Each credential holds four times, one behind the other: authtime, starttime, endtime, renew_till.
They are found by the authtime that the ticket was made at, in the last minutes."""
import struct
import sys
import time

data = bytearray(open(sys.argv[1], "rb").read())
now, at, found = int(time.time()), 0, 0
while at + 16 <= len(data):
    auth, start, end, _ = struct.unpack(">4I", data[at:at + 16])
    if now - 600 < auth <= now + 5 and start in (0, auth) and auth < end < now + 90000:
        data[at:at + 12] = struct.pack(">3I", auth - 9000, auth - 9000, now - 3600)
        found, at = found + 1, at + 16
    else:
        at += 1
if not found:
    sys.exit("kdc_age: no ticket found")
open(sys.argv[2], "wb").write(data)
