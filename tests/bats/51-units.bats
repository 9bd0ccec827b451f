# SPDX-License-Identifier: ISC
# The units of contrib/systemd and the line for cron: what systemd itself says about them, and that
# they name options and exit statuses which there are.

load lib/common

UNITS=$BATS_TEST_DIRNAME/../../contrib/systemd

setup() {
    home_setup
    mkdir "$T/units"
    local file
    for file in "$UNITS"/*.in; do
        sed "s|@bindir@|$(dirname "$FETCHPOP")|" "$file" >"$T/units/$(basename "$file" .in)"
    done
    cp "$UNITS"/*.timer "$T/units"
}

# verify ARG...: no word from systemd, and 0
verify() {
    need systemd-analyze
    run env XDG_RUNTIME_DIR="$T" HOME="$H" systemd-analyze verify --man=no "$@"
    [ "$status" -eq 0 ] || fail "systemd-analyze verify $*"
    [ -z "$output" ] || fail "systemd-analyze has something to say"
}

@test "the user's units pass systemd-analyze verify" {
    verify --user "$T/units/fetchpop.service" "$T/units/fetchpop.timer" \
        "$T/units/fetchpop-oneshot.service"
}

@test "the system's unit passes systemd-analyze verify" {
    verify "$T/units/fetchpop@root.service"
}

@test "so do they with the strict additions" {
    local unit
    for unit in fetchpop.service fetchpop@.service; do
        mkdir "$T/units/$unit.d"
        cp "$UNITS/fetchpop-strict.conf" "$T/units/$unit.d"
    done
    verify --user "$T/units/fetchpop.service"
    verify "$T/units/fetchpop@root.service"
}

@test "systemd-analyze would have said something" {
    need systemd-analyze
    sed -i 's/^WatchdogSec=/WatchdogSecs=/' "$T/units/fetchpop.service"
    run env XDG_RUNTIME_DIR="$T" HOME="$H" systemd-analyze verify --man=no --user \
        "$T/units/fetchpop.service"
    [[ $output == *WatchdogSecs* ]] || fail "an unknown key is not noticed"
}

@test "make puts the program's place into the units" {
    [ -e "${top_builddir:-/nowhere}/contrib/systemd/fetchpop.service" ] || skip "make has not made them"
    local file
    for file in "$UNITS"/*.in; do
        file=$top_builddir/contrib/systemd/$(basename "$file" .in)
        grep -q '^ExecStart=/.*/fetchpop' "$file" || fail "$file: $(grep ExecStart "$file")"
    done
}

@test "the example for logrotate: the old log is put away, and the daemon goes on in a new one" {
    need logrotate
    mkdir -m 755 "$T/log" "$T/bin"
    tell m1
    popd_start
    popd_rc
    sed "s|/var/log/fetchpop|$T/log|" "$UNITS/../fetchpop.logrotate" >"$T/conf"
    chmod 644 "$T/conf"
    start_fp -d 1h -L "$T/log/alice.log"
    wait_until 30 grep -q '1 new' "$T/log/alice.log" || fail "nothing is logged"
    printf '#!/bin/sh\necho "$@" >"%s"\nkill -HUP %s\n' "$T/args" "$FP_PID" >"$T/bin/systemctl"
    chmod 755 "$T/bin/systemctl"
    run env PATH="$T/bin:$PATH" logrotate -f -s "$T/rotated" "$T/conf"
    [ "$status" -eq 0 ] || fail "logrotate: $status"
    grep -q '1 new' "$T/log/alice.log.1" || fail "the old log is not there"
    [ "$(cat "$T/args")" = 'kill --kill-whom=main --signal=HUP fetchpop@*.service' ] || fail "$(cat "$T/args")"
    wait_until 30 test -e "$T/log/alice.log" || fail "no new log"
    tell m2
    kill -USR1 "$FP_PID"
    wait_until 30 grep -q '1 new' "$T/log/alice.log" || fail "nothing in the new log"
    kill -TERM "$FP_PID"
    end_fp 30
    [ "$status" -eq 0 ] || fail "status $status"
}

polled() {
    [ "$(sent_count '^QUIT')" -gt "$1" ] && [ -z "$(ps -o pid= --ppid "$FP_PID")" ]
}

@test "what the units and the line for cron start is understood" {
    popd_start
    popd_rc
    local command count=0
    while read -r command; do
        # shellcheck disable=SC2086
        start_fp ${command#fetchpop}
        wait_until 20 polled "$count" || fail "$command does not poll"
        [[ $command != *--daemon* ]] || kill -TERM "$FP_PID"
        end_fp 20
        [ "$status" -eq 0 ] || fail "$command: $status"
        [ -z "$stderr" ] || fail "$command"
        count=$((count + 1))
    done < <(sed -n 's/^ExecStart=.*\/fetchpop/fetchpop/p' "$T/units"/*.service &&
        sed -n 's/^\*.* \/.*\/fetchpop$/fetchpop/p' "$UNITS/../fetchpop.cron")
    [ "$count" -eq 4 ] || fail "not four commands"
}
