#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The file that metrics names.

load lib/common

# metrics_rc [LINE...]: an account, and the file
metrics_rc() {
    { printf 'metrics = "%s/m/fetchpop.prom"\n' "$T" && popd_account a "$@"; } | rc
}

teardown() {
    stop_all
}

# value NAME WANT: this sample of account a
value() {
    local got
    got=$(sed -n "s/^fetchpop_$1{account=\"a\"[^}]*} //p" "$T/m/fetchpop.prom")
    [ "$got" = "$2" ] || fail "$1 is '$got', wanted '$2': $(cat "$T/m/fetchpop.prom")"
}

setup() {
    home_setup
    mkdir -p "$T/m"
}

@test "metrics: what a poll brought, and how it ended" {
    tell_many 3
    popd_start
    metrics_rc
    want 0
    silent
    value last_poll_messages 3
    value last_poll_octets "$(cat "$MD"/new/* | wc -c)"
    value last_poll_status 0
    value kept_messages 3
    value spooled_messages 0
    value secret_refused_timestamp_seconds 0
    grep -F 'fetchpop_last_poll_outcome{account="a",kind="none"} 1' "$T/m/fetchpop.prom"
    ! grep '^fetchpop_certificate_days' "$T/m/fetchpop.prom" || fail "there is no certificate"
    now=$(date +%s)
    at=$(sed -n 's/^fetchpop_last_success_timestamp_seconds{.*} //p' "$T/m/fetchpop.prom")
    [ "$at" -gt $((now - 600)) ] && [ "$at" -le "$now" ] || fail "$at is not now"
    [ "$(stat -c %a "$T/m/fetchpop.prom")" = 644 ]
    [ "$(ls "$T/m")" = fetchpop.prom ] || fail "litter: $(ls "$T/m")"
    want 0
    value last_poll_messages 0
}

@test "metrics: a server that is away, and a message that waits here" {
    tell_many 2
    popd_start
    metrics_rc -maildir "mda = 'exit 75'"
    want 75
    value last_poll_status 75
    value spooled_messages 2
    value last_poll_messages 0
    stop_pid "$POPD_PID"
    want '69|75|74'
    grep '^fetchpop_last_poll_outcome{account="a",kind="none"} 1' "$T/m/fetchpop.prom" && fail "none?"
    grep '^fetchpop_last_poll_outcome{account="a",kind="' "$T/m/fetchpop.prom"
}

@test "metrics: what is held, and since when the password is refused" {
    tell_many 2
    popd_start 'on RETR 1: err "no such thing"'
    metrics_rc 'max_tries = 1'
    want 65
    value held_messages 1
    value last_poll_messages 1
    value last_poll_failed_messages 1
    popd_stop
    popd_start 'on PASS: err "[AUTH] no"'
    metrics_rc
    want 77
    value last_poll_status 77
    grep -F 'fetchpop_last_poll_outcome{account="a",kind="password-refused"} 1' "$T/m/fetchpop.prom" ||
        fail "$(cat "$T/m/fetchpop.prom")"
    grep -q -E '^fetchpop_secret_refused_timestamp_seconds\{account="a"\} [1-9][0-9]{9}$' \
        "$T/m/fetchpop.prom" || fail "$(cat "$T/m/fetchpop.prom")"
    value held_messages 1
}

@test "metrics: the file is replaced as a whole" {
    popd_start
    metrics_rc
    want 0
    ln "$T/m/fetchpop.prom" "$T/first"
    cp "$T/first" "$T/copy"
    tell m1
    want 0
    cmp "$T/first" "$T/copy" || fail "it was written over"
    value last_poll_messages 1
}

@test "metrics: a file that cannot be written is a warning; a named account leaves the file alone" {
    tell_many 1
    popd_start
    metrics_rc
    want 0 a
    [ ! -e "$T/m/fetchpop.prom" ]
    rmdir "$T/m"
    want 0
    [[ $stderr == *"metrics: "* ]] || fail "$stderr"
    [ "$(count)" -eq 1 ]
}

@test "metrics: the alerts are about what the file has" {
    tell_many 1
    popd_start
    metrics_rc
    want 0
    grep -o 'fetchpop_[a-z_]*' "$BATS_TEST_DIRNAME/../../contrib/prometheus/fetchpop.rules.yml" |
        sort -u | while read -r name; do
        [ "$name" = fetchpop_ ] || grep -q "^# TYPE $name gauge" "$T/m/fetchpop.prom" || fail "$name"
    done
}

@test "metrics: a daemon writes the file after each poll" {
    tell_many 1
    popd_start
    metrics_rc
    env -i PATH="$PATH" HOME="$H" TMPDIR="$T" "$FETCHPOP" -d 1s >/dev/null 2>&1 3>&- &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        ! grep -q '^fetchpop_last_poll_messages{account="a"} 1' "$T/m/fetchpop.prom" 2>/dev/null || break
        sleep 0.1
    done
    first=$(sed -n 's/^fetchpop_last_poll_timestamp_seconds{.*} //p' "$T/m/fetchpop.prom")
    for ((i = 0; i < 600; i++)); do
        at=$(sed -n 's/^fetchpop_last_poll_timestamp_seconds{.*} //p' "$T/m/fetchpop.prom")
        [ "$at" -le "$first" ] || break
        sleep 0.1
    done
    kill "$pid"
    wait "$pid" || true
    [ "$at" -gt "$first" ] || fail "written once: $(cat "$T/m/fetchpop.prom")"
    value last_poll_messages 0
}
