#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# --setup: a person at a terminal, Dovecot, and a DNS server of the tests' own.

load lib/common
load lib/certs
load lib/dovecot
load lib/dns
load lib/moving

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca names "DNS:pop.example.com,DNS:pop.example.org,DNS:mail.example.org,DNS:example.org,DNS:pop.gmail.com,DNS:outlook.office365.com"
    issue "$TLS" ca other "DNS:elsewhere.example.net"
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    three_messages
    for user in alice bob carol dora; do
        dovecot_user "$user" "se cret" "$BATS_FILE_TMPDIR/box"
    done
}

teardown_file() {
    dovecot_stop
}

TALK_ENV=()

# no_timer: without systemd, and with a crontab that fetches already: nothing is offered, whatever
# this machine has
no_timer() {
    mkdir -p "$T/none"
    printf '#!/bin/sh\nexit 1\n' >"$T/none/systemctl"
    printf '#!/bin/sh\necho "7 * * * * fetchpop -s"\n' >"$T/none/crontab"
    chmod 755 "$T/none/systemctl" "$T/none/crontab"
}

# talk [WHAT ANSWER]... -- ARG...: the person; $output is what is on the screen
talk() {
    local pairs=()
    while [ "$1" != -- ]; do
        pairs+=("$1")
        shift
    done
    shift
    no_timer
    run env -i PATH="${TALK_PATH:+$T/bin:}$T/none:$PATH" HOME="$H" LOGNAME=nobody-here LC_ALL=C TERM=dumb "${TALK_ENV[@]}" \
        RES_OPTIONS="timeout:1 attempts:1" \
        SSL_CERT_FILE="${CA:-$DOVE_CA}" "$LIB/talk.py" "$T/st" "${pairs[@]}" -- \
        timeout --foreground -k 5 90 "$FETCHPOP" "$@"
    [[ $output != *"talk: never shown"* ]] || fail "the dialog goes otherwise"
    status=$(cat "$T/st")
}

# The answers to all questions behind the login: file of its own, no timer
REST=('Deliver to' '' 'or for how long' '' 'Fetch it' '' 'Keep it in' '1')

@test "from an address to mail in the box: each question has a default" {
    need_dovecot
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"It works: 3 messages on the server."* ]] || fail "the login is not tried"
    [[ $output != *"se cret"* ]] || fail "the password is shown"
    [ "$(stat -c %a "$RC")" = 600 ] || fail "others can read it"
    ! grep -q 'se cret' "$RC" || fail "the password is in the configuration file"
    [ "$(stat -c %a "$H/.config/fetchpop/alice@example.invalid.password")" = 600 ]
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0
    [ "$(count "$H/Mail/alice@example.invalid")" -eq 3 ] || fail "mail is missing"
}

@test "a wrong password is asked for again; a server that is none is asked for again" {
    need_dovecot
    talk 'POP3 server' "localhost:1" '(?s)refuse.*POP3 server' "localhost:$DOVE_POP3S" \
        'User name' bob 'Password' wrong '(?s)refused.*User name' '' 'Password' 'se cret' \
        '(?s)It works.*Deliver to' '' "${REST[@]:2}" -- --setup bob@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
}

@test "what is there already need not be fetched" {
    need_dovecot
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' carol 'Password' 'se cret' \
        'Deliver to' '' 'or for how long' '30d' 'Fetch it' n 'Keep it in' 1 -- \
        --setup carol@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'keep = "\?30d' "$RC" || fail "keep is not as answered"
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0
    [ "$(count "$H/Mail/carol@example.invalid")" -eq 0 ] || fail "it was fetched"
}

