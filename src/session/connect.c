/* SPDX-License-Identifier: ISC */
#include "session/connect.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/utf8.h"
#include "net/command.h"
#include "pop3/auth.h"
#include "session/manners.h"
#include "session/recall.h"
#include "session/tofu.h"
#include "session/transport.h"

#define GRACE_MS ((int64_t)60 * 1000)
#define WARN_WEEK ((int64_t)7 * CLOCK_DAY)
#define WARN_DAYS 14      /* before the server's certificate expires */
#define LAST_WORDS_MS 500 /* for a command that hung up to report its status */

/* ---- what went wrong ---- */

/* The server hung up; if that was a command, its exit status says more. Once the secret was sent,
 * an end in good order may be the server's answer to it. */
static void explain_command(struct conn *conn, bool proved, struct err *err)
{
    struct command *command = conn_command(conn);
    int status;
    if (command == NULL || err->kind != ERR_CLOSED)
        return;
    if (!command_has_ended(command, LAST_WORDS_MS, &status)) {
        err_prefix(err, "connect_command");
        return;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (proved && WIFEXITED(status) && code == 0)
        return;
    if (code == 126 || code == 127)
        err_set(
            err, ERR_CONFIG,
            "connect_command cannot be run (status %d); check its path in the configuration file",
            code);
    else if (WIFSIGNALED(status))
        err_set(err, ERR_CLOSED, "connect_command was ended by signal %d; run it by hand",
                WTERMSIG(status));
    else
        err_set(err, ERR_CLOSED,
                "connect_command ended with status %d before the session did; run it by hand",
                code);
}

/* The port is the usual one for another kind of TLS than the account says: each side then waits for
 * the other, or takes its words for junk. */
static void explain_port(const struct account *account, struct err *err)
{
    bool implicit = account->tls == ACCOUNT_TLS_IMPLICIT;
    unsigned other = implicit ? ACCOUNT_PORT : ACCOUNT_PORT_TLS;
    /* With implicit TLS a server that speaks, but not POP3, has TLS; or net has explained it. */
    bool fits = err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED ||
                (err->kind == ERR_PROTOCOL && !implicit);
    if (account->port == other && account->connect_command == NULL && fits)
        err_append(err, " (port %u usually goes with tls = \"%s\")", other,
                   implicit ? "stls" : "implicit");
}

/* ---- TLS and the greeting ---- */

/* Once a week also where nobody watches; there it is mail. */
static enum log_level level_of_end(const struct session_run *run, struct note *note)
{
    int64_t now = clock_wall();
    if (run->attended || run->mode != SESSION_POLL || note == NULL ||
        now - note->end_told < WARN_WEEK - MANNERS_SLACK)
        return FP_LOG_NOTE;
    note->end_told = now;
    return FP_LOG_WARNING;
}

static void warn_of_end(const struct session_run *run, struct conn *conn, struct note *note)
{
    const struct account *account = run->account;
    struct tls *tls = conn_tls(conn);
    int days = tls != NULL ? tls_peer_days_left(tls) : INT_MAX;
    if (days > WARN_DAYS)
        return;
    enum log_level level = level_of_end(run, note);
    if (days < 0) /* with a pin it still counts */
        log_line(run->log, level, "the certificate of %s has expired; tell the administrator",
                 account->server);
    else
        log_line(run->log, level,
                 "the certificate of %s expires in %d day%s; tell the administrator",
                 account->server, days, days == 1 ? "" : "s");
}

/* ---- login ---- */

struct login {
    const struct session_run *run;
    int64_t hard;       /* clock_ms(): the end of everything */
    struct pop3 *pop3;  /* NULL: there is no connection */
    bool recalled;      /* its capabilities are those of an earlier session */
    bool token_refused; /* the server saw the token */
    bool asked_utf8;    /* on this connection */
    bool capa_broke;    /* the connection ended over CAPA */
    struct note *note;  /* NULL: none */
    struct auth_used used;
};

static bool breaks_connection(const struct err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_CLOSED || err->kind == ERR_FRAMING;
}

/* Servers that hang or hang up over CAPA are not asked for a day. */
static bool is_mute(const struct note *note)
{
    int64_t age = clock_wall() - (note != NULL ? note->no_capa : 0);
    return age >= 0 && age < RECALL_SECONDS;
}

/* After a poll that failed, with another of the server's addresses: the first may take connections
 * and be of no use. */
static unsigned turn_of(const struct login *login)
{
    return login->note != NULL ? login->note->failures : 0;
}

/* Up to TLS and the capabilities. The deadline for connecting goes on until TLS is up; then that of
 * the whole poll takes its place. */
static int greet(struct login *login, struct pop3 *pop3, bool recall, struct err *err)
{
    const struct account *account = login->run->account;
    struct conn *conn = pop3_conn(pop3);
    struct tls_options options = transport_tls_options(account, pop3_log(pop3)), *tls = &options;
    options.worked = login->note != NULL && manners_has_worked(account, login->note);
    tofu_ask(tls, login->run, login->note);
    if (account->tls == ACCOUNT_TLS_IMPLICIT && conn_start_tls(conn, tls, err) < 0)
        return -1;
    transport_tell_tls(conn, pop3_log(pop3));
    if (account->tls != ACCOUNT_TLS_STLS)
        conn_set_deadline(conn, login->hard);
    if (transport_await_greeting(account, turn_of(login), conn, err) < 0 ||
        pop3_greeting(pop3, err) < 0)
        return -1;
    login->recalled = recall && recall_capa(login->note, account, pop3);
    bool asked = !login->recalled && !is_mute(login->note);
    int result = asked ? pop3_capa(pop3, err) : 0;
    bool stls = result == 0 && account->tls == ACCOUNT_TLS_STLS;
    if (stls)
        result = pop3_stls(pop3, tls, login->hard, err);
    if (stls && result == 0)
        transport_tell_tls(conn, pop3_log(pop3));
    /* STLS asks again once TLS is up: what ends before is its own end. */
    bool capa = asked && (!stls || conn_is_secure(conn));
    login->capa_broke = result < 0 && capa && breaks_connection(err);
    return result < 0 ? -1 : tofu_keep(login->run, login->note, conn, err);
}

/* A session that may log in; it replaces an earlier one, if any. recall: what the note remembers of
 * CAPA will do. */
static int meet(struct login *login, bool recall, struct err *err)
{
    const struct account *account = login->run->account;
    struct log *log = login->run->log;
    struct conn *conn = NULL;
    pop3_free(login->pop3);
    login->pop3 = NULL;
    login->capa_broke = login->asked_utf8 = false;
    if (transport_open(&conn, account, turn_of(login), clock_in(account->timeout * 1000), log,
                       err) < 0)
        return -1;
    struct pop3 *pop3 = pop3_new(conn, log);
    if (greet(login, pop3, recall, err) < 0) {
        explain_command(conn, false, err);
        explain_port(account, err);
        pop3_free(pop3);
        return -1;
    }
    warn_of_end(login->run, conn, login->note);
    login->pop3 = pop3;
    return 0;
}

/* RFC 6856: only where it is offered and needed. A refusal of it changes nothing. */
static int ask_utf8(struct login *login, struct err *err)
{
    const struct account *account = login->run->account;
    bool needed = (login->note != NULL && login->note->utf8) ||
                  !utf8_is_ascii(str_from(account->user)) ||
                  !utf8_is_ascii(secret_str(&account->password));
    struct reply reply;
    if (!needed || login->asked_utf8 || !pop3_capabilities(login->pop3)->utf8)
        return 0;
    login->asked_utf8 = true;
    if (pop3_call(login->pop3, str_from("UTF8"), NULL, &reply, err) == 0)
        return 0;
    if (login->note != NULL) /* else no later poll would get further than this one */
        login->note->utf8 = false;
    return -1;
}

/* A user's name that is misspelt, or quoted wrongly, is seen at once. */
static int name_user(const struct login *login, struct err *err)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (err->kind == ERR_PASSWORD_REFUSED || err->kind == ERR_LOGIN_REFUSED)
        err_append(err, " (the user is %s)",
                   log_quote(login->run->log, str_from(login->run->account->user), shown));
    return -1;
}

