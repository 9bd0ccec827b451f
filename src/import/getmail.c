/* SPDX-License-Identifier: ISC */
/* getmail 6: a getmailrc, an INI file of Python's, one account each (getmail's manual, RC FILE). */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "import/import.h"
#include "import/lexer.h"

/* Names are "section.key". */
static const struct translate_row rows[] = {
    {"retriever.server", "server", NULL, NULL},
    {"retriever.port", "port", NULL, NULL},
    {"retriever.username", "user", NULL, NULL},
    {"retriever.timeout", "timeout", "s", NULL},
    {"retriever.ca_certs", "tls_ca_file", NULL, NULL},
    {"retriever.certfile", "tls_cert_file", NULL, NULL},
    {"retriever.keyfile", "tls_key_file", NULL, NULL},
    {"retriever.ssl_cert_hostname", "tls_server_name", NULL, NULL},
    {"options.max_messages_per_session", "max_messages", NULL, NULL},
    {"options.max_bytes_per_session retriever.type retriever.password "
     "retriever.password_command retriever.use_apop retriever.use_xoauth2 retriever.getmaildir "
     "retriever.delete_dup_msgids destination.type destination.path destination.arguments "
     "options.delete options.delete_after options.max_message_size options.verbose "
     "options.read_all options.to_oldmail_on_each_mail options.received",
     NULL, NULL, NULL},
    {"options.delivered_to", NULL, NULL, "messages are stored as they come"},
    {"destination.unixfrom", NULL, NULL, "a command gets the message as it came"},
    {"destination.ignore_stderr", NULL, NULL, "what a command writes there is not a failure"},
    {"destination.allow_root_commands", NULL, NULL, "run fetchpop as the user"},
    {"destination.user destination.group", NULL, NULL, "run fetchpop as that user"},
    {"destination.filemode", NULL, NULL, "files of a Maildir have mode 0600"},
    {"destination.locktype", NULL, NULL, "an mbox is locked by a dotlock and by fcntl"},
    {"retriever.envelope_recipient", NULL, NULL,
     "see RULES in fetchpoprc(5), which share out mail"},
    {"retriever.ssl_fingerprints", NULL, NULL,
     "they are those of certificates; fetchpop --print-pin shows what to write into tls_pin"},
    {"retriever.ssl_version", NULL, NULL, "see tls_min_version"},
    {"retriever.ssl_ciphers", NULL, NULL, "the system's OpenSSL decides"},
    {"options.delete_bigger_than", NULL, NULL, "see keep"},
    {"options.message_log options.logfile", NULL, NULL, "fetchpop -L FILE keeps a log"},
    {"options.message_log_syslog", NULL, NULL, "fetchpop --syslog"},
    {"options.message_log_verbose", NULL, NULL, "fetchpop -v"},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
    struct sheet *sheet;
    char *name, *value; /* the key that goes on with lines that begin with a blank */
    unsigned line;
};

/* Of a section [filter-1], of which there may be several, the kind is told. */
static void finish(struct reader *reader)
{
    const char *type = reader->name != NULL ? strstr(reader->name, ".type") : NULL;
    if (reader->name != NULL && strncmp(reader->name, "filter", 6) == 0) {
        if (type != NULL)
            sheet_note(reader->sheet, "Left out: [%.*s] %s (line %u): see pipe_through.",
                       (int)(type - reader->name), reader->name, reader->value, reader->line);
    } else if (reader->name != NULL)
        sheet_set(reader->sheet, reader->name, reader->value, reader->line);
    free(reader->name);
    free(reader->value);
    reader->name = reader->value = NULL;
}

static char *section_name(struct str line)
{
    struct str name = str_behind(line, 1);
    name = str_until(&name, ']');
    return xmemdup0(name.ptr, name.len);
}

static void read_key(struct reader *reader, const char *section, struct str line)
{
    size_t end = 0;
    while (end < line.len && line.ptr[end] != '=' && line.ptr[end] != ':')
        end++;
    struct str name = str_trim(str_of(line.ptr, end));
    struct str value = str_trim(str_behind(line, end));
    if (value.len > 0)
        value = str_trim(str_behind(value, 1));
    reader->name = xasprintf("%s.%.*s", section, (int)name.len, name.ptr);
    reader->value = xmemdup0(value.ptr, value.len);
    for (char *p = reader->name; *p != '\0'; p++)
        *p = str_lower(*p);
}