@test "two long addresses that differ at their end are two accounts, each with a Maildir" {
    need_dovecot
    local long user
    long=$(printf '%064d' 0)
    for user in alice bob; do
        talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' "$user" 'Password' 'se cret' \
            "${REST[@]}" -- --setup "$long@$user.example.invalid"
        [ "$status" -eq 0 ] || fail "status $status"
    done
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0
    set -- "$H/Mail"/*
    [ $# -eq 2 ] || fail "Maildirs: $*"
    [ "$(count "$1")" -eq 3 ] && [ "$(count "$2")" -eq 3 ] || fail "mail is missing"
}

@test "an existing file is added to, and not rewritten; a second such account is refused" {
    need_dovecot
    printf '# mine\naccount "old" { server = h  user = u  maildir = m }   # as it was\n' | rc
    cp "$RC" "$T/before"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' dora 'Password' 'se cret' \
        "${REST[@]}" -- --setup dora@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    head -c "$(stat -c %s "$T/before")" "$RC" | cmp - "$T/before" || fail "it was rewritten"
    grep -q 'account "dora@example.invalid"' "$RC"
    cp "$RC" "$T/before"
    talk -- --setup dora@example.invalid
    [ "$status" -eq 78 ] || fail "status $status"
    [[ $output == *'has an account "dora@example.invalid" already'* ]] || fail "not told why"
    [[ $output != *"POP3 server"* ]] || fail "it asks before it says so"
    cmp "$RC" "$T/before" || fail "it was changed"
}

@test "what the file says for all accounts counts for the login that is tried" {
    need_dovecot
    CA=$TLS/ca.pem # which did not sign Dovecot's certificate
    printf 'defaults { tls_ca_file = "%s" }\n' "$DOVE_CA" | rc
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    want 0
    [ "$(count "$H/Mail/alice@example.invalid")" -eq 3 ] || fail "mail is missing"
}

@test "an answer that is none is told, and asked for again" {
    need_dovecot
    talk 'Your mail address: $' alice '(?s)written as in alice@example.com.*Your mail address' \
        alice@example.invalid 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice \
        'Password' 'se cret' 'Deliver to' 9 '(?s)number from 1 to 2.*Deliver to' 2 \
        'That is' 1 'Its path' '$HOME/Mail' '(?s)stands for itself.*Its path' '~/Mail/in' \
        'or for how long' 30 '(?s)a time with its unit.*or for how long' 30d \
        'Fetch it' perhaps '(?s)Answer yes or no.*Fetch it' y 'Keep it in' '' -- --setup
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q -F 'maildir = "~/Mail/in"' "$RC" || fail "$(cat "$RC")"
    rm "$RC"
    TALK_ENV=(EMAIL=alice@example.invalid)
    talk 'Your mail address: .alice@example.invalid.' '' 'server of example.invalid' '^C' -- --setup
    [ ! -e "$RC" ] || fail "something was written"
}

@test "a server that is typed: with STLS on a port of its own, as a URL" {
    need_dovecot
    talk 'POP3 server' "localhost:$DOVE_POP3" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'tls = stls' "$RC" || fail "$(cat "$RC")"
    rm "$RC"
    talk 'POP3 server' "pop3s://alice@localhost:$DOVE_POP3S/" 'User name' alice \
        'Password' 'se cret' "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'server = localhost' "$RC" || fail "$(cat "$RC")"
}

@test "a server that was typed wrong is answered as what it is, not as a line of a file" {
    talk 'POP3 server' 'pop.example.org 995' \
        '(?s)such as pop.example.com, not "pop.example.org 995".*POP3 server' 'localhost:99999' \
        '(?s)not a port; give a number from 1 to 65535.*POP3 server' 'https://localhost:1' \
        '(?s)port 1 refuses.*POP3 server' '^C' -- --setup alice@example.invalid
    ! grep -q 'fetchpoprc:\|write ' <<<"$output" || fail "$output"
}

@test "a key that no authority vouches for is trusted only on yes" {
    need_dovecot
    CA=$TLS/ca.pem
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'Trust this key' '' 'POP3 server' '^C' -- \
        --setup alice@example.invalid
    [ "$status" -ne 0 ] || fail "a success"
    talk 'POP3 server' "localhost:$DOVE_POP3S" '(?s)not trusted.*Trust this key' yes \
        'User name' alice 'Password' 'se cret' "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'tls_pin = ' "$RC" || fail "$(cat "$RC")"
    want 0
    [ "$(count "$H/Mail/alice@example.invalid")" -eq 3 ] || fail "mail is missing"
}

@test "so is the key of a server that is found at the second try, by STLS" {
    need_dovecot
    CA=$TLS/ca.pem
    talk 'POP3 server' "localhost:$DOVE_POP3" '(?s)not trusted.*Trust this key' yes \
        'User name' alice 'Password' 'se cret' "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'tls = stls' "$RC" && grep -q 'tls_pin = ' "$RC" || fail "$(cat "$RC")"
    want 0
    [ "$(count "$H/Mail/alice@example.invalid")" -eq 3 ] || fail "mail is missing"
}

@test "what cannot be marked as fetched leaves neither an account nor a password behind" {
    certs "$T"
    tell m1
    CA=$T/ca.pem
    popd_start 'set tls implicit' "set cert \"$T/server.pem\"" "set key \"$T/server.key\""
    local gone="kill -KILL $POPD_PID; while bash -c ': </dev/tcp/127.0.0.1/$PORT'; do sleep 0.1; done"
    talk 'POP3 server' "localhost:$PORT" 'User name' alice 'Password' secret 'Deliver to' '' \
        'or for how long' '' 'Fetch it' no 'Keep it in' "!$gone" -- \
        --setup alice@example.invalid
    [ "$status" -ne 0 ] || fail "a success"
    [[ $output == *"no account was written"* ]] || fail "not told so"
    [ ! -e "$RC" ] || fail "$(cat "$RC")"
    [ -z "$(find "$H" -name '*.password')" ] || fail "the password is there"
    popd_start 'set tls implicit' "set cert \"$T/server.pem\"" "set key \"$T/server.key\""
    gone="kill -KILL $POPD_PID; while bash -c ': </dev/tcp/127.0.0.1/$PORT'; do sleep 0.1; done"
    key_ring
    talk 'POP3 server' "localhost:$PORT" 'User name' alice 'Password' secret 'Deliver to' '' \
        'or for how long' '' 'Fetch it' no '1  the key ring' "!$gone" -- \
        --setup alice@example.invalid
    [ "$status" -ne 0 ] || fail "a success"
    grep -q '^store ' "$T/secret-tool.args" || fail "it never was in the key ring"
    [ ! -e "$T/ring-alice@example.invalid" ] || fail "the password is in the key ring"
}

@test "if the account cannot be written, it is said that mail was marked as fetched" {
    need_dovecot
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        'Deliver to' '' 'or for how long' '' 'Fetch it' no 'Keep it in' "!mkdir '$RC'" -- \
        --setup alice@example.invalid
    [ "$status" -ne 0 ] || fail "a success"
    [[ $output == *"not written, but what is on the server is marked as fetched; --all fetches it"* ]] ||
        fail "not told of"
    [ -z "$(find "$H" -name '*.password')" ] || fail "the password is there"
    rmdir "$RC"
    dovecot_account alice@example.invalid alice "se cret" implicit "maildir = \"$MD\"" | rc
    want 0
    [ "$(count)" -eq 0 ] || fail "it was not marked"
    want 0 --all
    [ "$(count)" -eq 3 ] || fail "--all does not fetch it"
}

@test "a file without an account is added to" {
    need_dovecot
    printf '# nothing so far' | rc
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(head -n 1 "$RC")" = '# nothing so far' ] || fail "$(cat "$RC")"
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0 --check-config
}

@test "a file with a mistake is told before any question" {
    echo 'account {' | rc
    talk -- --setup a@example.invalid
    [ "$status" -eq 78 ] || fail "status $status"
    [[ $output != *"POP3 server"* ]]
}

@test "Ctrl-C at any question: nothing is written" {
    need_dovecot
    local n script=('POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret'
        "${REST[@]}")
    for ((n = 0; n < ${#script[@]}; n += 2)); do
        talk "${script[@]:0:n}" "${script[n]}" '^C' -- --setup alice@example.invalid
        [ "$status" -ne 0 ] || fail "a success after ${script[n]}"
        [ -z "$(find "$H" -type f)" ] || fail "at ${script[n]}: $(find "$H" -type f)"
    done
}

@test "the DNS names the server; a certificate of another name is not believed" {
    namespace
    tell m1
    export CA=$TLS/ca.pem
    POPD_ARGS=(-o tls=implicit -o "cert=$TLS/names.pem" -o "key=$TLS/names.key" -o user=alice)
    popd_start
    zone "_pop3s._tcp.example.com SRV 10 5 $PORT pop.example.com" "pop.example.com A 127.0.0.1" \
        "_pop3s._tcp.example.net SRV 10 5 $PORT pop.example.net" "pop.example.net A 127.0.0.1"
    talk 'POP3 server.*pop.example.com:[0-9]*' '' 'User name' alice 'Password' secret \
        'Deliver to' '' 'or for how long' '' 'Fetch it' '' 'Keep it in' 1 -- \
        --setup alice@example.com
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'server = "pop.example.com"' "$RC" || fail "another server"
    talk 'pop.example.net: .*certificate' '' 'POP3 server, or server:port: ' '^C' -- \
        --setup alice@example.net
    [[ $output != *"pop.example.net, port $PORT: found"* ]] || fail "it is believed"
}

@test "without a word of the DNS, usual names are tried" {
    namespace
    tell m1
    export CA=$TLS/ca.pem
    POPD_ARGS=(-o tls=implicit -o "cert=$TLS/names.pem" -o "key=$TLS/names.key" -o user=alice)
    popd_run 995
    zone "pop.example.org A 127.0.0.1" "mail.example.org A 127.0.0.1"
    talk 'POP3 server.*pop.example.org:995' '' 'User name' alice 'Password' secret 'It works: 1' '' \
        'or for how long' no 'Fetch it' '' 'Keep it in' 2 -- --setup alice@example.org
    [ "$status" -eq 0 ] || fail "status $status"
    ! grep -q password "$RC" || fail "a password that was to be kept nowhere"
    grep -q 'keep = no' "$RC"
}

# named_server NAME TLS PORT: alice's server, the only one that the domain has
named_server() {
    namespace
    tell m1
    export CA=$TLS/ca.pem
    POPD_ARGS=(-o "tls=$2" -o "cert=$TLS/names.pem" -o "key=$TLS/names.key" -o user=alice)
    popd_run "$3"
    zone "$1 A 127.0.0.1"
}

@test "mail., and STLS on port 110, are tried as well" {
    named_server mail.example.org stls 110
    talk 'POP3 server.*mail.example.org:110' '' 'User name' alice 'Password' secret 'It works: 1' '' \
        'or for how long' no 'Fetch it' '' 'Keep it in' 2 -- --setup alice@example.org
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'tls = stls' "$RC" || fail "$(cat "$RC")"
}

@test "the bare domain is tried when no other name is there" {
    named_server example.org implicit 995
    talk 'POP3 server.*.example.org:995' '' 'User name' alice 'Password' secret 'It works: 1' '' \
        'or for how long' '' 'Fetch it' '' 'Keep it in' 2 -- --setup alice@example.org
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q 'server = "example.org"' "$RC" || fail "$(cat "$RC")"
}

@test "a title is the address; a long one is cut after a whole character and ends in a digest" {
    need_dovecot
    local part=aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee title
    for address in "${part}ffffffffggggggghhhhhhh@example.invalid:${part}ffffffffggggggg" \
        "${part}f@öööööööööö.invalid:${part}f@öööööö"; do
        title=${address#*:}-$(printf %s "${address%:*}" | sha256sum | cut -c1-8)
        talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
            "${REST[@]}" -- --setup "${address%:*}"
        [ "$status" -eq 0 ] || fail "status $status"
        grep -q -x -F "account \"$title\" {" "$RC" || fail "$title: $(cat "$RC")"
        FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
        want 0
        talk -- --setup "${address%:*}"
        [[ $output == *"has an account \"$title\" already"* ]] || fail "not told why"
        rm -r "$RC" "$STATE" "$H/Mail"
    done
}

# stub NAME: a program in front of the PATH that keeps its arguments and its input
stub() {
    mkdir -p "$T/bin"
    printf '#!/bin/sh\necho "$@" >>"%s"\ncat >>"%s"\n' "$T/$1.args" "$T/$1.input" >"$T/bin/$1"
    chmod 755 "$T/bin/$1"
    TALK_PATH=$T/bin
}

@test "pass is offered where there is a store, and the password is in it at once" {
    need_dovecot
    stub pass
    mkdir -p "$H/.password-store"
    echo key >"$H/.password-store/.gpg-id"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" '1  pass' '' -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(cat "$T/pass.input")" = "se cret" ] || fail "it did not get the password"
    [[ $(cat "$T/pass.args") == "insert -m -f mail/alice@example.invalid" ]] || fail "how it is run"
    grep -q -F 'password_command = "pass show mail/alice@example.invalid"' "$RC"
    [ ! -e "$H/.config" ] || fail "it is in a file, too"
    rm "$RC" "$T/pass.args"
    mkdir -p "$H/.password-store/mail"
    echo mine >"$H/.password-store/mail/alice@example.invalid.gpg"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" '1  pass' '' '(?s)there is a password already.*Keep it in' '^C' -- \
        --setup alice@example.invalid
    [ ! -e "$T/pass.args" ] || fail "what was there is replaced"
}

@test "a line of the crontab is shown, and installed only on yes" {
    need_dovecot
    stub crontab
    no_systemd
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" 'every five minutes' '' -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ ! -s "$T/crontab.input" ] || fail "it was installed"
    rm "$RC"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        'Deliver to' '' 'or for how long' '' 'Fetch it' '' 'Keep it in' 1 'Do that now' y \
        -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(cat "$T/crontab.input")" = "*/5 * * * * $FETCHPOP" ] || fail "cron would not find that"
}

