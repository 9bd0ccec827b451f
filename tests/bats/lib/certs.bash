# SPDX-License-Identifier: ISC
# Authorities and certificates of every kind, made with the openssl command, and popd with TLS that
# can be told more about it (certs_popd.py).
# shellcheck shell=bash

# authority FOLDER NAME [PARENT]: FOLDER/NAME.pem and .key, able to sign and to revoke
authority() {
    local d=$1 name=$2 parent=${3:-}
    mkdir -p "$d/$name.db/certs"
    : >"$d/$name.db/index"
    cat >"$d/$name.cnf" <<END
[ca]
default_ca = it
[it]
database = $d/$name.db/index
new_certs_dir = $d/$name.db/certs
certificate = $d/$name.pem
private_key = $d/$name.key
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
    new_key "$d/$name.key"
    if [ -n "$parent" ]; then
        issue "$d" "$parent" "$name" - -extensions authority -extfile "$d/$name.cnf"
    else
        openssl req -x509 -new -key "$d/$name.key" -days 30 -subj "/CN=$name of the tests" \
            -config "$d/$name.cnf" -extensions authority -out "$d/$name.pem"
    fi
}

new_key() {
    [ -e "$1" ] || openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
        -out "$1" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

# issue FOLDER AUTHORITY NAME SAN [OPTION of openssl ca...]: FOLDER/NAME.pem and .key. SAN "-": the
# options bring the extensions; SAN "": none. A key that is there already is used.
issue() {
    local d=$1 by=$2 name=$3 san=$4 ext=()
    shift 4
    new_key "$d/$name.key"
    openssl req -new -key "$d/$name.key" -subj "/CN=${CN:-$name}" -out "$d/$name.csr" || return 1
    if [ "$san" != - ]; then
        { echo "basicConstraints = CA:FALSE"
            [ -z "$san" ] || echo "subjectAltName = $san"
            [ -z "${EKU:-}" ] || echo "extendedKeyUsage = $EKU"; } >"$d/$name.ext"
        ext=(-extfile "$d/$name.ext")
    fi
    openssl ca -batch -notext -config "$d/$by.cnf" -in "$d/$name.csr" -out "$d/$name.pem" \
        "${ext[@]}" "$@" >"$d/$name.log" 2>&1 || {
        cat "$d/$name.log" >&2
        return 1
    }
}

# day N: midnight N days from now, as openssl ca takes it
day() {
    date -u -d "now + $1 days" +%y%m%d000000Z
}

# revoke FOLDER AUTHORITY NAME
revoke() {
    openssl ca -config "$1/$2.cnf" -revoke "$1/$3.pem" 2>/dev/null
}

# crl FOLDER AUTHORITY OUT [OPTION...]: the list of what is revoked by now
crl() {
    local d=$1 by=$2 out=$3
    shift 3
    openssl ca -config "$d/$by.cnf" -gencrl -out "$out" "$@" 2>/dev/null
}

# pin_of CERTIFICATE: SHA-256 of its public key, in base64, as openssl reckons it
pin_of() {
    openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -binary | openssl base64 -A
}

# tls_popd KIND NAME [LINE...]: popd with certificate $TLS/NAME.pem, KIND implicit or stls
tls_popd() {
    local kind=$1 name=$2
    shift 2
    POPD=$LIB/certs_popd.py
    export CERTS_NOTES=$T/tls-notes
    popd_start "set tls $kind" "set cert \"$TLS/$name.pem\"" "set key \"$TLS/$name.key\"" "$@"
}

# tls_rc [LINE...]: an account that logs in there; the authority is $TLS/ca.pem
tls_rc() {
    local ca=("tls_ca_file = \"$TLS/ca.pem\"")
    [[ " $* " != *tls_ca_file* ]] || ca=()
    popd_rc 'tls = "implicit"' "${ca[@]}" "$@"
}

# noted REGEX: what popd has seen of TLS
noted() {
    grep -q -E "$1" "$CERTS_NOTES" 2>/dev/null || fail "not noted by the server: $1, but:
$(cat "$CERTS_NOTES" 2>/dev/null)"
}

# nothing_told: neither name nor password, nor an attempt at either, reached the server
nothing_told() {
    no_secret_sent "${1:-secret}"
    [ "$(sent_count '^(USER|PASS|APOP|AUTH)')" -eq 0 ] || fail "a login was tried: $(sent)"
    ! cat "$PLOG"/*.in 2>/dev/null | grep -q -a alice || fail "the user's name was sent"
    [ ! -d "$MD" ] || [ "$(count)" -eq 0 ] || fail "mail was delivered"
}
