#include "pop3/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "net/tls.h"
#include "pop3/apop.h"
#include "pop3/method.h"
#include "pop3/oauth.h"
#include "pop3/sasl.h"

/* One attempt with one method. */
struct dance {
    struct pop3 *pop3;
    const struct auth_options *options;
    const struct method *method;
    struct sasl *sasl;
    struct secret sent; /* the last line out that may tell something; hidden while we dance */
    bool told;          /* something went out: no other method after this one */
    bool proved;        /* password or proof went out: a server that hangs up may mean "wrong" */
};

/* --- words ------------------------------------------------------------------------------------ */

/* What webmail providers say when it is not the password, and what to do about it. */
static const struct hint {
    const char *words, *advice;
    bool secret; /* another one would help */
} hints[] = {
    {"application-specific", "make an app password at the provider", true},
    {"app-specific", "make an app password at the provider", true},
    {"application specific", "make an app password at the provider", true},
    {"app password", "make an app password at the provider", true},
    {"not enabled for pop", "switch POP on in the provider's settings", false},
    {"pop access", "switch POP on in the provider's settings", false},
    {"pop is disabled", "switch POP on in the provider's settings", false},
    {"pop3 is disabled", "switch POP on in the provider's settings", false},
};

static const struct hint *find_hint(struct str text)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (str_contains_nocase(text, hints[i].words))
            return &hints[i];
    return NULL;
}

static const char *advice(const struct dance *dance, struct str text)
{
    const struct hint *hint = find_hint(text);
    if (hint != NULL)
        return hint->advice;
    if (strcmp(dance->method->name, "EXTERNAL") == 0)
        return "check the client certificate";
    if (strcmp(dance->method->name, "GSSAPI") == 0)
        return "check the Kerberos ticket (klist)";
    return dance->options->is_token ? "check user and token" : "check user and password";
}

/* What the JSON of a refused token says, as ` (status "...", scope "...")`. */
static void explain_token(const struct dance *dance, char *out, size_t cap)
{
    static const char *const fields[] = {"status", "error_description", "scope"};
    struct str json = dance->sasl != NULL ? sasl_refusal(dance->sasl) : str_of(NULL, 0);
    char shown[LOG_QUOTE_MAX + 4];
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct str value = oauth_field(json, fields[i]);
        if (value.len > 0 && at < cap) {
            at += (size_t)snprintf(out + at, cap - at, "%s%s \"%s\"", at == 0 ? " (" : ", ",
                                   fields[i], log_quote(pop3_log(dance->pop3), value, shown));
        }
    }
    if (at == 0 && json.len > 0)
        at += (size_t)snprintf(out, cap, " (%s", log_quote(pop3_log(dance->pop3), json, shown));
    if (at > 0 && at + 1 < cap)
        memcpy(out + at, ")", 2);
}

/* Is it the secret that is refused? Only if it went out, and the server says so; a secret that is
 * held to be wrong is not tried again. */
static enum err_kind blame(const struct dance *dance, const struct reply *reply)
{
    const struct hint *hint = find_hint(reply->text);
    bool said = reply->code == REPLY_CODE_AUTH ||
                (reply->code == REPLY_CODE_NONE && reply_blames_secret(reply->text));
    bool other = (hint != NULL && !hint->secret) || strcmp(dance->method->name, "EXTERNAL") == 0 ||
                 strcmp(dance->method->name, "GSSAPI") == 0;
    return dance->proved && said && !other ? ERR_PASSWORD_REFUSED : ERR_LOGIN_REFUSED;
}

/* An -ERR on the way: by its code it is for later or for good, else it is about who we are. */
static int refused(const struct dance *dance, const struct reply *reply, struct err *err)
{
    char text[LOG_QUOTE_MAX + 4], token[3 * LOG_QUOTE_MAX], what[256];
    if (reply->code != REPLY_CODE_NONE && reply->code != REPLY_CODE_OTHER &&
        reply->code != REPLY_CODE_AUTH) {
        snprintf(what, sizeof what, "login at %s", dance->options->server);
        return pop3_refused(dance->pop3, reply, ERR_LOGIN, what, err);
    }
    if (dance->options->used != NULL)
        dance->options->used->refused = true;
    if (dance->options->token_refused != NULL && dance->proved &&
        method_proof(str_from(dance->method->name)) == METHOD_TOKEN)
        *dance->options->token_refused = true;
    explain_token(dance, token, sizeof token);
    log_quote(pop3_log(dance->pop3), reply->text, text);
    bool bare = text[0] == '\0';
    return err_set(err, blame(dance, reply), "login refused by %s%s%s%s%s; %s",
                   dance->options->server, bare ? "" : ": \"", text, bare ? "" : "\"", token,
                   advice(dance, reply->text));
}

