# SPDX-License-Identifier: ISC
# Debian's Courier, unpacked. Load after lib/common and lib/debs.
# shellcheck shell=bash

# courier_start CERTIFICATE KEY: sets COURIER (folder), COURIER_POP3, COURIER_POP3S
courier_start() {
    export COURIER COURIER_PID="" COURIER_POP3 COURIER_POP3S COURIER_MISSING=""
    COURIER=$(mktemp -d /tmp/fpcourier.XXXXXX)
    chmod 711 "$COURIER"
    debs_unpack "$COURIER/root" courier-pop || {
        COURIER_MISSING=$DEBS_MISSING
        return 0
    }
    courier_conf "$COURIER/root/etc" "$1" "$2"
    local user
    debs_user "$COURIER/root" courier 992 65534 "$COURIER"
    for user in alice bob carol; do
        debs_user "$COURIER/root" "$user" 65533 65534 "$COURIER/$user" "$user pw"
    done
}

# the users are there; now the server
courier_run() {
    local try
    for try in 1 2 3; do
        COURIER_POP3=$("$TOOL" freeport) COURIER_POP3S=$("$TOOL" freeport)
        courier_script >"$COURIER/start"
        "$LIB/debs_root" "$COURIER/root" bash "$COURIER/start" >"$COURIER/out" 2>&1 3>&- 4>&- \
            </dev/null &
        COURIER_PID=$!
        ! wait_until 10 courier_answers || return 0
        debs_end "$COURIER_PID"
    done
    cat "$COURIER/out" >&2
    return 1
}

courier_answers() {
    debs_answers "$COURIER_POP3" && grep -q 'Installation complete' "$COURIER/out"
}

courier_conf() {
    cat "$3" "$2" >"$1/courier/pop3d.pem"
    chown 992:65534 "$1/courier/pop3d.pem"
    chmod 600 "$1/courier/pop3d.pem"
    sed -i '/^TLS_DHPARAMS=/d; /^TLS_CACHEFILE=/d' "$1/courier/pop3d-ssl"
    sed -i 's/^POP3AUTH=.*/POP3AUTH="PLAIN LOGIN"/; s/^POP3AUTH_TLS=.*/POP3AUTH_TLS="PLAIN LOGIN"/' \
        "$1/courier/pop3d"
    mkdir -p "$1/pam.d"
    printf '%s required %s\n' auth pam_unix.so account pam_permit.so session pam_permit.so \
        >"$1/pam.d/pop3"
}

courier_script() {
    cat <<END
set -a
mkdir -p /run/courier/authdaemon
. /etc/courier/authdaemonrc
/usr/lib/courier/courier-authlib/authdaemond &
. /etc/courier/pop3d-ssl
. /etc/courier/pop3d
login="/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir"
tcpd="/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40 -nodnslookup -noidentlookup"
\$tcpd $COURIER_POP3 \$login &
POP3_TLS=1 POP3_STARTTLS=NO \$tcpd $COURIER_POP3S /usr/bin/couriertls -server -tcpd -user=courier \$login &
wait
END
}

# courier_user NAME FOLDER: alice, bob or carol; the password is "NAME pw"
courier_user() {
    mkdir -p "$COURIER/$1/Maildir"/{cur,new,tmp}
    cp "$2"/* "$COURIER/$1/Maildir/new/"
    chown -R 65533:65534 "$COURIER/$1"
}

courier_stop() {
    [ -n "${COURIER:-}" ] || return 0
    debs_end "$COURIER_PID"
    rm -rf "$COURIER"
}
