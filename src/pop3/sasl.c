/* SPDX-License-Identifier: ISC */
#include "pop3/sasl.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "pop3/method.h"
#include "pop3/oauth.h"
#include "pop3/prep.h"

#define SERVICE "pop"     /* the GSSAPI service name (RFC 5034) */
#define PLUGIN "fetchpop" /* under which our own mechanisms are registered */
#define SSF_OF_TLS 256
#define LEVEL_SHOWN SASL_LOG_FAIL  /* less severe ones are for a trace */
#define LEVEL_TRACED SASL_LOG_NOTE /* beyond it come debug texts, which may hold passwords */

#define SLACK 8 /* octets behind each block of memory for libsasl2 */

struct sasl {
    struct sasl_login login;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[6]; /* libsasl2 keeps the pointer */
    sasl_secret_t *password;      /* as libsasl2 wants it; neither copied nor freed there */
    sasl_channel_binding_t binding;
    unsigned char binding_bytes[SASL_BINDING_MAX];
    char *challenge; /* the last one, with a NUL behind it */
    size_t challenge_len;
    bool oauth;
    bool bearer; /* OAUTHBEARER, not XOAUTH2 */
    bool done;
    char *user; /* as the mechanism wants it */
    char *refusal;
    size_t refusal_len;
    char name[32];
};

/* --- our own mechanisms: OAUTHBEARER and XOAUTH2, which libsasl2 lacks ------------------------ */

static int oauth_new(void *glob_context, sasl_client_params_t *params, void **context)
{
    (void)glob_context;
    (void)params;
    *context = xcalloc(1, sizeof(struct buf));
    return SASL_OK;
}

static void oauth_dispose(void *context, const sasl_utils_t *utils)
{
    (void)utils;
    struct buf *message = context;
    if (message != NULL) {
        secret_buf_free(message);
        free(message);
    }
}

/* The attempt this plugin works for: it is the context of each of its callbacks. */
static const struct sasl *attempt_of(sasl_client_params_t *params)
{
    sasl_callback_ft call;
    void *context = NULL;
    int rc = params->utils->getcallback(params->utils->conn, SASL_CB_AUTHNAME, &call, &context);
    return rc == SASL_OK ? context : NULL;
}

static int oauth_step(void *context, sasl_client_params_t *params, const char *serverin,
                      unsigned serverinlen, sasl_interact_t **prompts, const char **out,
                      unsigned *outlen, sasl_out_params_t *oparams)
{
    (void)serverin;
    (void)serverinlen;
    (void)prompts;
    struct buf *message = context;
    const struct sasl *sasl = attempt_of(params);
    if (sasl == NULL || message->data != NULL)
        return SASL_BADPROT;
    int rc = params->canon_user(params->utils->conn, sasl->login.user, 0,
                                SASL_CU_AUTHID | SASL_CU_AUTHZID, oparams);
    if (rc != SASL_OK)
        return rc;
    const struct sasl_login *login = &sasl->login;
    const char *identity = login->identity != NULL ? login->identity : login->user;
    struct str token = secret_str(login->secret);
    if (sasl->bearer)
        oauth_bearer(message, str_from(identity), login->server, login->port, token);
    else
        oauth_xoauth2(message, str_from(login->user), token);
    *out = message->data;
    *outlen = (unsigned)message->len;
    oparams->doneflag = 1;
    return SASL_OK;
}

