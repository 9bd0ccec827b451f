/* SPDX-License-Identifier: ISC */
/*
 * mbox: whole batches, recovery after a kill at each call that changes something, torn ends of
 * every length, readers and other programs in between, full disks; and Python's mailbox module
 * reads it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "delivery/appends.h"
#include "delivery/mboxlock.h"

#include "unit/kit_delivery.h"

/* ---- calls that change something: counted, and made to fail or to kill ---- */

enum harm { KILL_BEFORE, KILL_HALF, FAIL_ENOSPC, FAIL_EIO, HARMS };
static const char *const harm_names[HARMS] = {"killed before", "killed in the middle of",
                                              "no space in", "EIO in"};
static long harm_at; /* 0: never */
static long harm_count;
static enum harm harm;

/* True if this call is to fail. Only the process that armed it is harmed. */
static bool harmed(int *number)
{
    if (harm_at == 0 || ++harm_count != harm_at)
        return false;
    if (harm <= KILL_HALF)
        kill(getpid(), SIGKILL);
    *number = harm == FAIL_ENOSPC ? ENOSPC : EIO;
    return true;
}

#define HARM()                                                                                     \
    do {                                                                                           \
        int number;                                                                                \
        if (harmed(&number)) {                                                                     \
            errno = number;                                                                        \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

/* What these stand in for is done by their sisters where there are any: an offset of 64 bits has no
 * one way into syscall(). */
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct iovec half = {(void *)(uintptr_t)bytes, len / 2}, whole = {half.iov_base, len};
    if (harm_at != 0 && harm_count + 1 == harm_at && harm == KILL_HALF &&
        pwritev(fd, &half, 1, offset) < 0)
        return -1;
    HARM();
    return pwritev(fd, &whole, 1, offset);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct iovec half = {(void *)(uintptr_t)bytes, len / 2}, whole = {half.iov_base, len};
    if (harm_at != 0 && harm_count + 1 == harm_at && harm == KILL_HALF && writev(fd, &half, 1) < 0)
        return -1;
    HARM();
    return writev(fd, &whole, 1);
}

int ftruncate(int fd, off_t len)
{
    HARM();
    return (int)syscall(SYS_ftruncate, fd, (long)len);
}

int fsync(int fd)
{
    HARM();
    (void)fd;
    return 0; /* what lasts is no matter here */
}

int fdatasync(int fd)
{
    HARM();
    (void)fd;
    return 0;
}

int link(const char *from, const char *to)
{
    HARM();
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    if (harm <= KILL_HALF)
        HARM();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int fd, const char *path, int flags)
{
    if (harm <= KILL_HALF)
        HARM();
    return (int)syscall(SYS_unlinkat, fd, path, flags);
}

/* ---- messages ---- */

#define MINE 4
static char *mine[MINE];
static size_t mine_len[MINE];
static char *mbox;

static void make_messages(void)
{
    static const char *const bodies[MINE] = {
        "first\nFrom the start of a line\n>From quoted already\n",
        "no line end at the end",
        "",
        "\n\nblank lines around\n\n\n",
    };
    for (int i = 0; i < MINE; i++) {
        char *text = xasprintf("Return-Path: <sender%d@example.org>\nSubject: mine %d\n\n%s", i, i,
                               bodies[i]);
        mine_len[i] = strlen(text);
        mine[i] = text;
    }
    /* One that takes several writes. */
    size_t len = 150000;
    mine[1] = xreallocarray(mine[1], mine_len[1] + len, 1);
    memset(mine[1] + mine_len[1], 'y', len);
    mine_len[1] += len;
}

static const char foreign[] = "From other@example.net Thu Jan  1 00:00:00 2015\n"
                              "Subject: foreign\n\nwas here first\n\n";
static const char behind[] = "From procmail@example.net Thu Jan  1 00:00:01 2015\n"
                             "Subject: behind\n\nappended in between\n\n";

/* ---- a plain reader of mbox files, for comparing ---- */

struct seen {
    size_t mine[MINE], foreign, behind, b, other;
    bool nul;
};

/* Undoes mboxrd: malloced. */
static char *unquote(const char *bytes, size_t len, size_t *out_len)
{
    char *out = xmalloc(len + 1);
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        size_t marks = i;
        if (i == 0 || bytes[i - 1] == '\n')
            while (marks < len && bytes[marks] == '>')
                marks++;
        if (marks > i && len - marks >= 5 && memcmp(bytes + marks, "From ", 5) == 0)
            i++;
        out[at++] = bytes[i];
    }
    *out_len = at;
    return out;
}

/* A message of the mbox without its blank line, beside what was sent: a missing LF at the end of
 * that was added. */
static bool is_message(const char *got, size_t got_len, const char *sent, size_t len)
{
    bool added = len > 0 && sent[len - 1] != '\n';
    return got_len == len + added && memcmp(got, sent, len) == 0;
}

static const char b_message[] = "From: b@example.com\nSubject: of b\n\nof the other mailbox\n";

