/* SPDX-License-Identifier: ISC */
#include "app/dialog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/stop.h"
#include "base/str.h"

#define SAID_MAX 2048

int dialog_open(struct dialog *dialog, struct err *err)
{
    dialog->fd = file_open("/dev/tty", O_RDWR | O_NOCTTY, 0);
    if (dialog->fd >= 0 && isatty(STDIN_FILENO) == 1)
        return 0;
    dialog_close(dialog);
    return err_set(err, ERR_USAGE,
                   "--setup needs a terminal to ask its questions on; run it on "
                   "one, or see fetchpoprc(5)");
}

void dialog_close(struct dialog *dialog)
{
    if (dialog->fd >= 0)
        close(dialog->fd);
    dialog->fd = -1;
}

void dialog_say(const struct dialog *dialog, const char *fmt, ...)
{
    char text[SAID_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    file_write(dialog->fd, text, strlen(text), "the terminal", NULL);
}

static void write_line(void *ctx, enum log_level level, const char *line)
{
    (void)level;
    dialog_say(ctx, "%s\n", line);
}

struct log dialog_log(struct dialog *dialog)
{
    return (struct log){.level = FP_LOG_WARNING, .write = write_line, .ctx = dialog};
}

/* The terminal gives whole lines; what is too long is cut. */
static int read_line(const struct dialog *dialog, char answer[DIALOG_ANSWER_MAX], struct err *err)
{
    size_t len = 0;
    for (;;) {
        char c;
        struct pollfd wait = {.fd = dialog->fd, .events = POLLIN};
        int ready = poll(&wait, 1, STOP_SLICE_MS);
        ssize_t n = ready > 0 && !stop_asked() ? read(dialog->fd, &c, 1) : -1;
        if (stop_asked() || n == 0)
            return err_set(err, ERR_STOPPED, "--setup was ended; nothing was written");
        if (n < 0)
            continue;
        if (c == '\n')
            break;
        if (len < DIALOG_ANSWER_MAX - 1)
            answer[len++] = c;
    }
    answer[len] = '\0';
    return 0;
}

int dialog_ask(const struct dialog *dialog, const char *question, const char *otherwise,
               char answer[DIALOG_ANSWER_MAX], struct err *err)
{
    for (;;) {
        if (otherwise != NULL)
            dialog_say(dialog, "%s [%s] ", question, otherwise);
        else
            dialog_say(dialog, "%s ", question);
        if (read_line(dialog, answer, err) < 0)
            return -1;
        struct str given = str_trim(str_from(answer));
        memmove(answer, given.ptr, given.len);
        answer[given.len] = '\0';
        if (given.len == 0 && otherwise != NULL)
            snprintf(answer, DIALOG_ANSWER_MAX, "%s", otherwise);
        if (answer[0] != '\0' && !str_has_control(str_from(answer)))
            return 0;
        dialog_say(dialog, "Type an answer and Enter; Ctrl-C ends --setup.\n");
    }
}

int dialog_confirm(const struct dialog *dialog, const char *question, bool otherwise, bool *yes,
                   struct err *err)
{
    char answer[DIALOG_ANSWER_MAX];
    for (;;) {
        if (dialog_ask(dialog, question, otherwise ? "yes" : "no", answer, err) < 0)
            return -1;
        *yes = answer[0] == 'y' || answer[0] == 'Y';
        if (*yes || answer[0] == 'n' || answer[0] == 'N')
            return 0;
        dialog_say(dialog, "Answer yes or no.\n");
    }
}

int dialog_choose(const struct dialog *dialog, const char *question, const char *const *choices,
                  size_t count, size_t *choice, struct err *err)
{
    char answer[DIALOG_ANSWER_MAX], first[24];
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        dialog_say(dialog, "  %zu  %s\n", i + 1, choices[i]);
    snprintf(first, sizeof first, "%zu", *choice + 1);
    for (;;) {
        if (dialog_ask(dialog, question, first, answer, err) < 0)
            return -1;
        if (str_number(str_from(answer), count, &number) == 0 && number > 0)
            break;
        dialog_say(dialog, "Answer with a number from 1 to %zu.\n", count);
    }
    *choice = (size_t)number - 1;
    return 0;
}
