/* SPDX-License-Identifier: ISC */
/*
 * Whole polls over a connection in memory: this file stands in for net/conn, net/dial and
 * base/clock, so there is no socket and hardly any waiting. The input is what the server says:
 *
 *   byte 0    how many octets come at once (0: as many as there are), and 128: the second poll minds
 *             what the first one has noted (else it is as with --force)
 *   byte 1    what the server can do, and what the configuration file asks for (enum below)
 *   the rest  answers: the first is the greeting, each further one is released by one line of the
 *             client. 0xfe ends an answer; 0xfd ends it and then the connection; 0xfc ends it and
 *             then nothing comes any more. An empty answer means: as a decent server with three
 *             messages would answer; so does the end of the input.
 *
 * First two polls with this server, then one with a decent one, which has to go well: nothing that
 * a server said may leave a state that needs a person.
 */
#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "net/conn.h"
#include "net/dial.h"
#include "session/session.h"

enum {
    CAN_PIPELINE = 1,
    CAN_UIDL = 2,
    CAN_TOP = 4,
    NO_KEEP = 8,
    AUTO = 16,
    WITH_MBOX = 32,
    SMALL = 64,
    FLUSH = 128
};

#define MESSAGES 3
#define CONNECTIONS_MAX 16
#define LINES_MAX 2000 /* of one connection: a client that never ends is a finding */
#define END_ANSWER 0xfe
#define END_STREAM 0xfd
#define STALL 0xfc
#define SECRET "s3cr3t-w0rd"

static const char *const bodies[MESSAGES] = {
    "Message-ID: <1@x>\r\nSubject: one\r\n\r\nfirst\r\n",
    "Message-ID: <2@x>\r\n\r\n..\r\n...\r\n",
    "Subject: three\r\n\r\nno id\r\n",
};

/* The server, over all connections. */
struct server {
    struct fuzz script;
    size_t step;
    unsigned can;
    bool there[MESSAGES];
    unsigned connections;
};

static struct server server;

struct conn {
    char in[CONN_INPUT];
    size_t start, end;
    struct buf released; /* said, but not read yet */
    size_t read;
    bool ended, stalled;
    struct buf line; /* of the client, not ended yet */
    unsigned lines;
    bool deleted[MESSAGES], shown[MESSAGES + 1];
    bool in_auth;
};

/* ---- a decent server ---- */

__attribute__((format(printf, 2, 3))) static void say(struct conn *conn, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_add(&conn->released, text, (size_t)len);
}

static void say_list(struct conn *conn, bool uidl)
{
    unsigned number = 0;
    say(conn, "+OK\r\n");
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (!server.there[i])
            continue;
        number++;
        if (uidl)
            say(conn, "%u id%u\r\n", number, i);
        else
            say(conn, "%u %zu\r\n", number, strlen(bodies[i]));
    }
    say(conn, ".\r\n");
}

/* The index of the n-th message that is there, or MESSAGES. */
static unsigned find(unsigned number)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        if (server.there[i] && --number == 0)
            return i;
    return MESSAGES;
}

/* As it is on the wire: dots at the start of a line doubled. */
static void say_message(struct conn *conn, const char *text, bool head)
{
    const char *end = head ? strstr(text, "\r\n\r\n") + 4 : text + strlen(text);
    say(conn, "+OK\r\n");
    for (const char *p = text; p < end; p++)
        say(conn, "%s%c", *p == '.' && (p == text || p[-1] == '\n') ? "." : "", *p);
    say(conn, ".\r\n");
}

static void answer_about(struct conn *conn, struct str verb, struct str rest)
{
    uint64_t number = 0;
    unsigned i = str_number(str_word(&rest), 9, &number) == 0 ? find((unsigned)number) : MESSAGES;
    if (i == MESSAGES || conn->deleted[i]) {
        say(conn, "-ERR no such message\r\n");
    } else if (str_is(verb, "RETR") || str_is(verb, "TOP")) {
        say_message(conn, bodies[i], str_is(verb, "TOP"));
    } else if (str_is(verb, "UIDL")) {
        say(conn, "+OK %llu id%u\r\n", (unsigned long long)number, i);
    } else if (str_is(verb, "LIST")) {
        say(conn, "+OK %llu %zu\r\n", (unsigned long long)number, strlen(bodies[i]));
    } else {
        conn->deleted[i] = true;
        say(conn, "+OK\r\n");
    }
}

