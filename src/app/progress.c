/* SPDX-License-Identifier: ISC */
#include "app/progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define PART 64
#define LEFT_MAX_S (100 * 3600) /* a longer time is not shown */

/* Seconds; -1: nobody knows. While there are accounts whose mail nobody has counted, they are
 * taken to be like those that are done. What the server says of sizes may be nothing, or too
 * little: then messages count. */
static double time_left(const struct progress_facts *facts)
{
    double run = (double)facts->run_ms / 1000, fetch = (double)facts->fetch_ms / 1000;
    size_t open = facts->total - facts->done;
    if (facts->known < open)
        return facts->done == 0 ? -1 : run * (double)open / (double)facts->done;
    if (facts->octets > 0 && facts->octets < facts->octets_planned)
        return fetch * (double)(facts->octets_planned - facts->octets) / (double)facts->octets;
    if (facts->fetched > 0 && facts->fetched < facts->planned)
        return fetch * (facts->planned - facts->fetched) / facts->fetched;
    return -1;
}

/* Parts are whole or not there, so that a narrow terminal shows no half number. */
static bool add(char *line, size_t width, const char *part)
{
    size_t at = strlen(line);
    if (at + 2 + strlen(part) > width)
        return false;
    snprintf(line + at, width + 1 - at, ", %s", part);
    return true;
}

static bool add_messages(const struct progress_facts *facts, size_t width, char *line)
{
    char part[PART];
    snprintf(part, sizeof part, "%" PRIu32 "/%" PRIu32 " messages", facts->fetched, facts->planned);
    return add(line, width, part);
}

static bool add_octets(const struct progress_facts *facts, size_t width, char *line)
{
    char part[PART], size[24], whole[24];
    str_spell_size(facts->octets, size);
    if (facts->octets_planned < facts->octets) /* what the server says of sizes is too little */
        return add(line, width, size);
    snprintf(part, sizeof part, "%s of %s", size, str_spell_size(facts->octets_planned, whole));
    return add(line, width, part);
}

static bool add_rate(const struct progress_facts *facts, size_t width, char *line)
{
    char part[PART];
    char size[24];
    double seconds = facts->fetch_ms > 0 ? (double)facts->fetch_ms / 1000 : 0.001;
    double rate = (double)facts->octets / seconds;
    uint64_t octets = rate < 1e18 ? (uint64_t)rate : UINT64_MAX;
    snprintf(part, sizeof part, "%s/s", str_spell_size(octets, size));
    return add(line, width, part);
}

static void add_time_left(const struct progress_facts *facts, size_t width, char *line)
{
    char part[PART];
    double left = time_left(facts);
    if (left >= 0 && left < LEFT_MAX_S) {
        int seconds = (int)left;
        snprintf(part, sizeof part, "%d:%02d left", seconds / 60, seconds % 60);
        add(line, width, part);
    }
}

void progress_spell(const struct progress_facts *facts, size_t width, char *line)
{
    snprintf(line, width + 1, "%zu/%zu accounts", facts->done, facts->total);
    if (facts->planned > 0 && add_messages(facts, width, line) && add_octets(facts, width, line) &&
        add_rate(facts, width, line))
        add_time_left(facts, width, line);
}
