/* SPDX-License-Identifier: ISC */
#include "app/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "app/keys.h"
#include "app/url.h"
#include "base/clock.h"
#include "base/maildate.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "pop3/reply.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- values ----------------------------------------------------------------------------------- */

struct option_row;

/* One option of the command line; value NULL: it takes none. */
struct given {
    const struct option_row *row;
    const char *value;
    struct options *options;
};

struct option_row {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what --help calls its value; NULL: it takes none; "[=...]": it may */
    const char *help;  /* NULL: accepted, and not shown */
    int (*take)(const struct given *given, struct err *err);
    size_t offset;          /* of the field in struct options */
    unsigned high;          /* for numbers */
    enum options_mode mode; /* what is done instead of a poll */
};

/* The start of the field; the table below is what makes the cast right. */
static void *field(const struct given *given)
{
    return (char *)given->options + given->row->offset;
}

static int take_nothing(const struct given *given, struct err *err)
{
    (void)given;
    (void)err;
    return 0;
}

static int take_flag(const struct given *given, struct err *err)
{
    (void)err;
    *(bool *)field(given) = true;
    return 0;
}

static int take_text(const struct given *given, struct err *err)
{
    if (given->value[0] == '\0')
        return err_set(err, ERR_USAGE, "--%s needs a value that is not empty", given->row->name);
    *(const char **)field(given) = given->value;
    return 0;
}

static int take_number(const struct given *given, struct err *err)
{
    uint64_t number;
    if (str_number(str_from(given->value), given->row->high, &number) < 0 || number == 0)
        return err_set(err, ERR_USAGE, "--%s takes a number from 1 to %u, not \"%.60s\"",
                       given->row->name, given->row->high, given->value);
    *(unsigned *)field(given) = (unsigned)number;
    return 0;
}

static int take_duration(const struct given *given, struct err *err)
{
    int64_t seconds;
    if (str_duration(str_from(given->value), &seconds) < 0 || seconds < 1 || seconds > CLOCK_DAY)
        return err_set(err, ERR_USAGE,
                       "--%s takes a duration from 1s to 1d, such as 60s or 5m, not \"%.60s\"",
                       given->row->name, given->value);
    *(int64_t *)field(given) = seconds;
    return 0;
}

static int take_limit(const struct given *given, struct err *err)
{
    struct options *options = given->options;
    bool none = strcmp(given->value, "none") == 0 || strcmp(given->value, "0") == 0;
    options->has_max_size = true;
    options->max_size = 0;
    if (!none && str_size(str_from(given->value), &options->max_size) < 0)
        return err_set(err, ERR_USAGE, "--limit takes a size such as 500K or 10M, not \"%.60s\"",
                       given->value);
    return 0;
}

static int take_json(const struct given *given, struct err *err)
{
    if (given->value != NULL && strcmp(given->value, "messages") != 0)
        return err_set(err, ERR_USAGE, "--json takes nothing, or =messages, not \"%.60s\"",
                       given->value);
    given->options->json = true;
    given->options->json_messages = given->options->json_messages || given->value != NULL;
    return 0;
}

static int take_since(const struct given *given, struct err *err)
{
    int64_t ago;
    struct str text = str_from(given->value);
    if (maildate_read_day(text, &given->options->since) == 0)
        return 0;
    if (strpbrk(given->value, "smhd") == NULL || str_duration(text, &ago) < 0 || ago <= 0)
        return err_set(err, ERR_USAGE,
                       "--since takes a day such as 2026-11-28, or a duration such as 30d, "
                       "not \"%.60s\"",
                       given->value);
    given->options->since = clock_wall() - ago;
    return 0;
}

static int take_shard(const struct given *given, struct err *err)
{
    return shard_read(&given->options->shard, given->value, err);
}

