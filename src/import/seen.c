/* SPDX-License-Identifier: ISC */
#include "import/seen.h"

#include <string.h>

#define UIDL_MAX 255

struct seen_format {
    const char *name;
    bool names_mailbox;
    /* Reads one line, which is not empty, into *seen, which keeps what earlier lines said; its uidl
     * is empty before, and stays so if the line has none. False: it is no line of such a list. */
    bool (*line)(struct str line, struct seen *seen);
};

static struct str without_cr(struct str line)
{
    return line.len > 0 && line.ptr[line.len - 1] == '\r' ? str_of(line.ptr, line.len - 1) : line;
}

/* The user may have an @ of its own. */
static bool read_fetchmail(struct str line, struct seen *seen)
{
    struct str user, server;
    if (!str_split_last(str_until(&line, ' '), '@', &user, &server) || user.len == 0)
        return false;
    seen->user = user;
    seen->server = server;
    seen->uidl = line;
    seen->any_case = true;
    return true;
}

static bool read_mpop(struct str line, struct seen *seen)
{
    uint64_t count;
    if (line.ptr[0] == '#' && seen->server.len == 0) /* what it says of itself, at the top */
        return true;
    if (line.ptr[0] != ' ') {
        seen->uidl = line;
        return seen->server.len > 0;
    }
    if (str_take_number(&line, UINT64_MAX, &count) < 0)
        return false;
    seen->server = str_word(&line);
    seen->user = str_trim(line);
    return true;
}

static bool read_getmail(struct str line, struct seen *seen)
{
    uint64_t when = 0;
    if (memchr(line.ptr, '\0', line.len) == NULL)
        return false;
    seen->uidl = str_until(&line, '\0');
    if (str_number(line, UINT32_MAX, &when) < 0)
        when = 0;
    seen->when = (int64_t)when;
    return true;
}

static bool read_fdm(struct str line, struct seen *seen)
{
    uint64_t len;
    struct str digits = str_until(&line, ' ');
    if (str_number(digits, UIDL_MAX, &len) < 0 || line.len != len)
        return false;
    seen->uidl = str_of(line.ptr, (size_t)len);
    return true;
}

static bool read_uidl(struct str line, struct seen *seen)
{
    seen->uidl = line;
    return true;
}

static const struct seen_format formats[] = {{"fetchmail", true, read_fetchmail},
                                             {"mpop", true, read_mpop},
                                             {"getmail", false, read_getmail},
                                             {"fdm", false, read_fdm},
                                             {"uidl", false, read_uidl}};

const struct seen_format *seen_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (str_is(str_from(name), formats[i].name))
            return &formats[i];
    return NULL;
}

bool seen_names_mailbox(const struct seen_format *format)
{
    return format->names_mailbox;
}

const char *seen_names(void)
{
    return "fetchmail, mpop, getmail, fdm or uidl";
}

/* Of RFC 1939's octets; longer ones than its 70 are met with. */
static bool is_uidl(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
            return false;
    return text.len <= UIDL_MAX;
}

/* The number of the first line that is none of such a list; 0: all are. take NULL: only looks. */
static unsigned read_lines(const struct seen_format *format, struct str text,
                           void (*take)(void *ctx, const struct seen *seen), void *ctx)
{
    struct seen seen = {.when = 0};
    for (unsigned number = 1; text.len > 0; number++) {
        struct str line = without_cr(str_until(&text, '\n'));
        if (line.len == 0)
            continue;
        seen.uidl = str_of(line.ptr, 0);
        if (!format->line(line, &seen) || !is_uidl(seen.uidl))
            return number;
        if (take != NULL && seen.uidl.len > 0)
            take(ctx, &seen);
    }
    return 0;
}

int seen_read(const struct seen_format *format, struct str text,
              void (*take)(void *ctx, const struct seen *seen), void *ctx, struct err *err)
{
    unsigned wrong = read_lines(format, text, NULL, NULL);
    if (wrong > 0)
        return err_set(err, ERR_CONFIG,
                       "line %u does not belong in a list of %s; check the file, and the program",
                       wrong, format->name);
    (void)read_lines(format, text, take, ctx);
    return 0;
}
