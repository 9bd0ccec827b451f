/* SPDX-License-Identifier: ISC */
#include "app/rcparse.h"

#include <assert.h>
#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/capture.h"
#include "app/endpoint.h"
#include "app/keys.h"
#include "app/rcglob.h"
#include "app/rcscan.h"
#include "app/rcwords.h"
#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"

#define STREAM_BUFFER (64 * 1024) /* octets read at once */
#define LEXER_STRING 4096         /* passwords are not longer */
#define FILLER_LEAD "jobs = \""
#define FILLER (sizeof FILLER_LEAD - 1 + LEXER_STRING + 2)

_Static_assert(FILLER <= RCTEXT_MARGIN, "a filler goes into each margin");

/* One parse, with all files that include each other. libconfuse has no argument for callbacks, so
 * each level of its tables holds an `include` function whose pointer leads here. */
struct parse {
    struct rctext files[RCPARSE_INCLUDES]; /* being read right now, the outermost first */
    size_t sections_met[RCPARSE_INCLUDES];
    size_t depth;
    bool printed; /* what is read is not the file, but what accounts_command printed */
    struct rcparse *into;
    const struct rcparse_want *want;
    cfg_t *root;
    struct section *current; /* the account or defaults whose keys are coming in, or NULL */
    struct section *rule;    /* in it the rule, or NULL */
    struct err *err;         /* the first one stays */
};

/* --- places and errors ------------------------------------------------------------------------ */

static struct parse *find_parse(const cfg_t *cfg)
{
    for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++)
        if (opt->type == CFGT_FUNC)
            return (struct parse *)(void *)opt->simple_value.ptr;
    return NULL;
}

static struct parse *parse_of(const cfg_t *cfg)
{
    struct parse *parse = find_parse(cfg);
    assert(parse != NULL); /* every table of ours has its function */
    return parse;
}

/* The file that this line of the text is in, and its own number there. */
static const struct rctext_part *here(const struct parse *parse, unsigned line)
{
    return rctext_part(&parse->files[parse->depth - 1], line);
}

