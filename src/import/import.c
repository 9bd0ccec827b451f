/* SPDX-License-Identifier: ISC */
#include "import/import.h"

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

int import_add(struct import *import, struct str text, const struct translate_place *place,
               struct err *err)
{
    size_t before = import->sheets.count;
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return err_set(err, ERR_CONFIG, "%s: a NUL byte; this is not a text file", place->file);
    import->program->read(text, place, &import->sheets, &import->top.at[0]);
    if (import->sheets.count > before)
        return 0;
    return err_set(err, ERR_CONFIG, "%s: no account of %s in it; check the path", place->file,
                   import->program->name);
}

void import_spell(const struct import *import, struct buf *out)
{
    const struct import_program *program = import->program;
    const struct sheet *top = &import->top.at[0];
    buf_addf(out,
             "# fetchpop's configuration (fetchpoprc(5)), made from that of %s.\n"
             "# The list of what %s has fetched: fetchpop --import-seen %s %s\n",
             program->name, program->name, program->name, program->seen);
    for (size_t i = 0; i < top->count; i++)
        buf_addf(out, "# %s\n", top->entries[i].value);
    for (size_t i = 0; i < import->sheets.count; i++)
        sheets_spell(&import->sheets, i, out);
}