static void say_capa(struct conn *conn)
{
    say(conn, "+OK\r\nUSER\r\n%s%s%s%s.\r\n", server.can & CAN_PIPELINE ? "PIPELINING\r\n" : "",
        server.can & CAN_UIDL ? "UIDL\r\n" : "", server.can & CAN_TOP ? "TOP\r\n" : "",
        server.can & AUTO ? "SASL CRAM-MD5\r\n" : "");
}

static void quit(struct conn *conn)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        server.there[i] = server.there[i] && !conn->deleted[i];
    say(conn, "+OK\r\n");
    conn->ended = true;
}

static void answer_well(struct conn *conn, struct str line)
{
    struct str rest = line, verb = str_word(&rest);
    bool none = rest.len == 0;
    if (conn->in_auth || str_is(verb, "APOP") || str_is(verb, "PASS") || str_is(verb, "USER") ||
        str_is(verb, "NOOP")) {
        conn->in_auth = false;
        say(conn, "+OK\r\n");
    } else if (str_is(verb, "AUTH")) {
        conn->in_auth = true;
        say(conn, "+ PDFAbG9jYWxob3N0Pg==\r\n");
    } else if (str_is(verb, "CAPA")) {
        say_capa(conn);
    } else if (str_is(verb, "QUIT")) {
        quit(conn);
    } else if (str_is(verb, "STAT")) {
        say(conn, "+OK %u 100\r\n", server.there[0] + server.there[1] + server.there[2]);
    } else if ((str_is(verb, "UIDL") && !(server.can & CAN_UIDL)) ||
               (str_is(verb, "TOP") && !(server.can & CAN_TOP))) {
        say(conn, "-ERR what?\r\n");
    } else if (none && (str_is(verb, "UIDL") || str_is(verb, "LIST"))) {
        say_list(conn, str_is(verb, "UIDL"));
    } else {
        answer_about(conn, verb, rest);
    }
}

/* ---- the script ---- */

/* The next answer of the script, or false: answer well. */
static bool answer_badly(struct conn *conn)
{
    size_t from = conn->released.len;
    bool marked = false;
    while (server.script.left > 0 && !marked) {
        unsigned c = fuzz_byte(&server.script);
        char byte = (char)c;
        marked = c >= STALL && c <= END_ANSWER;
        conn->ended = conn->ended || c == END_STREAM;
        conn->stalled = conn->stalled || c == STALL;
        if (!marked)
            buf_add(&conn->released, &byte, 1);
    }
    return conn->released.len > from || conn->ended || conn->stalled;
}

/* A DELE for a message that was not asked for on this connection is a wrong one. */
static void check_line(struct conn *conn, struct str line)
{
    struct str rest = line, verb = str_word(&rest);
    uint64_t number;
    fuzz_check(++conn->lines < LINES_MAX);
    if (str_number(str_word(&rest), UINT32_MAX, &number) < 0)
        return;
    size_t at = number < MESSAGES ? (size_t)number : MESSAGES;
    if (str_is(verb, "RETR") || str_is(verb, "TOP"))
        conn->shown[at] = true;
    if (str_is(verb, "DELE"))
        fuzz_check(conn->shown[at]);
}

static void on_line(struct conn *conn, struct str line)
{
    check_line(conn, line);
    if (!conn->ended && !conn->stalled && !answer_badly(conn))
        answer_well(conn, line);
}

/* ---- net/dial and net/conn ---- */

int dial_tcp(const struct dial_options *options, int *fd, struct err *err)
{
    *fd = -1;
    if (server.connections++ < CONNECTIONS_MAX)
        return 0;
    return err_set(err, ERR_AGAIN, "%s: no more", options->host);
}

