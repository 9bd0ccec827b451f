#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Moving in: what fetchmail, mpop, getmail and fdm have fetched is not fetched again, and what they
# have not is not missed. Each of them writes its list itself, in a session with Dovecot.

load lib/common
load lib/dovecot
load lib/moving

setup_file() {
    local user
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    for user in fm mp gm fd li no wh ca ne st; do
        dovecot_user "$user" secret
    done
}

teardown_file() {
    dovecot_stop
}

# mail NUMBER...: messages arrive in the mailbox of $WHO
mail() {
    local n box=$DOVE/mail/$WHO/Maildir/new
    for n; do
        printf 'From: a@example.com\nMessage-ID: <%s@x>\nDate: %s\nSubject: number %s\n\nbody %s\n' \
            "$n" "$(date -u -R -d "2026-10-01 +$n days")" "$n" "$n" >"$box/160000000$n.m$n.x"
        if [ "$(id -u)" -eq 0 ]; then chown "$DOVE_UID:$DOVE_GID" "$box/160000000$n.m$n.x"; fi
    done
}

# box USER: a mailbox with three messages
box() {
    need_dovecot
    WHO=$1
    mail 1 2 3
    mkdir -p "$H/old/cur" "$H/old/new" "$H/old/tmp"
    chmod 700 "$H/old"
}

account() {
    dovecot_account work "$WHO" secret implicit "maildir = \"$MD\"" "$@" | rc
}

