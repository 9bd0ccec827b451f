/* SPDX-License-Identifier: ISC */
/* fetchmail 6.4: ~/.fetchmailrc, as fetchmail(1) has it under THE RUN CONTROL FILE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "import/import.h"
#include "import/lexer.h"

static const struct lexer_style style = {.gaps = ":;,=", .signs = "", .c_escapes = true};

enum takes { NOTHING, ONE, NAMES };

/* The words of an entry, and what follows each. */
static const struct word {
    const char *names; /* with blanks between them */
    enum takes takes;
    const char *same; /* what they are other spellings of */
} words[] = {
    {"uidl dns checkalias tracepolls lmtp keep flush limitflush fetchall rewrite stripcr "
     "forcecr pass8bits dropstatus dropdelivered mimedecode idle forceidle ssl sslcertck "
     "spambounce sdps kpop",
     NOTHING, NULL},
    {"pass8", NOTHING, "pass8bits"},
    {"mimedec", NOTHING, "mimedecode"},
    {"protocol via port timeout interval envelope auth principal esmtpname esmtppassword "
     "bad-header monitor interface plugin plugout qvirtual netsec password smtpaddress "
     "smtpname mda bsmtp preconnect postconnect limit warnings batchlimit fetchlimit "
     "fetchsizelimit fastuidl expunge properties sslcert sslkey sslproto sslcertfile "
     "sslcertpath sslcommonname sslfingerprint retrieve-error idletimeout",
     ONE, NULL},
    {"aka localdomains is folder smtphost fetchdomains antispam", NAMES, NULL},
    {"proto", ONE, "protocol"},
    {"service", ONE, "port"},
    {"authenticate preauth preauthenticate", ONE, "auth"},
    {"pre", ONE, "preconnect"},
    {"post", ONE, "postconnect"},
    {"local", NAMES, "localdomains"},
    {"badheader", ONE, "bad-header"},
    {"pass", ONE, "password"},
    {"to", NAMES, "is"},
    {"remotefolder folders", NAMES, "folder"},
    {"smtp", NAMES, "smtphost"},
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
    {"protocol via port user password is auth mda keep ssl sslproto sslcertck plugin interval "
     "uidl dns stripcr pass8bits idle forceidle idletimeout spambounce fastuidl batchlimit expunge "
     "fetchsizelimit tracepolls "
     "properties bad-header dropstatus skip",
     NULL, NULL, NULL},
    {"sdps", NULL, NULL, "POP3 is spoken without that extension of Demon's"},
    {"kpop", NULL, NULL, "see auth"},
    {"fetchall", NULL, NULL, "what was fetched once is fetched again only with --all"},
    {"flush", NULL, NULL, "fetchpop --flush does it when it is asked to"},
    {"limitflush", NULL, NULL, "what is over the limit stays on the server"},
    {"warnings", NULL, NULL, "messages over the limit are told by fetchpop itself"},
    {"rewrite mimedecode dropdelivered", NULL, NULL, "messages are stored as they come"},
    {"forcecr", NULL, NULL, "lines end in LF"},
    {"envelope qvirtual aka localdomains checkalias", NULL, NULL,
     "see RULES in fetchpoprc(5), which share out mail"},
    {"smtphost smtpaddress smtpname esmtpname plugout antispam", NULL, NULL,
     "mail goes to a maildir, an mbox or a command, not to SMTP"},
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

/* The entry of the lexer's word, or NULL; *name: that word as `rows` spells it. */
static const struct word *find_word(const struct lexer *lexer, struct str *name)
{
    for (size_t i = 0; i < WORDS && lexer->token == LEXER_WORD; i++)
        for (struct str left = str_from(words[i].names); left.len > 0;) {
            struct str one = str_word(&left);
            if (!str_is_nocase(one, lexer->text))
                continue;
            *name = words[i].same != NULL ? str_from(words[i].same) : one;
            return &words[i];
        }
    return NULL;
}

/* "nokeep" is "no keep", and fetchmail knows some more such words. What is behind the no, or an
 * empty text. */
static struct str behind_no(const struct lexer *lexer)
{
    struct str word = str_from(lexer->text);
    bool fused = lexer->token == LEXER_WORD && str_has_prefix(word, "no") &&
                 str_is_among(str_behind(word, 2),
                              "uidl checkalias dns envelope keep flush limitflush fetchall rewrite "
                              "forcecr stripcr pass8 pass8bits dropstatus dropdelivered mimedec "
                              "mimedecode spambounce bouncemail idle forceidle");
    return fused ? str_behind(word, 2) : str_of(word.ptr, 0);
}

/* Past a "no", if there is one: the lexer is on the word behind it then. */
static bool take_no(struct lexer *lexer)
{
    struct str rest = behind_no(lexer);
    bool alone = lexer_is(lexer, "no");
    if (alone)
        lexer_next(lexer);
    else if (rest.len > 0)
        memmove(lexer->text, rest.ptr, rest.len + 1);
    return alone || rest.len > 0;
}

static bool is_name(const struct lexer *lexer)
{
    struct str name, word = str_from(lexer->text);
    if (lexer->token == LEXER_TEXT)
        return true;
    return lexer->token == LEXER_WORD && find_word(lexer, &name) == NULL &&
           behind_no(lexer).len == 0 &&
           !str_is_among_nocase(word, "poll server skip defaults set user username here there "
                                      "options and with has wants no");
}

/* The names are one value, with blanks between them; behind `is` any word is one. The lexer is on
 * what comes behind. */
static void read_names(struct reader *reader, const char *name)
{
    struct buf value;
    unsigned line = reader->lexer.line;
    buf_init(&value, LEXER_WORD_MAX);
    lexer_next(&reader->lexer);
    bool any = strcmp(name, "is") == 0 && reader->lexer.token != LEXER_END;
    for (; any || is_name(&reader->lexer); any = false, lexer_next(&reader->lexer))
        buf_addf(&value, "%s%s", value.len > 0 ? " " : "", reader->lexer.text);
    char *text = buf_end(&value);
    bool is_user = strcmp(name, "is") == 0 && reader->is_local && reader->has_user;
    sheet_set(reader->sheet, is_user ? "user" : name, text, line);
    free(text);
}

static void read_word(struct reader *reader, enum takes takes, struct str word, bool no)
{
    unsigned line = reader->lexer.line;
    char *name = xmemdup0(word.ptr, word.len);
    if (takes == NAMES) {
        read_names(reader, name);
    } else {
        if (takes == ONE && !no)
            lexer_next(&reader->lexer);
        const char *value = takes == ONE ? reader->lexer.text : "";
        sheet_set(reader->sheet, name, no ? "no" : value, line);
        lexer_next(&reader->lexer);
    }
    free(name);
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
        sheet_set(reader->sheet, "skip", "", reader->lexer.line);
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
    lexer_next(&reader->lexer);
    bool no = take_no(&reader->lexer);
    unsigned line = reader->lexer.line;
    char *name = xstrdup(reader->lexer.text);
    bool valued =
        str_is_among_nocase(str_from(reader->lexer.text),
                            "daemon logfile idfile pidfile postmaster properties warnings");
    if (!no && valued)
        lexer_next(&reader->lexer);
    const char *value = reader->lexer.text;
    if (strcmp(name, "daemon") == 0) {
        reader->daemon = strtoul(value, NULL, 10);
        sheet_note(top,
                   "set daemon %lu: fetchpop -d %lus polls as often, in the "
                   "foreground.",
                   reader->daemon, reader->daemon);
    } else if (strcmp(name, "idfile") == 0) {
        free(reader->idfile);
        reader->idfile = xstrdup(value);
    } else if (strcmp(name, "logfile") == 0) {
        sheet_note(top, "set logfile: fetchpop -L %s", value);
    } else if (strcmp(name, "syslog") == 0 && !no) {
        sheet_note(top, "set syslog: fetchpop --syslog");
    } else if (!no && !str_is_among_nocase(str_from(name), "pidfile properties showdots")) {
        sheet_note(top, "Left out: set %s (line %u): fetchpop has nothing like it.", name, line);
    }
    free(name);
    lexer_next(&reader->lexer);
}

/* A word that means nothing, or that is not known; a text may be a secret. */
static void read_unknown(struct reader *reader, struct sheet *top)
{
    const struct lexer *lexer = &reader->lexer;
    if (lexer->token == LEXER_WORD &&
        !str_is_among_nocase(str_from(lexer->text), "here there options and with has wants"))
        sheet_note(reader->sheet != NULL ? reader->sheet : top,
                   "Left out: %s (line %u): fetchpop does not know it.", lexer->text, lexer->line);
    lexer_next(&reader->lexer);
}

static void read_one(struct reader *reader, struct sheet *top)
{
    struct lexer *lexer = &reader->lexer;
    bool no = reader->sheet != NULL && take_no(lexer);
    struct str name;
    const struct word *word = find_word(lexer, &name);
    if (lexer_is(lexer, "poll") || lexer_is(lexer, "server") || lexer_is(lexer, "skip"))
        begin_server(reader, lexer_is(lexer, "skip"));
    else if (lexer_is(lexer, "set"))
        read_set(reader, top);
    else if (reader->sheet != NULL && (lexer_is(lexer, "user") || lexer_is(lexer, "username")))
        begin_user(reader);
    else if (reader->sheet != NULL && word != NULL)
        read_word(reader, word->takes, name, no);
    else if (lexer_is(lexer, "defaults"))
        reader->sheet = &reader->bases.at[0], lexer_next(lexer);
    else
        read_unknown(reader, top);
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
    } methods[] = {{"any", NULL},
                   {"password", NULL},
                   {"cram", "cram-md5"},
                   {"cram-md5", "cram-md5"},
                   {"ntlm", "ntlm"},
                   {"gssapi", "gssapi"},
                   {"external", "external"},
                   {"kerberos", "gssapi"},
                   {"kerberos_v5", "gssapi"},
                   {"oauthbearer", "oauthbearer"},
                   {"xoauth2", "xoauth2"}};
    const char *auth = value_or(from, "auth", "any");
    if (str_is_nocase(str_from(value_or(from, "protocol", "")), "apop"))
        sheet_set(to, "auth", "apop", 0);
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        bool this = str_is_nocase(str_from(auth), methods[i].name);
        known = known || this;
        if (this && methods[i].ours != NULL)
            sheet_set(to, "auth", methods[i].ours, 0);
    }
    if (!known)
        sheet_note(to, "Left out: auth (preauth) %s: see auth in fetchpoprc(5).", auth);
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
    char *name = buf_end(&local);
    const char *mda = sheet_value(from, "mda");
    if (mda == NULL) {
        sheet_note(to, "fetchmail gives mail to the SMTP server here; sendmail does so, too. "
                       "Or write maildir = \"~/Maildir\".");
        sheet_setf(to, "mda", "/usr/sbin/sendmail -i -- %s", name);
    } else {
        const struct translate_mark marks[] = {
            {"%T", name}, {"%F", "\"$FETCHPOP_SENDER\""}, {NULL, NULL}};
        char *command = translate_fill_all(mda, marks);
        sheet_set(to, "mda", command, 0);
        if (strstr(command, "%s") != NULL)
            sheet_note(to, "Left out: the %%s of mda is fetchmail's for the folder; write what it "
                           "should be.");
        free(command);
    }
    free(name);
}

