/*
 * kit_heap: how often a text is left on the heap, freed memory included. Only where memory is as the
 * system gives it: elsewhere heap_can_tell is false.
 */
#ifndef FP_TESTS_UNIT_KIT_HEAP_H
#define FP_TESTS_UNIT_KIT_HEAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define KIT_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KIT_WATCHED 1
#endif
#endif

#if defined(__linux__) && defined(__GLIBC__) && !defined(KIT_WATCHED)
static const bool heap_can_tell = true;
#else
static const bool heap_can_tell = false;
#endif

/* A secret that is nowhere in the program's own text: written backwards there. */
static inline void heap_secret(const char *backwards, char *out)
{
    size_t len = strlen(backwards);
    for (size_t i = 0; i < len; i++)
        out[i] = backwards[len - 1 - i];
    out[len] = '\0';
}

/* How often the text's bytes from 16 to 32 are there. The first ones of freed memory are the
 * allocator's own, so they would hide a copy. */
static inline int heap_count(const char *text)
{
    int found = 0;
    char line[400];
    FILE *maps = heap_can_tell ? fopen("/proc/self/maps", "r") : NULL;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *end;
        if (strstr(line, "[heap]") == NULL)
            continue;
        const char *from = (const char *)strtoul(line, &end, 16);
        const char *to = (const char *)strtoul(end + 1, NULL, 16);
        for (const char *p = from; p + 16 <= to; p++)
            found += memcmp(p, text + 16, 16) == 0;
    }
    if (maps != NULL)
        fclose(maps);
    return found;
}

#endif
