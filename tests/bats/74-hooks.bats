#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Commands around a run, and behind a poll that brought something.

load lib/common

# hooks_rc TOP [LINE...]: top-level lines, and an account
hooks_rc() {
    local top=$1
    shift
    { printf '%s\n' "$top" && popd_account a "$@"; } | rc
}

@test "after_new: once, with account, count and one line of JSON for each message" {
    tell_many 3
    popd_start
    popd_rc "after_new = 'env | grep ^FETCHPOP_ | sort >>$T/env; cat \"\$FETCHPOP_LIST\" >>$T/list'"
    want 0
    silent
    printf 'FETCHPOP_ACCOUNT=a\nFETCHPOP_LIST=/dev/stdin\nFETCHPOP_NEW=3\n' | diff - "$T/env"
    python3 - "$T/list" "$MD" <<'END_PY'
import json, os, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
names = sorted(os.listdir(sys.argv[2] + "/new"))
assert [r["uidl"] for r in rows] == ["m001", "m002", "m003"], rows
assert [r["subject"] for r in rows] == ["m001", "m002", "m003"], rows
assert [r["message_id"] for r in rows] == ["<%s@example.org>" % u for u in ("m001", "m002", "m003")]
assert sorted(r["name"] for r in rows) == names, (rows, names)
assert all(r["account"] == "a" and r["kind"] == "maildir" and r["from"] is None for r in rows)
assert [r["octets"] for r in rows] == [os.stat(sys.argv[2] + "/new/" + r["name"]).st_size for r in rows]
END_PY
    want 0
    [ "$(grep -c ACCOUNT "$T/env")" -eq 1 ] || fail "run again without news"
}

@test "after_new: what a sender writes cannot make a second line, nor leave the quotes" {
    tell m1 'From: =?utf-8?q?a=0A{"account":_"b"}=22?= <x@example.org>\nSubject: "\\\\", "\n\0001\0377\n\nbody\n'
    popd_start
    popd_rc "after_new = 'cat >$T/list'"
    want 0
    [ "$(wc -l <"$T/list")" -eq 1 ]
    python3 - "$T/list" <<'END_PY'
import json, sys
row = json.load(open(sys.argv[1]))
assert row["account"] == "a" and row["from"].startswith("a\n{"), row
assert row["subject"].startswith('"'), row
END_PY
}

@test "after_new: its failure is told, and is no failure of the poll" {
    tell m1
    popd_start
    popd_rc "after_new = 'echo oh >&2; exit 3'" 'keep = "no"'
    want 0
    [[ $stderr == *"after_new: the command exited with 3"* ]] || fail "$stderr"
    [[ $stderr == *oh* ]]
    [ "$(count)" -eq 1 ]
    [ "$(box_count)" -eq 0 ]
}

@test "after_new: also for what was kept here and is delivered by a later run" {
    tell_many 2
    popd_start
    popd_rc -maildir "mda = '[ -e $T/go ] || exit 75; cat >/dev/null'" \
        "after_new = 'cat >>$T/list'"
    want 75
    [ ! -e "$T/list" ]
    touch "$T/go"
    want 0
    [ "$(grep -c '"subject": "m00[12]"' "$T/list")" -eq 2 ] || fail "$(cat "$T/list")"
}

@test "before and after a run; after has its exit status" {
    popd_start
    hooks_rc "before = 'echo before >>$T/hooks'"$'\n'"after = 'echo after \$FETCHPOP_STATUS >>$T/hooks'" \
        "password_command = 'echo secret >&1; echo poll >>$T/hooks'" -password
    want 0
    silent
    printf 'before\npoll\nafter 0\n' | diff - "$T/hooks"
    stop_pid "$POPD_PID"
    want 75
    [ "$(tail -1 "$T/hooks")" = "after 75" ]
    : >"$T/hooks"
    run fp --check
    run fp --status
    ! grep -q -E "before|after" "$T/hooks" || fail "run for something that does not poll"
}

@test "after that fails is told, and the run is what it was" {
    tell m1
    popd_start
    hooks_rc "after = 'exit 3'"
    want 0
    [[ $stderr == *"after: the command exited with 3"* ]] || fail "$stderr"
    [ "$(count)" -eq 1 ]
    hooks_rc "after = 'kill -9 \$\$'"
    want 0
    [[ $stderr == *"after: the command was ended by a signal"* ]] || fail "$stderr"
}

