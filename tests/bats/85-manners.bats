#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Manners: who stays away when, and what cron hears of it.

load lib/common
load lib/dovecot

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    dovecot_user alice "the right one"
}

teardown_file() {
    dovecot_stop
}

note() {
    find "$STATE" -name '*.note'
}

# heard REGEX: what cron would mail is one line that matches
heard() {
    [ -z "$output" ] || fail "something on standard output"
    one_line "$1"
}

# told REGEX: on a terminal there is a line that matches
told() {
    printf '%s\n' "$output" | grep -q -E "$1" || fail "no line matches '$1'"
}

# --- a wrong password -----------------------------------------------------------------------------

dovecot_logins() {
    grep -c -E 'pop3-login: .*user=<alice>' "$DOVE/log" || true
}

@test "sixty runs with a bad password: one login at Dovecot; another password logs in at once" {
    need_dovecot
    local round before
    dovecot_account a alice "the wrong one" implicit "maildir = \"$MD\"" 'fsync = "none"' | rc
    before=$(dovecot_logins)
    want 77
    heard 'login refused.*check user and password'
    for ((round = 2; round <= 60; round++)); do
        want 77
        silent
    done
    wait_until 10 test "$(dovecot_logins)" -gt "$before" || fail "Dovecot saw no login"
    [ "$(($(dovecot_logins) - before))" -eq 1 ] || fail "more than one login"
    on_tty
    [ "$status" -eq 77 ]
    told 'login refused.*refused since [0-9: -]+; next try again at [0-9: -]+; --force now'
    want 0 --status
    [[ $output == *"refused since"* ]] || fail "--status does not say so"
    want 77 -c
    [[ $stderr == *"refused since"* ]] || fail "-c does not say so"
    [ "$(($(dovecot_logins) - before))" -eq 1 ] || fail "more than one login"
    want 77 --force
    heard 'login refused'
    wait_until 10 eval '[ $(($(dovecot_logins) - before)) -eq 2 ]' || fail "--force does not try"
    dovecot_account a alice "the right one" implicit "maildir = \"$MD\"" 'fsync = "none"' | rc
    want 0
    silent
    dovecot_account a alice "the wrong one" implicit "maildir = \"$MD\"" 'fsync = "none"' | rc
    want 77
    heard 'login refused'
    ! grep -r -q -F -e 'the wrong one' -e 'the right one' "$STATE" || fail "a password is kept"
}

@test "a refused token is not tried again, a renewed one is" {
    cat >"$T/token" <<'END'
#!/bin/sh
cat "$HOME/token.now"
END
    chmod 755 "$T/token"
    printf 'first' >"$H/token.now"
    popd_start 'set auth "XOAUTH2"' 'on AUTH: text "+ \r\n"; expect *; err "[AUTH] expired"'
    popd_rc -password -auth "token_command = \"$T/token\"" 'auth = "xoauth2"'
    want '75|77'
    local once
    once=$(connections)
    want 77
    [ "$(connections)" -eq "$once" ] || fail "the refused token was tried again"
    printf 'second' >"$H/token.now"
    want 77
    [ "$(connections)" -gt "$once" ] || fail "the new token was not tried"
}

# refused_once RUN...: thirty runs from cron make one login, and the first one is heard
refused_once() {
    local round
    popd_start 'on PASS: err "[AUTH] no"'
    popd_rc -password "$1"
    shift
    want 77 "$@"
    heard 'login refused'
    for ((round = 2; round <= 30; round++)); do
        want 77 "$@"
        silent
    done
    [ "$(connections)" -eq 1 ] || fail "$(connections) connections"
}

@test "a refused secret of password_command, thirty runs: the command is asked, the server is not" {
    refused_once "password_command = \"echo x >>'$T/asked'; echo no-good\""
    [ "$(wc -l <"$T/asked")" -eq 30 ] || fail "the command may have had another one"
}

@test "a refused secret of password_file with --no-fork, thirty runs: one login" {
    echo no-good >"$T/secret"
    chmod 600 "$T/secret"
    refused_once "password_file = \"$T/secret\"" --no-fork
}

