/* SPDX-License-Identifier: ISC */
/*
 * kit_config: configuration files from memory, and in a folder of their own, for unit tests.
 */
#ifndef FP_TESTS_KIT_CONFIG_H
#define FP_TESTS_KIT_CONFIG_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- files: between make_folder and remove_folder ---- */

static const struct rcparse_want all; /* no shard, nobody who listens */
static char folder[150];

static inline void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/test_config.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        printf("Bail out! mkdtemp\n");
        exit(1);
    }
}

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *path_of(const char *name)
{
    static char path[250];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void write_file(const char *name, mode_t mode, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0) {
        printf("Bail out! %s: %s\n", path_of(name), strerror(errno));
        exit(1);
    }
    close(fd);
}

/* The file is refused with these words; "@" in them is the test's folder. */
static inline void refused_file(const char *name, const char *words)
{
    char want[600];
    const char *at = strchr(words, '@');
    int before = at != NULL ? (int)(at - words) : (int)strlen(words);
    snprintf(want, sizeof want, "%.*s%s%s", before, words, at != NULL ? folder : "",
             at != NULL ? at + 1 : "");
    struct config config;
    struct err err;
    err_clear(&err);
    int result = config_read(&config, path_of(name), &all, &err);
    if (!ok(result == -1 && err.kind == ERR_CONFIG && strstr(err.text, want) != NULL, "file: %s",
            words))
        printf("#      got: %d, %s\n", result, err.text);
    if (result == 0)
        config_free(&config);
}

#endif
