/* SPDX-License-Identifier: ISC */
#include "session/sift.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "session/dates.h"
#include "session/fault.h"
#include "session/filter.h"
#include "session/fingerprints.h"
#include "session/headers.h"
#include "session/heading.h"
#include "session/refusals.h"

/* What is not to be fetched. */
struct sift_spared {
    uint32_t at;    /* in the listing */
    uint64_t print; /* of the header by which it was judged; 0: its size was enough */
    int64_t until;  /* as sift_judge has it */
};

/* Messages of one listing that are judged. */
struct sifting {
    struct poll *poll;
    struct listing *listing;
    struct queue *dele;
    struct fields *fields;
    struct header *head; /* the same header, for its fingerprint */
    bool again;          /* these are to be deleted: their headers must say so once more */
    struct buf header;   /* the same as it came, for filter_command */
    uint32_t spared;
    int64_t until; /* clock_ms(): no header is asked for after that */
};

#define NEXT_POLL 1  /* a moment that has passed: the message is judged anew */
#define FILTER_ROW 3 /* times without an answer: then the command is at fault */
#define LEFT_LEAST ((int64_t)CLOCK_DAY / 2) /* until filter_command is asked again about ... */
#define LEFT_MOST ((int64_t)CLOCK_DAY * 30) /* ... what it left; see ask_later */

static const struct rules *rules_of(const struct poll *poll)
{
    return &poll->run->account->rules;
}

static const char *command_of(const struct poll *poll)
{
    return poll->run->account->filter_command;
}

bool sift_is_wanted(const struct poll *poll)
{
    return rules_of(poll)->count > 0 || command_of(poll) != NULL;
}

/* ---- what was judged before ---- */

/* Of rules and command, this many digits each; "" if there are none. */
_Static_assert(JOURNAL_RULES == 2 * RULES_DIGEST, "both go into the journal");

static void digest_of(const struct poll *poll, char out[JOURNAL_RULES + 1])
{
    unsigned char sum[DIGEST_SIZE];
    char digits[RULES_DIGEST + 1] = "";
    rules_digest(rules_of(poll), out);
    if (command_of(poll) != NULL) {
        bool deletes = poll->run->account->allow_delete; /* which its 2 may do */
        char *decides = xasprintf("%s%s", deletes ? "delete " : "", command_of(poll));
        digest_bytes(str_from(decides), sum);
        words_hex(sum, RULES_DIGEST / 2, digits);
        free(decides);
    }
    memcpy(out + strlen(out), digits, strlen(digits) + 1);
}

void sift_begin(struct poll *poll)
{
    char now[JOURNAL_RULES + 1];
    digest_of(poll, now);
    poll->sift.stale = strcmp(now, journal_rules(poll->journal)) != 0;
}

bool sift_is_by_rule(const struct journal_entry *entry)
{
    return entry->state == JOURNAL_LEFT ||
           (entry->state == JOURNAL_DONE && entry->policy == JOURNAL_STUB);
}

bool sift_is_settled(const struct poll *poll, uint32_t id)
{
    struct journal_entry entry = journal_entry(poll->journal, id);
    if (entry.tried)
        return true;
    int64_t until =
        entry.state == JOURNAL_LEFT ? (int64_t)journal_record(poll->journal, id).next_try : 0;
    return !poll->sift.stale && (until == 0 || poll->rules.now < until);
}

/* All that is left, or a stub, was judged by now: the next run need not. What is not on the server
 * any more is as good as new if it comes back. */
static void conclude(struct poll *poll)
{
    char now[JOURNAL_RULES + 1];
    bool all = true;
    for (uint32_t id = 0; id < journal_count(poll->journal) && poll->sift.stale; id++) {
        struct journal_entry entry = journal_entry(poll->journal, id);
        if (!sift_is_by_rule(&entry) || entry.tried)
            continue;
        if (entry.listed == 0 && entry.state == JOURNAL_LEFT)
            journal_put_off(poll->journal, id,
                            &(struct journal_failure){.reason = REASON_RULES_SAY});
        all = all && entry.listed == 0;
    }
    digest_of(poll, now);
    if (poll->sift.stale && all)
        journal_set_rules(poll->journal, now);
}

