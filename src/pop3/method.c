/* SPDX-License-Identifier: ISC */
#include "pop3/method.h"

#include <string.h>

#include "base/str.h"

struct choice {
    const struct method_question *question;
    struct method *list;
    size_t count;
};

#define MODULES "libsasl2-modules"
#define GSSAPI_MODULES "libsasl2-modules-gssapi-mit"

/* Where "auto" takes a method into account. */
enum family { NAMED_ONLY, SCRAM, CLEAR, CHALLENGE, OAUTH, OUTSIDE };

/* Within a family, the better one comes first. */
static const struct row {
    const char *name;
    const char *package; /* Debian's, with libsasl2's plugin; NULL: ours, or no plugin */
    enum method_proof proof;
    enum family family;
    bool plus; /* also as NAME-PLUS, which binds the login to the TLS connection */
} rows[] = {
    {"auto", NULL, METHOD_ANY, NAMED_ONLY, false},
    {"user", NULL, METHOD_PASSWORD, NAMED_ONLY, false},
    {"apop", NULL, METHOD_PASSWORD, NAMED_ONLY, false},
    {"scram-sha-512", MODULES, METHOD_PASSWORD, SCRAM, true},
    {"scram-sha-384", MODULES, METHOD_PASSWORD, NAMED_ONLY, true},
    {"scram-sha-256", MODULES, METHOD_PASSWORD, SCRAM, true},
    {"scram-sha-224", MODULES, METHOD_PASSWORD, NAMED_ONLY, true},
    {"scram-sha-1", MODULES, METHOD_PASSWORD, SCRAM, true},
    {"plain", MODULES, METHOD_PASSWORD, CLEAR, false},
    {"login", MODULES, METHOD_PASSWORD, CLEAR, false},
    {"digest-md5", MODULES, METHOD_PASSWORD, CHALLENGE, false},
    {"cram-md5", MODULES, METHOD_PASSWORD, CHALLENGE, false},
    {"ntlm", MODULES, METHOD_PASSWORD, NAMED_ONLY, false},
    {"otp", "libsasl2-modules-otp", METHOD_PASSWORD, NAMED_ONLY, false},
    {"oauthbearer", NULL, METHOD_TOKEN, OAUTH, false},
    {"xoauth2", NULL, METHOD_TOKEN, OAUTH, false},
    {"gssapi", GSSAPI_MODULES, METHOD_TICKET, OUTSIDE, false},
    {"gss-spnego", GSSAPI_MODULES, METHOD_TICKET, NAMED_ONLY, false},
    {"gs2-krb5", GSSAPI_MODULES, METHOD_TICKET, NAMED_ONLY, true},
    {"gs2-iakerb", GSSAPI_MODULES, METHOD_PASSWORD, NAMED_ONLY, true},
    {"external", NULL, METHOD_CERTIFICATE, OUTSIDE, false},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* The name without -PLUS, if it ends so. */
static struct str base_name(struct str name, bool *plus)
{
    static const struct str suffix = {"-plus", 5};
    *plus = name.len > suffix.len &&
            str_equal_nocase(str_of(name.ptr + name.len - suffix.len, suffix.len), suffix);
    return *plus ? str_of(name.ptr, name.len - suffix.len) : name;
}

static const struct row *row_of(struct str name)
{
    bool plus;
    struct str base = base_name(name, &plus);
    for (size_t i = 0; i < ROWS; i++)
        if (str_is_nocase(base, rows[i].name) && (rows[i].plus || !plus))
            return &rows[i];
    return NULL;
}

bool method_is_known(struct str name)
{
    return row_of(name) != NULL;
}

enum method_proof method_proof(struct str name)
{
    const struct row *row = row_of(name);
    return row != NULL ? row->proof : METHOD_PASSWORD;
}

const char *method_package(const char *name)
{
    const struct row *row = row_of(str_from(name));
    return row != NULL ? row->package : NULL;
}

void method_name(struct str text, char out[METHOD_NAME])
{
    size_t len = text.len < METHOD_NAME ? text.len : 0;
    for (size_t i = 0; i < len; i++)
        out[i] = str_upper(text.ptr[i]);
    out[len] = '\0';
}

/* Without it the server would open the mailbox of whoever logs in, and nobody would know. */
static bool carries_identity(const char *name)
{
    return !str_is_among(str_from(name), "USER APOP LOGIN CRAM-MD5 NTLM XOAUTH2");
}

static void add(struct choice *choice, enum method_way way, const char *name, bool named)
{
    if (choice->question->identity && !carries_identity(name))
        return;
    for (size_t i = 0; i < choice->count; i++)
        if (strcmp(choice->list[i].name, name) == 0)
            return;
    if (choice->count == METHODS_MAX)
        return;
    struct method *method = &choice->list[choice->count++];
    method->way = way;
    method->named = named;
    memcpy(method->name, name, strlen(name) + 1);
}

/* A server without CAPA says nothing about SASL; then a name in the configuration file decides. */
static bool is_offered(const struct method_question *question, const char *name, bool named)
{
    return reply_capa_has(question->capa, name) || (named && !question->capa->known);
}

static bool has_proof(const struct method_question *question, enum method_proof proof)
{
    if (proof == METHOD_CERTIFICATE)
        return question->certificate;
    return proof == METHOD_TICKET || question->secret;
}

static void add_sasl(struct choice *choice, const char *name, bool named)
{
    const struct method_question *question = choice->question;
    bool plus;
    base_name(str_from(name), &plus);
    if (is_offered(question, name, named) && question->has(name) &&
        has_proof(question, method_proof(str_from(name))) && (!plus || question->secure))
        add(choice, METHOD_SASL, name, named);
}

static void add_family(struct choice *choice, enum family family)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].family == family) {
            char name[METHOD_NAME];
            method_name(str_from(rows[i].name), name);
            add_sasl(choice, name, false);
        }
    }
}

