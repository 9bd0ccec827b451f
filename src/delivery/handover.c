/* SPDX-License-Identifier: ISC */
#include "delivery/handover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/deliver.h"
#include "delivery/keep.h"

#define WHY_MAX 256

int handover_open(struct deliver *deliver, struct err *err)
{
    deliver->state = xcalloc(1, sizeof(struct spooldir));
    return spooldir_open(deliver->state, deliver->settings, err);
}

void handover_close(struct deliver *deliver)
{
    spooldir_close(deliver->state);
    free(deliver->state);
}

uint64_t handover_room(const struct deliver *deliver)
{
    const struct spooldir *spool = deliver->state;
    return file_room(spool->path);
}

void handover_place(const struct deliver_settings *settings, struct buf *out)
{
    spooldir_place(settings, deliver_kind_name(settings->kind), out);
}

int handover_begin(struct deliver *deliver, struct parcel **parcel, struct err *err)
{
    const struct spooldir *spool = deliver->state;
    return spool_begin(parcel, spool->fd, spool->path, SPOOL_PART, &deliver->names, err);
}

int handover_finish(struct deliver *deliver, struct parcel *parcel, struct err *err)
{
    (void)deliver, (void)err;
    spool_end(parcel);
    return 0;
}

/* It is its own spool file. */
int handover_resume(struct deliver *deliver, const char *name, struct parcel **parcel,
                    struct err *err)
{
    const struct spooldir *spool = deliver->state;
    if (keep_free(deliver->settings, name, err) < 0)
        return -1;
    return spool_adopt(parcel, spool->fd, spool->path, name, err);
}

int handover_secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    const struct spooldir *spool = deliver->state;
    if (!deliver->settings->durable || n == 0)
        return 0;
    if (spool_secure(batch, n, spool->fd, err) < 0)
        return -1;
    return file_sync_folder(spool->path, NULL, err);
}

void handover_receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out)
{
    const struct spooldir *spool = deliver->state;
    buf_addf(out, "%s %llu ", deliver->kind->name, (unsigned long long)parcel->octets);
    words_add(out, str_from(parcel->name));
    buf_addf(out, " ");
    words_add(out, str_from(spool->path));
}

int handover_read_receipt(struct str receipt, struct deliver_file *file)
{
    str_word(&receipt);
    if (str_number(str_word(&receipt), INT64_MAX, &file->octets) < 0)
        return -1;
    return words_read_name(str_word(&receipt), file->name, sizeof file->name);
}

/* The spool file is the kept one, also where it is not there: whether it is gone for good is asked
 * where it is delivered (session/kept.c). */
static enum deliver_found look(const struct deliver_settings *settings, struct deliver_claim *claim,
                               struct err *err)
{
    char *path;
    uint64_t octets;
    if (claim->kept || handover_read_receipt(claim->receipt, &claim->file) < 0)
        return DELIVER_AGAIN;
    int result = keep_path(settings->state_dir, claim->file.name, &path, &octets, err);
    free(path);
    if (result < 0)
        return DELIVER_OPEN;
    return result != 0 || octets == claim->file.octets ? DELIVER_KEPT : DELIVER_AGAIN;
}

int handover_check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                   struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < n; i++) {
        claims[i].found = look(settings, &claims[i], err);
        if (claims[i].found == DELIVER_OPEN)
            result = -1;
    }
    return result;
}

void handover_settle(struct parcel *parcel, enum parcel_outcome outcome, const char *fmt, ...)
{
    char why[WHY_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    free(parcel->why);
    parcel->why = xstrdup(why);
    parcel->outcome = outcome;
}