__attribute__((format(printf, 3, 4))) static int refuse(struct parse *parse, unsigned line,
                                                        const char *fmt, ...)
{
    if (parse->err->kind != ERR_NONE)
        return -1;
    char words[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    const struct rctext_part *part = here(parse, line);
    parse->into->fault = parse->depth == 1 && !parse->printed ? line : 0;
    return err_set(parse->err, ERR_CONFIG, "%s:%u: %s", part->name, line - part->first + 1, words);
}

static enum key_scope scope_of(const cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0   ? KEY_TOP
           : strcmp(cfg->name, "rule") == 0 ? KEY_RULE
                                            : KEY_ACCOUNT;
}

/* See rcwords_explain. */
static void on_error(cfg_t *cfg, const char *fmt, va_list args)
{
    struct parse *parse = find_parse(cfg);
    if (parse == NULL || parse->depth == 0)
        return;
    char said[400], text[600];
    /* The format is libconfuse's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(said, sizeof said, fmt, args);
#pragma GCC diagnostic pop
    unsigned line = (unsigned)cfg->line;
    struct str shown = rctext_line(&parse->files[parse->depth - 1], line);
    refuse(parse, line, "%s", rcwords_explain(said, shown, scope_of(cfg), text, sizeof text));
}

/* --- what libconfuse calls -------------------------------------------------------------------- */

/* In one block: single ones, once freed, would leave holes between the accounts, which each worker
 * would fill, and so copy their pages. */
static struct section *add_account(struct rcparse *into)
{
    if (into->account_count == into->account_room) {
        into->account_room = into->account_room * 2 + 16;
        into->accounts = xreallocarray(into->accounts, into->account_room, sizeof *into->accounts);
    }
    return &into->accounts[into->account_count++];
}

/* libconfuse tells of a section by its first key, or by its end. */
static int begin_section(struct parse *parse, cfg_t *cfg)
{
    if (parse->current != NULL)
        return 0;
    struct rctext *file = &parse->files[parse->depth - 1];
    size_t *met = &parse->sections_met[parse->depth - 1];
    unsigned line = *met < file->section_count ? file->sections[*met] : (unsigned)cfg->line;
    (*met)++;
    bool is_account = strcmp(cfg->name, "account") == 0;
    if (!is_account && parse->into->defaults != NULL)
        return refuse(parse, line, "a second defaults (the first is in line %u of %s); join them",
                      parse->into->defaults->line, parse->into->defaults->file);
    if (!is_account)
        parse->into->defaults = xmalloc(sizeof *parse->into->defaults);
    parse->current = is_account ? add_account(parse->into) : parse->into->defaults;
    *parse->current = (struct section){.title = is_account ? xstrdup(cfg->title) : NULL,
                                       .file = here(parse, line)->name,
                                       .line = line - here(parse, line)->first + 1};
    return 0;
}

/* The account or defaults around a rule: libconfuse takes ended accounts away, see end_section. */
static cfg_t *around_rule(const struct parse *parse)
{
    cfg_opt_t *accounts = cfg_getopt(parse->root, "account");
    unsigned count = cfg_opt_size(accounts);
    return count > 0 ? cfg_opt_getnsec(accounts, count - 1) : cfg_getsec(parse->root, "defaults");
}

/* libconfuse counts the lines of a rule in the rule, so that the level around it still has the one
 * in which it began. */
static int begin_rule(struct parse *parse)
{
    if (parse->rule != NULL)
        return 0;
    cfg_t *around = around_rule(parse);
    if (begin_section(parse, around) < 0)
        return -1;
    unsigned line = (unsigned)around->line;
    const struct rctext_part *file = here(parse, line);
    parse->rule = section_add_rule(parse->current, file->name, line - file->first + 1);
    return 0;
}

/* At the closing brace; rcscan has refused rules with nothing in them. */
static int end_rule(cfg_t *cfg, cfg_opt_t *opt)
{
    parse_of(cfg)->rule = NULL;
    cfg_opt_rmnsec(opt, cfg_opt_size(opt) - 1);
    return 0;
}

/* A text of the section, else of the defaults so far, else NULL. */
static const char *text_of(const struct parse *parse, const struct section *section,
                           const char *name)
{
    const struct key *key = keys_find(name, KEY_ACCOUNT);
    const struct setting *setting = section_find(section, key);
    if (setting->count == 0 && parse->into->defaults != NULL)
        setting = section_find(parse->into->defaults, key);
    return setting->items;
}

/* Is it known already that this account is another shard's? If not, convert_all finds out. */
static bool is_others(const struct parse *parse, const struct section *section)
{
    const char *server = text_of(parse, section, "server");
    const char *user = text_of(parse, section, "user");
    struct err ignored;
    if (parse->want->shard.count == 0 || server == NULL || user == NULL)
        return false;
    char *host = endpoint_host(str_from(server), &ignored);
    bool others = host != NULL && !shard_has(&parse->want->shard, host, user);
    free(host);
    return others;
}

/* There may be a hundred thousand accounts, and only our shard's are to take memory. */
static void drop_others(struct parse *parse)
{
    struct section *last = parse->current;
    if (last == parse->into->defaults || !is_others(parse, last))
        return;
    section_clear(last);
    parse->into->account_count--;
    parse->into->other_count++;
}

/* At the closing brace: `cfg` is the level around the section. An account is taken out of
 * libconfuse's hands at once: it holds 8 kB for each, and silently gives a second section of one
 * title the place of the first. */
static int end_section(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parse *parse = parse_of(cfg);
    unsigned last = cfg_opt_size(opt) - 1;
    int result = begin_section(parse, cfg_opt_getnsec(opt, last));
    if (result == 0)
        drop_others(parse);
    parse->current = NULL;
    if (result == 0 && (opt->flags & CFGF_MULTI) != 0)
        cfg_opt_rmnsec(opt, last);
    return result;
}

static bool belongs(const cfg_t *cfg, const cfg_opt_t *opt)
{
    for (const cfg_opt_t *own = cfg->opts; own->name != NULL; own++)
        if (own == opt)
            return true;
    return false;
}

/* See add_filler. */
static bool is_filler(const char *value)
{
    return value[0] == 'x' && strspn(value, "x") == LEXER_STRING && value[LEXER_STRING] == '\0';
}

/* Each value comes by here. libconfuse itself gets to keep an empty text. */
static int keep_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    *(const char **)result = "";
    struct parse *parse = parse_of(cfg);
    if (is_filler(value))
        return 0;
    unsigned line = (unsigned)cfg->line;
    enum key_scope scope = scope_of(cfg);
    /* A name such as account=work|port reaches into another section. */
    if (!belongs(cfg, opt))
        return refuse(parse, line, "a name with | in it is not a key; fetchpoprc(5) lists them");
    if ((scope == KEY_ACCOUNT && begin_section(parse, cfg) < 0) ||
        (scope == KEY_RULE && begin_rule(parse) < 0))
        return -1;
    struct section *section = scope == KEY_TOP    ? &parse->into->top
                              : scope == KEY_RULE ? parse->rule
                                                  : parse->current;
    const struct rctext_part *file = here(parse, line);
    const struct key *key = keys_find(opt->name, scope);
    const struct setting *setting = section_find(section, key);
    /* In a list the second item finds one there already; so does the first after another `=`. */
    if (setting->count > 0 && (!key->list || cfg_opt_size(opt) <= 1))
        return refuse(parse, line, "%s is there already (line %u); keep one of them", opt->name,
                      setting->line);
    if (file->others_read && keys_hide(key, value))
        return refuse(parse, line,
                      "a password in a file that others can read; chmod 600 %s, or use "
                      "password_command",
                      file->name);
    section_add(section, key, value, file->name, line - file->first + 1);
    return 0;
}

static int read_file(struct parse *parse, cfg_t *cfg, struct rctext *text);
static int read_text(struct parse *parse, cfg_t *cfg, struct rctext *text);

static bool is_open(const struct parse *parse, const struct rctext_part *part)
{
    for (size_t i = 0; i < parse->depth; i++)
        for (size_t j = 0; j < parse->files[i].part_count; j++)
            if (parse->files[i].parts[j].device == part->device &&
                parse->files[i].parts[j].inode == part->inode)
                return true;
    return false;
}

/* The text of one file that is included in this line. */
static int open_included(struct parse *parse, unsigned line, const char *path, struct rctext *text)
{
    if (rctext_read(text, path, parse->err) < 0) {
        const struct rctext_part *part = here(parse, line);
        return err_prefix(parse->err, "%s:%u: include", part->name, line - part->first + 1);
    }
    if (!is_open(parse, text->parts))
        return 0;
    rctext_free(text);
    return refuse(parse, line, "%s includes itself; remove one of the includes", path);
}

/* Behind each text the parser's buffers have to be filled, which takes longer than reading a small
 * file: so those are read as one. */
static int read_files(struct parse *parse, cfg_t *cfg, char **paths, size_t count)
{
    struct rctext all, one;
    unsigned line = (unsigned)cfg->line;
    int result = 0;
    rctext_begin(&all);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = open_included(parse, line, paths[i], &one);
        if (result == 0 && one.size >= RCTEXT_PIECE) {
            result = read_file(parse, cfg, &one);
            continue;
        }
        if (result == 0 && rcscan_text(&one, parse->err) < 0) {
            rctext_free(&one);
            result = -1;
        }
        if (result == 0 && !rctext_append(&all, &one)) {
            result = read_text(parse, cfg, &all);
            rctext_begin(&all);
            rctext_append(&all, &one);
        }
    }
    if (result == 0 && all.part_count > 0)
        return read_text(parse, cfg, &all);
    rctext_free(&all);
    return result;
}