static int take_mda(const struct given *given, struct err *err)
{
    if (str_trim(str_from(given->value)).len == 0)
        return err_set(err, ERR_USAGE, "--mda needs a command");
    struct err why;
    if (keys_check_mda(given->value, &why) < 0)
        return err_set(err, ERR_USAGE, "--mda: %s", why.text);
    given->options->mda = given->value;
    return 0;
}

static const struct option_row *row_of_mode(enum options_mode mode);

/* --import with --setup is a --setup that knows what to begin with. */
static bool is_moving_in(enum options_mode one, enum options_mode other)
{
    return (one == OPTIONS_IMPORT && other == OPTIONS_SETUP) ||
           (one == OPTIONS_SETUP && other == OPTIONS_IMPORT);
}

static int take_mode(const struct given *given, struct err *err)
{
    struct options *options = given->options;
    enum options_mode mode = given->row->mode;
    if (is_moving_in(options->mode, mode)) {
        mode = OPTIONS_SETUP;
    } else if (options->mode != OPTIONS_POLL && options->mode != mode) {
        return err_set(err, ERR_USAGE, "only one of --%s and --%s at a time",
                       row_of_mode(options->mode)->name, given->row->name);
    }
    options->mode = mode;
    return given->value != NULL ? take_text(given, err) : 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define AT(name) .offset = offsetof(struct options, name)

/* getopt's tables, --help and the checks of the completions are made from this. */
static const struct option_row rows[] = {
    {"check", 'c', NULL, "say whether there is new mail; change nothing", take_mode,
     .mode = OPTIONS_CHECK},
    {"dry-run", 0, NULL, "say what would be done; change nothing", take_mode,
     .mode = OPTIONS_DRY_RUN},
    {"all", 'a', NULL, "also fetch what earlier runs fetched", take_flag, AT(all)},
    {"keep", 'k', NULL, "delete nothing on the server", take_flag, AT(keep)},
    {"nokeep", 'K', NULL, "delete what this run fetches", take_flag, AT(no_keep)},
    {"flush", 'F', NULL, "delete what earlier runs fetched and kept", take_flag, AT(flush)},
    {"limit", 'l', "SIZE", "leave larger messages on the server", .take = take_limit},
    {"fetchlimit", 'B', "N", "fetch at most N messages of each account", take_number,
     AT(max_messages), .high = REPLY_MESSAGES_MAX},
    {"force", 0, NULL, "poll now, ignoring pauses after failures", take_flag, AT(force)},
    {"mda", 'm', "COMMAND", "deliver to this command", .take = take_mda},
    {"maildir", 0, "DIR", "with a URL: deliver to this Maildir", take_text, AT(maildir)},
    {"mbox", 0, "FILE", "with a URL: deliver to this mbox", take_text, AT(mbox)},
    {"password-command", 0, "COMMAND", "with a URL: it prints the password", take_text,
     AT(password_command)},
    {"timeout", 't', "TIME", "give up on a server that is silent this long", take_duration,
     AT(timeout)},
    {"jobs", 'j', "N", "poll at most N accounts in parallel", take_number, AT(jobs), .high = 1000},
    {"shard", 0, "I/N", "poll only this part of all accounts", .take = take_shard},
    {"config", 'f', "FILE", "read this configuration file (-: stdin)", take_text, AT(config_file)},
    {"state-dir", 0, "DIR", "keep the journals here", take_text, AT(state_dir)},
    {"json", 0, "[=messages]", "print results as JSON; =messages: of each message, too",
     .take = take_json},
    {"status", 0, NULL, "list what failed, is held, or is paused", take_mode,
     .mode = OPTIONS_STATUS},
    {"list", 0, NULL, "list what is on the server: date, size, sender, subject", take_mode,
     .mode = OPTIONS_LIST},
    {"doctor", 0, NULL, "check each step between an account and its mail", take_mode,
     .mode = OPTIONS_DOCTOR},
    {"show", 0, "UIDL", "print the header of a message; all of it with -a", take_mode, AT(uidl),
     .mode = OPTIONS_SHOW},
    {"fetch", 0, "UIDL", "fetch this message alone", take_mode, AT(uidl), .mode = OPTIONS_FETCH},
    {"delete", 0, "UIDL", "delete this message from the server, after a question", take_mode,
     AT(uidl), .mode = OPTIONS_DELETE},
    {"yes", 0, NULL, "answer that question", take_flag, AT(yes)},
    {"retry", 0, "UIDL", "release a held message, or all", take_mode, AT(retry),
     .mode = OPTIONS_RETRY},
    {"rename", 0, "OLD", "give the journal of user@server OLD to the account", take_mode,
     AT(rename), .mode = OPTIONS_RENAME},
    {"print-pin", 0, NULL, "show the pin of an account's server", take_mode,
     .mode = OPTIONS_PRINT_PIN},
    {"accept-pin", 0, NULL, "poll, and trust the key that the server has now (tofu)", take_flag,
     AT(accept_pin)},
    {"discover", 0, "ADDRESS", "ask the DNS for the server of an address", take_mode, AT(discover),
     .mode = OPTIONS_DISCOVER},
    {"check-config", 0, NULL, "say what is wrong with the configuration file", take_mode,
     .mode = OPTIONS_CHECK_CONFIG},
    {"print-config", 0, NULL, "print what it means, key by key", take_mode,
     .mode = OPTIONS_PRINT_CONFIG},
    {"setup", 0, NULL, "ask what is needed, and write the configuration file", take_mode,
     .mode = OPTIONS_SETUP},
    {"import", 0, "PROGRAM", "print another fetcher's configuration as ours", take_mode, AT(import),
     .mode = OPTIONS_IMPORT},
    {"import-seen", 0, "PROGRAM", "take over another fetcher's list of UIDLs", take_mode,
     AT(import_seen), .mode = OPTIONS_IMPORT_SEEN},
    {"export-state", 0, NULL, "print what is known of an account's messages", take_mode,
     .mode = OPTIONS_EXPORT_STATE},
    {"import-state", 0, NULL, "take that in from standard input", take_mode,
     .mode = OPTIONS_IMPORT_STATE},
    {"catch-up", 0, NULL, "mark what is on the server as fetched", take_mode,
     .mode = OPTIONS_CATCH_UP},
    {"since", 0, "DATE", "... but for mail of this day and later", .take = take_since},
    {"newest", 0, "N", "... but for the newest N messages", take_number, AT(newest),
     .high = REPLY_MESSAGES_MAX},
    {"daemon", 'd', "TIME", "poll again and again, until TERM", take_duration, AT(daemon)},
    {"logfile", 'L', "FILE", "append messages to this log file", take_text, AT(log_file)},
    {"syslog", 0, NULL, "log to syslog", take_flag, AT(syslog)},
    {"summary", 0, NULL, "print a line for each account, also in a pipe", take_flag, AT(summary)},
    {"silent", 's', NULL, "print errors only", take_flag, AT(silent)},
    {"verbose", 'v', NULL, "show the conversation with the server", take_flag, AT(verbose)},
    {"no-fork", 0, NULL, "work in this process, for a debugger", take_flag, AT(no_fork)},
    {"version", 'V', NULL, "print the version", take_mode, .mode = OPTIONS_VERSION},
    {"help", 'h', NULL, "print this", take_mode, .mode = OPTIONS_HELP},
    /* fetchmail's, with no effect here */
    {"nodetach", 'N', NULL, NULL, .take = take_nothing},
    {"uidl", 'U', NULL, NULL, .take = take_nothing},
};

static const struct option_row *row_of_mode(enum options_mode mode)
{
    size_t i = 0;
    while (rows[i].take != take_mode || rows[i].mode != mode)
        i++;
    return &rows[i];
}

/* The long names of other fetchers for the same. */
static const struct {
    const char *name, *ours;
} aliases[] = {
    {"fetchall", "all"}, {"fetchmailrc", "config"}, {"quiet", "silent"}, {"rcfile", "config"}};

static const struct {
    int letter;
    const char *why; /* NULL: there is nothing to say */
} reserved[] = {
    {'e', "batches are sized by fetchpop itself"},
    {'i', "the journals' folder is --state-dir"},
    {'n', "headers are never rewritten"},
    {'p', "the protocol is POP3"},
    {'P', "the port is in the configuration file"},
    {'q', "to end a daemon, send it TERM; -s is silent"},
    {'Q', NULL},
    {'r', "there are no folders in POP3; the configuration file is -f"},
    {'S', "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {'u', "the user is in the configuration file"},
    {'w', NULL},
    {'x', "name the accounts that are wanted instead"},
};

/* --- getopt ----------------------------------------------------------------------------------- */

#define LONGS (COUNT(rows) + COUNT(aliases) + 1)
#define LETTERS (2 * COUNT(rows) + 2)
#define LONG_ONLY 256 /* a row without a letter is 256 and its index to getopt */

static int code_of(size_t row)
{
    return rows[row].letter != 0 ? rows[row].letter : LONG_ONLY + (int)row;
}

static const struct option_row *row_of(int code)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (code_of(i) == code)
            return &rows[i];
    return NULL;
}

static size_t row_named(const char *name)
{
    size_t i = 0;
    while (strcmp(rows[i].name, name) != 0)
        i++;
    return i;
}

static void fill_longs(struct option longs[LONGS])
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value = rows[i].value;
        int argument = value == NULL     ? no_argument
                       : value[0] == '[' ? optional_argument
                                         : required_argument;
        longs[i] = (struct option){rows[i].name, argument, NULL, code_of(i)};
    }
    for (size_t i = 0; i < COUNT(aliases); i++) {
        longs[COUNT(rows) + i] = longs[row_named(aliases[i].ours)];
        longs[COUNT(rows) + i].name = aliases[i].name;
    }
    longs[LONGS - 1] = (struct option){0};
}

