/* SPDX-License-Identifier: ISC */
#include "session/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "session/pipe.h"

#define UIDLS_MAX ((size_t)64 * 1024 * 1024) /* beyond it, messages are told by their headers */
#define ROOM_FIRST 32768 /* what is never used costs nothing; growing leaves holes */

_Static_assert(REPLY_MESSAGES_MAX < 1 << 24, "a message has room for its number");

void listing_init(struct listing *listing, struct journal *journal, struct habits *habits)
{
    uint32_t known = journal_count(journal);
    *listing = (struct listing){.journal = journal, .habits = habits};
    buf_init(&listing->uidls, UIDLS_MAX);
    listing->cap =
        known < REPLY_MESSAGES_MAX ? known + known / 16 + ROOM_FIRST : REPLY_MESSAGES_MAX;
    listing->messages = xreallocarray(NULL, listing->cap, sizeof *listing->messages);
}

void listing_free(struct listing *listing)
{
    free(listing->messages);
    free(listing->fingerprints);
    free(listing->by_fingerprint);
    buf_free(&listing->uidls);
}

bool listing_has_uidl(const struct message *message)
{
    return message->uidl_in != UIDL_NOWHERE;
}

struct str listing_uidl(const struct listing *listing, const struct message *message)
{
    if (message->uidl_in == UIDL_NOWHERE)
        return str_of("", 0);
    if (message->uidl_in == UIDL_JOURNAL)
        return journal_uidl_at(listing->journal, message->uidl.ref);
    const char *own = listing->uidls.data + message->uidl.own;
    return str_of(own + 1, (unsigned char)own[0]);
}

bool listing_is_new(const struct message *message)
{
    return message->entry == JOURNAL_NONE && listing_has_uidl(message);
}

static void keep_uidl(struct listing *listing, struct message *message, struct str uidl)
{
    unsigned char len = (unsigned char)uidl.len;
    uint32_t at = (uint32_t)listing->uidls.len;
    if (uidl.len == 0 || buf_reserve(&listing->uidls, uidl.len + 1) == NULL)
        return;
    buf_add(&listing->uidls, &len, 1);
    buf_add(&listing->uidls, uidl.ptr, uidl.len);
    message->uidl.own = at;
    message->uidl_in = UIDL_LISTING;
}

