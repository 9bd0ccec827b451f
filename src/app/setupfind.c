/* SPDX-License-Identifier: ISC */
#include "app/setupfind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/endpoint.h"
#include "app/providers.h"
#include "app/url.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "session/connect.h"

#define TRY_SECONDS 5

/* What is being looked at. */
struct finding {
    const struct dialog *dialog;
    const struct setupfile *file;
    const struct discover_address *address;
    struct sheet *sheet;
    char pin[TLS_PIN_TEXT]; /* of the server that was tried last; "": it showed no key */
};

static void set_server(struct sheet *sheet, const char *server, unsigned port, const char *tls)
{
    sheet_set(sheet, "server", server, 0);
    sheet_setf(sheet, "port", "%u", port);
    sheet_set(sheet, "tls", tls, 0);
}

/* Connects, checks the certificate, reads the greeting, and hangs up. */
static int reach(struct finding *finding, struct err *err)
{
    struct config config;
    struct account *account;
    struct log log = {.level = FP_LOG_ERROR};
    finding->pin[0] = '\0';
    if (setupfile_try(finding->file, finding->sheet, &config, &account, err) < 0)
        return -1;
    account->timeout = TRY_SECONDS;
    int result = connect_reach(account, &log, finding->pin, err);
    config_free(&config);
    return result;
}

/* True if it is one. A name that nobody has is passed over in silence. */
static bool try_server(struct finding *finding, const char *server, unsigned port, const char *tls)
{
    struct err err = {0};
    if (stop_asked())
        return false;
    set_server(finding->sheet, server, port, tls);
    if (reach(finding, &err) == 0) {
        dialog_say(finding->dialog, "  %s, port %u: found, and its certificate fits\n", server,
                   port);
        return true;
    }
    if (err.kind != ERR_HOST)
        dialog_say(finding->dialog, "  %.*s\n", (int)strcspn(err.text, "\n"), err.text);
    return false;
}

static bool try_dns(struct finding *finding)
{
    struct srv_list list;
    struct err err;
    bool secure;
    if (discover_find(finding->address, &list, &secure, &err) < 0)
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const char *target = list.records[i].target;
        if (!discover_is_within(target, finding->address->domain))
            dialog_say(finding->dialog,
                       "  Take care: %s does not belong to %s; only the DNS says that it is the "
                       "right one.\n",
                       target, finding->address->domain);
        if (try_server(finding, target, list.records[i].port, secure ? "implicit" : "stls"))
            return true;
    }
    return false;
}

static bool try_names(struct finding *finding)
{
    static const char *const names[] = {"pop.", "pop3.", "mail.", ""};
    bool found = false;
    for (size_t i = 0; i < 2 * (sizeof names / sizeof names[0]) && !found; i++) {
        char *server = xasprintf("%s%s", names[i / 2], finding->address->domain);
        found =
            try_server(finding, server, i % 2 == 0 ? 995 : 110, i % 2 == 0 ? "implicit" : "stls");
        free(server);
    }
    return found;
}

/* --- a server that was typed ------------------------------------------------------------------ */

struct way {
    unsigned port;
    const char *tls;
};

/* Takes the port off the end of "host:port" or "[address]:port". 1, or 0: there is none; -1: it is
 * no number of a port. */
static int cut_port(char *host, unsigned *port)
{
    uint64_t number = 0;
    char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;
    char *colon = strchr(bracket != NULL ? bracket : host, ':');
    *port = 0;
    if (colon == NULL || strchr(colon + 1, ':') != NULL) /* an IPv6 address has more of them */
        return 0;
    if (str_number(str_from(colon + 1), 65535, &number) < 0 || number == 0)
        return -1;
    *colon = '\0';
    *port = (unsigned)number;
    return 1;
}

/* How a URL of this kind begins a session; NULL: it does not say. Cuts it down to host and port. */
static const char *cut_url(char **host)
{
    const char *tls;
    char *behind = strstr(*host, "://");
    if (behind == NULL)
        return NULL;
    if (url_scheme(*host, &tls) == 0)
        tls = NULL;
    *host = behind + 3;
    (*host)[strcspn(*host, "/")] = '\0';
    return tls;
}

/* "host", "host:port", or a URL, of which user and path are left out. Where nothing else is said,
 * the usual ports are tried, and at any other port both ways of TLS. How many; -1: err. */