static int include_pattern(struct parse *parse, cfg_t *cfg, const char *pattern)
{
    struct err why;
    struct rcglob found;
    if (rcglob_find(&found, pattern, &why) < 0)
        return refuse(parse, (unsigned)cfg->line, "%s", why.text);
    int result = read_files(parse, cfg, found.paths, found.count);
    rcglob_free(&found);
    return result;
}

/* include("path") or include("pattern"), relative to the file it stands in. */
static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    struct parse *parse = parse_of(cfg);
    unsigned line = (unsigned)cfg->line;
    struct rctext text;
    (void)opt;
    if (scope_of(cfg) != KEY_TOP)
        return refuse(parse, line, "include belongs at the top level, outside of accounts");
    if (argc != 1 || argv[0][0] == '\0')
        return refuse(parse, line, "include takes one path: include(\"more\")");
    if (parse->depth == RCPARSE_INCLUDES)
        return refuse(parse, line,
                      "more than %d files inside each other; include them from one file",
                      RCPARSE_INCLUDES);
    const struct rctext_part *part = here(parse, line);
    char *folder = file_parent(part->is_input ? "" : part->name);
    char *path = file_expand(argv[0], strcmp(folder, ".") == 0 ? NULL : folder);
    int result;
    if (rcglob_is_pattern(argv[0]))
        result = include_pattern(parse, cfg, path);
    else if ((result = open_included(parse, line, path, &text)) == 0)
        result = read_file(parse, cfg, &text);
    free(folder);
    free(path);
    return result;
}

