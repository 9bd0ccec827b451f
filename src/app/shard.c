/* SPDX-License-Identifier: ISC */
#include "app/shard.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "state/mailbox.h"

#define GOLDEN 0x9e3779b97f4a7c15U /* 2^64 by the golden ratio: neighbours come to lie far apart */

static int refuse(const char *text, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "--shard takes I/N, such as 0/8 to 7/8 (at most %d), auto/N or auto, not "
                   "\"%.60s\"",
                   SHARD_MAX, text);
}

/* A variable that a scheduler sets; false if it is not a number. */
static bool look(const char *variable, uint64_t *number)
{
    const char *value = getenv(variable);
    return value != NULL && str_number(str_from(value), UINT32_MAX, number) == 0;
}

static int find_index(uint64_t *index, struct err *err)
{
    uint64_t first = 0;
    if (look("JOB_COMPLETION_INDEX", index))
        return 0;
    if (!look("SLURM_ARRAY_TASK_ID", index))
        return err_set(err, ERR_USAGE,
                       "--shard auto needs $JOB_COMPLETION_INDEX or $SLURM_ARRAY_TASK_ID; set one, "
                       "or write --shard I/N");
    if (look("SLURM_ARRAY_TASK_MIN", &first) && first <= *index)
        *index -= first;
    return 0;
}

static int find_count(uint64_t *count, struct err *err)
{
    if (getenv("JOB_COMPLETION_INDEX") == NULL && look("SLURM_ARRAY_TASK_COUNT", count))
        return 0;
    return err_set(err, ERR_USAGE,
                   "--shard auto needs $SLURM_ARRAY_TASK_COUNT; write --shard auto/N where there "
                   "are N shards");
}

int shard_read(struct shard *shard, const char *text, struct err *err)
{
    struct str count_text = str_from(text);
    struct str index_text = str_until(&count_text, '/');
    bool automatic = str_is(index_text, "auto");
    bool whole = automatic && strchr(text, '/') == NULL;
    uint64_t index, count;
    if (automatic && find_index(&index, err) < 0)
        return -1;
    if (whole && find_count(&count, err) < 0)
        return -1;
    if ((!automatic && str_number(index_text, SHARD_MAX, &index) < 0) ||
        (!whole && str_number(count_text, SHARD_MAX, &count) < 0))
        return refuse(text, err);
    if (count == 0 || count > SHARD_MAX || index >= count)
        return err_set(err, ERR_USAGE,
                       "--shard %.60s: shard %llu of %llu does not exist; they are counted from 0, "
                       "and %d is the most",
                       text, (unsigned long long)index, (unsigned long long)count, SHARD_MAX);
    *shard = (struct shard){(unsigned)index, (unsigned)count};
    return 0;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood, 2014): each bit depends on each. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

bool shard_has(const struct shard *shard, const char *server, const char *user)
{
    char id[MAILBOX_ID + 1];
    if (shard->count == 0)
        return true;
    mailbox_id(server, user, id);
    uint64_t mailbox = strtoull(id, NULL, 16);
    uint64_t own = mix(mailbox ^ mix(GOLDEN * (shard->index + 1)));
    for (unsigned i = 0; i < shard->count; i++) {
        uint64_t score = mix(mailbox ^ mix(GOLDEN * (i + 1)));
        if (score > own || (score == own && i < shard->index))
            return false;
    }
    return true;
}

char *shard_path(const struct shard *shard, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash : path, '.');
    size_t stem = dot != NULL ? (size_t)(dot - path) : strlen(path);
    if (shard->count == 0)
        return xstrdup(path);
    return xasprintf("%.*s-%u%s", (int)stem, path, shard->index, path + stem);
}
