/* SPDX-License-Identifier: ISC */
/*
 * manners: when the next poll may come, which secret is not tried again, and what is told where
 * nobody looks on. Each poll here is a note that is read, a way to end, and a note that is written.
 */
#include "session/manners.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "state/mailbox.h"

#include "tap.h"

#define START 1800000000

static char dir[] = "/tmp/test-manners-XXXXXX";
static char heard[2048]; /* warnings */
static struct account account;
static bool force;
static struct err last; /* of the last poll */
static struct session_figures figures;

static void hear(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    if (level <= FP_LOG_WARNING)
        snprintf(heard, sizeof heard, "%s", line);
}

static struct log test_log = {.level = FP_LOG_TRACE, .write = hear};

static void begin(const char *user, const char *password)
{
    static char title[] = "test", server[] = "pop.example.com";
    account.title = title;
    account.server = server;
    free(account.user);
    account.user = xstrdup(user);
    account.interval = 0;
    force = false;
    secret_set(&account.password, str_from(password));
}

enum got { ALLOWED, TOO_EARLY, INTERVAL, KNOWN_SECRET };

struct poll {
    int64_t at;
    bool attended, hurried;
    enum session_mode mode;
    enum err_kind kind; /* how it ends */
    const char *text;
    uint32_t fetched;
    int64_t login_delay;
    bool here;
    bool told; /* with its messages */
};

static enum got run(const struct poll *poll)
{
    struct session_run run = {.account = &account,
                              .state_dir = dir,
                              .mode = poll->mode,
                              .switches = {.force = force},
                              .attended = poll->attended,
                              .hurried = poll->hurried,
                              .log = &test_log};
    struct manners manners;
    heard[0] = '\0';
    err_clear(&last);
    enum manners_leave leave = manners_allow(&run, poll->at, &last);
    if (leave != MANNERS_POLL) {
        figures = run.figures;
        return leave == MANNERS_SKIP ? INTERVAL : TOO_EARLY;
    }
    manners_begin(&manners, &run, poll->at);
    enum got got = ALLOWED;
    if (manners_get_secret(&manners, &last) < 0)
        got = KNOWN_SECRET;
    else if (poll->kind != ERR_NONE)
        err_set(&last, poll->kind, "%s", poll->text);
    run.figures.fetched = poll->fetched;
    run.figures.told = poll->told;
    struct manners_end end = {
        .here = poll->here, .now = poll->at, .login_delay = poll->login_delay};
    manners_end(&manners, &end, &last);
    figures = run.figures;
    return got;
}

static enum got poll_at(int64_t at, enum err_kind kind, const char *text)
{
    return run(&(struct poll){.at = at, .kind = kind, .text = text, .login_delay = -1});
}

/* An account that got through once. */
static void begin_known(const char *user)
{
    begin(user, "secret");
    poll_at(START - 1, ERR_NONE, "");
}

