#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Delivery to a command: the contract, and the real procmail, maildrop and dovecot-lda.

load lib/common

# mda_rc COMMAND [LINE...]
mda_rc() {
    local command=$1
    shift
    popd_rc -maildir "mda = '$command'" "$@"
}

# got: a command that stores its input under a name of its own in $T/out
setup() {
    home_setup
    mkdir "$T/out"
    cat >"$T/store" <<END
#!/bin/sh
exec cat >"$T/out/\$FETCHPOP_UIDL"
END
    chmod +x "$T/store"
}

stored() {
    local f
    for f in "$T/out"/*; do
        [ ! -e "$f" ] || echo "$(sha256sum <"$f" | cut -d' ' -f1) $(stat -c %s "$f")"
    done | sort
}

@test "each message once, byte for byte, no From_ line" {
    tell m1
    tell m2 'no header, no end'
    tell m3 'A: b\n\nFrom x\n.\n\0\r\n'
    popd_start
    mda_rc "$T/store" 'keep = "no"'
    box_digests
    want 0
    silent
    diff "$T/want" <(stored)
    [ "$(box_count)" -eq 0 ]
    want 0
    diff "$T/want" <(stored)
}

@test "--mda for once; -m" {
    tell m1
    popd_start
    popd_rc
    want 0 --mda "$T/store"
    [ "$(stored | wc -l)" -eq 1 ]
    [ ! -d "$MD/new" ] || [ "$(count)" -eq 0 ]
    want 0 -m "$T/store" --state-dir "$T/s"
}

@test "exit 0 without reading is delivered" {
    { printf 'A: b\n\n'; head -c 300000 /dev/zero | tr '\0' 'x' | fold; } >"$MB/m1"
    popd_start
    mda_rc true 'keep = "no"'
    want 0
    silent
    [ "$(box_count)" -eq 0 ]
}

@test "75, 126, 127 and a signal: later, 75, and it does not count as a refusal" {
    local command
    tell_many 2
    for command in 'exit 75' 'exit 126' 'exit 127' 'kill -9 $$' 'kill -TERM $$'; do
        popd_start
        mda_rc "$command" 'keep = "no"' 'max_tries = "1"'
        want 75
        [ "$(box_count)" -eq 2 ] || fail "$command: deleted"
        [[ $(errors) == "fetchpop: a: "* ]] || fail "$command: nothing said"
        popd_stop
    done
    popd_start
    mda_rc "$T/store" 'keep = "no"'
    want 0
    [ "$(stored | wc -l)" -eq 2 ]
    [ "$(box_count)" -eq 0 ]
}

@test "other exit codes refuse this message only: 65, named, the others go on" {
    local code
    for code in 1 2 64 65 67 69 70 73 77 78 99 100 111 125; do
        rm -rf "$T/out"/* "$STATE"
        tell_many 3
        popd_start
        mda_rc "case \$FETCHPOP_UIDL in m002) exit $code;; esac; $T/store" 'keep = "no"'
        want 65
        [[ $stderr == *m002* ]] || fail "$code: not named"
        [ "$(ls "$MB")" = m002 ] || fail "$code: on the server: $(ls "$MB")"
        [ "$(stored | wc -l)" -eq 2 ]
        popd_stop
    done
}

@test "the environment" {
    tell m1 'Return-Path: <rp@example.org>\nDelivered-To: to@example.org\nFrom: f@example.org\nTo: x@example.org\n\nx\n'
    tell m2 'From: F <f2@example.org>\nTo: T <t2@example.org>\n\nx\n'
    tell m3 'From: $(touch '"$T"'/hacked) `touch '"$T"'/hacked` <a;touch '"$T"'/hacked>\n\nx\n'
    popd_start 'set uidl m3 "$(touch hacked)"'
    mda_rc "env >\"$T/env.\$FETCHPOP_SIZE\"; cat >/dev/null"
    want 0
    [ ! -e "$T/hacked" ]
    local f
    f=$T/env.$(stat -c %s "$MB/m1")
    grep -qx FETCHPOP_ACCOUNT=a "$f"
    grep -qx FETCHPOP_UIDL=m1 "$f"
    grep -qx FETCHPOP_SENDER=rp@example.org "$f"
    grep -qx FETCHPOP_RECIPIENT=to@example.org "$f"
    f=$T/env.$(stat -c %s "$MB/m2")
    grep -qx FETCHPOP_SENDER=f2@example.org "$f"
    grep -qx FETCHPOP_RECIPIENT=t2@example.org "$f"
    ! grep -q secret "$T"/env.* || fail "the password is in the environment"
}

@test "%F and %T are an error in the configuration file, with a hint" {
    local c
    for c in %F %T; do
        mda_rc "procmail -d $c"
        want 78
        one_line 'FETCHPOP_(SENDER|RECIPIENT)'
    done
}

@test "its own process group, standard input a file, no other descriptor" {
    tell m1
    popd_start
    mda_rc "ls -l /proc/self/fd >$T/fds; ps -o pgid=,pid= -p \$\$ >$T/group; cat >/dev/null"
    want 0
    read -r pgid pid <"$T/group"
    [ "$pgid" -eq "$pid" ] || fail "not a group of its own: $pgid $pid"
    [ "$(grep -c ' -> ' "$T/fds")" -le 4 ] || fail "open: $(cat "$T/fds")"
    ! grep -q socket "$T/fds" || fail "the connection is open in the command"
}

@test "its limit on descriptors is that of whoever started fetchpop, not the raised one" {
    local sandbox
    for sandbox in auto off; do
        rm -rf "$STATE"
        tell_many 2
        popd_start
        mda_rc "ulimit -S -n >>$T/limits; cat >/dev/null" "sandbox = $sandbox"
        ulimit -S -n 200
        want 0
        popd_stop
    done
    [ "$(sort "$T/limits" | uniq -c | tr -s ' ')" = " 4 200" ] || fail "$(cat "$T/limits")"
}

@test "the message is complete before the command starts" {
    tell_many 2
    popd_start 'on RETR 2: send "+OK\r\nA: half\r\n"; hang'
    mda_rc "$T/store" 'timeout = "1s"' 'keep = "no"'
    want 0 # the second connection has it under another number, whole
    [ -e "$T/out/m002" ]
    ! grep -r -q half "$T/out"
}

@test "what it writes to standard error is shown with the account's name and is no failure" {
    tell m1
    popd_start
    mda_rc 'echo all is well >&2; printf "\033[31m no end" >&2; echo to nowhere; cat >/dev/null' 'keep = "no"'
    want 0
    [[ $stderr == *"a: "*"all is well"* ]] || fail "not shown"
    [[ $stderr != *$'\033'* ]] || fail "raw control bytes"
    [ -z "$output" ] || fail "its standard output is shown"
    [ "$(box_count)" -eq 0 ]
}

@test "mda_timeout ends it and its group: 75" {
    tell m1
    popd_start
    mda_rc "sleep 77 & sleep 77" 'mda_timeout = "1s"' 'keep = "no"'
    local start=$SECONDS
    want 75
    [ $((SECONDS - start)) -le 10 ] || fail "took too long"
    [ "$(box_count)" -eq 1 ]
}

@test "a slow command is not hurried by a signal" {
    tell_many 2
    popd_start 'on RETR 2: sleep 1000'
    mda_rc "touch $T/begun; sleep 2; $T/store" 'keep = "no"' 'pipelining = "off"'
    start_fp
    wait_until 10 test -e "$T/begun"
    kill -TERM "$FP_PID"
    end_fp 15
    # 0 only if both were complete already, and so were delivered and deleted
    [ "$status" -eq 75 ] || [ "$status$(stored | wc -l)$(box_count)" = 020 ] ||
        fail "exit status $status"
    [ "$(stored | wc -l)" -ge 1 ] || fail "the command was not left to finish"
    want 0
    [ "$(stored | wc -l)" -eq 2 ]
    [ "$(box_count)" -eq 0 ]
}

@test "a command that does not exist is named, and nothing is lost" {
    tell m1
    popd_start
    mda_rc '/nonexistent/program -d alice' 'keep = "no"'
    want '73|75|78'
    [[ $(errors) == "fetchpop: a: "*/nonexistent/program* ]] || fail "not named"
    [ "$(errors | wc -l)" -le 2 ] || fail "too many lines"
    [ "$(box_count)" -eq 1 ]
    # where it is known beforehand, nobody is called
    [ "$status" -eq 75 ] || [ "$(connections)" -eq 0 ]
    popd_rc "pipe_through = 'no-such-filter -x'"
    want 78
    account_line '^fetchpop: a: pipe_through: no-such-filter: no such command; '
}

