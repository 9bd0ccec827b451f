#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What configure says in the end: the libraries that were found, and what goes without the others.

load lib/common

TREE=$BATS_TEST_DIRNAME/../..

setup() {
    home_setup
    command -v pkg-config >/dev/null || skip "pkg-config is not installed"
}

@test "config.status repeats what configure has found, as pkg-config and config.h have it" {
    local build name version
    build=$(dirname "$FETCHPOP")
    [ -x "$build/config.status" ] || skip "the program does not lie in its build folder"
    cd "$build"
    run ./config.status summary
    [ "$status" -eq 0 ] || fail "status $status"
    for name in 'OpenSSL openssl' 'libconfuse libconfuse' 'Cyrus SASL libsasl2' 'libidn2 libidn2'; do
        version=$(pkg-config --modversion "${name##* }")
        grep -q -x "  ${name% *}  *${version//./\\.}" <<<"$output" || fail "no $name"
    done
    for name in 'libidn HAVE_STRINGPREP' 'libseccomp HAVE_LIBSECCOMP'; do
        if grep -q "^#define ${name#* } 1" config.h; then
            version=$(pkg-config --modversion "${name% *}")
        else
            version='no ('
        fi
        grep -q "^  ${name% *}  *${version//./\\.}" <<<"$output" || fail "not so: $name"
    done
}

@test "a missing optional library is no error, and the summary says what is lost without it" {
    [ -x "$TREE/configure" ] || skip "there is no configure"
    [ ! -e "$TREE/config.status" ] || skip "the tree itself is configured"
    mkdir "$T/bin" "$T/build"
    cat >"$T/bin/pkg-config" <<END
#!/bin/sh
for word; do case \$word in libidn | libseccomp*) exit 1 ;; esac; done
exec "$(command -v pkg-config)" "\$@"
END
    chmod 755 "$T/bin/pkg-config"
    cd "$T/build"
    run "$(realpath "$TREE")/configure" --without-systemd-units PKG_CONFIG="$T/bin/pkg-config"
    [ "$status" -eq 0 ] || fail "status $status: $output"
    output=$(tail -n 9 <<<"$output")
    [[ ${output%%$'\n'*} == "fetchpop "*" for "*: ]] || fail "no summary: $output"
    [[ $output == *"  libidn         no (Debian: libidn-dev): "*"no SASLprep"* ]] || fail "libidn: $output"
    [[ $output == *"  libseccomp     no (Debian: libseccomp-dev): "*"filter"* ]] || fail "libseccomp: $output"
    [[ $output == *"  systemd units  no" ]] || fail "systemd: $output"
    run ./config.status --quiet summary
    [ "$status" -eq 0 ] && [ -z "$output" ] || fail "not quiet: $output"
}

@test "below a home folder the units go where systemd --user looks" {
    [ -x "$TREE/configure" ] || skip "there is no configure"
    [ ! -e "$TREE/config.status" ] || skip "the tree itself is configured"
    mkdir "$T/build"
    cd "$T/build"
    HOME=$H run "$(realpath "$TREE")/configure" --quiet --prefix="$H/.local" \
        --build=x86_64-pc-linux-gnu
    [ "$status" -eq 0 ] || fail "status $status: $output"
    [[ $(make -s -n install) == *"$H/.local/share/systemd/user"* ]] || fail "not there"
}

@test "the packages and the CronJob have the version of the program" {
    local version
    version=$("$FETCHPOP" -V | sed -n '1s/^fetchpop \([0-9.]*\).*/\1/p')
    [ -n "$version" ] || fail "no version"
    grep -q -x "Version:  *$version" "$TREE/contrib/packaging/fetchpop.spec" || fail "fetchpop.spec"
    [[ $(head -n 1 "$TREE/contrib/packaging/debian/changelog") == "fetchpop ($version-"* ]] || fail "debian"
    grep -q -x " *image: fetchpop:$version" "$TREE/contrib/fleet/kubernetes.yaml" || fail "kubernetes.yaml"
}
