/* SPDX-License-Identifier: ISC */
#include "app/rctext.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/xalloc.h"

/* ERR_CONFIG about the file as a whole. */
static int check_kind(const struct rctext_part *part, const struct stat *info, struct err *err)
{
    const char *name = part->name;
    if (S_ISDIR(info->st_mode))
        return err_set(err, ERR_CONFIG, "%s: is a folder, not a configuration file; name a file",
                       name);
    if (part->is_input)
        return 0;
    if (!S_ISREG(info->st_mode))
        return err_set(err, ERR_CONFIG, "%s: is not a regular file; `-f -` reads standard input",
                       name);
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return err_set(err, ERR_CONFIG,
                       "%s: belongs to somebody else (uid %lu), who could have any command run; "
                       "make a copy of your own",
                       name, (unsigned long)info->st_uid);
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, ERR_CONFIG,
                       "%s: others can write to it, and so have any command run; chmod go-w %s",
                       name, name);
    return 0;
}

static int check_file(struct rctext *text, int fd, struct err *err)
{
    struct rctext_part *part = text->parts;
    struct stat info;
    if (fstat(fd, &info) < 0)
        return err_errno(err, ERR_CONFIG, errno, "%s", part->name);
    if (check_kind(part, &info, err) < 0)
        return -1;
    part->device = info.st_dev;
    part->inode = info.st_ino;
    part->others_read = S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
    bool known = S_ISREG(info.st_mode) && info.st_size > 0 && info.st_size < RCTEXT_MAX;
    text->max = known ? (size_t)info.st_size : RCTEXT_MAX;
    return 0;
}

/* One octet more than allowed tells "full" from "too long". */
static void allocate(struct rctext *text)
{
    char *block = xmalloc(RCTEXT_MARGIN + text->max + 1 + RCTEXT_PADDING + RCTEXT_MARGIN);
    text->data = block + RCTEXT_MARGIN;
}

static int refuse_length(const struct rctext *text, struct err *err)
{
    const char *name = text->parts->name;
    if (text->max < RCTEXT_MAX)
        return err_set(err, ERR_CONFIG, "%s: grew while it was read; try again", name);
    return err_set(err, ERR_CONFIG, "%s: is larger than %d MB; that is not a configuration file",
                   name, RCTEXT_MAX / (1024 * 1024));
}

static int read_all(struct rctext *text, int fd, struct err *err)
{
    allocate(text);
    for (;;) {
        ssize_t n = read(fd, text->data + text->size, text->max + 1 - text->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_CONFIG, errno, "%s", text->parts->name);
        if (n == 0)
            return 0;
        text->size += (size_t)n;
        if (text->size > text->max)
            return refuse_length(text, err);
    }
}

static void begin(struct rctext *text, const char *name)
{
    *text = (struct rctext){.parts = xcalloc(1, sizeof *text->parts), .part_count = 1};
    *text->parts = (struct rctext_part){.name = xstrdup(name), .first = 1};
}

int rctext_read(struct rctext *text, const char *path, struct err *err)
{
    bool is_input = strcmp(path, "-") == 0;
    begin(text, is_input ? "standard input" : path);
    text->parts->is_input = is_input;
    int fd = STDIN_FILENO;
    if (!is_input) {
        /* O_NONBLOCK: a FIFO must not hold us before we could see that it is one. */
        fd = file_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd < 0) {
            err_set(err, ERR_CONFIG, "%s: %s; check %s", path, strerror(errno),
                    errno == EACCES ? "who owns the file, its permissions and its folder's"
                                    : "the path of the configuration file");
            rctext_free(text);
            return -1;
        }
    }
    int result = check_file(text, fd, err);
    if (result == 0)
        result = read_all(text, fd, err);
    if (!is_input)
        close(fd);
    if (result != 0)
        rctext_free(text);
    return result;
}

int rctext_from(struct rctext *text, const char *name, const char *bytes, size_t size,
                struct err *err)
{
    begin(text, name);
    text->max = size;
    if (size > RCTEXT_MAX) {
        refuse_length(text, err);
        rctext_free(text);
        return -1;
    }
    allocate(text);
    memcpy(text->data, bytes, size);
    text->size = size;
    return 0;
}

void rctext_begin(struct rctext *all)
{
    *all = (struct rctext){.max = RCTEXT_PIECE};
    allocate(all);
}

bool rctext_append(struct rctext *all, struct rctext *one)
{
    if (one->size >= all->max - all->size)
        return false;
    memcpy(all->data + all->size, one->data, one->size);
    all->size += one->size;
    all->data[all->size++] = '\n';
    all->parts = xreallocarray(all->parts, all->part_count + 1, sizeof *all->parts);
    all->parts[all->part_count] = *one->parts;
    all->parts[all->part_count++].first += all->lines;
    one->part_count = 0;
    all->sections = xreallocarray(all->sections, all->section_count + one->section_count + 1,
                                  sizeof *all->sections);
    for (size_t i = 0; i < one->section_count; i++)
        all->sections[all->section_count++] = one->sections[i] + all->lines;
    all->lines += one->lines;
    rctext_free(one);
    return true;
}

const struct rctext_part *rctext_part(const struct rctext *text, unsigned line)
{
    size_t low = 0, high = text->part_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (text->parts[middle].first <= line)
            low = middle;
        else
            high = middle;
    }
    return &text->parts[low];
}

struct str rctext_line(const struct rctext *text, unsigned number)
{
    struct str rest = str_of(text->data, text->size);
    struct str line = str_until(&rest, '\n');
    while (--number > 0 && rest.len > 0)
        line = str_until(&rest, '\n');
    return line;
}

bool rctext_sets(struct str line, const char *name)
{
    size_t len = strlen(name);
    for (; line.len > 0; line = str_behind(line, 1)) {
        if (!str_has_prefix_nocase(line, name))
            continue;
        struct str behind = str_trim(str_behind(line, len));
        if (behind.len > 0 && (behind.ptr[0] == '=' || behind.ptr[0] == '+'))
            return true;
    }
    return false;
}

bool rctext_in_value(struct str line, const char *word)
{
    str_until(&line, '=');
    for (struct str left = str_trim(line); left.len > 0; left = str_trim(left)) {
        struct str this = str_word(&left);
        struct str behind = str_trim(left);
        if (str_is(this, word))
            return behind.len == 0 || strchr("=+{(", behind.ptr[0]) == NULL;
    }
    return false;
}

void rctext_free(struct rctext *text)
{
    if (text->data != NULL) {
        secret_wipe_bytes(text->data, text->size);
        free(text->data - RCTEXT_MARGIN);
    }
    for (size_t i = 0; i < text->part_count; i++)
        free(text->parts[i].name);
    free(text->parts);
    free(text->sections);
    *text = (struct rctext){0};
}
