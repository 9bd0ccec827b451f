#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Other real servers: Cyrus, Courier and GNU mailutils, with the odd corpus. Dovecot is in
# 10-dovecot.bats.

load lib/common
load lib/certs
load lib/debs
load lib/cyrus
load lib/courier
load lib/mailutils

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls CORPUS=$BATS_FILE_TMPDIR/corpus user
    authority "$TLS" ca
    issue "$TLS" ca good "DNS:localhost,IP:127.0.0.1"
    "$LIB/corpus.py" "$CORPUS" 70 --small
    cyrus_start "$TLS/good.pem" "$TLS/good.key"
    if [ -z "$CYRUS_MISSING" ]; then
        for user in alice bob carol; do cyrus_user "$user" "$user pw" "$CORPUS"; done
    fi
    courier_start "$TLS/good.pem" "$TLS/good.key"
    if [ -z "$COURIER_MISSING" ]; then
        for user in alice bob carol; do courier_user "$user" "$CORPUS"; done
        courier_run
    fi
    mailutils_start "$TLS/good.pem" "$TLS/good.key"
    if [ -z "$MAILUTILS_MISSING" ]; then
        for user in alice bob carol; do mailutils_user "$user" "$CORPUS"; done
        mailutils_run
    fi
}

teardown_file() {
    cyrus_stop
    courier_stop
    mailutils_stop
}

# here SERVER: its ports, or a visible skip
here() {
    local missing=${1^^}_MISSING pop3=${1^^}_POP3 pop3s=${1^^}_POP3S
    [ -z "${!missing}" ] || skip "${!missing}"
    SERVER=$1 POP3=${!pop3} POP3S=${!pop3s}
}

port_for() {
    [ "$1" = implicit ] && echo "$POP3S" || echo "$POP3"
}

# what is on the wire, as digests into $T/want. mailutils adds lines to the head of a message that
# was read once: so it is read once before.
on_wire_want() {
    [ "$SERVER" != mailutils ] || on_wire "$1" "$2" digests >/dev/null
    on_wire "$1" "$2" digests >"$T/want"
}

# on_wire USER TLS WHAT
on_wire() {
    "$LIB/wire.py" --host localhost --port "$(port_for "$2")" --tls "$2" --ca "$TLS/ca.pem" \
        --user "$1" --password "$1 pw" "$3"
}

# server_rc USER TLS [LINE...]
server_rc() {
    local user=$1 tls=$2
    shift 2
    cat <<END | rc
account "a" {
    server = "localhost"
    port = "$(port_for "$tls")"
    tls = "$tls"
    tls_ca_file = "$TLS/ca.pem"
    user = "$user"
    password = "${PASSWORD-$user pw}"
    maildir = "$MD"
$(printf '    %s\n' "$@")
}
END
}

# everything USER TLS [LINE...]: all of it, equal to what is on the wire; then none
everything() {
    local user=$1 tls=$2 n
    n=$(on_wire "$user" "$tls" count)
    [ "$n" -ge 65 ] || fail "only $n messages to begin with"
    on_wire_want "$user" "$tls"
    server_rc "$@" 'keep = "yes"'
    want 0
    same "$T/want" 2>"$T/diff" || fail "other than on the wire: $(wc -l <"$T/diff") lines differ"
    want 0
    silent
    same "$T/want" 2>"$T/diff" || fail "other than on the wire: $(wc -l <"$T/diff") lines differ"
    [ "$(on_wire "$user" "$tls" count)" -eq "$n" ]
}

# nothing_left USER TLS [LINE...]: keep = no delivers all once and empties the mailbox
nothing_left() {
    on_wire_want "$1" "$2"
    server_rc "$@" 'keep = "no"'
    want 0
    same "$T/want" 2>"$T/diff" || fail "other than on the wire: $(wc -l <"$T/diff") lines differ"
    [ "$(on_wire "$1" "$2" count)" -eq 0 ]
    want 0
    silent
    same "$T/want" 2>"$T/diff" || fail "other than on the wire: $(wc -l <"$T/diff") lines differ"
}

# enters USER TLS NAME...: each way to log in works, and finds nothing new behind the first
enters() {
    local user=$1 tls=$2 way
    shift 2
    for way; do
        server_rc "$user" "$tls" "auth = \"$way\"" 'max_messages = "1"'
        rm -rf "$MD"
        want 0 --state-dir "$T/s.$tls.$way" # with none of it does it miss the Maildir that went
        [ "$(count)" -eq 1 ] || fail "$way: $(count) messages"
    done
}

wrong_password() {
    PASSWORD=not-it server_rc alice implicit "$@"
    want 77 --force # one after the other, with the same password
    account_line
    [[ $stderr != *not-it* ]] || fail "the password is shown"
}

# --- Cyrus ----------------------------------------------------------------------------------------

@test "Cyrus: the odd corpus over TLS, each once, then none" {
    here cyrus
    everything alice implicit
}

@test "Cyrus: the same over STLS, and without pipelining" {
    here cyrus
    everything alice stls 'pipelining = "off"'
}

@test "Cyrus: keep = no empties it" {
    here cyrus
    nothing_left bob implicit
}

@test "Cyrus: every mechanism it has, over TLS" {
    here cyrus
    enters carol implicit PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256 \
        SCRAM-SHA-512 apop user auto
}

@test "Cyrus: every mechanism that hides the password, without TLS" {
    here cyrus
    enters carol none CRAM-MD5 DIGEST-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512 apop
}

@test "Cyrus: SCRAM with channel binding, where it takes ours (TLS 1.2)" {
    here cyrus
    POP3S=$CYRUS_POP3S12
    enters carol implicit SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-512-PLUS auto
}

@test "Cyrus: a wrong password, with every mechanism" {
    here cyrus
    local way
    for way in PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM SCRAM-SHA-256 user auto; do
        wrong_password "auth = \"$way\""
    done
}

# --- Courier --------------------------------------------------------------------------------------

@test "Courier: the odd corpus over TLS, each once, then none" {
    here courier
    everything alice implicit
}

@test "Courier: the same over STLS, and without pipelining" {
    here courier
    everything alice stls 'pipelining = "off"'
}

@test "Courier: keep = no empties it" {
    here courier
    nothing_left bob stls
}

@test "Courier: every way to log in; a wrong password" {
    here courier
    enters carol implicit PLAIN LOGIN user auto
    enters carol stls PLAIN LOGIN user auto
    wrong_password
}

# --- mailutils ------------------------------------------------------------------------------------

@test "mailutils: the odd corpus over TLS, each once, then none" {
    here mailutils
    everything alice implicit
}

@test "mailutils: over STLS and without pipelining, keep = no empties it" {
    here mailutils
    nothing_left bob stls 'pipelining = "off"'
}

@test "mailutils: ways to log in; a wrong password" {
    here mailutils
    enters carol implicit user auto
    wrong_password
}