static void test_sequence(void)
{
    static const int64_t wants[] = {0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
    for (uint32_t failures = 0; failures < sizeof wants / sizeof wants[0]; failures++) {
        int64_t least = INT64_MAX, most = 0, base = wants[failures];
        for (uint32_t chance = 0; chance < 10000; chance++) {
            int64_t seconds = manners_back_off(failures, chance);
            least = seconds < least ? seconds : least;
            most = seconds > most ? seconds : most;
        }
        ok(least == base - base / 5, "after %u failures the pause is shortened by a fifth at most",
           failures);
        ok(most == base + base / 5, "after %u failures the pause is lengthened by a fifth at most",
           failures);
    }
    ok(manners_back_off(UINT32_MAX, UINT32_MAX) <= NOTE_BACK_OFF_MAX,
       "after any number of failures the pause is an hour and a fifth at most");
}

/* A note that cannot be written counts nothing: all is told. */
static void test_no_note(void)
{
    begin("no note", "secret");
    char *stem = mailbox_stem(account.server, account.user);
    char *path = xasprintf("%s/%s.note", dir, stem), *fresh = xasprintf("%s.new", path);
    ok(mkdir(path, 0700) == 0, "prepare: a folder stands in the place of the note");
    poll_at(START, ERR_CLOSED, "gone");
    ok(!figures.quiet, "a note that cannot be read: the first failure is told");
    ok(rmdir(path) == 0 && mkdir(fresh, 0700) == 0,
       "prepare: a folder stands where a note would be written");
    poll_at(START, ERR_CLOSED, "gone");
    ok(!figures.quiet, "a note that cannot be written: the first failure is told");
    ok(rmdir(fresh) == 0, "prepare: that folder is gone");
    poll_at(START, ERR_NONE, "");
    poll_at(START, ERR_CLOSED, "gone");
    ok(figures.quiet, "with a note that can be written it is not");
    free(fresh);
    free(path);
    free(stem);
}

/* So many polls at that moment that end with the server out of reach. */
static void fail_at(int64_t at, int times)
{
    for (int i = 0; i < times; i++)
        poll_at(at, ERR_CLOSED, "gone");
}

/* Three failed polls at START: when the next may come. */
static int64_t back_off_for(const char *user)
{
    begin_known(user);
    fail_at(START, 3);
    return figures.next_try;
}

static void test_row_begins(void)
{
    begin_known("row");
    poll_at(START, ERR_CLOSED, "gone");
    ok(figures.quiet && figures.next_try == 0,
       "a first failed poll is not told, and the next may come at once");
    is_int(poll_at(START, ERR_TIMEOUT, "slow"), ALLOWED, "a second poll is allowed at once");
    ok(figures.quiet && figures.next_try == 0,
       "a second failed poll is not told, and the next may come at once");
    is_int(poll_at(START, ERR_AGAIN, "refused"), ALLOWED, "a third poll is allowed at once");
    ok(!figures.quiet, "a third failed poll in a row is told");
    ok(figures.next_try >= START + 48 && figures.next_try <= START + 72,
       "it keeps the next poll away for a minute, give or take a fifth");
    ok(strstr(last.text, "refused (3 polls failed since ") == last.text &&
           strstr(last.text, "); next try not before ") != NULL,
       "its message says since when, and until when: %s", last.text);
}

/* Of three days of polls every five minutes: when is the outage told? */
static void test_outage(void)
{
    begin_known("outage");
    int told = 0;
    int64_t when[10] = {0};
    for (int64_t at = START; at < START + 3 * 86400; at += 300) {
        poll_at(at, at % 600 != 0 ? ERR_CLOSED : ERR_TIMEOUT, at % 600 != 0 ? "gone" : "slow");
        if (!figures.quiet && told < 10)
            when[told++] = at - START;
    }
    is_int(told, 4, "an outage of three days is told four times, in whatever words");
    is_int(when[0], 600, "with the third poll");
    ok(when[1] >= when[0] + 3600 && when[1] < when[0] + 3 * 3600, "after an hour");
    ok(when[2] - when[1] > 23 * 3600 && when[3] - when[2] > 23 * 3600, "and then once a day");
}

static void test_never_worked(void)
{
    begin("never", "secret");
    poll_at(START, ERR_CLOSED, "gone");
    ok(!figures.quiet, "the first failure of an account that never worked is told at once");
    poll_at(START + 300, ERR_TIMEOUT, "slow");
    ok(figures.quiet, "the second is not told");
    poll_at(START + 600, ERR_CLOSED, "gone");
    ok(figures.quiet, "nor the third");
    poll_at(START + 3900, ERR_CLOSED, "gone");
    ok(!figures.quiet, "it is told again after an hour");
    account.tls = ACCOUNT_TLS_STLS;
    poll_at(START + 4200, ERR_CLOSED, "gone");
    ok(!figures.quiet, "with another tls it is told at once");
    poll_at(START + 4500, ERR_CLOSED, "gone");
    ok(figures.quiet, "and once");
    account.tls = ACCOUNT_TLS_IMPLICIT;
    begin_known("known way");
    fail_at(START, 3);
    account.tls = ACCOUNT_TLS_STLS;
    poll_at(figures.next_try, ERR_CLOSED, "gone");
    ok(figures.quiet, "one that has worked is not told of again for that");
    account.tls = ACCOUNT_TLS_IMPLICIT;
}

/* What stays is told once a day; another way to the server is another trouble in the same words. */
static void test_other_way(void)
{
    begin("way", "secret");
    poll_at(START, ERR_TRUST, "not trusted");
    ok(!figures.quiet, "what stays is told at once");
    poll_at(START + 300, ERR_TRUST, "not trusted");
    ok(figures.quiet, "and not again");
    account.port = 995;
    poll_at(START + 600, ERR_TRUST, "not trusted");
    ok(!figures.quiet, "but on another port it is");
    account.port = 0;
}

static void test_too_early(void)
{
    int64_t next = back_off_for("early");
    is_int(poll_at(next - 1, ERR_NONE, ""), TOO_EARLY, "a poll one second too early is refused");
    is_int(last.kind, ERR_AGAIN, "the poll that came too early ends with 75");
    ok(figures.quiet && figures.skipped && figures.next_try == next,
       "it is not told, counts as skipped, and moves nothing");
    ok(strstr(last.text, "3 polls in a row failed") && strstr(last.text, "--force"),
       "its message says why, and that --force tries all the same: %s", last.text);
    run(&(struct poll){.at = next - 1, .attended = true});
    ok(figures.skipped && !figures.quiet,
       "a poll that came too early is told where somebody looks on");
    is_int(run(&(struct poll){.at = next - 1, .mode = SESSION_CHECK, .attended = true}), TOO_EARLY,
           "--check is refused too while polls are kept away");
}

static void test_next_pause(void)
{
    int64_t next = back_off_for("pause");
    is_int(poll_at(next, ERR_CLOSED, "gone"), ALLOWED, "a poll at the time named is allowed");
    ok(figures.next_try >= next + 96 && figures.next_try <= next + 144,
       "where that fails too, the pause is twice as long");
    force = true;
    is_int(poll_at(next, ERR_CLOSED, "gone"), ALLOWED, "--force polls in the middle of a pause");
    force = false;
    int64_t at = figures.next_try;
    is_int(
        run(&(struct poll){
            .at = at, .mode = SESSION_CHECK, .attended = true, .kind = ERR_CLOSED, .text = "gone"}),
        ALLOWED, "--check is allowed when the pause is over");
    ok(figures.next_try == 0, "a --check that fails makes no new pause");
}

static void test_row_ends(void)
{
    int64_t at = back_off_for("end");
    is_int(poll_at(at, ERR_NONE, ""), ALLOWED, "a poll at the end of the pause is allowed");
    ok(strstr(heard, "reachable again after 3 failed runs since ") == heard,
       "a poll that gets through tells that the trouble is over: %s", heard);
    poll_at(at, ERR_NONE, "");
    is_str(heard, "", "the poll after that has nothing to tell");
    fail_at(at, 2);
    ok(figures.quiet && figures.next_try == 0, "then two more failed polls begin a new row");
    poll_at(at, ERR_MESSAGE, "");
    is_str(heard, "", "the end of a row that was never told is not told either");
    fail_at(at, 2);
    ok(figures.quiet, "a poll that got through, though a message failed (65), ended that row");
}

/* A log file holds each failure; so it has to hold the end of them. */
static void test_attended(void)
{
    struct poll bad = {.at = START, .attended = true, .kind = ERR_CLOSED, .text = "gone"};
    struct poll good = {.at = START, .attended = true};
    begin_known("attended");
    run(&bad);
    run(&bad);
    run(&good);
    is_str(heard, "", "two failures in a row are nothing to be told as over");
    for (int round = 0; round < 3; round++)
        run(&bad);
    good.at = figures.next_try;
    run(&good);
    ok(strstr(heard, "reachable again after 3 failed runs since ") == heard,
       "the end of three is told, with their number: %s", heard);
    run(&good);
    is_str(heard, "", "the end of a row is told once");
}

static void test_here(void)
{
    static const enum err_kind kinds[] = {ERR_LOCAL,  ERR_LOCKED, ERR_STOPPED, ERR_IO,
                                          ERR_CREATE, ERR_SYSTEM, ERR_CONFIG,  ERR_WORKER};
    begin("here", "secret");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int round = 0; round < 5; round++)
            poll_at(START, kinds[i], "here");
        ok(!figures.quiet && figures.next_try == 0, "trouble here is told each time: %d",
           err_status(kinds[i]));
    }
    for (int round = 0; round < 5; round++)
        run(&(struct poll){.at = START, .kind = ERR_PROTOCOL, .text = "full", .here = true});
    ok(!figures.quiet && figures.next_try == 0,
       "trouble here is told each time, whatever kind of error it is");
    for (int round = 0; round < 5; round++)
        run(&(struct poll){.at = START, .kind = ERR_AGAIN, .text = "", .told = true});
    ok(figures.next_try == 0, "what was told with its messages makes no pause");
}

