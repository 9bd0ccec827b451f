# SPDX-License-Identifier: ISC
"""What the parts of popd share."""


class Gone(Exception):
    """The connection is over, by our wish or the client's."""


def b(value):
    """Bytes stay; text and numbers become bytes, one octet a character."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def upper(text):
    """ASCII only: str.upper() makes of some characters others that are not in latin-1."""
    return text.encode("latin-1").upper().decode("latin-1")
