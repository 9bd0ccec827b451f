/* SPDX-License-Identifier: ISC */
/*
 * auth: which method is taken (a table), the messages of APOP and OAuth, libsasl2 behind its fence,
 * and whole exchanges with a scripted peer that notes every byte it got.
 */
#include "pop3/auth.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/xalloc.h"
#include "kit_heap.h"
#include "net/conn.h"
#include "pop3/method.h"
#include "pop3/oauth.h"
#include "pop3/sasl.h"
#include "tap.h"

/* --- which method --------------------------------------------------------------------------- */

static bool has_all(const char *mechanism)
{
    (void)mechanism;
    return true;
}

static bool has_no_scram(const char *mechanism)
{
    return strncmp(mechanism, "SCRAM", 5) != 0;
}

enum {
    TLS = 1,
    STAMP = 2,
    SECRET = 4,
    TOKEN = 8,
    CERTIFICATE = 16,
    NO_CAPA = 32,
    NO_SCRAM = 64,
    PINNED = 128
};

static const struct {
    int flags;
    const char *capa;   /* the lines of CAPA, "|" between */
    const char *wishes; /* blanks between */
    const char *want;
} choices[] = {
    /* auto, TLS, a password */
    {TLS | SECRET,
     "SASL PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 NTLM GSSAPI|USER", "auto",
     "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN USER DIGEST-MD5 CRAM-MD5"},
    {TLS | SECRET, "SASL SCRAM-SHA-512 SCRAM-SHA-256", "auto", "SCRAM-SHA-512 SCRAM-SHA-256"},
    {TLS | SECRET | NO_SCRAM, "SASL SCRAM-SHA-256 PLAIN", "auto", "PLAIN"},
    {TLS | SECRET, "USER", "auto", "USER"},
    {TLS | SECRET, "TOP", "auto", "USER"},
    {TLS | SECRET | NO_CAPA, "", "auto", "USER"},
    {TLS | SECRET | STAMP, "TOP", "auto", "USER"},
    {TLS | SECRET | STAMP, "SASL PLAIN", "auto", "PLAIN"},
    {TLS | SECRET, "SASL CRAM-MD5", "auto", "CRAM-MD5"},
    {TLS | SECRET, "SASL NTLM GSSAPI EXTERNAL ANONYMOUS XOAUTH2", "auto", "USER"},
    {TLS | SECRET, "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256", "auto", "SCRAM-SHA-256"},
    /* auto, no TLS: never in the clear */
    {SECRET, "SASL PLAIN LOGIN SCRAM-SHA-1 CRAM-MD5|USER", "auto", "SCRAM-SHA-1 CRAM-MD5"},
    {SECRET, "SASL PLAIN LOGIN|USER", "auto", ""},
    {SECRET | NO_CAPA, "", "auto", ""},
    {SECRET | STAMP | NO_CAPA, "", "auto", "APOP"},
    {SECRET | STAMP, "SASL PLAIN LOGIN|USER", "auto", "APOP"},
    {SECRET | STAMP, "SASL CRAM-MD5|USER", "auto", "CRAM-MD5"},
    {SECRET | TOKEN, "SASL XOAUTH2 OAUTHBEARER", "auto", ""},
    /* a token */
    {TLS | SECRET | TOKEN, "SASL PLAIN XOAUTH2 OAUTHBEARER|USER", "auto", "OAUTHBEARER XOAUTH2"},
    {TLS | SECRET | TOKEN, "SASL PLAIN|USER", "auto", ""},
    {TLS | SECRET | TOKEN, "SASL PLAIN", "plain", "PLAIN!"},
    /* no secret */
    {TLS, "SASL PLAIN GSSAPI EXTERNAL|USER", "auto", "GSSAPI"},
    {TLS | CERTIFICATE, "SASL PLAIN GSSAPI EXTERNAL|USER", "auto", "GSSAPI EXTERNAL"},
    {TLS, "SASL PLAIN|USER", "auto", ""},
    {TLS, "SASL PLAIN|USER", "user plain apop", ""},
    /* named */
    {TLS | SECRET, "SASL PLAIN LOGIN SCRAM-SHA-1|USER", "login Plain", "LOGIN! PLAIN!"},
    {SECRET, "SASL PLAIN|USER", "plain", "PLAIN!"},
    {SECRET, "SASL PLAIN", "user", "USER!"},
    {SECRET | NO_CAPA, "", "user", "USER!"},
    {SECRET | NO_CAPA, "", "cram-md5 user", "CRAM-MD5! USER!"},
    {SECRET, "USER", "cram-md5 user", "USER!"},
    {TLS | SECRET | STAMP, "SASL PLAIN", "apop", "APOP!"},
    {TLS | SECRET, "SASL PLAIN", "apop", ""},
    {TLS | PINNED | SECRET, "SASL SCRAM-SHA-256 PLAIN LOGIN|USER", "auto",
     "PLAIN SCRAM-SHA-256 LOGIN USER"},
    {TLS | PINNED | SECRET, "SASL SCRAM-SHA-256 LOGIN", "auto", "SCRAM-SHA-256 LOGIN"},
    {PINNED | SECRET, "SASL SCRAM-SHA-256 PLAIN", "auto", "SCRAM-SHA-256"},
    {TLS | PINNED | SECRET, "SASL PLAIN SCRAM-SHA-256", "scram-sha-256 plain",
     "SCRAM-SHA-256! PLAIN!"},
    {TLS | SECRET, "SASL NTLM", "ntlm", "NTLM!"},
    {TLS | SECRET, "SASL GSSAPI", "gssapi", "GSSAPI!"},
    {TLS | SECRET, "SASL EXTERNAL", "external", ""},
    {TLS | SECRET | CERTIFICATE, "SASL EXTERNAL", "external", "EXTERNAL!"},
    {TLS | SECRET, "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256", "scram-sha-256-plus",
     "SCRAM-SHA-256-PLUS!"},
    {SECRET, "SASL SCRAM-SHA-256-PLUS", "scram-sha-256-plus", ""},
    {TLS | SECRET, "SASL SCRAM-SHA-256", "scram-sha-256-plus", ""},
    {TLS | SECRET, "SASL PLAIN|USER", "user auto user", "USER! PLAIN"},
    {TLS | SECRET, "SASL PLAIN", "", ""},
    {TLS | SECRET, "SASL PLAIN", "a-name-that-is-far-too-long plain", "PLAIN!"},
};