@test "a password is refused by code or by clear words; what is not clear is tried again" {
    local -a clear=('[AUTH] no' 'Authentication failed' 'bad password' 'Invalid credentials')
    local -a unclear=('no' '' '[XYZ] login failed')
    local words row=0
    for words in "${clear[@]}" "${unclear[@]}"; do
        popd_start "on PASS: err \"$words\""
        popd_rc "maildir = \"$H/M$row\""
        want 77 --state-dir "$T/state$row"
        heard 'login refused'
        want 77 --state-dir "$T/state$row"
        silent
        case $row in
        [0-3]) [ "$(connections)" -eq 1 ] || fail "'$words' was tried again" ;;
        *) [ "$(connections)" -eq 2 ] || fail "'$words' was not tried again" ;;
        esac
        popd_stop
        rm -rf "$PLOG"
        row=$((row + 1))
    done
}

@test "refused and not said why: growing pauses from the third time on, and 77" {
    popd_start 'on PASS: err "qwertz"'
    popd_rc
    want 77
    heard 'login refused'
    want 77
    silent
    want 77
    silent
    want 75
    silent
    [ "$(connections)" -eq 3 ]
    want 77 --force
    heard 'next try not before [0-9]'
    [ "$(connections)" -eq 4 ]
}

# --- the table ------------------------------------------------------------------------------------

@test "each answer has its status and its words" {
    local row=0 status words answer
    while IFS='|' read -r answer status words; do
        popd_start "on PASS: err \"$answer\""
        popd_rc "maildir = \"$H/M$row\""
        want "$status" --force --state-dir "$T/state$row"
        account_line "$words"
        no_secret_sent nothing
        popd_stop
        rm -rf "$PLOG"
        row=$((row + 1))
    done <<'END'
[AUTH] no|77|login refused.*check user and password
[SYS/PERM] moved|69|refused for good
[SYS/TEMP] oops|75|temporary failure
[IN-USE] x|75|in use
[LOGIN-DELAY] x|75|too soon after
maildrop is locked|75|in use
please try again later|75|temporary failure
authentication failed, try again later|75|temporary failure
login failed: mailbox already locked|75|in use
bad password|77|login refused
END
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75 --force
    account_line 'refuses connections'
    popd_start 'on greeting: hang'
    popd_rc 'timeout = "1s"'
    want 75 --force
    account_line '; try again'
}

# --- what may pass --------------------------------------------------------------------------------

# worked: the account has got through once; then the port is closed
worked() {
    popd_start
    popd_rc "$@"
    want 0
    popd_stop
    rm -rf "$PLOG"
}

@test "a refused port: runs 1 and 2 are silent, 3 is told, then nobody comes; over is one line" {
    worked
    want 75
    silent
    want 75
    silent
    want 75
    heard 'refuses connections.* \(3 polls failed since [0-9: -]+\); next try not before [0-9: -]+$'
    want 75
    silent
    want 75 -v
    one_line '^fetchpop: a: not polled before [0-9: -]+: 3 polls in a row failed since [0-9: -]+: .*refuses connections.*; --force'
    want 0 --status
    [[ $output == *"not polled before"* ]] || fail "--status does not say so"
    want 75 -c
    one_line 'not polled before'
    popd_run "$PORT"
    [ "$(connections)" -eq 0 ]
    want 75
    [ "$(connections)" -eq 0 ] || fail "polled in spite of the pause"
    want 0 --force
    one_line 'a: reachable again after 3 failed runs since [0-9: -]+$'
    want 0
    silent
    popd_stop
    want 75
    silent
}

@test "two failures, then success: nothing is told at all" {
    worked
    want 75
    want 75
    silent
    popd_run "$PORT"
    want 0
    silent
    popd_stop
    want 75
    want 75
    silent
}

@test "on a terminal the first failure is told" {
    PORT=$("$TOOL" freeport)
    popd_rc
    on_tty
    [ "$status" -eq 75 ]
    told 'refuses connections'
}

@test "standard error on a terminal is enough" {
    PORT=$("$TOOL" freeport)
    popd_rc
    run env -i PATH="$PATH" HOME="$H" LC_ALL=C TZ=UTC "$TOOL" pty "$T/st" \
        sh -c "\"$FETCHPOP\" >\"$T/stdout\""
    [ "$(cat "$T/st")" -eq 75 ]
    told 'refuses connections'
}