/* ---- what rules and command say ---- */

struct verdict sift_verdict(const struct poll *poll, const struct listing *listing,
                            const struct message *message)
{
    if (poll->sift.verdicts == NULL)
        return (struct verdict){.rule = VERDICT_RULES, .action = RULE_FETCH};
    return poll->sift.verdicts[message - listing->messages];
}

static struct verdict by_rules(const struct poll *poll, uint64_t size, const struct fields *fields,
                               int64_t *until)
{
    const struct rules *rules = rules_of(poll);
    const struct rules_facts facts = {
        .size = size, .now = poll->rules.clock_doubted ? 0 : poll->rules.now, .fields = fields};
    *until = 0;
    size_t rule = rules_find(rules, &facts, until);
    if (poll->rules.clock_doubted && *until != 0)
        *until = NEXT_POLL;
    return (struct verdict){.rule = rule < rules->count ? (unsigned)rule : VERDICT_RULES,
                            .action = rule < rules->count ? rules->at[rule].action : RULE_FETCH,
                            .judged = rule != RULES_UNKNOWN};
}

/* The day that found it old enough for a rule to delete it; 0: none did. */
static int64_t due_of(const struct poll *poll, const struct message *message)
{
    if (message->entry == JOURNAL_NONE)
        return 0;
    struct journal_entry entry = journal_entry(poll->journal, message->entry);
    return entry.state != JOURNAL_DONE ? entry.due : 0;
}

static bool is_by_age(const struct poll *poll, const struct sift_facts *facts)
{
    const struct rules_facts known = {
        .size = facts->size, .now = poll->rules.now, .fields = facts->fields};
    return rules_found_by_age(rules_of(poll), &known);
}

/* What has to be found on two days before it deletes. Age: once, the clock may err; a command that
 * complains, and has not read what it judges: once, it may be broken. */
static void wait_for_another_day(const struct poll *poll, const struct message *message,
                                 struct verdict *verdict, int64_t *until)
{
    bool doubted = poll->rules.clock_doubted;
    int64_t due = due_of(poll, message);
    if (!doubted && plan_was_due(&poll->rules, due))
        return;
    verdict->action = RULE_LEAVE;
    verdict->due = !doubted;
    *until = doubted ? NEXT_POLL : (dates_first_due(&poll->rules, due) + 1) * CLOCK_DAY;
}

/* The command did not say: another run asks again. If it never does, it is at fault itself. */
static void put_off(struct poll *poll, struct listing *listing, struct message *message,
                    const struct err *why)
{
    const struct journal_failure failure = {.reason = REASON_DESTINATION,
                                            .words = str_from(why->text)};
    bool writes = poll->run->mode == SESSION_POLL;
    if (writes)
        fault_put_off_aside(poll, listing, message, &failure);
    poll->sift.why = *why;
    if (writes && ++poll->sift.failed < FILTER_ROW && why->kind == ERR_LOCAL)
        return;
    poll->local = *why;
    if (writes && why->kind == ERR_LOCAL)
        err_set(&poll->local, ERR_LOCAL,
                "%s, for %d messages in a row; nothing is fetched before it works", why->text,
                FILTER_ROW);
}

/* When filter_command is asked once more about what it leaves: it may have been changed since, or
 * broken in a way that looks like an answer (1 is also how many an interpreter ends). As much later
 * as the message has been known, so that old ones cost little. */
static int64_t ask_later(const struct poll *poll, const struct message *message)
{
    int64_t age = 0;
    if (poll->rules.clock_doubted)
        return NEXT_POLL;
    if (message->entry != JOURNAL_NONE)
        age = poll->rules.now - (int64_t)journal_record(poll->journal, message->entry).first_seen;
    age = age < LEFT_LEAST ? LEFT_LEAST : age > LEFT_MOST ? LEFT_MOST : age;
    return poll->rules.now + age;
}