static void fill_letters(char letters[LETTERS])
{
    *letters++ = ':'; /* a missing value is told apart from an unknown option */
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].letter != 0)
            *letters++ = rows[i].letter;
        if (rows[i].letter != 0 && rows[i].value != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
}

/* None begins so, or several do, which getopt_long does not tell apart. */
static int refuse_long(const char *word, struct err *err)
{
    char names[200] = "";
    size_t len = strcspn(word, "="), count = 0, at = 0;
    for (size_t i = 0; len > 2 && i < COUNT(rows); i++) {
        if (strncmp(rows[i].name, word + 2, len - 2) != 0)
            continue;
        int n = snprintf(names + at, sizeof names - at, "%s--%s", count++ > 0 ? ", " : "",
                         rows[i].name);
        at += n > 0 && (size_t)n < sizeof names - at ? (size_t)n : 0;
    }
    names[at] = '\0';
    if (count > 1)
        return err_set(err, ERR_USAGE, "%.*s could be %s; write more of it", (int)len, word, names);
    return err_set(err, ERR_USAGE, "no such option: %.60s; see fetchpop --help", word);
}

/* getopt_long has said no; `word` is the argument that it was at. */
static int refuse(int code, int letter, const char *word, struct err *err)
{
    const struct option_row *row = row_of(letter);
    if (code == ':' && row != NULL)
        return err_set(err, ERR_USAGE, "--%s needs a value (%s); see fetchpop --help", row->name,
                       row->value);
    if (row != NULL)
        return err_set(err, ERR_USAGE, "--%s takes no value", row->name);
    for (size_t i = 0; i < COUNT(reserved); i++) {
        const char *why = reserved[i].why;
        if (letter == reserved[i].letter)
            return err_set(err, ERR_USAGE, "-%c is not supported%s%s", letter,
                           why != NULL ? ": " : "", why != NULL ? why : "");
    }
    if (letter > 0x20 && letter < 0x7f)
        return err_set(err, ERR_USAGE, "no such option: -%c; see fetchpop --help", letter);
    return refuse_long(word, err);
}

