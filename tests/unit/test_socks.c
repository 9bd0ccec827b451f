/* SPDX-License-Identifier: ISC */
/* SOCKS5: every message, every split of every answer, and a whole talk over a socket pair. */
#include "net/socks.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/proxy.h"
#include "tap.h"

static char pass_word[] = "pass word";
static const struct secret password = {.data = pass_word, .len = 9};

#define HELLO "\5\1\0"
#define HELLO_LOGIN "\5\2\0\2"
#define LOGIN "\1\5alice\11pass word"
#define ASK_NAME "\5\1\0\3\17pop.example.com\3\343"
#define ASK_V4 "\5\1\0\1\300\0\2\7\0\156"
#define ASK_V6 "\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\7\0\156"
#define GRANT_V4 "\5\0\0\1\1\2\3\4\0\7"
#define GRANT_V6 "\5\0\0\4abcdefghijklmnop\0\7"
#define GRANT_NAME "\5\0\0\3\3abc\0\7"
#define B(text) text, sizeof(text) - 1

static const struct {
    const char *name, *host;
    unsigned port;
    const char *user;
    const char *answer;
    size_t answer_len;
    const char *sent;
    size_t sent_len;
    enum err_kind kind;
    const char *words;
} rows[] = {
    {"no login", "pop.example.com", 995, NULL, B("\5\0" GRANT_V4), B(HELLO ASK_NAME), ERR_NONE, ""},
    {"IPv4", "192.0.2.7", 110, NULL, B("\5\0" GRANT_V4), B(HELLO ASK_V4), ERR_NONE, ""},
    {"IPv6", "2001:db8::7", 110, NULL, B("\5\0" GRANT_V6), B(HELLO ASK_V6), ERR_NONE, ""},
    {"bound to a name", "192.0.2.7", 110, NULL, B("\5\0" GRANT_NAME), B(HELLO ASK_V4), ERR_NONE,
     ""},
    {"bound to an empty name", "192.0.2.7", 110, NULL, B("\5\0\5\0\0\3\0\0\7"), B(HELLO ASK_V4),
     ERR_NONE, ""},
    {"login", "pop.example.com", 995, "alice", B("\5\2\1\0" GRANT_V4),
     B(HELLO_LOGIN LOGIN ASK_NAME), ERR_NONE, ""},
    {"login, answered with version 5", "pop.example.com", 995, "alice", B("\5\2\5\0" GRANT_V4),
     B(HELLO_LOGIN LOGIN ASK_NAME), ERR_NONE, ""},
    {"login offered and not wanted", "pop.example.com", 995, "alice", B("\5\0" GRANT_V4),
     B(HELLO_LOGIN ASK_NAME), ERR_NONE, ""},
    {"wrong password", "pop.example.com", 995, "alice", B("\5\2\1\1"), B(HELLO_LOGIN LOGIN),
     ERR_LOGIN, "login refused"},
    {"login wanted and none there", "pop.example.com", 995, NULL, B("\5\377"), B(HELLO), ERR_LOGIN,
     "wants a login"},
    {"no method will do", "pop.example.com", 995, "alice", B("\5\377"), B(HELLO_LOGIN), ERR_LOGIN,
     "takes no user"},
    {"asked to log in with nothing to say", "pop.example.com", 995, NULL, B("\5\2"), B(HELLO),
     ERR_PROTOCOL, "does not speak SOCKS5"},
    {"GSSAPI", "pop.example.com", 995, NULL, B("\5\1"), B(HELLO), ERR_PROTOCOL, "SOCKS5"},
    {"SOCKS4", "pop.example.com", 995, NULL, B("\0\133"), B(HELLO), ERR_PROTOCOL, "SOCKS5"},
    {"HTTP", "pop.example.com", 995, NULL, B("HT"), B(HELLO), ERR_PROTOCOL, "SOCKS5"},
    {"POP3", "pop.example.com", 995, NULL, B("+O"), B(HELLO), ERR_PROTOCOL, "SOCKS5"},
    {"login, then junk", "pop.example.com", 995, "alice", B("\5\2\7\0"), B(HELLO_LOGIN LOGIN),
     ERR_PROTOCOL, "SOCKS5"},
    {"a failure of its own", "192.0.2.7", 110, NULL, B("\5\0\5\1\0\1"), B(HELLO ASK_V4), ERR_AGAIN,
     "internal failure"},
    {"not allowed", "192.0.2.7", 110, NULL, B("\5\0\5\2\0\1"), B(HELLO ASK_V4), ERR_REFUSED,
     "192.0.2.7:110: its rules forbid"},
    {"no network", "192.0.2.7", 110, NULL, B("\5\0\5\3\0\1"), B(HELLO ASK_V4), ERR_AGAIN,
     "reach that network"},
    {"no host", "192.0.2.7", 110, NULL, B("\5\0\5\4\0\1"), B(HELLO ASK_V4), ERR_AGAIN,
     "reach that host"},
    {"refused", "192.0.2.7", 110, NULL, B("\5\0\5\5\0\1"), B(HELLO ASK_V4), ERR_AGAIN,
     "refuses connections"},
    {"too far", "192.0.2.7", 110, NULL, B("\5\0\5\6\0\1"), B(HELLO ASK_V4), ERR_AGAIN, "far away"},
    {"no such command", "192.0.2.7", 110, NULL, B("\5\0\5\7\0\1"), B(HELLO ASK_V4), ERR_PROTOCOL,
     "this kind"},
    {"no such address", "192.0.2.7", 110, NULL, B("\5\0\5\10\0\1"), B(HELLO ASK_V4), ERR_PROTOCOL,
     "kind of address"},
    {"a code of its own", "192.0.2.7", 110, NULL, B("\5\0\5\377\0\1"), B(HELLO ASK_V4), ERR_AGAIN,
     "the unknown code 255"},
    {"granted to an address of no kind", "192.0.2.7", 110, NULL, B("\5\0\5\0\0\2"), B(HELLO ASK_V4),
     ERR_PROTOCOL, "SOCKS5"},
    {"granted in another version", "192.0.2.7", 110, NULL, B("\5\0\4\0\0\1"), B(HELLO ASK_V4),
     ERR_PROTOCOL, "SOCKS5"},
};

