/* SPDX-License-Identifier: ISC */
#include "app/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/hooks.h"
#include "app/json.h"
#include "app/secrets.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "net/tls.h"
#include "session/batch.h"

#define LIMIT_KILL_S 5   /* a command that is out of time is asked to end, then killed */
#define LIMIT_EXTRA_S 60 /* beyond what is counted */
#define END_MS 5000      /* from the end of its pipe to the end of the process */
#define EVENTS_AT_ONCE 64
#define TYPED_MAX 3 /* passwords */
#define STOPS 2     /* signals that mean something: the second ends at once */
#define WAIT_MAX_MS 3600000
#define DAY_MS (24 * 3600 * 1000)

enum ending { ENDING_OF_ITSELF, ENDING_LATE, ENDING_KILLED };

struct slot {
    pid_t pid;  /* 0: free */
    int fd;     /* -1: its pipe has ended */
    bool ended; /* the process was waited for already, and this is its status: */
    int status;
    struct turn *turn;
    int64_t limit; /* ms */
    int64_t deadline;
    enum ending ending;
    bool stuck; /* killed, and still there: it waits for a disk, say. That was told */
    bool has_result;
    bool has_plan; /* figures tell what will be fetched */
    struct session_figures figures;
    struct event event; /* the one that is coming in */
    size_t have;
    struct buf record; /* of a message, as far as it has come */
};

struct pool {
    const struct pool_job *job;
    struct turns *turns;
    struct report *report;
    struct slot *slots; /* as many as were ever needed at once */
    struct pollfd *waits;
    size_t slot_count, running;
    int stops;        /* signals passed on so far */
    uint64_t looked;  /* the turns' changes as we last looked for one that is due */
    int64_t next;     /* the moment from which looking may be worth it without a change */
    bool prepared;    /* OpenSSL, for all workers */
    bool fork_failed; /* until a worker has ended, no other is started */
};

int64_t pool_limit_ms(const struct account *account)
{
    /* Twice the session's time, a batch of deliveries that began at its end, and what may come
     * before the session: connecting, and three commands that print secrets. */
    struct account_target target;
    bool by_command = false;
    int commands = account->pipe_through != NULL;
    for (size_t at = 0; account_next_target(account, &at, &target);)
        by_command = by_command || target.kind == DELIVER_MDA || target.kind == DELIVER_LMTP;
    commands += by_command;
    int64_t deliveries = commands * BATCH_COMMANDS * (account->mda_timeout + LIMIT_KILL_S);
    int64_t behind = account->after_new != NULL ? HOOKS_SECONDS + LIMIT_KILL_S : 0;
    int64_t seconds = account->session_timeout * 2 + deliveries + behind + account->timeout * 4;
    return (seconds + LIMIT_EXTRA_S) * 1000;
}

static void show_progress(struct pool *pool)
{
    struct session_figures all = {0};
    size_t known = 0;
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].pid == 0)
            continue;
        known += pool->slots[i].has_plan;
        report_add_figures(&all, &pool->slots[i].figures);
    }
    report_progress(pool->report, &all, known);
}

/* A second of the wall clock that is to come, as a moment of our clock; nobody asks for more than a
 * day. */
static int64_t moment_of(int64_t wall)
{
    int64_t left = wall - clock_wall();
    int64_t ms = left < DAY_MS / 1000 ? left * 1000 : DAY_MS;
    return wall > 0 && left > 0 ? clock_in(ms) : 0;
}

/* As login(1) and ssh do: what was typed wrong may be typed again, on the same terminal. */
static bool ask_again(struct pool *pool, struct turn *turn, struct event *event)
{
    struct err ignored;
    if (event->number != ERR_PASSWORD_REFUSED || !turn->account->password_typed ||
        pool->turns->every > 0 || pool->job->no_fork || stop_asked() || ++turn->typed >= TYPED_MAX)
        return false;
    report_line(pool->report, turn->account->title, FP_LOG_ERROR, event->text);
    event->figures.told = true;
    turn->again = secrets_ask(turn->account, &ignored) == 1;
    return turn->again;
}

