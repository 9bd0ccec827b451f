# SPDX-License-Identifier: ISC
# Other fetchers, as Debian packages them, in this test's private home.
# shellcheck shell=bash

# need PROGRAM: visible skip
need() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

# theirs PROGRAM ARG...: it runs in the private home
theirs() {
    env -i PATH="$PATH" HOME="$H" USER=al LOGNAME=al LC_ALL=C.UTF-8 TMPDIR="$T" timeout -k 5 60 "$@" \
        3>&- 4>&- </dev/null
}

# outside NAME: sets $home, a folder with a Maildir old/, for a program that wants not to be root
outside() {
    home=$DOVE/outside-$1
    mkdir -p "$home/old/cur" "$home/old/new" "$home/old/tmp"
}

# theirs_outside PROGRAM ARG...: it runs there, as the user that Dovecot has for mail; what it
# delivered comes to $H/old
theirs_outside() {
    local as=() status=0
    if [ "$(id -u)" -eq 0 ]; then
        chown -R "$DOVE_UID:$DOVE_GID" "$home"
        as=(setpriv "--reuid=$DOVE_UID" "--regid=$DOVE_GID" --clear-groups)
    fi
    (cd "$home" && H=$home T=$home theirs "${as[@]}" "$@") || status=$?
    cp -R "$home/old" "$H"
    return "$status"
}
