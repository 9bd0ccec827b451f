# SPDX-License-Identifier: ISC
# Common ground of the end-to-end tests: a private home for each test, its configuration, the program,
# the scripted server, and waiting with a deadline. FETCHPOP names the program under test.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

LIB=$BATS_TEST_DIRNAME/lib
POPD=$BATS_TEST_DIRNAME/../popd/popd
TOOL=$LIB/tool.py
export PYTHONDONTWRITEBYTECODE=1

setup() {
    home_setup
}

teardown() {
    stop_all
}

# home_setup: HOME, configuration file, Maildir, mailbox and log folder of this one test
home_setup() {
    [ -n "${FETCHPOP:-}" ] && [ -x "$FETCHPOP" ] || {
        echo "FETCHPOP does not name the program under test: '${FETCHPOP:-}'" >&2
        return 1
    }
    T=$BATS_TEST_TMPDIR
    H=$T/home
    RC=$H/.fetchpoprc
    MD=$H/Mail
    MB=$T/box
    PLOG=$T/popd
    STATE=$H/.local/state/fetchpop
    FP_LIMIT=${FP_LIMIT:-60}
    PIDS=()
    mkdir -p "$H" "$MB"
}

# fp ARG...: the program in its private world, ended when it takes too long (status 124 or 137)
fp() {
    env -i PATH="$PATH" HOME="$H" LC_ALL=C TZ=UTC TMPDIR="$T" \
        ${ASAN_OPTIONS+ASAN_OPTIONS="$ASAN_OPTIONS"} \
        ${UBSAN_OPTIONS+UBSAN_OPTIONS="$UBSAN_OPTIONS"} \
        ${LSAN_OPTIONS+LSAN_OPTIONS="$LSAN_OPTIONS"} \
        "${FP_ENV[@]}" timeout -k 5 "$FP_LIMIT" "$FETCHPOP" "${FP_ALWAYS[@]}" "$@" 3>&- 4>&-
}
FP_ENV=()
FP_ALWAYS=()

# want STATUS[|STATUS] ARG...: run it and check the exit status; $output and $stderr are set
want() {
    local statuses=$1
    shift
    run --separate-stderr fp "$@"
    case "|$statuses|" in
    *"|$status|"*) ;;
    *) fail "fetchpop $*: exit status $status, wanted $statuses" ;;
    esac
    ! grep -q -E '^fetchpop: [^ ]*:? *$' <<<"$stderr" || fail "a line that says nothing"
}

fail() {
    {
        echo "$*"
        echo "--- standard output: ${output-}"
        echo "--- standard error: ${stderr-}"
    } >&2
    return 1
}

# errors: standard error of the last run without the announcement of a new journal
errors() {
    printf '%s\n' "${stderr-}" | grep -v -i -e 'journal' -e '^$' || true
}

# one_line REGEX: standard error is one line, from fetchpop, and matches
one_line() {
    local lines
    lines=$(errors)
    [ "$(printf '%s\n' "$lines" | wc -l)" -eq 1 ] || fail "not one line of error: $lines"
    [[ $lines == "fetchpop: "* ]] || fail "does not begin with 'fetchpop: ': $lines"
    [[ $lines =~ $1 ]] || fail "does not match '$1': $lines"
}

