#include "session/proof.h"

struct proof {
    const struct listing *listing;
    const struct message *message;
    enum pop3_verb verb;
    bool there;
};

bool proof_ask(const struct message *message, enum pop3_verb *verb)
{
    *verb = message->uidl_len > 0 ? POP3_UIDL_ONE : POP3_LIST_ONE;
    return message->uidl_len > 0 || message->size > 0;
}

enum form { RIGHT, WRONG, NO_FORM };

static enum form judge_uidl(const struct proof *proof, struct str text)
{
    struct str uidl = listing_uidl(proof->listing, proof->message), told;
    uint32_t number;
    if (str_equal(text, uidl))
        return RIGHT;
    if (reply_uidl_line(text, REPLY_MESSAGES_MAX, &number, &told) < 0)
        return NO_FORM;
    return number == proof->message->number && str_equal(told, uidl) ? RIGHT : WRONG;
}

static enum form judge_size(const struct proof *proof, struct str text)
{
    uint64_t size;
    uint32_t number;
    if (str_number(text, UINT64_MAX, &size) == 0 && size == proof->message->size)
        return RIGHT;
    if (reply_list_line(text, REPLY_MESSAGES_MAX, &number, &size) < 0)
        return NO_FORM;
    return number == proof->message->number && size == proof->message->size ? RIGHT : WRONG;
}

static enum form judge(const struct proof *proof, struct str text)
{
    text = str_trim(text);
    return proof->verb == POP3_UIDL_ONE ? judge_uidl(proof, text) : judge_size(proof, text);
}

static int look_at_line(void *ctx, struct str line, struct err *err)
{
    struct proof *proof = ctx;
    (void)err;
    proof->there = proof->there || judge(proof, line) == RIGHT;
    return 0;
}

int proof_check(struct pop3 *pop3, const struct listing *listing, const struct message *message,
                const struct pop3_answer *answer, struct err *err)
{
    struct proof proof = {.listing = listing, .message = message, .verb = answer->verb};
    struct pop3_taker taker = {.line = look_at_line, .ctx = &proof};
    if (answer->reply.kind != REPLY_OK)
        return 0;
    enum form form = judge(&proof, answer->reply.text);
    if (form == RIGHT)
        return 0;
    if (pop3_goes_on(pop3)) {
        if (pop3_take_list(pop3, &taker, err) < 0)
            return -1;
        form = proof.there ? RIGHT : WRONG;
    }
    if (form != WRONG)
        return 0;
    return err_set(err, ERR_FRAMING,
                   "the server's answers do not belong to what was asked; ask who runs it");
}
