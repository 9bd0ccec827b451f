#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Completion in bash, zsh and fish: account titles, however they are written, and quoted where the shell
# wants it; UIDLs of messages that wait for somebody. And what vim makes of the configuration file.

load lib/common

COMPLETIONS=$BATS_TEST_DIRNAME/../../contrib/completions

# completes WORD...: what bash offers for the last word
completes() {
    run env -i PATH="$(dirname "$FETCHPOP"):$PATH" HOME="$H" bash -c '
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fetchpop
        printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$COMPLETIONS/bash/fetchpop" "$FETCHPOP" "$@"
}

@test "titles in quotes of both kinds, and without" {
    printf '%s\n' 'account "work" {' '}' "  account 'my home' { }" 'account bare{' '}' \
        'account  plain  {' '}' '# account none {' >"$RC"
    completes ''
    [ "$output" = $'work\nmy\\ home\nbare\nplain' ] || fail "not these titles"
    completes 'b'
    [ "$output" = bare ] || fail "not the one"
}

@test "a configuration file that is named, with = and without" {
    echo 'account other {' >"$T/rc"
    completes -f "$T/rc" ''
    [ "$output" = other ] || fail "not of -f"
    completes --config = "$T/rc" ''
    [ "$output" = other ] || fail "not of --config="
}

# included: a configuration file with accounts of its own, of a file and of a folder
included() {
    mkdir -p "$H/conf/accounts.d"
    printf '%s\n' 'include("more")' 'include("accounts.d/*")' 'account own { }' >"$H/conf/rc"
    echo "account 'one more' { }" >"$H/conf/more"
    echo 'account "first" {' >"$H/conf/accounts.d/1"
    echo 'account second {' >"$H/conf/accounts.d/2"
}

@test "titles in files that are included" {
    included
    completes -f "$H/conf/rc" ''
    [ "$(sort <<<"$output")" = $'first\none\\ more\nown\nsecond' ] || fail "not these titles"
}

@test "neither a title nor a name that is included runs anything" {
    printf '%s\n' 'account "$(echo >ran)" { }' 'account "`echo >ran`" { }' \
        "include(\"$RC(#qe:echo >ran:)\")" "include(\"\$(echo >ran)\")" >"$RC"
    cd "$T"
    completes ''
    [ "${#lines[@]}" -eq 2 ] || fail "not the two titles"
    if command -v zsh >/dev/null; then zsh_makes 'fetchpop '; fi
    if command -v fish >/dev/null; then fish_offers 'fetchpop '; fi
    [ ! -e ran ] && [ ! -e "$H/ran" ] || fail "something ran"
}

@test "a UIDL that a server has made up runs nothing, and is quoted" {
    tell '$(echo${IFS}>ran)'
    popd_start 'on RETR: err "broken"'
    popd_account one | rc
    want 65
    cd "$T"
    completes --retry '$'
    [ "$output" = '\$\(echo\$\{IFS\}\>ran\)' ] || fail "not quoted: $output"
    if command -v zsh >/dev/null; then zsh_makes 'fetchpop --retry $'; fi
    if command -v fish >/dev/null; then fish_offers 'fetchpop --retry '; fi
    [ ! -e ran ] && [ ! -e "$H/ran" ] || fail "something ran"
}

# messages: two accounts, whose messages odd:1=x and m2, and m3, do not come through
messages() {
    tell odd:1=x
    tell m2
    popd_start 'on RETR: err "broken"'
    { popd_account one && popd_account "the other" 'user = "bob"'; } | rc
    want 65 one
    popd_stop
    rm -rf "$PLOG" "$MB"
    mkdir "$MB"
    tell m3
    popd_start 'on RETR: err "broken"' 'set user bob'
    { popd_account "the other" 'user = "bob"' && popd_account one; } | rc
    want 65 'the other'
}

@test "--retry and its like offer the UIDLs of messages that failed or are held" {
    messages
    completes --retry ''
    [ "$(sort <<<"$output")" = $'all\nm2\nm3\nodd:1=x' ] || fail "not these UIDLs"
    for option in --fetch --show --delete; do
        completes "$option" m
        [ "$(sort <<<"$output")" = $'m2\nm3' ] || fail "not these UIDLs for $option"
    done
    completes --state-dir "$T/none" --fetch ''
    [ -z "$output" ] || fail "of another state folder"
    completes -f "$T/none" --retry ''
    [ "$output" = all ] || fail "of another configuration"
}

@test "behind a UIDL: the account that has it, or all where none has" {
    messages
    completes --fetch m3 ''
    [ "$output" = 'the\ other' ] || fail "not the one"
    completes --retry all ''
    [ "$output" = $'the\\ other\none' ] || fail "not all"
}

