#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# This machine's users and their system: root that fetches for somebody else, commands and their
# umask, a system without processes, descriptors or syslog.

load lib/common

# as_root: root, and a user who has no name, with a home below $T
as_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    ALICE=54321
    A=$T/alice
    mkdir "$A"
    chmod 755 "$BATS_RUN_TMPDIR" "$T" "$A"
    chown $ALICE:$ALICE "$A"
}

# as_alice COMMAND...
as_alice() {
    setpriv --reuid=$ALICE --regid=$ALICE --clear-groups "$@"
}

# owners FOLDER: the uids of all that is in it
owners() {
    find "$1" -printf '%U\n' | sort -u | tr '\n' ' '
}

@test "root: a Maildir below a user's home is made and filled as that user" {
    as_root
    tell m1
    popd_start
    popd_rc -maildir "maildir = \"$A/deep/Mail\"" 'keep = no'
    want 0
    silent
    [ "$(owners "$A")" = "$ALICE " ] || fail "belongs to $(owners "$A")"
    as_alice sh -c "cat '$A'/deep/Mail/new/*" >/dev/null
    tell m2
    want 0
    [ "$(ls "$A/deep/Mail/new" | wc -l)" -eq 2 ]
}

@test "root: an mbox below a user's home is appended to as that user, its state stays root's" {
    as_root
    tell m1
    popd_start
    popd_rc -maildir "mbox = \"$A/inbox\"" 'keep = no'
    want 0
    silent
    tell m2
    want 0
    [ "$(as_alice grep -c '^From ' "$A/inbox")" -eq 2 ]
    [ "$(owners "$A")" = "$ALICE " ] || fail "belongs to $(owners "$A")"
    [ "$(owners "$STATE")" = "0 " ] || fail "the state belongs to $(owners "$STATE")"
    [ "$(find "$A" -type f | wc -l)" -eq 1 ] || fail "more than the mbox: $(ls -a "$A")"
}

@test "root: a user's link leads nowhere that the user may not go" {
    as_root
    tell m1
    popd_start
    mkdir -p "$T/private/new" "$T/private/cur" "$T/private/tmp"
    : >"$T/private/mbox"
    chmod 700 "$T/private"
    ln -s "$T/private" "$A/Mail"
    ln -s "$T/private/mbox" "$A/inbox"
    ln -s "$T/private/made" "$A/made"
    local key
    for key in "maildir = \"$A/Mail\"" "maildir = \"$A/Mail/deep\"" "mbox = \"$A/inbox\"" \
        "mbox = \"$A/made\""; do
        popd_rc -maildir "$key"
        want 73
        one_line "$A"
        [ -z "$(find "$T/private" -type f -size +0)" ] || fail "$key was written to"
        [ ! -e "$T/private/made" ] && [ ! -e "$T/private/deep" ] || fail "$key made something"
        rm -rf "$STATE"
    done
    [ "$(connections)" -eq 0 ]
}

@test "root: a user's own link to a place of the same user is followed" {
    as_root
    tell m1
    popd_start
    mkdir "$T/disk"
    chown $ALICE:$ALICE "$T/disk"
    ln -s "$T/disk" "$A/Mail"
    chown -h $ALICE:$ALICE "$A/Mail"
    popd_rc -maildir "maildir = \"$A/Mail\""
    want 0
    [ "$(owners "$T/disk")" = "$ALICE " ] || fail "belongs to $(owners "$T/disk")"
}

@test "root: a link of root's that leads to a user's home counts as the home" {
    as_root
    tell m1
    popd_start
    ln -s "$A" "$T/link"
    popd_rc -maildir "maildir = \"$T/link/Mail\""
    want 0
    [ "$(owners "$A/Mail")" = "$ALICE " ] || fail "belongs to $(owners "$A/Mail")"
}

@test "root: root's own folders stay root's" {
    as_root
    tell m1
    popd_start
    popd_rc
    want 0
    [ "$(owners "$MD")" = "0 " ] || fail "belongs to $(owners "$MD")"
}

@test "Status lines of a message go into the mbox as they came" {
    tell m1 'Subject: x\nStatus: RO\nX-Status: D\n\nbody\n'
    popd_start
    popd_rc -maildir "mbox = \"$H/inbox\""
    want 0
    grep -q '^Status: RO$' "$H/inbox"
    grep -q '^X-Status: D$' "$H/inbox"
}

# commands_rc COMMAND [LINE...]
commands_rc() {
    local command=$1
    shift
    popd_rc -maildir "mda = '$command'" "$@"
}

