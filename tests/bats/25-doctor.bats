#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# --doctor: each step between an account and its mail, one line each, with what to do.

load lib/common

# tells REGEX
tells() {
    grep -q -E "^a: $1" <<<"$output" || fail "no line matches '$1'"
}

@test "--doctor: all is well, and nothing is fetched or left behind" {
    tell_many 2
    certs "$T"
    popd_start 'set tls implicit' "set cert \"$T/server.pem\"" "set key \"$T/server.key\""
    popd_rc 'server = "localhost"' 'tls = "implicit"' "tls_ca_file = \"$T/ca.pem\""
    mkdir -p "$MD/new" "$MD/cur" "$MD/tmp"
    printf 'defaults { rule { from = a mbox = "%s/lists" }\nrule { from = b mda = "cat -" }\n' "$T" >>"$RC"
    printf 'rule { from = c lmtp = "unix:%s/s" lmtp_recipient = c }\n}\n' "$T" >>"$RC"
    want 0 --doctor
    tells "destination: ok: $T/lists: files can be made there"
    tells 'destination: ok: cat -$'
    tells "destination: ok: unix:$T/s: asked when there is mail"
    tells 'resolver: ok: .*127\.0\.0\.1'
    tells "connection: ok: 127\.0\.0\.1 port $PORT answers; connected from 127\.0\.0\.1"
    tells 'TLS: ok: TLSv1\.[23] [A-Z0-9_]+, in date; DNS:localhost.*issued by .* valid from .* to '
    tells 'chain: ok: .*CN=server.*, issued by .*CN=ca of the tests'
    tells 'greeting: ok: it greets, and offers .*UIDL'
    tells 'login: ok: alice$'
    tells 'listing: ok: 2 messages$'
    tells "destination: ok: $MD: files can be made there, and made durable"
    tells "state folder: ok: $STATE"
    tells 'clock: ok: 20[0-9-]+ [0-9:]+ UTC'
    tells 'cron: ok: nothing that this account needs is different there; .*HOME is /.*LANG may not be set'
    [ "$(count)" -eq 0 ]
    [ -z "$(find "$H" -name '*checkup*')" ] || fail "something is left"
    [ -z "$stderr" ] || fail "something on standard error"
}

@test "--doctor needs no password before the login" {
    popd_start
    popd_rc -password
    want 78 --doctor
    tells 'greeting: ok: '
    tells 'login: PROBLEM: no password, and no terminal to ask on; add password_command'
    [ "$(sent_count '^(USER|PASS|AUTH)')" -eq 0 ]
    tells 'clock: ok: '
}

@test "--doctor stops on the way at what is wrong, and looks at the rest of this machine" {
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75 --doctor
    tells 'resolver: ok: '
    tells "connection: PROBLEM: 127\.0\.0\.1: port $PORT refuses connections; "
    [[ $output != *"login:"* ]] || fail "a login without a connection"
    tells 'destination: ok: '
    popd_rc 'server = "no.such.host.invalid"'
    want '68|75' --doctor
    tells 'resolver: PROBLEM: no\.such\.host\.invalid: .*; check the name'
}

@test "--doctor: a wrong password, a folder that cannot be written, what cron has not" {
    popd_start 'on PASS: err "[AUTH] no"'
    popd_rc -maildir 'mda = "no-such-command -x"'
    FP_ENV=(XDG_STATE_HOME="$T/elsewhere")
    want '77|78' --doctor
    tells 'login: PROBLEM: login refused by 127\.0\.0\.1.*; check user and password'
    tells 'destination: PROBLEM: no-such-command -x: no such command; check its path'
    tells 'cron: PROBLEM: .*XDG_STATE_HOME \(the journals are there: set state_dir\)'
    : >"$T/file"
    popd_rc -maildir "mbox = \"/proc/no/such\""
    want '73|74|77|78' --doctor
    tells 'destination: PROBLEM: /proc: no file can be made there'
}

# cron_says REGEX: what --doctor says of cron in a login shell with a folder of its own in PATH
cron_says() {
    FP_ENV=("PATH=$T/own:$PATH" "${EXTRA[@]}")
    want '0|75|77|78' --doctor
    tells "cron: $1"
}

@test "--doctor: what this shell finds and cron does not, by name" {
    local EXTRA=()
    popd_start
    mkdir -p "$T/own"
    printf '#!/bin/sh\necho secret\n' >"$T/own/my-pw"
    printf '#!/bin/sh\ncat >/dev/null\n' >"$T/own/my-mda"
    chmod 755 "$T/own/my-pw" "$T/own/my-mda"
    popd_rc -password 'password_command = "my-pw -a"'
    cron_says "PROBLEM: PATH \(my-pw is in $T/own, where cron does not look: write its path in full\)\$"
    tells 'login: ok: alice'
    popd_rc -password "password_command = \"$T/own/my-pw\""
    cron_says 'ok: nothing that this account needs is different there; PATH is /usr/bin:/bin, '
    popd_rc -maildir 'mda = "my-mda|cat"'
    cron_says "PROBLEM: PATH \(my-mda is in $T/own, "
    popd_rc -maildir 'mda = "umask 077; cat >/dev/null"'
    cron_says 'ok: '
    tells 'destination: ok: umask'
    popd_rc -maildir 'mda = "nowhere -x"'
    cron_says 'ok: '
    tells 'destination: PROBLEM: nowhere -x: no such command'
}

@test "--doctor: a variable counts only where the account needs it" {
    local EXTRA=("XDG_STATE_HOME=$T/elsewhere" "SSL_CERT_FILE=$T/none.pem")
    popd_start
    certs "$T"
    popd_rc "tls_ca_file = \"$T/ca.pem\""
    cron_says 'PROBLEM: XDG_STATE_HOME \(the journals are there: set state_dir\)$'
    { echo "state_dir = \"$T/state\"" && popd_account a "tls_ca_file = \"$T/ca.pem\""; } | rc
    cron_says 'ok: '
    { echo "state_dir = \"$T/state\"" && popd_account a; } | rc
    cron_says 'PROBLEM: SSL_CERT_FILE \(it names the authorities: set tls_ca_file\)$'
}
