#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Delivery to an mbox.

load lib/common

INBOX() {
    echo "$H/inbox"
}

mbox_rc() {
    popd_rc -maildir "mbox = \"$(INBOX)\"" "$@"
}

# holds FILE: the mbox holds exactly the multiset of digests in FILE
holds() {
    diff "$1" <("$TOOL" mbox "$(INBOX)") >&2 || fail "mbox and wire differ"
    [ ! -e "$(INBOX).lock" ] || fail "a dotlock is left"
}

odd_box() {
    tell m01 'Subject: plain\n\nbody\n'
    tell m02 'Subject: From\n\nFrom here\n>From there\n>>From far\n From no\nFrom\nFrom \n'
    tell m03 'no header, no end'
    tell m04 '\n'
    tell m05 'Subject: dots\n\n.\n..\nFrom \n.\n'
    tell m06 'From old@example.org Mon Jan  1 00:00:00 2024\nSubject: From_ line\n\nx\n'
    tell m07 'Subject: NUL\n\na\0b\nFrom \0\n'
    tell m08 'Subject: 8-bit\n\n\xff\xfe\n'
    tell m09 'Subject: blank lines last\n\nx\n\n\n\n'
}

@test "odd messages: quoted, each once, second run none, and made with mode 0600" {
    odd_box
    popd_start
    mbox_rc
    box_digests
    want 0
    silent
    holds "$T/want"
    [ "$(stat -c %a "$(INBOX)")" = 600 ]
    want 0
    holds "$T/want"
}

@test "keep = no: all in the mbox, the server empty" {
    odd_box
    popd_start
    mbox_rc 'keep = "no"'
    box_digests
    want 0
    holds "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "Python's mailbox module reads the messages" {
    tell_many 20
    popd_start
    mbox_rc
    want 0
    run python3 - "$(INBOX)" <<'END'
import mailbox, sys
box = mailbox.mbox(sys.argv[1], create=False)
for m in box:
    print(m["Subject"], m.get_payload().strip())
END
    [ "$(printf '%s\n' "$output" | sort)" = "$(for i in {001..020}; do echo "m$i body of m$i"; done)" ] ||
        fail "not readable"
}

@test "the From_ line: Return-Path, else From, else MAILER-DAEMON; UTC" {
    tell m1 'Return-Path: <rp@example.org>\nFrom: f@example.org\n\nx\n'
    tell m2 'From: "A (b) C" <f@example.org>\n\nx\n'
    tell m3 'Subject: none\n\nx\n'
    tell m4 'Return-Path: <>\nSubject: bounce\n\nx\n'
    tell m5 'From: f@example.org (comment)\n\nx\n'
    tell m6 'From: evil\x00\x1b[31m user@example.org\n\nx\n'
    popd_start
    mbox_rc
    box_digests
    want 0
    holds "$T/want"
    grep -a '^From ' "$(INBOX)" >"$T/from"
    grep -q '^From rp@example.org ' "$T/from"
    [ "$(grep -c '^From f@example.org ' "$T/from")" -ge 2 ] || fail "$(cat "$T/from")"
    [ "$(grep -c '^From MAILER-DAEMON ' "$T/from")" -ge 1 ]
    ! LC_ALL=C grep -q '[^ -~]' "$T/from" || fail "raw bytes in a From_ line"
    local now
    now=$(date -u '+%a %b %e %H:')
    [[ $(head -1 "$T/from") == *"$now"* || $(head -1 "$T/from") == *"$(date -u -d '1 minute ago' '+%a %b %e %H:')"* ]] ||
        fail "not now, in UTC: $(head -1 "$T/from")"
}

@test "appends to what is there and changes nothing of it" {
    printf 'From x Mon Jan  1 00:00:00 2024\nSubject: old\n\nold\n\n' >"$(INBOX)"
    cp "$(INBOX)" "$T/old"
    chmod 640 "$(INBOX)"
    tell_many 3
    popd_start
    mbox_rc
    want 0
    cmp <(head -c "$(stat -c %s "$T/old")" "$(INBOX)") "$T/old"
    [ "$("$TOOL" mbox "$(INBOX)" | wc -l)" -eq 4 ]
    [ "$(stat -c %a "$(INBOX)")" = 640 ] || fail "mode changed"
}

