/* SPDX-License-Identifier: ISC */
/* Dates of messages, and of the command line. */
#include "base/maildate.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

/* The seconds are those of date(1). */
static void test_dates(void)
{
    static const struct {
        const char *text;
        int64_t when;
    } DATES[] = {
        {"Sat, 28 Nov 2026 10:41:20 +0000", 1795862480},
        {"Sat, 28 Nov 2026 10:41:20 +0100", 1795858880},
        {"28 Nov 2026 10:41 -0530 (somewhere)", 1795882260},
        {"sat,28 nov 2026 10:41:20 GMT", 1795862480},
        {"Thu, 1 Jan 1970 00:00:00 +0000", 0},
        {"Tue, 29 Feb 2000 23:59:60 +0000", 951868800},
        {"1 Mar 24 00:00:00 +0000", 1709251200},
        {"1 Mar 99 00:00:00 EST", 920264400},
        {"1 Mar 124 00:00:00 +0000", 1709251200},
        {"  Sat, 28 Nov 2026\t10:41:20  ", 1795862480},
    };
    static const char *const NONE[] = {"",
                                       "yesterday",
                                       "Sat, 32 Nov 2026 10:41:20 +0000",
                                       "Sat, 28 Nux 2026 10:41:20 +0000",
                                       "Sat, 28 Nov 2026 25:41:20 +0000",
                                       "Sat, 28 Nov 2026",
                                       "Sat, 28 Nov 99999 10:41:20 +0000",
                                       "Nov 28 10:41:20 2026"};
    for (size_t i = 0; i < sizeof DATES / sizeof DATES[0]; i++) {
        int64_t when = -1;
        ok(maildate_read(str_from(DATES[i].text), &when) == 0 && when == DATES[i].when, "%s: %lld",
           DATES[i].text, (long long)when);
    }
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        int64_t when = -1;
        ok(maildate_read(str_from(NONE[i]), &when) < 0 && when == -1, "no date: %s", NONE[i]);
    }
}

static void test_days(void)
{
    static const char *const NONE[] = {"",           "2026-02-30", "2026-13-01", "2026-00-01",
                                       "2026-01-00", "26-01-01",   "2026-01",    "2026-01-01x"};
    int64_t when = 0;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    ok(maildate_read_day(str_from("2026-11-28"), &when) == 0 && when == 1795820400,
       "a day begins at midnight here: %lld", (long long)when);
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++)
        ok(maildate_read_day(str_from(NONE[i]), &when) < 0, "no day: %s", NONE[i]);
    char day[MAILDATE_DAY];
    is_str(maildate_spell_day(1795820400, day), "2026-11-28", "its first second is that day");
    is_str(maildate_spell_day(1795820399, day), "2026-11-27", "the second before is another one");
    is_str(maildate_spell_day(0, day), "another day", "no time is no day");
}

int main(void)
{
    test_dates();
    test_days();
    return tap_done();
}
