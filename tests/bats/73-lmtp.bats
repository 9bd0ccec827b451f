#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Delivery by LMTP: the real Dovecot over TCP and over a socket, and answers that it gives too seldom.

load lib/common
load lib/dovecot

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    dovecot_user tcp pw
    dovecot_user socket pw
}

teardown_file() {
    dovecot_stop
}

# odd_box: messages with what LMTP has to carry
odd_box() {
    tell m1 'Return-Path: <bounce@example.org>\nSubject: m1\n\n.\n..\n.x\nFrom here\n'
    tell m2 'Subject: m2\n\nno end of line'
    tell m3 'Subject: m3\n\n\0303\0244 8 bit\n\n\n'
    { printf 'Subject: m4\n\n'; head -c 300000 /dev/zero | tr '\0' 'y' | fold -w 997; echo; } >"$MB/m4"
}

# lmtp_rc WHERE [LINE...]; RECIPIENT may name another one
lmtp_rc() {
    local where=$1
    shift
    popd_rc -maildir "lmtp = \"$where\"" "lmtp_recipient = \"${RECIPIENT:-to@example.org}\"" \
        'keep = "no"' "$@"
}

# lmtpd_start [VERB=ANSWER ...]: the scripted one, on the socket $T/sock
lmtpd_start() {
    rm -f "$T/sock"
    "$LIB/lmtpd.py" "$T/lmtpd" "$T/sock" "$@" 3>&- 4>&- &
    LMTPD_PID=$!
    PIDS+=("$LMTPD_PID")
    wait_until 10 test -S "$T/sock"
}

lmtpd_again() {
    stop_pid "$LMTPD_PID"
    lmtpd_start "$@"
}

# lmtpd_other: another one, on $T/sock2, whose messages are in $T/other/in
lmtpd_other() {
    mkdir -p "$T/other"
    "$LIB/lmtpd.py" "$T/other" "$T/sock2" "$@" 3>&- 4>&- &
    PIDS+=("$!")
    wait_until 10 test -S "$T/sock2"
}