static int log_in(struct login *login, struct err *err)
{
    const struct account *account = login->run->account;
    if (ask_utf8(login, err) < 0)
        return -1;
    const struct auth_options options = {
        .who = {.server = account->server,
                .port = account->port,
                .user = account->user,
                .identity = account->authorization_identity,
                .secret = &account->password,
                .is_token = account->token_command != NULL,
                .client_certificate = account->tls_cert_file != NULL},
        .methods = (const char *const *)account->auth,
        .pinned = account->trust == TLS_TRUST_PIN || account->trust == TLS_TRUST_BOTH ||
                  tofu_is_known(account, login->note),
        .token_refused = &login->token_refused,
        .used = &login->used,
    };
    if (auth_login(login->pop3, &options, err) == 0)
        return 0;
    return name_user(login, err);
}

/* Capabilities of an earlier session may be the reason why a login failed. */
static bool is_doubtful(const struct login *login, const struct err *err)
{
    if (!login->recalled || login->token_refused)
        return false;
    if (login->used.method[0] == '\0')
        return err->kind == ERR_LOGIN || err->kind == ERR_CONFIG;
    return login->used.refused || err->kind == ERR_CLOSED;
}

/* CAPA is asked, on another connection if the server has dropped this one: does the server now say
 * something else of what was used? */