static int oauth_init(const sasl_utils_t *utils, int max_version, int *out_version,
                      sasl_client_plug_t **list, int *count)
{
    /* libsasl2 wants pointers without const, but writes to none of them. */
    static sasl_client_plug_t plugs[] = {
        {.mech_name = "OAUTHBEARER",
         .security_flags = SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
         .features = SASL_FEAT_WANT_CLIENT_FIRST,
         .mech_new = oauth_new,
         .mech_step = oauth_step,
         .mech_dispose = oauth_dispose},
        {.mech_name = "XOAUTH2",
         .security_flags = SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
         .features = SASL_FEAT_WANT_CLIENT_FIRST,
         .mech_new = oauth_new,
         .mech_step = oauth_step,
         .mech_dispose = oauth_dispose},
    };
    (void)utils;
    if (max_version < SASL_CLIENT_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_CLIENT_PLUG_VERSION;
    *list = plugs;
    *count = sizeof plugs / sizeof plugs[0];
    return SASL_OK;
}

/* --- the library ------------------------------------------------------------------------------ */

struct plugin_search {
    bool binding; /* only a mechanism with channel binding will do */
    bool ours;    /* only our own plugin will do */
    bool found;
};

static void note_plugin(client_sasl_mechanism_t *mech, sasl_info_callback_stage_t stage, void *rock)
{
    struct plugin_search *search = rock;
    if (stage != SASL_INFO_LIST_MECH ||
        (search->binding && !(mech->plug->features & SASL_FEAT_CHANNEL_BINDING)) ||
        (search->ours && (mech->plugname == NULL || strcmp(mech->plugname, PLUGIN) != 0)))
        return;
    search->found = true;
}

/* What libsasl2 logs while no attempt is under way (plugins that do not load, say) belongs to no
 * account. Without this it would go to syslog. */
static int ignore_log(void *context, int level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
    return SASL_OK;
}

/* gcc's -Wcast-function-type lets void (*)(void) pass as "any function". */
#define CALLBACK(function) ((sasl_callback_ft)(void (*)(void))(function))

/* Not every system tells how large a block is, so that stands in front of it. */
union block {
    size_t size;
    max_align_t aligned;
};

/* What libsasl2 and its plugins free may have held a password, and they wipe little of it. */
static void wipe_and_free(void *memory)
{
    if (memory == NULL)
        return;
    union block *block = (union block *)memory - 1;
    secret_wipe_bytes(memory, block->size);
    free(block);
}

/* libsasl2 2.1.28 writes a NUL behind an error text that fills its buffer to the last octet, and a
 * server can make it one (DIGEST-MD5 quotes maxbuf): each block has room for that. */
static void *take(size_t size)
{
    union block *block =
        size <= SIZE_MAX - sizeof *block - SLACK ? calloc(1, sizeof *block + size + SLACK) : NULL;
    if (block == NULL)
        return NULL;
    block->size = size + SLACK;
    return block + 1;
}

static void *take_cleared(size_t count, size_t size)
{
    return size == 0 || count <= SIZE_MAX / size ? take(count * size) : NULL;
}

static void *move(void *memory, size_t size)
{
    size_t had = memory != NULL ? ((union block *)memory - 1)->size : 0;
    void *other = take(size);
    if (other != NULL && memory != NULL) {
        memcpy(other, memory, had < size ? had : size);
        wipe_and_free(memory);
    }
    return other;
}

/* Half of what loading costs is Kerberos and its libraries, a third a database for servers. Neither
 * is loaded before it is asked for, the second never. */
static bool is_kerberos(const char *mechanism)
{
    return strncmp(mechanism, "GS", 2) == 0; /* GSSAPI, GSS-SPNEGO, GS2-KRB5 and the like */
}

static bool is_one_of(const char *file, const char *const *names)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    for (; *names != NULL; names++)
        if (strstr(base, *names) != NULL)
            return true;
    return false;
}

static int pass_over_databases(void *context, const char *file, sasl_verify_type_t type)
{
    static const char *const names[] = {"sasldb", "ldapdb", "libsql", NULL};
    (void)context;
    return type == SASL_VRFY_PLUGIN && is_one_of(file, names) ? SASL_CONTINUE : SASL_OK;
}

static int pass_over_kerberos(void *context, const char *file, sasl_verify_type_t type)
{
    static const char *const names[] = {"gssapiv2", "libgs2", NULL};
    bool unwanted = type == SASL_VRFY_PLUGIN && is_one_of(file, names);
    return unwanted ? SASL_CONTINUE : pass_over_databases(context, file, type);
}

static bool is_loaded(const char *mechanism, bool ours)
{
    struct plugin_search search = {.ours = ours};
    sasl_client_plugin_info(mechanism, note_plugin, &search);
    return search.found;
}

/* Loads the library's plugins and adds ours, once in a process, and once more if Kerberos is asked
 * for later: sasl_client_init counts by itself, and what is there is asked of the library, so that
 * no state of ours is needed. No attempt is under way here: sasl_client_done may unload. */