static void take_one(struct seen *seen, const char *from, const char *bytes, size_t len)
{
    size_t got_len;
    char *got = unquote(bytes, len, &got_len);
    bool known = false;
    for (int i = 0; i < MINE; i++)
        if (is_message(got, got_len, mine[i], mine_len[i])) {
            seen->mine[i]++;
            known = true;
        }
    if (strncmp(from, foreign, 40) == 0 && strncmp(got, "Subject: foreign\n\nwas", 20) == 0)
        known = ++seen->foreign > 0;
    if (strncmp(from, behind, 40) == 0 && strncmp(got, "Subject: behind\n\nappe", 20) == 0)
        known = ++seen->behind > 0;
    if (is_message(got, got_len, b_message, sizeof b_message - 1))
        known = ++seen->b > 0;
    seen->other += !known;
    free(got);
}

static struct seen read_mbox(void)
{
    struct seen seen = {{0}, 0, 0, 0, 0, false};
    size_t len;
    char *bytes = kit_read(mbox, &len);
    if (len == SIZE_MAX)
        len = 0;
    seen.nul = memchr(bytes, '\0', len) != NULL;
    for (size_t i = 0; i < len;) {
        size_t body = i, end;
        if (strncmp(bytes + i, "From ", 5) != 0) {
            seen.other++;
            break;
        }
        while (body < len && bytes[body++] != '\n')
            ;
        for (end = body; end < len; end++)
            if (bytes[end - 1] == '\n' && strncmp(bytes + end, "From ", 5) == 0)
                break;
        take_one(&seen, bytes + i, bytes + body, end > body ? end - body - 1 : 0);
        i = end;
    }
    free(bytes);
    return seen;
}

/* ---- one account ---- */

static int spool_mine(struct kit *kit, struct err *err)
{
    for (int i = 0; i < MINE; i++)
        if (kit_spool(kit, mine[i], mine_len[i], 4096, err) < 0)
            return -1;
    return deliver_secure(kit->deliver, kit->batch, kit->n, err);
}

/* Fetches message `which` and the like again: spool to release. */
static int deliver_some(struct kit *kit, const char *answer, struct err *err)
{
    for (int i = 0; i < MINE; i++)
        if (answer[i] != 'P' && kit_spool(kit, mine[i], mine_len[i], 777, err) < 0)
            return -1;
    if (kit->n == 0)
        return 0;
    if (deliver_secure(kit->deliver, kit->batch, kit->n, err) < 0 ||
        deliver_publish(kit->deliver, kit->batch, kit->n, err) < 0)
        return -1;
    deliver_release(kit->deliver, kit->batch, kit->n);
    kit->n = 0;
    return 0;
}

static int sweep_litter(const struct kit *kit, struct err *err)
{
    char *place = xasprintf("mbox %s/spool", kit->state);
    int result = deliver_sweep(&kit->settings, str_from(place), err);
    free(place);
    return result;
}

/* ---- the plain way ---- */

static void fresh(void)
{
    kit_fresh();
    free(mbox);
    mbox = kit_path("mbox");
}

static void settle_modes(void)
{
    struct stat status;
    char *path = kit_path("state/spool");
    ok(stat(mbox, &status) == 0 && (status.st_mode & 07777) == 0600, "a new mbox has mode 0600");
    ok(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700,
       "the spool folder has mode 0700");
    is_int((long long)kit_count(path), 0, "after publish the spool folder is empty");
    free(path);
}

static void plainly(const char *before, const char *name)
{
    struct kit kit;
    struct err err = {0};
    fresh();
    if (before != NULL)
        kit_write(mbox, before, strlen(before), "w");
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    ok(spool_mine(&kit, &err) == 0, "%s: spooled and secured %s", name, err.text);
    size_t len, had = before == NULL ? SIZE_MAX : strlen(before);
    char *bytes = kit_read(mbox, &len);
    ok(len == had, "%s: nothing is seen before publish", name);
    free(bytes);
    ok(deliver_publish(kit.deliver, kit.batch, kit.n, &err) == 0, "%s: published %s", name,
       err.text);
    char answer[65];
    char *receipts = kit_receipts(&kit);
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, "PPPP") == 0,
       "%s: found by their receipts", name);
    deliver_release(kit.deliver, kit.batch, kit.n);
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, "PPPP") == 0,
       "%s: also without the spool files", name);
    struct seen seen = read_mbox();
    ok(seen.mine[0] == 1 && seen.mine[1] == 1 && seen.mine[2] == 1 && seen.mine[3] == 1 &&
           seen.other == 0 && seen.foreign == (before != NULL && before[0] != '\0'),
       "%s: each is there once", name);
    if (before == NULL)
        settle_modes();
    free(receipts);
    kit_free(&kit);
}

static void plain(void)
{
    umask(0);
    plainly(NULL, "no mbox yet");
    plainly("", "an empty mbox");
    plainly(foreign, "mail before");
    char *cut = xmemdup0(foreign, sizeof foreign - 2);
    plainly(cut, "mail before without its blank line");
    cut[sizeof foreign - 3] = '\0';
    plainly(cut, "mail before without a last LF");
    free(cut);
}

