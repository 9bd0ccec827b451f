/* SPDX-License-Identifier: ISC */
/*
 * kit_log: a log whose lines a unit test can look at, each with its level in front.
 */
#ifndef FP_TESTS_KIT_LOG_H
#define FP_TESTS_KIT_LOG_H

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static char heard[20000];

static inline void hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    size_t at = strlen(heard);
    snprintf(heard + at, sizeof heard - at, "%d %s\n", (int)level, line);
}

static const struct log log_all = {.level = FP_LOG_TRACE, .write = hear};

#endif