# --- what is offered ------------------------------------------------------------------------------

# key_ring: a stand-in for secret-tool, which keeps one password a name
key_ring() {
    mkdir -p "$T/bin"
    cat >"$T/bin/secret-tool" <<END
#!/bin/sh
echo "\$*" >>"$T/secret-tool.args"
case \$1 in
store) cat >"$T/ring-\$4" ;;
lookup) cat "$T/ring-\$3" ;;
clear) rm "$T/ring-\$3" ;;
*) exit 64 ;;
esac
END
    chmod 755 "$T/bin/secret-tool"
    TALK_PATH=$T/bin
    TALK_ENV=(DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent)
}

@test "the key ring is offered where there is a session for it, and used at once" {
    need_dovecot
    key_ring
    no_systemd
    stub crontab
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" '1  the key ring' '' -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"cron has no key ring"* ]] || fail "cron is offered, and would fail"
    [ "$(cat "$T/secret-tool.args")" = "store --label=fetchpop mail alice@example.invalid" ]
    printf 'se cret' | cmp - "$T/ring-alice@example.invalid" || fail "it got something else"
    [ ! -e "$H/.config" ] || fail "it is in a file, too"
    ! grep -q 'se cret' "$RC" || fail "it is in the configuration file, too"
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA" "PATH=$T/bin:$PATH")
    want 0
    [ "$(count "$H/Mail/alice@example.invalid")" -eq 3 ] || fail "mail is missing"
    rm "$RC"
    TALK_ENV=()
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" '1  a file' '^C' -- --setup alice@example.invalid
    [[ $output != *"key ring of"* ]] || fail "it is offered without a session"
}

