/* SPDX-License-Identifier: ISC */
#include "app/report.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/json.h"
#include "app/progress.h"
#include "app/tty.h"
#include "base/clock.h"
#include "base/stop.h"
#include "base/utf8.h"

#define LINE_OCTETS 1600 /* an error's text and what stands around it */
#define REDRAW_MS 100
#define IDLE_REDRAW_MS 500
#define WIDTH_MAX 200
#define STUCK_MS 60000 /* until a line to standard error that nobody takes is dropped */

/* --- writing ---------------------------------------------------------------------------------- */

/* A second signal ends the wait. */
static bool takes_more(int fd, int64_t deadline)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int64_t left;
    int ready;
    do {
        left = clock_left(deadline);
        ready = poll(&wait, 1, left < STOP_SLICE_MS ? (int)left : STOP_SLICE_MS);
    } while (ready <= 0 && left > 0 && stop_count() < 2);
    return ready > 0;
}

/* Whoever reads may have stopped (less, Ctrl-S, a mailer that hangs), and our workers wait for us
 * with their mailboxes locked. Standard output has what was asked for, and is read to its end, page
 * by page perhaps; what else we say does not wait for that long, and the next line not at all. */
static bool wait_for_reader(struct report *report, int fd)
{
    if (fd == STDOUT_FILENO)
        return takes_more(fd, CLOCK_NEVER);
    report->stuck = !takes_more(fd, report->stuck ? 0 : clock_in(STUCK_MS));
    return !report->stuck;
}

/* In one write(2) where the system lets us, so that lines of several processes stay whole. A pipe
 * that takes more takes PIPE_BUF octets without a wait. */
static int put(struct report *report, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        if (!wait_for_reader(report, fd))
            return -1;
        ssize_t n = write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EINTR && errno != EAGAIN) {
            return -1;
        }
    }
    return 0;
}

static void hide_status(struct report *report)
{
    if (report->shown)
        put(report, STDOUT_FILENO, "\r\033[K", 4);
    report->shown = false;
}

/* A whole line, its end included; the status line makes room for it. */
static void put_line(struct report *report, int fd, const char *line, size_t size)
{
    hide_status(report);
    if (put(report, fd, line, size) < 0 && fd == STDOUT_FILENO)
        report->unwritten = true;
}

__attribute__((format(printf, 3, 4))) static void say(struct report *report, int fd,
                                                      const char *fmt, ...)
{
    char text[LINE_OCTETS], line[LINE_OCTETS];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    size_t size = utf8_show(str_from(text), line, sizeof line - 1);
    line[size++] = '\n';
    put_line(report, fd, line, size);
}

/* --- words ------------------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static void add(char *line, size_t cap, const char *fmt, ...)
{
    size_t at = strlen(line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + at, cap - at, fmt, args);
    va_end(args);
}

/* By max_messages or max_bytes, and of an interrupted run what it was about to fetch. */
static uint32_t count_left(const struct session_figures *figures, enum err_kind kind)
{
    uint32_t had = figures->fetched + figures->failed;
    bool more = kind == ERR_STOPPED && figures->planned > had;
    return figures->left + (more ? figures->planned - had : 0);
}

/* "no new mail (40 seen)", "3 new (12 kB), 40 seen, 3 deleted". */
static void spell_poll(const struct session_figures *figures, enum err_kind kind, char *line,
                       size_t cap)
{
    char size[24];
    bool quiet = figures->fetched == 0 && figures->deleted == 0 && figures->failed == 0 &&
                 figures->held == 0 && figures->too_large == 0 && count_left(figures, kind) == 0;
    if (quiet && figures->seen > 0) {
        add(line, cap, "no new mail (%" PRIu32 " seen)", figures->seen);
        return;
    }
    if (figures->fetched > 0) {
        add(line, cap, "%" PRIu32 " new (%s)", figures->fetched,
            str_spell_size(figures->octets, size));
    } else {
        add(line, cap, "no new mail");
    }
    const struct {
        uint32_t count;
        const char *what;
    } parts[] = {
        {figures->seen, "seen"},           {figures->deleted, "deleted"},
        {figures->failed, "failed"},       {figures->held, "held"},
        {figures->too_large, "too large"}, {count_left(figures, kind), "more on the server"}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].count > 0)
            add(line, cap, ", %" PRIu32 " %s", parts[i].count, parts[i].what);
}

static void spell(const struct report *report, const struct session_figures *figures,
                  enum err_kind kind, char *line, size_t cap)
{
    char size[24];
    line[0] = '\0';
    if (report->mode == SESSION_CHECK) {
        add(line, cap, "%" PRIu32 " new of %" PRIu32, figures->fresh, figures->listed);
    } else if (report->mode == SESSION_DRY_RUN) {
        add(line, cap, "would fetch %" PRIu32 " (%s) and delete %" PRIu32 " of %" PRIu32,
            figures->planned, str_spell_size(figures->octets_planned, size), figures->deleted,
            figures->listed);
    } else {
        spell_poll(figures, kind, line, cap);
    }
}

