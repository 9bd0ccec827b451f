/* SPDX-License-Identifier: ISC */
/*
 * plan: every kind of message under every rule, as a table.
 */
#include "session/plan.h"

#include "tap.h"

#define NOW 1800000000
#define DAY 86400
#define NONE (-1000000)

struct row {
    const char *name;
    enum journal_state known;
    bool kept;
    int64_t age; /* seconds since first seen */
    int64_t due; /* days since it was first found old enough; NONE: it was not */
    /* under: keep, no keep, keep for a day, -a, -F */
    enum plan_action want[5];
};

#define L PLAN_LEAVE
#define F PLAN_FETCH
#define R PLAN_RETRY
#define D PLAN_DELETE
#define A PLAN_ALONE

#define U PLAN_DUE

static const struct row rows[] = {
    {"new", JOURNAL_FREE, false, 0, NONE, {F, F, F, F, F}},
    {"an open take that recovery left", JOURNAL_TAKEN, true, 0, NONE, {L, L, L, L, L}},
    {"failed before", JOURNAL_FAILED, false, 0, NONE, {R, R, R, R, R}},
    {"a connection broke over it", JOURNAL_DOUBTED, false, 0, NONE, {A, A, A, A, A}},
    {"held", JOURNAL_HELD, false, 0, NONE, {L, L, L, L, L}},
    {"delivered and kept, young", JOURNAL_DONE, true, DAY - 1, NONE, {L, L, L, F, D}},
    {"delivered and kept, a day old", JOURNAL_DONE, true, DAY, NONE, {L, L, U, F, D}},
    {"old enough since today", JOURNAL_DONE, true, DAY, 0, {L, L, U, F, D}},
    {"old enough since yesterday", JOURNAL_DONE, true, DAY, 1, {L, L, D, F, D}},
    {"old enough since tomorrow", JOURNAL_DONE, true, DAY, -1, {L, L, U, F, D}},
    {"old enough yesterday, and young", JOURNAL_DONE, true, DAY - 1, 1, {L, L, L, F, D}},
    {"delivered and kept, from the future", JOURNAL_DONE, true, -DAY, 1, {L, L, L, F, D}},
    {"delivered, its DELE not confirmed", JOURNAL_DONE, false, 0, NONE, {D, D, D, F, D}},
    {"deleted, and back", JOURNAL_GONE, true, 0, NONE, {L, D, L, F, D}},
    {"deleted, and back, a day old", JOURNAL_GONE, true, DAY, NONE, {L, D, U, F, D}},
    {"deleted for its age, and back", JOURNAL_GONE, true, DAY, 2, {L, D, D, F, D}},
};

static struct account account; /* what the rules of a test are about */

static struct plan_rules rules_of(enum account_keep keep, int64_t seconds)
{
    account = (struct account){.keep = keep, .keep_seconds = seconds, .max_tries = 5};
    return (struct plan_rules){.account = &account, .now = NOW};
}

static struct plan_rules rules_of_column(int column)
{
    struct plan_rules rules = rules_of(column == 1   ? ACCOUNT_NOKEEP
                                       : column == 2 ? ACCOUNT_KEEP_FOR
                                                     : ACCOUNT_KEEP,
                                       DAY);
    rules.switches.fetch_seen = column == 3;
    rules.switches.flush = column == 4;
    return rules;
}

static void test_table(void)
{
    static const char *const columns[] = {"keep", "no keep", "keep a day", "-a", "-F"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int column = 0; column < 5; column++) {
            struct plan_rules rules = rules_of_column(column);
            struct plan_message message = {.size = 10,
                                           .known = rows[i].known,
                                           .policy = rows[i].kept ? JOURNAL_KEEP : JOURNAL_DELETE,
                                           .first_seen = NOW - rows[i].age,
                                           .due =
                                               rows[i].due == NONE ? 0 : NOW / DAY - rows[i].due};
            struct plan_spent spent = {0};
            enum plan_action got = plan_decide(&rules, &message, &spent);
            ok(got == rows[i].want[column], "%s; under %s: what is done with it", rows[i].name,
               columns[column]);
            ok(spent.messages == (got == F || got == R || got == A),
               "%s; under %s: counted if it is fetched", rows[i].name, columns[column]);
        }
    }
}

