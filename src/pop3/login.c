/* SPDX-License-Identifier: ISC */
#include "pop3/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "net/tls.h"
#include "pop3/oauth.h"
#include "pop3/sasl.h"

#define SCRAM_ROUNDS_MIN 4096

struct attempt {
    struct pop3 *pop3;
    const struct login_who *who;
    const struct method *method;
    struct login_outcome *outcome;
    struct sasl *sasl;
    struct str initial; /* response, if it has one */
    bool has_initial;
    struct secret sent; /* the last line with a secret in it; hidden during the attempt */
    unsigned responses; /* of SASL, sent so far */
    bool resent;        /* the initial response, which the server had overlooked */
};

/* --- words ------------------------------------------------------------------------------------ */

/* What webmail providers say when the account's own password will not do. */
static bool wants_app_password(struct str text)
{
    return str_contains_any_nocase(text, "application-specific|application specific|app-specific|"
                                         "app password|application password|"
                                         "external applications|authorization code");
}

/* Without TLS, and before the secret went out. */
static bool wants_tls(const struct attempt *attempt, struct str text)
{
    return !pop3_is_secure(attempt->pop3) &&
           (reply_wants_tls(text) ||
            (!attempt->outcome->proved && attempt->method->way == METHOD_USER));
}

/* As a file may have it, and no editor shows. */
static bool ends_in_blank(const struct secret *secret)
{
    return secret != NULL && secret->len > 0 &&
           strchr(" \t", secret->data[secret->len - 1]) != NULL;
}

static const char *advice(const struct attempt *attempt, const struct reply *reply)
{
    if (reply->code == REPLY_CODE_POP_OFF)
        return "switch POP on in the provider's settings";
    if (wants_tls(attempt, reply->text))
        return "the server seems to want TLS first: set tls = \"stls\" or \"implicit\"";
    if (wants_app_password(reply->text))
        return "make an app password at the provider";
    if (strcmp(attempt->method->name, "EXTERNAL") == 0)
        return "check the client certificate";
    if (strcmp(attempt->method->name, "GSSAPI") == 0)
        return "check the Kerberos ticket (klist)";
    if (!attempt->outcome->proved && attempt->method->way == METHOD_USER)
        return "check user";
    if (!attempt->outcome->proved)
        return "no password was sent: name another mechanism with auth";
    if (ends_in_blank(attempt->who->secret))
        return "check user and password (which ends in a blank)";
    return attempt->who->is_token ? "check user and token" : "check user and password";
}

/* What the JSON of a refused token says, as ` (status "...", scope "...")`. */
static void explain_token(const struct attempt *attempt, char *out, size_t cap)
{
    static const char *const fields[] = {"status", "error_description", "scope"};
    struct str json = attempt->sasl != NULL ? sasl_refusal(attempt->sasl) : str_of(NULL, 0);
    char shown[LOG_QUOTE_MAX + 4];
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct str value = oauth_field(json, fields[i]);
        if (value.len > 0 && at < cap)
            at += (size_t)snprintf(out + at, cap - at, "%s%s \"%s\"", at == 0 ? " (" : ", ",
                                   fields[i], log_quote(pop3_log(attempt->pop3), value, shown));
    }
    if (at == 0 && json.len > 0)
        at += (size_t)snprintf(out, cap, " (%s", log_quote(pop3_log(attempt->pop3), json, shown));
    if (at > 0 && at + 1 < cap)
        memcpy(out + at, ")", 2);
}

/* Is it the secret that is refused? Only if it was sent, and the server says so: a secret that is
 * believed to be wrong is tried again after a while only. */
static enum err_kind kind_of(const struct attempt *attempt, const struct reply *reply)
{
    bool said = reply->code == REPLY_CODE_AUTH ||
                (reply->code == REPLY_CODE_NONE && reply_blames_secret(reply->text));
    bool other = wants_tls(attempt, reply->text) ||
                 strcmp(attempt->method->name, "EXTERNAL") == 0 ||
                 strcmp(attempt->method->name, "GSSAPI") == 0;
    return attempt->outcome->proved && said && !other ? ERR_PASSWORD_REFUSED : ERR_LOGIN_REFUSED;
}

static bool is_about_login(const struct reply *reply)
{
    return reply->code == REPLY_CODE_AUTH || reply->code == REPLY_CODE_POP_OFF ||
           ((reply->code == REPLY_CODE_NONE || reply->code == REPLY_CODE_OTHER ||
             reply->code == REPLY_CODE_UTF8) &&
            !reply_blames_server(reply->text));
}

