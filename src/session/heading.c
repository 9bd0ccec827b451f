/* SPDX-License-Identifier: ISC */
#include "session/heading.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "session/rules.h"

#define HOST_MAX 255
#define CLOCKS_APART 3600 /* seconds that a server may be ahead of us */
#define LINES_MAX 1000    /* octets of the two fields on top */

bool heading_is_wanted(const struct account *account)
{
    return account->trace_header || account->drop_status || account->arrival_date;
}

/* RFC 5322, section 3.3, whatever the locale, in UTC. */
static void spell_date(int64_t now, char out[40])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t)now;
    struct tm tm;
    if (gmtime_r(&when, &tm) == NULL) {
        out[0] = '\0';
        return;
    }
    snprintf(out, 40, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A title may hold what a field may not. */
static void spell_title(const char *title, char *out, size_t cap)
{
    size_t len = 0;
    for (; title[len] != '\0' && len + 1 < cap; len++)
        out[len] = title[len] >= ' ' && title[len] <= '~' ? title[len] : '?';
    out[len] = '\0';
}

static int write_trace(const struct account *account, int64_t now, struct sink sink,
                       struct err *err)
{
    char host[HOST_MAX + 1] = "", date[40], title[200], lines[LINES_MAX];
    if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
        snprintf(host, sizeof host, "localhost");
    spell_date(now, date);
    spell_title(account->title, title, sizeof title);
    int len = snprintf(lines, sizeof lines,
                       "Received: from %.255s by %s\n\twith POP3 (fetchpop); %s\n"
                       "X-Fetchpop-Account: %s\n",
                       account->server, host, date, title);
    return sink.write(sink.ctx, lines, (size_t)len, err);
}

static bool is_status(struct str line)
{
    struct str name = str_until(&line, ':');
    return str_is_nocase(name, "Status") || str_is_nocase(name, "X-Status");
}

/* What is left between two fields that are dropped goes out in one piece. */
static int write_rest(struct str head, struct sink sink, struct err *err)
{
    struct str rest = head;
    const char *from = head.ptr;
    bool dropped = false;
    while (rest.len > 0) {
        const char *at = rest.ptr;
        struct str line = str_until(&rest, '\n');
        if (str_trim(line).len == 0) /* the body */
            break;
        bool folded = str_is_blank(line.ptr[0]); /* it belongs to the field before */
        bool drop = folded ? dropped : is_status(line);
        if (drop && !dropped && at > from &&
            sink.write(sink.ctx, from, (size_t)(at - from), err) < 0)
            return -1;
        if (drop)
            from = rest.ptr;
        dropped = drop;
    }
    size_t left = (size_t)(head.ptr + head.len - from);
    return left > 0 ? sink.write(sink.ctx, from, left, err) : 0;
}

int heading_write(const struct account *account, struct str head, int64_t now, struct sink sink,
                  struct err *err)
{
    if (account->trace_header && write_trace(account, now, sink, err) < 0)
        return -1;
    if (account->drop_status)
        return write_rest(head, sink, err);
    return head.len > 0 ? sink.write(sink.ctx, head.ptr, head.len, err) : 0;
}

int64_t heading_arrived(const struct account *account, const struct fields *fields, int64_t now)
{
    int64_t when;
    if (!account->arrival_date || rules_date(fields, &when) < 0)
        return 0;
    return when > 0 && when <= now + CLOCKS_APART ? when : 0;
}

void heading_set_time(const struct parcel *parcel, int64_t arrived)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)arrived}};
    if (arrived > 0)
        (void)futimens(parcel->fd, times); /* a failure does not keep it from being delivered */
}