static void take_event(struct pool *pool, struct slot *slot, struct event *event)
{
    const char *title = slot->turn->account->title;
    event->text[sizeof event->text - 1] = '\0';
    switch (event->kind) {
    case EVENT_LINE:
        report_line(pool->report, title, (enum log_level)event->number, event->text);
        break;
    case EVENT_ANSWER:
        report_answer(pool->report, title, event->text);
        break;
    case EVENT_RECORD:
        (void)buf_add(&slot->record, event->text, strlen(event->text));
        if (event->number == 0)
            break;
        report_json_line(pool->report, &slot->record);
        buf_clear(&slot->record);
        break;
    case EVENT_PROGRESS:
        slot->figures = event->figures;
        slot->has_plan = true;
        show_progress(pool);
        break;
    default:
        slot->has_result = true;
        slot->turn->lost_told = 0;
        slot->turn->not_before = moment_of(event->figures.next_try);
        slot->figures = (struct session_figures){0};
        slot->has_plan = false; /* it is done, so no more will be fetched */
        if (ask_again(pool, slot->turn, event))
            break;
        report_measures(pool->report, event->measured ? &event->measures : NULL);
        report_result(pool->report, title, &event->figures,
                      event->number < ERR_KINDS ? (enum err_kind)event->number : ERR_WORKER,
                      event->text);
        break;
    }
}

static struct worker_job worker_job(const struct pool *pool, struct turn *turn)
{
    return (struct worker_job){
        .task = pool->job->task,
        .look = pool->job->look,
        .account = turn->account,
        .state_dir = pool->job->state_dir,
        .mode = pool->job->mode,
        .switches = pool->job->switches,
        .attended = pool->report->attended,
        .paced = pool->turns->every > 0,
        .hurried = turn->hurried || pool->job->hurried,
        .measured = pool->report->metrics != NULL,
        .records = pool->report->json_messages,
        .level = pool->report->level,
    };
}

/* A poll without a result. Where it happens in each poll of a daemon, a line a day is enough. */
static void report_lost(struct pool *pool, struct turn *turn, const struct err *err)
{
    struct session_figures figures = {0};
    int64_t now = clock_ms();
    if (err->kind != ERR_STOPPED) {
        figures.quiet = turn->lost_told != 0 && now - turn->lost_told < DAY_MS;
        turn->lost_told = figures.quiet ? turn->lost_told : now;
    }
    report_result(pool->report, turn->account->title, &figures, err->kind, err->text);
}

/* --- in the worker ---------------------------------------------------------------------------- */

/* ctx: the descriptor. If the parent is gone, nobody reads this; the work is still worth
 * finishing. */
static void send_event(void *ctx, const struct event *event)
{
    const int *fd = ctx;
    file_write(*fd, event, sizeof *event, "the parent", NULL);
}

static void close_others(const struct pool *pool)
{
    for (size_t i = 0; i < pool->slot_count; i++)
        if (pool->slots[i].pid != 0 && pool->slots[i].fd >= 0)
            close(pool->slots[i].fd);
}

static void take_null_input(void)
{
    int fd = file_open("/dev/null", O_RDONLY, 0);
    if (fd > STDIN_FILENO) {
        dup2(fd, STDIN_FILENO);
        close(fd);
    }
}

/* No turn may be touched here: see app/turns.h. */
static void run_child(const struct pool *pool, const struct worker_job *job, int fd, pid_t parent)
{
    setpgid(0, 0);
    if (!spawn_die_with(parent))
        _exit(err_status(ERR_STOPPED));
    close_others(pool);
    account_keep(job->account);
    take_null_input();
    struct worker_job work = *job;
    work.alone = true;
    work.emit = send_event;
    work.ctx = &fd;
    worker_run(&work);
    _exit(0);
}

/* --- starting --------------------------------------------------------------------------------- */

static struct slot *free_slot(struct pool *pool)
{
    size_t count = pool->slot_count;
    for (size_t i = 0; i < count; i++)
        if (pool->slots[i].pid == 0)
            return &pool->slots[i];
    pool->slot_count = count == 0 ? 1 : count * 2;
    pool->slots = xreallocarray(pool->slots, pool->slot_count, sizeof *pool->slots);
    pool->waits = xreallocarray(pool->waits, pool->slot_count, sizeof *pool->waits);
    memset(pool->slots + count, 0, (pool->slot_count - count) * sizeof *pool->slots);
    return &pool->slots[count];
}