@test "a place that does not take the password is told, and another one can be chosen" {
    need_dovecot
    key_ring
    printf '#!/bin/sh\nexit 1\n' >"$T/bin/secret-tool"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" 'Keep it in' 1 '(?s)this failed: .*secret-tool.*another place.*Keep it in' \
        2 -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q password_file "$RC" || fail "not the other place"
    ! grep -q secret-tool "$RC" || fail "the one that failed is named"
}

@test "Ctrl-C while the password is being stored: nothing is written" {
    need_dovecot
    key_ring
    printf '#!/bin/sh\n: >"%s"\nexec sleep 50\n' "$T/stores" >"$T/bin/secret-tool"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" 'Keep it in' 1 '' "!until [ -e $T/stores ]; do sleep 0.1; done" '' '^C' -- \
        --setup alice@example.invalid
    [ "$status" -ne 0 ] || fail "a success"
    [ -z "$(find "$H" -type f)" ] || fail "$(find "$H" -type f)"
}

# place WHAT-IS-OFFERED: it is the first choice, and taken
place() {
    rm -f "$RC"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "(?s)Your mail reader.*1  $1.*Deliver to" '' "${REST[@]:2}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
}

@test "places that are there already are offered first: Maildirs, procmail" {
    need_dovecot
    mkdir -p "$H/Mail/new" "$T/bin"
    place '~/Mail \(maildir\)'
    grep -q -F 'maildir = "~/Mail"' "$RC" || fail "$(cat "$RC")"
    printf '#!/bin/sh\nexit 0\n' >"$T/bin/procmail"
    chmod 755 "$T/bin/procmail"
    : >"$H/.procmailrc"
    rmdir "$H/Mail/new"
    TALK_PATH=$T/bin
    place 'procmail \(mda\)'
    grep -q -F 'mda = procmail' "$RC" || fail "$(cat "$RC")"
    mkdir -p "$H/Maildir/new"
    place '~/Maildir \(maildir\)'
    grep -q -F 'maildir = "~/Maildir"' "$RC" || fail "$(cat "$RC")"
}

