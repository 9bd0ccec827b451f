#include "session/recover.h"

#include <stdlib.h>

#include "base/xalloc.h"

static size_t count_open(const struct journal *journal)
{
    size_t n = 0;
    for (uint32_t id = 0; id < journal_count(journal); id++)
        n += journal_entry(journal, id).state == JOURNAL_TAKEN;
    return n;
}

static void settle(struct journal *journal, const struct deliver_settings *settings, uint32_t id,
                   enum deliver_found found)
{
    char shown[LOG_QUOTE_MAX + 4], room[JOURNAL_UIDL_ROOM];
    if (found == DELIVER_PUBLISHED) {
        journal_done(journal, id);
        return;
    }
    if (found == DELIVER_LOST)
        log_line(settings->log, FP_LOG_WARNING,
                 "a message that was being delivered is not to be found (UIDL %s); it is fetched "
                 "again",
                 log_quote(settings->log, journal_uidl(journal, id, room), shown));
    journal_drop(journal, id);
}

static int settle_open(struct journal *journal, const struct deliver_settings *settings,
                       struct err *err)
{
    size_t n = count_open(journal), filled = 0;
    if (n == 0)
        return 0;
    /* The process that wrote these takes may have died before its flush. Nothing may be published
     * on the word of a take that a power cut could still take back. */
    if (journal_flush(journal, err) < 0)
        return -1;
    struct deliver_claim *claims = xcalloc(n, sizeof *claims);
    uint32_t *ids = xcalloc(n, sizeof *ids);
    char **receipts = xcalloc(n, sizeof *receipts);
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        if (journal_entry(journal, id).state != JOURNAL_TAKEN)
            continue;
        ids[filled] = id;
        receipts[filled] = journal_receipt(journal, id);
        claims[filled].receipt = str_from(receipts[filled]);
        filled++;
    }
    int result = deliver_check(settings, claims, n, err);
    for (size_t i = 0; i < n && result == 0; i++)
        settle(journal, settings, ids[i], claims[i].found);
    for (size_t i = 0; i < n; i++)
        free(receipts[i]);
    free(receipts);
    free(claims);
    free(ids);
    return result < 0 ? -1 : journal_sync(journal, err);
}

int recover(struct journal *journal, const struct deliver_settings *settings, struct err *err)
{
    if (settle_open(journal, settings, err) < 0)
        return -1;
    /* Litter in a place that cannot be written any more is a pity, and no reason to stop. */
    struct str place = journal_place(journal);
    if (place.len > 0 && deliver_sweep(settings, place, err) < 0)
        log_line(settings->log, FP_LOG_WARNING, "clearing up after the last run: %s", err->text);
    return 0;
}

int recover_note_place(struct journal *journal, const struct deliver *deliver, struct err *err)
{
    struct buf place;
    int result = 0;
    buf_init(&place, RECORD_WORDS_MAX);
    deliver_place(deliver, &place);
    if (!str_equal(buf_str(&place), journal_place(journal))) {
        result = deliver_settle(deliver, err);
        journal_set_place(journal, buf_str(&place));
        if (result == 0)
            result = journal_sync(journal, err);
    }
    buf_free(&place);
    return result;
}