static void test_broken_off(void)
{
    begin_known("broken");
    struct poll poll = {.at = START, .kind = ERR_CLOSED, .text = "gone", .fetched = 7};
    for (int round = 0; round < 3; round++)
        run(&poll);
    ok(!figures.quiet && figures.next_try == 0,
       "three polls that broke off with mail: told, and the next may come");
}

static void test_delay(void)
{
    static const struct {
        int64_t announced, want;
    } rows[] = {{-1, 60}, {0, 60}, {10, 10}, {900, 900}, {7 * 86400, 86400}, {INT64_MAX, 86400}};
    begin("delay", "secret");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        force = true;
        run(&(struct poll){
            .at = START, .kind = ERR_DELAY, .text = "so soon", .login_delay = rows[i].announced});
        force = false;
        is_int(figures.next_try, START + rows[i].want,
               "after a login that came too soon the pause is the server's, a day at most");
    }
    is_int(poll_at(START + 86399, ERR_NONE, ""), TOO_EARLY,
           "a poll one second before the end of the server's pause is refused");
    ok(strstr(last.text, "pause between logins") != NULL,
       "its message names the pause between logins");
    is_int(poll_at(START + 86400, ERR_NONE, ""), ALLOWED,
           "a poll at the end of the server's pause is allowed");
    run(&(struct poll){.at = START, .kind = ERR_NONE, .login_delay = 600});
    is_int(poll_at(START + 1, ERR_NONE, ""), ALLOWED, "an announcement alone makes no pause");
    for (int i = 0; i < 6; i++) {
        force = true;
        poll_at(START, ERR_DELAY, "too often");
        force = false;
    }
    ok(figures.next_try >= START + 384 && figures.next_try <= START + 576,
       "after six that came too soon it is eight minutes, give or take a fifth");
}

