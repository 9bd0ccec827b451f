/* SPDX-License-Identifier: ISC */
/* fetchmail 6.4: ~/.fetchmailrc, as fetchmail(1) has it under THE RUN CONTROL FILE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "import/import.h"
#include "import/lexer.h"

enum takes { NOTHING, ONE, NAMES };

/* The words of an entry, and what follows each. */
static const struct word {
    const char *name;
    enum takes takes;
    const char *same; /* another spelling of this one */
} words[] = {
    {"proto", ONE, "protocol"},
    {"protocol", ONE, NULL},
    {"via", ONE, NULL},
    {"port", ONE, NULL},
    {"service", ONE, "port"},
    {"timeout", ONE, NULL},
    {"interval", ONE, NULL},
    {"envelope", ONE, NULL},
    {"aka", NAMES, NULL},
    {"localdomains", NAMES, NULL},
    {"auth", ONE, NULL},
    {"authenticate", ONE, "auth"},
    {"uidl", NOTHING, NULL},
    {"dns", NOTHING, NULL},
    {"checkalias", NOTHING, NULL},
    {"tracepolls", NOTHING, NULL},
    {"principal", ONE, NULL},
    {"esmtpname", ONE, NULL},
    {"esmtppassword", ONE, NULL},
    {"bad-header", ONE, NULL},
    {"badheader", ONE, "bad-header"},
    {"monitor", ONE, NULL},
    {"interface", ONE, NULL},
    {"plugin", ONE, NULL},
    {"plugout", ONE, NULL},
    {"qvirtual", ONE, NULL},
    {"netsec", ONE, NULL},
    {"password", ONE, NULL},
    {"pass", ONE, "password"},
    {"is", NAMES, NULL},
    {"to", NAMES, "is"},
    {"folder", NAMES, NULL},
    {"remotefolder", NAMES, "folder"},
    {"smtphost", NAMES, NULL},
    {"smtp", NAMES, "smtphost"},
    {"fetchdomains", NAMES, NULL},
    {"smtpaddress", ONE, NULL},
    {"smtpname", ONE, NULL},
    {"antispam", NAMES, NULL},
    {"mda", ONE, NULL},
    {"bsmtp", ONE, NULL},
    {"lmtp", NOTHING, NULL},
    {"preconnect", ONE, NULL},
    {"postconnect", ONE, NULL},
    {"keep", NOTHING, NULL},
    {"flush", NOTHING, NULL},
    {"limitflush", NOTHING, NULL},
    {"fetchall", NOTHING, NULL},
    {"rewrite", NOTHING, NULL},
    {"stripcr", NOTHING, NULL},
    {"forcecr", NOTHING, NULL},
    {"pass8bits", NOTHING, NULL},
    {"dropstatus", NOTHING, NULL},
    {"dropdelivered", NOTHING, NULL},
    {"mimedecode", NOTHING, NULL},
    {"idle", NOTHING, NULL},
    {"limit", ONE, NULL},
    {"warnings", ONE, NULL},
    {"batchlimit", ONE, NULL},
    {"fetchlimit", ONE, NULL},
    {"fetchsizelimit", ONE, NULL},
    {"fastuidl", ONE, NULL},
    {"expunge", ONE, NULL},
    {"properties", ONE, NULL},
    {"ssl", NOTHING, NULL},
    {"sslcert", ONE, NULL},
    {"sslkey", ONE, NULL},
    {"sslproto", ONE, NULL},
    {"sslcertck", NOTHING, NULL},
    {"sslcertfile", ONE, NULL},
    {"sslcertpath", ONE, NULL},
    {"sslcommonname", ONE, NULL},
    {"sslfingerprint", ONE, NULL},
    {"retrieve-error", ONE, NULL},
};
#define WORDS (sizeof words / sizeof words[0])

