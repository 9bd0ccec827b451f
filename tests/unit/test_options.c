/* SPDX-License-Identifier: ISC */
/* The command line: every option, letters and names of old, and what does not go together. */
#include "app/options.h"

#include <stdlib.h>
#include <string.h>

#include "app/usage.h"
#include "base/xalloc.h"
#include "tap.h"

#define ARGS_MAX 20

struct line {
    char *args[ARGS_MAX + 1];
    int count;
};

/* Splits at blanks; '_' stands for a blank inside an argument. */
static void split(struct line *line, const char *text)
{
    line->count = 0;
    line->args[line->count++] = xstrdup("fetchpop");
    struct str rest = str_from(text);
    for (struct str word = str_word(&rest); word.len > 0; word = str_word(&rest)) {
        char *copy = xmemdup0(word.ptr, word.len);
        for (char *p = copy; *p != '\0'; p++)
            *p = *p == '_' ? ' ' : *p;
        line->args[line->count++] = copy;
    }
    line->args[line->count] = NULL;
}

static void drop(struct line *line)
{
    for (int i = 0; i < line->count; i++)
        free(line->args[i]);
}

static int read_options(struct options *options, struct line *line, struct err *err)
{
    return options_parse(options, line->count, line->args, err) < 0 ? -1
                                                                    : usage_check(options, err);
}

static void refused(const char *text, const char *words)
{
    struct line line;
    struct options options;
    struct err err;
    err_clear(&err);
    split(&line, text);
    int result = read_options(&options, &line, &err);
    if (!ok(result == -1 && err_status(err.kind) == 64 && strstr(err.text, words) != NULL, "64: %s",
            text))
        printf("#      got: %d, %s\n# expected: %s\n", result, err.text, words);
    drop(&line);
}

/* The result's texts live as long as the line. */
static struct options taken(struct line *line, const char *text)
{
    struct options options;
    struct err err;
    err_clear(&err);
    split(line, text);
    if (!ok(read_options(&options, line, &err) == 0, "taken: %s", text))
        printf("# %s\n", err.text);
    return options;
}

static void test_letters(void)
{
    struct line line;
    struct options o = taken(&line, "");
    ok(o.mode == OPTIONS_POLL && o.account_count == 0 && !o.all && !o.keep && !o.no_keep &&
           !o.flush && !o.silent && !o.verbose && !o.no_fork && !o.has_max_size,
       "nothing is set of itself");
    ok(o.config_file == NULL && o.state_dir == NULL && o.mda == NULL && o.jobs == 0 &&
           o.max_messages == 0 && o.timeout == 0,
       "nor any value");
    drop(&line);

    o = taken(&line, "-akFvNU -l 20K -B 7 -m cat_-n -t 2m -j 3 -f rc one two");
    ok(o.all && o.keep && o.flush && o.verbose && !o.no_keep && !o.silent, "flags are read");
    ok(o.has_max_size && o.max_size == 20480, "-l is read");
    is_int(o.max_messages, 7, "-B is read");
    is_str(o.mda, "cat -n", "-m is read");
    is_int(o.timeout, 120, "-t is read");
    is_int(o.jobs, 3, "-j is read");
    is_str(o.config_file, "rc", "-f is read");
    is_int((long long)o.account_count, 2, "two accounts are named");
    is_str(o.accounts[1], "two", "the second one");
    drop(&line);

    o = taken(&line, "-d 5m -L log --syslog -s");
    is_int(o.daemon, 300, "-d is read");
    is_str(o.log_file, "log", "-L is read");
    ok(o.syslog, "--syslog is read");
    drop(&line);
    o = taken(&line, "--daemon 86400 --logfile=log");
    is_int(o.daemon, 86400, "--daemon takes seconds, too");
    drop(&line);

    o = taken(&line, "one -Ks -- -two");
    ok(o.no_keep && o.silent, "options behind a name");
    is_int((long long)o.account_count, 2, "-- ends options");
    is_str(o.accounts[1], "-two", "a name with a dash");
    drop(&line);

    o = taken(&line, "-v -v -v");
    ok(o.verbose, "-v may be repeated");
    drop(&line);
}