/* Its code or its words say whether it is temporary or permanent. */
static int not_now(const struct attempt *attempt, const struct reply *reply, struct err *err)
{
    char what[256];
    snprintf(what, sizeof what, "login at %s", attempt->who->server);
    return pop3_refused(attempt->pop3, reply, ERR_AGAIN, what, err);
}

/* An -ERR: its code may say that it is temporary or permanent; else it is about our identity. */
static int refused(const struct attempt *attempt, const struct reply *reply, struct err *err)
{
    char text[LOG_QUOTE_MAX + 4], token[3 * LOG_QUOTE_MAX], how[48] = "";
    if (!is_about_login(reply))
        return not_now(attempt, reply, err);
    attempt->outcome->refused = true;
    attempt->outcome->token_refused =
        attempt->outcome->proved && method_proof(str_from(attempt->method->name)) == METHOD_TOKEN;
    if (!attempt->outcome->proved && attempt->method->way == METHOD_SASL)
        snprintf(how, sizeof how, " with %s", attempt->method->name);
    explain_token(attempt, token, sizeof token);
    log_quote(pop3_log(attempt->pop3), reply->text, text);
    bool bare = text[0] == '\0';
    return err_set(err, kind_of(attempt, reply), "login%s refused by %s%s%s%s%s; %s", how,
                   attempt->who->server, bare ? "" : ": \"", text, bare ? "" : "\"", token,
                   advice(attempt, reply));
}

static int protocol_error(const struct attempt *attempt, const char *what, struct err *err)
{
    return err_set(err, ERR_LOGIN, "login at %s with %s: %s", attempt->who->server,
                   attempt->method->name, what);
}

/* --- lines out and in ------------------------------------------------------------------------- */

static int send_line(struct attempt *attempt, struct str line, const char *shown,
                     struct reply *reply, struct err *err)
{
    attempt->outcome->sent = true;
    if (pop3_call(attempt->pop3, line, shown, reply, err) == 0)
        return 0;
    if (attempt->outcome->proved && err->kind == ERR_CLOSED) {
        struct err was = *err;
        return err_set(err, ERR_CLOSED,
                       "%s: %s; some servers hang up on a wrong password: check it if this goes on",
                       attempt->who->server, was.text);
    }
    return -1;
}

/* As send_line, for a line with a secret or proof in it: it is hidden in all later messages. */
static int send_hidden(struct attempt *attempt, struct str line, const char *shown,
                       struct reply *reply, struct err *err)
{
    (void)secret_set(&attempt->sent,
                     line); /* longer than SECRET_MAX: parts of it are hidden as is */
    return send_line(attempt, line, shown, reply, err);
}

/* --- USER and PASS, APOP (RFC 1939) ----------------------------------------------------------- */

static bool fits_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    return true;
}

/* Before a byte is sent: a text that would break the line is refused here. */
static int check_line(const struct attempt *attempt, struct err *err)
{
    if (!fits_line(str_from(attempt->who->user)) || attempt->who->user[0] == '\0')
        return err_set(err, ERR_CONFIG, "user must be one line of text");
    if (attempt->method->way == METHOD_APOP &&
        memchr(attempt->who->user, ' ', strlen(attempt->who->user)) != NULL)
        return err_set(err, ERR_CONFIG,
                       "with APOP, user cannot contain a blank; use another mechanism with auth");
    if (attempt->method->way == METHOD_USER && !fits_line(secret_str(attempt->who->secret)))
        return err_set(err, ERR_CONFIG,
                       "the password contains a line end or NUL, which PASS cannot "
                       "carry; name a SASL mechanism with auth");
    return 0;
}

static int send_pass(struct attempt *attempt, struct reply *reply, struct err *err)
{
    struct str secret = secret_str(attempt->who->secret);
    size_t len = secret.len + 5;
    char *line = xmalloc(len);
    memcpy(line, "PASS ", 5);
    memcpy(line + 5, secret.ptr, secret.len);
    attempt->outcome->proved = true;
    int rc = send_hidden(attempt, str_of(line, len), "PASS ***", reply, err);
    secret_wipe_bytes(line, len);
    free(line);
    return rc;
}

/* +OK: 0; -ERR: refused; "+ " must not come here. */
static int judge(const struct attempt *attempt, const struct reply *reply, struct err *err)
{
    if (reply->kind == REPLY_OK)
        return 0;
    if (reply->kind == REPLY_ERR)
        return refused(attempt, reply, err);
    return err_set(err, ERR_PROTOCOL,
                   "login at %s: the server asks for more where the protocol has nothing to "
                   "send; ask its administrator",
                   attempt->who->server);
}

