#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# tls_trust = tofu: the first key is noted before any password is sent, and then it alone counts.

load lib/common
load lib/certs
load lib/oauth

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca good "DNS:localhost,IP:127.0.0.1"
    issue "$TLS" ca other "DNS:other.example"
    openssl req -x509 -new -key "$TLS/other.key" -days 30 -subj /CN=renewed -out "$TLS/renewed.pem"
    cp "$TLS/other.key" "$TLS/renewed.key"
    OTHER=$(pin_of "$TLS/other.pem") GOOD=$(pin_of "$TLS/good.pem")
    export OTHER GOOD
}

# server KIND CERTIFICATE [LINE...]: the server, from now on with this certificate; nothing heard yet
server() {
    [ -z "${POPD_PID:-}" ] || popd_stop
    rm -rf "$PLOG"
    tls_popd "$@"
    tofu "$1"
}

# tofu KIND [LINE...]: the account that trusts it at first sight
tofu() {
    local kind=$1
    shift
    popd_rc "tls = \"$kind\"" 'tls_trust = "tofu"' 'server = "localhost"' "$@"
}

note() {
    echo "$STATE"/*.note
}

# plain PIN: as it stands in an expression
plain() {
    printf %s "${1//+/\\+}"
}

# holds PIN: that is what is noted, once
holds() {
    [ "$(grep -c '^pin ' "$(note)")" -eq 1 ] || fail "not one pin: $(cat "$(note)")"
    grep -q -E "^pin 1[0-9]{9} $(plain "$1")\$" "$(note)" || fail "not this pin: $(cat "$(note)")"
}

# refuses OLD NEW: 77 with both pins and a day, and nothing is told to the server
refuses() {
    want 77
    certificate_lines '\(pin\): its key is not the one noted on 20[0-9]{2}-[0-9]{2}-[0-9]{2}, which is '
    [[ $stderr == *"which is $1; if "*"fetchpop --accept-pin \"a\" notes it"* ]] ||
        fail "not the old pin, or not what to do"
    [[ $stderr == *"pin of the server's key: $2"* ]] || fail "not the new pin"
    nothing_heard
}

nothing_heard() {
    no_secret_sent
    [ "$(sent_count '^(USER|PASS|APOP|AUTH)')" -eq 0 ] || fail "a login was tried: $(sent)"
}

@test "the first key is noted and told once, another one is fatal, --accept-pin takes it" {
    local kind
    for kind in implicit stls; do
        rm -rf "$STATE" "$MD" "$MB"/*
        tell m1
        server "$kind" other
        want 0
        one_line "^fetchpop: a: noted the key of localhost: $(plain "$OTHER"); from now on no other is accepted\$"
        holds "$OTHER"
        [ "$(count)" -eq 1 ]
        want 0
        [ -z "$stderr" ] || fail "told again"
        # another certificate, of nobody's, with the same key
        server "$kind" renewed
        want 0
        [ -z "$stderr" ] || fail "told again"
        # one that the authorities of this machine could vouch for
        server "$kind" good
        refuses "$OTHER" "$GOOD"
        refuses "$OTHER" "$GOOD"
        holds "$OTHER"
        tell m2
        want 0 --accept-pin a
        one_line "noted the new key of localhost: $(plain "$GOOD"); it takes the place of the one noted on 20.*, $(plain "$OTHER")\$"
        holds "$GOOD"
        [ "$(count)" -eq 2 ]
        want 0 --accept-pin a
        [ -z "$(errors)" ] || fail "told again"
        server "$kind" other
        refuses "$GOOD" "$OTHER"
    done
}

password_sent() {
    [ "$(sent_count '^PASS')" -eq 1 ]
}

@test "the pin is on disk before the password goes out" {
    tell m1
    server implicit other 'on PASS: stall' 'on AUTH: stall'
    tofu implicit 'auth = "user"' 'timeout = 10s'
    fp >"$T/out" 2>&1 &
    local run=$!
    PIDS+=("$run")
    wait_until 20 password_sent
    holds "$OTHER"
    stop_pid "$run"
}

@test "a pin that cannot be noted: the poll fails, and no password was sent" {
    local path
    server implicit other 'on USER: err "no"'
    tofu implicit 'auth = "user"'
    want '75|77'
    path=$(note)
    # something else is in its place
    rm "$path"
    mkdir "$path"
    server implicit other
    want 73
    account_line "the key of localhost cannot be noted, so no password was sent: $path"
    nothing_heard
    # it cannot be replaced
    rmdir "$path"
    mkdir -p "$path.new/full"
    want '73|74'
    one_line "the key of localhost cannot be noted, so no password was sent: "
    nothing_heard
    [ ! -e "$path" ] || fail "a note was left"
    rm -r "$path.new"
    want 0
    holds "$OTHER"
}

@test "a note that is damaged is no first sight" {
    tell m1
    server implicit other
    want 0
    printf 'x' >>"$(note)"
    local run
    for run in 1 2; do
        rm -f "$PLOG"/*
        want 77
        account_line 'the noted key cannot be read \(.* is damaged\); --accept-pin "a"'
        nothing_heard
    done
    want 77 --doctor
    [[ $output == *'a: key: PROBLEM: '*damaged* ]] || fail "the doctor does not say so"
    want 0 --accept-pin a
    holds "$OTHER"
    want 0
}

@test "what only looks notes nothing, and sends no password before something is noted" {
    local option
    tell m1
    server implicit other
    for option in --check --dry-run --list; do
        want 77 "$option"
        one_line 'no key of this server is noted yet, so no password was sent; a poll notes it'
        nothing_heard
        [ ! -e "$(note)" ] || fail "noted"
    done
    want 0 --print-pin a
    [[ $output == "a: $OTHER (no key is noted yet; the next poll notes this one)" ]] || fail "not so"
    want 77 --doctor
    [[ $output == *"a: key: ok: no key is noted yet; the next poll notes this one: $OTHER"* ]] ||
        fail "the doctor does not say so"
    nothing_heard
    want 0
    want '0|1' --check
    want 0 --print-pin a
    [[ $output =~ ^"a: $OTHER (the key noted on 20"[0-9-]{8}\)$ ]] || fail "not so"
    want 0 --doctor
    [[ $output =~ "a: key: ok: the key noted on 20"[0-9-]{8}": $OTHER" ]] || fail "not so"
    server implicit good
    want 0 --print-pin a
    [[ $output == "a: $GOOD (NOT verified: "*"its key is not the one noted on 20"*"$OTHER"* ]] ||
        fail "not so"
    want 77 --doctor
    [[ $output == *"a: TLS: PROBLEM: "*"$OTHER"*"$GOOD"* ]] || fail "the doctor does not say so"
    want 77 --check
    nothing_heard
}

@test "the first login shows no password where SCRAM will do; once the key is known PLAIN is first" {
    tell m1
    server implicit other 'set auth "SCRAM-SHA-256 PLAIN"'
    tofu implicit -auth
    want 0
    [ "$(auths)" = "SCRAM-SHA-256 " ] || fail "took $(auths)"
    rm -f "$PLOG"/*
    want 0
    [ "$(auths)" = "PLAIN " ] || fail "took $(auths)"
    # and not with one that --accept-pin has never seen before
    server implicit good 'set auth "SCRAM-SHA-256 PLAIN"'
    tofu implicit -auth
    want 0 --accept-pin a
    [ "$(auths)" = "SCRAM-SHA-256 " ] || fail "took $(auths)"
}

@test "tofu beside a pin or a CRL: 78; --accept-pin where nothing is noted, or nobody is named: 64" {
    PORT=1
    tofu implicit "tls_pin = \"$OTHER\""
    want 78
    one_line 'tls_pin counts only with tls_trust = pin or both'
    tofu implicit "tls_crl_file = \"$TLS/ca.crl\""
    want 78
    one_line 'tls_crl_file counts only with tls_trust = ca or both'
    tofu implicit
    want 64 --accept-pin
    want 64 --accept-pin --check a
    popd_rc 'tls = "implicit"'
    want 64 --accept-pin a
    one_line 'a: --accept-pin goes with tls_trust = tofu'
}