static int astray(const struct dance *dance, const char *what, struct err *err)
{
    return err_set(err, ERR_LOGIN, "login at %s with %s: %s", dance->options->server,
                   dance->method->name, what);
}

/* --- lines out and in ------------------------------------------------------------------------- */

static int say(struct dance *dance, struct str line, const char *shown, struct reply *reply,
               struct err *err)
{
    dance->told = true;
    if (pop3_call(dance->pop3, line, shown, reply, err) == 0)
        return 0;
    if (dance->proved && err->kind == ERR_CLOSED) {
        struct err was = *err;
        return err_set(err, ERR_CLOSED, "%s: %s; some servers hang up on a wrong password: %s",
                       dance->options->server, was.text, "check it if this goes on");
    }
    return -1;
}

/* As say, for a line with a secret or proof in it: it is hidden from all that is shown later. */
static int say_hidden(struct dance *dance, struct str line, const char *shown, struct reply *reply,
                      struct err *err)
{
    (void)secret_set(&dance->sent, line); /* longer than SECRET_MAX: parts of it are hidden as is */
    return say(dance, line, shown, reply, err);
}

/* --- USER and PASS, APOP (RFC 1939) ----------------------------------------------------------- */

static bool fits_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    return true;
}

/* Before a byte is sent: what would break the line is ours to refuse. */
static int check_line(const struct dance *dance, struct err *err)
{
    if (!fits_line(str_from(dance->options->user)) || dance->options->user[0] == '\0')
        return err_set(err, ERR_CONFIG, "user must be one line of text");
    if (dance->method->way == METHOD_APOP &&
        memchr(dance->options->user, ' ', strlen(dance->options->user)) != NULL)
        return err_set(err, ERR_CONFIG, "APOP takes no user with a blank in it");
    if (dance->method->way == METHOD_USER && !fits_line(secret_str(dance->options->secret))) {
        return err_set(err, ERR_CONFIG,
                       "the password holds a line end or NUL, which PASS cannot "
                       "carry; name a SASL mechanism with auth");
    }
    return 0;
}

static int send_pass(struct dance *dance, struct reply *reply, struct err *err)
{
    struct str secret = secret_str(dance->options->secret);
    size_t len = secret.len + 5;
    char *line = xmalloc(len);
    memcpy(line, "PASS ", 5);
    memcpy(line + 5, secret.ptr, secret.len);
    dance->proved = true;
    int rc = say_hidden(dance, str_of(line, len), "PASS ***", reply, err);
    secret_wipe_bytes(line, len);
    free(line);
    return rc;
}

/* +OK: 0; -ERR: refused; "+ " has no place here. */
static int judge(const struct dance *dance, const struct reply *reply, struct err *err)
{
    if (reply->kind == REPLY_OK)
        return 0;
    if (reply->kind == REPLY_ERR)
        return refused(dance, reply, err);
    return err_set(err, ERR_PROTOCOL,
                   "login at %s: the server asks to go on where nothing is to "
                   "be said",
                   dance->options->server);
}

static int login_user(struct dance *dance, struct err *err)
{
    struct reply reply;
    if (check_line(dance, err) < 0)
        return -1;
    char *line = xasprintf("USER %s", dance->options->user);
    int rc = say(dance, str_from(line), NULL, &reply, err);
    free(line);
    if (rc != 0 || judge(dance, &reply, err) < 0 || send_pass(dance, &reply, err) < 0)
        return -1;
    return judge(dance, &reply, err);
}

static int login_apop(struct dance *dance, struct err *err)
{
    char digest[APOP_HEX];
    struct reply reply;
    if (check_line(dance, err) < 0)
        return -1;
    apop_digest(pop3_stamp(dance->pop3), secret_str(dance->options->secret), digest);
    char *line = xasprintf("APOP %s %s", dance->options->user, digest);
    dance->proved = true;
    int rc = say_hidden(dance, str_from(line), "APOP ***", &reply, err);
    free(line);
    return rc == 0 ? judge(dance, &reply, err) : -1;
}

/* --- AUTH (RFC 5034) -------------------------------------------------------------------------- */