static const struct translate_row rows[] = {
    {"timeout", "timeout", "s", NULL},
    {"limit", "max_size", NULL, NULL},
    {"fetchlimit", "max_messages", NULL, NULL},
    {"sslcert", "tls_cert_file", NULL, NULL},
    {"sslkey", "tls_key_file", NULL, NULL},
    {"sslcertfile", "tls_ca_file", NULL, NULL},
    {"sslcertpath", "tls_ca_dir", NULL, NULL},
    {"sslcommonname", "tls_server_name", NULL, NULL},
    {"skip", "enabled", NULL, NULL},
    {"protocol", NULL, NULL, NULL},
    {"via", NULL, NULL, NULL},
    {"port", NULL, NULL, NULL},
    {"user", NULL, NULL, NULL},
    {"password", NULL, NULL, NULL},
    {"is", NULL, NULL, NULL},
    {"auth", NULL, NULL, NULL},
    {"mda", NULL, NULL, NULL},
    {"keep", NULL, NULL, NULL},
    {"ssl", NULL, NULL, NULL},
    {"sslproto", NULL, NULL, NULL},
    {"sslcertck", NULL, NULL, NULL},
    {"plugin", NULL, NULL, NULL},
    {"interval", NULL, NULL, NULL},
    {"uidl", NULL, NULL, NULL},
    {"dns", NULL, NULL, NULL},
    {"stripcr", NULL, NULL, NULL},
    {"pass8bits", NULL, NULL, NULL},
    {"idle", NULL, NULL, NULL},
    {"fastuidl", NULL, NULL, NULL},
    {"batchlimit", NULL, NULL, NULL},
    {"expunge", NULL, NULL, NULL},
    {"fetchsizelimit", NULL, NULL, NULL},
    {"tracepolls", NULL, NULL, NULL},
    {"properties", NULL, NULL, NULL},
    {"bad-header", NULL, NULL, NULL},
    {"fetchall", NULL, NULL, "what was fetched once is fetched again only with --all"},
    {"flush", NULL, NULL, "fetchpop --flush does it when it is asked to"},
    {"limitflush", NULL, NULL, "what is over the limit stays on the server"},
    {"warnings", NULL, NULL, "messages over the limit are told by fetchpop itself"},
    {"rewrite", NULL, NULL, "messages are stored as they come"},
    {"forcecr", NULL, NULL, "lines end in LF"},
    {"mimedecode", NULL, NULL, "messages are stored as they come"},
    {"dropstatus", NULL, NULL, NULL},
    {"dropdelivered", NULL, NULL, "messages are stored as they come"},
    {"envelope", NULL, NULL, "see RULES in fetchpoprc(5), which share out mail"},
    {"qvirtual", NULL, NULL, "see RULES in fetchpoprc(5), which share out mail"},
    {"aka", NULL, NULL, "see RULES in fetchpoprc(5), which share out mail"},
    {"localdomains", NULL, NULL, "see RULES in fetchpoprc(5), which share out mail"},
    {"checkalias", NULL, NULL, "see RULES in fetchpoprc(5), which share out mail"},
    {"smtphost", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"smtpaddress", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"smtpname", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"esmtpname", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"plugout", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"antispam", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {"fetchdomains", NULL, NULL, "it is for ETRN and ODMR"},
    {"bsmtp", NULL, NULL, "mail goes to a maildir, an mbox or a command, not to a BSMTP file"},
    {"lmtp", NULL, NULL, "see lmtp"},
    {"folder", NULL, NULL, "POP3 has no folders"},
    {"preconnect", NULL, NULL, "see before; for a tunnel see connect_command"},
    {"postconnect", NULL, NULL, "see after"},
    {"interface", NULL, NULL, "see source_address"},
    {"monitor", NULL, NULL, "fetchpop does not look at the traffic of an interface"},
    {"principal", NULL, NULL, "the ticket says who you are"},
    {"netsec", NULL, NULL, "there is TLS"},
    {"sslfingerprint", NULL, NULL,
     "it is an MD5 sum; fetchpop --print-pin shows what to write into tls_pin"},
    {"retrieve-error", NULL, NULL, "a message that cannot be fetched is left, and tried again"},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
    struct lexer lexer;
    struct sheets bases; /* defaults, then each server as far as it is read */
    struct sheets raw;
    struct sheet *sheet; /* what is being read; NULL: nothing so far */
    bool has_user, is_local;
    unsigned long daemon; /* seconds */
    char *idfile;
};

static const struct word *find_word(const struct lexer *lexer)
{
    for (size_t i = 0; i < WORDS && lexer->token == LEXER_WORD; i++)
        if (str_is_nocase(str_from(lexer->text), words[i].name))
            return &words[i];
    return NULL;
}

static bool is_any(const struct lexer *lexer, const char *const *list)
{
    for (; *list != NULL; list++)
        if (lexer_is(lexer, *list))
            return true;
    return false;
}

static bool is_name(const struct lexer *lexer)
{
    static const char *const others[] = {"poll",     "server", "skip",  "defaults", "set", "user",
                                         "username", "here",   "there", "options",  "and", "with",
                                         "has",      "wants",  "no",    NULL};
    if (lexer->token == LEXER_TEXT)
        return true;
    return lexer->token == LEXER_WORD && find_word(lexer) == NULL && !is_any(lexer, others);
}

/* The names are one value, with blanks between them. The lexer is on what comes behind. */
static void read_names(struct reader *reader, const char *name)
{
    struct buf value;
    unsigned line = reader->lexer.line;
    buf_init(&value, LEXER_WORD_MAX);
    lexer_next(&reader->lexer);
    for (; is_name(&reader->lexer); lexer_next(&reader->lexer))
        buf_addf(&value, "%s%s", value.len > 0 ? " " : "", reader->lexer.text);
    char *text = xasprintf("%.*s", (int)value.len, value.data != NULL ? value.data : "");
    bool is_user = strcmp(name, "is") == 0 && reader->is_local && reader->has_user;
    sheet_set(reader->sheet, is_user ? "user" : name, text, line);
    free(text);
    buf_free(&value);
}

static void read_word(struct reader *reader, const struct word *word, bool no)
{
    const char *name = word->same != NULL ? word->same : word->name;
    if (word->takes == NAMES) {
        read_names(reader, name);
        return;
    }
    unsigned line = reader->lexer.line;
    if (word->takes == ONE && !no)
        lexer_next(&reader->lexer);
    sheet_set(reader->sheet, name,
              no                   ? "no"
              : word->takes == ONE ? reader->lexer.text
                                   : "yes",
              line);
    lexer_next(&reader->lexer);
}

/* A server without a user is polled for whoever runs fetchmail. */
static void end_server(struct reader *reader)
{
    if (reader->sheet != NULL && !reader->has_user && reader->bases.count > 1)
        sheets_add(&reader->raw, reader->sheet->title, reader->sheet);
}

static void begin_server(struct reader *reader, bool skip)
{
    end_server(reader);
    lexer_next(&reader->lexer);
    reader->sheet = sheets_add(&reader->bases, reader->lexer.text,
                               reader->bases.count > 0 ? &reader->bases.at[0] : NULL);
    if (skip)
        sheet_set(reader->sheet, "skip", "no", reader->lexer.line);
    reader->has_user = false;
    lexer_next(&reader->lexer);
}

/* "user alice there is bob here", or "user bob here is alice there". */
static void begin_user(struct reader *reader)
{
    const struct sheet *server = &reader->bases.at[reader->bases.count - 1];
    if (reader->bases.count == 1) /* in defaults */
        reader->sheet = &reader->bases.at[0];
    else
        reader->sheet = sheets_add(&reader->raw, server->title, server);
    reader->has_user = true;
    lexer_next(&reader->lexer);
    char *name = xstrdup(reader->lexer.text);
    unsigned line = reader->lexer.line;
    lexer_next(&reader->lexer);
    reader->is_local = lexer_is(&reader->lexer, "here");
    sheet_set(reader->sheet, reader->is_local ? "is" : "user", name, line);
    free(name);
}

static void read_set(struct reader *reader, struct sheet *top)
{
    static const char *const with_value[] = {"daemon",     "logfile",    "idfile", "pidfile",
                                             "postmaster", "properties", NULL};
    lexer_next(&reader->lexer);
    bool no = lexer_is(&reader->lexer, "no");
    if (no)
        lexer_next(&reader->lexer);
    char *name = xstrdup(reader->lexer.text);
    if (!no && is_any(&reader->lexer, with_value))
        lexer_next(&reader->lexer);
    const char *value = reader->lexer.text;
    if (strcmp(name, "daemon") == 0) {
        reader->daemon = strtoul(value, NULL, 10);
        sheet_note(top,
                   "set daemon %lu: fetchpop -d %lus polls so often, and stays in the "
                   "foreground.",
                   reader->daemon, reader->daemon);
    } else if (strcmp(name, "idfile") == 0) {
        free(reader->idfile);
        reader->idfile = xstrdup(value);
    } else if (strcmp(name, "logfile") == 0) {
        sheet_note(top, "set logfile: fetchpop -L %s", value);
    } else if (strcmp(name, "syslog") == 0) {
        sheet_note(top, "set syslog: fetchpop --syslog");
    }
    free(name);
    lexer_next(&reader->lexer);
}

static void read_one(struct reader *reader, struct sheet *top)
{
    struct lexer *lexer = &reader->lexer;
    bool no = reader->sheet != NULL && lexer_is(lexer, "no");
    if (no)
        lexer_next(lexer);
    const struct word *word = find_word(lexer);
    if (lexer_is(lexer, "poll") || lexer_is(lexer, "server") || lexer_is(lexer, "skip"))
        begin_server(reader, lexer_is(lexer, "skip"));
    else if (lexer_is(lexer, "set"))
        read_set(reader, top);
    else if (reader->sheet != NULL && (lexer_is(lexer, "user") || lexer_is(lexer, "username")))
        begin_user(reader);
    else if (reader->sheet != NULL && word != NULL)
        read_word(reader, word, no);
    else if (lexer_is(lexer, "defaults"))
        reader->sheet = &reader->bases.at[0], lexer_next(lexer);
    else
        lexer_next(lexer);
}

/* --- translating ------------------------------------------------------------------------------ */

static const char *value_or(const struct sheet *sheet, const char *name, const char *otherwise)
{
    const char *value = sheet_value(sheet, name);
    return value != NULL ? value : otherwise;
}

static void translate_tls(const struct sheet *from, struct sheet *to)
{
    const char *proto = value_or(from, "sslproto", "auto");
    bool implicit = sheet_is_on(from, "ssl");
    sheet_set(to, "tls", implicit ? "implicit" : proto[0] == '\0' ? "none" : "stls", 0);
    if (!implicit && proto[0] != '\0')
        sheet_note(to, "fetchmail uses STLS if the server offers it; fetchpop insists on it. "
                       "If there is none: tls = none.");
    if (str_has_prefix_nocase(str_from(proto), "tls1.3"))
        sheet_set(to, "tls_min_version", "1.3", 0);
    if (sheet_find(from, "sslcertck") != NULL && !sheet_is_on(from, "sslcertck"))
        sheet_note(to, "Left out: no sslcertck: the certificate is always checked. For one that is "
                       "signed by itself, fetchpop --print-pin shows what to write into tls_pin.");
}

static void translate_auth(const struct sheet *from, struct sheet *to)
{
    static const struct {
        const char *name, *ours;
    } methods[] = {{"cram-md5", "cram-md5"},       {"ntlm", "ntlm"},
                   {"gssapi", "gssapi"},           {"external", "external"},
                   {"kerberos", "gssapi"},         {"kerberos_v5", "gssapi"},
                   {"oauthbearer", "oauthbearer"}, {"xoauth2", "xoauth2"}};
    const char *auth = value_or(from, "auth", "any");
    if (str_is_nocase(str_from(value_or(from, "protocol", "")), "apop"))
        sheet_set(to, "auth", "apop", 0);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (str_is_nocase(str_from(auth), methods[i].name))
            sheet_set(to, "auth", methods[i].ours, 0);
}

/* fetchmail's own destination is the SMTP server of this machine. */
static void translate_delivery(const struct sheet *from, struct sheet *to)
{
    struct buf local;
    const char *names = value_or(from, "is", "");
    buf_init(&local, LEXER_WORD_MAX);
    if (names[0] == '\0' || strpbrk(names, " *") != NULL)
        buf_addf(&local, "\"$LOGNAME\"");
    else
        translate_quote(names, &local);
    if (strpbrk(names, " *") != NULL)
        sheet_note(to,
                   "Left out: to %s: mail is not shared out among users; give it to an mda "
                   "that does.",
                   names);
    char *name = xasprintf("%.*s", (int)local.len, local.data);
    const char *mda = sheet_value(from, "mda");
    if (mda == NULL) {
        sheet_note(to, "fetchmail gives mail to the SMTP server here; sendmail does so, too. "
                       "Or write maildir = \"~/Maildir\".");
        sheet_setf(to, "mda", "/usr/sbin/sendmail -i -- %s", name);
    } else {
        char *half = translate_fill(mda, "%T", name);
        char *whole = translate_fill(half, "%F", "\"$FETCHPOP_SENDER\"");
        sheet_set(to, "mda", whole, 0);
        free(half);
        free(whole);
    }
    free(name);
    buf_free(&local);
}

static void translate_connection(const struct sheet *from, struct sheet *to)
{
    const char *plugin = sheet_value(from, "plugin"), *port = sheet_value(from, "port");
    sheet_set(to, "server", value_or(from, "via", from->title), 0);
    if (port != NULL)
        sheet_set(to, "port", port, 0);
    translate_port(to);
    if (plugin != NULL) {
        char *half = translate_fill(plugin, "%h", "$FETCHPOP_SERVER");
        char *whole = translate_fill(half, "%p", "$FETCHPOP_PORT");
        sheet_set(to, "connect_command", whole, 0);
        free(half);
        free(whole);
    }
}

static void translate(const struct reader *reader, const struct sheet *from,
                      const struct translate_place *place, struct sheet *to)
{
    const char *protocol = value_or(from, "protocol", "auto");
    struct str name = str_from(protocol);
    if (!str_is_nocase(name, "auto") && !str_is_nocase(name, "pop3") &&
        !str_is_nocase(name, "apop")) {
        to->left_out = xasprintf("its protocol is %s, and fetchpop speaks POP3", protocol);
        return;
    }
    translate_connection(from, to);
    translate_tls(from, to);
    if (sheet_find(from, "user") != NULL)
        sheet_set(to, "user", sheet_value(from, "user"), 0);
    else
        sheet_note(to, "fetchmail logs in as whoever runs it; fetchpop wants: user = \"...\"");
    translate_secret(from, "password", place, to);
    translate_auth(from, to);
    translate_delivery(from, to);
    sheet_set(to, "keep", sheet_is_on(from, "keep") ? "yes" : "no", 0);
    if (sheet_is_on(from, "dropstatus"))
        sheet_set(to, "drop_status", "yes", 0);
    unsigned long cycles = strtoul(value_or(from, "interval", "0"), NULL, 10);
    if (cycles > 0 && reader->daemon > 0)
        sheet_setf(to, "interval", "%lus", cycles * reader->daemon);
    else if (cycles > 0)
        sheet_note(to, "Left out: interval %lu: it counts polls; write it as a time.", cycles);
    translate_rows(rows, ROWS, from, to);
}

static void read_text(struct str text, const struct translate_place *place, struct sheets *to,
                      struct sheet *top)
{
    struct reader reader = {.sheet = NULL};
    sheets_add(&reader.bases, "", NULL);
    lexer_begin(&reader.lexer, text, ":;,=", "");
    lexer_next(&reader.lexer);
    while (reader.lexer.token != LEXER_END)
        read_one(&reader, top);
    end_server(&reader);
    for (size_t i = 0; i < reader.raw.count; i++) {
        const struct sheet *from = &reader.raw.at[i];
        struct sheet *sheet = sheets_add(to, from->title, NULL);
        translate(&reader, from, place, sheet);
        if (reader.idfile != NULL)
            sheet->seen = xstrdup(reader.idfile);
    }
    free(reader.idfile);
    lexer_end(&reader.lexer);
    sheets_free(&reader.bases);
    sheets_free(&reader.raw);
}

static bool looks(struct str text)
{
    struct str rest;
    struct str word = translate_first(text, &rest);
    struct str next = str_trim(rest);
    bool ours = next.len > 0 && (next.ptr[0] == '{' || next.ptr[0] == '=');
    bool begins =
        str_is_nocase(word, "poll") || str_is_nocase(word, "skip") || str_is_nocase(word, "server");
    bool set = str_is_nocase(word, "set") && !str_has_prefix(next, "maximum-size");
    bool polls = str_contains_nocase(text, "\npoll ") || str_contains_nocase(text, "\nskip ");
    return !ours && (begins || ((set || str_is_nocase(word, "defaults")) && polls));
}

const struct import_program import_fetchmail = {"fetchmail",   "~/.fetchmailrc", "~/.fetchids",
                                                "~/.fetchids", read_text,        looks};
