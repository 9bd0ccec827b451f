/* SPDX-License-Identifier: ISC */
/*
 * reply: what a server says in lines, by tables.
 */
#include "pop3/reply.h"

#include <stdlib.h>

#include "tap.h"

/* A str in a table; literals may hold NUL. */
#define S(text)                                                                                    \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static bool same(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* A copy in memory of exactly its size, so that a sanitizer sees every step beyond it. */
static struct str fenced(struct str a, void **keep)
{
    *keep = malloc(a.len > 0 ? a.len : 1);
    if (*keep == NULL)
        abort();
    if (a.len > 0)
        memcpy(*keep, a.ptr, a.len);
    return (struct str){*keep, a.len};
}

/* The text of a row as a point can show it; valid until the next call. */
static const char *shown(struct str a)
{
    static char text[4 * 60 + 1];
    size_t at = 0;
    for (size_t i = 0; i < a.len && at + 4 < sizeof text; i++) {
        unsigned char byte = (unsigned char)a.ptr[i];
        bool plain = byte >= ' ' && byte < 0x7f && byte != '#' && byte != '\\';
        at += (size_t)snprintf(text + at, sizeof text - at, plain ? "%c" : "\\%03o", byte);
    }
    text[at] = '\0';
    return text;
}

/* --- status lines ----------------------------------------------------------------------------- */

