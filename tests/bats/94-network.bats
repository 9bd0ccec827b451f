#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Connecting: proxy, a command for a connection, IPv4 and IPv6, names, and --discover.

load lib/common
load lib/certs
load lib/socks
load lib/dns

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca good "DNS:localhost,IP:127.0.0.1"
    issue "$TLS" ca names "DNS:pop.example.com,DNS:pop2.example.com,DNS:xn--bcher-kva.example"
}

# proxied_rc [LINE...]: an account behind the proxy
proxied_rc() {
    local line lines=()
    for line in "proxy = \"socks5://127.0.0.1:$PROXY_PORT\"" 'server = "pop.nowhere.invalid"' \
        'timeout = "3s"'; do
        [[ $'\n'$(printf '%s\n' "$@") == *$'\n'"${line%% *} ="* ]] || lines+=("$line")
    done
    popd_rc "${lines[@]}" "$@"
}

# fails STATUSES [REGEX]: an error in one line, no mail, nothing told
fails() {
    want "$1"
    one_line "${2:-^fetchpop: a: .+}"
    nothing_told
}

# --- proxy ----------------------------------------------------------------------------------------

@test "proxy: the name is resolved by the proxy" {
    tell m1
    popd_start
    proxy_start "to=$PORT"
    proxied_rc 'port = "1234"'
    want 0
    [ "$(count)" -eq 1 ]
    proxied | grep -q '^connect 3 pop.nowhere.invalid 1234$' || fail "$(proxied)"
    ! proxied | grep -q '^login' || fail "logged in without being told to"
}

@test "proxy: with user and password, over TLS and STLS" {
    tell m1
    local tls
    for tls in implicit stls; do
        rm -rf "$MD" "$T/proxy"
        tls_popd "$tls" good
        proxy_start "login=me:a:b@c" "to=$PORT"
        proxied_rc "proxy = \"socks5://me:a:b@c@127.0.0.1:$PROXY_PORT\"" "tls = \"$tls\"" \
            "tls_ca_file = \"$TLS/ca.pem\"" 'server = "localhost"'
        want 0 --state-dir "$T/s.$tls"
        if [ "$status" -eq 78 ]; then # then those two want escapes
            proxied_rc "proxy = \"socks5://me:a%3Ab%40c@127.0.0.1:$PROXY_PORT\"" "tls = \"$tls\"" \
                "tls_ca_file = \"$TLS/ca.pem\"" 'server = "localhost"'
            want 0 --state-dir "$T/s.$tls"
        fi
        [ "$(count)" -eq 1 ]
        proxied | grep -q '^login me a:b@c$' || fail "$(proxied)"
        proxied | grep -q "^connect 3 localhost $PORT\$" || fail "$(proxied)"
        noted '^sni localhost$'
        popd_stop
    done
}

@test "proxy: an address stays an address" {
    tell m1
    popd_start
    proxy_start "to=$PORT"
    proxied_rc 'server = "127.0.0.1"'
    want 0
    proxied | grep -q "^connect [13] 127.0.0.1 $PORT\$" || fail "$(proxied)"
    proxied_rc 'server = "2001:db8::7"'
    want 0
    proxied | grep -q "^connect [34] 2001:db8::7 $PORT\$" || fail "$(proxied)"
}

@test "proxy: answers byte by byte, glued to the greeting, with a name for an address" {
    tell m1
    popd_start
    local how
    for how in drip=yes glue=yes bound=name; do
        proxy_start "to=$PORT" "$how"
        proxied_rc
        rm -rf "$MD"
        want 0 --state-dir "$T/s.$how"
        [ "$(count)" -eq 1 ] || fail "$how"
    done
}

@test "proxy: its own login refused; it wants one that the configuration file has not" {
    popd_start
    proxy_start login=me:right "to=$PORT"
    proxied_rc "proxy = \"socks5://me:wrong-one@127.0.0.1:$PROXY_PORT\""
    fails 77 'prox'
    [[ $stderr != *wrong-one* ]] || fail "the proxy's password is shown"
    proxied_rc
    fails 77 'prox'
    [ "$(connections)" -eq 0 ]
}

