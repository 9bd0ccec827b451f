# SPDX-License-Identifier: ISC
# Minimal systems of Debian, made by debootstrap from the mirror that this machine uses and entered in
# namespaces of their own, for bare.sh, foreign.sh, nfs.sh and packages.sh. Sets release, mirror and work,
# which is removed at the end; skips what cannot be tried here. Needs root.
# shellcheck shell=sh

skip() {
    echo "1..0 # SKIP $*"
    exit 0
}

# enter ROOT COMMAND...: as the first process of a system whose / is ROOT. The devices are the
# machine's, for loop devices; terminals are its own.
enter() {
    unshare --mount --pid --ipc --uts --fork --kill-child --propagation private sh -c '
        set -e
        root=$1
        shift
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t devtmpfs devtmpfs dev
        mkdir -p dev/pts dev/shm
        mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts
        mount -t tmpfs -o mode=1777 tmpfs dev/shm
        mount -t tmpfs tmpfs run
        mkdir -p old
        pivot_root . old
        cd /
        umount -l old
        rmdir old
        exec env -i HOME=/root DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            "$@"' sh "$@" </dev/null
}

# mirror: where this machine has the main part of this Debian from
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | sed -n "s/^Debian $1 main //p" | head -n 1
}

# make_base FOLDER ARCHITECTURE: a bare Debian
make_base() {
    unshare --mount --propagation private \
        debootstrap --variant=minbase --arch="$2" "$release" "$1" "$mirror" &&
        cp -L /etc/resolv.conf /etc/hosts "$1/etc/" || return
    apt-config dump | grep -E '^Acquire::[a-z]+::Proxy' >"$1/etc/apt/apt.conf.d/90proxy"
    echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/90unsafe" # it will not outlive the test
}

# add_packages ROOT PACKAGE...
add_packages() {
    root=$1
    shift
    enter "$root" apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"
}

# make_root FOLDER ARCHITECTURE PACKAGE...: a bare Debian with these packages, and the tree in /fetchpop
make_root() {
    root=$1 architecture=$2
    shift 2
    make_base "$root" "$architecture" && add_packages "$root" "$@" && copy_tree "$root/fetchpop"
}

count=0
failed=0
skipped=0

# point NAME COMMAND...: a test point, and the end of what the command says, with the tests that failed in it
point() {
    name=$1
    shift
    count=$((count + 1))
    if "$@" >"$work/log" 2>&1; then
        echo "ok $count - $name"
    else
        failed=$((failed + 1))
        echo "not ok $count - $name"
        grep -E '^(FAIL|ERROR): ' "$work/log" | sort -u | head -n 20 | sed 's/^/# /'
    fi
    tail -n 60 "$work/log" | sed 's/^/# /'
}

# skip_point NAME WHY: one that cannot be tried on this machine
skip_point() {
    count=$((count + 1)) skipped=$((skipped + 1))
    echo "ok $count - $1 # SKIP $2"
}

# finish: the plan, and the sum in words
finish() {
    echo "1..$count"
    echo "# $((count - failed - skipped)) passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
    exit
}

[ "$(id -u)" = 0 ] || skip "needs root, for namespaces and devices"
for program in debootstrap unshare pivot_root apt-get; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(mirror "$release")
[ -n "$mirror" ] || skip "apt-get knows no mirror of Debian $release (apt-get update?)"

work=$(mktemp -d "${TMPDIR:-/tmp}/fetchpop-root.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' HUP INT TERM
