/*
 * near: which key a word that is not a key was probably meant to be.
 */
#ifndef FP_APP_NEAR_H
#define FP_APP_NEAR_H

#include <stdbool.h>

/* The key (at the top level also the section) that is spelt almost like the word, or for which
 * another program has that word; NULL if there is none. */
const char *near_key(const char *word, bool top);

#endif