@test "what stays is told at once, then not again; other words are" {
    popd_start 'on @1 PASS: err "[SYS/PERM] moved"' 'on @2 PASS: err "[SYS/PERM] moved"' \
        'on @3 PASS: err "[SYS/PERM] closed"' 'on @4 PASS: err "[SYS/PERM] closed (id4711)"' \
        'on @5 PASS: err "[SYS/PERM] closed (id4712)"'
    popd_rc
    want 69
    heard 'moved'
    want 69
    silent
    want 69
    heard 'closed'
    want 69
    heard 'id4711'
    want 69
    silent
    [ "$(connections)" -eq 5 ]
}

@test "LOGIN-DELAY: as long as announced, else a minute; an announcement alone makes no pause" {
    tell m1
    popd_start 'set caps "LOGIN-DELAY 7200"' 'on @3 PASS: err "[LOGIN-DELAY] too soon"'
    popd_rc
    want 0
    want 0
    want 75
    silent
    want 75
    silent
    [ "$(connections)" -eq 3 ] || fail "it came all the same"
    want 75 -v
    one_line 'the server wants a pause between logins: again at [0-9: -]+; --force now'
    local left
    left=$(($(sed -n 's/^not-before \([0-9]*\) login-delay$/\1/p' "$(note)") - $(date +%s)))
    [ "$left" -gt 7100 ] && [ "$left" -le 7200 ] || fail "$left seconds to wait"
    want 0 --force
    popd_again 'on PASS: err "[LOGIN-DELAY] too soon"'
    want 75 --force
    one_line 'next try not before'
    left=$(($(sed -n 's/^not-before \([0-9]*\) login-delay$/\1/p' "$(note)") - $(date +%s)))
    [ "$left" -gt 30 ] && [ "$left" -le 60 ] || fail "$left seconds to wait"
}

# --- interval -------------------------------------------------------------------------------------

@test "interval: a poll that comes too early is left out, 0, and said to a person" {
    tell m1
    popd_start
    popd_rc 'interval = "1h"'
    want 0
    [ "$(count)" -eq 1 ]
    tell m2
    want 0
    silent
    [ "$(connections)" -eq 1 ] || fail "it was polled"
    want 0 -c
    [ "$(connections)" -eq 2 ] || fail "-c did not look"
    on_tty
    [ "$status" -eq 0 ]
    [ "$(count)" -eq 2 ] || fail "a person was kept away"
    popd_rc 'interval = "1s"'
    tell m3
    sleep 1.1
    want 0
    [ "$(count)" -eq 3 ]
}

@test "interval: a poll that failed does not count" {
    PORT=$("$TOOL" freeport)
    popd_rc 'interval = "1h"'
    want 75
    popd_run "$PORT"
    tell m1
    want 0
    [ "$(count)" -eq 1 ]
}

# --- the note -------------------------------------------------------------------------------------

@test "an ordinary poll does not write the note again; -c and --dry-run write nothing" {
    tell m1
    popd_start 'on @4 PASS: err "[SYS/TEMP] no"' 'on @5 PASS: err "[SYS/TEMP] no"' \
        'on @6 PASS: err "[AUTH] no"'
    popd_rc
    want 0
    local first
    first=$(ls -i "$(note)")
    want 0
    want 0
    [ "$(ls -i "$(note)")" = "$first" ] || fail "a note without news"
    find "$STATE" -type f -exec sha256sum {} + | sort >"$T/before"
    want 75 -c
    want 75 --dry-run
    want 77 -c
    find "$STATE" -type f -exec sha256sum {} + | sort >"$T/after"
    cmp "$T/before" "$T/after"
    want 0
    silent
}