# three messages of well-behaved shape for real delivery agents
agents_box() {
    local i
    for i in 1 2 3; do
        tell "m$i" "Return-Path: <rp@example.org>\\nFrom: a@example.org\\nTo: b@example.org\\nSubject: n$i\\nMessage-ID: <$i@example.org>\\nDate: Mon, 1 Jan 2024 00:00:00 +0000\\n\\nbody $i\\n"
    done
}

# subjects FOLDER: of a Maildir
subjects() {
    find "$1" -path '*/new/*' -type f -exec grep -h '^Subject:' {} + | sort
}

THREE="Subject: n1
Subject: n2
Subject: n3"

@test "procmail" {
    need procmail
    agents_box
    popd_start
    mkdir -p "$T/procmail"
    printf 'SHELL=/bin/sh\nDEFAULT=%s/\nLOGFILE=%s\n' "$T/procmail" "$T/procmail.log" >"$T/procmailrc"
    chmod 600 "$T/procmailrc"
    mda_rc "procmail $T/procmailrc" 'keep = "no"'
    want 0
    [ "$(subjects "$T/procmail")" = "$THREE" ] || fail "not delivered: $(cat "$T/procmail.log")"
    [ "$(box_count)" -eq 0 ]
    # a recipe that refuses: EXITCODE
    agents_box
    printf 'SHELL=/bin/sh\nEXITCODE=77\nHOST=stop\n' >"$T/procmailrc"
    want '0|77' --state-dir "$T/s2"
    [ "$status" -eq 77 ] || fail "procmail's refusal was not seen"
    [ "$(box_count)" -eq 3 ]
}