/* --- one text --------------------------------------------------------------------------------- */

/* libconfuse frees its buffer for strings at the end of each file, with the last ones in it, and
 * moves it when it grows. So the first string of a file is longer than any password, and so is the
 * last; keep_value passes them over. */
static size_t add_filler(char *to)
{
    memcpy(to, FILLER_LEAD, sizeof FILLER_LEAD - 1);
    memset(to + sizeof FILLER_LEAD - 1, 'x', LEXER_STRING);
    memcpy(to + sizeof FILLER_LEAD - 1 + LEXER_STRING, "\" ", 2);
    return FILLER;
}

static int parse_stream(cfg_t *cfg, char *bytes, size_t size)
{
    FILE *stream = fmemopen(bytes, size, "r");
    if (stream == NULL)
        return -1;
    /* A buffer of stdio's own would keep a copy; with none it reads octet by octet. */
    char *buffer = xmalloc(STREAM_BUFFER);
    setvbuf(stream, buffer, _IOFBF, STREAM_BUFFER);
    int result = cfg_parse_fp(cfg, stream);
    fclose(stream);
    secret_wipe_bytes(buffer, STREAM_BUFFER);
    free(buffer);
    return result == CFG_SUCCESS ? 0 : -1;
}

/* In the text's own margins. */
static int run_parser(cfg_t *cfg, const struct rctext *text)
{
    char *end = text->data + text->size;
    add_filler(text->data - FILLER);
    memset(end, '\n', RCTEXT_PADDING);
    add_filler(end + RCTEXT_PADDING);
    return parse_stream(cfg, text->data - FILLER, text->size + RCTEXT_PADDING + 2 * FILLER);
}

/* Errors name files until the end. */
static void keep_parts(struct parse *parse, struct rctext *text)
{
    size_t count = parse->into->text_count++;
    parse->into->parts = xreallocarray(parse->into->parts, count + 1, sizeof *parse->into->parts);
    parse->into->part_counts =
        xreallocarray(parse->into->part_counts, count + 1, sizeof *parse->into->part_counts);
    parse->into->parts[count] = text->parts;
    parse->into->part_counts[count] = text->part_count;
    text->parts = NULL;
    text->part_count = 0;
}

/* Takes over a text that rcscan has seen. Also called inside itself, by include. */
static int read_text(struct parse *parse, cfg_t *cfg, struct rctext *text)
{
    char *outer_name = cfg->filename;
    int outer_line = cfg->line;
    cfg->filename = xstrdup(text->parts->name);
    parse->sections_met[parse->depth] = 0;
    parse->files[parse->depth++] = *text;
    int result = 0;
    if (run_parser(cfg, text) < 0)
        result = refuse(parse, (unsigned)cfg->line,
                        "this is not a configuration file; fetchpoprc(5) begins with one");
    struct rctext *mine = &parse->files[--parse->depth];
    keep_parts(parse, mine);
    rctext_free(mine);
    free(cfg->filename);
    cfg->filename = outer_name;
    cfg->line = outer_line;
    return result;
}

/* Takes over the text of one file. */
static int read_file(struct parse *parse, cfg_t *cfg, struct rctext *text)
{
    if (rcscan_text(text, parse->err) == 0)
        return read_text(parse, cfg, text);
    if (parse->depth == 0 && !parse->printed)
        parse->into->fault = text->fault;
    rctext_free(text);
    return -1;
}

/* Accounts from a database, say: as if they stood behind the whole file. */
static int read_printed(struct parse *parse, cfg_t *cfg, const struct setting *command)
{
    struct buf output;
    struct rctext text;
    const struct capture capture = {
        .key = command->key->name,
        .command = command->items,
        .seconds = RCPARSE_COMMAND_SECONDS,
        .output = &output,
        .wanted = "accounts",
        .failed = ERR_LOCAL,
    };
    if (command->items[0] == '\0')
        return err_set(parse->err, ERR_CONFIG,
                       "%s:%u: accounts_command is empty; leave the key out instead", command->file,
                       command->line);
    buf_init(&output, RCTEXT_MAX);
    buf_reserve(&output, RCTEXT_MAX); /* it takes no memory before it is used */
    size_t before = parse->into->account_count + parse->into->other_count;
    int result = capture_run(&capture, parse->want->log, parse->err);
    if (result < 0)
        err_prefix(parse->err, "%s:%u", command->file, command->line);
    else
        result = rctext_from(&text, command->key->name, output.data, output.len, parse->err);
    secret_wipe_bytes(output.data, output.len);
    buf_free(&output);
    if (result < 0)
        return -1;
    text.parts->is_input = true;
    parse->printed = true;
    if (read_file(parse, cfg, &text) < 0)
        return -1;
    if (parse->into->account_count + parse->into->other_count > before)
        return 0;
    /* a database that is away: its accounts are not gone because nobody named them */
    return err_set(parse->err, ERR_LOCAL,
                   "%s:%u: accounts_command printed no account; run it by hand", command->file,
                   command->line);
}

