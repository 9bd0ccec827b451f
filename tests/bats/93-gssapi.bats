#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Kerberos: Dovecot with GSSAPI, and a KDC that lives for this file only.

load lib/common
load lib/dovecot
load lib/certs
load lib/kdc
load lib/oauth

setup_file() {
    simple_tls
    kdc_start
    [ -z "$KDC_MISSING" ] || return 0
    if ! find /usr/lib/dovecot -name '*gssapi*' 2>/dev/null | grep -q .; then
        KDC_MISSING="dovecot's GSSAPI part is not installed"
        return 0
    fi
    kdc_user alice "alice pw"
    kdc_user mallory "mallory pw"
    kdc_service pop/localhost "$KDC/keytab"
    chmod 755 "$KDC"
    MORE_CONF="
auth_mechanisms = plain gssapi
auth_username_format = %Ln
auth_gssapi_hostname = \"\$ALL\"
auth_krb5_keytab = @DOVE@/keytab
import_environment = \$import_environment KRB5_CONFIG=@DOVE@/krb5.conf
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}" dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    cp "$KDC/keytab" "$KDC/krb5.conf" "$DOVE/"
    chmod 644 "$DOVE/krb5.conf"
    [ "$(id -u)" -ne 0 ] || chown dovecot "$DOVE/keytab"
    "$LIB/corpus.py" "$DOVE/corpus" 3 --small
    rm "$DOVE"/corpus/*M00000[4-9]* "$DOVE"/corpus/*M0000[1-9]*
    dovecot_user alice "plain pw" "$DOVE/corpus"
    dovecot_user mallory "plain pw" "$DOVE/corpus"
}

teardown_file() {
    dovecot_stop
    kdc_stop
}

setup() {
    need_kdc
    need_dovecot
    home_setup
    FP_ENV=(KRB5_CONFIG="$KRB5_CONFIG" KRB5CCNAME="FILE:$T/cc" KRB5_TRACE="$T/krb-trace")
    N=$(ls "$DOVE/corpus" | wc -l)
}

# kerberos_rc TLS [LINE...]: alice without a password
kerberos_rc() {
    local tls=$1
    shift
    dovecot_account a alice x "$tls" "maildir = \"$MD\"" "$@" | grep -v 'password =' | rc
}

@test "a ticket is the login, over TLS, STLS and without TLS" {
    ticket alice "alice pw" "$T/cc"
    local tls
    for tls in implicit stls none; do
        rm -rf "$MD"
        : >"$DOVE/log"
        kerberos_rc "$tls" 'auth = "gssapi"'
        want 0 --state-dir "$T/s.$tls"
        [ "$(count)" -eq "$N" ]
        wait_log 'Login: user=<alice>, method=GSSAPI,'
    done
}

@test "no ticket: 77, a clear line, and the server was asked for nothing" {
    : >"$DOVE/log"
    kerberos_rc implicit 'auth = "gssapi"'
    want 77
    account_line 'klist|ticket|kinit'
    ! grep -q 'Login: user' "$DOVE/log"
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "a ticket that has run out: 77" {
    ticket alice "alice pw" "$T/cc" -l 5m
    mv "$T/cc" "$T/cc.good"
    "$LIB/kdc_age.py" "$T/cc.good" "$T/cc"
    kerberos_rc implicit 'auth = "gssapi"'
    want 77
    account_line 'klist|ticket|kinit'
}

@test "a ticket without authorization_identity opens the mailbox of the ticket" {
    ticket mallory "mallory pw" "$T/cc"
    : >"$DOVE/log"
    kerberos_rc implicit 'auth = "gssapi"'
    want 0
    [ "$(count)" -eq "$N" ]
    wait_log 'Login: user=<mallory>, method=GSSAPI,'
    ! grep -q 'Login: user=<alice>' "$DOVE/log"
}

@test "authorization_identity with one's own ticket: its mailbox" {
    ticket alice "alice pw" "$T/cc"
    : >"$DOVE/log"
    kerberos_rc implicit 'auth = "gssapi"' 'authorization_identity = "alice"'
    want 0
    [ "$(count)" -eq "$N" ]
    wait_log 'Login: user=<alice>, method=GSSAPI,'
}

@test "authorization_identity with another one's ticket: 77, and neither mailbox is delivered" {
    ticket mallory "mallory pw" "$T/cc"
    kerberos_rc implicit 'auth = "gssapi"' 'authorization_identity = "alice"'
    want 77
    account_line
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "a service that the KDC does not know: 77" {
    ticket alice "alice pw" "$T/cc"
    kerberos_rc implicit 'auth = "gssapi"'
    sed -i 's/server = .*/server = "127.0.0.1"/' "$RC"
    want 77
    account_line
}

@test "without a ticket, GSSAPI gives way to the next of the list: no byte was sent" {
    : >"$DOVE/log"
    dovecot_account a alice "plain pw" implicit "maildir = \"$MD\"" 'auth = { "gssapi", "plain" }' | rc
    want 0
    [ "$(count)" -eq "$N" ]
    wait_log 'Login: user=<alice>, method=PLAIN,'
    ! grep -q 'auth failed' "$DOVE/log"
}

@test "refused with a ticket, GSSAPI does not give way" {
    ticket mallory "mallory pw" "$T/cc"
    : >"$DOVE/log"
    dovecot_account a alice "plain pw" implicit "maildir = \"$MD\"" 'auth = { "gssapi", "plain" }' \
        'authorization_identity = "alice"' | rc
    want 77
    ! grep -q 'Login: user' "$DOVE/log" || fail "went on with PLAIN"
}

@test "a KDC that does not answer costs no more than the deadline" {
    [ -n "${FP_LONG:-}" ] || skip "takes half a minute; FP_LONG=1 runs it"
    ticket alice "alice pw" "$T/cc"
    # it takes every datagram and every connection, and says nothing
    "$LIB/kdc_silent.py" "$T/kdc-port" 3>&- 4>&- &
    PIDS+=($!)
    wait_until 5 test -s "$T/kdc-port"
    sed "s/kdc = .*/kdc = 127.0.0.1:$(cat "$T/kdc-port")/" "$KDC/krb5.conf" >"$T/krb5.conf"
    FP_ENV=(KRB5_CONFIG="$T/krb5.conf" KRB5CCNAME="FILE:$T/cc")
    kerberos_rc implicit 'auth = "gssapi"' 'timeout = "3s"' 'session_timeout = "3s"'
    FP_LIMIT=50
    SECONDS=0
    want '75|77'
    [ "$SECONDS" -le 40 ] || fail "took $SECONDS s"
    one_line '^fetchpop: a: .+'
}