static void translate_connection(const struct sheet *from, struct sheet *to)
{
    const char *plugin = sheet_value(from, "plugin"), *port = sheet_value(from, "port");
    sheet_set(to, "server", value_or(from, "via", from->title), 0);
    if (port != NULL)
        sheet_set(to, "port", port, 0);
    translate_port(to);
    if (plugin != NULL) {
        static const struct translate_mark marks[] = {
            {"%h", "$FETCHPOP_SERVER"}, {"%p", "$FETCHPOP_PORT"}, {NULL, NULL}};
        char *command = translate_fill_all(plugin, marks);
        sheet_set(to, "connect_command", command, 0);
        free(command);
    }
}

static void translate(const struct reader *reader, const struct sheet *from,
                      const struct translate_place *place, struct sheet *to)
{
    const char *protocol = value_or(from, "protocol", "auto");
    struct str name = str_from(protocol);
    if (!str_is_nocase(name, "auto") && !str_is_nocase(name, "pop3") &&
        !str_is_nocase(name, "apop")) {
        to->left_out = xasprintf("its protocol is %s, and fetchpop speaks only POP3", protocol);
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
    if (sheet_find(from, "skip") != NULL)
        sheet_set(to, "enabled", "no", 0);
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
    lexer_begin(&reader.lexer, text, &style);
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

const struct import_program import_fetchmail = {"fetchmail",   {"~/.fetchmailrc"}, "~/.fetchids",
                                                "~/.fetchids", read_text,          looks};
