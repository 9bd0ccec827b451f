/* SPDX-License-Identifier: ISC */
#include "app/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"

#define TEXT_MAX ((size_t)256 * 1024 * 1024)
#define SHARE 20 /* writing takes this part of the time */

struct row {
    char *title;
    bool polled; /* in this process: the rest says something */
    int64_t when;
    enum err_kind kind;
    struct session_figures figures;
    struct metrics_account measured;
};

struct metrics {
    char *path;
    struct row *rows; /* by title */
    size_t count;
    bool news, told;
    int64_t next; /* clock_ms(): not written before */
};

/* --- the accounts ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->title, ((const struct row *)b)->title);
}

static int compare_title(const void *title, const void *row)
{
    return strcmp(title, ((const struct row *)row)->title);
}

static struct row *find(const struct metrics *metrics, const char *title)
{
    if (metrics->count == 0)
        return NULL;
    return bsearch(title, metrics->rows, metrics->count, sizeof *metrics->rows, compare_title);
}

static void free_rows(struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rows[i].title);
    free(rows);
}

void metrics_replace(struct metrics *metrics, struct account *const *accounts, size_t count)
{
    if (metrics == NULL)
        return;
    struct row *rows = xcalloc(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        const struct row *old = find(metrics, accounts[i]->title);
        if (old != NULL)
            rows[i] = *old;
        rows[i].title = xstrdup(accounts[i]->title);
    }
    qsort(rows, count, sizeof *rows, compare);
    free_rows(metrics->rows, metrics->count);
    metrics->rows = rows;
    metrics->count = count;
    metrics->news = true;
}

struct metrics *metrics_new(const char *path, struct account *const *accounts, size_t count)
{
    struct metrics *metrics = xcalloc(1, sizeof *metrics);
    metrics->path = xstrdup(path);
    metrics_replace(metrics, accounts, count);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    free_rows(metrics->rows, metrics->count);
    free(metrics->path);
    free(metrics);
}

void metrics_result(struct metrics *metrics, const char *title,
                    const struct session_figures *figures, const struct metrics_account *measured,
                    enum err_kind kind, int64_t now)
{
    struct row *row = metrics != NULL ? find(metrics, title) : NULL;
    if (row == NULL)
        return;
    struct session_figures last = row->figures;
    row->polled = true;
    if (measured != NULL)
        row->measured = *measured;
    row->figures = *figures;
    if (!figures->certificate_seen) { /* the one that was seen last stays */
        row->figures.certificate_seen = last.certificate_seen;
        row->figures.certificate_days = last.certificate_days;
    }
    row->when = now;
    row->kind = kind;
    metrics->news = true;
}

/* --- the text --------------------------------------------------------------------------------- */

static void add_label(struct buf *out, const char *title)
{
    for (const char *at = title; *at != '\0'; at++)
        if (*at == '\n')
            buf_addf(out, "\\n");
        else
            buf_addf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
}

/* Each writes the value of one field of a row. */

static void add_u32(struct buf *out, const void *field)
{
    buf_addf(out, "%" PRIu32, *(const uint32_t *)field);
}

static void add_u64(struct buf *out, const void *field)
{
    buf_addf(out, "%" PRIu64, *(const uint64_t *)field);
}

static void add_i64(struct buf *out, const void *field)
{
    buf_addf(out, "%" PRId64, *(const int64_t *)field);
}

static void add_days(struct buf *out, const void *field)
{
    buf_addf(out, "%" PRId32, *(const int32_t *)field);
}