/* ---- Python reads it ---- */

static const char script[] =
    "import mailbox, re, sys\n"
    "box = mailbox.mbox(sys.argv[1], create=False)\n"
    "want = [open(path, 'rb').read() for path in sys.argv[2:]]\n"
    "got = [re.sub(rb'(?m)^>(>*From )', rb'\\1', box.get_bytes(key)) for key in box.keys()]\n"
    "want = [w if w.endswith(b'\\n') else w + b'\\n' for w in want]\n"
    "assert len(got) == len(want) + 1, len(got)\n"
    "for g, w in zip(got[1:], want): assert g == w, (g[:200], w[:200])\n"
    "froms = [box[key].get_from() for key in box.keys()][1:]\n"
    "assert all(re.fullmatch(r'sender\\d@example.org [A-Z][a-z]{2} [A-Z][a-z]{2} [ \\d]\\d "
    "\\d\\d:\\d\\d:\\d\\d \\d{4}', f) for f in froms), froms\n";

static void python(void)
{
    struct kit kit;
    struct err err = {0};
    if (system("python3 -c 'import mailbox' 2>/dev/null") != 0) {
        tap_skip("Python's mailbox module reads the same messages", "python3 is not installed");
        return;
    }
    fresh();
    kit_write(mbox, foreign, sizeof foreign - 1, "w");
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    ok(deliver_some(&kit, "AAAA", &err) == 0, "delivered %s", err.text);
    char *path = kit_path("script.py"), *command = xasprintf("python3 %s %s", path, mbox);
    kit_write(path, script, sizeof script - 1, "w");
    for (int i = 0; i < MINE; i++) {
        char *file = xasprintf("%s/m%d", kit_folder, i);
        kit_write(file, mine[i], mine_len[i], "w");
        char *more = xasprintf("%s %s", command, file);
        free(command);
        free(file);
        command = more;
    }
    is_int(system(command), 0, "Python's mailbox module reads the same messages");
    free(path);
    free(command);
    kit_free(&kit);
}

/* ---- harm at each call ---- */

enum between { NOTHING, PROCMAIL, OTHER_ACCOUNT, SAME_MESSAGES, BETWEENS };
static const char *const between_names[BETWEENS] = {
    "nothing in between", "procmail in between", "another account in between",
    "another account with the same messages in between"};

#define PUBLISH_FAILED 3

/* What the run under test does: take is on paper before publish, done after it. */
static int run_once(long at)
{
    struct kit kit;
    struct err err = {0};
    char *take = kit_path("take"), *done = kit_path("done");
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    if (spool_mine(&kit, &err) < 0)
        return 1;
    char *receipts = kit_receipts(&kit);
    kit_write(take, receipts, strlen(receipts), "w");
    harm_count = 0;
    harm_at = at;
    int result = deliver_publish(kit.deliver, kit.batch, kit.n, &err);
    if (result == 0) {
        kit_write(done, "", 0, "w");
        deliver_release(kit.deliver, kit.batch, kit.n);
    } else {
        deliver_abandon(kit.batch, kit.n);
    }
    bool came = harm_count >= at;
    harm_at = 0;
    free(receipts);
    free(take);
    free(done);
    kit_free(&kit);
    return came ? result < 0 ? PUBLISH_FAILED : 4 : 0;
}

/* In a process of its own; 0 if it ended before the harm came. */
static int run_harmed(enum harm how, long at, int (*what)(long at))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        harm = how;
        _exit(what(at));
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL ? 1 : -1;
    return WEXITSTATUS(status);
}

static int recover_once(long at)
{
    struct kit kit;
    struct err err = {0};
    char *take = kit_path("take"), *done = kit_path("done"), answer[65] = "PPPP";
    size_t len;
    int result = 0;
    char *receipts = kit_read(take, &len);
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    harm_count = 0;
    harm_at = at;
    if (access(done, F_OK) < 0)
        result = kit_check(&kit, receipts, answer, &err);
    bool came = at > 0 && harm_count >= at;
    harm_at = 0;
    if (result == 0 && !came)
        result = deliver_some(&kit, answer, &err);
    if (result == 0 && !came)
        result = sweep_litter(&kit, &err);
    if (result < 0)
        printf("# %s\n", err.text);
    free(receipts);
    free(take);
    free(done);
    kit_free(&kit);
    return came ? 3 : result < 0 ? 9 : 0;
}

static void meanwhile(enum between between)
{
    struct kit kit;
    struct err err = {0};
    int result = 0;
    if (between == PROCMAIL)
        kit_write(mbox, behind, sizeof behind - 1, "a");
    if (between < OTHER_ACCOUNT)
        return;
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_B);
    if (between == OTHER_ACCOUNT) {
        result = kit_spool(&kit, b_message, sizeof b_message - 1, 5, &err);
        result |= deliver_secure(kit.deliver, kit.batch, kit.n, &err);
        result |= deliver_publish(kit.deliver, kit.batch, kit.n, &err);
        deliver_release(kit.deliver, kit.batch, kit.n);
    } else {
        result = deliver_some(&kit, "AAAA", &err);
    }
    if (result < 0)
        printf("# the other account: %s\n", err.text);
    kit_free(&kit);
}

