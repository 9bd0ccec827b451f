/* SPDX-License-Identifier: ISC */
#include "app/program.h"

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

/* POSIX's special and other words that are not files. */
static bool is_of_shell(struct str word)
{
    static const char *const words[] = {":",  ".",       "!",    "{",     "[",      "case",
                                        "cd", "command", "eval", "exec",  "export", "for",
                                        "if", "set",     "trap", "umask", "until",  "while"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

char *program_folder(const char *command, const char *path)
{
    struct str word = str_of(command, strcspn(command, " \t\n;|&"));
    char *name = xmemdup0(word.ptr, word.len), *found = NULL;
    if (strpbrk(name, "/=<>'\"$(`\\") != NULL || is_of_shell(word))
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