static int login_user(struct attempt *attempt, struct err *err)
{
    struct reply reply;
    if (check_line(attempt, err) < 0)
        return -1;
    char *line = xasprintf("USER %s", attempt->who->user);
    int rc = send_line(attempt, str_from(line), NULL, &reply, err);
    free(line);
    if (rc != 0 || judge(attempt, &reply, err) < 0 || send_pass(attempt, &reply, err) < 0)
        return -1;
    return judge(attempt, &reply, err);
}

/* RFC 1939, section 7. */
static int login_apop(struct attempt *attempt, struct err *err)
{
    unsigned char digest[DIGEST_MD5_SIZE];
    char hex[2 * DIGEST_MD5_SIZE + 1];
    if (check_line(attempt, err) < 0)
        return -1;
    if (digest_md5(pop3_stamp(attempt->pop3), secret_str(attempt->who->secret), digest) < 0)
        return err_set(err, ERR_LOGIN,
                       "APOP: OpenSSL has no MD5 here; name another mechanism with auth");
    words_hex(digest, sizeof digest, hex);
    char *line = xasprintf("APOP %s %s", attempt->who->user, hex);
    struct reply reply;
    attempt->outcome->proved = true;
    int rc = send_hidden(attempt, str_from(line), "APOP ***", &reply, err);
    free(line);
    return rc == 0 ? judge(attempt, &reply, err) : -1;
}

/* --- AUTH (RFC 5034) -------------------------------------------------------------------------- */