static int read_typed(char *answer, char **host, struct way ways[2], struct err *err)
{
    unsigned port;
    *host = answer;
    const char *scheme = cut_url(host);
    if (strrchr(*host, '@') != NULL)
        *host = strrchr(*host, '@') + 1;
    if (cut_port(*host, &port) < 0)
        return err_set(err, ERR_CONFIG,
                       "what is behind the : is not a port; give a number from 1 to 65535");
    char *name = endpoint_host(str_from(*host), err);
    free(name);
    if (name == NULL)
        return err_prefix(err, "the server");
    const char *tls = port == 995 ? "implicit" : port == 110 ? "stls" : scheme;
    bool stls = tls != NULL && strcmp(tls, "stls") == 0;
    ways[0] = (struct way){port != 0 ? port : stls ? 110 : 995, stls ? "stls" : "implicit"};
    ways[1] = (struct way){port != 0 ? port : 110, "stls"};
    return tls != NULL ? 1 : 2;
}

/* err: what was wrong the first time. */
static int try_typed(struct finding *finding, char *answer, struct err *err)
{
    struct way ways[2];
    char *host;
    int count = read_typed(answer, &host, ways, err);
    for (int i = 0; i < count; i++) {
        struct err why;
        set_server(finding->sheet, host, ways[i].port, ways[i].tls);
        if (reach(finding, i == 0 ? err : &why) == 0) {
            dialog_say(finding->dialog, "  %s, port %u: found, and its certificate fits\n", host,
                       ways[i].port);
            return 0;
        }
        if (i > 0 && why.kind == ERR_TRUST) /* it is there, and its key can be looked at */
            *err = why;
        if (err->kind == ERR_TRUST || err->kind == ERR_CONFIG)
            break;
    }
    return -1;
}

/* As with a server of one's own; the person knows whether it can be another one. */
static int offer_pin(struct finding *finding, bool *taken, struct err *err)
{
    dialog_say(finding->dialog,
               "\nIf the server is your own, or its owner can confirm this pin, you can trust its "
               "key\nall the same: then this key counts, and no certificate. If not, somebody else "
               "may be\nanswering in the server's place.\n");
    if (dialog_confirm(finding->dialog, "Trust this key?", false, taken, err) < 0)
        return -1;
    if (*taken)
        sheet_set(finding->sheet, "tls_pin", finding->pin, 0);
    return 0;
}

/* What was found is a proposal; what is typed is tried until it is reached. */
static int settle(struct finding *finding, bool found, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX], proposal[DIALOG_ANSWER_MAX] = "";
    struct sheet *sheet = finding->sheet;
    struct err why = {0};
    bool taken = false;
    if (found)
        snprintf(proposal, sizeof proposal, "%s:%s", sheet_value(sheet, "server"),
                 sheet_value(sheet, "port"));
    dialog_say(finding->dialog, found ? "Your mail and your password go through this server.\n"
                                      : "The help pages of your provider name it, under POP3.\n");
    while (!taken) {
        if (dialog_ask(finding->dialog, "POP3 server, or server:port:", found ? proposal : NULL,
                       answer, err) < 0)
            return -1;
        if ((found && strcmp(answer, proposal) == 0) || try_typed(finding, answer, &why) == 0)
            return 0;
        found = false;
        dialog_say(finding->dialog, "%s\n", why.text);
        if (why.kind == ERR_TRUST && finding->pin[0] != '\0' && offer_pin(finding, &taken, err) < 0)
            return -1;
    }
    return 0;
}

int setupfind_server(const struct dialog *dialog, const struct setupfile *file,
                     const struct discover_address *address, struct sheet *sheet, struct err *err)
{
    struct finding finding = {dialog, file, address, sheet, ""};
    const struct provider *provider = providers_find(address->domain);
    if (provider != NULL && provider->before != NULL)
        dialog_say(dialog, "%s\n", provider->before);
    if (provider != NULL && provider->server == NULL)
        return err_set(err, ERR_HOST,
                       "%s has no POP3 server; have its mail forwarded to one that has",
                       address->domain);
    dialog_say(dialog, "Looking for the server of %s ...\n", address->domain);
    bool found = provider != NULL ? try_server(&finding, provider->server, 995, "implicit")
                                  : try_dns(&finding) || try_names(&finding);
    return settle(&finding, found, err);
}