#define ROWS (sizeof rows / sizeof rows[0])

struct talk {
    char sent[700];
    size_t sent_len, used;
    int rc;
    struct err err;
    size_t left_wanted;
};

static void collect(struct talk *talk, struct socks *socks)
{
    memcpy(talk->sent + talk->sent_len, socks->out, socks->out_len);
    talk->sent_len += socks->out_len;
    socks->out_len = 0;
}

/* Feeds the answer in parts of at most `part`, the first of them of `first` bytes. */
static void run(size_t row, size_t first, size_t part, struct talk *talk)
{
    const struct socks_target target = {rows[row].host, rows[row].port, rows[row].user, &password};
    struct socks socks;
    *talk = (struct talk){.rc = socks_begin(&socks, &target, &talk->err)};
    size_t next = first;
    while (talk->rc == 0) {
        collect(talk, &socks);
        size_t len = socks_wants(&socks);
        if (len == 0 || talk->used == rows[row].answer_len)
            break;
        len = len < next ? len : next;
        len = len < rows[row].answer_len - talk->used ? len : rows[row].answer_len - talk->used;
        talk->rc = socks_take(&socks, (const unsigned char *)rows[row].answer + talk->used, len,
                              &talk->err);
        talk->used += len;
        next = part;
    }
    talk->left_wanted = socks_wants(&socks);
    socks_end(&socks);
}

static bool is_right(size_t row, const struct talk *talk)
{
    bool good = rows[row].kind == ERR_NONE ? talk->rc == 0 && talk->left_wanted == 0
                                           : talk->rc == -1 && talk->err.kind == rows[row].kind &&
                                                 strstr(talk->err.text, rows[row].words) != NULL;
    return good && talk->used == rows[row].answer_len && talk->sent_len == rows[row].sent_len &&
           memcmp(talk->sent, rows[row].sent, talk->sent_len) == 0;
}

static void test_rows(void)
{
    struct talk talk = {.rc = 0};
    for (size_t row = 0; row < ROWS; row++) {
        size_t bad = 0;
        for (size_t first = 1; first <= rows[row].answer_len; first++) {
            for (size_t part = 1; part <= rows[row].answer_len; part++) {
                run(row, first, part, &talk);
                bad += !is_right(row, &talk);
            }
        }
        if (!ok(bad == 0, "%s: at every split", rows[row].name)) {
            printf("# rc %d, kind %d, \"%s\", used %zu\n", talk.rc, talk.err.kind, talk.err.text,
                   talk.used);
            tap_bytes("sent", talk.sent, talk.sent_len);
        }
        if (rows[row].kind != ERR_NONE) {
            ok(strstr(talk.err.text, "pass word") == NULL && strstr(talk.err.text, "alice") == NULL,
               "%s: no secret in \"%s\"", rows[row].name, talk.err.text);
        }
    }
}