static void test_refused_secret(void)
{
    begin("secret", "wrong");
    poll_at(START, ERR_PASSWORD_REFUSED, "login refused: \"no\"");
    ok(!figures.quiet, "a secret that the server refuses is told");
    int tries = 0, told = 0;
    for (int i = 1; i < 60; i += 6) {
        tries += poll_at(START + i * 60, ERR_NONE, "") == ALLOWED;
        told += !figures.quiet;
    }
    is_int(tries, 0, "a refused secret is not tried again within the hour");
    is_int(told, 0, "nor is it told again");
    is_int(last.kind, ERR_PASSWORD_REFUSED, "each of these polls ends with 77");
    ok(strstr(last.text, "login refused: \"no\" (refused since ") == last.text &&
           strstr(last.text, "--force") != NULL,
       "its message has the server's words, since when, and --force: %s", last.text);
    run(&(struct poll){.at = START + 3000, .attended = true});
    ok(!figures.quiet, "a refused secret is told where somebody looks on");
    is_int(run(&(struct poll){.at = START + 3000, .mode = SESSION_CHECK, .attended = true}),
           KNOWN_SECRET, "--check does not try a refused secret either");
}

/* When a secret is tried that the server refuses each time. Each poll digests the secret, which takes a
 * tenth of a second: so there are two for each try, one a little before it. */
