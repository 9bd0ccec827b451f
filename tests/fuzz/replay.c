/* SPDX-License-Identifier: ISC */
/*
 * replay: a fuzz target without a fuzzer. Runs it over the files and folders that are named, or
 * over its own folder in the corpus: $top_srcdir/tests/fuzz/corpus/NAME. Speaks TAP.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX (8 * 1024 * 1024)

static unsigned count;

static void replay_file(const char *path, const char *name)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(INPUT_MAX);
    fuzz_check(file != NULL && bytes != NULL);
    size_t len = fread(bytes, 1, INPUT_MAX, file);
    char *copy = fuzz_copy(bytes, len);
    fclose(file);
    free(bytes);
    printf("# %s\n", name); /* so that a crash has a name */
    fflush(stdout);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
    free(copy);
    printf("ok %u - %s\n", ++count, name);
}

static void run(const char *path)
{
    struct dirent **names;
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        replay_file(path, path);
        return;
    }
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && stat(file, &status) == 0 && S_ISREG(status.st_mode))
            replay_file(file, names[i]->d_name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    const char *top = getenv("top_srcdir"), *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    char corpus[4096];
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    if (argc == 1) {
        snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".", name);
        run(corpus);
    }
    if (count == 0)
        printf("not ok 1 - there is no corpus\n1..1\n");
    else
        printf("1..%u\n", count);
    return count == 0;
}
