"""What the parts of popd share."""


class Gone(Exception):
    """The connection is over, by our wish or the client's."""


def b(value):
    """Bytes stay; text and numbers become bytes, one octet a character."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")