static struct verdict by_filter(struct poll *poll, struct listing *listing, struct message *message,
                                const struct sift_facts *facts, int64_t *until)
{
    struct err err;
    struct verdict verdict = {.rule = VERDICT_RULES, .judged = true, .filtered = true};
    enum rule_action action = RULE_LEAVE;
    bool doubtful = false;
    const struct filter_message asked = {
        .header = facts->header, .uidl = listing_uidl(listing, message), .size = facts->size};
    verdict.unsaid = filter_ask(poll, &asked, &action, &doubtful, &err) < 0;
    if (verdict.unsaid) {
        put_off(poll, listing, message, &err);
    } else {
        poll->sift.failed = 0;
        poll->sift.answered = true;
    }
    if (action == RULE_DELETE && !poll->run->account->allow_delete)
        action = RULE_LEAVE;
    int64_t later = ask_later(poll, message);
    if (action == RULE_LEAVE && (*until == 0 || later < *until))
        *until = later;
    verdict.action = action;
    if (action == RULE_DELETE && doubtful)
        wait_for_another_day(poll, message, &verdict, until);
    return verdict;
}

struct verdict sift_judge(struct poll *poll, struct listing *listing, struct message *message,
                          const struct sift_facts *facts, int64_t *until)
{
    struct verdict verdict = by_rules(poll, facts->size, facts->fields, until);
    if (verdict.action == RULE_DELETE && is_by_age(poll, facts))
        wait_for_another_day(poll, message, &verdict, until);
    bool named = poll->rules.switches.only != NULL; /* by its UIDL: no command is asked */
    if (!verdict.judged || verdict.action != RULE_FETCH || command_of(poll) == NULL || named)
        return verdict;
    if (facts->fields == NULL) {
        verdict.judged = false;
        return verdict;
    }
    struct verdict filtered = by_filter(poll, listing, message, facts, until);
    return filtered.action == RULE_FETCH ? verdict : filtered;
}

void sift_leave(struct poll *poll, uint32_t entry, bool due, int64_t until)
{
    int64_t before = journal_entry(poll->journal, entry).due;
    journal_leave(poll->journal, entry, until);
    if (due)
        journal_find_due(poll->journal, entry, dates_first_due(&poll->rules, before));
}

/* A message that was delivered (--all) stays one. */
static void leave(const struct sifting *sifting, struct message *message, bool due, int64_t until)
{
    struct journal *journal = sifting->poll->journal;
    uint32_t entry = listing_enter(sifting->listing, message);
    struct journal_entry known = journal_entry(journal, entry);
    if (known.state != JOURNAL_DONE && known.state != JOURNAL_GONE && !known.tried)
        sift_leave(sifting->poll, entry, due, until);
    journal_mark_tried(journal, entry);
}

/* What filter_command did not say of stays what it is: it was told as a failure. */
static void pass_over(const struct sifting *sifting, const struct message *message)
{
    if (message->entry != JOURNAL_NONE)
        journal_mark_tried(sifting->poll->journal, message->entry);
}

/* One that was given as a stub before has had its turn. */
static void pass_stub(const struct sifting *sifting, const struct message *message)
{
    struct journal *journal = sifting->poll->journal;
    if (message->entry == JOURNAL_NONE)
        return;
    struct journal_entry entry = journal_entry(journal, message->entry);
    if (sift_is_by_rule(&entry) && entry.state == JOURNAL_DONE)
        journal_mark_tried(journal, message->entry);
}

