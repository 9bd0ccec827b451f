#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# contrib/imap-append, the command that puts mail into an IMAP mailbox, with a real Dovecot.

load lib/common
load lib/dovecot

APPEND=$BATS_TEST_DIRNAME/../../contrib/imap-append

setup_file() {
    dovecot_start
}

teardown_file() {
    dovecot_stop
}

setup() {
    need_dovecot
    need_part imap
    home_setup
    USER_NAME=u$BATS_TEST_NUMBER
    dovecot_user "$USER_NAME" 'pw "x\'
    sleep 1.1 # Dovecot looks at its passwd-file once a second
    BOX=$DOVE/mail/$USER_NAME/Maildir
    echo 'pw "x\' >"$T/pw"
    ARGS=(--server "localhost:$DOVE_IMAP" --tls starttls --ca-file "$DOVE_CA" --user "$USER_NAME"
        --password-command "cat $T/pw")
}

# put [ARGUMENT...]: standard input goes into the mailbox
put() {
    run --separate-stderr "$APPEND" "${ARGS[@]}" "$@"
}

# imap_rc [LINE...]: an account whose mail goes there
imap_rc() {
    printf '#!/bin/sh\nexec %s\n' "${APPEND@Q} ${ARGS[*]@Q}" >"$T/put"
    chmod +x "$T/put"
    popd_rc -maildir "mda = '$T/put'" "$@"
}

stored() {
    find "$BOX/new" "$BOX/cur" -type f | wc -l
}

message() {
    printf 'Date: Mon, 6 Jan 2025 09:00:00 +0100\nMessage-ID: <%s@example.org>\nSubject: %s\n\n%s\n' \
        "$1" "${2:-x}" "${3:-body}"
}

@test "unseen, with its own date, byte for byte" {
    message 1 x $'.\n..\nFrom here' >"$T/m"
    put <"$T/m"
    [ "$status" -eq 0 ] || fail "$stderr"
    [ "$(stored)" -eq 1 ]
    [ -z "$(find "$BOX/cur" -name '*:2,*S*')" ] || fail "seen"
    cmp "$T/m" "$(find "$BOX/new" "$BOX/cur" -type f)"
    [ "$(stat -c %Y "$(find "$BOX/new" "$BOX/cur" -type f)")" -eq "$(date -d '2025-01-06 08:00:00 UTC' +%s)" ]
}

@test "the same once more makes no double; another with its Message-ID is no double" {
    message 1 >"$T/m"
    put <"$T/m"
    put <"$T/m"
    [ "$status" -eq 0 ] || fail "$stderr"
    [ "$(stored)" -eq 1 ]
    message 1 x 'another body, of another length' >"$T/m2"
    put <"$T/m2"
    [ "$(stored)" -eq 2 ]
    message 1 y >"$T/m3"
    put <"$T/m3"
    [ "$(stored)" -eq 3 ]
}

@test "a date that makes no sense, none, and one in the future are today's" {
    local d
    for d in 'Date: yesterday' 'X: y' 'Date: Mon, 6 Jan 2125 09:00:00 +0100'; do
        printf '%s\nSubject: x\n\n' "$d" | "$APPEND" "${ARGS[@]}" || fail "$d"
    done
    [ "$(stored)" -eq 3 ]
    [ -z "$(find "$BOX" -type f -path '*/[nc]*/*' -mmin +60 -name '*,S=*')" ] || fail "an old date"
}

