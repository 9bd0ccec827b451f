#include "app/config.h"

#include <assert.h>
#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "app/keys.h"
#include "app/near.h"
#include "app/rcscan.h"
#include "app/rctext.h"
#include "app/settings.h"
#include "app/twins.h"
#include "base/file.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "import/import.h"

#define STREAM_BUFFER 4096 /* octets read at once */
#define LEXER_STRING 4096  /* passwords are not longer */
#define CHECK_MAX 100      /* mistakes that are told */
#define FILLER_LEAD "jobs = \""
#define FILLER (sizeof FILLER_LEAD - 1 + LEXER_STRING + 2)

/* One parse, with all files that include each other. libconfuse has no argument for callbacks, so
 * each level of its tables holds an `include` function whose pointer leads here. */
struct parse {
    struct rctext files[CONFIG_INCLUDES]; /* being read right now, the outermost first */
    size_t sections_met[CONFIG_INCLUDES];
    size_t depth;
    char **names; /* of all files so far; places point into it */
    size_t name_count;
    struct section top;
    struct section *defaults; /* NULL: none yet */
    struct section **accounts;
    size_t account_count;
    struct section *current; /* the section whose keys are coming in, or NULL */
    struct err *err;         /* the first one stays */
    unsigned fault;          /* its line, if it is one of the outermost file; 0: it is not */
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
    parse->fault = parse->depth == 1 ? line : 0;
    return err_set(parse->err, ERR_CONFIG, "%s:%u: %s", parse->files[parse->depth - 1].name, line,
                   words);
}

static bool is_top(const cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0;
}

/* What is between the first quote and the last one of libconfuse's words. */
static bool quoted(const char *words, char *out, size_t cap)
{
    const char *from = strchr(words, '\'');
    const char *to = strrchr(words, '\'');
    if (from == NULL || to == from || (size_t)(to - from) > cap)
        return false;
    size_t len = (size_t)(to - from) - 1;
    memcpy(out, from + 1, len);
    out[len] = '\0';
    return true;
}

static void refuse_unknown(struct parse *parse, unsigned line, bool top, const char *word)
{
    const char *near = near_key(word, top);
    const char *other = near_key(word, !top);
    bool elsewhere = keys_find(word, !top) != NULL;
    if (strchr(word, '|') != NULL) {
        refuse(parse, line, "no such key: \"%s\"", word);
    } else if (elsewhere && top) {
        refuse(parse, line, "%s belongs inside an account or defaults", word);
    } else if (elsewhere) {
        refuse(parse, line, "%s belongs at the top level, outside of accounts", word);
    } else if (near == NULL && other != NULL && top) {
        refuse(parse, line, "no such key: \"%s\"; did you mean %s, inside an account?", word,
               other);
    } else if (near != NULL) {
        refuse(parse, line, "no such key: \"%s\"; did you mean %s?", word, near);
    } else {
        refuse(parse, line, "no such key: \"%s\"; fetchpoprc(5) lists them", word);
    }
}

/* Does `KEY =` stand somewhere in the line? */
static bool sets(struct str line, const char *name)
{
    size_t len = strlen(name);
    for (; line.len > 0; line = str_behind(line, 1)) {
        if (!str_has_prefix_nocase(line, name))
            continue;
        struct str behind = str_trim(str_behind(line, len));
        if (behind.len > 0 && (behind.ptr[0] == '=' || behind.ptr[0] == '+'))
            return true;
    }
    return false;
}

/* Behind `password =` and its like a word that makes no sense may be a part of the secret. */
static bool is_behind_secret(struct str line)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    for (size_t i = 0; i < count; i++)
        if (keys[i].secret && sets(line, keys[i].name))
            return true;
    return false;
}

/* libconfuse's messages, replaced by ours where a person would not know what to do. It has no codes
 * for them; test_config pins each text that is looked for here. */