# had NUMBER...: the Maildir has exactly these messages
had() {
    local have want
    have=$(cat "$MD"/new/* 2>/dev/null | sed -n 's/^Subject: number //p' | sort | tr '\n' ' ')
    want=$(printf '%s\n' "$@" | sort | tr '\n' ' ')
    [ "$have" = "$want" ] || fail "there are: $have, wanted: $want"
}

# moved IN: the other program has had 1 2 3, of which its list knows; 4 and 5 come
moved() {
    [ "$(cat "$H"/old/new/* | grep -c '^Subject: number')" -eq 3 ] || fail "it fetched something else: $(cat "$T/out")"
    mail 4 5
}

# --- the four -------------------------------------------------------------------------------------

@test "fetchmail's .fetchids: nothing comes twice, nothing is missing" {
    need fetchmail
    box fm
    cat >"$H/.fetchmailrc" <<END
poll localhost proto pop3 port $DOVE_POP3S uidl:
    user fm pass secret ssl sslcertck sslcertfile $DOVE_CA keep
    mda "cat >\$(mktemp $H/old/new/XXXXXX)"
END
    chmod 600 "$H/.fetchmailrc"
    theirs fetchmail -f "$H/.fetchmailrc" >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    moved
    account
    want 0 --import-seen fetchmail "$H/.fetchids"
    [ "$output" = "work: 3 taken over as fetched, 0 known before" ] || fail "not told so"
    want 0
    had 4 5
    want 0
    had 4 5
}

@test "mpop's UIDLs: nothing comes twice, nothing is missing" {
    need mpop
    box mp
    cat >"$H/.mpoprc" <<END
account a
host localhost
port $DOVE_POP3S
tls on
tls_starttls off
tls_trust_file $DOVE_CA
user mp
password secret
keep on
delivery maildir $H/old
END
    chmod 600 "$H/.mpoprc"
    theirs mpop -C "$H/.mpoprc" a >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    moved
    account
    want 0 --import-seen mpop "$H/.mpop_uidls/mp_at_localhost" work
    [ "$output" = "work: 3 taken over as fetched, 0 known before" ] || fail "not told so"
    want 0
    had 4 5
}

@test "getmail's oldmail: nothing comes twice, nothing is missing" {
    need getmail
    box gm
    outside getmail
    cat >"$home/getmailrc" <<END
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = $DOVE_POP3S
username = gm
password = secret
ca_certs = $DOVE_CA
[destination]
type = Maildir
path = $home/old/
[options]
read_all = false
END
    theirs_outside getmail -g "$home" >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    moved
    account
    want 0 --import-seen getmail "$home/oldmail-localhost-$DOVE_POP3S-gm"
    [ "$output" = "work: 3 taken over as fetched, 0 known before" ] || fail "not told so"
    want 0
    had 4 5
}

@test "fdm's cache: nothing comes twice, nothing is missing" {
    need fdm
    box fd
    outside fdm
    cat >"$home/.fdm.conf" <<END
set lock-file "$home/lock"
action "in" maildir "$home/old"
account "a" pop3 server "localhost" port $DOVE_POP3 user "fd" pass "secret"
    new-only cache "$home/.fdm.cache" no-apop keep
match all action "in"
END
    chmod 600 "$home/.fdm.conf"
    theirs_outside fdm -f "$home/.fdm.conf" fetch >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    moved
    account
    want 0 --import-seen fdm "$home/.fdm.cache"
    [ "$output" = "work: 3 taken over as fetched, 0 known before" ] || fail "not told so"
    want 0
    had 4 5
}

# --- the list -------------------------------------------------------------------------------------

@test "a list of UIDLs, one a line; taken over twice it is the same" {
    box li
    account
    wire li secret implicit uidls | sed -n 's/^[0-9][0-9]* //p' | head -n 2 >"$T/list"
    [ "$(wc -l <"$T/list")" -eq 2 ] || fail "the test's own list: $(cat "$T/list")"
    want 0 --import-seen uidl "$T/list"
    [ "$output" = "work: 2 taken over as fetched, 0 known before" ] || fail "not told so"
    want 0 --import-seen uidl "$T/list"
    [ "$output" = "work: 0 taken over as fetched, 2 known before" ] || fail "not told so"
    want 0
    had 3
}

@test "what was taken over stays on the server with keep = no, and -F deletes it" {
    box no
    account 'keep = "no"'
    wire no secret implicit uidls | sed -n 's/^[0-9][0-9]* //p' | head -n 2 >"$T/list"
    want 0 --import-seen uidl "$T/list"
    want 0
    had 3
    [ "$(wire no secret implicit uidls | grep -c .)" -eq 2 ] || fail "not 2 are left"
    want 0 -F
    [ "$(wire no secret implicit uidls | grep -c .)" -eq 0 ] || fail "something is left"
    had 3
}

@test "size and header are learnt: another message under an old UIDL is fetched" {
    tell m1
    popd_start 'set uidl 1 same'
    popd_rc
    echo same >"$T/list"
    want 0 --import-seen uidl "$T/list"
    want 0
    [ "$(count)" -eq 0 ] || fail "something was fetched"
    popd_stop
    rm "$MB/m1"
    tell m2 'Subject: quite another one\nMessage-ID: <m2@example.org>\n\nand longer than the first\n'
    popd_again 'set uidl 1 same'
    want 0
    [ "$(count)" -eq 1 ] || fail "the other message is missed"
}

@test "whose the list is has to be said, and the wrong one is told" {
    box wh
    printf '%s\n' 'other@pop.example.com 0001' >"$T/ids"
    account
    want 78 --import-seen fetchmail "$T/ids"
    one_line 'nothing of wh@localhost, but some of other@pop\.example\.com'
    want 64 --import-seen uidl
    one_line 'needs the file with the list'
    want 64 --import-seen outlook "$T/ids"
    one_line 'fetchmail, mpop, getmail, fdm or uidl, not "outlook"'
    want 78 --import-seen uidl "$T/none"
    one_line 'No such file'
    { dovecot_account one wh secret implicit "maildir = \"$MD\"" &&
        dovecot_account two li secret implicit "maildir = \"$MD\""; } | rc
    want 64 --import-seen uidl "$T/ids"
    one_line 'name one account'
}

@test "a list of another program, or of none, is refused by its line, and nothing is taken over" {
    popd_rc
    printf 'alice@127.0.0.1 m1\nalice@127.0.0.1 m2\n' >"$T/fetchmail"
    printf '# by mpop\n 2 127.0.0.1 alice\nm1\nm2\n' >"$T/mpop"
    printf 'm1\0001795000000\nm2\0001795000000\n' >"$T/getmail"
    printf '2 m1\n2 m2\n' >"$T/fdm"
    printf 'm1\n\nFrom: x y\n' >"$T/uidl"
    local list format
    for list in fetchmail mpop getmail fdm uidl; do
        for format in fetchmail mpop getmail fdm uidl; do
            [ "$list" != "$format" ] || [ "$list" = uidl ] || continue
            run --separate-stderr fp --import-seen "$format" "$T/$list" a
            [ "$status" -eq 78 ] || fail "$list as $format: status $status, $output"
            one_line "line [1-3] does not belong in a list of $format; check the file"
        done
    done
    run --separate-stderr fp --import-seen uidl "$T/uidl" a
    one_line 'line 3 does not belong'
    want 0 --import-seen getmail "$T/getmail" a
    [ "$output" = "a: 2 taken over as fetched, 0 known before" ] || fail "something was known"
}

@test "fetchmail's users are the same in any case; one spelled otherwise is told what to do" {
    popd_rc
    printf 'ALICE@127.0.0.1 m1\n' >"$T/ids"
    want 0 --import-seen fetchmail "$T/ids"
    printf 'alice@example.com@pop.example.com m1\n' >"$T/ids"
    want 78 --import-seen fetchmail "$T/ids"
    one_line 'but some of alice@example.com@pop.example.com; if that is it, --import-seen uidl takes'
}

# --- catching up ----------------------------------------------------------------------------------

@test "--catch-up marks all that is there, and fetches nothing" {
    box ca
    account
    want 0 --catch-up work
    [ "$output" = "work: 3 marked as fetched, 0 left to be fetched" ] || fail "not told so"
    [ "$(count)" -eq 0 ] || fail "something was fetched"
    mail 4
    want 0
    had 4
    [ "$(wire ca secret implicit uidls | grep -c .)" -eq 4 ] || fail "something was deleted"
}

@test "--catch-up with --newest leaves so many, with --since those of that day and later" {
    box ne
    account
    want 0 --catch-up --newest 1 work
    [ "$output" = "work: 2 marked as fetched, 1 left to be fetched" ] || fail "not told so"
    want 0
    had 3
    rm -rf "$STATE" "$MD"
    want 0 --catch-up --since 2026-10-03 work
    [ "$output" = "work: 1 marked as fetched, 2 left to be fetched" ] || fail "not told so"
    want 0
    had 2 3
    rm -rf "$STATE" "$MD"
    want 0 --catch-up --since 1s work
    [ "$output" = "work: 3 marked as fetched, 0 left to be fetched" ] || fail "not told so"
}

@test "--catch-up needs an account, and its wishes a --catch-up" {
    popd_rc
    want 64 --catch-up
    one_line 'needs the title of an account'
    want 64 --newest 3
    one_line 'go with --catch-up'
    want 64 --catch-up --since yesterday a
    one_line 'a day such as 2026-11-28'
    want 64 --catch-up --since 2026-02-30 a
    one_line 'a day such as 2026-11-28'
}

# --- to another machine ---------------------------------------------------------------------------

@test "--export-state and --import-state: another state folder, another name, and nothing twice" {
    box st
    account
    want 0
    had 1 2 3
    want 0 --export-state work
    printf '%s\n' "$output" >"$T/carried"
    ! grep -q -e secret -e "$MD" "$T/carried" || fail "it tells too much"
    mail 4
    maildir_clear
    run --separate-stderr fp --state-dir "$T/new" --import-state work <"$T/carried"
    [ "$status" -eq 0 ] && [ "$output" = "work: 3 messages taken in" ] || fail "not taken in"
    want 0 --state-dir "$T/new"
    had 4
    maildir_clear
    dovecot_account work "$WHO" secret implicit "maildir = \"$MD\"" |
        sed 's/"localhost"/"127.0.0.1"/; s/^}/    tls_server_name = "localhost"\n}/' | rc
    run --separate-stderr fp --state-dir "$T/other" --import-state work <"$T/carried"
    [ "$status" -eq 0 ] || fail "not taken in"
    want 0 --state-dir "$T/other"
    had 4
}

@test "--import-state takes in nothing that is damaged, and no second journal" {
    popd_rc
    local text
    for text in '' 'hello' ; do
        run --separate-stderr fp --import-state a <<<"$text"
        [ "$status" -eq 78 ] || fail "status $status"
        one_line 'not the output of --export-state'
    done
    tell m1
    popd_start
    popd_rc
    want 0
    want 0 --export-state a
    printf '%s\n' "$output" >"$T/carried"
    run --separate-stderr fp --import-state a <"$T/carried"
    [ "$status" -eq 73 ] || fail "status $status"
    [[ $stderr == "fetchpop: a: "*"is there already; move it away first" ]] || fail "not told"
    sed '2s/done/gone/' "$T/carried" >"$T/broken"
    run --separate-stderr fp --state-dir "$T/new" --import-state a <"$T/broken"
    [ "$status" -eq 78 ] || fail "status $status"
    one_line 'line 2 is damaged'
    [ -z "$(find "$T/new" -name '*.journal' 2>/dev/null)" ] || fail "something was written"
    want 64 --export-state
}
