/* SPDX-License-Identifier: ISC */
#include "delivery/appends.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/span.h"
#include "delivery/spooldir.h"

#define FILE_MAX (256u * 1024 * 1024)
#define BEFORE_MAX 4096

/* ---- reading ---- */

static int read_state(struct str word, enum append_state *state)
{
    if (word.len != 1 || strchr("owxl", word.ptr[0]) == NULL)
        return -1;
    *state = (enum append_state)word.ptr[0];
    return 0;
}

/* One line without its LF. */
static int read_line(const struct appends *appends, struct str line, struct append *entry)
{
    struct str rest = line, sum = str_word(&rest);
    if (rest.len < 2 || !words_is_sum(sum, str_of(rest.ptr, rest.len - 2)) ||
        words_read_name(str_word(&rest), entry->mailbox, sizeof entry->mailbox) < 0 ||
        words_read_name(str_word(&rest), entry->name, sizeof entry->name) < 0 ||
        str_number(str_word(&rest), INT64_MAX, &entry->start) < 0 ||
        words_read_sum(str_word(&rest), &entry->before) < 0 ||
        str_number(str_word(&rest), INT64_MAX, &entry->offset) < 0 ||
        str_number(str_word(&rest), INT64_MAX / 4, &entry->length) < 0 ||
        words_read_hex(str_word(&rest), entry->digest, DIGEST_SIZE) < 0 ||
        !str_is(str_word(&rest), appends->mbox) || read_state(str_word(&rest), &entry->state) < 0 ||
        str_trim(rest).len > 0 || entry->offset < entry->start)
        return -1;
    return 0;
}

static void read_lines(struct appends *appends, struct str text)
{
    while (text.len > 0) {
        struct append entry = {0};
        bool ended = memchr(text.ptr, '\n', text.len) != NULL;
        struct str line = str_until(&text, '\n');
        if (ended && line.len == 0)
            continue; /* see appends_write */
        if (ended && read_line(appends, line, &entry) == 0)
            appends_add(appends, &entry);
        else
            appends->sure = false;
    }
}

/* The name is that of the mbox, digested: it has no slashes and is short. */
static char *file_of(const struct deliver_settings *settings, const char *real)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[17];
    digest_bytes(str_from(real), digest);
    words_hex(digest, 8, hex);
    return xasprintf("%s/mbox-%s.append", settings->state_dir, hex);
}

/* Every writer did this before it wrote, so it is needed only while the file is empty. */
static int sync_birth(int fd, const char *folder, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_size > 0)
        return 0;
    return file_sync_folder(folder, NULL, err);
}

int appends_open(struct appends *appends, const struct deliver_settings *settings, const char *real,
                 bool make, struct err *err)
{
    struct buf mbox, text;
    buf_init(&mbox, FILE_MAX);
    buf_init(&text, FILE_MAX);
    *appends = (struct appends){.fd = -1, .path = file_of(settings, real)};
    words_add(&mbox, str_from(real));
    appends->mbox = buf_end(&mbox);
    appends->fd = file_open(appends->path, O_RDWR | (make ? O_CREAT : 0), 0600);
    if (appends->fd < 0)
        return errno == ENOENT && !make
                   ? 0
                   : err_errno(err, ERR_CREATE, errno, "cannot open %s", appends->path);
    int result = make ? sync_birth(appends->fd, settings->state_dir, err) : 0;
    if (result == 0)
        result = file_read(appends->fd, &text, appends->path, err);
    if (result == 0) {
        appends->sure = make || text.len > 0;
        read_lines(appends, buf_str(&text));
    }
    buf_free(&text);
    return result;
}

void appends_close(struct appends *appends)
{
    if (appends->fd >= 0)
        close(appends->fd);
    free(appends->path);
    free(appends->mbox);
    free(appends->entries);
    *appends = (struct appends){.fd = -1};
}

/* ---- in memory ---- */

