/* SPDX-License-Identifier: ISC */
/*
 * kit_config: configuration files from memory, for unit tests.
 */
#ifndef FP_TESTS_KIT_CONFIG_H
#define FP_TESTS_KIT_CONFIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "tap.h"

/* Bytes that make an account whole, but for what a test adds. */
#define WHOLE "server = \"s\" user = \"u\" maildir = \"/m\" "

static inline int parse_bytes(struct config *config, const char *text, size_t len, struct err *err)
{
    err_clear(err);
    return config_parse(config, "rc", text, len, err);
}

static inline int parse(struct config *config, const char *text, struct err *err)
{
    return parse_bytes(config, text, strlen(text), err);
}

/* The text is refused with 78, in this line, with these words. */
static inline void refused(const char *name, const char *text, unsigned line, const char *words)
{
    struct config config;
    struct err err;
    char place[40];
    int result = parse(&config, text, &err);
    snprintf(place, sizeof place, "rc:%u: ", line);
    bool good = result == -1 && err_status(err.kind) == 78 &&
                strncmp(err.text, place, strlen(place)) == 0 && strstr(err.text, words) != NULL;
    if (!ok(good, "refused: %s", name))
        printf("#      got: %d, %s\n# expected: %s ... %s\n", result, err.text, place, words);
    if (result == 0)
        config_free(&config);
}

/* An account of WHOLE and these settings is refused in line 2. */
static inline void refused_setting(const char *setting, const char *words)
{
    char text[1000];
    snprintf(text, sizeof text, "account a { " WHOLE "\n%s\n}\n", setting);
    refused(setting, text, 2, words);
}

static inline struct account *one(struct config *config, const char *text)
{
    struct err err;
    if (parse(config, text, &err) < 0) {
        ok(false, "taken: %s", text);
        printf("# %s\n", err.text);
        exit(1);
    }
    return config->accounts[0];
}

#endif