/* Lists come in order from every sane server, so the place is at the end or close to it. */
static uint32_t place_of(const struct listing *listing, uint32_t number)
{
    uint32_t low = 0, high = listing->sorted;
    if (high > 0 && listing->messages[high - 1].number < number)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (listing->messages[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct message *listing_find(struct listing *listing, uint32_t number)
{
    uint32_t at = number - 1 < listing->sorted && listing->messages[number - 1].number == number
                      ? number - 1 /* none is missing */
                      : place_of(listing, number);
    return at < listing->sorted && listing->messages[at].number == number ? &listing->messages[at]
                                                                          : NULL;
}

/* Appends; order is restored once, when the list is whole. */
static struct message *append(struct listing *listing, uint32_t number)
{
    if (listing->count == listing->cap) {
        listing->cap += listing->cap / 2;
        listing->messages =
            xreallocarray(listing->messages, listing->cap, sizeof *listing->messages);
    }
    struct message *message = &listing->messages[listing->count++];
    *message = (struct message){.number = number & 0xffffff, .entry = JOURNAL_NONE};
    return message;
}

static void take_uidl(struct listing *listing, struct str line)
{
    uint32_t number;
    struct str uidl;
    if (reply_uidl_line(line, REPLY_MESSAGES_MAX, &number, &uidl) < 0) {
        listing->uidl_junk++;
        return;
    }
    struct message *message = append(listing, number);
    uint32_t guess = listing->count > 1 ? message[-1].entry + 1 : 0;
    if (uidl.len > 0)
        message->entry = journal_find(listing->journal, uidl, guess);
    if (message->entry != JOURNAL_NONE &&
        journal_refers(listing->journal, message->entry, uidl, &message->uidl.ref))
        message->uidl_in = UIDL_JOURNAL;
    else
        keep_uidl(listing, message, uidl);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct message *)a)->number, y = ((const struct message *)b)->number;
    return x < y ? -1 : x > y;
}

/* One number, listed twice: by UIDL, whose lines contradict each other, so neither counts; or by
 * LIST, for a message that UIDL left out. */
static void merge(struct message *kept, const struct message *twin)
{
    if (listing_has_uidl(kept) && listing_has_uidl(twin)) {
        kept->uidl_in = UIDL_NOWHERE;
        kept->entry = JOURNAL_NONE;
    }
    if (kept->size == 0)
        kept->size = twin->size;
}

/* Ascending, each number once. */
static void put_in_order(struct listing *listing)
{
    uint32_t kept = 0;
    bool sorted = true;
    for (uint32_t i = 1; i < listing->count && sorted; i++)
        sorted = listing->messages[i - 1].number < listing->messages[i].number;
    listing->sorted = listing->count;
    if (sorted)
        return;
    qsort(listing->messages, listing->count, sizeof *listing->messages, by_number);
    for (uint32_t i = 0; i < listing->count; i++)
        if (kept > 0 && listing->messages[kept - 1].number == listing->messages[i].number)
            merge(&listing->messages[kept - 1], &listing->messages[i]);
        else
            listing->messages[kept++] = listing->messages[i];
    listing->count = listing->sorted = kept;
}

/* No message is longer: LIST is wrong, so the size counts as unknown. Otherwise it would wait for
 * room for ever. */
#define SIZE_MOST ((uint64_t)64 << 30)

/* A number that UIDL did not list is a message too, one without a UIDL. */
static void take_size(struct listing *listing, struct str line)
{
    uint32_t number;
    uint64_t size;
    if (reply_list_line(line, REPLY_MESSAGES_MAX, &number, &size) < 0) {
        listing->list_junk++;
        return;
    }
    struct message *message = listing_find(listing, number);
    if (message == NULL)
        message = append(listing, number);
    message->size = size <= SIZE_MOST ? size : 0;
}

#define COMMANDS 4
/* A list that has taken so much memory, and has more lines than so often STAT's count, has no end.
 * Some servers' STAT counts what is new alone. */
#define LIST_OCTETS ((size_t)28 * 1024 * 1024)
#define STAT_TIMES 2

struct fetching {
    struct listing *listing;
    struct pop3_taker taker;
    enum pop3_verb verbs[COMMANDS];
    unsigned next, count;
    struct pop3 *pop3;
    struct err refused; /* what stands in the way of any list; kind ERR_NONE: nothing */
    bool has_stat;
    uint32_t stat;
    uint64_t lines; /* of the list that comes in */
};

static int next(void *ctx, enum pop3_verb *verb, uint32_t *number, struct err *err)
{
    struct fetching *fetching = ctx;
    (void)err;
    *number = 0;
    if (fetching->next == fetching->count)
        return 0;
    *verb = fetching->verbs[fetching->next++];
    return 1;
}

static bool has_no_end(const struct fetching *fetching)
{
    const struct listing *listing = fetching->listing;
    size_t octets = listing->count * sizeof *listing->messages + listing->uidls.len;
    return octets > LIST_OCTETS && fetching->lines > (uint64_t)fetching->stat * STAT_TIMES;
}

static int take_line(void *ctx, struct str line, struct err *err)
{
    struct fetching *fetching = ctx;
    fetching->lines++;
    if (has_no_end(fetching))
        return err_set(err, ERR_FRAMING,
                       "the server's list does not end (it has %llu lines so far, and STAT counts "
                       "%u); ask its administrator",
                       (unsigned long long)fetching->lines, fetching->stat);
    if (fetching->verbs[0] == POP3_UIDL)
        take_uidl(fetching->listing, line);
    else
        take_size(fetching->listing, line);
    return 0;
}

/* STAT works wherever POP3 does. UIDL and LIST need not, but some servers say there that they are
 * busy, or that POP is switched off. */
static void note_refusal(struct fetching *fetching, const struct pop3_answer *answer)
{
    const struct reply *reply = &answer->reply;
    bool told = reply->code != REPLY_CODE_NONE && reply->code != REPLY_CODE_OTHER;
    if (reply->kind == REPLY_ERR && answer->verb != POP3_CAPA &&
        fetching->refused.kind == ERR_NONE && (told || answer->verb == POP3_STAT))
        pop3_refused(fetching->pop3, reply, ERR_AGAIN,
                     told ? "mailbox refused" : "UIDL, LIST and STAT refused", &fetching->refused);
}

/* Answers come in the order of the commands: verbs[0] is the one whose lines come next. */
static int answer(void *ctx, const struct pop3_answer *answer, int taken, struct err *err)
{
    struct fetching *fetching = ctx;
    uint64_t octets;
    bool ok = taken == 0 && answer->reply.kind == REPLY_OK;
    if (taken < 0 && err->kind == ERR_FRAMING)
        return -1;
    if (answer->verb == POP3_UIDL) {
        fetching->listing->has_uidl = ok;
        put_in_order(fetching->listing);
    } else if (answer->verb == POP3_LIST) {
        fetching->listing->has_list = ok;
        put_in_order(fetching->listing);
    } else if (answer->verb == POP3_STAT) {
        fetching->has_stat = ok && reply_stat(answer->reply.text, &fetching->stat, &octets) == 0;
    }
    note_refusal(fetching, answer);
    fetching->lines = 0;
    memmove(fetching->verbs, fetching->verbs + 1, sizeof fetching->verbs[0] * (COMMANDS - 1));
    fetching->count--;
    fetching->next--;
    return 0;
}

static int fetch_lists(struct fetching *fetching, struct err *err)
{
    struct pipeline pipe = {.pop3 = fetching->pop3,
                            .ctx = fetching,
                            .next = next,
                            .taker = &fetching->taker,
                            .answer = answer};
    return pipe_run(&pipe, NULL, err);
}

/* Neither UIDL nor LIST works: STAT says how many there are, and each is fetched to be known. */
static int use_stat(struct fetching *fetching, struct err *err)
{
    if (fetching->refused.kind != ERR_NONE) {
        *err = fetching->refused;
        return -1;
    }
    if (!fetching->has_stat)
        return err_set(err, ERR_PROTOCOL,
                       "the server's answer to STAT makes no sense; tell its administrator");
    for (uint32_t number = 1; number <= fetching->stat; number++)
        append(fetching->listing, number);
    put_in_order(fetching->listing);
    return 0;
}

int listing_fetch(struct listing *listing, struct pop3 *pop3, bool capa, struct err *err)
{
    struct fetching fetching = {.listing = listing, .pop3 = pop3, .refused = {.kind = ERR_NONE}};
    fetching.taker = (struct pop3_taker){.line = take_line, .ctx = &fetching};
    if (capa)
        fetching.verbs[fetching.count++] = POP3_CAPA;
    fetching.verbs[fetching.count++] = POP3_STAT;
    fetching.verbs[fetching.count++] = POP3_UIDL;
    fetching.verbs[fetching.count++] = POP3_LIST;
    if (fetch_lists(&fetching, err) < 0)
        return -1;
    if (!listing->has_uidl && !listing->has_list)
        return use_stat(&fetching, err);
    if (fetching.has_stat && fetching.stat > listing->count)
        listing->missing = fetching.stat - listing->count;
    return 0;
}

const struct fingerprint *listing_fingerprint(const struct listing *listing,
                                              const struct message *message)
{
    return message->fingerprint == 0 ? NULL : &listing->fingerprints[message->fingerprint - 1];
}

void listing_set_fingerprint(struct listing *listing, struct message *message,
                             const struct fingerprint *fingerprint)
{
    if (message->fingerprint == 0) {
        if (listing->fingerprint_count == listing->fingerprint_cap) {
            listing->fingerprint_cap =
                listing->fingerprint_cap == 0 ? 64 : 2 * listing->fingerprint_cap;
            listing->fingerprints =
                xreallocarray(listing->fingerprints, listing->fingerprint_cap, sizeof *fingerprint);
        }
        message->fingerprint = ++listing->fingerprint_count;
    }
    listing->fingerprints[message->fingerprint - 1] = *fingerprint;
}

struct journal_subject listing_subject(const struct listing *listing, const struct message *message)
{
    const struct fingerprint *fingerprint = listing_fingerprint(listing, message);
    struct journal_subject subject = {.uidl = listing_uidl(listing, message),
                                      .size = message->size};
    if (fingerprint != NULL)
        subject.fingerprint = *fingerprint;
    return subject;
}

uint32_t listing_enter(struct listing *listing, struct message *message)
{
    if (message->entry != JOURNAL_NONE)
        return message->entry;
    struct journal_subject subject = listing_subject(listing, message);
    message->entry = journal_add(listing->journal, &subject, clock_wall());
    journal_list(listing->journal, message->entry);
    return message->entry;
}

char *listing_name(const struct listing *listing, const struct message *message,
                   const struct log *log, char *out, size_t cap)
{
    char shown[LOG_QUOTE_MAX + 4];
    if (!listing_has_uidl(message))
        snprintf(out, cap, "message %u", message->number);
    else
        snprintf(out, cap, "message %u (UIDL %s)", message->number,
                 log_quote(log, listing_uidl(listing, message), shown));
    return out;
}
