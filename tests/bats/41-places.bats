#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Destinations that are gone, mailboxes under another name, and when a message may be deleted.

load lib/common

# at DATE OPTION...: a run at noon of that day
at() {
    local library
    library=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
    [ -n "$library" ] || skip "no libfaketime"
    local day=$1
    shift
    FP_ENV=("LD_PRELOAD=$library" "FAKETIME=@$day 12:00:00")
    want 0 "$@"
}

# said TEXT: on standard error
said() {
    [[ $stderr == *"$1"* ]] || fail "not said: $1"
}

@test "a Maildir that was there and is gone is not made anew: 73, with the date" {
    tell_many 1
    popd_start
    popd_rc 'keep = "no"'
    want 0
    mv "$MD" "$MD.away"
    tell m011
    tell m012
    want 73
    account_line "is gone; it was there on $(date -u +%F)"
    [ ! -e "$MD" ] || fail "it was made anew"
    [ "$(box_count)" -eq 2 ]
    mkdir "$MD"
    want 73
    rmdir "$MD"
    mv "$MD.away" "$MD"
    want 0
    [ "$(count)" -eq 3 ] || fail "$(count) messages"
}

@test "an mbox that was there and is gone is not made anew; one made by hand is used" {
    popd_start
    popd_rc -maildir "mbox = \"$T/inbox\"" 'keep = "no"'
    want 0
    want 0
    tell_many 1
    want 0
    rm "$T/inbox"
    tell m011
    want 73
    account_line 'is gone'
    : >"$T/inbox"
    want 0
    [ "$(grep -c '^From ' "$T/inbox")" -eq 1 ]
}

@test "a server under another name: the journal goes on, nothing comes twice" {
    tell_many 3
    popd_start
    popd_rc
    want 0
    popd_rc 'server = "localhost"'
    want 0
    said 'was alice@127.0.0.1 before'
    [ "$(count)" -eq 3 ] || fail "$(count) messages"
    [ "$(sent_count 'TOP')" -eq 3 ] || fail "not compared by their headers"
    want 0
    [ "$(sent_count 'TOP')" -eq 3 ] || fail "compared once more"
}

@test "--retry leaves the name in the journal by which a renamed mailbox is found" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    want 65 --retry all
    popd_rc 'server = "localhost"'
    want 0
    said 'was alice@127.0.0.1 before'
    [ "$(count)" -eq 2 ] || fail "$(count) messages"
}

@test "another mailbox under the same title is not taken for the old one" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    for i in 1 2; do # the same UIDLs and sizes
        tell "m00$i" "Subject: M00$i\nMessage-ID: <M00$i@example.org>\n\nbody of M00$i\n"
    done
    popd_rc 'server = "localhost"'
    want 0
    [ "$(count)" -eq 4 ] || fail "$(count) messages"
}

@test "a mailbox that another account is called by keeps its journal" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    { popd_account a 'server = "localhost"' && popd_account b 'enabled = "no"'; } | rc
    want 0
    [ "$(count)" -eq 4 ] || fail "$(count) messages: the journal of b was taken"
}

@test "--rename gives a journal to an account with another title" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    popd_account c 'server = "localhost"' | rc
    want 65 --rename carol@127.0.0.1 c
    want 64 --rename alice@127.0.0.1
    want 0 --rename alice@127.0.0.1 c
    want 0
    [ "$(count)" -eq 2 ] || fail "$(count) messages"
    want 65 --rename alice@127.0.0.1 c
}

@test "-k leaves what it fetches to a later run, with keep = no" {
    tell_many 2
    popd_start
    popd_rc 'keep = "no"'
    want 0 -k
    [ "$(box_count)" -eq 2 ]
    want 0
    [ "$(box_count)" -eq 0 ] || fail "$(box_count) are still there"
    [ "$(count)" -eq 2 ]
}

@test "what -a asked for and did not deliver is fetched by the next run, and not deleted before" {
    tell_many 2
    popd_start
    popd_rc -maildir "mda = \"cat >>$T/out\""
    want 0
    rm "$T/out"
    want 75 -a -K -m 'exit 75'
    [ "$(box_count)" -eq 2 ]
    want 0
    [ "$(box_count)" -eq 2 ] || fail "deleted, though it was not delivered"
    [ "$(grep -c '^Subject: ' "$T/out")" -eq 2 ] || fail "not delivered again"
    want 0
    [ "$(grep -c '^Subject: ' "$T/out")" -eq 2 ] || fail "delivered once more"
}

@test "keep = 30d deletes what two polls on different days find old enough" {
    tell_many 1
    popd_start
    popd_rc 'keep = "30d"'
    at 2027-01-01
    at 2027-02-01
    at 2027-02-01
    [ "$(box_count)" -eq 1 ] || fail "deleted by the first look"
    at 2027-02-02
    [ "$(box_count)" -eq 0 ] || fail "not deleted by the second look"
}

@test "a clock that is ahead once deletes nothing, and is taken back" {
    tell_many 1
    popd_start
    popd_rc 'keep = "30d"'
    at 2027-01-01
    at 2037-01-01
    said 'the clock says 2037-01-01'
    tell m002
    at 2037-01-01
    at 2027-01-02
    said 'the clock says 2027-01-02, the last poll was on 2037-01-01'
    at 2027-01-03
    said 'taken back'
    [ "$(box_count)" -eq 2 ] || fail "$(box_count) messages"
    at 2027-02-10
    at 2027-02-11
    [ "$(box_count)" -eq 0 ] || fail "$(box_count) are never deleted"
}
