#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# An account without a configuration file: by its URL; and mail to standard output.

load lib/common
load lib/dovecot

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    three_messages 'From here on: %s\n>From there\n'
    dovecot_user alice "se cret" "$BATS_FILE_TMPDIR/box"
    dovecot_user "bob@example.com" bobs "$BATS_FILE_TMPDIR/box"
}

teardown_file() {
    dovecot_stop
}

setup() {
    home_setup
    need_dovecot
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    printf '#!/bin/sh\necho "se cret"\n' >"$T/pass"
    chmod 700 "$T/pass"
}

@test "pop3s:// with a Maildir: mail comes, once, and no configuration file is read" {
    echo 'this is no configuration' | rc
    want 0 --maildir "$MD" --password-command "$T/pass" "pop3s://alice@localhost:$DOVE_POP3S/"
    [ "$(count)" -eq 3 ]
    want 0 "pop3s://alice@localhost:$DOVE_POP3S" --maildir "$MD" --password-command "$T/pass"
    [ "$(count)" -eq 3 ] || fail "it came twice"
}

@test "pop3:// and pop:// are STLS; an mbox; -c needs no destination" {
    want 0 -c --password-command "$T/pass" "pop3://alice@localhost:$DOVE_POP3"
    [[ $output == *"3 new of 3"* ]] || fail "not 3 new"
    want 0 --mbox "$H/box" --password-command "$T/pass" "pop://alice@localhost:$DOVE_POP3/"
    [ "$(grep -c '^From ' "$H/box")" -eq 3 ]
    popd_start
    want 77 --mbox "$H/other" --password-command "$T/pass" "pop://alice@127.0.0.1:$PORT/"
    no_secret_sent 'se cret'
}

@test "the password is taken from ~/.netrc; without one and without a terminal it is missed" {
    printf 'machine localhost login alice password "se cret"\n' >"$H/.netrc"
    chmod 600 "$H/.netrc"
    want 0 --maildir "$MD" "pop3s://alice@localhost:$DOVE_POP3S"
    [ "$(count)" -eq 3 ]
    rm "$H/.netrc"
    want '77|78' --maildir "$MD" "pop3s://alice@localhost:$DOVE_POP3S"
    one_line 'no password, and '
}

@test "user names in a URL are percent-escaped, and AUTH= chooses the mechanism" {
    want 0 --maildir "$MD" --password-command "echo bobs" -v \
        "pop3s://bob%40example.com;AUTH=SCRAM-SHA-256@localhost:$DOVE_POP3S"
    [ "$(count)" -eq 3 ]
    [[ $output$stderr == *"AUTH SCRAM-SHA-256"* ]] || fail "another mechanism"
}

@test "what is wrong with a URL is said, and the secret of one is not printed" {
    local url
    for url in pop3s://localhost pop3s://@localhost pop3s://alice@ pop3s://alice@localhost/INBOX \
        'pop3s://alice;x=y@localhost' 'pop3s://al%zz@localhost' pop3s://alice@localhost:x; do
        want 64 --maildir "$MD" "$url"
        [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "not one line"
    done
    want 64 --maildir "$MD" pop3s://alice:hush@localhost
    one_line 'others can see a password on the command line'
    [[ $stderr != *hush* ]] || fail "it is printed"
    want 64 pop3s://alice@localhost
    one_line 'needs one of --maildir, --mbox and --mda'
    want 64 --maildir "$MD" --mbox "$H/box" pop3s://alice@localhost
    want 64 --maildir "$MD" home pop3s://alice@localhost
    want 64 --maildir "$MD"
    one_line 'go with a URL'
}

@test "-m - writes an mbox to standard output, and each message once" {
    want 0 -m - --password-command "$T/pass" "pop3s://alice@localhost:$DOVE_POP3S"
    [ "$(grep -c '^From a@example.com ' <<<"$output")" -eq 3 ] || fail "not three From_ lines"
    [ "$(grep -c '^>From here on: [123]$' <<<"$output")" -eq 3 ] || fail "the body is not quoted"
    [ "$(grep -c '^>>From there$' <<<"$output")" -eq 3 ] || fail "the body is not quoted"
    [[ $output != *"new ("* ]] || fail "a summary is among the mail"
    want 0 -m - --password-command "$T/pass" "pop3s://alice@localhost:$DOVE_POP3S"
    [ -z "$output" ] || fail "it came twice"
    want 64 -m - --json
    one_line 'both want standard output'
}

@test "-m - with two accounts: one message after the other" {
    { dovecot_account one alice "se cret" implicit "maildir = \"$MD\"" &&
        dovecot_account two "bob@example.com" bobs implicit "maildir = \"$MD\""; } | rc
    fp -m - >"$T/all"
    [ "$(grep -c '^From a@example.com ' "$T/all")" -eq 6 ]
    python3 - "$T/all" <<'END'
import mailbox, sys
ids = [m["Message-ID"] for m in mailbox.mbox(sys.argv[1])]
assert sorted(ids) == sorted(["<%d@x>" % n for n in (1, 2, 3)] * 2), ids
END
    [ ! -e "$MD" ] || fail "something went to the Maildir"
}

@test "-m - into a pipe that nobody reads: nothing counts as delivered" {
    dovecot_account one alice "se cret" implicit "maildir = \"$MD\"" 'fsync = "none"' | rc
    (
        sleep 0.2
        code=0
        fp -m - 2>"$T/err" || code=$?
        echo "$code" >"$T/status"
    ) | true
    wait_until 20 test -s "$T/status"
    [ "$(cat "$T/status")" -ne 0 ] || fail "a success"
    want 0
    [ "$(count)" -eq 3 ] || fail "mail is missing"
}
