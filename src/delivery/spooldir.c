/* SPDX-License-Identifier: ISC */
#include "delivery/spooldir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"

char *spooldir_path(const struct deliver_settings *settings)
{
    return xasprintf("%s/spool", settings->state_dir);
}

uint64_t spooldir_share(uint64_t room, unsigned copies)
{
    return room > DELIVER_SPARE ? (room - DELIVER_SPARE) / copies + DELIVER_SPARE : room;
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

void spooldir_place(const struct deliver_settings *settings, const char *kind, struct buf *out)
{
    char *path = spooldir_path(settings);
    buf_addf(out, "%s ", kind);
    words_add(out, str_from(path));
    free(path);
}

int spooldir_clear(const char *path, const struct deliver_settings *settings, struct err *err)
{
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOENT ? 0
                               : err_errno(err, ERR_IO, errno, "cannot open the folder %s", path);
    int result = spool_sweep(fd, path, settings->mailbox, NULL, settings->keeps, err);
    close(fd);
    return result;
}

int spooldir_sweep(const struct deliver_settings *settings, struct str words, struct err *err)
{
    char *path = words_text(str_word(&words));
    int result = path != NULL ? spooldir_clear(path, settings, err) : 0;
    free(path);
    return result < 0 ? -1 : 0;
}