/* Splits a copy of text at `at`; the list ends in NULL. */
static char *split(const char *text, char at, const char *list[16])
{
    char *copy = strdup(text);
    size_t n = 0;
    for (char *p = copy, *next; p != NULL && *p != '\0'; p = next) {
        next = strchr(p, at);
        if (next != NULL)
            *next++ = '\0';
        list[n++] = p;
    }
    list[n] = NULL;
    return copy;
}

static void describe(const struct method *list, size_t count, char *out, size_t cap)
{
    static const char *const ways[] = {"SASL", "USER", "APOP"};
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(out);
        snprintf(out + at, cap - at, "%s%s%s", i > 0 ? " " : "", list[i].name,
                 list[i].named ? "!" : "");
        if (list[i].way != METHOD_SASL && strcmp(ways[list[i].way], list[i].name) != 0)
            snprintf(out, cap, "wrong way for %s", list[i].name);
    }
}

static void test_choice(void)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        int flags = choices[i].flags;
        const char *lines[16], *wishes[16];
        char *capa_copy = split(choices[i].capa, '|', lines);
        char *wish_copy = split(choices[i].wishes, ' ', wishes);
        struct reply_capa capa;
        reply_capa_init(&capa);
        capa.known = !(flags & NO_CAPA);
        for (size_t k = 0; lines[k] != NULL; k++)
            reply_capa_line(&capa, str_from(lines[k]));
        struct method_question question = {
            .capa = &capa,
            .wishes = wishes,
            .secure = flags & TLS,
            .stamp = flags & STAMP,
            .secret = flags & SECRET,
            .token = flags & TOKEN,
            .pinned = flags & PINNED,
            .certificate = flags & CERTIFICATE,
            .has = flags & NO_SCRAM ? has_no_scram : has_all,
        };
        struct method list[METHODS_MAX];
        char got[256], name[256];
        describe(list, method_choose(&question, list), got, sizeof got);
        snprintf(name, sizeof name, "choice: %s%s%s, auth %s", choices[i].capa,
                 flags & TLS ? ", TLS" : "", flags & TOKEN ? ", token" : "", choices[i].wishes);
        is_str(got, choices[i].want, name);
        free(capa_copy);
        free(wish_copy);
    }
}

/* --- messages ------------------------------------------------------------------------------- */

static void test_oauth(void)
{
    struct buf message;
    static const char bearer[] = "n,a=a=2Cb=3Dc@x,\1host=pop.example.com\1port=995\1"
                                 "auth=Bearer tok.en\1\1";
    oauth_bearer(&message, str_from("a,b=c@x"), "pop.example.com", 995, str_from("tok.en"));
    is_mem(message.data, message.len, bearer, sizeof bearer - 1,
           "OAUTHBEARER's message has user, host, port and token");
    buf_free(&message);
    oauth_bearer(&message, str_from("u"), NULL, 0, str_from("t"));
    is_mem(message.data, message.len, "n,a=u,\1auth=Bearer t\1\1", 22,
           "without server and port OAUTHBEARER leaves them out");
    buf_free(&message);
    oauth_xoauth2(&message, str_from("a,b@x"), str_from("tok.en"));
    is_mem(message.data, message.len, "user=a,b@x\1auth=Bearer tok.en\1\1", 31,
           "XOAUTH2's message has user and token");
    buf_free(&message);

    ok(oauth_is_token(str_from("ya29.a0-_~+/=")), "a token may have all that RFC 6750 allows");
    ok(!oauth_is_token(str_from("")) && !oauth_is_token(str_from("a b")) &&
           !oauth_is_token(str_from("a\n")) && !oauth_is_token(str_from("a\1b")) &&
           !oauth_is_token(str_of("a\0b", 3)) && !oauth_is_token(str_from("\xc3\xa4")),
       "what is empty, or has blanks, controls or 8-bit octets, is not a token");
}

