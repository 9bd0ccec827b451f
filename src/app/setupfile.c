/* SPDX-License-Identifier: ISC */
#include "app/setupfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/paths.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "import/translate.h"

#define CONFIG_MAX ((size_t)1024 * 1024)

static int slurp(struct setupfile *file, struct err *err)
{
    int fd = file_open(file->path, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_errno(err, ERR_CONFIG, errno, "%s", file->path);
    int result = file_read(fd, &file->before, file->path, err);
    close(fd);
    return result;
}

/* What is there and what is added, read as one file. */
static int parse_with(const struct setupfile *file, const struct buf *added, struct buf *whole,
                      struct config *config, struct err *err)
{
    secret_buf_init(whole, file->before.len + added->len + 1);
    buf_add(whole, file->before.data, file->before.len);
    if (whole->len > 0 && whole->data[whole->len - 1] != '\n')
        buf_add(whole, "\n", 1);
    buf_add(whole, added->data, added->len);
    return config_parse(config, file->path, whole->data, whole->len, err);
}

/* A file without an account is not a mistake here. */
static int read_settings(struct setupfile *file, struct err *err)
{
    struct config config;
    struct buf any, whole;
    buf_init(&any, CONFIG_MAX);
    buf_addf(&any, "account \"new, by --setup\" { server = new.invalid user = new mda = \":\" }\n");
    int result = parse_with(file, &any, &whole, &config, err);
    if (result == 0) {
        if (config.top.state_dir != NULL)
            file->state_dir = xstrdup(config.top.state_dir);
        config_free(&config);
    }
    buf_free(&any);
    secret_buf_free(&whole);
    return result;
}

static char *spell_command(const struct options *options)
{
    const char *const words[][2] = {{"-f", options->config_file},
                                    {"--state-dir", options->state_dir}};
    struct buf out;
    buf_init(&out, CONFIG_MAX);
    buf_addf(&out, "fetchpop");
    for (size_t i = 0; i < 2; i++) {
        if (words[i][1] == NULL)
            continue;
        buf_addf(&out, " %s ", words[i][0]);
        translate_quote(words[i][1], &out);
    }
    char *text = xmemdup0(out.data, out.len);
    buf_free(&out);
    return text;
}

int setupfile_read(struct setupfile *file, const struct options *options, struct err *err)
{
    struct err none;
    secret_buf_init(&file->before, CONFIG_MAX);
    file->command = spell_command(options);
    file->usual =
        options->config_file == NULL && options->state_dir == NULL && getenv("FETCHPOPRC") == NULL;
    file->path = paths_config_file(options->config_file, &none);
    if (file->path == NULL)
        file->path = paths_expand("~/.fetchpoprc", err);
    if (file->path == NULL || slurp(file, err) < 0)
        return -1;
    return file->before.len > 0 ? read_settings(file, err) : 0;
}

void setupfile_free(struct setupfile *file)
{
    secret_buf_free(&file->before);
    free(file->path);
    free(file->state_dir);
    free(file->command);
}

static int spell_whole(const struct setupfile *file, const struct buf *added, struct buf *whole,
                       struct err *err)
{
    struct config config;
    int result = parse_with(file, added, whole, &config, err);
    if (result == 0)
        config_free(&config);
    return result;
}

int setupfile_check(const struct setupfile *file, const struct buf *added, struct err *err)
{
    struct buf whole;
    int result = spell_whole(file, added, &whole, err);
    secret_buf_free(&whole);
    return result;
}

static struct account *titled(const struct config *config, const char *title)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->accounts[i]->title, title) == 0)
            return config->accounts[i];
    return NULL;
}

bool setupfile_has(const struct setupfile *file, const char *title)
{
    struct config config;
    struct err none;
    if (file->before.len == 0 ||
        config_parse(&config, file->path, file->before.data, file->before.len, &none) < 0)
        return false; /* it has no account at all */
    bool found = titled(&config, title) != NULL;
    config_free(&config);
    return found;
}

static void make_up(struct sheet *sheet)
{
    if (sheet_find(sheet, "user") == NULL)
        sheet_set(sheet, "user", "nobody", 0);
    if (sheet_find(sheet, "maildir") == NULL && sheet_find(sheet, "mbox") == NULL &&
        sheet_find(sheet, "mda") == NULL)
        sheet_set(sheet, "mda", ":", 0);
}

int setupfile_try(const struct setupfile *file, const struct sheet *sheet, struct config *config,
                  struct account **account, struct err *err)
{
    struct sheets sheets = {0};
    struct buf text, whole;
    make_up(sheets_add(&sheets, sheet->title, sheet));
    buf_init(&text, CONFIG_MAX);
    sheets_spell(&sheets, 0, &text);
    int result = parse_with(file, &text, &whole, config, err);
    if (result == 0)
        *account = titled(config, sheet->title);
    assert(result < 0 || *account != NULL); /* the title is one that is taken as it is */
    secret_buf_free(&whole);
    buf_free(&text);
    sheets_free(&sheets);
    return result;
}

/* Somebody may have edited it while the questions were asked. */
int setupfile_write(struct setupfile *file, const struct buf *added, struct err *err)
{
    struct buf whole;
    secret_buf_free(&file->before);
    secret_buf_init(&file->before, CONFIG_MAX);
    if (slurp(file, err) < 0)
        return -1;
    char *real = file->before.len > 0 ? realpath(file->path, NULL) : NULL;
    const char *path = real != NULL ? real : file->path;
    int result = spell_whole(file, added, &whole, err);
    if (result == 0)
        result = file_replace(path, whole.data, whole.len, 0600, true, err);
    secret_buf_free(&whole);
    free(real);
    return result;
}