static bool all_is_well(enum between between)
{
    struct seen seen = read_mbox();
    char *spool = kit_path("state/spool");
    size_t each = between == SAME_MESSAGES ? 2 : 1;
    bool well = seen.foreign == 1 && seen.other == 0 && !seen.nul &&
                seen.behind == (between == PROCMAIL) && seen.b == (between == OTHER_ACCOUNT) &&
                kit_count(spool) == 0;
    for (int i = 0; i < MINE; i++)
        well = well && seen.mine[i] == each;
    /* state, mbox, take, perhaps done: no lock is left */
    char *done = kit_path("done");
    well = well && kit_count(kit_folder) == 3u + (access(done, F_OK) == 0);
    if (!well)
        printf("# foreign %zu behind %zu b %zu mine %zu %zu %zu %zu other %zu nul %d files %zu "
               "spooled %zu\n",
               seen.foreign, seen.behind, seen.b, seen.mine[0], seen.mine[1], seen.mine[2],
               seen.mine[3], seen.other, seen.nul, kit_count(kit_folder), kit_count(spool));
    free(done);
    free(spool);
    return well;
}

/* An mbox whose last message lacks its blank line, so that LFs are needed. */
static void start_over(void)
{
    fresh();
    kit_write(mbox, foreign, sizeof foreign - 2, "w");
}

/* What a publish that failed, but was not killed, must leave. */
static bool is_untouched(void)
{
    size_t len;
    char *bytes = kit_read(mbox, &len);
    bool same = len == sizeof foreign - 2 && memcmp(bytes, foreign, len) == 0;
    if (!same)
        printf("# a failed publish left %zu bytes in the mbox\n", len);
    free(bytes);
    return same;
}

#define MANY_CALLS 1000 /* a run makes 24; one that makes so many has no end */

static void sweep(enum harm how, enum between between)
{
    size_t bad = 0;
    long at = 1;
    for (; at < MANY_CALLS; at++) {
        start_over();
        int end = run_harmed(how, at, run_once);
        if (end == 0)
            break;
        bool well = end > 0 && (end != PUBLISH_FAILED || is_untouched());
        meanwhile(between);
        well = recover_once(0) == 0 && all_is_well(between) && well;
        if (!well)
            printf("# %s call %ld, %s\n", harm_names[how], at, between_names[between]);
        bad += !well;
    }
    ok(bad == 0 && at > 12 && at < MANY_CALLS, "%s each of %ld calls, %s", harm_names[how], at - 1,
       between_names[between]);
}

/* Killed, and killed again while the next run recovers. */
static void sweep_twice(void)
{
    size_t bad = 0, pairs = 0;
    for (long at = 1; at < MANY_CALLS; at++) {
        for (long again = 1; again < MANY_CALLS; again++) {
            start_over();
            if (run_harmed(KILL_HALF, at, run_once) == 0) {
                ok(bad == 0 && pairs > 50, "killed twice, at each of %zu pairs of calls", pairs);
                return;
            }
            int end = run_harmed(again % 2 ? KILL_HALF : KILL_BEFORE, again, recover_once);
            if (end == 0)
                break;
            pairs++;
            bool well = recover_once(0) == 0 && all_is_well(NOTHING);
            if (!well)
                printf("# killed at call %ld and %ld of the recovery\n", at, again);
            bad += !well;
        }
    }
    ok(false, "a run ends in less than %d calls", MANY_CALLS);
}

/* ---- torn ends ---- */

/* A batch that was appended whole, its spool files still there, its entries open again. */
struct torn {
    struct kit kit;
    char *receipts;
    char *bytes; /* the mbox */
    size_t len, begin;
    uint64_t first;        /* where the first message is, behind LFs perhaps */
    uint64_t end_of[MINE]; /* of each message in it */
};

static const char *const small[] = {"Subject: a\n\nx\n", "Subject: b\n\nFrom y", "Subject: c\n\n"};
#define SMALL 3

static void reopen(struct torn *torn)
{
    struct appends appends;
    struct err err = {0};
    char *real = realpath(mbox, NULL);
    if (appends_open(&appends, &torn->kit.settings, real, true, &err) < 0)
        xdie(err.text);
    for (size_t i = 0; i < appends.count; i++) {
        appends.entries[i].state = APPEND_OPEN;
        if (i == 0)
            torn->first = appends.entries[i].offset;
        if (i < SMALL)
            torn->end_of[i] = appends.entries[i].offset + appends.entries[i].length;
    }
    if (appends_write(&appends, false, &err) < 0)
        xdie(err.text);
    appends_close(&appends);
    free(real);
}

