#include "app/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "app/settings.h"
#include "base/str.h"
#include "base/xalloc.h"

#define DAY (24 * 3600)
#define MANY 4000000

/* Values of options without a letter. */
enum {
    DRY_RUN = 256,
    JSON,
    NO_FORK,
    FORCE,
    STATE_DIR,
    STATUS,
    RETRY,
    PRINT_PIN,
    DISCOVER,
    SYSLOG,
    HELP
};

struct option_row {
    const char *name;
    int argument;
    int letter;
    const char *left, *help; /* help NULL: accepted, and not shown */
};

static const struct option_row ROWS[] = {
    {"check", no_argument, 'c', "-c, --check", "say whether there is new mail; change nothing"},
    {"dry-run", no_argument, DRY_RUN, "    --dry-run", "say what would be done; change nothing"},
    {"all", no_argument, 'a', "-a, --all", "fetch also what earlier runs fetched"},
    {"keep", no_argument, 'k', "-k, --keep", "delete nothing on the server"},
    {"nokeep", no_argument, 'K', "-K, --nokeep", "delete what this run fetches"},
    {"flush", no_argument, 'F', "-F, --flush", "delete what earlier runs fetched and kept"},
    {"limit", required_argument, 'l', "-l, --limit SIZE", "leave larger messages on the server"},
    {"fetchlimit", required_argument, 'B', "-B, --fetchlimit N", "fetch at most N of each account"},
    {"force", no_argument, FORCE, "    --force", "poll now, whatever the last runs have met"},
    {"mda", required_argument, 'm', "-m, --mda COMMAND", "deliver to this command"},
    {"timeout", required_argument, 't', "-t, --timeout TIME", "give up a server silent that long"},
    {"jobs", required_argument, 'j', "-j, --jobs N", "poll at most N accounts at once"},
    {"rcfile", required_argument, 'f', "-f, --rcfile FILE", "read this run file (-: from input)"},
    {"state-dir", required_argument, STATE_DIR, "    --state-dir DIR", "keep the journals here"},
    {"json", no_argument, JSON, "    --json", "print each account's result as a line of JSON"},
    {"status", no_argument, STATUS, "    --status", "list what failed, is held, or is paused"},
    {"retry", required_argument, RETRY, "    --retry UIDL", "release a held message, or all"},
    {"print-pin", no_argument, PRINT_PIN, "    --print-pin", "show the pin of an account's server"},
    {"discover", required_argument, DISCOVER, "    --discover ADDRESS",
     "ask the DNS for the server of an address"},
    {"daemon", required_argument, 'd', "-d, --daemon TIME", "poll again and again, until TERM"},
    {"logfile", required_argument, 'L', "-L, --logfile FILE", "append what is said to this file"},
    {"syslog", no_argument, SYSLOG, "    --syslog", "say it to syslog"},
    {"silent", no_argument, 's', "-s, --silent", "print errors only"},
    {"verbose", no_argument, 'v', "-v, --verbose", "show the conversation with the server"},
    {"no-fork", no_argument, NO_FORK, "    --no-fork", "work in this process, for a debugger"},
    {"version", no_argument, 'V', "-V, --version", "print the version"},
    {"help", no_argument, HELP, "    --help", "print this"},
};

/* fetchmail's names and letters. Those without an argument of their own do nothing. */
static const struct option_alias {
    const char *name;
    int letter;
    int has_value;
} ALIASES[] = {
    {"fetchall", 'a', 0}, {"fetchmailrc", 'f', 1}, {"nodetach", 'N', 0},
    {"uidl", 'U', 0},     {"quiet", 's', 0},
};

static const struct {
    int letter;
    const char *why;
} RESERVED[] = {
    {'e', "batches are sized by fetchpop itself"},
    {'i', "the journals' place is --state-dir"},
    {'n', "headers are never rewritten"},
    {'p', "the protocol is POP3"},
    {'P', "the port is in the run file"},
    {'q', "to end a daemon, send it TERM; -s is silent"},
    {'Q', "it has no meaning yet"},
    {'r', "there are no folders in POP3; the run file is -f"},
    {'S', "mail goes to a maildir, an mbox or a command, not to SMTP"},
    {'u', "the user is in the run file"},
    {'w', "it has no meaning yet"},
    {'x', "name the accounts that are wanted instead"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LONG_MAX_COUNT (COUNT(ROWS) + COUNT(ALIASES) + 1)

static void fill_long(struct option *longs)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT(ROWS); i++)
        longs[n++] = (struct option){ROWS[i].name, ROWS[i].argument, NULL, ROWS[i].letter};
    for (size_t i = 0; i < COUNT(ALIASES); i++) {
        longs[n++] =
            (struct option){ALIASES[i].name, ALIASES[i].has_value ? required_argument : no_argument,
                            NULL, ALIASES[i].letter};
    }
    longs[n] = (struct option){0};
}

/* --- values ----------------------------------------------------------------------------------- */

