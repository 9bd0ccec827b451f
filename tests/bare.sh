#!/bin/sh
# SPDX-License-Identifier: ISC
# The two commands of README on a bare Debian: a minimal system with git and nothing else, with the tree
# in it. `make check-bare` and `make check-long` run this; the second command takes as long as
# contrib/check does. BARE_ROWS names rows of it, where not all are wanted. Needs root.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
top=$(cd "$top" && pwd)
. "$top/contrib/lib.sh"
. "$top/tests/roots.sh"

root=$work/root
make_bare() {
    make_root "$root" "$(dpkg --print-architecture)" git &&
        enter "$root" sh -c 'cd /fetchpop && git init -q && git add -A'
}
point "a bare Debian $release with git" make_bare
if [ $failed = 0 ]; then
    point "contrib/demo works there" enter "$root" /fetchpop/contrib/demo
    # shellcheck disable=SC2086
    point "contrib/check ${BARE_ROWS:-(all)} is green there" \
        enter "$root" /fetchpop/contrib/check ${BARE_ROWS:-}
fi
finish