static void test_json(void)
{
    static const struct {
        const char *json, *field, *want;
    } rows[] = {
        {"{\"status\":\"invalid_token\",\"scope\":\"a b\"}", "status", "invalid_token"},
        {"{ \"status\" :\t\"400\" ,\n \"scope\" : \"https://x/\" }", "scope", "https://x/"},
        {"{\"a\":\"status\",\"b\":1,\"status\":\"x\"}", "status", "x"},
        {"{\"status\":400}", "status", ""},
        {"{\"a\":\"\\\"status\\\":\\\"no\\\"\",\"status\":\"yes\"}", "status", "yes"},
        {"{\"status\":\"a\\\"b\"}", "status", "a\\\"b"},
        {"{\"status\":\"never ends", "status", ""},
        {"{\"status\":\"\\", "status", ""},
        {"{\"status\"", "status", ""},
        {"{\"status", "status", ""},
        {"\"", "status", ""},
        {"", "status", ""},
        {"junk", "status", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* in memory of exactly its size */
        size_t len = strlen(rows[i].json);
        char *json = xmalloc(len > 0 ? len : 1);
        memcpy(json, rows[i].json, len);
        struct str got = oauth_field(str_of(json, len), rows[i].field);
        is_mem(got.ptr, got.len, rows[i].want, strlen(rows[i].want), rows[i].json);
        free(json);
    }
}

/* --- libsasl2 ------------------------------------------------------------------------------- */

static struct sasl_login login_with(const struct secret *secret)
{
    return (struct sasl_login){
        .server = "pop.example.com", .user = "alice", .secret = secret, .secure = true};
}

/* What a process that has asked for nothing else is told. */
static bool has_at_first(const char *mechanism)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(sasl_has(mechanism) ? 1 : 0);
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void test_kerberos_later(void)
{
    bool here = has_at_first("GSSAPI");
    if (!here)
        printf("# no Kerberos plugin here (Debian: libsasl2-modules-gssapi-mit)\n");
    ok(sasl_has("PLAIN"), "without Kerberos at first");
    is_int(sasl_has("GSSAPI"), here, "with it when it is asked for");
    is_int(sasl_has("GSSAPI"), here, "asking for GSSAPI again gives the same answer");
    ok(sasl_has("PLAIN") && sasl_has("SCRAM-SHA-256") && sasl_has("XOAUTH2"),
       "and all the others as before");
}

static void test_sasl_mechanisms(void)
{
    ok(sasl_has("PLAIN") && sasl_has("LOGIN") && sasl_has("CRAM-MD5") && sasl_has("DIGEST-MD5") &&
           sasl_has("SCRAM-SHA-256") && sasl_has("EXTERNAL"),
       "libsasl2 has its mechanisms (Debian: libsasl2-modules)");
    ok(sasl_has("XOAUTH2") && sasl_has("OAUTHBEARER"),
       "XOAUTH2 and OAUTHBEARER, our own plugins, are there");
    ok(sasl_has("SCRAM-SHA-256-PLUS") && !sasl_has("PLAIN-PLUS"),
       "-PLUS needs a mechanism that can bind a channel");
    ok(!sasl_has("NO-SUCH") && !sasl_has("") && !sasl_has("-PLUS"), "unknown names are not there");
}

/* Starts and ends one attempt. */
static bool starts(const struct sasl_login *login, const char *mechanism, struct err *err)
{
    struct sasl *sasl = NULL;
    struct str out;
    bool started = sasl_start(&sasl, login, mechanism, &out, err) >= 0;
    sasl_end(sasl);
    return started;
}

static void test_sasl_plain(void)
{
    struct secret secret = {NULL, 0};
    struct sasl *sasl = NULL;
    struct str out;
    struct err err;
    secret_set(&secret, str_from("sesame"));
    struct sasl_login login = login_with(&secret);
    ok(sasl_start(&sasl, &login, "PLAIN", &out, &err) == 1,
       "PLAIN starts with an initial response");
    is_mem(out.ptr, out.len, "\0alice\0sesame", 13, "PLAIN says it all at once");
    ok(sasl_is_done(sasl), "PLAIN is done after its first message");
    ok(sasl_step(sasl, str_from("x"), &out, &err) < 0 && err.kind == ERR_LOGIN,
       "a challenge after the end is an error");
    sasl_end(sasl);
    secret_wipe(&secret);
}

static void test_sasl_identity(void)
{
    struct secret secret = {NULL, 0};
    struct sasl *sasl = NULL;
    struct str out;
    struct err err;
    secret_set(&secret, str_from("sesame"));
    struct sasl_login login = login_with(&secret);
    login.identity = "bob"; /* RFC 4616 section 2 */
    ok(sasl_start(&sasl, &login, "PLAIN", &out, &err) == 1, "PLAIN for another one");
    is_mem(out.ptr, out.len, "bob\0alice\0sesame", 16, "names whom to act as");
    sasl_end(sasl);
    ok(sasl_start(&sasl, &login, "OAUTHBEARER", &out, &err) == 1 && out.len > 8,
       "OAUTHBEARER for another one");
    is_mem(out.ptr, 8, "n,a=bob,", 8, "names it in its header");
    sasl_end(sasl);
    secret_wipe(&secret);
}

static void test_sasl_without_tls(void)
{
    struct secret secret = {NULL, 0};
    struct err err;
    secret_set(&secret, str_from("sesame"));
    struct sasl_login login = login_with(&secret);
    login.secure = false;
    ok(!starts(&login, "PLAIN", &err), "without TLS PLAIN does not start");
    is_int(err.kind, ERR_LOGIN, "and the error is about logging in");
    ok(!starts(&login, "XOAUTH2", &err), "without TLS no token is sent");
    login.allow_plaintext = true;
    ok(starts(&login, "PLAIN", &err), "without TLS PLAIN starts if the configuration names it");
    secret_wipe(&secret);
}

static void test_sasl_needs(void)
{
    struct secret secret = {NULL, 0};
    struct sasl *sasl = NULL;
    struct str out;
    struct err err;
    struct sasl_login login = login_with(NULL);
    ok(!starts(&login, "PLAIN", &err), "without a password PLAIN does not start");
    ok(!starts(&login, "EXTERNAL", &err), "without a certificate EXTERNAL does not start");
    login.client_certificate = true;
    ok(sasl_start(&sasl, &login, "EXTERNAL", &out, &err) == 1 && out.len == 0 && sasl_is_done(sasl),
       "EXTERNAL has an empty initial response");
    sasl_end(sasl);
    sasl_end(NULL);
    secret_set(&secret, str_from("sesame"));
    login = login_with(&secret);
    ok(!starts(&login, "ANONYMOUS", &err), "ANONYMOUS is never started");
    secret_wipe(&secret);
}

/* A challenge of DIGEST-MD5 that is honest, however long its words are, is answered. */
static void exchange_digest_md5(const char *what, const char *challenge, const char *realm)
{
    struct secret secret = {NULL, 0};
    struct sasl *sasl = NULL;
    struct str out = {NULL, 0};
    struct err err = {ERR_NONE, ""};
    secret_set(&secret, str_from("sesame"));
    struct sasl_login login = login_with(&secret);
    ok(sasl_start(&sasl, &login, "DIGEST-MD5", &out, &err) == 0,
       "DIGEST-MD5 starts without an initial response");
    ok(sasl_step(sasl, str_from(challenge), &out, &err) == 0, "%s: %s", what, err.text);
    char *text = xmemdup0(out.ptr, out.len), *want = xasprintf("realm=\"%s\"", realm);
    ok(strstr(text, want) != NULL, "%s: %s", what, text);
    free(text);
    free(want);
    sasl_end(sasl);
    secret_wipe(&secret);
}

static void test_digest_md5(void)
{
    char name[251], nonce[401];
    memset(name, 'r', sizeof name - 1);
    memset(nonce, 'n', sizeof nonce - 1);
    name[sizeof name - 1] = nonce[sizeof nonce - 1] = '\0';
    exchange_digest_md5(
        "as Dovecot has it",
        "realm=\"\",nonce=\"bT3Zr0PAsRhGSVtwXUq1dQ==\",qop=\"auth\",charset=\"utf-8\","
        "algorithm=\"md5-sess\"",
        "");
    exchange_digest_md5(
        "as Cyrus has it",
        "nonce=\"sJ5kQCQm2UvI1ZIh0QMIBLkzZr3jTqlPHlyU9ilZ1dU=\",realm=\"pop.example.com\","
        "qop=\"auth,auth-int,auth-conf\",cipher=\"rc4-40,rc4-56,rc4,des,3des\","
        "maxbuf=4096,charset=utf-8,algorithm=md5-sess",
        "pop.example.com");
    exchange_digest_md5(
        "a realm of several words, with a comma and an umlaut",
        "realm=\"The Mail of K\xc3\xb6nig, Sons and Daughters = one house\",nonce=\"x\","
        "qop=\"auth\",charset=utf-8,algorithm=md5-sess",
        "The Mail of K\xc3\xb6nig, Sons and Daughters = one house");
    char *text = xasprintf("realm=\"%s\", nonce=\"%s\", qop=\"auth\", maxbuf=\"65536\",\r\n\t"
                           "algorithm=md5-sess, more=\"%s\"",
                           name, nonce, nonce);
    exchange_digest_md5("long words, folded lines", text, name);
    free(text);
}

/* The head of SCRAM's first message says what we think of channel binding (RFC 5802 section 7). */
static void test_binding(void)
{
    static const struct {
        const char *mechanism;
        bool binding, offered;
        const char *want; /* NULL: cannot start */
    } rows[] = {
        {"SCRAM-SHA-256", false, false, "n,,"},
        {"SCRAM-SHA-256", false, true, "n,,"},
        {"SCRAM-SHA-256", true, false, "y,,"},
        {"SCRAM-SHA-256", true, true, "n,,"},
        {"SCRAM-SHA-256-PLUS", true, true, "p=tls-exporter,,"},
        {"SCRAM-SHA-256-PLUS", false, true, NULL},
    };
    struct secret secret = {NULL, 0};
    secret_set(&secret, str_from("sesame"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sasl_login login = login_with(&secret);
        struct sasl *sasl;
        struct str out;
        struct err err;
        login.server_offers_plus = rows[i].offered;
        if (rows[i].binding) {
            login.binding_type = "tls-exporter";
            login.binding = (const unsigned char *)"0123456789abcdef0123456789abcdef";
            login.binding_len = 32;
        }
        int rc = sasl_start(&sasl, &login, rows[i].mechanism, &out, &err);
        if (rows[i].want == NULL) {
            ok(rc < 0, "binding %zu: cannot start", i);
            continue;
        }
        ok(rc == 1 && str_has_prefix(out, rows[i].want) && !sasl_is_done(sasl),
           "binding %zu: %s %s", i, rows[i].mechanism, rows[i].want);
        sasl_end(sasl);
    }
    secret_wipe(&secret);
}

/* --- whole exchanges ------------------------------------------------------------------------ */

#define SECRET_TEXT "tanstaaftanstaaf"
#define GREETING "+OK <1896.697170952@postoffice.reston.mci.net>\r\n"

/* A conversation: the greeting, then a reply to each line that comes; NULL: hang up. */
struct talk {
    const char *name;
    const char *capa; /* "" for a server without CAPA, else its lines */
    const char *auth; /* wishes */
    const char *replies[20];
    const char *sent; /* all that the peer got, after CAPA; NULL: looked at elsewhere */
    enum err_kind kind;
    const char *words; /* in the error */
    bool token;
    const char *secret; /* NULL: SECRET_TEXT */
};

struct outcome {
    bool token_refused;
    int rc;
    struct err err;
    char sent[65536];
    size_t sent_len;
    char log[65536];
    size_t log_len;
};

static void hear(void *ctx, enum log_level level, const char *line)
{
    struct outcome *outcome = ctx;
    (void)level;
    int n = snprintf(outcome->log + outcome->log_len, sizeof outcome->log - outcome->log_len,
                     "%s\n", line);
    outcome->log_len += (size_t)n;
}

static bool peer_line(int fd, char *line, size_t cap, size_t *len)
{
    *len = 0;
    while (*len < cap) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 10000) != 1 || read(fd, line + *len, 1) != 1)
            return false;
        if (line[(*len)++] == '\n')
            return true;
    }
    return false;
}

