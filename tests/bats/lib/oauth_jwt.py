#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A JSON web token for tests: oauth_jwt.py KEY SECONDS [NAME=VALUE...]"""
import base64
import hashlib
import hmac
import json
import sys
import time


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


now = int(time.time())
claims = {"sub": "alice", "iss": "tests", "iat": now - 3600, "nbf": now - 3600,
          "exp": now + int(sys.argv[2])}
claims.update(pair.split("=", 1) for pair in sys.argv[3:])
text = b".".join(part(json.dumps(x).encode()) for x in ({"alg": "HS256", "typ": "JWT"}, claims))
print((text + b"." + part(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest())).decode())
