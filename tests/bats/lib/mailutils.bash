# SPDX-License-Identifier: ISC
# Debian's GNU mailutils pop3d, unpacked. Load after lib/common and lib/debs.
# shellcheck shell=bash

# mailutils_start CERTIFICATE KEY: sets MAILUTILS (folder), MAILUTILS_POP3, MAILUTILS_POP3S
mailutils_start() {
    export MAILUTILS MAILUTILS_PID="" MAILUTILS_POP3 MAILUTILS_POP3S MAILUTILS_MISSING=""
    MAILUTILS=$(mktemp -d /tmp/fpmailutils.XXXXXX)
    chmod 711 "$MAILUTILS"
    debs_unpack "$MAILUTILS/root" mailutils-pop3d || {
        MAILUTILS_MISSING=$DEBS_MISSING
        return 0
    }
    mkdir -p "$MAILUTILS/spool"
    cp "$1" "$MAILUTILS/cert.pem"
    cp "$2" "$MAILUTILS/key.pem"
    chmod 600 "$MAILUTILS/key.pem"
    local user
    for user in alice bob carol; do
        debs_user "$MAILUTILS/root" "$user" 65533 65534 "$MAILUTILS" "$user pw"
    done
}

# the users are there; now the server
mailutils_run() {
    local try
    for try in 1 2 3; do
        MAILUTILS_POP3=$("$TOOL" freeport) MAILUTILS_POP3S=$("$TOOL" freeport)
        mailutils_conf >"$MAILUTILS/conf"
        "$LIB/debs_root" "$MAILUTILS/root" /usr/sbin/pop3d --no-config \
            --config-file="$MAILUTILS/conf" >"$MAILUTILS/out" 2>&1 3>&- 4>&- </dev/null &
        MAILUTILS_PID=$!
        ! wait_until 10 debs_answers "$MAILUTILS_POP3" || return 0
        debs_end "$MAILUTILS_PID"
    done
    cat "$MAILUTILS/out" >&2
    return 1
}

mailutils_conf() {
    local tls="tls { ssl-certificate-file $MAILUTILS/cert.pem; ssl-key-file $MAILUTILS/key.pem; };"
    cat <<END
mode daemon;
foreground yes;
mailbox { mailbox-pattern "maildir:$MAILUTILS/spool/\${user}"; };
auth { authentication generic:system; authorization system; };
logging { syslog no; };
locking { type null; };
mandatory-locking { enable no; };
tcp-wrappers { enable no; };
server 127.0.0.1:$MAILUTILS_POP3 { tls-mode ondemand; $tls };
server 127.0.0.1:$MAILUTILS_POP3S { tls-mode connection; $tls };
END
}

# mailutils_user NAME FOLDER: alice, bob or carol; the password is "NAME pw"
mailutils_user() {
    mkdir -p "$MAILUTILS/spool/$1"/{cur,new,tmp}
    cp "$2"/* "$MAILUTILS/spool/$1/new/"
    chown -R 65533:65534 "$MAILUTILS/spool/$1"
}

mailutils_stop() {
    [ -n "${MAILUTILS:-}" ] || return 0
    debs_end "$MAILUTILS_PID"
    rm -rf "$MAILUTILS"
}