static void peer_say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        _exit(1);
}

/* The server: whatever it got goes into the pipe as well. */
static void peer(const struct talk *talk, int fd, int notes)
{
    static char line[65536];
    size_t len, next = 0;
    peer_say(fd, GREETING);
    while (peer_line(fd, line, sizeof line, &len)) {
        if (len == 6 && memcmp(line, "CAPA\r\n", 6) == 0) {
            peer_say(fd, talk->capa[0] == '\0' ? "-ERR what\r\n" : "+OK\r\n");
            peer_say(fd, talk->capa);
            peer_say(fd, talk->capa[0] == '\0' ? "" : ".\r\n");
            continue;
        }
        if (write(notes, line, len) != (ssize_t)len || talk->replies[next] == NULL)
            break;
        peer_say(fd, talk->replies[next++]);
    }
    _exit(0);
}

static int log_in(const struct talk *talk, int fd, struct outcome *outcome)
{
    struct log log = {.level = FP_LOG_TRACE, .write = hear, .ctx = outcome};
    struct pop3 *pop3 = pop3_new(conn_new(fd, "pop.example.com", 10000, clock_in(20000)), &log);
    struct secret secret = {NULL, 0};
    const char *wishes[16];
    char *copy = split(talk->auth, ' ', wishes);
    secret_set(&secret, str_from(talk->secret != NULL ? talk->secret : SECRET_TEXT));
    log_hide(&log, &secret);
    struct auth_options options = {.who = {.server = "pop.example.com",
                                           .user = "tim",
                                           .secret = &secret,
                                           .is_token = talk->token,
                                           .port = 995},
                                   .methods = wishes,
                                   .token_refused = &outcome->token_refused};
    int rc = -1;
    if (pop3_greeting(pop3, &outcome->err) == 0 && pop3_capa(pop3, &outcome->err) == 0)
        rc = auth_login(pop3, &options, &outcome->err);
    ok(log.hidden[0] == &secret && log.hidden[1] == NULL,
       "%s: no secret of the login's own stays registered", talk->name);
    pop3_free(pop3);
    secret_wipe(&secret);
    free(copy);
    return rc;
}

