#include "session/connect.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/stop.h"
#include "net/dial.h"
#include "pop3/auth.h"

#define GRACE_MS ((int64_t)60 * 1000)

static struct tls_options tls_options(const struct account *account, const struct log *log)
{
    static const enum tls_trust trusts[] = {
        [ACCOUNT_TRUST_CA] = TLS_TRUST_CA,
        [ACCOUNT_TRUST_PIN] = TLS_TRUST_PIN,
        [ACCOUNT_TRUST_BOTH] = TLS_TRUST_BOTH,
    };
    return (struct tls_options){
        .host = account->tls_server_name != NULL ? account->tls_server_name : account->server,
        .ca_file = account->tls_ca_file,
        .ca_dir = account->tls_ca_dir,
        .cert_file = account->tls_cert_file,
        .key_file = account->tls_key_file,
        .crl_file = account->tls_crl_file,
        .trust = trusts[account->trust],
        .pins = (const char *const *)account->tls_pins,
        .min_version = account->tls_min_version,
        .log = log,
    };
}

static int log_in(struct pop3 *pop3, const struct account *account, struct err *err)
{
    const struct auth_options options = {
        .server = account->server,
        .port = account->port,
        .user = account->user,
        .methods = (const char *const *)account->auth,
        .secret = &account->password,
        .is_token = account->token_command != NULL,
        .client_certificate = account->tls_cert_file != NULL,
    };
    return auth_login(pop3, &options, err);
}

static int greet(struct pop3 *pop3, const struct account *account, const struct tls_options *tls,
                 struct err *err)
{
    if (account->tls == ACCOUNT_TLS_IMPLICIT && conn_start_tls(pop3_conn(pop3), tls, err) < 0)
        return -1;
    if (pop3_greeting(pop3, err) < 0 || pop3_capa(pop3, err) < 0)
        return -1;
    return account->tls == ACCOUNT_TLS_STLS ? pop3_stls(pop3, tls, err) : 0;
}

int connect_open(struct pop3 **out, const struct account *account, struct log *log, struct err *err)
{
    /* The hard end of everything: twice the time after which no message is begun. */
    int64_t deadline = clock_in(account->session_timeout * 2000 + GRACE_MS);
    struct dial_options dial = {.host = account->server,
                                .port = account->port,
                                .family = AF_UNSPEC,
                                .deadline = clock_in(account->timeout * 1000)};
    int fd;
    *out = NULL;
    if (dial_tcp(&dial, &fd, err) < 0)
        return -1;
    struct pop3 *pop3 =
        pop3_new(conn_new(fd, account->server, account->timeout * 1000, deadline), log);
    struct tls_options tls = tls_options(account, log);
    if (greet(pop3, account, &tls, err) < 0 || log_in(pop3, account, err) < 0) {
        pop3_free(pop3);
        return -1;
    }
    conn_set_grace(pop3_conn(pop3), STOP_GRACE_MS); /* from here on there is something to finish */
    *out = pop3;
    return 0;
}
