#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# k bad messages among n never stop the others; after max_tries they are held.

load lib/common

BAD=('on RETR 3: err "broken"' 'on RETR 7: err "broken too"')

@test "two bad among ten: eight delivered and deleted, the two named, 65" {
    tell_many 10
    popd_start "${BAD[@]}"
    popd_rc 'keep = "no"'
    want 65
    [ "$(count)" -eq 8 ]
    [ "$(ls "$MB" | tr '\n' ' ')" = "m003 m007 " ] || fail "on the server: $(ls "$MB")"
    [ "$(errors | grep -c m003)" -eq 1 ] || fail "m003 not named once"
    [ "$(errors | grep -c m007)" -eq 1 ] || fail "m007 not named once"
    tmp_empty
}

@test "without PIPELINING the same" {
    tell_many 10
    popd_start "${BAD[@]}" 'set pipelining no'
    popd_rc 'keep = "no"'
    want 65
    [ "$(count)" -eq 8 ]
    [ "$(box_count)" -eq 2 ]
}

@test "the next run does not begin by hitting the same wall" {
    tell_many 3
    popd_start 'on RETR 1: err "broken"'
    popd_rc
    want 65
    tell m004
    tell m005
    want 65
    [ "$(count)" -eq 4 ]
    local again
    again=$(for i in $(seq 2 "$(connections)"); do sent "$i" | grep '^RETR' | tr '\n' ' '; done)
    [[ $again == *"RETR 1 " ]] || fail "order: $again"
}

# others_come: with the popd that runs, whose m002 breaks each connection, two runs bring the other four
others_come() {
    tell_many 5
    popd_rc 'keep = "no"' 'max_tries = "3"' "$@"
    local i
    for i in 1 2; do
        want '65|75|76'
        tmp_empty
    done
    [ "$(count)" -eq 4 ] || fail "$(count) of 4"
    [ "$(ls "$MB")" = m002 ] || fail "on the server: $(ls "$MB")"
}

@test "a message that breaks the connection does not keep the others away, nor on the server" {
    popd_start 'on RETR =m002: send "+OK\r\nhalf"; close'
    others_come
    local i
    for i in 1 2 3 4 5; do want '0|65|75|76'; done
    [ "$status" -eq 0 ] || fail "not held in the end"
}

@test "a message whose end never comes: the same" {
    popd_start 'on RETR =m002: send "+OK\r\nhalf"; hang'
    others_come 'timeout = "1s"'
}

@test "max_tries: held, 65 in that run, 0 later, --status lists it, --retry releases it" {
    tell_many 3
    popd_start 'on RETR 2: err "broken for good"'
    popd_rc 'max_tries = "3"' 'keep = "yes"'
    want 65
    want 0 --status
    [[ $output == *m002* ]] || fail "a failing message is not listed"
    want 65
    want 65
    [[ $stderr == *m002* ]] || fail "not named when it is held"
    want 0
    silent
    [ "$(sent "$(connections)" | grep -c '^RETR')" -eq 0 ] || fail "a held message is tried again"
    local before
    before=$(connections)
    want 0 --status
    [[ $output == *m002* && $output == *"broken for good"* && $output == *"$(date -u +%Y)"* ]] ||
        fail "--status: which, why, since when"
    [[ $output != *m001* ]] || fail "--status lists what is fine"
    [ -z "$stderr" ]
    [ "$(connections)" -eq "$before" ] || fail "--status called the server"
    want 0 --retry m002
    want 65
    [ "$(sent $((before + 1)) | grep -c '^RETR')" -eq 1 ] || fail "not tried after --retry"
    popd_again
    want 0
    [ "$(count)" -eq 3 ]
    want 0 --status
    [[ $output != *m002* ]] || fail "still listed"
}

@test "--retry of an unknown UIDL says so" {
    popd_rc
    want '64|65|75|78' --retry nothing
    one_line 'held|nothing'
}

@test "-a tries held ones too, or leaves them; nothing is twice, nothing is lost" {
    tell_many 2
    popd_start 'on @1 RETR 2: err "broken"'
    popd_rc 'max_tries = "1"'
    want 65
    want 0
    [ "$(count)" -eq 1 ]
    want 0 --retry m002
    want 0
    [ "$(count)" -eq 2 ]
}

@test "a held message that is gone from the server is no trouble" {
    tell_many 2
    popd_start 'on RETR 2: err "broken"'
    popd_rc 'max_tries = "1"'
    want 65
    rm "$MB/m002"
    want 0
    silent
}

@test "refused by the command: max_tries counts, an outage does not" {
    tell_many 2
    popd_start
    popd_rc -maildir "mda = 'case \$FETCHPOP_UIDL in m002) exit \$(cat $T/code);; esac; cat >/dev/null'" \
        'max_tries = "2"'
    local i
    echo 75 >"$T/code"
    for i in 1 2 3; do
        want 75
    done
    echo 1 >"$T/code"
    want 65
    want 65
    tell m003
    want 65
    want 0
    want 0 --status
    [[ $output == *"held: UIDL m002"* ]]
    echo 0 >"$T/code"
    want 0 --retry m002
    want 0
    want 0 --status
    [[ $output != *m002* ]]
}

@test "over max_size: told once, with sizes, 0; a larger limit brings it" {
    tell m1
    { printf 'Subject: big\n\n'; head -c 30000 /dev/zero | tr '\0' 'x' | fold; echo; } >"$MB/m2"
    popd_start
    popd_rc 'max_size = "10K"' 'keep = "no"' 'max_tries = "2"'
    want 0
    one_line 'a: message 2 \(UIDL m2\): 31 kB, over the limit of 10 kB; it stays on the server$'
    [ "$(ls "$MB")" = m2 ]
    want 0
    silent
    want 0 --summary
    [ "$output" = "a: no new mail, 1 too large" ] || fail "not counted"
    popd_rc 'keep = "no"'
    want 0
    silent
    [ "$(box_count)" -eq 0 ]
    [ "$(count)" -eq 2 ]
}

@test "all refused in the same words: 75, told once, nothing deleted or counted" {
    tell_many 5
    popd_start 'on RETR: err "no"'
    popd_rc 'keep = "no"' 'max_tries = "1"'
    want 75
    [ "$(grep -c . <<<"$stderr")" -le 1 ] || fail "told for each"
    [ "$(box_count)" -eq 5 ]
    want 0 --status
    [[ $output != *held:* ]]
}

@test "all bad: 65, nothing deleted" {
    tell_many 3
    popd_start 'on RETR 1: err "no"' 'on RETR 2: err "never"' 'on RETR 3: err "not now"'
    popd_rc 'keep = "no"'
    want 65
    [ "$(box_count)" -eq 3 ]
    [ ! -d "$MD/new" ] || [ "$(count)" -eq 0 ]
    tmp_empty
}
