/* SPDX-License-Identifier: ISC */
/*
 * shard: which part of all accounts is this run's, where several runs share them.
 *
 * Rendezvous hashing: each shard has a score for each mailbox (server and user), and the highest
 * one has it. So with one shard more, each of the others gives a part of its own to the new one,
 * and nothing else moves. Scores depend on nothing but mailbox and index: every machine and every
 * later version finds the same.
 */
#ifndef FP_APP_SHARD_H
#define FP_APP_SHARD_H

#include <stdbool.h>

#include "base/err.h"

#define SHARD_MAX 4096

struct shard {
    unsigned index, count; /* index < count; count 0: all accounts are ours */
};

/* "3/8": the fourth of eight; "auto/8": the index is JOB_COMPLETION_INDEX (Kubernetes) or
 * SLURM_ARRAY_TASK_ID; "auto": the number of shards is Slurm's, too. ERR_USAGE. */
int shard_read(struct shard *shard, const char *text, struct err *err);

/* Is this mailbox ours? The server as in struct account. */
bool shard_has(const struct shard *shard, const char *server, const char *user);

/* A file of this shard's own: its number goes in before the name's ending, so that fetchpop.prom
 * becomes fetchpop-3.prom; without shards the path as it is. Malloced. */
char *shard_path(const struct shard *shard, const char *path);

#endif
