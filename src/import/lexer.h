/* SPDX-License-Identifier: ISC */
/*
 * lexer: words and quoted texts, as fetchmail and fdm write them. Pure.
 */
#ifndef FP_IMPORT_LEXER_H
#define FP_IMPORT_LEXER_H

#include <stdbool.h>

#include "base/str.h"

#define LEXER_WORD_MAX 4096

enum lexer_token {
    LEXER_END,
    LEXER_WORD, /* without quotes */
    LEXER_TEXT, /* it stood in quotes */
    LEXER_SIGN  /* one of `signs` */
};

/* How a program writes its file. */
struct lexer_style {
    const char *gaps;  /* what separates words beside blanks and line ends */
    const char *signs; /* what is a token of its own */
    bool raw_single;   /* in single quotes a backslash means itself */
    bool c_escapes;    /* \x41, \010 and \65 are octets; a backslash means something in words, too,
                        * and none before a line end */
    bool commands;     /* $( and %( begin a word that goes on to its ) */
};

struct lexer {
    struct str rest;
    const struct lexer_style *style;
    unsigned line; /* of the token that came last */
    enum lexer_token token;
    char text[LEXER_WORD_MAX]; /* its text, cut if longer */
};

/* Begins at the top of the text. */
void lexer_begin(struct lexer *lexer, struct str text, const struct lexer_style *style);

/* Goes on to the next token, past comments, and returns what it is. */
enum lexer_token lexer_next(struct lexer *lexer);

/* True if the token is this word without quotes, case ignored; or this sign. */
bool lexer_is(const struct lexer *lexer, const char *word);

/* Wipes what it read last. */
void lexer_end(struct lexer *lexer);

#endif