static bool has_other_ways(struct login *login, bool dropped)
{
    struct auth_used used = login->used;
    struct err ignored;
    login->recalled = false;
    if ((dropped || pop3_capa(login->pop3, &ignored) < 0) && meet(login, false, &ignored) < 0)
        return false;
    return auth_has_changed(login->pop3, &used);
}

/* Only then there is another login, else the error stays what it was. */
static int log_in_afresh(struct login *login, struct err *err)
{
    recall_forget(login->note);
    if (!has_other_ways(login, err->kind == ERR_CLOSED))
        return -1;
    log_line(login->run->log, FP_LOG_NOTE,
             "%s; the server now offers other ways to log in, trying those", err->text);
    return log_in(login, err);
}

/* Another token, and another try; on another connection if the server has dropped this one. The
 * error stays what it was if there is no other token. */
static int log_in_again(struct login *login, struct err *err)
{
    struct err was = *err;
    log_line(login->run->log, FP_LOG_NOTE, "%s; asking token_command for another token", was.text);
    int renewed = login->run->renew(login->run->ctx, err);
    if (renewed > 0)
        *err = was;
    if (renewed != 0)
        return -1;
    if (log_in(login, err) == 0)
        return 0;
    if ((err->kind != ERR_CLOSED && err->kind != ERR_FRAMING) || meet(login, false, err) < 0)
        return -1;
    return log_in(login, err);
}

/* As meet; a server that cannot answer CAPA is met once more, and not asked. */
static int meet_somehow(struct login *login, struct err *err)
{
    if (meet(login, true, err) == 0)
        return 0;
    if (!login->capa_broke || login->note == NULL || stop_asked())
        return -1;
    log_line(login->run->log, FP_LOG_NOTE, "CAPA: %s; leaving it out for a day", err->text);
    login->note->no_capa = clock_wall();
    err_clear(err);
    return meet(login, true, err);
}

static int log_in_somehow(struct login *login, int64_t *login_delay, struct err *err)
{
    if (meet_somehow(login, err) < 0)
        return -1;
    *login_delay = pop3_capabilities(login->pop3)->login_delay;
    int result = log_in(login, err);
    if (result < 0 && is_doubtful(login, err))
        result = log_in_afresh(login, err);
    if (result < 0 && login->token_refused && login->run->renew != NULL)
        result = log_in_again(login, err);
    if (result == 0 && !login->recalled) /* CAPA was not asked since the login */
        recall_keep(login->note, login->run->account, login->pop3);
    return result;
}

int connect_open(struct pop3 **out, const struct session_run *run, struct note *note,
                 int64_t deadline, int64_t *login_delay, struct err *err)
{
    int64_t hard = deadline + run->account->session_timeout * 1000 + GRACE_MS;
    struct login login = {.run = run, .hard = hard, .note = note};
    *out = NULL;
    *login_delay = -1;
    if (log_in_somehow(&login, login_delay, err) < 0) {
        if (login.pop3 != NULL)
            explain_command(pop3_conn(login.pop3), login.used.proved, err);
        pop3_free(login.pop3);
        return -1;
    }
    log_line(run->log, FP_LOG_TRACE, "logged in after %.3f s",
             (double)conn_figures(pop3_conn(login.pop3)).ms / 1000);
    conn_set_grace(pop3_conn(login.pop3), STOP_GRACE_MS); /* there is something to finish now */
    *out = login.pop3;
    return 0;
}