@test "the mbox of this machine's own mail is offered, and anything else can be typed" {
    need_dovecot
    : >"$T/inbox"
    TALK_ENV=("MAIL=$T/inbox")
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        '(?s)1  ~/Mail/alice@.*2  /.*/inbox \(mbox\).*Deliver to' 2 "${REST[@]:2}" -- \
        --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q -F "mbox = \"$T/inbox\"" "$RC" || fail "$(cat "$RC")"
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0
    [ "$(grep -c '^From ' "$T/inbox")" -eq 3 ] || fail "mail is missing"
    rm "$RC" "$T/inbox"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        'Deliver to' 2 'That is' 3 'Its path, or the command' 'cat >/dev/null' "${REST[@]:2}" -- \
        --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output != *"(mbox)"* ]] || fail "an mbox that is not there is offered"
    grep -q -F 'mda = "cat >/dev/null"' "$RC" || fail "$(cat "$RC")"
}

# systemd STATE: a stand-in for a systemd that has the units, and the timer in this state
systemd() {
    mkdir -p "$T/bin"
    cat >"$T/bin/systemctl" <<END
#!/bin/sh
echo "\$*" >>"$T/systemctl.args"
case \$2 in is-enabled) [ "\$3" = fetchpop.timer ] && [ $1 = enabled ] ;; esac
END
    chmod 755 "$T/bin/systemctl"
    TALK_PATH=$T/bin
}

no_systemd() {
    printf '#!/bin/sh\nexit 1\n' >"$T/bin/systemctl"
    chmod 755 "$T/bin/systemctl"
}

@test "a timer of systemd is shown, and started only on yes" {
    need_dovecot
    systemd disabled
    stub crontab
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" '(?s)every five minutes.*enable --now fetchpop.timer.*Do that now' '^C' -- \
        --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ -s "$RC" ] || fail "the configuration is gone"
    ! grep -q enable\ --now "$T/systemctl.args" || fail "it was started"
    rm "$RC"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" 'Do that now' y -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(tail -n 1 "$T/systemctl.args")" = '--user enable --now fetchpop.timer' ] || fail "not started"
    [ ! -s "$T/crontab.input" ] || fail "cron has it, too"
    run systemd-analyze verify --man=no --user \
        "$BATS_TEST_DIRNAME/../../contrib/systemd/fetchpop.timer"
    [[ $output != *"fetchpop.timer:"* ]] || fail "what is started is no good timer"
}

