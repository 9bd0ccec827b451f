#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Options, exit status and output, against the scripted server.

load lib/common

@test "-V and --version name the program and its version" {
    local opt
    for opt in -V --version; do
        want 0 $opt
        [[ $output == "fetchpop 0.1.0"* ]] || fail "version"
        [ -z "$stderr" ]
    done
}

@test "--help names every option and ends with 0" {
    local opt
    want 0 --help
    [ -z "$stderr" ]
    for opt in --check --silent --verbose --version --all --keep --nokeep --flush --config \
        --timeout --state-dir --no-fork --help --status --retry --limit --fetchlimit; do
        [[ $output == *"$opt"* ]] || fail "--help does not name $opt"
    done
}

@test "usage errors end with 64 and one line or two" {
    popd_rc
    local bad
    for bad in --no-such-option -Z "-t" "--state-dir" "-t nonsense" "-t -5" "-B x" "-l 1Q" "--timeout="; do
        # shellcheck disable=SC2086
        want 64 $bad
        [ -z "$output" ]
        [[ $stderr == "fetchpop: "* ]] || fail "no line of its own for $bad"
        [ "$(printf '%s\n' "$stderr" | wc -l)" -le 2 ] || fail "too many lines for $bad"
    done
}

@test "an account that the configuration file does not have is a usage error" {
    popd_rc
    want '64|78' nobody
    [[ $stderr == *nobody* ]] || fail "the name is not said"
    [ ! -d "$MD" ]
}

@test "reserved letters are not taken for something else" {
    popd_start
    popd_rc
    local letter
    for letter in -e -i -n -p -P -q -Q -r -S -u -w -x; do
        want 64 "$letter"
    done
    [ "$(connections)" -eq 0 ]
}

@test "-N and -U are accepted and do nothing" {
    tell m1
    popd_start
    popd_rc
    want 0 -N -U
    [ "$(count)" -eq 1 ]
}

@test "mail is fetched and nothing is said when not on a terminal" {
    tell_many 3
    popd_start
    popd_rc
    box_digests
    want 0
    silent
    same "$T/want"
    want 0
    [ -z "$output$stderr" ] || fail "the second run says something"
    same "$T/want"
}

@test "a new journal is announced once, in one line, on a terminal and with -v" {
    tell m1
    popd_start
    popd_rc
    on_tty
    [ "$status" -eq 0 ]
    [ "$(printf '%s\n' "$output" | grep -c -i journal)" -eq 1 ] || fail "not announced"
    on_tty
    [[ $output != *journal* ]] || fail "announced again"
    want 0 -v --state-dir "$T/other"
    [ "$(printf '%s\n' "$stderr" | grep -c -i journal)" -eq 1 ] || fail "not announced with -v"
}

@test "-c: 0 with new mail, 1 without, and nothing is changed at all" {
    popd_start
    popd_rc 'keep = "no"'
    "$TOOL" tree "$H" >"$T/before"
    want 1 -c
    diff "$T/before" <("$TOOL" tree "$H")
    popd_again
    tell_many 2
    want 0 -c
    diff "$T/before" <("$TOOL" tree "$H")
    [ "$(sent_count '^(RETR|DELE)')" -eq 0 ]
    want 0
    "$TOOL" tree "$H" >"$T/before"
    want 1 --check
    tell m9
    want 0 --check
    diff "$T/before" <("$TOOL" tree "$H") || fail "-c changed something after a real run"
}

@test "-c: an error wins over new mail in another account" {
    tell m1
    popd_start
    { popd_account a; popd_account b 'user = "nobody"'; } | rc
    want 77 -c
}

@test "-c with keep = yes: what was fetched before is not new" {
    tell m1
    popd_start
    popd_rc
    want 0
    want 1 -c
}

@test "-k leaves what keep = no would delete" {
    tell_many 2
    popd_start
    popd_rc 'keep = "no"'
    want 0 -k
    [ "$(count)" -eq 2 ]
    [ "$(box_count)" -eq 2 ]
    [ "$(sent_count '^DELE')" -eq 0 ]
}

