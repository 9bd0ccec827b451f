#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Whom TLS trusts: certificates of every kind, pins, revocation, versions, client certificates.
# Who is refused gets neither name nor password.

load lib/common
load lib/certs

# Here many runs over one state folder are asked for their words; what cron hears is in 85-manners.
FP_ALWAYS=(--force)

setup_file() {
    export TLS=$BATS_FILE_TMPDIR/tls
    local local_names="DNS:localhost,IP:127.0.0.1"
    authority "$TLS" ca
    authority "$TLS" stranger
    authority "$TLS" middle ca
    issue "$TLS" ca good "$local_names"
    issue "$TLS" ca expired "$local_names" -startdate "$(day -20)" -enddate "$(day -3)"
    issue "$TLS" ca early "$local_names" -startdate "$(day 3)" -enddate "$(day 30)"
    issue "$TLS" ca soon "$local_names" -enddate "$(day 6)"
    issue "$TLS" ca weeks "$local_names" -enddate "$(day 13)"
    issue "$TLS" ca later "$local_names" -enddate "$(day 20)"
    issue "$TLS" ca other "DNS:other.example,DNS:more.example"
    CN=localhost issue "$TLS" ca nosan ""
    issue "$TLS" ca noip "DNS:localhost,DNS:127.0.0.1"
    issue "$TLS" ca wild "DNS:*.example.org"
    issue "$TLS" ca star "DNS:*"
    issue "$TLS" ca partial "DNS:p*.example.org,DNS:*p.example.org,DNS:p*p.example.org"
    issue "$TLS" ca inner "DNS:pop.*.org"
    issue "$TLS" ca top "DNS:*.org"
    issue "$TLS" stranger foreign "$local_names"
    issue "$TLS" ca revoked "$local_names"
    issue "$TLS" middle below "$local_names"
    EKU=clientAuth issue "$TLS" ca purpose "$local_names"
    issue "$TLS" good leafsigned "$local_names" 2>/dev/null || leaf_signed
    openssl req -x509 -new -key "$TLS/good.key" -days 30 -subj /CN=localhost \
        -addext "subjectAltName=$local_names" -out "$TLS/self.pem"
    cp "$TLS/good.key" "$TLS/self.key"
    cat "$TLS/middle.pem" >"$TLS/middle.chain"
    cat "$TLS/below.pem" "$TLS/middle.pem" >"$TLS/chained.pem"
    cp "$TLS/below.key" "$TLS/chained.key"
    openssl genrsa -out "$TLS/short.key" 1024 2>/dev/null
    issue "$TLS" ca short "$local_names"
    issue "$TLS" ca sha1 "$local_names" -md sha1
    crl "$TLS" ca "$TLS/empty.crl"
    revoke "$TLS" ca revoked
    crl "$TLS" ca "$TLS/ca.crl"
    crl "$TLS" ca "$TLS/old.crl" -crl_lastupdate "$(day -9)" -crl_nextupdate "$(day -2)"
    crl "$TLS" stranger "$TLS/stranger.crl"
    EKU=clientAuth issue "$TLS" ca alice ""
    EKU=clientAuth issue "$TLS" stranger mallory ""
    openssl pkey -in "$TLS/alice.key" -aes256 -passout pass:'key secret' -out "$TLS/locked.key"
}

# a certificate signed by one that is no authority
leaf_signed() {
    new_key "$TLS/leafsigned.key"
    openssl req -new -key "$TLS/leafsigned.key" -subj /CN=leafsigned |
        openssl x509 -req -CA "$TLS/good.pem" -CAkey "$TLS/good.key" -set_serial 77 -days 30 \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$TLS/leaf.one" 2>/dev/null
    cat "$TLS/leaf.one" "$TLS/good.pem" >"$TLS/leafsigned.pem"
}

# welcome CERTIFICATE [LINE...]: all is well with it
welcome() {
    local name=$1
    shift
    rm -rf "$MD" "$T/state" "$PLOG"
    tell m1
    tls_popd implicit "$name"
    tls_rc "$@"
    want 0 --state-dir "$T/state"
    [ "$(count)" -eq 1 ]
    popd_stop
}