int dial_unix(const char *path, int *fd, struct err *err)
{
    *fd = -1;
    return err_set(err, ERR_AGAIN, "cannot connect to %s", path);
}

struct conn *conn_new(int fd, const char *name, int64_t idle_ms, int64_t deadline)
{
    (void)fd, (void)name, (void)idle_ms, (void)deadline;
    struct conn *conn = xcalloc(1, sizeof *conn);
    buf_init(&conn->released, SIZE_MAX / 2);
    buf_init(&conn->line, CONN_OUTPUT);
    if (!answer_badly(conn))
        say(conn, "+OK ready <1.2@localhost>\r\n");
    return conn;
}

void conn_free(struct conn *conn)
{
    if (conn == NULL)
        return;
    buf_free(&conn->released);
    buf_free(&conn->line);
    free(conn);
}

void conn_set_deadline(struct conn *conn, int64_t deadline)
{
    (void)conn, (void)deadline;
}

void conn_set_grace(struct conn *conn, int64_t grace_ms)
{
    (void)conn, (void)grace_ms;
}

void conn_set_command(struct conn *conn, struct command *command)
{
    (void)conn, (void)command;
}

struct command *conn_command(struct conn *conn)
{
    (void)conn;
    return NULL;
}

int conn_fd(const struct conn *conn)
{
    (void)conn;
    return -1;
}

int conn_start_tls(struct conn *conn, const struct tls_options *options, struct err *err)
{
    (void)conn, (void)options;
    return err_set(err, ERR_TRUST, "no TLS");
}

bool conn_is_secure(const struct conn *conn)
{
    (void)conn;
    return false;
}

struct tls *conn_tls(struct conn *conn)
{
    (void)conn;
    return NULL;
}

struct str conn_view(const struct conn *conn)
{
    return str_of(conn->in + conn->start, conn->end - conn->start);
}

void conn_consume(struct conn *conn, size_t len)
{
    fuzz_check(len <= conn->end - conn->start);
    conn->start += len;
}

int conn_fill(struct conn *conn, struct err *err)
{
    size_t there = conn->released.len - conn->read;
    size_t len = server.step > 0 && server.step < there ? server.step : there;
    memmove(conn->in, conn->in + conn->start, conn->end - conn->start);
    conn->end -= conn->start;
    memset(conn->in + conn->end, 0xdd, conn->start); /* a view that is kept too long is seen */
    conn->start = 0;
    fuzz_check(conn->end < CONN_INPUT);
    len = len < CONN_INPUT - conn->end ? len : CONN_INPUT - conn->end;
    if (len == 0)
        return conn->ended ? 0 : err_set(err, ERR_TIMEOUT, "no byte");
    memcpy(conn->in + conn->end, conn->released.data + conn->read, len);
    conn->read += len;
    conn->end += len;
    return 1;
}

int conn_await(struct conn *conn, int64_t ms)
{
    (void)conn;
    (void)ms;
    return 1;
}

int conn_peek(struct conn *conn, struct err *err)
{
    if (conn->end > conn->start)
        return 1;
    if (conn->released.len == conn->read && conn->ended)
        return err_set(err, ERR_CLOSED, "closed");
    return conn->released.len > conn->read ? conn_fill(conn, err) : 0;
}

int conn_put(struct conn *conn, const void *bytes, size_t len, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < len; i++) {
        char c = ((const char *)bytes)[i];
        fuzz_check(buf_add(&conn->line, &c, 1) == 0);
        if (c != '\n')
            continue;
        fuzz_check(conn->line.len >= 2 && conn->line.data[conn->line.len - 2] == '\r');
        on_line(conn, str_of(conn->line.data, conn->line.len - 2));
        buf_clear(&conn->line);
    }
    return 0;
}

int conn_push(struct conn *conn, struct err *err)
{
    (void)conn, (void)err;
    return 0;
}

int conn_flush(struct conn *conn, struct err *err)
{
    return conn_push(conn, err);
}

