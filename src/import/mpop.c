/* SPDX-License-Identifier: ISC */
/* mpop 1.4: ~/.mpoprc, as mpop(1) has it under COMMANDS. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/xalloc.h"
#include "import/import.h"

static const struct translate_row rows[] = {
    {"host", "server", NULL, NULL},
    {"port", "port", NULL, NULL},
    {"user", "user", NULL, NULL},
    {"source_ip", "source_address", NULL, NULL},
    {"tls_key_file", "tls_key_file", NULL, NULL},
    {"tls_cert_file", "tls_cert_file", NULL, NULL},
    {"tls_crl_file", "tls_crl_file", NULL, NULL},
    {"tls_host_override", "tls_server_name", NULL, NULL},
    {"skipsize", "max_size", NULL, NULL},
    {"password passwordeval timeout auth tls tls_starttls tls_certcheck tls_trust_file "
     "delivery keep uidls_file proxy_host proxy_port filter received_header pipelining only_new",
     NULL, NULL, NULL},
    {"killsize", NULL, NULL, "see allow_delete, and rules with larger and action = delete"},
    {"socket", NULL, NULL, "see connect_command"},
    {"ntlmdomain", NULL, NULL, "write the domain into user, as DOMAIN\\user"},
    {"tls_priorities", NULL, NULL, "see tls_min_version"},
    {"tls_min_dh_prime_bits", NULL, NULL, "the system's OpenSSL decides"},
    {"tls_fingerprint", NULL, NULL,
     "it is one of the certificate; fetchpop --print-pin shows what to write into tls_pin"},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* --- reading ---------------------------------------------------------------------------------- */

static struct sheet *find(const struct sheets *sheets, struct str title)
{
    for (size_t i = 0; i < sheets->count; i++)
        if (str_is(title, sheets->at[i].title))
            return &sheets->at[i];
    return NULL;
}

/* A value is all that follows on the line, quotes around it or not. */
static struct str value_of(struct str rest)
{
    struct str value = str_trim(rest);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = str_of(value.ptr + 1, value.len - 2);
    return value;
}

/* "account NAME : ONE, TWO" begins with what those say. */
static struct sheet *begin(struct sheets *raw, struct str rest)
{
    struct str name = value_of(str_until(&rest, ':'));
    char *title = xmemdup0(name.ptr, name.len);
    struct sheet *sheet = sheets_add(raw, title, raw->count > 0 ? &raw->at[0] : NULL);
    free(title);
    while (rest.len > 0) {
        const struct sheet *base = find(raw, value_of(str_until(&rest, ',')));
        for (size_t i = 0; base != NULL && i < base->count; i++)
            sheet_set(sheet, base->entries[i].name, base->entries[i].value, base->entries[i].line);
    }
    return sheet;
}

static void read_lines(struct str text, struct sheets *raw)
{
    struct sheet *sheet = sheets_add(raw, "", NULL);
    for (unsigned line = 1; text.len > 0; line++) {
        struct str rest = str_trim(str_until(&text, '\n'));
        if (rest.len == 0 || rest.ptr[0] == '#')
            continue;
        struct str word = str_word(&rest);
        if (str_is(word, "account")) {
            sheet = begin(raw, rest);
        } else if (str_is(word, "defaults")) {
            sheet = &raw->at[0];
        } else {
            struct str value = value_of(rest);
            char *name = xmemdup0(word.ptr, word.len), *copy = xmemdup0(value.ptr, value.len);
            sheet_set(sheet, name, copy, line);
            secret_wipe_bytes(copy, value.len);
            free(name);
            free(copy);
        }
    }
}

/* --- translating ------------------------------------------------------------------------------ */

static bool is_off(const struct sheet *sheet, const char *name)
{
    return sheet_find(sheet, name) != NULL && !sheet_is_on(sheet, name);
}

static void translate_tls(const struct sheet *from, struct sheet *to)
{
    const char *trust = sheet_value(from, "tls_trust_file");
    const char *mode = !sheet_is_on(from, "tls")      ? "none"
                       : is_off(from, "tls_starttls") ? "implicit"
                                                      : "stls";
    sheet_set(to, "tls", mode, 0);
    if (trust != NULL && trust[0] != '\0' && strcmp(trust, "system") != 0)
        sheet_set(to, "tls_ca_file", trust, 0);
    if (is_off(from, "tls_certcheck"))
        sheet_note(to, "Left out: tls_certcheck off: the certificate is always checked; fetchpop "
                       "--print-pin shows what to write into tls_pin.");
}

static void translate_delivery(const struct sheet *from, struct sheet *to)
{
    const char *delivery = sheet_value(from, "delivery");
    struct str rest = str_from(delivery);
    struct str method = str_word(&rest);
    struct str value = value_of(rest);
    char *what = xmemdup0(value.ptr, value.len);
    char *command = translate_fill(what, "%F", "\"$FETCHPOP_SENDER\"");
    if (str_is(method, "mda"))
        sheet_set(to, "mda", command, 0);
    else if (str_is(method, "maildir"))
        sheet_set(to, "maildir", what, 0);
    else if (str_is(method, "mbox"))
        sheet_set(to, "mbox", what, 0);
    else
        sheet_note(to, "Left out: delivery %s: write maildir, mbox or mda.",
                   delivery != NULL ? delivery : "(none)");
    free(command);
    free(what);
}

