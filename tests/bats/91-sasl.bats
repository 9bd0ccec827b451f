#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Login: every mechanism that Dovecot has, the choice among many, and servers that cheat.

load lib/common
load lib/dovecot
load lib/certs
load lib/oauth

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

setup_file() {
    simple_tls
    EKU=clientAuth issue "$TLS" ca alice ""
    EKU=clientAuth issue "$TLS" ca nobody-we-know ""
    authority "$TLS" stranger
    CN=alice EKU=clientAuth issue "$TLS" stranger mallory ""
    # EXTERNAL in front, so that the other passdb is for passwords only
    MORE_CONF="
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 apop external
auth_username_format = %Lu
ssl_ca = <$TLS/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
auth_ssl_username_from_cert = yes
passdb {
  driver = passwd-file
  mechanisms = external
  args = @DOVE@/external
}" dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    echo "alice::::::: nopassword" >"$DOVE/external"
    chmod 644 "$DOVE/external"
    "$LIB/corpus.py" "$DOVE/corpus" 3 --small
    rm "$DOVE"/corpus/*M00000[4-9]* "$DOVE"/corpus/*M0000[1-9]*
    dovecot_user alice "a secret" "$DOVE/corpus"
    dovecot_user long "$(printf 'L%.0s' {1..240})" "$DOVE/corpus"
    # no word of Latin-1 letters: DIGEST-MD5 hashes those in Latin-1 (RFC 2831), Dovecot never does
    dovecot_user odd 'p€ "Łs\w' "$DOVE/corpus"
}

teardown_file() {
    dovecot_stop
}

# enters MECHANISM TLS USER PASSWORD: logs in with it, and Dovecot says so, too
enters() {
    rm -rf "$MD" "$T/state"
    dovecot_account a "$3" "$4" "$2" "maildir = \"$MD\"" "auth = \"$1\"" | rc
    echo "with $1"
    want 0 --state-dir "$T/state"
    [ "$(count)" -eq "$N" ] || fail "$1: $(count) of $N messages"
}

ALL="PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256"

# --- Dovecot --------------------------------------------------------------------------------------

@test "every mechanism over TLS; the server's log names it" {
    real
    local mech
    for mech in $ALL APOP; do
        : >"$DOVE/log"
        enters "$mech" implicit alice "a secret"
        wait_log "Login: user=<alice>, method=$mech,"
    done
}

@test "every mechanism over STLS" {
    real
    local mech
    for mech in $ALL; do
        enters "$mech" stls alice "a secret"
    done
}

@test "those that do not show the password, without TLS" {
    real
    local mech
    for mech in CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 APOP; do
        enters "$mech" none alice "a secret"
    done
}

@test "a wrong password with every mechanism: 77, one line, one attempt" {
    real
    local mech
    for mech in $ALL APOP user; do
        : >"$DOVE/log"
        dovecot_account a alice wrong implicit "maildir = \"$MD\"" "auth = \"$mech\"" | rc
        want 77
        account_line 'localhost'
        [[ $stderr != *wrong* ]] || fail "the password is shown"
        wait_log 'auth failed, 1 attempts'
    done
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "auto takes SCRAM-SHA-256 of all that Dovecot has, with TLS and without" {
    real
    local tls
    for tls in implicit none; do
        : >"$DOVE/log"
        enters auto "$tls" alice "a secret"
        wait_log 'Login: user=<alice>, method=SCRAM-SHA-256,'
    done
}

@test "a list: the first that the server has" {
    real
    rm -rf "$MD"
    dovecot_account a alice "a secret" implicit "maildir = \"$MD\"" \
        'auth = { "scram-sha-512", "digest-md5", "plain" }' | rc
    : >"$DOVE/log"
    want 0
    wait_log 'Login: user=<alice>, method=DIGEST-MD5,'
}

@test "none of the list: 77, and both sides are named" {
    real
    dovecot_account a alice "a secret" implicit "maildir = \"$MD\"" 'auth = { "ntlm", "xoauth2" }' | rc
    want 77
    account_line 'SCRAM-SHA-256'
    one_line '[nN][tT][lL][mM]'
}

@test "a mechanism whose plugin is not installed: 77, and the package that has it; an unknown one: 78" {
    mkdir "$T/none"
    FP_ENV=(SASL_PATH="$T/none")
    local name package
    while read -r name package; do
        more_popd "PLAIN GSSAPI SCRAM-SHA-256 OTP NTLM"
        tls_rc "auth = \"$name\""
        want 77
        account_line "libsasl2 has no plugin for $name; install it \(Debian: $package\), "
        nothing_told
        popd_stop
        rm -rf "$PLOG"
    done <<END
gssapi libsasl2-modules-gssapi-mit
SCRAM-SHA-256 libsasl2-modules
ntlm libsasl2-modules
otp libsasl2-modules-otp
END
    # auto has USER over TLS; without it, it wants one of them
    popd_start 'set auth "PLAIN CRAM-MD5"'
    popd_rc -auth
    want 77
    account_line 'libsasl2 has no plugin for plain; install it \(Debian: libsasl2-modules\), '
    nothing_told
    popd_stop
    # ours need none
    tell m1
    more_popd XOAUTH2
    echo a-good-token >"$OAUTH_TOKEN"
    tls_rc -auth -password "token_command = \"cat $OAUTH_TOKEN\""
    want 0
    tls_rc 'auth = { "plain", "scram-sha256" }'
    want 78
    one_line "$(basename "$RC"):[0-9]+: auth must be auto, user, apop or a SASL name"
    one_line 'not .scram-sha256.$'
}

@test "passwords: 240 octets, and odd ones" {
    real
    local mech
    for mech in $ALL user; do
        enters "$mech" implicit long "$(printf 'L%.0s' {1..240})"
        enters "$mech" implicit odd 'p€ \"Łs\\w'
    done
}

@test "EXTERNAL: the certificate is the login, no password is needed" {
    real
    local keys=("tls_cert_file = \"$TLS/alice.pem\"" "tls_key_file = \"$TLS/alice.key\"")
    : >"$DOVE/log"
    dovecot_account a alice x implicit "maildir = \"$MD\"" 'auth = "external"' "${keys[@]}" |
        grep -v 'password =' | rc
    want 0
    [ "$(count)" -eq "$N" ]
    wait_log 'Login: user=<alice>, method=EXTERNAL,'
}

@test "EXTERNAL with a foreign certificate, an unknown name, or none: 77" {
    real
    local name
    for name in mallory nobody-we-know; do
        dovecot_account a alice x implicit "maildir = \"$MD\"" 'auth = "external"' \
            "tls_cert_file = \"$TLS/$name.pem\"" "tls_key_file = \"$TLS/$name.key\"" |
            grep -v 'password =' | rc
        want 77
        account_line 'certificate'
    done
    dovecot_account a alice x implicit "maildir = \"$MD\"" 'auth = "external"' |
        grep -v 'password =' | rc
    want 77
    account_line
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

# --- the choice -----------------------------------------------------------------------------------

# chosen WANTED OFFER [LINE...]: of OFFER, auto takes WANTED first
chosen() {
    local wanted=$1 offer=$2
    shift 2
    rm -rf "$PLOG"
    more_popd "$offer" 'on AUTH: err "[AUTH] no"' 'on PASS: err "[AUTH] no"' 'set plain-login yes'
    tls_rc -auth "$@"
    want 77
    account_line
    [ "$(auths)" = "$wanted" ] || fail "of $offer it took: $(auths)"
    [ "$(sent_count '^(USER|PASS|APOP)')" -eq 0 ] || fail "went on with USER after a refusal"
    popd_stop
}

@test "auto over TLS takes the strongest, and a refusal ends it: nothing else is tried" {
    chosen "SCRAM-SHA-512 " "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512"
    chosen "SCRAM-SHA-256 " "SCRAM-SHA-1 PLAIN SCRAM-SHA-256 ANONYMOUS"
    chosen "SCRAM-SHA-1 " "LOGIN SCRAM-SHA-1 CRAM-MD5 PLAIN"
    chosen "PLAIN " "LOGIN PLAIN ANONYMOUS"
    chosen "LOGIN " "LOGIN ANONYMOUS"
}

@test "auto over TLS does not take PLUS, OAuth or EXTERNAL by itself" {
    chosen "SCRAM-SHA-256 " \
        "SCRAM-SHA-256-PLUS SCRAM-SHA-256 XOAUTH2 OAUTHBEARER EXTERNAL ANONYMOUS PLAIN"
}

@test "auto without TLS: never PLAIN, LOGIN or USER; the strongest of the others" {
    rm -rf "$PLOG"
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256"' \
        'on AUTH: err "[AUTH] no"' 'on PASS: err "no"'
    popd_rc -auth
    want 77
    [ "$(auths)" = "SCRAM-SHA-256 " ] || fail "took $(auths)"
    no_secret_sent
    popd_stop
    rm -rf "$PLOG"
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5"' 'on AUTH: err "[AUTH] no"' 'set apop yes'
    popd_rc -auth
    want 77
    [ "$(auths)" = "CRAM-MD5 " ] || fail "took $(auths)"
    [ "$(sent_count '^APOP')" -eq 0 ] || fail "went on with APOP"
    no_secret_sent
}

@test "a list is tried no further after a refusal either" {
    more_popd "PLAIN LOGIN CRAM-MD5" 'on AUTH: err "[AUTH] no"' 'set plain-login yes'
    tls_rc 'auth = { "cram-md5", "plain", "login", "user" }'
    want 77
    [ "$(auths)" = "CRAM-MD5 " ] || fail "took $(auths)"
    [ "$(sent_count '^(USER|PASS)')" -eq 0 ]
}

@test "a refusal in the middle of an exchange, and the connection dropped there: no other one" {
    local how
    for how in 'err "[AUTH] no"' close reset; do
        rm -rf "$PLOG"
        more_popd "CRAM-MD5 PLAIN" "on AUTH: send \"+ PDEuMkBhPg==\\r\\n\"; expect \"*\"; $how" \
            'set plain-login yes'
        tls_rc 'auth = { "cram-md5", "plain", "user" }'
        if [[ $how == err* ]]; then want 77; else want 75; fi
        one_line '^fetchpop: a: .+127.0.0.1'
        [ "$(auths)" = "CRAM-MD5 " ] || fail "$how: took $(auths)"
        [ "$(sent_count '^(USER|PASS)')" -eq 0 ] || fail "$how: then USER"
        no_secret_sent
        popd_stop
    done
}

@test "refused for now ([SYS/TEMP], [IN-USE]): 75; for good: 77; no other mechanism" {
    local code
    for code in '75 [SYS/TEMP]' '75 [IN-USE]' '75 [LOGIN-DELAY]' '77 [AUTH]' '77 '; do
        rm -rf "$PLOG"
        more_popd "CRAM-MD5 PLAIN" "on AUTH: err \"${code#* } not now\"" 'set plain-login yes'
        tls_rc 'auth = { "cram-md5", "plain", "user" }'
        want "${code%% *}"
        account_line 'not now'
        [ "$(auths)" = "CRAM-MD5 " ] || fail "$code: took $(auths)"
        popd_stop
    done
}

@test "APOP by itself only without TLS, with nothing else, and for a decent stamp" {
    tell m1
    popd_start 'set apop yes' 'set capa no' 'set plain-login no'
    popd_rc -auth
    want 0
    [ "$(sent_count '^APOP alice')" -eq 1 ]
    no_secret_sent
    popd_stop
    local stamp
    for stamp in '<>' '<a b@c>' '<a>' '<@>' 'a@b' '<\xe9@b>' '<a@b' '<a@b@c>'; do
        maildir_clear
        rm -rf "$PLOG"
        popd_start "set apop \"$stamp\"" 'set capa no' 'set plain-login no'
        popd_rc -auth
        want 77
        account_line
        [ "$(sent_count '^(APOP|USER|PASS)')" -eq 0 ] || fail "took the stamp $stamp"
        popd_stop
    done
}

@test "SCRAM-*-PLUS only when it is named" {
    more_popd "SCRAM-SHA-256-PLUS SCRAM-SHA-256" 'on AUTH: err "[AUTH] no"'
    tls_rc 'auth = "scram-sha-256-plus"'
    want 77
    [ "$(auths)" = "SCRAM-SHA-256-PLUS " ] || fail "took $(auths)"
    popd_stop
    local first
    first=$(sent | sed -n 's/^AUTH SCRAM-SHA-256-PLUS //p' | base64 -d)
    [[ $first == p=tls-* ]] || fail "first message: $first"
}

@test "SCRAM-*-PLUS is bound to this very connection: tls-exporter on TLS 1.3, tls-unique on 1.2" {
    tell m1
    export CERTS_KEYS=$T/keys
    local mech
    for CERTS_VERSION in 1.3 1.2; do
        export CERTS_VERSION
        for mech in SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512; do
            more_popd "$mech-PLUS $mech"
            tls_rc "auth = \"$mech-plus\""
            want 0 --state-dir "$T/s.$CERTS_VERSION.$mech"
            [ "$(auths)" = "$mech-PLUS " ] || fail "took $(auths)"
            popd_stop
            rm -rf "$PLOG"
        done
        # the control: another connection's binding is no login
        SCRAM_LIE=binding more_popd "SCRAM-SHA-256-PLUS"
        tls_rc 'auth = "scram-sha-256-plus"'
        want 77
        account_line 'channel binding'
        [ "$(count)" -eq 3 ]
        popd_stop
        rm -rf "$PLOG" "$MD"
    done
}

@test "a stripped offer of PLUS: the server hears of it (y), and nothing weaker is tried" {
    tell m1
    SCRAM_LIE=stripped more_popd "SCRAM-SHA-256 PLAIN LOGIN"
    tls_rc -auth
    want 77
    [ "$(auths)" = "SCRAM-SHA-256 " ] || fail "took $(auths)"
    no_secret_sent
    popd_stop
    rm -rf "$PLOG"
    # the same server honestly: PLUS is offered, and auto does without it (n)
    more_popd "SCRAM-SHA-256-PLUS SCRAM-SHA-256"
    tls_rc -auth
    want 0
    grep -h -q '^scram: header n,,$' "$PLOG"/*.events || fail "$(cat "$PLOG"/*.events)"
}

@test "the server offers no PLUS: SCRAM says that we could (y)" {
    more_popd "SCRAM-SHA-256" 'on AUTH: err "[AUTH] no"'
    tls_rc -auth
    want 77
    local first
    first=$(sent | sed -n 's/^AUTH SCRAM-SHA-256 //p' | base64 -d)
    [[ $first == y,* ]] || fail "first message: $first"
}

# --- what goes over the wire ----------------------------------------------------------------------

@test "an initial response goes along, and not when the line would pass 255 octets" {
    tell m1
    more_popd PLAIN
    tls_rc 'auth = "plain"'
    want 0
    [ "$(sent_count "^AUTH PLAIN $(printf '\0alice\0secret' | base64)\$")" -eq 1 ] ||
        fail "$(sent | grep AUTH)"
    popd_stop
    local n pass line
    for n in 170 171 172 173 174 175 176 177 178 179 180 200 400; do
        rm -rf "$PLOG" "$MD" "$STATE"
        pass=$(printf 'p%.0s' $(seq "$n"))
        more_popd PLAIN "set password \"$pass\""
        tls_rc 'auth = "plain"' "password = \"$pass\""
        want 0
        [ "$(count)" -eq 1 ]
        line=$(sent | grep '^AUTH PLAIN')
        [ "${#line}" -le 253 ] || fail "a line of $((${#line} + 2)) octets"
        popd_stop
    done
}

@test "EXTERNAL: the initial response is empty, and says so with =" {
    tell m1
    EKU=clientAuth issue "$TLS" ca client "" 2>/dev/null || true
    CERTS_CLIENT=$TLS/ca.pem more_popd "EXTERNAL"
    tls_rc 'auth = "external"' -password "tls_cert_file = \"$TLS/alice.pem\"" \
        "tls_key_file = \"$TLS/alice.key\""
    want 0
    [ "$(sent | grep '^AUTH')" = "AUTH EXTERNAL =" ] || fail "$(sent | grep '^AUTH')"
}

# --- servers that cheat ---------------------------------------------------------------------------

@test "SCRAM against popd: right and wrong password (the control of what follows)" {
    tell m1
    local mech
    for mech in SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512; do
        more_popd "$mech"
        tls_rc -auth
        want 0 --state-dir "$T/s.$mech"
        tls_rc -auth 'password = "wrong"'
        want 77
        popd_stop
    done
    [ "$(count)" -eq 3 ]
    no_secret_sent
}

@test "+OK before the mechanism is complete is a failure, whatever the mechanism" {
    local mech
    tell m1
    for mech in SCRAM-SHA-256 CRAM-MD5 DIGEST-MD5 LOGIN XOAUTH2; do
        rm -rf "$PLOG"
        more_popd "$mech" "on AUTH: ok \"welcome\""
        if [ "$mech" = XOAUTH2 ]; then
            tls_rc "auth = \"$mech\"" -password 'token_command = "echo tok"'
        else
            tls_rc "auth = \"$mech\""
        fi
        want 77
        one_line '^fetchpop: a: .+127.0.0.1'
        [ "$(sent_count '^(UIDL|LIST|RETR)')" -eq 0 ] || fail "$mech: went on"
        popd_stop
    done
}

@test "SCRAM: a server that does not know the password (signature, nonce, +OK too early)" {
    local lie
    tell m1
    for lie in signature nonce early; do
        rm -rf "$PLOG"
        SCRAM_LIE=$lie more_popd "SCRAM-SHA-256 PLAIN" 'set plain-login yes'
        tls_rc -auth
        want 77
        one_line '^fetchpop: a: .+127.0.0.1'
        [ "$(auths)" = "SCRAM-SHA-256 " ] || fail "$lie: then $(auths)"
        [ "$(sent_count '^(UIDL|LIST|RETR|USER|PASS)')" -eq 0 ] || fail "$lie: went on"
        no_secret_sent
        popd_stop
    done
    unset SCRAM_LIE
}

@test "SCRAM: a count of iterations that would take hours does not take them" {
    SCRAM_LIE=iterations=2000000000 more_popd "SCRAM-SHA-256"
    tls_rc -auth 'timeout = "2s"' 'session_timeout = "2s"'
    FP_LIMIT=20
    SECONDS=0
    want 77
    [ "$SECONDS" -le 10 ] || fail "took $SECONDS s"
    one_line '^fetchpop: a: .+127.0.0.1'
}

# What is no base64 is an empty challenge, and the first of those asks for the proof once more.
@test "challenges that are no base64 twice, where none belong, or too long" {
    local how
    for how in 'send "+ ***\r\n"; expect "AGFs*"; send "+ ***\r\n"; expect "[*]"' \
        'send "+ c2VjcmV0\r\n"; expect "[*]"; send "+ c2VjcmV0\r\n"' \
        'send "+ "; repeat 200 "QUFBQUFBQUFBQUFBQUFBQUFB"; send "\r\n"' \
        'send "+ \x1b[31m\r\n"; expect "AGFs*"; send "+ \x1b[31m\r\n"; expect "[*]"'; do
        rm -rf "$PLOG"
        more_popd "PLAIN" "on AUTH: $how; hang"
        tls_rc 'auth = "plain"' 'timeout = "1s"'
        want 77
        one_line '^fetchpop: a: .+127.0.0.1'
        [[ $stderr != *$'\x1b'* ]] || fail "a raw escape"
        ! grep -h '^expected' "$PLOG"/*.events >&2 || fail "$how: another answer"
        popd_stop
    done
}

@test "empty challenges without end: at most one answer, and no login" {
    more_popd "PLAIN" 'on AUTH: repeat 100 "+ \r\n"; hang'
    tls_rc 'auth = "plain"' 'timeout = "1s"'
    want '76|77'
    account_line 'nobody asked for|challenge'
    [ "$(grep -a -c '^AGFs' "$PLOG/1.in")" -le 1 ] || fail "answered again and again"
    [ "$(connections)" -eq 1 ]
}

@test "authorization_identity: PLAIN carries it, and what cannot carry it is left out" {
    more_popd "LOGIN CRAM-MD5" 'set plain-login yes'
    tls_rc -auth 'authorization_identity = "bob"'
    want 77
    account_line 'authorization_identity'
    [ "$(sent_count '^(USER|AUTH)')" -eq 0 ] || fail "logged in without it"
    popd_stop
    rm -rf "$PLOG"
    more_popd "PLAIN LOGIN" 'on AUTH: err "no"'
    tls_rc -auth 'authorization_identity = "bob"'
    want 77
    [ "$(sent_count '^AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==$')" -eq 1 ] || fail "$(sent)"
}

@test "endless challenges end" {
    more_popd "LOGIN" 'on challenge: send "+ dXNlcg==\r\n"' \
        'on AUTH: send "+ dXNlcg==\r\n"; expect "*"; send "+ dXNlcg==\r\n"; expect "*"; endless "+ dXNlcg==\r\n"'
    tls_rc 'auth = "login"' 'timeout = "3s"'
    want 77
    one_line '^fetchpop: a: .+127.0.0.1'
}

@test "a server that echoes the password in its refusal: it is not shown" {
    more_popd "PLAIN" 'on AUTH: err "no such password: secret"'
    tls_rc 'auth = "plain"'
    want 77 -v
    [[ $stderr != *"password: secret"* ]] || fail "shown"
    [[ $stderr != *"$(printf '\0alice\0secret' | base64)"* ]] || fail "shown in base64"
}