static void settle(struct sifting *sifting, const struct message *message, struct verdict verdict,
                   uint64_t print, int64_t until)
{
    struct poll *poll = sifting->poll;
    uint32_t at = (uint32_t)(message - sifting->listing->messages);
    poll->sift.verdicts[at] = verdict;
    if (verdict.action == RULE_FETCH)
        return;
    sifting->spared++;
    if (poll->sift.spared_count == poll->sift.spared_cap) {
        poll->sift.spared_cap = poll->sift.spared_cap == 0 ? 64 : 2 * poll->sift.spared_cap;
        poll->sift.spared =
            xreallocarray(poll->sift.spared, poll->sift.spared_cap, sizeof *poll->sift.spared);
    }
    poll->sift.spared[poll->sift.spared_count++] =
        (struct sift_spared){.at = at, .print = print, .until = until};
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of what is spared, in order; malloced. */
static uint64_t *sort_prints(const struct poll *poll)
{
    uint64_t *prints = xcalloc(poll->sift.spared_count, sizeof *prints);
    for (uint32_t i = 0; i < poll->sift.spared_count; i++)
        prints[i] = poll->sift.spared[i].print;
    qsort(prints, poll->sift.spared_count, sizeof *prints, by_value);
    return prints;
}

/* Three or more show this header: a store that is away may have put it in the place of theirs. */
static bool is_shown_by_many(const uint64_t *prints, uint32_t count, uint64_t print)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (prints[middle] < print)
            low = middle + 1;
        else
            high = middle;
    }
    return print != 0 && count - low >= REFUSALS_ALIKE && prints[low + REFUSALS_ALIKE - 1] == print;
}

/* What many show alike is not judged by it: the messages themselves are looked at, with all the
 * caution that there is for those that come short. */
static void carry_out(const struct sifting *sifting)
{
    struct poll *poll = sifting->poll;
    uint32_t count = poll->sift.spared_count;
    uint64_t *prints = sort_prints(poll);
    for (uint32_t i = 0; i < count; i++) {
        const struct sift_spared *spared = &poll->sift.spared[i];
        struct message *message = &sifting->listing->messages[spared->at];
        struct verdict *verdict = &poll->sift.verdicts[spared->at];
        if (is_shown_by_many(prints, count, spared->print))
            *verdict = (struct verdict){.rule = VERDICT_RULES};
        else if (verdict->action == RULE_LEAVE && verdict->unsaid)
            pass_over(sifting, message);
        else if (verdict->action == RULE_LEAVE)
            leave(sifting, message, verdict->due, spared->until);
        else if (verdict->action == RULE_STUB)
            pass_stub(sifting, message);
    }
    poll->sift.spared_count = 0;
    free(prints);
}

/* ---- asking ---- */

static bool feed(void *ctx, const char *bytes, size_t len)
{
    struct sifting *sifting = ctx;
    fields_feed(sifting->fields, bytes, len);
    header_feed(sifting->head, bytes, len);
    if (command_of(sifting->poll) != NULL)
        (void)buf_add(&sifting->header, bytes, len);
    return fields_is_done(sifting->fields);
}

/* What the second look sees is what the first one saw. */
static bool says_the_same(const struct sifting *sifting, const struct message *message,
                          struct verdict verdict)
{
    struct verdict before = sift_verdict(sifting->poll, sifting->listing, message);
    return verdict.judged && verdict.action == before.action && verdict.rule == before.rule &&
           verdict.filtered == before.filtered;
}

/* Never 0. */
static uint64_t print_of(struct header *header)
{
    uint64_t print;
    struct fingerprint fingerprint = fingerprints_of(header, false);
    memcpy(&print, fingerprint.bytes, sizeof print);
    return print | 1;
}

static void begin_header(struct sifting *sifting)
{
    sifting->fields = fields_new();
    sifting->head = header_new();
    buf_clear(&sifting->header);
}

static void end_header(struct sifting *sifting)
{
    fields_free(sifting->fields);
    header_free(sifting->head);
}

