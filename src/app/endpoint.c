/* SPDX-License-Identifier: ISC */
#include "app/endpoint.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "app/paths.h"
#include "base/xalloc.h"
#include "net/idn.h"
#include "net/socks.h"

#define NAME_OCTETS 255

static int refuse(const char *want, struct str text, struct err *err)
{
    return err_set(err, ERR_CONFIG, "must be %s, not \"%.*s\"", want,
                   str_has_control(text) ? 1
                   : text.len < 60       ? (int)text.len
                                         : 60,
                   str_has_control(text) ? "?" : text.ptr);
}

/* --- hosts ------------------------------------------------------------------------------------ */

/* Of ASCII, what names and addresses are made of (%: the zone of one); the rest is for idn. */
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c < 0x80 && !str_is_alnum((char)c) && strchr("-._:%", c) == NULL)
            return false;
    }
    return true;
}

/* Everything from here on sees A-labels alone. */
static char *to_ascii(struct str host, struct err *err)
{
    struct err why;
    char *name = xmemdup0(host.ptr, host.len);
    char *ascii = idn_ascii(name, &why);
    free(name);
    if (ascii == NULL) {
        err_set(err, ERR_CONFIG, "is not a host name: %s", why.text);
        return NULL;
    }
    if (ascii[0] == '\0' || strlen(ascii) > NAME_OCTETS) {
        free(ascii);
        err_set(err, ERR_CONFIG, "must be a host name of 1 to %d characters", NAME_OCTETS);
        return NULL;
    }
    return ascii;
}

/* A URL says three things, each with a key of its own; pop3 is what STLS begins with. */
static char *refuse_url(struct str text, struct err *err)
{
    const char *tls = "";
    if (str_has_prefix_nocase(text, "pop3s:") || str_has_prefix_nocase(text, "pops:"))
        tls = " and tls = implicit";
    else if (str_has_prefix_nocase(text, "pop3:") || str_has_prefix_nocase(text, "pop:"))
        tls = " and tls = stls";
    struct str host = text, user;
    (void)str_until(&host, '/');
    (void)str_until(&host, '/');
    host = str_until(&host, '/');
    (void)str_split_last(host, '@', &user, &host);
    struct str name = host;
    name = host.len > 0 && host.ptr[0] == '[' ? str_until(&name, ']') : str_until(&name, ':');
    name.len += name.len < host.len && host.ptr[name.len] == ']';
    err_set(err, ERR_CONFIG, "must be a name, not a URL; write server = \"%.*s\"%s",
            (int)(name.len < 100 ? name.len : 100), name.ptr, tls);
    return NULL;
}

char *endpoint_host(struct str text, struct err *err)
{
    bool bracketed = text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    struct str host = bracketed ? str_of(text.ptr + 1, text.len - 2) : text, name, port;
    if (str_contains_nocase(text, "://"))
        return refuse_url(text, err);
    if (str_split_last(host, ':', &name, &port) && memchr(name.ptr, ':', name.len) == NULL) {
        err_set(err, ERR_CONFIG, "must be a name alone; write port = %.*s on a line of its own",
                (int)(port.len < 10 ? port.len : 10), port.ptr);
        return NULL;
    }
    if (!is_host(host)) {
        refuse("a host name such as pop.example.com", text, err);
        return NULL;
    }
    return to_ascii(host, err);
}

int endpoint_address(const char *text, struct err *err)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1)
        return refuse("an address of this machine such as 192.0.2.7 or 2001:db8::7", str_from(text),
                      err);
    return 0;
}

/* --- proxies ---------------------------------------------------------------------------------- */

/* "user:password", which is changed where it stands. */
static int read_login(struct endpoint_proxy *proxy, char *login, size_t len, struct err *err)
{
    struct str rest = str_of(login, len), name = str_until(&rest, ':');
    char *behind = login + (len - rest.len);
    long user = str_percent_decode(name, login), password = str_percent_decode(rest, behind);
    if (user < 1 || user > SOCKS_TEXT_MAX || password < 1 || password > SOCKS_TEXT_MAX)
        return err_set(err, ERR_CONFIG,
                       "must have user:password before the @, each of 1 to %d characters; write "
                       "%%, @, : as %%25, %%40, %%3a",
                       SOCKS_TEXT_MAX);
    proxy->user = xmemdup0(login, (size_t)user);
    return secret_set(&proxy->password, str_of(behind, (size_t)password));
}

/* "host:port", "[address]:port". NULL: it is neither. */
static char *host_and_port(struct str text, unsigned *number)
{
    struct str host, digits;
    uint64_t port = 0;
    struct err why;
    *number = 0;
    if (!str_split_last(text, ':', &host, &digits) || host.len == 0 ||
        str_number(digits, 65535, &port) < 0 || port == 0)
        return NULL;
    *number = (unsigned)port;
    /* An address without brackets: where it ends and the port begins is anybody's guess. */
    bool vague = host.ptr[0] != '[' && memchr(host.ptr, ':', host.len) != NULL;
    return vague ? NULL : endpoint_host(host, &why);
}

static int read_host_and_port(struct endpoint_proxy *proxy, struct str text, struct err *err)
{
    proxy->host = host_and_port(text, &proxy->port);
    return proxy->host != NULL
               ? 0
               : err_set(err, ERR_CONFIG,
                         "must end in the proxy's host and port, such as proxy.example.com:1080");
}

static int read_all(struct endpoint_proxy *proxy, struct str rest, struct err *err)
{
    struct str login, place;
    if (!str_split_last(rest, '@', &login, &place))
        return read_host_and_port(proxy, rest, err);
    char *copy = xmemdup0(login.ptr, login.len);
    int result = read_login(proxy, copy, login.len, err);
    secret_wipe_bytes(copy, login.len);
    free(copy);
    return result == 0 ? read_host_and_port(proxy, place, err) : -1;
}

int endpoint_proxy(const char *text, struct endpoint_proxy *proxy, struct err *err)
{
    static const char scheme[] = "socks5://";
    struct str rest = str_from(text);
    *proxy = (struct endpoint_proxy){0};
    if (!str_has_prefix_nocase(rest, scheme))
        return err_set(err, ERR_CONFIG,
                       "must begin with socks5:// (names are always resolved by the proxy)");
    rest = str_behind(rest, sizeof scheme - 1);
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    if (read_all(proxy, rest, err) == 0)
        return 0;
    free(proxy->host);
    free(proxy->user);
    secret_wipe(&proxy->password);
    *proxy = (struct endpoint_proxy){0};
    return -1;
}

char *endpoint_lmtp(const char *text, struct err *err)
{
    static const char scheme[] = "unix:";
    unsigned port;
    if (str_has_prefix(str_from(text), scheme)) {
        char *path = paths_expand(text + sizeof scheme - 1, err);
        char *whole = path != NULL ? xasprintf("unix:%s", path) : NULL;
        free(path);
        return whole;
    }
    char *host = host_and_port(str_from(text), &port);
    if (host == NULL) {
        err_set(
            err, ERR_CONFIG,
            "must be unix:/path or host:port, such as \"unix:/run/dovecot/lmtp\", not \"%.80s\"",
            text);
        return NULL;
    }
    char *whole = xasprintf("%s:%u", host, port);
    free(host);
    return whole;
}
