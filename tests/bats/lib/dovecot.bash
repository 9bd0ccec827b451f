# SPDX-License-Identifier: ISC
# A real Dovecot of our own: own folder, own certificate, free high ports, ended by pid.
# Call dovecot_start in setup_file and dovecot_stop in teardown_file.
# shellcheck shell=bash

dovecot_binary() {
    local p
    for p in /usr/sbin/dovecot /usr/local/sbin/dovecot /usr/libexec/dovecot/dovecot; do
        [ ! -x "$p" ] || { echo "$p" && return; }
    done
    command -v dovecot
}

# need_dovecot: in setup(); visible skip
need_dovecot() {
    [ -z "${DOVE_MISSING:-}" ] || skip "$DOVE_MISSING"
}

# real: the same, and N is how many messages $DOVE/corpus has
real() {
    need_dovecot
    N=$(ls "$DOVE/corpus" | wc -l)
}

# need_part lmtp|imap: in setup(); visible skip
need_part() {
    [ -x "/usr/lib/dovecot/$1" ] || skip "dovecot's $1 is not installed"
}

# dovecot_start: sets and exports DOVE (folder), DOVE_POP3, DOVE_POP3S (ports), DOVE_CA; where the
# packages are there, DOVE_LMTP (port; the socket is $DOVE/lmtp) and DOVE_IMAP (port)
dovecot_start() {
    local binary try
    export DOVE DOVE_PID DOVE_POP3 DOVE_POP3S DOVE_LMTP DOVE_IMAP DOVE_CA DOVE_UID DOVE_GID DOVE_MISSING=
    binary=$(dovecot_binary) || {
        DOVE_MISSING="dovecot is not installed"
        return 0
    }
    if [ ! -e /usr/lib/dovecot/pop3-login ] && [ -d /usr/lib/dovecot ]; then
        DOVE_MISSING="dovecot's POP3 part is not installed"
        return 0
    fi
    # not under bats' folder: its parents are closed to the mail user, and socket names have a limit
    DOVE=$(mktemp -d /tmp/fpdovecot.XXXXXX)
    chmod 711 "$DOVE"
    certs "$DOVE/tls"
    DOVE_CA=$DOVE/tls/ca.pem
    DOVE_UID=$(id -u) DOVE_GID=$(id -g)
    if [ "$DOVE_UID" -eq 0 ]; then
        DOVE_UID=$(id -u nobody) DOVE_GID=$(id -g nobody)
    fi
    mkdir -p "$DOVE/mail"
    chmod 711 "$DOVE/mail"
    : >"$DOVE/users"
    chmod 644 "$DOVE/users"
    for try in 1 2 3 4 5; do
        DOVE_POP3=$("$TOOL" freeport) DOVE_POP3S=$("$TOOL" freeport)
        DOVE_LMTP=$("$TOOL" freeport) DOVE_IMAP=$("$TOOL" freeport)
        dovecot_conf >"$DOVE/conf"
        "$binary" -F -c "$DOVE/conf" >"$DOVE/out" 2>&1 3>&- 4>&- </dev/null &
        DOVE_PID=$!
        if wait_until 15 dovecot_settled && dovecot_answers; then
            return 0
        fi
        kill -TERM "$DOVE_PID" 2>/dev/null || true
        wait "$DOVE_PID" 2>/dev/null || true
    done
    cat "$DOVE/out" "$DOVE/log" >&2
    return 1
}

dovecot_settled() {
    gone "$DOVE_PID" || dovecot_answers
}

dovecot_answers() {
    (
        exec 9<>"/dev/tcp/127.0.0.1/$DOVE_POP3" && read -r -t 5 line <&9 && [[ $line == +OK* ]]
    ) 2>/dev/null
}

dovecot_conf() {
    local internal login
    internal=$(id -un) login=$internal
    if [ "$(id -u)" -eq 0 ]; then
        internal=dovecot login=dovenull
    fi
    cat <<END
base_dir = $DOVE/run
state_dir = $DOVE/state
log_path = $DOVE/log
protocols = pop3$(for part in lmtp imap; do [ ! -x "/usr/lib/dovecot/$part" ] || printf ' %s' "$part"; done)
listen = 127.0.0.1
default_internal_user = $internal
default_internal_group = $(id -gn "$internal")
default_login_user = $login
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <$DOVE/tls/server.pem
ssl_key = <$DOVE/tls/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0 secs
passdb {
  driver = passwd-file
  args = scheme=PLAIN $DOVE/users
}
userdb {
  driver = static
  args = uid=$DOVE_UID gid=$DOVE_GID home=$DOVE/mail/%u
}
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 200
pop3_no_flag_updates = yes
login_trusted_networks =
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = $DOVE_POP3
  }
  inet_listener pop3s {
    port = $DOVE_POP3S
    ssl = yes
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $DOVE_IMAP
  }
  inet_listener imaps {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = $DOVE_LMTP
  }
  unix_listener $DOVE/lmtp {
    mode = 0666
  }
}
service anvil {
  chroot =
}
protocol lmtp {
  postmaster_address = postmaster@example.org
}
END
}

dovecot_stop() {
    [ -n "${DOVE:-}" ] || return 0
    if [ -n "${DOVE_PID:-}" ]; then
        kill -TERM "$DOVE_PID" 2>/dev/null || true
        wait_until 10 gone "$DOVE_PID" || kill -KILL "$DOVE_PID" 2>/dev/null || true
        wait "$DOVE_PID" 2>/dev/null || true
    fi
    rm -rf "$DOVE"
}

# three_messages [FORMAT]: in $BATS_FILE_TMPDIR/box, for dovecot_user; FORMAT makes a body of a number
three_messages() {
    local n
    mkdir -p "$BATS_FILE_TMPDIR/box"
    for n in 1 2 3; do
        # shellcheck disable=SC2059 # it is one
        printf "From: a@example.com\nMessage-ID: <%s@x>\nDate: Sat, 1 Jan 2022 0%s:00:00 +0000\n\n${1:-m%s\n}" \
            $n $n $n >"$BATS_FILE_TMPDIR/box/160000000$n.m$n"
    done
}

# dovecot_user NAME PASSWORD [FOLDER]: a user whose mailbox is a linked copy of FOLDER's messages
dovecot_user() {
    local md=$DOVE/mail/$1/Maildir
    mkdir -p "$md/new" "$md/cur" "$md/tmp"
    if [ -n "${3:-}" ]; then
        cp -al "$3/." "$md/new/"
    fi
    if [ "$(id -u)" -eq 0 ]; then
        chown -R "$DOVE_UID:$DOVE_GID" "$DOVE/mail/$1"
    fi
    echo "$1:{PLAIN}$2" >>"$DOVE/users"
}

# wire USER PASSWORD TLS WHAT: what comes over the wire, by a strict client of our own
wire() {
    local port=$DOVE_POP3
    [ "$3" != implicit ] || port=$DOVE_POP3S
    "$LIB/wire.py" --port "$port" --tls "$3" --ca "$DOVE_CA" --user "$1" --password "$2" "$4"
}

# dovecot_account TITLE USER PASSWORD TLS [LINE...]
dovecot_account() {
    local title=$1 user=$2 password=$3 tls=$4 port=$DOVE_POP3
    shift 4
    [ "$tls" != implicit ] || port=$DOVE_POP3S
    cat <<END
account "$title" {
    server = "localhost"
    port = "$port"
    tls = "$tls"
    tls_ca_file = "$DOVE_CA"
    user = "$user"
    password = "$password"
$(printf '    %s\n' "$@")
}
END
}
