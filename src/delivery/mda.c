/* SPDX-License-Identifier: ISC */
/*
 * A command: gets each message, complete in a spool file of the state folder, as its standard
 * input.
 *
 * Whether a command has flushed what it was given, its exit status does not say: a power cut may
 * cost what it reported as delivered. And a take that is still open says only that it may have run:
 * so it is run again, with the same file, and a crash can deliver that one message twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/handover.h"
#include "delivery/kind.h"
#include "delivery/spooldir.h"
#include "delivery/unread.h"

#define NAME_SHOWN 64
#define EXIT_LATER 75 /* EX_TEMPFAIL of sysexits.h */
#define EXIT_NOT_RUN 126
#define EXIT_NOT_FOUND 127

/* ---- the first word of a command ---- */

static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,:@-";

/* What the shell does itself (POSIX, XCU 2.4, 2.14 and the built-ins of common shells). */
static const char *const of_the_shell[] = {
    "!",      "case",    "do",      "done",    "elif",   "else",     "esac",     "fi",   "for",
    "if",     "in",      "then",    "until",   "while",  "function", "time",     ".",    ":",
    "break",  "eval",    "exec",    "exit",    "export", "continue", "readonly", "set",  "shift",
    "times",  "trap",    "unset",   "return",  "alias",  "bg",       "cd",       "fc",   "fg",
    "jobs",   "getopts", "hash",    "command", "kill",   "newgrp",   "pwd",      "read", "type",
    "ulimit", "umask",   "unalias", "wait",    "echo",   "printf",   "test",     "true", "false",
    "local",  "source",  "builtin", "coproc",  "select"};

/* The first word if the shell takes it as it is: as the name of a program. */
static bool plain_word(const char *command, struct str *word)
{
    struct str rest = str_trim(str_from(command));
    *word = str_word(&rest);
    for (size_t i = 0; i < word->len; i++)
        if (memchr(plain, word->ptr[i], sizeof plain - 1) == NULL)
            return false;
    for (size_t i = 0; i < sizeof of_the_shell / sizeof of_the_shell[0]; i++)
        if (str_is(*word, of_the_shell[i]))
            return false;
    return word->len > 0;
}

/* "procmail", or "the command". */
static void short_name(const char *command, char out[NAME_SHOWN])
{
    struct str word;
    snprintf(out, NAME_SHOWN, "the command");
    if (!plain_word(command, &word))
        return;
    for (size_t i = word.len; i > 0; i--)
        if (word.ptr[i - 1] == '/') {
            word = str_behind(word, i);
            break;
        }
    if (word.len > 0 && word.len < NAME_SHOWN)
        snprintf(out, NAME_SHOWN, "%.*s", (int)word.len, word.ptr);
}