static struct sasl_login sasl_login_of(const struct dance *dance, unsigned char *binding)
{
    const struct auth_options *options = dance->options;
    const struct method *method = dance->method;
    struct sasl_login login = {
        .server = options->server,
        .port = options->port,
        .user = options->user,
        .secret = options->secret,
        .secure = pop3_is_secure(dance->pop3),
        .allow_plaintext = method->named,
        .client_certificate = options->client_certificate,
        .log = pop3_log(dance->pop3),
    };
    char plus[sizeof method->name + 5];
    snprintf(plus, sizeof plus, "%s-PLUS", method->name);
    login.server_offers_plus = reply_capa_has(pop3_capabilities(dance->pop3), plus);
    struct tls *tls = conn_tls(pop3_conn(dance->pop3));
    if (strncmp(method->name, "SCRAM-", 6) == 0 && tls != NULL &&
        tls_binding(tls, &login.binding_type, binding, SASL_BINDING_MAX, &login.binding_len) == 0)
        login.binding = binding;
    else
        login.binding_type = NULL;
    return login;
}

static char *encode(struct str bytes, size_t *len)
{
    char *text = xmalloc(4 * ((bytes.len + 2) / 3) + 1);
    *len = digest_base64(bytes, text);
    return text;
}

static int send_response(struct dance *dance, struct str response, struct reply *reply,
                         struct err *err)
{
    size_t len;
    char *line = encode(response, &len);
    dance->proved = true;
    int rc = say_hidden(dance, str_of(line, len), "***", reply, err);
    secret_wipe_bytes(line, len);
    free(line);
    return rc;
}

/* The AUTH line. *held: there is an initial response, but it goes out alone, when asked for: it
 * would make the line too long, or it is a token, which big servers take in no other way. */
static int send_auth(struct dance *dance, bool has_initial, struct str initial, bool *held,
                     struct reply *reply, struct err *err)
{
    char line[AUTH_LINE_MAX + 1], shown[64];
    const char *name = dance->method->name;
    size_t len = (size_t)snprintf(line, sizeof line, "AUTH %s", name);
    size_t more = initial.len == 0 ? 1 : 4 * ((initial.len + 2) / 3);
    *held = has_initial &&
            (method_proof(str_from(name)) == METHOD_TOKEN || len + 1 + more + 2 > AUTH_LINE_MAX);
    if (!has_initial || *held)
        return say(dance, str_of(line, len), NULL, reply, err);
    line[len++] = ' ';
    if (initial.len == 0)
        line[len++] = '=';
    else
        len += digest_base64(initial, line + len);
    snprintf(shown, sizeof shown, "AUTH %s ***", name);
    dance->proved = true;
    int rc = say_hidden(dance, str_of(line, len), shown, reply, err);
    secret_wipe_bytes(line, sizeof line);
    return rc;
}

/* Tells the server that we give up; its -ERR to that is no news. The error stays what it was. */
static int cancel(struct dance *dance)
{
    struct reply reply;
    struct err ignored;
    (void)pop3_call(dance->pop3, str_from("*"), NULL, &reply, &ignored);
    return -1;
}

/* One challenge and its answer; the next reply is in *reply. */
static int answer(struct dance *dance, bool held, struct str initial, struct reply *reply,
                  struct err *err)
{
    char challenge[REPLY_LINE_MAX];
    struct str response = initial;
    long len = digest_unbase64(str_trim(reply->text), challenge, sizeof challenge);
    if (len < 0) {
        astray(dance, "the server's challenge is not base64", err);
        return cancel(dance);
    }
    if (held && len > 0) {
        astray(dance, "the server has a challenge where there is none", err);
        return cancel(dance);
    }
    if (!held && sasl_step(dance->sasl, str_of(challenge, (size_t)len), &response, err) < 0) {
        err_prefix(err, "login at %s", dance->options->server);
        return cancel(dance);
    }
    return send_response(dance, response, reply, err);
}

static int exchange(struct dance *dance, bool has_initial, struct str initial, struct err *err)
{
    struct reply reply;
    bool held;
    if (send_auth(dance, has_initial, initial, &held, &reply, err) < 0)
        return -1;
    for (int challenges = 0; reply.kind == REPLY_CONTINUE; challenges++) {
        if (challenges == AUTH_CHALLENGES_MAX) {
            astray(dance, "the server asks on and on", err);
            return cancel(dance);
        }
        if (answer(dance, held, initial, &reply, err) < 0)
            return -1;
        held = false;
    }
    if (reply.kind == REPLY_OK && (held || !sasl_is_done(dance->sasl))) {
        return astray(dance,
                      "the server says +OK before it has proved itself; it may be a false "
                      "one",
                      err);
    }
    return judge(dance, &reply, err);
}

static int check_token(const struct dance *dance, struct err *err)
{
    if (method_proof(str_from(dance->method->name)) != METHOD_TOKEN)
        return 0;
    for (const char *c = dance->options->user; *c != '\0'; c++)
        if (*c > 0 && *c < 0x20)
            return err_set(err, ERR_CONFIG, "user must be one line of text");
    if (!oauth_is_token(secret_str(dance->options->secret))) {
        return err_set(err, ERR_CONFIG,
                       "the token is empty or holds blanks or control bytes; "
                       "token_command must print the token and nothing else");
    }
    return 0;
}

