/* SPDX-License-Identifier: ISC */
#include "session/manners.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "state/later.h"

#define MINUTE 60
#define HOUR 3600
#define WEEK (7 * CLOCK_DAY)
#define DOUBTS 3        /* refusals of a secret that has worked, before it is called wrong */
#define SECRET_SLACK 30 /* seconds that it may be tried early */
#define WAY_MAX 1024    /* octets of what else a secret is bound to */
#define SLACK_MAX 30    /* seconds that a poll may come before its interval is over */
#define OFFLINE 1       /* instead of a hash of words */

/* ---- words ---- */

const char *manners_spell_time(int64_t when, int64_t now, char out[MANNERS_TIME])
{
    time_t then = (time_t)when, today = (time_t)now;
    struct tm a, b;
    if (localtime_r(&then, &a) == NULL || localtime_r(&today, &b) == NULL)
        return "another day";
    bool same = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
    strftime(out, MANNERS_TIME, same ? "%H:%M" : "%Y-%m-%d %H:%M", &a);
    return out;
}

/* " since 14:05", or nothing if that is not known. */
static const char *spell_since(int64_t when, int64_t now, char *out, size_t cap)
{
    char time[MANNERS_TIME];
    out[0] = '\0';
    if (when != 0)
        snprintf(out, cap, " since %s", manners_spell_time(when, now, time));
    return out;
}

uint64_t manners_hash(const char *text)
{
    struct str rest = str_from(text);
    uint64_t hash = 0;
    for (struct str word = str_word(&rest); word.len > 0; word = str_word(&rest)) {
        bool number = false;
        for (size_t i = 0; i < word.len; i++)
            number = number || str_is_digit(word.ptr[i]);
        if (!number)
            hash = hash * 31 + str_hash(word);
    }
    return hash;
}

/* ---- when to come again ---- */

int64_t manners_back_off(uint32_t failures, uint32_t chance)
{
    uint32_t beyond = failures < MANNERS_PATIENCE ? 0 : failures - (MANNERS_PATIENCE - 1);
    return later_spread(later_seconds(&later_pause, beyond), chance);
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
    char next[MANNERS_TIME], since[MANNERS_TIME + 8];
    bool said = note->trouble[0] != '\0';
    manners_spell_time(note->not_before, now, next);
    if (note->why == NOTE_WHY_DELAY)
        return err_set(err, ERR_AGAIN,
                       "the server wants a pause between logins: again at %s; --force now", next);
    return err_set(err, ERR_AGAIN,
                   "not polled before %s: %" PRIu32
                   " polls in a row failed%s%s%s; --force polls now",
                   next, note->failures, spell_since(note->failing_since, now, since, sizeof since),
                   said ? ": " : "", note->trouble);
}

static int tell_refused(const struct note *note, int64_t now, struct err *err)
{
    char since[MANNERS_TIME + 8], next[MANNERS_TIME];
    bool wrong = !note->refused.doubted || note->refused.tries >= DOUBTS;
    return err_set(err, wrong ? ERR_PASSWORD_REFUSED : ERR_AGAIN,
                   "%s (refused%s; %snext try again at %s; --force now)", note->refused.text,
                   spell_since(note->refused.when, now, since, sizeof since),
                   wrong ? "" : "it has worked before; ",
                   manners_spell_time(note->refused.next, now, next));
}

enum manners_leave manners_allow(struct session_run *run, int64_t now, struct err *err)
{
    const struct account *account = run->account;
    char next[MANNERS_TIME], last[MANNERS_TIME];
    enum manners_leave leave = MANNERS_POLL;
    if (run->switches.force)
        return MANNERS_POLL;
    struct note *note = note_load(run->state_dir, account->server, account->user, NOTE_READ, now);
    bool paces = run->mode == SESSION_POLL && !run->paced && !run->hurried;
    int64_t end = paces ? interval_end(note, account) : 0;
    if (note->not_before > now && (note->why == NOTE_WHY_DELAY || !run->hurried)) {
        leave = MANNERS_REFUSE;
        run->figures.next_try = note->not_before;
        run->figures.quiet = !run->attended && !run->hurried;
        stay_away(note, now, err);
    } else if (end > now) {
        leave = MANNERS_SKIP;
        run->figures.next_try = end;
        log_line(run->log, FP_LOG_NOTE, "polled at %s; the interval ends at %s; --force polls now",
                 manners_spell_time(note->polled, now, last), manners_spell_time(end, now, next));
    }
    run->figures.skipped = leave != MANNERS_POLL;
    note_free(note);
    return leave;
}

