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
    account.force = false;
    secret_set(&account.password, str_from(password));
}

enum got { ALLOWED, TOO_EARLY, KNOWN_SECRET };

struct poll {
    int64_t at;
    bool attended;
    enum session_mode mode;
    enum err_kind kind; /* how it ends */
    const char *text;
    uint32_t fetched;
    int64_t login_delay;
    bool here;
};

static enum got run(const struct poll *poll)
{
    struct session_run run = {.account = &account,
                              .state_dir = dir,
                              .mode = poll->mode,
                              .attended = poll->attended,
                              .log = &test_log};
    struct manners manners;
    heard[0] = '\0';
    err_clear(&last);
    if (manners_allow(&run, poll->at, &last) < 0) {
        figures = run.figures;
        return TOO_EARLY;
    }
    manners_begin(&manners, &run, poll->at);
    enum got got = ALLOWED;
    if (manners_check_secret(&manners, &last) < 0)
        got = KNOWN_SECRET;
    else if (poll->kind != ERR_NONE)
        err_set(&last, poll->kind, "%s", poll->text);
    run.figures.fetched = poll->fetched;
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
        is_int(least, base - base / 5, "a fifth less at least");
        is_int(most, base + base / 5, "a fifth more at most");
    }
    ok(manners_back_off(UINT32_MAX, UINT32_MAX) <= NOTE_BACK_OFF_MAX,
       "an hour and a fifth for ever");
}

/* A note that cannot be written counts nothing: all is told. */
static void test_no_note(void)
{
    begin("no note", "secret");
    char *stem = mailbox_stem(account.server, account.user);
    char *path = xasprintf("%s/%s.note", dir, stem), *fresh = xasprintf("%s.new", path);
    ok(mkdir(path, 0700) == 0, "a folder in the place of a note");
    poll_at(START, ERR_CLOSED, "gone");
    ok(!figures.quiet, "the first failure is told");
    ok(rmdir(path) == 0 && mkdir(fresh, 0700) == 0, "a folder where a note would be written");
    poll_at(START, ERR_CLOSED, "gone");
    ok(!figures.quiet, "and so it is there");
    ok(rmdir(fresh) == 0, "it is gone");
    poll_at(START, ERR_CLOSED, "gone");
    ok(figures.quiet, "with a note it is not");
    free(fresh);
    free(path);
    free(stem);
}

static void test_row(void)
{
    begin("row", "secret");
    int64_t at = START;
    is_int(poll_at(at, ERR_CLOSED, "gone"), ALLOWED, "the first poll");
    ok(figures.quiet && figures.next_try == 0, "fails: not told, and the next may come at once");
    is_int(poll_at(at, ERR_TIMEOUT, "slow"), ALLOWED, "the second");
    ok(figures.quiet && figures.next_try == 0, "fails: the same");
    is_int(poll_at(at, ERR_AGAIN, "refused"), ALLOWED, "the third");
    ok(!figures.quiet, "is told");
    ok(figures.next_try >= at + 48 && figures.next_try <= at + 72, "and keeps the next away");
    ok(strstr(last.text, "refused; next try not before ") == last.text, "which it says");
    int64_t next = figures.next_try;
    is_int(poll_at(next - 1, ERR_NONE, ""), TOO_EARLY, "a second too early");
    ok(last.kind == ERR_AGAIN && figures.quiet && figures.skipped && figures.next_try == next,
       "75, silent");
    ok(strstr(last.text, "3 polls in a row failed") && strstr(last.text, "--force"), "with words");
    run(&(struct poll){.at = next - 1, .attended = true});
    ok(figures.skipped && !figures.quiet, "not silent where somebody looks on");
    is_int(run(&(struct poll){.at = next - 1, .mode = SESSION_CHECK, .attended = true}), TOO_EARLY,
           "--check stays away too");
    is_int(poll_at(next, ERR_CLOSED, "gone"), ALLOWED, "in time");
    ok(figures.next_try >= next + 96 && figures.next_try <= next + 144, "twice as long");
    account.force = true;
    is_int(poll_at(next, ERR_CLOSED, "gone"), ALLOWED, "--force");
    account.force = false;
    at = figures.next_try;
    is_int(
        run(&(struct poll){
            .at = at, .mode = SESSION_CHECK, .attended = true, .kind = ERR_CLOSED, .text = "gone"}),
        ALLOWED, "a --check that fails");
    ok(figures.next_try == 0, "changes nothing");
    is_int(poll_at(at, ERR_NONE, ""), ALLOWED, "a poll that gets through");
    ok(strstr(heard, "reachable again after 5 failed runs since ") == heard,
       "says that it is over");
    poll_at(at, ERR_NONE, "");
    is_str(heard, "", "once");
    poll_at(at, ERR_CLOSED, "gone");
    poll_at(at, ERR_CLOSED, "gone");
    ok(figures.quiet && figures.next_try == 0, "and the row begins anew");
    poll_at(at, ERR_MESSAGE, "");
    is_str(heard, "", "what was not told is not over");
    poll_at(at, ERR_CLOSED, "gone");
    poll_at(at, ERR_CLOSED, "gone");
    ok(figures.quiet, "65 ended the row too");
}