static void test_secret_again(void)
{
    static const int hours[] = {1, 3, 7, 15, 31, 55, 79};
    begin("again", "wrong");
    poll_at(START, ERR_PASSWORD_REFUSED, "login refused: \"no\"");
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++) {
        int64_t at = START + hours[i] * 3600;
        ok(poll_at(at - 60, ERR_PASSWORD_REFUSED, "login refused: \"no\"") != ALLOWED,
           "no try a minute before %d hours: twice as long each time, a day at most", hours[i]);
        is_int(poll_at(at, ERR_PASSWORD_REFUSED, "login refused: \"no\""), ALLOWED,
               "a try at that time");
        is_int(last.kind, ERR_PASSWORD_REFUSED, "which ends with 77");
    }
    account.port = 995;
    is_int(poll_at(START + 80 * 3600, ERR_NONE, ""), ALLOWED,
           "on another port it is tried at once");
    account.port = 0;
}

static void test_worked_before(void)
{
    int tries = 0;
    begin("worked", "right");
    poll_at(START, ERR_NONE, "");
    for (int minutes = 10; minutes < 130; minutes += 10) {
        tries += poll_at(START + minutes * 60, ERR_PASSWORD_REFUSED, "no") == ALLOWED;
        is_int(last.kind, ERR_AGAIN, "a secret that has worked is not called wrong yet");
        ok(figures.next_try == 0, "and makes no pause");
    }
    is_int(tries, 2, "it is tried once an hour");
    is_int(poll_at(START + 130 * 60, ERR_PASSWORD_REFUSED, "no"), ALLOWED, "the third time");
    is_int(last.kind, ERR_PASSWORD_REFUSED, "it is called wrong");
    ok(!figures.quiet, "and that is told");
    is_int(poll_at(START + 191 * 60, ERR_NONE, ""), ALLOWED, "an hour later it is tried again");
    is_str(heard, "", "and where it works, nothing is said");
}

static struct note *load(int64_t now)
{
    return note_load(dir, account.server, account.user, NOTE_READ, now);
}

/* Each new salt would tell some more of the same secret. */
static void test_keeps_the_salt(void)
{
    begin("salt", "right");
    poll_at(START, ERR_NONE, "");
    struct note *first = load(START + 1);
    ok(first->worked.known, "what worked is noted");
    poll_at(START + 2 * 86400, ERR_NONE, "");
    poll_at(START + 3 * 86400, ERR_PASSWORD_REFUSED, "no");
    struct note *later = load(START + 4 * 86400);
    is_mem(later->worked.salt, NOTE_SALT, first->worked.salt, NOTE_SALT,
           "the same secret keeps its salt, whatever day it is");
    is_mem(later->refused.secret.salt, NOTE_SALT, first->worked.salt, NOTE_SALT,
           "also once it is refused");
    is_int(later->worked_when, START + 2 * 86400, "the day on which it last worked is noted");
    note_free(later);
    secret_set(&account.password, str_from("another"));
    poll_at(START + 5 * 86400, ERR_NONE, "");
    later = load(START + 6 * 86400);
    ok(memcmp(later->worked.salt, first->worked.salt, NOTE_SALT) != 0,
       "another secret gets another salt");
    note_free(later);
    note_free(first);
    secret_set(&account.password, str_from("third"));
    poll_at(START + 7 * 86400, ERR_PASSWORD_REFUSED, "no");
    first = load(START + 8 * 86400);
    poll_at(START + 8 * 86400, ERR_NONE, "");
    later = load(START + 9 * 86400);
    is_mem(later->worked.salt, NOTE_SALT, first->refused.secret.salt, NOTE_SALT,
           "one that was refused and then works keeps its salt");
    note_free(later);
    note_free(first);
}

