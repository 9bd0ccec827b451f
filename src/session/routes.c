/* SPDX-License-Identifier: ISC */
#include "session/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "session/rules.h"

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same_place(const struct deliver_settings *a, const struct deliver_settings *b)
{
    return a->kind == b->kind && is_same_text(a->where, b->where) &&
           is_same_text(a->recipient, b->recipient);
}

/* The route to this place, made if there is none. */
static size_t add(struct routes *routes, const struct deliver_settings *settings)
{
    size_t at = 0;
    while (at < routes->count && !is_same_place(&routes->at[at].settings, settings))
        at++;
    if (at == routes->count)
        routes->at[routes->count++].settings = *settings;
    return at;
}

/* A message that waits for pipe_through is spooled as one that waits for a command. */
static void add_through(struct routes *routes, const struct account *account)
{
    if (account->pipe_through == NULL)
        return;
    routes->through = xcalloc(1, sizeof *routes->through);
    routes->through->settings = routes->at[0].settings;
    routes->through->settings.kind = DELIVER_MDA;
    routes->through->settings.where = account->pipe_through;
    for (size_t i = 0; i < routes->count; i++)
        routes->at[i].settings.passed = true;
}

void routes_init(struct routes *routes, const struct account *account,
                 const struct deliver_settings *own)
{
    const struct rules *rules = &account->rules;
    *routes = (struct routes){.at = xcalloc(1 + rules->count, sizeof *routes->at),
                              .of_rule = xcalloc(rules->count, sizeof *routes->of_rule),
                              .rule_count = rules->count};
    add(routes, own);
    routes->at->settings.speaker = &routes->speaker;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->at[i];
        struct deliver_settings settings = *own;
        if (!rule->has_target)
            continue;
        settings.kind = rule->target;
        settings.where = rule->where;
        settings.recipient = rule->recipient;
        settings.speaker = &routes->speaker;
        routes->of_rule[i] = add(routes, &settings);
    }
    add_through(routes, account);
    for (size_t i = 0; i < routes->count; i++)
        routes->at[i].settings.next = i + 1 < routes->count ? &routes->at[i + 1].settings : NULL;
}

/* key: what names a command; a path says by itself what is wrong. */
static int probe(const struct route *route, const char *key, struct err *err)
{
    if (deliver_probe(&route->settings, err) == 0)
        return 0;
    return route->settings.kind == DELIVER_MDA ? err_prefix(err, "%s", key) : -1;
}

int routes_probe(const struct routes *routes, struct err *err)
{
    int result = routes->through != NULL ? probe(routes->through, "pipe_through", err) : 0;
    for (size_t i = 0; i < routes->count && result == 0; i++)
        result = probe(&routes->at[i], "mda", err);
    return result;
}

int routes_open(struct routes *routes, struct err *err)
{
    if (routes->through != NULL &&
        deliver_open(&routes->through->deliver, &routes->through->settings, err) < 0)
        return -1;
    for (size_t i = 0; i < routes->count; i++)
        if (deliver_open(&routes->at[i].deliver, &routes->at[i].settings, err) < 0)
            return -1;
    return 0;
}

void routes_free(struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++)
        deliver_close(routes->at[i].deliver);
    if (routes->through != NULL)
        deliver_close(routes->through->deliver);
    free(routes->through);
    free(routes->at);
    free(routes->of_rule);
    *routes = (struct routes){.count = 0};
}

struct route *routes_of_rule(const struct routes *routes, size_t rule)
{
    return &routes->at[rule < routes->rule_count ? routes->of_rule[rule] : 0];
}

struct route *routes_of(const struct routes *routes, const struct parcel *parcel)
{
    size_t at = routes->count - 1;
    while (at > 0 && routes->at[at].deliver != parcel->to)
        at--;
    return &routes->at[at];
}

bool routes_have_command(const struct routes *routes)
{
    bool has = routes->through != NULL;
    for (size_t i = 0; i < routes->count; i++)
        has = has || deliver_is_command(routes->at[i].deliver);
    return has;
}

uint64_t routes_room(const struct routes *routes)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < routes->count; i++) {
        uint64_t room = deliver_room(routes->at[i].deliver);
        least = room < least ? room : least;
    }
    return least;
}
