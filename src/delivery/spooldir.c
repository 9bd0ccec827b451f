#include "delivery/spooldir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"

char *spooldir_path(const struct deliver_settings *settings)
{
    return xasprintf("%s/spool", settings->state_dir);
}

int spooldir_open(struct spooldir *dir, const struct deliver_settings *settings, struct err *err)
{
    dir->path = spooldir_path(settings);
    dir->fd = -1;
    if (file_make_folder(dir->path, settings->durable, err) < 0)
        return -1;
    dir->fd = file_open(dir->path, O_RDONLY | O_DIRECTORY, 0);
    if (dir->fd < 0)
        return err_errno(err, ERR_CREATE, errno, "cannot open the folder %s", dir->path);
    return 0;
}

void spooldir_close(struct spooldir *dir)
{
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    dir->fd = -1;
    dir->path = NULL;
}

void spooldir_place(const struct spooldir *dir, const char *kind, struct buf *out)
{
    buf_addf(out, "%s ", kind);
    spooldir_add_word(out, dir->path);
}

int spooldir_sweep(const struct deliver_settings *settings, struct str words, struct err *err)
{
    char *path = spooldir_word(str_word(&words));
    int fd = path == NULL ? -1 : file_open(path, O_RDONLY | O_DIRECTORY, 0);
    int result = 0;
    if (fd >= 0) {
        result = spool_sweep(fd, path, settings->mailbox, err);
        close(fd);
    } else if (path != NULL && errno != ENOENT) {
        result = err_errno(err, ERR_IO, errno, "cannot open the folder %s", path);
    }
    free(path);
    return result;
}

void spooldir_add_word(struct buf *out, const char *text)
{
    size_t cap = STR_ESCAPED_MAX(strlen(text));
    char *escaped = xmalloc(cap);
    size_t len = str_escape(str_from(text), escaped, cap);
    buf_add(out, escaped, len);
    free(escaped);
}

char *spooldir_word(struct str word)
{
    char *text = xmalloc(word.len + 1);
    size_t len;
    if (str_unescape(word, text, word.len, &len) < 0 || memchr(text, '\0', len) != NULL) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}
