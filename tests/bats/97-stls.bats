#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# STLS: stripped, refused, tampered with. It never goes on in the clear, and the password is in no
# byte that the server got outside of TLS.

load lib/common
load lib/certs

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca good "DNS:localhost,IP:127.0.0.1"
    issue "$TLS" ca other "DNS:other.example"
}

stls_rc() {
    popd_rc 'tls = "stls"' "tls_ca_file = \"$TLS/ca.pem\"" 'timeout = "2s"' "$@"
}

# closed STATUS [LINE...]: the run fails with one line, and nothing was told in any form
closed() {
    local statuses=$1
    shift
    tell m1
    tls_popd stls good "$@"
    stls_rc
    want "$statuses"
    one_line '^fetchpop: a: .+'
    nothing_told
    popd_stop
    rm -rf "$PLOG"
}

@test "the control: STLS that works; login is inside, and CAPA is asked again" {
    tell m1
    tls_popd stls good
    stls_rc
    want 0
    [ "$(count)" -eq 1 ]
    local at
    at=$(sed -n 's/^tls at //p' "$PLOG/1.events")
    [ "$(head -c "$at" "$PLOG/1.in")" = $'CAPA\r\nSTLS\r' ] || fail "$(head -c "$at" "$PLOG/1.in")"
    tail -c +"$((at + 1))" "$PLOG/1.in" | head -1 | grep -q '^CAPA' || fail "CAPA was not asked again"
}

@test "stripped: CAPA without it, and a server that does not know it" {
    closed 77 'set hide-caps STLS' 'on STLS: err "unknown command"'
    closed 77 'set tls none'
    closed 77 'set tls none' 'set capa no'
}

@test "refused, for now and for good" {
    closed 77 'on STLS: err "no"'
    closed 77 'on STLS: err "[SYS/TEMP] TLS not available"'
    closed 76 'on STLS: text "junk\r\n"'
    closed 77 'on STLS: text "+ \r\n"'
}

@test "not said in CAPA, but there: used, or refused, and never without TLS" {
    tell m1
    tls_popd stls good 'set hide-caps STLS'
    stls_rc
    want 77
    local at
    at=$(sed -n 's/^tls at //p' "$PLOG/1.events")
    [ "$status" -ne 0 ] || [ -n "$at" ] || fail "in the clear"
    ! head -c "${at:-100000}" "$PLOG/1.in" | grep -q -a -E 'USER|PASS|AUTH|secret'
}

@test "bytes behind the +OK: the end, whatever they are" {
    local junk
    for junk in '+OK injected\r\n' '+OK\r\nSASL PLAIN\r\n.\r\n' '\r\n' '.\r\n' 'x' '\0' \
        '-ERR\r\n' '\x15\x03\x03\x00\x02\x02\x28'; do
        closed 77 "on STLS: text \"+OK\\r\\n$junk\"; tls"
    done
}

@test "bytes behind the +OK that come a little later, in packets of their own" {
    closed 77 'on STLS: text "+OK\r\n"; sleep 200; send "+OK injected\r\n"; sleep 200; tls'
}

@test "answers injected before STLS count for nothing afterwards" {
    tell m1
    # two answers to CAPA; the second would be taken for that of STLS by one who does not look
    closed '75|76|77' 'on x1 CAPA: answer; send "+OK begin TLS\r\n"'
    # and a CAPA before TLS that says other things than the one inside
    tls_popd stls good 'on x1 CAPA: lines "USER" "STLS" "SASL PLAIN LOGIN ANONYMOUS" "LOGIN-DELAY 900"' \
        'set auth CRAM-MD5' 'set plain-login no'
    stls_rc -auth
    want 0
    [ "$(sent_count '^AUTH CRAM-MD5')" -eq 1 ] || fail "$(sent)"
    [ "$(sent_count '^(USER|AUTH PLAIN)')" -eq 0 ] || fail "$(sent)"
}

@test "PIPELINING from before STLS is forgotten, and nothing is sent along with it" {
    tell_many 3
    tls_popd stls good 'on x1 CAPA: lines "PIPELINING" "STLS" "USER" "UIDL"' 'set pipelining no' \
        'on ANY: sleep 30'
    stls_rc
    want 0
    [ "$(count)" -eq 3 ]
    ! grep -h '^pipelined' "$PLOG"/*.events || fail "pipelined"
}

@test "a hang: before its answer, in the handshake, and in the greeting" {
    closed 75 'on STLS: hang'
    closed 75 'on STLS: text "+OK\r\n"; hang'
    closed 75 'on greeting: hang'
    closed 75 'on STLS: drip 700; answer'
}

# slow: a server that takes its time for each step on the way to TLS, most of it for STLS: CAPA, too,
# would be at fault if the deadline came while it is waited for
slow() {
    tell m1
    tls_popd stls good 'on greeting: sleep 1000; answer' 'on x1 CAPA: sleep 1000; answer' \
        'on STLS: sleep 2500; answer'
}

@test "one deadline for greeting, CAPA, STLS and handshake, though no step is longer than the timeout" {
    slow
    stls_rc
    sed -i "s/timeout = .*/timeout = \"4s\"/" "$RC"
    want 75
    account_line 'connecting and the TLS handshake took longer than 4 seconds'
    nothing_told
    # the control: it is their sum that counts
    popd_stop
    slow
    stls_rc
    sed -i "s/timeout = .*/timeout = \"20s\"/" "$RC"
    want 0
    [ "$(count)" -eq 1 ]
}

@test "that deadline ends where TLS is up: a slow session inside it is none of its business" {
    tell m1
    tls_popd stls good 'on USER: sleep 1000; answer' 'on PASS: sleep 1000; answer' \
        'on QUIT: sleep 1000; answer'
    stls_rc
    want 0
    [ "$(count)" -eq 1 ]
}

@test "the connection ends: before its answer, behind it, within the handshake" {
    closed 75 'on STLS: close'
    closed 75 'on STLS: reset'
    closed 75 'on STLS: text "+OK\r\n"; close'
}

@test "plain POP3 instead of a handshake" {
    closed 77 'on STLS: text "+OK\r\n"; expect "*"; send "+OK go on\r\n"; hang'
}

@test "STLS with a certificate for someone else: 77, and one line" {
    tell m1
    tls_popd stls other
    stls_rc
    want 77
    certificate_lines 'other\.example'
    nothing_told
}

@test "the greeting lies: PREAUTH-like texts, -ERR, and a stamp" {
    closed 75 'on greeting: err "no"'
    closed 76 'on greeting: text "* PREAUTH\r\n"'
    tell m1
    tls_popd stls good 'set apop yes' 'set plain-login no' 'set capa yes'
    stls_rc -auth
    want 0
    # the stamp of the greeting came in the clear, and is forgotten
    [ "$(sent_count '^APOP')" -eq 0 ] || fail "APOP with a stamp from before TLS"
}

@test "after TLS is up, a server that closes at once gets no second try in the clear" {
    tell m1
    tls_popd stls good 'on tls: close'
    stls_rc
    want 75
    nothing_told
    local n
    for n in "$PLOG"/*.in; do
        ! grep -q -a -E 'USER|PASS|AUTH' "$n"
    done
}
