/* SPDX-License-Identifier: ISC */
/*
 * options: the command line.
 *
 * An option is a row in options.c, a field in struct options, and the place that reads the field
 * (options_apply, if it is an account's). fetchmail's letters keep their meaning, and its long
 * names are understood where they mean the same.
 */
#ifndef FP_APP_OPTIONS_H
#define FP_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/shard.h"
#include "base/err.h"
#include "session/run.h"

enum options_mode {
    OPTIONS_POLL,
    OPTIONS_CHECK,
    OPTIONS_DRY_RUN,
    OPTIONS_STATUS,
    OPTIONS_LIST,
    OPTIONS_DOCTOR,
    OPTIONS_SHOW,
    OPTIONS_FETCH,
    OPTIONS_DELETE,
    OPTIONS_RETRY,
    OPTIONS_RENAME,
    OPTIONS_PRINT_PIN,
    OPTIONS_DISCOVER,
    OPTIONS_IMPORT,
    OPTIONS_EXPORT_STATE,
    OPTIONS_IMPORT_STATE,
    OPTIONS_CHECK_CONFIG,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_SETUP,
    OPTIONS_IMPORT_SEEN,
    OPTIONS_CATCH_UP,
    OPTIONS_HELP,
    OPTIONS_VERSION
};

/* All texts are borrowed from argv. */
struct options {
    enum options_mode mode;
    const char *program; /* how this one was called: argv[0] */
    const char *config_file, *state_dir, *mda, *retry, *rename, *uidl, *discover, *import,
        *import_seen, *log_file;
    const char *file;                              /* of --import-seen */
    const char *maildir, *mbox, *password_command; /* with a URL */
    bool all, keep, no_keep, flush, yes, silent, verbose, summary, json, no_fork, force, syslog;
    bool json_messages; /* and a line for each message */
    bool has_max_size;
    uint64_t max_size;
    unsigned max_messages; /* 0: not given */
    unsigned newest;       /* 0: not given */
    int64_t since;         /* wall clock, seconds; 0: not given */
    unsigned jobs;         /* 0: not given */
    bool accept_pin;       /* note the key that the server has now */
    int64_t timeout;       /* seconds; 0: not given */
    int64_t daemon;        /* seconds between two polls; 0: poll once */
    struct shard shard;
    char **accounts; /* the names behind the options */
    size_t account_count;
};

/* Reads the command line; may reorder argv. ERR_USAGE says what is wrong with an option; whether
 * they go together is another question (app/usage.h). */
int options_parse(struct options *options, int argc, char **argv, struct err *err);

/* Is an account given by its URL (app/url.h)? */
bool options_has_url(const struct options *options);

/* What the command line says about every account, over the configuration file. */
void options_apply(const struct options *options, struct account *account);

/* What of it is not the account's, but this run's. */
struct session_switches options_switches(const struct options *options);

/* Prints for --help and --version. */
void options_print_help(FILE *to);
void options_print_version(FILE *to);

#endif
