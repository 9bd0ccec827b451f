/* SPDX-License-Identifier: ISC */
#include "session/transport.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "net/command.h"
#include "net/dial.h"
#include "net/proxy.h"

#define SILENCE_MS 5000 /* without a greeting, before it is asked why */

/* ---- connecting ---- */

/* With a proxy, ip and source_address are about the connection to the proxy. */
static int dial(const struct account *account, unsigned turn, int64_t deadline, int *fd,
                struct err *err)
{
    static const int families[] = {
        [ACCOUNT_IP_ANY] = AF_UNSPEC,
        [ACCOUNT_IP_4] = AF_INET,
        [ACCOUNT_IP_6] = AF_INET6,
    };
    bool proxy = account->proxy_host != NULL;
    const struct dial_options options = {
        .host = proxy ? account->proxy_host : account->server,
        .port = proxy ? account->proxy_port : account->port,
        .family = families[account->ip],
        .turn = turn,
        .source = account->source_address,
        .deadline = deadline,
    };
    if (dial_tcp(&options, fd, err) < 0)
        return proxy ? err_prefix(err, "proxy") : -1;
    return 0;
}

static int pass_proxy(const struct account *account, int64_t deadline, int fd, struct err *err)
{
    const struct socks_target target = {
        .host = account->server,
        .port = account->port,
        .user = account->proxy_user,
        .password = &account->proxy_password,
    };
    if (proxy_open(fd, &target, deadline, err) == 0)
        return 0;
    return err_prefix(err, "proxy %s:%u", account->proxy_host, account->proxy_port);
}

static int run_command(struct conn **conn, const struct account *account, int64_t deadline,
                       const struct log *log, struct err *err)
{
    char *server = xasprintf("FETCHPOP_SERVER=%s", account->server);
    char *port = xasprintf("FETCHPOP_PORT=%u", account->port);
    const char *const env[] = {server, port, NULL};
    struct command *command;
    int fd;
    int result = command_start(&command, account->connect_command, env, log, &fd, err);
    if (result == 0) {
        *conn = conn_new(fd, account->server, account->timeout * 1000, deadline);
        conn_set_command(*conn, command);
    }
    free(server);
    free(port);
    return result;
}

/* One end of a connection; false: it is no socket. */
struct end {
    char host[NI_MAXHOST], port[NI_MAXSERV];
};

static bool end_of(int fd, bool theirs, struct end *end)
{
    struct sockaddr_storage storage;
    struct sockaddr *address = (struct sockaddr *)&storage;
    socklen_t len = sizeof storage;
    return (theirs ? getpeername(fd, address, &len) : getsockname(fd, address, &len)) == 0 &&
           getnameinfo(address, len, end->host, sizeof end->host, end->port, sizeof end->port,
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0;
}

void transport_spell_ends(const struct account *account, const struct conn *conn, char *out,
                          size_t cap)
{
    struct end there, here;
    int fd = conn_fd(conn);
    if (account->connect_command != NULL)
        snprintf(out, cap, "connect_command runs");
    else if (end_of(fd, true, &there) && end_of(fd, false, &here))
        snprintf(out, cap, "%s%s port %s answers; connected from %s",
                 account->proxy_host != NULL ? "the proxy " : "", there.host, there.port,
                 here.host);
    else
        snprintf(out, cap, "port %u answers", account->port);
}

static void tell_peer(const struct account *account, int fd, int64_t begun, const struct log *log)
{
    struct end peer;
    if (end_of(fd, true, &peer))
        log_line(log, FP_LOG_TRACE, "connected to %s%s port %s in %.3f s",
                 account->proxy_host != NULL ? "the proxy " : "", peer.host, peer.port,
                 (double)(clock_ms() - begun) / 1000);
}

int transport_open(struct conn **conn, const struct account *account, unsigned turn,
                   int64_t deadline, const struct log *log, struct err *err)
{
    int fd;
    int64_t begun = clock_ms();
    if (account->connect_command != NULL)
        return run_command(conn, account, deadline, log, err);
    if (dial(account, turn, deadline, &fd, err) < 0)
        return -1;
    if (account->proxy_host != NULL && pass_proxy(account, deadline, fd, err) < 0) {
        close(fd);
        return -1;
    }
    tell_peer(account, fd, begun, log);
    *conn = conn_new(fd, account->server, account->timeout * 1000, deadline);
    return 0;
}

/* ---- TLS ---- */

struct tls_options transport_tls_options(const struct account *account, const struct log *log)
{
    return (struct tls_options){
        .host = account->tls_server_name != NULL ? account->tls_server_name : account->server,
        .ca_file = account->tls_ca_file,
        .ca_dir = account->tls_ca_dir,
        .cert_file = account->tls_cert_file,
        .key_file = account->tls_key_file,
        .key_password = &account->tls_key_password,
        .crl_file = account->tls_crl_file,
        .trust = account->trust,
        .pins = (const char *const *)account->tls_pins,
        .min_version = account->tls_min_version,
        .log = log,
    };
}

void transport_tell_tls(struct conn *conn, const struct log *log)
{
    char peer[TLS_PEER_TEXT];
    struct tls *tls = conn_tls(conn);
    if (tls != NULL && conn_is_secure(conn))
        log_line(log, FP_LOG_TRACE, "%s after %.3f s, %s", tls_describe(tls),
                 (double)conn_figures(conn).ms / 1000, tls_peer_text(tls, peer));
}

/* Another connection, since this one would not be in step any more. A certificate is proof enough,
 * trusted or not. */
static bool has_tls(const struct account *account, unsigned turn, int64_t ms)
{
    struct conn *conn;
    struct err ignored;
    struct log silent = {.level = FP_LOG_ERROR};
    char pin[TLS_PIN_TEXT];
    struct tls_options options = transport_tls_options(account, &silent);
    if (transport_open(&conn, account, turn, clock_in(ms), &silent, &ignored) < 0)
        return false;
    (void)conn_start_tls(conn, &options, &ignored);
    bool found = conn_tls(conn) != NULL && tls_peer_pin(conn_tls(conn), pin) == 0;
    conn_free(conn);
    return found;
}

int transport_await_greeting(const struct account *account, unsigned turn, struct conn *conn,
                             struct err *err)
{
    int64_t half = account->timeout * 1000 / 2, ms = half < SILENCE_MS ? half : SILENCE_MS;
    if (account->tls == ACCOUNT_TLS_IMPLICIT || account->connect_command != NULL ||
        conn_await(conn, ms) != 0 || !has_tls(account, turn, ms))
        return 0;
    return err_set(err, ERR_PROTOCOL,
                   "%s: no greeting on port %u, which wants TLS from the start; write tls = "
                   "\"implicit\"",
                   account->server, account->port);
}