/* --import-seen PROGRAM FILE [ACCOUNT ...] */
static int take_file(struct options *options, struct err *err)
{
    if (options->account_count == 0)
        return err_set(err, ERR_USAGE, "--import-seen needs the file with the list");
    options->file = options->accounts[0];
    options->accounts++;
    options->account_count--;
    return 0;
}

static void rewind_getopt(void)
{
#ifdef __GLIBC__
    optind = 0;
#else
    optind = 1;
#ifdef HAVE_OPTRESET
    optreset = 1;
#endif
#endif
    opterr = 0;
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
    struct option longs[LONGS];
    char letters[LETTERS];
    fill_longs(longs);
    fill_letters(letters);
    *options = (struct options){.mode = OPTIONS_POLL, .program = argc > 0 ? argv[0] : "fetchpop"};
    rewind_getopt();
    int code;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row = row_of(code);
        if (row == NULL) /* ':' or '?' */
            return refuse(code, optopt, argv[optind - 1], err);
        struct given given = {row, optarg, options};
        if (given.row->mode == OPTIONS_HELP || given.row->mode == OPTIONS_VERSION) {
            options->mode = given.row->mode;
            return 0;
        }
        if (given.row->take(&given, err) < 0)
            return -1;
    }
    options->accounts = argv + optind;
    options->account_count = (size_t)(argc - optind);
    return options->mode == OPTIONS_IMPORT_SEEN ? take_file(options, err) : 0;
}