static void test_names(void)
{
    struct line line;
    struct options o =
        taken(&line, "--all --nokeep --flush --silent --limit=0 --fetchlimit=1 --mda=x --timeout 5 "
                     "--jobs 16 --config - --state-dir d --no-fork");
    ok(o.all && o.no_keep && o.flush && o.silent && o.no_fork, "flags are read");
    ok(o.has_max_size && o.max_size == 0, "--limit 0 takes a limit away");
    ok(o.max_messages == 1 && o.timeout == 5 && o.jobs == 16, "numbers are read");
    is_str(o.config_file, "-", "--config is read");
    is_str(o.state_dir, "d", "--state-dir is read");
    drop(&line);

    o = taken(&line, "--fetchall --fetchmailrc rc --nodetach --uidl --quiet");
    ok(o.all && o.silent && strcmp(o.config_file, "rc") == 0, "names of fetchmail and mpop");
    drop(&line);

    o = taken(&line, "--rcfile=rc");
    is_str(o.config_file, "rc", "--rcfile is another name of --config");
    drop(&line);
}

static void test_modes(void)
{
    static const struct {
        const char *text;
        enum options_mode mode;
    } MODES[] = {
        {"-c", OPTIONS_CHECK},
        {"--check", OPTIONS_CHECK},
        {"--dry-run", OPTIONS_DRY_RUN},
        {"--status", OPTIONS_STATUS},
        {"--retry u", OPTIONS_RETRY},
        {"--help", OPTIONS_HELP},
        {"-h", OPTIONS_HELP},
        {"-V", OPTIONS_VERSION},
        {"--version -q", OPTIONS_VERSION},
        {"--print-pin a b", OPTIONS_PRINT_PIN},
        {"--discover alice@example.com", OPTIONS_DISCOVER},
        {"--import mpop a b", OPTIONS_IMPORT},
        {"--check-config", OPTIONS_CHECK_CONFIG},
        {"--export-state a", OPTIONS_EXPORT_STATE},
        {"--import-state a", OPTIONS_IMPORT_STATE},
        {"--print-config -f x", OPTIONS_PRINT_CONFIG},
        {"--setup alice@example.com", OPTIONS_SETUP},
        {"--import-seen uidl list a", OPTIONS_IMPORT_SEEN},
        {"--catch-up --newest 3 a", OPTIONS_CATCH_UP},
    };
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        struct line line;
        struct options o = taken(&line, MODES[i].text);
        is_int(o.mode, MODES[i].mode, MODES[i].text);
        drop(&line);
    }
    refused("-c --dry-run", "only one of");
    refused("--status --retry x", "only one of");
    refused("--print-pin --check a", "only one of");
    refused("--accept-pin", "--accept-pin is for a poll of accounts that are named");
    refused("--accept-pin --check a", "--accept-pin is for a poll");
    refused("--accept-pin -d 60 a", "--accept-pin is for a poll");
    refused("--accept-pin pop3s://u@h --maildir m", "--accept-pin is for a poll");
    refused("--discover a@b --status", "only one of");
    refused("--import fdm -c", "only one of");
    refused("--print-pin", "needs the title of an account of the configuration file");
    refused("--discover a@b home", "takes one address, and no account");
    refused("--discover", "needs a value");
}

