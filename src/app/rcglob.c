/* SPDX-License-Identifier: ISC */
#include "app/rcglob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

bool rcglob_is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

/* glob(3) does not tell an empty folder from a missing one. */
static int check_folder(const char *pattern, struct err *err)
{
    char *folder = file_parent(pattern);
    int result = 0;
    if (!rcglob_is_pattern(folder) && file_access(folder, R_OK | X_OK) < 0)
        result = err_set(err, ERR_CONFIG, "include: %s: %s; check the path and its permissions",
                         folder, strerror(errno));
    free(folder);
    return result;
}

int rcglob_find(struct rcglob *files, const char *pattern, struct err *err)
{
    *files = (struct rcglob){0};
    int result = glob(pattern, GLOB_ERR, NULL, &files->found);
    files->paths = files->found.gl_pathv;
    files->count = result == 0 ? files->found.gl_pathc : 0;
    if (result == 0 || (result == GLOB_NOMATCH && check_folder(pattern, err) == 0))
        return 0;
    if (result != GLOB_NOMATCH)
        err_set(err, ERR_CONFIG, "include: %s: a folder cannot be read; check its permissions",
                pattern);
    rcglob_free(files);
    return -1;
}

void rcglob_free(struct rcglob *files)
{
    globfree(&files->found);
    *files = (struct rcglob){0};
}