static struct torn make_torn(const char *before)
{
    struct torn torn = {.begin = strlen(before)};
    struct err err = {0};
    fresh();
    kit_write(mbox, before, strlen(before), "w");
    kit_settings(&torn.kit, DELIVER_MBOX, mbox, KIT_A);
    for (int i = 0; i < SMALL; i++)
        if (kit_spool(&torn.kit, small[i], strlen(small[i]), 100, &err) < 0)
            xdie(err.text);
    if (deliver_secure(torn.kit.deliver, torn.kit.batch, SMALL, &err) < 0 ||
        deliver_publish(torn.kit.deliver, torn.kit.batch, SMALL, &err) < 0)
        xdie(err.text);
    torn.receipts = kit_receipts(&torn.kit);
    torn.bytes = kit_read(mbox, &torn.len);
    reopen(&torn);
    return torn;
}

static void end_torn(struct torn *torn)
{
    deliver_abandon(torn->kit.batch, torn->kit.n);
    kit_free(&torn->kit);
    free(torn->receipts);
    free(torn->bytes);
}

static void lose_spool(const struct torn *torn)
{
    for (size_t i = 0; i < torn->kit.n; i++)
        unlink(torn->kit.batch[i]->path);
}

/* What is not there is delivered again from its spool file, which is kept. */
static int check_torn(struct kit *kit, const char *receipts, char *answer, struct err *err)
{
    int result = kit_check(kit, receipts, answer, err);
    for (char *p = answer; result == 0 && *p != '\0'; p++)
        *p = *p == 'K' ? 'A' : *p;
    return result;
}

/* Puts that into the mbox and checks: the answer and the mbox must be as said. */
static bool repaired(struct torn *torn, const char *bytes, size_t len, const char *answer,
                     const char *want, size_t want_len)
{
    char got[65];
    struct err err = {0};
    kit_write(mbox, bytes, len, "w");
    reopen(torn);
    int result = check_torn(&torn->kit, torn->receipts, got, &err);
    size_t now_len;
    char *now = kit_read(mbox, &now_len);
    bool same = result == 0 && strcmp(got, answer) == 0 && now_len == want_len &&
                memcmp(now, want, want_len) == 0;
    if (!same)
        printf("# %s instead of %s, %zu bytes instead of %zu %s\n", got, answer, now_len, want_len,
               err.text);
    free(now);
    return same;
}

/* How many of them end at or before that byte, and where the last of those ends. */
static size_t whole_before(const struct torn *torn, size_t at, char answer[SMALL + 1], size_t *end)
{
    size_t whole = 0;
    *end = torn->begin;
    for (size_t i = 0; i < SMALL; i++) {
        answer[i] = at >= torn->end_of[i] ? 'P' : 'A';
        if (answer[i] == 'P') {
            *end = (size_t)torn->end_of[i];
            whole++;
        }
    }
    answer[SMALL] = '\0';
    return whole;
}

static void torn_everywhere(const char *before, const char *name)
{
    struct torn torn = make_torn(before);
    char *work = xmalloc(torn.len + 100), answer[SMALL + 1];
    size_t cut = 0, part = 0, filled = 0, junk = 0, moved = 0, blind = 0, blind_nul = 0, end;
    for (size_t at = torn.begin; at <= torn.len; at++) {
        bool all = whole_before(&torn, at, answer, &end) == SMALL;
        cut += !repaired(&torn, torn.bytes, at, answer, torn.bytes, end);
        /* NULs to somewhere before the end, and to the end. */
        memcpy(work, torn.bytes, at);
        memset(work + at, 0, torn.len - at + 100);
        if (at + 1 < torn.len)
            part += !repaired(&torn, work, torn.len - 1, "PPA", torn.bytes, (size_t)torn.end_of[1]);
        filled += !repaired(&torn, work, torn.len, "PPP", torn.bytes, torn.len);
        /* Somebody else's mail behind the reserved range, and behind a torn end. */
        memcpy(work + torn.len, "From x\n\ny\n\n", 11);
        char *want = xmalloc(torn.len + 11);
        memcpy(want, torn.bytes, torn.len);
        memcpy(want + torn.len, "From x\n\ny\n\n", 11);
        filled += !repaired(&torn, work, torn.len + 11, "PPP", want, torn.len + 11);
        memcpy(want, torn.bytes, at);
        memcpy(want + at, "From x\n\ny\n\n", 11);
        junk += !repaired(&torn, want, at + 11, answer, want, at + 11);
        free(want);
        /* The tail is not ours: one byte differs. */
        if (!all && at > end) {
            memcpy(work, torn.bytes, at);
            work[at - 1] = '#';
            moved += !repaired(&torn, work, at, answer, work, at);
        }
    }
    ok(cut == 0, "%s: torn at every byte: cut off", name);
    ok(part == 0,
       "%s: torn, then NULs, but not to the end: what has its room completed, the rest cut off",
       name);
    ok(filled == 0, "%s: NULs to the end, with or without mail behind: completed", name);
    ok(junk == 0, "%s: mail behind a torn end: nothing is cut", name);
    ok(moved == 0, "%s: a byte that is not ours: nothing is cut", name);
    lose_spool(&torn);
    for (size_t at = torn.begin; at <= torn.len; at++) {
        whole_before(&torn, at, answer, &end);
        bool torn_inside = at > end && at > torn.first;
        blind += !repaired(&torn, torn.bytes, at, answer, torn.bytes, torn_inside ? at : end);
        memcpy(work, torn.bytes, end);
        memset(work + end, 0, torn.len - end);
        if (at == end)
            blind_nul += !repaired(&torn, work, torn.len, answer, torn.bytes, end);
    }
    ok(blind == 0, "%s: without spool files, ours is not known as ours: not cut", name);
    ok(blind_nul == 0, "%s: but NULs are cut off", name);
    free(work);
    end_torn(&torn);
}

