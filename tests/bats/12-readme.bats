#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# README as somebody new reads it: each block is pasted into a shell as it stands, in a clean home. Of
# the text only the provider's name is another, which becomes that of a Dovecot here.

load lib/common
load lib/certs
load lib/dovecot

README=$BATS_TEST_DIRNAME/../../README
SECTIONS=("From git to mail in five minutes" "A configuration file by hand"
    "Without a configuration file" "From cron" "Running all the time"
    "Moving in from fetchmail, mpop, getmail or fdm")

setup_file() {
    dovecot_start
    [ -z "$DOVE_MISSING" ] || return 0
    three_messages
}

teardown_file() {
    dovecot_stop
}

setup() {
    home_setup
    mkdir -p "$T/blocks" "$T/bin" "$T/tree"
    "$LIB/blocks.py" "$README" "$T/blocks" >"$T/list"
    [ -n "$DOVE_MISSING" ] || for user in alice alice@example.com; do
        rm -rf "$DOVE/mail/$user"
        dovecot_user "$user" "se cret" "$BATS_FILE_TMPDIR/box"
    done
    stand_in sudo 'exec "$@"'
    stand_in apt :
    stand_in systemctl '[ "$2" != is-enabled ]'
    # shellcheck disable=SC2016
    stand_in crontab '[ "$1" != -l ] || exec cat "$HOME/.tab"
cat >"$HOME/.new" && mv "$HOME/.new" "$HOME/.tab"'
    # shellcheck disable=SC2016
    stand_in secret-tool 'key=$(echo "$HOME/.keyring $*" | sed "s/ store --label=fetchpop\| lookup//; s/ //g")
if [ "$1" = lookup ]; then exec cat "$key"; fi
printf "Password: " >&2; read -r word </dev/tty; echo "$word" >"$key"'
    # shellcheck disable=SC2016
    stand_in pass '[ "$1" = insert ] && printf "Enter password for $2: " >&2 && read -r word </dev/tty'
}

# stand_in NAME SCRIPT: what is no part of this program; $T/NAME.args has how it was called
stand_in() {
    printf '#!/bin/sh\necho "$*" >>"%s"\n%s\n' "$T/$1.args" "$2" >"$T/bin/$1"
    chmod 755 "$T/bin/$1"
}

# installed: the program below ~/.local, by the build's own make install
installed() {
    local build
    build=$(dirname "$FETCHPOP")
    [ -e "$build/Makefile" ] || skip "the program does not lie in its build folder"
    env -u MAKEFLAGS -u MAKELEVEL make -s -C "$build" install prefix="$H/.local" >"$T/make.out" 2>&1 ||
        fail "$(cat "$T/make.out")"
}

# paste SECTION [WHAT ANSWER]...: the section's commands, one after the other, in one shell
paste() {
    local section=$1 file
    shift
    awk -F '\t' -v section="$section" '$2 == section && $1 ~ /sh$/ {print $1}' "$T/list" >"$T/files"
    [ -s "$T/files" ] || fail "README has no block under: $section"
    echo 'set -e' >"$T/script"
    while read -r file; do
        cat "$T/blocks/$file" >>"$T/script"
    done <"$T/files"
    sed -i "s/= \"pop\.example\.com\"/= \"localhost\" port = $DOVE_POP3S/
        s/alice@pop\.example\.com/alice@localhost:$DOVE_POP3S/" "$T/script"
    cd "$T/tree" || return
    run env -i PATH="$T/bin:${FIRST-$H/.local/bin}:/usr/bin:/bin" HOME="$H" LOGNAME=alice LC_ALL=C \
        TERM=dumb TZ=UTC RES_OPTIONS="timeout:1 attempts:1" SSL_CERT_FILE="$DOVE_CA" \
        BUILD="$(dirname "$FETCHPOP")" \
        "$LIB/talk.py" "$T/st" "$@" -- timeout --foreground -k 5 300 bash "$T/script"
    [[ $output != *"talk: never shown"* ]] || fail "the dialog goes otherwise"
    status=$(cat "$T/st")
    [ "$status" -eq 0 ] || fail "status $status of $(cat "$T/script")"
}

