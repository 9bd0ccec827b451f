#!/bin/sh
# SPDX-License-Identifier: ISC
# Build the fuzz targets with clang's libFuzzer, ASan and UBSan, and run each for FUZZ_SECONDS
# (default 600), one after the other. What counts in doc/security.md is "user CPU".
#
#   run.sh [-b] [-m] [TARGET ...]      such as: run.sh dot session
#
# -b only builds. -m then folds what was found into the corpus of the source tree, as small as it
# gets. Findings stay in BUILD/found/TARGET/. FUZZ_CC is the compiler, FUZZ_BUILD the folder.
set -eu
top=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
objects=${top_builddir:-$PWD}
build=${FUZZ_BUILD:-$objects/fuzz}
cc=${FUZZ_CC:-clang}
merge=no only_build=no

while getopts bm option; do
    case $option in
    b) only_build=yes ;;
    m) merge=yes ;;
    *) exit 64 ;;
    esac
done
shift $((OPTIND - 1))
[ -e "$objects/Makefile" ] || { echo "run.sh: configure first" >&2; exit 1; }
command -v "$cc" >/dev/null || { echo "run.sh: $cc is missing" >&2; exit 1; }
[ $# -gt 0 ] || set -- $(cd "$top/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')

flags="-g -O1 -std=gnu11 -fno-omit-frame-pointer -fsanitize=address,undefined
    -fno-sanitize-recover=undefined -I$objects -I$top/src -I$top/tests -include config.h"
flags="$flags $(sed -n 's/^[A-Z0-9]*_CFLAGS = \(-[ID][^$]*\)$/\1/p' "$objects/Makefile")"
libs=$(sed -n 's/^[A-Z0-9]*_LIBS = \(-.*\)/\1/p' "$objects/Makefile")

# The library, instrumented.
mkdir -p "$build/objects" "$build/found"
for source in $(cd "$top" && ls src/*/*.c); do
    object=$build/objects/$(echo "$source" | tr / _ | sed 's/c$/o/')
    [ "$object" -nt "$top/$source" ] &&
        [ -z "$(find "$top/src" -name '*.h' -newer "$object")" ] && continue
    "$cc" $flags -fsanitize=fuzzer-no-link -c "$top/$source" -o "$object"
done
rm -f "$build/libfetchpop.a"
ar cr "$build/libfetchpop.a" "$build"/objects/src_*.o
for target; do
    "$cc" $flags -fsanitize=fuzzer "$top/tests/fuzz/fuzz_$target.c" "$top/tests/fuzz/folder.c" \
        "$build/libfetchpop.a" $libs -o "$build/fuzz_$target"
done
[ $only_build = no ] || exit 0

status=0
for target; do
    corpus=$top/tests/fuzz/corpus/fuzz_$target
    work=$build/grown/$target
    found=$build/found/$target
    dict=$top/tests/fuzz/$target.dict
    mkdir -p "$corpus" "$work" "$found"
    echo "fuzz_$target: ${FUZZ_SECONDS:-600} s"
    (cd "$build" && "./fuzz_$target" "$work" "$corpus" -max_total_time="${FUZZ_SECONDS:-600}" \
        -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$found/" \
        ${FUZZ_MAX_LEN:+-max_len=$FUZZ_MAX_LEN} $([ ! -e "$dict" ] || echo "-dict=$dict") \
        >"$build/$target.log" 2>&1
        ended=$?
        times >"$build/times" # of the shell, then of its children
        sed -n '2s/^\([^ ]*\).*/user CPU: \1/p' "$build/times" >>"$build/$target.log"
        exit $ended) || { status=1; echo "fuzz_$target: a finding in $found" >&2; }
    grep -E '^stat::|^Done|ERROR|^user CPU' "$build/$target.log" || :
    if [ $merge = yes ] && [ $status = 0 ]; then
        rm -rf "$build/merged" && mkdir "$build/merged"
        (cd "$build" && "./fuzz_$target" -merge=1 merged "$corpus" "$work" >/dev/null 2>&1)
        cp "$build/merged"/* "$corpus/"
    fi
done
exit $status