static void answer(void *ctx, uint32_t number, bool came)
{
    struct sifting *sifting = ctx;
    struct message *message = listing_find(sifting->listing, number);
    struct verdict verdict = {.rule = VERDICT_RULES};
    int64_t until = 0;
    bool whole = fields_is_done(sifting->fields);
    fields_end(sifting->fields);
    const struct sift_facts facts = {
        .size = message->size, .fields = sifting->fields, .header = buf_str(&sifting->header)};
    /* Of one that breaks off, what is missing proves nothing: the message itself is looked at. */
    bool late = !sifting->again && clock_left(sifting->until) == 0;
    if (came && whole && !late && sifting->poll->local.kind == ERR_NONE)
        verdict = sift_judge(sifting->poll, sifting->listing, message, &facts, &until);
    if (!sifting->again)
        settle(sifting, message, verdict, print_of(sifting->head), until);
    else if (says_the_same(sifting, message, verdict))
        queue_push(sifting->dele, number);
    end_header(sifting);
    begin_header(sifting);
}

static int ask(struct sifting *sifting, struct pop3 *pop3, const struct queue *numbers,
               struct err *err)
{
    const struct headers headers = {.pop3 = pop3,
                                    .numbers = numbers->at,
                                    .count = numbers->count,
                                    .until = sifting->until,
                                    .feed = feed,
                                    .answer = answer,
                                    .ctx = sifting};
    buf_init(&sifting->header, HEADERS_MAX);
    begin_header(sifting);
    int result = headers_run(&headers, err);
    end_header(sifting);
    buf_free(&sifting->header);
    return result;
}

/* Where it is fetched in any case, the rules say where it goes once it is here. */
static bool wants_header(const struct poll *poll, const struct message *message)
{
    return rules_may_skip(rules_of(poll), message->size) || command_of(poll) != NULL ||
           poll->run->mode == SESSION_DRY_RUN; /* which says what fits */
}

/* Not what is fetched only to be compared with what was delivered. */
static bool is_open(const struct poll *poll, const struct listing *listing,
                    const struct message *message)
{
    bool wanted = message->action == PLAN_FETCH || message->action == PLAN_RETRY ||
                  message->action == PLAN_ALONE || message->action == PLAN_REFUSE;
    return wanted && !message->compare && !sift_verdict(poll, listing, message).judged;
}

/* What its size decides; the numbers of the others, whose headers are wanted. */
static void look_at_sizes(struct sifting *sifting, struct pop3 *pop3, struct queue *numbers)
{
    struct listing *listing = sifting->listing;
    bool has_top = headers_may_ask(pop3, &sifting->poll->habits);
    for (uint32_t i = 0; i < listing->count; i++) {
        struct message *message = &listing->messages[i];
        const struct sift_facts facts = {.size = message->size};
        int64_t until;
        if (!is_open(sifting->poll, listing, message))
            continue;
        struct verdict verdict = sift_judge(sifting->poll, listing, message, &facts, &until);
        if (verdict.action == RULE_STUB && !has_top)
            verdict.action = RULE_FETCH;
        if (verdict.judged)
            settle(sifting, message, verdict, 0, until);
        else if (wants_header(sifting->poll, message))
            queue_push(numbers, message->number);
    }
}

/* A DELE wants a second look: the first may have been at another message's answer. Without TOP
 * there was none: the listing itself says how long a message is. */
static int look_again(struct sifting *sifting, struct pop3 *pop3, struct err *err)
{
    struct queue numbers = {NULL, 0, 0};
    struct listing *listing = sifting->listing;
    for (uint32_t i = 0; i < listing->count; i++)
        if (sift_verdict(sifting->poll, listing, &listing->messages[i]).action == RULE_DELETE)
            queue_push(&numbers, listing->messages[i].number);
    sifting->again = true;
    int result = 0;
    if (headers_may_ask(pop3, &sifting->poll->habits))
        result = ask(sifting, pop3, &numbers, err);
    else
        for (uint32_t i = 0; i < numbers.count; i++)
            queue_push(sifting->dele, numbers.at[i]);
    free(numbers.at);
    for (uint32_t i = 0; i < sifting->dele->count; i++)
        (void)listing_enter(listing, listing_find(listing, sifting->dele->at[i]));
    return result;
}