void connect_close(struct pop3 *pop3)
{
    if (pop3 == NULL)
        return;
    struct conn_figures figures = conn_figures(pop3_conn(pop3));
    log_line(pop3_log(pop3), FP_LOG_TRACE,
             "session: %.3f s, %" PRIu64 " octets received, %" PRIu64 " sent",
             (double)figures.ms / 1000, figures.received, figures.sent);
    pop3_free(pop3);
}

/* ---- the pin ---- */

static int spell_pin(struct conn *conn, const struct account *account, const struct note *note,
                     char *text, size_t cap, struct err *err)
{
    struct tls *tls = conn_tls(conn);
    char pin[TLS_PIN_TEXT], noted[ERR_TEXT_MAX];
    if (tls == NULL || tls_peer_pin(tls, pin) < 0)
        return -1;
    if (tls_is_trusted(tls) && account->trust == TLS_TRUST_TOFU)
        snprintf(text, cap, "%s (%s)", pin, tofu_spell(note, noted, sizeof noted));
    else if (tls_is_trusted(tls))
        snprintf(text, cap, "%s (verified: it is the key of %s)", pin,
                 account->tls_server_name != NULL ? account->tls_server_name : account->server);
    else
        snprintf(text, cap, "%s (NOT verified: %.*s)", pin, (int)strcspn(err->text, "\n"),
                 err->text);
    return 0;
}

/* Connects until the server's certificate is known; with implicit TLS its greeting is not waited
 * for. */
static int reach_tls(struct pop3 *pop3, const struct account *account,
                     const struct tls_options *tls, int64_t deadline, struct err *err)
{
    if (account->tls == ACCOUNT_TLS_IMPLICIT)
        return conn_start_tls(pop3_conn(pop3), tls, err);
    if (pop3_greeting(pop3, err) < 0 || pop3_capa(pop3, err) < 0)
        return -1;
    return pop3_stls(pop3, tls, deadline, err);
}

int connect_show_pin(const struct session_run *run, char *text, size_t cap, struct err *err)
{
    const struct account *account = run->account;
    int64_t deadline = clock_in(account->timeout * 1000);
    struct conn *conn = NULL;
    if (account->tls == ACCOUNT_TLS_NONE)
        return err_set(
            err, ERR_CONFIG,
            "tls is none, so the server shows no certificate to pin; change tls to see one");
    if (transport_open(&conn, account, 0, deadline, run->log, err) < 0)
        return -1;
    struct note *note =
        note_load(run->state_dir, account->server, account->user, NOTE_READ, clock_wall());
    struct tls_options tls = transport_tls_options(account, run->log);
    struct pop3 *pop3 = pop3_new(conn, run->log);
    tofu_ask(&tls, run, note);
    if (reach_tls(pop3, account, &tls, deadline, err) < 0) {
        explain_command(conn, false, err);
        explain_port(account, err);
    }
    int result = spell_pin(conn, account, note, text, cap, err);
    pop3_free(pop3);
    note_free(note);
    return result;
}

int connect_reach(const struct account *account, struct log *log, char pin[TLS_PIN_TEXT],
                  struct err *err)
{
    int64_t deadline = clock_in(account->timeout * 1000);
    struct conn *conn = NULL;
    pin[0] = '\0';
    if (transport_open(&conn, account, 0, deadline, log, err) < 0)
        return -1;
    struct tls_options tls = transport_tls_options(account, log);
    struct pop3 *pop3 = pop3_new(conn, log);
    int result = reach_tls(pop3, account, &tls, deadline, err);
    if (result < 0)
        explain_port(account, err);
    else if (account->tls == ACCOUNT_TLS_IMPLICIT)
        result = pop3_greeting(pop3, err);
    if (conn_tls(conn) == NULL || tls_peer_pin(conn_tls(conn), pin) < 0)
        pin[0] = '\0';
    pop3_free(pop3);
    return result;
}
