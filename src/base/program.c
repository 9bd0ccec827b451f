/* SPDX-License-Identifier: ISC */
#include "base/program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/xalloc.h"

const char *program_path(void)
{
    const char *path = getenv("PATH");
    return path != NULL ? path : "/usr/local/bin:/usr/bin:/bin";
}

bool program_is_of_shell(struct str word)
{
    static const char words[] =
        "! { [ case do done elif else esac fi for if in then until while function time . : "
        "break eval exec exit export continue readonly set shift times trap unset return alias "
        "bg cd fc fg jobs getopts hash command kill newgrp pwd read type ulimit umask unalias "
        "wait echo printf test true false local source builtin coproc select";
    return str_is_among(word, words);
}

char *program_folder(const char *command, const char *path)
{
    struct str word = str_of(command, strcspn(command, " \t\n;|&"));
    char *name = xmemdup0(word.ptr, word.len), *found = NULL;
    if (strpbrk(name, "/=<>'\"$(`\\") != NULL || program_is_of_shell(word))
        found = xstrdup("");
    for (struct str rest = str_from(path); rest.len > 0 && found == NULL;) {
        struct str folder = str_until(&rest, ':');
        char *file = xasprintf("%.*s/%s", (int)folder.len, folder.ptr, name);
        if (access(file, X_OK) == 0)
            found = xmemdup0(folder.ptr, folder.len);
        free(file);
    }
    free(name);
    return found;
}
