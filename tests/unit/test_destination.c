/* SPDX-License-Identifier: ISC */
/*
 * destination: whose fault it is that messages are not taken. A row of messages, each with how it
 * ended, and then what is counted, what is held, and what the run says.
 */
#include "session/destination.h"

#include <string.h>

#include "kit_journal.h"

#define MESSAGES 8
#define TRIES 2 /* max_tries */

static char said[4096]; /* errors, one a line */

static void hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    size_t len = strlen(said);
    if (level <= FP_LOG_ERROR)
        snprintf(said + len, sizeof said - len, "%s\n", line);
}

static struct log run_log = {.level = FP_LOG_TRACE, .write = hear};

struct bench {
    struct account account;
    struct session_run run;
    struct poll poll;
    struct route routes[2];
    char token[2]; /* what stands for the open destinations */
    uint32_t entries[MESSAGES];
};

/* A run in which so many messages are kept, and wait. */
static void begin_run(struct bench *bench)
{
    said[0] = '\0';
    *bench = (struct bench){.account = {.max_tries = TRIES}};
    bench->run = (struct session_run){.account = &bench->account, .log = &run_log};
    bench->poll = (struct poll){.run = &bench->run, .journal = open_journal()};
    bench->poll.rules.now = 1700000000;
    for (size_t i = 0; i < 2; i++)
        bench->routes[i].deliver = (struct deliver *)(void *)&bench->token[i];
    bench->poll.routes = (struct routes){.at = bench->routes, .count = 1};
    aside_begin(&bench->poll.aside, &run_log, false);
    for (int i = 0; i < MESSAGES; i++) {
        char uidl[8];
        snprintf(uidl, sizeof uidl, "u%d", i);
        bench->entries[i] = find(bench->poll.journal, uidl);
        if (bench->entries[i] != JOURNAL_NONE)
            continue;
        const struct journal_file file = {.name = str_from(uidl), .octets = 10};
        bench->entries[i] = add(bench->poll.journal, uidl, 10);
        journal_keep(bench->poll.journal, bench->entries[i], JOURNAL_KEPT, false, &file,
                     &(struct journal_failure){.reason = REASON_WAITING});
    }
}

static void end_run(struct bench *bench)
{
    struct err err;
    aside_end(&bench->poll.aside, true);
    if (journal_sync(bench->poll.journal, &err) < 0)
        abort();
    journal_close(bench->poll.journal);
}

static void forget_all(void)
{
    unlink(path);
}

/* One message ends so; status 0 is a delivery, 75 is put off. */
static void give_to(struct bench *bench, int which, int status, size_t route)
{
    static char why[] = "no";
    struct parcel parcel = {.to = bench->routes[route].deliver, .status = status, .why = why};
    char name[16];
    snprintf(name, sizeof name, "message %d", which);
    parcel.outcome = status == 0 ? PARCEL_DELIVERED : status == 75 ? PARCEL_LATER : PARCEL_REFUSED;
    if (status == 0)
        destination_took(&bench->poll, &parcel);
    else
        destination_refused(&bench->poll, bench->entries[which], name, &parcel);
}

static unsigned tries(const struct bench *bench, int which)
{
    return journal_entry(bench->poll.journal, bench->entries[which]).tries;
}

static bool is_held(const struct bench *bench, int which)
{
    return journal_entry(bench->poll.journal, bench->entries[which]).state == JOURNAL_REFUSED;
}

/* A row of one run: statuses, ended by -1; what is to come of it. */
struct row {
    const char *name;
    int statuses[MESSAGES + 1];
    enum err_kind trouble;
    unsigned counted; /* messages whose tries have gone up */
    unsigned lines;   /* errors that are told with their message */
    bool shut;
};

static const struct row rows[] = {
    {"one refused before others are delivered", {1, 0, 0, -1}, ERR_NONE, 1, 1, false},
    {"one refused behind others", {0, 0, 1, -1}, ERR_NONE, 1, 1, false},
    {"one refused and nothing else", {1, -1}, ERR_NONE, 1, 1, false},
    {"one refused with 78 and nothing else", {78, -1}, ERR_CONFIG, 0, 0, false},
    {"one refused with 78 among others", {0, 78, 0, -1}, ERR_NONE, 1, 1, false},
    {"two refused with 77 and nothing else", {77, 77, -1}, ERR_LOGIN, 0, 0, false},
    {"two refused in two ways", {77, 1, -1}, ERR_NONE, 2, 2, false},
    {"three in a row, nothing delivered", {1, 1, 1, -1}, ERR_LOCAL, 0, 0, true},
    {"three in a row behind a delivery", {0, 64, 64, 64, -1}, ERR_LOCAL, 0, 0, true},
    {"three in a row with 73", {73, 73, 73, -1}, ERR_CREATE, 0, 0, true},
    {"three refused, not in a row", {1, 1, 0, 1, -1}, ERR_NONE, 3, 3, false},
    {"one put off among others", {0, 75, 0, -1}, ERR_NONE, 0, 1, false},
    {"three put off in a row", {75, 75, 75, -1}, ERR_LOCAL, 0, 0, true},
    {"one refused, then three put off", {1, 75, 75, 75, -1}, ERR_LOCAL, 1, 1, true},
};

