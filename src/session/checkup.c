/* SPDX-License-Identifier: ISC */
#include "session/checkup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "session/connect.h"
#include "session/listing.h"
#include "session/manners.h"
#include "session/statedir.h"
#include "session/tofu.h"
#include "session/transport.h"

#define CAPA_SHOWN 8192 /* octets of capabilities that are looked at */
#define WORDS_MAX 900

/* True if it went well; then text is what was found. */
static bool tell(const struct checkup *checkup, const char *what, int result, const char *text,
                 const struct err *err)
{
    checkup->step(checkup->ctx, what, result < 0 ? err->kind : ERR_NONE,
                  result < 0 ? err->text : text);
    return result == 0;
}

/* ---- the network ---- */

/* Connecting looks it up again; an error there has the better words. */
static bool check_name(const struct account *account, const struct checkup *checkup)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct err err;
    char text[WORDS_MAX] = "", host[64];
    const char *name = account->proxy_host != NULL ? account->proxy_host : account->server;
    int code = getaddrinfo(name, NULL, &hints, &found);
    for (const struct addrinfo *at = found; code == 0 && at != NULL; at = at->ai_next) {
        size_t len = strlen(text);
        if (getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) ==
            0)
            snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? ", " : "", host);
    }
    if (code == 0)
        freeaddrinfo(found);
    else
        err_set(&err, code == EAI_NONAME ? ERR_HOST : ERR_AGAIN,
                "%s: %s; check the name, or the name server in resolv.conf(5)", name,
                gai_strerror(code));
    return tell(checkup, "resolver", code == 0 ? 0 : -1, text, &err);
}

static void check_tls(struct conn *conn, const struct checkup *checkup)
{
    char text[WORDS_MAX], peer[TLS_PEER_TEXT], chain[TLS_PEER_TEXT];
    const struct tls *tls = conn_tls(conn);
    int days = tls_peer_days_left(tls);
    snprintf(text, sizeof text, "%s, %s%s; %s", tls_describe(tls),
             tls_is_trusted(tls) ? "" : "NOT trusted, ", days < 0 ? "expired" : "in date",
             tls_peer_text(tls, peer));
    tell(checkup, "TLS", 0, text, NULL);
    tell(checkup, "chain", 0, tls_chain_text(tls, chain), NULL);
}

static int greet(struct pop3 *pop3, const struct account *account, const struct tls_options *tls,
                 int64_t deadline, struct err *err)
{
    if (transport_await_greeting(account, 0, pop3_conn(pop3), err) < 0 ||
        pop3_greeting(pop3, err) < 0 || pop3_capa(pop3, err) < 0)
        return -1;
    return account->tls == ACCOUNT_TLS_STLS ? pop3_stls(pop3, tls, deadline, err) : 0;
}

/* With tls_trust = tofu. */
static void check_key(struct conn *conn, const struct note *note, const struct checkup *checkup)
{
    struct err err;
    char noted[WORDS_MAX], text[WORDS_MAX + TLS_PIN_TEXT], pin[TLS_PIN_TEXT] = "?";
    (void)tls_peer_pin(conn_tls(conn), pin);
    snprintf(text, sizeof text, "%s: %s", tofu_spell(note, noted, sizeof noted), pin);
    if (note->damaged)
        err_set(&err, ERR_TRUST, "%s", noted);
    tell(checkup, "key", note->damaged ? -1 : 0, text, &err);
}

static void spell_capa(struct pop3 *pop3, char text[WORDS_MAX])
{
    char shown[LOG_QUOTE_MAX + 4];
    struct str capa = pop3_capa_text(pop3);
    struct buf words;
    buf_init(&words, CAPA_SHOWN);
    while (capa.len > 0) {
        struct str line = str_trim(str_until(&capa, '\n'));
        if (line.len > 0)
            (void)buf_addf(&words, "%s%.*s", words.len > 0 ? ", " : "", (int)line.len, line.ptr);
    }
    snprintf(text, WORDS_MAX, "it greets%s%s", words.len > 0 ? ", and offers " : ", without CAPA",
             words.len > 0 ? log_quote(pop3_log(pop3), buf_str(&words), shown) : "");
    buf_free(&words);
}