static void test_without_password(void)
{
    begin("ticket", "unused");
    secret_wipe(&account.password);
    poll_at(START, ERR_NONE, "");
    poll_at(START + 300, ERR_CLOSED, "gone");
    ok(figures.quiet, "an account that logs in without a password counts as one that has worked");
}

static void test_offline(void)
{
    int told = 0;
    begin("offline", "secret");
    for (int round = 0; round < 5; round++) {
        poll_at(START + round * 300, ERR_NETWORK, "no way");
        told += !figures.quiet;
        ok(figures.next_try == 0, "without a network there is no pause");
    }
    is_int(told, 1, "it is told once");
    for (int hour = 1, again = 0; hour <= 72; hour++) {
        poll_at(START + (int64_t)hour * 3600, ERR_NETWORK, "no way");
        again += !figures.quiet;
        if (hour % 24 == 23)
            is_int(again, hour / 24, "and once more each day that it lasts");
    }
    is_int(poll_at(START + 73 * 3600, ERR_NONE, ""), ALLOWED,
           "the first poll with a network is made");
    poll_at(START + 74 * 3600, ERR_NETWORK, "no way");
    ok(!figures.quiet, "the next outage is told, too");
}

static void test_hurried(void)
{
    back_off_for("hurried");
    is_int(run(&(struct poll){.at = START + 1, .hurried = true}), ALLOWED,
           "a pause keeps no person away");
    run(&(struct poll){.at = START + 2, .kind = ERR_DELAY, .text = "soon", .login_delay = 100});
    is_int(run(&(struct poll){.at = START + 3, .hurried = true}), TOO_EARLY,
           "LOGIN-DELAY keeps even a hurried poll away");
    ok(strstr(last.text, "again at ") != NULL && strstr(last.text, "--force now") != NULL,
       "and says until when: %s", last.text);
    ok(!figures.quiet, "which is told");
}

static void test_held_and_expiry(void)
{
    struct session_run run = {.account = &account, .state_dir = dir, .log = &test_log};
    struct manners_end end = {.login_delay = -1};
    int told = 0, said = 0;
    begin("held", "secret");
    account.keep = ACCOUNT_KEEP_FOR;
    account.keep_seconds = 30 * 86400;
    for (int day = 0; day <= 28; day++) {
        struct manners manners;
        heard[0] = '\0';
        err_clear(&last);
        end.now = START + (int64_t)day * 86400;
        manners_begin(&manners, &run, end.now);
        manners_learn_expiry(&manners, day < 20 ? 7 : 30);
        said += heard[0] != '\0';
        heard[0] = '\0';
        run.figures = (struct session_figures){.held = 2};
        manners_end(&manners, &end, &last);
        told += strstr(heard, "2 messages are held") != NULL;
    }
    is_int(told, 4, "in four weeks held messages are told four times");
    is_int(said, 1, "a server that deletes sooner than keep says is told once");
    account.keep = ACCOUNT_KEEP;
}

static void test_other_secret(void)
{
    begin("secrets", "wrong");
    poll_at(START, ERR_PASSWORD_REFUSED, "login refused: \"no\"");
    begin("secrets", "wronG");
    is_int(poll_at(START + 60, ERR_CLOSED, "gone"), ALLOWED,
           "another secret than the refused one is tried");
    begin("secrets", "wrong");
    is_int(poll_at(START + 60, ERR_NONE, ""), KNOWN_SECRET,
           "the refused one is still not tried after that");
    force = true;
    is_int(poll_at(START + 60, ERR_PASSWORD_REFUSED, "login refused: \"no\""), ALLOWED,
           "--force tries a refused secret");
    force = false;
    begin("secrets", "right");
    is_int(poll_at(START + 120, ERR_NONE, ""), ALLOWED, "the right secret is let in");
    begin("secrets", "wrong");
    is_int(poll_at(START + 180, ERR_PASSWORD_REFUSED, "login refused: \"no\""), ALLOWED,
           "after a login that worked no secret counts as refused");
    ok(!figures.quiet, "so that its refusal is told anew");
}