void appends_add(struct appends *appends, const struct append *entry)
{
    if (appends->count == appends->room) {
        appends->room = appends->room == 0 ? 16 : 2 * appends->room;
        appends->entries = xreallocarray(appends->entries, appends->room, sizeof *appends->entries);
    }
    appends->entries[appends->count++] = *entry;
}

static bool has_twin(const struct appends *appends, size_t i, size_t from)
{
    for (size_t k = from; k < appends->count; k++)
        if (memcmp(appends->entries[i].digest, appends->entries[k].digest, DIGEST_SIZE) == 0)
            return true;
    return false;
}

void appends_forget(struct appends *appends, const char *mailbox, size_t fresh)
{
    size_t kept = 0;
    for (size_t i = 0; i < fresh; i++)
        if (strncmp(appends->entries[i].mailbox, mailbox, SPOOL_MAILBOX) != 0 ||
            has_twin(appends, i, fresh))
            appends->entries[kept++] = appends->entries[i];
    memmove(appends->entries + kept, appends->entries + fresh,
            (appends->count - fresh) * sizeof *appends->entries);
    appends->count -= fresh - kept;
}

const struct append *appends_find(const struct appends *appends, const char *name)
{
    for (size_t i = appends->count; i > 0; i--)
        if (strcmp(appends->entries[i - 1].name, name) == 0)
            return &appends->entries[i - 1];
    return NULL;
}

/* ---- writing ---- */

static void add_line(const struct appends *appends, const struct append *entry, struct buf *text)
{
    char digest[DIGEST_HEX], sum[WORDS_SUM];
    struct buf line;
    buf_init(&line, FILE_MAX);
    words_hex(entry->digest, DIGEST_SIZE, digest);
    buf_addf(&line, " %s ", entry->mailbox);
    words_add(&line, str_from(entry->name));
    buf_addf(&line, " %" PRIu64 " %08" PRIx32 " %" PRIu64 " %" PRIu64 " %s %s", entry->start,
             entry->before, entry->offset, entry->length, digest, appends->mbox);
    words_sum(buf_str(&line), sum);
    buf_add(text, sum, WORDS_SUM);
    buf_add(text, line.data, line.len);
    buf_addf(text, " %c\n", (char)entry->state);
    buf_free(&line);
}

int appends_write(struct appends *appends, bool durable, struct err *err)
{
    struct stat status;
    struct buf text;
    buf_init(&text, FILE_MAX);
    if (fstat(appends->fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "cannot look at %s", appends->path);
    for (size_t i = 0; i < appends->count; i++)
        add_line(appends, &appends->entries[i], &text);
    if (!appends->sure)
        buf_addf(&text, "some lines are lost\n"); /* stays a bad line, so nobody becomes sure */
    /* Empty lines over what there is more of now, in the same write: no moment in which the file
     * has fewer lines than it should, or half a one. */
    size_t len = text.len;
    size_t more = (uint64_t)status.st_size > len ? (size_t)status.st_size - len : 0;
    char *rest = buf_reserve(&text, more);
    if (more > 0 && rest != NULL)
        memset(rest, '\n', more);
    int result =
        span_write(appends->fd, appends->path, 0, text.data, rest != NULL ? len + more : len, err);
    if (result == 0 && more > 0 && ftruncate(appends->fd, (off_t)len) < 0)
        result = err_errno(err, ERR_IO, errno, "cannot shorten %s", appends->path);
    if (result == 0 && durable)
        result = file_datasync(appends->fd, appends->path, err);
    buf_free(&text);
    return result;
}

int appends_before(int mbox, uint64_t start, uint32_t *crc)
{
    char bytes[BEFORE_MAX];
    size_t len = start < sizeof bytes ? (size_t)start : sizeof bytes;
    if (span_read(mbox, start - len, bytes, len) != (ssize_t)len)
        return -1;
    *crc = digest_crc32(0, bytes, len);
    return 0;
}