static int read_count(const char *name, const char *text, unsigned max, unsigned *value,
                      struct err *err)
{
    uint64_t number;
    if (str_number(str_from(text), max, &number) < 0 || number == 0) {
        return err_set(err, ERR_USAGE, "%s takes a number from 1 to %u, not \"%.60s\"", name, max,
                       text);
    }
    *value = (unsigned)number;
    return 0;
}

static int read_timeout(struct options *options, const char *text, struct err *err)
{
    if (str_duration(str_from(text), &options->timeout) != 0 || options->timeout < 1 ||
        options->timeout > DAY) {
        return err_set(err, ERR_USAGE,
                       "--timeout takes a duration from 1s to 1d, such as 60s, not \"%.60s\"",
                       text);
    }
    return 0;
}

static int read_daemon(struct options *options, const char *text, struct err *err)
{
    if (str_duration(str_from(text), &options->daemon) != 0 || options->daemon < 1 ||
        options->daemon > DAY) {
        return err_set(err, ERR_USAGE,
                       "--daemon takes a duration from 1s to 1d, such as 300 or 5m, not \"%.60s\"",
                       text);
    }
    return 0;
}

static int read_limit(struct options *options, const char *text, struct err *err)
{
    options->has_max_size = true;
    if (strcmp(text, "none") == 0 || strcmp(text, "0") == 0) {
        options->max_size = 0;
        return 0;
    }
    if (str_size(str_from(text), &options->max_size) < 0) {
        return err_set(err, ERR_USAGE, "--limit takes a size such as 500K or 10M, not \"%.60s\"",
                       text);
    }
    return 0;
}

static int read_mda(struct options *options, const char *text, struct err *err)
{
    if (str_trim(str_from(text)).len == 0)
        return err_set(err, ERR_USAGE, "--mda needs a command");
    struct err why;
    if (settings_check_mda(text, &why) < 0)
        return err_set(err, ERR_USAGE, "--mda: %s", why.text);
    options->mda = text;
    return 0;
}

static int set_mode(struct options *options, enum options_mode mode, struct err *err)
{
    if (options->mode != OPTIONS_POLL && options->mode != mode) {
        return err_set(err, ERR_USAGE,
                       "only one of --check, --dry-run, --status, --retry, "
                       "--print-pin and --discover at a time");
    }
    options->mode = mode;
    return 0;
}

/* Options with a value. */
static int take_value(struct options *options, int letter, const char *value, struct err *err)
{
    switch (letter) {
    case 'l':
        return read_limit(options, value, err);
    case 'B':
        return read_count("--fetchlimit", value, MANY, &options->max_messages, err);
    case 'm':
        return read_mda(options, value, err);
    case 't':
        return read_timeout(options, value, err);
    case 'd':
        return read_daemon(options, value, err);
    case 'L':
        options->log_file = value;
        return value[0] != '\0' ? 0 : err_set(err, ERR_USAGE, "--logfile needs the path of a file");
    case 'j':
        return read_count("--jobs", value, 1000, &options->jobs, err);
    case 'f':
        options->run_file = value;
        return value[0] != '\0' ? 0 : err_set(err, ERR_USAGE, "--rcfile needs the path of a file");
    case STATE_DIR:
        options->state_dir = value;
        return value[0] != '\0' ? 0
                                : err_set(err, ERR_USAGE, "--state-dir needs the path of a folder");
    case DISCOVER:
        options->discover = value;
        return set_mode(options, OPTIONS_DISCOVER, err);
    default:
        options->retry = value;
        return value[0] != '\0' ? set_mode(options, OPTIONS_RETRY, err)
                                : err_set(err, ERR_USAGE, "--retry needs a UIDL, or all");
    }
}

static bool *flag_of(struct options *options, int letter)
{
    switch (letter) {
    case 'a':
        return &options->all;
    case 'k':
        return &options->keep;
    case 'K':
        return &options->no_keep;
    case 'F':
        return &options->flush;
    case 's':
        return &options->silent;
    case 'v':
        return &options->verbose;
    case NO_FORK:
        return &options->no_fork;
    case JSON:
        return &options->json;
    case SYSLOG:
        return &options->syslog;
    case FORCE:
        return &options->force;
    default:
        return NULL;
    }
}