static int login_sasl(struct dance *dance, struct err *err)
{
    unsigned char binding[SASL_BINDING_MAX];
    struct str initial;
    bool has_initial;
    if (check_token(dance, err) < 0)
        return -1;
    struct sasl_login login = sasl_login_of(dance, binding);
    if (sasl_start(&dance->sasl, &login, dance->method->name, &has_initial, &initial, err) < 0)
        return err_prefix(err, "login at %s", dance->options->server);
    int rc = exchange(dance, has_initial, initial, err);
    sasl_end(dance->sasl);
    dance->sasl = NULL;
    return rc;
}

/* --- which one -------------------------------------------------------------------------------- */

static void join(char *out, size_t cap, const char *word)
{
    size_t at = strlen(out);
    if (word[0] != '\0')
        snprintf(out + at, cap - at, "%s%s", at == 0 ? "" : " ", word);
}

/* The first wish that is only a plugin away; NULL: none. Of the many that auto may take, PLAIN
 * stands for all. */
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
    if (missing != NULL) {
        return err_set(err, ERR_LOGIN,
                       "no way to log in at %s: libsasl2 has no plugin for %s here; install it "
                       "(Debian: %s), or name another mechanism with auth (the server has \"%s\")",
                       options->server, missing, method_package(missing), offer);
    }
    if (!question->secret && str_is_nocase(str_from(options->methods[0]), "auto")) {
        return err_set(err, ERR_CONFIG,
                       "no password, and %s offers no other way in (it has \"%s\", auth is "
                       "\"%s\"); add password_command or password_file to the run file",
                       options->server, offer, wish);
    }
    if (!question->secure)
        why = "; a password goes over a line without TLS only if auth names the mechanism";
    else if (!question->secret)
        why = "; there is no password";
    else if (question->token)
        why = "; a token wants OAUTHBEARER or XOAUTH2";
    return err_set(err, ERR_LOGIN, "no way to log in at %s: it offers \"%s\", auth is \"%s\"%s",
                   options->server, offer, wish, why);
}

static bool is_hidden(const struct log *log, const struct secret *secret)
{
    for (size_t i = 0; i < LOG_SECRETS; i++)
        if (log->hidden[i] == secret)
            return true;
    return false;
}

static int try_one(struct dance *dance, struct err *err)
{
    struct log *log = pop3_log(dance->pop3);
    int rc;
    if (log != NULL)
        log_hide(log, &dance->sent);
    if (dance->method->way == METHOD_SASL)
        rc = login_sasl(dance, err);
    else if (dance->method->way == METHOD_APOP)
        rc = login_apop(dance, err);
    else
        rc = login_user(dance, err);
    if (log != NULL)
        log_unhide(log, &dance->sent);
    secret_wipe(&dance->sent);
    return rc;
}

/* USER, and everything else that is no name of SASL, is listed or not by its own line. */
static void look_up(const struct pop3 *pop3, struct auth_used *used)
{
    const struct reply_capa *capa = pop3_capabilities(pop3);
    char plus[sizeof used->method + 5];
    snprintf(plus, sizeof plus, "%s-PLUS", used->method);
    used->plus = reply_capa_has(capa, plus);
    used->listed =
        strcmp(used->method, "USER") == 0 ? capa->user : reply_capa_has(capa, used->method);
}

static void note_used(const struct pop3 *pop3, const struct method *method, struct auth_used *used)
{
    if (used != NULL) {
        memcpy(used->method, method->name, sizeof used->method);
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
        struct dance dance = {.pop3 = pop3, .options = options, .method = &list[i]};
        if (try_one(&dance, err) == 0) {
            log_line(pop3_log(pop3), FP_LOG_TRACE, "logged in with %s", list[i].name);
            return 0;
        }
        if (dance.told) {
            note_used(pop3, &list[i], options->used);
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
        .secret = options->secret != NULL && options->secret->data != NULL,
        .token = options->is_token,
        .certificate = options->client_certificate,
        .has = sasl_has,
    };
    size_t count = method_choose(&question, list);
    if (options->used != NULL)
        *options->used = (struct auth_used){.refused = false};
    if (count == 0)
        return nothing_in_common(pop3, &question, options, err);
    struct log *log = pop3_log(pop3);
    bool hide = log != NULL && question.secret && !is_hidden(log, options->secret);
    if (hide)
        log_hide(log, options->secret);
    int rc = try_all(pop3, options, list, count, err);
    if (hide)
        log_unhide(log, options->secret);
    return rc;
}