void manners_status(const struct note *note, int64_t now, void (*line)(void *ctx, const char *text),
                    void *ctx)
{
    struct err err;
    if (note->not_before > now) {
        stay_away(note, now, &err);
        line(ctx, err.text);
    }
    if (note->refused.secret.known) {
        tell_refused(note, now, &err);
        line(ctx, err.text);
    }
}

/* ---- the secret ---- */

/* How the account reaches its server, and logs in there; server and user are those of the note. */
static void add_way(const struct account *account, struct buf *out)
{
    buf_addf(out, "%u %d", account->port, (int)account->tls);
    for (char **name = account->auth; name != NULL && *name != NULL; name++)
        buf_addf(out, " %s", *name);
}

/* The check of the account's secret with this salt, and with the way: another port, tls or auth
 * makes another one. */
static void make_check(const struct account *account, const unsigned char salt[NOTE_SALT],
                       unsigned char check[NOTE_CHECK])
{
    unsigned char whole[DIGEST_SIZE];
    struct buf way;
    buf_init(&way, WAY_MAX);
    add_way(account, &way);
    buf_add(&way, "", 1);
    struct digest *digest = digest_new();
    digest_add(digest, salt, NOTE_SALT);
    digest_add(digest, way.data, way.len);
    digest_add(digest, account->password.data, account->password.len);
    digest_end(digest, whole);
    memcpy(check, whole, NOTE_CHECK);
    buf_free(&way);
}

static bool is_secret(const struct account *account, const struct note_secret *secret)
{
    unsigned char check[NOTE_CHECK];
    if (!secret->known || account->password.data == NULL)
        return false;
    make_check(account, secret->salt, check);
    return memcmp(check, secret->check, sizeof check) == 0;
}

/* A token is another one each time, so that it tells nothing. */
bool manners_has_worked(const struct account *account, const struct note *note)
{
    return note->worked_when != 0 &&
           (account->token_command != NULL || is_secret(account, &note->worked));
}

/* One that is recognised keeps its salt: each new one would tell some more of it. */
static void keep_secret(const struct account *account, struct note_secret *secret)
{
    if (is_secret(account, secret))
        return;
    secret->known =
        account->password.data != NULL && random_bytes(secret->salt, sizeof secret->salt) == 0;
    if (secret->known)
        make_check(account, secret->salt, secret->check);
}

/* A try before its time, by --force, does not count. */
static void remember_refusal(struct manners *manners, const struct err *err)
{
    struct note *note = manners->note;
    const struct account *account = manners->run->account;
    bool again = is_secret(account, &note->refused.secret);
    if (!again) {
        note->refused.doubted = is_secret(account, &note->worked);
        note->refused.tries = 0;
        note->refused.when = manners->now;
        if (note->refused.doubted)
            note->refused.secret = note->worked;
        else
            keep_secret(account, &note->refused.secret);
    }
    snprintf(note->refused.text, sizeof note->refused.text, "%.*s",
             (int)sizeof note->refused.text - 1, err->text);
    if (again && manners->now + SECRET_SLACK < note->refused.next)
        return;
    if (note->refused.tries < UINT32_MAX)
        note->refused.tries++;
    uint32_t tries = note->refused.tries, doubts = note->refused.doubted ? DOUBTS - 1 : 0;
    note->refused.next =
        manners->now + later_seconds(&later_secret, tries > doubts ? tries - doubts : 1);
}

int manners_get_secret(struct manners *manners, struct err *err)
{
    struct session_run *run = manners->run;
    const struct note *note = manners->note;
    if (run->secrets != NULL && run->secrets(run->ctx, err) < 0) {
        manners->no_secret = true;
        return -1;
    }
    if (run->switches.force || manners->now + SECRET_SLACK >= note->refused.next ||
        !is_secret(run->account, &note->refused.secret))
        return 0;
    manners->known_secret = true;
    return tell_refused(note, manners->now, err);
}

/* ---- how it ended ---- */

