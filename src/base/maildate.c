/* SPDX-License-Identifier: ISC */
#include "base/maildate.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

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
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    char name[4] = "";
    if (word.len < 3)
        return 0;
    for (int i = 0; i < 3; i++)
        name[i] = word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? (char)(word.ptr[i] + 32) : word.ptr[i];
    for (int i = 0; i < 12; i++)
        if (memcmp(names + (ptrdiff_t)3 * i, name, 3) == 0)
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

static bool is_day_name(struct str word)
{
    return word.len > 0 && (word.ptr[0] < '0' || word.ptr[0] > '9');
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

int maildate_read(struct str text, int64_t *when)
{
    uint64_t day, year;
    int64_t seconds;
    struct str word = next_word(&text);
    if (is_day_name(word))
        word = next_word(&text);
    if (str_number(word, 31, &day) < 0 || day == 0)
        return -1;
    int month = month_of(next_word(&text));
    struct str digits = next_word(&text);
    if (month == 0 || str_number(digits, YEAR_MAX, &year) < 0 ||
        read_time(next_word(&text), &seconds) < 0)
        return -1;
    if (digits.len < 4) /* RFC 5322, section 4.3 */
        year += digits.len == 2 && year < 50 ? 2000 : 1900;
    *when =
        days_of((int64_t)year, month, (int64_t)day) * 86400 + seconds - zone_of(next_word(&text));
    return 0;
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