@test "an address that begins with a dash does not reach the command" {
    tell m1 'From: -froot@example.com\nTo: -be\n\nbody\n'
    tell m2 'From: a@example.com\nDelivered-To: <-X/tmp/log@example.com>\n\nbody\n'
    tell m3 'Return-Path: <-t>\nFrom: b@example.com\nTo: "-be" <c@example.com>\n\nbody\n'
    popd_start
    commands_rc "cat >/dev/null; printf \"[%s][%s]\\n\" \"\$FETCHPOP_SENDER\" \"\$FETCHPOP_RECIPIENT\" >>$T/got"
    want 0
    [ "$(cat "$T/got")" = '[][]
[a@example.com][]
[][c@example.com]' ] || fail "$(cat "$T/got")"
}

@test "commands have the umask that fetchpop was started with" {
    tell m1
    popd_start
    commands_rc "umask >$T/umask; cat >$T/mail" -password "password_command = 'umask >$T/umask-password; echo secret'"
    umask 007
    want 0
    umask 022
    [ "$(cat "$T/umask" "$T/umask-password" | sort -u)" = 0007 ] ||
        fail "$(head "$T/umask" "$T/umask-password")"
    [ "$(stat -c %a "$T/mail")" = 660 ]
    [ "$(stat -c %a "$STATE")" = 700 ] || fail "but not fetchpop's own folder"
}

@test "a command that reads nothing of its message and exits with 0 is reported each time" {
    tell m1
    popd_start
    commands_rc 'false | cat >/dev/null'
    want 0
    one_line "nobody has read the message .*pipefail"
    tell m2
    want 0
    one_line "nobody has read the message"
    commands_rc 'head -c 1 >/dev/null'
    tell m3
    want 0
    silent
    commands_rc 'cat /dev/stdin >/dev/null'
    tell m4
    want 0
    silent
}

@test "bash -o pipefail: what the filter did not pass on is not delivered" {
    tell m1
    popd_start
    commands_rc "bash -o pipefail -c \"cat >/dev/null; exit 69 | cat >$T/got\"" 'keep = no'
    want 65
    [ "$(box_count)" -eq 1 ]
}

# limited LIMIT ARG...: with ulimit LIMIT, as nobody
limited() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    chmod 755 "$BATS_RUN_TMPDIR" "$T"
    chmod 777 "$H"
    chown 65534 "$RC"
    local limit=$1
    shift
    run --separate-stderr timeout -k 5 20 setpriv --reuid=65534 --regid=65534 --clear-groups \
        bash -c "$limit && exec env -i PATH=\"$PATH\" HOME=\"$H\" \"\$0\" \"\$@\"" "$FETCHPOP" "$@" 3>&- 4>&-
}

@test "without a process or a descriptor left it ends at once with 71" {
    tell m1
    popd_start
    popd_rc
    local limit
    for limit in 'ulimit -u 1' 'ulimit -n 4'; do
        limited "$limit"
        [ "$status" -eq 71 ] || fail "$limit: exit status $status"
        [ "$(errors | wc -l)" -eq 1 ] || fail "$limit: not one line"
    done
    local n=4
    while [ "$status" -ne 0 ] && [ $((n += 1)) -lt 40 ]; do
        limited "ulimit -n $n"
        [ "$status" -eq 0 ] || [ "$status" -eq 71 ] || fail "$n descriptors: exit status $status"
    done
    [ "$(count)" -eq 1 ]
}

@test "the command that cannot be started for want of processes: 71, and no message is counted" {
    tell m1
    popd_start
    commands_rc "cat >$T/got"
    # One process for the worker, none for its command.
    limited 'ulimit -u 2'
    [ "$status" -eq 71 ] || fail "exit status $status"
    limited true --status
    [ "$status" -eq 0 ] && [[ $output != *failing* ]] || fail "a try was counted"
}

@test "process 1 collects what commands leave behind" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    unshare -pf --mount-proc true 2>/dev/null || skip "needs pid namespaces"
    tell m1
    popd_start
    commands_rc 'cat >/dev/null; (sleep 0.1 &)' 'keep = yes'
    env -i PATH="$PATH" HOME="$H" unshare -pf --mount-proc --kill-child "$FETCHPOP" -d 1 \
        >/dev/null 2>&1 3>&- 4>&- &
    local outer=$! init i zombies
    PIDS+=("$outer")
    for i in $(seq 100); do [ ! -s "$PLOG/log" ] && [ "$(connections)" -lt 3 ] || break; sleep 0.1; done
    init=$(pgrep -P "$outer")
    zombies=$(ps -o stat= --ppid "$init" | grep -c Z || :)
    kill -TERM "$init"
    wait "$outer"
    [ "$zombies" -eq 0 ] || fail "$zombies zombies"
    [ "$(connections)" -ge 3 ] || fail "not polled three times"
}

