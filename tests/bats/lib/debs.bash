# SPDX-License-Identifier: ISC
# Servers from Debian's packages that must not be installed here, because they would put another one
# out: unpacked, with all that they need and that is not installed, into a folder, which lies over
# /usr and /etc in a mount namespace of its own (debs_root). The packages are kept in $FP_DEBS, else in
# the user's cache folder, and are fetched with apt-get where they are not there yet. Needs root.
# shellcheck shell=bash

# debs_unpack FOLDER PACKAGE...: false, and why in DEBS_MISSING, if that cannot be
debs_unpack() {
    local root=$1 program
    shift
    DEBS_MISSING=
    for program in dpkg-deb apt-get unshare flock; do
        command -v "$program" >/dev/null || DEBS_MISSING="$program is not installed"
    done
    [ "$(id -u)" -eq 0 ] || DEBS_MISSING="needs root, for a mount namespace"
    [ -z "$DEBS_MISSING" ] || return 1
    mkdir -p "$root/usr" "$root/etc"
    "$LIB/debs_root" "$root" true 2>/dev/null || {
        DEBS_MISSING="an overlay in a mount namespace is not possible here"
        return 1
    }
    debs_fill "$root" "$@" || DEBS_MISSING="Debian's packages $* cannot be had"
    [ -z "$DEBS_MISSING" ]
}

# debs_fill FOLDER PACKAGE...
debs_fill() {
    local cache=${FP_DEBS:-${XDG_CACHE_HOME:-$HOME/.cache}/fetchpop-debs} root=$1 needed package
    shift
    mapfile -t needed < <(debs_needed "$@")
    [ ${#needed[@]} -gt 0 ] && mkdir -p "$cache" || return 1
    (
        flock 9
        debs_fetch "$cache" "${needed[@]}"
        for package in "${needed[@]}"; do
            dpkg-deb -x "$(debs_file "$cache" "$package")" "$root" || exit 1
        done
    ) 9>"$cache/.lock"
}

# debs_needed PACKAGE...: they, and all that apt-get would install with them on this very machine
debs_needed() {
    local plan
    plan=$(apt-get -s --no-install-recommends install "$@" 2>/dev/null) || return
    { printf '%s\n' "$@" && sed -n 's/^Inst \([^ ]*\) .*/\1/p' <<<"$plan"; } | sort -u
}

# debs_fetch CACHE PACKAGE...: those that are not in there yet
debs_fetch() {
    local cache=$1 package missing=()
    shift
    for package; do
        [ -n "$(debs_file "$cache" "$package")" ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] || (cd "$cache" && timeout 300 apt-get -q -o APT::Sandbox::User=root \
        download "${missing[@]}") >/dev/null 2>&1 3>&- 4>&-
}

debs_file() {
    find "$1" -maxdepth 1 -name "${2%:*}_*.deb" | sort | tail -1
}

# debs_user FOLDER NAME UID GID HOME [PASSWORD]: an account that exists only in there
debs_user() {
    local file
    for file in passwd shadow; do
        [ -e "$1/etc/$file" ] || cp "/etc/$file" "$1/etc/$file"
        sed -i "/^$2:/d" "$1/etc/$file"
    done
    echo "$2:x:$3:$4::$5:/usr/sbin/nologin" >>"$1/etc/passwd"
    echo "$2:$([ -z "${6:-}" ] && echo '*' || openssl passwd -6 "$6"):19000:0:99999:7:::" \
        >>"$1/etc/shadow"
}

# debs_answers PORT: somebody greets there
debs_answers() {
    (
        exec 9<>"/dev/tcp/127.0.0.1/$1" && read -r -t 5 line <&9 && [[ $line == +OK* ]]
    ) 2>/dev/null
}

# debs_end PID: the namespace and all that is in it (unshare itself takes no TERM)
debs_end() {
    [ -n "${1:-}" ] || return 0
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