/* A log file holds each failure; so it has to hold the end of them. */
static void test_attended(void)
{
    struct poll bad = {.at = START, .attended = true, .kind = ERR_CLOSED, .text = "gone"};
    struct poll good = {.at = START, .attended = true};
    begin("attended", "secret");
    run(&bad);
    run(&bad);
    run(&good);
    is_str(heard, "", "two failures, and it goes on");
    for (int round = 0; round < 3; round++)
        run(&bad);
    good.at = figures.next_try;
    run(&good);
    ok(strstr(heard, "reachable again after 3 failed runs since ") == heard, "it is over");
    run(&good);
    is_str(heard, "", "which is told once");
}

static void test_here(void)
{
    static const enum err_kind kinds[] = {ERR_HERE,   ERR_LOCKED, ERR_STOPPED, ERR_IO,
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
    ok(!figures.quiet && figures.next_try == 0, "whatever its kind");
    for (int round = 0; round < 5; round++)
        poll_at(START, ERR_AGAIN, "");
    ok(figures.next_try == 0, "what was told with its messages keeps nobody away");
}

static void test_broken_off(void)
{
    begin("broken", "secret");
    struct poll poll = {.at = START, .kind = ERR_CLOSED, .text = "gone", .fetched = 7};
    for (int round = 0; round < 4; round++)
        run(&poll);
    ok(!figures.quiet && figures.next_try == 0,
       "four polls that broke off with mail: told, and the next may come");
}

static void test_delay(void)
{
    static const struct {
        int64_t announced, want;
    } rows[] = {{-1, 60}, {0, 60}, {10, 10}, {900, 900}, {7 * 86400, 86400}, {INT64_MAX, 86400}};
    begin("delay", "secret");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        account.force = true;
        run(&(struct poll){
            .at = START, .kind = ERR_DELAY, .text = "so soon", .login_delay = rows[i].announced});
        account.force = false;
        is_int(figures.next_try, START + rows[i].want, "as long as the server wants");
    }
    is_int(poll_at(START + 86399, ERR_NONE, ""), TOO_EARLY, "a second before");
    ok(strstr(last.text, "pause between logins") != NULL, "says why");
    is_int(poll_at(START + 86400, ERR_NONE, ""), ALLOWED, "then");
    run(&(struct poll){.at = START, .kind = ERR_NONE, .login_delay = 600});
    is_int(poll_at(START + 1, ERR_NONE, ""), ALLOWED, "an announcement alone keeps nobody away");
}

