#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Secrets: where they come from, and all the places where they are never to be seen.

load lib/common
load lib/certs
load lib/oauth

SCAN=$BATS_TEST_DIRNAME/lib/secrets_scan.py
SECRET=tr0ub4dor-and-3

setup_file() {
    simple_tls
}

# clean TEXT...: none of these is in what was printed, in any form
clean() {
    local text form
    for text; do
        for form in "$text" "$(printf %s "$text" | base64)" "$(printf '\0alice\0%s' "$text" | base64)"; do
            ! grep -q -F -- "$form" <<<"$output$stderr" || fail "$text was shown"
        done
    done
}

# not_stored TEXT...: nor in the state folder, nor in the Maildir, nor left in TMPDIR
not_stored() {
    local text
    for text; do
        ! grep -r -q -a -F -- "$text" "$STATE" "$MD" "$H/.local" 2>/dev/null ||
            fail "$text is in $(grep -r -l -a -F -- "$text" "$STATE" "$MD" "$H/.local")"
    done
}

# family: the program and all its children
family() {
    local pid
    echo "$1"
    # shellcheck disable=SC2013
    for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        family "$pid"
    done
}

# end_family: all of it at once; what stalls would be waited for otherwise
end_family() {
    local pid
    for pid in $(family "$FP_PID"); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait "$FP_PID" 2>/dev/null || true
}

# --- where they are not ---------------------------------------------------------------------------

@test "command line and environment of every process, while a session is under way" {
    [ "$(id -u)" -eq 0 ] || skip "needs root: to others the program shows no environment at all"
    tell m1
    echo "$SECRET" >"$T/file"
    chmod 600 "$T/file"
    popd_start "set password \"$SECRET\"" 'on UIDL: stall'
    local key pid found n=0
    for key in "password = \"$SECRET\"" "password_command = \"cat $T/file\"" \
        "password_file = \"$T/file\""; do
        n=$((n + 1))
        popd_rc -password "$key"
        start_fp --state-dir "$T/s$n"
        wait_until 10 saw "$n" UIDL || fail "$(cat "$T/bg.err")"
        for pid in $(family "$FP_PID"); do
            found=$("$SCAN" outside "$pid" "$SECRET")
            [ -z "$found" ] || fail "$key: $found"
        done
        [ "$(family "$FP_PID" | wc -l)" -ge 2 ] || fail "no worker"
        end_family
    done
}

@test "-v: for every mechanism, the conversation without the secret in any form" {
    tell m1
    local way
    for way in PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 user; do
        more_popd "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256" "set password \"$SECRET\"" 'set plain-login yes'
        tls_rc "auth = \"$way\"" "password = \"$SECRET\""
        want 0 -v --state-dir "$T/s.$way"
        [[ $stderr == *RETR* ]] || fail "no conversation was shown"
        clean "$SECRET"
        popd_stop
    done
    echo "$SECRET" >"$T/token"
    for way in XOAUTH2 OAUTHBEARER; do
        more_popd "$way"
        tls_rc "auth = \"$way\"" -password "token_command = \"cat $T/token\""
        want 0 -v --state-dir "$T/s.$way"
        clean "$SECRET"
        popd_stop
    done
    not_stored "$SECRET"
}

@test "-v: nothing that a response is made of either (the base64 of SCRAM, CRAM-MD5, tokens)" {
    local way line
    echo "$SECRET" >"$T/token"
    for way in PLAIN CRAM-MD5 SCRAM-SHA-256; do
        rm -rf "$PLOG"
        more_popd "$way" "set password \"$SECRET\""
        tls_rc "auth = \"$way\"" "password = \"$SECRET\""
        want 0 -v --state-dir "$T/s.$way"
        sent | sed -n 's/^AUTH-DATA //p; s/^AUTH [^ ]* //p' >"$T/lines"
        [ -s "$T/lines" ] || fail "no response was sent"
        while read -r line; do
            [ "${#line}" -lt 8 ] || ! grep -q -F -- "$line" <<<"$output$stderr" ||
                fail "$way: a response is shown: $line"
        done <"$T/lines"
        popd_stop
    done
}

@test "a server that says the secret back, anywhere: it is blanked" {
    tell m1
    local where
    for where in "on USER: err \"$SECRET\"" "on PASS: err \"[AUTH] not $SECRET\"" \
        "on PASS: err \"$(printf %s "$SECRET" | base64)\"" \
        "on PASS: err \"$(printf '\0alice\0%s' "$SECRET" | base64)\"" \
        "on UIDL: err \"you are $SECRET\"" "on LIST: err \"[SYS/PERM] $SECRET\"" \
        "on RETR: err \"$SECRET\"" "on QUIT: err \"bye $SECRET\"" "on RETR: text \"$SECRET\\r\\n\"" \
        "on greeting: text \"+OK $SECRET\\r\\n\"; close"; do
        popd_start "set password \"$SECRET\"" "$where"
        popd_rc "password = \"$SECRET\"" 'keep = "no"'
        run --separate-stderr fp -v
        clean "$SECRET"
        popd_stop
        not_stored "$SECRET"
        rm -rf "$PLOG"
    done
}

