#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Looking at the configuration file: --check-config and --print-config.

load lib/common

@test "--check-config tells all mistakes, each with its line, and ends with 78" {
    rc <<'END'
defaults {
    timeout = soon
}
account "a" {
    server = "pop.example.com"
    usr = "alice"
    keep = 30
    tls = "perhaps"
    maildir = "m"
}
account "b" {
    server = "pop.example.com"
    user = "bob"
    maildr = 'unknown'
    password = "x" "y"
    mbox = "b"
}
account "c" {
    user = "carol"
    maildir = "c"
}
END
    want 78 --check-config
    [ -z "$output" ]
    local text
    for text in ':2: timeout must be' ':6: no such key: "usr"' ':7: keep must be' ':8: tls must be' \
        ':14: no such key: "maildr"' ':15: a word makes no sense here' ':18: account "c" has no server' \
        'mistakes in '; do
        [[ $stderr == *"$text"* ]] || fail "not told: $text"
    done
    [ "$(grep -c . <<<"$stderr")" -eq 8 ] || fail "not 7 mistakes and a sum"
}

@test "--check-config tells each mistake in a rule, with the line of its key" {
    rc <<'END'
defaults {
    rule { subject = '/(/' }
}
account "a" {
    server = "pop.example.com"
    user = "alice"
    maildir = "m"
    rule {
        from = ""
        larger = much
    }
    rule { subjct = "x" }
    subject = "x"
    rule { header = "List-Id" }
}
rule { action = leave }
END
    want 78 --check-config
    local text
    for text in ':2: subject is not a regular expression: ' ':9: from is empty' ':10: larger must be' \
        ':12: no such key: "subjct"; did you mean subject?' ':13: subject belongs inside a rule' \
        ':14: header must be a field' ':16: rule belongs inside an account or defaults'; do
        [[ $stderr == *"$text"* ]] || fail "not told: $text"
    done
    [ "$(grep -c . <<<"$stderr")" -eq 8 ] || fail "not 7 mistakes and a sum"
}

@test "--check-config tells what a rule may not do, and where" {
    rc <<'END'
account "a" {
    server = "pop.example.com"
    user = "alice"
    maildir = "m"
    rule { from = "x" action = delete }
}
account "b" {
    server = "pop.example.com"
    user = "bob"
    maildir = "m"
    rule { from = "x" maildir = "x" action = leave }
}
account "c" {
    server = "pop.example.com"
    user = "carol"
    maildir = "m"
    rule { from = "x" maildir = "x" mbox = "y" }
}
END
    want 78 --check-config
    local text
    for text in ':5: action = delete removes messages that nobody has fetched' \
        ':11: maildir goes with action = fetch alone' ':17: both mbox and maildir (line 17) are set'; do
        [[ $stderr == *"$text"* ]] || fail "not told: $text"
    done
}

@test "--check-config of a good file says nothing and ends with 0" {
    popd_rc
    want 0 --check-config
    [ -z "$output$stderr" ] || fail "something was said"
}

@test "--check-config: a broken brace, a missing file, no account" {
    printf 'account "a" {\n  server = "h"\n' | rc
    want 78 --check-config
    [[ $stderr == *':1: this { has no }'* ]] || fail "not told"
    echo '# nothing' | rc
    want 78 --check-config
    [[ $stderr == *'no account'* ]] || fail "not told"
    want 78 --check-config -f "$T/none"
    [[ $stderr == *"$T/none"* ]] || fail "not told"
    want 64 --check-config a
}

@test "--print-config shows what was understood: defaults applied, secrets blanked" {
    rc <<'END'
defaults {
    keep = 30d
    maildir = "m"
    proxy = "socks5://me:hush@proxy.example.com:1080"
    rule { from = "*@example.net" action = stub }
}
account "a" {
    server = "pop.example.com"
    user = "alice \"x\""
    password = "se cret"
    auth = { "plain", "login" }
    mbox = "b"
    rule { header = { "A: \"x\"", 'B: /\./' } maildir = "n" }
}
account "b" {
    server = "pop.example.org"
    user = bob
    tls = stls
}
END
    want 0 --print-config
    printf '%s\n' "$output" >"$T/first"
    local line
    for line in 'account a {' 'keep = 30d' 'user = "alice \"x\""' 'password = "***"' 'port = 995' \
        'port = 110' 'auth = { plain, login }' 'mbox = b' 'maildir = m' 'tls = implicit' \
        'tls = stls' 'rule {' 'header = { "A: \"x\"", "B: /\\./" }' 'action = stub' 'timeout = 60s' 'max_tries = 5' 'proxy = "***"'; do
        sed 's/^ *//' "$T/first" | grep -q -x -F -e "$line" || fail "not there: $line"
    done
    [ "$(grep -c 'maildir = m' "$T/first")" -eq 1 ] || fail "the default hides an account's own place"
    ! grep -q -e hush -e 'se cret' "$T/first" || fail "a secret is shown"
    sed 's/proxy = .*//' "$T/first" | rc
    want 0 --print-config
    diff <(grep -v proxy "$T/first") <(printf '%s\n' "$output") || fail "it is read otherwise"
}
