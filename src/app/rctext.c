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
static int check_kind(const char *name, const struct stat *info, struct err *err)
{
    if (S_ISDIR(info->st_mode))
        return err_set(err, ERR_CONFIG, "%s: is a folder, not a configuration file; name a file",
                       name);
    if (!S_ISREG(info->st_mode)) {
        return err_set(err, ERR_CONFIG, "%s: is not a regular file; `-f -` reads standard input",
                       name);
    }
    if (info->st_uid != geteuid() && info->st_uid != 0) {
        return err_set(err, ERR_CONFIG,
                       "%s: belongs to somebody else (uid %lu), who could have any command run; "
                       "make a copy of your own",
                       name, (unsigned long)info->st_uid);
    }
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(err, ERR_CONFIG,
                       "%s: others can write to it, and so have any command run; chmod go-w %s",
                       name, name);
    }
    return 0;
}

static int check_file(struct rctext *text, int fd, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return err_errno(err, ERR_CONFIG, errno, "%s", text->name);
    if (!text->is_input && check_kind(text->name, &info, err) < 0)
        return -1;
    if (text->is_input && S_ISDIR(info.st_mode))
        return err_set(err, ERR_CONFIG, "%s: is a folder, not a configuration file; name a file",
                       text->name);
    text->device = info.st_dev;
    text->inode = info.st_ino;
    text->others_read = S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
    return 0;
}

/* Reads into memory that never moves, so that no copy of a password is left behind. */
static int read_all(struct rctext *text, int fd, struct err *err)
{
    text->data = xmalloc(RCTEXT_MAX + RCTEXT_PADDING);
    for (;;) {
        /* One octet more than allowed tells "full" from "too long". */
        ssize_t n = read(fd, text->data + text->size, RCTEXT_MAX + 1 - text->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_CONFIG, errno, "%s", text->name);
        if (n == 0) {
            memset(text->data + text->size, '\n', RCTEXT_PADDING);
            return 0;
        }
        text->size += (size_t)n;
        if (text->size > RCTEXT_MAX) {
            return err_set(err, ERR_CONFIG,
                           "%s: is larger than 1 MB; that is not a configuration file", text->name);
        }
    }
}

int rctext_read(struct rctext *text, const char *path, struct err *err)
{
    *text = (struct rctext){.is_input = strcmp(path, "-") == 0};
    text->name = xstrdup(text->is_input ? "standard input" : path);
    int fd = STDIN_FILENO;
    if (!text->is_input) {
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
    if (!text->is_input)
        close(fd);
    if (result != 0)
        rctext_free(text);
    return result;
}

int rctext_from(struct rctext *text, const char *name, const char *bytes, size_t size,
                struct err *err)
{
    *text = (struct rctext){.name = xstrdup(name)};
    if (size > RCTEXT_MAX) {
        rctext_free(text);
        return err_set(err, ERR_CONFIG, "%s: is larger than 1 MB; that is not a configuration file",
                       name);
    }
    text->data = xmalloc(RCTEXT_MAX + RCTEXT_PADDING);
    memcpy(text->data, bytes, size);
    text->size = size;
    memset(text->data + size, '\n', RCTEXT_PADDING);
    return 0;
}

struct str rctext_line(const struct rctext *text, unsigned number)
{
    struct str rest = str_of(text->data, text->size);
    struct str line = str_until(&rest, '\n');
    while (--number > 0 && rest.len > 0)
        line = str_until(&rest, '\n');
    return line;
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
    if (text->data != NULL)
        secret_wipe_bytes(text->data, text->size);
    free(text->data);
    free(text->name);
    free(text->sections);
    *text = (struct rctext){0};
}
