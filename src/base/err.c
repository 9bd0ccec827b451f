/* SPDX-License-Identifier: ISC */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    int status;
    bool keeps_connection;
    enum err_side side;
} traits[ERR_KINDS] = {
    [ERR_NONE] = {"none", 0, true, ERR_SIDE_NONE},
    [ERR_USAGE] = {"usage", 64, true, ERR_SIDE_HERE},
    [ERR_MESSAGE] = {"message", 65, true, ERR_SIDE_NONE},
    [ERR_HOST] = {"unknown-host", 68, false, ERR_SIDE_STAYS},
    [ERR_REFUSED] = {"refused", 69, true, ERR_SIDE_STAYS},
    [ERR_WORKER] = {"worker", 70, false, ERR_SIDE_HERE},
    [ERR_SYSTEM] = {"system", 71, true, ERR_SIDE_HERE},
    [ERR_CREATE] = {"cannot-create", 73, true, ERR_SIDE_HERE},
    [ERR_IO] = {"local-io", 74, true, ERR_SIDE_HERE},
    [ERR_AGAIN] = {"unavailable", 75, true, ERR_SIDE_PASSES},
    [ERR_DELAY] = {"login-delay", 75, true, ERR_SIDE_PASSES},
    [ERR_NETWORK] = {"no-network", 75, false, ERR_SIDE_PASSES},
    [ERR_LOCAL] = {"local-trouble", 75, true, ERR_SIDE_HERE},
    [ERR_TIMEOUT] = {"timeout", 75, false, ERR_SIDE_PASSES},
    [ERR_CLOSED] = {"connection-lost", 75, false, ERR_SIDE_PASSES},
    [ERR_LOCKED] = {"locked", 75, true, ERR_SIDE_HERE},
    [ERR_BUSY] = {"busy", 75, true, ERR_SIDE_HERE},
    [ERR_STOPPED] = {"interrupted", 75, false, ERR_SIDE_HERE},
    [ERR_PROTOCOL] = {"protocol", 76, false, ERR_SIDE_STAYS},
    [ERR_FRAMING] = {"out-of-step", 76, false, ERR_SIDE_STAYS},
    [ERR_LOGIN] = {"login", 77, true, ERR_SIDE_STAYS},
    [ERR_PASSWORD_REFUSED] = {"password-refused", 77, true, ERR_SIDE_STAYS},
    [ERR_LOGIN_REFUSED] = {"login-refused", 77, true, ERR_SIDE_STAYS},
    [ERR_TRUST] = {"untrusted", 77, false, ERR_SIDE_STAYS},
    [ERR_CONFIG] = {"config", 78, true, ERR_SIDE_HERE},
};

/* Worst first. */
static const int order[] = {64, 70, 71, 78, 77, 76, 74, 73, 69, 68, 65, 75, 0};

/* As far as there is room. */
static void add(struct err *err, const char *more)
{
    size_t at = strlen(err->text), len = strlen(more), room = sizeof err->text - 1 - at;
    if (len > room)
        len = room;
    memcpy(err->text + at, more, len);
    err->text[at + len] = '\0';
}

/* Formats aside first, since an argument may be the old text itself. */
static void fill(struct err *err, enum err_kind kind, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
static void fill(struct err *err, enum err_kind kind, const char *fmt, va_list args)
{
    char text[ERR_TEXT_MAX];
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    err->kind = kind;
    err->text[0] = '\0';
    add(err, text);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    va_list args;
    va_start(args, fmt);
    fill(err, kind, fmt, args);
    va_end(args);
    return -1;
}

static enum err_kind kind_of(int number, enum err_kind kind)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_LOCAL;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return ERR_SYSTEM;
    default:
        return kind;
    }
}

/* What a person can do about it. */
static const char *remedy(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return "; make room there";
    case EACCES:
    case EPERM:
        return "; check who owns it and its permissions";
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return "; check the path";
    case EISDIR:
        return "; name a file";
    case EPIPE:
        return "; nobody reads it any more";
    case EROFS:
        return "; use a file system that can be written to";
    case EIO:
        return "; check the disk";
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return "; try again when the machine has more resources free";
    default:
        return "; try again later";
    }
}

int err_errno(struct err *err, enum err_kind kind, int number, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    va_list args;
    va_start(args, fmt);
    fill(err, kind_of(number, kind), fmt, args);
    va_end(args);
    add(err, ": ");
    add(err, strerror(number));
    add(err, remedy(number));
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    struct err was = *err;
    va_list args;
    va_start(args, fmt);
    fill(err, was.kind, fmt, args);
    va_end(args);
    add(err, ": ");
    add(err, was.text);
    return -1;
}

void err_append(struct err *err, const char *fmt, ...)
{
    struct err more;
    va_list args;
    va_start(args, fmt);
    fill(&more, err->kind, fmt, args);
    va_end(args);
    add(err, more.text);
}

void err_clear(struct err *err)
{
    if (err != NULL) {
        err->kind = ERR_NONE;
        err->text[0] = '\0';
    }
}

int err_status(enum err_kind kind)
{
    return traits[kind].status;
}

/* A status that is not one of ours came from a worker that ended in its own way: as bad as 70. */
static size_t rank(int status)
{
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (order[i] == status)
            return i;
    return 1;
}

const char *err_word(enum err_kind kind)
{
    return traits[kind].word;
}

int err_worst(int a, int b)
{
    return rank(b) < rank(a) ? b : a;
}

enum err_side err_whose(enum err_kind kind)
{
    return traits[kind].side;
}

bool err_keeps_connection(enum err_kind kind)
{
    return traits[kind].keeps_connection;
}