static void on_error(cfg_t *cfg, const char *fmt, va_list args)
{
    struct parse *parse = find_parse(cfg);
    if (parse == NULL || parse->depth == 0)
        return;
    char words[400];
    char word[120];
    /* The format is libconfuse's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(words, sizeof words, fmt, args);
#pragma GCC diagnostic pop
    unsigned line = (unsigned)cfg->line;
    bool named = quoted(words, word, sizeof word);
    struct str text = str_from(words);
    struct str shown = rctext_line(&parse->files[parse->depth - 1], line);
    if (is_behind_secret(shown)) {
        refuse(parse, line,
               "a word makes no sense here (it is not shown: this line holds a secret); quote the "
               "secret, and give each key a line of its own");
    } else if (named && str_has_prefix(text, "no such option") && rctext_in_value(shown, word)) {
        refuse(parse, line,
               "no such key: \"%s\"; if it belongs to the text before it, put quotes "
               "around the whole",
               word);
    } else if (named && str_has_prefix(text, "no such option")) {
        refuse_unknown(parse, line, is_top(cfg), word);
    } else if (str_has_prefix(text, "no sub-section")) {
        refuse(parse, line, "a name with | in it is not a key");
    } else if (named && str_has_prefix(text, "missing title")) {
        refuse(parse, line, "an account needs a title: account \"work\" { ... }");
    } else if (named && str_has_prefix(text, "missing parenthesis")) {
        refuse(parse, line, "%s takes parentheses: %s(\"path\")", word, word);
    } else if (named && str_has_prefix(text, "missing equal sign")) {
        refuse(parse, line, "a = is missing after %s", word);
    } else if (named && str_has_prefix(text, "unexpected token")) {
        refuse(parse, line, "\"%s\" is not expected here; quote the value, and close lists with }",
               word);
    } else {
        refuse(parse, line, "%s", words);
    }
}

/* --- what libconfuse calls -------------------------------------------------------------------- */

static const char *keep_name(struct parse *parse, const char *name)
{
    for (size_t i = 0; i < parse->name_count; i++)
        if (strcmp(parse->names[i], name) == 0)
            return parse->names[i];
    parse->names = xreallocarray(parse->names, parse->name_count + 1, sizeof *parse->names);
    parse->names[parse->name_count] = xstrdup(name);
    return parse->names[parse->name_count++];
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
    if (!is_account && parse->defaults != NULL) {
        return refuse(parse, line, "a second defaults (the first is in line %u of %s); join them",
                      parse->defaults->line, parse->defaults->file);
    }
    struct section *section = xcalloc(1, sizeof *section);
    section->title = is_account ? xstrdup(cfg->title) : NULL;
    section->file = keep_name(parse, file->name);
    section->line = line;
    parse->current = section;
    if (!is_account) {
        parse->defaults = section;
        return 0;
    }
    parse->accounts =
        xreallocarray(parse->accounts, parse->account_count + 1, sizeof *parse->accounts);
    parse->accounts[parse->account_count++] = section;
    return 0;
}

/* At the closing brace: `cfg` is the level around the section. An account is taken out of
 * libconfuse's hands at once: it holds 8 kB for each, and silently gives a second section of one
 * title the place of the first. */
static int end_section(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parse *parse = parse_of(cfg);
    unsigned last = cfg_opt_size(opt) - 1;
    int result = begin_section(parse, cfg_opt_getnsec(opt, last));
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

/* A password, or a proxy with one: socks5://user:password@host. */
static bool holds_secret(const struct key *key, const char *value)
{
    return key->secret && (key->group == KEY_SECRET || strchr(value, '@') != NULL);
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
    bool top = is_top(cfg);
    /* A name such as account=work|port reaches into another section. */
    if (!belongs(cfg, opt))
        return refuse(parse, line, "a name with | in it is not a key");
    if (!top && begin_section(parse, cfg) < 0)
        return -1;
    struct section *section = top ? &parse->top : parse->current;
    const struct rctext *file = &parse->files[parse->depth - 1];
    const struct key *key = keys_find(opt->name, top);
    const struct setting *setting = section_find(section, key);
    /* In a list the second item finds one there already; so does the first after another `=`. */
    if (setting->count > 0 && (!key->list || cfg_opt_size(opt) <= 1)) {
        return refuse(parse, line, "%s is there already (line %u); keep one of them", opt->name,
                      setting->line);
    }
    if (file->others_read && holds_secret(key, value)) {
        return refuse(parse, line,
                      "a password in a file that others can read; chmod 600 %s, or use "
                      "password_command",
                      file->name);
    }
    section_add(section, key, value, keep_name(parse, file->name), line);
    return 0;
}

static int read_file(struct parse *parse, cfg_t *cfg, struct rctext *text);

static bool is_open(const struct parse *parse, const struct rctext *text)
{
    for (size_t i = 0; i < parse->depth; i++)
        if (parse->files[i].device == text->device && parse->files[i].inode == text->inode)
            return true;
    return false;
}

/* include("path"), relative to the file it stands in. */
static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    struct parse *parse = parse_of(cfg);
    unsigned line = (unsigned)cfg->line;
    (void)opt;
    if (!is_top(cfg))
        return refuse(parse, line, "include belongs at the top level, outside of accounts");
    if (argc != 1 || argv[0][0] == '\0')
        return refuse(parse, line, "include takes one path: include(\"more\")");
    if (parse->depth == CONFIG_INCLUDES)
        return refuse(parse, line, "more than %d files inside each other", CONFIG_INCLUDES);
    const struct rctext *here = &parse->files[parse->depth - 1];
    char *folder = file_parent(here->is_input ? "" : here->name);
    char *path = file_expand(argv[0], strcmp(folder, ".") == 0 ? NULL : folder);
    free(folder);
    struct rctext text;
    int result = rctext_read(&text, path, parse->err);
    if (result < 0) {
        err_prefix(parse->err, "%s:%u: include", here->name, line);
    } else if (is_open(parse, &text)) {
        result = refuse(parse, line, "%s includes itself", path);
        rctext_free(&text);
    } else {
        result = read_file(parse, cfg, &text);
    }
    free(path);
    return result;
}

/* --- one file --------------------------------------------------------------------------------- */

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

static int run_parser(cfg_t *cfg, const struct rctext *text)
{
    size_t size = text->size + RCTEXT_PADDING + 2 * FILLER;
    char *bytes = xmalloc(size);
    size_t at = add_filler(bytes);
    memcpy(bytes + at, text->data, text->size + RCTEXT_PADDING);
    add_filler(bytes + at + text->size + RCTEXT_PADDING);
    int result = parse_stream(cfg, bytes, size);
    secret_wipe_bytes(bytes, size);
    free(bytes);
    return result;
}

/* Takes over the text. Also called inside itself, by include. */
static int read_file(struct parse *parse, cfg_t *cfg, struct rctext *text)
{
    char *outer_name = cfg->filename;
    int outer_line = cfg->line;
    cfg->filename = xstrdup(text->name);
    parse->sections_met[parse->depth] = 0;
    parse->files[parse->depth++] = *text;
    int result = rcscan_text(&parse->files[parse->depth - 1], parse->err);
    if (result < 0 && parse->depth == 1)
        parse->fault = parse->files[0].fault;
    if (result == 0 && run_parser(cfg, &parse->files[parse->depth - 1]) < 0)
        result = refuse(parse, (unsigned)cfg->line, "this is not a configuration file");
    rctext_free(&parse->files[--parse->depth]);
    free(cfg->filename);
    cfg->filename = outer_name;
    cfg->line = outer_line;
    return result;
}

/* Writes libconfuse's row of each key, and gives back the place behind them. */
static cfg_opt_t *add_keys(cfg_opt_t *to, bool top)
{
    size_t count;
    const struct key *keys = keys_all(&count);
    for (const struct key *key = keys; key < keys + count; key++)
        if (key->top == top && key->list)
            *to++ = (cfg_opt_t)CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, keep_value);
        else if (key->top == top)
            *to++ = (cfg_opt_t)CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, keep_value);
    return to;
}