# unwelcome CERTIFICATE REGEX [LINE...]: 77, one line that matches, nothing told
unwelcome() {
    local name=$1 regex=$2
    shift 2
    rm -rf "$MD" "$T/state" "$PLOG"
    tell m1
    tls_popd implicit "$name"
    tls_rc "$@"
    want 77 --state-dir "$T/state"
    certificate_lines "$regex"
    [ -z "$output" ] || fail "something on standard output"
    nothing_told
    [ "$(connections)" -le 1 ] || fail "tried again"
    popd_stop
}

# --- certificates ---------------------------------------------------------------------------------

@test "a good certificate, by name and by address" {
    welcome good
    welcome good 'server = "localhost"'
}

@test "one of an authority in between: with its chain, and when the authority is given" {
    welcome chained
    welcome below "tls_ca_file = \"$TLS/middle.pem\""
    unwelcome below '\(issuer\): '
}

@test "a self-signed certificate: refused, with all that one needs to judge it" {
    unwelcome self '\(issuer\): '
    [[ $stderr == *"$(pin_of "$TLS/self.pem")"* ]] || fail "not its pin"
    certificate_lines 'subject: .*localhost'
    certificate_lines "$(openssl x509 -in "$TLS/self.pem" -noout -enddate | sed 's/.* \(20..\) .*/\1/')"
    certificate_lines 'tls_ca_file|tls_pin'
    [[ $stderr == *127.0.0.1* ]] || fail "the server is not named"
    want 0 --status --state-dir "$T/state"
    [ "$(grep -c 'certificate not trusted.*; last success never$' <<<"$output")" -eq 1 ] || fail "--status"
    [[ $output != *'\x0a'* ]] || fail "--status shows an end of line as a number"
}

@test "a self-signed certificate that is trusted by tls_ca_file" {
    welcome self "tls_ca_file = \"$TLS/self.pem\""
}

@test "expired, and not yet valid" {
    unwelcome expired '\(dates\): '
    certificate_lines "$(date -u -d 'now - 3 days' +%Y-%m-%d)"
    unwelcome early '\(dates\): '
    certificate_lines "$(date -u -d 'now + 3 days' +%Y-%m-%d)"
}

@test "for another host: refused, and the names it is for are said" {
    unwelcome other '\(name\): .*other\.example'
    certificate_lines 'more\.example'
    unwelcome other '\(name\): .*other\.example' 'server = "localhost"'
    [[ $stderr == *localhost* ]] || fail "the wanted name is not said"
}

@test "a name in the subject alone does not count" {
    unwelcome nosan '\(name\): ' 'server = "localhost"'
}

@test "an address counts only as an address" {
    unwelcome noip 'name|address'
    welcome noip 'server = "localhost"'
}

@test "wildcards: one whole label on the left, nothing else" {
    welcome wild 'tls_server_name = "pop.example.org"'
    unwelcome wild '\(name\): ' 'tls_server_name = "example.org"'
    unwelcome wild '\(name\): ' 'tls_server_name = "a.pop.example.org"'
    unwelcome wild '\(name\): ' 'tls_server_name = "pop.example.com"'
    unwelcome star '\(name\): ' 'tls_server_name = "localhost"'
    unwelcome star '\(name\): ' 'tls_server_name = "org"'
    unwelcome partial '\(name\): ' 'tls_server_name = "pop.example.org"'
    unwelcome inner '\(name\): ' 'tls_server_name = "pop.example.org"'
    unwelcome wild 'name|address'
}

@test "of an authority that is not trusted" {
    unwelcome foreign '\(issuer\): '
    welcome foreign "tls_ca_file = \"$TLS/stranger.pem\""
}

@test "signed by a certificate that is no authority" {
    unwelcome leafsigned '.'
}

@test "not meant for servers; a key too short; signed with SHA-1" {
    unwelcome purpose 'purpose'
    CERTS_WEAK=1 unwelcome short 'key'
    CERTS_WEAK=1 unwelcome sha1 '.'
}

