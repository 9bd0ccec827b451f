/* SPDX-License-Identifier: ISC */
#include "base/maildate.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define YEAR_MAX 9999

/* Days since 1970-01-01 of a day of the Gregorian calendar; the year begins with March, so that
 * the leap day is its last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month < 3;
    int64_t shifted = (month + 9) % 12;
    int64_t leaps = year / 4 - year / 100 + year / 400;
    return year * 365 + leaps + (shifted * 153 + 2) / 5 + day - 1 - 719468;
}

static int month_of(struct str word)
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 12; i++)
        if (str_has_prefix_nocase(word, months[i]))
            return i + 1;
    return 0;
}

/* hh:mm or hh:mm:ss; 60 is a leap second. */
static int read_time(struct str word, int64_t *seconds)
{
    uint64_t hour, minute, second = 0;
    struct str first = str_until(&word, ':'), next = str_until(&word, ':');
    if (str_number(first, 23, &hour) < 0 || str_number(next, 59, &minute) < 0 ||
        (word.len > 0 && str_number(word, 60, &second) < 0))
        return -1;
    *seconds = (int64_t)(hour * 3600 + minute * 60 + second);
    return 0;
}

/* Seconds east of UTC. */
static int64_t zone_of(struct str word)
{
    static const char names[] = "ESTEDTCSTCDTMSTMDTPSTPDT";
    static const int hours[] = {-5, -4, -6, -5, -7, -6, -8, -7};
    uint64_t digits;
    for (int i = 0; word.len == 3 && i < 8; i++)
        if (str_equal_nocase(word, str_of(names + (ptrdiff_t)3 * i, 3)))
            return (int64_t)hours[i] * 3600;
    if (word.len != 5 || (word.ptr[0] != '+' && word.ptr[0] != '-') ||
        str_number(str_of(word.ptr + 1, 4), 9999, &digits) < 0)
        return 0;
    int64_t seconds = (int64_t)(digits / 100 * 3600 + digits % 100 * 60);
    return word.ptr[0] == '-' ? -seconds : seconds;
}

static struct str next_word(struct str *rest)
{
    while (rest->len > 0 && strchr(" \t\r\n,", rest->ptr[0]) != NULL)
        *rest = str_behind(*rest, 1);
    size_t len = 0;
    while (len < rest->len && strchr(" \t\r\n,", rest->ptr[len]) == NULL)
        len++;
    struct str word = str_of(rest->ptr, len);
    *rest = str_behind(*rest, len);
    return word;
}

/* As it is written, so in the sender's time. */
struct date {
    uint64_t year, day;
    int month;
    int64_t seconds; /* of the day */
    struct str zone;
};

static int read_date(struct str text, struct date *date)
{
    struct str word = next_word(&text);
    if (word.len > 0 && !str_is_digit(word.ptr[0])) /* the day of the week */
        word = next_word(&text);
    if (str_number(word, 31, &date->day) < 0 || date->day == 0)
        return -1;
    date->month = month_of(next_word(&text));
    struct str year = next_word(&text);
    if (date->month == 0 || str_number(year, YEAR_MAX, &date->year) < 0 ||
        read_time(next_word(&text), &date->seconds) < 0)
        return -1;
    if (year.len < 4) /* RFC 5322, section 4.3 */
        date->year += year.len == 2 && date->year < 50 ? 2000 : 1900;
    date->zone = next_word(&text);
    return 0;
}

int maildate_read(struct str text, int64_t *when)
{
    struct date date;
    if (read_date(text, &date) < 0)
        return -1;
    *when = days_of((int64_t)date.year, date.month, (int64_t)date.day) * CLOCK_DAY + date.seconds -
            zone_of(date.zone);
    return 0;
}

char *maildate_spell(struct str text, char out[MAILDATE_MINUTE])
{
    struct date date;
    out[0] = '\0';
    if (read_date(text, &date) == 0)
        snprintf(out, MAILDATE_MINUTE, "%04u-%02d-%02u %02u:%02u", (unsigned)date.year % 10000u,
                 date.month, (unsigned)date.day % 100u, (unsigned)(date.seconds / 3600) % 100u,
                 (unsigned)(date.seconds / 60) % 60u);
    return out;
}

int maildate_read_day(struct str text, int64_t *when)
{
    uint64_t year, month, day;
    struct str first = str_until(&text, '-'), second = str_until(&text, '-');
    if (first.len != 4 || str_number(first, YEAR_MAX, &year) < 0 ||
        str_number(second, 12, &month) < 0 || str_number(text, 31, &day) < 0 || month == 0 ||
        day == 0 || year < 1970)
        return -1;
    struct tm tm = {
        .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day, .tm_isdst = -1};
    time_t result = mktime(&tm);
    if (result == (time_t)-1 || tm.tm_mday != (int)day)
        return -1;
    *when = result;
    return 0;
}

char *maildate_spell_day(int64_t when, char out[MAILDATE_DAY])
{
    time_t then = (time_t)when;
    struct tm tm;
    if (when == 0 || localtime_r(&then, &tm) == NULL ||
        strftime(out, MAILDATE_DAY, "%Y-%m-%d", &tm) == 0)
        snprintf(out, MAILDATE_DAY, "another day");
    return out;
}