@test "after and after_new run although a signal has ended the run" {
    tell_many 2
    popd_start 'on NOOP: ok' 'on RETR 2: hang'
    hooks_rc "after = 'sleep 0.3; touch $T/after'" "timeout = 20s" 'keep = no' \
        "after_new = 'sleep 0.3; touch $T/after_new'"
    start_fp -d 1m
    wait_until 20 eval '[ "$(sent_count "^RETR")" -ge 2 ]' || fail "no RETR was sent: $(sent)"
    sleep 0.5
    kill -TERM "$FP_PID"
    end_fp 40
    [ -e "$T/after" ] || fail "after did not run: $stderr"
    [ -e "$T/after_new" ] || [ "$(count)" -eq 0 ] || fail "after_new did not run: $stderr"
}

@test "before that says 75: nothing is polled, and cron hears nothing" {
    popd_start
    hooks_rc "before = 'exit 75'"$'\n'"after = 'touch $T/after'"
    want 75
    silent
    [ "$(connections)" -eq 0 ]
    [ ! -e "$T/after" ]
}

@test "before that fails otherwise is told, and the run goes on" {
    tell m1
    popd_start
    hooks_rc "before = 'exit 1'"
    want 0
    [[ $stderr == *"before: the command exited with 1"* ]] || fail "$stderr"
    [ "$(count)" -eq 1 ]
}

@test "log_messages: a line in the log for each message that was delivered, and none without it" {
    tell m1 'Message-ID: <m1@example.org>\nFrom: =?utf-8?q?J=C3=B6rg?= <j@example.org>\nSubject: say "hi"\n\nbody\n'
    tell m2
    popd_start
    popd_rc 'log_messages = yes'
    want 0 -L "$T/log"
    silent
    name=$(grep -l "say" "$MD"/new/* | xargs basename)
    grep -F "a: delivered $(stat -c %s "$MD/new/$name") octets, to maildir $MD as $name, UIDL \"m1\", id \"<m1@example.org>\", from \"Jörg <j@example.org>\", subject \"say \\\"hi\\\"\"" "$T/log" || fail "$(cat "$T/log")"
    [ "$(grep -c 'a: delivered ' "$T/log")" -eq 2 ] || fail "$(cat "$T/log")"
    want 0 -L "$T/log"
    [ "$(grep -c 'a: delivered ' "$T/log")" -eq 2 ] || fail "told again"
    rm "$T/log" && popd_rc 'log_messages = no'
    want 0 --all -L "$T/log"
    ! grep 'a: delivered ' "$T/log"
}

@test "log_messages and after_new tell where a rule has put a message" {
    tell m1 'From: list@example.org\nSubject: one\n\nbody\n'
    tell m2
    popd_start
    popd_rc 'log_messages = yes' "after_new = 'cat \"\$FETCHPOP_LIST\" >>$T/list'"
    printf 'defaults { rule { from = "list@*" mbox = "%s" } }\n' "$T/lists" >>"$RC"
    want 0 -L "$T/log"
    grep -q "a: delivered .* octets, to mbox $T/lists, UIDL \"m1\"" "$T/log" || fail "$(cat "$T/log")"
    grep -q "a: delivered .* octets, to maildir $MD as .*, UIDL \"m2\"" "$T/log" || fail "$(cat "$T/log")"
    grep '"uidl": "m1"' "$T/list" | grep -q '"kind": "mbox"' || fail "$(cat "$T/list")"
    grep '"uidl": "m2"' "$T/list" | grep -q '"kind": "maildir"' || fail "$(cat "$T/list")"
}

@test "log_messages: what a sender writes makes no second line, and cron hears nothing" {
    tell m1 'From: =?utf-8?q?a=0A=0Da=3A_delivered?= <x@example.org>\nSubject: =?utf-8?q?=1B[2J=22?=\n\nbody\n'
    popd_start
    popd_rc 'log_messages = yes'
    want 0
    silent
    want 0 --all -L "$T/log"
    [ "$(grep -c delivered "$T/log")" -eq 1 ] || fail "$(cat "$T/log")"
    ! grep "$(printf '\033')" "$T/log"
    grep -F '\""' "$T/log"
}
