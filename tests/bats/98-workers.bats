#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# 100 accounts on one Dovecot, 500 with FP_LONG. What crashes and hangs among many is in
# test_workers.py.

load lib/common
load lib/dovecot

N=100
[ -z "${FP_LONG:-}" ] || N=500

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    local i
    mkdir "$DOVE/corpus"
    for i in 1 2 3; do
        printf 'From: a@example.org\nSubject: %d\n\nbody %d\n' "$i" "$i" >"$DOVE/corpus/$i.M$i.h"
    done
    for ((i = 0; i < N; i++)); do
        mkdir -p "$DOVE/mail/u$i/Maildir/"{new,cur,tmp}
        cp -al "$DOVE/corpus/." "$DOVE/mail/u$i/Maildir/new/"
        echo "u$i:{PLAIN}pw$i" >>"$DOVE/users"
    done
    [ "$(id -u)" -ne 0 ] || chown -R "$DOVE_UID:$DOVE_GID" "$DOVE/mail"
}

teardown_file() {
    dovecot_stop
}

setup() {
    need_dovecot
    home_setup
}

# many KIND KEEP: N accounts; those of an mbox share one in groups of ten
many() {
    local i place
    echo "jobs = 16"
    echo "max_per_server = 16"
    printf 'defaults {\n    server = "localhost"\n    port = "%s"\n    tls_ca_file = "%s"\n' \
        "$DOVE_POP3S" "$DOVE_CA"
    printf '    keep = "%s"\n}\n' "$2"
    for ((i = 0; i < N; i++)); do
        place=$H/Mail/$i
        [ "$1" = maildir ] || place=$H/Mail/$((i / 10)).mbox
        printf 'account "u%d" {\n    user = "u%d"\n    password = "pw%d"\n    %s = "%s"\n}\n' \
            "$i" "$i" "$i" "$1" "$place"
    done
}

# counted: what the program left in each kind of place, "NUMBER WHAT" a line
state_kinds() {
    (cd "$STATE" && find . -mindepth 1 | sed -E 's,^\./[0-9a-zA-Z_@.%=+-]+\.([a-z]+)$,\1,' |
        sort | uniq -c | awk '{ print $1, $2 }')
}

fp_watched() {
    FETCHPOP="$LIB/brood.py" fp "$T/left" "$FETCHPOP" "$@"
}

nothing_left() {
    [ -e "$T/left" ] || fail "brood did not get to its end"
    [ ! -s "$T/left" ] || fail "processes were left: $(cat "$T/left")"
    [ -z "$(cd "$H" && find Mail -path '*/tmp/*')" ] || fail "something in tmp/"
    [ -z "$(find "$H" "$STATE" -type s -o -type p)" ] || fail "sockets or pipes were left"
    [ -z "$(find "$STATE" -type d -name spool -exec find {} -type f \;)" ] ||
        fail "spool files were left"
    # Beside its mailboxes' files the program makes none, in its home or for the moment.
    (cd "$T" && find . -mindepth 1 -maxdepth 3 -not -path './home/Mail/*' \
        -not -path './home/.local/*' -not -name 'separate-stderr-*') | sort >"$T/../elsewhere"
    diff - "$T/../elsewhere" <<<"$(printf '%s\n' ./box ./home ./home/.fetchpoprc ./home/.local \
        ./home/Mail ./left | sort)" || fail "files of nobody"
}

@test "many accounts, each into its Maildir: all is there, nothing is left, no lock is held" {
    FP_LIMIT=240
    many maildir yes | rc
    run --separate-stderr fp_watched
    stderr=$(head -5 <<<"$stderr")
    [ "$status" -eq 0 ] || fail "exit status $status"
    silent
    nothing_left
    wire u0 pw0 implicit digests >"$T/../want"
    local i
    for ((i = 0; i < N; i += 37)); do
        same "$T/../want" "$H/Mail/$i"
    done
    [ "$(find "$H"/Mail/*/new -type f | wc -l)" -eq $((3 * N)) ] || fail "not all is there"
    state_kinds >"$T/../kinds"
    grep -q "^$N journal$" "$T/../kinds" && grep -q "^$N lock$" "$T/../kinds" ||
        fail "the state folder: $(cat "$T/../kinds")"
    ! grep -v -E "^$N (journal|lock|note)$|^1 ./(id|spool)$" "$T/../kinds" || fail "and something else"

    # No lock is in its way, and there is nothing new.
    run --separate-stderr fp_watched
    stderr=$(head -5 <<<"$stderr")
    [ "$status" -eq 0 ] || fail "exit status of the second run: $status"
    silent
    nothing_left
    [ "$(find "$H"/Mail/*/new -type f | wc -l)" -eq $((3 * N)) ] || fail "something came twice"
    state_kinds | diff "$T/../kinds" - || fail "the state folder has changed"
}

@test "many accounts, ten writers to each mbox, deleted on the server" {
    FP_LIMIT=240
    mkdir "$H/Mail"
    many mbox no | rc
    run --separate-stderr fp_watched
    stderr=$(head -5 <<<"$stderr")
    [ "$status" -eq 0 ] || fail "exit status $status"
    silent
    nothing_left
    [ -z "$(find "$H/Mail" -name '*.lock')" ] || fail "dotlocks were left"
    [ "$(find "$H/Mail" -name '*.mbox' | wc -l)" -eq $((N / 10)) ]
    local i
    for i in 0 7 $((N / 10 - 1)); do
        "$TOOL" mbox "$H/Mail/$i.mbox" >"$T/../box"
        [ "$(wc -l <"$T/../box")" -eq 30 ] || fail "not all is in mbox $i"
        [ "$(sort -u "$T/../box" | wc -l)" -eq 3 ] || fail "mbox $i is torn"
    done
    for i in 0 $((N / 2)) $((N - 1)); do
        [ "$(wire "u$i" "pw$i" implicit count)" -eq 0 ] || fail "the server still has mail"
    done
    run --separate-stderr fp_watched
    stderr=$(head -5 <<<"$stderr")
    [ "$status" -eq 0 ] || fail "exit status of the second run: $status"
    silent
    nothing_left
}
