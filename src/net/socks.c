/* SPDX-License-Identifier: ISC */
#include "net/socks.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKS_VERSION 5
#define LOGIN_VERSION 1
#define CONNECT 1

enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_REFUSED = 0xff };
enum { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

static void say(struct socks *socks, const void *bytes, size_t len)
{
    assert(len <= sizeof socks->out - socks->out_len);
    memcpy(socks->out + socks->out_len, bytes, len);
    socks->out_len += len;
}

static void say_byte(struct socks *socks, unsigned value)
{
    unsigned char byte = (unsigned char)value;
    say(socks, &byte, 1);
}

static void expect(struct socks *socks, enum socks_step step, size_t need)
{
    socks->step = step;
    socks->need = need;
}

static bool fits(struct str text)
{
    return text.len >= 1 && text.len <= SOCKS_TEXT_MAX;
}

int socks_begin(struct socks *socks, const struct socks_target *target, struct err *err)
{
    *socks = (struct socks){.target = target};
    if (!fits(str_from(target->host)) || target->port == 0 || target->port > 65535 ||
        (target->user && (!fits(str_from(target->user)) || !fits(secret_str(target->password)))))
        return err_set(err, ERR_CONFIG,
                       "host, user and password have 1 to %d bytes each for a SOCKS5 proxy",
                       SOCKS_TEXT_MAX);
    say_byte(socks, SOCKS_VERSION);
    say_byte(socks, target->user != NULL ? 2 : 1);
    say_byte(socks, METHOD_NONE);
    if (target->user != NULL)
        say_byte(socks, METHOD_PASSWORD);
    expect(socks, SOCKS_METHOD, 2);
    return 0;
}

/* RFC 1928, section 4. The name goes as it is: the proxy resolves it. */
static void ask(struct socks *socks)
{
    const char *host = socks->target->host;
    unsigned char address[16];
    socks->have = 0;
    say_byte(socks, SOCKS_VERSION);
    say_byte(socks, CONNECT);
    say_byte(socks, 0);
    if (inet_pton(AF_INET, host, address) == 1) {
        say_byte(socks, TYPE_V4);
        say(socks, address, 4);
    } else if (inet_pton(AF_INET6, host, address) == 1) {
        say_byte(socks, TYPE_V6);
        say(socks, address, 16);
    } else {
        say_byte(socks, TYPE_NAME);
        say_byte(socks, (unsigned)strlen(host));
        say(socks, host, strlen(host));
    }
    say_byte(socks, socks->target->port >> 8);
    say_byte(socks, socks->target->port & 0xff);
    expect(socks, SOCKS_VERDICT, 4);
}

/* RFC 1929. */
static void log_in(struct socks *socks)
{
    struct str user = str_from(socks->target->user);
    struct str password = secret_str(socks->target->password);
    socks->have = 0;
    say_byte(socks, LOGIN_VERSION);
    say_byte(socks, (unsigned)user.len);
    say(socks, user.ptr, user.len);
    say_byte(socks, (unsigned)password.len);
    say(socks, password.ptr, password.len);
    expect(socks, SOCKS_LOGIN, 2);
}

static int not_socks(struct err *err)
{
    return err_set(err, ERR_PROTOCOL,
                   "what answers there does not speak SOCKS5; check host and port of the proxy");
}

static int take_method(struct socks *socks, struct err *err)
{
    unsigned method = socks->in[1];
    if (socks->in[0] != SOCKS_VERSION)
        return not_socks(err);
    if (method == METHOD_NONE) {
        ask(socks);
        return 0;
    }
    if (method == METHOD_PASSWORD && socks->target->user != NULL) {
        log_in(socks);
        return 0;
    }
    if (method == METHOD_REFUSED)
        return err_set(err, ERR_LOGIN,
                       socks->target->user != NULL
                           ? "it takes no user and password; leave them out of proxy"
                           : "it wants a login; add user and password to proxy");
    return not_socks(err);
}

/* Some proxies answer with version 5 here and mean success. */
static int take_login(struct socks *socks, struct err *err)
{
    if (socks->in[0] != LOGIN_VERSION && socks->in[0] != SOCKS_VERSION)
        return not_socks(err);
    if (socks->in[1] != 0)
        return err_set(err, ERR_LOGIN, "login refused; check user and password in proxy");
    ask(socks);
    return 0;
}

static int refused(const struct socks *socks, struct err *err)
{
    static const struct {
        enum err_kind kind;
        const char *words;
    } rows[] = {
        [1] = {ERR_AGAIN, "it reports an internal failure; try again later"},
        [2] = {ERR_REFUSED, "its rules forbid this connection; ask its administrator"},
        [3] = {ERR_AGAIN, "it cannot reach that network; try again later"},
        [4] = {ERR_AGAIN, "it cannot reach that host; check its name, or try again later"},
        [5] = {ERR_AGAIN, "the server refuses connections; check the port, or try again later"},
        [6] = {ERR_AGAIN, "the server is too far away for it; try again later"},
        [7] = {ERR_PROTOCOL, "it does not make connections of this kind; use another proxy"},
        [8] = {ERR_PROTOCOL, "it does not know this kind of address; use another proxy"},
    };
    unsigned code = socks->in[1];
    if (code >= sizeof rows / sizeof rows[0])
        return err_set(err, ERR_AGAIN,
                       "it refuses, with the unknown code %u; ask its administrator", code);
    return err_set(err, rows[code].kind, "%s:%u: %s", socks->target->host, socks->target->port,
                   rows[code].words);
}

static int take_verdict(struct socks *socks, struct err *err)
{
    if (socks->in[0] != SOCKS_VERSION)
        return not_socks(err);
    if (socks->in[1] != 0)
        return refused(socks, err);
    switch (socks->in[3]) {
    case TYPE_V4:
        expect(socks, SOCKS_ADDRESS, 4 + 4 + 2);
        return 0;
    case TYPE_V6:
        expect(socks, SOCKS_ADDRESS, 4 + 16 + 2);
        return 0;
    case TYPE_NAME: /* its length comes first */
        expect(socks, SOCKS_ADDRESS, 4 + 1);
        return 0;
    default:
        return not_socks(err);
    }
}

static void take_address(struct socks *socks)
{
    if (socks->in[3] == TYPE_NAME && socks->need == 4 + 1)
        socks->need = 4 + 1 + socks->in[4] + 2u;
    else
        expect(socks, SOCKS_DONE, socks->have);
}

size_t socks_wants(const struct socks *socks)
{
    return socks->need - socks->have;
}

static int step(struct socks *socks, struct err *err)
{
    switch (socks->step) {
    case SOCKS_METHOD:
        return take_method(socks, err);
    case SOCKS_LOGIN:
        return take_login(socks, err);
    case SOCKS_VERDICT:
        return take_verdict(socks, err);
    default:
        take_address(socks);
        return 0;
    }
}

int socks_take(struct socks *socks, const unsigned char *bytes, size_t len, struct err *err)
{
    assert(len <= socks_wants(socks));
    memcpy(socks->in + socks->have, bytes, len);
    socks->have += len;
    return socks_wants(socks) > 0 || len == 0 ? 0 : step(socks, err);
}

void socks_end(struct socks *socks)
{
    secret_wipe_bytes(socks, sizeof *socks);
}