@test "nothing is offered where mail comes by itself already, or cannot" {
    need_dovecot
    systemd enabled
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"by itself already, by systemctl"* ]] || fail "not told"
    [[ $output != *"Do that now"* ]] || fail "it is offered again"
    rm "$RC"
    no_systemd
    stub crontab
    printf '#!/bin/sh\necho "7 * * * * fetchpop -s"\n' >"$T/bin/crontab"
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]}" -- --setup alice@example.invalid
    [[ $output == *"by itself already, by crontab"* ]] || fail "not told"
    [[ $output != *"Do that now"* ]] || fail "a second line is offered"
    rm "$RC"
    systemd disabled
    talk 'POP3 server' "localhost:$DOVE_POP3S" 'User name' alice 'Password' 'se cret' \
        "${REST[@]:0:6}" 'Keep it in' 2 -- --setup alice@example.invalid
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output != *"five minutes"* ]] || fail "a timer that has no password"
}

# --- moving in ------------------------------------------------------------------------------------

# fetchmail_home UIDL [FILE]: alice's mail has come by fetchmail, whose list has this message
fetchmail_home() {
    cat >"$H/.fetchmailrc" <<END
set daemon 300
set idfile "${2:-$H/.fetchids}"
poll localhost proto pop3 port $DOVE_POP3S uidl:
    user alice pass "se cret" ssl sslcertfile $DOVE_CA keep folder Inbox mda "cat >>$H/theirs"
END
    printf 'alice@localhost %s\n' "$1" >"${2:-$H/.fetchids}"
    chmod 600 "$H/.fetchmailrc"
}

# uidls: what Dovecot calls alice's messages
uidls() {
    dovecot_account a alice "se cret" implicit 'mda = ":"' | rc
    want 0 --dry-run >&2
    rm "$RC"
    grep -o 'UIDL [^ ,:)]*' <<<"$output" | cut -d ' ' -f 2
}

@test "--setup --import takes over another fetcher's accounts and what it has fetched" {
    need_dovecot
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    local first
    first=$(uidls | head -n 1)
    [ -n "$first" ] || fail "no UIDL is known"
    fetchmail_home "$first" "$H/my-ids"
    talk 'Add this to .*fetchpoprc\?' '' '(?s)come again, without.*that list\?' '' -- \
        --import fetchmail --setup
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"localhost: alice at localhost, to cat >>$H/theirs"* ]] || fail "not told what"
    [[ $output == *"localhost: 1 taken over as fetched"* ]] || fail "not told how many"
    [[ $output != *"se cret"* ]] || fail "the password is shown"
    [ "$(stat -c %a "$RC")" = 600 ] || fail "others can read it"
    grep -q '# Left out: folder Inbox' "$RC" || fail "what is left out is lost"
    want 0
    [ "$(grep -c '^Message-ID' "$H/theirs")" -eq 2 ] || fail "not the two that are new"
}

@test "--setup finds another fetcher's file, and begins with it if that is wanted" {
    need_dovecot
    fetchmail_home none
    rm "$H/.fetchids"
    sed -i '/idfile/d' "$H/.fetchmailrc"
    talk 'configuration of fetchmail, ~/.fetchmailrc' '' 'Add this' '' -- --setup
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"fetchpop --import-seen fetchmail ~/.fetchids localhost"* ]] ||
        fail "no word of the list"
    grep -q 'account "localhost"' "$RC" || fail "it is not written"
    rm "$RC"
    printf 'set idfile "%s"\n' "$H/my lists" | cat - "$H/.fetchmailrc" >"$T/with-idfile"
    talk 'Add this' '' -- --setup -f "$RC" --import fetchmail "$T/with-idfile"
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"fetchpop -f $RC --import-seen fetchmail '$H/my lists' localhost"* ]] ||
        fail "the list is not where the configuration says"
    rm "$RC"
    talk 'Take over its accounts' n 'Your mail address:' '^C' -- --setup
    [ ! -e "$RC" ] || fail "it is written all the same"
    talk 'POP3 server' '^C' -- --setup alice@example.invalid
    [[ $output != *fetchmail* ]] || fail "it is offered to one who gives an address"
}