/* Up to the greeting no secret is needed. */
static bool check_connection(const struct session_run *run, const struct checkup *checkup)
{
    const struct account *account = run->account;
    int64_t deadline = clock_in(account->timeout * 1000);
    char text[WORDS_MAX];
    struct conn *conn;
    struct err err = {0};
    int result = transport_open(&conn, account, 0, deadline, run->log, &err);
    if (result == 0)
        transport_spell_ends(account, conn, text, sizeof text);
    if (!tell(checkup, "connection", result, text, &err))
        return false;
    struct pop3 *pop3 = pop3_new(conn, run->log);
    struct note *note =
        note_load(run->state_dir, account->server, account->user, NOTE_READ, clock_wall());
    struct tls_options tls = transport_tls_options(account, run->log);
    tofu_ask(&tls, run, note);
    if (account->tls == ACCOUNT_TLS_IMPLICIT)
        result = conn_start_tls(conn, &tls, &err);
    bool good = result == 0 || tell(checkup, "TLS", result, "", &err);
    if (good) {
        result = greet(pop3, account, &tls, deadline, &err);
        if (conn_is_secure(conn))
            check_tls(conn, checkup);
        else if (account->tls == ACCOUNT_TLS_NONE)
            tell(checkup, "TLS", 0, "none, as the account says: others can read along", NULL);
        if (conn_is_secure(conn) && account->trust == TLS_TRUST_TOFU)
            check_key(conn, note, checkup);
        spell_capa(pop3, text);
        good = tell(checkup, "greeting", result, text, &err);
    }
    if (good)
        pop3_leave(pop3);
    pop3_free(pop3);
    note_free(note);
    return good;
}

static void check_listing(struct session_run *run, struct pop3 *pop3, struct journal *journal,
                          const struct checkup *checkup)
{
    struct listing listing;
    struct habits habits = {0};
    struct err err;
    char text[WORDS_MAX];
    listing_init(&listing, journal, &habits);
    int result = listing_fetch(&listing, pop3, pop3_capabilities(pop3)->known, &err);
    run->figures.listed = listing.count;
    snprintf(text, sizeof text, "%u message%s%s", (unsigned)listing.count,
             listing.count == 1 ? "" : "s",
             listing.has_uidl ? "" : "; without UIDL, they are recognised by their headers");
    if (tell(checkup, "listing", result, text, &err))
        pop3_leave(pop3);
    listing_free(&listing);
}

static void check_login(struct session_run *run, const struct checkup *checkup)
{
    struct manners_end end = {.now = clock_wall()};
    struct manners manners;
    struct journal *journal;
    struct pop3 *pop3 = NULL;
    struct err err = {0};
    if (statedir_journal(&journal, run->account, run->state_dir, JOURNAL_READ, run->log, &err) <
        0) {
        tell(checkup, "journal", -1, "", &err);
        return;
    }
    manners_begin(&manners, run, end.now);
    int result = manners_get_secret(&manners, &err);
    if (result == 0)
        result =
            connect_open(&pop3, run, manners.note, clock_in(run->account->session_timeout * 1000),
                         &end.login_delay, &err);
    if (tell(checkup, "login", result, run->account->user, &err))
        check_listing(run, pop3, journal, checkup);
    connect_close(pop3);
    manners_end(&manners, &end, &err);
    journal_close(journal);
}

void checkup_server(struct session_run *run, const struct checkup *checkup)
{
    bool direct = run->account->connect_command == NULL;
    if ((!direct || check_name(run->account, checkup)) && check_connection(run, checkup))
        check_login(run, checkup);
}

/* ---- folders ---- */

int checkup_folder(const char *path, struct err *err)
{
    char *folder = xstrdup(path);
    struct stat st;
    while (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
        char *slash = strrchr(folder, '/');
        if (slash == NULL)
            break;
        slash[slash == folder ? 1 : 0] = '\0';
        if (slash == folder && strcmp(path, "/") != 0)
            break;
    }
    char *probe = xasprintf("%s/.fetchpop-checkup-%ld", folder, (long)getpid());
    int fd = file_open(probe, O_WRONLY | O_CREAT | O_EXCL, 0600);
    int result =
        fd >= 0 ? 0 : err_errno(err, ERR_CREATE, errno, "%s: no file can be made there", folder);
    if (fd >= 0 && (write(fd, "\n", 1) != 1 || fsync(fd) < 0))
        result = err_errno(err, ERR_IO, errno, "%s: a file cannot be made durable there", folder);
    if (fd >= 0) {
        close(fd);
        unlink(probe);
    }
    free(probe);
    free(folder);
    return result;
}
