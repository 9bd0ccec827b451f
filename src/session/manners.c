#include "session/manners.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/random.h"

#define BACK_OFF_FIRST 60
#define BACK_OFF_LAST 3600
#ifndef ITERATIONS        /* make fuzz has no time for them */
#define ITERATIONS 250000 /* of PBKDF2: some 50 ms */
#endif
#define SLACK_MAX 30 /* seconds that a poll may come before its interval is over */
#define TIME_MAX 32

/* ---- words ---- */

/* "14:05", or with the date if that is another day. */
static const char *spell_time(int64_t when, int64_t now, char out[TIME_MAX])
{
    time_t then = (time_t)when, today = (time_t)now;
    struct tm a, b;
    if (localtime_r(&then, &a) == NULL || localtime_r(&today, &b) == NULL)
        return "another day";
    bool same = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
    strftime(out, TIME_MAX, same ? "%H:%M" : "%Y-%m-%d %H:%M", &a);
    return out;
}

/* " since 14:05", or nothing if that is not known. */
static const char *spell_since(int64_t when, int64_t now, char *out, size_t cap)
{
    char time[TIME_MAX];
    out[0] = '\0';
    if (when != 0)
        snprintf(out, cap, " since %s", spell_time(when, now, time));
    return out;
}

uint64_t manners_hash(const char *text)
{
    struct str rest = str_from(text);
    uint64_t hash = 0;
    for (struct str word = str_word(&rest); word.len > 0; word = str_word(&rest)) {
        bool number = false;
        for (size_t i = 0; i < word.len; i++)
            number = number || (word.ptr[i] >= '0' && word.ptr[i] <= '9');
        if (!number)
            hash = hash * 31 + str_hash(word);
    }
    return hash;
}

/* ---- when to come again ---- */

int64_t manners_back_off(uint32_t failures, uint32_t chance)
{
    int64_t seconds = BACK_OFF_FIRST;
    if (failures < MANNERS_PATIENCE)
        return 0;
    for (uint32_t i = MANNERS_PATIENCE; i < failures && seconds < BACK_OFF_LAST; i++)
        seconds *= 2;
    if (seconds > BACK_OFF_LAST)
        seconds = BACK_OFF_LAST;
    int64_t fifth = seconds / 5;
    return seconds - fifth + (int64_t)(chance % (uint32_t)(2 * fifth + 1));
}

/* Without random numbers all come at the same time: no worse than before. */
static uint32_t draw(void)
{
    uint32_t chance;
    return random_bytes(&chance, sizeof chance) == 0 ? chance : 0;
}

/* A tenth early is not early: cron has its own clock, and a poll takes a moment. */
static int64_t interval_end(const struct note *note, const struct account *account)
{
    int64_t slack = account->interval / 10 < SLACK_MAX ? account->interval / 10 : SLACK_MAX;
    return note->polled != 0 && account->interval > 0 ? note->polled + account->interval - slack
                                                      : 0;
}

static int stay_away(const struct note *note, int64_t now, struct err *err)
{
    char next[TIME_MAX], since[TIME_MAX + 8];
    spell_time(note->not_before, now, next);
    if (note->why == NOTE_WHY_DELAY)
        return err_set(err, ERR_AGAIN,
                       "not polled before %s: the server wants a pause between logins; --force "
                       "polls now",
                       next);
    return err_set(err, ERR_AGAIN,
                   "not polled before %s: %" PRIu32 " polls in a row failed%s; --force polls now",
                   next, note->failures,
                   spell_since(note->failing_since, now, since, sizeof since));
}

static int tell_refused(const struct note *note, const struct account *account, int64_t now,
                        struct err *err)
{
    char since[TIME_MAX + 8];
    return err_set(err, ERR_PASSWORD_REFUSED,
                   "%s (refused%s; not tried again until the %s changes, or with --force)",
                   note->refused.text, spell_since(note->refused.when, now, since, sizeof since),
                   account->token_command != NULL ? "token" : "password");
}

enum manners_leave manners_allow(struct session_run *run, int64_t now, struct err *err)
{
    const struct account *account = run->account;
    char next[TIME_MAX], last[TIME_MAX];
    enum manners_leave leave = MANNERS_POLL;
    if (run->switches.force)
        return MANNERS_POLL;
    struct note *note = note_load(run->state_dir, account->server, account->user, NOTE_READ, now);
    bool paces = run->mode == SESSION_POLL && !run->paced;
    int64_t end = paces ? interval_end(note, account) : 0;
    if (note->not_before > now && !run->hurried) {
        leave = MANNERS_REFUSE;
        run->figures.next_try = note->not_before;
        run->figures.quiet = !run->attended;
        stay_away(note, now, err);
    } else if (end > now) {
        leave = MANNERS_SKIP;
        run->figures.next_try = end;
        log_line(run->log, FP_LOG_NOTE, "polled at %s; the interval ends at %s; --force polls now",
                 spell_time(note->polled, now, last), spell_time(end, now, next));
    }
    run->figures.skipped = leave != MANNERS_POLL;
    note_free(note);
    return leave;
}

void manners_status(const struct account *account, const char *state_dir, int64_t now,
                    void (*line)(void *ctx, const char *text), void *ctx)
{
    struct note *note = note_load(state_dir, account->server, account->user, NOTE_READ, now);
    struct err err;
    if (note->not_before > now) {
        stay_away(note, now, &err);
        line(ctx, err.text);
    }
    if (note->refused.known) {
        tell_refused(note, account, now, &err);
        line(ctx, err.text);
    }
    note_free(note);
}

/* ---- the secret ---- */