@test "a command that says its own secret on standard error: log, note and status do not have it" {
    local ending
    for ending in true false; do
        rm -rf "$PLOG"
        popd_start "set password \"$SECRET\""
        popd_rc -password "password_command = 'set -x; echo \"$SECRET\"; $ending'"
        run --separate-stderr fp --force -L "$T/log"
        [ -s "$T/log" ] || fail "nothing is in the log"
        clean "$SECRET"
        ! grep -r -q -F -- "$SECRET" "$T/log" "$STATE" || fail "it is in the log or the state folder"
        grep -q -F 'echo' "$T/log" || fail "its words are not in the log: $(cat "$T/log")"
        popd_stop
    done
}

@test "a configuration file with a mistake in the line of the password does not show it" {
    local line
    for line in "password = \"$SECRET" "password = $SECRET $SECRET" "password \"$SECRET\"" \
        "pasword = \"$SECRET\"" "password = { \"$SECRET\", \"$SECRET\" }" \
        "proxy = \"socks5://u:$SECRET@\"" "proxy = \"socks5://u:$SECRET@h:x\""; do
        popd_rc -password "$line"
        want 78
        clean "$SECRET"
    done
}

@test "no core dump of any process that holds a secret" {
    tell m1
    popd_start "set password \"$SECRET\"" 'on UIDL: stall'
    popd_rc "password = \"$SECRET\""
    start_fp
    wait_until 10 saw 1 UIDL
    local pid
    for pid in $(family "$FP_PID"); do
        grep -q -E '^Max core file size +0 +0 ' "/proc/$pid/limits" ||
            fail "$(grep core "/proc/$pid/limits")"
    done
    end_family
    cd "$T"
    run "$SCAN" abort 1 env -i PATH="$PATH" HOME="$H" "$FETCHPOP" 2>"$T/abort.err"
    [[ $output == *processes* ]] || fail "$output"
    [[ $output != *core* ]] || fail "$output"
    [ "$(head -1 <<<"$output")" != "1 processes" ] || fail "no worker was there"
    [ -z "$(find "$T" "$H" -maxdepth 2 -name 'core*' -type f)" ] || fail "a core file"
}

@test "a worker's memory holds its own account's secrets only, and the parent's none" {
    local name n box=$MB
    [ "$(id -u)" -eq 0 ] || skip "needs root, to look into a process"
    [ -z "${ASAN_OPTIONS:-}" ] || skip "not under AddressSanitizer, whose own copies would be found"
    mkdir -p "$T/box2" "$T/box3"
    POPD_ARGS=(-u bob the-word-of-bob "$T/box2" -u carol the-word-of-carol "$T/box3")
    tell m1
    popd_start 'set password "the-word-of-alice"' 'on PASS: stall'
    printf 'machine elsewhere login nobody password the-word-of-netrc\n' >"$H/.netrc"
    printf 'machine 127.0.0.1 login dave password the-word-of-dave\n' >>"$H/.netrc"
    chmod 600 "$H/.netrc"
    { for name in alice bob carol; do
        popd_account "$name" "user = \"$name\"" "password = \"the-word-of-$name\"" \
            "maildir = \"$MD.$name\""
    done
        popd_account dave 'user = "dave"' -password "maildir = \"$MD.dave\""
        # as long as a configuration file may be: its blocks of memory are others then
        printf '# %01000d\n' $(seq 900)
    } | rc
    start_fp
    for n in 1 2 3 4; do
        wait_until 10 saw "$n" PASS || fail "$(cat "$T/bg.err")"
    done
    local pid found holds words=(the-word-of-alice the-word-of-bob the-word-of-carol
        the-word-of-dave the-word-of-netrc) seen=""
    for pid in $(family "$FP_PID" | tail -n +2); do
        found=$("$SCAN" memory "$pid" "${words[@]}")
        holds=$(grep -o 'the-word-of-[a-z]*' <<<"$found" | sort -u)
        [ "$(wc -w <<<"$holds")" -eq 1 ] || fail "worker $pid: $found"
        seen+="$holds "
    done
    # once every worker has its own, the parent has wiped them, in the text of the file too
    found=$("$SCAN" memory "$FP_PID" "${words[@]}")
    [ -z "$found" ] || fail "the parent: $found"
    # the control: the scan does find what is there, and each worker has another one
    end_family
    [ "$(tr ' ' '\n' <<<"$seen" | sed '/^$/d' | sort -u | wc -l)" -eq 4 ] || fail "found: $seen"
}