@test "proxy: every code of refusal is said, and is no success" {
    popd_start
    local code status_wanted words
    while read -r code status_wanted words; do
        proxy_start "reply=$code"
        proxied_rc
        fails "$status_wanted" "^fetchpop: a: proxy 127.0.0.1:$PROXY_PORT: .*$words"
        [ "$(connections)" -eq 0 ]
        stop_pid "$PROXY_PID"
    done <<END
1 75 an internal failure; try again later
2 69 its rules forbid this connection; ask its administrator
3 75 cannot reach that network; try again later
4 75 cannot reach that host; check its name
5 75 the server refuses connections; check the port
6 75 too far away for it; try again later
7 76 does not make connections of this kind; use another proxy
8 76 does not know this kind of address; use another proxy
9 75 the unknown code 9; ask its administrator
255 75 the unknown code 255; ask its administrator
END
}

@test "proxy: hanging at each stage costs the timeout once" {
    popd_start
    local stage
    for stage in hello login connect; do
        proxy_start "hang=$stage" login=me:pw "to=$PORT"
        proxied_rc "proxy = \"socks5://me:pw@127.0.0.1:$PROXY_PORT\"" 'timeout = "2s"'
        SECONDS=0
        fails 75
        [ "$SECONDS" -le 6 ] || fail "$stage took $SECONDS s"
        stop_pid "$PROXY_PID"
    done
}

@test "proxy: one deadline for it and for TLS, though no step is longer than the timeout" {
    tell m1
    tls_popd implicit good 'on connect: sleep 1500'
    proxy_start wait=400 login=me:pw "to=$PORT"
    local way=("proxy = \"socks5://me:pw@127.0.0.1:$PROXY_PORT\"" 'tls = "implicit"'
        "tls_ca_file = \"$TLS/ca.pem\"" 'server = "localhost"')
    proxied_rc "${way[@]}" 'timeout = "2s"'
    fails 75 'connecting and the TLS handshake took longer than 2 seconds'
    proxied_rc "${way[@]}" 'timeout = "20s"'
    want 0
    [ "$(count)" -eq 1 ]
}

@test "proxy: it closes, or talks junk, at each stage" {
    popd_start
    local how
    for how in close=hello close=login close=connect send=hello:0400 send=hello:05ff \
        send=hello:4854545020 send=login:0101 send=login:ff send=connect:04000001 \
        send=connect:0500000900 send=connect:050000030000; do
        proxy_start "$how" login=me:pw "to=$PORT"
        proxied_rc "proxy = \"socks5://me:pw@127.0.0.1:$PROXY_PORT\"" 'timeout = "1s"'
        fails '75|76|77'
        stop_pid "$PROXY_PID"
    done
}

@test "proxy: nobody there" {
    PROXY_PORT=$("$TOOL" freeport)
    proxied_rc
    fails 75 "$PROXY_PORT|prox"
}

@test "proxy: bad ones are refused with file and line" {
    local bad
    for bad in "127.0.0.1:1080" "http://127.0.0.1:1080" "socks5://" "socks5://:1080" \
        "socks5://h:0" "socks5://h:99999" "socks5://h:x" "socks5://u@h:1080" "socks5://h" \
        "socks5://h:1080/x" "socks4://h:1080"; do
        popd_rc "proxy = \"$bad\""
        want '78'
        one_line "$(basename "$RC"):[0-9]+: .*proxy"
    done
}

# --- connect_command ------------------------------------------------------------------------------

@test "connect_command: a program is the connection, plain and with our own TLS in it" {
    tell m1
    popd_start
    popd_rc "connect_command = \"$LIB/socks_server.py pipe $PORT\"" 'server = "pop.nowhere.invalid"'
    want 0
    [ "$(count)" -eq 1 ]
    popd_stop
    rm -rf "$MD"
    tls_popd implicit good
    tls_rc "connect_command = \"$LIB/socks_server.py pipe $PORT\"" 'server = "localhost"'
    want 0 --state-dir "$T/s2"
    [ "$(count)" -eq 1 ]
    noted '^sni localhost$'
    tls_rc "connect_command = \"$LIB/socks_server.py pipe $PORT\"" 'server = "other.example"'
    want 77
    certificate_lines 'other\.example'
}

