# SPDX-License-Identifier: ISC
# A SOCKS5 proxy and relays of the test's own. Load after lib/common.
# shellcheck shell=bash

# proxy_start [OPTION...]: see socks_server.py; sets PROXY_PORT, its log is $T/proxy/log
proxy_start() {
    rm -rf "$T/proxy"
    "$LIB/socks_server.py" proxy "$T/proxy" "$@" >"$T/proxy.out" 2>&1 3>&- 4>&- &
    PROXY_PID=$!
    PIDS+=("$PROXY_PID")
    wait_until 10 test -s "$T/proxy/port" || fail "no proxy: $(cat "$T/proxy.out")"
    PROXY_PORT=$(cat "$T/proxy/port")
}

# relay_start ADDRESS PORT TARGET: what comes to ADDRESS and PORT goes to 127.0.0.1 TARGET
relay_start() {
    rm -rf "$T/relay"
    "${SOCKS:-$LIB/socks_server.py}" relay "$T/relay" "$@" >"$T/relay.out" 2>&1 3>&- 4>&- &
    RELAY_PID=$!
    PIDS+=("$RELAY_PID")
    wait_until 10 test -s "$T/relay/port" || fail "no relay: $(cat "$T/relay.out")"
}

proxied() {
    cat "$T/proxy/log" 2>/dev/null || true
}
