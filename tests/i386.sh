#!/bin/sh
# SPDX-License-Identifier: ISC
# i386.sh FOLDER: what a 32-bit build needs, out of Debian's packages for i386, unpacked into the folder;
# for contrib/check, whose compiler is the machine's own. Nothing is installed. The packages stay where
# tests/bats/lib/debs.bash keeps others, so that the next time wants no network. Fails, and says why, where
# that cannot be done.
set -eu

folder=$1
cache=${FP_DEBS:-${XDG_CACHE_HOME:-$HOME/.cache}/fetchpop-debs}/i386

# As on a bare machine of that kind.
apt() {
    timeout 300 apt-get -qq -o APT::Architecture=i386 -o APT::Architectures=i386 \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=no -o Debug::NoLocking=yes \
        -o Dir::State="$cache" -o Dir::State::status="$cache/status" -o Dir::Cache="$cache" "$@" \
        </dev/null >"$cache/log" 2>&1
}

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || {
    echo "only Debian for amd64 has gcc and a kernel for i386"
    exit 1
}
mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$folder"
: >"$cache/status"
apt update || : # the lists that are here may do
apt autoclean && apt -y --download-only install libc6-dev libgcc-12-dev libssl-dev libconfuse-dev \
    libsasl2-dev libidn2-dev libidn-dev libseccomp-dev libsasl2-modules || {
    echo "Debian's packages for i386 cannot be had: $(tail -n 1 "$cache/log")"
    exit 1
}
for package in "$cache"/archives/*.deb; do dpkg-deb -x "$package" "$folder"; done
"$folder/lib/ld-linux.so.2" --version >"$cache/log" 2>&1 || {
    echo "this kernel runs no program for i386"
    exit 1
}
