/* SPDX-License-Identifier: ISC */
#include "app/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"

char *paths_expand(const char *path, struct err *err)
{
    if (path[0] == '~' && path[1] != '\0' && path[1] != '/') {
        err_set(err, ERR_CONFIG, "~ stands for your own home folder only; write the path in full");
        return NULL;
    }
    char *home = file_expand("~", NULL);
    char *whole = file_expand(path, home);
    free(home);
    if (whole[0] == '/')
        return whole;
    free(whole);
    err_set(err, ERR_CONFIG,
            "the home folder is not known (HOME is not set); write the path in full");
    return NULL;
}

bool paths_allow(const char *path, int mode)
{
    struct err err;
    char *whole = paths_expand(path, &err);
    bool allowed = whole != NULL && access(whole, mode) == 0;
    free(whole);
    return allowed;
}

/* XDG says that a relative path in its variables is to be ignored. */
static char *below_xdg(const char *variable, const char *otherwise, const char *name,
                       struct err *err)
{
    const char *folder = getenv(variable);
    if (folder != NULL && folder[0] == '/')
        return xasprintf("%s/%s", folder, name);
    char *path = xasprintf("%s/%s", otherwise, name);
    char *whole = paths_expand(path, err);
    free(path);
    return whole;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

char *paths_config_file(const char *given, struct err *err)
{
    const char *named = given != NULL ? given : getenv("FETCHPOPRC");
    if (named != NULL && named[0] != '\0')
        return xstrdup(named);
    char *first = paths_expand("~/.fetchpoprc", err);
    if (first == NULL || is_there(first))
        return first;
    char *second = below_xdg("XDG_CONFIG_HOME", "~/.config", "fetchpop/fetchpoprc", err);
    if (second == NULL || is_there(second)) {
        free(first);
        return second;
    }
    err_set(err, ERR_CONFIG,
            "no configuration file: neither %s nor %s exists; fetchpop --setup writes one; see "
            "fetchpoprc(5)",
            first, second);
    free(first);
    free(second);
    return NULL;
}

char *paths_state(const char *given, const char *configured, struct err *err)
{
    if (given != NULL && given[0] == '\0') {
        err_set(err, ERR_USAGE, "--state-dir needs the path of a folder");
        return NULL;
    }
    if (given != NULL) {
        char *here = getcwd(NULL, 0);
        char *path = file_expand(given, here);
        free(here);
        if (path[0] != '/') {
            err_set(err, ERR_CONFIG, "%s: the working folder is not known; write the path in full",
                    path);
            free(path);
            return NULL;
        }
        return path;
    }
    if (configured != NULL)
        return xstrdup(configured);
    return below_xdg("XDG_STATE_HOME", "~/.local/state", "fetchpop", err);
}