static void add_seconds(struct buf *out, const void *field)
{
    int64_t ms = *(const int64_t *)field;
    buf_addf(out, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

static void add_status(struct buf *out, const void *field)
{
    buf_addf(out, "%d", err_status(*(const enum err_kind *)field));
}

static void add_one(struct buf *out, const void *field)
{
    (void)field; /* its label says it */
    buf_addf(out, "1");
}

#define AT(field) .offset = offsetof(struct row, field)

static const struct {
    const char *name, *help;
    void (*add)(struct buf *out, const void *field);
    size_t offset;
    bool labelled;       /* with the kind of the outcome */
    bool of_certificate; /* there only if one was seen */
} gauges[] = {
    {"last_poll_timestamp_seconds", "When the last poll ended.", add_i64, AT(when)},
    {"last_success_timestamp_seconds", "When the last poll that went well ended; 0: never.",
     add_i64, AT(measured.last_success)},
    {"last_poll_status", "Exit status of the last poll; 0: it went well.", add_status, AT(kind)},
    {"last_poll_outcome", "Always 1; the label says how the last poll ended.", add_one, AT(kind),
     .labelled = true},
    {"last_poll_seconds", "How long the last poll took.", add_seconds, AT(measured.milliseconds)},
    {"last_poll_messages", "Messages that the last poll delivered.", add_u32, AT(figures.fetched)},
    {"last_poll_octets", "Octets that the last poll delivered.", add_u64, AT(figures.octets)},
    {"last_poll_failed_messages", "Messages that failed in the last poll.", add_u32,
     AT(figures.failed)},
    {"held_messages", "Messages that were given up and stay on the server.", add_u32,
     AT(measured.held)},
    {"spooled_messages", "Messages that are here and not delivered yet.", add_u32,
     AT(measured.spooled)},
    {"kept_messages", "Fetched messages that are still on the server.", add_u32, AT(measured.kept)},
    {"secret_refused_timestamp_seconds", "Since when the secret has been refused; 0: it is not.",
     add_i64, AT(measured.refused)},
    {"certificate_days", "Days until the server's certificate expires.", add_days,
     AT(figures.certificate_days), .of_certificate = true},
};

static void add_sample(struct buf *out, size_t which, const struct row *row)
{
    if (!row->polled || (gauges[which].of_certificate && !row->figures.certificate_seen))
        return;
    buf_addf(out, "fetchpop_%s{account=\"", gauges[which].name);
    add_label(out, row->title);
    buf_addf(out, "\"");
    if (gauges[which].labelled)
        buf_addf(out, ",kind=\"%s\"",
                 row->figures.skipped && row->kind == ERR_NONE ? "skipped" : err_word(row->kind));
    buf_addf(out, "} ");
    gauges[which].add(out, (const char *)row + gauges[which].offset);
    buf_addf(out, "\n");
}

void metrics_spell(const struct metrics *metrics, struct buf *out)
{
    for (size_t which = 0; which < sizeof gauges / sizeof gauges[0]; which++) {
        buf_addf(out, "# HELP fetchpop_%s %s\n# TYPE fetchpop_%s gauge\n", gauges[which].name,
                 gauges[which].help, gauges[which].name);
        for (size_t i = 0; i < metrics->count; i++)
            add_sample(out, which, &metrics->rows[i]);
    }
}

/* --- the file --------------------------------------------------------------------------------- */

#define BEGINNING "# HELP fetchpop_"

/* It replaces what it has written before, and what is empty; no other file. */
static int check_place(const char *path, struct err *err)
{
    char head[sizeof BEGINNING - 1];
    int fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, ERR_CREATE, errno, "%s", path);
    ssize_t got = read(fd, head, sizeof head);
    close(fd);
    return got == 0 || (got == (ssize_t)sizeof head && memcmp(head, BEGINNING, sizeof head) == 0)
               ? 0
               : err_set(err, ERR_CREATE,
                         "%s was not written by fetchpop; give another path for metrics", path);
}

int metrics_write(struct metrics *metrics, bool all, struct err *err)
{
    int64_t begun = clock_ms();
    struct buf text;
    if (metrics == NULL || !metrics->news || (!all && begun < metrics->next))
        return 0;
    buf_init(&text, TEXT_MAX);
    metrics_spell(metrics, &text);
    int result = check_place(metrics->path, err);
    if (result == 0)
        result = file_replace_unlocked(metrics->path, text.data, text.len, 0644, err);
    buf_free(&text);
    int64_t end = clock_ms();
    metrics->next = end + (end - begun) * SHARE;
    metrics->news = false;
    bool new = result < 0 && !metrics->told;
    metrics->told = result < 0;
    return new ? err_prefix(err, "metrics") : 0;
}
