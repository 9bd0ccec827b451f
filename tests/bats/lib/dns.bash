# SPDX-License-Identifier: ISC
# A network namespace of the test's own, with a DNS server of its own, no way out, and the program
# and popd inside. Needs root. Load after lib/common.
# shellcheck shell=bash

# need_namespace: visible skip
need_namespace() {
    [ "$(id -u)" -eq 0 ] || skip "needs root, for a network namespace"
    need unshare
    need nsenter
    need ip
    unshare --net --mount true 2>/dev/null || skip "a network namespace is not possible here"
}

# namespace [COMMAND]: sets NS_PID. COMMAND runs in there as root before anything else.
namespace() {
    need_namespace
    printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:2\n' >"$T/resolv.conf"
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$T/nsswitch.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$T/hosts"
    : >"$T/zone"
    cat >"$T/ns-start" <<END
set -e
ip link set lo up
for file in resolv.conf nsswitch.conf hosts; do
    mount --bind "$T/\$file" "\$(readlink -f "/etc/\$file")"
done
[ ! -d /run/nscd ] || mount -t tmpfs tmpfs /run/nscd
[ ! -d /var/run/nscd ] || mount -t tmpfs tmpfs /var/run/nscd
${1:-}
touch "$T/ns-ready"
exec sleep 300
END
    unshare --net --mount --propagation private sh "$T/ns-start" >"$T/ns.out" 2>&1 3>&- 4>&- &
    NS_PID=$!
    PIDS+=("$NS_PID")
    wait_until 10 test -e "$T/ns-ready" || skip "no network namespace: $(tail -1 "$T/ns.out")"
    # not through a function: the process to end later must be the server itself
    nsenter --target "$NS_PID" --net --mount -- "$LIB/dns_server.py" "$T/zone" "$T/dns-ready" \
        >"$T/dns.out" 2>&1 3>&- 4>&- &
    PIDS+=($!)
    wait_until 10 test -e "$T/dns-ready" || fail "no DNS server: $(cat "$T/dns.out")"
    in_namespace "$FETCHPOP" "$T/fetchpop-inside"
    in_namespace "$LIB/certs_popd.py" "$T/popd-inside"
    FETCHPOP=$T/fetchpop-inside POPD=$T/popd-inside
}

# in_namespace PROGRAM WRAPPER: a script that runs the program in there
in_namespace() {
    printf '#!/bin/sh\nexec nsenter --target %s --net --mount -- "%s" "$@"\n' "$NS_PID" "$1" >"$2"
    chmod 755 "$2"
}

# zone LINE...: what the DNS server knows from now on
zone() {
    printf '%s\n' "$@" >"$T/zone.new"
    mv "$T/zone.new" "$T/zone"
}