# handed: digests of what the scripted server has stored
handed() {
    local f
    for f in "$T/lmtpd/in"/*; do
        [ ! -e "$f" ] || sha256sum <"$f" | cut -d' ' -f1
    done | sort
}

handed_count() {
    find "$T/lmtpd/in" -type f 2>/dev/null | wc -l
}

# from_subject FOLDER: what was delivered there, without what Dovecot puts on top
from_subject() {
    local f
    for f in "$1"/new/*; do
        sed -n '/^Subject:/,$p' "$f" | sha256sum
    done | sort
}

# sent_from_subject: the same of the mailbox, each line ended as LMTP ends it
sent_from_subject() {
    local f
    for f in "$MB"/*; do
        { sed -n '/^Subject:/,$p' "$f"; [ -z "$(tail -c 1 "$f")" ] || echo; } | sha256sum
    done | sort
}

# dovecot_takes USER WHERE
dovecot_takes() {
    need_dovecot
    need_part lmtp
    odd_box
    popd_start
    RECIPIENT=$1 lmtp_rc "$2"
    sent_from_subject >"$T/want"
    want 0
    silent
    diff "$T/want" <(from_subject "$DOVE/mail/$1/Maildir") || fail "not what was sent"
    grep -q -x 'Return-Path: <bounce@example.org>' "$DOVE/mail/$1/Maildir"/new/*
    [ "$(box_count)" -eq 0 ]
    [ -z "$(ls -A "$STATE/spool")" ] || fail "left in the spool"
    want 0
    [ "$(count "$DOVE/mail/$1/Maildir")" -eq 4 ]
}

@test "Dovecot over TCP: each message once, byte for byte" {
    dovecot_takes tcp "127.0.0.1:$DOVE_LMTP"
}

@test "Dovecot over its socket: each message once, byte for byte" {
    dovecot_takes socket "unix:$DOVE/lmtp"
}

@test "Dovecot knows no such recipient: all is kept here, none is held, and it is told once" {
    need_dovecot
    need_part lmtp
    tell_many 4
    popd_start
    RECIPIENT=nosuch lmtp_rc "unix:$DOVE/lmtp"
    want 75
    [[ $stderr == *550* ]] || fail "its words are not told: $stderr"
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || fail "more than one line: $stderr"
    [ "$(find "$STATE/spool" -type f | wc -l)" -eq 4 ]
    [ ! -d "$STATE/held" ] || [ -z "$(ls -A "$STATE/held")" ]
}

@test "4xx: kept here, and delivered later without being fetched again" {
    tell_many 3
    popd_start
    lmtpd_start 'dot=2:451 not now'
    lmtp_rc "unix:$T/sock"
    box_digests
    want 75
    [[ $stderr == *"451 not now"* ]] || fail "its words are not told: $stderr"
    [ "$(handed_count)" -eq 3 ] # it has stored what it refused
    rm "$T/lmtpd/in/m00001"
    want 0
    diff <(cut -d' ' -f1 "$T/want" | sort) <(handed)
    [ "$(sent_count '^RETR')" -eq 3 ]
}

@test "5xx: refused, and held once others were delivered" {
    tell_many 3
    popd_start
    lmtpd_start 'rcpt=2:550 no such user here'
    lmtp_rc "unix:$T/sock" 'max_tries = 1'
    want 65
    [[ $stderr == *"550 no such user"* ]] || fail "its words are not told: $stderr"
    [ "$(handed_count)" -eq 2 ]
    [ "$(find "$STATE/held" -type f | wc -l)" -eq 1 ]
    run fp --status
    [[ $output == *held* ]]
}

@test "refused at MAIL and at DATA" {
    tell_many 3
    popd_start
    lmtpd_start 'mail=1:452 too busy' 'data=1:554 no data today'
    lmtp_rc "unix:$T/sock"
    want 65
    [ "$(handed_count)" -eq 1 ]
    [ "$(find "$STATE/spool" -type f | wc -l)" -eq 2 ]
}

@test "an answer that is lost behind the dot may double that message, and loses none" {
    tell_many 3
    popd_start
    lmtpd_start 'dot=2:drop'
    lmtp_rc "unix:$T/sock"
    box_digests
    want 75
    want 0
    diff <(cut -d' ' -f1 "$T/want" | sort) <(handed | uniq)
    [ "$(handed_count)" -eq 4 ]
}

@test "no answer behind the dot: the copies become rare" {
    tell m1
    popd_start
    lmtpd_start 'dot=silence'
    lmtp_rc "unix:$T/sock" 'mda_timeout = "1s"'
    want 75
    [[ $stderr == *"ever more rarely"* ]] || fail "not told"
    want 75
    want 0
    [ "$(handed_count)" -eq 2 ]
    [ "$(box_count)" -eq 1 ]
}

@test "no answer behind the dot of three messages: that they are tried ever more rarely is told" {
    tell_many 3
    popd_start
    lmtpd_start 'dot=silence'
    lmtp_rc "unix:$T/sock" 'mda_timeout = "1s"'
    want 75
    [[ $stderr == *"3 messages in a row"*"ever more rarely"* ]] || fail "not told"
}

@test "a server that ends the connection between two messages is connected to again" {
    tell_many 3
    popd_start
    lmtpd_start 'dot=1:close' 'dot=2:close'
    lmtp_rc "unix:$T/sock"
    want 0
    silent
    [ "$(handed_count)" -eq 3 ]
}

@test "nobody listens: all is kept here, told once, and delivered when the server is back" {
    tell_many 5
    popd_start
    lmtp_rc "unix:$T/sock"
    want 75
    [[ $stderr == *"check that its server runs"* ]] || fail "$stderr"
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || fail "more than one line: $stderr"
    lmtpd_start
    want 0
    [ "$(handed_count)" -eq 5 ]
    [ "$(sent_count '^RETR')" -eq 5 ]
    [ -z "$(ls -A "$STATE/spool")" ] || fail "left in the spool"
}

@test "the envelope: the sender of Return-Path, <> for none, 8BITMIME as it is offered" {
    tell m1 'Return-Path: <bounce@example.org>\nSubject: m1\n\nx\n'
    tell m2 'Return-Path: <>\nSubject: m2\n\nx\n'
    tell m3 'Return-Path: <a> RCPT@x\nSubject: m3\n\nx\n'
    popd_start
    lmtpd_start
    lmtp_rc "unix:$T/sock"
    want 0
    tr -d '\r' <"$T/lmtpd/envelopes" >"$T/got"
    printf 'MAIL FROM:<%s> BODY=8BITMIME\nRCPT TO:<to@example.org>\n' bounce@example.org '' '' |
        diff - "$T/got"
}

@test "a sender that is no address to the server: the message goes without one" {
    tell m1 'From: a@b@c\nSubject: m1\n\nx\n'
    tell m2 'From: a@example.org\nSubject: m2\n\nx\n'
    popd_start
    lmtpd_start 'mail=1:501 5.5.4 that is no address'
    lmtp_rc "unix:$T/sock"
    want 0
    [ "$(handed_count)" -eq 2 ]
    tell m3 'From: b@example.org\nSubject: m3\n\nx\n'
    lmtpd_again 'mail=1:550 5.7.1 not from here'
    want 65
    [[ $stderr == *"550 5.7.1 not from here"* ]] || fail "another refusal is one: $stderr"
    tr -d '\r' <"$T/lmtpd/envelopes" | sed -n 's/^MAIL FROM:\(<.*>\).*/\1/p' >"$T/got"
    printf '<%s>\n' a@b@c '' a@example.org b@example.org | diff - "$T/got"
}

