#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Moving in: the configuration files of fetchmail, mpop, getmail and fdm.

load lib/common
load lib/dovecot
load lib/moving

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    three_messages
    dovecot_user alice "se cret" "$BATS_FILE_TMPDIR/box"
}

teardown_file() {
    dovecot_stop
}

# says LINE...: each is a line of the output, blanks at its ends not counted
says() {
    local line
    for line; do
        printf '%s\n' "$output" | sed 's/^ *//; s/ *$//' | grep -q -x -F -e "$line" ||
            fail "there is no line: $line"
    done
}

# hides TEXT...: none of them is in the output
hides() {
    local text
    for text; do
        [[ $output != *"$text"* ]] || fail "the output has: $text"
    done
}

# --- fetchmail ------------------------------------------------------------------------------------

fetchmailrc() {
    cat >"$H/.fetchmailrc" <<'END'
# my mail
set daemon 300
set syslog
defaults proto pop3, timeout 60
poll pop.example.com with proto POP3 port 995:
    user 'alice' there with password "se\"cret" is al here options ssl keep limit 50000
        sslcertfile /etc/ssl/ca.pem sslcommonname "mx.example.com"
        mda "/usr/bin/procmail -f '%F' -d %T"
    user bob pass xyz is 'bob' here ssl fetchall
skip other via pop.other.example proto APOP interval 2 no dns:
    user carol here is carla there, password "p" sslproto ''
poll "last.example" proto auto plugin "nc %h %p" user dora pass d no sslcertck fetchlimit 7
    preconnect "ssh-add"
poll imap.example.com proto IMAP user dave pass "no"
END
    chmod 600 "$H/.fetchmailrc"
}

@test "a .fetchmailrc becomes accounts: servers, ports, TLS, users, keep, delivery, daemon" {
    fetchmailrc
    want 0 --import fetchmail
    says 'account "pop.example.com" {' 'server = "pop.example.com"' 'port = 995' 'tls = implicit' \
        'user = alice' 'keep = yes' 'max_size = 50000' 'timeout = 60s' \
        'tls_ca_file = "/etc/ssl/ca.pem"' 'tls_server_name = "mx.example.com"' \
        'mda = "/usr/bin/procmail -f \"$FETCHPOP_SENDER\" -d al"'
    says 'user = bob' 'keep = no' 'mda = "/usr/sbin/sendmail -i -- bob"'
    says 'account "other" {' 'server = "pop.other.example"' 'user = carla' 'auth = apop' \
        'enabled = no' 'tls = none' 'interval = 600s' 'mda = "/usr/sbin/sendmail -i -- carol"'
    says 'account "last.example" {' 'tls = stls' 'max_messages = 7' \
        'connect_command = "nc $FETCHPOP_SERVER $FETCHPOP_PORT"'
    [[ $output == *"fetchpop -d 300s"* ]] || fail "the daemon's time is lost"
}

@test "what fetchmail does and fetchpop does not stays as a comment with its reason" {
    fetchmailrc
    want 0 --import fetchmail
    [[ $output == *'# Left out: fetchall'*'--all'* ]] || fail "fetchall"
    [[ $output == *'# Left out: preconnect ssh-add: see before'* ]] || fail "preconnect"
    [[ $output == *'# Left out: no sslcertck: '*'--print-pin'* ]] || fail "sslcertck"
    [[ $output == *'# Left out: account "imap.example.com": its protocol is IMAP'* ]] || fail "IMAP"
}

@test "fetchmail itself reads that file" {
    need fetchmail
    fetchmailrc
    theirs fetchmail -f "$H/.fetchmailrc" --configdump >"$T/dump"
    grep -q "carla" "$T/dump"
}

# --- mpop -----------------------------------------------------------------------------------------

