/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 2048

bool log_wants(const struct log *log, enum log_level level)
{
    return log != NULL && log->write != NULL && level <= log->level;
}

void log_line(const struct log *log, enum log_level level, const char *fmt, ...)
{
    if (!log_wants(log, level))
        return;
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (len >= 0)
        log->write(log->ctx, level, line);
}

static size_t slot_of(const struct log *log, const struct secret *secret)
{
    size_t i = 0;
    while (i < LOG_SECRETS && log->hidden[i] != secret)
        i++;
    return i;
}

void log_hide(struct log *log, const struct secret *secret)
{
    if (slot_of(log, secret) < LOG_SECRETS)
        return;
    size_t slot = slot_of(log, NULL);
    assert(slot < LOG_SECRETS);
    log->hidden[slot] = secret;
}

void log_unhide(struct log *log, const struct secret *secret)
{
    size_t slot = slot_of(log, secret);
    if (slot < LOG_SECRETS)
        log->hidden[slot] = NULL;
}

/* How a secret may stand in a text: raw, or in base64 behind 0, 1 or 2 other bytes (mod 3). */
enum form { FORM_BASE64, FORM_BASE64_1, FORM_BASE64_2, FORM_RAW, FORMS };

/* The number of base64 digits that have bits of the bytes before the secret in them. */
static size_t shared_digits(enum form form)
{
    return ((size_t)form * 8 + 5) / 6;
}

static size_t form_len(struct str secret, enum form form)
{
    if (form == FORM_RAW)
        return secret.len;
    return (secret.len + (size_t)form) * 8 / 6 - shared_digits(form);
}

/* The i-th byte of that form, worked out on the spot: no copy of the secret is made. */
static char form_byte(struct str secret, enum form form, size_t i)
{
    if (form == FORM_RAW)
        return secret.ptr[i];
    size_t bit = (i + shared_digits(form)) * 6 - (size_t)form * 8;
    unsigned high = (unsigned char)secret.ptr[bit / 8];
    unsigned low = bit / 8 + 1 < secret.len ? (unsigned char)secret.ptr[bit / 8 + 1] : 0;
    return digest_base64_digit((high << 8 | low) >> (10 - bit % 8) & 63);
}

static bool is_base64(char c)
{
    return str_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* How many bytes at the front of text are this secret in this form; 0 if it is not there. */
static size_t match(struct str text, struct str secret, enum form form)
{
    size_t want = form_len(secret, form);
    size_t n = 0;
    while (n < want && n < text.len && text.ptr[n] == form_byte(secret, form, n))
        n++;
    if (n < want && (n < text.len || n < LOG_SECRET_PART))
        return 0;
    /* The last digit may hold bits of the secret beside others. */
    while (form != FORM_RAW && n < text.len && is_base64(text.ptr[n]))
        n++;
    return n;
}

/* The longest hidden thing at the front of text. */
static size_t hidden_at(const struct log *log, struct str text)
{
    size_t longest = 0;
    for (size_t i = 0; log != NULL && i < LOG_SECRETS; i++) {
        struct str secret = log->hidden[i] != NULL ? secret_str(log->hidden[i]) : str_of(NULL, 0);
        for (int form = 0; form < FORMS && secret.len >= LOG_SECRET_MIN; form++) {
            size_t n = match(text, secret, (enum form)form);
            longest = n > longest ? n : longest;
        }
    }
    return longest;
}

/* One character, or an octet that belongs to none, as \xb5; how much of text it is. */
static size_t spell_one(struct str text, bool utf8, char out[8], size_t *len)
{
    struct str rest = text;
    uint32_t character = utf8 || (unsigned char)text.ptr[0] < 0x80 ? utf8_take(&rest) : UTF8_NONE;
    size_t used = character == UTF8_NONE ? 1 : text.len - rest.len;
    if (character == UTF8_NONE)
        *len = (size_t)snprintf(out, 8, "\\x%02x", (unsigned char)text.ptr[0]);
    else if (character == 0 || character == '\n') /* a text ends there, or a line (app/report.c) */
        *len = (size_t)snprintf(out, 8, "\\x%02x", (unsigned)character);
    else
        memcpy(out, text.ptr, *len = used);
    return used;
}

char *log_quote(const struct log *log, struct str text, char out[LOG_QUOTE_MAX + 4])
{
    size_t at = 0;
    /* Pairs of octets of another encoding may look like characters here and there. */
    bool utf8 = utf8_is_valid(text);
    while (text.len > 0) {
        char one[8] = "***";
        size_t adds = 3, used = hidden_at(log, text);
        if (used == 0)
            used = spell_one(text, utf8, one, &adds);
        if (at + adds > LOG_QUOTE_MAX) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        memcpy(out + at, one, adds);
        at += adds;
        text = str_behind(text, used);
    }
    out[at] = '\0';
    return out;
}
