#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# OAuth: Dovecot with tokens of our own, and popd for what the big providers answer.

load lib/common
load lib/dovecot
load lib/certs
load lib/oauth

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

KEY="the key that tokens are signed with"

dovecot_files() {
    mkdir -p "$DOVE/keys/default/HS256"
    printf %s "$KEY" | base64 -w0 >"$DOVE/keys/default/HS256/default"
    cat >"$DOVE/oauth2" <<END
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$DOVE/keys/
username_attribute = sub
END
    chmod -R a+rX "$DOVE/keys" "$DOVE/oauth2"
}

setup_file() {
    simple_tls
    MORE_CONF="
auth_mechanisms = plain oauthbearer xoauth2
login_trusted_networks =
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @DOVE@/oauth2
}" dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    "$LIB/corpus.py" "$DOVE/corpus" 3 --small
    rm "$DOVE"/corpus/*M00000[4-9]* "$DOVE"/corpus/*M0000[1-9]*
    dovecot_user alice "plain pw" "$DOVE/corpus"
}

teardown_file() {
    dovecot_stop
}

# oauth_account MECHANISM COMMAND [LINE...]
oauth_account() {
    local mech=$1 command=$2
    shift 2
    dovecot_account a alice x implicit "maildir = \"$MD\"" "auth = \"$mech\"" \
        "token_command = \"$command\"" "$@" | grep -v 'password =' | rc
}

# token_rc COMMAND [LINE...]: the same for popd
token_rc() {
    local command=$1
    shift
    tls_rc -auth -password "token_command = \"$command\"" "$@"
}

# a token command that counts its calls in $T/calls and notes its environment
counting() {
    cat >"$T/token-command" <<END
#!/bin/sh
echo "refused=\${FETCHPOP_TOKEN_REFUSED-unset}" >>"$T/calls"
$1
END
    chmod 755 "$T/token-command"
}

calls() {
    cat "$T/calls" 2>/dev/null | tr '\n' ' '
}

# --- Dovecot --------------------------------------------------------------------------------------

@test "XOAUTH2 and OAUTHBEARER with a good token" {
    real
    local mech
    for mech in xoauth2 oauthbearer auto; do
        rm -rf "$MD"
        : >"$DOVE/log"
        jwt "$KEY" 600 >"$T/token"
        oauth_account "$mech" "cat $T/token"
        want 0 --state-dir "$T/s.$mech"
        [ "$(count)" -eq "$N" ]
        [ "$mech" != auto ] || mech=oauthbearer
        wait_log "Login: user=<alice>, method=${mech^^},"
    done
}

@test "an expired token, one signed by another, another user's, and junk: 77, and the server's word" {
    real
    local mech token
    for mech in xoauth2 oauthbearer; do
        for token in "$(jwt "$KEY" -60)" "$(jwt "another key" 600)" "$(jwt "$KEY" 600 sub=mallory)" \
            junk; do
            echo "$token" >"$T/token"
            oauth_account "$mech" "cat $T/token"
            want 77
            account_line 'localhost.*token|token.*localhost'
            [[ $stderr != *"$token"* ]] || fail "the token is shown"
        done
    done
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "expired at first, and fresh when it is asked for once more" {
    real
    jwt "$KEY" -60 >"$T/old"
    jwt "$KEY" 600 >"$T/new"
    counting "if [ -n \"\$FETCHPOP_TOKEN_REFUSED\" ]; then cat $T/new; else cat $T/old; fi"
    oauth_account xoauth2 "$T/token-command"
    want 0
    [ "$(count)" -eq "$N" ]
    [ "$(calls)" = "refused=unset refused=1 " ] || fail "called: $(calls)"
}

# --- what goes over the wire ----------------------------------------------------------------------

@test "both mechanisms, bit by bit: user, host, port, token; nothing goes with AUTH itself" {
    local mech
    tell m1
    for mech in XOAUTH2 OAUTHBEARER; do
        rm -rf "$PLOG"
        more_popd "$mech" 'set user "al=ice,x"'
        token_rc 'echo a-good-token' "auth = \"$mech\"" 'user = "al=ice,x"'
        want 0 --state-dir "$T/s.$mech"
        [ "$(sent | grep '^AUTH ')" = "AUTH $mech" ] || fail "$(sent | grep '^AUTH ')"
        grep -q "^$mech al=ice,x 12" "$OAUTH_NOTES" || fail "$(cat "$OAUTH_NOTES")"
        [ "$mech" = XOAUTH2 ] || grep -q "host=127.0.0.1 port=$PORT" "$OAUTH_NOTES" ||
            fail "$(cat "$OAUTH_NOTES")"
        popd_stop
    done
    [ "$(count)" -eq 2 ]
}

@test "a token of 8 kB" {
    tell m1
    local mech
    head -c 8192 /dev/zero | tr '\0' 't' >"$T/token"
    for mech in XOAUTH2 OAUTHBEARER; do
        more_popd "$mech"
        token_rc "cat $T/token" "auth = \"$mech\""
        want 0 --state-dir "$T/s.$mech"
        grep -q "^$mech alice 8192" "$OAUTH_NOTES" || fail "$(cat "$OAUTH_NOTES")"
        popd_stop
    done
}

@test "a token that is much too long, empty, two words, or no text: an error before anything is sent" {
    local command
    for command in 'head -c 300000 /dev/zero | tr \"\\0\" t' 'true' 'echo two words' \
        'printf \"a\\001b\"' 'exit 3' '/none/such'; do
        rm -rf "$PLOG"
        more_popd XOAUTH2
        token_rc "$command"
        want '77|78'
        account_line 'token'
        [ "$(sent_count '^AUTH')" -eq 0 ] || fail "$command: AUTH was sent"
        popd_stop
    done
}

@test "more lines than one: the first is the token" {
    tell m1
    more_popd XOAUTH2
    token_rc 'echo a-good-token; echo and more'
    want 0
    [ "$(count)" -eq 1 ]
}

@test "auto without TLS sends no token" {
    popd_start 'set auth "XOAUTH2 OAUTHBEARER"' 'on AUTH: err "no"'
    popd_rc -auth -password 'token_command = "echo very-secret-token"'
    want 77
    account_line
    [ "$(sent_count '^AUTH')" -eq 0 ] || fail "$(sent)"
    no_secret_sent very-secret-token
}

@test "a server without OAuth does not get the token as a password" {
    more_popd "PLAIN LOGIN SCRAM-SHA-256" 'set plain-login yes'
    token_rc 'echo very-secret-token'
    want 77
    account_line
    no_secret_sent very-secret-token
    [ "$(sent_count '^(AUTH|USER|PASS)')" -eq 0 ] || fail "$(sent)"
}

@test "a password is not sent as a token" {
    more_popd "XOAUTH2 OAUTHBEARER"
    tls_rc -auth
    want 0 # with TLS, USER is tried though nobody announced it
    [ "$(sent_count '^AUTH')" -eq 0 ] || fail "$(sent)"
}

# --- refusals -------------------------------------------------------------------------------------

@test "refused: its text is shown, the command is run once more with a word about it, then 77" {
    local mech
    for mech in XOAUTH2 OAUTHBEARER; do
        rm -rf "$PLOG" "$T/calls"
        counting 'echo a-stale-token'
        OAUTH_JSON='{"status":"invalid_token","scope":"mail.read","error_description":"it is stale"}' \
            more_popd "$mech"
        token_rc "$T/token-command"
        want 77
        account_line 'stale|invalid_token'
        [[ $stderr != *a-stale-token* ]] || fail "the token is shown"
        [ "$(calls)" = "refused=unset refused=1 " ] || fail "called: $(calls)"
        [ "$(sent_count "^AUTH $mech")" -le 2 ] || fail "$(sent)"
        popd_stop
    done
}

@test "refused, and the second token is good: mail comes, and nothing is said" {
    tell m1
    counting 'if [ "$FETCHPOP_TOKEN_REFUSED" = 1 ]; then echo a-good-token; else echo old; fi'
    local mech
    for mech in XOAUTH2 OAUTHBEARER; do
        rm -rf "$T/calls"
        more_popd "$mech"
        token_rc "$T/token-command"
        want 0 --state-dir "$T/s.$mech"
        [ -z "$(errors)" ] || fail "something was said"
        [ "$(calls)" = "refused=unset refused=1 " ] || fail "called: $(calls)"
        popd_stop
    done
    [ "$(count)" -eq 2 ]
}

@test "refused, and the command fails the second time: 77" {
    counting 'if [ -n "$FETCHPOP_TOKEN_REFUSED" ]; then echo "no more tokens" >&2; exit 1; fi; echo old'
    more_popd XOAUTH2
    token_rc "$T/token-command"
    want 77
    account_line 'token_command failed .*no more tokens'
    [ "$(calls)" = "refused=unset refused=1 " ] || fail "called: $(calls)"
}

# stanza TITLE: the account of fetchpoprc(5), but at popd instead of the provider
stanza() {
    sed -n "/^account \"$1\" {/,/^}/p" "$BATS_TEST_DIRNAME/../../doc/fetchpoprc.5" |
        sed "s|^\( *server *= *\).*|\1\"localhost\"\n    port = $PORT\n    tls_ca_file = \"$TLS/ca.pem\"|
            s|~/Mail|$H/Mail|"
}

# a program oama that takes the commands which the manual names
oama() {
    mkdir -p "$T/bin"
    cat >"$T/bin/oama" <<END
#!/bin/sh
echo "\$*" >>"$T/calls"
case "\$1" in
access) cat "$T/oama-token" ;;
renew) echo a-good-token >"$T/oama-token"; cat "$T/oama-token" ;;
esac
END
    chmod 755 "$T/bin/oama"
}

@test "the stanzas of fetchpoprc(5) for Google and Microsoft 365 work as they are" {
    oama
    PATH=$T/bin:$PATH
    local title user offer
    while read -r title user offer; do
        tell m1
        rm -rf "$T/calls"
        echo a-good-token >"$T/oama-token"
        more_popd "$offer" "set user \"$user\""
        stanza "$title" | rc
        want 0
        [ "$(count "$H/Mail/$title")" -eq 1 ] || fail "$title: nothing came"
        [ "$(calls)" = "access $user " ] || fail "$title: called $(calls)"
        [ "$(auths)" = "${offer%% *} " ] || fail "$title: $(auths)"
        popd_stop
        rm -rf "$PLOG"
    done <<END
gmail alice@gmail.com OAUTHBEARER XOAUTH2 PLAIN
office alice@example.com XOAUTH2 PLAIN
END
    # and the script, for a token that was refused before its time
    rm -rf "$T/calls"
    echo stale >"$T/oama-token"
    more_popd XOAUTH2 'set user "alice@gmail.com"'
    mkdir -p "$H/bin"
    sed -n '/^#!\/bin\/sh/,/^\.Ed/{/^\.Ed/!p}' "$BATS_TEST_DIRNAME/../../doc/fetchpoprc.5" >"$H/bin/token"
    chmod 755 "$H/bin/token"
    stanza gmail | sed 's|oama access|~/bin/token|' | rc
    want 0 --state-dir "$T/other"
    [ "$(calls)" = "access alice@gmail.com renew alice@gmail.com access alice@gmail.com " ] ||
        fail "called $(calls)"
}

@test "refused for another reason (mailbox in use, overload): the command is not run again" {
    local code
    for code in IN-USE SYS/TEMP LOGIN-DELAY; do
        rm -rf "$T/calls"
        counting 'echo a-good-token'
        more_popd XOAUTH2 "on AUTH: err \"[$code] later\""
        token_rc "$T/token-command"
        want 75
        [ "$(calls)" = "refused=unset " ] || fail "$code: called $(calls)"
        popd_stop
    done
}

@test "refused at once, without a challenge" {
    counting 'echo old'
    OAUTH_JSON=- more_popd "OAUTHBEARER"
    token_rc "$T/token-command"
    want 77
    account_line
    [ "$(calls)" = "refused=unset refused=1 " ] || fail "called: $(calls)"
}

@test "a refusal is answered as each mechanism wants it" {
    counting 'echo old'
    more_popd "XOAUTH2"
    token_rc "$T/token-command"
    want 77
    # AUTH-DATA as popd notes it: the token, then an empty line
    [ -z "$(sent | sed -n 's/^AUTH-DATA//p' | sed -n 2p | tr -d ' ')" ] || fail "$(sent)"
    popd_stop
    rm -rf "$PLOG"
    more_popd "OAUTHBEARER"
    token_rc "$T/token-command"
    want 77
    [ "$(sent | sed -n 's/^AUTH-DATA //p' | sed -n 2p)" = "AQ==" ] || fail "$(sent)"
}

@test "OAuth error JSON of every kind is no harm: one line, no raw bytes, no token" {
    local json
    counting 'echo a-stale-token'
    OAUTH_JSON=@$T/json more_popd "XOAUTH2"
    token_rc "$T/token-command"
    for json in ' ' '{' '{}' '[]' 'null' 'junk' '"' '{"status"' '{"status":' '{"status":"' \
        '{"status":1}' '{"status":"a\"b\\"}' '{"status":"\u001b[31m"}' $'{"status":"\x1b[31m\x07"}' \
        '{"a":{"status":"deep"}}' '{"status":"a-stale-token"}' \
        "{\"status\":\"$(printf 'x%.0s' {1..3000})\"}"; do
        printf %s "$json" >"$T/json"
        want 77
        account_line
        [ "${#stderr}" -le 1200 ] || fail "a flood of ${#stderr} octets"
        ! grep -q -P '[\x00-\x08\x0b-\x1f\x7f]' <<<"$stderr" || fail "a raw control byte: $json"
        [[ $stderr != *a-stale-token* ]] || fail "the token is shown"
    done
}

@test "contrib/imap-append with a token: XOAUTH2, and 77 for a bad one" {
    real
    need_part imap
    local append=$BATS_TEST_DIRNAME/../../contrib/imap-append
    local arguments=(--server "localhost:$DOVE_IMAP" --tls starttls --ca-file "$DOVE_CA" --user alice
        --mailbox Old --token-command "cat $T/token")
    mkdir -p "$DOVE/mail/alice/Maildir/.Old"
    chown -R "$DOVE_UID:$DOVE_GID" "$DOVE/mail/alice/Maildir/.Old"
    printf 'Message-ID: <1@example.org>\nSubject: x\n\nbody\n' >"$T/m"
    jwt "$KEY" 600 >"$T/token"
    run --separate-stderr "$append" "${arguments[@]}" <"$T/m"
    [ "$status" -eq 0 ] || fail "$status $stderr"
    cmp "$T/m" "$(find "$DOVE/mail/alice/Maildir/.Old/new" "$DOVE/mail/alice/Maildir/.Old/cur" -type f)"
    jwt "another key" 600 >"$T/token"
    run --separate-stderr "$append" "${arguments[@]}" <"$T/m"
    [ "$status" -eq 77 ] || fail "$status $stderr"
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || fail "$stderr"
}