/* All levels of libconfuse's tables; it makes a copy of them. */
static cfg_t *new_parser(struct parse *parse)
{
    size_t count;
    keys_all(&count);
    cfg_opt_t *inner = xcalloc(count + 2, sizeof *inner);
    cfg_opt_t *outer = xcalloc(count + 4, sizeof *outer);
    cfg_opt_t anchor = CFG_FUNC("include", include);
    anchor.simple_value.ptr = (void **)(void *)parse;
    cfg_opt_t *to = add_keys(inner, false);
    *to++ = anchor;
    *to = (cfg_opt_t)CFG_END();
    to = add_keys(outer, true);
    *to++ = (cfg_opt_t)CFG_SEC("defaults", inner, CFGF_NODEFAULT);
    *to++ = (cfg_opt_t)CFG_SEC("account", inner, CFGF_MULTI | CFGF_TITLE);
    *to++ = anchor;
    *to = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(outer, CFGF_NONE);
    free(inner);
    free(outer);
    return cfg;
}

/* Takes over the text. */
static int parse_all(struct parse *parse, struct rctext *text)
{
    cfg_t *cfg = new_parser(parse);
    if (cfg == NULL) {
        rctext_free(text);
        return err_set(parse->err, ERR_SYSTEM, "no memory for the configuration file");
    }
    cfg_set_error_function(cfg, on_error);
    cfg_set_validate_func(cfg, "defaults", end_section);
    cfg_set_validate_func(cfg, "account", end_section);
    int result = read_file(parse, cfg, text);
    cfg_free(cfg);
    return result;
}