/* 0 if it is a program that we may run, else errno. */
static int look_at_program(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

/* Through PATH as the shell goes; 0, EACCES or ENOENT. What is in a folder that may not be searched
 * is not there. */
static int find_program(struct str name)
{
    const char *path = getenv("PATH");
    struct str rest = str_from(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    int result = ENOENT;
    do {
        struct str folder = str_until(&rest, ':');
        char *program = xasprintf("%.*s%s%.*s", (int)folder.len, folder.ptr,
                                  folder.len > 0 ? "/" : "./", (int)name.len, name.ptr);
        int number = look_at_program(program);
        bool exists = access(program, F_OK) == 0;
        free(program);
        if (number == 0)
            return 0;
        if (number == EACCES && exists)
            result = EACCES;
    } while (rest.len > 0);
    return result;
}

static int probe(const struct deliver_settings *settings, struct err *err)
{
    struct str word;
    if (str_trim(str_from(settings->where)).len == 0)
        return err_set(err, ERR_CONFIG,
                       "mda: the command is empty; give one, such as \"procmail\"");
    if (!plain_word(settings->where, &word))
        return 0; /* only the shell knows */
    char *name = xmemdup0(word.ptr, word.len);
    int number = strchr(name, '/') != NULL ? look_at_program(name) : find_program(word);
    if (number == EACCES)
        err_set(err, ERR_CONFIG,
                "mda: %.200s cannot be run; check that it is a program and its permissions", name);
    else if (number != 0)
        err_set(err, ERR_CONFIG, "mda: %.200s: no such command; install it, or give its full path",
                name);
    free(name);
    return number == 0 ? 0 : -1;
}

/* ---- spooling ---- */

static int open_kind(struct deliver *deliver, struct err *err)
{
    deliver->state = xcalloc(1, sizeof(struct spooldir));
    return spooldir_open(deliver->state, deliver->settings, err);
}

static void close_kind(struct deliver *deliver)
{
    if (deliver->state == NULL)
        return;
    spooldir_close(deliver->state);
    free(deliver->state);
}

/* ---- running it ---- */

enum { ENV_ACCOUNT, ENV_UIDL, ENV_SIZE, ENV_SENDER, ENV_RECIPIENT, ENVS };

/* A UIDL is 0x21 to 0x7e by RFC 1939, and whatever a server sends in truth: other bytes, and a '-'
 * in front, which would make an option of it, are percent-escaped. */
static char *clean_uidl(struct str uidl)
{
    size_t at = 0;
    char *clean = xmalloc(3 * uidl.len + 1);
    for (size_t i = 0; i < uidl.len; i++) {
        unsigned char byte = (unsigned char)uidl.ptr[i];
        if (byte >= 0x21 && byte <= 0x7e && (byte != '-' || i > 0))
            clean[at++] = uidl.ptr[i];
        else
            at += (size_t)snprintf(clean + at, 4, "%%%02X", byte);
    }
    clean[at] = '\0';
    return clean;
}

/* An address comes from outside: one that a command would take for an option is left out. It is
 * known to hold only 0x21 to 0x7e. */
static const char *clean_address(const char *address)
{
    return address[0] == '-' ? "" : address;
}

static void make_env(const struct deliver_settings *settings, const struct parcel *parcel,
                     char *env[ENVS])
{
    char *uidl = clean_uidl(parcel->uidl);
    env[ENV_ACCOUNT] = xasprintf("FETCHPOP_ACCOUNT=%s", settings->account);
    env[ENV_UIDL] = xasprintf("FETCHPOP_UIDL=%s", uidl);
    env[ENV_SIZE] = xasprintf("FETCHPOP_SIZE=%llu", (unsigned long long)parcel->octets);
    env[ENV_SENDER] = xasprintf("FETCHPOP_SENDER=%s", clean_address(header_sender(parcel->header)));
    env[ENV_RECIPIENT] =
        xasprintf("FETCHPOP_RECIPIENT=%s", clean_address(header_recipient(parcel->header)));
    free(uidl);
}

/* Its own descriptor: at the front, and only for reading. */
static int run(const struct deliver_settings *settings, const struct parcel *parcel, int input,
               struct child_result *result, struct err *err)
{
    char *env[ENVS];
    const char *given[ENVS + 1] = {NULL};
    make_env(settings, parcel, env);
    for (size_t i = 0; i < ENVS; i++)
        given[i] = env[i];
    struct child_job job = {.command = settings->where,
                            .input = input,
                            .env = given,
                            .deadline = clock_in(settings->command_timeout),
                            .stoppable = false,
                            .log = settings->log,
                            .idle = settings->idle,
                            .idle_ctx = settings->idle_ctx};
    int status = child_run(&job, result, err);
    for (size_t i = 0; i < ENVS; i++)
        free(env[i]);
    return status;
}

static void judge(const struct deliver_settings *settings, const struct child_result *result,
                  struct parcel *parcel)
{
    char name[NAME_SHOWN];
    short_name(settings->where, name);
    if (result->end == CHILD_EXITED || result->end == CHILD_SIGNALLED)
        parcel->status = result->code + (result->end == CHILD_SIGNALLED ? 128 : 0);
    if (result->end == CHILD_SIGNALLED)
        handover_settle(parcel, PARCEL_LATER, "%s was ended by signal %d", name, result->code);
    else if (result->end != CHILD_EXITED)
        handover_settle(parcel, PARCEL_LATER, "%s did not end within %lld seconds", name,
                        (long long)(settings->command_timeout / 1000));
    else if (result->code == 0)
        parcel->outcome = PARCEL_DELIVERED;
    else if (result->code == EXIT_NOT_FOUND)
        handover_settle(parcel, PARCEL_LATER, "%s: no such command (127)", name);
    else if (result->code == EXIT_NOT_RUN)
        handover_settle(parcel, PARCEL_LATER, "%s cannot be run (126)", name);
    else if (result->code == EXIT_LATER)
        handover_settle(parcel, PARCEL_LATER, "%s says: try again later (75)", name);
    else
        handover_settle(parcel, PARCEL_REFUSED, "%s exited with %d", name, result->code);
}

/* True if the command should read its input. What the shell does by itself (`true`, `exit 0`) reads
 * nothing. */
static bool is_to_read(const char *command)
{
    struct str word;
    return plain_word(command, &word) || strchr(command, '|') != NULL;
}

/* It counts as delivered: some commands only need to be started. */
static void warn_unread(const struct deliver_settings *settings, const struct parcel *parcel)
{
    char name[NAME_SHOWN], uidl[LOG_QUOTE_MAX + 4];
    short_name(settings->where, name);
    log_line(settings->log, FP_LOG_WARNING,
             "%s exited with 0, but nobody has read the message (UIDL %s, %llu octets); try bash "
             "-o pipefail",
             name, log_quote(settings->log, parcel->uidl, uidl),
             (unsigned long long)parcel->octets);
}

static int publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct child_result result;
        int input = openat(batch[i]->folder, batch[i]->name, O_RDONLY | O_CLOEXEC);
        if (input < 0)
            return err_errno(err, ERR_IO, errno, "cannot open %s", batch[i]->path);
        bool marked = unread_mark(input);
        int status = run(deliver->settings, batch[i], input, &result, err);
        bool unread = marked && unread_is(input);
        close(input);
        if (status < 0)
            return -1;
        judge(deliver->settings, &result, batch[i]);
        if (unread && batch[i]->outcome == PARCEL_DELIVERED && is_to_read(deliver->settings->where))
            warn_unread(deliver->settings, batch[i]);
    }
    return 0;
}

const struct kind mda_kind = {
    .name = "mda",
    .probe = probe,
    .open = open_kind,
    .close = close_kind,
    .publish = publish,
    HANDOVER_VERBS,
};
