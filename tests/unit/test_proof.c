/* SPDX-License-Identifier: ISC */
/*
 * proof: which answers prove what came before them, and which end the connection.
 */
#include "session/proof.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/habits.h"

#include "kit_journal.h"

static const char LISTS[] = "+OK 3 303\r\n"
                            "+OK\r\n1 ua\r\n2 ub\r\n3 uc\r\n.\r\n"
                            "+OK\r\n1 100\r\n2 101\r\n3 102\r\n.\r\n";

/* Three messages that a server has listed, which says nothing more unless it is told to. */
struct scene {
    struct journal *journal;
    struct pop3 *pop3;
    struct habits habits;
    struct listing listing;
    struct proof proof;
    int server;
    struct err err;
};

/* The server answers once it has been asked for all three. */
static void answer(int server, const char *lists)
{
    char asked[64] = "";
    for (size_t len = 0; len < sizeof asked && strstr(asked, "LIST\r\n") == NULL;) {
        ssize_t n = read(server, asked + len, sizeof asked - 1 - len);
        if (n <= 0)
            _exit(1);
        len += (size_t)n;
        asked[len] = '\0';
    }
    _exit(write(server, lists, strlen(lists)) < 0);
}

static void set_up(struct scene *scene, const char *lists)
{
    int ends[2];
    *scene = (struct scene){.server = -1};
    scene->journal = open_journal();
    if (scene->journal == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        answer(ends[1], lists);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* as conn wants it */
    scene->server = ends[1];
    scene->pop3 = pop3_new(conn_new(ends[0], "test", 1000, CLOCK_NEVER), NULL);
    pop3_set_window(scene->pop3, 8);
    listing_init(&scene->listing, scene->journal, &scene->habits);
    ok(listing_fetch(&scene->listing, scene->pop3, false, &scene->err) == 0,
       "the messages are listed: %s", scene->err.text);
    waitpid(pid, NULL, 0);
}

static void tear_down(struct scene *scene)
{
    listing_free(&scene->listing);
    pop3_free(scene->pop3);
    close(scene->server);
    journal_close(scene->journal);
    unlink(path);
}

static int hear(struct scene *scene, enum pop3_verb verb, uint32_t number, const char *text)
{
    bool refused = strncmp(text, "-ERR", 4) == 0;
    struct pop3_answer answer = {
        .verb = verb,
        .number = number,
        .reply = {.kind = refused ? REPLY_ERR : REPLY_OK, .text = str_from(refused ? "" : text)}};
    err_clear(&scene->err);
    return proof_check(&scene->proof, scene->pop3, &scene->listing, &answer, 2, &scene->err);
}

static void ask(struct scene *scene, uint32_t number)
{
    enum pop3_verb verb;
    uint32_t asked;
    proof_retr(&scene->proof, listing_find(&scene->listing, number));
    proof_ask(&scene->proof, &scene->listing, &verb, &asked);
}

static void test_mark(void)
{
    struct scene scene;
    enum pop3_verb verb;
    uint32_t number;
    set_up(&scene, LISTS);
    ok(!proof_ask(&scene.proof, &scene.listing, &verb, &number), "no RETR, no question");
    proof_retr(&scene.proof, listing_find(&scene.listing, 1));
    proof_retr(&scene.proof, listing_find(&scene.listing, 2));
    ok(proof_ask(&scene.proof, &scene.listing, &verb, &number) && verb == POP3_UIDL_ONE &&
           number == 2,
       "the question is UIDL of the last RETR");
    ok(!proof_ask(&scene.proof, &scene.listing, &verb, &number), "it is asked once");
    is_int(hear(&scene, POP3_UIDL_ONE, 2, "2 ub"), 1, "the right answer proves the batch");
    tear_down(&scene);
}

static void test_answers(void)
{
    static const struct {
        const char *text;
        int result;
        const char *name;
    } rows[] = {
        {"2 ub", 1, "number and UIDL"},
        {"ub", 1, "the UIDL without its number (Twisted)"},
        {"2 ua", -1, "the UIDL of another message is out of step"},
        {"1 ub", -1, "so is another number"},
        {"120 octets", -1, "and the answer to a RETR"},
        {"message follows", 0, "an answer of no known form asks for a series"},
        {"-ERR", 0, "and so does a refusal"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        set_up(&scene, LISTS);
        ask(&scene, 2);
        is_int(hear(&scene, POP3_UIDL_ONE, 2, rows[i].text), rows[i].result, rows[i].name);
        ok(rows[i].result >= 0 || scene.err.kind == ERR_FRAMING,
           "what is out of step is a framing error: %s", rows[i].name);
        ok(proof_in_series(&scene.proof) == (rows[i].result == 0),
           "a series only where there is doubt: %s", rows[i].name);
        tear_down(&scene);
    }
}

/* Some servers answer `UIDL n` with the whole list. */
static void test_whole_list(void)
{
    static const char list[] = "1 ua\r\n2 ub\r\n3 uc\r\n.\r\n", other[] = "1 ua\r\n3 uc\r\n.\r\n";
    struct scene scene;
    set_up(&scene, LISTS);
    ask(&scene, 2);
    ok(write(scene.server, list, strlen(list)) > 0, "a list goes on behind the status line");
    is_int(hear(&scene, POP3_UIDL_ONE, 2, "list follows"), 1, "its line for the message proves it");
    ask(&scene, 3);
    ok(write(scene.server, other, strlen(other)) > 0, "the server sends another list");
    is_int(hear(&scene, POP3_UIDL_ONE, 2, "list follows"), -1, "one without such a line does not");
    tear_down(&scene);
}

/* Asks and answers a whole series; `turn` is the question that gets another answer. */
static int run_series(struct scene *scene, int turn, const char *text)
{
    char right[32];
    int result = 0;
    for (int i = 0; proof_in_series(&scene->proof) && result == 0; i++) {
        size_t at = proof_choose(&scene->proof, scene->listing.count);
        struct message *message = &scene->listing.messages[at];
        enum pop3_verb verb = proof_ask_by_chance(&scene->proof, &scene->listing, message);
        ok(verb == POP3_LIST_ONE || !habits_has(&scene->habits, HABIT_UIDL_N), "it may be asked");
        if (verb == POP3_UIDL_ONE)
            snprintf(right, sizeof right, "%u u%c", message->number, 'a' + (int)at);
        else
            snprintf(right, sizeof right, "%u %llu", message->number,
                     (unsigned long long)message->size);
        result = hear(scene, verb, message->number, i == turn ? text : right);
    }
    return result;
}

static void test_series(void)
{
    struct scene scene;
    set_up(&scene, LISTS);
    for (int turn = -1; turn < PROOF_SERIES; turn += 4) {
        ask(&scene, 2);
        scene.proof.doubtful = true;
        is_int(hear(&scene, POP3_UIDL_ONE, 2, "2 ub"), 0,
               "in doubt the right answer is not enough");
        is_int(scene.proof.left, PROOF_SERIES, "a series is asked for");
        is_int(run_series(&scene, turn, "9 nothing"), turn < 0 ? 1 : -1,
               turn < 0 ? "right answers to all of it prove the batch"
                        : "one wrong answer in it ends the connection");
        ok(turn >= 0 || !scene.proof.doubtful, "and then the doubt is gone");
        scene.proof = (struct proof){.chance = 0};
    }
    tear_down(&scene);
}

static void test_without_uidl(void)
{
    struct scene scene;
    enum pop3_verb verb;
    uint32_t number;
    set_up(&scene, "+OK 2 203\r\n-ERR no\r\n+OK\r\n1 100\r\n2 0\r\n.\r\n");
    proof_retr(&scene.proof, listing_find(&scene.listing, 1));
    ok(proof_ask(&scene.proof, &scene.listing, &verb, &number) && verb == POP3_LIST_ONE,
       "without UIDL the question is LIST");
    is_int(hear(&scene, POP3_LIST_ONE, 1, "1 999"), 1, "where the number tells, not the size");
    proof_retr(&scene.proof, listing_find(&scene.listing, 2));
    ok(!proof_ask(&scene.proof, &scene.listing, &verb, &number),
       "with neither UIDL nor size there is nothing to ask");
    is_int(scene.proof.marks, 0, "and no answer is waited for");
    tear_down(&scene);
}

/* A connection has ended over a question before. */
static void test_ended_over(void)
{
    struct scene scene;
    enum pop3_verb verb;
    uint32_t number;
    set_up(&scene, LISTS);
    scene.habits.known = HABIT_UIDL_N;
    proof_retr(&scene.proof, listing_find(&scene.listing, 1));
    ok(proof_ask(&scene.proof, &scene.listing, &verb, &number) && verb == POP3_LIST_ONE,
       "the question is LIST where UIDL n ends connections");
    scene.proof.doubtful = true;
    is_int(hear(&scene, POP3_LIST_ONE, 1, "1 100"), 0, "in doubt a series is asked for");
    is_int(run_series(&scene, -1, ""), 1, "and has LIST alone");
    scene.habits.known |= HABIT_LIST_N;
    proof_retr(&scene.proof, listing_find(&scene.listing, 2));
    ok(!proof_ask(&scene.proof, &scene.listing, &verb, &number),
       "where both do, there is nothing to ask");
    tear_down(&scene);
}

int main(void)
{
    if (!begin())
        return 1;
    test_mark();
    test_answers();
    test_whole_list();
    test_series();
    test_without_uidl();
    test_ended_over();
    return end();
}
