/* SPDX-License-Identifier: ISC */
#include "base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"

#define TABLE_MAX ((size_t)1024 * 1024)
#define ESCAPE 4 /* octets of "\040" */

static int octal(const char *digits)
{
    int value = 0;
    for (int i = 0; i < ESCAPE - 1; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return -1;
        value = 8 * value + digits[i] - '0';
    }
    return value > 0 && value < 256 ? value : -1;
}

/* Blanks of a mount point are written in octal; malloced. */
static char *unescape(struct str word)
{
    char *text = xmemdup0(word.ptr, word.len), *to = text;
    for (const char *at = text; *at != '\0'; to++) {
        int value = *at == '\\' ? octal(at + 1) : -1;
        *to = value > 0 ? (char)value : *at;
        at += value > 0 ? ESCAPE : 1;
    }
    *to = '\0';
    return text;
}

/* As mountpoint(1): its parent is on another file system, or is the same folder, "/". What cannot
 * be seen may be. */
static bool is_mounted(const char *point)
{
    struct stat at, above;
    if (stat(point, &at) < 0)
        return errno != ENOENT;
    char *parent = xasprintf("%s/..", point);
    bool seen = stat(parent, &above) == 0;
    free(parent);
    return !seen || at.st_dev != above.st_dev || at.st_ino == above.st_ino;
}

/* With all links followed, as far as it is there. */
static char *resolve(const char *path)
{
    char *there = xstrdup(path), *real;
    while ((real = realpath(there, NULL)) == NULL && errno == ENOENT && strcmp(there, "/") != 0) {
        char *parent = file_parent(there);
        free(there);
        there = parent;
    }
    size_t len = strlen(there);
    char *whole = real == NULL || len <= 1 ? xstrdup(path) : xasprintf("%s%s", real, path + len);
    free(there);
    free(real);
    return whole;
}

static bool is_below(const char *path, const char *point)
{
    size_t len = strlen(point);
    return strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The mount point of a line, if the path is or lies below it, and nothing is mounted; else NULL. */
static char *look(struct str line, const char *path)
{
    struct str device = str_word(&line), point = str_word(&line);
    str_word(&line); /* type */
    bool bind = str_contains_nocase(str_word(&line), "bind");
    if (bind || str_has_prefix(device, "#") || point.len < 2 || point.ptr[0] != '/')
        return NULL;
    char *text = unescape(point), *real = resolve(text);
    bool missing = is_below(path, real) && !is_mounted(real);
    free(real);
    if (missing)
        return text;
    free(text);
    return NULL;
}

char *mounts_find_missing(const char *table, const char *path)
{
    struct buf text;
    char *found = NULL;
    int fd = file_open(table, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return NULL;
    buf_init(&text, TABLE_MAX);
    if (file_read(fd, &text, table, NULL) == 0) {
        char *real = resolve(path);
        for (struct str rest = buf_str(&text); rest.len > 0 && found == NULL;)
            found = look(str_until(&rest, '\n'), real);
        free(real);
    }
    buf_free(&text);
    close(fd);
    return found;
}
