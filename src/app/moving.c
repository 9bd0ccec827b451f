#include "app/moving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/paths.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "import/import.h"

#define FILE_MAX ((size_t)1024 * 1024)

static void start(struct buf *buf)
{
    buf_init(buf, FILE_MAX);
    buf_reserve(buf, FILE_MAX); /* growing would leave copies of a password behind */
}

static void finish(struct buf *buf)
{
    secret_wipe_bytes(buf->data, buf->cap);
    buf_free(buf);
}

/* A password may be copied there: into a file that nobody else can read. */
static bool is_private_output(void)
{
    struct stat info;
    return fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) &&
           !file_is_shared(STDOUT_FILENO, &info);
}

static int slurp(const char *path, struct buf *buf, struct err *err)
{
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "%s: %s; name the file to import", path, strerror(errno));
    int result = file_read(fd, buf, path, err);
    if (!input)
        close(fd);
    return result;
}

static int import_file(struct import *import, const char *path, bool secret_ok, struct err *err)
{
    struct buf text;
    start(&text);
    struct translate_place place = {strcmp(path, "-") == 0 ? "standard input" : path, secret_ok};
    int result = slurp(path, &text, err);
    if (result == 0)
        result = import_add(import, buf_str(&text), &place, err);
    finish(&text);
    return result;
}

static int import_all(struct import *import, const struct options *options, struct err *err)
{
    bool secret_ok = is_private_output();
    for (size_t i = 0; i < options->account_count; i++)
        if (import_file(import, options->accounts[i], secret_ok, err) < 0)
            return -1;
    if (options->account_count > 0)
        return 0;
    char *path = paths_expand(import->program->file, err);
    int result = path != NULL ? import_file(import, path, secret_ok, err) : -1;
    free(path);
    return result;
}

/* What is printed is read as the configuration file that it is to become. */
static int check(const struct buf *out, struct err *err)
{
    struct config config;
    struct err why;
    int result = config_parse(&config, "line", out->data, out->len, &why);
    if (result == 0)
        config_free(&config);
    else
        err_set(err, ERR_CONFIG, "what was printed is not complete yet: %s", why.text);
    return result;
}

int moving_import(const struct options *options, struct err *err)
{
    const struct import_program *program = import_find(options->import);
    if (program == NULL)
        return err_set(err, ERR_USAGE, "--import takes %s, not \"%.60s\"", import_names(),
                       options->import);
    struct import import;
    struct buf out;
    import_begin(&import, program);
    start(&out);
    int result = import_all(&import, options, err);
    if (result == 0) {
        import_spell(&import, &out);
        result = file_write(STDOUT_FILENO, out.data, out.len, "standard output", err);
    }
    if (result == 0)
        result = check(&out, err);
    import_end(&import);
    finish(&out);
    return result;
}