static void read_lines(struct str text, struct sheet *sheet)
{
    struct reader reader = {.sheet = sheet};
    char *section = xstrdup("");
    for (unsigned number = 1; text.len > 0; number++) {
        struct str raw = str_until(&text, '\n'), line = str_trim(raw);
        bool more = raw.len > 0 && str_is_blank(raw.ptr[0]);
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (more && reader.name != NULL) {
            char *whole = xasprintf("%s %.*s", reader.value, (int)line.len, line.ptr);
            free(reader.value);
            reader.value = whole;
            continue;
        }
        finish(&reader);
        reader.line = number;
        if (line.ptr[0] == '[') {
            free(section);
            section = section_name(line);
        } else {
            read_key(&reader, section, line);
        }
    }
    finish(&reader);
    free(section);
}

/* --- translating ------------------------------------------------------------------------------ */

static const struct lexer_style tuples = {.gaps = "(),", .signs = ""};

/* A word that has variables in it, which getmail fills in, and the shell does as well. */
static void add_open_word(struct buf *out, const char *word)
{
    buf_addf(out, "\"");
    for (const char *p = word; *p != '\0'; p++)
        buf_addf(out, "%s%c", strchr("\"\\`", *p) != NULL ? "\\" : "", *p);
    buf_addf(out, "\"");
}

/* ("program", "argument") as a command for the shell; open: with variables. */
static void add_words(struct buf *out, const char *tuple, bool open)
{
    static const struct {
        const char *theirs, *ours;
    } fills[] = {{"%(sender)", "\"$FETCHPOP_SENDER\""},
                 {"%(recipient)", "\"$FETCHPOP_RECIPIENT\""}};
    struct lexer lexer;
    lexer_begin(&lexer, str_from(tuple), &tuples);
    while (lexer_next(&lexer) != LEXER_END) {
        const char *fill = NULL;
        for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++)
            fill = strcmp(lexer.text, fills[i].theirs) == 0 ? fills[i].ours : fill;
        buf_addf(out, "%s", out->len > 0 ? " " : "");
        if (fill != NULL)
            buf_addf(out, "%s", fill);
        else if (open && strchr(lexer.text, '$') != NULL)
            add_open_word(out, lexer.text);
        else
            translate_quote(lexer.text, out);
    }
    lexer_end(&lexer);
}

static void set_command(struct sheet *to, const char *key, const char *path, const char *tuple)
{
    struct buf out;
    buf_init(&out, 65536);
    if (path != NULL)
        translate_quote(path, &out);
    add_words(&out, tuple != NULL ? tuple : "", path != NULL);
    char *command = buf_end(&out);
    sheet_set(to, key, command, 0);
    if (strstr(command, "%(") != NULL)
        sheet_note(to,
                   "%s has a %%(...) of getmail's in it; write $FETCHPOP_RECIPIENT or its like "
                   "(fetchpop(1)).",
                   key);
    free(command);
}

/* A path, in which getmail fills in variables. Malloced; NULL: there is none. */
static char *path_of(const struct sheet *from, const char *name)
{
    static const struct translate_mark marks[] = {
        {"$HOME/", "~/"}, {"${HOME}/", "~/"}, {NULL, NULL}};
    const char *value = sheet_value(from, name);
    return value != NULL ? translate_fill_all(value, marks) : NULL;
}

static void translate_delivery(const struct sheet *from, struct sheet *to)
{
    const char *type = sheet_value(from, "destination.type");
    char *path = path_of(from, "destination.path");
    if (type != NULL && path != NULL && strcmp(type, "Maildir") == 0)
        sheet_set(to, "maildir", path, 0);
    else if (type != NULL && path != NULL && strncmp(type, "Mboxrd", 6) == 0)
        sheet_set(to, "mbox", path, 0);
    else if (type != NULL && path != NULL && strcmp(type, "MDA_external") == 0)
        set_command(to, "mda", path, sheet_value(from, "destination.arguments"));
    else
        sheet_note(to,
                   "Left out: the destination %s: write maildir, mbox, or an mda that shares "
                   "mail out.",
                   type != NULL ? type : "(none)");
    free(path);
}

