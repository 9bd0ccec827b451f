/* SPDX-License-Identifier: ISC */
#include "app/section.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/xalloc.h"
#include "session/rules.h"

static struct setting *find(const struct section *section, const struct key *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (section->settings[i].key == key)
            return &section->settings[i];
    return NULL;
}

const struct setting *section_find(const struct section *section, const struct key *key)
{
    static const struct setting none = {0};
    const struct setting *found = find(section, key);
    return found != NULL ? found : &none;
}

const char *section_next(const struct setting *setting, const char *item)
{
    const char *next = item != NULL ? item + strlen(item) + 1 : setting->items;
    return setting->count > 0 && next < setting->items + setting->octets ? next : NULL;
}

static struct setting *append(struct section *section, const struct setting *setting)
{
    section->settings =
        xreallocarray(section->settings, section->count + 1, sizeof *section->settings);
    section->settings[section->count] = *setting;
    return &section->settings[section->count++];
}

void section_add(struct section *section, const struct key *key, const char *text, const char *file,
                 unsigned line)
{
    struct setting *setting = find(section, key);
    if (setting == NULL)
        setting = append(section, &(struct setting){.key = key, .file = file, .line = line});
    size_t size = strlen(text) + 1;
    char *items = xreallocarray(setting->items, setting->octets + size, 1);
    memcpy(items + setting->octets, text, size);
    setting->items = items;
    setting->octets += (unsigned)size;
    setting->count++;
}

struct section *section_add_rule(struct section *section, const char *file, unsigned line)
{
    section->rules = xreallocarray(section->rules, section->rule_count + 1, sizeof *section->rules);
    if (section->rule_count == 0)
        section->shared = xcalloc(1, sizeof *section->shared);
    struct section *rule = &section->rules[section->rule_count++];
    *rule = (struct section){.file = file, .line = line};
    return rule;
}

static void free_items(struct setting *setting)
{
    secret_wipe_bytes(setting->items, setting->octets);
    free(setting->items);
}

void section_drop(struct section *section, size_t which)
{
    struct setting *setting = &section->settings[which];
    free_items(setting);
    section->count--;
    memmove(setting, setting + 1, (section->count - which) * sizeof *setting);
}

void section_clear(struct section *section)
{
    for (size_t i = 0; i < section->count; i++)
        free_items(&section->settings[i]);
    for (size_t i = 0; i < section->rule_count; i++)
        section_clear(&section->rules[i]);
    if (section->shared != NULL)
        rules_free(section->shared);
    free(section->shared);
    free(section->rules);
    free(section->settings);
    free(section->title);
    *section = (struct section){.file = section->file, .line = section->line};
}
