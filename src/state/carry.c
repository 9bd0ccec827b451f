/* SPDX-License-Identifier: ISC */
#include "state/carry.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/words.h"
#include "state/mailbox.h"
#include "state/rename.h"

#define HEAD_MAX 4096

static void write_head(const char *server, const char *user, struct buf *out)
{
    struct buf words;
    buf_init(&words, HEAD_MAX);
    words_add(&words, str_from(server));
    buf_addf(&words, " ");
    words_add(&words, str_from(user));
    record_write(
        &(struct record){.verb = RECORD_HEAD, .number = RECORD_VERSION, .words = buf_str(&words)},
        out);
    buf_free(&words);
}

void carry_export(const struct journal *journal, const char *server, const char *user,
                  struct buf *out, uint32_t *left)
{
    *left = 0;
    write_head(server, user, out);
    for (uint32_t id = 0; id < journal_count(journal); id++) {
        unsigned state = journal_entry(journal, id).state;
        if (state == JOURNAL_TAKEN || record_is_here(state)) {
            ++*left;
        } else if (state != JOURNAL_FREE) {
            struct record record = journal_record(journal, id);
            record_write(&record, out);
        }
    }
}

static bool is_carried(const struct record *record)
{
    enum journal_state state = record_state(record->verb);
    return state != JOURNAL_FREE && state != JOURNAL_TAKEN && !record_is_here(state);
}

static int check(struct str text, uint32_t *count, struct err *err)
{
    struct record record;
    *count = 0;
    for (unsigned number = 1; number == 1 || text.len > 0; number++) {
        bool whole = memchr(text.ptr, '\n', text.len) != NULL;
        bool good = record_read(str_until(&text, '\n'), &record) == 0 && whole;
        if (number == 1 && (!good || record.verb != RECORD_HEAD))
            return err_set(err, ERR_CONFIG,
                           "this is not the output of --export-state; export again");
        if (number == 1 && record.number != RECORD_VERSION)
            return err_set(err, ERR_CONFIG,
                           "this is of another version's --export-state; use that version");
        if (number > 1 && (!good || !is_carried(&record)))
            return err_set(err, ERR_CONFIG, "line %u is damaged; export it again", number);
        *count += number > 1;
    }
    return 0;
}

int carry_import(struct str text, const struct carry_to *to, uint32_t *count, struct err *err)
{
    if (check(text, count, err) < 0 || file_make_folder(to->state_dir, to->durable, err) < 0)
        return -1;
    char *stem = mailbox_stem(to->server, to->user);
    int result = rename_write(to->state_dir, stem, text, to->durable, err);
    free(stem);
    return result;
}
