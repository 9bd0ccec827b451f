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

# made STATUS PROGRAM LINE...: $output is what --import makes of these lines, with passwords
made() {
    local wanted=$1 program=$2 status=0
    shift 2
    printf '%s\n' "$@" >"$H/theirs"
    (umask 077 && fp --import "$program" "$H/theirs" >"$T/ours" 2>"$T/err") || status=$?
    output=$(<"$T/ours")
    [ "$status" -eq "$wanted" ] || fail "status $status, wanted $wanted: $(<"$T/err")"
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

@test "fetchmail: nokeep is two words, the first word behind is a name, and a backslash joins lines" {
    made 0 fetchmail 'poll h.example proto pop3 user u pass p is bob nofetchall nokeep ssl'
    says 'keep = no' 'mda = "/usr/sbin/sendmail -i -- bob"'
    made 0 fetchmail 'defaults keep' 'poll h.example proto pop3 user u pass p is bob here nokeep ssl'
    says 'keep = no'
    made 0 fetchmail 'poll h.example proto pop3 \' ' user u pass p \' ' is bob \' ' ssl keep'
    says 'keep = yes' 'mda = "/usr/sbin/sendmail -i -- bob"'
    made 0 fetchmail 'poll h.example proto pop3 user u pass p is keep ssl'
    says 'keep = no' 'mda = "/usr/sbin/sendmail -i -- keep"'
}

@test "fetchmail: backslashes are read as it reads them" {
    made 0 fetchmail 'poll h.example proto pop3 user u pass s\$cret is bob here ssl'
    says 'password = "s$cret"'
    made 0 fetchmail 'poll h.example proto pop3 user u pass "a\x41b\101c\0101d\z\' 'e" is bob ssl'
    says $'password = "aAbec\b1dze"'
}

@test "fetchmail: each word that is not taken over is told, and none that is off" {
    made 0 fetchmail 'set no syslog' 'set postmaster "root"' 'poll h.example proto pop3 \' \
        'local example.com sdps preauth ssh folders INBOX' 'user u pass p is bob here ssl' \
        'pre "mount /mail"' 'post "sync"' 'keeep' 'no rewrite' 'fetchall' 'mda "procmail -d %s"'
    says '# Left out: set postmaster (line 2): fetchpop has nothing like it.' \
        '# Left out: preconnect mount /mail: see before; for a tunnel see connect_command.' \
        '# Left out: postconnect sync: see after.' \
        '# Left out: keeep (line 8): fetchpop does not know it.' \
        '# Left out: auth (preauth) ssh: see auth in fetchpoprc(5).' \
        '# Left out: folder INBOX: POP3 has no folders.' \
        '# Left out: fetchall: what was fetched once is fetched again only with --all.'
    [[ $output == *'Left out: sdps: '*'Left out: localdomains example.com: '* ||
        $output == *'Left out: localdomains example.com: '*'Left out: sdps: '* ]] || fail "sdps, local"
    [[ $output == *"# Left out: the %s of mda"* ]] || fail "%s"
    hides syslog rewrite
}

@test "a comment has one line, whatever is in it" {
    made 0 fetchmail 'set logfile "a\nuser = \"x"' 'poll "b\nc" proto "IMAP\nkeep = no" user u pass p' \
        'poll h.example proto pop3 user u pass p is al ssl'
    ! grep -q -e '^user' -e '^keep' <<<"$output" || fail "it is more than a comment"
}

@test "what means no limit or no file in theirs sets nothing here" {
    local word
    for word in 'limit 0' 'fetchlimit 0' "sslcertfile ''"; do
        made 0 fetchmail "poll h.example proto pop3 user u pass p is bob here ssl keep $word"
    done
    for word in 'skipsize off' source_ip tls_crl_file tls_host_override 'timeout off' pipelining; do
        made 0 mpop 'account a' 'host h.example' 'tls' 'user u' 'password p' 'keep' \
            'delivery maildir ~/M' "$word"
    done
    says 'pipelining = on'
    made 0 mpop 'account a' 'host h.example' 'user u' 'password ""' 'passwordeval pass x' \
        'delivery maildir ~/M'
    says 'password_command = "pass x"'
    hides 'password = '
    made 0 getmail '[retriever]' 'type = SimplePOP3SSLRetriever' 'server = h' 'username = u' \
        'password = p' '[destination]' 'type = Maildir' 'path = ~/m/' '[options]' \
        'max_messages_per_session = 0' 'delivered_to = false'
    hides max_messages delivered_to
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

@test "mpop: a word without a value is on" {
    made 0 mpop defaults tls tls_starttls 'account a' 'host h.example' 'user u' 'password p' keep \
        received_header tls_certcheck 'delivery maildir ~/M'
    says 'tls = stls' 'keep = yes' 'trace_header = yes'
    hides tls_certcheck
}

@test "mpop: an account may have a name in quotes, which others begin with" {
    made 0 mpop 'account "my work"' 'host h.example' 'user u' 'password p' 'delivery maildir ~/M' \
        'account b : "my work"' 'user v'
    says 'account "my work" {' 'account "b" {' 'user = v'
    made 0 fdm "account 'a\"b\${c}' pop3s server \"h\" user \"u\" pass \"p\"" \
        'match all action maildir "%h/M"'
    says 'account "a-b$-c}" {'
}

@test "mpop's file is ~/.mpoprc, or else ~/.config/mpop/config; a byte order mark is no account" {
    mpoprc
    mkdir -p "$H/.config/mpop"
    { printf '\357\273\277' && cat "$H/.mpoprc"; } >"$H/.config/mpop/config"
    rm "$H/.mpoprc"
    want 0 --import mpop
    says 'account "work" {' 'tls = implicit' 'account "plain" {'
    made 0 mpop $'\xef\xbb\xbfaccount a' 'host h.example' 'user u' 'password p' 'delivery mbox ~/m'
    says 'account "a" {'
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

@test "getmail: each filter is told; the list lies beside the file, or where that says" {
    local lines=('[retriever]' 'type = SimplePOP3SSLRetriever' 'server = h' 'username = D\u:/x'
        'password = p' '[destination]' 'type = Maildir' 'path = ~/m/' '[filter-1]'
        'type = Filter_external' 'path = /bin/one' '[filter-2]' 'type = Filter_classifier')
    made 0 getmail "${lines[@]}"
    says '# Left out: [filter-1] Filter_external (line 10): see pipe_through.' \
        '# Left out: [filter-2] Filter_classifier (line 13): see pipe_through.' \
        "# To take over the list of what getmail has fetched here: fetchpop --import-seen getmail $H/oldmail-h-995-D-u-x h"
    made 0 getmail "${lines[@]:0:5}" 'getmaildir = ~/lists' "${lines[@]:5:3}"
    [[ $output == *" getmail ~/lists/oldmail-h-995-D-u-x h"* ]] || fail "getmaildir is passed over"
}

@test "getmail: delete counts before delete_after, and variables are filled in" {
    local lines=('[retriever]' 'type = SimplePOP3SSLRetriever' 'server = h' 'username = u'
        'password = p' '[options]' 'delete = true' 'delete_after = 7' '[destination]')
    made 0 getmail "${lines[@]}" 'type = Maildir' 'path = ${HOME}/Mail/'
    says 'keep = no' 'maildir = "~/Mail/"'
    made 0 getmail "${lines[@]}" 'type = MDA_external' 'path = /bin/echo' \
        "arguments = ('\$HOME/\"x', '\${USER}\`', 'a b')"
    says 'mda = "/bin/echo \"$HOME/\\\"x\" \"\${USER}\\`\" '"'a b'\""
    made 78 getmail "${lines[@]}" 'type = Maildir' 'path = $BOX/in/'
    grep -q 'maildir is "$BOX/in/", where $ stands for itself' "$T/err" || fail "not told"
}

@test "getmail's own folder is ~/.getmail where ~/.config/getmail is not there" {
    getmailrc
    mv "$H/.config/getmail" "$H/.getmail"
    want 0 --import getmail
    [[ $output == *" getmail $H/.getmail/oldmail-pop.example.com-1995-alice "* ]] || fail "the list"
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

@test "fdm: sizes and times have their unit, as a word of its own or not" {
    local account='account "a" pop3s server "h" user "u" pass "p"' rule='match all action maildir "%h/M"'
    made 0 fdm 'set maximum-size 128 MB' 'set timeout 5 minutes' "$account" "$rule"
    says 'max_size = "128M"' 'timeout = 300s'
    made 0 fdm 'set maximum-size 3kilobytes set timeout 1 hour' "$account" "$rule"
    says 'max_size = "3K"' 'timeout = 3600s'
    made 0 fdm '%max = 5' 'set maximum-size %max G' "$account" "$rule"
    says 'max_size = "5G"' 'maildir = "~/M"'
}

@test "fdm: what a command prints is no value; that of a password is a command here" {
    made 0 fdm '$pw = $(pass show "a)b")' 'account "a" pop3s server "h" user "u" pass $pw' \
        'account "b" pop3s server "h" user "v" pass $(pass show (b)) port %(echo 995) keep' \
        'match all action maildir "%h/M"'
    says 'password_command = "pass show \"a)b\""' 'password_command = "pass show (b)"' 'keep = yes' \
        '# Left out: port %(echo 995): write here what that stands for.'
    hides 'password = '
}

@test "fdm: a rule's accounts are patterns and lists; what cannot be told is not passed over" {
    local begin=('account "work1" pop3s server "h" user "u" pass "p"' 'action "work" maildir "%h/work"'
        'action "home" { maildir "%h/home" }' 'action "both" { maildir "%h/a" mbox "%h/b" }') rule
    for rule in 'account "work*"' 'accounts { "x" "work1" }' 'account "work?" and all'; do
        made 0 fdm "${begin[@]}" "match $rule action \"work\"" 'match all action "home"'
        says 'maildir = "~/work"'
        made 0 fdm "${begin[@]}" "match $rule actions { \"work\" }" 'match all action "home"'
        says 'maildir = "~/work"'
    done
    made 78 fdm 'account "a" user "al" disabled pop3s server "h" pass "p"' 'action "x" users { "a" } mbox "/m"' \
        'match all action "x"'
    says 'mbox = "/m"' 'enabled = no' '# Left out: users: run fetchpop as that user.'
    hides 'user = al'
    made 0 fdm "${begin[@]}" 'match account "other*" action "work"' 'match unmatched action "home"'
    says 'maildir = "~/home"'
    made 0 fdm "${begin[@]}" 'match accounts { "w*" } and "x" in headers actions { "home" "work" }' \
        'match all action "home"'
    says 'maildir = "~/home"'
    for rule in 'match account "w*" { match all action "work" }' 'match not account "x" action "work"' \
        'match all actions { "work" "home" }' 'match all action "both"' \
        'match account "x" or account "work1" action "work"'; do
        made 78 fdm "${begin[@]}" "$rule" 'match all action "home"'
        [[ $output == *'# Left out: '*': write maildir, mbox or mda.'* ]] || fail "$rule: not told"
        hides 'maildir ='
    done
}

@test "fdm: what set says, and else is not taken over, is told" {
    made 0 fdm 'set unmatched-mail drop' 'set delete-oversized' 'set lock-types fcntl' \
        'set strip-characters "x"' 'cache "%h/c" expire 1 week' 'ifdef $x' \
        'account "a" pop3s server "h" user "u" pass "p"' endif 'match all action mbox "%h/m" compress'
    says '# Left out: set unmatched-mail (line 1): fetchpop has nothing like it.' \
        '# Left out: set delete-oversized (line 2): fetchpop has nothing like it.' \
        '# Left out: set strip-characters (line 4): fetchpop has nothing like it.' \
        '# Left out: cache (line 5).' '# Left out: ifdef (line 6): what follows is taken over.' \
        '# Left out: compress: an mbox is written as text.' 'mbox = "~/m"'
    hides lock-types
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

@test "accounts of IMAP alone are no account, and what is printed is not taken for another program's" {
    made 78 fetchmail 'poll h.example proto IMAP user u pass p'
    grep -q 'no account can be taken over; of "h.example": its protocol is IMAP' "$T/err" || fail "not told"
    made 78 fdm 'account "a" pop3s server "h" user "u" pass "p"'
    grep -q 'fetchpop: not complete yet: what is printed:[0-9]*: ' "$T/err" || fail "another text"
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
