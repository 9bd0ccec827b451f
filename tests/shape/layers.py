# SPDX-License-Identifier: ISC
"""Includes point down the layer picture or into the same folder; each vendor has its fence."""

import re

import libtree

BELOW = {
    "main": {"app", "import", "session", "state", "pop3", "delivery", "net", "base"},
    "app": {"import", "session", "state", "pop3", "delivery", "net", "base"},
    "session": {"state", "pop3", "delivery", "net", "base"},
    "import": {"base"},
    "state": {"base"},
    "pop3": {"net", "base"},
    "delivery": {"net", "base"},
    "net": {"base"},
    "base": set(),
}

# Below its layer, for these files alone: the rest of delivery does not know that a network exists.
ALONE = {("delivery", "net"): {"src/delivery/lmtp.c"}}

FENCES = {
    r"confuse\.h": {"src/app/rcparse.c"},
    r"openssl/.*": {"src/net/tls.c", "src/net/trust.c", "src/base/digest.c"},
    r"sasl/.*": {"src/pop3/sasl.c"},
    r"idn2\.h": {"src/net/idn.c"},
    r"seccomp\.h": {"src/base/filter.c"},
    r"stringprep\.h": {"src/pop3/prep.c"},
    r"resolv\.h": {"src/net/dns.c"},
    r"arpa/nameser\.h": {"src/net/dns.c", "src/net/srv.c"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def layer(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else "main"


def main():
    tap = libtree.Tap()
    sources = libtree.files("src", ".c", ".h")
    up, spelling, fence, homeless = [], [], [], []
    for path in sources:
        text = libtree.blank(libtree.read(path), strings=False)
        if layer(path) not in BELOW:
            homeless.append(f"{path}: no such layer")
            continue
        for match in INCLUDE.finditer(text):
            kind, name = match.groups()
            place = f"{path}:{libtree.line_of(text, match.start())}: {name}"
            if kind == "<":
                fence += [place for pattern, homes in FENCES.items()
                          if re.fullmatch(pattern, name) and path not in homes]
            elif not libtree.exists("src/" + name):
                spelling.append(place)
            elif (layer("src/" + name) not in BELOW[layer(path)] | {layer(path)}
                  or path not in ALONE.get((layer(path), layer("src/" + name)), {path})):
                up.append(place)
    looked_at = len(sources)
    tap.rule("every source belongs to a layer", homeless, looked_at)
    tap.rule("own headers are named in quotes, from src/", spelling, looked_at)
    tap.rule("includes point down or into the same folder", up, looked_at)
    tap.rule("each library is included in its own file only", fence, looked_at)
    tap.done()


main()