static void test_bounds(void)
{
    char longest[SOCKS_TEXT_MAX + 1], longer[SOCKS_TEXT_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    memset(longer, 'a', sizeof longer - 1);
    longest[sizeof longest - 1] = longer[sizeof longer - 1] = '\0';
    const struct secret most = {.data = longest, .len = SOCKS_TEXT_MAX};
    const struct secret more = {.data = longer, .len = SOCKS_TEXT_MAX + 1};
    const struct secret none = {.data = NULL, .len = 0};
    struct socks socks;
    struct err err;
    const struct socks_target good = {longest, 65535, longest, &most};
    const struct socks_target bad[] = {{longer, 995, NULL, NULL}, {"", 995, NULL, NULL},
                                       {"h", 0, NULL, NULL},      {"h", 65536, NULL, NULL},
                                       {"h", 995, longer, &most}, {"h", 995, "", &most},
                                       {"h", 995, "u", &more},    {"h", 995, "u", &none}};
    is_int(socks_begin(&socks, &good, &err), 0, "all of the greatest length");
    socks.out_len = 0;
    is_int(socks_take(&socks, (const unsigned char *)"\5\2", 2, &err), 0,
           "the proxy asks for a login");
    is_int((long long)socks.out_len, 3 + 2 * SOCKS_TEXT_MAX,
           "the login holds all 255 octets of user and password");
    socks.out_len = 0;
    is_int(socks_take(&socks, (const unsigned char *)"\1\0", 2, &err), 0,
           "the proxy's yes to the login is taken");
    is_int((long long)socks.out_len, 5 + SOCKS_TEXT_MAX + 2, "the name goes whole");
    static const unsigned char grant[] = {5, 0, 0, 3, 255};
    unsigned char rest[SOCKS_TEXT_MAX + 2] = {0};
    is_int(socks_take(&socks, grant, 4, &err), 0, "the proxy's grant is taken");
    is_int(socks_take(&socks, grant + 4, 1, &err), 0, "the length of its name is taken");
    is_int((long long)socks_wants(&socks), sizeof rest,
           "a name of 255 bytes and a port are waited for");
    is_int(socks_take(&socks, rest, sizeof rest, &err), 0, "the name is read over");
    is_int((long long)socks_wants(&socks), 0, "after that the connection is open");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is_int(socks_begin(&socks, &bad[i], &err), -1, "a target that cannot be sent is refused");
        is_int(err.kind, ERR_CONFIG, "and that is an error of the configuration file");
    }
}

/* The proxy's part, in a process of its own: `answer` a byte at a time, and what comes behind it in
 * one packet with the last of them. */
static pid_t play(int fd, int other, const char *answer, size_t len)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    close(other);
    for (size_t i = 0; i < len; i++) {
        if (i == 2)
            usleep(50000);
        size_t part = i + 7 == len ? 7 : 1; /* the server's greeting comes along */
        if (write(fd, answer + i, part) != (ssize_t)part)
            _exit(1);
        i += part - 1;
    }
    char bytes[200];
    while (read(fd, bytes, sizeof bytes) > 0) {
    }
    _exit(0);
}

static void test_line(void)
{
    static const char answer[] = "\5\0" GRANT_V4 "+OK hi";
    const struct socks_target target = {"pop.example.com", 995, NULL, NULL};
    int pair[2];
    char rest[20];
    struct err err;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        ok(false, "a socket pair can be made");
        return;
    }
    pid_t pid = play(pair[1], pair[0], answer, sizeof answer - 1);
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    is_int(proxy_open(pair[0], &target, clock_in(5000), &err), 0, "through a slow proxy");
    fcntl(pair[0], F_SETFL, 0);
    ssize_t n = recv(pair[0], rest, sizeof rest, 0);
    is_mem(rest, n > 0 ? (size_t)n : 0, "+OK hi", 6, "the server's first bytes stay on the line");
    close(pair[0]);
    waitpid(pid, NULL, 0);
}

static void test_trouble(void)
{
    const struct socks_target target = {"pop.example.com", 995, NULL, NULL};
    int pair[2];
    struct err err;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        ok(false, "a socket pair can be made");
        return;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    int64_t begun = clock_ms();
    is_int(proxy_open(pair[0], &target, clock_in(300), &err), -1, "a proxy that says nothing");
    is_int(err.kind, ERR_TIMEOUT, "a proxy that says nothing is a timeout");
    ok(clock_ms() - begun < 1500, "and it ends at the deadline");
    close(pair[1]);
    is_int(proxy_open(pair[0], &target, clock_in(3000), &err), -1, "a proxy that hangs up");
    is_int(err.kind, ERR_CLOSED, "is a connection that ended");
    close(pair[0]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    test_rows();
    test_bounds();
    test_line();
    test_trouble();
    return tap_done();
}