mpoprc() {
    cat >"$H/.mpoprc" <<'END'
defaults
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
delivery maildir ~/Mail/incoming
timeout 90

account work
host pop.example.com
user alice
passwordeval "gpg -d ~/.pw"
keep on
tls_starttls off

account home : work
host mail.home.example
port 1110
user "bob"
password hello world
keep off
tls_starttls on
delivery mda "/usr/bin/procmail -f '%F' -d $USER"
skipsize 10m
auth scram-sha-256
received_header off
filter choose --size %S --from %F

account plain
host plain.example
tls off
user carol
delivery mbox /var/mail/carol
received_header on
END
    chmod 600 "$H/.mpoprc"
}

@test "a .mpoprc becomes accounts, with what they inherit" {
    mpoprc
    want 0 --import mpop
    says 'account "work" {' 'server = "pop.example.com"' 'user = alice' 'tls = implicit' \
        'password_command = "gpg -d ~/.pw"' 'keep = yes' 'maildir = "~/Mail/incoming"' \
        'timeout = 90s' 'tls_ca_file = "/etc/ssl/certs/ca-certificates.crt"'
    says 'account "home" {' 'server = "mail.home.example"' 'port = 1110' 'tls = stls' 'keep = no' \
        'mda = "/usr/bin/procmail -f \"$FETCHPOP_SENDER\" -d $USER"' 'max_size = 10m' \
        'auth = "scram-sha-256"'
    says 'account "plain" {' 'tls = none' 'mbox = "/var/mail/carol"'
    [ "$(grep -c -F 'gpg -d' <<<"$output")" -eq 1 ] || fail "home has a command it has not"
    says 'trace_header = yes'
    [[ $output == *'filter_command = "(choose --size \"$FETCHPOP_SIZE\" --from \"$FETCHPOP_SENDER\");'* ]] ||
        fail "the filter is another"
    [ "$(grep -c trace_header <<<"$output")" -eq 1 ] || fail "received_header off is none"
    [[ $output == *'secret-tool lookup host plain.example service pop3 user carol'* ]] ||
        fail "the key ring that mpop asks by itself is not named"
}