static void test_no_secret(void)
{
    begin("none", "");
    secret_wipe(&account.password);
    poll_at(START, ERR_PASSWORD_REFUSED, "login refused");
    is_int(poll_at(START, ERR_PASSWORD_REFUSED, "login refused"), ALLOWED,
           "where there is no secret, none counts as refused");
    ok(figures.quiet, "but the second refusal is not told");
}

/* The note holds nothing of the secret that could be read back. */
static void test_what_is_kept(void)
{
    char *stem = mailbox_stem("pop.example.com", "kept");
    char *path = xasprintf("%s/%s.note", dir, stem);
    char text[4096] = "";
    struct stat status;
    begin("kept", "correct horse battery staple");
    poll_at(START, ERR_PASSWORD_REFUSED, "login refused");
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    ok(len > 100 && strstr(text, "horse") == NULL, "the secret is not in the note");
    ok(strstr(text, "\nrefused-check ") != NULL, "a line of the note holds its check");
    ok(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600,
       "only the owner can read the note");
    if (file != NULL)
        fclose(file);
    free(path);
    free(stem);
}

static void test_stays(void)
{
    begin("stays", "secret");
    poll_at(START, ERR_REFUSED, "refused for good: \"gone\"");
    ok(!figures.quiet && figures.next_try == 0,
       "a refusal for good is told at once, and makes no pause");
    poll_at(START + 60, ERR_REFUSED, "refused for good: \"gone\"");
    ok(figures.quiet, "the same refusal a minute later is not told");
    poll_at(START + 120, ERR_REFUSED, "refused for good: \"moved\"");
    ok(!figures.quiet, "a refusal in other words is told");
    poll_at(START + 180, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "the same words with another exit status are told");
    poll_at(START + 180 + 86000, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(figures.quiet, "the same again within a day is not told");
    poll_at(START + 180 + 86400, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "the same again after a day is told");
    poll_at(START + 180 + 86400, ERR_NONE, "");
    is_str(heard, "", "the end of such trouble is not told");
    poll_at(START + 180 + 86460, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "but what comes after it is news again");
    ok(manners_hash("no (x17y)  at all") == manners_hash("no (x2y) at all"),
       "words with digits in them make no difference to what counts as the same");
    ok(manners_hash("no at all") != manners_hash("not at all"), "other words do");
    ok(manners_hash("a b") != manners_hash("b a"), "and so does their order");
}

static void test_unsaid(void)
{
    begin("unsaid", "secret");
    poll_at(START, ERR_LOGIN_REFUSED, "login refused");
    ok(!figures.quiet && figures.next_try == 0,
       "a login refused without a reason is told at once, and makes no pause");
    is_int(poll_at(START + 1, ERR_LOGIN_REFUSED, "login refused"), ALLOWED,
           "its secret is tried again");
    ok(figures.quiet, "a second such refusal is not told");
    poll_at(START + 2, ERR_LOGIN_REFUSED, "login refused");
    ok(figures.quiet && figures.next_try > START + 2,
       "the third is not told, and keeps the next poll away");
    is_int(last.kind, ERR_LOGIN_REFUSED, "it keeps its own kind, which is 77");
}

static void test_interval(void)
{
    static const struct {
        int64_t interval, slack;
    } rows[] = {{10, 1}, {60, 6}, {300, 30}, {86400, 30}};
    begin("interval", "secret");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t over = START + rows[i].interval - rows[i].slack;
        account.interval = rows[i].interval;
        force = true;
        poll_at(START, ERR_NONE, "");
        force = false;
        is_int(poll_at(over - 1, ERR_NONE, ""), INTERVAL,
               "a poll before its interval is over is refused");
        ok(last.kind == ERR_NONE && figures.skipped && figures.next_try == over,
           "which is no error, counts as skipped, and names the time of the next");
        is_int(run(&(struct poll){.at = over - 1, .mode = SESSION_CHECK, .attended = true}),
               ALLOWED, "--check takes no notice of the interval");
        is_int(poll_at(over, ERR_CLOSED, "gone"), ALLOWED,
               "a poll at the end of the interval less its slack is allowed");
        is_int(poll_at(over + 1, ERR_CLOSED, "gone"), ALLOWED,
               "a failed poll does not begin an interval");
        is_int(poll_at(START - 86400, ERR_NONE, ""), ALLOWED,
               "a poll that is noted in the future does not count");
    }
    account.interval = 0;
    is_int(poll_at(START + 1, ERR_NONE, ""), ALLOWED,
           "without an interval the next poll is allowed at once");
    struct note *note = note_load(dir, account.server, account.user, NOTE_READ, START + 1000);
    is_int(note->polled, 0, "without an interval the note keeps no time");
    note_free(note);
}

