# SPDX-License-Identifier: ISC
# What contrib/demo and contrib/check share; read with `.`, needs $top, the top of the tree.

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usage ROWS ARGUMENT ...: for -h and --help the comment that the script begins with, and the end.
usage() {
    usage_rows=$1
    shift
    case ${1:-} in
    -h | --help) ;;
    -*) die "there is no option $1; try --help" ;;
    *) return 0 ;;
    esac
    sed -n '2,/^[^#]/{ /^# SPDX-/d; s/^# \{0,1\}//p; }' "$0"
    if [ -n "$usage_rows" ]; then printf '\nRows: %s\n' "$usage_rows"; fi
    exit 0
}

# sources: the project's files, one a line, without what was built; in a tree without git by their
# names (what was made stands beside the .c or .in file that it was made from).
sources() {
    if [ -e .git ] && git rev-parse >/dev/null 2>&1; then
        git ls-files -co --exclude-standard
        return
    fi
    find . -maxdepth 1 -type f ! -name 'config.*' ! -name configure ! -name aclocal.m4 \
        ! -name Makefile ! -name Makefile.in ! -name sources.am ! -name stamp-h1 ! -name '*.a' \
        ! -name '*.log' ! -name '*.trs' ! -name fetchpop ! -name '*.tar.*'
    find ./src ./tests ./contrib ./doc ./.ci -type f ! -name '*.[oa]' ! -name '*.log' \
        ! -name '*.trs' ! -name '*.pyc' ! -name .dirstamp ! -path '*/.deps/*' |
        while IFS= read -r file; do
            if ! [ -e "$file.c" ] && ! [ -e "$file.in" ]; then printf '%s\n' "$file"; fi
        done
}

# copy_tree FOLDER: the project's files, and nothing that was built, into FOLDER. Everything is built
# from such a copy, so the tree itself stays as it is.
copy_tree() {
    mkdir -p "$1"
    (
        cd "$top"
        sources | while IFS= read -r file; do
            if [ -f "$file" ]; then printf '%s\n' "$file"; fi
        done | tar -cf - -T -
    ) | tar -xf - -C "$1"
}

# missing PACKAGE ...: those that are not installed.
missing() {
    for package; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s\n' "$package" ;;
        esac
    done | sort -u
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "packages are missing; run this as root, or install sudo"
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# install_missing PACKAGE ...: installs what is not there. Touches no network if all is there;
# removes nothing; starts no service, now or at the next boot.
install_missing() {
    command -v dpkg-query >/dev/null || {
        say "this is no Debian; expecting these packages to be here: $*"
        return 0
    }
    wanted=$(missing "$@" | tr '\n' ' ')
    [ -n "$wanted" ] || return 0
    say "installing: $wanted"
    # shellcheck disable=SC2086
    (install_packages $wanted) || die "cannot install: $wanted"
}

install_packages() {
    log=$(mktemp)
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    # shellcheck disable=SC2154
    trap 'status=$?
        [ $made_policy = no ] || as_root rm -f "$policy"
        [ $status = 0 ] || tail -n 30 "$log" >&2
        rm -f "$log"
        exit $status' EXIT
    trap 'exit 130' HUP INT TERM

    apt update >"$log" 2>&1 || say "apt-get update failed; trying with the lists that are here"
    plan=$(apt -s install --no-install-recommends "$@" 2>&1) || {
        printf '%s\n' "$plan" >"$log"
        exit 1
    }
    if printf '%s\n' "$plan" | grep '^Remv '; then
        die "installing $* would remove the packages above: not done"
    fi
    fresh=$(printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\) (.*/\1/p')

    if [ ! -e "$policy" ]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
    fi
    apt install -y --no-remove --no-install-recommends "$@" >"$log" 2>&1 || exit 1
    # shellcheck disable=SC2086
    quiet_services $fresh
}

# quiet_services PACKAGE ...: what came with these packages as a service does not start at boot, and
# does not run now.
quiet_services() {
    for package; do
        services=$(dpkg -L "$package" | sed -n 's|^/etc/init\.d/||p')
        [ -n "$services" ] || continue
        for service in $services; do
            as_root update-rc.d "$service" disable >/dev/null 2>&1 || :
            say "$package: the service $service is not started, now or at boot"
        done
        for process in /proc/[0-9]*; do
            program=$(as_root readlink "$process/exe" 2>/dev/null) || continue
            if dpkg -L "$package" | grep -qFx "$program"; then
                die "$program of $package runs now (process ${process#/proc/}), but should not"
            fi
        done
    done
}
