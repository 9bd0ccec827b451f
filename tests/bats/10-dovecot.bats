#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The truth: a real Dovecot, over TLS and STLS, with the odd corpus.

load lib/common
load lib/dovecot

N=320

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    "$LIB/corpus.py" "$DOVE/corpus" "$N"
    "$LIB/corpus.py" "$DOVE/small" 70 --small
    local user
    for user in tls stls nokeep; do
        dovecot_user "$user" "pw $user" "$DOVE/corpus"
    done
    for user in plain slow; do
        dovecot_user "$user" "pw $user" "$DOVE/small"
    done
    dovecot_user empty "pw empty"
}

teardown_file() {
    dovecot_stop
}

setup() {
    need_dovecot
    home_setup
}

# all of USER's mail over TLS, against the wire, and nothing twice
everything() {
    local user=$1 tls=$2
    wire "$user" "pw $user" "$tls" digests >"$T/want"
    [ "$(wc -l <"$T/want")" -eq "$3" ]
    dovecot_account a "$user" "pw $user" "$tls" "maildir = \"$MD\"" 'keep = "yes"' | rc
    want 0
    same "$T/want"
    want 0
    silent
    same "$T/want"
    [ "$(wire "$user" "pw $user" "$tls" count)" -eq "$3" ]
}

@test "several hundred odd messages over implicit TLS, each once, then none" {
    everything tls implicit "$N"
}

@test "several hundred odd messages over STLS, each once, then none" {
    everything stls stls "$N"
}

@test "keep = no: all delivered once and the server is empty" {
    wire nokeep "pw nokeep" implicit digests >"$T/want"
    dovecot_account a nokeep "pw nokeep" implicit "maildir = \"$MD\"" 'keep = "no"' | rc
    want 0
    same "$T/want"
    [ "$(wire nokeep "pw nokeep" implicit count)" -eq 0 ]
    want 0
    silent
    same "$T/want"
}

@test "one command at a time (pipelining = off) brings the same" {
    wire slow "pw slow" implicit digests >"$T/want"
    dovecot_account a slow "pw slow" implicit "maildir = \"$MD\"" 'pipelining = "off"' | rc
    want 0
    same "$T/want"
}

@test "every login mechanism, over TLS" {
    local mech
    wire plain "pw plain" implicit digests >"$T/want"
    for mech in user PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256; do
        dovecot_account "$mech" plain "pw plain" implicit "maildir = \"$MD.$mech\"" \
            "auth = \"$mech\"" | rc
        want 0 --state-dir "$T/state.$mech"
        same "$T/want" "$MD.$mech"
    done
}

@test "password_command, password_file and standard input for the configuration file" {
    dovecot_account a plain x implicit "maildir = \"$MD\"" | grep -v password >"$T/base"
    sed 's/^}/    password_command = "echo pw plain"\n}/' "$T/base" | rc
    want 0 --state-dir "$T/s1"
    [ "$(count)" -eq "$(ls "$DOVE/small" | wc -l)" ]
    echo "pw plain" >"$T/secret"
    chmod 600 "$T/secret"
    sed "s|^}|    password_file = \"$T/secret\"\n}|" "$T/base" | rc
    want 0
    sed "s|^}|    password = \"pw plain\"\n}|" "$T/base" >"$T/rc"
    chmod 600 "$T/rc"
    rm "$RC"
    run --separate-stderr fp -f - <"$T/rc"
    [ "$status" -eq 0 ]
}

@test "an empty mailbox is no error and makes no message" {
    dovecot_account a empty "pw empty" implicit "maildir = \"$MD\"" 'keep = "no"' | rc
    want 0
    [ "$(count)" -eq 0 ]
}

@test "a wrong password: one line, 77" {
    dovecot_account a plain "wrong" implicit "maildir = \"$MD\"" | rc
    want 77
    account_line
    [ "$(count)" -eq 0 ]
}

# what was said before the answer to the login
before_login() {
    sed -n '/> AUTH/q; s/^a: > //p' <<<"$output$stderr"
}

@test "the second poll over TLS asks for no capabilities before the login" {
    dovecot_account a empty "pw empty" implicit "maildir = \"$MD\"" | rc
    want 0 -v -v
    [ "$(before_login)" = CAPA ]
    want 0 -v -v
    [ -z "$(before_login)" ]
    [[ $output$stderr == *"> AUTH SCRAM-SHA-256"* ]] || fail "no login, or another one"
    dovecot_account a empty wrong implicit "maildir = \"$MD\"" | rc
    want 77 -v -v
    [ "$(grep -c '> AUTH' <<<"$output$stderr")" -eq 1 ]
}