@test "the system's authorities are what counts when the configuration file names none" {
    unwelcome good '\(issuer\): ' -tls_ca_file
    FP_ENV=(SSL_CERT_FILE="$TLS/ca.pem" SSL_CERT_DIR="$T/none")
    rm -rf "$PLOG"
    tls_popd implicit good
    popd_rc 'tls = "implicit"'
    want 0 --state-dir "$T/state"
    [ "$(count)" -eq 1 ]
}


# --- what a configuration file can say ------------------------------------------------------------

@test "tls_ca_dir: a folder made by rehash; an empty one; none" {
    mkdir "$T/ca" "$T/empty"
    cp "$TLS/ca.pem" "$T/ca/"
    openssl rehash "$T/ca"
    tell m1
    tls_popd implicit good
    popd_rc 'tls = "implicit"' "tls_ca_dir = \"$T/ca\""
    want 0
    [ "$(count)" -eq 1 ]
    maildir_clear
    rm -rf "$PLOG"/*
    popd_rc 'tls = "implicit"' "tls_ca_dir = \"$T/empty\""
    want 77
    certificate_lines issuer
    popd_rc 'tls = "implicit"' "tls_ca_dir = \"$T/missing\""
    want 78
    [[ $stderr == *"$T/missing"* ]]
}

@test "tls_ca_file that is missing, empty or junk: 78, and it is named" {
    tls_popd implicit good
    echo junk >"$T/junk"
    : >"$T/void"
    local f
    for f in missing void junk; do
        popd_rc 'tls = "implicit"' "tls_ca_file = \"$T/$f\""
        want 78
        account_line "$T/$f"
        nothing_told
    done
}

@test "files that cannot be read: the key, the path and the system's reason are said" {
    tls_popd implicit good
    ln -s "$T/loop" "$T/loop"
    mkdir "$T/folder"
    local key
    for key in tls_ca_file tls_crl_file tls_cert_file tls_key_file; do
        local more=()
        [ "$key" != tls_key_file ] || more=("tls_cert_file = \"$TLS/alice.pem\"")
        tls_rc "$key = \"$T/missing\"" "${more[@]}"
        want 78
        account_line "$key $T/missing cannot be read: No such file or directory; check path and mode"
        tls_rc "$key = \"$T/loop\"" "${more[@]}"
        want 78
        account_line "$key $T/loop cannot be read: Too many levels of symbolic links; "
        tls_rc "$key = \"$T/folder\"" "${more[@]}"
        want 78
        account_line "$key $T/folder is a folder; name a file in it"
        [[ $stderr != *"system lib"* ]] || fail "OpenSSL's words"
        nothing_told
    done
    popd_rc 'tls = "implicit"' "tls_ca_dir = \"$T/missing\""
    want 78
    account_line "tls_ca_dir $T/missing cannot be read: No such file or directory; "
    popd_rc 'tls = "implicit"' "tls_ca_dir = \"$TLS/ca.pem\""
    want 78
    account_line "tls_ca_dir $TLS/ca.pem is not a folder; "
}

@test "tls_server_name: what is checked, and what SNI says" {
    welcome other 'tls_server_name = "other.example"'
    noted '^sni other.example$'
    unwelcome good '\(name\): ' 'tls_server_name = "other.example"'
    certificate_lines 'other\.example'
}

@test "SNI is sent by itself for a name, and not for an address" {
    welcome good 'server = "localhost"'
    noted '^sni localhost$'
    rm "$CERTS_NOTES"
    welcome good
    noted '^sni None$'
}

@test "SNI is sent with STLS and with a pin alone, too" {
    tell m1
    tls_popd stls good
    popd_rc 'tls = "stls"' 'server = "localhost"' 'tls_trust = "pin"' \
        "tls_pin = \"$(pin_of "$TLS/good.pem")\""
    want 0
    noted '^sni localhost$'
}

# --- pins -----------------------------------------------------------------------------------------

WRONG="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

@test "tls_trust = pin: the key counts, not the authority, name or dates" {
    local name
    for name in good self expired other foreign; do
        welcome "$name" -tls_ca_file 'tls_trust = "pin"' "tls_pin = \"$(pin_of "$TLS/$name.pem")\""
    done
    unwelcome good '\(pin\): ' 'tls_trust = "pin"' "tls_pin = \"$WRONG\""
    [[ $stderr == *"$(pin_of "$TLS/good.pem")"* ]] || fail "not its pin"
}

@test "several pins: one that fits is enough, none is refused" {
    local right
    right=$(pin_of "$TLS/self.pem")
    welcome self 'tls_trust = "pin"' "tls_pin = { \"$WRONG\", \"$right\" }"
    welcome self 'tls_trust = "pin"' "tls_pin = { \"$right\", \"$WRONG\" }"
    unwelcome self '\(pin\): ' 'tls_trust = "pin"' "tls_pin = { \"$WRONG\", \"${right:0:40}AAA=\" }"
}

@test "a pin in hexadecimal, with and without colons" {
    local hex
    hex=$(pin_of "$TLS/self.pem" | base64 -d | od -An -v -tx1 | tr -d ' \n')
    welcome self 'tls_trust = "pin"' "tls_pin = \"$hex\""
    welcome self 'tls_trust = "pin"' "tls_pin = \"$(sed 's/../&:/g; s/:$//' <<<"${hex^^}")\""
}

@test "tls_trust = both: each check counts" {
    local pin
    pin=$(pin_of "$TLS/good.pem")
    welcome good 'tls_trust = "both"' "tls_pin = \"$pin\""
    unwelcome good '\(pin\): ' 'tls_trust = "both"' "tls_pin = \"$WRONG\""
    unwelcome self '\(issuer\): ' 'tls_trust = "both"' "tls_pin = \"$(pin_of "$TLS/self.pem")\""
    unwelcome expired 'dates' 'tls_trust = "both"' "tls_pin = \"$(pin_of "$TLS/expired.pem")\""
    unwelcome other 'name' 'tls_trust = "both"' "tls_pin = \"$(pin_of "$TLS/other.pem")\""
}

@test "a pin that is none, and pins that nobody gave: 78 with the line" {
    popd_rc 'tls = "implicit"' 'tls_trust = "pin"' 'tls_pin = "abc"'
    want 78
    one_line 'tls_pin'
    popd_rc 'tls = "implicit"' 'tls_trust = "pin"'
    want 78
    one_line 'tls_pin|tls_trust'
    popd_rc 'tls = "implicit"' 'tls_trust = "perhaps"'
    want 78
    one_line "$(basename "$RC"):[0-9]+: .*tls_trust"
}

@test "--print-pin: the pin of the server's key, and no login" {
    local name
    for name in good self expired; do
        rm -rf "$PLOG"
        tls_popd implicit "$name"
        tls_rc
        want 0 --print-pin a
        [[ $output == *"$(pin_of "$TLS/$name.pem")"* ]] || fail "not the pin"
        nothing_told
        [ ! -e "$STATE" ] || [ -z "$(find "$STATE" -name '*journal*')" ] || fail "made a journal"
        popd_stop
    done
}

@test "--print-pin over STLS, and its output can be used" {
    tell m1
    tls_popd stls self
    popd_rc 'tls = "stls"'
    want 0 --print-pin a
    nothing_told
    local pin
    pin=$(grep -o -E '[A-Za-z0-9+/]{43}=' <<<"$output" | head -1)
    popd_rc 'tls = "stls"' 'tls_trust = "pin"' "tls_pin = \"$pin\""
    want 0
    [ "$(count)" -eq 1 ]
}

@test "--print-pin without an account, with an unknown one, or with no TLS: an error" {
    popd_rc
    want 64 --print-pin
    want 64 --print-pin nobody
    want 78 --print-pin a
    [ -n "$stderr" ]
}

# --- revocation -----------------------------------------------------------------------------------

@test "tls_crl_file: revoked is refused, and others are not" {
    welcome revoked
    unwelcome revoked '\(revocation\): ' "tls_crl_file = \"$TLS/ca.crl\""
    welcome good "tls_crl_file = \"$TLS/ca.crl\""
    welcome revoked "tls_crl_file = \"$TLS/empty.crl\""
}

@test "a list that ran out, or is another authority's: refused; junk or none: 78" {
    unwelcome good '\(revocation\): .*has expired' "tls_crl_file = \"$TLS/old.crl\""
    unwelcome good '\(revocation\): ' "tls_crl_file = \"$TLS/stranger.crl\""
    echo junk >"$T/junk"
    local f
    for f in junk missing; do
        popd_rc 'tls = "implicit"' "tls_ca_file = \"$TLS/ca.pem\"" "tls_crl_file = \"$T/$f\""
        tls_popd implicit good
        sed -i "s/port = .*/port = \"$PORT\"/" "$RC"
        want 78
        account_line "$T/$f"
        popd_stop
    done
}