/* --- the status line -------------------------------------------------------------------------- */

void report_add_figures(struct session_figures *to, const struct session_figures *more)
{
    to->planned += more->planned;
    to->fetched += more->fetched;
    to->seen += more->seen;
    to->deleted += more->deleted;
    to->failed += more->failed;
    to->held += more->held;
    to->too_large += more->too_large;
    to->left += more->left;
    to->octets += more->octets;
    to->octets_planned += more->octets_planned;
    to->coming += more->coming;
    to->octets_coming += more->octets_coming;
}

static void draw(struct report *report, const struct progress_facts *facts)
{
    char line[WIDTH_MAX + 1];
    char whole[WIDTH_MAX + 8];
    size_t columns = tty_columns();
    progress_spell(facts, columns < WIDTH_MAX ? columns : WIDTH_MAX, line);
    int len = snprintf(whole, sizeof whole, "\r%s\033[K", line);
    put(report, STDOUT_FILENO, whole, (size_t)len);
    report->shown = true;
}

void report_progress(struct report *report, const struct session_figures *running, size_t known)
{
    int64_t now = clock_ms();
    if (!report->live || now - report->drawn < REDRAW_MS || !takes_more(STDOUT_FILENO, 0))
        return;
    struct session_figures all = report->ended;
    report_add_figures(&all, running);
    report->begun = report->begun == 0 ? now : report->begun;
    report->started = report->started == 0 && all.planned > 0 ? now : report->started;
    /* what is kept here and delivered meanwhile was not planned */
    uint64_t fetched = (uint64_t)all.fetched + all.coming, octets = all.octets + all.octets_coming;
    struct progress_facts facts = {
        .total = report->total,
        .done = report->done < report->total ? report->done : report->total,
        .known = known,
        .planned = all.planned,
        .fetched = fetched < all.planned ? (uint32_t)fetched : all.planned,
        .octets_planned = all.octets_planned,
        .octets = octets < all.octets_planned ? octets : all.octets_planned,
        .run_ms = now - report->begun,
        .fetch_ms = report->started == 0 ? 0 : now - report->started,
    };
    draw(report, &facts);
    report->drawn = now;
}

int64_t report_next(const struct report *report)
{
    return report->live ? report->drawn + IDLE_REDRAW_MS : CLOCK_NEVER;
}

/* --- the rest --------------------------------------------------------------------------------- */

void report_begin(struct report *report, enum session_mode mode, bool silent, bool verbose)
{
    const char *term = getenv("TERM");
    bool terminal = isatty(STDOUT_FILENO) == 1;
    bool looked_on = terminal || isatty(STDERR_FILENO) == 1;
    bool dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;
    *report = (struct report){
        .level = silent     ? FP_LOG_ERROR
                 : verbose  ? FP_LOG_TRACE
                 : terminal ? FP_LOG_NOTE
                            : FP_LOG_WARNING,
        .mode = mode,
        .watched = looked_on,
        .attended = looked_on || verbose || mode != SESSION_POLL,
        .summaries = !silent && (terminal || verbose || mode != SESSION_POLL),
        .sums_up = terminal && mode == SESSION_POLL,
        .live = !silent && !verbose && terminal && !dumb && mode == SESSION_POLL,
    };
}

void report_json(struct report *report, bool messages)
{
    report->json = true;
    report->json_messages = messages;
    report->live = report->summaries = report->sums_up = false;
}

void report_summarise(struct report *report)
{
    report->summaries = true;
}

void report_divert(struct report *report, struct outlet *outlet)
{
    bool silent = report->level == FP_LOG_ERROR;
    report->outlet = outlet;
    report->live = report->sums_up = false;
    report->attended = true; /* a log is to hold all */
    report->summaries = !silent;
    report->news_only = report->mode == SESSION_POLL;
    if (report->level == FP_LOG_WARNING)
        report->level = FP_LOG_NOTE;
}

void report_repeat(struct report *report)
{
    report->live = report->sums_up = false;
    report->news_only = true;
}

static void to_outlet(struct report *report, const char *title, enum log_level level,
                      const char *text)
{
    char line[LINE_OCTETS], shown[LINE_OCTETS];
    snprintf(line, sizeof line, "%s%s%s", title != NULL ? title : "", title != NULL ? ": " : "",
             text);
    utf8_show(str_from(line), shown, sizeof shown);
    outlet_line(report->outlet, level, shown);
}