@test "-K deletes this run's messages only, -F also those kept by earlier runs" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    tell m9
    want 0 -K
    [ "$(count)" -eq 3 ]
    [ "$(ls "$MB")" = "m001
m002" ] || fail "left on the server: $(ls "$MB")"
    popd_again
    want 0 -F
    [ "$(box_count)" -eq 0 ]
    [ "$(count)" -eq 3 ]
    [ "$(sent_count '^RETR')" -eq 0 ] || fail "-F fetched again"
}

@test "a change from keep = yes to no is for what is fetched from then on" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    tell m9
    popd_rc 'keep = "no"'
    want 0
    [ "$(count)" -eq 3 ]
    [ "$(ls "$MB" | tr '\n' ' ')" = "m001 m002 " ] || fail "left on the server: $(ls "$MB")"
    want 0 -F
    [ "$(count)" -eq 3 ]
    [ "$(box_count)" -eq 0 ]
}

@test "-a fetches what was seen as well" {
    tell_many 2
    popd_start
    popd_rc
    want 0
    want 0 -a
    [ "$(count)" -eq 4 ]
    tmp_empty
    want 0
    [ "$(count)" -eq 4 ]
}

@test "-f FILE, -f - and FETCHPOPRC and the XDG place, in that order" {
    tell m1
    popd_start
    popd_rc "maildir = \"$H/from-home\""
    cp -p "$RC" "$T/rc-option"
    sed -i "s|from-home|from-option|" "$T/rc-option"
    want 0 -f "$T/rc-option" --state-dir "$T/s1"
    [ "$(count "$H/from-option")" -eq 1 ]
    run --separate-stderr fp -f - --state-dir "$T/s2" < <(sed 's|from-option|from-stdin|' "$T/rc-option")
    [ "$status" -eq 0 ] || fail "-f -"
    [ "$(count "$H/from-stdin")" -eq 1 ]
    sed 's|from-option|from-env|' "$T/rc-option" >"$T/rc-env"
    chmod 600 "$T/rc-env"
    FP_ENV=(FETCHPOPRC="$T/rc-env")
    want 0 --state-dir "$T/s3"
    [ "$(count "$H/from-env")" -eq 1 ]
    FP_ENV=()
    want 0 --state-dir "$T/s4"
    [ "$(count "$H/from-home")" -eq 1 ]
    mkdir -p "$H/.config/fetchpop"
    sed 's|from-option|from-xdg|' "$T/rc-option" >"$H/.config/fetchpop/fetchpoprc"
    chmod 600 "$H/.config/fetchpop/fetchpoprc"
    rm "$RC"
    want 0 --state-dir "$T/s5"
    [ "$(count "$H/from-xdg")" -eq 1 ]
    mkdir -p "$T/cfg/fetchpop"
    sed 's|from-option|from-cfg|' "$T/rc-option" >"$T/cfg/fetchpop/fetchpoprc"
    chmod 600 "$T/cfg/fetchpop/fetchpoprc"
    FP_ENV=(XDG_CONFIG_HOME="$T/cfg")
    want 0 --state-dir "$T/s6"
    [ "$(count "$H/from-cfg")" -eq 1 ]
}

@test "state: --state-dir before state_dir before XDG_STATE_HOME before the home" {
    tell m1
    popd_start
    popd_rc
    want 0
    [ -d "$STATE" ] || fail "not in the home"
    FP_ENV=(XDG_STATE_HOME="$T/xdg")
    want 0
    [ -n "$(ls -A "$T/xdg/fetchpop")" ] || fail "not under XDG_STATE_HOME"
    { echo "state_dir = \"$T/own\""; popd_account a; } | rc
    want 0
    [ -n "$(ls -A "$T/own")" ] || fail "state_dir is not used"
    want 0 --state-dir "$T/opt"
    [ -n "$(ls -A "$T/opt")" ] || fail "--state-dir is not used"
}

