#!/usr/bin/env bats
# The first hour: mistakes are answered at once, with what to write, also where nobody watches.

load lib/common

# tls_server: popd with TLS from the start; trusted by the account's tls_ca_file
tls_server() {
    certs "$T"
    popd_start 'set tls implicit' "set cert \"$T/server.pem\"" "set key \"$T/server.key\"" "$@"
}

# --- the port -------------------------------------------------------------------------------------

# wrong_port TLS: an account that does so at a port with TLS is told within seconds
wrong_port() {
    local begun=$SECONDS
    tls_server
    popd_rc "tls = \"$1\"" 'timeout = "60s"'
    want 76
    [ $((SECONDS - begun)) -lt 40 ] || fail "it took $((SECONDS - begun)) seconds"
    account_line "127.0.0.1: no greeting on port $PORT, which wants TLS from the start; write tls = \"implicit\""
    no_secret_sent
}

@test "stls at a port that has TLS from the start" {
    wrong_port stls
}

@test "no TLS at a port that has it from the start" {
    wrong_port none
}

@test "TLS from the start at a port that has none" {
    popd_start
    popd_rc 'tls = "implicit"'
    want 76
    account_line 'no TLS on this port'
}

@test "a server that is slow to greet is waited for" {
    tell m1
    popd_start 'on greeting: sleep 6'
    popd_rc
    want 0
    [ "$(count)" -eq 1 ]
}

# --- the first failure ----------------------------------------------------------------------------

@test "the first failure of an account that never worked is told in a pipe, the next ones are not" {
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75
    [ -z "$output" ] || fail "something on standard output"
    account_line "127.0.0.1: port $PORT refuses connections"
    want 75
    silent
}

# --- -v -------------------------------------------------------------------------------------------

@test "-v tells address, port, TLS version, cipher, certificate and times" {
    tell m1
    tls_server
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$T/ca.pem\"" 'server = "localhost"'
    want 0 -v
    local line
    for line in "a: connected to 127.0.0.1 port $PORT in [0-9]+\.[0-9]{3} s" \
        'a: TLSv1\.[23] [A-Z0-9_-]+ after [0-9]+\.[0-9]{3} s, DNS:localhost.*, issued by .*, valid from .* to .* UTC' \
        'a: logged in after [0-9]+\.[0-9]{3} s' \
        'a: session: [0-9]+\.[0-9]{3} s, [0-9]+ octets received, [0-9]+ sent'; do
        grep -q -E "^$line" <<<"$stderr" || fail "no line $line"
    done
}
