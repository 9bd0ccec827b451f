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
#include "base/program.h"
#include "base/xalloc.h"
#include "delivery/handover.h"
#include "delivery/unread.h"
#include "delivery/variables.h"

#define NAME_SHOWN 64
#define EXIT_LATER 75 /* EX_TEMPFAIL of sysexits.h */
#define EXIT_NOT_RUN 126
#define EXIT_NOT_FOUND 127

/* ---- the first word of a command ---- */

/* The first word if the shell takes it as it is: as the name of a program. */
static bool plain_word(const char *command, struct str *word)
{
    struct str rest = str_trim(str_from(command));
    *word = str_word(&rest);
    return word->len > 0 && str_is_made_of(*word, "_./+,:@-") && !program_is_of_shell(*word);
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
    struct str rest = str_from(program_path());
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
        return err_set(err, ERR_CONFIG, "the command is empty; give one, such as \"procmail\"");
    if (!plain_word(settings->where, &word))
        return 0; /* only the shell knows */
    char *name = xmemdup0(word.ptr, word.len);
    int number = strchr(name, '/') != NULL ? look_at_program(name) : find_program(word);
    if (number == EACCES)
        err_set(err, ERR_CONFIG,
                "%.200s cannot be run; check that it is a program, and its permissions", name);
    else if (number != 0)
        err_set(err, ERR_CONFIG, "%.200s: no such command; install it, or give its full path",
                name);
    free(name);
    return number == 0 ? 0 : -1;
}

/* ---- running it ---- */

/* Its own descriptor: at the front, and only for reading. */
static int run(const struct deliver_settings *settings, const struct parcel *parcel, int input,
               struct child_result *result, struct err *err)
{
    const struct variables of = {settings->account, parcel->uidl, parcel->octets, parcel->header};
    char **variables = variables_make(&of);
    struct child_job job = {.command = settings->where,
                            .input = input,
                            .env = (const char *const *)variables,
                            .deadline = clock_in(settings->command_timeout),
                            .stoppable = false,
                            .log = settings->log,
                            .idle = settings->idle,
                            .idle_ctx = settings->idle_ctx};
    int status = child_run(&job, result, err);
    variables_free(variables);
    return status;
}

static void judge(const struct deliver_settings *settings, const struct child_result *result,
                  struct parcel *parcel)
{
    char name[NAME_SHOWN];
    short_name(settings->where, name);
    if (result->end == CHILD_EXITED || result->end == CHILD_SIGNALLED)
        parcel->status = result->code + (result->end == CHILD_SIGNALLED ? 128 : 0);
    parcel->unsure = result->end == CHILD_TIMEOUT;
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
    .open = handover_open,
    .close = handover_close,
    .publish = publish,
    HANDOVER_VERBS,
};
