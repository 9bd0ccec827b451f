/* SPDX-License-Identifier: ISC */
/*
 * reply: what a server says in lines. Pure: pointer and length in, meaning out.
 */
#ifndef FP_POP3_REPLY_H
#define FP_POP3_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define REPLY_LINE_MAX 8192        /* status lines and lines of CAPA, octets without line end */
#define REPLY_UIDL_MAX 255         /* a longer UIDL counts as none */
#define REPLY_MESSAGES_MAX 4194304 /* 4 Mi messages in one listing */
#define REPLY_BLANKS_MAX 4         /* empty lines tolerated between two answers */

/* Response codes (RFC 2449 section 8, RFC 3206, and words that real servers use). */
enum reply_code {
    REPLY_CODE_NONE,
    REPLY_CODE_IN_USE,      /* [IN-USE], "locked", "in use", "busy" */
    REPLY_CODE_LOGIN_DELAY, /* [LOGIN-DELAY] */
    REPLY_CODE_SYS_TEMP,    /* [SYS/TEMP], "try again later" */
    REPLY_CODE_SYS_PERM,    /* [SYS/PERM] */
    REPLY_CODE_AUTH,        /* [AUTH] */
    REPLY_CODE_POP_OFF,     /* whatever its code: POP is switched off for this mailbox */
    REPLY_CODE_UTF8,        /* [UTF8]: the client has to ask for UTF8 first (RFC 6856) */
    REPLY_CODE_OTHER        /* some other bracketed code */
};

enum reply_kind { REPLY_OK, REPLY_ERR, REPLY_CONTINUE, REPLY_JUNK };

struct reply {
    enum reply_kind kind;
    enum reply_code code; /* of an -ERR; by code first, then by words */
    struct str text;      /* behind the token and its blanks; may be empty */
};

/* Parses one status line (without its line end). "+OK" and "-ERR" in upper case (RFC 1939
 * section 3); only the token counts, since some servers put no blank behind it. "+" followed
 * by end or blank is a continuation (RFC 5034). */
struct reply reply_parse(struct str line);

/* Finds the first line in view. 1: *line (without CRLF or LF) and *used (with it), *bare_lf true if
 * it ended in LF alone; 0: no line end yet; -1: no line end within max octets. */
int reply_line(struct str view, size_t max, struct str *line, size_t *used, bool *bare_lf);

/* True if the text of an -ERR after PASS, AUTH or APOP says that the name or the secret is wrong,
 * and does not mention trouble of the server itself. For those without a code. */
bool reply_blames_secret(struct str text);

/* True if the text mentions trouble of the server itself. */
bool reply_blames_server(struct str text);

/* True if the text asks for TLS before anything else. */
bool reply_wants_tls(struct str text);

/* "n size" of LIST and "n uidl" of UIDL. Runs of blanks separate. number in 1..count. 0, or -1 if
 * the line is not of that form. Size: digits; a fraction behind it is dropped. Uidl: everything
 * up to the end, trailing blanks cut; inner blanks stay; longer than REPLY_UIDL_MAX: empty. */
int reply_list_line(struct str line, uint32_t count, uint32_t *number, uint64_t *size);
int reply_uidl_line(struct str line, uint32_t count, uint32_t *number, struct str *uidl);

/* "nn mm" of STAT's text: messages and octets. Count over REPLY_MESSAGES_MAX: -1. */
int reply_stat(struct str text, uint32_t *count, uint64_t *octets);

/* Capabilities (RFC 2449), a set filled line by line. */
struct reply_capa {
    bool known; /* CAPA worked */
    bool user, sasl, stls, top, uidl, pipelining, resp_codes, auth_resp_code, utf8;
    int64_t expire_days;      /* -1: NEVER or not said */
    int64_t login_delay;      /* seconds, -1: not said */
    char mechanisms[512];     /* SASL names in upper case, one blank between; beyond: dropped */
    char implementation[128]; /* cleaned */
};
void reply_capa_init(struct reply_capa *capa); /* nothing known, nothing said */
void reply_capa_line(struct reply_capa *capa, struct str line);

/* True if the server listed this SASL mechanism (upper case). */
bool reply_capa_has(const struct reply_capa *capa, const char *mechanism);

/* The stamp "<...@...>" of a greeting if it looks like a msg-id (RFC 1939 section 7, RFC 5322),
 * else an empty view. */
struct str reply_stamp(struct str greeting);

#endif