@test "exit status: 64, 68, 75, 77 and 78 are told apart, in one line" {
    message 1 >"$T/m"
    put --nonsense <"$T/m"
    [ "$status" -eq 64 ]
    put --password-command 'echo wrong' <"$T/m"
    [ "$status" -eq 77 ] || fail "$status $stderr"
    [ "$(grep -c . <<<"$stderr")" -eq 1 ]
    put --password-command 'exit 1' <"$T/m"
    [ "$status" -eq 75 ]
    put --mailbox nowhere <"$T/m"
    [ "$status" -eq 78 ] || fail "$status $stderr"
    put --server "localhost:$("$TOOL" freeport)" <"$T/m"
    [ "$status" -eq 75 ] || fail "$status $stderr"
    put --server no-such-host.invalid:143 <"$T/m"
    [ "$status" -eq 68 ] || [ "$status" -eq 75 ] || fail "$status $stderr" # without a resolver
    put --ca-file "$DOVE/tls/server.key" <"$T/m"
    [ "$status" -ne 0 ]
    [ "$(stored)" -eq 0 ]
}

# answered STATUS WORDS VERB=ANSWER: what a server says that a real one says too seldom
answered() {
    rm -f "$T/port"
    "$LIB/imapd.py" "$T/port" "$3" 3>&- 4>&- &
    local pid=$!
    PIDS+=("$pid")
    wait_until 20 test -s "$T/port"
    message 1 >"$T/m"
    run --separate-stderr "$APPEND" --server "127.0.0.1:$(cat "$T/port")" --tls none --user u \
        --password-command 'echo x' <"$T/m"
    stop_pid "$pid"
    [ "$status" -eq "$1" ] || fail "$3: $status, wanted $1: $stderr"
    [[ $stderr == *"$2"* ]] || fail "$3: $stderr"
}

@test "what a server refuses for good is 65, and what passes is 75" {
    answered 0 '' 'append=OK [APPENDUID 1 2] done'
    answered 65 'too large' 'append=NO [LIMITS] too large'
    answered 65 'Invalid' 'append=BAD Invalid message'
    answered 75 'full' 'append=NO [OVERQUOTA] full'
    answered 75 '' 'append=drop'
    answered 78 'no such' 'append=NO [TRYCREATE] no such mailbox'
    answered 75 'busy' 'login=NO [UNAVAILABLE] busy'
    answered 77 'bad' 'login=NO [AUTHENTICATIONFAILED] bad'
    answered 75 'in use' 'examine=NO [INUSE] in use'
    answered 78 'nonexistent' 'examine=NO [NONEXISTENT] nonexistent'
}

@test "killed at each write and each answer: never lost, never twice" {
    local when n=0 sum=0
    for when in before after answer; do
        for ((n = 1; n < 60; n++)); do
            message "$when$n" >"$T/m"
            status=0
            "$LIB/imap_kill.py" "$APPEND" "$when:$n" "${ARGS[@]}" <"$T/m" >/dev/null 2>&1 || status=$?
            [ "$status" -ne 99 ] || break
            [ "$status" -eq 137 ] || fail "$when:$n: exit status $status"
            "$APPEND" "${ARGS[@]}" <"$T/m" || fail "$when:$n: the next try"
            sum=$((sum + 1))
            [ "$(grep -r -l "<$when$n@" "$BOX/new" "$BOX/cur" | wc -l)" -eq 1 ] || fail "$when:$n: not once"
        done
        [ "$n" -gt 3 ] && [ "$n" -lt 60 ] || fail "$when: $n points"
    done
    echo "# killed at $sum points"
}

@test "as fetchpop's mda: everything once, and a refused login loses nothing" {
    tell_many 5
    popd_start
    imap_rc 'keep = "no"'
    echo wrong >"$T/pw"
    want 77
    echo 'pw "x\' >"$T/pw"
    want 0
    [ "$(stored)" -eq 5 ]
    [ "$(box_count)" -eq 0 ]
    [ "$(sent_count '^RETR')" -eq 5 ]
}

@test "the configuration file of doc/gmail.md is one" {
    sed -n '/^    account "old"/,/^    }/p' "$BATS_TEST_DIRNAME/../../doc/gmail.md" | rc
    [ -s "$RC" ]
    mkdir "$T/bin"
    ln -s "$APPEND" "$T/bin/imap-append"
    PATH=$T/bin:$PATH want 0 --status
}
