/* SPDX-License-Identifier: ISC */
/*
 * What tests of the journal share: one in a folder of its own, opened, asked, and its file read and
 * written behind its back. Include it once, after the rest.
 */
#ifndef FP_TESTS_KIT_JOURNAL_H
#define FP_TESTS_KIT_JOURNAL_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "state/journal.h"
#include "state/mailbox.h"

#include "tap.h"

static char dir[] = "/tmp/test-journal-XXXXXX";
static char *path;
static int warnings;

static inline void count_warning(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)line;
    warnings += level <= FP_LOG_WARNING;
}

static struct log test_log = {.level = FP_LOG_TRACE, .write = count_warning};

static struct journal_settings settings = {.state_dir = dir,
                                           .server = "Pop.Example.com",
                                           .user = "alice",
                                           .mode = JOURNAL_WRITE,
                                           .durable = true,
                                           .log = &test_log};

static inline struct journal *open_journal(void)
{
    struct journal *journal = NULL;
    struct err err;
    warnings = 0;
    if (journal_open(&journal, &settings, &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return journal;
}

static inline void sync_and_close(struct journal *journal)
{
    struct err err;
    ok(journal_sync(journal, &err) == 0, "synced");
    ok(journal_close_gaps(journal, &err) == 0, "recovery is over");
    journal_close(journal);
}

static inline uint32_t add(struct journal *journal, const char *uidl, uint64_t size)
{
    struct journal_subject subject = {.uidl = str_from(uidl), .size = size};
    return journal_add(journal, &subject, 1700000000);
}

static inline uint32_t find(struct journal *journal, const char *uidl)
{
    return journal_find(journal, str_from(uidl), 0);
}

static inline int state(struct journal *journal, const char *uidl)
{
    uint32_t id = find(journal, uidl);
    return id == JOURNAL_NONE ? JOURNAL_FREE : journal_entry(journal, id).state;
}

static inline void fail(struct journal *journal, uint32_t id, const char *words)
{
    journal_fail(journal, id,
                 &(struct journal_failure){.reason = REASON_REFUSED, .words = str_from(words)});
}

static inline void hold(struct journal *journal, uint32_t id, enum reason reason)
{
    journal_hold(journal, id, &(struct journal_failure){.reason = reason});
}

static inline bool has_receipt(struct journal *journal, const char *uidl, const char *want)
{
    char *receipt = journal_receipt(journal, find(journal, uidl));
    bool same = strcmp(receipt, want) == 0;
    free(receipt);
    return same;
}

static inline void write_file(const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static inline struct buf read_journal(void)
{
    struct buf buf;
    struct err err;
    int fd = open(path, O_RDONLY);
    buf_init(&buf, 1 << 24);
    if (file_read(fd, &buf, path, &err) < 0)
        abort();
    close(fd);
    return buf;
}

/* false: there is no folder. */
static inline bool begin(void)
{
    char id[MAILBOX_ID + 1];
    mailbox_id("pop.example.com", "alice", id);
    if (mkdtemp(dir) == NULL)
        return false;
    path = xasprintf("%s/alice@pop.example.com-%s.journal", dir, id);
    return true;
}

static inline int end(void)
{
    char *lock = xstrdup(path);
    memcpy(strrchr(lock, '.'), ".lock", 6);
    unlink(lock);
    unlink(path);
    rmdir(dir);
    free(lock);
    free(path);
    return tap_done();
}

#endif