void conn_mark(struct conn *conn)
{
    (void)conn;
}

struct conn_figures conn_figures(const struct conn *conn)
{
    (void)conn;
    return (struct conn_figures){0};
}

/* ---- base/clock: half a second passes with each look at it ---- */

static int64_t now;

int64_t clock_ms(void)
{
    return now += 500;
}

int64_t clock_in(int64_t ms)
{
    return clock_ms() + ms;
}

int64_t clock_left(int64_t deadline)
{
    int64_t left = deadline - clock_ms();
    return left > 0 ? left : 0;
}

int64_t clock_wall(void)
{
    return 1700000000 + now / 1000;
}

/* ---- a poll ---- */

static void check_text(const char *text)
{
    fuzz_check(strstr(text, SECRET) == NULL);
    fuzz_check_told(text);
}

static void on_log(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level;
    check_text(line);
}

static unsigned count_files(const char *folder)
{
    char path[256];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), folder);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void poll_once(const struct account *account, bool force, struct session_figures *figures,
                      struct err *err)
{
    char state[256];
    struct log log = {.level = FP_LOG_TRACE, .write = on_log};
    snprintf(state, sizeof state, "%s/state", fuzz_folder());
    struct session_run run = {.account = account,
                              .state_dir = state,
                              .switches = {.flush = server.can & FLUSH, .force = force},
                              .log = &log};
    account_hide(account, &log);
    *err = (struct err){0};
    server.connections = 0;
    unsigned before = count_files("mail/new");
    int result = session_poll(&run, err);
    check_text(err->text);
    fuzz_check((result == 0) == (err->kind == ERR_NONE));
    fuzz_check(err->kind != ERR_SYSTEM && err->kind != ERR_CREATE && err->kind != ERR_IO &&
               err->kind != ERR_CONFIG);
    fuzz_check(count_files("mail/tmp") == 0 && count_files("state/spool") == 0);
    if (account->target == DELIVER_MAILDIR)
        fuzz_check(count_files("mail/new") - before == run.figures.fetched);
    *figures = run.figures;
}

static void fill_account(struct account *account, char **methods, char *where)
{
    static char title[] = "a", host[] = "127.0.0.1", user[] = "alice";
    snprintf(where, 256, "%s/%s", fuzz_folder(), server.can & WITH_MBOX ? "mbox" : "mail");
    *account = (struct account){.title = title,
                                .enabled = true,
                                .server = host,
                                .port = 110,
                                .tls = ACCOUNT_TLS_NONE,
                                .user = user,
                                .auth = methods,
                                .keep = server.can & NO_KEEP ? ACCOUNT_NOKEEP : ACCOUNT_KEEP,
                                .target = server.can & WITH_MBOX ? DELIVER_MBOX : DELIVER_MAILDIR,
                                .where = where,
                                .timeout = 10,
                                .session_timeout = 1000000,
                                .max_size = server.can & SMALL ? 200 : 0,
                                .max_tries = 5};
    fuzz_check(secret_set(&account->password, str_from(SECRET)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct account account;
    struct session_figures figures;
    struct err err;
    char where[256], way[8];
    char *methods[] = {way, NULL};
    fuzz_empty(fuzz_folder());
    server = (struct server){.script = {data, size}, .there = {true, true, true}};
    unsigned first = fuzz_byte(&server.script);
    server.step = first & 127;
    server.can = fuzz_byte(&server.script);
    snprintf(way, sizeof way, "%s", server.can & AUTO ? "auto" : "user");
    fill_account(&account, methods, where);
    poll_once(&account, false, &figures, &err);
    poll_once(&account, first < 128, &figures, &err);
    server.script.left = 0;
    /* a liar may keep us away for a while, or call a password wrong */
    poll_once(&account, true, &figures, &err);
    if (err.kind != ERR_NONE)
        fprintf(stderr, "the decent poll: %s\n", err.text);
    fuzz_check(err.kind == ERR_NONE);
    secret_wipe(&account.password);
    return 0;
}