@test "every block of commands is under a heading that is pasted here" {
    run awk -F '\t' '$1 ~ /sh$/ {print $2}' "$T/list"
    diff <(printf '%s\n' "${SECTIONS[@]}") <(uniq <<<"$output") || fail "other sections"
    [ "$(grep -c 'sh' "$T/list")" -ge 15 ] || fail "blocks are missing"
}

@test "every file that README lists is there" {
    local name
    run cat "$T"/blocks/*.list
    [ "${#lines[@]}" -gt 6 ] || fail "no list"
    while read -r name; do
        [ -e "$BATS_TEST_DIRNAME/../../$name" ] || fail "there is no $name"
    done < <(sed -n 's/^\([^ ]\{1,\}\)  .*/\1/p' "$T"/blocks/*.list)
}

@test "README tells that an older program had this name" {
    run tr -s "\n " " " <"$BATS_TEST_DIRNAME/../../README"
    [[ $output = *"another POP client named fetchpop"*"This is not it"* ]]
}

@test "the lines for an account are read as they stand" {
    local file
    for file in "$T"/blocks/*.rc; do
        { echo 'account x { server = h user = u password = p' && cat "$file" && echo '}'; } | rc
        want 0 --check-config
    done
}

@test "from git to mail: build, --setup, and three messages are there" {
    need_dovecot
    [ -e "$(dirname "$FETCHPOP")/Makefile" ] || skip "the program does not lie in its build folder"
    if [ -n "${FP_LONG:-}" ]; then
        cp -R "$BATS_TEST_DIRNAME/../../." "$T/tree"
    else
        # The build folder there is stands for a build of this one; check-long builds it.
        printf '#!/bin/sh\n:\n' >"$T/tree/autogen.sh"
        # shellcheck disable=SC2016
        printf '#!/bin/sh\nprintf "all:\\ninstall:\\n\\tmake -s -C $BUILD install prefix=${1#--prefix=}\\n" >Makefile\n' \
            >"$T/tree/configure"
        chmod 755 "$T/tree/autogen.sh" "$T/tree/configure"
    fi
    FIRST=/usr/sbin paste "${SECTIONS[0]}" 'POP3 server' "localhost:$DOVE_POP3S" 'User name' '' \
        'Password' 'se cret' 'Deliver to' '' 'or for how long' '' 'Fetch it' '' 'Keep it in' 1 \
        'Do that now' ''
    [ "$(count "$H/Mail/alice@example.com")" -eq 3 ] || fail "mail is missing"
    grep -q libssl-dev "$T/apt.args"
    [ -x "$H/.local/bin/fetchpop" ] || fail "it is not installed"
}

@test "a configuration file by hand: stored, written, fetched, listed, deleted" {
    need_dovecot
    installed
    paste "${SECTIONS[1]}" 'Password: ' 'se cret' '(?s)mail/home: ' word 'Password: ' 'se cret'
    [ "$(count "$H/Mail/home")" -eq 3 ] || fail "mail is missing"
    [[ $output == *"3 new of 3"* ]] || fail "-c says nothing"
    [ "$(stat -c %a "$RC" "$H/.secrets" "$H/.secrets/home" | tr '\n' ' ')" = "600 700 600 " ]
    [ "$(cat "$H/.secrets/home")" = "se cret" ] || fail "the file has no password"
    [ "$(wire alice@example.com "se cret" implicit count)" = 0 ] || fail "-F left some"
    sed -i 's/password_command.*/password_file = "~\/.secrets\/home"/' "$RC"
    FP_ENV=("SSL_CERT_FILE=$DOVE_CA")
    want 0
    silent
}

@test "without a configuration file: a URL, standard output, an account on standard input" {
    need_dovecot
    installed
    paste "${SECTIONS[2]}" 'assword' 'se cret' 'assword' 'se cret' 'assword' 'se cret'
    [ "$(count "$H/Mail/once")" -eq 3 ] || fail "mail is missing in the Maildir"
    [ "$(grep -c '^From ' "$T/tree/mail.mbox")" -eq 3 ] || fail "not on standard output"
}

