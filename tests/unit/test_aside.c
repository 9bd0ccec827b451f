/* SPDX-License-Identifier: ISC */
/*
 * aside: what is held back, when it is reported, and what is not.
 */
#include "session/aside.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

static char heard[200];
static unsigned lines;

static void hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof heard - len, "%d%.9s|", (int)level, line);
    lines++;
}

static struct log to = {.level = FP_LOG_TRACE, .write = hear};

static void test_held_back(void)
{
    char wanted[40];
    struct aside aside;
    heard[0] = '\0';
    aside_begin(&aside, &to, true);
    log_line(&aside.log, FP_LOG_ERROR, "one");
    log_line(&aside.log, FP_LOG_NOTE, "two");
    is_str(heard, "", "lines are held back");
    aside_tell(&aside);
    snprintf(wanted, sizeof wanted, "%done|%dtwo|", FP_LOG_ERROR, FP_LOG_NOTE);
    is_str(heard, wanted, "and reported in their order, with their levels");
    aside_tell(&aside);
    is_str(heard, wanted, "each line is told once");
    log_line(&aside.log, FP_LOG_ERROR, "three");
    aside_end(&aside, false);
    is_str(heard, wanted, "what is not to be reported is forgotten");
}

static void test_not_held_back(void)
{
    char wanted[40];
    struct aside aside;
    heard[0] = '\0';
    aside_begin(&aside, &to, false);
    log_line(&aside.log, FP_LOG_ERROR, "one");
    snprintf(wanted, sizeof wanted, "%done|", FP_LOG_ERROR);
    is_str(heard, wanted, "where somebody looks on, nothing is held back");
    aside_end(&aside, false);
}

static void test_too_much(void)
{
    char line[1001];
    struct aside aside;
    heard[0] = '\0';
    lines = 0;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    aside_begin(&aside, &to, true);
    for (int i = 0; i < 200; i++)
        log_line(&aside.log, FP_LOG_ERROR, "%s", line);
    is_int(lines, 0, "200 kB are held back");
    for (int i = 0; i < 200; i++)
        log_line(&aside.log, FP_LOG_ERROR, "%s", line);
    is_int(lines, 400, "400 kB are not: all of it is reported");
    aside_end(&aside, false);
}

int main(void)
{
    test_held_back();
    test_not_held_back();
    test_too_much();
    return tap_done();
}