@test "a UIDL with : and = in it is completed on the line, where bash parts the words" {
    messages
    local line
    for line in '--retry odd:' '--retry=odd:' '--fetch odd:1=' '--delete o'; do
        run env -i PATH="$PATH" HOME="$H" bash -c '
            source "$1"
            COMP_LINE="$2 $3" COMP_POINT=$((${#2} + 1 + ${#3}))
            mapfile -t COMP_WORDS < <(printf "%s\n" "$2"
                sed "s/[:=]/\n&\n/g; s/ /\n/g; s/\n\n/\n/g" <<<"$3")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _fetchpop
            printf "%s%s\n" "${3%"${COMP_WORDS[COMP_CWORD]}"}" "${COMPREPLY[@]}"' bash \
            "$COMPLETIONS/bash/fetchpop" "$FETCHPOP" "$line"
        [[ $output =~ ^--[a-z]+[\ =]odd:1=x$ ]] || fail "of '$line' it made '$output'"
    done
}

# --- zsh ------------------------------------------------------------------------------------------

# zsh_makes LINE: what is offered behind it, and "= " and the line as it is then
zsh_makes() {
    run env -i PATH="$(dirname "$FETCHPOP"):$PATH" HOME="$H" LC_ALL=C.UTF-8 \
        timeout -k 5 90 "$LIB/zsh_line.py" "$COMPLETIONS/zsh" "$1"
    [ "$status" -eq 0 ] || fail "zsh: status $status"
}

@test "zsh: titles, with quotes where they need them; of the file that is named, and what it includes" {
    need zsh
    printf '%s\n' 'account "work" {' '}' "  account 'my home' { }" 'account bare{' '}' >"$RC"
    zsh_makes 'fetchpop '
    [ "$output" = $'bare\nmy home\nwork\n= fetchpop ' ] || fail "not these titles"
    zsh_makes 'fetchpop my'
    [ "${lines[-1]}" = '= fetchpop my\ home ' ] || fail "another line"
    included
    zsh_makes 'fetchpop -f ~/conf/rc '
    [ "$output" = $'first\none more\nown\nsecond\n= fetchpop -f ~/conf/rc ' ] || fail "not these titles"
    zsh_makes "fetchpop --config=$H/conf/rc one"
    [ "${lines[-1]}" = "= fetchpop --config=$H/conf/rc one\\ more " ] || fail "another line"
}

@test "zsh: UIDLs for --retry and its like; options and the words behind them" {
    need zsh
    messages
    zsh_makes 'fetchpop --retry '
    [ "$output" = $'all\nm2\nm3\nodd:1=x\n= fetchpop --retry ' ] || fail "not these UIDLs"
    for option in --fetch --show --delete; do
        zsh_makes "fetchpop $option o"
        [ "${lines[-1]}" = "= fetchpop $option odd:1=x " ] || fail "not this UIDL for $option"
    done
    zsh_makes "fetchpop --state-dir $T/none --fetch m"
    [ "$output" = "= fetchpop --state-dir $T/none --fetch m" ] || fail "of another state folder"
    zsh_makes 'fetchpop --import g'
    [ "${lines[-1]}" = "= fetchpop --import getmail " ] || fail "not getmail"
    zsh_makes 'fetchpop --check-'
    [ "${lines[-1]}" = "= fetchpop --check-config " ] || fail "not the option"
}

# --- fish -----------------------------------------------------------------------------------------

# fish_offers LINE: without what is said about each
fish_offers() {
    run env -i PATH="$(dirname "$FETCHPOP"):$PATH" HOME="$H" LC_ALL=C.UTF-8 timeout -k 5 90 \
        fish --no-config -c "source \$argv[1]; complete -C \$argv[2]" \
        "$COMPLETIONS/fish/fetchpop.fish" "$1"
    [ "$status" -eq 0 ] || fail "fish: status $status"
    output=$(cut -f 1 <<<"$output" | sort)
}

@test "fish: titles, of the file that is named, and what it includes" {
    need fish
    printf '%s\n' 'account "work" {' '}' "  account 'my home' { }" 'account bare{' '}' >"$RC"
    fish_offers 'fetchpop '
    [ "$output" = $'bare\nmy home\nwork' ] || fail "not these titles"
    fish_offers 'fetchpop my'
    [ "$output" = 'my home' ] || fail "not the one"
    included
    for line in 'fetchpop -f ~/conf/rc ' "fetchpop --config=$H/conf/rc " 'fetchpop --config ~/conf/rc '; do
        fish_offers "$line"
        [ "$output" = $'first\none more\nown\nsecond' ] || fail "not these titles for $line"
    done
}

@test "fish: UIDLs for --retry and its like; options and the words behind them" {
    need fish
    messages
    fish_offers 'fetchpop --retry '
    [ "$output" = $'all\nm2\nm3\nodd:1=x' ] || fail "not these UIDLs"
    for option in --fetch --show --delete; do
        fish_offers "fetchpop $option o"
        [ "$output" = 'odd:1=x' ] || fail "not this UIDL for $option"
    done
    fish_offers "fetchpop --state-dir $T/none --fetch "
    [ -z "$output" ] || fail "of another state folder"
    fish_offers 'fetchpop --import g'
    [ "$output" = getmail ] || fail "not getmail"
    fish_offers 'fetchpop --check-'
    [ "$output" = --check-config ] || fail "not the option"
}

# --- vim ------------------------------------------------------------------------------------------

@test "vim knows the file, and what is in it" {
    need vim
    mkdir "$T/vim"
    printf '%s\n' 'account "work" { # mine' '    server = "pop.example.com"' '    keep = no' \
        >"$T/vim/.fetchpoprc"
    run env -i PATH="$PATH" HOME="$H" TERM=dumb vim -es -N -u NONE -i NONE \
        --cmd "set runtimepath^=$COMPLETIONS/../vim" -c 'filetype on' \
        -c 'syntax on' -c "edit $T/vim/.fetchpoprc" -c "redir! > $T/vim/out" \
        -c 'echo join([&ft] + map([[1,1],[1,10],[1,20],[2,6],[2,16],[3,12]],
            "synIDattr(synID(v:val[0], v:val[1], 1), \"name\")"))' -c 'redir END' -c 'qa!'
    [ "$(tr -d '\n' <"$T/vim/out")" = "fetchpoprc fetchpopSection fetchpopString fetchpopComment fetchpopKey fetchpopString fetchpopWord" ] ||
        fail "$(cat "$T/vim/out")"
}
