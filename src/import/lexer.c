/* SPDX-License-Identifier: ISC */
#include "import/lexer.h"

#include "base/secret.h"

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static char take(struct lexer *lexer)
{
    char c = lexer->rest.ptr[0];
    lexer->rest = str_behind(lexer->rest, 1);
    lexer->line += c == '\n';
    return c;
}

static void put(struct lexer *lexer, size_t *len, char c)
{
    if (*len < sizeof lexer->text - 1)
        lexer->text[(*len)++] = c;
    lexer->text[*len] = '\0';
}

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

void lexer_begin(struct lexer *lexer, struct str text, const char *gaps, const char *signs)
{
    *lexer = (struct lexer){.rest = text, .gaps = gaps, .signs = signs, .line = 1};
}

static void skip(struct lexer *lexer)
{
    while (lexer->rest.len > 0) {
        char c = lexer->rest.ptr[0];
        if (c == '#')
            while (lexer->rest.len > 0 && lexer->rest.ptr[0] != '\n')
                take(lexer);
        else if (is_one_of(c, " \t\r\n") || is_one_of(c, lexer->gaps))
            take(lexer);
        else
            return;
    }
}

static enum lexer_token take_text(struct lexer *lexer)
{
    size_t len = 0;
    char quote = take(lexer);
    bool raw = quote == '\'' && lexer->raw_single;
    while (lexer->rest.len > 0) {
        char c = take(lexer);
        if (c == quote)
            break;
        if (c == '\\' && !raw && lexer->rest.len > 0)
            c = unescape(take(lexer));
        put(lexer, &len, c);
    }
    return LEXER_TEXT;
}

static enum lexer_token take_word(struct lexer *lexer)
{
    size_t len = 0;
    while (lexer->rest.len > 0) {
        char c = lexer->rest.ptr[0];
        if (is_one_of(c, " \t\r\n") || is_one_of(c, lexer->gaps) || is_one_of(c, lexer->signs))
            break;
        put(lexer, &len, take(lexer));
    }
    return LEXER_WORD;
}

enum lexer_token lexer_next(struct lexer *lexer)
{
    size_t len = 0;
    skip(lexer);
    lexer->text[0] = '\0';
    if (lexer->rest.len == 0) {
        lexer->token = LEXER_END;
    } else if (is_one_of(lexer->rest.ptr[0], "\"'")) {
        lexer->token = take_text(lexer);
    } else if (is_one_of(lexer->rest.ptr[0], lexer->signs)) {
        put(lexer, &len, take(lexer));
        lexer->token = LEXER_SIGN;
    } else {
        lexer->token = take_word(lexer);
    }
    return lexer->token;
}

bool lexer_is(const struct lexer *lexer, const char *word)
{
    return (lexer->token == LEXER_WORD || lexer->token == LEXER_SIGN) &&
           str_is_nocase(str_from(lexer->text), word);
}

void lexer_end(struct lexer *lexer)
{
    secret_wipe_bytes(lexer->text, sizeof lexer->text);
}
