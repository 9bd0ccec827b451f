#include "delivery/deliver.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "delivery/kind.h"

#define ENTRY(NAME, prefix) [DELIVER_##NAME] = &prefix##_kind,
static const struct kind *const kinds[DELIVER_KINDS] = {DELIVER_EACH_KIND(ENTRY)};

const char *deliver_kind_name(enum deliver_kind kind)
{
    return kinds[kind]->name;
}

enum deliver_kind deliver_kind_of(struct str name)
{
    int kind = 0;
    while (kind < DELIVER_KINDS && !str_is(name, kinds[kind]->name))
        kind++;
    return (enum deliver_kind)kind;
}

int deliver_probe(const struct deliver_settings *settings, struct err *err)
{
    return kinds[settings->kind]->probe(settings, err);
}

int deliver_open(struct deliver **out, const struct deliver_settings *settings, struct err *err)
{
    struct deliver *deliver = xcalloc(1, sizeof *deliver);
    deliver->settings = settings;
    deliver->kind = kinds[settings->kind];
    spool_names_init(&deliver->names, settings->mailbox);
    if (deliver->kind->open(deliver, err) < 0) {
        deliver_close(deliver);
        return -1;
    }
    *out = deliver;
    return 0;
}

void deliver_close(struct deliver *deliver)
{
    if (deliver == NULL)
        return;
    deliver->kind->close(deliver);
    free(deliver);
}

void deliver_place(const struct deliver *deliver, struct buf *out)
{
    deliver->kind->place(deliver, out);
}

int deliver_settle(const struct deliver *deliver, struct err *err)
{
    return deliver->kind->settle == NULL ? 0 : deliver->kind->settle(deliver, err);
}

size_t deliver_unit(const struct deliver *deliver)
{
    return deliver->kind->unit;
}

bool deliver_is_command(const struct deliver *deliver)
{
    return deliver->kind->is_command;
}

uint64_t deliver_room(const struct deliver *deliver)
{
    return file_room(deliver->kind->folder(deliver));
}

int deliver_begin(struct deliver *deliver, struct parcel **parcel, struct err *err)
{
    return deliver->kind->begin(deliver, parcel, err);
}

int deliver_finish(struct deliver *deliver, struct parcel *parcel, struct err *err)
{
    return deliver->kind->finish == NULL ? 0 : deliver->kind->finish(deliver, parcel, err);
}

void deliver_drop(struct deliver *deliver, struct parcel *parcel)
{
    (void)deliver;
    spool_drop(parcel);
}

int deliver_secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    return deliver->kind->secure == NULL ? 0 : deliver->kind->secure(deliver, batch, n, err);
}

void deliver_receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out)
{
    deliver->kind->receipt(deliver, parcel, out);
}

int deliver_publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    return deliver->kind->publish(deliver, batch, n, err);
}

void deliver_release(struct deliver *deliver, struct parcel **batch, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (deliver->kind->keeps_file && batch[i]->outcome == PARCEL_DELIVERED)
            spool_free(batch[i]);
        else
            spool_drop(batch[i]);
}

void deliver_abandon(struct deliver *deliver, struct parcel **batch, size_t n)
{
    deliver->abandoned = true;
    for (size_t i = 0; i < n; i++)
        spool_free(batch[i]);
}

/* The path is the last word of each receipt and place. */
static struct str last_word(struct str words)
{
    struct str last = {"", 0};
    for (struct str word = str_word(&words); word.len > 0; word = str_word(&words))
        last = word;
    return last;
}

static bool same_place(struct str a, struct str b)
{
    struct str rest_a = a, rest_b = b;
    return str_equal(str_word(&rest_a), str_word(&rest_b)) && str_equal(last_word(a), last_word(b));
}

int deliver_check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                  struct err *err)
{
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && same_place(claims[from].receipt, claims[to].receipt); to++)
            ;
        struct str words = claims[from].receipt;
        enum deliver_kind kind = deliver_kind_of(str_word(&words));
        if (kind == DELIVER_KINDS)
            return err_set(err, ERR_IO,
                           "the journal names a kind of destination that this version does not "
                           "know; use the version that wrote it");
        if (kinds[kind]->check(settings, claims + from, to - from, err) < 0)
            return -1;
    }
    return 0;
}

int deliver_sweep(const struct deliver_settings *settings, struct str place, struct err *err)
{
    enum deliver_kind kind = deliver_kind_of(str_word(&place));
    return kind == DELIVER_KINDS ? 0 : kinds[kind]->sweep(settings, place, err);
}