static struct sasl_login sasl_login_of(const struct attempt *attempt, unsigned char *binding)
{
    const struct login_who *who = attempt->who;
    const struct method *method = attempt->method;
    struct sasl_login login = {
        .server = who->server,
        .port = who->port,
        .user = who->user,
        .identity = who->identity,
        .secret = who->secret,
        .secure = pop3_is_secure(attempt->pop3),
        .allow_plaintext = method->named,
        .client_certificate = who->client_certificate,
        .log = pop3_log(attempt->pop3),
    };
    char plus[sizeof method->name + 5];
    snprintf(plus, sizeof plus, "%s-PLUS", method->name);
    login.server_offers_plus = reply_capa_has(pop3_capabilities(attempt->pop3), plus);
    struct tls *tls = conn_tls(pop3_conn(attempt->pop3));
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

/* SCRAM's first message has the user's name and no proof, and so has LOGIN's. */
static void count_response(struct attempt *attempt)
{
    const char *name = attempt->method->name;
    bool name_first = strncmp(name, "SCRAM-", 6) == 0 || strcmp(name, "LOGIN") == 0;
    attempt->responses++;
    attempt->outcome->proved =
        attempt->outcome->proved || attempt->responses > (name_first ? 1u : 0u);
}

static int send_response(struct attempt *attempt, struct str response, struct reply *reply,
                         struct err *err)
{
    size_t len;
    char *line = encode(response, &len);
    count_response(attempt);
    int rc = send_hidden(attempt, str_of(line, len), "***", reply, err);
    secret_wipe_bytes(line, len);
    free(line);
    return rc;
}

/* The AUTH line. *held: there is an initial response, but it goes out alone, when asked for: it
 * would make the line too long, or it is a token, which big servers take in no other way. */
static int send_auth(struct attempt *attempt, bool *held, struct reply *reply, struct err *err)
{
    struct str initial = attempt->initial;
    char line[LOGIN_LINE_MAX + 1], shown[64];
    const char *name = attempt->method->name;
    size_t len = (size_t)snprintf(line, sizeof line, "AUTH %s", name);
    size_t more = initial.len == 0 ? 1 : 4 * ((initial.len + 2) / 3);
    *held = attempt->has_initial &&
            (method_proof(str_from(name)) == METHOD_TOKEN || len + 1 + more + 2 > LOGIN_LINE_MAX);
    if (!attempt->has_initial || *held)
        return send_line(attempt, str_of(line, len), NULL, reply, err);
    line[len++] = ' ';
    if (initial.len == 0)
        line[len++] = '=';
    else
        len += digest_base64(initial, line + len);
    snprintf(shown, sizeof shown, "AUTH %s ***", name);
    count_response(attempt);
    int rc = send_hidden(attempt, str_of(line, len), shown, reply, err);
    secret_wipe_bytes(line, sizeof line);
    return rc;
}

/* Tells the server that we give up; it answers with -ERR. The error stays what it was. */
static int cancel(struct attempt *attempt)
{
    struct reply reply;
    struct err ignored;
    (void)pop3_call(attempt->pop3, str_from("*"), NULL, &reply, &ignored);
    return -1;
}

/* Fewer rounds make it cheap to guess the password from what everybody on the way can see (RFC 7677
 * section 4 wants 4096 at least). */
static bool has_few_rounds(const struct attempt *attempt, struct str challenge)
{
    uint64_t rounds;
    if (strncmp(attempt->method->name, "SCRAM-", 6) != 0 || pop3_is_secure(attempt->pop3))
        return false;
    while (challenge.len > 0) {
        struct str field = str_until(&challenge, ',');
        if (str_has_prefix(field, "i="))
            return str_number(str_behind(field, 2), UINT32_MAX, &rounds) == 0 &&
                   rounds < SCRAM_ROUNDS_MIN;
    }
    return false;
}

/* Everything was said in the initial response, and the server asks for it: it has overlooked it. */
static bool is_overlooked(struct attempt *attempt, struct str challenge)
{
    bool overlooked = attempt->has_initial && challenge.len == 0 && attempt->responses == 1 &&
                      !attempt->resent && sasl_is_done(attempt->sasl);
    attempt->resent = attempt->resent || overlooked;
    return overlooked;
}

/* One challenge and its answer; the next reply is in *reply. What is not base64 says nothing: "+ go
 * ahead", "+ Username:". */
static int answer(struct attempt *attempt, bool held, struct reply *reply, struct err *err)
{
    char bytes[REPLY_LINE_MAX];
    struct str response = attempt->initial;
    long len = digest_unbase64(str_trim(reply->text), bytes, sizeof bytes);
    struct str challenge = str_of(bytes, len > 0 ? (size_t)len : 0);
    if (has_few_rounds(attempt, challenge)) {
        protocol_error(attempt,
                       "the server asks for fewer than 4096 rounds, which is unsafe without TLS; "
                       "set tls",
                       err);
        return cancel(attempt);
    }
    if (held && challenge.len > 0) {
        protocol_error(attempt, "the server sends a challenge where the mechanism has none", err);
        return cancel(attempt);
    }
    if (!held && !is_overlooked(attempt, challenge) &&
        sasl_step(attempt->sasl, challenge, &response, err) < 0) {
        err_prefix(err, "login at %s", attempt->who->server);
        return cancel(attempt);
    }
    return send_response(attempt, response, reply, err);
}

static int exchange(struct attempt *attempt, struct err *err)
{
    struct reply reply;
    bool held;
    if (send_auth(attempt, &held, &reply, err) < 0)
        return -1;
    for (int challenges = 0; reply.kind == REPLY_CONTINUE; challenges++) {
        if (challenges == LOGIN_CHALLENGES_MAX) {
            protocol_error(attempt, "the server sends challenges without end", err);
            return cancel(attempt);
        }
        if (answer(attempt, held, &reply, err) < 0)
            return -1;
        held = false;
    }
    if (reply.kind == REPLY_OK && (held || !sasl_is_done(attempt->sasl)))
        return protocol_error(
            attempt, "the server says +OK before it has proved its identity; it may be a fake",
            err);
    return judge(attempt, &reply, err);
}

static int check_token(const struct attempt *attempt, struct err *err)
{
    if (method_proof(str_from(attempt->method->name)) != METHOD_TOKEN)
        return 0;
    if (str_has_control(str_from(attempt->who->user)))
        return err_set(err, ERR_CONFIG, "user must be one line of text");
    if (!oauth_is_token(secret_str(attempt->who->secret)))
        return err_set(err, ERR_CONFIG,
                       "the token is empty or contains blanks or control bytes; token_command must "
                       "print the token alone");
    return 0;
}

static int login_sasl(struct attempt *attempt, struct err *err)
{
    unsigned char binding[SASL_BINDING_MAX];
    if (check_token(attempt, err) < 0)
        return -1;
    struct sasl_login login = sasl_login_of(attempt, binding);
    int rc = sasl_start(&attempt->sasl, &login, attempt->method->name, &attempt->initial, err);
    if (rc < 0)
        return err_prefix(err, "login at %s", attempt->who->server);
    attempt->has_initial = rc > 0;
    rc = exchange(attempt, err);
    sasl_end(attempt->sasl);
    attempt->sasl = NULL;
    return rc;
}

static int log_in(struct attempt *attempt, struct err *err)
{
    if (attempt->method->way == METHOD_SASL)
        return login_sasl(attempt, err);
    return attempt->method->way == METHOD_APOP ? login_apop(attempt, err)
                                               : login_user(attempt, err);
}

int login_try(struct pop3 *pop3, const struct method *method, const struct login_who *who,
              struct login_outcome *outcome, struct err *err)
{
    struct attempt attempt = {.pop3 = pop3, .who = who, .method = method, .outcome = outcome};
    struct log *log = pop3_log(pop3);
    *outcome = (struct login_outcome){.sent = false};
    if (log != NULL)
        log_hide(log, &attempt.sent);
    int result = log_in(&attempt, err);
    if (log != NULL)
        log_unhide(log, &attempt.sent);
    secret_wipe(&attempt.sent);
    return result;
}