@test "a note that is junk, torn, a link or somebody's folder is no error" {
    popd_start 'on @1 PASS: err "[SYS/TEMP] no"'
    popd_rc
    want 75
    local file
    file=$(note)
    [ -n "$file" ]
    [ "$(stat -c %a "$file")" = 600 ]
    cp "$file" "$T/whole"
    echo junk >"$file"
    want 0
    silent
    head -c 40 "$T/whole" >"$file"
    want 0
    silent
    rm "$file"
    : >"$T/elsewhere"
    ln -s "$T/elsewhere" "$file"
    popd_again 'on PASS: err "[SYS/TEMP] no"'
    want 75 # told, since nobody can count the runs
    account_line
    [ -L "$file" ] && [ ! -s "$T/elsewhere" ] || fail "written through a link"
    rm "$file"
    mkdir "$file"
    want 75
    account_line
    rmdir "$file"
}

@test "a note that cannot be written is no error, and mail comes" {
    need unshare
    need mount
    unshare -rm true 2>/dev/null || skip "no name spaces for mounts"
    tell m1
    popd_start 'on @2 PASS: err "[SYS/TEMP] no"'
    popd_rc
    want 0
    rm "$(note)"
    # the folder is full to the last block, and its journal has nothing more to say
    run --separate-stderr unshare -rm sh -c '
        mount -t tmpfs -o size=64k none "$1" && cp -a "$2"/. "$1" &&
        { dd if=/dev/zero of="$1/ballast" bs=4k 2>/dev/null; :; } &&
        HOME=$3 "$4" --state-dir "$1"; echo "status $?"; ls "$1" >&2' sh \
        "$(mktemp -d "$T/full.XXXX")" "$STATE" "$H" "$FETCHPOP"
    [ "$output" = "status 75" ] || fail "not 75"
    [[ $stderr == "fetchpop: a: login at 127.0.0.1: temporary failure: "* ]] || fail "not told"
    [[ $stderr != *.note* ]] || fail "part of a note is left"
}

@test "killed while it writes a note: nothing gathers" {
    need strace
    popd_start 'on PASS: err "[SYS/TEMP] no"'
    popd_rc
    want 75
    local call left
    for call in rename renameat renameat2 unlink; do
        FP_ENV=()
        rm -f "$(note)"
        strace -f -o "$T/trace.$call" -e inject="$call":signal=KILL \
            env -i PATH="$PATH" HOME="$H" LC_ALL=C TZ=UTC "$FETCHPOP" --force \
            >/dev/null 2>&1 || true
    done
    for call in rename unlink; do
        grep -q 'killed by SIGKILL' "$T"/trace."$call"* || fail "nobody was killed at $call"
    done
    want 75
    left=$(find "$STATE" -name '*.note.new')
    [ -z "$left" ] || fail "left behind: $left"
    [ "$(note | wc -l)" -eq 1 ] || fail "no note"
}

# --- beside it ------------------------------------------------------------------------------------

@test "no account is enabled: silent in a pipe, one line for a person, 0" {
    popd_rc 'enabled = "no"'
    want 0
    silent
    want 0 -v
    one_line_note='no account is enabled'
    [[ $stderr == *"$one_line_note"* ]] || fail "-v does not say so"
    on_tty
    [ "$status" -eq 0 ]
    told "$one_line_note"
}

@test "the summary mentions what is held" {
    tell_many 2
    popd_start 'on RETR =m001: err "no"'
    popd_rc 'max_tries = "1"'
    want 65
    on_tty
    [ "$status" -eq 0 ]
    told '^a: no new mail, 1 seen, 1 held$'
}

@test "a destination that can take no mail is told at once, then not again; --status names it" {
    tell m1
    popd_start
    local destination round
    for destination in "maildir = '$T/file'" "mbox = '$T/file/box'" "mda = 'no-such-program'"; do
        rm -f "$T/file"
        popd_rc
        want 0 --force
        : >"$T/file"
        popd_rc -maildir "$destination"
        want '73|78'
        account_line
        for round in 1 2 3; do
            want '73|78'
            silent
        done
        want 0 --status
        [[ $output == *"a: last poll "*" failed: "* ]] || fail "--status: $output"
    done
}

@test "trouble that cannot be noted is told in every run" {
    tell m1
    popd_start
    popd_rc
    mkdir -p "${STATE%/*}"
    : >"$STATE"
    local round
    for round in 1 2 3; do
        want 73
        account_line
    done
}