@test "connect_command: openssl s_client does the TLS" {
    tell_many 5
    tls_popd implicit good
    popd_rc 'auth = "user"' 'keep = "no"' \
        "connect_command = \"openssl s_client -quiet -verify_quiet -nocommands -connect 127.0.0.1:$PORT -CAfile $TLS/ca.pem 2>/dev/null\""
    box_digests
    want 0
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "connect_command: a large message in both directions does not get stuck" {
    head -c 3000000 /dev/zero | tr '\0' 'x' | fold -w 70 >"$MB/big"
    tell_many 50
    popd_start
    popd_rc "connect_command = \"$LIB/socks_server.py pipe $PORT\""
    box_digests
    want 0
    same "$T/want"
}

@test "connect_command: it fails, is missing, or ends: one line, and what it said" {
    popd_start
    local command
    for command in 'exit 3' '/none/such' 'true' 'echo sorry, no tunnel >&2; exit 1' 'kill -9 $$'; do
        popd_rc "connect_command = '$command'"
        want '75|78'
        [ "$(grep -c '^fetchpop: a: ' <<<"$stderr")" -le 2 ] || fail "too many words"
        grep -q '^fetchpop: a: .*connect_command' <<<"$stderr" || fail "it is not named"
        nothing_told
    done
    popd_rc "connect_command = 'echo sorry, no tunnel >&2; exit 1'"
    want 75
    [[ $stderr == *"no tunnel"* ]] || fail "its words are not shown"
}

@test "connect_command: it ends at once or behind a greeting, hangs up, or dies at login: it is named, with its status" {
    local command
    # command_rc COMMAND: with a state of its own, since what hangs up over CAPA is not asked for a day
    command_rc() {
        rm -rf "$STATE"
        popd_rc "connect_command = \"$1\""
    }
    for command in true 'exit 0' 'echo \"+OK hello\"' 'echo \"+OK hello\"; read x'; do
        command_rc "$command"
        want 75
        account_line 'connect_command ended with status 0 before the session did'
    done
    for command in 'exec >&- <&-; sleep 3' 'echo \"+OK hello\"; exec >&- <&-; sleep 3'; do
        command_rc "$command"
        want 75
        account_line '^fetchpop: a: connect_command: '
    done
    # before the password was sent: the end is the command's own
    command_rc 'echo +OK; read x; echo -ERR; read x; exit 0'
    want 75
    account_line 'connect_command ended with status 0 before the session did'
    # in the middle of the login, where a server that hangs up means "wrong password"
    command_rc 'echo +OK; read x; echo -ERR; read x; echo +OK; read x; exit 4'
    want 75
    account_line 'connect_command ended with status 4'
    command_rc 'echo +OK; read x; echo -ERR; read x; echo +OK; read x; exit 0'
    want 75
    account_line 'wrong password'
}

@test "connect_command: one that hangs costs the timeout, and is gone afterwards" {
    popd_rc "connect_command = \"echo \$\$ >$T/pid; exec sleep 100\"" 'timeout = "2s"'
    sed -i "s/\"echo \(.*\) 100\"/'echo \1 100'/" "$RC"
    SECONDS=0
    fails 75
    [ "$SECONDS" -le 8 ] || fail "took $SECONDS s"
    [ -s "$T/pid" ] || fail "it was not run"
    wait_until 5 gone "$(cat "$T/pid")" || fail "it still runs"
}

@test "connect_command: it is gone when the session is over, and has no secret in its environment" {
    tell m1
    popd_start
    cat >"$T/command" <<END
#!/bin/sh
echo \$\$ >"$T/pid"
env >"$T/env"
tr '\\0' ' ' </proc/\$PPID/cmdline >"$T/parent"
exec "$LIB/socks_server.py" pipe $PORT
END
    chmod 755 "$T/command"
    popd_rc "connect_command = \"$T/command\""
    want 0
    [ "$(count)" -eq 1 ]
    wait_until 5 gone "$(cat "$T/pid")" || fail "it still runs"
    ! grep -q secret "$T/env" "$T/parent" || fail "the password is in its environment"
}

@test "connect_command with proxy or source_address: one of them has to go" {
    popd_rc 'connect_command = "true"' 'proxy = "socks5://127.0.0.1:1080"'
    want 78
    one_line "$(basename "$RC")"
}

# --- addresses ------------------------------------------------------------------------------------

@test "ip = 4 and ip = 6 choose" {
    namespace
    tell m1
    popd_start
    in_namespace "$LIB/socks_server.py" "$T/socks-inside"
    SOCKS=$T/socks-inside relay_start ::1 "$PORT" "$PORT"
    popd_rc 'server = "localhost"' 'ip = "4"'
    want 0
    [ ! -e "$T/relay/log" ] || fail "ip = 4 went over IPv6"
    popd_rc 'server = "localhost"' 'ip = "6"'
    want 0
    grep -q '^from ::1$' "$T/relay/log" || fail "ip = 6 did not go over IPv6"
}

@test "ip = 6 for a server with IPv4 only, and the other way round: 68, and it is said why" {
    popd_start
    popd_rc 'ip = "6"'
    want 68
    account_line 'IPv6 address, which ip = 6 asks for; '
    popd_rc 'server = "::1"' 'ip = "4"'
    want 68
    account_line 'IPv4 address, which ip = 4 asks for; '
    popd_rc 'ip = "5"'
    want 78
    one_line "$(basename "$RC"):[0-9]+: .*ip"
}

@test "source_address: the server sees it" {
    tell m1
    popd_start
    local relay
    relay=$("$TOOL" freeport)
    relay_start 127.0.0.1 "$relay" "$PORT"
    popd_rc "port = \"$relay\"" 'source_address = "127.0.0.9"'
    want 0
    grep -q '^from 127.0.0.9$' "$T/relay/log" || fail "$(cat "$T/relay/log")"
    popd_rc "port = \"$relay\""
    want 0
    grep -q '^from 127.0.0.1$' "$T/relay/log" || fail "$(cat "$T/relay/log")"
}

@test "source_address: not ours, of the other family, or none: an error that names it" {
    popd_start
    popd_rc 'source_address = "192.0.2.77"'
    fails 75 'source_address 192\.0\.2\.77 .*; check it'
    # a server with addresses of the other kind only, by number and by name
    popd_rc 'source_address = "::1"'
    fails 68 '^fetchpop: a: 127\.0\.0\.1: .*IPv6 address for source_address ::1; check the name and source_address'
    popd_rc 'server = "::1"' 'source_address = "127.0.0.1"'
    fails 68 '^fetchpop: a: ::1: .*IPv4 address for source_address 127\.0\.0\.1; '
    popd_rc 'ip = "4"' 'source_address = "::1"'
    fails 78 "$(basename "$RC"):[0-9]+: .*source_address"
    popd_rc 'proxy = "socks5://127.0.0.1:1"' 'source_address = "::1"'
    fails 68 '^fetchpop: a: proxy: 127\.0\.0\.1: .*source_address'
    popd_rc 'source_address = "nonsense"'
    want 78
    one_line "$(basename "$RC"):[0-9]+: .*source_address"
}

# a namespace in which 2001:db8::1, 2001:db8::3 and 192.0.2.9 swallow everything
DEAD='ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up
ip -6 addr add 2001:db8::2/64 dev v0 nodad
ip addr add 192.0.2.1/24 dev v0
for a in 2001:db8::1 2001:db8::3 192.0.2.9; do
    ip neigh add $a lladdr 02:00:00:00:00:01 dev v0 nud permanent
done'

@test "a dead IPv6 costs a quarter of a second, not the timeout" {
    namespace "$DEAD"
    tell m1
    popd_start 'set host 192.0.2.1'
    zone "pop.example.com AAAA 2001:db8::1" "pop.example.com AAAA 2001:db8::3" \
        "pop.example.com A 192.0.2.1" "dead.example.com AAAA 2001:db8::1" \
        "dead.example.com A 192.0.2.9"
    popd_rc 'server = "pop.example.com"' 'timeout = "10s"'
    local begin end
    begin=$(date +%s%N)
    want 0
    end=$(date +%s%N)
    [ "$(count)" -eq 1 ]
    [ $(((end - begin) / 1000000)) -le 2500 ] || fail "took $(((end - begin) / 1000000)) ms"
    popd_rc 'server = "dead.example.com"' 'timeout = "2s"'
    SECONDS=0
    want 75
    account_line
    [ "$SECONDS" -le 5 ] || fail "took $SECONDS s"
    popd_rc 'server = "pop.example.com"' 'timeout = "2s"' 'ip = "6"'
    want 75
}

@test "names: no such host is 68, no answer from DNS is 75, and takes no minute" {
    namespace
    popd_rc 'server = "none.example.com"' 'timeout = "3s"'
    want 68
    account_line 'none\.example\.com'
    zone 'mode servfail'
    want 75
    account_line
    zone 'mode silent'
    SECONDS=0
    want 75
    [ "$SECONDS" -le 15 ] || fail "took $SECONDS s"
}

@test "names: an answer that comes when the time is over is said to be that" {
    namespace
    zone 'slow 1300' 'pop.example.com A 127.0.0.1'
    popd_rc 'server = "pop.example.com"' 'timeout = "1s"' 'ip = "4"'
    want 75
    account_line '^fetchpop: a: pop\.example\.com: looking up the name took too long'
}

@test "an internationalised host name: looked up, sent and checked in its ASCII form" {
    namespace
    tell m1
    tls_popd_inside names
    zone "xn--bcher-kva.example A 127.0.0.1"
    tls_rc 'server = "bücher.example"'
    want 0
    [ "$(count)" -eq 1 ]
    noted '^sni xn--bcher-kva.example$'
    tls_rc 'server = "xn--bcher-kva.example"'
    want 0
}

tls_popd_inside() {
    export CERTS_NOTES=$T/tls-notes
    popd_start 'set tls implicit' "set cert \"$TLS/$1.pem\"" "set key \"$TLS/$1.key\""
}

@test "what answers in the place of a server that has worked may be a portal" {
    namespace
    tell m1
    PORT=995
    popd_run 995 'set tls implicit' "set cert \"$TLS/good.pem\"" "set key \"$TLS/good.key\""
    tls_rc
    want 0
    popd_stop
    popd_run 995 'on greeting: text "HTTP/1.1 302 Found\r\n"'
    want 76
    account_line 'no TLS on this port; if it had TLS, a portal or a proxy answers now: try again'
    [[ $stderr != *stls* ]] || fail "the configuration is not to blame"
    tls_rc 'auth = "plain"'
    want 76
    account_line 'for STLS write tls = "stls"'
    tls_rc
    popd_stop
    popd_run 995 'set tls implicit' "set cert \"$TLS/names.pem\"" "set key \"$TLS/names.key\""
    want 77
    certificate_lines 'if a portal or a proxy answers there now, try again later; else '
}

@test "tls and port do not go together: it is said" {
    namespace
    tell m1
    PORT=995
    popd_run 995 'set tls implicit' "set cert \"$TLS/good.pem\"" "set key \"$TLS/good.key\""
    local tls
    for tls in stls none; do
        popd_rc "tls = \"$tls\"" 'timeout = "1s"'
        want 76
        account_line 'port 995, which wants TLS from the start; write tls = "implicit" .port 995 usually goes with tls = "implicit"'
    done
    popd_stop
    PORT=110
    popd_run 110
    tls_rc 'timeout = "1s"'
    want 76
    account_line 'no TLS on this port; for STLS write tls = "stls" \(as a URL: pop3://\)$'
    popd_stop
    popd_run 110 'on greeting: hang'
    tls_rc 'timeout = "1s"'
    want 75
    account_line 'port 110 usually goes with tls = "stls"'
    # not where it would be no help
    popd_rc 'tls = "stls"' 'timeout = "1s"'
    want 75
    [[ $stderr != *usually* ]] || fail "a hint without reason"
}

@test "keepalive is on" {
    need ss
    popd_start 'on UIDL: stall'
    popd_rc
    start_fp
    wait_until 10 saw 1 UIDL
    ss -H -t -n -o state established "( dport = :$PORT )" | grep -q keepalive ||
        fail "$(ss -H -t -n -o state established "( dport = :$PORT )")"
    kill -TERM "$FP_PID"
}

# --- discover -------------------------------------------------------------------------------------

# discovered: the stanza is a configuration file in which these words stand; standard error is empty
discovered() {
    local word
    want 0 --discover alice@example.com
    for word; do
        grep -q -E -- "$word" <<<"$output" || fail "not in the stanza: $word"
    done
    grep -q -E 'alice' <<<"$output" || fail "no user"
    printf '%s\n' "$output" | rc
    run --separate-stderr fp -c
    [ "$status" -ne 78 ] || [[ $stderr == *password* ]] || fail "it is no configuration file"
}

@test "--discover: _pop3s._tcp, and the stanza works as it is" {
    namespace
    tell m1
    tls_popd_inside names
    zone "_pop3s._tcp.example.com SRV 10 5 $PORT pop.example.com" "pop.example.com A 127.0.0.1"
    discovered 'server *= *"?pop\.example\.com"?' "port *= *\"?$PORT\"?"
    want 0 --discover alice@example.com
    local user
    user=$(sed -n 's/^ *user *= *"\([^"]*\)".*/\1/p' <<<"$output")
    printf '%s\n' "$output" | grep -v -E '^ *#|^ *(maildir|mbox|mda|password[a-z_]*) *=' |
        sed "s|^}|    password = \"secret\"\n    tls_ca_file = \"$TLS/ca.pem\"\n    auth = \"user\"\n    maildir = \"$MD\"\n}|" | rc
    popd_stop
    popd_run "$PORT" 'set tls implicit' "set cert \"$TLS/names.pem\"" \
        "set key \"$TLS/names.key\"" "set user \"$user\""
    want 0
    [ "$(count)" -eq 1 ]
}

@test "--discover: the lower priority wins; weight 0 loses against weight 100" {
    namespace
    zone "_pop3s._tcp.example.com SRV 20 9 995 pop.example.com" \
        "_pop3s._tcp.example.com SRV 10 0 995 pop2.example.com" \
        "_pop3._tcp.example.com SRV 1 0 110 pop3.example.com"
    discovered 'server *= *"?pop2\.example\.com"?'
    zone "_pop3s._tcp.example.com SRV 10 0 995 light.example.com" \
        "_pop3s._tcp.example.com SRV 10 10000 995 heavy.example.com"
    local i heavy=0
    for i in 1 2 3 4 5; do
        want 0 --discover alice@example.com
        ! grep -q 'heavy\.example\.com' <<<"$output" || heavy=$((heavy + 1))
    done
    [ "$heavy" -ge 4 ] || fail "the heavy one was chosen $heavy times of 5"
}

@test "--discover: no _pop3s, or '.' there: _pop3 with STLS" {
    namespace
    zone "_pop3._tcp.example.com SRV 10 5 110 pop.example.com"
    discovered 'server *= *"?pop\.example\.com"?' 'tls *= *"?stls"?'
    zone "_pop3s._tcp.example.com SRV 0 0 0 ." "_pop3._tcp.example.com SRV 10 5 1110 pop.example.com"
    discovered 'tls *= *"?stls"?' 'port *= *"?1110"?'
}

@test "--discover: '.' in both, no record, no domain: 68 or 69 and one line, no stanza" {
    namespace
    zone "_pop3s._tcp.example.com SRV 0 0 0 ." "_pop3._tcp.example.com SRV 0 0 0 ."
    want 68 --discover alice@example.com
    one_line 'example\.com'
    [ -z "$output" ]
    zone "example.com A 192.0.2.1"
    want 68 --discover alice@example.com
    one_line 'example\.com'
    [ -z "$output" ]
}

@test "--discover: no answer, servfail: 75; cut answers, junk and loops: no harm" {
    namespace
    local mode
    for mode in silent servfail; do
        zone "mode $mode"
        FP_LIMIT=30
        want 75 --discover alice@example.com
        one_line '.'
        [ -z "$output" ]
    done
    for mode in junk short loop; do
        zone "mode $mode" "_pop3s._tcp.example.com SRV 10 5 995 pop.example.com"
        want 75 --discover alice@example.com
        [ -z "$output" ] || fail "$mode: a stanza"
    done
    zone "mode tc" "_pop3s._tcp.example.com SRV 10 5 995 pop.example.com"
    discovered 'pop\.example\.com'
}

@test "--discover: many records, and records that are none" {
    namespace
    { for i in $(seq 200); do echo "_pop3s._tcp.example.com SRV $i 0 995 p$i.example.com"; done; } >"$T/zone"
    discovered 'server *= *"?p1\.example\.com"?'
    tac "$T/zone" >"$T/zone.new"
    mv "$T/zone.new" "$T/zone"
    discovered 'server *= *"?p1\.example\.com"?'
    local hex
    for hex in 00 0001 000100020003 00010002 "0001000203e3ff" "0001000203e340" "0001000203e30570"; do
        zone "_pop3s._tcp.example.com RAW 33 $hex"
        want 75 --discover alice@example.com
        [ -z "$output" ] || fail "a stanza from $hex"
    done
}

@test "--discover: a target that would break out of the stanza is refused" {
    namespace
    local name
    for name in 'a\x22\x0a}\x0ainclude(\x22x' 'a\x0ab' 'a\x22b' 'a\x24{HOME}' 'a\x5cb' '\x1b[31m' 'a\x20b'; do
        zone "_pop3s._tcp.example.com SRV 10 5 995 $name.example.com"
        want 68 --discover alice@example.com
        [ -z "$output" ] || fail "a stanza: $output"
        ! grep -q -P '\x1b' <<<"$stderr" || fail "a raw escape"
    done
}

@test "--discover: not an address: 64" {
    local address
    for address in alice @example.com alice@ '' 'a@b@' 'alice@exa mple.com' \
        "alice@$(printf 'x%.0s' {1..300}).com"; do
        want 64 --discover "$address"
        [ -n "$stderr" ] && [ -z "$output" ]
    done
    want 64 --discover
}