static void translate_options(const struct sheet *from, struct sheet *to)
{
    const char *days = sheet_value(from, "options.delete_after");
    const char *size = sheet_value(from, "options.max_message_size");
    const char *most = sheet_value(from, "options.max_bytes_per_session");
    const char *all = sheet_value(from, "options.read_all");
    if (sheet_is_on(from, "options.delete")) /* it deletes at once then */
        sheet_set(to, "keep", "no", 0);
    else if (days != NULL && strtoul(days, NULL, 10) > 0)
        sheet_setf(to, "keep", "%sd", days);
    else
        sheet_set(to, "keep", "yes", 0);
    if (sheet_is_on(from, "options.received"))
        sheet_set(to, "trace_header", "yes", 0);
    if (size != NULL && strtoul(size, NULL, 10) > 0)
        sheet_set(to, "max_size", size, 0);
    if (most != NULL && strtoul(most, NULL, 10) > 0)
        sheet_set(to, "max_bytes", most, 0);
    if (all != NULL && sheet_is_on(from, "options.read_all"))
        sheet_note(to,
                   "Left out: read_all: what was fetched once is fetched again only with --all.");
}

static void translate_login(const struct sheet *from, const struct translate_place *place,
                            struct sheet *to)
{
    const char *command = sheet_value(from, "retriever.password_command");
    bool token = sheet_is_on(from, "retriever.use_xoauth2");
    if (command != NULL)
        set_command(to, token ? "token_command" : "password_command", NULL, command);
    else
        translate_secret(from, "retriever.password", place, to);
    if (sheet_is_on(from, "retriever.use_apop"))
        sheet_set(to, "auth", "apop", 0);
}

/* Runs of what a name of a file may not have everywhere become a -. */
static void tame(char *name)
{
    char *to = name;
    bool run = false;
    for (const char *p = name; *p != '\0'; p++) {
        bool bad = strchr("/\\:;<>|", *p) != NULL;
        if (!bad || !run)
            *to++ = bad ? '-' : *p;
        run = bad;
    }
    *to = '\0';
}

/* The list lies beside the file, or in the folder that the file names. */
static void translate_list(const struct sheet *from, const struct translate_place *place,
                           struct sheet *to)
{
    char *named = path_of(from, "retriever.getmaildir");
    const char *folder = named != NULL ? named : place->folder;
    const char *server = sheet_value(from, "retriever.server");
    const char *user = sheet_value(from, "retriever.username");
    const char *port = sheet_value(from, "retriever.port");
    const char *usual = strcmp(sheet_value(to, "tls"), "implicit") == 0 ? "995" : "110";
    if (folder != NULL && server != NULL && user != NULL) {
        char *name = xasprintf("oldmail-%s-%s-%s", server, port != NULL ? port : usual, user);
        tame(name);
        to->seen = xasprintf("%s/%s", folder, name);
        free(name);
    }
    free(named);
}

static void read_text(struct str text, const struct translate_place *place, struct sheets *to,
                      struct sheet *top)
{
    struct sheets raw = {0};
    struct sheet *from = sheets_add(&raw, "", NULL);
    (void)top;
    read_lines(text, from);
    const char *type = sheet_value(from, "retriever.type");
    const char *name = sheet_value(from, "retriever.server");
    if (type != NULL) {
        struct sheet *sheet = sheets_add(to, name != NULL ? name : "getmail", NULL);
        if (strstr(type, "POP3") == NULL) {
            sheet->left_out = xasprintf("it is a %s, and fetchpop speaks only POP3", type);
        } else {
            translate_rows(rows, ROWS, from, sheet);
            sheet_set(sheet, "tls", strstr(type, "SSL") != NULL ? "implicit" : "none", 0);
            if (strstr(type, "Multidrop") != NULL)
                sheet_note(sheet,
                           "Left out: %s: mail is not shared out among users; give it to an "
                           "mda that does.",
                           type);
            translate_login(from, place, sheet);
            translate_delivery(from, sheet);
            translate_options(from, sheet);
            translate_list(from, place, sheet);
        }
    }
    sheets_free(&raw);
}

static bool looks(struct str text)
{
    struct str rest;
    struct str word = translate_first(text, &rest);
    return word.len > 0 && word.ptr[0] == '[' && str_contains_nocase(text, "[retriever]");
}

const struct import_program import_getmail = {
    "getmail",
    {"~/.config/getmail/getmailrc", "~/.getmail/getmailrc"},
    "~/.config/getmail/oldmail-SERVER-PORT-USER",
    "~/.config/getmail/oldmail-%s-%p-%u",
    read_text,
    looks};
