/* SPDX-License-Identifier: ISC */
#include "pop3/auth.h"

#include <stdio.h>
#include <string.h>

#include "pop3/method.h"
#include "pop3/sasl.h"

static void join(char *out, size_t cap, const char *word)
{
    size_t at = strlen(out);
    if (word[0] != '\0')
        snprintf(out + at, cap - at, "%s%s", at == 0 ? "" : " ", word);
}

/* The first wanted mechanism for which only a plugin is missing; NULL: none. Of the many that auto
 * may choose, PLAIN stands for all. */
static const char *missing_plugin(const struct method_question *question)
{
    char name[METHOD_NAME];
    for (const char *const *wish = question->wishes; *wish != NULL; wish++) {
        bool any = str_is_nocase(str_from(*wish), "auto") && question->secret && !question->token;
        const char *wanted = any ? "plain" : *wish;
        if (method_package(wanted) != NULL) {
            method_name(str_from(wanted), name);
            if (!question->has(name))
                return wanted;
        }
    }
    return NULL;
}

static int nothing_in_common(struct pop3 *pop3, const struct method_question *question,
                             const struct auth_options *options, struct err *err)
{
    const struct reply_capa *capa = question->capa;
    char offer[600] = "", wish[200] = "";
    join(offer, sizeof offer, capa->mechanisms);
    join(offer, sizeof offer, capa->user || !capa->known ? "USER" : "");
    join(offer, sizeof offer, pop3_stamp(pop3).len > 0 ? "APOP" : "");
    for (size_t i = 0; options->methods[i] != NULL; i++)
        join(wish, sizeof wish, options->methods[i]);
    const char *why = "; name one that it has";
    const char *missing = missing_plugin(question);
    if (missing != NULL)
        return err_set(err, ERR_LOGIN,
                       "login at %s: libsasl2 has no plugin for %s; install it (Debian: %s), or "
                       "set auth (it has \"%s\")",
                       options->who.server, missing, method_package(missing), offer);
    if (!question->secret && str_is_nocase(str_from(options->methods[0]), "auto"))
        return err_set(err, ERR_CONFIG,
                       "no password, and %s has only \"%s\" (auth is \"%s\"); add password_command "
                       "or password_file",
                       options->who.server, offer, wish);
    if (question->identity)
        why = "; authorization_identity wants a mechanism that carries it, such as PLAIN or SCRAM";
    else if (!question->secure)
        why = "; without TLS a password is sent only if auth names the mechanism";
    else if (!question->secret)
        why = "; no password is set";
    else if (question->token)
        why = "; a token wants OAUTHBEARER or XOAUTH2";
    return err_set(err, ERR_LOGIN, "no way to log in at %s: it offers \"%s\", auth is \"%s\"%s",
                   options->who.server, offer, wish, why);
}

/* USER, and everything else that is not a SASL mechanism, is listed or not by its own line. */
static void look_up(const struct pop3 *pop3, struct auth_used *used)
{
    const struct reply_capa *capa = pop3_capabilities(pop3);
    char plus[sizeof used->method + 5];
    snprintf(plus, sizeof plus, "%s-PLUS", used->method);
    used->plus = reply_capa_has(capa, plus);
    used->listed =
        strcmp(used->method, "USER") == 0 ? capa->user : reply_capa_has(capa, used->method);
}

static void note_used(const struct pop3 *pop3, const struct auth_options *options,
                      const struct method *method, const struct login_outcome *outcome)
{
    struct auth_used *used = options->used;
    if (options->token_refused != NULL && outcome->token_refused)
        *options->token_refused = true;
    if (used != NULL) {
        memcpy(used->method, method->name, sizeof used->method);
        used->refused = outcome->refused;
        used->proved = outcome->proved;
        look_up(pop3, used);
    }
}

bool auth_has_changed(const struct pop3 *pop3, const struct auth_used *used)
{
    struct auth_used now = *used;
    look_up(pop3, &now);
    return used->method[0] == '\0' || now.listed != used->listed || now.plus != used->plus;
}

/* One after the other, as long as nothing was sent: what a server refused is not tried again in
 * another way, since then a false server would only have to refuse the strong ones. */
static int try_all(struct pop3 *pop3, const struct auth_options *options, const struct method *list,
                   size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct login_outcome outcome;
        if (login_try(pop3, &list[i], &options->who, &outcome, err) == 0) {
            log_line(pop3_log(pop3), FP_LOG_TRACE, "logged in with %s", list[i].name);
            return 0;
        }
        if (outcome.sent) {
            note_used(pop3, options, &list[i], &outcome);
            return -1;
        }
        if (i + 1 < count)
            log_line(pop3_log(pop3), FP_LOG_NOTE, "%s; trying %s", err->text, list[i + 1].name);
    }
    return -1;
}

int auth_login(struct pop3 *pop3, const struct auth_options *options, struct err *err)
{
    struct method list[METHODS_MAX];
    struct method_question question = {
        .capa = pop3_capabilities(pop3),
        .wishes = options->methods,
        .secure = pop3_is_secure(pop3),
        .stamp = pop3_stamp(pop3).len > 0,
        .secret = options->who.secret != NULL && options->who.secret->data != NULL,
        .token = options->who.is_token,
        .pinned = options->pinned,
        .certificate = options->who.client_certificate,
        .identity = options->who.identity != NULL,
        .has = sasl_has,
    };
    size_t count = method_choose(&question, list);
    if (options->used != NULL)
        *options->used = (struct auth_used){.refused = false};
    if (count == 0)
        return nothing_in_common(pop3, &question, options, err);
    return try_all(pop3, options, list, count, err);
}