# mpop(1): 0 fetches, 1 deletes, 2 skips, others are errors. Here 1 skips and 2 deletes.
@test "what mpop's filter skips is left, what it deletes is deleted" {
    local theirs ours command
    for theirs in 0:0 1:2 2:1 3:3 75:3; do
        ours=${theirs#*:}
        printf '%s\n' 'account a' 'host h.example' 'user u' 'delivery maildir ~/M' \
            "filter exit ${theirs%:*}" >"$H/.mpoprc"
        chmod 600 "$H/.mpoprc"
        want 0 --import mpop
        command=$(sed -n 's/^ *filter_command = "\(.*\)"$/\1/p' <<<"$output")
        run sh -c "$command"
        [ "$status" -eq "$ours" ] || fail "status ${theirs%:*} is $status in '$command'"
    done
}

@test "mpop itself reads that file" {
    need mpop
    mpoprc
    theirs mpop -C "$H/.mpoprc" -P home | grep -q 'mail.home.example'
}

# --- getmail --------------------------------------------------------------------------------------

getmailrc() {
    mkdir -p "$H/.config/getmail" "$H/Maildir/cur" "$H/Maildir/new" "$H/Maildir/tmp"
    cat >"$H/.config/getmail/getmailrc" <<'END'
[retriever]
type = SimplePOP3SSLRetriever
server = pop.example.com
port: 1995
username = alice
password_command = ("/bin/echo", "mail/it's me")
timeout = 30

[destination]
type = MDA_external
path = /bin/cat
arguments = ("-f", "%(sender)",
    "a b")
unixfrom = true

[options]
delete_after = 30
read_all = false
max_message_size = 1000000
; a comment
max_messages_per_session = 50
max_bytes_per_session = 2000000
END
    cat >"$H/.config/getmail/second" <<END
[retriever]
type = SimplePOP3Retriever
server = pop.example.org
username = bob
password = plain-text
[destination]
type = Maildir
path = $H/Maildir/
[options]
delete = true
END
}

@test "getmailrc files become accounts, one each" {
    getmailrc
    want 0 --import getmail
    says 'account "pop.example.com" {' 'server = "pop.example.com"' 'port = 1995' 'user = alice' \
        'tls = implicit' 'timeout = 30s' 'keep = 30d' 'max_size = 1000000' 'max_messages = 50' \
        'max_bytes = 2000000' \
        "password_command = \"/bin/echo 'mail/it'\\\\''s me'\"" \
        "mda = \"/bin/cat -f \\\"\$FETCHPOP_SENDER\\\" 'a b'\""
    [[ $output == *'# Left out: destination.unixfrom true: '* ]] || fail "unixfrom"
    want 0 --import getmail "$H/.config/getmail/getmailrc" "$H/.config/getmail/second"
    says 'user = alice' 'user = bob' 'tls = none' 'keep = no' "maildir = \"$H/Maildir/\""
}

@test "getmail itself reads those files" {
    need getmail
    getmailrc
    theirs getmail -g "$H/.config/getmail" -r getmailrc -r second --dump | grep -q 'pop.example.org'
}

# --- fdm ------------------------------------------------------------------------------------------

fdmconf() {
    cat >"$H/.fdm.conf" <<'END'
set timeout 60
set maximum-size 20M
$box = "%h/Mail"
%port = 1110
action "inbox" maildir "${box}/inbox"
action "sorted" pipe "/usr/bin/procmail"
account "a" disabled pop3s server "pop.example.com" port 995 user "alice" pass "se\"c"
    new-only cache "~/.fdm.cache" keep
account "b" pop3 server "pop.b.example" port %port user "b" pass "x" no-apop starttls
account "i" imap server "i.example" user "x" pass "y"
match account "a" action "inbox"
match "^From:.*x" in headers action "sorted"
match all action mbox "%h/other"
END
    chmod 600 "$H/.fdm.conf"
}

@test "an .fdm.conf becomes accounts; of its rules only those for all mail of one" {
    fdmconf
    want 0 --import fdm
    says 'account "a" {' 'server = "pop.example.com"' 'port = 995' 'user = alice' 'tls = implicit' \
        'keep = yes' 'enabled = no' 'maildir = "~/Mail/inbox"' 'timeout = 60s' 'max_size = "20M"'
    says 'account "b" {' 'port = 1110' 'tls = stls' 'keep = no' 'mbox = "~/other"'
    [ "$(grep -c '# Left out: 1 rule on single messages' <<<"$output")" -eq 1 ] ||
        fail "the rule is not told, or to the account that it does not reach"
    [[ $output == *'# Left out: account "i": its type is imap'* ]] || fail "IMAP"
}

@test "fdm's tags of home and user are filled in, and the list is where its configuration says" {
    local me
    me=$(id -un)
    cat >"$H/.fdm.conf" <<'END'
action "box" maildir "%h/Mail/%u"
action "sort" pipe "%h/bin/sort -u '%u'"
account "a" pop3s server "pop.example.com" user "alice" cache "%[home]/lists/it's-%[user]"
account "b" pop3s server "pop.example.com" user "bob" cache "%h/lists/b" keep
match account "a" action "box"
match all action "sort"
END
    want 0 --import fdm
    says "maildir = \"~/Mail/$me\"" 'mda = "$HOME/bin/sort -u $LOGNAME"' \
        "# To take over the list of what fdm has fetched here: fetchpop --import-seen fdm ~/'lists/it'\\''s-' a" \
        "# To take over the list of what fdm has fetched here: fetchpop --import-seen fdm ~/lists/b b"
    hides ACCOUNT 'a tag of fdm'
}

@test "fdm itself reads that file" {
    need fdm
    fdmconf
    theirs fdm -n -f "$H/.fdm.conf"
}

# --- secrets --------------------------------------------------------------------------------------

@test "passwords are copied only into a file that nobody else can read" {
    fetchmailrc
    mpoprc
    getmailrc
    fdmconf
    want 0 --import fetchmail
    hides 'se"cret' 'se\"cret' xyz
    says "# Store it with: secret-tool store --label=fetchpop mail 'alice@pop.example.com'"
    [[ $output == *"line 6 of $H/.fetchmailrc"* ]] || fail "the line is not named"
    want 0 --import mpop
    hides 'hello world'
    want 0 --import getmail "$H/.config/getmail/second"
    hides 'plain-text'
    want 0 --import fdm
    hides 'se"c' 'se\"c'
    (umask 022 && fp --import fetchmail >"$T/open")
    ! grep -q -e xyz -e 'se.*"cret' "$T/open" || fail "a password is in a file that others can read"
    (umask 077 && fp --import fetchmail >"$T/closed")
    grep -q -x -F '    password = "se\"cret"' "$T/closed"
    (umask 077 && fp --import mpop >"$T/closed")
    grep -q -x -F '    password = "hello world"' "$T/closed"
}

# --- whole ----------------------------------------------------------------------------------------

@test "an imported file works as it is: mail comes from Dovecot" {
    need_dovecot
    cat >"$H/.mpoprc" <<END
account dove
host localhost
port $DOVE_POP3S
tls on
tls_starttls off
tls_trust_file $DOVE_CA
user alice
password se cret
keep on
delivery maildir $MD
END
    (umask 077 && fp --import mpop >"$RC")
    want 0
    [ "$(count)" -eq 3 ]
}

@test "a value keeps each of its characters on the way" {
    local value='a"b\c${HOME}$x#d'"'"'e'
    popd_start
    printf '%s\n' 'account a' 'host 127.0.0.1' "port $PORT" 'tls off' 'auth user' 'user u' \
        "password $value" "delivery maildir $MD" >"$H/.mpoprc"
    (umask 077 && fp --import mpop >"$RC")
    fp || true
    grep -r -q -F "$value" "$PLOG" || fail "another password was sent"
}

@test "what is not complete is printed, and what is missing is said" {
    printf '%s\n' 'account a' 'host h.example' 'user u' >"$H/.mpoprc"
    want 78 --import mpop
    says 'account "a" {'
    one_line 'not complete yet: .*add maildir, mbox, mda or lmtp'
}

@test "a wrong name, a missing file, and a file of something else are told apart" {
    want 64 --import outlook
    one_line 'fetchmail, mpop, getmail or fdm, not "outlook"'
    want 78 --import fetchmail
    one_line '\.fetchmailrc: No such file'
    echo 'hello world' >"$T/hello"
    want 78 --import fdm "$T/hello"
    one_line 'no account of fdm in it'
    printf 'account a\nhost h.example\nuser u\ndelivery mbox /m\n' >"$T/in"
    run --separate-stderr fp --import mpop - <"$T/in"
    [ "$status" -eq 0 ]
    says 'server = "h.example"'
}

@test "another program's file in the place of ours is recognised, and the command named" {
    fetchmailrc
    mpoprc
    getmailrc
    fdmconf
    local pair
    for pair in fetchmail:.fetchmailrc mpop:.mpoprc getmail:.config/getmail/second fdm:.fdm.conf; do
        cp "$H/${pair#*:}" "$RC"
        chmod 600 "$RC"
        want 78
        one_line "this is a configuration file of ${pair%:*}; fetchpop --import ${pair%:*} $RC"
    done
}

@test "a file of ours with a mistake is not taken for another program's" {
    local text
    for text in 'account "a" { server = "h" usr = "x" }' 'defaults { host = h }' \
        'account work { host = "pop.example.com" }' 'defaults { } account x { match = y }'; do
        printf '%s\n' "$text" | rc
        want 78
        [[ $stderr != *--import* ]] || fail "taken for another program's: $text"
    done
}