/* 0, or -1 with errno. */
static int start(struct pool *pool, struct slot *slot, struct turn *turn)
{
    int fds[2];
    if (file_pipe(fds) < 0)
        return -1;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    bool others = pool->turns->count > 1 || pool->turns->every > 0; /* may need OpenSSL as well */
    if (others && turn->account->tls != ACCOUNT_TLS_NONE && !pool->prepared) {
        tls_prepare();
        pool->prepared = true;
    }
    struct worker_job work = worker_job(pool, turn);
    work.account = settings_pack(turn->account, xmalloc(settings_size(turn->account)));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        run_child(pool, &work, fds[1], parent);
    }
    int why = errno;
    free(work.account);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        errno = why;
        return -1;
    }
    setpgid(pid, pid);
    *slot = (struct slot){.pid = pid, .fd = fds[0], .turn = turn};
    buf_init(&slot->record, JSON_MESSAGE_MAX);
    slot->limit = pool_limit_ms(turn->account);
    slot->deadline = clock_in(slot->limit);
    pool->running++;
    return 0;
}

/* Is there room on the account's server? */
static bool has_room(const void *ctx, const struct account *account)
{
    const struct pool *pool = ctx;
    unsigned count = 0;
    for (size_t i = 0; i < pool->slot_count; i++) {
        const struct slot *slot = &pool->slots[i];
        count += slot->pid != 0 && account_compare_servers(slot->turn->account, account) == 0;
    }
    return count < pool->job->max_per_server;
}

/* No worker can be started, and none is running whose end could help. */
static void report_not_started(struct pool *pool, struct turn *turn, int number, int64_t now)
{
    struct err err;
    err_errno(&err, ERR_SYSTEM, number, "no worker can be started");
    report_lost(pool, turn, &err);
    turns_begin(pool->turns, turn, now);
    turns_end(pool->turns, turn, now);
}

static void start_due(struct pool *pool, int64_t now)
{
    while (pool->running < pool->job->jobs && !pool->fork_failed && !stop_asked()) {
        struct turn *turn = turns_due(pool->turns, now, has_room, pool);
        if (turn == NULL)
            return;
        if (start(pool, free_slot(pool), turn) == 0)
            turns_begin(pool->turns, turn, now);
        else if (pool->running > 0)
            pool->fork_failed = true;
        else
            report_not_started(pool, turn, errno, now);
    }
}

/* --- ending ----------------------------------------------------------------------------------- */

/* The group may not be there yet, or no more; the leader always is until it was waited for. */
static void kill_worker(const struct slot *slot)
{
    kill(-slot->pid, SIGKILL);
    if (!slot->ended)
        kill(slot->pid, SIGKILL);
}

static void report_death(struct pool *pool, const struct slot *slot, int status)
{
    struct err err;
    if (slot->stuck) {
        err_set(&err, ERR_WORKER,
                "worker cannot be ended: a disk or a file server does not answer; see ps -l");
    } else if (slot->ending == ENDING_KILLED) {
        err_set(&err, ERR_STOPPED, "interrupted; what was open is finished by the next run");
    } else if (slot->ending == ENDING_LATE) {
        err_set(&err, ERR_WORKER, "worker hung and was ended after %lld s; the next run goes on",
                (long long)(slot->limit / 1000));
    } else if (WIFSIGNALED(status)) {
        err_set(&err, ERR_WORKER, "worker died (signal %d); the next run goes on",
                WTERMSIG(status));
    } else if (WEXITSTATUS(status) == err_status(ERR_SYSTEM)) {
        err_set(&err, ERR_SYSTEM, "worker ran out of memory; the next run goes on");
    } else if (WEXITSTATUS(status) == err_status(ERR_WORKER)) {
        err_set(&err, ERR_WORKER, "worker gave up; standard error has the reason");
    } else {
        err_set(&err, ERR_WORKER, "worker ended without a result (status %d); the next run goes on",
                WEXITSTATUS(status));
    }
    report_lost(pool, slot->turn, &err);
}

