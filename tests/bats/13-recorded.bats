#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The sessions in doc/*.txt are what a terminal shows today. tests/record.sh makes them anew.

load lib/common
load lib/certs
load lib/dns

DOC=$BATS_TEST_DIRNAME/../../doc

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca names "DNS:pop.example.com"
}

# letter UIDL SENDER SUBJECT DAY OCTETS: a message in the mailbox
letter() {
    {
        printf '%s\n' "From: $2" "Subject: $3" "Date: Sun, $4 Nov 2026 08:30:00 +0000" \
            "Message-ID: <$1@x>" ''
        yes 'one line of the text of a message, as long as they are' | head -c "$5"
        echo
    } >"$MB/$1"
}

# provider [LINE...]: pop.example.com, with twelve messages, three of them large
provider() {
    local n
    namespace
    letter m01 '"Bo Berg" <bo@example.net>' 'Lunch on Friday?' 1 400
    letter m02 'carol@example.org' 'Plans of the house' 1 900000
    letter m03 '"=?UTF-8?Q?Andr=C3=A9?=" <andre@example.net>' '=?UTF-8?Q?Caf=C3=A9_at_ten?=' 8 300
    letter m04 '"The library" <no-reply@example.com>' 'Two books are due' 8 1200
    for n in 05 06 07; do
        letter "m$n" '"Dora Dahl" <dora@example.net>' "Holiday pictures $n" 8 500000
    done
    for n in 08 09 10 11 12; do
        letter "m$n" 'news@example.org' "Weekly news, number $n" 15 4000
    done
    POPD_ARGS=(-o tls=implicit -o "cert=$TLS/names.pem" -o "key=$TLS/names.key" -o user=alice)
    popd_run 995 "$@"
    zone "pop.example.com A 127.0.0.1"
}

# record NAME WHAT: makes $T/now of $T/session, as alice at home would see it, and doc/NAME if asked to
record() {
    { fold -s -w 100 <<<"$2" | sed 's/ *$//' && echo && sed "s#$H#/home/alice#g" "$T/session"; } >"$T/now"
    if [ -n "${FP_RECORD-}" ]; then cp "$T/now" "$DOC/$1"; fi
}

# shown NAME WHAT: doc/NAME is this session
shown() {
    record "$@"
    diff "$DOC/$1" "$T/now" >&2 || fail "doc/$1 is another session; tests/record.sh makes it anew"
}

# person [WHAT ANSWER]... -- ARG...: a session at the end of $T/session
person() {
    local pairs=()
    while [ "$1" != -- ]; do
        pairs+=("$1")
        shift
    done
    shift
    echo "\$ fetchpop $*" >>"$T/session"
    env -i PATH="$T/bin:/usr/bin:/bin" HOME="$H" LOGNAME=alice-who-is-nobody LC_ALL=C.UTF-8 \
        TERM="${TERMINAL:-dumb}" TZ=UTC RES_OPTIONS="timeout:1 attempts:1" \
        SSL_CERT_FILE="$TLS/ca.pem" "$LIB/talk.py" "$T/st" "${pairs[@]}" -- \
        sh -c 'stty columns 100; exec timeout --foreground -k 5 90 "$@"' sh "$FETCHPOP" "$@" >"$T/shown" || fail "$(cat "$T/shown")"
    [ "$(cat "$T/st")" -eq 0 ] || fail "$(cat "$T/shown")"
    cat "$T/shown" >>"$T/session"
}

# timer: this machine has a systemd that knows fetchpop's units
timer() {
    mkdir -p "$T/bin"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$2" != is-enabled ]\n' >"$T/bin/systemctl"
    chmod 755 "$T/bin/systemctl"
}

account_rc() {
    printf '%s\n' 'account "home" {' '    server = "pop.example.com"' '    user = "alice"' \
        '    password = "secret"' '    maildir = "~/Mail/home"' '}' | rc
}

@test "--setup, as doc/setup.txt has it" {
    timer
    provider
    person 'POP3 server' '' 'User name' alice 'Password' secret 'Deliver to' '' \
        'or for how long' '' 'Fetch it' '' 'Keep it in' '' 'Do that now' yes -- --setup alice@example.com
    shown setup.txt "A session of fetchpop --setup, as it is on the terminal: what is typed is Enter, \
but for the address, the user name, the password, which is not shown, and the last answer."
}

# settled: of the status lines, which follow each other in one place, those that stood for a while
settled() {
    tr '\r' '\n' | sed 's/\x1b\[K//g' | awk '
        function flush() { if (last !~ /accounts/ || count > 2) if (last != "") print last }
        { key = $0; sub(/, [0-9.]* [kM]?B\/s.*/, "", key)
          if (key != before) { flush(); count = 0 }
          before = key; last = $0; count++ }
        END { flush() }'
}

@test "a first fetch and its status line, as doc/fetch.txt has it" {
    provider 'on RETR =m04: sleep 3000' 'on RETR =m06: sleep 3000' 'on RETR =m08: sleep 3000'
    account_rc
    TERMINAL=xterm person -- home
    over=$(grep -o -E '[0-9]+/12 messages' "$T/session" | awk '$1 + 0 > 12' || true)
    [ -z "$over" ] || fail "more have come than there are: $over"
    settled <"$T/session" >"$T/lines"
    mv "$T/lines" "$T/session"
    record fetch.txt "A first fetch on a terminal. The line that counts is one and the same: it is written over."
    # how far it is at a pause of the server depends on the machine; what the line looks like does not
    # a number is any number, but both forms of the line are to be seen, with the time left and without
    line='s#^0/1 accounts, [0-9]+/12 messages, [0-9.]+ [kM]?B of 2.5 MB, [0-9.]+ [kM]?B/s#LINE#
        s#LINE, [0-9]+:[0-9]+ left$#LINE, LEFT#'
    missing=$(sed -E "$line" "$DOC/fetch.txt" | grep -v -x -F -f <(sed -E "$line" "$T/now") || true)
    [ -z "$missing" ] || fail "not seen: $missing; tests/record.sh makes doc/fetch.txt anew; $(cat "$T/now")"
}

@test "--list, as doc/list.txt has it" {
    provider
    account_rc
    person -- home
    rm "$T/session"
    letter m13 '"Bo Berg" <bo@example.net>' 'Re: Lunch on Friday?' 22 500
    letter m14 'news@example.org' "Weekly news, number 13" 22 4100
    person -- --list home
    shown list.txt "What is on the server, as --list shows it: number, date, size, whether it was fetched, \
sender, subject, and UIDL, by which --show, --fetch and --delete take a message."
}