static int load(const char *mechanism, struct err *err)
{
    static const sasl_callback_t most[] = {
        {SASL_CB_LOG, CALLBACK(ignore_log), NULL},
        {SASL_CB_VERIFYFILE, CALLBACK(pass_over_kerberos), NULL},
        {SASL_CB_LIST_END, NULL, NULL},
    };
    static const sasl_callback_t all[] = {
        {SASL_CB_LOG, CALLBACK(ignore_log), NULL},
        {SASL_CB_VERIFYFILE, CALLBACK(pass_over_databases), NULL},
        {SASL_CB_LIST_END, NULL, NULL},
    };
    bool kerberos = is_kerberos(mechanism);
    sasl_set_alloc(take, take_cleared, move, wipe_and_free);
    while (kerberos && !is_loaded(mechanism, false) && sasl_client_done() == SASL_CONTINUE) {
    }
    int rc = sasl_client_init(kerberos ? all : most);
    if (rc == SASL_OK && !is_loaded("XOAUTH2", true))
        rc = sasl_client_add_plugin(PLUGIN, oauth_init);
    if (rc != SASL_OK)
        return err_set(err, ERR_LOGIN, "libsasl2 does not start: %s",
                       sasl_errstring(rc, NULL, NULL));
    return 0;
}

static bool has_plus(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, "-PLUS") == 0;
}

bool sasl_has(const char *mechanism)
{
    char name[32];
    size_t len = strlen(mechanism) - (has_plus(mechanism) ? 5 : 0);
    struct plugin_search search = {.binding = has_plus(mechanism)};
    if (len == 0 || len >= sizeof name || load(mechanism, NULL) < 0)
        return false;
    memcpy(name, mechanism, len);
    name[len] = '\0';
    sasl_client_plugin_info(name, note_plugin, &search);
    return search.found;
}

/* --- callbacks of one attempt ----------------------------------------------------------------- */

static int give_name(void *context, int id, const char **result, unsigned *len)
{
    const struct sasl *sasl = context;
    const char *identity = sasl->login.identity != NULL ? sasl->login.identity : "";
    *result = id == SASL_CB_AUTHNAME ? sasl->user : identity; /* SASL_CB_USER: whom to act as */
    if (len != NULL)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

static int give_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **result)
{
    (void)conn;
    (void)id;
    *result = ((struct sasl *)context)->password;
    return SASL_OK;
}

static int give_realm(void *context, int id, const char **realms, const char **result)
{
    (void)context;
    (void)id;
    *result = realms != NULL && realms[0] != NULL ? realms[0] : "";
    return SASL_OK;
}

static int take_log(void *context, int level, const char *message)
{
    const struct sasl *sasl = context;
    char shown[LOG_QUOTE_MAX + 4];
    if (level == SASL_LOG_NONE || level > LEVEL_TRACED || message == NULL)
        return SASL_OK;
    log_line(sasl->login.log, level <= LEVEL_SHOWN ? FP_LOG_NOTE : FP_LOG_TRACE, "libsasl2: %s",
             log_quote(sasl->login.log, str_from(message), shown));
    return SASL_OK;
}