@test "--no-fork brings the same" {
    tell_many 3
    popd_start
    popd_rc 'keep = "no"'
    box_digests
    want 0 --no-fork
    silent
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "--no-fork runs the account's commands" {
    tell m1
    popd_start
    popd_rc -password 'password_command = "echo secret"' -maildir "mda = \"cat >>$T/got\""
    want 0 --no-fork
    silent
    [ -s "$T/got" ] || fail "nothing was delivered"
}

@test "-t sets the idle limit: a hung server ends the run with 75" {
    tell m1
    popd_start 'on UIDL: hang' 'on LIST: hang'
    popd_rc
    local start=$SECONDS
    want 75 -t 2 --force
    [ $((SECONDS - start)) -le 10 ] || fail "took too long"
    account_line
}

@test "timeout in the configuration file does the same" {
    popd_start 'on greeting: hang'
    popd_rc 'timeout = "1s"'
    want 75 --force
    account_line
}

@test "-v shows the protocol without the secret" {
    tell m1
    popd_start 'set auth "PLAIN LOGIN CRAM-MD5"' \
        'on x1 PASS: err "[AUTH] the password secret is wrong"'
    popd_rc
    want 77 -v
    [[ $output$stderr != *secret* ]] || fail "the secret echoed by the server is shown"
    local mech form
    for mech in user PLAIN LOGIN CRAM-MD5; do
        popd_rc "auth = \"$mech\""
        want 0 -v --state-dir "$T/state.$mech"
        [[ $output$stderr == *UIDL* ]] || fail "no transcript"
        for form in secret "$(printf '\0alice\0secret' | base64)" "$(printf secret | base64)"; do
            [[ $output$stderr != *"$form"* ]] || fail "$mech: the secret is in the transcript"
        done
    done
}

@test "-v: control bytes from the server do not reach the terminal" {
    popd_start 'on greeting: text "+OK \x1b]0;title\x07\x9b31m hello\r\n"' \
        'on USER: err "\x1b[2J go away"'
    popd_rc
    want '77|69|76' -v
    ! printf '%s' "$output$stderr" | LC_ALL=C grep -q -a '[^[:print:][:space:]]' ||
        fail "raw control bytes"
}

@test "-s says nothing on a terminal either, errors apart" {
    tell m1
    popd_start
    popd_rc
    want 0
    tell m2
    on_tty -s
    [ "$status" -eq 0 ]
    [ -z "$output" ] || fail "-s is not silent"
    stop_pid "$POPD_PID"
    want 75 -s --force
    account_line
}

@test "on a terminal: one summary line an account" {
    tell_many 3
    popd_start
    popd_rc
    on_tty
    [ "$status" -eq 0 ]
    [ "$(printf '%s\n' "$output" | grep -c -E '(^|[^a-z])a: 3 new \(.+\)')" -eq 1 ] ||
        fail "no summary"
    tell m9
    on_tty -K
    [[ $output =~ a:\ 1\ new.*3\ seen.*1\ deleted ]] || fail "not 1 new, 3 seen, 1 deleted"
}

@test "several accounts, all or the named ones; enabled = no is skipped unless named" {
    mkdir "$T/box2"
    tell m1
    POPD_ARGS=(-u bob secret "$T/box2" -u carol secret "$T/box3")
    popd_start
    {
        popd_account a "maildir = \"$H/A\""
        popd_account b 'user = "bob"' "maildir = \"$H/B\""
        popd_account c 'user = "carol"' "maildir = \"$H/C\"" 'enabled = "no"'
    } | rc
    cp "$MB/m1" "$T/box2/x1"
    cp "$MB/m1" "$T/box2/x2"
    want 0 b
    [ ! -d "$H/A" ]
    [ "$(count "$H/B")" -eq 2 ]
    want 0
    [ "$(count "$H/A")" -eq 1 ]
    [ "$(count "$H/B")" -eq 2 ]
    [ ! -d "$H/C" ] || [ "$(count "$H/C")" -eq 0 ]
    ! sent | grep -q carol || fail "a disabled account was polled"
}

@test "the worst account decides the exit status and the others are still polled" {
    tell m1
    popd_start
    {
        popd_account bad 'user = "nobody"' "maildir = \"$H/B\""
        popd_account refused 'user = "x"' 'port = "1"' "maildir = \"$H/R\""
        popd_account good "maildir = \"$H/G\""
    } | rc
    want 77 --force
    [ "$(count "$H/G")" -eq 1 ]
    [ "$(errors | grep -c '^fetchpop: bad: ')" -eq 1 ]
    [ "$(errors | grep -c '^fetchpop: refused: ')" -eq 1 ]
    [ "$(errors | wc -l)" -eq 2 ] || fail "more than two lines"
}

@test "defaults hold for every account and the account wins" {
    tell_many 2
    popd_start
    {
        echo 'defaults { keep = "no" }'
        popd_account a "maildir = \"$H/A\"" 'keep = "yes"'
    } | rc
    want 0
    [ "$(box_count)" -eq 2 ]
    {
        echo 'defaults { keep = "no" }'
        popd_account a "maildir = \"$H/A\""
    } | rc
    tell m9
    want 0
    [ ! -e "$MB/m9" ] || fail "defaults were not used"
}

@test "include is relative to the including file" {
    tell m1
    popd_start
    mkdir "$H/conf"
    popd_account a >"$H/conf/one"
    echo 'include("one")' >"$H/conf/all"
    chmod 600 "$H/conf/"*
    echo 'include("conf/all")' | rc
    cd /
    want 0
    [ "$(count)" -eq 1 ]
}

@test "~ in a path is the home" {
    tell m1
    popd_start
    popd_rc 'maildir = "~/In/box"'
    want 0
    [ "$(count "$H/In/box")" -eq 1 ]
}

@test "-B stops after so many; the next run fetches the rest" {
    tell_many 5
    popd_start
    popd_rc
    box_digests
    want '0|75' -B 2
    [ "$(count)" -eq 2 ]
    want '0|75' --fetchlimit 2
    [ "$(count)" -eq 4 ]
    want 0
    same "$T/want"
}

@test "max_messages in the configuration file does the same" {
    tell_many 5
    popd_start
    popd_rc 'max_messages = "3"' 'keep = "no"'
    want '0|75'
    [ "$(count)" -eq 3 ]
    [ "$(box_count)" -eq 2 ]
}

@test "max_bytes bounds a run; the next ones bring the rest, a long message too" {
    tell_many 2
    { printf 'Subject: big\n\n'; head -c 20000 /dev/zero | tr '\0' 'x'; echo; } >"$MB/m003"
    tell m004
    popd_start
    popd_rc 'max_bytes = "10K"' 'keep = "no"'
    want 0
    [ "$(count)" -eq 2 ] || fail "$(count) in the first run"
    [ "$(box_count)" -eq 2 ]
    want 0
    [ "$(count)" -eq 3 ] || fail "$(count) in the second run"
    want 0
    [ "$(count)" -eq 4 ]
    [ "$(box_count)" -eq 0 ]
}

@test "-l leaves larger messages on the server, names them, and ends with 0" {
    tell m1
    { printf 'Subject: big\n\n'; head -c 20000 /dev/zero | tr '\0' 'x'; echo; } >"$MB/m2"
    tell m3
    popd_start
    popd_rc 'keep = "no"'
    want 0 -l 10K
    [[ $stderr == *m2* ]] || fail "the message is not named"
    [ "$(count)" -eq 2 ]
    [ "$(ls "$MB")" = m2 ]
    want 0
    [ "$(count)" -eq 3 ]
    [ "$(box_count)" -eq 0 ]
}

@test "the size limit counts real bytes, whatever LIST says" {
    { printf 'Subject: big\n\n'; head -c 200000 /dev/zero | tr '\0' 'x' | fold; echo; } >"$MB/m1"
    tell m2
    popd_start 'set size 1 "=50"'
    popd_rc 'keep = "no"' 'max_size = "10K"'
    want '65|75'
    [ -e "$MB/m1" ] || fail "deleted undelivered"
    [ "$(find "$MD" -type f -size +20k | wc -l)" -eq 0 ] || fail "delivered over the limit"
    tmp_empty
    want '65|75'
    [ "$(count)" -eq 1 ]
    [ -e "$MB/m1" ]
}

@test "umask: what is made is closed to others" {
    tell m1
    popd_start
    popd_rc
    umask 0
    want 0
    [ -z "$(find "$MD" "$STATE" -perm /077)" ] || fail "open: $(find "$MD" "$STATE" -perm /077)"
}
