#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Two runs at once, and being told to stop.

load lib/common

@test "two runs at the same time: the second says so and exits 75; none twice" {
    tell_many 4
    popd_start 'on @1 RETR 2: sleep 3000'
    popd_rc 'keep = "no"'
    box_digests
    start_fp
    wait_until 10 saw 1 'RETR'
    want 75
    silent # as cron wants it: the other makes progress
    want 75 --force
    account_line 'lock|running|another|run'
    [ "$(connections)" -eq 1 ] || fail "the second run called the server"
    end_fp 20
    [ "$status" -eq 0 ]
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
    want 0
    same "$T/want"
}

@test "the lock is by server and user: other accounts and other ports" {
    tell_many 2
    popd_start 'on @1 RETR 1: sleep 2500'
    popd_rc
    start_fp
    wait_until 10 saw 1 'RETR'
    # the same mailbox under another title
    popd_account b | rc
    want 75
    end_fp 20
    [ "$status" -eq 0 ]
    want 0
    [ "$(count)" -eq 2 ] || fail "delivered twice under another title"
}

@test "a killed run leaves no lock behind" {
    tell_many 3
    popd_start 'on @1 RETR 2: hang'
    popd_rc 'keep = "no"'
    box_digests
    start_fp --no-fork
    wait_until 10 saw 1 'RETR 2'
    kill -KILL "$FP_PID"
    wait_until 5 gone "$FP_PID"
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "a killed parent: the worker does not keep the lock for long" {
    tell_many 3
    popd_start 'on @1 RETR 2: hang'
    popd_rc 'keep = "no"' 'timeout = "5s"'
    box_digests
    start_fp
    wait_until 10 saw 1 'RETR 2'
    kill -KILL "$FP_PID"
    unlocked() { fp >"$T/o" 2>"$T/e"; }
    wait_until 15 unlocked || fail "still locked: $(cat "$T/e")"
    same "$T/want"
}

# interrupted SIGNAL FETCHPOP-OPTION...: in the middle of the fourth of six messages
interrupted() {
    local signal=$1
    shift
    tell_many 6
    popd_start 'on @1 RETR 4: send "+OK\r\nSubject: half a mess"; hang'
    popd_rc 'keep = "no"' 'pipelining = "off"'
    box_digests
    start_fp "$@"
    wait_until 10 saw 1 'RETR 4'
    sleep 0.2
    kill -"$signal" "$FP_PID"
    end_fp 12
    [ "$status" -eq 75 ] || fail "exit status $status"
    [ "$(count)" -eq 3 ] || fail "$(count) of the 3 complete ones committed"
    tmp_empty
    [ "$(sent_count 'RETR [56]')" -eq 0 ] || fail "took new messages"
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
    [ "$(sent_count 'RETR')" -le 7 ] || fail "fetched again what was committed"
}

@test "INT: what is complete is committed, 75, the next run fetches the rest" {
    interrupted INT
}

@test "TERM: the same" {
    interrupted TERM
}

@test "TERM with --no-fork: the same" {
    interrupted TERM --no-fork
}

@test "INT while answers still come: they drain, DELE and QUIT go out, 75" {
    tell_many 6
    popd_start 'on @1 RETR 3: sleep 1500'
    popd_rc 'keep = "no"' 'pipelining = "off"'
    box_digests
    start_fp
    wait_until 10 saw 1 'RETR 3'
    kill -INT "$FP_PID"
    end_fp 10
    [ "$status" -eq 75 ] || fail "exit status $status"
    [ "$(count)" -ge 2 ]
    [ "$(count)" -le 3 ]
    tmp_empty
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "a second signal ends it at once, and nothing is lost or twice" {
    tell_many 6
    popd_start 'on @1 RETR 4: hang'
    popd_rc 'keep = "no"' 'pipelining = "off"'
    box_digests
    start_fp
    wait_until 10 saw 1 'RETR 4'
    kill -INT "$FP_PID"
    sleep 0.3
    kill -INT "$FP_PID"
    end_fp 3
    [ "$status" -ne 0 ]
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "a signal before the server answers at all" {
    popd_start 'on greeting: hang'
    popd_rc
    start_fp
    wait_until 10 test -e "$PLOG/1.events"
    kill -TERM "$FP_PID"
    end_fp 8
    [ "$status" -eq 75 ] || fail "exit status $status"
}