static void test_parse(void)
{
    static const struct {
        struct str line;
        enum reply_kind kind;
        struct str text;
    } rows[] = {
        {S("+OK"), REPLY_OK, S("")},
        {S("+OK "), REPLY_OK, S("")},
        {S("+OK hello"), REPLY_OK, S("hello")},
        {S("+OK \t hello there "), REPLY_OK, S("hello there ")},
        {S("+ok hello"), REPLY_JUNK, S("+ok hello")},
        {S("+OK\thello"), REPLY_OK, S("hello")},
        {S("+OK\0x"), REPLY_OK, S("\0x")},
        {S("+OK a\0b\377"), REPLY_OK, S("a\0b\377")},
        {S("+OKlogged in"), REPLY_OK, S("logged in")},
        {S(" +OK"), REPLY_JUNK, S(" +OK")},
        {S("-ERR"), REPLY_ERR, S("")},
        {S("-err no"), REPLY_JUNK, S("-err no")},
        {S("-ERROR no"), REPLY_ERR, S("OR no")},
        {S("-"), REPLY_JUNK, S("-")},
        {S("-ER"), REPLY_JUNK, S("-ER")},
        {S("+"), REPLY_CONTINUE, S("")},
        {S("+ "), REPLY_CONTINUE, S("")},
        {S("+ YWJj"), REPLY_CONTINUE, S("YWJj")},
        {S("+YWJj"), REPLY_JUNK, S("+YWJj")},
        {S("+O"), REPLY_JUNK, S("+O")},
        {S(""), REPLY_JUNK, S("")},
        {S("."), REPLY_JUNK, S(".")},
        {S("* OK IMAP4"), REPLY_JUNK, S("* OK IMAP4")},
        {S("220 smtp"), REPLY_JUNK, S("220 smtp")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *keep;
        struct reply reply = reply_parse(fenced(rows[i].line, &keep));
        ok(reply.kind == rows[i].kind && same(reply.text, rows[i].text) &&
               reply.code == REPLY_CODE_NONE,
           "status line \"%s\"", shown(rows[i].line));
        free(keep);
    }
    struct reply nothing = reply_parse((struct str){NULL, 0});
    ok(nothing.kind == REPLY_JUNK, "an empty view is junk");
}

static void test_code(void)
{
    static const struct {
        const char *text;
        enum reply_code code;
    } rows[] = {
        {"[IN-USE] x", REPLY_CODE_IN_USE},
        {"[in-use]", REPLY_CODE_IN_USE},
        {"[LOGIN-DELAY] wait", REPLY_CODE_LOGIN_DELAY},
        {"[SYS/TEMP] Internal error", REPLY_CODE_SYS_TEMP},
        {"[SYS/TEMP/DB] Internal error", REPLY_CODE_SYS_TEMP},
        {"[SYS/TEMPO] x", REPLY_CODE_OTHER},
        {"[SYS] x", REPLY_CODE_OTHER},
        {"[SYS/PERM] no mailbox", REPLY_CODE_SYS_PERM},
        {"[AUTH] mailbox locked, try again later", REPLY_CODE_AUTH},
        {"[AUTH", REPLY_CODE_NONE},
        {"[]", REPLY_CODE_OTHER},
        {"[X-FOO] whatever", REPLY_CODE_OTHER},
        {"[X-FOO] mailbox is locked", REPLY_CODE_IN_USE},
        {"x [AUTH]", REPLY_CODE_NONE},
        {"maildrop already locked", REPLY_CODE_IN_USE},
        {"Unable to lock maildrop: Mailbox is locked by POP server", REPLY_CODE_IN_USE},
        {"Your mailbox is in use by another session", REPLY_CODE_IN_USE},
        {"POP3 server busy", REPLY_CODE_IN_USE},
        {"mailbox lock busy! Is another session active?", REPLY_CODE_IN_USE},
        {"please wait a few minutes and retry", REPLY_CODE_IN_USE},
        {"account in use", REPLY_CODE_IN_USE},
        {"Your IP is blocked", REPLY_CODE_NONE},
        {"account locked", REPLY_CODE_NONE},
        {"account temporarily locked", REPLY_CODE_IN_USE},
        {"your mailbox is disabled, account closed", REPLY_CODE_NONE},
        {"bad password, try again later", REPLY_CODE_NONE},
        {"Invalid credentials", REPLY_CODE_NONE},
        {"service unavailable, try again later", REPLY_CODE_SYS_TEMP},
        {"Temporary authentication failure.", REPLY_CODE_SYS_TEMP},
        {"too many simultaneous connections", REPLY_CODE_SYS_TEMP},
        {"login too often, minimum is 60 s", REPLY_CODE_LOGIN_DELAY},
        {"Exceeded the login limit for a 15 minute period", REPLY_CODE_LOGIN_DELAY},
        {"Your account has reached its login limit", REPLY_CODE_LOGIN_DELAY},
        {"You must wait 10 minutes between logins", REPLY_CODE_LOGIN_DELAY},
        {"reduce the frequency of your requests", REPLY_CODE_LOGIN_DELAY},
        {"POP3 mail may not be checked more than once every 5 minutes", REPLY_CODE_LOGIN_DELAY},
        {"not allowed: POP3 mail was checked too quickly", REPLY_CODE_LOGIN_DELAY},
        {"too many login attempts for this account", REPLY_CODE_SYS_TEMP},
        {"too many requests", REPLY_CODE_SYS_TEMP},
        {"account suspended, try again later", REPLY_CODE_NONE},
        {"POP3 is disabled, try later", REPLY_CODE_POP_OFF},
        {"This mailbox does not have POP3 enabled", REPLY_CODE_POP_OFF},
        {"You are not authorized to use POP3", REPLY_CODE_POP_OFF},
        {"POP access is not provisioned for this user", REPLY_CODE_POP_OFF},
        {"Please activate POP3 retrieval in your settings first", REPLY_CODE_POP_OFF},
        {"POP3-Zugang ist nicht freigeschaltet", REPLY_CODE_POP_OFF},
        {"POP3 is not available for your account", REPLY_CODE_POP_OFF},
        {"POP3 server not available", REPLY_CODE_NONE},
        {"POP3 connections from your IP are blocked", REPLY_CODE_NONE},
        {"no such message", REPLY_CODE_NONE},
        {"authentication failed", REPLY_CODE_NONE},
        {"", REPLY_CODE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[128];
        int n = snprintf(line, sizeof line, "-ERR %s", rows[i].text);
        struct reply reply = reply_parse((struct str){line, (size_t)n});
        ok(reply.kind == REPLY_ERR && reply.code == rows[i].code, "code of \"%s\"", rows[i].text);
    }
    ok(reply_parse(str_from("+OK [IN-USE] locked")).code == REPLY_CODE_NONE, "no code for +OK");
}

/* Words about who we are count against the secret, unless the server has trouble of its own. */
static void test_blame(void)
{
    static const struct {
        const char *text;
        bool blames;
    } rows[] = {
        {"authorization failed", true},
        {"Authentication failed.", true},
        {"AUTHENTICATION FAILED", true},
        {"bad password, try again later", true},
        {"Password supplied for \"tim\" is incorrect.", true},
        {"Invalid credentials", true},
        {"Logon failure: unknown user name or bad password.", true},
        {"Login failed", true},
        {"access denied", true},
        {"incorrect", true},
        {"", false},
        {"no", false},
        {"sorry", false},
        {"qwertz 17", false},
        {"mailbox gone", false},
        {"authentication service unavailable", false},
        {"login failed: internal error", false},
        {"Login is not possible during maintenance", false},
        {"Authentication failed: backend timed out", false},
        {"user database unreachable", false},
        {"login failed: cannot open mailbox", false},
        {"authentication failed: connection refused", false},
        {"could not access the user's maildrop: I/O error", false},
        {"LDAP server is down, login denied", false},
        {"system error 28 while checking the user", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ok(reply_blames_secret(str_from(rows[i].text)) == rows[i].blames, "\"%s\": %s",
           rows[i].text, rows[i].blames ? "the secret" : "not clear");
}

/* --- lines ------------------------------------------------------------------------------------ */

/* At every length of the view: nothing before the whole line is there, then always the same. */
static bool sweep_line(struct str all, size_t max, int want, struct str line, size_t used, bool lf)
{
    for (size_t n = 0; n <= all.len; n++) {
        void *keep;
        struct str view = fenced((struct str){all.ptr, n}, &keep), got = {NULL, 0};
        size_t got_used = 0;
        bool got_lf = false, good;
        int rc = reply_line(view, max, &got, &got_used, &got_lf);
        if (want == 1 && n >= used)
            good = rc == 1 && same(got, line) && got_used == used && got_lf == lf;
        else
            good = rc == 0 || (want == -1 && rc == -1);
        free(keep);
        if (!good || (n == all.len && rc != want)) {
            printf("# at %zu bytes: %d\n", n, rc);
            return false;
        }
    }
    return true;
}

static void test_line(void)
{
    static const struct {
        const char *name;
        struct str all;
        size_t max;
        int want;
        struct str line;
        size_t used;
        bool bare_lf;
    } rows[] = {
        {"CRLF", S("+OK\r\n+OK\r\n"), 10, 1, S("+OK"), 5, false},
        {"LF", S("+OK\nx"), 10, 1, S("+OK"), 4, true},
        {"empty", S("\r\nx"), 10, 1, S(""), 2, false},
        {"empty LF", S("\nx"), 10, 1, S(""), 1, true},
        {"CR CR LF", S("a\r\r\n"), 10, 1, S("a\r"), 4, false},
        {"bare CR inside", S("a\rb\r\n"), 10, 1, S("a\rb"), 5, false},
        {"NUL inside", S("a\0b\r\n"), 10, 1, S("a\0b"), 5, false},
        {"not yet", S("abc"), 10, 0, S(""), 0, false},
        {"not yet, CR", S("abc\r"), 10, 0, S(""), 0, false},
        {"exactly max", S("abcd\r\n"), 4, 1, S("abcd"), 6, false},
        {"exactly max, LF", S("abcd\n"), 4, 1, S("abcd"), 5, true},
        {"max and no end yet", S("abcd"), 4, 0, S(""), 0, false},
        {"max, CR, no end yet", S("abcd\r"), 4, 0, S(""), 0, false},
        {"max, CR, other", S("abcd\rx\n"), 4, -1, S(""), 0, false},
        {"one too many", S("abcde\r\n"), 4, -1, S(""), 0, false},
        {"one too many, LF", S("abcde\n"), 4, -1, S(""), 0, false},
        {"one too many, no end", S("abcde"), 4, -1, S(""), 0, false},
        {"far too many", S("abcdefghijklmnop\r\n"), 4, -1, S(""), 0, false},
        {"max 0", S("\r\n"), 0, 1, S(""), 2, false},
        {"max 0, a byte", S("a\r\n"), 0, -1, S(""), 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ok(sweep_line(rows[i].all, rows[i].max, rows[i].want, rows[i].line, rows[i].used,
                      rows[i].bare_lf),
           "line: %s", rows[i].name);
    }
    struct str line;
    size_t used;
    bool bare_lf;
    is_int(reply_line((struct str){NULL, 0}, 10, &line, &used, &bare_lf), 0, "line: no view");
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void test_list(void)
{
    static const struct {
        struct str line;
        int rc;
        uint32_t number;
        uint64_t size;
    } rows[] = {
        {S("1 120"), 0, 1, 120},
        {S("10 0"), 0, 10, 0},
        {S("  3 \t  44  "), 0, 3, 44},
        {S("3 44 more words"), 0, 3, 44},
        {S("3 44.75"), 0, 3, 44},
        {S("3 44."), 0, 3, 44},
        {S("007 1"), 0, 7, 1},
        {S("3 9223372036854775807"), 0, 3, INT64_MAX},
        {S("3 9223372036854775808"), -1, 0, 0},
        {S("3 18446744073709551616"), -1, 0, 0},
        {S("3 99999999999999999999999999999999"), -1, 0, 0},
        {S("3 44.7x"), -1, 0, 0},
        {S("3 44.7.5"), -1, 0, 0},
        {S("3 .5"), -1, 0, 0},
        {S("3 -44"), -1, 0, 0},
        {S("3 +44"), -1, 0, 0},
        {S("3 0x44"), -1, 0, 0},
        {S("3 44k"), -1, 0, 0},
        {S("3 44\0"), -1, 0, 0},
        {S("3"), -1, 0, 0},
        {S("3 "), -1, 0, 0},
        {S(""), -1, 0, 0},
        {S("0 120"), -1, 0, 0},
        {S("11 120"), -1, 0, 0},
        {S("-1 120"), -1, 0, 0},
        {S("4294967297 120"), -1, 0, 0},
        {S("18446744073709551617 120"), -1, 0, 0},
        {S("1.0 120"), -1, 0, 0},
        {S("x 120"), -1, 0, 0},
        {S("\0"
           "1 120"),
         -1, 0, 0},
        {S("\261 120"), -1, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *keep;
        uint32_t number = 0;
        uint64_t size = 0;
        int rc = reply_list_line(fenced(rows[i].line, &keep), 10, &number, &size);
        ok(rc == rows[i].rc && (rc != 0 || (number == rows[i].number && size == rows[i].size)),
           "LIST line \"%s\"", shown(rows[i].line));
        free(keep);
    }
    uint32_t number;
    uint64_t size;
    is_int(reply_list_line(str_from("1 1"), 0, &number, &size), -1, "LIST in an empty mailbox");
}

static void test_uidl(void)
{
    static const struct {
        struct str line;
        int rc;
        uint32_t number;
        struct str uidl;
    } rows[] = {
        {S("1 abc"), 0, 1, S("abc")},
        {S("\t10   abc  \t"), 0, 10, S("abc")},
        {S("2 a b  c"), 0, 2, S("a b  c")},
        {S("2 ../../etc"), 0, 2, S("../../etc")},
        {S("2 a\0b\377\033"), 0, 2, S("a\0b\377\033")},
        {S("2"), 0, 2, S("")},
        {S("2   "), 0, 2, S("")},
        {S("0 abc"), -1, 0, S("")},
        {S("11 abc"), -1, 0, S("")},
        {S("-2 abc"), -1, 0, S("")},
        {S("99999999999999999999 abc"), -1, 0, S("")},
        {S("abc"), -1, 0, S("")},
        {S(""), -1, 0, S("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *keep;
        uint32_t number = 0;
        struct str uidl = {NULL, 7};
        int rc = reply_uidl_line(fenced(rows[i].line, &keep), 10, &number, &uidl);
        ok(rc == rows[i].rc && (rc != 0 || (number == rows[i].number && same(uidl, rows[i].uidl))),
           "UIDL line \"%s\"", shown(rows[i].line));
        free(keep);
    }
    char line[300];
    uint32_t number;
    struct str uidl;
    memset(line, 'u', sizeof line);
    memcpy(line, "5 ", 2);
    ok(reply_uidl_line((struct str){line, 257}, 10, &number, &uidl) == 0 && uidl.len == 255,
       "UIDL of 255 octets");
    ok(reply_uidl_line((struct str){line, 258}, 10, &number, &uidl) == 0 && uidl.len == 0,
       "UIDL of 256 octets counts as none");
}

static void test_stat(void)
{
    static const struct {
        struct str text;
        int rc;
        uint32_t count;
        uint64_t octets;
    } rows[] = {
        {S("2 320"), 0, 2, 320},
        {S("0 0"), 0, 0, 0},
        {S("2  320 octets"), 0, 2, 320},
        {S("2 320.5"), 0, 2, 320},
        {S("4194304 1"), 0, 4194304, 1},
        {S("4194305 1"), -1, 0, 0},
        {S("2147483648 1"), -1, 0, 0},
        {S("4294967298 1"), -1, 0, 0},
        {S("-1 1"), -1, 0, 0},
        {S("2 -1"), -1, 0, 0},
        {S("2.5 1"), -1, 0, 0},
        {S("2"), -1, 0, 0},
        {S("two 320"), -1, 0, 0},
        {S("\0"
           "2 320"),
         -1, 0, 0},
        {S(""), -1, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *keep;
        uint32_t count = 0;
        uint64_t octets = 0;
        int rc = reply_stat(fenced(rows[i].text, &keep), &count, &octets);
        ok(rc == rows[i].rc && (rc != 0 || (count == rows[i].count && octets == rows[i].octets)),
           "STAT text \"%s\"", shown(rows[i].text));
        free(keep);
    }
}

/* --- capabilities ----------------------------------------------------------------------------- */

static void test_capa(void)
{
    struct reply_capa capa;
    reply_capa_init(&capa);
    ok(!capa.known && !capa.sasl && capa.expire_days == -1 && capa.login_delay == -1,
       "nothing said yet");
    static const char *const lines[] = {
        "TOP",
        "uidl",
        "PIPELINING",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "USER",
        "STLS",
        "UTF8 USER",
        "SASL PLAIN login\tSCRAM-SHA-256  PLAIN",
        "SASL XOAUTH2 b@d TOOLONGTOBEAMECHANISM",
        "EXPIRE 30 USER",
        "LOGIN-DELAY 900",
        "IMPLEMENTATION  Some Server\033[2J 1.0 ",
        "X-THING",
        "",
        "   ",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        reply_capa_line(&capa, str_from(lines[i]));
    ok(capa.top && capa.uidl && capa.pipelining && capa.resp_codes && capa.auth_resp_code &&
           capa.user && capa.stls && capa.utf8 && capa.sasl,
       "all flags, in any case");
    is_str(capa.mechanisms, "PLAIN LOGIN SCRAM-SHA-256 XOAUTH2", "mechanisms, each once");
    is_int(capa.expire_days, 30, "EXPIRE 30 is read");
    is_int(capa.login_delay, 900, "LOGIN-DELAY 900 is read");
    is_str(capa.implementation, "Some Server?[2J 1.0", "IMPLEMENTATION is read, and cleaned");
    ok(reply_capa_has(&capa, "LOGIN") && !reply_capa_has(&capa, "SCRAM-SHA") &&
           !reply_capa_has(&capa, "AUTH2") && !reply_capa_has(&capa, ""),
       "which are there");

    reply_capa_line(&capa, str_from("EXPIRE NEVER"));
    is_int(capa.expire_days, -1, "EXPIRE NEVER counts as not said");
    reply_capa_line(&capa, str_from("EXPIRE 0"));
    is_int(capa.expire_days, 0, "EXPIRE 0 is read");
    reply_capa_line(&capa, str_from("LOGIN-DELAY 99999999999999999999"));
    is_int(capa.login_delay, -1, "LOGIN-DELAY beyond reason");
    reply_capa_line(&capa, str_from("EXPIRE -3"));
    is_int(capa.expire_days, -1, "EXPIRE -3 counts as not said");

    reply_capa_init(&capa);
    reply_capa_line(&capa, str_from("XTOP"));
    reply_capa_line(&capa, str_of("TOP\0", 4));
    reply_capa_line(&capa, str_from("SASLX PLAIN"));
    ok(!capa.top && !capa.sasl && capa.mechanisms[0] == '\0', "near misses are misses");
    reply_capa_line(&capa, str_from("SASL"));
    ok(capa.sasl && capa.mechanisms[0] == '\0', "SASL without a mechanism");
}

static void test_capa_flood(void)
{
    struct reply_capa capa;
    reply_capa_init(&capa);
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof line, "SASL MECHANISM-%d", i);
        reply_capa_line(&capa, str_from(line));
    }
    ok(strlen(capa.mechanisms) < sizeof capa.mechanisms && reply_capa_has(&capa, "MECHANISM-0") &&
           !reply_capa_has(&capa, "MECHANISM-999"),
       "a flood of mechanisms is cut at a word");
    char longest[400];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "IMPLEMENTATION ", 15);
    reply_capa_line(&capa, (struct str){longest, sizeof longest});
    is_int((long long)strlen(capa.implementation), sizeof capa.implementation - 1,
           "a long IMPLEMENTATION is cut");
}

/* --- APOP ------------------------------------------------------------------------------------- */

static void test_stamp(void)
{
    static const struct {
        struct str greeting;
        struct str stamp;
    } rows[] = {
        {S("+OK ready <1896.697170952@dbc.mtview.ca.us>"), S("<1896.697170952@dbc.mtview.ca.us>")},
        {S("+OK <a@b> ready"), S("<a@b>")},
        {S("<168d.1.5f/a+b==@host.example>"), S("<168d.1.5f/a+b==@host.example>")},
        {S("<1.2@[10.0.0.1]>"), S("<1.2@[10.0.0.1]>")},
        {S("<no stamp> but <a@b>"), S("<a@b>")},
        {S("<< <a@b>"), S("<a@b>")},
        {S("ready"), S("")},
        {S(""), S("")},
        {S("<>"), S("")},
        {S("<@>"), S("")},
        {S("<a@>"), S("")},
        {S("<@b>"), S("")},
        {S("<a@b"), S("")},
        {S("<ab>"), S("")},
        {S("<a b@c>"), S("")},
        {S("<a@b@c>"), S("")},
        {S("<a@b.>"), S("")},
        {S("<a..b@c>"), S("")},
        {S("<.a@c>"), S("")},
        {S("<a\0@c>"), S("")},
        {S("<a\200@c>"), S("")},
        {S("<a@[]>"), S("")},
        {S("<a\033@c>"), S("")},
        {S("a@b>"), S("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *keep;
        ok(same(reply_stamp(fenced(rows[i].greeting, &keep)), rows[i].stamp),
           "stamp in the greeting \"%s\"", shown(rows[i].greeting));
        free(keep);
    }
}

int main(void)
{
    test_parse();
    test_code();
    test_blame();
    test_line();
    test_list();
    test_uidl();
    test_stat();
    test_capa();
    test_capa_flood();
    test_stamp();
    return tap_done();
}
