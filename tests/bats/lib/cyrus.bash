# SPDX-License-Identifier: ISC
# Debian's Cyrus, unpacked. Load after lib/common and lib/debs.
# shellcheck shell=bash

CYRUS_BIN=/usr/lib/cyrus/bin

# cyrus_start CERTIFICATE KEY: sets CYRUS (folder), CYRUS_POP3, CYRUS_POP3S, CYRUS_POP3S12 (TLS 1.2)
cyrus_start() {
    export CYRUS CYRUS_PID="" CYRUS_POP3 CYRUS_POP3S CYRUS_POP3S12 CYRUS_MISSING=""
    CYRUS=$(mktemp -d /tmp/fpcyrus.XXXXXX)
    chmod 711 "$CYRUS"
    debs_unpack "$CYRUS/root" cyrus-pop3d sasl2-bin || {
        CYRUS_MISSING=$DEBS_MISSING
        return 0
    }
    debs_user "$CYRUS/root" cyrus 991 8 "$CYRUS"
    mkdir -p "$CYRUS"/conf "$CYRUS"/spool "$CYRUS"/sock "$CYRUS"/run
    cp "$1" "$CYRUS/conf/cert.pem"
    cp "$2" "$CYRUS/conf/key.pem"
    chown -R 991:8 "$CYRUS"/conf "$CYRUS"/spool "$CYRUS"/sock "$CYRUS"/run
    local try
    for try in 1 2 3; do
        CYRUS_POP3=$("$TOOL" freeport) CYRUS_POP3S=$("$TOOL" freeport)
        CYRUS_POP3S12=$("$TOOL" freeport)
        cyrus_conf
        "$LIB/debs_root" "$CYRUS/root" "$CYRUS_BIN/master" -C "$CYRUS/imapd.conf" \
            -M "$CYRUS/cyrus.conf" -p "$CYRUS/run/pid" >"$CYRUS/out" 2>&1 3>&- 4>&- </dev/null &
        CYRUS_PID=$!
        ! wait_until 10 debs_answers "$CYRUS_POP3" || return 0
        debs_end "$CYRUS_PID"
    done
    cat "$CYRUS/out" >&2
    return 1
}

cyrus_conf() {
    cat >"$CYRUS/imapd.conf" <<END
configdirectory: $CYRUS/conf
partition-default: $CYRUS/spool
defaultpartition: default
admins: cyrus
servername: localhost
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: $CYRUS/conf/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512
allowplaintext: yes
autocreate_quota: 0
unixhierarchysep: yes
popminpoll: 0
failedloginpause: 0
tls_server_cert: $CYRUS/conf/cert.pem
tls_server_key: $CYRUS/conf/key.pem
lmtpsocket: $CYRUS/sock/lmtp
idlesocket: $CYRUS/sock/idle
notifysocket: $CYRUS/sock/notify
mboxname_lockpath: $CYRUS/run/lock
proc_path: $CYRUS/run/proc
END
    { cat "$CYRUS/imapd.conf" && echo 'tls_versions: tls1_2'; } >"$CYRUS/imapd12.conf"
    cat >"$CYRUS/cyrus.conf" <<END
START {
  recover cmd="$CYRUS_BIN/ctl_cyrusdb -C $CYRUS/imapd.conf -r"
}
SERVICES {
  pop3 cmd="pop3d -C $CYRUS/imapd.conf" listen="127.0.0.1:$CYRUS_POP3" prefork=0
  pop3s cmd="pop3d -s -C $CYRUS/imapd.conf" listen="127.0.0.1:$CYRUS_POP3S" prefork=0
  pop3s12 cmd="pop3d -s -C $CYRUS/imapd12.conf" listen="127.0.0.1:$CYRUS_POP3S12" prefork=0
}
END
}

# cyrus_user NAME PASSWORD FOLDER: a mailbox with FOLDER's messages, as CRLF files of Cyrus's own
cyrus_user() {
    local spool file n=0
    "$LIB/debs_root" "$CYRUS/root" sh -c "saslpasswd2 -p -c -f '$CYRUS/conf/sasldb2' \
        -u localhost '$1' && chown 991:8 '$CYRUS/conf/sasldb2'" <<<"$2"
    "$LIB/wire.py" --port "$CYRUS_POP3" --host 127.0.0.1 --tls none --user "$1" --password "$2" \
        count >/dev/null
    spool=$("$LIB/debs_root" "$CYRUS/root" setpriv --reuid=991 --regid=8 --clear-groups \
        "$CYRUS_BIN/mbpath" -C "$CYRUS/imapd.conf" "user/$1")
    for file in "$3"/*; do
        n=$((n + 1))
        sed 's/$/\r/' "$file" >"$spool/$n."
    done
    chown -R 991:8 "$spool"
    "$LIB/debs_root" "$CYRUS/root" setpriv --reuid=991 --regid=8 --clear-groups \
        "$CYRUS_BIN/reconstruct" -C "$CYRUS/imapd.conf" "user/$1" >>"$CYRUS/out" 2>&1
}

cyrus_stop() {
    [ -n "${CYRUS:-}" ] || return 0
    debs_end "$CYRUS_PID"
    rm -rf "$CYRUS"
}