/* ---- readers in between ---- */

static void readers(void)
{
    struct torn torn = make_torn(foreign);
    size_t own = torn.len - torn.begin;
    char *work = xmalloc(torn.len + 200);
    ok(repaired(&torn, torn.bytes + torn.begin, own, "PPP", torn.bytes + torn.begin, own),
       "a reader removed the mail before: found");
    size_t first = (size_t)torn.end_of[0];
    ok(repaired(&torn, torn.bytes + first, torn.len - first, "APP", torn.bytes + first,
                torn.len - first),
       "and our first one too: that one again, the others found");
    size_t len = torn.begin;
    memcpy(work, torn.bytes, torn.begin);
    for (int i = 0; i < SMALL; i++) {
        size_t from = i == 0 ? torn.begin : (size_t)torn.end_of[i - 1];
        size_t to = (size_t)torn.end_of[i];
        size_t head = (size_t)(strstr(torn.bytes + from, "\n\n") - (torn.bytes + from)) + 1;
        memcpy(work + len, torn.bytes + from, head);
        len += head;
        memcpy(work + len, "Status: RO\nX-Keywords: a\n b\n", 28);
        len += 28;
        memcpy(work + len, torn.bytes + from + head, to - from - head);
        len += to - from - head;
    }
    ok(repaired(&torn, work, len, "PPP", work, len), "it added Status lines: found all the same");
    ok(repaired(&torn, work + torn.begin, len - torn.begin, "PPP", work + torn.begin,
                len - torn.begin),
       "and removed the mail before: found");
    work[len - 3] = '#';
    ok(repaired(&torn, work, len, "PPA", work, len), "a byte of a body changed: that one again");
    lose_spool(&torn);
    ok(repaired(&torn, torn.bytes + torn.begin, own, "PPP", torn.bytes + torn.begin, own),
       "mail removed before, and no spool files: found by digest");
    ok(repaired(&torn, "", 0, "AAA", "", 0), "everything removed: again");
    free(work);
    end_torn(&torn);
}

static void mbox_gone(void)
{
    struct torn torn = make_torn(foreign);
    unlink(mbox);
    char answer[65];
    struct err err = {0};
    ok(check_torn(&torn.kit, torn.receipts, answer, &err) == 0 && strcmp(answer, "AAA") == 0 &&
           access(mbox, F_OK) < 0,
       "the mbox is gone: again, and none is made");
    end_torn(&torn);
}

/* Of so many messages that are kept, how many is there a warning of? */
static size_t count_doubtful(const struct kit *kit, const char *receipts, size_t *kept)
{
    struct deliver_claim claims[SMALL];
    struct err err = {0};
    size_t n = 0, doubtful = 0;
    for (struct str rest = str_from(receipts); rest.len > 0 && n < SMALL; n++)
        claims[n] = (struct deliver_claim){.receipt = str_until(&rest, '\n')};
    int result = deliver_check(&kit->settings, claims, n, &err);
    *kept = 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        *kept += claims[i].found == DELIVER_KEPT;
        doubtful += claims[i].doubtful;
    }
    return doubtful;
}

/* One that was about to be made was not removed by anybody. */
static void mbox_not_made(void)
{
    struct kit kit;
    struct err err = {0};
    size_t kept;
    fresh();
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    for (int i = 0; i < SMALL; i++)
        kit_spool(&kit, small[i], strlen(small[i]), 100, &err);
    deliver_secure(kit.deliver, kit.batch, SMALL, &err);
    char *receipts = kit_receipts(&kit);
    is_int((long long)count_doubtful(&kit, receipts, &kept), 0,
           "killed before there was an mbox: no warning");
    is_int((long long)kept, SMALL, "and all of them are kept");
    ok(deliver_publish(kit.deliver, kit.batch, SMALL, &err) == 0, "they are published");
    unlink(mbox);
    is_int((long long)count_doubtful(&kit, receipts, &kept), SMALL,
           "written and gone: a warning of each");
    deliver_abandon(kit.batch, SMALL);
    kit_free(&kit);
    free(receipts);
}

