/* SPDX-License-Identifier: ISC */
#include "import/import.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static const struct import_program *const programs[] = {&import_fetchmail, &import_mpop,
                                                        &import_getmail, &import_fdm, NULL};

const struct import_program *const *import_programs(void)
{
    return programs;
}

const struct import_program *import_find(const char *name)
{
    for (size_t i = 0; programs[i] != NULL; i++)
        if (strcmp(programs[i]->name, name) == 0)
            return programs[i];
    return NULL;
}

const struct import_program *import_recognise(struct str text)
{
    for (size_t i = 0; programs[i] != NULL; i++)
        if (programs[i]->looks(text))
            return programs[i];
    return NULL;
}

const char *import_names(void)
{
    return "fetchmail, mpop, getmail or fdm";
}

void import_begin(struct import *import, const struct import_program *program)
{
    *import = (struct import){.program = program};
    sheets_add(&import->top, "", NULL);
}

void import_end(struct import *import)
{
    sheets_free(&import->sheets);
    sheets_free(&import->top);
}

/* Adds a note on where the other configuration keeps its list. */
static void note_list(struct import *import, size_t which)
{
    struct sheet *sheet = &import->sheets.at[which];
    const char *name = import->program->name;
    char title[SHEET_TITLE_SIZE];
    if (sheet->seen == NULL)
        return;
    sheets_title(&import->sheets, which, title);
    char *list = translate_quoted(sheet->seen), *account = translate_quoted(title);
    sheet_note(sheet,
               "To take over the list of what %s has fetched here: fetchpop --import-seen %s %s %s",
               name, name, list, account);
    free(list);
    free(account);
}

int import_add(struct import *import, struct str text, const struct translate_place *place,
               struct err *err)
{
    size_t before = import->sheets.count;
    if (str_has_prefix(text, "\xef\xbb\xbf")) /* a mark of UTF-8, which is no part of a word */
        text = str_behind(text, 3);
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return err_set(err, ERR_CONFIG, "%s: a NUL byte; this is not a text file", place->file);
    import->program->read(text, place, &import->sheets, &import->top.at[0]);
    for (size_t i = before; i < import->sheets.count; i++)
        note_list(import, i);
    if (import->sheets.count > before)
        return 0;
    return err_set(err, ERR_CONFIG, "%s: no account of %s in it; check the path", place->file,
                   import->program->name);
}

const struct sheet *import_left_out(const struct import *import)
{
    const struct sheets *sheets = &import->sheets;
    for (size_t i = 0; i < sheets->count; i++)
        if (sheets->at[i].left_out == NULL)
            return NULL;
    return sheets->count > 0 ? &sheets->at[0] : NULL;
}

/* Does an account say nothing of its list? Then that is in the usual place. */
static bool is_usual(const struct sheets *sheets)
{
    for (size_t i = 0; i < sheets->count; i++)
        if (sheets->at[i].left_out == NULL && sheets->at[i].seen == NULL)
            return true;
    return false;
}

void import_spell(const struct import *import, struct buf *out)
{
    const struct import_program *program = import->program;
    const struct sheet *top = &import->top.at[0];
    buf_addf(out, "# fetchpop's configuration (fetchpoprc(5)), made from that of %s.\n",
             program->name);
    if (is_usual(&import->sheets))
        buf_addf(out,
                 "# To take over the list of what %s has fetched: fetchpop --import-seen %s %s "
                 "ACCOUNT\n",
                 program->name, program->name, program->seen);
    for (size_t i = 0; i < top->count; i++)
        sheet_spell_note("", top->entries[i].value, out);
    for (size_t i = 0; i < import->sheets.count; i++)
        sheets_spell(&import->sheets, i, out);
}