# --- versions -------------------------------------------------------------------------------------

@test "TLS 1.0 and 1.1 are refused, and it is said that the server is too old" {
    local version flag
    for version in 1.0 1.1; do
        flag=-tls1
        [ $version = 1.0 ] || flag=-tls1_1
        export CERTS_VERSION=$version
        # a control: the server is there and a lenient client gets in
        tls_popd implicit good
        openssl s_client -connect "127.0.0.1:$PORT" "$flag" -cipher ALL:@SECLEVEL=0 \
            -CAfile "$TLS/ca.pem" </dev/null >"$T/s_client" 2>&1 || skip "no TLS $version to test with"
        popd_stop
        unwelcome good 'too old'
    done
}

@test "TLS 1.2 and 1.3 are taken; tls_min_version = 1.3 refuses 1.2" {
    CERTS_VERSION=1.2 welcome good
    noted '^version TLSv1.2$'
    CERTS_VERSION=1.3 welcome good
    noted '^version TLSv1.3$'
    CERTS_VERSION=1.3 welcome good 'tls_min_version = "1.3"'
    CERTS_VERSION=1.2 unwelcome good 'too old|1\.3' 'tls_min_version = "1.3"'
    popd_rc 'tls_min_version = "1.1"'
    want 78
    one_line "$(basename "$RC"):[0-9]+: .*tls_min_version"
}

