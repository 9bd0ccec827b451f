#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# No plaintext password without TLS unless the configuration file names that mechanism.

load lib/common

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    certs "$TLS"
}

# kept_quiet: refused with one line, no secret and no login on the wire
kept_quiet() {
    want '69|76|77|78'
    account_line
    no_secret_sent
    [ "$(sent_count '^(PASS|AUTH (PLAIN|LOGIN))')" -eq 0 ] || fail "tried to log in"
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "tls = none, auth = auto, only USER: refused" {
    tell m1
    popd_start
    popd_rc -auth
    kept_quiet
}

@test "tls = none, auth = auto, only PLAIN and LOGIN: refused" {
    tell m1
    popd_start 'set auth "PLAIN LOGIN"' 'set plain-login no'
    popd_rc -auth
    kept_quiet
}

@test "tls = none, no CAPA at all: refused" {
    tell m1
    popd_start 'set capa no'
    popd_rc -auth
    kept_quiet
}

@test "tls = none, auth = auto: CRAM-MD5 is taken, the password stays here" {
    tell m1
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5"'
    popd_rc -auth
    want 0
    [ "$(count)" -eq 1 ]
    [ "$(sent_count '^AUTH CRAM-MD5')" -eq 1 ]
    no_secret_sent
}

@test "tls = none, CRAM-MD5 refused: no weaker mechanism afterwards" {
    tell m1
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5"' 'on AUTH-DATA: none' 'on AUTH CRAM-MD5: err "[AUTH] no"'
    popd_rc -auth
    want '69|77'
    no_secret_sent
    [ "$(sent_count '^(PASS|AUTH (PLAIN|LOGIN))')" -eq 0 ]
}

@test "tls = none and the mechanism named: it is used" {
    local mech
    tell m1
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5"'
    for mech in user PLAIN LOGIN; do
        popd_rc "auth = \"$mech\"" "maildir = \"$MD.$mech\""
        want 0 --state-dir "$T/s.$mech"
        [ "$(count "$MD.$mech")" -eq 1 ]
    done
    [ "$(sent_count '^PASS secret')" -eq 1 ]
    [ "$(sent_count '^AUTH PLAIN')" -eq 1 ]
    [ "$(sent_count '^AUTH LOGIN')" -eq 1 ]
}

@test "tls = stls, auth = auto: the password goes out only inside TLS" {
    tell m1
    popd_start 'set tls stls' "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\""
    popd_rc -auth 'tls = "stls"' "tls_ca_file = \"$TLS/ca.pem\""
    want 0
    [ "$(count)" -eq 1 ]
    local at
    at=$(sed -n 's/^tls at //p' "$PLOG/1.events")
    [ -n "$at" ] || fail "no TLS"
    ! head -c "$at" "$PLOG/1.in" | grep -q -a -E 'USER|PASS|AUTH|alice|secret' ||
        fail "login before TLS: $(head -c "$at" "$PLOG/1.in")"
}

@test "tls = stls with auth = user: a server without STLS still gets no password" {
    tell m1
    popd_start
    popd_rc 'tls = "stls"'
    want '69|76|77'
    account_line
    no_secret_sent
    [ "$(sent_count '^(USER|PASS)')" -eq 0 ]
}
