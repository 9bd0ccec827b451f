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

/* An octet as fetchmail has it: \xHH, \0OO or \DDD, of which the first character was taken. */
static char take_number(struct lexer *lexer, char first)
{
    int base = first == '0' ? 8 : 10, value = first - '0', most = 2;
    if (first == 'x' || first == 'X')
        base = 16, value = 0;
    for (; most > 0 && lexer->rest.len > 0; most--) {
        int digit = str_hex_digit(lexer->rest.ptr[0]);
        if (digit < 0 || digit >= base)
            break;
        value = value * base + digit;
        take(lexer);
    }
    return (char)value;
}

/* What a backslash, which was taken, and what follows it mean. */
static void take_escape(struct lexer *lexer, size_t *len)
{
    static const char names[] = "ntr", octets[] = "\n\t\r";
    bool c_escapes = lexer->style->c_escapes;
    char c = take(lexer);
    const char *named = c != '\0' ? strchr(names, c) : NULL;
    if (c_escapes && is_one_of(c, "0123456789xX"))
        c = take_number(lexer, c);
    else if (named != NULL)
        c = octets[named - names];
    else if (c_escapes && c == 'b')
        c = '\b';
    else if (c_escapes && c == '\n')
        return;
    if (c != '\0') /* no text of ours can have one */
        put(lexer, len, c);
}

void lexer_begin(struct lexer *lexer, struct str text, const struct lexer_style *style)
{
    *lexer = (struct lexer){.rest = text, .style = style, .line = 1};
}

/* A backslash that ends its line. */
static bool is_joint(const struct lexer *lexer)
{
    return lexer->style->c_escapes &&
           (str_has_prefix(lexer->rest, "\\\n") || str_has_prefix(lexer->rest, "\\\r\n"));
}

static void skip(struct lexer *lexer)
{
    while (lexer->rest.len > 0) {
        char c = lexer->rest.ptr[0];
        if (c == '#')
            while (lexer->rest.len > 0 && lexer->rest.ptr[0] != '\n')
                take(lexer);
        else if (is_one_of(c, " \t\r\n") || is_one_of(c, lexer->style->gaps) || is_joint(lexer))
            take(lexer);
        else
            return;
    }
}

static enum lexer_token take_text(struct lexer *lexer)
{
    size_t len = 0;
    char quote = take(lexer);
    bool raw = quote == '\'' && lexer->style->raw_single;
    while (lexer->rest.len > 0) {
        char c = take(lexer);
        if (c == quote)
            break;
        if (c == '\\' && !raw && lexer->rest.len > 0)
            take_escape(lexer, &len);
        else
            put(lexer, &len, c);
    }
    return LEXER_TEXT;
}

static enum lexer_token take_word(struct lexer *lexer)
{
    size_t len = 0;
    while (lexer->rest.len > 0) {
        char c = lexer->rest.ptr[0];
        if (is_one_of(c, " \t\r\n") || is_one_of(c, lexer->style->gaps) ||
            is_one_of(c, lexer->style->signs) || is_joint(lexer))
            break;
        take(lexer);
        if (c == '\\' && lexer->style->c_escapes && lexer->rest.len > 0)
            take_escape(lexer, &len);
        else
            put(lexer, &len, c);
    }
    return LEXER_WORD;
}

/* Quotes may have a ) in them. */
static enum lexer_token take_command(struct lexer *lexer)
{
    size_t len = 0;
    unsigned depth = 0;
    char quote = '\0';
    while (lexer->rest.len > 0) {
        char c = take(lexer);
        put(lexer, &len, c);
        if (quote != '\0' || is_one_of(c, "\"'"))
            quote = quote == '\0' ? c : c == quote ? '\0' : quote;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            break;
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
    } else if (lexer->style->commands &&
               (str_has_prefix(lexer->rest, "$(") || str_has_prefix(lexer->rest, "%("))) {
        lexer->token = take_command(lexer);
    } else if (is_one_of(lexer->rest.ptr[0], lexer->style->signs)) {
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
