/* SPDX-License-Identifier: ISC */
/*
 * account: what one account of the configuration file says, in plain C. app makes and frees it
 * (app/settings.h), session reads it.
 *
 * Everything is malloced and owned by the account. Durations are in seconds, sizes in octets.
 */
#ifndef FP_SESSION_ACCOUNT_H
#define FP_SESSION_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/secret.h"
#include "delivery/deliver.h"
#include "net/tls.h"
#include "session/rules.h"

#define ACCOUNT_TITLE_MAX 64 /* octets */
#define ACCOUNT_PORT 110     /* RFC 1939, with STLS or without TLS */
#define ACCOUNT_PORT_TLS 995 /* RFC 8314, TLS from the first byte */

enum account_tls { ACCOUNT_TLS_IMPLICIT, ACCOUNT_TLS_STLS, ACCOUNT_TLS_NONE };
enum account_pipelining { ACCOUNT_PIPELINING_AUTO, ACCOUNT_PIPELINING_ON, ACCOUNT_PIPELINING_OFF };
enum account_keep { ACCOUNT_KEEP, ACCOUNT_NOKEEP, ACCOUNT_KEEP_FOR };
enum account_sandbox { ACCOUNT_SANDBOX_AUTO, ACCOUNT_SANDBOX_OFF };
enum account_ip { ACCOUNT_IP_ANY, ACCOUNT_IP_4, ACCOUNT_IP_6 };

struct account {
    char *title;
    char *journal_name; /* what its journal's head calls it (state/journal.h); NULL: nothing */
    char *former;       /* stem of the journal it had under another name; NULL: none */
    bool enabled;

    char *server; /* a name in A-labels (RFC 5890), or an address */
    unsigned port;
    enum account_ip ip;
    char *source_address;
    char *proxy_host; /* NULL: no proxy */
    unsigned proxy_port;
    char *proxy_user; /* NULL: the proxy asks for none */
    struct secret proxy_password;
    char *connect_command;
    enum account_tls tls;
    enum tls_trust trust;
    char *tls_ca_file, *tls_ca_dir, *tls_cert_file, *tls_key_file, *tls_crl_file;
    char *tls_server_name, *tls_min_version;
    char **tls_pins; /* NULL-terminated, or NULL */
    char *tls_key_password_command;
    struct secret tls_key_password; /* what that one printed */

    char *user;
    struct secret password; /* of the configuration file or the terminal; empty: none (yet) */
    bool password_typed;    /* on the terminal */
    char *password_command, *password_file, *token_command;
    char **auth;                  /* methods, NULL-terminated; {"auto", NULL} by default */
    char *authorization_identity; /* RFC 4422 section 3.4.1; NULL: that of whoever logs in */

    enum account_keep keep;
    int64_t keep_seconds; /* with ACCOUNT_KEEP_FOR */
    unsigned keep_newest; /* this many at the end stay, whatever keep says; 0: none */
    unsigned newest;      /* of what the first run finds, this many at the end are fetched, ... */
    int64_t since;        /* ... and those of this time or later; both 0: all */

    enum deliver_kind target;
    char *where;          /* absolute path of the folder or file, the command, the LMTP server */
    char *recipient;      /* for LMTP */
    struct rules rules;   /* its own, and behind them those of defaults */
    bool allow_delete;    /* rules and filter_command may delete what was never fetched */
    char *filter_command; /* says what to fetch, by the header; NULL: none */
    char *pipe_through;   /* messages go through it before they are delivered; NULL: none */
    bool trace_header, drop_status, arrival_date; /* session/heading.h */
    int64_t mda_timeout;
    char *after_new;   /* command behind a poll that brought something */
    bool log_messages; /* a line for each that was delivered */

    int64_t timeout, session_timeout, interval; /* interval 0: none */
    uint64_t max_size;                          /* 0: none */
    uint64_t max_bytes;                         /* of one run; 0: none */
    unsigned max_messages;                      /* 0: none */
    unsigned max_tries;
    uint64_t spool_max; /* octets of messages that are kept here until they are delivered */
    enum account_pipelining pipelining;
    bool durable; /* fsync = full */
    enum account_sandbox sandbox;
};

/* Orders accounts by server: 0 if they have the same one, since pop.example.com and
 * POP.Example.Com. are one. */
int account_compare_servers(const struct account *a, const struct account *b);
/* The same with their users: 0 if they have one mailbox. */
int account_compare_mailboxes(const struct account *a, const struct account *b);

/* From here on the log blanks the account's secrets, those that it gets later included. The account
 * must outlive the log. */
void account_hide(const struct account *account, struct log *log);

/* What the account says about delivery; the rest is zero. */
struct deliver_settings account_delivery(const struct account *account);

/* A place where messages go. */
struct account_target {
    enum deliver_kind kind;
    const char *where;
};

/* The account's own destination, then those of its rules; *at: 0 before the first. False behind the
 * last one. */
bool account_next_target(const struct account *account, size_t *at, struct account_target *target);

/* The commands that a poll may start once it has its secret, those of destinations included; *at:
 * as above. NULL behind the last one. */
const char *account_next_command(const struct account *account, size_t *at);

/* Wipes the secrets and leaves the rest. */
void account_wipe(struct account *account);

/* In a forked process: all secrets but this account's are gone, see secret_keep. */
void account_keep(struct account *account);

#endif