static void test_secret(void)
{
    begin("secret", "wrong");
    is_int(poll_at(START, ERR_SECRET, "login refused: \"no\""), ALLOWED, "a secret");
    ok(!figures.quiet, "that is refused: told");
    int tries = 0, told = 0;
    for (int i = 1; i < 60; i++) {
        tries += poll_at(START + i * 60, ERR_NONE, "") == ALLOWED;
        told += !figures.quiet;
    }
    is_int(tries, 0, "is not tried again");
    is_int(told, 0, "nor told again");
    is_int(last.kind, ERR_SECRET, "77 all the same");
    ok(strstr(last.text, "login refused: \"no\" (refused since ") == last.text &&
           strstr(last.text, "--force") != NULL,
       "with the words of then");
    run(&(struct poll){.at = START + 3600, .attended = true});
    ok(!figures.quiet, "and told where somebody looks on");
    is_int(poll_at(START + 86400, ERR_NONE, ""), KNOWN_SECRET, "a day later");
    ok(!figures.quiet, "it is told once more");
    is_int(poll_at(START + 86460, ERR_NONE, ""), KNOWN_SECRET, "and then");
    ok(figures.quiet, "not");
    is_int(run(&(struct poll){.at = START + 86460, .mode = SESSION_CHECK, .attended = true}),
           KNOWN_SECRET, "--check does not try it either");
    begin("secret", "wronG");
    is_int(poll_at(START + 86500, ERR_CLOSED, "gone"), ALLOWED, "another one is tried");
    begin("secret", "wrong");
    is_int(poll_at(START + 86500, ERR_NONE, ""), KNOWN_SECRET, "the first one still not");
    account.force = true;
    is_int(poll_at(START + 86500, ERR_SECRET, "login refused: \"no\""), ALLOWED,
           "but with --force");
    account.force = false;
    begin("secret", "right");
    is_int(poll_at(START + 86600, ERR_NONE, ""), ALLOWED, "the right one is let in");
    begin("secret", "wrong");
    is_int(poll_at(START + 86700, ERR_SECRET, "login refused: \"no\""), ALLOWED,
           "and what was refused is forgotten");
    ok(!figures.quiet, "told anew");
}

static void test_no_secret(void)
{
    begin("none", "");
    secret_wipe(&account.password);
    poll_at(START, ERR_SECRET, "login refused");
    is_int(poll_at(START, ERR_SECRET, "login refused"), ALLOWED, "no secret, none refused");
    ok(figures.quiet, "told once");
}

/* The note holds nothing of the secret that could be read back. */
static void test_what_is_kept(void)
{
    char *stem = mailbox_stem("pop.example.com", "kept");
    char *path = xasprintf("%s/%s.note", dir, stem);
    char text[4096] = "";
    struct stat status;
    begin("kept", "correct horse battery staple");
    poll_at(START, ERR_SECRET, "login refused");
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    ok(len > 100 && strstr(text, "horse") == NULL, "the secret is not in the note");
    ok(strstr(text, "\nrefused ") != NULL, "its digest is");
    ok(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600, "which nobody else can read");
    if (file != NULL)
        fclose(file);
    char first[4096];
    memcpy(first, text, sizeof first);
    account.force = true;
    poll_at(START, ERR_SECRET, "login refused");
    file = fopen(path, "r");
    len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    ok(len > 100 && memcmp(first, text, sizeof first) != 0, "each time with another salt");
    if (file != NULL)
        fclose(file);
    free(path);
    free(stem);
}