/* Writes libconfuse's row of each key, and gives back the place behind them. */
static cfg_opt_t *add_keys(cfg_opt_t *to, enum key_scope scope)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    for (const struct key *key = keys; key < keys + count; key++)
        if (key->scope == scope && key->list)
            *to++ = (cfg_opt_t)CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, keep_value);
        else if (key->scope == scope)
            *to++ = (cfg_opt_t)CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, keep_value);
    return to;
}

/* No key has a default of libconfuse's. Looking for one, it compares each name with every other in
 * every section; this flag makes it believe that it has done so. */
#define MANY (CFGF_MULTI | CFGF_DEFINIT)

/* All levels of libconfuse's tables; it makes a copy of them. */
static cfg_t *new_parser(struct parse *parse)
{
    size_t count;
    keys_all(&count);
    cfg_opt_t *rule = xcalloc(count + 2, sizeof *rule);
    cfg_opt_t *inner = xcalloc(count + 3, sizeof *inner);
    cfg_opt_t *outer = xcalloc(count + 4, sizeof *outer);
    cfg_opt_t anchor = CFG_FUNC("include", include);
    anchor.simple_value.ptr = (void **)(void *)parse;
    cfg_opt_t *to = add_keys(rule, KEY_RULE);
    *to++ = anchor;
    *to = (cfg_opt_t)CFG_END();
    to = add_keys(inner, KEY_ACCOUNT);
    *to = (cfg_opt_t)CFG_SEC("rule", rule, MANY | CFGF_NODEFAULT);
    to++->validcb = end_rule;
    *to++ = anchor;
    *to = (cfg_opt_t)CFG_END();
    to = add_keys(outer, KEY_TOP);
    *to++ = (cfg_opt_t)CFG_SEC("defaults", inner, CFGF_NODEFAULT);
    *to++ = (cfg_opt_t)CFG_SEC("account", inner, MANY | CFGF_TITLE);
    *to++ = anchor;
    *to = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(outer, CFGF_NONE);
    free(rule);
    free(inner);
    free(outer);
    return cfg;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int parse_all(struct parse *parse, cfg_t *cfg, struct rctext *text)
{
    parse->root = cfg;
    cfg_set_error_function(cfg, on_error);
    cfg_set_validate_func(cfg, "defaults", end_section);
    cfg_set_validate_func(cfg, "account", end_section);
    if (read_file(parse, cfg, text) < 0)
        return -1;
    const struct key *key = keys_find("accounts_command", KEY_TOP);
    const struct setting *command = section_find(&parse->into->top, key);
    return command->count > 0 ? read_printed(parse, cfg, command) : 0;
}

int rcparse_text(struct rcparse *into, struct rctext *text, const struct rcparse_want *want,
                 struct err *err)
{
    struct parse parse = {.into = into, .want = want, .err = err};
    *into = (struct rcparse){0};
    err_clear(err);
    cfg_t *cfg = new_parser(&parse);
    if (cfg == NULL) {
        rctext_free(text);
        return err_set(
            err, ERR_SYSTEM,
            "no memory for the configuration file; end other programs, or raise the limit");
    }
    int result = parse_all(&parse, cfg, text);
    cfg_free(cfg);
    return result;
}

void rcparse_free(struct rcparse *parsed)
{
    section_clear(&parsed->top);
    if (parsed->defaults != NULL) {
        section_clear(parsed->defaults);
        free(parsed->defaults);
    }
    for (size_t i = 0; i < parsed->account_count; i++)
        section_clear(&parsed->accounts[i]);
    free(parsed->accounts);
    for (size_t i = 0; i < parsed->text_count; i++) {
        for (size_t j = 0; j < parsed->part_counts[i]; j++)
            free(parsed->parts[i][j].name);
        free(parsed->parts[i]);
    }
    free(parsed->parts);
    free(parsed->part_counts);
    *parsed = (struct rcparse){0};
}