@test "an existing mbox whose last line has no end: the next From_ line still stands alone" {
    printf 'From x Mon Jan  1 00:00:00 2024\nSubject: old\n\nold, no end' >"$(INBOX)"
    tell m1
    popd_start
    mbox_rc
    want 0
    [ "$(grep -c '^From ' "$(INBOX)")" -eq 2 ] || fail "glued to the last line"
}

@test "an fcntl lock of another program is waited for" {
    tell_many 2
    popd_start
    mbox_rc
    : >"$(INBOX)"
    "$TOOL" fcntl "$(INBOX)" 2 >"$T/locked" 3>&- 4>&- &
    PIDS+=($!)
    wait_until 5 grep -q locked "$T/locked"
    start_fp
    sleep 1
    [ ! -s "$(INBOX)" ] || fail "written while another program held the lock"
    end_fp 15
    [ "$status" -eq 0 ] || fail "exit status $status"
    [ "$("$TOOL" mbox "$(INBOX)" | wc -l)" -eq 2 ]
}

@test "a fresh dotlock of another program is waited for" {
    tell_many 2
    popd_start
    mbox_rc
    echo "$$" >"$(INBOX).lock"
    start_fp
    sleep 1
    [ ! -s "$(INBOX)" ] || fail "written while another program held the lock"
    rm "$(INBOX).lock"
    end_fp 15
    [ "$status" -eq 0 ] || fail "exit status $status"
    [ "$("$TOOL" mbox "$(INBOX)" | wc -l)" -eq 2 ]
}

@test "a foreign dotlock that stays: 75 after the time limit, nothing lost, its file untouched" {
    tell_many 2
    popd_start
    mbox_rc 'keep = "no"' 'timeout = "2s"'
    box_digests
    echo foreign >"$(INBOX).lock"
    want 75
    account_line 'lock'
    [ "$(cat "$(INBOX).lock")" = foreign ]
    [ "$(box_count)" -eq 2 ]
    rm "$(INBOX).lock"
    want 0
    holds "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "a foreign dotlock older than ten minutes is removed" {
    tell m1
    popd_start
    mbox_rc
    echo foreign >"$(INBOX).lock"
    touch -d '2 hours ago' "$(INBOX).lock"
    want 0
    [ "$("$TOOL" mbox "$(INBOX)" | wc -l)" -eq 1 ]
    [ ! -e "$(INBOX).lock" ]
}

@test "the locks are not held while the network is slow" {
    tell_many 3
    popd_start 'on RETR 3: sleep 6000'
    mbox_rc
    : >"$(INBOX)"
    start_fp
    wait_until 10 saw 1 'RETR 3'
    sleep 0.3
    [ ! -e "$(INBOX).lock" ] || fail "dotlock held while waiting for the server"
    run timeout 4 "$TOOL" fcntl "$(INBOX)" 0
    [ "$status" -eq 0 ] || fail "fcntl lock held while waiting for the server"
    end_fp 15
    [ "$status" -eq 0 ]
}

@test "two accounts share one mbox, also at the same time" {
    tell_many 20
    mkdir "$T/box2"
    local i
    for i in {1..20}; do
        printf 'Subject: b%s\n\nother %s\n' "$i" "$i" >"$T/box2/b$i"
    done
    POPD_ARGS=(-u bob secret "$T/box2")
    popd_start 'on RETR: sleep 5'
    { popd_account a -maildir "mbox = \"$(INBOX)\""
      popd_account b -maildir "mbox = \"$(INBOX)\"" 'user = "bob"'; } | rc
    { "$TOOL" box "$MB"; "$TOOL" box "$T/box2"; } | sort >"$T/want"
    start_fp a
    want 0 b
    end_fp 20
    [ "$status" -eq 0 ]
    diff "$T/want" <("$TOOL" mbox "$(INBOX)" | sort)
}

@test "an mbox that is a folder: one line before any connection" {
    popd_start
    mkdir "$(INBOX)"
    mbox_rc
    want '73|74|78'
    account_line 'inbox'
    [ "$(connections)" -eq 0 ]
}

@test "an mbox in a folder that is missing or not writable: one line before any connection" {
    popd_start
    popd_rc -maildir 'mbox = "/proc/nowhere/inbox"'
    want '73|74|78'
    account_line '/proc/nowhere'
    [ "$(connections)" -eq 0 ]
}

@test "spool files are gone afterwards" {
    tell_many 5
    popd_start 'on RETR 4: err "no"'
    mbox_rc
    want 65
    [ "$(grep -r -l 'body of' "$STATE" | wc -l)" -eq 0 ] || fail "text of a message is left in the state folder"
}
