/* SPDX-License-Identifier: ISC */
#include "app/setupfind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/providers.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "session/connect.h"

#define TEXT_MAX 4096
#define TRY_SECONDS "5s"

/* What is being looked at. */
struct finding {
    const struct dialog *dialog;
    const struct discover_address *address;
    struct sheet *sheet;
};

static void set_server(struct sheet *sheet, const char *server, unsigned port, const char *tls)
{
    sheet_set(sheet, "server", server, 0);
    sheet_setf(sheet, "port", "%u", port);
    sheet_set(sheet, "tls", tls, 0);
}

/* Connects, checks the certificate, reads the greeting, and hangs up. */
static int reach(const struct sheet *sheet, struct err *err)
{
    struct sheets sheets = {0};
    struct config config;
    struct buf text;
    struct log log = {.level = FP_LOG_ERROR};
    buf_init(&text, TEXT_MAX);
    struct sheet *probe = sheets_add(&sheets, "probe", sheet);
    sheet_set(probe, "user", "nobody", 0);
    sheet_set(probe, "timeout", TRY_SECONDS, 0);
    sheet_set(probe, "mda", ":", 0);
    sheets_spell(&sheets, 0, &text);
    int result = config_parse(&config, "the server", text.data, text.len, err);
    if (result == 0) {
        result = connect_reach(config.accounts[0], &log, err);
        config_free(&config);
    }
    sheets_free(&sheets);
    buf_free(&text);
    return result;
}

/* True if it is one. A name that nobody has is passed over in silence. */
static bool try_server(const struct finding *finding, const char *server, unsigned port,
                       const char *tls)
{
    struct err err = {0};
    if (stop_asked())
        return false;
    set_server(finding->sheet, server, port, tls);
    if (reach(finding->sheet, &err) == 0) {
        dialog_say(finding->dialog, "  %s, port %u: found, and its certificate fits\n", server,
                   port);
        return true;
    }
    if (err.kind != ERR_HOST)
        dialog_say(finding->dialog, "  %.*s\n", (int)strcspn(err.text, "\n"), err.text);
    return false;
}

static bool try_dns(const struct finding *finding)
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

static bool try_names(const struct finding *finding)
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

/* "host", "host:port"; port 110 is STLS. */
static void take_typed(struct sheet *sheet, char *answer)
{
    uint64_t port = 995;
    char *colon = strrchr(answer, ':');
    if (colon != NULL && str_number(str_from(colon + 1), 65535, &port) == 0)
        *colon = '\0';
    set_server(sheet, answer, (unsigned)port, port == 110 ? "stls" : "implicit");
}

/* What was found is a proposal; what is typed is tried until it is reached. */
static int settle(const struct finding *finding, bool found, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX], proposal[DIALOG_ANSWER_MAX] = "";
    struct sheet *sheet = finding->sheet;
    struct err why;
    if (found)
        snprintf(proposal, sizeof proposal, "%s:%s", sheet_value(sheet, "server"),
                 sheet_value(sheet, "port"));
    for (;;) {
        if (dialog_ask(finding->dialog, "POP3 server, or server:port:", found ? proposal : NULL,
                       answer, err) < 0)
            return -1;
        if (found && strcmp(answer, proposal) == 0)
            return 0;
        take_typed(sheet, answer);
        if (reach(sheet, &why) == 0)
            return 0;
        found = false;
        dialog_say(finding->dialog, "%s\n", why.text);
    }
}

int setupfind_server(const struct dialog *dialog, const struct discover_address *address,
                     struct sheet *sheet, struct err *err)
{
    const struct finding finding = {dialog, address, sheet};
    const struct provider *provider = providers_find(address->domain);
    if (provider != NULL && provider->before != NULL)
        dialog_say(dialog, "%s\n", provider->before);
    if (provider != NULL && provider->server == NULL)
        return err_set(err, ERR_HOST, "%s has no POP3 server; use a program for IMAP",
                       address->domain);
    dialog_say(dialog, "Looking for the server of %s ...\n", address->domain);
    bool found = provider != NULL ? try_server(&finding, provider->server, 995, "implicit")
                                  : try_dns(&finding) || try_names(&finding);
    return settle(&finding, found, err);
}