static void end_slot(struct pool *pool, struct slot *slot, int status)
{
    /* A result is a result, even if the worker crashed while it cleaned up. */
    if (!slot->has_result && !slot->stuck)
        report_death(pool, slot, status);
    if (slot->fd >= 0)
        close(slot->fd);
    buf_free(&slot->record);
    turns_end(pool->turns, slot->turn, clock_ms());
    slot->pid = 0;
    pool->running--;
    pool->fork_failed = false;
}

static void end_pipe(struct slot *slot)
{
    close(slot->fd);
    slot->fd = -1;
    int64_t end = clock_in(END_MS);
    slot->deadline = end < slot->deadline ? end : slot->deadline;
}

/* Not everything that is there: other workers must have their turn. */
static void read_slot(struct pool *pool, struct slot *slot)
{
    for (int i = 0; i < EVENTS_AT_ONCE; i++) {
        char *to = (char *)&slot->event + slot->have;
        ssize_t n = read(slot->fd, to, sizeof slot->event - slot->have);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            end_pipe(slot);
            return;
        }
        if (n < 0)
            return;
        slot->have += (size_t)n;
        if (slot->have == sizeof slot->event) {
            slot->have = 0;
            take_event(pool, slot, &slot->event);
        }
    }
}

/* Process 1 of a container inherits whatever commands leave in the background. */
static void reap_orphans(struct pool *pool)
{
    int status;
    for (pid_t pid; getpid() == 1 && (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < pool->slot_count; i++)
            if (pool->slots[i].pid == pid) {
                pool->slots[i].ended = true;
                pool->slots[i].status = status;
            }
}

static bool has_ended(struct slot *slot)
{
    slot->ended = slot->ended || waitpid(slot->pid, &slot->status, WNOHANG) == slot->pid;
    return slot->ended;
}

/* It is late; or it was killed, and that does not end who waits for a disk. */
static void end_late(struct pool *pool, struct slot *slot)
{
    if (slot->ending != ENDING_OF_ITSELF && !slot->stuck) {
        slot->stuck = true;
        if (!slot->has_result)
            report_death(pool, slot, 0);
    }
    slot->ending = slot->ending == ENDING_OF_ITSELF ? ENDING_LATE : slot->ending;
    slot->deadline = clock_in(END_MS);
    kill_worker(slot);
}

/* Workers that have closed their pipe, and those that are late. Whoever wants us to end at once
 * does not wait for one that cannot end. */
static void reap(struct pool *pool)
{
    reap_orphans(pool);
    for (size_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->pid == 0)
            continue;
        if (clock_left(slot->deadline) == 0)
            end_late(pool, slot);
        if ((slot->fd < 0 && has_ended(slot)) || (slot->stuck && pool->stops == STOPS))
            end_slot(pool, slot, slot->status);
    }
}

static void pass_on_stop(struct pool *pool)
{
    int count = stop_count() < STOPS ? stop_count() : STOPS;
    if (count == pool->stops)
        return;
    pool->stops = count;
    if (count == 1 && pool->report->watched && pool->running > 0)
        report_line(pool->report, NULL, FP_LOG_NOTE,
                    "finishing what is complete; Ctrl-C again ends at once");
    for (size_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->pid != 0 && count == 1) {
            kill(slot->pid, SIGTERM);
        } else if (slot->pid != 0) {
            slot->ending = ENDING_KILLED;
            slot->deadline = clock_in(END_MS);
            kill_worker(slot);
        }
    }
}

/* --- in place --------------------------------------------------------------------------------- */

struct in_place {
    struct pool *pool;
    struct slot *slot;
};

/* The same path with a call instead of the pipe. */
static void hear_event(void *ctx, const struct event *event)
{
    const struct in_place *place = ctx;
    struct event copy = *event;
    take_event(place->pool, place->slot, &copy);
}

