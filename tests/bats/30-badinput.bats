#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input: one clear line (who, what, what to do), the right status, nothing half written.

load lib/common

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    certs "$TLS"
}

# refused LINE [REGEX]: the configuration is refused with 78 and its line number (0: no line), and
# nothing was made and nobody called
refused() {
    want 78
    if [ "$1" -eq 0 ]; then
        one_line "^fetchpop: .*$(basename "$RC").*[:;,] .+"
    else
        one_line "^fetchpop: .*$(basename "$RC"):$1: .+"
    fi
    [ $# -lt 2 ] || one_line "$2"
    [ -z "$output" ]
    [ ! -e "$MD" ] || fail "a Maildir was made"
    [ ! -e "$STATE" ] || fail "a state folder was made"
    [ "$(connections)" -eq 0 ] || fail "the server was called"
}

# base: a configuration file of which line 7 is keep, line 8 the end
base() {
    cat <<END
account "a" {
    server = "127.0.0.1"
    user = "alice"
    password = "secret"
    tls = "none"
    maildir = "$MD"
    ${1:-keep = "yes"}
}
END
}

@test "no configuration file at all" {
    want 78
    one_line 'fetchpoprc'
}

@test "the configuration file named by -f is missing" {
    want 78 -f "$T/none"
    one_line "$T/none"
}

@test "the configuration file is a folder" {
    mkdir "$RC"
    refused 0
}

@test "the configuration file is empty: no account" {
    rc </dev/null
    refused 0 account
}

@test "the configuration file holds a NUL" {
    { base; printf 'x\0y\n'; } | rc
    want 78
    one_line "$(basename "$RC")"
}

@test "the configuration file begins with a byte order mark" {
    { printf '\xef\xbb\xbf'; base; } | rc
    want 78
    one_line "$(basename "$RC")"
}

@test "unknown key, with the right line" {
    base 'kepp = "yes"' | rc
    refused 7 kepp
}

@test "unknown key on top and in defaults" {
    { echo 'jobz = "3"'; base; } | rc
    refused 1 jobz
    { echo 'defaults {'; echo 'kepp = "no" }'; base; } | rc
    refused 2 kepp
}

@test "unknown section" {
    { echo 'acount "x" { }'; base; } | rc
    refused 1 acount
}

@test "line numbers are right behind comment lines" {
    { printf '# one\n# two "quoted\n\n   # three { \n'; base 'kepp = "yes" # end'; } | rc
    refused 11 kepp
}

@test "line numbers are right behind a # inside quotes" {
    { echo '# "'; base 'kepp = "x"' | sed 's/"secret"/"sec#ret"/'; } | rc
    refused 8 kepp
}

@test "a # inside quotes is part of the value" {
    tell m1
    popd_start 'set password "sec#ret"'
    popd_rc 'password = "sec#ret" # a comment'
    want 0
    [ "$(count)" -eq 1 ]
}

@test "duplicate key" {
    base 'user = "bob"' | rc
    refused 7 user
}

@test "duplicate account title" {
    { base; base | sed 's/alice/bob/'; } | rc
    want 78
    one_line "$(basename "$RC"):[0-9]+: .*a"
}

@test "same server and user twice, also with another port" {
    { base; base | sed 's/"a"/"b"/'; } | rc
    refused 9 '"b".*"a".*server and user'
    { base; base 'port = "1995"' | sed 's/"a"/"b"/'; } | rc
    refused 9 '"b".*"a".*server and user'
}

@test "no destination, two destinations" {
    base | grep -v maildir | rc
    want 78
    one_line maildir
    base "mbox = \"$T/inbox\"" | rc
    want 78
    one_line 'maildir.*mbox|mbox.*maildir'
    base 'mda = "cat"' | rc
    want 78
    one_line 'maildir.*mda|mda.*maildir'
    [ ! -e "$T/inbox" ]
}

@test "no server, no user" {
    base | grep -v server | rc
    want 78
    one_line server
    base | grep -v user | rc
    want 78
    one_line user
}

@test "two secrets" {
    base 'password_command = "echo x"' | rc
    want 78
    one_line 'password'
}

@test "bad numbers, durations, sizes and words" {
    local bad
    for bad in 'port = "0"' 'port = "65536"' 'port = "110x"' 'port = "-1"' 'port = ""' \
        'port = "99999999999999999999"' 'port = "0x6e"' 'timeout = "1w"' 'timeout = "-1s"' \
        'timeout = "0"' 'timeout = "99999999999999999999d"' 'timeout = "s"' 'max_size = "1.5M"' \
        'max_size = "1X"' 'max_size = "99999999999999999999G"' 'max_messages = "some"' \
        'max_tries = "-2"' 'keep = "maybe"' 'keep = "30x"' 'pipelining = "often"' \
        'fsync = "some"' 'enabled = "2x"' 'tls_min_version = "9"' 'tls_trust = "hope"'; do
        base "$bad" | rc
        refused 7 "${bad%% *}"
    done
    base | sed 's/"none"/"perhaps"/' | rc
    refused 5 tls
}

@test "a password with a blank user, an empty server" {
    base | sed 's/"127.0.0.1"/""/' | rc
    want 78
    one_line server
    base | sed 's/"alice"/""/' | rc
    want 78
    one_line user
}

@test "line ends in user or password never reach the wire" {
    popd_start
    popd_rc 'user = "alice\r\nDELE 1"'
    want '77|78'
    ! sent | grep -q DELE
    popd_rc 'password = "secret\r\nDELE 1"'
    want '77|78'
    ! sent | grep -q DELE
}

@test "a missing quote or brace" {
    base | sed 's/"secret"/"secret/' | rc
    want 78
    one_line "$(basename "$RC"):[0-9]+: "
    base | sed '$d' | rc
    want 78
    one_line "$(basename "$RC"):[0-9]+: "
    { base; echo '}'; } | rc
    refused 9
}

@test "include: missing, of itself, too deep, and line numbers inside" {
    mkdir "$H/sub"
    echo 'include("sub/none")' | rc
    want 78
    one_line none
    echo 'include(".fetchpoprc")' | rc
    want 78
    one_line include
    local i
    for ((i = 1; i <= 40; i++)); do
        echo "include(\"f$((i + 1))\")" >"$H/sub/f$i"
    done
    base >"$H/sub/f41"
    chmod 600 "$H/sub/"*
    echo 'include("sub/f1")' | rc
    want 78
    one_line '/sub/f[0-9]+:1: '
    base 'kepp = "x"' >"$H/sub/one"
    chmod 600 "$H/sub/one"
    printf '# x\ninclude("sub/one")\n' | rc
    want 78
    one_line 'sub/one:7: .*kepp'
}

@test "an error behind an include has the outer file's name and line" {
    popd_account a >"$H/one"
    chmod 600 "$H/one"
    printf '# x\ninclude("one")\n# y\nkepp = "x"\n' | rc
    refused 4 kepp
}

@test "a password in a configuration file that others can read" {
    base | rc
    local mode
    for mode in 644 640 604; do
        chmod $mode "$RC"
        want 78
        one_line 'chmod|permission|read'
        [ "$(connections)" -eq 0 ]
    done
}

@test "without a password the configuration file may be readable" {
    tell m1
    popd_start
    popd_rc '-password' 'password_command = "echo secret"'
    chmod 644 "$RC"
    want 0
    [ "$(count)" -eq 1 ]
}

@test "an included file with a password that others can read" {
    popd_account a >"$H/one"
    chmod 644 "$H/one"
    echo 'include("one")' | rc
    want 78
    one_line 'one'
}

@test "a password_file that others can read is a warning" {
    tell m1
    popd_start
    echo secret >"$H/pw"
    chmod 644 "$H/pw"
    popd_rc -password "password_file = \"$H/pw\""
    want 0
    one_line pw
    [ "$(count)" -eq 1 ]
}

@test "password_file missing, password_command that fails or says nothing" {
    popd_start
    popd_rc -password "password_file = \"$H/none\""
    want '77|78'
    account_line
    popd_rc -password 'password_command = "echo no key >&2; exit 3"'
    want '75|77|78'
    account_line
    popd_rc -password 'password_command = "true"'
    want '75|77|78'
    account_line
    no_secret_sent
}

@test "a password_command that hangs ends at its deadline" {
    popd_start
    popd_rc -password 'password_command = "sleep 100"' 'timeout = "1s"'
    FP_LIMIT=30
    want '75|77|78'
    account_line
}

@test "connection refused: 75" {
    PORT=$("$TOOL" freeport)
    popd_rc
    want 75 --force
    account_line '127.0.0.1'
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "host name not found: 68" {
    # a label over 63 octets: no resolver asks the network for it
    local name
    name=$(printf 'x%.0s' {1..70}).example
    popd_rc "server = \"$name\""
    want 68
    account_line "$name"
}

@test "certificate of an unknown CA: 77 and no password" {
    popd_start 'set tls implicit' "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\""
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$TLS/stranger.pem\""
    want 77
    certificate_lines '[Cc]ertificate'
    no_secret_sent
    popd_rc 'tls = "implicit"'
    want 77 --force
    certificate_lines '[Cc]ertificate'
    no_secret_sent
}

@test "certificate for another host name: 77 and no password" {
    popd_start 'set tls implicit' "set cert \"$TLS/other.pem\"" "set key \"$TLS/other.key\""
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$TLS/ca.pem\""
    want 77
    certificate_lines '127.0.0.1.*name'
    no_secret_sent
}

@test "certificate that ran out: 77 and no password" {
    popd_start 'set tls implicit' "set cert \"$TLS/old.pem\"" "set key \"$TLS/old.key\""
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$TLS/ca.pem\""
    want 77
    certificate_lines '[Cc]ertificate'
    no_secret_sent
}

@test "the right certificate works, by implicit TLS and STLS" {
    tell m1
    popd_start 'set tls implicit' "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\""
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$TLS/ca.pem\"" -auth
    want 0
    [ "$(count)" -eq 1 ]
    popd_again 'set tls stls' "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\""
    tell m2
    popd_rc 'tls = "stls"' "tls_ca_file = \"$TLS/ca.pem\"" -auth
    want 0
    [ "$(count)" -eq 2 ]
}

@test "tls_ca_file that is missing or no certificate: one line before any connection" {
    popd_start
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$T/none\""
    want '77|78'
    one_line "$T/none"
    echo junk >"$T/junk"
    popd_rc 'tls = "implicit"' "tls_ca_file = \"$T/junk\""
    want '77|78'
    one_line "$T/junk"
    no_secret_sent
}

@test "plain text at a TLS port and TLS at a plain port" {
    popd_start
    popd_rc 'tls = "implicit"' 'timeout = "3s"'
    want '75|76|77' --force
    account_line
    no_secret_sent
    popd_again 'set tls implicit' "set cert \"$TLS/server.pem\"" "set key \"$TLS/server.key\""
    popd_rc 'timeout = "2s"'
    want '75|76' --force
    account_line
}

@test "wrong password: 77, the server's words, what to do" {
    popd_start
    popd_rc 'password = "mistaken"'
    want 77
    account_line 'wrong user or password'
        [ "$(sent_count '^PASS')" -eq 1 ] || fail "tried more than once"
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ]
}

@test "a Maildir path that is a file: 73, before any connection" {
    popd_start
    echo precious >"$MD"
    popd_rc
    want '73|78'
    account_line "$MD"
    [ "$(cat "$MD")" = precious ]
    [ "$(connections)" -eq 0 ] || fail "the server was called"
}

@test "a Maildir that cannot be made: 73, before any connection" {
    popd_start
    popd_rc 'maildir = "/proc/nowhere/Mail"'
    want 73
    account_line '/proc' # of an ordinary user it is /proc itself that wants permission
    [ "$(connections)" -eq 0 ] || fail "the server was called"
    echo x >"$T/file"
    popd_rc "maildir = \"$T/file/Mail\""
    want 73
    account_line
    [ "$(connections)" -eq 0 ]
}

@test "a Maildir without write permission: 73, before any connection" {
    local as=()
    popd_start
    mkdir -p "$MD/new" "$MD/cur" "$MD/tmp"
    popd_rc
    if [ "$(id -u)" -eq 0 ]; then
        # root may write anywhere: run as somebody else, from a place that he can reach
        need setpriv
        D=$(mktemp -d /tmp/fpbad.XXXXXX)
        cp "$FETCHPOP" "$D/fetchpop"
        chmod 755 "$D" "$D/fetchpop"
        mkdir "$D/home" "$D/Mail" "$D/Mail/new" "$D/Mail/cur" "$D/Mail/tmp"
        popd_rc "maildir = \"$D/Mail\""
        mv "$RC" "$D/home/.fetchpoprc"
        chown -R nobody: "$D/home"
        run --separate-stderr env HOME="$D/home" \
            setpriv --reuid=nobody --regid=nogroup --clear-groups "$D/fetchpop"
        rm -rf "$D"
    else
        chmod 500 "$MD/tmp" "$MD/new"
        run --separate-stderr fp
    fi
    [ "$status" -eq 73 ] || fail "exit status $status"
    account_line Mail
    [ "$(connections)" -eq 0 ] || fail "the server was called"
}

@test "a state folder that cannot be made: 73 or 74, before any connection" {
    popd_start
    popd_rc
    want '73|74' --state-dir /proc/nowhere/state
    account_line '/proc/nowhere'
    [ "$(connections)" -eq 0 ]
    echo x >"$T/file"
    want '73|74' --state-dir "$T/file"
    account_line "$T/file"
    [ "$(connections)" -eq 0 ]
}

@test "junk from the server: 76" {
    local junk
    for junk in 'HTTP/1.1 400 Bad Request\r\n' 'SSH-2.0-x\r\n' '\x00\x01\x02\xff\r\n' '+ERR\r\n' \
        '* OK IMAP4rev1\r\n' '220 smtp\r\n'; do
        popd_start "on greeting: text \"$junk\""
        popd_rc 'timeout = "2s"'
        want 76
        account_line
        no_secret_sent
        popd_stop
        rm -rf "$PLOG" "$STATE" # with the note of what was told before
    done
}

@test "a greeting of -ERR: 75 or 69, with its text" {
    popd_start 'on greeting: err "too many connections, come back later"; close'
    popd_rc
    want '69|75' --force
    account_line 'too many connections'
    no_secret_sent
}

@test "the server hangs up at once: 75 or 76" {
    popd_start 'on greeting: close'
    popd_rc
    want '75|76' --force
    account_line
    popd_again 'on greeting: reset'
    want '75|76' --force
    account_line
}

@test "junk in the listings: 76, nothing delivered, nothing deleted" {
    local listing
    tell_many 2
    for listing in '+OK\r\nfoo bar\r\n.\r\n' '+OK\r\n-1 x\r\n.\r\n' '+OK\r\n1\r\n.\r\n' \
        '+OK\r\n99999999999999999999 x\r\n.\r\n' '+OK\r\n1 a\r\n1 b\r\n.\r\n' '-ERR broken\r\n'; do
        popd_start "on UIDL \"\": text \"$listing\""
        popd_rc 'timeout = "2s"'
        want '0|65|76'
        [ "$(box_count)" -eq 2 ] || fail "deleted: $listing"
        [ "$(count)" -le 2 ] || fail "delivered twice: $listing"
        tmp_empty
        popd_stop
    done
    popd_start
    popd_rc
    want 0
    [ "$("$TOOL" maildir "$MD" | uniq | wc -l)" -ge 2 ]
}

@test "an endless line ends the session, in bounded memory" {
    popd_start 'on greeting: endless "+OK xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'
    popd_rc
    # AddressSanitizer maps more than any limit allows; the plain build shows this one.
    grep -qa __asan_init "$FETCHPOP" || ulimit -v 2000000
    want 76
    account_line
}
