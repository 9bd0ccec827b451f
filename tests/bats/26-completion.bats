#!/usr/bin/env bats
# The bash completion: account titles, however they are written, and quoted where bash wants it.

load lib/common

# completes WORD...: what bash offers for the last word
completes() {
    run env -i PATH="$PATH" HOME="$H" bash -c '
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fetchpop
        printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$BATS_TEST_DIRNAME/../../contrib/completions/bash/fetchpop" fetchpop "$@"
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

@test "--retry offers all" {
    completes --retry ''
    [ "$output" = all ] || fail "not all"
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