@test "a worker that asks a command for its secret does not know another's, nor does the command" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to look into a process"
    [ -z "${ASAN_OPTIONS:-}" ] || skip "not under AddressSanitizer, whose own copies would be found"
    popd_start
    { popd_account a -password "password_command = \"echo x >$T/started; env >$T/env; ls -l /proc/self/fd >$T/fds; sleep 60\""
        popd_account b 'user = "bob"' 'password = "the-word-of-bob"' \
            'proxy = "socks5://u:the-word-of-proxy@127.0.0.1:1"' "maildir = \"$MD.b\""
    } | rc
    start_fp
    wait_until 10 test -s "$T/fds" || fail "$(cat "$T/bg.err")"
    local pid found
    for pid in $(family "$FP_PID" | tail -n +2); do
        # what the command ran may have ended meanwhile
        found=$("$SCAN" memory "$pid" the-word-of-bob the-word-of-proxy 2>&1) || gone "$pid" ||
            fail "$found"
        [ -z "$(grep the-word <<<"$found")" ] || fail "process $pid: $found"
    done
    end_family
    ! grep -q the-word "$T/env" || fail "in the environment of the command"
    # 0, 1, 2 and the one that ls itself has opened
    [ "$(grep -c -- '->' "$T/fds")" -le 4 ] || fail "descriptors leak: $(cat "$T/fds")"
}

# --- where they come from -------------------------------------------------------------------------

@test "netrc: the host's, then default; wrong user is no match; others may not read it" {
    tell m1
    popd_start "set password \"$SECRET\""
    popd_rc -password
    printf 'machine 127.0.0.1 login bob password no\nmachine 127.0.0.1 login alice password %s\ndefault login alice password bad\n' \
        "$SECRET" >"$H/.netrc"
    chmod 600 "$H/.netrc"
    want 0 --state-dir "$T/s1"
    printf 'machine other login alice password no\ndefault login alice password %s\n' "$SECRET" >"$H/.netrc"
    want 0 --state-dir "$T/s2"
    chmod 644 "$H/.netrc"
    want 0 --state-dir "$T/s3"
    [[ $stderr == *netrc* ]] || fail "no warning about its mode"
    clean "$SECRET"
    printf 'machine 127.0.0.1 login bob password no\n' >"$H/.netrc"
    chmod 600 "$H/.netrc"
    want 78
    account_line
}

@test "CREDENTIALS_DIRECTORY: the file with the account's title, before netrc" {
    tell m1
    mkdir "$T/credentials"
    echo "$SECRET" >"$T/credentials/a"
    chmod 400 "$T/credentials/a"
    printf 'machine 127.0.0.1 login alice password no\n' >"$H/.netrc"
    chmod 600 "$H/.netrc"
    popd_start "set password \"$SECRET\""
    popd_rc -password
    FP_ENV=(CREDENTIALS_DIRECTORY="$T/credentials")
    want 0
    [ "$(count)" -eq 1 ]
    silent
    # a title that would lead out of the folder does not
    echo "$SECRET" >"$T/outside"
    popd_account '../outside' -password | rc
    rm "$H/.netrc"
    want 78
    clean "$SECRET"
}

@test "a prompt on the terminal: without echo, with user and server, and before the workers" {
    tell m1
    popd_start "set password \"$SECRET\""
    popd_rc -password
    run env -i PATH="$PATH" HOME="$H" LC_ALL=C TERM=dumb "$SCAN" prompt "$SECRET" "$T/st" \
        timeout --foreground 20 "$FETCHPOP"
    stderr=
    [ "$(cat "$T/st")" -eq 0 ] || fail "exit status $(cat "$T/st")"
    [[ $output == *"echo off"* ]] || fail "the terminal echoes"
    [[ $output == *alice*127.0.0.1* ]] || fail "whose password?"
    clean "$SECRET"
    [ "$(count)" -eq 1 ]
}

@test "no secret and no terminal: 77 or 78, and what to add to the configuration file" {
    popd_start
    popd_rc -password
    want 78
    account_line 'password_command|password_file'
    [ "$(connections)" -eq 0 ] || fail "the server was called"
}

@test "password_file: a byte order mark is no part of the password; a blank at its end is told" {
    popd_start
    popd_rc -password "password_file = '$T/pw'"
    printf '\357\273\277secret\r\n' >"$T/pw"
    chmod 600 "$T/pw"
    want 77
    account_line 'begins with a byte order mark; save it as UTF-8 without one'
    [ "$(connections)" -eq 0 ] || fail "the server was asked"
    printf 'secret \n' >"$T/pw"
    want 77
    account_line 'check user and password \(which ends in a blank\)'
    printf 'secret\n' >"$T/pw"
    want 0
}

@test "password_command: fails, hangs, floods, prints nothing: one clear line, no login" {
    local command
    for command in 'exit 1' 'echo \"locked\" >&2; exit 2' 'true' 'sleep 30' 'yes' \
        'head -c 100000 /dev/zero' '/none/such' 'kill -9 $$'; do
        rm -rf "$PLOG"
        popd_start
        popd_rc -password "password_command = \"$(sed 's/\$/\\$/g' <<<"$command")\"" 'timeout = "2s"'
        SECONDS=0
        want '75|77|78' --force # two of them end in the same words, which cron hears once a day
        [ "$SECONDS" -le 10 ] || fail "$command: took $SECONDS s"
        account_line '^fetchpop: a: password_command:? '
        [ "$(sent_count '^(USER|PASS|AUTH)')" -eq 0 ] || fail "$command: tried to log in"
        popd_stop
    done
}