static unsigned count_lines(void)
{
    unsigned lines = 0;
    for (const char *c = said; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

static void judges(void)
{
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        const struct row *row = &rows[r];
        struct bench bench;
        unsigned counted = 0;
        forget_all();
        begin_run(&bench);
        for (int i = 0; row->statuses[i] >= 0; i++)
            give_to(&bench, i, row->statuses[i], 0);
        ok(destination_all_shut(&bench.poll) == row->shut, "%s: %s", row->name,
           row->shut ? "nothing more is delivered" : "the others have their turn");
        destination_conclude(&bench.poll);
        for (int i = 0; i < MESSAGES; i++)
            counted += tries(&bench, i);
        is_int(destination_trouble(&bench.poll)->kind, row->trouble, "  whose fault it is");
        is_int(counted, row->counted, "  what counts as a try");
        is_int(count_lines(), row->lines, "  what is told with its message");
        end_run(&bench);
    }
}

/* Refused in two runs while others are delivered, it is held; the machine's fault never gets there. */
static void holds(void)
{
    struct bench bench;
    forget_all();
    for (int run = 1; run <= TRIES; run++) {
        begin_run(&bench);
        give_to(&bench, 0, 1, 0);
        give_to(&bench, 1 + run, 0, 0);
        destination_conclude(&bench.poll);
        ok(is_held(&bench, 0) == (run == TRIES), "refused in %d runs of %d: held only then", run,
           TRIES);
        end_run(&bench);
    }
    ok(strstr(said, "--retry") != NULL, "and what to do is said");
    begin_run(&bench);
    give_to(&bench, 0, 1, 0);
    for (int i = 1; i < 3; i++)
        give_to(&bench, i, 1, 0);
    ok(!destination_all_shut(&bench.poll), "one that was held before says nothing of today");
    destination_conclude(&bench.poll);
    end_run(&bench);
    forget_all();
    for (int run = 0; run < 3 * TRIES; run++) {
        begin_run(&bench);
        for (int i = 0; i < 3; i++)
            give_to(&bench, i, 1, 0);
        destination_conclude(&bench.poll);
        end_run(&bench);
    }
    begin_run(&bench);
    ok(!is_held(&bench, 0) && tries(&bench, 0) == 0, "what takes nothing for long holds nothing");
    end_run(&bench);
}

/* Tried often enough while nothing else was delivered: that may be the machine, so it is not held. */
static void waits_for_a_delivery(void)
{
    struct bench bench;
    forget_all();
    for (int run = 0; run <= TRIES; run++) {
        begin_run(&bench);
        give_to(&bench, 0, 1, 0);
        destination_conclude(&bench.poll);
        ok(!is_held(&bench, 0), "refused alone, run %d: not held", run + 1);
        is_int(destination_trouble(&bench.poll)->kind != ERR_NONE, run == TRIES,
               "  and blamed on the machine only when the tries are used up");
        end_run(&bench);
    }
}

/* Kept ones were tried, and none was taken: one new message is, and if it is delivered, they are at
 * fault. */
static void tries_a_new_one(void)
{
    struct bench bench;
    forget_all();
    begin_run(&bench);
    for (int i = 0; i < 3; i++)
        give_to(&bench, i, 1, 0);
    ok(destination_all_shut(&bench.poll) && destination_is_doubtful(&bench.poll),
       "three kept ones in a row: shut");
    destination_reopen(&bench.poll);
    ok(!destination_all_shut(&bench.poll) && destination_is_doubtful(&bench.poll),
       "open again for new ones, one at a time");
    give_to(&bench, 3, 0, 0);
    ok(!destination_is_doubtful(&bench.poll), "it is delivered: no doubt is left");
    destination_conclude(&bench.poll);
    is_int(destination_trouble(&bench.poll)->kind, ERR_NONE, "the machine is well");
    is_int(tries(&bench, 0) + tries(&bench, 1) + tries(&bench, 2), 3, "the three are at fault");
    end_run(&bench);
}

/* A batch ends in the middle of a row, and the next one goes on with it. */
static void goes_on_with_a_row(void)
{
    struct bench bench;
    forget_all();
    begin_run(&bench);
    for (int i = 0; i < 4; i++)
        give_to(&bench, i, 75, 0);
    destination_conclude(&bench.poll);
    give_to(&bench, 4, 75, 0);
    destination_conclude(&bench.poll);
    is_int(destination_trouble(&bench.poll)->kind, ERR_LOCAL, "a row over two conclusions: blamed");
    is_int(count_lines(), 0, "no message of either is told on its own");
    ok(strstr(destination_trouble(&bench.poll)->text, "all of 4") != NULL,
       "told with the first four");
    end_run(&bench);
}

/* Each destination has its own troubles. */
static void keeps_two_apart(void)
{
    struct bench bench;
    forget_all();
    begin_run(&bench);
    bench.poll.routes.count = 2;
    for (int i = 0; i < 3; i++)
        give_to(&bench, i, 78, 1);
    struct parcel to[] = {{.to = bench.routes[0].deliver}, {.to = bench.routes[1].deliver}};
    ok(!destination_is_shut(&bench.poll, &to[0]) && destination_is_shut(&bench.poll, &to[1]),
       "one is shut, and not the other");
    ok(!destination_all_shut(&bench.poll) && !destination_is_doubtful(&bench.poll),
       "so mail is fetched as before");
    give_to(&bench, 3, 0, 0);
    give_to(&bench, 4, 1, 0);
    destination_conclude(&bench.poll);
    is_int(destination_trouble(&bench.poll)->kind, ERR_CONFIG, "its trouble is told");
    is_int(tries(&bench, 4), 1, "and a refusal at the other counts for its message");
    is_int(tries(&bench, 0), 0, "but none at this one");
    end_run(&bench);
}

int main(void)
{
    if (!begin())
        return 1;
    settings.log = &run_log;
    judges();
    holds();
    waits_for_a_delivery();
    tries_a_new_one();
    goes_on_with_a_row();
    keeps_two_apart();
    return end();
}