void report_line(struct report *report, const char *title, enum log_level level, const char *text)
{
    if (level > report->level)
        return;
    if (report->outlet != NULL) {
        to_outlet(report, title, level, text);
        return;
    }
    const char *who = level <= FP_LOG_WARNING ? "fetchpop: " : "";
    say(report, STDERR_FILENO, "%s%s%s%s", who, title != NULL ? title : "",
        title != NULL ? ": " : "", text);
}

static void write_about(void *ctx, enum log_level level, const char *line)
{
    const struct report_about *about = ctx;
    report_line(about->report, about->title, level, line);
}

struct log report_log(struct report_about *about)
{
    return (struct log){.level = about->report->level, .write = write_about, .ctx = about};
}

void report_refusal(struct report *report, const struct err *err)
{
    report_error(report, NULL, err);
    if (report->outlet != NULL)
        say(report, STDERR_FILENO, "fetchpop: %s", err->text);
}

void report_answer(struct report *report, const char *title, const char *text)
{
    if (report->json) {
        report_line(report, title, FP_LOG_NOTE, text);
        return;
    }
    say(report, STDOUT_FILENO, "%s: %s", title, text);
}

void report_error(struct report *report, const char *title, const struct err *err)
{
    /* An error without a kind is a bug, not a success. */
    enum err_kind kind = err->kind != ERR_NONE ? err->kind : ERR_WORKER;
    report->status = err_worst(report->status, err_status(kind));
    report_line(report, title, FP_LOG_ERROR, err->text);
}

static void summarise(struct report *report, const char *title,
                      const struct session_figures *figures, enum err_kind kind)
{
    bool something = figures->fetched > 0 || figures->deleted > 0;
    bool went_well = kind == ERR_NONE || kind == ERR_MESSAGE;
    bool wanted = something || (went_well && !report->news_only);
    if (!report->summaries || (figures->skipped && figures->fetched == 0) || !wanted)
        return;
    char line[200];
    spell(report, figures, kind, line, sizeof line);
    if (report->outlet != NULL)
        to_outlet(report, title, FP_LOG_NOTE, line);
    else
        report_answer(report, title, line);
}

void report_json_line(struct report *report, struct buf *line)
{
    buf_addf(line, "\n");
    put_line(report, STDOUT_FILENO, line->data, line->len);
}

static void tell_programs(struct report *report, const char *title,
                          const struct session_figures *figures, enum err_kind kind,
                          const char *text)
{
    struct buf line;
    buf_init(&line, JSON_MAX);
    json_result(&line, title, report->mode, figures, kind, text);
    report_json_line(report, &line);
    buf_free(&line);
}

void report_measures(struct report *report, const struct metrics_account *measures)
{
    report->measured = measures != NULL;
    if (measures != NULL)
        report->measures = *measures;
}

void report_metrics(struct report *report, bool all)
{
    struct err err;
    if (metrics_write(report->metrics, all, &err) < 0)
        report_line(report, NULL, FP_LOG_WARNING, err.text);
}

void report_result(struct report *report, const char *title, const struct session_figures *figures,
                   enum err_kind kind, const char *text)
{
    report->done++;
    report_add_figures(&report->ended, figures);
    /* What it did not get is not to be waited for. */
    report->ended.planned = report->ended.fetched;
    report->ended.octets_planned = report->ended.octets;
    report->ended.coming = 0;
    report->ended.octets_coming = 0;
    report->status = err_worst(report->status, err_status(kind));
    report->troubled += kind != ERR_NONE;
    report->any_fresh = report->any_fresh || figures->fresh > 0;
    if (kind != ERR_NONE && !figures->told && !figures->quiet)
        report_line(report, title, FP_LOG_ERROR, text);
    if (report->json)
        tell_programs(report, title, figures, kind, text);
    metrics_result(report->metrics, title, figures, report->measured ? &report->measures : NULL,
                   kind, clock_wall());
    report->measured = false;
    report_metrics(report, false);
    summarise(report, title, figures, kind);
}

/* Who has many accounts does not add up their lines. */
static void sum_up(struct report *report)
{
    char line[200] = "", trouble[40] = "";
    if (!report->summaries || !report->sums_up || report->done < 2)
        return;
    spell_poll(&report->ended, ERR_NONE, line, sizeof line);
    if (report->troubled > 0)
        snprintf(trouble, sizeof trouble, ", %zu in trouble", report->troubled);
    say(report, STDOUT_FILENO, "%zu accounts%s: %s", report->done, trouble, line);
}

int report_end(struct report *report)
{
    hide_status(report);
    sum_up(report);
    if (report->unwritten) {
        struct err err;
        err_set(&err, ERR_IO, "cannot write to standard output; look at what reads it");
        report_error(report, NULL, &err);
    }
    if (report->status == 0 && report->mode == SESSION_CHECK && !report->any_fresh)
        return 1;
    return report->status;
}