@test "-L - and -L /dev/stdout log to standard output, and make no file" {
    tell m1
    popd_start
    popd_rc
    cd "$T"
    want 0 -L -
    [[ $output == *' note: a: 1 new'* ]] || fail "no log"
    [ -z "$stderr" ] && [ ! -e "$T/-" ] || fail "a file, or a line on standard error"
    tell m2
    want 0 --logfile=/dev/stdout
    [[ $output == *' note: a: 1 new'* ]] || fail "no log"
    want 64 -L - --json
    one_line 'standard output'
}

@test "without a syslog its lines go to standard error" {
    [ ! -e /dev/log ] || skip "there is a syslog"
    popd_start 'set password other'
    popd_rc
    want 77 --syslog
    [[ $stderr == *"nobody listens to syslog"*"error: a: "* ]] || fail "the error is lost"
}

@test "a variable that the configuration file does not replace is an error, and no folder" {
    popd_start
    local path
    for path in '"$HOME/Mail"' "'\${HOME}/Mail'" '"/var/mail/$USER"'; do
        popd_rc -maildir "maildir = $path"
        want 78
        one_line '\$\{HOME\}.*~/'
    done
    popd_rc -maildir 'maildir = "${HOME}/Mail"'
    want 0
    [ -z "$(find "$H" -name '*$*')" ]
    popd_rc -maildir 'maildir = "~/5$ a month$"'
    want 0
    [ -d "$H/5\$ a month\$/new" ]
}

@test "a second state folder for one Maildir is reported under cron" {
    tell m1
    popd_start
    popd_rc
    FP_ENV=(XDG_STATE_HOME="$H/other")
    want 0
    silent
    FP_ENV=()
    want 0
    [[ $stderr == *"has this mailbox's mail"*state_dir* ]] || fail "not reported"
    want 0
    silent
}

# acl FILE UID: the owner and that user may read it, nobody else
acl() {
    python3 - "$1" "$2" <<'P'
import os, struct, sys
rows = [(1, 4, 2**32 - 1), (2, 4, int(sys.argv[2])), (4, 0, 2**32 - 1), (16, 4, 2**32 - 1),
        (32, 0, 2**32 - 1)]
os.setxattr(sys.argv[1], "system.posix_acl_access",
            struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows))
P
}

@test "the state folder of another user is refused; no link in one leads us to a file of ours" {
    as_root
    tell m1
    popd_start
    popd_rc -maildir "maildir = \"$A/Mail\""
    cp "$RC" "$A/rc" && chown $ALICE "$A/rc"
    mkdir "$T/other" && chmod 777 "$T/other" && chown 54322 "$T/other"
    run --separate-stderr as_alice env -i PATH="$PATH" HOME="$A" "$FETCHPOP" -f "$A/rc" --state-dir "$T/other"
    [ "$status" -eq 73 ] || fail "$status: $stderr"
    one_line 'state folder .* belongs to another user'
    [ "$(ls "$T/other")" = "" ] || fail "something was made there"
    mkdir "$T/mine" && chown $ALICE "$T/mine"
    echo precious >"$A/precious" && chown $ALICE "$A/precious"
    ln -s "$A/precious" "$T/mine/id"
    run --separate-stderr as_alice env -i PATH="$PATH" HOME="$A" "$FETCHPOP" -f "$A/rc" --state-dir "$T/mine"
    [ "$status" -eq 73 ] || fail "$status: $stderr"
    [ "$(cat "$A/precious")" = precious ]
}

@test "a credential that its ACL opens, or root's, is no warning; one for a group is" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    tell m1
    popd_start
    echo secret >"$T/pw"
    acl "$T/pw" 54321 2>/dev/null || skip "no ACLs here"
    [ "$(stat -c %a "$T/pw")" = 440 ] || fail "the mode does not show the mask"
    popd_rc -password "password_file = \"$T/pw\""
    want 0
    silent
    rm "$T/pw"
    echo secret >"$T/pw"
    chown 0:0 "$T/pw"
    chmod 440 "$T/pw"
    want 0
    silent
    chown 54321:54321 "$T/pw"
    want 0
    one_line 'others can read'
    acl "$T/pw" 54322
    setfattr -x system.posix_acl_access "$T/pw" 2>/dev/null || python3 -c 'import os, sys
os.removexattr(sys.argv[1], "system.posix_acl_access")' "$T/pw"
    chmod 404 "$T/pw"
    want 0
    one_line 'others can read'
}

@test "--retry reports what is wrong with the journal that it opens" {
    tell m1
    popd_start
    popd_rc
    want 0
    local journal
    journal=$(ls "$STATE"/*.journal 2>/dev/null | head -1)
    [ -n "$journal" ] || journal=$(grep -l m1 "$STATE"/* | head -1)
    echo junk >"$journal"
    want 65 --retry all
    [[ $stderr == *".bad"* ]] || fail "the journal was moved aside in silence"
}