static void poll_in_place(struct pool *pool, struct turn *turn)
{
    struct slot *slot = free_slot(pool);
    *slot = (struct slot){.pid = getpid(), .fd = -1, .turn = turn};
    buf_init(&slot->record, JSON_MESSAGE_MAX);
    struct in_place place = {pool, slot};
    struct worker_job work = worker_job(pool, turn);
    work.emit = hear_event;
    work.ctx = &place;
    worker_run(&work);
    buf_free(&slot->record);
    slot->pid = 0;
    turns_end(pool->turns, turn, clock_ms());
}

/* --- the loop --------------------------------------------------------------------------------- */

static int wait_ms(const struct pool *pool, int64_t until)
{
    int64_t ms = until == CLOCK_NEVER ? WAIT_MAX_MS : clock_left(until);
    for (size_t i = 0; i < pool->slot_count; i++) {
        const struct slot *slot = &pool->slots[i];
        if (slot->pid == 0)
            continue;
        /* Between the end of the pipe and the end of the process there is nothing to wait for. */
        int64_t left = slot->fd < 0 ? 1 : clock_left(slot->deadline);
        ms = left < ms ? left : ms;
    }
    return ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

static void wait_events(struct pool *pool, int64_t until)
{
    for (size_t i = 0; i < pool->slot_count; i++) {
        const struct slot *slot = &pool->slots[i];
        pool->waits[i] = (struct pollfd){.fd = slot->pid != 0 ? slot->fd : -1, .events = POLLIN};
    }
    sigset_t before;
    stop_hold(&before);
    int ms = stop_has_news(pool->stops < STOPS ? pool->stops : INT_MAX) ? 0 : wait_ms(pool, until);
    int ready = stop_ppoll(pool->waits, (nfds_t)pool->slot_count, ms, &before);
    stop_release(&before);
    if (ready <= 0)
        return;
    for (size_t i = 0; i < pool->slot_count; i++)
        if (pool->waits[i].fd >= 0 && pool->waits[i].revents != 0)
            read_slot(pool, &pool->slots[i]);
}

struct pool *pool_new(const struct pool_job *job, struct turns *turns, struct report *report)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    *pool = (struct pool){.job = job, .turns = turns, .report = report};
    return pool;
}

void pool_free(struct pool *pool)
{
    free(pool->waits);
    free(pool->slots);
    free(pool);
}

void pool_step(struct pool *pool, int64_t until)
{
    int64_t now = clock_ms();
    pass_on_stop(pool);
    /* Looking at thousands of turns at every event of a worker would cost too much. */
    if (pool->looked != pool->turns->changes || now >= pool->next) {
        start_due(pool, now);
        pool->next = turns_next(pool->turns, now);
        pool->looked = pool->turns->changes;
    }
    if (pool->running == 0 && pool->turns->count == 0)
        return; /* the last one could not be started: nothing is there to wait for */
    show_progress(pool);
    int64_t next = stop_asked() ? CLOCK_NEVER : pool->next;
    int64_t redraw = pool->running > 0 ? report_next(pool->report) : CLOCK_NEVER;
    next = redraw < next ? redraw : next;
    wait_events(pool, next < until ? next : until);
    reap(pool);
}

size_t pool_running(const struct pool *pool)
{
    return pool->running;
}

/* --- once ------------------------------------------------------------------------------------- */

static void report_rest(const struct turns *turns, struct report *report)
{
    if (turns->count > 0) {
        struct err err;
        for (const struct turn *turn = turns->first; report->json && turn != NULL;
             turn = turn->next) {
            report_result(report, turn->account->title, &(struct session_figures){0}, ERR_STOPPED,
                          "");
        }
        err_set(&err, ERR_STOPPED, "interrupted; %zu account%s not polled", turns->count,
                turns->count == 1 ? " was" : "s were");
        report_error(report, NULL, &err);
    }
}

void pool_run(const struct pool_job *job, struct turns *turns, struct report *report)
{
    struct pool *pool = pool_new(job, turns, report);
    while (pool->running > 0 || (turns->count > 0 && !stop_asked()))
        if (job->no_fork)
            poll_in_place(pool, turns->first);
        else
            pool_step(pool, CLOCK_NEVER);
    pool_free(pool);
    report_rest(turns, report);
}
