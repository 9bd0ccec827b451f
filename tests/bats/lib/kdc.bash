# SPDX-License-Identifier: ISC
# A throw-away Kerberos realm: its own database, KDC, keytab and tickets, on a free port of
# loopback, ended by pid. The system's Kerberos is not touched.
# shellcheck shell=bash

# need_kdc: visible skip
need_kdc() {
    [ -z "${KDC_MISSING:-}" ] || skip "$KDC_MISSING"
}

# kdc_start: KDC (folder), KDC_PID, and KRB5_CONFIG for all that is started later
kdc_start() {
    export KDC KDC_PID KDC_MISSING="" KRB5_CONFIG KRB5_KDC_PROFILE
    local program try port
    for program in krb5kdc kdb5_util kadmin.local kinit; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || {
            KDC_MISSING="$program (MIT Kerberos) is not installed"
            return 0
        }
    done
    if ! find /usr/lib*/ -name 'libgssapiv2.so*' -path '*sasl2*' 2>/dev/null | grep -q .; then
        KDC_MISSING="libsasl2's GSSAPI plugin is not installed"
        return 0
    fi
    PATH=$PATH:/usr/sbin
    KDC=$BATS_FILE_TMPDIR/kdc
    mkdir -p "$KDC"
    KRB5_CONFIG=$KDC/krb5.conf KRB5_KDC_PROFILE=$KDC/kdc.conf
    for try in 1 2 3 4 5; do
        port=$("$TOOL" freeport)
        kdc_conf "$port"
        [ -e "$KDC/db" ] || kdb5_util create -s -P master -r TESTS.EXAMPLE >"$KDC/create.out" 2>&1
        krb5kdc -n -P "$KDC/pid" >"$KDC/out" 2>&1 3>&- 4>&- </dev/null &
        KDC_PID=$!
        if wait_until 5 kdc_settled && [ -e "$KDC/pid" ] && ! gone "$KDC_PID"; then
            return 0
        fi
    done
    cat "$KDC/create.out" "$KDC/out" "$KDC/kdc.log" >&2
    return 1
}

kdc_settled() {
    gone "$KDC_PID" || grep -q 'commencing operation' "$KDC/kdc.log" 2>/dev/null
}

kdc_conf() {
    cat >"$KDC/krb5.conf" <<END
[libdefaults]
    default_realm = TESTS.EXAMPLE
    dns_lookup_kdc = false
    dns_lookup_realm = false
    rdns = false
    dns_canonicalize_hostname = false
[realms]
    TESTS.EXAMPLE = {
        kdc = 127.0.0.1:$1
    }
[domain_realm]
    localhost = TESTS.EXAMPLE
[logging]
    kdc = FILE:$KDC/kdc.log
    default = FILE:$KDC/lib.log
END
    cat >"$KDC/kdc.conf" <<END
[kdcdefaults]
    kdc_listen = 127.0.0.1:$1
    kdc_tcp_listen = 127.0.0.1:$1
[realms]
    TESTS.EXAMPLE = {
        database_name = $KDC/db
        key_stash_file = $KDC/stash
        acl_file = $KDC/acl
        max_life = 1h
    }
END
}

# kdc_user NAME PASSWORD; kdc_service NAME KEYTAB
kdc_user() {
    kadmin.local addprinc -pw "$2" "$1" >>"$KDC/admin.out" 2>&1
}

kdc_service() {
    kadmin.local addprinc -randkey "$1" >>"$KDC/admin.out" 2>&1
    kadmin.local ktadd -k "$2" "$1" >>"$KDC/admin.out" 2>&1
}

# ticket NAME PASSWORD CACHE [OPTION of kinit...]
ticket() {
    local name=$1 password=$2 cache=$3
    shift 3
    kinit -c "FILE:$cache" "$@" "$name" <<<"$password" >"$KDC/kinit.out" 2>&1 || {
        cat "$KDC/kinit.out" >&2
        return 1
    }
}

kdc_stop() {
    [ -z "${KDC_PID:-}" ] || {
        kill -TERM "$KDC_PID" 2>/dev/null || true
        wait_until 10 gone "$KDC_PID" || kill -KILL "$KDC_PID" 2>/dev/null || true
        wait "$KDC_PID" 2>/dev/null || true
    }
}