/* The date is written once a day, not with each poll. */
static void remember_success(struct manners *manners)
{
    struct note *note = manners->note;
    if (is_secret(manners->run->account, &note->refused.secret))
        note->worked = note->refused.secret;
    keep_secret(manners->run->account, &note->worked);
    if (manners->now - note->worked_when >= CLOCK_DAY)
        note->worked_when = manners->now;
    note->refused.secret.known = false;
}

/* What the network of this machine had is known by whoever sits there. */
static void tell_return(const struct manners *manners)
{
    const struct note *note = manners->note;
    char since[MANNERS_TIME + 8];
    bool noticed = manners->run->attended && note->failures >= MANNERS_PATIENCE;
    if (note->told_status == err_status(ERR_NETWORK) && note->told_hash == OFFLINE)
        log_line(manners->run->log, FP_LOG_NOTE, "the network is there again");
    else if ((note->told_status == err_status(ERR_AGAIN) && note->failures > 0) || noticed)
        log_line(manners->run->log, FP_LOG_WARNING,
                 "reachable again after %" PRIu32 " failed run%s%s", note->failures,
                 note->failures == 1 ? "" : "s",
                 spell_since(note->failing_since, manners->now, since, sizeof since));
}

static void forget_failures(struct note *note)
{
    note->not_before = 0;
    note->failures = 0;
    note->failing_since = 0;
    note->trouble[0] = '\0';
}

static void got_through(struct manners *manners)
{
    struct note *note = manners->note;
    tell_return(manners);
    forget_failures(note);
    note->told_status = 0;
    note->told_when = 0;
    remember_success(manners);
    note->polled = manners->run->account->interval > 0 ? manners->now : 0;
}

/* A poll that broke off after it delivered mail is not a reason to stay away. */
static void count_failure(struct manners *manners, const struct manners_end *end,
                          const struct err *err)
{
    const struct session_figures *figures = &manners->run->figures;
    struct note *note = manners->note;
    int64_t wait = 0;
    if (note->failures == 0 || note->failing_since == 0)
        note->failing_since = manners->now;
    if (note->failures < UINT32_MAX)
        note->failures++;
    /* Some servers count each login against the next; but one that let this poll in does not. */
    if (err->kind == ERR_DELAY ? figures->listed == 0 : figures->fetched == 0)
        wait = manners_back_off(note->failures, draw());
    if (err->kind == ERR_DELAY && end->login_delay > 0)
        wait = end->login_delay;
    else if (err->kind == ERR_DELAY && wait < MANNERS_DELAY)
        wait = MANNERS_DELAY;
    note->why = err->kind == ERR_DELAY ? NOTE_WHY_DELAY : NOTE_WHY_BACK_OFF;
    wait = wait < NOTE_DELAY_MAX ? wait : NOTE_DELAY_MAX;
    note->not_before = wait > 0 ? end->now + wait : 0;
}

/* An outage is told when it begins to matter: of an account that never worked at once, and again
 * if it is reached in another way by now; else with the third poll. Then after an hour, and then
 * once a day. */
static bool is_outage_news(const struct note *note, uint64_t way, int64_t now)
{
    bool told = note->told_status == err_status(ERR_AGAIN) && note->told_when != 0 &&
                note->told_when >= note->failing_since &&
                (note->worked_when != 0 || note->told_hash == way);
    bool matters = note->worked_when == 0 || note->failures >= MANNERS_PATIENCE;
    int64_t gap = note->told_when - note->failing_since < HOUR ? HOUR : CLOCK_DAY - MANNERS_SLACK;
    return told ? now - note->told_when >= gap : matters;
}

static uint64_t hash_of_way(const struct account *account)
{
    struct buf way;
    buf_init(&way, WAY_MAX);
    add_way(account, &way);
    uint64_t hash = str_hash(buf_str(&way));
    buf_free(&way);
    return hash;
}

/* Is it told to an unattended run? If so, it counts as told from here on. What is told again though
 * the words are the same: what comes of another way to the server. */
static bool take_as_news(const struct manners *manners, const struct err *err)
{
    struct note *note = manners->note;
    int status = err_status(err->kind);
    bool passes = err_whose(err->kind) == ERR_SIDE_PASSES && !manners->no_secret;
    bool offline = err->kind == ERR_NETWORK;
    bool refused = status == err_status(ERR_PASSWORD_REFUSED) && note->refused.secret.known;
    uint64_t way = hash_of_way(manners->run->account);
    uint64_t words = manners_hash(refused ? note->refused.text : err->text);
    uint64_t hash = offline ? OFFLINE : passes ? way : words ^ way;
    bool same = note->told_status == status && note->told_hash == hash;
    bool news = passes && !offline
                    ? is_outage_news(note, way, manners->now)
                    : !same || manners->now - note->told_when >= CLOCK_DAY - MANNERS_SLACK;
    if (news) {
        note->told_status = status;
        note->told_hash = hash;
        note->told_when = manners->now;
    }
    return news;
}

