#!/bin/sh
# SPDX-License-Identifier: ISC
# Built and tried with the bytes the other way round: for s390x, and run by qemu in a user namespace of its
# own, so that no other process of this machine meets the emulator. (32 bits: row i386 of contrib/check.)
# `make check-long` runs this. Needs root.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
top=$(cd "$top" && pwd)
. "$top/contrib/lib.sh"
. "$top/tests/roots.sh"

[ "$(dpkg --print-architecture)" = amd64 ] || skip "only tried from amd64"

# on NAME COMMAND...: a test point, if all went well before
on() { if [ $failed = 0 ]; then point "$@"; fi; }

libraries='libc6-dev libssl-dev libconfuse-dev libsasl2-dev libidn2-dev libidn-dev libseccomp-dev
    libsasl2-modules'
# All but fetchpop and its unit tests is this machine's own.
# shellcheck disable=SC2046,SC2086
make_s390x() {
    make_base "$work/s390x" amd64 && copy_tree "$work/s390x/fetchpop" &&
        echo root:0:65536 | tee "$work/s390x/etc/subuid" >"$work/s390x/etc/subgid" &&
        enter "$work/s390x" sh -c 'dpkg --add-architecture s390x && apt-get -qq update' &&
        add_packages "$work/s390x" gcc-s390x-linux-gnu make autoconf automake pkg-config openssl python3 procps \
            qemu-user-static uidmap $(printf '%s:s390x ' $libraries)
}
build_s390x() {
    enter "$work/s390x" sh -ec 'cd /fetchpop && ./autogen.sh >/dev/null && mkdir /build && cd /build &&
        /fetchpop/configure --quiet --enable-werror --host=s390x-linux-gnu PKG_CONFIG=pkg-config \
            PKG_CONFIG_LIBDIR=/usr/lib/s390x-linux-gnu/pkgconfig:/usr/share/pkgconfig && make -j2'
}

# emulated COMMAND...: there, with s390x programs run by qemu; Debian's line for binfmt_misc, but with the
# emulator itself in it
emulated() {
    # shellcheck disable=SC2016
    enter "$work/s390x" unshare --user --map-users=0,0,65536 --map-groups=0,0,65536 --mount sh -ec '
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        sed "s,:[^:]*:[A-Z]*$,:/usr/bin/qemu-s390x-static:F," /usr/lib/binfmt.d/qemu-s390x.conf \
            >/proc/sys/fs/binfmt_misc/register
        exec "$@"' sh "$@"
}
# Two of them take an hour in an emulator, and do nothing with the order of bytes that others do not. What
# misses a deadline beside another one runs once more, alone, as in contrib/check.
unit_tests() {
    enter "$work/s390x" make -C /build -j2 check TESTS= &&
        emulated sh -c 'make -C /build -j2 -k check TESTS="$1" || make -C /build recheck TESTS="$1"' sh \
            '$(filter-out %/test_manners %/test_mbox, $(unit_tests))'
}
# Each message once, and in a second run none, by what the first wrote into the state folder.
fetch() {
    # shellcheck disable=SC2016
    emulated sh -ec 'mkdir /tmp/box && cd /tmp
        for i in 1 2 3; do printf "Subject: %s\r\n\r\nbody\r\n" $i >box/$i; done
        python3 /fetchpop/tests/popd/popd box --port-file port >popd.log 2>&1 &
        while ! [ -s port ]; do sleep 1; done
        printf "%s\n" "account a {" "server = localhost" "port = $(cat port)" "tls = none" "auth = user" \
            "user = alice" "password = secret" "keep = yes" "maildir = /tmp/mail" "}" >rc
        chmod 600 rc
        for times in 1 2; do
            /build/fetchpop -f rc --state-dir /tmp/state
            [ "$(cat mail/new/* | grep -c ^body)" = 3 ]
        done'
}
on "a Debian $release with a compiler for s390x" make_s390x
on "it builds without a warning" build_s390x
if [ $failed = 0 ] && ! emulated true >"$work/log" 2>&1; then
    skip_point "it is run" "no binfmt_misc in a user namespace (from Linux 6.7 on): $(tail -n 1 "$work/log")"
    finish
fi
on "the unit tests pass there" unit_tests
on "a fetch and a second one work there" fetch
finish