/* A check while a file is in the place of the folder spool/, or no file may become longer. */
static void hinder(const struct kit *kit, bool hide, const char *receipts, char answer[65],
                   struct err *err)
{
    struct rlimit before, none;
    char *spool = kit_path("state/spool"), *away = kit_path("state/away");
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    none = before;
    none.rlim_cur = 0;
    if (hide && rename(spool, away) == 0)
        kit_write(spool, "", 0, "w");
    else
        setrlimit(RLIMIT_FSIZE, &none);
    int result = kit_check(kit, receipts, answer, err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    if (hide && (unlink(spool) < 0 || rename(away, spool) < 0))
        xdie("cannot put back what the test had moved");
    ok(result < 0, "that is an error: %s", err->text);
    free(spool);
    free(away);
}

/* What cannot be seen or kept now may be all there is of the message. */
static void left_open(void)
{
    struct kit kit;
    struct err err = {0};
    char answer[65], *spool;
    fresh();
    spool = kit_path("state/spool");
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    for (int i = 0; i < SMALL; i++)
        kit_spool(&kit, small[i], strlen(small[i]), 100, &err);
    deliver_secure(kit.deliver, kit.batch, SMALL, &err);
    char *receipts = kit_receipts(&kit);
    hinder(&kit, true, receipts, answer, &err);
    is_str(answer, "OOO", "spool files that cannot be looked at: their takes stay open");
    hinder(&kit, false, receipts, answer, &err);
    is_str(answer, "OOO", "no room for copies: likewise");
    is_int((long long)kit_count(spool), SMALL, "and nothing of a copy is left");
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, "KKK") == 0,
       "once that is over, they are kept");
    unlink(kit.batch[1]->path);
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, "KAK") == 0,
       "a spool file that is not there: fetched again");
    ok(deliver_room(kit.deliver) < file_room(kit_folder) / 4 * 3,
       "spool and mbox on one disk: each message needs its room twice");
    deliver_abandon(kit.batch, SMALL);
    kit_free(&kit);
    free(receipts);
    free(spool);
}

/* Equal messages need as many places. */
static void twins(void)
{
    struct torn torn = {.begin = 0};
    struct err err = {0};
    char *work;
    fresh();
    kit_settings(&torn.kit, DELIVER_MBOX, mbox, KIT_A);
    for (int i = 0; i < SMALL; i++)
        kit_spool(&torn.kit, small[0], strlen(small[0]), 100, &err);
    /* All with the same second in their From_ line. */
    deliver_secure(torn.kit.deliver, torn.kit.batch, SMALL, &err);
    ok(deliver_publish(torn.kit.deliver, torn.kit.batch, SMALL, &err) == 0,
       "three messages with the same content are published");
    torn.receipts = kit_receipts(&torn.kit);
    torn.bytes = kit_read(mbox, &torn.len);
    reopen(&torn);
    work = xasprintf("From x\n\n%.*s", (int)torn.end_of[0], torn.bytes);
    char got[65];
    kit_write(mbox, work, strlen(work), "w");
    ok(check_torn(&torn.kit, torn.receipts, got, &err) == 0 && strcmp(got, "PAA") == 0,
       "one of them is left in another place: it counts once (%s)", got);
    free(work);
    work = xasprintf("%.*sFrom x\n\n", (int)torn.end_of[0], torn.bytes);
    kit_write(mbox, work, strlen(work), "w");
    reopen(&torn);
    ok(check_torn(&torn.kit, torn.receipts, got, &err) == 0 && strcmp(got, "PAA") == 0,
       "one of them is left in its place: it counts once (%s)", got);
    free(work);
    end_torn(&torn);
}

/* ---- what is settled stays ---- */

static void settled(void)
{
    struct torn torn = make_torn(foreign);
    struct kit other;
    struct err err = {0};
    char answer[65];
    /* The first is whole, the second torn; another account comes first. */
    size_t torn_at = (size_t)torn.end_of[0] + 9;
    kit_write(mbox, torn.bytes, torn_at, "w");
    kit_settings(&other, DELIVER_MBOX, mbox, KIT_B);
    ok(kit_spool(&other, b_message, sizeof b_message - 1, 50, &err) == 0 &&
           deliver_secure(other.deliver, other.batch, 1, &err) == 0 &&
           deliver_publish(other.deliver, other.batch, 1, &err) == 0,
       "another account repairs before it appends %s", err.text);
    deliver_release(other.deliver, other.batch, 1);
    size_t len;
    char *now = kit_read(mbox, &len);
    ok(memcmp(now, torn.bytes, (size_t)torn.end_of[0]) == 0 &&
           strncmp(now + torn.end_of[0], "From b@example.com ", 19) == 0,
       "the torn one was cut off, the whole one left");
    /* What is gone for sure is not searched for, so nothing like it is taken for it. */
    kit_write(mbox, torn.bytes + torn.end_of[0], (size_t)(torn.end_of[1] - torn.end_of[0]), "a");
    ok(check_torn(&torn.kit, torn.receipts, answer, &err) == 0 && strcmp(answer, "PAA") == 0,
       "and its account learns it: %s", answer);
    free(now);
    kit_free(&other);
    end_torn(&torn);
}

