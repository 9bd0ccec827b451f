/* SPDX-License-Identifier: ISC */
/*
 * lister: the bench's POP3 server for mailboxes that a real one would be slow to list.
 *
 *   lister ADDRESS PORT CERTIFICATE KEY COUNT...
 *
 * TLS from the first byte, one process a connection. The user's name says how many
 * messages there are (any letters, then one of the COUNTs); any password will do. Listings are made
 * once, before the first connection. Each message is 3 short lines that name its number. DELE is
 * refused. Says "ready" on standard output, and ends with its parent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define MAILBOXES 16
#define LINE 512

static const char message[] = "Subject: message %u\r\n"
                              "Message-ID: <%u@lister.invalid>\r\n"
                              "\r\n"
                              "This is message %u.\r\n";

struct text {
    char *bytes;
    size_t len;
};

struct mailbox {
    unsigned count;
    struct text uidl, list;
};

static struct mailbox mailboxes[MAILBOXES];
static int mailbox_count;

struct session {
    SSL *ssl;
    const struct mailbox *mailbox;
    char in[4096];
    size_t in_len;
    char out[32768]; /* small answers wait here until there are no more commands */
    size_t out_len;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "lister: ");
    perror(what);
    exit(1);
}

static int message_size(unsigned number)
{
    return snprintf(NULL, 0, message, number, number, number);
}

static void make_mailbox(struct mailbox *mailbox, unsigned count)
{
    size_t cap = (size_t)count * 32 + 64;
    struct text *uidl = &mailbox->uidl, *list = &mailbox->list;

    mailbox->count = count;
    uidl->bytes = malloc(cap);
    list->bytes = malloc(cap);
    if (!uidl->bytes || !list->bytes)
        die("memory");
    uidl->len = (size_t)sprintf(uidl->bytes, "+OK\r\n");
    list->len = (size_t)sprintf(list->bytes, "+OK\r\n");
    for (unsigned i = 1; i <= count; i++) {
        uidl->len += (size_t)sprintf(uidl->bytes + uidl->len, "%u %08x%08x\r\n", i, i, 0x655d2f01);
        list->len += (size_t)sprintf(list->bytes + list->len, "%u %d\r\n", i, message_size(i));
    }
    memcpy(uidl->bytes + uidl->len, ".\r\n", 3);
    memcpy(list->bytes + list->len, ".\r\n", 3);
    uidl->len += 3;
    list->len += 3;
}

/* --- one session ----------------------------------------------------------------------------- */

static void put(struct session *s, const char *bytes, size_t len)
{
    while (len > 0) {
        int n = SSL_write(s->ssl, bytes, len > 16384 ? 16384 : (int)len);
        if (n <= 0)
            _exit(0);
        bytes += n;
        len -= (size_t)n;
    }
}

static void flush(struct session *s)
{
    put(s, s->out, s->out_len);
    s->out_len = 0;
}

static void say(struct session *s, const char *text)
{
    size_t len = strlen(text);
    if (s->out_len + len > sizeof s->out)
        flush(s);
    memcpy(s->out + s->out_len, text, len);
    s->out_len += len;
}

static void give(struct session *s, const struct text *text)
{
    flush(s);
    put(s, text->bytes, text->len);
}

static void log_in(struct session *s, const char *name)
{
    unsigned count = (unsigned)strtoul(name + strcspn(name, "0123456789"), NULL, 10);
    for (int i = 0; i < mailbox_count; i++)
        if (mailboxes[i].count == count)
            s->mailbox = &mailboxes[i];
}

/* AUTH PLAIN with its initial response: NUL name NUL password. */
static void auth_plain(struct session *s, const char *coded)
{
    unsigned char plain[LINE + 1] = "";
    int len = EVP_DecodeBlock(plain, (const unsigned char *)coded, (int)strlen(coded));
    if (len > 1)
        log_in(s, (const char *)plain + 1);
    say(s, s->mailbox ? "+OK\r\n" : "-ERR [AUTH] no such mailbox\r\n");
}

static void retr(struct session *s, unsigned number, bool head)
{
    char text[LINE];
    if (number < 1 || number > s->mailbox->count) {
        say(s, "-ERR no such message\r\n");
        return;
    }
    say(s, "+OK\r\n");
    snprintf(text, sizeof text, message, number, number, number);
    if (head)
        strstr(text, "\r\n\r\n")[4] = '\0';
    say(s, text);
    say(s, ".\r\n");
}