static void test_stays(void)
{
    begin("stays", "secret");
    poll_at(START, ERR_REFUSED, "refused for good: \"gone\"");
    ok(!figures.quiet && figures.next_try == 0, "what stays is told at once");
    poll_at(START + 60, ERR_REFUSED, "refused for good: \"gone\"");
    ok(figures.quiet, "then not");
    poll_at(START + 120, ERR_REFUSED, "refused for good: \"moved\"");
    ok(!figures.quiet, "other words are told");
    poll_at(START + 180, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "another status too");
    poll_at(START + 180 + 86000, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(figures.quiet, "not yet a day");
    poll_at(START + 180 + 86400, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "once a day");
    poll_at(START + 180 + 86400, ERR_NONE, "");
    is_str(heard, "", "that it is over is not told");
    poll_at(START + 180 + 86460, ERR_PROTOCOL, "refused for good: \"moved\"");
    ok(!figures.quiet, "but then it is news again");
    ok(manners_hash("no (x17y)  at all") == manners_hash("no (x2y) at all"),
       "words with digits in them make no difference");
    ok(manners_hash("no at all") != manners_hash("not at all"), "others do");
    ok(manners_hash("a b") != manners_hash("b a"), "and their order");
}

static void test_unsaid(void)
{
    begin("unsaid", "secret");
    poll_at(START, ERR_UNSAID, "login refused");
    ok(!figures.quiet && figures.next_try == 0, "refused and not said why: told at once");
    is_int(poll_at(START + 1, ERR_UNSAID, "login refused"), ALLOWED, "tried again");
    ok(figures.quiet, "not told again");
    poll_at(START + 2, ERR_UNSAID, "login refused");
    ok(figures.quiet && figures.next_try > START + 2, "the third keeps the next away");
    is_int(last.kind, ERR_UNSAID, "77");
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
        account.force = true;
        poll_at(START, ERR_NONE, "");
        account.force = false;
        is_int(poll_at(over - 1, ERR_NONE, ""), TOO_EARLY, "before its interval is over");
        ok(last.kind == ERR_NONE && figures.skipped && figures.next_try == over, "0, and skipped");
        is_int(run(&(struct poll){.at = over - 1, .mode = SESSION_CHECK, .attended = true}),
               ALLOWED, "--check does not ask for it");
        is_int(poll_at(over, ERR_CLOSED, "gone"), ALLOWED, "a moment early is in time");
        is_int(poll_at(over + 1, ERR_CLOSED, "gone"), ALLOWED, "a failed one does not count");
        is_int(poll_at(START - 86400, ERR_NONE, ""), ALLOWED, "nor one in the future");
    }
    account.interval = 0;
    is_int(poll_at(START + 1, ERR_NONE, ""), ALLOWED, "no interval");
    struct note *note = note_load(dir, account.server, account.user, NOTE_READ, START + 1000);
    is_int(note->polled, 0, "no time is kept");
    note_free(note);
}

/* An ordinary poll writes nothing. */
static void test_no_write(void)
{
    char *stem = mailbox_stem("pop.example.com", "nothing");
    char *path = xasprintf("%s/%s.note", dir, stem);
    begin("nothing", "secret");
    for (int i = 0; i < 3; i++)
        poll_at(START + i, ERR_NONE, "");
    ok(access(path, F_OK) != 0, "no news, no note");
    poll_at(START + 3, ERR_CLOSED, "gone");
    ok(access(path, F_OK) == 0, "news, and a note");
    poll_at(START + 4, ERR_NONE, "");
    struct stat before, after;
    stat(path, &before);
    poll_at(START + 5, ERR_NONE, "");
    stat(path, &after);
    ok(before.st_ino == after.st_ino, "and not written again");
    free(path);
    free(stem);
}

static void test_clock(void)
{
    begin("clock", "secret");
    for (int i = 0; i < 5; i++) {
        account.force = true;
        poll_at(START, ERR_CLOSED, "gone");
    }
    account.force = false;
    is_int(poll_at(START, ERR_NONE, ""), TOO_EARLY, "backed off");
    is_int(poll_at(START - 100000000, ERR_CLOSED, "gone"), ALLOWED,
           "not after the clock went back");
}

static void remove_notes(void)
{
    static const char *const users[] = {"row",     "here",  "broken",   "delay",  "secret",
                                        "none",    "kept",  "stays",    "unsaid", "interval",
                                        "nothing", "clock", "attended", "no note"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        char *stem = mailbox_stem("pop.example.com", users[i]);
        char *path = xasprintf("%s/%s.note", dir, stem);
        unlink(path);
        free(path);
        free(stem);
    }
    ok(rmdir(dir) == 0, "there are notes in the folder and nothing else");
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        return 99;
    setenv("TZ", "UTC", 1);
    test_sequence();
    test_row();
    test_no_note();
    test_attended();
    test_here();
    test_broken_off();
    test_delay();
    test_secret();
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