# --- client certificates --------------------------------------------------------------------------

@test "client certificate: the right one" {
    CERTS_CLIENT=$TLS/ca.pem welcome good \
        "tls_cert_file = \"$TLS/alice.pem\"" "tls_key_file = \"$TLS/alice.key\""
    noted '^client alice$'
    cat "$TLS/alice.pem" "$TLS/alice.key" >"$T/one.pem"
    chmod 600 "$T/one.pem"
    CERTS_CLIENT=$TLS/ca.pem welcome good "tls_cert_file = \"$T/one.pem\""
}

@test "client certificate: none, and a foreign one, on TLS 1.2 and 1.3" {
    local version
    for version in 1.2 1.3; do
        export CERTS_VERSION=$version
        CERTS_CLIENT=$TLS/ca.pem unwelcome good 'certificate of ours|client certificate'
        CERTS_CLIENT=$TLS/ca.pem unwelcome good 'refuses our certificate' \
            "tls_cert_file = \"$TLS/mallory.pem\"" "tls_key_file = \"$TLS/mallory.key\""
    done
}

@test "client certificate: a key that is another's, missing or locked: 78 before anything is said" {
    local key
    tls_popd implicit good
    for key in mallory locked missing; do
        tls_rc "tls_cert_file = \"$TLS/alice.pem\"" "tls_key_file = \"$TLS/$key.key\""
        want 78
        account_line "$key.key"
        nothing_told
    done
}