/* mpop(1) has 1 for deleting and 2 for leaving. */
#define OUR_STATUS "; case $? in 0) exit 0 ;; 1) exit 2 ;; 2) exit 1 ;; *) exit 3 ;; esac"

/* The same question, other answers. What it deletes needs our permission too. */
static void translate_filter(const struct sheet *from, struct sheet *to)
{
    const char *filter = sheet_value(from, "filter");
    if (filter == NULL || filter[0] == '\0')
        return;
    static const struct translate_mark marks[] = {
        {"%F", "\"$FETCHPOP_SENDER\""}, {"%S", "\"$FETCHPOP_SIZE\""}, {NULL, NULL}};
    char *command = translate_fill_all(filter, marks);
    sheet_setf(to, "filter_command", "(%s)" OUR_STATUS, command);
    sheet_note(to, "fetchpop has 1 for what stays and 2 for what is deleted, so mpop's 1 and 2 are "
                   "exchanged behind the filter; it deletes once allow_delete = yes is here.");
    free(command);
}

/* A password counts before a command; with neither, mpop asks the key ring. */
static void translate_login(const struct sheet *from, const struct translate_place *place,
                            struct sheet *to)
{
    const char *command = sheet_value(from, "passwordeval");
    const char *password = sheet_value(from, "password");
    translate_secret(from, "password", place, to);
    if (password != NULL && password[0] != '\0')
        return;
    if (command != NULL)
        sheet_set(to, "password_command", command, 0);
    else if (sheet_find(from, "user") != NULL)
        sheet_note(to,
                   "mpop asks the key ring by itself: password_command = \"secret-tool lookup host "
                   "%s service pop3 user %s\"; ~/.netrc is read here as well.",
                   sheet_value(from, "host"), sheet_value(from, "user"));
}

static void translate_rest(const struct sheet *from, struct sheet *to)
{
    const char *timeout = sheet_value(from, "timeout"), *auth = sheet_value(from, "auth");
    const char *proxy = sheet_value(from, "proxy_host"), *port = sheet_value(from, "proxy_port");
    if (timeout != NULL && strcmp(timeout, "off") != 0 && timeout[0] != '\0')
        sheet_setf(to, "timeout", "%ss", timeout);
    if (auth != NULL && strcmp(auth, "on") != 0 && auth[0] != '\0')
        sheet_set(to, "auth", auth, 0);
    if (proxy != NULL && proxy[0] != '\0')
        sheet_setf(to, "proxy", "socks5://%s:%s", proxy, port != NULL ? port : "1080");
    if (sheet_find(from, "pipelining") != NULL)
        sheet_set(to, "pipelining",
                  sheet_is_on(from, "pipelining") ? "on" : sheet_value(from, "pipelining"), 0);
    if (is_off(from, "only_new"))
        sheet_note(to, "Left out: only_new off: what was fetched once is fetched again only with "
                       "--all.");
    sheet_set(to, "keep", sheet_is_on(from, "keep") ? "yes" : "no", 0);
    if (sheet_is_on(from, "received_header"))
        sheet_set(to, "trace_header", "yes", 0);
}

/* %U and %H are user and host, as in its default. */
static void translate_list(const struct sheet *from, struct sheet *to)
{
    const char *path = sheet_value(from, "uidls_file"), *user = sheet_value(from, "user");
    const char *host = sheet_value(from, "host");
    if (path == NULL || path[0] == '\0')
        return;
    const struct translate_mark marks[] = {
        {"%U", user != NULL ? user : ""}, {"%H", host != NULL ? host : ""}, {NULL, NULL}};
    to->seen = translate_fill_all(path, marks);
}

static void read_text(struct str text, const struct translate_place *place, struct sheets *to,
                      struct sheet *top)
{
    struct sheets raw = {0};
    (void)top;
    read_lines(text, &raw);
    for (size_t i = 1; i < raw.count; i++) {
        const struct sheet *from = &raw.at[i];
        struct sheet *sheet = sheets_add(to, from->title, NULL);
        if (sheet_find(from, "host") == NULL) {
            sheet->left_out = xstrdup("it has no host");
            continue;
        }
        translate_rows(rows, ROWS, from, sheet);
        translate_tls(from, sheet);
        translate_login(from, place, sheet);
        translate_delivery(from, sheet);
        translate_filter(from, sheet);
        translate_rest(from, sheet);
        translate_list(from, sheet);
    }
    sheets_free(&raw);
}

/* A line "account NAME" or "defaults" with nothing behind it that would make a section of it. */
static bool looks(struct str text)
{
    struct str rest, scan = text;
    struct str word = translate_first(text, &rest);
    struct str line = str_trim(str_until(&rest, '\n'));
    bool opens = str_is(word, "defaults") ? line.len == 0
                                          : str_is(word, "account") && line.len > 0 &&
                                                line.ptr[0] != '"' && line.ptr[line.len - 1] != '{';
    struct str after = str_trim(rest);
    bool brace = after.len > 0 && after.ptr[0] == '{';
    bool host = false;
    while (scan.len > 0 && !host) {
        struct str left = str_trim(str_until(&scan, '\n'));
        host = str_is(str_word(&left), "host") && left.len > 0 && str_trim(left).ptr[0] != '=';
    }
    return opens && !brace && host;
}

const struct import_program import_mpop = {"mpop",
                                           {"~/.mpoprc", "~/.config/mpop/config"},
                                           "~/.mpop_uidls/USER_at_HOST",
                                           "~/.mpop_uidls/%u_at_%s",
                                           read_text,
                                           looks};
