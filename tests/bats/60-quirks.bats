#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What real and hostile POP3 servers do. Each row of VIOLATIONS that is tested end to end is here.

load lib/common

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    certs "$TLS"
}

# all_once [LINE...]: a run, with those lines in the account, brings all that is in the mailbox,
# a second one nothing; all is still on the server
all_once() {
    popd_rc "$@"
    box_digests
    local n
    n=$(box_count)
    want 0
    same "$T/want"
    want 0
    same "$T/want"
    [ "$(box_count)" -eq "$n" ]
}

# all_gone: keep = no brings all once and empties the server
all_gone() {
    popd_rc 'keep = "no"' "$@"
    box_digests
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
    want 0
    same "$T/want"
}

tls_lines() {
    TLS_LINES=("set tls $1" "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\"")
    TLS_KEYS=("tls = \"$1\"" "tls_ca_file = \"$TLS/ca.pem\"")
}

# --- capabilities ---------------------------------------------------------------------------------

@test "no CAPA" {
    tell_many 3
    popd_start 'set capa no'
    all_once
}

@test "no PIPELINING: never a command before the answer to the one before" {
    tell_many 4
    popd_start 'set pipelining no' 'on ANY: sleep 30'
    all_gone
    ! grep -h '^pipelined' "$PLOG"/*.events || fail "did not wait for an answer"
}

@test "pipelining = off with a server that has it" {
    tell_many 4
    popd_start 'on ANY: sleep 30'
    all_gone 'pipelining = "off"'
    ! grep -h '^pipelined' "$PLOG"/*.events || fail "did not wait for an answer"
}

@test "PIPELINING: commands do leave before the answers" {
    tell_many 4
    popd_start 'on ANY: sleep 30'
    all_gone
    grep -q -h '^pipelined' "$PLOG"/*.events || fail "nothing was pipelined"
}

@test "UIDL works though CAPA does not list it" {
    tell_many 3
    popd_start 'set hide-caps "UIDL TOP"'
    all_once
    [ "$(sent_count '^TOP')" -eq 0 ] || fail "used TOP though UIDL works"
}

@test "CAPA answers differ before and after login" {
    tell_many 3
    popd_start 'on x1 CAPA: lines "USER"'
    all_once
}

@test "no STAT, LIST or UIDL with an argument is needed" {
    tell_many 3
    popd_start 'on STAT: err "no"' 'on LIST [0-9]*: err "no"' 'on UIDL [0-9]*: err "no"'
    all_once
}

@test "UIDL n and LIST n answer without the number" {
    tell_many 3
    popd_start 'on UIDL 1: ok m001' 'on UIDL 2: ok m002' 'on UIDL 3: ok m003' 'on LIST [0-9]*: ok 58'
    all_gone
}

@test "nothing is sent that CAPA does not list, but what is tried on purpose" {
    tell_many 2
    popd_start
    all_once
    [ "$(sent | cut -d' ' -f1 | sort -u | grep -v -x -E 'CAPA|USER|PASS|UIDL|LIST|STAT|RETR|NOOP|QUIT' | wc -l)" -eq 0 ] ||
        fail "sent: $(sent | sort -u)"
}

# --- UIDL -----------------------------------------------------------------------------------------

@test "no UIDL: the TOP fingerprint is the key, and it is said once" {
    tell_many 3
    popd_start 'set uidl no'
    popd_rc
    box_digests
    on_tty
    [ "$status" -eq 0 ]
    same "$T/want"
    [ "$(printf '%s\n' "$output" | grep -c UIDL)" -eq 1 ] || fail "not said in one line"
    tell m9
    box_digests
    want 0
    same "$T/want"
    [[ $stderr != *UIDL* ]] || fail "said though not on a terminal"
    popd_rc 'keep = "no"'
    want 0 -F
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "no UIDL, keep = no, and equal messages: n copies listed, n delivered" {
    tell m1 'Subject: x\n\ntwin\n'
    tell m2 'Subject: x\n\ntwin\n'
    tell m3
    popd_start 'set uidl no'
    all_gone
}

@test "no UIDL and no TOP: with keep = no every message once" {
    tell_many 3
    popd_start 'set uidl no' 'set top no'
    all_gone
}

@test "no UIDL and no TOP: with keep = yes nothing is lost and nothing is twice, or it is said" {
    tell_many 3
    popd_start 'set uidl no' 'set top no'
    popd_rc
    box_digests
    want '0|65|69|76'
    local first=$status said
    said=$(errors)
    [ "$first" -ne 0 ] || same "$T/want"
    [ "$first" -eq 0 ] || [ -n "$said" ] || fail "nothing said"
    want '0|65|69|76'
    [ "$(box_count)" -eq 3 ]
    [ -z "$("$TOOL" maildir "$MD" | uniq -d)" ] || fail "delivered twice"
}

@test "duplicate UIDLs with different messages: each once" {
    tell_many 5
    popd_start 'set uidl m001 same' 'set uidl m003 same' 'set uidl m004 same'
    all_once
}

@test "duplicate UIDLs, keep = no: each once, all deleted" {
    tell_many 5
    popd_start 'set uidl m001 same' 'set uidl m003 same' 'set uidl m004 same'
    all_gone
}

@test "duplicate UIDLs with equal messages: n copies listed, n delivered" {
    tell m1 'Subject: x\n\ntwin\n'
    tell m2 'Subject: x\n\ntwin\n'
    tell m3 'Subject: x\n\ntwin\n'
    tell m4
    popd_start 'set uidl m1 same' 'set uidl m2 same' 'set uidl m3 same'
    all_once
    tell m5 'Subject: x\n\ntwin\n'
    popd_again 'set uidl m1 same' 'set uidl m2 same' 'set uidl m3 same' 'set uidl m5 same'
    box_digests
    want 0
    same "$T/want"
}

@test "empty UIDLs: each message once" {
    tell_many 4
    popd_start 'set uidl m002 ""' 'set uidl m003 ""'
    all_once
    rm "$MB/m002"
    tell m9
    want 0
    [ "$(count)" -eq 5 ] || fail "$(count) instead of 5"
}

@test "all UIDLs empty or equal" {
    tell_many 3
    popd_start 'set uidl m001 ""' 'set uidl m002 ""' 'set uidl m003 ""'
    all_gone
    tell_many 3
    popd_again 'set uidl m001 x' 'set uidl m002 x' 'set uidl m003 x'
    popd_rc 'keep = "no"' "maildir = \"$MD.2\""
    box_digests
    want 0 --state-dir "$T/other"
    same "$T/want" "$MD.2"
    [ "$(box_count)" -eq 0 ]
}

@test "odd UIDLs: long, with blanks, slashes, 8-bit, control bytes" {
    tell_many 6
    popd_start "set uidl m001 \"$(printf 'u%.0s' {1..255})\"" 'set uidl m002 "a b  c"' \
        'set uidl m003 "../../etc/passwd"' 'set uidl m004 "\xe4\xff"' 'set uidl m005 "\x01\x1b[31m"' \
        'set uidl m006 "-"'
    all_once
}

@test "several blanks in UIDL and LIST lines" {
    tell_many 2
    popd_start 'on UIDL "": text "+OK\r\n1   m001\r\n2   m002\r\n.\r\n"' \
        'on LIST "": text "+OK\r\n1   40 octets\r\n2   40 octets\r\n.\r\n"'
    all_once
}

@test "a reused UIDL with another size is another message" {
    tell m1
    popd_start
    popd_rc
    want 0
    tell m1 'Subject: quite another\n\nwith another size, much longer than the first one was\n'
    want 0
    [ "$(count)" -eq 2 ] || fail "the new message was not fetched"
    want 0
    [ "$(count)" -eq 2 ]
}

@test "UIDLs in another order, other numbers, gone once and back" {
    tell_many 4
    popd_start
    all_once
    mv "$MB/m001" "$T/away"
    want 0
    mv "$T/away" "$MB/m001"
    tell m000
    box_digests
    want 0
    same "$T/want"
}

# --- one message ----------------------------------------------------------------------------------

@test "-ERR on one RETR: 65, named, the others delivered and deleted, and it stays" {
    tell_many 4
    popd_start 'on RETR 2: err "message is broken"'
    popd_rc 'keep = "no"'
    want 65
    [ "$(count)" -eq 3 ]
    [ "$(ls "$MB")" = m002 ] || fail "on the server: $(ls "$MB")"
    [[ $stderr == *m002* && $stderr == *"message is broken"* ]] || fail "not named"
    popd_again
    want 0
    [ "$(count)" -eq 4 ]
    [ "$(box_count)" -eq 0 ]
}

@test "-ERR on one DELE: the others go, the next run tries again without fetching" {
    tell_many 3
    popd_start 'on DELE =m002: err "cannot"'
    popd_rc 'keep = "no"'
    box_digests
    want '0|65|75'
    [ "$(ls "$MB")" = m002 ] || fail "on the server: $(ls "$MB")"
    same "$T/want"
    popd_again
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
    [ "$(sent_count '^RETR')" -eq 0 ] || fail "fetched again"
}

@test "wrong sizes in LIST, both ways" {
    tell_many 4
    popd_start 'set size 1 "+1000"' 'set size 2 "-20"' 'set size 3 "=0"' 'set size 4 "=2147483647"'
    popd_rc
    box_digests
    want 75 # what comes much shorter than that is asked for once more
    [ "$(count)" -eq 2 ]
    want 0
    same "$T/want"
    want 0
    same "$T/want"
}

@test "sizes that change from run to run do not bring a message twice when UIDLs stay" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    # a reused UIDL is told from a size that was only wrong by the header
    popd_again 'set size 1 "+3"'
    want 0
    [ "$(count)" -le 3 ]
    [ "$(count)" -ge 2 ]
}

@test "odd messages: empty, no header, dots, NUL, CR, 8-bit, no line end" {
    tell m01 ''
    tell m02 '\n'
    tell m03 'no header'
    tell m04 '\n.\n..\n.x\n'
    tell m05 'A: b\n\nNUL \0 here\n'
    tell m06 'A: b\n\nbare \r CR\r\r\nx\n'
    tell m07 'A: b\n\n\xff\xfe\x80\n'
    tell m08 'From x\n\nFrom y\n>From z\n'
    tell m09 '.\n'
    popd_start
    all_once
}

@test "bare LF and forged ends inside a message" {
    printf 'A: b\r\n\r\nx\n.\ny\n.\r\n+OK forged\r\nz\r.\rq\r\n..\r\n.\r\n' >"$MB/m1.wire"
    printf '.\r\n' >"$MB/m2.wire"
    tell m3
    popd_start
    all_once
}

@test "answers in small pieces: each split of the stream" {
    local n
    tell_many 2
    tell m3 'A: b\n\n.x\n..\n'
    for n in 1 2 3 5 7; do
        popd_start "on connect: split $n 1"
        popd_rc "maildir = \"$MD.$n\""
        box_digests
        want 0 --state-dir "$T/s$n"
        same "$T/want" "$MD.$n"
        popd_stop
    done
}

@test "the end of a message without its CRLF never comes: 75, not delivered, not deleted" {
    tell_many 2
    popd_start 'on RETR =m002: text "+OK\r\nA: b\r\n\r\nx\r\n."; hang'
    popd_rc 'keep = "no"' 'timeout = "1s"'
    want '65|75|76'
    [ -e "$MB/m002" ]
    [ "$(count)" -le 1 ]
    tmp_empty
    popd_again
    popd_rc 'keep = "no"'
    want 0
    [ "$(count)" -eq 2 ]
    [ "$(box_count)" -eq 0 ]
}

# --- status lines ---------------------------------------------------------------------------------

@test "up to four empty lines before a status line" {
    tell_many 3
    popd_start 'on USER: send "\r\n"' 'on RETR 2: send "\r\n\r\n\r\n\r\n"' 'on DELE: send "\r\n"'
    all_gone
}

@test "five are too many: 76 or a new connection, nothing wrong is stored" {
    tell_many 3
    popd_start 'on RETR =m002: send "\r\n\r\n\r\n\r\n\r\n"'
    popd_rc 'keep = "no"'
    want '65|75|76'
    [ -e "$MB/m002" ] || fail "deleted undelivered"
    [ "$(cat "$MD"/new/* 2>/dev/null | grep -c '^+OK')" -eq 0 ]
    popd_again
    want 0
    [ "$(count)" -eq 3 ]
}

@test "+OK without text and +OK with no blank before it" {
    tell_many 2
    popd_start 'set terse yes' 'on PASS: do; text "+OKlogged in\r\n"'
    all_gone
}

@test "an answer in LF only behind a greeting in LF: the whole session in LF" {
    tell_many 3
    tell m4 'A: b\n\n.x\n..\n'
    popd_start 'set lf yes'
    all_gone
}

@test "one answer in LF only, its status line too" {
    tell_many 3
    popd_start 'on RETR 2: lf'
    all_gone
}

@test "a body in LF behind a status line in CRLF: no end is guessed" {
    tell_many 2
    popd_start 'on RETR 1: text "+OK\r\nA: b\n\nx\n.\n+OK\n"; hang'
    popd_rc 'keep = "no"' 'timeout = "1s"'
    want '65|75|76'
    [ -e "$MB/m001" ] || fail "deleted"
    tmp_empty
    [ "$(count)" -le 1 ]
    popd_again
    want 0
    [ "$(count)" -eq 2 ]
}

@test "[IN-USE], [LOGIN-DELAY], [SYS/TEMP]: 75 and no word of a wrong password" {
    local code
    tell m1
    popd_start 'on @1 PASS: err "[IN-USE] locked"' 'on @2 PASS: err "[LOGIN-DELAY] wait"' \
        'on @3 PASS: err "[SYS/TEMP] later"' 'on @4 PASS: err "[in-use] locked"'
    popd_rc
    for code in IN-USE LOGIN-DELAY SYS/TEMP in-use; do
        want 75 --force
        account_line
        [[ $stderr != *"check the password"* ]] || fail "blames the password"
    done
}

@test "[AUTH]: 77; [SYS/PERM]: 69" {
    popd_start 'on @1 PASS: err "[AUTH] no"' 'on @2 PASS: err "[SYS/PERM] never"'
    popd_rc
    want 77
    account_line
    want 69 --force
    account_line
}

# --- QUIT and what comes after --------------------------------------------------------------------

@test "QUIT refused: all delivered; the next run deletes without fetching again" {
    tell_many 3
    popd_start 'on @1 QUIT: err "some messages were not removed"'
    popd_rc 'keep = "no"'
    box_digests
    want '0|75'
    same "$T/want"
    [ "$(box_count)" -eq 3 ]
    tell m9
    want 0
    [ "$(count)" -eq 4 ]
    [ "$(box_count)" -eq 0 ] || fail "not deleted: $(ls "$MB")"
    [ "$(sent 2 | grep -c '^RETR')" -eq 1 ] || fail "fetched again"
}

@test "QUIT never answered: the same, within the time limit" {
    tell_many 3
    popd_start 'on @1 QUIT: hang'
    popd_rc 'keep = "no"' 'timeout = "1s"'
    box_digests
    want '0|75'
    same "$T/want"
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
    [ "$(sent 2 | grep -c '^RETR')" -eq 0 ] || fail "fetched again"
}

@test "dropped at QUIT, carried out or not" {
    tell_many 3
    popd_start 'on @1 QUIT: close' 'on @2 QUIT: do; close'
    popd_rc 'keep = "no"'
    box_digests
    want '0|75'
    same "$T/want"
    [ "$(box_count)" -eq 3 ]
    want '0|75'
    [ "$(box_count)" -eq 0 ]
    want 0
    same "$T/want"
}

@test "QUIT refused, then another message under an old UIDL: it is not deleted unread" {
    tell m1 'Subject: aaaa\n\nfirst\n'
    tell m2 'Subject: bbbb\n\nsecond\n'
    popd_start 'on @1 QUIT: err "no"'
    popd_rc 'keep = "no"'
    want '0|75'
    [ "$(count)" -eq 2 ]
    # the same size, another header
    tell m1 'Subject: cccc\n\nfirst\n'
    # another size, the same header
    tell m2 'Subject: bbbb\n\nsecond, and longer\n'
    box_digests
    want 0
    [ "$(comm -13 <("$TOOL" maildir "$MD") "$T/want" | wc -l)" -eq 0 ] ||
        fail "a message was deleted unread"
    tmp_empty
}

@test "mailbox comes back after a drop: nothing is fetched again" {
    tell_many 3
    popd_start
    popd_rc 'keep = "no"'
    box_digests
    cp -r "$MB" "$T/copy"
    want 0
    [ "$(box_count)" -eq 0 ]
    want 0
    cp "$T/copy"/* "$MB/"
    want 0
    same "$T/want"
}

# --- the connection -------------------------------------------------------------------------------

@test "bytes that nobody asked for, before login" {
    tell m1
    popd_start 'on greeting: text "+OK hello\r\n+OK and more\r\n"'
    popd_rc 'timeout = "3s"'
    want '75|76'
    account_line
    no_secret_sent
}

# in_step: what the first, lying connection left behind is neither forged nor altered, and the
# second one brings the rest
in_step() {
    ! grep -r -q forged "$MD" || fail "stored what nobody asked for"
    [ "$("$TOOL" maildir "$MD" | comm -23 - "$T/want" | wc -l)" -eq 0 ] || fail "altered"
    popd_again
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

FORGED='+OK more\r\nA: forged\r\n\r\nforged\r\n.\r\n'

@test "bytes that nobody asked for, right behind a message: nothing wrong stored or deleted" {
    local body='Subject: m002\r\nMessage-ID: <m002@example.org>\r\n\r\nbody of m002\r\n.\r\n'
    tell_many 4
    popd_start "on @1 RETR 2: text \"+OK\r\n$body$FORGED\""
    popd_rc 'keep = "no"' 'pipelining = "off"'
    box_digests
    want '0|65|75|76'
    in_step
}

@test "bytes that nobody asked for, before the answer to the next command: the same" {
    tell_many 4
    popd_start "on @1 RETR 3: send \"$FORGED\""
    popd_rc 'keep = "no"' 'pipelining = "off"'
    box_digests
    want '0|65|75|76'
    in_step
}

@test "bytes that nobody asked for, pipelined: the same" {
    tell_many 4
    popd_start "on @1 RETR 3: send \"$FORGED\""
    popd_rc 'keep = "no"'
    box_digests
    want '0|65|75|76'
    in_step
}

@test "bytes that nobody asked for, before the answer to the last message: the same" {
    tell_many 4
    popd_start "on @1 RETR 4: send \"$FORGED\""
    popd_rc 'keep = "no"'
    box_digests
    want '0|65|75|76'
    in_step
}

@test "the server's timeout, one -ERR line and the end: 75 with its words" {
    tell_many 2
    popd_start 'on LIST "": text "+OK\r\n1 58\r\n2 58\r\n.\r\n-ERR autologout, idle for too long\r\n"; close'
    popd_rc 'pipelining = "off"'
    want 75 --force
    account_line 'autologout'
    [ "$(box_count)" -eq 2 ]
}

@test "a last word nobody asked for, and the connection stays: told soon, not after the timeout" {
    tell_many 2
    popd_start 'on PASS: do; text "+OK\r\n-ERR what was that\r\n"; hang'
    popd_rc 'timeout = "10m"'
    FP_LIMIT=60
    want '75|76' --force
    account_line 'nobody asked for: \"-ERR what was that\"'
    [ "$(box_count)" -eq 2 ]
    # a server that takes a moment to hang up has timed out, as above
    popd_again 'on PASS: do; text "+OK\r\n-ERR autologout\r\n"; sleep 800; close'
    popd_rc 'timeout = "10m"'
    want 75 --force
    account_line 'ended the session: \"-ERR autologout\"'
}

@test "dropped in the middle of a message: 75, nothing of it stored, then all of it" {
    tell_many 3
    popd_start 'on @1 RETR 2: close-at 30' 'on @3 RETR =m002: reset-at 30'
    popd_rc 'keep = "no"'
    box_digests
    want '65|75|76'
    tmp_empty
    [ "$("$TOOL" maildir "$MD" | comm -23 - "$T/want" | wc -l)" -eq 0 ] || fail "torn"
    want '0|65|75|76'
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "a stall in the middle of a message ends with 75" {
    tell_many 2
    popd_start 'on RETR =m002: send "+OK\r\nSubject: half"; stall'
    popd_rc 'keep = "no"' 'timeout = "1s"'
    want '75|65'
    tmp_empty
    [ -e "$MB/m002" ]
    [ "$(count)" -le 1 ]
}

@test "one byte each 100 ms is a stall too" {
    tell_many 1
    popd_start 'on RETR 1: drip 100; send "+OK\r\n"; endless "x"'
    popd_rc 'timeout = "3s"'
    FP_LIMIT=30
    want '75|65|76'
    tmp_empty
    [ "$(count)" -eq 0 ]
}

# --- TLS ------------------------------------------------------------------------------------------

@test "STLS not offered: the password is never sent" {
    tell m1
    popd_start
    popd_rc 'tls = "stls"' "tls_ca_file = \"$TLS/ca.pem\""
    want '69|76|77'
    account_line
    no_secret_sent
    [ "$(sent_count '^(USER|PASS|AUTH)')" -eq 0 ]
}

@test "STLS refused: the password is never sent" {
    tls_lines stls
    popd_start "${TLS_LINES[@]}" 'on STLS: err "not today"'
    popd_rc "${TLS_KEYS[@]}"
    want '69|75|76|77'
    account_line
    no_secret_sent
    [ "$(sent_count '^(USER|PASS|AUTH)')" -eq 0 ]
}

@test "bytes behind the answer to STLS: fatal, the password is never sent" {
    local junk
    tls_lines stls
    for junk in '+OK injected\r\n' 'x' '\r\n'; do
        popd_start "${TLS_LINES[@]}" "on STLS: text \"+OK\\r\\n$junk\"; tls"
        popd_rc "${TLS_KEYS[@]}" 'timeout = "3s"'
        want '76|77' --force
        account_line
        no_secret_sent
        popd_stop
    done
}

@test "STLS accepted, then nothing, or junk instead of a handshake" {
    tls_lines stls
    popd_start "${TLS_LINES[@]}" 'on @1 STLS: ok; hang' 'on @2 STLS: ok; sleep 100; send "+OK hello\r\n"; hang'
    popd_rc "${TLS_KEYS[@]}" 'timeout = "1s"'
    want 75 --force
    account_line
    no_secret_sent
    [ "$(connections)" -eq 1 ] || fail "met again, as if CAPA had been the reason"
    want '75|76|77' --force
    certificate_lines .
    no_secret_sent
}

@test "what was learnt before STLS is forgotten" {
    tell_many 2
    tls_lines stls
    # before TLS a liar offers mechanisms that the server inside TLS does not have
    popd_start "${TLS_LINES[@]}" 'on x1 CAPA: lines "STLS" "SASL PLAIN CRAM-MD5" "PIPELINING"'
    all_once "${TLS_KEYS[@]}" -auth
    [ "$(sent_count '^AUTH')" -eq 0 ] || fail "used a mechanism from before TLS"
}

@test "STLS session: all once" {
    tell_many 3
    tls_lines stls
    popd_start "${TLS_LINES[@]}"
    all_gone "${TLS_KEYS[@]}"
}

@test "closed without close_notify in mid message: an error, nothing stored" {
    tell_many 2
    tls_lines implicit
    popd_start "${TLS_LINES[@]}" 'on @1 RETR =m002: text "+OK\r\nA: b\r\n\r\nx\r\n"; close' \
        'on @2 RETR =m002: text "+OK\r\nA: b\r\n\r\nx\r\n"; notify' \
        'on @3 RETR =m002: text "+OK\r\nA: b\r\n\r\nx\r\n"; close' \
        'on @4 RETR =m002: text "+OK\r\nA: b\r\n\r\nx\r\n"; notify'
    popd_rc "${TLS_KEYS[@]}" 'keep = "no"'
    box_digests
    want '65|75|76|77'
    tmp_empty
    [ "$(count)" -le 1 ]
    [ -e "$MB/m002" ]
    want '0|65|75|76|77'
    [ "$("$TOOL" maildir "$MD" | comm -23 - "$T/want" | wc -l)" -eq 0 ] || fail "torn"
    popd_again "${TLS_LINES[@]}"
    want 0
    same "$T/want"
}

@test "closed without close_notify after QUIT: no error" {
    tell_many 2
    tls_lines implicit
    popd_start "${TLS_LINES[@]}"
    popd_rc "${TLS_KEYS[@]}" 'keep = "no"'
    want 0
    silent
    popd_again "${TLS_LINES[@]}" 'on QUIT: do; ok; notify'
    tell m9
    want 0
    silent
    [ "$(box_count)" -eq 0 ]
}

@test "a TLS handshake that never ends" {
    popd_start 'on connect: hang'
    popd_rc 'tls = "implicit"' 'timeout = "1s"'
    want 75 --force
    account_line
}
