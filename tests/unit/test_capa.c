/* SPDX-License-Identifier: ISC */
/* What a server said of itself, and its text. */
#include "pop3/capa.h"

#include "tap.h"

static void ask_nothing(void)
{
    struct capa capa;
    capa_init(&capa);
    ok(!capa.said.known, "before CAPA was asked nothing is known");
    is_int(capa.said.expire_days, -1, "not even that mail is deleted at once (EXPIRE 0)");
    is_int(capa.said.login_delay, -1, "nor that a login may follow at once");
    ok(capa_text(&capa).len == 0, "and there is no text");
    capa_free(&capa);
}

static void keep_text(void)
{
    struct capa first, second;
    capa_init(&first);
    capa_init(&second);
    capa_begin(&first);
    capa_learn(&first, str_from("SASL PLAIN"));
    capa_learn(&first, str_from("EXPIRE 7"));
    ok(str_is(capa_text(&first), "SASL PLAIN\nEXPIRE 7\n"), "the lines are kept as they came");
    ok(capa_read(&second, capa_text(&first)) == 0, "another session takes the text");
    ok(second.said.known && reply_capa_has(&second.said, "PLAIN"), "and knows what it says");
    is_int(second.said.expire_days, 7, "all of it");
    capa_forget(&second);
    ok(!second.said.known && capa_text(&second).len == 0, "until it is told to forget it");
    capa_free(&first);
    capa_free(&second);
}

static void cut_long(void)
{
    char line[1001];
    struct capa capa;
    capa_init(&capa);
    capa_begin(&capa);
    memset(line, 'X', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 5; i++)
        capa_learn(&capa, str_from(line));
    capa_learn(&capa, str_from("PIPELINING"));
    ok(capa_text(&capa).len == 0, "a text that is too long is not kept in part");
    ok(capa.said.pipelining, "but what it said counts");
    capa_free(&capa);
}

static void refuse_junk(void)
{
    static const char *const texts[] = {"", "PIPELINING", "PIPELINING\nTOP"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct capa capa;
        capa_init(&capa);
        ok(capa_read(&capa, str_from(texts[i])) == -1 && !capa.said.known && !capa.said.pipelining,
           "a text without a line end is none: \"%s\"", texts[i]);
        capa_free(&capa);
    }
}

int main(void)
{
    ask_nothing();
    keep_text();
    cut_long();
    refuse_junk();
    return tap_done();
}
