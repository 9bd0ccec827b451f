#!/bin/sh
# SPDX-License-Identifier: ISC
# Make configure, and sources.am: the list of files that Makefile.am includes. The list is the tree
# itself, so a new source or test file needs no more than another run of this script.
set -eu
cd "$(dirname "$0")"

for tool in autoreconf automake aclocal; do
    command -v "$tool" >/dev/null || {
        echo "autogen.sh: $tool is missing (Debian: apt install autoconf automake pkg-config)" >&2
        exit 1
    }
done

# One run at a time in one tree.
if [ -z "${FP_AUTOGEN_LOCKED:-}" ] && command -v flock >/dev/null; then
    export FP_AUTOGEN_LOCKED=1
    exec flock . ./autogen.sh "$@"
fi

# Every file under the named folders that belongs to the project, sorted.
files() {
    if [ -e .git ] && git rev-parse >/dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@"
    else
        find "$@" -type f ! -name '*.[oa]' ! -name '*.log' ! -name '*.trs' ! -name '*.pyc' \
            ! -name '.dirstamp' ! -path '*/.deps/*'
    fi | LC_ALL=C sort -u | while IFS= read -r file; do
        # Without git, what was made is known by what it was made from, beside it.
        if [ -f "$file" ] && ! [ -f "$file.c" ] && ! [ -f "$file.in" ]; then printf '%s\n' "$file"; fi
    done
}

# variable NAME: the lines of standard input as one make variable.
variable() {
    printf '%s =' "$1"
    while IFS= read -r file; do printf ' \\\n    %s' "$file"; done
    printf '\n\n'
}

all=$(files src tests contrib doc .ci 2>/dev/null || :)
pick() { printf '%s\n' "$all" | grep -E "$1" || :; }

# Of the Python files, those that are tests: programs, but not the server, not the controls, which
# want builds of their own, and not the liar that stands in for the program.
programs() {
    while IFS= read -r file; do
        case $file in */minipop.py | */controls.py | */liar.py) continue ;; esac
        case $(head -n 1 "$file") in '#!'*) printf '%s\n' "$file" ;; esac
    done
}

{
    echo '# Written by autogen.sh from the files in the tree; not kept in git.'
    echo
    pick '^src/.*\.[ch]$' | grep -v '^src/main\.c$' | variable library_sources
    pick '^src/.*\.c$' | variable lint_program
    pick '^tests/.*\.c$' | variable lint_tests
    pick '^tests/unit/test_[^/]*\.c$' | sed 's/\.c$//' | variable unit_tests
    pick '^tests/fuzz/fuzz_[^/]*\.c$' | sed 's/\.c$//' | variable fuzz_tests
    pick '^tests/fuzz/fuzz_[^/]*\.c$' | sed 's/\.c$//' | tr / _ |
        sed 's/$/_LDADD = tests\/fuzz\/libreplay.a $(LDADD)/'
    echo
    pick '^tests/crash/syscut.*\.[ch]$' | variable syscut_sources
    pick '^tests/shape/[^/]*\.(sh|py)$' | grep -v '/lib[^/]*$' | variable shape_tests
    pick '^tests/bats/[^/]*\.bats$' | variable bats_tests
    pick '^tests/(bats|popd|hostile)/[^/]*\.py$' | programs | variable python_tests
    pick '^tests/(healing|soak)/[^/]*\.py$' | programs | variable healing_tests
    pick '^tests/crash/[^/]*\.py$' | programs | variable crash_tests
    pick '^(tests|contrib|doc|\.ci)/' |
        grep -v -e '^tests/unit/test_[^/]*\.c$' -e '^tests/fuzz/[^/]*\.c$' -e '^doc/[^/]*\.[0-9]$' |
        variable other_files
} >sources.am.new
if cmp -s sources.am.new sources.am; then rm -f sources.am.new; else mv sources.am.new sources.am; fi

exec autoreconf --install