static bool counts(const struct manners *manners, const struct err *err)
{
    return !manners->known_secret && !manners->no_secret && err->kind != ERR_NETWORK &&
           (err_whose(err->kind) == ERR_SIDE_PASSES || err->kind == ERR_LOGIN_REFUSED);
}

/* Remembers a refusal of the secret. True if it is refused, and not called wrong yet: err says
 * so. */
static bool remember_doubt(struct manners *manners, struct err *err)
{
    if (manners->known_secret)
        return err->kind == ERR_AGAIN;
    if (err->kind != ERR_PASSWORD_REFUSED)
        return false;
    remember_refusal(manners, err);
    if (manners->note->refused.secret.known)
        tell_refused(manners->note, manners->now, err);
    return err->kind == ERR_AGAIN;
}

/* As take_as_news: from the third run on, each hour; and to a person who calls again within the
 * minute (cron does not). Its end is not reported. */
static bool take_doubt_as_news(const struct manners *manners)
{
    struct note *note = manners->note;
    int64_t age = manners->now - note->told_when;
    if (note->failures < UINT32_MAX)
        note->failures++;
    bool news = note->failures >= MANNERS_PATIENCE && (age >= HOUR || age < MINUTE);
    if (news)
        note->told_when = manners->now;
    return news;
}

/* A person who asks for a poll and gets none is told why. */
static bool stays_quiet(const struct manners *manners, bool doubted, const struct err *err)
{
    const struct session_run *run = manners->run;
    if (run->attended || (manners->known_secret && run->hurried))
        return false;
    return doubted ? !take_doubt_as_news(manners) : !take_as_news(manners, err);
}

static void failed(struct manners *manners, const struct manners_end *end, struct err *err)
{
    struct session_run *run = manners->run;
    struct note *note = manners->note;
    char time[MANNERS_TIME], since[MANNERS_TIME + 8];
    bool counted = counts(manners, err);
    if (counted)
        count_failure(manners, end, err);
    run->figures.quiet = stays_quiet(manners, remember_doubt(manners, err), err);
    if (counted && note->failures > 1)
        err_append(err, " (%" PRIu32 " polls failed%s)", note->failures,
                   spell_since(note->failing_since, manners->now, since, sizeof since));
    if (note->not_before <= manners->now || !counted)
        return;
    run->figures.next_try = note->not_before;
    if (run->hurried && note->why != NOTE_WHY_DELAY) /* whoever asks again polls at once */
        return;
    err_append(err, "; next try not before %s",
               manners_spell_time(note->not_before, manners->now, time));
}

/* The destination's trouble is told; the server is spared, or not, as otherwise. */
static void count_server(struct manners *manners, const struct manners_end *end)
{
    struct note *note = manners->note;
    struct err server = end->server;
    if (server.kind == ERR_NONE)
        forget_failures(note);
    else if (counts(manners, &server))
        count_failure(manners, end, &server);
    (void)remember_doubt(manners, &server);
    if (note->not_before > manners->now)
        manners->run->figures.next_try = note->not_before;
}

/* Its messages were told one by one when they became held. */
static void tell_held(struct manners *manners)
{
    struct note *note = manners->note;
    uint32_t held = manners->run->figures.held;
    if (held == 0) {
        note->held_told = 0;
    } else if (note->held_told == 0) {
        note->held_told = manners->now;
    } else if (manners->now - note->held_told >= WEEK - MANNERS_SLACK) {
        note->held_told = manners->now;
        if (!manners->run->attended)
            log_line(manners->run->log, FP_LOG_WARNING,
                     "%" PRIu32 " message%s held; fetchpop --status names %s", held,
                     held == 1 ? " is" : "s are", held == 1 ? "it" : "them");
    }
}

