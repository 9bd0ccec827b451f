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

/* The plugins that libsasl2 2.1 comes with, as Debian parts them; NULL: ours, or no plugin. */
static const struct known {
    const char *name, *package;
} known[] = {
    {"auto", NULL},
    {"user", NULL},
    {"apop", NULL},
    {"plain", MODULES},
    {"login", MODULES},
    {"cram-md5", MODULES},
    {"digest-md5", MODULES},
    {"ntlm", MODULES},
    {"scram-sha-1", MODULES},
    {"scram-sha-224", MODULES},
    {"scram-sha-256", MODULES},
    {"scram-sha-384", MODULES},
    {"scram-sha-512", MODULES},
    {"scram-sha-1-plus", MODULES},
    {"scram-sha-224-plus", MODULES},
    {"scram-sha-256-plus", MODULES},
    {"scram-sha-384-plus", MODULES},
    {"scram-sha-512-plus", MODULES},
    {"gssapi", GSSAPI_MODULES},
    {"gss-spnego", GSSAPI_MODULES},
    {"gs2-krb5", GSSAPI_MODULES},
    {"gs2-krb5-plus", GSSAPI_MODULES},
    {"gs2-iakerb", GSSAPI_MODULES},
    {"gs2-iakerb-plus", GSSAPI_MODULES},
    {"otp", "libsasl2-modules-otp"},
    {"external", NULL},
    {"oauthbearer", NULL},
    {"xoauth2", NULL},
};
#define KNOWN (sizeof known / sizeof known[0])

bool method_is_known(struct str name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (str_is_nocase(name, known[i].name))
            return true;
    return false;
}

const char *method_names(void)
{
    return "auto, user, apop, plain, login, cram-md5, digest-md5, ntlm, scram-sha-1, -224, -256, "
           "-384, -512 (each also with -plus), gssapi, gss-spnego, gs2-krb5, gs2-iakerb (those two "
           "also with -plus), otp, external, oauthbearer, xoauth2";
}

const char *method_package(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (str_is_nocase(str_from(name), known[i].name))
            return known[i].package;
    return NULL;
}

void method_name(struct str text, char out[METHOD_NAME])
{
    size_t len = text.len < METHOD_NAME ? text.len : 0;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        out[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    out[len] = '\0';
}

bool method_is_oauth(const char *name)
{
    return str_is(str_from(name), "OAUTHBEARER") || str_is(str_from(name), "XOAUTH2");
}

static bool needs_no_secret(const char *name)
{
    return str_has_prefix(str_from(name), "GSSAPI") || str_is(str_from(name), "EXTERNAL") ||
           str_is(str_from(name), "GSS-SPNEGO") || str_has_prefix(str_from(name), "GS2-KRB5");
}

static bool is_plus(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, "-PLUS") == 0;
}

static void add(struct choice *choice, enum method_way way, const char *name, bool named)
{
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

/* A server without CAPA says nothing about SASL; then a name in the run file decides. */
static bool is_offered(const struct method_question *question, const char *name, bool named)
{
    return reply_capa_has(question->capa, name) || (named && !question->capa->known);
}

static void add_sasl(struct choice *choice, const char *name, bool named)
{
    const struct method_question *question = choice->question;
    if (!is_offered(question, name, named) || !question->has(name) ||
        (!question->secret && !needs_no_secret(name)) ||
        (strcmp(name, "EXTERNAL") == 0 && !question->certificate) ||
        (is_plus(name) && !question->secure))
        return;
    add(choice, METHOD_SASL, name, named);
}

static void add_all(struct choice *choice, const char *const *names)
{
    for (; *names != NULL; names++)
        add_sasl(choice, *names, false);
}

static void add_user(struct choice *choice)
{
    const struct reply_capa *capa = choice->question->capa;
    if (!capa->known || capa->user)
        add(choice, METHOD_USER, "USER", false);
}

static void add_password_methods(struct choice *choice)
{
    static const char *const strong[] = {"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", NULL};
    static const char *const plain[] = {"PLAIN", "LOGIN", NULL};
    static const char *const old[] = {"DIGEST-MD5", "CRAM-MD5", NULL};
    add_all(choice, strong);
    if (choice->question->secure) {
        add_all(choice, plain);
        add_user(choice);
    }
    add_all(choice, old);
    if (choice->count == 0 && choice->question->secure)
        add(choice, METHOD_USER, "USER", false); /* not announced, but what else */
    else if (choice->count == 0 && choice->question->stamp)
        add(choice, METHOD_APOP, "APOP", false);
}

static void add_auto(struct choice *choice)
{
    static const char *const oauth[] = {"OAUTHBEARER", "XOAUTH2", NULL};
    static const char *const without[] = {"GSSAPI", "EXTERNAL", NULL};
    const struct method_question *question = choice->question;
    if (!question->secret)
        add_all(choice, without);
    else if (!question->token)
        add_password_methods(choice);
    else if (question->secure)
        add_all(choice, oauth);
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
