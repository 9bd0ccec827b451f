/* SPDX-License-Identifier: ISC */
#include "session/proof.h"

#include "base/random.h"

#define BITS_OF_CHOICE 5

/* One answer and what it is compared with. */
struct claim {
    const struct listing *listing;
    const struct message *message;
    enum pop3_verb verb;
    bool there;
};

void proof_retr(struct proof *proof, const struct message *message)
{
    proof->last = message->number;
    proof->unproved++;
    proof->octets =
        message->size > UINT64_MAX - proof->octets ? UINT64_MAX : proof->octets + message->size;
}

bool proof_in_series(const struct proof *proof)
{
    return proof->asked + proof->left > 0;
}

/* A question follows the last RETR. */
static void close_stretch(struct proof *proof)
{
    proof->unproved = 0;
    proof->octets = 0;
}

/* May it be asked for, and is there something to compare its answer with? */
static bool may_ask(const struct listing *listing, const struct message *message,
                    enum pop3_verb verb)
{
    return verb == POP3_UIDL_ONE
               ? listing_has_uidl(message) && !habits_has(listing->habits, HABIT_UIDL_N)
               : message->size > 0 && !habits_has(listing->habits, HABIT_LIST_N);
}

/* The question that tells most about a message; false if there is none. */
static bool choose_verb(const struct listing *listing, const struct message *message,
                        enum pop3_verb *verb)
{
    *verb = may_ask(listing, message, POP3_UIDL_ONE) ? POP3_UIDL_ONE : POP3_LIST_ONE;
    return may_ask(listing, message, *verb);
}

bool proof_ask(struct proof *proof, struct listing *listing, enum pop3_verb *verb, uint32_t *number)
{
    if (proof->unproved == 0 || proof_in_series(proof))
        return false;
    close_stretch(proof);
    *number = proof->last;
    bool possible = choose_verb(listing, listing_find(listing, *number), verb);
    proof->marks += possible;
    return possible;
}

/* Without random numbers the order is fixed: no worse than asking once. */
static uint32_t draw(struct proof *proof, unsigned bits)
{
    if (proof->chance < 1u << BITS_OF_CHOICE &&
        random_bytes(&proof->chance, sizeof proof->chance) < 0)
        proof->chance = proof->left * 2654435761u;
    uint32_t drawn = proof->chance & ((1u << bits) - 1);
    proof->chance >>= bits;
    return drawn;
}

size_t proof_choose(struct proof *proof, size_t count)
{
    return draw(proof, BITS_OF_CHOICE) % count;
}

enum pop3_verb proof_ask_by_chance(struct proof *proof, const struct listing *listing,
                                   const struct message *message)
{
    enum pop3_verb verb;
    bool both =
        may_ask(listing, message, POP3_UIDL_ONE) && may_ask(listing, message, POP3_LIST_ONE);
    if (!choose_verb(listing, message, &verb) || (both && draw(proof, 1) == 1))
        verb = POP3_LIST_ONE;
    close_stretch(proof);
    proof->left--;
    proof->asked++;
    return verb;
}

enum form { RIGHT, WRONG, NO_FORM };

static enum form judge_uidl(const struct claim *claim, struct str text)
{
    struct str uidl = listing_uidl(claim->listing, claim->message), told;
    uint32_t number;
    if (str_equal(text, uidl))
        return RIGHT;
    if (reply_uidl_line(text, REPLY_MESSAGES_MAX, &number, &told) < 0)
        return NO_FORM;
    return number == claim->message->number && str_equal(told, uidl) ? RIGHT : WRONG;
}

/* The number alone tells: sizes are estimates with some servers, another one each time. */
static enum form judge_size(const struct claim *claim, struct str text)
{
    uint64_t size;
    uint32_t number;
    if (str_number(text, UINT64_MAX, &size) == 0 && size == claim->message->size)
        return RIGHT;
    if (reply_list_line(text, REPLY_MESSAGES_MAX, &number, &size) < 0)
        return NO_FORM;
    return number == claim->message->number ? RIGHT : WRONG;
}

static enum form judge(const struct claim *claim, struct str text)
{
    text = str_trim(text);
    return claim->verb == POP3_UIDL_ONE ? judge_uidl(claim, text) : judge_size(claim, text);
}

static int look_at_line(void *ctx, struct str line, struct err *err)
{
    struct claim *claim = ctx;
    (void)err;
    claim->there = claim->there || judge(claim, line) == RIGHT;
    return 0;
}

static int judge_all(struct claim *claim, struct pop3 *pop3, const struct pop3_answer *answer,
                     enum form *form, struct err *err)
{
    struct pop3_taker taker = {.line = look_at_line, .ctx = claim};
    *form = answer->reply.kind == REPLY_OK ? judge(claim, answer->reply.text) : NO_FORM;
    if (*form == RIGHT || answer->reply.kind != REPLY_OK || !pop3_goes_on(pop3))
        return 0;
    if (pop3_take_list(pop3, &taker, err) < 0)
        return -1;
    *form = claim->there ? RIGHT : WRONG;
    return 0;
}

static int out_of_step(struct err *err)
{
    return err_set(err, ERR_FRAMING,
                   "the server's answers do not match the commands; tell its administrator");
}

static void begin_series(struct proof *proof)
{
    proof->left = PROOF_SERIES;
    for (int kind = 0; kind < 2; kind++)
        proof->right[kind] = proof->none[kind] = 0;
}

/* Judged by itself: a question about a message that was refused may be refused as well, while
 * others are answered. Where there is reason for doubt one question is not enough. */
static int check_mark(struct proof *proof, enum form form, size_t count, struct err *err)
{
    proof->marks--;
    if (form == WRONG)
        return out_of_step(err);
    if (proof_in_series(proof)) /* which proves these as well */
        return 0;
    if (count > 0 && (proof->doubtful || form == NO_FORM)) {
        begin_series(proof);
        return 0;
    }
    proof->doubtful = false;
    return 1;
}

/* A server that can answer a question does so each time. */
static int check_series(struct proof *proof, enum form form, int kind, struct err *err)
{
    proof->asked--;
    proof->right[kind] += form == RIGHT;
    proof->none[kind] += form == NO_FORM;
    if (form == WRONG || (proof->right[kind] > 0 && proof->none[kind] > 0))
        return out_of_step(err);
    if (proof_in_series(proof))
        return 0;
    proof->doubtful = false;
    return 1;
}

int proof_check(struct proof *proof, struct pop3 *pop3, struct listing *listing,
                const struct pop3_answer *answer, size_t count, struct err *err)
{
    struct claim claim = {
        .listing = listing, .message = listing_find(listing, answer->number), .verb = answer->verb};
    enum form form;
    if (judge_all(&claim, pop3, answer, &form, err) < 0)
        return -1;
    /* Answers come in order, and no mark leaves before a series has ended. */
    return proof->marks > 0 ? check_mark(proof, form, count, err)
                            : check_series(proof, form, answer->verb == POP3_LIST_ONE, err);
}