static int take_option(struct options *options, int letter, const char *value, struct err *err)
{
    if (value != NULL)
        return take_value(options, letter, value, err);
    bool *flag = flag_of(options, letter);
    if (flag != NULL) {
        *flag = true;
        return 0;
    }
    switch (letter) {
    case 'c':
        return set_mode(options, OPTIONS_CHECK, err);
    case DRY_RUN:
        return set_mode(options, OPTIONS_DRY_RUN, err);
    case STATUS:
        return set_mode(options, OPTIONS_STATUS, err);
    case PRINT_PIN:
        return set_mode(options, OPTIONS_PRINT_PIN, err);
    default: /* -N and -U */
        return 0;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

/* getopt_long has said no; `word` is the argument that it was at. */
static int refuse(int letter, const char *word, struct err *err)
{
    for (size_t i = 0; i < COUNT(RESERVED); i++)
        if (letter == RESERVED[i].letter)
            return err_set(err, ERR_USAGE, "-%c is reserved: %s", letter, RESERVED[i].why);
    if (letter > 0x20 && letter < 0x7f)
        return err_set(err, ERR_USAGE, "no such option: -%c; see fetchpop --help", letter);
    return err_set(err, ERR_USAGE,
                   "no such option, or more than one begins so: %.60s; see "
                   "fetchpop --help",
                   word);
}

static const char *name_of(int letter)
{
    for (size_t i = 0; i < COUNT(ROWS); i++)
        if (ROWS[i].letter == letter)
            return ROWS[i].name;
    return "?";
}

/* What polls once, or asks for an answer, has no meaning again and again. */
static int check_daemon(const struct options *options, struct err *err)
{
    if (options->mode != OPTIONS_POLL) {
        return err_set(err, ERR_USAGE,
                       "--daemon polls; it goes with none of --check, --dry-run, "
                       "--status, --retry, --print-pin and --discover");
    }
    if (options->no_fork)
        return err_set(err, ERR_USAGE, "--daemon needs workers, --no-fork has none; give one");
    if (options->force)
        return err_set(err, ERR_USAGE, "--force is for one poll; send USR1 to a daemon");
    if (options->all) {
        return err_set(err, ERR_USAGE,
                       "--all with --daemon would fetch everything again in each "
                       "poll; give one");
    }
    return 0;
}

static int check_together(const struct options *options, struct err *err)
{
    if (options->keep && options->no_keep)
        return err_set(err, ERR_USAGE, "--keep and --nokeep contradict each other; give one");
    if (options->silent && options->verbose)
        return err_set(err, ERR_USAGE, "--silent and --verbose contradict each other; give one");
    if (options->json && options->mode != OPTIONS_POLL && options->mode != OPTIONS_CHECK &&
        options->mode != OPTIONS_DRY_RUN)
        return err_set(err, ERR_USAGE, "--json goes with --check, --dry-run, or none of them");
    if (options->mode == OPTIONS_PRINT_PIN && options->account_count == 0) {
        return err_set(err, ERR_USAGE,
                       "--print-pin needs the title of an account of "
                       "the run file behind it");
    }
    if (options->mode == OPTIONS_DISCOVER && options->account_count > 0)
        return err_set(err, ERR_USAGE, "--discover takes one address, and no account");
    return options->daemon > 0 ? check_daemon(options, err) : 0;
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
    static const char LETTERS[] = ":cakKFl:B:m:t:j:f:d:L:svVNU";
    struct option longs[LONG_MAX_COUNT];
    fill_long(longs);
    *options = (struct options){.mode = OPTIONS_POLL};
    rewind_getopt();
    int letter;
    while ((letter = getopt_long(argc, argv, LETTERS, longs, NULL)) != -1) {
        if (letter == ':') {
            return err_set(err, ERR_USAGE, "--%s needs a value; see fetchpop --help",
                           name_of(optopt));
        }
        if (letter == '?' && optopt != 0 && name_of(optopt)[0] != '?')
            return err_set(err, ERR_USAGE, "--%s takes no value", name_of(optopt));
        if (letter == '?')
            return refuse(optopt, argv[optind - 1], err);
        if (letter == HELP || letter == 'V') {
            options->mode = letter == HELP ? OPTIONS_HELP : OPTIONS_VERSION;
            return 0;
        }
        if (take_option(options, letter, optarg, err) < 0)
            return -1;
    }
    options->accounts = argv + optind;
    options->account_count = (size_t)(argc - optind);
    return check_together(options, err);
}

void options_apply(const struct options *options, struct account *account)
{
    if (options->keep || options->no_keep)
        account->keep = options->keep ? ACCOUNT_KEEP : ACCOUNT_NOKEEP;
    if (options->has_max_size)
        account->max_size = options->max_size;
    if (options->max_messages > 0)
        account->max_messages = options->max_messages;
    if (options->timeout > 0)
        account->timeout = options->timeout;
    if (options->mda != NULL) {
        free(account->where);
        account->where = xstrdup(options->mda);
        account->target = DELIVER_MDA;
    }
}

struct session_switches options_switches(const struct options *options)
{
    return (struct session_switches){.fetch_seen = options->all,
                                     .never_delete = options->keep,
                                     .flush = options->flush,
                                     .force = options->force};
}

void options_print_help(FILE *to)
{
    fputs("usage: fetchpop [options] [account ...]\n"
          "Fetches mail from POP3 servers, each message exactly once. Without a name: from all\n"
          "accounts of the run file that are enabled.\n\n",
          to);
    for (size_t i = 0; i < COUNT(ROWS); i++)
        fprintf(to, "  %-22s %s\n", ROWS[i].left, ROWS[i].help);
    fputs("\nThe manual is fetchpop(1); the run file is described in fetchpoprc(5).\n", to);
}

void options_print_version(FILE *to)
{
    fputs(PACKAGE_STRING
          "\n"
          "Copyright The fetchpop authors. ISC licence: use it as you like, without warranty.\n",
          to);
}