static void make_digest(const struct note *note, const struct account *account,
                        unsigned char digest[DIGEST_SIZE])
{
    digest_slow(secret_str(&account->password), str_of(note->refused.salt, NOTE_SALT),
                note->refused.iterations, digest);
}

static void remember_secret(struct manners *manners, const struct err *err)
{
    struct note *note = manners->note;
    const struct account *account = manners->run->account;
    note->refused.known = false;
    if (account->password.data == NULL ||
        random_bytes(note->refused.salt, sizeof note->refused.salt) < 0)
        return;
    note->refused.known = true;
    note->refused.iterations = ITERATIONS;
    note->refused.when = manners->now;
    snprintf(note->refused.text, sizeof note->refused.text, "%.*s",
             (int)sizeof note->refused.text - 1, err->text);
    make_digest(note, account, note->refused.digest);
}

int manners_check_secret(struct manners *manners, struct err *err)
{
    const struct note *note = manners->note;
    const struct account *account = manners->run->account;
    unsigned char digest[DIGEST_SIZE];
    if (manners->run->switches.force || !note->refused.known || account->password.data == NULL)
        return 0;
    make_digest(note, account, digest);
    if (memcmp(digest, note->refused.digest, sizeof digest) != 0)
        return 0;
    manners->known_secret = true;
    return tell_refused(note, account, manners->now, err);
}

/* ---- how it ended ---- */

static void got_through(struct manners *manners)
{
    struct note *note = manners->note;
    char since[TIME_MAX + 8];
    bool felt = manners->run->attended && note->failures >= MANNERS_PATIENCE;
    if (note->told_status == err_status(ERR_AGAIN) || felt)
        log_line(manners->run->log, FP_LOG_WARNING,
                 "reachable again after %" PRIu32 " failed run%s%s", note->failures,
                 note->failures == 1 ? "" : "s",
                 spell_since(note->failing_since, manners->now, since, sizeof since));
    note->not_before = 0;
    note->failures = 0;
    note->failing_since = 0;
    note->told_status = 0;
    note->refused.known = false;
    note->polled = manners->run->account->interval > 0 ? manners->now : 0;
}

/* A poll that broke off after it delivered mail is not a reason to stay away. */
static void count_failure(struct manners *manners, const struct manners_end *end,
                          const struct err *err)
{
    struct note *note = manners->note;
    int64_t wait = 0;
    if (note->failures == 0 || note->failing_since == 0)
        note->failing_since = manners->now;
    if (note->failures < UINT32_MAX)
        note->failures++;
    if (err->kind == ERR_DELAY)
        wait = end->login_delay > 0 ? end->login_delay : MANNERS_DELAY;
    else if (manners->run->figures.fetched == 0)
        wait = manners_back_off(note->failures, draw());
    note->why = err->kind == ERR_DELAY ? NOTE_WHY_DELAY : NOTE_WHY_BACK_OFF;
    wait = wait < NOTE_DELAY_MAX ? wait : NOTE_DELAY_MAX;
    note->not_before = wait > 0 ? end->now + wait : 0;
}

/* Is it told to an unattended run? */
static bool is_news(const struct manners *manners, const struct err *err)
{
    struct note *note = manners->note;
    int status = err_status(err->kind);
    uint64_t hash = manners_hash(status == err_status(ERR_PASSWORD_REFUSED) && note->refused.known
                                     ? note->refused.text
                                     : err->text);
    bool news = err_whose(err->kind) == ERR_SIDE_PASSES
                    ? note->failures >= MANNERS_PATIENCE
                    : note->told_status != status || note->told_hash != hash ||
                          manners->now - note->told_when >= MANNERS_DAY - MANNERS_SLACK;
    if (news) {
        note->told_status = status;
        note->told_hash = hash;
        note->told_when = manners->now;
    }
    return news;
}

static void failed(struct manners *manners, const struct manners_end *end, struct err *err)
{
    struct session_run *run = manners->run;
    struct note *note = manners->note;
    char next[TIME_MAX];
    if (err_whose(err->kind) == ERR_SIDE_PASSES || err->kind == ERR_LOGIN_REFUSED)
        count_failure(manners, end, err);
    if (err->kind == ERR_PASSWORD_REFUSED && !manners->known_secret)
        remember_secret(manners, err);
    run->figures.quiet = !run->attended && !is_news(manners, err);
    if (note->not_before <= manners->now)
        return;
    run->figures.next_try = note->not_before;
    size_t len = strnlen(err->text, sizeof err->text);
    snprintf(err->text + len, sizeof err->text - len, "; next try not before %s",
             spell_time(note->not_before, manners->now, next));
}

void manners_begin(struct manners *manners, struct session_run *run, int64_t now)
{
    const struct account *account = run->account;
    enum note_mode mode = run->mode == SESSION_POLL ? NOTE_WRITE : NOTE_READ;
    *manners = (struct manners){.run = run, .now = now};
    manners->note = note_load(run->state_dir, account->server, account->user, mode, now);
}

void manners_end(struct manners *manners, const struct manners_end *end, struct err *err)
{
    struct note *note = manners->note;
    if (note == NULL) /* it did not come to a beginning */
        return;
    bool poll = manners->run->mode == SESSION_POLL;
    bool here = end->here || err_whose(err->kind) == ERR_SIDE_HERE;
    bool through = err_whose(err->kind) == ERR_SIDE_NONE || manners->run->figures.told;
    if (poll && !here) {
        if (through)
            got_through(manners);
        else
            failed(manners, end, err);
    }
    /* Its loss costs nothing, but without a note there is no telling what is news. */
    if (poll && (note_save(note) < 0 || note->foreign))
        manners->run->figures.quiet = false;
    note_free(note);
    manners->note = NULL;
}
