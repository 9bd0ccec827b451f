#!/bin/sh
# Built and tried on 32 bits: a minimal Debian for i386, which this machine's kernel runs, and in it the
# unit tests and one fetch. `make check-long` runs this. Needs root.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
top=$(cd "$top" && pwd)
. "$top/contrib/lib.sh"
. "$top/tests/roots.sh"

[ "$(dpkg --print-architecture)" = amd64 ] || skip "only an amd64 runs i386"
point "a Debian $release for i386" make_root "$work/root" i386 gcc make libc6-dev autoconf automake \
    pkg-config libssl-dev libconfuse-dev libsasl2-dev libidn2-dev libidn-dev libseccomp-dev libsasl2-modules openssl \
    python3 procps dovecot-pop3d

build() {
    enter "$work/root" sh -ec 'cd /fetchpop && ./autogen.sh >/dev/null && mkdir /build && cd /build &&
        /fetchpop/configure --quiet --enable-werror && make -j2'
}
sizes() {
    # shellcheck disable=SC2016
    enter "$work/root" sh -c 'cd /build && printf "%s\\n" "#include <sys/types.h>" "#include <time.h>" \
        "_Static_assert(sizeof(void *) == 4, \"32 bits\");" \
        "_Static_assert(sizeof(off_t) == 8 && sizeof(time_t) == 8, \"64 bits\");" >sizes.c &&
        gcc -include config.h -c sizes.c'
}
[ $failed = 1 ] || point "it builds without a warning" build
[ $failed = 1 ] || point "files and times have 64 bits there" sizes
[ $failed = 1 ] || point "the unit tests pass there" enter "$work/root" make -C /build check-unit
[ $failed = 1 ] || point "contrib/demo works there" enter "$work/root" /fetchpop/contrib/demo
echo "1..$count"
exit $failed