void manners_tell_undeleted(struct manners *manners, uint32_t count, uint32_t number,
                            const char *words)
{
    struct note *note = manners->note;
    const struct session_run *run = manners->run;
    if (note == NULL)
        return;
    if (count == 0) {
        note->undeleted_told = run->figures.deleted > 0 ? 0 : note->undeleted_told;
        return;
    }
    bool due = manners->now - note->undeleted_told >= CLOCK_DAY - MANNERS_SLACK;
    if (due)
        note->undeleted_told = manners->now;
    if (!due && !run->attended)
        return;
    if (count == 1)
        log_line(run->log, FP_LOG_WARNING, "the server will not delete message %" PRIu32 ": \"%s\"",
                 number, words);
    else
        log_line(run->log, FP_LOG_WARNING,
                 "the server will not delete %" PRIu32 " messages: \"%s\"", count, words);
}

void manners_tell_reappeared(struct manners *manners, uint32_t count)
{
    struct note *note = manners->note;
    if (note == NULL || (count == 0 && manners->run->figures.listed == 0))
        return;
    if (count == 0 || note->reappearing == 0) {
        note->reappearing = count == 0 ? 0 : manners->now;
        return;
    }
    if (manners->now - note->reappearing < CLOCK_DAY - MANNERS_SLACK ||
        manners->now - note->reappeared_told < WEEK - MANNERS_SLACK)
        return;
    note->reappeared_told = manners->now;
    log_line(manners->run->log, FP_LOG_WARNING,
             "the server says that it has deleted %u message(s), and shows them again; ask its "
             "administrator",
             (unsigned)count);
}

void manners_learn_expiry(struct manners *manners, int64_t days)
{
    const struct account *account = manners->run->account;
    uint32_t told = days < 0 ? 0 : (uint32_t)days + 1;
    bool short_of =
        days >= 0 && (account->keep == ACCOUNT_KEEP || (account->keep == ACCOUNT_KEEP_FOR &&
                                                        account->keep_seconds > days * CLOCK_DAY));
    if (short_of && manners->note->expires != told && manners->run->mode == SESSION_POLL)
        log_line(manners->run->log, FP_LOG_WARNING,
                 days == 0 ? "the server deletes mail by itself once it was fetched (EXPIRE 0), "
                             "whatever keep says"
                           : "the server deletes mail by itself after %" PRId64
                             " days (EXPIRE), which is sooner than keep says",
                 days);
    manners->note->expires = short_of ? told : 0;
}

void manners_begin(struct manners *manners, struct session_run *run, int64_t now)
{
    const struct account *account = run->account;
    enum note_mode mode = run->mode == SESSION_POLL ? NOTE_WRITE : NOTE_READ;
    *manners = (struct manners){.run = run, .now = now};
    manners->note = note_load(run->state_dir, account->server, account->user, mode, now);
}

/* Whatever it was, --status tells it: as it was before words for cron were added. */
static void remember_trouble(struct note *note, const char *text, bool was_well)
{
    if (was_well && note->touched != 0)
        note->succeeded = note->touched;
    snprintf(note->trouble, sizeof note->trouble, "%s",
             text[0] != '\0' ? text : "messages failed, see there");
}

void manners_end(struct manners *manners, const struct manners_end *end, struct err *err)
{
    struct note *note = manners->note;
    if (note == NULL) /* manners_begin was not reached */
        return;
    bool poll = manners->run->mode == SESSION_POLL;
    bool here = end->here || (err_whose(err->kind) == ERR_SIDE_HERE && !manners->no_secret);
    bool through = err_whose(err->kind) == ERR_SIDE_NONE || manners->run->figures.told;
    bool asked = poll && !manners->known_secret, was_well = note->trouble[0] == '\0';
    char text[NOTE_TEXT_MAX];
    snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, err->text);
    if (poll && end->destination) {
        if (!end->here && !end->offline)
            count_server(manners, end);
        manners->run->figures.quiet = !manners->run->attended && !take_as_news(manners, err);
    } else if (poll && !here && !end->offline) {
        if (through) {
            got_through(manners);
            tell_held(manners);
        } else {
            failed(manners, end, err);
        }
    }
    if (asked && err->kind != ERR_NONE)
        remember_trouble(note, text, was_well);
    /* Its loss costs nothing, but without a note we do not know what is news. */
    if (poll && (note_save(note) < 0 || note->foreign))
        manners->run->figures.quiet = false;
    if (asked)
        note_touch(note, end->now);
    note_free(note);
    manners->note = NULL;
}