@test "from cron: the line is added, and runs as cron runs it" {
    need_dovecot
    installed
    dovecot_account home alice "se cret" implicit "maildir = ~/Mail/home" | rc
    echo '# mine' >"$H/.tab"
    paste "${SECTIONS[3]}"
    [ "$(head -n 1 "$H/.tab")" = "# mine" ] || fail "the crontab that was there is gone"
    run env -i HOME="$H" LOGNAME=alice SHELL=/bin/sh PATH=/usr/bin:/bin \
        sh -c "$(sed -n 's|^\*/5 \* \* \* \* ||p' "$H/.tab")" </dev/null
    [ "$status" -eq 0 ] || fail "status $status"
    [ "$(count "$H/Mail/home")" -eq 3 ] || fail "mail is missing"
}

@test "running all the time: Ctrl-C ends it, and the units are installed" {
    need_dovecot
    installed
    dovecot_account home alice "se cret" implicit "maildir = ~/Mail/home" | rc
    paste "${SECTIONS[4]}" '3 new' '^C'
    local unit
    for unit in user/fetchpop.service user/fetchpop.timer system/fetchpop@.service; do
        [ -e "$H/.local/lib/systemd/$unit" ] || fail "there is no $unit"
    done
    diff "$T/systemctl.args" - <<<$'--user enable --now fetchpop\nenable --now fetchpop@alice'
}

@test "make install puts all files that README names where it says" {
    installed
    local name doc=$H/.local/share/doc/fetchpop
    for name in fetchpop-strict.conf fetchpop.cron fetchpop.logrotate fetchpoprc.sample oauth.md gmail.md \
        README ChangeLog COPYING VIOLATIONS; do
        [ -s "$doc/$name" ] || fail "there is no $name in share/doc/fetchpop"
    done
    for name in bin/fetchpop share/man/man1/fetchpop.1 share/man/man5/fetchpoprc.5 \
        share/bash-completion/completions/fetchpop share/zsh/site-functions/_fetchpop \
        share/fish/vendor_completions.d/fetchpop.fish share/vim/vimfiles/syntax/fetchpoprc.vim \
        share/vim/vimfiles/ftdetect/fetchpoprc.vim lib/systemd/user/fetchpop.service \
        lib/systemd/user/fetchpop.timer lib/systemd/system/fetchpop@.service; do
        [ -s "$H/.local/$name" ] || fail "there is no $name"
    done
}

@test "moving in from fetchmail: its file, its list, and nothing comes twice" {
    need_dovecot
    installed
    cat >"$H/.fetchmailrc" <<END
poll localhost proto POP3 port $DOVE_POP3S: user 'alice' there with password "se cret" is al here
    options ssl keep sslcertfile $DOVE_CA mda "/bin/cat"
END
    chmod 600 "$H/.fetchmailrc"
    wire alice "se cret" implicit uidls | sed -n 's/^[0-9]* /alice@localhost /p' >"$H/.fetchids"
    [ "$(grep -c . "$H/.fetchids")" -eq 3 ] || fail "no list"
    paste "${SECTIONS[5]}"
    run --separate-stderr fp --json
    [ "$status" -eq 0 ] || fail "status $status"
    [[ $output == *'"new": 0,'*'"seen": 3'* ]] || fail "mail comes twice"
}

@test "a credential of systemd, by the names in fetchpoprc(5), is the password of its account" {
    need_dovecot
    local manual=$BATS_TEST_DIRNAME/../../doc/fetchpoprc.5 name stored
    name=$(sed -n 's/.*LoadCredentialEncrypted=\([a-z]*\).*/\1/p' "$manual")
    stored=$(sed -n 's/.*systemd-creds encrypt --name=\([a-z]*\) .*/\1/p' "$manual")
    [ -n "$name" ] && [ "$stored" = "$name" ] || fail "stored as '$stored', loaded as '$name'"
    mkdir -m 700 "$T/credentials"
    echo "se cret" >"$T/credentials/$name"
    dovecot_account "$name" alice x implicit "maildir = ~/Mail/home" | sed '/password/d' | rc
    FP_ENV=(CREDENTIALS_DIRECTORY="$T/credentials")
    want 0
    [ "$(count "$H/Mail/home")" -eq 3 ] || fail "mail is missing"
}