static void test_refused(void)
{
    static const char RESERVED[] = "einpPqQrSuwx";
    for (const char *p = RESERVED; *p != '\0'; p++) {
        char text[4] = {'-', *p, '\0'};
        refused(text, " is not supported");
    }
    refused("-k -K", "--keep and --nokeep contradict");
    refused("-s -v", "--silent and --verbose contradict");
    refused("-Z", "no such option: -Z");
    refused("--chek", "--chek");
    refused("--sta", "--sta could be --state-dir, --status; write more of it");
    refused("--xyz=3", "no such option: --xyz=3; see fetchpop --help");
    refused("--daemon", "--daemon needs a value");
    refused("-d 0", "--daemon takes a duration");
    refused("-d 2d", "--daemon takes a duration");
    refused("-d -1", "--daemon takes a duration");
    refused("-d x", "not \"x\"");
    refused("-d 60 -c", "goes with none of --check");
    refused("--dry-run -d 60", "goes with none of");
    refused("-d 60 --status", "goes with none of");
    refused("-d 60 --retry x", "goes with none of");
    refused("-d 60 --print-pin a", "goes with none of");
    refused("-d 60 --discover a@b", "goes with none of");
    refused("-d 60 --no-fork", "--daemon needs workers");
    refused("-d 60 --force", "send USR1");
    refused("-d 60 -a", "--all with --daemon");
    refused("-L", "--logfile needs a value");
    refused("--logfile=", "--logfile needs a value that is not empty");
    refused("--check=3", "--check takes no value");
    refused("-B", "--fetchlimit needs a value");
    refused("--mda", "--mda needs a value (COMMAND); see fetchpop --help");
    refused("--fetchmailrc", "--config needs a value");
    refused("-B 0", "--fetchlimit takes a number");
    refused("-B x", "not \"x\"");
    refused("-B -1", "not \"-1\"");
    refused("-j 1001", "--jobs takes a number");
    refused("-l 20MB", "--limit takes a size");
    refused("-t 0", "--timeout takes a duration");
    refused("-t 2d", "--timeout takes a duration");
    refused("-m _", "--mda needs a command");
    refused("-m x_%T", "FETCHPOP_RECIPIENT");
    refused("-m x_%F", "FETCHPOP_SENDER");
}

static void test_apply(void)
{
    struct account account = {.keep = ACCOUNT_KEEP_FOR,
                              .where = xstrdup("/m"),
                              .timeout = 60,
                              .max_size = 5,
                              .max_messages = 6,
                              .target = DELIVER_MAILDIR};
    struct line line;
    struct options o = taken(&line, "");
    options_apply(&o, &account);
    ok(account.keep == ACCOUNT_KEEP_FOR && account.timeout == 60 && account.max_size == 5 &&
           account.max_messages == 6 && account.target == DELIVER_MAILDIR,
       "without options the configuration file holds");
    struct session_switches s = options_switches(&o);
    ok(!s.fetch_seen && !s.never_delete && !s.flush && !s.force, "and nothing else is asked for");
    drop(&line);
    o = taken(&line, "-K -F -a -l none -B 9 -t 7 -m cat");
    options_apply(&o, &account);
    s = options_switches(&o);
    ok(account.keep == ACCOUNT_NOKEEP && s.flush && s.fetch_seen && !s.never_delete && !s.force,
       "-K -F -a");
    ok(account.max_size == 0 && account.max_messages == 9 && account.timeout == 7, "-l -B -t");
    ok(account.target == DELIVER_MDA && strcmp(account.where, "cat") == 0, "-m is read");
    drop(&line);
    o = taken(&line, "-k");
    options_apply(&o, &account);
    ok(account.keep == ACCOUNT_NOKEEP && options_switches(&o).never_delete,
       "-k deletes nothing, and the policy stays");
    drop(&line);
    o = taken(&line, "--force");
    ok(options_switches(&o).force && !options_switches(&o).accept_pin, "--force is read");
    drop(&line);
    o = taken(&line, "--accept-pin a");
    ok(options_switches(&o).force && options_switches(&o).accept_pin, "--accept-pin polls at once");
    drop(&line);
    free(account.where);
}

int main(void)
{
    test_letters();
    test_names();
    test_modes();
    test_refused();
    test_apply();
    return tap_done();
}
