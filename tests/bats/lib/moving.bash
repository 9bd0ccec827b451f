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
