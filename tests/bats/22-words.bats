#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The first hour: mistakes are answered at once, with what to write, also where nobody watches.

load lib/common

# tls_server: popd with TLS from the start; trusted by the account's tls_ca_file
tls_server() {
    certs "$T"
    popd_start 'set tls implicit' "set cert \"$T/server.pem\"" "set key \"$T/server.key\"" "$@"
}

# --- the port -------------------------------------------------------------------------------------

# wrong_port TLS: an account that does so at a port with TLS is told within seconds
wrong_port() {
    local begun=$SECONDS
    tls_server
    popd_rc "tls = \"$1\"" 'timeout = "60s"'
    want 76
    [ $((SECONDS - begun)) -lt 40 ] || fail "it took $((SECONDS - begun)) seconds"
    account_line "127.0.0.1: no greeting on port $PORT, which wants TLS from the start; write tls = \"implicit\""
    no_secret_sent
}

@test "stls at a port that has TLS from the start" {
    wrong_port stls
}

@test "no TLS at a port that has it from the start" {
    wrong_port none
}

@test "TLS from the start at a port that has none" {
    popd_start
    popd_rc 'tls = "implicit"'
    want 76
    account_line 'no TLS on this port'
}

@test "a server that is slow to greet is waited for" {
    tell m1
    popd_start 'on greeting: sleep 6000'
    popd_rc
    want 0
    [ "$(count)" -eq 1 ]
}

# --- the first failure ----------------------------------------------------------------------------

@test "the first failure of an account that never worked is told in a pipe, the next ones are not" {
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75
    [ -z "$output" ] || fail "something on standard output"
    account_line "127.0.0.1: port $PORT refuses connections"
    want 75
    silent
}

# --- -v -------------------------------------------------------------------------------------------

@test "-v tells address, port, TLS version, cipher, certificate and times" {
    tell m1
    tls_server
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$T/ca.pem\"" 'server = "localhost"'
    want 0 -v
    local line
    for line in "a: connected to 127.0.0.1 port $PORT in [0-9]+\.[0-9]{3} s" \
        'a: TLSv1\.[23] [A-Z0-9_-]+ after [0-9]+\.[0-9]{3} s, DNS:localhost.*, issued by .*, valid from .* to .* UTC' \
        'a: logged in after [0-9]+\.[0-9]{3} s' \
        'a: session: [0-9]+\.[0-9]{3} s, [0-9]+ octets received, [0-9]+ sent'; do
        grep -q -E "^$line" <<<"$stderr" || fail "no line $line"
    done
}

@test "a login that is refused names the user" {
    popd_start 'on PASS: err "[AUTH] no"'
    popd_rc 'user = "alcie"'
    want 77
    account_line 'login refused by 127\.0\.0\.1: .*; check user and password \(the user is alcie\)'
}

# --- summaries ------------------------------------------------------------------------------------

@test "--summary: one line an account in a pipe, with what is left on the server" {
    tell_many 5
    popd_start
    popd_rc
    want 0 --summary -B 2
    [[ $output =~ ^'a: 2 new ('[0-9]+' B), 3 more on the server'$ ]] || fail "not the summary"
    want 0 --summary
    [[ $output =~ ^'a: 3 new ('[0-9]+' B), 2 seen'$ ]] || fail "not the summary"
    want 0 --summary
    [ "$output" = "a: no new mail (5 seen)" ] || fail "not the summary"
    want 64 --summary --silent
    want 64 --summary --json
}

# --- the password ---------------------------------------------------------------------------------

# types LINE...: what a person types on the terminal, one line for each prompt
types() {
    python3 -B - "$FETCHPOP" "$H" "$@" <<'END'
import os, pty, sys
program, home, lines = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execve(program, [program], {"HOME": home, "PATH": os.environ["PATH"], "TERM": "dumb"})
seen, prompts = b"", 0
while True:
    try:
        more = os.read(fd, 4096)
    except OSError:
        break
    if not more:
        break
    seen += more
    while seen.count(b"Password for") > prompts and prompts < len(lines):
        os.write(fd, lines[prompts].encode() + b"\n")
        prompts += 1
sys.stdout.write(seen.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

@test "a password that was typed wrong is asked for again, up to three times" {
    tell m1
    popd_start 'on PASS wrong: err "[AUTH] no"'
    popd_rc -password
    run types wrong wrong secret
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(grep -c 'Password for alice at 127.0.0.1:' <<<"$output")" -eq 3 ] || fail "not three prompts"
    [ "$(grep -c 'login refused' <<<"$output")" -eq 2 ] || fail "not told twice"
    [ "$(count)" -eq 1 ]
    run types wrong2 wrong2 wrong2 secret
    [ "$status" -eq 77 ] || [ "$status" -eq 75 ] || fail "status $status"
    [ "$(grep -c 'Password for' <<<"$output")" -le 3 ] || fail "more than three prompts"
}

@test "--help fits into 80 columns" {
    want 0 --help
    [ -z "$(awk 'length > 80' <<<"$output")" ] || fail "$(awk 'length > 80' <<<"$output")"
}
