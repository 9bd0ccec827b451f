#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# --status: how each account is doing, for people and for programs.

load lib/common

# tells REGEX: a line of --status matches
tells() {
    want 0 --status
    grep -q -E "$1" <<<"$output" || fail "no line matches '$1'"
}

@test "--status of an account that was never polled, and of one that is well" {
    tell_many 3
    popd_start
    popd_rc
    tells '^a: never polled$'
    want 0
    tells '^a: last poll [0-9]{2}:[0-9]{2} went well$'
    tells '^a: 3 messages kept on the server, 0 held$'
    want 0 --status -s
    [ -z "$output" ]
}

@test "--status tells of failures: the last one, how many since when, the last success, the next try" {
    tell m1
    popd_start
    popd_rc
    want 0
    popd_stop
    local round
    for round in 1 2 3; do
        want 75
    done
    tells "^a: last poll [0-9: -]+ failed \\(3 in a row since [0-9: -]+\\): 127\\.0\\.0\\.1: port $PORT refuses connections; .*; last success [0-9: -]+$"
    tells '^a: not polled before [0-9: -]+: .*--force polls now$'
    [[ $output != *"nothing failed"* ]]
    rm -rf "$PLOG"
    popd_run "$PORT"
    want 0 --force
    tells '^a: last poll [0-9: -]+ went well$'
}

@test "--status of a first failure: no success yet" {
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75
    tells '^a: last poll [0-9: -]+ failed \(1 in a row since [0-9: -]+\): .*; last success never$'
}

@test "--status tells what was received and is not delivered, and where; trouble here, too" {
    tell m1
    popd_start
    popd_rc -maildir 'mda = "exit 75"'
    want 75
    tells '^a: last poll [0-9: -]+ failed: .*; last success never$'
    tells "^a: 0 messages kept on the server, 0 held; 1 here in $STATE, not delivered yet$"
}

@test "--status --json: the same as one object a line" {
    tell_many 2
    popd_start
    {
        popd_account a
        popd_account b 'user = "bob"' 'port = "1"' "maildir = \"$H/B\""
    } | rc
    want 75
    want 0 --status --json
    printf '%s\n' "$output" | python3 -c '
import json, sys, time
a, b = [json.loads(line) for line in sys.stdin]
assert set(a) == set(b) == {"account", "last_poll", "outcome", "error", "failures",
    "failing_since", "last_success", "next_try", "refused", "kept", "held", "failed", "left", "spooled",
    "state_dir"}, a
assert a["account"] == "a" and a["outcome"] == "ok" and a["error"] is None, a
assert a["kept"] == 2 and a["failures"] == 0 and a["failing_since"] is None, a
assert abs(a["last_poll"] - time.time()) < 600 and a["last_success"] == a["last_poll"], a
assert b["outcome"] == "failed" and "refuses connections" in b["error"], b
assert b["failures"] == 1 and b["failing_since"] and b["last_success"] is None, b
' || fail "not as told"
}