/* --- the result ------------------------------------------------------------------------------- */

static int check_twins(const struct parse *parse, const struct config *config, struct err *err)
{
    size_t earlier, later;
    if (twins_find(config->accounts, config->count, TWINS_TITLE, &earlier, &later)) {
        return err_set(err, ERR_CONFIG, "%s:%u: a second account \"%s\"; give each its own title",
                       parse->accounts[later]->file, parse->accounts[later]->line,
                       config->accounts[later]->title);
    }
    if (twins_find(config->accounts, config->count, TWINS_MAILBOX, &earlier, &later)) {
        return err_set(err, ERR_CONFIG,
                       "%s:%u: account \"%s\" is the same mailbox as \"%s\" (%s:%u): one "
                       "server and user; remove one of them",
                       parse->accounts[later]->file, parse->accounts[later]->line,
                       config->accounts[later]->title, config->accounts[earlier]->title,
                       parse->accounts[earlier]->file, parse->accounts[earlier]->line);
    }
    return 0;
}

static int convert_all(const struct parse *parse, struct config *config, struct err *err)
{
    if (settings_top(&parse->top, &config->top, err) < 0)
        return -1;
    config->accounts = xcalloc(parse->account_count, sizeof *config->accounts);
    for (size_t i = 0; i < parse->account_count; i++) {
        if (settings_account(parse->accounts[i], parse->defaults, &config->accounts[i], err) < 0)
            return -1;
        config->count++;
        section_clear(parse->accounts[i]); /* its place is still needed, its words are not */
    }
    return check_twins(parse, config, err);
}

static void clear(struct parse *parse)
{
    section_clear(&parse->top);
    if (parse->defaults != NULL) {
        section_clear(parse->defaults);
        free(parse->defaults);
    }
    for (size_t i = 0; i < parse->account_count; i++) {
        section_clear(parse->accounts[i]);
        free(parse->accounts[i]);
    }
    free(parse->accounts);
    for (size_t i = 0; i < parse->name_count; i++)
        free(parse->names[i]);
    free(parse->names);
}

/* Takes over the text. */
static int make(struct config *config, struct rctext *text, struct err *err)
{
    char *name = xstrdup(text->name);
    struct parse parse = {.err = err};
    *config = (struct config){0};
    err_clear(err);
    const struct import_program *other = import_recognise(str_of(text->data, text->size));
    int result = parse_all(&parse, text);
    if (result < 0 && other != NULL)
        err_set(err, ERR_CONFIG,
                "%s: this is a configuration file of %s; fetchpop --import %s %s translates it",
                name, other->name, other->name, strcmp(name, "standard input") == 0 ? "-" : name);
    if (result == 0)
        result = convert_all(&parse, config, err);
    if (result == 0 && config->count == 0) {
        result = err_set(err, ERR_CONFIG,
                         "%s: has no account; fetchpoprc(5) begins with an example", name);
    }
    clear(&parse);
    free(name);
    if (result != 0)
        config_free(config);
#ifdef __GLIBC__
    malloc_trim(0); /* libconfuse's tables are large, and workers inherit what is left */
#endif
    return result;
}