static void stat_or_list(struct session *s, const char *verb, const char *argument)
{
    char text[LINE];
    unsigned number = (unsigned)strtoul(argument, NULL, 10);
    if (*argument == '\0' && strcasecmp(verb, "UIDL") == 0) {
        give(s, &s->mailbox->uidl);
    } else if (*argument == '\0' && strcasecmp(verb, "LIST") == 0) {
        give(s, &s->mailbox->list);
    } else {
        if (strcasecmp(verb, "STAT") == 0)
            snprintf(text, sizeof text, "+OK %u %u\r\n", s->mailbox->count,
                     s->mailbox->count * 100);
        else if (strcasecmp(verb, "UIDL") == 0)
            snprintf(text, sizeof text, "+OK %u %08x%08x\r\n", number, number, 0x655d2f01);
        else
            snprintf(text, sizeof text, "+OK %u %d\r\n", number, message_size(number));
        say(s, text);
    }
}

static void transact(struct session *s, const char *verb, const char *argument)
{
    if (!s->mailbox)
        say(s, "-ERR log in first\r\n");
    else if (strcasecmp(verb, "RETR") == 0 || strcasecmp(verb, "TOP") == 0)
        retr(s, (unsigned)strtoul(argument, NULL, 10), strcasecmp(verb, "TOP") == 0);
    else if (strcasecmp(verb, "UIDL") == 0 || strcasecmp(verb, "LIST") == 0 ||
             strcasecmp(verb, "STAT") == 0)
        stat_or_list(s, verb, argument);
    else
        say(s, strcasecmp(verb, "NOOP") == 0 ? "+OK\r\n" : "-ERR unknown\r\n");
}

static void command(struct session *s, char *line)
{
    char *argument = line + strcspn(line, " ");
    if (*argument)
        *argument++ = '\0';
    if (strcasecmp(line, "CAPA") == 0) {
        say(s, "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n"
               "USER\r\nSASL PLAIN\r\n.\r\n");
    } else if (strncasecmp(argument, "PLAIN ", 6) == 0) {
        auth_plain(s, argument + 6);
    } else if (strcasecmp(line, "USER") == 0) {
        log_in(s, argument);
        say(s, "+OK\r\n");
    } else if (strcasecmp(line, "PASS") == 0) {
        say(s, s->mailbox ? "+OK\r\n" : "-ERR [AUTH] no such mailbox\r\n");
    } else if (strcasecmp(line, "QUIT") == 0) {
        say(s, "+OK\r\n");
        flush(s);
        SSL_shutdown(s->ssl);
        _exit(0);
    } else {
        transact(s, line, argument);
    }
}

static void serve(SSL_CTX *context, int fd)
{
    static struct session s;
    int one = 1, got;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    s.ssl = SSL_new(context);
    if (!s.ssl || SSL_set_fd(s.ssl, fd) != 1 || SSL_accept(s.ssl) != 1)
        _exit(0);
    say(&s, "+OK ready\r\n");
    for (;;) {
        char *end;
        flush(&s);
        got = SSL_read(s.ssl, s.in + s.in_len, (int)(sizeof s.in - s.in_len));
        if (got <= 0)
            _exit(0);
        s.in_len += (size_t)got;
        char *from = s.in;
        while ((end = memchr(from, '\n', s.in_len - (size_t)(from - s.in))) != NULL) {
            end[end > from && end[-1] == '\r' ? -1 : 0] = '\0';
            command(&s, from);
            from = end + 1;
        }
        s.in_len -= (size_t)(from - s.in);
        memmove(s.in, from, s.in_len);
        if (s.in_len == sizeof s.in)
            _exit(0);
    }
}

/* --- the server ------------------------------------------------------------------------------ */

static SSL_CTX *make_context(const char *certificate, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        die("certificate");
    return context;
}

static int listen_at(const char *address, int port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (inet_pton(AF_INET, address, &own.sin_addr) != 1)
        die("address");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || listen(fd, 512) < 0)
        die("port");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 5 + MAILBOXES)
        return 64;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *context = make_context(argv[3], argv[4]);
    int listener = listen_at(argv[1], (int)strtol(argv[2], NULL, 10));
    for (int i = 5; i < argc; i++)
        make_mailbox(&mailboxes[mailbox_count++], (unsigned)strtoul(argv[i], NULL, 10));
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            close(listener);
            serve(context, fd);
        }
        close(fd);
    }
}
