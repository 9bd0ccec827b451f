# SPDX-License-Identifier: ISC
# Dovecot with more mechanisms than lib/dovecot.bash asks for, popd with OAuth and SCRAM, and tokens
# of our own. Load after lib/dovecot and lib/certs.
# shellcheck shell=bash

# Further lines of Dovecot's configuration are in $MORE_CONF, and win over the first ones; @DOVE@ is
# Dovecot's folder. A function dovecot_files makes files that it wants before it starts.
eval "$(declare -f dovecot_conf | sed '1s/dovecot_conf/dovecot_conf_first/')"
dovecot_conf() {
    dovecot_conf_first
    ! declare -F dovecot_files >/dev/null || dovecot_files >&2
    printf '%s\n' "${MORE_CONF//@DOVE@/$DOVE}"
}

# wait_log REGEX: Dovecot's log has such a line
wait_log() {
    wait_until 20 grep -q -E "$1" "$DOVE/log" || fail "Dovecot's log has no: $1
$(tail -5 "$DOVE/log")"
}

# jwt KEY SECONDS [NAME=VALUE...]: a token for alice, signed with HMAC-SHA-256, good for so long
jwt() {
    "$LIB/oauth_jwt.py" "$@"
}

# more_popd NAMES [LINE...]: popd over implicit TLS that offers these mechanisms and no USER
more_popd() {
    local names=$1
    shift
    POPD=$LIB/oauth_popd.py
    export OAUTH_TOKEN=$T/token OAUTH_NOTES=$T/oauth-notes CERTS_NOTES=$T/tls-notes
    [ -e "$OAUTH_TOKEN" ] || echo "a-good-token" >"$OAUTH_TOKEN"
    popd_start "set auth \"$names\"" 'set plain-login no' 'set tls implicit' \
        "set cert \"$TLS/good.pem\"" "set key \"$TLS/good.key\"" "$@"
}

# auths: the AUTH commands that came, without what followed the name
auths() {
    sent | sed -n 's/^AUTH \([^ ]*\).*/\1/p' | tr '\n' ' '
}

# simple_tls: an authority "ca" and a certificate "good" in $TLS
simple_tls() {
    export TLS=$BATS_FILE_TMPDIR/tls
    authority "$TLS" ca
    issue "$TLS" ca good "DNS:localhost,IP:127.0.0.1"
}