static void test_limits(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_NOKEEP, 0);
    account.max_size = 100;
    account.max_messages = 2;
    struct plan_message message = {.size = 101, .known = JOURNAL_FREE};
    struct plan_spent spent = {0};
    is_int(plan_decide(&rules, &message, &spent), PLAN_REFUSE,
           "a message one octet longer than max_size is refused");
    message.known = JOURNAL_FAILED;
    is_int(plan_decide(&rules, &message, &spent), PLAN_REFUSE,
           "one that failed before is refused too");
    is_int(spent.messages, 0, "a refused message does not count against max_messages");
    message.size = 100;
    is_int(plan_decide(&rules, &message, &spent), PLAN_RETRY,
           "a message as long as max_size is tried again");
    message.known = JOURNAL_FREE;
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH, "a second one is fetched");
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "the third is left for later where max_messages is 2");
    message.known = JOURNAL_DONE;
    is_int(plan_decide(&rules, &message, &spent), PLAN_DELETE, "deleting has no limit");
}

static void test_octets(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_NOKEEP, 0);
    account.max_bytes = 100;
    struct plan_message message = {.size = 101, .known = JOURNAL_FREE};
    struct plan_spent spent = {0};
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH,
           "the first message of a run is fetched even if it is longer than max_bytes");
    message.size = 1;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE, "then nothing more is");
    spent = (struct plan_spent){0};
    message.size = 60;
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH, "60 octets of 100");
    message.size = 41;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE, "one octet too many waits");
    message.size = 1;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "what is behind it waits too, though it would fit");
    spent = (struct plan_spent){.messages = 1, .octets = 60};
    message.size = 40;
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH, "exactly max_bytes is fetched");
    message.known = JOURNAL_DONE;
    is_int(plan_decide(&rules, &message, &spent), PLAN_DELETE, "deleting has no limit");
    message.known = JOURNAL_FREE;
    account.max_bytes = 0;
    message.size = UINT64_MAX;
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH, "without max_bytes all are");
}

/* It may turn out to be delivered, and counts once it came. */
static void test_unsure(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_NOKEEP, 0);
    account.max_messages = 1;
    struct plan_message message = {.size = 10, .known = JOURNAL_FREE, .unsure = true};
    struct plan_spent spent = {.messages = 1, .octets = 10};
    is_int(plan_decide(&rules, &message, &spent), PLAN_FETCH,
           "one that may be a copy is fetched beyond the limit");
    is_int(spent.messages, 1, "and counts for nothing before it came");
    ok(!plan_has_room(&account, 10, &spent), "one that came takes the room");
    message.unsure = false;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE, "another one waits");
}

static void test_never(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_NOKEEP, 0);
    rules.switches = (struct session_switches){.flush = true, .never_delete = true};
    struct plan_message message = {.size = 1, .known = JOURNAL_DONE};
    struct plan_spent spent = {0};
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "under -k a message whose DELE is pending stays");
    message.known = JOURNAL_GONE;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "under -k a message that was deleted and is back stays");
    ok(!plan_deletes_new(&rules), "under -k a new message stays");
    ok(!plan_keeps_new(&rules), "but only until a run without it, where keep is no");
}

static void test_clock(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_KEEP_FOR, DAY);
    struct plan_message message = {
        .size = 1, .known = JOURNAL_DONE, .policy = JOURNAL_KEEP, .first_seen = 5};
    struct plan_spent spent = {0};
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "a message first seen in 1970, by a wrong clock, is left");
    message.first_seen = NOW - DAY;
    message.due = NOW / DAY - 1;
    is_int(plan_decide(&rules, &message, &spent), PLAN_DELETE, "old enough twice: it goes");
    rules.clock_doubted = true;
    is_int(plan_decide(&rules, &message, &spent), PLAN_LEAVE,
           "by a clock in doubt nothing is old enough");
}

static void test_new_ones(void)
{
    struct plan_rules rules = rules_of(ACCOUNT_KEEP, 0);
    ok(!plan_deletes_new(&rules), "under keep a new message stays");
    account.keep = ACCOUNT_NOKEEP;
    ok(plan_deletes_new(&rules), "without keep a new message goes");
    account.keep = ACCOUNT_KEEP_FOR;
    account.keep_seconds = 1;
    ok(!plan_deletes_new(&rules), "under keep for a second a new message stays");
    account.keep_seconds = 0;
    ok(plan_deletes_new(&rules), "under keep for no time a new message goes");
}

int main(void)
{
    test_table();
    test_limits();
    test_octets();
    test_new_ones();
    test_unsure();
    test_never();
    test_clock();
    return tap_done();
}