bool options_has_url(const struct options *options)
{
    for (size_t i = 0; i < options->account_count; i++)
        if (url_is(options->accounts[i]))
            return true;
    return false;
}

void options_apply(const struct options *options, struct account *account)
{
    if (options->no_keep)
        account->keep = ACCOUNT_NOKEEP;
    if (options->has_max_size)
        account->max_size = options->max_size;
    if (options->max_messages > 0)
        account->max_messages = options->max_messages;
    if (options->timeout > 0)
        account->timeout = options->timeout;
    if (options->mda != NULL) {
        free(account->where);
        account->where = xstrdup(options->mda);
        account->target = strcmp(options->mda, "-") == 0 ? DELIVER_OUTPUT : DELIVER_MDA;
        for (size_t i = 0; i < account->rules.count; i++)
            account->rules.at[i].has_target = false;
    }
}

struct session_switches options_switches(const struct options *options)
{
    return (struct session_switches){.fetch_seen = options->all,
                                     .never_delete = options->keep,
                                     .flush = options->flush,
                                     .catch_up = options->mode == OPTIONS_CATCH_UP,
                                     .newest = options->newest,
                                     .since = options->since,
                                     .force = options->force || options->accept_pin,
                                     .accept_pin = options->accept_pin,
                                     .only = options->mode == OPTIONS_FETCH ? options->uidl : NULL};
}

void options_print_help(FILE *to)
{
    fputs("usage: fetchpop [options] [account ...]\n"
          "       fetchpop [options] pop3s://user@server --maildir DIR\n"
          "Fetches mail from POP3 servers, each message exactly once. Without a name: from\n"
          "all accounts of the configuration file that are enabled.\n\n",
          to);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].help == NULL)
            continue;
        char left[40];
        const char *value = rows[i].value;
        char letter[] = {'-', rows[i].letter, ',', '\0'};
        snprintf(left, sizeof left, "%3s --%s%s%s", rows[i].letter != 0 ? letter : "", rows[i].name,
                 value != NULL && value[0] != '[' ? " " : "", value != NULL ? value : "");
        fprintf(to, "  %-22s %s\n", left, rows[i].help);
    }
    fputs("\nThe manual is fetchpop(1); the configuration file is described in fetchpoprc(5).\n",
          to);
}

void options_print_version(FILE *to)
{
    fputs(PACKAGE_STRING
          "\n"
          "Copyright The fetchpop authors. ISC licence: use it as you like, without warranty.\n",
          to);
}