/* Whatever the file of appends says, nothing breaks, and what is there is found. */
static void bad_lines(void)
{
    struct torn torn = make_torn(foreign);
    struct err err = {0};
    char answer[65];
    size_t len;
    char *real = realpath(mbox, NULL);
    struct appends appends;
    appends_open(&appends, &torn.kit.settings, real, false, &err);
    char *path = xstrdup(appends.path);
    appends_close(&appends);
    char *lines = kit_read(path, &len);
    size_t bad = 0;
    for (size_t i = 0; i < len; i++) {
        char was = lines[i];
        lines[i] ^= 1;
        kit_write(path, lines, len, "w");
        lines[i] = was;
        if (check_torn(&torn.kit, torn.receipts, answer, &err) < 0 || strcmp(answer, "PPP") != 0)
            bad++;
    }
    ok(bad == 0, "a bad byte anywhere in the file of appends costs nothing (%zu)", bad);
    bad = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i > 0 && i < len && lines[i - 1] == '\n')
            continue; /* that is what a run killed before its append leaves */
        kit_write(path, lines, i, "w");
        if (check_torn(&torn.kit, torn.receipts, answer, &err) < 0 || strcmp(answer, "PPP") != 0)
            bad++;
    }
    ok(bad == 0, "nor does a torn one (%zu)", bad);
    free(lines);
    free(path);
    free(real);
    end_torn(&torn);
}

/* ---- what can be known before ---- */

static void probes(void)
{
    struct kit kit;
    struct err err = {0};
    fresh();
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    ok(deliver_probe(&kit.settings, &err) == 0, "an mbox that is missing can be made");
    is_int((long long)kit_count(kit_folder), 1, "probe makes nothing");
    mkdir(mbox, 0700);
    ok(deliver_probe(&kit.settings, &err) < 0 && err.kind == ERR_CREATE, "%s", err.text);
    rmdir(mbox);
    mkfifo(mbox, 0600);
    ok(deliver_probe(&kit.settings, &err) < 0 && err.kind == ERR_CREATE, "%s", err.text);
    unlink(mbox);
    kit_write(mbox, "export EDITOR=vi\n", 17, "w");
    ok(deliver_probe(&kit.settings, &err) < 0 && err.kind == ERR_CREATE, "%s", err.text);
    kit_write(mbox, "\n\nFrom a Sat Jan  1 00:00:00 2000\n", 34, "w");
    ok(deliver_probe(&kit.settings, &err) == 0, "empty lines before the first message");
    kit_write(mbox, "\0\0\0", 3, "w");
    ok(deliver_probe(&kit.settings, &err) == 0, "what a killed run has begun is for recovery");
    unlink(mbox);
    kit_free(&kit);
    char *deep = kit_path("missing/mbox");
    kit_settings(&kit, DELIVER_MBOX, deep, KIT_A);
    ok(deliver_probe(&kit.settings, &err) < 0 && err.kind == ERR_CREATE, "%s", err.text);
    free(deep);
    kit_free(&kit);
    kit_settings(&kit, DELIVER_MBOX, mbox, KIT_A);
    struct buf place;
    buf_init(&place, 4096);
    deliver_open(&kit.deliver, &kit.settings, &err);
    deliver_place(&kit.settings, &place);
    ok(place.len > 5 && strncmp(place.data, "mbox /", 6) == 0,
       "the receipt of a message is one line that begins with its kind");
    struct parcel *parcel;
    ok(deliver_begin(kit.deliver, &parcel, &err) == 0, "a message is begun");
    struct sink sink = spool_sink(parcel);
    ok(sink.write(sink.ctx, "x", 1, &err) == 0, "half of its body is written");
    struct parcel *open[1] = {parcel};
    deliver_abandon(open, 1);
    char *spool = kit_path("state/spool");
    is_int((long long)kit_count(spool), 1, "the spool file of a message that is abandoned is left");
    ok(deliver_sweep(&kit.settings, buf_str(&place), &err) == 0 && kit_count(spool) == 0,
       "sweep removes the spool file of an abandoned message");
    ok(deliver_room(kit.deliver) > 0, "there is room in the folder of the mbox");
    free(spool);
    buf_free(&place);
    kit_free(&kit);
}

int main(void)
{
    make_messages();
    plain();
    python();
    for (int how = 0; how < HARMS; how++)
        for (int between = 0; between < BETWEENS; between++)
            sweep((enum harm)how, (enum between)between);
    sweep_twice();
    torn_everywhere("", "an empty mbox");
    torn_everywhere(foreign, "mail before");
    torn_everywhere("From x\nno end", "mail before without an end");
    readers();
    mbox_gone();
    mbox_not_made();
    left_open();
    twins();
    settled();
    bad_lines();
    probes();
    for (int i = 0; i < MINE; i++)
        free(mine[i]);
    free(mbox);
    kit_remove(kit_folder);
    return tap_done();
}
