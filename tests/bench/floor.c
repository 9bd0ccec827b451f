/* SPDX-License-Identifier: ISC */
/*
 * floor: the wire floor of the bench, a POP3 client that does nothing a client could leave out.
 *
 *   floor -p PORT -u USER -w PASSWORD -c CAFILE [-h ADDRESS] [-n N] [-j N] fetch|list|top|delete
 *
 * TLS from the first byte with the server's certificate verified, AUTH PLAIN with its initial
 * response. Then, for `list`: UIDL and LIST in one write. For `fetch`: the same, and RETR of
 * everything through a window of 1,000 that is filled up whenever a quarter of it has been answered;
 * for `top` TOP n 0 in the place of RETR. For all three QUIT, whose answer nobody waits for. For `delete`: STAT, and through the same window RETR
 * and DELE of everything in turn, QUIT in the write of the last; the server's end is waited for.
 * Reads are 64 KB. Of the bytes only the ends of answers are looked for; everything is thrown away.
 *
 * -n: so many sessions as USER0, USER1, ..., each in a process of its own, -j of them at once. Each
 * prints a line: answers to RETR, octets of all answers, seconds, MB a second. Exit status 0 if all
 * went well.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define WINDOW 1000
#define COMMANDS 32 /* octets of a RETR and a DELE at most */
#define READ_SIZE (64 * 1024)
#define CARRY 4 /* octets kept from one read to the next: "CRLF.CR" */

struct floor {
    const char *address, *user, *password, *ca_file;
    int port, sessions, at_once;
    enum { LIST, FETCH, TOP, DELETE } what;
};

struct line {
    SSL *ssl;
    uint64_t octets;
    bool at_answer; /* the next octet is the first of an answer */
    char carry[CARRY];
    char bytes[CARRY + READ_SIZE];
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    ERR_print_errors_fp(stderr);
    _exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int dial(const struct floor *f)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || inet_pton(AF_INET, f->address, &to.sin_addr) != 1)
        die("address");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connection refused");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static SSL *secure(const struct floor *f, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    if (!context || SSL_CTX_load_verify_locations(context, f->ca_file, NULL) != 1)
        die("CA file");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_SIZE);
    ssl = SSL_new(context);
    if (!ssl || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), f->address) != 1 ||
        SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        die("TLS");
    return ssl;
}

static void put(struct line *line, const char *text, size_t len)
{
    if (SSL_write(line->ssl, text, (int)len) != (int)len)
        die("write");
}

/* One answer of one line. */
static void expect_ok(struct line *line)
{
    size_t have = 0;

    while (have == 0 || line->bytes[have - 1] != '\n') {
        int got = SSL_read(line->ssl, line->bytes + have, (int)(READ_SIZE - have));
        if (got <= 0)
            die("the server closed the connection");
        have += (size_t)got;
    }
    if (memcmp(line->bytes, "+OK", 3) != 0)
        die(line->bytes);
}

static void log_in(const struct floor *f, struct line *line, const char *user)
{
    unsigned char plain[512], coded[1024];
    char command[1100];
    int len = snprintf((char *)plain, sizeof plain, "%c%s%c%s", 0, user, 0, f->password);

    EVP_EncodeBlock(coded, plain, len);
    len = snprintf(command, sizeof command, "AUTH PLAIN %s\r\n", (char *)coded);
    expect_ok(line); /* the greeting */
    put(line, command, (size_t)len);
    expect_ok(line);
}

/* Looks through what came for ends of answers that are a line with a dot and nothing else. */
static unsigned count_ends(struct line *line, size_t got)
{
    const char *from = line->bytes, *end = line->bytes + CARRY + got, *dot;
    unsigned ends = 0;

    if (line->at_answer && line->bytes[CARRY] != '+')
        die("a command was refused");
    line->at_answer = false;
    for (from += 2; (dot = memchr(from, '.', (size_t)(end - from))) != NULL; from = dot + 1) {
        if (end - dot < 3)
            break;
        if (memcmp(dot - 2, "\r\n.\r\n", 5) != 0)
            continue;
        ends++;
        line->at_answer = dot + 3 == end;
        if (!line->at_answer && dot[3] != '+')
            die("a command was refused");
    }
    return ends;
}

/* Waits for octets; how many answers ended in them. */
static unsigned take(struct line *line)
{
    int got;
    unsigned ends;

    memcpy(line->bytes, line->carry, CARRY);
    got = SSL_read(line->ssl, line->bytes + CARRY, READ_SIZE);
    if (got <= 0)
        die("the server closed the connection");
    line->octets += (uint64_t)got;
    ends = count_ends(line, (size_t)got);
    memcpy(line->carry, line->bytes + got, CARRY);
    if (ends > 0 && line->at_answer)
        memset(line->carry, 0, CARRY);
    return ends;
}

