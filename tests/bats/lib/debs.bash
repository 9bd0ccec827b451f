# Servers from Debian's packages that must not be installed here, because they would put another one
# out: unpacked into a folder, which lies over /usr and /etc in a mount namespace of its own
# (debs_root). The packages are kept in $FP_DEBS, else in the user's cache folder, and are fetched
# with apt-get where they are not there yet. Needs root.
# shellcheck shell=bash

# debs_unpack FOLDER PACKAGE...: false, and why in DEBS_MISSING, if that cannot be
debs_unpack() {
    local root=$1 package program
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
    for package; do
        debs_one "$root" "$package" || {
            DEBS_MISSING="Debian's package $package cannot be had"
            return 1
        }
    done
}

debs_one() {
    local cache=${FP_DEBS:-${XDG_CACHE_HOME:-$HOME/.cache}/fetchpop-debs} file
    mkdir -p "$cache" || return 1
    (
        flock 9
        file=$(debs_file "$cache" "$2")
        [ -n "$file" ] || (cd "$cache" && timeout 120 apt-get -q -o APT::Sandbox::User=root \
            download "$2") >/dev/null 2>&1 3>&- 4>&-
        file=$(debs_file "$cache" "$2")
        [ -n "$file" ] && dpkg-deb -x "$file" "$1"
    ) 9>"$cache/.lock"
}

debs_file() {
    find "$1" -maxdepth 1 -name "$2_*.deb" | sort | tail -1
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