@test "Dovecot takes mail from whoever stands in From" {
    need_dovecot
    need_part lmtp
    local from n=0
    for from in 'a@b@c' '<a@b' 'a..b@c' '.a@b' '"a b"@c' 'a@[1.2.3.4' 'a@-' '@b' 'a@b.' 'a,b@c' '<>' \
        'x@\0303\0244.example' '"\\"@"@c' 'a@b c'; do
        n=$((n + 1))
        tell "f$n" "From: $from\nSubject: f$n\n\nx\n"
    done
    dovecot_user from pw
    popd_start
    RECIPIENT=from lmtp_rc "unix:$DOVE/lmtp"
    want 0
    [ "$(count "$DOVE/mail/from/Maildir")" -eq "$n" ]
}

@test "rules with other recipients, as in the manual" {
    tell m1 'X-Original-To: alice@example.org\nTo: all@example.org\nSubject: m1\n\nx\n'
    tell m2 'X-Original-To: <BOB@example.org>\nTo: alice@example.org\nSubject: m2\n\nx\n'
    tell m3 'X-Original-To: bob@example.org\nSubject: m3\n\nx\n'
    tell m4 'To: alice@example.org\nSubject: m4\n\nx\n'
    popd_start
    lmtpd_start
    sed -n '/^account "family"/,/^}/p' "$BATS_TEST_DIRNAME/../../doc/fetchpoprc.5" >"$T/family"
    mapfile -t rules < <(sed -n 's/^ *\(rule {.*}\)$/\1/p' "$T/family")
    [ "${#rules[@]}" -eq 2 ] || fail "not the rules of the manual: $(cat "$T/family")"
    RECIPIENT=postmaster lmtp_rc "unix:$T/sock" "${rules[@]}"
    want 0
    silent
    for n in 1 2 3 4; do sed -n 's/^Subject: //p' "$T/lmtpd/in/m0000$((n - 1))"; done >"$T/subjects"
    tr -d '\r' <"$T/lmtpd/envelopes" | sed -n 's/^RCPT TO:<\(.*\)>$/\1/p' | paste "$T/subjects" - |
        sort >"$T/got"
    printf 'm%s\t%s\n' 1 alice 2 postmaster 3 bob 4 postmaster | diff - "$T/got"
    [ "$(box_count)" -eq 0 ]
}

@test "one connection at a time, though rules name several recipients and servers" {
    local n
    for n in 1 2 3 4 5 6; do
        tell "m$n" "Subject: s$((n % 3))\n\nbody of m$n\n"
    done
    popd_start
    lmtpd_start # which serves one connection after the other, as does the next
    lmtpd_other
    lmtp_rc "unix:$T/sock" 'rule { subject = "s1" lmtp_recipient = "one" }' \
        "rule { subject = \"s2\" lmtp = \"unix:$T/sock2\" lmtp_recipient = \"two\" }"
    want 0
    silent
    [ "$(handed_count)" -eq 4 ]
    [ "$(find "$T/other/in" -type f | wc -l)" -eq 2 ]
    [ "$(grep -c '^RCPT TO:<one>' "$T/lmtpd/envelopes")" -eq 2 ]
    [ "$(grep -c '^RCPT TO:<two>' "$T/other/envelopes")" -eq 2 ]
    [ "$(box_count)" -eq 0 ]
}

@test "pipe_through before LMTP, and what waits has passed once" {
    tell_many 3
    popd_start
    lmtpd_start 'dot=2:451 not now'
    lmtp_rc "unix:$T/sock" "pipe_through = 'echo X-Was: here; cat'"
    want 75
    rm "$T/lmtpd/in/m00001" # it has stored what it refused
    want 0
    [ "$(handed_count)" -eq 3 ]
    for f in "$T"/lmtpd/in/*; do
        [ "$(grep -c X-Was "$f")" -eq 1 ] || fail "not once: $(cat "$f")"
    done
    [ "$(sent_count '^RETR')" -eq 3 ]
    [ "$(box_count)" -eq 0 ]
}

@test "what is not LMTP is told, and nothing is lost" {
    tell m1
    popd_start
    lmtpd_start 'greet=SSH-2.0-x'
    lmtp_rc "unix:$T/sock"
    want 75
    [[ $stderr == *"does not speak LMTP"* ]] || fail "$stderr"
    lmtpd_again
    want 0
    [ "$(handed_count)" -eq 1 ]
}

@test "a wrong lmtp key is told before anything is fetched" {
    popd_start
    popd_rc -maildir 'lmtp = "unix:/x"'
    want 78
    [[ $stderr == *lmtp_recipient* ]]
    lmtp_rc 'localhost'
    want 78
    [[ $stderr == *"host:port"* ]]
    lmtp_rc "unix:$T/sock" 'lmtp_recipient = "a> SIZE=1"'
    want 78
    [ "$(connections)" -eq 0 ]
}
