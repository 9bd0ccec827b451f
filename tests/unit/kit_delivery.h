/* SPDX-License-Identifier: ISC */
/*
 * What the unit tests of delivery share: a private folder, settings, files in and out, and messages
 * through the verbs.
 */
#ifndef FP_TESTS_KIT_DELIVERY_H
#define FP_TESTS_KIT_DELIVERY_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "delivery/deliver.h"
#include "tap.h"

#define KIT_A "aaaaaaaaaaaaaaaa"
#define KIT_B "bbbbbbbbbbbbbbbb"
#define KIT_STATE "0123456789abcdef"

static char kit_folder[128];
static char kit_said[8192]; /* log lines, each with its LF */

__attribute__((unused)) static void kit_hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level;
    size_t len = strlen(kit_said);
    snprintf(kit_said + len, sizeof kit_said - len, "%s\n", line);
}

static struct log kit_log = {.level = FP_LOG_NOTE, .write = kit_hear};

__attribute__((unused)) static void kit_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = xasprintf("%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            kit_remove(inner);
        else
            unlink(inner);
        free(inner);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

/* A new empty folder with state/ in it; the one before goes. */
__attribute__((unused)) static void kit_fresh(void)
{
    if (kit_folder[0] != '\0')
        kit_remove(kit_folder);
    const char *tmp = getenv("TMPDIR");
    snprintf(kit_folder, sizeof kit_folder, "%.100s/fp-unit-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(kit_folder) == NULL)
        xdie("no temporary folder");
    char *state = xasprintf("%s/state", kit_folder);
    mkdir(state, 0700);
    free(state);
    kit_said[0] = '\0';
}

__attribute__((unused)) static char *kit_path(const char *name)
{
    return xasprintf("%s/%s", kit_folder, name);
}

/* All of a file; missing is empty, with *len SIZE_MAX. NUL-terminated, malloced. */
__attribute__((unused)) static char *kit_read(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    *len = SIZE_MAX;
    if (fd < 0 || fstat(fd, &status) < 0)
        return xstrdup("");
    char *bytes = xcalloc(1, (size_t)status.st_size + 1);
    *len = read(fd, bytes, (size_t)status.st_size) == status.st_size ? (size_t)status.st_size : 0;
    close(fd);
    return bytes;
}

/* Not through the calls that the tests count. */
__attribute__((unused)) static void kit_write(const char *path, const void *bytes, size_t len,
                                              const char *how)
{
    FILE *file = fopen(path, how);
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        xdie("cannot write a file of the test");
}

__attribute__((unused)) static size_t kit_count(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir))
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count;
}

struct kit {
    struct deliver_settings settings;
    struct deliver *deliver;
    struct parcel *batch[64];
    size_t n;
    char *state, *where;
};

__attribute__((unused)) static void kit_settings(struct kit *kit, enum deliver_kind kind,
                                                 const char *where, const char *mailbox)
{
    *kit = (struct kit){.state = kit_path("state"), .where = xstrdup(where)};
    kit->settings = (struct deliver_settings){.kind = kind,
                                              .where = kit->where,
                                              .durable = true,
                                              .command_timeout = 20000,
                                              .lock_timeout = 20000,
                                              .state_dir = kit->state,
                                              .mailbox = mailbox,
                                              .state = KIT_STATE,
                                              .account = "work",
                                              .log = &kit_log};
}

__attribute__((unused)) static void kit_free(struct kit *kit)
{
    deliver_close(kit->deliver);
    free(kit->state);
    free(kit->where);
}

/* Spools one message, in pieces of that size. */
__attribute__((unused)) static int kit_spool(struct kit *kit, const char *bytes, size_t len,
                                             size_t piece, struct err *err)
{
    if (kit->deliver == NULL && deliver_open(&kit->deliver, &kit->settings, err) < 0)
        return -1;
    struct parcel *parcel;
    if (deliver_begin(kit->deliver, &parcel, err) < 0)
        return -1;
    struct sink sink = spool_sink(parcel);
    int result = 0;
    for (size_t at = 0; at < len && result == 0; at += piece)
        result = sink.write(sink.ctx, bytes + at, len - at < piece ? len - at : piece, err);
    if (result == 0)
        result = deliver_finish(parcel, err);
    if (result < 0)
        deliver_drop(parcel);
    else
        kit->batch[kit->n++] = parcel;
    return result;
}

/* The receipts, one a line. */
__attribute__((unused)) static char *kit_receipts(const struct kit *kit)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < kit->n; i++) {
        deliver_receipt(kit->deliver, kit->batch[i], &out);
        buf_addf(&out, "\n");
    }
    char *text = xmemdup0(out.data, out.len);
    buf_free(&out);
    return text;
}

/* Checks what kit_receipts gave; "PA.." (published, again) into answer. */
__attribute__((unused)) static int kit_check(const struct kit *kit, const char *receipts,
                                             char answer[65], struct err *err)
{
    struct deliver_claim claims[64];
    size_t n = 0;
    for (struct str rest = str_from(receipts); rest.len > 0 && n < 64; n++)
        claims[n] = (struct deliver_claim){.receipt = str_until(&rest, '\n')};
    int result = deliver_check(&kit->settings, claims, n, err);
    for (size_t i = 0; i < n; i++)
        answer[i] = "APKLSO"[claims[i].found];
    answer[n] = '\0';
    return result;
}

#endif
