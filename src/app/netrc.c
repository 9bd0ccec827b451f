/* SPDX-License-Identifier: ISC */
#include "app/netrc.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct reader {
    const char *at, *end;
    unsigned line, word_line;
    const char *name;
    char *word; /* as large as the file; the last word, without its quotes */
    size_t len;
    bool bare_comment; /* the word began with # and was not quoted */
    struct err *err;
};

struct entry {
    bool ours, fallback;
    bool login_differs;
    bool has_password;
};

static int refuse(const struct reader *reader, const char *what)
{
    return err_set(reader->err, ERR_CONFIG, "%s:%u: %s", reader->name, reader->word_line, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

static int read_quoted(struct reader *reader)
{
    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && reader->at + 1 < reader->end)
            reader->at++;
        if (*reader->at == '\n')
            break;
        reader->word[reader->len++] = *reader->at;
    }
    if (reader->at >= reader->end || *reader->at != '"')
        return refuse(reader, "a \" that is not closed on this line; close it");
    reader->at++;
    return 1;
}

/* The next word: 1, 0 at the end, -1. */
static int read_word(struct reader *reader)
{
    while (reader->at < reader->end && is_blank(*reader->at)) {
        reader->line += *reader->at == '\n';
        reader->at++;
    }
    reader->len = 0;
    reader->word_line = reader->line;
    if (reader->at == reader->end)
        return 0;
    reader->bare_comment = *reader->at == '#';
    if (*reader->at == '"')
        return read_quoted(reader);
    while (reader->at < reader->end && !is_blank(*reader->at))
        reader->word[reader->len++] = *reader->at++;
    return 1;
}

static bool word_is(const struct reader *reader, const char *text)
{
    return str_is(str_of(reader->word, reader->len), text);
}

static void skip_line(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at != '\n')
        reader->at++;
}

/* A macro ends at an empty line. */
static void skip_macro(struct reader *reader)
{
    for (;;) {
        skip_line(reader);
        if (reader->at == reader->end)
            return;
        reader->at++;
        reader->line++;
        if (reader->at == reader->end || *reader->at == '\n')
            return;
    }
}

/* A keyword with a value: reads the value too. */
static int read_pair(struct reader *reader, struct entry *entry, const char *host, const char *user,
                     struct secret *password)
{
    bool machine = word_is(reader, "machine");
    bool login = word_is(reader, "login");
    bool secret = word_is(reader, "password");
    if (!machine && !login && !secret && !word_is(reader, "account"))
        return refuse(
            reader, "expected machine, default, login, password, account or macdef; see netrc(5)");
    int got = read_word(reader);
    if (got <= 0)
        return got < 0 ? -1 : refuse(reader, "a value is missing at the end; add it");
    struct str value = str_of(reader->word, reader->len);
    if (machine) {
        *entry = (struct entry){.ours = str_is_nocase(value, host)};
    } else if (login) {
        entry->login_differs = !str_is(value, user);
    } else if (secret && (entry->ours || entry->fallback)) {
        entry->has_password = true;
        if (secret_set(password, value) < 0)
            return refuse(reader, "the password is too long; check it");
    }
    return 1;
}

static bool fits(const struct entry *entry)
{
    return (entry->ours || entry->fallback) && !entry->login_differs && entry->has_password;
}

/* True if a new entry begins with the word that was read. */
static bool begins(const struct reader *reader)
{
    return word_is(reader, "machine") || word_is(reader, "default") || word_is(reader, "macdef");
}

/* At the end of an entry: 1 if it is the host's own and fits. That of `default` is put aside, since
 * one for the host may still come. */
static int close_entry(const struct entry *entry, struct secret *password, struct secret *fallback)
{
    if (!fits(entry))
        return 0;
    if (entry->ours)
        return 1;
    if (fallback->data == NULL) {
        *fallback = *password; /* moved */
        *password = (struct secret){0};
    }
    return 0;
}

static int search(struct reader *reader, const char *host, const char *user,
                  struct secret *password, struct secret *fallback)
{
    struct entry entry = {0};
    int got;
    while ((got = read_word(reader)) == 1) {
        if (reader->bare_comment) {
            /* The word may have been the last on its line. */
            skip_line(reader);
            continue;
        }
        if (begins(reader) && close_entry(&entry, password, fallback) == 1)
            return 1;
        if (word_is(reader, "default")) {
            entry = (struct entry){.fallback = true};
        } else if (word_is(reader, "macdef")) {
            entry = (struct entry){0};
            skip_macro(reader);
        } else if (read_pair(reader, &entry, host, user, password) < 0) {
            return -1;
        }
    }
    return got < 0 ? -1 : close_entry(&entry, password, fallback);
}

int netrc_find(struct str text, const char *name, const char *host, const char *user,
               struct secret *password, struct err *err)
{
    struct reader reader = {
        .at = text.ptr, .end = text.ptr + text.len, .line = 1, .name = name, .err = err};
    reader.word = xmalloc(text.len + 1);
    struct secret fallback = {0};
    int result = search(&reader, host, user, password, &fallback);
    if (result != 1)
        secret_wipe(password);
    if (result == 0 && fallback.data != NULL) {
        *password = fallback; /* moved */
        result = 1;
    } else {
        secret_wipe(&fallback);
    }
    secret_wipe_bytes(reader.word, text.len + 1);
    free(reader.word);
    return result;
}
