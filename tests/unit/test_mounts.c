/* SPDX-License-Identifier: ISC */
/* Which mount point of a table a path belongs to, if nothing is mounted there. */
#include "base/mounts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "tap.h"

static char folder[PATH_MAX];

/* A table of this one line; "%s" stands for our folder. What is found, without that folder. */
static void is_missing(const char *line, const char *below, const char *want, const char *name)
{
    FILE *table = fopen("table", "w");
    fprintf(table, "# <device> <point> <type> <options>\n\nswap none swap sw 0 0\n");
    for (const char *at = line; *at != '\0'; at++)
        if (*at == '%')
            fprintf(table, "%s", folder);
        else
            fputc(*at, table);
    fclose(table);
    char *path = below[0] == '/' ? xstrdup(below) : xasprintf("%s/%s", folder, below);
    char *found = mounts_find_missing("table", path);
    is_str(found != NULL ? found + strlen(folder) : "nothing", want, name);
    free(found);
    free(path);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    char *made = xasprintf("%s/fp-mounts-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(made) == NULL || realpath(made, folder) == NULL || chdir(folder) < 0)
        xdie("no temporary folder");
    mkdir("disk", 0700);
    mkdir("a disk", 0700);
    if (symlink("disk", "link") < 0)
        xdie("no link");
    is_missing("UUID=x %/disk ext4 noauto 0 2", "disk/Mail/new", "/disk", "nothing is mounted");
    is_missing("UUID=x\t%/disk\text4\tnoauto\t0\t2\n", "disk", "/disk", "it is the point itself");
    is_missing("UUID=x %/disk ext4 noauto 0 2", "link/Mail", "/disk", "a link leads below it");
    is_missing("UUID=x %/link ext4 noauto 0 2", "disk/Mail", "/link", "the table has a link");
    is_missing("UUID=x %/a\\040disk ext4 x 0 2", "a disk/Mail", "/a disk", "a blank in its name");
    is_missing("UUID=x %/none ext4 noauto 0 2", "none/Mail", "/none", "the point is not there");
    is_missing("UUID=x %/disk ext4 noauto 0 2", "disk2/Mail", "nothing", "another folder's name");
    is_missing("UUID=x %/disk/in ext4 noauto 0 2", "disk/Mail", "nothing", "a point beside it");
    is_missing("#UUID=x %/disk ext4 noauto 0 2", "disk/Mail", "nothing", "a comment");
    is_missing("/x %/disk none rw,bind 0 0", "disk/Mail", "nothing", "a bind mount");
    is_missing("UUID=x / ext4 rw 0 1", "disk/Mail", "nothing", "the root folder");
    is_missing("proc /proc proc rw 0 0", "/proc/none", "nothing", "something is mounted");
    is_missing("UUID=x", "disk/Mail", "nothing", "half a line");
    unlink("table");
    char *found = mounts_find_missing("table", folder);
    ok(found == NULL, "without a table nothing is known");
    unlink("link");
    rmdir("a disk");
    rmdir("disk");
    if (chdir("/") < 0 || rmdir(folder) < 0)
        printf("# %s stays\n", folder);
    free(made);
    return tap_done();
}