@test "maildrop" {
    need maildrop
    agents_box
    popd_start
    mkdir -p "$T/maildrop/new" "$T/maildrop/cur" "$T/maildrop/tmp"
    printf 'to "%s"\n' "$T/maildrop" >"$T/filter"
    chmod 600 "$T/filter"
    mda_rc "maildrop $T/filter" 'keep = "no"'
    want 0
    [ "$(subjects "$T/maildrop")" = "$THREE" ] || fail "not delivered"
    [ "$(box_count)" -eq 0 ]
    # a folder that is missing is a temporary failure for maildrop: nothing is lost
    agents_box
    printf 'to "/nonexistent/folder/"\n' >"$T/filter"
    want 75 --state-dir "$T/s2"
    [ "$(box_count)" -eq 3 ]
}

@test "dovecot-lda" {
    local lda=/usr/lib/dovecot/dovecot-lda
    [ -x "$lda" ] || lda=$(command -v dovecot-lda) || skip "dovecot-lda is not installed"
    agents_box
    popd_start
    D=$(mktemp -d /tmp/fplda.XXXXXX)
    cat >"$D/conf" <<END
base_dir = $D/run
state_dir = $D/state
log_path = $D/log
ssl = no
first_valid_uid = 0
mail_location = maildir:$D/Maildir
postmaster_address = postmaster@example.org
hostname = localhost
END
    mkdir -p "$D/run" "$D/home"
    local as=
    if [ "$(id -u)" -eq 0 ]; then
        # for root it wants a running Dovecot to ask about users
        need setpriv
        as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
        chown -R nobody: "$D"
    fi
    mda_rc "HOME=$D/home USER=nobody $as $lda -c $D/conf" 'keep = "no"'
    run --separate-stderr fp
    local got log
    got=$(subjects "$D/Maildir")
    log=$(cat "$D/log" 2>/dev/null || true)
    rm -rf "$D"
    [ "$status" -eq 0 ] || fail "exit status $status: $log"
    [ "$got" = "$THREE" ] || fail "not delivered: $log"
    [ "$(box_count)" -eq 0 ]
}

@test "spool files are gone afterwards, but for what is kept" {
    tell_many 4
    popd_start
    mda_rc 'case $FETCHPOP_UIDL in m002) exit 1;; m003) exit 75;; esac; cat >/dev/null'
    want 65
    [ "$(grep -r -l 'body of' "$STATE/spool" | wc -l)" -eq 2 ] || fail "not two messages are kept"
    [ "$(grep -r -l 'body of' "$STATE" | wc -l)" -eq 2 ] || fail "text of a message is left in the state folder"
}