@test "--setup finds getmail's older folder, and a list that is none is told" {
    mkdir -p "$H/.getmail"
    printf '%s\n' '[retriever]' 'type = SimplePOP3SSLRetriever' 'server = h.invalid' 'port = 1995' \
        'username = u' 'password = p' '[destination]' 'type = Maildir' 'path = ~/M/' \
        >"$H/.getmail/getmailrc"
    printf 'm1\0001795000000\n' >"$H/.getmail/oldmail-h.invalid-1995-u"
    talk 'configuration of getmail, ~/.getmail/getmailrc' '' 'Add this' '' 'that list' '' -- --setup
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *"h.invalid: 1 taken over as fetched"* ]] || fail "the list beside it is not"
    rm -rf "$RC" "$STATE"
    echo m1 >"$H/.getmail/oldmail-h.invalid-1995-u"
    talk 'Add this' '' 'that list' '' -- --setup --import getmail "$H/.getmail/getmailrc"
    [[ $output == *"h.invalid: line 1 does not belong in a list of getmail"* ]] || fail "it is not told"
}

# moves PROGRAM: its configuration is in the home, and its list, which has what Dovecot has
moves() {
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    rm -rf "$RC" "$STATE" "$H/Mail"
    talk 'Add this' '' '(?s)come again, without.*that list' '' -- --setup --import "$1"
    [ "$status" -eq 0 ] || fail "$1: status $status"
    [[ $output == *": 3 taken over as fetched"* ]] || fail "$1: the list is not taken over"
    run --separate-stderr fp --json
    [ "$status" -eq 0 ] && [[ $output == *'"new": 0,'*'"seen": 3'* ]] || fail "$1: mail comes twice"
}

@test "moving in: cron is offered only for what it can do alone" {
    stub crontab
    no_systemd
    local line said
    while read -r said line; do
        rm -f "$RC"
        printf 'account home\nhost pop.example.com\ntls on\nuser al\nkeep on\ndelivery maildir ~/M\n%s\n' \
            "$line" >"$H/.mpoprc"
        chmod 600 "$H/.mpoprc"
        if [ "$said" = yes ]; then
            talk 'Add this' '' 'Do that now' '' -- --setup --import mpop
            [[ $output == *"this line of your crontab: */5 * * * * $FETCHPOP"* ]] || fail "$output"
        else
            talk 'Add this' '' -- --setup --import mpop
            [[ $output != *"Do that now"* ]] || fail "offered: $line"
        fi
        [ "$status" -eq 0 ] && [ -s "$RC" ] || fail "status $status"
    done <<'END'
yes password p
yes passwordeval cat pw
no passwordeval secret-tool lookup mail home
no # no password at all
END
}

@test "mpop, getmail and fdm: configuration and list, as each has written it, in one go" {
    need mpop
    need getmail
    need fdm
    need_dovecot
    mkdir -p "$H/Mail/cur" "$H/Mail/new" "$H/Mail/tmp"
    printf '%s\n' 'account a' 'host localhost' "port $DOVE_POP3S" 'tls on' 'tls_starttls off' \
        "tls_trust_file $DOVE_CA" 'user dora' 'password se cret' 'keep on' \
        "delivery maildir $H/Mail" "uidls_file $H/my-list" >"$H/.mpoprc"
    chmod 600 "$H/.mpoprc"
    theirs mpop a >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    [ -s "$H/my-list" ] || fail "mpop has no list"
    moves mpop
    outside getmail
    printf '%s\n' '[retriever]' 'type = SimplePOP3SSLRetriever' 'server = localhost' \
        "port = $DOVE_POP3S" 'username = dora' 'password = se cret' "ca_certs = $DOVE_CA" \
        '[destination]' 'type = Maildir' "path = $home/old/" '[options]' 'read_all = false' \
        >"$home/getmailrc"
    theirs_outside getmail -g "$home" >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    mkdir -p "$H/.config/getmail"
    cp "$home/getmailrc" "$home"/oldmail-* "$H/.config/getmail"
    moves getmail
    outside fdm
    printf '%s\n' "set lock-file \"$home/lock\"" "action \"in\" maildir \"$home/old\"" \
        "account \"a\" pop3 server \"localhost\" port $DOVE_POP3 user \"dora\" pass \"se cret\"" \
        "    new-only cache \"$home/.cache-%u\" no-apop keep" 'match all action "in"' >"$home/.fdm.conf"
    chmod 600 "$home/.fdm.conf"
    theirs_outside fdm -f "$home/.fdm.conf" fetch >"$T/out" 2>&1 || fail "$(cat "$T/out")"
    cp "$home/.fdm.conf" "$H"
    moves fdm
}

# same WHEN: the private home is as it was
same() {
    find "$H" -type f -exec sha256sum {} + | sort | cmp -s - "$T/files" ||
        fail "$1: $(find "$H" -type f)"
}