int config_read(struct config *config, const char *path, struct err *err)
{
    struct rctext text;
    *config = (struct config){0};
    return rctext_read(&text, path, err) == 0 ? make(config, &text, err) : -1;
}

int config_parse(struct config *config, const char *name, const char *bytes, size_t size,
                 struct err *err)
{
    struct rctext text;
    *config = (struct config){0};
    return rctext_from(&text, name, bytes, size, err) == 0 ? make(config, &text, err) : -1;
}

/* --- looking at it ---------------------------------------------------------------------------- */

/* Takes the line out, so that what follows it can be looked at; not if braces would go with it. */
static bool blank_line(struct rctext *text, unsigned number)
{
    struct str line = rctext_line(text, number);
    int depth = 0;
    for (size_t i = 0; i < line.len; i++)
        depth += (line.ptr[i] == '{') - (line.ptr[i] == '}');
    bool blank = str_trim(line).len == 0;
    memset(text->data + (line.ptr - text->data), ' ', line.len);
    return depth == 0 && !blank;
}

static void copy_text(struct rctext *to, const struct rctext *from)
{
    struct err none;
    (void)rctext_from(to, from->name, from->data, from->size, &none); /* it was small enough */
    to->others_read = from->others_read;
    to->device = from->device;
    to->inode = from->inode;
}

struct telling {
    void (*tell)(void *ctx, const char *text);
    void *ctx;
    unsigned count;
};

static void tell(void *ctx, const char *text)
{
    struct telling *telling = ctx;
    telling->count++;
    telling->tell(telling->ctx, text);
}

/* What can be read is read; now for what it says. */
static void check_sections(const struct parse *parse, struct telling *telling)
{
    struct config config = {0};
    struct err err;
    unsigned before = telling->count;
    if (parse->defaults != NULL)
        settings_check(parse->defaults, NULL, tell, telling);
    for (size_t i = 0; i < parse->account_count; i++)
        settings_check(parse->accounts[i], parse->defaults, tell, telling);
    if (telling->count == before && convert_all(parse, &config, &err) < 0)
        tell(telling, err.text);
    if (telling->count == before && parse->account_count == 0)
        tell(telling, "there is no account; fetchpoprc(5) begins with an example");
    config_free(&config);
}

/* True if another look may find more. */
static bool check_once(struct rctext *text, struct telling *telling)
{
    struct err err = {0};
    struct parse parse = {.err = &err};
    struct rctext copy;
    copy_text(&copy, text);
    int result = parse_all(&parse, &copy);
    if (result < 0)
        tell(telling, err.text);
    else
        check_sections(&parse, telling);
    clear(&parse);
    return result < 0 && parse.fault != 0 && blank_line(text, parse.fault);
}

unsigned config_check(const char *path, void (*to)(void *ctx, const char *text), void *ctx)
{
    struct telling telling = {to, ctx, 0};
    struct rctext text;
    struct err err;
    if (rctext_read(&text, path, &err) < 0) {
        tell(&telling, err.text);
        return telling.count;
    }
    while (telling.count < CHECK_MAX && check_once(&text, &telling))
        ;
    rctext_free(&text);
    return telling.count;
}

int config_spell(const char *path, struct buf *out, struct err *err)
{
    struct rctext text;
    struct parse parse = {.err = err};
    struct config config = {0};
    err_clear(err);
    if (rctext_read(&text, path, err) < 0)
        return -1;
    int result = parse_all(&parse, &text);
    for (size_t i = 0; i < parse.account_count && result == 0; i++)
        settings_spell(parse.accounts[i], parse.defaults, out);
    if (result == 0)
        result = convert_all(&parse, &config, err);
    clear(&parse);
    config_free(&config);
    return result;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->count; i++)
        settings_free(config->accounts[i]);
    free(config->accounts);
    keys_clear(true, &config->top);
    *config = (struct config){0};
}