/* An ordinary poll writes nothing. */
static void test_no_write(void)
{
    char *stem = mailbox_stem("pop.example.com", "nothing");
    char *path = xasprintf("%s/%s.note", dir, stem);
    begin("nothing", "secret");
    poll_at(START, ERR_NONE, "");
    ok(access(path, F_OK) == 0, "the first secret that works is noted");
    struct stat before, after;
    stat(path, &before);
    poll_at(START + 5, ERR_NONE, "");
    stat(path, &after);
    ok(before.st_ino == after.st_ino, "a poll without news does not write the note again");
    poll_at(START + 86400, ERR_NONE, "");
    stat(path, &after);
    ok(before.st_ino != after.st_ino, "it is looked at once a day");
    free(path);
    free(stem);
}

static void test_clock(void)
{
    begin("clock", "secret");
    for (int i = 0; i < 5; i++) {
        force = true;
        poll_at(START, ERR_CLOSED, "gone");
    }
    force = false;
    is_int(poll_at(START, ERR_NONE, ""), TOO_EARLY, "after five failures a poll is kept away");
    is_int(poll_at(START - 100000000, ERR_CLOSED, "gone"), ALLOWED,
           "a clock that went back three years ends the pause");
}

static void remove_notes(void)
{
    static const char *const users[] = {
        "row",     "early",     "pause", "end",    "here",     "broken",  "delay", "secret",
        "none",    "kept",      "stays", "unsaid", "interval", "nothing", "clock", "attended",
        "no note", "secrets",   "again", "worked", "offline",  "hurried", "held",  "outage",
        "never",   "known way", "way",   "salt",   "ticket"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        char *stem = mailbox_stem("pop.example.com", users[i]);
        char *path = xasprintf("%s/%s.note", dir, stem);
        unlink(path);
        free(path);
        free(stem);
    }
    ok(rmdir(dir) == 0, "the folder holds nothing but the notes of these tests");
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        return 99;
    setenv("TZ", "UTC", 1);
    test_sequence();
    test_row_begins();
    test_outage();
    test_never_worked();
    test_other_way();
    test_too_early();
    test_next_pause();
    test_row_ends();
    test_no_note();
    test_attended();
    test_here();
    test_broken_off();
    test_delay();
    test_refused_secret();
    test_secret_again();
    test_worked_before();
    test_keeps_the_salt();
    test_without_password();
    test_offline();
    test_hurried();
    test_held_and_expiry();
    test_other_secret();
    test_no_secret();
    test_what_is_kept();
    test_stays();
    test_unsaid();
    test_interval();
    test_no_write();
    test_clock();
    secret_wipe(&account.password);
    free(account.user);
    remove_notes();
    return tap_done();
}