@test "moving in: no, Ctrl-C, or what does not go together, and nothing is written" {
    need_dovecot
    fetchmail_home some
    printf 'poll localhost proto pop3:\n password p\n' >"$T/few"
    find "$H" -type f -exec sha256sum {} + | sort >"$T/files"
    talk 'Add this' n -- --setup --import fetchmail
    [ "$status" -ne 0 ] || fail "a success"
    [[ $output == *"nothing was written"* ]] || fail "not told so"
    [[ $output != *"that list"* ]] || fail "it goes on asking"
    same "after no"
    talk 'Add this' '^C' -- --setup --import fetchmail
    same "at the first question"
    talk 'Add this' '' 'that list' '^C' -- --setup --import fetchmail
    [[ $output == *"nothing was written"* ]] || fail "not told so"
    same "at the second one"
    talk -- --setup --import fetchmail "$T/few"
    [ "$status" -eq 78 ] || fail "status $status"
    [[ $output == *"not enough for an account: "*"user"* ]] || fail "not told what is missing"
    same "not enough"
    talk -- --setup --import none
    [ "$status" -eq 64 ] || fail "status $status"
    printf '# mine\naccount "localhost" { server = h  user = u  maildir = m }\n' | rc
    cp "$RC" "$T/before"
    talk -- --setup --import fetchmail
    [ "$status" -eq 78 ] || fail "status $status"
    [[ $output == *'a second account "localhost"'* ]] || fail "not told why"
    cmp "$RC" "$T/before" || fail "it was changed"
}

@test "what was edited while the questions were asked is still there, and state_dir counts" {
    need_dovecot
    fetchmail_home none
    printf 'state_dir = "%s"\n' "$T/elsewhere" | rc
    talk 'Add this' '' 'that list' "!echo '# meanwhile' >>$RC" -- --setup --import fetchmail
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q '^# meanwhile' "$RC" || fail "what was edited is gone"
    grep -q 'account "localhost"' "$RC" || fail "it is not written"
    [ -d "$T/elsewhere" ] || fail "the list is in another folder"
    [ ! -e "$H/.local" ] || fail "a state folder that nobody wants"
}

@test "a large provider's habits are told; one without POP3 ends it" {
    talk -- --setup alice@icloud.com
    [ "$status" -ne 0 ] || fail "a success"
    [[ $output == *"has IMAP but no POP3"* ]] || fail "not told"
    namespace
    tell m1
    export CA=$TLS/ca.pem
    POPD_ARGS=(-o tls=implicit -o "cert=$TLS/names.pem" -o "key=$TLS/names.key" -o user=alice@gmail.com)
    popd_run 995
    zone "pop.gmail.com A 127.0.0.1"
    talk '(?s)app password.*POP3 server.*pop.gmail.com:995' '' 'User name' '' 'Password' secret \
        'It works: 1' '' 'or for how long' '' 'Fetch it' '' 'Keep it in' 1 -- --setup alice@gmail.com
    [ "$status" -eq 0 ] || fail "status $status"
}

@test "a provider that takes no password: a command is asked for, and its token logs in" {
    namespace
    tell m1
    export CA=$TLS/ca.pem OAUTH_TOKEN=$T/token OAUTH_NOTES=$T/notes
    echo 'the.token' >"$T/token"
    in_namespace "$LIB/oauth_popd.py" "$T/popd-inside"
    POPD_ARGS=(-o tls=implicit -o "cert=$TLS/names.pem" -o "key=$TLS/names.key"
        -o user=alice@outlook.com -o auth=XOAUTH2)
    popd_run 995
    zone "outlook.office365.com A 127.0.0.1"
    talk 'POP3 server' '' 'User name' '' 'prints a token: .oama access alice@outlook.com.' 'echo wrong' \
        '(?s)refused.*User name' '' 'prints a token: .echo wrong.' "cat $T/token" 'It works: 1' '' \
        'or for how long' '' 'Fetch it' '' -- --setup alice@outlook.com
    [ "$status" -eq 0 ] || fail "status $status"
    grep -q -F "token_command = \"cat $T/token\"" "$RC" || fail "$(cat "$RC")"
    ! grep -q password "$RC" || fail "a password is kept"
    rm "$RC"
    talk 'POP3 server' '' 'User name' '' \
        "prints a token: .oama access 'o'\\\\''brien@outlook.com'. " '^C' -- --setup "o'brien@outlook.com"
}

@test "without a terminal --setup says so; without a configuration file fetchpop names it" {
    want 64 --setup a@example.invalid
    one_line 'needs a terminal to ask its questions on'
    want 78
    one_line 'no configuration file: .*fetchpop --setup writes one'
    want 64 --setup a b
    one_line 'takes one address'
    want 64 --setup -f - a@example.invalid
    one_line 'writes a file'
}
