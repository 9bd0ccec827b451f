/* SPDX-License-Identifier: ISC */
/*
 * The words of the status line.
 */
#include "app/progress.h"

#include <stdint.h>

#include "tap.h"

static const char *spell(struct progress_facts facts, size_t width)
{
    static char line[201];
    memset(line, '#', sizeof line);
    progress_spell(&facts, width, line);
    return line;
}

#define FACTS                                                                                      \
    .total = 3, .done = 1, .planned = 40, .fetched = 10, .run_ms = 20000, .fetch_ms = 10000

static void test_parts(void)
{
    struct progress_facts facts = {FACTS, .known = 2, .octets = 20000, .octets_planned = 80000};
    is_str(spell(facts, 79), "1/3 accounts, 10/40 messages, 20 kB of 80 kB, 2.0 kB/s, 0:30 left",
           "a wide line has all parts");
    is_str(spell(facts, 65), "1/3 accounts, 10/40 messages, 20 kB of 80 kB, 2.0 kB/s, 0:30 left",
           "just wide enough");
    is_str(spell(facts, 64), "1/3 accounts, 10/40 messages, 20 kB of 80 kB, 2.0 kB/s",
           "one column less leaves the last part out");
    is_str(spell(facts, 46), "1/3 accounts, 10/40 messages, 20 kB of 80 kB",
           "46 columns have room for two parts");
    is_str(spell(facts, 19), "1/3 accounts", "20 columns: what does not fit ends it");
    is_str(spell(facts, 5), "1/3 a", "next to nothing");
    is_str(spell(facts, 0), "", "no columns have nothing");
    is_str(spell((struct progress_facts){.total = 5}, 79), "0/5 accounts", "nothing to fetch yet");
    is_str(spell((struct progress_facts){0}, 79), "0/0 accounts", "without an account it says so");
    is_str(spell((struct progress_facts){.total = 2, .done = 2}, 79), "2/2 accounts",
           "accounts that all failed are done");
}

static const char *left(struct progress_facts facts)
{
    const char *line = spell(facts, 200);
    const char *last = strrchr(line, ',');
    return strstr(line, "left") != NULL ? last + 2 : "none";
}

static void test_left(void)
{
    is_str(left((struct progress_facts){FACTS, .known = 2, .octets = 0, .octets_planned = 0}),
           "0:30 left", "no sizes: messages count");
    is_str(
        left((struct progress_facts){FACTS, .known = 2, .octets = 90000, .octets_planned = 80000}),
        "0:30 left", "more came than was announced: messages count");
    is_str(
        left((struct progress_facts){FACTS, .known = 1, .octets = 20000, .octets_planned = 80000}),
        "0:40 left", "an account that has told nothing: like the one that is done");
    is_str(left((struct progress_facts){.total = 3,
                                        .known = 1,
                                        .planned = 4,
                                        .octets = 5,
                                        .octets_planned = 9,
                                        .fetch_ms = 1000}),
           "none", "none is done, and one has told nothing");
    is_str(left((struct progress_facts){.total = 1, .known = 1, .planned = 4, .fetch_ms = 1000}),
           "none", "nothing has come yet");
    is_str(left((struct progress_facts){.total = 1,
                                        .known = 1,
                                        .planned = 4,
                                        .fetched = 4,
                                        .octets = 9,
                                        .octets_planned = 9,
                                        .fetch_ms = 1000}),
           "none", "all has come");
    is_str(left((struct progress_facts){.total = 1,
                                        .known = 1,
                                        .planned = 4,
                                        .octets = 1,
                                        .octets_planned = UINT64_MAX,
                                        .fetch_ms = INT64_MAX}),
           "none", "longer than anybody lives");
    is_str(left((struct progress_facts){.total = 1,
                                        .known = 1,
                                        .planned = 4,
                                        .octets = 100,
                                        .octets_planned = 736000,
                                        .fetch_ms = 1000}),
           "122:39 left", "hours are minutes");
    is_str(left((struct progress_facts){
               .total = SIZE_MAX, .done = 1, .planned = 1, .run_ms = INT64_MAX}),
           "none", "so many accounts");
    is_str(spell((struct progress_facts){.total = 1,
                                         .known = 1,
                                         .planned = UINT32_MAX,
                                         .fetched = UINT32_MAX,
                                         .octets = UINT64_MAX,
                                         .octets_planned = UINT64_MAX},
                 200),
           "0/1 accounts, 4294967295/4294967295 messages, 18446744 TB of 18446744 TB, "
           "18446744 TB/s",
           "the largest numbers");
}

int main(void)
{
    test_parts();
    test_left();
    return tap_done();
}