static void add_user(struct choice *choice)
{
    const struct reply_capa *capa = choice->question->capa;
    if (!capa->known || capa->user)
        add(choice, METHOD_USER, "USER", false);
}

static void add_password_methods(struct choice *choice)
{
    if (choice->question->secure && choice->question->pinned)
        add_sasl(choice, "PLAIN", false);
    add_family(choice, SCRAM);
    if (choice->question->secure) {
        add_family(choice, CLEAR);
        add_user(choice);
    }
    add_family(choice, CHALLENGE);
    if (choice->count == 0 && choice->question->secure)
        add(choice, METHOD_USER, "USER", false); /* not announced, but what else */
    else if (choice->count == 0 && choice->question->stamp)
        add(choice, METHOD_APOP, "APOP", false);
}

static void add_auto(struct choice *choice)
{
    const struct method_question *question = choice->question;
    if (!question->secret)
        add_family(choice, OUTSIDE);
    else if (!question->token)
        add_password_methods(choice);
    else if (question->secure)
        add_family(choice, OAUTH);
}

static void add_wish(struct choice *choice, struct str wish)
{
    char name[METHOD_NAME];
    method_name(wish, name);
    if (name[0] == '\0')
        return;
    if (strcmp(name, "AUTO") == 0)
        add_auto(choice);
    else if (strcmp(name, "USER") != 0 && strcmp(name, "APOP") != 0)
        add_sasl(choice, name, true);
    else if (choice->question->secret && name[0] == 'U')
        add(choice, METHOD_USER, name, true);
    else if (choice->question->secret && choice->question->stamp)
        add(choice, METHOD_APOP, name, true);
}

size_t method_choose(const struct method_question *question, struct method list[METHODS_MAX])
{
    struct choice choice = {.question = question, .list = list};
    for (const char *const *wish = question->wishes; *wish != NULL; wish++)
        add_wish(&choice, str_from(*wish));
    return choice.count;
}