@test "tls_key_password_command: the right passphrase, a wrong one, a failing command" {
    CERTS_CLIENT=$TLS/ca.pem welcome good "tls_cert_file = \"$TLS/alice.pem\"" \
        "tls_key_file = \"$TLS/locked.key\"" "tls_key_password_command = \"echo 'key secret'\""
    noted '^client alice$'
    rm -rf "$PLOG" "$MD"
    tls_popd implicit good
    tls_rc "tls_cert_file = \"$TLS/alice.pem\"" "tls_key_file = \"$TLS/locked.key\"" \
        'tls_key_password_command = "echo wrong"'
    want 78
    account_line
    [[ $stderr != *"key secret"* ]]
    tls_rc "tls_cert_file = \"$TLS/alice.pem\"" "tls_key_file = \"$TLS/locked.key\"" \
        'tls_key_password_command = "exit 3"'
    want 77
    account_line 'tls_key_password_command'
    nothing_told
}

# --- the rest -------------------------------------------------------------------------------------

@test "a certificate that runs out within 14 days: said with -v and on a terminal" {
    tell m1
    tls_popd implicit soon
    tls_rc
    want 0
    silent
    want 0 -v
    grep -q -i -E 'certificate.*(runs out|expires)|(runs out|expires).*certificate' <<<"$output$stderr" ||
        fail "not said with -v"
    on_tty
    [ "$status" -eq 0 ]
    grep -q -i -E 'certificate' <<<"$output" || fail "not said on a terminal: $output"
    popd_stop
    tls_popd implicit later
    tls_rc
    want 0 -v
    ! grep -q -i -E 'certificate.*(runs out|expires)' <<<"$output$stderr" || fail "said of 20 days"
}

@test "metrics: the days that the certificate has left" {
    tell m1
    tls_popd implicit soon
    tls_rc
    echo "metrics = \"$T/metrics\"" >>"$RC"
    want 0
    grep -E '^fetchpop_certificate_days\{account="[^"]*"\} [56]$' "$T/metrics" || fail "$(cat "$T/metrics")"
}

@test "a certificate that runs out: once a week where nobody watches" {
    local library day
    library=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
    [ -n "$library" ] || skip "no libfaketime"
    tls_popd implicit weeks
    tls_rc
    FP_ALWAYS=()
    for day in 0 1 6 7 8; do
        FP_ENV=("LD_PRELOAD=$library" "FAKETIME=+${day}d")
        want 0
        case $day in
        0 | 7) [[ $stderr == *"expires in"* ]] || fail "not said on day $day: $stderr" ;;
        *) silent ;;
        esac
    done
}

@test "cut off inside a message without close_notify: asked for again, and never stored half" {
    tell_many 3
    tls_popd implicit good 'on @1 RETR =m002: send "+OK\r\nSubject: x\r\n\r\nhalf a\r\n"; close'
    tls_rc 'keep = "no"'
    box_digests
    want 0
    same "$T/want"
    [ "$(connections)" -ge 2 ] || fail "not asked for on another connection"
    [ "$(box_count)" -eq 0 ]
}

@test "cut off there on every connection: an error, and the run after the repair brings it" {
    tell_many 3
    tls_popd implicit good 'on RETR =m002: send "+OK\r\nSubject: x\r\n\r\nhalf a\r\n"; close'
    tls_rc 'keep = "no"'
    box_digests
    want 65
    account_line
    [ "$(count)" -eq 2 ] || fail "$(count) messages"
    tmp_empty
    [ "$(box_count)" -eq 1 ] || fail "$(box_count) on the server"
    popd_again "set tls implicit" "set cert \"$TLS/good.pem\"" "set key \"$TLS/good.key\""
    want 0 --force
    same "$T/want"
    [ "$(box_count)" -eq 0 ]
}

@test "no close_notify behind QUIT's answer is no error" {
    tell_many 2
    tls_popd implicit good 'on QUIT: answer; close'
    tls_rc 'keep = "no"'
    want 0
    silent
    [ "$(box_count)" -eq 0 ]
}

@test "plain text on a TLS port is said to be that, and nothing is told" {
    popd_start
    tls_rc
    want 76
    account_line 'no TLS|stls'
    nothing_told
}

@test "a handshake that never ends costs the timeout and no more" {
    popd_start 'on connect: hang'
    tls_rc 'timeout = "2s"'
    SECONDS=0
    want 75
    [ "$SECONDS" -le 6 ] || fail "took $SECONDS s"
    account_line
    nothing_told
}