/* The number of messages: the last line of LIST, of which take() leaves the last octets. */
static unsigned list(struct line *line)
{
    static const char commands[] = "UIDL\r\nLIST\r\n";
    static char tail[256];
    unsigned ends = 0;
    size_t have = 0;
    const char *row;

    memset(line->carry, 0, CARRY);
    line->at_answer = true;
    put(line, commands, sizeof commands - 1);
    while (ends < 2) {
        uint64_t before = line->octets;
        ends += take(line);
        size_t got = (size_t)(line->octets - before), keep = got < 128 ? got : 128;
        if (have + keep >= sizeof tail) {
            memmove(tail, tail + have - 120, 120);
            have = 120;
        }
        memcpy(tail + have, line->bytes + CARRY + got - keep, keep);
        have += keep;
    }
    /* ... CRLF number size CRLF . CRLF */
    if (have < 8)
        die("an odd listing");
    tail[have - 5] = '\0';
    row = strrchr(tail, '\n');
    return row ? (unsigned)strtoul(row + 1, NULL, 10) : 0;
}

/* The same by STAT, in one line: for who needs neither UIDLs nor sizes. */
static unsigned count_messages(struct line *line)
{
    put(line, "STAT\r\n", 6);
    expect_ok(line);
    memset(line->carry, 0, CARRY);
    line->at_answer = true;
    return (unsigned)strtoul(line->bytes + 3, NULL, 10);
}

static void ask(struct line *line, int what, unsigned from, unsigned to, unsigned count)
{
    static char commands[WINDOW * COMMANDS + sizeof "QUIT\r\n"];
    size_t len = 0;

    for (unsigned i = from + 1; i <= to; i++) {
        len += (size_t)snprintf(commands + len, sizeof commands - len,
                                what == TOP ? "TOP %u 0\r\n" : "RETR %u\r\n", i);
        if (what == DELETE)
            len += (size_t)snprintf(commands + len, sizeof commands - len, "DELE %u\r\n", i);
    }
    if (what == DELETE && to == count)
        len += (size_t)snprintf(commands + len, sizeof commands - len, "QUIT\r\n");
    put(line, commands, len);
}

static void fetch(struct line *line, unsigned count, int what)
{
    unsigned sent = 0, done = 0;

    while (done < count) {
        if (sent < count && sent - done <= WINDOW - WINDOW / 4) {
            unsigned to = count - done < WINDOW ? count : done + WINDOW;
            ask(line, what, sent, to, count);
            sent = to;
        }
        done += take(line);
    }
}

/* The answers to the last DELE and to QUIT; then the server ends it. */
static void await_end(struct line *line)
{
    int got;

    while ((got = SSL_read(line->ssl, line->bytes, READ_SIZE)) > 0)
        line->octets += (uint64_t)got;
}

static void run_session(const struct floor *f, const char *user)
{
    static struct line line;
    double begin = seconds();
    int fd = dial(f);
    unsigned count;

    line.ssl = secure(f, fd);
    log_in(f, &line, user);
    count = f->what == DELETE ? count_messages(&line) : list(&line);
    if (f->what != LIST)
        fetch(&line, count, (int)f->what);
    if (f->what == DELETE && count > 0) {
        await_end(&line);
    } else {
        put(&line, "QUIT\r\n", 6);
        SSL_shutdown(line.ssl);
    }
    close(fd);
    double took = seconds() - begin;
    printf("%u %llu %.6f %.1f\n", count, (unsigned long long)line.octets, took,
           (double)line.octets / took / 1e6);
    fflush(stdout);
}

static int reap(void)
{
    int status;
    if (wait(&status) < 0)
        die("wait");
    return status == 0 ? 0 : 1;
}

static int run_many(const struct floor *f)
{
    int running = 0, failed = 0;

    for (int i = 0; i < f->sessions; i++) {
        char user[256];
        snprintf(user, sizeof user, "%s%d", f->user, i);
        if (running == f->at_once) {
            failed += reap();
            running--;
        }
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            run_session(f, user);
            _exit(0);
        }
        running++;
    }
    for (; running > 0; running--)
        failed += reap();
    return failed > 0;
}

int main(int argc, char **argv)
{
    struct floor f = {.address = "127.0.0.1", .password = "", .at_once = 16};
    int option;

    while ((option = getopt(argc, argv, "h:p:u:w:c:n:j:")) != -1) {
        switch (option) {
        case 'h':
            f.address = optarg;
            break;
        case 'p':
            f.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'u':
            f.user = optarg;
            break;
        case 'w':
            f.password = optarg;
            break;
        case 'c':
            f.ca_file = optarg;
            break;
        case 'n':
            f.sessions = (int)strtol(optarg, NULL, 10);
            break;
        case 'j':
            f.at_once = (int)strtol(optarg, NULL, 10);
            break;
        default:
            return 64;
        }
    }
    if (optind + 1 != argc || !f.user || !f.ca_file || f.port == 0 || f.at_once < 1)
        return 64;
    f.what = strcmp(argv[optind], "fetch") == 0    ? FETCH
             : strcmp(argv[optind], "delete") == 0 ? DELETE
             : strcmp(argv[optind], "top") == 0    ? TOP
                                                   : LIST;
    if (f.sessions > 0)
        return run_many(&f);
    run_session(&f, f.user);
    return 0;
}