# account_line [REGEX]: one line "fetchpop: ACCOUNT: what; what to do"
account_line() {
    one_line '^fetchpop: a: [^;]+; .+'
    [ $# -eq 0 ] || one_line "$1"
}

# certificate_lines [REGEX]: the same, with the details behind it
certificate_lines() {
    local all
    all=$(errors)
    [ "$(printf '%s\n' "$all" | wc -l)" -eq 1 ] || fail "not one line: $all"
    [ "$(printf '%s\n' "$all" | grep -c '^fetchpop: ')" -eq 1 ] || fail "not one error: $all"
    [[ $all =~ ^'fetchpop: a: '[^\;]+\;\ .+ ]] || fail "not who, what, what to do: $all"
    [[ $all =~ $1 ]] || fail "does not match '$1': $all"
    [[ $all != *'\x0a'* ]] || fail "an end of line that is shown as a number: $all"
}

# on_tty ARG...: run on a terminal; $output is what a person sees, $status its exit status
on_tty() {
    run env -i PATH="$PATH" HOME="$H" LC_ALL=C TZ=UTC TERM=dumb "$TOOL" pty "$T/st" \
        timeout --foreground -k 5 "$FP_LIMIT" "$FETCHPOP" "$@"
    status=$(cat "$T/st")
    output=$(printf '%s\n' "$output" | tr -d '\r')
    stderr=
}

silent() {
    [ -z "$output" ] || fail "something on standard output"
    [ -z "$(errors)" ] || fail "something on standard error"
}

# rc: the configuration file from standard input
rc() {
    cat >"$RC"
    chmod 600 "$RC"
}

# popd_rc [LINE...]: account "a" at the scripted server; later lines are added to the account
popd_rc() {
    { popd_account a "$@"; } | rc
}

# popd_account TITLE [LINE...]; a line "-key" leaves out the default one of that key
popd_account() {
    local title=$1 line key out=
    shift
    local -A skip=()
    for line; do
        case $line in
        -*) skip[${line#-}]=1 ;;
        *) key=${line%%=*} && skip[${key// /}]=1 && out+="    $line"$'\n' ;;
        esac
    done
    echo "account \"$title\" {"
    while read -r key line; do
        [ -n "${skip[$key]-}" ] || echo "    $key = \"$line\""
    done <<END
server 127.0.0.1
port ${PORT:-1}
tls none
auth user
user alice
password secret
timeout 20s
maildir $MD
END
    printf '%s}\n' "$out"
}

# tell NAME [TEXT]: a message in the scripted server's mailbox
tell() {
    printf '%b' "${2-Subject: $1\nMessage-ID: <$1@example.org>\n\nbody of $1\n}" >"$MB/$1"
}

tell_many() {
    local i
    for ((i = 1; i <= $1; i++)); do
        tell "m$(printf %03d "$i")"
    done
}

# popd_start [LINE...]: the scripted server with these lines of script; sets PORT
popd_start() {
    popd_run 0 "$@"
    PORT=$(cat "$T/port")
}

# popd_again [LINE...]: another server over the same mailbox on the same port, with a fresh record
popd_again() {
    popd_stop
    rm -rf "$PLOG"
    popd_run "$PORT" "$@"
}

# popd_run PORT [LINE...]; POPD_ARGS may hold more options
popd_run() {
    local args=() line port=$1
    shift
    for line; do
        args+=(-e "$line")
    done
    rm -f "$T/port"
    "$POPD" "$MB" --log "$PLOG" --port "$port" --port-file "$T/port" --life 300 "${args[@]}" \
        "${POPD_ARGS[@]}" >"$T/popd.out" 2>&1 3>&- 4>&- &
    POPD_PID=$!
    PIDS+=("$POPD_PID")
    wait_until 10 test -s "$T/port" || fail "popd did not start: $(cat "$T/popd.out")"
}
POPD_ARGS=()

popd_stop() {
    stop_pid "$POPD_PID"
    ! grep -q fault "$T/popd.out" || fail "popd: $(cat "$T/popd.out")"
}

# sent [CONNECTION]: the commands the server got
sent() {
    local f
    if [ $# -gt 0 ]; then
        cat "$PLOG/$1.commands" 2>/dev/null || true
        return
    fi
    for f in "$PLOG"/*.commands; do
        [ ! -e "$f" ] || cat "$f"
    done
}

# saw CONNECTION REGEX: has the server got such a command? For wait_until
saw() {
    grep -q -E "$2" "$PLOG/$1.commands" 2>/dev/null
}

sent_count() {
    sent | grep -c -E "$1" || true
}

connections() {
    find "$PLOG" -name '*.events' 2>/dev/null | wc -l
}

# no_secret_sent [SECRET]: in no connection, in no form
no_secret_sent() {
    local secret=${1:-secret} form
    for form in "$secret" "$(printf '\0alice\0%s' "$secret" | base64)" \
        "$(printf %s "$secret" | base64)"; do
        ! cat "$PLOG"/*.in 2>/dev/null | grep -q -a -F -- "$form" ||
            fail "the secret was sent"
    done
}

# count [FOLDER]: messages in new/ and cur/
count() {
    local d=${1:-$MD}
    find "$d/new" "$d/cur" -type f 2>/dev/null | wc -l
}

# maildir_clear: no message in the Maildir; the folder stays, because one that is gone is a fault
maildir_clear() {
    find "$MD" -type f -delete
}

tmp_empty() {
    local d=${1:-$MD}
    [ -z "$(ls -A "$d/tmp" 2>/dev/null)" ] || fail "left in tmp/: $(ls -A "$d/tmp")"
}

# same FILE [FOLDER]: the Maildir holds exactly the multiset of digests in FILE
same() {
    local d=${2:-$MD}
    diff "$1" <("$TOOL" maildir "$d") >&2 || fail "Maildir and wire differ"
    tmp_empty "$d"
}

# box_digests: what is in the scripted server's mailbox now, as it should be on disk
box_digests() {
    "$TOOL" box "$MB" >"${1:-$T/want}"
}

box_count() {
    find "$MB" -type f | wc -l
}

# wait_until SECONDS COMMAND...
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -le "$end" ] || return 1
        sleep 0.05
    done
}

# start_fp ARG...: in the background; FP_PID is the program itself. Output in $T/bg.out, bg.err
start_fp() {
    env -i PATH="$PATH" HOME="$H" LC_ALL=C TZ=UTC TMPDIR="$T" \
        ${ASAN_OPTIONS+ASAN_OPTIONS="$ASAN_OPTIONS"} \
        "$FETCHPOP" "$@" >"$T/bg.out" 2>"$T/bg.err" 3>&- 4>&- </dev/null &
    FP_PID=$!
    PIDS+=("$FP_PID")
}

# end_fp SECONDS: wait for it; $status is its exit status
end_fp() {
    wait_until "$1" gone "$FP_PID" || {
        kill -KILL "$FP_PID" 2>/dev/null
        fail "still running after $1 s"
    }
    status=0
    wait "$FP_PID" || status=$?
    output=$(cat "$T/bg.out")
    stderr=$(cat "$T/bg.err")
}

# gone PID: not running any more (a zombie of ours counts as gone)
gone() {
    local state
    state=$(ps -o stat= -p "$1" 2>/dev/null) || return 0
    [[ $state == Z* ]]
}

# stop_pid PID: TERM, then KILL; only ever called with what we started
stop_pid() {
    [ -n "${1:-}" ] || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    wait_until 10 gone "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

stop_all() {
    local pid
    for pid in "${PIDS[@]}"; do
        stop_pid "$pid"
    done
    PIDS=()
}

# need PROGRAM: skip with a reason where it is missing
need() {
    [ -x "$1" ] || command -v "$1" >/dev/null || skip "$1 is not installed"
}

# certs FOLDER: a CA of our own, a certificate for localhost and 127.0.0.1, one for other.example,
# one that ran out, and a second CA that signed nothing
certs() {
    local d=$1 name
    mkdir -p "$d"
    for name in ca stranger; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
            -subj "/CN=$name of the tests" -keyout "$d/$name.key" -out "$d/$name.pem" 2>/dev/null
    done
    sign "$d" server "DNS:localhost,IP:127.0.0.1" -days 30
    sign "$d" other "DNS:other.example" -days 30
    sign "$d" old "DNS:localhost,IP:127.0.0.1" -days -1
}

# sign FOLDER NAME SAN DAYS-OPTION...
sign() {
    local d=$1 name=$2 san=$3
    shift 3
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$d/$name.key" -out "$d/$name.csr" 2>/dev/null
    openssl x509 -req -in "$d/$name.csr" -CA "$d/ca.pem" -CAkey "$d/ca.key" -CAcreateserial \
        -out "$d/$name.pem" "$@" \
        -extfile <(printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$san") 2>/dev/null
    cat "$d/ca.pem" >>"$d/$name.pem"
}