void sift_fetch_whole(struct poll *poll, const struct listing *listing,
                      const struct message *message)
{
    poll->sift.verdicts[message - listing->messages].action = RULE_FETCH;
}

bool sift_open(struct poll *poll, const struct listing *listing)
{
    if ((!sift_is_wanted(poll) && !poll->sift.stale) || poll->rules.switches.only != NULL)
        return false;
    poll->sift.verdicts = xcalloc(listing->count, sizeof *poll->sift.verdicts);
    for (uint32_t i = 0; i < listing->count; i++)
        poll->sift.verdicts[i] = (struct verdict){.rule = VERDICT_RULES};
    if (poll->sift.stale && poll->run->mode == SESSION_POLL)
        journal_set_rules(poll->journal, "");
    return true;
}

/* When so many quarters of the session's time are left. */
static int64_t when_left(const struct poll *poll, int quarters)
{
    return poll->deadline - poll->run->account->session_timeout * 1000 / 4 * quarters;
}

int sift_listing(struct poll *poll, struct pop3 *pop3, struct listing *listing, uint32_t *spared,
                 struct err *err)
{
    struct sifting sifting = {.poll = poll, .listing = listing, .until = when_left(poll, 2)};
    struct queue numbers = {NULL, 0, 0};
    look_at_sizes(&sifting, pop3, &numbers);
    int result = headers_may_ask(pop3, &poll->habits) ? ask(&sifting, pop3, &numbers, err) : 0;
    free(numbers.at);
    *spared = sifting.spared;
    if (result < 0 && poll->run->mode == SESSION_POLL)
        carry_out(&sifting);
    return result;
}

int sift_conclude(struct poll *poll, struct pop3 *pop3, struct listing *listing, struct queue *dele,
                  struct err *err)
{
    struct sifting sifting = {
        .poll = poll, .listing = listing, .dele = dele, .until = when_left(poll, 1)};
    if (poll->run->mode != SESSION_POLL)
        return 0;
    carry_out(&sifting);
    if (!poll->rules.switches.never_delete && look_again(&sifting, pop3, err) < 0)
        return -1;
    conclude(poll);
    return 0;
}

const struct err *sift_trouble(const struct poll *poll)
{
    return poll->sift.answered || poll->sift.failed == 0 ? NULL : &poll->sift.why;
}

void sift_end(struct poll *poll)
{
    free(poll->sift.verdicts);
    poll->sift.verdicts = NULL;
    free(poll->sift.spared);
    poll->sift.spared = NULL;
    poll->sift.spared_count = poll->sift.spared_cap = 0;
}

/* ---- what is here already ---- */

static void read_fields(const char *path, struct fields *fields)
{
    char bytes[16 * 1024];
    ssize_t got = 1;
    int fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0);
    while (fd >= 0 && got > 0 && !fields_is_done(fields)) {
        got = read(fd, bytes, sizeof bytes);
        if (got > 0)
            fields_feed(fields, bytes, (size_t)got);
    }
    fields_end(fields);
    if (fd >= 0)
        close(fd);
}

const struct route *sift_route(const struct poll *poll, struct verdict verdict)
{
    return routes_of_rule(&poll->routes, verdict.rule);
}

const struct route *sift_kept(const struct poll *poll, const char *path, uint64_t octets,
                              int64_t *arrived)
{
    int64_t until;
    const struct account *account = poll->run->account;
    *arrived = 0;
    if (account->rules.count == 0 && !account->arrival_date)
        return poll->routes.at;
    struct fields *fields = fields_new();
    read_fields(path, fields);
    struct verdict verdict = by_rules(poll, octets, fields, &until);
    *arrived = heading_arrived(account, fields, poll->rules.now);
    fields_free(fields);
    return sift_route(poll, verdict);
}
