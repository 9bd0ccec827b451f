/* SPDX-License-Identifier: ISC */
/*
 * near: which key a word that is not a key was probably meant to be.
 */
#ifndef FP_APP_NEAR_H
#define FP_APP_NEAR_H

#include "app/keys.h"

/* The key or section of this scope that is spelt almost like the word, or for which another program
 * has that word; NULL if there is none. */
const char *near_key(const char *word, enum key_scope scope);

#endif
