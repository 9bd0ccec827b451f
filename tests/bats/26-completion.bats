#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The bash completion: account titles, however they are written, and quoted where bash wants it.

load lib/common

# completes WORD...: what bash offers for the last word
completes() {
    run env -i PATH="$(dirname "$FETCHPOP"):$PATH" HOME="$H" bash -c '
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fetchpop
        printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$BATS_TEST_DIRNAME/../../contrib/completions/bash/fetchpop" "$FETCHPOP" "$@"
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
            "$BATS_TEST_DIRNAME/../../contrib/completions/bash/fetchpop" "$FETCHPOP" "$line"
        [[ $output =~ ^--[a-z]+[\ =]odd:1=x$ ]] || fail "of '$line' it made '$output'"
    done
}

# --- vim ------------------------------------------------------------------------------------------

@test "vim knows the file, and what is in it" {
    need vim
    mkdir "$T/vim"
    printf '%s\n' 'account "work" { # mine' '    server = "pop.example.com"' '    keep = no' \
        >"$T/vim/.fetchpoprc"
    run env -i PATH="$PATH" HOME="$H" TERM=dumb vim -es -N -u NONE -i NONE \
        --cmd "set runtimepath^=$BATS_TEST_DIRNAME/../../contrib/vim" -c 'filetype on' \
        -c 'syntax on' -c "edit $T/vim/.fetchpoprc" -c "redir! > $T/vim/out" \
        -c 'echo join([&ft] + map([[1,1],[1,10],[1,20],[2,6],[2,16],[3,12]],
            "synIDattr(synID(v:val[0], v:val[1], 1), \"name\")"))' -c 'redir END' -c 'qa!'
    [ "$(tr -d '\n' <"$T/vim/out")" = "fetchpoprc fetchpopSection fetchpopString fetchpopComment fetchpopKey fetchpopString fetchpopWord" ] ||
        fail "$(cat "$T/vim/out")"
}