static void converse(const struct talk *talk, struct outcome *outcome)
{
    int pair[2], notes[2];
    memset(outcome, 0, sizeof *outcome);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || pipe(notes) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        close(notes[0]);
        peer(talk, pair[1], notes[1]);
    }
    close(pair[1]);
    close(notes[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    outcome->rc = log_in(talk, pair[0], outcome);
    ssize_t n;
    while ((n = read(notes[0], outcome->sent + outcome->sent_len,
                     sizeof outcome->sent - 1 - outcome->sent_len)) > 0)
        outcome->sent_len += (size_t)n;
    close(notes[0]);
    waitpid(child, NULL, 0);
}

/* The secret itself, or any of what went out with it in it, must be in nothing a person sees. */
static bool is_told(const struct outcome *outcome, const char *secret)
{
    return strstr(outcome->log, secret) != NULL ||
           (outcome->rc != 0 && strstr(outcome->err.text, secret) != NULL);
}

#define HELD "AHRpbQB0YW5zdGFhZnRhbnN0YWFm" /* \0tim\0tanstaaftanstaaf */
#define CRAM "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
#define JSON "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJtYWlsIn0="
#define BEARER                                                                                     \
    "bixhPXRpbSwBaG9zdD1wb3AuZXhhbXBsZS5jb20BcG9ydD05OTUBYXV0aD1CZWFyZXIgdG9rZW4uMTIzAQE="
#define ASKS "+ \r\n", "+ \r\n", "+ \r\n", "+ \r\n"

static const struct talk talks[] = {
    {"USER",
     "",
     "user",
     {"+OK\r\n", "+OK in\r\n"},
     "USER tim\r\nPASS " SECRET_TEXT "\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"USER, bare answers after blank lines",
     "",
     "user",
     {"\r\n\r\n+OK\r\n", "\r\n+OK\r\n"},
     "USER tim\r\nPASS " SECRET_TEXT "\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"wrong password, echoed",
     "",
     "user",
     {"+OK\r\n", "-ERR bad \"" SECRET_TEXT "\" \033[2J\r\n"},
     "USER tim\r\nPASS " SECRET_TEXT "\r\n",
     ERR_LOGIN_REFUSED,
     "login refused by pop.example.com: \"bad \"***\" \033[2J\"; check user and password",
     false,
     NULL},
    {"refused without a word",
     "",
     "user",
     {"+OK\r\n", "-ERR\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "login refused by pop.example.com; check user and password",
     false,
     NULL},
    {"unknown user",
     "",
     "user",
     {"-ERR no such user\r\n"},
     "USER tim\r\n",
     ERR_LOGIN_REFUSED,
     "no such user",
     false,
     NULL},
    {"USER answered with +",
     "",
     "user",
     {"+ go on\r\n"},
     "USER tim\r\n",
     ERR_PROTOCOL,
     "",
     false,
     NULL},
    {"junk to PASS", "", "user", {"+OK\r\n", "hello\r\n"}, NULL, ERR_FRAMING, "", false, NULL},
    {"in use",
     "",
     "user",
     {"+OK\r\n", "-ERR [IN-USE] locked\r\n"},
     NULL,
     ERR_AGAIN,
     "locked",
     false,
     NULL},
    {"in use, by words",
     "",
     "user",
     {"+OK\r\n", "-ERR maildrop already locked\r\n"},
     NULL,
     ERR_AGAIN,
     "already locked",
     false,
     NULL},
    {"for now",
     "",
     "user",
     {"+OK\r\n", "-ERR [SYS/TEMP] oops\r\n"},
     NULL,
     ERR_AGAIN,
     "oops",
     false,
     NULL},
    {"too often",
     "",
     "user",
     {"+OK\r\n", "-ERR [LOGIN-DELAY] wait\r\n"},
     NULL,
     ERR_DELAY,
     "wait",
     false,
     NULL},
    {"for good",
     "",
     "user",
     {"+OK\r\n", "-ERR [SYS/PERM] gone\r\n"},
     NULL,
     ERR_REFUSED,
     "gone",
     false,
     NULL},
    {"[AUTH]",
     "",
     "user",
     {"+OK\r\n", "-ERR [AUTH] locked, try again later\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "check user and password",
     false,
     NULL},
    {"app password",
     "",
     "user",
     {"+OK\r\n", "-ERR Application-specific password required\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "make an app password",
     false,
     NULL},
    {"hangs up after PASS",
     "",
     "user",
     {"+OK\r\n"},
     "USER tim\r\nPASS " SECRET_TEXT "\r\n",
     ERR_CLOSED,
     "some servers hang up on a wrong password",
     false,
     NULL},
    {"hangs up after USER", "", "user", {NULL}, "USER tim\r\n", ERR_CLOSED, "closed", false, NULL},
    {"no TLS, nothing named",
     "SASL PLAIN LOGIN\r\nUSER\r\n",
     "auto",
     {NULL},
     "APOP tim d16ff9ac2a65d209022d7eb541ecf24d\r\n",
     ERR_CLOSED,
     "hang up",
     false,
     NULL},
    {"a proof echoed",
     "",
     "apop",
     {"-ERR APOP tim d16ff9ac2a65d209022d7eb541ecf24d: no\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "login refused by pop.example.com: \"***",
     false,
     NULL},
    {"a password too short to be blanked by itself",
     "",
     "user",
     {"+OK\r\n", "-ERR no\r\n"},
     "USER tim\r\nPASS x%y\r\n",
     ERR_LOGIN_REFUSED,
     "refused",
     false,
     "x%y"},
    {"no TLS, a token", "SASL XOAUTH2\r\n", "auto", {NULL}, "", ERR_LOGIN, "XOAUTH2", true, NULL},
    {"not offered",
     "SASL PLAIN\r\n",
     "scram-sha-256",
     {NULL},
     "",
     ERR_LOGIN,
     "it offers \"PLAIN APOP\", auth is \"scram-sha-256\"",
     false,
     NULL},
    {"PASS cannot carry it", "", "user", {NULL}, "", ERR_CONFIG, "line end", false, "a\r\nDELE 1"},
    {"local failure gives way",
     "SASL PLAIN\r\n",
     "user plain",
     {"+OK\r\n"},
     "AUTH PLAIN AHRpbQBhCmI=\r\n",
     ERR_NONE,
     "",
     false,
     "a\nb"},
    {"APOP",
     "",
     "apop",
     {"+OK\r\n"},
     "APOP tim d16ff9ac2a65d209022d7eb541ecf24d\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"APOP refused",
     "SASL PLAIN\r\n",
     "apop plain",
     {"-ERR no\r\n"},
     "APOP tim d16ff9ac2a65d209022d7eb541ecf24d\r\n",
     ERR_LOGIN_REFUSED,
     "refused",
     false,
     NULL},
    {"PLAIN",
     "SASL PLAIN\r\n",
     "plain",
     {"+OK\r\n"},
     "AUTH PLAIN " HELD "\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"PLAIN echoed",
     "SASL PLAIN\r\n",
     "plain user",
     {"-ERR AUTH PLAIN " HELD " no\r\n"},
     "AUTH PLAIN " HELD "\r\n",
     ERR_LOGIN_REFUSED,
     "login refused by pop.example.com: \"",
     false,
     NULL},
    {"PLAIN asked on",
     "SASL PLAIN\r\n",
     "plain",
     {"+ \r\n", "+ \r\n", "-ERR gone\r\n"},
     "AUTH PLAIN " HELD "\r\n" HELD "\r\n*\r\n",
     ERR_LOGIN,
     "sends a challenge after the end",
     false,
     NULL},
    {"LOGIN",
     "SASL LOGIN\r\n",
     "login",
     {"+ VXNlcm5hbWU6\r\n", "+ UGFzc3dvcmQ6\r\n", "+OK\r\n"},
     "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWZ0YW5zdGFhZg==\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"LOGIN, +OK too early",
     "SASL LOGIN\r\n",
     "login",
     {"+ VXNlcm5hbWU6\r\n", "+OK\r\n"},
     "AUTH LOGIN\r\ndGlt\r\n",
     ERR_LOGIN,
     "+OK before",
     false,
     NULL},
    {"CRAM-MD5 (RFC 2195)",
     "SASL CRAM-MD5\r\n",
     "auto",
     {"+ " CRAM "\r\n", "+OK\r\n"},
     "AUTH CRAM-MD5\r\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n",
     ERR_NONE,
     "",
     false,
     NULL},
    {"CRAM-MD5, asked for what it has not got",
     "SASL CRAM-MD5\r\n",
     "auto",
     {"+ " CRAM "\r\n", "+ \r\n", "-ERR cancelled\r\n"},
     "AUTH CRAM-MD5\r\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n*\r\n",
     ERR_LOGIN,
     "after",
     false,
     NULL},
    {"CRAM-MD5, hangs up",
     "SASL CRAM-MD5\r\n",
     "auto",
     {"+ " CRAM "\r\n"},
     NULL,
     ERR_CLOSED,
     "some servers hang up",
     false,
     NULL},
    {"CRAM-MD5, +OK at once",
     "SASL CRAM-MD5\r\n",
     "auto",
     {"+OK\r\n"},
     "AUTH CRAM-MD5\r\n",
     ERR_LOGIN,
     "+OK before",
     false,
     NULL},
    {"challenge not base64",
     "SASL CRAM-MD5\r\n",
     "auto",
     {"+ !\033[2J\r\n", "-ERR\r\n"},
     "AUTH CRAM-MD5\r\ndGltIGJhMDAxNjU5MWQ2MTI2NjIzNDhiMjBiY2Q3ZjQ0Mzlh\r\n",
     ERR_LOGIN_REFUSED,
     "login refused",
     false,
     NULL},
    {"refused, no other way is tried",
     "SASL CRAM-MD5 PLAIN\r\n",
     "cram-md5 plain user",
     {"-ERR no\r\n"},
     "AUTH CRAM-MD5\r\n",
     ERR_LOGIN_REFUSED,
     "refused",
     false,
     NULL},
    {"SCRAM, server knows nothing",
     "SASL SCRAM-SHA-256\r\n",
     "auto",
     {"+ cj1mYWtlLHM9c2FsdCxpPTQwOTY=\r\n", "-ERR\r\n"},
     NULL,
     ERR_LOGIN,
     "SCRAM-SHA-256",
     false,
     NULL},
    {"SCRAM, +OK at once",
     "SASL SCRAM-SHA-256\r\n",
     "auto",
     {"+OK\r\n"},
     NULL,
     ERR_LOGIN,
     "+OK before",
     false,
     NULL},
    {"XOAUTH2 in two steps",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+ \r\n", "+OK\r\n"},
     "AUTH XOAUTH2\r\ndXNlcj10aW0BYXV0aD1CZWFyZXIgdG9rZW4uMTIzAQE=\r\n",
     ERR_NONE,
     "",
     true,
     "token.123"},
    {"OAUTHBEARER in two steps",
     "SASL OAUTHBEARER\r\n",
     "oauthbearer",
     {"+\r\n", "+OK\r\n"},
     "AUTH OAUTHBEARER\r\n" BEARER "\r\n",
     ERR_NONE,
     "",
     true,
     "token.123"},
    {"OAUTHBEARER refused",
     "SASL OAUTHBEARER\r\n",
     "oauthbearer",
     {"+ \r\n", "+ " JSON "\r\n", "-ERR no\r\n"},
     "AUTH OAUTHBEARER\r\n" BEARER "\r\nAQ==\r\n",
     ERR_LOGIN_REFUSED,
     "\"no\" (status \"invalid_token\", scope \"mail\"); check user and token",
     true,
     "token.123"},
    {"XOAUTH2 refused",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+ \r\n", "+ " JSON "\r\n", "-ERR no\r\n"},
     "AUTH XOAUTH2\r\ndXNlcj10aW0BYXV0aD1CZWFyZXIgdG9rZW4uMTIzAQE=\r\n\r\n",
     ERR_LOGIN_REFUSED,
     "status \"invalid_token\"",
     true,
     "token.123"},
    {"XOAUTH2 refused, then +OK",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+ \r\n", "+ " JSON "\r\n", "+OK\r\n"},
     NULL,
     ERR_LOGIN,
     "+OK before",
     true,
     "token.123"},
    {"XOAUTH2 asked on",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+ \r\n", "+ " JSON "\r\n", "+ " JSON "\r\n", "-ERR\r\n"},
     NULL,
     ERR_LOGIN,
     "sends a challenge after the end",
     true,
     "token.123"},
    {"XOAUTH2, +OK before the token",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+OK\r\n"},
     "AUTH XOAUTH2\r\n",
     ERR_LOGIN,
     "+OK before",
     true,
     "token.123"},
    {"XOAUTH2, a challenge before the token",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {"+ " JSON "\r\n", "-ERR\r\n"},
     "AUTH XOAUTH2\r\n*\r\n",
     ERR_LOGIN,
     "challenge",
     true,
     "token.123"},
    {"a token with a line end",
     "SASL XOAUTH2\r\n",
     "xoauth2",
     {NULL},
     "",
     ERR_CONFIG,
     "the token alone",
     true,
     "token.123\n"},
    {"wrong, by words",
     "",
     "user",
     {"+OK\r\n", "-ERR Password incorrect\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "check user and password",
     false,
     NULL},
    {"wrong, by another word",
     "",
     "user",
     {"+OK\r\n", "-ERR authorization failed\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "check user and password",
     false,
     NULL},
    {"gibberish",
     "",
     "user",
     {"+OK\r\n", "-ERR qwertz\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "qwertz",
     false,
     NULL},
    {"no words",
     "",
     "user",
     {"+OK\r\n", "-ERR\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "check user and password",
     false,
     NULL},
    {"a code nobody knows",
     "",
     "user",
     {"+OK\r\n", "-ERR [FULL] login failed\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "login failed",
     false,
     NULL},
    {"trouble of its own",
     "",
     "user",
     {"+OK\r\n", "-ERR login failed: internal error\r\n"},
     NULL,
     ERR_AGAIN,
     "internal error",
     false,
     NULL},
    {"try later",
     "",
     "user",
     {"+OK\r\n", "-ERR login failed, try again later\r\n"},
     NULL,
     ERR_AGAIN,
     "temporary failure",
     false,
     NULL},
    {"try later, with a code",
     "",
     "user",
     {"+OK\r\n", "-ERR [SYS/TEMP] authentication failed\r\n"},
     NULL,
     ERR_AGAIN,
     "temporary failure",
     false,
     NULL},
    {"locked and not the person",
     "",
     "user",
     {"+OK\r\n", "-ERR login failed: mailbox locked\r\n"},
     NULL,
     ERR_AGAIN,
     "in use",
     false,
     NULL},
    {"too soon, by words",
     "",
     "user",
     {"+OK\r\n", "-ERR login too often\r\n"},
     NULL,
     ERR_DELAY,
     "too soon after the last login",
     false,
     NULL},
    {"for good, with words",
     "",
     "user",
     {"+OK\r\n", "-ERR [SYS/PERM] user invalid\r\n"},
     NULL,
     ERR_REFUSED,
     "refused for good",
     false,
     NULL},
    {"POP is off",
     "",
     "user",
     {"+OK\r\n", "-ERR [AUTH] Your account is not enabled for POP access\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "switch POP on",
     false,
     NULL},
    {"user unknown, and no secret went out",
     "",
     "user",
     {"-ERR [AUTH] invalid user\r\n"},
     "USER tim\r\n",
     ERR_LOGIN_REFUSED,
     "invalid user",
     false,
     NULL},
    {"APOP, wrong",
     "",
     "apop",
     {"-ERR permission denied\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "denied",
     false,
     NULL},
    {"PLAIN, wrong",
     "SASL PLAIN\r\n",
     "plain",
     {"-ERR [AUTH] no\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "no",
     false,
     NULL},
    {"CRAM-MD5, not even begun",
     "SASL CRAM-MD5\r\n",
     "cram-md5",
     {"-ERR [AUTH] failed\r\n"},
     NULL,
     ERR_LOGIN_REFUSED,
     "failed",
     false,
     NULL},
    {"CRAM-MD5, wrong",
     "SASL CRAM-MD5\r\n",
     "cram-md5",
     {"+ " CRAM "\r\n", "-ERR invalid\r\n"},
     NULL,
     ERR_PASSWORD_REFUSED,
     "invalid",
     false,
     NULL},
    {"LOGIN without end",
     "SASL LOGIN\r\n",
     "login",
     {ASKS, ASKS, ASKS, ASKS, "+ \r\n", "-ERR\r\n"},
     NULL,
     ERR_LOGIN,
     "",
     false,
     NULL},
};

static void test_talks(void)
{
    static struct outcome outcome;
    for (size_t i = 0; i < sizeof talks / sizeof talks[0]; i++) {
        const struct talk *talk = &talks[i];
        converse(talk, &outcome);
        bool good = talk->kind == ERR_NONE ? outcome.rc == 0
                                           : outcome.rc != 0 && outcome.err.kind == talk->kind &&
                                                 strstr(outcome.err.text, talk->words) != NULL;
        if (!ok(good, "%s: ends as it should", talk->name))
            printf("# rc %d, kind %d, \"%s\"\n", outcome.rc, outcome.err.kind, outcome.err.text);
        if (talk->kind == ERR_CLOSED) {
            ok((strstr(outcome.err.text, "hang up") != NULL) ==
                   (strstr(talk->words, "hang up") != NULL),
               "%s: is it the password", talk->name);
        }
        if (talk->sent != NULL)
            is_mem(outcome.sent, outcome.sent_len, talk->sent, strlen(talk->sent), talk->name);
        ok(!is_told(&outcome, talk->secret != NULL ? talk->secret : SECRET_TEXT) &&
               !is_told(&outcome, HELD) && !is_told(&outcome, "dGFuc3RhYWZ0YW5zdGFhZg") &&
               !is_told(&outcome, "dG9rZW4uMTIz") && !is_told(&outcome, "d16ff9ac"),
           "%s: nothing is told", talk->name);
    }
}

/* RFC 5034: with its initial response the line has 255 octets at most, CRLF included. */
static void test_lengths(void)
{
    static struct outcome outcome;
    char secret[300];
    for (size_t len = 170; len <= 185; len++) {
        memset(secret, 'x', len);
        secret[len] = '\0';
        size_t whole = strlen("AUTH PLAIN ") + 4 * ((len + 5 + 2) / 3) + 2;
        struct talk talk = {.name = "long password",
                            .capa = "SASL PLAIN\r\n",
                            .auth = "plain",
                            .replies = {whole <= 255 ? "+OK\r\n" : "+ \r\n", "+OK\r\n"},
                            .secret = secret};
        converse(&talk, &outcome);
        const char *lf = memchr(outcome.sent, '\n', outcome.sent_len);
        size_t first = lf != NULL ? (size_t)(lf - outcome.sent) + 1 : 0;
        ok(outcome.rc == 0 && first == (whole <= 255 ? whole : strlen("AUTH PLAIN\r\n")),
           "PLAIN with %zu octets: %zu", len, first);
    }
    static char token[9000];
    memset(token, 't', sizeof token - 1);
    struct talk talk = {.name = "a token of 9 kB",
                        .capa = "SASL XOAUTH2\r\n",
                        .auth = "xoauth2",
                        .replies = {"+ \r\n", "+OK\r\n"},
                        .secret = token,
                        .token = true};
    converse(&talk, &outcome);
    size_t message = 5 + 3 + 1 + 12 + sizeof token - 1 + 2;
    is_int((long long)outcome.sent_len, 14 + 4 * ((long long)(message + 2) / 3) + 2,
           "a token of 9 kB goes out whole");
    is_int(outcome.rc, 0, "and logs in");
}

#define XOAUTH2_TALK                                                                               \
    .capa = "SASL XOAUTH2\r\n", .auth = "xoauth2", .secret = "token.123", .token = true

/* Only a token that the server saw and refused is worth another one. */
static void test_refusals(void)
{
    static const struct {
        struct talk talk;
        bool refused;
    } rows[] = {
        {{.name = "refused", XOAUTH2_TALK, .replies = {"+ \r\n", "-ERR no\r\n"}}, true},
        {{.name = "refused with [AUTH]", XOAUTH2_TALK, .replies = {"+ \r\n", "-ERR [AUTH] no\r\n"}},
         true},
        {{.name = "refused after its JSON",
          .capa = "SASL OAUTHBEARER\r\n",
          .auth = "auto",
          .replies = {"+ \r\n", "+ " JSON "\r\n", "-ERR no\r\n"},
          .secret = "token.123",
          .token = true},
         false /* no TLS: auto sends no token */},
        {{.name = "in use", XOAUTH2_TALK, .replies = {"+ \r\n", "-ERR [IN-USE] later\r\n"}}, false},
        {{.name = "the mechanism refused", XOAUTH2_TALK, .replies = {"-ERR what\r\n"}}, false},
        {{.name = "hung up", XOAUTH2_TALK, .replies = {"+ \r\n"}}, false},
        {{.name = "taken", XOAUTH2_TALK, .replies = {"+ \r\n", "+OK\r\n"}}, false},
        {{.name = "a password refused",
          .capa = "SASL PLAIN\r\n",
          .auth = "plain",
          .replies = {"-ERR no\r\n"}},
         false},
    };
    static struct outcome outcome;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        converse(&rows[i].talk, &outcome);
        ok(outcome.token_refused == rows[i].refused, "%s: is it the token", rows[i].talk.name);
    }
}

/* Neither we nor libsasl2 and its plugins leave the password in freed memory. */
static void test_wiped(void)
{
    static const struct talk ways[] = {
        {.name = "USER", .capa = "", .auth = "user", .replies = {"+OK\r\n", "-ERR no\r\n"}},
        {.name = "PLAIN", .capa = "SASL PLAIN\r\n", .auth = "plain", .replies = {"-ERR no\r\n"}},
        {.name = "LOGIN",
         .capa = "SASL LOGIN\r\n",
         .auth = "login",
         .replies = {"+ VXNlcm5hbWU6\r\n", "+ UGFzc3dvcmQ6\r\n", "-ERR no\r\n"}},
        {.name = "CRAM-MD5",
         .capa = "SASL CRAM-MD5\r\n",
         .auth = "cram-md5",
         .replies = {"+ " CRAM "\r\n", "-ERR no\r\n"}},
        {.name = "SCRAM-SHA-256",
         .capa = "SASL SCRAM-SHA-256\r\n",
         .auth = "auto",
         .replies = {"+ cj1mYWtlLHM9c2FsdCxpPTQwOTY=\r\n", "-ERR\r\n"}},
        {.name = "XOAUTH2",
         .capa = "SASL XOAUTH2\r\n",
         .auth = "xoauth2",
         .replies = {"+ \r\n", "-ERR no\r\n"},
         .token = true},
    };
    static struct outcome outcome;
    static char word[80];
    heap_secret("0981-yreve-nekorb-5-sdeewaes-4-edoc-3-llew-os-tpek-2", word);
    for (size_t i = 0; heap_can_tell && i < sizeof ways / sizeof ways[0]; i++) {
        struct talk talk = ways[i];
        talk.secret = word;
        converse(&talk, &outcome);
        ok(outcome.rc != 0 && outcome.sent_len > 0, "%s: it was used", talk.name);
        is_int(heap_count(word), 0, "and is not left on the heap");
    }
}

int main(void)
{
    test_choice();
    test_oauth();
    test_json();
    if (sasl_has("PLAIN")) {
        test_kerberos_later();
        test_sasl_mechanisms();
        test_sasl_plain();
        test_sasl_identity();
        test_sasl_without_tls();
        test_sasl_needs();
        test_digest_md5();
        test_binding();
        test_talks();
        test_lengths();
        test_refusals();
        test_wiped();
    } else {
        tap_skip("logins through libsasl2", "its plugins are not here (Debian: libsasl2-modules)");
    }
    return tap_done();
}