static void set_callbacks(struct sasl *sasl)
{
    sasl_callback_t *next = sasl->callbacks;
    *next++ = (sasl_callback_t){SASL_CB_USER, CALLBACK(give_name), sasl};
    *next++ = (sasl_callback_t){SASL_CB_AUTHNAME, CALLBACK(give_name), sasl};
    *next++ = (sasl_callback_t){SASL_CB_GETREALM, CALLBACK(give_realm), sasl};
    *next++ = (sasl_callback_t){SASL_CB_LOG, CALLBACK(take_log), sasl};
    if (sasl->password != NULL)
        *next++ = (sasl_callback_t){SASL_CB_PASS, CALLBACK(give_password), sasl};
    *next = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

/* --- one attempt ------------------------------------------------------------------------------ */

static int fail(const struct sasl *sasl, int rc, struct err *err)
{
    char shown[LOG_QUOTE_MAX + 4];
    switch (rc) {
    case SASL_NOMECH:
        return err_set(err, ERR_LOGIN,
                       "%s: not possible here; it may want TLS, a password, a client certificate "
                       "or a plugin of libsasl2",
                       sasl->name);
    case SASL_BADSERV:
        return err_set(
            err, ERR_LOGIN,
            "%s: %s could not prove that it knows the password itself; check the server's name",
            sasl->name, sasl->login.server);
    case SASL_INTERACT:
        return err_set(err, ERR_LOGIN,
                       "%s: libsasl2 asks for something that fetchpop does not know; try another "
                       "mechanism with auth",
                       sasl->name);
    default:
        break;
    }
    const char *detail =
        sasl->conn != NULL ? sasl_errdetail(sasl->conn) : sasl_errstring(rc, NULL, NULL);
    return err_set(err, ERR_LOGIN, "%s: %s; %s", sasl->name,
                   log_quote(sasl->login.log, str_from(detail), shown),
                   strncmp(sasl->name, "GSS", 3) == 0 ? "get a Kerberos ticket (kinit, klist)"
                                                      : "try another mechanism with auth");
}

/* RFC 4616 and RFC 5802. */
static bool wants_prep(const char *mechanism)
{
    return strcmp(mechanism, "PLAIN") == 0 || strncmp(mechanism, "SCRAM-", 6) == 0;
}

static sasl_secret_t *copy_password(const struct secret *secret, bool prepare)
{
    if (secret == NULL || secret->data == NULL)
        return NULL;
    sasl_secret_t *password = xmalloc(sizeof *password + PREP_GROWTH * secret->len);
    memcpy(password->data, secret->data, secret->len);
    password->data[secret->len] = '\0';
    password->len = prepare ? prep_sasl(secret_str(secret), (char *)password->data) : secret->len;
    return password;
}

static char *copy_user(const char *user, bool prepare)
{
    struct str text = str_from(user);
    char *copy = xmalloc(PREP_GROWTH * text.len + 1);
    memcpy(copy, user, text.len + 1);
    if (prepare)
        prep_sasl(text, copy);
    return copy;
}

static int set_property(struct sasl *sasl, int number, const void *value, struct err *err)
{
    int rc = sasl_setprop(sasl->conn, number, value);
    return rc == SASL_OK ? 0 : fail(sasl, rc, err);
}

static int set_security(struct sasl *sasl, struct err *err)
{
    const struct sasl_login *login = &sasl->login;
    sasl_security_properties_t wanted = {.security_flags = SASL_SEC_NOANONYMOUS};
    sasl_ssf_t tls = SSF_OF_TLS;
    if (!login->secure && !login->allow_plaintext)
        wanted.security_flags |= SASL_SEC_NOPLAINTEXT;
    if (set_property(sasl, SASL_SEC_PROPS, &wanted, err) < 0 ||
        (login->secure && set_property(sasl, SASL_SSF_EXTERNAL, &tls, err) < 0))
        return -1;
    return login->client_certificate ? set_property(sasl, SASL_AUTH_EXTERNAL, login->user, err) : 0;
}

/* True if the server is to be told about channel binding: with -PLUS, or that we could and it did
 * not offer (RFC 5802 section 6, "y": it is how a stripped offer is found out). */
static bool wants_binding(const struct sasl_login *login, const char *mechanism)
{
    return login->binding_type != NULL && login->binding_len > 0 &&
           (has_plus(mechanism) || !login->server_offers_plus);
}

static int set_binding(struct sasl *sasl, struct err *err)
{
    const struct sasl_login *login = &sasl->login;
    if (login->binding_len > sizeof sasl->binding_bytes)
        return err_set(err, ERR_LOGIN,
                       "%s: channel binding too long; name another mechanism with auth",
                       sasl->name);
    memcpy(sasl->binding_bytes, login->binding, login->binding_len);
    sasl->binding = (sasl_channel_binding_t){.name = login->binding_type,
                                             .critical = 0,
                                             .len = login->binding_len,
                                             .data = sasl->binding_bytes};
    return set_property(sasl, SASL_CHANNEL_BINDING, &sasl->binding, err);
}

static int start(struct sasl *sasl, const char *mechanism, struct str *initial, struct err *err)
{
    bool binding = wants_binding(&sasl->login, mechanism);
    char names[2 * sizeof sasl->name];
    const char *out = NULL, *chosen = NULL;
    unsigned len = 0;
    int rc =
        sasl_client_new(SERVICE, sasl->login.server, NULL, NULL, sasl->callbacks, 0, &sasl->conn);
    if (rc != SASL_OK)
        return fail(sasl, rc, err);
    if (has_plus(mechanism) && !binding)
        return err_set(err, ERR_LOGIN,
                       "%s: TLS gives no channel binding here; name another mechanism with auth",
                       sasl->name);
    if (set_security(sasl, err) < 0 || (binding && set_binding(sasl, err) < 0))
        return -1;
    /* One name without -PLUS makes libsasl2 say "n", whatever we could; two names make it say "y".
     * A single one with -PLUS is what makes it bind. */
    bool twice = binding && !has_plus(mechanism);
    snprintf(names, sizeof names, "%s%s%s", sasl->name, twice ? " " : "", twice ? sasl->name : "");
    rc = sasl_client_start(sasl->conn, names, NULL, &out, &len, &chosen);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return fail(sasl, rc, err);
    sasl->done = rc == SASL_OK;
    *initial = str_of(out, len);
    return out != NULL;
}

int sasl_start(struct sasl **sasl, const struct sasl_login *login, const char *mechanism,
               struct str *initial, struct err *err)
{
    *sasl = NULL;
    if (load(mechanism, err) < 0)
        return -1;
    struct sasl *mine = xcalloc(1, sizeof *mine);
    mine->login = *login;
    snprintf(mine->name, sizeof mine->name, "%s", mechanism);
    mine->oauth = method_proof(str_from(mechanism)) == METHOD_TOKEN;
    mine->bearer = strcmp(mechanism, "OAUTHBEARER") == 0;
    mine->password = copy_password(login->secret, wants_prep(mechanism));
    mine->user = copy_user(login->user, wants_prep(mechanism));
    set_callbacks(mine);
    int result = start(mine, mechanism, initial, err);
    if (result < 0)
        sasl_end(mine);
    else
        *sasl = mine;
    return result;
}

static void forget_challenge(struct sasl *sasl)
{
    if (sasl->challenge != NULL) {
        secret_wipe_bytes(sasl->challenge, sasl->challenge_len);
        free(sasl->challenge);
        sasl->challenge = NULL;
    }
}

/* The server says why it refuses the token. XOAUTH2 wants an empty line for an answer, OAUTHBEARER
 * a single 0x01. */
static int take_refusal(struct sasl *sasl, struct str challenge, struct str *response)
{
    sasl->done = false;
    sasl->refusal = xmemdup0(challenge.ptr, challenge.len);
    sasl->refusal_len = challenge.len;
    *response = sasl->bearer ? str_of("\1", 1) : str_of("", 0);
    return 0;
}

int sasl_step(struct sasl *sasl, struct str challenge, struct str *response, struct err *err)
{
    if (sasl->oauth && sasl->done)
        return take_refusal(sasl, challenge, response);
    if (sasl->oauth || sasl->done)
        return err_set(err, ERR_LOGIN,
                       "%s: %s sends a challenge after the end of the exchange; name another "
                       "mechanism with auth",
                       sasl->name, sasl->login.server);
    const char *out = NULL;
    unsigned len = 0;
    forget_challenge(sasl);
    /* libsasl2 wants a NUL behind it, and its plugins refuse NULL for an empty one. */
    sasl->challenge = xmemdup0(challenge.ptr, challenge.len);
    sasl->challenge_len = challenge.len;
    int rc =
        sasl_client_step(sasl->conn, sasl->challenge, (unsigned)challenge.len, NULL, &out, &len);
    if (rc != SASL_OK && rc != SASL_CONTINUE)
        return fail(sasl, rc, err);
    sasl->done = rc == SASL_OK;
    *response = str_of(out, out != NULL ? len : 0);
    return 0;
}

/* A security layer was ruled out at the start; if there is one nevertheless, all further bytes
 * would be wrapped in it. */
static bool has_layer(const struct sasl *sasl)
{
    const void *value = NULL;
    if (sasl_getprop(sasl->conn, SASL_SSF, &value) != SASL_OK || value == NULL)
        return true;
    return *(const sasl_ssf_t *)value != 0;
}

bool sasl_is_done(const struct sasl *sasl)
{
    return sasl->done && !has_layer(sasl);
}

struct str sasl_refusal(const struct sasl *sasl)
{
    return str_of(sasl->refusal, sasl->refusal_len);
}

void sasl_end(struct sasl *sasl)
{
    if (sasl == NULL)
        return;
    if (sasl->conn != NULL)
        sasl_dispose(&sasl->conn);
    forget_challenge(sasl);
    if (sasl->password != NULL) {
        secret_wipe_bytes(sasl->password->data, sasl->password->len);
        free(sasl->password);
    }
    free(sasl->user);
    free(sasl->refusal);
    free(sasl);
}
