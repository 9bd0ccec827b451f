#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A look into the mailbox: --list, --show, --fetch, --delete.

load lib/common

# mail NAME DATE FROM SUBJECT
mail() {
    tell "$1" "Date: $2\nFrom: $3\nSubject: $4\nMessage-ID: <$1@example.org>\n\nbody of $1\n"
}

three() {
    mail m1 'Sat, 28 Nov 2026 10:05:00 +0100' '=?UTF-8?Q?J=C3=BCrgen?= <j@example.org>' \
        '=?ISO-8859-1?Q?Gr=FC=DFe?=\n =?UTF-8?B?IQ==?='
    mail m2 'Fri, 27 Nov 2026 09:00:00 +0000' 'bob@example.org' 'second'
    mail m3 'Thu, 26 Nov 2026 08:00:00 +0000' 'Carol <c@example.org>' 'third'
}

@test "--list: number, date, size, state, sender, subject, UIDL; by TOP in one go; nothing changes" {
    three
    popd_start
    popd_rc
    FP_ENV=(LC_ALL=C.UTF-8)
    want 0 --list
    [ "${lines[0]}" = '    1 2026-11-28 10:05   186 B new     Jürgen               Grüße! m1' ] ||
        fail "first row"
    [[ ${lines[1]} =~ ^'    2 2026-11-27 09:00 '.*' new     bob@example.org      second m2'$ ]] ||
        fail "second row"
    [ "${lines[3]}" = "a: 3 messages, 3 new" ] || fail "no sum"
    [ "$(sent_count '^TOP [123] 0')" -eq 3 ]
    [ "$(grep -c 'pipelined behind TOP' "$PLOG"/1.events)" -ge 2 ] || fail "not pipelined"
    [ ! -e "$MD" ] || [ "$(count)" -eq 0 ] || fail "mail was delivered"
    want 0 -B 1
    want 0 --list a
    [[ ${lines[0]} == *" kept "* && ${lines[1]} == *" new "* ]] || fail "not what is kept, and new"
    [ "${lines[3]}" = "a: 3 messages, 2 new" ] || fail "no sum"
}

@test "--list: in the charset of the locale, what that has not is a question mark" {
    three
    popd_start
    popd_rc
    want 0 --list
    [[ ${lines[0]} == *" J?rgen  "*"Gr??e! m1" ]] || fail "first row"
}

@test "--list of a server without TOP shows what LIST and UIDL say" {
    three
    popd_start 'set top no'
    popd_rc
    want 0 --list
    [[ ${lines[0]} =~ ^'    1 '.*' new '.*' m1'$ ]] || fail "first row"
    [ "$(sent_count '^TOP')" -eq 0 ]
    want 65 --show m1
    account_line 'no TOP, so the header cannot be shown alone; -a shows it all'
    want 0 --show m1 -a
    [[ $output == *"body of m1"* ]] || fail "not the message"
}

@test "--list: what failed, and what is held" {
    three
    popd_start 'on RETR 2: err "broken"'
    popd_rc 'max_tries = "2"'
    want 65
    want 0 --list
    [[ ${lines[0]} == *" kept "* && ${lines[1]} == *" failed "* && ${lines[2]} == *" kept "* ]] ||
        fail "not what failed"
    want 65 --force
    want 0 --list
    [[ ${lines[1]} == *" held "* ]] || fail "not what is held"
    [ "${lines[3]}" = "a: 3 messages, 0 new" ] || fail "no sum"
}

@test "--show: the header, all of it with -a, by number, too" {
    three
    popd_start
    popd_rc
    want 0 --show m2
    [[ $output == *"Subject: second"* && $output != *"body of"* ]] || fail "not the header"
    want 0 --show m2 -a
    fp --show m2 -a | cmp - "$MB/m2"
    want 0 --show 3
    [[ $output == *"Subject: third"* ]] || fail "not the third"
    want 65 --show nothing
    account_line 'no message on the server has the UIDL nothing; see --list'
}

@test "--fetch: this one, also if it was fetched before; the others stay new" {
    three
    popd_start
    popd_rc 'keep = "no"'
    want 0 -k --fetch m2
    [ "$(count)" -eq 1 ]
    grep -q -r 'body of m2' "$MD"
    want 0 -k --fetch m2
    [ "$(count)" -eq 2 ]
    [ "$(box_count)" -eq 3 ]
    want 0 --fetch m3
    [ "$(count)" -eq 3 ]
    [ "$(box_count)" -eq 2 ] || fail "keep = no counts for it, and for no other"
    want 65 --fetch nothing
    account_line 'no message on the server has the UIDL nothing; see --list'
    want 0
    grep -q -r 'body of m1' "$MD"
}

@test "--delete: not without an answer; --yes deletes, and the others stay" {
    three
    popd_start
    popd_rc
    want 0
    want 75 --delete m2
    account_line 'nothing was deleted; --yes answers the question'
    [ "$(box_count)" -eq 3 ]
    want 0 --delete m2 --yes
    [[ $output == *" second m2" ]] || fail "not told which"
    [ "$(ls "$MB" | tr '\n' ' ')" = "m1 m3 " ]
    [ "$(count)" -eq 3 ]
    want 0
    [ "$(count)" -eq 3 ]
    want 65 --delete m2 --yes
    account_line 'no message on the server has the UIDL m2'
}

# answers ANSWER: to the question of --delete m2, on a terminal
answers() {
    run env -i PATH="$PATH" HOME="$H" LC_ALL=C TERM=dumb "$LIB/talk.py" "$T/st" \
        'second.*\nDelete it from the server\? \[y/N\]' "$1" -- \
        timeout --foreground -k 5 60 "$FETCHPOP" --delete m2
    [[ $output != *"talk: never shown"* ]] || fail "it is not asked"
    status=$(cat "$T/st")
}

@test "--delete on a terminal: the message is shown, and only a yes deletes it" {
    three
    popd_start
    popd_rc
    local answer
    for answer in '' n ^C; do
        answers "$answer"
        [ "$status" -eq 75 ] || fail "status $status for '$answer'"
        [ "$(box_count)" -eq 3 ] || fail "deleted by '$answer'"
    done
    answers y
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(ls "$MB" | tr '\n' ' ')" = "m1 m3 " ] || fail "another one is gone"
}

@test "--delete: no +OK to QUIT is no deletion; a UIDL that two have is nobody's" {
    three
    popd_start 'on QUIT: err "no"'
    popd_rc
    want 75 --delete m2 --yes
    account_line 'did not confirm the deletion'
    popd_again 'set uidl m2 same' 'set uidl m3 same'
    want 65 --delete same --yes
    account_line '2 messages on the server have the UIDL same'
    [ "$(box_count)" -eq 3 ]
}

@test "with several accounts a UIDL needs the name of one; a wrong password is not tried twice" {
    popd_start 'on PASS: err "[AUTH] no"'
    {
        popd_account a
        popd_account b 'user = "bob"' "maildir = \"$H/B\""
    } | rc
    want 64 --show m1
    one_line 'a UIDL belongs to one account; name it behind the UIDL'
    want 77 a
    want 77 --show m1 a
    [ "$(sent_count '^PASS')" -eq 1 ] || fail "a refused password was tried again"
}
