/* SPDX-License-Identifier: ISC */
#include "state/reason.h"

#include <stdio.h>

/* The words stand between the two parts of the text; without a second part they are not shown. */
static const struct {
    const char *word, *before, *after;
} rows[REASONS] = {
    [REASON_UNKNOWN] = {"unknown", "", ""},
    [REASON_TOO_LONG] = {"too-long", "it is longer than max_size", NULL},
    [REASON_SURPRISE] = {"longer-than-listed", "it is longer than max_size, whatever LIST says",
                         NULL},
    [REASON_NO_END] = {"no-end", "it has no end: far longer than LIST says", NULL},
    [REASON_REFUSED] = {"refused", "the server refuses it: \"", "\""},
    [REASON_BROKEN_LINE] = {"broken-line", "", ""},
    [REASON_OUT_OF_STEP] = {"out-of-step", "", ""},
    [REASON_NO_ROOM] = {"no-room", "the disk has too little room for it", NULL},
    [REASON_DESTINATION] = {"destination", "", ""},
    [REASON_SHORT] = {"short", "it came shorter than LIST says (", " octets)"},
    [REASON_WAITING] = {"waiting", "waiting for its turn", NULL},
    [REASON_RELEASED] = {"released", "released", NULL},
    [REASON_ASKED_AGAIN] = {"asked-again", "--all asked for it again", NULL},
    [REASON_RULE] = {"rule", "a rule leaves it on the server", NULL},
    [REASON_RULES_SAY] = {"rules-say", "the rules have it fetched now", NULL},
    [REASON_EMPTY] = {"empty", "it comes empty, though LIST says otherwise", NULL},
    [REASON_WHOLE] = {"whole", "its beginning was delivered, and the whole is asked for", NULL},
    [REASON_MISSING] = {"missing", "its file is not there", NULL},
    [REASON_ALL_EMPTY] = {"all-empty", "it comes empty or short, like everything the server sends",
                          NULL},
};

const char *reason_word(enum reason reason)
{
    return rows[reason].word;
}

enum reason reason_read(struct str word)
{
    for (int reason = 0; reason < REASONS; reason++)
        if (str_is(word, rows[reason].word))
            return (enum reason)reason;
    return REASON_UNKNOWN;
}

const char *reason_text(enum reason reason, struct str words, char *out, size_t cap)
{
    const char *after = rows[reason].after;
    snprintf(out, cap, "%s%.*s%s", rows[reason].before, after == NULL ? 0 : (int)words.len,
             words.ptr, after == NULL ? "" : after);
    return out;
}
